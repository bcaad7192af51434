// What the tests of the functions share: a small shop, its events, and the parts that a function is given.
import { createHash } from 'node:crypto';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { Definitions } from '../../domain/book.ts';
import { campaignVersion } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import type { Segment } from '../../domain/grammar.ts';
import { type Interaction, type Json, type JsonObject, sha256 } from '../../domain/interaction.ts';
import { MESSAGE_SHAPE, type Message } from '../../domain/message.ts';
import { orderKeyOf, orderSubject } from '../../domain/order.ts';
import { BookStore } from '../../functions/aws/book-store.ts';
import type { Bucket, Files, Listed } from '../../functions/aws/bucket.ts';
import { Bus } from '../../functions/aws/bus.ts';
import type { Log } from '../../functions/aws/handler.ts';
import { readModels } from '../../functions/aws/model-store.ts';
import { Recorder } from '../../functions/aws/recorder.ts';
import {
  contactItem,
  key,
  messageItem,
  pooled,
  readContact,
  readMessage,
  type Table,
} from '../../functions/aws/table.ts';
import { around, type Step } from './faults.ts';

export const NOON = Date.UTC(2026, 4, 4, 12);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** A clock that stands until it is moved. */
export interface StoppedClock {
  at: number;
  now: () => number;
}

export class MemoryBucket implements Files {
  readonly objects = new Map<string, string | Uint8Array>();
  async get(name: string): Promise<string | undefined> {
    const body = this.objects.get(name);
    return body === undefined ? undefined : Buffer.from(body as string).toString();
  }
  async put(name: string, body: string | Uint8Array): Promise<void> {
    this.objects.set(name, body);
  }
  async *list(prefix: string): AsyncIterable<Listed> {
    for (const name of [...this.objects.keys()].filter((each) => each.startsWith(prefix)).sort()) {
      const body = this.objects.get(name);
      if (body === undefined) continue;
      yield { name, bytes: Buffer.from(body as string).length, tag: tagOf(body), modified: NOON };
    }
  }
  async read(name: string): Promise<{ body: Uint8Array; tag: string } | undefined> {
    const body = this.objects.get(name);
    return body === undefined ? undefined : { body: Buffer.from(body as string), tag: tagOf(body) };
  }
  async replace(name: string, body: string | Uint8Array, _: string, tag: string | undefined): Promise<boolean> {
    const known = this.objects.get(name);
    if ((known === undefined ? undefined : tagOf(known)) !== tag) return false;
    await this.put(name, body);
    return true;
  }
  async remove(name: string, tag?: string): Promise<boolean> {
    const known = this.objects.get(name);
    if (known !== undefined && tag !== undefined && tagOf(known) !== tag) return false;
    this.objects.delete(name);
    return true;
  }
}

const tagOf = (body: string | Uint8Array): string => createHash('md5').update(body).digest('hex');

export class MemoryLog implements Log {
  readonly lines: { level: string; name: string; values?: Record<string, unknown> | undefined }[] = [];
  info(name: string, values?: Record<string, string | number | boolean>): void {
    this.lines.push({ level: 'info', name, values });
  }
  warn(name: string, values?: Record<string, string | number | boolean>): void {
    this.lines.push({ level: 'warn', name, values });
  }
  error(name: string, values?: Record<string, string | number | boolean>): void {
    this.lines.push({ level: 'error', name, values });
  }
}

/** A bus that keeps what it is given, unless it refuses all, or what the test says. */
export interface MemoryBus {
  bus: Bus;
  events: { name: string; source: string; detail: Record<string, unknown> }[];
  refuses: boolean | ((name: string) => boolean);
}

export function memoryBus(): MemoryBus {
  const client = new EventBridgeClient({ region: 'x' });
  const state: MemoryBus = { bus: new Bus('bus', client), events: [], refuses: false };
  around(client, async (_command, input) => {
    const entries = input.Entries as { Source: string; DetailType: string; Detail: string }[];
    const answers = entries.map(({ Source, DetailType, Detail }) => {
      const { refuses } = state;
      if (typeof refuses === 'function' ? refuses(DetailType) : refuses) return { ErrorCode: 'ThrottlingException' };
      state.events.push({ source: Source, name: DetailType, detail: JSON.parse(Detail) });
      return { EventId: 'e' };
    });
    const refused = answers.filter((answer) => 'ErrorCode' in answer).length;
    return { output: { FailedEntryCount: refused, Entries: answers }, response: {} };
  });
  return state;
}

