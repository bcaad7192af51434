// After a publish: all contacts are taken over to the new definitions, page by page.
import type { SQSEvent } from 'aws-lambda';
import * as z from 'zod';
import { books, recorder } from './aws/deciding.ts';
import { env } from './aws/env.ts';
import { eachRecord, handler as wrapped } from './aws/handler.ts';
import { queue, table } from './aws/parts.ts';
import { walkRoster } from './aws/roster.ts';

const Step = z.object({
  hash: z.string().min(1),
  ordinal: z.int().min(1),
  shard: z.string().regex(/^\d\d$/),
  cursor: z.record(z.string(), z.unknown()).optional(),
});

/** Does one page for each cursor of a batch; those that fail are answered and come again. */
export async function walkRosterPages(event: SQSEvent, deps: Parameters<typeof walkRoster>[1]) {
  return eachRecord(event, async ({ body }) => {
    const { cursor, ...step } = Step.parse(JSON.parse(body));
    await walkRoster({ ...step, ...(cursor !== undefined && { cursor }) }, deps);
  });
}

export const handler = wrapped((event: SQSEvent) =>
  walkRosterPages(event, {
    table: table(),
    books: books(),
    recorder: recorder(),
    queue: queue(),
    url: env('rosterQueue'),
  }),
);
