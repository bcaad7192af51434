// All rules answered at once: a row of bits for each bucket of each column, and the AND of the rows that were met.
import type { Found, Node, Sight, Turn } from './rule-node.ts';
import { FEW, type IndexedColumn, NOTHING, Rows, UNKNOWN } from './rule-rows.ts';
import { Plan } from './rule-slots.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** The answers to all rules at one instant. */
export interface Answers {
  /** Bit i (of word i >>> 5) answers the rule `ids[i]`; bits beyond the last are 0. Valid until the next answer. */
  bits: Uint32Array;
  /** The earliest instant after now at which time alone can change an answer: conservative, never late; Infinity = none. */
  due: number;
  /** Whether the rule with this id holds; false for an unknown one. Valid until the next answer. */
  has(id: string): boolean;
}

/** Places (indexes of `RuleIndex.ids`) whose bit came and went between two answers of one index. */
export function changes(before: Uint32Array, after: Uint32Array): { entered: number[]; left: number[] } {
  const entered: number[] = [];
  const left: number[] = [];
  for (let word = 0; word < after.length; word++) {
    const now = after[word]!;
    for (let differ = now ^ before[word]!; differ !== 0; differ &= differ - 1) {
      const bit = 31 - Math.clz32(differ & -differ);
      (((now >>> bit) & 1) === 1 ? entered : left).push((word << 5) | bit);
    }
  }
  return { entered, left };
}

class Answered implements Answers {
  readonly bits: Uint32Array;
  readonly due: number;
  readonly #places: ReadonlyMap<string, number>;

  constructor(bits: Uint32Array, due: number, places: ReadonlyMap<string, number>) {
    this.bits = bits;
    this.due = due;
    this.#places = places;
  }

  has(id: string): boolean {
    const place = this.#places.get(id);
    return place !== undefined && ((this.bits[place >>> 5]! >>> (place & 31)) & 1) === 1;
  }
}

/**
 * Rules as one table. Each conjunction of a rule is a slot; for each column, the bucket of what it finds gives a row of
 * the slots that are not ruled out. The AND of these rows leaves the conjunctions that hold; alternatives are then put
 * together, 32 rules at a time for the first plain `any` of a rule, one by one for the rest.
 */
export class RuleIndex {
  /** The rules' ids in the order of the answers' bits, which is the index's own and not the order given. */
  readonly ids: readonly string[];
  readonly #places = new Map<string, number>();
  /** Ages first, then other numbers: these find their buckets alike. */
  readonly #ordered: IndexedColumn[] = [];
  readonly #ages: number;
  readonly #constants: IndexedColumn[];
  readonly #dates: IndexedColumn[];
  readonly #unsorted: IndexedColumn[];
  /** The cuts of all ordered columns, one after another; those of the i-th begin at `from[i]`. */
  readonly #cuts: Float64Array;
  readonly #from: Int32Array;
  /** By bucket of all ordered columns, then of all constant ones: the row's code. The i-th column's begin at `first[i]`. */
  readonly #made: Int32Array;
  readonly #first: Int32Array;
  /** By bucket of an age: the next age at which the row is another one. NaN = not looked for yet. */
  readonly #turns: Float64Array;
  readonly #rows: Rows;
  /** Slots before any finding: ones, but where a rule is never true or a layer has no child. */
  readonly #base: Int32Array;
  readonly #acc: Int32Array;
  readonly #bits: Uint32Array;
  readonly #layers: Plan['layers'];
  /** What is put together one by one: a slot, how many operands, then each operand as slot × 2 + negated. */
  readonly #steps: Int32Array;
  readonly #turn: Turn = { at: NEVER };
  /** Whole rows met in an answer. */
  readonly #met: Int32Array;

