// Who may be written to, and when: the gates before each send, in their one order.

import type * as z from 'zod';
import { type Book, rulesOf } from './book.ts';
import { eachStep } from './campaign-parts.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { Contact, Run } from './contact.ts';
import { cartLines, consentAt, pausedUntil, profilingStopped, STATEMENTS } from './facts.ts';
import type { Rule } from './grammar.ts';
import type { Json, JsonObject } from './interaction.ts';
import type { Message } from './message.ts';
import { majorUnits } from './money.ts';
import { inStock, lowestBefore, type StoredProduct } from './product.ts';
import { recommendationsOf } from './product-view.ts';
import type { CompiledRule } from './rule.ts';
import { attributeOf, derivedAttributes } from './rule-attributes.ts';
import type { Sight } from './rule-node.ts';
import type { Cap } from './settings.ts';
import { openCases } from './standing.ts';
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
    ...(book.models !== undefined && { models: book.models.models }),
    at: (then) => sightOf(book, contact, then),
    membership() {
      if (known === undefined) {
        const { bits, due } = book.index.answer(sight);
        // The index writes its next answer over this one.
        known = { bits: bits.slice(), due };
      }
      return known;
    },
    ...(book.tiers.length > 0 && {
      tier: () => book.tiers.find(({ place }) => hasBit(sight.membership().bits, place))?.tier,
    }),
    inSegment(id) {
      const place = book.segment.get(id)?.place;
      return place !== undefined && hasBit(sight.membership().bits, place);
    },
  };
  return sight;
}

const hasBit = (bits: Uint32Array, place: number): boolean => (((bits[place >>> 5] ?? 0) >>> (place & 31)) & 1) === 1;

/** What of a run its rules may refer to. */
type Referred = Pick<Run, 'counters' | 'product' | 'watchedAt' | 'recommended'> & {
  trigger: { properties: JsonObject };
};

/** The same sight, from inside a run: its own counters, `@trigger`, `@product`, `@watch` and `@sent`. */
export function sightOfRun<S extends Sight>(sight: S, run: Referred): S {
  return {
    ...sight,
    runCounters: run.counters,
    resolve: (reference: string) => resolveReference(reference, run, sight),
  };
}

function resolveReference(reference: string, run: Referred, sight: Sight): Json | undefined {
  const [root, ...rest] = reference.slice(1).split('.');
  const field = rest.join('.');
  if (root === 'trigger') return valueAt(run.trigger.properties, field);
  if (root === 'watch') return field === 'at' ? run.watchedAt : undefined;
  if (root === 'sent') return field === 'recommendations' ? run.recommended : undefined;
  if (root === 'contact') return attributeOf(field)(sight);
  if (root !== 'product') return undefined;
  const product = productOf(run);
  if (product === undefined) return undefined;
  if (field === '' || field === 'id' || field === 'product_id') return product;
  const known = Object.hasOwn(sight.catalogue.products, product) ? sight.catalogue.products[product] : undefined;
  return known?.[field as keyof typeof known] as Json | undefined;
}

