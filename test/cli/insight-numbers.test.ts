// Retention, the 80/20 rule and RFM of a real wholesaler: equal to figures that were counted from the file by other means.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pareto } from '../../cli/insight-pareto.ts';
import { retention } from '../../cli/insight-retention.ts';
import { rfm } from '../../cli/insight-rfm.ts';
import { type InsightSource, openSource } from '../../cli/insight-source.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const FILE = resolve(ROOT, '../shared/data/online_retail_2010_2011/online_retail.csv.gz');
const MAPPING = resolve(ROOT, 'templates/imports/online-retail.json');

const missing = !existsSync(FILE);
if (missing) console.warn(`SKIPPED: ${FILE} is missing, the reports are not held against it`);

/*
 * Counted with the csv, gzip, datetime and decimal modules of Python 3.11 from the file alone (Online Retail, Chen, Sain
 * and Guo 2012): sales are rows with a customer whose invoice begins neither with C nor A and whose quantity and price are
 * above 0, an invoice is one order at its earliest date, C-invoices are taken off their customer; a row is rounded to the
 * penny, half away from zero.
 */
const COUNTED = {
  customers: 4338,
  net: 831_047_705,
  top: { customers: 867, net: 611_329_298 },
  /** The least number of customers, the best first, who bring 80 % of the revenue. */
  for80: 1177,
  deciles: [
    496_650_479, 114_678_819, 70_964_332, 47_902_562, 33_504_471, 24_602_754, 17_490_047, 12_819_140, 8_450_187,
    3_984_914,
  ],
  /** Buyers of a month, and those of them who bought in the next. */
  months: [
    ['2010-12', 885, 324],
    ['2011-01', 741, 262],
    ['2011-02', 758, 290],
    ['2011-03', 974, 304],
    ['2011-04', 856, 368],
    ['2011-05', 1056, 410],
    ['2011-06', 991, 365],
    ['2011-07', 949, 388],
    ['2011-08', 935, 425],
    ['2011-09', 1266, 489],
    ['2011-10', 1364, 622],
    ['2011-11', 1664, 371],
    ['2011-12', 615, 0],
  ],
  quarters: [
    ['2010 Q4', 885, 527],
    ['2011 Q1', 1776, 1043],
    ['2011 Q2', 1991, 1211],
    ['2011 Q3', 2161, 1355],
    ['2011 Q4', 2560, 0],
  ],
  cohorts: {
    '2010-12': [885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445, 235],
    '2011-03': [452, 68, 114, 90, 101, 76, 121, 104, 126, 39],
  },
  again: 2790,
  purchases: [1548, 874, 501, 389, 227, 184, 132],
  /** Days between purchases: the smallest number that so many parts of the gaps do not exceed. */
  quartiles: [12, 28, 58],
  ninth: 110,
  /** Bought in the 110 days before 1 November 2011, and the days of November on which somebody's 110 days were over. */
  november: { active: 2639, lapsed: 224 },
};

describe.skipIf(missing)('the reports of Online Retail', () => {
  let source: InsightSource;
  beforeAll(async () => {
    source = await openSource({ orders: FILE, mapping: MAPPING });
  }, 120_000);
  afterAll(() => source?.close());

  it('pareto: the best fifth brings 73.6 % of the revenue', async () => {
    const { json, parts } = await pareto.make(source, {});
    expect(json).toMatchObject({
      customers: COUNTED.customers,
      revenueMinor: COUNTED.net,
      top20: { customers: COUNTED.top.customers, revenueMinor: COUNTED.top.net },
      margin: null,
    });
    const { top20, deciles, customersFor80Percent } = json as {
      top20: { share: number };
      deciles: { revenueMinor: number }[];
      customersFor80Percent: number;
    };
    expect(top20.share).toBeCloseTo(0.735612762, 9);
    expect(deciles.map(({ revenueMinor }) => revenueMinor)).toEqual(COUNTED.deciles);
    // Told in whole hundredths of the customers.
    const hundredth = COUNTED.customers / 100;
    expect(customersFor80Percent).toBeGreaterThanOrEqual(COUNTED.for80);
    expect(customersFor80Percent).toBeLessThan(COUNTED.for80 + hundredth);
    expect(parts[0]).toMatchObject({ kind: 'figures', figures: [{ value: '73.6 %' }, { value: '28 %' }] });
  });

  it('retention: rates by month and quarter, cohorts, repeat purchases, gaps and churn', async () => {
    const { json } = await retention.make(source, {});
    const told = json as {
      retention: { period: string; buyers: number; boughtAgainInNext: number; nextIsOver: boolean }[];
      cohorts: { cohort: string; later: { buyers: number }[] }[];
      purchases: { purchases: number; customers: number }[];
      churn: { months: { month: string; active: number; lapsed: number; rate: number | null }[] };
    };
    expect(told.retention.map((one) => [one.period, one.buyers, one.boughtAgainInNext])).toEqual(COUNTED.months);
    expect(told.retention.filter(({ nextIsOver }) => !nextIsOver).map(({ period }) => period)).toEqual([
      '2011-11',
      '2011-12',
    ]);
    for (const [month, buyers] of Object.entries(COUNTED.cohorts)) {
      const cohort = told.cohorts.find((one) => one.cohort === month);
      expect(cohort?.later.map((one) => one.buyers)).toEqual(buyers);
    }
    expect(told.purchases.slice(0, 7).map(({ customers }) => customers)).toEqual(COUNTED.purchases);
    expect(json).toMatchObject({
      customers: COUNTED.customers,
      repeatRate: COUNTED.again / COUNTED.customers,
      daysBetween: { median: 28, ninthTenth: COUNTED.ninth, quartiles: COUNTED.quartiles },
      churn: { lapsedAfterDays: COUNTED.ninth },
    });
    expect(told.churn.months.find(({ month }) => month === '2011-11')).toMatchObject(COUNTED.november);
    // Nobody can have lapsed before the history is as long as that takes.
    expect(told.churn.months.filter(({ rate }) => rate === null).map(({ month }) => month)).toEqual([
      '2010-12',
      '2011-01',
      '2011-02',
      '2011-03',
    ]);
    const quarters = (await retention.make(source, { period: 'quarter' } as object)).json as typeof told;
    expect(quarters.retention.map((one) => [one.period, one.buyers, one.boughtAgainInNext])).toEqual(COUNTED.quarters);
  });

  it('RFM: every customer is in one cell and one group, and their revenue is all of it', async () => {
    const { grid, groups, customers, revenueMinor } = (await rfm.make(source, {})).json as {
      customers: number;
      revenueMinor: number;
      grid: { customers: number; revenueMinor: number }[];
      groups: { customers: number; revenueMinor: number }[];
    };
    expect([customers, revenueMinor]).toEqual([COUNTED.customers, COUNTED.net]);
    for (const parts of [grid, groups]) {
      expect(parts.reduce((sum, one) => sum + one.customers, 0)).toBe(customers);
      expect(parts.reduce((sum, one) => sum + one.revenueMinor, 0)).toBe(revenueMinor);
    }
  });
});
