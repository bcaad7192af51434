// Feedback on a real engine: any order, any repeats, workers at the same time and one that dies end in one state.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Block, foldBlock } from '../../domain/block.ts';
import type { EventBridgeEvent } from '../../domain/event.ts';
import {
  applyFeedback,
  type Feedback,
  readFeedback,
  retiredSince,
  SOFT_BOUNCES,
  suppressionOf,
} from '../../domain/feedback.ts';
import { sha256 } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { documentClient, key, messageItem, Table } from '../../functions/aws/table.ts';
import { receiveFeedback } from '../../functions/receive-feedback.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { around, DoomedProcess, MemoryQueues } from './faults.ts';
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
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

vi.hoisted(() => {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT';
});

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const ADDRESS = 'ann@example.org';
const HASH = sha256(ADDRESS);
const SUBJECT = `address#${HASH}`;
const DELIVERED = 'Email Delivered';
const OPENED = 'Email Opened';
const CLICKED = 'Email Clicked';

/** Ann consents to offers and, if asked to, to tracking; rules read deliveries, opens and clicks. */
async function shop(
  settings: { opens?: boolean; consents?: boolean; reads?: boolean; book?: object } = {},
): Promise<Bench> {
  const bench = benchOver(await engine.table());
  const book = definitions(settings.book);
  if (settings.reads !== false) {
    book.segments.reached = { rule: { did: DELIVERED }, ordinal: 2, since: 1 };
    book.segments.openers = { rule: { did: OPENED }, ordinal: 3, since: 1 };
    book.segments.clickers = { rule: { did: CLICKED }, ordinal: 4, since: 1 };
  }
  book.settings = { ...book.settings, tracking: { opens: settings.opens ?? true } };
  await publish(bench.table, bench.bucket, book);
  const granted = (topic: string) =>
    interaction('Consent Granted', { id: `g-${topic}`, address: ADDRESS, at: NOON - 90 * DAY, properties: { topic } });
  const topics = settings.consents === false ? ['offers'] : ['offers', 'tracking'];
  await bench.recorder.record(topics.map((topic) => ({ interaction: granted(topic) })));
  return bench;
}

const idOf = async ({ table }: Bench): Promise<string> => (await contactBy(table, SUBJECT))!.id;

/** Mails to Ann, one every four days, the last one yesterday; SES has taken them, and nothing is known besides. */
async function mailed(bench: Bench, count: number, more: Partial<Message> = {}): Promise<Message[]> {
  const contact = await idOf(bench);
  const messages = Array.from({ length: count }, (_, at): Message => {
    const claimedAt = NOON - DAY - (count - 1 - at) * 4 * DAY;
    return {
      shape: 1,
      id: `m${at + 1}`,
      contact,
      campaign: 'thanks',
      version: 'v1',
      step: '0',
      run: `r${at + 1}`,
      kind: 'service',
      sender: 'main',
      email: 'hello',
      state: 'claimed',
      plannedAt: claimedAt,
      createdAt: claimedAt,
      claimedAt,
      due: claimedAt + 15 * MINUTE,
      lane: 'triggered',
      attempts: 1,
      ignoresQuiet: true,
      inputs: { trigger: { name: 'Order Completed', at: claimedAt, properties: {} }, recommendations: [] },
      ...more,
    };
  });
  for (const message of messages) await bench.table.create(messageItem(message, 2));
  return messages;
}

