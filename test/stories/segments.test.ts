// Segments on the whole stack: events in, contacts inside, time alone turning them; and a real shop's members against SQL.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { recordHistory } from '../../cli/import-history.ts';
import { readMapping, readOrders } from '../../cli/import-orders.ts';
import { openImport } from '../../cli/import-target.ts';
import type { Segment } from '../../domain/grammar.ts';
import { type JsonObject, sha256 } from '../../domain/interaction.ts';
import { OrdersMapping } from '../../domain/mapping.ts';
import { readContact } from '../../functions/aws/table.ts';
import {
  closeStory,
  DAY,
  type Folder,
  HOUR,
  MINUTE,
  order,
  type Said,
  type Story,
  startStory,
} from '../support/laptop.ts';

const SHARED = resolve(import.meta.dirname, '../../../shared');
const EXAMPLES = join(SHARED, 'examples/segments.json');
const RETAIL = join(SHARED, 'data/online_retail_2010_2011/online_retail_sample_custmod10.csv');
const noExamples = !existsSync(EXAMPLES);
const noRetail = noExamples || !existsSync(RETAIL);
if (noExamples) console.warn(`SKIPPED: ${EXAMPLES} is missing, the example segments are not tried on the stack`);
if (noRetail) console.warn(`SKIPPED: ${RETAIL} is missing, no members of a real shop are compared`);
const examples = (noExamples ? {} : JSON.parse(readFileSync(EXAMPLES, 'utf8'))) as Record<string, Segment>;

/** The example segments in the place of the ready-made ones, and one campaign: a mail to who becomes overdue. */
function withExamples(folder: Folder): void {
  for (const room of ['segments', 'campaigns']) {
    mkdirSync(join(folder.path, room), { recursive: true });
    for (const file of readdirSync(join(folder.path, room))) folder.remove(`${room}/${file}`);
  }
  for (const [id, segment] of Object.entries(examples)) folder.write(`segments/${id}.json`, segment);
  folder.write('campaigns/overdue.json', {
    kind: 'marketing',
    aim: 'retention',
    topic: 'offers',
    sender: 'main',
    when: { enters: 'overdue-by-own-rhythm' },
    again: 'every time',
    steps: [{ send: 'win-back' }],
  });
}

/** The segments that a person is in, as the contact says. */
async function membersOf(shop: Story, user: string): Promise<string[]> {
  const { segments } = (await shop.contact(user)).journey;
  return Object.keys(segments)
    .filter((id) => segments[id]?.since !== undefined)
    .sort();
}

const bought = (user: string, id: string, properties: JsonObject = {}, at?: number): Said => ({
  event: 'Order Completed',
  user,
  properties: { ...order(`${user}-${id}`, ['halden-battery', 59]), ...properties },
  ...(at === undefined ? {} : { at }),
});
const fullMinute = (at: number): number => Math.ceil(at / MINUTE) * MINUTE;

