// A rule of the grammar that takes in about the same customers as a group, and how well it does.
import type { Rule } from '../grammar.ts';
import { type Buyer, discountedShare, recencyOf } from './buyers.ts';
import { categoryOf, type Feature, quantile, type Reading } from './feature-space.ts';

/** How well a rule takes in those it is for. */
export interface Fit {
  /** Whom the rule takes in, and how many of them are meant. */
  found: number;
  right: number;
  /** Shares from 0 to 1: of those taken in, who is meant; of those meant, who is taken in. */
  precision: number;
  recall: number;
}

export interface FoundRule extends Fit {
  rule: Rule;
}

/** What a rule is written by: categories that the catalogue knows are asked of it, others of the events. */
export interface RuleReading extends Reading {
  known: ReadonlySet<string>;
}

/** One bound: what it says, and whom it takes in. */
interface Bound {
  subject: string;
  side: 'least' | 'most';
  value: number;
}

/** What can be bounded: by customer its value as a rule reads it, no number where that is missing. Money in major units. */
interface Subject {
  name: string;
  values: Float64Array;
  round: (value: number) => number;
}

/** Bounds are found on so many customers; how well they do is counted on all. */
const MOST_SEEN = 10_000;
const MOST_BOUNDS = 5;
/** A further bound, or a further rule beside the first, is worth its words only where F rises by so much. */
const [WORTH_A_BOUND, WORTH_A_RULE] = [0.005, 0.03];
/** Of few people chance alone makes some bound look better: it has to help by this over the root of their number, too. */
const CHANCE = 0.2;

/**
 * A rule for some of these customers (`meant`, by their place): bounds on orders, spend, last order, discounts, returns
 * and categories, of which each next one is that which raises F most, the harmonic mean of precision and recall; a second
 * set of bounds beside the first where it helps. Bounds are rounded before they are judged, on all customers, so that the
 * figures are those of the rule as written. A rule sees time go by, which a group does not until it is found again.
 * Undefined where no bound tells them from the others.
 */
export function ruleFor(
  buyers: readonly Buyer[],
  meant: ReadonlySet<number>,
  features: readonly Feature[],
  reading: RuleReading,
): FoundRule | undefined {
  if (meant.size === 0 || meant.size === buyers.length) return undefined;
  const wanted = Uint8Array.from(buyers, (_, i) => Number(meant.has(i)));
  const seen = evenly(buyers.length, MOST_SEEN);
  const some = subjectsOf(
    seen.map((i) => buyers[i] as Buyer),
    features,
    reading,
  );
  const sought = Uint8Array.from(seen, (i) => wanted[i] as number);
  const first = boundsFor(some, sought, new Uint8Array(seen.length));
  if (first === undefined) return undefined;
  const second = boundsFor(some, sought, first.taken);
  const sets = second !== undefined && second.f >= first.f + WORTH_A_RULE ? [first, second] : [first];
  const rules = sets.map(({ bounds }) => ruleOf(bounds, reading));
  const subjects = new Map(subjectsOf(buyers, features, reading).map((one) => [one.name, one.values]));
  const taken = Uint8Array.from(buyers, (_, i) =>
    Number(
      sets.some(({ bounds }) =>
        bounds.every(({ subject, side, value }) => meets(subjects.get(subject)?.[i] as number, side, value)),
      ),
    ),
  );
  return { rule: rules.length === 1 ? (rules[0] as Rule) : { any: rules }, ...fitOf(taken, wanted) };
}

/** At most so many places of a list, evenly taken. */
function evenly(count: number, most: number): number[] {
  const step = Math.max(1, count / most);
  return Array.from({ length: Math.min(count, most) }, (_, i) => Math.floor(i * step));
}

/** How well those taken in are those wanted; 1 is yes. Shares of nobody are 0. */
export function fitOf(taken: Uint8Array, wanted: Uint8Array): Fit {
  let [found, right, all] = [0, 0, 0];
  for (let i = 0; i < taken.length; i += 1) {
    found += taken[i] as number;
    all += wanted[i] as number;
    right += (taken[i] as number) & (wanted[i] as number);
  }
  return { found, right, precision: found === 0 ? 0 : right / found, recall: all === 0 ? 0 : right / all };
}

