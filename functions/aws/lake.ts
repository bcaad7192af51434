// From the table's stream to files of the lake: no addresses, no names, no free text.
import { gzipSync } from 'node:zlib';
import type { DynamoDBRecord } from 'aws-lambda';
import { isCode, lakeId } from '../../domain/code.ts';
import type { Contact } from '../../domain/contact.ts';
import { countryCode } from '../../domain/country.ts';
import { orderRows, type Shop } from '../../domain/insight/order-rows.ts';
import type { Interaction, Json, JsonObject } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import { orderKeyOf } from '../../domain/order.ts';
import type { Bucket } from './bucket.ts';
import { type Gone, withoutGone } from './erasures.ts';
import { LAKE_TABLES, type LakeTable, type TableName } from './lake-tables.ts';
import {
  type Item,
  plain,
  pooled,
  readContact,
  readInteraction,
  readMessage,
  readOrder,
  type Versioned,
} from './table.ts';

/** An item before and after one write, in the order of its shard. */
export interface Change {
  sequence: string;
  /** Arrival, epoch milliseconds. */
  at: number;
  before?: Item;
  after?: Item;
}

/** The tables whose files lie by arrival day. */
export type Kind = {
  [Name in TableName]: (typeof LAKE_TABLES)[Name] extends { byDay: true } ? Name : never;
}[TableName];
export const KINDS = (Object.keys(LAKE_TABLES) as TableName[]).filter((name): name is Kind => LAKE_TABLES[name].byDay);

export interface Line {
  kind: Kind;
  line: JsonObject;
}

/** The changes of a stream batch, as far as they have images. */
export function changesOf(records: DynamoDBRecord[]): Change[] {
  return records.flatMap(({ dynamodb }) => {
    if (dynamodb?.SequenceNumber === undefined) return [];
    const change: Change = {
      sequence: dynamodb.SequenceNumber,
      at: Number(dynamodb.ApproximateCreationDateTime ?? 0) * 1000,
    };
    if (dynamodb.OldImage !== undefined) change.before = plain(dynamodb.OldImage);
    if (dynamodb.NewImage !== undefined) change.after = plain(dynamodb.NewImage);
    return [change];
  });
}

/** The lines that a change adds to the lake. Orders are read as the shop is now. */
export function linesOf({ before, after, at }: Change, shop: Shop): Line[] {
  if (after === undefined) return [];
  if (after.sk.startsWith('INTERACTION#')) return before === undefined ? [interactionLine(readInteraction(after))] : [];
  if (after.sk === 'ORDER') return orderLines(after, shop);
  if (after.sk === 'CONTACT') {
    const [was, is] = [before && readContact(before), readContact(after)];
    return [...contactLines(was, is), ...decisionLines(was?.value, is.value)];
  }
  if (after.sk.startsWith('MESSAGE#')) {
    return messageLines(before === undefined ? undefined : readMessage(before), readMessage(after), at);
  }
  return [];
}

/** A line with the columns of its table, each of the type that they have: what is of another type is left out. */
function lineOf(kind: Kind, given: Record<string, unknown>, more: JsonObject = {}): Line {
  const line: JsonObject = {};
  for (const [name, type] of Object.entries((LAKE_TABLES[kind] as LakeTable).columns)) {
    const value = given[name];
    if (type === 'bigint') {
      if (typeof value === 'number' && Number.isSafeInteger(Math.round(value))) line[name] = Math.round(value);
    } else if (type === 'double') {
      if (typeof value === 'number' && Number.isFinite(value)) line[name] = value;
    } else if (typeof value === type) line[name] = value as string | boolean;
  }
  return { kind, line: { ...line, ...more } };
}

const instant = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();

/** Beside its columns it has the `properties` that are ids, codes and numbers, for questions that no table foresees. */
export function interactionLine(interaction: Interaction): Line {
  const { id, name, at, source, subject, properties } = interaction;
  const order = orderKeyOf(interaction);
  const given = {
    id: lakeId(id),
    name: lakeId(name),
    at: instant(at),
    source: lakeId(source),
    subject,
    order: order === undefined ? undefined : lakeId(order),
  };
  return lineOf('interactions', given, { properties: withoutText(properties) });
}

/** An order as its item stands, and its lines. */
export function orderLines(item: Item, shop: Shop): Line[] {
  const { value, version } = readOrder(item);
  const rows = orderRows(value, version, shop);
  return [lineOf('orders', rows.order), ...rows.lines.map((line) => lineOf('lines', line))];
}

/** Texts that are ids or codes, never written by a person. */
const CODES = new Set([
  'order_id',
  'product_id',
  'sku',
  'category',
  'currency',
  'refund_id',
  'checkout_id',
  'cart_id',
  'campaign',
  'step',
  'run',
  'message',
  'topic',
  'brand',
  'channel',
  'basis',
]);

const MOST_CODE = 100;

