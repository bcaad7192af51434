// A product turns: who watches it is told, oldest first and no more than there is for, whatever crashes, repeats or is lost.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchWriteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { campaignVersion, type Definitions } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import { newContact } from '../../domain/contact.ts';
import { type JsonObject, sha256 } from '../../domain/interaction.ts';
import { Queue } from '../../functions/aws/queue.ts';
import {
  chunks,
  contactItem,
  documentClient,
  type Item,
  pooled,
  readMessage,
  Table,
} from '../../functions/aws/table.ts';
import type { TurnStep } from '../../functions/aws/turns.ts';
import type { WalkDeps } from '../../functions/aws/walk.ts';
import { nextWatchers, watchItem } from '../../functions/aws/watches.ts';
import { walkDueShards } from '../../functions/walk-due.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type FaultyEngine, startFaultyEngine } from '../support/faulty-engine.ts';
import { around, DoomedProcess, MemoryQueues, metered, type Step } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  DAY,
  definitions,
  HOUR,
  interaction,
  MINUTE,
  memoryBus,
  NOON,
  publish,
} from './fixtures.ts';

vi.hoisted(() => {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT';
});
let engine: Engine;
let bench: Bench;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const requested = (change: Partial<Campaign> = {}): Campaign =>
  ({
    kind: 'requested',
    aim: 'service',
    sender: 'main',
    when: {
      product: 'back in stock',
      watchedBy: { did: 'Back In Stock Requested', inLast: '180d' },
      oldestFirst: true,
      atMost: '3 per unit in stock',
    },
    again: 'once per request',
    steps: [{ send: 'hello' }],
    ...change,
  }) as Campaign;

const drop: Campaign = {
  kind: 'marketing',
  aim: 'retention',
  topic: 'offers',
  sender: 'main',
  when: {
    product: 'price drop',
    by: { atLeast: '10%' },
    watchedBy: { did: ['Product Viewed', 'Product Added to Wishlist'], inLast: '30d' },
  },
  again: 'after 14d',
  steps: [{ send: 'hello' }],
};

const few: Campaign = {
  ...drop,
  when: { product: 'low stock', by: { atMost: 5 }, watchedBy: { did: 'Product Viewed', inLast: '30d' } },
};

function book(campaigns: Record<string, Campaign>, ordinal = 1): Definitions {
  const all = Object.entries(campaigns).map(([id, campaign]) => [
    id,
    { id, version: campaignVersion(campaign), since: 1, campaign },
  ]);
  return definitions({ ordinal, segments: {}, campaigns: Object.fromEntries(all) });
}

async function shop(campaigns: Record<string, Campaign>, shards = 2): Promise<Bench> {
  const made = benchOver(await engine.table(shards));
  await publish(made.table, made.bucket, book(campaigns));
  return made;
}

let events = 0;
const update = (properties: JsonObject, at = bench.clock.at, id = `u${++events}`) =>
  bench.recorder.record([
    { interaction: interaction('Product Updated', { id, at, properties: { product_id: 'cup', ...properties } }) },
  ]);
const asks = (user: string, at: number, product = 'cup', of = bench) =>
  of.recorder.record([
    {
      interaction: interaction('Back In Stock Requested', {
        id: `asks-${user}-${at}`,
        at,
        user,
        address: `${user}@example.org`,
        properties: { product_id: product },
      }),
    },
  ]);
const views = (user: string, at: number, consents = true) =>
  bench.recorder.record([
    ...(consents
      ? [
          {
            interaction: interaction('Consent Granted', {
              id: `g-${user}`,
              at: at - 1,
              user,
              address: `${user}@example.org`,
              properties: { topic: 'offers' },
            }),
          },
        ]
      : []),
    {
      interaction: interaction('Product Viewed', {
        id: `v-${user}-${at}`,
        at,
        user,
        address: `${user}@example.org`,
        properties: { product_id: 'cup' },
      }),
    },
  ]);

interface Posted {
  id: string;
  body: string;
}

/** The timers queue and its function: messages are handled in turn, those that fail come again. */
class Timers {
  readonly waiting: Posted[] = [];
  handled = 0;
  failed: Posted[] = [];
  #ids = 0;

