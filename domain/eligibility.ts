// Who may be written to, and when: the gates before each send, in their one order.

import type * as z from 'zod';
import { type Book, type CompiledCampaign, rulesOf } from './book.ts';
import { eachStep } from './campaign-grammar.ts';
import type { Contact, Run } from './contact.ts';
import { consentAt, pausedUntil, profilingStopped, STATEMENTS } from './facts.ts';
import type { Rule } from './grammar.ts';
import type { Json, JsonObject } from './interaction.ts';
import type { Message } from './message.ts';
import type { CompiledRule } from './rule.ts';
import { derivedAttributes } from './rule-attributes.ts';
import type { Sight } from './rule-node.ts';
import type { Cap } from './settings.ts';
import { afterQuiet, durationMs, isZone, localTime } from './time.ts';
import { type CompiledWhere, valueAt } from './where.ts';

/** The contact's zone: its own `timezone` where it is a known one, else the shop's. */
export function zoneOf(book: Book, contact: Contact): string {
  const own = contact.facts.attributes.timezone?.value;
  return typeof own === 'string' && isZone(own) ? own : book.definitions.settings.zone;
}

/** Which segments hold a contact at one instant: a bit for each, by its place in the book; when time alone moves it next. */
export interface Membership {
  bits: Uint32Array;
  /** The earliest instant after now at which time alone can change any of them; Infinity = none. */
  due: number;
}

/** A contact at one instant as the rules of a book see it. */
export interface BookSight extends Sight {
  /** All segments, answered at once when the first is asked for. */
  membership(): Membership;
  /** The same contact, as it is now, at another instant. */
  at(now: number): BookSight;
}

/** How rules see one contact at one instant. What the contact's facts hold must not change afterwards. */
export function sightOf(book: Book, contact: Contact, now: number): BookSight {
  let known: Membership | undefined;
  const sight: BookSight = {
    contact,
    now,
    zone: zoneOf(book, contact),
    shopZone: book.definitions.settings.zone,
    catalogue: book.definitions.catalogue,
    at: (then) => sightOf(book, contact, then),
    membership() {
      if (known === undefined) {
        const { bits, due } = book.index.answer(sight);
        // The index writes its next answer over this one.
        known = { bits: bits.slice(), due };
      }
      return known;
    },
    inSegment(id) {
      const place = book.segment.get(id)?.place;
      return place !== undefined && hasBit(sight.membership().bits, place);
    },
  };
  return sight;
}

const hasBit = (bits: Uint32Array, place: number): boolean => (((bits[place >>> 5] ?? 0) >>> (place & 31)) & 1) === 1;

/** The same sight, from inside a run: its own counters, `@trigger` and `@product`. */
export function sightOfRun(sight: Sight, run: Pick<Run, 'counters' | 'product'> & Triggered): Sight {
  return { ...sight, runCounters: run.counters, resolve: (reference) => resolveReference(reference, run, sight) };
}

interface Triggered {
  trigger: { properties: JsonObject };
}

function resolveReference(reference: string, run: Pick<Run, 'product'> & Triggered, sight: Sight): Json | undefined {
  const [root, ...rest] = reference.slice(1).split('.');
  const field = rest.join('.');
  if (root === 'trigger') return valueAt(run.trigger.properties, field);
  if (root !== 'product') return undefined;
  const product = run.product ?? textOf(run.trigger.properties.product_id ?? run.trigger.properties.sku);
  if (product === undefined) return undefined;
  if (field === '' || field === 'id' || field === 'product_id') return product;
  const known = Object.hasOwn(sight.catalogue.products, product) ? sight.catalogue.products[product] : undefined;
  return known?.[field as keyof typeof known] as Json | undefined;
}

const textOf = (value: Json | undefined): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;

/** Live: in its dates (of the shop's zone), and the backfill of its book has ended. */
export function isLive(book: Book, campaign: CompiledCampaign, now: number): boolean {
  if (campaign.since > book.controls.filled) return false;
  const { starts, ends } = campaign.campaign;
  if (starts === undefined && ends === undefined) return true;
  const { date } = localTime(now, book.definitions.settings.zone);
  return (starts === undefined || date >= starts) && (ends === undefined || date <= ends);
}

/** True where consent does not forbid it: requested and service mail need none. */
export function consents(
  contact: Contact,
  campaign: Pick<CompiledCampaign, 'brand' | 'campaign'>,
  now: number,
): boolean {
  if (campaign.campaign.kind !== 'marketing') return true;
  return consentAt(contact.facts, campaign.brand, campaign.campaign.topic ?? '', 'email', now) !== undefined;
}

