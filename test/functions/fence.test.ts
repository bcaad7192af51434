// The fence around a publish: no campaign starts for what was already so, and none misses what becomes so afterwards.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { bind } from '../../cli/publish.ts';
import type { Templates } from '../../cli/templates-folder.ts';
import type { Definitions } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import type { Segment } from '../../domain/grammar.ts';
import { sha256 } from '../../domain/interaction.ts';
import {
  type RosterDeps,
  type RosterStep,
  rosterSteps,
  SETTLE_SECONDS,
  walkRoster,
} from '../../functions/aws/roster.ts';
import { key } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  DAY,
  definitions,
  interaction,
  MemoryBucket,
  messagesOf,
  NOON,
  purchase,
  type StoppedClock,
} from './fixtures.ts';

vi.hoisted(() => {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT';
});
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const SHARDS = 2;
const USERS = ['ann', 'bob', 'cat', 'dan'] as const;
type User = (typeof USERS)[number];
/** A worker may hold a book, and its controls, for so long. */
const KEPT = 10_000;

/** What a marketer changes: each number is part of one segment's rule. */
interface Said {
  /** Orders that make a buyer. */
  buyers: number;
  /** Days without an order that make somebody quiet. */
  quiet: number;
  /** A campaign that reads nothing: a new version of it changes no segment. */
  words: number;
}

const segmentsOf = ({ buyers, quiet }: Said): Record<string, Segment> => ({
  buyers: { rule: { did: 'Order Completed', times: { atLeast: buyers } } },
  quiet: { rule: { did: 'Order Completed', latest: { moreThanAgo: `${quiet}d` } } },
  loyal: { rule: { all: [{ segment: 'buyers' }, { segment: 'quiet' }] } },
  viewers: { rule: { did: 'Product Viewed', inLast: '3d' } },
});
const SEGMENTS = ['buyers', 'quiet', 'loyal', 'viewers'] as const;
type SegmentId = (typeof SEGMENTS)[number];

/** The book that follows on `before`, bound as kairos publish binds it. */
function bookOf(said: Said, before: Definitions | undefined): Definitions {
  const { settings, emails, catalogue, fields } = definitions();
  const campaign = (when: Campaign['when']): Campaign =>
    ({
      kind: 'service',
      aim: 'service',
      sender: 'main',
      when,
      again: 'every time',
      steps: [{ send: 'hello' }],
    }) as Campaign;
  const campaigns: Record<string, Campaign> = Object.fromEntries(SEGMENTS.map((id) => [id, campaign({ enters: id })]));
  campaigns.words = { ...campaign({ did: 'Never' }), again: `after ${said.words}d` } as Campaign;
  const draft = {
    settings,
    segments: segmentsOf(said),
    campaigns,
    catalogue,
    fields,
    coupons: { pools: {} },
  } as unknown as Templates['draft'];
  return bind({ draft, emails, images: new Map(), pages: {} }, before, 0).definitions;
}

interface Happened {
  at: number;
  name: 'Order Completed' | 'Product Viewed';
}

/** Whether somebody with these events, all up to the instant, is in a segment then. */
function isInside(id: SegmentId, said: Said, events: Happened[], at: number): boolean {
  const orders = events.filter((one) => one.name === 'Order Completed' && one.at <= at);
  const last = orders.at(-1)?.at;
  const isBuyer = orders.length >= said.buyers;
  const isQuiet = last !== undefined && at - last > said.quiet * DAY;
  if (id === 'buyers') return isBuyer;
  if (id === 'quiet') return isQuiet;
  if (id === 'loyal') return isBuyer && isQuiet;
  return events.some((one) => one.name === 'Product Viewed' && one.at <= at && one.at > at - 3 * DAY);
}

/** Instants after `from`, up to `until`, at which somebody enters: was outside just before and is inside. */
function entries(id: SegmentId, said: Said, events: Happened[], from: number, until: number): number[] {
  const turns = events.flatMap(({ at }) => [at, at + said.quiet * DAY, at + said.quiet * DAY + 1, at + 3 * DAY]);
  const instants = [...new Set(turns)].filter((at) => at > from && at <= until).sort((a, b) => a - b);
  return instants.filter((at) => isInside(id, said, events, at) && !isInside(id, said, events, at - 1));
}

