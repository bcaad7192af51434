// Publishing: the book under its hash, the pointer moved once, ordinals kept, old versions kept for those under way.
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPerson, describe as tell } from '../../cli/contact.ts';
import { readFilling } from '../../cli/filling.ts';
import { bind, publish, type Shelf, waitForFill } from '../../cli/publish.ts';
import { buildTemplates, type TemplatesRefused } from '../../cli/templates-folder.ts';
import { compileBook, type Definitions } from '../../domain/book.ts';
import { newContact } from '../../domain/contact.ts';
import type { KairosError } from '../../domain/fault.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { sha256 } from '../../domain/interaction.ts';
import { sampleMessage } from '../../domain/sample-message.ts';
import { LAKE_TABLES } from '../../functions/aws/lake-tables.ts';
import { contactItem, key, messageItem } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type Edit, edited } from './edit.ts';

const NOW = Date.UTC(2026, 3, 1, 10);
const templatesWith = async (edits: Edit[] = []) => buildTemplates(await edited(edits));

class Shelfed implements Shelf {
  readonly objects = new Map<string, string>();
  readonly files = new Map<string, Uint8Array>();
  readonly posted: { url: string; bodies: unknown[] }[] = [];
  readonly rosterQueueUrl = 'https://queue.example/roster';
  readonly bucket = {
    get: async (name: string) => this.objects.get(name),
    put: async (name: string, body: string | Uint8Array) => {
      if (typeof body === 'string') this.objects.set(name, body);
      else this.files.set(name, body);
    },
  };
  readonly queue = { send: async (url: string, bodies: unknown[]) => void this.posted.push({ url, bodies }) };
  readonly table: Shelf['table'];

  constructor(table: Shelf['table']) {
    this.table = table;
  }

  book(hash: string): Definitions {
    return JSON.parse(this.objects.get(`books/${hash}.json`)!) as Definitions;
  }
}

describe('binding a book', () => {
  it('numbers segments, and keeps and never reuses their numbers', async () => {
    const first = bind(await templatesWith(), undefined, 0);
    const numbers = Object.values(first.definitions.segments).map(({ ordinal }) => ordinal);
    expect([...numbers].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);

    const last = Object.entries(first.definitions.segments).find(([, { ordinal }]) => ordinal === 8)![0];
    const without = bind(
      await templatesWith([{ file: `segments/${last}.json`, remove: true }, ...unread(last)]),
      first.definitions,
      first.segmentsUsed,
    );
    const after = bind(
      await templatesWith([{ file: 'segments/new.json', to: { rule: { segment: 'repeat-buyers' } } }]),
      without.definitions,
      without.segmentsUsed,
    );
    expect(after.definitions.segments['repeat-buyers']!.ordinal).toBe(
      first.definitions.segments['repeat-buyers']!.ordinal,
    );
    expect(after.definitions.segments.new!.ordinal).toBeGreaterThan(8);
    expect(after.definitions.segments[last]!.ordinal).toBeGreaterThan(8);
    expect(new Set(Object.values(after.definitions.segments).map(({ ordinal }) => ordinal)).size).toBe(9);
  });

  it('starts anew what changed, and what reads it', async () => {
    const first = bind(await templatesWith(), undefined, 0);
    const changed = [{ file: 'segments/lapsed-60d.json', at: ['rule', 'all', 1, 'latest', 'moreThanAgo'], to: '61d' }];
    const { definitions } = bind(await templatesWith(changed), first.definitions, first.segmentsUsed);
    expect([definitions.ordinal, definitions.segments['lapsed-60d']!.since, definitions.segments.vip!.since]).toEqual([
      2, 2, 1,
    ]);
    expect([definitions.campaigns['win-back']!.since, definitions.campaigns['vip-thank-you']!.since]).toEqual([2, 1]);
  });

  it('takes a segment that rests on the catalogue for changed when the catalogue is', async () => {
    const segment = {
      file: 'segments/upgradable.json',
      to: { rule: { did: 'Order Completed', where: { products: { 'catalogue.upgrade': { exists: true } } } } },
    };
    const first = bind(await templatesWith([segment]), undefined, 0);
    const dearer = { file: 'catalogue.json', at: ['products', 'care-kit', 'price'], to: 27 };
    const { definitions } = bind(await templatesWith([segment, dearer]), first.definitions, first.segmentsUsed);
    expect([definitions.segments.upgradable!.since, definitions.segments.vip!.since]).toEqual([2, 1]);
  });

  it('keeps the versions that runs may be pinned to, and the e-mails that they send', async () => {
    const first = bind(await templatesWith(), undefined, 0);
    const gone = ['layout.mjml', 'en.json', 'de.json', 'pl.json'].map(
      (file): Edit => ({ file: `emails/vip-thank-you/${file}`, remove: true }),
    );
    const second = bind(
      await templatesWith([...gone, { file: 'campaigns/vip-thank-you.json', remove: true }]),
      first.definitions,
      first.segmentsUsed,
    );
    const was = first.definitions.campaigns['vip-thank-you']!;
    expect(second.definitions.campaigns['vip-thank-you']).toBeUndefined();
    expect(second.definitions.retired).toEqual({ [`vip-thank-you@${was.version}`]: was });
    expect(second.definitions.emails['vip-thank-you']).toEqual(first.definitions.emails['vip-thank-you']);

    const back = bind(await templatesWith(), second.definitions, second.segmentsUsed);
    expect(back.definitions.retired).toEqual({});
    expect(back.definitions.campaigns['vip-thank-you']).toEqual({ ...was, since: 3 });
  });

  it('makes a book that compiles', async () => {
    const { definitions } = bind(await templatesWith(), undefined, 0);
    const book = compileBook(definitions, 'h', { paused: {}, filled: 1 });
    expect(book.campaigns.map(({ id }) => id)).toEqual([
      'confirm-subscription',
      'cross-sell',
      'up-sell',
      'vip-thank-you',
      'welcome',
      'win-back',
    ]);
    expect(JSON.stringify(definitions)).not.toContain('$schema');
  });
});

