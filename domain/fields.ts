// The properties of the events that need no declaration (Segment's e-commerce spec, our own), and how they are read.
import { KairosError, sayPath } from './fault.ts';
import type { Json, JsonObject } from './interaction.ts';
import { isAmount } from './money.ts';
import type { FieldType } from './settings.ts';
import { SCORES } from './standing.ts';

/** Property → its type, or the types of each line of a list. */
export type EventFields = Record<string, FieldType | { lines: Record<string, FieldType> }>;

const product: Record<string, FieldType> = {
  product_id: 'text',
  sku: 'text',
  category: 'text',
  name: 'text',
  brand: 'text',
  variant: 'text',
  price: 'money',
  quantity: 'number',
  coupon: 'text',
  position: 'number',
  url: 'text',
  image_url: 'text',
};
const one: EventFields = { ...product, currency: 'text', value: 'money' };
const list: EventFields = { list_id: 'text', category: 'text', products: { lines: product } };
const filtered: EventFields = {
  ...list,
  filters: { lines: { type: 'text', value: 'text' } },
  sorts: { lines: { type: 'text', value: 'text' } },
};
const promotion: EventFields = { promotion_id: 'text', creative: 'text', name: 'text', position: 'text' };
const order: EventFields = {
  checkout_id: 'text',
  order_id: 'text',
  affiliation: 'text',
  subtotal: 'money',
  total: 'money',
  revenue: 'money',
  shipping: 'money',
  tax: 'money',
  discount: 'money',
  coupon: 'text',
  currency: 'text',
  products: { lines: product },
};
const checkout: EventFields = { ...order, value: 'money' };
const step: EventFields = {
  checkout_id: 'text',
  order_id: 'text',
  step: 'number',
  shipping_method: 'text',
  payment_method: 'text',
};
const coupon: EventFields = { order_id: 'text', cart_id: 'text', coupon_id: 'text', coupon_name: 'text' };
const wishlist: EventFields = { ...one, wishlist_id: 'text', wishlist_name: 'text' };
const consent: EventFields = {
  brand: 'text',
  topic: 'text',
  channel: 'text',
  basis: 'text',
  wording: 'text',
  source: 'text',
  form: 'text',
  until: 'date',
};
const serviceCase: EventFields = { case_id: 'text', topic: 'text' };
const subscription: EventFields = { subscription_id: 'text', product_id: 'text' };
// Money of our own event is in minor units: to all who read events it is a plain number.
const scores: EventFields = Object.fromEntries(
  Object.entries(SCORES).map(([name, type]) => [name, type === 'money' ? 'number' : type]),
);
const feedback: EventFields = { campaign: 'text', step: 'text', email: 'text', message: 'text' };

