// Where a report gets its figures: the lake of a stage, or a plain file of orders with no stack at all.
import path from 'node:path';
import { KairosError } from '../domain/fault.ts';
import type { Models } from '../domain/insight/models.ts';
import type { Shop } from '../domain/insight/order-rows.ts';
import { isDate, OrdersMapping } from '../domain/mapping.ts';
import type { Warehouse } from '../functions/aws/warehouse.ts';
import { DuckDbWarehouse } from './duckdb.ts';
import { fileSize } from './import-csv.ts';
import { readMapping, readOrders } from './import-orders.ts';
import { sayFile, tablesOf } from './insight-file.ts';
import { progressLine } from './stage.ts';

export interface InsightSource {
  /** The tables of the lake, and the views over them. */
  warehouse: Warehouse;
  shop: Shop;
  /** The last day that counts, as a number of days since 1970-01-01 in the shop's calendar. */
  today: number;
  /** What the stage's nightly run has fitted; absent for a file. */
  models?: Models;
  /** In a sentence: what was read, and what was left out. */
  says: string;
  /** What the shop, or the file, is called. */
  name?: string;
  /** The clock of the stage, epoch milliseconds; of a file, this machine's. */
  now?: number;
  close(): Promise<void>;
}

/** What every report can be asked with: a file of orders and its mapping, or a stage. */
export interface SourceOptions {
  orders?: string | undefined;
  mapping?: string | undefined;
  /** The last day that counts, YYYY-MM-DD. */
  until?: string | undefined;
  stage?: string | undefined;
}

/**
 * Opens where a report gets its figures: the file, where one is named, else the stage. Whoever opens it closes it.
 * Throws KairosError `insight.mapping`, `insight.until` or `insight.orders` for options that do not go together, and what
 * reading the file or finding the stage throws.
 */
export async function openSource(options: SourceOptions): Promise<InsightSource> {
  const { orders, mapping, until } = options;
  if (until !== undefined && !isDate(until)) {
    throw new KairosError({
      code: 'insight.until',
      path: '--until',
      message: `${JSON.stringify(until)} is not a date.`,
      remedy: 'Write a date such as 2026-03-01.',
    });
  }
  if (orders === undefined) {
    throw new KairosError({
      code: 'insight.orders',
      path: '--orders',
      message: 'A report needs a file of orders.',
      remedy: 'Give --orders FILE.csv --mapping MAPPING.json.',
    });
  }
  if (mapping === undefined) {
    throw new KairosError({
      code: 'insight.mapping',
      path: '--mapping',
      message: 'A file of orders needs a mapping, which says how it is read.',
      remedy: 'Write one as in templates/imports (docs/import.md), and give --mapping FILE.',
    });
  }
  return openFile(orders, mapping, until);
}

async function openFile(orders: string, mappingFile: string, until: string | undefined): Promise<InsightSource> {
  const mapping = await readMapping(mappingFile, OrdersMapping);
  const bytes = await fileSize(orders);
  const line = progressLine(`Reading ${orders}, percent`);
  const file = await readOrders(orders, mapping, {
    onProgress: (read) => line.at(Math.floor((100 * read) / bytes)),
  });
  line.end();
  const tables = tablesOf(file, mapping, until);
  const warehouse = await DuckDbWarehouse.ofRows(tables.tables, {
    currency: tables.shop.currency,
    today: tables.today,
  });
  return {
    warehouse,
    shop: tables.shop,
    today: tables.today,
    says: sayFile(path.basename(orders), file, tables),
    name: mapping.title ?? path.basename(orders),
    now: Date.now(),
    close: () => warehouse.close(),
  };
}
