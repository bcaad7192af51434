// How the customers of a shop buy and leave: BG/NBD fitted by maximum likelihood, with an honest answer where it cannot be.
import type { Customer } from './customer.ts';
import { logError } from './interval.ts';
import type { ModelNote, PurchaseModel } from './models.ts';
import { inverse, type Minimum, minimise } from './optimise.ts';
import { expectedOrders } from './predict.ts';
import { bgNbd, type Collapsed, nbd } from './purchase-likelihood.ts';

/** Customers as columns, a place each: repeat purchase days, and whole days from the first order to the last and to today. */
export interface PurchaseRows {
  x: ArrayLike<number>;
  tx: ArrayLike<number>;
  T: ArrayLike<number>;
  /** How many customers each row stands for; 1 where absent. */
  count?: ArrayLike<number>;
}

/** A model and what is to be said of it, or why there is none. */
export type Fitted<M> =
  | { kind: 'fitted'; model: M; replaced?: Said; iterations: number }
  | { kind: 'missing'; code: ModelNote['code']; says: string };

/** A stable word, and a sentence with the numbers. */
export interface Said {
  code: ModelNote['code'];
  says: string;
}

const WEEK = 7;
/** A history that reaches less far back than the nearest horizon says nothing of it. */
const LEAST_HISTORY = 90;
/** Five for each parameter: of shops simulated with fewer, a quarter of the intervals missed what then happened. */
const LEAST_REPEATERS = 20;
/** The standard error of ln(orders to come) at which a model is worth nothing: 95 % within a factor of 2.7 either way. */
const MOST_ERROR = 0.5;
/** A century: whoever ordered before that has a wrong date. */
const OLDEST = 36_525;
/**
 * BG/NBD is degenerate where its maximum gains nothing over the model in which nobody leaves; or where fewer leave after
 * an order than one in a hundred, and the gain in log-likelihood is less than its two more parameters (Akaike 1974).
 */
const isDegenerate = (gain: number, leaves: number): boolean => !(gain > 0.01) || (leaves < 0.01 && gain < 2);

/**
 * The rows of customers as of the end of a day. Whoever first ordered after it is left out; an order after it, of
 * somebody known before, makes the customer as old as that order.
 */
export function purchaseRows(customers: Iterable<Customer>, today: number): PurchaseRows {
  const [x, tx, T]: [number[], number[], number[]] = [[], [], []];
  for (const { days, first, last } of customers) {
    if (!(first <= today && days >= 1)) continue;
    const between = Math.max(0, last - first);
    x.push(days - 1);
    tx.push(between);
    T.push(Math.max(today - first, between));
  }
  return { x, tx, T };
}

/**
 * Fits BG/NBD (Fader, Hardie and Lee 2005, equation 6) by maximum likelihood, or the model nested in it where its
 * maximum is one in which nobody leaves (`degenerate`). At a bound of a parameter (everybody alike) the model stands,
 * and that is said (`boundary`). `missing`, and why, where there is too little to go by. Rows that are none (not whole,
 * below 0, tx > T, older than a century) are left out. Equal rows cost as much as one.
 */
