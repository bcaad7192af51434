// What the feed says of a product: its present price and stock, and which prices it had in the last month.

const DAY = 86_400_000;
const MONTH = 30 * DAY;
/** Days of prices that are kept before the newest one. */
const DAYS_KEPT = 30;

/** What `Product Updated` last said of a product; money in minor units of `currency`. */
export interface StoredProduct {
  name?: string;
  category?: string;
  price?: number;
  /** Event time of the price. */
  priceAt?: number;
  currency?: string;
  stock?: number;
  url?: string;
  imageUrl?: string;
  /**
   * Prices in the shop's currency, oldest first: of each UTC day the last and the lowest before it, of the newest 31
   * days; of the last day before those the one that was in force then. At most 63.
   */
  prices?: [at: number, price: number][];
  /** Its price is not in the shop's currency: it does not compare with `prices`. */
  foreign?: true;
}

/** Whether there is any; undefined where the feed never told a stock. */
export function inStock({ stock }: Pick<StoredProduct, 'stock'>): boolean | undefined {
  return stock === undefined ? undefined : stock > 0;
}

/**
 * The lowest price that was in force in the 30 days before an instant, in minor units of the shop's currency: what a
 * reduction at that instant is measured by. Of a day at the edge it may be a price of some hours earlier. Undefined where
 * no price before it is known, or the present one is of another currency.
 */
export function lowestPrice30d({ prices, foreign }: StoredProduct, before: number): number | undefined {
  if (foreign === true) return undefined;
  const from = before - MONTH;
  let lowest: number | undefined;
  for (const [at, price] of prices ?? []) {
    if (at >= before) break;
    // The last one before the window was in force when it began.
    lowest = at <= from || lowest === undefined ? price : Math.min(lowest, price);
  }
  return lowest;
}

/**
 * The lowest price of the 30 days before the present one came into force: what a reduction is told by. A feed that says
 * the same price again does not make it a new one.
 */
export function lowestBefore(product: StoredProduct): number | undefined {
  const { prices = [], foreign } = product;
  const present = prices.at(-1);
  if (present === undefined || foreign === true) return undefined;
  const change = prices.findLastIndex(([, price]) => price !== present[1]);
  return lowestPrice30d(product, (prices[change + 1] as Price)[0]);
}

type Price = [at: number, price: number];

/** The prices with one more, whatever the order in which they come. The list given is not changed. */
export function withPrice(prices: StoredProduct['prices'], at: number, price: number): Price[] {
  const days = new Map<number, Price[]>();
  for (const one of [...(prices ?? []), [at, price] as Price]) {
    const day = Math.floor(one[0] / DAY);
    days.set(day, [...(days.get(day) ?? []), one]);
  }
  const newest = Math.max(...days.keys());
  const anchor = Math.max(...[...days.keys()].filter((day) => day < newest - DAYS_KEPT));
  const kept = [...days].flatMap(([day, all]) =>
    day < anchor ? [] : day === anchor ? [lastOf(all)] : [...lowestOf(all), lastOf(all)],
  );
  const distinct = new Map(kept.map((one) => [one.join(), one]));
  return [...distinct.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

/** Of one instant the lower one. */
const lastOf = (prices: Price[]): Price =>
  prices.reduce((last, one) => (one[0] > last[0] || (one[0] === last[0] && one[1] < last[1]) ? one : last));

/** The two lowest prices of a day, each since it was first said: when the one is in force, the other was before it. */
function lowestOf(prices: Price[]): Price[] {
  const first = new Map<number, number>();
  for (const [at, price] of prices) first.set(price, Math.min(at, first.get(price) ?? at));
  return [...first]
    .map(([price, at]): Price => [at, price])
    .sort((a, b) => a[1] - b[1])
    .slice(0, 2);
}

/** What a campaign means by a turn of a product. */
export interface Turning {
  /** `back in stock`, `price drop` or `low stock`. */
  turn: string;
  /** The least reduction, as a share; any when absent. */
  byShare?: number;
  /** How few are few. */
  byUnits?: number;
}

const FEW = 5;

/**
 * Whether an update turns a product: none left → some; a price below the lowest of the 30 days before by so much; more
 * than so few left → so few, and not none. `news` is what of it the update brought: what an older update says turns
 * nothing, nor does a stock or a price of which nothing was known before.
 */
export function hasTurned(
  { turn, byShare = 0, byUnits = FEW }: Turning,
  before: StoredProduct | undefined,
  after: StoredProduct,
  news: { stock: boolean; price: boolean },
  at: number,
): boolean {
  if (before === undefined) return false;
  if (turn === 'price drop') {
    const lowest = lowestPrice30d(after, at);
    const { price } = after;
    if (!news.price || lowest === undefined || price === undefined) return false;
    return price < lowest && price <= lowest * (1 - byShare) + 1e-9;
  }
  const [was, is] = [before.stock, after.stock];
  if (!news.stock || was === undefined || is === undefined || is <= 0) return false;
  return turn === 'back in stock' ? was <= 0 : was > byUnits && is <= byUnits;
}
