// Any order, any repeats, any interleaving of workers: one result.
import { SESv2Client } from '@aws-sdk/client-sesv2';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { campaignVersion } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import { heldOutOf } from '../../domain/draw.ts';
import { type Interaction, sha256 } from '../../domain/interaction.ts';
import { durationMs } from '../../domain/time.ts';
import { Mailer } from '../../functions/aws/mailer.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { Sender } from '../../functions/aws/sender.ts';
import { documentClient, key, messageItem, readNotice, Table } from '../../functions/aws/table.ts';
import { handOff } from '../../functions/hand-off.ts';
import { receiveFeedback } from '../../functions/receive-feedback.ts';
import { sendMessages } from '../../functions/send-message.ts';
import { walkDueShards } from '../../functions/walk-due.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type Ses, sesEvent, startSes } from '../support/ses.ts';
import { around, MemoryQueues, nested, SeededScheduler, SeededTrouble } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  contactOf,
  DAY,
  definitions,
  HOUR,
  interaction,
  MINUTE,
  memoryBus,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

// A wait between two attempts is a turn like any other: which of the workers goes on first is the seed's choice.
const waits = vi.hoisted(() => {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT';
  return { sleep: (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds)) };
});
vi.mock(import('../../functions/aws/clock.ts'), async (original) => ({
  ...(await original()),
  sleep: (milliseconds) => waits.sleep(milliseconds),
}));

let engine: Engine;
let ses: Ses;
beforeAll(async () => {
  engine = await startEngine();
  ses = await startSes();
});
afterAll(async () => {
  await engine.stop();
  await ses.stop();
});

const address = 'ann@example.org';
/** One person's story: a device, a guest order, an account that names both, refunds with and without a person. */
const story: Interaction[] = [
  interaction('Product Viewed', {
    id: 'v1',
    anonymous: 'device',
    at: NOON - 3 * DAY,
    properties: { product_id: 'cup' },
  }),
  interaction('Product Viewed', {
    id: 'v2',
    anonymous: 'device',
    at: NOON - 2 * DAY,
    properties: { product_id: 'pot' },
  }),
  purchase({ id: 'm1', order: 'o1', address, revenue: 50, at: NOON - 2 * DAY }),
  purchase({ id: 'm2', order: 'o2', user: 'ann', revenue: 20, at: NOON - DAY }),
  interaction('Order Refunded', { id: 'r1', at: NOON - DAY + 1, properties: { order_id: 'o1', total: 10 } }),
  interaction('Order Refunded', { id: 'r2', user: 'ann', at: NOON - HOUR, properties: { order_id: 'o2' } }),
  interaction('Identified', { id: 'i1', user: 'ann', anonymous: 'device', at: NOON - HOUR, traits: { city: 'Graz' } }),
  interaction('Identified', { id: 'i2', user: 'ann', address, at: NOON - HOUR + 1, traits: { city: 'Linz' } }),
  interaction('Consent Granted', { id: 'g1', user: 'ann', at: NOON - DAY, properties: { topic: 'offers' } }),
  interaction('Consent Withdrawn', { id: 'w1', address, at: NOON - HOUR, properties: { topic: 'offers' } }),
];

/** What is true of the person, whoever the contact is called. */
async function facts(bench: Bench) {
  const contact = await contactBy(bench.table, `user#${sha256('ann')}`);
  const byAddress = await contactBy(bench.table, `address#${sha256(address)}`);
  const byDevice = await contactBy(bench.table, `anonymous#${sha256('device')}`);
  return {
    one: contact !== undefined && contact.id === byAddress?.id && contact.id === byDevice?.id,
    orders: contact?.facts.orders,
    city: contact?.facts.attributes.city?.value,
    address: contact?.facts.address?.value,
    views: contact?.facts.latest['Product Viewed'],
    counters: Object.values(contact?.facts.counters ?? {}).map((state) => state.e.length),
    consent: contact?.facts.consents['shop|offers|email']?.granted,
    segments: Object.entries(contact?.journey.segments ?? {}).map(([id, state]) => [id, state.since !== undefined]),
  };
}

