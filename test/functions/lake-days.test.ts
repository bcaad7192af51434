// Days of the lake put together and people taken out of it: nothing is lost, nothing comes back, whatever breaks off where.
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../cli/duckdb.ts';
import { newContact } from '../../domain/contact.ts';
import { dayOfDate } from '../../domain/insight/customer.ts';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import { foldOrder, type Order } from '../../domain/order.ts';
import { goneOf, Ledger, writeErasure } from '../../functions/aws/erasures.ts';
import { type Change, folderOf, KINDS, type Kind, linesOf, packed, writeFiles } from '../../functions/aws/lake.ts';
import { compactDay, eraseFromLake, linesIn } from '../../functions/aws/lake-days.ts';
import { contactItem, interactionItem, messageItem, orderItem } from '../../functions/aws/table.ts';
import { DAY, HOUR, interaction, MemoryBucket, NOON } from './fixtures.ts';

const TODAY = '2026-05-04';
const shop = { currency: 'EUR', zone: 'UTC', catalogue: { products: { cup: { name: 'Cup', margin: 0.4 } } } };

let bucket: MemoryBucket;
beforeEach(() => {
  bucket = new MemoryBucket();
});

const names = (kind: Kind, day = TODAY): string[] =>
  [...bucket.objects.keys()].filter((name) => name.startsWith(`${folderOf(kind, day)}/`)).sort();
const textOf = (name: string): string => gunzipSync(bucket.objects.get(name) as Uint8Array).toString();
const linesAt = (kind: Kind, day = TODAY): JsonObject[] =>
  names(kind, day).flatMap((name) =>
    textOf(name)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JsonObject),
  );
const put = (kind: Kind, file: string, lines: JsonObject[], day = TODAY): Promise<void> =>
  bucket.put(`${folderOf(kind, day)}/${file}.ndjson.gz`, packed(lines.map((line) => JSON.stringify(line))));
const happened = (id: string, subject = 'user#ann', at = NOON): JsonObject => ({
  id,
  name: 'Product Viewed',
  at: new Date(at).toISOString(),
  source: 'shop',
  subject,
});
const erase = (contact: string, subjects: string[] = [], at = NOON + HOUR) =>
  writeErasure(bucket, { contact, contacts: [contact], subjects, at, since: TODAY, by: 'anna' });

