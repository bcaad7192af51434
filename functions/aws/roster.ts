// Walking all contacts after a publish: each is taken over to the new definitions, shard by shard, at a set rate.
import type { BookStore, Pointer } from './book-store.ts';
import { now as realNow } from './clock.ts';
import type { Queue } from './queue.ts';
import type { Recorder } from './recorder.ts';
import { type Item, key, shardText, type Table } from './table.ts';

const MOST_A_PAGE = 100;
/** SQS delays a message by at most so many seconds. */
const MOST_DELAY = 900;
/** Of one page: more than these at once are a fault of the book or of the table, not of a contact. */
const MOST_ALONE = 5;
const KEPT_SECONDS = 90 * 86_400;

/**
 * Seconds between a publish and the first page. A worker may hold the former book for ten seconds, and a contact that it
 * makes stands in the index a moment later: by then the walk must not have passed its place.
 */
export const SETTLE_SECONDS = 15;

/** A message of a walk. */
export interface RosterStep {
  hash: string;
  ordinal: number;
  shard: string;
  /** Which page of the shard; without it the shard is opened, or goes on where its checkpoint stands. */
  page?: number;
  /** Where that page begins. */
  cursor?: Record<string, unknown>;
  /** Contacts that their page could not take over: they are tried alone, and the walk goes on without them. */
  contacts?: string[];
}

export interface RosterDeps {
  table: Table;
  books: BookStore;
  recorder: Recorder;
  queue: Queue;
  url: string;
  /** Contacts a second of the whole account; without it pages follow each other at once. */
  rate?: number;
  now?: () => number;
}

/**
 * How many contacts a page holds, and how many seconds pass from one page of a shard to its next, so that all shards
 * together walk at most `rate` contacts a second. No pause where even a full page a second would be too slow.
 */
export function paceOf(rate: number, shards: number): { page: number; pause: number } {
  const pause = Math.min(MOST_DELAY, Math.floor((MOST_A_PAGE * shards) / rate));
  if (pause === 0) return { page: MOST_A_PAGE, pause };
  return { page: Math.max(1, Math.min(MOST_A_PAGE, Math.floor((pause * rate) / shards))), pause };
}

/** What each shard's walk is opened with; again, to go on where a walk was lost. */
export function rosterSteps(hash: string, ordinal: number, shards: number): RosterStep[] {
  return Array.from({ length: shards }, (_, shard) => ({ hash, ordinal, shard: shardText(shard) }));
}

/**
 * Does one page and posts the next, which SQS holds back until it is due. The shard that ends last marks the book as
 * filled: its campaigns are live.
 *
 * A shard's checkpoint names its next page and the message that has moved it there (`id`). So a message that comes again
 * after a crash posts what it may not have posted, while a second chain over the same shard ends at its next step; two
 * that do the same page at once do each contact twice, which changes nothing. Throws what makes the message come again.
 */
export async function walkRoster(step: RosterStep, deps: RosterDeps, id: string = crypto.randomUUID()): Promise<void> {
  const { table, books, recorder } = deps;
  const pointer = (await table.readOne(key.pointer())) as Pointer | undefined;
  // A newer book has its own walk, which fills all that this one would have.
  if (pointer?.hash !== step.hash) return;
  const book = await books.atLeast(step.ordinal);
  if (book.definitions.ordinal < step.ordinal) throw new Error('roster: the book cannot be read');
  if (step.contacts !== undefined) {
    const [first] = await recorder.refresh(step.contacts);
    if (first !== undefined) throw first.error;
    return;
  }
  const mark = await table.readOne(key.fill(step.ordinal, step.shard));
  if (mark?.done === true) return endWalk(step, table);
  const at = Number(mark?.page ?? 0);
  if (step.page === undefined) return post(step, mark, deps, staggered(step, deps));
  if (step.page !== at) {
    if (mark?.by === id) await post(step, mark, deps, paceFor(deps).pause);
    return;
  }
  await walkPage(step, mark, deps, id);
}

