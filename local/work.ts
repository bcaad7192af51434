// Counts what is under way on the laptop, so that `idle` can be exact.

/** Pieces of work that have begun and not ended. */
export class Work {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** Begins a piece; the answer ends it, and may be called more than once. */
  begin(): () => void {
    this.#count++;
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      if (--this.#count > 0) return;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const done of waiting) done();
    };
  }

  get busy(): boolean {
    return this.#count > 0;
  }

  /** Resolves at the first moment at which nothing is under way. */
  async quiet(): Promise<void> {
    while (this.#count > 0) await new Promise<void>((done) => this.#waiting.push(done));
  }
}
