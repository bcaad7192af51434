// The truth table of the gates: at entry, before a send, and again at the send.
import { describe, expect, test } from 'vitest';
import type { Book } from '../../domain/book.ts';
import type { Campaign, Kind, Send } from '../../domain/campaign-grammar.ts';
import { type Basis, type Contact, newContact, type Run, type SuppressionReason } from '../../domain/contact.ts';
import { decide } from '../../domain/decide.ts';
import { recheck } from '../../domain/eligibility.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { MESSAGE_SHAPE, type Message } from '../../domain/message.ts';
import type { StoredProduct } from '../../domain/product.ts';
import type { Settings } from '../../domain/settings.ts';
import cases from '../cases/eligibility.json' with { type: 'json' };
import { bookOf, event, instant, marketing, published } from '../support/people.ts';

/** A situation of the contact "c1" and the campaign "c", which starts by `Order Delivered` and sends "hello". */
interface Row {
  name: string;
  /** At which of the three the question is asked; absent = at the send. */
  asked?: 'at entry' | 'before a send';
  expected: { kind: string; reason?: string; until?: string; place?: string; winner?: string };
  why: string;
  kind?: Kind;
  /** More of the campaign, of its send, and what its rule `for` says. */
  campaign?: Partial<Campaign>;
  send?: Partial<Send>;
  for_?: Rule;
  when?: Campaign['when'];
  /** When it is asked, where not at noon of 2 March 2026, and the instant and properties of the trigger. */
  now?: string;
  triggered?: string;
  trigger?: JsonObject;
  // The person.
  suppressed?: boolean;
  without?: ('address' | 'consent' | 'run')[];
  basis?: Basis;
  until?: string;
  facts?: {
    suppressed?: { reason: SuppressionReason; at: number };
    withdrawn?: Record<string, { at: string; id: string }>;
    pauses?: Record<string, { until: string }>;
    /** Brand → stopped. */
    profiling?: Record<string, boolean>;
  };
  attributes?: JsonObject;
  /** Case → open. */
  cases?: Record<string, boolean>;
  rests?: string[];
  cart?: number;
  // The journey.
  starts?: Record<string, string>;
  /** A run of the campaign is under way, about this product ('' = about none), or has ended. */
  running?: string;
  ended?: boolean;
  stoppedRun?: boolean;
  counted?: string;
  sends?: [id: string, at: string, campaign?: string][];
  // The shop.
  stopped?: boolean;
  paused?: string[];
  filled?: number;
  global_?: number;
  openCases?: 'pause' | 'ignore';
  quietHours?: Settings['quietHours'];
  caps?: Settings['caps'];
  // The message.
  version?: string;
  expiresAt?: string;
  plannedAt?: string;
  ignoresQuiet?: boolean;
  product?: string;
  recommendations?: string[];
  /** What feeds say, instants as texts. */
  fed?: Record<string, Omit<StoredProduct, 'priceAt' | 'prices'> & { priceAt?: string; prices?: [string, number][] }>;
}
const NOON = '2026-03-02 12:00';
const rows = cases as unknown as Row[];

function campaignOf({ kind = 'marketing', when, for_, send, campaign }: Row): Campaign {
  const { topic, ...said } = marketing({
    kind,
    when: when ?? { did: 'Order Delivered' },
    steps: [{ send: 'hello', ...send }],
    ...(for_ === undefined ? {} : { for: for_ }),
    ...campaign,
  });
  return kind === 'service' ? said : { ...said, topic: topic as string };
}

function shopOf(row: Row): Book {
  return bookOf({
    campaigns: { c: campaignOf(row) },
    settings: {
      zone: 'UTC',
      caps: row.caps ?? [],
      ...(row.quietHours === undefined ? {} : { quietHours: row.quietHours }),
      ...(row.openCases === undefined ? {} : { openCases: row.openCases }),
      ...(row.global_ === undefined ? {} : { globalHoldout: { percent: row.global_ } }),
    },
    ...(row.filled === undefined ? {} : { filled: row.filled }),
    ...(row.stopped ? { stopped: true } : {}),
    ...(row.paused === undefined ? {} : { paused: row.paused }),
  });
}

