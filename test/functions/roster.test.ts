// Walking all contacts after a publish: at its rate, from its checkpoints, whatever crashes, comes twice or is lost.
import type { SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { readFilling } from '../../cli/filling.ts';
import type { Definitions } from '../../domain/book.ts';
import { sha256 } from '../../domain/interaction.ts';
import type { BroadcastDeps } from '../../functions/aws/broadcast-walk.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { paceOf, type RosterStep, rosterSteps } from '../../functions/aws/roster.ts';
import { documentClient, key, readContact, Table } from '../../functions/aws/table.ts';
import { walkRosterPages } from '../../functions/walk-roster.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { around, DoomedProcess, MemoryQueues, type Step } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  contactOf,
  DAY,
  definitions,
  HOUR,
  MemoryBucket,
  MINUTE,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

// What fails is logged by the function.
vi.hoisted(() => {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT';
});
let engine: Engine;
let bench: Bench;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  bench = await peopled(5);
});

/** A rate at which pages hold two contacts, on one shard. */
const BY_TWOS = 2 / 900;

/** A shop of one shard under its first book, with so many buyers. */
async function peopled(count: number): Promise<Bench> {
  const made = benchOver(await engine.table(1));
  await publish(made.table, made.bucket, definitions());
  const people = Array.from({ length: count }, (_, n) => purchase({ id: `m${n}`, order: `o${n}`, user: `p${n}` }));
  await made.recorder.record(people.map((each) => ({ interaction: each })));
  return made;
}

const again = (ordinal = 2, change: (book: Definitions) => void = () => {}): Definitions => {
  const book = definitions({ ordinal });
  book.segments.all = { rule: { did: 'Order Completed' }, ordinal: 3, since: ordinal };
  change(book);
  return book;
};

interface Posted {
  id: string;
  step: RosterStep;
  delay: number;
}

/** The roster queue and its function: messages are handled in turn, those that fail come again. */
class Roster {
  readonly waiting: Posted[] = [];
  readonly handled: Posted[] = [];
  readonly failed: Posted[] = [];
  #ids = 0;

  post(steps: RosterStep[], delay = 0): void {
    for (const step of steps) this.waiting.push({ id: `message-${++this.#ids}`, step, delay });
  }

  collect(queues: MemoryQueues): void {
    for (const { MessageBody, DelaySeconds = 0 } of queues.drain('roster'))
      this.post([JSON.parse(MessageBody ?? '') as RosterStep], DelaySeconds);
  }

  async handle(posted: Posted, deps: BroadcastDeps): Promise<void> {
    const record = { messageId: posted.id, body: JSON.stringify(posted.step) } as SQSRecord;
    const { batchItemFailures } = await walkRosterPages({ Records: [record] }, deps);
    (batchItemFailures.length === 0 ? this.handled : this.failed).push(posted);
  }
}

const clientOf = (queues: MemoryQueues, step?: Step) => new Queue(queues.client(step));
const depsOf = (of: Bench, queues: MemoryQueues, rate?: number): BroadcastDeps => ({
  table: of.table,
  books: of.books,
  recorder: of.recorder,
  queue: clientOf(queues),
  url: 'roster',
  now: of.clock.now,
  log: of.log,
  bulkRate: async () => 10,
  ...(rate !== undefined && { rate }),
});

/** Hands over all that waits until nothing does; what fails is given up after its eighth time. */
async function drain(roster: Roster, queues: MemoryQueues, deps: BroadcastDeps): Promise<void> {
  for (let posted = roster.waiting.shift(); posted !== undefined; posted = roster.waiting.shift()) {
    const before = roster.failed.length;
    await roster.handle(posted, deps);
    const times = roster.failed.filter((one) => one.id === posted?.id).length;
    if (roster.failed.length > before && times < 8) roster.waiting.push(posted);
    roster.collect(queues);
  }
}

const filled = async (table: Table) => (await table.readOne(key.controls()))?.filled;

/** How often each contact was written, and with which book it was decided last. */
async function people({ table }: Bench): Promise<{ version: number; book: number | undefined }[]> {
  const { items } = await table.roster('00', 1000);
  const found = await table.read(items.map(({ pk }) => ({ pk, sk: 'CONTACT' })));
  return items.map(({ pk }) => {
    const { value, version } = readContact(found.get({ pk, sk: 'CONTACT' })!);
    return { version, book: value.book?.ordinal };
  });
}

