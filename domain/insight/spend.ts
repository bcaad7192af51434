// What the customers of a shop spend at a purchase: Gamma-Gamma fitted by maximum likelihood.
import type { Customer } from './customer.ts';
import { digamma, lgamma, trigamma } from './gamma.ts';
import type { SpendModel } from './models.ts';
import { inverse, minimise, type Objective } from './optimise.ts';
import { inLogs } from './purchase-likelihood.ts';
import { counted, type Fitted } from './purchases.ts';

/** Customers as columns, a place each: repeat purchase days, and the mean spent on one of these in the currency's unit. */
export interface SpendRows {
  x: ArrayLike<number>;
  mean: ArrayLike<number>;
  /** Customers with repeat purchases that are not among them, because refunds left nothing of these, or less. */
  leftOut: number;
}

/** Five for each parameter. */
const LEAST_REPEATERS = 15;
/** The standard error of ln(what a new customer will spend) at which a model is worth nothing. */
const MOST_ERROR = 0.5;
/** Logarithms of p, q and v; v in units of the mean of means. At q = 1 the mean of a new customer would be infinite. */
const BOUNDS = { lower: [1e-3, 1.1, 1e-6].map(Math.log), upper: [1e3, 1e3, 1e7].map(Math.log) };
const TOLERANCE = 1e-9;
const BLOCK = 1024;

/**
 * The rows of customers as of the end of a day: of whoever ordered on two days or more and spent something on those after
 * the first, the mean of these. The first day counts in nothing, as in Fader and Hardie's CDNOW data.
 */
export function spendRows(customers: Iterable<Customer>, today: number, perMajor: number): SpendRows {
  const [x, mean]: [number[], number[]] = [[], []];
  let leftOut = 0;
  for (const { days, first, revenue, firstRevenue } of customers) {
    if (!(first <= today && days > 1)) continue;
    const repeated = revenue - firstRevenue;
    if (!(repeated > 0)) {
      leftOut++;
      continue;
    }
    x.push(days - 1);
    mean.push(repeated / (days - 1) / perMajor);
  }
  return { x, mean, leftOut };
}

/**
 * Fits Gamma-Gamma (Fader and Hardie 2013, "The Gamma-Gamma Model of Monetary Value", equation 1a) by maximum
 * likelihood. `missing`, and why, where there is too little to go by. Rows without a repeat purchase or a positive mean
 * are left out.
 */
export function fitSpend(rows: SpendRows): Fitted<SpendModel> {
  const data = gather(rows);
  const { customers, scale } = data;
  const missing = (code: string, says: string): Fitted<SpendModel> => ({ kind: 'missing', code, says });
  const without = rows.leftOut > 0 ? ` (${rows.leftOut} more spent nothing that was not refunded)` : '';
  const people = `${counted(customers, 'customer')} with something spent on repeat days${without}`;
  if (customers < LEAST_REPEATERS) {
    return missing('too-few-customers', `${people}: it takes ${LEAST_REPEATERS} to tell what people spend.`);
  }
  const found = minimise(gammaGamma(data), [Math.log(4), Math.log(4), 0], BOUNDS, TOLERANCE);
  if (!found.converged) {
    return missing('not-converged', `The fit to ${people} did not settle in ${found.iterations} steps.`);
  }
  const [p = 0, q = 0, v = 0] = Array.from(found.at, Math.exp);
  const covariance = inverse(
    found.hessian.map((entry) => entry * customers),
    found.bound,
  );
  const error = covariance === undefined ? Number.POSITIVE_INFINITY : meanError(covariance, q);
  if (!(error <= MOST_ERROR)) {
    return missing(
      'too-few-customers',
      `${people}: what a new customer will spend can be told to a factor of ${figure(Math.exp(1.96 * error))} only.`,
    );
  }
  const model: SpendModel = {
    p,
    q,
    v: v * scale,
    logLikelihood: -found.value * customers - customers * Math.log(scale),
    customers,
    correlation: correlationOf(data),
    ...(covariance === undefined ? {} : { covariance: Array.from(covariance) }),
  };
  const names = ['p', 'q', 'v'].filter((_, i) => found.bound[i]);
  const replaced =
    names.length === 0
      ? undefined
      : {
          code: 'boundary',
          says: `The fit of what people spend ends at a bound of ${names.join(' and ')} (p ${figure(p)}, q ${figure(q)}): ${
            names.includes('q') && q < 2
              ? 'a few spend so much more than the rest that a mean hardly exists'
              : 'as far as the orders tell, purchases or customers do not differ in it'
          }.`,
        };
  return { kind: 'fitted', model, ...(replaced === undefined ? {} : { replaced }), iterations: found.iterations };
}

const figure = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : 'any size');

/** The standard error of ln(p·v/(q − 1)) from the covariance of the logarithms. */
function meanError(covariance: Float64Array, q: number): number {
  const slopes = [1, -q / (q - 1), 1];
  let variance = 0;
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) variance += (slopes[i] ?? 0) * (slopes[j] ?? 0) * (covariance[i * 3 + j] ?? 0);
  }
  return Math.sqrt(Math.max(0, variance));
}