describe.skipIf(noExamples)('the example segments on the stack', () => {
  let shop: Story;
  beforeAll(async () => {
    shop = await startStory({ change: withExamples });
  });
  afterAll(() => closeStory(shop));
  beforeEach(() => shop.next());

  it('take people in and let them go as their events come', async () => {
    await shop.customer('fay', { birthday: '1990-03-05' });
    expect(await membersOf(shop, 'fay')).toEqual([
      'birthday-this-week',
      'engaged-30d',
      'engaged-90d',
      'subscribed-never-bought',
    ]);
    const camera = { product_id: 'halden-one', category: 'Cameras', price: 1000, quantity: 1 };
    await shop.send(bought('fay', '1', { revenue: 1000, total: 1000, coupon: 'SPRING', products: [camera] }));
    expect(await membersOf(shop, 'fay')).toEqual([
      'birthday-this-week',
      'camera-without-lens',
      'engaged-30d',
      'engaged-90d',
      'first-time-buyers',
      'gold-this-year',
      'vip',
    ]);
    const lens = { product_id: 'halden-35', category: 'Lenses', price: 359, quantity: 1 };
    await shop.send(bought('fay', '2', { revenue: 359, total: 359, coupon: 'MAY', products: [lens] }));
    await shop.send({
      event: 'Order Refunded',
      user: 'fay',
      properties: { order_id: 'fay-1', refund_id: 'r', total: 1000 },
    });
    await shop.send({ event: 'Case Opened', user: 'fay', properties: { case_id: 'c1', topic: 'delivery' } });
    expect(await membersOf(shop, 'fay')).toEqual([
      'birthday-this-week',
      'coupon-only-buyers',
      'engaged-30d',
      'engaged-90d',
      'open-complaint',
      'repeat-buyers',
    ]);
    await shop.send({ event: 'Case Closed', user: 'fay', properties: { case_id: 'c1' } }, bought('fay', '3'));
    expect(await membersOf(shop, 'fay')).toEqual([
      'birthday-this-week',
      'engaged-30d',
      'engaged-90d',
      'high-returners',
      'repeat-buyers',
    ]);
  });

  it('read scores that we give ourselves, and of nobody else', async () => {
    await shop.customer('sara');
    const { id } = await shop.contact('sara');
    const scored = (Source: string, contactId: string, properties: JsonObject) =>
      shop.put({
        Source,
        DetailType: 'Scores Updated',
        Detail: JSON.stringify({
          type: 'track',
          event: 'Scores Updated',
          messageId: `scores-${Source}-${JSON.stringify(properties)}`,
          contactId,
          timestamp: new Date(shop.now()).toISOString(),
          properties,
        }),
      });
    await scored('shop', id, { 'value.decile': 1 });
    expect(await membersOf(shop, 'sara')).not.toContain('vip');
    expect(await shop.deadLetterOf('Scores Updated')).toHaveLength(1);
    await scored('kairos', id, { 'value.decile': 1, 'rfm.frequency': 5, 'rfm.money': 4, 'rfm.recency': 2 });
    expect(await membersOf(shop, 'sara')).toEqual(expect.arrayContaining(['lost-champions', 'vip']));
  });

  it('are left by time alone, at the instant at which the event leaves the window', async () => {
    const views = fullMinute(shop.now() - HOUR);
    await shop.send(
      { event: 'identify', user: 'vera', email: 'vera@customers.example', at: views },
      { event: 'Product Viewed', user: 'vera', at: views, properties: { product_id: 'halden-one' } },
    );
    expect(await membersOf(shop, 'vera')).toEqual(['engaged-30d', 'engaged-90d']);
    expect((await shop.contact('vera')).journey.due).toBe(views + 30 * DAY);
    await shop.until(views + 30 * DAY - 1);
    expect(await membersOf(shop, 'vera')).toEqual(['engaged-30d', 'engaged-90d']);
    await shop.until(views + 30 * DAY);
    expect(await membersOf(shop, 'vera')).toEqual(['engaged-90d']);
    expect((await shop.contact('vera')).journey.due).toBe(views + 90 * DAY);
    await shop.until(views + 90 * DAY);
    expect(await membersOf(shop, 'vera')).toEqual([]);
    expect((await shop.interactions('vera')).map(({ name }) => name).toSorted()).toEqual([
      'Identified',
      'Product Viewed',
    ]);
  });

  it('are entered once, by time: one run, one mail, whatever is said again; and once more after having left', async () => {
    const email = await shop.customer('olga');
    const now = fullMinute(shop.now() - HOUR);
    const orders = [60, 40, 20].map((days, i) => bought('olga', `${i}`, {}, now - days * DAY));
    await shop.send(...orders.map((said, i) => ({ ...said, id: `olga-${i}` })));
    expect(await membersOf(shop, 'olga')).not.toContain('overdue-by-own-rhythm');
    expect((await shop.contact('olga')).journey.due).toBeLessThanOrEqual(now + 10 * DAY);
    await shop.until(now + 10 * DAY - 1);
    expect(await membersOf(shop, 'olga')).not.toContain('overdue-by-own-rhythm');
    await shop.until(now + 10 * DAY);
    expect((await shop.contact('olga')).journey.segments['overdue-by-own-rhythm']).toMatchObject({ entries: 1 });
    await shop.send(...orders.map((said, i) => ({ ...said, id: `olga-${i}` })));
    await shop.forward('21d');
    const [mail, ...more] = await shop.mails(email, 'overdue');
    expect(mail?.subject).toBeDefined();
    expect(more).toEqual([]);
    // A click is an event as any other: engaged again.
    expect(await membersOf(shop, 'olga')).not.toContain('engaged-30d');
    await shop.feedback(mail!, 'Click', {
      click: {
        timestamp: new Date(shop.now()).toISOString(),
        link: 'https://shop.aurora-camera.example/',
        linkTags: {},
      },
    });
    expect(await membersOf(shop, 'olga')).toEqual(expect.arrayContaining(['engaged-30d', 'overdue-by-own-rhythm']));
    await shop.send(bought('olga', '4'));
    expect(await membersOf(shop, 'olga')).not.toContain('overdue-by-own-rhythm');
    await shop.forward('60d');
    expect((await shop.contact('olga')).journey.segments['overdue-by-own-rhythm']).toMatchObject({ entries: 2 });
    expect(await shop.mails(email, 'overdue')).toHaveLength(2);
  });

  it('are not entered by an imported history: who is inside by it gets nothing, who turns later does', async () => {
    await shop.customer('hans');
    await shop.customer('jana');
    const now = shop.now();
    const { outputs, env } = shop.laptop;
    const target = openImport({ stage: 'laptop', outputs, env }, () => shop.now());
    const past = (user: string, days: number[]) =>
      days.map((ago) => ({
        at: now - ago * DAY,
        name: 'Order Completed',
        detail: shop.envelope(bought(user, `${ago}`, {}, now - ago * DAY)),
      }));
    // Hans is overdue since 20 days ago; Jana will be in ten days.
    const told = await recordHistory(
      target.recorder,
      [...past('hans', [90, 70, 50]), ...past('jana', [60, 40, 20])] as Parameters<typeof recordHistory>[1],
      'shop',
    );
    expect(told).toMatchObject({ recorded: 6, failed: { count: 0 } });
    await shop.idle();
    expect((await shop.contact('hans')).journey.segments['overdue-by-own-rhythm']).toMatchObject({ entries: 0 });
    expect(await membersOf(shop, 'hans')).toContain('overdue-by-own-rhythm');
    await shop.forward('12d');
    expect(await shop.mails('hans@customers.example', 'overdue')).toEqual([]);
    expect((await shop.contact('jana')).journey.segments['overdue-by-own-rhythm']).toMatchObject({ entries: 1 });
    expect(await shop.mails('jana@customers.example', 'overdue')).toHaveLength(1);
  });
});

