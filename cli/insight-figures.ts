// How reports write figures, and the customers that most of them are made of.
import { KairosError } from '../domain/fault.ts';
import { type Customer, dateOfDay, dayOfDate } from '../domain/insight/customer.ts';
import { isDate } from '../domain/mapping.ts';
import { formatMoney } from '../domain/money.ts';
import { query } from '../functions/aws/queries.ts';
import type { Cell, Row } from '../functions/aws/warehouse.ts';
import type { InsightSource } from './insight-source.ts';

/** A customer with what its mail has cost so far, in minor units. */
export interface KnownCustomer extends Customer {
  contact: string;
  messages: number;
  cost: number;
}

/** All customers as of the source's last day, by contact. */
export async function customersOf({ warehouse, today }: InsightSource): Promise<KnownCustomer[]> {
  return (await warehouse.rows(query('customers'), { today })).map(customerIn);
}

/** A customer from a row whose columns are named as those of `customers`. */
export function customerIn(row: Row): KnownCustomer {
  return {
    contact: String(row.contact),
    days: number(row.days),
    first: number(row.first_day),
    last: number(row.last_day),
    orders: number(row.orders),
    revenue: number(row.revenue),
    firstRevenue: number(row.first_revenue),
    margin: number(row.margin),
    valued: number(row.valued),
    messages: number(row.messages),
    cost: number(row.cost),
  };
}

/** The number in a cell; 0 where there is none. */
export const number = (cell: Cell | undefined): number =>
  typeof cell === 'number' && Number.isFinite(cell) ? cell : 0;

/** A part of a whole; undefined where there is no whole to be a part of. */
export const shareOf = (part: number, whole: number): number | undefined => (whole > 0 ? part / whole : undefined);

/** `23.4 %`; `–` where there is nothing to tell. */
export const percent = (share: number | undefined, digits = 1): string =>
  share === undefined || !Number.isFinite(share) ? '–' : `${(100 * share).toFixed(digits)} %`;

/** `1,234`; with digits after the point where some are asked for. */
export const count = (value: number | undefined, digits = 0): string =>
  value === undefined || !Number.isFinite(value)
    ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** `1,234 customers`, `1 customer` */
export const counted = (many: number, what: string): string => `${count(many)} ${what}${many === 1 ? '' : 's'}`;

/** Amounts in minor units of the shop's currency as people read them, `£12.50`; `whole` leaves the decimals out. */
export function moneyOf({ shop }: Pick<InsightSource, 'shop'>) {
  const money = (minor: number | undefined): string =>
    minor === undefined || !Number.isFinite(minor) ? '–' : formatMoney(Math.round(minor), shop.currency, 'en');
  const whole = (minor: number | undefined): string => money(minor).replace(/\.\d+$/, '');
  return { money, whole };
}

/**
 * The value below which a share of the sorted values lies: the smallest value of which at least that share is no greater.
 * `undefined` of nothing.
 */
export function quantileOf(counts: readonly { value: number; many: number }[], share: number): number | undefined {
  const all = counts.reduce((sum, { many }) => sum + many, 0);
  let met = 0;
  for (const { value, many } of counts) {
    met += many;
    if (met >= share * all && met > 0) return value;
  }
  return undefined;
}

/** Periods of a number of months: what the statements number is the months since the year 0, through these. */
export interface Calendar {
  months: 1 | 3 | 12;
  /** `month`, `quarter`, `year` */
  name: string;
  /** `2011-03`, `2011 Q1`, `2011` */
  label: (period: number) => string;
  /** The last day of a period. */
  end: (period: number) => number;
}

export const CALENDARS: Record<string, Calendar> = {
  month: calendar(1, 'month', (year, nth) => `${year}-${String(nth + 1).padStart(2, '0')}`),
  quarter: calendar(3, 'quarter', (year, nth) => `${year} Q${nth + 1}`),
  year: calendar(12, 'year', (year) => `${year}`),
};

function calendar(months: 1 | 3 | 12, name: string, say: (year: number, nth: number) => string): Calendar {
  const aYear = 12 / months;
  return {
    months,
    name,
    label: (period) => say(Math.floor(period / aYear), period % aYear),
    end: (period) => {
      const month = (period + 1) * months;
      return Date.UTC(Math.floor(month / 12), month % 12, 1) / 86_400_000 - 1;
    },
  };
}

/** The period in which a day lies. */
export function periodOf(day: number, { months }: Calendar): number {
  const [year, month] = dateOfDay(day).split('-').map(Number) as [number, number];
  return Math.floor((12 * year + month - 1) / months);
}

/** The month of a day, `2011-03`. */
export const monthOf = (day: number): string => dateOfDay(day).slice(0, 7);

/** The first day of the month after that of a day. */
export function nextMonth(day: number): number {
  const [year, month] = dateOfDay(day).split('-').map(Number) as [number, number];
  return dayOfDate(new Date(Date.UTC(year, month, 1)).toISOString().slice(0, 10));
}

/** The day that an option names; undefined where it was not given. Throws KairosError `insight.date`. */
export function dateAsked(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (isDate(text)) return dayOfDate(text);
  throw new KairosError({
    code: 'insight.date',
    path: option,
    message: `${JSON.stringify(text)} is not a date.`,
    remedy: 'Write a date such as 2026-03-01.',
  });
}
