// What is due in one shard → ticks and turns of products through the recorder, broadcasts opened, notices to the bus, messages to the send queues, open claims settled.
import type { SQSEvent } from 'aws-lambda';
import * as z from 'zod';
import { now } from './aws/clock.ts';
import { books, recorder } from './aws/deciding.ts';
import { env, envNumber, envOptional } from './aws/env.ts';
import { eachRecord, log, handler as wrapped } from './aws/handler.ts';
import { bus, queue, table } from './aws/parts.ts';
import type { TurnStep } from './aws/turns.ts';
import { type WalkDeps, walkDue } from './aws/walk.ts';

const Room = z.union([z.object({ room: z.number() }), z.object({ putOff: z.number() })]);
const Walk = z.object({
  shard: z.string().regex(/^\d\d$/),
  ticks: z.record(z.string(), z.unknown()).optional(),
  release: z
    .object({
      minute: z.number(),
      paused: z.record(z.string(), z.number()),
      lanes: z.object({ triggered: Room, bulk: Room }),
    })
    .optional(),
  lane: z.enum(['triggered', 'bulk']).optional(),
  turn: z
    .object({
      pk: z.string().min(1),
      sk: z.string().min(1),
      page: z.int().min(0).optional(),
      watchers: z.array(z.object({ contact: z.string().min(1), at: z.number() })).optional(),
    })
    .optional(),
});

/** Walks what is due in the shards of a batch; those that fail are answered and come again. */
export async function walkDueShards(event: SQSEvent, deps: WalkDeps) {
  return eachRecord(event, async ({ body, messageId }) => {
    const { shard, ticks, release, lane, turn } = Walk.parse(JSON.parse(body));
    await walkDue(
      {
        shard,
        ...(ticks !== undefined && { ticks }),
        ...(release !== undefined && { release }),
        ...(lane !== undefined && { lane }),
        ...(turn !== undefined && { turn: turn as TurnStep }),
      },
      deps,
      messageId,
    );
  });
}

export const handler = wrapped((event: SQSEvent) =>
  walkDueShards(event, {
    table: table(),
    recorder: recorder(),
    queue: queue(),
    bus: bus(),
    now,
    log,
    rate: envOptional('sendRate') === undefined ? 14 : envNumber('sendRate'),
    urls: { timers: env('timersQueue'), triggered: env('triggeredQueue'), bulk: env('bulkQueue') },
    starting: {
      books: books(),
      rosterUrl: env('rosterQueue'),
      ...(envOptional('backfillRate') !== undefined && { walkRate: envNumber('backfillRate') }),
    },
  }),
);
