// How often, how much and when last: the compact state of one event counter.

/** Newest 64 matching events exactly; older ones by UTC day. A function of the set of events, not of their order. */
export interface CounterState {
  /** [event time, key of the order or of the interaction, values summed…], ascending by time then key. */
  e: CounterEntry[];
  /** UTC day number → [how many, sums…]. */
  d?: Record<string, number[]>;
  /** The compact state could not be undone: rebuild from the interactions. */
  stale?: true;
}
export type CounterEntry = [at: number, key: string, ...values: number[]];

export const EXACT_ENTRIES = 64;
const DAY = 86_400_000;

const dayOf = (at: number): number => Math.floor(at / DAY);
/** Sums of fractions stay equal under any order of adding: six decimals are kept. */
const tidy = (value: number): number => Math.round(value * 1e6) / 1e6;

function compare(a: CounterEntry, b: CounterEntry): number {
  return a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0);
}

function addToDay(state: CounterState, entry: CounterEntry, sign: 1 | -1): void {
  state.d ??= {};
  const day = String(dayOf(entry[0]));
  const bucket = state.d[day] ?? new Array<number>(entry.length - 1).fill(0);
  bucket[0] = (bucket[0] ?? 0) + sign;
  for (let i = 2; i < entry.length; i++) bucket[i - 1] = tidy((bucket[i - 1] ?? 0) + sign * (entry[i] as number));
  if (bucket[0] === 0) delete state.d[day];
  else state.d[day] = bucket;
  if (Object.keys(state.d).length === 0) delete state.d;
}

/** Adds one event. Each (time, key) is added once: repeats were stopped at the interaction. Changes `state`. */
export function addEntry(state: CounterState, entry: CounterEntry): void {
  const full = state.e.length >= EXACT_ENTRIES || state.d !== undefined;
  const oldest = state.e[0];
  if (full && oldest !== undefined && compare(entry, oldest) < 0) {
    addToDay(state, entry, 1);
    return;
  }
  let i = state.e.length;
  while (i > 0 && compare(state.e[i - 1] as CounterEntry, entry) > 0) i--;
  state.e.splice(i, 0, entry);
  if (state.e.length > EXACT_ENTRIES) addToDay(state, state.e.shift() as CounterEntry, 1);
}

/** Takes one event back. Where the newest 64 are not all known any more, the state is marked stale. Changes `state`. */
export function removeEntry(state: CounterState, entry: CounterEntry): void {
  const i = state.e.findIndex((known) => known[0] === entry[0] && known[1] === entry[1]);
  if (i < 0) {
    if (state.d !== undefined) addToDay(state, entry, -1);
    return;
  }
  state.e.splice(i, 1);
  if (state.d !== undefined) state.stale = true;
}

/** Puts other values in the place of an event that stays. Changes `state`. */
export function replaceEntry(state: CounterState, before: CounterEntry, after: CounterEntry): void {
  const i = state.e.findIndex((known) => known[0] === before[0] && known[1] === before[1]);
  if (i >= 0 && before[0] === after[0] && before[1] === after[1]) {
    state.e[i] = after;
  } else if (i < 0 && dayOf(before[0]) === dayOf(after[0]) && before[0] === after[0]) {
    addToDay(state, before, -1);
    addToDay(state, after, 1);
  } else {
    removeEntry(state, before);
    addEntry(state, after);
  }
}

/** The state of two disjoint sets of events together. */
export function mergeCounters(a: CounterState, b: CounterState): CounterState {
  const merged: CounterState = { e: [] };
  for (const state of [a, b]) {
    for (const [day, bucket] of Object.entries(state.d ?? {})) {
      merged.d ??= {};
      const sum = merged.d[day];
      merged.d[day] = sum === undefined ? [...bucket] : bucket.map((value, i) => tidy(value + (sum[i] ?? 0)));
    }
    if (state.stale) merged.stale = true;
  }
  const all = [...a.e, ...b.e].sort(compare);
  const exact = all.slice(-EXACT_ENTRIES);
  for (const entry of all.slice(0, all.length - exact.length)) addToDay(merged, entry, 1);
  merged.e = exact;
  return merged;
}

export interface Tally {
  times: number;
  /** Sum of the value with the asked index. */
  sum: number;
  /** Event time of the newest event at or before `now`. */
  latest?: number;
  /** The earliest instant after `now` at which this tally can change by time alone. */
  next: number;
}

/**
 * Counts what lies in (now − window, now]; `window` Infinity = ever. Days older than the newest 64 events leave the
 * window whole, when the day's end leaves it.
 */
export function tally(state: CounterState | undefined, now: number, window: number, value: number): Tally {
  const found: Tally = { times: 0, sum: 0, next: Number.POSITIVE_INFINITY };
  if (state === undefined) return found;
  const from = now - window;
  for (const entry of state.e) {
    const at = entry[0];
    if (at > now) {
      found.next = Math.min(found.next, at);
      break;
    }
    if (at <= from) continue;
    found.times += 1;
    found.sum += (entry[value + 2] as number | undefined) ?? 0;
    found.latest = at;
    found.next = Math.min(found.next, at + window);
  }
  for (const [day, bucket] of Object.entries(state.d ?? {})) {
    const end = (Number(day) + 1) * DAY;
    if (end <= from) continue;
    found.times += bucket[0] ?? 0;
    found.sum += bucket[value + 1] ?? 0;
    found.next = Math.min(found.next, end + window);
  }
  found.sum = tidy(found.sum);
  return found;
}
