// Discovered groups: customers who buy alike, found in the data, said in words, and the same ones from run to run.
import { type Buyer, returnedShare } from './buyers.ts';
import { adjustedRand, assign, type Clusters, kMeans, settle, silhouette } from './clusters.ts';
import {
  carryOver,
  categoryOf,
  type Feature,
  featuresOf,
  featureValue,
  type Points,
  pointsOf,
  type Reading,
} from './feature-space.ts';
import type { Groups } from './models.ts';

/** One of the groups, in figures. */
export interface Group {
  id: string;
  title: string;
  /** Whether it was there in the former run. */
  kept: boolean;
  customers: number;
  /** Of all customers, and of all revenue; no share where there is no revenue. */
  share: number;
  revenueShare?: number;
  /** In minor units. */
  revenue: number;
  /** What is usual in it: median days since the last order, mean orders, mean revenue an order, shares of returns, discounts. */
  recency: number;
  orders: number;
  average: number;
  discounted: number;
  returned: number;
  apart: Apart[];
}

/** How far some people are from everybody in a feature: in deviations, and the mean of its values, theirs and everybody's. */
export interface Apart {
  feature: string;
  by: number;
  value: number;
  usual: number;
}

export type Discovered =
  | { kind: 'none'; code: 'too-few-customers' | 'all-alike' | 'no-structure'; says: string }
  | {
      kind: 'groups';
      model: Groups;
      groups: Group[];
      /** By customer, in the order given: the place of their group in `groups`. */
      of: Uint8Array;
      /** Of the sample: mean silhouette, and how well parts of the customers find the same groups (adjusted Rand). */
      silhouette: number;
      stability: number;
      /** `kept`: the former groups, moved; `anew`: found afresh; `first`: there were none. */
      how: 'first' | 'kept' | 'anew';
      /** Whether parts of the customers do not find them again: no sharp groups. */
      blurred: boolean;
      /** What each number of groups came to. */
      tried: { k: number; silhouette: number; stability: number }[];
    };

/** Fewer customers show no groups that would be found again. */
export const FEWEST_CUSTOMERS = 60;
const [FEWEST_GROUPS, MOST_GROUPS] = [3, 8];
/** Fits see at most so many customers, chosen by a hash of their id. */
const SAMPLE = 20_000;
/** The number of groups is chosen on so many of these. */
const TRIAL = 2000;
const STARTS = 6;
/** A number of groups is stable where parts of the customers agree on it to this adjusted Rand index. */
export const STABLE = 0.8;
/** A fresh partition takes the place of the former groups only where its silhouette is better by so much. */
const BETTER = 0.05;
/** A group that is still the same moves so much of the way to where its people are now: in nights, not in one. */
const PACE = 0.3;
/** No group is smaller than this share of customers. */
const SMALLEST = 0.01;

/**
 * The groups in which customers buy alike, by k-means over recency, frequency, money, discounts, returns and categories
 * (feature-space.ts). Of 3 to 8 groups, that number with the best silhouette which is stable: parts of the customers
 * find the same groups (adjusted Rand index of at least 0.8), none of them under 1 %; where no number is stable, the
 * stablest, and `blurred`. `former`: the groups of the last run; they follow their people slowly, as long as a fresh
 * partition is not better by 0.05 of silhouette. A group keeps its id while most of its people are those of the former
 * one and its centre moved less than half of the way to another, and its title while all of that is still true. No
 * randomness: the same customers give the same groups, in whatever order they come.
 */