describe('the rate', () => {
  it.each([
    [200, 32, 100, 16],
    [50, 32, 100, 64],
    [1000, 32, 93, 3],
    [3000, 32, 93, 1],
    [1, 32, 28, 900],
    [3000, 2, 100, 0],
    [1, 64, 14, 900],
  ])('of %i contacts a second over %i shards means pages of %i, %i seconds apart', (rate, shards, page, pause) => {
    expect(paceOf(rate, shards)).toEqual({ page, pause });
  });

  it('is never exceeded where there is a pause, and reached to nine tenths', () => {
    for (const shards of [1, 2, 16, 32, 64]) {
      for (let rate = 1; rate <= 3000; rate++) {
        const { page, pause } = paceOf(rate, shards);
        if (pause === 0) continue;
        const reached = (page * shards) / pause / rate;
        expect({ rate, shards, tooFast: reached > 1 }).toEqual({ rate, shards, tooFast: false });
        if (pause < 900) expect({ rate, shards, tooSlow: reached < 0.9 }).toEqual({ rate, shards, tooSlow: false });
      }
    }
  });

  it('is kept by messages that SQS holds back: shards begin one after another, and each rests after its page', async () => {
    const table = await engine.table(4);
    const shop = benchOver(table);
    await publish(table, shop.bucket, definitions());
    await shop.recorder.record(
      Array.from({ length: 12 }, (_, n) => ({ interaction: purchase({ id: `m${n}`, order: `o${n}`, user: `p${n}` }) })),
    );
    const hash = await publish(table, shop.bucket, again(), 1);
    const queues = new MemoryQueues();
    const roster = new Roster();
    roster.post(rosterSteps(hash, 2, 4));
    // Pages of one contact, 900 s apart.
    const deps = depsOf(shop, queues, 4 / 900);
    for (const posted of roster.waiting.splice(0)) await roster.handle(posted, deps);
    roster.collect(queues);
    expect(roster.waiting.map(({ step, delay }) => [step.shard, step.page, delay])).toEqual([
      ['00', 0, 0],
      ['01', 0, 225],
      ['02', 0, 450],
      ['03', 0, 675],
    ]);
    expect(await people(shop)).toEqual((await people(shop)).map((one) => ({ ...one, book: 1 })));
    await drain(roster, queues, deps);
    const pages = roster.handled.filter(({ step }) => (step.page ?? 0) > 0);
    expect(pages.length).toBeGreaterThanOrEqual(8);
    expect(new Set(pages.map(({ delay }) => delay))).toEqual(new Set([900]));
    expect(await filled(table)).toBe(2);
  });
});

describe('given a crash at any call', () => {
  it.each(['before', 'after'] as const)(
    'every contact is taken over once when the function dies %s it, and the book is filled',
    async (when) => {
      const walk = async (at: number) => {
        const shop = await peopled(5);
        const hash = await publish(shop.table, shop.bucket, again(), 1);
        const dying = new DoomedProcess(at, when);
        const client = engine.client();
        around(client, dying.step);
        const bucket = new MemoryBucket();
        bucket.get = (name) => dying.step('GetObject', {}, () => shop.bucket.get(name)) as Promise<string | undefined>;
        const doomed = benchOver(new Table(documentClient(client), shop.table.name, 1), {
          bucket,
          clock: shop.clock,
          prefix: 'd',
        });
        const queues = new MemoryQueues();
        const roster = new Roster();
        roster.post(rosterSteps(hash, 2, 1));
        const first = { ...depsOf(doomed, queues, BY_TWOS), queue: clientOf(queues, dying.step) };
        // The process lives until it dies; what it held comes again to another.
        while (!dying.dead && roster.waiting.length > 0) {
          await roster.handle(roster.waiting.shift() as Posted, first);
          roster.collect(queues);
        }
        roster.waiting.push(...roster.failed);
        await drain(roster, queues, depsOf(shop, queues, BY_TWOS));
        const { contacts, shardsDone } = await readFilling(shop.table, 2);
        return {
          calls: dying.calls.length,
          died: dying.dead,
          pages: roster.handled.length,
          outcome: { people: await people(shop), contacts, shardsDone, filled: await filled(shop.table) },
        };
      };
      const whole = await walk(Number.POSITIVE_INFINITY);
      expect(whole.outcome).toEqual({
        people: Array.from({ length: 5 }, () => ({ version: 2, book: 2 })),
        contacts: 5,
        shardsDone: 1,
        filled: 2,
      });
      for (let at = 0; at < whole.calls; at++) {
        const { outcome, died, pages } = await walk(at);
        expect({ at, died, outcome }).toEqual({ at, died: true, outcome: whole.outcome });
        // A chain that was doubled has ended: no more messages than a few for the one that came again.
        expect(pages).toBeLessThanOrEqual(whole.pages + 3);
      }
    },
    120_000,
  );
});

