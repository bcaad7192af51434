// The models held against the second half of a history: cut where it should be, counted as an independent count has it.
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../cli/duckdb.ts';
import { type Foretold, foretold } from '../../cli/insight-foretold.ts';
import type { Part } from '../../cli/insight-report.ts';
import { dayOfDate } from '../../domain/insight/customer.ts';
import type { JsonObject } from '../../domain/interaction.ts';

const CDNOW = '../shared/data/cdnow/CDNOW_sample.txt';
if (!existsSync(CDNOW)) console.warn(`SKIPPED: ${CDNOW} is missing, nothing is foretold of CDNOW`);

type Values = { values: number[] };
type Purchase = [contact: string, date: string, minor: number];
const opened: DuckDbWarehouse[] = [];
afterAll(() => {
  for (const warehouse of opened) warehouse.close();
});

async function foretoldOf(purchases: readonly Purchase[], today: string): Promise<Foretold> {
  const orders = purchases.map(
    ([contact, date, revenue], at): JsonObject => ({
      order: `s#${at}`,
      version: 1,
      contact,
      at: Date.parse(date),
      date,
      completed: true,
      cancelled: false,
      currency: 'USD',
      revenue,
      refunded: 0,
      margin: 0,
      valued: 0,
      discount: 0,
      coupon: false,
      source: 's',
    }),
  );
  const day = dayOfDate(today);
  const warehouse = await DuckDbWarehouse.ofRows({ orders }, { currency: 'USD', today: day });
  opened.push(warehouse);
  const shop = { currency: 'USD', zone: 'UTC', catalogue: {} as never };
  return foretold({ warehouse, today: day, shop, says: '', close: async () => {} });
}

const warnings = ({ parts }: Foretold): string[] =>
  parts.flatMap((part) => (part.kind === 'text' && part.tone === 'warning' ? [part.text] : []));
const part = <Kind extends Part['kind']>({ parts }: Foretold, kind: Kind, nth = 0) =>
  parts.filter((each): each is Extract<Part, { kind: Kind }> => each.kind === kind)[nth]!;

describe('too little to foretell', () => {
  it.each<[string, Purchase[], RegExp]>([
    ['no orders', [], /No customer has an order/],
    ['one customer, today', [['a', '2026-06-30', 100]], /The first order is 0 days old/],
    ['a history of seven weeks', [['a', '2026-05-10', 100]], /The first order is 51 days old/],
    [
      'one customer for a year',
      [
        ['a', '2025-06-30', 100],
        ['a', '2025-07-30', 100],
      ],
      /Of the first 26 weeks: 1 customer/,
    ],
  ])('says so of %s', async (_, purchases, says) => {
    const found = await foretoldOf(purchases, '2026-06-30');
    expect(warnings(found)).toEqual([expect.stringMatching(says)]);
    expect(found.json).toBeNull();
  });
});

describe.skipIf(!existsSync(CDNOW))('CDNOW', () => {
  const purchases = (existsSync(CDNOW) ? readFileSync(CDNOW, 'utf8') : '')
    .trim()
    .split('\n')
    .map((row): Purchase => {
      const [, contact, date, , amount] = row.trim().split(/\s+/) as [string, string, string, string, string];
      return [contact, `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`, Math.round(Number(amount) * 100)];
    });

  it('is cut after 39 weeks, as in the paper, and counted as its rows are', async () => {
    const found = await foretoldOf(purchases, '1998-06-30');
    const days = new Set(purchases.map(([contact, date]) => `${contact} ${date}`));
    const later = [...days].filter((day) => day.slice(-10) > '1997-09-30').length;
    const revenue = purchases.reduce((sum, [, date, minor]) => sum + (date > '1997-09-30' ? minor : 0), 0);
    expect(found.json).toMatchObject({
      fittedTo: '1997-09-30',
      heldOutDays: 273,
      model: 'bg/nbd',
      purchases: { happened: later },
      revenueMinor: { happened: revenue },
    });
    // The sum of E[Y(39) | x, tx, T] over all, by the published parameters.
    const { expected, low, high } = (found.json as { purchases: Record<string, number> }).purchases as never;
    expect(expected).toBeCloseTo(1653, -0.5);
    expect(low).toBeLessThan(expected);
    expect(high).toBeGreaterThan(expected);
    expect(warnings(found)).toEqual([]);

    const { series, marks } = part(found, 'lines');
    expect(marks).toEqual([{ x: 39, title: 'foretold from here' }]);
    expect(series[0]!.points.at(-1)).toEqual([78, days.size - 2357]);
    // From the cut on: what had happened until then, and what is foretold of all.
    expect(series[1]!.points.at(-1)![1]).toBeCloseTo(days.size - 2357 - later + expected, 6);
    expect(series[1]!.band!.at(-1)![2]).toBeCloseTo(days.size - 2357 - later + high, 6);

    const [bars, dots] = part(found, 'columns').series.map(({ values }) => ({ values: values as number[] })) as [
      Values,
      Values,
    ];
    const byPast = (found.json as { byPastRepeats: { customers: number }[] }).byPastRepeats;
    expect(byPast.map(({ customers }) => customers)).toEqual([1411, 439, 214, 100, 62, 38, 29, 64]);
    const total = (values: number[]): number => values.reduce((sum, mean, at) => sum + mean * byPast[at]!.customers, 0);
    expect(total(bars.values)).toBeCloseTo(later, 6);
    expect(total(dots.values)).toBeCloseTo(expected, 6);
    const tenths = part(found, 'columns', 1).series[0]!.values as number[];
    expect(tenths).toHaveLength(10);
    expect(tenths[0]!).toBeGreaterThan(tenths[1]! * 2);
  });
});
