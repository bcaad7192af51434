// The statements of the lake: what they answer over a small shop in DuckDB, and that Trino, which is Athena, can read them.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TrinoSQL } from 'dt-sql-parser/dist/parser/trino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../cli/duckdb.ts';
import { dayOfDate } from '../../domain/insight/customer.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import type { TableName } from '../../functions/aws/lake-tables.ts';
import { query, VIEWS, withViews } from '../../functions/aws/queries.ts';
import { type Parameters, type Row, withParameters } from '../../functions/aws/warehouse.ts';

const SQL = resolve(import.meta.dirname, '../../functions/aws/sql');
const TODAY = '2026-06-30';
const VIEW_PARAMETERS = { currency: 'EUR', today: dayOfDate(TODAY) };

/** A completed order with one line of what it brought in. */
function order(key: string, contact: string | undefined, date: string, revenue: number, more: JsonObject = {}) {
  return {
    order: key,
    version: 1,
    ...(contact === undefined ? {} : { contact }),
    at: Date.parse(`${date}T12:00:00Z`),
    date,
    completed: true,
    cancelled: false,
    currency: 'EUR',
    revenue,
    refunded: 0,
    margin: 0,
    valued: 0,
    discount: 0,
    coupon: false,
    source: 'shop',
    ...more,
  };
}
const line = (key: string, product: string, revenue: number, more: JsonObject = {}): JsonObject => {
  return { order: key, version: 1, line: 0, product, quantity: 1, returned: 0, revenue, refunded: 0, ...more };
};
const sent = (message: string, contact: string, campaign: string, at: string, more: JsonObject = {}): JsonObject => {
  return { message, contact, campaign, state: 'sent', arm: 'sent', at, plannedAt: at, ...more };
};

/** Ann was three people once. Bob sent half back, was cancelled once, and paid in dollars once. Cid is in the future. */
const LAKE: Partial<Record<TableName, JsonObject[]>> = {
  contacts: [
    { contact: 'ann', version: 1, createdAt: 30, country: 'DE' },
    { contact: 'ann-2', version: 1, createdAt: 20, country: 'FR' },
    { contact: 'ann-2', version: 2, createdAt: 20, country: 'FR', into: 'ann' },
    { contact: 'ann-3', version: 4, createdAt: 10, into: 'ann-2' },
    { contact: 'bob', version: 1, createdAt: 5 },
    { contact: 'bob', version: 2, createdAt: 5, country: 'PL' },
  ],
  orders: [
    order('s#1', 'ann-3', '2026-01-10', 10_000, { margin: 3000, valued: 10_000, channel: 'web' }),
    order('s#1', 'ann-3', '2026-01-10', 10_000, { margin: 3000, valued: 10_000, channel: 'web' }),
    order('s#2', 'ann-2', '2026-01-10', 2000),
    order('s#3', 'ann', '2026-02-20', 5000),
    order('s#4', 'bob', '2026-01-05', 9999),
    order('s#4', 'bob', '2026-01-05', 8000, { version: 2, refunded: 4000, margin: 800, valued: 4000 }),
    order('s#5', 'bob', '2026-02-01', 7000, { cancelled: true, refunded: 7000 }),
    order('s#6', 'bob', '2026-03-01', 600, { currency: 'USD' }),
    order('s#7', 'bob', '2026-03-05', 0, { completed: false, refunded: 150 }),
    order('s#8', undefined, '2026-03-06', 1200),
    order('s#9', 'cid', '2031-01-01', 100_000),
    { order: 's#10', version: 1, completed: false, cancelled: false, currency: 'EUR', revenue: 0, refunded: 0 },
  ],
  lines: [
    line('s#1', 'camera', 7000, { margin: 2000, category: 'Cameras' }),
    line('s#1', 'bag', 3000, { line: 1, margin: 1000 }),
    line('s#1', 'bag', 3000, { line: 1, margin: 1000 }),
    line('s#2', 'bag', 2000),
    line('s#3', 'film', 5000),
    line('s#4', 'camera', 9999),
    line('s#4', 'camera', 8000, { version: 2, returned: 1, refunded: 4000, margin: 800, category: 'Cameras' }),
    line('s#6', 'film', 600),
    line('s#7', 'film', 0, { quantity: 0, returned: 1, refunded: 150 }),
  ],
  products: [{ product: 'bag', name: 'Bag', category: 'Bags', price: 3000 }],
  campaigns: [{ campaign: 'spring', title: 'Spring', perMessage: 2.5, perCoupon: 10 }],
  messages: [
    sent('m1', 'ann-2', 'spring', '2026-01-08T08:00:00.000Z', { coupon: true }),
    sent('m1', 'ann-2', 'spring', '2026-01-12T08:00:00.000Z', {
      coupon: true,
      convertedAt: '2026-01-10T12:00:00.000Z',
    }),
    sent('m2', 'ann', 'other', '2026-01-10T11:59:59.000Z'),
    sent('m3', 'ann', 'spring', '2026-02-13T12:00:00.000Z'),
    sent('m4', 'bob', 'spring', '2026-01-05T12:00:01.000Z'),
    sent('m5', 'bob', 'spring', '2026-01-01T00:00:00.000Z', { state: 'ghost', arm: 'ghost' }),
  ],
};

