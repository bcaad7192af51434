// A fault: what is wrong, where, and what to do about it; and how schema errors become one useful sentence.
import type * as z from 'zod';

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
const SYNONYMS: Record<string, string[]> = {
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

function distance(a: string, b: string): number {
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

type Issue = z.core.$ZodIssue;
type Path = PropertyKey[];

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found: unknown = value;
  for (const part of path) {
    if (found === null || typeof found !== 'object' || !Object.hasOwn(found, part)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[part];
  }
  return found;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** What lies behind lazies, optionals and unions: the schemas that can meet a value. */
function options(schema: z.core.$ZodType): z.core.$ZodType[] {
  const def = schema._zod.def as unknown as Record<string, unknown> & { type: string };
  if (def.type === 'lazy') return options((def.getter as () => z.core.$ZodType)());
  if (def.type === 'union') return (def.options as z.core.$ZodType[]).flatMap(options);
  if (def.innerType !== undefined) return options(def.innerType as z.core.$ZodType);
  return [schema];
}

/** Every schema that can meet the value at `path`. */
function schemasAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType[] {
  let at = options(schema);
  for (const part of path) {
    at = at.flatMap((each) => {
      const def = each._zod.def as unknown as Record<string, unknown> & { type: string };
      if (def.type === 'object') {
        const shape = def.shape as Record<string, z.core.$ZodType>;
        if (typeof part === 'string' && Object.hasOwn(shape, part)) return options(shape[part]!);
        return def.catchall === undefined ? [] : options(def.catchall as z.core.$ZodType);
      }
      if (def.type === 'record') return options(def.valueType as z.core.$ZodType);
      if (def.type === 'array') return options(def.element as z.core.$ZodType);
      if (def.type === 'tuple') return (def.items as z.core.$ZodType[]).flatMap(options);
      return [];
    });
  }
  return at;
}

/** The keys of each object schema at `path`, in their order: the first says what the object is. */
function shapesAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[][] {
  return schemasAt(schema, path).flatMap((each) => {
    const def = each._zod.def as unknown as { type: string; shape?: Record<string, unknown> };
    return def.type === 'object' ? [Object.keys(def.shape ?? {})] : [];
  });
}

/** All keys of the object schemas at `path` that know the keys `having`; of all of them where none does. */
function vocabularyAt(schema: z.core.$ZodType, path: readonly PropertyKey[], having: string[] = []): string[] {
  const shapes = shapesAt(schema, path);
  const fitting = shapes.filter((keys) => having.every((key) => keys.includes(key)));
  return [...new Set((fitting.length > 0 ? fitting : shapes).flat())].filter((key) => key !== '$schema');
}

/** All texts that stand for themselves at `path`. */
function literalsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  return schemasAt(schema, path).flatMap((each) => [...(each._zod.values ?? [])].map(String));
}

const KINDS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  tuple: 'a list of two',
};
const kindName = (expected: string): string => KINDS[expected] ?? expected;

/** zod's own sentences; anything else was written by us for the reader. */
const isOwnWording = (message: string): boolean => !/^(Invalid|Too |Unrecognized|Unknown)/.test(message);
const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`);

interface Reading {
  issues: Issue[];
  /** Keys of the value that this option knows. */
  known: string[];
  /** Keys that it needs and that the value does not have. */
  missing: string[];
  unknown: string[];
  /** The value is not even of its kind. */
  misfit: boolean;
}

/** The keys of those objects at `path` that take any further key beside them. */
function openAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[][] {
  return schemasAt(schema, path).flatMap((each) => {
    const def = each._zod.def as unknown as { type: string; shape?: object; catchall?: z.core.$ZodType };
    return def.type === 'object' && def.catchall !== undefined && def.catchall._zod.def.type !== 'never'
      ? [Object.keys(def.shape ?? {})]
      : [];
  });
}

/**
 * One option of a union as its issues describe it; a union inside a union at the same place counts as its options.
 * `open` are the keys of options that take any other key too: such a key says nothing of what was meant.
 */
function readings(
  errors: readonly (readonly Issue[])[],
  value: unknown,
  open: readonly (readonly string[])[] = [],
): Reading[] {
  return errors.flatMap((issues): Reading[] => {
    const only = issues[0];
    if (issues.length === 1 && only?.code === 'invalid_union' && only.path.length === 0 && only.errors.length > 0) {
      return readings(only.errors, value, open);
    }
    const keys = isRecord(value) ? Object.keys(value) : [];
    const unknown = issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
    );
    const missing = issues.flatMap((issue) => {
      const [first] = issue.path;
      return issue.path.length === 1 && typeof first === 'string' && isRecord(value) && !keys.includes(first)
        ? [first]
        : [];
    });
    // A word where an object stands is of another kind too.
    const misfit = issues.some(
      ({ code, path }) =>
        path.length === 0 &&
        (code === 'invalid_type' || (code === 'invalid_value' && value !== null && typeof value === 'object')),
    );
    const own = unknown.length > 0 ? undefined : open.find((shape) => missing.some((key) => shape.includes(key)));
    const known = keys.filter((key) => !unknown.includes(key) && (own?.includes(key) ?? true));
    return [{ issues: [...issues], known, missing, unknown, misfit }];
  });
}

/** A value as JSON, as people space it. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, each]) => `${JSON.stringify(key)}: ${shown(each)}`)
    .join(', ')}}`;
}