  collect(queues: MemoryQueues): void {
    for (const { MessageBody = '' } of queues.drain('timers')) this.post(MessageBody);
  }

  post(body: string): void {
    this.waiting.push({ id: `message-${++this.#ids}`, body });
  }

  async handle(posted: Posted, deps: WalkDeps): Promise<boolean> {
    const record = { messageId: posted.id, body: posted.body } as SQSRecord;
    const { batchItemFailures } = await walkDueShards({ Records: [record] } as never, deps);
    if (batchItemFailures.length > 0) this.failed.push(posted);
    else this.handled++;
    return batchItemFailures.length === 0;
  }
}

const depsOf = (of: Bench, queues: MemoryQueues, step?: Step): WalkDeps => ({
  table: of.table,
  recorder: of.recorder,
  queue: new Queue(queues.client(step)),
  bus: memoryBus().bus,
  now: of.clock.now,
  log: of.log,
  rate: 14,
  urls: { timers: 'timers', triggered: 'triggered', bulk: 'bulk' },
  starting: { books: of.books, rosterUrl: 'roster' },
});

/** One minute: every shard is walked, and what that posts, until nothing waits. What fails is given up after its eighth time. */
async function minute(of: Bench, timers = new Timers(), queues = new MemoryQueues(), step?: Step): Promise<Timers> {
  const deps = depsOf(of, queues, step);
  for (let shard = 0; shard < of.table.shards; shard++) timers.post(JSON.stringify({ shard: `0${shard}` }));
  for (let posted = timers.waiting.shift(); posted !== undefined; posted = timers.waiting.shift()) {
    const { id } = posted;
    const done = await timers.handle(posted, deps);
    if (!done && timers.failed.filter((one) => one.id === id).length < 8) timers.waiting.push(posted);
    timers.collect(queues);
  }
  return timers;
}

async function messages(of: Bench): Promise<{ who: string; campaign: string; product?: string }[]> {
  const found: { who: string; campaign: string; product?: string }[] = [];
  for (let shard = 0; shard < of.table.shards; shard++) {
    const { items } = await of.table.roster(`0${shard}`, 1000);
    for (const { pk } of items) {
      const [contact, sent] = await Promise.all([
        of.table.readOne({ pk, sk: 'CONTACT' }),
        of.table.under(pk, 'MESSAGE#'),
      ]);
      const address = JSON.parse(String(contact?.state)).facts.address.value as string;
      for (const { campaign, inputs } of sent.map(readMessage)) {
        found.push({
          who: address.split('@')[0] as string,
          campaign,
          ...(inputs.product !== undefined && { product: inputs.product }),
        });
      }
    }
  }
  return found.sort((a, b) => (a.who < b.who ? -1 : 1));
}
const told = async (of = bench) => (await messages(of)).map(({ who }) => who);
const turnsOf = (of: Bench): Promise<Item[]> => of.table.under('PRODUCT#cup', 'TURN#');
const watchers = async (of: Bench): Promise<string[]> =>
  (await Promise.all([0, 1, 2, 3].map((shard) => of.table.under(`WATCH#cup#${shard}`, ''))))
    .flat()
    .map(({ sk }) => sk.split('#').at(-1) as string);

