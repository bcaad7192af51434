// The nightly run: views made anew, customers and products counted, models fitted and put in their place, contacts walked.
import type { Book } from '../../domain/book.ts';
import { type Buyer, buyersOf } from '../../domain/insight/buyers.ts';
import { calendarDay, dateOfDay } from '../../domain/insight/customer.ts';
import { CustomerTable } from '../../domain/insight/customer-table.ts';
import { discoverGroups } from '../../domain/insight/groups.ts';
import type { Groups, ModelPart, NextProducts, PublishedModels } from '../../domain/insight/models.ts';
import { nextProducts } from '../../domain/insight/next-product.ts';
import type { Said } from '../../domain/insight/purchases.ts';
import { type Found, type Last, refreshModels } from '../../domain/insight/refresh.ts';
import { sha256 } from '../../domain/interaction.ts';
import { unitsPerMajor } from '../../domain/money.ts';
import type { BookStore } from './book-store.ts';
import type { Files } from './bucket.ts';
import { Ledger } from './erasures.ts';
import { faultOf, type Log } from './handler.ts';
import { dayOf, KINDS } from './lake.ts';
import { compactDay } from './lake-days.ts';
import { modelsPointer, readModels, storeModels } from './model-store.ts';
import { type ModelsRun, readModelsRun } from './models-run.ts';
import { countNext } from './next-counts.ts';
import { query, VIEWS } from './queries.ts';
import type { Queue } from './queue.ts';
import { type ModelsWalk, modelSteps, SETTLE_SECONDS } from './roster.ts';
import { key, type Table } from './table.ts';
import type { Parameters, Row, Warehouse } from './warehouse.ts';

/** Groups are found among so many customers at most, drawn by a hash: more would say the same, and not fit into memory. */
const MOST_GROUPED = 60_000;
const DAY = 86_400_000;

/** A warehouse that gives rows as they come, makes views, and says what it has cost. */
export interface NightlyWarehouse extends Warehouse {
  batches(sql: string, parameters?: Parameters): AsyncIterable<Row[]>;
  run(sql: string, parameters?: Parameters): Promise<void>;
  readonly used: { statements: number; scanned: number };
}

export interface RefreshDeps {
  warehouse: NightlyWarehouse;
  table: Table;
  bucket: Files;
  books: Pick<BookStore, 'fresh'>;
  queue: Pick<Queue, 'send'>;
  rosterUrl: string;
  now: () => number;
  log: Log;
}

/**
 * One run. What fails is written down, and thrown: the models stay as they are. Two at once fit the same, and one of them
 * moves the pointer.
 */
export async function refreshInsight(deps: RefreshDeps): Promise<void> {
  try {
    await refresh(deps);
  } catch (error) {
    await noteFailure(error, deps).catch((unnoted: unknown) => deps.log.error('insight.unnoted', faultOf(unnoted)));
    throw error;
  }
}

async function refresh(deps: RefreshDeps): Promise<void> {
  const { warehouse, table, now, log } = deps;
  const book = await deps.books.fresh();
  if (book.definitions.ordinal === 0) {
    log.info('insight.nothing', { says: 'nothing is published: nothing is known of the shop' });
    return;
  }
  const { currency, zone } = book.definitions.settings;
  // The last whole day: what a day has brought so far is not what it will.
  const today = calendarDay(now(), zone) - 1;
  const shop = { currency, today };
  await compactYesterday(deps);
  for (const view of VIEWS) {
    await warehouse.run(`CREATE OR REPLACE VIEW ${view} AS ${withoutComments(query(`views/${view}`))}`, shop);
  }
  const { before, run, last } = await standing(deps);
  const found: Found = { customers: await readCustomers(warehouse, today) };
  found.next = await tried(() => readNext(warehouse, shop), 'next', log);
  found.groups = await tried(
    () => readGroups(warehouse, { ...shop, customers: found.customers.size, former: last?.models.groups }),
    'groups',
    log,
  );
  const at = now();
  const { models, moved, notes, good } = refreshModels(found, last, { today, at, currency });
  for (const { part, kind, code, says } of notes) log.warn(`models.${kind}`, { part, code, says });
  let standingNow = before;
  let isNew = false;
  if (moved.length > 0) {
    const stored = await storeModels(models, before, { table, bucket: deps.bucket, now: at });
    if (stored === undefined) {
      log.warn('models.conflict', { says: 'another run was faster: its models stand' });
      return;
    }
    standingNow = stored;
    isNew = true;
  }
  // Models that stand without a record are those of a run that broke off: whether they were walked nobody knows.
  const broken = before !== undefined && run?.models?.ordinal !== before.ordinal && book.readsModels.size > 0;
  const reads = isNew && isRead(moved, book);
  const walk = standingNow !== undefined && (reads || broken) ? walkOf(standingNow, at) : undefined;
  // A walk that has not ended within a day has lost a step: again, each shard goes on at its checkpoint.
  const unended = run?.walk !== undefined && run.walk.endedAt === undefined ? run.walk : undefined;
  await writeRun(table, {
    at,
    today,
    customers: found.customers.size,
    orders: found.customers.orders,
    moved,
    notes,
    good,
    ...(standingNow && { models: { hash: standingNow.hash, ordinal: standingNow.ordinal } }),
    ...(walk !== undefined ? { walk } : run?.walk !== undefined ? { walk: run.walk } : {}),
  });
  // Workers hold the former models for ten seconds; by then the walk must not have met a contact with them.
  const open = walk ?? unended;
  if (open !== undefined) await deps.queue.send(deps.rosterUrl, modelSteps(open, table.shards), SETTLE_SECONDS);
  log.info('insight.done', {
    until: dateOfDay(today),
    customers: found.customers.size,
    leftOut: found.customers.leftOut,
    moved: moved.join(' '),
    walks: walk !== undefined,
    statements: warehouse.used.statements,
    scanned: warehouse.used.scanned,
  });
}

