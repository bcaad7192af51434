// What is known of a product: the same whatever the order in which the feed's updates come.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import { inStock, lowestBefore, lowestPrice30d, type StoredProduct, withPrice } from '../../domain/product.ts';
import { foldProduct, type ProductState } from '../../functions/aws/product.ts';
import { DAY, event, HOUR, instant } from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

const NOON = instant('2026-06-15 12:00');

const update = (id: string, at: number, properties: JsonObject): Interaction =>
  event('Product Updated', at, { product_id: 'cup', ...properties }, { id });

const folded = (updates: Interaction[]): ProductState | undefined =>
  updates.reduce<ProductState | undefined>((state, one) => foldProduct(state, one, 'EUR'), undefined);

const prices = (...list: [days: number, price: number][]): StoredProduct => ({
  prices: list.reduce<[number, number][]>((kept, [days, price]) => withPrice(kept, NOON + days * DAY, price), []),
});

describe('given the updates of a product', () => {
  const properties = fc.oneof(
    fc.record({ price: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ price: fc.integer({ min: 1, max: 20 }), currency: fc.constantFrom('EUR', 'USD', 'JPY') }),
    fc.record({ stock: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ name: fc.constantFrom('Cup', 'Mug'), price: fc.constantFrom(4.99, 5), stock: fc.constantFrom(0, 9) }),
  );
  // Few instants, some of them months apart, many of them on one day.
  const moment = fc.oneof(
    fc.integer({ min: 0, max: 8 }).map((hours) => NOON - hours * HOUR),
    fc.integer({ min: 0, max: 70 }).map((days) => NOON - days * DAY),
  );
  const updates = fc
    .array(fc.tuple(moment, properties), { minLength: 1, maxLength: 120 })
    .map((list) => list.map(([at, said], i) => update(`u${i}`, at, said)));

  it('any order gives the same state', () => {
    fc.assert(
      fc.property(
        updates.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
        ),
        ([list, shuffled]) => {
          const [one, other] = [folded(list), folded(shuffled)];
          expect(other).toEqual(one);
          expect(one?.product.prices?.length ?? 0).toBeLessThanOrEqual(94);
        },
      ),
      seeded(400),
    );
  });

  it('the lowest price of 30 days is never above the true one, nor below what was in force that month and its edge', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(moment, fc.integer({ min: 1, max: 50 })), { minLength: 1, maxLength: 200 }),
        (list) => {
          const distinct = [...new Map(list).entries()].sort(([a], [b]) => a - b);
          const known = distinct.reduce<[number, number][]>((kept, [at, price]) => withPrice(kept, at, price), []);
          const before = NOON + 1;
          const inForce = (from: number): number[] => {
            const anchor = distinct.findLast(([at]) => at <= from);
            return [...(anchor ? [anchor] : []), ...distinct.filter(([at]) => at > from && at < before)].map(
              ([, price]) => price,
            );
          };
          const lowest = lowestPrice30d({ prices: known }, before);
          const edge = Math.floor((before - 30 * DAY) / DAY) * DAY;
          if (inForce(before - 30 * DAY).length === 0) expect(lowest).toBeUndefined();
          else {
            expect(lowest).toBeLessThanOrEqual(Math.min(...inForce(before - 30 * DAY)));
            expect(lowest).toBeGreaterThanOrEqual(Math.min(...inForce(edge - 1)));
          }
        },
      ),
      seeded(400),
    );
  });

  it('keeps the event time of the latest price, and knows one that is not in the shop’s currency', () => {
    const list = [
      update('a', NOON, { price: 10 }),
      update('b', NOON + HOUR, { price: 9, currency: 'USD' }),
      update('c', NOON - HOUR, { price: 12 }),
    ];
    expect(folded(list)?.product).toMatchObject({ price: 900, currency: 'USD', priceAt: NOON + HOUR, foreign: true });
    expect(lowestPrice30d(folded(list)!.product, NOON + DAY)).toBeUndefined();
    const back = folded([...list, update('d', NOON + 2 * HOUR, { price: 11 })])!.product;
    expect(back).toMatchObject({ price: 1100, priceAt: NOON + 2 * HOUR });
    expect(back.foreign).toBeUndefined();
    expect(lowestPrice30d(back, NOON + DAY)).toBe(1000);
  });
});

describe('given prices of a month', () => {
  it('the lowest before a reduction is asked, not the reduction itself', () => {
    expect(lowestPrice30d(prices([-20, 900], [-10, 1000], [0, 800]), NOON)).toBe(900);
  });

  it('a second reduction on one day is told by the first, and what the feed repeats changes nothing', () => {
    const day: [number, number][] = [
      [-20, 1499],
      [0, 1449],
      [0.2, 1199],
    ];
    expect(lowestPrice30d(prices(...day), NOON + 0.2 * DAY)).toBe(1449);
    expect(lowestBefore(prices(...day))).toBe(1449);
    expect(lowestBefore(prices(...day, [0.3, 1199], [1, 1199], [9, 1199]))).toBe(1449);
    expect(lowestBefore(prices([0, 1199], [0.1, 1449], [0.2, 1199]))).toBe(1199);
    expect(lowestBefore(prices([0, 1199]))).toBeUndefined();
    expect(lowestBefore({ ...prices(...day), foreign: true })).toBeUndefined();
  });

  it('a price that was set long before and is in force still counts', () => {
    expect(lowestPrice30d(prices([-200, 700], [-10, 1000]), NOON)).toBe(700);
  });

  it('a price that ended more than 30 days ago counts no more', () => {
    expect(lowestPrice30d(prices([-50, 500], [-40, 1000], [-10, 1100]), NOON)).toBe(1000);
  });

  it('nothing is known before the first price', () => {
    expect(lowestPrice30d(prices([0, 800]), NOON)).toBeUndefined();
    expect(lowestPrice30d({}, NOON)).toBeUndefined();
  });
});

it('a product without a stock is neither in stock nor out of it', () => {
  expect([inStock({ stock: 2 }), inStock({ stock: 0 }), inStock({ stock: -1 }), inStock({})]).toEqual([
    true,
    false,
    false,
    undefined,
  ]);
});
