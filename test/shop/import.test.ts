// Importing over a real table: suppressions before contacts, repeats that count once, figures counted from what is stored.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { importContacts } from '../../cli/import.ts';
import { recordHistory } from '../../cli/import-history.ts';
import { readOrders } from '../../cli/import-orders.ts';
import { hasSuppressions, importSuppressions } from '../../cli/import-suppressions.ts';
import { hashAddress } from '../../domain/address.ts';
import { consentAt } from '../../domain/facts.ts';
import { ContactsMapping, OrdersMapping } from '../../domain/mapping.ts';
import type { RecordOutcome } from '../../functions/aws/recorder.ts';
import { key } from '../../functions/aws/table.ts';
import { countFigures } from '../../local/shop-figures.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  definitions,
  interaction,
  messagesOf,
  NOON,
  publish,
} from '../functions/fixtures.ts';
import { type Engine, startEngine } from '../support/engine.ts';

const folder = mkdtempSync(join(tmpdir(), 'kairos-import-'));
let engine: Engine;
let bench: Bench;
beforeAll(async () => {
  engine = await startEngine();
});
beforeEach(async () => {
  bench = benchOver(await engine.table());
  await publish(bench.table, bench.bucket, definitions());
});
afterAll(async () => {
  await engine.stop();
  rmSync(folder, { recursive: true });
});

