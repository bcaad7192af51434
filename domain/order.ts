// An order as its events leave it, in whatever order they come: lines, refunds, cancellations, owner.
import { type Interaction, type Json, type JsonObject, type SubjectKey, sha256, shortHash } from './interaction.ts';
import { minorUnits } from './money.ts';
import type { Catalogue } from './settings.ts';

export const ORDER_SHAPE = 1;

/** Money in minor units of the order's currency. */
export interface OrderLine {
  product: string;
  quantity: number;
  price: number;
  /** Share of the price that the catalogue named when the order was stated; see `statement.costed`. */
  margin?: number;
}

interface Reversal {
  at: number;
  /** Minor units; absent = whatever is left. */
  amount?: number;
  /** Where the event states one. */
  currency?: string;
  /** A cancellation: of the whole order, unless `lines` names only some of what was ordered. */
  cancels?: true;
  /** What came back, by product, where the event says it. */
  lines?: Record<string, number>;
}

export interface Order {
  shape: number;
  /** `<source>#<order id>`. */
  key: string;
  source: string;
  id: string;
  /** Of the latest Order Completed or Order Updated that states one; else the shop's. */
  currency: string;
  currencyStated?: { at: number; id: string };
  /** The contact that it belongs to, once known. */
  owner?: string;
  /** The first Order Completed by event time; `last`: when it was said last, where it was said again. */
  completed?: { at: number; id: string; last?: number };
  /** The latest statement of what was ordered: Order Completed, or a later Order Updated. */
  statement?: {
    at: number;
    id: string;
    revenue: number;
    total: number;
    lines: OrderLine[];
    properties: string;
    /** The margins of its lines were looked up: a line without one has none, whatever a later catalogue says. */
    costed?: true;
    /** It names a discount or a coupon; known where `costed`. */
    discounted?: true;
  };
  /** Products that only overtaken statements name. */
  formerly?: string[];
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
  /** When it was completed first and last. */
  at?: number;
  last?: number;
}

/** ISO 4217 for "no currency": the shop's own is not known while nothing is published; amounts stand in hundredths. */
export const NO_CURRENCY = 'XXX';