/** Event name → its properties. */
export const builtinEvents: Record<string, EventFields> = {
  'Products Searched': { query: 'text' },
  'Product List Viewed': list,
  'Product List Filtered': filtered,
  'Promotion Viewed': promotion,
  'Promotion Clicked': promotion,
  'Product Clicked': one,
  'Product Viewed': one,
  'Product Added': { ...one, cart_id: 'text' },
  'Product Removed': { ...one, cart_id: 'text' },
  'Cart Viewed': { cart_id: 'text', currency: 'text', value: 'money', products: { lines: product } },
  'Checkout Started': checkout,
  'Checkout Step Viewed': step,
  'Checkout Step Completed': step,
  'Payment Info Entered': step,
  'Order Completed': order,
  'Order Updated': order,
  'Order Refunded': { ...order, refund_id: 'text' },
  'Order Cancelled': order,
  'Order Delivered': order,
  'Coupon Entered': coupon,
  'Coupon Applied': { ...coupon, discount: 'money' },
  'Coupon Denied': { ...coupon, reason: 'text' },
  'Coupon Removed': { ...coupon, discount: 'money' },
  'Product Added to Wishlist': wishlist,
  'Product Removed from Wishlist': wishlist,
  'Wishlist Product Added to Cart': { ...wishlist, cart_id: 'text' },
  'Product Shared': { ...one, share_via: 'text', share_message: 'text', recipient: 'text' },
  'Cart Shared': { cart_id: 'text', share_via: 'text', products: { lines: { product_id: 'text' } } },
  'Product Reviewed': { product_id: 'text', review_id: 'text', review_body: 'text', rating: 'number' },
  'Product Updated': { ...product, currency: 'text', stock: 'number' },
  Identified: {},
  'Consent Requested': consent,
  'Consent Granted': consent,
  'Consent Withdrawn': { ...consent, all: 'boolean' },
  'Pause Requested': { brand: 'text', until: 'date', source: 'text' },
  'Pause Ended': { brand: 'text', source: 'text' },
  'Profiling Stopped': { brand: 'text', source: 'text' },
  'Profiling Allowed': { brand: 'text', source: 'text' },
  'Case Opened': serviceCase,
  'Case Closed': serviceCase,
  'Subscription Started': subscription,
  'Subscription Cancelled': subscription,
  'Scores Updated': scores,
  'Back In Stock Requested': one,
  'Referral Converted': { referral_id: 'text', ...order },
  'Survey Answered': { survey: 'text', score: 'number', comment: 'text', order_id: 'text' },
  'Email Delivered': feedback,
  'Email Opened': feedback,
  'Email Clicked': { ...feedback, link: 'text' },
};

/** Events that say nothing without this property; of products, `sku` stands in for `product_id`. */
const NEEDED: Record<string, string> = {
  'Order Completed': 'order_id',
  'Order Updated': 'order_id',
  'Order Refunded': 'order_id',
  'Order Cancelled': 'order_id',
  'Order Delivered': 'order_id',
  'Product Added': 'product_id',
  'Product Removed': 'product_id',
  'Product Updated': 'product_id',
  'Case Opened': 'case_id',
  'Case Closed': 'case_id',
  'Subscription Started': 'subscription_id',
  'Subscription Cancelled': 'subscription_id',
  'Back In Stock Requested': 'product_id',
  'Referral Converted': 'referral_id',
  'Survey Answered': 'survey',
};
const MOST_LINES = 1000;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * An id as it is known inside: a trimmed text, whole numbers as text; undefined where there is none (missing, null,
 * blank). Throws a KairosError `event.id` for what cannot be an id. The fault does not quote it.
 */