/** ` such as {"send": "welcome"}`: the first short example that the schema itself gives and that is of this kind. */
function exampleAt(path: Path, { schema }: Context, isOfKind: (example: unknown) => boolean): string {
  const found = schema === undefined ? [] : unionsAt(schema, path);
  for (const each of found) {
    const { examples = [] } = ((each as z.ZodType).meta?.() ?? {}) as { examples?: unknown[] };
    for (const example of examples.filter(isOfKind)) {
      const text = shown(example);
      if (text.length <= 60) return ` such as ${text}`;
    }
  }
  return '';
}

const OF_KIND: Record<string, (example: unknown) => boolean> = {
  'a text': (example) => typeof example === 'string',
  'a number': (example) => typeof example === 'number',
  'a whole number': (example) => typeof example === 'number',
  'a list': Array.isArray,
  'an object': isRecord,
};

/** The schemas that stand at `path` as they are written: lazies and unions are not looked into. */
function unionsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType[] {
  const last = path.at(-1);
  if (last === undefined) return [schema];
  return schemasAt(schema, path.slice(0, -1)).flatMap((each) => {
    const def = each._zod.def as unknown as Record<string, unknown> & { type: string };
    if (def.type === 'array') return [def.element as z.core.$ZodType];
    const shape = def.shape as Record<string, z.core.$ZodType> | undefined;
    return shape !== undefined && typeof last === 'string' && Object.hasOwn(shape, last) ? [shape[last]!] : [];
  });
}

