// What goes together: shares, lift and their intervals, the order in which products are told, and the size of the model.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  associate,
  type NextCounts,
  nextProducts,
  type PairCount,
  rank,
  scoreOf,
  shareInterval,
  Z,
} from '../../domain/insight/next-product.ts';

const pair = (both: number, first: number, second: number, all: number, other = 'b'): PairCount => ({
  product: 'a',
  other,
  both,
  first,
  second,
  all,
});
const NOTHING: NextCounts = { together: [], after: [], upgrades: [], popular: [] };

describe('given how often two products meet', () => {
  it('support, confidence and lift are those shares', () => {
    expect(associate(pair(12, 40, 60, 400))).toMatchObject({ support: 0.03, confidence: 0.3, lift: 2 });
    expect(associate(pair(10, 20, 50, 100))?.lift).toBe(1);
  });

  /** The variance of a logarithm of a lift, by the slopes of the function and the covariance of a multinomial sample. */
  function bySlopes({ both, first, second, all }: PairCount): number {
    const cells = [both, first - both, second - both, all - first - second + both].map((count) => count / all);
    const logLift = ([p = 0, q = 0, r = 0]: number[]) => Math.log(p) - Math.log(p + q) - Math.log(p + r);
    const step = 1e-6;
    const slopes = cells.map((cell, i) => {
      const moved = (by: number) => cells.map((other, j) => (i === j ? cell + by : other));
      return (logLift(moved(step * cell)) - logLift(moved(-step * cell))) / (2 * step * cell || 1);
    });
    const mean = slopes.reduce((sum, slope, i) => sum + slope * (cells[i] as number), 0);
    return slopes.reduce((sum, slope, i) => sum + slope ** 2 * (cells[i] as number), 0) / all - mean ** 2 / all;
  }

  it('the interval of the lift is that of the delta method, whatever the counts', () => {
    const cell = fc.integer({ min: 1, max: 5000 });
    fc.assert(
      fc.property(cell, cell, cell, cell, (both, only, other, neither) => {
        const count = pair(both, both + only, both + other, both + only + other + neither);
        const { lift, low, high } = associate(count) as NonNullable<ReturnType<typeof associate>>;
        const deviation = Math.log(high / lift) / Z;
        expect(deviation ** 2).toBeCloseTo(bySlopes(count), 6);
        expect(low).toBeLessThanOrEqual(lift);
        expect(Math.log(lift / low)).toBeCloseTo(Math.log(high / lift), 9);
      }),
    );
  });

  it('of products that everybody or nobody else buys it is defined', () => {
    expect(associate(pair(7, 7, 7, 7))).toMatchObject({ support: 1, confidence: 1, lift: 1, low: 1, high: 1 });
    expect(associate(pair(1, 1, 1, 1000))?.lift).toBe(1000);
  });

  it.each([
    ['more of both than of one', pair(5, 4, 9, 100)],
    ['more of both than of the other', pair(5, 9, 4, 100)],
    ['more of one than of all', pair(5, 101, 9, 100)],
    ['none of both', pair(0, 5, 5, 100)],
    ['nothing at all', pair(0, 0, 0, 0)],
    ['below nothing', pair(-1, 5, 5, 100)],
    ['no number', pair(Number.NaN, 5, 5, 100)],
  ])('counts that cannot be are no association: %s', (_name, count) => {
    expect(associate(count)).toBeUndefined();
  });

  // Newcombe 1998, Statistics in Medicine 17, table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('a share of %i of %i has the interval that Newcombe prints', (hits, of, low, high) => {
    const [least, most] = shareInterval(hits, of);
    expect(least).toBeCloseTo(low, 4);
    expect(most).toBeCloseTo(high, 4);
  });

  it('of nothing a share may be anything', () => {
    expect(shareInterval(0, 0)).toEqual([0, 1]);
  });
});

