// A ghost, the place of a held-out person's message, through every door: nothing queues it, nothing sends it.
import { SESv2Client } from '@aws-sdk/client-sesv2';
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { marshall } from '@aws-sdk/util-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../domain/message.ts';
import { cancelMessage, messagesIn, resendMessage } from '../../functions/aws/cancel.ts';
import { Mailer } from '../../functions/aws/mailer.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { Sender } from '../../functions/aws/sender.ts';
import { key, messageItem, readMessage } from '../../functions/aws/table.ts';
import { walkDue } from '../../functions/aws/walk.ts';
import { handOff } from '../../functions/hand-off.ts';
import { receiveFeedback } from '../../functions/receive-feedback.ts';
import { sendMessages } from '../../functions/send-message.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type Ses, sesEvent, startSes } from '../support/ses.ts';
import { type Bench, benchOver, contactOf, crowdOf, DAY, definitions, memoryBus, NOON, publish } from './fixtures.ts';

let engine: Engine;
let ses: Ses;
let bench: Bench;
/** `ghost` has no due instant, as decided; `stray` has one all the same. */
let ghost: Message;
let stray: Message;
/** One that is ready beside them: what shows that the doors work. */
let ready: Message;
const sqs = mockClient(SQSClient);
const urls = { timers: 'timers', triggered: 'triggered', bulk: 'bulk' };

beforeAll(async () => {
  engine = await startEngine();
  ses = await startSes();
});
afterAll(async () => {
  await engine.stop();
  await ses.stop();
});
beforeEach(async () => {
  bench = benchOver(await engine.table());
  sqs.reset();
  sqs.on(SendMessageBatchCommand).resolves({});
  Object.assign(ses, { accepted: [], calls: 0, next: [] });
  await publish(bench.table, bench.bucket, definitions());
  const [made] = await crowdOf(bench.table, ['held-out'], { state: 'ghost' });
  const { due: _, ...undue } = made!;
  ghost = undue;
  [stray] = (await crowdOf(bench.table, ['stray'], { state: 'ghost', due: NOON })) as [Message];
  [ready] = (await crowdOf(bench.table, ['written-to'])) as [Message];
});

const queue = () => new Queue(new SQSClient({ region: 'x' }));
const all = () => [ghost, stray, ready];
const wanted = ({ contact, id }: Message) => ({ contact, message: id });
const stored = async ({ contact, id }: Message) => readMessage((await bench.table.readOne(key.message(contact, id)))!);
const queued = () =>
  sqs
    .commandCalls(SendMessageBatchCommand)
    .flatMap(({ args: [command] }) =>
      (command.input.Entries ?? []).map((entry) => JSON.parse(entry.MessageBody ?? '')),
    );
/** As they were, all three looked at. */
const untouched = async () => {
  const { due: _, ...undue } = stray;
  expect(await stored(ghost)).toEqual(ghost);
  expect(await stored(stray)).toEqual(undue);
};

describe('given a ghost beside a message that is ready', () => {
  it('is queued by no hand-off', async () => {
    const Records = all().map((message) => ({
      eventName: 'INSERT' as const,
      dynamodb: { NewImage: marshall(messageItem(message, 2)) as never },
    }));
    await handOff({ Records } as never, { queue: queue(), now: bench.clock.now, urls });
    expect(queued()).toEqual([wanted(ready)]);
  });

  it('stands in no index, and is queued by no walk, ever', async () => {
    for (const lane of ['triggered', 'bulk']) {
      for (const shard of ['00', '01']) {
        const { items } = await bench.table.due(`DUE#${lane}#${shard}`, Number.MAX_SAFE_INTEGER, 100);
        for (const { sk } of items) expect(sk).toBe(`MESSAGE#${ready.id}`);
      }
    }
    bench.clock.at = NOON + 30 * DAY;
    for (const shard of ['00', '01']) {
      const { table, recorder, log } = bench;
      const bus = memoryBus().bus;
      await walkDue({ shard }, { table, recorder, queue: queue(), bus, now: bench.clock.now, log, rate: 100, urls });
    }
    expect(queued()).toEqual([wanted(ready)]);
    await untouched();
  });

  it('is not sent by a sender that is handed its id', async () => {
    const sender = new Sender({
      table: bench.table,
      books: bench.books,
      mailer: new Mailer(
        'kairos',
        new SESv2Client({
          endpoint: ses.endpoint,
          region: 'x',
          credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
          maxAttempts: 1,
        }),
      ),
      queue: queue(),
      secrets: async () => ({ keys: { current: 'k1', keys: { k1: 'a secret of the tests' } }, sources: {} }),
      now: bench.clock.now,
      sleep: async () => {},
      log: bench.log,
      rate: 100,
      publicBaseUrl: 'https://mail.shop.example',
      deadLetters: 'https://sqs.test/dead',
    });
    const Records = all().map((message, n) => ({ messageId: `q${n}`, body: JSON.stringify(wanted(message)) }));
    expect(await sendMessages({ Records } as never, sender)).toEqual({ batchItemFailures: [] });
    expect(ses.calls).toBe(1);
    expect(ses.accepted.map(({ EmailTags }) => EmailTags?.[0]?.Value)).toEqual([ready.id]);
    await untouched();
  });

  it('cannot be cancelled or sent again, and is in no list of what waits or failed', async () => {
    for (const one of [ghost, stray]) {
      expect(await cancelMessage(bench.table, wanted(one), 'by hand')).toEqual({ kind: 'not', state: 'ghost' });
      expect(await resendMessage(bench.table, wanted(one), { now: NOON, evenUncertain: true })).toEqual({
        kind: 'not',
        state: 'ghost',
      });
    }
    for (const state of ['ready', 'claimed', 'failed', 'uncertain'] as const) {
      const listed: string[] = [];
      for await (const items of messagesIn(bench.table, state)) listed.push(...items.map(({ sk }) => sk));
      expect(listed).toEqual(state === 'ready' ? [`MESSAGE#${ready.id}`] : []);
    }
    await untouched();
  });

  it('takes no feedback: neither itself nor its person changes', async () => {
    const before = await contactOf(bench.table, ghost.contact);
    const EmailTags = Object.entries({
      'kairos-message': ghost.id,
      'kairos-contact': ghost.contact,
      'kairos-campaign': ghost.campaign,
    }).map(([Name, Value]) => ({ Name, Value }));
    const Destination = { ToAddresses: ['held-out@example.org'] };
    const timestamp = new Date(NOON).toISOString();
    const events = Object.entries({
      Send: {},
      Delivery: { delivery: { timestamp } },
      Click: { click: { timestamp } },
      Complaint: { complaint: { timestamp } },
    }).map(([type, part]) => sesEvent({ id: 's1', EmailTags, Destination } as never, type, NOON, part));
    const answer = await receiveFeedback(
      { Records: events.map((event, n) => ({ messageId: `f${n}`, body: JSON.stringify(event) })) } as never,
      { table: bench.table, books: bench.books, recorder: bench.recorder, queue: queue(), deadLetters: 'dead' },
    );
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(await contactOf(bench.table, ghost.contact)).toEqual(before);
    expect(queued()).toEqual([]);
    await untouched();
  });
});
