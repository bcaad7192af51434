// How a file of orders or contacts is read: the zod schemas of templates/imports, and which columns they name.
import * as z from 'zod';
import { type Fault, quote, suggest } from './fault.ts';
import { Duration } from './grammar.ts';
import { Product } from './settings.ts';
import { isZone } from './time.ts';

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
export type Test = z.infer<typeof Test>;
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

export type Time = z.infer<typeof Time>;

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
/** True for a date such as 2026-03-01. */
export function isDate(text: string): boolean {
  return z.iso.date().safeParse(text).success;
}
