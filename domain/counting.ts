// Event counters: which events they count, and how an interaction, or a change of an order, moves them.
import { addEntry, type CounterEntry, type CounterState, type Kind, removeEntry, replaceEntry } from './counter.ts';
import { type Interaction, type Json, type JsonObject, shortHash } from './interaction.ts';
import { minorUnits } from './money.ts';
import { inShopCurrency, netRevenue, type Order, orderEntryKey, statedCurrency } from './order.ts';
import { type Around, type CompiledWhere, numberOf } from './where.ts';

/** An event counter that some rule reads. Equal counters are one. */
export interface Counter {
  id: string;
  names: string[];
  where?: CompiledWhere;
  /** What is measured of each event, `<kind>:<property>`, in the order of the entry's values. */
  of: string[];
  /** The kinds of `of`, and its properties. */
  kinds: Kind[];
  properties: string[];
  /** Counts only what happened after the run's start. */
  sinceStart: boolean;
}

/** The place of a measured property among the values of a counter's entries; registers it where it is new. */
export function measured(counter: Counter, kind: Kind, property: string): number {
  const name = `${kind}:${property}`;
  const known = counter.of.indexOf(name);
  if (known >= 0) return known;
  counter.kinds.push(kind);
  counter.properties.push(property);
  return counter.of.push(name) - 1;
}

/** What amounts are in. */
export interface CountContext {
  currency: string;
  /** Property names that hold money of the shop's currency. */
  isMoney(event: string, property: string): boolean;
}

/** An event as counters see it: an order stands for its Order Completed, as updated and refunded since. */
interface Seen {
  name: string;
  at: number;
  key: string;
  properties: JsonObject;
  /** Its money is of another currency than the shop's: it is counted, not measured. */
  foreign: boolean;
  netRevenue?: number;
  /** Of an order: how much of each product came back; null = all of it. */
  back?: Record<string, number> | null;
}

function seenOf({ id, name, at, properties }: Interaction, currency: string): Seen {
  const foreign = (statedCurrency(properties) ?? currency) !== currency;
  return { name, at, key: shortHash(id).slice(0, 10), properties, foreign };
}

function seenOrder(given: Order | undefined, currency: string, said: Interaction): Seen | undefined {
  if (given?.completed === undefined || given.statement === undefined) return undefined;
  const order = inShopCurrency(given, currency) as Order & Required<Pick<Order, 'completed' | 'statement'>>;
  return {
    name: 'Order Completed',
    at: order.completed.at,
    key: orderEntryKey(order.key),
    properties: order.statement.id === said.id ? said.properties : JSON.parse(order.statement.properties),
    foreign: order.currency !== currency,
    netRevenue: netRevenue(order),
    back: returnedOf(order),
  };
}

/** What of an order came back, by product; null where all of it did. */
function returnedOf(order: Order): Record<string, number> | null {
  const back: Record<string, number> = {};
  const refunds = Object.values(order.refunds);
  if (refunds.length > 0 && netRevenue(order) <= 0) return null;
  for (const { lines } of refunds) {
    for (const [product, quantity] of Object.entries(lines ?? {})) back[product] = (back[product] ?? 0) + quantity;
  }
  return back;
}

/** A measured property that no event has: the products of an order's lines, each with its quantity, as `id*2`. */
export const SUPPLY = 'products.supply';
const MOST_GROUPS = 50;
const LONGEST_GROUP = 64;

/** The products of the lines that are meant, with their quantities less what came back: `id`, or `id*3`. */
function suppliesOf({ properties, back }: Seen, meant: (line: JsonObject) => boolean): string[] {
  if (back === null) return [];
  const lines = Array.isArray(properties.products) ? properties.products : [];
  const bought = new Map<string, number>();
  for (const line of lines) {
    if (line === null || typeof line !== 'object' || Array.isArray(line) || !meant(line)) continue;
    const product = line.product_id ?? line.sku;
    if (typeof product !== 'string' && typeof product !== 'number') continue;
    const quantity = numberOf(line.quantity) ?? 1;
    bought.set(String(product), (bought.get(String(product)) ?? 0) + quantity);
  }
  return [...bought]
    .map(([product, quantity]): [string, number] => [product, quantity - (back?.[product] ?? 0)])
    .filter(([product, quantity]) => quantity > 0 && product.length <= LONGEST_GROUP)
    .slice(0, MOST_GROUPS)
    .map(([product, quantity]) => (quantity === 1 ? product : `${product}*${quantity}`))
    .sort();
}

/** A product with its quantity, from its text in a counter. */
export function supplyFrom(text: string): { product: string; quantity: number } {
  if (!text.includes('*')) return { product: text, quantity: 1 };
  const found = /^(.*)\*(\d+(?:\.\d+)?)$/.exec(text);
  return found === null ? { product: text, quantity: 1 } : { product: found[1] as string, quantity: Number(found[2]) };
}

