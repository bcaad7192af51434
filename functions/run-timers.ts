// Each minute: one walk over what is due per shard, under a lease, with what it may release.
import { randomUUID } from 'node:crypto';
import { allowance, type Ceiling } from '../domain/allowance.ts';
import { accountOf } from './aws/account.ts';
import { now } from './aws/clock.ts';
import { readControls } from './aws/controls.ts';
import { Depths } from './aws/depth.ts';
import { env, envNumber, envOptional, envShare } from './aws/env.ts';
import { faultOf, type Log, log, once, handler as wrapped } from './aws/handler.ts';
import { queue, table } from './aws/parts.ts';
import type { Queue } from './aws/queue.ts';
import { patienceOf, planRelease, type Release, startWalks } from './aws/release.ts';
import { key, pooled, shardText, type Table } from './aws/table.ts';

/** What it takes to look how full the send queues are. */
export interface Looking {
  depths: Pick<Depths, 'of'>;
  urls: { triggered: string; bulk: string };
  ceiling: Ceiling;
}

export interface TimerDeps {
  table: Table;
  queue: Queue;
  now: () => number;
  log: Log;
  holder: string;
  timers: string;
  /** Absent where nobody looks: each walk then releases what one minute sends. */
  looking?: Looking;
}

/** Posts one message per shard; when another run holds the lease it does nothing. */
export async function runTimers(deps: TimerDeps): Promise<boolean> {
  const shards = Array.from({ length: deps.table.shards }, (_, shard) => shardText(shard));
  const release = await lookAround(deps);
  return startWalks({ ...deps, shards, ...(release !== undefined && { release }) });
}

/** What may be released, from controls, account and queues. What cannot be seen stops no walk. */
async function lookAround({ table, now, log, looking }: TimerDeps): Promise<Release | undefined> {
  if (looking === undefined) return undefined;
  const { depths, urls, ceiling } = looking;
  try {
    const [found, triggered, bulk] = await Promise.all([
      table.read([key.controls(), key.account()]),
      depths.of(urls.triggered),
      depths.of(urls.bulk),
    ]);
    const allowed = allowance(accountOf(found.get(key.account())), ceiling, now());
    const piled = triggered + (await dueInIndex(table, patienceOf(allowed), now()));
    return planRelease(allowed, readControls(found.get(key.controls())), { triggered, bulk, piled }, now());
  } catch (error) {
    log.error('timers.blind', faultOf(error));
    return undefined;
  }
}

/** How much triggered mail is due in the index, told no further than `enough`: a query of half a read unit per shard. */
async function dueInIndex(table: Table, enough: number, now: number): Promise<number> {
  const shards = Array.from({ length: table.shards }, (_, shard) => shardText(shard));
  let due = 0;
  await pooled(shards, 8, async (shard) => {
    const { items } = await table.due(`DUE#triggered#${shard}`, now, Math.ceil(enough / shards.length) + 1);
    due += items.length;
  });
  return due;
}

const depths = /* @__PURE__ */ once(() => new Depths());

function looking(): Looking | undefined {
  const [triggered, bulk, rate] = [envOptional('triggeredQueue'), envOptional('bulkQueue'), envOptional('sendRate')];
  if (triggered === undefined || bulk === undefined || rate === undefined) return undefined;
  const ceiling = { sendRate: envNumber('sendRate'), share: envShare('rateShare') };
  return { depths: depths(), urls: { triggered, bulk }, ceiling };
}

export const handler = wrapped(async (_event: unknown) => {
  const seen = looking();
  const started = await runTimers({
    table: table(),
    queue: queue(),
    now,
    log,
    holder: randomUUID(),
    timers: env('timersQueue'),
    ...(seen !== undefined && { looking: seen }),
  });
  if (!started) log.info('timers.leased');
});