const time = (at: number) => ({ timestamp: new Date(at).toISOString() });
/** SES's event about a mail, so long after it took it. */
function ses(
  message: Message,
  eventType: string,
  after: number,
  part: object = {},
  address = ADDRESS,
): EventBridgeEvent {
  const sentAt = (message.claimedAt ?? message.plannedAt) + 1000;
  return {
    id: `${message.id}-${eventType}-${after}`,
    source: 'aws.ses',
    'detail-type': `Email ${eventType}`,
    time: new Date(sentAt + after).toISOString(),
    detail: {
      eventType,
      mail: {
        ...time(sentAt),
        messageId: `ses-${message.id}`,
        destination: [address],
        tags: { 'kairos-message': [message.id], 'kairos-contact': [message.contact], 'kairos-campaign': ['thanks'] },
      },
      ...part,
    },
  };
}
/** What can be heard of one mail, by a short name. */
const HEARD: Record<string, (message: Message) => EventBridgeEvent> = {
  send: (m) => ses(m, 'Send', 0),
  delay: (m) => ses(m, 'DeliveryDelay', 1, { deliveryDelay: time(m.plannedAt + HOUR) }),
  delivery: (m) => ses(m, 'Delivery', 2, { delivery: time(m.plannedAt + HOUR) }),
  transient: (m) => bounce(m, 'Transient', 'MailboxFull'),
  undetermined: (m) => bounce(m, 'Undetermined', 'Undetermined'),
  permanent: (m) => bounce(m, 'Permanent', 'NoEmail'),
  complaint: (m) => ses(m, 'Complaint', 3, { complaint: time(m.plannedAt + 3 * HOUR) }),
  abuse: (m) =>
    ses(m, 'Complaint', 4, { complaint: { ...time(m.plannedAt + 4 * HOUR), complaintFeedbackType: 'abuse' } }),
  notSpam: (m) =>
    ses(m, 'Complaint', 5, { complaint: { ...time(m.plannedAt + 2 * HOUR), complaintFeedbackType: 'not-spam' } }),
  reject: (m) => ses(m, 'Reject', 0, { reject: { reason: 'Bad content' } }),
  unrendered: (m) => ses(m, 'Rendering Failure', 0, { failure: {} }),
  open: (m) => ses(m, 'Open', 6, { open: { ...time(m.plannedAt + 2 * HOUR), isBotEvent: 'Unlikely' } }),
  machineOpen: (m) => ses(m, 'Open', 7, { open: { ...time(m.plannedAt + HOUR), isBotEvent: 'Likely' } }),
  click: (m) => ses(m, 'Click', 8, { click: { ...time(m.plannedAt + 2 * HOUR), link: 'https://shop.example/' } }),
  machineClick: (m) => ses(m, 'Click', 9, { click: { ...time(m.plannedAt + HOUR), isBotEvent: 'Likely' } }),
  subscription: (m) => ses(m, 'Subscription', 10, { subscription: time(m.plannedAt) }),
  left: (m) => left(m, m.plannedAt + 5 * HOUR),
  leftAgain: (m) => left(m, m.plannedAt + 6 * HOUR),
};
const bounce = (message: Message, bounceType: string, bounceSubType: string) =>
  ses(message, 'Bounce', 1, { bounce: { ...time(message.plannedAt + 90 * MINUTE), bounceType, bounceSubType } });
const left = (message: Pick<Message, 'id' | 'contact'>, at: number, more: object = {}): EventBridgeEvent => ({
  id: `${message.id}-left-${at}`,
  source: 'kairos',
  'detail-type': 'Consent Withdrawn',
  time: new Date(at).toISOString(),
  detail: {
    type: 'track',
    event: 'Consent Withdrawn',
    messageId: `left-${message.id}`,
    contactId: message.contact,
    ...time(at),
    properties: { brand: 'shop', all: true, message: message.id, ...more },
  },
});

