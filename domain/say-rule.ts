// A rule in words: one English sentence that says exactly what the rule asks.
import type { Comparison, Did, Rule, Where } from './grammar.ts';
import { isOperator } from './where.ts';
import { listed, sayName, span, verbsOf } from './words.ts';

/** One English sentence, with a capital and a full stop. Never throws on a rule that the grammar admits. */
export function sayRule(rule: Rule): string {
  const text = sayClause(rule);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** One clause in words, without capital and full stop: "country is “PL”". */
export function sayClause(rule: Rule): string {
  const text = say(rule, false);
  if (!text.startsWith('(')) return text;
  // Brackets around the whole say nothing.
  let open = 0;
  for (let at = 0; at < text.length; at += 1) {
    open += text[at] === '(' ? 1 : text[at] === ')' ? -1 : 0;
    if (open === 0) return at === text.length - 1 ? text.slice(1, -1) : text;
  }
  return text;
}

/** What holds (or, negated, does not); without capital and full stop. */
function say(rule: Rule, negated: boolean): string {
  if ('not' in rule) return say(rule.not, !negated);
  if ('all' in rule || 'any' in rule) {
    const every = 'all' in rule;
    const parts = every ? rule.all : rule.any;
    // "Not all of" is "any of not": said so, nothing stays ambiguous.
    const joint = every !== negated ? ' and ' : ' or ';
    if (parts.length === 1) return say(parts[0] as Rule, negated);
    const said = parts.map((part) => bracketed(part, negated, joint));
    // A comma where a part has joints of its own.
    return said.join(said.some((part) => /(?<!\([^)]*) (and|or) /.test(part)) ? `,${joint}` : joint);
  }
  if ('has' in rule) return sayHas(rule.has, negated);
  if ('did' in rule) return sayDid(rule, negated);
  if ('segment' in rule) return `is ${negated ? 'not ' : ''}in ${rule.segment}`;
  if ('share' in rule) {
    const [from, to] = rule.percent;
    const part = from === 0 ? `in the first ${to} %` : `between ${from} and ${to} %`;
    return `is ${negated ? 'not ' : ''}${part} of the draw ${rule.share}`;
  }
  const how = rule.basis === undefined ? '' : ` (${oneOf(rule.basis)})`;
  return `${negated ? 'does not consent' : 'consents'} to ${rule.consent}${rule.channel === undefined ? '' : ` by ${rule.channel}`}${how} now`;
}

/** A group inside a group of the other kind stands in brackets. */
function bracketed(rule: Rule, negated: boolean, joint: string): string {
  if ('not' in rule) return bracketed(rule.not, !negated, joint);
  const text = say(rule, negated);
  const own =
    'all' in rule || 'any' in rule
      ? ('all' in rule ? rule.all : rule.any).length > 1 && ('all' in rule !== negated ? ' and ' : ' or ')
      : 'has' in rule && Object.keys(rule.has).length > 1 && (negated ? ' or ' : ' and ');
  return own !== false && own !== joint ? `(${text})` : text;
}

function sayHas(has: Record<string, Comparison>, negated: boolean): string {
  return Object.entries(has)
    .map(([name, wanted]) => {
      if (name === 'subscription.active' && typeof wanted === 'boolean') {
        return `has ${wanted === negated ? 'no' : 'an'} active subscription`;
      }
      if (name === 'running' && !isOperator(wanted)) {
        return `is ${negated ? 'not ' : ''}under way in ${listed([wanted].flat().map(String))}`;
      }
      if (name === 'cart.items' && isOperator(wanted) && 'exists' in wanted) {
        return `has ${wanted.exists === negated ? 'nothing' : 'something'} in the cart`;
      }
      const said = compare(wanted, negated);
      if (name.endsWith('.givenAt') && !/^is (known|missing)/.test(said)) {
        return `${name.slice(0, -'.givenAt'.length)} ${said.replace(/^is (not )?/, 'was $1given ')}`;
      }
      return `${sayName(name)} ${said}`;
    })
    .join(negated ? ' or ' : ' and ');
}

/** ` in the last 30 days`, ` this year`; empty = ever. */
function sayPeriod(did: Did): string {
  if (did.inLast !== undefined) return ` in the last ${span(did.inLast)}`;
  if (did.in !== undefined) return ` ${did.in}`;
  if (did.between !== undefined) return ` from ${did.between[0]} to ${did.between[1]}`;
  if (did.since === undefined) return '';
  return did.since === 'run start' ? ' since the run started' : ` since ${sayValue(did.since)}`;
}

type Act = { did: string | string[]; where?: Where | undefined };
const which = (where: Where | undefined): string => (where === undefined ? '' : ` (${sayWhere(where)})`);

/** What somebody did, without a period: "viewed a product or ordered (value at least 30)". */
export function sayPast({ did, where }: Act): string {
  return `${listed(verbsOf(did).map(([past]) => past))}${which(where)}`;
}

/** What somebody does: "starts a checkout (value at least 30)". */
export function sayPresent({ did, where }: Act): string {
  const acts = verbsOf(did).map(([, base]) => {
    const [verb = '', ...rest] = base.split(' ');
    return [verb === 'have' ? 'has' : /(s|x|ch|sh|o)$/.test(verb) ? `${verb}es` : `${verb}s`, ...rest].join(' ');
  });
  return `${listed(acts)}${which(where)}`;
}

function sayDid(did: Did, negated: boolean): string {
  const verbs = verbsOf(did.did).map((forms) => forms.map((verb) => withSame(verb, did.same)) as [string, string]);
  const of = which(did.where);
  const past = `${verbs.map(([each]) => each).join(' or ')}${of}`;
  const period = sayPeriod(did);
  const denied = `did not ${verbs.map(([, base]) => base).join(' or ')}${of}`;
  const never = period === '' ? `never ${past}` : `${denied}${period}`;
  const act = negated ? denied : past;
  const when = did.latest ?? did.first;
  if (when !== undefined) {
    const said = `${did.latest === undefined ? 'first' : 'last'} ${past} ${negated ? 'not ' : ''}${sayWhen(when)}`;
    return negated ? `(never ${past}, or ${said})` : said;
  }
  if (did.times !== undefined) {
    const [often, beyond] = typeof did.times === 'number' ? [`exactly ${times(did.times)}`] : sayOften(did.times);
    if (beyond === undefined) return `${act} ${often}${period}`;
    // Who never did it did not do it "at most twice" either.
    return negated ? `(${never}, or did so ${beyond})` : `${past}${period}, but ${often}`;
  }
  const measure = sayMeasure(did);
  if (measure !== undefined) return `${act}${period} ${measure}`;
  if (negated) return never;
  return `${past}${period === '' ? ' at least once' : period}`;
}

/** How often; where that has an upper bound alone, also what lies beyond it. */
function sayOften(wanted: Exclude<NonNullable<Did['times']>, number>): [often: string, beyond?: string] {
  const often = amount(wanted, times);
  if ('atMost' in wanted) return [often, `more than ${times(wanted.atMost)}`];
  return 'lessThan' in wanted ? [often, `at least ${times(wanted.lessThan)}`] : [often];
}

/** `for at least 1000 of revenue in all`, `with at least 3 different categories`; undefined without such a measure. */
function sayMeasure({ sum, largest, distinct }: Did): string | undefined {
  if (sum !== undefined) {
    const { of, ...wanted } = sum;
    return `for ${amount(wanted, String)} of ${sayName(of)} in all`;
  }
  if (largest !== undefined) {
    const { of, ...wanted } = largest;
    return `with a largest ${sayName(of)} of ${amount(wanted, String)}`;
  }
  if (distinct === undefined) return undefined;
  const { of, ...wanted } = distinct;
  const held = sayHeld(of);
  return `with ${amount(wanted, String)} different ${Object.values(wanted)[0] === 1 ? held : plural(held)}`;
}

/** "viewed a product" of the same one: "viewed the same product"; of an order: "ordered the same category". */
function withSame(verb: string, of: string | undefined): string {
  if (of === undefined) return verb;
  const held = sayHeld(of);
  if (held === 'product' && verb.includes('a product')) return verb.replace('a product', 'the same product');
  return verb === 'ordered' || verb === 'order' ? `${verb} the same ${held}` : `${verb} with the same ${held}`;
}

/** `products.category` → `category`, `product_id` → `product`. */
function sayHeld(of: string): string {
  const field = of.slice(of.lastIndexOf('.') + 1);
  return field === 'product_id' || field === 'sku' ? 'product' : sayName(field);
}

const plural = (noun: string): string =>
  /[^aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies` : /(s|x|ch|sh)$/.test(noun) ? `${noun}es` : `${noun}s`;

function sayWhen(wanted: NonNullable<Did['latest']>): string {
  const [[name, value]] = Object.entries(wanted) as [[string, string]];
  if (name === 'moreThanAgo') return `more than ${span(value)} ago`;
  return name === 'inLast' ? `in the last ${span(value)}` : `${name} ${value}`;
}

/** `topic “offers”`, `a product of category “Cameras” and price at least 300`. */
export function sayWhere(where: Where): string {
  return Object.entries(where)
    .map(([path, wanted]) => {
      if (wanted !== null && typeof wanted === 'object' && !Array.isArray(wanted) && !isOperator(wanted)) {
        const inner = Object.entries(wanted);
        const [name, value] = inner[0] ?? ['', ''];
        // A line that is known by its product alone is that product.
        if (inner.length === 1 && isProduct(name) && isReference(value)) return sayValue(value);
        return `${path === 'products' ? 'a product' : `one ${sayName(path)}`} of ${sayWhere(wanted as Where)}`;
      }
      if (isReference(wanted)) return sayReferred(path, wanted);
      return `${sayName(path)} ${compare(wanted as Comparison, false).replace(/^is /, '')}`;
    })
    .join(' and ');
}

const isProduct = (path: string): boolean => /^(product_id|sku)$/.test(path);
const isReference = (value: unknown): value is string => typeof value === 'string' && value.startsWith('@');

/** `the same order id as the trigger`, `the product`, `product id the trigger’s upgrade`. */
function sayReferred(path: string, reference: string): string {
  const [root = '', field] = reference.slice(1).split('.');
  if (isProduct(path) && root === 'product' && (field === undefined || /^(id|product_id)$/.test(field))) {
    return sayValue(reference);
  }
  if (field === path) return `the same ${sayHeld(path)} as the ${root}`;
  return `${sayName(path)} ${sayValue(reference)}`;
}

/** `is "PL" or "CZ"`, `is at least 3`, `is not known`. */
export function compare(comparison: Comparison, negated: boolean): string {
  const is = negated ? 'is not' : 'is';
  // A missing value meets no comparison, so it meets the negation of every one.
  const missing = negated ? ' (or is missing)' : '';
  if (!isOperator(comparison)) {
    return `${is} ${Array.isArray(comparison) ? oneOf(comparison) : quoted(comparison)}${missing}`;
  }
  const [name, value] = Object.entries(comparison)[0] as [string, unknown];
  switch (name) {
    case 'isNot':
      // A missing value is not "not PL": the two negations do not cancel out.
      return negated ? `is ${quoted(value)} or missing` : `is known and not ${quoted(value)}`;
    case 'exists':
      return (value === true) === negated ? 'is missing' : 'is known';
    case 'contains':
      return `${negated ? 'does not contain' : 'contains'} ${quoted(value)}${missing}`;
    case 'startsWith':
      return `${negated ? 'does not start' : 'starts'} with ${quoted(value)}${missing}`;
    case 'between': {
      const [low, high] = value as [unknown, unknown];
      return `${is} between ${quoted(low)} and ${quoted(high)}${missing}`;
    }
    case 'before':
    case 'after':
      return `${is} ${name} ${String(value)}${missing}`;
    case 'inLast':
      return `${is} in the last ${span(String(value))}${missing}`;
    case 'inNext':
      return `${is} in the next ${span(String(value))}${missing}`;
    case 'moreThanAgo':
      return `${is} more than ${span(String(value))} ago${missing}`;
    case 'anniversary': {
      // The day of a birthday: not the day on which somebody was born.
      if (value === 'today') return `${negated ? 'does not come' : 'comes'} round today${missing}`;
      const [[direction, length]] = Object.entries(value as Record<string, string>) as [[string, string]];
      const [does, not] = direction === 'inNext' ? ['comes', 'does not come'] : ['came', 'did not come'];
      const where = direction === 'inNext' ? 'next' : 'last';
      return `${negated ? not : does} round in the ${where} ${span(length)}${missing}`;
    }
    default:
      return `${is} ${ORDERED[name] ?? name} ${quoted(value)}${missing}`;
  }
}

const ORDERED: Record<string, string> = {
  atLeast: 'at least',
  moreThan: 'more than',
  atMost: 'at most',
  lessThan: 'less than',
};

function amount(measure: object, said: (value: number) => string): string {
  const [[name, value]] = Object.entries(measure) as [[string, number | [number, number]]];
  if (Array.isArray(value)) return `between ${value[0]} and ${said(value[1])}`;
  return `${ORDERED[name] ?? name} ${said(value)}`;
}

const times = (count: number): string => (count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`);
const quoted = (value: unknown): string =>
  typeof value === 'string' && !value.startsWith('@') ? `“${value}”` : sayValue(value);

/** What a reference means: "the product", "the trigger’s order id". Anything else as it is written. */
export function sayValue(value: unknown): string {
  const [root, field] = typeof value === 'string' ? (/^@(\w+)(?:\.(.+))?$/.exec(value)?.slice(1) ?? []) : [];
  if (root === undefined) return String(value);
  if (root === 'sent') return 'a product that was recommended';
  if (root === 'watch') return 'the product was asked for or looked at';
  if (field === undefined || (root === 'product' && /^(id|product_id)$/.test(field))) return `the ${root}`;
  return `the ${root}’s ${sayHeld(field)}`;
}

const oneOf = (values: readonly unknown[]): string => listed(values.map(quoted));
