// The recorder on a real engine: repeats, merges, orders without a person, suppressions, and batches.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../domain/interaction.ts';
import { Recorder } from '../../functions/aws/recorder.ts';
import { documentClient, key, Table } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { conflicts, metered } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  contactOf,
  DAY,
  definitions,
  HOUR,
  interaction,
  MINUTE,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

let engine: Engine;
let bench: Bench;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  bench = benchOver(await engine.table());
  await publish(bench.table, bench.bucket, definitions());
});

const ann = `user#${sha256('ann')}`;
const annAddress = `address#${sha256('ann@example.org')}`;
const kinds = (outcomes: { kind: string; error?: Error }[]) => outcomes.map((one) => one.error?.message ?? one.kind);
const record = async (...interactions: ReturnType<typeof interaction>[]) =>
  kinds(await bench.recorder.record(interactions.map((each) => ({ interaction: each }))));

describe('given a purchase of somebody unknown', () => {
  it('makes contact, identities, order, interaction and message in one transaction', async () => {
    expect(await record(purchase({ id: 'm1', order: 'o1', user: 'ann', address: 'ann@example.org' }))).toEqual([
      'recorded',
    ]);
    const contact = await contactBy(bench.table, ann);
    expect(contact?.facts.orders).toMatchObject({ count: 1, gross: 2000, refunded: 0 });
    expect(contact?.facts.address?.value).toBe('ann@example.org');
    expect((await contactBy(bench.table, annAddress))?.id).toBe(contact?.id);
    expect((await messagesOf(bench.table, contact!.id)).map((one) => [one.campaign, one.state])).toEqual([
      ['thanks', 'ready'],
    ]);
    expect((await bench.table.roster(rosterShard(contact!.id), 10)).items.map((item) => item.rosterSk)).toEqual([
      contact!.id,
    ]);
  });

  it('finds the contact in the due index at its next instant', async () => {
    await record(purchase({ id: 'm1', order: 'o1', user: 'ann', address: 'ann@example.org' }));
    const contact = await contactBy(bench.table, ann);
    const item = await bench.table.readOne(key.contact(contact!.id));
    expect(item?.dueAt).toBe(contact!.journey.due);
    expect(item?.duePk).toBe(contact!.journey.due === undefined ? undefined : `DUE#tick#${rosterShard(contact!.id)}`);
  });
});

describe('given the same event again', () => {
  it('counts it once, in another call', async () => {
    const event = purchase({ id: 'm1', order: 'o1', user: 'ann' });
    expect(await record(event)).toEqual(['recorded']);
    expect(await record(event)).toEqual(['repeat']);
    expect((await contactBy(bench.table, ann))?.facts.orders.count).toBe(1);
  });

  it('counts it once after its anonymous person became known', async () => {
    const view = interaction('Product Viewed', { id: 'v1', anonymous: 'device', properties: { product_id: 'cup' } });
    await record(view);
    await record(interaction('Identified', { id: 'i1', user: 'ann', anonymous: 'device' }));
    expect(await record(view)).toEqual(['repeat']);
    expect((await contactBy(bench.table, ann))?.facts.latest['Product Viewed']).toBe(NOON);
  });

  it('counts what is new beside it', async () => {
    await record(purchase({ id: 'm1', order: 'o1', user: 'ann' }));
    expect(
      await record(purchase({ id: 'm1', order: 'o1', user: 'ann' }), purchase({ id: 'm2', order: 'o2', user: 'ann' })),
    ).toEqual(['repeat', 'recorded']);
    expect((await contactBy(bench.table, ann))?.facts.orders).toMatchObject({ count: 2, gross: 4000 });
  });
});

describe('given a contact that comes ten times in one batch, a repeat among them', () => {
  const batch = () => [
    ...Array.from({ length: 9 }, (_, n) =>
      purchase({ id: `m${n}`, order: `o${n}`, user: 'ann', at: NOON - n * MINUTE }),
    ),
    purchase({ id: 'm3', order: 'o3', user: 'ann', at: NOON - 3 * MINUTE }),
  ];

  it('counts nine, in one transaction', async () => {
    const client = engine.client();
    const spent = metered(client);
    const table = new Table(documentClient(client), bench.table.name, 2);
    const recorder = new Recorder({ table, books: bench.books, now: bench.clock.now, newId: () => 'ann-1' });
    const outcomes = await recorder.record(batch().map((each) => ({ interaction: each })));
    expect(kinds(outcomes)).toEqual([...Array(9).fill('recorded'), 'repeat']);
    expect((await contactBy(bench.table, ann))?.facts.orders).toMatchObject({ count: 9, gross: 18_000 });
    expect(spent.calls.filter((call) => call.startsWith('Transact'))).toHaveLength(1);
    expect((await bench.table.readOne(key.contact('ann-1')))?.version).toBe(1);
  });

  it('counts what was not yet counted when four had been', async () => {
    await record(...batch().slice(2, 6));
    expect(await record(...batch())).toEqual([
      'recorded',
      'recorded',
      'repeat',
      'repeat',
      'repeat',
      'repeat',
      'recorded',
      'recorded',
      'recorded',
      'repeat',
    ]);
    expect((await contactBy(bench.table, ann))?.facts.orders).toMatchObject({ count: 9, gross: 18_000 });
  });
});