function subjectsOf(buyers: readonly Buyer[], features: readonly Feature[], reading: RuleReading): Subject[] {
  const { today, unit } = reading;
  const subject = (name: string, value: (buyer: Buyer) => number, round: (value: number) => number): Subject => ({
    name,
    values: Float64Array.from(buyers, value),
    round,
  });
  const has = new Set(features.map(({ name }) => name));
  const categories = features.flatMap(({ name }) => categoryOf(name) ?? []);
  return [
    subject('orders.last', (buyer) => recencyOf(buyer, today), Math.round),
    subject('orders.count', (buyer) => buyer.orders, Math.round),
    subject('orders.spend', (buyer) => buyer.revenue / unit, twoDigits),
    subject('orders.average', (buyer) => Math.round(buyer.revenue / Math.max(1, buyer.orders)) / unit, twoDigits),
    ...(has.has('discounted') ? [subject('orders.discountedShare', discountedShare, twentieth)] : []),
    ...(has.has('returned')
      ? [
          subject(
            'orders.returnedShare',
            ({ refunded, gross }) => (gross > 0 ? refunded / gross : Number.NaN),
            hundredth,
          ),
        ]
      : []),
    ...categories.map((category) =>
      subject(`category:${category}`, (buyer) => buyer.categories[category]?.orders ?? 0, Math.round),
    ),
  ];
}

const hundredth = (value: number): number => Math.round(value * 100) / 100;
const twentieth = (value: number): number => Math.round(value * 20) / 20;

/** Two digits that count: 1,234 becomes 1,200. */
function twoDigits(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return 0;
  const scale = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 1);
  return Number((Math.round(value / scale) * scale).toPrecision(2));
}

interface Bounded {
  bounds: Bound[];
  /** Those who meet them, and who was taken in before. */
  taken: Uint8Array;
  f: number;
}

function boundsFor(subjects: readonly Subject[], wanted: Uint8Array, before: Uint8Array): Bounded | undefined {
  const count = wanted.length;
  const base = fOf(before, wanted);
  const candidates = subjects.flatMap((subject) => candidatesOf(subject, wanted));
  const worth = Math.max(
    WORTH_A_BOUND,
    CHANCE /
      Math.sqrt(
        Math.max(
          1,
          wanted.reduce((sum, each) => sum + each, 0),
        ),
      ),
  );
  let inside = new Uint8Array(count).fill(1);
  let [best, bounds] = [base, [] as Bound[]];
  // The first bound may only make the best of everybody; from then on each has to help.
  best = Math.max(best, fOf(inside, wanted));
  while (bounds.length < MOST_BOUNDS) {
    let next: { bound: Bound; taken: Uint8Array; f: number } | undefined;
    for (const { bound, meets } of candidates) {
      if (bounds.some(({ subject, side }) => subject === bound.subject && side === bound.side)) continue;
      const f = fOf(before, wanted, inside, meets);
      if (f > (next?.f ?? best + worth)) next = { bound, taken: meets, f };
    }
    if (next === undefined) break;
    const { bound, taken, f } = next;
    inside = inside.map((each, i) => each & (taken[i] as number)) as Uint8Array<ArrayBuffer>;
    best = f;
    bounds = [...bounds, bound];
  }
  if (bounds.length === 0) return undefined;
  return { bounds, taken: inside.map((each, i) => each | (before[i] as number)), f: best };
}

/** F of those taken in before, and of those inside who meet one more bound. */
function fOf(before: Uint8Array, wanted: Uint8Array, inside?: Uint8Array, meets?: Uint8Array): number {
  let [found, right, all] = [0, 0, 0];
  for (let i = 0; i < wanted.length; i += 1) {
    const more = inside === undefined ? 0 : (inside[i] as number) & ((meets?.[i] ?? 1) as number);
    const taken = (before[i] as number) | more;
    found += taken;
    all += wanted[i] as number;
    right += taken & (wanted[i] as number);
  }
  return found + all === 0 ? 0 : (2 * right) / (found + all);
}