/**
 * Whether a campaign picks people, or what to show them, by what they did: it starts with, or its rules read, an event
 * that is no statement of their own; an attribute that is derived from such events; a segment that does either; or a
 * message that needs recommendations. Consents, attributes that were given, and the clock choose nobody by behaviour.
 */
export function isChosenByBehaviour(book: Pick<Book, 'definitions'>, one: Pick<CompiledCampaign, 'campaign'>): boolean {
  const known = chosen.get(one);
  if (known !== undefined) return known;
  const segments = new Map<string, boolean>();
  const inSegment = (id: string): boolean => {
    const asked = segments.get(id);
    if (asked !== undefined) return asked;
    // A segment that reads itself, which publish refuses, adds nothing of its own.
    segments.set(id, false);
    const rule = Object.hasOwn(book.definitions.segments, id) ? book.definitions.segments[id]?.rule : undefined;
    const answer = rule !== undefined && inRule(rule);
    segments.set(id, answer);
    return answer;
  };
  const acts = (names: string | string[]): boolean => [names].flat().some((name) => !STATEMENTS.has(name));
  const inRule = (rule: Rule | undefined): boolean => {
    if (rule === undefined) return false;
    if ('all' in rule) return rule.all.some(inRule);
    if ('any' in rule) return rule.any.some(inRule);
    if ('not' in rule) return inRule(rule.not);
    if ('did' in rule) return acts(rule.did);
    if ('has' in rule) return Object.keys(rule.has).some((name) => Object.hasOwn(derivedAttributes, name));
    return 'segment' in rule && inSegment(rule.segment);
  };
  const { campaign } = one;
  const { when } = campaign;
  const sends = eachStep(campaign.steps).flatMap(({ step }) => ('send' in step ? [step] : []));
  const starts = (): boolean => {
    if ('did' in when) return acts(when.did);
    if ('enters' in when) return inSegment(when.enters);
    if ('leaves' in when) return inSegment(when.leaves);
    if ('changes' in when) return Object.hasOwn(derivedAttributes, when.changes);
    if ('product' in when) return acts(when.watchedBy.did);
    return 'due' in when;
  };
  const answer =
    starts() ||
    rulesOf(campaign).some(({ rule }) => inRule(rule)) ||
    sends.some(({ needs }) => needs !== undefined && 'recommendations' in needs);
  chosen.set(one, answer);
  return answer;
}

/** A campaign does not change once its book is compiled: it is read through once. */
const chosen = new WeakMap<object, boolean>();

/** What the person asked for stands against a marketing message: a pause, or not to be chosen by what they did. */
function refusedByPerson(book: Book, contact: Contact, campaign: CompiledCampaign, now: number): string | undefined {
  if (campaign.campaign.kind !== 'marketing') return undefined;
  if (pausedUntil(contact.facts, campaign.brand, now) !== undefined) return 'paused by the person';
  const stopped = profilingStopped(contact.facts, campaign.brand) && isChosenByBehaviour(book, campaign);
  return stopped ? 'profiling stopped' : undefined;
}

type CapSetting = z.infer<typeof Cap>;

/**
 * The earliest instant at or after `at` at which one more marketing message breaks no cap. Reservations on both sides
 * count, so that no window of a cap's length ever holds more.
 */
export function capFree(caps: CapSetting[], sends: { at: number }[], at: number): number {
  const windows = caps.map((cap) => ({ most: cap.most, length: durationMs(cap.in) }));
  const fits = (instant: number): boolean =>
    windows.every(({ most, length }) => sends.filter((send) => Math.abs(send.at - instant) < length).length < most);
  const candidates = [at, ...windows.flatMap(({ length }) => sends.map((send) => send.at + length))];
  return Math.min(...candidates.filter((candidate) => candidate >= at && fits(candidate)));
}

/** The longest window of the caps: reservations older than this count no more. */
export function longestCap(caps: CapSetting[]): number {
  return Math.max(0, ...caps.map((cap) => durationMs(cap.in)));
}

export type Gate = { kind: 'send'; at: number } | { kind: 'skip'; reason: string };

/** What a message needs of the moment: recommendations by number, fields of the product. */
export function meets(
  needs: CompiledWhere,
  recommendations: string[],
  product: string | undefined,
  sight: Sight,
): boolean {
  const known = product === undefined ? undefined : sight.catalogue.products[product];
  const view: JsonObject = { recommendations: recommendations.length };
  for (const [field, value] of Object.entries(known ?? {})) view[`product.${field}`] = value as Json;
  return needs.test(view, sight);
}

/**
 * The gates before a send, at the decision: suppression → address → consent → the person's pause and objection to
 * profiling → for → unless, needs → caps → quiet hours (defer, never skip) → expires. Returns the planned instant, or why the message is skipped.
 */
