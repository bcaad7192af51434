// From the rows of a file to events: rows of orders read and gathered, people told once, contacts with their consents.
import { type JsonObject, shortHash } from './interaction.ts';
import { type ContactsMapping, type OrdersMapping, placeholders } from './mapping.ts';
import {
  BadField,
  columnReader,
  decimalReader,
  type Fields,
  missing,
  type Person,
  personReader,
  productInMinor,
  type Read,
  type RowFault,
  testReader,
  textReader,
  timeReader,
} from './mapping-fields.ts';
import { minorUnits } from './money.ts';
import { durationMs, instantOf } from './time.ts';

/** An event that an import makes: the track or identify envelope, ready for the bus. */
export interface ImportedEvent {
  /** EventBridge's detail type: the event's name. */
  name: string;
  at: number;
  detail: JsonObject;
}

/** One counted row of a file of orders. Money in minor units. */
export interface OrderRow {
  order: string;
  refund: boolean;
  refundOf?: string;
  at: number;
  product: string;
  name: string;
  category: string;
  quantity: number;
  /** As a decimal text with a point. */
  price: string;
  /** |quantity × price|, rounded half away from zero. */
  amount: number;
  person: Person | undefined;
}

export type OrderReading =
  | { kind: 'row'; row: OrderRow }
  /** `met`: whom the row names all the same. */
  | { kind: 'excluded'; reason: string; met?: { person: Person; at: number } }
  | { kind: 'fault'; fault: RowFault };

/** The reader of one row of a file of orders with this header. Ask `missingColumns` first. Never throws on a row. */
export function orderReader(mapping: OrdersMapping, header: readonly string[]): (fields: Fields) => OrderReading {
  const decimal = mapping.decimal ?? '.';
  const column = (name: string): Read<string> => columnReader(header, name);
  const order = column(mapping.order);
  const product = column(mapping.product);
  const quantity = decimalReader(header, mapping.quantity, decimal);
  const price = decimalReader(header, mapping.price, decimal);
  const name = mapping.name === undefined ? undefined : column(mapping.name);
  const category = mapping.category === undefined ? undefined : column(mapping.category);
  const time = timeReader(header, mapping.time);
  const isRefund = mapping.refunds === undefined ? () => false : testReader(header, mapping.refunds.where, decimal);
  const refundOf = mapping.refunds?.of === undefined ? undefined : textReader(header, mapping.refunds.of);
  const exclude = (mapping.exclude ?? []).map((each) => ({ ...each, fits: testReader(header, each.where, decimal) }));
  const person = personReader(header, mapping.person, mapping.consent?.where, decimal);
  const unit = minorUnits(1, mapping.currency);
  /** What is left out may be written badly in any column: then nobody is met. */
  const metIn = (fields: Fields): { met?: { person: Person; at: number } } => {
    try {
      const who = person(fields);
      return who === undefined ? {} : { met: { person: who, at: time(fields) } };
    } catch (error) {
      if (error instanceof BadField) return {};
      throw error;
    }
  };

  return (fields) => {
    try {
      const refund = isRefund(fields);
      for (const each of exclude) {
        if (each.from !== undefined && (each.from === 'refunds') !== refund) continue;
        if (each.fits(fields)) return { kind: 'excluded', reason: each.reason, ...metIn(fields) };
      }
      const id = order(fields);
      if (id === '') throw missing(mapping.order);
      const sku = product(fields);
      if (sku === '') throw missing(mapping.product);
      const many = quantity(fields);
      const each = price(fields);
      const signed = productInMinor(many, each, unit);
      const expected = refund && mapping.refunds?.amounts === 'negative' ? 'negative' : 'positive';
      if (signed !== 0 && signed > 0 !== (expected === 'positive')) {
        throw new BadField({
          column: mapping.quantity,
          message: `quantity × price of ${refund ? 'a refund' : 'an order'} is ${signed < 0 ? 'below' : 'above'} zero, and no reason excludes the row`,
          received: `${many} × ${each}`,
          expected: `a ${expected} amount`,
        });
      }
      const of = refund ? refundOf?.(fields) : undefined;
      const row: OrderRow = {
        order: id,
        refund,
        at: time(fields),
        product: sku,
        name: name?.(fields) ?? '',
        category: category?.(fields) ?? '',
        quantity: Math.abs(Number(many)),
        price: each.startsWith('-') ? each.slice(1) : each,
        amount: Math.abs(signed),
        person: person(fields),
      };
      if (of !== undefined && of !== '') row.refundOf = of;
      return { kind: 'row', row };
    } catch (error) {
      if (error instanceof BadField) return { kind: 'fault', fault: error.fault };
      throw error;
    }
  };
}

