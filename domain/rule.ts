// Rules compiled to atoms over columns: the answer now, and the earliest instant at which it can turn.
import { anniversaries, calendarPeriod, dayAfter, dayOfYear } from './calendar.ts';
import { canonical } from './canonical.ts';
import type { Contact } from './contact.ts';
import {
  ahead,
  type CounterEntry,
  type CounterState,
  type Measure,
  newest,
  oldest,
  type Span,
  tally,
} from './counter.ts';
import { type Counter, measured } from './counting.ts';
import { cartLines, standingConsent } from './facts.ts';
import type { CalendarWord, Comparison, Did, OperatorName, Rule } from './grammar.ts';
import { type Json, sha256, shortHash } from './interaction.ts';
import { minorUnits } from './money.ts';
import { hasSubscription, openCases, SCORES, scoreOf } from './standing.ts';
import { durationMs, localTime } from './time.ts';
import { type Around, compileComparison, compileWhere, instantIn, isOperator, numberOf } from './where.ts';

const NEVER = Number.POSITIVE_INFINITY;
const timeless = (): number => NEVER;

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

/** Whether a compiled rule holds for what is seen. */
function holds(node: Node, sight: Sight): boolean {
  switch (node.kind) {
    case 'atom':
      return node.atom.test(node.atom.column.read(sight, UNASKED), sight);
    case 'not':
      return !holds(node.part, sight);
    case 'segment':
      return sight.inSegment(node.id);
    case 'all':
      return node.parts.every((part) => holds(part, sight));
    default:
      return node.parts.some((part) => holds(part, sight));
  }
}

/** A turn that nobody looks at. */
const UNASKED: Turn = { at: NEVER };

function nextOf(node: Node, sight: Sight): number {
  switch (node.kind) {
    case 'atom': {
      const turn = { at: NEVER };
      const found = node.atom.column.read(sight, turn);
      return Math.min(turn.at, node.atom.next(found, sight));
    }
    case 'not':
      return nextOf(node.part, sight);
    // A segment's own turn is among the book's segments: it is not asked again here.
    case 'segment':
      return NEVER;
    default:
      return node.parts.reduce((first, part) => Math.min(first, nextOf(part, sight)), NEVER);
  }
}

/** Compiles a rule; registers the counters that it reads. Throws on what publish would have refused. */
export function compileRule(rule: Rule, context: RuleContext): CompiledRule {
  const node = nodeOf(rule, context);
  return { node, test: (sight) => holds(node, sight), next: (sight) => nextOf(node, sight) };
}

const all = (parts: Node[]): Node => (parts.length === 1 ? (parts[0] as Node) : { kind: 'all', parts });

function nodeOf(rule: Rule, context: RuleContext): Node {
  if ('all' in rule) return { kind: 'all', parts: rule.all.map((part) => nodeOf(part, context)) };
  if ('any' in rule) return { kind: 'any', parts: rule.any.map((part) => nodeOf(part, context)) };
  if ('not' in rule) return { kind: 'not', part: nodeOf(rule.not, context) };
  if ('segment' in rule) return { kind: 'segment', id: rule.segment };
  if ('has' in rule) {
    const entries = Object.entries(rule.has);
    return all(
      entries.map(([name, wanted]) => once({ [name]: wanted }, context, () => atom(hasAtom(name, wanted, context)))),
    );
  }
  return once(rule, context, () => {
    if ('did' in rule) return didNode(rule, context);
    return atom('share' in rule ? shareAtom(rule.share, rule.percent, context) : consentAtom(rule, context));
  });
}

/** What is made once for the segments of one book, and for the rules of one campaign. */
const made = new WeakMap<RuleContext['counters'], { columns: Map<string, Column>; nodes: Map<string, Node> }>();

function madeFor(place: RuleContext['counters']) {
  const known = made.get(place);
  if (known !== undefined) return known;
  const fresh = { columns: new Map<string, Column>(), nodes: new Map<string, Node>() };
  made.set(place, fresh);
  return fresh;
}

