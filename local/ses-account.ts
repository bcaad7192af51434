// The account of the laptop's SES: its standing, limits and identities, what was called when, and what it refuses.
import { ServiceError } from './service.ts';
import { bareAddress } from './ses-events.ts';
import { REGION } from './template.ts';

/** The state of the account; a story sets what it wants to see. */
export interface SesAccount {
  /** SendEmail calls a second, as GetAccount tells. */
  maxSendRate: number;
  /** Recipients in 24 hours, as GetAccount tells. */
  max24HourSend: number;
  /** Refuses what is over either limit; otherwise stories run as fast as the machine does. */
  strict: boolean;
  /** PROBATION: under review, and everything is still sent. SHUTDOWN: AccountSuspendedException. */
  enforcement: 'HEALTHY' | 'PROBATION' | 'SHUTDOWN';
  /** False: SendingPausedException. */
  sendingEnabled: boolean;
  /** False: the sandbox, in which recipients must be verified too. */
  production: boolean;
  /** Addresses and domains that may be written to in the sandbox; the mailbox simulator always may. */
  verified: string[];
  /** Addresses and domains that nothing may be sent from. */
  unverified: string[];
  /** Configuration sets that are not there although the template has them. */
  missingSets: string[];
}

/** One SendEmail that arrived, whatever came of it. */
export interface SesCall {
  /** By the laptop's clock, epoch milliseconds. */
  at: number;
  /** By the real clock, epoch milliseconds. */
  real: number;
  /** `accepted`, or the name of the error or trouble. */
  outcome: string;
}

export const SIMULATOR = 'simulator.amazonses.com';
const DAY = 86_400_000;

const healthy = (): SesAccount => ({
  maxSendRate: 500,
  max24HourSend: 50_000,
  strict: false,
  enforcement: 'HEALTHY',
  sendingEnabled: true,
  production: true,
  verified: [],
  unverified: [],
  missingSets: [],
});

export class Account {
  readonly #now: () => number;
  readonly #first: Partial<SesAccount>;
  readonly state: SesAccount;
  readonly calls: SesCall[] = [];
  /** Accepted mails, oldest first; those before `#first24` are older than 24 hours. */
  readonly #accepted: { at: number; recipients: number }[] = [];
  #first24 = 0;
  #sent = 0;
  /** How many were accepted in the calendar second of the newest. */
  #newest = { second: 0, mails: 0 };

  constructor(now: () => number, first: Partial<SesAccount> = {}) {
    this.#now = now;
    this.#first = first;
    this.state = { ...healthy(), ...first };
  }

  /** As it was at the start. */
  heal(): void {
    Object.assign(this.state, healthy(), this.#first);
  }

  /** A SendEmail has arrived; the answer says later what came of it. */
  arrive(): SesCall {
    const call: SesCall = { at: this.#now(), real: Date.now(), outcome: '' };
    this.calls.push(call);
    return call;
  }

  /** The call that arrived last is taken. */
  accept(recipients: number): void {
    const at = this.#arrivedAt;
    this.#accepted.push({ at, recipients });
    this.#sent += recipients;
    const second = Math.floor(at / 1000);
    if (second === this.#newest.second) this.#newest.mails++;
    else this.#newest = { second, mails: 1 };
  }

  /** Recipients of the last 24 hours. */
  get sent(): number {
    const since = this.#now() - DAY;
    for (; (this.#accepted[this.#first24]?.at ?? Number.POSITIVE_INFINITY) <= since; this.#first24++) {
      this.#sent -= this.#accepted[this.#first24]!.recipients;
    }
    return this.#sent;
  }

  /** How many SendEmail arrived in each calendar second (epoch seconds) of the laptop's clock or of the real one. */
  perSecond(clock: 'laptop' | 'real'): Map<number, number> {
    const counts = new Map<number, number>();
    for (const { at, real } of this.calls) {
      const second = Math.floor((clock === 'laptop' ? at : real) / 1000);
      counts.set(second, (counts.get(second) ?? 0) + 1);
    }
    return counts;
  }

  get #arrivedAt(): number {
    return this.calls.at(-1)?.at ?? this.#now();
  }

  /** What SES answers to the call that arrived last, before it looks at the mail's content. Throws ServiceError. */
  check(from: string, to: readonly string[]): void {
    const { state } = this;
    if (state.enforcement === 'SHUTDOWN')
      throw new ServiceError('AccountSuspendedException', 'Sending is suspended for this account.');
    if (!state.sendingEnabled) throw new ServiceError('SendingPausedException', 'Email sending is disabled.');
    const failing = this.mayNotSend(from) ? [from] : [];
    if (!state.production) failing.push(...to.filter((address) => !isOf(address, [SIMULATOR, ...state.verified])));
    if (failing.length > 0) {
      const list = failing.join(', ');
      throw new ServiceError(
        'MessageRejected',
        `Email address is not verified. The following identities failed the check in region ${REGION.toUpperCase()}: ${list}`,
      );
    }
    if (!state.strict) return;
    if (this.sent + to.length > state.max24HourSend)
      throw new ServiceError('TooManyRequestsException', 'Daily message quota exceeded.', 429);
    const { second, mails } = this.#newest;
    if (second === Math.floor(this.#arrivedAt / 1000) && mails >= state.maxSendRate)
      throw new ServiceError('TooManyRequestsException', 'Maximum sending rate exceeded.', 429);
  }

  /** An address or a domain of which the verification is missing. */
  mayNotSend(identity: string): boolean {
    return isOf(identity, this.state.unverified);
  }
}

/** Whether a list names the address, its domain or a domain above it. */
function isOf(address: string, list: readonly string[]): boolean {
  const bare = bareAddress(address);
  const domain = bare.slice(bare.indexOf('@') + 1);
  return list.some((one) => one === bare || one === domain || domain.endsWith(`.${one}`));
}