interface Letters {
  queues: MemoryQueues;
  of: () => (string | undefined)[];
}
function letters(): Letters {
  const queues = new MemoryQueues();
  return {
    queues,
    of: () => queues.drain('dead').map((entry) => entry.MessageAttributes?.reason?.StringValue),
  };
}
/** Hands a batch to the function; answers which of its events are to be delivered again. */
async function receive(bench: Bench, events: EventBridgeEvent[], { queues } = letters()): Promise<EventBridgeEvent[]> {
  const { batchItemFailures } = await receiveFeedback(
    { Records: events.map((each, at) => ({ messageId: String(at), body: JSON.stringify(each) })) } as never,
    { ...bench, queue: new Queue(queues.client()), deadLetters: 'dead' },
  );
  return batchItemFailures.map(({ itemIdentifier }) => events[Number(itemIdentifier)]!);
}
/** Hands events over until all are taken. */
async function receiveAll(bench: Bench, events: EventBridgeEvent[]): Promise<void> {
  for (let left = events, round = 0; left.length > 0; round++) {
    left = await receive(bench, left);
    if (round === 20) throw new Error('some feedback is never taken');
  }
}

const suppression = async ({ table }: Bench, hash = HASH) => {
  const item = await table.readOne(key.suppression(hash));
  return item === undefined ? undefined : { reason: item.reason, at: item.at };
};
/** All that feedback may change. */
async function state(bench: Bench) {
  const id = await idOf(bench);
  const { facts } = (await contactOf(bench.table, id))!;
  const told = await bench.table.under(`SUBJECT#contact#${id}`, 'INTERACTION#Email ');
  return {
    messages: (await messagesOf(bench.table, id)).sort((a, b) => (a.id < b.id ? -1 : 1)),
    suppression: await suppression(bench),
    suppressed: facts.suppressed,
    latest: facts.latest,
    counters: facts.counters,
    told: told.map(({ sk }) => sk).sort(),
  };
}

/** What the reports come to, worked out from the rules alone. */
function expected(messages: Message[], events: EventBridgeEvent[], mayTrack: boolean) {
  const heard = events.flatMap((event): Feedback[] => {
    const read = readFeedback(event);
    return 'feedback' in read ? [read.feedback] : [];
  });
  const counted = heard.map((each) => (each.type === 'open' && !mayTrack ? { ...each, automated: true } : each));
  const after = messages.map((message) =>
    counted.filter((each) => each.message === message.id).reduce<Message>(applyFeedback, message),
  );
  const blocks = heard.flatMap((each): Block[] => {
    const reason = suppressionOf(each);
    return reason === undefined ? [] : [{ reason, at: each.at }];
  });
  const since = retiredSince(after, HASH, SOFT_BOUNCES);
  const retired: Block | undefined = since === undefined ? undefined : { reason: 'unreachable', at: since };
  const block = blocks.reduce<Block | undefined>(foldBlock, undefined) ?? retired;
  const names = { delivery: DELIVERED, open: OPENED, click: CLICKED } as const;
  const told = new Set(
    counted.flatMap((each) =>
      each.type in names && !each.automated ? [`INTERACTION#${names[each.type as 'open']}#${each.message}`] : [],
    ),
  );
  return { messages: after, suppression: block, suppressed: block, told: [...told].sort() };
}

