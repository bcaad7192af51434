// Rules compiled to closures: the answer now, and the earliest instant at which it can turn.
import { canonical } from './canonical.ts';
import type { Contact } from './contact.ts';
import { type CounterState, tally } from './counter.ts';
import type { Counter } from './counting.ts';
import { cartLines, consentAt } from './facts.ts';
import type { Comparison, Count, Did, Latest, Rule, Sum, Where } from './grammar.ts';
import { type Json, shortHash } from './interaction.ts';
import { minorUnits } from './money.ts';
import { durationMs } from './time.ts';
import { type Around, compileComparison, compileWhere } from './where.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** One contact at one instant, as rules see it. */
export interface Sight extends Around {
  contact: Contact;
  /** The shop's zone: calendar words about money follow it; those about anything else, the contact's. */
  shopZone: string;
  /** Whether the contact is in a segment at this instant. */
  inSegment(id: string): boolean;
  /** Counters of the run that is asked for; absent in segments. */
  runCounters?: Record<string, CounterState>;
}

/** What a column finds: a scalar, several of them (an attribute that is a list), or nothing. */
export type Found = Json | undefined;

/** The earliest instant after now at which time alone can change something: lowered by whoever knows one. */
export interface Turn {
  at: number;
}

/** Something that is read of a contact. Columns with equal keys read the same. */
export interface Column {
  key: string;
  /**
   * How what is found is sorted, so that every atom of the column answers alike within a bucket, by the atoms' `cuts`:
   * `equal` texts and booleans (numbers as their text); `number`; `instant` epoch milliseconds; `date` instants, cut at
   * the midnights that begin dates in the contact's zone; `age` instants, cut by `now − instant` in milliseconds;
   * `other` not sorted: each atom is asked.
   */
  family: 'equal' | 'number' | 'instant' | 'date' | 'age' | 'other';
  /**
   * In `number`, `instant`, `date` and `age` numbers only. Lowers `turn.at` to the earliest instant after `sight.now` at
   * which time alone changes what is found; that an age reaches a cut is not a change of what is found.
   */
  read(sight: Sight, turn: Turn): Found;
}

/** One comparison of what one column finds. */
export interface Atom {
  column: Column;
  /** Where the answer may change: below, at and above each; of `equal`: for each. Empty in `other`. */
  cuts: readonly (string | number | boolean)[];
  test(found: Found, sight: Sight): boolean;
  /** The earliest instant after now at which the answer for this finding can turn by time alone; Infinity = never. */
  next(found: Found, sight: Sight): number;
}

/** A rule as compiled. A `segment` is asked of the sight. */
export type Node =
  | { kind: 'all' | 'any'; parts: Node[] }
  | { kind: 'not'; part: Node }
  | { kind: 'segment'; id: string }
  | { kind: 'atom'; atom: Atom };

export interface CompiledRule {
  node: Node;
  test(sight: Sight): boolean;
  /** Conservative: never later than the instant at which the answer turns by time alone; Infinity = by events only. */
  next(sight: Sight): number;
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
  if ('segment' in rule) return { test: (sight) => sight.inSegment(rule.segment), next: () => NEVER };
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