describe('given more interactions of one contact than a transaction takes', () => {
  it('writes them in several, and every one counts', async () => {
    const many = Array.from({ length: 130 }, (_, n) => purchase({ id: `m${n}`, order: `o${n}`, user: 'ann' }));
    expect(new Set(await record(...many))).toEqual(new Set(['recorded']));
    expect((await contactBy(bench.table, ann))?.facts.orders).toMatchObject({ count: 130, gross: 260_000 });
  });
});

describe('given an order and its refund', () => {
  const order = purchase({ id: 'm1', order: 'o1', user: 'ann', revenue: 50 });
  const refund = interaction('Order Refunded', {
    id: 'r1',
    at: NOON + HOUR,
    properties: { order_id: 'o1', total: 20 },
  });
  const net = { count: 1, gross: 5000, refunded: 2000 };

  it('counts the refund that names nobody for the buyer', async () => {
    await record(order);
    expect(await record(refund)).toEqual(['recorded']);
    expect((await contactBy(bench.table, ann))?.facts.orders).toMatchObject(net);
  });

  it('counts the same when the refund comes first', async () => {
    expect(await record(refund)).toEqual(['recorded']);
    expect((await bench.table.readOne(key.order('shop#o1')))?.state).toContain('"orphaned":true');
    expect(await record(order)).toEqual(['recorded']);
    const contact = await contactBy(bench.table, ann);
    expect(contact?.facts.orders).toMatchObject(net);
    expect(contact?.facts.latest['Order Refunded']).toBe(NOON + HOUR);
    expect(contact?.aliases).toContain(refund.subject);
    expect((await bench.table.readOne(key.order('shop#o1')))?.state).not.toContain('orphaned');
  });

  it('counts the same when both come in one batch', async () => {
    expect(await record(refund, order)).toEqual(['recorded', 'recorded']);
    expect((await contactBy(bench.table, ann))?.facts.orders).toMatchObject(net);
  });

  it('counts for the buyer when the refund names somebody unknown', async () => {
    await record(purchase({ id: 'm1', order: 'o1', address: 'ann@example.org', revenue: 50 }));
    await record(
      interaction('Order Refunded', {
        id: 'r1',
        user: 'ann',
        at: NOON + HOUR,
        properties: { order_id: 'o1', total: 20 },
      }),
    );
    expect((await contactBy(bench.table, ann))?.facts.orders).toMatchObject(net);
    expect((await contactBy(bench.table, ann))?.id).toBe((await contactBy(bench.table, annAddress))?.id);
  });
});

describe('given two contacts that turn out to be one person', () => {
  beforeEach(async () => {
    await record(purchase({ id: 'm1', order: 'o1', address: 'ann@example.org', revenue: 10 }));
    bench.clock.at = NOON + MINUTE;
    await record(purchase({ id: 'm2', order: 'o2', user: 'ann', anonymous: 'device', revenue: 20, at: NOON + MINUTE }));
    expect((await contactBy(bench.table, ann))?.id).not.toBe((await contactBy(bench.table, annAddress))?.id);
  });

  it('folds them, the older keeps its id, and every identity leads to it', async () => {
    await record(interaction('Identified', { id: 'i1', user: 'ann', address: 'ann@example.org', at: NOON + HOUR }));
    const contact = await contactBy(bench.table, ann);
    expect(contact?.id).toBe('c0001');
    expect(contact?.facts.orders).toMatchObject({ count: 2, gross: 3000 });
    for (const subject of [ann, annAddress, `anonymous#${sha256('device')}`]) {
      expect((await bench.table.readOne(key.identity(subject)))?.contact).toBe('c0001');
    }
    expect((await contactOf(bench.table, 'c0002'))?.mergedInto).toBe('c0001');
    expect((await bench.table.readOne(key.contact('c0002')))?.rosterPk).toBeUndefined();
  });

  it('counts an order of the one merged away for the survivor', async () => {
    await record(interaction('Identified', { id: 'i1', user: 'ann', address: 'ann@example.org', at: NOON + HOUR }));
    await record(
      interaction('Order Refunded', { id: 'r1', at: NOON + HOUR, properties: { order_id: 'o2', total: 5 } }),
    );
    expect((await contactOf(bench.table, 'c0001'))?.facts.orders).toMatchObject({
      count: 2,
      gross: 3000,
      refunded: 500,
    });
  });
});

