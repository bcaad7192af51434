// What starts by time alone: a date of the contact, and products that run out. When it is due, and what was asked already.

import { anniversaries, dayOfYear } from './calendar.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { CounterState } from './counter.ts';
import { supplyFrom } from './counting.ts';
import type { Json } from './interaction.ts';
import type { Sight } from './rule-node.ts';
import { durationMs, instantOf, localTime } from './time.ts';
import { isDate } from './where.ts';

const DAY = 86_400_000;
const NEVER = Number.POSITIVE_INFINITY;

/** Something that time brings: at which instant, and what is remembered of it so that it is asked once. */
export interface Occasion {
  at: number;
  /** The key and the value in `journey.asked`: whatever does not lie behind what was asked last is not asked again. */
  key: string;
  /** The day, whatever the clock there shows; of a product the last purchase. */
  mark: number;
  /** The local date, or the product with its last purchase: what names the run. */
  occurrence: string;
  /** What the run keeps. */
  properties: Record<string, Json>;
  product?: string;
}

/** The occasions of a campaign at an instant: those that have come, by their marks, and when the next one comes. */
export interface Occasions {
  come: Occasion[];
  next: number;
}

const NOTHING: Occasions = { come: [], next: NEVER };

/** What time brings to a contact in a campaign that starts by a date or by a product that runs out. */
export function occasionsOf(campaign: CompiledCampaign, sight: Sight): Occasions {
  if (campaign.date !== undefined) return dateOccasions(campaign.id, campaign.date, sight);
  if (campaign.due !== undefined) return dueOccasions(campaign.id, campaign.due, sight);
  return NOTHING;
}

const shifted = (date: string, days: number): string =>
  new Date(Date.parse(date) - days * DAY).toISOString().slice(0, 10);

/** Date and zone → the last instant and the next: few people share a date, but one person is looked at often. */
const known = new Map<string, { last?: [at: number, date: string]; next?: [at: number, date: string] }>();
const MOST_KNOWN = 5_000;

function dateOccasions(id: string, asked: NonNullable<CompiledCampaign['date']>, sight: Sight): Occasions {
  const value = asked.read(sight);
  const texts = (Array.isArray(value) ? value : [value]).filter(
    (one) => typeof one === 'string' || typeof one === 'number',
  );
  const come: Occasion[] = [];
  let next = NEVER;
  for (const text of texts) {
    const found = around(String(text), typeof text === 'number', asked, sight);
    if (found?.last !== undefined) {
      const [at, date] = found.last;
      come.push({ at, key: id, mark: Date.parse(date), occurrence: `date|${date}`, properties: { date } });
    }
    if (found?.next !== undefined) next = Math.min(next, found.next[0]);
  }
  return { come: come.length > 1 ? come.sort((a, b) => a.mark - b.mark) : come, next };
}

function around(
  text: string,
  isInstant: boolean,
  { days, clock, once }: NonNullable<CompiledCampaign['date']>,
  { now, zone }: Sight,
): { last?: [number, string]; next?: [number, string] } | undefined {
  const key = `${isInstant ? '#' : ''}${text}|${zone}|${days}|${clock}|${once}`;
  const kept = known.get(key);
  if (kept !== undefined && now >= (kept.last?.[0] ?? Number.NEGATIVE_INFINITY) && now < (kept.next?.[0] ?? NEVER)) {
    return kept;
  }
  const date = isInstant ? dateAt(Number(text), zone) : text.length > 10 ? dateAt(Date.parse(text), zone) : text;
  const told =
    date === undefined
      ? undefined
      : once
        ? onceAround(date, days, clock, now, zone)
        : yearly(date, days, clock, now, zone);
  if (told === undefined) return undefined;
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(key, told);
  return told;
}

function dateAt(instant: number, zone: string): string | undefined {
  return Math.abs(instant) <= 8.6e15 ? localTime(instant, zone).date : undefined;
}

function onceAround(date: string, days: number, clock: string, now: number, zone: string) {
  if (!isDate(date) || Number.isNaN(Date.parse(date))) return undefined;
  const at = instantOf(shifted(date, days), clock, zone);
  return at <= now ? { last: [at, date] as [number, string] } : { next: [at, date] as [number, string] };
}

/** The anniversary's day, moved back by whole days, at the local time; 29 February is kept on 28 February in other years. */
function yearly(date: string, days: number, clock: string, now: number, zone: string) {
  const day = dayOfYear(date);
  if (day === undefined) return undefined;
  const at = (anniversary: string): [number, string] => [
    instantOf(shifted(anniversary, days), clock, zone),
    anniversary,
  ];
  // The anniversaries around an instant that lies so many days further on, and those beside them.
  const then = now + days * DAY;
  const { last, next } = anniversaries(day, then, zone);
  const dates = [last - 360 * DAY, last, next, next + 370 * DAY].map((instant) => {
    const there = anniversaries(day, instant, zone);
    return localTime(there.last, zone).date;
  });
  const instants = [...new Set(dates)].sort().map(at);
  const before = instants.filter(([instant]) => instant <= now).at(-1);
  const after = instants.find(([instant]) => instant > now);
  return { ...(before === undefined ? {} : { last: before }), ...(after === undefined ? {} : { next: after }) };
}

/**
 * When each product runs out: by the contact's own rhythm with it where it was bought three times or more (the mean of
 * the intervals), else as long as the catalogue says that one lasts, times the quantity; else by the one interval there is.
 */
function dueOccasions(
  id: string,
  { counter, index, before }: NonNullable<CompiledCampaign['due']>,
  sight: Sight,
): Occasions {
  const state = sight.contact.facts.counters[counter.id];
  if (state === undefined) return NOTHING;
  const come: Occasion[] = [];
  let next = NEVER;
  for (const [product, purchases] of purchasesIn(state, index)) {
    const lasts = lastsOf(purchases, sight.catalogue.products[product]?.lastsFor);
    const { last } = purchases;
    if (lasts === undefined) continue;
    const at = last + Math.max(DAY, lasts) - before;
    if (at > sight.now) next = Math.min(next, at);
    else {
      come.push({
        at,
        key: `${id}|${product}`,
        mark: last,
        occurrence: `due|${product}|${last}`,
        properties: { product_id: product },
        product,
      });
    }
  }
  return { come, next };
}

/** How often a product was bought, when first and last, and how much of it the last time. */
interface Purchases {
  times: number;
  first: number;
  last: number;
  quantity: number;
}

/** A state never changes, and is asked twice in a decision: what starts now, and when the next comes. */
const counted = new WeakMap<CounterState, ReadonlyMap<string, Purchases>>();

/** The purchases of each product. Only what is known exactly. */
function purchasesIn(state: CounterState, index: number): ReadonlyMap<string, Purchases> {
  const known = counted.get(state);
  if (known !== undefined) return known;
  const found = new Map<string, Purchases>();
  for (const entry of state.e) {
    const at = entry[0];
    for (const text of (entry[index + 2] ?? []) as string[]) {
      const { product, quantity } = supplyFrom(text);
      const { times, first } = found.get(product) ?? { times: 0, first: at };
      found.set(product, { times: times + 1, first, last: at, quantity });
    }
  }
  counted.set(state, found);
  return found;
}

function lastsOf({ times, first, last, quantity }: Purchases, lastsFor: string | undefined): number | undefined {
  const own = times < 2 ? undefined : (last - first) / (times - 1);
  if (own !== undefined && times >= 3) return Math.round(own);
  if (lastsFor !== undefined) return durationMs(lastsFor) * Math.max(1, quantity);
  return own === undefined ? undefined : Math.round(own);
}
