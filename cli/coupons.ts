// kairos coupons: codes of a pool brought in from a file, what is left of each pool, and what became of one code.
import type { Command } from 'commander';
import { type CouponFile, type CouponRow, isUsable, knownAs, parseCouponRow, worthOf } from '../domain/coupon.ts';
import { KairosError, nearest, sayFault } from '../domain/fault.ts';
import type { GivenCoupon } from '../domain/message.ts';
import { formatMoney } from '../domain/money.ts';
import { NO_CURRENCY } from '../domain/order.ts';
import { jitter, sleep } from '../functions/aws/clock.ts';
import {
  countPool,
  dropCode,
  freeCodeItems,
  freeCodes,
  importedPools,
  type PoolCounts,
  readCode,
  type StoredCode,
} from '../functions/aws/coupons.ts';
import { Cancelled, chunks, key, pooled, readMessage, readOrder, type Table } from '../functions/aws/table.ts';
import { readLiving } from '../functions/aws/world.ts';
import { fileSize, readCsv } from './import-csv.ts';
import { LineFaults } from './import-orders.ts';
import { askForMany, openStage, progressLine, readBook, STAGE_OPTION, type Stage, stamp } from './stage.ts';
import { count } from './validate.ts';

/** Codes of one transaction: each is two items. */
const AT_ONCE = 50;
/** Rows that are worked off together; of the others only the codes are kept, to know one that comes again. */
const HELD = 2_000;
const WIDTH = 4;
const MOST_ATTEMPTS = 5;

/** Names that tools give their columns, in small letters without anything else. */
const COLUMNS: Record<keyof CouponRow, string[]> = {
  code: [
    'code',
    'coupon',
    'couponcode',
    'discountcode',
    'promocode',
    'promotioncode',
    'vouchercode',
    'voucher',
    'name',
  ],
  value: ['value', 'amount', 'discount', 'discountvalue', 'percent', 'percentoff', 'amountoff', 'worth'],
  currency: ['currency', 'currencycode'],
  expiry: [
    'expiry',
    'expires',
    'expiresat',
    'expirydate',
    'expirationdate',
    'expiration',
    'validuntil',
    'validto',
    'endsat',
    'enddate',
    'ends',
  ],
};

/** What became of each row of the file. */
export interface CouponsImport {
  rows: number;
  /** Codes that are free now; on a dry run, would be. */
  imported: number;
  /** Codes of this pool that were here already: they stay as they are. */
  known: number;
  /** How many of those have another value or expiry in the file. */
  differing: number;
  /** Codes with less than three days left: nobody would be given them. */
  late: number;
  faults: LineFaults;
}

export interface ImportOptions {
  dryRun?: boolean | undefined;
  delimiter?: string | undefined;
  /** Bytes of the file read so far. */
  onProgress?: (bytes: number) => void;
}

interface Row {
  coupon: GivenCoupon;
  line: number;
}

/**
 * Imports the codes of a file to a pool. A code that is there is skipped, so that the same file again, or the rest of
 * one that broke off, adds only what is missing. Costs a read unit and 4 write units a code. Throws a KairosError where
 * nothing is published, the pool cannot be one, or the file has no column with codes.
 */
export async function importCoupons(
  path: string,
  pool: string,
  stage: Pick<Stage, 'table' | 'bucket' | 'now' | 'warn'>,
  { dryRun = false, delimiter, onProgress }: ImportOptions = {},
): Promise<CouponsImport> {
  const { table, now } = stage;
  const file = await couponFile(stage, pool);
  const told: CouponsImport = { rows: 0, imported: 0, known: 0, differing: 0, late: 0, faults: new LineFaults() };
  const lines = new Map<string, number>();
  let columns = new Map<keyof CouponRow, number>();
  let held: Row[] = [];
  let marked = dryRun;
  const workOff = async (): Promise<void> => {
    const rows = held;
    held = [];
    // First, so that the pool is listed also where the import breaks off.
    if (!marked && rows.length > 0) marked = await mark(table, pool, now());
    await pooled(chunks(rows, AT_ONCE), WIDTH, (chunk) => store(chunk, { table, now, told, dryRun }));
  };
  await readCsv(
    path,
    { delimiter, ...(onProgress !== undefined && { onProgress }) },
    {
      header(names) {
        columns = columnsOf(names, path, file);
      },
      row(fields, line) {
        told.rows += 1;
        const read = parseCouponRow(
          Object.fromEntries([...columns].map(([name, index]) => [name, fields[index]])),
          file,
        );
        if ('fault' in read) {
          told.faults.add(line, sayFault(read.fault));
          return undefined;
        }
        const known = knownAs(read.coupon.code);
        const before = lines.get(known);
        if (before !== undefined) {
          told.faults.add(
            line,
            `code: is the same as in line ${before}. Each code is given once: take one of them out.`,
          );
          return undefined;
        }
        lines.set(known, line);
        held.push({ coupon: read.coupon, line });
        return held.length < HELD ? undefined : workOff();
      },
      fault(line, message) {
        told.rows += 1;
        told.faults.add(line, message);
      },
    },
  );
  await workOff();
  return told;
}

