// One laptop for a test file: the synthesised stack, the published templates, and short words for what stories do with it.
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll } from 'vitest';
import { clientConfig, type Published, publishFolder, shelfOf } from '../../cli/publish.ts';
import { parseAddress } from '../../domain/address.ts';
import type { Controls, Definitions } from '../../domain/book.ts';
import type { Contact } from '../../domain/contact.ts';
import type { SourceRights } from '../../domain/event.ts';
import { type Interaction, type JsonObject, sha256 } from '../../domain/interaction.ts';
import type { LinkKeys } from '../../domain/links.ts';
import type { Message, MessageState } from '../../domain/message.ts';
import { durationMs, nextLocal } from '../../domain/time.ts';
import { pause, readControls, resume, start, stop } from '../../functions/aws/controls.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { readSecret } from '../../functions/aws/secrets.ts';
import {
  documentClient,
  type Item,
  key,
  readContact,
  readInteraction,
  readMessage,
  type Table,
} from '../../functions/aws/table.ts';
import { Begins, earlier } from '../../local/begins.ts';
import type { DeadLetter, Laptop, Mail, SesAccount, Trouble } from '../../local/laptop.ts';
import { startLaptop } from '../../local/laptop.ts';
import { synthesise } from '../../local/synth.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** A small shop of six campaigns, so that stories stay as they are while the ready-made templates grow. */
export const TEMPLATES = join(ROOT, 'test/small-shop');
/** The ready-made templates. */
export const READY_MADE = join(ROOT, 'templates');
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** A Monday, 12:00 in Berlin: no quiet hours. */
export const START = Date.parse('2026-03-02T11:00:00Z');
/** Functions keep the book for ten seconds. */
const BOOK_KEPT = 11_000;

/** An event as a shop says it. What is left out: no address, now, an id of its own. */
export interface Said {
  event: string;
  user?: string;
  anonymous?: string;
  email?: string;
  id?: string;
  /** Epoch milliseconds or ISO; now when absent. */
  at?: number | string;
  properties?: JsonObject;
  traits?: JsonObject;
}

export interface StoryOptions {
  /** Nothing is published when false; the folder's copy is handed to `change` first. */
  publish?: boolean;
  change?: (folder: Folder) => void;
  /** The folder of templates that is copied: the small shop's unless told. */
  templates?: string;
  start?: number;
  /** Of the CDK app, such as `{ trackOpens: true }`. */
  context?: Record<string, unknown>;
  /** The state of the SES account, where it is not healthy and without enforced limits. */
  ses?: Partial<SesAccount>;
  /** Over the environment of every function. */
  overrides?: Record<string, string>;
}

/** A copy of the templates that a story may change. */
export class Folder {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
  edit(file: string, change: (json: Record<string, unknown>) => void): void {
    const json = JSON.parse(readFileSync(join(this.path, file), 'utf8')) as Record<string, unknown>;
    change(json);
    writeFileSync(join(this.path, file), JSON.stringify(json));
  }
  write(file: string, json: object): void {
    writeFileSync(join(this.path, file), JSON.stringify(json));
  }
  remove(file: string): void {
    rmSync(join(this.path, file));
  }
  copy(from: string, to: string): void {
    cpSync(join(this.path, from), join(this.path, to), { recursive: true });
  }
}

/** Everything that stories ask and say. All calls end when the laptop is idle. */
export class Story {
  readonly laptop: Laptop;
  readonly table: Table;
  readonly queue: Queue;
  readonly folder: Folder;
  readonly #client: DynamoDBClient;
  #events = 0;
  #begins: Begins | undefined;

  constructor(laptop: Laptop, folder: Folder) {
    this.laptop = laptop;
    this.folder = folder;
    const target = { stage: 'laptop', outputs: laptop.outputs, env: laptop.env };
    this.table = shelfOf(target).table;
    this.queue = new Queue(new SQSClient(clientConfig(target, 'SQS')));
    this.#client = new DynamoDBClient(clientConfig(target, 'DYNAMODB'));
  }

  now(): number {
    return this.laptop.clock.now();
  }

