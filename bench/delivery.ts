// Delivery: ready messages through the sender's core to an SES that answers at once, and a bare loop beside it.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SESv2Client } from '@aws-sdk/client-sesv2';
import { newContact } from '../domain/contact.ts';
import { sha256 } from '../domain/interaction.ts';
import type { Message } from '../domain/message.ts';
import { BookStore } from '../functions/aws/book-store.ts';
import { composeMail } from '../functions/aws/compose.ts';
import { Mailer } from '../functions/aws/mailer.ts';
import { Queue } from '../functions/aws/queue.ts';
import { Recorder } from '../functions/aws/recorder.ts';
import { Sender } from '../functions/aws/sender.ts';
import { chunks, contactItem, documentClient, key, messageItem, pooled, Table } from '../functions/aws/table.ts';
import { receiveFeedback } from '../functions/receive-feedback.ts';
import { definitions, MemoryBucket, MemoryLog, NOON, publish } from '../test/functions/fixtures.ts';
import { type Engine, startEngine } from '../test/support/engine.ts';
import { sesEvent } from '../test/support/ses.ts';
import { type Cpu, machine, measureCpu, perEvent, sayCpu } from './cpu.ts';
import { meter, type Units } from './units.ts';

const MESSAGES = 3_000;
const WARM_UP = 200;
const RUNS = 3;
/** As the queue hands them over. */
const BATCH = 10;
/** High enough that no slot is waited for: the cost of a permit is in, waiting for it is not. */
const RATE = 1_000_000;
const KEYS = { current: 'k1', keys: { k1: 'a secret of the bench' } };

export interface DeliveryFigures {
  machine: string;
  messages: number;
  runs: number;
  /** Through one process, batches of ten, one batch after the other: the median of the runs, and all of them. */
  perSecond: number;
  perSecondOfRuns: number[];
  cpuPerMessage: Cpu;
  /** The same mails made and sent by the same client, ten at a time, without table, claim, cap or rate: the floor. */
  bareLoop: { perSecond: number; perSecondOfRuns: number[]; cpuPerMessage: Cpu };
  /** How many times the bare loop's processor time a message takes, engine apart. */
  ratio: number;
  /** Units of one message, in a batch of ten: ready → sent, and its `Send` and `Delivery` taken in. */
  sent: Units;
  delivered: Units;
}

interface Parts {
  engine: Engine;
  client: SESv2Client;
  clock: { at: number };
}

/** Messages a second, processor time and units per message, beside the floor. About half a minute. */
export async function measureDelivery(): Promise<DeliveryFigures> {
  const engine = await startEngine();
  const stub = fork(fileURLToPath(new URL('./ses-stub.ts', import.meta.url)));
  try {
    const parts: Parts = { engine, client: await clientOf(stub), clock: { at: NOON } };
    const bench = await shop(parts);
    const runs: { kairos: Awaited<ReturnType<typeof run>>; bare: Awaited<ReturnType<typeof run>> }[] = [];
    await bench.send(await bench.make(WARM_UP));
    await bench.loop(await bench.make(WARM_UP));
    for (let number = 0; number < RUNS; number++) {
      const messages = await bench.make(MESSAGES);
      const kairos = await run(engine, () => bench.send(messages));
      const others = await bench.make(MESSAGES);
      runs.push({ kairos, bare: await run(engine, () => bench.loop(others)) });
    }
    const middle = <T>(of: (one: (typeof runs)[number]) => T, by: (one: T) => number): T =>
      runs.map(of).sort((a, b) => by(a) - by(b))[RUNS >> 1] as T;
    const kairos = middle(
      (one) => one.kairos,
      ({ perSecond }) => perSecond,
    );
    const bare = middle(
      (one) => one.bare,
      ({ perSecond }) => perSecond,
    );
    const mine = (cpu: Cpu): number => cpu.ours + cpu.sdk + cpu.node;
    return {
      machine: machine(engine.name),
      messages: MESSAGES,
      runs: RUNS,
      perSecond: kairos.perSecond,
      perSecondOfRuns: runs.map((one) => one.kairos.perSecond),
      cpuPerMessage: kairos.cpu,
      bareLoop: {
        perSecond: bare.perSecond,
        perSecondOfRuns: runs.map((one) => one.bare.perSecond),
        cpuPerMessage: bare.cpu,
      },
      ratio: Math.round((mine(kairos.cpu) / mine(bare.cpu)) * 10) / 10,
      ...(await bench.units()),
    };
  } finally {
    stub.disconnect();
    await engine.stop();
  }
}

