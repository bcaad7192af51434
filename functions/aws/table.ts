// The table: keys and items of everything stored, and the few ways in which it is read and written.
import { gunzipSync, gzipSync } from 'node:zlib';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  PutCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb';
import { CONTACT_SHAPE, type Contact } from '../../domain/contact.ts';
import type { Notice } from '../../domain/decision.ts';
import { type Interaction, type SubjectKey, sha256 } from '../../domain/interaction.ts';
import { type Conversion, isTerminal, MESSAGE_SHAPE, type Message } from '../../domain/message.ts';
import { ORDER_SHAPE, type Order } from '../../domain/order.ts';
import { jitter, sleep } from './clock.ts';

export type Key = { pk: string; sk: string };
export type Item = Key & Record<string, unknown>;
export type Write = NonNullable<TransactWriteCommandInput['TransactItems']>[number];
/** A thing with the version under which it is stored; 0 = not stored yet. */
export interface Versioned<T> {
  value: T;
  version: number;
}

export const MOST_WRITES = 100;
const SHAPE = 1;
const MESSAGE_DAYS = 400;

export const key = {
  contact: (id: string): Key => ({ pk: `CONTACT#${id}`, sk: 'CONTACT' }),
  identity: (subject: SubjectKey): Key => ({ pk: `IDENTITY#${subject}`, sk: 'IDENTITY' }),
  erased: (subject: SubjectKey): Key => ({ pk: `ERASED#${subject}`, sk: 'ERASED' }),
  interaction: (interaction: Interaction): Key => ({
    pk: `SUBJECT#${interaction.subject}`,
    sk: `INTERACTION#${interaction.name}#${interaction.id}`,
  }),
  order: (order: string): Key => ({ pk: `ORDER#${order}`, sk: 'ORDER' }),
  message: (contact: string, id: string): Key => ({ pk: `CONTACT#${contact}`, sk: `MESSAGE#${id}` }),
  notice: (contact: string, id: string): Key => ({ pk: `CONTACT#${contact}`, sk: `NOTICE#${id}` }),
  suppression: (hash: string): Key => ({ pk: `SUPPRESSION#${hash}`, sk: 'SUPPRESSION' }),
  withdrawal: (hash: string): Key => ({ pk: `SUPPRESSION#${hash}`, sk: 'WITHDRAWAL' }),
  product: (id: string): Key => ({ pk: `PRODUCT#${id}`, sk: 'PRODUCT' }),
  /** One turn of a product for one campaign. */
  turn: (product: string, campaign: string, turn: string): Key => ({
    pk: `PRODUCT#${product}`,
    sk: `TURN#${campaign}#${turn}`,
  }),
  /** Who watches a product, oldest first within a watch and a shard of the product's watchers. */
  watch: (product: string, shard: number, watch: string, at: number, contact: string): Key => ({
    pk: `WATCH#${product}#${shard}`,
    sk: `${watch}#${String(at).padStart(13, '0')}#${contact}`,
  }),
  /** One occurrence of a broadcast, and beside it the checkpoints of its walk. */
  broadcast: (campaign: string, occurrence: string, shard?: string): Key => ({
    pk: `BROADCAST#${campaign}`,
    sk: shard === undefined ? occurrence : `${occurrence}#${shard}`,
  }),
  pointer: (): Key => ({ pk: 'BOOK#POINTER', sk: 'POINTER' }),
  controls: (): Key => ({ pk: 'BOOK#CONTROLS', sk: 'CONTROLS' }),
  /** Which models stand; and what the last run that made models has come to. */
  models: (): Key => ({ pk: 'BOOK#MODELS', sk: 'POINTER' }),
  modelsRun: (): Key => ({ pk: 'BOOK#MODELS', sk: 'RUN' }),
  /** Checkpoints of the walk over all contacts that models have led to. */
  modelsWalk: (ordinal: number, shard: string): Key => ({
    pk: 'BOOK#MODELS',
    sk: `WALK#${String(ordinal).padStart(8, '0')}#${shard}`,
  }),
  fill: (ordinal: number, shard: string): Key => ({
    pk: 'BOOK#FILL',
    sk: `${String(ordinal).padStart(8, '0')}#${shard}`,
  }),
  /** About how many contacts a shard of the roster has. */
  contactCount: (): Key => ({ pk: 'ROSTER#COUNT', sk: 'COUNT' }),
  report: (campaign: string, day: string, shard: string): Key => ({ pk: `REPORT#${campaign}`, sk: `${day}#${shard}` }),
  /** Counters of one test of variants; and the list of tests. */
  test: (test: string, shard: string): Key => ({ pk: `TEST#${test}`, sk: shard }),
  testEntry: (test: string): Key => ({ pk: 'TESTS', sk: test }),
  /** Cases that budgets do not count any more, because somebody let the campaign go on. */
  budgetBase: (campaign: string): Key => ({ pk: `BUDGET#${campaign}`, sk: 'BASE' }),
  /** What SES said of the account within the last minutes. */
  account: (): Key => ({ pk: 'ACCOUNT#ses', sk: 'ACCOUNT' }),
  /** Messages of a sending domain on one day of its warm-up. */
  warmUp: (domain: string, date: string): Key => ({ pk: `WARMUP#${domain}`, sk: date }),
  /** What an operator or a guard did, in the order of time. */
  action: (at: number, id: string): Key => ({ pk: 'ACTIONS', sk: `${new Date(at).toISOString()}#${id}` }),
  /** How much of a lane the walks of one minute have released together. */
  release: (lane: Message['lane'], minute: number): Key => ({ pk: `RELEASE#${lane}#${minute}`, sk: 'RELEASE' }),
  /** A coupon code, as it is known: which pool it is of, whose it is, and what became of it. */
  code: (known: string): Key => ({ pk: `CODE#${known}`, sk: 'CODE' }),
  /** A code that nobody has yet, among those of its pool by their expiry. */
  freeCode: (pool: string, expires: number | undefined, known: string): Key => ({
    pk: poolPk(pool, codeShard(known)),
    // Thirteen digits, so that they sort: files say "never" by the year 9999.
    sk: `FREE#${String(Math.min(expires ?? NEVER, NEVER)).padStart(13, '0')}#${known}`,
  }),
  /**
   * The code of a run. A run's id is of one person alone, and stays when contacts are merged: what their messages are
   * stored under then changes.
   */
  runCoupon: (run: string, pool: string): Key => ({ pk: `RUN#${run}`, sk: `COUPON#${pool}` }),
  /** A pool to which codes were imported. */
  couponPool: (pool: string): Key => ({ pk: 'COUPONS', sk: `POOL#${pool}` }),
  rate: (second: number): Key => ({ pk: `RATE#${second}`, sk: 'RATE' }),
  lease: (): Key => ({ pk: 'LEASE#timers', sk: 'LEASE' }),
  watermark: (shard: string): Key => ({ pk: `WATERMARK#${shard}`, sk: 'WATERMARK' }),
};