  output(name: string): string {
    const value = this.laptop.outputs[name];
    if (value === undefined) throw new Error(`the stack has no output ${name}`);
    return value;
  }

  idle(): Promise<void> {
    return this.laptop.idle({ leaveWindows: true });
  }

  // ---- saying ----

  /** The envelope of an event. Its id is the same whenever it is made of an event with an id. */
  envelope(said: Said): JsonObject {
    this.#events++;
    const identify = said.event === 'identify';
    const at = said.at === undefined ? this.now() : new Date(said.at).getTime();
    const given: JsonObject = { ...said.traits, ...(said.email === undefined ? {} : { email: said.email }) };
    return {
      type: identify ? 'identify' : 'track',
      ...(identify ? {} : { event: said.event }),
      messageId: said.id ?? `story-${this.#events}`,
      ...(said.user === undefined ? {} : { userId: said.user }),
      ...(said.anonymous === undefined ? {} : { anonymousId: said.anonymous }),
      timestamp: new Date(at).toISOString(),
      ...(identify ? { traits: given } : { properties: said.properties ?? {} }),
      ...(identify || Object.keys(given).length === 0 ? {} : { context: { traits: given } }),
    };
  }

  /** Puts events on the bus, all before any is looked at. */
  async send(...events: Said[]): Promise<void> {
    await this.put(...events.map((said) => ({ DetailType: said.event, Detail: JSON.stringify(this.envelope(said)) })));
  }

  /** Puts raw entries on the bus. */
  async put(...entries: { DetailType: string; Detail: string; Source?: string }[]): Promise<void> {
    await this.laptop.putEvents(entries.map((entry) => ({ Source: 'shop', ...entry })));
    await this.idle();
  }