/** One order or refund, its rows gathered. Money in minor units. */
export interface GatheredOrder {
  id: string;
  refund: boolean;
  refundOf?: string;
  /** The earliest time of its rows. */
  at: number;
  amount: number;
  rows: number;
  lines: Map<string, { product: string; price: string; quantity: number }>;
  person: Person | undefined;
}

/** Gathers the rows of each order, wherever in the file they stand. */
export class OrderGathering {
  readonly orders = new Map<string, GatheredOrder>();
  readonly products = new Map<string, { at: number; name: string; category: string; price: string }>();
  /** People whom excluded rows name, at their earliest: they are known, whatever of theirs counts. */
  readonly met = new Map<string, { person: Person; at: number }>();

  /** Notes a person whom an excluded row names. */
  meet(person: Person, at: number): void {
    const key = keyOf(person);
    const known = this.met.get(key);
    if (known === undefined || at < known.at) this.met.set(key, { person, at });
  }

  /** Counts the row; or says why it contradicts an earlier row of its order, and counts nothing. */
  add(row: OrderRow, mapping: OrdersMapping): RowFault | undefined {
    let order = this.orders.get(row.order);
    if (order === undefined) {
      order = {
        id: row.order,
        refund: row.refund,
        at: row.at,
        amount: 0,
        rows: 0,
        lines: new Map(),
        person: row.person,
      };
      if (row.refundOf !== undefined) order.refundOf = row.refundOf;
      this.orders.set(row.order, order);
    }
    if (order.refund !== row.refund) {
      return {
        column: mapping.order,
        message: 'the order has both sales and refunds under one number',
        received: row.order,
      };
    }
    if (order.person?.user !== row.person?.user || order.person?.address !== row.person?.address) {
      return { column: mapping.order, message: 'the rows of one order name two people', received: row.order };
    }
    order.at = Math.min(order.at, row.at);
    order.amount += row.amount;
    order.rows += 1;
    const key = `${row.product}\u0000${row.price}`;
    const line = order.lines.get(key);
    if (line === undefined) order.lines.set(key, { product: row.product, price: row.price, quantity: row.quantity });
    else line.quantity = Number((line.quantity + row.quantity).toFixed(6));
    if (!row.refund && row.name !== '') {
      const known = this.products.get(row.product);
      if (known === undefined || row.at < known.at) {
        this.products.set(row.product, { at: row.at, name: row.name, category: row.category, price: row.price });
      }
    }
    return undefined;
  }
}

/** What is known of a person while their orders are told in order of time. */
export interface Told {
  traits: string;
  consented: boolean;
}

/** People whom only excluded rows name: who they are, and no consent, which comes with an order. */
export function metEvents(gathering: OrderGathering, told: ReadonlyMap<string, Told>): [key: string, ImportedEvent][] {
  return [...gathering.met]
    .filter(([key]) => !told.has(key))
    .map(([key, { person, at }]) => [key, identify(person, at, `${key}/met/${at}`)]);
}

const keyOf = (person: Person): string => person.user ?? person.address!;

/**
 * The events of one order, the person's first: identify where something about them is new, consent once, then the order
 * or refund, then its assumed delivery. `told` is kept by the caller per person, orders coming by time.
 */