export function discoverGroups(buyers: readonly Buyer[], reading: Reading, former?: Groups): Discovered {
  if (buyers.length < FEWEST_CUSTOMERS) {
    const says = `${buyers.length} customers with an order are too few to tell groups; it takes ${FEWEST_CUSTOMERS}.`;
    return { kind: 'none', code: 'too-few-customers', says };
  }
  const sample = sampleOf(buyers, SAMPLE);
  const features = featuresOf(sample, reading, former?.features);
  const points = pointsOf(sample, features, reading);
  if (features.length === 0 || different(points) < MOST_GROUPS) {
    const says = `All ${buyers.length} customers bought alike: nothing sets one group apart from another.`;
    return { kind: 'none', code: 'all-alike', says };
  }
  const found = clustersOf(points, features, former);
  if (found === undefined) {
    const says = 'Whatever the number of groups, one of them is only a handful of people: there are no groups.';
    return { kind: 'none', code: 'no-structure', says };
  }
  const all = pointsOf(buyers, features, reading);
  const { of } = assign(all, found.centres);
  const names = former === undefined ? [] : namesakes(all, of, found.centres, carried(former, features));
  return { kind: 'groups', ...described(buyers, of, found.centres, features, reading, names, former), ...found.fit };
}

interface Fit {
  silhouette: number;
  stability: number;
  how: 'first' | 'kept' | 'anew';
  blurred: boolean;
  tried: { k: number; silhouette: number; stability: number }[];
}

function clustersOf(
  points: Points,
  features: readonly Feature[],
  former: Groups | undefined,
): { centres: number[][]; fit: Fit } | undefined {
  const trial = firstOf(points, TRIAL);
  const tried: (Fit['tried'][number] & { clusters: Clusters })[] = [];
  for (let k = FEWEST_GROUPS; k <= MOST_GROUPS; k += 1) {
    const clusters = kMeans(trial, k, STARTS);
    if (smallest(clusters) < SMALLEST * trial.count) continue;
    const stability = stabilityOf(trial, clusters);
    tried.push({ k, clusters, silhouette: silhouette(trial, clusters.of, k), stability });
  }
  const stable = tried.filter(({ stability }) => stability >= STABLE);
  const best =
    stable.length > 0
      ? stable.reduce((one, other) => (other.silhouette > one.silhouette ? other : one))
      : tried.reduce<(typeof tried)[number] | undefined>(
          (one, other) => (one === undefined || other.stability > one.stability ? other : one),
          undefined,
        );
  const figures = tried.map(({ clusters: _, ...each }) => each);
  if (former !== undefined && former.groups.length >= 2) {
    const moved = followed(points, carried(former, features));
    const worth = silhouette(points, moved.of, moved.centres.length);
    const stands = smallest(moved) >= (SMALLEST / 2) * points.count;
    if (stands && (best === undefined || stable.length === 0 || best.silhouette < worth + BETTER)) {
      const stability = stabilityOf(trial, { ...moved, of: moved.of.subarray(0, trial.count) });
      const fit: Fit = { silhouette: worth, stability, how: 'kept', blurred: stability < STABLE, tried: figures };
      return { centres: moved.centres, fit };
    }
  }
  if (best === undefined) return undefined;
  const { centres } = settle(points, best.clusters.centres);
  const { silhouette: worth, stability } = best;
  const how = former === undefined ? 'first' : 'anew';
  return { centres, fit: { silhouette: worth, stability, how, blurred: stability < STABLE, tried: figures } };
}

/** Former groups, moved with their people: slowly where they are still the same, else to where k-means settles. */
function followed(points: Points, former: number[][]): Clusters {
  const settled = settle(points, former);
  const next = nextOf(former);
  const centres = settled.centres.map((centre, i) => {
    const place = former[i] as number[];
    if (apart(centre, place) > (next[i] as number) / 2) return centre;
    return centre.map((x, j) => PACE * x + (1 - PACE) * (place[j] as number));
  });
  return { centres, ...assign(points, centres) };
}

/** By centre, how far the nearest of the others is. */
const nextOf = (centres: number[][]): number[] =>
  centres.map((place, i) => Math.min(...centres.filter((_, j) => j !== i).map((other) => apart(place, other))));

const smallest = ({ centres, of }: Clusters): number => {
  const sizes = new Array<number>(centres.length).fill(0);
  for (const own of of) sizes[own] = (sizes[own] as number) + 1;
  return Math.min(...sizes);
};

