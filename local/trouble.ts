// Faults that a story asks for: in calls, in invocations and in SES's events; counted or drawn from a seed.

export type TroubleKind =
  /** Answers 500 and does nothing. An invocation fails before it runs. */
  | 'error'
  /** Does its work, then drops the connection. An invocation's outcome is lost: it counts as failed. */
  | 'drop'
  /** Answers that there were too many requests. */
  | 'throttle'
  /** SendEmail: the day's quota is used up. */
  | 'quota'
  /** SendEmail: the account is paused. */
  | 'paused'
  /** PutEvents, SendMessageBatch: the last entry fails. */
  | 'partial'
  /** An event or an invocation never happens, though it seems to have. */
  | 'lose'
  /** It happens twice. */
  | 'repeat'
  /** An event waits until `release`. */
  | 'delay';

export interface Trouble {
  /** An API call (`SendEmail`, `PutEvents`, …), `invoke:<function>` (`invoke:hand-off`), or `event:<SES type>` (`event:Send`). */
  at: string;
  kind: TroubleKind;
  /** How often at most; endless when absent. */
  times?: number;
  /** The share of occasions it strikes, 0 to 1, drawn from `seed`; every one when absent. */
  share?: number;
  seed?: number;
}

export interface Simulated {
  /** How often it has struck. */
  struck(): number;
  /** Lets what was delayed happen now. */
  release(): void;
  /** Ends the trouble and releases what it holds. */
  stop(): void;
}

interface Running extends Trouble {
  struck: number;
  draw: () => number;
  held: (() => void)[];
}

/** All troubles of one laptop. */
export class Troubles {
  #running: Running[] = [];

  add(trouble: Trouble): Simulated {
    const running: Running = {
      ...trouble,
      at: plain(trouble.at),
      struck: 0,
      draw: generator(trouble.seed ?? 1),
      held: [],
    };
    this.#running.push(running);
    const release = () => {
      for (const happen of running.held.splice(0)) happen();
    };
    return {
      struck: () => running.struck,
      release,
      stop: () => {
        this.#running = this.#running.filter((one) => one !== running);
        release();
      },
    };
  }

  /** The trouble that strikes at this occasion, if any. `hold` keeps what is delayed. */
  meet(at: string): { kind: TroubleKind; hold: (happen: () => void) => void } | undefined {
    if (this.#running.length === 0) return undefined;
    const name = plain(at);
    const running = this.#running.find(
      (one) =>
        (one.at === name || (one.at.startsWith('invoke:') && name.startsWith(one.at))) &&
        (one.times === undefined || one.struck < one.times) &&
        (one.share === undefined || one.draw() < one.share),
    );
    if (running === undefined) return undefined;
    running.struck++;
    return { kind: running.kind, hold: (happen) => running.held.push(happen) };
  }
}

/** `invoke:hand-off` and the logical id `HandOff1A2B3C4D` meet: letters and digits only, small. */
const plain = (at: string) => at.toLowerCase().replace(/[^a-z0-9:]/g, '');

/** mulberry32: a small seeded generator of numbers in [0, 1). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
