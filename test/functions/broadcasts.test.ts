// Broadcasts walk the roster: opened once, resumed wherever they were lost, each person booked once for their own time.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { campaignVersion, type Definitions } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import { type Booking, type Contact, newContact } from '../../domain/contact.ts';
import type { Segment } from '../../domain/grammar.ts';
import { sha256 } from '../../domain/interaction.ts';
import type { BroadcastDeps } from '../../functions/aws/broadcast-walk.ts';
import { type BroadcastStep, openBroadcasts, walkStates } from '../../functions/aws/broadcasts.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { chunks, contactItem, documentClient, key, pooled, readContact, Table } from '../../functions/aws/table.ts';
import { walkRosterPages } from '../../functions/walk-roster.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type FaultyEngine, startFaultyEngine } from '../support/faulty-engine.ts';
import { around, DoomedProcess, MemoryQueues, metered, type Step } from './faults.ts';
import {
  type Bench,
  benchOver,
  consenting,
  DAY,
  definitions,
  HOUR,
  interaction,
  MINUTE,
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

/** 2026-05-05, the day after NOON, at ten. */
const TEN = NOON + 22 * HOUR;
const EARLIEST = TEN - 14 * HOUR;
const OCCURRENCE = '2026-05-05';

const news = (change: Partial<Campaign> = {}): Campaign =>
  ({
    kind: 'marketing',
    aim: 'retention',
    topic: 'offers',
    sender: 'main',
    when: { at: '2026-05-05 10:00', clock: 'contact', to: { has: { country: 'DE' } } },
    again: 'never',
    steps: [{ send: 'hello' }],
    ...change,
  }) as Campaign;

const inside = (perDay: number): Campaign =>
  news({ when: { enters: 'germans', alsoThoseInside: { perDay } } } as never);

const germans: Segment = { rule: { has: { country: 'DE' } } };

function book(campaigns: Record<string, Campaign>, ordinal = 1, since = 1): Definitions {
  const all = Object.entries(campaigns).map(([id, campaign]) => [
    id,
    { id, version: campaignVersion(campaign), since, campaign },
  ]);
  return definitions({
    ordinal,
    segments: { germans: { ...germans, ordinal: 1, since: 1 } },
    campaigns: Object.fromEntries(all),
  });
}

async function shop(campaigns: Record<string, Campaign>, shards = 1): Promise<Bench> {
  const made = benchOver(await engine.table(shards));
  await publish(made.table, made.bucket, book(campaigns));
  return made;
}

/** Contacts p00000, p00001, … who live in Germany and consent, unless changed; written without the recorder. */
async function people(
  of: Bench,
  count: number,
  change: (contact: Contact, n: number) => void = () => {},
): Promise<void> {
  const { hash, counterSet } = await of.books.current();
  const items = Array.from({ length: count }, (_, n) => {
    const contact = newContact(`p${String(n).padStart(5, '0')}`, NOON - DAY);
    const value = `${contact.id}@example.org`;
    contact.facts.address = { value, at: NOON - DAY, id: 'i' };
    contact.facts.addressHash = sha256(value);
    contact.facts.attributes.country = { value: 'DE', at: NOON - DAY, id: 'i' };
    contact.journey.segments.germans = { since: NOON - DAY, entries: 1 };
    contact.book = { hash, ordinal: 1, counters: counterSet };
    consenting(contact);
    change(contact, n);
    return contactItem(contact, 1, of.table.shards);
  });
  const documents = engine.documents();
  await pooled(chunks(items, 24), 4, async (some) => {
    const RequestItems = { [of.table.name]: some.map((Item) => ({ PutRequest: { Item } })) };
    await documents.send(new BatchWriteCommand({ RequestItems }));
  });
}
const lives = (contact: Contact, zone: string): void => {
  contact.facts.attributes.timezone = { value: zone, at: NOON - DAY, id: 'i' };
};

async function contacts(of: Bench): Promise<Contact[]> {
  const found: Contact[] = [];
  for (let shard = 0; shard < of.table.shards; shard++) {
    const { items } = await of.table.roster(`0${shard}`, 5000);
    const read = await of.table.read(items.map(({ pk }) => ({ pk, sk: 'CONTACT' })));
    found.push(...items.map(({ pk }) => readContact(read.get({ pk, sk: 'CONTACT' })!).value));
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}
const booked = async (of: Bench): Promise<Record<string, Booking[]>> =>
  Object.fromEntries(
    (await contacts(of)).flatMap(({ id, journey }) => (journey.booked === undefined ? [] : [[id, journey.booked]])),
  );
const instants = async (of: Bench): Promise<number[]> =>
  Object.values(await booked(of))
    .flatMap((bookings) => bookings.map(({ at }) => at))
    .sort((a, b) => a - b);

interface Posted {
  id: string;
  step: BroadcastStep;
  delay: number;
}

/** The roster queue and its function: messages are handled in turn, those that fail come again. */
class Roster {
  readonly waiting: Posted[] = [];
  readonly handled: Posted[] = [];
  readonly failed: Posted[] = [];
  #ids = 0;

  collect(queues: MemoryQueues): void {
    for (const { MessageBody = '', DelaySeconds = 0 } of queues.drain('roster')) {
      this.waiting.push({
        id: `message-${++this.#ids}`,
        step: JSON.parse(MessageBody) as BroadcastStep,
        delay: DelaySeconds,
      });
    }
  }

  async handle(posted: Posted, deps: BroadcastDeps): Promise<void> {
    const record = { messageId: posted.id, body: JSON.stringify(posted.step) } as SQSRecord;
    const { batchItemFailures } = await walkRosterPages({ Records: [record] } as never, deps);
    (batchItemFailures.length === 0 ? this.handled : this.failed).push(posted);
  }

  /** Hands over all that waits until nothing does; what fails is given up after its eighth time. */
  async drain(queues: MemoryQueues, deps: BroadcastDeps): Promise<void> {
    this.collect(queues);
    for (let posted = this.waiting.shift(); posted !== undefined; posted = this.waiting.shift()) {
      const before = this.failed.length;
      const { id } = posted;
      await this.handle(posted, deps);
      if (this.failed.length > before && this.failed.filter((one) => one.id === id).length < 8)
        this.waiting.push(posted);
      this.collect(queues);
    }
  }
}

const RATE = 10;
/** A rate at which pages hold two contacts, on one shard. */
const BY_TWOS = 2 / 900;
const depsOf = (of: Bench, queues: MemoryQueues, rate?: number, step?: Step): BroadcastDeps => ({
  table: of.table,
  books: of.books,
  recorder: of.recorder,
  queue: new Queue(queues.client(step)),
  url: 'roster',
  now: of.clock.now,
  log: of.log,
  bulkRate: async () => RATE,
  ...(rate !== undefined && { rate }),
});
const open = (of: Bench, queues: MemoryQueues, walkRate?: number, step?: Step): Promise<void> =>
  openBroadcasts({
    table: of.table,
    books: of.books,
    queue: new Queue(queues.client(step)),
    now: of.clock.now,
    log: of.log,
    rosterUrl: 'roster',
    ...(walkRate !== undefined && { walkRate }),
  });
/** One minute of opening, and everything that it leads to. */
async function minute(of: Bench, rate?: number): Promise<Roster> {
  const queues = new MemoryQueues();
  const roster = new Roster();
  await open(of, queues, rate);
  await roster.drain(queues, depsOf(of, queues, rate));
  return roster;
}
const state = async (of: Bench) => (await walkStates(of.table, await of.books.current()))[0];
const control = async (of: Bench, paused: string[]): Promise<void> => {
  await of.table.update(key.controls(), {
    UpdateExpression: 'SET paused = :paused',
    ExpressionAttributeValues: {
      ':paused': Object.fromEntries(paused.map((id) => [id, { by: 'x', at: 0, why: 'x' }])),
    },
  });
  of.clock.at += MINUTE;
};

describe('given a broadcast by the contact’s clock', () => {
  beforeEach(async () => {
    bench = await shop({ news: news() });
  });

  it('is opened when its walk must begin, and not before', async () => {
    await people(bench, 3);
    bench.clock.at = EARLIEST - 12 * MINUTE;
    expect((await minute(bench)).handled).toEqual([]);
    expect(await state(bench)).toBeUndefined();
    bench.clock.at = EARLIEST - 10 * MINUTE;
    expect((await minute(bench)).handled.length).toBe(2);
    expect(await state(bench)).toMatchObject({
      campaign: 'news',
      occurrence: OCCURRENCE,
      walked: 3,
      booked: 3,
      late: 0,
    });
    // Opened once: the next minute finds it done.
    bench.clock.at += MINUTE;
    expect((await minute(bench)).handled).toEqual([]);
  });

  it('books each for ten where they live, one after another no faster than bulk is sent', async () => {
    const zones = ['Asia/Tokyo', 'Europe/Berlin', 'America/New_York'];
    await people(bench, 30, (contact, n) => lives(contact, zones[n % 3] as string));
    bench.clock.at = EARLIEST - 10 * MINUTE;
    await minute(bench);
    const own = [TEN - 9 * HOUR, TEN - 2 * HOUR, TEN + 4 * HOUR];
    expect(await instants(bench)).toEqual(
      own.flatMap((at) => Array.from({ length: 10 }, (_, k) => at + (k * 1000) / RATE)),
    );
    const [first] = await contacts(bench);
    expect(first?.journey.due).toBe(own[0]);
    expect(await state(bench)).toMatchObject({ booked: 30, drainsAt: (own[2] as number) + 1000 });
  });

  it('books nobody who is not meant, or may not be written to', async () => {
    await people(bench, 6, ({ facts }, n) => {
      if (n === 1) facts.attributes.country = { value: 'PL', at: NOON, id: 'i' };
      if (n === 2) delete facts.address;
      if (n === 3) facts.consents = {};
      if (n === 4) facts.suppressed = { reason: 'bounced', at: NOON };
    });
    bench.clock.at = EARLIEST - 10 * MINUTE;
    await minute(bench);
    expect(Object.keys(await booked(bench))).toEqual(['p00000', 'p00005']);
    expect(await state(bench)).toMatchObject({ walked: 6, booked: 2 });
    const found = await bench.table.read([key.contact('p00000'), key.contact('p00001')]);
    expect([found.get(key.contact('p00000'))?.version, found.get(key.contact('p00001'))?.version]).toEqual([2, 1]);
  });

  it('asks each as they will be at their own time', async () => {
    const bought = { did: 'Order Completed', inLast: '3d' };
    bench = await shop({ news: news({ when: { ...news().when, to: { not: bought } } } as never) });
    const order = (user: string, at: number) =>
      interaction('Order Completed', {
        id: `o-${user}`,
        at,
        user,
        address: `${user}@example.org`,
        properties: { order_id: `o-${user}`, products: [{ product_id: 'cup', price: 1, quantity: 1 }] },
      });
    const consents = (user: string) =>
      interaction('Consent Granted', { id: `g-${user}`, at: NOON - DAY, user, properties: { topic: 'offers' } });
    // By ten the first of them has bought three days before, and the second has not.
    bench.clock.at = EARLIEST - 10 * MINUTE;
    await bench.recorder.record(
      [
        order('early', TEN - 3 * DAY - HOUR),
        consents('early'),
        order('late', TEN - 3 * DAY + HOUR),
        consents('late'),
      ].map((each) => ({ interaction: each })),
    );
    await minute(bench);
    expect(await instants(bench)).toEqual([TEN]);
    const of = (await contacts(bench)).find(({ journey }) => journey.booked !== undefined);
    expect(of?.facts.address?.value).toBe('early@example.org');
  });

  it('that begins too late passes over those whose time is more than an hour ago, and counts them', async () => {
    const zones = ['Asia/Tokyo', 'Europe/Berlin', 'America/New_York'];
    await people(bench, 6, (contact, n) => lives(contact, zones[n % 3] as string));
    bench.clock.at = TEN - 2 * HOUR + 30 * MINUTE;
    await minute(bench);
    expect(await state(bench)).toMatchObject({ booked: 4, late: 2 });
    // The first of them at once, and the others as fast as bulk may be sent.
    expect(await instants(bench)).toEqual([bench.clock.at + 100, TEN + 4 * HOUR, TEN + 4 * HOUR + 100]);
    expect((await contacts(bench)).filter(({ journey }) => journey.starts.news !== undefined)).toHaveLength(1);
    // Over for everybody: it is not begun at all.
    const other = await shop({ news: news() });
    await people(other, 2);
    other.clock.at = TEN + 13 * HOUR + MINUTE;
    expect((await minute(other)).handled).toEqual([]);
  });

  it('as late as the campaign lets it be, where it says so', async () => {
    bench = await shop({ news: news({ expires: '4h' }) });
    await people(bench, 2);
    bench.clock.at = TEN + 3 * HOUR;
    await minute(bench);
    expect(await state(bench)).toMatchObject({ booked: 2, late: 0 });
  });

  it('over several shards keeps the rate of all together', async () => {
    bench = await shop({ news: news() }, 4);
    await people(bench, 400);
    bench.clock.at = EARLIEST - 10 * MINUTE;
    await minute(bench);
    const all = await instants(bench);
    expect(all).toHaveLength(400);
    for (let n = 0; n + RATE < all.length; n++) {
      // At most a place of each shard more than the rate, in any second.
      expect((all[n + RATE + 4] ?? Number.POSITIVE_INFINITY) - (all[n] as number)).toBeGreaterThanOrEqual(1000);
    }
  });

  it('paused is not opened, and opened once the pause is over', async () => {
    await people(bench, 3);
    bench.clock.at = EARLIEST - 10 * MINUTE;
    await control(bench, ['news']);
    expect((await minute(bench)).handled).toEqual([]);
    await control(bench, []);
    await minute(bench);
    expect(await state(bench)).toMatchObject({ booked: 3 });
  });

  it('paused while it walks rests where it is, and goes on from there', async () => {
    await people(bench, 6);
    bench.clock.at = EARLIEST - 10 * MINUTE;
    const queues = new MemoryQueues();
    const roster = new Roster();
    await open(bench, queues);
    roster.collect(queues);
    for (let n = 0; n < 2; n++) {
      await roster.handle(roster.waiting.shift() as Posted, depsOf(bench, queues, BY_TWOS));
      roster.collect(queues);
    }
    await control(bench, ['news']);
    await roster.drain(queues, depsOf(bench, queues, BY_TWOS));
    expect(await state(bench)).toMatchObject({ walked: 2, rests: true });
    await open(bench, queues);
    expect(queues.drain('roster')).toEqual([]);
    await control(bench, []);
    await open(bench, queues);
    await roster.drain(queues, depsOf(bench, queues, BY_TWOS));
    expect(await state(bench)).toMatchObject({ walked: 6, booked: 6, rests: false, endedAt: expect.any(Number) });
  });

  it.each([
    [
      'gone',
      { other: news({ when: { at: '2026-09-01 10:00', clock: 'contact', to: { consent: 'offers' } } }) },
      'the campaign is gone',
    ],
    [
      'moved to another day',
      { news: news({ when: { ...news().when, at: '2026-05-06 10:00' } } as never) },
      'the campaign has another time now',
    ],
  ] as const)('%s while it walks ends there, and says why; who was booked gets nothing', async (_, campaigns, why) => {
    await people(bench, 6);
    bench.clock.at = EARLIEST - 10 * MINUTE;
    const queues = new MemoryQueues();
    const roster = new Roster();
    await open(bench, queues);
    roster.collect(queues);
    for (let n = 0; n < 2; n++) {
      await roster.handle(roster.waiting.shift() as Posted, depsOf(bench, queues, BY_TWOS));
      roster.collect(queues);
    }
    const early = Object.keys(await booked(bench));
    expect(early).toHaveLength(2);
    await publish(bench.table, bench.bucket, book(campaigns, 2));
    bench.clock.at += MINUTE;
    await roster.drain(queues, depsOf(bench, queues, BY_TWOS));
    expect(await bench.table.readOne(key.broadcast('news', OCCURRENCE))).toMatchObject({ why });
    bench.clock.at = TEN + MINUTE;
    await bench.recorder.tick(early);
    for (const id of early) expect(await bench.table.under(`CONTACT#${id}`, 'MESSAGE#')).toEqual([]);
  });

  it('changed otherwise while it walks goes on by its new rule, once the roster is walked for it', async () => {
    await people(bench, 6, ({ facts }, n) => {
      if (n >= 4) facts.attributes.country = { value: 'PL', at: NOON, id: 'i' };
    });
    bench.clock.at = EARLIEST - 10 * MINUTE;
    const queues = new MemoryQueues();
    const roster = new Roster();
    await open(bench, queues);
    roster.collect(queues);
    for (let n = 0; n < 2; n++) {
      await roster.handle(roster.waiting.shift() as Posted, depsOf(bench, queues, BY_TWOS));
      roster.collect(queues);
    }
    const poles = news({ when: { ...news().when, to: { has: { country: 'PL' } } } } as never);
    await publish(bench.table, bench.bucket, book({ news: poles }, 2, 2), 1);
    bench.clock.at += MINUTE;
    await roster.drain(queues, depsOf(bench, queues, BY_TWOS));
    expect(await state(bench)).toMatchObject({ walked: 2, rests: true });
    await bench.table.update(key.controls(), {
      UpdateExpression: 'SET filled = :two',
      ExpressionAttributeValues: { ':two': 2 },
    });
    bench.clock.at += MINUTE;
    await open(bench, queues);
    await roster.drain(queues, depsOf(bench, queues, BY_TWOS));
    expect(await state(bench)).toMatchObject({ walked: 6, endedAt: expect.any(Number) });
    expect(
      (await contacts(bench))
        .filter(({ journey }) => journey.booked)
        .map(({ facts }) => facts.attributes.country?.value),
    ).toEqual(
      // Two of the first rule, who will be asked by the new one at their time; the others by the new one only.
      ['DE', 'DE', 'PL', 'PL'],
    );
  });
});

describe('given a message that is lost', () => {
  it('its shard is posted again when it has not moved for long', async () => {
    bench = await shop({ news: news() });
    await people(bench, 6);
    bench.clock.at = EARLIEST - 10 * MINUTE;
    const queues = new MemoryQueues();
    const roster = new Roster();
    await open(bench, queues);
    roster.collect(queues);
    await roster.handle(roster.waiting.shift() as Posted, depsOf(bench, queues, BY_TWOS));
    queues.drain('roster');
    bench.clock.at += 20 * MINUTE;
    await open(bench, queues);
    expect(queues.drain('roster')).toEqual([]);
    bench.clock.at += 6 * MINUTE;
    await open(bench, queues);
    await roster.drain(queues, depsOf(bench, queues, BY_TWOS));
    expect(await state(bench)).toMatchObject({ walked: 6, booked: 6, endedAt: expect.any(Number) });
  });
});

describe('given a crash at any call', () => {
  it.each(['before', 'after'] as const)(
    'each is booked once when the function dies %s it, and the walk ends',
    async (when) => {
      const walk = async (at: number) => {
        const made = await shop({ news: news() });
        await people(made, 5);
        made.clock.at = EARLIEST - 10 * MINUTE;
        const dying = new DoomedProcess(at, when);
        const client = engine.client();
        around(client, dying.step);
        const doomed = benchOver(new Table(documentClient(client), made.table.name, 1), {
          bucket: made.bucket,
          clock: made.clock,
          prefix: 'd',
        });
        const queues = new MemoryQueues();
        const roster = new Roster();
        await open(doomed, queues, undefined, dying.step).catch(() => undefined);
        roster.collect(queues);
        while (!dying.dead && roster.waiting.length > 0) {
          await roster.handle(roster.waiting.shift() as Posted, depsOf(doomed, queues, BY_TWOS, dying.step));
          roster.collect(queues);
        }
        roster.waiting.push(...roster.failed.splice(0));
        // What it had in hand comes again, and the next minute heals what the opening left: nothing has to be missed for long.
        made.clock.at += MINUTE;
        await open(made, queues);
        await roster.drain(queues, depsOf(made, queues, BY_TWOS));
        const { walked, late, shardsDone, endedAt } = (await state(made))!;
        return {
          calls: dying.calls.length,
          died: dying.dead,
          outcome: {
            walked,
            late,
            shardsDone,
            ended: endedAt !== undefined,
            each: Object.values(await booked(made)).map((bookings) => bookings.length),
          },
        };
      };
      const whole = await walk(Number.POSITIVE_INFINITY);
      expect(whole.outcome).toEqual({ walked: 5, late: 0, shardsDone: 1, ended: true, each: [1, 1, 1, 1, 1] });
      for (let at = 0; at < whole.calls; at++) {
        const { outcome, died } = await walk(at);
        expect({ at, died, outcome }).toEqual({ at, died: true, outcome: whole.outcome });
      }
    },
    120_000,
  );
});

describe('given a busy service', () => {
  let faulty: FaultyEngine;
  beforeAll(async () => {
    faulty = await startFaultyEngine(20_261_127);
    faulty.upstream = engine.endpoint;
  });
  afterAll(() => faulty.close());

  it('throttles, errors, conflicts and lost answers change nothing of who is booked', async () => {
    bench = await shop({ news: news() }, 2);
    await people(bench, 300);
    bench.clock.at = EARLIEST - 10 * MINUTE;
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const client = new DynamoDBClient({ endpoint: faulty.url, region: 'eu-central-1', credentials });
    const troubled = benchOver(new Table(documentClient(client), bench.table.name, 2), {
      bucket: bench.bucket,
      clock: bench.clock,
      prefix: 'd',
    });
    await troubled.books.current();
    faulty.trouble({ throttle: 0.02, error: 0.02, conflict: 0.05, drop: 0.02, unprocessed: 0.1 });
    const queues = new MemoryQueues();
    const roster = new Roster();
    for (let minutes = 0; minutes < 3; minutes++) {
      await open(troubled, queues).catch(() => undefined);
      await roster.drain(queues, depsOf(troubled, queues, 20 / 60));
      bench.clock.at += MINUTE;
    }
    faulty.trouble({});
    bench.clock.at += 26 * MINUTE;
    await open(bench, queues);
    await roster.drain(queues, depsOf(bench, queues));
    expect(Object.values(await booked(bench)).map((bookings) => bookings.length)).toEqual(
      Array.from({ length: 300 }, () => 1),
    );
    expect(await state(bench)).toMatchObject({ walked: 300, endedAt: expect.any(Number) });
    // Which kinds strike depends on the order of concurrent calls: that many did is what matters.
    expect(Object.values(faulty.struck).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(10);
  }, 120_000);
});

describe('given a broadcast of each week', () => {
  it('each of its dates is walked once', async () => {
    bench = await shop({
      news: news({ when: { ...news().when, at: undefined, every: 'tuesday 10:00' } as never, again: 'every time' }),
    });
    await people(bench, 2);
    for (const week of [0, 1]) {
      bench.clock.at = EARLIEST - 10 * MINUTE + week * 7 * DAY;
      await minute(bench);
      bench.clock.at = TEN + MINUTE + week * 7 * DAY;
      await bench.recorder.tick(['p00000', 'p00001']);
      await minute(bench);
    }
    const states = await walkStates(bench.table, await bench.books.current());
    expect(states.map(({ occurrence, booked: count }) => [occurrence, count])).toEqual([
      ['2026-05-12', 2],
      ['2026-05-05', 2],
    ]);
    for (const id of ['p00000', 'p00001']) expect(await bench.table.under(`CONTACT#${id}`, 'MESSAGE#')).toHaveLength(2);
  });
});

describe('given those inside a segment when its campaign goes live', () => {
  it('are walked once, so many a day, and not before the book is filled', async () => {
    const made = benchOver(await engine.table(1));
    bench = made;
    await publish(made.table, made.bucket, book({ germans: inside(100) }), 0);
    await people(made, 250, ({ facts }, n) => {
      if (n >= 240) facts.attributes.country = { value: 'PL', at: NOON, id: 'i' };
    });
    await minute(made);
    expect(await instants(made)).toEqual([]);
    await made.table.update(key.controls(), {
      UpdateExpression: 'SET filled = :one',
      ExpressionAttributeValues: { ':one': 1 },
    });
    made.clock.at += MINUTE;
    const began = made.clock.at;
    await minute(made);
    const starts = (await contacts(made)).flatMap(({ journey }) => journey.starts.germans ?? []);
    const all = [...starts, ...(await instants(made))];
    expect(all).toHaveLength(240);
    for (const day of [0, 1]) {
      const within = all.filter((at) => at >= began + day * DAY && at < began + (day + 1) * DAY);
      expect(within).toHaveLength(100);
    }
    expect(await state(made)).toMatchObject({ occurrence: 'inside|germans', walked: 250, booked: 240 });
    made.clock.at += DAY;
    await publish(made.table, made.bucket, book({ germans: inside(50) }, 2));
    made.clock.at += MINUTE;
    expect((await minute(made)).handled).toEqual([]);
  });
});

describe('given ten thousand contacts', () => {
  it('the walk costs what is said of it', async () => {
    bench = await shop({ news: news() }, 2);
    await people(bench, 10_000, ({ facts }, n) => {
      if (n % 4 !== 0) facts.attributes.country = { value: 'PL', at: NOON, id: 'i' };
    });
    bench.clock.at = EARLIEST - 10 * MINUTE;
    const client = engine.client();
    const spent = metered(client);
    const counted = benchOver(new Table(documentClient(client), bench.table.name, 2), {
      bucket: bench.bucket,
      clock: bench.clock,
      prefix: 'd',
    });
    const roster = await minute(counted);
    expect(roster.failed).toEqual([]);
    expect(await state(bench)).toMatchObject({ walked: 10_000, booked: 2500 });
    // A write for each who is booked; of the others only the read, a hundred at a time.
    const writes = spent.calls.filter((name) => name === 'TransactWriteItemsCommand').length;
    expect(writes).toBe(2500);
    expect(spent.calls.length - writes).toBeLessThan(10_000 / 10);
    // Of who is booked the contact of up to 1 KB 2 and its due instant 1; all are read, the roster's entries beside.
    expect(spent.write / 2500).toBeCloseTo(3, 0);
    expect(spent.read / 10_000).toBeLessThan(1.2);
    if (process.env.KAIROS_FIGURES) console.log(spent.read, spent.write, spent.calls.length, roster.handled.length);
  }, 120_000);
});
