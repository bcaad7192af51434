// Coupon codes: one row of a file, how a code is known, what it is worth, and which offer the margin bears.
import type { Definitions } from './book.ts';
import { dayAfter } from './calendar.ts';
import type { Campaign } from './campaign-grammar.ts';
import { eachStep } from './campaign-parts.ts';
import { type Fault, numberIn, quote } from './fault.ts';
import type { Json, JsonObject } from './interaction.ts';
import type { GivenCoupon } from './message.ts';
import { MoneyError, minorUnits } from './money.ts';
import type { Catalogue, CouponPool } from './settings.ts';
import { instantOf } from './time.ts';

/** A code with less time left is not given any more: its mail may be read days later. */
export const LEAST_LEFT = 3 * 86_400_000;
/** A pool with fewer codes is low, where it does not say otherwise. */
export const LOW_WATER = 100;

const SHORTEST = 4;
const LONGEST = 40;
/** Codes of one order that are looked at. */
const MOST_OF_ORDER = 10;

/** How a code is known: people and shops write it in any case. */
export function knownAs(code: string): string {
  return code.trim().toUpperCase();
}

/** Whether a code of this expiry may be given now. */
export function isUsable(expires: number | undefined, now: number): boolean {
  return expires === undefined || expires >= now + LEAST_LEFT;
}

/** The pools that campaigns draw from, those among them whose runs go on in an earlier version. */
export function poolsInUse({ campaigns, retired }: Pick<Definitions, 'campaigns' | 'retired'>): Set<string> {
  const pools = ({ steps }: Campaign): string[] =>
    eachStep(steps).flatMap(({ step }) => ('send' in step && step.coupon !== undefined ? [step.coupon] : []));
  return new Set([...Object.values(campaigns), ...Object.values(retired)].flatMap(({ campaign }) => pools(campaign)));
}

/** What a code is worth: a percentage, or an amount in minor units. */
export type Worth = Pick<GivenCoupon, 'percent' | 'amount' | 'currency'>;

/** What the codes of a pool are worth, unless their file says less. */
export function worthOf(pool: CouponPool, currency: string): Worth {
  if (pool.percent !== undefined) return { percent: pool.percent };
  return { amount: minorUnits(pool.amount ?? 0, currency), currency };
}

/**
 * Whether the margin of the catalogue bears a coupon on these products: what it gives away may not exceed what they
 * earn. A percentage is held against the smallest margin (share of price) that is known of any of them, since it may be
 * used on that one alone; an amount against the sum of their margins in money, price × margin × quantity. What is not
 * known forbids nothing: a product without a margin counts for no percentage, and an amount is refused only where price
 * and margin of every product are known. True without products.
 */
export function bearsCoupon(
  pool: Pick<CouponPool, 'percent' | 'amount'>,
  lines: readonly { product: string; quantity?: number }[],
  catalogue: Catalogue,
  currency: string,
): boolean {
  const meant = lines.filter(({ quantity = 1 }) => quantity > 0);
  let smallest = Number.POSITIVE_INFINITY;
  let earned = 0;
  for (const { product, quantity = 1 } of meant) {
    const known = Object.hasOwn(catalogue.products, product) ? catalogue.products[product] : undefined;
    const { price, margin } = known ?? {};
    if (margin !== undefined) smallest = Math.min(smallest, margin);
    earned +=
      price === undefined || margin === undefined
        ? Number.POSITIVE_INFINITY
        : minorUnits(price, currency) * margin * quantity;
  }
  // Both sides in whole parts: 0.29 is a little less than 29 hundredths.
  if (pool.percent !== undefined) return Math.round(pool.percent * 10_000) <= Math.round(smallest * 1_000_000);
  return meant.length === 0 || minorUnits(pool.amount ?? 0, currency) <= Math.round(earned);
}

/**
 * The codes that an order was paid with, as they are known: `coupon` of the order and of its lines, each a text, a
 * number or a list; several in one text stand apart by commas, semicolons or spaces. At most ten.
 */
