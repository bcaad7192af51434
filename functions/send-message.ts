// Send queues → SES: each message at most once.
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import * as z from 'zod';
import { now, sleep } from './aws/clock.ts';
import { books } from './aws/deciding.ts';
import { env, envNumber, envOptional, envShare } from './aws/env.ts';
import { faultOf, log, once, handler as wrapped } from './aws/handler.ts';
import { Mailer, sesClient } from './aws/mailer.ts';
import { queue, table } from './aws/parts.ts';
import { secrets } from './aws/secrets.ts';
import { Sender } from './aws/sender.ts';

const Wanted = z.object({ contact: z.string().min(1), message: z.string().min(1) });

/** Sends a batch; only messages whose fault may pass are answered as failed. */
export async function sendMessages(event: SQSEvent, sender: Sender): Promise<SQSBatchResponse> {
  const wanted = event.Records.map(({ messageId, body }) => ({ id: messageId, ...Wanted.parse(JSON.parse(body)) }));
  const errors = await sender.send(wanted);
  const failed = wanted.filter((_, index) => errors[index] !== undefined);
  for (const error of errors) if (error !== undefined) log.error('send.failed', faultOf(error));
  return { batchItemFailures: failed.map(({ id }) => ({ itemIdentifier: id })) };
}

const sender = once(() => {
  const allowed = envOptional('allowedRecipients');
  return new Sender({
    table: table(),
    books: books(),
    mailer: new Mailer(env('configurationSet'), sesClient(), envOptional('trackedConfigurationSet')),
    queue: queue(),
    secrets: () => secrets().read(),
    now,
    sleep,
    log,
    rate: envNumber('sendRate'),
    share: envShare('rateShare'),
    publicBaseUrl: env('publicBaseUrl'),
    deadLetters: env('deadLetters'),
    ...(allowed !== undefined && { allowed: z.array(z.string()).parse(JSON.parse(allowed)) }),
  });
});

export const handler = wrapped((event: SQSEvent) => sendMessages(event, sender()));
