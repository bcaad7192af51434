// A small minimiser: Newton's method with the Hessian, damped, within bounds. Deterministic.

/**
 * A function of n variables: answers its value, and writes its gradient (n) and Hessian (n × n, row by row, symmetric).
 * An answer that is not finite counts as worse than any other.
 */
export type Objective = (at: Float64Array, gradient: Float64Array, hessian: Float64Array) => number;

export interface Bounds {
  lower: readonly number[];
  upper: readonly number[];
}

export interface Minimum {
  at: Float64Array;
  value: number;
  hessian: Float64Array;
  /** Whether the greatest component of the gradient, of the variables that are free, is under the tolerance. */
  converged: boolean;
  iterations: number;
  gradientNorm: number;
  /** Of each variable: whether it lies at a bound and would go on. */
  bound: boolean[];
}

const MOST_STEPS = 200;

/**
 * The minimum of a smooth function near a start, inside bounds. A step solves (H + μ·D)·s = −g over the free variables,
 * D the diagonal of |H|: Levenberg's and Marquardt's damping (Marquardt 1963), μ falling after a step that goes down as
 * foreseen and rising after one that does not. A variable at a bound that would leave stands still.
 */
export function minimise(
  objective: Objective,
  start: readonly number[],
  { lower, upper }: Bounds,
  tolerance: number,
): Minimum {
  const n = start.length;
  const clamp = (value: number, i: number): number =>
    Math.min(upper[i] ?? Number.POSITIVE_INFINITY, Math.max(lower[i] ?? Number.NEGATIVE_INFINITY, value));
  let at = Float64Array.from(start, clamp);
  let [gradient, hessian] = [new Float64Array(n), new Float64Array(n * n)];
  let [next, nextGradient, nextHessian] = [new Float64Array(n), new Float64Array(n), new Float64Array(n * n)];
  let value = finite(objective(at, gradient, hessian));
  const bound: boolean[] = new Array(n).fill(false);
  let damping = 1e-3;
  for (let iterations = 0; ; iterations++) {
    let norm = 0;
    for (let i = 0; i < n; i++) {
      const [g, x] = [gradient[i] ?? 0, at[i] ?? 0];
      bound[i] = (x <= (lower[i] ?? x - 1) && g > 0) || (x >= (upper[i] ?? x + 1) && g < 0);
      if (!bound[i]) norm = Math.max(norm, Math.abs(g));
    }
    const converged = norm <= tolerance && Number.isFinite(value);
    if (converged || iterations === MOST_STEPS || damping > 1e12 || !Number.isFinite(value)) {
      return { at, value, hessian, converged, iterations, gradientNorm: norm, bound };
    }
    const step = solve(damped(hessian, damping, bound), gradient, bound);
    if (step === undefined) {
      damping *= 10;
      continue;
    }
    for (let i = 0; i < n; i++) next[i] = clamp((at[i] ?? 0) - Math.min(2, Math.max(-2, step[i] ?? 0)), i);
    const nextValue = finite(objective(next, nextGradient, nextHessian));
    // At the end, the value moves in its last bits only: a step that lowers the gradient is as good.
    const flat =
      Math.abs(nextValue - value) <= 1e-11 * Math.max(1, Math.abs(value)) && greatest(nextGradient, bound) < norm;
    if (nextValue < value || flat) {
      [at, next] = [next, at];
      [gradient, nextGradient] = [nextGradient, gradient];
      [hessian, nextHessian] = [nextHessian, hessian];
      value = nextValue;
      damping = Math.max(damping / 10, 1e-15);
    } else damping *= 10;
  }
}

const finite = (value: number): number => (Number.isFinite(value) ? value : Number.POSITIVE_INFINITY);

function greatest(gradient: Float64Array, bound: readonly boolean[]): number {
  let norm = 0;
  for (let i = 0; i < gradient.length; i++) if (!bound[i]) norm = Math.max(norm, Math.abs(gradient[i] ?? 0));
  return norm;
}

function damped(hessian: Float64Array, damping: number, fixed: readonly boolean[]): Float64Array {
  const n = fixed.length;
  const made = Float64Array.from(hessian);
  for (let i = 0; i < n; i++) {
    const own = Math.abs(hessian[i * n + i] ?? 0);
    made[i * n + i] = (hessian[i * n + i] ?? 0) + damping * Math.max(own, 1e-12);
  }
  return made;
}

/** The x of A·x = y over the variables that are not fixed (the others 0), by Cholesky; `undefined` unless A is positive definite there. */
function solve(matrix: Float64Array, y: Float64Array, fixed: readonly boolean[]): Float64Array | undefined {
  const n = fixed.length;
  const factor = cholesky(matrix, fixed);
  if (factor === undefined) return undefined;
  const x = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    if (fixed[i]) continue;
    let sum = y[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= (factor[i * n + k] ?? 0) * (x[k] ?? 0);
    x[i] = sum / (factor[i * n + i] ?? 1);
  }
  for (let i = n - 1; i >= 0; i--) {
    if (fixed[i]) continue;
    let sum = x[i] ?? 0;
    for (let k = i + 1; k < n; k++) sum -= (factor[k * n + i] ?? 0) * (x[k] ?? 0);
    x[i] = sum / (factor[i * n + i] ?? 1);
  }
  return x;
}

/** The lower triangle L of A = L·Lᵀ; rows and columns of fixed variables are 0. */
export function cholesky(matrix: Float64Array, fixed: readonly boolean[]): Float64Array | undefined {
  const n = fixed.length;
  const factor = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    if (fixed[i]) continue;
    for (let j = 0; j <= i; j++) {
      if (fixed[j]) continue;
      let sum = matrix[i * n + j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (factor[i * n + k] ?? 0) * (factor[j * n + k] ?? 0);
      if (j < i) factor[i * n + j] = sum / (factor[j * n + j] ?? 1);
      else if (sum > 1e-14 * Math.abs(matrix[i * n + i] ?? 0)) factor[i * n + i] = Math.sqrt(sum);
      else return undefined;
    }
  }
  return factor;
}

/** The inverse of a positive definite matrix over the variables that are not fixed, 0 elsewhere; `undefined` where it is not. */
export function inverse(matrix: Float64Array, fixed: readonly boolean[]): Float64Array | undefined {
  const n = fixed.length;
  const made = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    if (fixed[i]) continue;
    const unit = new Float64Array(n);
    unit[i] = 1;
    const column = solve(matrix, unit, fixed);
    if (column === undefined) return undefined;
    made.set(column, i * n);
  }
  return made;
}