/** Few, so that a look at a pool is a look at each; enough for some thousand codes given in a second. */
export const POOL_SHARDS = 4;
const NEVER = 9_999_999_999_999;

/** The key under which the free codes of one shard of a pool stand. */
export const poolPk = (pool: string, shard: string): string => `COUPON#${pool}#${shard}`;

/** The shard of a code inside its pool: two digits. */
export const codeShard = (known: string): string => shardOf(known, POOL_SHARDS);

/** The shard of a contact: two digits. */
export function shardOf(contact: string, shards: number): string {
  return shardText(Number.parseInt(sha256(contact).slice(0, 4), 16) % shards);
}

/** A shard as keys hold it: two digits. */
export function shardText(shard: number): string {
  return String(shard).padStart(2, '0');
}

/** The stored shape is newer than this release: it is neither read nor written over. */
export class NewerShape extends Error {
  constructor(at: Key, shape: unknown) {
    super(`table: ${at.pk.split('#')[0]} has shape ${String(shape)}, this release knows up to ${SHAPE}`);
    this.name = 'NewerShape';
  }
}

/** A transaction that was refused: which of its writes met a false condition. Never holds an item. */
export class Cancelled extends Error {
  readonly conditions: number[];
  /** A conflict with another writer, or a throttle: nothing is known to be wrong. */
  readonly transient: boolean;
  constructor(conditions: number[], transient: boolean) {
    super('table: the transaction was cancelled');
    this.name = 'Cancelled';
    this.conditions = conditions;
    this.transient = transient;
  }
}

