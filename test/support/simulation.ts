// A clock that jumps from event to event, seeded: what the processes of a stack do to each other, in no real time.
import { drawn } from './faulty-engine.ts';

interface Planned {
  at: number;
  order: number;
  run: () => unknown;
}

/** The next macrotask, whatever becomes of the global timers: by then all that could go on has gone on. */
const { setImmediate: soon } = globalThis;
const pause = (): Promise<void> => new Promise((resolve) => void soon(resolve));

/** Events in the order of their instants; the same seed gives the same life. */
export class Simulation {
  /** Epoch milliseconds, with fractions. */
  now: number;
  readonly seed: number;
  readonly draw: () => number;
  /** Events that have happened. */
  events = 0;
  readonly #heap: Planned[] = [];
  #order = 0;

  constructor(seed: number, start: number) {
    this.seed = seed;
    this.now = start;
    this.draw = drawn(seed * 2654435761);
  }

  /**
   * Lets something happen at an instant, at once where that is over. A promise that it returns is waited for while the
   * clock stands: it must not wait for the clock.
   */
  at(instant: number, run: () => unknown): void {
    const planned = { at: Math.max(instant, this.now), order: this.#order++, run };
    const heap = this.#heap;
    let place = heap.push(planned) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(planned, heap[parent] as Planned)) break;
      heap[place] = heap[parent] as Planned;
      place = parent;
    }
    heap[place] = planned;
  }

  after(milliseconds: number, run: () => unknown): void {
    this.at(this.now + milliseconds, run);
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds, resolve));
  }

  /** True with this probability. */
  chance(share: number): boolean {
    return share > 0 && this.draw() < share;
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.draw();
  }

  /** Waiting for something that comes with equal chance at any instant, on average after so long. */
  exponential(mean: number): number {
    return -Math.log(1 - this.draw()) * mean;
  }

  /**
   * Lets events happen until `isOver` says so or an instant has come; the clock, the timers and the chance of everything
   * in this process are the simulation's meanwhile. An event that throws ends it.
   */
  async run(until: number, isOver: () => boolean = () => false): Promise<void> {
    const restore = this.#takeGlobals();
    try {
      for (let next = this.#heap[0]; next !== undefined && next.at <= until && !isOver(); next = this.#heap[0]) {
        this.#shift();
        this.now = next.at;
        this.events++;
        const running = next.run();
        if (running instanceof Promise) await running;
        await pause();
      }
      if (Number.isFinite(until) && !isOver()) this.now = Math.max(this.now, until);
    } finally {
      restore();
    }
  }

  #shift(): void {
    const heap = this.#heap;
    const last = heap.pop() as Planned;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Planned, heap[child] as Planned)) child++;
      if (!isBefore(heap[child] as Planned, last)) break;
      heap[place] = heap[child] as Planned;
      place = child;
    }
    heap[place] = last;
  }

  #takeGlobals(): () => void {
    const { setTimeout } = globalThis;
    const { now } = Date;
    const { random } = Math;
    Date.now = () => Math.floor(this.now);
    Math.random = this.draw;
    globalThis.setTimeout = ((run: (...given: unknown[]) => void, milliseconds = 0, ...given: unknown[]) => {
      this.after(milliseconds, () => run(...given));
      return { unref: () => {}, ref: () => {} };
    }) as unknown as typeof setTimeout;
    return () => {
      Date.now = now;
      Math.random = random;
      globalThis.setTimeout = setTimeout;
    };
  }
}

const isBefore = (a: Planned, b: Planned): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** How long a call takes on its way there and back, in milliseconds: usually, and now and then. */
export interface Latency {
  there: [number, number];
  back: [number, number];
  /** The share of calls whose answer takes as long as `tail`. */
  slow?: number;
  tail?: [number, number];
}

/**
 * One process: every call that it makes takes time, and it can die before or after any of them. Then nothing reaches it
 * any more, and what it has asked for at that moment happens or does not.
 */
export class Process {
  readonly #simulation: Simulation;
  readonly #died: () => void;
  /** Milliseconds by which its clock is ahead. */
  readonly skew: number;
  dead = false;
  calls = 0;
  #doom: { at: number; when: 'before' | 'after' } | undefined;

  constructor(simulation: Simulation, skew: number, died: () => void = () => {}) {
    this.#simulation = simulation;
    this.skew = skew;
    this.#died = died;
  }

  readonly now = (): number => Math.floor(this.#simulation.now + this.skew);

  /** Its own waits end with it. */
  readonly sleep = (milliseconds: number): Promise<void> =>
    new Promise((resolve) =>
      this.#simulation.after(Math.max(0, milliseconds), () => {
        if (!this.dead) resolve();
      }),
    );

  /** Dies at one of its next calls. */
  doom(calls: number): void {
    const when = this.#simulation.chance(0.5) ? 'before' : 'after';
    this.#doom = { at: this.calls + 1 + Math.floor(this.#simulation.draw() * calls), when };
  }

  die(): void {
    if (this.dead) return;
    this.dead = true;
    this.#died();
  }

  /** A call of another service: `work` begins at the service's instant, and its answer comes later. */
  call<T>(latency: Latency, work: () => Promise<T>): Promise<T> {
    const simulation = this.#simulation;
    const number = ++this.calls;
    return new Promise((resolve, reject) => {
      if (this.dead) return;
      simulation.after(simulation.between(...latency.there), () => {
        if (this.#doom?.at === number && this.#doom.when === 'before') this.die();
        // What was on its way when the process died has left it, or has not.
        if (this.dead && simulation.chance(0.5)) return;
        const answer = work();
        answer.catch(() => {});
        const slow = latency.tail !== undefined && simulation.chance(latency.slow ?? 0);
        simulation.after(simulation.between(...((slow && latency.tail) || latency.back)), async () => {
          const [settled] = await Promise.allSettled([answer]);
          if (this.#doom?.at === number && this.#doom.when === 'after') this.die();
          if (this.dead) return;
          if (settled.status === 'fulfilled') resolve(settled.value);
          else reject(settled.reason);
        });
      });
    });
  }
}
