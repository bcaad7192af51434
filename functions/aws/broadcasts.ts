// Broadcasts and walks over those inside a segment: opened once, when their time comes; watched until their walk has ended.
import type { Book } from '../../domain/book.ts';
import {
  type Broadcast,
  type Busy,
  drainsAt,
  isOccurrence,
  occurrencesBetween,
  type WalkPace,
  walkLead,
} from '../../domain/broadcast.ts';
import { isBroadcast, whenOf } from '../../domain/campaign-parts.ts';
import type { CompiledCampaign } from '../../domain/compiled-campaign.ts';
import { isLive } from '../../domain/eligibility.ts';
import { durationMs } from '../../domain/time.ts';
import type { BookStore } from './book-store.ts';
import type { Log } from './handler.ts';
import type { Queue } from './queue.ts';
import { paceOf } from './roster.ts';
import { type Item, key, shardText, type Table } from './table.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const KEPT = 90 * DAY;
/** How late somebody may get a broadcast whose campaign says nothing of it. */
const PATIENCE = 60 * MINUTE;
/** The number of contacts is counted anew after so long. */
const COUNTED_FOR = 6 * 60 * MINUTE;
/** A page that failed comes again after six minutes, and at the slowest rate a shard rests for fifteen. */
export const STALLED = 25 * MINUTE;
const A_COUNT = 1000;

/** One walk that campaigns ask for: an occurrence of a broadcast, or all who are inside a segment when a campaign goes live. */
export interface WalkOf {
  campaign: string;
  /** The local date, or `inside|<segment>`. */
  occurrence: string;
}

/** What stands of a walk under its occurrence. */
export interface WalkHead extends WalkOf {
  openedAt: number;
  /** Instants between which its people have it; of those inside a segment the first is when it was opened. */
  first: number;
  last: number;
  /** All shards were asked to begin. */
  posted?: boolean;
  endedAt?: number;
  /** Why it ended before it was through. */
  why?: string;
}

/** What stands of one shard of a walk. */
export interface WalkMark {
  page: number;
  walked: number;
  booked: number;
  /** People who would have had it at a time that was too long ago. */
  late: number;
  busy: Busy;
  done: boolean;
  at: number;
  /** It waits for the end of a pause. */
  rests?: boolean;
  cursor?: Record<string, unknown>;
  by?: string;
}

/** A message of such a walk, through the roster queue. */
export interface BroadcastStep {
  broadcast: WalkOf;
  shard: string;
  /** Which page of the shard; without it the shard goes on where its checkpoint stands. */
  page?: number;
  /** Contacts that their page could not book: they are tried alone, and the walk goes on without them. */
  contacts?: string[];
}

export interface OpeningDeps {
  table: Table;
  books: BookStore;
  queue: Queue;
  now: () => number;
  log: Log;
  rosterUrl: string;
  /** Contacts a second at which the roster is walked; without it pages follow each other at once. */
  walkRate?: number;
}

/** Whether a campaign still has what a walk was opened for. */
export function stillMeans({ campaign: { when } }: Pick<CompiledCampaign, 'campaign'>, occurrence: string): boolean {
  if (isBroadcast(when)) return isOccurrence(when as Broadcast, occurrence);
  const enters = whenOf(when, 'enters');
  return enters?.alsoThoseInside !== undefined && occurrence === `inside|${enters.enters}`;
}

/** How late somebody may get it, in milliseconds: as long as the campaign lets a message wait, else an hour. */
export function patienceFor({ campaign: { expires } }: Pick<CompiledCampaign, 'campaign'>): number {
  return expires === undefined ? PATIENCE : durationMs(expires);
}

interface Planned extends WalkOf {
  first: number;
  last: number;
  /** How long after its last instant it is still begun. */
  patience: number;
}

/**
 * Opens what is to be walked by now and was not opened yet, and posts its shards; posts those again whose walk has been
 * lost, or has waited for the end of a pause. Asked each minute, by one shard. What a crash leaves undone, the next minute
 * finds: an occurrence is opened by a conditional write, and a shard that is posted twice goes on where it stands.
 *
 * Costs half a read unit for each walk that may be under way, another two while one is, and each six hours before a
 * broadcast a count of one shard of the roster (half a unit for each 40 contacts of it).
 */
