// A rule in words: one English sentence that says exactly what the rule asks.
import type { Comparison, Did, Rule, Where } from './grammar.ts';
import { isOperator } from './where.ts';

/** What a person did, as a verb in the past and its base: "ordered", "did not order". */
const VERBS: Record<string, [past: string, base: string]> = {
  'Order Completed': ['ordered', 'order'],
  'Order Refunded': ['had an order refunded', 'have an order refunded'],
  'Order Cancelled': ['cancelled an order', 'cancel an order'],
  'Product Viewed': ['viewed a product', 'view a product'],
  'Product Added': ['put a product into the cart', 'put a product into the cart'],
  'Product Reviewed': ['reviewed a product', 'review a product'],
  'Checkout Started': ['started a checkout', 'start a checkout'],
  'Consent Granted': ['gave consent', 'give consent'],
  'Consent Withdrawn': ['withdrew consent', 'withdraw consent'],
  'Consent Requested': ['asked to be written to', 'ask to be written to'],
  'Email Delivered': ['got an e-mail', 'get an e-mail'],
  'Email Opened': ['opened an e-mail', 'open an e-mail'],
  'Email Clicked': ['clicked in an e-mail', 'click in an e-mail'],
};

/** One English sentence, with a capital and a full stop. Never throws on a rule that the grammar admits. */
export function sayRule(rule: Rule): string {
  const text = say(rule, false);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
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
  if ('share' in rule) return `is ${negated ? 'not ' : ''}between ${rule.percent[0]} and ${rule.percent[1]} % of the draw ${rule.share}`;
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
    .map(([name, wanted]) => `${named(name)} ${compare(wanted, negated)}`)
    .join(negated ? ' or ' : ' and ');
}

function sayDid(did: Did, negated: boolean): string {
  const names = typeof did.did === 'string' ? [did.did] : did.did;
  const verbs = names.map(
    (name) => (Object.hasOwn(VERBS, name) ? VERBS[name] : undefined) ?? [`did “${name}”`, `do “${name}”`],
  );
  const past = verbs.map(([each]) => each).join(' or ');
  const which = did.where === undefined ? '' : ` (${sayWhere(did.where)})`;
  const period =
    did.inLast !== undefined
      ? ` in the last ${span(did.inLast)}`
      : did.since !== undefined
        ? ' since the run started'
        : '';
  const plain = did.times === undefined && did.sum === undefined && did.latest === undefined;
  if (plain && negated && period === '') return `never ${past}${which}`;
  const act = `${negated ? `did not ${verbs.map(([, base]) => base).join(' or ')}` : past}${which}`;
  if (did.times !== undefined) {
    const often = typeof did.times === 'number' ? `exactly ${times(did.times)}` : amount(did.times, times);
    return `${act} ${often}${period}`;
  }
  if (did.sum !== undefined) {
    const { of, ...measure } = did.sum;
    return `${act}${period} for ${amount(measure, String)} of ${named(of)} in all`;
  }
  if (did.latest !== undefined) {
    const last = `last ${past}${which} ${negated ? 'not ' : ''}${latest(did.latest)}`;
    return negated ? `(never ${past}${which}, or ${last})` : last;
  }
  return `${act}${period === '' ? ' at least once' : period}`;
}

function latest(wanted: NonNullable<Did['latest']>): string {
  const [[name, value]] = Object.entries(wanted) as [[string, string]];
  if (name === 'moreThanAgo') return `more than ${span(value)} ago`;
  return name === 'inLast' ? `in the last ${span(value)}` : `${name} ${value}`;
}

/** `topic “offers”`, `a product of category “Cameras” and price at least 300`. */
function sayWhere(where: Where): string {
  return Object.entries(where)
    .map(([path, wanted]) => {
      if (wanted !== null && typeof wanted === 'object' && !Array.isArray(wanted) && !isOperator(wanted)) {
        return `${path === 'products' ? 'a product' : `one ${named(path)}`} of ${sayWhere(wanted as Where)}`;
      }
      return `${named(path)} ${compare(wanted as Comparison, false).replace(/^is /, '')}`;
    })
    .join(' and ');
}

/** `is "PL" or "CZ"`, `is at least 3`, `is not known`. */
function compare(comparison: Comparison, negated: boolean): string {
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
  typeof value === 'string' && !value.startsWith('@') ? `“${value}”` : String(value);

function oneOf(values: readonly unknown[]): string {
  const said = values.map(quoted);
  return said.length === 1 ? (said[0] as string) : `${said.slice(0, -1).join(', ')} or ${said.at(-1)}`;
}

const UNITS: Record<string, string> = { m: 'minute', h: 'hour', d: 'day', w: 'week' };

/** `60d` → `60 days`; one of something loses its number: `in the last day`. */
function span(duration: string): string {
  const unit = UNITS[duration.slice(-1)] ?? duration.slice(-1);
  const count = duration.slice(0, -1);
  return count === '1' ? unit : `${count} ${unit}s`;
}

/** Names of people's language for what the grammar calls by a path. */
const NAMES: Record<string, string> = {
  'orders.count': 'the number of orders',
  'orders.spend': 'what was spent',
  'orders.average': 'the average order',
  'orders.first': 'the first order',
  'orders.last': 'the last order',
  'orders.returnedShare': 'the share that was returned',
  'cart.items': 'the number of lines in the cart',
  'cart.value': 'the value of the cart',
  running: 'a campaign under way',
};

function named(path: string): string {
  if (Object.hasOwn(NAMES, path)) return NAMES[path] as string;
  if (path.endsWith('.givenAt')) return `when ${path.slice(0, -'.givenAt'.length)} was given`;
  return path.replace(/^catalogue\./, 'catalogue ').replaceAll('_', ' ');
}