let folder: string;
let rows: DuckDbWarehouse;
let files: DuckDbWarehouse;
let tables: DuckDbWarehouse;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kairos-sql-'));
  for (const [name, lines] of Object.entries(LAKE)) {
    const half = Math.ceil(lines.length / 2);
    for (const [i, part] of [lines.slice(0, half), lines.slice(half)].entries()) {
      const file = join(folder, name, `day=2026-06-0${i + 1}`, 'shard-1.ndjson.gz');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, gzipSync(`${part.map((one) => JSON.stringify(one)).join('\n')}\n`));
    }
  }
  rows = await DuckDbWarehouse.ofRows(LAKE, VIEW_PARAMETERS);
  files = await DuckDbWarehouse.ofFolder(folder, VIEW_PARAMETERS);
  tables = await DuckDbWarehouse.ofFolder(folder);
});
afterAll(async () => {
  for (const one of [rows, files, tables]) await one?.close();
  rmSync(folder, { recursive: true, force: true });
});

const NAMES = readdirSync(SQL)
  .filter((name) => name.endsWith('.sql'))
  .map((name) => name.replace('.sql', ''));
/** A value for every parameter that a statement names. */
const PARAMETERS: Parameters = {
  ...VIEW_PARAMETERS,
  until: dayOfDate('2026-01-31'),
  from: dayOfDate('2026-01-01'),
  to: dayOfDate('2026-03-31'),
  months: 1,
  window: 60,
  since: '2026-01-01',
  leave: 0,
  lines: 9,
  products: 9,
  support: 1,
  most: 9,
  dearer: 0.1,
  customers: 9,
  period: 365,
};
const ask = (name: string, parameters: Parameters = {}) => rows.rows(query(name), { ...PARAMETERS, ...parameters });
const day = dayOfDate;

describe('the views', () => {
  it('follow who was merged to who lives, through two merges', async () => {
    expect(await rows.rows('SELECT contact, living FROM living ORDER BY contact')).toEqual([
      { contact: 'ann-2', living: 'ann' },
      { contact: 'ann-3', living: 'ann' },
    ]);
    expect(await rows.rows('SELECT contact, country, since FROM people ORDER BY contact')).toEqual([
      { contact: 'ann', country: 'DE', since: 10 },
      { contact: 'bob', country: 'PL', since: 5 },
    ]);
  });

  it('follow a chain of eight merges', async () => {
    const contacts = Array.from({ length: 8 }, (_, i) => ({ contact: `c${i}`, version: 1, into: `c${i + 1}` }));
    const warehouse = await DuckDbWarehouse.ofRows({ contacts }, VIEW_PARAMETERS);
    expect(await warehouse.rows('SELECT DISTINCT living FROM living')).toEqual([{ living: 'c8' }]);
    await warehouse.close();
  });

  it('count each order once as it stands, none that was cancelled or is to come, other money without its amount', async () => {
    const sales = 'SELECT "order", contact, date, placed, revenue, foreign_money FROM sales ORDER BY "order"';
    expect(await rows.rows(sales)).toEqual([
      { order: 's#1', contact: 'ann', date: '2026-01-10', placed: 1, revenue: 10_000, foreign_money: 0 },
      { order: 's#2', contact: 'ann', date: '2026-01-10', placed: 1, revenue: 2000, foreign_money: 0 },
      { order: 's#3', contact: 'ann', date: '2026-02-20', placed: 1, revenue: 5000, foreign_money: 0 },
      { order: 's#4', contact: 'bob', date: '2026-01-05', placed: 1, revenue: 4000, foreign_money: 0 },
      { order: 's#6', contact: 'bob', date: '2026-03-01', placed: 1, revenue: 0, foreign_money: 1 },
      { order: 's#7', contact: 'bob', date: '2026-03-05', placed: 0, revenue: -150, foreign_money: 0 },
      { order: 's#8', contact: null, date: '2026-03-06', placed: 1, revenue: 1200, foreign_money: 0 },
    ]);
  });

  it('lines add up to sales, order by order, also where an order has none', async () => {
    const apart = `SELECT s."order" FROM sales s LEFT JOIN (
        SELECT "order", sum(revenue) AS revenue, sum(gross) AS gross, sum(valued) AS valued FROM sale_lines GROUP BY "order"
      ) l ON l."order" = s."order"
      WHERE l.revenue IS NULL OR l.revenue <> s.revenue OR l.gross <> s.gross OR l.valued <> s.valued`;
    expect(await rows.rows(apart)).toEqual([]);
    const [{ many } = {}] = await rows.rows('SELECT count(*) AS many FROM sale_lines');
    expect(many).toBe(8);
    expect(
      await rows.rows(`SELECT DISTINCT product, category FROM sale_lines WHERE category IS NOT NULL ORDER BY 1`),
    ).toEqual([
      { product: 'bag', category: 'Bags' },
      { product: 'camera', category: 'Cameras' },
    ]);
  });

  it('tell when a message went out first, what it has cost, and which order came after it', async () => {
    const facts = 'SELECT message, contact, day, sent, cost, converted FROM message_facts ORDER BY message';
    expect(await rows.rows(facts)).toEqual([
      { message: 'm1', contact: 'ann', day: day('2026-01-08'), sent: 1, cost: 12.5, converted: 1 },
      { message: 'm2', contact: 'ann', day: day('2026-01-10'), sent: 1, cost: 0, converted: 0 },
      { message: 'm3', contact: 'ann', day: day('2026-02-13'), sent: 1, cost: 2.5, converted: 0 },
      { message: 'm4', contact: 'bob', day: day('2026-01-05'), sent: 1, cost: 2.5, converted: 0 },
      { message: 'm5', contact: 'bob', day: null, sent: 0, cost: 0, converted: 0 },
    ]);
    // Seven days to the second is too long ago, and what comes a second after the order is no touch.
    expect(await rows.rows('SELECT "order", campaign FROM touches ORDER BY 1')).toEqual([
      { order: 's#1', campaign: 'other' },
      { order: 's#2', campaign: 'other' },
    ]);
  });
});

