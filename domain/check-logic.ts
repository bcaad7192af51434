// What rules mean beside each other: what can never match, what always does, what says nothing, what says the same.

import { canonical } from './canonical.ts';
import { type Fault, sayPath } from './fault.ts';
import type { Comparison, Count, Did, OperatorName, Rule, Where } from './grammar.ts';
import { sayClause } from './say-rule.ts';
import type { FieldType } from './settings.ts';
import { durationMs } from './time.ts';
import {
  allBut,
  bounds,
  complement,
  intersection,
  isEmpty,
  keyOf,
  type Numbers,
  numbers,
  span,
  type Universe,
  type ValueSet,
  values,
  within,
} from './value-set.ts';
import { instantIn, isOperator } from './where.ts';

type Path = (string | number)[];

/** What is asked of: an attribute, a count in a period, a draw. Clauses about one column can be held against each other. */
interface Column {
  key: string;
  universe: Universe;
  /** A count: of which events, in which period. */
  counts?: { names: readonly string[]; where: ReadonlySet<string>; period: string };
  /** What the column can be at all, for people. */
  range?: string;
}

/** One clause: the column's value is in the set. */
interface Literal {
  kind: 'literal';
  column: Column;
  set: ValueSet;
  /** What follows from it about other columns. */
  implies: readonly Literal[];
  /** For texts: the value holds, or begins with, this; or it does not. */
  part?: { of: string; test(value: string): boolean; holds: boolean };
  /** The clause as it was written. */
  said: () => string;
}

type Form = Literal | { kind: 'all' | 'any'; parts: Form[] };

const DAY = 86_400_000;
const INFINITE = Number.POSITIVE_INFINITY;
const ANYTHING: Universe = { none: true };
const LINE = { from: -INFINITE, to: INFINITE };
const COUNTS: Universe = { numbers: { from: 0, to: INFINITE, whole: true }, none: false };
const EITHER: Universe = { values: ['false', 'true'], none: false };
/** Steps that one look at a rule may take; where they end, nothing is claimed. */
const FUEL = 200_000;
/** Clauses of a segment, with those that it reads, up to which it is looked into where another rule asks for it. */
const MOST_INSIDE = 60;
/** Parts of one group that are held against each other. */
const MOST_PAIRS = 60;

/** What derived numbers can be. Who has none has a value that is missing, where `none`. */
const KNOWN: Record<string, Universe> = {
  'orders.count': COUNTS,
  'orders.spend': { numbers: LINE, none: false },
  'service.openCases': COUNTS,
  'subscription.active': EITHER,
  'cart.items': { numbers: { from: 1, to: INFINITE, whole: true }, none: true },
  'rhythm.interval': { numbers: { from: 0, to: INFINITE }, none: true },
  'rfm.recency': { numbers: { from: 1, to: 5, whole: true }, none: true },
  'rfm.frequency': { numbers: { from: 1, to: 5, whole: true }, none: true },
  'rfm.money': { numbers: { from: 1, to: 5, whole: true }, none: true },
  'value.decile': { numbers: { from: 1, to: 10, whole: true }, none: true },
  'predicted.alive': { numbers: { from: 0, to: 1 }, none: true },
  'predicted.orders': { numbers: { from: 0, to: INFINITE }, none: true },
  'predicted.orders90': { numbers: { from: 0, to: INFINITE }, none: true },
  'orders.discountedShare': { numbers: { from: 0, to: 1 }, none: true },
};
/** Of these nothing is merely unknown: a missing one means that there is none. */
const SPEAKS_WHEN_MISSING = new Set(['cart.items', 'cart.value', 'running']);

/** "1 to 5" of an attribute that can only be so; undefined of all others. */
export function rangeOf(attribute: string): string | undefined {
  const line = Object.hasOwn(KNOWN, attribute) ? KNOWN[attribute]?.numbers : undefined;
  return line === undefined || line.to === INFINITE ? undefined : `${line.from} to ${line.to}`;
}

