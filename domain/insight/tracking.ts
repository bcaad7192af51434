// The models against what then happened: repeat orders by week, as the model has them from the first orders alone.
import type { Customer } from './customer.ts';
import type { PurchaseModel } from './models.ts';
import { expectedOrders } from './predict.ts';

/** The last day of a week, and repeat purchases from the first day of all to its end. */
export interface Tracked {
  day: number;
  repeats: number;
}

/**
 * Expected cumulative repeat purchases by week, of customers whose first orders were made on `firstDays`: Σ E[X(t)], as
 * in figure 3 of Fader, Hardie and Lee 2005. Weeks run from the earliest first order to `untilDay`; a last piece of a week
 * is one.
 */
export function trackingOf(model: PurchaseModel, firstDays: ArrayLike<number>, untilDay: number): Tracked[] {
  const counts = new Map<number, number>();
  for (let i = 0; i < firstDays.length; i++) {
    const day = firstDays[i] ?? Number.NaN;
    if (day <= untilDay) counts.set(day, (counts.get(day) ?? 0) + 1);
  }
  // E[X(t)] by the age in days: asked for once however many customers are that old.
  const ages = new Map<number, number>();
  const expected = (age: number): number => {
    const known = ages.get(age);
    if (known !== undefined) return known;
    const made = expectedOrders(model, NEW, 0, age);
    ages.set(age, made);
    return made;
  };
  return weeksOf(earliest(firstDays), untilDay).map((day) => {
    let repeats = 0;
    for (const [first, many] of counts) if (first < day) repeats += many * expected(day - first);
    return { day, repeats };
  });
}

/** What happened, in the same weeks: `repeatDays` are the days with an order of each customer, the first left out. */
export function trackedOf(firstDays: ArrayLike<number>, repeatDays: Iterable<number>, untilDay: number): Tracked[] {
  const weeks = weeksOf(earliest(firstDays), untilDay);
  const counts = new Float64Array(weeks.length);
  const from = earliest(firstDays);
  for (const day of repeatDays) {
    const week = Math.max(0, Math.floor((day - from) / 7));
    if (day <= untilDay && week < counts.length) counts[week] = (counts[week] ?? 0) + 1;
  }
  let repeats = 0;
  return weeks.map((day, week) => {
    repeats += counts[week] ?? 0;
    return { day, repeats };
  });
}

const NEW: Customer = { days: 1, first: 0, last: 0, orders: 1, revenue: 0, firstRevenue: 0, margin: 0, valued: 0 };

function earliest(days: ArrayLike<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < days.length; i++) least = Math.min(least, days[i] ?? least);
  return least;
}

function weeksOf(from: number, untilDay: number): number[] {
  const weeks: number[] = [];
  for (let day = from + 6; day < untilDay; day += 7) weeks.push(day);
  if (from <= untilDay) weeks.push(untilDay);
  return weeks;
}
