// When the timers must fire for walks that begin by themselves: no index holds them before they do, and here time jumps.
import type { Definitions } from '../domain/book.ts';
import { type Broadcast, nextBegin } from '../domain/broadcast.ts';
import { isBroadcast, whenOf } from '../domain/campaign-parts.ts';

const FAR = 40 * 86_400_000;

/** What a published book begins by itself, and since when nobody has looked. */
export class Begins {
  readonly #broadcasts: Broadcast[];
  readonly #zone: string;
  #looked: number;
  /** A walk over those inside a segment begins as soon as somebody looks. */
  #soon: number | undefined;
  #known: number | undefined;

  constructor({ campaigns, settings }: Pick<Definitions, 'campaigns' | 'settings'>, now: number) {
    const whens = Object.values(campaigns).map(({ campaign }) => campaign.when);
    this.#broadcasts = whens.filter(isBroadcast) as Broadcast[];
    this.#zone = settings.zone;
    this.#looked = now;
    this.#soon = whens.some((when) => whenOf(when, 'enters')?.alsoThoseInside !== undefined) ? now : undefined;
  }

  /** The next instant at which the timers must have fired; undefined where nothing begins within 40 days. */
  next(): number | undefined {
    if (this.#soon !== undefined) return this.#soon;
    if (this.#known === undefined || this.#known <= this.#looked) {
      this.#known = nextBegin(this.#broadcasts, this.#zone, this.#looked, this.#looked + FAR);
    }
    return this.#known;
  }

  /** The timers have fired. */
  looked(now: number): void {
    this.#looked = now;
    this.#soon = undefined;
  }
}

/** The earlier of two instants, where there are any. */
export function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}