/** A sixth of the customers of the sample, for the sake of time. */
const isAsked = (customer: string): boolean => Number(customer) % 60 === 0;

/** What SQL alone says of the file: who is in which segment at an instant, customers in ascending order. */
async function membersBySql(now: number): Promise<Record<string, string[]>> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const year = new Date(now).getUTCFullYear();
  // British summer time of 2011 by hand: the database brings no zones of its own.
  await connection.run(`
    create table line as
      select CustomerID as customer, InvoiceNo as invoice, Quantity::int as many, UnitPrice::decimal(18, 3) as price,
        (round(Quantity::int * UnitPrice::decimal(18, 3), 2) * 100)::bigint as pence,
        epoch_ms(InvoiceDate::timestamp)
          - if(InvoiceDate >= '2011-03-27 02:00' and InvoiceDate < '2011-10-30 02:00', 3600000, 0) as moment
      from read_csv('${RETAIL}', header = true, all_varchar = true)
      where coalesce(CustomerID, '') <> '' and CustomerID::int % 60 = 0;
    create table back as
      select customer, -sum(pence) as pence from line where invoice like 'C%' group by customer;
    create table bought as
      select customer, invoice, min(moment) as moment, sum(pence) as pence from line
      where invoice not like 'C%' and invoice not like 'A%' and many > 0 and price > 0
      group by customer, invoice;
    create table person as
      select customer, count(*) as orders, min(moment) as began, max(moment) as ended, sum(bought.pence) as gross,
        count(*) filter (moment > ${now - 365 * DAY}) as many_lately,
        coalesce(sum(bought.pence) filter (moment > ${now - 365 * DAY}), 0) as pence_lately,
        count(*) filter (year(make_timestamp(moment * 1000)) = ${year}) as many_this_year,
        coalesce(sum(bought.pence) filter (year(make_timestamp(moment * 1000)) = ${year}), 0) as pence_this_year,
        coalesce(any_value(back.pence), 0) as returned
      from bought left join back using (customer) group by customer;`);
  const segments: Record<string, string> = {
    'first-time-buyers': 'orders = 1',
    'repeat-buyers': 'many_lately >= 2',
    vip: 'pence_lately >= 100000',
    'lapsed-60d': `orders >= 2 and ended <= ${now - 60 * DAY}`,
    'overdue-by-own-rhythm': `orders >= 3 and ended > began and ${now} - ended >= 1.5 * (ended - began) / (orders - 1)`,
    'high-returners': 'orders >= 3 and returned >= 0.5 * gross',
    'gold-this-year': 'pence_this_year >= 50000 or many_this_year >= 6',
  };
  const members: Record<string, string[]> = {};
  for (const [id, where] of Object.entries(segments)) {
    const rows = await connection.runAndReadAll(`select customer from person where ${where} order by customer`);
    members[id] = rows.getRows().map(([customer]) => String(customer));
  }
  const rows = await connection.runAndReadAll('select distinct customer from line order by customer');
  return { ...members, everybody: rows.getRows().map(([customer]) => String(customer)) };
}