/** Rules repeat each other: a clause that reads alike is compiled once. */
function once(said: unknown, context: RuleContext, make: () => Node): Node {
  const { nodes } = madeFor(context.runCounters ?? context.counters);
  const text = JSON.stringify(said);
  const node = nodes.get(text) ?? make();
  nodes.set(text, node);
  return node;
}

/** Columns with equal keys are one; those of a run's counters are its campaign's own. */
function columnOf(key: string, family: Column['family'], context: RuleContext, read: () => Column['read']): Column {
  const { columns } = madeFor((key.startsWith('run|') ? context.runCounters : undefined) ?? context.counters);
  const column = columns.get(key) ?? { key, family, read: read() };
  columns.set(key, column);
  return column;
}

// ── attributes ──

type Getter = (sight: Sight) => Json | undefined;
const DAY = 86_400_000;

/** Mean days between orders, of at least two. */
function orderInterval({ contact: { facts } }: Sight): number | undefined {
  const { count, first, last } = facts.orders;
  if (count < 2 || first === undefined || last === undefined || last <= first) return undefined;
  return (last - first) / (count - 1) / DAY;
}

function overdue(sight: Sight): number | undefined {
  const interval = orderInterval(sight);
  return interval === undefined
    ? undefined
    : (sight.now - (sight.contact.facts.orders.last as number)) / DAY / interval;
}

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
  'rhythm.interval': orderInterval,
  'rhythm.overdue': overdue,
  'service.openCases': ({ contact }) => openCases(contact.facts),
  'subscription.active': ({ contact }) => hasSubscription(contact.facts),
  running: ({ contact }) => contact.journey.runs.filter((run) => run.ended === undefined).map((run) => run.campaign),
  ...Object.fromEntries(
    Object.keys(SCORES).map((name): [string, Getter] => [name, ({ contact }) => scoreOf(contact.facts, name)]),
  ),
};

type DerivedType = 'number' | 'money' | 'date' | 'list' | 'text' | 'boolean';
const typed: Record<string, DerivedType> = {
  'orders.spend': 'money',
  'orders.average': 'money',
  'cart.value': 'money',
  'orders.first': 'date',
  'orders.last': 'date',
  'subscription.active': 'boolean',
  running: 'list',
  ...SCORES,
};

/** Names of derived attributes that rules may read, with their type. */
export const derivedAttributes: Record<string, DerivedType> = Object.fromEntries(
  Object.keys(derived).map((name) => [name, typed[name] ?? 'number']),
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

/** What a finding is read as in a family: several at once where the attribute is a list. */
function readAs(value: Json | undefined, one: (each: Json) => Json | undefined): Found {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) return one(value);
  return value.flatMap((each) => (each === null ? [] : (one(each) ?? [])));
}

const readers: Record<Column['family'], (get: Getter) => Column['read']> = {
  equal: (get) => get,
  other: (get) => get,
  number: (get) => (sight) => readAs(get(sight), numberOf),
  instant: (get) => (sight) => readAs(get(sight), (each) => instantIn(each, sight.zone)),
  date: (get) => (sight) => readAs(get(sight), (each) => instantIn(each, sight.zone)),
  age: (get) => (sight) => readAs(get(sight), (each) => instantIn(each, sight.zone)),
};

function hasAtom(name: string, wanted: Comparison, context: RuleContext): Atom {
  if (isOperator(wanted) && 'anniversary' in wanted) {
    return anniversaryAtom(name, wanted.anniversary as Anniversary, context);
  }
  const scale = derivedAttributes[name] === 'money' ? 10 ** Math.round(Math.log10(minorUnits(1, context.currency))) : 1;
  const { family, cuts } = sorted(name, wanted, scale);
  const { test, next } = compileComparison(wanted, scale);
  const column = columnOf(`has|${name}|${family}`, family, context, () => readers[family](getterOf(name)));
  // What grows with time turns where it meets the bound, not where the finding changes.
  if (name === 'rhythm.overdue') return { column, cuts: [], test, next: overdueNext(wanted) };
  return { column, cuts, test, next };
}

