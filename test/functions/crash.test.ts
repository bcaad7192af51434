// A process that dies before or after any of its calls: what is delivered again afterwards counts once.
import { SESv2Client } from '@aws-sdk/client-sesv2';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { DynamoDBStreamEvent, SQSBatchResponse } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sha256 } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import { raiseWatermark } from '../../functions/aws/claims.ts';
import { Mailer } from '../../functions/aws/mailer.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { Sender } from '../../functions/aws/sender.ts';
import { documentClient, type Item, key, messageItem, readMessage, Table } from '../../functions/aws/table.ts';
import { walkDue } from '../../functions/aws/walk.ts';
import { handOff } from '../../functions/hand-off.ts';
import { receiveFeedback } from '../../functions/receive-feedback.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type Ses, sesEvent, startSes } from '../support/ses.ts';
import { around, DoomedProcess, MemoryQueues, type Step } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  contactOf,
  definitions,
  HOUR,
  interaction,
  MemoryBucket,
  MINUTE,
  memoryBus,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

// Each crash is logged by the function that it kills.
vi.hoisted(() => {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT';
});
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

/** Somebody's device, then their order before their address is known, its refund first, and the merge of both. */
const batch = [
  interaction('Product Viewed', { id: 'v1', anonymous: 'device', at: NOON - HOUR, properties: { product_id: 'cup' } }),
  interaction('Order Refunded', { id: 'r1', at: NOON - 1, properties: { order_id: 'o1', total: 5 } }),
  purchase({ id: 'm1', order: 'o1', user: 'ann', anonymous: 'device', revenue: 50 }),
  purchase({ id: 'm2', order: 'o2', address: 'ann@example.org', revenue: 20, at: NOON - 2 * HOUR }),
  interaction('Identified', { id: 'i1', user: 'ann', address: 'ann@example.org', at: NOON + 1 }),
  interaction('Promotion Viewed', { id: 'p1', user: 'ann' }),
];

/** All that counts, whatever ids the contacts got. */
async function facts(table: Table) {
  const contact = await contactBy(table, `user#${sha256('ann')}`);
  const messages = contact === undefined ? [] : await messagesOf(table, contact.id);
  return {
    orders: contact?.facts.orders,
    views: contact?.facts.latest['Product Viewed'],
    address: contact?.facts.address?.value,
    aliases: contact?.aliases.toSorted(),
    thanks: messages.filter((message) => message.campaign === 'thanks' && message.state === 'ready').length,
    runs: contact?.journey.runs.map((run) => `${run.campaign} ${run.trigger.id}`).toSorted(),
  };
}

async function recordDying(at: number, when: 'before' | 'after') {
  const bench = benchOver(await engine.table());
  await publish(bench.table, bench.bucket, definitions());
  const client = engine.client();
  const process = new DoomedProcess(at, when);
  around(client, process.step);
  const table = new Table(documentClient(client), bench.table.name, 2);
  const doomed = benchOver(table, { bucket: bench.bucket, clock: bench.clock, prefix: 'd' });
  const outcomes = await doomed.recorder.record(batch.map((each) => ({ interaction: each }))).catch(() => undefined);
  const again = await bench.recorder.record(batch.map((each) => ({ interaction: each })));
  expect(again.filter((outcome) => outcome.kind === 'failed')).toEqual([]);
  return { died: process.dead, calls: process.calls, outcomes, facts: await facts(bench.table) };
}

describe('given a batch of interactions', async () => {
  it.each(['before', 'after'] as const)(
    'counts each once when the recorder dies %s any of its calls',
    async (when) => {
      const whole = await recordDying(Number.POSITIVE_INFINITY, when);
      expect(whole.facts).toMatchObject({ orders: { count: 2, gross: 7000, refunded: 500 }, views: NOON - HOUR });
      expect(whole.calls.length).toBeGreaterThanOrEqual(4);
      for (let at = 0; at < whole.calls.length; at++) {
        const run = await recordDying(at, when);
        expect(run.died).toBe(true);
        expect({ at, ...run.facts }).toEqual({ at, ...whole.facts });
      }
    },
    120_000,
  );
});

/** The same table, bucket and clock, seen by a process of its own: all its calls go through `step`. */
function processOver(bench: Bench, step: Step, prefix: string): Bench {
  const client = engine.client();
  around(client, step);
  const bucket = new MemoryBucket();
  bucket.get = (name) => step('GetObject', {}, () => bench.bucket.get(name)) as Promise<string | undefined>;
  const table = new Table(documentClient(client), bench.table.name, 2);
  return benchOver(table, { bucket, clock: bench.clock, prefix });
}