interface Gathered {
  customers: number;
  /** The mean of the means, in which they are counted. */
  scale: number;
  x: Float64Array;
  mean: Float64Array;
  /** The distinct x, and how many customers have each. */
  distinct: [x: number, many: number][];
  /** x·mean, its logarithm, and Σ ln mean. */
  totals: Float64Array;
  logTotals: Float64Array;
  logs: number;
}

function gather(rows: SpendRows): Gathered {
  const places: number[] = [];
  let total = 0;
  for (let i = 0; i < Math.min(rows.x.length, rows.mean.length); i++) {
    const [x, mean] = [rows.x[i] ?? 0, rows.mean[i] ?? 0];
    if (!(x >= 1 && mean > 0 && x < 1e9 && mean < 1e300)) continue;
    places.push(i);
    total += mean;
  }
  const customers = places.length;
  const scale = customers === 0 ? 1 : total / customers;
  const x = Float64Array.from(places, (i) => rows.x[i] ?? 0);
  const mean = Float64Array.from(places, (i) => (rows.mean[i] ?? 0) / scale);
  const many = new Map<number, number>();
  let logs = 0;
  for (let from = 0; from < customers; from += BLOCK) {
    let some = 0;
    for (let i = from; i < Math.min(from + BLOCK, customers); i++) {
      many.set(x[i] ?? 0, (many.get(x[i] ?? 0) ?? 0) + 1);
      some += Math.log(mean[i] ?? 1);
    }
    logs += some;
  }
  const totals = x.map((times, i) => times * (mean[i] ?? 0));
  return { customers, scale, x, mean, distinct: [...many], totals, logTotals: totals.map(Math.log), logs };
}

/**
 * Minus the mean of ln L in ln p, ln q and ln v, where
 * L = Γ(px+q)/(Γ(px)·Γ(q)) · v^q · m^(px−1) · x^(px) / (x·m + v)^(px+q). With y = x·m and w = ln(1 + v/y), its logarithms
 * are −px·w − q·(w − ln(v/y)) − ln m: apart they would be great and lose their digits where p is.
 */
function gammaGamma({ customers, x, totals, logTotals, distinct, logs }: Gathered): Objective {
  return (at, gradient, hessian) => {
    const [p, q, v] = [at[0] ?? 0, at[1] ?? 0, at[2] ?? 0].map(Math.exp) as [number, number, number];
    const logV = Math.log(v);
    let value = -customers * lgamma(q) - logs;
    let [dp, dq, dv] = [0, -customers * digamma(q), 0];
    let [dpp, dpq, dpv] = [0, 0, 0];
    let [dqq, dqv, dvv] = [-customers * trigamma(q), 0, 0];
    for (const [times, many] of distinct) {
      const [shape, both] = [p * times, p * times + q];
      const curve = trigamma(both);
      const slope = digamma(both);
      value += many * (lgamma(both) - lgamma(shape));
      dp += many * times * (slope - digamma(shape));
      dq += many * slope;
      dpp += many * times * times * (curve - trigamma(shape));
      dpq += many * times * curve;
      dqq += many * curve;
    }
    // Block by block: a sum of a million equal terms would lose six of its digits.
    for (let from = 0; from < customers; from += BLOCK) {
      let [above, below, slopes, curves, inverses, shares] = [0, 0, 0, 0, 0, 0];
      for (let i = from; i < Math.min(from + BLOCK, customers); i++) {
        const times = x[i] as number;
        const total = totals[i] as number;
        const log = Math.log1p(v / total);
        const inverse = 1 / (total + v);
        const slope = (q * total - p * times * v) * inverse;
        above += times * log;
        below += log - (logV - (logTotals[i] as number));
        inverses += times * inverse;
        shares += total * inverse;
        slopes += slope;
        // v²·(−q/v² + (px + q)/(y + v)²)
        curves += (p * times * v * v - q * total * (total + 2 * v)) * inverse * inverse;
      }
      value -= p * above + q * below;
      dp -= above;
      dq -= below;
      dv += slopes / v;
      dpv -= inverses;
      dqv += shares / v;
      dvv += curves / (v * v);
    }
    return inLogs(
      [p, q, v],
      [dp, dq, dv],
      [dpp, dpq, dpv, dpq, dqq, dqv, dpv, dqv, dvv],
      customers,
      gradient,
      hessian,
      value,
    );
  };
}

/** Pearson's, of repeat purchases and their mean: the model takes the two to be independent. 0 where one does not vary. */
function correlationOf({ customers, x, mean }: Gathered): number {
  let [sumX, sumM] = [0, 0];
  for (let i = 0; i < customers; i++) {
    sumX += x[i] ?? 0;
    sumM += mean[i] ?? 0;
  }
  let [xx, mm, xm] = [0, 0, 0];
  for (let i = 0; i < customers; i++) {
    const [dx, dm] = [(x[i] ?? 0) - sumX / customers, (mean[i] ?? 0) - sumM / customers];
    xx += dx * dx;
    mm += dm * dm;
    xm += dx * dm;
  }
  // Sums of equal numbers leave their last bits.
  const varies = xx > 1e-20 * customers * sumX && mm > 1e-20 * customers;
  return varies ? Math.max(-1, Math.min(1, xm / Math.sqrt(xx * mm))) : 0;
}
