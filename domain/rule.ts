// Rules compiled to closures: the answer now, and the earliest instant at which it can turn.
import type { Contact } from './contact.ts';
import { addEntry, type CounterEntry, type CounterState, removeEntry, replaceEntry, tally } from './counter.ts';
import { cartLines, consentAt } from './facts.ts';
import type { Comparison, Count, Did, Latest, Rule, Sum, Where } from './grammar.ts';
import { type Interaction, type Json, shortHash } from './interaction.ts';
import { minorUnits } from './money.ts';
import { inShopCurrency, netRevenue, type Order, orderEntryKey, statedCurrency } from './order.ts';
import { durationMs } from './time.ts';
import { type Around, type CompiledWhere, compileComparison, compileWhere, numberOf } from './where.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** One contact at one instant, as rules see it. */
export interface Sight extends Around {
  contact: Contact;
  /** Answers of segments: filled as they are asked. */
  answers: Map<string, boolean>;
  segmentAnswer(id: string, sight: Sight): boolean;
  /** Counters of the run that is asked for; absent in segments. */
  runCounters?: Record<string, CounterState>;
}

export interface CompiledRule {
  test(sight: Sight): boolean;
  /** Conservative: never later than the instant at which the answer turns by time alone; Infinity = by events only. */
  next(sight: Sight): number;
}

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

export interface RuleContext {
  currency: string;
  /** Default brand of consents: the campaign's, else the first. */
  brand: string;
  catalogueHash: string;
  /** Property names that hold money of the shop's currency. */
  isMoney(event: string, property: string): boolean;
  /** Counters shared by all rules of the book, by id. */
  counters: Map<string, Counter>;
  /** Counters of one campaign's runs; absent in segments. */
  runCounters?: Map<string, Counter>;
}

const namesOf = (did: string | string[]): string[] => [...new Set(typeof did === 'string' ? [did] : did)].sort();

/** JSON with sorted keys: equal things have one text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`)
      .join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

interface CounterUse {
  counter: Counter;
  value: number;
  state(sight: Sight): CounterState | undefined;
}

/** Registers the counter that a "did" reads, in the run where it speaks of the run, else in the contact. */
function counterOf(
  did: { did: string | string[]; where?: Where; since?: string; sum?: { of: string } },
  context: RuleContext,
): CounterUse {
  const names = namesOf(did.did);
  const where = did.where === undefined ? undefined : compileWhere(did.where);
  const sinceStart = did.since === 'run start';
  const ofRun = sinceStart || where?.references === true;
  const id = shortHash(
    'counter',
    canonical(names),
    canonical(did.where ?? {}),
    sinceStart ? 'since' : '',
    where?.catalogue ? context.catalogueHash : '',
  ).slice(0, 8);
  const place = ofRun ? context.runCounters : context.counters;
  if (place === undefined) throw new Error('a rule that speaks of a run stands outside a campaign');
  const counter = place.get(id) ?? { id, names, of: [], sinceStart, ...(where === undefined ? {} : { where }) };
  place.set(id, counter);
  const of = did.sum?.of;
  if (of !== undefined && !counter.of.includes(of)) counter.of.push(of);
  return {
    counter,
    value: of === undefined ? -1 : counter.of.indexOf(of),
    state: ofRun ? (sight) => sight.runCounters?.[id] : (sight) => sight.contact.facts.counters[id],
  };
}

type Ordered = Exclude<Count, number> | Omit<Sum, 'of'>;
function compileAmount(amount: Ordered, scale: (value: number) => number): (value: number) => boolean {
  const [name, wanted] = Object.entries(amount)[0] as [string, number | [number, number]];
  if (Array.isArray(wanted)) {
    const [low, high] = wanted.map(scale) as [number, number];
    return (value) => value >= low && value <= high;
  }
  const bound = scale(wanted);
  switch (name) {
    case 'atLeast':
      return (value) => value >= bound;
    case 'moreThan':
      return (value) => value > bound;
    case 'atMost':
      return (value) => value <= bound;
    case 'lessThan':
      return (value) => value < bound;
    default:
      throw new Error(`unknown measure: ${name}`);
  }
}

const identity = (value: number): number => value;

function compileDid(did: Did, context: RuleContext): CompiledRule {
  const use = counterOf(did as Parameters<typeof counterOf>[0], context);
  const window = did.inLast === undefined ? NEVER : durationMs(did.inLast);
  const counted = (sight: Sight) => tally(use.state(sight), sight.now, window, use.value);
  if (did.latest !== undefined) {
    const latest = compileComparison(did.latest as Latest as Comparison);
    return {
      test: (sight) => latest.test(counted(sight).latest, sight),
      next: (sight) => {
        const found = counted(sight);
        return Math.min(found.next, latest.next(found.latest, sight));
      },
    };
  }
  let holds: (sight: Sight) => boolean;
  if (did.sum !== undefined) {
    const { of, ...amount } = did.sum;
    const money = namesOf(did.did).some((name) => context.isMoney(name, of));
    const enough = compileAmount(amount as Ordered, money ? (value) => minorUnits(value, context.currency) : identity);
    holds = (sight) => {
      const found = counted(sight);
      return found.times > 0 && enough(found.sum);
    };
  } else {
    const enough =
      did.times === undefined
        ? (times: number) => times >= 1
        : typeof did.times === 'number'
          ? (times: number) => times === did.times
          : compileAmount(did.times, identity);
    // "at most" and "less than" speak of those who did it at least once: who did not is said with "not".
    holds = (sight) => {
      const { times } = counted(sight);
      return times > 0 && enough(times);
    };
  }
  return { test: holds, next: (sight) => counted(sight).next };
}

