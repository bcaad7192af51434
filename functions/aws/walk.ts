// Walking what is due in one shard: ticks of contacts, messages to release to the queues, open claims to settle.
import type { Message } from '../../domain/message.ts';
import { readWatermark, reconcile } from './claims.ts';
import { faultOf, type Log } from './handler.ts';
import type { Queue } from './queue.ts';
import type { Recorder } from './recorder.ts';
import { type Item, key, readMessage, type Table } from './table.ts';

/** A released message is due again after this long: a lost queue message heals by itself. */
const RELEASED_FOR = 5 * 60_000;
const TICKS_A_PAGE = 100;
/** A queue holds at most two minutes of sends. */
const SECONDS_OF_SENDS = 120;

export interface Walk {
  shard: string;
  /** Where the walk over due contacts goes on. */
  ticks?: Record<string, unknown>;
}

export interface WalkDeps {
  table: Table;
  recorder: Recorder;
  queue: Queue;
  now: () => number;
  log: Log;
  rate: number;
  urls: { timers: string; triggered: string; bulk: string };
}

/** One step of a walk. It posts the next one itself while more contacts are due. */
export async function walkDue(walk: Walk, deps: WalkDeps): Promise<void> {
  const { table, queue, now, urls } = deps;
  const page = await table.due(`DUE#tick#${walk.shard}`, now(), TICKS_A_PAGE, walk.ticks);
  sayLate(page.items, deps);
  // The rest is another function's: it runs beside this page.
  if (page.next !== undefined) await queue.send(urls.timers, [{ shard: walk.shard, ticks: page.next }]);
  await tickAll(page.items, deps);
  if (walk.ticks === undefined) {
    await releaseLane('triggered', walk.shard, deps);
    await releaseLane('bulk', walk.shard, deps);
  }
}

/** The index is earliest first: an alarm reads how late its first entry is. */
function sayLate([first]: Item[], { now, log }: WalkDeps): void {
  const oldestDueSeconds = first === undefined ? 0 : Math.round((now() - Number(first.dueAt)) / 1000);
  if (oldestDueSeconds > 60) log.info('due.late', { oldestDueSeconds });
}

/** What fails stays in the index, and is met again at the next minute. */
async function tickAll(items: Item[], { recorder, log }: WalkDeps): Promise<void> {
  if (items.length === 0) return;
  try {
    await recorder.tick(items.map((item) => item.pk.slice('CONTACT#'.length)));
  } catch (error) {
    log.error('tick.failed', faultOf(error));
  }
}

async function releaseLane(lane: Message['lane'], shard: string, deps: WalkDeps): Promise<void> {
  const { table, queue, now, rate, urls } = deps;
  const share = lane === 'bulk' ? 0.8 : 1;
  const most = Math.max(10, Math.ceil((rate * SECONDS_OF_SENDS * share) / table.shards));
  const page = await table.due(`DUE#${lane}#${shard}`, now(), most);
  if (page.items.length === 0) return;
  sayLate(page.items, deps);
  const found = await table.read(page.items.map(({ pk, sk }) => ({ pk, sk })));
  const messages = page.items.flatMap(({ pk, sk }) => found.get({ pk, sk }) ?? []);
  const released: { contact: string; message: string }[] = [];
  const watermark = messages.some((item) => item.state === 'claimed') ? await readWatermark(table) : undefined;
  for (const item of messages) {
    // The index lags behind: what was put off meanwhile is not due.
    if (typeof item.dueAt !== 'number' || item.dueAt > now()) continue;
    const ready = await readyAgain(item, watermark, deps);
    if (ready) released.push({ contact: item.pk.slice('CONTACT#'.length), message: item.sk.slice('MESSAGE#'.length) });
  }
  await queue.send(lane === 'bulk' ? urls.bulk : urls.triggered, released);
}

/** Whether a due message goes to the queue now. It is put off in the index first, so that nobody else releases it. */
async function readyAgain(item: Item, watermark: number | undefined, deps: WalkDeps): Promise<boolean> {
  const { table, now, log } = deps;
  const message = readMessage(item);
  if (message.state === 'ready') {
    return table.update(key.message(message.contact, message.id), {
      UpdateExpression: 'SET dueAt = :later',
      ConditionExpression: '#state = :ready AND dueAt = :due',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: { ':later': now() + RELEASED_FOR, ':ready': 'ready', ':due': item.dueAt },
    });
  }
  if (message.state !== 'claimed') return false;
  const verdict = reconcile(message, watermark, now());
  switch (verdict.kind) {
    case 'wait':
      await table.replaceMessage(item, { ...message, due: verdict.until });
      return false;
    case 'again': {
      const { claimedAt: _, ...rest } = message;
      log.warn('claim.again', { campaign: message.campaign, attempts: message.attempts });
      return table.replaceMessage(item, { ...rest, state: 'ready', due: now() + RELEASED_FOR });
    }
    case 'uncertain': {
      const { due: _, ...rest } = message;
      log.error('claim.uncertain', { campaign: message.campaign, message: message.id });
      await table.replaceMessage(item, { ...rest, state: 'uncertain', reason: 'no answer and no feedback' });
      return false;
    }
    default: {
      const none: never = verdict;
      return none;
    }
  }
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
}): Promise<boolean> {
  const { table, queue, now, holder, timers, shards } = deps;
  const taken = await table.update(key.lease(), {
    UpdateExpression: 'SET #until = :until, holder = :holder',
    ConditionExpression: 'attribute_not_exists(#until) OR #until <= :now',
    ExpressionAttributeNames: { '#until': 'until' },
    ExpressionAttributeValues: { ':until': now() + LEASE_LASTS, ':now': now(), ':holder': holder },
  });
  if (!taken) return false;
  await queue.send(
    timers,
    shards.map((shard) => ({ shard })),
  );
  await table.update(key.lease(), {
    UpdateExpression: 'SET #until = :now',
    ConditionExpression: 'holder = :holder',
    ExpressionAttributeNames: { '#until': 'until' },
    ExpressionAttributeValues: { ':now': now(), ':holder': holder },
  });
  return true;
}
