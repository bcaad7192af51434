// How sure a figure of the models is: of one customer by what chance may do, of the whole shop by chance and the fit.
import type { Customer } from './customer.ts';
import { shareOf } from './lifetime.ts';
import type { Models, PurchaseModel, SpendModel } from './models.ts';
import { alive, expectedOrders, expectedSpend, purchaseState } from './predict.ts';

/** `low` and `high` enclose what happens with the probability that was asked for. */
export interface Interval {
  expected: number;
  low: number;
  high: number;
}

/** Customers over whom the error of a total is taken: it is one of the parameters, and hardly moves with more. */
const SAMPLE = 1000;
/** Half the width of an interval in logarithms beyond which it is not one of a factor: ten times as much either way. */
const MOST_WIDTH = Math.log(10);

/**
 * The standard error of ln f, where f > 0 is a figure that follows from the parameters: the delta method, by central
 * differences in the logarithms of the parameters and their covariance. `undefined` where the model has none.
 */
export function logError<M extends PurchaseModel | SpendModel>(model: M, f: (model: M) => number): number | undefined {
  const { covariance } = model;
  if (covariance === undefined) return undefined;
  const values = model as unknown as Record<string, number | undefined>;
  const names = ('r' in model ? ['r', 'alpha', 'a', 'b'] : ['p', 'q', 'v']).filter(
    (name) => values[name] !== undefined,
  );
  const step = 1e-4;
  const slopes = names.map((name, i) => {
    if (!((covariance[i * names.length + i] ?? 0) > 0)) return 0;
    const at = (by: number): number => Math.log(f({ ...model, [name]: (values[name] ?? 1) * Math.exp(by) }));
    return (at(step) - at(-step)) / (2 * step);
  });
  let variance = 0;
  slopes.forEach((one, i) => {
    slopes.forEach((other, j) => {
      variance += one * other * (covariance[i * names.length + j] ?? 0);
    });
  });
  return Number.isFinite(variance) ? Math.sqrt(Math.max(0, variance)) : undefined;
}

/**
 * Calls back with j = 1, 2, … and the chance that the customer has j days with an order or more in the `days` days after
 * `today`, until that answers false: the chance of a j-th order were nobody to leave (negative binomial), of having
 * stayed through the j − 1 before (beta), and of being here.
 */
export function chancesOf(
  model: PurchaseModel,
  customer: Customer,
  today: number,
  days: number,
  visit: (least: number, chance: number) => boolean,
): void {
  const { x, age } = purchaseState(customer, today);
  const [rho, z] = [model.r + x, days / 7 / (model.alpha + age)];
  if (!(z > 0)) return;
  const { a = 0, b = 1 } = model;
  // In logarithms: of many orders, the chance of none at all is no number.
  let log = -rho * Math.log1p(z);
  const logZeta = Math.log(z) - Math.log1p(z);
  let more = 1 - Math.exp(log);
  let stays = alive(model, customer, today);
  for (let j = 1; j <= 100_000; j++) {
    if (!visit(j, Math.max(0, more) * stays)) return;
    log += logZeta + Math.log((rho + j - 1) / j);
    more -= Math.exp(log);
    stays *= (b + x + j - 1) / (a + b + x + j - 1);
  }
}

/**
 * The days with an order that a customer will have in the `days` days after `today`: whole numbers between which it lies
 * with at least this probability, as chance has it. The error of the parameters is small beside that and not in it.
 */
export function ordersRange(
  model: PurchaseModel,
  customer: Customer,
  today: number,
  days: number,
  probability = 0.9,
): Interval {
  const outside = (1 - Math.min(Math.max(probability, 0), 1)) / 2;
  let [low, high] = [0, 0];
  chancesOf(model, customer, today, days, (least, chance) => {
    if (chance >= 1 - outside) low = least;
    if (chance > outside) high = least;
    return chance > outside;
  });
  return { expected: expectedOrders(model, customer, today, days), low, high };
}

/**
 * Orders of all these customers together in the `days` days after `today`, and their margin in minor units where the
 * models know it. The interval holds the error of the parameters (delta method on the logarithm) and chance; not that
 * people may come to buy otherwise than they did. `undefined` without a purchase model.
 */