/** The mean agreement of a partition with those that are fitted to four fifths of the points, each fifth left out once. */
function stabilityOf(points: Points, { centres, of }: Clusters): number {
  const parts = 5;
  let sum = 0;
  for (let part = 0; part < parts; part += 1) {
    const kept = Array.from({ length: points.count }, (_, i) => i).filter((i) => i % parts !== part);
    const fewer = kMeans(rowsOf(points, kept), centres.length, STARTS / 2);
    sum += adjustedRand(of, assign(points, fewer.centres).of);
  }
  return sum / parts;
}

function rowsOf({ width, at }: Points, rows: readonly number[]): Points {
  const some = new Float64Array(rows.length * width);
  for (const [place, row] of rows.entries()) some.set(at.subarray(row * width, (row + 1) * width), place * width);
  return { count: rows.length, width, at: some };
}

const firstOf = ({ count, width, at }: Points, most: number): Points => {
  const fewer = Math.min(count, most);
  return { count: fewer, width, at: at.subarray(0, fewer * width) };
};

/** How many different places there are, counted up to the most groups. */
function different({ count, width, at }: Points): number {
  const places = new Set<string>();
  for (let i = 0; i < count && places.size < MOST_GROUPS; i += 1)
    places.add(at.subarray(i * width, (i + 1) * width).join(' '));
  return places.size;
}

/**
 * At most so many, by a hash of their id, smallest first: the same ones from run to run, whoever else comes or goes, and
 * any first part of them is a sample of its own.
 */
export function sampleOf(buyers: readonly Buyer[], most: number): Buyer[] {
  const hashed = buyers.map((buyer) => ({ buyer, hash: hashOf(buyer.contact) }));
  hashed.sort((a, b) => a.hash - b.hash || (a.buyer.contact < b.buyer.contact ? -1 : 1));
  return hashed.slice(0, most).map(({ buyer }) => buyer);
}

/** FNV-1a, with its bits mixed once more: ids that count upwards are spread evenly. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const carried = (former: Groups, features: readonly Feature[]): number[][] =>
  former.groups.map(({ centre }) => carryOver(centre, former.features, features));

/**
 * By group the place of the former one that it is: most of the people who are near the former centre today (Jaccard over
 * one half), and a centre that moved by less than half of the way to the next former one.
 */
function namesakes(points: Points, of: Uint8Array, centres: number[][], former: number[][]): (number | undefined)[] {
  const before = assign(points, former).of;
  const both = centres.map(() => new Array<number>(former.length).fill(0));
  const [sizes, sizesBefore] = [new Array<number>(centres.length).fill(0), new Array<number>(former.length).fill(0)];
  for (let i = 0; i < of.length; i += 1) {
    const [now, then] = [of[i] as number, before[i] as number];
    const row = both[now] as number[];
    row[then] = (row[then] as number) + 1;
    sizes[now] = (sizes[now] as number) + 1;
    sizesBefore[then] = (sizesBefore[then] as number) + 1;
  }
  const next = nextOf(former);
  return both.map((row, now) => {
    const then = row.findIndex((shared, i) => {
      const either = (sizes[now] as number) + (sizesBefore[i] as number) - shared;
      const moved = apart(centres[now] as number[], former[i] as number[]);
      return either > 0 && shared / either > 0.5 && moved <= (next[i] as number) / 2;
    });
    return then < 0 ? undefined : then;
  });
}

const apart = (a: readonly number[], b: readonly number[]): number =>
  Math.hypot(...a.map((x, j) => x - (b[j] as number)));

