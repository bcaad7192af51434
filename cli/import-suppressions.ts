// Suppressions and unsubscribes of the tool before: blocks and withdrawals under the hash of each address, line by line.
import { normalise, OWN_SOURCE } from '../domain/event.ts';
import { KairosError, nearest } from '../domain/fault.ts';
import { shortHash } from '../domain/interaction.ts';
import { parseSuppressionRow, type Suppression } from '../domain/suppression.ts';
import { chunks, key, pooled, type Table } from '../functions/aws/table.ts';
import { readCsv } from './import-csv.ts';
import type { HistoryRecorder } from './import-history.ts';
import { LineFaults } from './import-orders.ts';

/** What became of each row of the file. */
export interface SuppressionsImport {
  rows: number;
  /** Blocks and withdrawals that were not known before. */
  suppressions: number;
  withdrawals: number;
  /** Rows that say what was known. */
  known: number;
  /** Contacts here already that were withdrawn. */
  contacts: number;
  /** Reason → rows that block nobody, a soft bounce for example. */
  skipped: Record<string, number>;
  faults: LineFaults;
}

/** Names that tools give their columns, in small letters without anything else. */
const COLUMNS: Record<'address' | 'hash' | 'reason' | 'date' | 'brand', string[]> = {
  address: ['address', 'email', 'emailaddress', 'recipient', 'mail'],
  hash: ['hash', 'sha256', 'emailhash', 'emailsha256', 'addresshash'],
  reason: ['reason', 'status', 'type', 'event', 'suppressionreason'],
  date: ['date', 'at', 'created', 'createdat', 'timestamp', 'time', 'unsubtime', 'lastupdatetime', 'optouttime'],
  brand: ['brand'],
};
const MARK = { pk: 'IMPORT#suppressions', sk: 'IMPORT' };

/** Whether suppressions were imported to this stage before, be it an empty list. */
export async function hasSuppressions(table: Table): Promise<boolean> {
  return (await table.readOne(MARK)) !== undefined;
}

/**
 * Imports the file; the same file again changes nothing. `reason` holds for files without such a column, `brand` for rows
 * without one. Throws a KairosError when the file has no column with addresses or hashes.
 */
