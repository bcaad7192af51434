// Which products to recommend: what the catalogue relates, what goes together by the orders, what is popular where these end.
import type { Aim } from './campaign-grammar.ts';
import type { NextProduct, NextProducts } from './insight/models.ts';
import type { Catalogue } from './settings.ts';

export const MOST_RECOMMENDED = 4;
/** As many more are planned with a message, for those that are out of stock when it goes out. */
export const MOST_SPARE = 4;
/** Products that recommendations start from, at most: the rest of a large order says little more, and costs time. */
const MOST_SEEDS = 50;
/** What an "after" weighs beside a "together": chosen on the orders before the last ones (docs/decisions/0025). */
const AFTER = 3;

/**
 * Where a recommendation comes from: a relation of the catalogue, what is bought together with the seeds or after them,
 * what buyers moved on to, or what is popular.
 */
export const ORIGINS = ['relation', 'together', 'after', 'moved-on', 'popular'] as const;
export type Origin = (typeof ORIGINS)[number];

const LETTERS = 'rtamp';

/** Origins as a message keeps them, a letter each; and back, where a letter that is none of them says nothing. */
export const originsOf = (recommendations: readonly Recommendation[]): string =>
  recommendations.map(({ origin }) => LETTERS[ORIGINS.indexOf(origin)]).join('');
export const originAt = (origins: string | undefined, place: number): Origin | undefined =>
  ORIGINS[LETTERS.indexOf(origins?.[place] ?? '-')];

export interface Recommendation {
  product: string;
  origin: Origin;
}

/** What recommendations are chosen from: the catalogue, and what insight has counted, where it has. */
export interface Offers {
  catalogue: Catalogue;
  next?: NextProducts | undefined;
}

/**
 * Products to recommend, best first, at most `most`. Up-sell: the better model of each seed, then what buyers of the seeds
 * moved on to. Otherwise what the catalogue says goes well with the seeds, taken in turns (the first complement of each
 * seed before the second of any); then what is bought together with them and after them, by the sum of their scores over
 * the seeds; then what is popular, of the seeds' categories, then of others, a marketer's list before what was counted.
 * Nothing that is among the seeds, was bought already, or is not in the catalogue.
 */
export function recommend(
  { catalogue, next }: Offers,
  bought: Record<string, number>,
  seeds: readonly string[],
  aim: Aim,
  most: number = MOST_RECOMMENDED,
): Recommendation[] {
  const found: Recommendation[] = [];
  const seen = new Set(seeds);
  const take = (product: string | undefined, origin: Origin): void => {
    if (product === undefined || seen.has(product) || found.length >= most) return;
    if (Object.hasOwn(bought, product) || !Object.hasOwn(catalogue.products, product)) return;
    seen.add(product);
    found.push({ product, origin });
  };
  const from = [...new Set(seeds)].slice(0, MOST_SEEDS);
  const relations = from.flatMap((seed) => (Object.hasOwn(catalogue.products, seed) ? [catalogue.products[seed]] : []));
  if (aim === 'up-sell') {
    for (const product of relations) take(product?.upgrade, 'relation');
    if (next !== undefined)
      for (const { product } of merged(from, [[next.upgrades, 'moved-on', 1]])) take(product, 'moved-on');
    return found;
  }
  const longest = Math.max(0, ...relations.map((product) => product?.complements?.length ?? 0));
  for (let rank = 0; rank < longest && found.length < most; rank++) {
    for (const product of relations) take(product?.complements?.[rank], 'relation');
  }
  if (next !== undefined && found.length < most) {
    const tables: Table[] = [
      [next.together, 'together', 1],
      [next.after, 'after', AFTER],
    ];
    for (const { product, origin } of merged(from, tables)) take(product, origin);
  }
  if (found.length < most) for (const product of popular(catalogue, next, relations)) take(product, 'popular');
  return found;
}

type Table = [lists: Record<string, NextProduct[]>, origin: Origin, weight: number];

/** Products that follow some seed, by the sum of their weighted scores; each with the table that gave most of it. */
function merged(seeds: readonly string[], tables: readonly Table[]): Recommendation[] {
  const sums = new Map<string, { product: string; score: number; most: number; origin: Origin }>();
  for (const [lists, origin, weight] of tables) {
    const own = new Map<string, number>();
    for (const seed of seeds) {
      if (!Object.hasOwn(lists, seed)) continue;
      for (const { product, score } of lists[seed] ?? []) own.set(product, (own.get(product) ?? 0) + score * weight);
    }
    for (const [product, score] of own) {
      const known = sums.get(product);
      if (known === undefined) sums.set(product, { product, score, most: score, origin });
      else {
        known.score += score;
        if (score > known.most) Object.assign(known, { most: score, origin });
      }
    }
  }
  return [...sums.values()].sort((a, b) => b.score - a.score || (a.product < b.product ? -1 : 1));
}

/** What is popular, of the categories of what was bought first; taken in turns over the categories. */
function popular(
  catalogue: Catalogue,
  next: NextProducts | undefined,
  relations: readonly (Catalogue['products'][string] | undefined)[],
): string[] {
  const { products, popular: named = [] } = catalogue;
  const categories = new Set(relations.flatMap((product) => product?.category ?? []));
  const isNear = (id: string): boolean => Object.hasOwn(products, id) && categories.has(products[id]?.category ?? '');
  const counted = [...categories].flatMap((category) =>
    next !== undefined && category !== '' && Object.hasOwn(next.popular, category)
      ? [next.popular[category] ?? []]
      : [],
  );
  const longest = Math.max(0, ...counted.map((list) => list.length));
  const inTurns = Array.from({ length: longest }, (_, rank) => counted.flatMap((list) => list[rank] ?? [])).flat();
  const overall = next !== undefined && Object.hasOwn(next.popular, '') ? (next.popular[''] ?? []) : [];
  return [...named.filter(isNear), ...inTurns, ...named, ...overall];
}

/** The newest products that were bought, at most `most`: the seeds where no trigger names any. */
export function latestBought(bought: Record<string, number>, most = MOST_SEEDS): string[] {
  return Object.entries(bought)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([product]) => product);
}