export function gate(
  book: Book,
  campaign: CompiledCampaign,
  sight: Sight,
  message: {
    unless?: CompiledRule;
    needs?: CompiledWhere;
    ignoresQuiet: boolean;
    recommendations: string[];
    product?: string;
    /** When it would be too late. */
    expiresAt?: number;
  },
): Gate {
  const { contact, now } = sight;
  const { settings } = book.definitions;
  const skip = (reason: string): Gate => ({ kind: 'skip', reason });
  if (contact.facts.suppressed !== undefined) return skip(`suppressed: ${contact.facts.suppressed.reason}`);
  if (contact.facts.address === undefined) return skip('no address');
  if (!consents(contact, campaign, now)) return skip('no consent');
  const refused = refusedByPerson(book, contact, campaign, now);
  if (refused !== undefined) return skip(refused);
  if (campaign.for !== undefined && !campaign.for.test(sight)) return skip('not in "for"');
  if (message.unless?.test(sight)) return skip('unless');
  if (message.needs !== undefined && !meets(message.needs, message.recommendations, message.product, sight))
    return skip('needs');
  const { kind, ifCapped } = campaign.campaign;
  const patience = ifCapped === undefined || ifCapped === 'skip' ? 0 : durationMs(ifCapped.slice('wait '.length));
  let at = now;
  for (let moved = true; moved; ) {
    const quiet = message.ignoresQuiet ? at : afterQuiet(at, settings.quietHours, sight.zone);
    const free = kind === 'marketing' ? capFree(settings.caps, contact.journey.sends, quiet) : quiet;
    if (free > quiet && free - now > patience) return skip('frequency-cap');
    moved = free !== at;
    at = free;
  }
  if (message.expiresAt !== undefined && at > message.expiresAt) return skip('expired');
  return { kind: 'send', at };
}

export type Recheck =
  | { kind: 'send' }
  | { kind: 'drop'; reason: string }
  | { kind: 'defer'; until: number; reason: string };

/**
 * The same gates again, at the send: what was decided may have been overtaken. `suppressed` is the answer of the
 * suppression item read just now. `needs` and `unless` were answered at the decision from what is frozen on the
 * message; caps hold a place for it already, and are counted again without it.
 */
export function recheck(
  book: Book,
  contact: Contact,
  message: Message,
  at: { suppressed: boolean; now: number },
): Recheck {
  const { now } = at;
  const drop = (reason: string): Recheck => ({ kind: 'drop', reason });
  const campaign = book.version.get(`${message.campaign}@${message.version}`);
  if (campaign === undefined) return drop('its campaign version is no longer published');
  if (contact.journey.stopped?.[message.run] !== undefined) return drop('its run was stopped');
  if (at.suppressed || contact.facts.suppressed !== undefined) return drop('suppressed');
  if (contact.facts.address === undefined) return drop('no address');
  // A sender's clock may be behind the one that decided: a consent of that moment is none of the future.
  if (!consents(contact, campaign, Math.max(now, message.createdAt))) return drop('no consent');
  const refused = refusedByPerson(book, contact, campaign, now);
  if (refused !== undefined) return drop(refused);
  if (book.controls.stopped !== undefined) return { kind: 'defer', until: now + 300_000, reason: 'sending is stopped' };
  if (book.controls.paused[message.campaign] !== undefined) {
    return { kind: 'defer', until: now + 300_000, reason: 'the campaign is paused' };
  }
  const run = contact.journey.runs.find((one) => one.id === message.run);
  const sight = sightOf(book, contact, now);
  // A run that has left the journey took its counters along: only rules that need none can be asked again.
  if (campaign.for !== undefined && (run !== undefined || campaign.counters.length === 0)) {
    const { product } = message.inputs;
    const frozen = { counters: {}, trigger: message.inputs.trigger, ...(product === undefined ? {} : { product }) };
    if (!campaign.for.test(sightOfRun(sight, run ?? frozen))) return drop('not in "for"');
  }
  if (message.expiresAt !== undefined && now > message.expiresAt) return drop('expired');
  if (message.plannedAt > now) return { kind: 'defer', until: message.plannedAt, reason: 'not due yet' };
  const { settings } = book.definitions;
  if (message.kind === 'marketing') {
    const others = contact.journey.sends.filter((send) => send.id !== message.id && send.at <= now);
    const free = capFree(settings.caps, others, now);
    if (free > now) return { kind: 'defer', until: free, reason: 'frequency-cap' };
  }
  if (!message.ignoresQuiet) {
    const until = afterQuiet(now, settings.quietHours, sight.zone);
    if (until > now) return { kind: 'defer', until, reason: 'quiet hours' };
  }
  return { kind: 'send' };
}