interface Published {
  definitions: Definitions;
  said: Said;
  hash: string;
  at: number;
  /** When its backfill had ended. */
  filledAt?: number;
}

interface Started {
  user: User;
  segment: SegmentId;
  /** The book that decided it. */
  ordinal: number;
  at: number;
}

/** One shop, two workers with their own memory of the book, and everything that happens, in its order. */
class Shop {
  readonly books: Published[] = [];
  readonly events = new Map<User, Happened[]>();
  readonly started: Started[] = [];
  /** Waiting pages: the instants from which SQS hands them over. */
  readonly pages: { step: RosterStep; from: number; id: string }[] = [];
  readonly #workers: Bench[];
  readonly #clock: StoppedClock;
  readonly #bucket: MemoryBucket;
  readonly #seen = new Set<string>();
  #made = 0;

  constructor(workers: Bench[], clock: StoppedClock, bucket: MemoryBucket) {
    this.#workers = workers;
    this.#clock = clock;
    this.#bucket = bucket;
  }

  static async open(): Promise<Shop> {
    const table = await engine.table(SHARDS);
    const clock: StoppedClock = { at: NOON, now: () => clock.at };
    const bucket = new MemoryBucket();
    const workers = ['a', 'b'].map((prefix) => benchOver(table, { bucket, clock, prefix }));
    return new Shop(workers, clock, bucket);
  }

  get now(): number {
    return this.#clock.at;
  }

  wait(milliseconds: number): void {
    this.#clock.at += milliseconds;
  }

  #worker(which: number): Bench {
    return this.#workers[which % 2] as Bench;
  }

  async publish(said: Said): Promise<void> {
    const { table } = this.#worker(0);
    const before = this.books.at(-1)?.definitions;
    const made = bookOf(said, before);
    const text = JSON.stringify(made);
    const hash = sha256(text);
    await this.#bucket.put(`books/${hash}.json`, text);
    await table.update(key.pointer(), {
      UpdateExpression: 'SET #hash = :hash, ordinal = :ordinal, publishedAt = :at',
      ExpressionAttributeNames: { '#hash': 'hash' },
      ExpressionAttributeValues: { ':hash': hash, ':ordinal': made.ordinal, ':at': this.now },
    });
    this.books.push({ definitions: made, said, hash, at: this.now });
    this.open(this.books.at(-1) as Published);
  }

  /** Opens the walk of a book; again, where somebody publishes once more. */
  open({ hash, definitions: { ordinal } }: Published): void {
    for (const step of rosterSteps(hash, ordinal, SHARDS)) this.#post(step, SETTLE_SECONDS);
  }

  #post(step: RosterStep, delay: number): void {
    this.pages.push({ step, from: this.now + delay * 1000, id: `message-${++this.#made}` });
  }

  /** Lets a worker do a page that SQS may hand over; `twice`: its message comes again. */
  async page(which: number, worker: number, twice: boolean): Promise<void> {
    const ready = this.pages.filter(({ from }) => from <= this.now);
    const chosen = ready[which % Math.max(1, ready.length)];
    if (chosen === undefined) return;
    const { table, books, recorder } = this.#worker(worker);
    const queue = {
      send: async (_url: string, steps: RosterStep[], delay = 0) => {
        // The smallest pages rest for the longest; here only their smallness is wanted.
        for (const step of steps) this.#post(step, Math.min(delay, 2));
      },
    };
    // Pages of one contact.
    const deps = { table, books, recorder, queue, url: 'roster', now: this.#clock.now, rate: SHARDS / 900 };
    await walkRoster(chosen.step, deps as unknown as RosterDeps, chosen.id);
    if (!twice) this.pages.splice(this.pages.indexOf(chosen), 1);
    const filled = (await table.readOne(key.controls()))?.filled;
    for (const book of this.books) {
      if (book.filledAt !== undefined || Number(filled ?? 0) < book.definitions.ordinal) continue;
      book.filledAt = this.now;
      expect(await this.isWalked(book.definitions.ordinal)).toBe(true);
    }
    await this.#look();
  }

  async event(user: User, name: Happened['name'], worker: number): Promise<void> {
    // The minute before has ticked whoever was due; only pages may come before it.
    await this.tick(user, worker);
    const id = `e${++this.#made}`;
    const said = { id, user, address: `${user}@example.org`, at: this.now };
    const one =
      name === 'Order Completed'
        ? purchase({ ...said, order: id })
        : interaction(name, { ...said, properties: { product_id: 'cup' } });
    const [outcome] = await this.#worker(worker).recorder.record([{ interaction: one }]);
    expect(outcome).toEqual({ kind: 'recorded' });
    this.events.set(user, [...(this.events.get(user) ?? []), { at: this.now, name }]);
    await this.#look();
  }

  async tick(user: User, worker: number): Promise<void> {
    const { table, recorder } = this.#worker(worker);
    const contact = await contactBy(table, `user#${sha256(user)}`);
    if (contact?.journey.due === undefined || contact.journey.due > this.now) return;
    await recorder.tick([contact.id]);
    await this.#look();
  }

  /** Notes the messages that there were not before. */
  async #look(): Promise<void> {
    const { table } = this.#worker(0);
    for (const user of USERS) {
      const contact = await contactBy(table, `user#${sha256(user)}`);
      if (contact === undefined) continue;
      for (const { id, campaign } of await messagesOf(table, contact.id)) {
        if (this.#seen.has(id)) continue;
        this.#seen.add(id);
        const ordinal = contact.book?.ordinal ?? 0;
        this.started.push({ user, segment: campaign as SegmentId, ordinal, at: this.now });
      }
    }
  }

  /** Whether everybody there is was taken over to a book, or to a later one. */
  async isWalked(ordinal: number): Promise<boolean> {
    const { table } = this.#worker(0);
    const found = await Promise.all(USERS.map((user) => contactBy(table, `user#${sha256(user)}`)));
    return found.every((contact) => contact === undefined || (contact.book?.ordinal ?? 0) >= ordinal);
  }

  /** Lets all walks end before any minute comes. */
  async walk(): Promise<void> {
    this.wait(SETTLE_SECONDS * 1000);
    for (let pages = 0; this.pages.length > 0; pages++) {
      expect(pages).toBeLessThan(500);
      this.wait(2000);
      await this.page(0, pages, false);
    }
  }

  /** Lets all walks end, pages and ticks as they come. */
  async settle(): Promise<void> {
    for (let rounds = 0; this.pages.length > 0; rounds++) {
      expect(rounds).toBeLessThan(500);
      this.wait(60_000);
      for (const user of USERS) await this.tick(user, rounds);
      await this.page(0, rounds, false);
    }
  }
}