describe('given feedback', () => {
  const address = 'ann@example.org';
  const subject = `address#${sha256(address)}`;
  const time = (at: number) => ({ timestamp: new Date(at).toISOString() });
  const later = NOON + 1.5 * HOUR;
  const told = {
    Send: {},
    Delivery: { delivery: time(later) },
    Bounce: { bounce: { ...time(later), bounceType: 'Permanent', bounceSubType: 'General' } },
    Complaint: { complaint: time(later) },
    Click: { click: { ...time(later), link: 'https://shop.example/' } },
  };
  type Kind = keyof typeof told;

  /** An open claim, a second message and a marketing one ready, and segments that read deliveries and clicks. */
  async function shop() {
    const bench = benchOver(await engine.table());
    const book = definitions();
    book.segments.clickers = { rule: { did: 'Email Clicked' }, ordinal: 2, since: 1 };
    book.segments.reached = { rule: { did: 'Email Delivered' }, ordinal: 3, since: 1 };
    await publish(bench.table, bench.bucket, book);
    const grant = { id: 'g1', address, at: NOON - HOUR, properties: { topic: 'offers' } };
    await bench.recorder.record([
      { interaction: interaction('Consent Granted', grant) },
      { interaction: purchase({ id: 'm1', order: 'o1', address }) },
    ]);
    const { id } = (await contactBy(bench.table, subject))!;
    const [first] = await messagesOf(bench.table, id);
    bench.clock.at = NOON + HOUR;
    await bench.recorder.tick([id]);
    await bench.recorder.record([{ interaction: purchase({ id: 'm2', order: 'o2', address, at: NOON + HOUR }) }]);
    const message: Message = { ...first!, state: 'claimed', claimedAt: NOON, due: NOON + 15 * MINUTE, attempts: 1 };
    await bench.table.replaceMessage((await bench.table.readOne(key.message(id, first!.id)))!, message);
    bench.clock.at = later;
    return { bench, message, queues: new MemoryQueues() };
  }
  type Shop = Awaited<ReturnType<typeof shop>>;

  const about = (message: Message, kind: Kind, id = message.id) =>
    sesEvent(
      {
        id: 'ses-1',
        Destination: { ToAddresses: [address] },
        EmailTags: [
          { Name: 'kairos-message', Value: id },
          { Name: 'kairos-contact', Value: message.contact },
        ],
      } as never,
      kind,
      NOON + 1000,
      told[kind],
    );
  const receive = ({ table, books, recorder }: Bench, queues: MemoryQueues, events: object[], step?: Step) =>
    receiveFeedback(
      { Records: events.map((each, n) => ({ messageId: `f${n}`, body: JSON.stringify(each) })) } as never,
      {
        table,
        books,
        recorder,
        queue: new Queue(queues.client(step)),
        deadLetters: 'dead',
      },
    );

  /** Everything that is stored, versions included. */
  async function stored({ bench }: Shop): Promise<Item[]> {
    const { Items = [] } = await engine.documents().send(new ScanCommand({ TableName: bench.table.name }));
    return (Items as Item[]).sort((a, b) => (`${a.pk}\n${a.sk}` < `${b.pk}\n${b.sk}` ? -1 : 1));
  }

  /** What a suppression changes together, or not at all. */
  async function blocked({ bench, message }: Shop): Promise<boolean[]> {
    const messages = await messagesOf(bench.table, message.contact);
    const contact = await contactOf(bench.table, message.contact);
    return [
      /bounced|complained/.test(messages.find(({ id }) => id === message.id)?.delivery ?? ''),
      (await bench.table.readOne(key.suppression(sha256(address)))) !== undefined,
      contact?.facts.suppressed !== undefined,
      messages.every(({ state }) => state !== 'ready'),
      contact?.journey.sends.length === 0,
    ];
  }

  async function receiveDying(at: number, when: 'before' | 'after', make: (message: Message) => object[]) {
    const world = await shop();
    const events = make(world.message);
    const process = new DoomedProcess(at, when);
    const doomed = processOver(world.bench, process.step, 'd');
    const answer = await receive(doomed, world.queues, events, process.step).catch(() => undefined);
    const between = await blocked(world);
    // A process that is dead answers nothing: the queue brings the whole batch again, and then what failed alone.
    let left = process.dead ? events : failedOf(answer, events);
    for (let delivery = 0; left.length > 0 && delivery < 8; delivery++) {
      left = failedOf(await receive(world.bench, world.queues, left), left);
    }
    expect(left).toEqual([]);
    return { ...world, process, between, items: await stored(world) };
  }
  const failedOf = (answer: SQSBatchResponse | undefined, events: object[]) =>
    events.filter((_, n) => answer?.batchItemFailures.some(({ itemIdentifier }) => itemIdentifier === `f${n}`));

  const state = ({ items, message }: { items: Item[]; message: Message }) => ({
    message: readMessage(items.find(({ sk }) => sk === `MESSAGE#${message.id}`)!),
    suppression: items.find(({ sk }) => sk === 'SUPPRESSION')?.reason,
    segments: Object.keys(
      JSON.parse(items.find(({ sk }) => sk === 'CONTACT')!.state as string).journey.segments,
    ).sort(),
    ready: items.filter(({ sk, state }) => sk.startsWith('MESSAGE#') && state === 'ready').length,
    dropped: items.filter(({ sk, state }) => sk.startsWith('MESSAGE#') && state === 'dropped').length,
    told: items.filter(({ sk }) => sk.startsWith('INTERACTION#Email ')).length,
    watermark: items.find(({ sk }) => sk === 'WATERMARK')?.at,
  });
  const untouched = { suppression: undefined, ready: 2, dropped: 0, told: 0, watermark: undefined };
  const gone = { ready: 0, dropped: 2, told: 0, watermark: undefined };

  it.each<[Kind, object]>([
    ['Send', { ...untouched, message: { state: 'sent', sesId: 'ses-1' }, watermark: NOON }],
    ['Delivery', { ...untouched, message: { state: 'sent', delivery: 'delivered' }, told: 1 }],
    ['Bounce', { ...gone, message: { state: 'sent', delivery: 'bounced' }, suppression: 'bounced' }],
    ['Complaint', { ...gone, message: { state: 'sent', delivery: 'complained' }, suppression: 'complained' }],
    ['Click', { ...untouched, message: { state: 'sent', clickedAt: later }, told: 1 }],
  ])(
    'leaves the same after a %s when the receiver dies before or after any of its calls',
    async (kind, expected) => {
      const make = (message: Message) => [about(message, kind)];
      const clean = await receiveDying(Number.POSITIVE_INFINITY, 'before', make);
      expect(state(clean)).toMatchObject(expected);
      expect(clean.process.calls.length).toBeGreaterThanOrEqual(3);
      for (const when of ['before', 'after'] as const) {
        for (const at of clean.process.calls.keys()) {
          const run = await receiveDying(at, when, make);
          const place = { when, at, call: run.process.calls[at], died: run.process.dead };
          expect({ ...place, blocked: new Set(run.between).size }).toEqual({ ...place, died: true, blocked: 1 });
          expect({ ...place, items: run.items }).toEqual({ ...place, items: clean.items });
        }
      }
    },
    60_000,
  );

  it('leaves the same after a batch of all, some twice, when the receiver dies before or after any of its calls', async () => {
    const kinds: Kind[] = ['Click', 'Send', 'Delivery', 'Complaint', 'Send', 'Click'];
    const make = (message: Message) => kinds.map((kind) => about(message, kind));
    const clean = state(await receiveDying(Number.POSITIVE_INFINITY, 'before', make));
    expect(clean).toMatchObject({ ready: 0, dropped: 2, told: 2, suppression: 'complained', watermark: NOON });
    expect(clean.message).toMatchObject({ state: 'sent', delivery: 'complained', clickedAt: later });
    for (const when of ['before', 'after'] as const) {
      // Which call comes when differs from run to run, since the records of a batch are taken in side by side.
      for (let at = 0; ; at += 3) {
        const run = await receiveDying(at, when, make);
        if (!run.process.dead) break;
        expect({ when, at, call: run.process.calls[at], state: state(run) }).toEqual({
          when,
          at,
          call: run.process.calls[at],
          state: clean,
        });
      }
    }
  }, 60_000);

  it('of a message that is not there: is buried at least once, and changes nothing, wherever the receiver dies', async () => {
    const make = (message: Message) => [about(message, 'Complaint', 'nobody')];
    const before = await stored(await shop());
    for (const when of ['before', 'after'] as const) {
      for (const at of [0, 1]) {
        const run = await receiveDying(at, when, make);
        const letters = run.queues.drain('dead').map((letter) => letter.MessageAttributes?.reason?.StringValue);
        expect({ when, at, died: run.process.dead, reasons: [...new Set(letters)] }).toEqual({
          when,
          at,
          died: true,
          reasons: ['feedback.unknown-message'],
        });
        expect(run.items).toEqual(before);
      }
    }
  });
});