async function fresh(): Promise<Bench> {
  const bench = benchOver(await engine.table());
  await publish(bench.table, bench.bucket, definitions());
  return bench;
}
const record = (bench: Bench, interactions: Interaction[]) =>
  bench.recorder.record(interactions.map((each) => ({ interaction: each })));

it('facts do not depend on order, batches and repeats', async () => {
  const usual = await fresh();
  await record(usual, story);
  const expected = await facts(usual);
  expect(expected).toMatchObject({
    one: true,
    city: 'Linz',
    consent: false,
    orders: { count: 2, gross: 7000, refunded: 3000 },
  });
  const shuffled = fc.shuffledSubarray([...story, ...story.slice(2, 8)], { minLength: story.length + 6 });
  const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 20, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(shuffled, sizes, async (order, batches) => {
      const bench = await fresh();
      const left = [...order];
      for (const size of batches) {
        const outcomes = await record(bench, left.splice(0, size));
        expect(outcomes.filter((outcome) => outcome.kind === 'failed')).toEqual([]);
      }
      expect(await facts(bench)).toEqual(expected);
    }),
    { numRuns: Number(process.env.KAIROS_TEST_RUNS ?? 25), seed: 20260504 },
  );
}, 120_000);

it('two workers at the same events count each once, however their calls interleave', async () => {
  const usual = await fresh();
  await record(usual, story);
  const expected = await facts(usual);
  for (let seed = 1; seed <= Number(process.env.KAIROS_TEST_RUNS ?? 12); seed++) {
    const bench = await fresh();
    const scheduler = new SeededScheduler(seed * 2654435761);
    const workers = ['a', 'b'].map((prefix) => {
      const client = engine.client();
      around(client, scheduler.step);
      const table = new Table(documentClient(client), bench.table.name, 2);
      return benchOver(table, { bucket: bench.bucket, clock: bench.clock, prefix });
    });
    const given = [story, [...story].reverse()];
    const outcomes = await Promise.all(
      workers.map(async (worker, n) => {
        let left = given[n] as Interaction[];
        const kinds: string[] = [];
        // As the queue does: what failed is delivered again.
        for (let delivery = 0; left.length > 0 && delivery < 8; delivery++) {
          const answers = await record(worker, left);
          kinds.push(...answers.map((answer) => answer.kind));
          left = left.filter((_, index) => answers[index]?.kind === 'failed');
        }
        return kinds;
      }),
    );
    const counted = outcomes.flat().filter((kind) => kind === 'recorded' || kind === 'ignored').length;
    expect({ seed, counted, facts: await facts(bench) }).toEqual({ seed, counted: story.length, facts: expected });
  }
}, 120_000);

