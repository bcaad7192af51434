// How often, how much and when: the compact state of one event counter.

/** What is kept of a measured property: amounts to be added up, the greatest amount, or the different values. */
export type Kind = 'sum' | 'largest' | 'groups';
/** Of one event: an amount (null where a `largest` has none), or its different values. */
export type Measured = number | null | string[];
export type CounterEntry = [at: number, key: string, ...values: Measured[]];
/** A UTC day: its number, how many events, then for each measure the sum, the largest, or value → how many events hold it. */
type Bucket = [day: number, times: number, ...values: (number | null | Record<string, number>)[]];

/** Newest 64 matching events exactly; older ones by UTC day. A function of the set of events, not of their order. */
export interface CounterState {
  /** [event time, key of the order or of the interaction, what is measured…], ascending by time then key. */
  e: CounterEntry[];
  /** Days, ascending. */
  d?: Bucket[];
  /** The compact state could not be undone: rebuild from the interactions. */
  stale?: true;
}

export const EXACT_ENTRIES = 64;
const DAY = 86_400_000;
const NEVER = Number.POSITIVE_INFINITY;

const dayOf = (at: number): number => Math.floor(at / DAY);
/**
 * Where an event that is known by its day alone stands: at the day's last millisecond, or, on the day of the oldest that
 * is known exactly, with that one, which it is older than.
 */
function standsAt(state: CounterState, [day]: Bucket): number {
  const end = (day + 1) * DAY - 1;
  const exact = state.e[0]?.[0];
  return exact === undefined || exact > end ? end : exact;
}
/** Sums of fractions stay equal under any order of adding: six decimals are kept. */
const tidy = (value: number): number => Math.round(value * 1e6) / 1e6;

function compare(a: CounterEntry, b: CounterEntry): number {
  return a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0);
}

function emptyBucket(day: number, kinds: readonly Kind[]): Bucket {
  return [day, 0, ...kinds.map((kind) => (kind === 'sum' ? 0 : kind === 'largest' ? null : {}))];
}

const largest = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.max(a, b);

function addToDay(state: CounterState, entry: CounterEntry, kinds: readonly Kind[], sign: 1 | -1): void {
  const days = [...(state.d ?? [])];
  const day = dayOf(entry[0]);
  let place = days.length;
  while (place > 0 && (days[place - 1] as Bucket)[0] >= day) place--;
  const found = days[place]?.[0] === day ? days[place] : undefined;
  const bucket: Bucket = [...(found ?? emptyBucket(day, kinds))];
  bucket[1] += sign;
  kinds.forEach((kind, i) => {
    const value = entry[i + 2] as Measured;
    const known = bucket[i + 2];
    if (kind === 'sum') bucket[i + 2] = tidy(((known as number) ?? 0) + sign * ((value as number) ?? 0));
    else if (kind === 'largest') {
      if (sign === 1) bucket[i + 2] = largest((known as number | null) ?? null, value as number | null);
      // The second largest of the day is not known.
      else if (value !== null && value === known) state.stale = true;
    } else {
      const groups = { ...(known as Record<string, number>) };
      for (const group of value as string[]) {
        const many = (Object.hasOwn(groups, group) ? (groups[group] as number) : 0) + sign;
        if (many === 0) delete groups[group];
        else groups[group] = many;
      }
      bucket[i + 2] = groups;
    }
  });
  days.splice(place, found === undefined ? 0 : 1, ...(bucket[1] === 0 ? [] : [bucket]));
  if (days.length === 0) delete state.d;
  else state.d = days;
}

function add(state: CounterState, entry: CounterEntry, kinds: readonly Kind[]): void {
  const full = state.e.length >= EXACT_ENTRIES || state.d !== undefined;
  const oldest = state.e[0];
  if (full && oldest !== undefined && compare(entry, oldest) < 0) {
    addToDay(state, entry, kinds, 1);
    return;
  }
  let i = state.e.length;
  while (i > 0 && compare(state.e[i - 1] as CounterEntry, entry) > 0) i--;
  state.e.splice(i, 0, entry);
  if (state.e.length > EXACT_ENTRIES) addToDay(state, state.e.shift() as CounterEntry, kinds, 1);
}

function placeOf(state: CounterState, entry: CounterEntry): number {
  for (let i = state.e.length - 1; i >= 0; i--) {
    const known = state.e[i] as CounterEntry;
    if (known[0] === entry[0] && known[1] === entry[1]) return i;
  }
  return -1;
}

function remove(state: CounterState, entry: CounterEntry, kinds: readonly Kind[]): void {
  const i = placeOf(state, entry);
  if (i < 0) {
    if (state.d !== undefined) addToDay(state, entry, kinds, -1);
    return;
  }
  state.e.splice(i, 1);
  if (state.d !== undefined) state.stale = true;
}

const copyOf = (state: CounterState | undefined): CounterState =>
  state === undefined ? { e: [] } : { ...state, e: [...state.e] };

/** The state with one event more. Each (time, key) is added once: repeats were stopped at the interaction. */
export function addEntry(state: CounterState | undefined, entry: CounterEntry, kinds: readonly Kind[]): CounterState {
  const next = copyOf(state);
  add(next, entry, kinds);
  return next;
}

/** The state without one event. Where the newest 64 are not all known any more, it is marked stale. */
export function removeEntry(
  state: CounterState | undefined,
  entry: CounterEntry,
  kinds: readonly Kind[],
): CounterState {
  const next = copyOf(state);
  remove(next, entry, kinds);
  return next;
}

