// Erasing a person: what the table holds of them goes or loses them, in an order that whoever breaks off can go on with.

import { isCode } from '../../domain/code.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import { codesOf, knownAs } from '../../domain/coupon.ts';
import type { JsonObject, SubjectKey } from '../../domain/interaction.ts';
import { type Order, orderKeyOf } from '../../domain/order.ts';
import type { Files } from './bucket.ts';
import { jitter, sleep } from './clock.ts';
import { type Erasure, readErasure, writeErasure } from './erasures.ts';
import { dayOf, withoutText } from './lake.ts';
import { linesIn } from './lake-days.ts';
import { GIVEN_UP } from './lake-repair.ts';
import {
  Cancelled,
  type Item,
  type Key,
  key,
  pooled,
  readContact,
  readInteraction,
  readMessage,
  readOrder,
  type Table,
} from './table.ts';
import { watchItem } from './watches.ts';

const AT_ONCE = 16;
const MOST_ATTEMPTS = 6;

/** Everything of a person that the table holds. */
export interface Trace {
  /** The living contact first, then those merged into it. */
  contacts: string[];
  subjects: SubjectKey[];
  interactions: Item[];
  orders: string[];
  messages: Item[];
  notices: Item[];
  identities: SubjectKey[];
  watches: Key[];
  /** Coupon codes that name them, and where their runs keep theirs. */
  codes: string[];
  runCoupons: Key[];
  /** The first day on which the lake can hold anything of them. */
  since: string;
}

interface Parts {
  table: Table;
  bucket: Files;
  /** Ids of what campaigns watch products by: `Book.watches`. */
  watches: readonly string[];
  /** What `mergesOf` tells. */
  merges: ReadonlyMap<string, readonly string[]>;
}

const isIdentity = (subject: SubjectKey): boolean => /^(user|address|anonymous)#/.test(subject);

/** Looks for everything of a person, of whom an entry of the ledger may know more than the table still does. */
export async function traceOf(
  contact: string,
  { table, watches, merges }: Omit<Parts, 'bucket'>,
  entry?: Erasure,
): Promise<Trace> {
  const contacts = new Set([contact, ...(entry?.contacts ?? [])]);
  const subjects = new Set<SubjectKey>(entry?.subjects ?? []);
  const made: number[] = [];
  const known = new Map<string, Contact>();
  for (let before = -1; before !== contacts.size; ) {
    before = contacts.size;
    for (const id of [...contacts]) {
      if (known.has(id)) continue;
      const item = await table.readOne(key.contact(id));
      const value = item === undefined ? newContact(id, Number.MAX_SAFE_INTEGER) : readContact(item).value;
      known.set(id, value);
      if (item !== undefined) made.push(value.createdAt);
      subjects.add(`contact#${id}`);
      for (const alias of value.aliases) subjects.add(alias);
      const { runs, windows = [] } = value.journey;
      for (const { contact: other } of [...runs.flatMap(({ pending }) => pending), ...windows]) {
        if (other !== undefined) contacts.add(other);
      }
    }
    for (const alias of subjects) if (alias.startsWith('contact#')) contacts.add(alias.slice('contact#'.length));
    for (const id of [...contacts]) for (const merged of merges.get(id) ?? []) contacts.add(merged);
  }
  const interactions = (
    await Promise.all([...subjects].map((subject) => table.under(`SUBJECT#${subject}`, 'INTERACTION#')))
  ).flat();
  const events = interactions.map(readInteraction);
  const [messages, notices] = await Promise.all(
    ['MESSAGE#', 'NOTICE#'].map(async (begins) =>
      (await Promise.all([...contacts].map((id) => table.under(key.contact(id).pk, begins)))).flat(),
    ),
  );
  const named = [...new Set([...events.flatMap((each) => orderKeyOf(each) ?? []), ...(entry?.orders ?? [])])];
  const found = await table.read(named.map(key.order));
  const orders = named.flatMap((order): Order[] => {
    const item = found.get(key.order(order));
    if (item === undefined) return [];
    const { value } = readOrder(item);
    // An order that nobody owns any more was cleaned by a run that broke off, or is a guest's that had only this person's events.
    return value.owner === undefined || contacts.has(value.owner) ? [value] : [];
  });
  const identities = [...subjects].filter(isIdentity);
  const held = await table.read(identities.map(key.identity));
  const told = (messages ?? []).map(readMessage);
  const watched = events.flatMap(({ at, properties }) =>
    productsIn(properties).flatMap((product) =>
      watches.flatMap((watch) =>
        [at, at - (at % 86_400_000)].flatMap((instant) =>
          [...contacts].map((id): Key => {
            const { pk, sk } = watchItem({ watch, product, contact: id, at: instant, until: 0 });
            return { pk, sk };
          }),
        ),
      ),
    ),
  );
  const standing = await table.read(watched);
  const codes = [
    ...told.flatMap(({ inputs }) => (inputs.coupon === undefined ? [] : [inputs.coupon.code])),
    ...orders.flatMap(({ statement }) => codesOf(JSON.parse(statement?.properties ?? '{}') as JsonObject)),
  ];
  return {
    contacts: [contact, ...[...contacts].filter((id) => id !== contact)],
    subjects: [...subjects],
    interactions,
    orders: orders.map((order) => order.key),
    messages: messages ?? [],
    notices: notices ?? [],
    identities: identities.filter((each) => contacts.has(String(held.get(key.identity(each))?.contact))),
    watches: distinct(watched.filter((each) => standing.get(each) !== undefined)),
    codes: [...new Set(codes.map(knownAs))],
    runCoupons: told.flatMap(({ run, coupon }) => (coupon === undefined ? [] : [key.runCoupon(run, coupon)])),
    since: [
      dayBefore(
        made,
        events.map(({ at }) => at),
      ),
      ...(entry === undefined ? [] : [entry.since]),
    ].sort()[0] as string,
  };
}

