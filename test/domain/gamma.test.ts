// Gamma functions against mpmath's digits; the minimiser on functions whose minimum is known.
import { describe, expect, it, test } from 'vitest';
import { digamma, lgamma, trigamma } from '../../domain/insight/gamma.ts';
import { inverse, minimise, type Objective } from '../../domain/insight/optimise.ts';
import table from '../cases/gamma.json' with { type: 'json' };

const off = (value: number, right: number): number => Math.abs(value - right) / Math.max(Math.abs(right), 1e-300);

describe('the gamma function of a positive number', () => {
  test.each(table.rows as [number, number, number, number][])('agrees with mpmath at %s', (x, log, psi, curve) => {
    expect(log === 0 ? Math.abs(lgamma(x)) : off(lgamma(x), log)).toBeLessThan(1e-13);
    expect(Math.abs(digamma(x) - psi)).toBeLessThan(1e-13 * Math.max(1, Math.abs(psi)));
    expect(off(trigamma(x), curve)).toBeLessThan(1e-13);
  });

  it('is not a number for what is not positive, and nothing loops', () => {
    for (const x of [0, -1, -0.5, Number.NaN, Number.NEGATIVE_INFINITY]) {
      expect([lgamma(x), digamma(x), trigamma(x)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    }
  });
});

/** Rosenbrock's valley, minimum 0 at (1, 1). */
const valley: Objective = (at, gradient, hessian) => {
  const [x = 0, y = 0] = at;
  const bend = y - x * x;
  gradient.set([-400 * x * bend - 2 * (1 - x), 200 * bend]);
  hessian.set([1200 * x * x - 400 * y + 2, -400 * x, -400 * x, 200]);
  return 100 * bend * bend + (1 - x) ** 2;
};
const wide = { lower: [-10, -10], upper: [10, 10] };

describe('the minimiser', () => {
  it('follows a curved valley to its end', () => {
    const found = minimise(valley, [-1.2, 1], wide, 1e-10);
    expect(found.converged).toBe(true);
    expect(found.at[0]).toBeCloseTo(1, 9);
    expect(found.at[1]).toBeCloseTo(1, 9);
    expect(found.gradientNorm).toBeLessThan(1e-10);
    expect(found.bound).toEqual([false, false]);
  });

  it('stops at a bound and says at which', () => {
    const found = minimise(valley, [-1.2, 0], { lower: [-10, -10], upper: [10, 0.25] }, 1e-10);
    expect(found.converged).toBe(true);
    expect(found.bound).toEqual([false, true]);
    expect(found.at[1]).toBe(0.25);
    // The minimum along the bound, where the derivative by x is 0.
    expect(Math.abs(-400 * found.at[0]! * (0.25 - found.at[0]! ** 2) - 2 * (1 - found.at[0]!))).toBeLessThan(1e-9);
  });

  it('stops at a lower bound too, and lets go of one that is behind it', () => {
    const found = minimise(valley, [1.5, 3], { lower: [1.2, -10], upper: [10, 10] }, 1e-10);
    expect(found.converged).toBe(true);
    expect(found.bound).toEqual([true, false]);
    expect(found.at[0]).toBe(1.2);
    expect(found.at[1]).toBeCloseTo(1.44, 9);
    expect(minimise(valley, [0.5, 0.2], { lower: [0.5, 0.2], upper: [10, 10] }, 1e-10).bound).toEqual([false, false]);
  });

  it('says that it has not converged where there is no minimum, or no number', () => {
    const falls: Objective = (at, gradient, hessian) => {
      gradient.set([-1]);
      hessian.set([0]);
      return -at[0]!;
    };
    const lower = [Number.NEGATIVE_INFINITY];
    const upper = [Number.POSITIVE_INFINITY];
    expect(minimise(falls, [0], { lower, upper }, 1e-9)).toMatchObject({ converged: false });
    const none: Objective = () => Number.NaN;
    expect(minimise(none, [0], { lower, upper }, 1e-9)).toMatchObject({ converged: false });
  });

  it('inverts over the variables that are free', () => {
    const matrix = Float64Array.from([4, 2, 1, 2, 3, 5, 1, 5, 9]);
    const made = inverse(matrix, [false, false, true]);
    expect(Array.from(made ?? [], (entry) => Math.round(entry * 1e12) / 1e12)).toEqual([
      3 / 8,
      -2 / 8,
      0,
      -2 / 8,
      4 / 8,
      0,
      0,
      0,
      0,
    ]);
    expect(inverse(Float64Array.from([1, 2, 2, 1]), [false, false])).toBeUndefined();
  });
});
