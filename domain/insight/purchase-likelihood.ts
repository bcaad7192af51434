// The log-likelihood of how customers buy and leave, with its gradient and Hessian, over rows of which no two are equal.
import type { Objective } from './optimise.ts';

const WEEK = 7;

/** Customers, collapsed; days are whole. */
export interface Collapsed {
  customers: number;
  /** Of those with repeat purchases, a place for each distinct (x, t_x, T). */
  x: Int32Array;
  tx: Int32Array;
  T: Int32Array;
  count: Float64Array;
  /** By T: customers, and their repeat purchases. */
  all: Float64Array;
  repeats: Float64Array;
  /** By j: customers with more than j repeat purchases. */
  beyond: Float64Array;
}

/*
 * With x whole, Γ(r + x)/Γ(r) = r·(r + 1)…(r + x − 1), so that over all customers
 * Σ ln Γ(r + x)/Γ(r) = Σ_j ln(r + j)·(customers with x > j); the same for the two beta functions. What depends on T alone
 * is summed by T. Only the last factor needs the rows:
 *
 *   L = Γ(r+x)/Γ(r) · α^r/(α+T)^(r+x) · B(a, b+x)/B(a, b) · (1 + [x > 0] · a/(b+x−1) · ((α+T)/(α+t_x))^(r+x))
 *
 * which is equation 6 of Fader, Hardie and Lee (2005), rearranged so that no part under- or overflows. Days are whole,
 * so that the logarithms are looked up. In what runs for each row, nothing is taken apart by pattern: until it is
 * compiled, and most fits are over by then, that costs more than the arithmetic.
 */

/** The part that NBD has too, summed over the customers: value, gradient (r, α) and Hessian (rr, rα, αα) of ln L. */
function buying({ all, repeats, beyond }: Collapsed, r: number, alpha: number, sums: Float64Array): void {
  let [value, dr, dalpha, drr, dralpha, dalphas] = [0, 0, 0, 0, 0, 0];
  for (let j = 0; j < beyond.length; j++) {
    const many = beyond[j] ?? 0;
    const one = 1 / (r + j);
    value += many * Math.log(r + j);
    dr += many * one;
    drr -= many * one * one;
  }
  // r·ln α and the like are taken together with their counterparts at α + T: apart, a great r leaves no digits.
  for (let T = 0; T < all.length; T++) {
    const many = all[T] ?? 0;
    if (many === 0) continue;
    const bought = repeats[T] ?? 0;
    const weeks = T / WEEK;
    const one = 1 / (alpha + weeks);
    const share = weeks * one;
    const log = Math.log1p(weeks / alpha);
    value -= many * r * log + bought * Math.log(alpha + weeks);
    dr -= many * log;
    dalpha += (many * r * share) / alpha - bought * one;
    dralpha += (many * share) / alpha;
    dalphas += bought * one * one - (many * r * share * (2 * alpha + weeks) * one) / (alpha * alpha);
  }
  sums.set([value, dr, dalpha, drr, dralpha, dalphas]);
}

/** Minus the mean ln L of NBD, in ln r and ln α. */
export function nbd(data: Collapsed): Objective {
  const sums = new Float64Array(6);
  return (at, gradient, hessian) => {
    const [r, alpha] = [Math.exp(at[0] ?? 0), Math.exp(at[1] ?? 0)];
    buying(data, r, alpha, sums);
    const [value = 0, dr = 0, dalpha = 0, drr = 0, dralpha = 0, dalphas = 0] = sums;
    return inLogs([r, alpha], [dr, dalpha], [drr, dralpha, dralpha, dalphas], data.customers, gradient, hessian, value);
  };
}