async function mark(table: Table, pool: string, at: number): Promise<true> {
  await table.create({ ...key.couponPool(pool), shape: 1, at });
  return true;
}

/** What the published book says of the pool, with a warning where it does not know it. */
async function couponFile(stage: Pick<Stage, 'table' | 'bucket' | 'warn'>, pool: string): Promise<CouponFile> {
  if (!/^[A-Z0-9][A-Z0-9_-]{0,39}$/.test(pool)) {
    const meant = pool
      .toUpperCase()
      .replace(/[^A-Z0-9_-]+/g, '-')
      .replace(/^[-_]+/, '')
      .slice(0, 40);
    throw new KairosError({
      code: 'coupons.pool',
      path: pool,
      message: 'A pool is named in capitals, digits, "_" and "-".',
      remedy: meant === '' ? 'Call it WELCOME10, for example.' : `Call it ${meant}.`,
    });
  }
  const { definitions } = await readBook(stage);
  if (definitions.ordinal === 0) {
    throw new KairosError({
      code: 'coupons.book',
      path: '',
      message: 'Nothing is published yet, so the currency and the zone of the shop are not known.',
      remedy: 'Publish first: npx kairos publish.',
    });
  }
  const { currency, zone } = definitions.settings;
  const pools = definitions.coupons?.pools ?? {};
  const known = Object.hasOwn(pools, pool) ? pools[pool] : undefined;
  if (known === undefined) {
    const near = nearest(pool, Object.keys(pools));
    stage.warn(
      `The published coupons.json has no pool ${pool}: no campaign can draw from it.${near === undefined ? '' : ` Did you mean "${near}"?`}`,
    );
    stage.warn(`Publish it there, or take the codes out again: npx kairos coupons drop ${pool}`);
    return { pool, currency, zone };
  }
  return { pool, currency, zone, worth: worthOf(known, currency) };
}

function columnsOf(names: string[], path: string, { pool, worth }: CouponFile): Map<keyof CouponRow, number> {
  const plain = names.map((name) => name.toLowerCase().replace(/[^a-z0-9]/g, ''));
  const columns = new Map<keyof CouponRow, number>();
  for (const [name, aliases] of Object.entries(COLUMNS) as [keyof CouponRow, string[]][]) {
    const index = aliases.map((alias) => plain.indexOf(alias)).find((each) => each >= 0);
    if (index !== undefined) columns.set(name, index);
  }
  const missing = (what: string, remedy: string): KairosError =>
    new KairosError({
      code: 'import.column',
      file: path,
      path: '',
      message: `the file has no column with ${what}.`,
      received: names.join(', ').slice(0, 300),
      remedy,
    });
  if (!columns.has('code')) {
    const [only = ''] = names;
    const other = names.length === 1 ? /[;\t|]/.exec(only)?.[0] : undefined;
    const near = nearest('code', names);
    throw missing(
      'codes',
      other !== undefined
        ? `Its columns seem to be divided by ${other === '\t' ? 'tabs' : `"${other}"`}: give --delimiter ${other === '\t' ? 'tab' : `"${other}"`}.`
        : near === undefined
          ? 'Its first line names the columns: name one "code".'
          : `Name "${near}" "code".`,
    );
  }
  if (!columns.has('value') && worth === undefined) {
    throw missing('values', `Name one "value" (5.00 or 10%), or publish what ${pool} is worth in coupons.json.`);
  }
  return columns;
}

