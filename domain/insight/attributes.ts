// What the models say of a contact at an instant, by the names that rules know it under; and the day on which that turns.
import { dayAt, midnightOf } from '../calendar.ts';
import type { Facts } from '../contact.ts';
import type { Json } from '../interaction.ts';
import { unitsPerMajor } from '../money.ts';
import { NO_CURRENCY } from '../order.ts';
import { scoreOf } from '../standing.ts';
import { type Customer, customerAt, dayAhead } from './customer.ts';
import { decileOf, lifetimeOf, shareOf } from './lifetime.ts';
import type { Models } from './models.ts';
import { alive, expectedOrders, expectedSpend, nextOrderDay } from './predict.ts';
import { type RfmScores, rfmGroup, rfmScores } from './rfm.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** What turns within so many days is found, to the day: a hundred years. Of what lies beyond nothing is said. */
const FURTHEST = 36_525;

/** A contact at an instant, with the models that stand. */
export interface Modelled {
  facts: Facts;
  models: Models | undefined;
  now: number;
  /** The shop's: its calendar counts the days. */
  zone: string;
}

/** A contact on a day. `given`: a score that the shop has given, which wins over what the models say. */
interface OnDay {
  facts: Facts;
  models: Models | undefined;
  customer: Customer | undefined;
  day: number;
}

interface Attribute {
  type: 'number' | 'money' | 'date' | 'text';
  /** Undefined where no model stands, what it needs is not known, or nothing was bought. */
  value(on: OnDay, zone: string): number | string | undefined;
  /**
   * Of what time alone moves: a number that only rises, or only falls, as days without an order pass, and stays where
   * the value does. Absent where only an order, a score or another model changes the value.
   */
  moves?(on: OnDay): number | undefined;
}

/** Models of which none stands yet: what was earned is known all the same. */
const NONE = { currency: NO_CURRENCY } as Models;

function rfmOn({ facts, models, customer, day }: OnDay): Partial<RfmScores> {
  const own: Partial<RfmScores> =
    models?.rfm === undefined || customer === undefined ? {} : rfmScores(models.rfm, customer, day);
  const scores: Partial<RfmScores> = {};
  for (const name of ['recency', 'frequency', 'money'] as const) {
    const score = scoreOf(facts, `rfm.${name}`) ?? own[name];
    if (typeof score === 'number') scores[name] = score;
  }
  return scores;
}

const isWhole = (scores: Partial<RfmScores>): scores is RfmScores =>
  scores.recency !== undefined && scores.frequency !== undefined && scores.money !== undefined;

const of =
  (read: (customer: Customer, models: Models, day: number) => number | undefined) =>
  ({ customer, models, day }: OnDay): number | undefined =>
    customer === undefined || models === undefined ? undefined : read(customer, models, day);

const ordersIn = (days: number) =>
  of((customer, { purchases }, day) =>
    purchases === undefined ? undefined : expectedOrders(purchases, customer, day, days),
  );
/** As `lifetimeOf` has it, without what is not asked for. */
const marginIn = (days: number) =>
  of((customer, models, day) => {
    const { purchases, spend, currency } = models;
    const share = shareOf(models, customer);
    if (purchases === undefined || spend === undefined || share === undefined) return undefined;
    const margin = expectedSpend(spend, customer, unitsPerMajor(currency)) * share;
    return expectedOrders(purchases, customer, day, days) * margin;
  });
const whole =
  (read: (on: OnDay) => number | undefined) =>
  (on: OnDay): number | undefined => {
    const found = read(on);
    return found === undefined ? undefined : Math.round(found) + 0;
  };
/** What moves with time, as it is found. */
const moving = (type: Attribute['type'], value: (on: OnDay) => number | undefined): Attribute => ({
  type,
  value,
  moves: value,
});

