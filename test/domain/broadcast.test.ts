// The times of broadcasts in every zone of the tz database, when their walks begin, and places for those who are booked.
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it, test } from 'vitest';
import {
  type Broadcast,
  type Busy,
  drainsAt,
  instantIn,
  isOccurrence,
  nextBegin,
  occurrencesBetween,
  takePlace,
  walkLead,
} from '../../domain/broadcast.ts';
import { DAY, HOUR, instant } from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

const MINUTE = 60_000;
const to = { consent: 'offers' } as never;
const every = (text: string, clock: 'contact' | 'shop' = 'contact'): Broadcast => ({ every: text, clock, to });
const once = (text: string, clock: 'contact' | 'shop' = 'contact'): Broadcast => ({ at: text, clock, to });
const ids = (when: Broadcast, from: string, until: string): string[] =>
  occurrencesBetween(when, 'UTC', instant(from), instant(until)).map(({ id }) => id);

describe('given a broadcast', () => {
  it('of each day, of a weekday, of a day of the month, or once, it has those dates', () => {
    const [from, until] = ['2026-02-20 12:00', '2026-03-10 12:00'];
    // Somewhere it is another day already, or still.
    expect(ids(every('day 10:00'), '2026-03-02 12:00', '2026-03-03 21:00')).toEqual([
      '2026-03-02',
      '2026-03-03',
      '2026-03-04',
    ]);
    expect(ids(every('tuesday 10:00'), from, until)).toEqual(['2026-02-24', '2026-03-03', '2026-03-10']);
    expect(ids(every('month 1 10:00'), from, until)).toEqual(['2026-03-01']);
    expect(ids(every('month 28 10:00'), '2026-02-01 00:00', '2026-04-01 00:00')).toEqual(['2026-02-28', '2026-03-28']);
    expect(ids(once('2026-03-05 10:00'), from, until)).toEqual(['2026-03-05']);
    expect(ids(once('2026-03-15 10:00'), from, until)).toEqual([]);
  });

  it('by the contact’s clock goes round the earth, by the shop’s it comes at one instant', () => {
    const around = { id: '2026-11-27', first: instant('2026-11-26 18:00'), last: instant('2026-11-27 20:00') };
    expect(occurrencesBetween(once('2026-11-27 08:00'), 'Europe/Berlin', around.last, around.last)).toEqual([around]);
    expect(occurrencesBetween(once('2026-11-27 08:00'), 'Europe/Berlin', around.last + 1, around.last + DAY)).toEqual(
      [],
    );
    const at = instant('2026-11-27 07:00');
    expect(occurrencesBetween(once('2026-11-27 08:00', 'shop'), 'Europe/Berlin', at, at)).toEqual([
      { id: '2026-11-27', first: at, last: at },
    ]);
    expect(instantIn(once('2026-11-27 08:00', 'shop'), '2026-11-27', 'Asia/Tokyo', 'Europe/Berlin')).toBe(at);
  });

  it('comes in the afternoon of the day before where the day begins first, and last where it ends last', () => {
    const when = once('2026-11-27 08:00');
    expect(instantIn(when, '2026-11-27', 'Pacific/Kiritimati', 'UTC')).toBe(instant('2026-11-26 18:00'));
    expect(instantIn(when, '2026-11-27', 'Etc/GMT+12', 'UTC')).toBe(instant('2026-11-27 20:00'));
  });

  test.each([
    [every('tuesday 10:00'), '2026-03-03', true],
    [every('tuesday 10:00'), '2026-03-04', false],
    [every('month 3 10:00'), '2026-03-03', true],
    [once('2026-03-03 10:00'), '2026-03-03', true],
    [once('2026-03-03 10:00'), '2026-03-04', false],
    [every('day 10:00'), 'inside|vip', false],
    [every('day 10:00'), '2026-13-45', false],
    [once('2026-02-30 10:00'), '2026-03-02', false],
  ])('%j has %s: %s', (when, id, has) => expect(isOccurrence(when, id)).toBe(has));

  it('of a date that does not exist never comes', () => {
    expect(ids(once('2026-02-30 10:00'), '2026-02-01 00:00', '2026-04-01 00:00')).toEqual([]);
  });
});

