// What a decision costs: a purchase in the ready-made shop, and in one of 100 segments and 20 campaigns, beside one JSON.parse of its event.
import { type Book, compileBook } from '../domain/book.ts';
import type { Contact } from '../domain/contact.ts';
import { decide } from '../domain/decide.ts';
import type { Decided, Stimulus } from '../domain/decision.ts';
import { sightOf } from '../domain/eligibility.ts';
import type { Interaction } from '../domain/interaction.ts';
import { foldOrder } from '../domain/order.ts';
import type { Past } from '../domain/past.ts';
import { contactItem } from '../functions/aws/table.ts';
import { event, instant, World } from '../test/support/people.ts';
import { machine } from './cpu.ts';
import { counterRules, purchase, readyMadeDefinitions, shopDefinitions, withProductsOf, year } from './shop-book.ts';
import { itemBytes } from './units.ts';

const NOW = instant('2026-06-15 12:00');
const ROUNDS = 41;
/** Rounds before those that count: until everything is compiled. */
const WARM_UP = 15;
/** Milliseconds of processor time that each piece of work has in a round. */
const SLICE = 20;
/** Contacts come from the table as new objects: as many copies take turns. */
const COPIES = 8;

export interface DecideFigures extends BookFigures {
  machine: string;
  rounds: number;
  /** A purchase of what has a better model: whether that is owned already is asked of the past, so it is decided twice. */
  withPast: BookFigures;
  /** The same in a shop of a hundred segments. */
  large: BookFigures;
  /** A contact under 100 rules, each over a counter of its own. */
  contacts: Record<'typical' | 'heavy', ContactSize>;
}

/** A purchase under one book. */
interface BookFigures {
  segments: number;
  campaigns: number;
  counters: number;
  contactBytes: number;
  eventBytes: number;
  /** Microseconds of this thread's processor time, medians of the rounds; `decide` is that of the purchase. */
  decide: number;
  jsonParse: number;
  /** decide ÷ jsonParse. */
  ratio: number;
  /** What the purchase leads to. */
  purchase: { entered: number; left: number; started: number; decisions: number };
  /** Microseconds: all segments answered; other stimuli of the same contact. */
  breakdown: { allSegments: number; look: number; tick: number; unread: number };
}

interface ContactSize {
  orders: number;
  looks: number;
  counters: number;
  /** Of its JSON, and of its item. */
  bytes: number;
  itemBytes: number;
  /** Of one write in a transaction, and of one strong read. */
  writeUnits: number;
  readUnits: number;
}

/** About half a minute of processor time. Throws where a stimulus does not lead to what it is meant to show. */
export async function measureDecide(): Promise<DecideFigures> {
  const readyMade = await readyMadeDefinitions();
  return {
    machine: machine('no engine'),
    rounds: ROUNDS,
    ...measureBook(bookOf(readyMade), (said) => withProductsOf(readyMade.catalogue, said, false)),
    withPast: measureBook(bookOf(readyMade), (said) => withProductsOf(readyMade.catalogue, said, true)),
    large: measureBook(bookOf(shopDefinitions()), (said) => said),
    contacts: {
      typical: sizeOf({ orders: 12, looks: 80, mails: 40 }),
      heavy: sizeOf({ orders: 200, looks: 2_000, mails: 200 }),
    },
  };
}

/** `sold` puts the shop's products into an event. */
function measureBook(book: Book, sold: (said: Interaction) => Interaction): BookFigures {
  const lived = year(NOW, { orders: 12, looks: 80, mails: 40 }).map(sold);
  const world = new World(book).record(lived).until(NOW);
  const person = world.person();
  const text = JSON.stringify(person);
  const copies = Array.from({ length: COPIES }, () => JSON.parse(text) as Contact);
  const bought = sold(purchase(100, NOW));
  const body = envelope(bought);
  const unread = event('Coupon Entered', NOW, { coupon: 'SPRING' });
  const looked = sold(event('Product Viewed', NOW, { product_id: 'p-1', category: 'Drones', price: 800 }));
  const after = { ...foldOrder(undefined, bought, book.currency, book.definitions.catalogue), owner: person.id };
  const buying: Stimulus = { kind: 'interaction', interaction: bought, order: { after } };
  const past = { names: [...book.read], interactions: world.interactions, orders: [...world.orders.values()] };
  const led = fully(book, person, buying, past);
  const nothing = decided(decide(book, decidedBy(book, person), { kind: 'tick' }, NOW));
  if (nothing.changed) throw new Error('the tick was to change nothing');

  let turn = 0;
  const over = (stimulus: Stimulus) => (): void => {
    turn = (turn + 1) % COPIES;
    fully(book, copies[turn] as Contact, stimulus, past);
  };
  const times = median({
    decide: over(buying),
    jsonParse: () => JSON.parse(body),
    allSegments: () => {
      turn = (turn + 1) % COPIES;
      sightOf(book, copies[turn] as Contact, NOW).membership();
    },
    look: over({ kind: 'interaction', interaction: looked }),
    tick: over({ kind: 'tick' }),
    unread: over({ kind: 'interaction', interaction: unread }),
  });
  const { decide: ours, jsonParse, ...breakdown } = times;
  return {
    segments: book.segments.length,
    campaigns: book.campaigns.length,
    counters: book.counters.length,
    contactBytes: text.length,
    eventBytes: body.length,
    decide: ours,
    jsonParse,
    ratio: Math.round((ours / jsonParse) * 10) / 10,
    purchase: movesOf(person, led),
    breakdown,
  };
}

