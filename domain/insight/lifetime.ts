// The value of a customer: the margin that was earned, and the margin that is to be expected.
import { unitsPerMajor } from '../money.ts';
import type { Customer } from './customer.ts';
import type { Models } from './models.ts';
import { alive, expectedOrders, expectedSpend, nextOrderDay } from './predict.ts';

/**
 * Money in minor units of margin. A part is absent where what it needs is not known: no purchase model, no spend model,
 * or no order at all whose margin is known.
 */
export interface Lifetime {
  /** Margin of the orders so far: known where it is known, for the rest of the revenue by the share. May be below 0. */
  past?: number;
  alive?: number;
  orders90?: number;
  orders365?: number;
  value90?: number;
  value365?: number;
  /** `past` + `value365`. */
  lifetime?: number;
  /** A day; see `nextOrderDay`. */
  nextOrder?: number;
}

/**
 * Margin as a share of revenue: the customer's own where orders of known margin are there, else the shop's. Refunds can
 * leave next to no revenue to a loss: a share counts as −1 at the least.
 */
export function shareOf(models: Models, { margin, valued }: Customer): number | undefined {
  const own = valued > 0 ? margin / valued : Number.NaN;
  return Number.isFinite(own) ? Math.min(1, Math.max(-1, own)) : models.margin?.share;
}

/** The value of a customer on a day. Never NaN; see `Lifetime` for what may be absent. */
export function lifetimeOf(models: Models, customer: Customer, today: number): Lifetime {
  const share = shareOf(models, customer);
  const { purchases, spend } = models;
  const made: Lifetime = {};
  const unknown = customer.revenue - customer.valued;
  const past = unknown === 0 ? customer.margin : customer.margin + unknown * (share ?? Number.NaN);
  if (Number.isFinite(past)) made.past = past;
  if (purchases === undefined) return made;
  made.alive = alive(purchases, customer, today);
  made.orders90 = expectedOrders(purchases, customer, today, 90);
  made.orders365 = expectedOrders(purchases, customer, today, 365);
  const next = nextOrderDay(purchases, customer);
  if (next !== undefined) made.nextOrder = next;
  if (spend === undefined || share === undefined) return made;
  const margin = expectedSpend(spend, customer, unitsPerMajor(models.currency)) * share;
  made.value90 = made.orders90 * margin;
  made.value365 = made.orders365 * margin;
  if (made.past !== undefined) made.lifetime = made.past + made.value365;
  return made;
}

/** Margin as a share of revenue over all orders whose margin is known; `undefined` where there is none. */
export function marginShare(customers: Iterable<Customer>): number | undefined {
  let [margin, valued] = [0, 0];
  for (const customer of customers) {
    if (!Number.isFinite(customer.margin + customer.valued)) continue;
    margin += customer.margin;
    valued += customer.valued;
  }
  return valued > 0 ? margin / valued : undefined;
}

/**
 * Nine values, greatest first, that separate the tenths of the customers by lifetime value: the greatest of the tenths
 * below each. `undefined` where no value is known.
 */
export function decileCuts(models: Models, customers: Iterable<Customer>, today: number): number[] | undefined {
  const values: number[] = [];
  for (const customer of customers) {
    const { lifetime } = lifetimeOf(models, customer, today);
    if (lifetime !== undefined) values.push(lifetime);
  }
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  return Array.from({ length: 9 }, (_, i) => sorted[Math.ceil(((9 - i) / 10) * sorted.length) - 1] ?? 0);
}

/** The tenth of a lifetime value, 1 the best: 1 plus the number of cuts that it does not exceed. Equal values are in the same tenth. */
export function decileOf(cuts: readonly number[], lifetime: number): number {
  let tenth = 1;
  for (const cut of cuts) if (lifetime <= cut) tenth++;
  return tenth;
}