describe('given people who wait for a product', () => {
  beforeEach(async () => {
    bench = await shop({ back: requested() });
    await update({ stock: 0, price: 10 }, NOON - 10 * DAY);
  });

  it('tells them once it is back, with what it was then, and forgets that they asked', async () => {
    await asks('ann', NOON - 2 * DAY);
    await update({ stock: 4 });
    expect(await turnsOf(bench)).toMatchObject([{ campaign: 'back', started: 0, duePk: expect.any(String) }]);
    await minute(bench);
    expect(await messages(bench)).toEqual([{ who: 'ann', campaign: 'back', product: 'cup' }]);
    const ann = (await contactBy(bench.table, `user#${sha256('ann')}`))!;
    const [sent] = (await bench.table.under(`CONTACT#${ann.id}`, 'MESSAGE#')).map(readMessage);
    expect(sent?.inputs).toMatchObject({
      watchedAt: NOON - 2 * DAY,
      trigger: { properties: { product_id: 'cup', price: 10, stock: 4 } },
    });
    expect(await watchers(bench)).toEqual([]);
    const [turn] = await turnsOf(bench);
    expect(turn).toMatchObject({ started: 1, asked: 1, ended: 'all were told' });
    expect(turn).not.toHaveProperty('duePk');
  });

  it('tells those first who asked first, three for each unit', async () => {
    for (const [n, user] of ['eve', 'dan', 'cat', 'bob', 'ann'].entries()) await asks(user, NOON - 9 * DAY + n * HOUR);
    await update({ stock: 1 });
    await minute(bench);
    expect(await told()).toEqual(['cat', 'dan', 'eve']);
    expect(await turnsOf(bench)).toMatchObject([{ started: 3, ended: 'enough were told' }]);
    // The others wait for the next time, in which those who were told have no part.
    await update({ stock: 0 }, NOON + 1);
    await update({ stock: 1 }, NOON + 2);
    await minute(bench);
    expect(await told()).toEqual(['ann', 'bob', 'cat', 'dan', 'eve']);
  });

  it('counts who was started, not who was asked: those who bought it meanwhile leave their place to the next', async () => {
    await publish(
      bench.table,
      bench.bucket,
      book({ back: requested({ stopIf: { did: 'Order Completed', since: '@watch.at' } as never }) }, 2),
    );
    bench.clock.at += MINUTE;
    for (const [n, user] of ['ann', 'bob', 'cat', 'dan', 'eve'].entries()) await asks(user, NOON - 9 * DAY + n * HOUR);
    const bought = (user: string) =>
      interaction('Order Completed', {
        id: `o-${user}`,
        at: NOON - DAY,
        user,
        properties: { order_id: `o-${user}`, products: [{ product_id: 'cup', price: 1, quantity: 1 }] },
      });
    await bench.recorder.record([{ interaction: bought('ann') }, { interaction: bought('cat') }]);
    await update({ stock: 1 });
    await minute(bench);
    expect(await told()).toEqual(['bob', 'dan', 'eve']);
    expect(await turnsOf(bench)).toMatchObject([{ started: 3, asked: 5 }]);
  });

  it('ends where the product is out of stock again before all were told', async () => {
    await asks('ann', NOON - DAY);
    await update({ stock: 2 }, NOON);
    await update({ stock: 0 }, NOON + 1);
    await minute(bench);
    expect(await told()).toEqual([]);
    expect(await turnsOf(bench)).toMatchObject([{ ended: 'out of stock again' }]);
    expect(await watchers(bench)).toHaveLength(1);
  });

  it('tells more where more has come in while it was telling', async () => {
    for (const user of ['ann', 'bob', 'cat', 'dan', 'eve']) await asks(user, NOON - 2 * DAY);
    await update({ stock: 1 }, NOON);
    await update({ stock: 2 }, NOON + 1);
    await minute(bench);
    expect(await told()).toHaveLength(5);
  });

  it('does not tell who asked after it was back, nor too long ago', async () => {
    await asks('old', NOON - 179 * DAY);
    bench.clock.at = NOON + 2 * DAY;
    await asks('new', NOON + 2 * DAY);
    await asks('ann', NOON + DAY - HOUR);
    await update({ stock: 1 }, NOON + 2 * DAY - HOUR);
    await minute(bench);
    expect(await told()).toEqual(['ann']);
  });

  it('a later request is another one, and is answered again', async () => {
    await asks('ann', NOON - 2 * DAY);
    await update({ stock: 1 });
    await minute(bench);
    bench.clock.at += DAY;
    await update({ stock: 0 });
    await asks('ann', bench.clock.at);
    bench.clock.at += DAY;
    await update({ stock: 1 });
    await minute(bench);
    expect(await told()).toEqual(['ann', 'ann']);
  });

  it('updates that come late turn nothing, and one that comes twice turns once', async () => {
    await asks('ann', NOON - 5 * DAY);
    await update({ stock: 0 }, NOON - HOUR);
    await update({ stock: 9 }, NOON - 2 * HOUR);
    expect(await turnsOf(bench)).toEqual([]);
    await update({ stock: 3 }, NOON, 'back');
    await update({ stock: 3 }, NOON, 'back');
    await update({ stock: 4 }, NOON + 1);
    expect(await turnsOf(bench)).toHaveLength(1);
  });

  it('what the feed said long ago, or a history says, turns nothing', async () => {
    await asks('ann', NOON - 12 * DAY);
    await update({ stock: 9 }, NOON - 2 * DAY);
    expect(await turnsOf(bench)).toEqual([]);
    await update({ stock: 0 }, NOON - DAY);
    await bench.recorder.record([
      {
        history: true,
        interaction: interaction('Product Updated', { id: 'h', at: NOON, properties: { product_id: 'cup', stock: 3 } }),
      },
    ]);
    expect(await turnsOf(bench)).toEqual([]);
  });

  it('ends where the campaign is gone by then', async () => {
    await asks('ann', NOON - DAY);
    await update({ stock: 1 });
    await publish(bench.table, bench.bucket, book({ few }, 2));
    bench.clock.at += MINUTE;
    await minute(bench);
    expect(await turnsOf(bench)).toMatchObject([{ ended: 'the campaign is gone' }]);
  });

  it('finds the living one where who asked was merged into another', async () => {
    await bench.recorder.record([
      {
        interaction: interaction('Back In Stock Requested', {
          id: 'a1',
          at: NOON - DAY,
          anonymous: 'device',
          properties: { product_id: 'cup' },
        }),
      },
      {
        interaction: interaction('Identified', {
          id: 'i0',
          at: NOON - 2 * DAY,
          user: 'ann',
          address: 'ann@example.org',
        }),
      },
    ]);
    await bench.recorder.record([
      { interaction: interaction('Identified', { id: 'i1', at: NOON - HOUR, user: 'ann', anonymous: 'device' }) },
    ]);
    await update({ stock: 1 });
    await minute(bench);
    expect(await told()).toEqual(['ann']);
  });
});