export async function importSuppressions(
  path: string,
  { table, recorder, now }: { table: Table; recorder: HistoryRecorder; now: () => number },
  options: { brand: string; reason?: string | undefined; onProgress?: (bytes: number) => void },
): Promise<SuppressionsImport> {
  const told: SuppressionsImport = {
    rows: 0,
    suppressions: 0,
    withdrawals: 0,
    known: 0,
    contacts: 0,
    skipped: {},
    faults: new LineFaults(),
  };
  const list: (Suppression & { line: number })[] = [];
  let columns = new Map<string, number>();
  await readCsv(path, options.onProgress === undefined ? {} : { onProgress: options.onProgress }, {
    header(names) {
      columns = columnsOf(names, path, options.reason);
    },
    row(fields, line) {
      told.rows += 1;
      const row: Record<string, unknown> = Object.fromEntries(
        [...columns].map(([name, index]) => [name, fields[index]]),
      );
      if (!columns.has('reason')) row.reason = options.reason;
      const read = parseSuppressionRow(row);
      if ('suppression' in read) list.push({ ...read.suppression, line });
      else if ('skipped' in read) told.skipped[read.skipped] = (told.skipped[read.skipped] ?? 0) + 1;
      else
        told.faults.add(
          line,
          `${read.fault.path} ${read.fault.message}${read.fault.expected === undefined ? '' : ` Expected: ${read.fault.expected}.`}`.trim(),
        );
    },
    fault(line, message) {
      told.rows += 1;
      told.faults.add(line, message);
    },
  });
  // Marked at the start: a run that is cut off has imported some.
  const at = now();
  await table.update(MARK, {
    UpdateExpression: 'SET #at = :at, shape = :one',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: { ':at': at, ':one': 1 },
  });
  // One after the other where an address stands twice: each group holds an address once.
  for (const group of distinct(list)) await pooled(group, 8, (each) => keep(each, at));
  return told;

  async function keep(each: Suppression & { line: number }, fallback: number): Promise<void> {
    const since = each.at ?? fallback;
    if (each.reason === 'unsubscribed') {
      const brand = each.brand ?? options.brand;
      const stored = await table.readOne(key.withdrawal(each.hash));
      if (stored !== undefined && stored.brand !== brand) {
        told.faults.add(
          each.line,
          `brand withdrawn of ${JSON.stringify(stored.brand)} already; one brand is kept for an address that is no contact yet`,
        );
        return;
      }
      // Without a date, what is known already is not younger than this import.
      const older = stored === undefined || (each.at !== undefined && Number(stored.at) < each.at);
      if (!older) told.known += 1;
      else {
        await table.update(key.withdrawal(each.hash), {
          UpdateExpression: 'SET brand = :brand, #at = :at, shape = :one',
          ConditionExpression: 'attribute_not_exists(pk) OR #at < :at',
          ExpressionAttributeNames: { '#at': 'at' },
          ExpressionAttributeValues: { ':brand': brand, ':at': since, ':one': 1 },
        });
        told.withdrawals += 1;
      }
      await withdrawContact(each.hash, brand, Number(older ? since : stored!.at));
      return;
    }
    const first = await table.update(key.suppression(each.hash), {
      UpdateExpression: 'SET reason = :reason, #at = :at, shape = :one',
      ConditionExpression: 'attribute_not_exists(pk)',
      ExpressionAttributeNames: { '#at': 'at' },
      ExpressionAttributeValues: { ':reason': each.reason, ':at': since, ':one': 1 },
    });
    if (first) told.suppressions += 1;
    else told.known += 1;
  }

  /** Who is a contact already hears of it as an event of our own; a repeat is met by its id. */
  async function withdrawContact(hash: string, brand: string, since: number): Promise<void> {
    const identity = await table.readOne(key.identity(`address#${hash}`));
    if (identity === undefined) return;
    const read = normalise({
      id: `withdrawn-${shortHash(hash, brand, String(since))}`,
      source: OWN_SOURCE,
      'detail-type': 'Consent Withdrawn',
      time: new Date(since).toISOString(),
      detail: {
        type: 'track',
        event: 'Consent Withdrawn',
        messageId: `withdrawn-${shortHash(hash, brand, String(since))}`,
        contactId: identity.contact,
        timestamp: new Date(since).toISOString(),
        properties: { all: true, brand, source: 'import' },
      },
    });
    if ('fault' in read) throw new KairosError(read.fault);
    const [outcome] = await recorder.record([{ interaction: read.interaction }]);
    if (outcome?.kind === 'failed') throw outcome.error;
    if (outcome?.kind === 'recorded') told.contacts += 1;
  }
}

function columnsOf(names: string[], path: string, reason: string | undefined): Map<string, number> {
  const plain = names.map((name) => name.toLowerCase().replace(/[^a-z0-9]/g, ''));
  const columns = new Map<string, number>();
  for (const [name, aliases] of Object.entries(COLUMNS)) {
    const index = plain.findIndex((each) => aliases.includes(each));
    if (index >= 0) columns.set(name, index);
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
  if (!columns.has('address') && !columns.has('hash')) {
    const near = nearest('email', names);
    throw missing(
      'addresses or hashes',
      near === undefined ? 'Name one "email" or "hash".' : `Name "${near}" "email".`,
    );
  }
  if (!columns.has('reason') && reason === undefined) {
    throw missing(
      'reasons',
      'Name one "reason", or say what the whole file is: --reason unsubscribed, bounced or complained.',
    );
  }
  return columns;
}

/** The rows in groups in which no address stands twice, in the order of the file. */
function distinct<T extends { hash: string }>(rows: T[]): T[][] {
  const seen = new Map<string, number>();
  const groups: T[][] = [];
  for (const row of rows) {
    const turn = seen.get(row.hash) ?? 0;
    seen.set(row.hash, turn + 1);
    const group = groups[turn] ?? [];
    group.push(row);
    groups[turn] = group;
  }
  return groups.flatMap((group) => chunks(group, 1000));
}
