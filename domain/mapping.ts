// How a file of orders or contacts is read: the mapping that names its columns, and the events that its rows make.
import * as z from 'zod';
import { type Fault, quote, suggest } from './fault.ts';
import { Duration } from './grammar.ts';
import { type JsonObject, shortHash } from './interaction.ts';
import { minorUnits } from './money.ts';
import { Product } from './settings.ts';
import { durationMs, instantOf, isZone } from './time.ts';

const Column = z.string().min(1).max(200).meta({ description: "A column, by the name in the file's first line" });
const Text = z
  .string()
  .min(1)
  .max(500)
  .meta({ description: 'A text with columns in braces: "customer-{CustomerID}@customers.invalid"' });
const Source = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'letters, digits, ".", "_" and "-", at most 64');

/** One test of a column; numbers are read with the mapping's decimal sign. */
const Test = z.union([
  z.string(),
  z.number(),
  z
    .array(z.union([z.string(), z.number()]))
    .min(1)
    .max(1000),
  z.strictObject({ isNot: z.union([z.string(), z.number()]) }),
  z.strictObject({ startsWith: z.string().min(1) }),
  z.strictObject({ contains: z.string().min(1) }),
  z.strictObject({ exists: z.boolean() }),
  z.strictObject({ atLeast: z.number() }),
  z.strictObject({ moreThan: z.number() }),
  z.strictObject({ atMost: z.number() }),
  z.strictObject({ lessThan: z.number() }),
]);
type Test = z.infer<typeof Test>;
const RowTest = z.record(Column, Test).refine((tests) => Object.keys(tests).length > 0, 'says at least one thing');

const Format = z.string().regex(/^(iso|seconds|milliseconds|(?=.*d)(?=.*M)(?=.*yy).+)$/, {
  message: 'iso, seconds, milliseconds, or a pattern such as yyyy-MM-dd HH:mm:ss or dd/MM/yyyy H:mm',
});
const Time = z
  .strictObject({
    column: Column,
    format: Format,
    zone: z.string().meta({ description: 'The zone in which the file tells the time, such as Europe/London' }),
  })
  .refine((time) => isZone(time.zone), {
    message: 'a time zone of the tz database, such as Europe/London',
    path: ['zone'],
  });

/** Attributes by the value of a column: "Germany" → country DE, timezone Europe/Berlin. */
const LookUp = z.strictObject({
  column: Column,
  gives: z.record(z.string(), z.record(z.string().min(1).max(60), z.string())),
  otherwise: z.record(z.string().min(1).max(60), z.string()).optional(),
});

const AssumedConsent = z
  .strictObject({
    topic: z.string().min(1),
    basis: z.literal('imported'),
    since: z.union([z.literal('first order'), z.iso.date()]).meta({ description: 'From when it may be assumed' }),
    until: z.iso.date().optional(),
    brand: z.string().optional(),
    source: z.string().max(200).optional().meta({ description: 'Where it was recorded, for the proof' }),
    where: RowTest.optional().meta({ description: 'Only of people whose row passes' }),
  })
  .meta({ description: 'The consent that may be assumed. None: nobody of this file is written to' });

const layout = {
  $schema: z.string().optional(),
  title: z.string().optional(),
  delimiter: z.string().length(1).optional(),
  encoding: z.enum(['utf8', 'latin1', 'utf16le']).optional(),
  decimal: z.enum(['.', ',']).optional().meta({ description: 'The decimal sign of numbers; "." unless said' }),
  source: Source.meta({
    description: "The shop that the rows come from: EventBridge's source, part of an order's key",
  }),
};
const person = {
  user: Text.optional().meta({ description: "The shop's own id of the person" }),
  address: Text.optional().meta({ description: 'The e-mail address' }),
  attributes: z.record(z.string().min(1).max(60), Text).optional(),
  lookUps: z.array(LookUp).max(10).optional(),
};

