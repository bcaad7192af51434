// The truth table of rules, the split by "not", and "next": that no answer turns before it says so.
import { describe, expect, test } from 'vitest';
import type { Book } from '../../domain/book.ts';
import { compileBook } from '../../domain/book.ts';
import { sightOf } from '../../domain/eligibility.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import cases from '../cases/segment-rules.json' with { type: 'json' };
import { bookOf, DAY, event, HOUR, instant, lines, MINUTE, World } from '../support/people.ts';

interface Row {
  name: string;
  rule: Rule;
  contact: { is?: JsonObject; address?: string; did?: [string, string, JsonObject][] };
  now: string;
  expected: boolean;
  why: string;
  segments?: Record<string, Rule>;
}
const rows = cases as unknown as Row[];

/** The short notation of a row's contact, as interactions. */
function interactionsOf({ contact }: Row): Interaction[] {
  const address = contact.address === undefined ? {} : { address: contact.address };
  const said = [
    event('Identified', '2025-01-01', {}, { id: 'given', user: 'ann', traits: contact.is ?? {}, ...address }),
  ];
  contact.did?.forEach(([at, name, properties], i) => {
    const id = `${i}`;
    if (name === 'Identified') said.push(event(name, at, {}, { id, traits: properties }));
    else said.push(event(name, at, expanded(name, properties), { id }));
  });
  return said;
}

function expanded(name: string, properties: JsonObject): JsonObject {
  if (!Array.isArray(properties.products))
    return name === 'Order Completed' ? { order_id: '1', ...properties } : properties;
  const products = lines(...(properties.products as string[]));
  const revenue = products.reduce((sum, line) => sum + Number(line.price) * Number(line.quantity), 0);
  const orders = /^Order (Completed|Updated)/.test(name) ? { order_id: '1', revenue, total: revenue } : {};
  return { ...orders, ...properties, products };
}

function worldOf(row: Row): World {
  const book = bookOf({ segments: { ...row.segments, asked: row.rule, complement: { not: row.rule } } });
  return new World(book).record(interactionsOf(row), { now: row.now });
}

const answers = (world: World, now: number): string =>
  world.book.segments.map(({ id }) => `${id} ${sightAnswer(world, id, now)}`).join(', ');

function sightAnswer(world: World, id: string, now: number): boolean {
  const sight = sightOf(world.book, world.person(), now);
  return sight.inSegment(id);
}

function nextOf(world: World, now: number): number {
  return Math.min(...world.book.segments.map(({ rule }) => rule.next(sightOf(world.book, world.person(), now))));
}

describe('the truth table of rules', () => {
  test.each(rows)('$name: $why', (row) => {
    const world = worldOf(row);
    expect(sightAnswer(world, 'asked', instant(row.now))).toBe(row.expected);
  });

  test.each(rows)('$name > the rule and its "not" split everybody in two', (row) => {
    const world = worldOf(row);
    expect(sightAnswer(world, 'complement', instant(row.now))).toBe(!row.expected);
    const inside = row.expected ? 'asked' : 'complement';
    const outside = row.expected ? 'complement' : 'asked';
    expect(world.members()).toContain(inside);
    expect(world.members()).not.toContain(outside);
  });

  test('it holds at least 120 rows, each with a name of its own', () => {
    expect(rows.length).toBeGreaterThanOrEqual(120);
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
  });
});

describe('the next instant at which an answer can turn', () => {
  const steps = (now: number, due: number): number[] => {
    const list: number[] = [];
    for (let at = now; at <= now + 100 * DAY; at += 30 * MINUTE) list.push(at);
    if (Number.isFinite(due)) list.push(due - 1, due, due + 1);
    return list.sort((a, b) => a - b);
  };

  test.each(rows)('$name > nothing turns before it is due', (row) => {
    const world = worldOf(row);
    const now = instant(row.now);
    let due = nextOf(world, now);
    let known = answers(world, now);
    for (const at of steps(now, due)) {
      while (due <= at) {
        expect(answers(world, due - 1)).toBe(known);
        known = answers(world, due);
        const later = nextOf(world, due);
        expect(later).toBeGreaterThan(due);
        due = later;
      }
      if (answers(world, at) !== known)
        expect.fail(`it turned by ${new Date(at).toISOString()}, due ${new Date(due).toISOString()}`);
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
    expect(new Date(nextOf(worldOf(row), instant(row.now))).toISOString()).toBe('2026-07-31T00:00:00.000Z');
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
      { names: ['Order Completed'], of: ['revenue'] },
    ]);
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
    // The oldest 36 are known by day: 1 June leaves the window whole, at its end.
    world.until(start + DAY + 30 * DAY - 1);
    expect(world.members()).toEqual(['hundred']);
    world.until(start + DAY + 30 * DAY);
    expect(world.members()).toEqual([]);
  });
});