const isDate = (text: string): boolean => /^\d{4}-\d{2}-\d{2}$/.test(text);
const DERIVED_NUMBERS = new Set(['number', 'money']);

/** The family in which a comparison's answer is one in each bucket, and where the buckets begin. */
function sorted(name: string, wanted: Comparison, scale: number): Pick<Atom, 'cuts'> & { family: Column['family'] } {
  const unsorted = { family: 'other', cuts: [] } as const;
  if (name === 'running' || name === 'rhythm.overdue') return unsorted;
  const scaled = (value: number): number => Math.round(value * scale * 1e6) / 1e6;
  const constants = (values: unknown[], ordered: boolean): ReturnType<typeof sorted> => {
    if (values.some((value) => typeof value === 'string' && value.startsWith('@'))) return unsorted;
    if (values.every((value) => typeof value === 'number')) {
      return { family: 'number', cuts: (values as number[]).map(scaled) };
    }
    if (!ordered) {
      const plain = values.every((value) => typeof value === 'string' || typeof value === 'boolean');
      return plain ? { family: 'equal', cuts: values as (string | boolean)[] } : unsorted;
    }
    if (values.every((value) => typeof value === 'string' && isDate(value))) {
      return { family: 'date', cuts: values as string[] };
    }
    const instants = values.map((value) => (typeof value === 'string' ? instantIn(value, 'UTC') : undefined));
    if (values.some((value) => typeof value === 'string' && isDate(value)) || instants.includes(undefined))
      return unsorted;
    return { family: 'instant', cuts: instants as number[] };
  };
  if (!isOperator(wanted)) return constants([wanted].flat(), false);
  const [operator, value] = Object.entries(wanted)[0] as [OperatorName, unknown];
  switch (operator) {
    case 'exists':
      return { family: 'equal', cuts: [] };
    case 'isNot':
      // A text that is no number is not 3: only what is always a number can be sorted as one.
      return typeof value === 'number' && !DERIVED_NUMBERS.has(derivedAttributes[name] ?? '')
        ? unsorted
        : constants([value], false);
    case 'inLast':
      return { family: 'age', cuts: [0, durationMs(value as string)] };
    case 'inNext':
      return { family: 'age', cuts: [-durationMs(value as string), 0] };
    case 'moreThanAgo':
      return { family: 'age', cuts: [durationMs(value as string)] };
    case 'contains':
    case 'startsWith':
    case 'anniversary':
      return unsorted;
    default:
      return constants([value].flat(), true);
  }
}

/** When `rhythm.overdue` reaches a bound: at last + bound × interval; nothing else turns it by time. */
function overdueNext(wanted: Comparison): Atom['next'] {
  const value = isOperator(wanted) ? Object.values(wanted)[0] : wanted;
  const bounds = [value].flat().filter((bound) => typeof bound === 'number');
  return (_found, sight) => {
    const interval = orderInterval(sight);
    if (interval === undefined) return NEVER;
    const last = sight.contact.facts.orders.last as number;
    // One that is met for a single instant turns there, and right after it.
    const turns = bounds
      .map((bound) => last + bound * interval * DAY)
      .flatMap((at) => [Math.floor(at), Math.floor(at) + 1]);
    return Math.min(NEVER, ...turns.filter((at) => at > sight.now));
  };
}

type Anniversary = 'today' | { inNext: string } | { inLast: string };