describe('given messages that come twice', () => {
  it('walks no page twice and lets the second chain end', async () => {
    const hash = await publish(bench.table, bench.bucket, again(), 1);
    const queues = new MemoryQueues();
    const roster = new Roster();
    const deps = depsOf(bench, queues, BY_TWOS);
    // Opened twice, as by somebody who publishes again while it runs.
    roster.post([...rosterSteps(hash, 2, 1), ...rosterSteps(hash, 2, 1)]);
    for (let posted = roster.waiting.shift(); posted !== undefined; posted = roster.waiting.shift()) {
      // Both at once, under one id, as SQS may deliver.
      await Promise.all([roster.handle(posted, deps), roster.handle(posted, deps)]);
      await roster.handle(posted, deps);
      roster.collect(queues);
      expect(roster.handled.length).toBeLessThan(100);
    }
    expect(roster.failed).toEqual([]);
    expect(await people(bench)).toEqual(Array.from({ length: 5 }, () => ({ version: 2, book: 2 })));
    expect(await readFilling(bench.table, 2)).toMatchObject({ contacts: 5, shardsDone: 1, done: true });
  });
});

describe('given a message that is lost', () => {
  it('goes on at the checkpoint once it is published again', async () => {
    const hash = await publish(bench.table, bench.bucket, again(), 1);
    const queues = new MemoryQueues();
    const roster = new Roster();
    const deps = depsOf(bench, queues, BY_TWOS);
    roster.post(rosterSteps(hash, 2, 1));
    for (let n = 0; n < 2; n++) {
      await roster.handle(roster.waiting.shift() as Posted, deps);
      roster.collect(queues);
    }
    expect(roster.waiting.splice(0)).toMatchObject([{ step: { page: 1 } }]);
    expect(await readFilling(bench.table, 2)).toMatchObject({ contacts: 2, done: false });

    roster.post(rosterSteps(hash, 2, 1));
    await drain(roster, queues, deps);
    expect(roster.handled.map(({ step }) => step.page)).toEqual([undefined, 0, undefined, 1, 2]);
    expect(await readFilling(bench.table, 2)).toMatchObject({ contacts: 5, done: true });
  });

  it('fills the book also where only the last word was lost', async () => {
    const hash = await publish(bench.table, bench.bucket, again(), 1);
    const queues = new MemoryQueues();
    const roster = new Roster();
    roster.post(rosterSteps(hash, 2, 1));
    await drain(roster, queues, depsOf(bench, queues));
    await bench.table.update(key.controls(), {
      UpdateExpression: 'SET filled = :one',
      ExpressionAttributeValues: { ':one': 1 },
    });
    roster.post(rosterSteps(hash, 2, 1));
    await drain(roster, queues, depsOf(bench, queues));
    expect(await filled(bench.table)).toBe(2);
  });
});

describe('given a contact over which nothing can be decided', () => {
  const spoil = (ids: string[]) =>
    Promise.all(
      ids.map(async (id) => {
        const state = JSON.stringify({ ...(await contactOf(bench.table, id)), facts: null });
        await bench.table.update(key.contact(id), {
          UpdateExpression: 'SET #state = :state',
          ExpressionAttributeNames: { '#state': 'state' },
          ExpressionAttributeValues: { ':state': state },
        });
      }),
    );

  it('sets it aside in a message of its own, and fills the book for all others', async () => {
    const ids = (await bench.table.roster('00', 10)).items.map((item) => String(item.rosterSk));
    await spoil([ids[1]!]);
    const hash = await publish(bench.table, bench.bucket, again(), 1);
    const queues = new MemoryQueues();
    const roster = new Roster();
    roster.post(rosterSteps(hash, 2, 1));
    await drain(roster, queues, depsOf(bench, queues));
    // Tried eight times, as SQS does before it keeps it among the dead letters.
    expect(roster.failed.map(({ step }) => step)).toEqual(
      Array.from({ length: 8 }, () => ({ hash, ordinal: 2, shard: '00', contacts: [ids[1]] })),
    );
    expect((await people(bench)).map(({ book }) => book)).toEqual([2, 1, 2, 2, 2]);
    expect(await filled(bench.table)).toBe(2);
  });

  it('stops where it is everybody: that is no fault of contacts', async () => {
    bench = await peopled(8);
    const ids = (await bench.table.roster('00', 10)).items.map((item) => String(item.rosterSk));
    await spoil(ids.slice(0, 6));
    const hash = await publish(bench.table, bench.bucket, again(), 1);
    const queues = new MemoryQueues();
    const roster = new Roster();
    roster.post(rosterSteps(hash, 2, 1));
    await drain(roster, queues, depsOf(bench, queues));
    expect(roster.failed.map(({ step }) => step.page)).toEqual(Array.from({ length: 8 }, () => 0));
    expect(await filled(bench.table)).toBe(1);
    expect(await readFilling(bench.table, 2)).toMatchObject({ contacts: 0, done: false });
  });
});

