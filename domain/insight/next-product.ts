// What is bought together, what after, and what in place: from counts to associations, and to the model that recommends.
import type { NextProduct, NextProducts } from './models.ts';

/**
 * How often two products meet, of `all` baskets or contacts: a row of the statements `pairs`, `sequences` and `upgrades`.
 * `product` is in `first` of them, `other` in `second`, and `both` hold the two (in sequences: in that order).
 */
export interface PairCount {
  product: string;
  other: string;
  both: number;
  first: number;
  second: number;
  all: number;
}

/** An upgrade's category, and both prices in minor units. */
export interface UpgradeCount extends PairCount {
  category: string;
  price: number;
  otherPrice: number;
}

/** What the statements say of products: everything that the model is made of. */
export interface NextCounts {
  together: PairCount[];
  after: PairCount[];
  upgrades: UpgradeCount[];
  /** Best first; over all under the empty category. */
  popular: { category: string; product: string; baskets: number }[];
}

export interface Association extends PairCount {
  /** Share of all that hold both; of those with `product` the share that holds `other` too. */
  support: number;
  confidence: number;
  /** How many times likelier `other` is with `product` than over all; 95 % lie between `low` and `high`. */
  lift: number;
  low: number;
  high: number;
}

/** 97.5 % of the normal distribution. */
export const Z = 1.959963984540054;

/**
 * Support, confidence and lift of a pair (Agrawal, Imieliński, Swami 1993; Brin, Motwani, Ullman, Tsur 1997). The
 * interval is that of the logarithm of the lift by the delta method for a multinomial sample: with the three counts out
 * of n, var log lift = 1/both − 1/first − 1/second − 1/n + 2·lift/n. (Of independent products that is Katz's 1/both −
 * 1/first − 1/second + 1/n.) Undefined where the counts contradict each other, such as more of both than of one.
 */
export function associate(count: PairCount): Association | undefined {
  const { both, first, second, all } = count;
  const sound = [both, first, second, all].every((one) => Number.isFinite(one) && one > 0);
  if (!sound || both > first || both > second || first > all || second > all) return undefined;
  const confidence = both / first;
  const lift = confidence / (second / all);
  const deviation = Math.sqrt(Math.max(0, 1 / both - 1 / first - 1 / second - 1 / all + (2 * lift) / all));
  const spread = Math.exp(Z * deviation);
  return { ...count, support: both / all, confidence, lift, low: lift / spread, high: lift * spread };
}

