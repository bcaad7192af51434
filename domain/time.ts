// Durations, and local time in a zone of the tz database: what is said on a clock, as epoch milliseconds.
import { Temporal } from 'temporal-polyfill';

const MINUTE = 60_000;
const DAY = 86_400_000;
const UNITS: Record<string, number> = { m: MINUTE, h: 60 * MINUTE, d: DAY, w: 7 * DAY };
const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** A stretch of time in which a zone keeps one offset: local = instant + offset for start ≤ instant < end. */
interface Stretch {
  start: number;
  end: number;
  offset: number;
}

// Grows with the zones and half-years in use only; zone names are checked before they become keys.
const stretches = new Map<string, Stretch[]>();

/** "60d" → milliseconds. Throws a RangeError on anything but a whole number above 0 and m, h, d or w. */
export function durationMs(text: string): number {
  const found = /^([1-9]\d{0,5})([mhdw])$/.exec(text);
  if (!found)
    throw new RangeError(`not a duration such as 30m, 4h, 60d or 2w: ${JSON.stringify(String(text).slice(0, 40))}`);
  return Number(found[1]) * UNITS[found[2]!]!;
}

/** True for a name of the tz database ("Europe/Warsaw", "UTC"); offsets such as "+01:00" are none. */
export function isZone(text: string): boolean {
  if (stretches.has(text)) return true;
  if (typeof text !== 'string' || text.length > 64 || !/^[A-Za-z]/.test(text)) return false;
  try {
    new Temporal.ZonedDateTime(0n, text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Date, minutes since midnight (whole, seconds dropped) and weekday (1 = Monday) that a wall clock and a calendar in
 * the zone show at the instant. Throws a RangeError when the zone is unknown: ask `isZone` first.
 */
export function localTime(instant: number, zone: string): { date: string; minutes: number; weekday: number } {
  const local = instant + stretchAt(instant, zone).offset;
  const day = Math.floor(local / DAY);
  return { date: dateOf(day), minutes: Math.floor((local - day * DAY) / MINUTE), weekday: weekdayOf(day) };
}

/** The day that a calendar in the zone shows at the instant, as a number of days since 1970-01-01. Throws as `localTime`. */
export function localDayNumber(instant: number, zone: string): number {
  return Math.floor((instant + stretchAt(instant, zone).offset) / DAY);
}

/**
 * The instant at which date (YYYY-MM-DD) and clock (HH:MM) are shown in the zone. A time that the zone skips moves
 * forward by the length of the gap; of a time that it shows twice, the first. Throws a RangeError on bad text.
 */
export function instantOf(date: string, clock: string, zone: string): number {
  return instantOfDay(dayOf(date), clockMinutes(clock), zone);
}

/**
 * "10:00" or "tuesday 10:00": the first such local time strictly after the instant. Each local day has the time once:
 * skipped times move forward, of doubled times the first counts.
 */
export function nextLocal(instant: number, until: string, zone: string): number {
  const found = /^(?:([a-z]+) )?(\d\d:\d\d)$/.exec(until);
  const weekday = found?.[1] === undefined ? 0 : WEEKDAYS.indexOf(found[1]) + 1;
  if (!found || (found[1] !== undefined && weekday === 0)) {
    throw new RangeError(`not a time such as 10:00 or tuesday 10:00: ${JSON.stringify(String(until).slice(0, 40))}`);
  }
  const minutes = clockMinutes(found[2]!);
  const today = Math.floor((instant + stretchAt(instant, zone).offset) / DAY);
  // From yesterday: a skipped 23:30 may have moved past midnight.
  for (let day = today - 1; ; day++) {
    if (weekday !== 0 && weekdayOf(day) !== weekday) continue;
    const candidate = instantOfDay(day, minutes, zone);
    if (candidate > instant) return candidate;
  }
}

/**
 * The instant itself, or the first later one at which the zone's clock shows a time outside the quiet hours
 * (from ≤ clock < to, over midnight when `to` is earlier; none when both are equal).
 */
export function afterQuiet(instant: number, quiet: { from: string; to: string } | undefined, zone: string): number {
  if (quiet === undefined || quiet.from === quiet.to) return instant;
  const from = clockMinutes(quiet.from) * MINUTE;
  const to = clockMinutes(quiet.to) * MINUTE;
  let at = instant;
  for (;;) {
    const stretch = stretchAt(at, zone);
    const inDay = modulo(at + stretch.offset, DAY);
    if (!(from < to ? inDay >= from && inDay < to : inDay >= from || inDay < to)) return at;
    const end = at + modulo(to - inDay, DAY);
    if (end < stretch.end) return end;
    // The clock is changed inside the quiet hours: look again at what it shows then.
    at = stretch.end;
  }
}

function instantOfDay(day: number, minutes: number, zone: string): number {
  const local = day * DAY + minutes * MINUTE;
  // Offsets lie within a day of UTC, and a zone does not change its clock twice within two days of a gap.
  let before = stretchAt(local - DAY, zone);
  while (before.end + before.offset <= local) {
    const next = stretchAt(before.end, zone);
    // In a gap the clock goes on as if it had not been changed.
    if (local < before.end + next.offset) return local - before.offset;
    before = next;
  }
  return local - before.offset;
}

function stretchAt(instant: number, zone: string): Stretch {
  let known = stretches.get(zone);
  if (known === undefined) {
    if (!isZone(zone)) throw new RangeError(`not a time zone: ${JSON.stringify(String(zone).slice(0, 64))}`);
    known = [];
    stretches.set(zone, known);
  }
  for (let i = known.length - 1; i >= 0; i--) {
    const stretch = known[i]!;
    if (instant >= stretch.start && instant < stretch.end) return stretch;
  }
  const at = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone);
  const next = at.getTimeZoneTransition('next');
  // "previous" is strictly before: asked one millisecond later, so that a transition at this instant is found.
  const previous = at.add({ milliseconds: 1 }).getTimeZoneTransition('previous');
  const stretch = {
    start: previous === null || previous === undefined ? Number.NEGATIVE_INFINITY : previous.epochMilliseconds,
    end: next === null || next === undefined ? Number.POSITIVE_INFINITY : next.epochMilliseconds,
    offset: at.offsetNanoseconds / 1e6,
  };
  known.push(stretch);
  return stretch;
}

function clockMinutes(clock: string): number {
  if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(clock)) {
    throw new RangeError(`not a time of day such as 10:00: ${JSON.stringify(String(clock).slice(0, 40))}`);
  }
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
}

function dayOf(date: string): number {
  const at = /^\d{4}-\d\d-\d\d$/.test(date)
    ? Date.UTC(+date.slice(0, 4), +date.slice(5, 7) - 1, +date.slice(8))
    : Number.NaN;
  if (Number.isNaN(at) || dateOf(at / DAY) !== date) {
    throw new RangeError(`not a date such as 2026-03-29: ${JSON.stringify(String(date).slice(0, 40))}`);
  }
  return at / DAY;
}

function dateOf(day: number): string {
  const text = new Date(day * DAY).toISOString();
  return text.slice(0, text.indexOf('T'));
}

/** 1970-01-01 was a Thursday. */
function weekdayOf(day: number): number {
  return modulo(day + 3, 7) + 1;
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