const PACKED_FROM = 32_768;

/** A contact's text as it is stored: packed from 32 KB on, since an item costs by the KB and holds at most 400 KB. */
function packed(text: string): Record<string, unknown> {
  return text.length < PACKED_FROM ? { state: text } : { packed: gzipSync(text, { level: 3 }) };
}

function unpacked(item: Item): string {
  if (item.packed === undefined) return item.state as string;
  return gunzipSync(item.packed as Uint8Array, { maxOutputLength: 16 * 1024 * 1024 }).toString();
}

/** A contact as it is stored: in the due index while it waits, in the roster while it lives. */
export function contactItem(contact: Contact, version: number, shards: number, recordedAt?: number): Item {
  const shard = shardOf(contact.id, shards);
  const living = contact.mergedInto === undefined;
  return {
    ...key.contact(contact.id),
    shape: CONTACT_SHAPE,
    version,
    ...(recordedAt !== undefined && { recordedAt }),
    ...packed(JSON.stringify(contact)),
    ...(living && { rosterPk: `ROSTER#${shard}`, rosterSk: contact.id }),
    ...(living && contact.journey.due !== undefined && { duePk: `DUE#tick#${shard}`, dueAt: contact.journey.due }),
  };
}

/** A contact with its version. Throws NewerShape for one that a newer release wrote. */
export function readContact(item: Item): Versioned<Contact> {
  checkShape(item, CONTACT_SHAPE);
  return { value: JSON.parse(unpacked(item)) as Contact, version: item.version as number };
}

/** An order as it is stored; `recordedAt`: when this version was. */
export function orderItem(order: Order, version: number, recordedAt?: number): Item {
  return {
    ...key.order(order.key),
    shape: ORDER_SHAPE,
    version,
    ...(recordedAt !== undefined && { recordedAt }),
    state: JSON.stringify(order),
  };
}

/** An order with its version. Throws NewerShape for one that a newer release wrote. */
export function readOrder(item: Item): Versioned<Order> {
  checkShape(item, ORDER_SHAPE);
  return { value: JSON.parse(item.state as string) as Order, version: item.version as number };
}

/** An interaction as it is stored, under the key that its event alone gives; `recordedAt`: when it arrived. */
export function interactionItem(interaction: Interaction, recordedAt?: number): Item {
  return {
    ...key.interaction(interaction),
    shape: SHAPE,
    at: interaction.at,
    source: interaction.source,
    ...(recordedAt !== undefined && { recordedAt }),
    body: JSON.stringify(interaction),
  };
}

/** An interaction from its item. Throws NewerShape for one that a newer release wrote. */
export function readInteraction(item: Item): Interaction {
  checkShape(item, SHAPE);
  return JSON.parse(item.body as string) as Interaction;
}

/** A message is due exactly while it is not terminal and has a due instant; failed and uncertain ones are listed. */
export function messageItem(message: Message, shards: number): Item {
  const { campaign, state, delivery, plannedAt, claimedAt, sesId, due, reason, conversion, ...body } = message;
  const item: Item = {
    ...key.message(message.contact, message.id),
    shape: MESSAGE_SHAPE,
    campaign,
    state,
    plannedAt,
    body: JSON.stringify(body),
    ttl: Math.floor(message.createdAt / 1000) + MESSAGE_DAYS * 86_400,
  };
  if (delivery !== undefined) item.delivery = delivery;
  if (claimedAt !== undefined) item.claimedAt = claimedAt;
  if (sesId !== undefined) item.sesId = sesId;
  if (reason !== undefined) item.reason = reason;
  if (conversion !== undefined) item.conversion = JSON.stringify(conversion);
  if (due !== undefined && !isTerminal(state)) {
    item.duePk = `DUE#${message.lane}#${shardOf(message.contact, shards)}`;
    item.dueAt = due;
  } else if (state === 'failed' || state === 'uncertain') {
    // Nobody walks these keys: people list them.
    item.duePk = heldPk(state, shardOf(message.contact, shards));
    item.dueAt = plannedAt;
  }
  return item;
}

