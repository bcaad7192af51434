// kairos lake: what is in the lake, a day made complete from the table, many small files put together.
import type { Command } from 'commander';
import { KairosError } from '../domain/fault.ts';
import { Ledger } from '../functions/aws/erasures.ts';
import { log } from '../functions/aws/handler.ts';
import { dayOf, KINDS, type Kind } from '../functions/aws/lake.ts';
import { type Compacted, compactDay, shifted } from '../functions/aws/lake-days.ts';
import { GIVEN_UP, type Repaired, repairDay } from '../functions/aws/lake-repair.ts';
import { ShopStore } from '../functions/aws/shop-store.ts';
import { openStage, progressLine, STAGE_OPTION, type Stage, stamp } from './stage.ts';
import { count } from './validate.ts';

/** What the lake holds of one kind. */
export interface KindStatus {
  kind: Kind;
  days: number;
  files: number;
  bytes: number;
  first?: string;
  last?: string;
  /** When the newest file was written. */
  written?: number;
  /** Days without a file between days that have some, as ranges. */
  gaps: { from: string; to: string }[];
  /** Closed days with several files. */
  scattered: number;
}

export interface LakeStatus {
  kinds: KindStatus[];
  /** Batches of records that functions gave up, which a repair replays. */
  givenUp: number;
  /** Erasures, and those that broke off. */
  erasures: number;
  open: number;
}

/** Lists the whole lake, without reading its lines. */
export async function lakeStatus({ files: bucket, now }: Pick<Stage, 'files' | 'now'>): Promise<LakeStatus> {
  const today = dayOf(now());
  const kinds: KindStatus[] = [];
  for (const kind of KINDS) {
    const days = new Map<string, number>();
    const told: KindStatus = { kind, days: 0, files: 0, bytes: 0, gaps: [], scattered: 0 };
    for await (const { name, bytes, modified } of bucket.list(`lake/${kind}/day=`)) {
      const day = /day=(\d{4}-\d\d-\d\d)\//.exec(name)?.[1];
      if (day === undefined) continue;
      days.set(day, (days.get(day) ?? 0) + 1);
      told.files++;
      told.bytes += bytes;
      told.written = Math.max(told.written ?? 0, modified);
    }
    const sorted = [...days.keys()].sort();
    told.days = sorted.length;
    told.scattered = sorted.filter((day) => day < today && (days.get(day) as number) > 1).length;
    const [first] = sorted;
    const last = sorted.at(-1);
    if (first !== undefined) told.first = first;
    if (last !== undefined) told.last = last;
    for (const [i, day] of sorted.entries()) {
      const before = sorted[i - 1];
      if (before !== undefined && shifted(before, 1) < day) {
        told.gaps.push({ from: shifted(before, 1), to: shifted(day, -1) });
      }
    }
    kinds.push(told);
  }
  let givenUp = 0;
  for await (const _ of bucket.list(GIVEN_UP)) givenUp++;
  const { erasures } = await new Ledger(bucket).read();
  return { kinds, givenUp, erasures: erasures.length, open: erasures.filter(({ done }) => done === undefined).length };
}

/** The status as people read it. */
export function sayStatus({ kinds, givenUp, erasures, open }: LakeStatus): string[] {
  const rows = kinds.map((one) => [
    one.kind,
    String(one.days),
    one.files.toLocaleString('en'),
    sizeOf(one.bytes),
    one.first ?? '–',
    one.last ?? '–',
    one.written === undefined ? '–' : stamp(one.written),
    one.gaps.length === 0
      ? 'none'
      : one.gaps.map(({ from, to }) => (from === to ? from : `${from} to ${to}`)).join(', '),
  ]);
  const head = ['table', 'days', 'files', 'packed', 'first', 'last', 'last written', 'days without a file'];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] as string).length)));
  const right = new Set([1, 2, 3]);
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, i) => (right.has(i) ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  );
  const scattered = kinds.reduce((sum, one) => sum + one.scattered, 0);
  if (scattered > 0) {
    lines.push(
      `${count(scattered, 'closed day')} of a table in several files: the night puts them together, or kairos lake compact --day.`,
    );
  }
  if (givenUp > 0) {
    lines.push(
      `${count(givenUp, 'batch', 'batches')} of stream records given up in the last 90 days: kairos lake repair --day replays those of a day.`,
    );
  }
  if (erasures > 0) lines.push(`${count(erasures, 'person', 'people')} erased.`);
  if (open > 0) lines.push(`${count(open, 'erasure')} broke off: kairos erase --again --yes goes on.`);
  return lines;
}