describe('given many small files of a day', () => {
  it('puts them together into one, each line once, and a repeat finds nothing to do', async () => {
    await put('interactions', 's-1', [happened('a'), happened('b')]);
    await put('interactions', 's-2', [happened('b'), happened('c')]);
    await put('interactions', 's-3', [happened('a', 'user#bob')]);
    const told = await compactDay(bucket, 'interactions', TODAY);
    expect(told).toMatchObject({ files: 3, filesNow: 1, lines: 5, repeats: 1, erased: 0, missing: 0 });
    expect(names('interactions')).toEqual([`lake/interactions/day=${TODAY}/all-1of1.ndjson.gz`]);
    expect(linesAt('interactions').map(({ id, subject }) => `${subject} ${id}`)).toEqual([
      'user#ann a',
      'user#ann b',
      'user#ann c',
      'user#bob a',
    ]);
    const before = bucket.objects.get(names('interactions')[0]!);
    expect(await compactDay(bucket, 'interactions', TODAY)).toMatchObject({ files: 1, filesNow: 1, repeats: 0 });
    expect(bucket.objects.get(names('interactions')[0]!)).toBe(before);
  });

  it('keeps each version of an order and each state of a message', async () => {
    await put('orders', 's-1', [
      { order: 'shop#1', version: 1 },
      { order: 'shop#1', version: 2 },
    ]);
    await put('messages', 's-1', [
      { message: 'm1', state: 'ready' },
      { message: 'm1', state: 'sent' },
      { message: 'm1', state: 'sent', convertedAt: '2026-05-05T12:00:00.000Z' },
    ]);
    await compactDay(bucket, 'orders', TODAY);
    await compactDay(bucket, 'messages', TODAY);
    expect(linesAt('orders')).toHaveLength(2);
    expect(linesAt('messages')).toHaveLength(3);
  });

  it('makes several files of a day that is too large for one, which hold the same lines', async () => {
    const all = Array.from({ length: 500 }, (_, i) => happened(`e${i}`));
    for (let i = 0; i < 10; i++) await put('interactions', `s-${i}`, all.slice(i * 40, i * 40 + 140));
    const ids = (): string[] => linesAt('interactions').map(({ id }) => id as string);
    const told = await compactDay(bucket, 'interactions', TODAY, { partBytes: 1_500 });
    expect(told.filesNow).toBeGreaterThan(2);
    expect(ids().sort()).toEqual(all.map(({ id }) => id).sort());
    await compactDay(bucket, 'interactions', TODAY);
    expect(names('interactions')).toHaveLength(1);
    expect(ids().sort()).toEqual(all.map(({ id }) => id).sort());
  });

  it('reads lines of any characters, in a large file too', async () => {
    const odd = happened('a\u2028b\u0085c');
    const many = Array.from({ length: 40_000 }, (_, i) => happened(`${(i * 2_654_435_761) % 4_294_967_296}x${i}`));
    await put('interactions', 's-1', [odd, ...many]);
    expect((bucket.objects.get(names('interactions')[0]!) as Uint8Array).length).toBeGreaterThan(128 * 1024);
    await compactDay(bucket, 'interactions', TODAY);
    expect(linesAt('interactions')).toHaveLength(40_001);
    expect(linesAt('interactions')[0]).toEqual(odd);
  });

  it('loses nothing wherever it breaks off', async () => {
    const all = ['a', 'b', 'c', 'd', 'e'].map((id) => happened(id));
    for (let crash = 0; crash < 12; crash++) {
      bucket = new MemoryBucket();
      for (const [i, line] of all.entries()) await put('interactions', `s-${i}`, [line, all[0]!]);
      let left = crash;
      const dying = new Proxy(bucket, {
        get(target, name) {
          const found = Reflect.get(target, name) as unknown;
          if (typeof found !== 'function') return found;
          return (...given: unknown[]) => {
            if (left-- <= 0) throw new Error('gone');
            return (found as (...given: unknown[]) => unknown).apply(target, given);
          };
        },
      });
      await compactDay(dying, 'interactions', TODAY).catch(() => undefined);
      expect(new Set(linesAt('interactions').map(({ id }) => id))).toEqual(new Set(['a', 'b', 'c', 'd', 'e']));
      await compactDay(bucket, 'interactions', TODAY);
      expect(linesAt('interactions').map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e']);
    }
  });

  it('leaves a file that was written again meanwhile, and what it said stays', async () => {
    await put('interactions', 's-1', [happened('a')]);
    await put('interactions', 's-2', [happened('b')]);
    const replace = bucket.replace.bind(bucket);
    bucket.replace = async (...given) => {
      const done = await replace(...given);
      // A batch that comes again may hold more than the first time, under the same name.
      await put('interactions', 's-2', [happened('b'), happened('late')]);
      return done;
    };
    await compactDay(bucket, 'interactions', TODAY);
    expect(names('interactions').map((name) => name.split('/').at(-1))).toEqual([
      'all-1of1.ndjson.gz',
      's-2.ndjson.gz',
    ]);
    expect(linesAt('interactions').map(({ id }) => id)).toContain('late');
  });

  it('changes nothing where a file cannot be read, and says which', async () => {
    await put('interactions', 's-1', [happened('a')]);
    await bucket.put(`${folderOf('interactions', TODAY)}/s-2.ndjson.gz`, 'no gzip');
    await expect(compactDay(bucket, 'interactions', TODAY)).rejects.toMatchObject({
      fault: { code: 'lake.file', path: `lake/interactions/day=${TODAY}/s-2.ndjson.gz` },
    });
    expect(names('interactions')).toHaveLength(2);
  });

  it('is nothing on a day without files', async () => {
    expect(await compactDay(bucket, 'orders', '2020-01-01')).toMatchObject({ files: 0, filesNow: 0, lines: 0 });
    expect(bucket.objects.size).toBe(0);
  });
});

describe('given what a repair found in the table', () => {
  it('adds what was missing, and says so', async () => {
    await put('interactions', 's-1', [happened('a'), happened('b')]);
    await put('interactions', 'repair-1', [happened('b'), happened('c'), happened('c')]);
    expect(await compactDay(bucket, 'interactions', TODAY)).toMatchObject({ found: 3, missing: 1, changed: 0 });
    expect(linesAt('interactions').map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });

  it('reads an order anew as the shop is now, and leaves none beside it', async () => {
    const early = { order: 'shop#1', version: 1, currency: 'XXX', revenue: 100 };
    const right = { order: 'shop#1', version: 1, currency: 'JPY', revenue: 1 };
    await put('orders', 's-1', [early, { order: 'shop#2', version: 1 }]);
    await put('orders', 'repair-1', [right, { order: 'shop#2', version: 1 }]);
    expect(await compactDay(bucket, 'orders', TODAY)).toMatchObject({ found: 2, missing: 0, changed: 1 });
    expect(linesAt('orders')).toEqual([right, { order: 'shop#2', version: 1 }]);
  });

  it('does not repeat what stands under the day before or after, where the clocks parted', async () => {
    await put('interactions', 's-1', [happened('late')], '2026-05-05');
    await put('interactions', 's-1', [happened('a')]);
    await put('interactions', 'repair-1', [happened('late'), happened('c')]);
    expect(await compactDay(bucket, 'interactions', TODAY)).toMatchObject({ found: 2, missing: 1 });
    expect(linesAt('interactions').map(({ id }) => id)).toEqual(['a', 'c']);
  });
});

describe('given people who are to be gone', () => {
  const lines: Record<Kind, JsonObject[]> = {
    interactions: [happened('1', 'user#ann'), happened('2', 'user#bob'), happened('3', 'user#ann', NOON + DAY)],
    messages: [
      { message: 'm1', contact: 'ann', state: 'sent' },
      { message: 'm2', contact: 'bob', state: 'sent' },
    ],
    decisions: [
      { contact: 'ann', campaign: 'thanks' },
      { contact: 'bob', campaign: 'thanks' },
    ],
    feedback: [
      { message: 'm1', contact: 'ann', type: 'opened' },
      { message: 'm2', contact: 'bob', type: 'opened' },
    ],
    orders: [
      { order: 'shop#1', version: 1, contact: 'ann', revenue: 100 },
      { order: 'shop#2', version: 1, contact: 'bob', revenue: 200 },
    ],
    lines: [{ order: 'shop#1', version: 1, line: 0, product: 'cup' }],
    contacts: [
      { contact: 'ann', version: 1 },
      { contact: 'young', version: 2, into: 'ann' },
      { contact: 'bob', version: 1 },
    ],
  };
  const fill = async (): Promise<void> => {
    for (const kind of KINDS) {
      await put(kind, 's-1', lines[kind]);
      await put(kind, 's-2', lines[kind].slice(0, 1), '2026-05-06');
    }
  };
  const gone = goneOf([
    { shape: 1, contact: 'ann', contacts: ['ann'], subjects: ['user#ann'], at: NOON + HOUR, since: TODAY, by: 'x' },
  ]);
  const everything = (): string =>
    [...bucket.objects]
      .filter(([name]) => name.startsWith('lake/'))
      .map(([name]) => textOf(name))
      .join('');

  it('takes their lines away, leaves their orders as money, and the next one of the name as she is', async () => {
    await fill();
    const told = await eraseFromLake(bucket, gone);
    expect(told).toMatchObject({ gone: 11, kept: 2 });
    expect(everything()).not.toMatch(/"ann"/);
    expect(linesAt('interactions').map(({ id }) => id)).toEqual(['2', '3']);
    expect(linesAt('orders')).toEqual([
      { order: 'shop#1', version: 1, revenue: 100 },
      { order: 'shop#2', version: 1, contact: 'bob', revenue: 200 },
    ]);
    expect(linesAt('lines')).toEqual(lines.lines);
    expect(await eraseFromLake(bucket, gone)).toMatchObject({ rewritten: 0, gone: 0, kept: 0 });
  });

  it('reads no day before they were there', async () => {
    await fill();
    const untouched = bucket.objects.get(names('messages')[0]!);
    await eraseFromLake(bucket, { ...gone, since: '2026-05-05' });
    expect(bucket.objects.get(names('messages')[0]!)).toBe(untouched);
    expect(linesAt('messages', '2026-05-06')).toEqual([]);
  });

  it('wins over a compaction that read them before, whichever ends first', async () => {
    const write = MemoryBucket.prototype.replace;
    for (const between of ['before it is written', 'after it is written']) {
      bucket = new MemoryBucket();
      await fill();
      let begun = false;
      bucket.replace = async function (...given) {
        const during = async (): Promise<void> => {
          begun = true;
          await erase('ann', ['user#ann']);
          await eraseFromLake(bucket, gone);
        };
        const meant = given[0].includes('/messages/');
        if (meant && !begun && between === 'before it is written') await during();
        const done = await write.apply(this, given);
        if (meant && !begun) await during();
        return done;
      };
      for (const kind of KINDS) await compactDay(bucket, kind, TODAY);
      expect(begun).toBe(true);
      bucket.replace = write;
      // What a compaction left of old files is rewritten already.
      expect([between, /"ann"/.test(everything())]).toEqual([between, false]);
    }
  });

  it('wins over lines of theirs that come late: the next time a day is put together they go', async () => {
    await erase('ann', ['user#ann']);
    await fill();
    const ledger = new Ledger(bucket);
    for (const kind of KINDS) {
      await compactDay(bucket, kind, TODAY, { ledger });
      await compactDay(bucket, kind, '2026-05-06', { ledger });
    }
    expect(everything()).not.toMatch(/"ann"/);
    expect(linesAt('interactions').map(({ id }) => id)).toEqual(['2', '3']);
    expect(linesAt('orders')[0]).toEqual({ order: 'shop#1', version: 1, revenue: 100 });
  });

  it('takes many out in one look at each file', async () => {
    const people = Array.from({ length: 300 }, (_, i) => `c${i}`);
    await put(
      'messages',
      's-1',
      people.map((contact) => ({ message: `m-${contact}`, contact, state: 'sent' })),
    );
    await put('messages', 's-2', [{ message: 'm-x', contact: 'x', state: 'sent' }]);
    const many = goneOf(
      people.map((one) => ({ shape: 1, contact: one, contacts: [one], subjects: [], at: 0, since: TODAY, by: 'x' })),
    );
    const reads: string[] = [];
    const read = bucket.read.bind(bucket);
    bucket.read = async (name) => {
      reads.push(name);
      return read(name);
    };
    expect(await eraseFromLake(bucket, many)).toMatchObject({ gone: 300, rewritten: 1 });
    expect(names('messages').map((name) => name.split('/').at(-1))).toEqual(['s-2.ndjson.gz']);
    expect(reads).toHaveLength(2);
  });
});

describe('given one batch of the stream', () => {
  const event = (id: string, name: string, at: number, properties: JsonObject): Interaction => ({
    ...interaction(name, { id, user: 'ann', at, properties }),
    id,
  });
  const bought = event('p1', 'Order Completed', NOON, {
    order_id: 'o1',
    revenue: 30,
    currency: 'EUR',
    products: [
      { product_id: 'cup', price: 10, quantity: 2 },
      { product_id: 'pan', price: 10, quantity: 1 },
    ],
  });
  const back = event('r1', 'Order Refunded', NOON + HOUR, { order_id: 'o1', total: 10, currency: 'EUR' });
  const base: Message = {
    shape: 1,
    id: 'm1',
    contact: 'young',
    campaign: 'thanks',
    version: 'v1',
    step: '0',
    run: 'r1',
    kind: 'service',
    sender: 'main',
    email: 'hello',
    state: 'ready',
    plannedAt: NOON,
    createdAt: NOON,
    lane: 'triggered',
    attempts: 0,
    ignoresQuiet: true,
    inputs: { trigger: { name: 'Order Completed', at: NOON, properties: {} }, recommendations: [] },
  };
  const first: Order = { ...foldOrder(undefined, bought, 'EUR'), owner: 'young' };
  const contact = newContact('young', NOON);
  const message = (more: Partial<Message>) => messageItem({ ...base, ...more }, 2);
  const items: [before: Change['before'], after: Change['after']][] = [
    [undefined, interactionItem(bought)],
    [undefined, contactItem(contact, 1, 2)],
    [undefined, orderItem(first, 1)],
    [undefined, message({})],
    [message({}), message({ state: 'claimed' })],
    [message({ state: 'claimed' }), message({ state: 'sent' })],
    [undefined, interactionItem(back)],
    [orderItem(first, 1), orderItem({ ...foldOrder(first, back, 'EUR'), owner: 'young' }, 2)],
    [undefined, contactItem(newContact('old', NOON - DAY), 1, 2)],
    [contactItem(contact, 1, 2), contactItem({ ...contact, mergedInto: 'old' }, 2, 2)],
    [
      message({ state: 'sent' }),
      message({ state: 'sent', conversion: { at: NOON + DAY, event: 'Order Completed', value: 500 } }),
    ],
  ];
  // All within one second, as the stream tells it.
  const changes: Change[] = items.map(([before, after], i) => ({
    sequence: String(i).padStart(21, '0'),
    at: NOON,
    ...(before && { before }),
    ...(after && { after }),
  }));

  const asked = async (batches: Change[][]): Promise<unknown> => {
    const rows: Partial<Record<Kind, JsonObject[]>> = {};
    for (const batch of batches) {
      for (const change of batch) {
        for (const { kind, line } of linesOf(change, shop)) {
          const known = rows[kind] ?? [];
          known.push(line);
          rows[kind] = known;
        }
      }
    }
    const warehouse = await DuckDbWarehouse.ofRows(rows, { currency: 'EUR', today: dayOfDate('2026-05-09') });
    try {
      return {
        sales: await warehouse.rows('SELECT * FROM sales ORDER BY 1'),
        lines: await warehouse.rows('SELECT * FROM sale_lines ORDER BY 1, 2'),
        customers: await warehouse.rows('SELECT * FROM customers ORDER BY 1'),
        people: await warehouse.rows('SELECT * FROM people ORDER BY 1'),
        messages: await warehouse.rows('SELECT * FROM message_facts ORDER BY 1'),
        interactions: await warehouse.rows('SELECT DISTINCT id, name FROM interactions ORDER BY 1'),
      };
    } finally {
      await warehouse.close();
    }
  };

  it('gives one answer, whole, repeated, cut and in any order', async () => {
    const once = await asked([changes]);
    expect(once).toMatchObject({
      sales: [{ order: 'shop#o1', version: 2, contact: 'old', gross: 3000, refunded: 1000, revenue: 2000 }],
      people: [{ contact: 'old' }],
      messages: [{ message: 'm1', contact: 'old', sent: 1, converted: 1, converted_value: 500 }],
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.shuffledSubarray(changes, { minLength: 1 }), { minLength: 1, maxLength: 4 }),
        fc.shuffledSubarray(changes, { minLength: changes.length }),
        async (parts, whole) => {
          expect(await asked([...parts, whole])).toEqual(once);
        },
      ),
      { numRuns: 8 },
    );
  });

  it('is the same in files that a compaction has put together', async () => {
    await writeFiles(changes, 's', bucket, shop);
    await writeFiles(changes.slice(3), 's', bucket, shop);
    await writeFiles(changes, 't', bucket, shop);
    const before = new Map(KINDS.map((kind) => [kind, new Set(linesAt(kind).map((line) => JSON.stringify(line)))]));
    for (const kind of KINDS) {
      await compactDay(bucket, kind, TODAY);
      expect(new Set(linesAt(kind).map((line) => JSON.stringify(line)))).toEqual(before.get(kind));
      expect(linesAt(kind)).toHaveLength(before.get(kind)!.size);
    }
  });
});

describe('given a file', () => {
  it('is read in pieces, whatever its end', async () => {
    const read = async (body: Uint8Array): Promise<string[]> => {
      const lines: string[] = [];
      for await (const some of linesIn('x', body)) lines.push(...some);
      return lines;
    };
    expect(await read(packed(['{"a":1}', '{"b":2}']))).toEqual(['{"a":1}', '{"b":2}']);
    expect(await read(packed([]))).toEqual([]);
    await expect(read(packed(['x'.repeat(100)]).subarray(0, 20))).rejects.toMatchObject({
      fault: { code: 'lake.file', path: 'x' },
    });
  });
});
