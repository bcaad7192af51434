// Recommendations from the relations of the catalogue.
import { describe, expect, test } from 'vitest';
import type { NextProduct, NextProducts } from '../../domain/insight/models.ts';
import { latestBought, type Offers, recommend as offer, originAt, originsOf } from '../../domain/recommend.ts';
import type { Catalogue } from '../../domain/settings.ts';
import { catalogue } from '../support/people.ts';

/** The products alone, of a shop that has counted nothing. */
const recommend = (of: Catalogue, ...rest: Rest): string[] =>
  offer({ catalogue: of }, ...rest).map(({ product }) => product);
type Rest = Parameters<typeof offer> extends [Offers, ...infer Others] ? Others : never;

test('what goes well with a product, best first', () => {
  expect(recommend(catalogue, {}, ['camera'], 'cross-sell')).toEqual(['bag', 'lens']);
});

test('several products take turns: the first of each before the second of any', () => {
  expect(recommend(catalogue, {}, ['camera', 'camera-pro', 'phone'], 'retention')).toEqual([
    'bag',
    'lens',
    'case',
    'tripod',
  ]);
  expect(recommend(catalogue, {}, ['camera', 'camera-pro', 'phone'], 'retention', 2)).toEqual(['bag', 'lens']);
});

test('nothing that was bought, nor what it is about', () => {
  expect(recommend(catalogue, { bag: 1 }, ['camera', 'lens'], 'cross-sell')).toEqual([]);
});

test('an up-sell recommends the better model of each, once', () => {
  expect(recommend(catalogue, {}, ['camera', 'phone', 'camera', 'bag'], 'up-sell')).toEqual([
    'camera-pro',
    'phone-pro',
  ]);
  expect(recommend(catalogue, { 'camera-pro': 1 }, ['camera'], 'up-sell')).toEqual([]);
});

test('a product that the catalogue does not hold is neither seed nor recommended', () => {
  const dangling: Catalogue = {
    products: { a: { name: 'A', complements: ['gone', 'b'], upgrade: 'gone' }, b: { name: 'B' } },
  };
  expect(recommend(dangling, {}, ['a', 'unknown'], 'cross-sell')).toEqual(['b']);
  expect(recommend(dangling, {}, ['a'], 'up-sell')).toEqual([]);
});

describe('where the relations give too little', () => {
  const sells: Catalogue = {
    products: {
      a: { name: 'A', category: 'Cameras', complements: ['strap'], upgrade: 'pro' },
      strap: { name: 'Strap', category: 'Straps' },
      b: { name: 'B', category: 'Cameras' },
      c: { name: 'C', category: 'Cameras' },
      bag: { name: 'Bag', category: 'Bags' },
      odd: { name: 'Odd' },
      pro: { name: 'Pro', category: 'Cameras' },
    },
    popular: ['bag', 'odd', 'a', 'strap', 'c', 'gone', 'b'],
  };

  test('what is popular fills up, of the same category first, and never what is owned or what it is about', () => {
    expect(recommend(sells, {}, ['a'], 'cross-sell', 10)).toEqual(['strap', 'c', 'b', 'bag', 'odd']);
    expect(recommend(sells, { strap: 1, c: 1 }, ['a'], 'cross-sell')).toEqual(['b', 'bag', 'odd']);
  });

  test('what is popular is all that there is for somebody of whom nothing is known', () => {
    expect(recommend(sells, {}, [], 'retention')).toEqual(['bag', 'odd', 'a', 'strap']);
  });

  test('an up-sell recommends the better model or nothing', () => {
    expect(recommend(sells, {}, ['a'], 'up-sell')).toEqual(['pro']);
    expect(recommend(sells, {}, ['bag'], 'up-sell')).toEqual([]);
  });
});

test('words of the language are products like any other', () => {
  const odd: Catalogue = { products: { a: { name: 'A', complements: ['constructor', 'toString'] } } };
  expect(recommend(odd, {}, ['a', 'valueOf', '__proto__'], 'cross-sell')).toEqual([]);
  const sold: Catalogue = {
    products: { ...odd.products, toString: { name: 'T' } } as unknown as Catalogue['products'],
  };
  expect(recommend(sold, {}, ['a'], 'cross-sell')).toEqual(['toString']);
});

test('what was bought last comes first, ties by name', () => {
  expect(latestBought({ a: 1, c: 3, b: 3 }, 2)).toEqual(['b', 'c']);
});

