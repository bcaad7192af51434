// The fields of one row as texts, amounts, instants and people; a wrong one names its column and what belongs there.
import { quote } from './fault.ts';
import { type OrdersMapping, placeholders, type Test, type Time } from './mapping.ts';
import { instantOf } from './time.ts';

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

export type Fields = readonly string[];
export type Read<T> = (fields: Fields) => T;

export class BadField extends Error {
  readonly fault: RowFault;
  constructor(fault: RowFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** The fault of a row whose field is empty and must not be. */
export function missing(column: string): BadField {
  return new BadField({ column, message: 'is empty', received: '', expected: 'a value' });
}

/** Reads one column, trimmed; a row that is too short reads as empty. Throws a RangeError for a column that is not there. */
export function columnReader(header: readonly string[], name: string): Read<string> {
  const index = header.indexOf(name);
  if (index < 0) throw new RangeError(`no column ${quote(name)}: ask missingColumns first`);
  return (fields) => (fields[index] ?? '').trim();
}

/** A text with columns in braces; empty where one of its columns is. */
export function textReader(header: readonly string[], text: string): Read<string> {
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
export function decimalReader(header: readonly string[], column: string, sign: '.' | ','): Read<string> {
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
export function timeReader(header: readonly string[], time: Time): Read<number> {
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
export function testReader(header: readonly string[], tests: Record<string, Test>, sign: '.' | ','): Read<boolean> {
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
export function personReader(
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