/**
 * The different values of a property, as texts; of a path into lines (`products.product_id`) those of every line that
 * is meant.
 */
function groupsOf(properties: JsonObject, path: string, meant: (line: JsonObject) => boolean): string[] {
  const found = new Set<string>();
  const walk = (value: Json | undefined, [part, ...rest]: string[]): void => {
    if (value === null || value === undefined || found.size >= MOST_GROUPS) return;
    if (Array.isArray(value)) {
      for (const one of value) walk(one, part === undefined ? [] : [part, ...rest]);
    } else if (part === undefined) {
      if (typeof value === 'object') return;
      const text = String(value);
      found.add(text.length <= LONGEST_GROUP ? text : `#${shortHash(text)}`);
    } else if (typeof value === 'object') {
      if (value !== properties && path.startsWith('products.') && !meant(value)) return;
      if (Object.hasOwn(value, part)) walk(value[part], rest);
      else if (part === 'product_id' && Object.hasOwn(value, 'sku')) walk(value.sku, rest);
    }
  };
  walk(properties, Object.hasOwn(properties, path) ? [path] : path.split('.'));
  return [...found].sort();
}

function entryOf(counter: Counter, seen: Seen, around: Around, context: CountContext): CounterEntry | undefined {
  if (counter.where !== undefined && !counter.where.test(seen.properties, around)) return undefined;
  const entry: CounterEntry = [seen.at, seen.key];
  counter.kinds.forEach((kind, i) => {
    const property = counter.properties[i] as string;
    if (kind === 'groups') {
      // A "where" of lines says which lines are meant, not only which events.
      const line = counter.where?.line;
      const meant = (one: JsonObject): boolean => line === undefined || line.test(one, around);
      if (property === SUPPLY) entry.push(suppliesOf(seen, meant));
      else entry.push(groupsOf(seen.properties, property, meant));
      return;
    }
    const nothing = kind === 'sum' ? 0 : null;
    const money = context.isMoney(seen.name, property);
    const value = seen.properties[property];
    if (money && seen.foreign) entry.push(nothing);
    else if (property === 'revenue' && seen.netRevenue !== undefined) entry.push(seen.netRevenue);
    else {
      const number = numberOf(value);
      entry.push(number === undefined ? nothing : money ? minorUnits(value, context.currency) : number);
    }
  });
  return entry;
}

/**
 * Counts an interaction in the counters that read it, in the record `states`, which is changed; the states in it are
 * not. An order event moves its Order Completed from what it was before to what it is after.
 */
export function countInto(
  states: Record<string, CounterState>,
  counters: Iterable<Counter>,
  interaction: Interaction,
  order: { before?: Order | undefined; after: Order } | undefined,
  around: Around,
  context: CountContext,
): void {
  const { currency } = context;
  // Most events are read by few counters: what they see is made when the first asks.
  let own: Seen | undefined;
  let change: { was: Seen | undefined; is: Seen | undefined } | undefined;
  const spoken = interaction.name === 'Order Completed' && order !== undefined;
  for (const counter of counters) {
    let added: CounterEntry | undefined;
    let before: CounterEntry | undefined;
    let after: CounterEntry | undefined;
    if (!spoken && counter.names.includes(interaction.name)) {
      own ??= seenOf(interaction, currency);
      added = entryOf(counter, own, around, context);
    }
    if (order !== undefined && counter.names.includes('Order Completed')) {
      change ??= {
        was: seenOrder(order.before, currency, interaction),
        is: seenOrder(order.after, currency, interaction),
      };
      if (change.was !== undefined) before = entryOf(counter, change.was, around, context);
      if (change.is !== undefined) after = entryOf(counter, change.is, around, context);
      if (before !== undefined && after !== undefined && sameEntry(before, after)) before = after = undefined;
    }
    if (added === undefined && before === undefined && after === undefined) continue;
    const moved = moveEntry(states[counter.id], counter.kinds, before, after, added);
    if (moved.e.length === 0 && moved.d === undefined && !moved.stale) delete states[counter.id];
    else states[counter.id] = moved;
  }
}

function sameEntry(a: CounterEntry, b: CounterEntry): boolean {
  return a.every((value, i) => {
    const other = b[i];
    if (!Array.isArray(value) || !Array.isArray(other)) return value === other;
    return value.length === other.length && value.every((group, j) => group === other[j]);
  });
}

function moveEntry(
  state: CounterState | undefined,
  kinds: Kind[],
  before: CounterEntry | undefined,
  after: CounterEntry | undefined,
  added: CounterEntry | undefined,
): CounterState {
  let moved = state ?? { e: [] };
  if (before !== undefined && after !== undefined) moved = replaceEntry(moved, before, after, kinds);
  else if (before !== undefined) moved = removeEntry(moved, before, kinds);
  else if (after !== undefined) moved = addEntry(moved, after, kinds);
  if (added !== undefined) moved = addEntry(moved, added, kinds);
  return moved;
}