  /**
   * Builds the table. A rule may refer to rules that stand before it; a reference to any other is false. Throws a
   * RangeError on a cut of a `date` column that is no date.
   */
  constructor(rules: readonly { id: string; node: Node }[]) {
    const plan = new Plan(rules);
    this.ids = plan.ids;
    for (const [place, id] of plan.ids.entries()) this.#places.set(id, place);
    this.#base = plan.base;
    this.#layers = plan.layers;
    this.#steps = Int32Array.from(plan.steps);
    this.#acc = new Int32Array(this.#base.length);
    this.#bits = new Uint32Array(this.#acc.buffer, 0, (rules.length + 31) >>> 5);
    this.#rows = new Rows(this.#base.length);
    this.#met = new Int32Array(plan.columns.length);
    // What many rules depend on first: the columns of rules that are ruled out need not be read.
    const sorted = [...plan.columns].sort((a, b) => b.weight - a.weight);
    const of = (...families: string[]) => sorted.filter(({ column }) => families.includes(column.family));
    const ages = of('age');
    this.#ages = ages.length;
    this.#ordered = [...ages, ...of('number', 'instant')];
    this.#constants = of('equal');
    this.#dates = of('date');
    this.#unsorted = of('other');
    const ends = (counts: number[]): Int32Array => {
      let end = 0;
      return Int32Array.from([0, ...counts.map((count) => (end += count))]);
    };
    this.#from = ends(this.#ordered.map(({ cuts }) => cuts.length));
    this.#cuts = new Float64Array(this.#from.at(-1)!);
    for (const [i, { cuts }] of this.#ordered.entries()) this.#cuts.set(cuts, this.#from[i]!);
    this.#first = ends([...this.#ordered, ...this.#constants].map(({ buckets }) => buckets));
    this.#made = new Int32Array(this.#first.at(-1)!);
    this.#turns = new Float64Array(this.#first[this.#ages]!).fill(Number.NaN);
  }

  /** Bytes of the rows kept at present. */
  get rowBytes(): number {
    return this.#rows.bytes;
  }

  /** The bits of a membership in these rules; ids that the index does not know are passed over. */
  bitsOf(ids: Iterable<string>): Uint32Array {
    const bits = new Uint32Array(this.#bits.length);
    for (const id of ids) {
      const place = this.#places.get(id);
      if (place !== undefined) bits[place >>> 5]! |= 1 << (place & 31);
    }
    return bits;
  }

  /** Answers all rules for one contact at one instant. Throws only where a column or an atom does. */
  answer(sight: Sight): Answers {
    const acc = this.#acc;
    const turn = this.#turn;
    if (this.#rows.full) this.#dropRows();
    const base = this.#base;
    if (acc.length > FEW) acc.set(base);
    else for (let w = 0; w < acc.length; w++) acc[w] = base[w]!;
    turn.at = NEVER;
    let met = this.#meetConstants(sight, turn, acc, 0);
    met = this.#meetOrdered(sight, turn, acc, met);
    met = this.#meetDates(sight, turn, acc, met);
    for (const column of this.#unsorted) column.ask(column.column.read(sight, turn), sight, turn, acc);
    if (met > 0) intersect(acc, this.#rows.block, this.#met, met);
    if (this.#layers.length > 0 || this.#steps.length > 0) this.#putTogether(acc);
    return new Answered(this.#bits, turn.at, this.#places);
  }

  #meetOrdered(sight: Sight, turn: Turn, acc: Int32Array, before: number): number {
    const columns = this.#ordered;
    const cuts = this.#cuts;
    const from = this.#from;
    const first = this.#first;
    const made = this.#made;
    const met = this.#met;
    const ages = this.#ages;
    const few = acc.length <= FEW;
    const { now } = sight;
    let count = before;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      if (few && column.ruledOut(acc)) continue;
      const found = column.column.read(sight, turn);
      let bucket = first[i]!;
      if (typeof found === 'number' && !Number.isNaN(found)) {
        const value = i < ages ? now - found : found;
        const start = from[i]!;
        const end = from[i + 1]!;
        let low = start;
        let high = end;
        while (low < high) {
          const middle = (low + high) >>> 1;
          if (cuts[middle]! < value) low = middle + 1;
          else high = middle;
        }
        bucket += 2 * (low - start) + (low < end && cuts[low] === value ? 2 : 1);
        if (i < ages) {
          let at = found + this.#turns[bucket]!;
          if (Number.isNaN(at)) at = found + this.#nextAge(i, bucket, sight);
          if (at < turn.at) turn.at = at;
        }
      } else if (found !== undefined && found !== null) {
        column.ask(found, sight, turn, acc);
        continue;
      }
      let code = made[bucket]!;
      if (code === UNKNOWN) code = this.#make(column, bucket, found, sight);
      if (code > NOTHING) {
        if (few) this.#intersect(acc, code);
        else met[count++] = code;
      } else if (code < 0) this.#intersectFew(acc, -code);
    }
    return count;
  }

  #meetConstants(sight: Sight, turn: Turn, acc: Int32Array, met: number): number {
    let count = met;
    const few = acc.length <= FEW;
    const columns = this.#constants;
    const before = this.#ordered.length;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      if (few && column.ruledOut(acc)) continue;
      const found = column.column.read(sight, turn);
      const constant = column.constantOf(found);
      if (constant < 0) {
        column.ask(found, sight, turn, acc);
        continue;
      }
      const bucket = this.#first[before + i]! + constant;
      let code = this.#made[bucket]!;
      if (code === UNKNOWN) code = this.#make(column, bucket, found, sight);
      if (code > NOTHING) {
        if (few) this.#intersect(acc, code);
        else this.#met[count++] = code;
      } else if (code < 0) this.#intersectFew(acc, -code);
    }
    return count;
  }

  #meetDates(sight: Sight, turn: Turn, acc: Int32Array, met: number): number {
    let count = met;
    const few = acc.length <= FEW;
    for (const column of this.#dates) {
      if (few && column.ruledOut(acc)) continue;
      const found = column.column.read(sight, turn);
      const { cuts, rows } = column.midnights(sight.zone);
      let bucket = 0;
      if (typeof found === 'number' && !Number.isNaN(found)) bucket = bucketOf(cuts, found);
      else if (found !== undefined && found !== null) {
        column.ask(found, sight, turn, acc);
        continue;
      }
      let code = rows[bucket]!;
      if (code === UNKNOWN) {
        code = this.#rows.add((row) => column.clear(found, sight, row));
        rows[bucket] = code;
      }
      if (code > NOTHING) {
        if (few) this.#intersect(acc, code);
        else this.#met[count++] = code;
      } else if (code < 0) this.#intersectFew(acc, -code);
    }
    return count;
  }

  /** Makes the row of a bucket from a finding that lies in it. */
  #make(column: IndexedColumn, bucket: number, found: Found, sight: Sight): number {
    const code = this.#rows.add((row) => column.clear(found, sight, row));
    this.#made[bucket] = code;
    return code;
  }

  #nextAge(i: number, bucket: number, sight: Sight): number {
    const column = this.#ordered[i]!;
    const first = this.#first[i]!;
    const rowOf = (at: number, found: number): number =>
      this.#made[at] === UNKNOWN ? this.#make(column, at, found, sight) : this.#made[at]!;
    const row = rowOf(bucket, column.column.read(sight, { at: NEVER }) as number);
    const next = column.nextAge(
      bucket - first,
      sight.now,
      (other, found) => !this.#rows.equal(row, rowOf(first + other, found)),
    );
    this.#turns[bucket] = next;
    return next;
  }

