// Checks rules against what can be known: events and their properties, attributes, segments, topics, types.

import { dayAfter } from './calendar.ts';
import { isReference, meaningOfReference, type RunKnowledge } from './check-references.ts';
import { NAMED, type Problem, problemOf, problemOfAmount, problemOfDate, problemOfText } from './check-values.ts';
import { type Fault, nearest, quote, sayPath, suggest } from './fault.ts';
import type { EventFields } from './fields.ts';
import type { Comparison, Did, OperatorName, Rule, Where } from './grammar.ts';
import { CALENDAR, Operators } from './grammar.ts';
import { RFM_GROUPS } from './insight/rfm.ts';
import { derivedAttributes } from './rule-attributes.ts';
import type { FieldType } from './settings.ts';
import { TIER } from './tiers.ts';
import { durationMs } from './time.ts';
import { attributeType, productFields, type Vocabulary } from './vocabulary.ts';
import { instantIn, isOperator } from './where.ts';

type Path = (string | number)[];
type Kind = FieldType | { lines: Record<string, FieldType> };

const COMPARES: Record<FieldType, readonly OperatorName[]> = {
  text: ['isNot', 'contains', 'startsWith', 'exists'],
  number: ['isNot', 'atLeast', 'moreThan', 'atMost', 'lessThan', 'between', 'exists'],
  money: ['isNot', 'atLeast', 'moreThan', 'atMost', 'lessThan', 'between', 'exists'],
  date: ['before', 'after', 'between', 'inLast', 'inNext', 'moreThanAgo', 'anniversary', 'exists'],
  boolean: ['isNot', 'exists'],
  list: ['isNot', 'contains', 'exists'],
};
/** What to do where no known name is near. */
const NOWHERE: Record<string, string> = {
  'reference.event': 'Events of your own are declared in fields.json.',
  'reference.attribute': 'Attributes of your own are declared in fields.json.',
};

/** What rules, triggers and successes ask of events. */
type Asked = { did: string | string[] } & { [name in Exclude<keyof Did, 'did'>]?: Did[name] | undefined };

/** Walks the rules of one file and gathers faults and warnings. */
export class RuleCheck {
  readonly faults: Fault[];
  readonly warnings: Fault[];
  readonly #known: Vocabulary;
  readonly #file: string;
  /** What is known of a run where this check stands. */
  readonly run: RunKnowledge | undefined;

  constructor(known: Vocabulary, file: string, run?: RunKnowledge, found?: Pick<RuleCheck, 'faults' | 'warnings'>) {
    this.#known = known;
    this.#file = file;
    this.run = run;
    this.faults = found?.faults ?? [];
    this.warnings = found?.warnings ?? [];
  }

