// Customers with what and how they bought: the rows that groups, likeness and kinds of loyalty are made of.
import type { Customer } from './customer.ts';

/** Money in minor units of the shop's currency; orders that were cancelled count nowhere. */
export interface Buyer extends Customer {
  contact: string;
  /** Revenue of all orders before refunds, and what was refunded, credit notes included. */
  gross: number;
  refunded: number;
  /** Orders with a discount or a coupon. */
  discounted: number;
  /** By category: revenue before refunds, and orders with a line of it. Lines of no known category are left out. */
  categories: Record<string, { revenue: number; orders: number }>;
}

type Row = Record<string, unknown>;

/**
 * Buyers of the rows of the statements `customer-features` and `customer-categories`, sorted by contact so that nothing
 * hangs on the order of rows. Customers without an order are left out.
 */
export function buyersOf(features: readonly Row[], categories: readonly Row[]): Buyer[] {
  const byContact = new Map<string, Buyer>();
  for (const row of features) {
    const number = (name: string): number => finite(row[name]);
    if (number('days') < 1 || typeof row.contact !== 'string') continue;
    byContact.set(row.contact, {
      contact: row.contact,
      days: number('days'),
      first: number('first_day'),
      last: number('last_day'),
      orders: number('orders'),
      revenue: number('revenue'),
      firstRevenue: number('first_revenue'),
      margin: number('margin'),
      valued: number('valued'),
      gross: number('gross'),
      refunded: number('refunded'),
      discounted: number('discounted'),
      categories: {},
    });
  }
  for (const row of categories) {
    const buyer = typeof row.contact === 'string' ? byContact.get(row.contact) : undefined;
    if (buyer === undefined || typeof row.category !== 'string' || row.category === '') continue;
    buyer.categories[row.category] = { revenue: finite(row.revenue), orders: finite(row.orders) };
  }
  return [...byContact.values()].sort((a, b) => (a.contact < b.contact ? -1 : 1));
}

const finite = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

/** Days since the last order, at least 0: one that is dated after today counts as today's. */
export const recencyOf = (buyer: Buyer, today: number): number => Math.max(0, today - buyer.last);

/** Shares from 0 to 1; 0 where there is nothing to be a share of. */
export const discountedShare = (buyer: Buyer): number => share(buyer.discounted, buyer.orders);
export const returnedShare = (buyer: Buyer): number => share(buyer.refunded, buyer.gross);

function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
}