/** The key of the due index under which messages stand that people may look at and send again. */
export const heldPk = (state: 'failed' | 'uncertain', shard: string): string => `HELD#${state}#${shard}`;

/** The key under which notices stand that the bus never took. */
export const noticeHeldPk = (shard: string): string => `HELD#notice#${shard}`;

/** A notice on its way to the bus: due from birth until the bus has taken it. */
export function noticeItem(notice: Notice, shards: number): Item {
  return {
    ...key.notice(notice.contact, notice.id),
    shape: SHAPE,
    state: 'due',
    body: JSON.stringify(notice),
    duePk: `DUE#notice#${shardOf(notice.contact, shards)}`,
    dueAt: notice.at,
  };
}

/** A notice from its item. Throws NewerShape for one that a newer release wrote. */
export function readNotice(item: Item): Notice {
  checkShape(item, SHAPE);
  return JSON.parse(item.body as string) as Notice;
}

/** A message from its item; what the index and conditions need stands beside its body. Throws NewerShape. */
export function readMessage(item: Item): Message {
  checkShape(item, MESSAGE_SHAPE);
  const message = {
    ...(JSON.parse(item.body as string) as Message),
    campaign: item.campaign as string,
    state: item.state as Message['state'],
    plannedAt: item.plannedAt as number,
  };
  if (item.delivery !== undefined) message.delivery = item.delivery as NonNullable<Message['delivery']>;
  if (item.claimedAt !== undefined) message.claimedAt = item.claimedAt as number;
  if (item.sesId !== undefined) message.sesId = item.sesId as string;
  if (item.reason !== undefined) message.reason = item.reason as string;
  if (item.conversion !== undefined) message.conversion = JSON.parse(item.conversion as string) as Conversion;
  if (item.dueAt !== undefined && !isTerminal(message.state)) message.due = item.dueAt as number;
  return message;
}

function checkShape(item: Item, known: number): void {
  if (typeof item.shape === 'number' && item.shape > known) throw new NewerShape(item, item.shape);
}

/** An image as the service writes it: texts, numbers, truth values and bytes, which is all that our items of interest hold. */
export function plain(image: Record<string, { S?: string; N?: string; BOOL?: boolean; B?: string }>): Item {
  const item: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(image)) {
    if (value.S !== undefined) item[name] = value.S;
    else if (value.N !== undefined) item[name] = Number(value.N);
    else if (value.BOOL !== undefined) item[name] = value.BOOL;
    else if (value.B !== undefined) item[name] = Buffer.from(value.B, 'base64');
  }
  return item as Item;
}

const keyText = (of: Key): string => `${of.pk}\n${of.sk}`;

/** What a BatchGet found, by key. */
export class Found {
  readonly #items = new Map<string, Item>();
  add(item: Item): void {
    this.#items.set(keyText(item), item);
  }
  get(of: Key): Item | undefined {
    return this.#items.get(keyText(of));
  }
}

export interface Page {
  items: Item[];
  next?: Key & Record<string, unknown>;
}

/** All access to the one table. Reads are strong, except of indexes, which cannot be. */
export class Table {
  readonly #client: DynamoDBDocumentClient;
  readonly name: string;
  readonly shards: number;

  constructor(client: DynamoDBDocumentClient, name: string, shards: number) {
    this.#client = client;
    this.name = name;
    this.shards = shards;
  }

