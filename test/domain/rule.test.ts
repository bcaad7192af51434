// The truth table of rules, the split by "not", and "next": that no answer turns before it says so.
import { describe, expect, test } from 'vitest';
import type { Book } from '../../domain/book.ts';
import { compileBook } from '../../domain/book.ts';
import { sightOf } from '../../domain/eligibility.ts';
import { CALENDAR, Operators, type Rule } from '../../domain/grammar.ts';
import { derivedAttributes } from '../../domain/rule-attributes.ts';
import type { Settings } from '../../domain/settings.ts';
import cases from '../cases/segment-rules.json' with { type: 'json' };
import { modelsOf, type PURCHASES } from '../support/models.ts';
import { bookOf, DAY, event, HOUR, instant, type Life, lived, MINUTE, World } from '../support/people.ts';

interface Row {
  name: string;
  rule: Rule;
  contact: Life;
  now: string;
  expected: boolean;
  why: string;
  /** The next instant at which the answer turns by time alone, where the row says one. */
  turns?: string;
  /** Other segments that the rule may read. */
  segments?: Record<string, Rule>;
  /** What insight has fitted: one of test/support/models.ts. */
  models?: keyof typeof PURCHASES;
  /** What is other in this shop's settings. */
  shop?: Partial<Settings>;
}
const rows = cases as unknown as Row[];

const worlds = new Map<Row, World>();
/** The world in which the row's contact has lived until now, with the rule and its "not" as segments; made once. */
function worldOf(row: Row): World {
  const known = worlds.get(row);
  if (known !== undefined) return known;
  const segments = { ...row.segments, asked: row.rule, complement: { not: row.rule } };
  const models = row.models && modelsOf(row.models);
  const world = new World(bookOf({ segments, ...(row.shop && { settings: row.shop }), ...(models && { models }) }));
  worlds.set(row, world.record(lived(row.contact), { now: row.now }));
  return world;
}

const sight = (world: World, now: number) => sightOf(world.book, world.person(), now);

/** The answers of the rule and of all segments that it reads, by their own closures. */
function answers(world: World, now: number): boolean[] {
  const seen = sight(world, now);
  return world.book.segments.filter(({ id }) => id !== 'complement').map(({ rule }) => rule.test(seen));
}

function nextOf(world: World, now: number): number {
  const seen = sight(world, now);
  return Math.min(...world.book.segments.map(({ rule }) => rule.next(seen)));
}

const iso = (at: number): string => new Date(at).toISOString();

describe('the truth table of rules', () => {
  test.each(rows)('$name: $why', (row) => {
    const seen = sight(worldOf(row), instant(row.now));
    expect(seen.inSegment('asked')).toBe(row.expected);
    // Campaigns ask by closures.
    expect(worldOf(row).book.segment.get('asked')?.rule.test(seen)).toBe(row.expected);
  });

  test.each(rows)('$name > the rule and its "not" split everybody in two', (row) => {
    const world = worldOf(row);
    expect(sight(world, instant(row.now)).inSegment('complement')).toBe(!row.expected);
    const inside = row.expected ? 'asked' : 'complement';
    const outside = row.expected ? 'complement' : 'asked';
    expect(world.members()).toContain(inside);
    expect(world.members()).not.toContain(outside);
  });

  test('it holds at least 819 rows, each with a name of its own', () => {
    expect(rows.length).toBeGreaterThanOrEqual(850);
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
  });

  test('every operator, measure, period, calendar word and derived name stands in it', () => {
    const said = JSON.stringify(rows.map(({ rule, segments }) => [rule, segments]));
    const words = [
      ...[...Object.keys(Operators), 'all', 'any', 'not', 'has', 'did', 'segment', 'consent', 'share'],
      ...['times', 'sum', 'largest', 'distinct', 'same', 'latest', 'first', 'inLast', 'in', 'between', 'since'],
      ...Object.keys(derivedAttributes).filter((name) => name !== 'running'),
    ].map((key) => `"${key}":`);
    expect([...words, ...CALENDAR.map((word) => `"in":"${word}"`)].filter((word) => !said.includes(word))).toEqual([]);
  });
});

