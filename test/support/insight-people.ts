// Customers as BG/NBD draws them, the same in every run: for tests of models that are fitted to a whole shop.
import { CustomerTable } from '../../domain/insight/customer-table.ts';
import type { Refreshed } from '../../domain/insight/refresh.ts';

export interface Shop {
  seed: number;
  customers: number;
  /** The mean chance of leaving after a repeat purchase. */
  leaves: number;
  /** Mean purchases a day. */
  rate: number;
}

/** One customer: the days on which they ordered, counted from the shop's first, and what they spend at each, in minor units. */
export interface Person {
  days: number[];
  spend: number;
}

/** Uniform numbers, the same in every run: mulberry32. */
export function lots(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Days of a shop that is a year old. */
export const YEAR = 365;

/** Customers of a year: purchases at a rate that differs between them, each of which may be the last. */
export function people({ seed, customers, leaves, rate }: Shop): Person[] {
  const lot = lots(seed);
  const exponential = (mean: number): number => -Math.log(1 - lot()) * mean;
  return Array.from({ length: customers }, () => {
    const gap = 1 / (((exponential(1) + exponential(1)) / 2) * rate + 1e-4);
    const chance = Math.min(0.95, leaves * 2 * lot());
    const days: number[] = [];
    for (let at = Math.floor(lot() * (YEAR - 30)); at < YEAR; at += Math.max(1, Math.round(exponential(gap)))) {
      days.push(at);
      if (days.length > 1 && lot() < chance) break;
    }
    return { days, spend: Math.round(2000 * Math.exp(0.6 * (lot() + lot() + lot() - 1.5) * 2)) };
  });
}

/** Such customers as the statement `model-customers` gives them, the year ending today; every order has a margin of 30 %. */
export function customersOf(list: readonly Person[], today: number): CustomerTable {
  const customers = new CustomerTable();
  for (const row of rowsOf(list, today)) {
    customers.add({ ...row, first: row.first_day, last: row.last_day, firstRevenue: row.first_revenue }, today);
  }
  return customers;
}

/** The same as rows of that statement. */
export function rowsOf(list: readonly Person[], today: number) {
  return list.map(({ days, spend }, n) => {
    const wobble = (i: number): number => Math.round(spend * (0.8 + (((n * 7 + i * 13) % 41) / 41) * 0.4));
    const revenue = days.reduce((sum, _, i) => sum + wobble(i), 0);
    return {
      days: days.length,
      first_day: today - YEAR + 1 + (days[0] as number),
      last_day: today - YEAR + 1 + (days.at(-1) as number),
      orders: days.length,
      revenue,
      first_revenue: wobble(0),
      margin: Math.round(revenue * 0.3),
      valued: revenue,
    };
  });
}

/** The notes of a night, each as "part kind code". */
export const sayNotes = ({ notes }: Pick<Refreshed, 'notes'>): string =>
  notes.map(({ part, kind, code }) => `${part} ${kind} ${code}`).join('\n');