  /** Strong reads of many items, 100 a call; what the service leaves unprocessed is asked for again. */
  async read(keys: Key[]): Promise<Found> {
    const found = new Found();
    const distinct = [...new Map(keys.map((each) => [keyText(each), each])).values()];
    await pooled(chunks(distinct, 100), 4, async (chunk) => {
      let left = chunk;
      for (let attempt = 0; left.length > 0; attempt++) {
        if (attempt > 0) {
          if (attempt > 8) throw new Error('table: keys stayed unprocessed');
          await sleep(jitter(attempt));
        }
        const answer = await this.#client.send(
          new BatchGetCommand({ RequestItems: { [this.name]: { Keys: left, ConsistentRead: true } } }),
        );
        for (const item of answer.Responses?.[this.name] ?? []) found.add(item as Item);
        left = (answer.UnprocessedKeys?.[this.name]?.Keys ?? []) as Key[];
      }
    });
    return found;
  }

  async readOne(of: Key): Promise<Item | undefined> {
    return (await this.read([of])).get(of);
  }

  /** All or nothing. Throws `Cancelled` when a condition was false or another writer was in the way. */
  async transact(writes: Write[]): Promise<void> {
    try {
      await this.#client.send(new TransactWriteCommand({ TransactItems: writes }));
    } catch (error) {
      throw cancelled(error) ?? error;
    }
  }

  /** Puts an item if there is none under its key: false when there is. */
  async create(item: Item): Promise<boolean> {
    return this.#conditional(() =>
      this.#client.send(
        new PutCommand({ TableName: this.name, Item: item, ConditionExpression: 'attribute_not_exists(pk)' }),
      ),
    );
  }

  /** A conditional update: false when its condition was false. */
  async update(of: Key, input: Omit<UpdateCommandInput, 'TableName' | 'Key'>): Promise<boolean> {
    return this.#conditional(() => this.#client.send(new UpdateCommand({ TableName: this.name, Key: of, ...input })));
  }

  /** An update that answers the item: `{ updated }`, or `{ refused }` with the item as it stands. */
  async updateAnd(
    of: Key,
    input: Omit<UpdateCommandInput, 'TableName' | 'Key'>,
  ): Promise<{ updated: Record<string, unknown> } | { refused: Record<string, unknown> }> {
    let updated: Record<string, unknown> = {};
    let refused: Record<string, unknown> = {};
    const done = await this.#conditional(
      async () => {
        const answer = await this.#client.send(
          new UpdateCommand({
            TableName: this.name,
            Key: of,
            ReturnValues: 'ALL_NEW',
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
            ...input,
          }),
        );
        updated = answer.Attributes ?? {};
      },
      (item) => {
        refused = item;
      },
    );
    return done ? { updated } : { refused };
  }

  /**
   * Replaces a message whose stored item is still the one that was read: false when it changed meanwhile. A conversion
   * that came meanwhile is kept, and stands in nobody's way.
   */
  async replaceMessage(before: Item, after: Message): Promise<boolean> {
    const replace = (read: Item, message: Message, refused?: (item: Record<string, unknown>) => void) => {
      const write = this.messageReplacement(read, message).Put as NonNullable<Write['Put']>;
      const put = new PutCommand({ ...write, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' });
      return this.#conditional(() => this.#client.send(put), refused);
    };
    let conversion: unknown;
    const done = await replace(before, after, (item) => {
      conversion = item.conversion;
    });
    if (done || typeof conversion !== 'string' || before.conversion !== undefined) return done;
    return replace({ ...before, conversion }, { ...after, conversion: JSON.parse(conversion) as Conversion });
  }

  /** The same as part of a transaction. */
  messageReplacement(before: Item, after: Message): Write {
    const names: Record<string, string> = {};
    const values: Record<string, unknown> = {};
    const conditions = ['state', 'body', 'delivery', 'claimedAt', 'conversion'].map((name) => {
      names[`#${name}`] = name;
      if (before[name] === undefined) return `attribute_not_exists(#${name})`;
      values[`:${name}`] = before[name];
      return `#${name} = :${name}`;
    });
    return {
      Put: {
        TableName: this.name,
        Item: messageItem(after, this.shards),
        ConditionExpression: conditions.join(' AND '),
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: values,
      },
    };
  }

  /** A contact at its next version, conditional on the version that was read and on a shape that we know. */
  contactWrite(before: Versioned<Contact>, after: Contact, recordedAt?: number): Write {
    const item = contactItem(after, before.version + 1, this.shards, recordedAt);
    return this.#versioned(item, before.version, CONTACT_SHAPE);
  }

  orderWrite(before: Versioned<Order>, after: Order, recordedAt?: number): Write {
    return this.#versioned(orderItem(after, before.version + 1, recordedAt), before.version, ORDER_SHAPE);
  }

  #versioned(item: Item, version: number, shape: number): Write {
    if (version === 0) return this.creation(item);
    return {
      Put: {
        TableName: this.name,
        Item: item,
        ConditionExpression: '#version = :version AND #shape <= :shape',
        ExpressionAttributeNames: { '#version': 'version', '#shape': 'shape' },
        ExpressionAttributeValues: { ':version': version, ':shape': shape },
      },
    };
  }

  /** The same as part of a transaction. */
  put(item: Item): Write {
    return { Put: { TableName: this.name, Item: item } };
  }

  creation(item: Item): Write {
    return { Put: { TableName: this.name, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } };
  }

  /** An identity points to a contact: new, the same as before, or taken over from a contact merged away. */
  identityWrite(subject: SubjectKey, contact: string, from?: string): Write {
    return {
      Put: {
        TableName: this.name,
        Item: { ...key.identity(subject), shape: SHAPE, contact },
        ConditionExpression: `attribute_not_exists(pk) OR contact = :contact${from === undefined ? '' : ' OR contact = :from'}`,
        ExpressionAttributeValues: { ':contact': contact, ...(from !== undefined && { ':from': from }) },
      },
    };
  }

  /** Items of one partition whose sort key begins so; all pages. */
  async under(pk: string, begins: string): Promise<Item[]> {
    const items: Item[] = [];
    let from: Record<string, unknown> | undefined;
    do {
      const answer = await this.#client.send(
        new QueryCommand({
          TableName: this.name,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :begins)',
          ExpressionAttributeValues: { ':pk': pk, ':begins': begins },
          ConsistentRead: true,
          ...(from !== undefined && { ExclusiveStartKey: from }),
        }),
      );
      items.push(...((answer.Items ?? []) as Item[]));
      from = answer.LastEvaluatedKey;
    } while (from !== undefined);
    return items;
  }

  /** One page of a partition, from one sort key to another, both included. */
  async between(pk: string, from: string, to: string, limit: number): Promise<Page> {
    return this.#page({ ...range(pk, from, to), ConsistentRead: true, Limit: limit });
  }

  /**
   * All items of a part of the table, in no order, page by page: of `of` parts this is the one numbered `part`, from 0.
   * Reads everything once, which only a repair may want.
   */
  async *scan(part: number, of: number): AsyncGenerator<Item[]> {
    let from: Record<string, unknown> | undefined;
    do {
      const answer = await this.#client.send(
        new ScanCommand({
          TableName: this.name,
          Segment: part,
          TotalSegments: of,
          ...(from !== undefined && { ExclusiveStartKey: from }),
        }),
      );
      yield (answer.Items ?? []) as Item[];
      from = answer.LastEvaluatedKey;
    } while (from !== undefined);
  }

  /** Puts an item over whatever stands there. */
  async overwrite(item: Item): Promise<void> {
    await this.#client.send(new PutCommand({ TableName: this.name, Item: item }));
  }

  /** Takes an item away, whether or not it is there. */
  async remove(of: Key): Promise<void> {
    await this.#client.send(new DeleteCommand({ TableName: this.name, Key: of }));
  }

  /** The last items of one partition, greatest sort key first. */
  async newest(pk: string, most: number): Promise<Item[]> {
    const { items } = await this.#page({
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: most,
    });
    return items;
  }

  /** How many items of one partition have sort keys between two; counting stops at `most`. */
  async countBetween(pk: string, from: string, to: string, most: number): Promise<number> {
    return this.#count(range(pk, from, to), most);
  }

  /** How many items stand under a key of the due index; counting stops at `most`. */
  async countDue(duePk: string, most: number): Promise<number> {
    const of = { IndexName: 'due', KeyConditionExpression: 'duePk = :pk', ExpressionAttributeValues: { ':pk': duePk } };
    return this.#count(of, most);
  }

  async #count(input: Omit<ConstructorParameters<typeof QueryCommand>[0], 'TableName'>, most: number): Promise<number> {
    let counted = 0;
    let from: Record<string, unknown> | undefined;
    do {
      const answer = await this.#client.send(
        new QueryCommand({
          TableName: this.name,
          ...input,
          Select: 'COUNT',
          Limit: most - counted,
          ...(from !== undefined && { ExclusiveStartKey: from }),
        }),
      );
      counted += answer.Count ?? 0;
      from = answer.LastEvaluatedKey;
    } while (from !== undefined && counted < most);
    return counted;
  }

  /** One page of the due index: what is due up to an instant, earliest first. */
  async due(duePk: string, until: number, limit: number, from?: Record<string, unknown>): Promise<Page> {
    return this.#page({
      IndexName: 'due',
      KeyConditionExpression: 'duePk = :pk AND dueAt <= :until',
      ExpressionAttributeValues: { ':pk': duePk, ':until': until },
      Limit: limit,
      ...(from !== undefined && { ExclusiveStartKey: from }),
    });
  }

  /** One page of the roster of a shard. */
  async roster(shard: string, limit: number, from?: Record<string, unknown>): Promise<Page> {
    return this.#page({
      IndexName: 'roster',
      KeyConditionExpression: 'rosterPk = :pk',
      ExpressionAttributeValues: { ':pk': `ROSTER#${shard}` },
      Limit: limit,
      ...(from !== undefined && { ExclusiveStartKey: from }),
    });
  }

  async #page(input: Omit<ConstructorParameters<typeof QueryCommand>[0], 'TableName'>): Promise<Page> {
    const answer = await this.#client.send(new QueryCommand({ TableName: this.name, ...input }));
    const page: Page = { items: (answer.Items ?? []) as Item[] };
    if (answer.LastEvaluatedKey !== undefined) page.next = answer.LastEvaluatedKey as NonNullable<Page['next']>;
    return page;
  }

  /** Runs one conditional write; a transaction that is in the way is waited for, which the SDK does not do. */
  async #conditional(
    write: () => Promise<unknown>,
    refused?: (item: Record<string, unknown>) => void,
  ): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await write();
        return true;
      } catch (error) {
        const name = (error as Error).name;
        if (name === 'ConditionalCheckFailedException') {
          // The document client leaves the item of an error as the service wrote it.
          refused?.(plain((error as { Item?: Parameters<typeof plain>[0] }).Item ?? {}));
          return false;
        }
        if (name !== 'TransactionConflictException' || attempt > 3) throw error;
        await sleep(jitter(attempt));
      }
    }
  }
}