/** templates/imports/*.json for a file of orders, a row per line of an order. */
export const OrdersMapping = z
  .strictObject({
    ...layout,
    imports: z.literal('orders'),
    currency: z.string().regex(/^[A-Z]{3}$/, 'an ISO 4217 code such as EUR'),
    liveFrom: z.iso.date().optional().meta({ description: 'Earlier rows are history and start nothing' }),
    time: Time,
    order: Column,
    product: Column,
    quantity: Column,
    price: Column.meta({ description: 'Price of one, in major units' }),
    name: Column.optional().meta({ description: "The product's name" }),
    category: Column.optional(),
    person: z
      .strictObject(person)
      .refine((who) => who.user !== undefined || who.address !== undefined, 'says user or address'),
    refunds: z
      .strictObject({
        where: RowTest,
        amounts: z.enum(['negative', 'positive']).meta({ description: 'Sign of quantity × price in these rows' }),
        of: Text.optional().meta({ description: 'The order that is refunded; absent: it stands alone' }),
      })
      .optional(),
    exclude: z
      .array(
        z.strictObject({
          reason: z.string().min(1).max(80),
          from: z.enum(['orders', 'refunds']).optional(),
          where: RowTest,
        }),
      )
      .max(50)
      .optional()
      .meta({ description: 'Rows that do not count, each under the first reason that fits' }),
    deliveredAfter: Duration.optional().meta({
      description: 'Where a file knows no deliveries: how long one is assumed to take',
    }),
    consent: AssumedConsent.optional(),
    products: z
      .record(z.string().min(1).max(100), Product)
      .optional()
      .meta({ description: 'Relations of products of this file' }),
  })
  .meta({ id: 'OrdersMapping', description: 'How a file of orders is read' });
export type OrdersMapping = z.infer<typeof OrdersMapping>;

/** templates/imports/*.json for a file of contacts, a row per person. */
export const ContactsMapping = z
  .strictObject({
    ...layout,
    imports: z.literal('contacts'),
    time: Time.optional().meta({ description: 'When the row was true; absent: the time of the import' }),
    person: z
      .strictObject(person)
      .refine((who) => who.user !== undefined || who.address !== undefined, 'says user or address'),
    exclude: z
      .array(z.strictObject({ reason: z.string().min(1).max(80), where: RowTest }))
      .max(50)
      .optional(),
    consent: z
      .array(
        z.strictObject({
          topic: z.string().min(1),
          basis: z.enum(['double', 'single', 'soft', 'imported']),
          brand: z.string().optional(),
          at: Time.optional().meta({ description: 'When it was given; absent: the time of the row' }),
          where: RowTest.optional(),
          wording: Text.optional(),
          form: Text.optional(),
          source: Text.optional(),
        }),
      )
      .max(50)
      .optional(),
  })
  .meta({ id: 'ContactsMapping', description: 'How a file of contacts is read' });
export type ContactsMapping = z.infer<typeof ContactsMapping>;

export const Mapping = z.discriminatedUnion('imports', [OrdersMapping, ContactsMapping]);
export type Mapping = z.infer<typeof Mapping>;

/** An event that an import makes: the track or identify envelope, ready for the bus. */
export interface ImportedEvent {
  /** EventBridge's detail type: the event's name. */
  name: string;
  at: number;
  detail: JsonObject;
}

/** A row that is wrong: the column, what was found, what belongs there. */
export interface RowFault {
  column: string;
  message: string;
  received?: string;
  expected?: string;
}

