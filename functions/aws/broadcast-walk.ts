// Walking the roster for a broadcast: who it is meant for is booked for their own instant, as fast as bulk may be sent.
import type { Book } from '../../domain/book.ts';
import { type Broadcast, type Busy, instantIn, takePlace } from '../../domain/broadcast.ts';
import { whenOf } from '../../domain/campaign-parts.ts';
import type { CompiledCampaign } from '../../domain/compiled-campaign.ts';
import type { Contact } from '../../domain/contact.ts';
import type { Stimulus } from '../../domain/decision.ts';
import { consents, sightOf, zoneOf } from '../../domain/eligibility.ts';
import type { BookStore } from './book-store.ts';
import {
  type BroadcastStep,
  endWalk,
  isThrough,
  patienceFor,
  readMark,
  readMarks,
  stillMeans,
  type WalkHead,
  type WalkMark,
} from './broadcasts.ts';
import type { Log } from './handler.ts';
import type { Queue } from './queue.ts';
import type { Given, Recorder } from './recorder.ts';
import { paceFor } from './roster.ts';
import { key, type Table } from './table.ts';

/** Of one page: more than these at once are a fault of the book or of the table, not of a contact. */
const MOST_ALONE = 5;
const KEPT_SECONDS = 90 * 86_400;

export interface BroadcastDeps {
  table: Table;
  books: BookStore;
  recorder: Recorder;
  queue: Queue;
  url: string;
  now: () => number;
  log: Log;
  /** Contacts a second of the whole account; without it pages follow each other at once. */
  rate?: number;
  /** Messages a second that the bulk lane may send. */
  bulkRate: () => Promise<number>;
}

/**
 * Does one page of a broadcast and posts the next, which SQS holds back until it is due; the shard that ends last ends
 * the walk. Resumed and repeated as the walk after a publish: see `walkRoster`. A page that is done twice books the same
 * people for the same occurrence, which `decide` keeps once.
 *
 * A campaign that is gone, or has another time by now, ends the walk; one that is paused, or whose new version is not
 * live yet, lets it rest until `openBroadcasts` finds that over. One that has changed otherwise goes on as it is now: who is walked from here on
 * is asked by its new rule, and who was booked before is asked by what is live at their time.
 *
 * Ten thousand contacts of which 2,500 are booked (`test/functions/broadcasts.test.ts`, units by the engine's count): 103
 * queue messages, 10,348 read units (a strong read of each contact, 1 for each 4 KB) and 7,605 write units (of each who
 * is booked 2 for each KB of the contact, and 1 of the index).
 */
export async function walkBroadcast(step: BroadcastStep, deps: BroadcastDeps, id: string): Promise<void> {
  const { table, books } = deps;
  const { campaign: of, occurrence } = step.broadcast;
  const item = await table.readOne(key.broadcast(of, occurrence));
  const head = item as unknown as WalkHead | undefined;
  if (head === undefined || head.endedAt !== undefined) return;
  const book = await books.current();
  const campaign = book.campaign.get(of);
  if (campaign === undefined) return endWalk(step.broadcast, 'the campaign is gone', deps);
  if (!stillMeans(campaign, occurrence)) return endWalk(step.broadcast, 'the campaign has another time now', deps);
  const at = key.broadcast(of, occurrence, step.shard);
  const stored = await table.readOne(at);
  const mark = stored === undefined ? undefined : readMark(stored);
  const walk: Walk = { step, head, book, campaign, mark };
  if (step.contacts !== undefined) {
    const booking = await bookingOf(walk, deps);
    const [first] = failuresOf(await deps.recorder.give(step.contacts, booking.stimulusOf));
    if (first !== undefined) throw first.error;
    return;
  }
  if (mark?.done === true) return finish(walk, deps);
  const page = mark?.page ?? 0;
  // Until the roster has been walked for a new rule, counters that it reads may be missing.
  const waits = book.controls.paused[of] !== undefined || campaign.since > book.controls.filled;
  if (step.page === undefined) {
    if (waits) return rest(walk, deps);
    if (mark?.rests === true) await wake(walk, deps);
    return post(step, page, deps, Math.floor((Number(step.shard) * paceFor(deps).pause) / table.shards));
  }
  if (step.page !== page) {
    if (mark?.by === id) await post(step, page, deps, paceFor(deps).pause);
    return;
  }
  if (waits) return rest(walk, deps);
  await walkPage(walk, deps, id);
}