/** The interval of a share in which 95 % lie, by Wilson's score (1927); the whole from 0 to 1 where nothing was counted. */
export function shareInterval(hits: number, of: number): [low: number, high: number] {
  if (!(of > 0)) return [0, 1];
  const share = hits / of;
  const z2 = Z * Z;
  const centre = (share + z2 / (2 * of)) / (1 + z2 / of);
  const half = (Z * Math.sqrt((share * (1 - share)) / of + z2 / (4 * of * of))) / (1 + z2 / of);
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/**
 * Products by which one is followed in the model: ten, where not all find room five, else three. On Online Retail five
 * hit as well as ten do, and products that are left out hit less.
 */
const DEPTHS = [10, 5, 3] as const;
/** Characters of the model's JSON, at most, unless told: every function that decides reads it. */
const MOST_CHARACTERS = 2_000_000;

/** An association as it ranks. */
export type Ranked = Association & { score: number };

/**
 * By what an association is ranked: the least share of those who buy the one that buys the other because of it, which is
 * confidence × (1 − 1/lift), what the confidence exceeds the other's share over all by (the "added value" of Sahar and
 * Mansour 1999), each at its lower bound: Wilson's of the confidence, and `low`. 0 where the lift is not surely above 1. A
 * pair that few have bought ranks low, for its bounds are; so does what everybody buys anyway, for its lift is.
 */
export function scoreOf({ low, both, first }: Pick<Association, 'low' | 'both' | 'first'>): number {
  return low > 1 ? shareInterval(both, first)[0] * (1 - 1 / low) : 0;
}

/** Associations that are surely more than chance, best first, by product; none of a product with itself. */
export function rank<Count extends PairCount>(counts: readonly Count[]): Map<string, (Count & Ranked)[]> {
  const found = new Map<string, (Count & Ranked)[]>();
  for (const count of counts) {
    const association = count.product === count.other ? undefined : associate(count);
    const score = association === undefined ? 0 : scoreOf(association);
    if (association === undefined || score === 0) continue;
    const ranked = { ...count, ...association, score };
    const known = found.get(count.product);
    if (known === undefined) found.set(count.product, [ranked]);
    else known.push(ranked);
  }
  for (const list of found.values())
    list.sort((a, b) => b.score - a.score || b.both - a.both || (a.other < b.other ? -1 : 1));
  return found;
}

/**
 * The model by which products are recommended: of each product at most ten of what is bought with it, after it and in its
 * place, best first. Its JSON has at most `most` characters: where ten of each product are too many it has five or three,
 * and where three are, the most-bought products have theirs and the others none. The lists of popular products come
 * before, since everybody has need of them. Empty where there is nothing to count.
 */
export function nextProducts(counts: NextCounts, most = MOST_CHARACTERS): NextProducts {
  const popular = Map.groupBy(
    counts.popular.filter(({ product }) => product !== ''),
    ({ category }) => category,
  );
  let room = most - 100;
  const lists: [string, string[]][] = [];
  for (const [category, rows] of popular) {
    const entry: [string, string[]] = [category, rows.map(({ product }) => product)];
    const size = JSON.stringify(entry).length;
    // A shop of thousands of categories must not fill the model with them.
    if (size > room || room - size < most / 2) break;
    room -= size;
    lists.push(entry);
  }
  const ranked = [rank(counts.together), rank(counts.after), rank(counts.upgrades)] as const;
  const products = mostBought(counts);
  let made = filled(products, ranked, DEPTHS[0], room);
  for (const depth of DEPTHS.slice(1)) if (!made.whole) made = filled(products, ranked, depth, room);
  // Not by assignment: a product may be called "__proto__".
  const [together, after, upgrades] = made.entries.map((table) => Object.fromEntries(table)) as [Lists, Lists, Lists];
  return { together, after, upgrades, popular: Object.fromEntries(lists) };
}

type Lists = Record<string, NextProduct[]>;
type Entry = [product: string, list: NextProduct[]];

/** The lists of as many products as there is room for, and whether that is all of them. */
function filled(
  products: readonly string[],
  tables: readonly ReadonlyMap<string, readonly Ranked[]>[],
  depth: number,
  room: number,
): { entries: Entry[][]; whole: boolean } {
  const entries: Entry[][] = tables.map(() => []);
  let left = room;
  for (const product of products) {
    const own = tables.map((table): Entry => [product, (table.get(product) ?? []).slice(0, depth).map(rounded)]);
    left -= own.reduce((sum, entry) => sum + (entry[1].length === 0 ? 0 : JSON.stringify(entry).length), 0);
    if (left < 0) return { entries, whole: false };
    own.forEach((entry, i) => {
      if (entry[1].length > 0) entries[i]?.push(entry);
    });
  }
  return { entries, whole: true };
}

/** Every product that something goes with, by how much it is bought. */
function mostBought({ together, after, upgrades }: NextCounts): string[] {
  const bought = new Map<string, number>();
  for (const { product, first } of [...together, ...after, ...upgrades])
    bought.set(product, Math.max(first, bought.get(product) ?? 0));
  bought.delete('');
  return [...bought].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([product]) => product);
}

/** Four digits are more than the counts bear out. */
const short = (value: number): number => Number(value.toPrecision(4));

function rounded({ other, score, confidence, lift, both }: Ranked): NextProduct {
  return { product: other, score: short(score), confidence: short(confidence), lift: short(lift), count: both };
}
