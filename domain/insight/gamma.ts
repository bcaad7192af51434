// The logarithm of the gamma function and its derivatives, for positive numbers.

/*
 * Abramowitz and Stegun, Handbook of Mathematical Functions (1964), chapter 6: the series 6.1.33 about 2, the recurrences
 * 6.1.15, 6.3.5 and 6.4.6, and Stirling's asymptotic series 6.1.41, 6.3.18 and 6.4.12 from 12 on.
 */

const GREAT = 12;
const HALF_LOG_TWO_PI = 0.9189385332046727;
const ONE_LESS_EULER = 0.42278433509846713;

/** ζ(k) − 1 for k = 2, 3, … */
const ZETA_LESS_ONE = zetaLessOne(36);

function zetaLessOne(most: number): Float64Array {
  const made = new Float64Array(most - 1);
  for (let k = 2; k <= most; k++) {
    // Σ n^−k to 59, and Euler and Maclaurin's sum of the rest.
    const m = 60;
    let sum = 0;
    const rest = m ** (1 - k) / (k - 1) + m ** -k / 2 + (k * m ** (-k - 1)) / 12;
    sum += rest - (k * (k + 1) * (k + 2) * m ** (-k - 3)) / 720;
    sum += (k * (k + 1) * (k + 2) * (k + 3) * (k + 4) * m ** (-k - 5)) / 30240;
    for (let n = m - 1; n >= 2; n--) sum += n ** -k;
    made[k - 2] = sum;
  }
  return made;
}

/** ln Γ(x), x > 0: relative error about 1e-15, beside the zeros at 1 and 2 too. NaN for anything else. */
export function lgamma(x: number): number {
  if (!(x > 0)) return Number.NaN;
  if (x < 0.5) return lgamma(x + 1) - Math.log(x);
  if (x < 1.5) return aboutTwo(x - 1) - Math.log1p(x - 1);
  if (x < GREAT) {
    let product = 1;
    let left = x;
    while (left > 2.5) {
      left -= 1;
      product *= left;
    }
    return aboutTwo(left - 2) + Math.log(product);
  }
  const inverse = 1 / (x * x);
  const series =
    (1 / 12 +
      inverse *
        (-1 / 360 +
          inverse *
            (1 / 1260 + inverse * (-1 / 1680 + inverse * (1 / 1188 + inverse * (-691 / 360360 + inverse / 156)))))) /
    x;
  return (x - 0.5) * Math.log(x) - x + HALF_LOG_TWO_PI + series;
}

/** ln Γ(2 + z), |z| ≤ 1/2. */
function aboutTwo(z: number): number {
  let sum = 0;
  for (let k = ZETA_LESS_ONE.length + 1; k >= 2; k--) sum = sum * -z + (ZETA_LESS_ONE[k - 2] ?? 0) / k;
  return z * (ONE_LESS_EULER + sum * z);
}

/** ψ(x) = d ln Γ(x)/dx, x > 0: error about 1e-15, relative to the greater of 1 and ψ. */
export function digamma(x: number): number {
  if (!(x > 0)) return Number.NaN;
  let [below, left] = [0, x];
  while (left < GREAT) {
    below += 1 / left;
    left += 1;
  }
  const inverse = 1 / (left * left);
  const series =
    inverse *
    (1 / 12 -
      inverse *
        (1 / 120 -
          inverse * (1 / 252 - inverse * (1 / 240 - inverse * (1 / 132 - inverse * (691 / 32760 - inverse / 12))))));
  return Math.log(left) - 0.5 / left - series - below;
}

/** ψ′(x), x > 0: relative error about 1e-15. */
export function trigamma(x: number): number {
  if (!(x > 0)) return Number.NaN;
  let [below, left] = [0, x];
  while (left < GREAT) {
    below += 1 / (left * left);
    left += 1;
  }
  const inverse = 1 / (left * left);
  const series =
    (inverse *
      (1 / 6 -
        inverse *
          (1 / 30 -
            inverse *
              (1 / 42 - inverse * (1 / 30 - inverse * (5 / 66 - inverse * (691 / 2730 - (inverse * 7) / 6))))))) /
    left;
  return 1 / left + inverse / 2 + series + below;
}
