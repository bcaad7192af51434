// Before the pointer moves: a book is tried with some of the people who are there, and says whom it would hold.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFilling, sayFilling, secondsLeft, stalledFor } from '../../cli/filling.ts';
import { publish as publishTemplates, type Shelf } from '../../cli/publish.ts';
import { sayPublished } from '../../cli/publish-command.ts';
import { rehearseBook, sampleContacts } from '../../cli/sample.ts';
import type { Templates } from '../../cli/templates-folder.ts';
import { type Book, compileBook, type Definitions } from '../../domain/book.ts';
import { newContact } from '../../domain/contact.ts';
import type { KairosError } from '../../domain/fault.ts';
import type { Segment } from '../../domain/grammar.ts';
import { contactItem, key, pooled, readContact, type Table } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { benchOver, definitions, type MemoryBucket, MINUTE, NOON, publish, purchase } from './fixtures.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const idle = { paused: {}, filled: 1 };

/** A shop under the first book, in which `buyers` people have ordered, the first of them twice. */
async function shop(buyers: number, repeaters: number) {
  const table = await engine.table(2);
  const bench = benchOver(table);
  await publish(table, bench.bucket, definitions());
  const orders = Array.from({ length: buyers }, (_, n) => purchase({ id: `m${n}`, order: `o${n}`, user: `p${n}` }));
  const more = Array.from({ length: repeaters }, (_, n) => purchase({ id: `n${n}`, order: `q${n}`, user: `p${n}` }));
  await bench.recorder.record([...orders, ...more].map((interaction) => ({ interaction })));
  return bench;
}

/** Contacts that are stored without having been decided over. */
async function crowd(table: Table, count: number): Promise<void> {
  await pooled(
    Array.from({ length: count }, (_, n) => `c${String(n).padStart(5, '0')}`),
    32,
    async (id) => void (await table.create(contactItem(newContact(id, NOON), 1, table.shards))),
  );
}

/** What is stored, to be compared. */
async function stored(table: Table): Promise<unknown[]> {
  const pages = await Promise.all(['00', '01'].map((shard) => table.roster(shard, 100)));
  const found = await table.read(pages.flatMap(({ items }) => items.map(({ pk }) => ({ pk, sk: 'CONTACT' }))));
  return pages.flatMap(({ items }) => items.map(({ pk }) => readContact(found.get({ pk, sk: 'CONTACT' })!)));
}

const following = (segments: Record<string, Segment['rule']>): Definitions => {
  const book = definitions({ ordinal: 2 });
  for (const [id, rule] of Object.entries(segments)) book.segments[id] = { rule, ordinal: 9, since: 2 };
  return book;
};

describe('a sample', () => {
  it('is everybody where there are few, and counts them exactly', async () => {
    const { table } = await shop(7, 0);
    const { ids, contacts, exact } = await sampleContacts(table);
    expect([new Set(ids).size, contacts, exact]).toEqual([7, 7, true]);
    expect(await sampleContacts(await engine.table(2))).toEqual({ ids: [], contacts: 0, exact: true });
  });

  it('is 200 of a shard where there are many, evenly over it, and estimates how many there are', async () => {
    const table = await engine.table(2);
    await crowd(table, 2400);
    const { ids, contacts, exact } = await sampleContacts(table);
    expect([new Set(ids).size, exact]).toEqual([200, false]);
    expect(Math.abs(contacts - 2400)).toBeLessThan(240);
    const quarters = [0, 1, 2, 3].map((n) => ids.filter((id) => Math.floor(Number(id.slice(1)) / 600) === n).length);
    for (const quarter of quarters) expect(Math.abs(quarter - 50)).toBeLessThan(15);
  }, 30_000);
});

