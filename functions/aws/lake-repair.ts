// A day of the lake, from what the stream's reader gave up and from the table as it stands.
import type { Contact } from '../../domain/contact.ts';
import type { Message } from '../../domain/message.ts';
import type { Order } from '../../domain/order.ts';
import type { Files } from './bucket.ts';
import { goneOf, Ledger, withoutGone } from './erasures.ts';
import {
  changesOf,
  contactLine,
  dayOf,
  decisionLine,
  feedbackLine,
  folderOf,
  interactionLine,
  KINDS,
  type Kind,
  LINES_TYPE,
  type Line,
  linesOf,
  messageLine,
  orderLines,
  packed,
  SEEN,
} from './lake.ts';
import { type Compacted, compactDay, REPAIR } from './lake-days.ts';
import type { ShopStore } from './shop-store.ts';
import { type Item, pooled, readContact, readInteraction, readMessage, readOrder, type Table } from './table.ts';

/** Where Lambda leaves the records of a stream that a function gave up. */
export const GIVEN_UP = 'aws/lambda/';
/** Lines of a kind that are held before they are written. */
const A_FILE = 20_000;
/** Parts of the table that are read at once. */
const PARTS = 4;

export interface Repaired {
  /** Items of the table that were read. */
  scanned: number;
  /** Files of records that write-lake gave up, and how many of their records are of this day. */
  givenUp: { files: number; records: number };
  kinds: Record<Kind, Compacted>;
}

/**
 * Makes a day complete: replays what the stream's reader gave up, then reads the whole table for what arrived on that
 * day (UTC), and puts it together with what is there. May be repeated. What it cannot know: states that a message or an
 * order was in between, and when a message was delivered, which it gives the instant at which it was sent.
 */
export async function repairDay(
  day: string,
  { table, bucket, shop }: { table: Table; bucket: Files; shop: Pick<ShopStore, 'current'> },
  onProgress: (scanned: number) => void = () => {},
): Promise<Repaired> {
  const ledger = new Ledger(bucket);
  const gone = goneOf((await ledger.read()).erasures);
  const now = await shop.current();
  const waiting = new Map<Kind, string[]>();
  const files = new Map<Kind, number>();
  const write = async (kind: Kind): Promise<void> => {
    const lines = waiting.get(kind) ?? [];
    if (lines.length === 0) return;
    const nth = (files.get(kind) ?? 0) + 1;
    files.set(kind, nth);
    waiting.set(kind, []);
    await bucket.put(`${folderOf(kind, day)}/${REPAIR}${nth}.ndjson.gz`, packed(lines), LINES_TYPE);
  };
  const take = async (lines: Line[]): Promise<void> => {
    for (const { kind, line } of lines) {
      const left = withoutGone(kind, line, gone);
      if (left === undefined) continue;
      const known = waiting.get(kind) ?? [];
      known.push(JSON.stringify(left));
      waiting.set(kind, known);
      if (known.length >= A_FILE) await write(kind);
    }
  };

  const told: Repaired = { scanned: 0, givenUp: { files: 0, records: 0 }, kinds: {} as Repaired['kinds'] };
  for await (const { name } of bucket.list(GIVEN_UP)) {
    const changes = changesOf(recordsOf(await bucket.get(name))).filter(({ at }) => dayOf(at) === day);
    if (changes.length === 0) continue;
    told.givenUp.files++;
    told.givenUp.records += changes.length;
    for (const change of changes) await take(linesOf(change, now));
  }
  const parts = Array.from({ length: PARTS }, (_, part) => part);
  await pooled(parts, PARTS, async (part) => {
    for await (const items of table.scan(part, PARTS)) {
      for (const item of items) await take(arrivedOn(day, item, (order) => orderLines(order, now)));
      told.scanned += items.length;
      onProgress(told.scanned);
    }
  });
  for (const kind of KINDS) await write(kind);
  for (const kind of KINDS) told.kinds[kind] = await compactDay(bucket, kind, day, { ledger });
  return told;
}

/** The records of a batch that write-lake gave up; none of another function's. */
function recordsOf(text: string | undefined): Parameters<typeof changesOf>[0] {
  const said = JSON.parse(text ?? '{}') as {
    requestContext?: { functionArn?: string };
    payload?: string | { Records?: Parameters<typeof changesOf>[0] };
  };
  if (!/write-lake/.test(said.requestContext?.functionArn ?? '')) return [];
  const payload =
    typeof said.payload === 'string' ? (JSON.parse(said.payload) as { Records?: never }) : (said.payload ?? {});
  return payload.Records ?? [];
}

/** The lines of what an item says of a day. Items of an earlier release do not say when they arrived: event time stands in. */
export function arrivedOn(day: string, item: Item, ofOrder: (item: Item) => Line[]): Line[] {
  const on = (at: number | undefined): boolean => at !== undefined && dayOf(at) === day;
  const recordedAt = item.recordedAt as number | undefined;
  if (item.sk.startsWith('INTERACTION#')) {
    const interaction = readInteraction(item);
    return on(recordedAt ?? interaction.at) ? [interactionLine(interaction)] : [];
  }
  if (item.sk === 'ORDER') return on(recordedAt ?? lastOf(readOrder(item).value)) ? ofOrder(item) : [];
  if (item.sk === 'CONTACT') {
    const stored = readContact(item);
    const { value } = stored;
    const decided = Object.entries(value.journey.decisions).filter(([, { at }]) => on(at));
    return [
      ...(saysOfContact(value, recordedAt).some(on) ? [contactLine(stored)] : []),
      ...decided.map(([campaign]) => decisionLine(value, campaign)),
    ];
  }
  return item.sk.startsWith('MESSAGE#') ? ofMessage(readMessage(item), on) : [];
}

/** Instants at which a line of the contact may have been due: made, merged away, its country said. */
function saysOfContact({ createdAt, mergedInto, facts }: Contact, recordedAt: number | undefined): number[] {
  const merged = mergedInto === undefined || recordedAt === undefined ? [] : [recordedAt];
  const { country } = facts.attributes;
  return [createdAt, ...merged, ...(country === undefined ? [] : [country.at])];
}

function lastOf({ statement, completed, refunds }: Order): number | undefined {
  const said = [statement?.at, completed?.at, ...Object.values(refunds).map(({ at }) => at)];
  const instants = said.filter((at) => at !== undefined);
  return instants.length === 0 ? undefined : Math.max(...instants);
}

/** The message as it stands, on the day of the last that is known of it; and what its receiver did on this day. */
function ofMessage(message: Message, on: (at: number | undefined) => boolean): Line[] {
  const { createdAt, claimedAt, sentAt, conversion, delivery } = message;
  const last = Math.max(createdAt, claimedAt ?? 0, sentAt ?? 0, conversion?.at ?? 0);
  const lines = on(last) ? [messageLine(message, last)] : [];
  if (delivery !== undefined && on(sentAt)) lines.push(feedbackLine(message, delivery, sentAt as number));
  for (const [type, field] of SEEN)
    if (on(message[field])) lines.push(feedbackLine(message, type, message[field] as number));
  return lines;
}
