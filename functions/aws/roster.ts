// Walking all contacts after a publish, or after new models: shard by shard, at a set rate.
import type { BookStore, Pointer } from './book-store.ts';
import { now as realNow } from './clock.ts';
import type { Queue } from './queue.ts';
import type { Recorder } from './recorder.ts';
import { type Item, type Key, key, shardText, type Table } from './table.ts';

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
  /**
   * What is walked for: definitions, which contacts are taken over to in silence; or `models`, over which each is decided
   * as at any instant: who enters a segment by them enters it.
   */
  of?: 'models';
  /** Of the definitions, or of the models. */
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

/** The same of a walk that models have led to. */
export function modelSteps({ hash, ordinal }: Pick<RosterStep, 'hash' | 'ordinal'>, shards: number): RosterStep[] {
  return rosterSteps(hash, ordinal, shards).map((step) => ({ of: 'models', ...step }));
}

/** Where the checkpoint of a shard stands. */
const markOf = ({ of, ordinal }: Pick<RosterStep, 'of' | 'ordinal'>, shard: string): Key =>
  of === 'models' ? key.modelsWalk(ordinal, shard) : key.fill(ordinal, shard);

/**
 * Does one page and posts the next, which SQS holds back until it is due. The shard that ends last marks the book as
 * filled: its campaigns are live.
 *
 * A shard's checkpoint names its next page and the message that has moved it there (`id`). So a message that comes again
 * after a crash posts what it may not have posted, while a second chain over the same shard ends at its next step; two
 * that do the same page at once do each contact twice, which changes nothing. Throws what makes the message come again.
 */
export async function walkRoster(step: RosterStep, deps: RosterDeps, id: string = crypto.randomUUID()): Promise<void> {
  const { table } = deps;
  if (!(await isWanted(step, deps))) return;
  if (step.contacts !== undefined) {
    const [first] = await meet(step.contacts, step, deps);
    if (first !== undefined) throw first.error;
    return;
  }
  const mark = await table.readOne(markOf(step, step.shard));
  if (mark?.done === true) return endWalk(step, table);
  const at = Number(mark?.page ?? 0);
  if (step.page === undefined) return post(step, mark, deps, staggered(step, deps));
  if (step.page !== at) {
    if (mark?.by === id) await post(step, mark, deps, paceFor(deps).pause);
    return;
  }
  await walkPage(step, mark, deps, id);
}

/** Whether this walk is still the one to be done. Throws where what it is for cannot be read. */
async function isWanted({ of, hash, ordinal }: RosterStep, { table, books }: RosterDeps): Promise<boolean> {
  if (of === 'models') {
    const run = await table.readOne(key.modelsRun());
    // A later walk decides over the models of then, and so does this one: one of them is enough.
    if ((run?.walk as ModelsWalk | undefined)?.ordinal !== ordinal) return false;
    if (((await books.current()).models?.ordinal ?? 0) >= ordinal) return true;
    if (((await books.fresh()).models?.ordinal ?? 0) >= ordinal) return true;
    throw new Error('roster: the models cannot be read');
  }
  const pointer = (await table.readOne(key.pointer())) as Pointer | undefined;
  // A newer book has its own walk, which fills all that this one would have.
  if (pointer?.hash !== hash) return false;
  const book = await books.atLeast(ordinal);
  if (book.definitions.ordinal < ordinal) throw new Error('roster: the book cannot be read');
  return true;
}

/** The walk that models have led to last, as the record of their run holds it. */
export interface ModelsWalk {
  hash: string;
  ordinal: number;
  startedAt: number;
  endedAt?: number;
}

/** Decides over contacts as the walk has it; answers those that could not be decided over. */
const meet = (ids: string[], { of }: RosterStep, { recorder }: RosterDeps) =>
  of === 'models' ? recorder.look(ids) : recorder.refresh(ids);

async function walkPage(step: RosterStep, mark: Item | undefined, deps: RosterDeps, id: string): Promise<void> {
  const { table, queue, url, now = realNow } = deps;
  const { page: size, pause } = paceFor(deps);
  const page = await table.roster(step.shard, size, step.cursor);
  const left = await takeOver(
    page.items.map((item) => item.pk.slice('CONTACT#'.length)),
    step,
    deps,
  );
  if (left.length > 0) {
    const { page: _, cursor, ...rest } = step;
    await queue.send(url, [{ ...rest, contacts: left }]);
  }
  const done = page.next === undefined;
  const next = {
    page: Number(step.page) + 1,
    walked: Number(mark?.walked ?? 0) + page.items.length,
    ...(page.next !== undefined && { cursor: page.next }),
  };
  const moved = await table.update(markOf(step, step.shard), {
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
async function takeOver(ids: string[], step: RosterStep, deps: RosterDeps): Promise<string[]> {
  let failed = await meet(ids, step, deps);
  if (failed.length > 0)
    failed = await meet(
      failed.map((each) => each.id),
      step,
      deps,
    );
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
  { of, hash, ordinal, shard }: RosterStep,
  mark: Record<string, unknown> | undefined,
  { queue, url }: RosterDeps,
  delay: number,
): Promise<void> {
  const cursor = mark?.cursor as RosterStep['cursor'];
  const walk = { ...(of && { of }), hash, ordinal, shard };
  const next: RosterStep = { ...walk, page: Number(mark?.page ?? 0), ...(cursor && { cursor }) };
  await queue.send(url, [next], delay);
}

async function endWalk(step: RosterStep, table: Table): Promise<void> {
  const { ordinal } = step;
  const { pk, sk } = markOf(step, '');
  const marks = await table.under(pk, sk);
  if (marks.filter((mark) => mark.done === true).length < table.shards) return;
  if (step.of === 'models') {
    await table.update(key.modelsRun(), {
      UpdateExpression: 'SET walk.endedAt = :at',
      ConditionExpression: 'walk.#ordinal = :ordinal AND attribute_not_exists(walk.endedAt)',
      ExpressionAttributeNames: { '#ordinal': 'ordinal' },
      ExpressionAttributeValues: {
        ':at': Math.max(...marks.map(({ at }) => Number(at ?? 0))),
        ':ordinal': ordinal,
      },
    });
    return;
  }
  await table.update(key.controls(), {
    UpdateExpression: 'SET filled = :ordinal, paused = if_not_exists(paused, :none)',
    ConditionExpression: 'attribute_not_exists(filled) OR filled < :ordinal',
    ExpressionAttributeValues: { ':ordinal': ordinal, ':none': {} },
  });
}
