// What one minute's walks may release, and their start: one message for each shard, under a lease.
import type { Allowance } from '../../domain/allowance.ts';
import type { Controls } from '../../domain/book.ts';
import type { Message } from '../../domain/message.ts';
import type { Queue } from './queue.ts';
import { key, type Table } from './table.ts';

type Lane = Message['lane'];

/** A released message is due again after this long: a lost queue message heals by itself. */
export const RELEASED_FOR = 5 * 60_000;
/** A queue holds at most two minutes of sends. */
export const SECONDS_OF_SENDS = 120;
/** What waits for a quota or a review is looked at again after this long. */
const HELD_FOR = 15 * 60_000;
/** What waits for a pause to end: the longer it lasts, the less often somebody looks. */
const PAUSED_FOR = { least: RELEASED_FOR, most: 30 * 60_000 };

/** How much of a lane all walks of one minute may release together, or for how long what is due is put off instead. */
export type Room = { room: number } | { putOff: number };

export interface Release {
  /** Names the minute: its walks share one count. */
  minute: number;
  /** Campaigns of which nothing is queued, and for how long what they have due is put off. */
  paused: Record<string, number>;
  lanes: Record<Lane, Room>;
}

/** How much triggered mail may wait beside bulk: what bulk leaves of a minute. */
export function patienceOf({ rate, bulkRate }: Pick<Allowance, 'rate' | 'bulkRate'>): number {
  return 60 * Math.max(1, rate - bulkRate);
}

/**
 * How much each lane may release this minute: two minutes of sends, less what its queue holds already. `piled`: the
 * triggered mail that waits, in the queue and in the index.
 */
export function planRelease(
  { rate, bulkRate, held, bulkHeld }: Allowance,
  controls: Controls,
  depths: Record<Lane | 'piled', number>,
  minute: number,
): Release {
  const paused = Object.fromEntries(
    Object.entries(controls.paused).map(([campaign, { at }]) => [
      campaign,
      Math.min(PAUSED_FOR.most, Math.max(PAUSED_FOR.least, Math.floor((minute - at) / 8))),
    ]),
  );
  if (controls.stopped !== undefined) {
    return { minute, paused, lanes: { triggered: { putOff: RELEASED_FOR }, bulk: { putOff: RELEASED_FOR } } };
  }
  const room = (seconds: number, perSecond: number, depth: number): Room => ({
    room: Math.max(0, seconds * perSecond - depth),
  });
  return {
    minute,
    paused,
    lanes: {
      triggered: held === undefined ? room(SECONDS_OF_SENDS, rate, depths.triggered) : { putOff: HELD_FOR },
      // Bulk leaves the senders to triggered mail that waits already; where that is more than what bulk leaves of a
      // minute, after a stop or a rush, no bulk is queued until it has gone.
      bulk:
        bulkHeld !== undefined
          ? { putOff: HELD_FOR }
          : depths.piled > patienceOf({ rate, bulkRate })
            ? { room: 0 }
            : room(SECONDS_OF_SENDS, bulkRate, depths.bulk + depths.triggered),
    },
  };
}

const LEASE_LASTS = 30_000;

/** Starts one walk per shard, unless another run is at it. Answers whether it did. */
export async function startWalks(deps: {
  table: Table;
  queue: Queue;
  now: () => number;
  holder: string;
  timers: string;
  shards: string[];
  release?: Release;
}): Promise<boolean> {
  const { table, queue, now, holder, timers, shards, release } = deps;
  const taken = await table.update(key.lease(), {
    UpdateExpression: 'SET #until = :until, holder = :holder',
    ConditionExpression: 'attribute_not_exists(#until) OR #until <= :now',
    ExpressionAttributeNames: { '#until': 'until' },
    ExpressionAttributeValues: { ':until': now() + LEASE_LASTS, ':now': now(), ':holder': holder },
  });
  if (!taken) return false;
  await queue.send(
    timers,
    shards.map((shard) => ({ shard, ...(release !== undefined && { release }) })),
  );
  await table.update(key.lease(), {
    UpdateExpression: 'SET #until = :now',
    ConditionExpression: 'holder = :holder',
    ExpressionAttributeNames: { '#until': 'until' },
    ExpressionAttributeValues: { ':now': now(), ':holder': holder },
  });
  return true;
}
