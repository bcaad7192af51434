// kairos import: orders, contacts and suppressions from CSV files, with every row accounted for.
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { Command } from 'commander';
import { KairosError } from '../domain/fault.ts';
import { ContactsMapping, isDate, missingColumns, OrdersMapping } from '../domain/mapping.ts';
import { contactReader, type ImportedEvent } from '../domain/mapping-events.ts';
import { Bus } from '../functions/aws/bus.ts';
import { chunks } from '../functions/aws/table.ts';
import { fileSize, readCsv } from './import-csv.ts';
import { type Recorded, recordHistory } from './import-history.ts';
import { LineFaults, mappingError, type OrdersFile, readMapping, readOrders, sayRowFault } from './import-orders.ts';
import { hasSuppressions, importSuppressions } from './import-suppressions.ts';
import { type ImportTarget, openImport } from './import-target.ts';
import { findTarget, output, type Target } from './outputs.ts';
import { clientConfig } from './publish.ts';

/** Adds `kairos import orders | contacts | suppressions`. */
export function registerImport(program: Command): void {
  const group = program
    .command('import')
    .description('bring in what other systems know: suppressions first, then contacts and orders');
  const stage = ['--stage <stage>', 'laptop, dev, staging or prod; by default the running laptop'] as const;

  group
    .command('suppressions')
    .description('who must not be written to, by address or hash; bounces and complaints block, unsubscribes withdraw')
    .argument('<file>', 'a CSV file')
    .option('--reason <reason>', 'what all rows are, for a file without such a column')
    .option('--brand <brand>', 'the brand that was unsubscribed from; by default the first of the settings')
    .option(...stage)
    .action(async (file: string, options: { reason?: string; brand?: string; stage?: string }) => {
      const target = openImport(await findTarget({ stage: options.stage }));
      const told = await importSuppressions(file, target, {
        brand: options.brand ?? (await firstBrand(target)),
        reason: options.reason,
      });
      say(told.rows, 'rows read');
      say(told.suppressions, 'addresses blocked (bounced or complained)');
      say(told.withdrawals, 'addresses withdrawn (unsubscribed; a later consent ends it)');
      say(told.contacts, 'contacts that were here already, withdrawn');
      say(told.known, 'rows that said what was known');
      for (const [reason, rows] of Object.entries(told.skipped)) say(rows, `rows skipped: ${reason}`);
      sayFaults(told.faults);
    });

  group
    .command('contacts')
    .description('people with their attributes and recorded consents')
    .argument('<file>', 'a CSV file, plain or gzipped')
    .requiredOption('--mapping <file>', 'how the file is read (templates/imports)')
    .option(...stage)
    .action(async (file: string, options: { mapping: string; stage?: string }) => {
      const mapping = await readMapping(options.mapping, ContactsMapping);
      const target = openImport(await findTarget({ stage: options.stage }));
      await warnOfSuppressions(target);
      const told = await importContacts(file, mapping, target, progress);
      say(told.rows, 'rows read');
      say(told.contacts, 'people');
      for (const [reason, rows] of Object.entries(told.excluded)) say(rows, `rows excluded: ${reason}`);
      sayRecorded(told.recorded);
      sayFaults(told.faults);
    });

  group
    .command('orders')
    .description('orders and refunds: history starts nothing, rows from --live-from on are events of their own')
    .argument('<file>', 'a CSV file, plain or gzipped')
    .requiredOption('--mapping <file>', 'how the file is read (templates/imports)')
    .option('--live-from <date>', 'in place of the mapping\'s liveFrom; "never" makes all of it history')
    .option(...stage)
    .action(async (file: string, options: { mapping: string; liveFrom?: string; stage?: string }) => {
      const mapping = await readMapping(options.mapping, OrdersMapping);
      const found = await findTarget({ stage: options.stage });
      const orders = await readOrdersFile(file, mapping, options.liveFrom);
      const target = openImport(found);
      await checkCurrency(target, mapping);
      if (mapping.consent !== undefined) await warnOfSuppressions(target);
      const recorded = await recordHistory(target.recorder, orders.history, mapping.source, {
        onProgress: (done) => progress('recording', done / orders.history.length),
      });
      await putLive(found, orders.live, mapping.source, (share) => progress('sending', share));
      sayOrders(orders);
      sayRecorded(recorded);
      if (orders.live.length > 0)
        say(orders.live.length, 'events put on the bus: they count when they have been recorded');
    });
}

/** Reads a file of orders with a progress bar; `liveFrom` in place of the mapping's, "never" for none. */
async function readOrdersFile(file: string, mapping: OrdersMapping, liveFrom: string | undefined): Promise<OrdersFile> {
  if (liveFrom !== undefined && liveFrom !== 'never' && !isDate(liveFrom)) {
    throw new KairosError({
      code: 'import.live-from',
      path: '--live-from',
      message: `${JSON.stringify(liveFrom)} is not a date.`,
      remedy: 'Write a date such as 2026-03-01, or "never".',
    });
  }
  const size = await fileSize(file);
  const { liveFrom: _, ...history } = mapping;
  const orders = await readOrders(file, liveFrom === 'never' ? history : mapping, {
    ...(liveFrom === undefined || liveFrom === 'never' ? {} : { liveFrom }),
    onProgress: (bytes) => progress('reading', bytes / size),
  });
  return orders;
}

/** What became of a file of contacts. */
export interface ContactsImport {
  rows: number;
  contacts: number;
  excluded: Record<string, number>;
  faults: LineFaults;
  recorded: Recorded;
}

