// The fitted models of buying and spending: parameters known beforehand, published ones, and data that carry none.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CDNOW, cdnowOrders, customersAt, gammaVariate, random, simulatedRows } from '../../bench/insight-shops.ts';
import { dayOfDate } from '../../domain/insight/customer.ts';
import type { PurchaseModel } from '../../domain/insight/models.ts';
import { bgNbd, nbd } from '../../domain/insight/purchase-likelihood.ts';
import { collapse, type Fitted, fitPurchases, purchaseRows } from '../../domain/insight/purchases.ts';
import { fitSpend, spendRows } from '../../domain/insight/spend.ts';

const missing = !existsSync(`${CDNOW}/CDNOW_sample.txt`);
if (missing) console.warn(`SKIPPED: ${CDNOW} is missing, the published parameters of CDNOW are not tried`);

function model<M>(found: Fitted<M>): M {
  if (found.kind === 'missing') throw new Error(found.says);
  return found.model;
}

/** A fifth of CDNOW's rate: of a day's purchases only one counts, which hardly happens here. */
const SLOW = { r: 0.6, alpha: 22, a: 0.8, b: 2.4 };

describe('fitting how customers buy', () => {
  it('finds the parameters by which 20,000 customers were made, within three of its standard errors', () => {
    const found = fitPurchases(simulatedRows(20_000, SLOW, 1400, 11));
    const fitted = model(found);
    expect(found).not.toHaveProperty('replaced');
    expect(fitted.kind).toBe('bg/nbd');
    for (const [i, name] of (['r', 'alpha', 'a', 'b'] as const).entries()) {
      const error = Math.sqrt(fitted.covariance?.[i * 5] ?? 0);
      expect(error, name).toBeGreaterThan(0.005);
      expect(error, name).toBeLessThan(0.1);
      expect(Math.abs(Math.log(fitted[name]! / SLOW[name])), name).toBeLessThan(3 * error);
    }
  });

  it('has errors that shrink with the root of the customers', () => {
    const errorOf = (size: number) =>
      Math.sqrt(model(fitPurchases(simulatedRows(size, SLOW, 1400, 5))).covariance![0]!);
    expect(errorOf(2_000) / errorOf(32_000)).toBeGreaterThan(3);
    expect(errorOf(2_000) / errorOf(32_000)).toBeLessThan(5.3);
  });

  it('answers the same whatever the order of the rows, and counts stand for rows', () => {
    const rows = simulatedRows(1_000, SLOW, 1400, 3);
    const backwards = { x: rows.x.toReversed(), tx: rows.tx.toReversed(), T: rows.T.toReversed() };
    const twice = { ...rows, count: new Float64Array(1_000).fill(2) };
    const listed = { x: [...rows.x, ...rows.x], tx: [...rows.tx, ...rows.tx], T: [...rows.T, ...rows.T] };
    const [one, other] = [model(fitPurchases(rows)), model(fitPurchases(backwards))];
    expect(other.r).toBeCloseTo(one.r, 9);
    expect(other.b).toBeCloseTo(one.b!, 7);
    expect(model(fitPurchases(twice)).logLikelihood).toBeCloseTo(model(fitPurchases(listed)).logLikelihood, 6);
    expect(model(fitPurchases(twice)).logLikelihood).toBeCloseTo(2 * one.logLikelihood, 6);
  });

  it('has the gradient and the Hessian that differences have', () => {
    const data = collapse(simulatedRows(300, SLOW, 1400, 17));
    for (const [objective, at] of [
      [bgNbd(data), [-0.4, 3.2, 0.3, 1.1]],
      [nbd(data), [-0.4, 3.2]],
    ] as const) {
      const n = at.length;
      const valueAt = (i: number, by: number) => {
        const gradient = new Float64Array(n);
        const moved = Float64Array.from(at, (value, k) => (k === i ? value + by : value));
        return { value: objective(moved, gradient, new Float64Array(n * n)), gradient };
      };
      const [gradient, hessian] = [new Float64Array(n), new Float64Array(n * n)];
      objective(Float64Array.from(at), gradient, hessian);
      for (let i = 0; i < n; i++) {
        const [up, down] = [valueAt(i, 1e-5), valueAt(i, -1e-5)];
        expect((up.value - down.value) / 2e-5).toBeCloseTo(gradient[i]!, 7);
        for (let j = 0; j < n; j++) {
          expect((up.gradient[j]! - down.gradient[j]!) / 2e-5).toBeCloseTo(hessian[i * n + j]!, 7);
        }
      }
    }
  });

  it('says so and leaves dropout away where nobody leaves', () => {
    const found = fitPurchases(simulatedRows(3_000, { ...SLOW, a: 1e-9, b: 5 }, 1400, 23));
    expect(found).toMatchObject({ kind: 'fitted', replaced: { code: 'degenerate' }, model: { kind: 'nbd' } });
    const fitted = model(found) as PurchaseModel;
    expect(fitted).not.toHaveProperty('a');
    expect(Math.abs(Math.log(fitted.r / SLOW.r))).toBeLessThan(3 * Math.sqrt(fitted.covariance![0]!));
  });

  it('stands at a bound and says so where all customers are alike', () => {
    // Everybody buys at the same rate and nobody leaves.
    const uniform = random(4);
    const rows = { x: [] as number[], tx: [] as number[], T: [] as number[] };
    for (let i = 0; i < 2_000; i++) {
      let [x, last] = [0, 0];
      for (let day = 1; day <= 600; day++) if (uniform() < 0.01) [x, last] = [x + 1, day];
      rows.x.push(x);
      rows.tx.push(last);
      rows.T.push(600);
    }
    const found = fitPurchases(rows);
    const fitted = model(found);
    expect(found).toHaveProperty('replaced');
    expect(fitted.r / fitted.alpha / 7).toBeCloseTo(0.01, 3);
  });
});