/** The product that a run is about: the line of `each`, what is due or has turned, else the product of its trigger. */
export function productOf({
  product,
  trigger: { properties },
}: Pick<Referred, 'product' | 'trigger'>): string | undefined {
  return product ?? textOf(properties.product_id ?? properties.sku);
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

/** What stands against a marketing message beside consent: a pause, an open case, a topic that rests, an objection to profiling. */
export function refusedFor(book: Book, contact: Contact, campaign: CompiledCampaign, now: number): string | undefined {
  const { kind, topic } = campaign.campaign;
  if (kind !== 'marketing') return undefined;
  if (pausedUntil(contact.facts, campaign.brand, now) !== undefined) return 'paused by the person';
  if (book.definitions.settings.openCases !== 'ignore' && openCases(contact.facts) > 0) return 'a case is open';
  const rests = contact.journey.rests;
  if (topic !== undefined && rests !== undefined && Object.hasOwn(rests, topic)) return `"${topic}" rests`;
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

/** The campaign whose message keeps one more at `at` from being free: the newest before it, else the next after it. */
export function inTheWay(
  caps: CapSetting[],
  sends: { at: number; campaign?: string }[],
  at: number,
): string | undefined {
  const full = caps.find(({ most, in: within }) => {
    const length = durationMs(within);
    return sends.filter((send) => Math.abs(send.at - at) < length).length >= most;
  });
  if (full === undefined) return undefined;
  const near = sends.filter((send) => Math.abs(send.at - at) < durationMs(full.in));
  return (near.filter((send) => send.at <= at).at(-1) ?? near[0])?.campaign;
}

export type Gate = { kind: 'send'; at: number } | { kind: 'skip'; reason: string; winner?: string };

/** What a message needs of the moment. */
export interface Moment {
  recommendations: string[];
  product?: string;
  /** What feeds last said of the product; absent where nobody has looked. */
  fed?: StoredProduct;
}

/** Whether the moment has what a message needs: recommendations and cart lines by number, fields of the product. */
export function meets(needs: CompiledWhere, { recommendations, product, fed }: Moment, sight: Sight): boolean {
  const { products } = sight.catalogue;
  const known = product === undefined || !Object.hasOwn(products, product) ? undefined : products[product];
  const view: JsonObject = {
    recommendations: recommendations.length,
    'cart.items': cartLines(sight.contact.facts).length,
  };
  for (const [field, value] of Object.entries(known ?? {})) view[`product.${field}`] = value as Json;
  if (fed !== undefined) {
    const major = (minor: number | undefined): number | undefined =>
      minor === undefined || fed.currency === undefined ? undefined : majorUnits(minor, fed.currency);
    const told: Record<string, Json | undefined> = {
      'product.price': major(fed.price),
      'product.lowestPrice30d': major(lowestBefore(fed)),
      'product.inStock': inStock(fed),
    };
    for (const [name, value] of Object.entries(told)) if (value !== undefined) view[name] = value;
  }
  return needs.test(view, sight);
}

/**
 * The gates before a send, at the decision: suppression → address → consent → the person's pause, an open case, a topic
 * that rests, an objection to profiling → for → unless, needs → caps → quiet hours (defer, never skip) → expires.
 * Returns the planned instant, or why the message is skipped; under a cap, which campaign came first.
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
    /** Marketing messages that hold places under the caps; the contact's own when absent. A ghost asks with none. */
    sends?: { at: number; campaign?: string }[];
  },
): Gate {
  const { contact, now } = sight;
  const { settings } = book.definitions;
  const skip = (reason: string): Gate => ({ kind: 'skip', reason });
  if (contact.facts.suppressed !== undefined) return skip(`suppressed: ${contact.facts.suppressed.reason}`);
  if (contact.facts.address === undefined) return skip('no address');
  if (!consents(contact, campaign, now)) return skip('no consent');
  const refused = refusedFor(book, contact, campaign, now);
  if (refused !== undefined) return skip(refused);
  if (campaign.for !== undefined && !campaign.for.test(sight)) return skip('not in "for"');
  if (message.unless?.test(sight)) return skip('unless');
  if (message.needs !== undefined && !meets(message.needs, message, sight)) return skip('needs');
  const { kind, ifCapped } = campaign.campaign;
  const sends = message.sends ?? contact.journey.sends;
  const patience = ifCapped === undefined || ifCapped === 'skip' ? 0 : durationMs(ifCapped.slice('wait '.length));
  let at = now;
  for (let moved = true; moved; ) {
    const quiet = message.ignoresQuiet ? at : afterQuiet(at, settings.quietHours, sight.zone);
    const free = kind === 'marketing' ? capFree(settings.caps, sends, quiet) : quiet;
    if (free > quiet && free - now > patience) {
      const winner = inTheWay(settings.caps, sends, quiet);
      return { kind: 'skip', reason: 'frequency-cap', ...(winner === undefined ? {} : { winner }) };
    }
    moved = free !== at;
    at = free;
  }
  if (message.expiresAt !== undefined && at > message.expiresAt) return skip('expired');
  return { kind: 'send', at };
}

