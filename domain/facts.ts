// Facts of a contact: a commutative fold of what was said, in any order.
import { foldBlock } from './block.ts';
import type { CartLine, Consent, Contact, Facts, SuppressionReason } from './contact.ts';
import { calendarDay } from './insight/customer.ts';
import type { Interaction, Json, JsonObject } from './interaction.ts';
import { minorUnits } from './money.ts';
import { type Order, orderEffect, productsOf, statedCurrency } from './order.ts';
import { type Earned, earnedBy } from './order-value.ts';
import type { Catalogue } from './settings.ts';
import { foldStanding } from './standing.ts';

/** Whether `a` is the later word: by event time, at the same instant by id. Anything is later than nothing. */
export const newer = (a: { at: number; id: string }, b: { at: number; id: string } | undefined): boolean =>
  b === undefined || a.at > b.at || (a.at === b.at && a.id > b.id);

export const MOST_BOUGHT = 100;
export const MOST_DAYS = 200;
const MOST_CART_LINES = 100;
/** With texts of at most 1,000 characters each, a contact stays far below what an item may hold. */
const MOST_ATTRIBUTES = 100;

/** Keeps the `most` entries that `rank` puts highest; ties by key. A function of the set, not of the order. */
export function highest<T>(entries: Record<string, T>, most: number, rank: (value: T) => number): Record<string, T> {
  if (Object.keys(entries).length <= most) return entries;
  const all = Object.entries(entries).sort(([a, x], [b, y]) => rank(y) - rank(x) || (a < b ? -1 : 1));
  return Object.fromEntries(all.slice(0, most));
}

/** Cart lines that stand at present: newer than the last clearing, or part of the snapshot that cleared. */
export function cartLines(facts: Facts): [product: string, line: CartLine][] {
  return Object.entries(facts.cart.lines).filter(([, line]) => line.quantity > 0 && standsInCart(facts, line));
}

function standsInCart({ cart }: Facts, line: CartLine): boolean {
  return newer(line, clearing(cart)) || (line.at === cart.clearedAt && line.id === cart.clearedBy);
}

/** The stamp of the last clearing of a cart: what is older stands no more. */
export function clearing(cart: Facts['cart']): { at: number; id: string } | undefined {
  return cart.clearedAt === undefined ? undefined : { at: cart.clearedAt, id: cart.clearedBy ?? '' };
}

/** Takes out of the cart what stands no more, and all but the newest lines. Puts a new cart into `facts`. */
export function tidyCart(facts: Facts): void {
  const standing = Object.entries(facts.cart.lines).filter(([, line]) => standsInCart(facts, line));
  const lines = highest(Object.fromEntries(standing), MOST_CART_LINES, (line) => line.at);
  facts.cart = { ...facts.cart, lines };
}

function setCartLine(lines: Facts['cart']['lines'], product: Json | undefined, line: CartLine): void {
  if (typeof product !== 'string' && typeof product !== 'number') return;
  const key = String(product);
  if (newer(line, Object.hasOwn(lines, key) ? lines[key] : undefined)) lines[key] = line;
}

const CART_EVENTS: ReadonlySet<string> = new Set([
  'Product Added',
  'Product Removed',
  'Cart Viewed',
  'Checkout Started',
  'Order Completed',
]);