describe('given every zone of the tz database over a year', () => {
  const zones = Intl.supportedValuesOf('timeZone');
  const from = instant('2026-01-01 00:00');
  const until = instant('2027-01-01 00:00');
  // Clocks are put forward at 00:00, 01:00, 02:00 or 03:00.
  const clocks = ['00:00', '02:30', '10:00', '23:45'];

  it.each(clocks)('each day’s %s is met once, on its local time, inside its occurrence', (clock) => {
    const when = every(`day ${clock}`);
    const occurrences = occurrencesBetween(when, 'UTC', from, until);
    let gaps = 0;
    for (const zone of zones) {
      let before = Number.NEGATIVE_INFINITY;
      const instants = new Set<number>();
      for (const { id, first, last } of occurrences) {
        const at = instantIn(when, id, zone, 'UTC');
        if (at < first || at > last || at <= before) throw new Error(`${zone} ${id}: ${new Date(at).toISOString()}`);
        before = at;
        instants.add(at);
        const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
        const shown = `${local.toPlainDate()} ${local.toPlainTime().toString().slice(0, 5)}`;
        if (shown === `${id} ${clock}`) continue;
        gaps += 1;
        // In a gap the clock goes on as if it had not been changed; the date library says what that is.
        const meant = Temporal.PlainDateTime.from(`${id}T${clock}`).toZonedDateTime(zone, { disambiguation: 'later' });
        if (meant.epochMilliseconds !== at) throw new Error(`${zone} ${id} ${clock}: shown ${shown}`);
      }
      expect(instants.size).toBe(occurrences.length);
    }
    if (clock === '02:30') expect(gaps).toBeGreaterThan(50);
  });

  it('a weekday is a weekday there, wherever the shop is', () => {
    const when = every('tuesday 10:00');
    for (const zone of zones) {
      for (const { id } of occurrencesBetween(when, 'UTC', from, until)) {
        const local = Temporal.Instant.fromEpochMilliseconds(instantIn(when, id, zone, 'UTC')).toZonedDateTimeISO(zone);
        if (local.dayOfWeek !== 2 || local.hour !== 10) throw new Error(`${zone} ${id}`);
      }
    }
  });

  it('no stretch of time misses an occurrence, and none is found twice', () => {
    const kinds = ['day 02:30', 'tuesday 23:45', 'month 28 00:30'].flatMap((text) => [
      every(text),
      every(text, 'shop'),
    ]);
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 300 * 24 }),
        fc.integer({ min: 0, max: 60 * 24 }),
        (when, shop, start, length) => {
          const [a, b] = [from + start * HOUR, from + (start + length) * HOUR];
          const found = occurrencesBetween(when, shop, a, b).map(({ id }) => id);
          const all = occurrencesBetween(when, shop, from - 5 * DAY, until + 5 * DAY);
          expect(found).toEqual(all.filter(({ first, last }) => first <= b && last >= a).map(({ id }) => id));
        },
      ),
      seeded(300),
    );
  });
});

describe('given so many contacts', () => {
  it('the walk begins early enough for the largest shard, with a margin of ten minutes', () => {
    // A million contacts over 32 shards at 200 a second: 313 pages of 100, 16 s apart, and what they take.
    const lead = walkLead(31_250, { page: 100, pause: 16 });
    expect(lead).toBeGreaterThan(313 * 16 * 1000 + 10 * MINUTE);
    expect(lead).toBeLessThan(2 * HOUR + 10 * MINUTE);
    expect(walkLead(0, { page: 100, pause: 0 })).toBeLessThan(11 * MINUTE);
  });

  it('the next begin is told ten minutes before the first zone’s instant', () => {
    const weekly = every('tuesday 10:00');
    const now = instant('2026-03-01 12:00');
    expect(nextBegin([weekly, once('2026-12-24 10:00')], 'UTC', now, now + 40 * DAY)).toBe(
      instant('2026-03-02 20:00') - 10 * MINUTE,
    );
    expect(nextBegin([weekly], 'UTC', instant('2026-03-02 20:00'), now + 40 * DAY)).toBe(
      instant('2026-03-09 20:00') - 10 * MINUTE,
    );
    expect(nextBegin([once('2026-12-24 10:00')], 'UTC', now, now + 40 * DAY)).toBeUndefined();
  });
});

describe('given people of all zones in any order', () => {
  const wanted = fc.array(
    fc.integer({ min: 0, max: 30 }).map((quarters) => quarters * 15 * MINUTE),
    {
      minLength: 1,
      maxLength: 200,
    },
  );

  it('each has the first free place at or after their instant, and no two places overlap', () => {
    fc.assert(
      fc.property(wanted, fc.constantFrom(1000, 7 * MINUTE, 20 * MINUTE), (instants, length) => {
        let busy: Busy = [];
        const places: number[] = [];
        for (const at of instants) {
          const taken = takePlace(busy, at, length, 0);
          busy = taken.busy;
          expect(taken.at).toBeGreaterThanOrEqual(at);
          // Earlier there was none: one at every instant from there on would have overlapped another.
          if (taken.at > at) expect(places.some((place) => place + length === taken.at)).toBe(true);
          places.push(taken.at);
        }
        const sorted = [...places].sort((a, b) => a - b);
        for (const [index, place] of sorted.entries()) {
          if (index > 0) expect(place - (sorted[index - 1] as number)).toBeGreaterThanOrEqual(length);
        }
        expect(drainsAt(busy)).toBe((sorted.at(-1) as number) + length);
        for (const [index, [start, end]] of busy.entries()) {
          expect(end).toBeGreaterThan(start);
          if (index > 0) expect(start).toBeGreaterThan((busy[index - 1] as [number, number])[1]);
        }
      }),
      seeded(300),
    );
  });

  it('what has passed is forgotten, so that a list grows with the zones and not with the people', () => {
    let busy: Busy = [];
    for (let n = 0; n < 1000; n++) busy = takePlace(busy, n * 5000, 1000, n * 5000).busy;
    expect(busy.length).toBeLessThanOrEqual(2);
    expect(drainsAt([])).toBeUndefined();
  });
});
