// What the models say of one customer on one day: alive or gone, orders to come, spend, and the days on which that turns.
import type { Customer } from './customer.ts';
import type { PurchaseModel, SpendModel } from './models.ts';

const WEEK = 7;
/** Beyond ten years a date says nothing. */
const FURTHEST = 3650;

/*
 * All of it in whole days of the shop's calendar, without allocation. A day before the customer's last order (an order
 * dated in the future) counts as the day of that order; no input gives NaN. As a customer who does not order gets older,
 * `alive` and `expectedOrders` never rise: so "under 0.5" turns once, and stays turned until an order.
 */

/** x, the repeat purchases: days with an order but the first. */
const repeats = (customer: Customer): number => (customer.days > 1 ? customer.days - 1 : 0);

/** t_x and T in weeks, with 0 ≤ t_x ≤ T. */
const recency = (customer: Customer): number => {
  const weeks = (customer.last - customer.first) / WEEK;
  return weeks > 0 ? weeks : 0;
};
const age = (customer: Customer, today: number): number => {
  const weeks = (today - customer.first) / WEEK;
  const least = recency(customer);
  return weeks > least ? weeks : least;
};

/** What the models read of a customer on a day: x, and t_x and T in weeks. */
export function purchaseState(customer: Customer, today: number): { x: number; recency: number; age: number } {
  return { x: repeats(customer), recency: recency(customer), age: age(customer, today) };
}

/**
 * The probability that the customer still buys here, from 0 to 1: P(alive) of BG/NBD as of the end of `today` (Fader,
 * Hardie and Lee 2005; the closed form of their note on it, 2008). Exactly 1 for whoever bought on one day only — in
 * BG/NBD people leave right after a repeat purchase — and in `nbd`, where nobody leaves.
 */
export function alive(model: PurchaseModel, customer: Customer, today: number): number {
  return aliveAt(model, repeats(customer), recency(customer), age(customer, today));
}

function aliveAt({ r, alpha, a, b }: PurchaseModel, x: number, tx: number, age: number): number {
  if (a === undefined || b === undefined || x === 0) return 1;
  const odds = (a / (b + x - 1)) * Math.exp((r + x) * Math.log((alpha + age) / (alpha + tx)));
  return 1 / (1 + odds);
}

/**
 * The first day on which `alive` is under `probability`: the day of the last order at the earliest. `undefined` where
 * that never comes, or not within ten years of the last order.
 */
export function aliveUntil(model: PurchaseModel, customer: Customer, probability: number): number | undefined {
  const { r, alpha, a, b } = model;
  const x = repeats(customer);
  if (!Number.isFinite(customer.last)) return undefined;
  if (probability > 1) return customer.last;
  if (a === undefined || b === undefined || x === 0 || !(probability > 0)) return undefined;
  const under = (day: number): boolean => alive(model, customer, day) < probability;
  if (under(customer.last)) return customer.last;
  const odds = ((1 - probability) / probability) * ((b + x - 1) / a);
  const weeks = (alpha + recency(customer)) * Math.exp(Math.log(odds) / (r + x)) - alpha;
  const about = customer.first + Math.floor(weeks * WEEK);
  if (!(about - customer.last <= FURTHEST)) return undefined;
  // The closed form is right to the last bits; a day is decided by the function itself.
  let day = Math.max(about - 1, customer.last);
  while (!under(day)) day++;
  return day;
}

/**
 * Days with an order that are to be expected in the `days` days after `today`, P(alive) weighed in: equation 10 of
 * Fader, Hardie and Lee 2005, for any a > 0. Of the paper's hypergeometric function this sums the series of which every
 * term is positive: the chance that the customer would order a j-th time (negative binomial), times the chance of
 * having stayed through the j − 1 orders before (beta). Relative error under 1e-9.
 */
export function expectedOrders(model: PurchaseModel, customer: Customer, today: number, days: number): number {
  const x = repeats(customer);
  const tx = recency(customer);
  const weeks = age(customer, today);
  const t = days / WEEK;
  if (!(t > 0)) return 0;
  if (model.a === undefined || model.b === undefined) return ((model.r + x) * t) / (model.alpha + weeks);
  return aliveAt(model, x, tx, weeks) * stayed(model.a, model.b + x, model.r + x, t / (model.alpha + weeks));
}

