// Loyalty tiers: rules whose highest that holds is the tier, moved by events and by time alone.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { segmentOrder } from '../../domain/book.ts';
import { sightOf } from '../../domain/eligibility.ts';
import { explainSegment } from '../../domain/explain.ts';
import type { Comparison, Rule } from '../../domain/grammar.ts';
import { attributeOf } from '../../domain/rule-attributes.ts';
import { TIER, tierRules } from '../../domain/tiers.ts';
import { modelsOf } from '../support/models.ts';
import { bookOf, DAY, event, instant, introduced, marketing, order, type Parts, World } from '../support/people.ts';

const spent = (atLeast: number): Rule => ({
  any: [
    { did: 'Order Completed', sum: { of: 'revenue', atLeast }, in: 'this year' },
    { did: 'Order Completed', sum: { of: 'revenue', atLeast }, in: 'last year' },
  ],
});
const loyalty = { silver: spent(100), gold: spent(400), platinum: spent(1000) };
const turns = (when: object) => marketing({ when: when as never, steps: [{ send: 'welcome-to-gold' }] });
const bookWith = (parts: Parts = {}) =>
  bookOf({
    loyalty,
    campaigns: { 'tier-gold': turns({ changes: TIER, to: 'gold', from: ['none', 'silver'] }) },
    ...parts,
  });
const shop = (parts: Parts = {}) => new World(bookWith(parts)).record(introduced('2026-01-01'));
const tier = (world: World, at: number | string): unknown =>
  attributeOf(TIER)(sightOf(world.book, world.person(), typeof at === 'string' ? instant(at) : at));

describe('the loyalty tier', () => {
  test('is the highest whose rule holds, and missing where none does', () => {
    const world = shop();
    expect(tier(world, '2026-02-01')).toBeUndefined();
    world.record([order('1', '2026-02-01', ['lens'])]);
    expect(tier(world, '2026-02-02')).toBe('silver');
    world.record([order('2', '2026-03-01', ['camera-pro'])]);
    expect(tier(world, '2026-03-02')).toBe('platinum');
    // One segment at most holds a person: two tiers of one are never kept.
    expect(world.members()).toEqual(['tier|platinum']);
  });

  test('starts a campaign when an event reaches it, once', () => {
    const world = shop().record([order('1', '2026-02-01', ['lens']), order('2', '2026-03-01', ['lens'])]);
    expect(world.mail()).toEqual(['welcome-to-gold 2026-03-01 00:00']);
    world.record([event('Product Viewed', '2026-03-02', { product_id: 'bag' })]).until('2026-06-01');
    expect(world.mail()).toHaveLength(1);
  });

  test('falls at New Year of the shop’s zone, by time alone, and starts what waits for that', () => {
    const fallen = turns({ changes: TIER, from: 'gold', to: ['silver', 'none'] });
    const world = shop({ campaigns: { fallen } }).record([
      order('1', '2026-03-01', ['camera']),
      order('2', '2027-03-01', ['lens']),
    ]);
    world.until(instant('2027-12-31 23:00') - 1);
    expect(tier(world, '2027-12-31 22:59')).toBe('gold');
    expect(world.mail()).toEqual([]);
    world.until('2027-12-31 23:00');
    expect(world.members()).toEqual(['tier|silver']);
    expect(world.mail()).toEqual(['welcome-to-gold 2027-12-31 23:00']);
  });

  test('that a refund takes away is found when it comes', () => {
    const fallen = turns({ changes: TIER, from: 'gold', to: 'none' });
    const world = shop({ campaigns: { fallen } }).record([
      order('1', '2026-03-01', ['camera']),
      event('Order Refunded', '2026-03-05', { order_id: '1' }),
    ]);
    expect(world.mail()).toEqual(['welcome-to-gold 2026-03-05 00:00']);
  });

  test('that the shop gives wins over the rules', () => {
    const given = event('Scores Updated', '2026-02-01', { [TIER]: 'platinum' }, { source: 'kairos' });
    const up = turns({ changes: TIER, to: 'platinum', from: 'none' });
    const world = shop({ campaigns: { up } }).record([given, order('1', '2026-03-01', ['camera'])]);
    expect(tier(world, '2026-03-02')).toBe('platinum');
    expect(world.mail()).toEqual(['welcome-to-gold 2026-02-01 00:00']);
  });

  test('is not moved to by tiers that are new: who is in one already is taken over, and moves from there', () => {
    const before = bookOf({ ordinal: 1 });
    const world = new World(before).record([...introduced('2026-01-01'), order('1', '2026-02-01', ['camera'])]);
    world.publish(bookWith({ ordinal: 2, since: { loyalty: 2, 'tier-gold': 2 } }), '2026-03-01');
    expect(world.members()).toEqual(['tier|gold']);
    world.until('2026-04-01');
    expect(world.mail()).toEqual([]);
  });

  test('is not moved to where nobody has walked yet, and an event is the first to meet the new tiers', () => {
    const world = new World(bookOf({ ordinal: 1 })).record([
      ...introduced('2026-01-01'),
      order('1', '2026-02-01', ['camera']),
    ]);
    world.publish(bookWith({ ordinal: 2, since: { loyalty: 2, 'tier-gold': 2 } }), '2026-03-01', { walk: false });
    world.record([event('Product Viewed', '2026-03-02', { product_id: 'bag' })]);
    expect(tier(world, '2026-03-03')).toBe('gold');
    expect(world.mail()).toEqual([]);
  });

  test('of a history starts nothing', () => {
    const world = shop().record([order('1', '2026-02-01', ['camera'])], { history: true, now: '2026-06-01' });
    expect(tier(world, '2026-06-01')).toBe('gold');
    expect(world.mail()).toEqual([]);
  });

  test('may rest on what the models say, and falls on the day', () => {
    const rules = { alive: { has: { 'predicted.alive': { atLeast: 0.5 } } } as Rule };
    const world = new World(bookOf({ loyalty: rules, models: modelsOf('cdnow') })).record([
      order('1', '2026-01-01 10:00', ['bag']),
      order('2', '2026-01-11 10:00', ['bag']),
      order('3', '2026-02-01 10:00', ['bag']),
    ]);
    world.until(instant('2026-03-29 22:00') - 1);
    expect(world.members()).toEqual(['tier|alive']);
    world.until('2026-03-29 22:00');
    expect(world.members()).toEqual([]);
  });
});