describe('where the orders were counted', () => {
  const products = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const shop: Catalogue = {
    products: Object.fromEntries(
      products.map((id) => [
        id,
        { name: id, category: id < 'e' ? 'Cameras' : 'Bags', ...(id === 'a' && { complements: ['b'], upgrade: 'c' }) },
      ]),
    ),
    popular: ['h'],
  };
  const goes = (product: string, score: number): NextProduct => ({
    product,
    score,
    confidence: 0.5,
    lift: 2,
    count: 9,
  });
  const next: NextProducts = {
    together: { a: [goes('c', 0.3), goes('d', 0.2)], b: [goes('d', 0.2), goes('gone', 9)] },
    after: { a: [goes('e', 0.12)] },
    upgrades: { a: [goes('d', 0.2), goes('c', 0.1)], b: [goes('d', 0.1)] },
    popular: { '': ['f', 'a', 'g'], Cameras: ['d', 'a', 'c'], Bags: ['g'] },
  };
  const all = (seeds: string[], bought: Record<string, number> = {}, most = 10) =>
    offer({ catalogue: shop, next }, bought, seeds, 'cross-sell', most).map(({ product, origin }) => [product, origin]);

  test('the catalogue speaks first, then what goes together or after by its score, then what is popular, near before far', () => {
    expect(all(['a'])).toEqual([
      ['b', 'relation'],
      ['e', 'after'],
      ['c', 'together'],
      ['d', 'together'],
      ['h', 'popular'],
      ['f', 'popular'],
      ['g', 'popular'],
    ]);
  });

  test('scores add up over the seeds, and an "after" weighs three times', () => {
    expect(all(['a', 'b']).slice(0, 3)).toEqual([
      ['d', 'together'],
      ['e', 'after'],
      ['c', 'together'],
    ]);
    const less = { ...next, after: { a: [goes('e', 0.09)] } };
    expect(offer({ catalogue: shop, next: less }, {}, ['a'], 'cross-sell', 3).map(({ product }) => product)).toEqual([
      'b',
      'c',
      'e',
    ]);
  });

  test('a product that was bought together and after is told once, by what gave more of it', () => {
    const both = { ...next, after: { a: [goes('d', 0.1)] } };
    expect(offer({ catalogue: shop, next: both }, {}, ['a'], 'cross-sell', 3)).toEqual([
      { product: 'b', origin: 'relation' },
      { product: 'd', origin: 'after' },
      { product: 'c', origin: 'together' },
    ]);
  });

  test('nothing that is owned, nothing that the catalogue does not hold, and never the seeds', () => {
    expect(all(['a'], { b: 1, c: 1, f: 1 })).toEqual([
      ['e', 'after'],
      ['d', 'together'],
      ['h', 'popular'],
      ['g', 'popular'],
    ]);
    expect(all(['b'], {}, 20).map(([product]) => product)).not.toContain('gone');
  });

  test('of the seeds’ categories what is popular comes first, also where nothing goes with them', () => {
    expect(all(['g'])).toEqual([
      ['h', 'popular'],
      ['f', 'popular'],
      ['a', 'popular'],
    ]);
    expect(all(['c'])).toEqual([
      ['d', 'popular'],
      ['a', 'popular'],
      ['h', 'popular'],
      ['f', 'popular'],
      ['g', 'popular'],
    ]);
  });

  test('an up-sell is the better model that the catalogue names, then what buyers moved on to', () => {
    const up = (seeds: string[], bought = {}) => offer({ catalogue: shop, next }, bought, seeds, 'up-sell', 4);
    expect(up(['a', 'b'])).toEqual([
      { product: 'c', origin: 'relation' },
      { product: 'd', origin: 'moved-on' },
    ]);
    expect(up(['b'])).toEqual([{ product: 'd', origin: 'moved-on' }]);
    expect(up(['a'], { c: 1 })).toEqual([{ product: 'd', origin: 'moved-on' }]);
    expect(up(['h'])).toEqual([]);
  });

  test('a model of words of the language is read as of any other', () => {
    const odd = JSON.parse('{"__proto__":[{"product":"toString","score":1}],"constructor":[]}') as Record<
      string,
      NextProduct[]
    >;
    const of = { together: odd, after: {}, upgrades: {}, popular: { '': [] } };
    const sells = JSON.parse(
      '{"products":{"__proto__":{"name":"P"},"toString":{"name":"T"},"x":{"name":"X"}}}',
    ) as Catalogue;
    expect(offer({ catalogue: sells, next: of }, {}, ['__proto__'], 'cross-sell')).toEqual([
      { product: 'toString', origin: 'together' },
    ]);
    expect(offer({ catalogue: sells, next: of }, {}, ['x', 'valueOf'], 'cross-sell')).toEqual([]);
  });

  test('where each comes from is kept as a letter, and read back', () => {
    const told = offer({ catalogue: shop, next }, {}, ['a'], 'cross-sell', 5);
    const letters = originsOf(told);
    expect(letters).toBe('rattp');
    expect(told.map((_, place) => originAt(letters, place))).toEqual(told.map(({ origin }) => origin));
    expect([originAt(letters, 9), originAt('-', 0), originAt(undefined, 0)]).toEqual([undefined, undefined, undefined]);
  });
});
