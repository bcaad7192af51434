// Calendar words and anniversaries as instants in a zone.
import type { CalendarWord } from './grammar.ts';
import { instantOf, localTime } from './time.ts';

/** [from, to); `next`: the instant after now at which the word means another stretch. */
export interface Period {
  from: number;
  to: number;
  next: number;
}

const DAY = 86_400_000;
const MOST_KEPT = 1000;
/** Of one word in one zone: now, and what a look ahead meets. */
const MOST_STRETCHES = 4;
// What a word means in a zone stays until `next`: asked of many contacts, made once.
// The anniversaries of a date around an instant, as long as no other has come.
const years = new Map<string, ReturnType<typeof anniversaries>>();
const kept = new Map<string, (Period & { since: number })[]>();
// The day of a zone, as long as it lasts.
const today = new Map<string, { day: number; from: number; to: number }>();

const text = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10);
const dayOf = (year: number, month: number, day: number): number => Date.UTC(year, month, day) / DAY;

/** The day that has begun last: where the clock is put back over midnight, the day that began before that. */
function localDay(now: number, zone: string): number {
  const day = Date.parse(localTime(now, zone).date) / DAY;
  return instantOf(text(day + 1), '00:00', zone) <= now ? day + 1 : day;
}

/** The midnight that begins a day (a number since 1970-01-01) in a zone; of a day that the zone left out, the next one's. */
export const midnightOf = (day: number, zone: string): number => instantOf(text(day), '00:00', zone);

/** The day of a zone's calendar that has begun last, as a number since 1970-01-01: never less than a moment before. */
export function dayAt(now: number, zone: string): number {
  const known = today.get(zone);
  if (known !== undefined && now >= known.from && now < known.to) return known.day;
  const day = localDay(now, zone);
  if (today.size >= MOST_KEPT) today.clear();
  today.set(zone, { day, from: midnightOf(day, zone), to: midnightOf(day + 1, zone) });
  return day;
}

/** What a calendar word means at an instant in a zone: [from, to) in epoch milliseconds. Weeks begin on Monday. */
export function calendarPeriod(word: CalendarWord, now: number, zone: string): Period {
  const key = `${word}|${zone}`;
  const known = kept.get(key) ?? [];
  for (const one of known) if (now >= one.since && now < one.next) return one;
  const today = localDay(now, zone);
  const date = new Date(today * DAY);
  const [year, month, weekday] = [date.getUTCFullYear(), date.getUTCMonth(), (date.getUTCDay() + 6) % 7];
  const starts = (back: number): number => {
    switch (word.slice(word.indexOf(' ') + 1)) {
      case 'today':
      case 'yesterday':
        return today - back;
      case 'week':
        return today - weekday - 7 * back;
      case 'month':
        return dayOf(year, month - back, 1);
      case 'quarter':
        return dayOf(year, month - (month % 3) - 3 * back, 1);
      default:
        return dayOf(year - back, 0, 1);
    }
  };
  const at = (back: number): number => instantOf(text(starts(back)), '00:00', zone);
  const past = word === 'yesterday' || word.startsWith('last ');
  const [since, next] = [at(0), at(-1)];
  const period = past ? { from: at(1), to: since, next, since } : { from: since, to: next, next, since };
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(key, [period, ...known].slice(0, MOST_STRETCHES));
  return period;
}

/** The date after this one, YYYY-MM-DD. */
export function dayAfter(date: string): string {
  return text(Date.parse(date) / DAY + 1);
}

/** Month and day of a date ("1990-02-28"), of a birthday without a year ("--02-28"); undefined for anything else. */
export function dayOfYear(value: string): { month: number; day: number } | undefined {
  const found = /^(?:\d{4}|-)-(\d\d)-(\d\d)$/.exec(value);
  if (found === null) return undefined;
  const [month, day] = [Number(found[1]), Number(found[2])];
  // 2000 was a leap year: 29 February is a date.
  const made = new Date(Date.UTC(2000, month - 1, day));
  return made.getUTCMonth() === month - 1 && made.getUTCDate() === day ? { month, day } : undefined;
}

/**
 * The midnights that begin the last anniversary at or before now and the next one after it, in the zone, and the end of
 * the last one's day. 29 February is kept on 28 February in other years.
 */
export function anniversaries(
  { month, day }: { month: number; day: number },
  now: number,
  zone: string,
): { last: number; ends: number; next: number } {
  const key = `${month}-${day}|${zone}`;
  const known = years.get(key);
  if (known !== undefined && now >= known.last && now < known.next) return known;
  const year = Number(localTime(now, zone).date.slice(0, 4));
  const dateIn = (of: number): string => {
    const shown = month === 2 && day === 29 && new Date(Date.UTC(of, 1, 29)).getUTCMonth() !== 1 ? 28 : day;
    return text(dayOf(of, month - 1, shown));
  };
  const begins = (of: number): number => instantOf(dateIn(of), '00:00', zone);
  const last = begins(year) <= now ? year : year - 1;
  const found = { last: begins(last), ends: instantOf(dayAfter(dateIn(last)), '00:00', zone), next: begins(last + 1) };
  if (years.size >= MOST_KEPT) years.clear();
  years.set(key, found);
  return found;
}