export async function openBroadcasts(deps: OpeningDeps): Promise<void> {
  const { table, books, now } = deps;
  const book = await books.current();
  const planned = await plannedWalks(book, deps);
  if (planned.length === 0) return;
  const found = await table.read(planned.map(({ campaign, occurrence }) => key.broadcast(campaign, occurrence)));
  for (const walk of planned) {
    const head = found.get(key.broadcast(walk.campaign, walk.occurrence));
    const paused = book.controls.paused[walk.campaign] !== undefined;
    if (head === undefined) {
      // What is opened in a pause would be walked in vain: its messages would be old when it ends.
      const open = !paused && now() <= walk.last + walk.patience;
      if (open && (await table.create(headItem(walk, now())))) await postAll(walk, deps);
    } else if (head.endedAt === undefined && !paused) {
      if (head.posted !== true) await postAll(walk, deps);
      else await postLost(walk, head, deps);
    }
  }
}

/** Walks that may have to begin, or be under way, by now. */
async function plannedWalks(book: Book, deps: OpeningDeps): Promise<Planned[]> {
  const now = deps.now();
  const { zone } = book.definitions.settings;
  const planned: Planned[] = [];
  const isFilled = ({ since }: CompiledCampaign): boolean => since <= book.controls.filled;
  let lead: number | undefined;
  for (const one of book.starts.broadcast.filter(isFilled)) {
    const { id: campaign } = one;
    const when = one.campaign.when as Broadcast;
    const patience = patienceFor(one);
    const { starts, ends } = one.campaign;
    // First by the longest that a walk may take: only then are contacts counted.
    const near = occurrencesBetween(when, zone, now - patience - KEPT_OPEN, now + MOST_LEAD);
    for (const { id: occurrence, first, last } of near) {
      if ((starts !== undefined && occurrence < starts) || (ends !== undefined && occurrence > ends)) continue;
      lead ??= first > now ? await leadFor(deps) : undefined;
      if (first - (lead ?? 0) <= now) planned.push({ campaign, occurrence, first, last, patience });
    }
  }
  for (const one of book.starts.enters.filter((each) => isLive(book, each, now))) {
    const enters = whenOf(one.campaign.when, 'enters');
    if (enters?.alsoThoseInside === undefined) continue;
    planned.push({ campaign: one.id, occurrence: `inside|${enters.enters}`, first: now, last: now, patience: DAY });
  }
  return planned;
}

/** No walk is begun earlier than this before its first instant. */
const MOST_LEAD = 2 * DAY;
/** A walk that is under way is looked after for so long beyond its last instant. */
const KEPT_OPEN = DAY;

async function leadFor({ table, now, walkRate }: OpeningDeps): Promise<number> {
  const pace: WalkPace = walkRate === undefined ? { page: 100, pause: 0 } : paceOf(walkRate, table.shards);
  const shard = await contactsOfShard(table, now());
  return Math.min(MOST_LEAD, walkLead(shard, pace));
}

/** About how many contacts the largest shard of the roster has: one is counted, others may hold somewhat more. */
async function contactsOfShard(table: Table, now: number): Promise<number> {
  const known = await table.readOne(key.contactCount());
  if (known !== undefined && now - Number(known.at) < COUNTED_FOR) return Number(known.contacts);
  let counted = 0;
  let from: Record<string, unknown> | undefined;
  do {
    const page = await table.roster(shardText(0), A_COUNT, from);
    counted += page.items.length;
    from = page.next;
  } while (from !== undefined);
  const contacts = Math.ceil(counted + 4 * Math.sqrt(counted) + 10);
  await table.overwrite({ ...key.contactCount(), at: now, contacts });
  return contacts;
}

function headItem({ campaign, occurrence, first, last }: Omit<Planned, 'patience'>, now: number): Item {
  const isInside = occurrence.startsWith('inside|');
  return {
    ...key.broadcast(campaign, occurrence),
    shape: 1,
    campaign,
    occurrence,
    openedAt: now,
    first,
    last,
    // Those inside a segment are walked once for good.
    ...(!isInside && { ttl: Math.ceil((last + KEPT) / 1000) }),
  };
}

async function postAll({ campaign, occurrence }: WalkOf, { table, queue, rosterUrl, log }: OpeningDeps): Promise<void> {
  const steps: BroadcastStep[] = Array.from({ length: table.shards }, (_, shard) => ({
    broadcast: { campaign, occurrence },
    shard: shardText(shard),
  }));
  await queue.send(rosterUrl, steps);
  await table.update(key.broadcast(campaign, occurrence), {
    UpdateExpression: 'SET posted = :yes',
    ExpressionAttributeValues: { ':yes': true },
  });
  log.info('broadcast.opened', { campaign, occurrence });
}

