// Four kinds of loyalty, estimated from how a customer buys: an own rhythm, discounts, and how widely.
import { type Buyer, discountedShare, recencyOf } from './buyers.ts';
import { quantile } from './feature-space.ts';

/**
 * `loyal`: active by their own rhythm. `partly`: with long gaps. `disloyal`: for deals only. `elsewhere`: active, yet in
 * few categories for one of their size. `unknown`: fewer than two orders, or all of them on one day.
 */
export type LoyaltyKind = 'loyal' | 'partly' | 'disloyal' | 'elsewhere' | 'unknown';

export const KINDS = ['loyal', 'partly', 'disloyal', 'elsewhere', 'unknown'] as const satisfies LoyaltyKind[];

/** How much an estimate is to be trusted: by how many purchases it hangs on, and by how near it is to another kind. */
export type Confidence = 'weak' | 'fair' | 'firm';

export interface KindOf {
  kind: LoyaltyKind;
  /** Absent where the kind is unknown. */
  confidence?: Confidence;
  /** Days since the last order over the interval that is usual for them; absent where they have no rhythm. */
  gap?: number;
}

/** What is usual in the shop, which one customer is held against. */
export interface UsualRhythm {
  /** Median days between purchases, of customers with at least two. */
  interval: number;
  /** Median number of categories, by the size of a customer (`sizeOf`). */
  breadth: Record<number, number>;
  /** Of gross revenue, the part whose category is known. */
  covered: number;
  /** Whether any order had a discount or a coupon; whether people buy of several categories, and most are known: else not asked. */
  discounts: boolean;
  categories: boolean;
}

/** A gap of more than so many own intervals is long. */
export const LONG_GAP = 2;
/** For deals only: at least this share of the orders had a discount or a coupon. */
export const DEALS_ONLY = 0.8;
/** Narrow: at most this share of the categories that customers of the same size buy of, where these buy of three or more. */
export const NARROW = 0.5;
const FEWEST_BROAD = 3;
/** Of less revenue a known category says nothing of how widely people buy. */
export const FEWEST_COVERED = 0.5;

/** Customers of one size: by number of orders 2, 3–4, 5–8, 9–16 …; 0 of one order. */
const sizeOf = (orders: number): number => (orders < 2 ? 0 : Math.ceil(Math.log2(orders)));

const breadthOf = (buyer: Buyer): number => Object.keys(buyer.categories).length;

/** What is usual among these customers. */
export function usualRhythm(buyers: readonly Buyer[]): UsualRhythm {
  const regulars = buyers.filter(({ days, first, last }) => days >= 2 && last > first);
  const intervals = Float64Array.from(regulars, ({ days, first, last }) => (last - first) / (days - 1)).sort();
  const bySize = Map.groupBy(
    buyers.filter((buyer) => breadthOf(buyer) > 0),
    ({ orders }) => sizeOf(orders),
  );
  const breadth = Object.fromEntries(
    [...bySize].map(([size, own]) => [size, quantile(Float64Array.from(own, breadthOf).sort(), 0.5)]),
  );
  const gross = buyers.reduce((sum, buyer) => sum + Math.max(0, buyer.gross), 0);
  const known = buyers.reduce(
    (sum, { categories }) =>
      sum + Object.values(categories).reduce((all, { revenue }) => all + Math.max(0, revenue), 0),
    0,
  );
  const covered = gross > 0 ? Math.min(1, known / gross) : 0;
  return {
    interval: quantile(intervals, 0.5),
    breadth,
    covered,
    discounts: buyers.some(({ discounted }) => discounted > 0),
    categories: covered >= FEWEST_COVERED && Object.values(breadth).some((usual) => usual >= FEWEST_BROAD),
  };
}

/**
 * A customer's kind; every customer has exactly one. Asked in this order:
 * 1. fewer than two orders, or all on one day: unknown;
 * 2. at least 80 % of the orders with a discount or coupon: disloyal, deals only;
 * 3. more than twice the usual interval since the last order: partly loyal. The usual interval is the own one, drawn
 *    towards the shop's median as if that had been seen once more, so that two orders in one week are no weekly rhythm;
 * 4. at most half of the categories that customers with about as many orders buy of, which are three or more: buys
 *    elsewhere (asked only where the categories of half of the revenue are known);
 * 5. else loyal.
 * It is an estimate: what people buy at other shops is seen by nobody here.
 */
export function loyaltyKind(buyer: Buyer, usual: UsualRhythm, today: number): KindOf {
  const { days, orders, first, last } = buyer;
  if (orders < 2 || days < 2 || last <= first) return { kind: 'unknown' };
  const interval = (last - first + usual.interval) / days;
  const gap = recencyOf(buyer, today) / Math.max(1, interval);
  const deals = discountedShare(buyer);
  const broad = usual.breadth[sizeOf(orders)] ?? 0;
  const breadth = breadthOf(buyer);
  const narrowness = usual.categories && broad >= FEWEST_BROAD && breadth > 0 ? breadth / broad : 1;
  const kind =
    deals >= DEALS_ONLY ? 'disloyal' : gap > LONG_GAP ? 'partly' : narrowness <= NARROW ? 'elsewhere' : 'loyal';
  const near =
    kind === 'disloyal'
      ? deals < DEALS_ONLY + 0.1
      : Math.abs(gap / LONG_GAP - 1) < 0.25 || (gap <= LONG_GAP && Math.abs(narrowness - NARROW) < 0.1);
  const seen = days >= 6 ? 2 : days >= 4 ? 1 : 0;
  const confidence = (['weak', 'fair', 'firm'] as const)[Math.max(0, seen - Number(near))] as Confidence;
  return { kind, confidence, gap };
}

/** One kind's part of the customers and of the revenue. */
export interface KindFigures {
  kind: LoyaltyKind;
  customers: number;
  /** Of all customers; and of all revenue, absent where there is none. */
  share: number;
  revenueShare?: number;
  /** In minor units, and by customer. */
  revenue: number;
  average: number;
  confidence: Record<Confidence, number>;
}

/** The kinds of all customers, and their parts; the parts of all kinds are everybody. */
export function loyaltyKinds(
  buyers: readonly Buyer[],
  today: number,
): { usual: UsualRhythm; of: KindOf[]; figures: KindFigures[] } {
  const usual = usualRhythm(buyers);
  const of = buyers.map((buyer) => loyaltyKind(buyer, usual, today));
  const revenue = buyers.reduce((sum, buyer) => sum + buyer.revenue, 0);
  const figures = KINDS.map((kind): KindFigures => {
    const own = buyers.filter((_, i) => of[i]?.kind === kind);
    const earned = own.reduce((sum, buyer) => sum + buyer.revenue, 0);
    const confidence = { weak: 0, fair: 0, firm: 0 };
    for (const one of of) if (one.kind === kind && one.confidence !== undefined) confidence[one.confidence] += 1;
    return {
      kind,
      customers: own.length,
      share: buyers.length === 0 ? 0 : own.length / buyers.length,
      ...(revenue > 0 ? { revenueShare: earned / revenue } : {}),
      revenue: earned,
      average: own.length === 0 ? 0 : Math.round(earned / own.length),
      confidence,
    };
  });
  return { usual, of, figures };
}