function described(
  buyers: readonly Buyer[],
  of: Uint8Array,
  centres: number[][],
  features: readonly Feature[],
  reading: Reading,
  names: (number | undefined)[],
  former: Groups | undefined,
): { model: Groups; groups: Group[]; of: Uint8Array } {
  const revenue = buyers.reduce((sum, buyer) => sum + buyer.revenue, 0);
  const members = centres.map(() => [] as Buyer[]);
  for (const [i, buyer] of buyers.entries()) members[of[i] as number]?.push(buyer);
  let given = former?.given ?? 0;
  const order = centres.map((_, c) => c).sort((a, b) => sumOf(members[b]) - sumOf(members[a]) || a - b);
  const raw = order.map((c) => {
    const then = names[c] === undefined ? undefined : former?.groups[names[c]];
    if (then === undefined) given += 1;
    const id = then?.id ?? `g${given}`;
    const own = members[c] as Buyer[];
    return { id, then, centre: centres[c] as number[], ...figuresOf(own, buyers, revenue, features, reading) };
  });
  const titles = titlesOf(raw.map(({ apart, then }) => ({ apart, former: then?.title })));
  const groups = raw.map(
    ({ then, centre: _, ...group }, i): Group => ({
      ...group,
      title: titles[i] as string,
      kept: then !== undefined,
    }),
  );
  const place = new Map(order.map((c, i) => [c, i]));
  return {
    model: {
      features: features.map((feature) => ({ ...feature })),
      given,
      groups: raw.map(({ id, centre, customers }, i) => ({ id, title: titles[i] as string, centre, customers })),
    },
    groups,
    of: of.map((c) => place.get(c) as number),
  };
}

const sumOf = (buyers: Buyer[] | undefined): number => (buyers ?? []).reduce((sum, { revenue }) => sum + revenue, 0);

function figuresOf(
  own: Buyer[],
  all: readonly Buyer[],
  revenue: number,
  features: readonly Feature[],
  reading: Reading,
): Omit<Group, 'id' | 'title' | 'kept'> {
  const mean = (value: (buyer: Buyer) => number): number =>
    own.length === 0 ? 0 : own.reduce((sum, buyer) => sum + value(buyer), 0) / own.length;
  const ages = own.map((buyer) => Math.max(0, reading.today - buyer.last)).sort((a, b) => a - b);
  const [earned, orders] = [sumOf(own), own.reduce((sum, buyer) => sum + buyer.orders, 0)];
  return {
    customers: own.length,
    share: all.length === 0 ? 0 : own.length / all.length,
    ...(revenue > 0 ? { revenueShare: earned / revenue } : {}),
    revenue: earned,
    recency: ages[Math.floor(ages.length / 2)] ?? 0,
    orders: mean((buyer) => buyer.orders),
    average: orders > 0 ? earned / orders : 0,
    discounted: mean((buyer) => (buyer.orders > 0 ? Math.min(1, buyer.discounted / buyer.orders) : 0)),
    returned: mean(returnedShare),
    apart: apartOf(own, features, reading),
  };
}

/** How far people are from everybody, feature by feature. */
export function apartOf(own: readonly Buyer[], features: readonly Feature[], reading: Reading): Apart[] {
  return features.map(({ name, mean, deviation }) => {
    let [by, value] = [0, 0];
    for (const buyer of own) {
      const one = featureValue(name, buyer, reading);
      value += one;
      by += Math.max(-3, Math.min(3, (one - mean) / deviation));
    }
    const many = Math.max(1, own.length);
    return { feature: name, by: by / many, value: own.length === 0 ? mean : value / many, usual: mean };
  });
}

/** What may be said of a feature: `clear` where it sets a group apart, else only still true of a title given before. */
interface Saying {
  words: string;
  strength: number;
  clear: boolean;
}

const [CLEAR, STILL] = [0.5, 0.25];

function sayingsOf(apart: Apart[]): Saying[] {
  const sayings: Saying[] = [];
  const say = ([words, ...still]: Words, strength: number): void => {
    if (strength < STILL) return;
    sayings.push({ words, strength, clear: strength >= CLEAR });
    for (const other of still) sayings.push({ words: other, strength, clear: false });
  };
  for (const { feature, by, value, usual } of apart) {
    const category = categoryOf(feature);
    if (category !== undefined) {
      // Clear: 20 points more of it than everybody, or 2.5 times as much and a tenth of what they buy.
      const times = value >= 0.1 && usual > 0 ? Math.min(1, value / usual / 5) : 0;
      const words = byBound(value, 0.45, `more ${category} than others`, `mostly ${category}`);
      say(words, Math.max((value - usual) * 2.5, times));
      continue;
    }
    const [less, more] = (SAYINGS[feature] as SayingWords)(value);
    say(by < 0 ? less : more, Math.abs(by));
  }
  return sayings.sort((a, b) => b.strength - a.strength);
}

