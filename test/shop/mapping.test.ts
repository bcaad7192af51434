// Rows into events by a mapping: truth tables of amounts, times, exclusions and faults, and how orders are gathered.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readMapping, readOrders } from '../../cli/import-orders.ts';
import { ContactsMapping, OrdersMapping } from '../../domain/mapping.ts';
import { contactReader } from '../../domain/mapping-events.ts';
import { productInMinor, timeParser } from '../../domain/mapping-fields.ts';

const folder = mkdtempSync(join(tmpdir(), 'kairos-mapping-'));
afterAll(() => rmSync(folder, { recursive: true }));

const mapping: OrdersMapping = OrdersMapping.parse({
  imports: 'orders',
  source: 'shop',
  currency: 'EUR',
  liveFrom: '2026-03-01',
  time: { column: 'time', format: 'dd/MM/yyyy H:mm', zone: 'Europe/Warsaw' },
  order: 'order',
  product: 'sku',
  name: 'name',
  quantity: 'quantity',
  price: 'price',
  person: {
    user: '{customer}',
    address: 'customer-{customer}@customers.invalid',
    lookUps: [{ column: 'country', gives: { Polska: { country: 'PL', timezone: 'Europe/Warsaw' } } }],
  },
  refunds: { where: { order: { startsWith: 'C' } }, amounts: 'negative' },
  exclude: [
    { reason: 'adjustment', where: { order: { startsWith: 'A' } } },
    { reason: 'negative without a cancellation', from: 'orders', where: { quantity: { atMost: 0 } } },
  ],
  consent: { topic: 'offers', basis: 'imported', since: 'first order' },
});
const HEADER = 'order,sku,name,quantity,price,time,customer,country';

async function orders(lines: string[], changes: Partial<OrdersMapping> = {}, header = HEADER) {
  const path = join(folder, 'orders.csv');
  writeFileSync(path, [header, ...lines, ''].join('\n'));
  return await readOrders(path, { ...mapping, ...changes });
}

describe('quantity × price in minor units', () => {
  test.each([
    ['6', '2.55', 100, 1530],
    ['1', '0.005', 100, 1],
    ['1', '0.004', 100, 0],
    ['-1', '0.005', 100, -1],
    ['3', '2.675', 100, 803],
    ['1', '1.005', 100, 101],
    ['0.5', '2.01', 100, 101],
    ['12', '100', 1, 1200],
    ['1', '1.0005', 1000, 1001],
    ['-80995', '2.08', 100, -16846960],
    ['99999999', '123456.789', 100, 1234567877654321],
  ])('%s × %s with %i to one is %i, half away from zero', (quantity, price, unit, amount) => {
    expect(productInMinor(quantity, price, unit)).toBe(amount);
  });
});

describe('times', () => {
  test.each([
    ['yyyy-MM-dd HH:mm:ss', 'Europe/London', '2010-12-01 08:26:00', '2010-12-01T08:26:00.000Z'],
    ['yyyy-MM-dd HH:mm:ss', 'Europe/London', '2011-07-01 08:26:07', '2011-07-01T07:26:07.000Z'],
    ['yyyy-MM-dd HH:mm', 'Europe/London', '2011-03-27 01:30', '2011-03-27T01:30:00.000Z'],
    ['M/d/yy H:mm', 'America/New_York', '7/4/26 9:05', '2026-07-04T13:05:00.000Z'],
    ['dd.MM.yyyy', 'Europe/Berlin', '24.12.2025', '2025-12-23T23:00:00.000Z'],
    ['iso', 'Europe/Berlin', '2026-01-01T10:00:00+02:00', '2026-01-01T08:00:00.000Z'],
    ['iso', 'Europe/Berlin', '2026-01-01 10:00', '2026-01-01T09:00:00.000Z'],
    ['iso', 'Europe/Berlin', '2026-01-01', '2025-12-31T23:00:00.000Z'],
    ['seconds', 'UTC', '1291191960', '2010-12-01T08:26:00.000Z'],
    ['milliseconds', 'UTC', '1291191960000', '2010-12-01T08:26:00.000Z'],
  ])('%s in %s reads %s', (format, zone, text, instant) => {
    expect(new Date(timeParser(format, zone)(text)!).toISOString()).toBe(instant);
  });

  test.each([
    ['yyyy-MM-dd', '2026-02-31'],
    ['yyyy-MM-dd', '2026-13-01'],
    ['dd/MM/yyyy H:mm', '01/01/2026 24:00'],
    ['yyyy-MM-dd HH:mm:ss', '2026-01-01 10:00:61'],
    ['yyyy-MM-dd', ' 2026-01-01'],
    ['iso', 'yesterday'],
    ['iso', '2026-01-01T25:00:00Z'],
    ['seconds', '-5'],
  ])('%s refuses %j', (format, text) => {
    expect(timeParser(format, 'UTC')(text)).toBeUndefined();
  });
});