/** `place`: the instant to which its place under the caps moves, where it goes out at another than it holds. */
export type Recheck =
  | { kind: 'send'; place?: number }
  | { kind: 'drop'; reason: string }
  | { kind: 'defer'; until: number; reason: string; place?: number };

/** A message may go out so much later than its place under the caps says: less is not worth a write. */
const LATE = 900_000;

/**
 * The same gates again, at the send: what was decided may have been overtaken. `suppressed` is the answer of the
 * suppression item read just now, `products` what feeds last said of the products that the message shows. `unless` was
 * answered at the decision; caps hold a place for the message already, and are counted again without it. What was held
 * up takes its place anew, so that what comes out together after a stop keeps the caps too.
 */
export function recheck(
  book: Book,
  contact: Contact,
  message: Message,
  at: { suppressed: boolean; now: number; products?: Record<string, StoredProduct> },
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
  const refused = refusedFor(book, contact, campaign, now);
  if (refused !== undefined) return drop(refused);
  if (book.controls.stopped !== undefined) return { kind: 'defer', until: now + 300_000, reason: 'sending is stopped' };
  if (book.controls.paused[message.campaign] !== undefined) {
    return { kind: 'defer', until: now + 300_000, reason: 'the campaign is paused' };
  }
  const run = contact.journey.runs.find((one) => one.id === message.run);
  const sight = sightOf(book, contact, now);
  // A run that has left the journey took its counters along: only rules that need none can be asked again.
  if (campaign.for !== undefined && (run !== undefined || campaign.counters.length === 0)) {
    if (!campaign.for.test(sightOfRun(sight, run ?? frozenRun(message)))) return drop('not in "for"');
  }
  if (!meetsNow(campaign, message, sight, at.products ?? {})) return drop('needs');
  if (message.expiresAt !== undefined && now > message.expiresAt) return drop('expired');
  if (message.plannedAt > now) return { kind: 'defer', until: message.plannedAt, reason: 'not due yet' };
  const { settings } = book.definitions;
  const capped = message.kind === 'marketing' && settings.caps.length > 0;
  const held = contact.journey.sends.find((send) => send.id === message.id)?.at ?? message.plannedAt;
  const place = (instant: number): { place?: number } => (capped && instant > held + LATE ? { place: instant } : {});
  if (capped) {
    const others = contact.journey.sends.filter((send) => send.id !== message.id && send.at <= now);
    const free = capFree(settings.caps, others, now);
    if (free > now) return { kind: 'defer', until: free, reason: 'frequency-cap', ...place(free) };
  }
  if (!message.ignoresQuiet) {
    const until = afterQuiet(now, settings.quietHours, sight.zone);
    if (until > now) return { kind: 'defer', until, reason: 'quiet hours', ...place(until) };
  }
  return { kind: 'send', ...place(now) };
}

/** A run that has left the journey, as far as its message still knows it. */
function frozenRun({ inputs: { trigger, product, watchedAt, recommendations } }: Message): Referred {
  return {
    counters: {},
    trigger,
    recommended: recommendations,
    ...(product === undefined ? {} : { product }),
    ...(watchedAt === undefined ? {} : { watchedAt }),
  };
}

/** What a message needs of feeds is known at the send only: stock and price, and which recommendations it still shows. */
function meetsNow(
  campaign: CompiledCampaign,
  message: Message,
  sight: Sight,
  products: Record<string, StoredProduct>,
): boolean {
  const { step, inputs } = message;
  const send = campaign.program.find((one) => one.op === 'send' && one.step === step);
  if (send?.op !== 'send' || send.atSend === undefined) return true;
  const { product } = inputs;
  const recommendations = recommendationsOf(sight.contact, message, products);
  const fed = product !== undefined && Object.hasOwn(products, product) ? products[product] : undefined;
  return meets(
    send.atSend,
    { recommendations, ...(product === undefined ? {} : { product }), ...(fed === undefined ? {} : { fed }) },
    sight,
  );
}