type Getter = (sight: Sight) => Json | undefined;
const derived: Record<string, Getter> = {
  'orders.count': ({ contact }) => contact.facts.orders.count,
  'orders.spend': ({ contact }) => contact.facts.orders.gross - contact.facts.orders.refunded,
  'orders.first': ({ contact }) => contact.facts.orders.first,
  'orders.last': ({ contact }) => contact.facts.orders.last,
  'orders.returnedShare': ({ contact: { facts } }) =>
    facts.orders.gross > 0 ? facts.orders.refunded / facts.orders.gross : undefined,
  'orders.average': ({ contact: { facts } }) =>
    facts.orders.count > 0 ? Math.round((facts.orders.gross - facts.orders.refunded) / facts.orders.count) : undefined,
  'cart.items': ({ contact }) => cartLines(contact.facts).length || undefined,
  'cart.value': ({ contact }) =>
    cartLines(contact.facts).reduce((sum, [, line]) => sum + line.quantity * (line.price ?? 0), 0) || undefined,
  running: ({ contact }) => contact.journey.runs.filter((run) => run.ended === undefined).map((run) => run.campaign),
};
const derivedMoney = new Set(['orders.spend', 'orders.average', 'cart.value']);

/** Names of derived attributes that rules may read, with their type. */
export const derivedAttributes: Record<string, 'number' | 'money' | 'date' | 'list'> = Object.fromEntries(
  Object.keys(derived).map((name) => {
    if (derivedMoney.has(name)) return [name, 'money'];
    return [name, name === 'running' ? 'list' : name === 'orders.first' || name === 'orders.last' ? 'date' : 'number'];
  }),
);

function getterOf(name: string): Getter {
  const known = Object.hasOwn(derived, name) ? derived[name] : undefined;
  if (known !== undefined) return known;
  const attribute = name.endsWith('.givenAt') ? name.slice(0, -'.givenAt'.length) : undefined;
  if (attribute !== undefined) return ({ contact }) => stamped(contact, attribute)?.at;
  if (name === 'email') return ({ contact }) => contact.facts.address?.value;
  return ({ contact }) => stamped(contact, name)?.value;
}

function stamped(contact: Contact, name: string) {
  return Object.hasOwn(contact.facts.attributes, name) ? contact.facts.attributes[name] : undefined;
}

function compileHas(has: Record<string, Comparison>, context: RuleContext): CompiledRule {
  const one = 10 ** Math.round(Math.log10(minorUnits(1, context.currency)));
  const parts = Object.entries(has).map(([name, wanted]) => ({
    get: getterOf(name),
    comparison: compileComparison(wanted, derivedMoney.has(name) ? one : 1),
  }));
  return {
    test: (sight) => parts.every(({ get, comparison }) => comparison.test(get(sight), sight)),
    next: (sight) => Math.min(...parts.map(({ get, comparison }) => comparison.next(get(sight), sight))),
  };
}

/** Compiles a rule; registers the counters that it reads. Throws on what publish would have refused. */
export function compileRule(rule: Rule, context: RuleContext): CompiledRule {
  if ('all' in rule || 'any' in rule) {
    const parts = ('all' in rule ? rule.all : rule.any).map((part) => compileRule(part, context));
    const every = 'all' in rule;
    return {
      test: (sight) => (every ? parts.every((part) => part.test(sight)) : parts.some((part) => part.test(sight))),
      next: (sight) => Math.min(...parts.map((part) => part.next(sight))),
    };
  }
  if ('not' in rule) {
    const part = compileRule(rule.not, context);
    return { test: (sight) => !part.test(sight), next: part.next };
  }
  if ('has' in rule) return compileHas(rule.has, context);
  if ('did' in rule) return compileDid(rule, context);
  // A segment's own turn is among the book's segments: it is not asked again here.
  if ('segment' in rule) return { test: (sight) => sight.segmentAnswer(rule.segment, sight), next: () => NEVER };
  const channel = rule.channel ?? 'email';
  const { basis, consent: topic } = rule;
  return {
    test: (sight) => {
      const found = consentAt(sight.contact.facts, context.brand, topic, channel, sight.now);
      return found !== undefined && (basis === undefined || basis.includes(found.basis ?? 'single'));
    },
    next: ({ contact, now }) => {
      const consent = contact.facts.consents[`${context.brand}|${topic}|${channel}`];
      const turns = [consent?.at, consent?.until].filter((at) => at !== undefined && at > now) as number[];
      return Math.min(...turns, NEVER);
    },
  };
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

function entryOf(
  counter: Counter,
  seen: Seen,
  around: Around,
  context: Pick<RuleContext, 'currency' | 'isMoney'>,
): CounterEntry | undefined {
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
  context: Pick<RuleContext, 'currency' | 'isMoney'>,
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
