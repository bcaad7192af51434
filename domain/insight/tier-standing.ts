// What a customer lacks to the next loyalty tier, and how members of each tier buy.
import type { Rule } from '../grammar.ts';
import { dateOfDay } from './customer.ts';

/** A customer's orders by day of the shop's calendar; revenue net of refunds, in minor units. */
export type Day = readonly [day: number, orders: number, revenue: number];

/** What is lacking: so much of a bound, from above 0 to 1, of money in minor units or of orders. */
export interface Lacking {
  kind: 'money' | 'orders';
  amount: number;
  of: number;
}

/**
 * What a customer lacks to meet a rule by buying more, the least where there are several ways. Undefined where the rule
 * is met, or asks for what no order brings nearer: anything but `Order Completed` by number or revenue, without `where`,
 * and `orders.count` and `orders.spend`, at least so much. `unit`: minor units in one of the shop's currency.
 */
export function lackingFor(rule: Rule, days: readonly Day[], today: number, unit: number): Lacking | undefined {
  const answer = lacks(rule, days, today, unit);
  return answer === 'met' || answer === 'unknown' ? undefined : answer;
}

type Answer = Lacking | 'met' | 'unknown';

function lacks(rule: Rule, days: readonly Day[], today: number, unit: number): Answer {
  if ('any' in rule) {
    const answers = rule.any.map((one) => lacks(one, days, today, unit));
    if (answers.includes('met')) return 'met';
    return answers.filter((one) => typeof one === 'object').sort((a, b) => partOf(a) - partOf(b))[0] ?? 'unknown';
  }
  if ('all' in rule) {
    const answers = rule.all.map((one) => lacks(one, days, today, unit));
    if (answers.includes('unknown')) return 'unknown';
    return answers.filter((one) => typeof one === 'object').sort((a, b) => partOf(b) - partOf(a))[0] ?? 'met';
  }
  if ('has' in rule) {
    const bounds = Object.entries(rule.has).map(([name, wanted]): Answer => {
      if (name === 'orders.count') return short('orders', wanted, sum(days, 1), 1);
      return name === 'orders.spend' ? short('money', wanted, sum(days, 2), unit) : 'unknown';
    });
    if (bounds.includes('unknown')) return 'unknown';
    return bounds.filter((one) => typeof one === 'object').sort((a, b) => partOf(b) - partOf(a))[0] ?? 'met';
  }
  if (!('did' in rule) || rule.did !== 'Order Completed' || rule.where !== undefined || 'same' in rule)
    return 'unknown';
  const from = beginOf(rule as Record<string, unknown>, today);
  if (from === undefined) return 'unknown';
  const inside = days.filter(([day]) => day >= from && day <= today);
  const { sum: money, times } = rule as { sum?: { of: string; atLeast?: number }; times?: unknown };
  if (money !== undefined) return money.of === 'revenue' ? short('money', money, sum(inside, 2), unit) : 'unknown';
  if ('largest' in rule || 'distinct' in rule || 'latest' in rule || 'first' in rule) return 'unknown';
  return short('orders', times ?? { atLeast: 1 }, sum(inside, 1), 1);
}

const partOf = ({ amount, of }: Lacking): number => amount / of;
const sum = (days: readonly Day[], column: 1 | 2): number => days.reduce((all, day) => all + day[column], 0);

function short(kind: Lacking['kind'], wanted: unknown, has: number, scale: number): Answer {
  const least = (wanted as { atLeast?: unknown } | null)?.atLeast;
  if (typeof least !== 'number' || least <= 0) return 'unknown';
  const of = Math.round(least * scale);
  return has >= of ? 'met' : { kind, amount: of - Math.max(0, has), of };
}

/** The first day of a period that goes on: of one that is over, no order counts any more. */
function beginOf(rule: Record<string, unknown>, today: number): number | undefined {
  const { inLast } = rule;
  if (typeof inLast === 'string') {
    const length = { d: 1, w: 7 }[inLast.slice(-1)];
    return length === undefined ? undefined : today - length * Number(inLast.slice(0, -1)) + 1;
  }
  if (rule.between !== undefined || rule.since !== undefined) return undefined;
  const date = dateOfDay(today);
  if (rule.in === undefined) return Number.NEGATIVE_INFINITY;
  if (rule.in === 'this year') return Date.parse(`${date.slice(0, 4)}-01-01`) / 86_400_000;
  return rule.in === 'this month' ? Date.parse(`${date.slice(0, 7)}-01`) / 86_400_000 : undefined;
}

/** One contact as the report of tiers sees it. */
export interface Member {
  /** Absent of who is in none. */
  tier?: string;
  days: readonly Day[];
}

export interface TierFigures {
  /** Absent of those who are in none. */
  tier?: string;
  /** Contacts, and of them those who ever bought. */
  contacts: number;
  buyers: number;
  /** In minor units; its share is absent where there is no revenue. */
  revenue: number;
  revenueShare?: number;
  /** Buyers of the period before the last, and how many of them bought again in it. */
  before: number;
  again: number;
  /** Who lacks at most a fifth of what the next tier asks for. */
  close: number;
}

/** Who lacks at most this share of a bound is close to it. */
export const CLOSE = 0.2;
/** The period of retention, in days. */
export const HALF_YEAR = 182;

/** Figures of each tier, the lowest first, those in none before them. */
export function tierFigures(
  members: readonly Member[],
  tiers: readonly { id: string; rule: Rule }[],
  today: number,
  unit: number,
): TierFigures[] {
  const all = members.reduce((one, { days }) => one + sum(days, 2), 0);
  return [undefined, ...tiers.map(({ id }) => id)].map((tier, place) => {
    const own = members.filter((member) => member.tier === tier);
    const revenue = own.reduce((one, { days }) => one + sum(days, 2), 0);
    const bought = ({ days }: Member, from: number, to: number): boolean =>
      days.some(([day, orders]) => orders > 0 && day > from && day <= to);
    const before = own.filter((member) => bought(member, today - 2 * HALF_YEAR, today - HALF_YEAR));
    const next = tiers[place];
    return {
      ...(tier === undefined ? {} : { tier }),
      contacts: own.length,
      buyers: own.filter(({ days }) => days.some(([, orders]) => orders > 0)).length,
      revenue,
      ...(all > 0 ? { revenueShare: revenue / all } : {}),
      before: before.length,
      again: before.filter((member) => bought(member, today - HALF_YEAR, today)).length,
      close:
        next === undefined
          ? 0
          : own.filter(({ days }) => {
              const lacking = lackingFor(next.rule, days, today, unit);
              return lacking !== undefined && partOf(lacking) <= CLOSE;
            }).length,
    };
  });
}
