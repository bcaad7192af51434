// Event counters: exact up to 64, by day beyond, a function of the set of events, against plain counting.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addEntry,
  ahead,
  type CounterEntry,
  type CounterState,
  EXACT_ENTRIES,
  type Kind,
  type Measure,
  mergeCounters,
  newest,
  oldest,
  removeEntry,
  replaceEntry,
  tally,
} from '../../domain/counter.ts';
import { DAY, HOUR } from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

const kinds: Kind[] = ['sum', 'largest', 'groups'];
const counted = (entries: CounterEntry[]): CounterState =>
  entries.reduce<CounterState>((state, entry) => addEntry(state, entry, kinds), { e: [] });
const groups = ['a', 'b', 'c', 'd'];
const entriesOf = (most: number) =>
  // As many as there may be, as often as few: left to itself, fast-check makes about ten.
  fc
    .nat(most)
    .chain((length) =>
      fc
        .array(
          fc.tuple(
            fc.integer({ min: 0, max: 60 * 24 }),
            fc.integer({ min: 0, max: 999 }),
            fc.option(fc.integer({ min: 0, max: 50 })),
            fc.subarray(groups),
          ),
          { minLength: length, maxLength: length },
        )
        .map((list) =>
          list.map(([hour, cents, large, held], i): CounterEntry => [hour * HOUR, `k${i}`, cents / 100, large, held]),
        ),
    );
const shuffled = (entries: CounterEntry[]) =>
  fc.shuffledSubarray(entries, { minLength: entries.length, maxLength: entries.length });
const rounded = (value: number): number => Math.round(value * 1e6) / 1e6;

/** Plain counting of a measure over events that stand at given instants. */
function plainly(entries: [at: number, entry: CounterEntry][], measure: Measure): number | undefined {
  const values = entries.map(([, entry]) => entry);
  if (values.length === 0) return undefined;
  if (measure === 'times') return values.length;
  if (measure === 'sum') return rounded(values.reduce((sum, entry) => sum + (entry[2] as number), 0));
  if (measure === 'largest') {
    const amounts = values.flatMap((entry) => (entry[3] === null ? [] : [entry[3] as number]));
    return amounts.length === 0 ? undefined : Math.max(...amounts);
  }
  const held = values.flatMap((entry) => entry[4] as string[]);
  if (held.length === 0) return undefined;
  if (measure === 'distinct') return new Set(held).size;
  return Math.max(...groups.map((group) => held.filter((one) => one === group).length));
}

/** Where each event stands once the oldest are known by their day alone. */
function standing(entries: CounterEntry[]): [number, CounterEntry][] {
  const sorted = [...entries].sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1));
  const exactFrom = sorted.length - EXACT_ENTRIES;
  return sorted.map((entry, i) => [
    i >= exactFrom ? entry[0] : Math.min((Math.floor(entry[0] / DAY) + 1) * DAY - 1, sorted[exactFrom]?.[0] as number),
    entry,
  ]);
}

