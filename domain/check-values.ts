// Checks one value that a rule compares with: does it fit the type, does it exist, is it meant as it stands.
import { numberIn, quote } from './fault.ts';
import { MoneyError, majorUnits, minorUnits } from './money.ts';
import type { FieldType } from './settings.ts';
import { instantIn } from './where.ts';

/** What is wrong with a value; a doubt where it may be meant. */
export interface Problem {
  code: string;
  message: string;
  remedy: string;
  doubt?: true;
}

/** Each type as a sentence names it. */
export const NAMED: Record<FieldType, string> = {
  text: 'a text',
  number: 'a number',
  money: 'money',
  date: 'a date',
  boolean: 'true or false',
  list: 'a list',
};

/** A value that `name`, of this type, is compared with; of money, `currency` says how many decimals there are. */
export function problemOf(name: string, type: FieldType, value: unknown, currency?: string): Problem | undefined {
  if (type === 'date') return problemOfDate(value);
  const wanted = type === 'number' || type === 'money' ? 'number' : type === 'boolean' ? 'boolean' : 'string';
  // Ids are often numbers in shops and texts in events; both compare.
  if (typeof value !== wanted && !(wanted === 'string' && typeof value === 'number')) {
    const number = wanted === 'number' ? numberIn(value) : undefined;
    const remedy =
      wanted === 'number'
        ? `Write ${number ?? 'a number'}, without quotation marks.`
        : wanted === 'boolean'
          ? 'Write true or false, without quotation marks.'
          : 'Write a text, in quotation marks.';
    return {
      code: 'rule.type',
      message: `${quote(value)} does not go with "${name}", which is ${NAMED[type]}.`,
      remedy,
    };
  }
  if (type === 'money') return problemOfAmount(value as number, currency);
  if (type === 'text' && typeof value === 'string') return problemOfText(value);
  return undefined;
}

/** An amount in major units: as many decimals as the currency has, and not too large to count. */
export function problemOfAmount(value: number, currency: string | undefined): Problem | undefined {
  if (currency === undefined) return undefined;
  try {
    const minor = minorUnits(value, currency);
    const near = majorUnits(minor, currency);
    if (near === value) return undefined;
    return {
      code: 'rule.amount',
      message: `${value} has more decimals than ${currency} has.`,
      remedy: `Write ${near}.`,
    };
  } catch (error) {
    if (!(error instanceof MoneyError)) throw error;
    return { code: 'rule.amount', message: `${quote(value)} is no amount that can be counted.`, remedy: 'Write less.' };
  }
}

/** A date that exists, or an instant that says its zone. */
export function problemOfDate(value: unknown): Problem | undefined {
  const fault = (message: string, remedy: string): Problem => ({ code: 'rule.type', message, remedy });
  const instant = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?$/;
  const parts = typeof value === 'string' ? instant.exec(value) : null;
  const day = parts?.[1] ?? (typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) ? value : undefined);
  if (day === undefined) {
    return fault(
      `${quote(value)} is not a date.`,
      'Write a date such as "2026-11-27", or an instant such as "2026-11-27T08:00:00Z".',
    );
  }
  if (instantIn(day, 'UTC') === undefined || instantIn(value as string, 'UTC') === undefined) {
    return fault(`${quote(value)} does not exist.`, 'Is the day, or the time, right?');
  }
  if (parts !== null && parts[4] === undefined) {
    return fault(
      `${quote(value)} says no time zone: it is another instant in each.`,
      `Write "${value}Z" for UTC, "${value}+01:00" for an hour before it, or the date alone.`,
    );
  }
  return undefined;
}

/** Patterns of other tools, where the text itself is looked for. */
export function problemOfText(value: string): Problem | undefined {
  const meta = /[\^$*+?()[\]|\\]/;
  const pattern =
    (/^\/.+\/[dgimsuvy]*$/.test(value) && meta.test(value.slice(1, -1))) ||
    /\.[*+]|\\[dwsb.]|^\^|\[[a-z0-9]-[a-z0-9]\]/i.test(value) ||
    (/^[*%]|[*%]$/.test(value) && value.length > 1 && !/\d ?%$/.test(value));
  if (!pattern) return undefined;
  return {
    code: 'rule.pattern',
    message: `${quote(value)} is taken as it is written: there are no patterns.`,
    remedy: 'Use "contains", "startsWith" or a list of values.',
    doubt: true,
  };
}