describe('rows of one order', () => {
  test('are gathered though others stand between them, at the earliest of their times', async () => {
    const { history, orders: count } = await orders([
      '1,a,Lamp,1,10.00,05/01/2026 10:01,7,Polska',
      '2,b,Vase,1,5.00,05/01/2026 10:00,8,Polska',
      '1,c,Cup,2,3.00,05/01/2026 10:00,7,Polska',
      '1,c,Cup,1,3.00,05/01/2026 10:02,7,Polska',
    ]);
    expect(count).toBe(2);
    const order = history.find((event) => event.name === 'Order Completed' && event.detail.userId === '7')!;
    expect(order.detail).toMatchObject({
      timestamp: '2026-01-05T09:00:00.000Z',
      properties: {
        order_id: '1',
        revenue: 19,
        total: 19,
        currency: 'EUR',
        products: [
          { product_id: 'a', price: 10, quantity: 1 },
          { product_id: 'c', price: 3, quantity: 3 },
        ],
      },
    });
  });

  test('of the same product at the same price are one line, and amounts are rounded row by row', async () => {
    const { history } = await orders([
      '1,a,Lamp,1,0.015,05/01/2026 10:00,7,Polska',
      '1,a,Lamp,1,0.015,05/01/2026 10:00,7,Polska',
    ]);
    const { properties } = history.find((event) => event.name === 'Order Completed')!.detail;
    expect(properties).toMatchObject({ revenue: 0.04, products: [{ product_id: 'a', price: 0.015, quantity: 2 }] });
  });

  test('that name two people are a fault of the later line, which does not count', async () => {
    const { faults, rows } = await orders([
      '1,a,Lamp,1,10,05/01/2026 10:00,7,Polska',
      '1,b,Cup,1,1,05/01/2026 10:00,8,Polska',
    ]);
    expect(faults.first).toEqual([{ line: 3, message: 'order the rows of one order name two people ("1")' }]);
    expect(rows).toEqual({ read: 2, counted: 1 });
  });
});

describe('a person', () => {
  test('is told once, with the address that is made and what their country gives; consent once, at the first order', async () => {
    const { history } = await orders([
      '1,a,Lamp,1,10,05/01/2026 10:00,7,Polska',
      '2,a,Lamp,1,10,06/01/2026 10:00,7,Polska',
    ]);
    expect(history.map((event) => event.name)).toEqual([
      'Product Updated',
      'identify',
      'Consent Granted',
      'Order Completed',
      'Order Completed',
    ]);
    expect(history[1]!.detail).toMatchObject({
      userId: '7',
      traits: { email: 'customer-7@customers.invalid', country: 'PL', timezone: 'Europe/Warsaw' },
    });
    expect(history[2]!.detail).toMatchObject({
      timestamp: '2026-01-05T09:00:00.000Z',
      properties: { topic: 'offers', basis: 'imported', channel: 'email' },
    });
  });

  test('is told again when the file says something new about them', async () => {
    const { history } = await orders(['1,a,Lamp,1,10,05/01/2026 10:00,7,', '2,a,Lamp,1,10,06/01/2026 10:00,7,Polska']);
    expect(history.filter((event) => event.name === 'identify').map((event) => event.detail.traits)).toEqual([
      { email: 'customer-7@customers.invalid' },
      { email: 'customer-7@customers.invalid', country: 'PL', timezone: 'Europe/Warsaw' },
    ]);
  });

  test('is absent from a row without a customer: the order is a guest order', async () => {
    const { history } = await orders(['1,a,Lamp,1,10,05/01/2026 10:00,,Polska']);
    expect(history.map((event) => event.name)).toEqual(['Product Updated', 'Order Completed']);
    expect(history[1]!.detail.userId).toBeUndefined();
  });
});