export function fitPurchases(rows: PurchaseRows): Fitted<PurchaseModel> {
  const data = collapse(rows);
  const { customers, repeaters, oldest } = data;
  const missing = (code: string, says: string): Fitted<PurchaseModel> => ({ kind: 'missing', code, says });
  if (customers === 0) return missing('no-orders', 'No customer has an order.');
  const people = `${counted(customers, 'customer')}, ${repeaters} of them with orders on more than one day`;
  if (oldest < LEAST_HISTORY) {
    return missing(
      'too-short',
      `The first order is ${counted(oldest, 'day')} old: it takes ${LEAST_HISTORY} days of orders to look ${LEAST_HISTORY} days ahead.`,
    );
  }
  if (repeaters < LEAST_REPEATERS) {
    return missing(
      'too-few-customers',
      `${people}: it takes ${LEAST_REPEATERS} such to tell how often people come back.`,
    );
  }

  const nested = minimise(nbd(data), [Math.log(0.5), Math.log(data.meanWeeks)], BOUNDS.nbd, TOLERANCE);
  const start = [...nested.at, Math.log(0.8), Math.log(2.4)];
  const full = minimise(bgNbd(data), start, BOUNDS.bgNbd, TOLERANCE);
  const [a, b] = [Math.exp(full.at[2] ?? 0), Math.exp(full.at[3] ?? 0)];
  const gain = (nested.value - full.value) * customers;
  const leaves = a / (a + b);
  const degenerate = isDegenerate(gain, leaves);
  const found = degenerate ? nested : full;
  if (!found.converged) {
    return missing(
      'not-converged',
      `The fit to ${people} did not settle: after ${found.iterations} steps the gradient is ${figure(found.gradientNorm)}, not ${figure(TOLERANCE)}.`,
    );
  }
  const model = modelOf(found, customers);
  const error = totalError(model, data);
  if (!(error <= MOST_ERROR)) {
    const needed = Number.isFinite(error) ? Math.ceil(customers * (error / MOST_ERROR) ** 2) : undefined;
    return missing(
      'too-few-customers',
      `${people}: the orders of the next 365 days can be told ${
        needed === undefined
          ? 'not at all'
          : `to a factor of ${figure(Math.exp(1.96 * error))} only; about ${needed} customers like these would do`
      }.`,
    );
  }
  const replaced = degenerate
    ? {
        code: 'degenerate',
        says: `These orders do not show that people leave for good: BG/NBD degenerates (a ${figure(a)}, b ${figure(b)}: ${leaves < 1e-5 ? 'less than 0.001' : figure(100 * leaves)} % leave after an order, and the log-likelihood gains ${figure(Math.max(0, gain))}). The model in which nobody leaves (NBD) stands in, so everybody counts as alive.`,
      }
    : boundary(full);
  return { kind: 'fitted', model, ...(replaced === undefined ? {} : { replaced }), iterations: found.iterations };
}

/** `1 customer`, `2 customers`. */
export const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;
const figure = (value: number): string => String(Number(value.toPrecision(3)));

/** Logarithms of r, α (weeks), a and b. Where they bind, the customers are as good as alike in it. */
const BOUNDS = {
  bgNbd: logs([1e-4, 1e-4, 1e-4, 1e-4], [1e3, 1e7, 1e3, 1e5]),
  nbd: logs([1e-4, 1e-4], [1e3, 1e7]),
};
/** Of the gradient of the mean log-likelihood of a customer. */
const TOLERANCE = 1e-9;

function logs(lower: number[], upper: number[]) {
  return { lower: lower.map(Math.log), upper: upper.map(Math.log) };
}

function modelOf({ at, value, hessian, bound }: Minimum, customers: number): PurchaseModel {
  const [r = 0, alpha = 0, a, b] = Array.from(at, Math.exp);
  const information = hessian.map((entry) => entry * customers);
  const covariance = inverse(information, bound);
  return {
    kind: a === undefined ? 'nbd' : 'bg/nbd',
    r,
    alpha,
    ...(a === undefined || b === undefined ? {} : { a, b }),
    logLikelihood: -value * customers,
    customers,
    ...(covariance === undefined ? {} : { covariance: Array.from(covariance) }),
  };
}

function boundary({ at, bound }: Minimum): Said | undefined {
  const names = ['r', 'alpha', 'a', 'b'].filter((_, i) => bound[i]);
  if (names.length === 0) return undefined;
  const said = names.map((name) => `${name} = ${figure(Math.exp(at[['r', 'alpha', 'a', 'b'].indexOf(name)] ?? 0))}`);
  return {
    code: 'boundary',
    says: `The fit ends at a bound (${said.join(', ')}): there customers do not differ, or all of them leave at once.`,
  };
}

/** The standard error of ln(orders of all customers in the next 365 days), over a sample of the rows; Infinity where it has none. */
function totalError(model: PurchaseModel, data: Counted): number {
  const customer: Customer = {
    days: 1,
    first: 0,
    last: 0,
    orders: 1,
    revenue: 0,
    firstRevenue: 0,
    margin: 0,
    valued: 0,
  };
  const stride = Math.ceil(data.x.length / 200);
  const error = logError(model, (other) => {
    let total = 0;
    for (let T = 0; T < data.once.length; T += Math.ceil(data.once.length / 50)) {
      const count = data.once[T] ?? 0;
      if (count > 0) total += count * expectedOrders(other, customer, T, 365);
    }
    for (let i = 0; i < data.x.length; i += stride) {
      customer.days = 1 + (data.x[i] ?? 0);
      customer.last = data.tx[i] ?? 0;
      total += (data.count[i] ?? 0) * expectedOrders(other, customer, data.T[i] ?? 0, 365);
    }
    customer.days = 1;
    customer.last = 0;
    return total;
  });
  return error ?? Number.POSITIVE_INFINITY;
}