describe('too little to fit', () => {
  const columns = (size: number, x: number, tx: number, T: number) => ({
    x: new Int32Array(size).fill(x),
    tx: new Int32Array(size).fill(tx),
    T: new Int32Array(size).fill(T),
  });

  it.each([
    ['no customers', columns(0, 0, 0, 0), 'no-orders', 'No customer has an order.'],
    ['one customer with one order', columns(1, 0, 0, 400), 'too-few-customers', '1 customer, 0 of them'],
    ['one customer with ten orders', columns(1, 9, 300, 400), 'too-few-customers', 'it takes 20 such'],
    ['everybody on one day, today', columns(500, 0, 0, 0), 'too-short', 'The first order is 0 days old'],
    ['a history of a month', columns(500, 2, 20, 30), 'too-short', 'The first order is 30 days old'],
    [
      'a million who never came back',
      columns(1_000_000, 0, 0, 300),
      'too-few-customers',
      '1000000 customers, 0 of them',
    ],
  ])('%s', (_, rows, code, says) => {
    const found = fitPurchases(rows);
    expect(found).toMatchObject({ kind: 'missing', code });
    expect(found.kind === 'missing' && found.says).toContain(says);
  });

  it('is told by the error of what would be foretold, with how many would do', () => {
    const quick = { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
    expect(fitPurchases(simulatedRows(40, quick, 400, 9))).toEqual({
      kind: 'missing',
      code: 'too-few-customers',
      says: '40 customers, 21 of them with orders on more than one day: the orders of the next 365 days can be told to a factor of 3.74 only; about 73 customers like these would do.',
    });
    expect(fitPurchases(simulatedRows(140, quick, 400, 9)).kind).toBe('fitted');
  });

  it('leaves out rows that are none', () => {
    const rows = simulatedRows(500, SLOW, 1400, 29);
    const good = { x: [...rows.x], tx: [...rows.tx], T: [...rows.T] };
    const bad = {
      x: [...good.x, -1, 1.5, Number.NaN, 2, 2, 1, 1],
      tx: [...good.tx, 0, 3, 3, 90, -5, 3, Number.NaN],
      T: [...good.T, 10, 10, 10, 60, 10, 1e9, 10],
    };
    expect(fitPurchases(bad)).toEqual(fitPurchases(good));
  });
});

const finite = (value: unknown): boolean =>
  typeof value === 'number'
    ? Number.isFinite(value)
    : typeof value !== 'object' || value === null || Object.values(value).every(finite);

describe('any rows', () => {
  const row = fc.tuple(
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 0, max: 900 }),
    fc.integer({ min: 0, max: 900 }),
  );

  it('give a model of numbers, or a sentence', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 60 }), fc.constantFrom(1, 7, 1000), (rows, many) => {
        const found = fitPurchases({
          x: rows.map(([x]) => x),
          tx: rows.map(([, tx, rest]) => Math.min(tx, tx + rest)),
          T: rows.map(([, tx, rest]) => tx + rest),
          count: rows.map(() => many),
        });
        expect(finite(found)).toBe(true);
        if (found.kind === 'missing') expect(found.says).not.toMatch(/NaN|Infinity|undefined/);
        else expect(found.model.r > 0 && found.model.alpha > 0).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    [1, 10, 300],
    [3, 90, 300],
    [3, 300, 300],
    [50, 300, 300],
    [300, 300, 300],
    [1, 0, 300],
  ])(
    'a million customers with %s repeat purchases, the last after %s of %s days, have a defined answer',
    (x, tx, T) => {
      const found = fitPurchases({ x: [x], tx: [tx], T: [T], count: [1_000_000] });
      expect(finite(found)).toBe(true);
    },
  );

  it('is the same model in any currency', () => {
    const uniform = random(8);
    const mean = Array.from({ length: 400 }, () => gammaVariate(2, uniform) * 30 * gammaVariate(9, uniform));
    const x = mean.map((_, i) => 1 + (i % 5));
    const one = model(fitSpend({ x, mean, leftOut: 0 }));
    const other = model(fitSpend({ x, mean: mean.map((amount) => amount * 157), leftOut: 0 }));
    expect(other.p).toBeCloseTo(one.p, 6);
    expect(other.q).toBeCloseTo(one.q, 6);
    expect(other.v / 157).toBeCloseTo(one.v, 4);
    expect(other.logLikelihood).toBeCloseTo(one.logLikelihood - 400 * Math.log(157), 4);
  });

  it('leaves out whom refunds left nothing, and says how many', () => {
    const customer = { days: 3, first: 0, last: 50, orders: 3, margin: 0, valued: 0 };
    const rows = spendRows(
      [
        { ...customer, revenue: 9_000, firstRevenue: 3_000 },
        { ...customer, revenue: 2_000, firstRevenue: 3_000 },
        { ...customer, revenue: 3_000, firstRevenue: 3_000 },
        { ...customer, days: 1, revenue: 3_000, firstRevenue: 3_000 },
        { ...customer, first: 101, last: 151, revenue: 9_000, firstRevenue: 3_000 },
      ],
      100,
      100,
    );
    expect(rows).toEqual({ x: [2], mean: [30], leftOut: 2 });
    expect(fitSpend(rows)).toEqual({
      kind: 'missing',
      code: 'too-few-customers',
      says: '1 customer with something spent on repeat days (2 more spent nothing that was not refunded): it takes 15 to tell what people spend.',
    });
  });

  it.each([
    [2, 0.01],
    [1, 1e7],
    [7, 20],
  ])('expects what everybody spends, where all have bought %s times for %s', (times, amount) => {
    const found = fitSpend({ x: new Array(50_000).fill(times), mean: new Array(50_000).fill(amount), leftOut: 0 });
    expect(found).toMatchObject({ kind: 'fitted', replaced: { code: 'boundary' } });
    const { p, q, v } = model(found);
    expect((p * v) / (q - 1) / amount).toBeCloseTo(1, 2);
  });

  it('has a model where a few spend most of all', () => {
    const uniform = random(3);
    const mean = Array.from({ length: 1_000 }, () => 20 * (1 - uniform()) ** (-1 / 1.05));
    const found = fitSpend({ x: mean.map((_, i) => 1 + (i % 4)), mean, leftOut: 0 });
    expect(model(found).q).toBeGreaterThan(1.1);
    expect(model(found).q).toBeLessThan(3);
  });

  it('gives a model of numbers or a sentence for any amounts', () => {
    const row = fc.tuple(fc.integer({ min: 0, max: 50 }), fc.double({ min: -1e6, max: 1e9, noNaN: false }));
    fc.assert(
      fc.property(fc.array(row, { maxLength: 60 }), (rows) => {
        const found = fitSpend({ x: rows.map(([x]) => x), mean: rows.map(([, mean]) => mean), leftOut: 0 });
        expect(finite(found)).toBe(true);
        if (found.kind === 'missing') expect(found.says).not.toMatch(/NaN|Infinity|undefined/);
      }),
      { numRuns: 80 },
    );
  });
});