export function orderEvents(order: GatheredOrder, mapping: OrdersMapping, told: Map<string, Told>): ImportedEvent[] {
  const events: ImportedEvent[] = [];
  const unit = minorUnits(1, mapping.currency);
  const who = order.person === undefined ? {} : personOf(order.person);
  if (order.person !== undefined) {
    const key = keyOf(order.person);
    const known = told.get(key) ?? { traits: '', consented: false };
    const traits = JSON.stringify([order.person.address, order.person.traits]);
    if (traits !== known.traits) {
      events.push(identify(order.person, order.at, `${key}/${traits}/${order.at}`));
      known.traits = traits;
    }
    if (mapping.consent !== undefined && !known.consented && order.person.consents) {
      const { since } = mapping.consent;
      const at = since === 'first order' ? order.at : Math.min(order.at, instantOf(since, '00:00', mapping.time.zone));
      events.push(grant(order.person, at, { ...mapping.consent, zone: mapping.time.zone }, key));
      known.consented = true;
    }
    told.set(key, known);
  }
  const amount = order.amount / unit;
  const products = shortened([...order.lines.values()]).map((line) => ({
    product_id: line.product,
    price: Number(line.price),
    quantity: line.quantity,
  }));
  const name = order.refund ? 'Order Refunded' : 'Order Completed';
  const properties: JsonObject = order.refund
    ? { order_id: order.refundOf ?? order.id, refund_id: order.id, total: amount, currency: mapping.currency, products }
    : { order_id: order.id, revenue: amount, total: amount, currency: mapping.currency, products };
  events.push(
    track(name, order.at, `${mapping.source}/${order.id}/${order.refund ? 'refunded' : 'completed'}`, who, properties),
  );
  if (!order.refund && mapping.deliveredAfter !== undefined) {
    const at = order.at + durationMs(mapping.deliveredAfter);
    events.push(track('Order Delivered', at, `${mapping.source}/${order.id}/delivered`, who, { order_id: order.id }));
  }
  return events;
}

/** An event holds at most 1,000 lines and 64 KB. */
const MOST_LINES = 1000;
const MOST_LINE_BYTES = 60_000;

/** Whether some lines of the order are not told, because an event cannot hold them. Its amount is that of all of them. */
export function isShortened(order: GatheredOrder): boolean {
  return order.lines.size > shortened([...order.lines.values()]).length;
}

/** All lines, or the dearest that an event can hold. */
function shortened<T extends { product: string; price: string; quantity: number }>(lines: T[]): T[] {
  const size = (line: T): number => Buffer.byteLength(JSON.stringify(line.product)) + line.price.length + 50;
  const bytes = lines.reduce((sum, line) => sum + size(line), 0);
  if (lines.length <= MOST_LINES && bytes <= MOST_LINE_BYTES) return lines;
  let left = MOST_LINE_BYTES;
  return lines
    .toSorted((a, b) => b.quantity * Number(b.price) - a.quantity * Number(a.price))
    .slice(0, MOST_LINES)
    .filter((line) => {
      left -= size(line);
      return left >= 0;
    });
}

/** What the file says of each product, told once, at its first sale. */
export function productEvents(gathering: OrderGathering, mapping: OrdersMapping): ImportedEvent[] {
  return [...gathering.products].map(([id, product]) => {
    const relation = mapping.products?.[id];
    const properties: JsonObject = {
      product_id: id,
      name: relation?.name ?? product.name,
      price: Number(product.price),
      currency: mapping.currency,
    };
    const category = relation?.category ?? product.category;
    if (category !== '') properties.category = category;
    return track('Product Updated', product.at, `${mapping.source}/product/${shortHash(id)}`, {}, properties);
  });
}

export type ContactReading =
  | { kind: 'contact'; events: ImportedEvent[] }
  | { kind: 'excluded'; reason: string }
  | { kind: 'fault'; fault: RowFault };

