// More like these: what sets a list of customers apart, and who of the others is most like them.
import type { Buyer } from './buyers.ts';
import { type Feature, featuresOf, type Points, pointsOf, type Reading } from './feature-space.ts';
import { type Apart, apartOf, sampleOf, sayApart } from './groups.ts';

export type Likeness =
  /** `too-short`: too few of the list bought; `like-everybody`: nothing sets them apart; `nobody-else`: no others. */
  | { kind: 'none'; code: 'too-short' | 'like-everybody' | 'nobody-else'; says: string; listed: number }
  | {
      kind: 'like';
      /** Who of the list is a customer with an order. */
      listed: number;
      says: string;
      apart: Apart[];
      /** The most alike first, by their place in `buyers`; nobody of the list. `distance`: in deviations of the list. */
      nearest: { place: number; distance: number }[];
      /** The usual distance of those on the list to their own middle, and of everybody: what the nearest are to be held against. */
      usual: { listed: number; everybody: number };
      features: Feature[];
    };

/** Fewer show no pattern. */
export const FEWEST_LISTED = 10;
/** A list is like everybody unless some feature is so far from all, in deviations, and so many standard errors. */
const [APART, SURELY] = [0.3, 3.5];
/** A list's own spread counts as if so many of everybody's were in it: a short list is not taken to be narrow by chance. */
const PRIOR = 5;
const NARROWEST = 0.1;
const SAMPLE = 20_000;

/**
 * The customers who are most like those on a list and are not on it, at most `most`. The profile is the mean of the list
 * in the space of features, and how far its people spread in each: where they are alike, being like them counts for more
 * (a diagonal Mahalanobis distance). A list of fewer than ten customers, and one that differs from everybody in no
 * feature by both 0.3 deviations and 3.5 standard errors, has no profile: that is said.
 */
export function likeThese(
  buyers: readonly Buyer[],
  list: ReadonlySet<string>,
  most: number,
  reading: Reading,
): Likeness {
  const onList = Uint8Array.from(buyers, ({ contact }) => Number(list.has(contact)));
  const own = buyers.filter((_, i) => onList[i] === 1);
  const none = (code: 'too-short' | 'like-everybody' | 'nobody-else', says: string): Likeness => ({
    kind: 'none',
    code,
    says,
    listed: own.length,
  });
  if (own.length < FEWEST_LISTED) {
    return none(
      'too-short',
      `${own.length} of the list have bought: it takes ${FEWEST_LISTED} to see what they share.`,
    );
  }
  if (own.length === buyers.length) return none('nobody-else', 'All customers are on the list: there is nobody else.');
  const features = featuresOf(sampleOf(buyers, SAMPLE), reading);
  const apart = apartOf(own, features, reading);
  const points = pointsOf(buyers, features, reading);
  const { mean, spread } = profileOf(points, onList);
  const { spread: usualSpread } = profileOf(points, new Uint8Array(buyers.length).fill(1));
  const differs = apart.some(({ by }, j) => {
    // Of everybody's spread: one rare value more on a short list is no pattern.
    const error = Math.sqrt((usualSpread[j] as number) / own.length);
    return Math.abs(by) >= APART * Math.sqrt(usualSpread[j] as number) && Math.abs(by) >= SURELY * error;
  });
  if (!differs) {
    const says = `The ${own.length} customers on the list are like everybody else: nothing that is known sets them apart.`;
    return none('like-everybody', says);
  }
  const distances = Float64Array.from(buyers, (_, i) => distanceOf(points, i, mean, spread));
  const nearest = Array.from(distances, (distance, place) => ({ place, distance }))
    .filter(({ place }) => onList[place] === 0)
    .sort((a, b) => a.distance - b.distance || a.place - b.place)
    .slice(0, most);
  const usual = {
    listed: middleOf(distances.filter((_, i) => onList[i] === 1)),
    everybody: middleOf(distances.slice()),
  };
  return { kind: 'like', listed: own.length, says: sayApart(apart), apart, nearest, usual, features };
}

function profileOf({ count, width, at }: Points, some: Uint8Array): { mean: number[]; spread: number[] } {
  const [mean, spread] = [new Array<number>(width).fill(0), new Array<number>(width).fill(0)];
  const size = some.reduce((sum, each) => sum + each, 0);
  for (let j = 0; j < width; j += 1) {
    let [sum, squares, all, allSquares] = [0, 0, 0, 0];
    for (let i = 0; i < count; i += 1) {
      const value = at[i * width + j] as number;
      all += value;
      allSquares += value * value;
      if (some[i] === 0) continue;
      sum += value;
      squares += value * value;
    }
    const [middle, everybody] = [sum / size, allSquares / count - (all / count) ** 2];
    const own = Math.max(0, squares / size - middle * middle);
    mean[j] = middle;
    spread[j] = Math.max(NARROWEST * everybody, (size * own + PRIOR * everybody) / (size + PRIOR), 1e-9);
  }
  return { mean, spread };
}

function distanceOf({ width, at }: Points, i: number, mean: readonly number[], spread: readonly number[]): number {
  let sum = 0;
  for (let j = 0; j < width; j += 1)
    sum += ((at[i * width + j] as number) - (mean[j] as number)) ** 2 / (spread[j] as number);
  return Math.sqrt(sum / Math.max(1, width));
}

const middleOf = (values: Float64Array): number => values.sort()[Math.floor(values.length / 2)] ?? 0;