function spellUnion(issue: Issue & { code: 'invalid_union' }, path: Path, context: Context): Fault[] {
  const value = valueAt(context.value, path);
  const all = readings(issue.errors, value, context.schema === undefined ? [] : openAt(context.schema, path));
  const at = sayPath(path);
  if (value === undefined) return [missingFault(path, context)];
  const fitting = all.filter((reading) => !reading.misfit);
  if (fitting.length === 0) {
    const kinds = new Set(
      all.flatMap((reading) =>
        reading.issues.flatMap((each) => (each.code === 'invalid_type' ? [kindName(each.expected)] : [])),
      ),
    );
    return [
      {
        code: 'shape.kind',
        path: at,
        message: `${quote(value)} does not belong here.`,
        received: quote(value),
        expected: [...kinds].join(' or '),
        remedy: `Write ${[...kinds].join(' or ')}${[...kinds].join() === KINDS.object ? exampleAt(path, context, isRecord) : ''}.`,
      },
    ];
  }
  if (!isRecord(value)) {
    if (!Array.isArray(value)) return [scalarFault(fitting, path, value, context)];
    return spellAll(fitting.toSorted((a, b) => a.issues.length - b.issues.length)[0]!.issues, path, context);
  }
  const keys = Object.keys(value);
  const heads = [...new Set(fitting.flatMap((reading) => reading.missing.slice(0, 1)))];
  if (keys.length === 0 && heads.length > 0) {
    return [
      {
        code: 'shape.empty',
        path: at,
        message: 'the object is empty.',
        expected: heads.join(', '),
        remedy: `Say one of: ${heads.join(', ')}.`,
      },
    ];
  }
  const ranked = fitting
    .map((reading, index) => ({ reading, index }))
    .toSorted(
      (a, b) =>
        Number(b.reading.known.length > 0 && b.reading.missing.length === 0) -
          Number(a.reading.known.length > 0 && a.reading.missing.length === 0) ||
        b.reading.known.length - a.reading.known.length ||
        a.reading.missing.length - b.reading.missing.length ||
        a.reading.issues.length - b.reading.issues.length ||
        a.index - b.index,
    )
    .map(({ reading }) => reading);
  const best = ranked[0]!;
  if (best.known.length === 0) {
    const words = [...heads, ...(context.schema === undefined ? [] : vocabularyAt(context.schema, path))];
    const near = keys.filter((key) => nearest(key, words) !== undefined);
    // One word that says what this is would settle the others too.
    return near.length > 0 ? near.map((key) => unknownFault(key, words, at)) : [unknownFault(keys[0]!, heads, at)];
  }
  // Each of two options is complete but for the other's key: two subjects where one belongs.
  const rivals = ranked.filter((reading) => reading.missing.length === 0 && reading.unknown.length > 0);
  const heading = (reading: Reading): string | undefined => reading.known.find((key) => best.unknown.includes(key));
  const rival =
    best.missing.length === 0
      ? rivals.find((reading) => reading !== best && heading(reading) !== undefined)
      : undefined;
  const second = rival === undefined ? undefined : heading(rival);
  const first = best.known.find((key) => rival?.unknown.includes(key));
  if (first !== undefined && second !== undefined) {
    return [
      {
        code: 'shape.two-subjects',
        path: at,
        message: `says both "${first}" and "${second}", where one belongs.`,
        remedy: `Keep one of them${context.advice?.(first, second) ?? ''}.`,
      },
    ];
  }
  // What it is, is not said: several options know what there is, and each lacks its own head.
  const undecided = ranked.filter(
    ({ known, missing }) =>
      missing.length > 0 && known.length === best.known.length && known.every((key) => best.known.includes(key)),
  );
  const lacking = [...new Set(undecided.flatMap(({ missing }) => missing.slice(0, 1)))];
  if (best.missing.length > 0 && lacking.length > 1) {
    return [
      {
        code: 'shape.missing',
        path: at,
        message: `${quoted(lacking)} is missing beside ${quoted(best.known, 'and')}.`,
        expected: lacking.join(', '),
        remedy: 'Say one of them.',
      },
    ];
  }
  return spellAll(best.issues, path, context);
}

function scalarFault(fitting: Reading[], path: Path, value: unknown, context: Context): Fault {
  const values: string[] = [];
  const said: string[] = [];
  for (const reading of fitting) {
    for (const issue of reading.issues) {
      if (issue.code === 'invalid_value') values.push(...issue.values.map(String));
      if (isOwnWording(issue.message)) said.push(issue.message);
      else if (issue.code === 'invalid_value') said.push(...issue.values.map((each) => `"${String(each)}"`));
      else said.push(plain(issue).expected ?? issue.message);
    }
  }
  const near = nearest(String(value), values);
  // What only a text can be is not said to a number.
  const example = typeof value === 'string' ? '' : exampleAt(path, context, (each) => typeof each === 'string');
  const expected = example === '' ? [...new Set(said)].join(', or ') : `a text${example}`;
  return {
    code: 'shape.value',
    path: sayPath(path),
    message: `${quote(value)} is not understood.`,
    received: quote(value),
    expected,
    remedy: near === undefined ? `Write ${sentence(expected)}` : `Did you mean "${near}"?`,
  };
}

function unknownFault(key: string, words: Iterable<string>, at: string): Fault {
  const remedy = suggest(key, words) ?? 'Take it out.';
  return {
    code: 'shape.unknown-key',
    path: at,
    message: `"${key}" is unknown.`,
    received: key,
    remedy,
  };
}

const quoted = (words: readonly string[], or = 'or'): string => {
  const all = words.map((word) => `"${word}"`);
  return all.length < 2 ? (all[0] ?? '') : `${all.slice(0, -1).join(', ')} ${or} ${all.at(-1)}`;
};

/** A word of other tools for something that is said already, by ours; undefined where it is none. */
function saidFault(key: string, known: readonly string[], at: string): Fault | undefined {
  const word = key.toLowerCase();
  const said = (Object.hasOwn(SYNONYMS, word) ? SYNONYMS[word]! : []).find((each) => known.includes(each));
  return said === undefined
    ? undefined
    : {
        code: 'shape.unknown-key',
        path: at,
        message: `"${key}" is unknown.`,
        received: key,
        remedy: `Take it out: "${said}" says that, and is there.`,
      };
}

