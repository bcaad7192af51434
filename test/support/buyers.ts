// A shop's customers as insight sees them: kinds of people who were made on purpose, and the real wholesaler's.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Buyer } from '../../domain/insight/buyers.ts';
import { fixedNumbers } from '../../domain/insight/clusters.ts';

export const TODAY = 20_000;
export const READING = { today: TODAY, unit: 100 };

/** One customer: by default one order of 50.00 a hundred days ago. */
export function buyer(contact: string, given: Partial<Buyer> = {}): Buyer {
  const day = TODAY - 100;
  const orders = given.orders ?? given.days ?? 1;
  const gross = given.gross ?? given.revenue ?? 5000 * orders;
  const refunded = given.refunded ?? 0;
  return {
    contact,
    days: orders,
    first: given.last ?? day,
    last: day,
    orders,
    revenue: gross - refunded,
    firstRevenue: Math.round((gross - refunded) / Math.max(1, orders)),
    margin: 0,
    valued: 0,
    gross,
    refunded,
    discounted: 0,
    categories: {},
    ...given,
  };
}

/** The kinds of which `shop` is made, with their parts of its people. */
const PEOPLE = [
  // name, part, purchases, days since the last, an order, categories by weight, share of discounts, of returns
  {
    kind: 'enthusiast',
    part: 0.15,
    days: 9,
    since: 15,
    order: 24_000,
    buys: { Cameras: 3, Lenses: 4, Film: 1 },
    discounts: 0.05,
    returns: 0.02,
  },
  {
    kind: 'bargain hunter',
    part: 0.2,
    days: 4,
    since: 60,
    order: 3500,
    buys: { Film: 5, Bags: 2 },
    discounts: 0.92,
    returns: 0.03,
  },
  {
    kind: 'once',
    part: 0.4,
    days: 1,
    since: 250,
    order: 6000,
    buys: { Cameras: 1, Film: 2, Bags: 2 },
    discounts: 0.1,
    returns: 0.02,
  },
  {
    kind: 'returner',
    part: 0.1,
    days: 3,
    since: 90,
    order: 11_000,
    buys: { Bags: 6, Cameras: 1 },
    discounts: 0.1,
    returns: 0.55,
  },
  {
    kind: 'album maker',
    part: 0.15,
    days: 3,
    since: 45,
    order: 4500,
    buys: { Albums: 7, Film: 1 },
    discounts: 0.1,
    returns: 0.02,
  },
] as const;

/**
 * A shop of five kinds of customers, by a fixed seed: what kind each of them is, is what discovered groups are held
 * against. No kind is a point: purchases, recency, spend and shares all vary, and categories overlap.
 */
export function shop(customers: number, seed = 1): { buyers: Buyer[]; kinds: number[] } {
  const next = fixedNumbers(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const kinds: number[] = [];
  const buyers = Array.from({ length: customers }, (_, i) => {
    let draw = next();
    const kind = Math.max(
      0,
      PEOPLE.findIndex(({ part }) => {
        draw -= part;
        return draw < 0;
      }),
    );
    kinds.push(kind);
    const { days: usual, since, order, buys, discounts, returns } = PEOPLE[kind] as (typeof PEOPLE)[number];
    const days = usual === 1 ? 1 : Math.max(1, Math.round(usual * Math.exp(0.3 * normal())));
    const age = Math.min(700, Math.max(0, Math.round(since * Math.exp(0.5 * normal()))));
    const categories: Buyer['categories'] = {};
    let [gross, refunded, discounted] = [0, 0, 0];
    const weighted = Object.entries(buys);
    const all = weighted.reduce((sum, [, weight]) => sum + weight, 0);
    for (let one = 0; one < days; one += 1) {
      const worth = Math.max(500, Math.round(order * Math.exp(0.4 * normal())));
      let pick = next() * all;
      const [category] = weighted.find(([, weight]) => {
        pick -= weight;
        return pick < 0;
      }) ?? ['Film'];
      const known = categories[category] ?? { revenue: 0, orders: 0 };
      categories[category] = { revenue: known.revenue + worth, orders: known.orders + 1 };
      gross += worth;
      if (next() < discounts) discounted += 1;
      if (next() < returns) refunded += worth;
    }
    const last = TODAY - age;
    return buyer(`c${String(i).padStart(6, '0')}`, {
      days,
      first: last - (days - 1) * (20 + Math.floor(40 * next())),
      last,
      gross,
      refunded,
      revenue: gross - refunded,
      discounted,
      categories,
    });
  });
  return { buyers, kinds };
}

export const ROOT = resolve(import.meta.dirname, '../..');
const DATA = resolve(ROOT, '../shared/data/online_retail_2010_2011');
export const ONLINE_RETAIL = {
  orders: `${DATA}/online_retail.csv.gz`,
  sample: `${DATA}/online_retail_sample_custmod10.csv`,
  mapping: resolve(ROOT, 'templates/imports/online-retail.json'),
  missing: !existsSync(DATA),
};