/** What is said, and what was said of it before and is still true. */
type Words = [says: string, ...still: string[]];
type SayingWords = (value: number) => [less: Words, more: Words];
const SAYINGS: Record<string, SayingWords> = {
  recency: () => [['bought lately'], ['quiet for long']],
  frequency: (value) => [byBound(value, 0.2, 'once', 'seldom'), ['often']],
  money: () => [['small orders'], ['large orders']],
  discounted: (value) => [
    ['rarely with discounts'],
    byBound(value, 0.5, 'more with discounts', 'mostly with discounts'),
  ],
  returned: (value) => [['rarely returns'], byBound(value, 0.15, 'returns more than others', 'often returns')],
};

/** Words for either side of a bound; near it those of the other side are still true. */
function byBound(value: number, bound: number, below: string, above: string): Words {
  const [says, other] = value < bound ? [below, above] : [above, below];
  return Math.abs(value - bound) <= 0.3 * bound ? [says, other] : [says];
}

/** In which order things are said; what is not named here, categories, stands before the star's followers. */
const ORDER = ['bought lately', 'quiet for long', 'often', 'seldom', 'once', '*', 'large orders', 'small orders'];

/** What sets people apart, in words: "bought lately and often, mostly Cameras, rarely returns". At most so many parts. */
export function sayApart(apart: Apart[], most = 4): string {
  const clear = sayingsOf(apart).filter((saying) => saying.clear);
  return phrase(clear.slice(0, most).map(({ words }) => words));
}

const NOTHING = 'like everybody';

function phrase(words: string[]): string {
  const rank = (word: string): number => {
    const place = ORDER.indexOf(word);
    if (place >= 0) return place;
    return /discounts$|return/.test(word) ? ORDER.length + Number(word.includes('return')) : ORDER.indexOf('*');
  };
  if (words.length === 0) return NOTHING;
  const said = [...words].sort((a, b) => rank(a) - rank(b)).join(', ');
  return said
    .replace(/^bought lately, often/, 'bought lately and often')
    .replace(/(^|quiet for long, )(often|seldom|once)/, '$1bought $2');
}

/** Titles, each its own; a former one stays while all that it says is still true. */
function titlesOf(groups: { apart: Apart[]; former: string | undefined }[]): string[] {
  const titles: (string | undefined)[] = groups.map(({ apart, former }) => {
    if (former === undefined) return undefined;
    const still = new Set(sayingsOf(apart).map(({ words }) => words));
    return partsOf(former).every((part) => still.has(part)) ? former : undefined;
  });
  for (const [i, { apart }] of groups.entries()) {
    if (titles[i] !== undefined) continue;
    const taken = new Set(titles);
    const said = Array.from({ length: 6 }, (_, more) => capital(sayApart(apart, 3 + more)));
    const free = said.find((title) => !taken.has(title));
    titles[i] = free ?? numbered(said[0] as string, taken);
  }
  return titles as string[];
}

/** What a title says, part by part, as `sayingsOf` words it. */
const partsOf = (title: string): string[] =>
  (title.charAt(0).toLowerCase() + title.slice(1))
    .replace(/ \(\d+\)$/, '')
    .replace(/^bought lately and /, 'bought lately, ')
    .replace(/bought (often|seldom|once)/, '$1')
    .split(', ')
    .filter((part) => part !== NOTHING);

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function numbered(title: string, taken: ReadonlySet<string | undefined>): string {
  let number = 2;
  while (taken.has(`${title} (${number})`)) number += 1;
  return `${title} (${number})`;
}