const MOST_TERMS = 500;
/** 1/k: a division less in each term. */
const INVERSES = Float64Array.from({ length: 1024 }, (_, k) => 1 / k);

/** E[(1 − (1 + p·z)^−ρ)/p] for p ~ Beta(a, b): orders of somebody who is still here, where z is the time in units of α + T. */
function stayed(a: number, b: number, rho: number, z: number): number {
  const log = Math.log1p(z);
  if (rho * log > 600 || (rho + 25) * z > MOST_TERMS) return integrated(a, b, rho, z);
  const zeta = z / (1 + z);
  let chance = Math.exp(-rho * log);
  let stays = 1;
  let orders = 0;
  let sum = 0;
  for (let k = 1; ; k++) {
    chance *= zeta * (rho + k - 1) * (INVERSES[k] ?? 1 / k);
    orders += stays;
    stays *= (b + k - 1) / (a + b + k - 1);
    const term = chance * orders;
    sum += term;
    // What is left is less than a geometric series with the ratio ζ(ρ + k)/k.
    if (term * k <= 1e-10 * sum * (k * (1 - zeta) - rho * zeta)) return sum;
  }
}

/** The same by the trapezoidal rule over the logit of p, where the series would be long. */
function integrated(a: number, b: number, rho: number, z: number): number {
  const width = Math.sqrt(1 / a + 1 / b);
  const middle = Math.log(a / b);
  const end = Math.asinh(Math.max(12, 45 / (Math.min(a, b) * width)));
  const step = end / Math.ceil(end / 0.03);
  // The density at its middle is taken as 1: it cancels.
  const top = -a * Math.log1p(b / a) - b * Math.log1p(a / b);
  let sum = 0;
  let weights = 0;
  for (let tau = -end; tau <= end; tau += step) {
    const y = middle + width * Math.sinh(tau);
    const p = 1 / (1 + Math.exp(-y));
    const less = -Math.log1p(Math.exp(-Math.abs(y)));
    const logP = y > 0 ? less : y + less;
    const logQ = y > 0 ? less - y : less;
    const weight = Math.exp(a * logP + b * logQ - top) * Math.cosh(tau);
    weights += weight;
    sum += weight * (p * z < 1e-12 ? rho * z : -Math.expm1(-rho * Math.log1p(p * z)) / p);
  }
  return sum / weights;
}

/**
 * The day by which the next order was to be expected when the last one was made: that by which, seen from there, the
 * customer has more likely than not ordered again. It stands still until the next order, so that "two weeks after it"
 * comes; in the past, the customer is late. `undefined` where it is more likely than not that no order follows, or none
 * within ten years.
 */
export function nextOrderDay(model: PurchaseModel, customer: Customer): number | undefined {
  const [x, tx] = [repeats(customer), recency(customer)];
  const gone = 1 - 0.5 / aliveAt(model, x, tx, tx);
  if (!(gone > 0)) return undefined;
  const weeks = (model.alpha + tx) * Math.expm1(-Math.log(gone) / (model.r + x));
  const days = Math.ceil(weeks * WEEK);
  return days <= FURTHEST && Number.isFinite(customer.last) ? customer.last + Math.max(1, days) : undefined;
}

/**
 * What the customer is expected to spend on a day with an order, in minor units (`perMajor` of them in the currency's
 * unit, which is the model's): the mean of the repeat days shrunk towards the shop's, Gamma-Gamma as in note 025 of
 * Fader and Hardie (2013). The shop's own mean for whoever bought on one day only; a mean below 0 counts as 0.
 */
export function expectedSpend({ p, q, v }: SpendModel, customer: Customer, perMajor: number): number {
  const x = repeats(customer);
  const repeated = customer.revenue - customer.firstRevenue;
  const spent = x > 0 && repeated > 0 && Number.isFinite(repeated) ? repeated / perMajor : 0;
  return ((p * (v + spent)) / (p * x + q - 1)) * perMajor;
}