/** All of them are margin or orders in the 365 days to come, unless the name says 90. Money in minor units, rounded. */
const ATTRIBUTES: Record<string, Attribute> = {
  'rfm.recency': moving('number', (on) => rfmOn(on).recency),
  'rfm.frequency': { type: 'number', value: (on) => rfmOn(on).frequency },
  'rfm.money': { type: 'number', value: (on) => rfmOn(on).money },
  'rfm.group': {
    type: 'text',
    value: (on) => {
      const scores = rfmOn(on);
      return isWhole(scores) ? rfmGroup(scores) : undefined;
    },
    moves: (on) => rfmOn(on).recency,
  },
  'predicted.alive': moving(
    'number',
    of((customer, { purchases }, day) => (purchases === undefined ? undefined : alive(purchases, customer, day))),
  ),
  'predicted.orders': moving('number', ordersIn(365)),
  'predicted.orders90': moving('number', ordersIn(90)),
  'predicted.value': moving('money', whole(marginIn(365))),
  'predicted.value90': moving('money', whole(marginIn(90))),
  'predicted.nextOrder': {
    type: 'date',
    value: (on, zone) => {
      const day = of((customer, { purchases }) => purchases && nextOrderDay(purchases, customer))(on);
      return day === undefined ? undefined : midnightOf(day, zone);
    },
  },
  'value.past': {
    type: 'money',
    value: whole(({ models = NONE, ...on }) =>
      of((customer, known, day) => lifetimeOf(known, customer, day).past)({ ...on, models }),
    ),
  },
  'value.lifetime': moving('money', whole(of((customer, models, day) => lifetimeOf(models, customer, day).lifetime))),
  'value.decile': moving(
    'number',
    of((customer, models, day) => {
      const value = models.deciles === undefined ? undefined : lifetimeOf(models, customer, day).lifetime;
      return value === undefined ? undefined : decileOf(models.deciles?.cuts ?? [], value);
    }),
  ),
};

/** The names under which rules read what models say, with their types. */
export const modelAttributes: Record<string, Attribute['type']> = Object.fromEntries(
  Object.entries(ATTRIBUTES).map(([name, { type }]) => [name, type]),
);

/** Whether time alone changes the attribute, once there is a model. */
export const movesByTime = (name: string): boolean => Object.hasOwn(ATTRIBUTES, name) && !!ATTRIBUTES[name]?.moves;

const onDay = ({ facts, models }: Pick<Modelled, 'facts' | 'models'>, day: number): OnDay => ({
  facts,
  models,
  customer: customerAt(facts, day),
  day,
});

/** What is known of a contact under one of these names: the score that the shop gave, else what the models say. */
export function readModelled(name: string, { facts, models, now, zone }: Modelled): Json | undefined {
  const given = scoreOf(facts, name);
  if (given !== undefined) return given;
  if (facts.days === undefined && !name.startsWith('rfm.')) return undefined;
  return (ATTRIBUTES[name] as Attribute).value(onDay({ facts, models }, dayAt(now, zone)), zone);
}

/** When an order that is dated in the future comes to be there, where what is read rests on orders; Infinity = none is ahead. */
export function nextDated(name: string, { facts, now, zone }: Omit<Modelled, 'models'>): number {
  if (facts.days === undefined || scoreOf(facts, name) !== undefined) return NEVER;
  const ahead = dayAhead(facts, dayAt(now, zone));
  return ahead === undefined ? NEVER : midnightOf(ahead, zone);
}

/**
 * The midnight of the shop's calendar at which the answer to a comparison turns by time alone: exact, as what moves does
 * so in one direction. `bounds` are the numbers that it compares with. Infinity = not within a hundred years.
 */
export function nextModelled(
  name: string,
  { facts, models, now, zone }: Modelled,
  bounds: readonly number[],
  test: (found: Json | undefined) => boolean,
): number {
  const { moves, value } = ATTRIBUTES[name] as Attribute;
  if (moves === undefined || models === undefined || facts.days === undefined) return NEVER;
  if (scoreOf(facts, name) !== undefined) return NEVER;
  const today = dayAt(now, zone);
  // An order of a later day turns it anew: `nextDated` says when.
  const end = (dayAhead(facts, today) ?? today + FURTHEST + 1) - 1;
  const place = (day: number): number =>
    placeAmong(moves(onDay({ facts, models }, day)), name === 'rfm.group' ? FIFTHS : bounds);
  const answers = (day: number): boolean => test(value(onDay({ facts, models }, day), zone));
  const answer = answers(today);
  let from = today;
  for (let here = place(from), last = place(end); here !== last; here = place(from)) {
    let to = end;
    while (to - from > 1) {
      const middle = Math.floor((from + to) / 2);
      if (place(middle) === here) from = middle;
      else to = middle;
    }
    from = to;
    if (answers(to) !== answer) return midnightOf(to, zone);
  }
  return NEVER;
}

const FIFTHS = [1, 2, 3, 4, 5];

/** Where a number lies among the bounds, ascending: below, at or above each. −1 = there is none. */
function placeAmong(found: number | undefined, bounds: readonly number[]): number {
  if (found === undefined) return -1;
  let place = 0;
  for (const bound of bounds) place += found > bound ? 2 : found === bound ? 1 : 0;
  return place;
}