/** With what the gates ask for; `once`: by T, customers without a repeat purchase. */
interface Counted extends Collapsed {
  repeaters: number;
  oldest: number;
  meanWeeks: number;
  once: Float64Array;
}

/** Rows of which no two are equal: what the likelihood sums over, and the gates ask. */
export function collapse(rows: PurchaseRows): Counted {
  const size = Math.min(rows.x.length, rows.tx.length, rows.T.length);
  const kept = (x: number, tx: number, T: number, count: number): boolean =>
    Number.isInteger(x) &&
    Number.isInteger(tx) &&
    Number.isInteger(T) &&
    x >= 0 &&
    x <= OLDEST &&
    tx >= 0 &&
    tx <= T &&
    T <= OLDEST &&
    count > 0 &&
    count < Number.POSITIVE_INFINITY;
  let [oldest, most] = [0, 0];
  for (let i = 0; i < size; i++) {
    const x = rows.x[i] ?? -1;
    const T = rows.T[i] ?? -1;
    if (!kept(x, rows.tx[i] ?? -1, T, rows.count?.[i] ?? 1)) continue;
    if (T > oldest) oldest = T;
    if (x > most) most = x;
  }
  const [once, all, repeats] = [0, 1, 2].map(() => new Float64Array(oldest + 1)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const beyond = new Float64Array(most + 1);
  // Open addressing over the key of a row: of a million rows, no string and no object is made.
  let places = 16;
  while (places < 2 * size) places *= 2;
  const keys = new Float64Array(places).fill(-1);
  const counts = new Float64Array(places);
  const span = oldest + 1;
  let [customers, repeaters, distinct, weeks] = [0, 0, 0, 0];
  for (let i = 0; i < size; i++) {
    const x = rows.x[i] ?? -1;
    const tx = rows.tx[i] ?? -1;
    const T = rows.T[i] ?? -1;
    const count = rows.count?.[i] ?? 1;
    if (!kept(x, tx, T, count)) continue;
    customers += count;
    weeks += (count * T) / WEEK;
    all[T] = (all[T] ?? 0) + count;
    if (x === 0) {
      once[T] = (once[T] ?? 0) + count;
      continue;
    }
    repeaters += count;
    repeats[T] = (repeats[T] ?? 0) + count * x;
    beyond[x - 1] = (beyond[x - 1] ?? 0) + count;
    const key = (x * span + tx) * span + T;
    let place = (Math.imul(Math.imul(x, 31) + tx, 0x9e3779b1) + Math.imul(T, 0x85ebca6b)) >>> 0;
    place = (place ^ (place >>> 15)) & (places - 1);
    while (keys[place] !== key && keys[place] !== -1) place = (place + 1) & (places - 1);
    if (keys[place] === -1) {
      keys[place] = key;
      distinct++;
    }
    counts[place] = (counts[place] ?? 0) + count;
  }
  for (let j = most - 1; j >= 0; j--) beyond[j] = (beyond[j] ?? 0) + (beyond[j + 1] ?? 0);
  const [x, tx, T] = [0, 1, 2].map(() => new Int32Array(distinct)) as [Int32Array, Int32Array, Int32Array];
  const count = new Float64Array(distinct);
  for (let place = 0, i = 0; place < places; place++) {
    const key = keys[place] ?? -1;
    if (key < 0) continue;
    T[i] = key % span;
    tx[i] = Math.floor(key / span) % span;
    x[i] = Math.floor(key / span / span);
    count[i] = counts[place] ?? 0;
    i++;
  }
  const meanWeeks = customers > 0 ? weeks / customers : 0;
  return { customers, repeaters, oldest, meanWeeks, x, tx, T, count, once, all, repeats, beyond };
}

/** The log-likelihood of customers under a model, whatever it was fitted to: comparable with that of a fit to the same rows. */
export function logLikelihoodOf({ r, alpha, a, b }: PurchaseModel, rows: PurchaseRows): number {
  const data = collapse(rows);
  if (data.customers === 0) return 0;
  const nested = a === undefined || b === undefined;
  const at = Float64Array.from(nested ? [r, alpha] : [r, alpha, a, b], Math.log);
  const objective = nested ? nbd(data) : bgNbd(data);
  return -objective(at, new Float64Array(at.length), new Float64Array(at.length ** 2)) * data.customers;
}
