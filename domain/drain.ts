// How long what waits takes to go out: the rate of its lane, and the day's quota where one is in the way.
import { BULK_SHARE } from './allowance.ts';

const DAY_SECONDS = 86_400;

export interface Waiting {
  /** How many are due. */
  messages: number;
  /** Messages a second that the stage may send. */
  rate: number;
  lane: 'triggered' | 'bulk';
  /** Messages that the account may send in 24 hours; absent = no quota is in the way. */
  dailyQuota?: number;
  /** How many of these are used already; taken as sent just now, so that they count for 24 hours more. */
  sent24h?: number;
}

export interface Drain {
  /** Seconds from the first to the last, waits for the quota among them; infinite where nothing may be sent. */
  seconds: number;
  /** Messages a second while they go. */
  perSecond: number;
  /** How often the quota makes them wait until the next day. */
  waits: number;
}

/**
 * How long messages of one lane take when nothing else is sent. Bulk takes its share of each second's slots (a whole
 * number of them) and of the quota. The guard band at the end of each second costs nothing: a second's slots lie closer.
 */
export function drain({ messages, rate, lane, dailyQuota, sent24h = 0 }: Waiting): Drain {
  const share = lane === 'bulk' ? BULK_SHARE : 1;
  const perSecond = lane === 'bulk' ? Math.max(1, Math.floor(rate * share + 1e-9)) : rate;
  if (messages <= 0) return { seconds: 0, perSecond, waits: 0 };
  const quota = dailyQuota === undefined ? Number.POSITIVE_INFINITY : Math.floor(dailyQuota * share + 1e-9);
  if (quota <= 0) return { seconds: Number.POSITIVE_INFINITY, perSecond, waits: 0 };
  const room = Math.max(0, quota - sent24h);
  // What is sent in a day leaves the window as fast as it went, so that from the second day on each is like the other.
  if (messages <= room || (sent24h === 0 && quota >= perSecond * DAY_SECONDS)) {
    return { seconds: messages / perSecond, perSecond, waits: 0 };
  }
  const left = messages - room;
  const waits = quota >= perSecond * DAY_SECONDS ? 1 : Math.ceil(left / quota);
  const last = left - (waits - 1) * quota;
  return { seconds: waits * DAY_SECONDS + last / perSecond, perSecond, waits };
}
