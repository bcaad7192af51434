// Before a book is published: what it makes of some of the people who are there, and how many there are.
import type { Book, Definitions } from '../domain/book.ts';
import type { CompiledCampaign } from '../domain/compiled-campaign.ts';
import type { Contact } from '../domain/contact.ts';
import { sightOf } from '../domain/eligibility.ts';
import { KairosError } from '../domain/fault.ts';
import { type AskedContact, askContact, unanswerable } from '../domain/reach.ts';
import type { Sight } from '../domain/rule-node.ts';
import { tierOf } from '../domain/tiers.ts';
import { BookStore } from '../functions/aws/book-store.ts';
import type { Bucket } from '../functions/aws/bucket.ts';
import { Recorder, type Rehearsed } from '../functions/aws/recorder.ts';
import { shardText, type Table } from '../functions/aws/table.ts';

const SAMPLE = 200;
/** Contacts of whole shards that are read at least: enough to say how many there are in all, within a few percent. */
const ENOUGH = 1000;
const PAGE = 1000;
/** Of a walk over all contacts, which are read whole. */
const A_PAGE = 100;
const SHARDS_AT_ONCE = 8;

/** Some contacts, evenly from whole shards, into which contacts fall by chance. */
export interface Sample {
  ids: string[];
  /** How many contacts there are, to within a few percent; exactly where `exact`. */
  contacts: number;
  exact: boolean;
}

/**
 * Reads the roster of one shard, of further ones while there are few contacts. Costs about half a read unit for each 70
 * contacts of those shards.
 */
export async function sampleContacts(table: Table, most: number = SAMPLE): Promise<Sample> {
  const ids: string[] = [];
  let shards = 0;
  while (shards < table.shards && ids.length < ENOUGH) {
    const width = shards === 0 ? 1 : Math.min(SHARDS_AT_ONCE, table.shards - shards);
    const read = await Promise.all(Array.from({ length: width }, (_, n) => shardOfRoster(table, shards + n)));
    ids.push(...read.flat());
    shards += width;
  }
  const count = Math.min(most, ids.length);
  return {
    ids: Array.from({ length: count }, (_, n) => ids[Math.floor((n * ids.length) / count)] as string),
    contacts: Math.round((ids.length * table.shards) / shards),
    exact: shards === table.shards,
  };
}

async function shardOfRoster(table: Table, shard: number): Promise<string[]> {
  const ids: string[] = [];
  let from: Record<string, unknown> | undefined;
  do {
    const page = await table.roster(shardText(shard), PAGE, from);
    for (const { pk } of page.items) ids.push(pk.slice('CONTACT#'.length));
    from = page.next;
  } while (from !== undefined);
  return ids;
}

/** How many of a sample a segment that is new or changed holds. */
export interface SegmentChange {
  id: string;
  change: 'new' | 'changed';
  /** Contacts of the sample that are in it under the new book. */
  inside: number;
  /** Contacts of the sample that are in it as they are stored; absent where it is new. */
  before?: number;
}

/** The roster of all contacts, page by page. */
export async function* eachContact(table: Table): AsyncGenerator<string[]> {
  for (let shard = 0; shard < table.shards; shard++) {
    let from: Record<string, unknown> | undefined;
    do {
      const page = await table.roster(shardText(shard), A_PAGE, from);
      yield page.items.map(({ pk }) => pk.slice('CONTACT#'.length));
      from = page.next;
    } while (from !== undefined);
  }
}

interface RehearseDeps {
  table: Table;
  bucket: Bucket;
  now: number;
}

/**
 * Contacts as they are, and as a book makes them that is not published yet, as the walk over all of them will; nothing
 * is written. Throws KairosError `publish.sample` at the first contact over which the book cannot decide.
 */
