// One person's hot state: facts are a commutative fold, the journey follows the order of processing.
import { type CounterState, mergeCounters } from './counter.ts';
import type { Interaction, Json, JsonObject, SubjectKey } from './interaction.ts';
import { minorUnits } from './money.ts';
import { type Order, orderEffect, productsOf, statedCurrency } from './order.ts';

export const CONTACT_SHAPE = 1;

/** A value with the event time and id that gave it: the latest wins, ties by id. */
export interface Stamped<T = Json> {
  value: T;
  at: number;
  id: string;
}

export type Basis = 'double' | 'single' | 'soft' | 'imported';
export interface Consent {
  granted: boolean;
  at: number;
  id: string;
  basis?: Basis;
  wording?: string;
  form?: string;
  source?: string;
  /** Epoch milliseconds at which it ends by itself. */
  until?: number;
}

export interface CartLine {
  quantity: number;
  price?: number;
  at: number;
  id: string;
}

export type SuppressionReason = 'bounced' | 'complained' | 'imported';

export interface Facts {
  attributes: Record<string, Stamped>;
  /** The address that this contact holds; absent while another contact holds the one it claimed. */
  address?: Stamped<string>;
  /** SHA-256 (hex) of the address: the key of suppressions. */
  addressHash?: string;
  /** Key: `<brand>|<topic>|<channel>`. */
  consents: Record<string, Consent>;
  /** Withdrawal of everything of a brand: brand → stamp. A later grant ends it. */
  withdrawn: Record<string, { at: number; id: string }>;
  /** A block on the present address, whatever the consent. */
  suppressed?: { reason: SuppressionReason; at: number };
  cart: { clearedAt?: number; clearedBy?: string; lines: Record<string, CartLine> };
  /** Minor units of the shop's currency. `spend` = gross − refunded. */
  orders: { count: number; gross: number; refunded: number; returned: number; first?: number; last?: number };
  /** Product id → when it was last bought; the newest 100. */
  bought: Record<string, number>;
  /** Event name → latest event time, for names that some rule reads. */
  latest: Record<string, number>;
  counters: Record<string, CounterState>;
}

export interface Run {
  id: string;
  campaign: string;
  version: string;
  occurrence: string;
  /** Event time of the trigger, or the instant of entering. */
  startedAt: number;
  /** Program counter: the index of the instruction at which the run stands. */
  at: number;
  /** Instant at which the current wait ends. */
  wakeAt?: number;
  /** Instant at which a `waitFor`, or a message that waits for an address, gives up. */
  waitsUntil?: number;
  /** From which instant the next wait counts (the last step's planned instant). */
  from: number;
  product?: string;
  trigger: { name: string; id: string; at: number; properties: JsonObject };
  /** Counters of rules that speak of this run only. */
  counters: Record<string, CounterState>;
  /** Messages planned and not known to be sent. */
  pending: { id: string; at: number; contact?: string }[];
  /** Steps are through; kept for an hour, so that its last message can still be checked and taken back. */
  ended?: number;
}

export interface LastDecision {
  at: number;
  kind: 'send' | 'defer' | 'hold out' | 'skip' | 'start' | 'stop' | 'end';
  reason: string;
  step?: string;
}

export interface Journey {
  /** Segment → since when (absent = outside) and how many times it was entered. */
  segments: Record<string, { since?: number; entries: number }>;
  runs: Run[];
  /** Campaign → last start; `<campaign>|<product or order>` for `once per …` and `each`. */
  starts: Record<string, number>;
  /** Planned instants of marketing messages inside the longest cap window. */
  sends: { at: number; id: string }[];
  decisions: Record<string, LastDecision>;
  /** The instant at which something may turn. */
  due?: number;
}

export interface Contact {
  shape: number;
  id: string;
  createdAt: number;
  /** Subject keys under which interactions of this person stand. */
  aliases: SubjectKey[];
  facts: Facts;
  journey: Journey;
  /** Hash and ordinal of the definitions that last decided over it; absent = never decided. */
  book?: { hash: string; ordinal: number; counters: string };
  /** Set on the remainder of a contact that was merged into another. */
  mergedInto?: string;
}