interface Storing {
  table: Table;
  now: () => number;
  told: CouponsImport;
  dryRun: boolean;
}

/** Stores what of the rows is not there yet, all or nothing; where another import is in the way it looks again. */
async function store(rows: Row[], { table, now, told, dryRun }: Storing): Promise<void> {
  let left = rows;
  for (let attempt = 1; left.length > 0; attempt++) {
    const found = await table.read(left.map(({ coupon }) => key.code(knownAs(coupon.code))));
    left = left.filter(({ coupon, line }) => {
      const item = found.get(key.code(knownAs(coupon.code)));
      if (item !== undefined) {
        const stored = readCode(item);
        if (stored.pool !== coupon.pool) {
          told.faults.add(line, `code: is one of pool ${stored.pool} already. Take it out of one of the two files.`);
        } else {
          told.known += 1;
          if (!sameCoupon(stored, coupon)) told.differing += 1;
        }
        return false;
      }
      if (isUsable(coupon.expires, now())) return true;
      told.late += 1;
      return false;
    });
    if (left.length === 0) return;
    if (!dryRun) {
      try {
        await table.transact(
          left.flatMap(({ coupon }) => freeCodeItems(coupon, now()).map((item) => table.creation(item))),
        );
      } catch (error) {
        if (!(error instanceof Cancelled) || attempt === MOST_ATTEMPTS) throw error;
        await sleep(jitter(attempt));
        continue;
      }
    }
    told.imported += left.length;
    return;
  }
}

const sameCoupon = (one: GivenCoupon, other: GivenCoupon): boolean =>
  (['percent', 'amount', 'currency', 'expires'] as const).every((name) => one[name] === other[name]);

// ---- what is there ----

export interface ListedPool extends PoolCounts {
  /** False: the published coupons.json does not have it. */
  published: boolean;
  worth?: string;
}

/** The pools of the published book and those with codes, counted. Throws KairosError `coupons.unknown`. */
export async function listPools(stage: Pick<Stage, 'table' | 'bucket' | 'now'>, pool?: string): Promise<ListedPool[]> {
  const { table, now } = stage;
  const { definitions } = await readBook(stage);
  const known = definitions.coupons?.pools ?? {};
  const pools = [...new Set([...Object.keys(known), ...(await importedPools(table))])].sort();
  if (pool !== undefined && !pools.includes(pool)) {
    const near = nearest(pool, pools);
    throw new KairosError({
      code: 'coupons.unknown',
      path: pool,
      message: 'There is no pool of this name.',
      remedy:
        near !== undefined
          ? `Did you mean "${near}"?`
          : pools.length === 0
            ? 'There is none at all: name one in coupons.json and publish.'
            : `There are: ${pools.slice(0, 20).join(', ')}.`,
    });
  }
  const at = now();
  const listed: ListedPool[] = [];
  for (const each of pools) {
    if (pool !== undefined && each !== pool) continue;
    const said = Object.hasOwn(known, each) ? known[each] : undefined;
    const worth = said && sayWorth(worthOf(said, definitions.settings.currency));
    const counts = await countPool(table, each, at);
    listed.push({ ...counts, published: said !== undefined, ...(worth !== undefined && { worth }) });
  }
  return listed;
}

/**
 * Takes all codes out of a pool that nobody was given, as if they had never been imported: a shop has withdrawn them, or
 * they came to the wrong pool. Answers how many. Throws KairosError `coupons.unknown` and `many.ask`.
 */
export async function dropCodes(
  stage: Pick<Stage, 'table' | 'bucket' | 'now'>,
  pool: string,
  yes?: boolean,
): Promise<number> {
  const { table } = stage;
  const [{ free, expired } = { free: 0, expired: 0 }] = await listPools(stage, pool);
  askForMany(free + expired, `take ${count(free + expired, 'code')} out of ${pool}`, yes);
  let dropped = 0;
  for await (const coupons of freeCodes(table, pool)) {
    await pooled(coupons, 10, async (coupon) => {
      // Given or redeemed meanwhile: it stays.
      if (await dropCode(table, coupon)) dropped += 1;
    });
  }
  return dropped;
}