function personOf(row: Row, book: Book): Contact {
  const { without = [] } = row;
  const contact = newContact('c1', 1);
  contact.book = { hash: book.hash, ordinal: 1, counters: book.counterSet };
  const { facts, journey } = contact;
  if (!without.includes('address')) facts.address = { value: 'ann@mail.example', at: 1, id: '1' };
  if (!without.includes('consent')) {
    facts.consents['shop|offers|email'] = {
      granted: true,
      at: 1,
      id: '1',
      ...(row.basis === undefined ? {} : { basis: row.basis }),
      ...(row.until === undefined ? {} : { until: instant(row.until) }),
    };
  }
  for (const [name, value] of Object.entries(row.attributes ?? {})) facts.attributes[name] = { value, at: 1, id: '1' };
  if (row.facts?.suppressed !== undefined) facts.suppressed = row.facts.suppressed;
  for (const [brand, { at, id }] of Object.entries(row.facts?.withdrawn ?? {}))
    facts.withdrawn[brand] = { at: instant(at), id };
  for (const [brand, { until }] of Object.entries(row.facts?.pauses ?? {}))
    facts.pauses = { ...facts.pauses, [brand]: { until: instant(until), at: 1, id: '1' } };
  for (const [brand, stopped] of Object.entries(row.facts?.profiling ?? {}))
    facts.profiling = { ...facts.profiling, [brand]: { stopped, at: 1, id: '1' } };
  for (const [id, open] of Object.entries(row.cases ?? {})) facts.cases = { ...facts.cases, [id]: { open, at: 1, id } };
  for (let i = 0; i < (row.cart ?? 0); i++) facts.cart.lines[`product-${i}`] = { quantity: 1, at: 1, id: '1' };
  for (const topic of row.rests ?? []) {
    journey.rests = { ...journey.rests, [topic]: { since: 1, campaign: 'd', why: 'asleep', until: { did: ['Came'] } } };
  }
  for (const [key, at] of Object.entries(row.starts ?? {})) journey.starts[key] = instant(at);
  journey.sends = (row.sends ?? []).map(([id, at, campaign]) => ({
    id,
    at: instant(at),
    ...(campaign === undefined ? {} : { campaign }),
  }));
  if (row.running !== undefined) {
    const run = runOf(row, book);
    if (row.running !== '') run.product = row.running;
    if (row.ended) run.ended = instant(NOON) - 1;
    journey.runs = [
      { ...run, wakeAt: instant('2026-04-01'), pending: row.ended ? [{ id: 'm', at: instant(NOON) }] : [] },
    ];
  }
  return contact;
}

const triggerOf = (row: Row): JsonObject => ({
  order_id: '7',
  country: 'PL',
  products: [{ product_id: 'bag' }],
  ...row.trigger,
});

function runOf(row: Row, book: Book): Run {
  const { version } = published('c', campaignOf(row));
  const counters = (book.version.get(`c@${version}`)?.counters ?? [])
    .filter((counter) => row.counted !== undefined && counter.names.includes(row.counted))
    .map((counter) => [counter.id, { e: [[5, 'x'] as [number, string]] }]);
  return {
    id: 'r',
    campaign: 'c',
    version,
    occurrence: 't',
    startedAt: 1,
    at: 1,
    from: 1,
    trigger: { name: 'Order Delivered', id: 't', at: 1, properties: triggerOf(row) },
    counters: Object.fromEntries(counters),
    pending: [],
  };
}

/** What decide says of the campaign when its trigger comes. */
function decided(row: Row) {
  const book = shopOf(row);
  const now = instant(row.now ?? NOON);
  const interaction = event('Order Delivered', row.triggered ?? now, triggerOf(row), { id: 't' });
  const answer = decide(book, personOf(row, book), { kind: 'interaction', interaction }, now);
  if ('need' in answer) throw new Error(`the past is asked for: ${answer.need}`);
  return answer;
}