test('a refund is an Order Refunded of its own, with what it takes back above zero', async () => {
  const { history, refunds, orders: count } = await orders(['C9,a,Lamp,-2,10.00,05/01/2026 10:00,7,Polska']);
  expect([count, refunds]).toEqual([0, 1]);
  expect(history.at(-1)!.detail).toMatchObject({
    event: 'Order Refunded',
    properties: { order_id: 'C9', refund_id: 'C9', total: 20, products: [{ product_id: 'a', price: 10, quantity: 2 }] },
  });
});

test('rows from the day of liveFrom on, in the zone of the file, come live and by time; earlier ones are history', async () => {
  const { history, live } = await orders([
    '3,a,Lamp,1,10,02/03/2026 10:00,7,Polska',
    '2,a,Lamp,1,10,01/03/2026 0:00,7,Polska',
    '1,a,Lamp,1,10,28/02/2026 23:59,7,Polska',
  ]);
  expect(history.at(-1)!.detail.properties).toMatchObject({ order_id: '1' });
  expect(live.map((event) => (event.detail.properties as { order_id: string }).order_id)).toEqual(['2', '3']);
});

test('an assumed delivery follows its order, and crosses into the live part by its own time', async () => {
  const { history, live } = await orders(['1,a,Lamp,1,10,27/02/2026 10:00,7,Polska'], { deliveredAfter: '3d' });
  expect(history.some((event) => event.name === 'Order Delivered')).toBe(false);
  expect(live).toMatchObject([{ name: 'Order Delivered', detail: { timestamp: '2026-03-02T09:00:00.000Z' } }]);
});

describe('a row that is wrong', () => {
  test.each([
    [
      'a price with a comma',
      '1,a,Lamp,1,"12,50",05/01/2026 10:00,7,Polska',
      'price is not a number ("12,50"); expected a number such as 12.50',
    ],
    ['no price', '1,a,Lamp,1,,05/01/2026 10:00,7,Polska', 'price is empty; expected a number such as 12.50'],
    [
      'an exponent',
      '1,a,Lamp,1e3,1,05/01/2026 10:00,7,Polska',
      'quantity is not a number ("1e3"); expected a number such as 12.50',
    ],
    [
      'another format of time',
      '1,a,Lamp,1,1,2026-01-05,7,Polska',
      'time is not a time of the format ("2026-01-05"); expected dd/MM/yyyy H:mm',
    ],
    ['no order number', ',a,Lamp,1,1,05/01/2026 10:00,7,Polska', 'order is empty; expected a value'],
    ['no product', '1,,Lamp,1,1,05/01/2026 10:00,7,Polska', 'sku is empty; expected a value'],
  ])('with %s is a fault of its line, and the others count', async (_, line, message) => {
    const { faults, rows, orders: count } = await orders([line, '2,a,Lamp,1,10,05/01/2026 10:00,7,Polska']);
    expect(faults.first).toEqual([{ line: 2, message }]);
    expect(rows).toEqual({ read: 2, counted: 1 });
    expect(count).toBe(1);
  });

  test('a refund with a positive amount is a fault where refunds are negative', async () => {
    const { faults } = await orders(['C1,a,Lamp,1,10,05/01/2026 10:00,7,Polska']);
    expect(faults.first[0]!.message).toContain('quantity × price of a refund is above zero');
  });

  test('a comma is read where the mapping says that it is the decimal sign', async () => {
    const { history } = await orders(['1,a,Lamp,1,"12,50",05/01/2026 10:00,7,Polska'], { decimal: ',' });
    expect(history.at(-1)!.detail.properties).toMatchObject({ total: 12.5 });
  });
});

