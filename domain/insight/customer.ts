// What insight needs to know of one customer: sufficient statistics, counted in whole days of the shop's calendar.
import { localTime } from '../time.ts';

const DAY = 86_400_000;

/**
 * A customer as the models see one: from the facts of a contact, or a row of the query `customers`. Days are numbers
 * since 1970-01-01 in the shop's calendar; orders of one day count as one purchase. Money in minor units of the shop's
 * currency, net of refunds; an order that was cancelled counts nowhere.
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
  return Date.parse(localTime(at, zone).date) / DAY;
}

/** Such a day as YYYY-MM-DD, and back. */
export const dateOfDay = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10);
export const dayOfDate = (date: string): number => Date.parse(date) / DAY;