export function readId(value: unknown, path: PropertyKey[]): string | undefined {
  if (value === undefined || value === null) return undefined;
  const wrong = (message: string, received: string, remedy?: string): never => {
    throw new KairosError({
      code: 'event.id',
      path: sayPath(path),
      message,
      received,
      expected: 'a text of 1 to 256 characters, or a whole number',
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return String(value);
    return wrong(
      'the number is too large or not whole, so two ids can look the same.',
      'a number',
      'Send ids as text.',
    );
  }
  if (typeof value !== 'string') return wrong('this cannot be an id.', kindOf(value));
  const id = value.trim();
  if (id === '') return undefined;
  if (id.length > 256) return wrong('the id is too long.', `${id.length} characters`);
  if (CONTROL.test(id)) return wrong('the id holds a control character.', kindOf(value));
  if (!id.isWellFormed()) return wrong('the id holds half a character (a lone surrogate).', kindOf(value));
  if (id in {}) return wrong('the id is a word of the language that reads it.', kindOf(value));
  return id;
}

/**
 * The properties in the form in which they are kept: amounts and numbers as numbers, ids as text, `sku` in place of a
 * missing `product_id`, currency in capitals, nulls of known fields left out. What the spec does not know is kept as it
 * is, as are all properties of custom events. Throws a KairosError for a known field that cannot be read.
 */
export function readProperties(name: string, properties: JsonObject): JsonObject {
  const fields = Object.hasOwn(builtinEvents, name)
    ? builtinEvents[name]
    : /^Order [A-Z]/.test(name)
      ? order
      : undefined;
  if (fields === undefined) return properties;
  const read = readFields(properties, fields, ['properties']);
  const needed = Object.hasOwn(NEEDED, name) ? NEEDED[name]! : undefined;
  if (needed !== undefined && read[needed] === undefined) {
    throw new KairosError({
      code: 'event.missing',
      path: `properties.${needed}`,
      message: `"${name}" needs "${needed}".`,
      received: 'nothing',
      expected: needed === 'product_id' ? 'product_id, or sku' : needed,
    });
  }
  return read;
}

function readFields(given: JsonObject, fields: EventFields, path: PropertyKey[]): JsonObject {
  const read: JsonObject = {};
  for (const [key, value] of Object.entries(given)) {
    const type = Object.hasOwn(fields, key) ? fields[key]! : undefined;
    if (type === undefined) read[key] = value;
    else if (value !== null && value !== undefined) {
      const kept =
        typeof type === 'object' ? readLines(key, value, type.lines, path) : readField(key, value, type, path);
      if (kept !== undefined) read[key] = kept;
    }
  }
  if ('product_id' in fields && read.product_id === undefined && read.sku !== undefined) read.product_id = read.sku;
  return read;
}

function readLines(key: string, value: Json, fields: EventFields, path: PropertyKey[]): Json {
  if (!Array.isArray(value)) throw shapeFault([...path, key], value, 'a list of lines');
  if (value.length > MOST_LINES)
    throw shapeFault([...path, key], value, `at most ${MOST_LINES} lines`, `${value.length} lines`);
  return value.map((line, index) => {
    const at = [...path, key, index];
    if (line === null || typeof line !== 'object' || Array.isArray(line)) throw shapeFault(at, line, 'an object');
    const read = readFields(line, fields, at);
    if (key === 'products' && read.product_id === undefined) {
      throw new KairosError({
        code: 'event.missing',
        path: sayPath([...at, 'product_id']),
        message: 'a line names no product.',
        received: 'nothing',
        expected: 'product_id, or sku',
      });
    }
    return read;
  });
}

function readField(key: string, value: Json, type: FieldType, path: PropertyKey[]): Json | undefined {
  if (type === 'money') return readNumber(key, value, path, 'event.amount', 'an amount such as 12.5 or "12.50"');
  if (type === 'number') {
    const number = readNumber(key, value, path, 'event.number', 'a number');
    if (key === 'quantity' && (number < 0 || number > 1e6)) {
      throw shapeFault([...path, key], value, 'a number from 0 to 1,000,000', String(number));
    }
    return number;
  }
  if (key === 'sku' || key.endsWith('_id')) return readId(value, [...path, key]);
  if (key === 'currency') {
    if (typeof value !== 'string' || !/^[A-Za-z]{3}$/.test(value)) {
      throw shapeFault([...path, key], value, 'an ISO 4217 code such as EUR');
    }
    return value.toUpperCase();
  }
  return value;
}

function readNumber(key: string, value: Json, path: PropertyKey[], code: string, expected: string): number {
  if (isAmount(value)) return Number(value);
  // Only what looks like an amount is quoted: anything else could be personal.
  const shown =
    typeof value === 'string' && /^[\d.,' €$£+-]{1,24}$/.test(value) ? JSON.stringify(value) : kindOf(value);
  const comma = typeof value === 'string' && /^-?[\d.]*,\d+$/.test(value);
  throw new KairosError({
    code,
    path: sayPath([...path, key]),
    message: `${shown} is not ${expected}.`,
    received: shown,
    expected,
    ...(comma ? { remedy: 'Write the decimals after a point, without separators.' } : {}),
  });
}

/** A fault of shape that says what kind of value came, never the value. */
export function shapeFault(
  path: PropertyKey[],
  value: unknown,
  expected: string,
  received = kindOf(value),
): KairosError {
  return new KairosError({
    code: 'event.shape',
    path: sayPath(path),
    message: `${received} where ${expected} belongs.`,
    received,
    expected,
  });
}

/** What kind of value it is, without a word of it. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return `a text of ${value.length} characters`;
  if (typeof value === 'number') return Number.isFinite(value) ? 'a number' : String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