function anniversaryAtom(name: string, wanted: Anniversary, context: RuleContext): Atom {
  const column = columnOf(`has|${name}|other`, 'other', context, () => readers.other(getterOf(name)));
  const length = wanted === 'today' ? 0 : durationMs(Object.values(wanted)[0] as string);
  /** Of each date that is found: a date, with its year or without, is as it is written; an instant has the zone's. */
  const daysOf = (found: Found, { now, zone }: Sight) =>
    (Array.isArray(found) ? found : [found]).flatMap((one) => {
      const at = typeof one === 'string' && one.length <= 10 ? undefined : instantIn(one, zone);
      const date = dayOfYear(at === undefined ? String(one) : localTime(at, zone).date);
      return date === undefined ? [] : [anniversaries(date, now, zone)];
    });
  return {
    column,
    cuts: [],
    test: (found, sight) =>
      daysOf(found, sight).some((day) => {
        if (wanted === 'today') return sight.now < day.ends;
        return 'inNext' in wanted ? day.next <= sight.now + length : day.last > sight.now - length;
      }),
    next(found, sight) {
      const turns = daysOf(found, sight).flatMap((day) => [day.next, day.ends, day.next - length, day.last + length]);
      return Math.min(NEVER, ...turns.filter((at) => at > sight.now));
    },
  };
}

// ── events ──

/** Registers the counter that a "did" reads; answers its key, and how a sight finds its state. */
function counterOf(did: Did, context: RuleContext) {
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
  const counter: Counter = place.get(id) ?? {
    id,
    names,
    of: [],
    kinds: [],
    properties: [],
    sinceStart,
    ...(where === undefined ? {} : { where }),
  };
  place.set(id, counter);
  const state = ofRun
    ? (sight: Sight) => sight.runCounters?.[id]
    : (sight: Sight): CounterState | undefined => sight.contact.facts.counters[id];
  return { counter, state, key: `${ofRun ? 'run' : 'did'}|${id}` };
}
type CounterUse = ReturnType<typeof counterOf>;

/** An atom that asks how long ago something was: `found` is its instant, `within` the window in which it must lie. */
function recently(column: Column, within: number): Atom {
  return {
    column,
    cuts: within === NEVER ? [] : [within],
    test: (found, { now }) => found !== undefined && now - (found as number) < within,
    next: (found, { now }) => {
      const at = found === undefined ? NEVER : (found as number) + within;
      return at > now ? at : NEVER;
    },
  };
}

/** Whether something lies in (now − w, now]: the n-th newest event does exactly when at least n do. */
const newestColumn = ({ key, state }: CounterUse, n: number, family: Column['family'], context: RuleContext): Column =>
  columnOf(`${key}|newest ${n}|${family}`, family, context, () => (sight, turn) => {
    const counted = state(sight);
    if (counted === undefined) return undefined;
    const last = counted.e.length - 1;
    // As nearly always: few enough to be known exactly, and none of them still to come.
    if (counted.d === undefined && last >= 0 && (counted.e[last] as CounterEntry)[0] <= sight.now) {
      return counted.e[last + 1 - n]?.[0];
    }
    turn.at = Math.min(turn.at, ahead(counted, sight.now));
    return newest(counted, n, sight.now);
  });

const oldestColumn = ({ key, state }: CounterUse, family: Column['family'], context: RuleContext): Column =>
  columnOf(`${key}|oldest|${family}`, family, context, () => (sight, turn) => {
    const counted = state(sight);
    if (counted === undefined) return undefined;
    turn.at = Math.min(turn.at, ahead(counted, sight.now));
    return oldest(counted, sight.now);
  });

const atom = (one: Atom): Node => ({ kind: 'atom', atom: one });
const not = (part: Node): Node => ({ kind: 'not', part });

type Bound = number | [number, number];

/** The least and the greatest that a count may be; "exactly" is both. */
function countBounds(count: NonNullable<Did['times']>): { least: number; most: number } {
  if (typeof count === 'number') return { least: count, most: count };
  const [name, value] = Object.entries(count)[0] as [string, Bound];
  switch (name) {
    case 'atLeast':
      return { least: value as number, most: NEVER };
    case 'moreThan':
      return { least: (value as number) + 1, most: NEVER };
    case 'atMost':
      return { least: 1, most: value as number };
    case 'lessThan':
      return { least: 1, most: (value as number) - 1 };
    case 'between':
      return { least: (value as [number, number])[0], most: (value as [number, number])[1] };
    default:
      throw new Error(`unknown measure: ${name}`);
  }
}

