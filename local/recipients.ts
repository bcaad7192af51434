// What recipients do with their mail, as a story says: by address, and for every so manyth of them.
import type { Happening } from './ses-events.ts';

export interface RecipientRule {
  /** A whole address, `@domain`, or an expression over the address in small letters. */
  to: string | RegExp;
  /** What becomes of the mail. One happening has before it what must precede it (a complaint, a delivery); a list is taken as it is, after the mail was sent. */
  does: Happening | readonly Happening[];
  /** Every so manyth mail to them; every one when absent. */
  every?: number;
}

export interface Running {
  /** How many mails it decided. */
  met(): number;
  stop(): void;
}

/** All rules of one laptop: a later one goes before an earlier one. */
export class Recipients {
  #rules: { rule: RecipientRule; seen: number; met: number }[] = [];

  add(rule: RecipientRule): Running {
    const running = { rule, seen: 0, met: 0 };
    this.#rules.unshift(running);
    return {
      met: () => running.met,
      stop: () => {
        this.#rules = this.#rules.filter((one) => one !== running);
      },
    };
  }

  /** What becomes of a mail to the address; undefined where no rule is about it. */
  decide(address: string): RecipientRule['does'] | undefined {
    for (const running of this.#rules) {
      const { to, does, every = 1 } = running.rule;
      if (!isAbout(to, address)) continue;
      running.seen++;
      if (running.seen % every !== 0) continue;
      running.met++;
      return does;
    }
    return undefined;
  }
}

function isAbout(to: string | RegExp, address: string): boolean {
  if (typeof to !== 'string') return to.test(address);
  return to.startsWith('@') ? address.endsWith(to) : address === to;
}