/** A contact of which nothing is known yet. */
export function newContact(id: string, createdAt: number): Contact {
  return {
    shape: CONTACT_SHAPE,
    id,
    createdAt,
    aliases: [],
    facts: {
      attributes: {},
      consents: {},
      withdrawn: {},
      cart: { lines: {} },
      orders: { count: 0, gross: 0, refunded: 0, returned: 0 },
      bought: {},
      latest: {},
      counters: {},
    },
    journey: { segments: {}, runs: [], starts: {}, sends: [], decisions: {} },
  };
}

const newer = (a: { at: number; id: string }, b: { at: number; id: string } | undefined): boolean =>
  b === undefined || a.at > b.at || (a.at === b.at && a.id > b.id);

const MOST_BOUGHT = 100;
const MOST_CART_LINES = 100;
/** With texts of at most 1,000 characters each, a contact stays far below what an item may hold. */
const MOST_ATTRIBUTES = 100;

/** Keeps the `most` entries that `rank` puts highest; ties by key. A function of the set, not of the order. */
function highest<T>(entries: Record<string, T>, most: number, rank: (value: T) => number): Record<string, T> {
  const all = Object.entries(entries);
  if (all.length <= most) return entries;
  all.sort(([a, x], [b, y]) => rank(y) - rank(x) || (a < b ? -1 : 1));
  return Object.fromEntries(all.slice(0, most));
}

/** Cart lines that stand at present: newer than the last clearing, or part of the snapshot that cleared. */
export function cartLines(facts: Facts): [product: string, line: CartLine][] {
  return Object.entries(facts.cart.lines).filter(([, line]) => line.quantity > 0 && standsInCart(facts, line));
}

function standsInCart({ cart }: Facts, line: CartLine): boolean {
  return newer(line, clearing(cart)) || (line.at === cart.clearedAt && line.id === cart.clearedBy);
}

function clearing(cart: Facts['cart']): { at: number; id: string } | undefined {
  return cart.clearedAt === undefined ? undefined : { at: cart.clearedAt, id: cart.clearedBy ?? '' };
}

function tidyCart(facts: Facts): void {
  const standing = Object.entries(facts.cart.lines).filter(([, line]) => standsInCart(facts, line));
  facts.cart.lines = highest(Object.fromEntries(standing), MOST_CART_LINES, (line) => line.at);
}

function setCartLine(facts: Facts, product: Json | undefined, line: CartLine): void {
  if (typeof product !== 'string' && typeof product !== 'number') return;
  const key = String(product);
  if (newer(line, Object.hasOwn(facts.cart.lines, key) ? facts.cart.lines[key] : undefined))
    facts.cart.lines[key] = line;
}

function foldCart(facts: Facts, interaction: Interaction, currency: string): void {
  const { properties, at, id } = interaction;
  const lineOf = (source: JsonObject, fallback: number): CartLine => {
    const line: CartLine = { quantity: source.quantity === undefined ? fallback : Number(source.quantity), at, id };
    const own = (statedCurrency(source) ?? statedCurrency(properties) ?? currency) === currency;
    if (own && source.price !== undefined && source.price !== null) line.price = minorUnits(source.price, currency);
    return line;
  };
  switch (interaction.name) {
    case 'Product Added':
      setCartLine(facts, properties.product_id ?? properties.sku, lineOf(properties, 1));
      break;
    case 'Product Removed':
      setCartLine(facts, properties.product_id ?? properties.sku, { quantity: 0, at, id });
      break;
    case 'Cart Viewed':
    case 'Checkout Started':
    case 'Order Completed': {
      const products = interaction.name === 'Order Completed' ? [] : properties.products;
      if (!Array.isArray(products)) return;
      if (newer({ at, id }, clearing(facts.cart))) {
        facts.cart.clearedAt = at;
        facts.cart.clearedBy = id;
      }
      for (const line of products) {
        if (line !== null && typeof line === 'object' && !Array.isArray(line)) {
          setCartLine(facts, line.product_id ?? line.sku, lineOf(line, 1));
        }
      }
      break;
    }
    default:
      return;
  }
  tidyCart(facts);
}

