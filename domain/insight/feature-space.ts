// The space in which customers are compared: what each feature is, how it is scaled, and what is beyond the usual.
import { type Buyer, discountedShare, recencyOf, returnedShare } from './buyers.ts';
import type { Groups } from './models.ts';

/** A feature as the models keep it: a customer's place is (value − mean) / deviation, at most 3 to either side. */
export type Feature = Groups['features'][number];

/** What values are read by: the last day that counts, and minor units in one of the shop's currency. */
export interface Reading {
  today: number;
  unit: number;
}

/** Customers as rows of one long array, `width` numbers each. */
export interface Points {
  count: number;
  width: number;
  at: Float64Array;
}

const CATEGORY = 'category:';
const MOST_CATEGORIES = 8;
/**
 * A category is a feature where it is at least this share of what customers buy, on average, each counting as one; it
 * stays one until it falls under half of that.
 */
const CATEGORY_SHARE = 0.03;
const FURTHEST = 3;
/** Days. Within a month it matters little when somebody bought: groups would turn over with every week. */
const MONTH = 30;
const BASIC = ['recency', 'frequency', 'money', 'discounted', 'returned'] as const;

/** The category that a feature is the share of. */
export const categoryOf = (feature: string): string | undefined =>
  feature.startsWith(CATEGORY) ? feature.slice(CATEGORY.length) : undefined;

/**
 * The value of a feature before it is scaled. `recency`: ln(1 + months of 30 days since the last order); `frequency`:
 * ln(days with an order); `money`: ln(1 + revenue a day with an order, in major units), since revenue in all is mostly
 * frequency once more; `discounted` and `returned`: shares; `category:<name>`: its share of what was bought. Always a
 * finite number.
 */
export function featureValue(name: string, buyer: Buyer, { today, unit }: Reading): number {
  switch (name) {
    case 'recency':
      return Math.log1p(recencyOf(buyer, today) / MONTH);
    case 'frequency':
      return Math.log(Math.max(1, buyer.days));
    case 'money':
      return Math.log1p(Math.max(0, buyer.revenue) / Math.max(1, buyer.days) / unit);
    case 'discounted':
      return discountedShare(buyer);
    case 'returned':
      return returnedShare(buyer);
    default: {
      const part = buyer.categories[name.slice(CATEGORY.length)]?.revenue ?? 0;
      return buyer.gross > 0 ? Math.min(1, Math.max(0, part / buyer.gross)) : 0;
    }
  }
}

/**
 * The features that tell these customers apart, with their scale. Means and deviations are those of values clipped to
 * the 1st and 99th hundredth, so that a few giants do not stretch it. Shares of categories are scaled by their common
 * deviation: all of them together weigh as much as one other feature, however many there are. What does not vary is no
 * feature. `former`: features of an earlier run, whose categories stay while they are still bought.
 */
export function featuresOf(buyers: readonly Buyer[], reading: Reading, former: readonly Feature[] = []): Feature[] {
  const stat = (name: string): Feature => {
    const values = Float64Array.from(buyers, (buyer) => featureValue(name, buyer, reading)).sort();
    const [low, high] = [quantile(values, 0.01), quantile(values, 0.99)];
    let [sum, squares] = [0, 0];
    for (const value of values) sum += Math.min(high, Math.max(low, value));
    const mean = values.length === 0 ? 0 : sum / values.length;
    for (const value of values) squares += (Math.min(high, Math.max(low, value)) - mean) ** 2;
    return { name, mean, deviation: values.length === 0 ? 0 : Math.sqrt(squares / values.length) };
  };
  const basic = BASIC.map(stat).filter(varies);
  const categories = categoriesOf(buyers, former)
    .map((category) => stat(CATEGORY + category))
    .filter(varies);
  const common = Math.sqrt(categories.reduce((sum, { deviation }) => sum + deviation ** 2, 0));
  return [...basic, ...categories.map((feature) => ({ ...feature, deviation: common }))];
}

const varies = ({ deviation }: Feature): boolean => deviation > 1e-9;

function categoriesOf(buyers: readonly Buyer[], former: readonly Feature[]): string[] {
  const bought = new Map<string, number>();
  for (const { gross, categories } of buyers) {
    if (gross <= 0) continue;
    for (const [category, { revenue }] of Object.entries(categories))
      bought.set(category, (bought.get(category) ?? 0) + Math.min(1, Math.max(0, revenue / gross)));
  }
  const before = new Set(former.map(({ name }) => categoryOf(name)));
  const needed = (category: string): number =>
    (before.has(category) ? CATEGORY_SHARE / 2 : CATEGORY_SHARE) * buyers.length;
  return [...bought]
    .filter(([category, part]) => part > 0 && part >= needed(category))
    .sort(([a, x], [b, y]) => Number(before.has(b)) - Number(before.has(a)) || y - x || (a < b ? -1 : 1))
    .slice(0, MOST_CATEGORIES)
    .map(([category]) => category)
    .sort();
}

/** Where customers stand in the space of these features. */
export function pointsOf(buyers: readonly Buyer[], features: readonly Feature[], reading: Reading): Points {
  const width = features.length;
  const at = new Float64Array(buyers.length * width);
  for (let j = 0; j < width; j += 1) {
    const { name, mean, deviation } = features[j] as Feature;
    for (let i = 0; i < buyers.length; i += 1) {
      const z = (featureValue(name, buyers[i] as Buyer, reading) - mean) / deviation;
      at[i * width + j] = Math.max(-FURTHEST, Math.min(FURTHEST, z));
    }
  }
  return { count: buyers.length, width, at };
}

/**
 * A place in one space said in another. Of a category that the first does not have nothing was bought; any other feature
 * of which it does not know is at its mean.
 */
export function carryOver(place: readonly number[], from: readonly Feature[], to: readonly Feature[]): number[] {
  const index = new Map(from.map(({ name }, j) => [name, j]));
  return to.map(({ name, mean, deviation }) => {
    const j = index.get(name);
    const unknown = categoryOf(name) === undefined ? mean : 0;
    const value =
      j === undefined ? unknown : (place[j] as number) * (from[j] as Feature).deviation + (from[j] as Feature).mean;
    return Math.max(-FURTHEST, Math.min(FURTHEST, (value - mean) / deviation));
  });
}

/** The value at a share of the way through ascending values; 0 of none. */
export function quantile(ascending: ArrayLike<number>, at: number): number {
  if (ascending.length === 0) return 0;
  const place = at * (ascending.length - 1);
  const [low, part] = [Math.floor(place), place % 1];
  const [a, b] = [ascending[low] as number, ascending[Math.min(low + 1, ascending.length - 1)] as number];
  return a + (b - a) * part;
}
