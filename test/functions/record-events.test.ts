// A queue batch of events: the good are recorded, the hopeless are buried with a reason, the rest come again.
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, expect, it } from 'vitest';
import { Queue } from '../../functions/aws/queue.ts';
import type { RecordOutcome } from '../../functions/aws/recorder.ts';
import { TooManyWrites } from '../../functions/aws/recorder.ts';
import { recordInteraction } from '../../functions/record-interaction.ts';
import { MemoryLog } from './fixtures.ts';

const sqs = mockClient(SQSClient);
beforeEach(() => {
  sqs.reset();
  sqs.on(SendMessageBatchCommand).resolves({});
});

const event = (messageId: string, detail: unknown) =>
  JSON.stringify({
    id: 'e1',
    source: 'shop',
    'detail-type': 'Order Completed',
    time: '2026-05-04T12:00:00Z',
    detail: { messageId, ...(detail as object) },
  });

it('buries permanent faults with reason, stage and time, repeats only what may succeed, and logs no property', async () => {
  const outcomes: RecordOutcome[] = [
    { kind: 'recorded' },
    { kind: 'failed', error: new Error('ann@example.org stayed in the way') },
    { kind: 'failed', error: new TooManyWrites(130) },
    { kind: 'erased' },
  ];
  const seen: string[] = [];
  const recorder = {
    record: async (stimuli: { interaction: { id: string } }[]) => {
      seen.push(...stimuli.map((one) => one.interaction.id));
      return outcomes;
    },
  };
  const log = new MemoryLog();
  const order = (id: string) => ({ userId: 'ann', properties: { order_id: id, revenue: 5 } });
  const bodies = [
    '{"not json',
    event('m1', order('o1')),
    event('m2', order('o2')),
    event('m3', { properties: {} }),
    event('m4', order('o4')),
    event('m5', order('o5')),
    event('m6', { ...order('o6'), hops: 6 }),
  ];
  const answer = await recordInteraction(
    { Records: bodies.map((body, n) => ({ messageId: `q${n}`, body })) } as never,
    {
      recorder: recorder as never,
      queue: new Queue(new SQSClient({ region: 'x' })),
      deadLetters: 'https://sqs.test/dead',
      log,
    },
  );
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'q2' }] });
  expect(seen).toEqual(['m1', 'm2', 'm4', 'm5']);
  const letters = sqs
    .commandCalls(SendMessageBatchCommand)
    .flatMap(({ args: [command] }) => command.input.Entries ?? []);
  expect(letters.map((letter) => [letter.MessageBody, letter.MessageAttributes?.reason?.StringValue])).toEqual([
    [bodies[0], 'event.json'],
    [bodies[3], expect.stringMatching(/^event\./)],
    [bodies[6], 'event.hops'],
    [bodies[4], 'record.too-many-writes'],
  ]);
  for (const letter of letters) {
    expect(letter.MessageAttributes?.stage?.StringValue).toBe('record-interaction');
    expect(letter.MessageAttributes?.at?.StringValue).toMatch(/^\d{4}-\d\d-\d\dT/);
  }
  expect(JSON.stringify(log.lines)).not.toContain('example.org');
});
