// Sets of values that a clause admits: of numbers as spans of a line, of anything else as values that are in or out.

/** From `lo` to `hi`, without the bound where it is open. */
interface Span {
  lo: number;
  hi: number;
  loOpen: boolean;
  hiOpen: boolean;
}

/** Numbers, and whether "no number at all" is in the set. */
export interface Numbers {
  kind: 'numbers';
  none: boolean;
  spans: readonly Span[];
}

/** These values, or all but these. A missing value is the text "" with a leading NUL: no value looks like it. */
export interface Values {
  kind: 'values';
  except: boolean;
  values: readonly string[];
}

export type ValueSet = Numbers | Values;

const INFINITE = Number.POSITIVE_INFINITY;

/** What a column can hold at all. */
export interface Universe {
  /** The least and the greatest number (`to` not included where `open`); of `whole` numbers only. */
  numbers?: { from: number; to: number; open?: boolean; whole?: boolean };
  /** All there is; absent = anything. */
  values?: readonly string[];
  /** The column can hold nothing. */
  none: boolean;
}

export const span = (lo: number, hi: number, loOpen = false, hiOpen = false): Span => ({ lo, hi, loOpen, hiOpen });
export const numbers = (...spans: Span[]): Numbers => ({ kind: 'numbers', none: false, spans: joined(spans) });
export const values = (...these: string[]): Values => ({ kind: 'values', except: false, values: [...these].sort() });
export const allBut = (...these: string[]): Values => ({ kind: 'values', except: true, values: [...these].sort() });

const isEmptySpan = ({ lo, hi, loOpen, hiOpen }: Span): boolean => lo > hi || (lo === hi && (loOpen || hiOpen));

function joined(spans: readonly Span[]): Span[] {
  const sorted = spans
    .filter((each) => !isEmptySpan(each))
    .toSorted((a, b) => a.lo - b.lo || Number(a.loOpen) - Number(b.loOpen));
  const result: Span[] = [];
  for (const each of sorted) {
    const last = result.at(-1);
    const touches = last !== undefined && (each.lo < last.hi || (each.lo === last.hi && !(each.loOpen && last.hiOpen)));
    if (last === undefined || !touches) result.push({ ...each });
    else if (each.hi > last.hi || (each.hi === last.hi && last.hiOpen)) {
      last.hi = each.hi;
      last.hiOpen = each.hiOpen;
    }
  }
  return result;
}

/** Of whole numbers, the least and the greatest that lie in the span, both included. */
function wholly({ lo, hi, loOpen, hiOpen }: Span): Span {
  const from = Number.isInteger(lo) ? lo + Number(loOpen) : Math.ceil(lo);
  const to = Number.isInteger(hi) ? hi - Number(hiOpen) : Math.floor(hi);
  return span(from, to);
}

/** Of whole numbers, 1 to 2 and 3 to 4 are 1 to 4. */
function adjoined(spans: Span[]): Span[] {
  const result: Span[] = [];
  for (const each of spans) {
    const last = result.at(-1);
    if (last !== undefined && each.lo === last.hi + 1) last.hi = each.hi;
    else result.push({ ...each });
  }
  return result;
}

/** The part of a set that the universe has. */
export function within(set: ValueSet, { numbers: line, values: known, none }: Universe): ValueSet {
  if (set.kind === 'values') {
    if (known === undefined) return set;
    return values(...known.filter((value) => set.values.includes(value) !== set.except));
  }
  if (line === undefined) return none ? set : { ...set, none: false };
  const spans = set.spans.map((each) => {
    const { spans: cut } = intersection(numbers(each), numbers(span(line.from, line.to, false, line.open))) as Numbers;
    return line.whole === true ? cut.map(wholly) : cut;
  });
  const rest = joined(spans.flat());
  return { kind: 'numbers', none: set.none && none, spans: line.whole === true ? adjoined(rest) : rest };
}

/** What is in both; of two sets of one column. */
export function intersection(a: ValueSet, b: ValueSet): ValueSet {
  if (a.kind === 'numbers') {
    const other = b as Numbers;
    const spans = a.spans.flatMap((one) =>
      other.spans.map((two) => {
        const low = one.lo > two.lo || (one.lo === two.lo && one.loOpen) ? one : two;
        const high = one.hi < two.hi || (one.hi === two.hi && one.hiOpen) ? one : two;
        return span(low.lo, high.hi, low.loOpen, high.hiOpen);
      }),
    );
    return { kind: 'numbers', none: a.none && other.none, spans: joined(spans) };
  }
  const other = b as Values;
  if (a.except && other.except) return allBut(...new Set([...a.values, ...other.values]));
  const [some, test] = a.except ? [other, a] : [a, other];
  return values(...some.values.filter((value) => test.values.includes(value) !== test.except));
}

/** All that the universe has and the set has not. */
export function complement(set: ValueSet, universe: Universe): ValueSet {
  if (set.kind === 'values') return within({ ...set, except: !set.except }, universe);
  const gaps: Span[] = [];
  let lo = -INFINITE;
  let loOpen = false;
  for (const each of set.spans) {
    gaps.push(span(lo, each.lo, loOpen, !each.loOpen));
    lo = each.hi;
    loOpen = !each.hiOpen;
  }
  gaps.push(span(lo, INFINITE, loOpen, false));
  return within({ kind: 'numbers', none: !set.none, spans: joined(gaps) }, universe);
}

/** Whether nothing is in the set, a missing value neither. */
export function isEmpty(set: ValueSet): boolean {
  return set.kind === 'numbers' ? !set.none && set.spans.length === 0 : !set.except && set.values.length === 0;
}

/** The least and the greatest number in the set; undefined where it has none. */
export function bounds(set: ValueSet): { least: number; greatest: number } | undefined {
  const spans = set.kind === 'numbers' ? set.spans : [];
  return spans.length === 0 ? undefined : { least: spans[0]!.lo, greatest: spans.at(-1)!.hi };
}

/** Equal for equal sets of one column. */
export function keyOf(set: ValueSet): string {
  if (set.kind === 'values') return `${set.except ? 'all but ' : ''}${JSON.stringify(set.values)}`;
  const said = set.spans.map(({ lo, hi, loOpen, hiOpen }) => `${loOpen ? '(' : '['}${lo},${hi}${hiOpen ? ')' : ']'}`);
  return `${set.none ? 'none ' : ''}${said.join(' ')}`;
}
