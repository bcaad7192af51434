// How the errors of a zod schema become sentences: each with its place, what is wrong and what to do.
import type * as z from 'zod';
import { distance, type Fault, nearest, numberIn, quote, SYNONYMS, sayPath, suggest } from './fault.ts';
import { exampleAt, isRecord, literalsAt, openAt, shapesAt, valueAt, vocabularyAt } from './schema-places.ts';

type Issue = z.core.$ZodIssue;
type Path = PropertyKey[];

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

const OF_KIND: Record<string, (example: unknown) => boolean> = {
  'a text': (example) => typeof example === 'string',
  'a number': (example) => typeof example === 'number',
  'a whole number': (example) => typeof example === 'number',
  'a list': Array.isArray,
  'an object': isRecord,
};

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
        remedy: `Write ${[...kinds].join(' or ')}${[...kinds].join() === KINDS.object ? exampleAt(context.schema, path, isRecord) : ''}.`,
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
  const example = typeof value === 'string' ? '' : exampleAt(context.schema, path, (each) => typeof each === 'string');
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
      const example = isOfKind === undefined ? '' : exampleAt(context.schema, path, isOfKind);
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