function foldConsent(facts: Facts, interaction: Interaction, defaultBrand: string): void {
  const { properties, at, id, name } = interaction;
  if (name !== 'Consent Granted' && name !== 'Consent Withdrawn') return;
  const brand = typeof properties.brand === 'string' ? properties.brand : defaultBrand;
  const granted = name === 'Consent Granted';
  if (!granted && (properties.all === true || typeof properties.topic !== 'string')) {
    foldWithdrawalInto(facts, brand, at, id);
    return;
  }
  const channel = typeof properties.channel === 'string' ? properties.channel : 'email';
  const key = `${brand}|${properties.topic}|${channel}`;
  const known = Object.hasOwn(facts.consents, key) ? facts.consents[key] : undefined;
  // The latest event time wins; at the same instant a withdrawal wins, then the greater id.
  const wins =
    known === undefined || at > known.at || (at === known.at && (known.granted !== granted ? !granted : id > known.id));
  if (!wins) return;
  const consent: Consent = { granted, at, id };
  for (const field of ['wording', 'form', 'source'] as const) {
    const value = properties[field];
    if (typeof value === 'string') consent[field] = value;
  }
  if (properties.basis === 'double' || properties.basis === 'soft' || properties.basis === 'imported') {
    consent.basis = properties.basis;
  } else if (granted) consent.basis = 'single';
  const until = typeof properties.until === 'string' ? Date.parse(properties.until) : Number(properties.until);
  if (granted && properties.until !== undefined && Number.isFinite(until)) consent.until = until;
  facts.consents[key] = consent;
}

function foldWithdrawalInto(facts: Facts, brand: string, at: number, id: string): void {
  if (newer({ at, id }, facts.withdrawn[brand])) facts.withdrawn[brand] = { at, id };
}

/** The consent to a topic that holds at an instant, or undefined. None recorded means none. */
export function consentAt(
  facts: Facts,
  brand: string,
  topic: string,
  channel: string,
  now: number,
): Consent | undefined {
  const consent = facts.consents[`${brand}|${topic}|${channel}`];
  if (consent === undefined || !consent.granted || consent.at > now) return undefined;
  if (consent.until !== undefined && consent.until <= now) return undefined;
  const withdrawn = facts.withdrawn[brand];
  return withdrawn !== undefined && withdrawn.at >= consent.at ? undefined : consent;
}

export interface OrderChange {
  before?: Order | undefined;
  after: Order;
}

/**
 * Folds what an interaction says into the facts, event counters apart. Commutative: any order, one result; repeats
 * are stopped before. Changes `facts`: hand in a copy. Money is of the shop's currency; what an order says in another
 * currency is counted, not summed.
 */
export function foldFacts(
  contact: Contact,
  interaction: Interaction,
  order: OrderChange | undefined,
  shop: { currency: string; brand: string },
): void {
  const { facts } = contact;
  const { at, id } = interaction;
  for (const [name, value] of Object.entries(interaction.traits)) {
    if (newer({ at, id }, Object.hasOwn(facts.attributes, name) ? facts.attributes[name] : undefined)) {
      facts.attributes[name] = { value, at, id };
    }
  }
  facts.attributes = highest(facts.attributes, MOST_ATTRIBUTES, (attribute) => attribute.at);
  const claimed = interaction.who.address;
  if (claimed !== undefined && interaction.address !== undefined && contact.aliases.includes(`address#${claimed}`)) {
    if (newer({ at, id }, facts.address)) {
      facts.address = { value: interaction.address, at, id };
      if (facts.addressHash !== claimed) delete facts.suppressed;
      facts.addressHash = claimed;
    }
  }
  foldConsent(facts, interaction, shop.brand);
  foldCart(facts, interaction, shop.currency);
  if (order !== undefined) foldOrderChange(facts, order, shop.currency);
}

function foldOrderChange(facts: Facts, { before, after }: OrderChange, currency: string): void {
  const was = orderEffect(before, currency);
  const is = orderEffect(after, currency);
  const { orders } = facts;
  orders.count += is.count - was.count;
  orders.gross += is.gross - was.gross;
  orders.refunded += is.refunded - was.refunded;
  orders.returned += is.returned - was.returned;
  if (is.at === undefined) return;
  orders.first = Math.min(orders.first ?? is.at, is.at);
  const last = is.last ?? is.at;
  orders.last = Math.max(orders.last ?? last, last);
  // Also what an update took out: no fact says which other order it was bought in, so it could not be undone.
  const products = [...productsOf(after.statement?.lines ?? []), ...(after.formerly ?? [])];
  for (const product of products) facts.bought[product] = Math.max(facts.bought[product] ?? last, last);
  facts.bought = highest(facts.bought, MOST_BOUGHT, (value) => value);
}

