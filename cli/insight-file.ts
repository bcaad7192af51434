// A plain file of orders as the tables of the lake: read by its mapping, folded as the stack folds events.
import { lakeId } from '../domain/code.ts';
import { dateOfDay, dayOfDate } from '../domain/insight/customer.ts';
import { orderRows, type Shop } from '../domain/insight/order-rows.ts';
import type { Interaction, JsonObject } from '../domain/interaction.ts';
import type { OrdersMapping } from '../domain/mapping.ts';
import type { ImportedEvent } from '../domain/mapping-events.ts';
import { minorUnits } from '../domain/money.ts';
import { foldOrder, type Order } from '../domain/order.ts';
import type { Catalogue, Product } from '../domain/settings.ts';
import { localTime } from '../domain/time.ts';
import type { TableName } from '../functions/aws/lake-tables.ts';
import type { OrdersFile } from './import-orders.ts';

/** The tables that a file of orders gives, and the last of their days. */
export interface FileTables {
  tables: Partial<Record<TableName, JsonObject[]>>;
  shop: Shop;
  /** The last day that counts: `until`, else that of the last order; a number of days since 1970-01-01. */
  today: number;
  orders: number;
  /** Of them, those that name nobody. */
  guests: number;
  /** Events after `until`, which do not count. */
  later: number;
}

/**
 * Folds the events of a file as the recorder does. `until`, YYYY-MM-DD, is the last day that counts: orders, refunds and
 * what is known of people and products after it are left out. A contact is the file's own id of a person; an address is
 * never shown, a hash stands for it.
 */
export function tablesOf(file: OrdersFile, mapping: OrdersMapping, until?: string): FileTables {
  const { currency, source, time } = mapping;
  const { zone } = time;
  const products = new Map<string, JsonObject>();
  const contacts = new Map<string, JsonObject>();
  const folded = new Map<string, Order>();
  let last = '';
  let later = 0;
  const dates = dateReader(zone);
  for (const event of [...file.history, ...file.live]) {
    const date = dates(event.at);
    if (until !== undefined && date > until) {
      if (event.name.startsWith('Order ')) later += 1;
      continue;
    }
    const contact = contactOf(event.detail);
    const given = event.detail.properties as JsonObject;
    if (event.name === 'Product Updated') products.set(String(given.product_id), given);
    else if (event.name === 'identify' && contact !== undefined) contacts.set(contact, contactRow(contact, event));
    else if (event.name === 'Order Completed' || event.name === 'Order Refunded') {
      if (date > last) last = date;
      const one: Interaction = {
        id: String(event.detail.messageId),
        subject: '',
        name: event.name,
        at: event.at,
        source,
        who: {},
        traits: {},
        properties: given,
        hops: 0,
      };
      const key = `${source}#${given.order_id}`;
      const order = foldOrder(folded.get(key), one, currency);
      folded.set(key, contact === undefined || order.owner !== undefined ? order : { ...order, owner: contact });
    }
  }
  const catalogue = catalogueOf(products, mapping.products ?? {});
  const shop: Shop = { currency, zone, catalogue };
  const rows = [...folded.values()].map((order) => orderRows(order, 1, shop));
  const orders = rows.map(({ order }) => order);
  const completed = orders.filter((order) => order.completed);
  return {
    tables: {
      orders,
      lines: rows.flatMap(({ lines }) => lines),
      contacts: [...contacts.values()],
      products: productRows(catalogue, currency),
    },
    shop,
    today: until !== undefined ? dayOfDate(until) : last === '' ? 0 : dayOfDate(last),
    orders: completed.length,
    guests: completed.filter((order) => order.contact === undefined).length,
    later,
  };
}

/** The date of an instant in a zone; most instants of a file are of days that were met before. */
function dateReader(zone: string): (at: number) => string {
  const hours = new Map<number, string>();
  // Zones differ from UTC by quarters of an hour, so that a quarter lies on one day.
  const QUARTER = 900_000;
  return (at) => {
    const quarter = Math.floor(at / QUARTER);
    let date = hours.get(quarter);
    if (date === undefined) {
      date = localTime(quarter * QUARTER, zone).date;
      hours.set(quarter, date);
    }
    return date;
  };
}

function contactOf(detail: JsonObject): string | undefined {
  if (typeof detail.userId === 'string') return lakeId(detail.userId);
  const context = detail.context as { traits?: { email?: string } } | undefined;
  return context?.traits?.email === undefined ? undefined : lakeId(context.traits.email);
}

function contactRow(contact: string, event: ImportedEvent): JsonObject {
  const { country } = (event.detail.traits ?? {}) as JsonObject;
  return { contact, version: event.at, ...(typeof country === 'string' && { country }), createdAt: event.at };
}

/** Products as the file tells them, with what the mapping says of them. */
function catalogueOf(told: ReadonlyMap<string, JsonObject>, relations: Record<string, Product>): Catalogue {
  const products: Record<string, Product> = { ...relations };
  for (const [id, { name, category, price }] of told) {
    products[id] = {
      name: String(name).slice(0, 200),
      ...(typeof category === 'string' && { category }),
      ...(typeof price === 'number' && { price }),
      ...relations[id],
    };
  }
  return { products };
}

function productRows({ products }: Catalogue, currency: string): JsonObject[] {
  return Object.entries(products).map(([product, { name, category, brand, price, margin, upgrade }]) => ({
    product: lakeId(product),
    name,
    ...(category !== undefined && { category }),
    ...(brand !== undefined && { brand }),
    ...(price !== undefined && { price: minorUnits(price, currency) }),
    ...(margin !== undefined && { margin }),
    ...(upgrade !== undefined && { upgrade }),
  }));
}

/** In a sentence: what was read, and what was left out. */
export function sayFile(path: string, file: OrdersFile, { orders, guests, later, today, tables }: FileTables): string {
  const number = (many: number): string => many.toLocaleString('en');
  const bought = (tables.orders ?? []).filter(({ completed }) => completed);
  const named = new Set(bought.flatMap(({ contact }) => contact ?? [])).size;
  const left = [
    ...Object.entries(file.excluded)
      .filter(([, rows]) => rows > 0)
      .map(([reason, rows]) => `${number(rows)} rows (${reason})`),
    ...(file.faults.count > 0
      ? [
          `${number(file.faults.count)} rows that are wrong (the first: line ${file.faults.first[0]?.line}, ${file.faults.first[0]?.message})`,
        ]
      : []),
    ...(later > 0 ? [`${number(later)} orders and refunds after ${dateOfDay(today)}`] : []),
    ...(guests > 0 ? [`from what is said of customers, ${number(guests)} orders that name nobody`] : []),
  ];
  return (
    `${path}: ${number(orders)} ${orders === 1 ? 'order' : 'orders'} of ${number(named)} ${named === 1 ? 'customer' : 'customers'} up to ${dateOfDay(today)}.` +
    (left.length === 0 ? '' : ` Left out: ${left.join('; ')}.`)
  );
}