export function codesOf(properties: JsonObject): string[] {
  const { coupon, products } = properties;
  const lines = Array.isArray(products) ? products : [];
  const said: (Json | undefined)[] = [coupon];
  for (const line of lines) {
    if (line !== null && typeof line === 'object' && !Array.isArray(line)) said.push(line.coupon);
  }
  const codes = said.flat().flatMap((each) => {
    if (typeof each !== 'string' && typeof each !== 'number') return [];
    return String(each)
      .slice(0, 500)
      .split(/[,;\s]+/)
      .filter(isCode)
      .map(knownAs);
  });
  return [...new Set(codes)].slice(0, MOST_OF_ORDER);
}

const isCode = (code: string): boolean =>
  code.length >= SHORTEST && code.length <= LONGEST && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(code);

/** What a file of codes is read with. */
export interface CouponFile {
  pool: string;
  /** What the published book says of the pool; absent where it does not know it. */
  worth?: Worth | undefined;
  /** The shop's: amounts without a currency are in it. */
  currency: string;
  zone: string;
}

/** The cells of a row, as text; absent where the file has no such column. */
export interface CouponRow {
  code?: string | undefined;
  value?: string | undefined;
  currency?: string | undefined;
  expiry?: string | undefined;
}

/**
 * One row of a file of codes. The code stays as it is written, without spaces around it. A value is an amount (`5`,
 * `5.00`) or a percentage (`10%`), and may not be more than its pool says, because the pool is what is held against the
 * margin; without one the pool says it. An expiry is an instant, a local time, or a date, which ends at the end of that
 * day in the shop's zone.
 */
export function parseCouponRow(row: CouponRow, file: CouponFile): { coupon: GivenCoupon } | { fault: Fault } {
  const code = codeIn(row.code ?? '');
  if (typeof code !== 'string') return code;
  const worth = worthIn(row, file);
  if ('fault' in worth) return worth;
  const coupon: GivenCoupon = { pool: file.pool, code, ...worth };
  const expiry = row.expiry?.trim() ?? '';
  if (expiry === '') return { coupon };
  const expires = expiryIn(expiry, file.zone);
  if (expires === undefined) {
    const day = /^(\d\d?)[./](\d\d?)[./](\d{4})$/.exec(expiry);
    const written = day === null ? '2026-12-31, or 2026-12-31T18:00:00Z' : 'the year first, such as 2026-12-31';
    return fault('coupon.expiry', 'expiry', `${quote(expiry)} is not a date.`, `Write ${written}.`);
  }
  return { coupon: { ...coupon, expires } };
}

function codeIn(cell: string): string | { fault: Fault } {
  const code = cell.trim();
  const wrong = (message: string, remedy: string) => fault('coupon.code', 'code', message, remedy);
  if (code === '') return wrong('is empty.', 'Take the row out, or give its code.');
  if (/^[=+@-]/.test(code)) {
    return wrong(
      `${quote(code)} begins with "${code[0]}": spreadsheets run it as a formula.`,
      'Give codes that begin with a letter or a digit.',
    );
  }
  if (/^\d([.,]\d+)?E\+?\d+$/i.test(code)) {
    return wrong(
      `${quote(code)} looks like a long number that a spreadsheet has rounded.`,
      'Make the column text in the spreadsheet, and export it again from where the codes were made.',
    );
  }
  if (code.length > LONGEST) return wrong(`has ${code.length} characters; at most ${LONGEST}.`, 'Make shorter codes.');
  if (code.length < SHORTEST) {
    return wrong(`${quote(code)} is so short that it is guessed.`, `Make codes of at least ${SHORTEST} characters.`);
  }
  if (isCode(code)) return code;
  const odd = /[^A-Za-z0-9._-]/u.exec(code)?.[0];
  return odd === undefined
    ? wrong(`${quote(code)} begins with "${code[0]}".`, 'Give codes that begin with a letter or a digit.')
    : wrong(
        `${quote(code)} holds ${odd.trim() === '' ? 'a space' : quote(odd)}, which a shop's checkout may not take.`,
        'Use letters without accents, digits, ".", "_" and "-".',
      );
}

