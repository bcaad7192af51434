// How much may be sent now: the account's limits as SES said them, this stage's ceiling and share, and what follows.

/** What SES said of the account at an instant. */
export interface Account {
  /** Epoch milliseconds of the reading. */
  at: number;
  /** Most messages a second over the whole account. */
  maxRate: number;
  /** Most messages in 24 hours; below 0 = unlimited. */
  max24h: number;
  sent24h: number;
  sendingEnabled: boolean;
  /** False in the sandbox. */
  production: boolean;
  /** `HEALTHY`, `PROBATION` (under review) or `SHUTDOWN`. */
  enforcement: string;
}

export interface Ceiling {
  /** Most messages a second of this stage. */
  sendRate: number;
  /** This stage's share of the account's rate. */
  share: number;
}

export interface Allowance {
  /** Messages a second over all workers of the stage. */
  rate: number;
  /** Of each second's `rate`, how much may be taken before bulk must leave the rest to triggered mail. */
  bulkRate: number;
  /** Why no bulk is sent. */
  bulkHeld?: string;
  /** Why nothing at all is sent. */
  held?: string;
}

/** Bulk yields from here on, of the second's rate and of the day's quota. */
export const BULK_SHARE = 0.8;
/** A reading older than this says nothing of quota and standing any more. */
const BELIEVED_FOR = 10 * 60_000;

/**
 * What may be sent at `now`. Without a reading the stage's own ceiling holds; of one older than ten minutes only the
 * rate is believed. Used quota is what was read plus the most that may have been sent since.
 */
export function allowance(account: Account | undefined, { sendRate, share }: Ceiling, now: number): Allowance {
  // The product of a share and a rate misses whole numbers by a little.
  const rate =
    account === undefined ? sendRate : Math.max(1, Math.min(sendRate, Math.floor(account.maxRate * share + 1e-9)));
  const allowed: Allowance = { rate, bulkRate: Math.max(1, Math.floor(rate * BULK_SHARE + 1e-9)) };
  if (account === undefined || now - account.at > BELIEVED_FOR) return allowed;
  const reason = isShut(account);
  if (reason !== undefined) return { ...allowed, held: reason, bulkHeld: reason };
  if (account.max24h >= 0 && account.sent24h >= account.max24h) {
    return { ...allowed, held: 'daily quota used up', bulkHeld: 'daily quota used up' };
  }
  if (account.enforcement === 'PROBATION') return { ...allowed, bulkHeld: 'account under review' };
  const sent = account.sent24h + (rate * Math.max(0, now - account.at)) / 1000;
  if (account.max24h >= 0 && sent >= account.max24h * BULK_SHARE) return { ...allowed, bulkHeld: 'daily quota' };
  return allowed;
}

/** Why SES takes nothing from this account, or undefined where it does. */
export function isShut({ enforcement, sendingEnabled }: Account): string | undefined {
  if (enforcement === 'SHUTDOWN') return 'account shut down';
  return sendingEnabled ? undefined : 'account may not send';
}

/** Used part of the day's quota as read, 0 to 1 and above; 0 where there is none. */
export function quotaUsed({ max24h, sent24h }: Account): number {
  if (max24h < 0) return 0;
  return max24h === 0 ? 1 : sent24h / max24h;
}