describe('a row that is excluded', () => {
  test('counts under the first reason that fits it; every row is counted, excluded or a fault', async () => {
    const { excluded, rows, faults } = await orders([
      'A1,a,Lamp,-1,10,05/01/2026 10:00,7,Polska',
      '1,a,Lamp,-1,10,05/01/2026 10:00,7,Polska',
      'C2,a,Lamp,-1,10,05/01/2026 10:00,7,Polska',
      '3,a,Lamp,x,10,05/01/2026 10:00,7,Polska',
    ]);
    expect(excluded).toEqual({ adjustment: 1, 'negative without a cancellation': 1 });
    expect(rows.read).toBe(rows.counted + faults.count + 2);
  });
});

describe('a mapping', () => {
  test('that names columns which the file does not have is refused with all of them and the nearest names', async () => {
    const attempt = orders([], {}, 'order,sku,name,Quantity,prize,time,customer,country');
    await expect(attempt).rejects.toThrow(/no column "quantity".*Did you mean "Quantity"\?/s);
    await expect(attempt).rejects.toThrow(/no column "price".*Did you mean "prize"\?/s);
  });

  test('that is not there, or no JSON, or misspelt, is refused with its place', async () => {
    const path = join(folder, 'm.json');
    await expect(readMapping(join(folder, 'none.json'), OrdersMapping)).rejects.toThrow('there is no such mapping');
    writeFileSync(path, '{');
    await expect(readMapping(path, OrdersMapping)).rejects.toThrow('is no JSON');
    writeFileSync(
      path,
      JSON.stringify({ ...mapping, curency: 'EUR', time: { ...mapping.time, zone: 'Europe/Warschau' } }),
    );
    await expect(readMapping(path, OrdersMapping)).rejects.toThrow(/"curency" is unknown/);
  });
});

describe('contacts', () => {
  const contacts = ContactsMapping.parse({
    imports: 'contacts',
    source: 'old-tool',
    person: { address: '{email}', attributes: { firstName: '{first}' } },
    exclude: [{ reason: 'a test account', where: { email: { contains: '@shop.example' } } }],
    consent: [
      {
        topic: 'offers',
        basis: 'double',
        at: { column: 'confirmed', format: 'iso', zone: 'UTC' },
        where: { confirmed: { exists: true } },
        wording: 'v{version}',
      },
    ],
  });
  const read = contactReader(contacts, ['email', 'first', 'confirmed', 'version'], Date.UTC(2026, 0, 1));

  test('are identified, and consent is granted with its basis, wording and time where it was recorded', () => {
    const reading = read(['ann@example.com', 'Ann', '2025-05-05T10:00:00Z', '3']);
    expect(reading).toMatchObject({
      kind: 'contact',
      events: [
        {
          name: 'identify',
          at: Date.UTC(2026, 0, 1),
          detail: { traits: { email: 'ann@example.com', firstName: 'Ann' } },
        },
        {
          name: 'Consent Granted',
          detail: {
            timestamp: '2025-05-05T10:00:00.000Z',
            context: { traits: { email: 'ann@example.com' } },
            properties: { topic: 'offers', basis: 'double', wording: 'v3' },
          },
        },
      ],
    });
  });

  test('without recorded consent get none; without an address are faults; test accounts are excluded', () => {
    expect(read(['bob@example.com', '', '', ''])).toMatchObject({ events: [{ name: 'identify' }] });
    expect(read(['', 'Bob', '', ''])).toMatchObject({ kind: 'fault', fault: { column: 'email' } });
    expect(read(['x@shop.example', '', '', ''])).toEqual({ kind: 'excluded', reason: 'a test account' });
  });
});
