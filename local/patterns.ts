// EventBridge event patterns (also the filters of event source mappings), with the operators and refusals of AWS.

/** A pattern that EventBridge would refuse, or one that is too rare to be matched here; the message says which part. */
export class PatternError extends Error {
  readonly code = 'pattern.invalid';
}

type Test = (value: unknown) => boolean;
interface Alternative {
  test: Test;
  /** `{"exists": false}`: true when there is no value at all. */
  absent: boolean;
}
interface Field {
  /** keys[from]: the key texts that may follow after `from` segments; a key of the event may itself contain dots. */
  keys: { text: string; to: number }[][];
  length: number;
  alternatives: Alternative[];
}
interface Leaf {
  value: unknown;
  /** Which element of which array the value came from, outermost first. */
  membership: [array: unknown, index: number][];
}

/** More wildcards than this in one value are refused: AWS refuses complex ones by a measure of its own. */
const MOST_WILDCARDS = 3;

/**
 * Compiles a pattern once; the result answers for any number of events.
 * Promises the answers of EventBridge: arrays match by any element, fields of one array element belong together.
 * Throws PatternError for what EventBridge refuses, and for more than three wildcards in one value.
 */
export function compilePattern(pattern: unknown): (event: unknown) => boolean {
  if (!isObject(pattern)) throw new PatternError('the pattern must be an object');
  const ways = expand(pattern, '').map((fields) => [...fields].map(([path, rules]) => compileField(path, rules)));
  return (event) => ways.some((fields) => matchAll(fields, event, 0, []));
}

// ---- reading a pattern -------------------------------------------------------------------------------------------

type Fields = Map<string, unknown[]>;

/** The pattern as alternatives without `$or`: each a map from dotted path to its list of rules. */
function expand(node: Record<string, unknown>, prefix: string): Fields[] {
  const names = Object.keys(node);
  if (names.length === 0) throw new PatternError('Empty objects are not allowed');
  let ways: Fields[] = [new Map()];
  for (const name of names) {
    const value = node[name];
    const path = prefix === '' ? name : `${prefix}.${name}`;
    let next: Fields[];
    if (name === '$or' && Array.isArray(value) && value.length > 1 && value.every(isObject)) {
      next = value.flatMap((branch) => expand(branch, prefix));
    } else if (Array.isArray(value)) {
      if (value.length === 0) throw new PatternError('Empty arrays are not allowed');
      next = [new Map([[path, value]])];
    } else if (isObject(value)) {
      next = expand(value, path);
    } else {
      throw new PatternError(`"${name}" must be an object or an array`);
    }
    ways = ways.flatMap((way) => next.map((more) => new Map([...way, ...more])));
  }
  return ways;
}

function compileField(path: string, rules: unknown[]): Field {
  const segments = path.split('.');
  const keys = segments.map((_, from) =>
    segments.slice(from).map((_, n) => ({ text: segments.slice(from, from + n + 1).join('.'), to: from + n + 1 })),
  );
  return { keys, length: segments.length, alternatives: rules.map(compileRule) };
}

function compileRule(rule: unknown): Alternative {
  if (Array.isArray(rule)) throw new PatternError('Array in a list of match values is not allowed');
  if (!isObject(rule)) return { test: (value) => value === rule, absent: false };
  const [name, operand] = onlyEntry(rule);
  if (name === 'exists') {
    if (typeof operand !== 'boolean') throw new PatternError('exists match pattern must be either true or false.');
    return { test: () => operand, absent: !operand };
  }
  const operator = OPERATORS[name];
  if (operator === undefined) throw new PatternError(`Unrecognized match type ${name}`);
  return { test: operator(operand), absent: false };
}

const OPERATORS: Record<string, (operand: unknown) => Test> = {
  prefix: (operand) => affix('prefix', operand),
  suffix: (operand) => affix('suffix', operand),
  'equals-ignore-case': (operand) => {
    const wanted = text('equals-ignore-case', operand).toLowerCase();
    return (value) => typeof value === 'string' && value.toLowerCase() === wanted;
  },
  wildcard: (operand) => {
    const expression = wildcard(text('wildcard', operand));
    return (value) => typeof value === 'string' && expression.test(value);
  },
  numeric,
  cidr,
  'anything-but': anythingBut,
};

