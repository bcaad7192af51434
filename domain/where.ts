// Comparisons of one value, and "where": what an event's properties must say.
import type { Comparison, OperatorName, Where } from './grammar.ts';
import type { Json, JsonObject } from './interaction.ts';
import type { Catalogue } from './settings.ts';
import { durationMs, instantOf } from './time.ts';

/** What a comparison may need beside the value. */
export interface Around {
  now: number;
  /** The contact's zone: dates without a time begin there. */
  zone: string;
  catalogue: Catalogue;
  /** Resolves `@trigger.x` and `@product.x`; absent outside a campaign. */
  resolve?: (reference: string) => Json | undefined;
}

export interface CompiledComparison {
  test(value: Json | undefined, around: Around): boolean;
  /** Earliest instant after `now` at which the answer can turn by time alone. */
  next(value: Json | undefined, around: Around): number;
  references: boolean;
}

const NEVER = Number.POSITIVE_INFINITY;
const timeless = (): number => NEVER;
/** Beyond it a number is no instant: the calendar ends 100 million days from 1970, in any zone a little earlier. */
const FURTHEST = 8.6e15;

/** A number, or a plain decimal text; else undefined. */
export function numberOf(value: Json | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)) return Number(value);
  return undefined;
}

/** A date alone: YYYY-MM-DD. */
export const isDate = (text: string): boolean => /^\d{4}-\d{2}-\d{2}$/.test(text);

/** An instant from epoch milliseconds, an ISO date-time, or a date (which begins at midnight in the zone). */
export function instantIn(value: Json | undefined, zone: string): number | undefined {
  if (typeof value === 'number') return Math.abs(value) <= FURTHEST ? value : undefined;
  if (typeof value !== 'string') return undefined;
  if (isDate(value)) {
    try {
      return instantOf(value, '00:00', zone);
    } catch {
      return undefined;
    }
  }
  const at = /^\d{4}-\d{2}-\d{2}T/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

// Named again, and held to the grammar by its type: the grammar's own object would bring zod into every bundle.
const operators: Record<OperatorName, true> = {
  isNot: true,
  atLeast: true,
  moreThan: true,
  atMost: true,
  lessThan: true,
  between: true,
  contains: true,
  startsWith: true,
  exists: true,
  before: true,
  after: true,
  inLast: true,
  inNext: true,
  moreThanAgo: true,
  anniversary: true,
};

/** True when the object is one operator with its value, and not a nested "where". */
export function isOperator(value: unknown): value is { [K in OperatorName]?: unknown } {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return keys.length === 1 && Object.hasOwn(operators, keys[0] as string);
}

const isReference = (value: unknown): value is string => typeof value === 'string' && value.startsWith('@');

function anyOf(value: Json | undefined, test: (one: Json) => boolean): boolean {
  if (value === undefined || value === null) return false;
  return Array.isArray(value) ? value.some((one) => one !== null && test(one)) : test(value);
}

function same(one: Json, wanted: Json | undefined): boolean {
  if (wanted === undefined) return false;
  if (Array.isArray(wanted)) return wanted.some((each) => same(one, each));
  if (typeof wanted === 'number') return numberOf(one) === wanted;
  return typeof one === 'number' && typeof wanted === 'string' ? String(one) === wanted : one === wanted;
}

/** Numbers as numbers; dates as instants; other texts by code unit. NaN where they do not compare. */
function order(value: Json, wanted: Json | undefined, around: Around): number {
  if (typeof wanted === 'number') return (numberOf(value) ?? Number.NaN) - wanted;
  if (typeof wanted !== 'string') return Number.NaN;
  const [a, b] = [instantIn(value, around.zone), instantIn(wanted, around.zone)];
  if (b !== undefined) return (a ?? Number.NaN) - b;
  return typeof value === 'string' ? (value < wanted ? -1 : value > wanted ? 1 : 0) : Number.NaN;
}

type Test = (one: Json, wanted: Json | undefined, around: Around) => boolean;
const tests: Partial<Record<OperatorName, Test>> = {
  atLeast: (one, wanted, around) => order(one, wanted, around) >= 0,
  moreThan: (one, wanted, around) => order(one, wanted, around) > 0,
  atMost: (one, wanted, around) => order(one, wanted, around) <= 0,
  lessThan: (one, wanted, around) => order(one, wanted, around) < 0,
  before: (one, wanted, around) => order(one, wanted, around) < 0,
  after: (one, wanted, around) => order(one, wanted, around) > 0,
  contains: (one, wanted) => typeof one === 'string' && one.toLowerCase().includes(String(wanted).toLowerCase()),
  startsWith: (one, wanted) => typeof one === 'string' && one.toLowerCase().startsWith(String(wanted).toLowerCase()),
};

/**
 * Compiles one comparison. A comparison with a missing value is false, `exists` apart. Of a list value, one element is
 * enough (for `isNot`: none may be equal). Texts compare exactly; `contains` and `startsWith` pass over case.
 */
export function compileComparison(comparison: Comparison, scale = 1): CompiledComparison {
  const scaled = (value: unknown): Json =>
    typeof value === 'number' ? Math.round(value * scale * 1e6) / 1e6 : (value as Json);
  if (!isOperator(comparison)) {
    const wanted = Array.isArray(comparison) ? comparison.map(scaled) : scaled(comparison);
    const references = isReference(wanted);
    return {
      references,
      next: timeless,
      test: (value, around) => {
        const meant = references ? around.resolve?.(wanted as string) : wanted;
        return anyOf(value, (one) => same(one, meant));
      },
    };
  }
  const [name, given] = Object.entries(comparison)[0] as [OperatorName, unknown];
  // A part of a text is never a reference: "@mail.example" is one that many look for.
  const references = isReference(given) && name !== 'contains' && name !== 'startsWith';
  const resolved = (around: Around): Json | undefined =>
    references ? around.resolve?.(given as string) : scaled(given);
  switch (name) {
    case 'exists':
      return {
        references: false,
        next: timeless,
        test: (value) => anyOf(value, () => true) === given,
      };
    case 'isNot':
      return {
        references,
        next: timeless,
        test: (value, around) => anyOf(value, () => true) && !anyOf(value, (one) => same(one, resolved(around))),
      };
    case 'between': {
      const [low, high] = (given as [Json, Json]).map(scaled) as [Json, Json];
      return {
        references: false,
        next: timeless,
        test: (value, around) => anyOf(value, (one) => order(one, low, around) >= 0 && order(one, high, around) <= 0),
      };
    }
    case 'inLast':
    case 'inNext':
    case 'moreThanAgo':
      return compileMoment(name, durationMs(given as string));
    case 'anniversary':
      throw new Error('an anniversary is asked of an attribute, not of an event');
    default: {
      const test = tests[name] as Test;
      return {
        references,
        next: timeless,
        test: (value, around) => anyOf(value, (one) => test(one, resolved(around), around)),
      };
    }
  }
}

/** Windows are half-open: inLast = (now − w, now], inNext = (now, now + w], moreThanAgo = at or before now − w. */
function compileMoment(name: 'inLast' | 'inNext' | 'moreThanAgo', length: number): CompiledComparison {
  const turns = (at: number): number[] => (name === 'inNext' ? [at - length, at] : [at, at + length]);
  const holds = (at: number, now: number): boolean => {
    if (name === 'inLast') return at > now - length && at <= now;
    if (name === 'inNext') return at > now && at <= now + length;
    return at <= now - length;
  };
  return {
    references: false,
    test: (value, { now, zone }) =>
      anyOf(value, (one) => {
        const at = instantIn(one, zone);
        return at !== undefined && holds(at, now);
      }),
    next: (value, { now, zone }) => {
      const found = (Array.isArray(value) ? value : [value]).flatMap((one) => instantIn(one, zone) ?? []);
      return Math.min(NEVER, ...found.flatMap(turns).filter((turn) => turn > now));
    },
  };
}

export interface CompiledWhere {
  test(properties: JsonObject, around: Around): boolean;
  references: boolean;
  /** Reads `catalogue.*`: its answers change when the catalogue does. */
  catalogue: boolean;
  /** The part that speaks of one line of `products`, for `each: "products"`. */
  line?: CompiledWhere;
}

/** The value at a dotted path of own properties, or undefined. */
export function valueAt(properties: JsonObject, path: string): Json | undefined {
  let value: Json | undefined = properties;
  for (const part of path.split('.')) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, part))
      return undefined;
    value = value[part];
  }
  return value;
}