const distinct = (keys: Key[]): Key[] => [...new Map(keys.map(({ pk, sk }) => [`${pk}\n${sk}`, { pk, sk }])).values()];

/** A day before the first that is known: nothing arrives before it happened. */
function dayBefore(made: number[], events: number[]): string {
  const first = [...made, ...events].reduce((min, at) => Math.min(min, at), Number.POSITIVE_INFINITY);
  return Number.isFinite(first) ? dayOf(first - 86_400_000) : '1970-01-01';
}

function productsIn({ product_id, sku, products }: JsonObject): string[] {
  const lines = Array.isArray(products) ? products : [];
  const said = [
    product_id ?? sku,
    ...lines.map((line) => {
      if (line === null || typeof line !== 'object' || Array.isArray(line)) return undefined;
      return line.product_id ?? line.sku;
    }),
  ];
  return [...new Set(said.flatMap((id) => (typeof id === 'string' || typeof id === 'number' ? [String(id)] : [])))];
}

/** Survivor → contacts that the lake knows to have been merged into it: their remainders point to it, and it not back. */
export async function mergesOf(bucket: Files): Promise<Map<string, string[]>> {
  const merges = new Map<string, string[]>();
  for await (const { name } of bucket.list('lake/contacts/day=')) {
    const file = await bucket.read(name);
    if (file === undefined) continue;
    for await (const texts of linesIn(name, file.body)) {
      for (const text of texts) {
        if (!text.includes('"into"')) continue;
        const { contact, into } = JSON.parse(text) as { contact: string; into?: string };
        if (into !== undefined) merges.set(into, [...(merges.get(into) ?? []), contact]);
      }
    }
  }
  return merges;
}

/** What is said of a trace before anything is done. */
export function countsOf(trace: Trace): Record<string, number> {
  return {
    contacts: trace.contacts.length,
    interactions: trace.interactions.length,
    orders: trace.orders.length,
    messages: trace.messages.length,
    notices: trace.notices.length,
    identities: trace.identities.length,
    watches: trace.watches.length,
  };
}

/**
 * Erases a person from the table and writes the ledger: first the entry, which knows all that is to go and until when
 * events are refused, then the marks that the intake asks, then everything else, the contact last. Broken off and given
 * again it goes on; events that were under way are looked for once more. The lake is not touched: `eraseFromLake` takes
 * many people out at once, then `closeErasure` ends the entry. Answers the entry.
 */
export async function eraseFromTable(
  contact: string,
  { by, now }: { by: string; now: number },
  parts: Parts,
): Promise<Erasure> {
  const { table, bucket } = parts;
  for (let attempt = 1; ; attempt++) {
    const before = await readErasure(bucket, contact);
    const trace = await traceOf(contact, parts, before);
    const entry = {
      contact,
      contacts: trace.contacts,
      subjects: trace.subjects,
      at: Math.max(now, before?.at ?? now),
      since: trace.since,
      by: before?.by ?? by,
      orders: [...new Set([...(before?.orders ?? []), ...trace.orders])],
    };
    await writeErasure(bucket, entry);
    await pooled(entry.subjects, AT_ONCE, (subject) => mark(table, subject, entry.at));
    const who = new Set(trace.contacts);
    await pooled(entry.orders, AT_ONCE, (order) => cleanOrder(table, order, who));
    await pooled(trace.codes, AT_ONCE, (code) => cleanCode(table, code, who));
    const keys = [...trace.messages, ...trace.notices, ...trace.interactions, ...trace.watches, ...trace.runCoupons];
    await pooled(keys, AT_ONCE, ({ pk, sk }) => table.remove({ pk, sk }));
    await pooled(trace.identities, AT_ONCE, (subject) => table.remove(key.identity(subject)));
    const gone = await removeContacts(table, trace.contacts);
    if (gone && (await isEmpty(table, trace))) return { shape: 1, ...entry };
    if (attempt === MOST_ATTEMPTS) throw new Error('erase: others keep writing about this person');
    await sleep(jitter(attempt));
  }
}

/** Ends an entry: the numbers of orders are forgotten. */
export async function closeErasure(
  bucket: Files,
  { shape: _, orders: __, ...erasure }: Erasure,
  now: number,
): Promise<void> {
  await writeErasure(bucket, { ...erasure, done: now });
}