/** Imports a file of contacts as history: nobody is welcomed anew. The same file again counts nothing twice. */
export async function importContacts(
  file: string,
  mapping: ContactsMapping,
  target: Pick<ImportTarget, 'recorder' | 'now'>,
  onProgress: (title: string, share: number) => void = () => {},
): Promise<ContactsImport> {
  const excluded: Record<string, number> = {};
  for (const { reason } of mapping.exclude ?? []) excluded[reason] = 0;
  const faults = new LineFaults();
  const events: ImportedEvent[] = [];
  let rows = 0;
  let contacts = 0;
  let read: ReturnType<typeof contactReader> | undefined;
  await readCsv(
    file,
    { delimiter: mapping.delimiter, encoding: mapping.encoding },
    {
      header(names) {
        const missing = missingColumns(mapping, names);
        if (missing.length > 0) throw mappingError(missing.map((fault) => ({ ...fault, file })));
        read = contactReader(mapping, names, target.now());
      },
      row(fields, line) {
        rows += 1;
        const reading = read!(fields);
        if (reading.kind === 'excluded') excluded[reading.reason] = (excluded[reading.reason] ?? 0) + 1;
        else if (reading.kind === 'fault') faults.add(line, sayRowFault(reading.fault));
        else {
          contacts += 1;
          events.push(...reading.events);
        }
      },
      fault(line, message) {
        rows += 1;
        faults.add(line, message);
      },
    },
  );
  const recorded = await recordHistory(target.recorder, events, mapping.source, {
    onProgress: (done) => onProgress('recording', done / events.length),
  });
  return { rows, contacts, excluded, faults, recorded };
}

/** Puts live events on the stage's bus. Throws a KairosError when some are not taken: the import can be run again. */
async function putLive(
  target: Target,
  events: ImportedEvent[],
  source: string,
  onProgress: (share: number) => void,
): Promise<void> {
  if (events.length === 0) return;
  const bus = new Bus(output(target, 'BusName'), new EventBridgeClient(clientConfig(target, 'EVENTBRIDGE')));
  let done = 0;
  for (const chunk of chunks(events, 100)) {
    const refused = await bus.put(chunk.map(({ name, detail }) => ({ source, detailType: name, detail })));
    if (refused > 0) {
      throw new KairosError({
        code: 'import.bus',
        path: '',
        message: `The bus did not take ${refused} events.`,
        remedy: 'Run the import again: what counted is not counted twice.',
      });
    }
    done += chunk.length;
    onProgress(done / events.length);
  }
}

async function firstBrand(target: ImportTarget): Promise<string> {
  const book = await target.books.current();
  const [brand] = Object.keys(book.definitions.settings.brands);
  if (brand !== undefined && book.definitions.ordinal > 0) return brand;
  throw new KairosError({
    code: 'import.brand',
    path: '--brand',
    message: 'Nothing is published yet, so no brand is known.',
    remedy: 'Publish first (kairos publish), or give --brand.',
  });
}

async function warnOfSuppressions(target: ImportTarget): Promise<void> {
  if (await hasSuppressions(target.table)) return;
  console.error(
    'No suppressions were ever imported here: people who unsubscribed elsewhere would be written to again.',
  );
  console.error('Import them first: kairos import suppressions FILE (an empty list silences this).');
}

/** Orders of another currency would be counted, but not summed. */
async function checkCurrency(target: ImportTarget, mapping: OrdersMapping): Promise<void> {
  const { definitions } = await target.books.current();
  if (definitions.ordinal === 0 || definitions.settings.currency === mapping.currency) return;
  throw new KairosError({
    code: 'import.currency',
    path: 'currency',
    message: `The file is in ${mapping.currency}, the shop's settings are in ${definitions.settings.currency}.`,
    remedy: 'Set the currency of templates/settings.json to that of the file, and publish.',
  });
}

/** What the file held, one line per fact. */
export function sayOrders(orders: OrdersFile, print: (line: string) => void = console.log): void {
  const tell = (many: number, what: string): void => print(line(many, what));
  tell(orders.rows.read, 'rows read');
  tell(orders.rows.counted, 'rows counted');
  for (const [reason, rows] of Object.entries(orders.excluded)) tell(rows, `rows excluded: ${reason}`);
  tell(orders.orders, 'orders');
  tell(orders.refunds, 'refunds');
  if (orders.shortened > 0)
    tell(orders.shortened, 'orders told with their dearest lines only (an event holds 1,000); their amounts are whole');
  sayFaults(orders.faults, print);
}

function sayRecorded(recorded: Recorded): void {
  say(recorded.recorded, 'events recorded');
  if (recorded.repeats > 0) say(recorded.repeats, 'events had counted before');
  if (recorded.erased > 0) say(recorded.erased, 'events of people who were erased, left out');
  if (recorded.failed.count === 0) return;
  say(recorded.failed.count, 'events FAILED; run the import again, what counted is not counted twice');
  for (const each of recorded.failed.first) console.error(`             ${each}`);
  process.exitCode = 1;
}

/** The first faults with their lines; the command fails where there is one. */
export function sayFaults(faults: LineFaults, print: (line: string) => void = console.error): void {
  if (faults.count === 0) return;
  print(line(faults.count, 'rows WRONG, left out:'));
  for (const { line: at, message } of faults.first) print(`             line ${at}: ${message}`);
  if (faults.count > faults.first.length) print(`             and ${faults.count - faults.first.length} more`);
  process.exitCode = 1;
}

const line = (many: number, what: string): string => `${many.toLocaleString('en-US').padStart(11)}  ${what}`;
const say = (many: number, what: string): void => console.log(line(many, what));

/** One line on a terminal; nothing elsewhere. */
function progress(title: string, share: number): void {
  if (process.stderr.isTTY !== true) return;
  const percent = Math.min(100, Math.floor(share * 100));
  process.stderr.write(`\r\u001b[2K${percent < 100 ? `${title} ${percent} %` : ''}`);
}