/** Bounds worth trying: rounded quantiles of those who are meant and of all. */
function candidatesOf({ name, values, round }: Subject, wanted: Uint8Array): { bound: Bound; meets: Uint8Array }[] {
  const own = values.filter((value, i) => wanted[i] === 1 && !Number.isNaN(value)).sort();
  const all = values.filter((value) => !Number.isNaN(value)).sort();
  const steps = [0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 1];
  const tried = new Set(steps.flatMap((at) => [round(quantile(own, at)), round(quantile(all, at))]));
  if (name.startsWith('category:')) tried.add(1);
  return [...tried]
    .filter((value) => sayable(name, value))
    .sort((a, b) => a - b)
    .flatMap((value) =>
      SIDES.map((side) => ({
        bound: { subject: name, side, value },
        meets: Uint8Array.from(values, (one) => Number(meets(one, side, value))),
      })),
    );
}

const SIDES = ['least', 'most'] as const;

/** A missing value, which is no number, meets nothing. */
const meets = (one: number, side: Bound['side'], value: number): boolean =>
  side === 'least' ? one >= value : one <= value;

/** Values that the grammar can say of a subject: durations are 1 day or more, counts of events 1 or more. */
function sayable(name: string, value: number): boolean {
  if (name === 'orders.last') return value >= 1 && value <= 3650;
  if (name === 'orders.count' || name.startsWith('category:')) return value >= 1;
  return name.endsWith('Share') ? value > 0 && value < 1 : true;
}

function ruleOf(bounds: readonly Bound[], reading: RuleReading): Rule {
  const rules: Rule[] = [];
  const bySubject = Map.groupBy(bounds, ({ subject }) => subject);
  const has: Record<string, object | number> = {};
  for (const [subject, both] of bySubject) {
    const least = both.find(({ side }) => side === 'least')?.value;
    const most = both.find(({ side }) => side === 'most')?.value;
    const category = categoryOf(subject);
    if (category !== undefined) rules.push(categoryRule(category, least, most, reading.known));
    else if (subject === 'orders.last') {
      // Days since the last order at the end of the day: "at most 30" lie in the last 31 days then.
      const [one, other] = [
        ...(most === undefined ? [] : [{ inLast: `${most + 1}d` }]),
        ...(least === undefined ? [] : [{ moreThanAgo: `${least}d` }]),
      ];
      has[subject] = one as object;
      if (other !== undefined) rules.push({ has: { [subject]: other } } as Rule);
    } else has[subject] = range(subject === 'orders.count' ? (least ?? 1) : least, most);
  }
  // Those who never bought are in no group; of all that can be asked, they have spent little, and not bought of anything.
  const spent = bounds.some(({ subject, side, value }) => subject === 'orders.spend' && side === 'least' && value > 0);
  const known = Object.keys(has).some((name) => name !== 'orders.spend');
  if (!spent && !known && rules.every((rule) => 'not' in rule)) has['orders.count'] = { atLeast: 1 };
  const all = [...(Object.keys(has).length === 0 ? [] : [{ has } as Rule]), ...rules];
  return all.length === 1 ? (all[0] as Rule) : { all };
}

function range(least: number | undefined, most: number | undefined): object | number {
  if (least !== undefined && least === most) return least;
  if (least !== undefined && most !== undefined) return { between: [least, most] };
  return least === undefined ? { atMost: most } : { atLeast: least };
}

function categoryRule(
  category: string,
  least: number | undefined,
  most: number | undefined,
  known: ReadonlySet<string>,
): Rule {
  const where = { products: { [known.has(category) ? 'catalogue.category' : 'category']: category } };
  const bought = (times: object): Rule => ({ did: 'Order Completed', where, ...times }) as Rule;
  if (least === undefined) return { not: bought({ times: { moreThan: most } }) } as Rule;
  if (most !== undefined) return bought({ times: { between: [least, most] } });
  return bought(least === 1 ? {} : { times: { atLeast: least } });
}