  /** POSTs to the HTTPS door: an object is sent as JSON, a text as it is. */
  async post(
    body: unknown,
    options: { path?: string; secret?: string; method?: string } = {},
  ): Promise<{ status: number; body: { accepted?: number; error?: Record<string, unknown> } }> {
    const { path = 'events', secret = 'shop.open-sesame', method = 'POST' } = options;
    const answer = await fetch(`${this.output('EventsUrl').replace(/\/$/, '')}/${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(secret === '' ? {} : { authorization: `Bearer ${secret}` }) },
      ...(method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
    });
    const text = await answer.text();
    await this.idle();
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as object) };
  }

  /** A visit of a link in a mail, then idle. */
  async visit(
    url: string,
    method: 'GET' | 'HEAD' | 'POST',
    body?: string,
  ): Promise<{ status: number; headers: Headers; body: string }> {
    const answer = await fetch(url, {
      method,
      ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    });
    const text = await answer.text();
    await this.idle();
    return { status: answer.status, headers: answer.headers, body: text };
  }

  /** A customer with an address, who consents to offers unless told otherwise; before now, so that nothing lacks it. */
  async customer(user: string, traits: JsonObject = {}, consents = true): Promise<string> {
    const email = `${user}@customers.example`;
    await this.send(
      { event: 'identify', user, email, traits: { firstName: 'Ann', ...traits } },
      ...(consents ? [{ event: 'Consent Granted', user, properties: { topic: 'offers', basis: 'double' } }] : []),
    );
    return email;
  }

  // ---- time ----

  /** Moves the clock to an instant, stopping wherever something is due to let it happen. */
  async until(instant: number | string): Promise<void> {
    const end = typeof instant === 'number' ? instant : Date.parse(instant);
    let looks = 0;
    let last = 0;
    await this.idle();
    for (;;) {
      const due = earlier(this.laptop.nextDue(), this.#begins?.next());
      if (due === undefined || due > end) break;
      looks = due === last ? looks + 1 : 0;
      last = due;
      if (looks > 20) throw new Error(`something stays due at ${new Date(due).toISOString()}`);
      // Timers fire at full minutes, as in real life; what stays due is looked at again at the next one.
      const next = Math.ceil((looks === 0 ? due : this.now() + 1) / MINUTE) * MINUTE;
      if (next > end && looks > 0) break;
      this.laptop.clock.moveTo(Math.min(next, end));
      await this.timers();
    }
    this.laptop.clock.moveTo(end);
  }

  /** Moves the clock by a duration such as "7d". */
  async forward(duration: string): Promise<void> {
    await this.until(this.now() + durationMs(duration));
  }

  /** Moves the clock to the next such time of day in Berlin, 12:00 unless told: no quiet hours. */
  async next(clock = '12:00'): Promise<void> {
    await this.until(nextLocal(this.now(), clock, 'Europe/Berlin'));
  }

  /** Moves the clock and lets nothing happen: what is due stays due. */
  sleepThrough(duration: string): void {
    this.laptop.clock.moveTo(this.now() + durationMs(duration));
  }

  /** One minute's timers at this instant. */
  async timers(): Promise<void> {
    await this.laptop.runTimers({ leaveWindows: true });
    this.#begins?.looked(this.now());
  }

  /** The night's run, over all that was recorded so far. */
  async night(): Promise<void> {
    await this.laptop.idle();
    await this.laptop.runNight();
  }

  // ---- asking ----

  async #contactOf(subject: string): Promise<Contact | undefined> {
    const identity = await this.table.readOne(key.identity(subject));
    let id = identity?.contact as string | undefined;
    for (;;) {
      const item = id === undefined ? undefined : await this.table.readOne(key.contact(id));
      if (item === undefined) return undefined;
      const contact = readContact(item).value;
      if (contact.mergedInto === undefined) return contact;
      id = contact.mergedInto;
    }
  }

  /** The living contact of a user id. Throws when there is none. */
  async contact(user: string): Promise<Contact> {
    const found = await this.#contactOf(`user#${sha256(user)}`);
    if (found === undefined) throw new Error(`there is no contact of ${user}`);
    return found;
  }

  async contactOfDevice(anonymous: string): Promise<Contact | undefined> {
    return this.#contactOf(`anonymous#${sha256(anonymous)}`);
  }

  async contactOfAddress(address: string): Promise<Contact | undefined> {
    return this.#contactOf(`address#${hashOf(address)}`);
  }

  /** All items whose sort key begins so. */
  async items(begins: string): Promise<Item[]> {
    const documents = documentClient(this.#client);
    const items: Item[] = [];
    let from: Record<string, unknown> | undefined;
    do {
      const page = await documents.send(
        new ScanCommand({
          TableName: this.table.name,
          FilterExpression: 'begins_with(sk, :begins)',
          ExpressionAttributeValues: { ':begins': begins },
          ConsistentRead: true,
          ...(from === undefined ? {} : { ExclusiveStartKey: from }),
        }),
      );
      items.push(...((page.Items ?? []) as Item[]));
      from = page.LastEvaluatedKey;
    } while (from !== undefined);
    return items;
  }

  /** Messages, oldest first: of a user (all contacts that were merged into one among them), a campaign, a state. */
  async messages(of: { user?: string; campaign?: string; state?: MessageState } = {}): Promise<Message[]> {
    let items: Item[];
    if (of.user === undefined) items = await this.items('MESSAGE#');
    else {
      const contact = await this.contact(of.user);
      const merged = (await this.items('CONTACT')).map((item) => readContact(item).value);
      const ids = [contact.id, ...merged.filter((one) => one.mergedInto === contact.id).map((one) => one.id)];
      items = (await Promise.all(ids.map((id) => this.table.under(`CONTACT#${id}`, 'MESSAGE#')))).flat();
    }
    return items
      .map(readMessage)
      .filter((message) => of.campaign === undefined || message.campaign === of.campaign)
      .filter((message) => of.state === undefined || message.state === of.state)
      .sort((a, b) => a.plannedAt - b.plannedAt || (a.id < b.id ? -1 : 1));
  }

  /** Recorded interactions of a user id. */
  async interactions(user: string): Promise<Interaction[]> {
    return (await this.table.under(`SUBJECT#user#${sha256(user)}`, 'INTERACTION#')).map(readInteraction);
  }

  /** Mails to an address (or all), oldest first. */
  async mails(address?: string, campaign?: string): Promise<Mail[]> {
    const mails = await this.laptop.mailbox.list();
    return mails
      .filter((mail) => address === undefined || mail.to.includes(address))
      .filter((mail) => campaign === undefined || mail.tags['kairos-campaign'] === campaign);
  }

  async deadLetters(): Promise<DeadLetter[]> {
    return this.laptop.deadLetters();
  }

  /** The dead letters that hold a text. */
  async deadLetterOf(text: string): Promise<DeadLetter[]> {
    return (await this.deadLetters()).filter(({ body }) => body.includes(text));
  }

  // ---- operating ----

  /** Publishes the story's folder, walks the roster, and lets ten seconds go by, so that every function has the book. */
  async publish(change?: (folder: Folder) => void): Promise<Published> {
    change?.(this.folder);
    const { outputs, env } = this.laptop;
    const published = await publishFolder(this.folder.path, { outputs, env }, { by: 'a story', now: this.now() });
    await this.idle();
    this.laptop.clock.moveTo(this.now() + BOOK_KEPT);
    const text = await shelfOf({ stage: 'laptop', outputs, env }).bucket.get(`books/${published.hash}.json`);
    this.#begins = new Begins(JSON.parse(text as string) as Definitions, this.now());
    return published;
  }

  /** The stop control and the paused campaigns, as an operator sets them; takes hold at once. */
  async control({ stopped, paused = [] }: { stopped?: boolean; paused?: string[] }): Promise<void> {
    const by = { by: 'a story', at: this.now(), why: 'a story' };
    if (stopped === true) await stop(this.table, by);
    if (stopped === false) await start(this.table, by);
    const before = Object.keys((await this.controls()).paused);
    for (const campaign of paused) await pause(this.table, campaign, by);
    for (const campaign of before) if (!paused.includes(campaign)) await resume(this.table, campaign, by);
    await this.idle();
    this.laptop.clock.moveTo(this.now() + BOOK_KEPT);
  }

  /** The keys that links are signed with. */
  async linkKeys(): Promise<LinkKeys> {
    const client = new SecretsManagerClient({ ...clientConfig({ env: this.laptop.env }, 'SQS') });
    const { SecretString = '{}' } = await client.send(
      new GetSecretValueCommand({ SecretId: this.output('SecretName') }),
    );
    client.destroy();
    return readSecret(SecretString).keys;
  }

  /** Names of the objects in the bucket that begin so. */
  async objects(prefix: string): Promise<string[]> {
    const client = new S3Client({ forcePathStyle: true, ...clientConfig({ env: this.laptop.env }, 'S3') });
    const list = new ListObjectsV2Command({ Bucket: this.output('BucketName'), Prefix: prefix });
    const { Contents = [] } = await client.send(list);
    client.destroy();
    return Contents.map(({ Key = '' }) => Key);
  }

  async controls(): Promise<Controls> {
    return readControls(await this.table.readOne(key.controls()));
  }

  /** Answers, whenever it is called, the lines that functions have logged since now. */
  listen(): () => string[] {
    const before = new Set(this.laptop.logs());
    return () => this.laptop.logs().filter((line) => !before.has(line));
  }

  /** Lets troubles hold while something is done, and a moment later ends them. Answers how often each has struck. */
  async during(troubles: Trouble[], what: () => Promise<void>): Promise<number[]> {
    const running = troubles.map((trouble) => this.laptop.simulate(trouble));
    try {
      await what();
      return running.map((one) => one.struck());
    } finally {
      for (const one of running) one.stop();
      await this.idle();
    }
  }

  /** Hands an event of SES about a mail to the feedback queue, as the default bus would. */
  async feedback(mail: Mail, eventType: string, more: JsonObject): Promise<void> {
    const at = new Date(this.now()).toISOString();
    const event = {
      version: '0',
      id: `feedback-${++this.#events}`,
      'detail-type': `Email ${eventType}`,
      source: 'aws.ses',
      time: at,
      resources: [],
      detail: {
        eventType,
        mail: {
          timestamp: new Date(mail.at).toISOString(),
          messageId: mail.id,
          destination: mail.to,
          tags: Object.fromEntries(Object.entries(mail.tags).map(([name, value]) => [name, [value]])),
        },
        ...more,
      },
    };
    await this.queue.send(this.output('FeedbackQueueUrl'), [event]);
    await this.idle();
  }
}

/** Somebody new asks for a confirmation: one service mail, at once. */
export const asks = (user: string): Said => ({
  event: 'Consent Requested',
  user,
  email: `${user}@customers.example`,
  properties: { topic: 'offers' },
});

/** The properties of an order event: lines of product, price and quantity; `revenue` is their sum. */
export function order(id: string, ...lines: [product: string, price: number, quantity?: number][]): JsonObject {
  const products = lines.map(([product, price, quantity = 1]) => ({ product_id: product, price, quantity }));
  const revenue = products.reduce((sum, { price, quantity }) => sum + price * quantity, 0);
  return { order_id: id, revenue, total: revenue, currency: 'EUR', products };
}

/** The address behind a link of a mail's HTML or text whose path begins with the letter (`u`, `c`, `w`). */
export function linkIn(mail: Mail, door: 'u' | 'c' | 'w'): string {
  const found = new RegExp(`https?://[^"\\s<>]+/${door}/[A-Za-z0-9._-]+`).exec(`${mail.html} ${mail.text}`);
  if (found === null) throw new Error(`the mail has no /${door}/ link`);
  return found[0];
}

/** The hash under which an address is known. */
export function hashOf(address: string): string {
  const parsed = parseAddress(address);
  if ('refused' in parsed) throw new Error(`refused: ${parsed.refused}`);
  return parsed.hash;
}

/** What a source may say; its secret is "open-sesame". */
export const SOURCES: Record<string, SourceRights & { hash: string }> = {
  shop: { ...secretOf(), events: '*', identify: true, consent: true, address: true },
  browser: {
    ...secretOf(),
    events: ['Product Viewed', 'Product Added'],
    identify: false,
    consent: false,
    address: false,
  },
};

function secretOf(): { hash: string } {
  return { hash: createHash('sha256').update('open-sesame').digest('hex') };
}

/** Starts a laptop with the templates published. Close it with `closeStory`. */
export async function startStory(options: StoryOptions = {}): Promise<Story> {
  const { template, assets } = await synthesise(ROOT, options.context);
  const laptop = await startLaptop({
    template,
    assets,
    start: options.start ?? START,
    quiet: true,
    ...(options.ses === undefined ? {} : { ses: options.ses }),
    ...(options.overrides === undefined ? {} : { overrides: options.overrides }),
  });
  const path = mkdtempSync(join(tmpdir(), 'kairos-story-'));
  cpSync(options.templates ?? TEMPLATES, path, {
    recursive: true,
    filter: (file) => !/\/(schemas|imports)$/.test(file),
  });
  const story = new Story(laptop, new Folder(path));
  const secrets = new SecretsManagerClient({ ...clientConfig({ env: laptop.env }, 'SQS') });
  const SecretId = story.output('SecretName');
  const { SecretString = '{}' } = await secrets.send(new GetSecretValueCommand({ SecretId }));
  const secret = { ...(JSON.parse(SecretString) as object), sources: SOURCES };
  await secrets.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(secret) }));
  secrets.destroy();
  options.change?.(story.folder);
  if (options.publish !== false) await story.publish();
  return story;
}

export async function closeStory(story: Story | undefined): Promise<void> {
  if (story === undefined) return;
  rmSync(story.folder.path, { recursive: true, force: true });
  await story.laptop.close();
}

/** One laptop for the whole file, in a `given` of its tests. */
export function aStory(options: StoryOptions = {}): () => Story {
  let story: Story | undefined;
  beforeAll(async () => {
    story = await startStory(options);
  });
  afterAll(() => closeStory(story));
  return () => {
    if (story === undefined) throw new Error('the laptop has not started');
    return story;
  };
}