/** Numbers and truth values of any name, texts only of ids and codes, in lines too. */
export function withoutText(properties: JsonObject): JsonObject {
  const kept: [string, Json][] = [];
  for (const [name, value] of Object.entries(properties)) {
    if (Number.isFinite(value) || typeof value === 'boolean') kept.push([name, value]);
    else if (typeof value === 'string') {
      const amount = /^-?\d{1,15}(\.\d{1,6})?$/.test(value) && /price|total|revenue|value|amount|quantity/.test(name);
      const code = CODES.has(name) && isCode(value, MOST_CODE);
      if (amount || code) kept.push([name, value]);
    } else if (name === 'products' && Array.isArray(value)) {
      kept.push([name, value.flatMap((line) => (isObject(line) ? [withoutText(line)] : []))]);
    }
  }
  return Object.fromEntries(kept);
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** What the table shows of a contact: which other it lives on in, and its country. */
export function contactLine({ value, version }: Versioned<Contact>): Line {
  const { id, mergedInto, createdAt, facts } = value;
  const country = countryCode(facts.attributes.country?.value);
  return lineOf('contacts', { contact: id, version, into: mergedInto, createdAt, country });
}

/** One line where what it says is new. */
function contactLines(was: Versioned<Contact> | undefined, is: Versioned<Contact>): Line[] {
  const { line } = contactLine(is);
  const known = was === undefined ? undefined : contactLine(was).line;
  return known !== undefined && known.into === line.into && known.country === line.country ? [] : [contactLine(is)];
}

function decisionLines(was: Contact | undefined, is: Contact): Line[] {
  const known = was?.journey.decisions ?? {};
  return Object.entries(is.journey.decisions).flatMap(([campaign, decision]) => {
    const same = JSON.stringify(known[campaign]) === JSON.stringify(decision);
    return same ? [] : [decisionLine(is, campaign)];
  });
}

/** The last decision of a campaign over a contact. */
export function decisionLine({ id: contact, book, journey }: Contact, campaign: string): Line {
  const { at, kind, reason, step } = journey.decisions[campaign] as Contact['journey']['decisions'][string];
  return lineOf('decisions', { contact, campaign, at: instant(at), kind, reason, step, book: book?.hash });
}

/** In which order a message takes its states: of those in one second the last one counts. */
const STATES: Message['state'][] = ['ready', 'claimed', 'sent', 'uncertain', 'failed', 'dropped', 'ghost'];

/**
 * A message as it stands; the newest line of an id says the most. Streams tell arrival in whole seconds, so thousandths
 * say which of two lines of one second came later. The success that it had, and its order, are lines of their own.
 */
export function messageLine(message: Message, at: number): Line {
  const { id, state, conversion, plannedAt, coupon, reason } = message;
  return lineOf('messages', {
    ...message,
    message: id,
    at: instant(at + STATES.indexOf(state) + (conversion === undefined ? 0 : STATES.length)),
    plannedAt: instant(plannedAt),
    arm: state === 'ghost' ? 'ghost' : 'sent',
    // Who cancelled it is a person's name.
    reason: reason?.replace(/^cancelled by .*$/s, 'cancelled'),
    coupon: coupon !== undefined,
    convertedAt: instant(conversion?.at),
    convertedValue: conversion?.value,
  });
}

/** What became of a message at its receiver: `delivered`, `opened`, … , of which each counts once. */
export function feedbackLine({ id: message, contact, campaign }: Message, type: string, at: number): Line {
  return lineOf('feedback', { message, contact, campaign, type, at: instant(at) });
}

function messageLines(was: Message | undefined, is: Message, at: number): Line[] {
  const lines: Line[] = [];
  if (was?.state !== is.state || (is.conversion !== undefined && was.conversion === undefined)) {
    lines.push(messageLine(is, at));
  }
  if (is.delivery !== undefined && was?.delivery !== is.delivery) lines.push(feedbackLine(is, is.delivery, at));
  for (const [type, field] of SEEN) {
    const seen = is[field];
    if (seen !== undefined && was?.[field] === undefined) lines.push(feedbackLine(is, type, seen));
  }
  return lines;
}

/** Feedback whose instant the message keeps. */
export const SEEN = [
  ['opened', 'openedAt'],
  ['clicked', 'clickedAt'],
  ['unsubscribed', 'unsubscribedAt'],
] as const;

/** The day of an instant, in UTC. */
export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** Where the files of a day lie. */
export const folderOf = (kind: Kind, day: string): string => `lake/${kind}/day=${day}`;

export const LINES_TYPE = 'application/x-ndjson';

/** Lines as a file holds them. The same lines are the same bytes. */
export const packed = (lines: string[]): Uint8Array => gzipSync(`${lines.join('\n')}\n`);

/**
 * Writes one file per kind and arrival day, without whom `gone` knows. The name holds the shard and the first sequence
 * number, so that a repeated batch writes the same file again.
 */
export async function writeFiles(
  changes: Change[],
  shard: string,
  bucket: Bucket,
  shop: Shop,
  gone: (lines: Line[]) => Promise<Gone> = async () => NOBODY,
): Promise<number> {
  const told = changes.map((change) => ({ change, lines: linesOf(change, shop) }));
  const people = await gone(told.flatMap(({ lines }) => lines));
  const files = new Map<string, { name: string; lines: string[] }>();
  for (const { change, lines } of told) {
    for (const { kind, line } of lines) {
      const folder = folderOf(kind, dayOf(change.at));
      const file = files.get(folder) ?? { name: `${folder}/${shard}-${change.sequence}.ndjson.gz`, lines: [] };
      files.set(folder, file);
      const left = withoutGone(kind, line, people);
      if (left !== undefined) file.lines.push(JSON.stringify(left));
    }
  }
  const written = [...files.values()].filter(({ lines }) => lines.length > 0);
  await pooled(written, 4, ({ name, lines }) => bucket.put(name, packed(lines), LINES_TYPE));
  return written.length;
}

const NOBODY: Gone = { contacts: new Set(), subjects: new Map(), since: '' };