/** Who enters, and why somebody does not. */
function atEntry(row: Row): Row['expected'] {
  const { kind, reason } = decided(row).decisions.find(({ campaign }) => campaign === 'c')!;
  return kind === 'start' ? { kind } : { kind, reason };
}

/** What becomes of the message. */
function beforeASend(row: Row): Row['expected'] {
  const { decisions, messages, contact } = decided(row);
  const said = decisions.find(({ campaign, step }) => campaign === 'c' && step !== undefined);
  const text = (at: number) => new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  if (said === undefined) {
    const [run] = contact.journey.runs;
    return { kind: 'wait', until: text(run?.waitsUntil as number) };
  }
  const { kind, reason, winner } = said;
  expect(messages.map(({ state }) => state)).toEqual(kind === 'skip' ? [] : [kind === 'hold out' ? 'ghost' : 'ready']);
  return {
    kind,
    reason,
    ...(winner === undefined ? {} : { winner }),
    ...(kind === 'defer' ? { until: text(messages[0]?.plannedAt as number) } : {}),
  };
}

function atTheSend(row: Row) {
  const { kind = 'marketing', without = [] } = row;
  const book = shopOf(row);
  const contact = personOf(row, book);
  const run = runOf(row, book);
  if (!without.includes('run')) contact.journey.runs = [run];
  if (row.stoppedRun) contact.journey.stopped = { r: 1 };
  const plannedAt = instant(row.plannedAt ?? NOON);
  const message: Message = {
    shape: MESSAGE_SHAPE,
    id: 'own',
    contact: 'c1',
    campaign: 'c',
    version: row.version ?? run.version,
    step: '0',
    run: 'r',
    kind,
    topic: 'offers',
    sender: 'main',
    email: 'hello',
    state: 'ready',
    plannedAt,
    createdAt: plannedAt,
    lane: 'triggered',
    attempts: 0,
    ignoresQuiet: row.ignoresQuiet ?? kind === 'service',
    inputs: {
      trigger: run.trigger,
      recommendations: row.recommendations ?? [],
      ...(row.product === undefined ? {} : { product: row.product }),
    },
    ...(row.expiresAt === undefined ? {} : { expiresAt: instant(row.expiresAt) }),
  };
  const products = Object.entries(row.fed ?? {}).map(([id, { priceAt, prices, ...fed }]) => [
    id,
    {
      ...fed,
      ...(priceAt === undefined ? {} : { priceAt: instant(priceAt) }),
      ...(prices === undefined ? {} : { prices: prices.map(([at, price]) => [instant(at), price]) }),
    },
  ]);
  const before = structuredClone({ contact, message });
  const answer = recheck(book, contact, message, {
    suppressed: row.suppressed ?? false,
    now: instant(NOON),
    ...(row.fed === undefined ? {} : { products: Object.fromEntries(products) }),
  });
  expect({ contact, message }).toEqual(before);
  return answer;
}

describe('the gates at entry', () => {
  test.each(rows.filter(({ asked }) => asked === 'at entry'))('$name: $why', (row) => {
    expect(atEntry(row)).toEqual(row.expected);
  });
});

describe('the gates before a send', () => {
  test.each(rows.filter(({ asked }) => asked === 'before a send'))('$name: $why', (row) => {
    expect(beforeASend(row)).toEqual(row.expected);
  });
});

describe('the gates again, at the send', () => {
  test.each(rows.filter(({ asked }) => asked === undefined))('$name: $why', (row) => {
    const { until, place, ...expected } = row.expected;
    expect(atTheSend(row)).toEqual({
      ...expected,
      ...(until === undefined ? {} : { until: instant(until) }),
      ...(place === undefined ? {} : { place: instant(place) }),
    });
  });
});

test('no situation is told twice, and each stage has its own', () => {
  const names = rows.map(({ asked = 'at the send', name }) => `${asked}: ${name}`);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(rows.map(({ asked }) => asked)).size).toBe(3);
});
