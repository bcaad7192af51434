// Where a report gets its figures: the lake of a stage, or a plain file of orders with no stack at all.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { KairosError } from '../domain/fault.ts';
import { calendarDay, dateOfDay, dayOfDate } from '../domain/insight/customer.ts';
import type { Models } from '../domain/insight/models.ts';
import type { Shop } from '../domain/insight/order-rows.ts';
import { isDate, OrdersMapping } from '../domain/mapping.ts';
import { AthenaWarehouse } from '../functions/aws/athena.ts';
import { readableModels } from '../functions/aws/model-store.ts';
import { withViews } from '../functions/aws/queries.ts';
import { pooled } from '../functions/aws/table.ts';
import type { Warehouse } from '../functions/aws/warehouse.ts';
import { ATHENA_PREFIX, databaseName, LAKE_PREFIX, workgroupName } from '../infra/names.ts';
import type { Stage as StageName } from '../infra/settings.ts';
import { DuckDbWarehouse, type ViewParameters } from './duckdb.ts';
import { fileSize } from './import-csv.ts';
import { readMapping, readOrders } from './import-orders.ts';
import { sayFile, tablesOf } from './insight-file.ts';
import { output } from './outputs.ts';
import { openStage, progressLine, readBook, type Stage } from './stage.ts';

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
  /** The stage whose lake it is, for what only contacts tell; absent for a file. */
  stage?: Stage;
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
 * Throws KairosError `insight.mapping` or `insight.until` for options that do not go together, `insight.unpublished` for a
 * stage that knows no shop, and what reading the file or finding the stage throws.
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
  if (orders === undefined) return openLake(options);
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

/** The lake of a stage: on a laptop its files in DuckDB, in AWS Athena, each with the views of this version. */
async function openLake({ stage, until, mapping }: SourceOptions): Promise<InsightSource> {
  if (mapping !== undefined) {
    throw new KairosError({
      code: 'insight.orders',
      path: '--mapping',
      message: 'A mapping says how a file of orders is read, and none is given.',
      remedy: 'Give --orders FILE too, or leave --mapping out.',
    });
  }
  const opened = await openStage({ stage });
  const { definitions } = await readBook(opened);
  if (definitions.ordinal === 0) {
    throw new KairosError({
      code: 'insight.unpublished',
      path: '',
      message: 'Nothing is published yet, so neither currency nor zone of the shop are known.',
      remedy: 'Publish first: npx kairos publish. A file of orders needs no stage: --orders FILE --mapping FILE.',
    });
  }
  const { settings, catalogue } = definitions;
  const shop = { currency: settings.currency, zone: settings.zone, catalogue };
  const now = opened.now();
  // The last whole day, as the nightly run has it: what a day has brought so far is not what it will.
  const today = until === undefined ? calendarDay(now, shop.zone) - 1 : dayOfDate(until);
  const views = { currency: shop.currency, today };
  const warehouse = opened.target.stage === 'laptop' ? await ofBucket(opened, views) : athenaOf(opened, views);
  const models = await readableModels(opened.table, opened.bucket);
  const [brand] = Object.values(settings.brands);
  return {
    warehouse,
    shop,
    today,
    ...(models !== undefined && until === undefined && { models: models.models }),
    says:
      `The lake of stage ${opened.target.stage}, up to ${dateOfDay(today)}` +
      (models === undefined || until !== undefined
        ? '; models are fitted to it on the spot.'
        : `; models as of ${dateOfDay(models.models.today)}.`),
    name: brand?.legalName ?? opened.target.stage,
    stage: opened,
    now,
    close: () => warehouse.close(),
  };
}

/** Copies the lake of a laptop run into a folder, and asks it there. */
async function ofBucket({ s3, target }: Stage, views: ViewParameters): Promise<DuckDbWarehouse> {
  const bucket = output(target, 'BucketName');
  const folder = await mkdtemp(path.join(tmpdir(), 'kairos-lake-'));
  try {
    const files: string[] = [];
    for await (const { Contents = [] } of paginateListObjectsV2(
      { client: s3 },
      { Bucket: bucket, Prefix: LAKE_PREFIX },
    ))
      files.push(...Contents.flatMap(({ Key }) => Key ?? []));
    const line = progressLine('Reading the lake, files');
    let read = 0;
    await pooled(files, 8, async (name) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: name }));
      const file = path.join(folder, name.slice(LAKE_PREFIX.length));
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, (await Body?.transformToByteArray()) ?? new Uint8Array());
      read += 1;
      line.at(read, files.length);
    });
    line.end();
    return await DuckDbWarehouse.ofFolder(folder, views);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Athena over the lake of a stage in AWS: the views are put before each statement, so that none need to be there. */
function athenaOf({ target, s3 }: Stage, views: ViewParameters): Warehouse & { close(): Promise<void> } {
  const stage = target.stage as Exclude<StageName, 'laptop'>;
  const athena = new AthenaWarehouse(
    {
      workgroup: workgroupName(stage),
      database: databaseName(stage),
      output: `s3://${output(target, 'BucketName')}/${ATHENA_PREFIX}`,
    },
    { s3 },
  );
  return {
    rows: (sql, parameters = {}) => athena.rows(withViews(sql), { ...views, ...parameters }),
    close: async () => {},
  };
}
