// An order as its events leave it, in whatever order they come: lines, refunds, cancellations, owner.
import { type Interaction, type Json, type JsonObject, type SubjectKey, sha256, shortHash } from './interaction.ts';
import { minorUnits } from './money.ts';

export const ORDER_SHAPE = 1;

/** Money in minor units of the order's currency. */
export interface OrderLine {
  product: string;
  quantity: number;
  price: number;
}

interface Reversal {
  at: number;
  /** Minor units; absent = whatever is left. */
  amount?: number;
  /** A cancellation: of the whole order, unless `lines` names only some of what was ordered. */
  cancels?: true;
  lines?: Record<string, number>;
}

export interface Order {
  shape: number;
  /** `<source>#<order id>`. */
  key: string;
  source: string;
  id: string;
  currency: string;
  /** The contact that it belongs to, once known. */
  owner?: string;
  /** The first Order Completed by event time. */
  completed?: { at: number; id: string };
  /** The latest statement of what was ordered: Order Completed, or a later Order Updated. */
  statement?: { at: number; id: string; revenue: number; total: number; lines: OrderLine[]; properties: string };
  /** Refunds and cancellations by id. */
  refunds: Record<string, Reversal>;
  /** Interactions stand under the order's own subject, because no person was known. */
  orphaned?: boolean;
}

/** What an order adds to its owner's totals; minor units of the shop's currency. */
export interface OrderEffect {
  count: number;
  gross: number;
  refunded: number;
  /** 1 where anything of it came back. */
  returned: number;
  at?: number;
}

const orderEvents = /^Order [A-Z]/;

/** The order that an event speaks of: `<source>#<order id>`, or undefined. */
export function orderKeyOf(interaction: Pick<Interaction, 'name' | 'source' | 'properties'>): string | undefined {
  const id = interaction.properties.order_id;
  if (!orderEvents.test(interaction.name) || (typeof id !== 'string' && typeof id !== 'number')) return undefined;
  return `${interaction.source}#${id}`;
}

/** The subject under which events of an order without a person are recorded. */
export function orderSubject(key: string): SubjectKey {
  return `order#${sha256(key)}`;
}

/** The key of an order inside a contact's counters. */
export function orderEntryKey(key: string): string {
  return shortHash('order', key).slice(0, 10);
}

function amountOf(value: Json | undefined, currency: string): number | undefined {
  return value === undefined || value === null ? undefined : minorUnits(value, currency);
}

/** The lines of an event's `products`, money in minor units; what names no product or has no price counts 0. */
export function orderLines(products: Json | undefined, currency: string): OrderLine[] {
  if (!Array.isArray(products)) return [];
  const lines: OrderLine[] = [];
  for (const line of products) {
    if (line === null || typeof line !== 'object' || Array.isArray(line)) continue;
    const product = line.product_id ?? line.sku;
    if (typeof product !== 'string' && typeof product !== 'number') continue;
    const quantity = line.quantity === undefined || line.quantity === null ? 1 : Number(line.quantity);
    lines.push({ product: String(product), quantity, price: amountOf(line.price, currency) ?? 0 });
  }
  return lines;
}

function sumOf(lines: OrderLine[]): number {
  return lines.reduce((sum, line) => sum + Math.round(line.price * line.quantity), 0);
}

function currencyOf(properties: JsonObject, fallback: string): string {
  return typeof properties.currency === 'string' && /^[A-Za-z]{3}$/.test(properties.currency)
    ? properties.currency.toUpperCase()
    : fallback;
}

const later = (a: { at: number; id: string }, b: { at: number; id: string }): boolean =>
  a.at > b.at || (a.at === b.at && a.id > b.id);

/**
 * Folds one order event in. A function of the set of events: any order, one result. `before` is not changed.
 * `Order Updated` replaces lines; a refund without amount or lines takes back what is left; a cancellation without
 * lines cancels the whole.
 */