async function walkPage(step: RosterStep, mark: Item | undefined, deps: RosterDeps, id: string): Promise<void> {
  const { table, queue, url, now = realNow } = deps;
  const { page: size, pause } = paceFor(deps);
  const page = await table.roster(step.shard, size, step.cursor);
  const left = await takeOver(
    page.items.map((item) => item.pk.slice('CONTACT#'.length)),
    deps.recorder,
  );
  if (left.length > 0) {
    const { hash, ordinal, shard } = step;
    await queue.send(url, [{ hash, ordinal, shard, contacts: left }]);
  }
  const done = page.next === undefined;
  const next = {
    page: Number(step.page) + 1,
    walked: Number(mark?.walked ?? 0) + page.items.length,
    ...(page.next !== undefined && { cursor: page.next }),
  };
  const moved = await table.update(key.fill(step.ordinal, step.shard), {
    UpdateExpression: `SET #page = :next, walked = :walked, #done = :done, #by = :id, #at = :now, #ttl = :ttl${
      done ? ' REMOVE #cursor' : ', #cursor = :cursor'
    }`,
    ConditionExpression: mark?.page === undefined ? 'attribute_not_exists(#page)' : '#page = :page',
    ExpressionAttributeNames: {
      '#page': 'page',
      '#done': 'done',
      '#by': 'by',
      '#at': 'at',
      '#ttl': 'ttl',
      '#cursor': 'cursor',
    },
    ExpressionAttributeValues: {
      ':next': next.page,
      ':walked': next.walked,
      ':done': done,
      ':id': id,
      ':now': now(),
      ':ttl': Math.floor(now() / 1000) + KEPT_SECONDS,
      ...(mark?.page !== undefined && { ':page': step.page }),
      ...(page.next !== undefined && { ':cursor': page.next }),
    },
  });
  // Another chain was faster, and goes on.
  if (!moved) return;
  if (done) await endWalk(step, table);
  else await post(step, next, deps, pause);
}

/** Answers the contacts that could not be taken over, twice in a row. Throws where they are many. */
async function takeOver(ids: string[], recorder: Recorder): Promise<string[]> {
  let failed = await recorder.refresh(ids);
  if (failed.length > 0) failed = await recorder.refresh(failed.map((each) => each.id));
  const [first] = failed;
  if (first !== undefined && failed.length > MOST_ALONE) throw first.error;
  return failed.map((each) => each.id);
}

/** The pace of a walk; a full page after the other where no rate is set. */
export function paceFor({ rate, table }: Pick<RosterDeps, 'rate' | 'table'>): { page: number; pause: number } {
  return rate === undefined ? { page: MOST_A_PAGE, pause: 0 } : paceOf(rate, table.shards);
}

/** Shards begin one after another, so that their pages do not fall together. */
function staggered({ shard }: RosterStep, deps: RosterDeps): number {
  return Math.floor((Number(shard) * paceFor(deps).pause) / deps.table.shards);
}

/** Posts the page that a checkpoint names. */
async function post(
  { hash, ordinal, shard }: RosterStep,
  mark: Record<string, unknown> | undefined,
  { queue, url }: RosterDeps,
  delay: number,
): Promise<void> {
  const cursor = mark?.cursor as RosterStep['cursor'];
  const next: RosterStep = { hash, ordinal, shard, page: Number(mark?.page ?? 0), ...(cursor && { cursor }) };
  await queue.send(url, [next], delay);
}

async function endWalk({ ordinal }: RosterStep, table: Table): Promise<void> {
  const marks = await table.under(key.fill(ordinal, '').pk, key.fill(ordinal, '').sk);
  if (marks.filter((mark) => mark.done === true).length < table.shards) return;
  await table.update(key.controls(), {
    UpdateExpression: 'SET filled = :ordinal, paused = if_not_exists(paused, :none)',
    ConditionExpression: 'attribute_not_exists(filled) OR filled < :ordinal',
    ExpressionAttributeValues: { ':ordinal': ordinal, ':none': {} },
  });
}
