// How often, how much and when last: the compact state of one event counter.

/** Newest 64 matching events exactly; older ones by UTC day. */
export interface CounterState {
  /** [event time, key of the order or of the interaction, values summed…], ascending by time then key. */
  e: [number, string, ...number[]][];
  /** Day number → [how many, sums…]. */
  d?: Record<string, number[]>;
}
