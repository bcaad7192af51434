// Permits to send: slots in time over all workers, counted in one item per second.
import { key, type Table } from './table.ts';

/**
 * A slot. It may be used from `from` on; a claim must be made before `claimBy` and the call before `callBy`, all three
 * of one calendar second. Whoever comes later sends in a second that others have filled.
 */
export interface Permit {
  from: number;
  claimBy: number;
  callBy: number;
}

export interface Wish {
  wanted: number;
  /** Slots of a second. */
  rate: number;
  /** How many of them may be taken when this lane takes the last: bulk leaves the rest to triggered mail. */
  most: number;
  /** How many seconds ahead it is worth waiting in the worker; beyond that a message waits in the index. */
  ahead: number;
}

/** The last slot of a second is this far from the next: what is on its way may be late without being in it. */
const SPAN = 900;
const CLAIM_BY = 920;
const CALL_BY = 950;
/** Few enough that several workers share a second. */
const MOST_A_WRITE = 10;
const KEPT_SECONDS = 3600;

/**
 * Gives out the slots of each second, `rate` of them, evenly over its first 900 ms, to all workers together.
 *
 * Cost for up to ten permits, one write unit a write, one read unit for each second looked at:
 * - alone in the second: 1 write;
 * - a second that others have begun: 1 or 2 writes (the first is refused, and its answer says what is left);
 * - all workers busy: 1 read of the seconds ahead and 1 or 2 writes. A full second stays full, so a worker that found
 *   one reads before it writes until the present second has room again.
 */
export class Permits {
  readonly #table: Table;
  /** Taken slots by second, as last seen. They never become fewer. */
  readonly #taken = new Map<number, number>();
  #crowded = false;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Up to `wanted` permits, earliest first; fewer where the seconds ahead are full. */
  async take({ wanted, rate, most, ahead }: Wish, now: number): Promise<Permit[]> {
    const permits: Permit[] = [];
    const width = SPAN / rate;
    const first = Math.floor(now / 1000);
    const last = first + ahead;
    for (const second of this.#taken.keys()) if (second < first) this.#taken.delete(second);
    let looked = this.#crowded;
    if (looked) await this.#look(first, last);
    for (let second = first; second <= last && permits.length < wanted; ) {
      // A slot that is over is lost: used now, it would come on top of those that are due now.
      const passed = second === first ? Math.floor((now - first * 1000) / width) : 0;
      const known = this.#taken.get(second);
      const take = Math.min(wanted - permits.length, MOST_A_WRITE, most - Math.max(passed, known ?? 0));
      if (take <= 0) {
        second++;
        continue;
      }
      const taken = await this.#write(second, { passed, take, most, known });
      if (taken !== undefined) {
        for (let slot = taken - take; slot < taken; slot++) permits.push(permitOf(second, slot * width));
      } else if (!looked) {
        looked = true;
        if (most - (this.#taken.get(second) ?? 0) <= 0) await this.#look(second + 1, last);
      }
    }
    this.#crowded = (this.#taken.get(first) ?? 0) >= most;
    return permits;
  }

  /** How many slots are taken after it took its own; undefined when it was refused and has learnt what is taken. */
  async #write(
    second: number,
    { passed, take, most, known }: { passed: number; take: number; most: number; known: number | undefined },
  ): Promise<number | undefined> {
    // Two writes, since an update cannot take the greater of two numbers: slots that passed are skipped in either.
    const behind = known !== undefined && known < passed;
    const answer = await this.#table.updateAnd(key.rate(second), {
      UpdateExpression: `SET taken = ${behind ? ':passed' : 'if_not_exists(taken, :passed)'} + :take, #ttl = :ttl`,
      ConditionExpression: behind
        ? 'attribute_not_exists(taken) OR taken < :passed'
        : 'attribute_not_exists(taken) OR taken BETWEEN :passed AND :room',
      ExpressionAttributeNames: { '#ttl': 'ttl' },
      ExpressionAttributeValues: {
        ':passed': passed,
        ':take': take,
        ':ttl': second + KEPT_SECONDS,
        ...(!behind && { ':room': most - take }),
      },
    });
    const item = 'updated' in answer ? answer.updated : answer.refused;
    const taken = Number(item.taken ?? 0);
    this.#taken.set(second, Math.max(taken, known ?? 0));
    return 'updated' in answer ? taken : undefined;
  }

  async #look(from: number, to: number): Promise<void> {
    const seconds = Array.from({ length: to - from + 1 }, (_, n) => from + n);
    const found = await this.#table.read(seconds.map(key.rate));
    for (const second of seconds) {
      const taken = Number(found.get(key.rate(second))?.taken ?? 0);
      this.#taken.set(second, Math.max(taken, this.#taken.get(second) ?? 0));
    }
  }
}

function permitOf(second: number, offset: number): Permit {
  const start = second * 1000;
  return { from: start + Math.ceil(offset), claimBy: start + CLAIM_BY, callBy: start + CALL_BY };
}
