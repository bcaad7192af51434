// Recency, frequency, money: scores from 1 to 5 over the shop's own customers, and what their cells are called.
import type { Customer } from './customer.ts';
import type { RfmCuts } from './models.ts';

export interface RfmScores {
  recency: number;
  frequency: number;
  money: number;
}

/** In the order in which people read them. */
export const RFM_GROUPS = [
  'champions',
  'loyal',
  'potential',
  'new',
  'promising',
  'needs attention',
  'at risk',
  'cannot lose',
  'hibernating',
  'lost',
] as const;

export type RfmGroup = (typeof RFM_GROUPS)[number];

/**
 * The cuts between the fifths of the customers: of recency (days since the last order), frequency (days with an order)
 * and money (revenue). A cut is the greatest value of the fifths below it, so a fifth is smaller or larger where values
 * tie: equal values score alike. `undefined` without customers.
 */
export function rfmCuts(customers: Iterable<Customer>, today: number): RfmCuts | undefined {
  const [recency, frequency, money]: number[][] = [[], [], []];
  for (const customer of customers) {
    if (!Number.isFinite(customer.last + customer.days + customer.revenue)) continue;
    recency?.push(today - customer.last);
    frequency?.push(customer.days);
    money?.push(customer.revenue);
  }
  if (recency === undefined || frequency === undefined || money === undefined || recency.length === 0) return undefined;
  return { recency: fifths(recency), frequency: fifths(frequency), money: fifths(money) };
}

function fifths(values: number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  return [1, 2, 3, 4].map((i) => sorted[Math.ceil((i * sorted.length) / 5) - 1] ?? 0);
}

function exceeded(cuts: readonly number[], value: number): number {
  let count = 0;
  for (const cut of cuts) if (value > cut) count++;
  return count;
}

/** The scores of a customer on a day, 5 the best of each. Recency falls as days pass; the other two stay until an order. */
export function rfmScores(cuts: RfmCuts, customer: Customer, today: number): RfmScores {
  return {
    recency: 5 - exceeded(cuts.recency, today - customer.last),
    frequency: 1 + exceeded(cuts.frequency, customer.days),
    money: 1 + exceeded(cuts.money, customer.revenue),
  };
}

/**
 * The name of a cell; each of the 125 has one, by the first line that holds:
 *
 * | group           | recency | frequency, money                                  |
 * |-----------------|---------|---------------------------------------------------|
 * | champions       | 4–5     | both 4–5                                          |
 * | loyal           | 4–5     | frequency 3–5                                     |
 * | loyal           | 3       | frequency 4–5                                     |
 * | potential       | 4–5     | frequency 2, or money 4–5                         |
 * | new             | 5       | the rest: frequency 1, money 1–3                  |
 * | promising       | 4       | the rest                                          |
 * | promising       | 3       | frequency 1–2 and money 1–3                       |
 * | needs attention | 3       | the rest: frequency 3, or money 4–5               |
 * | cannot lose     | 1       | both 4–5                                          |
 * | at risk         | 1–2     | frequency 3–5, or money 4–5                       |
 * | hibernating     | 2       | the rest                                          |
 * | lost            | 1       | the rest                                          |
 */
export function rfmGroup({ recency, frequency, money }: RfmScores): RfmGroup {
  const best = frequency >= 4 && money >= 4;
  if (recency >= 4) {
    if (best) return 'champions';
    if (frequency >= 3) return 'loyal';
    if (frequency === 2 || money >= 4) return 'potential';
    return recency === 5 ? 'new' : 'promising';
  }
  if (recency === 3) {
    if (frequency >= 4) return 'loyal';
    return frequency <= 2 && money <= 3 ? 'promising' : 'needs attention';
  }
  if (best && recency === 1) return 'cannot lose';
  if (frequency >= 3 || money >= 4) return 'at risk';
  return recency === 2 ? 'hibernating' : 'lost';
}
