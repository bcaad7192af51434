// The trial of recommendations on orders that were left out: hits, the popular ones beside them, intervals.
import { describe, expect, it } from 'vitest';
import type { NextProduct, NextProducts } from '../../domain/insight/models.ts';
import { checkNext, type NextCase } from '../../domain/insight/next-check.ts';
import type { Catalogue } from '../../domain/settings.ts';

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'];
const catalogue: Catalogue = {
  products: Object.fromEntries(ids.map((id) => [id, { name: id, complements: ['l'] }])),
  popular: ['l'],
};
const goes = (product: string, score = 0.2): NextProduct => ({ product, score, confidence: 0.5, lift: 3, count: 9 });
const next: NextProducts = {
  together: { a: [goes('e')] },
  after: { b: [goes('f')] },
  upgrades: {},
  popular: { '': ['a', 'b', 'c', 'd', 'g', 'h', 'i', 'j', 'k', 'e', 'f'] },
};
const bought = (...fresh: string[]): NextCase => ({ owned: { a: 2, b: 1 }, fresh });

describe('given orders that were left out', () => {
  it('a hit is a new product among the first three, or ten, and the popular ones are tried on the same people', () => {
    const { customers, at } = checkNext([bought('e'), bought('c'), bought('k', 'z'), bought('l')], next, catalogue);
    expect(customers).toBe(4);
    // e goes with a; then c, d, g … are popular and not owned. Relations and a marketer's list have no part in it: no l.
    expect(at.map(({ most, model, popular }) => [most, model.hits, popular.hits])).toEqual([
      [3, 2, 1],
      [10, 3, 3],
    ]);
    expect(at[0]?.model.rate).toBe(0.5);
    expect(at[0]?.better.by).toBe(0.25);
  });

  it('it starts from what was bought on the newest day, as an e-mail after an order does', () => {
    expect(checkNext([{ owned: { a: 1, b: 2 }, fresh: ['e'] }], next, catalogue).at[0]?.model.hits).toBe(0);
    expect(checkNext([{ owned: { a: 1, b: 2 }, fresh: ['f'] }], next, catalogue).at[0]?.model.hits).toBe(1);
    expect(checkNext([{ owned: { a: 2, b: 2 }, fresh: ['e'] }], next, catalogue).at[0]?.model.hits).toBe(1);
  });

  it('the interval of the difference is that of pairs: who hits with both, or with neither, says nothing', () => {
    const cases = [
      ...Array.from({ length: 30 }, () => bought('e')),
      ...Array.from({ length: 10 }, () => bought('g')),
      ...Array.from({ length: 60 }, () => bought('z')),
    ];
    const [three] = checkNext(cases, next, catalogue).at;
    // 30 gained by e, 10 lost: g is the third popular one, and the fourth with e before it.
    expect(three?.better.by).toBeCloseTo(0.2, 12);
    const deviation = Math.sqrt(40 - 400 / 100) / 100;
    expect(three?.better.low).toBeCloseTo(0.2 - 1.959964 * deviation, 6);
    expect(three?.better.high).toBeCloseTo(0.2 + 1.959964 * deviation, 6);
  });

  it.each([
    ['nobody', []],
    ['people with nothing new', [{ owned: { a: 1 }, fresh: [] }]],
    ['people of whom nothing was known', [{ owned: {}, fresh: ['a'] }]],
  ])('of %s nothing is said, and nothing is no number', (_name, cases: NextCase[]) => {
    const { customers, at } = checkNext(cases, next, catalogue);
    expect(customers).toBe(0);
    for (const { model, popular, better } of at) {
      expect(model).toEqual({ hits: 0, rate: 0, low: 0, high: 1 });
      expect(popular).toEqual(model);
      expect(better).toEqual({ by: 0, low: -1, high: 1 });
    }
  });
});