/**
 * Puts right what was folded while nothing was published: consents then had no brand, and amounts no shop's currency.
 * `orders` are all that the contact's interactions speak of. Changes `facts`.
 */
export function takeOverFacts(facts: Facts, orders: Order[], shop: { currency: string; brand: string }): void {
  for (const [key, consent] of Object.entries(facts.consents)) {
    if (!key.startsWith('|')) continue;
    const own = `${shop.brand}${key}`;
    if (newer(consent, facts.consents[own])) facts.consents[own] = consent;
    delete facts.consents[key];
  }
  const withdrawn = facts.withdrawn[''];
  if (withdrawn !== undefined) {
    foldWithdrawalInto(facts, shop.brand, withdrawn.at, withdrawn.id);
    delete facts.withdrawn[''];
  }
  facts.orders = { ...facts.orders, count: 0, gross: 0, refunded: 0, returned: 0 };
  for (const after of orders) foldOrderChange(facts, { after }, shop.currency);
}

/** The contact with a block on its address folded in; a block of another address changes nothing. */
export function foldSuppression(
  contact: Contact,
  suppression: { addressHash: string; reason: SuppressionReason; at: number },
): Contact {
  const { facts } = contact;
  if (facts.addressHash !== suppression.addressHash) return contact;
  if (facts.suppressed !== undefined && facts.suppressed.at <= suppression.at) return contact;
  return { ...contact, facts: { ...facts, suppressed: { reason: suppression.reason, at: suppression.at } } };
}

/** The contact with a withdrawal of everything of a brand folded in (an imported unsubscribe). */
export function foldWithdrawal(contact: Contact, brand: string, at: number): Contact {
  const facts = { ...contact.facts, withdrawn: { ...contact.facts.withdrawn } };
  foldWithdrawalInto(facts, brand, at, 'imported');
  return { ...contact, facts };
}

/** The contact with the place that a dropped message held under the caps given back. */
export function releaseMessage(contact: Contact, messageId: string): Contact {
  const { journey } = contact;
  if (!journey.sends.some((send) => send.id === messageId)) return contact;
  return { ...contact, journey: { ...journey, sends: journey.sends.filter((send) => send.id !== messageId) } };
}

function latestOf<T extends { at: number; id: string }>(a: Record<string, T>, b: Record<string, T>): Record<string, T> {
  const merged = { ...a };
  for (const [key, value] of Object.entries(b)) if (newer(value, merged[key])) merged[key] = value;
  return merged;
}

function greatestOf(a: Record<string, number>, b: Record<string, number>): Record<string, number> {
  const merged = { ...a };
  for (const [key, value] of Object.entries(b)) merged[key] = Math.max(merged[key] ?? value, value);
  return merged;
}

function mergeFacts(a: Facts, b: Facts): Facts {
  const address = a.address === undefined || (b.address && newer(b.address, a.address)) ? b : a;
  const consents = { ...a.consents };
  for (const [key, value] of Object.entries(b.consents)) {
    const known = consents[key];
    const wins = known === undefined || newer(value, known);
    const tie = known !== undefined && known.at === value.at && known.granted !== value.granted;
    if (tie ? !value.granted : wins) consents[key] = value;
  }
  const counters = { ...a.counters };
  for (const [key, state] of Object.entries(b.counters)) {
    const known = counters[key];
    counters[key] = known === undefined ? state : mergeCounters(known, state);
  }
  const clearedByB = newer({ at: b.cart.clearedAt ?? -1, id: b.cart.clearedBy ?? '' }, clearing(a.cart));
  const clear = clearedByB ? b.cart : a.cart;
  const facts: Facts = {
    attributes: latestOf(a.attributes, b.attributes),
    consents,
    withdrawn: latestOf(a.withdrawn, b.withdrawn),
    cart: { ...clear, lines: latestOf(a.cart.lines, b.cart.lines) },
    orders: {
      count: a.orders.count + b.orders.count,
      gross: a.orders.gross + b.orders.gross,
      refunded: a.orders.refunded + b.orders.refunded,
      returned: a.orders.returned + b.orders.returned,
    },
    bought: highest(greatestOf(a.bought, b.bought), MOST_BOUGHT, (value) => value),
    latest: greatestOf(a.latest, b.latest),
    counters,
  };
  const firsts = [a.orders.first, b.orders.first].filter((at) => at !== undefined);
  const lasts = [a.orders.last, b.orders.last].filter((at) => at !== undefined);
  if (firsts.length > 0) facts.orders.first = Math.min(...firsts);
  if (lasts.length > 0) facts.orders.last = Math.max(...lasts);
  if (address.address !== undefined) facts.address = address.address;
  if (address.addressHash !== undefined) facts.addressHash = address.addressHash;
  const blocks = [a, b].flatMap((side) => (side.addressHash === facts.addressHash ? (side.suppressed ?? []) : []));
  const block = blocks.sort((x, y) => x.at - y.at || (x.reason < y.reason ? -1 : 1))[0];
  if (block !== undefined) facts.suppressed = block;
  tidyCart(facts);
  return facts;
}

