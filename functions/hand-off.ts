// Stream of the table → send queues: new messages that are due now. What is lost here, the due index heals.
import type { DynamoDBStreamEvent } from 'aws-lambda';
import { now } from './aws/clock.ts';
import { env } from './aws/env.ts';
import { handler as wrapped } from './aws/handler.ts';
import { queue } from './aws/parts.ts';
import type { Queue } from './aws/queue.ts';
import { plain, readMessage } from './aws/table.ts';

export interface HandOffDeps {
  queue: Queue;
  now: () => number;
  urls: { triggered: string; bulk: string };
}

/** Queues each inserted message that is ready and planned for now. */
export async function handOff(event: DynamoDBStreamEvent, { queue, now, urls }: HandOffDeps): Promise<void> {
  const messages = event.Records.flatMap(({ eventName, dynamodb }) => {
    if (eventName !== 'INSERT' || dynamodb?.NewImage?.sk?.S?.startsWith('MESSAGE#') !== true) return [];
    const message = readMessage(plain(dynamodb.NewImage));
    return message.state === 'ready' && message.plannedAt <= now() ? [message] : [];
  });
  for (const lane of ['triggered', 'bulk'] as const) {
    const own = messages.filter((message) => message.lane === lane);
    await queue.send(
      urls[lane],
      own.map(({ contact, id }) => ({ contact, message: id })),
    );
  }
}

export const handler = wrapped((event: DynamoDBStreamEvent) =>
  handOff(event, { queue: queue(), now, urls: { triggered: env('triggeredQueue'), bulk: env('bulkQueue') } }),
);
