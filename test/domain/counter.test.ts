// Event counters: exact up to 64, by day beyond, a function of the set of events, against plain counting.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addEntry,
  type CounterEntry,
  type CounterState,
  EXACT_ENTRIES,
  mergeCounters,
  removeEntry,
  replaceEntry,
  tally,
} from '../../domain/counter.ts';
import { DAY } from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

const counted = (entries: CounterEntry[]): CounterState => {
  const state: CounterState = { e: [] };
  for (const entry of entries) addEntry(state, entry);
  return state;
};
const entriesOf = (most: number) =>
  fc
    .array(fc.tuple(fc.integer({ min: 0, max: 60 * 24 }), fc.integer({ min: 0, max: 999 })), { maxLength: most })
    .map((list) => list.map(([hour, cents], i): CounterEntry => [hour * 3_600_000, `k${i}`, cents / 100]));
const shuffled = (entries: CounterEntry[]) =>
  fc.shuffledSubarray(entries, { minLength: entries.length, maxLength: entries.length });

describe('a counter', () => {
  test('is a function of the set of events, not of their order', () => {
    fc.assert(
      fc.property(
        entriesOf(150).chain((entries) => fc.tuple(fc.constant(entries), shuffled(entries))),
        ([entries, other]) => {
          expect(counted(other)).toEqual(counted(entries));
        },
      ),
      seeded(200),
    );
  });

  test('of two parts equals the counter of both together', () => {
    fc.assert(
      fc.property(entriesOf(150), fc.nat(150), (entries, cut) => {
        const [a, b] = [counted(entries.slice(0, cut)), counted(entries.slice(cut))];
        expect(mergeCounters(a, b)).toEqual(counted(entries));
        expect(mergeCounters(b, a)).toEqual(counted(entries));
      }),
      seeded(200),
    );
  });

  test('of up to 64 events tells what plain counting tells, at every instant', () => {
    fc.assert(
      fc.property(
        entriesOf(EXACT_ENTRIES),
        fc.integer({ min: 0, max: 70 * 24 }),
        fc.integer({ min: 1, max: 40 }),
        (entries, hour, days) => {
          const now = hour * 3_600_000;
          const inside = entries.filter(([at]) => at <= now && at > now - days * DAY);
          const found = tally(counted(entries), now, days * DAY, 0);
          expect(found.times).toBe(inside.length);
          expect(found.sum).toBeCloseTo(
            inside.reduce((sum, [, , value]) => sum + (value ?? 0), 0),
            6,
          );
          expect(found.latest).toBe(inside.length === 0 ? undefined : Math.max(...inside.map(([at]) => at)));
          const turns = entries.flatMap(([at]) => [at, at + days * DAY]).filter((at) => at > now);
          expect(found.next).toBe(Math.min(...turns, Number.POSITIVE_INFINITY));
        },
      ),
      seeded(300),
    );
  });

  test("of more is exact for ever, and off by less than a day at a window's old end", () => {
    fc.assert(
      fc.property(entriesOf(200), fc.integer({ min: 1, max: 40 }), (entries, days) => {
        const now = 61 * DAY;
        const state = counted(entries);
        expect(tally(state, now, Number.POSITIVE_INFINITY, 0).times).toBe(entries.length);
        const from = now - days * DAY;
        const { times } = tally(state, now, days * DAY, 0);
        expect(times).toBeGreaterThanOrEqual(entries.filter(([at]) => at > from).length);
        expect(times).toBeLessThanOrEqual(entries.filter(([at]) => at > from - DAY).length);
      }),
      seeded(200),
    );
  });

  test('takes back exactly, or says that it is stale', () => {
    fc.assert(
      fc.property(
        entriesOf(100).filter((entries) => entries.length > 0),
        fc.nat(),
        (entries, which) => {
          const gone = entries[which % entries.length] as CounterEntry;
          const state = counted(entries);
          removeEntry(state, gone);
          const expected = counted(entries.filter((entry) => entry !== gone));
          const dated = entries.length > EXACT_ENTRIES;
          const newest = [...entries].sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)).slice(-EXACT_ENTRIES);
          if (dated && newest.includes(gone)) expect(state.stale).toBe(true);
          else expect(state).toEqual(expected);
        },
      ),
      seeded(200),
    );
  });

  test('puts other values in the place of an event', () => {
    fc.assert(
      fc.property(
        entriesOf(100).filter((entries) => entries.length > 0),
        fc.nat(),
        (entries, which) => {
          const before = entries[which % entries.length] as CounterEntry;
          const after: CounterEntry = [before[0], before[1], 7.77];
          const state = counted(entries);
          replaceEntry(state, before, after);
          expect(state).toEqual(counted(entries.map((entry) => (entry === before ? after : entry))));
        },
      ),
      seeded(200),
    );
  });

  test('moves an event that turns out to be of another time', () => {
    const state = counted([
      [5, 'a', 1],
      [9, 'b', 1],
    ]);
    replaceEntry(state, [5, 'a', 1], [12, 'a', 2]);
    expect(state).toEqual({
      e: [
        [9, 'b', 1],
        [12, 'a', 2],
      ],
    });
  });

  test('keeps 64 and puts what is older into days', () => {
    const state = counted(Array.from({ length: 70 }, (_, i): CounterEntry => [i * DAY, `k${i}`, 2]));
    expect(state.e).toHaveLength(64);
    expect(state.d).toEqual({ 0: [1, 2], 1: [1, 2], 2: [1, 2], 3: [1, 2], 4: [1, 2], 5: [1, 2] });
    removeEntry(state, [3 * DAY, 'k3', 2]);
    expect(state.d).not.toHaveProperty('3');
    expect(state).not.toHaveProperty('stale');
  });

  test('of nothing tells nothing', () => {
    expect(tally(undefined, 5, 5, 0)).toEqual({ times: 0, sum: 0, next: Number.POSITIVE_INFINITY });
  });
});
