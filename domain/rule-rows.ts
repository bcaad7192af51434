// Columns as the index reads them: in which bucket a finding lies, and which slots each bucket rules out.
import type { Atom, Column, Found, Sight, Turn } from './rule-node.ts';
import { instantOf } from './time.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** Rows are made as buckets are met and kept up to about this many bytes; then all are dropped and made anew. */
const ROW_BYTES = 8 * 2 ** 20;
/** Zones whose midnights are kept, per column. */
const ZONES = 64;
/** Below so many words a row is always whole: there is nothing to be saved. */
const SHORT = 16;

/** Words of slots up to which a column is not read where all slots that depend on it are ruled out already. */
export const FEW = 4;

/** Codes of rows: not made yet; made, and nothing is ruled out. */
export const UNKNOWN = 0;
export const NOTHING = 1;

export type Asked = Pick<Atom, 'test' | 'next'>;

/**
 * The rows of all columns in one block. A row holds the slots that a finding does not rule out; its code is its place
 * where it is whole (a word for each 32 slots), and minus its place where it lists the words that are not all ones: how
 * many, then each word's number and bits.
 */
export class Rows {
  block = new Int32Array(1024);
  #used = 2;
  /** All ones between uses. */
  readonly #scratch: Int32Array;

  constructor(words: number) {
    this.#scratch = new Int32Array(words).fill(-1);
  }

  get bytes(): number {
    return this.block.byteLength;
  }

  get full(): boolean {
    return this.#used * 4 > ROW_BYTES;
  }

  drop(): void {
    this.block = new Int32Array(1024);
    this.#used = 2;
  }

  /** Makes a row: `clear` takes what is ruled out off one that is all ones. Its code; codes of other rows stay. */
  add(clear: (row: Int32Array) => void): number {
    const row = this.#scratch;
    try {
      clear(row);
    } catch (error) {
      row.fill(-1);
      throw error;
    }
    const touched: number[] = [];
    for (let word = 0; word < row.length; word++) if (row[word] !== -1) touched.push(word);
    if (touched.length === 0) return NOTHING;
    const whole = row.length < SHORT || touched.length * 4 > row.length;
    const code = this.#take(whole ? row.length : 1 + 2 * touched.length);
    if (whole) this.block.set(row, code);
    else {
      this.block[code] = touched.length;
      for (const [i, word] of touched.entries()) {
        this.block[code + 1 + 2 * i] = word;
        this.block[code + 2 + 2 * i] = row[word]!;
      }
    }
    for (const word of touched) row[word] = -1;
    return whole ? code : -code;
  }

  equal(a: number, b: number): boolean {
    if (a === b) return true;
    if (a === NOTHING || b === NOTHING || a > 0 !== b > 0) return false;
    const [x, y] = [Math.abs(a), Math.abs(b)];
    const length = a > 0 ? this.#scratch.length : 1 + 2 * this.block[x]!;
    for (let i = 0; i < length; i++) if (this.block[x + i] !== this.block[y + i]) return false;
    return true;
  }

  #take(length: number): number {
    const at = this.#used;
    this.#used += length;
    if (this.#used > this.block.length) {
      const grown = new Int32Array(Math.max(this.#used, Math.ceil(this.block.length * 1.5)));
      grown.set(this.block);
      this.block = grown;
    }
    return at;
  }
}

/** Cuts, and the codes of the rows by bucket. */
export interface Buckets {
  cuts: Float64Array;
  rows: Int32Array;
}

/**
 * One column: its atoms, each with the slots that stand and fall with it. Bucket 0 is "nothing found"; of ordered
 * families 1 lies below the first cut, 2 on it, 3 between the first and the second …; of `equal`, 1 is anything but a
 * constant.
 */
export class IndexedColumn {
  readonly column: Column;
  /** Ascending; of the families `number`, `instant` and `age`. */
  cuts = new Float64Array(0);
  /** Constants of an `equal` column → bucket. */
  readonly constants = new Map<Found, number>();
  readonly #cuts = new Set<string | number | boolean>();
  #literals: number[] = [];
  readonly #asked: Asked[] = [];
  /** Of each atom: slot × 2, + 1 where it must be false. */
  #slots = new Int32Array(0);
  #numeric = false;
  /** The slots that depend on it, where they are few. */
  #mask = new Int32Array(0);
  readonly #zones = new Map<string, Buckets>();
  /** Zones in which the dates begin in the same order share their rows. */
  readonly #orders = new Map<string, Int32Array>();

  constructor(column: Column) {
    this.column = column;
  }

  addCuts(cuts: Atom['cuts']): void {
    for (const cut of cuts) this.#cuts.add(cut);
  }

  /** A slot that holds only where the atom does, or, negated, only where it does not. */
  addLiteral(asked: Asked, slot: number, negated: boolean): void {
    this.#asked.push(asked);
    this.#literals.push(slot * 2 + (negated ? 1 : 0));
  }

