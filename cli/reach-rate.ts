// What follows from a reach: at what rate it goes out, when, zone by zone, and what is in the way.
import { allowance } from '../domain/allowance.ts';
import type { Book } from '../domain/book.ts';
import { instantIn, occurrencesBetween } from '../domain/broadcast.ts';
import { isBroadcast } from '../domain/campaign-parts.ts';
import type { CompiledCampaign } from '../domain/compiled-campaign.ts';
import { drain } from '../domain/drain.ts';
import { type Passed, passWaves, type Reach, wavesOf } from '../domain/reach.ts';
import { accountOf } from '../functions/aws/account.ts';
import { key, type Table } from '../functions/aws/table.ts';
import type { Target } from './outputs.ts';

const DAY = 86_400_000;
/** How far ahead the next time of a broadcast is looked for. */
const AHEAD_ONCE = 3660 * DAY;
const AHEAD = 40 * DAY;

/** At what rate bulk goes out, and what is in its way. */
export interface Rate {
  /** Messages a second of all lanes, and of bulk. */
  rate: number;
  perSecond: number;
  /** Of 24 hours, and how many of them are used. */
  dailyQuota?: number;
  sent24h?: number;
  /** Why no bulk is sent at present. */
  held?: string;
}

/** How a broadcast goes out: its next time, zone by zone. */
export interface Outgoing {
  occurrence: string;
  passed: Passed[];
  /** Seconds from the first message to the last when nothing but the rate and the quota is in the way. */
  seconds: number;
  /** How often the day's quota makes them wait. */
  waits: number;
}

export interface Reached extends Reach {
  campaign: string;
  title?: string;
  at: number;
  shopZone: string;
  rate?: Rate;
  /** Of a broadcast that has a time to come. */
  outgoing?: Outgoing;
  /** Of "alsoThoseInside": how many a day, and how many days that takes. */
  perDay?: { most: number; days: number };
  /** A broadcast whose time is over. */
  over?: true;
  paused?: true;
}

/** What a stage may send, as far as its outputs and the last reading of the account say. */
export async function readRate(
  { outputs = {} }: { outputs?: Target['outputs'] | undefined },
  table: Table,
  now: number,
): Promise<Rate | undefined> {
  const account = accountOf(await table.readOne(key.account()));
  const { SendRate, RateShare } = outputs;
  const sendRate = SendRate === undefined ? account?.maxRate : Number(SendRate);
  if (sendRate === undefined) return undefined;
  const { rate, bulkRate, bulkHeld } = allowance(account, { sendRate, share: Number(RateShare ?? 1) }, now);
  return {
    rate,
    perSecond: bulkRate,
    ...(account !== undefined && account.max24h >= 0 && { dailyQuota: account.max24h, sent24h: account.sent24h }),
    ...(bulkHeld !== undefined && { held: bulkHeld }),
  };
}

/** The reach of a campaign of the book with what follows from it. */
export function reachedOf(
  book: Book,
  campaign: CompiledCampaign,
  reach: Reach,
  { now, rate }: { now: number; rate?: Rate | undefined },
): Reached {
  const { when, title } = campaign.campaign;
  const { settings } = book.definitions;
  const told: Reached = {
    campaign: campaign.id,
    ...(title !== undefined && { title }),
    at: now,
    shopZone: settings.zone,
    ...reach,
    ...(book.controls.paused[campaign.id] !== undefined && { paused: true as const }),
    ...(rate !== undefined && { rate }),
  };
  if ('enters' in when && when.alsoThoseInside !== undefined) {
    const { perDay } = when.alsoThoseInside;
    return { ...told, perDay: { most: perDay, days: Math.ceil(reach.reached.contacts / perDay) } };
  }
  if (!isBroadcast(when)) return told;
  const next = occurrencesBetween(when, settings.zone, now, now + ('at' in when ? AHEAD_ONCE : AHEAD)).find(
    ({ first }) => first > now,
  );
  if (next === undefined) return { ...told, over: true };
  if (rate === undefined) return told;
  const zones = when.clock === 'contact' ? reach.zones : [{ zone: settings.zone, share: reach.reached }];
  const waves = wavesOf(campaign, zones, (zone) => instantIn(when, next.id, zone, settings.zone));
  const { seconds, waits } = drain({ messages: reach.reached.contacts, lane: 'bulk', ...rate });
  const passed = passWaves(waves, rate.perSecond, campaign, settings.quietHours);
  return { ...told, outgoing: { occurrence: next.id, passed, seconds, waits } };
}