export async function rehearse(
  book: Book,
  ids: string[],
  { table, bucket, now }: RehearseDeps,
): Promise<{ before: Contact; after: Contact }[]> {
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  const books = new BookStore({ table, bucket, now: () => now, log: silent });
  const newId = (): string => {
    throw new Error('a rehearsal makes no contact');
  };
  const recorder = new Recorder({ table, books, now: () => now, newId });
  const rehearsed = await recorder.rehearse(ids, book);
  return rehearsed.map((one) => {
    if ('after' in one) return one;
    throw faultOver(book, one, now);
  });
}

/** What a broadcast that is new or changed comes to for the sampled contacts. */
export interface BroadcastAnswers {
  campaign: CompiledCampaign;
  answers: AskedContact[];
}

/**
 * Decides over the sampled contacts with a book that is not published yet. Answers what is in each segment that is new
 * or changed, and what each new or changed broadcast comes to. Throws KairosError `publish.sample` at the first contact
 * over which the book cannot decide, naming the segment where it is one's fault.
 */
export async function rehearseBook(
  book: Book,
  before: Definitions | undefined,
  ids: string[],
  deps: RehearseDeps,
): Promise<{ sampled: number; segments: SegmentChange[]; reaches: BroadcastAnswers[] }> {
  const made = await rehearse(book, ids, deps);
  const inside = (contacts: Contact[], id: string): number =>
    contacts.filter(({ journey }) => journey.segments[id]?.since !== undefined).length;
  const segments = changedSegments(book.definitions, before).map(({ id, change }) => ({
    id,
    change,
    inside: inside(
      made.map((one) => one.after),
      id,
    ),
    ...(change === 'changed' && {
      before: inside(
        made.map((one) => one.before),
        id,
      ),
    }),
  }));
  const changed = book.starts.broadcast.filter(
    (one) => before?.campaigns[one.id]?.version !== one.version && unanswerable(one) === undefined,
  );
  const reaches = changed.map((campaign) => ({
    campaign,
    answers: made.map(({ after }) => askContact(book, campaign, after, deps.now)),
  }));
  return { sampled: made.length, segments, reaches };
}

/** Segments that this book fills anew, those of which only a setting or the catalogue has changed among them. */
function changedSegments(
  { ordinal, segments }: Definitions,
  before: Definitions | undefined,
): { id: string; change: 'new' | 'changed' }[] {
  return Object.keys(segments)
    .filter((id) => segments[id]?.since === ordinal)
    .sort()
    .map((id) => ({ id, change: before?.segments[id] === undefined ? 'new' : 'changed' }));
}

/** What AWS refuses is no fault of the book. */
function faultOver(book: Book, { before: contact, error }: Extract<Rehearsed, { error: unknown }>, now: number): Error {
  if (error instanceof Error && '$metadata' in error) return error;
  const segment = throwing(book, contact, now);
  // The text of an error can quote what is known of the person.
  const name = error instanceof Error ? error.name : typeof error;
  return new KairosError(
    {
      code: 'publish.sample',
      ...(segment !== undefined && {
        file: tierOf(segment) === undefined ? `segments/${segment}.json` : 'loyalty.json',
      }),
      path: segment === undefined ? '' : 'rule',
      message: `${segment === undefined ? 'The book' : 'The rule'} cannot be decided over contact ${contact.id} (${name}): nothing was published.`,
      remedy: `This is a fault of Kairos, or of what is stored: look at npx kairos contact ${contact.id}, and say the rule in another way meanwhile.`,
    },
    { cause: error },
  );
}

/** The first segment whose own rule throws; none where the fault lies elsewhere. */
function throwing(book: Book, contact: Contact, now: number): string | undefined {
  const seen = attempt(() => sightOf(book, contact, now));
  if ('error' in seen) return undefined;
  // One after another, so that the fault of one is not laid at another's door.
  const sight: Sight = { ...seen.value, inSegment: (id) => book.segment.get(id)?.rule.test(sight) ?? false };
  return book.segments.find(({ rule }) => 'error' in attempt(() => [rule.test(sight), rule.next(sight)]))?.id;
}

function attempt<T>(work: () => T): { value: T } | { error: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}