/** Minus the mean ln L of BG/NBD, in ln r, ln α, ln a and ln b. */
export function bgNbd(data: Collapsed): Objective {
  const { x, tx, T, count, beyond } = data;
  const size = data.all.length;
  const sums = new Float64Array(6);
  const [logOf, inverseOf] = [new Float64Array(size), new Float64Array(size)];
  const [oddsOf, perOf] = [new Float64Array(beyond.length + 1), new Float64Array(beyond.length + 1)];
  return (at, gradient, hessian) => {
    const [r, alpha, a, b] = [at[0] ?? 0, at[1] ?? 0, at[2] ?? 0, at[3] ?? 0].map(Math.exp) as [
      number,
      number,
      number,
      number,
    ];
    buying(data, r, alpha, sums);
    let [value = 0, dr = 0, dalpha = 0, drr = 0, dralpha = 0, dalphas = 0] = sums;
    let [da, db, daa, dab, dbb] = [0, 0, 0, 0, 0];
    for (let j = 0; j < beyond.length; j++) {
      const many = beyond[j] ?? 0;
      const all = 1 / (a + b + j);
      const stays = 1 / (b + j);
      value += many * Math.log1p(-a * all);
      da -= many * all;
      db += many * (stays - all);
      daa += many * all * all;
      dab += many * all * all;
      dbb += many * (all * all - stays * stays);
    }
    for (let day = 0; day < size; day++) {
      const weeks = alpha + day / WEEK;
      logOf[day] = Math.log(weeks);
      inverseOf[day] = 1 / weeks;
    }
    const logA = Math.log(a);
    for (let k = 1; k < perOf.length; k++) {
      perOf[k] = 1 / (b + k - 1);
      oddsOf[k] = logA - Math.log(b + k - 1);
    }
    let [dralphaRows, draRows, drbRows, dalphaaRows, dalphabRows] = [0, 0, 0, 0, 0];
    let [gone, goneSpread] = [0, 0];
    for (let i = 0; i < x.length; i++) {
      const many = count[i] as number;
      const bought = x[i] as number;
      const since = tx[i] as number;
      const until = T[i] as number;
      const per = perOf[bought] as number;
      const behind = (logOf[until] as number) - (logOf[since] as number);
      const ageInverse = inverseOf[until] as number;
      const lastInverse = inverseOf[since] as number;
      const rate = r + bought;
      const u = (oddsOf[bought] as number) + rate * behind;
      const odds = Math.exp(u);
      // The weight of "left after the last order", and its variance.
      const left = odds === Number.POSITIVE_INFINITY ? 1 : odds / (1 + odds);
      value += many * (u > 30 ? u + 1 / (1 + odds) : Math.log1p(odds));
      const w = many * left;
      const v = w * (1 - left);
      const slope = ageInverse - lastInverse;
      const pull = rate * slope;
      dr += w * behind;
      dalpha += w * pull;
      db -= w * per;
      drr += v * behind * behind;
      dralphaRows += w * slope + v * behind * pull;
      dalphas += w * rate * (lastInverse * lastInverse - ageInverse * ageInverse) + v * pull * pull;
      draRows += v * behind;
      drbRows -= v * behind * per;
      dalphaaRows += v * pull;
      dalphabRows -= v * pull * per;
      dab -= (v * per) / a;
      dbb += (w + v) * per * per;
      gone += w;
      goneSpread += v;
    }
    da += gone / a;
    daa += (goneSpread - gone) / (a * a);
    dralpha += dralphaRows;
    const [dra, dalphaa] = [draRows / a, dalphaaRows / a];
    return inLogs(
      [r, alpha, a, b],
      [dr, dalpha, da, db],
      [
        [drr, dralpha, dra, drbRows],
        [dralpha, dalphas, dalphaa, dalphabRows],
        [dra, dalphaa, daa, dab],
        [drbRows, dalphabRows, dab, dbb],
      ].flat(),
      data.customers,
      gradient,
      hessian,
      value,
    );
  };
}

/** Writes gradient and Hessian of −ln L/n in the logarithms of the parameters; answers its value. */
export function inLogs(
  at: readonly number[],
  slopes: readonly number[],
  curves: readonly number[],
  customers: number,
  gradient: Float64Array,
  hessian: Float64Array,
  value: number,
): number {
  const n = at.length;
  for (let i = 0; i < n; i++) {
    const [own, slope] = [at[i] ?? 0, slopes[i] ?? 0];
    gradient[i] = (-own * slope) / customers;
    for (let j = 0; j < n; j++) {
      const curve = own * (at[j] ?? 0) * (curves[i * n + j] ?? 0) + (i === j ? own * slope : 0);
      hessian[i * n + j] = -curve / customers;
    }
  }
  return -value / customers;
}
