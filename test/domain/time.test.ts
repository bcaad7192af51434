// Durations and local time: tables around clock changes, and properties against a slow reading of the same words.
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import { afterQuiet, durationMs, instantOf, isZone, localTime, nextLocal } from '../../domain/time.ts';
import cases from '../cases/time.json' with { type: 'json' };

const MINUTE = 60_000;
const ZONES = [
  'Europe/Warsaw',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'America/Nuuk',
  'America/Sao_Paulo',
  'America/St_Johns',
  'Africa/Casablanca',
  'Antarctica/Troll',
  'Pacific/Apia',
  'Pacific/Chatham',
  'UTC',
];
const zone = fc.constantFrom(...ZONES);
const clock = fc
  .integer({ min: 0, max: 1439 })
  .map((minutes) => `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`);

/** Instants of which every second one lies within three hours of a change of the zone's clock. */
const place = fc
  .record({
    zone,
    at: fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2037, 0, 1) }),
    near: fc.boolean(),
    off: fc.integer({ min: -180, max: 180 }),
  })
  .map(({ zone, at, near, off }) => {
    const turn = near
      ? Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).getTimeZoneTransition('next')
      : null;
    return { zone, at: turn ? turn.epochMilliseconds + off * MINUTE + (off % 7) * 1001 : at };
  });

/** What a wall clock shows, by the date library. */
function shown(at: number, zone: string) {
  const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
  return { date: local.toPlainDate().toString(), minutes: local.hour * 60 + local.minute, weekday: local.dayOfWeek };
}

describe('durations', () => {
  test.each(cases.durations as [string, number][])('%s is %d ms', (text, ms) => expect(durationMs(text)).toBe(ms));
  test.each(cases.notDurations)('%j is refused', (text) => expect(() => durationMs(text)).toThrow(RangeError));
});

describe('zones', () => {
  test.each(cases.zones)('%s is one', (text) => expect(isZone(text)).toBe(true));
  test.each(cases.notZones)('%j is none, and no local time is told in it', (text) => {
    expect(isZone(text)).toBe(false);
    expect(() => localTime(0, text)).toThrow(RangeError);
  });
});

describe('an instant from a date and a clock', () => {
  test.each(cases.instantOf)('$name: $date $clock in $zone', ({ date, clock, zone, instant }) => {
    expect(new Date(instantOf(date, clock, zone)).toISOString()).toBe(new Date(instant).toISOString());
  });
  test.each(cases.notDates as [string, string][])('%s %s is refused', (date, clock) => {
    expect(() => instantOf(date, clock, 'UTC')).toThrow(RangeError);
  });
  test('it is what the date library says, around changes of the clock too', () => {
    fc.assert(
      fc.property(place, clock, ({ at, zone }, clock) => {
        const { date } = shown(at, zone);
        const wanted = Temporal.PlainDateTime.from(`${date}T${clock}`).toZonedDateTime(zone, {
          disambiguation: 'compatible',
        });
        expect(instantOf(date, clock, zone)).toBe(wanted.epochMilliseconds);
      }),
      { numRuns: 2000 },
    );
  });
  test('local time leads back to it wherever that local time exists', () => {
    fc.assert(
      fc.property(place, clock, ({ at, zone }, clock) => {
        const { date } = shown(at, zone);
        const local = Temporal.PlainDateTime.from(`${date}T${clock}`);
        const back = localTime(instantOf(date, clock, zone), zone);
        if (!local.toZonedDateTime(zone).toPlainDateTime().equals(local)) return;
        expect(back).toMatchObject({ date, minutes: local.hour * 60 + local.minute, weekday: local.dayOfWeek });
      }),
      { numRuns: 2000 },
    );
  });
});

test('local time is what the date library says', () => {
  fc.assert(
    fc.property(place, ({ at, zone }) => {
      expect(localTime(at, zone)).toEqual(shown(at, zone));
    }),
    { numRuns: 3000 },
  );
});

describe('the next local time', () => {
  test.each(cases.nextLocal)('$name: $until in $zone after $after', ({ after, until, zone, instant }) => {
    expect(new Date(nextLocal(Date.parse(after), until, zone)).toISOString()).toBe(new Date(instant).toISOString());
  });
  test.each(cases.notUntil)('%j is refused', (until) => expect(() => nextLocal(0, until, 'UTC')).toThrow(RangeError));
  test('it is the least of all days that lies after the instant', () => {
    const weekdays = ['', 'monday ', 'tuesday ', 'wednesday ', 'thursday ', 'friday ', 'saturday ', 'sunday '];
    fc.assert(
      fc.property(place, clock, fc.integer({ min: 0, max: 7 }), ({ at, zone }, clock, weekday) => {
        const found = nextLocal(at, `${weekdays[weekday]}${clock}`, zone);
        let day = Temporal.PlainDate.from(shown(at, zone).date).subtract({ days: 2 });
        const all: number[] = [];
        for (let i = 0; i < 12; i++, day = day.add({ days: 1 })) {
          if (weekday !== 0 && day.dayOfWeek !== weekday) continue;
          const instant = Temporal.PlainDateTime.from(`${day}T${clock}`).toZonedDateTime(zone).epochMilliseconds;
          if (instant > at) all.push(instant);
        }
        expect(found).toBe(Math.min(...all));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('quiet hours', () => {
  test.each(cases.afterQuiet)('$name: $at, $from to $to in $zone', ({ at, from, to, zone, instant }) => {
    expect(new Date(afterQuiet(Date.parse(at), { from, to }, zone)).toISOString()).toBe(
      new Date(instant).toISOString(),
    );
  });
  test('none are none', () => expect(afterQuiet(5, undefined, 'Europe/Warsaw')).toBe(5));
  test('every minute before the answer is quiet, and the answer is not', () => {
    fc.assert(
      fc.property(place, clock, clock, ({ at, zone }, from, to) => {
        const quiet = (instant: number): boolean => {
          const { minutes } = shown(instant, zone);
          const text = `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
          return from < to ? text >= from && text < to : from === to ? false : text >= from || text < to;
        };
        const found = afterQuiet(at, { from, to }, zone);
        expect(found).toBeGreaterThanOrEqual(at);
        expect(quiet(found)).toBe(false);
        for (let instant = at; instant < found; instant += 10 * MINUTE) expect(quiet(instant)).toBe(true);
        if (found > at) expect(quiet(found - 1)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
