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
  'Order Delivered': ['had an order delivered', 'have an order delivered'],
  'Products Searched': ['searched', 'search'],
  'Product Clicked': ['clicked on a product', 'click on a product'],
  'Product Removed': ['took a product out of the cart', 'take a product out of the cart'],
  'Product Shared': ['shared a product', 'share a product'],
  'Product Added to Wishlist': ['put a product onto the wishlist', 'put a product onto the wishlist'],
  'Cart Viewed': ['looked into the cart', 'look into the cart'],
  'Coupon Applied': ['used a coupon', 'use a coupon'],
  'Case Opened': ['opened a service case', 'open a service case'],
  'Case Closed': ['had a service case closed', 'have a service case closed'],
  'Subscription Started': ['started a subscription', 'start a subscription'],
  'Subscription Cancelled': ['cancelled a subscription', 'cancel a subscription'],
  'Email Delivered': ['got an e-mail', 'get an e-mail'],
  'Email Opened': ['opened an e-mail', 'open an e-mail'],
  'Email Clicked': ['clicked in an e-mail', 'click in an e-mail'],
};

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
      return `${sayName(name)} ${compare(wanted, negated)}`;
    })
    .join(negated ? ' or ' : ' and ');
}

/** ` in the last 30 days`, ` this year`; empty = ever. */
function sayPeriod(did: Did): string {
  if (did.inLast !== undefined) return ` in the last ${span(did.inLast)}`;
  if (did.in !== undefined) return ` ${did.in}`;
  if (did.between !== undefined) return ` from ${did.between[0]} to ${did.between[1]}`;
  if (did.since !== undefined) return did.since === 'run start' ? ' since the run started' : ` since ${did.since}`;
  return '';
}

function sayDid(did: Did, negated: boolean): string {
  const names = typeof did.did === 'string' ? [did.did] : did.did;
  const verbs = names.map((name): [past: string, base: string] => {
    const known = (Object.hasOwn(VERBS, name) && VERBS[name]) || undefined;
    const [past, base] = known ?? [`did “${name}”`, `do “${name}”`];
    return [withSame(past, did.same), withSame(base, did.same)];
  });
  const which = did.where === undefined ? '' : ` (${sayWhere(did.where)})`;
  const past = `${verbs.map(([each]) => each).join(' or ')}${which}`;
  const period = sayPeriod(did);
  const denied = `did not ${verbs.map(([, base]) => base).join(' or ')}${which}`;
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
function sayWhere(where: Where): string {
  return Object.entries(where)
    .map(([path, wanted]) => {
      if (wanted !== null && typeof wanted === 'object' && !Array.isArray(wanted) && !isOperator(wanted)) {
        return `${path === 'products' ? 'a product' : `one ${sayName(path)}`} of ${sayWhere(wanted as Where)}`;
      }
      return `${sayName(path)} ${compare(wanted as Comparison, false).replace(/^is /, '')}`;
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
  'rhythm.interval': 'the number of days between orders',
  'rhythm.overdue': 'the time since the last order, in intervals of their own,',
  'service.openCases': 'the number of open service cases',
  'subscription.active': 'whether a subscription is active',
  'rfm.recency': 'the score of recency',
  'rfm.frequency': 'the score of frequency',
  'rfm.money': 'the score of money',
  'value.decile': 'the tenth by value (1 is the best)',
  'value.lifetime': 'the lifetime value',
  'predicted.orders': 'the predicted number of orders',
  'predicted.value': 'the predicted value',
  'loyalty.tier': 'the loyalty tier',
  running: 'a campaign under way',
};

/** A name of people's language for an attribute or a property: "the number of orders", "product id". */
export function sayName(path: string): string {
  if (Object.hasOwn(NAMES, path)) return NAMES[path] as string;
  if (path.endsWith('.givenAt')) return `when ${path.slice(0, -'.givenAt'.length)} was given`;
  return path.replace(/^catalogue\./, 'catalogue ').replaceAll('_', ' ');
}