/** A key that belongs to another form than the one that the others stand for; undefined where no form has it. */
function elsewhereFault(
  key: string,
  known: readonly string[],
  free: readonly string[],
  shapes: readonly string[][],
  at: string,
): Fault | undefined {
  const taken = shapes.find((shape) => known.length > 0 && known.every((each) => shape.includes(each)))?.[0];
  const heads = shapes.filter((shape) => shape.includes(key) && shape[0] !== key).map(([head = '']) => head);
  const others = [...new Set(heads)].filter((head) => !known.includes(head));
  if (taken === undefined || !known.includes(taken) || others.length === 0) return undefined;
  return {
    code: 'shape.unknown-key',
    path: at,
    message: `"${key}" goes with ${quoted(others)}, and not with "${taken}".`,
    received: key,
    remedy: free.length === 0 ? 'Take it out.' : `Take it out. Beside "${taken}" may stand: ${quoted(free, 'and')}.`,
  };
}

function missingFault(path: Path, context: Context): Fault {
  const key = String(path.at(-1) ?? '');
  const parent = valueAt(context.value, path.slice(0, -1));
  const written = isRecord(parent) ? nearest(key, Object.keys(parent)) : undefined;
  return {
    code: 'shape.missing',
    path: sayPath(path.slice(0, -1)),
    message: `"${key}" is missing.`,
    expected: key,
    remedy:
      written !== undefined && written !== key && distance(key, written) <= 2
        ? `Is "${written}" meant to be it?`
        : `Add "${key}".`,
  };
}

const counted = (origin: string, count: number | bigint): string =>
  origin === 'string' ? (Number(count) === 1 ? 'character' : 'characters') : Number(count) === 1 ? 'entry' : 'entries';

/** Message and expectation of an issue that is about one value alone. */
function plain(issue: Issue): { code: string; expected?: string } {
  const { code, expected } = plainly(issue);
  const own = isOwnWording(issue.message) ? issue.message : undefined;
  return { code, ...(own !== undefined ? { expected: own } : expected === undefined ? {} : { expected }) };
}

/** In zod's terms, where the schema has no words of its own. */
function plainly(issue: Issue): { code: string; expected?: string } {
  switch (issue.code) {
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array' || issue.origin === 'set'
        ? {
            code: 'shape.too-short',
            expected: `at least ${issue.minimum} ${counted(issue.origin, issue.minimum)}`,
          }
        : {
            code: 'shape.too-small',
            expected: `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`,
          };
    case 'too_big':
      return issue.origin === 'string' || issue.origin === 'array' || issue.origin === 'set'
        ? {
            code: 'shape.too-long',
            expected: `at most ${issue.maximum} ${counted(issue.origin, issue.maximum)}`,
          }
        : {
            code: 'shape.too-big',
            expected: `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`,
          };
    case 'invalid_format':
      return {
        code: 'shape.format',
        expected: FORMATS[issue.format] ?? `a text of the form ${issue.format}`,
      };
    case 'not_multiple_of':
      return { code: 'shape.step', expected: `a multiple of ${issue.divisor}` };
    case 'invalid_type':
      return { code: 'shape.kind', expected: kindName(issue.expected) };
    default:
      return { code: 'shape.value' };
  }
}

const FORMATS: Record<string, string> = {
  email: 'an e-mail address',
  url: 'an https address',
  date: 'a date such as 2026-11-27',
  datetime: 'an instant such as 2026-11-27T08:00:00Z',
};

