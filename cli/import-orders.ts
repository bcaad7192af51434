// A file of orders as events: what it holds, what is left out and why, history apart from what comes live.
import { readFile } from 'node:fs/promises';
import type * as z from 'zod';
import { type Fault, KairosError, sayFault } from '../domain/fault.ts';
import { missingColumns, type OrdersMapping } from '../domain/mapping.ts';
import {
  type ImportedEvent,
  isShortened,
  metEvents,
  OrderGathering,
  type OrderReading,
  orderEvents,
  orderReader,
  productEvents,
  type Told,
} from '../domain/mapping-events.ts';
import { faultsOf } from '../domain/shape-faults.ts';
import { instantOf } from '../domain/time.ts';
import { readCsv } from './import-csv.ts';

/** A fault of one line of a file. */
export interface LineFault {
  line: number;
  message: string;
}

/** Which lines are wrong: the first of them, and how many in all. */
export class LineFaults {
  readonly first: LineFault[] = [];
  count = 0;

  add(line: number, message: string): void {
    this.count += 1;
    if (this.first.length < 20) this.first.push({ line, message });
  }
}

/** A file of orders, read. Money in minor units, rows and orders counted. */
export interface OrdersFile {
  rows: { read: number; counted: number };
  /** Reason → rows. */
  excluded: Record<string, number>;
  faults: LineFaults;
  /** Events before `liveFrom`, the ones of a person together and by time. */
  history: ImportedEvent[];
  /** Later events, by time. */
  live: ImportedEvent[];
  /** Epoch milliseconds from which rows are live; undefined = all are history. */
  liveFrom: number | undefined;
  /** Event times of the earliest and the latest order. */
  span: { from: number; to: number };
  orders: number;
  refunds: number;
  /** Orders with more lines than an event can hold: the dearest are told, the amount is that of all. */
  shortened: number;
}

/** Reads and checks a mapping; throws a KairosError that names all faults. */
export async function readMapping<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new KairosError(
      { code: 'import.mapping', file: path, path: '', message: 'there is no such mapping.' },
      { cause: error },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new KairosError({
      code: 'import.mapping',
      file: path,
      path: '',
      message: `is no JSON: ${(error as Error).message}.`,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw mappingError(faultsOf(parsed.error, { file: path, value, schema }));
}

/**
 * Reads the whole file and makes its events. Rows that are wrong are left out and told in `faults`, rows that a reason
 * excludes are counted under it. Memory grows with the orders (about 1 KB each), not with the size of the file.
 * Throws a KairosError when the file or one of its columns is missing.
 */
export async function readOrders(
  path: string,
  mapping: OrdersMapping,
  options: { liveFrom?: string | undefined; onProgress?: (bytes: number) => void } = {},
): Promise<OrdersFile> {
  const gathering = new OrderGathering();
  const rows = { read: 0, counted: 0 };
  const excluded: Record<string, number> = {};
  for (const { reason } of mapping.exclude ?? []) excluded[reason] = 0;
  const faults = new LineFaults();
  let read: ((fields: readonly string[]) => OrderReading) | undefined;
  await readCsv(
    path,
    {
      delimiter: mapping.delimiter,
      encoding: mapping.encoding,
      ...(options.onProgress && { onProgress: options.onProgress }),
    },
    {
      header(names) {
        const missing = missingColumns(mapping, names);
        if (missing.length > 0) throw mappingError(missing.map((fault) => ({ ...fault, file: path })));
        read = orderReader(mapping, names);
      },
      row(fields, line) {
        rows.read += 1;
        const reading = read!(fields);
        if (reading.kind === 'excluded') {
          excluded[reading.reason] = (excluded[reading.reason] ?? 0) + 1;
          if (reading.met !== undefined) gathering.meet(reading.met.person, reading.met.at);
        } else {
          const fault = reading.kind === 'fault' ? reading.fault : gathering.add(reading.row, mapping);
          if (fault === undefined) rows.counted += 1;
          else faults.add(line, sayRowFault(fault));
        }
      },
      fault(line, message) {
        rows.read += 1;
        faults.add(line, message);
      },
    },
  );
  return { rows, excluded, faults, ...eventsOf(gathering, mapping, options.liveFrom ?? mapping.liveFrom) };
}

function eventsOf(gathering: OrderGathering, mapping: OrdersMapping, from: string | undefined) {
  const liveFrom = from === undefined ? undefined : instantOf(from, '00:00', mapping.time.zone);
  const orders = [...gathering.orders.values()].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  const told = new Map<string, Told>();
  const history: ImportedEvent[] = [];
  const live: ImportedEvent[] = [];
  const byPerson = new Map<string, ImportedEvent[]>();
  const put = (event: ImportedEvent, person: string): void => {
    if (liveFrom !== undefined && event.at >= liveFrom) {
      live.push(event);
      return;
    }
    const theirs = byPerson.get(person);
    if (theirs === undefined) byPerson.set(person, [event]);
    else theirs.push(event);
  };
  let refunds = 0;
  let shortened = 0;
  for (const event of productEvents(gathering, mapping)) put(event, '');
  for (const order of orders) {
    if (order.refund) refunds += 1;
    if (isShortened(order)) shortened += 1;
    const person = order.person?.user ?? order.person?.address ?? `order ${order.id}`;
    for (const event of orderEvents(order, mapping, told)) put(event, person);
    order.lines.clear();
  }
  for (const [key, event] of metEvents(gathering, told)) put(event, key);
  for (const events of byPerson.values()) for (const event of events) history.push(event);
  // Stable: what one order makes keeps its order, and a product is known before it is bought.
  live.sort((a, b) => a.at - b.at);
  const span = { from: orders[0]?.at ?? 0, to: orders.at(-1)?.at ?? 0 };
  return { history, live, liveFrom, span, orders: orders.length - refunds, refunds, shortened };
}

/** `price is not a number ("12,50"); expected a number such as 12.50` */
export function sayRowFault(fault: { column: string; message: string; received?: string; expected?: string }): string {
  const received = fault.received === undefined || fault.received === '' ? '' : ` (${JSON.stringify(fault.received)})`;
  return `${fault.column} ${fault.message}${received}${fault.expected === undefined ? '' : `; expected ${fault.expected}`}`;
}

/** Several faults as the one error that ends the work. */
export function mappingError(faults: Fault[]): KairosError {
  const [first, ...others] = faults;
  if (others.length === 0) return new KairosError(first!);
  return new KairosError({
    ...first!,
    message: [first!.message, first!.remedy, ...others.map((each) => `\n${sayFault(each)}`)].filter(Boolean).join(' '),
    remedy: '',
  });
}
