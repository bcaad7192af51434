// What insight needs to know of one customer: sufficient statistics, counted in whole days of the shop's calendar.
import type { Facts } from '../contact.ts';
import { localDayNumber } from '../time.ts';

const DAY = 86_400_000;

/**
 * A customer as the models see one: from the facts of a contact, or a row of the query `customers`; both are the same for
 * the same orders, as long as there are at most 200 days with any. Days are numbers since 1970-01-01 in the shop's
 * calendar; orders of one day count as one purchase, at the day of their first completion. Money in minor units of the
 * shop's currency, net of refunds, which count at the day of their order. An order that was cancelled counts nowhere; one
 * in another currency is an order of no money. A credit note that belongs to no order is negative revenue at the day of
 * its earliest refund, without margin, and no order: who has nothing else is no customer.
 */
export interface Customer {
  /** Days with an order: the models' x is one less. At least 1. */
  days: number;
  /** The first and the last of them. */
  first: number;
  last: number;
  orders: number;
  /** Revenue of all orders, and of those of the first day. May be below 0 where refunds exceed orders. */
  revenue: number;
  firstRevenue: number;
  /** Margin of those orders whose margin is known, and the revenue of these. */
  margin: number;
  valued: number;
}

/** The day of the shop's calendar at an instant, as a number of days since 1970-01-01. */
export function calendarDay(at: number, zone: string): number {
  return localDayNumber(at, zone);
}

/** Such a day as YYYY-MM-DD, and back. */
export const dateOfDay = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10);
export const dayOfDate = (date: string): number => Date.parse(date) / DAY;

/** A contact's days are replaced when one of them changes: they are added up once. */
const known = new WeakMap<NonNullable<Facts['days']>, { customer: Customer | undefined; latest: number }>();

function added(days: NonNullable<Facts['days']>): { customer: Customer | undefined; latest: number } {
  const found = known.get(days);
  if (found !== undefined) return found;
  const latest = Object.keys(days).reduce((newest, key) => Math.max(newest, Number(key)), Number.NEGATIVE_INFINITY);
  const made = { customer: customerIn(days, latest), latest };
  known.set(days, made);
  return made;
}

/** The customer that a contact is by its days; undefined where no order stands. Of the same days the same object. */
export function customerOf({ days }: Pick<Facts, 'days'>): Customer | undefined {
  return days === undefined ? undefined : added(days).customer;
}

/** The same as of the end of a day: what stands at later ones (orders dated in the future) is not there yet. */
export function customerAt({ days }: Pick<Facts, 'days'>, today: number): Customer | undefined {
  if (days === undefined) return undefined;
  const { customer, latest } = added(days);
  return latest <= today ? customer : customerIn(days, today);
}

/** The first day after this one at which something stands: undefined but for what is dated in the future. */
export function dayAhead({ days }: Pick<Facts, 'days'>, today: number): number | undefined {
  if (days === undefined || added(days).latest <= today) return undefined;
  return Math.min(
    ...Object.keys(days)
      .map(Number)
      .filter((day) => day > today),
  );
}

function customerIn(days: NonNullable<Facts['days']>, until: number): Customer | undefined {
  const made: Customer = {
    days: 0,
    first: Number.POSITIVE_INFINITY,
    last: Number.NEGATIVE_INFINITY,
    orders: 0,
    revenue: 0,
    firstRevenue: 0,
    margin: 0,
    valued: 0,
  };
  for (const key in days) {
    const day = Number(key);
    if (day > until) continue;
    const [orders, net, valued = 0, margin = 0] = days[key] as NonNullable<Facts['days']>[string];
    made.orders += orders;
    made.revenue += net;
    made.valued += valued;
    made.margin += margin;
    if (orders <= 0) continue;
    made.days += 1;
    made.last = Math.max(made.last, day);
    if (day < made.first) {
      made.first = day;
      made.firstRevenue = net;
    }
  }
  return made.days === 0 ? undefined : made;
}