describe('two workers over one person for whom campaigns compete', () => {
  const caps = [
    { most: 1, in: '1d' },
    { most: 3, in: '7d' },
  ];
  const offers = (said: Pick<Campaign, 'when' | 'steps'> & Partial<Campaign>): Campaign => ({
    kind: 'marketing',
    aim: 'retention',
    topic: 'offers',
    sender: 'main',
    again: 'every time',
    triggerAge: '9d',
    ...said,
  });
  const competing: Record<string, Campaign> = {
    low: offers({ when: { did: 'Product Viewed' }, priority: 10, ifCapped: 'wait 5d', steps: [{ send: 'hello' }] }),
    high: offers({ when: { did: 'Product Added' }, priority: 80, steps: [{ send: 'hello' }] }),
    // Somebody is told of each order, and what is bought after the mail counts for it.
    bought: offers({
      when: { did: 'Order Completed' },
      priority: 40,
      ifCapped: 'wait 2d',
      steps: [{ notify: 'Call Wanted', with: { order: '@trigger.order_id' } }, { send: 'hello' }],
      success: { did: 'Order Completed', within: '14d', value: 'revenue' },
    }),
    // What one sets starts the other, a moment later.
    setting: offers({ when: { did: 'Service Called' }, steps: [{ set: { plan: 'gold' } }] }),
    golden: offers({
      when: { changes: 'plan', to: 'gold' },
      priority: 60,
      ifCapped: 'wait 1d',
      steps: [{ send: 'hello' }],
    }),
    letter: offers({
      when: { every: 'day 10:00', clock: 'shop', to: { not: { has: { plan: 'none' } } } },
      priority: 20,
      ifCapped: 'wait 1d',
      steps: [{ send: 'hello' }],
    }),
    unsent: offers({
      when: { did: ['Product Viewed', 'Product Added'] },
      priority: 90,
      holdout: 50,
      steps: [{ send: 'hello' }],
    }),
  };
  const book = definitions();
  book.segments = {};
  book.settings = { ...book.settings, caps, quietHours: { from: '20:00', to: '08:00' } };
  book.fields = { attributes: { plan: 'text' } };
  book.campaigns = Object.fromEntries(
    Object.entries(competing).map(([id, campaign]) => [
      id,
      { id, version: campaignVersion(campaign), since: 1, campaign },
    ]),
  );

  /** Rounds at noon and by night: what happens in each. */
  const rounds = [0, 10, 24, 34, 60, 82, 108, 170].map((hours, round) => {
    const at = NOON + hours * HOUR;
    const said = { user: 'ann', at };
    const events = [
      interaction('Product Viewed', { ...said, id: `v${round}`, properties: { product_id: 'cup' } }),
      interaction('Product Added', { ...said, id: `a${round}`, properties: { product_id: 'pot' } }),
      ...(round % 2 === 0 ? [purchase({ ...said, id: `o${round}`, order: `o${round}` })] : []),
      ...(round === 3 ? [interaction('Service Called', { ...said, id: 'call' })] : []),
    ];
    return { at, events };
  });

  it('no cap is broken, places are those of the messages that stand, each notice and each conversion comes once', async () => {
    const struck = { messages: 0, notices: 0, gaveWay: 0, ghosts: 0, converted: 0, conflicts: 0 };
    for (let seed = 1; seed <= Number(process.env.KAIROS_TEST_RUNS ?? 8); seed++) {
      const bench = benchOver(await engine.table());
      await publish(bench.table, bench.bucket, book);
      await record(bench, [
        interaction('Identified', { id: 'i', user: 'ann', address, at: NOON - HOUR }),
        interaction('Consent Granted', { id: 'g', user: 'ann', at: NOON - HOUR, properties: { topic: 'offers' } }),
      ]);
      const { id } = (await contactBy(bench.table, `user#${sha256('ann')}`))!;
      const scheduler = new SeededScheduler(seed * 2654435761);
      const workers = ['a', 'b'].map((prefix) => {
        const client = engine.client();
        around(client, scheduler.step);
        around(client, async (command, _input, go) => {
          try {
            return await go();
          } catch (error) {
            if (command.startsWith('Transact')) struck.conflicts++;
            throw error;
          }
        });
        const table = new Table(documentClient(client), bench.table.name, 2);
        return benchOver(table, { bucket: bench.bucket, clock: bench.clock, prefix });
      });
      for (const [round, { at, events }] of rounds.entries()) {
        bench.clock.at = at;
        const booking = { kind: 'book', campaign: 'letter', occurrence: `day ${round}`, at: at + HOUR } as const;
        await Promise.all(
          workers.map(async (worker, n) => {
            // Each has its own events, so that only the contact itself is between them; now and then one comes to both.
            let left = events.filter((_, i) => (round % 3 === 0 && i === 0) || i % 2 === n);
            if (n === 1) left.reverse();
            for (let delivery = 0; left.length > 0 && delivery < 8; delivery++) {
              const answers = await record(worker, left);
              left = left.filter((_, index) => answers[index]?.kind === 'failed');
            }
            expect(left).toEqual([]);
            // The walk of a broadcast, delivered twice, and the timers.
            await worker.recorder.give([id], () => booking);
            await worker.recorder.tick([id]);
          }),
        );
        bench.clock.at = at + HOUR;
        await Promise.all(workers.map((worker) => worker.recorder.tick([id])));
        const contact = (await contactOf(bench.table, id))!;
        const messages = await messagesOf(bench.table, id);
        const standing = messages.filter(({ state, kind }) => state === 'ready' && kind === 'marketing');
        for (const { most, in: window } of caps) {
          const length = durationMs(window);
          for (const { plannedAt: last } of standing) {
            const inside = standing.filter(({ plannedAt }) => plannedAt > last - length && plannedAt <= last);
            const told = inside.map(({ campaign, plannedAt }) => `${campaign} ${new Date(plannedAt).toISOString()}`);
            expect({ seed, round, told, most }).toEqual({ seed, round, told: told.slice(0, most), most });
          }
        }
        const recent = standing.filter(({ plannedAt }) => plannedAt > at + HOUR - 7 * DAY);
        expect(contact.journey.sends.map((send) => send.id).sort()).toEqual(recent.map((one) => one.id).sort());
        expect(heldOutOf({ id: 'unsent', holdout: 50 }, 0, id, at)).toBe('campaign');
        expect(messages.filter(({ campaign, state }) => (campaign === 'unsent') !== (state === 'ghost'))).toEqual([]);
      }
      const messages = await messagesOf(bench.table, id);
      const notices = (await bench.table.under(`CONTACT#${id}`, 'NOTICE#')).map((item) => readNotice(item));
      // An order while a run waits for its mail starts none: nobody is told of it.
      const told = notices.map(({ properties }) => properties.order);
      expect(told).toContain('o0');
      expect({ seed, told }).toEqual({ seed, told: [...new Set(told)] });
      struck.notices += told.length;
      const converted = messages.flatMap(({ campaign, conversion }) =>
        conversion === undefined ? [] : [`${campaign} ${conversion.order}`],
      );
      expect(new Set(converted).size).toBe(converted.length);
      struck.messages += messages.length;
      struck.gaveWay += messages.filter(({ reason }) => reason?.startsWith('frequency-cap')).length;
      struck.ghosts += messages.filter(({ state }) => state === 'ghost').length;
      struck.converted += converted.length;
    }
    // There was something to compete for, and in the way.
    for (const [what, times] of Object.entries(struck))
      expect({ what, struck: times > 0 }).toEqual({ what, struck: true });
  }, 240_000);
});