describe('a rehearsal', () => {
  it('says how many are in each new and changed segment, and how many were, with the past read again', async () => {
    const bench = await shop(8, 3);
    const book = following({
      buyers: { did: 'Order Completed' },
      rich: { did: 'Order Completed', sum: { of: 'revenue', atLeast: 30 } },
    });
    const { ids } = await sampleContacts(bench.table);
    const before = await stored(bench.table);
    const answer = await rehearseBook(compileBook(book, 'next', idle), definitions(), ids, {
      table: bench.table,
      bucket: bench.bucket,
      now: NOON,
    });
    expect(answer).toEqual({
      sampled: 8,
      segments: [
        { id: 'buyers', change: 'changed', inside: 8, before: 3 },
        { id: 'rich', change: 'new', inside: 3 },
      ],
      reaches: [],
    });
    expect(await stored(bench.table)).toEqual(before);
  });

  it('refuses a book that throws over somebody, and names the segment, not what is known of the person', async () => {
    const bench = await shop(3, 0);
    const book = compileBook(following({ odd: { did: 'Order Completed' }, plain: { segment: 'odd' } }), 'next', idle);
    const broken = throwing(book, 'odd');
    const { ids } = await sampleContacts(bench.table);
    const refused = await rehearseBook(broken, definitions(), ids, {
      table: bench.table,
      bucket: bench.bucket,
      now: NOON,
    }).catch((error: unknown) => error);
    const { fault } = refused as KairosError;
    expect(fault).toMatchObject({ code: 'publish.sample', file: 'segments/odd.json', path: 'rule' });
    expect(fault.message).toContain(`contact ${ids[0]} (RangeError)`);
    expect(JSON.stringify(fault)).not.toContain('secret');
  });

  it('passes on what AWS refuses: that is no fault of the book', async () => {
    const bench = await shop(2, 0);
    const book = compileBook(
      following({ rich: { did: 'Order Completed', sum: { of: 'revenue', atLeast: 30 } } }),
      'n',
      idle,
    );
    const { ids } = await sampleContacts(bench.table);
    const table = Object.create(bench.table) as Table;
    table.read = bench.table.read.bind(bench.table);
    table.under = async () => {
      throw Object.assign(new Error('denied'), { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } });
    };
    const refused = rehearseBook(book, definitions(), ids, { table, bucket: bench.bucket, now: NOON });
    await expect(refused).rejects.toThrow('denied');
  });
});

/** The book with one segment whose rule throws, as a fault of ours would. */
function throwing(book: Book, id: string): Book {
  const fail = (): never => {
    throw new RangeError('secret@example.org is out of range');
  };
  const segments = book.segments.map((one) => (one.id === id ? { ...one, rule: { ...one.rule, test: fail } } : one));
  const index = Object.create(book.index) as Book['index'];
  index.answer = fail;
  return { ...book, index, segments, segment: new Map(segments.map((one) => [one.id, one])) };
}

describe('publishing', () => {
  const templates = (segments: Record<string, Segment>): Templates => {
    const { settings, emails, catalogue, fields } = definitions();
    const draft = {
      settings,
      segments,
      campaigns: {},
      catalogue,
      fields,
      coupons: { pools: {} },
    } as unknown as Templates['draft'];
    return { draft, emails, images: new Map(), pages: {}, warnings: [] };
  };
  const shelfOver = (table: Table, bucket: MemoryBucket): Shelf & { posted: number[] } => {
    const posted: number[] = [];
    const queue = { send: async (_url: string, _bodies: unknown[], delay = 0) => void posted.push(delay) };
    return { table, bucket, queue, rosterQueueUrl: 'roster', rate: 200, posted };
  };

  it('tries the book first: a preview writes nothing, and says what a publish then does', async () => {
    const bench = await shop(8, 3);
    const shelf = shelfOver(bench.table, bench.bucket);
    const pointer = await bench.table.readOne(key.pointer());
    const said = templates({
      viewers: { rule: { did: 'Product Viewed', times: { atLeast: 3 }, inLast: '30d' } },
      buyers: { rule: { did: 'Order Completed', times: { atLeast: 1 } } },
      nobody: { rule: { did: 'Order Refunded' } },
    });
    const objects = bench.bucket.objects.size;
    const preview = await publishTemplates(said, shelf, { by: 'ann', now: NOON, preview: true });
    expect(sayPublished(preview, 'prod', { preview: true }).slice(0, 1)).toEqual([
      `This would be book 2 (${preview.hash.slice(0, 12)}) of stage prod; nothing is published.`,
    ]);
    expect([await bench.table.readOne(key.pointer()), bench.bucket.objects.size, shelf.posted]).toEqual([
      pointer,
      objects,
      [],
    ]);

    const published = await publishTemplates(said, shelf, { by: 'ann', now: NOON });
    expect(published).toEqual(preview);
    expect(sayPublished(published, 'prod', { preview: false })).toEqual([
      `Published book 2 (${published.hash.slice(0, 12)}) to stage prod.`,
      'Campaigns',
      '  thanks: gone; whoever is under way in it goes on to its end',
      '  offer: gone; whoever is under way in it goes on to its end',
      '  confirm: gone; whoever is under way in it goes on to its end',
      'Segments, tried with 8 contacts',
      '  buyers  changed  everybody of a sample of 8, about 38 % before',
      '  nobody  new      nobody of a sample of 8',
    ]);
    // One call, held back until no worker holds the former book.
    expect(shelf.posted).toEqual([15]);
    expect(await readFilling(bench.table, 2)).toEqual({
      shards: 2,
      shardsDone: 0,
      contacts: 0,
      done: false,
      plan: { contacts: 8, rate: 200, startedAt: NOON, from: 0 },
    });
  });

  it('names a campaign that says what it said and waits, since its segment changed', async () => {
    const bench = benchOver(await engine.table(2));
    const shelf = shelfOver(bench.table, bench.bucket);
    const { thanks } = definitions().campaigns;
    const said = (times: number): Templates => {
      const made = templates({ buyers: { rule: { did: 'Order Completed', times: { atLeast: times } } } });
      const campaign = { ...thanks!.campaign, when: { enters: 'buyers' } };
      return {
        ...made,
        draft: { ...made.draft, campaigns: { regulars: campaign, thanks: thanks!.campaign } } as Templates['draft'],
      };
    };
    await publishTemplates(said(2), shelf, { by: 'ann', now: NOON });
    const second = await publishTemplates(said(3), shelf, { by: 'ann', now: NOON });
    expect(sayPublished(second, 'prod', { preview: false }).slice(1)).toEqual([
      'Campaigns',
      '  regulars: as it was; waits for the walk, because a segment that it reads has changed',
      'Segments',
      '  buyers  changed',
    ]);
  });

  it('refuses a book that cannot be decided over somebody, and nothing has changed', async () => {
    const bench = await shop(2, 0);
    const { items } = await bench.table.roster('00', 10);
    const [first] = items.length > 0 ? items : (await bench.table.roster('01', 10)).items;
    await bench.table.update(
      { pk: first!.pk, sk: 'CONTACT' },
      {
        UpdateExpression: 'SET #state = :state',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':state': JSON.stringify({ ...newContact('x', NOON), facts: null }) },
      },
    );
    const shelf = shelfOver(bench.table, bench.bucket);
    const pointer = await bench.table.readOne(key.pointer());
    const refused = publishTemplates(templates({ all: { rule: { did: 'Order Completed' } } }), shelf, {
      by: 'ann',
      now: NOON,
    });
    await expect(refused).rejects.toMatchObject({ fault: { code: 'publish.sample' } });
    expect([await bench.table.readOne(key.pointer()), shelf.posted]).toEqual([pointer, []]);
  });
});

