// Each minute: one walk over what is due per shard, under a lease.
import { randomUUID } from 'node:crypto';
import { now } from './aws/clock.ts';
import { env } from './aws/env.ts';
import { log, handler as wrapped } from './aws/handler.ts';
import { queue, table } from './aws/parts.ts';
import type { Queue } from './aws/queue.ts';
import { shardText, type Table } from './aws/table.ts';
import { startWalks } from './aws/walk.ts';

/** Posts one message per shard; when another run holds the lease it does nothing. */
export async function runTimers(deps: {
  table: Table;
  queue: Queue;
  now: () => number;
  holder: string;
  timers: string;
}): Promise<boolean> {
  const shards = Array.from({ length: deps.table.shards }, (_, shard) => shardText(shard));
  return startWalks({ ...deps, shards });
}

export const handler = wrapped(async (_event: unknown) => {
  const started = await runTimers({
    table: table(),
    queue: queue(),
    now,
    holder: randomUUID(),
    timers: env('timersQueue'),
  });
  if (!started) log.info('timers.leased');
});