describe('the statements', () => {
  it('customers: what the models need of each, and what its mail has cost', async () => {
    expect(await ask('customers')).toEqual([
      {
        contact: 'ann',
        days: 2,
        first_day: day('2026-01-10'),
        last_day: day('2026-02-20'),
        orders: 3,
        revenue: 17_000,
        first_revenue: 12_000,
        margin: 3000,
        valued: 10_000,
        messages: 3,
        coupons: 1,
        cost: 15,
      },
      {
        contact: 'bob',
        days: 2,
        first_day: day('2026-01-05'),
        last_day: day('2026-03-01'),
        orders: 2,
        revenue: 3850,
        first_revenue: 4000,
        margin: 800,
        valued: 4000,
        messages: 1,
        coupons: 0,
        cost: 2.5,
      },
    ]);
  });

  it('holdout: as of a day, and what came after it', async () => {
    const [ann, bob] = await ask('holdout');
    expect(ann).toMatchObject({
      contact: 'ann',
      days: 1,
      orders: 2,
      revenue: 12_000,
      later_days: 1,
      later_revenue: 5000,
    });
    expect(bob).toMatchObject({ contact: 'bob', days: 1, revenue: 4000, later_days: 1, later_revenue: -150 });
    expect(await ask('tracking')).toEqual([
      { day: day('2026-02-20'), repeats: 1 },
      { day: day('2026-03-01'), repeats: 1 },
    ]);
  });

  it('retention and cohorts by month and by quarter', async () => {
    const january = 12 * 2026;
    expect(await ask('retention')).toEqual([
      { period: january, buyers: 2, again: 1, new_buyers: 2 },
      { period: january + 1, buyers: 1, again: 0, new_buyers: 0 },
      { period: january + 2, buyers: 1, again: 0, new_buyers: 0 },
    ]);
    expect(await ask('retention', { months: 3 })).toEqual([{ period: 4 * 2026, buyers: 2, again: 0, new_buyers: 2 }]);
    expect(await ask('cohorts')).toEqual([
      { cohort: january, later: 0, buyers: 2, revenue: 16_000 },
      { cohort: january, later: 1, buyers: 1, revenue: 5000 },
      { cohort: january, later: 2, buyers: 1, revenue: -150 },
    ]);
  });

  it('repeats, gaps and churn count days with an order, not credit notes', async () => {
    expect(await ask('repeats')).toEqual([{ days: 2, customers: 2, revenue: 20_850 }]);
    expect(await ask('gaps')).toEqual([
      { gap: 41, gaps: 1, firsts: 1 },
      { gap: 55, gaps: 1, firsts: 1 },
    ]);
    // Bob's 55 days are longer than 50: he lapses, comes back, and lapses again; Ann lapses once.
    expect(await ask('churn', { window: 50 })).toEqual([
      { day: day('2026-01-05'), began: 1, lapsed: 0 },
      { day: day('2026-01-10'), began: 1, lapsed: 0 },
      { day: day('2026-02-24'), began: 0, lapsed: 1 },
      { day: day('2026-03-01'), began: 1, lapsed: 0 },
      { day: day('2026-04-11'), began: 0, lapsed: 1 },
      { day: day('2026-04-20'), began: 0, lapsed: 1 },
    ]);
  });

  it('pareto: hundredths of customers by revenue, and by the margin that is left after their mail', async () => {
    expect(await ask('pareto')).toEqual([
      {
        percent: 50,
        customers: 1,
        orders: 3,
        revenue: 17_000,
        margin: 3000,
        valued: 10_000,
        cost: 15,
        least: 17_000,
        most: 17_000,
      },
      {
        percent: 100,
        customers: 1,
        orders: 2,
        revenue: 3850,
        margin: 800,
        valued: 4000,
        cost: 2.5,
        least: 3850,
        most: 3850,
      },
    ]);
    expect(await ask('pareto-margin')).toMatchObject([
      { percent: 50, revenue: 17_000, profit: 2985, unprofitable: 0, lost: 0 },
      { percent: 100, revenue: 3850, profit: 797.5 },
    ]);
  });

  it('what a period brought in and has cost, by customer and in all', async () => {
    expect(await ask('period-value', { from: day('2026-02-01'), to: day('2026-02-28') })).toEqual([
      { contact: 'ann', orders: 1, revenue: 5000, margin: 0, valued: 0, messages: 1, coupons: 0, cost: 2.5 },
    ]);
    expect(await ask('totals')).toEqual([
      {
        orders: 6,
        customers: 2,
        guest_orders: 1,
        foreign_orders: 1,
        credit_notes: 1,
        gross: 26_200,
        refunded: 4150,
        revenue: 22_050,
        guest_revenue: 1200,
        margin: 3800,
        valued: 14_000,
        first_day: day('2026-01-05'),
        last_day: day('2026-03-06'),
      },
    ]);
    expect((await ask('revenue-by-day')).reduce((sum, { revenue }) => sum + Number(revenue), 0)).toBe(22_050);
  });

  const sorted = (found: Row[]): string[] => found.map((row) => JSON.stringify(row)).sort();
  it.each(NAMES)('%s answers alike over rows, over files, with its views before it, and over nothing', async (name) => {
    const expected = sorted(await ask(name));
    // Of dearer products of one category, and of orders that are left out, test/functions/next-counts.test.ts speaks.
    if (name !== 'upgrades' && name !== 'next-cases') expect(expected.length).toBeGreaterThan(0);
    expect(sorted(await files.rows(query(name), PARAMETERS))).toEqual(expected);
    expect(sorted(await tables.rows(withViews(query(name)), PARAMETERS))).toEqual(expected);
    const empty = await DuckDbWarehouse.ofRows({}, VIEW_PARAMETERS);
    expect((await empty.rows(query(name), PARAMETERS)).length).toBeLessThanOrEqual(1);
    await empty.close();
  });
});