describe('the next instant at which an answer can turn', () => {
  const turning = rows.filter((row) => row.turns !== undefined);

  test.each(turning)('$name > it turns at $turns, not before', (row) => {
    const world = worldOf(row);
    const turns = instant(row.turns as string);
    const asked = (at: number): boolean => sight(world, at).inSegment('asked');
    for (let due = nextOf(world, instant(row.now)); due < turns; due = nextOf(world, due)) {
      expect(asked(due), iso(due)).toBe(row.expected);
    }
    expect(asked(turns - 1)).toBe(row.expected);
    expect(asked(turns)).toBe(!row.expected);
  });

  test.each(rows)('$name > nothing turns before it is due', (row) => {
    const world = worldOf(row);
    const now = instant(row.now);
    let due = nextOf(world, now);
    let known = answers(world, now);
    const turnsBy = (at: number): boolean => answers(world, at).some((answer, i) => answer !== known[i]);
    for (let at = now; at <= now + 100 * DAY; at += 30 * MINUTE) {
      while (due <= at) {
        if (turnsBy(due - 1)) expect.fail(`it turned before ${iso(due)}, when it was due`);
        known = answers(world, due);
        const later = nextOf(world, due);
        if (!(later > due)) expect.fail(`it is due at ${iso(due)} again and again`);
        due = later;
      }
      if (turnsBy(at)) expect.fail(`it turned by ${iso(at)}, due ${Number.isFinite(due) ? iso(due) : 'never'}`);
    }
  });

  test('a rule that time cannot turn is never due', () => {
    const world = worldOf({
      name: '',
      why: '',
      rule: { has: { country: 'PL' } },
      contact: { is: { country: 'PL' } },
      now: '2026-06-15',
      expected: true,
    });
    expect(nextOf(world, instant('2026-06-15'))).toBe(Number.POSITIVE_INFINITY);
    expect(world.person().journey.due).toBeUndefined();
  });

  test('a window turns at the instant at which its event leaves it', () => {
    const rule = { did: 'Order Completed', inLast: '60d' } as Rule;
    const row = {
      name: '',
      why: '',
      rule,
      contact: { did: [['2026-06-01', 'Order Completed', {}]] },
      now: '2026-06-15',
      expected: true,
    } as Row;
    expect(iso(nextOf(worldOf(row), instant(row.now)))).toBe('2026-07-31T00:00:00.000Z');
  });
});

describe('counters of a book', () => {
  const did = (rule: object): Rule => ({ did: 'Order Completed', ...rule }) as Rule;

  test('equal questions share one counter, whatever they measure', () => {
    const book = bookOf({
      segments: {
        a: did({ inLast: '60d' }),
        b: did({ times: 2, inLast: '365d' }),
        c: did({ sum: { of: 'revenue', atLeast: 5 } }),
        d: did({ latest: { inLast: '3d' } }),
      },
    });
    expect(book.counters.map(({ names, of }) => ({ names, of }))).toEqual([
      { names: ['Order Completed'], of: ['sum:revenue'] },
    ]);
  });

  test('no event is passed over of which something is derived, whether or not a counter reads it', () => {
    const book = bookOf({ segments: { a: { has: { 'orders.count': 1 } } } });
    const names = rows.flatMap(({ contact }) => contact.did ?? []).map(([, name]) => name);
    const derived = /^(Identified|Consent|Order|Product (Added|Removed)|Cart|Case|Subscription|Scores)/;
    const telling = [...new Set(names)].filter((name) => derived.test(name));
    expect(telling.length).toBeGreaterThanOrEqual(14);
    expect(telling.filter((name) => book.ignores(name))).toEqual([]);
  });

  test('a rule of a segment cannot speak of a run', () => {
    expect(() => bookOf({ segments: { a: did({ since: 'run start' }) } })).toThrow('outside a campaign');
    expect(() => bookOf({ segments: { a: did({ where: { order_id: '@trigger.order_id' } }) } })).toThrow(
      'outside a campaign',
    );
  });

  test('a catalogue that changes makes the counters that read it anew, and no others', () => {
    const segments = { plain: did({}), reading: did({ where: { products: { 'catalogue.consumable': true } } }) };
    const ids = (book: Book): string[] => book.counters.map((counter) => counter.id);
    const before = bookOf({ segments });
    const { definitions } = before;
    const changed = compileBook({ ...definitions, catalogue: { products: {} } }, 'other', before.controls);
    expect(ids(changed).filter((id) => ids(before).includes(id))).toHaveLength(1);
    expect(changed.counterSet).not.toBe(before.counterSet);
  });

  test('more than 64 matching events are counted exactly while they are new, by day when they are old', () => {
    const segments = { hundred: { did: 'Product Viewed', times: { atLeast: 100 }, inLast: '30d' } as Rule };
    const world = new World(bookOf({ segments }));
    const start = instant('2026-06-01');
    for (let i = 0; i < 100; i++) world.record([event('Product Viewed', start + i * HOUR, { product_id: 'bag' })]);
    expect(world.members()).toEqual(['hundred']);
    // The oldest 36 are known by day: 1 June leaves the window whole, when its last millisecond does.
    const leaves = start + DAY - 1 + 30 * DAY;
    world.until(leaves - 1);
    expect(world.members()).toEqual(['hundred']);
    world.until(leaves);
    expect(world.members()).toEqual([]);
  });
});