describe('whatever is heard of the mails of a person', () => {
  const anything = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.constantFrom(...Object.keys(HEARD)));
  const mostlySoft = fc.tuple(
    fc.integer({ min: 0, max: 5 }),
    fc.constantFrom('transient', 'transient', 'undetermined', 'transient', 'delivery', 'send', 'delay'),
  );
  const allSoft = fc.constant([0, 1, 2, 3, 4, 5].map((at): [number, string] => [at, 'transient']));
  const heard = fc
    .oneof(
      fc.array(anything, { minLength: 1, maxLength: 12 }),
      fc.array(mostlySoft, { minLength: 4, maxLength: 12 }),
      fc.tuple(allSoft, fc.array(mostlySoft, { maxLength: 3 })).map((parts) => parts.flat()),
      fc.tuple(allSoft, fc.array(anything, { maxLength: 2 })).map((parts) => parts.flat()),
    )
    .map((list) => [...new Map(list.map((each) => [each.join(), each])).values()]);
  const trouble = fc.record({
    copies: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 15, maxLength: 15 }),
    order: fc.infiniteStream(fc.nat()),
    batch: fc.integer({ min: 1, max: 12 }),
    dies: fc.record({
      at: fc.integer({ min: 0, max: 40 }),
      when: fc.constantFrom<'before' | 'after'>('before', 'after'),
    }),
    consents: fc.boolean(),
  });

  it('each 1 to 8 times, in any order, by two workers at once, one of which dies: ends in one state', async () => {
    await fc.assert(
      fc.asyncProperty(heard, trouble, async (list, { copies, order, batch, dies, consents }) => {
        const bench = await shop({ consents });
        const messages = await mailed(bench, 6);
        const once = list.map(([at, name]) => HEARD[name]!(messages[at]!));
        const many = once.flatMap((event, at) => Array.from({ length: copies[at % copies.length]! }, () => event));
        const turns = order[Symbol.iterator]();
        for (let at = many.length - 1; at > 0; at--) {
          const other = (turns.next().value as number) % (at + 1);
          [many[at], many[other]] = [many[other]!, many[at]!];
        }
        const client = engine.client();
        around(client, new DoomedProcess(dies.at, dies.when).step);
        const doomed = benchOver(new Table(documentClient(client), bench.table.name, 2), { ...bench, prefix: 'd' });
        const half = Math.ceil(many.length / 2);
        const work = async (worker: Bench, events: EventBridgeEvent[]): Promise<EventBridgeEvent[]> => {
          const again: EventBridgeEvent[] = [];
          for (let at = 0; at < events.length; at += batch) {
            const part = events.slice(at, at + batch);
            // Of a process that has died nobody hears which of the batch were done.
            again.push(...(await receive(worker, part).catch(() => part)));
          }
          return again;
        };
        const again = await Promise.all([work(doomed, many.slice(0, half)), work(bench, many.slice(half))]);
        await receiveAll(bench, again.flat());

        const found = await state(bench);
        expect(found).toMatchObject(expected(messages, once, consents));
        expect(found.suppression).toEqual(found.suppressed);

        // The same, told once and in order.
        const calm = await shop({ consents });
        await mailed(calm, 6);
        for (const event of once) await receiveAll(calm, [event]);
        const { messages: told, ...rest } = await state(calm);
        const mine = { ...found, messages: found.messages.map((each) => ({ ...each, contact: told[0]!.contact })) };
        expect(mine).toEqual({ messages: told, ...rest });
      }),
      {
        seed: Number(process.env.KAIROS_SEED ?? 20_260_504),
        numRuns: Number(process.env.KAIROS_TEST_RUNS ?? 25),
        endOnFailure: true,
      },
    );
  }, 180_000);
});

