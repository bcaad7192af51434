// Discovered groups: found, said in words, and the same ones from run to run.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Buyer } from '../../../domain/insight/buyers.ts';
import { adjustedRand } from '../../../domain/insight/clusters.ts';
import { featuresOf, featureValue, pointsOf } from '../../../domain/insight/feature-space.ts';
import { type Discovered, discoverGroups, sampleOf } from '../../../domain/insight/groups.ts';
import { buyer, READING, shop, TODAY } from '../../support/buyers.ts';

type Found = Extract<Discovered, { kind: 'groups' }>;

function found(discovered: Discovered): Found {
  if (discovered.kind !== 'groups') throw new Error(discovered.says);
  return discovered;
}

const SHOP = shop(1000);
const FIRST = found(discoverGroups(SHOP.buyers, READING));
const idsOf = ({ groups }: Found): string[] => groups.map(({ id }) => id).sort();
const titles = ({ groups }: Found): Record<string, string> =>
  Object.fromEntries(groups.map(({ id, title }) => [id, title]));

/** The group of each of these customers by id, as one run has it. */
const groupOf = (run: Found, of: readonly Buyer[]): Map<string, number> =>
  new Map(of.map(({ contact }, i) => [contact, run.of[i] as number]));

function agreement(one: Found, ofOne: readonly Buyer[], other: Found, ofOther: readonly Buyer[]): number {
  const [a, b] = [groupOf(one, ofOne), groupOf(other, ofOther)];
  const both = [...a.keys()].filter((contact) => b.has(contact));
  return adjustedRand(
    both.map((contact) => a.get(contact) as number),
    both.map((contact) => b.get(contact) as number),
  );
}

/** Nine of ten, in ten ways. */
const without = (tenth: number): Buyer[] => SHOP.buyers.filter((_, i) => (i * 7 + tenth) % 10 !== 0);

/** The same customers a month on: some of them bought again, the others are a month further from their last order. */
function aMonthOn(buyers: readonly Buyer[]): Buyer[] {
  return buyers.map((one, i) => {
    if (TODAY - one.last > 60 || i % 3 !== 0) return one;
    const worth = Math.round(one.gross / one.orders);
    return {
      ...one,
      days: one.days + 1,
      orders: one.orders + 1,
      last: TODAY + 12,
      gross: one.gross + worth,
      revenue: one.revenue + worth,
    };
  });
}

describe('the groups of a shop whose people were made of five kinds', () => {
  it('hold people of one kind, nine in ten of them', () => {
    const most = FIRST.groups.map((_, group) => {
      const kinds = SHOP.kinds.filter((_, i) => FIRST.of[i] === group);
      return Math.max(...[0, 1, 2, 3, 4].map((kind) => kinds.filter((each) => each === kind).length));
    });
    expect(most.reduce((a, b) => a + b, 0) / SHOP.buyers.length).toBeGreaterThan(0.9);
  });

  it('are said in words that come from what sets them apart', () => {
    const said = Object.values(titles(FIRST));
    expect(new Set(said).size).toBe(said.length);
    expect(said).toContain('Bought lately and often, large orders');
    expect(said).toContain('Bought lately, mostly Albums');
    expect(said.some((title) => /mostly Film, mostly with discounts$/i.test(title))).toBe(true);
    expect(said.some((title) => /mostly Bags.* often returns$/i.test(title))).toBe(true);
    expect(said.some((title) => title.startsWith('Quiet for long, bought once'))).toBe(true);
  });

  it('take in everybody once, and all of the revenue', () => {
    const sum = (value: (group: Found['groups'][number]) => number): number =>
      FIRST.groups.reduce((all, group) => all + value(group), 0);
    expect(sum(({ customers }) => customers)).toBe(SHOP.buyers.length);
    expect(sum(({ share }) => share)).toBeCloseTo(1, 12);
    expect(sum(({ revenueShare }) => revenueShare ?? 0)).toBeCloseTo(1, 12);
    expect(sum(({ revenue }) => revenue)).toBe(SHOP.buyers.reduce((all, { revenue }) => all + revenue, 0));
  });

  it('do not hang on the order in which customers come', () => {
    const turned = [...SHOP.buyers].reverse();
    const again = found(discoverGroups(turned, READING));
    expect(again.model).toEqual(FIRST.model);
    expect(Array.from(again.of).reverse()).toEqual(Array.from(FIRST.of));
  });

  it('are not moved by a few customers beyond all measure', () => {
    const giants = Array.from({ length: 5 }, (_, i) =>
      buyer(`giant${i}`, { days: 900, first: TODAY - 3000, last: TODAY, gross: 9e12, revenue: 9e12 }),
    );
    const more = [...SHOP.buyers, ...giants];
    const again = found(discoverGroups(more, READING));
    expect(agreement(FIRST, SHOP.buyers, again, more)).toBeGreaterThan(0.9);
  });
});

