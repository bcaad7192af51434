// From the table's stream to files of the lake: no addresses, no names, no free text.
import { gzipSync } from 'node:zlib';
import type { DynamoDBRecord } from 'aws-lambda';
import type { Contact } from '../../domain/contact.ts';
import type { Interaction, Json, JsonObject } from '../../domain/interaction.ts';
import type { Conversion, Message } from '../../domain/message.ts';
import { orderKeyOf } from '../../domain/order.ts';
import type { Bucket } from './bucket.ts';
import { type Item, plain, pooled, readContact, readInteraction, readMessage } from './table.ts';

/** An item before and after one write, in the order of its shard. */
export interface Change {
  sequence: string;
  /** Arrival, epoch milliseconds. */
  at: number;
  before?: Item;
  after?: Item;
}

export type Kind = 'interactions' | 'messages' | 'decisions' | 'feedback';

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

/** The lines that a change adds to the lake. */
export function linesOf({ before, after, at }: Change): { kind: Kind; line: JsonObject }[] {
  if (after === undefined) return [];
  if (after.sk.startsWith('INTERACTION#')) {
    return before === undefined ? [{ kind: 'interactions', line: interactionLine(readInteraction(after)) }] : [];
  }
  if (after.sk === 'CONTACT') return decisionLines(before, after);
  if (after.sk.startsWith('MESSAGE#')) return messageLines(before, after, at);
  return [];
}

function interactionLine(interaction: Interaction): JsonObject {
  const { id, name, at, source, subject, properties } = interaction;
  const order = orderKeyOf(interaction);
  return {
    id,
    name,
    at: new Date(at).toISOString(),
    source,
    subject,
    ...(order !== undefined && { order }),
    properties: withoutText(properties),
  };
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

/** Numbers and truth values of any name, texts only of ids and codes, in lines too. */
export function withoutText(properties: JsonObject): JsonObject {
  const kept: [string, Json][] = [];
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'number' || typeof value === 'boolean') kept.push([name, value]);
    else if (typeof value === 'string') {
      const amount = /^-?\d{1,15}(\.\d{1,6})?$/.test(value) && /price|total|revenue|value|amount|quantity/.test(name);
      const code = CODES.has(name) && value.length <= 100 && !value.includes('@');
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

function decisionLines(before: Item | undefined, after: Item): { kind: Kind; line: JsonObject }[] {
  const known = before === undefined ? {} : decisionsOf(before);
  const contact = readContact(after).value;
  return Object.entries(decisionsOf(after)).flatMap(([campaign, decision]) => {
    if (JSON.stringify(known[campaign]) === JSON.stringify(decision)) return [];
    const { at, kind, reason, step } = decision;
    const line: JsonObject = { contact: contact.id, campaign, at: new Date(at).toISOString(), kind, reason };
    if (step !== undefined) line.step = step;
    if (contact.book !== undefined) line.book = contact.book.hash;
    return [{ kind: 'decisions' as const, line }];
  });
}

function decisionsOf(item: Item): Contact['journey']['decisions'] {
  return readContact(item).value.journey.decisions;
}

/** A message as it stands; the newest line of an id says the most. */
function messageLine(message: Message, at: number): JsonObject {
  const { id, contact, campaign, version, step, key, run, kind, state, plannedAt } = message;
  const { topic, reason, variant, test, conversion } = message;
  return {
    message: id,
    contact,
    campaign,
    version,
    step,
    run,
    kind,
    state,
    at: new Date(at).toISOString(),
    plannedAt: new Date(plannedAt).toISOString(),
    arm: state === 'ghost' ? 'ghost' : 'sent',
    ...(key !== undefined && { key }),
    ...(topic !== undefined && { topic }),
    ...(reason !== undefined && { reason }),
    ...(variant !== undefined && { variant }),
    ...(test !== undefined && { test }),
    ...(conversion !== undefined && { conversion: conversionLine(conversion) }),
  };
}

/** When, and what it was worth in minor units; the event and the order are lines of their own. */
function conversionLine({ at, value }: Conversion): JsonObject {
  return { at: new Date(at).toISOString(), ...(value !== undefined && { value }) };
}

function messageLines(before: Item | undefined, after: Item, at: number): { kind: Kind; line: JsonObject }[] {
  const is = readMessage(after);
  const was = before === undefined ? undefined : readMessage(before);
  const lines: { kind: Kind; line: JsonObject }[] = [];
  const { id: message, contact, campaign } = is;
  if (was?.state !== is.state || (is.conversion !== undefined && was.conversion === undefined)) {
    lines.push({ kind: 'messages', line: messageLine(is, at) });
  }
  const feedback = (type: string, when: number): void => {
    lines.push({ kind: 'feedback', line: { message, contact, campaign, type, at: new Date(when).toISOString() } });
  };
  if (is.delivery !== undefined && was?.delivery !== is.delivery) feedback(is.delivery, at);
  if (is.openedAt !== undefined && was?.openedAt === undefined) feedback('opened', is.openedAt);
  if (is.clickedAt !== undefined && was?.clickedAt === undefined) feedback('clicked', is.clickedAt);
  if (is.unsubscribedAt !== undefined && was?.unsubscribedAt === undefined) feedback('unsubscribed', is.unsubscribedAt);
  return lines;
}

/**
 * Writes one file per kind and arrival day. The name holds the shard and the first sequence number, so that a
 * repeated batch writes the same file again.
 */
export async function writeFiles(changes: Change[], shard: string, bucket: Bucket): Promise<number> {
  const files = new Map<string, { name: string; lines: string[] }>();
  for (const change of changes) {
    const day = new Date(change.at).toISOString().slice(0, 10);
    for (const { kind, line } of linesOf(change)) {
      const folder = `lake/${kind}/day=${day}`;
      const file = files.get(folder) ?? { name: `${folder}/${shard}-${change.sequence}.ndjson.gz`, lines: [] };
      file.lines.push(JSON.stringify(line));
      files.set(folder, file);
    }
  }
  await pooled([...files.values()], 4, ({ name, lines }) =>
    bucket.put(name, gzipSync(`${lines.join('\n')}\n`), 'application/x-ndjson'),
  );
  return files.size;
}
