// Seeded chance: the same seed, the same throws.

/** A small seeded generator of random numbers (mulberry32). */
export class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** 0 ≤ x < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
  is(share: number): boolean {
    return this.next() < share;
  }
  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }
  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }
  one<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)]!;
  }
  weighted<T>(list: readonly T[], weight: (each: T) => number): T {
    let left = this.next() * list.reduce((sum, each) => sum + weight(each), 0);
    for (const each of list) {
      left -= weight(each);
      if (left < 0) return each;
    }
    return list.at(-1)!;
  }
  /** Around 0, with a deviation of 1. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }
}
