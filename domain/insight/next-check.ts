// How well recommendations do: the last orders of customers are left out, and tried to be told from what went before.
import { recommend } from '../recommend.ts';
import type { Catalogue } from '../settings.ts';
import type { NextProducts } from './models.ts';
import { shareInterval, Z } from './next-product.ts';

/** One customer: what they had bought, with the day on which they did last, and what was new to them in the order left out. */
export interface NextCase {
  owned: Record<string, number>;
  fresh: readonly string[];
}

/** Customers with a hit among the first 3 and the first 10 products that were told. */
export interface HitRate {
  hits: number;
  rate: number;
  /** 95 %, by Wilson's score. */
  low: number;
  high: number;
}

export interface NextCheck {
  /** Customers who were tried: those with something new in the order that was left out. */
  customers: number;
  at: {
    most: number;
    model: HitRate;
    popular: HitRate;
    /** The difference of the two rates, of the same customers, with its interval of 95 %. */
    better: { by: number; low: number; high: number };
  }[];
}

const DEPTHS = [3, 10] as const;

/**
 * Tries the model on customers, by the very function that e-mails are made with: it starts from what they bought on their
 * newest day, and offers nothing that they own. Beside it what is most popular over all and not owned. A hit is any of
 * the products told that is new in the order left out. `next` must not know that order. The relations that a marketer put
 * into the catalogue have no part in it, nor has stock.
 */
export function checkNext(cases: readonly NextCase[], next: NextProducts, catalogue: Catalogue): NextCheck {
  const tried = cases.filter(({ owned, fresh }) => fresh.length > 0 && Object.keys(owned).length > 0);
  const deepest = Math.max(...DEPTHS);
  const bare = withoutRelations(catalogue);
  const overall = Object.hasOwn(next.popular, '') ? (next.popular[''] ?? []) : [];
  const places = tried.map(({ owned, fresh }) => {
    const wanted = new Set(fresh);
    const place = (list: readonly string[]): number => {
      const found = list.findIndex((product) => wanted.has(product));
      return found < 0 ? Number.POSITIVE_INFINITY : found;
    };
    const told = recommend({ catalogue: bare, next }, owned, newest(owned), 'cross-sell', deepest);
    return {
      model: place(told.map(({ product }) => product)),
      popular: place(overall.filter((product) => !Object.hasOwn(owned, product)).slice(0, deepest)),
    };
  });
  return {
    customers: tried.length,
    at: DEPTHS.map((most) => {
      const hit = (of: 'model' | 'popular') => places.filter((place) => place[of] < most).length;
      const only = (of: 'model' | 'popular', not: 'model' | 'popular') =>
        places.filter((place) => place[of] < most && place[not] >= most).length;
      return {
        most,
        model: rateOf(hit('model'), tried.length),
        popular: rateOf(hit('popular'), tried.length),
        better: pairedDifference(only('model', 'popular'), only('popular', 'model'), tried.length),
      };
    }),
  };
}

function rateOf(hits: number, of: number): HitRate {
  const [low, high] = shareInterval(hits, of);
  return { hits, rate: of > 0 ? hits / of : 0, low, high };
}

/** Wald's interval of a difference of paired shares (Agresti 2013, section 11.1); 0 and the widest where nobody was tried. */
function pairedDifference(gained: number, lost: number, of: number): { by: number; low: number; high: number } {
  if (of === 0) return { by: 0, low: -1, high: 1 };
  const by = (gained - lost) / of;
  const deviation = Math.sqrt(Math.max(0, gained + lost - (gained - lost) ** 2 / of)) / of;
  return { by, low: Math.max(-1, by - Z * deviation), high: Math.min(1, by + Z * deviation) };
}

/** What was bought on the newest day. */
function newest(owned: Record<string, number>): string[] {
  const last = Math.max(...Object.values(owned));
  return Object.keys(owned).filter((product) => owned[product] === last);
}

function withoutRelations({ products }: Catalogue): Catalogue {
  const bare = Object.entries(products).map(([id, { name, category }]): [string, Catalogue['products'][string]] => [
    id,
    { name, ...(category === undefined ? {} : { category }) },
  ]);
  return { products: Object.fromEntries(bare) };
}