/** Functions of both engines that mean the same in both, also where a value is absent. */
const FUNCTIONS = new Set(
  'abs avg ceil coalesce count date_diff date_trunc first_value floor greatest grouping lag last_value lead least length ln lower max min month ntile nullif rank dense_rank round row_number sqrt substr sum upper year cast'.split(
    ' ',
  ),
);
const WORDS = new Set(
  'and as by case distinct else exists from having in join lateral not on or over partition then union using values when where with all sets select'.split(
    ' ',
  ),
);

describe('the dialect', () => {
  const texts = [...NAMES, ...VIEWS.map((view) => `views/${view}`)];
  it.each(texts)('%s can be read by Trino', (name) => {
    const text = withParameters(withViews(query(name)), PARAMETERS);
    expect(new TrinoSQL().validate(text)).toEqual([]);
  });

  it.each(texts)('%s uses no function that only one of the engines knows, or knows otherwise', (name) => {
    const text = query(name).replace(/--.*|'[^']*'/g, ' ');
    const called = [...text.matchAll(/\b([a-z_]+)\s*\(/gi)].map(([, word]) => word?.toLowerCase() as string);
    // A name before a parenthesis is a function, a word of the language, or a type or common table.
    const own = [...text.matchAll(/\b([a-z_]+) AS \(/gi)].map(([, word]) => word?.toLowerCase());
    expect(called.filter((word) => !FUNCTIONS.has(word) && !WORDS.has(word) && !own.includes(word))).toEqual([]);
    expect(text).not.toMatch(/[[\]]|\bILIKE\b/i);
  });

  it('is not taken for granted: what only DuckDB reads is refused', () => {
    for (const text of [
      'SELECT a::int FROM t',
      'SELECT * FROM t QUALIFY x = 1',
      'SELECT into FROM t',
      'FROM t SELECT a',
    ]) {
      expect(new TrinoSQL().validate(text), text).not.toEqual([]);
    }
  });
});
