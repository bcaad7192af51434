// Recommendations from the relations of the catalogue.
import { describe, expect, test } from 'vitest';
import { latestBought, recommend } from '../../domain/recommend.ts';
import type { Catalogue } from '../../domain/settings.ts';
import { catalogue } from '../support/people.ts';

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

  test('a list that is given stands in for the one of the catalogue', () => {
    expect(recommend(sells, {}, ['a'], 'cross-sell', 4, ['b', 'odd'])).toEqual(['strap', 'b', 'odd']);
    expect(recommend(sells, {}, ['a'], 'cross-sell', 4, [])).toEqual(['strap']);
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