describe('given a price', () => {
  beforeEach(async () => {
    bench = await shop({ drop, few });
    await update({ price: 100, stock: 20 }, NOON - 20 * DAY);
  });

  it('that falls by enough below the lowest of 30 days tells who looked at the product and consents', async () => {
    await views('ann', NOON - 2 * DAY);
    await views('bob', NOON - 3 * DAY, false);
    await views('old', NOON - 31 * DAY);
    await update({ price: 95 }, NOON - DAY);
    expect(await turnsOf(bench)).toEqual([]);
    await update({ price: 85 }, NOON);
    await minute(bench);
    expect(await messages(bench)).toEqual([{ who: 'ann', campaign: 'drop', product: 'cup' }]);
    expect(await turnsOf(bench)).toMatchObject([
      { properties: { price: 85, lowestPrice30d: 95 }, ended: 'all were told' },
    ]);
  });

  it('that was raised before it falls is no reduction', async () => {
    await views('ann', NOON - 2 * DAY);
    await update({ price: 150 }, NOON - DAY);
    await update({ price: 99 }, NOON);
    expect(await turnsOf(bench)).toEqual([]);
  });

  it('stock that becomes few tells once, and none left is not few', async () => {
    await views('ann', NOON - 2 * DAY);
    await update({ stock: 5 }, NOON);
    await update({ stock: 4 }, NOON + 1);
    expect(await turnsOf(bench)).toHaveLength(1);
    await minute(bench);
    expect(await messages(bench)).toEqual([{ who: 'ann', campaign: 'few', product: 'cup' }]);
    await update({ stock: 20 }, NOON + 2);
    await update({ stock: 0 }, NOON + 3);
    expect(await turnsOf(bench)).toHaveLength(1);
  });

  it('who has looked on several days is asked once, as is whose message was sent', async () => {
    for (let day = 1; day < 6; day++) await views('ann', NOON - day * DAY, day === 5);
    expect(await watchers(bench)).toHaveLength(2 * 5);
    await update({ price: 80 }, NOON);
    await minute(bench);
    expect(await told()).toEqual(['ann']);
    expect(await turnsOf(bench)).toMatchObject([{ asked: 1, started: 1 }]);
  });
});