describe('given an address that another contact holds', () => {
  it('records the event for its user, who stays without the address', async () => {
    await record(interaction('Identified', { id: 'i1', user: 'ann', address: 'home@example.org' }));
    await record(interaction('Identified', { id: 'i2', user: 'bob', address: 'home@example.org', at: NOON + 1 }));
    const bob = await contactBy(bench.table, `user#${sha256('bob')}`);
    expect(bob?.facts.address).toBeUndefined();
    expect((await contactBy(bench.table, ann))?.facts.address?.value).toBe('home@example.org');
  });
});

describe('given what was imported against an address', () => {
  it('blocks the contact that takes a suppressed address, at once', async () => {
    await bench.table.create({
      ...key.suppression(sha256('ann@example.org')),
      shape: 1,
      reason: 'imported',
      at: NOON - DAY,
    });
    await record(purchase({ id: 'm1', order: 'o1', user: 'ann', address: 'ann@example.org' }));
    const contact = await contactBy(bench.table, ann);
    expect(contact?.facts.suppressed).toEqual({ reason: 'imported', at: NOON - DAY });
    expect(await messagesOf(bench.table, contact!.id)).toEqual([]);
  });

  it('keeps a withdrawal that only a later consent ends', async () => {
    await bench.table.create({ ...key.withdrawal(sha256('ann@example.org')), shape: 1, brand: 'shop', at: NOON - DAY });
    const grant = (id: string, at: number) =>
      interaction('Consent Granted', {
        id,
        at,
        user: 'ann',
        address: 'ann@example.org',
        properties: { topic: 'offers', brand: 'shop' },
      });
    await record(grant('g1', NOON - 2 * DAY));
    expect((await contactBy(bench.table, ann))?.facts.withdrawn.shop?.at).toBe(NOON - DAY);
    await record(grant('g2', NOON));
    await record(purchase({ id: 'm1', order: 'o1', user: 'ann', at: NOON }));
    const contact = await contactBy(bench.table, ann);
    expect(contact?.journey.runs.map((run) => run.campaign)).toContain('offer');
  });
});

describe('given an erased person', () => {
  it('refuses events up to the erasure, and makes a new contact of later ones', async () => {
    await bench.table.create({ ...key.erased(ann), shape: 1, at: NOON });
    expect(await record(purchase({ id: 'm1', order: 'o1', user: 'ann', at: NOON }))).toEqual(['erased']);
    expect(await contactBy(bench.table, ann)).toBeUndefined();
    expect(await bench.table.under(`SUBJECT#${ann}`, 'INTERACTION#')).toEqual([]);
    expect(await record(purchase({ id: 'm2', order: 'o2', user: 'ann', at: NOON + 1 }))).toEqual(['recorded']);
  });

  it('brings nobody back by a click on an old link', async () => {
    expect(await record(interaction('Consent Granted', { id: 'x', contact: 'gone', source: 'kairos' }))).toEqual([
      'erased',
    ]);
  });
});

describe('given an event that nothing reads', () => {
  it('is one conditional put of one unit, and no read', async () => {
    const client = engine.client();
    const spent = metered(client);
    const table = new Table(documentClient(client), bench.table.name, 2);
    await bench.books.current();
    const recorder = new Recorder({ table, books: bench.books, now: bench.clock.now, newId: () => 'never' });
    const event = interaction('Promotion Viewed', { id: 'p1', user: 'ann', properties: { promotion_id: 'spring' } });
    expect(kinds(await recorder.record([{ interaction: event }]))).toEqual(['ignored']);
    expect(spent).toEqual({ read: 0, write: 1, calls: ['PutItemCommand'] });
    expect(kinds(await recorder.record([{ interaction: event }]))).toEqual(['repeat']);
  });

  it('still links the two identities that it carries', async () => {
    expect(await record(interaction('Promotion Viewed', { id: 'p1', user: 'ann', anonymous: 'device' }))).toEqual([
      'recorded',
    ]);
    expect(await contactBy(bench.table, `anonymous#${sha256('device')}`)).toBeDefined();
  });
});

describe('given nothing published', () => {
  it('records interactions, identities, orders and facts, sends nothing, and says so once', async () => {
    bench = benchOver(await engine.table());
    await record(purchase({ id: 'm1', order: 'o1', user: 'ann', address: 'ann@example.org' }));
    bench.clock.at += HOUR;
    await record(interaction('Identified', { id: 'i1', user: 'ann', traits: { firstName: 'Ann' } }));
    const contact = await contactBy(bench.table, ann);
    expect(contact?.facts.orders.count).toBe(1);
    expect(contact?.facts.attributes.firstName?.value).toBe('Ann');
    expect(await messagesOf(bench.table, contact!.id)).toEqual([]);
    expect(bench.log.lines.filter((line) => line.name === 'book.none')).toHaveLength(1);
  });
});

