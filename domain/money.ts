// Money: decimal amounts in and out of integer minor units, exactly.

/** Decimals of ISO 4217 where they are not 2. A table, because ICU's data follows custom and changes with versions. */
const EXPONENTS: Record<string, number> = {
  ...Object.fromEntries(
    'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'.split(' ').map((code) => [code, 0]),
  ),
  ...Object.fromEntries('BHD IQD JOD KWD LYD OMR TND'.split(' ').map((code) => [code, 3])),
  CLF: 4,
  UYW: 4,
};

/** An amount or a currency that cannot be read: `code` is stable, `received` says what came. */
export class MoneyError extends Error {
  readonly code: 'money.amount' | 'money.currency' | 'money.too-large';
  readonly received: string;

  constructor(code: MoneyError['code'], received: unknown, expected: string) {
    const text = typeof received === 'string' ? JSON.stringify(received.slice(0, 40)) : saidShortly(received);
    super(`${code}: ${text} is not ${expected}`);
    this.name = 'MoneyError';
    this.code = code;
    this.received = text;
  }
}

/**
 * 12.5 or "12.50" → 1250 for EUR, exactly: a number counts as the decimal text it prints as; half goes away from zero.
 * Throws a MoneyError for anything but a finite number or a plain decimal text with a point ("12,50", "1e3", " 1 ").
 */
export function minorUnits(amount: unknown, currency: string): number {
  const digits = exponentOf(currency);
  const text = decimalText(amount);
  if (text === undefined) throw new MoneyError('money.amount', amount, 'an amount such as 12.5 or "12.50"');
  const negative = text.startsWith('-');
  const [whole, fraction = ''] = (negative ? text.slice(1) : text).split('.') as [string, string?];
  const kept = BigInt(whole + fraction.slice(0, digits).padEnd(digits, '0'));
  const minor = Number((fraction[digits] ?? '0') >= '5' ? kept + 1n : kept);
  if (!Number.isSafeInteger(minor)) throw new MoneyError('money.too-large', amount, 'an amount that can be counted');
  return negative && minor !== 0 ? -minor : minor;
}

/** 1250 → 12.5 for EUR: the nearest number, for rules and for what is shown; never to calculate with. */
export function majorUnits(minor: number, currency: string): number {
  return Number(majorText(minor, exponentOf(currency)));
}

/** Minor units in the currency's unit: 100 for EUR. */
export function unitsPerMajor(currency: string): number {
  return 10 ** exponentOf(currency);
}

const formatters = new Map<string, Intl.NumberFormat>();

/** 1250 → "€12.50", as the locale writes it, with all decimals of the currency. Throws on a malformed locale. */
export function formatMoney(minor: number, currency: string, locale: string): string {
  const digits = exponentOf(currency);
  const key = `${locale}|${currency}`;
  let formatter = formatters.get(key);
  if (formatter === undefined) {
    formatter = new Intl.NumberFormat(locale, {
      style: 'currency',
      currency,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    formatters.set(key, formatter);
  }
  // A text is formatted digit by digit: no float in between.
  return formatter.format(majorText(minor, digits) as Intl.StringNumericLiteral);
}

/** True for a number or text that `minorUnits` reads in every currency: below 100 thousand million. */
export function isAmount(amount: unknown): boolean {
  const text = decimalText(amount);
  return text !== undefined && text.split('.')[0]!.length <= 11;
}

function exponentOf(currency: string): number {
  if (typeof currency !== 'string' || !/^[A-Za-z]{3}$/.test(currency)) {
    throw new MoneyError('money.currency', currency, 'an ISO 4217 code such as EUR');
  }
  return EXPONENTS[currency.toUpperCase()] ?? 2;
}

/** The amount as digits with at most one point, without an exponent; undefined when it is none. */
function decimalText(amount: unknown): string | undefined {
  if (typeof amount === 'string') return /^-?\d{1,40}(\.\d{1,40})?$/.test(amount) ? amount : undefined;
  if (typeof amount !== 'number' || !Number.isFinite(amount)) return undefined;
  const text = String(amount);
  if (!text.includes('e')) return text;
  return Math.abs(amount) < 1 ? amount.toFixed(100) : BigInt(amount).toString();
}

function majorText(minor: number, digits: number): string {
  if (!Number.isSafeInteger(minor)) throw new MoneyError('money.amount', minor, 'a whole number of minor units');
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  const point = text.length - digits;
  return `${minor < 0 ? '-' : ''}${text.slice(0, point)}${digits > 0 ? `.${text.slice(point)}` : ''}`;
}

function saidShortly(value: unknown): string {
  if (typeof value === 'number' || value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
}
