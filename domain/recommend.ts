// Which products to recommend: the catalogue's relations, from what was bought, and what is popular where these end.
import type { Aim } from './campaign-grammar.ts';
import type { Catalogue } from './settings.ts';

export const MOST_RECOMMENDED = 4;

/**
 * Products to recommend, best first, at most `most`. Up-sell: the better model of each seed. Otherwise what goes well
 * with the seeds, taken in turns (the first complement of each seed before the second of any); where that is too little,
 * what is popular, best first: of the seeds' categories, then of others. Nothing that is among the seeds or was bought
 * already.
 */
export function recommend(
  catalogue: Catalogue,
  bought: Record<string, number>,
  seeds: string[],
  aim: Aim,
  most: number = MOST_RECOMMENDED,
  popular: readonly string[] = catalogue.popular ?? [],
): string[] {
  const found: string[] = [];
  const seen = new Set(seeds);
  const take = (product: string | undefined): void => {
    if (product === undefined || seen.has(product)) return;
    if (Object.hasOwn(bought, product) || !Object.hasOwn(catalogue.products, product)) return;
    seen.add(product);
    found.push(product);
  };
  const relations = seeds.flatMap((seed) => {
    const known = Object.hasOwn(catalogue.products, seed) ? catalogue.products[seed] : undefined;
    return known === undefined ? [] : [known];
  });
  if (aim === 'up-sell') {
    for (const product of relations) take(product.upgrade);
    return found.slice(0, most);
  }
  const longest = Math.max(0, ...relations.map((product) => product.complements?.length ?? 0));
  for (let rank = 0; rank < longest && found.length < most; rank++) {
    for (const product of relations) take(product.complements?.[rank]);
  }
  const categories = new Set(relations.flatMap(({ category }) => category ?? []));
  const isNear = (id: string): boolean => categories.has(categoryOf(catalogue, id) ?? '');
  for (const id of [...popular.filter(isNear), ...popular]) {
    if (found.length >= most) break;
    take(id);
  }
  return found.slice(0, most);
}

function categoryOf({ products }: Catalogue, id: string): string | undefined {
  return Object.hasOwn(products, id) ? products[id]?.category : undefined;
}

/** The newest products that were bought, at most `most`: the seeds where no trigger names any. */
export function latestBought(bought: Record<string, number>, most = 10): string[] {
  return Object.entries(bought)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([product]) => product);
}
