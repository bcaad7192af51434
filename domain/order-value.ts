// What an order is worth: revenue, what came back, and the margin that is left, in all and by line.
import { isCode } from './code.ts';
import type { JsonObject } from './interaction.ts';
import { minorUnits } from './money.ts';
import { inShopCurrency, type Order, orderEffect } from './order.ts';
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
 * quantity × (1 − margin), by the margin that stood in the catalogue when the order was stated, else by the present one;
 * discounts lower the margin, and of what came back the goods are taken to be worth what they cost.
 */
export function orderValue(given: Order, shopCurrency: string, catalogue: Catalogue): OrderValue {
  const order = inShopCurrency(given, shopCurrency);
  const { gross, refunded, at, count } = orderEffect(order, order.currency);
  const properties = order.statement === undefined ? {} : (JSON.parse(order.statement.properties) as JsonObject);
  const completed = at !== undefined;
  const reversals = Object.values(order.refunds);
  const lines = linesOf(order, gross, refunded, categoriesIn(properties), catalogue);
  const valued = lines.filter(({ margin }) => margin !== undefined);
  const from = at ?? (reversals.length > 0 ? Math.min(...reversals.map((one) => one.at)) : undefined);
  const channel = channelOf(properties);
  return {
    currency: order.currency,
    completed,
    cancelled: completed && count === 0,
    ...(from === undefined ? {} : { at: from }),
    revenue: gross,
    refunded,
    margin: valued.reduce((sum, line) => sum + (line.margin as number), 0),
    valued: valued.reduce((sum, line) => sum + line.revenue - line.refunded, 0),
    discount: amountIn(properties.discount, order.currency),
    coupon: typeof properties.coupon === 'string' && properties.coupon !== '',
    ...(channel === undefined ? {} : { channel }),
    lines,
  };
}

function linesOf(
  order: Order,
  revenue: number,
  refunded: number,
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
    const share = margin ?? known?.margin;
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