describe('given a book that cannot be read', () => {
  it('marks nothing as walked: the page comes again', async () => {
    await bench.books.current();
    const hash = await publish(bench.table, bench.bucket, again(), 1);
    const text = bench.bucket.objects.get(`books/${hash}.json`)!;
    bench.bucket.objects.delete(`books/${hash}.json`);
    const queues = new MemoryQueues();
    const roster = new Roster();
    roster.post(rosterSteps(hash, 2, 1));
    await drain(roster, queues, depsOf(bench, queues));
    expect([roster.handled.length, roster.failed.length, await filled(bench.table)]).toEqual([0, 8, 1]);
    bench.bucket.objects.set(`books/${hash}.json`, text);
    bench.clock.at += MINUTE;
    roster.post([roster.failed[0]!.step]);
    await drain(roster, queues, depsOf(bench, queues));
    expect(await filled(bench.table)).toBe(2);
  });
});

describe('given a newer book', () => {
  it('the older walk ends where it is, and the newer one fills both', async () => {
    const older = await publish(bench.table, bench.bucket, again(2), 1);
    const queues = new MemoryQueues();
    const roster = new Roster();
    const deps = depsOf(bench, queues, BY_TWOS);
    roster.post(rosterSteps(older, 2, 1));
    for (let n = 0; n < 2; n++) {
      await roster.handle(roster.waiting.shift() as Posted, deps);
      roster.collect(queues);
    }
    const newer = await publish(bench.table, bench.bucket, again(3), 1);
    bench.clock.at += MINUTE;
    roster.post(rosterSteps(newer, 3, 1));
    await drain(roster, queues, deps);
    expect((await people(bench)).map(({ book }) => book)).toEqual([3, 3, 3, 3, 3]);
    expect([await filled(bench.table), (await readFilling(bench.table, 2)).contacts]).toEqual([3, 2]);
  });
});

describe('given somebody whose time has come just before the walk does', () => {
  it('lets them enter a segment that has not changed: its campaign is live all the while', async () => {
    const quiet = (book: Definitions) => {
      book.segments.quiet = { rule: { did: 'Order Completed', latest: { moreThanAgo: '30d' } }, ordinal: 4, since: 1 };
      const { thanks } = book.campaigns;
      book.campaigns.quiet = {
        ...thanks!,
        id: 'quiet',
        campaign: { ...thanks!.campaign, when: { enters: 'quiet' } } as typeof thanks extends { campaign: infer C }
          ? C
          : never,
      };
    };
    const shop = benchOver(await engine.table(1));
    const first = definitions();
    quiet(first);
    await publish(shop.table, shop.bucket, first);
    const address = 'ann@example.org';
    await shop.recorder.record([{ interaction: purchase({ id: 'm1', order: 'o1', user: 'ann', address }) }]);
    const hash = await publish(shop.table, shop.bucket, again(2, quiet), 1);
    // The minute that would have ticked her has not come yet.
    shop.clock.at = NOON + 30 * DAY + 1000;
    const queues = new MemoryQueues();
    const roster = new Roster();
    roster.post(rosterSteps(hash, 2, 1));
    await drain(roster, queues, depsOf(shop, queues));
    const ann = (await contactBy(shop.table, `user#${sha256('ann')}`))!;
    expect(ann.journey.segments).toMatchObject({ quiet: { entries: 1 }, all: { entries: 0 } });
    const mails = await messagesOf(shop.table, ann.id);
    expect(mails.filter(({ campaign }) => campaign === 'quiet')).toHaveLength(1);
    shop.clock.at += HOUR;
    await shop.recorder.tick([ann.id]);
    expect((await messagesOf(shop.table, ann.id)).length).toBe(mails.length);
  });
});
