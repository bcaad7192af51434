// A fault: what is wrong, where, and what to do about it; the word that was meant, and how a value is quoted.

/** Something that is wrong with an input. A value, not an exception: callers collect all of them. */
export interface Fault {
  /** Stable and dotted: `file.syntax`, `shape.unknown-key`, `reference.segment` … */
  code: string;
  /** The file that holds it, relative to the folder that was read. */
  file?: string;
  /** The place inside: `rule.all[0].latest`; empty = the whole. */
  path: string;
  /** What is wrong, a sentence. */
  message: string;
  received?: string;
  expected?: string;
  /** What to do, a sentence. */
  remedy?: string;
}

/** Thrown where a fault ends the work: the fault is on it, and `message` is its sentence. */
export class KairosError extends Error {
  readonly fault: Fault;

  constructor(fault: Fault, options?: ErrorOptions) {
    super(sayFault(fault), options);
    this.name = 'KairosError';
    this.fault = fault;
  }
}

/** `win-back.json rule.all[0].latest: "olderThan" is unknown. Did you mean "moreThanAgo"?` */
export function sayFault(fault: Fault): string {
  const where = [fault.file, fault.path].filter((part) => part !== undefined && part !== '').join(' ');
  const what = [fault.message, fault.remedy].filter((part) => part !== undefined && part !== '').join(' ');
  return where === '' ? what : `${where}: ${what}`;
}

/** `['rule', 'all', 0, 'orders.count']` → `rule.all[0]["orders.count"]` */
export function sayPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_$@][\w$-]*$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** Words of other tools and languages, and ours for them. */
export const SYNONYMS: Record<string, string[]> = {
  gte: ['atLeast'],
  gt: ['moreThan'],
  lte: ['atMost'],
  lt: ['lessThan'],
  min: ['atLeast'],
  max: ['atMost'],
  not: ['isNot'],
  ne: ['isNot'],
  olderthan: ['moreThanAgo', 'moreThan'],
  greaterthan: ['moreThan'],
  above: ['moreThan'],
  over: ['moreThan'],
  below: ['lessThan'],
  under: ['lessThan'],

  within: ['inLast', 'within'],
  last: ['inLast', 'latest'],
  and: ['all'],
  or: ['any'],
  none: ['not'],
  count: ['times'],
  event: ['did'],
  filter: ['for', 'where'],
  audience: ['for'],
  trigger: ['when'],
  delay: ['wait'],
  email: ['send'],
  exit: ['stopIf'],
  includes: ['contains'],
};

/** How many changes of a character make one word of the other; two that are exchanged are one change. */
export function distance(a: string, b: string): number {
  let before = Array.from({ length: b.length + 1 }, (_, index) => index);
  let twoBefore: number[] = [];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(before[j]! + 1, row[j - 1]! + 1, before[j - 1]! + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, twoBefore[j - 2]! + 1);
      row.push(least);
    }
    twoBefore = before;
    before = row;
  }
  return before[b.length]!;
}

/** The word of `words` that was most likely meant by `word`, or undefined when none is near. */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  const known = [...words];
  const asked = word.toLowerCase().slice(0, 100);
  for (const synonym of (Object.hasOwn(SYNONYMS, asked) && SYNONYMS[asked]) || [])
    if (known.includes(synonym)) return synonym;
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    const apart = distance(asked, lower);
    if (apart <= Math.floor(Math.max(asked.length, lower.length) * 0.45) && apart < least) {
      best = candidate;
      least = apart;
    }
  }
  if (best !== undefined) return best;
  // "count" for "orders.count", "product" for "product_id"
  return asked.length < 3
    ? undefined
    : known.find((candidate) =>
        candidate
          .toLowerCase()
          .split(/[._\s-]/)
          .includes(asked),
      );
}

/** `Did you mean "moreThan"?`, or the list of what there is when nothing is near and the list is short. */
export function suggest(word: string, words: Iterable<string>): string | undefined {
  const known = [...new Set(words)];
  const near = nearest(word, known);
  if (near !== undefined) return `Did you mean "${near}"?`;
  return known.length === 0 || known.length > 20 ? undefined : `Known: ${known.map((each) => `"${each}"`).join(', ')}.`;
}

/** The number that a text was probably meant to be: "12,50" → 12.5. */
export function numberIn(value: unknown): number | undefined {
  return typeof value === 'string' && /^-?\d+([.,]\d+)?$/.test(value.trim())
    ? Number(value.trim().replace(',', '.'))
    : undefined;
}

/** A short quotation of a value for a message: at most 60 characters, one line. */
export function quote(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (value !== null && typeof value === 'object') return 'an object';
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > 60 ? `${text.slice(0, 57)}…${typeof value === 'string' ? '"' : ''}` : text;
}