export function foldOrder(before: Order | undefined, interaction: Interaction, shopCurrency: string): Order {
  const { properties, at, id } = interaction;
  const key = orderKeyOf(interaction);
  if (key === undefined) throw new Error(`not an order event: ${interaction.name}`);
  const order: Order = before
    ? { ...before, refunds: { ...before.refunds } }
    : {
        shape: ORDER_SHAPE,
        key,
        source: interaction.source,
        id: String(properties.order_id),
        currency: currencyOf(properties, shopCurrency),
        refunds: {},
      };
  switch (interaction.name) {
    case 'Order Completed':
    case 'Order Updated': {
      if (interaction.name === 'Order Completed' && (!order.completed || later(order.completed, { at, id }))) {
        order.completed = { at, id };
      }
      const currency = currencyOf(properties, order.currency);
      const lines = orderLines(properties.products, currency);
      if (!order.statement || later({ at, id }, order.statement)) {
        const total = amountOf(properties.total, currency);
        const revenue =
          amountOf(properties.revenue, currency) ??
          amountOf(properties.subtotal, currency) ??
          (lines.length > 0 ? sumOf(lines) : (total ?? 0));
        order.currency = currency;
        order.statement = { at, id, revenue, total: total ?? revenue, lines, properties: JSON.stringify(properties) };
      }
      break;
    }
    case 'Order Refunded':
    case 'Order Cancelled': {
      const currency = currencyOf(properties, order.currency);
      const lines = orderLines(properties.products, currency);
      const cancels = interaction.name === 'Order Cancelled';
      // A cancellation's `total` is the order's own in Segment's spec: only its lines say how much is cancelled.
      const stated = cancels ? undefined : amountOf(properties.total, currency);
      const amount = stated ?? (lines.length > 0 ? sumOf(lines) : undefined);
      const reversal: Reversal = amount === undefined ? { at } : { at, amount: Math.abs(amount) };
      if (cancels) {
        reversal.cancels = true;
        if (lines.length > 0) reversal.lines = quantities(lines);
      }
      order.refunds[id] = reversal;
      break;
    }
    default:
      break;
  }
  return order;
}

function quantities(lines: OrderLine[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const line of lines) sums[line.product] = (sums[line.product] ?? 0) + line.quantity;
  return sums;
}

/** Whether a cancellation takes back everything that was ordered. */
function isWhole(reversal: Reversal, ordered: Record<string, number>): boolean {
  if (!reversal.cancels) return reversal.amount === undefined;
  const lines = reversal.lines;
  if (lines === undefined) return true;
  return Object.entries(ordered).every(([product, quantity]) => (lines[product] ?? 0) >= quantity);
}

/**
 * What the order adds to its owner's totals. An order that was not completed counts only the refunds whose amount is
 * known (stand-alone credit notes). Refunds never exceed what was paid; their tax and shipping share is taken out in
 * proportion: refunded revenue = revenue × refunded ÷ total.
 */
export function orderEffect(order: Order | undefined, shopCurrency: string): OrderEffect {
  const effect: OrderEffect = { count: 0, gross: 0, refunded: 0, returned: 0 };
  if (order === undefined) return effect;
  const refunds = Object.values(order.refunds);
  const own = order.currency === shopCurrency;
  const named = refunds.reduce((sum, refund) => sum + (refund.amount ?? 0), 0);
  if (!order.completed || !order.statement) {
    const refundsOnly = refunds.filter((refund) => !refund.cancels);
    if (own) effect.refunded = refundsOnly.reduce((sum, refund) => sum + (refund.amount ?? 0), 0);
    return effect;
  }
  const { revenue, total } = order.statement;
  const ordered = quantities(order.statement.lines);
  const whole = refunds.some((refund) => isWhole(refund, ordered));
  const back = whole ? total : Math.min(named, total);
  const refunded = total > 0 ? Math.round((revenue * back) / total) : 0;
  const cancelled = refunds.some((refund) => refund.cancels && isWhole(refund, ordered));
  effect.at = order.completed.at;
  effect.count = cancelled ? 0 : 1;
  effect.returned = refunds.length > 0 ? 1 : 0;
  if (own) {
    effect.gross = revenue;
    effect.refunded = refunded;
  }
  return effect;
}

/** Revenue net of refunds, minor units of the order's currency. */
export function netRevenue(order: Order): number {
  const effect = orderEffect(order, order.currency);
  return effect.gross - effect.refunded;
}