describe('two senders, a walk over what is due and a receiver of feedback, with trouble at any call', () => {
  const urls = { triggered: 'triggered', bulk: 'bulk', timers: 'timers' };
  const MOST_DELIVERIES = 30;

  /** One shop whose functions are invoked as queues do: at once, side by side, again when they fail, now and then twice. */
  async function turmoil(seed: number) {
    const bench = benchOver(await engine.table());
    const book = definitions();
    book.segments.reached = { rule: { did: 'Email Delivered' }, ordinal: 2, since: 1 };
    await publish(bench.table, bench.bucket, book);
    Object.assign(ses, { accepted: [], calls: 0, next: [] });
    const scheduler = new SeededScheduler(seed * 2654435761);
    const trouble = new SeededTrouble(seed);
    const queues = new MemoryQueues();
    queues.refuses = trouble.refuses;
    const clients: { destroy(): void }[] = [];
    const worker = (prefix: string) => {
      const client = engine.client();
      around(client, nested(scheduler.step, trouble.table));
      const table = new Table(documentClient(client), bench.table.name, 2);
      const own = benchOver(table, { bucket: bench.bucket, clock: bench.clock, prefix });
      const sqs = queues.client(nested(scheduler.step, trouble.queues));
      clients.push(sqs);
      const { bus } = memoryBus();
      return { ...own, now: bench.clock.now, log: bench.log, queue: new Queue(sqs), bus, rate: 100, urls };
    };
    const [handing, walking, receiving] = [worker('h'), worker('w'), worker('f')];
    const shop = { bench, scheduler, trouble, feedback: true, settle, order, walk };

    /** Takes what SES accepts to the receiver while the feedback path works. */
    const mailer = () => {
      const mails = new SESv2Client({
        endpoint: ses.endpoint,
        region: 'x',
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
        maxAttempts: 1,
      });
      clients.push(mails);
      around(
        mails as never,
        nested(scheduler.step, trouble.mails, async (_command, _input, go) => {
          const before = ses.accepted.length;
          const answer = await go();
          for (const mail of shop.feedback ? ses.accepted.slice(before) : []) {
            const at = bench.clock.at;
            const delivery = { timestamp: new Date(at).toISOString() };
            const events = [sesEvent(mail, 'Delivery', at, { delivery }), sesEvent(mail, 'Send', at)];
            for (const event of events) invoke([JSON.stringify(event)], receive);
          }
          return answer;
        }),
      );
      return new Mailer('kairos', mails);
    };
    const senders = ['a', 'b'].map((prefix) => {
      const own = worker(prefix);
      return new Sender({
        ...own,
        mailer: mailer(),
        secrets: async () => ({ keys: { current: 'k1', keys: { k1: 'a secret of the tests' } }, sources: {} }),
        sleep: waits.sleep,
        publicBaseUrl: 'https://mail.shop.example',
        deadLetters: 'dead',
      });
    });
    const receive: Work = (event) => receiveFeedback(event as never, { ...receiving, deadLetters: 'dead' });

    type Work = (event: { Records: { messageId: string; body: string }[] }) => Promise<{
      batchItemFailures: { itemIdentifier: string }[];
    }>;
    const running = new Set<Promise<void>>();
    const faults: unknown[] = [];
    function invoke(bodies: string[], work: Work): void {
      const deliver = async (): Promise<void> => {
        let left = bodies.map((body, n) => ({ messageId: String(n), body }));
        for (let delivery = 0; left.length > 0; delivery++) {
          if (delivery === MOST_DELIVERIES) throw new Error('delivered in vain');
          const answer = await work({ Records: left }).catch(() => undefined);
          const failed = answer?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
          left = left.filter(({ messageId }) => failed?.includes(messageId) ?? true);
        }
      };
      const run = deliver().catch((error) => void faults.push(error));
      running.add(run);
      run.finally(() => running.delete(run));
    }
    queues.arrived = (url, bodies) => {
      if (url !== urls.triggered) return;
      const first = trouble.draw() < 0.5 ? 0 : 1;
      const to = trouble.draw() < 0.4 ? [first, 1 - first] : [first];
      for (const each of to) invoke(bodies, (event) => sendMessages(event as never, senders[each] as Sender));
    };
    const starting: (() => void)[] = [];
    /** Starts what was asked for, and waits until all that follows has ended. */
    async function settle(): Promise<void> {
      for (const start of starting.splice(0)) start();
      while (running.size > 0) await Promise.all(running);
      expect(faults).toEqual([]);
    }
    function walk(): void {
      for (const shard of ['00', '01']) {
        const body = JSON.stringify({ shard });
        starting.push(() => invoke([body], (event) => walkDueShards(event as never, walking)));
      }
    }
    /** Somebody orders; the hand-off of the message comes once, or twice, or, while there is trouble, is lost. */
    async function order(id: string): Promise<void> {
      const to = `${id}@example.org`;
      await bench.recorder.record([{ interaction: purchase({ id, order: id, address: to, at: bench.clock.at }) }]);
      const contact = await contactBy(bench.table, `address#${sha256(to)}`);
      const [message] = await messagesOf(bench.table, contact!.id);
      const image = Object.entries(messageItem(message!, 2)).map(([name, value]) => [
        name,
        typeof value === 'number' ? { N: String(value) } : { S: String(value) },
      ]);
      const record = { eventName: 'INSERT' as const, dynamodb: { NewImage: Object.fromEntries(image) } };
      const hand = async () => {
        await handOff({ Records: [record] }, handing).catch(() => undefined);
        return { batchItemFailures: [] };
      };
      // Else there would always be one more that waits for the next walk.
      const least = trouble.share.table === 0 ? 1 : 0;
      const times = Math.max(least, Math.floor(trouble.draw() * 3));
      for (let time = 0; time < times; time++) starting.push(() => invoke([''], hand));
      orders.push(message!);
    }
    const orders: Awaited<ReturnType<typeof messagesOf>> = [];

    /** Each message's state, and how often SES took it. */
    async function outcome() {
      const found = await bench.table.read(orders.map(({ contact, id }) => key.message(contact, id)));
      return orders.map(({ contact, id }) => ({
        state: found.get(key.message(contact, id))?.state as string,
        mails: ses.accepted.filter((mail) => mail.EmailTags?.[0]?.Value === id).length,
      }));
    }
    const isOver = async () => (await outcome()).every(({ state }) => state === 'sent' || state === 'uncertain');
    const told = async () => {
      const items = await Promise.all(
        orders.map(({ contact }) => bench.table.under(`SUBJECT#contact#${contact}`, 'INTERACTION#Email Delivered#')),
      );
      return items.map((each) => each.length);
    };
    const { sleep } = waits;
    const close = () => {
      waits.sleep = sleep;
      for (const client of clients) client.destroy();
    };
    waits.sleep = () => scheduler.step('sleep', {}, async () => undefined) as Promise<void>;
    return Object.assign(shop, { outcome, isOver, told, close });
  }

  /** Three orders; then six minutes at a time, with one more order each, until nothing is open. Trouble ends after three. */
  async function live(seed: number, silentFrom: number) {
    const shop = await turmoil(seed);
    let round = 0;
    for (; round < 12 && (round < 3 || !(await shop.isOver())); round++) {
      shop.feedback = round < silentFrom;
      // Without feedback nothing is learned from waiting but that six hours are over.
      shop.bench.clock.at = NOON + (round < 4 || shop.feedback ? 6 * MINUTE * round : 7 * HOUR * round);
      Object.assign(shop.trouble.share, round < 3 ? { table: 0.06, mails: 0.3 } : { table: 0, mails: 0 });
      if (round === 0) for (const id of ['m1', 'm2', 'm3']) await shop.order(id);
      else {
        shop.walk();
        if (shop.feedback || round < 4) await shop.order(`later-${round}`);
      }
      await shop.settle();
    }
    const { choices } = shop.scheduler;
    const result = { rounds: round, outcome: await shop.outcome(), told: await shop.told(), turns: choices.length };
    shop.close();
    const again = shop.bench.log.lines.filter(({ name }) => name === 'claim.again').length;
    return { ...result, again, struck: shop.trouble.struck };
  }
  const seeds = Array.from({ length: Math.max(20, Number(process.env.KAIROS_TEST_RUNS ?? 20)) }, (_, n) => n + 1);
  const sum = (numbers: (number | undefined)[]) => numbers.reduce<number>((total, each) => total + (each ?? 0), 0);

  it('bring each message to SES exactly once while Send events arrive', async () => {
    const lives: Awaited<ReturnType<typeof live>>[] = [];
    for (const seed of seeds) {
      const { outcome, told, ...more } = await live(seed, Number.POSITIVE_INFINITY);
      lives.push({ outcome, told, ...more });
      expect({ seed, outcome }).toEqual({ seed, outcome: outcome.map(() => ({ state: 'sent', mails: 1 })) });
      expect({ seed, told }).toEqual({ seed, told: outcome.map(() => 1) });
    }
    // There was something to survive.
    expect(sum(lives.map(({ again }) => again))).toBeGreaterThan(0);
    for (const kind of [
      'throttle',
      'conflict',
      'unprocessed',
      'lost answer',
      'asked twice',
      'unsent',
      'failed',
    ] as const) {
      expect({ kind, struck: sum(lives.map(({ struck }) => struck[kind])) > 0 }).toEqual({ kind, struck: true });
    }
  }, 120_000);

  it('bring each message to SES at most once when Send events fall silent, and list the others as uncertain', async () => {
    const states: string[] = [];
    for (const seed of seeds) {
      const { outcome } = await live(seed, seed % 3);
      const wrong = outcome.filter(
        ({ state, mails }) => !(state === 'sent' ? mails === 1 : state === 'uncertain' && mails <= 1),
      );
      expect({ seed, wrong }).toEqual({ seed, wrong: [] });
      states.push(...outcome.map(({ state, mails }) => `${state} ${mails}`));
    }
    expect([...new Set(states)].sort()).toEqual(['sent 1', 'uncertain 0', 'uncertain 1']);
  }, 120_000);
});