function worthIn({ value, currency }: CouponRow, file: CouponFile): Worth | { fault: Fault } {
  const text = value?.trim() ?? '';
  const wrong = (message: string, remedy: string) => fault('coupon.value', 'value', message, remedy);
  if (text === '') {
    if (file.worth !== undefined) return file.worth;
    return wrong('is empty, and no published pool says it.', 'Write 5.00 or 10%, or publish the pool in coupons.json.');
  }
  const percent = /^(\d{1,3}(?:\.\d{1,4})?) ?%$/.exec(text)?.[1];
  if (percent !== undefined) {
    const number = Number(percent);
    if (number <= 0 || number > 100)
      return wrong(`${text} cannot be given off.`, 'Write more than 0% and at most 100%.');
    return withinPool({ percent: number }, text, file);
  }
  const unit = currencyIn(currency, file.currency);
  if (typeof unit !== 'string') return unit;
  try {
    const amount = minorUnits(text, unit);
    if (amount <= 0) return wrong(`${quote(text)} gives nothing off.`, 'Write an amount above 0, or 10%.');
    return withinPool({ amount, currency: unit }, `${text} ${unit}`, file);
  } catch (error) {
    if (!(error instanceof MoneyError)) throw error;
    const meant = text.endsWith('%') ? numberIn(text.slice(0, -1)) : numberIn(text);
    const remedy = meant === undefined ? '5.00 or 10%' : `${meant}${text.endsWith('%') ? '%' : ''}`;
    return wrong(`${quote(text)} is neither an amount nor a percentage.`, `Write ${remedy}.`);
  }
}

function currencyIn(cell: string | undefined, shop: string): string | { fault: Fault } {
  const text = (cell?.trim() ?? '').toUpperCase();
  if (text === '' || text === shop) return shop;
  if (!/^[A-Z]{3}$/.test(text)) {
    return fault('coupon.currency', 'currency', `${quote(text)} is no currency.`, `Write a code such as ${shop}.`);
  }
  return fault(
    'coupon.currency',
    'currency',
    `is ${text}, but the shop's prices and margins are in ${shop}.`,
    `Give amounts in ${shop}, or a percentage.`,
  );
}

function withinPool(worth: Worth, text: string, { pool, worth: most }: CouponFile): Worth | { fault: Fault } {
  if (most === undefined) return worth;
  const wrong = (message: string) =>
    fault('coupon.value', 'value', message, 'Import it to a pool of its own, or change coupons.json and publish.');
  if ((most.percent === undefined) !== (worth.percent === undefined)) {
    const kinds = most.percent === undefined ? ['a percentage', 'an amount'] : ['an amount', 'a percentage'];
    return wrong(`${text} is ${kinds[0]}, but ${pool} gives ${kinds[1]}.`);
  }
  const more = (worth.percent ?? 0) > (most.percent ?? 0) || (worth.amount ?? 0) > (most.amount ?? 0);
  return more ? wrong(`${text} is more than ${pool} gives.`) : worth;
}

/** The instant at which a code ends; undefined for what is no date. */
function expiryIn(text: string, zone: string): number | undefined {
  const found = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)? ?(Z|UTC|[+-]\d\d:?\d\d)?)?$/.exec(text);
  if (found === null) return undefined;
  const [, date = '', clock, seconds = '', offset] = found;
  try {
    const local = instantOf(date, clock ?? '00:00', zone);
    if (clock === undefined) return instantOf(dayAfter(date), '00:00', zone);
    if (offset === undefined) return local + Math.floor(Number(seconds.slice(1) || '0') * 1000);
  } catch {
    // 30 February, 25 o'clock.
    return undefined;
  }
  const at = Date.parse(
    `${date}T${clock}${seconds}${offset === 'UTC' ? 'Z' : offset.replace(/^(...)(\d\d)$/, '$1:$2')}`,
  );
  return Number.isNaN(at) ? undefined : at;
}

function fault(code: string, path: string, message: string, remedy: string): { fault: Fault } {
  return { fault: { code, path, message, remedy } };
}