  /** No atom follows: lays out what was added, for so many words of slots. Throws a RangeError on a cut of a `date` column that is no date. */
  seal(words: number): void {
    this.#slots = Int32Array.from(this.#literals);
    this.#literals = [];
    if (words <= FEW) {
      this.#mask = new Int32Array(words);
      for (const literal of this.#slots) this.#mask[literal >>> 6]! |= 1 << ((literal >>> 1) & 31);
    }
    const { family } = this.column;
    if (family === 'date') {
      this.midnights('UTC');
      return;
    }
    if (family === 'equal') for (const constant of this.#cuts) this.#addConstant(constant);
    else if (family !== 'other') this.cuts = Float64Array.from(this.#cuts as Set<number>).sort();
    this.#cuts.clear();
  }

  /**
   * Whether nothing that depends on it can hold any more. What ruled it out turns first: until then the column changes
   * no answer, now or later.
   */
  ruledOut(slots: Int32Array): boolean {
    const mask = this.#mask;
    for (let word = 0; word < mask.length; word++) if ((slots[word]! & mask[word]!) !== 0) return false;
    return true;
  }

  /** How many answers depend on it. */
  get weight(): number {
    return this.#asked.length;
  }

  /** How many buckets it has; those of dates are kept by zone (`midnights`). */
  get buckets(): number {
    return this.column.family === 'equal' ? this.constants.size + 2 : 2 * this.cuts.length + 2;
  }

  /** The bucket of a finding of an `equal` column; −1 where it lies in none. */
  constantOf(found: Found): number {
    if (found === undefined || found === null) return 0;
    const known = this.constants.get(found);
    if (known !== undefined) return known;
    return typeof found === 'object' || (this.#numeric && typeof found === 'string' && oddNumber(found)) ? -1 : 1;
  }

  /** Cuts at the midnights with which the dates begin in a zone, and the rows between them. */
  midnights(zone: string): Buckets {
    const known = this.#zones.get(zone);
    if (known !== undefined) return known;
    if (this.#zones.size >= ZONES) this.#zones.clear();
    const instants = [...this.#cuts].map((cut) =>
      typeof cut === 'string' ? instantOf(cut, '00:00', zone) : Number(cut),
    );
    const cuts = Float64Array.from(new Set(instants)).sort();
    // Where a zone skips a day, two dates begin at once: its buckets are others.
    const order = instants.map((instant) => cuts.indexOf(instant)).join();
    const rows = this.#orders.get(order) ?? new Int32Array(2 * cuts.length + 2);
    this.#orders.set(order, rows);
    const buckets = { cuts, rows };
    this.#zones.set(zone, buckets);
    return buckets;
  }

  /** Forgets the rows of dates: their codes mean nothing any more. */
  dropRows(): void {
    this.#orders.clear();
    this.#zones.clear();
  }

  /** Takes off a row all slots that a finding rules out. */
  clear(found: Found, sight: Sight, row: Int32Array): void {
    for (let k = 0; k < this.#asked.length; k++) {
      const literal = this.#slots[k]!;
      const wanted = (literal & 1) === 0;
      if (this.#asked[k]!.test(found, sight) !== wanted) row[literal >>> 6]! &= ~(1 << ((literal >>> 1) & 31));
    }
  }

  /** The same for a finding that lies in no bucket, and when that can change. Lowers `turn`. */
  ask(found: Found, sight: Sight, turn: Turn, row: Int32Array): void {
    this.clear(found, sight, row);
    for (let k = 0; k < this.#asked.length; k++) {
      const next = this.#asked[k]!.next(found, sight);
      if (next < turn.at) turn.at = next;
    }
  }

  /**
   * Of an `age` column: the first age above the bucket's at which the row, made by `rowAt` for a finding in a bucket, is
   * another one; Infinity where none is.
   */
  nextAge(from: number, now: number, differs: (bucket: number, found: number) => boolean): number {
    const { cuts } = this;
    for (let bucket = from + 1; bucket <= 2 * cuts.length + 1; bucket++) {
      const cut = cuts[(bucket >>> 1) - 1]!;
      const age = bucket % 2 === 0 ? cut : cut + 1;
      if (age === NEVER) return NEVER;
      // Instants are whole milliseconds: there may be none between two cuts.
      if (bucket % 2 === 1 && age >= (cuts[bucket >>> 1] ?? NEVER)) continue;
      if (differs(bucket, now - age)) return age;
    }
    return NEVER;
  }

  #addConstant(constant: string | number | boolean): void {
    const add = (one: string | number | boolean): void => {
      if (!this.constants.has(one)) this.constants.set(one, this.constants.size + 2);
    };
    add(constant);
    if (typeof constant === 'number') {
      this.#numeric = true;
      add(String(constant));
    } else if (typeof constant === 'string' && String(Number(constant)) === constant) add(Number(constant));
  }
}

/** "5.0" and "05" are the number 5 for some comparisons and not its text: they belong to no bucket. */
function oddNumber(text: string): boolean {
  return /^-?\d+(\.\d+)?$/.test(text) && String(Number(text)) !== text;
}