type Act =
  | { kind: 'publish'; said: Said }
  | { kind: 'open' }
  | { kind: 'walk' }
  | { kind: 'page'; which: number; worker: number; twice: boolean }
  | { kind: 'event'; user: User; name: Happened['name']; worker: number }
  | { kind: 'ticks'; worker: number }
  | { kind: 'wait'; seconds: number };

const worker = fc.nat(1);
const said = fc.record({
  buyers: fc.integer({ min: 1, max: 2 }),
  quiet: fc.integer({ min: 1, max: 2 }),
  words: fc.integer({ min: 1, max: 3 }),
});
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('publish' as const), said }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'open' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'walk' as const }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('page' as const), which: fc.nat(7), worker, twice: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('event' as const),
      user: fc.constantFrom(...USERS),
      name: fc.constantFrom('Order Completed' as const, 'Order Completed' as const, 'Product Viewed' as const),
      worker,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ticks' as const), worker }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      seconds: fc.constantFrom(1, 4, 16, 43_200, 90_000),
    }),
  },
);

async function live(acts: Act[]): Promise<Shop> {
  const shop = await Shop.open();
  await shop.publish({ buyers: 2, quiet: 2, words: 1 });
  await shop.event('ann', 'Order Completed', 0);
  await shop.settle();
  for (const one of acts) {
    // No two things happen at one instant: what was so before is told by time.
    shop.wait(1);
    if (one.kind === 'publish') await shop.publish(one.said);
    else if (one.kind === 'open') shop.open(shop.books.at(-1) as Published);
    else if (one.kind === 'walk') await shop.walk();
    else if (one.kind === 'page') await shop.page(one.which, one.worker, one.twice);
    else if (one.kind === 'event') await shop.event(one.user, one.name, one.worker);
    else if (one.kind === 'ticks') for (const user of USERS) await shop.tick(user, one.worker);
    else shop.wait(one.seconds * 1000);
  }
  await shop.settle();
  expect(shop.books.at(-1)?.filledAt).toBeDefined();
  // After the fence: somebody leaves and comes in again, everybody rests until all that turns by time has turned.
  shop.wait(KEPT + 1);
  for (const [n, user] of USERS.entries()) {
    await shop.event(user, 'Order Completed', n);
    shop.wait(1);
  }
  for (let hours = 0; hours < 96; hours += 12) {
    shop.wait(12 * 3_600_000);
    for (const [n, user] of USERS.entries()) await shop.tick(user, n);
  }
  return shop;
}