interface Walk {
  step: BroadcastStep;
  head: WalkHead;
  book: Book;
  campaign: CompiledCampaign;
  mark: WalkMark | undefined;
}

async function walkPage(walk: Walk, deps: BroadcastDeps, id: string): Promise<void> {
  const { step, mark } = walk;
  const { table, queue, url, recorder, now } = deps;
  const { page: size, pause } = paceFor(deps);
  const page = await table.roster(step.shard, size, mark?.cursor);
  const booking = await bookingOf(walk, deps);
  const ids = page.items.map((item) => item.pk.slice('CONTACT#'.length));
  const given = await recorder.give(ids, booking.stimulusOf);
  let failed = failuresOf(given);
  if (failed.length > 0)
    failed = failuresOf(
      await recorder.give(
        failed.map((one) => one.id),
        booking.stimulusOf,
      ),
    );
  if (failed.length > MOST_ALONE) throw failed[0]?.error;
  if (failed.length > 0) {
    const { broadcast, shard } = step;
    await queue.send(url, [{ broadcast, shard, contacts: failed.map((one) => one.id) }]);
  }
  const done = page.next === undefined;
  const next: WalkMark = {
    page: (mark?.page ?? 0) + 1,
    walked: (mark?.walked ?? 0) + page.items.length,
    booked: (mark?.booked ?? 0) + booking.booked.size,
    late: (mark?.late ?? 0) + booking.late.size,
    busy: booking.busy(),
    done,
    at: now(),
    by: id,
    ...(page.next !== undefined && { cursor: page.next }),
  };
  if (!(await setMark(walk, next, deps))) return;
  if (done) await finish(walk, deps);
  else await post(step, next.page, deps, pause);
}

/** Who of those that are met is booked, and for when. */
interface Bookings {
  stimulusOf: (contact: Contact, id: string) => Stimulus | undefined;
  booked: ReadonlySet<string>;
  /** People whose time was too long ago. */
  late: ReadonlySet<string>;
  busy: () => Busy;
}

/**
 * Asks each contact as it will be at its own instant, should nothing happen until then: who would not be meant, or could
 * not be written to, is not booked. The others take the first free place of their shard from their instant on.
 */
async function bookingOf({ step, head, book, campaign, mark }: Walk, deps: BroadcastDeps): Promise<Bookings> {
  const { table, now } = deps;
  const { occurrence } = step.broadcast;
  const { when } = campaign.campaign;
  const inside = whenOf(when, 'enters');
  const shopZone = book.definitions.settings.zone;
  const perSecond =
    inside?.alsoThoseInside === undefined ? await deps.bulkRate() : inside.alsoThoseInside.perDay / 86_400;
  const every = Math.ceil((1000 * table.shards) / perSecond);
  // Shards begin one after another within the time of one place, so that their messages do not fall together.
  const shift = Math.floor((every * Number(step.shard)) / table.shards);
  const patience = patienceFor(campaign);
  let busy = mark?.busy ?? [];
  const places = new Map<string, number>();
  const booked = new Set<string>();
  const late = new Set<string>();
  const stimulusOf = (contact: Contact, id: string): Stimulus | undefined => {
    const present = now();
    const own =
      inside === undefined ? instantIn(when as Broadcast, occurrence, zoneOf(book, contact), shopZone) : head.openedAt;
    const at = Math.max(own, present);
    if (!isMeant(book, campaign, contact, at)) return undefined;
    if (inside === undefined && present - own > patience) {
      late.add(id);
      return undefined;
    }
    let place = places.get(id);
    if (place === undefined) {
      const taken = takePlace(busy, Math.max(own + shift, present), every, present);
      busy = taken.busy;
      place = taken.at;
      places.set(id, place);
    }
    booked.add(id);
    return { kind: 'book', campaign: campaign.id, occurrence, at: place };
  };
  return { stimulusOf, booked, late, busy: () => busy };
}