  /** The same file at a place where something else is known of the run: what it finds stands with what this one finds. */
  knowing(run: RunKnowledge | undefined): RuleCheck {
    return new RuleCheck(this.#known, this.#file, run, this);
  }

  fault(code: string, path: Path, message: string, remedy?: string): void {
    this.faults.push({
      code,
      file: this.#file,
      path: sayPath(path),
      message,
      ...(remedy === undefined ? {} : { remedy }),
    });
  }

  warn(code: string, path: Path, message: string, remedy?: string): void {
    this.warnings.push({
      code,
      file: this.#file,
      path: sayPath(path),
      message,
      ...(remedy === undefined ? {} : { remedy }),
    });
  }

  /** A name that must be among `known`. */
  name(code: string, what: string, name: string, known: Iterable<string>, path: Path): boolean {
    const words = [...known];
    if (words.includes(name)) return true;
    this.fault(
      code,
      path,
      `${what} "${name}" does not exist.`,
      suggest(name, words) ?? NOWHERE[code] ?? (words.length === 0 ? `There is no ${what} yet.` : undefined),
    );
    return false;
  }

  rule(rule: Rule, path: Path): void {
    if ('all' in rule) {
      rule.all.forEach((each, index) => {
        this.rule(each, [...path, 'all', index]);
      });
    } else if ('any' in rule) {
      rule.any.forEach((each, index) => {
        this.rule(each, [...path, 'any', index]);
      });
    } else if ('not' in rule) {
      this.rule(rule.not, [...path, 'not']);
    } else if ('has' in rule) {
      for (const [name, comparison] of Object.entries(rule.has))
        this.#attribute(name, comparison, [...path, 'has', name]);
    } else if ('segment' in rule) {
      this.name('reference.segment', 'segment', rule.segment, this.#known.segments, [...path, 'segment']);
    } else if ('consent' in rule) {
      this.name('reference.topic', 'topic', rule.consent, this.#known.topics, [...path, 'consent']);
    } else if ('share' in rule) {
      const [from, to] = rule.percent;
      if (from >= to) {
        this.fault(
          'rule.range',
          [...path, 'percent'],
          from === to ? `from ${from} to ${to} there is nobody.` : `${from} is more than ${to}: nothing lies between.`,
          from === to ? 'Write from and to, such as [0, 10].' : `Write [${to}, ${from}].`,
        );
      }
    } else if ('did' in rule) this.did(rule, path);
  }

  /** A rule's, a trigger's or a success's "did": its events, where, measure and period. */
  did(did: Asked, path: Path): void {
    const names = this.events(did.did, [...path, 'did']);
    if (did.where !== undefined) this.where(did.where, names, [...path, 'where']);
    if (did.same !== undefined) this.#held(did.same, names, [...path, 'same']);
    for (const measure of ['sum', 'largest'] as const) {
      const asked = did[measure];
      if (asked === undefined) continue;
      const money = this.#amount(asked.of, measure, names, [...path, measure, 'of']);
      this.#bounds(asked, [...path, measure], money);
    }
    if (did.distinct !== undefined) {
      this.#held(did.distinct.of, names, [...path, 'distinct', 'of']);
      this.#bounds(did.distinct, [...path, 'distinct'], false);
    }
    if (typeof did.times === 'object') this.#bounds(did.times, [...path, 'times'], false);
    for (const measure of ['latest', 'first'] as const) {
      const asked = did[measure];
      if (asked === undefined) continue;
      const [name, value] = Object.entries(asked)[0] as [OperatorName, unknown];
      if (name === 'before' || name === 'after') this.#moment(value, [...path, measure, name]);
    }
    if (did.between !== undefined) this.#stretch(did.between, [...path, 'between']);
    if (did.since !== undefined) this.#since(did.since, [...path, 'since']);
  }

  #since(since: string, path: Path): void {
    if (since === 'run start') {
      if (this.run === undefined) {
        this.fault(
          'rule.only-in-campaign',
          path,
          '"since": "run start" is known only inside a campaign.',
          'Use "inLast" with a duration.',
        );
      } else if (!this.run.begun) {
        this.fault(
          'rule.reference',
          path,
          'no run has begun where people are chosen.',
          'Use "inLast" with a duration.',
        );
      }
    } else if (this.run !== undefined && isReference(since)) {
      const type = this.reference(since, path);
      if (type !== undefined && type !== 'date') {
        this.fault('rule.type', path, `"${since}" is ${NAMED[type]}, and no date.`, 'Write "run start", or a date.');
      }
    } else this.#moment(since, path);
  }

  /** A date or an instant that stands alone; a reference is none yet. */
  #moment(value: unknown, path: Path): boolean {
    if (isReference(value)) {
      this.fault('rule.reference', path, `${quote(value)} is not known here.`, 'Write a date such as "2026-11-27".');
      return false;
    }
    const period = CALENDAR.find((word) => word === value);
    if (period !== undefined || (typeof value === 'string' && /^\d+[mhdw]$/.test(value))) {
      this.fault(
        'rule.type',
        path,
        `${quote(value)} is not a date.`,
        period === undefined ? `Write "inLast": "${value}".` : `Write "in": "${period}".`,
      );
      return false;
    }
    return this.#tell(problemOfDate(value), path);
  }

  /** From a date or an instant to a later one; a date at the end is wholly in it. */
  #stretch([from, to]: [string, string], path: Path): void {
    const fine = [from, to].map((each, index) => this.#moment(each, [...path, index]));
    if (fine.includes(false)) return;
    const ends = /^\d{4}-\d{2}-\d{2}$/.test(to) ? dayAfter(to) : to;
    if ((instantIn(from, 'UTC') as number) >= (instantIn(ends, 'UTC') as number)) {
      this.fault(
        'rule.range',
        path,
        `"${from}" is not before "${to}".`,
        `Write ["${to}", "${from}"]; a later one ends it.`,
      );
    }
  }

  /** Adds what is wrong; false where it is a fault. */
  #tell(problem: Problem | undefined, path: Path): boolean {
    if (problem === undefined) return true;
    const { code, message, remedy, doubt } = problem;
    if (doubt === true) this.warn(code, path, message, remedy);
    else this.fault(code, path, message, remedy);
    return doubt === true;
  }