function affix(kind: 'prefix' | 'suffix', operand: unknown): Test {
  const method = kind === 'prefix' ? 'startsWith' : 'endsWith';
  if (isObject(operand)) {
    const [name, inner] = onlyEntry(operand);
    if (name !== 'equals-ignore-case') throw new PatternError(`${kind} match pattern must be a string`);
    const wanted = text('equals-ignore-case', inner).toLowerCase();
    return (value) => typeof value === 'string' && value.toLowerCase()[method](wanted);
  }
  const wanted = text(kind, operand);
  return (value) => typeof value === 'string' && value[method](wanted);
}

function anythingBut(operand: unknown): Test {
  if (isObject(operand)) {
    const [name, inner] = onlyEntry(operand);
    const list = Array.isArray(inner) ? inner : [inner];
    if (list.length === 0) throw new PatternError('Empty arrays are not allowed');
    if (isObject(inner))
      throw new PatternError('Value of anything-but must be an array or single string/number value.');
    const refuse = (reason: string) => {
      throw new PatternError(reason);
    };
    const texts = (reason: string) => list.map((item) => (typeof item === 'string' ? item : refuse(reason)) as string);
    let tests: Test[];
    if (name === 'prefix' || name === 'suffix') {
      const wanted = texts('prefix/suffix match pattern must be a string');
      if (wanted.includes('')) refuse('Null prefix/suffix not allowed');
      tests = wanted.map((item) => affix(name, item));
    } else if (name === 'equals-ignore-case') {
      const reason = 'Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.';
      tests = texts(reason).map((item) => OPERATORS['equals-ignore-case']!(item));
    } else if (name === 'wildcard') {
      tests = texts('wildcard match pattern must be a string').map((item) => OPERATORS.wildcard!(item));
    } else {
      return refuse(`Unsupported anything-but pattern: ${name}`) as never;
    }
    return (value) => !tests.some((test) => test(value));
  }
  const list = Array.isArray(operand) ? operand : [operand];
  if (list.length === 0) throw new PatternError('Empty arrays are not allowed');
  if (!list.every((item) => typeof item === 'string' || typeof item === 'number')) {
    throw new PatternError(
      Array.isArray(operand)
        ? 'Inside anything but list, start|null|boolean is not supported.'
        : 'Value of anything-but must be an array or single string/number value.',
    );
  }
  return (value) => !list.includes(value as string | number);
}

function numeric(operand: unknown): Test {
  if (!Array.isArray(operand)) throw new PatternError('Value of numeric must be an array.');
  const bounds: Partial<Record<'equal' | 'low' | 'high', Test>> = {};
  if (operand.length === 0 || operand.length > 4)
    throw new PatternError('Too many or too few elements in numeric expression');
  for (let i = 0; i < operand.length; i += 2) {
    const sign: unknown = operand[i];
    const limit: unknown = operand[i + 1];
    const side = sign === '=' ? 'equal' : sign === '>' || sign === '>=' ? 'low' : 'high';
    if (typeof sign !== 'string' || !['=', '<', '<=', '>', '>='].includes(sign)) {
      throw new PatternError(`Unrecognized numeric range operator: ${String(sign)}`);
    }
    if (typeof limit !== 'number') throw new PatternError(`Value of ${sign} must be numeric`);
    if (bounds[side] !== undefined || bounds.equal !== undefined || (side === 'equal' && i > 0)) {
      throw new PatternError(`Bad numeric range operator: ${sign}`);
    }
    bounds[side] = (value) => {
      const n = value as number;
      if (sign === '=') return n === limit;
      if (sign === '<') return n < limit;
      if (sign === '<=') return n <= limit;
      return sign === '>' ? n > limit : n >= limit;
    };
  }
  const tests = Object.values(bounds);
  return (value) => typeof value === 'number' && tests.every((test) => test(value));
}

