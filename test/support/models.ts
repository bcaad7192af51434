// Models as a shop may have them, with fixed parameters.
import type { Models } from '../../domain/insight/models.ts';

/** How people buy: CDNOW's parameters, a shop that nobody leaves, and one in which people leave at once. */
export const PURCHASES = {
  cdnow: {
    asOf: 0,
    kind: 'bg/nbd',
    r: 0.2426,
    alpha: 4.4135,
    a: 0.7929,
    b: 2.4258,
    logLikelihood: -9582,
    customers: 9,
  },
  faithful: { asOf: 0, kind: 'nbd', r: 1.4, alpha: 9.2, logLikelihood: -1, customers: 900 },
  fickle: { asOf: 0, kind: 'bg/nbd', r: 2.1, alpha: 3.3, a: 1.9, b: 1.2, logLikelihood: -1, customers: 900 },
} as const;

/** Models of a shop that sells in EUR, with a share of margin where no product's own is known. */
export function modelsOf(kind: keyof typeof PURCHASES, share = 0.4): Models {
  return {
    shape: 1,
    at: 0,
    today: 0,
    currency: 'EUR',
    customers: 900,
    orders: 2000,
    rfm: { asOf: 0, recency: [7, 31, 90, 151], frequency: [1, 1, 2, 4], money: [3000, 9000, 42_000, 90_000] },
    purchases: PURCHASES[kind],
    spend: { asOf: 0, p: 6.25, q: 3.74, v: 75.44, logLikelihood: -1, customers: 900, correlation: 0.1 },
    margin: { asOf: 0, share },
    deciles: { asOf: 0, cuts: [40_000, 20_000, 12_000, 9000, 7000, 4000, 2500, 1200, 400] },
    notes: [],
  };
}
