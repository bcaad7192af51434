// Shops for the models of value: CDNOW's customers as they were, and as many simulated ones as are asked for.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Customer, dayOfDate } from '../domain/insight/customer.ts';
import type { PurchaseRows } from '../domain/insight/purchases.ts';

/** Fader and Hardie's transactions of everybody who first bought from CDNOW in the first quarter of 1997. */
export const CDNOW = resolve(import.meta.dirname, '../../shared/data/cdnow');
export const hasCdnow = (): boolean => existsSync(`${CDNOW}/CDNOW_master.txt`);

/** A day's purchases of one customer, in minor units. */
export interface Bought {
  customer: string;
  day: number;
  amount: number;
}

/** The transactions of a file of CDNOW: all 23,570 customers, or the published sample of 2,357. */
export function cdnowOrders(file: 'CDNOW_master.txt' | 'CDNOW_sample.txt'): Bought[] {
  const text = readFileSync(`${CDNOW}/${file}`, 'utf8');
  return (
    text
      .split('\n')
      // The file ends with the end-of-file mark of CP/M.
      .filter((line) => /^\s*\d/.test(line))
      .map((line) => {
        const fields = line.trim().split(/\s+/);
        const date = fields.at(-3) ?? '';
        return {
          customer: fields[0] ?? '',
          day: dayOfDate(`${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6, 8)}`),
          amount: Math.round(Number(fields.at(-1)) * 100),
        };
      })
  );
}

/** What is known of each customer at the end of a day; in the order in which they come first. Margin is not known. */
export function customersAt(orders: readonly Bought[], today: number): Customer[] {
  const days = new Map<string, Map<number, { orders: number; amount: number }>>();
  for (const { customer, day, amount } of orders) {
    if (day > today) continue;
    const own = days.get(customer) ?? new Map<number, { orders: number; amount: number }>();
    days.set(customer, own);
    const known = own.get(day) ?? { orders: 0, amount: 0 };
    own.set(day, { orders: known.orders + 1, amount: known.amount + amount });
  }
  return [...days.values()].map((own) => {
    const first = Math.min(...own.keys());
    const all = [...own.values()];
    return {
      days: own.size,
      first,
      last: Math.max(...own.keys()),
      orders: all.reduce((sum, { orders }) => sum + orders, 0),
      revenue: all.reduce((sum, { amount }) => sum + amount, 0),
      firstRevenue: own.get(first)?.amount ?? 0,
      margin: 0,
      valued: 0,
    };
  });
}

/** Numbers in [0, 1), the same for the same seed: Vigna's xorshift128+ cut to 32-bit words (Marsaglia's xor128, 2003). */
export function random(seed: number): () => number {
  let [x, y, z, w] = [123456789 ^ seed, 362436069, 521288629, 88675123];
  const next = (): number => {
    const t = x ^ (x << 11);
    [x, y, z] = [y, z, w];
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return w >>> 0;
  };
  for (let i = 0; i < 32; i++) next();
  return () => (next() + next() / 4294967296) / 4294967296;
}

/** Gamma variates of unit rate (Marsaglia and Tsang 2000). */
export function gammaVariate(shape: number, uniform: () => number): number {
  if (shape < 1) return gammaVariate(shape + 1, uniform) * (1 - uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(1 - uniform()) < (normal * normal) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

export interface Buying {
  r: number;
  alpha: number;
  a: number;
  b: number;
}

/** Visits the days after the first, to the T-th, on which somebody buys who buys and leaves as BG/NBD says. */
export function simulateRepeats(
  { r, alpha, a, b }: Buying,
  T: number,
  uniform: () => number,
  visit: (day: number) => void,
): void {
  const rate = gammaVariate(r, uniform) / alpha / 7;
  const [one, other] = [gammaVariate(a, uniform), gammaVariate(b, uniform)];
  const leaves = one / (one + other);
  let [at, day] = [0, 0];
  for (;;) {
    at -= Math.log(1 - uniform()) / rate;
    if (!(at < T + 1)) return;
    // Purchases of one day are one, as they are in use.
    if (Math.floor(at) === day) continue;
    day = Math.floor(at);
    visit(day);
    if (uniform() < leaves) return;
  }
}

/** Such customers, first seen on evenly spread days of the first half of a history. */
export function simulatedRows(size: number, buying: Buying, historyDays: number, seed: number) {
  const uniform = random(seed);
  const rows = { x: new Int32Array(size), tx: new Int32Array(size), T: new Int32Array(size) } satisfies PurchaseRows;
  for (let i = 0; i < size; i++) {
    const T = historyDays - Math.floor((i * historyDays) / 2 / size);
    let [x, tx] = [0, 0];
    simulateRepeats(buying, T, uniform, (day) => {
      x++;
      tx = day;
    });
    rows.x[i] = x;
    rows.tx[i] = tx;
    rows.T[i] = T;
  }
  return rows;
}