/** Events of this subject up to an instant are refused from now on; a later mark stays. */
async function mark(table: Table, subject: SubjectKey, at: number): Promise<void> {
  await table.update(key.erased(subject), {
    UpdateExpression: 'SET #at = :at, #shape = :one',
    ConditionExpression: 'attribute_not_exists(pk) OR #at < :at',
    ExpressionAttributeNames: { '#at': 'at', '#shape': 'shape' },
    ExpressionAttributeValues: { ':at': at, ':one': 1 },
  });
}

/** Money stays, and what it was for; who it was, and every text about them, goes. */
async function cleanOrder(table: Table, order: string, contacts: ReadonlySet<string>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const item = await table.readOne(key.order(order));
    if (item === undefined) return;
    const stored = readOrder(item);
    const { owner, orphaned: _, ...rest } = stored.value;
    if (owner !== undefined && !contacts.has(owner)) return;
    const { statement } = rest;
    const clean: Order = {
      ...rest,
      ...(statement && {
        statement: { ...statement, properties: JSON.stringify(withoutPerson(statement.properties)) },
      }),
    };
    if (JSON.stringify(clean) === JSON.stringify(stored.value)) return;
    try {
      await table.transact([table.orderWrite(stored, clean, item.recordedAt as number | undefined)]);
      return;
    } catch (error) {
      if (!(error instanceof Cancelled) || attempt === MOST_ATTEMPTS) throw error;
      await sleep(jitter(attempt));
    }
  }
}

/** What a statement says of money, products and the channel; that there was a coupon, not which. */
function withoutPerson(text: string): JsonObject {
  const properties = JSON.parse(text) as JsonObject;
  const { coupon, affiliation } = properties;
  return {
    ...withoutText(properties),
    ...(typeof affiliation === 'string' && isCode(affiliation) && { affiliation }),
    ...(typeof coupon === 'string' && coupon !== '' && { coupon: 'erased' }),
  };
}

/** A code stays given or redeemed; to whom, in which message and by which run is forgotten. */
async function cleanCode(table: Table, code: string, contacts: ReadonlySet<string>): Promise<void> {
  const item = await table.readOne(key.code(code));
  if (item === undefined) return;
  const given = contacts.has(String(item.contact));
  const redeemed = contacts.has(String(item.redeemedBy));
  const names = [...(given ? ['contact', 'run', 'message'] : []), ...(redeemed ? ['redeemedBy'] : [])];
  if (names.length === 0) return;
  await table.update(key.code(code), {
    UpdateExpression: `REMOVE ${names.map((_, i) => `#n${i}`).join(', ')}`,
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeNames: Object.fromEntries(names.map((name, i) => [`#n${i}`, name])),
  });
}

/** Remainders first, the living one last; false where somebody wrote one meanwhile. */
async function removeContacts(table: Table, contacts: string[]): Promise<boolean> {
  for (const id of [...contacts].reverse()) {
    const item = await table.readOne(key.contact(id));
    if (item === undefined) continue;
    try {
      await table.transact([
        {
          Delete: {
            TableName: table.name,
            Key: key.contact(id),
            ConditionExpression: '#version = :version',
            ExpressionAttributeNames: { '#version': 'version' },
            ExpressionAttributeValues: { ':version': item.version },
          },
        },
      ]);
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
      return false;
    }
  }
  return true;
}

/** Whether nothing came while everything went. */
async function isEmpty(table: Table, { subjects, contacts }: Trace): Promise<boolean> {
  const pks = [...subjects.map((subject) => `SUBJECT#${subject}`), ...contacts.map((id) => key.contact(id).pk)];
  const left = await Promise.all(pks.map((pk) => table.countBetween(pk, ' ', '\uffff', 1)));
  return left.every((count) => count === 0);
}

/** Takes people out of the records that functions gave up; answers how many records went. */
export async function eraseFromGivenUp(bucket: Files, erasures: readonly Erasure[]): Promise<number> {
  const pks = new Set(
    erasures.flatMap(({ contacts, subjects, orders = [] }) => [
      ...contacts.map((id) => key.contact(id).pk),
      ...subjects.map((subject) => `SUBJECT#${subject}`),
      ...orders.map((order) => key.order(order).pk),
    ]),
  );
  let gone = 0;
  for await (const { name, tag } of bucket.list(GIVEN_UP)) {
    const said = JSON.parse((await bucket.get(name)) ?? '{}') as { payload?: string | { Records?: StreamRecord[] } };
    const payload = (typeof said.payload === 'string' ? JSON.parse(said.payload) : (said.payload ?? {})) as {
      Records?: StreamRecord[];
    };
    const records = payload.Records ?? [];
    const left = records.filter(({ dynamodb }) => !pks.has(String(dynamodb?.Keys?.pk?.S)));
    if (left.length === records.length) continue;
    gone += records.length - left.length;
    const text = { ...said, payload: JSON.stringify({ ...payload, Records: left }) };
    await bucket.replace(name, JSON.stringify(text), 'application/json', tag);
  }
  return gone;
}

interface StreamRecord {
  dynamodb?: { Keys?: { pk?: { S?: string } } };
}