function foldCart(facts: Facts, interaction: Interaction, currency: string): void {
  if (!CART_EVENTS.has(interaction.name)) return;
  const { properties, at, id } = interaction;
  const lineOf = (source: JsonObject, fallback: number): CartLine => {
    const line: CartLine = { quantity: source.quantity === undefined ? fallback : Number(source.quantity), at, id };
    const own = (statedCurrency(source) ?? statedCurrency(properties) ?? currency) === currency;
    if (own && source.price !== undefined && source.price !== null) line.price = minorUnits(source.price, currency);
    return line;
  };
  const cart = { ...facts.cart, lines: { ...facts.cart.lines } };
  switch (interaction.name) {
    case 'Product Added':
      setCartLine(cart.lines, properties.product_id ?? properties.sku, lineOf(properties, 1));
      break;
    case 'Product Removed':
      setCartLine(cart.lines, properties.product_id ?? properties.sku, { quantity: 0, at, id });
      break;
    default: {
      const products = interaction.name === 'Order Completed' ? [] : properties.products;
      if (!Array.isArray(products)) return;
      if (newer({ at, id }, clearing(cart))) {
        cart.clearedAt = at;
        cart.clearedBy = id;
      }
      for (const line of products) {
        if (line !== null && typeof line === 'object' && !Array.isArray(line)) {
          setCartLine(cart.lines, line.product_id ?? line.sku, lineOf(line, 1));
        }
      }
    }
  }
  facts.cart = cart;
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
  facts.consents = { ...facts.consents, [key]: consent };
}

/** Names of the events by which a person says who they are and what they want; all others tell what they did. */
export const STATEMENTS: ReadonlySet<string> = new Set([
  'Identified',
  'Consent Requested',
  'Consent Granted',
  'Consent Withdrawn',
  'Pause Requested',
  'Pause Ended',
  'Profiling Stopped',
  'Profiling Allowed',
]);

type Pause = NonNullable<Facts['pauses']>[string];
type Profiling = NonNullable<Facts['profiling']>[string];

/** The later of two words on a pause; of one instant the one that leaves the person alone for longer, then the greater id. */
export function laterPause(a: Pause, b: Pause | undefined): Pause {
  if (b === undefined || a.at > b.at) return a;
  if (a.at < b.at) return b;
  return a.until > b.until || (a.until === b.until && a.id > b.id) ? a : b;
}

/** The later of two words on profiling; of one instant "stop" wins, then the greater id. */
export function laterProfiling(a: Profiling, b: Profiling | undefined): Profiling {
  if (b === undefined || a.at > b.at) return a;
  if (a.at < b.at) return b;
  return (a.stopped && !b.stopped) || (a.stopped === b.stopped && a.id > b.id) ? a : b;
}

function foldWish(facts: Facts, { name, properties, at, id }: Interaction, defaultBrand: string): void {
  const brand = typeof properties.brand === 'string' ? properties.brand : defaultBrand;
  if (name === 'Pause Requested' || name === 'Pause Ended') {
    const asked = name === 'Pause Requested' ? Date.parse(String(properties.until)) : at;
    // What nobody can read is no pause, and what has ended before it was asked for ends at once.
    const until = Number.isFinite(asked) ? Math.max(asked, at) : at;
    facts.pauses = { ...facts.pauses, [brand]: laterPause({ until, at, id }, facts.pauses?.[brand]) };
  }
  if (name === 'Profiling Stopped' || name === 'Profiling Allowed') {
    const word = { stopped: name === 'Profiling Stopped', at, id };
    facts.profiling = { ...facts.profiling, [brand]: laterProfiling(word, facts.profiling?.[brand]) };
  }
}

/** Until when the person does not want marketing of a brand, where that is still to come. */
export function pausedUntil(facts: Facts, brand: string, now: number): number | undefined {
  const until =
    facts.pauses !== undefined && Object.hasOwn(facts.pauses, brand) ? facts.pauses[brand]?.until : undefined;
  return until !== undefined && until > now ? until : undefined;
}

/** Whether the person forbids a brand to choose by what they did. */
export function profilingStopped(facts: Facts, brand: string): boolean {
  return facts.profiling !== undefined && Object.hasOwn(facts.profiling, brand) && !!facts.profiling[brand]?.stopped;
}

function foldWithdrawalInto(facts: Facts, brand: string, at: number, id: string): void {
  if (newer({ at, id }, facts.withdrawn[brand])) facts.withdrawn = { ...facts.withdrawn, [brand]: { at, id } };
}