/** Statements explain themselves; the catalogue keeps what a view says, not why. */
const withoutComments = (sql: string): string => sql.replace(/--[^\n]*/g, '').trim();

/** Puts yesterday's files together, by kind: Athena opens a day's one file, and not the one of each minute and shard. */
async function compactYesterday({ bucket, now, log }: RefreshDeps): Promise<void> {
  const day = dayOf(now() - DAY);
  const ledger = new Ledger(bucket);
  for (const kind of KINDS) {
    try {
      const { files, filesNow } = await compactDay(bucket, kind, day, { ledger });
      if (files > filesNow) log.info('lake.compacted', { kind, day, files, filesNow });
    } catch (error) {
      // The files stay as they are, and are read as well.
      log.error('lake.uncompacted', { kind, day, ...faultOf(error) });
    }
  }
}

/** Whether some rule of the book reads what has moved. */
const isRead = (moved: ModelPart[], { readsModels }: Book): boolean => moved.some((part) => readsModels.has(part));

const walkOf = ({ hash, ordinal }: PublishedModels, startedAt: number): ModelsWalk => ({ hash, ordinal, startedAt });

/** What stands: the pointer, the models as far as they can be read, and the last run. */
async function standing({ table, bucket, log }: RefreshDeps) {
  const found = await table.read([key.models(), key.modelsRun()]);
  const pointer = modelsPointer(found.get(key.models()));
  const run = readModelsRun(found.get(key.modelsRun()));
  if (pointer === undefined) return { before: undefined, run, last: undefined };
  try {
    const before: PublishedModels = await readModels(bucket, pointer.hash);
    const last: Last = { models: before.models, good: run?.good ?? {} };
    return { before, run, last };
  } catch (error) {
    // They are replaced, not repaired; what follows them is new to everybody.
    log.error('models.unreadable', { ...faultOf(error), hash: pointer.hash, kept: 'none' });
    const before = { hash: pointer.hash, ordinal: pointer.ordinal, since: {} } as PublishedModels;
    return { before, run, last: undefined };
  }
}

async function readCustomers(warehouse: NightlyWarehouse, today: number): Promise<CustomerTable> {
  const customers = new CustomerTable();
  for await (const batch of warehouse.batches(query('model-customers'))) {
    for (const row of batch) {
      const { days, first_day: first, last_day: last, orders, revenue, first_revenue: firstRevenue } = row;
      customers.add(
        { days, first, last, orders, revenue, firstRevenue, margin: row.margin, valued: row.valued },
        today,
      );
    }
  }
  return customers;
}

/** A part whose statements fail is not looked for tonight: the others are. */
async function tried<T>(work: () => Promise<T>, part: ModelPart, log: Log): Promise<T | Said> {
  try {
    return await work();
  } catch (error) {
    const says = error instanceof Error ? error.message : String(error);
    log.error('models.uncounted', { part, ...faultOf(error), says });
    return { code: 'uncounted', says: `It could not be counted: ${says}` };
  }
}

async function readNext(warehouse: Warehouse, shop: { today: number; currency: string }): Promise<NextProducts | Said> {
  const next = nextProducts(await countNext(warehouse, shop));
  const some = Object.keys(next.popular).length + Object.keys(next.together).length > 0;
  return some ? next : { code: 'no-orders', says: 'No product was ordered yet.' };
}

async function readGroups(
  warehouse: NightlyWarehouse,
  {
    today,
    currency,
    customers,
    former,
  }: { today: number; currency: string; customers: number; former: Groups | undefined },
): Promise<Groups | Said> {
  const share = Math.min(1, MOST_GROUPED / Math.max(1, customers));
  const drawn = async (name: string): Promise<Row[]> => {
    const rows: Row[] = [];
    for await (const batch of warehouse.batches(query(name))) {
      for (const row of batch) if (share === 1 || drawOf(String(row.contact)) < share) rows.push(row);
    }
    return rows;
  };
  const features = await drawn('customer-features');
  const buyers: Buyer[] = buyersOf(features, await drawn('customer-categories'));
  const found = discoverGroups(buyers, { today, unit: unitsPerMajor(currency) }, former);
  if (found.kind === 'none') return { code: found.code, says: found.says };
  const { model } = found;
  const groups = model.groups.map((group) => ({ ...group, customers: Math.round(group.customers / share) }));
  return share === 1 ? model : { ...model, groups };
}

/** A number from 0 to 1, always the same of a contact. */
const drawOf = (contact: string): number => Number.parseInt(sha256(contact).slice(0, 8), 16) / 0x1_0000_0000;

async function writeRun(table: Table, run: ModelsRun): Promise<void> {
  await table.overwrite({ ...key.modelsRun(), shape: 1, ...run });
}

/** Beside what the last good run has come to. */
async function noteFailure(error: unknown, { table, now, log }: RefreshDeps): Promise<void> {
  const says = error instanceof Error ? error.message.slice(0, 500) : String(error);
  log.error('insight.failed', { ...faultOf(error), says });
  await table.update(key.modelsRun(), {
    UpdateExpression: 'SET failed = :failed, #shape = :shape',
    ExpressionAttributeNames: { '#shape': 'shape' },
    ExpressionAttributeValues: { ':failed': { at: now(), error: faultOf(error).error, says }, ':shape': 1 },
  });
}