const range = (pk: string, from: string, to: string) => ({
  KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
  ExpressionAttributeValues: { ':pk': pk, ':from': from, ':to': to },
});

const TRANSIENT = new Set([
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
  'RequestLimitExceeded',
]);

/** Our reading of a cancelled transaction. The original is not kept: its reasons can hold the item. */
function cancelled(error: unknown): Error | undefined {
  const { name, CancellationReasons: reasons } = error as { name: string; CancellationReasons?: { Code?: string }[] };
  if (name === 'TransactionInProgressException') return new Cancelled([], true);
  if (name !== 'TransactionCanceledException') return undefined;
  const codes = (reasons ?? []).map((reason) => reason.Code ?? 'None');
  const conditions = codes.flatMap((code, index) => (code === 'ConditionalCheckFailed' ? [index] : []));
  const other = codes.find((code) => code !== 'None' && code !== 'ConditionalCheckFailed' && !TRANSIENT.has(code));
  if (other !== undefined) return new Error(`table: the transaction was refused: ${other}`);
  return new Cancelled(conditions, conditions.length === 0);
}

/** The list in parts of at most `size`. */
export function chunks<T>(list: T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < list.length; start += size) parts.push(list.slice(start, start + size));
  return parts;
}

/** Runs `work` over a list, at most `width` at a time. Throws the first error, after all have ended. */
export async function pooled<T>(list: T[], width: number, work: (each: T) => Promise<void>): Promise<void> {
  const waiting = list.values();
  const faults: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const each of waiting) {
      try {
        await work(each);
      } catch (error) {
        faults.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, list.length) }, worker));
  if (faults.length > 0) throw faults[0];
}

/** The client that the functions use: endpoint, region and credentials come from the environment. */
export function documentClient(client: DynamoDBClient = new DynamoDBClient({})): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
}