/** The consent to a topic that holds at an instant, or undefined. None recorded means none. */
export function consentAt(
  facts: Facts,
  brand: string,
  topic: string,
  channel: string,
  now: number,
): Consent | undefined {
  return standingConsent(facts, brand, facts.consents[`${brand}|${topic}|${channel}`], now);
}

/** The consent, where it is granted, has begun, has not ended and was not withdrawn with everything of its brand. */
export function standingConsent(
  facts: Facts,
  brand: string,
  consent: Consent | undefined,
  now: number,
): Consent | undefined {
  if (consent === undefined || !consent.granted || consent.at > now) return undefined;
  if (consent.until !== undefined && consent.until <= now) return undefined;
  const withdrawn = facts.withdrawn[brand];
  return withdrawn !== undefined && withdrawn.at >= consent.at ? undefined : consent;
}

/** What facts of orders are folded by: the shop's currency and zone, and the margins of its products. */
export interface FoldingShop {
  currency: string;
  brand: string;
  zone: string;
  catalogue: Catalogue;
}

export interface OrderChange {
  before?: Order | undefined;
  after: Order;
}

/**
 * Folds what an interaction says into the facts, event counters apart. Commutative: any order, one result; repeats
 * are stopped before. Changes `contact.facts` at its top only: a record in it that changes is replaced by another.
 * Money is of the shop's currency; what an order says in another currency is counted, not summed.
 */