/** Thanks for each order at once; a reminder to those who order and then rest for 30 days. */
const campaigns: Record<string, Campaign> = {
  thanks: {
    kind: 'service',
    aim: 'service',
    sender: 'main',
    when: { did: 'Order Completed' },
    again: 'every time',
    steps: [{ send: 'hello' }],
  },
  offer: {
    kind: 'marketing',
    aim: 'cross-sell',
    topic: 'offers',
    sender: 'main',
    when: { did: 'Order Completed', each: 'products' },
    stopIf: { did: 'Order Refunded', since: 'run start' },
    again: 'every time',
    steps: [{ wait: '1h' }, { send: 'hello' }, { wait: '2d' }, { send: 'hello' }],
  },
  confirm: {
    kind: 'service',
    aim: 'service',
    sender: 'main',
    when: { did: 'Consent Requested' },
    again: 'every time',
    steps: [{ send: 'hello' }],
  },
};

const segments: Record<string, Segment> = {
  buyers: { rule: { did: 'Order Completed', times: { atLeast: 2 } } },
  viewers: { rule: { did: 'Product Viewed', times: { atLeast: 3 }, inLast: '30d' } },
};

export function definitions(change: Partial<Definitions> = {}): Definitions {
  return {
    shape: 1,
    ordinal: 1,
    settings: {
      brands: {
        shop: {
          name: 'Shop',
          legalName: 'Shop GmbH',
          postalAddress: 'Example Street 1, 10115 Berlin',
          site: 'https://shop.example/',
          colours: { accent: '#112233', text: '#000000', background: '#ffffff' },
        },
      },
      senders: { main: { brand: 'shop', name: 'The Shop', from: 'hello@shop.example' } },
      currency: 'EUR',
      zone: 'UTC',
      locales: ['en'],
      topics: { offers: { title: 'Offers' } },
      caps: [{ most: 3, in: '7d' }],
    },
    segments: Object.fromEntries(
      Object.entries(segments).map(([id, segment], ordinal) => [id, { ...segment, ordinal, since: 1 }]),
    ),
    campaigns: Object.fromEntries(
      Object.entries(campaigns).map(([id, campaign]) => [
        id,
        { id, version: campaignVersion(campaign), since: 1, campaign },
      ]),
    ),
    retired: {},
    emails: {
      hello: {
        locales: {
          en: {
            subject: 'Hello {{ contact.firstName | default: "you" }}',
            preheader: 'A word from {{ brand.name }}',
            html: '<p>Hello {{ contact.firstName | default: "you" }}</p><a href="{{ links.unsubscribe }}">Unsubscribe</a>',
            text: 'Hello {{ contact.firstName | default: "you" }}\n{{ links.unsubscribe }}',
          },
        },
      },
    },
    pages: {},
    catalogue: { products: {} },
    fields: {},
    ...change,
  };
}

/** Writes a book and points to it. */
export async function publish(table: Table, bucket: Bucket, book: Definitions, filled = book.ordinal): Promise<string> {
  const text = JSON.stringify(book);
  const hash = sha256(text);
  await bucket.put(`books/${hash}.json`, text, 'application/json');
  await table.update(key.pointer(), {
    UpdateExpression: 'SET #hash = :hash, ordinal = :ordinal, publishedAt = :at',
    ExpressionAttributeNames: { '#hash': 'hash' },
    ExpressionAttributeValues: { ':hash': hash, ':ordinal': book.ordinal, ':at': NOON },
  });
  await table.update(key.controls(), {
    UpdateExpression: 'SET filled = :filled, paused = if_not_exists(paused, :none)',
    ExpressionAttributeValues: { ':filled': filled, ':none': {} },
  });
  return hash;
}

export interface Bench {
  table: Table;
  bucket: MemoryBucket;
  log: MemoryLog;
  books: BookStore;
  clock: StoppedClock;
  recorder: Recorder;
}

/** A recorder over a table; the ids that it gives are c1, c2, … with a prefix of its own. */
export function benchOver(table: Table, shared?: { bucket: MemoryBucket; clock: StoppedClock; prefix: string }): Bench {
  const bucket = shared?.bucket ?? new MemoryBucket();
  const log = new MemoryLog();
  const clock: StoppedClock = shared?.clock ?? { at: NOON, now: () => clock.at };
  const books = new BookStore({ table, bucket, now: clock.now, log, models: readModels });
  let made = 0;
  const newId = () => `${shared?.prefix ?? 'c'}${String(++made).padStart(4, '0')}`;
  const recorder = new Recorder({ table, books, now: clock.now, newId });
  return { table, bucket, log, books, clock, recorder };
}

export interface Said {
  id: string;
  at?: number;
  user?: string;
  address?: string;
  anonymous?: string;
  contact?: string;
  traits?: JsonObject;
  properties?: JsonObject;
  source?: string;
}