/** An atom over a number that a counter measures, in a period. */
function amountAtom(column: Column, amount: Record<string, unknown>, scale: (value: number) => number): Atom {
  const [name, wanted] = Object.entries(amount)[0] as [OperatorName, Bound];
  const bounds = [wanted].flat().map(scale) as [number, number?];
  const [low, high = low] = bounds;
  const compare: Partial<Record<OperatorName, (value: number) => boolean>> = {
    atLeast: (value) => value >= low,
    moreThan: (value) => value > low,
    atMost: (value) => value <= low,
    lessThan: (value) => value < low,
    between: (value) => value >= low && value <= high,
  };
  const test = compare[name];
  if (test === undefined) throw new Error(`unknown measure: ${name}`);
  return {
    column,
    cuts: bounds as number[],
    test: (found) => found !== undefined && test(found as number),
    next: timeless,
  };
}

/** What a "did" counts at an instant; `next`: when the calendar moves that. */
type PeriodOf = (sight: Sight) => Span & { next?: number };

const EVER = Number.NEGATIVE_INFINITY;

function periodOf(did: Did, money: boolean): { key: string; rolling: number; span: PeriodOf } {
  const zoneOf = (sight: Sight): string => (money ? sight.shopZone : sight.zone);
  if (did.inLast !== undefined) {
    const rolling = durationMs(did.inLast);
    return { key: `last ${rolling}`, rolling, span: ({ now }) => ({ after: now - rolling, until: now }) };
  }
  const zoned = money ? 'shop' : 'own';
  if (did.in !== undefined) {
    const word: CalendarWord = did.in;
    return {
      key: `${word} ${zoned}`,
      rolling: 0,
      span(sight) {
        const { from, to, next } = calendarPeriod(word, sight.now, zoneOf(sight));
        return { after: from - 1, until: Math.min(to - 1, sight.now), next };
      },
    };
  }
  const fixed = (from: string | undefined, to: string | undefined): PeriodOf => {
    const last = to === undefined || !isDate(to) ? to : dayAfter(to);
    return (sight) => {
      const zone = zoneOf(sight);
      const after = from === undefined ? EVER : (instantIn(from, zone) ?? NEVER) - 1;
      if (last === undefined) return { after, until: sight.now };
      const end = instantIn(last, zone) ?? EVER;
      return { after, until: Math.min(last === to ? end : end - 1, sight.now) };
    };
  };
  if (did.between !== undefined) {
    const [from, to] = did.between;
    return { key: `between ${from} ${to} ${zoned}`, rolling: 0, span: fixed(from, to) };
  }
  if (did.since !== undefined && did.since !== 'run start') {
    return { key: `since ${did.since} ${zoned}`, rolling: 0, span: fixed(did.since, undefined) };
  }
  return { key: 'ever', rolling: NEVER, span: ({ now }) => ({ after: EVER, until: now }) };
}