export function foldFacts(
  contact: Contact,
  interaction: Interaction,
  order: OrderChange | undefined,
  shop: FoldingShop,
): void {
  const { facts } = contact;
  const { at, id } = interaction;
  const said = Object.entries(interaction.traits);
  if (said.length > 0) facts.attributes = { ...facts.attributes };
  for (const [name, value] of said) {
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
  foldWish(facts, interaction, shop.brand);
  foldCart(facts, interaction, shop.currency);
  foldStanding(facts, interaction);
  if (order !== undefined) foldOrderChange(facts, order, shop);
}

type Day = NonNullable<Facts['days']>[string];

/** Adds to a day; a day at which nothing is left goes. True where the day is a new one. */
function addToDay(
  days: NonNullable<Facts['days']>,
  { at, orders, net, valued, margin }: Earned,
  sign: 1 | -1,
  zone: string,
): boolean {
  if (at === undefined) return false;
  const key = calendarDay(at, zone);
  const known = days[key];
  const day: Day = sumOfDays(known, [sign * orders, sign * net, sign * valued, sign * margin]);
  if (day.every((part) => part === 0)) {
    delete days[key];
    return false;
  }
  days[key] = day;
  return known === undefined;
}

/** A day of two parts; what is 0 at its end is left out. */
function sumOfDays(a: Day | undefined, b: Day): Day {
  const part = (i: number): number => (a?.[i] ?? 0) + (b[i] ?? 0);
  return part(2) === 0 && part(3) === 0 ? [part(0), part(1)] : [part(0), part(1), part(2), part(3)];
}

/** The days of two contacts that are one person; of more than are kept the newest. */
export function mergeDays(a: NonNullable<Facts['days']>, b: NonNullable<Facts['days']>): NonNullable<Facts['days']> {
  const merged = { ...a };
  for (const [key, day] of Object.entries(b)) {
    const sum = sumOfDays(merged[key], day);
    if (sum.every((part) => part === 0)) delete merged[key];
    else merged[key] = sum;
  }
  return newestDays(merged);
}

/**
 * A function of the days that were put in. What a day held that was dropped comes back neither when a newer day goes,
 * nor for a refund of one of its orders.
 */
function newestDays(days: NonNullable<Facts['days']>): NonNullable<Facts['days']> {
  const keys = Object.keys(days);
  if (keys.length <= MOST_DAYS) return days;
  const kept = { ...days };
  const oldest = keys.sort((x, y) => Number(x) - Number(y)).slice(0, keys.length - MOST_DAYS);
  for (const key of oldest) delete kept[key];
  return kept;
}

function foldDays(facts: Facts, { before, after }: OrderChange, { currency, zone, catalogue }: FoldingShop): void {
  const was = earnedBy(before, currency, catalogue);
  const is = earnedBy(after, currency, catalogue);
  const days = { ...facts.days };
  const added = [addToDay(days, was, -1, zone), addToDay(days, is, 1, zone)].includes(true);
  facts.days = added ? newestDays(days) : days;
  const discounted = (facts.orders.discounted ?? 0) + is.discounted - was.discounted;
  const { discounted: _, ...orders } = facts.orders;
  facts.orders = discounted === 0 ? orders : { ...orders, discounted };
}

function foldOrderChange(facts: Facts, { before, after }: OrderChange, shop: FoldingShop): void {
  foldDays(facts, { before, after }, shop);
  const { currency } = shop;
  const was = orderEffect(before, currency);
  const is = orderEffect(after, currency);
  const orders = { ...facts.orders };
  facts.orders = orders;
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
  const bought = { ...facts.bought };
  for (const product of products) bought[product] = Math.max(bought[product] ?? last, last);
  facts.bought = highest(bought, MOST_BOUGHT, (value) => value);
}

/**
 * Puts right what was folded while nothing was published: consents then had no brand, and amounts no shop's currency.
 * `orders` are all that the contact's interactions speak of. Changes `facts` at its top only.
 */
export function takeOverFacts(facts: Facts, orders: Order[], shop: FoldingShop): void {
  const consents = { ...facts.consents };
  for (const [key, consent] of Object.entries(consents)) {
    if (!key.startsWith('|')) continue;
    const own = `${shop.brand}${key}`;
    if (newer(consent, consents[own])) consents[own] = consent;
    delete consents[key];
  }
  facts.consents = consents;
  const { '': withdrawn, ...withdrawals } = facts.withdrawn;
  if (withdrawn !== undefined) {
    facts.withdrawn = withdrawals;
    foldWithdrawalInto(facts, shop.brand, withdrawn.at, withdrawn.id);
  }
  const { '': pause, ...pauses } = facts.pauses ?? {};
  if (pause !== undefined) facts.pauses = { ...pauses, [shop.brand]: laterPause(pause, pauses[shop.brand]) };
  const { '': word, ...words } = facts.profiling ?? {};
  if (word !== undefined) facts.profiling = { ...words, [shop.brand]: laterProfiling(word, words[shop.brand]) };
  const { discounted: _, ...span } = facts.orders;
  facts.orders = { ...span, count: 0, gross: 0, refunded: 0, returned: 0 };
  facts.days = {};
  for (const after of orders) foldOrderChange(facts, { after }, shop);
}

/** Makes the days anew from all orders of the contact, as they were folded into its other facts. Changes `facts` at its top only. */
export function takeOverDays(facts: Facts, orders: Order[], shop: FoldingShop): void {
  const { discounted: _, ...rest } = facts.orders;
  facts.orders = rest;
  facts.days = {};
  for (const after of orders) foldDays(facts, { after }, shop);
}

/** Whether orders have been folded of which no days are known. */
export function lacksDays({ days, orders }: Facts): boolean {
  return days === undefined && (orders.first !== undefined || orders.refunded !== 0);
}

/** The contact with a block on its address folded in; a block of another address changes nothing. */
export function foldSuppression(
  contact: Contact,
  suppression: { addressHash: string; reason: SuppressionReason; at: number },
): Contact {
  const { facts } = contact;
  if (facts.addressHash !== suppression.addressHash) return contact;
  const block = foldBlock(facts.suppressed, { reason: suppression.reason, at: suppression.at });
  return block === facts.suppressed ? contact : { ...contact, facts: { ...facts, suppressed: block } };
}

/** The contact with a withdrawal of everything of a brand folded in (an imported unsubscribe). */
export function foldWithdrawal(contact: Contact, brand: string, at: number): Contact {
  const facts = { ...contact.facts };
  foldWithdrawalInto(facts, brand, at, 'imported');
  return { ...contact, facts };
}
