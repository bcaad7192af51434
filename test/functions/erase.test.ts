// A person erased, from the table and the lake: nothing of them is left, nothing brings them back, money stays.
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { erase, type Request } from '../../cli/erase.ts';
import { compact, lakeStatus, repair, sayRepaired, sayStatus } from '../../cli/lake.ts';
import { type Interaction, sha256 } from '../../domain/interaction.ts';
import { traceOf } from '../../functions/aws/erase.ts';
import { Ledger } from '../../functions/aws/erasures.ts';
import { dayOf, KINDS } from '../../functions/aws/lake.ts';
import { key, readOrder, type Table } from '../../functions/aws/table.ts';
import { watchItem } from '../../functions/aws/watches.ts';
import { writeLake } from '../../functions/write-lake.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  DAY,
  definitions,
  HOUR,
  interaction,
  type MemoryBucket,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

const TODAY = dayOf(NOON);

let engine: Engine;
let bench: Bench;
let table: Table;
let bucket: MemoryBucket;
let said: string[];
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  table = await engine.table();
  bench = benchOver(table);
  bucket = bench.bucket;
  said = [];
  await publish(table, bucket, definitions());
});

const shop = { current: async () => ({ currency: 'EUR', zone: 'UTC', catalogue: { products: {} } }) };
const record = async (...events: Interaction[]): Promise<void> => {
  for (const outcome of await bench.recorder.record(events.map((each) => ({ interaction: each }))))
    expect(outcome.kind).not.toBe('failed');
};
const image = (item: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(item).map(([name, value]) => [
      name,
      typeof value === 'number'
        ? { N: String(value) }
        : value instanceof Uint8Array
          ? { B: Buffer.from(value).toString('base64') }
          : { S: String(value) },
    ]),
  );