/** An order whose unnamed amounts were read before the shop's currency was known, read in it; any other as it is. */
export function inShopCurrency(order: Order, shopCurrency: string): Order {
  if (order.currency !== NO_CURRENCY || shopCurrency === NO_CURRENCY) return order;
  const scale = minorUnits(1, shopCurrency) / minorUnits(1, NO_CURRENCY);
  const scaled = (amount: number): number => Math.round(amount * scale);
  const refunds = Object.entries(order.refunds).map(([id, refund]): [string, Reversal] => {
    const named = refund.amount === undefined || refund.currency !== undefined;
    return [id, named ? refund : { ...refund, amount: scaled(refund.amount as number) }];
  });
  const read: Order = { ...order, currency: shopCurrency, refunds: Object.fromEntries(refunds) };
  if (order.statement !== undefined) {
    const { revenue, total, lines } = order.statement;
    read.statement = {
      ...order.statement,
      revenue: scaled(revenue),
      total: scaled(total),
      lines: lines.map((line) => ({ ...line, price: scaled(line.price) })),
    };
  }
  return read;
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

/** Products of which at least some was ordered. */
export function productsOf(lines: OrderLine[]): string[] {
  return lines.filter((line) => line.quantity > 0).map((line) => line.product);
}

function sumOf(lines: OrderLine[]): number {
  return lines.reduce((sum, line) => sum + Math.round(line.price * line.quantity), 0);
}

/** The currency that an event states, in capitals. */
export function statedCurrency(properties: JsonObject): string | undefined {
  return typeof properties.currency === 'string' && /^[A-Za-z]{3}$/.test(properties.currency)
    ? properties.currency.toUpperCase()
    : undefined;
}

const later = (a: { at: number; id: string }, b: { at: number; id: string }): boolean =>
  a.at > b.at || (a.at === b.at && a.id > b.id);

/**
 * Folds one order event in. A function of the set of events: any order, one result. `before` is not changed.
 * `Order Updated` replaces lines; a refund without amount or lines takes back what is left; a cancellation without
 * lines cancels the whole. The catalogue (absent while nothing is published) gives each product its margin, once: of a
 * product that was ordered a later catalogue changes nothing.
 */
export function foldOrder(
  before: Order | undefined,
  interaction: Interaction,
  shopCurrency: string,
  catalogue?: Catalogue,
): Order {
  const { properties, at, id } = interaction;
  const key = orderKeyOf(interaction);
  if (key === undefined) throw new Error(`not an order event: ${interaction.name}`);
  const known = before && inShopCurrency(before, shopCurrency);
  const order: Order = known
    ? { ...known, refunds: { ...known.refunds } }
    : {
        shape: ORDER_SHAPE,
        key,
        source: interaction.source,
        id: String(properties.order_id),
        currency: shopCurrency,
        refunds: {},
      };
  // Amounts without a currency are read as the shop's; where the order turns out to have another, they are not summed.
  const stated = statedCurrency(properties);
  const currency = stated ?? shopCurrency;
  switch (interaction.name) {
    case 'Order Completed':
    case 'Order Updated': {
      if (interaction.name === 'Order Completed') order.completed = completedWith(order.completed, { at, id });
      if (stated !== undefined && (!order.currencyStated || later({ at, id }, order.currencyStated))) {
        order.currency = stated;
        order.currencyStated = { at, id };
      }
      const lines = orderLines(properties.products, currency);
      const named = [...productsOf(lines), ...productsOf(order.statement?.lines ?? []), ...(order.formerly ?? [])];
      if (!order.statement || later({ at, id }, order.statement)) {
        const total = amountOf(properties.total, currency);
        const revenue =
          amountOf(properties.revenue, currency) ??
          amountOf(properties.subtotal, currency) ??
          (lines.length > 0 ? sumOf(lines) : (total ?? 0));
        order.statement = { at, id, revenue, total: total ?? revenue, lines, properties: JSON.stringify(properties) };
      }
      const present = productsOf(order.statement?.lines ?? []);
      const formerly = [...new Set(named)].filter((one) => !present.includes(one)).sort();
      if (formerly.length > 0) order.formerly = formerly;
      else delete order.formerly;
      break;
    }
    case 'Order Refunded':
    case 'Order Cancelled': {
      const lines = orderLines(properties.products, currency);
      const cancels = interaction.name === 'Order Cancelled';
      // A cancellation's `total` is the order's own in Segment's spec: only its lines say how much is cancelled.
      const total = cancels ? undefined : amountOf(properties.total, currency);
      const amount = total ?? (lines.length > 0 ? sumOf(lines) : undefined);
      const reversal: Reversal = amount === undefined ? { at } : { at, amount: Math.abs(amount) };
      if (stated !== undefined) reversal.currency = stated;
      if (cancels) reversal.cancels = true;
      if (lines.length > 0) reversal.lines = quantities(lines);
      order.refunds[id] = reversal;
      break;
    }
    default:
      break;
  }
  if (catalogue !== undefined && order.statement !== undefined && !order.statement.costed) {
    const { statement } = order;
    const stated = statement.id === id ? properties : (JSON.parse(statement.properties) as JsonObject);
    order.statement = costed(statement, known?.statement, stated, catalogue);
  }
  return order;
}

type Statement = NonNullable<Order['statement']>;

/** The statement with the margins of its products: as the statement before named them, else as the catalogue does now. */
function costed(
  statement: Statement,
  before: Statement | undefined,
  stated: JsonObject,
  { products }: Catalogue,
): Statement {
  const earlier = new Map((before?.lines ?? []).map(({ product, margin }) => [product, margin]));
  const lines = statement.lines.map(({ margin: _, ...line }): OrderLine => {
    const { product } = line;
    const margin = earlier.get(product) ?? (Object.hasOwn(products, product) ? products[product]?.margin : undefined);
    return margin === undefined ? line : { ...line, margin };
  });
  return { ...statement, lines, costed: true, ...(isDiscounted(stated) && { discounted: true }) };
}

/** Whether what was stated names a discount above 0 or a coupon. */
export function isDiscounted({ discount, coupon }: JsonObject): boolean {
  const amount = typeof discount === 'number' || typeof discount === 'string' ? Number(discount) : 0;
  return (Number.isFinite(amount) && amount !== 0) || (typeof coupon === 'string' && coupon !== '');
}

function completedWith(known: Order['completed'], one: { at: number; id: string }): NonNullable<Order['completed']> {
  if (known === undefined) return one;
  const { at, id } = later(known, one) ? one : known;
  const last = Math.max(known.last ?? known.at, one.at);
  return last === at ? { at, id } : { at, id, last };
}

function quantities(lines: OrderLine[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const line of lines) sums[line.product] = (sums[line.product] ?? 0) + line.quantity;
  return sums;
}

/** Whether the cancellations, together, take back everything that was ordered. */
function isCancelled(reversals: Reversal[], ordered: Record<string, number>): boolean {
  const cancellations = reversals.filter((one) => one.cancels);
  if (cancellations.some((one) => one.lines === undefined)) return true;
  const cancelled = (product: string): number =>
    cancellations.reduce((sum, one) => sum + (one.lines?.[product] ?? 0), 0);
  return (
    cancellations.length > 0 && Object.entries(ordered).every(([product, quantity]) => cancelled(product) >= quantity)
  );
}

/**
 * What the order adds to its owner's totals. An order that was not completed counts only the refunds whose amount is
 * known (stand-alone credit notes). Refunds never exceed what was paid; their tax and shipping share is taken out in
 * proportion: refunded revenue = revenue × refunded ÷ total.
 */
export function orderEffect(given: Order | undefined, shopCurrency: string): OrderEffect {
  const effect: OrderEffect = { count: 0, gross: 0, refunded: 0, returned: 0 };
  if (given === undefined) return effect;
  const order = inShopCurrency(given, shopCurrency);
  const refunds = Object.values(order.refunds);
  const sumIn = (reversals: Reversal[], currency: string): number =>
    reversals.reduce((sum, one) => sum + ((one.currency ?? currency) === currency ? (one.amount ?? 0) : 0), 0);
  if (!order.completed || !order.statement) {
    const refundsOnly = refunds.filter((refund) => !refund.cancels);
    if (order.currency === shopCurrency) effect.refunded = sumIn(refundsOnly, shopCurrency);
    return effect;
  }
  const named = sumIn(refunds, order.currency);
  const { revenue, total } = order.statement;
  const ordered = quantities(order.statement.lines);
  const cancelled = isCancelled(refunds, ordered);
  const whole = cancelled || refunds.some((refund) => !refund.cancels && refund.amount === undefined);
  const back = whole ? total : Math.min(named, total);
  const refunded = total > 0 ? Math.round((revenue * back) / total) : 0;
  effect.at = order.completed.at;
  effect.last = order.completed.last ?? order.completed.at;
  effect.count = cancelled ? 0 : 1;
  effect.returned = refunds.length > 0 ? 1 : 0;
  if (order.currency === shopCurrency) {
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
