// A rule for a group: what it says, how well it does, and that the engine takes in whom the figures say.
import { describe, expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../../cli/duckdb.ts';
import { sightOf } from '../../../domain/eligibility.ts';
import type { Rule } from '../../../domain/grammar.ts';
import { type Buyer, buyersOf } from '../../../domain/insight/buyers.ts';
import { fixedNumbers } from '../../../domain/insight/clusters.ts';
import { calendarDay } from '../../../domain/insight/customer.ts';
import { featuresOf } from '../../../domain/insight/feature-space.ts';
import { fitOf, ruleFor } from '../../../domain/insight/group-rule.ts';
import { discoverGroups } from '../../../domain/insight/groups.ts';
import { orderRows } from '../../../domain/insight/order-rows.ts';
import type { Interaction } from '../../../domain/interaction.ts';
import { query } from '../../../functions/aws/queries.ts';
import { buyer, READING, shop, TODAY } from '../../support/buyers.ts';
import { bookOf, catalogue, DAY, event, instant, order, World } from '../../support/people.ts';

const KNOWN = { ...READING, known: new Set<string>() };

/** A rule for those of whom a condition holds. */
function ruleOf(buyers: Buyer[], meant: (one: Buyer) => boolean) {
  const places = new Set(buyers.flatMap((one, i) => (meant(one) ? [i] : [])));
  return ruleFor(buyers, places, featuresOf(buyers, READING), KNOWN);
}

describe('a rule for a group', () => {
  const { buyers } = shop(1500, 5);

  it('finds the bound by which people were chosen, and is right about it', () => {
    expect(ruleOf(buyers, ({ orders }) => orders >= 5)).toMatchObject({
      rule: { has: { 'orders.count': { atLeast: 5 } } },
      precision: 1,
      recall: 1,
    });
    expect(ruleOf(buyers, ({ categories }) => categories.Albums !== undefined)).toMatchObject({
      rule: { did: 'Order Completed', where: { products: { category: 'Albums' } } },
      precision: 1,
      recall: 1,
    });
  });

  it('asks categories that the catalogue knows of the catalogue', () => {
    const places = new Set(buyers.flatMap(({ categories }, i) => (categories.Albums === undefined ? [] : [i])));
    const found = ruleFor(buyers, places, featuresOf(buyers, READING), { ...KNOWN, known: new Set(['Albums']) });
    expect(found?.rule).toEqual({ did: 'Order Completed', where: { products: { 'catalogue.category': 'Albums' } } });
  });

  it('says two bounds of one thing as between, and days since the last order as they are at the end of the day', () => {
    const some = Array.from({ length: 200 }, (_, i) => buyer(`c${i}`, { last: TODAY - i, orders: 1 + (i % 10) }));
    const found = ruleOf(some, ({ last }) => last <= TODAY - 50 && last >= TODAY - 99);
    expect(found).toMatchObject({
      rule: {
        all: [{ has: { 'orders.last': { inLast: '100d' } } }, { has: { 'orders.last': { moreThanAgo: '50d' } } }],
      },
      precision: 1,
      recall: 1,
    });
    expect(ruleOf(some, ({ orders }) => orders >= 3 && orders <= 6)?.rule).toEqual({
      has: { 'orders.count': { between: [3, 6] } },
    });
  });

  it('never takes in people who have not bought: what is at most is asked of buyers', () => {
    const found = ruleOf(buyers, ({ revenue }) => revenue <= 5000);
    expect(found?.rule).toEqual({ has: { 'orders.spend': { atMost: 50 }, 'orders.count': { atLeast: 1 } } });
  });

  it('takes a second set of bounds where the group is in two places', () => {
    const some = Array.from({ length: 300 }, (_, i) =>
      buyer(`c${i}`, { last: TODAY - (i % 100), orders: 1 + (i % 7), gross: 100 * i + 100, revenue: 100 * i + 100 }),
    );
    const found = ruleOf(some, ({ revenue }) => revenue <= 5000 || revenue > 25_000);
    expect(found?.rule).toHaveProperty('any');
    expect(found?.precision).toBeGreaterThan(0.95);
    expect(found?.recall).toBeGreaterThan(0.85);
  });

  it('is none for nobody, for everybody, and for people whom nothing tells from others', () => {
    const alike = Array.from({ length: 100 }, (_, i) => buyer(`c${i}`));
    expect(ruleOf(buyers, () => false)).toBeUndefined();
    expect(ruleOf(buyers, () => true)).toBeUndefined();
    expect(ruleOf(alike, ({ contact }) => contact.endsWith('7'))).toBeUndefined();
  });

  it('counts precision and recall over everybody', () => {
    expect(fitOf(Uint8Array.from([1, 1, 0, 0]), Uint8Array.from([1, 0, 1, 1]))).toEqual({
      found: 2,
      right: 1,
      precision: 0.5,
      recall: 1 / 3,
    });
    expect(fitOf(new Uint8Array(2), new Uint8Array(2))).toEqual({ found: 0, right: 0, precision: 0, recall: 0 });
  });
});

describe('the rules of discovered groups', () => {
  it('take in, as the engine answers them at the end of the day, exactly whom their figures count', async () => {
    const today = calendarDay(instant('2026-06-30 12:00'), 'Europe/Warsaw');
    const people = Array.from({ length: 90 }, (_, i) => `user${i}`);
    const book = bookOf();
    const world = new World(book);
    world.record(lives(people));
    const buyers = await buyersIn(world, today);
    expect(buyers).toHaveLength(people.length);
    const reading = { today, unit: 100 };
    const discovered = discoverGroups(buyers, reading);
    if (discovered.kind !== 'groups') throw new Error(discovered.says);
    const known = new Set(['Cameras', 'Film', 'Bags', 'Lenses']);
    const rules = discovered.groups.map((_, group) => {
      const meant = new Set(buyers.flatMap((_, i) => (discovered.of[i] === group ? [i] : [])));
      const found = ruleFor(buyers, meant, discovered.model.features, { ...reading, known });
      if (found === undefined) throw new Error('no rule');
      return { meant, ...found };
    });
    const segments = Object.fromEntries(rules.map(({ rule }, i) => [`group-${i}`, rule as Rule]));
    const asked = new World(bookOf({ segments }));
    asked.record(lives([...people, 'stranger']));
    const userOf = new Map(people.map((user) => [world.person(user).id, user]));
    // Midnight in Warsaw, at which the last day that counts is over.
    const now = instant('2026-06-30 22:00');
    for (const [i, { meant, found, right }] of rules.entries()) {
      const inside = buyers.map(({ contact }) =>
        sightOf(asked.book, asked.person(userOf.get(contact)), now).inSegment(`group-${i}`),
      );
      expect(inside.filter(Boolean).length).toBe(found);
      expect(inside.filter((is, place) => is && meant.has(place)).length).toBe(right);
      expect(sightOf(asked.book, asked.person('stranger'), now).inSegment(`group-${i}`)).toBe(false);
    }
  });
});

/** Orders and refunds of these people in the year up to the end of June, by a fixed seed; a stranger only looks. */
function lives(people: readonly string[]): Interaction[] {
  const next = fixedNumbers(11);
  const products = ['camera', 'film', 'bag', 'lens'];
  const all: Interaction[] = [];
  for (const user of people) {
    if (user === 'stranger') {
      all.push(event('Product Viewed', '2026-06-01', { product_id: 'film' }, { user, id: 'looked' }));
      continue;
    }
    const often = 1 + Math.floor(next() * next() * 9);
    const likes = Math.floor(next() * 4);
    for (let i = 0; i < often; i += 1) {
      const at = instant('2026-06-30 20:00') - Math.floor(next() ** 2 * 340 * DAY);
      const product = products[next() < 0.8 ? likes : Math.floor(next() * 4)] as string;
      const id = `${user}-${i}`;
      all.push(
        order(id, at, [`${product}*${1 + Math.floor(next() * 3)}`], {
          user,
          ...(next() < 0.3 && { properties: { coupon: 'SPRING' } }),
        }),
      );
      if (next() < 0.15) {
        const total = product === 'camera' ? 400 : 9.5;
        const back = { order_id: id, total, currency: 'EUR' };
        all.push(event('Order Refunded', at + 60_000, back, { user, id: `refund-${id}` }));
      }
    }
  }
  return all.sort((a, b) => a.at - b.at);
}

async function buyersIn(world: World, today: number): Promise<Buyer[]> {
  const made = { currency: 'EUR', zone: 'Europe/Warsaw', catalogue };
  const owners = new Map([...world.orders].map(([key, one]) => [key, one.owner]));
  const rows = [...world.orders.values()].map((one) => orderRows(one, 1, made));
  expect([...owners.values()].every((owner) => owner !== undefined)).toBe(true);
  const tables = { orders: rows.map(({ order: row }) => row), lines: rows.flatMap(({ lines }) => lines) };
  const warehouse = await DuckDbWarehouse.ofRows(tables, { currency: 'EUR', today });
  try {
    return buyersOf(
      await warehouse.rows(query('customer-features')),
      await warehouse.rows(query('customer-categories')),
    );
  } finally {
    await warehouse.close();
  }
}