/** Everything that the table holds, as if the stream told it in one batch. */
const streamed = async (at = bench.clock.at) => {
  const records = [];
  for await (const items of table.scan(0, 1)) {
    for (const item of items) {
      if (!/^(CONTACT|ORDER)$|^(INTERACTION|MESSAGE)#/.test(item.sk)) continue;
      records.push({
        eventName: 'INSERT' as const,
        dynamodb: {
          SequenceNumber: String(records.length + 1).padStart(21, '0'),
          ApproximateCreationDateTime: Math.floor(at / 1000),
          Keys: { pk: { S: item.pk }, sk: { S: item.sk } },
          NewImage: image(item),
        },
      });
    }
  }
  return records;
};
const write = async (records: Awaited<ReturnType<typeof streamed>>, shardId = 's1'): Promise<void> => {
  await writeLake({ Records: records as never, shardId }, { table, bucket, shop });
};
const lakeText = (): string =>
  [...bucket.objects]
    .filter(([name]) => name.startsWith('lake/'))
    .map(([, body]) => gunzipSync(body as Uint8Array).toString())
    .join('');
const tableText = async (): Promise<string> => {
  const items: object[] = [];
  for await (const page of table.scan(0, 1)) items.push(...page);
  return items
    .map((item) => JSON.stringify(Object.fromEntries(Object.entries(item).sort())))
    .sort()
    .join('\n');
};
const run = (request: Request, files = bucket) =>
  erase(request, {
    table,
    files,
    now: bench.clock.now,
    who: async () => 'anna',
    say: (line) => void said.push(line),
  });

const ann = { user: 'ann', address: 'ann@example.org' };
const past = [
  interaction('Identified', { id: 'i0', ...ann, traits: { firstName: 'Ann', country: 'Germany' } }),
  interaction('Product Viewed', { id: 'v1', user: 'ann', properties: { product_id: 'cup' } }),
  purchase({ id: 'p1', order: 'o1', ...ann, at: NOON + 1 }),
  {
    ...purchase({ id: 'p2', order: 'o2', ...ann, at: NOON + 2 }),
    properties: {
      ...purchase({ id: 'p2', order: 'o2' }).properties,
      note: 'Ring at Ann Example',
      shipping_address: { street: 'Elm 1' },
      coupon: 'WLC-1234',
    },
  },
  purchase({ id: 'p3', order: 'o3', user: 'bob', address: 'bob@example.org', at: NOON + 3 }),
];

/** Ids of a person, and every word about her. */
const wordsOf = (id: string): RegExp =>
  new RegExp([id, sha256('ann'), sha256('ann@example.org'), 'Ann', 'Elm 1', 'WLC-1234', 'ann@example'].join('|'));

describe('given a person who asks to be erased', () => {
  let id: string;
  beforeEach(async () => {
    await record(...past);
    id = (await contactBy(table, `user#${sha256('ann')}`))!.id;
    await write(await streamed());
    bench.clock.at = NOON + HOUR;
  });

  it('shows what will go and does nothing, until it is said that it is meant, and why', async () => {
    const before = await tableText();
    await expect(run({ ids: [id], why: 'asked' })).rejects.toMatchObject({ fault: { code: 'erase.ask' } });
    await expect(run({ ids: [id], yes: true })).rejects.toMatchObject({ fault: { code: 'erase.why' } });
    await expect(run({ yes: true })).rejects.toMatchObject({ fault: { code: 'erase.which' } });
    expect(await tableText()).toBe(before);
    expect(said.join('\n')).toMatch(/4 interactions, 2 messages/);
    expect(said.join('\n')).toMatch(/2 orders/);
    expect(lakeText()).toMatch(wordsOf(id));
  });

  it('leaves nothing of her in the lake, and of the table only hashes and money', async () => {
    const done = await run({ email: ['ann@example.org'], why: 'asked by letter', yes: true });
    expect(done).toMatchObject({ people: 1 });
    expect(lakeText()).not.toMatch(wordsOf(id));
    const kept = (await tableText())
      .split('\n')
      .filter((line) => wordsOf(id).test(line))
      .map((line) => (JSON.parse(line) as { pk: string }).pk.split('#')[0]);
    expect([...new Set(kept)].sort()).toEqual(['ACTIONS', 'ERASED']);
    for (const order of ['shop#o1', 'shop#o2']) {
      const { value } = readOrder((await table.readOne(key.order(order)))!);
      expect(value).toMatchObject({ statement: { revenue: 2000, lines: [{ product: 'cup' }] } });
      expect(value.owner).toBeUndefined();
    }
    expect((await contactBy(table, `user#${sha256('bob')}`))?.facts.orders.count).toBe(1);
    expect(lakeText()).toMatch(/"order":"shop#o1"/);
    const [entry] = (await new Ledger(bucket).read()).erasures;
    expect(entry).toMatchObject({ contact: id, done: bench.clock.at });
    expect(JSON.stringify(entry)).not.toMatch(/Ann|o1|asked by letter/);
  });

  it('counts her no longer when the erased orders come by the stream, and keeps their money', async () => {
    await run({ ids: [id], why: 'asked', yes: true });
    await write(await streamed(), 's2');
    await compact(TODAY, { files: bucket, now: () => NOON + DAY });
    expect(lakeText()).not.toMatch(wordsOf(id));
    const orders = lakeText()
      .split('\n')
      .filter((line) => line.includes('"order":"shop#o2"') && line.includes('"completed"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(orders.at(-1)).toMatchObject({ version: 2, revenue: 2000, coupon: true });
    for (const order of orders) expect(order.contact).toBeUndefined();
  });

  it('is not brought back by records that waited in the stream, by files put back, by a repair, or by what was given up', async () => {
    const waiting = await streamed();
    const old = new Map(bucket.objects);
    const failed = {
      requestContext: { functionArn: 'arn:aws:lambda:x:1:function:kairos-prod-write-lake' },
      payload: JSON.stringify({ Records: waiting }),
    };
    await bucket.put('aws/lambda/m/s/2026/05/04/x', JSON.stringify(failed));
    const done = await run({ ids: [id], why: 'asked', yes: true });
    expect(done.givenUp).toBeGreaterThan(5);
    expect(String(bucket.objects.get('aws/lambda/m/s/2026/05/04/x'))).not.toMatch(wordsOf(id));
    await write(waiting, 's3');
    expect(lakeText()).not.toMatch(wordsOf(id));
    for (const [name, body] of old) {
      if (name.startsWith('lake/')) await bucket.put(name.replace('.ndjson', '-old.ndjson'), body);
    }
    await bucket.put('aws/lambda/m/s/2026/05/04/y', JSON.stringify(failed));
    expect(lakeText()).toMatch(wordsOf(id));
    await repair(TODAY, { table, files: bucket, now: () => NOON + DAY });
    expect(lakeText()).not.toMatch(wordsOf(id));
  });

  it('knows what she watches, of what was looked at and of its day', async () => {
    const watches = [NOON, NOON - (NOON % DAY)].map((at) => ({
      watch: 'w1',
      product: 'cup',
      contact: id,
      at,
      until: NOON + DAY,
    }));
    for (const watch of watches) await table.overwrite(watchItem(watch));
    await table.overwrite(watchItem({ ...watches[0]!, contact: 'somebody' }));
    const trace = await traceOf(id, { table, watches: ['w1', 'w2'], merges: new Map() });
    expect(trace.watches.map(({ sk }) => sk).sort()).toEqual(watches.map((watch) => watchItem(watch).sk).sort());
  });

  it('does nothing the second time, and refuses events of before; whoever comes afterwards is somebody new', async () => {
    await run({ ids: [id], why: 'asked', yes: true });
    const before = await tableText();
    said = [];
    expect(await run({ ids: [id], why: 'asked', yes: true })).toMatchObject({ people: 0, already: 1 });
    expect(said.join()).toMatch(/was erased on .*nothing is left/);
    expect(await tableText()).toBe(before);
    const outcomes = await bench.recorder.record([
      {
        interaction: interaction('Product Viewed', {
          id: 'late',
          user: 'ann',
          at: NOON + 5,
          properties: { product_id: 'cup' },
        }),
      },
      {
        interaction: interaction('Product Viewed', {
          id: 'new',
          user: 'ann',
          at: NOON + 2 * HOUR,
          properties: { product_id: 'cup' },
        }),
      },
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['erased', 'recorded']);
    const again = (await contactBy(table, `user#${sha256('ann')}`))!;
    expect(again.id).not.toBe(id);
    bench.clock.at = NOON + 2 * HOUR;
    await write(await streamed(), 's4');
    expect(lakeText()).toContain(again.id);
    expect(lakeText()).not.toContain(id);
  });

  it('goes on wherever it broke off', async () => {
    const calls = ['put', 'replace', 'remove', 'list', 'read', 'get'] as const;
    for (let crash = 1; crash < 60; crash += 6) {
      table = await engine.table();
      bench = benchOver(table);
      bucket = bench.bucket;
      await publish(table, bucket, definitions());
      await record(...past);
      id = (await contactBy(table, `user#${sha256('ann')}`))!.id;
      await write(await streamed());
      bench.clock.at = NOON + HOUR;
      let left = crash;
      const die = (): void => {
        if (left-- <= 0) throw new Error('gone');
      };
      const dying = new Proxy(bucket, {
        get(target, name) {
          const found = Reflect.get(target, name) as unknown;
          if (typeof found !== 'function' || !(calls as readonly unknown[]).includes(name)) return found;
          return (...given: unknown[]) => {
            die();
            return (found as (...given: unknown[]) => unknown).apply(target, given);
          };
        },
      });
      const writes = ['remove', 'update', 'transact', 'create'] as const;
      const own = table;
      const fragile = new Proxy(table, {
        get(target, name) {
          const found = Reflect.get(target, name) as unknown;
          if (typeof found !== 'function') return found;
          return (...given: unknown[]) => {
            if ((writes as readonly unknown[]).includes(name)) die();
            return (found as (...given: unknown[]) => unknown).apply(target, given);
          };
        },
      });
      table = fragile;
      const died = await run({ ids: [id], why: 'asked', yes: true }, dying).then(
        () => false,
        () => true,
      );
      table = own;
      if (died) {
        const begun = bucket.objects.has(`erased/${id}.json`);
        await run(begun ? { again: true, yes: true } : { ids: [id], why: 'asked', yes: true });
      }
      expect([crash, wordsOf(id).test(lakeText())]).toEqual([crash, false]);
      const kept = (await tableText()).split('\n').filter((line) => wordsOf(id).test(line));
      expect([crash, kept.filter((line) => !/"pk":"(ACTIONS|ERASED#)/.test(line))]).toEqual([crash, []]);
      expect((await new Ledger(bucket).read()).erasures.every(({ done }) => done !== undefined)).toBe(true);
    }
  });

  it('is erased again after a backup was restored, with everybody of the ledger', async () => {
    await run({ ids: [id], why: 'asked', yes: true });
    const at = bench.clock.at;
    // The restored table knows nothing of it; the bucket does.
    table = await engine.table();
    bench = benchOver(table, { bucket, clock: { at: NOON, now: () => NOON }, prefix: id.slice(0, -4) });
    await record(...past);
    expect((await contactBy(table, `user#${sha256('ann')}`))?.id).toBe(id);
    bench = { ...bench, clock: { at: at + DAY, now: () => at + DAY } };
    expect(await run({ again: true, yes: true })).toMatchObject({ people: 1 });
    const kept = (await tableText()).split('\n').filter((line) => wordsOf(id).test(line));
    expect(kept.filter((line) => !/"pk":"(ACTIONS|ERASED#)/.test(line))).toEqual([]);
    expect((await table.readOne(key.erased(`user#${sha256('ann')}`)))?.at).toBe(at);
    expect(await run({ again: true, yes: true })).toMatchObject({ people: 0, already: 1 });
  });

  it('takes those along who were merged into her, as the lake knows them', async () => {
    const young = interaction('Product Viewed', { id: 'd1', anonymous: 'device', properties: { product_id: 'cup' } });
    bench.clock.at = NOON + 2 * HOUR;
    await record({ ...young, at: NOON + HOUR });
    const device = (await contactBy(table, `anonymous#${sha256('device')}`))!.id;
    await write(await streamed(), 's5');
    await record(
      interaction('Product Viewed', {
        id: 'd2',
        user: 'ann',
        anonymous: 'device',
        at: NOON + HOUR + 1,
        properties: { product_id: 'cup' },
      }),
    );
    await write(await streamed(), 's6');
    expect((await contactBy(table, `anonymous#${sha256('device')}`))?.id).toBe(id);
    await run({ ids: [id], why: 'asked', yes: true });
    expect(lakeText()).not.toMatch(new RegExp(`${device}|${sha256('device')}`));
    expect(await table.readOne(key.contact(device))).toBeUndefined();
  });
});

describe('given a day of the lake that is not complete', () => {
  beforeEach(async () => {
    await record(...past);
  });

  it('is made complete from the table, said with its numbers, and the second time nothing is missing', async () => {
    const records = await streamed();
    const half = records.filter((_, i) => i % 2 === 0);
    await write(half);
    const full = benchOver(table).bucket;
    await writeLake({ Records: records as never, shardId: 's1' }, { table, bucket: full, shop });
    const later = { table, files: bucket, now: () => NOON + DAY };
    const told = await repair(TODAY, later);
    expect(told.kinds.interactions).toMatchObject({ found: 5 });
    expect(told.kinds.interactions.missing).toBeGreaterThan(0);
    const again = await repair(TODAY, later);
    for (const kind of KINDS)
      expect([kind, again.kinds[kind].missing, again.kinds[kind].changed]).toEqual([kind, 0, 0]);
    expect(sayRepaired(TODAY, again).join('\n')).toMatch(/5 interactions, 0 of them were missing/);
    const lines = (of: MemoryBucket, kind: string): string[] =>
      [...of.objects]
        .filter(([name]) => name.startsWith(`lake/${kind}/`))
        .flatMap(([, body]) =>
          gunzipSync(body as Uint8Array)
            .toString()
            .trim()
            .split('\n'),
        )
        .sort();
    for (const kind of ['interactions', 'orders', 'lines', 'contacts', 'decisions']) {
      expect([kind, lines(bucket, kind)]).toEqual([kind, lines(full, kind)]);
    }
    const ids = (of: MemoryBucket): unknown[] =>
      lines(of, 'messages').map((line) => (JSON.parse(line) as { message: string }).message);
    expect(ids(bucket)).toEqual(ids(full));
  });

  it('takes what was given up too, and only of that day and of its own reader', async () => {
    const records = await streamed();
    const letter = (step: string, at = NOON) => ({
      requestContext: { functionArn: `arn:aws:lambda:x:1:function:kairos-prod-${step}` },
      payload: JSON.stringify({
        Records: records.map(({ dynamodb, ...rest }) => ({
          ...rest,
          dynamodb: { ...dynamodb, ApproximateCreationDateTime: at / 1000 },
        })),
      }),
    });
    await bucket.put('aws/lambda/a/1', JSON.stringify(letter('write-lake')));
    await bucket.put('aws/lambda/a/2', JSON.stringify(letter('hand-off')));
    await bucket.put('aws/lambda/a/3', JSON.stringify(letter('write-lake', NOON - 3 * DAY)));
    const told = await repair(TODAY, { table: await engine.table(), files: bucket, now: () => NOON + DAY });
    expect(told.givenUp).toEqual({ files: 1, records: records.length });
    expect(told.kinds.interactions).toMatchObject({ found: 5, missing: 5 });
  });

  it('reads orders anew that came before anything was published', async () => {
    const early = { current: async () => ({ currency: 'XXX', zone: 'UTC', catalogue: { products: {} } }) };
    await writeLake({ Records: (await streamed()) as never, shardId: 's1' }, { table, bucket, shop: early });
    const { settings } = definitions();
    await publish(table, bucket, definitions({ ordinal: 2, settings: { ...settings, zone: 'Pacific/Auckland' } }));
    const told = await repair(TODAY, { table, files: bucket, now: () => NOON + DAY });
    expect(told.kinds.orders).toMatchObject({ found: 3, missing: 0, changed: 3 });
    expect(lakeText()).toMatch(/"date":"2026-05-05"/);
    expect(lakeText()).not.toMatch(/"date":"2026-05-04"/);
  });

  it('is refused for a day that is not over, and for what is no day', async () => {
    for (const day of [TODAY, '2026-02-30', 'yesterday']) {
      await expect(repair(day, { table, files: bucket, now: () => NOON })).rejects.toMatchObject({
        fault: { code: 'lake.day' },
      });
    }
  });
});

describe('given the lake', () => {
  it('says what it holds, and on which days it holds nothing', async () => {
    await record(...past);
    const records = await streamed();
    await write(records);
    await write(await streamed(NOON + 3 * DAY), 's2');
    await write(await streamed(NOON + 3 * DAY), 's3');
    await bucket.put('aws/lambda/a/1', '{}');
    const told = await lakeStatus({ files: bucket, now: () => NOON + 9 * DAY });
    expect(told.kinds.find(({ kind }) => kind === 'interactions')).toMatchObject({
      days: 2,
      files: 3,
      first: '2026-05-04',
      last: '2026-05-07',
      gaps: [{ from: '2026-05-05', to: '2026-05-06' }],
      scattered: 1,
    });
    const text = sayStatus(told).join('\n');
    expect(text).toMatch(/2026-05-05 to 2026-05-06/);
    expect(text).toMatch(/1 batch of stream records given up/);
    expect(sayStatus(await lakeStatus({ files: benchOver(table).bucket, now: () => NOON })).join('\n')).toMatch(
      /interactions +0 +0/,
    );
  });
});
