// Event counters: which events they count, and how an interaction, or a change of an order, moves them.
import { addEntry, type CounterEntry, type CounterState, removeEntry, replaceEntry } from './counter.ts';
import { type Interaction, shortHash } from './interaction.ts';
import { minorUnits } from './money.ts';
import { inShopCurrency, netRevenue, type Order, orderEntryKey, statedCurrency } from './order.ts';
import { type Around, type CompiledWhere, numberOf } from './where.ts';

/** An event counter that some rule reads. Equal counters are one. */
export interface Counter {
  id: string;
  names: string[];
  where?: CompiledWhere;
  /** Properties that are summed, in the order of the entry's values. */
  of: string[];
  /** Counts only what happened after the run's start. */
  sinceStart: boolean;
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
  properties: Interaction['properties'];
  /** Its money is of another currency than the shop's: it is counted, not summed. */
  foreign: boolean;
  netRevenue?: number;
}

function seenOf({ id, name, at, properties }: Interaction, currency: string): Seen {
  const foreign = (statedCurrency(properties) ?? currency) !== currency;
  return { name, at, key: shortHash(id).slice(0, 10), properties, foreign };
}

function seenOrder(given: Order | undefined, currency: string): Seen | undefined {
  if (given?.completed === undefined || given.statement === undefined) return undefined;
  const order = inShopCurrency(given, currency) as Order & Required<Pick<Order, 'completed' | 'statement'>>;
  return {
    name: 'Order Completed',
    at: order.completed.at,
    key: orderEntryKey(order.key),
    properties: JSON.parse(order.statement.properties),
    foreign: order.currency !== currency,
    netRevenue: netRevenue(order),
  };
}

function entryOf(counter: Counter, seen: Seen, around: Around, context: CountContext): CounterEntry | undefined {
  if (!counter.names.includes(seen.name)) return undefined;
  if (counter.where !== undefined && !counter.where.test(seen.properties, around)) return undefined;
  const entry: CounterEntry = [seen.at, seen.key];
  for (const property of counter.of) {
    const money = context.isMoney(seen.name, property);
    if (money && seen.foreign) {
      entry.push(0);
      continue;
    }
    if (property === 'revenue' && seen.netRevenue !== undefined) {
      entry.push(seen.netRevenue);
      continue;
    }
    const value = seen.properties[property];
    entry.push(money && numberOf(value) !== undefined ? minorUnits(value, context.currency) : (numberOf(value) ?? 0));
  }
  return entry;
}

/**
 * Counts an interaction in the counters that read it, in `states` (changed). An order event moves its Order Completed
 * from what it was before to what it is after.
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
  const own = interaction.name === 'Order Completed' && order !== undefined ? undefined : seenOf(interaction, currency);
  const was = order === undefined ? undefined : seenOrder(order.before, currency);
  const is = order === undefined ? undefined : seenOrder(order.after, currency);
  for (const counter of counters) {
    const added = own === undefined ? undefined : entryOf(counter, own, around, context);
    const before = was === undefined ? undefined : entryOf(counter, was, around, context);
    const after = is === undefined ? undefined : entryOf(counter, is, around, context);
    if (added === undefined && before === undefined && after === undefined) continue;
    states[counter.id] = moveEntry(states[counter.id] ?? { e: [] }, before, after, added);
    if (states[counter.id]?.e.length === 0 && states[counter.id]?.d === undefined && !states[counter.id]?.stale) {
      delete states[counter.id];
    }
  }
}

function moveEntry(
  state: CounterState,
  before: CounterEntry | undefined,
  after: CounterEntry | undefined,
  added: CounterEntry | undefined,
): CounterState {
  if (before !== undefined && after !== undefined) replaceEntry(state, before, after);
  else if (before !== undefined) removeEntry(state, before);
  else if (after !== undefined) addEntry(state, after);
  if (added !== undefined) addEntry(state, added);
  return state;
}
