// The times of a broadcast: its dates, the instant of each in every zone, when its walk must begin, and who is booked when.
import type { When } from './campaign-grammar.ts';
import { instantOf } from './time.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Offsets of the tz database lie between these: when a local time comes first on earth, and when last. */
const EAST = 14 * HOUR;
const WEST = -12 * HOUR;
const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** The `when` of a campaign that walks the roster at a time. */
export type Broadcast = Extract<When, { clock: unknown }>;

/** One date of a broadcast: from the first instant at which somebody may have it to the last. */
export interface Occurrence {
  /** Its local date: what runs and messages of it are named by. */
  id: string;
  first: number;
  last: number;
}

/** The time of day of a broadcast, and whether a local date is one of its own. */
function timesOf(when: Broadcast): { clock: string; isOwn: (date: string) => boolean } {
  if ('at' in when) {
    const [date, clock] = when.at.split(' ') as [string, string];
    return { clock, isOwn: (other) => other === date };
  }
  const words = when.every.split(' ');
  const clock = words.at(-1) as string;
  if (words[0] === 'day') return { clock, isOwn: () => true };
  if (words[0] === 'month') return { clock, isOwn: (date) => Number(date.slice(8)) === Number(words[1]) };
  const weekday = WEEKDAYS.indexOf(words[0] as string);
  return { clock, isOwn: (date) => (new Date(Date.parse(date)).getUTCDay() + 6) % 7 === weekday };
}

/** Whether a broadcast has this occurrence: what was planned under a former time is asked before it is acted on. */
export function isOccurrence(when: Broadcast, id: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(id) && !Number.isNaN(Date.parse(id)) && timesOf(when).isOwn(id);
}

/** The instant of an occurrence for somebody in a zone: by the contact's clock or the shop's, as the broadcast says. */
export function instantIn(when: Broadcast, id: string, zone: string, shopZone: string): number {
  return instantOf(id, timesOf(when).clock, when.clock === 'contact' ? zone : shopZone);
}

/** The occurrences of which some instant lies between two instants, both included, earliest first. */
export function occurrencesBetween(when: Broadcast, shopZone: string, from: number, to: number): Occurrence[] {
  const { clock, isOwn } = timesOf(when);
  const found: Occurrence[] = [];
  // A date is shown somewhere from 14 hours before it begins in UTC to 12 hours after it ends there.
  const last = Math.floor((to + EAST) / DAY);
  for (let day = Math.floor((from + WEST) / DAY) - 1; day <= last; day++) {
    const id = new Date(day * DAY).toISOString().slice(0, 10);
    if (!isOwn(id)) continue;
    const occurrence = occurrenceOf(when, id, clock, shopZone);
    if (occurrence.first <= to && occurrence.last >= from) found.push(occurrence);
  }
  return found;
}

function occurrenceOf(when: Broadcast, id: string, clock: string, shopZone: string): Occurrence {
  if (when.clock === 'shop') {
    const at = instantOf(id, clock, shopZone);
    return { id, first: at, last: at };
  }
  const local = instantOf(id, clock, 'UTC');
  return { id, first: local - EAST, last: local - WEST };
}

/** How fast a roster is walked: contacts a page, and seconds from one page of a shard to its next. */
export interface WalkPace {
  page: number;
  pause: number;
}

/** A page is read, asked and written within this. */
const SECONDS_A_PAGE = 3;
const MARGIN = 10 * MINUTE;

/**
 * How long before its first instant the walk of an occurrence begins, so that it has passed everybody by then: the
 * pages of the largest shard, a tenth more, and ten minutes.
 */
export function walkLead(contactsOfShard: number, { page, pause }: WalkPace): number {
  const pages = Math.ceil(contactsOfShard / page) + 1;
  return Math.ceil(1.1 * pages * (pause + SECONDS_A_PAGE) * 1000) + MARGIN;
}

/** The first instant after another, and not after `until`, at which a walk of one of these broadcasts should be under way. */
export function nextBegin(
  broadcasts: readonly Broadcast[],
  shopZone: string,
  after: number,
  until: number,
): number | undefined {
  const begins = broadcasts.flatMap((when) =>
    occurrencesBetween(when, shopZone, after, until + MARGIN).map(({ first }) => first - MARGIN),
  );
  const ahead = begins.filter((begin) => begin > after && begin <= until);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}

/** Stretches of time in which a shard's bookings leave no place, ascending, apart from each other. */
export type Busy = [from: number, to: number][];

/**
 * The first free place at or after an instant, each place `every` milliseconds long: so no more than one booking falls
 * into any such stretch, whatever the order in which people of all zones are met. What ended before `now` is forgotten.
 */
export function takePlace(busy: Busy, at: number, every: number, now: number): { at: number; busy: Busy } {
  let place = at;
  for (const [from, to] of busy) if (from < place + every && place < to) place = to;
  const joined: Busy = [];
  for (const stretch of [...busy.filter(([, to]) => to >= now), [place, place + every] as [number, number]].sort(
    (a, b) => a[0] - b[0],
  )) {
    const last = joined.at(-1);
    if (last !== undefined && stretch[0] <= last[1]) last[1] = Math.max(last[1], stretch[1]);
    else joined.push([...stretch]);
  }
  return { at: place, busy: joined };
}

/** When the last booking's place ends: until then a broadcast drains. Undefined where nobody was booked. */
export function drainsAt(busy: Busy): number | undefined {
  return busy.at(-1)?.[1];
}