function propertyOf(properties: JsonObject, path: string, catalogue: Catalogue): Json | undefined {
  if (Object.hasOwn(properties, path)) return properties[path];
  if (path.startsWith('catalogue.')) {
    const product = properties.product_id ?? properties.sku;
    if (product === undefined || !Object.hasOwn(catalogue.products, String(product))) return undefined;
    const known = catalogue.products[String(product)];
    return known?.[path.slice('catalogue.'.length) as keyof typeof known] as Json | undefined;
  }
  if (path === 'product_id') return properties.sku;
  return valueAt(properties, path);
}

/** Compiles a "where". An object without an operator speaks of one and the same line or sub-object. */
export function compileWhere(where: Where): CompiledWhere {
  const parts: ((properties: JsonObject, around: Around) => boolean)[] = [];
  const compiled: CompiledWhere = { test: () => true, references: false, catalogue: false };
  for (const [path, wanted] of Object.entries(where)) {
    compiled.catalogue ||= path.startsWith('catalogue.');
    if (wanted !== null && typeof wanted === 'object' && !Array.isArray(wanted) && !isOperator(wanted)) {
      const nested = compileWhere(wanted as Where);
      compiled.references ||= nested.references;
      compiled.catalogue ||= nested.catalogue;
      if (path === 'products') compiled.line = nested;
      parts.push((properties, around) =>
        anyOf(propertyOf(properties, path, around.catalogue), (one) =>
          typeof one === 'object' && one !== null && !Array.isArray(one) ? nested.test(one, around) : false,
        ),
      );
    } else {
      const comparison = compileComparison(wanted as Comparison);
      compiled.references ||= comparison.references;
      parts.push((properties, around) => comparison.test(propertyOf(properties, path, around.catalogue), around));
    }
  }
  compiled.test = (properties, around) => parts.every((part) => part(properties, around));
  return compiled;
}