const sizeOf = (bytes: number): string =>
  bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`;

/** Makes a day complete. Throws KairosError `lake.day`, `lake.file`, `lake.busy`. */
export async function repair(day: string, stage: Pick<Stage, 'table' | 'files' | 'now'>): Promise<Repaired> {
  checkDay(day, stage.now(), 'repaired');
  const { table, files: bucket, now } = stage;
  const line = progressLine('Items of the table');
  try {
    return await repairDay(day, { table, bucket, shop: new ShopStore({ table, bucket, now, log }) }, (scanned) =>
      line.at(scanned),
    );
  } finally {
    line.end();
  }
}

/** What a repair found and wrote, in lines. */
export function sayRepaired(day: string, { scanned, givenUp, kinds }: Repaired): string[] {
  const lines = [
    `Read ${count(scanned, 'item')} of the table${givenUp.files === 0 ? '' : `, and ${count(givenUp.records, 'record')} that write-lake gave up`}. Of ${day}:`,
  ];
  for (const kind of KINDS) {
    const { found, missing, changed, erased } = kinds[kind];
    if (found === 0 && erased === 0) continue;
    lines.push(
      `  ${found.toLocaleString('en')} ${found === 1 ? kind.replace(/s$/, '') : kind}, ${missing.toLocaleString('en')} of them ${missing === 1 ? 'was' : 'were'} missing${changed > 0 ? `, ${changed.toLocaleString('en')} stood there otherwise` : ''}${erased > 0 ? `, ${count(erased, 'line')} of erased people taken out` : ''}`,
    );
  }
  return lines.length === 1 ? [`${lines[0]} nothing.`] : lines;
}

/** Puts the files of a closed day together, of every kind. Throws KairosError `lake.day`, `lake.file`, `lake.busy`. */
export async function compact(
  day: string,
  { files: bucket, now }: Pick<Stage, 'files' | 'now'>,
): Promise<Record<Kind, Compacted>> {
  checkDay(day, now(), 'put together');
  const ledger = new Ledger(bucket);
  const told = {} as Record<Kind, Compacted>;
  for (const kind of KINDS) told[kind] = await compactDay(bucket, kind, day, { ledger });
  return told;
}

/** What putting together did, in lines. */
export function sayCompacted(day: string, kinds: Record<Kind, Compacted>): string[] {
  const lines = KINDS.flatMap((kind) => {
    const { files, filesNow, bytes, bytesNow, lines: read, repeats, erased } = kinds[kind];
    if (files === 0) return [];
    const gone = erased > 0 ? `, ${count(erased, 'line')} of erased people` : '';
    return [
      `  ${kind.padEnd(12)}  ${count(files, 'file')}, ${sizeOf(bytes)} → ${count(filesNow, 'file')}, ${sizeOf(bytesNow)}: ${count(read, 'line')}, ${count(repeats, 'repeat')}${gone}`,
    ];
  });
  return lines.length === 0 ? [`Nothing stands under ${day}.`] : [day, ...lines];
}

function checkDay(day: string, now: number, what: string): void {
  const at = Date.parse(`${day}T00:00:00Z`);
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || !Number.isFinite(at) || dayOf(at) !== day) {
    throw new KairosError({
      code: 'lake.day',
      path: '--day',
      message: 'This is no day.',
      received: day,
      remedy: 'Write it as 2026-05-04; days of the lake are days of UTC.',
    });
  }
  if (day >= dayOf(now)) {
    throw new KairosError({
      code: 'lake.day',
      path: '--day',
      message: `This day is not over: it cannot be ${what} yet.`,
      received: day,
      remedy: `Give a day before ${dayOf(now)} (UTC).`,
    });
  }
}

/** Adds `kairos lake`. */
export function registerLake(program: Command): void {
  const lake = program.command('lake').description('the files by day that insight reads');
  const day = ['--day <day>', 'a day of UTC that is over, such as 2026-05-04'] as const;
  lake
    .command('status')
    .description('what is there, by table: days, files, and days without any')
    .option('--json', 'for machines')
    .option(...STAGE_OPTION)
    .action(async ({ stage: name, json }: { stage?: string; json?: boolean }) => {
      const stage = await openStage({ stage: name });
      const told = await lakeStatus(stage);
      if (json === true) stage.say(JSON.stringify(told));
      else for (const line of sayStatus(told)) stage.say(line);
    });
  lake
    .command('repair')
    .description('makes a day complete, from what was given up and from the table')
    .requiredOption(...day)
    .option('--json', 'for machines')
    .option(...STAGE_OPTION)
    .action(async ({ stage: name, day: of, json }: { stage?: string; day: string; json?: boolean }) => {
      const stage = await openStage({ stage: name });
      const told = await repair(of, stage);
      if (json === true) stage.say(JSON.stringify(told));
      else for (const line of sayRepaired(of, told)) stage.say(line);
    });
  lake
    .command('compact')
    .description('puts the many small files of a day together, each line once')
    .requiredOption(...day)
    .option('--json', 'for machines')
    .option(...STAGE_OPTION)
    .action(async ({ stage: name, day: of, json }: { stage?: string; day: string; json?: boolean }) => {
      const stage = await openStage({ stage: name });
      const told = await compact(of, stage);
      if (json === true) stage.say(JSON.stringify(told));
      else for (const line of sayCompacted(of, told)) stage.say(line);
    });
}