function didNode(did: Did, context: RuleContext): Node {
  const use = counterOf(did, context);
  const { latest, first, times, same } = did;
  const when = latest ?? first;
  if (when !== undefined) return atom(whenAtom(use, when, latest !== undefined, context));
  const amount = did.sum ?? did.largest ?? did.distinct;
  const of = amount?.of;
  const money =
    of !== undefined && did.distinct === undefined && use.counter.names.some((name) => context.isMoney(name, of));
  const period = periodOf(did, money);
  const measuring = (measure: Measure, index: number): Column =>
    columnOf(
      `${use.key}|${measure} ${index < 0 ? '' : use.counter.of[index]}|${period.key}`,
      'number',
      context,
      () => (sight, turn) => {
        const counted = use.state(sight);
        if (counted === undefined) return undefined;
        const span = period.span(sight);
        const found = tally(counted, span, measure, index);
        const leaves = period.rolling === 0 ? NEVER : found.oldest + period.rolling;
        turn.at = Math.min(turn.at, leaves, found.ahead > sight.now ? found.ahead : NEVER);
        // A new stretch changes nothing for whom nothing leaves the old one or enters the new.
        if (span.next !== undefined && (found.times > 0 || found.ahead <= sight.now))
          turn.at = Math.min(turn.at, span.next);
        return found.value;
      },
    );
  if (amount !== undefined) {
    const { of: property, ...wanted } = amount;
    const [kind, measure] = did.sum
      ? (['sum', 'sum'] as const)
      : did.largest
        ? (['largest', 'largest'] as const)
        : (['groups', 'distinct'] as const);
    const column = measuring(measure, measured(use.counter, kind, property));
    return atom(amountAtom(column, wanted, money ? (value) => minorUnits(value, context.currency) : (value) => value));
  }
  const { least, most } = countBounds(times ?? { atLeast: 1 });
  if (same !== undefined) {
    return atom(
      amountAtom(measuring('same', measured(use.counter, 'groups', same)), { atLeast: least }, (value) => value),
    );
  }
  if (period.rolling > 0) {
    const atLeast = (n: number): Node => atom(recently(newestColumn(use, n, 'age', context), period.rolling));
    return most === NEVER ? atLeast(least) : all([atLeast(least), not(atLeast(most + 1))]);
  }
  return atom(
    amountAtom(
      measuring('times', -1),
      most === NEVER ? { atLeast: least } : { between: [least, most] },
      (value) => value,
    ),
  );
}

/** When something happened last, or first. */
function whenAtom(use: CounterUse, wanted: NonNullable<Did['latest']>, last: boolean, context: RuleContext): Atom {
  const [operator, value] = Object.entries(wanted)[0] as [OperatorName, string];
  const family = operator === 'before' || operator === 'after' ? (isDate(value) ? 'date' : 'instant') : 'age';
  const column = last ? newestColumn(use, 1, family, context) : oldestColumn(use, family, context);
  if (operator === 'inLast') return recently(column, durationMs(value));
  const { test, next } = compileComparison(wanted as Comparison);
  if (operator === 'moreThanAgo') return { column, cuts: [durationMs(value)], test, next };
  return { column, cuts: [family === 'date' ? value : (instantIn(value, 'UTC') as number)], test, next };
}

// ── consents and draws ──

function consentAtom(rule: Extract<Rule, { consent: string }>, context: RuleContext): Atom {
  const { basis, consent: topic, channel = 'email' } = rule;
  const { brand } = context;
  const key = `${brand}|${topic}|${channel}`;
  const column = columnOf(`consent|${key}`, 'equal', context, () => ({ contact, now }, turn) => {
    const known = contact.facts.consents[key];
    if (known === undefined) return undefined;
    for (const at of [known.at, known.until]) if (at !== undefined && at > now) turn.at = Math.min(turn.at, at);
    const found = standingConsent(contact.facts, brand, known, now);
    return found === undefined ? undefined : (found.basis ?? 'single');
  });
  return {
    column,
    cuts: basis ?? [],
    test: (found) => found !== undefined && (basis === undefined || (basis as string[]).includes(found as string)),
    next: timeless,
  };
}

/**
 * A contact's number from 0 (included) to 100 (excluded) in a draw: the first 32 bits of
 * sha256("share" NUL name NUL contact id), as a share of 2^32. Anybody can recompute it.
 */
export function drawOf(name: string, contactId: string): number {
  return (Number.parseInt(sha256(`share\u0000${name}\u0000${contactId}`).slice(0, 8), 16) / 2 ** 32) * 100;
}

function shareAtom(name: string, [from, to]: [number, number], context: RuleContext): Atom {
  const column = columnOf(
    `share|${name}`,
    'number',
    context,
    () =>
      ({ contact }) =>
        drawOf(name, contact.id),
  );
  return {
    column,
    cuts: [from, to],
    test: (found) => (found as number) >= from && (found as number) < to,
    next: timeless,
  };
}
