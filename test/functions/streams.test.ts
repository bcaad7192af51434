// What is made of the table's stream: files of the lake without personal text, and report counters that count once.
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newContact } from '../../domain/contact.ts';
import type { Message } from '../../domain/message.ts';
import { withoutText } from '../../functions/aws/lake.ts';
import { UNPUBLISHED } from '../../functions/aws/shop-store.ts';
import { contactItem, type Item, interactionItem, key, messageItem, type Table } from '../../functions/aws/table.ts';
import { writeLake } from '../../functions/write-lake.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { DAY, interaction, MemoryBucket, NOON, purchase } from './fixtures.ts';

let engine: Engine;
let table: Table;
let bucket: MemoryBucket;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  table = await engine.table();
  bucket = new MemoryBucket();
});

const image = (item: Item | undefined) =>
  item === undefined
    ? undefined
    : Object.fromEntries(
        Object.entries(item).map(([name, value]) => [
          name,
          typeof value === 'number' ? { N: String(value) } : { S: String(value) },
        ]),
      );
const change = (sequence: number, before: Item | undefined, after: Item | undefined, at = NOON) => ({
  eventName: (before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY') as 'INSERT',
  dynamodb: {
    SequenceNumber: String(sequence).padStart(21, '1'),
    ApproximateCreationDateTime: at / 1000,
    ...(before !== undefined && { OldImage: image(before)! }),
    ...(after !== undefined && { NewImage: image(after)! }),
  },
});
const write = (shardId: string, ...Records: ReturnType<typeof change>[]) =>
  writeLake({ Records, shardId }, { table, bucket, shop: { current: async () => UNPUBLISHED } });
const lines = (name: string) =>
  gunzipSync(bucket.objects.get(name) as Uint8Array)
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

const base: Message = {
  shape: 1,
  id: 'm1',
  contact: 'c1',
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
  due: NOON,
  attempts: 0,
  ignoresQuiet: true,
  inputs: { trigger: { name: 'Order Completed', at: NOON, properties: { note: 'for Ann' } }, recommendations: [] },
};
const message = (more: Partial<Message> = {}) => messageItem({ ...base, ...more }, 2);

describe('given a batch of the stream', () => {
  it('writes interactions, messages, decisions and feedback by arrival day, under names that repeat', async () => {
    const decided = newContact('c1', NOON);
    decided.journey.decisions.offer = { at: NOON, kind: 'skip', reason: 'no consent' };
    const batch = [
      change(1, undefined, interactionItem(purchase({ id: 'p1', order: 'o1', user: 'ann' }))),
      change(2, undefined, contactItem(decided, 1, 2)),
      change(3, undefined, message()),
      change(4, message(), message({ state: 'sent', delivery: 'delivered' })),
      change(5, message({ state: 'sent' }), undefined),
      change(6, undefined, { ...key.identity('user#1'), contact: 'c1' }),
    ];
    await write('shardId-0001', ...batch);
    const first = new Map(bucket.objects);
    expect([...first.keys()].sort()).toEqual(
      ['contacts', 'decisions', 'feedback', 'interactions', 'messages'].map(
        (kind) =>
          `lake/${kind}/day=2026-05-04/shardId-0001-${{ contacts: 2, decisions: 2, feedback: 4, interactions: 1, messages: 3 }[kind]!.toString().padStart(21, '1')}.ndjson.gz`,
      ),
    );
    const of = (kind: string) => lines([...first.keys()].find((name) => name.includes(`/${kind}/`))!);
    expect(of('interactions')[0]).toMatchObject({
      name: 'Order Completed',
      order: 'shop#o1',
      properties: { revenue: 20 },
    });
    expect(of('messages').map((line) => line.state)).toEqual(['ready', 'sent']);
    expect(of('decisions')).toEqual([
      { contact: 'c1', campaign: 'offer', at: '2026-05-04T12:00:00.000Z', kind: 'skip', reason: 'no consent' },
    ]);
    expect(of('feedback').map((line) => line.type)).toEqual(['delivered']);
    await write('shardId-0001', ...batch);
    expect([...bucket.objects].map(([name, body]) => [name, Buffer.from(body).toString('hex')])).toEqual(
      [...first].map(([name, body]) => [name, Buffer.from(body).toString('hex')]),
    );
  });

  it('says of a message its arm, its variant and its test, and once more when it converts', async () => {
    const tried = { variant: 'subject-a', test: 'thanks@v1|hello', key: 'hello' };
    const converted = { at: NOON + DAY, event: 'Order Completed', order: 'shop#for Ann', value: 1250 };
    const ghost = { id: 'm2', state: 'ghost' as const };
    await write(
      's',
      change(1, undefined, message(tried)),
      change(2, message({ ...tried, state: 'sent' }), message({ ...tried, state: 'sent', conversion: converted })),
      change(
        3,
        message({ ...tried, state: 'sent', conversion: converted }),
        message({ ...tried, state: 'sent', conversion: converted, clickedAt: NOON }),
      ),
      change(4, undefined, message(ghost)),
      change(5, message(ghost), message({ ...ghost, conversion: { at: NOON + DAY, event: 'Product Viewed' } })),
    );
    const told = lines([...bucket.objects.keys()].find((name) => name.includes('/messages/'))!);
    const at = '2026-05-05T12:00:00.000Z';
    expect(
      told.map((line) => [
        line.message,
        line.state,
        line.arm,
        line.variant,
        line.test,
        line.convertedAt,
        line.convertedValue,
      ]),
    ).toEqual([
      ['m1', 'ready', 'sent', 'subject-a', 'thanks@v1|hello', undefined, undefined],
      ['m1', 'sent', 'sent', 'subject-a', 'thanks@v1|hello', at, 1250],
      ['m2', 'ghost', 'ghost', undefined, undefined, undefined, undefined],
      ['m2', 'ghost', 'ghost', undefined, undefined, at, undefined],
    ]);
    expect(JSON.stringify(told)).not.toMatch(/Ann/);
  });

  it('keeps addresses, names and free text out', async () => {
    const event = interaction('Order Completed', {
      id: 'p1',
      user: 'ann',
      address: 'ann@example.org',
      traits: { firstName: 'Ann', city: 'Graz' },
      properties: {
        order_id: 'o1',
        revenue: '12.50',
        note: 'Please ring at Ann Example',
        shipping_name: 'Ann',
        gift: true,
        category: 'ann@example.org',
        products: [{ product_id: 'cup', name: 'Cup for Ann', price: 12.5, engraving: 'Ann' }],
      },
    });
    await write('s', change(1, undefined, interactionItem(event)));
    const [name] = bucket.objects.keys();
    expect(lines(name!)[0].properties).toEqual({
      order_id: 'o1',
      revenue: '12.50',
      gift: true,
      products: [{ product_id: 'cup', price: 12.5 }],
    });
    expect(JSON.stringify(lines(name!))).not.toMatch(/Ann|example\.org|Graz/);
    expect(withoutText({ price: 'call us' })).toEqual({});
  });
});

describe('given transitions of messages', () => {
  const counts = async (shard = 's1', day = '2026-05-04') => {
    const { pk, sk, seq, ...states } = { seq: '', ...(await table.readOne(key.report('thanks', day, shard))) };
    return states;
  };
  const first = change(1, undefined, message());
  const second = change(2, message(), message({ state: 'claimed' }));
  const third = change(3, message({ state: 'claimed' }), message({ state: 'sent' }));
  const fourth = change(
    4,
    message({ state: 'sent' }),
    message({ state: 'sent', delivery: 'delivered', openedAt: NOON }),
  );

  it('counts how many messages are in each state', async () => {
    await write('s1', first, second);
    expect(await counts()).toEqual({ made: 1, claimed: 1 });
    await write('s1', third, fourth);
    expect(await counts()).toEqual({ made: 1, claimed: 0, delivered: 1, opened: 1 });
  });

  it('counts nothing twice when a batch comes again, whole, halved or longer', async () => {
    await write('s1', first, second, third);
    await write('s1', first, second, third);
    await write('s1', second);
    await write('s1', second, third, fourth);
    await write('s1', fourth);
    expect(await counts()).toEqual({ made: 1, sent: 0, delivered: 1, opened: 1 });
  });

  it('counts by the day that a message is planned for, and by shard', async () => {
    await write('s1', first, change(2, undefined, message({ id: 'm2', plannedAt: NOON + DAY })));
    await write('s2', change(1, undefined, message({ id: 'm3' })));
    expect(await counts()).toEqual({ made: 1, ready: 1 });
    expect(await counts('s1', '2026-05-05')).toEqual({ made: 1, ready: 1 });
    expect(await counts('s2')).toEqual({ made: 1, ready: 1 });
  });

  describe('of a mailbox provider', () => {
    const at = (more: Partial<Message>) => message({ provider: 'gmail', ...more });
    const life = [
      change(1, undefined, message()),
      change(2, message(), at({ state: 'claimed' })),
      change(3, at({ state: 'claimed' }), at({ state: 'sent' })),
      change(4, at({ state: 'sent' }), at({ state: 'sent', delivery: 'soft-bounced' })),
      change(
        5,
        at({ state: 'sent', delivery: 'soft-bounced' }),
        at({ state: 'sent', delivery: 'delivered', clickedAt: NOON }),
      ),
      change(
        6,
        at({ state: 'sent', delivery: 'delivered', clickedAt: NOON }),
        at({ state: 'sent', delivery: 'complained', clickedAt: NOON, unsubscribedAt: NOON + 1 }),
      ),
      change(
        7,
        at({ state: 'sent', delivery: 'complained', clickedAt: NOON, unsubscribedAt: NOON + 1 }),
        at({ state: 'sent', delivery: 'complained', clickedAt: NOON - 5, unsubscribedAt: NOON - 3 }),
      ),
    ];
    const end = {
      made: 1,
      complained: 1,
      clicked: 1,
      unsubscribed: 1,
      'gmail.complained': 1,
      'gmail.clicked': 1,
      'gmail.unsubscribed': 1,
    };
    const standing = async () => Object.fromEntries(Object.entries(await counts()).filter(([, value]) => value !== 0));

    it('counts under its name too, what only passes apart', async () => {
      await write('s1', ...life);
      expect(await counts()).toEqual(end);
      const names = new Set(Object.keys(await counts()));
      for (const passing of ['gmail.ready', 'gmail.claimed', 'gmail.made']) expect(names).not.toContain(passing);
    });

    it('counts nothing twice, however the stream is cut and repeated', async () => {
      for (let first = 0; first < life.length; first++) {
        await write('s1', ...life.slice(0, first + 1));
        await write('s1', ...life.slice(Math.max(0, first - 2), first + 1));
      }
      await write('s1', ...life);
      expect(await standing()).toEqual(end);
    });
  });

  it('tells the lake once that a person left by a mail', async () => {
    const sent = message({ state: 'sent', delivery: 'delivered' });
    const left = message({ state: 'sent', delivery: 'delivered', unsubscribedAt: NOON });
    await write(
      's1',
      change(1, sent, left),
      change(2, left, message({ ...{ state: 'sent' }, delivery: 'complained', unsubscribedAt: NOON - 1 })),
    );
    const name = [...bucket.objects.keys()].find((each) => each.includes('/feedback/'))!;
    expect(lines(name).map(({ type, at }) => [type, at])).toEqual([
      ['unsubscribed', '2026-05-04T12:00:00.000Z'],
      ['complained', '2026-05-04T12:00:00.000Z'],
    ]);
  });
});