describe('given product news', () => {
  const news = (id: string, at: number, properties: Record<string, string | number>) =>
    interaction('Product Updated', { id, at, properties: { product_id: 'cup', ...properties } });

  it('keeps the latest of each field, in any order', async () => {
    await record(news('n2', NOON + 2, { price: 12 }));
    await record(news('n1', NOON + 1, { price: 10, name: 'Cup', stock: 3 }));
    await record(news('n3', NOON + 3, { stock: 0 }));
    const item = await bench.table.readOne(key.product('cup'));
    expect(JSON.parse(item?.state as string)).toEqual({
      price: 1200,
      priceAt: NOON + 2,
      currency: 'EUR',
      name: 'Cup',
      stock: 0,
      prices: [
        [NOON + 1, 1000],
        [NOON + 2, 1200],
      ],
    });
    expect(item?.at).toBe(NOON + 3);
  });

  it('writes several in one batch', async () => {
    expect(await record(news('n1', NOON, { price: 10 }), news('n2', NOON + 1, { price: 11 }))).toEqual([
      'recorded',
      'recorded',
    ]);
    expect(await record(news('n2', NOON + 1, { price: 11 }))).toEqual(['repeat']);
  });
});

describe('given other writers in the way', () => {
  const withConflicts = async (times: number) => {
    const client = engine.client();
    const state = conflicts(client, times);
    const table = new Table(documentClient(client), bench.table.name, 2);
    const recorder = new Recorder({ table, books: bench.books, now: bench.clock.now, newId: () => 'ann-1' });
    const outcomes = await recorder.record([{ interaction: purchase({ id: 'm1', order: 'o1', user: 'ann' }) }]);
    return { outcomes: kinds(outcomes), transactions: state.transactions };
  };

  it('reloads and decides again, three times', async () => {
    expect(await withConflicts(3)).toEqual({ outcomes: ['recorded'], transactions: 4 });
    expect((await contactBy(bench.table, ann))?.facts.orders.count).toBe(1);
  });

  it('then fails that item alone', async () => {
    expect(await withConflicts(4)).toEqual({
      outcomes: ['recorder: other writers stayed in the way'],
      transactions: 4,
    });
    expect(await contactBy(bench.table, ann)).toBeUndefined();
  });

  it('counts each event once when two workers record the same person at the same time', async () => {
    const other = benchOver(bench.table, { bucket: bench.bucket, clock: bench.clock, prefix: 'd' });
    const events = Array.from({ length: 12 }, (_, n) => purchase({ id: `m${n}`, order: `o${n}`, user: 'ann' }));
    const both = await Promise.all(
      [bench, other].map(({ recorder }) => recorder.record(events.map((each) => ({ interaction: each })))),
    );
    expect(both.flat().filter((outcome) => outcome.kind === 'recorded')).toHaveLength(12);
    expect((await contactBy(bench.table, ann))?.facts.orders).toMatchObject({ count: 12, gross: 24_000 });
  });
});

describe('given an event that cannot be decided', () => {
  it('fails alone', async () => {
    const outcomes = await record(
      purchase({ id: 'm1', order: 'o1', user: 'ann' }),
      purchase({ id: 'bad', order: 'o2', user: 'ann', products: [{ product_id: 'cup', price: '12,50' }] }),
      purchase({ id: 'm3', order: 'o3', user: 'ann' }),
    );
    expect(outcomes[0]).toBe('recorded');
    expect(outcomes[1]).toMatch(/12,50|amount|money/i);
    expect(outcomes[2]).toBe('recorded');
    expect((await contactBy(bench.table, ann))?.facts.orders.count).toBe(2);
  });
});

describe('given a contact of a newer release', () => {
  it('is neither read nor written over', async () => {
    await record(purchase({ id: 'm1', order: 'o1', user: 'ann' }));
    const contact = await contactBy(bench.table, ann);
    await bench.table.update(key.contact(contact!.id), {
      UpdateExpression: 'SET #shape = :newer',
      ExpressionAttributeNames: { '#shape': 'shape' },
      ExpressionAttributeValues: { ':newer': 99 },
    });
    await expect(
      bench.recorder.record([{ interaction: purchase({ id: 'm2', order: 'o2', user: 'ann' }) }]),
    ).rejects.toThrow(/shape 99/);
    expect((await bench.table.readOne(key.contact(contact!.id)))?.version).toBe(1);
  });
});

function rosterShard(id: string): string {
  return String(Number.parseInt(sha256(id).slice(0, 4), 16) % 2).padStart(2, '0');
}
