// What insight has fitted to the shop: one document, a version of its own beside the definitions, read by rules at "now".

/** Days of the shop's calendar are numbers since 1970-01-01; money is in minor units of the shop's currency. */
export interface Models {
  shape: 1;
  /** When it was made, epoch milliseconds, and the last day whose orders are in it. */
  at: number;
  today: number;
  currency: string;
  /** What it was made of. */
  customers: number;
  orders: number;
  rfm?: Scored<RfmCuts>;
  purchases?: Scored<PurchaseModel>;
  spend?: Scored<SpendModel>;
  /** Margin as a share of revenue, over the orders whose margin is known. */
  margin?: Scored<{ share: number }>;
  /** Lifetime values that separate the tenths of customers, greatest first: nine numbers. */
  deciles?: Scored<{ cuts: number[] }>;
  next?: Scored<NextProducts>;
  groups?: Scored<Groups>;
  /** What was not fitted anew, or not at all, and why: said to people. */
  notes: ModelNote[];
}

/** A part of the models, with the day whose orders it was fitted to: an older one where the last fit was refused. */
export type Scored<T> = T & { asOf: number };

export const MODEL_PARTS = ['rfm', 'purchases', 'spend', 'margin', 'deciles', 'next', 'groups'] as const;
export type ModelPart = (typeof MODEL_PARTS)[number];

/** Models as the book holds them: under a hash of their own, counted with each change. */
export interface PublishedModels {
  hash: string;
  /** One more with each models that were put in the place of others; 1 of the first. */
  ordinal: number;
  /** Of each part the ordinal from which on it has always been there. */
  since: Partial<Record<ModelPart, number>>;
  models: Models;
}

export interface ModelNote {
  part: ModelPart;
  /** `replaced`: a simpler model stands in; `kept`: the last good one stays; `missing`: there is none. */
  kind: 'replaced' | 'kept' | 'missing';
  /** A stable word for the reason: `too-few-customers`, `degenerate`, `not-converged`, `drift` … */
  code: string;
  /** A sentence, with the numbers. */
  says: string;
}

/**
 * Four cuts each, ascending: the score is 1 plus the number of cuts that a value exceeds, so equal values score alike.
 * Of recency in days since the last order, where the score is 5 less that number. 5 is best everywhere.
 */
export interface RfmCuts {
  recency: number[];
  frequency: number[];
  money: number[];
}

/**
 * How people buy and leave. `bg/nbd`: Fader, Hardie and Lee 2005. `nbd`: the model nested in it in which nobody leaves
 * (Ehrenberg 1959), where BG/NBD degenerates; a and b are absent. Time in weeks: `alpha` is.
 */
export interface PurchaseModel {
  kind: 'bg/nbd' | 'nbd';
  r: number;
  alpha: number;
  a?: number;
  b?: number;
  logLikelihood: number;
  customers: number;
  /** Covariance of the logarithms of the parameters, in their order above, row by row; absent where it is not to be had. */
  covariance?: number[];
}

/**
 * What people spend at a purchase: Gamma-Gamma, Fader and Hardie 2013. In the currency's major units: `v` is.
 * `correlation`: of frequency and mean spend, which the model takes to be independent.
 */
export interface SpendModel {
  p: number;
  q: number;
  v: number;
  logLikelihood: number;
  customers: number;
  correlation: number;
  covariance?: number[];
}

/** Products by what was bought with them, after them and in their place; best first, at most ten each. */
export interface NextProducts {
  /** In the same basket. */
  together: Record<string, NextProduct[]>;
  /** In a later order. */
  after: Record<string, NextProduct[]>;
  /** What buyers moved on to: a dearer product of the same category. */
  upgrades: Record<string, NextProduct[]>;
  /** Best-selling products by category, and over all under the empty name. */
  popular: Record<string, string[]>;
}

export interface NextProduct {
  product: string;
  /** By which it is ranked, and which adds up over several products: its surplus over chance, at least (`scoreOf`). */
  score: number;
  confidence: number;
  lift: number;
  /** Baskets, or customers, that hold both. */
  count: number;
}

/** Discovered groups: centres in the space of `features`, by which a later run finds the same groups again. */
export interface Groups {
  features: { name: string; mean: number; deviation: number }[];
  /** How many ids were ever given, so that none is given twice. */
  given: number;
  groups: { id: string; title: string; centre: number[]; customers: number }[];
}
