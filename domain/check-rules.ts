// Checks rules against what can be known: events and their properties, attributes, segments, topics, types.

import { type Fault, nearest, numberIn, quote, sayPath, suggest } from './fault.ts';
import { builtinEvents, type EventFields } from './fields.ts';
import type { Comparison, OperatorName, Rule, Where } from './grammar.ts';
import { Operators } from './grammar.ts';
import { derivedAttributes } from './rule.ts';
import type { Catalogue, Fields, FieldType, Settings } from './settings.ts';
import { durationMs } from './time.ts';
import { instantIn, isOperator } from './where.ts';

type Path = (string | number)[];
type Kind = FieldType | { lines: Record<string, FieldType> };

/** Attributes that need no declaration: Segment's reserved traits, and those that we read. */
export const builtinAttributes: Record<string, FieldType> = {
  email: 'text',
  firstName: 'text',
  lastName: 'text',
  name: 'text',
  title: 'text',
  username: 'text',
  phone: 'text',
  website: 'text',
  gender: 'text',
  age: 'number',
  birthday: 'date',
  createdAt: 'date',
  country: 'text',
  region: 'text',
  city: 'text',
  postalCode: 'text',
  language: 'text',
  locale: 'text',
  timezone: 'text',
};

const productFields: Record<string, FieldType> = {
  name: 'text',
  category: 'text',
  brand: 'text',
  price: 'money',
  margin: 'number',
  url: 'text',
  imageUrl: 'text',
  complements: 'list',
  upgrade: 'text',
  replaceAfter: 'text',
  consumable: 'boolean',
};

/** What rules may speak of in one set of templates. */
export interface Vocabulary {
  events: Record<string, EventFields>;
  attributes: Record<string, FieldType>;
  segments: ReadonlySet<string>;
  campaigns: ReadonlySet<string>;
  topics: ReadonlySet<string>;
}

/** The vocabulary of these templates: what is built in, and what fields.json declares. */
export function vocabularyOf(
  fields: Fields,
  settings: Pick<Settings, 'topics'>,
  segments: Iterable<string>,
  campaigns: Iterable<string>,
): Vocabulary {
  const events: Record<string, EventFields> = { ...builtinEvents };
  for (const [name, properties] of Object.entries(fields.events ?? {})) {
    events[name] = { ...(Object.hasOwn(builtinEvents, name) ? builtinEvents[name] : {}), ...properties };
  }
  return {
    events,
    attributes: { ...builtinAttributes, ...fields.attributes },
    segments: new Set(segments),
    campaigns: new Set(campaigns),
    topics: new Set(Object.keys(settings.topics)),
  };
}

/** What the run of a campaign knows; absent in segments. */
export interface RunKnowledge {
  /** Events that may have started it; none where a segment does. */
  trigger: string[];
  /** There is a product: by `each`, or by the trigger's product_id. */
  product: boolean;
}

const COMPARES: Record<FieldType, readonly OperatorName[]> = {
  text: ['isNot', 'contains', 'startsWith', 'exists'],
  number: ['isNot', 'atLeast', 'moreThan', 'atMost', 'lessThan', 'between', 'exists'],
  money: ['isNot', 'atLeast', 'moreThan', 'atMost', 'lessThan', 'between', 'exists'],
  date: ['before', 'after', 'between', 'inLast', 'inNext', 'moreThanAgo', 'exists'],
  boolean: ['isNot', 'exists'],
  list: ['isNot', 'contains', 'exists'],
};
const NAMED: Record<FieldType, string> = {
  text: 'a text',
  number: 'a number',
  money: 'money',
  date: 'a date',
  boolean: 'true or false',
  list: 'a list',
};

/** What to do where no known name is near. */
const NOWHERE: Record<string, string> = {
  'reference.event': 'Events of your own are declared in fields.json.',
  'reference.attribute': 'Attributes of your own are declared in fields.json.',
};