/** An interaction as the door leaves it. */
export function interaction(name: string, said: Said): Interaction {
  const { id, at = NOON, user, address, anonymous, contact, traits = {}, properties = {}, source = 'shop' } = said;
  const who: Interaction['who'] = {};
  if (user !== undefined) who.user = sha256(user);
  if (address !== undefined) who.address = sha256(address);
  if (anonymous !== undefined) who.anonymous = sha256(anonymous);
  if (contact !== undefined) who.contact = contact;
  const order = orderKeyOf({ name, source, properties });
  const subject =
    who.user !== undefined
      ? `user#${who.user}`
      : who.address !== undefined
        ? `address#${who.address}`
        : who.anonymous !== undefined
          ? `anonymous#${who.anonymous}`
          : contact !== undefined
            ? `contact#${contact}`
            : order !== undefined
              ? orderSubject(order)
              : `product#${sha256(String(properties.product_id))}`;
  const made: Interaction = { id, subject, name, at, source, who, traits, properties, hops: 0 };
  if (address !== undefined) made.address = address;
  return made;
}

/** Order Completed of one line. */
export function purchase(said: Said & { order: string; revenue?: number; products?: Json }): Interaction {
  const { order, revenue = 20, products } = said;
  return interaction('Order Completed', {
    ...said,
    properties: {
      order_id: order,
      revenue,
      total: revenue,
      currency: 'EUR',
      products: products ?? [{ product_id: 'cup', name: 'Cup', price: revenue, quantity: 1 }],
    },
  });
}

export async function contactOf(table: Table, id: string): Promise<Contact | undefined> {
  const item = await table.readOne(key.contact(id));
  return item === undefined ? undefined : readContact(item).value;
}

/** The living contact behind an identity, merges followed. */
export async function contactBy(table: Table, subject: string): Promise<Contact | undefined> {
  const identity = await table.readOne(key.identity(subject));
  let contact = identity === undefined ? undefined : await contactOf(table, identity.contact as string);
  while (contact?.mergedInto !== undefined) contact = await contactOf(table, contact.mergedInto);
  return contact;
}

export async function messagesOf(table: Table, contact: string): Promise<Message[]> {
  return (await table.under(`CONTACT#${contact}`, 'MESSAGE#')).map(readMessage);
}

/** Contacts p0, p1, … with an address, and a message each that is ready and due: without the recorder, which is slow. */
export async function crowdOf(
  table: Table,
  ids: string[],
  change: Partial<Message> = {},
  facts: (contact: Contact) => void = () => {},
): Promise<Message[]> {
  const campaign = definitions().campaigns[change.campaign ?? 'thanks']!;
  const messages: Message[] = [];
  await pooled(ids, 20, async (id) => {
    const contact = newContact(id, NOON - DAY);
    const value = `${id}@example.org`;
    contact.facts.address = { value, at: NOON - DAY, id: 'i' };
    contact.facts.addressHash = sha256(value);
    facts(contact);
    const message: Message = {
      shape: MESSAGE_SHAPE,
      id: `message-${id}`,
      contact: id,
      campaign: campaign.id,
      version: campaign.version,
      step: '0',
      run: `run-${id}`,
      kind: campaign.campaign.kind,
      ...(campaign.campaign.kind === 'marketing' && { topic: 'offers' }),
      sender: 'main',
      email: 'hello',
      state: 'ready',
      plannedAt: NOON,
      createdAt: NOON,
      due: NOON,
      lane: 'triggered',
      attempts: 0,
      ignoresQuiet: false,
      inputs: { trigger: { name: 'Order Completed', at: NOON, properties: {} }, recommendations: [] },
      ...change,
    };
    await table.create(contactItem(contact, 1, table.shards));
    await table.create(messageItem(message, table.shards));
    messages.push(message);
  });
  return messages.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Consent to offers of the shop, given an hour before noon. */
export function consenting(contact: Contact): void {
  contact.facts.consents['shop|offers|email'] = { granted: true, at: NOON - HOUR, id: 'g' };
}

/** A clock that moves on when nobody works: calls that pass through `step` take as long as they are told to, in no real time. */
export class VirtualTime {
  at: number;
  readonly #sleepers: { at: number; order: number; wake: () => void }[] = [];
  #calls = 0;
  #order = 0;

  constructor(at: number) {
    this.at = at;
  }

  readonly now = (): number => Math.floor(this.at);

  readonly sleep = (milliseconds: number): Promise<void> =>
    new Promise((wake) => {
      this.#sleepers.push({ at: this.at + Math.max(0, milliseconds), order: this.#order++, wake });
    });

  /** For `around`: half of a call's time passes before it happens, half before its answer is there. */
  taking(milliseconds: () => number): Step {
    return async (_command, _input, go) => {
      const half = milliseconds() / 2;
      await this.sleep(half);
      this.#calls++;
      const answer = await go().finally(() => {
        this.#calls--;
      });
      await this.sleep(half);
      return answer;
    };
  }

  /** Lets time pass until the work has ended. */
  async run<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const watched = work.finally(() => {
      over = true;
    });
    watched.catch(() => undefined);
    while (!over) {
      // Whatever can go on without time has gone on after two turns of the event loop.
      for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve));
      if (this.#calls > 0 || over) continue;
      this.#sleepers.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#sleepers.shift();
      if (next === undefined) continue;
      this.at = Math.max(this.at, next.at);
      next.wake();
    }
    return watched;
  }
}
