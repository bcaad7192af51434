// How a person stands with the shop: cases at its service desk, subscriptions, and scores that insight gives.
import type { Facts } from './contact.ts';
import type { Interaction, Json } from './interaction.ts';

/**
 * Scores that rules may read, with their type. `Scores Updated` gives them under these names; money is in minor units
 * of the shop's currency there, as the event is our own.
 */
export const SCORES: Record<string, 'number' | 'money' | 'text'> = {
  'rfm.recency': 'number',
  'rfm.frequency': 'number',
  'rfm.money': 'number',
  'rfm.group': 'text',
  'value.decile': 'number',
  'value.past': 'money',
  'value.lifetime': 'money',
  'predicted.alive': 'number',
  'predicted.orders': 'number',
  'predicted.orders90': 'number',
  'predicted.value': 'money',
  'predicted.value90': 'money',
  'loyalty.tier': 'text',
};

/** Fifths and tenths of the customers: 5 and 1 are best. A probability. */
const BOUNDS: Record<string, [least: number, most: number]> = {
  'rfm.recency': [1, 5],
  'rfm.frequency': [1, 5],
  'rfm.money': [1, 5],
  'value.decile': [1, 10],
  'predicted.alive': [0, 1],
};

const MOST_CASES = 50;
const MOST_SUBSCRIPTIONS = 20;
const MOST_CHARACTERS = 100;

type Case = NonNullable<Facts['cases']>[string];
type Subscription = NonNullable<Facts['subscriptions']>[string];
type Score = NonNullable<Facts['scores']>[string];

/** Event name → what it says of a case. */
const CASES: Record<string, boolean> = { 'Case Opened': true, 'Case Closed': false };
/** Event name → what it says of a subscription. */
const SUBSCRIPTIONS: Record<string, boolean> = { 'Subscription Started': true, 'Subscription Cancelled': false };

/** The later word by event time; of one instant the one that ends, then the greater id. Anything is later than nothing. */
function later<T extends { at: number; id: string }>(a: T, b: T | undefined, goesOn: (word: T) => boolean): T {
  if (b === undefined || a.at !== b.at) return b === undefined || a.at > b.at ? a : b;
  if (goesOn(a) !== goesOn(b)) return goesOn(a) ? b : a;
  return a.id > b.id ? a : b;
}

const laterCase = (a: Case, b?: Case): Case => later(a, b, (word) => word.open);
const laterSubscription = (a: Subscription, b?: Subscription): Subscription => later(a, b, (word) => word.active);
const laterScore = (a: Score, b?: Score): Score => later(a, b, () => true);

/**
 * The entries of both, of those that both have the later one; at most the `most` newest. Whether one is still open has
 * no say in what is kept: what was dropped is forgotten, so only an order that no later word can lower gives one result
 * in any order of events.
 */
function union<T extends { at: number }>(
  a: Record<string, T> | undefined,
  b: Record<string, T> | undefined,
  later: (one: T, other?: T) => T,
  most: number,
): Record<string, T> | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const all = new Map(Object.entries(a));
  let moved = false;
  for (const [key, value] of Object.entries(b)) {
    const known = all.get(key);
    const wins = later(value, known);
    moved ||= wins !== known;
    all.set(key, wins);
  }
  if (!moved) return a;
  if (all.size <= most) return Object.fromEntries(all);
  const newest = [...all].sort(([x, one], [y, other]) => other.at - one.at || (x < y ? -1 : 1)).slice(0, most);
  return Object.fromEntries(newest);
}

/** What a `Scores Updated` may say of a score; undefined = nothing that can be read. */
function readScore(name: string, value: Json | undefined): number | string | undefined {
  const type = Object.hasOwn(SCORES, name) ? SCORES[name] : undefined;
  if (type === 'text')
    return typeof value === 'string' && value !== '' && value.length <= MOST_CHARACTERS ? value : undefined;
  if (type === undefined || typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  const [least, most] = BOUNDS[name] ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  if (value < least || value > most) return undefined;
  return type === 'number' || Number.isSafeInteger(value) ? value : undefined;
}

/**
 * Folds what an interaction says of cases, subscriptions and scores. Commutative, and a repeat changes nothing.
 * Changes `facts` at its top only: what it held before is not written into. What cannot be read is passed over.
 */
export function foldStanding(facts: Facts, interaction: Interaction): void {
  const { name, properties, at, id } = interaction;
  if (Object.hasOwn(CASES, name)) {
    const key = keyOf(properties.case_id);
    const word = { open: CASES[name] as boolean, at, id };
    if (key !== undefined) setIn(facts, 'cases', union(facts.cases ?? {}, { [key]: word }, laterCase, MOST_CASES));
  } else if (Object.hasOwn(SUBSCRIPTIONS, name)) {
    const key = keyOf(properties.subscription_id);
    const word = { active: SUBSCRIPTIONS[name] as boolean, at, id };
    if (key !== undefined)
      setIn(
        facts,
        'subscriptions',
        union(facts.subscriptions ?? {}, { [key]: word }, laterSubscription, MOST_SUBSCRIPTIONS),
      );
  } else if (name === 'Scores Updated') {
    const said: Record<string, Score> = {};
    for (const [score, given] of Object.entries(properties)) {
      const value = readScore(score, given);
      if (value !== undefined) said[score] = { value, at, id };
    }
    if (Object.keys(said).length > 0)
      setIn(facts, 'scores', union(facts.scores ?? {}, said, laterScore, Object.keys(SCORES).length));
  }
}

type Standing = Pick<Facts, 'cases' | 'subscriptions' | 'scores'>;
function setIn<K extends keyof Standing>(facts: Facts, key: K, value: Standing[K]): void {
  if (value !== undefined && value !== facts[key]) facts[key] = value as Facts[K];
}

/** Ids come as text from the door; a number is one where an event came another way. */
function keyOf(value: Json | undefined): string | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** How two contacts that are one person stand; keys that neither has are left out. */
export function mergeStanding(a: Facts, b: Facts): Standing {
  const merged: Standing = {};
  const cases = union(a.cases, b.cases, laterCase, MOST_CASES);
  if (cases !== undefined) merged.cases = cases;
  const subscriptions = union(a.subscriptions, b.subscriptions, laterSubscription, MOST_SUBSCRIPTIONS);
  if (subscriptions !== undefined) merged.subscriptions = subscriptions;
  const scores = union(a.scores, b.scores, laterScore, Object.keys(SCORES).length);
  if (scores !== undefined) merged.scores = scores;
  return merged;
}

/** How many cases are open at the service desk; 0 where none is known. */
export function openCases({ cases }: Facts): number {
  let open = 0;
  for (const key in cases) if (cases[key]?.open) open += 1;
  return open;
}

/** Whether any subscription is active. */
export function hasSubscription({ subscriptions }: Facts): boolean {
  for (const key in subscriptions) if (subscriptions[key]?.active) return true;
  return false;
}

/** A score by its name in `SCORES`, money in minor units; undefined until something has given it. */
export function scoreOf({ scores }: Facts, name: string): number | string | undefined {
  return scores !== undefined && Object.hasOwn(scores, name) ? scores[name]?.value : undefined;
}