  /** Event names that exist; the others become faults. */
  events(did: string | string[], path: Path): string[] {
    const names = typeof did === 'string' ? [did] : did;
    return names.filter((name, index) =>
      this.name(
        'reference.event',
        'event',
        name,
        Object.keys(this.#known.events),
        typeof did === 'string' ? path : [...path, index],
      ),
    );
  }

  /** A "where" about the properties of each of these events. */
  where(where: Where, events: string[], path: Path): void {
    for (const [property, wanted] of Object.entries(where)) {
      const at = [...path, property];
      const kinds = events.map((event) => ({ event, kind: this.#property(this.#known.events[event] ?? {}, property) }));
      const unknown = kinds.find(({ kind }) => kind === undefined);
      if (unknown !== undefined) {
        const words = Object.keys(this.#known.events[unknown.event] ?? {});
        const [line, field] = property.split('.');
        const nested = line !== undefined && field !== undefined && words.includes(line);
        this.fault(
          'reference.property',
          path,
          `"${property}" is no property of "${unknown.event}".`,
          nested ? `Write {"${line}": {"${field}": …}}.` : (suggest(property, words) ?? 'Declare it in fields.json.'),
        );
        continue;
      }
      const kind = kinds[0]?.kind;
      if (kind === undefined) continue;
      const other = kinds.find(
        (each) => typeof each.kind !== typeof kind || (typeof kind === 'string' && each.kind !== kind),
      );
      if (other === undefined) this.#value(property, kind, wanted, at);
      else {
        this.fault(
          'rule.type',
          at,
          `"${property}" is of another type in "${other.event}" than in "${kinds[0]?.event}".`,
          'Ask each event in a "did" of its own.',
        );
      }
    }
  }

  #property(fields: EventFields, property: string): Kind | undefined {
    if (Object.hasOwn(fields, property)) return fields[property];
    if (property.startsWith('catalogue.') && (Object.hasOwn(fields, 'product_id') || Object.hasOwn(fields, 'sku'))) {
      const field = property.slice('catalogue.'.length);
      return Object.hasOwn(productFields, field) ? productFields[field] : undefined;
    }
    return undefined;
  }

  #value(name: string, kind: Kind, wanted: Comparison | Where, path: Path): void {
    const isObject = wanted !== null && typeof wanted === 'object' && !Array.isArray(wanted);
    if (typeof kind === 'object') {
      if (isObject && !isOperator(wanted)) this.#line(name, kind.lines, wanted as Where, path);
      else if (!isOperator(wanted) || Object.keys(wanted)[0] !== 'exists') {
        this.fault(
          'rule.type',
          path,
          `"${name}" is a list of lines.`,
          `Say what one line must be: {"${name}": {"${Object.keys(kind.lines)[0]}": …}}.`,
        );
      }
      return;
    }
    if (isObject && !isOperator(wanted)) {
      const keys = Object.keys(wanted);
      const operators = keys.filter((key) => Object.hasOwn(Operators, key));
      if (operators.length > 1) {
        this.fault(
          'rule.type',
          path,
          `says both "${operators[0]}" and "${operators[1]}", where one belongs.`,
          'For two bounds write "between".',
        );
      } else {
        for (const key of keys) this.fault('rule.operator', path, `"${key}" is unknown.`, suggest(key, COMPARES[kind]));
      }
      return;
    }
    this.comparison(name, kind, wanted as Comparison, path, true);
  }

  #line(name: string, lines: Record<string, FieldType>, wanted: Where, path: Path): void {
    const fields: EventFields = lines;
    for (const [property, comparison] of Object.entries(wanted)) {
      const kind = this.#property(fields, property);
      if (kind === undefined) {
        const field = property.startsWith('catalogue.') ? property.slice('catalogue.'.length) : undefined;
        const near =
          field === undefined
            ? suggest(property, [
                ...Object.keys(lines),
                ...Object.keys(productFields).map((each) => `catalogue.${each}`),
              ])
            : suggest(
                property,
                Object.keys(productFields).map((each) => `catalogue.${each}`),
              );
        this.fault('reference.property', path, `"${property}" is no property of a line of "${name}".`, near);
      } else this.#value(property, kind, comparison, [...path, property]);
    }
  }

  /** The type of an attribute, given, derived or declared; undefined when it is unknown. */
  attributeType(name: string): FieldType | undefined {
    return attributeType(name, this.#known);
  }

  #attribute(name: string, comparison: Comparison, path: Path): void {
    if (name === 'running') {
      if (this.run === undefined) {
        this.fault('rule.only-in-campaign', path, '"running" is known only inside a campaign.');
        return;
      }
      for (const id of [comparison].flat()) {
        if (typeof id === 'string') this.name('reference.campaign', 'campaign', id, this.#known.campaigns, path);
      }
    }
    const type = this.attributeType(name);
    if (type === undefined && /^(product\b|@)/.test(name)) {
      const [message, remedy] = name.startsWith('@')
        ? [`"${name}" is no attribute: a reference stands where a value does.`, 'Name an attribute of the contact.']
        : [
            this.run === undefined
              ? `"${name}" is of one product, and a segment asks of a person alone.`
              : `"${name}" is of the moment of sending, not of the contact.`,
            this.run === undefined
              ? 'Ask what the person did: {"did": "Product Viewed", "where": {"product_id": …}}.'
              : 'Ask it in "needs" of the "send".',
          ];
      this.fault('rule.only-in-campaign', path.slice(0, -1), message, remedy);
      return;
    }
    if (type === undefined) {
      const near = suggest(name, [...Object.keys(derivedAttributes), ...Object.keys(this.#known.attributes)]);
      const remedy = near?.startsWith('Did')
        ? `${near} Attributes of your own are declared in fields.json.`
        : 'Declare it in fields.json.';
      this.fault('reference.attribute', path.slice(0, -1), `the attribute "${name}" is unknown.`, remedy);
      return;
    }
    if (
      type === 'date' &&
      !isOperator(comparison) &&
      (Object.hasOwn(derivedAttributes, name) || name.endsWith('.givenAt'))
    ) {
      this.fault(
        'rule.never',
        path,
        `"${name}" is an instant, to the millisecond: it is never just that.`,
        'Use "between" with two dates, "before", "after" or "inLast".',
      );
      return;
    }
    if (
      name === 'orders.returnedShare' &&
      [comparison, ...Object.values(Object(comparison))].flat().some((each) => typeof each === 'number' && each > 1)
    ) {
      this.warn('rule.range', path, 'is a share from 0 to 1, not percent.', 'Half is 0.5.');
    }
    this.comparison(name, type, comparison, path);
    const named = !isOperator(comparison) ? comparison : 'isNot' in comparison ? comparison.isNot : [];
    if (name === TIER) this.tiers(named, isOperator(comparison) ? [...path, 'isNot'] : path);
    if (name !== 'rfm.group') return;
    for (const group of [named].flat()) {
      // The shop may give groups of its own.
      if (typeof group !== 'string' || group.startsWith('@') || RFM_GROUPS.some((known) => known === group)) continue;
      this.warn('rule.group', path, `"${group}" is no group that is computed.`, suggest(group, RFM_GROUPS));
    }
  }

  /** Names of loyalty tiers, where there are any: each must be one. */
  tiers(named: unknown, path: Path): void {
    const { tiers } = this.#known;
    if (tiers === undefined) return;
    for (const tier of [named].flat()) {
      if (typeof tier === 'string' && !tier.startsWith('@'))
        this.name('reference.tier', 'loyalty tier', tier, tiers, path);
    }
  }

  /** A comparison against the type of what it compares. */
  comparison(name: string, type: FieldType, comparison: Comparison, path: Path, ofEvent = false): void {
    if (!isOperator(comparison)) {
      const values = Array.isArray(comparison) ? comparison : [comparison];
      values.forEach((value, index) => {
        const at = Array.isArray(comparison) ? [...path, index] : path;
        if (Array.isArray(comparison) && isReference(value)) {
          this.fault('rule.reference', at, `${quote(value)} stands in a list.`, 'A reference stands alone.');
        } else this.#operand(name, type, value, at);
      });
      return;
    }
    const [operator, value] = Object.entries(comparison)[0] as [OperatorName, unknown];
    const at = [...path, operator];
    if (!COMPARES[type].includes(operator)) {
      const words = ['a value', 'a list', ...COMPARES[type].map((each) => `"${each}"`)];
      const near = nearest(operator, COMPARES[type]);
      this.fault(
        'rule.type',
        path,
        `"${operator}" does not go with "${name}", which is ${NAMED[type]}.`,
        near === undefined ? `Use ${words.slice(0, -1).join(', ')} or ${words.at(-1)}.` : `Did you mean "${near}"?`,
      );
      return;
    }
    if (ofEvent && operator === 'anniversary') {
      this.fault(
        'rule.moment',
        path,
        'the anniversary of a date is asked of a contact, not of an event.',
        `Use "has", with a date that you keep of contacts.`,
      );
      return;
    }
    if (ofEvent && MOMENTS.has(operator)) {
      this.warn(
        'rule.moment',
        path,
        `is answered once, when the event comes: "${name}" is seen from that instant, not from today.`,
        'If you mean when the event happened, use "inLast" beside "did".',
      );
    }
    if (operator === 'inNext' && name === 'birthday') {
      this.warn(
        'rule.moment',
        path,
        'a date of birth is never ahead.',
        `Did you mean {"anniversary": ${JSON.stringify(comparison)}}?`,
      );
    }
    if (operator === 'exists' || MOMENTS.has(operator)) return;
    // What a text holds or begins with is taken as it is written: "@mail.example" is no reference.
    if (operator === 'contains' || operator === 'startsWith') {
      this.#tell(problemOfText(String(value)), at);
      return;
    }
    if (operator === 'between') {
      const bounds = value as unknown[];
      bounds.forEach((each, index) => {
        if (isReference(each))
          this.fault('rule.reference', [...at, index], `${quote(each)} stands in a list.`, 'A reference stands alone.');
        else this.#operand(name, type, each, [...at, index]);
      });
      this.#range(bounds, at);
      return;
    }
    this.#operand(name, type, value, at);
  }

  #operand(name: string, type: FieldType, value: unknown, path: Path): void {
    if (isReference(value)) {
      const is = this.reference(value, path);
      if (is !== undefined && isApart(is, type)) {
        this.fault(
          'rule.type',
          path,
          `"${value}" is ${NAMED[is]}, and "${name}" is ${NAMED[type]}.`,
          'Compare it with a value of its own type.',
        );
      }
    } else this.#tell(problemOf(name, type, value, this.#known.currency), path);
  }

  /** The bounds of a measure: the right way round, and of money amounts. */
  #bounds(measure: object, path: Path, money: boolean): void {
    const [operator, value] = Object.entries(measure).find(([key]) => key !== 'of') as [string, number | number[]];
    const at = [...path, operator];
    [value].flat().forEach((each, index) => {
      if (money) this.#tell(problemOfAmount(each, this.#known.currency), Array.isArray(value) ? [...at, index] : at);
    });
    if (Array.isArray(value)) this.#range(value, at);
  }

  #range([low, high]: unknown[], path: Path): void {
    if (typeof low === 'number' && typeof high === 'number' && low > high) {
      this.fault('rule.range', path, `${low} is more than ${high}: nothing lies between.`, `Write [${high}, ${low}].`);
    } else if (typeof low === 'string' && typeof high === 'string') {
      const [from, to] = [instantIn(low, 'UTC'), instantIn(high, 'UTC')];
      if (from === undefined || to === undefined || from <= to) return;
      this.fault(
        'rule.range',
        path,
        `"${low}" is after "${high}": nothing lies between.`,
        `Write ["${high}", "${low}"].`,
      );
    }
  }

  /** A property that is a number or money in each of these events; true for money. */
  #amount(of: string, measure: 'sum' | 'largest', events: string[], path: Path): boolean {
    let first: { event: string; kind: 'number' | 'money' } | undefined;
    for (const event of events) {
      const fields = this.#known.events[event] ?? {};
      const kind = Object.hasOwn(fields, of) ? fields[of] : undefined;
      const fitting = Object.entries(fields).flatMap(([name, each]) =>
        each === 'number' || each === 'money' ? [name] : [],
      );
      if (kind === undefined) {
        this.fault('reference.property', path, `"${of}" is no property of "${event}".`, suggest(of, fitting));
      } else if (kind !== 'number' && kind !== 'money') {
        this.fault(
          'rule.type',
          path,
          `"${of}" of "${event}" is ${typeof kind === 'object' ? 'a list of lines' : NAMED[kind]} and cannot be ${measure === 'sum' ? 'summed' : 'the largest'}.`,
          suggest(of, fitting),
        );
      } else if (first !== undefined && first.kind !== kind) {
        this.fault(
          'rule.type',
          path,
          `"${of}" is ${NAMED[kind]} of "${event}", and ${NAMED[first.kind]} of "${first.event}".`,
          'Ask each event in a "did" of its own.',
        );
      } else {
        first ??= { event, kind };
        continue;
      }
      return false;
    }
    return first?.kind === 'money';
  }

  /** A property whose values can be told apart: of the event, or of its lines. */
  #held(of: string, events: string[], path: Path): void {
    for (const event of events) {
      const fields = this.#known.events[event] ?? {};
      const [list = '', ...rest] = of.split('.');
      const lines = Object.hasOwn(fields, list) ? fields[list] : undefined;
      const kind = Object.hasOwn(fields, of)
        ? fields[of]
        : typeof lines === 'object' && Object.hasOwn(lines.lines, rest.join('.'))
          ? 'text'
          : undefined;
      const fitting = Object.entries(fields).flatMap(([name, each]) => {
        if (typeof each === 'object') return Object.keys(each.lines).map((field) => `${name}.${field}`);
        return each === 'money' || each === 'date' ? [] : [name];
      });
      if (kind === undefined) {
        this.fault(
          'reference.property',
          path,
          `"${of}" is no property of "${event}"${typeof lines === 'object' ? ', nor of its lines' : ''}.`,
          fitting.includes(`products.${of}`)
            ? `Did you mean "products.${of}"?`
            : (suggest(of, fitting) ?? 'Name a property, or a field of its lines as "products.product_id".'),
        );
      } else if (typeof kind === 'object') {
        const field = Object.keys(kind.lines)[0];
        this.fault('rule.type', path, `"${of}" is a list of lines.`, `Name a field of them: "${of}.${field}".`);
      } else if (kind === 'money' || kind === 'date') {
        this.fault(
          'rule.type',
          path,
          `"${of}" of "${event}" is ${NAMED[kind]}: its values are hardly ever the same.`,
          suggest(of, fitting) ?? 'Name a text, a number, or a field of the lines.',
        );
      } else continue;
      return;
    }
  }

  /** `@trigger.order_id`, `@product.upgrade`: its type; a fault where it is not known here. */
  reference(reference: string, path: Path): FieldType | undefined {
    const found = meaningOfReference(reference, this.run, this.#known);
    if (typeof found === 'string') return found;
    this.fault(found.code, path, found.message, found.remedy);
    return undefined;
  }
}

/** Types of which no value is ever equal to one of the other; numbers and texts may be (ids). */
const isApart = (one: FieldType, other: FieldType): boolean =>
  [one, other].some((type) => type === 'boolean' || type === 'date') &&
  one !== other &&
  one !== 'list' &&
  other !== 'list';

const MOMENTS: ReadonlySet<OperatorName> = new Set(['inLast', 'inNext', 'moreThanAgo', 'anniversary']);

/** Length of a duration in days. */
export function days(duration: string): number {
  return durationMs(duration) / 86_400_000;
}