describe('a rule that asks for the tier', () => {
  const names = ['silver', 'gold', 'platinum', 'bronze'];
  const one = fc.constantFrom(...names);
  const comparison: fc.Arbitrary<Comparison> = fc.oneof(
    one,
    fc.array(one, { minLength: 1, maxLength: 3 }),
    one.map((isNot) => ({ isNot })),
    fc.boolean().map((exists) => ({ exists })),
    fc.constantFrom({ contains: 'l' }, { startsWith: 'PLA' }),
  );
  const life = fc.record({
    orders: fc.array(fc.tuple(fc.integer({ min: 0, max: 900 }), fc.constantFrom('bag', 'lens', 'camera-pro')), {
      maxLength: 4,
    }),
    given: fc.option(one, { freq: 3 }),
  });

  test('answers by the score that was given, else by the rules, in segments and in campaigns alike', () => {
    fc.assert(
      fc.property(life, comparison, fc.boolean(), ({ orders, given }, wanted, negated) => {
        const plain: Rule = { has: { [TIER]: wanted } };
        const asked: Rule = negated ? { not: plain } : plain;
        const segments = { a: asked, b: { all: [{ segment: 'a' }, { has: { country: 'PL' } }] } as Rule };
        const campaigns = { one: marketing({ when: { did: 'Product Viewed' }, for: asked, steps: [{ send: 'x' }] }) };
        const world = new World(bookOf({ loyalty, segments, campaigns }));
        const start = instant('2026-01-01');
        const said = given === null ? [] : [event('Scores Updated', start, { [TIER]: given }, { source: 'kairos' })];
        world.record([event('Identified', start, {}, { traits: { country: 'PL' } }), ...said]);
        world.record(
          orders.map(([day, product], i) => order(`${i}`, start + day * DAY, [product])).sort((x, y) => x.at - y.at),
        );
        for (const day of [0, 200, 364, 500, 730, 900]) {
          const sight = sightOf(world.book, world.person(), start + day * DAY + 1);
          const held = attributeOf(TIER)(sight);
          const holds = holdsOf(wanted, held as string | undefined) !== negated;
          expect([day, sight.inSegment('a'), sight.inSegment('b')]).toEqual([day, holds, holds]);
          expect(world.book.segment.get('a')?.rule.test(sight)).toBe(holds);
          expect(world.book.campaign.get('one')?.for?.test(sight)).toBe(holds);
        }
      }),
      { numRuns: 120, seed: 20_261_201 },
    );
  });

  function holdsOf(wanted: Comparison, held: string | undefined): boolean {
    if (typeof wanted !== 'object') return held === wanted;
    if (Array.isArray(wanted)) return (wanted as unknown[]).includes(held);
    const [[operator, value]] = Object.entries(wanted) as [[string, unknown]];
    if (operator === 'exists') return (held !== undefined) === value;
    if (held === undefined) return false;
    if (operator === 'isNot') return held !== value;
    const [text, part] = [held.toLowerCase(), String(value).toLowerCase()];
    return operator === 'contains' ? text.includes(part) : text.startsWith(part);
  }

  test('is explained: which tier was found, and when it turns', () => {
    const segments = { regulars: { has: { [TIER]: ['gold', 'platinum'] } } as Rule };
    const world = new World(bookOf({ loyalty, segments })).record([order('1', '2026-03-01', ['camera'])]);
    const told = explainSegment(world.book, world.person(), 'regulars', instant('2026-04-01'));
    expect(told).toMatchObject({
      holds: true,
      clause: { found: '“gold”', words: 'the loyalty tier is “gold” or “platinum”' },
    });
    expect(new Date(told.turns as number).toISOString()).toBe('2027-12-31T23:00:00.000Z');
  });

  test('that a tier asks itself is a circle', () => {
    const circle = tierRules({
      tiers: [
        { id: 'a', rule: spent(1) },
        { id: 'b', rule: { has: { [TIER]: 'a' } } },
      ],
    });
    expect(() => segmentOrder(circle)).toThrow('tier|b → tier|b');
  });
});
