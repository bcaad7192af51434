// Pairs in a month of a grocer's baskets, against other programs and against an apriori of any size.
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../cli/duckdb.ts';
import { associate, type PairCount } from '../../domain/insight/next-product.ts';
import { query } from '../../functions/aws/queries.ts';
import told from '../cases/groceries-pairs.json' with { type: 'json' };

const FILE = new URL('../../../shared/data/groceries/groceries_baskets.csv', import.meta.url);
const missing = !existsSync(FILE);
if (missing) console.warn(`SKIPPED: ${FILE.pathname} is missing, pairs are not held against arules' figures`);

/** Least baskets of an itemset: a thousandth of all. */
const LEAST = Math.ceil(told.baskets / 1000);

/** Every set of items that enough baskets hold, depth first over bits of baskets; and those of them that make a rule. */
function apriori(baskets: readonly (readonly string[])[]) {
  const bits = new Map<string, Uint32Array>();
  for (const [i, basket] of baskets.entries()) {
    for (const item of basket) {
      const own = bits.get(item) ?? new Uint32Array((baskets.length >> 5) + 1);
      own[i >> 5] = (own[i >> 5] as number) | (1 << (i & 31));
      bits.set(item, own);
    }
  }
  const size = (set: Uint32Array): number => {
    let count = 0;
    for (let word of set) for (; word !== 0; word &= word - 1) count++;
    return count;
  };
  const supports = new Map<string, number>();
  const nameOf = (items: readonly string[]): string => [...items].sort().join(';');
  const grow = (items: string[], set: Uint32Array | undefined, candidates: [string, Uint32Array][]): void => {
    const held: [string, Uint32Array][] = candidates.flatMap(([item, own]) => {
      const both = set === undefined ? own : own.map((word, i) => word & (set[i] as number));
      const count = size(both);
      if (count < LEAST) return [];
      supports.set(nameOf([...items, item]), count);
      return [[item, both]];
    });
    for (const [i, [item, both]] of held.entries()) grow([...items, item], both, held.slice(i + 1));
  };
  grow([], undefined, [...bits]);
  let rules = 0;
  for (const [name, count] of supports) {
    const items = name.split(';');
    if (items.length < 2) continue;
    for (const item of items) {
      const without = supports.get(nameOf(items.filter((other) => other !== item))) as number;
      if (count / without >= 0.5) rules++;
    }
  }
  return { supports, rules };
}

describe.skipIf(missing)('given the baskets of a grocer', () => {
  let warehouse: DuckDbWarehouse;
  let counts: PairCount[];
  const baskets = missing
    ? []
    : readFileSync(FILE, 'utf8')
        .trim()
        .split(/\r?\n/)
        .slice(1)
        .map((line) => line.slice(line.indexOf(',') + 1).split(';'));

  beforeAll(async () => {
    const orders = baskets.map((_, i) => ({
      order: `grocer#${i}`,
      version: 1,
      at: 1,
      date: '2026-01-15',
      completed: true,
      cancelled: false,
      currency: 'EUR',
      revenue: 100,
      refunded: 0,
    }));
    const lines = baskets.flatMap((items, i) =>
      items.map((product, line) => ({
        order: `grocer#${i}`,
        version: 1,
        line,
        product,
        quantity: 1,
        returned: 0,
        revenue: 1,
        refunded: 0,
      })),
    );
    const shop = { currency: 'EUR', today: 20_500 };
    warehouse = await DuckDbWarehouse.ofRows({ orders, lines }, shop);
    const bounds = { since: '2026-01-01', leave: 0, lines: 100, products: 5000, support: LEAST, most: 1000 };
    const rows = await warehouse.rows(query('pairs'), { ...shop, ...bounds });
    counts = rows.map((row) => ({
      product: String(row.product),
      other: String(row.other),
      both: Number(row.both_in),
      first: Number(row.first_in),
      second: Number(row.other_in),
      all: Number(row.all_in),
    }));
  });
  afterAll(() => warehouse?.close());

  const judge = missing ? undefined : apriori(baskets);

  it('an apriori of our own finds the rules that arules finds, so that it may judge', () => {
    expect(judge?.rules).toBe(told.rulesOfAnySize);
  });

  it('the statement finds every pair of ten baskets, with the counts of that apriori, and no other', () => {
    const { supports } = judge as NonNullable<typeof judge>;
    const expected = [...supports].filter(([name]) => name.split(';').length === 2);
    expect(expected).toHaveLength(told.pairsOfTenBaskets);
    expect(counts).toHaveLength(2 * told.pairsOfTenBaskets);
    for (const { product, other, both, first, second, all } of counts) {
      expect([both, first, second, all]).toEqual([
        supports.get([product, other].sort().join(';')),
        supports.get(product),
        supports.get(other),
        told.baskets,
      ]);
    }
    for (const [item, count] of Object.entries(told.topItems)) expect(supports.get(item)).toBe(count);
  });

  it.each(told.pairs as [string, string, number, number, number][])(
    '%s → %s has support, confidence and lift as mlxtend computes them',
    (product, other, support, confidence, lift) => {
      const count = counts.find((one) => one.product === product && one.other === other) as PairCount;
      const found = associate(count);
      expect(found?.support).toBeCloseTo(support, 12);
      expect(found?.confidence).toBeCloseTo(confidence, 12);
      expect(found?.lift).toBeCloseTo(lift, 10);
      expect(found?.low).toBeLessThan(lift);
    },
  );
});