/** Shards of a walk that do not move: one that rested in a pause at once, one that was lost after a while. */
async function postLost(walk: WalkOf, head: Item, deps: OpeningDeps): Promise<void> {
  const { table, queue, rosterUrl, now, log } = deps;
  const { campaign, occurrence } = walk;
  const marks = await readMarks(table, walk);
  const lost = Array.from({ length: table.shards }, (_, shard) => shardText(shard)).filter((shard) => {
    const mark = marks.get(shard);
    if (mark?.done === true) return false;
    return mark?.rests === true || now() - (mark?.at ?? Number(head.openedAt)) > STALLED;
  });
  if (lost.length === 0) {
    // The last word of a walk was lost.
    if (isThrough(marks, table.shards)) await endWalk(walk, undefined, deps);
    return;
  }
  await queue.send(
    rosterUrl,
    lost.map((shard): BroadcastStep => ({ broadcast: { campaign, occurrence }, shard })),
  );
  log.warn('broadcast.resumed', { campaign, occurrence, shards: lost.length });
}

/** What stands of each shard of a walk, by shard. */
export async function readMarks(table: Table, { campaign, occurrence }: WalkOf): Promise<Map<string, WalkMark>> {
  const { pk, sk } = key.broadcast(campaign, occurrence, '');
  const items = await table.under(pk, sk);
  return new Map(items.map((item) => [item.sk.slice(sk.length), readMark(item)]));
}

/** What stands of one shard. */
export const readMark = (item: Item): WalkMark => ({
  page: 0,
  walked: 0,
  booked: 0,
  late: 0,
  busy: [],
  done: false,
  ...(item as unknown as Partial<WalkMark> & { at: number }),
});

/** Whether all shards have been walked to their end. */
export const isThrough = (marks: ReadonlyMap<string, WalkMark>, shards: number): boolean =>
  [...marks.values()].filter(({ done }) => done).length >= shards;

/** A walk is through, or has ended for another reason. */
export async function endWalk(
  { campaign, occurrence }: WalkOf,
  why: string | undefined,
  { table, now, log }: Pick<OpeningDeps, 'table' | 'now' | 'log'>,
): Promise<void> {
  const ended = await table.update(key.broadcast(campaign, occurrence), {
    UpdateExpression: `SET endedAt = :now${why === undefined ? '' : ', why = :why'}`,
    ConditionExpression: 'attribute_not_exists(endedAt)',
    ExpressionAttributeValues: { ':now': now(), ...(why !== undefined && { ':why': why }) },
  });
  if (ended) log.info('broadcast.walked', { campaign, occurrence, ...(why !== undefined && { why }) });
}

/** How far a walk is: for people. */
export interface WalkState extends WalkHead {
  walked: number;
  booked: number;
  late: number;
  shards: number;
  shardsDone: number;
  /** It waits for the end of a pause. */
  rests: boolean;
  /** When the last of those booked so far has their turn. */
  drainsAt?: number;
  /** When something moved last. */
  movedAt: number;
}

/** The walks that campaigns of a book have had lately, newest first within a campaign. */
export async function walkStates(table: Table, book: Book, most = 3): Promise<WalkState[]> {
  const asking = [...book.starts.broadcast, ...book.starts.enters].filter(
    ({ campaign: { when } }) => isBroadcast(when) || whenOf(when, 'enters')?.alsoThoseInside !== undefined,
  );
  const states = await Promise.all(
    asking.map(async ({ id }) => {
      const items = await table.newest(key.broadcast(id, '').pk, most * (table.shards + 1));
      const heads = items.filter((item) => item.openedAt !== undefined).slice(0, most);
      return Promise.all(
        heads.map(async (item) =>
          stateOf(item as unknown as WalkHead, await readMarks(table, item as unknown as WalkHead), table),
        ),
      );
    }),
  );
  return states.flat();
}

function stateOf(head: WalkHead, marks: ReadonlyMap<string, WalkMark>, { shards }: Pick<Table, 'shards'>): WalkState {
  const all = [...marks.values()];
  const sum = (of: 'walked' | 'booked' | 'late'): number => all.reduce((total, mark) => total + mark[of], 0);
  const drains = all.flatMap(({ busy }) => drainsAt(busy) ?? []);
  const { campaign, occurrence, openedAt, first, last, posted, endedAt, why } = head;
  return {
    campaign,
    occurrence,
    openedAt,
    first,
    last,
    ...(posted !== undefined && { posted }),
    ...(endedAt !== undefined && { endedAt }),
    ...(why !== undefined && { why }),
    walked: sum('walked'),
    booked: sum('booked'),
    late: sum('late'),
    shards,
    shardsDone: all.filter(({ done }) => done).length,
    rests: endedAt === undefined && all.some(({ rests }) => rests === true),
    ...(drains.length > 0 && { drainsAt: Math.max(...drains) }),
    movedAt: Math.max(openedAt, ...all.map(({ at }) => at)),
  };
}