describe('given messages in the stream', () => {
  const urls = { triggered: 'triggered', bulk: 'bulk', timers: 'timers' };

  /** So many people who have ordered: one message each, ready now; the last two in the bulk lane. */
  async function crowd(people: number) {
    const bench = benchOver(await engine.table());
    await publish(bench.table, bench.bucket, definitions());
    const ids = Array.from({ length: people }, (_, n) => `p${String(n).padStart(2, '0')}`);
    await bench.recorder.record(
      ids.map((id) => ({ interaction: purchase({ id, order: id, address: `${id}@example.org` }) })),
    );
    const contacts = await Promise.all(
      ids.map((id) => contactBy(bench.table, `address#${sha256(`${id}@example.org`)}`)),
    );
    const messages = (await Promise.all(contacts.map((contact) => messagesOf(bench.table, contact!.id)))).flat();
    for (const message of messages.slice(-2)) {
      const item = (await bench.table.readOne(key.message(message.contact, message.id)))!;
      message.lane = 'bulk';
      await bench.table.replaceMessage(item, message);
    }
    Object.assign(ses, { accepted: [], calls: 0, next: [] });
    return { bench, messages, event: inserts(messages), queues: new MemoryQueues() };
  }
  type Crowd = Awaited<ReturnType<typeof crowd>>;

  const inserts = (messages: Message[]): DynamoDBStreamEvent => ({
    Records: messages.map((message) => ({
      eventName: 'INSERT' as const,
      dynamodb: {
        NewImage: Object.fromEntries(
          Object.entries(messageItem(message, 2)).map(([name, value]) => [
            name,
            typeof value === 'number' ? { N: String(value) } : { S: String(value) },
          ]),
        ),
      },
    })),
  });
  const give = ({ bench, event, queues }: Crowd, step?: Step) =>
    handOff(event, { queue: new Queue(queues.client(step)), now: bench.clock.now, urls });

  /** What the queues hold, to the mailbox, as they bring it: ten at a time. Answers which messages they held. */
  async function deliver({ bench, queues }: Crowd): Promise<string[]> {
    const mails = new SESv2Client({
      endpoint: ses.endpoint,
      region: 'x',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
    });
    const sender = new Sender({
      table: bench.table,
      books: bench.books,
      mailer: new Mailer('kairos', mails),
      queue: new Queue(queues.client()),
      secrets: async () => ({ keys: { current: 'k1', keys: { k1: 'a secret of the tests' } }, sources: {} }),
      now: bench.clock.now,
      sleep: async () => {},
      log: bench.log,
      rate: 1000,
      publicBaseUrl: 'https://mail.shop.example',
      deadLetters: 'dead',
    });
    const wanted = [urls.triggered, urls.bulk].flatMap((url) =>
      queues.drain(url).map((entry) => JSON.parse(entry.MessageBody ?? '') as { contact: string; message: string }),
    );
    for (let from = 0; from < wanted.length; from += 10) {
      expect((await sender.send(wanted.slice(from, from + 10))).filter((error) => error !== undefined)).toEqual([]);
    }
    mails.destroy();
    return wanted.map(({ message }) => message);
  }
  async function walk({ queues }: Crowd, over: Bench, step?: Step): Promise<void> {
    const { table, recorder, clock, log } = over;
    const queue = new Queue(queues.client(step));
    for (const shard of ['00', '01']) {
      await walkDue({ shard }, { table, recorder, queue, bus: memoryBus().bus, now: clock.now, log, rate: 1000, urls });
    }
  }
  /** How often each message was accepted, and its state. */
  async function outcome({ bench, messages }: Crowd) {
    const mails = ses.accepted.map((mail) => mail.EmailTags?.[0]?.Value);
    const found = await bench.table.read(messages.map(({ contact, id }) => key.message(contact, id)));
    return messages.map(({ contact, id }) => ({
      id,
      mails: mails.filter((mail) => mail === id).length,
      state: found.get(key.message(contact, id))?.state,
    }));
  }
  const onceEach = ({ messages }: Crowd) => messages.map(({ id }) => ({ id, mails: 1, state: 'sent' }));

  it('are queued once, each in its lane, where nothing goes wrong', async () => {
    const all = await crowd(4);
    await give(all);
    const held = (url: string) => all.queues.drain(url).map((entry) => JSON.parse(entry.MessageBody ?? ''));
    const wanted = all.messages.map(({ contact, id }) => ({ contact, message: id }));
    expect(held('triggered')).toEqual(wanted.slice(0, 2));
    expect(held('bulk')).toEqual(wanted.slice(2));
  });

  it('are passed over where they are planned for later, changed, or no message', async () => {
    const { bench, event, queues } = await crowd(2);
    const [record] = event.Records;
    const at = (now: number) => ({ queue: new Queue(queues.client()), now: () => now, urls });
    await handOff(event, at(bench.clock.at - 1));
    await handOff({ Records: [{ ...record, eventName: 'MODIFY' }] }, at(bench.clock.at));
    await handOff(
      { Records: [{ eventName: 'INSERT', dynamodb: { NewImage: { sk: { S: 'CONTACT' } } } }] },
      at(bench.clock.at),
    );
    expect(queues.calls).toBe(0);
  });

  it.each([
    ['the stream brings them again', true],
    ['the stream has given up, and the due index finds them', false],
  ])('go out once each when hand-off dies before or after any of its calls, and %s', async (_how, again) => {
    for (const when of ['before', 'after'] as const) {
      for (let at = 0; at < 3; at++) {
        const all = await crowd(14);
        const process = new DoomedProcess(at, when);
        await expect(give(all, process.step)).rejects.toThrow('died');
        if (again) await give(all);
        const queued = await deliver(all);
        // The three calls bring ten, two and two: what a call has brought is there, what it has not is due.
        const brought = [0, 10, 12, 14][when === 'before' ? at : at + 1] as number;
        expect({ when, at, queued: queued.length }).toEqual({ when, at, queued: again ? 14 + brought : brought });
        all.bench.clock.at += 5 * MINUTE;
        await walk(all, all.bench);
        const found = await deliver(all);
        expect({ when, at, found: found.length }).toEqual({ when, at, found: again ? 0 : 14 - brought });
        expect({ when, at, outcome: await outcome(all) }).toEqual({ when, at, outcome: onceEach(all) });
      }
    }
  });

  it('are queued again where their entry failed, and only those', async () => {
    const all = await crowd(14);
    const failed = new Set<string | undefined>();
    all.queues.refuses = ({ MessageBody }) => {
      const refused = failed.size < 5 && !failed.has(MessageBody);
      if (refused) failed.add(MessageBody);
      return refused;
    };
    await give(all);
    expect(failed.size).toBe(5);
    const queued = await deliver(all);
    expect(queued.toSorted()).toEqual(all.messages.map(({ id }) => id).toSorted());
    expect(await outcome(all)).toEqual(onceEach(all));
  });

  it('stay in the due index while the queue takes nothing; what it took half before is sent once', async () => {
    const all = await crowd(14);
    all.queues.refuses = () => true;
    await expect(give(all)).rejects.toThrow('10 entries were not taken');
    expect(await deliver(all)).toEqual([]);
    all.queues.refuses = ({ MessageBody }) => MessageBody?.includes(all.messages[3]!.id) === true;
    await expect(give(all)).rejects.toThrow('1 entries were not taken');
    all.queues.refuses = () => false;
    await give(all);
    expect(await deliver(all)).toHaveLength(9 + 14);
    expect(await outcome(all)).toEqual(onceEach(all));
  });

  it('go out once each when the walk that finds them dies before or after any of its calls', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let at = 0; ; at++) {
        const all = await crowd(4);
        // One of them is an open claim that never reached SES: the Send of a later claim has come.
        const [open] = all.messages as [Message];
        const item = (await all.bench.table.readOne(key.message(open.contact, open.id)))!;
        const claim = {
          state: 'claimed' as const,
          claimedAt: NOON - 60 * MINUTE,
          provenAt: NOON - 30 * MINUTE,
          due: NOON - 5 * MINUTE,
          attempts: 1,
        };
        await all.bench.table.replaceMessage(item, { ...open, ...claim });
        await raiseWatermark(all.bench.table, NOON);
        all.bench.clock.at = NOON + 5 * MINUTE;
        const process = new DoomedProcess(at, when);
        const doomed = processOver(all.bench, process.step, 'd');
        await walk(all, doomed, process.step).catch(() => undefined);
        if (!process.dead) {
          expect(at).toBeGreaterThan(8);
          break;
        }
        await deliver(all);
        all.bench.clock.at += 5 * MINUTE;
        await walk(all, all.bench);
        await deliver(all);
        const place = { when, at, call: process.calls[at] };
        expect({ ...place, outcome: await outcome(all) }).toEqual({ ...place, outcome: onceEach(all) });
      }
    }
  }, 60_000);
});
