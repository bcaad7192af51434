// Walking what is due in a shard: contacts to their ticks, turns of products to who watches them, notices to the bus, messages to the send queues, open claims to settle.
import { BULK_SHARE } from '../../domain/allowance.ts';
import type { Message } from '../../domain/message.ts';
import type { BookStore } from './book-store.ts';
import { openBroadcasts } from './broadcasts.ts';
import type { Bus } from './bus.ts';
import { readWatermark, reconcile } from './claims.ts';
import { faultOf, type Log, once } from './handler.ts';
import { putNotices } from './notices.ts';
import type { Queue } from './queue.ts';
import type { Recorder } from './recorder.ts';
import { RELEASED_FOR, type Release, SECONDS_OF_SENDS } from './release.ts';
import { chunks, type Item, type Key, key, pooled, readMessage, shardText, type Table } from './table.ts';
import { openTurns, type TurnStep, walkTurn } from './turns.ts';

type Lane = Message['lane'];

const TICKS_A_PAGE = 100;
const TURNS_A_MINUTE = 100;
/** Messages of a shard that are looked at in one turn, at least and at most. */
const TURN = { least: 25, most: 1000 };
/** Writes at a time, and messages that are written before they are queued: what dies between is due again in minutes. */
const WIDTH = 24;
const QUEUED_AT_ONCE = 100;
const KEPT_SECONDS = 3600;

export interface Walk {
  shard: string;
  /** Where the walk over due contacts goes on. */
  ticks?: Record<string, unknown>;
  /** What may be released; absent where nobody has looked how full the queues are. */
  release?: Release;
  /** A further turn of one lane: this shard has more due, and there was room. */
  lane?: Lane;
  /** A page of those who watch a product that has turned. */
  turn?: TurnStep;
}

export interface WalkDeps {
  table: Table;
  recorder: Recorder;
  queue: Queue;
  bus: Bus;
  now: () => number;
  log: Log;
  /** Sends a second, where the walk brings no room of its own. */
  rate: number;
  urls: { timers: string; triggered: string; bulk: string };
  /** What campaigns that start by themselves need: without it no product turns, and no broadcast begins. */
  starting?: {
    books: BookStore;
    rosterUrl: string;
    /** Contacts a second at which the roster is walked. */
    walkRate?: number;
  };
}

/** One step of a walk. It posts the next one itself while more contacts are due. */
export async function walkDue(walk: Walk, deps: WalkDeps, id: string = crypto.randomUUID()): Promise<void> {
  const { table, queue, now, urls, starting } = deps;
  if (walk.turn !== undefined) {
    if (starting !== undefined) await walkTurn(walk.turn, walk.shard, { ...deps, ...starting }, id);
    return;
  }
  if (walk.lane !== undefined) return releaseLane(walk.lane, walk, deps);
  const page = await table.due(`DUE#tick#${walk.shard}`, now(), TICKS_A_PAGE, walk.ticks);
  sayLate(page.items, deps);
  // The rest is another function's: it runs beside this page.
  if (page.next !== undefined) await queue.send(urls.timers, [{ shard: walk.shard, ticks: page.next }]);
  await tickAll(page.items, deps);
  if (walk.ticks === undefined) {
    await start(walk.shard, deps);
    await releaseLane('triggered', walk, deps);
    await releaseLane('bulk', walk, deps);
    // Last: a bus that does not answer keeps no mail waiting.
    await putNotices(walk.shard, deps);
  }
}