describe.skipIf(noRetail)('the members of a real shop', () => {
  let shop: Story;
  const IMPORTED = Date.parse('2011-12-10T12:00:00Z');
  beforeAll(async () => {
    shop = await startStory({
      start: IMPORTED,
      change(folder) {
        withExamples(folder);
        folder.remove('campaigns/overdue.json');
        folder.edit('settings.json', (settings) => Object.assign(settings, { zone: 'Europe/London', currency: 'GBP' }));
      },
    });
    const { liveFrom: _, ...mapping } = await readMapping(
      resolve(import.meta.dirname, '../../templates/imports/online-retail.json'),
      OrdersMapping,
    );
    const read = await readOrders(RETAIL, mapping);
    const history = read.history.filter(({ detail }) => isAsked(String(detail.userId)));
    const { outputs, env } = shop.laptop;
    const target = openImport({ stage: 'laptop', outputs, env }, () => shop.now());
    const told = await recordHistory(target.recorder, history, mapping.source);
    expect(told).toMatchObject({ events: history.length, recorded: history.length, failed: { count: 0 } });
    await shop.idle();
  }, 120_000);
  afterAll(() => closeStory(shop));

  /** Who is inside each of the asked segments, as the contacts on the stack say. */
  async function membersOnStack(everybody: string[], segments: string[]): Promise<Record<string, string[]>> {
    const customers = new Map(everybody.map((customer) => [`user#${sha256(customer)}`, customer]));
    const members: Record<string, string[]> = Object.fromEntries(segments.map((id) => [id, []]));
    for (const item of await shop.items('CONTACT')) {
      const contact = readContact(item).value;
      const customer = contact.aliases.flatMap((alias) => customers.get(alias) ?? [])[0];
      if (customer === undefined) continue;
      for (const id of segments) if (contact.journey.segments[id]?.since !== undefined) members[id]!.push(customer);
    }
    for (const list of Object.values(members)) list.sort();
    return members;
  }

  it.each([
    ['the day after the import', '2011-12-11T12:00:00Z'],
    ['four weeks of nothing but time later, in the new year', '2012-01-07T12:00:00Z'],
  ])('are those that SQL finds in the file, %s', async (_, text) => {
    const now = Date.parse(text);
    await shop.until(now);
    const { everybody, ...expected } = await membersBySql(now);
    const found = await membersOnStack(everybody!, Object.keys(expected));
    expect(found).toEqual(expected);
    expect(Object.values(expected).filter((list) => list.length > 5).length).toBeGreaterThanOrEqual(4);
  });
});