const bookAt = (shop: Shop, ordinal: number): Published => shop.books[ordinal - 1] as Published;

/** Starts for which nobody had entered since their segment says what it says, or before their campaign was live. */
function wrong(shop: Shop): unknown[] {
  return shop.started.filter(({ user, segment, ordinal, at }) => {
    const book = bookAt(shop, ordinal);
    const { since } = book.definitions.segments[segment] as { since: number };
    const campaign = book.definitions.campaigns[segment] as { since: number };
    const liveAt = bookAt(shop, campaign.since).filledAt ?? Number.POSITIVE_INFINITY;
    const events = shop.events.get(user) ?? [];
    return liveAt > at || entries(segment, book.said, events, bookAt(shop, since).at, at).length === 0;
  });
}

/** Entries under a rule that stood unchanged, into a segment whose campaign was live, that started nothing. */
function missed(shop: Shop): unknown[] {
  const last = shop.books.at(-1) as Published;
  return SEGMENTS.flatMap((segment) => {
    const campaign = last.definitions.campaigns[segment] as { since: number };
    const liveAt = (bookAt(shop, campaign.since).filledAt ?? Number.POSITIVE_INFINITY) + KEPT;
    return USERS.flatMap((user) => {
      const due = entries(segment, last.said, shop.events.get(user) ?? [], liveAt, shop.now - DAY);
      const got = shop.started.filter((one) => one.user === user && one.segment === segment && one.at >= liveAt);
      // Entered shortly before and met by a tick shortly after: started, and not due.
      return got.length >= due.length ? [] : [{ user, segment, due: due.length, got: got.length }];
    });
  });
}

describe('given a worker that holds the former book', () => {
  it('the walk waits until it cannot any more: whom it makes meanwhile is taken over too', async () => {
    const shop = await Shop.open();
    await shop.publish({ buyers: 1, quiet: 1, words: 1 });
    await shop.event('ann', 'Order Completed', 1);
    await shop.event('bob', 'Order Completed', 1);
    await shop.settle();
    shop.wait(KEPT);
    // Worker 0 reads the book, a moment before another is published.
    await shop.event('ann', 'Order Completed', 0);
    shop.wait(1);
    await shop.publish({ buyers: 2, quiet: 1, words: 1 });
    // Whatever of the walk is handed over by now passes the place of whoever comes.
    for (let pages = 0; pages < 24; pages++) {
      await shop.page(pages, 1, false);
      shop.wait(400);
    }
    await shop.event('cat', 'Order Completed', 0);
    await shop.walk();
    expect(shop.books.at(-1)?.filledAt).toBeDefined();
    expect(await shop.isWalked(2)).toBe(true);
  });
});

describe('given publishes, pages, events and ticks in any order', () => {
  it('no campaign starts for what was so already, and none misses what becomes so', async () => {
    const met = { started: 0, books: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 10, maxLength: 45 }), async (acts) => {
        const shop = await live(acts);
        expect({ wrong: wrong(shop), missed: missed(shop) }).toEqual({ wrong: [], missed: [] });
        met.started += shop.started.length;
        met.books += shop.books.length;
      }),
      { numRuns: Number(process.env.KAIROS_TEST_RUNS ?? 25), seed: Number(process.env.KAIROS_SEED ?? 20_260_504) },
    );
    // It speaks of something: campaigns do start, and books do follow each other.
    expect(met.started).toBeGreaterThan(50);
    expect(met.books).toBeGreaterThan(40);
  }, 180_000);
});