/** What keeps the rest valid when a segment is taken out. */
function unread(segment: string): Edit[] {
  return segment === 'vip'
    ? [{ file: 'campaigns/vip-thank-you.json', at: ['when', 'enters'], to: 'repeat-buyers' }]
    : [];
}

describe('publishing to a table and a bucket', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine();
  });
  afterAll(() => engine.stop());

  it('writes the book under its hash, moves the pointer and starts the walk over all contacts', async () => {
    const shelf = new Shelfed(await engine.table(2));
    const published = await publish(await templatesWith(), shelf, { by: 'ann', now: NOW });
    expect(published).toMatchObject({ ordinal: 1, changed: true, segments: 8, emails: 6, gone: [] });
    expect(sha256(shelf.objects.get(`books/${published.hash}.json`)!)).toBe(published.hash);
    expect(await shelf.table.readOne(key.pointer())).toMatchObject({
      hash: published.hash,
      ordinal: 1,
      publishedAt: NOW,
      by: 'ann',
      segmentsUsed: 8,
    });
    expect(shelf.posted).toEqual([
      {
        url: 'https://queue.example/roster',
        bodies: [
          { hash: published.hash, ordinal: 1, shard: '00' },
          { hash: published.hash, ordinal: 1, shard: '01' },
        ],
      },
    ]);
  });

  it('leaves products and campaigns for the lake, with money in minor units, and the same again at a repeat', async () => {
    const shelf = new Shelfed(await engine.table(2));
    const { hash } = await publish(await templatesWith(), shelf, { by: 'ann', now: NOW });
    const rows = (name: string): JsonObject[] =>
      gunzipSync(shelf.files.get(`lake/${name}/${name}.ndjson.gz`)!)
        .toString()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as JsonObject);
    const { catalogue, campaigns } = shelf.book(hash);
    expect(rows('products').map(({ product }) => product)).toEqual(Object.keys(catalogue.products).sort());
    expect(rows('campaigns').map(({ campaign }) => campaign)).toEqual(Object.keys(campaigns).sort());
    for (const name of ['products', 'campaigns'] as const) {
      const columns: Record<string, string> = LAKE_TABLES[name].columns;
      for (const [column, value] of rows(name).flatMap((row) => Object.entries(row))) {
        const type = columns[column];
        expect([name, column, type === 'bigint' ? Number.isSafeInteger(value) : typeof value]).toEqual([
          name,
          column,
          type === 'bigint' ? true : type === 'double' ? 'number' : type,
        ]);
      }
    }
    const first = new Map(shelf.files);
    shelf.files.clear();
    await publish(await templatesWith(), shelf, { by: 'bob', now: NOW + 1, preview: true });
    expect(shelf.files.size).toBe(0);
    await publish(await templatesWith(), shelf, { by: 'bob', now: NOW + 1 });
    for (const [name, body] of shelf.files)
      expect([name, Buffer.from(body)]).toEqual([name, Buffer.from(first.get(name)!)]);
    expect(shelf.files.has('lake/products/products.ndjson.gz')).toBe(true);
  });

  it('changes nothing where the same book stands there, and starts a walk again that has not ended', async () => {
    const shelf = new Shelfed(await engine.table(2));
    const first = await publish(await templatesWith(), shelf, { by: 'ann', now: NOW });
    const again = await publish(await templatesWith(), shelf, { by: 'bob', now: NOW + 1 });
    expect([again.changed, again.hash, again.ordinal, shelf.objects.size, shelf.posted.length]).toEqual([
      false,
      first.hash,
      1,
      1,
      2,
    ]);
    await shelf.table.update(key.controls(), {
      UpdateExpression: 'SET filled = :one',
      ExpressionAttributeValues: { ':one': 1 },
    });
    await publish(await templatesWith(), shelf, { by: 'bob', now: NOW + 2 });
    expect(shelf.posted).toHaveLength(2);
    expect(await shelf.table.readOne(key.pointer())).toMatchObject({ by: 'ann' });
  });

  it('tells what is new, changed and gone', async () => {
    const shelf = new Shelfed(await engine.table(2));
    await publish(await templatesWith(), shelf, { by: 'ann', now: NOW });
    const edits: Edit[] = [
      { file: 'campaigns/win-back.json', at: ['again'], to: 'after 90d' },
      { file: 'campaigns/up-sell.json', remove: true },
    ];
    const published = await publish(await templatesWith(edits), shelf, { by: 'ann', now: NOW });
    expect(published.campaigns.filter(({ change }) => change !== 'same')).toEqual([
      { id: 'win-back', change: 'changed' },
    ]);
    expect([published.gone, published.ordinal]).toEqual([['up-sell'], 2]);
    expect(Object.keys(shelf.book(published.hash).retired)).toHaveLength(2);
  });

  it('is refused where runs are to move on, and could not find the step at which they stand', async () => {
    const shelf = new Shelfed(await engine.table(2));
    await publish(await templatesWith(), shelf, { by: 'ann', now: NOW });
    const moving = (steps: object[]): Edit[] => [
      { file: 'campaigns/win-back.json', at: ['onNewVersion'], to: 'move' },
      { file: 'campaigns/win-back.json', at: ['steps'], to: steps },
    ];
    const without = await templatesWith(moving([{ send: 'win-back' }]));
    const error = await publish(without, shelf, { by: 'ann', now: NOW }).catch((reason: unknown) => reason);
    expect((error as TemplatesRefused).faults).toMatchObject([
      { code: 'campaign.move', file: 'campaigns/win-back.json', path: 'onNewVersion' },
    ]);
    expect(shelf.posted).toHaveLength(1);
    const longer = await templatesWith(moving([{ wait: { until: '11:00' } }, { send: 'win-back' }, { wait: '9d' }]));
    expect((await publish(longer, shelf, { by: 'ann', now: NOW })).ordinal).toBe(2);
  });

  it('is refused when somebody else was faster', async () => {
    const shelf = new Shelfed(await engine.table(2));
    await publish(await templatesWith(), shelf, { by: 'ann', now: NOW });
    const other = {
      ...shelf,
      table: shelf.table,
      bucket: {
        ...shelf.bucket,
        put: async (name: string, body: string | Uint8Array) => {
          shelf.objects.set(name, String(body));
          // Bob's publish lands between Ann's reading of the pointer and her moving it.
          await shelf.table.update(key.pointer(), {
            UpdateExpression: 'SET #h = :h',
            ExpressionAttributeNames: { '#h': 'hash' },
            ExpressionAttributeValues: { ':h': 'bobs' },
          });
        },
      },
    };
    const error = await publish(
      await templatesWith([{ file: 'campaigns/win-back.json', at: ['again'], to: 'never' }]),
      other,
      { by: 'ann', now: NOW },
    ).catch((reason: unknown) => reason);
    expect((error as KairosError).fault.code).toBe('publish.conflict');
    expect((await shelf.table.readOne(key.pointer()))?.hash).toBe('bobs');
    expect(shelf.posted).toHaveLength(1);
  });

  it('is told how far the walk is, until the controls say that it has ended', async () => {
    const table = await engine.table(2);
    await table.update(key.fill(1, '00'), {
      UpdateExpression: 'SET done = :d ADD walked :w',
      ExpressionAttributeValues: { ':d': true, ':w': 7 },
    });
    expect(await readFilling(table, 1)).toEqual({ shards: 2, shardsDone: 1, contacts: 7, done: false });
    await table.update(key.controls(), {
      UpdateExpression: 'SET filled = :one',
      ExpressionAttributeValues: { ':one': 1 },
    });
    expect((await waitForFill(table, 1)).done).toBe(true);
  });

  it('lets a contact be found and told about in words', async () => {
    const table = await engine.table(2);
    const templates = await templatesWith();
    const { definitions } = bind(templates, undefined, 0);
    const book = compileBook(definitions, 'h', { paused: {}, filled: 1 });
    const contact = newContact('c-1', NOW);
    contact.aliases = [`user#${sha256('u-1')}`];
    contact.facts.attributes = {
      firstName: { value: 'Anna', at: NOW, id: 'e1' },
      timezone: { value: 'Europe/Warsaw', at: NOW, id: 'e1' },
    };
    contact.facts.address = { value: 'anna@example.com', at: NOW, id: 'e1' };
    contact.facts.consents = {
      'aurora|offers|email': { granted: true, at: NOW, id: 'e2', basis: 'double', wording: '2026-01' },
    };
    contact.facts.orders = { count: 2, gross: 66_800, refunded: 1900, returned: 0, first: NOW, last: NOW };
    contact.facts.bought = { 'halden-one': NOW };
    contact.journey.segments = { 'repeat-buyers': { since: NOW, entries: 1 }, vip: { entries: 1 } };
    const { version } = definitions.campaigns['up-sell']!;
    contact.journey.runs = [
      {
        id: 'r1',
        campaign: 'up-sell',
        version,
        occurrence: 'o',
        startedAt: NOW,
        at: 2,
        wakeAt: NOW + 86_400_000,
        from: NOW,
        product: 'halden-one',
        trigger: { name: 'Order Completed', id: 'e3', at: NOW, properties: {} },
        counters: {},
        pending: [],
      },
    ];
    contact.journey.decisions = { 'cross-sell': { at: NOW, kind: 'skip', reason: 'frequency-cap' } };
    const { message } = sampleMessage(
      templates.draft.people.anna!,
      {
        campaign: templates.draft.campaigns['cross-sell'],
        id: 'cross-sell',
        email: 'cross-sell',
        least: 1,
        known: true,
      },
      { catalogue: templates.draft.catalogue, currency: 'EUR' },
      NOW,
    );
    await table.create(contactItem(contact, 1, 2));
    await table.create({ ...key.identity(`user#${sha256('u-1')}`), shape: 1, contact: 'c-1' });
    await table.create(
      messageItem({ ...message, contact: 'c-1', state: 'sent', sentAt: NOW, delivery: 'delivered' }, 2),
    );

    const person = await findPerson(table, { user: 'u-1' });
    expect(tell(person, book, NOW).join('\n')).toBe(
      `Contact c-1, known since 1 Apr 2026, 12:00. Times are of Europe/Warsaw.

Who
  address    anna@example.com
  firstName  Anna  (1 Apr 2026, 12:00)
  timezone   Europe/Warsaw  (1 Apr 2026, 12:00)
  known by   1 user id

Orders
  orders  2
  spent   €649.00 (€668.00 less €19.00 refunded)
  first   1 Apr 2026, 12:00
  last    1 Apr 2026, 12:00 (less than a day ago)
  bought  Halden One mirrorless camera  (1 Apr 2026, 12:00)

Consents
  offers by email  granted 1 Apr 2026, 12:00 (double, wording 2026-01)

Segments
  repeat-buyers  since 1 Apr 2026, 12:00

Under way
  up-sell  started 1 Apr 2026, 12:00 with Halden One mirrorless camera; at step 2: waits until 2 Apr 2026, 12:00, then sends up-sell

Messages
  cross-sell  delivered, 1 Apr 2026, 12:00  sample

Last decisions
  cross-sell  passed over: frequency cap  (1 Apr 2026, 12:00)`,
    );
    await expect(findPerson(table, { user: 'u-2' })).rejects.toThrow('No contact has this user id.');
    await expect(findPerson(table, { email: 'not an address' })).rejects.toThrow('This is no address');
    await expect(findPerson(table, { id: 'c-9' })).rejects.toThrow('There is no such contact.');
  });
});
