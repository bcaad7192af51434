// Rules as slots: each in negation normal form, a slot for each conjunction, alternatives in layers.
import type { Column, Found, Node, Sight } from './rule-node.ts';
import { type Asked, IndexedColumn } from './rule-rows.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** Groups of more alternatives than this are answered bit by bit: layers of single bits would be mostly air. */
const LAYERS = 8;
/** Below so many rules there are no layers: each would be mostly air. */
const MANY = 64;

/** A rule in negation normal form. */
type Form =
  | { kind: 'fixed'; value: boolean }
  | { kind: 'one'; column: IndexedColumn; asked: Asked; negated: boolean }
  | { kind: 'rule'; place: number; negated: boolean }
  | { kind: 'all' | 'any'; parts: Form[] };
type Group = Extract<Form, { kind: 'all' | 'any' }>;

/** Lays rules out in slots: rules first, those with most alternatives at the front, then the layers, then the rest. */
export class Plan {
  readonly ids: string[];
  readonly columns: IndexedColumn[];
  readonly base: Int32Array<ArrayBuffer>;
  readonly layers: { word: number; words: number }[] = [];
  readonly steps: number[] = [];
  readonly #known = new Map<string, IndexedColumn>();
  /** By place given. */
  readonly #forms: Form[] = [];
  readonly #given = new Map<string, number>();
  /** Place given → place in the answers. */
  readonly #placed: Int32Array;
  #slots = 0;

