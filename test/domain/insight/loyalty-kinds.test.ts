// The four kinds of loyalty: a truth table, and that everybody is of exactly one.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Buyer } from '../../../domain/insight/buyers.ts';
import {
  KINDS,
  loyaltyKind,
  loyaltyKinds,
  type UsualRhythm,
  usualRhythm,
} from '../../../domain/insight/loyalty-kinds.ts';
import { buyer, shop, TODAY } from '../../support/buyers.ts';

interface Case {
  name: string;
  buys: { orders: number; days?: number; every?: number; ago?: number; categories?: number; discounted?: number };
  kind: string;
  confidence?: string;
}

const CASES = JSON.parse(readFileSync(new URL('../../cases/loyalty-kinds.json', import.meta.url), 'utf8')) as Case[];

/** A shop where people come every 30 days; those with up to two orders buy of two categories, others of three and four. */
const USUAL: UsualRhythm = {
  interval: 30,
  breadth: { 0: 1, 1: 2, 2: 3, 3: 4 },
  covered: 1,
  discounts: true,
  categories: true,
};

function someone({ orders, days = orders, every = 0, ago = 0, categories = 0, discounted = 0 }: Case['buys']): Buyer {
  const last = TODAY - ago;
  return buyer('ann', {
    orders,
    days,
    last,
    first: last - every * (days - 1),
    discounted,
    categories: Object.fromEntries(
      Array.from({ length: categories }, (_, i) => [
        `c${i}`,
        { revenue: Math.ceil((5000 * orders) / categories), orders: 1 },
      ]),
    ),
  });
}

describe('the kind of a customer', () => {
  it.each(CASES)('$name: $kind', ({ buys, kind, confidence }) => {
    const estimated = loyaltyKind(someone(buys), USUAL, TODAY);
    expect(estimated).toMatchObject({ kind, ...(confidence === undefined ? {} : { confidence }) });
    expect(JSON.stringify(estimated)).not.toMatch(/null|NaN/);
  });

  it('has a case for every kind', () => {
    expect(new Set(CASES.map(({ kind }) => kind))).toEqual(new Set(KINDS));
  });
});

describe('what is usual', () => {
  it('is the median of own intervals, and of categories by number of orders', () => {
    const of = (contact: string, orders: number, every: number, categories: number): Buyer => ({
      ...someone({ orders, every, categories }),
      contact,
    });
    const usual = usualRhythm([
      of('a', 2, 10, 1),
      of('b', 2, 20, 2),
      of('c', 2, 90, 3),
      of('d', 9, 20, 5),
      of('e', 1, 0, 1),
    ]);
    expect(usual).toEqual({
      interval: 20,
      breadth: { 0: 1, 1: 2, 4: 5 },
      covered: 1,
      discounts: false,
      categories: true,
    });
  });

  it('asks nothing of categories where those of less than half of the revenue are known', () => {
    const all = Array.from({ length: 30 }, (_, i) => ({
      ...someone({ orders: 7, every: 30, categories: i % 4 === 0 ? 1 : 5 }),
      contact: `c${i}`,
    }));
    const elsewhere = (buyers: Buyer[]) =>
      loyaltyKinds(buyers, TODAY).figures.find(({ kind }) => kind === 'elsewhere')?.customers;
    expect(elsewhere(all)).toBe(8);
    expect(elsewhere(all.map((one) => ({ ...one, gross: 3 * one.gross })))).toBe(0);
  });

  it('asks nothing of categories in a shop where nobody buys of three', () => {
    const all = Array.from({ length: 30 }, (_, i) => ({
      ...someone({ orders: 7, every: 30, categories: 1 + (i % 2) }),
      contact: `c${i}`,
    }));
    expect(loyaltyKinds(all, TODAY).figures.find(({ kind }) => kind === 'elsewhere')?.customers).toBe(0);
  });
});

describe('the kinds of all customers', () => {
  it('find those who were made to come for deals', () => {
    const { buyers, kinds } = shop(1000, 4);
    const { of } = loyaltyKinds(buyers, TODAY);
    const hunters = of.filter((one, i) => kinds[i] === 1 && one.kind !== 'unknown');
    expect(hunters.filter(({ kind }) => kind === 'disloyal').length / hunters.length).toBeGreaterThan(0.8);
    const others = of.filter((_, i) => kinds[i] === 0);
    expect(others.filter(({ kind }) => kind === 'disloyal')).toEqual([]);
  });

  it.each([
    ['nobody', []],
    ['one customer', [buyer('ann')]],
    ['people who all bought on one day', Array.from({ length: 9 }, (_, i) => buyer(`c${i}`, { orders: 3, days: 1 }))],
    [
      'people who sent everything back',
      [buyer('ann', { orders: 2, days: 2, first: TODAY - 9, last: TODAY, gross: 10, refunded: 99, revenue: -89 })],
    ],
  ])('are whole for %s', (_, buyers) => {
    const { figures } = loyaltyKinds(buyers, TODAY);
    expect(figures.map(({ kind }) => kind)).toEqual(KINDS);
    expect(figures.reduce((sum, { customers }) => sum + customers, 0)).toBe(buyers.length);
    expect(JSON.stringify(figures)).not.toMatch(/null|NaN/);
  });

  it('part everybody, their revenue too, whatever people are like', () => {
    const odd = fc.record({
      days: fc.integer({ min: 1, max: 20 }),
      orders: fc.integer({ min: 1, max: 20 }),
      span: fc.integer({ min: 0, max: 900 }),
      last: fc.integer({ min: TODAY - 900, max: TODAY + 30 }),
      gross: fc.constantFrom(0, 100, 5_000_000),
      refunded: fc.constantFrom(0, 100, 9_000_000),
      discounted: fc.integer({ min: 0, max: 30 }),
      categories: fc.integer({ min: 0, max: 6 }),
    });
    fc.assert(
      fc.property(fc.array(odd, { maxLength: 40, size: 'max' }), (rows) => {
        const buyers = rows.map(({ span, categories, ...row }, i) => ({
          ...someone({ orders: row.orders, categories }),
          ...row,
          contact: `c${i}`,
          first: row.last - span,
          revenue: row.gross - row.refunded,
        }));
        const { of, figures } = loyaltyKinds(buyers, TODAY);
        expect(figures.reduce((sum, { customers }) => sum + customers, 0)).toBe(buyers.length);
        expect(figures.reduce((sum, { revenue }) => sum + revenue, 0)).toBe(
          buyers.reduce((sum, b) => sum + b.revenue, 0),
        );
        for (const { kind, confidence } of of) expect(confidence === undefined).toBe(kind === 'unknown');
        expect(JSON.stringify({ of, figures })).not.toMatch(/null|NaN/);
      }),
      { seed: 20_261_201, numRuns: 200 },
    );
  });
});
