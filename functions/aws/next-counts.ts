// What the warehouse counts of products that go together: the statements that the model of next products is made of.
import { dateOfDay } from '../../domain/insight/customer.ts';
import type { NextCase } from '../../domain/insight/next-check.ts';
import type { NextCounts, PairCount } from '../../domain/insight/next-product.ts';
import { query } from './queries.ts';
import type { Parameters, Row, Warehouse } from './warehouse.ts';

/** What bounds the counts: so that the joins grow with the orders, and what is told rests on more than a few. */
export const NEXT_BOUNDS = {
  /** Days that count; and for what is popular, where that is enough. */
  days: 730,
  recentDays: 90,
  /** Products of a basket, and of a contact, that are paired with each other. */
  lines: 100,
  /** Products that take part, the most-bought first. */
  products: 5000,
  /** Least baskets, or contacts, that hold both; of upgrades, which are fewer. */
  support: 5,
  upgradeSupport: 3,
  /** How much dearer an upgrade is at least, as a share. */
  dearer: 0.1,
} as const;
/** Popular products of the recent days with which these are enough. */
const FEW_POPULAR = 20;
/** Partners that are fetched of each product; more than the model keeps, since that ranks by lower bounds. */
const MOST_PARTNERS = 20;
const MOST_POPULAR = 50;

export interface Counting {
  /** The last day that counts, in the shop's calendar. */
  today: number;
  /** ISO 4217. */
  currency: string;
  /** So many last days of each customer are left out: to try on them what was counted without them. */
  leave?: number;
}

/** Counts what goes together, in four statements. Answers no rows where there are no orders. */
export async function countNext(warehouse: Warehouse, counting: Counting): Promise<NextCounts> {
  const { today, currency, leave = 0 } = counting;
  const window = { since: dateOfDay(today - NEXT_BOUNDS.days), leave, currency, today };
  const bounds = { ...window, lines: NEXT_BOUNDS.lines, most: MOST_PARTNERS };
  const pairs = { ...bounds, products: NEXT_BOUNDS.products, support: NEXT_BOUNDS.support };
  const ask = (name: string, parameters: Parameters) => warehouse.rows(query(name), parameters);
  const together = await ask('pairs', pairs);
  const after = await ask('sequences', pairs);
  const upgrades = await ask('upgrades', {
    ...bounds,
    support: NEXT_BOUNDS.upgradeSupport,
    dearer: NEXT_BOUNDS.dearer,
  });
  const popularSince = (days: number) =>
    ask('popular', { ...window, since: dateOfDay(today - days), most: MOST_POPULAR });
  let popular = await popularSince(NEXT_BOUNDS.recentDays);
  if (popular.filter(({ category }) => category === '').length < FEW_POPULAR)
    popular = await popularSince(NEXT_BOUNDS.days);
  return {
    together: together.map(pairOf),
    after: after.map(pairOf),
    upgrades: upgrades.map((row) => ({
      ...pairOf(row),
      category: String(row.category),
      price: Number(row.price),
      otherPrice: Number(row.other_price),
    })),
    popular: popular.map(({ category, product, baskets }) => ({
      category: String(category),
      product: String(product),
      baskets: Number(baskets),
    })),
  };
}

function pairOf(row: Row): PairCount {
  return {
    product: String(row.product),
    other: String(row.other),
    both: Number(row.both_in),
    first: Number(row.first_in),
    second: Number(row.other_in),
    all: Number(row.all_in),
  };
}

/**
 * About so many customers, evenly drawn, with what they had bought before the `leave`-th of their last days with an order
 * and what was new on that day: what `checkNext` tries a model on that was counted with the same `leave`.
 */
export async function nextCases(
  warehouse: Warehouse,
  { today, currency, leave, customers }: Counting & { leave: number; customers: number },
): Promise<NextCase[]> {
  const rows = await warehouse.rows(query('next-cases'), { today, currency, leave, customers });
  return [...Map.groupBy(rows, ({ contact }) => contact).values()].map((own) => ({
    owned: Object.fromEntries(
      own.filter(({ target }) => target === 0).map(({ product, day }) => [String(product), Number(day)]),
    ),
    fresh: own.filter(({ target }) => target === 1).map(({ product }) => String(product)),
  }));
}