/** What begins by itself: turns of products that stand in the shard, and, in the first shard, broadcasts. What fails is met again at the next minute. */
async function start(shard: string, deps: WalkDeps): Promise<void> {
  const { table, now, log, starting } = deps;
  if (starting === undefined) return;
  try {
    const { items } = await table.due(`DUE#turn#${shard}`, now(), TURNS_A_MINUTE);
    sayLate(items, deps);
    await openTurns(items, shard, { ...deps, ...starting });
  } catch (error) {
    log.error('turns.failed', faultOf(error));
  }
  if (shard !== shardText(0)) return;
  try {
    await openBroadcasts({ ...deps, ...starting });
  } catch (error) {
    log.error('broadcasts.failed', faultOf(error));
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

/** What the messages of one turn share. */
interface Turn extends WalkDeps {
  putOff: number;
  paused: Record<string, number>;
  watermark: () => Promise<number | undefined>;
}

/**
 * One turn of a lane: as many as there is room for go to the queue, at most the shard's part of the minute; a shard that
 * has more due takes another turn while there is room, after the others had theirs. So the queue is filled whether what
 * is due stands in one shard or in all.
 *
 * A released message costs one conditional write (1 unit up to 1 KB, and 2 in the due index, where it moves) and a tenth
 * of a queue call; a turn costs a query, and a write that takes its room.
 */
async function releaseLane(lane: Lane, walk: Walk, deps: WalkDeps): Promise<void> {
  const { table, queue, now, rate, urls } = deps;
  const given = walk.release?.lanes[lane] ?? { room: roomOf(rate, lane, SECONDS_OF_SENDS / 2) };
  const share = Math.ceil(('room' in given ? given.room : roomOf(rate, lane, SECONDS_OF_SENDS)) / table.shards);
  const most = Math.min(TURN.most, Math.max(TURN.least, share));
  const page = await table.due(`DUE#${lane}#${walk.shard}`, now(), most);
  if (page.items.length === 0) return;
  sayLate(page.items, deps);
  const turn: Turn = {
    ...deps,
    putOff: 'putOff' in given ? given.putOff : RELEASED_FOR,
    paused: walk.release?.paused ?? {},
    watermark: once(() => readWatermark(table)),
  };
  if ('putOff' in given) return putAllOff(page.items, turn);
  const granted = await takeRoom(lane, page.items.length, given.room, walk, deps);
  let queued = 0;
  await pooled(chunks(page.items.slice(0, granted.count), QUEUED_AT_ONCE), 2, async (chunk) => {
    const released: { contact: string; message: string }[] = [];
    // The index does not say the campaign; while none is paused nobody needs to know.
    const found =
      Object.keys(turn.paused).length === 0 ? undefined : await table.read(chunk.map(({ pk, sk }) => ({ pk, sk })));
    await pooled(chunk, WIDTH, async (item) => {
      if (await isReleased(item, turn, found?.get(item)?.campaign as string | undefined)) released.push(wantedOf(item));
    });
    await queue.send(urls[lane], released);
    queued += released.length;
  });
  // What waits for a claim or a pause has not used its room: another message may, so that it keeps nobody waiting.
  const unused = granted.count - queued;
  if (unused > 0) await giveRoomBack(lane, unused, walk, deps);
  // What there is no room for stays as it is; open claims among it are settled all the same.
  if (granted.count < page.items.length) await settleClaims(page.items.slice(granted.count), turn);
  else if (walk.release !== undefined && page.items.length === most && (granted.more || unused > 0)) {
    await queue.send(urls.timers, [{ shard: walk.shard, release: walk.release, lane }]);
  }
}

const roomOf = (rate: number, lane: Lane, seconds: number): number =>
  Math.max(1, Math.ceil(rate * seconds * (lane === 'bulk' ? BULK_SHARE : 1)));

const wantedOf = ({ pk, sk }: Key) => ({ contact: pk.slice('CONTACT#'.length), message: sk.slice('MESSAGE#'.length) });

/** Takes part of the minute's room: how much, and whether any was left. */
async function takeRoom(
  lane: Lane,
  wanted: number,
  room: number,
  { release }: Walk,
  { table }: WalkDeps,
): Promise<{ count: number; more: boolean }> {
  if (release === undefined) return { count: Math.min(wanted, Math.ceil(room / table.shards) + 9), more: false };
  for (let take = Math.min(wanted, room); take > 0; ) {
    const answer = await table.updateAnd(key.release(lane, release.minute), {
      UpdateExpression: 'ADD released :take SET #ttl = :ttl',
      ConditionExpression: 'attribute_not_exists(released) OR released <= :left',
      ExpressionAttributeNames: { '#ttl': 'ttl' },
      ExpressionAttributeValues: {
        ':take': take,
        ':left': room - take,
        ':ttl': Math.floor(release.minute / 1000) + KEPT_SECONDS,
      },
    });
    if ('updated' in answer) return { count: take, more: Number(answer.updated.released) < room };
    take = Math.min(take - 1, room - Number(answer.refused.released));
  }
  return { count: 0, more: false };
}

async function giveRoomBack(lane: Lane, unused: number, { release }: Walk, { table }: WalkDeps): Promise<void> {
  if (release === undefined) return;
  await table.update(key.release(lane, release.minute), {
    UpdateExpression: 'ADD released :unused',
    ExpressionAttributeValues: { ':unused': -unused },
  });
}

/** Puts a whole page off; open claims are settled. */
async function putAllOff(items: Item[], turn: Turn): Promise<void> {
  await pooled(items, WIDTH, async (item) => void (await isReleased(item, turn)));
}

async function settleClaims(items: Item[], turn: Turn): Promise<void> {
  const found = await turn.table.read(items.slice(0, QUEUED_AT_ONCE).map(({ pk, sk }) => ({ pk, sk })));
  const claims = items.flatMap((item) => found.get(item) ?? []).filter((item) => item.state === 'claimed');
  await pooled(claims, WIDTH, async (claim) => void (await isAgain(claim, turn)));
}

/**
 * Whether a due message goes to the queue now. It is put off in the index first, so that nobody else releases it; what
 * the index says may be old, so the write asks.
 */
async function isReleased(entry: Item, turn: Turn, campaign?: string): Promise<boolean> {
  const { table, now } = turn;
  const pause = campaign === undefined ? undefined : turn.paused[campaign];
  const answer = await table.updateAnd(
    { pk: entry.pk, sk: entry.sk },
    {
      UpdateExpression: 'SET dueAt = :later',
      ConditionExpression: '#state = :ready AND dueAt = :due',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: { ':later': now() + (pause ?? turn.putOff), ':ready': 'ready', ':due': entry.dueAt },
    },
  );
  // Of a paused campaign nothing is queued: the sender would but put it off again.
  if ('updated' in answer) return pause === undefined;
  const item = answer.refused as Item;
  return item.state === 'claimed' && Number(item.dueAt) <= now() && isAgain(item, turn);
}

/** What becomes of an open claim; true when it is ready again and goes to the queue. */
async function isAgain(item: Item, turn: Turn): Promise<boolean> {
  const { table, now, log, putOff } = turn;
  const message = readMessage(item);
  const verdict = reconcile(message, await turn.watermark(), now());
  switch (verdict.kind) {
    case 'wait': {
      const { until, provenAt } = verdict;
      await table.replaceMessage(item, { ...message, due: until, ...(provenAt !== undefined && { provenAt }) });
      return false;
    }
    case 'again': {
      const { claimedAt: _, provenAt: __, ...rest } = message;
      log.warn('claim.again', { campaign: message.campaign, attempts: message.attempts });
      return table.replaceMessage(item, { ...rest, state: 'ready', due: now() + putOff });
    }
    case 'uncertain': {
      const { due: _, ...rest } = message;
      log.error('claim.uncertain', { campaign: message.campaign, id: message.id });
      await table.replaceMessage(item, { ...rest, state: 'uncertain', reason: 'no answer and no feedback' });
      return false;
    }
    default: {
      const none: never = verdict;
      return none;
    }
  }
}