describe('groups from run to run', () => {
  it.each([0, 3])('are found again by nine of ten customers (without tenth %i): 0.85 afresh, 0.98 moved', (tenth) => {
    const fewer = without(tenth);
    expect(agreement(FIRST, SHOP.buyers, found(discoverGroups(fewer, READING)), fewer)).toBeGreaterThan(0.85);
    const moved = found(discoverGroups(fewer, READING, FIRST.model));
    expect(moved.how).toBe('kept');
    expect(agreement(FIRST, SHOP.buyers, moved, fewer)).toBeGreaterThan(0.98);
    expect(titles(moved)).toEqual(titles(FIRST));
    expect(moved.groups.every(({ kept }) => kept)).toBe(true);
  });

  it('keep ids and titles a month on, while most people stay where they were', () => {
    const later = aMonthOn(SHOP.buyers);
    const moved = found(discoverGroups(later, { ...READING, today: TODAY + 30 }, FIRST.model));
    expect(moved.how).toBe('kept');
    expect(agreement(FIRST, SHOP.buyers, moved, later)).toBeGreaterThan(0.85);
    expect(titles(moved)).toEqual(titles(FIRST));
  });

  it('are the very same where nothing happened', () => {
    const again = found(discoverGroups(SHOP.buyers, READING, FIRST.model));
    expect(titles(again)).toEqual(titles(FIRST));
    expect(agreement(FIRST, SHOP.buyers, again, SHOP.buyers)).toBeGreaterThan(0.995);
    const third = found(discoverGroups(SHOP.buyers, READING, again.model));
    expect(Array.from(third.of)).toEqual(Array.from(again.of));
  });

  it('give an id once: people of a new kind are a new group, and the others keep theirs', () => {
    const fresh = Array.from({ length: 450 }, (_, i) =>
      buyer(`new${i}`, {
        days: 6,
        first: TODAY - 60,
        last: TODAY - (i % 9),
        gross: 30_000 + 10 * i,
        refunded: 0,
        categories: { Drones: { revenue: 30_000 + 10 * i, orders: 6 } },
      }),
    );
    const more = [...SHOP.buyers, ...fresh];
    const again = found(discoverGroups(more, READING, FIRST.model));
    const drones = again.groups.find(({ title }) => title.includes('Drones'));
    expect(drones?.kept).toBe(false);
    expect(idsOf(FIRST)).not.toContain(drones?.id);
    expect(again.model.given).toBeGreaterThan(FIRST.model.given);
    const kept = again.groups.filter(({ kept }) => kept);
    expect(kept.length).toBeGreaterThan(FIRST.groups.length / 2);
    for (const { id } of kept) expect(idsOf(FIRST)).toContain(id);
    expect(new Set(idsOf(again)).size).toBe(again.groups.length);
  });

  it('take another title only where the old one is no longer true', () => {
    const misnamed = {
      ...FIRST.model,
      groups: FIRST.model.groups.map((group, i) => ({
        ...group,
        title: i === 0 ? 'Quiet for long, small orders' : group.title,
      })),
    };
    const again = found(discoverGroups(SHOP.buyers, READING, misnamed));
    expect(titles(again)).toEqual(titles(FIRST));
    const vague = {
      ...FIRST.model,
      groups: FIRST.model.groups.map((group, i) => ({ ...group, title: i === 0 ? 'Large orders' : group.title })),
    };
    expect(titles(found(discoverGroups(SHOP.buyers, READING, vague)))[FIRST.groups[0]?.id ?? '']).toBe('Large orders');
  });
});