const measures: [Measure, number][] = [
  ['times', -1],
  ['sum', 0],
  ['largest', 1],
  ['distinct', 2],
  ['same', 2],
];

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

  test('changes no state that it was given', () => {
    const states = [counted(entries(70)), counted(entries(3)), { e: [] }];
    for (const state of states) {
      const text = JSON.stringify(state);
      addEntry(state, [5, 'new', 1, 2, ['a']], kinds);
      addEntry(state, [5e12, 'new', 1, 2, ['a']], kinds);
      removeEntry(state, entries(1)[0] as CounterEntry, kinds);
      replaceEntry(state, entries(1)[0] as CounterEntry, [0, 'k0', 9, 9, ['b']], kinds);
      expect(JSON.stringify(state)).toBe(text);
    }
  });

  test('tells in any span what plain counting tells, days beyond the newest 64 at their end', () => {
    fc.assert(
      fc.property(
        entriesOf(150),
        fc.integer({ min: -1, max: 62 * 24 }),
        fc.integer({ min: 0, max: 62 * 24 }),
        (list, from, length) => {
          const state = counted(list);
          const span = { after: from * HOUR, until: (from + length) * HOUR };
          const inside = standing(list).filter(([at]) => at > span.after && at <= span.until);
          const beyond = standing(list).filter(([at]) => at > span.until);
          for (const [measure, index] of measures) {
            const found = tally(state, span, measure, index);
            expect(found.value).toBe(plainly(inside, measure));
            expect(found.times).toBe(inside.length);
            expect(found.oldest).toBe(Math.min(...inside.map(([at]) => at)));
            expect(found.ahead).toBe(Math.min(...beyond.filter(([at]) => at > span.after).map(([at]) => at)));
          }
        },
      ),
      seeded(300),
    );
  });

  test('knows when the n-th newest, the oldest and the next to come stand', () => {
    fc.assert(
      fc.property(
        entriesOf(150),
        fc.integer({ min: -1, max: 62 * 24 }),
        fc.integer({ min: 1, max: 100 }),
        (list, h, n) => {
          const state = counted(list);
          const now = h * HOUR;
          const past = standing(list).flatMap(([at]) => (at <= now ? [at] : []));
          past.sort((a, b) => b - a);
          expect(newest(state, n, now)).toBe(past[n - 1]);
          expect(oldest(state, now)).toBe(past.at(-1));
          const coming = standing(list).flatMap(([at]) => (at > now ? [at] : []));
          expect(ahead(state, now)).toBe(Math.min(...coming));
        },
      ),
      seeded(300),
    );
  });

  test('of two parts holds the newest of both, and says where it must be made anew', () => {
    fc.assert(
      fc.property(entriesOf(150), fc.nat(150), (list, cut) => {
        const [a, b] = [counted(list.slice(0, cut)), counted(list.slice(cut))];
        const merged = mergeCounters(a, b);
        expect(mergeCounters(b, a)).toEqual(merged);
        expect(merged.stale).toBe(list.length > EXACT_ENTRIES ? true : undefined);
        if (merged.stale === undefined) expect(merged).toEqual(counted(list));
      }),
      seeded(200),
    );
  });

  test('an event that is taken out, or said anew, leaves what the others make, or a stale mark', () => {
    fc.assert(
      fc.property(entriesOf(100), fc.nat(99), fc.integer({ min: 0, max: 60 * 24 }), (list, which, hour) => {
        const entry = list[which % Math.max(1, list.length)];
        if (entry === undefined) return;
        const others = list.filter((one) => one !== entry);
        const without = removeEntry(counted(list), entry, kinds);
        if (!without.stale) expect(without).toEqual(counted(others));
        const again: CounterEntry = [hour * HOUR, entry[1], 7, 70, ['d']];
        const moved = replaceEntry(counted(list), entry, again, kinds);
        if (!moved.stale) expect(moved).toEqual(counted([...others, again]));
        const inPlace: CounterEntry = [entry[0], entry[1], 7, 70, ['d']];
        const changed = replaceEntry(counted(list), entry, inPlace, kinds);
        if (!changed.stale) expect(changed).toEqual(counted([...others, inPlace]));
      }),
      seeded(300),
    );
  });

  test('of at most 64 events is never stale', () => {
    const list = entries(EXACT_ENTRIES);
    expect(removeEntry(counted(list), list[10] as CounterEntry, kinds).stale).toBeUndefined();
  });

  test('the greatest of a day that is taken out makes it stale; a smaller one does not', () => {
    const list = entries(EXACT_ENTRIES + 3);
    const state = counted(list);
    expect(state.d).toEqual([[0, 3, 3, 2, { a: 3 }]]);
    expect(removeEntry(state, list[2] as CounterEntry, kinds).stale).toBe(true);
    expect(removeEntry(state, list[1] as CounterEntry, kinds).stale).toBeUndefined();
  });

  test('without events finds nothing', () => {
    expect(tally(undefined, { after: 0, until: 1 }, 'sum', 0)).toEqual({
      times: 0,
      oldest: Number.POSITIVE_INFINITY,
      ahead: Number.POSITIVE_INFINITY,
    });
    expect(newest(undefined, 1, 5)).toBeUndefined();
    expect(oldest({ e: [] }, 5)).toBeUndefined();
    expect(ahead(undefined, 5)).toBe(Number.POSITIVE_INFINITY);
  });
});

/** One event a minute from 0 on; its largest is its place. */
function entries(many: number): CounterEntry[] {
  return Array.from({ length: many }, (_, i): CounterEntry => [i * 60_000, `k${i}`, 1, i, ['a']]);
}