/** Walks the rules of one file and gathers faults and warnings. */
export class RuleCheck {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];
  readonly #known: Vocabulary;
  readonly #file: string;
  readonly #run: RunKnowledge | undefined;

  constructor(known: Vocabulary, file: string, run?: RunKnowledge) {
    this.#known = known;
    this.#file = file;
    this.#run = run;
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
      if ('has' in rule.not) this.#warnMissing(rule.not.has, [...path, 'not', 'has']);
      this.rule(rule.not, [...path, 'not']);
    } else if ('has' in rule) {
      for (const [name, comparison] of Object.entries(rule.has))
        this.#attribute(name, comparison, [...path, 'has', name]);
    } else if ('segment' in rule) {
      this.name('reference.segment', 'segment', rule.segment, this.#known.segments, [...path, 'segment']);
    } else if ('consent' in rule) {
      this.name('reference.topic', 'topic', rule.consent, this.#known.topics, [...path, 'consent']);
    } else if ('did' in rule) this.did(rule, path);
  }

  /** A rule's or a trigger's "did": its events, where, measure and period. */
  did(
    did: {
      did: string | string[];
      where?: Where | undefined;
      sum?: { of: string } | undefined;
      latest?: unknown;
      since?: unknown;
    },
    path: Path,
  ): void {
    const names = this.events(did.did, [...path, 'did']);
    if (did.where !== undefined) this.where(did.where, names, [...path, 'where']);
    if (did.sum !== undefined) {
      this.#summed(did.sum.of, names, [...path, 'sum', 'of']);
      const { of, ...amount } = did.sum;
      this.#bounds(Object.values(amount)[0], [...path, 'sum', Object.keys(amount)[0] ?? '']);
    }
    if ('times' in did && did.times !== undefined && typeof did.times === 'object') {
      this.#bounds(Object.values(did.times as object)[0], [
        ...path,
        'times',
        Object.keys(did.times as object)[0] ?? '',
      ]);
    }
    if (did.latest !== undefined) {
      const [name, value] = Object.entries(did.latest as object)[0] as [OperatorName, unknown];
      if (name === 'before' || name === 'after') this.#date(value, [...path, 'latest', name]);
    }
    if (did.since !== undefined && this.#run === undefined) {
      this.fault(
        'rule.only-in-campaign',
        [...path, 'since'],
        '"since": "run start" is known only inside a campaign.',
        'Use "inLast" with a duration.',
      );
    }
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
      if (kind !== undefined) this.#value(property, kind, wanted, at);
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
    this.comparison(name, kind, wanted as Comparison, path);
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
    if (Object.hasOwn(derivedAttributes, name)) return derivedAttributes[name];
    if (Object.hasOwn(this.#known.attributes, name)) return this.#known.attributes[name];
    if (name.endsWith('.givenAt') && Object.hasOwn(this.#known.attributes, name.slice(0, -'.givenAt'.length)))
      return 'date';
    return undefined;
  }

  #attribute(name: string, comparison: Comparison, path: Path): void {
    if (name === 'running') {
      if (this.#run === undefined) {
        this.fault('rule.only-in-campaign', path, '"running" is known only inside a campaign.');
        return;
      }
      for (const id of [comparison].flat()) {
        if (typeof id === 'string') this.name('reference.campaign', 'campaign', id, this.#known.campaigns, path);
      }
    }
    const type = this.attributeType(name);
    if (type === undefined) {
      const near = suggest(name, [...Object.keys(derivedAttributes), ...Object.keys(this.#known.attributes)]);
      const remedy = near?.startsWith('Did')
        ? `${near} Attributes of your own are declared in fields.json.`
        : 'Declare it in fields.json.';
      this.fault('reference.attribute', path.slice(0, -1), `the attribute "${name}" is unknown.`, remedy);
      return;
    }
    this.comparison(name, type, comparison, path);
  }

  /** A comparison against the type of what it compares. */
  comparison(name: string, type: FieldType, comparison: Comparison, path: Path): void {
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
    if (operator === 'exists' || operator === 'inLast' || operator === 'inNext' || operator === 'moreThanAgo') return;
    // What a text holds or begins with is taken as it is written: "@mail.example" is no reference.
    if (operator === 'contains' || operator === 'startsWith') return;
    if (operator === 'between') {
      const bounds = value as unknown[];
      bounds.forEach((each, index) => {
        if (isReference(each))
          this.fault('rule.reference', [...at, index], `${quote(each)} stands in a list.`, 'A reference stands alone.');
        else this.#operand(name, type, each, [...at, index]);
      });
      if (type !== 'date') this.#bounds(bounds, at);
      return;
    }
    this.#operand(name, type, value, at);
  }

  #operand(name: string, type: FieldType, value: unknown, path: Path): void {
    if (isReference(value)) {
      this.reference(value, path);
      return;
    }
    if (type === 'date') {
      this.#date(value, path);
      return;
    }
    const wanted = type === 'number' || type === 'money' ? 'number' : type === 'boolean' ? 'boolean' : 'string';
    // Ids are often numbers in shops and texts in events; both compare.
    if (typeof value === wanted || (wanted === 'string' && typeof value === 'number')) return;
    const remedy =
      wanted === 'number'
        ? numberIn(value) !== undefined
          ? `Write ${numberIn(value)}, without quotation marks.`
          : 'Write a number, without quotation marks.'
        : wanted === 'boolean'
          ? 'Write true or false, without quotation marks.'
          : 'Write a text, in quotation marks.';
    this.fault('rule.type', path, `${quote(value)} does not go with "${name}", which is ${NAMED[type]}.`, remedy);
  }

  #date(value: unknown, path: Path): void {
    if (typeof value !== 'string' || instantIn(value, 'UTC') === undefined) {
      this.fault(
        'rule.type',
        path,
        `${quote(value)} is not a date.`,
        'Write a date such as "2026-11-27", or an instant such as "2026-11-27T08:00:00Z".',
      );
    }
  }

  #bounds(value: unknown, path: Path): void {
    if (!Array.isArray(value)) return;
    const [low, high] = value as unknown[];
    if (typeof low === 'number' && typeof high === 'number' && low > high) {
      this.fault('rule.range', path, `${low} is more than ${high}: nothing lies between.`, `Write [${high}, ${low}].`);
    }
  }

  #summed(of: string, events: string[], path: Path): void {
    for (const event of events) {
      const fields = this.#known.events[event] ?? {};
      const kind = Object.hasOwn(fields, of) ? fields[of] : undefined;
      const summable = Object.entries(fields).flatMap(([name, each]) =>
        each === 'number' || each === 'money' ? [name] : [],
      );
      if (kind === undefined) {
        this.fault('reference.property', path, `"${of}" is no property of "${event}".`, suggest(of, summable));
      } else if (kind !== 'number' && kind !== 'money') {
        this.fault(
          'rule.type',
          path,
          `"${of}" of "${event}" is ${typeof kind === 'object' ? 'a list of lines' : NAMED[kind]} and cannot be summed.`,
          suggest(of, summable),
        );
      } else continue;
      return;
    }
  }

  /** `@trigger.order_id`, `@product.upgrade`: known only inside a campaign, and only what the trigger brings. */
  reference(reference: string, path: Path): void {
    const [root, ...rest] = reference.slice(1).split('.');
    const field = rest.join('.');
    if (root !== 'trigger' && root !== 'product') {
      this.fault(
        'rule.reference',
        path,
        `"${reference}" is unknown.`,
        suggest(reference, ['@trigger.order_id', '@trigger.product_id', '@product.id', '@product.upgrade']),
      );
      return;
    }
    if (this.#run === undefined) {
      this.fault(
        'rule.only-in-campaign',
        path,
        `"${reference}" is known only inside a campaign.`,
        'Write the value itself.',
      );
      return;
    }
    if (root === 'product') {
      const words = ['id', 'product_id', ...Object.keys(productFields)];
      if (!this.#run.product) {
        this.fault(
          'rule.reference',
          path,
          `"${reference}" needs a product, and this campaign has none.`,
          'Say "each": "products" in "when", or start with an event that has a product_id.',
        );
      } else if (field !== '' && !words.includes(field)) {
        this.fault('rule.reference', path, `a product has no field "${field}".`, suggest(field, words));
      }
      return;
    }
    if (this.#run.trigger.length === 0) {
      this.fault('rule.reference', path, `"${reference}" needs an event, and this campaign starts with a segment.`);
      return;
    }
    for (const event of this.#run.trigger) {
      const fields = this.#known.events[event] ?? {};
      if (Object.hasOwn(fields, rest[0] ?? '')) continue;
      this.fault(
        'rule.reference',
        path,
        `"${rest[0] ?? ''}" is no property of "${event}".`,
        suggest(rest[0] ?? '', Object.keys(fields)),
      );
      return;
    }
  }

  #warnMissing(has: Record<string, Comparison>, path: Path): void {
    for (const [name, comparison] of Object.entries(has)) {
      if (isOperator(comparison) && 'exists' in comparison) continue;
      if (Object.hasOwn(derivedAttributes, name) && derivedAttributes[name] === 'number') continue;
      this.warn(
        'rule.missing',
        [...path, name],
        `also takes in contacts whose "${name}" is merely unknown.`,
        `If that is not meant, add {"has": {"${name}": {"exists": true}}}.`,
      );
    }
  }
}