describe('given somebody who had looked at more products than one transaction holds', () => {
  it('all of the newest are found when the campaigns are published', async () => {
    bench = await shop({ back: requested() });
    const seen = Array.from({ length: 60 }, (_, n) => ({
      interaction: interaction('Product Viewed', {
        id: `v${n}`,
        at: NOON - 10 * DAY + n * MINUTE,
        user: 'ann',
        address: 'ann@example.org',
        properties: { product_id: `cup-${n}` },
      }),
    }));
    await bench.recorder.record(seen);
    const watching = (inLast: string, where?: object) =>
      ({
        ...drop,
        when: { ...drop.when, watchedBy: { did: 'Product Viewed', inLast, ...(where && { where }) } },
      }) as Campaign;
    const cups = { product_id: { startsWith: 'cup' } };
    await publish(
      bench.table,
      bench.bucket,
      book(
        {
          one: watching('30d'),
          two: watching('30d', cups),
          three: watching('30d', { ...cups, name: { exists: false } }),
        },
        2,
      ),
    );
    bench.clock.at += MINUTE;
    const ann = (await contactBy(bench.table, `user#${sha256('ann')}`))!;
    expect(await bench.recorder.refresh([ann.id])).toEqual([]);
    const kept = await Promise.all([...(await bench.books.current()).watches.keys()].map((id) => countOf(bench, id)));
    expect(kept).toEqual([50, 50, 50]);
    expect((await contactBy(bench.table, `user#${sha256('ann')}`))?.book?.ordinal).toBe(2);
  });
});

describe('given a crash at any call', () => {
  it.each(['before', 'after'] as const)(
    'each watcher is told once, oldest first, when the function dies %s it',
    async (when) => {
      const walk = async (at: number) => {
        const made = await shop({ back: requested() }, 1);
        bench = made;
        await update({ stock: 0 }, NOON - 10 * DAY);
        for (const [n, user] of ['ann', 'bob', 'cat', 'dan', 'eve'].entries())
          await asks(user, NOON - 9 * DAY + n * HOUR);
        await update({ stock: 1 });
        const dying = new DoomedProcess(at, when);
        const client = engine.client();
        around(client, dying.step);
        const doomed = benchOver(new Table(documentClient(client), made.table.name, 1), {
          bucket: made.bucket,
          clock: made.clock,
          prefix: 'd',
        });
        const timers = new Timers();
        const queues = new MemoryQueues();
        const deps = depsOf(doomed, queues, dying.step);
        timers.post(JSON.stringify({ shard: '00' }));
        while (!dying.dead && timers.waiting.length > 0) {
          await timers.handle(timers.waiting.shift() as Posted, deps);
          timers.collect(queues);
        }
        // What the process held comes again to another; what it had not posted is found in the index minutes later.
        timers.waiting.push(...timers.failed.splice(0));
        await minute(made, timers, queues);
        const atOnce = (await turnsOf(made))[0]?.ended !== undefined;
        made.clock.at += 6 * MINUTE;
        await minute(made, timers, queues);
        const [turn] = await turnsOf(made);
        return {
          calls: dying.calls.length,
          died: dying.dead,
          atOnce,
          outcome: { told: await told(made), started: turn?.started, ended: turn?.ended, due: turn?.duePk },
        };
      };
      const whole = await walk(Number.POSITIVE_INFINITY);
      expect(whole.outcome).toEqual({
        told: ['ann', 'bob', 'cat'],
        started: 3,
        ended: 'enough were told',
        due: undefined,
      });
      let later = 0;
      for (let at = 0; at < whole.calls; at++) {
        const { died, outcome, atOnce } = await walk(at);
        expect({ at, died, outcome }).toEqual({ at, died: true, outcome: whole.outcome });
        if (!atOnce) later += 1;
      }
      // Only where it died between taking the turn out of the index and posting its walk.
      expect(later).toBeLessThanOrEqual(1);
    },
    120_000,
  );
});