/** A year of a wholesaler's invoices (Online Retail): nobody is seen to leave. */
const INVOICES = resolve(import.meta.dirname, '../../../shared/data/online_retail_2010_2011/online_retail.csv.gz');
if (!existsSync(INVOICES))
  console.warn(`SKIPPED: ${INVOICES} is missing, a degenerate fit to a real shop is not tried`);

describe.skipIf(!existsSync(INVOICES))('a wholesaler whose customers all stay', () => {
  it('has the model nested in BG/NBD, and why', async () => {
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const answer = await connection.runAndReadAll(`
      with bought as (
        select CustomerID as id, strptime(InvoiceDate, '%Y-%m-%d %H:%M:%S')::date as day
        from read_csv('${INVOICES}', header = true, all_varchar = true)
        where coalesce(CustomerID, '') <> '' and InvoiceNo not like 'C%' and Quantity::int > 0
        group by all)
      select (count(*) - 1)::int, (max(day) - min(day))::int, ((select max(day) from bought) - min(day))::int
      from bought group by id`);
    const rows = answer.getRowsJS() as [number, number, number][];
    const found = fitPurchases({ x: rows.map(([x]) => x), tx: rows.map(([, tx]) => tx), T: rows.map(([, , T]) => T) });
    expect(found).toMatchObject({
      kind: 'fitted',
      model: { kind: 'nbd', customers: 4339 },
      replaced: {
        code: 'degenerate',
        says: 'These orders do not show that people leave for good: BG/NBD degenerates (a 0.00344, b 6.75: 0.051 % leave after an order, and the log-likelihood gains 0.12). The model in which nobody leaves (NBD) stands in, so everybody counts as alive.',
      },
    });
    const fitted = model(found);
    expect(fitted.r).toBeCloseTo(0.82745, 4);
    expect(fitted.alpha).toBeCloseTo(9.86832, 4);
  });
});

