// The report of what goes together: over a tenth of a wholesaler's customers, and over shops of which there is little to say.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../cli/duckdb.ts';
import { pairsReport } from '../../cli/insight-pairs.ts';
import type { Report } from '../../cli/insight-report.ts';
import { type InsightSource, openSource } from '../../cli/insight-source.ts';
import { sayReport } from '../../cli/insight-terminal.ts';
import type { NextCheck } from '../../domain/insight/next-check.ts';
import type { JsonObject } from '../../domain/interaction.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SAMPLE = resolve(ROOT, '../shared/data/online_retail_2010_2011/online_retail_sample_custmod10.csv');
const missing = !existsSync(SAMPLE);
if (missing) console.warn(`SKIPPED: ${SAMPLE} is missing, recommendations are not tried on real orders`);

interface Told {
  together: { product: string; other: string; both: number; low: number }[];
  after: { product: string; other: string; both: number }[];
  upgrades: { product: string; other: string; priceMinor: number; otherPriceMinor: number }[];
  check: NextCheck;
  model: { products: number; characters: number };
}

describe.skipIf(missing)('given the orders of a tenth of a wholesaler’s customers', () => {
  let source: InsightSource;
  let report: Report;
  let told: Told;
  beforeAll(async () => {
    source = await openSource({ orders: SAMPLE, mapping: resolve(ROOT, 'templates/imports/online-retail.json') });
    report = await pairsReport.make(source, {});
    told = report.json as Told;
  });
  afterAll(() => source?.close());

  it('what was counted without the last orders tells them better than what is most popular', () => {
    const { customers, at } = told.check;
    expect(customers).toBe(259);
    expect(at.map(({ most, model, popular }) => [most, model.hits, popular.hits])).toEqual([
      [3, 43, 31],
      [10, 90, 58],
    ]);
    expect(at[1]?.better.low).toBeGreaterThan(0);
  });

  it('says so in words and tables, and where it is not sure says that', () => {
    const said = sayReport(report, { width: 100, colour: false });
    for (const heading of ['Bought together', 'Bought after', 'What buyers moved on to', 'How well that recommends'])
      expect(said).toContain(heading);
    expect(said).toContain('Among the first 3 it is not surely better than what is most popular.');
    expect(said).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('each pair is told once, is surely no chance, and an upgrade is dearer by a tenth', () => {
    const pairs = told.together.map(({ product, other }) => [product, other].sort().join());
    expect(new Set(pairs).size).toBe(pairs.length);
    expect(told.together.every(({ low, both }) => low > 1 && both >= 5)).toBe(true);
    expect(told.upgrades.length).toBeGreaterThan(0);
    for (const { priceMinor, otherPriceMinor } of told.upgrades)
      expect(otherPriceMinor).toBeGreaterThanOrEqual(1.1 * priceMinor - 1e-9);
    expect(told.model.characters).toBeLessThanOrEqual(2_000_000);
  });

  it('of one product it tells what goes with that, and of one that nobody knows that there is none', async () => {
    const of = (await pairsReport.make(source, { product: '22423', most: '3' })).json as Told;
    expect(of.together).toHaveLength(3);
    expect(new Set([...of.together, ...of.after].map(({ product }) => product))).toEqual(new Set(['22423']));
    await expect(pairsReport.make(source, { product: 'nix' })).rejects.toThrow('no product is called "nix"');
    await expect(pairsReport.make(source, { most: 'all' })).rejects.toThrow('--most');
  });
});

describe('given a shop of which there is little to say', () => {
  const order = (key: string, contact: string, day: number): JsonObject => ({
    order: key,
    version: 1,
    contact,
    at: 1,
    date: `2026-01-0${day}`,
    completed: true,
    cancelled: false,
    currency: 'EUR',
    revenue: 100,
    refunded: 0,
  });
  const line = (key: string, n: number, quantity = 1): JsonObject => {
    return { order: key, version: 1, line: n, product: '__proto__', quantity, returned: 0, revenue: 1, refunded: 0 };
  };
  const some = ['a', 'b', 'c', 'd', 'e', 'f'];
  it.each<[string, JsonObject[], JsonObject[]]>([
    ['no orders', [], []],
    ['one product', some.map((key) => order(key, key, 1)), some.map((key) => line(key, 0))],
    ['one customer on one day', some.map((key) => order(key, 'x', 1)), some.map((key) => line(key, 0))],
    [
      'quantities of 0 and below',
      some.map((key) => order(key, key, 1)),
      some.flatMap((key) => [line(key, 0, 0), line(key, 1, -3)]),
    ],
  ])('of %s the report says that there is too little, and no number is none', async (_name, orders, lines) => {
    const shop = { currency: 'EUR', zone: 'UTC', catalogue: { products: {} } };
    const today = 20_500;
    const warehouse = await DuckDbWarehouse.ofRows({ orders, lines }, { currency: 'EUR', today });
    const source = { warehouse, shop, today, says: 'A shop.', name: 'Shop', now: 0, close: () => warehouse.close() };
    const report = await pairsReport.make(source as InsightSource, {});
    await warehouse.close();
    const said = sayReport(report, { width: 90, colour: false });
    expect(said).toMatch(/No two products go together/);
    expect(said).toContain('there is nothing to try it on');
    expect(said + JSON.stringify(report.json)).not.toMatch(/NaN|undefined|Infinity/);
  });
});
