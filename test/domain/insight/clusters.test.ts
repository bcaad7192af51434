// k-means that starts the same every time, and the measures by which partitions are judged.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adjustedRand, assign, fixedNumbers, kMeans, settle, silhouette } from '../../../domain/insight/clusters.ts';
import type { Points } from '../../../domain/insight/feature-space.ts';

const pointsOf = (rows: number[][]): Points => ({
  count: rows.length,
  width: rows[0]?.length ?? 0,
  at: Float64Array.from(rows.flat()),
});

/** Three heaps of ten points each, far apart. */
const HEAPS = pointsOf(
  [0, 10, 20].flatMap((x) => Array.from({ length: 10 }, (_, i) => [x + (i % 3) / 10, -x + (i % 5) / 10])),
);

describe('k-means', () => {
  it('finds heaps that lie far apart', () => {
    const { of, centres } = kMeans(HEAPS, 3, 3);
    expect(new Set(of.subarray(0, 10)).size).toBe(1);
    expect(new Set(of).size).toBe(3);
    expect(centres.map(([x]) => Math.round(x as number)).sort((a, b) => a - b)).toEqual([0, 10, 20]);
  });

  it('gives a centre that lost everybody to the point furthest from its own', () => {
    const { of } = settle(HEAPS, [
      [0, 0],
      [15, -15],
      [1e6, 1e6],
    ]);
    expect(new Set(of).size).toBe(3);
  });

  it('is the same for the same points', () => {
    expect(kMeans(HEAPS, 4, 5)).toEqual(kMeans(HEAPS, 4, 5));
    expect([fixedNumbers(7)(), fixedNumbers(7)()]).toEqual([fixedNumbers(7)(), fixedNumbers(7)()]);
    expect(fixedNumbers(7)()).not.toBe(fixedNumbers(8)());
  });

  it('puts everybody to the nearest centre, as looking at all distances does', () => {
    const place = fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 }));
    fc.assert(
      fc.property(
        fc.array(place, { minLength: 1, maxLength: 30, size: 'max' }),
        fc.array(place, { minLength: 1, maxLength: 6 }),
        (rows, centres) => {
          const { of, within } = assign(pointsOf(rows), centres);
          const apart = (a: readonly number[], b: readonly number[]): number =>
            a.reduce((sum, x, j) => sum + (x - (b[j] as number)) ** 2, 0);
          const least = rows.map((row) => Math.min(...centres.map((centre) => apart(row, centre))));
          expect(rows.map((row, i) => apart(row, centres[of[i] as number] as number[]))).toEqual(least);
          expect(within).toBe(least.reduce((a, b) => a + b, 0));
        },
      ),
      { seed: 20_261_201, numRuns: 100 },
    );
  });
});

describe('how good a partition is', () => {
  it('is near 1 for heaps far apart, and lower where a heap is cut in two', () => {
    const right = silhouette(HEAPS, kMeans(HEAPS, 3, 3).of, 3);
    expect(right).toBeGreaterThan(0.95);
    expect(silhouette(HEAPS, kMeans(HEAPS, 4, 3).of, 4)).toBeLessThan(right - 0.1);
  });

  it('equals the mean of (b − a) / max(a, b), worked out by hand', () => {
    // 0 and 1 beside 5: a = 1, b = 5 and 4; the one alone counts 0.
    const three = pointsOf([[0], [1], [5]]);
    expect(silhouette(three, Uint8Array.from([0, 0, 1]), 2)).toBeCloseTo((4 / 5 + 3 / 4 + 0) / 3, 12);
  });

  it('is 0 where there is one cluster only', () => {
    expect(silhouette(HEAPS, new Uint8Array(30), 1)).toBe(0);
  });
});

describe('how alike two partitions are', () => {
  it('is 1 for the same parts under other names, and about 0 for parts by chance', () => {
    expect(adjustedRand([0, 0, 1, 1, 2], [5, 5, 0, 0, 1])).toBe(1);
    const next = fixedNumbers(3);
    const [a, b] = [0, 1].map(() => Array.from({ length: 5000 }, () => Math.floor(next() * 4))) as [number[], number[]];
    expect(Math.abs(adjustedRand(a, b))).toBeLessThan(0.01);
  });

  it('is the textbook figure of Hubert and Arabie', () => {
    // Pairs together: in both 1, in the first 3, in the second 1 + 3, of 10; by chance 3 × 4 / 10.
    expect(adjustedRand([0, 0, 0, 1, 2], [0, 0, 1, 1, 1])).toBeCloseTo((1 - (3 * 4) / 10) / ((3 + 4) / 2 - 1.2), 12);
  });

  it('is 1 of nothing, and of two partitions of one part each', () => {
    expect([adjustedRand([], []), adjustedRand([0, 0], [1, 1]), adjustedRand([0], [0])]).toEqual([1, 1, 1]);
  });
});