describe('how far a walk is', () => {
  const plan = { contacts: 10_100, rate: 200, startedAt: NOON, from: 0 };
  const walk = { shards: 32, shardsDone: 0, contacts: 0, done: false, plan };

  it.each([
    ['before its first page', walk, '0 of about 10,100 contacts walked (0 %), about 70 s left'],
    [
      'under way',
      { ...walk, contacts: 3960, movedAt: NOON + 35_000 },
      '3,960 of about 10,100 contacts walked (39 %), 198 a second, about 35 s left',
    ],
    [
      'beyond what was estimated',
      { ...walk, contacts: 10_200, movedAt: NOON + 66_000 },
      '10,200 of about 10,200 contacts walked (100 %), 200 a second, about 5 s left',
    ],
    [
      'gone on with, after a day',
      { ...walk, contacts: 6000, plan: { ...plan, from: 4000 }, movedAt: NOON + 35_000 },
      '6,000 of about 10,100 contacts walked (59 %), 100 a second, about 45 s left',
    ],
    [
      'under a stack that says no rate',
      { ...walk, plan: { contacts: 90, startedAt: NOON, from: 0 } },
      '0 of about 90 contacts walked (0 %)',
    ],
    [
      'from an earlier release',
      { shards: 32, shardsDone: 3, contacts: 12, done: false },
      '12 contacts walked, 3 of 32 shards done',
    ],
    ['at its end', { ...walk, contacts: 10_080, done: true }, '10,080 contacts walked'],
  ])('%s', (_, filling, says) => {
    expect(sayFilling(filling)).toBe(says);
  });

  it('stands still only after longer than it ever rests by itself', () => {
    const moved = { ...walk, movedAt: NOON + MINUTE };
    expect(stalledFor(moved, NOON, NOON + 26 * MINUTE)).toBeUndefined();
    expect(stalledFor(moved, NOON, NOON + 27 * MINUTE)).toBe(26 * MINUTE);
    expect(stalledFor({ ...moved, done: true }, NOON, NOON + 60 * MINUTE)).toBeUndefined();
    expect(secondsLeft({ ...moved, done: true })).toBeUndefined();
  });
});
