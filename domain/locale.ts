// Numbers, percentages and days as a locale writes them.

/** Keeps the formatters of a handful of locales: making one costs a hundred times as much as using it. */
function kept<T>(make: (locale: string, of: string) => T): (locale: string, of: string) => T {
  const made = new Map<string, T>();
  return (locale, of) => {
    const key = `${locale}|${of}`;
    let one = made.get(key);
    if (one === undefined) {
      one = make(locale, of);
      made.set(key, one);
    }
    return one;
  };
}

const numbers = kept((locale, digits) => new Intl.NumberFormat(locale, { maximumFractionDigits: Number(digits) }));
const percents = kept((locale) => new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 2 }));
const days = kept((locale, zone) => new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: zone }));
const yearless = kept((locale) => new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', timeZone: 'UTC' }));

/** 1234.5 → "1.234,5", rounded to so many decimals, 3 when not said. */
export function sayNumber(value: number, locale: string, digits = 3): string {
  return numbers(locale, String(digits)).format(value);
}

/** 10 → "10 %". */
export function sayPercent(percent: number, locale: string): string {
  return percents(locale, '').format(percent / 100);
}

/** An instant → "4 May 2026", the day that the calendar shows in the zone. */
export function sayDay(at: number, locale: string, zone: string): string {
  return days(locale, zone).format(at);
}

/**
 * "2026-05-04" → "4 May 2026", "--05-04" → "4 May", an instant as text or in epoch milliseconds → its day in the zone.
 * Undefined for anything else.
 */
export function sayDate(value: unknown, locale: string, zone: string): string | undefined {
  if (typeof value === 'number') return isInstant(value) ? sayDay(value, locale, zone) : undefined;
  if (typeof value !== 'string') return undefined;
  const [, year, day] = /^(\d{4}|-)(-\d\d-\d\d)$/.exec(value) ?? [];
  if (day !== undefined) {
    // A leap year: 29 February is a birthday.
    const at = calendarDay(`${year === '-' ? '2024' : year}${day}`);
    if (at === undefined) return undefined;
    return year === '-' ? yearless(locale, '').format(at) : sayDay(at, locale, 'UTC');
  }
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/.test(value)) return undefined;
  const at = Date.parse(value);
  return isInstant(at) ? sayDay(at, locale, zone) : undefined;
}

const isInstant = (at: number): boolean => Math.abs(at) <= 8.64e15;

/** Midnight UTC of a day that there is. */
function calendarDay(date: string): number | undefined {
  const at = Date.parse(`${date}T00:00:00Z`);
  return Number.isFinite(at) && new Date(at).toISOString().startsWith(date) ? at : undefined;
}