/** The reader of one row of a file of contacts. `importedAt` is the time of rows that have none. Never throws on a row. */
export function contactReader(
  mapping: ContactsMapping,
  header: readonly string[],
  importedAt: number,
): Read<ContactReading> {
  const decimal = mapping.decimal ?? '.';
  const time = mapping.time === undefined ? () => importedAt : timeReader(header, mapping.time);
  const person = personReader(header, mapping.person, undefined, decimal);
  const exclude = (mapping.exclude ?? []).map((each) => ({ ...each, fits: testReader(header, each.where, decimal) }));
  const text = (value: string | undefined): Read<string> =>
    value === undefined ? () => '' : textReader(header, value);
  const consents = (mapping.consent ?? []).map((each) => ({
    ...each,
    fits: each.where === undefined ? () => true : testReader(header, each.where, decimal),
    time: each.at === undefined ? time : timeReader(header, each.at),
    wordingOf: text(each.wording),
    formOf: text(each.form),
    sourceOf: text(each.source),
  }));
  return (fields) => {
    try {
      for (const each of exclude) if (each.fits(fields)) return { kind: 'excluded', reason: each.reason };
      const who = person(fields);
      if (who === undefined) {
        const column = placeholders(mapping.person.user ?? mapping.person.address ?? '')[0] ?? '';
        throw missing(column);
      }
      const at = time(fields);
      const key = who.user ?? who.address!;
      const traits = JSON.stringify([who.address, who.traits]);
      const stamp = mapping.time === undefined ? '' : at;
      const events = [identify(who, at, `${key}/${traits}/${stamp}`)];
      for (const each of consents) {
        if (!each.fits(fields)) continue;
        const granted = each.time(fields);
        events.push(
          grant(
            who,
            granted,
            {
              topic: each.topic,
              basis: each.basis,
              brand: each.brand,
              wording: each.wordingOf(fields),
              form: each.formOf(fields),
              source: each.sourceOf(fields),
            },
            `${key}/${each.at === undefined ? stamp : granted}`,
          ),
        );
      }
      return { kind: 'contact', events };
    } catch (error) {
      if (error instanceof BadField) return { kind: 'fault', fault: error.fault };
      throw error;
    }
  };
}

function personOf(person: Person): JsonObject {
  if (person.user !== undefined) return { userId: person.user };
  return { context: { traits: { email: person.address! } } };
}

function identify(person: Person, at: number, key: string): ImportedEvent {
  const traits: JsonObject = { ...person.traits };
  if (person.address !== undefined) traits.email = person.address;
  return {
    name: 'identify',
    at,
    detail: {
      type: 'identify',
      messageId: `import-identify-${shortHash(key)}`,
      ...(person.user === undefined ? {} : { userId: person.user }),
      timestamp: new Date(at).toISOString(),
      traits,
    },
  };
}

interface Granted {
  topic: string;
  basis: string;
  brand?: string | undefined;
  source?: string | undefined;
  wording?: string | undefined;
  form?: string | undefined;
  until?: string | undefined;
  zone?: string;
}

function grant(person: Person, at: number, said: Granted, key: string): ImportedEvent {
  const properties: JsonObject = { topic: said.topic, channel: 'email', basis: said.basis };
  for (const name of ['brand', 'source', 'wording', 'form'] as const) if (said[name]) properties[name] = said[name];
  if (said.until !== undefined)
    properties.until = new Date(instantOf(said.until, '00:00', said.zone ?? 'UTC')).toISOString();
  return track('Consent Granted', at, `consent/${said.brand ?? ''}/${said.topic}/${key}`, personOf(person), properties);
}

function track(event: string, at: number, key: string, who: JsonObject, properties: JsonObject): ImportedEvent {
  return {
    name: event,
    at,
    detail: {
      type: 'track',
      event,
      messageId: `import-${shortHash(key)}`,
      ...who,
      timestamp: new Date(at).toISOString(),
      properties,
    },
  };
}