export function shopForecast(
  models: Models,
  customers: readonly Customer[],
  today: number,
  days: number,
  perMajor: number,
  probability = 0.9,
): { orders: Interval; value?: Interval } | undefined {
  const { purchases, spend } = models;
  if (purchases === undefined) return undefined;
  const marginOf = (model: SpendModel, customer: Customer): number =>
    expectedSpend(model, customer, perMajor) * (shareOf(models, customer) ?? 0);
  const valued = spend !== undefined && (models.margin !== undefined || customers.some((one) => one.valued > 0));
  let [orders, value] = [0, 0];
  for (const customer of customers) {
    const expected = expectedOrders(purchases, customer, today, days);
    orders += expected;
    if (valued) value += expected * marginOf(spend, customer);
  }
  const stride = Math.max(1, Math.ceil(customers.length / SAMPLE));
  const some = customers.filter((_, i) => i % stride === 0);
  const total = (model: PurchaseModel, by: (customer: Customer) => number): number =>
    some.reduce((sum, customer) => sum + by(customer) * expectedOrders(model, customer, today, days), 0);
  // The spread by chance: Var Y of each, and of a purchase's amount (Gamma with the shape p).
  let [ordersSpread, valueSpread] = [0, 0];
  for (const customer of some) {
    const { mean, variance } = momentsOf(purchases, customer, today, days);
    ordersSpread += variance * stride;
    if (valued) valueSpread += stride * marginOf(spend, customer) ** 2 * (variance + mean / spend.p);
  }
  const z = normalQuantile(0.5 + Math.min(Math.max(probability, 0), 0.9999) / 2);
  const enclose = (expected: number, error: number, spread: number): Interval => {
    if (!(expected > 0))
      return { expected, low: expected - z * Math.sqrt(spread), high: expected + z * Math.sqrt(spread) };
    const width = z * Math.hypot(error, Math.sqrt(spread) / expected);
    // Of less than an order or so, chance is no factor of what is expected: there is none, or there is one.
    if (!(width < MOST_WIDTH)) {
      const apart = z * Math.hypot(error * expected, Math.sqrt(spread));
      return { expected, low: Math.max(0, expected - apart), high: expected + apart };
    }
    return { expected, low: expected * Math.exp(-width), high: expected * Math.exp(width) };
  };
  const ordersError = logError(purchases, (model) => total(model, () => 1)) ?? 0;
  const made = { orders: enclose(orders, ordersError, ordersSpread) };
  if (!valued) return made;
  const error = Math.hypot(
    logError(purchases, (model) =>
      Math.max(
        1e-300,
        total(model, (customer) => marginOf(spend, customer)),
      ),
    ) ?? 0,
    logError(spend, (model) =>
      Math.max(
        1e-300,
        total(purchases, (customer) => marginOf(model, customer)),
      ),
    ) ?? 0,
  );
  return { ...made, value: enclose(value, error, valueSpread) };
}

/** Mean and variance of the days with an order that a customer will have in the `days` days after `today`. */
export function momentsOf(model: PurchaseModel, customer: Customer, today: number, days: number) {
  let [mean, square] = [0, 0];
  chancesOf(model, customer, today, days, (least, chance) => {
    mean += chance;
    square += (2 * least - 1) * chance;
    return chance > 1e-9;
  });
  return { mean, variance: Math.max(0, square - mean * mean) };
}

/** The quantile of the normal distribution: Acklam's rational approximation (2003), relative error under 1.2e-9. */
export function normalQuantile(probability: number): number {
  if (probability < 0.5) return -normalQuantile(1 - probability);
  if (!(probability < 1)) return Number.POSITIVE_INFINITY;
  if (probability > 0.97575) {
    const q = Math.sqrt(-2 * Math.log(1 - probability));
    return (
      -(
        ((((-7.784894002430293e-3 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q +
          4.374664141464968) *
          q +
        2.938163982698783
      ) /
      ((((7.784695709041462e-3 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1)
    );
  }
  const q = probability - 0.5;
  const s = q * q;
  return (
    ((((((-39.69683028665376 * s + 220.9460984245205) * s - 275.9285104469687) * s + 138.357751867269) * s -
      30.66479806614716) *
      s +
      2.506628277459239) *
      q) /
    (((((-54.47609879822406 * s + 161.5858368580409) * s - 155.6989798598866) * s + 66.80131188771972) * s -
      13.28068155288572) *
      s +
      1)
  );
}
