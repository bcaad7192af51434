// Who may be written to, and when: the truth table of the gates before a send, and the places under caps.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileBook } from '../../domain/book.ts';
import { type Contact, newContact, type Run } from '../../domain/contact.ts';
import {
  capFree,
  longestCap,
  meets,
  type Recheck,
  recheck,
  sightOf,
  sightOfRun,
  zoneOf,
} from '../../domain/eligibility.ts';
import type { Kind, Rule } from '../../domain/grammar.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { MESSAGE_SHAPE, type Message } from '../../domain/message.ts';
import type { Settings } from '../../domain/settings.ts';
import { compileWhere } from '../../domain/where.ts';
import cases from '../cases/eligibility.json' with { type: 'json' };
import {
  bookOf,
  DAY,
  event,
  HOUR,
  instant,
  introduced,
  marketing,
  order,
  published,
  World,
} from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

interface Row {
  name: string;
  expected: { kind: Recheck['kind']; reason?: string; until?: string };
  why: string;
  kind?: Kind;
  suppressed?: boolean;
  without?: ('address' | 'consent' | 'run')[];
  until?: string;
  facts?: { suppressed?: { reason: 'bounced'; at: number }; withdrawn?: Record<string, { at: string; id: string }> };
  attributes?: JsonObject;
  stopped?: boolean;
  paused?: string[];
  version?: string;
  for_?: Rule;
  counted?: string;
  expiresAt?: string;
  plannedAt?: string;
  quietHours?: Settings['quietHours'];
  ignoresQuiet?: boolean;
  caps?: Settings['caps'];
  sends?: [string, string][];
}
const NOW = '2026-03-02 12:00';

function asked(row: Row): Recheck {
  const { kind = 'marketing', without = [] } = row;
  const campaign = marketing({
    kind,
    when: { did: 'Order Delivered' },
    steps: [{ send: 'hello' }],
    ...(row.for_ === undefined ? {} : { for: row.for_ }),
  });
  const book = bookOf({
    campaigns: { c: campaign },
    settings: {
      zone: 'UTC',
      caps: row.caps ?? [],
      ...(row.quietHours === undefined ? {} : { quietHours: row.quietHours }),
    },
    ...(row.stopped ? { stopped: true } : {}),
    ...(row.paused === undefined ? {} : { paused: row.paused }),
  });
  const contact: Contact = newContact('c1', 1);
  const { facts, journey } = contact;
  if (!without.includes('address')) facts.address = { value: 'ann@mail.example', at: 1, id: '1' };
  if (!without.includes('consent')) {
    facts.consents['shop|offers|email'] = {
      granted: true,
      at: 1,
      id: '1',
      ...(row.until === undefined ? {} : { until: instant(row.until) }),
    };
  }
  for (const [name, value] of Object.entries(row.attributes ?? {})) facts.attributes[name] = { value, at: 1, id: '1' };
  if (row.facts?.suppressed !== undefined) facts.suppressed = row.facts.suppressed;
  for (const [brand, { at, id }] of Object.entries(row.facts?.withdrawn ?? {}))
    facts.withdrawn[brand] = { at: instant(at), id };
  journey.sends = (row.sends ?? []).map(([id, at]) => ({ id, at: instant(at) }));
  const trigger = { name: 'Order Delivered', id: 't', at: 1, properties: { order_id: '7', country: 'PL' } };
  const { version } = published('c', campaign);
  const counters = Object.fromEntries(
    (book.version.get(`c@${version}`)?.counters ?? [])
      .filter((counter) => row.counted !== undefined && counter.names.includes(row.counted))
      .map((counter) => [counter.id, { e: [[5, 'x'] as [number, string]] }]),
  );
  const run: Run = {
    id: 'r',
    campaign: 'c',
    version,
    occurrence: 't',
    startedAt: 1,
    at: 1,
    from: 1,
    trigger,
    counters,
    pending: [],
  };
  if (!without.includes('run')) journey.runs = [run];
  const plannedAt = instant(row.plannedAt ?? NOW);
  const message: Message = {
    shape: MESSAGE_SHAPE,
    id: 'own',
    contact: 'c1',
    campaign: 'c',
    version: row.version ?? version,
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
    inputs: { trigger, recommendations: [] },
    ...(row.expiresAt === undefined ? {} : { expiresAt: instant(row.expiresAt) }),
  };
  const before = structuredClone({ contact, message });
  const answer = recheck(book, contact, message, { suppressed: row.suppressed ?? false, now: instant(NOW) });
  expect({ contact, message }).toEqual(before);
  return answer;
}