/** Whether a campaign is meant for somebody at an instant, and may write to them then. */
function isMeant(book: Book, campaign: CompiledCampaign, contact: Contact, at: number): boolean {
  const { address, suppressed } = contact.facts;
  if (address === undefined || suppressed !== undefined || !consents(contact, campaign, at)) return false;
  const sight = sightOf(book, contact, at);
  return campaign.to?.test(sight) ?? (campaign.enters !== undefined && sight.inSegment(campaign.enters));
}

const failuresOf = (given: Given[]): { id: string; error: unknown }[] =>
  given.flatMap((one) => ('error' in one ? [one] : []));

/** Sets a shard's checkpoint, unless another chain was faster: false where it was. */
async function setMark({ step, mark }: Walk, next: WalkMark, { table }: BroadcastDeps): Promise<boolean> {
  const { campaign, occurrence } = step.broadcast;
  const { cursor, ...values } = next;
  const entries = Object.entries({ ...values, ...(cursor !== undefined && { cursor }), ttl: ttlOf(step, next.at) });
  const names = entries.filter(([, value]) => value !== undefined);
  return table.update(key.broadcast(campaign, occurrence, step.shard), {
    UpdateExpression: `SET ${names.map(([name]) => `#${name} = :${name}`).join(', ')} REMOVE ${
      cursor === undefined ? '#cursor, ' : ''
    }#rests`,
    ConditionExpression: mark === undefined ? 'attribute_not_exists(#page)' : '#page = :was',
    ExpressionAttributeNames: {
      '#page': 'page',
      '#rests': 'rests',
      '#cursor': 'cursor',
      ...Object.fromEntries(names.map(([name]) => [`#${name}`, name])),
    },
    ExpressionAttributeValues: {
      ...Object.fromEntries(names.map(([name, value]) => [`:${name}`, value])),
      ...(mark !== undefined && { ':was': mark.page }),
    },
  });
}

const ttlOf = ({ broadcast }: BroadcastStep, now: number): number | undefined =>
  broadcast.occurrence.startsWith('inside|') ? undefined : Math.floor(now / 1000) + KEPT_SECONDS;

/** Its shard stands until the pause is over. */
async function rest(walk: Walk, deps: BroadcastDeps): Promise<void> {
  const { mark, step } = walk;
  const { campaign, occurrence } = step.broadcast;
  await deps.table.update(key.broadcast(campaign, occurrence, step.shard), {
    UpdateExpression: 'SET #rests = :yes, #at = :now, #page = if_not_exists(#page, :page)',
    ConditionExpression: 'attribute_not_exists(#page) OR #page = :page',
    ExpressionAttributeNames: { '#rests': 'rests', '#at': 'at', '#page': 'page' },
    ExpressionAttributeValues: { ':yes': true, ':now': deps.now(), ':page': mark?.page ?? 0 },
  });
}

async function wake({ step }: Walk, { table, now }: BroadcastDeps): Promise<void> {
  const { campaign, occurrence } = step.broadcast;
  await table.update(key.broadcast(campaign, occurrence, step.shard), {
    UpdateExpression: 'SET #at = :now REMOVE #rests',
    ExpressionAttributeNames: { '#at': 'at', '#rests': 'rests' },
    ExpressionAttributeValues: { ':now': now() },
  });
}

async function finish({ step }: Walk, deps: BroadcastDeps): Promise<void> {
  if (isThrough(await readMarks(deps.table, step.broadcast), deps.table.shards))
    await endWalk(step.broadcast, undefined, deps);
}

async function post(
  { broadcast, shard }: BroadcastStep,
  page: number,
  { queue, url }: BroadcastDeps,
  delay: number,
): Promise<void> {
  await queue.send(url, [{ broadcast, shard, page }], delay);
}
