// The laptop's clock: real time plus an offset that the workers share.

/** Epoch milliseconds that can be moved forward; every worker that is given `shared` sees the move at once. */
export class Clock {
  /** A Float64Array of one element over this memory holds the offset in milliseconds. */
  readonly shared = new SharedArrayBuffer(8);
  readonly #offset = new Float64Array(this.shared);

  constructor(start?: number) {
    if (start !== undefined) this.#offset[0] = start - Date.now();
  }

  now(): number {
    return Math.floor(Date.now() + this.#offset[0]!);
  }

  /** Moves to an instant; one that has passed already changes nothing, because time never goes back. */
  moveTo(instant: number): void {
    if (!Number.isFinite(instant))
      throw new RangeError(`An instant is expected, in epoch milliseconds; received ${instant}.`);
    if (instant > this.now()) this.#offset[0] = instant - Date.now();
  }
}
