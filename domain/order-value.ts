// What an order is worth: revenue, what came back, and the margin that is left, in all and by line.
import { isCode } from './code.ts';
import type { JsonObject } from './interaction.ts';
import { minorUnits } from './money.ts';
import { inShopCurrency, isDiscounted, type Order, orderEffect } from './order.ts';
import type { Catalogue } from './settings.ts';

/** Money in minor units of the order's currency. */
export interface LineValue {
  product: string;
  category?: string;
  quantity: number;
  returned: number;
  /** Its shares of the order's revenue and of what came back. */
  revenue: number;
  refunded: number;
  /** Of what is left; absent where the margin of the product is not known. */
  margin?: number;
}

/** Money in minor units of the order's currency. */
export interface OrderValue {
  currency: string;
  completed: boolean;
  cancelled: boolean;
  /** When it was completed first; of what is a credit note alone, its earliest refund. */
  at?: number;
  revenue: number;
  refunded: number;
  /** The margin of what is left over the lines whose margin is known, and the net revenue of these. */
  margin: number;
  valued: number;
  discount: number;
  coupon: boolean;
  channel?: string;
  lines: LineValue[];
}

/**
 * The value of an order in its own currency. The revenue is spread over its lines by price × quantity, what came back
 * by what the refunds name, else by revenue; shares are rounded so that they add up. What a line costs is price ×
 * quantity × (1 − margin), by the margin that stood in the catalogue when the order was stated; of an order that was
 * stated while nothing was published, by the present one. Discounts lower the margin, and of what came back the goods
 * are taken to be worth what they cost. What was taken back and never ordered here (a credit note) has no margin.
 */
export function orderValue(given: Order, shopCurrency: string, catalogue: Catalogue): OrderValue {
  const order = inShopCurrency(given, shopCurrency);
  const { gross, refunded, at, count } = orderEffect(order, order.currency);
  const properties = order.statement === undefined ? {} : (JSON.parse(order.statement.properties) as JsonObject);
  const completed = at !== undefined;
  const lines = linesOf(order, { gross, refunded }, categoriesIn(properties), catalogue);
  const from = at ?? firstReversal(order);
  const channel = channelOf(properties);
  return {
    currency: order.currency,
    completed,
    cancelled: completed && count === 0,
    ...(from === undefined ? {} : { at: from }),
    revenue: gross,
    refunded,
    ...marginOf(lines),
    discount: amountIn(properties.discount, order.currency),
    coupon: typeof properties.coupon === 'string' && properties.coupon !== '',
    ...(channel === undefined ? {} : { channel }),
    lines,
  };
}

/** When a credit note alone counts: at its earliest refund. */
function firstReversal({ refunds }: Order): number | undefined {
  const at = Object.values(refunds).map((one) => one.at);
  return at.length === 0 ? undefined : Math.min(...at);
}

/** The margin of lines whose margin is known, and their net revenue. */
function marginOf(lines: LineValue[]): { margin: number; valued: number } {
  let [margin, valued] = [0, 0];
  for (const line of lines) {
    if (line.margin === undefined) continue;
    margin += line.margin;
    valued += line.revenue - line.refunded;
  }
  return { margin, valued };
}

/** What an order adds to its owner at one instant. Money in minor units of the shop's currency, net of what came back. */
export interface Earned {
  /** When it was completed first; of what is a credit note alone, its earliest refund. Absent = it adds nothing. */
  at?: number;
  /** 1 where it stands: completed, and not cancelled. */
  orders: number;
  net: number;
  /** The net revenue of the lines whose margin is known, and that margin. */
  valued: number;
  margin: number;
  /** 1 where it stands, and names a discount or a coupon. */
  discounted: number;
}

const NOTHING: Earned = { orders: 0, net: 0, valued: 0, margin: 0, discounted: 0 };
const NO_CATEGORIES: ReadonlyMap<string, string> = new Map();

/**
 * What an order adds to its owner's days: as `orderValue`, but a cancelled one nothing, one in another currency an order
 * and no money, and a credit note, which belongs to no order, its refund alone.
 */