/** Whether `a` was there first: it keeps its id, its draws and its runs. */
export function isOlder(a: Contact, b: Contact): boolean {
  return a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.id < b.id);
}

/**
 * One person in place of two. The older contact survives; the other's remainder only points to it. Facts are folded;
 * of two live runs of one campaign (and product) the older contact's stays and the other stops; sends and caps unite.
 * `drops` are messages of stopped runs to take back, each under the contact that holds it; those planned after `now`
 * give back their places under the caps, the others may have gone out. Counters are rebuilt at the next decision.
 */
export function mergeContacts(
  one: Contact,
  other: Contact,
  now: number = Number.POSITIVE_INFINITY,
): { contact: Contact; tombstone: Contact; drops: { id: string; reason: string; contact: string }[] } {
  const [older, younger] = isOlder(one, other) ? [one, other] : [other, one];
  const sameRun = (a: Run, b: Run): boolean => a.campaign === b.campaign && a.product === b.product;
  const kept = older.journey.runs;
  const stopped = younger.journey.runs.filter(
    (run) => !run.ended && kept.some((own) => !own.ended && sameRun(own, run)),
  );
  const moved = younger.journey.runs
    .filter((run) => !stopped.includes(run))
    .map((run) => ({
      ...run,
      pending: run.pending.map((message) => ({ ...message, contact: message.contact ?? younger.id })),
    }));
  const drops = stopped.flatMap((run) =>
    run.pending.map((message) => ({ id: message.id, reason: 'merged', contact: message.contact ?? younger.id })),
  );
  const segments = { ...younger.journey.segments };
  for (const [id, state] of Object.entries(older.journey.segments)) {
    const entries = state.entries + (segments[id]?.entries ?? 0);
    const since = state.since ?? segments[id]?.since;
    segments[id] = since === undefined ? { entries } : { since, entries };
  }
  const dues = [older.journey.due, younger.journey.due].filter((due) => due !== undefined);
  const journey: Journey = {
    segments,
    runs: [...kept, ...moved],
    starts: greatestOf(older.journey.starts, younger.journey.starts),
    sends: [...older.journey.sends, ...younger.journey.sends]
      .filter((send) => send.at <= now || !drops.some((drop) => drop.id === send.id))
      .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1)),
    decisions: { ...younger.journey.decisions, ...older.journey.decisions },
  };
  for (const run of stopped) journey.decisions[run.campaign] = { at: run.from, kind: 'stop', reason: 'merged' };
  if (dues.length > 0) journey.due = Math.min(...dues);
  const contact: Contact = {
    ...older,
    aliases: [...new Set([...older.aliases, ...younger.aliases])],
    facts: mergeFacts(older.facts, younger.facts),
    journey,
  };
  // What one of them said of an order of the other's is in neither's counters.
  if (older.book !== undefined) contact.book = { ...older.book, counters: 'to be rebuilt' };
  const empty = newContact(younger.id, younger.createdAt);
  return { contact, tombstone: { ...empty, aliases: younger.aliases, mergedInto: older.id }, drops };
}