export interface Person {
  user?: string;
  address?: string;
  traits: Record<string, string>;
  /** Whether consent may be assumed of them by this row. */
  consents: boolean;
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
  | { kind: 'excluded'; reason: string }
  | { kind: 'fault'; fault: RowFault };
type Fields = readonly string[];
type Read<T> = (fields: Fields) => T;

class BadField extends Error {
  readonly fault: RowFault;
  constructor(fault: RowFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** Names of the columns in the braces of a text. */
export function placeholders(text: string): string[] {
  return [...text.matchAll(/\{([^{}]+)\}/g)].map((found) => found[1]!);
}

/** Every column that the mapping names, with its place in the mapping. */
function columnsOf(value: unknown, path: string): { column: string; path: string }[] {
  if (typeof value === 'string') return placeholders(value).map((column) => ({ column, path }));
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return Array.isArray(value) ? value.flatMap((each, index) => columnsOf(each, `${path}[${index}]`)) : [];
  }
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = path === '' ? key : `${path}.${key}`;
    if (key === 'where') return Object.keys(inner).map((column) => ({ column, path: at }));
    if (key === 'column' || (path === '' && COLUMN_KEYS.has(key))) return [{ column: String(inner), path: at }];
    return key === 'gives' || key === 'products' || key === 'otherwise' ? [] : columnsOf(inner, at);
  });
}
const COLUMN_KEYS = new Set(['order', 'product', 'quantity', 'price', 'name', 'category']);