async function clientOf(stub: ChildProcess): Promise<SESv2Client> {
  const [port] = (await once(stub, 'message')) as [number];
  const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' };
  return new SESv2Client({ endpoint: `http://127.0.0.1:${port}`, region: 'x', credentials, maxAttempts: 1 });
}

async function run(engine: Engine, work: () => Promise<void>): Promise<{ perSecond: number; cpu: Cpu }> {
  const { seconds, cpu } = await measureCpu(engine.pid, work);
  return { perSecond: Math.round(MESSAGES / seconds), cpu: perEvent(cpu, MESSAGES) };
}

/** A shop's table with its book, and the cores of the functions over it. */
async function shop({ engine, client, clock }: Parts) {
  const documents = engine.client();
  const metered = meter(documents);
  const table = new Table(documentClient(documents), await engine.createTable(), 32);
  const bucket = new MemoryBucket();
  const log = new MemoryLog();
  const now = (): number => clock.at;
  const books = new BookStore({ table, bucket, now, log });
  await publish(table, bucket, definitions());
  const book = await books.current();
  const queue = new Queue({ send: async () => ({}) } as never);
  const mailer = new Mailer('kairos', client);
  const sender = new Sender({
    table,
    books,
    mailer,
    queue,
    secrets: async () => ({ keys: KEYS, sources: {} }),
    now,
    sleep: async () => {},
    log,
    rate: RATE,
    publicBaseUrl: 'https://mail.shop.example',
    deadLetters: '',
  });
  const recorder = new Recorder({ table, books, now, newId: () => 'never' });
  const version = book.definitions.campaigns.thanks?.version ?? '';
  let made = 0;

  const messageOf = (number: number): Message => ({
    shape: 1,
    id: `message-${number}`,
    contact: `contact-${number}`,
    campaign: 'thanks',
    version,
    step: 'hello',
    run: `run-${number}`,
    kind: 'service',
    sender: 'main',
    email: 'hello',
    state: 'ready',
    plannedAt: clock.at,
    createdAt: clock.at,
    lane: 'triggered',
    due: clock.at + 300_000,
    attempts: 0,
    ignoresQuiet: true,
    inputs: { trigger: { name: 'Order Completed', at: clock.at, properties: {} }, recommendations: [] },
  });
  const contactOf = (number: number) => {
    const contact = newContact(`contact-${number}`, clock.at);
    const value = `customer-${number}@customers.example`;
    contact.facts.address = { value, at: clock.at, id: 'i' };
    contact.facts.addressHash = sha256(value);
    return contact;
  };
  /** So many people with a message that is ready. */
  const make = async (count: number): Promise<Message[]> => {
    clock.at += 1000;
    const messages = Array.from({ length: count }, () => messageOf(++made));
    for (const [index, part] of chunks(messages, 50).entries()) {
      const items = part.flatMap((message, place) => [
        messageItem(message, table.shards),
        contactItem(contactOf(made - count + index * 50 + place + 1), 1, table.shards),
      ]);
      await table.transact(items.map((item) => table.creation(item)));
    }
    return messages;
  };
  const send = async (messages: Message[]): Promise<void> => {
    for (const batch of chunks(messages, BATCH)) {
      // The clock of a second's slots goes on as it would.
      clock.at += 10;
      const errors = await sender.send(batch.map(({ contact, id }) => ({ contact, message: id })));
      if (errors.some((error) => error !== undefined)) throw new Error('delivery: a message failed');
    }
  };
  const loop = async (messages: Message[]): Promise<void> => {
    for (const batch of chunks(messages, BATCH)) {
      await pooled(batch, BATCH, async (message) => {
        const contact = contactOf(Number(message.id.slice('message-'.length)));
        const composing = { message, contact, book, products: {}, keys: KEYS, now: clock.at };
        const answer = await mailer.send(composeMail({ ...composing, publicBaseUrl: 'https://mail.shop.example' }));
        if (answer.kind !== 'accepted') throw new Error(`delivery: ${answer.kind}`);
      });
    }
  };
  const units = async (): Promise<{ sent: Units; delivered: Units }> => {
    const messages = await make(BATCH);
    metered.take();
    await send(messages);
    const sent = share(metered.take());
    const events = messages.flatMap((message) => {
      const stored = { id: `ses-${message.id}`, Destination: { ToAddresses: ['customer@customers.example'] } };
      const tags = { 'kairos-message': message.id, 'kairos-contact': message.contact, 'kairos-campaign': 'thanks' };
      const EmailTags = Object.entries(tags).map(([Name, Value]) => ({ Name, Value }));
      const mail = { ...stored, EmailTags } as never;
      const delivery = { timestamp: new Date(clock.at + 2000).toISOString() };
      return [sesEvent(mail, 'Send', clock.at), sesEvent(mail, 'Delivery', clock.at + 2000, { delivery })];
    });
    const Records = events.map((event, number) => ({ messageId: `${number}`, body: JSON.stringify(event) }));
    const { batchItemFailures } = await receiveFeedback({ Records } as never, {
      table,
      books,
      recorder,
      queue,
      deadLetters: '',
    });
    const after = await table.readOne(key.message(messages[0]?.contact ?? '', messages[0]?.id ?? ''));
    if (batchItemFailures.length > 0 || after?.delivery !== 'delivered') throw new Error('delivery: feedback failed');
    const delivered = metered.take();
    // What the check has read.
    delivered.read -= 1;
    delivered.calls -= 1;
    return { sent, delivered: share(delivered) };
  };
  return { make, send, loop, units };
}

