// All contacts, page by page, at a set rate: taken over to new definitions, decided over with new models, booked for broadcasts.
import type { SQSEvent } from 'aws-lambda';
import * as z from 'zod';
import { allowance } from '../domain/allowance.ts';
import { accountOf } from './aws/account.ts';
import { type BroadcastDeps, walkBroadcast } from './aws/broadcast-walk.ts';
import type { BroadcastStep } from './aws/broadcasts.ts';
import { now } from './aws/clock.ts';
import { books, recorder } from './aws/deciding.ts';
import { env, envNumber, envShare } from './aws/env.ts';
import { eachRecord, log, handler as wrapped } from './aws/handler.ts';
import { queue, table } from './aws/parts.ts';
import { type RosterStep, walkRoster } from './aws/roster.ts';
import { key } from './aws/table.ts';

const page = {
  shard: z.string().regex(/^\d\d$/),
  page: z.int().min(0).optional(),
  contacts: z.array(z.string().min(1)).optional(),
};
const Step = z.union([
  z.object({ broadcast: z.object({ campaign: z.string().min(1), occurrence: z.string().min(1) }), ...page }),
  z.object({
    of: z.literal('models').optional(),
    hash: z.string().min(1),
    ordinal: z.int().min(1),
    cursor: z.record(z.string(), z.unknown()).optional(),
    ...page,
  }),
]);

/** Does one page for each message of a batch; those that fail are answered and come again. */
export async function walkRosterPages(event: SQSEvent, deps: BroadcastDeps) {
  return eachRecord(event, async ({ body, messageId }) => {
    const step = Step.parse(JSON.parse(body)) as BroadcastStep | RosterStep;
    if ('broadcast' in step) await walkBroadcast(step, deps, messageId);
    else await walkRoster(step, deps, messageId);
  });
}

/** Messages a second that bulk may send, by what SES last said of the account. */
async function bulkRate(): Promise<number> {
  const account = accountOf(await table().readOne(key.account()));
  return allowance(account, { sendRate: envNumber('sendRate'), share: envShare('rateShare') }, now()).bulkRate;
}

export const handler = wrapped((event: SQSEvent) =>
  walkRosterPages(event, {
    table: table(),
    books: books(),
    recorder: recorder(),
    queue: queue(),
    url: env('rosterQueue'),
    now,
    log,
    bulkRate,
    rate: envNumber('backfillRate'),
  }),
);