describe('the rows of customers', () => {
  it('count days, not orders: the cases of the Python package lifetimes', () => {
    const today = dayOfDate('2015-02-07');
    const orders = [
      ['1', '2015-01-01', 1],
      ['1', '2015-02-06', 2],
      ['2', '2015-01-01', 2],
      ['3', '2015-01-01', 3],
      ['3', '2015-01-02', 1],
      ['3', '2015-01-05', 5],
      ['4', '2015-01-16', 6],
      ['4', '2015-02-02', 3],
      ['4', '2015-02-05', 3],
      ['5', '2015-01-16', 3],
      ['5', '2015-01-17', 1],
      ['5', '2015-01-18', 8],
      ['6', '2015-02-02', 5],
    ] as const;
    const customers = customersAt(
      orders.map(([customer, date, amount]) => ({ customer, day: dayOfDate(date), amount: amount * 100 })),
      today,
    );
    expect(purchaseRows(customers, today)).toEqual({
      x: [1, 0, 2, 2, 2, 0],
      tx: [36, 0, 4, 20, 2, 0],
      T: [37, 37, 37, 22, 22, 5],
    });
    expect(spendRows(customers, today, 100)).toEqual({ x: [1, 2, 2, 2], mean: [2, 3, 3, 4.5], leftOut: 0 });
  });

  it('leave out whoever came after the day, and make nobody older than today but by an order', () => {
    const customer = { days: 2, first: 10, last: 50, orders: 2, revenue: 0, firstRevenue: 0, margin: 0, valued: 0 };
    const rows = purchaseRows([customer, { ...customer, first: 41 }, { ...customer, first: Number.NaN }], 40);
    expect(rows).toEqual({ x: [1], tx: [40], T: [40] });
  });
});

describe.skipIf(missing)('CDNOW, as published', () => {
  const until = dayOfDate('1997-09-30');
  const customers = missing ? [] : customersAt(cdnowOrders('CDNOW_sample.txt'), until);

  it('has the parameters of BG/NBD to three decimals and its log-likelihood to 0.01', () => {
    const fitted = model(fitPurchases(purchaseRows(customers, until)));
    expect(fitted.customers).toBe(2357);
    expect(fitted.r).toBeCloseTo(0.2425945, 4);
    expect(fitted.alpha).toBeCloseTo(4.4136019, 4);
    expect(fitted.a).toBeCloseTo(0.7929199, 4);
    expect(fitted.b).toBeCloseTo(2.4258881, 4);
    expect(fitted.logLikelihood).toBeCloseTo(-9582.429, 3);
  });

  it('has the parameters of Gamma-Gamma to three decimals and its log-likelihood to 0.01', () => {
    // The published fit is to means rounded to cents.
    const rows = readFileSync(`${CDNOW}/cdnow_customers_summary_with_transactions.csv`, 'utf8').trim().split('\n');
    const repeaters = rows
      .slice(1)
      .map((row) => row.split(',').map(Number))
      .filter(([, x = 0]) => x > 0);
    const fitted = model(
      fitSpend({ x: repeaters.map(([, x = 0]) => x), mean: repeaters.map((row) => row[4] ?? 0), leftOut: 0 }),
    );
    expect(fitted.customers).toBe(946);
    expect([fitted.p, fitted.q, fitted.v].map((value) => value.toFixed(3))).toEqual(['6.249', '3.745', '15.448']);
    expect(fitted.logLikelihood).toBeCloseTo(-4055.92, 2);
    const exact = model(fitSpend(spendRows(customers, until, 100)));
    expect(exact.logLikelihood).toBeCloseTo(-4055.9177, 3);
    expect(exact.correlation).toBeCloseTo(0.1139, 4);
  });
});
