// What a compiled rule is made of: columns that are read, atoms that compare, nodes that join them.
import type { Contact } from './contact.ts';
import type { CounterState } from './counter.ts';
import type { Counter } from './counting.ts';
import type { Models } from './insight/models.ts';
import type { Json } from './interaction.ts';
import type { Around } from './where.ts';

/** One contact at one instant, as rules see it. */
export interface Sight extends Around {
  contact: Contact;
  /** The shop's zone: calendar words about money follow it; those about anything else, the contact's. */
  shopZone: string;
  /** What insight has fitted; absent before the first fit. */
  models?: Models;
  /** The loyalty tier that the contact has reached at this instant; absent where there are none. */
  tier?(): string | undefined;
  /** Whether the contact is in a segment at this instant. */
  inSegment(id: string): boolean;
  /** Counters of the run that is asked for; absent in segments. */
  runCounters?: Record<string, CounterState>;
}

/** What a column finds: a scalar, several of them (an attribute that is a list), or nothing. */
export type Found = Json | undefined;

/** The earliest instant after now at which time alone can change something: lowered by whoever knows one. */
export interface Turn {
  at: number;
}

/** Something that is read of a contact. Columns with equal keys read the same. */
export interface Column {
  key: string;
  /**
   * How what is found is sorted, so that every atom of the column answers alike within a bucket, by the atoms' `cuts`:
   * `equal` texts and booleans (numbers as their text); `number`; `instant` epoch milliseconds; `date` instants, cut at
   * the midnights that begin dates in the contact's zone; `age` instants, cut by `now − instant` in milliseconds;
   * `other` not sorted: each atom is asked.
   */
  family: 'equal' | 'number' | 'instant' | 'date' | 'age' | 'other';
  /**
   * In `number`, `instant`, `date` and `age` numbers only. Lowers `turn.at` to the earliest instant after `sight.now` at
   * which time alone changes what is found; that an age reaches a cut is not a change of what is found.
   */
  read(sight: Sight, turn: Turn): Found;
}

/** One comparison of what one column finds. */
export interface Atom {
  column: Column;
  /** Where the answer may change: below, at and above each; of `equal`: for each. Empty in `other`. */
  cuts: readonly (string | number | boolean)[];
  test(found: Found, sight: Sight): boolean;
  /** The earliest instant after now at which the answer for this finding can turn by time alone; Infinity = never. */
  next(found: Found, sight: Sight): number;
}

/** A rule as compiled. A `segment` is asked of the sight. */
export type Node =
  | { kind: 'all' | 'any'; parts: Node[] }
  | { kind: 'not'; part: Node }
  | { kind: 'segment'; id: string }
  | { kind: 'atom'; atom: Atom };

export interface RuleContext {
  currency: string;
  /** Default brand of consents: the campaign's, else the first. */
  brand: string;
  catalogueHash: string;
  /** Property names that hold money of the shop's currency. */
  isMoney(event: string, property: string): boolean;
  /** Loyalty tiers, the lowest first; absent where there are none. */
  tiers?: readonly string[];
  /** Counters shared by all rules of the book, by id. */
  counters: Map<string, Counter>;
  /** Counters of one campaign's runs; absent in segments. */
  runCounters?: Map<string, Counter>;
}

/** A node of one atom; the complement of a node; all of several, or the one that there is. */
export const atom = (one: Atom): Node => ({ kind: 'atom', atom: one });
export const not = (part: Node): Node => ({ kind: 'not', part });
export const all = (parts: Node[]): Node => (parts.length === 1 ? (parts[0] as Node) : { kind: 'all', parts });

/** What is made once for the segments of one book, and for the rules of one campaign. */
const made = new WeakMap<RuleContext['counters'], { columns: Map<string, Column>; nodes: Map<string, Node> }>();

function madeFor(place: RuleContext['counters']) {
  const known = made.get(place);
  if (known !== undefined) return known;
  const fresh = { columns: new Map<string, Column>(), nodes: new Map<string, Node>() };
  made.set(place, fresh);
  return fresh;
}

/** Rules repeat each other: a clause that reads alike is compiled once. */
export function once(said: unknown, context: RuleContext, make: () => Node): Node {
  const { nodes } = madeFor(context.runCounters ?? context.counters);
  const text = JSON.stringify(said);
  const node = nodes.get(text) ?? make();
  nodes.set(text, node);
  return node;
}

/** Columns with equal keys are one; those of a run's counters are its campaign's own. */
export function columnOf(
  key: string,
  family: Column['family'],
  context: RuleContext,
  read: () => Column['read'],
): Column {
  const { columns } = madeFor((key.startsWith('run|') ? context.runCounters : undefined) ?? context.counters);
  const column = columns.get(key) ?? { key, family, read: read() };
  columns.set(key, column);
  return column;
}
