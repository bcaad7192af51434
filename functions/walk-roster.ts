// After a publish: all contacts are taken over to the new definitions, page by page, at a set rate.
import type { SQSEvent } from 'aws-lambda';
import * as z from 'zod';
import { books, recorder } from './aws/deciding.ts';
import { env, envNumber } from './aws/env.ts';
import { eachRecord, handler as wrapped } from './aws/handler.ts';
import { queue, table } from './aws/parts.ts';
import { type RosterDeps, type RosterStep, walkRoster } from './aws/roster.ts';

const Step = z.object({
  hash: z.string().min(1),
  ordinal: z.int().min(1),
  shard: z.string().regex(/^\d\d$/),
  page: z.int().min(0).optional(),
  cursor: z.record(z.string(), z.unknown()).optional(),
  contacts: z.array(z.string().min(1)).optional(),
});

/** Does one page for each message of a batch; those that fail are answered and come again. */
export async function walkRosterPages(event: SQSEvent, deps: RosterDeps) {
  return eachRecord(event, async ({ body, messageId }) => {
    await walkRoster(Step.parse(JSON.parse(body)) as RosterStep, deps, messageId);
  });
}

export const handler = wrapped((event: SQSEvent) =>
  walkRosterPages(event, {
    table: table(),
    books: books(),
    recorder: recorder(),
    queue: queue(),
    url: env('rosterQueue'),
    rate: envNumber('backfillRate'),
  }),
);