  #dropRows(): void {
    this.#rows.drop();
    this.#made.fill(UNKNOWN);
    for (const column of this.#dates) column.dropRows();
  }

  #intersect(acc: Int32Array, code: number): void {
    const { block } = this.#rows;
    for (let w = 0; w < acc.length; w++) acc[w]! &= block[code + w]!;
  }

  #intersectFew(acc: Int32Array, at: number): void {
    const { block } = this.#rows;
    const end = at + 2 * block[at]!;
    for (let i = at + 1; i < end; i += 2) acc[block[i]!]! &= block[i + 1]!;
  }

  #putTogether(acc: Int32Array): void {
    const first = this.#layers[0];
    const second = this.#layers[1];
    if (first !== undefined && second !== undefined) {
      for (let j = 2; j < this.#layers.length; j++) {
        const { word, words } = this.#layers[j]!;
        for (let w = 0; w < words; w++) acc[first.word + w]! |= acc[word + w]!;
      }
      for (let w = 0; w < first.words; w++) acc[w]! &= acc[first.word + w]! | acc[second.word + w]!;
    }
    const steps = this.#steps;
    for (let i = 0; i < steps.length; ) {
      const slot = steps[i]!;
      const end = i + 2 + steps[i + 1]!;
      let holds = 0;
      for (let k = i + 2; k < end; k++) {
        const operand = steps[k]!;
        holds |= (acc[operand >>> 6]! >>> ((operand >>> 1) & 31)) ^ operand;
      }
      acc[slot >>> 5]! &= ~((~holds & 1) << (slot & 31));
      i = end;
    }
  }
}

/** 1 below the first cut, 2 on it, 3 between the first and the second … */
function bucketOf(cuts: Float64Array, value: number): number {
  let low = 0;
  while (low < cuts.length && cuts[low]! < value) low++;
  return 2 * low + (cuts[low] === value ? 2 : 1);
}

/** Several rows in one pass: the loop is bound by its writes and checks, not by the ANDs. */
function intersect(acc: Int32Array, block: Int32Array, rows: Int32Array, count: number): void {
  let i = 0;
  for (; i + 7 < count; i += 8) {
    const [a, b, c, d] = [rows[i]!, rows[i + 1]!, rows[i + 2]!, rows[i + 3]!];
    const [e, f, g, h] = [rows[i + 4]!, rows[i + 5]!, rows[i + 6]!, rows[i + 7]!];
    for (let w = 0; w < acc.length; w++) {
      acc[w]! &=
        block[a + w]! &
        block[b + w]! &
        block[c + w]! &
        block[d + w]! &
        block[e + w]! &
        block[f + w]! &
        block[g + w]! &
        block[h + w]!;
    }
  }
  for (; i < count; i++) {
    const a = rows[i]!;
    for (let w = 0; w < acc.length; w++) acc[w]! &= block[a + w]!;
  }
}