describe('customers who show no groups', () => {
  const alike = (count: number): Buyer[] => Array.from({ length: count }, (_, i) => buyer(`c${i}`));

  it.each([
    ['nobody', [], 'too-few-customers'],
    ['one customer', alike(1), 'too-few-customers'],
    ['59 of a shop', shop(59).buyers, 'too-few-customers'],
    ['identical customers', alike(2000), 'all-alike'],
    ['two ways to buy', [...alike(500), ...alike(500).map((one) => ({ ...one, last: TODAY }))], 'all-alike'],
    ['customers who all paid nothing', alike(100).map((one) => ({ ...one, gross: 0, revenue: 0 })), 'all-alike'],
  ])('%s: it is said', (_, buyers, code) => {
    const none = discoverGroups(buyers, READING);
    expect(none).toMatchObject({ kind: 'none', code });
    expect(JSON.stringify(none)).not.toMatch(/null|NaN/);
  });

  it('gives finite figures whatever customers are like', () => {
    const money = fc.constantFrom(0, 1, -500, 4999, 1e12);
    const odd = fc.record({
      days: fc.constantFrom(1, 2, 400),
      last: fc.integer({ min: TODAY - 900, max: TODAY + 400 }),
      gross: money,
      refunded: money,
      discounted: fc.constantFrom(0, 1, 5000),
      film: money,
    });
    fc.assert(
      fc.property(fc.array(odd, { minLength: 60, maxLength: 90, size: 'max' }), (rows) => {
        const buyers = rows.map(({ film, ...row }, i) =>
          buyer(`c${i}`, {
            ...row,
            first: row.last - row.days,
            revenue: row.gross - row.refunded,
            categories: { Film: { revenue: film, orders: 1 } },
          }),
        );
        const discovered = discoverGroups(buyers, READING);
        expect(JSON.stringify(discovered)).not.toMatch(/null|NaN/);
        if (discovered.kind === 'groups') {
          expect(discovered.groups.reduce((sum, { customers }) => sum + customers, 0)).toBe(buyers.length);
        }
      }),
      { seed: 20_261_201, numRuns: 8 },
    );
  });
});

describe('the space of features', () => {
  it('holds what varies, and weighs all categories together as much as one other feature', () => {
    const features = featuresOf(SHOP.buyers, READING);
    expect(features.map(({ name }) => name)).toEqual([
      'recency',
      'frequency',
      'money',
      'discounted',
      'returned',
      'category:Albums',
      'category:Bags',
      'category:Cameras',
      'category:Film',
      'category:Lenses',
    ]);
    const { at, count, width } = pointsOf(SHOP.buyers, features, READING);
    const spread = features.map((_, j) => {
      const column = Array.from({ length: count }, (_, i) => at[i * width + j] as number);
      const mean = column.reduce((a, b) => a + b, 0) / count;
      return column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
    });
    for (const each of spread.slice(0, 5)) expect(each).toBeCloseTo(1, 0);
    expect(spread.slice(5).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 1);
    expect(Math.max(...at.map(Math.abs))).toBeLessThanOrEqual(3);
  });

  it('reads an order that is dated after today as today’s, and refunds beyond orders as nothing spent', () => {
    const odd = buyer('odd', { last: TODAY + 50, gross: 1000, refunded: 9000, revenue: -8000 });
    expect(featureValue('recency', odd, READING)).toBe(0);
    expect(featureValue('money', odd, READING)).toBe(0);
    expect(featureValue('returned', odd, READING)).toBe(1);
  });

  it('is seen by a sample that stays the same whoever else comes', () => {
    const some = new Set(sampleOf(SHOP.buyers, 500).map(({ contact }) => contact));
    const fewer = sampleOf(without(0), 500).filter(({ contact }) => some.has(contact));
    expect(some.size).toBe(500);
    expect(fewer.length).toBeGreaterThan(440);
  });
});
