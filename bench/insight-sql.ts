// All SQL over the lake in DuckDB on two threads: a million order lines made by DuckDB itself, every view and every statement.
import { readdirSync } from 'node:fs';
import { DuckDbWarehouse } from '../cli/duckdb.ts';
import { cubeStatement } from '../domain/insight/cube.ts';
import { dateOfDay } from '../domain/insight/customer.ts';
import { NEXT_BOUNDS } from '../functions/aws/next-counts.ts';
import { query } from '../functions/aws/queries.ts';
import type { Warehouse } from '../functions/aws/warehouse.ts';

const SQL = new URL('../functions/aws/sql/', import.meta.url);
const LINES = 1_000_000;
const ORDERS = LINES / 4;
const CUSTOMERS = 60_000;
const PRODUCTS = 2_000;
const MESSAGES = 500_000;
const FIRST_DAY = 20_454;
const DAYS = 730;

export interface SqlBench {
  lines: number;
  orders: number;
  customers: number;
  messages: number;
  /** Milliseconds: the views, each statement, and all of it. */
  views: number;
  statements: Record<string, number>;
  total: number;
  /** Processor time of it, of both threads together: what else runs on the machine does not count. */
  cpu: number;
}

/** Makes the lake, the views and asks every statement once, with any figure by anything among them. */
export async function measureSql(): Promise<SqlBench> {
  let filled = 0;
  let begun = process.cpuUsage();
  const warehouse = await DuckDbWarehouse.ofTables(
    async (run) => {
      for (const sql of LAKE) await run(sql);
      filled = performance.now();
      begun = process.cpuUsage();
    },
    { currency: 'EUR', today: FIRST_DAY + DAYS },
  );
  const views = performance.now() - filled;
  const names = readdirSync(SQL).flatMap((file) => (file.endsWith('.sql') ? [file.replace('.sql', '')] : []));
  const statements: Record<string, number> = {};
  for (const name of names) statements[name] = await timed(warehouse, query(name));
  statements['by country, category'] = await timed(warehouse, cubeStatement({ by: ['country', 'category'] }));
  statements['by campaign, month'] = await timed(warehouse, cubeStatement({ by: ['campaign', 'month'] }));
  const { user, system } = process.cpuUsage(begun);
  await warehouse.close();
  const total = views + Object.values(statements).reduce((sum, one) => sum + one, 0);
  return {
    lines: LINES,
    orders: ORDERS,
    customers: CUSTOMERS,
    messages: MESSAGES,
    views,
    statements,
    total,
    cpu: (user + system) / 1000,
  };
}

/** The lake: customers of whom some buy far more often, a tenth of them merged, two years, a mail now and then. */
const LAKE = [
  `INSERT INTO orders ("order", version, contact, "at", date, completed, cancelled, currency, revenue, refunded, margin,
    valued, discount, coupon, channel, source)
  SELECT 's#' || i, 1, 'c' || CAST(floor(${CUSTOMERS} * pow(hash(i) % 1000003 / 1000003.0, 3)) AS bigint),
    (${FIRST_DAY} + hash(i, 1) % ${DAYS}) * 86400000 + 43200000,
    strftime(DATE '1970-01-01' + CAST(${FIRST_DAY} + hash(i, 1) % ${DAYS} AS integer), '%Y-%m-%d'), true, i % 97 = 0, 'EUR',
    8000 + hash(i, 2) % 4000, CASE WHEN i % 20 = 0 THEN 1000 ELSE 0 END, 2500, 8000, 0, i % 9 = 0,
    CASE WHEN i % 3 = 0 THEN 'web' ELSE 'shop' END, 's'
  FROM range(${ORDERS}) t(i)`,
  `INSERT INTO lines ("order", version, line, product, category, quantity, returned, revenue, refunded, margin)
  SELECT 's#' || (i // 4), 1, i % 4, 'p' || CAST(floor(${PRODUCTS} * pow(hash(i, 3) % 1000003 / 1000003.0, 2)) AS bigint),
    'k' || hash(i, 3) % 20, 1, 0, 2000 + hash(i, 4) % 1000, 0, 600
  FROM range(${LINES}) t(i)`,
  `INSERT INTO contacts (contact, version, "into", createdAt, country)
  SELECT 'c' || i, 1, CASE WHEN i % 10 = 9 THEN 'c' || (i - 1) END, i, ['DE', 'PL', 'FR', 'AT'][1 + i % 4]
  FROM range(${CUSTOMERS}) t(i)`,
  `INSERT INTO products (product, name, category, price, margin)
  SELECT 'p' || i, 'p' || i, 'k' || i % 20, 1000 + i, 0.3 FROM range(${PRODUCTS}) t(i)`,
  `INSERT INTO campaigns (campaign, perMessage) SELECT 'm' || i, 1.5 FROM range(8) t(i)`,
  `INSERT INTO messages (message, contact, campaign, state, arm, "at", plannedAt, coupon)
  SELECT 'x' || i, 'c' || hash(i, 5) % ${CUSTOMERS}, 'm' || i % 8, 'sent', 'sent', w."at", w."at", false
  FROM (SELECT i, strftime(DATE '1970-01-01' + CAST(${FIRST_DAY} + hash(i, 6) % ${DAYS} AS integer), '%Y-%m-%d')
    || 'T09:00:00.000Z' AS "at" FROM range(${MESSAGES}) t(i)) w`,
];

async function timed(warehouse: Warehouse, sql: string): Promise<number> {
  const started = performance.now();
  await warehouse.rows(sql, PARAMETERS);
  return performance.now() - started;
}

const PARAMETERS = {
  currency: 'EUR',
  today: FIRST_DAY + DAYS,
  from: FIRST_DAY + 365,
  to: FIRST_DAY + DAYS,
  until: FIRST_DAY + 365,
  months: 1,
  window: 90,
  // Of what goes together, as the nightly run asks for it.
  since: dateOfDay(FIRST_DAY + DAYS - NEXT_BOUNDS.days),
  leave: 0,
  lines: NEXT_BOUNDS.lines,
  products: NEXT_BOUNDS.products,
  support: NEXT_BOUNDS.support,
  most: 20,
  dearer: 0.1,
  customers: 100_000,
  period: 365,
};

export function saySql({ lines, orders, customers, messages, views, statements, total, cpu }: SqlBench): string {
  const number = (value: number): string => value.toLocaleString('en');
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`.padStart(9);
  return [
    `${number(lines)} lines of ${number(orders)} orders, ${number(customers)} contacts, ${number(messages)} messages; DuckDB, 2 threads`,
    `${seconds(views)}  views`,
    ...Object.entries(statements).map(([name, ms]) => `${seconds(ms)}  ${name}`),
    `${seconds(total)}  all of it, ${seconds(cpu).trim()} of processor time`,
  ].join('\n');
}
