// The hot path: purchases of known contacts through record-interaction, on a real engine, in this process.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Definitions } from '../domain/book.ts';
import { BookStore } from '../functions/aws/book-store.ts';
import { recordEvents } from '../functions/aws/record-events.ts';
import { Recorder } from '../functions/aws/recorder.ts';
import { documentClient, key, Table } from '../functions/aws/table.ts';
import { definitions, MemoryBucket, MemoryLog, NOON, publish } from '../test/functions/fixtures.ts';
import { type Engine, startEngine } from '../test/support/engine.ts';
import { type Cpu, machine, measureCpu, perEvent, sayCpu } from './cpu.ts';
import { measureLatency } from './latency.ts';
import { meter, type Units } from './units.ts';

const CUSTOMERS = 250;
const ORDERS_BEFORE = 5;
const MEASURED = 2_000;
const BATCH = 25;

export interface PathFigures {
  machine: string;
  events: number;
  eventsPerSecond: number;
  cpuPerEvent: Cpu;
  /** Units of one purchase of a known contact, and of one event that nothing reads. */
  purchase: Units & { contactBytes: number };
  unread: Units;
  /** Milliseconds from PutEvents to the SES call, over the whole stack on this machine, one event at a time. */
  eventToSes: { p50: number; p95: number; n: number };
}

/** A purchase as EventBridge hands it over, about 1 KB, three lines. */
export function purchase(customer: number, order: string, at: number): string {
  const products = [0, 1, 2].map((line) => ({
    product_id: `p-${(customer * 7 + line * 13) % 97}`,
    name: `Product number ${(customer * 7 + line * 13) % 97}`,
    category: line === 0 ? 'Cameras' : 'Bags',
    price: 19.5 + line,
    quantity: 1 + (line % 2),
  }));
  const total = products.reduce((sum, { price, quantity }) => sum + price * quantity, 0);
  return eventBody('Order Completed', customer, `${order}`, at, {
    order_id: order,
    currency: 'EUR',
    revenue: total,
    total: total + 5,
    shipping: 5,
    tax: 0,
    affiliation: 'web',
    coupon: 'SPRING',
    products,
  });
}

function eventBody(name: string, customer: number, id: string, at: number, properties: object): string {
  return JSON.stringify({
    version: '0',
    id: `eb-${id}`,
    'detail-type': name,
    source: 'shop',
    account: '000000000000',
    time: new Date(at).toISOString(),
    region: 'eu-central-1',
    resources: [],
    detail: {
      type: 'track',
      event: name,
      messageId: `m-${id}`,
      userId: `customer-${customer}`,
      timestamp: new Date(at).toISOString(),
      properties,
    },
  });
}

export interface Bench {
  engine: Engine;
  table: Table;
  meter: ReturnType<typeof meter>;
  client: DynamoDBClient;
  record(bodies: string[], now: number): Promise<void>;
}

/** An engine, a table with a published book, and record-interaction's core in this process. */
export async function openPath(book: Definitions = definitions()): Promise<Bench> {
  const engine = await startEngine();
  const client = engine.client();
  const measured = meter(client);
  const table = new Table(documentClient(client), await engine.createTable(), 32);
  const bucket = new MemoryBucket();
  const log = new MemoryLog();
  let at = NOON;
  let ids = 0;
  const books = new BookStore({ table, bucket, now: () => at, log });
  await publish(table, bucket, book);
  const recorder = new Recorder({ table, books, now: () => at, newId: () => `contact-${++ids}` });
  const queue = { bury: async () => {} } as never;
  return {
    engine,
    client,
    table,
    meter: measured,
    async record(bodies, now) {
      at = now;
      const failed = await recordEvents(
        bodies.map((body, index) => ({ id: String(index), body })),
        { recorder, queue, deadLetters: '', log },
      );
      if (failed.length > 0) throw new Error(`${failed.length} events failed`);
    },
  };
}

/** Events a second, processor time per event, and capacity units. About half a minute. */
export async function measurePath(): Promise<PathFigures> {
  const bench = await openPath();
  try {
    const bodies: string[] = [];
    for (let order = 0; order < ORDERS_BEFORE; order++) {
      for (let customer = 0; customer < CUSTOMERS; customer++) {
        bodies.push(purchase(customer, `before-${order}-${customer}`, NOON - (ORDERS_BEFORE - order) * 86_400_000));
      }
    }
    for (const batch of batches(bodies)) await bench.record(batch, NOON - 3_600_000);

    const live = Array.from({ length: MEASURED }, (_, index) =>
      purchase((index * 37) % CUSTOMERS, `live-${index}`, NOON + index * 1000),
    );
    let now = NOON;
    const { seconds, cpu } = await measureCpu(bench.engine.pid, async () => {
      for (const batch of batches(live)) {
        now += BATCH * 1000;
        await bench.record(batch, now);
      }
    });

    bench.meter.take();
    await bench.record([purchase(1, 'one-more', now + 1000)], now + 2000);
    const bought = bench.meter.take();
    await bench.record([eventBody('Product Clicked', 1, 'unread', now + 3000, { product_id: 'p-1' })], now + 4000);
    const unread = bench.meter.take();
    const contactBytes = await sizeOfContact(bench, 'contact-2');
    const eventToSes = await measureLatency();
    return {
      machine: machine(bench.engine.name),
      events: MEASURED,
      eventsPerSecond: Math.round(MEASURED / seconds),
      cpuPerEvent: perEvent(cpu, MEASURED),
      purchase: { ...bought, contactBytes },
      unread,
      eventToSes,
    };
  } finally {
    await bench.engine.stop();
  }
}

async function sizeOfContact(bench: Bench, id: string): Promise<number> {
  const item = await bench.table.readOne(key.contact(id));
  return item === undefined ? 0 : String(item.state).length;
}

function batches(bodies: string[]): string[][] {
  return Array.from({ length: Math.ceil(bodies.length / BATCH) }, (_, index) =>
    bodies.slice(index * BATCH, (index + 1) * BATCH),
  );
}

/** The figures as a table that people read. */
export function sayPath(figures: PathFigures): string {
  const items = Object.entries(figures.purchase.byItem).map(([item, units]) => `${item} ${units}`);
  return [
    figures.machine,
    `${figures.events} purchases of known contacts, batches of ${BATCH}: ${figures.eventsPerSecond} a second`,
    `processor time per event, ms: ${sayCpu(figures.cpuPerEvent)}`,
    `a purchase: ${figures.purchase.write} write units (${items.join(', ')}), ${figures.purchase.index} of indexes, ` +
      `${figures.purchase.read} read units, ${figures.purchase.calls} calls; contact of ${figures.purchase.contactBytes} bytes`,
    `an event that nothing reads: ${figures.unread.write} write unit, ${figures.unread.read} read units, ${figures.unread.calls} call`,
    `from PutEvents to the SES call, whole stack on this machine, ${figures.eventToSes.n} events one by one: ` +
      `p50 ${figures.eventToSes.p50} ms, p95 ${figures.eventToSes.p95} ms`,
  ].join('\n');
}