/** A batch's units, per message. */
function share({ write, index, read, calls, byItem }: Units): Units {
  const each = (value: number): number => Math.round((value / BATCH) * 100) / 100;
  return {
    write: each(write),
    index: each(index),
    read: each(read),
    calls: each(calls),
    byItem: Object.fromEntries(Object.entries(byItem).map(([item, value]) => [item, each(value)])),
  };
}

/** The figures as a table that people read. */
export function sayDelivery(figures: DeliveryFigures): string {
  const { bareLoop, sent, delivered } = figures;
  const units = ({ write, index, read, calls }: Units): string =>
    `${write} write units, ${index} of indexes, ${read} read units, ${calls} calls of the table`;
  return [
    figures.machine,
    `${figures.messages} ready messages to an SES that answers at once, batches of ${BATCH} one after the other in one ` +
      `process, ${figures.runs} runs: ${figures.perSecond} a second (${figures.perSecondOfRuns.join(', ')})`,
    `processor time per message, ms: ${sayCpu(figures.cpuPerMessage)}`,
    `beside it a bare loop, the same mails made and sent by the same client with no table, claim, cap or rate: ` +
      `${bareLoop.perSecond} a second (${bareLoop.perSecondOfRuns.join(', ')})`,
    `processor time per message, ms: ${sayCpu(bareLoop.cpuPerMessage)}`,
    `sending once costs ${figures.ratio} times the processor time of the bare loop in the worker`,
    `ready to sent, per message in a batch of ${BATCH}: ${units(sent)}, 1 call of SES`,
    `its Send and Delivery: ${units(delivered)}`,
  ].join('\n');
}