/** The periods of the calendar that one lies in, whatever the day, and the days that reach over it from any instant. */
const REACH: Record<string, { inside: readonly string[]; days: number }> = {
  today: { inside: ['this week', 'this month', 'this quarter', 'this year'], days: 2 },
  yesterday: { inside: [], days: 3 },
  'this week': { inside: [], days: 8 },
  'last week': { inside: [], days: 15 },
  'this month': { inside: ['this quarter', 'this year'], days: 33 },
  'last month': { inside: [], days: 64 },
  'this quarter': { inside: ['this year'], days: 94 },
  'last quarter': { inside: [], days: 186 },
  'this year': { inside: [], days: 368 },
  'last year': { inside: [], days: 734 },
};

/** Says what the rules of one set of templates mean beside each other. Expects rules in which every name and type fits. */
export class RuleLogic {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];
  readonly #typeOf: (attribute: string) => FieldType | undefined;
  readonly #segments: Readonly<Record<string, { rule: Rule }>>;
  readonly #sizes = new Map<string, number>();
  #fuel = FUEL;

  /** `segments` are those that rules may speak of; they may not read each other in a circle. */
  constructor(
    typeOf: (attribute: string) => FieldType | undefined,
    segments: Readonly<Record<string, { rule: Rule }>>,
  ) {
    this.#typeOf = typeOf;
    this.#segments = segments;
  }

  /** Contradictions, tautologies and clauses that say nothing, in one rule. */
  rule(rule: Rule, file: string, path: Path): void {
    this.#fuel = FUEL;
    const never = this.#conflict([this.#form(rule, false)]);
    if (never !== undefined) {
      const at = this.#culprit(rule, path);
      this.#add(this.faults, 'rule.never', file, at, `can never match: ${never}.`, remedyFor(never));
      return;
    }
    if (this.#impossible([this.#form(rule, true)])) {
      this.#add(this.faults, 'rule.always', file, path, 'always matches: it leaves nobody out.', ALWAYS);
      return;
    }
    this.#parts(rule, file, path);
    this.#missing(rule, false, [], file, path);
  }

  /** Whether nobody can ever match the rule. False also where that cannot be told. */
  neverMatches(rule: Rule): boolean {
    this.#fuel = FUEL;
    return this.#impossible([this.#form(rule, false)]);
  }

  /** Whether everybody matches the rule at any time. False also where that cannot be told. */
  alwaysMatches(rule: Rule): boolean {
    this.#fuel = FUEL;
    return this.#impossible([this.#form(rule, true)]);
  }

  /** Whether whoever matches `one` matches `other`. False also where that cannot be told. */
  follows(one: Rule, other: Rule): boolean {
    this.#fuel = FUEL;
    return this.#impossible([this.#form(one, false), this.#form(other, true)]);
  }

  /** Equal for rules that mean the same by their form: order, repeats, double negations, groups of one, "at least once". */
  meaning(rule: Rule): string {
    return meaningOf(this.#form(rule, false, false));
  }

  /** Segments that mean the same, as warnings at the later one. */
  twins(): void {
    const ids = Object.keys(this.#segments).sort();
    const known = new Map(ids.map((id) => [this.meaning({ segment: id }), id]));
    const meant = new Map<string, string>();
    for (const id of ids) {
      const meaning = this.meaning((this.#segments[id] as { rule: Rule }).rule);
      const same = known.get(meaning);
      if (same === undefined) known.set(meaning, id);
      else meant.set(id, same);
    }
    for (const [id, same] of meant) {
      this.#add(
        this.warnings,
        'segment.twin',
        `segments/${id}.json`,
        ['rule'],
        `means the same as "${same}": who is in one is in the other.`,
        `Keep one of them, and write {"segment": "${same}"} where the other is asked for.`,
      );
    }
  }

  /** The innermost part that nobody can meet by itself. */
  #culprit(rule: Rule, path: Path): Path {
    if ('has' in rule && Object.keys(rule.has).length > 1) {
      const wrong = Object.entries(rule.has).find(([name, wanted]) =>
        this.#impossible([this.#has(name, wanted, false, () => '')]),
      );
      return wrong === undefined ? path : [...path, 'has', wrong[0]];
    }
    const kind = 'all' in rule ? 'all' : 'any' in rule && rule.any.length === 1 ? 'any' : undefined;
    if (kind === undefined) return path;
    const parts = (rule as Record<string, Rule[]>)[kind] as Rule[];
    const index = parts.findIndex((part) => this.#impossible([this.#form(part, false)]));
    return index < 0 ? path : this.#culprit(parts[index] as Rule, [...path, kind, index]);
  }

  #add(to: Fault[], code: string, file: string, path: Path, message: string, remedy: string): void {
    to.push({ code, file, path: sayPath(path), message, remedy });
  }

  /** Warns of parts that nobody or everybody meets, and of parts that say nothing beside another. */
  #parts(rule: Rule, file: string, path: Path): void {
    if ('not' in rule) {
      this.#parts(rule.not, file, [...path, 'not']);
      return;
    }
    if (!('all' in rule || 'any' in rule)) return;
    const kind = 'all' in rule ? 'all' : 'any';
    const parts = 'all' in rule ? rule.all : rule.any;
    const forms = parts.map((part) => ({ is: this.#form(part, false), not: this.#form(part, true) }));
    const settled = new Set<number>();
    parts.forEach((part, index) => {
      const at = [...path, kind, index];
      const never = this.#conflict([forms[index]!.is]);
      if (never !== undefined) {
        this.#add(this.warnings, 'rule.never', file, at, `can never match: ${never}.`, remedyFor(never));
        settled.add(index);
      } else if (this.#impossible([forms[index]!.not])) {
        this.#add(this.warnings, 'rule.always', file, at, 'always matches: it leaves nobody out.', 'Take it out.');
        settled.add(index);
      } else this.#parts(part, file, at);
    });
    if (parts.length > MOST_PAIRS) return;
    // Of two that mean the same the first speaks.
    const speaks = (index: number, beside: number): boolean => {
      const [one, other] = [forms[index]!, forms[beside]!];
      const forth = kind === 'all' ? [other.is, one.not] : [one.is, other.not];
      if (!this.#impossible(forth)) return true;
      const back = kind === 'all' ? [one.is, other.not] : [other.is, one.not];
      return index < beside && this.#impossible(back);
    };
    parts.forEach((_part, index) => {
      if (settled.has(index)) return;
      const beside = parts.findIndex((_, other) => other !== index && !settled.has(other) && !speaks(index, other));
      if (beside < 0) return;
      settled.add(index);
      const other = shown(sayClause(parts[beside]!));
      const message =
        kind === 'all'
          ? `says nothing beside "${other}": whoever is that is this too.`
          : `adds nobody beside "${other}": whoever is this is that too.`;
      this.#add(this.warnings, 'rule.idle', file, [...path, kind, index], message, 'Take it out.');
    });
  }

  /** Warns where the complement of a comparison takes in contacts of whom the value is merely unknown. */
  #missing(rule: Rule, negated: boolean, beside: readonly Form[], file: string, path: Path): void {
    if ('not' in rule) {
      this.#missing(rule.not, !negated, beside, file, [...path, 'not']);
    } else if ('all' in rule || 'any' in rule) {
      const kind = 'all' in rule ? 'all' : 'any';
      const parts = 'all' in rule ? rule.all : rule.any;
      const joint = (kind === 'all') !== negated;
      const forms = joint ? parts.map((part) => this.#form(part, negated)) : [];
      parts.forEach((part, index) => {
        const others = joint && forms.length <= MOST_PAIRS ? forms.filter((_, other) => other !== index) : [];
        this.#missing(part, negated, [...beside, ...others], file, [...path, kind, index]);
      });
    } else if ('has' in rule && negated) {
      for (const [name, wanted] of Object.entries(rule.has)) {
        if (isOperator(wanted) && 'exists' in wanted) continue;
        if (SPEAKS_WHEN_MISSING.has(name) || this.#always(name)) continue;
        const unknown = this.#has(name, { exists: false }, false, () => '');
        if (this.#impossible([...beside, unknown])) continue;
        this.#add(
          this.warnings,
          'rule.missing',
          file,
          [...path, 'has', name],
          `also takes in contacts whose "${name}" is merely unknown.`,
          `If that is not meant, add {"has": {"${name}": {"exists": true}}}.`,
        );
      }
    }
  }

  /** An attribute that is never missing. */
  #always(name: string): boolean {
    return Object.hasOwn(KNOWN, name) && !(KNOWN[name] as Universe).none;
  }

  #impossible(forms: readonly Form[]): boolean {
    return this.#conflict(forms) !== undefined;
  }

  /** Why these can never hold together; undefined where they can, or where that cannot be told. */
  #conflict(forms: readonly Form[]): string | undefined {
    const literals: Literal[] = [];
    const choices: Form[][] = [];
    const flatten = (form: Form): void => {
      if (form.kind === 'literal') literals.push(form);
      else if (form.kind === 'all') form.parts.forEach(flatten);
      else if (form.parts.length === 1) flatten(form.parts[0] as Form);
      else choices.push(form.parts);
    };
    forms.forEach(flatten);
    this.#fuel -= literals.length + 1;
    if (this.#fuel <= 0) return undefined;
    const clash = clashOf(literals);
    if (clash !== undefined) return clash;
    for (const options of choices) {
      let reason: string | undefined;
      for (const option of options) {
        reason = this.#conflict([...literals, option]);
        if (reason === undefined) break;
      }
      if (reason !== undefined) return options.length === 0 ? 'it asks for nothing' : reason;
      if (this.#fuel <= 0) return undefined;
    }
    return undefined;
  }

  /** How many clauses a segment has, with those of the segments that it reads. */
  #sizeOf(id: string): number {
    const known = this.#sizes.get(id);
    if (known !== undefined) return known;
    const count = (rule: Rule): number => {
      if ('not' in rule) return count(rule.not);
      if ('all' in rule || 'any' in rule) {
        return ('all' in rule ? rule.all : rule.any).reduce((sum, part) => sum + count(part), 0);
      }
      if ('segment' in rule) return 1 + (Object.hasOwn(this.#segments, rule.segment) ? this.#sizeOf(rule.segment) : 0);
      return 'has' in rule ? Object.keys(rule.has).length : 1;
    };
    const size = count((this.#segments[id] as { rule: Rule }).rule);
    this.#sizes.set(id, size);
    return size;
  }

  /** The rule, or its complement, with every "not" at a clause; with what segments say, where `inside`. */
  #form(rule: Rule, negated: boolean, inside = true): Form {
    this.#fuel -= 1;
    if ('not' in rule) return this.#form(rule.not, !negated, inside);
    if ('all' in rule || 'any' in rule) {
      const parts = ('all' in rule ? rule.all : rule.any).map((part) => this.#form(part, negated, inside));
      return { kind: 'all' in rule !== negated ? 'all' : 'any', parts };
    }
    const said = (): string => sayClause(negated ? { not: rule } : rule);
    if ('has' in rule) {
      const parts = Object.entries(rule.has).map(([name, wanted]) =>
        this.#has(name, wanted, negated, () =>
          sayClause(negated ? { not: { has: { [name]: wanted } } } : { has: { [name]: wanted } }),
        ),
      );
      return { kind: negated ? 'any' : 'all', parts };
    }
    if ('did' in rule) return didForm(rule, negated, said);
    if ('segment' in rule) {
      const is = literal({ key: `segment|${rule.segment}`, universe: EITHER }, values('true'), negated, said);
      const known = Object.hasOwn(this.#segments, rule.segment) ? this.#segments[rule.segment] : undefined;
      if (known === undefined || !inside || this.#sizeOf(rule.segment) > MOST_INSIDE) return is;
      return { kind: 'all', parts: [is, this.#form(known.rule, negated)] };
    }
    if ('share' in rule) {
      const universe: Universe = { numbers: { from: 0, to: 100, open: true }, none: false };
      const [from, to] = rule.percent;
      return literal({ key: `share|${rule.share}`, universe }, numbers(span(from, to, false, true)), negated, said);
    }
    const column = { key: `consent|${rule.consent}|${rule.channel ?? 'email'}`, universe: ANYTHING };
    return literal(column, rule.basis === undefined ? allBut(MISSING) : values(...new Set(rule.basis)), negated, said);
  }

  #has(name: string, wanted: Comparison, negated: boolean, said: () => string): Form {
    const type = this.#typeOf(name);
    const key = `has|${name}`;
    const known = Object.hasOwn(KNOWN, name) ? (KNOWN[name] as Universe) : ANYTHING;
    const exists: Column = { key: `${key}|exists`, universe: known.none ? EITHER : { values: ['true'], none: false } };
    const present = literal(exists, values('true'), false, said);
    /** A clause that only somebody with a value meets. */
    const asks = (column: Column, set: ValueSet): Literal => literal(column, set, negated, said, [present]);
    const opaque = (): Literal => asks({ key: `${key}|${canonical(wanted)}`, universe: EITHER }, values('true'));
    const line = lineOf(name);
    if (!isOperator(wanted)) return this.#equal(name, [wanted].flat(), negated, said, present);
    const [operator, value] = Object.entries(wanted)[0] as [OperatorName, unknown];
    switch (operator) {
      case 'exists':
        return literal(exists, values(String(value)), negated, said, value === false ? missingFrom(key, type) : []);
      case 'isNot': {
        const isNot = this.#equal(name, [value as string], !negated, said, present);
        // An empty list is there, and holds nothing: it is not this, and does not "exist".
        const there = type === 'list' ? { key: `${key}|given`, universe: EITHER } : exists;
        return { kind: negated ? 'any' : 'all', parts: [literal(there, values('true'), negated, said), isNot] };
      }
      case 'contains':
      case 'startsWith': {
        if (type !== 'text') return opaque();
        const wish = String(value).toLowerCase();
        const test = (text: string): boolean =>
          operator === 'contains' ? text.toLowerCase().includes(wish) : text.toLowerCase().startsWith(wish);
        const column = { key: `${key}|${operator}|${wish}`, universe: EITHER };
        return { ...asks(column, values('true')), part: { of: `${key}|text`, test, holds: !negated } };
      }
      case 'inLast':
      case 'inNext':
      case 'moreThanAgo': {
        // Where the value lies, seen from now.
        const column = { key: `${key}|from now`, universe: { numbers: LINE, none: true } };
        return asks(column, agoSet(operator, durationMs(value as string)));
      }
      case 'anniversary':
        return opaque();
      default: {
        if (type === 'date') {
          const { axis, at } = onAxis([value].flat());
          if (axis === undefined) return opaque();
          const column = { key: `${key}|${axis}`, universe: { numbers: LINE, none: true } };
          return asks(column, orderSet(operator, at));
        }
        const bound = [value].flat();
        return bound.every(isExact) ? asks(line, orderSet(operator, bound as number[])) : opaque();
      }
    }
  }

  /** Is one of these values, or is none of them. */
  #equal(
    name: string,
    wanted: (string | number | boolean)[],
    negated: boolean,
    said: () => string,
    present: Literal,
  ): Form {
    const type = this.#typeOf(name);
    const key = `has|${name}`;
    const known = Object.hasOwn(KNOWN, name) ? (KNOWN[name] as Universe) : ANYTHING;
    const asks = (column: Column, set: ValueSet): Literal => literal(column, set, negated, said, [present]);
    if (type === 'list') {
      // A list can hold several at once: each element is a question of its own.
      const parts = wanted.map((value) =>
        asks({ key: `${key}|is|${String(value)}`, universe: EITHER }, values('true')),
      );
      return { kind: negated ? 'all' : 'any', parts };
    }
    const references = wanted.some((value) => typeof value === 'string' && value.startsWith('@'));
    if ((type === 'number' || type === 'money') && wanted.every(isExact)) {
      const points = (wanted as number[]).map((value) => span(value, value));
      return asks(lineOf(name), numbers(...points));
    }
    if (type === 'boolean' && wanted.every((value) => typeof value === 'boolean')) {
      return asks({ key: `${key}|is`, universe: known }, values(...new Set(wanted.map(String))));
    }
    if (type === 'text' && !references && wanted.every((value) => typeof value === 'string')) {
      return asks({ key: `${key}|text`, universe: ANYTHING }, values(...new Set(wanted as string[])));
    }
    return asks({ key: `${key}|is|${canonical([...wanted].sort())}`, universe: EITHER }, values('true'));
  }
}

const ALWAYS = 'Say whom it is to leave out.';
const EXCLUDED = 'Mend one of them, or join them by "any" where one is enough.';

function lineOf(name: string): Column {
  const universe = { numbers: LINE, ...(Object.hasOwn(KNOWN, name) ? KNOWN[name] : ANYTHING) } as Universe;
  const range = rangeOf(name);
  return {
    key: `has|${name}|number`,
    universe,
    ...(range === undefined ? {} : { range: `"${name}" goes from ${range}` }),
  };
}
const MISSING = '\u0000';

const isExact = (value: unknown): value is number =>
  // Publish keeps six decimals: of more, two that differ may be one.
  typeof value === 'number' && Number.isFinite(value) && Math.round(value * 1e6) / 1e6 === value;

function literal(
  column: Column,
  set: ValueSet,
  negated: boolean,
  said: () => string,
  implies: readonly Literal[] = [],
): Literal {
  const held = within(set, column.universe);
  return {
    kind: 'literal',
    column,
    set: negated ? complement(held, column.universe) : held,
    implies: negated ? [] : implies,
    said,
  };
}

/** Who has no value has none on any of its lines. */
function missingFrom(key: string, type: FieldType | undefined): Literal[] {
  if (type === 'list') return [];
  const none = { kind: 'numbers', none: true, spans: [] } as Numbers;
  return ['number', 'from now', 'date', 'instant'].map((axis) =>
    literal({ key: `${key}|${axis}`, universe: { numbers: LINE, none: true } }, none, false, () => ''),
  );
}

/** Dates are compared with dates, instants with instants: which comes first of one of each depends on the zone. */
function onAxis(given: unknown[]): { axis?: 'date' | 'instant'; at: number[] } {
  if (given.some((value) => typeof value !== 'string' || value.startsWith('@'))) return { at: [] };
  const dates = given.filter((value) => /^\d{4}-\d{2}-\d{2}$/.test(value as string)).length;
  const at = given.map((value) => instantIn(value as string, 'UTC') ?? Number.NaN);
  if ((dates > 0 && dates < given.length) || at.some(Number.isNaN)) return { at: [] };
  return { axis: dates > 0 ? 'date' : 'instant', at };
}

function orderSet(operator: string, [low = 0, high = low]: number[]): Numbers {
  switch (operator) {
    case 'atLeast':
      return numbers(span(low, INFINITE));
    case 'moreThan':
    case 'after':
      return numbers(span(low, INFINITE, true));
    case 'atMost':
      return numbers(span(-INFINITE, low));
    case 'lessThan':
    case 'before':
      return numbers(span(-INFINITE, low, false, true));
    default:
      return numbers(span(low, high));
  }
}

/** Instants as milliseconds after now. */
function agoSet(operator: 'inLast' | 'inNext' | 'moreThanAgo', length: number): Numbers {
  if (operator === 'inLast') return numbers(span(-length, 0, true));
  return operator === 'inNext' ? numbers(span(0, length, true)) : numbers(span(-INFINITE, -length));
}

// ── events ──

function periodKey(did: Did): string {
  if (did.inLast !== undefined) return `last ${durationMs(did.inLast)}`;
  if (did.in !== undefined) return did.in;
  if (did.between !== undefined) return `between ${did.between.join(' ')}`;
  return did.since === undefined ? '' : `since ${did.since}`;
}

/** The comparisons of a "where", each as a text that is equal for equal ones. */
function clauses(where: Where, path = ''): string[] {
  return Object.entries(where).map(([name, wanted]) => {
    if (wanted !== null && typeof wanted === 'object' && !Array.isArray(wanted) && !isOperator(wanted)) {
      return `${path}${name}{${clauses(wanted as Where)
        .sort()
        .join()}}`;
    }
    const values = [...new Set([wanted].flat().map((value) => canonical(value as Comparison)))].sort();
    return `${path}${name}=${Array.isArray(wanted) || !isOperator(wanted) ? values.join('|') : canonical(wanted)}`;
  });
}

function countSet(count: Count): Numbers {
  if (typeof count === 'number') return numbers(span(count, count));
  const [[operator, value]] = Object.entries(count) as [[string, number | number[]]];
  const set = orderSet(operator, [value].flat());
  // A measure holds only for who did it at all.
  return intersection(set, numbers(span(1, INFINITE))) as Numbers;
}

function didForm(did: Did, negated: boolean, said: () => string): Form {
  const names = [...new Set([did.did].flat())].sort();
  const where = did.where === undefined ? [] : clauses(did.where).sort();
  const period = periodKey(did);
  const counter = `${names.join('|')} ${where.join()}`;
  // What the counter of a run has counted is another matter than what the contact's has.
  const apart = where.some((clause) => clause.includes('@')) || period === 'since run start';
  const count = (of: string): Column => ({
    key: `count|${counter}|${of}`,
    universe: COUNTS,
    ...(apart ? {} : { counts: { names, where: new Set(where), period: of } }),
  });
  const often = (of: string, from: number, to = INFINITE, reversed = negated): Literal =>
    literal(count(of), numbers(span(from, to)), reversed, said);
  if (did.latest !== undefined || did.first !== undefined) {
    const [kind, wanted] = did.latest === undefined ? ['first', did.first!] : ['latest', did.latest];
    const [[operator, value]] = Object.entries(wanted) as [[string, string]];
    const window = operator === 'inLast' || operator === 'moreThanAgo' ? `last ${durationMs(value)}` : '';
    if (kind === 'latest' && operator === 'inLast') return often(window, 1);
    if (kind === 'latest' && operator === 'moreThanAgo') {
      return { kind: negated ? 'any' : 'all', parts: [often('', 1), often(window, 0, 0)] };
    }
    const ever = often('', 1, INFINITE, false);
    if (window !== '') {
      const column = { key: `first|${counter}`, universe: { numbers: LINE, none: true } };
      const set = agoSet(operator as 'inLast' | 'moreThanAgo', durationMs(value));
      return literal(
        column,
        set,
        negated,
        said,
        operator === 'inLast' ? [ever, often(window, 1, INFINITE, false)] : [ever],
      );
    }
    const { axis, at } = onAxis([value]);
    const column = { key: `${kind}|${counter}|${axis}`, universe: { numbers: LINE, none: true } };
    return literal(column, orderSet(operator, at), negated, said, [ever]);
  }
  const amount = did.sum ?? did.largest ?? did.distinct;
  if (amount !== undefined) {
    const measure = did.sum !== undefined ? 'sum' : did.largest !== undefined ? 'largest' : 'distinct';
    const [[operator, value]] = Object.entries(amount).filter(([key]) => key !== 'of') as [[string, number | number[]]];
    const bound = [value].flat();
    const universe: Universe = {
      numbers: measure === 'distinct' ? { from: 0, to: INFINITE, whole: true } : LINE,
      none: true,
    };
    const once = often(period, 1, INFINITE, false);
    const key = `${measure}|${amount.of}|${counter}|${period}`;
    return bound.every(isExact)
      ? literal({ key, universe }, orderSet(operator, bound), negated, said, [once])
      : literal({ key: `${key}|${canonical(amount)}`, universe: EITHER }, values('true'), negated, said, [once]);
  }
  const set = countSet(did.times ?? { atLeast: 1 });
  if (did.same === undefined) return literal(count(period), set, negated, said);
  const least = bounds(within(set, COUNTS))?.least ?? 1;
  const column = { key: `same|${did.same}|${counter}|${period}`, universe: COUNTS };
  return literal(column, set, negated, said, [often(period, least, INFINITE, false)]);
}

type Counts = NonNullable<Column['counts']>;

/** Whether each event that the one counts is counted by the other. */
function isPart(one: Counts, other: Counts): boolean {
  if (!one.names.every((name) => other.names.includes(name))) return false;
  if (![...other.where].every((clause) => one.where.has(clause))) return false;
  if (one.period === other.period || other.period === '') return true;
  const [length, longer] = [one.period, other.period].map((period) => /^last (\d+)$/.exec(period)?.[1]);
  if (length !== undefined && longer !== undefined) return Number(length) <= Number(longer);
  const reach = Object.hasOwn(REACH, one.period) ? REACH[one.period] : undefined;
  if (reach === undefined) return false;
  return longer === undefined ? reach.inside.includes(other.period) : Number(longer) >= reach.days * DAY;
}

// ── conflicts ──

const remedyFor = (reason: string): string =>
  reason.endsWith('exclude each other') ? EXCLUDED : 'Mend it, or take it out.';
const shown = (text: string): string => (text.length > 120 ? `${text.slice(0, 117)}…` : text);

function exclusive(...literals: Literal[]): string {
  const said = [...new Set(literals.map((each) => each.said()).filter((text) => text !== ''))].map(shown);
  if (said.length < 2) {
    const range = literals[0]?.column.range;
    return `"${said[0] ?? 'this'}" holds for nobody${range === undefined ? '' : `; ${range}`}`;
  }
  return `${said.map((text) => `"${text}"`).join(' and ')} exclude each other`;
}

/** Why these clauses cannot hold together; undefined where they may. */
function clashOf(given: readonly Literal[]): string | undefined {
  const held = new Map<string, { column: Column; set: ValueSet; by: Literal[] }>();
  const parts: { literal: Literal; part: NonNullable<Literal['part']> }[] = [];
  for (const source of given) {
    for (const each of [source, ...source.implies]) {
      const { column, set } = each;
      const known = held.get(column.key);
      if (known === undefined) held.set(column.key, { column, set, by: [source] });
      else {
        const before = known.by;
        known.set = intersection(known.set, set);
        known.by = before.includes(source) ? before : [...before, source];
        if (isEmpty(known.set) && !isEmpty(set)) return exclusive(...known.by);
      }
      if (isEmpty(set)) return exclusive(source);
    }
    if (source.part !== undefined) parts.push({ literal: source, part: source.part });
  }
  const counts = [...held.values()].filter(({ column }) => column.counts !== undefined);
  for (const one of counts) {
    for (const other of counts) {
      if (one === other || bounds(one.set)!.least <= bounds(other.set)!.greatest) continue;
      if (isPart(one.column.counts!, other.column.counts!)) return exclusive(...one.by, ...other.by);
    }
  }
  for (const { literal: source, part } of parts) {
    const text = held.get(part.of);
    if (text === undefined || text.set.kind !== 'values' || text.set.except) continue;
    text.set = values(...text.set.values.filter((value) => part.test(value) === part.holds));
    if (isEmpty(text.set)) return exclusive(...text.by, source);
  }
  return undefined;
}

function meaningOf(form: Form): string {
  if (form.kind === 'literal') return `${form.column.key} ∈ ${keyOf(form.set)}`;
  const parts = form.parts.flatMap((part): string[] =>
    part.kind === form.kind ? splitMeaning(part) : [meaningOf(part)],
  );
  const sorted = [...new Set(parts)].sort();
  return sorted.length === 1 ? (sorted[0] as string) : `${form.kind}(${sorted.join('; ')})`;
}

function splitMeaning(form: Form): string[] {
  if (form.kind === 'literal') return [meaningOf(form)];
  return form.parts.flatMap((part) => (part.kind === form.kind ? splitMeaning(part) : [meaningOf(part)]));
}