describe('given a person', () => {
  let bench: Bench;
  let messages: Message[];
  beforeEach(async () => {
    bench = await shop();
    messages = await mailed(bench, 7);
  });
  const hear = (...list: [number, string][]) =>
    receiveAll(
      bench,
      list.map(([at, name]) => HEARD[name]!(messages[at]!)),
    );
  const one = async (id: string) => (await state(bench)).messages.find((each) => each.id === id)!;

  it('who opened before the delivery was heard of: both are known', async () => {
    await hear([0, 'open']);
    await hear([0, 'delivery']);
    expect(await one('m1')).toMatchObject({ delivery: 'delivered', openedAt: messages[0]!.plannedAt + 2 * HOUR });
    expect((await state(bench)).told).toEqual([`INTERACTION#${DELIVERED}#m1`, `INTERACTION#${OPENED}#m1`]);
  });

  it('who complained after leaving: is both, and blocked', async () => {
    await hear([0, 'left']);
    await hear([0, 'complaint']);
    await hear([0, 'leftAgain']);
    expect(await one('m1')).toMatchObject({
      delivery: 'complained',
      unsubscribedAt: messages[0]!.plannedAt + 5 * HOUR,
    });
    expect(await suppression(bench)).toEqual({ reason: 'complained', at: messages[0]!.plannedAt + 3 * HOUR });
  });

  it.each([[['complaint', 'permanent']], [['permanent', 'complaint']]])(
    'a bounce and a complaint, heard as %j: one suppression',
    async (names) => {
      for (const name of names) await hear([0, name]);
      const block = { reason: 'complained', at: messages[0]!.plannedAt + 3 * HOUR };
      expect(await suppression(bench)).toEqual(block);
      expect((await contactOf(bench.table, await idOf(bench)))?.facts.suppressed).toEqual(block);
      expect((await one('m1')).delivery).toBe('complained');
    },
  );

  it.each([
    ['of whom the shop does not ask to know opens', { opens: false }],
    ['who has not consented to tracking', { consents: false }],
  ])('%s: an open proves that the mail was taken, and no more', async (_, settings) => {
    bench = await shop(settings);
    messages = await mailed(bench, 1);
    await hear([0, 'open'], [0, 'click']);
    const message = await one('m1');
    expect(message).toMatchObject({ state: 'sent', clickedAt: messages[0]!.plannedAt + 2 * HOUR });
    expect(message).not.toHaveProperty('openedAt');
    expect((await state(bench)).told).toEqual([`INTERACTION#${CLICKED}#m1`]);
  });

  it('who consented to tracking after the open: it stays unknown', async () => {
    bench = await shop({ consents: false });
    messages = await mailed(bench, 1);
    const granted = { id: 'g2', address: ADDRESS, at: NOON - HOUR, properties: { topic: 'tracking' } };
    await bench.recorder.record([{ interaction: interaction('Consent Granted', granted) }]);
    await hear([0, 'open']);
    expect(await one('m1')).not.toHaveProperty('openedAt');
  });

  it('who has taken the consent to tracking back: what was opened before is not counted any more', async () => {
    const withdrawn = { id: 'w1', address: ADDRESS, at: NOON - HOUR, properties: { topic: 'tracking' } };
    await bench.recorder.record([{ interaction: interaction('Consent Withdrawn', withdrawn) }]);
    await hear([0, 'open']);
    expect(await one('m1')).not.toHaveProperty('openedAt');
  });

  it('whose mail a machine opened and clicked: nobody hears of it', async () => {
    await hear([0, 'machineOpen'], [0, 'machineClick']);
    const message = await one('m1');
    expect(message.state).toBe('sent');
    expect(message).not.toHaveProperty('openedAt');
    expect(message).not.toHaveProperty('clickedAt');
    const found = await state(bench);
    expect(found.told).toEqual([]);
    expect(found.latest).toEqual({});
  });

  it('who leaves by a mail that is not there any more: is no dead letter', async () => {
    const dead = letters();
    const gone = left({ id: 'gone', contact: messages[0]!.contact }, NOON);
    expect(await receive(bench, [gone], dead)).toEqual([]);
    expect(dead.of()).toEqual([]);
    await receive(bench, [{ ...gone, detail: {} }], dead);
    expect(dead.of()).toEqual(['feedback.shape']);
  });
});