function spell(issue: Issue, at: Path, context: Context): Fault[] {
  const path = [...at, ...issue.path];
  const value = valueAt(context.value, path);
  switch (issue.code) {
    case 'invalid_union':
      return spellUnion(issue, path, context);
    case 'unrecognized_keys': {
      const taken = isRecord(value) ? Object.keys(value) : [];
      const known = taken.filter((key) => !issue.keys.includes(key));
      const shapes = context.schema === undefined ? [] : shapesAt(context.schema, path);
      const words = context.schema === undefined ? [] : vocabularyAt(context.schema, path, known);
      const free = words.filter((word) => !taken.includes(word));
      const at = sayPath(path);
      return issue.keys.map(
        (key) =>
          saidFault(key, known, at) ?? elsewhereFault(key, known, free, shapes, at) ?? unknownFault(key, free, at),
      );
    }
    case 'invalid_key': {
      const key = String(path.at(-1) ?? '');
      const why = issue.issues
        .map((each) => (isOwnWording(each.message) ? each.message : plain(each).expected))
        .filter(Boolean)[0];
      return [
        {
          code: 'shape.name',
          path: sayPath(path.slice(0, -1)),
          message: `${quote(key)} cannot be a name here.`,
          received: quote(key),
          ...(why === undefined ? {} : { expected: why, remedy: `Expected: ${sentence(why)}` }),
        },
      ];
    }
    case 'invalid_element':
      return spellAll(issue.issues, path, context);
    case 'invalid_value': {
      if (value === undefined) return [missingFault(path, context)];
      if (isRecord(value) && context.schema !== undefined) {
        const words = vocabularyAt(context.schema, path);
        if (words.length > 0) return Object.keys(value).map((key) => unknownFault(key, words, sayPath(path)));
      }
      const words = issue.values.map(String);
      const remedy = suggest(String(value), words);
      return [
        {
          code: 'shape.value',
          path: sayPath(path),
          message: `${quote(value)} ${value !== null && typeof value === 'object' ? 'does not fit' : 'is unknown'}.`,
          received: quote(value),
          expected: words.join(', '),
          ...(remedy === undefined ? {} : { remedy }),
        },
      ];
    }
    case 'custom':
      return value === undefined || (value !== null && typeof value === 'object')
        ? [{ code: 'shape.rule', path: sayPath(path), message: sentence(issue.message) }]
        : [
            {
              code: 'shape.rule',
              path: sayPath(path),
              message: `${quote(value)} does not fit.`,
              received: quote(value),
              expected: issue.message,
              remedy: `Expected: ${sentence(issue.message)}`,
            },
          ];
    default: {
      if (value === undefined && issue.code === 'invalid_type' && path.length > 0) return [missingFault(path, context)];
      const { code, expected } = plain(issue);
      if (code === 'shape.too-short' && Array.isArray(value) && value.length === 0) {
        return [{ code, path: sayPath(path), message: 'the list is empty.', remedy: 'Say at least one.' }];
      }
      const number = issue.code === 'invalid_type' && expected === KINDS.number ? numberIn(value) : undefined;
      const near =
        typeof value === 'string' && context.schema !== undefined
          ? nearest(value, literalsAt(context.schema, path))
          : undefined;
      const isOfKind = issue.code === 'invalid_type' && expected !== undefined ? OF_KIND[expected] : undefined;
      const example = isOfKind === undefined ? '' : exampleAt(path, context, isOfKind);
      const remedy =
        near !== undefined
          ? `Did you mean "${near}"?`
          : number !== undefined
            ? `Write ${number}, without quotation marks.`
            : expected === undefined
              ? undefined
              : `Expected: ${sentence(`${expected}${example}`)}`;
      return [
        {
          code,
          path: sayPath(path),
          message: `${quote(value)} does not fit.`,
          received: quote(value),
          ...(expected === undefined ? {} : { expected }),
          ...(remedy === undefined ? {} : { remedy }),
        },
      ];
    }
  }
}

const spellAll = (issues: readonly Issue[], at: Path, context: Context): Fault[] => {
  const faults = issues.flatMap((issue) => spell(issue, at, context));
  // A misspelt key shows as unknown and as missing: the question for the unknown one says both.
  const meant = faults.flatMap((fault) =>
    fault.code === 'shape.unknown-key' ? [`${fault.path}\n${fault.remedy}`] : [],
  );
  // What is not even of its form needs no second fault about its value.
  const formless = new Set(faults.flatMap((fault) => (fault.code === 'shape.format' ? [fault.path] : [])));
  return faults.filter(
    (fault) =>
      (fault.code !== 'shape.missing' || !meant.includes(`${fault.path}\nDid you mean "${fault.expected}"?`)) &&
      (fault.code !== 'shape.rule' || !formless.has(fault.path)),
  );
};

interface Context {
  value: unknown;
  schema?: z.core.$ZodType;
  advice?: (first: string, second: string) => string | undefined;
}

/**
 * Every issue of a zod error as a fault with file, path, what is wrong and what to do. For a union, the option that was
 * most likely meant speaks. `schema` makes "Did you mean …" know the whole vocabulary.
 * `received` quotes the value: print it to its author, never into a log of personal data.
 */
export function faultsOf(
  error: z.ZodError,
  where: {
    file?: string;
    value: unknown;
    schema?: z.ZodType;
    advice?: (first: string, second: string) => string | undefined;
  },
): Fault[] {
  const { file, ...context } = where;
  return spellAll(error.issues, [], context).map((fault) => (file === undefined ? fault : { ...fault, file }));
}