const bookOf = (definitions: ReturnType<typeof shopDefinitions>): Book =>
  compileBook(definitions, 'bench', { paused: {}, filled: 1 });

/** Decides; once more with the past where that is asked for. */
function fully(book: Book, contact: Contact, stimulus: Stimulus, past: Past): Decided {
  const answer = decide(book, contact, stimulus, NOW);
  return 'need' in answer ? decided(decide(book, contact, stimulus, NOW, past)) : answer;
}

function decided(answer: ReturnType<typeof decide>): Decided {
  if ('need' in answer) throw new Error(`a past was asked for: ${answer.need.join(', ')}`);
  return answer;
}

/** The contact after a tick at this instant. */
const decidedBy = (book: Book, contact: Contact): Contact =>
  decided(decide(book, contact, { kind: 'tick' }, NOW)).contact;

/** The event as EventBridge hands it over. */
function envelope({ id, name, at, properties }: Interaction): string {
  const timestamp = new Date(at).toISOString();
  return JSON.stringify({
    version: '0',
    id: 'f3b0a1c2-5d6e-4f70-8a91-b2c3d4e5f607',
    'detail-type': name,
    source: 'shop',
    account: '000000000000',
    time: timestamp,
    region: 'eu-central-1',
    resources: [],
    detail: {
      type: 'track',
      event: name,
      messageId: id,
      userId: 'ann',
      timestamp,
      context: {
        page: { path: '/checkout/done', url: 'https://shop.example/checkout/done', referrer: 'https://pay.example/' },
        locale: 'pl-PL',
        ip: '203.0.113.7',
      },
      properties,
    },
  });
}

function movesOf(before: Contact, { contact, decisions }: Decided): BookFigures['purchase'] {
  const isIn = ({ journey }: Contact, id: string): boolean => journey.segments[id]?.since !== undefined;
  const ids = Object.keys(contact.journey.segments);
  return {
    entered: ids.filter((id) => isIn(contact, id) && !isIn(before, id)).length,
    left: ids.filter((id) => isIn(before, id) && !isIn(contact, id)).length,
    started: decisions.filter(({ kind }) => kind === 'start').length,
    decisions: decisions.length,
  };
}

/** Microseconds of one call of each piece of work. They take turns, so that none has a quieter machine. */
function median<K extends string>(work: Record<K, () => void>): Record<K, number> {
  const pieces = Object.entries(work) as [K, () => void][];
  const times = new Map<K, number[]>(pieces.map(([name]) => [name, []]));
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const [name, run] of pieces) {
      const spent = timeOf(run);
      if (round >= 0) times.get(name)?.push(spent);
    }
  }
  return Object.fromEntries(
    [...times].map(([name, all]) => [
      name,
      Math.round((all.sort((a, b) => a - b)[Math.floor(all.length / 2)] as number) * 100) / 100,
    ]),
  ) as Record<K, number>;
}

function timeOf(run: () => void): number {
  const started = process.threadCpuUsage();
  let calls = 0;
  let spent = 0;
  while (spent < SLICE * 1000) {
    for (let i = 0; i < 50; i++) run();
    calls += 50;
    const { user, system } = process.threadCpuUsage(started);
    spent = user + system;
  }
  return spent / calls;
}

function sizeOf(said: { orders: number; looks: number; mails: number }): ContactSize {
  const book = bookOf(shopDefinitions(counterRules()));
  const contact = new World(book).record(year(NOW, said), { history: true, now: NOW, overdue: true }).person();
  const bytes = Buffer.byteLength(JSON.stringify(contact));
  const item = itemBytes(contactItem(contact, 1, 32));
  return {
    orders: said.orders,
    looks: said.looks,
    counters: Object.keys(contact.facts.counters).length,
    bytes,
    itemBytes: item,
    writeUnits: 2 * Math.ceil(item / 1024),
    readUnits: Math.ceil(item / 4096),
  };
}

/** In a few lines. */
export function sayDecide(figures: DecideFigures): string {
  const { large, withPast, contacts } = figures;
  const size = ({ orders, looks, counters, bytes, writeUnits, readUnits }: ContactSize): string =>
    `${orders} orders and ${looks} looks: ${counters} counters, ${bytes} bytes, ${writeUnits} write units, ${readUnits} read units`;
  return [
    figures.machine,
    ...sayBook(figures),
    `  of what has a better model, decided twice: ${withPast.decide} µs; ${withPast.ratio} times as much`,
    ...sayBook(large),
    `100 counters, typical: ${size(contacts.typical)}`,
    `100 counters, heavy: ${size(contacts.heavy)}`,
  ].join('\n');
}

function sayBook({ purchase: led, breakdown, ...figures }: BookFigures): string[] {
  return [
    `${figures.segments} segments, ${figures.campaigns} campaigns, ${figures.counters} counters; a contact of ${figures.contactBytes} bytes`,
    `  a purchase (enters ${led.entered}, leaves ${led.left}, starts ${led.started}): ${figures.decide} µs; ` +
      `JSON.parse of its event (${figures.eventBytes} bytes): ${figures.jsonParse} µs; ${figures.ratio} times as much`,
    `  all segments answered: ${breakdown.allSegments} µs; a look: ${breakdown.look} µs; ` +
      `a tick that changes nothing: ${breakdown.tick} µs; an event that nothing reads: ${breakdown.unread} µs`,
  ];
}