describe('given bounces that may pass', () => {
  let bench: Bench;
  let messages: Message[];
  beforeEach(async () => {
    bench = await shop();
    messages = await mailed(bench, 7);
  });
  const hear = (...list: [number, string][]) =>
    receiveAll(
      bench,
      list.map(([at, name]) => HEARD[name]!(messages[at]!)),
    );
  const soft = (...numbers: number[]) => hear(...numbers.map((at): [number, string] => [at, 'transient']));
  const facts = async () => (await contactOf(bench.table, await idOf(bench)))!.facts;

  it('four in a row: it is still written to; the fifth over 16 days: it is given up, and what waits is taken back', async () => {
    await bench.recorder.record([{ interaction: purchase({ id: 'p1', order: 'o1', address: ADDRESS }) }]);
    await soft(0, 1, 2, 3);
    expect(await suppression(bench)).toBeUndefined();
    await hear([4, 'undetermined']);
    const block = { reason: 'unreachable', at: messages[4]!.claimedAt };
    expect(await suppression(bench)).toEqual(block);
    expect((await facts()).suppressed).toEqual(block);
    const waiting = (await messagesOf(bench.table, messages[0]!.contact)).filter((each) => !/^m\d$/.test(each.id));
    expect(waiting.map(({ state, reason }) => [state, reason])).toEqual([['dropped', 'suppressed: unreachable']]);
  });

  it('told again: nothing changes, not even the version of the contact', async () => {
    await soft(0, 1, 2, 3, 4);
    const before = await bench.table.readOne(key.contact(await idOf(bench)));
    await soft(4, 0, 2, 4, 1);
    expect(await bench.table.readOne(key.contact(await idOf(bench)))).toEqual(before);
  });

  it('a delivery in between: the count begins anew', async () => {
    await hear([2, 'delivery']);
    await soft(0, 1, 3, 4, 5, 6);
    expect(await suppression(bench)).toBeUndefined();
  });

  it.each([
    ['one of them', 3],
    ['a later one', 5],
  ])('a delivery of %s that is heard of late: the address is not given up any more', async (_, at) => {
    await soft(0, 1, 2, 3, 4);
    expect(await suppression(bench)).toMatchObject({ reason: 'unreachable' });
    await hear([at, 'delivery']);
    expect(await suppression(bench)).toBeUndefined();
    expect(await facts()).not.toHaveProperty('suppressed');
  });

  it('a delivery that another worker hears of just before the address is given up: it is not', async () => {
    // No rule reads deliveries, so nothing else of the contact changes and stands in the way.
    bench = await shop({ reads: false });
    messages = await mailed(bench, 7);
    await soft(0, 1, 2, 3);
    const client = engine.client();
    let heard = false;
    around(client, async (command, _input, go) => {
      if (command.startsWith('TransactWrite') && !heard) {
        heard = true;
        await hear([5, 'delivery']);
      }
      return go();
    });
    const slow = benchOver(new Table(documentClient(client), bench.table.name, 2), { ...bench, prefix: 's' });
    expect(await receive(slow, [HEARD.transient!(messages[4]!)])).toEqual([]);
    expect(heard).toBe(true);
    expect(await suppression(bench)).toBeUndefined();
    expect(await facts()).not.toHaveProperty('suppressed');
  });

  it('a late delivery of one before them: it stays given up', async () => {
    await soft(2, 3, 4, 5, 6);
    await hear([0, 'delivery']);
    expect(await suppression(bench)).toEqual({ reason: 'unreachable', at: messages[6]!.claimedAt });
  });

  it.each(['reject', 'unrendered'])('one of them turns out to be no bounce (%s): the others decide', async (name) => {
    await soft(0, 1, 2, 3, 4);
    await hear([4, name]);
    expect(await suppression(bench)).toBeUndefined();
    await soft(5);
    expect(await suppression(bench)).toEqual({ reason: 'unreachable', at: messages[5]!.claimedAt });
  });

  it('a complaint or an imported block is never lifted by a delivery', async () => {
    await bench.table.create({ ...key.suppression(HASH), shape: 1, reason: 'imported', at: NOON });
    await soft(0, 1, 2, 3, 4);
    await hear([5, 'delivery']);
    expect(await suppression(bench)).toEqual({ reason: 'imported', at: NOON });
    await hear([5, 'complaint']);
    expect(await suppression(bench)).toMatchObject({ reason: 'complained' });
  });

  it('a new address: it is written to, and its own bounces are counted', async () => {
    await soft(0, 1, 2, 3, 4);
    const moved = { id: 'i1', user: 'ann', address: ADDRESS, at: NOON };
    const to = 'ann@new.example';
    await bench.recorder.record([
      { interaction: interaction('Identified', moved) },
      { interaction: interaction('Identified', { id: 'i2', user: 'ann', address: to, at: NOON + 1 }) },
    ]);
    expect(await facts()).not.toHaveProperty('suppressed');
    const soften = (at: number) =>
      ses(
        messages[at]!,
        'Bounce',
        1,
        { bounce: { ...time(NOON + HOUR), bounceType: 'Transient', bounceSubType: 'General' } },
        to,
      );
    await receiveAll(bench, [soften(5), soften(6)]);
    expect(await suppression(bench, sha256(to))).toBeUndefined();
    expect(await facts()).not.toHaveProperty('suppressed');
    expect(await suppression(bench)).toMatchObject({ reason: 'unreachable' });
  });

  it('by the shop’s own settings', async () => {
    const book = definitions();
    bench = await shop({ book: { settings: { ...book.settings, softBounces: { most: 2, over: '3d' } } } });
    messages = await mailed(bench, 7);
    await soft(0);
    expect(await suppression(bench)).toBeUndefined();
    await soft(1);
    expect(await suppression(bench)).toEqual({ reason: 'unreachable', at: messages[1]!.claimedAt });
  });

  it('of a person who was two: those of both are counted on the way to the living contact', async () => {
    await soft(0, 1, 2, 3);
    await bench.recorder.record([
      // An account that is older than the guest: the guest's mails stay under the guest.
      { interaction: interaction('Identified', { id: 'i1', user: 'ann', at: NOON - 95 * DAY }) },
      { interaction: interaction('Identified', { id: 'i2', user: 'ann', address: ADDRESS, at: NOON }) },
    ]);
    await soft(4);
    expect(await suppression(bench)).toMatchObject({ reason: 'unreachable' });
    expect((await facts()).suppressed).toMatchObject({ reason: 'unreachable' });
  });
});