/** The state with other values in the place of an event that stays. */
export function replaceEntry(
  state: CounterState | undefined,
  before: CounterEntry,
  after: CounterEntry,
  kinds: readonly Kind[],
): CounterState {
  const next = copyOf(state);
  const i = placeOf(next, before);
  if (i >= 0 && before[0] === after[0] && before[1] === after[1]) {
    next.e[i] = after;
  } else if (i < 0 && before[0] === after[0]) {
    addToDay(next, before, kinds, -1);
    addToDay(next, after, kinds, 1);
  } else {
    remove(next, before, kinds);
    add(next, after, kinds);
  }
  return next;
}

/** The entries of two disjoint sets of events together; marked stale where one of them knows days only. */
export function mergeCounters(a: CounterState, b: CounterState): CounterState {
  const all = [...a.e, ...b.e].sort(compare);
  const merged: CounterState = { e: all.slice(-EXACT_ENTRIES) };
  if (a.stale || b.stale || a.d !== undefined || b.d !== undefined || all.length > EXACT_ENTRIES) merged.stale = true;
  return merged;
}

/** A stretch of time: what happened after `after` and not after `until`. */
export interface Span {
  after: number;
  until: number;
}

export type Measure = 'times' | 'sum' | 'largest' | 'distinct' | 'same';

export interface Tally {
  times: number;
  /** The asked measure over the span; undefined where nothing in it has a value. */
  value?: number;
  /** When the oldest that was counted stands; Infinity where nothing was. */
  oldest: number;
  /** The earliest event after the span's end; Infinity where there is none. */
  ahead: number;
}

/**
 * Measures what lies in the span; `index` is the measured property's place. Events that are known by their day alone
 * enter and leave a span together, about when the day ends.
 */
export function tally(state: CounterState | undefined, span: Span, measure: Measure, index: number): Tally {
  const found: Tally = { times: 0, oldest: NEVER, ahead: NEVER };
  if (state === undefined) return found;
  const { after, until } = span;
  let sum = 0;
  let greatest: number | null = null;
  const groups = measure === 'distinct' || measure === 'same' ? new Map<string, number>() : undefined;
  for (let i = state.e.length - 1; i >= 0; i--) {
    const entry = state.e[i] as CounterEntry;
    const at = entry[0];
    if (at <= after) break;
    if (at > until) {
      found.ahead = at;
      continue;
    }
    found.times += 1;
    found.oldest = at;
    if (measure === 'sum') sum += entry[index + 2] as number;
    else if (measure === 'largest') greatest = largest(greatest, entry[index + 2] as number | null);
    else if (groups !== undefined) {
      for (const group of entry[index + 2] as string[]) groups.set(group, (groups.get(group) ?? 0) + 1);
    }
  }
  for (let i = (state.d?.length ?? 0) - 1; i >= 0; i--) {
    const bucket = (state.d as Bucket[])[i] as Bucket;
    const at = standsAt(state, bucket);
    if (at <= after) break;
    if (at > until) {
      found.ahead = Math.min(found.ahead, at);
      continue;
    }
    found.times += bucket[1];
    found.oldest = Math.min(found.oldest, at);
    const value = bucket[index + 2];
    if (measure === 'sum') sum += value as number;
    else if (measure === 'largest') greatest = largest(greatest, value as number | null);
    else if (groups !== undefined) {
      for (const [group, many] of Object.entries(value as Record<string, number>))
        groups.set(group, (groups.get(group) ?? 0) + many);
    }
  }
  if (found.times === 0) return found;
  if (measure === 'times') found.value = found.times;
  else if (measure === 'sum') found.value = tidy(sum);
  else if (groups === undefined) {
    if (greatest !== null) found.value = greatest;
  } else if (groups.size > 0) found.value = measure === 'distinct' ? groups.size : Math.max(...groups.values());
  return found;
}

/** When the n-th newest event up to `now` stands (1 = the newest); undefined where there are fewer. */
export function newest(state: CounterState | undefined, n: number, now: number): number | undefined {
  if (state === undefined) return undefined;
  let i = state.e.length - 1;
  while (i >= 0 && (state.e[i] as CounterEntry)[0] > now) i--;
  if (state.d === undefined) return state.e[i - n + 1]?.[0];
  const days = state.d;
  let left = n;
  for (let day = days.length - 1; i >= 0 || day >= 0; ) {
    const entry = i >= 0 ? (state.e[i] as CounterEntry)[0] : Number.NEGATIVE_INFINITY;
    const known = day >= 0 ? standsAt(state, days[day] as Bucket) : Number.NEGATIVE_INFINITY;
    if (known > now) {
      day--;
    } else if (entry >= known) {
      left -= 1;
      if (left <= 0) return entry;
      i--;
    } else {
      left -= (days[day] as Bucket)[1];
      if (left <= 0) return known;
      day--;
    }
  }
  return undefined;
}

/** When the oldest event up to `now` stands; undefined where there is none. */
export function oldest(state: CounterState | undefined, now: number): number | undefined {
  const { ahead, ...found } = tally(state, { after: Number.NEGATIVE_INFINITY, until: now }, 'times', 0);
  return found.oldest === NEVER ? undefined : found.oldest;
}

/** The earliest event that is still to come; Infinity where there is none. */
export function ahead(state: CounterState | undefined, now: number): number {
  if (state === undefined) return NEVER;
  let first = NEVER;
  for (let i = state.e.length - 1; i >= 0; i--) {
    const at = (state.e[i] as CounterEntry)[0];
    if (at <= now) return first;
    first = at;
  }
  for (const bucket of state.d ?? []) {
    const at = standsAt(state, bucket);
    if (at > now) first = Math.min(first, at);
  }
  return first;
}
