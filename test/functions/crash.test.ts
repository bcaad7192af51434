// A process that dies before or after any of its calls: what is delivered again afterwards counts once.
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../domain/interaction.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { documentClient, messageItem, Table } from '../../functions/aws/table.ts';
import { handOff } from '../../functions/hand-off.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { around, DoomedProcess } from './faults.ts';
import {
  benchOver,
  contactBy,
  definitions,
  HOUR,
  interaction,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

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

describe('given a message in the stream', () => {
  const sqs = mockClient(SQSClient);
  afterEach(() => sqs.reset());
  const stream = async () => {
    const bench = benchOver(await engine.table());
    await publish(bench.table, bench.bucket, definitions());
    await bench.recorder.record([{ interaction: purchase({ id: 'm1', order: 'o1', address: 'ann@example.org' }) }]);
    const contact = await contactBy(bench.table, `address#${sha256('ann@example.org')}`);
    const [message] = await messagesOf(bench.table, contact!.id);
    const image = Object.fromEntries(
      Object.entries(messageItem(message!, 2)).map(([name, value]) => [
        name,
        typeof value === 'number' ? { N: String(value) } : { S: String(value) },
      ]),
    );
    const event = { Records: [{ eventName: 'INSERT' as const, dynamodb: { NewImage: image } }] };
    return { event, message: message!, table: bench.table };
  };
  const deps = { now: () => NOON, urls: { triggered: 'https://sqs.test/triggered', bulk: 'https://sqs.test/bulk' } };

  it('is queued by hand-off, and stays in the due index where the queue cannot be reached', async () => {
    const { event, message, table } = await stream();
    sqs.on(SendMessageBatchCommand).resolves({});
    await handOff(event, { queue: new Queue(new SQSClient({ region: 'x' })), ...deps });
    const sent = sqs.commandCalls(SendMessageBatchCommand).map(({ args: [command] }) => command.input);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.QueueUrl).toBe(`https://sqs.test/${message.lane}`);
    expect(JSON.parse(sent[0]?.Entries?.[0]?.MessageBody ?? '')).toEqual({
      contact: message.contact,
      message: message.id,
    });

    sqs.on(SendMessageBatchCommand).rejects(new Error('gone'));
    await expect(handOff(event, { queue: new Queue(new SQSClient({ region: 'x' })), ...deps })).rejects.toThrow('gone');
    const item = await table.due(`DUE#${message.lane}#00`, NOON + HOUR, 10);
    const other = await table.due(`DUE#${message.lane}#01`, NOON + HOUR, 10);
    expect([...item.items, ...other.items].map((each) => each.sk)).toEqual([`MESSAGE#${message.id}`]);
  });

  it('passes over what is planned for later, changed, or no message', async () => {
    const { event } = await stream();
    sqs.on(SendMessageBatchCommand).resolves({});
    const [record] = event.Records;
    const early = { ...deps, now: () => NOON - 1, queue: new Queue(new SQSClient({ region: 'x' })) };
    await handOff(event, early);
    await handOff({ Records: [{ ...record, eventName: 'MODIFY' }] }, { ...early, now: () => NOON });
    await handOff({ Records: [{ eventName: 'INSERT', dynamodb: { NewImage: { sk: { S: 'CONTACT' } } } }] }, early);
    expect(sqs.commandCalls(SendMessageBatchCommand)).toHaveLength(0);
  });

  it('sends failed entries again, and only those', async () => {
    sqs
      .on(SendMessageBatchCommand)
      .resolvesOnce({ Failed: [{ Id: '1', Code: 'InternalError', SenderFault: false }], Successful: [] })
      .resolves({});
    await new Queue(new SQSClient({ region: 'x' })).send('https://sqs.test/q', ['a', 'b', 'c']);
    const bodies = sqs
      .commandCalls(SendMessageBatchCommand)
      .map(({ args: [command] }) => command.input.Entries?.map((entry) => entry.MessageBody));
    expect(bodies).toEqual([['"a"', '"b"', '"c"'], ['"b"']]);
  });
});