function wildcard(pattern: string): RegExp {
  let source = '';
  let stars = 0;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!;
    if (char === '\\') {
      const escaped = pattern[++i];
      if (escaped !== '*' && escaped !== '\\') throw new PatternError(`Invalid escape character at pos ${i - 1}`);
      source += `\\${escaped}`;
    } else if (char === '*') {
      if (pattern[i + 1] === '*') throw new PatternError(`Consecutive wildcard characters at pos ${i}`);
      stars++;
      source += '.*';
    } else {
      source += char.replace(/[.+?^${}()|[\]]/g, '\\$&');
    }
  }
  if (stars > MOST_WILDCARDS) {
    throw new PatternError(`Rule is too complex - more than ${MOST_WILDCARDS} wildcards in "${pattern}"`);
  }
  return new RegExp(`^${source}$`, 's');
}

function cidr(operand: unknown): Test {
  if (typeof operand !== 'string') throw new PatternError('prefix match pattern must be a string');
  const parts = operand.split('/');
  if (parts.length !== 2) throw new PatternError("Malformed CIDR, one '/' required");
  if (!/^\d+$/.test(parts[1]!)) throw new PatternError('Malformed CIDR, mask bits must be an integer');
  const network = addressBits(parts[0]!);
  const mask = Number(parts[1]);
  if (network === undefined) throw new PatternError(`Nonstandard IP address: ${parts[0]}`);
  if (mask > network.length) throw new PatternError(`Malformed CIDR, mask bits must be at most ${network.length}`);
  const wanted = network.slice(0, mask);
  return (value) => {
    const bits = typeof value === 'string' ? addressBits(value) : undefined;
    return bits !== undefined && bits.length === network.length && bits.startsWith(wanted);
  };
}

/** An IPv4 or IPv6 address as a text of 32 or 128 bits. */
function addressBits(address: string): string | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) {
    const bytes = address.split('.').map(Number);
    return bytes.every((byte) => byte < 256)
      ? bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('')
      : undefined;
  }
  if (!/^[0-9a-f:]+$/i.test(address) || !address.includes(':')) return undefined;
  const halves = address.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head!.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head!, ...Array<string>(tail === undefined ? 0 : missing).fill('0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('');
}

// ---- matching ----------------------------------------------------------------------------------------------------

/** Finds one value for each field such that no two of them lie in different elements of one array. */
function matchAll(fields: Field[], event: unknown, at: number, chosen: Leaf['membership']): boolean {
  const field = fields[at];
  if (field === undefined) return true;
  const leaves: Leaf[] = [];
  collect(event, field, 0, [], leaves);
  if (leaves.length === 0) {
    return field.alternatives.some((alternative) => alternative.absent) && matchAll(fields, event, at + 1, chosen);
  }
  return leaves.some(
    (leaf) =>
      field.alternatives.some((alternative) => !alternative.absent && alternative.test(leaf.value)) &&
      agrees(leaf.membership, chosen) &&
      matchAll(fields, event, at + 1, leaf.membership.length === 0 ? chosen : [...chosen, ...leaf.membership]),
  );
}

function agrees(one: Leaf['membership'], other: Leaf['membership']): boolean {
  return one.every(([array, index]) => other.every(([also, place]) => also !== array || place === index));
}

function collect(node: unknown, field: Field, from: number, membership: Leaf['membership'], into: Leaf[]): void {
  if (Array.isArray(node)) {
    node.forEach((item, index) => {
      collect(item, field, from, [...membership, [node, index]], into);
    });
  } else if (from === field.length) {
    if (!isObject(node)) into.push({ value: node, membership });
  } else if (isObject(node)) {
    for (const { text: key, to } of field.keys[from]!) {
      if (Object.hasOwn(node, key)) collect(node[key], field, to, membership, into);
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function onlyEntry(rule: Record<string, unknown>): [string, unknown] {
  const entries = Object.entries(rule);
  if (entries.length !== 1) throw new PatternError('Only one key allowed in match expression');
  return entries[0]!;
}

function text(operator: string, operand: unknown): string {
  if (typeof operand !== 'string') throw new PatternError(`${operator} match pattern must be a string`);
  return operand;
}
