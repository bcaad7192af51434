// k-means with a fixed seed, and how good and how like each other partitions are.
import type { Points } from './feature-space.ts';

/** Centres, and to which of them each point belongs. */
export interface Clusters {
  centres: number[][];
  of: Uint8Array;
  /** Sum of squared distances to the own centre. */
  within: number;
}

const MOST_ROUNDS = 100;

/** Numbers from 0 (included) to 1, the same for the same seed: mulberry32. */
export function fixedNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The best of several starts of k-means: seeds by k-means++ (Arthur and Vassilvitskii 2007) from fixed numbers, rounds
 * by Lloyd until nobody moves. The same points give the same clusters.
 */
export function kMeans(points: Points, k: number, starts: number): Clusters {
  let best: Clusters | undefined;
  for (let start = 0; start < starts; start += 1) {
    const found = settle(points, seeds(points, k, fixedNumbers(7919 * k + start)));
    if (best === undefined || found.within < best.within) best = found;
  }
  return best as Clusters;
}

function seeds({ count, width, at }: Points, k: number, next: () => number): number[][] {
  const row = (i: number): number[] => Array.from(at.subarray(i * width, (i + 1) * width));
  const chosen = [row(Math.min(count - 1, Math.floor(next() * count)))];
  const nearest = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  while (chosen.length < k) {
    const last = chosen[chosen.length - 1] as number[];
    let sum = 0;
    for (let i = 0; i < count; i += 1) {
      nearest[i] = Math.min(nearest[i] as number, squared(at, i * width, last));
      sum += nearest[i] as number;
    }
    let left = next() * sum;
    let pick = 0;
    while (pick < count - 1 && left >= (nearest[pick] as number)) {
      left -= nearest[pick] as number;
      pick += 1;
    }
    chosen.push(row(pick));
  }
  return chosen;
}

/** Lloyd's rounds from given centres. A centre that lost everybody moves to the point furthest from its own. */
export function settle(points: Points, from: readonly (readonly number[])[]): Clusters {
  const { count, width, at } = points;
  const centres = from.map((centre) => [...centre]);
  let before: Uint8Array | undefined;
  for (let round = 0; ; round += 1) {
    const { of, within, furthest } = assign(points, centres);
    if (round === MOST_ROUNDS || (before !== undefined && of.every((own, i) => own === before?.[i])))
      return { centres, of, within };
    before = of;
    const sizes = new Array<number>(centres.length).fill(0);
    const sums = new Float64Array(centres.length * width);
    for (let i = 0; i < count; i += 1) {
      const own = of[i] as number;
      sizes[own] = (sizes[own] as number) + 1;
      for (let j = 0; j < width; j += 1) sums[own * width + j]! += at[i * width + j] as number;
    }
    let moved = false;
    for (let c = 0; c < centres.length; c += 1) {
      const size = sizes[c] as number;
      if (size > 0) centres[c] = Array.from(sums.subarray(c * width, (c + 1) * width), (sum) => sum / size);
      else if (!moved) {
        centres[c] = Array.from(at.subarray(furthest * width, (furthest + 1) * width));
        moved = true;
      }
    }
  }
}

/** The nearest centre of each point; the first of several that are as near. */
export function assign(
  { count, width, at }: Points,
  centres: readonly (readonly number[])[],
): { of: Uint8Array; within: number; furthest: number } {
  const of = new Uint8Array(count);
  const flat = Float64Array.from(centres.flat());
  let [within, furthest, distance] = [0, 0, -1];
  for (let i = 0; i < count; i += 1) {
    const from = i * width;
    let least = Number.POSITIVE_INFINITY;
    for (let c = 0; c < centres.length; c += 1) {
      const centre = c * width;
      let apart = 0;
      for (let j = 0; j < width && apart < least; j += 1) {
        const each = (at[from + j] as number) - (flat[centre + j] as number);
        apart += each * each;
      }
      if (apart < least) {
        least = apart;
        of[i] = c;
      }
    }
    within += least;
    if (least > distance) [furthest, distance] = [i, least];
  }
  return { of, within, furthest };
}

function squared(at: Float64Array, from: number, centre: readonly number[]): number {
  let sum = 0;
  for (let j = 0; j < centre.length; j += 1) {
    const apart = (at[from + j] as number) - (centre[j] as number);
    sum += apart * apart;
  }
  return sum;
}

/**
 * Mean silhouette (Rousseeuw 1987) over at most `most` points, evenly taken: from −1 to 1, how much nearer people are to
 * their own cluster than to the next. 0 where there is one cluster only.
 */
export function silhouette({ count, width, at }: Points, of: Uint8Array, k: number, most = 1000): number {
  const step = Math.max(1, count / most);
  const taken = Array.from({ length: Math.floor(count / step) }, (_, i) => Math.floor(i * step));
  const sizes = new Array<number>(k).fill(0);
  for (const i of taken) sizes[of[i] as number] = (sizes[of[i] as number] as number) + 1;
  if (sizes.filter((size) => size > 0).length < 2) return 0;
  let sum = 0;
  for (const i of taken) {
    const apart = new Array<number>(k).fill(0);
    for (const other of taken) {
      let squares = 0;
      for (let j = 0; j < width; j += 1) {
        const each = (at[i * width + j] as number) - (at[other * width + j] as number);
        squares += each * each;
      }
      const cluster = of[other] as number;
      apart[cluster] = (apart[cluster] as number) + Math.sqrt(squares);
    }
    const own = of[i] as number;
    if (sizes[own] === 1) continue;
    const inside = (apart[own] as number) / ((sizes[own] as number) - 1);
    let outside = Number.POSITIVE_INFINITY;
    for (let c = 0; c < k; c += 1)
      if (c !== own && (sizes[c] as number) > 0)
        outside = Math.min(outside, (apart[c] as number) / (sizes[c] as number));
    const greater = Math.max(inside, outside);
    if (greater > 0) sum += (outside - inside) / greater;
  }
  return sum / taken.length;
}

/**
 * Adjusted Rand index (Hubert and Arabie 1985) of two partitions of the same things: 1 where they are the same, about 0
 * where they agree no more than by chance. Two partitions of one part each are the same.
 */
export function adjustedRand(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const both = new Map<number, number>();
  const [left, right] = [new Map<number, number>(), new Map<number, number>()];
  for (let i = 0; i < a.length; i += 1) {
    const [x, y] = [a[i] as number, b[i] as number];
    both.set(x * 256 + y, (both.get(x * 256 + y) ?? 0) + 1);
    left.set(x, (left.get(x) ?? 0) + 1);
    right.set(y, (right.get(y) ?? 0) + 1);
  }
  const pairs = (counts: Iterable<number>): number => {
    let sum = 0;
    for (const count of counts) sum += (count * (count - 1)) / 2;
    return sum;
  };
  const [together, ofLeft, ofRight, all] = [both.values(), left.values(), right.values(), [a.length]].map(pairs) as [
    number,
    number,
    number,
    number,
  ];
  if (all === 0) return 1;
  const expected = (ofLeft * ofRight) / all;
  const most = (ofLeft + ofRight) / 2;
  return most === expected ? 1 : (together - expected) / (most - expected);
}