describe('given many pairs', () => {
  it('what many have bought goes before what few have, though its lift is smaller', () => {
    const few = pair(5, 500, 6, 10_000, 'few');
    const many = pair(200, 500, 1000, 10_000, 'many');
    const everybody = pair(450, 500, 9000, 10_000, 'everybody');
    expect(
      rank([few, many, everybody])
        .get('a')
        ?.map(({ other }) => other),
    ).toEqual(['many', 'few']);
  });

  it('what is not surely more than chance has no place', () => {
    expect(rank([pair(5, 100, 100, 2000), pair(50, 100, 500, 1000)])).toEqual(new Map());
    expect(scoreOf({ low: 1, both: 50, first: 100 })).toBe(0);
  });

  it('a product never goes with itself', () => {
    expect(rank([{ ...pair(50, 50, 50, 1000), other: 'a' }])).toEqual(new Map());
  });

  it('the score is the least share that buys the other because of the one', () => {
    const { low } = associate(pair(40, 100, 50, 1000)) as { low: number };
    const [share] = shareInterval(40, 100);
    expect(scoreOf({ low, both: 40, first: 100 })).toBeCloseTo(share - share / low, 12);
  });

  it('ties are told in one order, however the rows come', () => {
    const rows = ['d', 'b', 'c'].map((other) => pair(40, 100, 50, 1000, other));
    expect(
      rank(rows)
        .get('a')
        ?.map(({ other }) => other),
    ).toEqual(['b', 'c', 'd']);
    expect(
      rank(rows.reverse())
        .get('a')
        ?.map(({ other }) => other),
    ).toEqual(['b', 'c', 'd']);
  });
});

describe('given the model', () => {
  const wide = (products: number, partners: number): NextCounts => ({
    ...NOTHING,
    together: Array.from({ length: products }, (_, p) =>
      Array.from({ length: partners }, (_, o) => ({
        product: `product-${p}`,
        other: `other-${o}`,
        both: 300 - o,
        first: 100_000 - p,
        second: 400,
        all: 1_000_000,
      })),
    ).flat(),
    popular: [{ category: '', product: 'other-1', baskets: 9 }],
  });

  it('it is empty where there is nothing', () => {
    expect(nextProducts(NOTHING)).toEqual({ together: {}, after: {}, upgrades: {}, popular: {} });
  });

  it('it holds at most ten of each, best first, with four digits', () => {
    const { together, after, popular } = nextProducts({ ...wide(3, 20), after: [pair(40, 300, 50, 10_000)] });
    expect(together['product-1']?.map(({ product }) => product)).toEqual(
      Array.from({ length: 10 }, (_, o) => `other-${o}`),
    );
    expect(after).toEqual({ a: [{ product: 'b', score: 0.09508, confidence: 0.1333, lift: 26.67, count: 40 }] });
    expect(popular).toEqual({ '': ['other-1'] });
  });

  it('where it would be too large each product has five, then three, then the most-bought alone have theirs', () => {
    const counts = wide(40, 12);
    const depths = [100_000, 20_000, 12_000, 5_000].map((most) => {
      const model = nextProducts(counts, most);
      expect(JSON.stringify(model).length).toBeLessThanOrEqual(most);
      const lists = Object.values(model.together);
      return [lists.length, lists[0]?.length, lists.every((list) => list.length === lists[0]?.length)];
    });
    expect(depths).toEqual([
      [40, 10, true],
      [40, 5, true],
      [40, 3, true],
      [expect.any(Number), 3, true],
    ]);
    const few = Object.keys(nextProducts(counts, 5_000).together);
    expect(few.length).toBeLessThan(40);
    expect(few).toEqual(Array.from({ length: few.length }, (_, p) => `product-${p}`));
  });

  it('thousands of categories do not crowd out what goes together', () => {
    const popular = Array.from({ length: 5000 }, (_, n) => ({ category: `category-${n}`, product: 'p', baskets: 1 }));
    const model = nextProducts({ ...wide(40, 3), popular }, 26_000);
    expect(Object.keys(model.together)).toHaveLength(40);
    expect(JSON.stringify(model).length).toBeLessThanOrEqual(26_000);
  });

  it('words of the language are products like any other, and one without a name is none', () => {
    const odd = ['__proto__', 'constructor', 'toString'];
    const together = odd.map((product) => ({ ...pair(40, 100, 50, 1000, 'hasOwnProperty'), product }));
    const nameless = { ...pair(40, 100, 50, 1000), product: '' };
    const model = nextProducts({
      ...NOTHING,
      together: [...together, nameless],
      popular: [
        { category: '__proto__', product: 'toString', baskets: 2 },
        { category: '', product: '', baskets: 1 },
      ],
    });
    expect(Object.keys(model.together).sort()).toEqual(odd.sort());
    expect(Object.keys(model.popular)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(model.together)).toBe(Object.prototype);
    expect(JSON.parse(JSON.stringify(model))).toEqual(model);
  });
});