const examples = new URL('../../../shared/data/ses_events/eventbridge/', import.meta.url);
if (!existsSync(examples)) console.warn('SKIPPED: the examples of SES events are missing');
describe.skipIf(!existsSync(examples))("SES's own examples", () => {
  const ends: Record<string, object> = {
    'Send.json': { state: 'sent' },
    'Delivery.json': { delivery: 'delivered' },
    'DeliveryDelay.json': { delivery: 'delayed' },
    'Bounce.json': { delivery: 'bounced' },
    'Complaint.json': { delivery: 'complained' },
    'Reject.json': { delivery: 'rejected' },
    'RenderingFailure.json': { delivery: 'rejected' },
    'Open.json': { openedAt: Date.parse('2017-08-09T22:00:19.652Z') },
    'Click.json': { clickedAt: Date.parse('2017-08-09T23:51:25.570Z') },
    'Subscription.json': { state: 'claimed' },
  };
  const read = (name: string) => JSON.parse(readFileSync(new URL(name, examples), 'utf8'));
  const names = existsSync(examples) ? readdirSync(examples).filter((name) => name.endsWith('.json')) : [];

  it.each(names)('%s, three times, with our tags: is folded into its message', async (name) => {
    const bench = await shop({ consents: false });
    // The examples are of 2016 to 2022: the consent is older.
    const granted = { id: 'g0', address: ADDRESS, at: Date.UTC(2015, 0), properties: { topic: 'tracking' } };
    await bench.recorder.record([{ interaction: interaction('Consent Granted', granted) }]);
    const [message] = await mailed(bench, 1);
    const event = read(name);
    Object.assign(event.detail.mail.tags, { 'kairos-message': ['m1'], 'kairos-contact': [message!.contact] });
    const dead = letters();
    expect(await receive(bench, [event, event, event], dead)).toEqual([]);
    expect(dead.of()).toEqual([]);
    expect((await messagesOf(bench.table, message!.contact))[0]).toMatchObject(ends[name] ?? {});
    expect(ends).toHaveProperty([name]);
  });

  it('as they stand: are other senders’ mail, and change nothing', async () => {
    const bench = await shop();
    const dead = letters();
    expect(await receive(bench, names.map(read), dead)).toEqual([]);
    expect(dead.of()).toEqual([]);
  });
});
