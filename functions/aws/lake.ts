// From the table's stream to files of the lake and report counters: no addresses, no names, no free text.
import { gzipSync } from 'node:zlib';
import type { DynamoDBRecord } from 'aws-lambda';
import type { Contact } from '../../domain/contact.ts';
import type { Interaction, Json, JsonObject } from '../../domain/interaction.ts';
import { type Message, reportedState } from '../../domain/message.ts';
import { orderKeyOf } from '../../domain/order.ts';
import type { Bucket } from './bucket.ts';
import { type Item, key, plain, pooled, readContact, readInteraction, readMessage, type Table } from './table.ts';

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

function messageLines(before: Item | undefined, after: Item, at: number): { kind: Kind; line: JsonObject }[] {
  const is = readMessage(after);
  const was = before === undefined ? undefined : readMessage(before);
  const lines: { kind: Kind; line: JsonObject }[] = [];
  const { id: message, contact, campaign } = is;
  if (was?.state !== is.state) {
    const { version, step, run, kind, topic, state, plannedAt, reason } = is;
    lines.push({
      kind: 'messages',
      line: {
        message,
        contact,
        campaign,
        version,
        step,
        run,
        kind,
        state,
        at: new Date(at).toISOString(),
        plannedAt: new Date(plannedAt).toISOString(),
        ...(topic !== undefined && { topic }),
        ...(reason !== undefined && { reason }),
      },
    });
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

/**
 * Adds the transitions of messages to the report counters: one item per campaign, day (of the planned instant) and
 * stream shard. What an item has seen already, by its last sequence number, is passed over, so repeats count nothing twice.
 */
export async function countReports(changes: Change[], shard: string, table: Table): Promise<void> {
  const moves = new Map<
    string,
    { campaign: string; day: string; changes: { sequence: string; message: Transition }[] }
  >();
  for (const { sequence, before, after } of changes) {
    if (after === undefined || !after.sk.startsWith('MESSAGE#')) continue;
    const is = readMessage(after);
    const was = before === undefined ? undefined : readMessage(before);
    const day = new Date(is.plannedAt).toISOString().slice(0, 10);
    const at = `${is.campaign} ${day}`;
    const move = moves.get(at) ?? { campaign: is.campaign, day, changes: [] };
    move.changes.push({ sequence, message: { was, is } });
    moves.set(at, move);
  }
  await pooled([...moves.values()], 4, async (move) => {
    const of = key.report(move.campaign, move.day, shard);
    for (let attempt = 1; ; attempt++) {
      const seen = (await table.readOne(of))?.seq as string | undefined;
      const fresh = move.changes.filter(({ sequence }) => seen === undefined || BigInt(sequence) > BigInt(seen));
      const last = fresh.at(-1);
      if (last === undefined) return;
      const counts = deltas(fresh.map(({ message }) => message));
      const names: Record<string, string> = { '#seq': 'seq' };
      const values: Record<string, unknown> = { ':seq': last.sequence };
      if (seen !== undefined) values[':seen'] = seen;
      const adds = [...counts].map(([state, delta], index) => {
        names[`#n${index}`] = state;
        values[`:n${index}`] = delta;
        return `#n${index} :n${index}`;
      });
      const written = await table.update(of, {
        UpdateExpression: `SET #seq = :seq${adds.length === 0 ? '' : ` ADD ${adds.join(', ')}`}`,
        ConditionExpression: seen === undefined ? 'attribute_not_exists(#seq)' : '#seq = :seen',
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: values,
      });
      if (written) return;
      if (attempt === 4) throw new Error('reports: another writer of the same shard');
    }
  });
}

interface Transition {
  was: Message | undefined;
  is: Message;
}

function deltas(transitions: Transition[]): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (names: string[], delta: number): void => {
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + delta);
  };
  for (const { was, is } of transitions) {
    if (was === undefined) add(['made'], 1);
    else add(countedAs(was), -1);
    add(countedAs(is), 1);
  }
  for (const [state, delta] of counts) if (delta === 0) counts.delete(state);
  return counts;
}

/** On the way, within seconds: counted over all, but not by provider, so that the items stay small. */
const PASSING = new Set(['ready', 'claimed']);

/**
 * Under which names a message is counted: its state, and what the person did with it; over all, and as
 * `<provider>.<name>` once the provider is known.
 */
function countedAs(message: Message): string[] {
  const names = [reportedState(message)];
  if (message.openedAt !== undefined) names.push('opened');
  if (message.clickedAt !== undefined) names.push('clicked');
  if (message.unsubscribedAt !== undefined) names.push('unsubscribed');
  const { provider } = message;
  if (provider === undefined) return names;
  return [...names, ...names.filter((name) => !PASSING.has(name)).map((name) => `${provider}.${name}`)];
}