describe('the gates again, at the send', () => {
  test.each(cases as unknown as Row[])('$name: $why', (row) => {
    const { until, ...expected } = row.expected;
    expect(asked(row)).toEqual(until === undefined ? expected : { ...expected, until: instant(until) });
  });
});

describe('the places under caps', () => {
  const caps = [
    { most: 1, in: '1d' },
    { most: 3, in: '7d' },
  ];

  test('the first instant that keeps every window is found, and none before it would do', () => {
    const some = fc.uniqueArray(fc.integer({ min: 0, max: 14 * 24 }), { maxLength: 12 });
    fc.assert(
      fc.property(some, fc.integer({ min: 0, max: 14 * 24 }), (hours, from) => {
        const sends = hours.map((hour) => ({ at: hour * HOUR }));
        const free = capFree(caps, sends, from * HOUR);
        expect(free).toBeGreaterThanOrEqual(from * HOUR);
        const near = (at: number, length: number) => sends.filter((send) => Math.abs(send.at - at) < length).length;
        const fits = (at: number) => near(at, DAY) < 1 && near(at, 7 * DAY) < 3;
        expect(fits(free)).toBe(true);
        for (let at = from * HOUR; at < free; at += HOUR) expect(fits(at)).toBe(false);
      }),
      seeded(200),
    );
  });

  test('without caps any instant will do', () => {
    expect(capFree([], [{ at: 5 }], 5)).toBe(5);
    expect(longestCap([])).toBe(0);
    expect(longestCap(caps)).toBe(7 * DAY);
  });
});

test('needs speak of recommendations by number, and of the product by field', () => {
  const sight = sightOf(bookOf(), newContact('a', 1), 1);
  expect(meets(compileWhere({ recommendations: { atLeast: 2 } }), ['a', 'b'], undefined, sight)).toBe(true);
  expect(meets(compileWhere({ recommendations: { atLeast: 2 } }), ['a'], undefined, sight)).toBe(false);
  expect(meets(compileWhere({ 'product.category': 'Bags' }), [], 'bag', sight)).toBe(true);
  expect(meets(compileWhere({ 'product.category': 'Bags' }), [], undefined, sight)).toBe(false);
});

test('a segment never sees the run that asks for it', () => {
  const book = bookOf({ segments: { same: { has: { country: '@trigger.country' } } } });
  const contact = newContact('a', 1);
  contact.facts.attributes.country = { value: 'PL', at: 1, id: '1' };
  const sight = sightOf(book, contact, 1);
  const own = sightOfRun(sight, { counters: {}, trigger: { properties: { country: 'PL' } } });
  expect(own.resolve?.('@trigger.country')).toBe('PL');
  expect(own.segmentAnswer('same', own)).toBe(false);
});

test("a zone that is none gives way to the shop's", () => {
  const contact = newContact('a', 1);
  const book = bookOf();
  const given = (value: string | number) => ({
    ...contact,
    facts: { ...contact.facts, attributes: { timezone: { value, at: 1, id: '1' } } },
  });
  expect(zoneOf(book, given('Asia/Tokyo'))).toBe('Asia/Tokyo');
  expect(zoneOf(book, given('Mars/Base'))).toBe('Europe/Warsaw');
  expect(zoneOf(book, given(7))).toBe('Europe/Warsaw');
  expect(zoneOf(compileBook(book.definitions, 'x', book.controls), contact)).toBe('Europe/Warsaw');
});

describe('given a message that was parked for longer than its run remembers it', () => {
  test('is dropped when the run has been stopped meanwhile', () => {
    const book = bookOf({
      campaigns: {
        parked: marketing({
          when: { did: 'Product Viewed' },
          stopIf: { did: 'Order Completed', since: 'run start' },
          steps: [{ send: 'hello' }, { wait: '9d' }, { send: 'again' }],
        }),
      },
    });
    const world = new World(book).record([
      ...introduced('2026-03-02 09:00'),
      event('Product Viewed', '2026-03-02 10:00', { product_id: 'bag' }, { id: 'view' }),
      event('Identified', '2026-03-02 12:00', {}, { id: 'two hours later' }),
    ]);
    const [message] = world.kept();
    const ask = (now: string) =>
      recheck(book, world.person(), message as Message, { suppressed: false, now: instant(now) });
    expect(ask('2026-03-02 12:30')).toEqual({ kind: 'send' });
    world.record([order('1', '2026-03-02 13:00', ['bag'])]);
    expect(ask('2026-03-02 13:30')).toEqual({ kind: 'drop', reason: 'its run was stopped' });
  });
});
