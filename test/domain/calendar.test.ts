// Calendar words and anniversaries, against Temporal's own calendar.
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import { anniversaries, calendarPeriod, dayAfter, dayOfYear } from '../../domain/calendar.ts';
import { CALENDAR, type CalendarWord } from '../../domain/grammar.ts';
import { instant } from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

const zones = [
  'UTC',
  'Europe/Warsaw',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'Pacific/Kiritimati',
  // The clock is put back over midnight, or forward from it.
  'Asia/Beirut',
  'Africa/Cairo',
  'America/Havana',
  // It left out 30 December 2011.
  'Pacific/Apia',
];

const midnight = (date: Temporal.PlainDate, zone: string): number =>
  date.toZonedDateTime({ timeZone: zone, plainTime: '00:00' }).epochMilliseconds;

/** The first day of the word's stretch and of the one after it, by Temporal. */
function expected(word: CalendarWord, today: Temporal.PlainDate): [Temporal.PlainDate, Temporal.PlainDate] {
  const unit = word.replace(/^(this|last) /, '');
  const first: Record<string, Temporal.PlainDate> = {
    today,
    yesterday: today,
    week: today.subtract({ days: today.dayOfWeek - 1 }),
    month: today.with({ day: 1 }),
    quarter: today.with({ day: 1, month: Math.floor((today.month - 1) / 3) * 3 + 1 }),
    year: today.with({ day: 1, month: 1 }),
  };
  const length: Record<string, Temporal.DurationLike> = {
    today: { days: 1 },
    yesterday: { days: 1 },
    week: { days: 7 },
    month: { months: 1 },
    quarter: { months: 3 },
    year: { years: 1 },
  };
  const start = first[unit] as Temporal.PlainDate;
  const one = length[unit] as Temporal.DurationLike;
  return word === 'yesterday' || word.startsWith('last ') ? [start.subtract(one), start] : [start, start.add(one)];
}

const moments = fc.tuple(
  fc.integer({ min: instant('2009-01-01'), max: instant('2032-01-01') }),
  fc.constantFrom(...zones),
);

describe('a calendar word', () => {
  test('means what a calendar in the zone shows', () => {
    fc.assert(
      fc.property(moments, fc.constantFrom(...CALENDAR), ([now, zone], word) => {
        const { from, to } = calendarPeriod(word, now, zone);
        let today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(zone).toPlainDate();
        // A day that has begun goes on where the clock is put back over midnight.
        if (midnight(today.add({ days: 1 }), zone) <= now) today = today.add({ days: 1 });
        const [first, next] = expected(word, today);
        expect([from, to]).toEqual([midnight(first, zone), midnight(next, zone)]);
      }),
      seeded(3000),
    );
  });

  test('keeps its meaning until it says, and changes it then', () => {
    fc.assert(
      fc.property(moments, fc.constantFrom(...CALENDAR), ([now, zone], word) => {
        const { from, to, next } = calendarPeriod(word, now, zone);
        expect(next).toBeGreaterThan(now);
        expect(calendarPeriod(word, next - 1, zone)).toMatchObject({ from, to });
        const after = calendarPeriod(word, next, zone);
        expect(after.from).toBeGreaterThan(from);
        // Not what was kept for a later instant, when an earlier one is asked.
        expect(calendarPeriod(word, now, zone)).toMatchObject({ from, to });
      }),
      seeded(1000),
    );
  });
});

describe('an anniversary', () => {
  test('lies on its day in every year, in the zone', () => {
    fc.assert(
      fc.property(
        moments,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 28 }),
        ([now, zone], month, day) => {
          const { last, ends, next } = anniversaries({ month, day }, now, zone);
          expect(last).toBeLessThanOrEqual(now);
          expect(next).toBeGreaterThan(now);
          for (const at of [last, next]) {
            const year = Temporal.Instant.fromEpochMilliseconds(at + 43_200_000).toZonedDateTimeISO(zone).year;
            expect(at).toBe(midnight(new Temporal.PlainDate(year, month, day), zone));
          }
          expect(ends).toBeGreaterThan(last);
          expect(ends).toBeLessThanOrEqual(next);
        },
      ),
      seeded(1000),
    );
  });

  test('of 29 February is kept on 28 February in other years', () => {
    const leap = { month: 2, day: 29 };
    expect(anniversaries(leap, instant('2026-06-01'), 'UTC')).toEqual({
      last: instant('2026-02-28'),
      ends: instant('2026-03-01'),
      next: instant('2027-02-28'),
    });
    expect(anniversaries(leap, instant('2028-02-28 12:00'), 'UTC')).toEqual({
      last: instant('2027-02-28'),
      ends: instant('2027-03-01'),
      next: instant('2028-02-29'),
    });
    expect(anniversaries(leap, instant('2099-06-01'), 'UTC').next).toBe(instant('2100-02-28'));
  });

  test.each([
    ['1990-02-28', { month: 2, day: 28 }],
    ['--12-31', { month: 12, day: 31 }],
    ['--02-29', { month: 2, day: 29 }],
    ['1990-02-30', undefined],
    ['--13-01', undefined],
    ['12-31', undefined],
    ['yesterday', undefined],
  ])('%s is read as %o', (text, date) => {
    expect(dayOfYear(text)).toEqual(date);
  });
});

test.each([
  ['2026-12-31', '2027-01-01'],
  ['2028-02-28', '2028-02-29'],
])('the day after %s is %s', (date, next) => {
  expect(dayAfter(date)).toBe(next);
});