export function earnedBy(given: Order | undefined, shopCurrency: string, catalogue: Catalogue): Earned {
  if (given === undefined) return NOTHING;
  const order = inShopCurrency(given, shopCurrency);
  const { gross, refunded, at, count } = orderEffect(order, shopCurrency);
  if (at === undefined) {
    const from = firstReversal(order);
    return from === undefined || refunded === 0 ? NOTHING : { ...NOTHING, at: from, net: 0 - refunded };
  }
  if (count === 0) return NOTHING;
  const { statement } = order;
  const discounted =
    statement?.costed === true
      ? statement.discounted === true
      : isDiscounted(JSON.parse(statement?.properties ?? '{}') as JsonObject);
  const earned = { at, orders: 1, net: gross - refunded, discounted: discounted ? 1 : 0 };
  if (order.currency !== shopCurrency) return { ...earned, valued: 0, margin: 0 };
  return { ...earned, ...marginOf(linesOf(order, { gross, refunded }, NO_CATEGORIES, catalogue)) };
}

function linesOf(
  order: Order,
  { gross: revenue, refunded }: { gross: number; refunded: number },
  categories: ReadonlyMap<string, string>,
  catalogue: Catalogue,
): LineValue[] {
  const returned = new Map<string, number>();
  for (const { lines = {} } of Object.values(order.refunds)) {
    for (const [product, quantity] of Object.entries(lines))
      returned.set(product, (returned.get(product) ?? 0) + quantity);
  }
  const stated = order.statement?.lines ?? [];
  const ordered = new Set(stated.map(({ product }) => product));
  const credited = [...returned.keys()].filter((product) => !ordered.has(product));
  const all = [...stated, ...credited.map((product) => ({ product, quantity: 0, price: 0, margin: undefined }))];
  const gross = all.map(({ price, quantity }) => Math.max(0, price * quantity));
  const earlier = new Map<string, number>();
  const back = all.map(({ product, quantity, price }) => {
    const came = returned.get(product) ?? 0;
    const before = earlier.get(product) ?? 0;
    earlier.set(product, before + quantity);
    if (quantity <= 0) return { quantity: came, weight: came };
    // Of several lines of one product the earlier ones come back first.
    const own = Math.min(quantity, Math.max(0, came - before));
    return { quantity: own, weight: own * Math.max(0, price) };
  });
  const revenues = spread(revenue, gross);
  const named = back.some(({ weight }) => weight > 0);
  const refunds = spread(refunded, named ? back.map(({ weight }) => weight) : revenues.map((one) => Math.max(0, one)));
  return all.map(({ product, quantity, margin }, i): LineValue => {
    const known = Object.hasOwn(catalogue.products, product) ? catalogue.products[product] : undefined;
    const looked = order.statement?.costed === true ? margin : (margin ?? known?.margin);
    // A credit note alone has nothing that it could be weighed against.
    const share = order.completed !== undefined && i < stated.length ? looked : undefined;
    const category = categories.get(product) ?? known?.category;
    const [earned, cameBack] = [revenues[i] as number, refunds[i] as number];
    const left = earned > 0 ? Math.max(0, 1 - cameBack / earned) : 0;
    const returned = back[i]?.quantity ?? 0;
    const line: LineValue = { product, quantity, returned, revenue: earned, refunded: cameBack };
    if (category !== undefined) line.category = category;
    if (share !== undefined) line.margin = Math.round((earned - (gross[i] as number) * (1 - share)) * left);
    return line;
  });
}

/** Whole parts of a whole amount by weight, which add up to it; equal parts where all weights are 0. */
function spread(amount: number, weights: number[]): number[] {
  const sum = weights.reduce((all, weight) => all + weight, 0);
  let [met, given] = [0, 0];
  return weights.map((weight, i) => {
    met += weight;
    const upTo = Math.round(amount * (sum > 0 ? met / sum : (i + 1) / weights.length));
    const part = upTo - given;
    given = upTo;
    return part;
  });
}

/** A code that may stand in a file of the lake. */
const codeOf = (value: unknown): string | undefined => (typeof value === 'string' && isCode(value) ? value : undefined);

function categoriesIn({ products }: JsonObject): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of Array.isArray(products) ? products : []) {
    if (line === null || typeof line !== 'object' || Array.isArray(line)) continue;
    const category = codeOf(line.category);
    if (category !== undefined) found.set(String(line.product_id ?? line.sku), category);
  }
  return found;
}

/** Where it was bought: `channel`, else Segment's `affiliation`. */
const channelOf = ({ channel, affiliation }: JsonObject): string | undefined => codeOf(channel) ?? codeOf(affiliation);

function amountIn(value: unknown, currency: string): number {
  if (typeof value !== 'number' && typeof value !== 'string') return 0;
  try {
    return Math.abs(minorUnits(value, currency));
  } catch {
    return 0;
  }
}
