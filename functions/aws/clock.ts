// The one clock of the functions.

/** Set only by a host that moves time; milliseconds to add to the real time. */
type MovedClock = { __kairosClockOffset?: Float64Array };

/** Epoch milliseconds. */
export function now(): number {
  return Math.floor(Date.now() + ((globalThis as MovedClock).__kairosClockOffset?.[0] ?? 0));
}

/** Waits in real time. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Full jitter: a random wait below 2^attempt × 25 ms, at most a second. */
export function jitter(attempt: number): number {
  return Math.random() * Math.min(1000, 25 * 2 ** attempt);
}