const countBy = (names: string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

/** Contacts w00000, w00001, … who asked for the cup one after another, written without the recorder. */
async function crowd(of: Bench, count: number): Promise<string[]> {
  const { hash, counterSet, watches } = await of.books.current();
  const watch = [...watches.keys()][0] as string;
  const ids = Array.from({ length: count }, (_, n) => `w${String(n).padStart(5, '0')}`);
  const items = ids.flatMap((id, n) => {
    const contact = newContact(id, NOON - 20 * DAY);
    const value = `${id}@example.org`;
    contact.facts.address = { value, at: NOON - 20 * DAY, id: 'i' };
    contact.facts.addressHash = sha256(value);
    contact.book = { hash, ordinal: 1, counters: counterSet };
    const at = NOON - 9 * DAY + n * 1000;
    return [
      contactItem(contact, 1, of.table.shards),
      watchItem({ watch, product: 'cup', contact: id, at, until: at + 180 * DAY }),
    ];
  });
  const documents = engine.documents();
  await pooled(chunks(items, 24), 8, async (some) => {
    const RequestItems = { [of.table.name]: some.map((Item) => ({ PutRequest: { Item } })) };
    await documents.send(new BatchWriteCommand({ RequestItems }));
  });
  return ids;
}

async function countOf(of: Bench, begins: string): Promise<number> {
  const documents = engine.documents();
  let count = 0;
  let from: Record<string, unknown> | undefined;
  do {
    const page = await documents.send(
      new ScanCommand({
        TableName: of.table.name,
        Select: 'COUNT',
        FilterExpression: 'begins_with(sk, :begins)',
        ExpressionAttributeValues: { ':begins': begins },
        ...(from !== undefined && { ExclusiveStartKey: from }),
      }),
    );
    count += page.Count ?? 0;
    from = page.LastEvaluatedKey;
  } while (from !== undefined);
  return count;
}

describe('given many watchers', () => {
  it('pages come oldest first over all shards, each watcher once', async () => {
    const made = await shop({ back: requested() });
    const ids = await crowd(made, 700);
    const [watch] = (await made.books.current()).watches.keys();
    const wanted = { product: 'cup', watch: watch as string, from: 0, to: NOON };
    const met: string[] = [];
    let cursor = {};
    for (let pages = 0; ; pages++) {
      const page = await nextWatchers(made.table, wanted, cursor);
      expect(page.watchers.length).toBeLessThanOrEqual(128);
      met.push(...page.watchers.map(({ contact }) => contact));
      if (page.next === undefined) break;
      expect(page.watchers.length).toBeGreaterThanOrEqual(32);
      cursor = page.next;
      expect(pages).toBeLessThan(22);
    }
    expect(met).toEqual(ids);
  });

  it.each(['before', 'after'] as const)(
    'a crash %s any call between their pages loses and repeats nobody',
    async (when) => {
      const walk = async (at: number) => {
        bench = await shop({ back: requested() }, 1);
        await update({ stock: 0 }, NOON - 10 * DAY);
        await crowd(bench, 270);
        await update({ stock: 100 });
        const dying = new DoomedProcess(at, when);
        const client = engine.client();
        around(client, dying.step);
        const doomed = benchOver(new Table(documentClient(client), bench.table.name, 1), {
          bucket: bench.bucket,
          clock: bench.clock,
          prefix: 'd',
        });
        const timers = new Timers();
        const queues = new MemoryQueues();
        timers.post(JSON.stringify({ shard: '00' }));
        const deps = depsOf(doomed, queues, dying.step);
        while (!dying.dead && timers.waiting.length > 0) {
          await timers.handle(timers.waiting.shift() as Posted, deps);
          timers.collect(queues);
        }
        timers.waiting.push(...timers.failed.splice(0));
        await minute(bench, timers, queues);
        const [turn] = await turnsOf(bench);
        return {
          calls: dying.calls,
          pages: turn?.page,
          ended: turn?.ended,
          started: turn?.started,
          told: (await told()).length,
        };
      };
      const { calls, ...whole } = await walk(Number.POSITIVE_INFINITY);
      expect(whole).toEqual({ pages: 3, ended: 'all were told', started: 270, told: 270 });
      const between = [...calls.keys()].filter((at) => !/Transact|Delete/.test(calls[at] as string));
      // The opening is another test's.
      for (const at of between.slice(between.length - 9)) {
        const { calls: _, ...outcome } = await walk(at);
        expect({ at, ...outcome }).toEqual({ at, ...whole });
      }
    },
    120_000,
  );

  it('ten thousand of one product are all told once', async () => {
    bench = await shop({ back: requested() });
    await update({ stock: 0 }, NOON - 10 * DAY);
    await crowd(bench, 10_000);
    await update({ stock: 5000 });
    const client = engine.client();
    const spent = metered(client);
    const counted = benchOver(new Table(documentClient(client), bench.table.name, 2), {
      bucket: bench.bucket,
      clock: bench.clock,
      prefix: 'd',
    });
    const timers = await minute(counted);
    expect(timers.failed).toEqual([]);
    const [turn] = await turnsOf(bench);
    expect(turn).toMatchObject({ asked: 10_000, started: 10_000, ended: 'all were told' });
    expect(await countOf(bench, 'MESSAGE#')).toBe(10_000);
    expect(await watchers(bench)).toEqual([]);
    // Per watcher: one transaction and, as it asked for this once, one delete; the rest is per page.
    const calls = countBy(spent.calls);
    expect(calls.TransactWriteItemsCommand).toBe(10_000);
    expect(calls.DeleteItemCommand).toBe(10_000);
    const { TransactWriteItemsCommand: _, DeleteItemCommand: __, ...others } = calls;
    expect(Object.values(others).reduce((sum, times) => sum + times, 0)).toBeLessThan(10_000 / 10);
    // The contact with its run, up to 2 KB, 4; the message 2 and its place in the index 1; the watch that goes 1.
    expect(spent.write / 10_000).toBeCloseTo(8, 1);
    expect(spent.read / 10_000).toBeLessThan(1.2);
    if (process.env.KAIROS_FIGURES)
      console.log(
        JSON.stringify(await bench.table.readOne({ pk: 'CONTACT#w00000', sk: 'CONTACT' })),
        spent.read,
        spent.write,
        { calls, pages: turn?.page, posts: timers.handled },
      );
  }, 180_000);
});

describe('given a busy service', () => {
  let faulty: FaultyEngine;
  beforeAll(async () => {
    faulty = await startFaultyEngine(20_261_201);
    faulty.upstream = engine.endpoint;
  });
  afterAll(() => faulty.close());

  it('throttles, errors, conflicts and lost answers change nothing of who is told', async () => {
    bench = await shop({ back: requested() });
    await update({ stock: 0 }, NOON - 10 * DAY);
    const ids = await crowd(bench, 300);
    await update({ stock: 40 });
    const client = new DynamoDBClient({
      endpoint: faulty.url,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    const table = new Table(documentClient(client), bench.table.name, 2);
    const troubled = benchOver(table, { bucket: bench.bucket, clock: bench.clock, prefix: 'd' });
    await troubled.books.current();
    faulty.trouble({ throttle: 0.02, error: 0.02, conflict: 0.05, drop: 0.02, unprocessed: 0.1 });
    const timers = new Timers();
    const queues = new MemoryQueues();
    for (let minutes = 0; minutes < 4; minutes++) {
      await minute(troubled, timers, queues);
      troubled.clock.at += 6 * MINUTE;
    }
    faulty.trouble({});
    await minute(bench, timers, queues);
    const first = (await told()).map((who) => who);
    expect(first.slice(0, 120)).toEqual(ids.slice(0, 120));
    expect(first).toHaveLength(120);
    expect(await turnsOf(bench)).toMatchObject([{ started: 120, ended: 'enough were told' }]);
    // Which kinds strike depends on the order of concurrent calls: that many did is what matters.
    expect(Object.values(faulty.struck).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(10);
  }, 120_000);
});

const step: TurnStep = { pk: 'PRODUCT#cup', sk: 'TURN#back#u1' };
it('a message of a turn that is not there is nothing', async () => {
  bench = await shop({ back: requested() });
  const timers = new Timers();
  timers.post(JSON.stringify({ shard: '00', turn: step }));
  await minute(bench, timers);
  expect(timers.failed).toEqual([]);
});
