// Queue of events → interactions in the table. Permanent faults go to the dead letters with their reason.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { recorder } from './aws/deciding.ts';
import { env } from './aws/env.ts';
import { log, handler as wrapped } from './aws/handler.ts';
import { queue } from './aws/parts.ts';
import { type IntakeDeps, recordEvents } from './aws/record-events.ts';

/** Records a batch; items that may succeed later are answered as failed. */
export async function recordInteraction(event: SQSEvent, deps: IntakeDeps): Promise<SQSBatchResponse> {
  const failed = await recordEvents(
    event.Records.map(({ messageId, body }) => ({ id: messageId, body })),
    deps,
  );
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

export const handler = wrapped((event: SQSEvent) =>
  recordInteraction(event, { recorder: recorder(), queue: queue(), deadLetters: env('deadLetters'), log }),
);