const isReference = (value: unknown): value is string => typeof value === 'string' && value.startsWith('@');

/** Length of a duration in days. */
export function days(duration: string): number {
  return durationMs(duration) / 86_400_000;
}

/** Faults of a catalogue: relations to products that do not exist, and to themselves. */
export function checkCatalogue(catalogue: Catalogue, file: string): Fault[] {
  const faults: Fault[] = [];
  const ids = Object.keys(catalogue.products);
  for (const [id, product] of Object.entries(catalogue.products)) {
    const related = [
      ...(product.complements ?? []).map((to, index) => ({ to, path: ['products', id, 'complements', index] })),
      ...(product.upgrade === undefined ? [] : [{ to: product.upgrade, path: ['products', id, 'upgrade'] }]),
    ];
    for (const { to, path } of related) {
      if (to === id) {
        faults.push({
          code: 'reference.product',
          file,
          path: sayPath(path),
          message: 'names the product itself.',
          remedy: 'Take it out.',
        });
      } else if (!ids.includes(to)) {
        const near = suggest(to, ids);
        faults.push({
          code: 'reference.product',
          file,
          path: sayPath(path),
          message: `product "${to}" does not exist.`,
          ...(near === undefined ? {} : { remedy: near }),
        });
      }
    }
  }
  return faults;
}
