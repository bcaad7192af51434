// The ledger of erasures, and what a line of the lake loses by it. It stands in the bucket: no restored table brings anybody back.
import type { JsonObject, SubjectKey } from '../../domain/interaction.ts';
import type { Files } from './bucket.ts';
import type { Kind, Line } from './lake.ts';
import { key, pooled, type Table } from './table.ts';

export const ERASED_PREFIX = 'erased/';
const SHAPE = 1;

/** One person who was erased: ids and hashes, nothing else. */
export interface Erasure {
  shape: number;
  contact: string;
  /** Every contact that this person was, those merged into it among them. */
  contacts: string[];
  /** The subject keys under which their interactions stood. */
  subjects: SubjectKey[];
  /** Up to which event time; who comes back afterwards is somebody new. Epoch milliseconds. */
  at: number;
  /** Nothing of them is in the lake before this day. */
  since: string;
  by: string;
  /** Orders that were theirs, while it is under way; the shop's own number of an order is not kept here. */
  orders?: string[];
  /** When the table and the lake were through with it; absent = it must be gone on with. */
  done?: number;
}

/** Everybody who was erased. */
export interface Gone {
  contacts: ReadonlySet<string>;
  /** Subject → up to which event time. */
  subjects: ReadonlyMap<SubjectKey, number>;
  /** The first day on which the lake can hold anything of them. */
  since: string;
}

export function goneOf(erasures: readonly Erasure[]): Gone {
  const contacts = new Set(erasures.flatMap((one) => one.contacts));
  const subjects = new Map<SubjectKey, number>();
  for (const { subjects: keys, at } of erasures) {
    for (const key of keys) subjects.set(key, Math.max(at, subjects.get(key) ?? at));
  }
  return { contacts, subjects, since: erasures.reduce((min, { since }) => (since < min ? since : min), '9999-12-31') };
}

/** Where the entry of a contact stands. */
export const erasureName = (contact: string): string => `${ERASED_PREFIX}${encodeURIComponent(contact)}.json`;

/** Writes an entry, over what stands there. */
export async function writeErasure(bucket: Files, erasure: Omit<Erasure, 'shape'>): Promise<void> {
  const text = JSON.stringify({ shape: SHAPE, ...erasure });
  await bucket.put(erasureName(erasure.contact), text, 'application/json');
}

/** The entry of a contact; undefined when nobody began to erase it. */
export async function readErasure(bucket: Files, contact: string): Promise<Erasure | undefined> {
  const text = await bucket.get(erasureName(contact));
  return text === undefined ? undefined : (JSON.parse(text) as Erasure);
}

/** The entries as they stand, of which each is read once: who holds a ledger asks it again for little. */
export class Ledger {
  readonly #bucket: Files;
  #known = new Map<string, { tag: string; erasure: Erasure }>();

  constructor(bucket: Files) {
    this.#bucket = bucket;
  }

  /** All entries now, and whether any is new since the last time. */
  async read(): Promise<{ erasures: Erasure[]; news: boolean }> {
    const listed = new Map<string, string>();
    for await (const { name, tag } of this.#bucket.list(ERASED_PREFIX)) listed.set(name, tag);
    const stale = [...listed].filter(([name, tag]) => this.#known.get(name)?.tag !== tag);
    await pooled(stale, 16, async ([name]) => {
      const found = await this.#bucket.read(name);
      if (found === undefined) return;
      const erasure = JSON.parse(Buffer.from(found.body).toString()) as Erasure;
      this.#known.set(name, { tag: found.tag, erasure });
    });
    return { erasures: [...this.#known.values()].map(({ erasure }) => erasure), news: stale.length > 0 };
  }
}

/** Who of those that lines speak of was erased, by the marks in the table; about one read unit for each of them. */
export async function goneAmong(table: Pick<Table, 'read'>, lines: Line[]): Promise<Gone> {
  const named = new Set(
    lines.flatMap(({ line: { subject, contact, into } }) =>
      [subject, contact && `contact#${String(contact)}`, into && `contact#${String(into)}`].filter(
        (each) => typeof each === 'string',
      ),
    ),
  );
  const found = await table.read([...named].map(key.erased));
  const contacts = new Set<string>();
  const subjects = new Map<SubjectKey, number>();
  for (const subject of named) {
    const mark = found.get(key.erased(subject));
    if (mark === undefined) continue;
    subjects.set(subject, mark.at as number);
    if (subject.startsWith('contact#')) contacts.add(subject.slice('contact#'.length));
  }
  return { contacts, subjects, since: '' };
}

/**
 * What is left of a line: the line itself where it is of nobody who is gone, a line without its contact where it is
 * money, nothing where it is about a person. An interaction that happened after its person was erased is of somebody new.
 */
export function withoutGone(kind: Kind, line: JsonObject, { contacts, subjects }: Gone): JsonObject | undefined {
  const of = (id: JsonObject[string] | undefined): boolean => typeof id === 'string' && contacts.has(id);
  switch (kind) {
    case 'interactions': {
      const until = subjects.get(line.subject as SubjectKey);
      return until !== undefined && Date.parse(line.at as string) <= until ? undefined : line;
    }
    case 'orders': {
      if (!of(line.contact)) return line;
      const { contact: _, ...rest } = line;
      return rest;
    }
    case 'contacts':
      return of(line.contact) || of(line.into) ? undefined : line;
    case 'messages':
    case 'decisions':
    case 'feedback':
      return of(line.contact) ? undefined : line;
    case 'lines':
      return line;
  }
}