function file(...lines: string[]): string {
  const path = join(folder, 'file.csv');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

const here = () => ({ table: bench.table, recorder: bench.recorder, now: bench.clock.now });
const ANN = hashAddress('ann@example.com');

describe('suppressions', () => {
  const LIST = [
    'Email Address,Status,Created',
    'ann@example.com,unsubscribed,2025-05-01',
    'Bob@Example.com,hard bounce,2025-06-01T10:00:00Z',
  ];

  test('become blocks and withdrawals under the hash of the address; the same file again changes nothing', async () => {
    const path = file(...LIST, 'eve@example.com,soft bounce,', 'nobody,bounced,', 'ann@example.com,moved away,');
    const first = await importSuppressions(path, here(), { brand: 'shop' });
    expect(first).toMatchObject({
      rows: 5,
      suppressions: 1,
      withdrawals: 1,
      known: 0,
      contacts: 0,
      skipped: { 'a temporary failure': 1 },
    });
    expect(first.faults.first.map(({ line }) => line)).toEqual([5, 6]);
    expect(JSON.stringify(first.faults)).not.toMatch(/nobody|ann@|moved/);
    expect(await bench.table.readOne(key.withdrawal(ANN))).toMatchObject({ brand: 'shop', at: Date.UTC(2025, 4, 1) });
    expect(await bench.table.readOne(key.suppression(hashAddress('bob@example.com')))).toMatchObject({
      reason: 'bounced',
    });
    const again = await importSuppressions(path, here(), { brand: 'shop' });
    expect(again).toMatchObject({ suppressions: 0, withdrawals: 0, known: 2, contacts: 0 });
  });

  test('that come by hash, without a column of reasons, take the reason that is given for all', async () => {
    const told = await importSuppressions(file('sha256', ANN), here(), { brand: 'shop', reason: 'complained' });
    expect(told).toMatchObject({ rows: 1, suppressions: 1 });
    await expect(importSuppressions(file('sha256', ANN), here(), { brand: 'shop' })).rejects.toThrow(
      /no column with reasons.*--reason/,
    );
    await expect(importSuppressions(file('e-post', 'x'), here(), { brand: 'shop' })).rejects.toThrow(
      /no column with addresses or hashes/,
    );
  });

  test('withdraw a contact that is here already, once, and a later consent ends it', async () => {
    const record = (...list: ReturnType<typeof interaction>[]) =>
      bench.recorder.record(list.map((each) => ({ interaction: each })));
    await record(
      interaction('Identified', { id: 'i', user: 'ann', address: 'ann@example.com', at: Date.UTC(2025, 0, 1) }),
      interaction('Consent Granted', {
        id: 'g',
        user: 'ann',
        at: Date.UTC(2025, 0, 1),
        properties: { topic: 'offers', channel: 'email', basis: 'single' },
      }),
    );
    const consents = async () =>
      consentAt(
        (await contactBy(bench.table, interaction('x', { id: 'x', user: 'ann' }).subject))!.facts,
        'shop',
        'offers',
        'email',
        NOON,
      );
    expect(await consents()).toBeDefined();
    expect(await importSuppressions(file(...LIST), here(), { brand: 'shop' })).toMatchObject({
      withdrawals: 1,
      contacts: 1,
    });
    expect(await consents()).toBeUndefined();
    expect(await importSuppressions(file(...LIST), here(), { brand: 'shop' })).toMatchObject({ contacts: 0 });
    await record(
      interaction('Consent Granted', {
        id: 'g2',
        user: 'ann',
        at: Date.UTC(2025, 8, 1),
        properties: { topic: 'offers', channel: 'email', basis: 'double' },
      }),
    );
    expect(await consents()).toBeDefined();
  });

  test('leave a mark, an empty list too, so that an import of contacts can ask for them', async () => {
    expect(await hasSuppressions(bench.table)).toBe(false);
    await importSuppressions(file('email,reason'), here(), { brand: 'shop' });
    expect(await hasSuppressions(bench.table)).toBe(true);
  });
});

describe('contacts', () => {
  const mapping = ContactsMapping.parse({
    imports: 'contacts',
    source: 'old-tool',
    time: { column: 'since', format: 'iso', zone: 'UTC' },
    person: { user: '{id}', address: '{email}', attributes: { firstName: '{first}' } },
    consent: [{ topic: 'offers', basis: 'imported', where: { news: 'yes' } }],
  });
  const ROWS = [
    'id,email,first,since,news',
    '1,ann@example.com,Ann,2025-01-01,yes',
    '2,bob@example.com,Bob,2025-01-01,no',
    '3,,Eve,soon,yes',
  ];

  test('are identified with their consents, start nothing, and count once however often they are imported', async () => {
    const told = await importContacts(file(...ROWS), mapping, here());
    expect(told).toMatchObject({ rows: 3, contacts: 2, recorded: { recorded: 3, repeats: 0 } });
    expect(told.faults.first).toEqual([
      { line: 4, message: 'since is not a time of the format ("soon"); expected iso' },
    ]);
    const again = await importContacts(file(...ROWS), mapping, here());
    expect(again.recorded).toMatchObject({ recorded: 0, repeats: 3 });
    const ann = (await contactBy(bench.table, interaction('x', { id: 'x', user: '1' }).subject))!;
    expect(consentAt(ann.facts, 'shop', 'offers', 'email', NOON)).toMatchObject({ basis: 'imported' });
    expect(await messagesOf(bench.table, ann.id)).toEqual([]);
  });

  test('who were suppressed or unsubscribed before are not written to, whatever consent the file claims', async () => {
    await importSuppressions(file('email,reason,date', 'ann@example.com,unsubscribed,2025-03-01'), here(), {
      brand: 'shop',
    });
    await importContacts(file(...ROWS), mapping, here());
    const ann = (await contactBy(bench.table, interaction('x', { id: 'x', user: '1' }).subject))!;
    expect(consentAt(ann.facts, 'shop', 'offers', 'email', NOON)).toBeUndefined();
  });
});

describe('history', () => {
  const mapping = OrdersMapping.parse({
    imports: 'orders',
    source: 'till',
    currency: 'EUR',
    time: { column: 'time', format: 'iso', zone: 'UTC' },
    order: 'order',
    product: 'sku',
    name: 'name',
    quantity: 'quantity',
    price: 'price',
    person: { user: '{customer}', address: '{customer}@customers.invalid' },
    refunds: { where: { order: { startsWith: 'C' } }, amounts: 'negative' },
  });
  const ROWS = [
    'order,sku,name,quantity,price,time,customer',
    '1,a,Lamp,2,10.00,2026-01-01,7',
    '2,a,Lamp,1,10.00,2026-02-01,7',
    '3,b,Cup,1,3.50,2026-02-01,',
    'C4,a,Lamp,-1,10.00,2026-02-02,7',
    'C5,b,Cup,-1,3.50,2026-02-03,',
  ];

  test('is counted from the table as the file has it, guests apart, and again the same after a second import', async () => {
    const { history } = await readOrders(file(...ROWS), mapping);
    const expected = {
      contacts: 1,
      orders: 3,
      refunds: 2,
      gross: 3350,
      refunded: 1350,
      net: 2000,
      guests: { orders: 1, refunds: 1, gross: 350, refunded: 350 },
      messages: {},
      disagreements: [],
    };
    const figures = () => countFigures(engine.documents(), bench.table.name, definitions());
    expect(await recordHistory(bench.recorder, history, mapping.source)).toMatchObject({
      recorded: history.length,
      repeats: 0,
    });
    expect(await figures()).toMatchObject(expected);
    expect(await recordHistory(bench.recorder, history, mapping.source)).toMatchObject({
      recorded: 0,
      repeats: history.length,
    });
    expect(await figures()).toMatchObject(expected);
  });

  test('counts a person who was two contacts before as one', async () => {
    const say = (name: string, said: Parameters<typeof interaction>[1]) =>
      bench.recorder.record([{ interaction: interaction(name, said), history: true }]);
    await say('Identified', { id: '1', anonymous: 'device', traits: { firstName: 'Ann' } });
    await say('Identified', { id: '2', user: 'ann', traits: { firstName: 'Ann' } });
    expect(await countFigures(engine.documents(), bench.table.name, definitions())).toMatchObject({ contacts: 2 });
    await say('Identified', { id: '3', user: 'ann', anonymous: 'device' });
    expect(await countFigures(engine.documents(), bench.table.name, definitions())).toMatchObject({ contacts: 1 });
  });

  test('figures say so where contacts and orders disagree', async () => {
    const { history } = await readOrders(file(...ROWS), mapping);
    await recordHistory(bench.recorder, history, mapping.source);
    const order = await bench.table.readOne(key.order('till#1'));
    await bench.table.update(key.order('till#1'), {
      UpdateExpression: 'SET #state = :state',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: { ':state': String(order!.state).replaceAll('2000', '2100') },
    });
    const { disagreements } = await countFigures(engine.documents(), bench.table.name, definitions());
    expect(disagreements).toEqual(['gross of all orders, and of contacts and guests: 3450 and 3350']);
  });

  test('that fails for a passing reason is tried again, and what stays failed is told without its values', async () => {
    const { history } = await readOrders(file(...ROWS), mapping);
    let calls = 0;
    const flaky = {
      record: async (stimuli: { interaction: { name: string } }[]): Promise<RecordOutcome[]> => {
        calls += 1;
        return stimuli.map(({ interaction: { name } }) =>
          name === 'Order Refunded'
            ? { kind: 'failed', error: new Error('7@customers.invalid') }
            : calls === 1
              ? { kind: 'failed', error: new Error('busy') }
              : { kind: 'recorded' },
        );
      },
    };
    const told = await recordHistory(flaky, history, mapping.source);
    expect(told).toMatchObject({
      recorded: history.length - 2,
      failed: { count: 2, first: ['Order Refunded: Error', 'Order Refunded: Error'] },
    });
    expect(calls).toBe(4);
  });
});