  constructor(rules: readonly { id: string; node: Node }[]) {
    for (const [place, { id, node }] of rules.entries()) {
      this.#forms.push(this.#formOf(node, false));
      this.#given.set(id, place);
    }
    const plain = this.#forms.map((form) => (rules.length < MANY ? undefined : plainAny(form)));
    const alternatives = (place: number): number => plain[place]?.parts.length ?? 0;
    const order: number[] = [];
    for (let many = LAYERS; many >= 0; many--) {
      for (let place = 0; place < rules.length; place++) if (alternatives(place) === many) order.push(place);
    }
    this.ids = order.map((place) => rules[place]!.id);
    this.#placed = new Int32Array(rules.length);
    for (const [bit, place] of order.entries()) this.#placed[place] = bit;
    let word = (rules.length + 31) >>> 5;
    const last: number[] = [];
    for (let j = 0; order.length > 0 && alternatives(order[0]!) > j; j++) {
      const have = order.findIndex((place) => alternatives(place) <= j);
      last.push(have === -1 ? order.length : have);
      const words = (last[j]! + 31) >>> 5;
      this.layers.push({ word, words });
      word += words;
    }
    this.#slots = word << 5;
    const never: number[] = [];
    for (const [place, form] of this.#forms.entries()) {
      const bit = this.#placed[place]!;
      if (form.kind === 'fixed') {
        if (!form.value) never.push(bit);
      } else this.#place(form, bit, plain[place]);
    }
    this.base = new Int32Array((this.#slots + 31) >>> 5).fill(-1);
    const clear = (from: number, to: number): void => {
      for (let slot = from; slot < to; slot++) this.base[slot >>> 5]! &= ~(1 << (slot & 31));
    };
    clear(rules.length, ((rules.length + 31) >>> 5) << 5);
    for (const bit of never) clear(bit, bit + 1);
    // A rule without a third alternative has none that holds; of the first two it has both or stands beyond their layer.
    for (let j = 2; j < this.layers.length; j++) {
      const { word: from, words } = this.layers[j]!;
      clear((from << 5) + last[j]!, (from + words) << 5);
    }
    for (const column of this.#known.values()) column.seal(this.base.length);
    this.columns = [...this.#known.values()].filter((column) => column.weight > 0);
  }

  #formOf(node: Node, negated: boolean): Form {
    switch (node.kind) {
      case 'not':
        return this.#formOf(node.part, !negated);
      case 'atom': {
        const column = this.#columnOf(node.atom.column);
        column.addCuts(node.atom.cuts);
        return { kind: 'one', column, asked: node.atom, negated };
      }
      case 'segment': {
        const place = this.#given.get(node.id);
        if (place === undefined) return { kind: 'fixed', value: negated };
        const form = this.#forms[place]!;
        if (form.kind === 'fixed') return { kind: 'fixed', value: form.value !== negated };
        if (form.kind === 'one' || form.kind === 'rule') return { ...form, negated: form.negated !== negated };
        return { kind: 'rule', place, negated };
      }
      default: {
        const kind = (node.kind === 'all') === negated ? 'any' : 'all';
        return grouped(
          kind,
          node.parts.map((part) => this.#formOf(part, negated)),
        );
      }
    }
  }

  #columnOf(column: Column): IndexedColumn {
    let known = this.#known.get(column.key);
    if (known === undefined) {
      known = new IndexedColumn(column);
      this.#known.set(column.key, known);
    }
    return known;
  }

  /** Puts a form under a slot, which then holds only where the form does. `layered` is the rule's group in the layers. */
  #place(form: Form, slot: number, layered?: Group): void {
    if (form.kind === 'fixed') throw new Error('a fixed part is no part of a group');
    if (form.kind === 'one') form.column.addLiteral(form.asked, slot, form.negated);
    else if (form.kind === 'rule') this.steps.push(slot, 1, this.#operand(form));
    else if (form.kind === 'all') for (const part of form.parts) this.#place(part, slot, layered);
    else if (form === layered) {
      for (const [j, part] of form.parts.entries()) this.#place(part, (this.layers[j]!.word << 5) + slot);
    } else {
      const operands = form.parts.map((part) => {
        if (part.kind === 'rule') return this.#operand(part);
        const own = this.#slots++;
        this.#place(part, own);
        return own * 2;
      });
      this.steps.push(slot, operands.length);
      for (const operand of operands) this.steps.push(operand);
    }
  }

  #operand({ place, negated }: { place: number; negated: boolean }): number {
    return this.#placed[place]! * 2 + (negated ? 1 : 0);
  }
}

/** A group with what is fixed worked in, groups of its own kind taken up, and alternatives in one column made one. */
function grouped(kind: 'all' | 'any', given: Form[]): Form {
  const deciding = kind === 'any';
  let parts: Form[] = [];
  for (const part of given) {
    if (part.kind === kind) for (const each of part.parts) parts.push(each);
    else if (part.kind !== 'fixed') parts.push(part);
    else if (part.value === deciding) return part;
  }
  if (deciding && parts.length > 1) parts = joined(parts);
  if (parts.length === 0) return { kind: 'fixed', value: !deciding };
  return parts.length === 1 ? parts[0]! : { kind, parts };
}

function joined(parts: Form[]): Form[] {
  const byColumn = new Map<IndexedColumn, Form[]>();
  const rest: Form[] = [];
  for (const part of parts) {
    const column = soleColumn(part);
    const own = column === undefined ? undefined : byColumn.get(column);
    if (own !== undefined) own.push(part);
    else if (column !== undefined) byColumn.set(column, [part]);
    else rest.push(part);
  }
  for (const [column, own] of byColumn) {
    rest.push(own.length === 1 ? own[0]! : { kind: 'one', column, asked: together(own), negated: false });
  }
  return rest;
}

/** The one column that a form reads, if it reads only one and no other rule. */
function soleColumn(form: Form): IndexedColumn | undefined {
  if (form.kind === 'one') return form.column;
  if (form.kind === 'rule' || form.kind === 'fixed') return undefined;
  const first = soleColumn(form.parts[0]!);
  return first !== undefined && form.parts.every((part) => soleColumn(part) === first) ? first : undefined;
}

/** Alternatives in one column as one atom. */
function together(parts: Form[]): Asked {
  const test = (form: Form, found: Found, sight: Sight): boolean => {
    if (form.kind === 'one') return form.asked.test(found, sight) !== form.negated;
    const some = form.kind === 'any';
    for (const part of (form as Group).parts) if (test(part, found, sight) === some) return some;
    return !some;
  };
  const next = (form: Form, found: Found, sight: Sight): number =>
    form.kind === 'one'
      ? form.asked.next(found, sight)
      : (form as Group).parts.reduce((first, part) => Math.min(first, next(part, found, sight)), NEVER);
  const any: Group = { kind: 'any', parts };
  return { test: (found, sight) => test(any, found, sight), next: (found, sight) => next(any, found, sight) };
}

const isAtom = (form: Form): boolean => form.kind === 'one';
const isPlain = (form: Form): boolean =>
  form.kind === 'any' &&
  form.parts.length <= LAYERS &&
  form.parts.every((part) => isAtom(part) || (part.kind === 'all' && part.parts.every(isAtom)));

/** The first group of alternatives of a rule that can go into the layers: each a plain conjunction of atoms. */
function plainAny(form: Form): Group | undefined {
  const parts = form.kind === 'all' ? form.parts : [form];
  return parts.find(isPlain) as Group | undefined;
}
