// A new sending domain's first weeks: how much marketing of a day, who goes first, and when the others go.
import type { Facts } from './contact.ts';
import { sha256 } from './interaction.ts';
import type { Settings, WarmUp } from './settings.ts';
import { durationMs, instantOf, localTime } from './time.ts';

/** What a plan says of one message at one instant. */
export type WarmUpVerdict =
  /** There is no plan for this domain, or it is over: nothing is held, nothing is counted. */
  | { kind: 'free' }
  /** It may go if it is one of the first `most` of its day. */
  | { kind: 'place'; date: string; most: number }
  | { kind: 'defer'; until: number };

export interface WarmUpMoment {
  plan: WarmUp;
  settings: Pick<Settings, 'zone' | 'quietHours'>;
  /** When the person last bought, clicked or consented; undefined = never, as far as is known. */
  engagedAt: number | undefined;
  /** Spreads those who wait for one day over its hours. */
  message: string;
  now: number;
}

const DAY = 86_400_000;
/** Those who wait for a day start with it, or with the end of quiet hours, and come over so many hours. */
const OPENS = '08:00';
const SPREAD = 8 * 3_600_000;
/** Of a later day's ceiling, how much is promised to those who wait today: the day has messages of its own. */
const PROMISED = 0.8;

/** The domain of an address, in small letters, as plans are keyed. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}

/**
 * When a person last showed interest in a brand: bought, consented, or clicked. Clicks are known only where a rule
 * reads 'Email Clicked'; nothing else keeps them on the contact.
 */
export function engagedAt({ orders, consents, latest }: Facts, brand: string): number | undefined {
  const granted = Object.entries(consents).flatMap(([key, consent]) =>
    consent.granted && key.startsWith(`${brand}|`) ? consent.at : [],
  );
  const instants = [orders.last, latest['Email Clicked'], ...granted].filter((at) => at !== undefined);
  return instants.length === 0 ? undefined : Math.max(...instants);
}

/**
 * Whether a marketing message may take a place of the day. Before the plan starts nobody goes; a day for the engaged
 * defers the others to the first day whose entry lets them go; after the last day nothing is held.
 */
export function warmUp(moment: WarmUpMoment): WarmUpVerdict {
  const { plan, settings, now } = moment;
  const today = dayOfPlan(plan, settings.zone, now);
  if (today >= plan.days.length) return { kind: 'free' };
  const entry = plan.days[today];
  if (entry !== undefined && letsGo(entry, moment.engagedAt, now)) {
    return { kind: 'place', date: dateAfter(plan.starts, today), most: entry.most };
  }
  return { kind: 'defer', until: firstDay(moment, Math.max(today + 1, 0), () => shareOf(moment.message)) };
}

/** The date while the plan runs: under it everything that the domain sends is counted. */
export function warmUpDate(plan: WarmUp, zone: string, now: number): string | undefined {
  const today = dayOfPlan(plan, zone, now);
  return today >= 0 && today < plan.days.length ? dateAfter(plan.starts, today) : undefined;
}

/**
 * When the `place`th message (from 1) that found its day full comes again: on the first later day that lets the person
 * go and has room for all that wait before it, in their order; after the last day all come.
 */
export function afterFullDay(moment: WarmUpMoment, place: number): number {
  const { plan, settings, now } = moment;
  let before = 0;
  return firstDay(moment, dayOfPlan(plan, settings.zone, now) + 1, ({ most }) => {
    const room = Math.max(1, Math.floor(most * PROMISED));
    const share = (place - 1 - before) / room;
    before += room;
    // Who had a place on an earlier day, which did not let the person go, comes with this day's first.
    return share < 1 ? Math.max(0, share) : undefined;
  });
}

type Entry = WarmUp['days'][number];

/** The first instant from a day of the plan on whose entry lets the person go then; `place` says where in the day. */
function firstDay(moment: WarmUpMoment, from: number, place: (entry: Entry) => number | undefined): number {
  const { plan, settings } = moment;
  const opens = settings.quietHours?.to ?? OPENS;
  for (let index = from; ; index++) {
    const entry = plan.days[index];
    const share = entry === undefined ? shareOf(moment.message) : place(entry);
    if (share === undefined) continue;
    const at = instantOf(dateAfter(plan.starts, index), opens, settings.zone) + Math.floor(share * SPREAD);
    if (entry === undefined || letsGo(entry, moment.engagedAt, at)) return at;
  }
}

function letsGo({ engaged }: Entry, engagedAt: number | undefined, at: number): boolean {
  return engaged === undefined || (engagedAt !== undefined && engagedAt >= at - durationMs(engaged));
}

/** 0 on the first day of the plan; below 0 before it. */
function dayOfPlan(plan: WarmUp, zone: string, now: number): number {
  return Math.round((Date.parse(localTime(now, zone).date) - Date.parse(plan.starts)) / DAY);
}

function dateAfter(date: string, days: number): string {
  return new Date(Date.parse(date) + days * DAY).toISOString().slice(0, 10);
}

/** A number from 0 to below 1 that is the same for a message each time. */
function shareOf(message: string): number {
  return Number.parseInt(sha256(message).slice(0, 8), 16) / 0x1_0000_0000;
}
