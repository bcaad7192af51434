// Events of SES and withdrawals by a link → message items; bounces and complaints → suppressions.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { EventBridgeEvent } from '../domain/event.ts';
import { readFeedback } from '../domain/feedback.ts';
import { books, recorder } from './aws/deciding.ts';
import { env } from './aws/env.ts';
import { type FeedbackDeps, takeFeedback } from './aws/feedback.ts';
import { eachRecord, handler as wrapped } from './aws/handler.ts';
import { queue, table } from './aws/parts.ts';
import type { Queue } from './aws/queue.ts';

/** Takes a batch in; what can never be taken in is buried with its reason. */
export async function receiveFeedback(
  event: SQSEvent,
  deps: FeedbackDeps & { queue: Queue; deadLetters: string },
): Promise<SQSBatchResponse> {
  return eachRecord(event, async ({ body }) => {
    const reason = await takeIn(body, deps);
    if (reason === undefined) return;
    await deps.queue.bury(deps.deadLetters, [{ body, reason, stage: 'receive-feedback' }]);
  });
}

/** Why it can never be taken in, or undefined when it was. */
async function takeIn(body: string, deps: FeedbackDeps): Promise<string | undefined> {
  let event: EventBridgeEvent;
  try {
    event = JSON.parse(body) as EventBridgeEvent;
  } catch {
    return 'feedback.json';
  }
  const read = readFeedback(event);
  if ('ignored' in read) return undefined;
  if ('fault' in read) return read.fault.code;
  const known = await takeFeedback(read.feedback, deps);
  // Links outlive messages: who leaves by the link of a very old mail is no fault.
  return known || read.feedback.type === 'unsubscribe' ? undefined : 'feedback.unknown-message';
}

export const handler = wrapped((event: SQSEvent) =>
  receiveFeedback(event, {
    table: table(),
    books: books(),
    recorder: recorder(),
    queue: queue(),
    deadLetters: env('deadLetters'),
  }),
);