/** The pools as a table. */
export function drawPools(pools: ListedPool[]): string[] {
  if (pools.length === 0) return ['There are no coupon pools: name one in coupons.json and publish.'];
  const number = (value: number): string => value.toLocaleString('en');
  const rows = [
    ['pool', 'worth', 'free', 'given', 'redeemed', 'expired', 'soonest expiry'],
    ...pools.map(({ pool, published, worth, free, given, redeemed, expired, soonest }) => [
      pool,
      published ? (worth ?? '') : 'not published',
      number(free),
      number(given),
      number(redeemed),
      number(expired),
      soonest === undefined ? (free > 0 ? 'never' : '') : stamp(soonest),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  return rows.map((cells) =>
    cells
      .map((cell, column) =>
        column < 2 || column === 6 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

export interface ShownCode extends StoredCode {
  /** Of the message that it was given in first. */
  campaign?: string;
  /** Whose the order is, as far as that is known by now; merges are followed. */
  buyer?: string;
  /** Whether the buyer is the person to whom the code was given. */
  own?: boolean;
}

/** What became of a code, however it is written. Throws KairosError `coupons.code`. */
export async function showCode({ table }: Pick<Stage, 'table'>, code: string): Promise<ShownCode> {
  const item = await table.readOne(key.code(knownAs(code)));
  if (item === undefined) {
    throw new KairosError({
      code: 'coupons.code',
      path: code,
      message: 'There is no such code.',
      remedy: 'Codes come by npx kairos coupons import POOL FILE.',
    });
  }
  const stored = readCode(item);
  const { contact, message, order } = stored;
  const shown: ShownCode = { ...stored };
  if (contact !== undefined && message !== undefined) {
    const found = await table.readOne(key.message(contact, message));
    if (found !== undefined) shown.campaign = readMessage(found).campaign;
  }
  if (order !== undefined) {
    const found = await table.readOne(key.order(order));
    const buyer = (found === undefined ? undefined : readOrder(found).value.owner) ?? stored.redeemedBy;
    if (buyer !== undefined) {
      shown.buyer = (await readLiving(table, buyer))?.value.id ?? buyer;
      if (contact !== undefined) {
        shown.own = shown.buyer === ((await readLiving(table, contact))?.value.id ?? contact);
      }
    }
  }
  return shown;
}

/** A code in lines. */
export function drawCode(code: ShownCode, now: number): string[] {
  const { pool, state, expires, importedAt, givenAt, contact, campaign, run, message, redeemedAt, order } = code;
  const late = !isUsable(expires, now);
  const over = expires !== undefined && expires <= now;
  const words = {
    free: late ? 'free, and too close to its end to be given' : 'free',
    given: over ? 'given, expired' : 'given',
    redeemed: 'redeemed',
  };
  const rows: [string, string | undefined][] = [
    ['pool', `${pool}, worth ${sayWorth(code)}`],
    ['state', words[state]],
    ['expires', expires === undefined ? 'never' : stamp(expires)],
    ['imported', stamp(importedAt)],
    ['given', givenAt === undefined ? undefined : `${stamp(givenAt)} to ${contact}`],
    ['in', message === undefined ? undefined : `${campaign ?? 'a campaign'}, run ${run}, first in message ${message}`],
    ['redeemed', redeemedAt === undefined ? undefined : `${stamp(redeemedAt)} in order ${order}`],
    ['by', state !== 'redeemed' ? undefined : sayBuyer(code)],
  ];
  return [code.code, ...rows.flatMap(([name, said]) => (said === undefined ? [] : [`  ${name.padEnd(9)} ${said}`]))];
}

function sayBuyer({ buyer, own }: ShownCode): string {
  if (buyer === undefined) return 'somebody who is not known';
  if (own === undefined) return `${buyer}, to whom nobody gave it`;
  return own ? 'the person to whom it was given' : `${buyer}, another contact than it was given to`;
}

function sayWorth({
  percent,
  amount = 0,
  currency = NO_CURRENCY,
}: Pick<GivenCoupon, 'percent' | 'amount' | 'currency'>): string {
  return percent === undefined ? formatMoney(amount, currency, 'en') : `${percent}%`;
}

/** What an import did, in lines. */
export function sayImport(told: CouponsImport, { dryRun = false }: { dryRun?: boolean } = {}): string[] {
  const line = (many: number, what: string): string => `${many.toLocaleString('en').padStart(11)}  ${what}`;
  return [
    line(told.rows, 'rows read'),
    line(told.imported, dryRun ? 'codes would be imported' : 'codes imported'),
    ...(told.known > 0 ? [line(told.known, 'codes were here already')] : []),
    ...(told.differing > 0
      ? [line(told.differing, 'of them have another value or expiry in the file: they stay as they were')]
      : []),
    ...(told.late > 0 ? [line(told.late, 'codes left out: they end within three days, or have ended')] : []),
  ];
}

/** Adds `kairos coupons import | list | drop | show`. */
export function registerCoupons(program: Command): void {
  const group = program
    .command('coupons')
    .description('codes of coupon pools: bring them in, see what is left, and what became of one');

  group
    .command('import')
    .description('add the codes of a file to a pool; a code that is there already is skipped')
    .argument('<pool>', 'a pool of coupons.json, such as WELCOME10')
    .argument('<file>', 'a CSV file, plain or gzipped, with the columns code, value, currency, expiry')
    .option('--dry-run', 'say what would be imported, and write nothing')
    .option('--delimiter <character>', 'what divides the columns, where it is no comma; "tab" for tabs')
    .option(...STAGE_OPTION)
    .action(async (pool: string, file: string, options: { dryRun?: boolean; delimiter?: string; stage?: string }) => {
      const size = await fileSize(file);
      const stage = await openStage({ stage: options.stage });
      const bar = progressLine('Importing, per cent');
      const told = await importCoupons(file, pool, stage, {
        dryRun: options.dryRun,
        delimiter: options.delimiter === 'tab' ? '\t' : options.delimiter,
        onProgress: (bytes) => bar.at(Math.floor((100 * bytes) / Math.max(1, size))),
      }).finally(() => bar.end());
      for (const line of sayImport(told, options)) stage.say(line);
      const { faults } = told;
      if (faults.count === 0) return;
      stage.warn(`${faults.count.toLocaleString('en').padStart(11)}  rows WRONG, left out:`);
      for (const { line, message } of faults.first) stage.warn(`             line ${line}: ${message}`);
      if (faults.count > faults.first.length) stage.warn(`             and ${faults.count - faults.first.length} more`);
      process.exitCode = 1;
    });

  group
    .command('list')
    .description('what is free, given, redeemed and expired of each pool')
    .argument('[pool]', 'one pool alone')
    .option(...STAGE_OPTION)
    .option('--json', 'print it as JSON')
    .action(async (pool: string | undefined, options: { stage?: string; json?: boolean }) => {
      const stage = await openStage({ stage: options.stage });
      const pools = await listPools(stage, pool);
      if (options.json) stage.say(JSON.stringify({ pools }));
      else for (const line of drawPools(pools)) stage.say(line);
    });

  group
    .command('drop')
    .description('take the codes out of a pool that nobody was given, as if they had never been imported')
    .argument('<pool>', 'the pool')
    .option('--yes', 'also more than a hundred codes')
    .option(...STAGE_OPTION)
    .action(async (pool: string, options: { yes?: boolean; stage?: string }) => {
      const stage = await openStage({ stage: options.stage });
      const dropped = await dropCodes(stage, pool, options.yes);
      stage.say(`${count(dropped, 'code')} taken out of ${pool}. What was given stays.`);
    });

  group
    .command('show')
    .description('what became of a code: to whom it was given, and which order it paid')
    .argument('<code>', 'the code, in any case')
    .option(...STAGE_OPTION)
    .option('--json', 'print it as JSON')
    .action(async (code: string, options: { stage?: string; json?: boolean }) => {
      const stage = await openStage({ stage: options.stage });
      const shown = await showCode(stage, code);
      if (options.json) stage.say(JSON.stringify(shown));
      else for (const line of drawCode(shown, stage.now())) stage.say(line);
    });
}
