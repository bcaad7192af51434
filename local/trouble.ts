// Faults that a story asks for: in calls, in invocations and in SES's events; counted or drawn from a seed.
//
// laptop.simulate({ at, kind, times?, share?, seed?, answer? }) → { struck(), release(), stop() }
//   SendEmail, GetAccount and every other call: error · drop · throttle · denied · reset · hang · crash · refuse (with `answer`)
//   SendEmail alone: quota · paused            PutEvents, SendMessageBatch: partial
//   invoke:<function>: error · drop · lose · repeat
//   event:<SES's eventType>: lose · repeat (`copies`, 2 unless given) · delay (until release, also latest first)
// laptop.ses                what lasts: the state of the account
//   .account                { maxSendRate, max24HourSend, strict, enforcement, sendingEnabled, production, verified,
//                             unverified, missingSets }: set its members; .heal() brings back the first state
//   .offline() / .online()  nobody listens at its address, so connections are refused
//   .calls                  every SendEmail, with instant and outcome; .perSecond('laptop' | 'real')
// laptop.recipients({ to, does, every? }) → { met(), stop() }: what becomes of mails to an address, `@domain` or RegExp
// laptop.react(mailId, happening): a happening now, to a mail that was sent. Both take what local/ses-events.ts names:
//   deliver · bounce (type, subType) · complain · delay · reject · rendering-failure · open · click (both: marks)

export type TroubleKind =
  /** Answers 500 and does nothing. An invocation fails before it runs. */
  | 'error'
  /** Does its work, then drops the connection. An invocation's outcome is lost: it counts as failed. */
  | 'drop'
  /** Does nothing and resets the connection. */
  | 'reset'
  /** Does nothing and never answers. */
  | 'hang'
  /** Does nothing, and the function that calls dies at that moment. */
  | 'crash'
  /** Does nothing and says that the caller may not do this. */
  | 'denied'
  /** Does nothing and answers what the trouble's `answer` says. */
  | 'refuse'
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
  /** It happens twice; an event as often as `copies` says. */
  | 'repeat'
  /** An event waits until `release`. */
  | 'delay';

export interface Trouble {
  /** An API call (`SendEmail`, `PutEvents`, …), `invoke:<function>` (`invoke:hand-off`), or `event:<SES type>` (`event:Send`). */
  at: string;
  kind: TroubleKind;
  /** How often at most; endless when absent. */
  times?: number;
  /** For `refuse`: an error by SES's or another service's name. */
  answer?: { status?: number; type: string; message: string };
  /** For `repeat` of an event: how often it happens. */
  copies?: number;
  /** The share of occasions it strikes, 0 to 1, drawn from `seed`; every one when absent. */
  share?: number;
  seed?: number;
}

export interface Simulated {
  /** How often it has struck. */
  struck(): number;
  /** Lets what was delayed happen now, in its order or the latest first; at most so many when `most` is given. */
  release(order?: 'in order' | 'latest first', most?: number): void;
  /** Ends the trouble and releases what it holds. */
  stop(): void;
}

/** A trouble as one occasion meets it. */
export interface Strike extends Pick<Trouble, 'kind' | 'answer'> {
  copies: number;
  /** Keeps what is delayed. */
  hold: (happen: () => void) => void;
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
    const release = (order: 'in order' | 'latest first' = 'in order', most = running.held.length) => {
      for (let left = Math.min(most, running.held.length); left > 0; left--) {
        (order === 'in order' ? running.held.shift() : running.held.pop())?.();
      }
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

  /** The trouble that strikes at this occasion, if any. */
  meet(at: string): Strike | undefined {
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
    return {
      kind: running.kind,
      copies: running.copies ?? 2,
      ...(running.answer !== undefined && { answer: running.answer }),
      hold: (happen) => running.held.push(happen),
    };
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