/** A fault for each column that the mapping names and the file's first line does not have. */
export function missingColumns(mapping: Mapping, header: readonly string[]): Fault[] {
  const seen = new Set<string>();
  return columnsOf(mapping, '').flatMap(({ column, path }) => {
    if (header.includes(column) || seen.has(column)) return [];
    seen.add(column);
    const remedy = suggest(column, header);
    return [
      {
        code: 'import.column',
        path,
        message: `the file has no column ${quote(column)}.`,
        received: column,
        expected: header.join(', ').slice(0, 300),
        ...(remedy === undefined ? {} : { remedy }),
      },
    ];
  });
}

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

  return (fields) => {
    try {
      const refund = isRefund(fields);
      for (const each of exclude) {
        if (each.from !== undefined && (each.from === 'refunds') !== refund) continue;
        if (each.fits(fields)) return { kind: 'excluded', reason: each.reason };
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

/**
 * The events of one order, the person's first: identify where something about them is new, consent once, then the order
 * or refund, then its assumed delivery. `told` is kept by the caller per person, orders coming by time.
 */
export function orderEvents(order: GatheredOrder, mapping: OrdersMapping, told: Map<string, Told>): ImportedEvent[] {
  const events: ImportedEvent[] = [];
  const unit = minorUnits(1, mapping.currency);
  const who = order.person === undefined ? {} : personOf(order.person);
  if (order.person !== undefined) {
    const key = order.person.user ?? order.person.address!;
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

function missing(column: string): BadField {
  return new BadField({ column, message: 'is empty', received: '', expected: 'a value' });
}

function columnReader(header: readonly string[], name: string): Read<string> {
  const index = header.indexOf(name);
  if (index < 0) throw new RangeError(`no column ${quote(name)}: ask missingColumns first`);
  return (fields) => (fields[index] ?? '').trim();
}

/** A text with columns in braces; empty where one of its columns is. */
function textReader(header: readonly string[], text: string): Read<string> {
  const columns = placeholders(text);
  if (columns.length === 1 && text === `{${columns[0]}}`) return columnReader(header, columns[0]!);
  const parts = text.split(/\{[^{}]+\}/);
  const reads = columns.map((column) => columnReader(header, column));
  return (fields) => {
    let made = parts[0]!;
    for (let i = 0; i < reads.length; i += 1) {
      const value = reads[i]!(fields);
      if (value === '') return '';
      made += value + parts[i + 1]!;
    }
    return made;
  };
}

const DECIMAL = { '.': /^-?\d{1,12}(\.\d{1,6})?$/, ',': /^-?\d{1,12}(,\d{1,6})?$/ };

/** A decimal number as text with a point, or a fault that names what was found. */
function decimalReader(header: readonly string[], column: string, sign: '.' | ','): Read<string> {
  const read = columnReader(header, column);
  return (fields) => {
    const text = read(fields);
    if (!DECIMAL[sign].test(text)) {
      throw new BadField({
        column,
        message: text === '' ? 'is empty' : 'is not a number',
        received: text.slice(0, 40),
        expected: `a number such as 12${sign}50`,
      });
    }
    return sign === ',' ? text.replace(',', '.') : text;
  };
}

/** quantity × price in minor units, exactly, half away from zero. `unit` is how many minor units a major one has. */
export function productInMinor(quantity: string, price: string, unit: number): number {
  const [a, aDigits] = scaled(quantity);
  const [b, bDigits] = scaled(price);
  const scale = 10 ** (aDigits + bDigits);
  const product = a * b * unit;
  if (Number.isSafeInteger(product)) {
    const rounded = Math.floor((2 * Math.abs(product) + scale) / (2 * scale));
    return product < 0 && rounded !== 0 ? -rounded : rounded;
  }
  const exact = BigInt(a) * BigInt(b) * BigInt(unit);
  const size = exact < 0n ? -exact : exact;
  const rounded = Number((2n * size + BigInt(scale)) / (2n * BigInt(scale)));
  return exact < 0n ? -rounded : rounded;
}

function scaled(text: string): [number, number] {
  const point = text.indexOf('.');
  return point < 0
    ? [Number(text), 0]
    : [Number(text.slice(0, point) + text.slice(point + 1)), text.length - point - 1];
}

const TOKENS: Record<string, [string, string]> = {
  yyyy: ['year', '(?<year>\\d{4})'],
  yy: ['short', '(?<short>\\d{2})'],
  MM: ['month', '(?<month>\\d{2})'],
  M: ['month', '(?<month>\\d{1,2})'],
  dd: ['day', '(?<day>\\d{2})'],
  d: ['day', '(?<day>\\d{1,2})'],
  HH: ['hour', '(?<hour>\\d{2})'],
  H: ['hour', '(?<hour>\\d{1,2})'],
  mm: ['minute', '(?<minute>\\d{2})'],
  ss: ['second', '(?<second>\\d{2})'],
};

/** The instant that a column tells, epoch milliseconds. */
function timeReader(header: readonly string[], time: z.infer<typeof Time>): Read<number> {
  const read = columnReader(header, time.column);
  const parse = timeParser(time.format, time.zone);
  let lastText = '';
  let last: number | undefined;
  return (fields) => {
    const text = read(fields);
    // Rows of one order follow each other and tell the same time.
    if (text !== lastText) {
      lastText = text;
      last = parse(text);
    }
    if (last === undefined || Number.isNaN(last)) {
      throw new BadField({
        column: time.column,
        message: text === '' ? 'is empty' : 'is not a time of the format',
        received: text.slice(0, 40),
        expected: time.format,
      });
    }
    return last;
  };
}

/** Reads texts of one format as instants; undefined for anything else, a 31 February included. */
export function timeParser(format: string, zone: string): (text: string) => number | undefined {
  if (format === 'seconds' || format === 'milliseconds') {
    const factor = format === 'seconds' ? 1000 : 1;
    return (text) => (/^\d{1,14}(\.\d+)?$/.test(text) ? Math.round(Number(text) * factor) : undefined);
  }
  if (format === 'iso') {
    const local = timeParser('yyyy-MM-ddTHH:mm:ss', zone);
    return (text) => {
      if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text)) return undefined;
      if (/(Z|[+-]\d\d:?\d\d)$/.test(text.slice(10))) {
        const at = Date.parse(text.replace(' ', 'T').replace(/([+-]\d\d)(\d\d)$/, '$1:$2'));
        return Number.isNaN(at) ? undefined : at;
      }
      return local(`${text.slice(0, 10)}T${(text.slice(11, 19) || '00:00').padEnd(8, ':00')}`);
    };
  }
  const pattern = format.replace(/yyyy|yy|MM|M|dd|d|HH|H|mm|ss|[^A-Za-z0-9\s]|T/g, (token) =>
    Object.hasOwn(TOKENS, token) ? TOKENS[token]![1] : token === 'T' ? 'T' : `\\${token}`,
  );
  const expression = new RegExp(`^${pattern}$`);
  const two = (text: string | undefined): string => (text ?? '0').padStart(2, '0');
  return (text) => {
    const found = expression.exec(text)?.groups;
    if (found === undefined) return undefined;
    const year = found.year ?? `20${found.short}`;
    const second = Number(found.second ?? 0);
    if (second > 59) return undefined;
    try {
      const date = `${year}-${two(found.month)}-${two(found.day)}`;
      return instantOf(date, `${two(found.hour)}:${two(found.minute)}`, zone) + second * 1000;
    } catch {
      return undefined;
    }
  };
}

/** Whether all columns pass their tests. */
function testReader(header: readonly string[], tests: Record<string, Test>, sign: '.' | ','): Read<boolean> {
  const each = Object.entries(tests).map(([column, test]) => {
    const read = columnReader(header, column);
    const passes = testOf(test, sign);
    return (fields: Fields) => passes(read(fields));
  });
  return (fields) => each.every((passes) => passes(fields));
}

function testOf(test: Test, sign: '.' | ','): (text: string) => boolean {
  const number = (text: string): number => (DECIMAL[sign].test(text) ? Number(text.replace(',', '.')) : Number.NaN);
  const equals = (text: string, value: string | number): boolean =>
    typeof value === 'number' ? number(text) === value : text === value;
  if (typeof test !== 'object') return (text) => equals(text, test);
  if (Array.isArray(test)) return (text) => test.some((value) => equals(text, value));
  if ('isNot' in test) return (text) => !equals(text, test.isNot);
  if ('startsWith' in test) return (text) => text.startsWith(test.startsWith);
  if ('contains' in test) return (text) => text.includes(test.contains);
  if ('exists' in test) return (text) => (text !== '') === test.exists;
  if ('atLeast' in test) return (text) => number(text) >= test.atLeast;
  if ('moreThan' in test) return (text) => number(text) > test.moreThan;
  if ('atMost' in test) return (text) => number(text) <= test.atMost;
  return (text) => number(text) < test.lessThan;
}

/** The person of a row; undefined where the row names none: a guest. */
function personReader(
  header: readonly string[],
  person: OrdersMapping['person'],
  consentWhere: Record<string, Test> | undefined,
  sign: '.' | ',',
): Read<Person | undefined> {
  const user = person.user === undefined ? undefined : textReader(header, person.user);
  const address = person.address === undefined ? undefined : textReader(header, person.address);
  const attributes = Object.entries(person.attributes ?? {}).map(([key, text]) => ({
    key,
    read: textReader(header, text),
  }));
  const lookUps = (person.lookUps ?? []).map((each) => ({ ...each, read: columnReader(header, each.column) }));
  const consents = consentWhere === undefined ? () => true : testReader(header, consentWhere, sign);
  return (fields) => {
    const id = user?.(fields) ?? '';
    const mail = address?.(fields) ?? '';
    if (id === '' && mail === '') return undefined;
    const traits: Record<string, string> = {};
    for (const { key, read } of attributes) {
      const value = read(fields);
      if (value !== '') traits[key] = value;
    }
    for (const each of lookUps) {
      const value = each.read(fields);
      Object.assign(traits, Object.hasOwn(each.gives, value) ? each.gives[value] : each.otherwise);
    }
    return {
      ...(id === '' ? {} : { user: id }),
      ...(mail === '' ? {} : { address: mail }),
      traits,
      consents: consents(fields),
    };
  };
}

/** True for a date such as 2026-03-01. */
export function isDate(text: string): boolean {
  return z.iso.date().safeParse(text).success;
}
