// What happened is what counts: repeats, any order, refunds before orders, devices before names.
import { describe, expect, it } from 'vitest';
import type { Contact } from '../../domain/contact.ts';
import { drawn } from '../support/faulty-engine.ts';
import { aStory, DAY, HOUR, MINUTE, order, type Said, START, type Story } from '../support/laptop.ts';

const story = aStory();

/** Each event one to four times, in an order that the seed decides. */
function shuffled(events: Said[], seed: number): Said[] {
  const draw = drawn(seed);
  const many = events.flatMap((event) => Array.from({ length: 1 + Math.floor(draw() * 4) }, () => event));
  for (let at = many.length - 1; at > 0; at--) {
    const other = Math.floor(draw() * (at + 1));
    [many[at], many[other]] = [many[other]!, many[at]!];
  }
  return many;
}

/** A life of five months: looked around unknown, then known, bought, sent back, changed its mind. */
function life(who: string, end: number): Said[] {
  const email = `${who}@customers.example`;
  const at = (days: number) => end - 150 * DAY + days * DAY;
  const device = { anonymous: `${who}-device` };
  const user = { user: who };
  return [
    { id: `${who}-1`, event: 'Product Viewed', ...device, at: at(0), properties: { product_id: 'halden-one' } },
    {
      id: `${who}-2`,
      event: 'Product Added',
      ...device,
      at: at(1),
      properties: { product_id: 'halden-one', price: 649 },
    },
    {
      id: `${who}-3`,
      event: 'identify',
      ...user,
      ...device,
      email,
      at: at(2),
      traits: { firstName: 'Old', country: 'PL' },
    },
    { id: `${who}-4`, event: 'identify', ...user, at: at(60), traits: { firstName: 'New', locale: 'pl' } },
    { id: `${who}-5`, event: 'Consent Granted', ...user, at: at(2), properties: { topic: 'news' } },
    { id: `${who}-6`, event: 'Consent Withdrawn', ...user, at: at(40), properties: { topic: 'news' } },
    {
      id: `${who}-7`,
      event: 'Order Completed',
      ...user,
      at: at(3),
      properties: order(`${who}-a`, ['halden-one', 649]),
    },
    {
      id: `${who}-8`,
      event: 'Order Completed',
      email,
      at: at(30),
      properties: order(`${who}-b`, ['care-kit', 26], ['care-kit', 26, 2]),
    },
    {
      id: `${who}-9`,
      event: 'Order Refunded',
      ...user,
      at: at(35),
      properties: { order_id: `${who}-b`, refund_id: 'r1', total: 26 },
    },
    {
      id: `${who}-10`,
      event: 'Order Refunded',
      at: at(36),
      properties: { order_id: `${who}-b`, refund_id: 'r2', total: 10 },
    },
    {
      id: `${who}-11`,
      event: 'Order Completed',
      ...user,
      at: at(50),
      properties: order(`${who}-c`, ['halden-35', 359], ['halden-battery', 59]),
    },
    {
      id: `${who}-12`,
      event: 'Order Cancelled',
      ...user,
      at: at(51),
      properties: { order_id: `${who}-c`, products: [{ product_id: 'halden-battery', price: 59, quantity: 1 }] },
    },
    {
      id: `${who}-13`,
      event: 'Order Completed',
      ...user,
      at: at(70),
      properties: order(`${who}-d`, ['fjell-travel', 139]),
    },
    {
      id: `${who}-14`,
      event: 'Order Updated',
      ...user,
      at: at(71),
      properties: order(`${who}-d`, ['fjell-carbon', 349]),
    },
    { id: `${who}-15`, event: 'Order Cancelled', ...user, at: at(75), properties: { order_id: `${who}-e` } },
    {
      id: `${who}-16`,
      event: 'Order Completed',
      ...user,
      at: at(74),
      properties: order(`${who}-e`, ['vesper-sling', 79]),
    },
    {
      id: `${who}-17`,
      event: 'Product Added',
      ...user,
      at: at(80),
      properties: { product_id: 'kite-reader', price: 29, quantity: 2 },
    },
    {
      id: `${who}-18`,
      event: 'Product Added',
      ...user,
      at: at(81),
      properties: { product_id: 'kite-power', price: 49 },
    },
    { id: `${who}-19`, event: 'Product Removed', ...user, at: at(82), properties: { product_id: 'kite-reader' } },
    { id: `${who}-20`, event: 'Order Delivered', ...user, at: at(73), properties: { order_id: `${who}-d` } },
    {
      id: `${who}-21`,
      event: 'Order Completed',
      ...user,
      at: end - 2 * HOUR,
      properties: order(`${who}-f`, ['halden-two', 1149]),
    },
  ];
}

/** All that must be equal whatever the order, the person's own name taken out. Keys inside counters are hashes. */
function facts({ facts, journey, aliases }: Contact, who: string): unknown {
  const counters = Object.fromEntries(
    Object.entries(facts.counters).map(([id, { e, ...rest }]) => [
      id,
      { e: e.map(([at, , ...sums]) => [at, ...sums]), ...rest },
    ]),
  );
  const { addressHash, ...plain } = facts;
  const told = { ...plain, counters, hasHash: addressHash !== undefined, aliases: aliases.length };
  const inside = Object.entries(journey.segments).flatMap(([id, { since }]) => (since === undefined ? [] : [id]));
  return JSON.parse(JSON.stringify({ ...told, inside: inside.toSorted() }, sortKeys).replaceAll(who, 'X')) as unknown;
}

function sortKeys(_: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

async function told(shop: Story, who: string) {
  return (await shop.messages({ user: who })).map(({ campaign, step, state, inputs }) => ({
    campaign,
    step,
    state,
    product: inputs.product,
  }));
}

describe('a history told with repeats and in any order', () => {
  it('leads to the same facts and the same messages, each once', async () => {
    const shop = story();
    const end = START + HOUR;
    const seeds = { pat: 0, pia: 11, pim: 22, pol: 33, pru: 44 };
    for (const [who, seed] of Object.entries(seeds)) {
      // Who consents late is asked late: that is no matter of the order of telling.
      await shop.send({
        id: `${who}-c`,
        event: 'Consent Granted',
        user: who,
        at: end - 149 * DAY,
        properties: { topic: 'offers' },
      });
      const events = seed === 0 ? life(who, end) : shuffled(life(who, end), seed);
      // Not one batch: what one invocation sorts, two do not.
      for (let from = 0; from < events.length; from += 7) {
        await shop.laptop.putEvents(
          events.slice(from, from + 7).map((said) => ({
            Source: 'shop',
            DetailType: said.event,
            Detail: JSON.stringify(shop.envelope({ ...said })),
          })),
        );
        if (from % 14 === 0) await shop.idle();
      }
      await shop.idle();
    }
    const expected = facts(await shop.contact('pat'), 'pat');
    expect(expected).toMatchObject({
      // a 649, b 78, c 418, d 349, f 1,149; e was cancelled. Back came b 36, c 59, and all of e.
      orders: { count: 5, gross: 272_200, refunded: 17_400, returned: 3 },
      attributes: { firstName: { value: 'New' }, country: { value: 'PL' }, locale: { value: 'pl' } },
    });
    for (const who of Object.keys(seeds))
      expect({ who, facts: facts(await shop.contact(who), who) }).toEqual({ who, facts: expected });
    await shop.until(end + 9 * DAY);
    const messages = await told(shop, 'pat');
    expect(messages.map(({ campaign }) => campaign).toSorted()).toEqual(['cross-sell', 'vip-thank-you']);
    for (const who of Object.keys(seeds)) {
      expect({ who, messages: await told(shop, who) }).toEqual({ who, messages });
      expect(await shop.mails(`${who}@customers.example`)).toHaveLength(2);
    }
    expect(await shop.deadLetters()).toEqual([]);
  });
});

describe('an order', () => {
  it('counts the same when its refund came first', async () => {
    const shop = story();
    await shop.customer('ron');
    await shop.send({
      event: 'Order Refunded',
      user: 'ron',
      properties: { order_id: 'ron-1', total: 20, currency: 'EUR' },
    });
    expect((await shop.contact('ron')).facts.orders).toMatchObject({ count: 0, refunded: 2000 });
    await shop.send({ event: 'Order Completed', user: 'ron', properties: order('ron-1', ['care-kit', 26]) });
    expect((await shop.contact('ron')).facts.orders).toMatchObject({
      count: 1,
      gross: 2600,
      refunded: 2000,
      returned: 1,
    });
  });

  it('is found by a refund that names no customer, before and after', async () => {
    const shop = story();
    await shop.customer('rosa');
    await shop.send({ event: 'Order Refunded', properties: { order_id: 'rosa-1', total: 6, refund_id: 'a' } });
    await shop.send({ event: 'Order Completed', user: 'rosa', properties: order('rosa-1', ['care-kit', 26]) });
    expect((await shop.contact('rosa')).facts.orders).toMatchObject({ count: 1, gross: 2600, refunded: 600 });
    await shop.send({ event: 'Order Refunded', properties: { order_id: 'rosa-1', total: 4, refund_id: 'b' } });
    await shop.send({
      event: 'Order Refunded',
      properties: { order_id: 'rosa-1', total: 4, refund_id: 'b' },
      id: 'again',
    });
    expect((await shop.contact('rosa')).facts.orders).toMatchObject({ refunded: 1400, returned: 1 });
    // Without amount or lines it is all that is left.
    await shop.send({ event: 'Order Refunded', properties: { order_id: 'rosa-1', refund_id: 'c' } });
    expect((await shop.contact('rosa')).facts.orders).toMatchObject({ count: 1, refunded: 2600 });
  });

  it('is taken back in part or as a whole, by cancellations in any number', async () => {
    const shop = story();
    await shop.customer('kai');
    const cancel = (id: string, products?: { product_id: string; price: number; quantity: number }[]): Said => ({
      event: 'Order Cancelled',
      user: 'kai',
      at: shop.now() + Number(id),
      properties: { order_id: 'kai-1', ...(products === undefined ? {} : { products }) },
    });
    await shop.send({
      event: 'Order Completed',
      user: 'kai',
      properties: order('kai-1', ['care-kit', 26, 2], ['care-swabs', 21]),
    });
    await shop.send(cancel('1', [{ product_id: 'care-kit', price: 26, quantity: 1 }]));
    expect((await shop.contact('kai')).facts.orders).toMatchObject({ count: 1, gross: 7300, refunded: 2600 });
    await shop.send(cancel('2'));
    expect((await shop.contact('kai')).facts.orders).toMatchObject({ count: 0, gross: 7300, refunded: 7300 });
  });

  it('has the lines of its latest update, and a credit note without an order counts by itself', async () => {
    const shop = story();
    await shop.customer('udo');
    const at = shop.now() - HOUR;
    await shop.send({ event: 'Order Updated', user: 'udo', at, properties: order('udo-1', ['care-kit', 26]) });
    await shop.send({
      event: 'Order Completed',
      user: 'udo',
      at: at - MINUTE,
      properties: order('udo-1', ['care-kit', 26, 3]),
    });
    expect((await shop.contact('udo')).facts.orders).toMatchObject({ count: 1, gross: 2600 });
    await shop.send({
      event: 'Order Refunded',
      user: 'udo',
      properties: { order_id: 'C-udo-9', total: -15, currency: 'EUR' },
    });
    expect((await shop.contact('udo')).facts.orders).toMatchObject({ count: 1, gross: 2600, refunded: 1500 });
  });
});

describe('somebody whom no one knew', () => {
  it('is one contact with all of it when they say who they are, and campaigns count both', async () => {
    const shop = story();
    const viewed = (id: string): Said => ({
      event: 'Product Viewed',
      anonymous: 'nora-device',
      properties: { product_id: id },
    });
    await shop.send(viewed('halden-one'), viewed('halden-two'));
    await shop.send({
      event: 'Order Completed',
      anonymous: 'nora-device',
      properties: order('nora-1', ['care-kit', 26]),
    });
    await shop.send({
      event: 'Product Added',
      anonymous: 'nora-device',
      properties: { product_id: 'halden-35', price: 359 },
    });
    const before = await shop.contactOfDevice('nora-device');
    expect(before?.facts).toMatchObject({ orders: { count: 1 }, cart: { lines: { 'halden-35': { quantity: 1 } } } });

    const email = 'nora@customers.example';
    await shop.send({
      event: 'identify',
      user: 'nora',
      anonymous: 'nora-device',
      email,
      traits: { firstName: 'Nora' },
    });
    const known = await shop.contact('nora');
    expect(known.id).toBe(before?.id);
    expect((await shop.contactOfAddress(email))?.id).toBe(before?.id);
    await shop.send({ event: 'Consent Granted', user: 'nora', properties: { topic: 'offers' } });
    await shop.forward('1d');
    const second = shop.now();
    await shop.send({ event: 'Order Completed', user: 'nora', properties: order('nora-2', ['care-swabs', 21]) });
    expect((await shop.contact('nora')).facts.orders).toMatchObject({ count: 2, gross: 4700 });
    // "At least twice": the order of the device is one of the two.
    await shop.until(second + 62 * DAY);
    expect(await shop.mails(email, 'win-back')).toHaveLength(1);
  });

  it('merges with the person they turn out to be: facts once, of two runs of one campaign one', async () => {
    const shop = story();
    await shop.send({ event: 'identify', email: 'mia@customers.example', traits: { firstName: 'Mia' } });
    await shop.send({ event: 'Consent Granted', email: 'mia@customers.example', properties: { topic: 'offers' } });
    await shop.send({ event: 'identify', user: 'mia', traits: { country: 'DE' } });
    await shop.forward('2d');
    const bought = shop.now();
    await shop.send({
      event: 'Order Completed',
      email: 'mia@customers.example',
      properties: order('mia-1', ['halden-one', 649]),
    });
    await shop.send({ event: 'Order Completed', user: 'mia', properties: order('mia-2', ['halden-two', 1149]) });
    await shop.send({ event: 'identify', user: 'mia', email: 'mia@customers.example' });
    const merged = await shop.contact('mia');
    expect((await shop.contactOfAddress('mia@customers.example'))?.id).toBe(merged.id);
    expect(merged.facts).toMatchObject({
      orders: { count: 2, gross: 179_800 },
      attributes: { firstName: { value: 'Mia' }, country: { value: 'DE' } },
    });
    await shop.until(bought + 9 * DAY);
    expect(await shop.mails('mia@customers.example', 'cross-sell')).toHaveLength(1);
    expect(await shop.mails('mia@customers.example', 'vip-thank-you')).toHaveLength(1);
    expect(await shop.mails('mia@customers.example', 'welcome')).toHaveLength(1);
  });
});

describe('an address that two people claim', () => {
  it('stays with the first, and fails no event of the second', async () => {
    const shop = story();
    const email = 'shared@customers.example';
    await shop.send(
      { event: 'identify', user: 'first', email },
      { event: 'Consent Granted', user: 'first', properties: { topic: 'offers' } },
    );
    await shop.send({ event: 'identify', user: 'second', email, traits: { firstName: 'Second' } });
    await shop.send(
      { event: 'Consent Granted', user: 'second', properties: { topic: 'offers' } },
      { event: 'Order Completed', user: 'second', email, properties: order('second-1', ['halden-one', 649]) },
    );
    const [first, second] = [await shop.contact('first'), await shop.contact('second')];
    expect(second.id).not.toBe(first.id);
    expect(first.facts.address?.value).toBe(email);
    expect(second.facts.address).toBeUndefined();
    expect(second.facts).toMatchObject({ orders: { count: 1 }, attributes: { firstName: { value: 'Second' } } });
    expect(first.facts.orders.count).toBe(0);
    await shop.forward('9d');
    expect((await shop.mails(email)).map(({ tags }) => tags['kairos-contact'])).toEqual([first.id]);
    expect((await shop.contact('second')).journey.decisions['cross-sell']?.reason).toMatch(/no address|all steps done/);
    expect(await shop.deadLetters()).toEqual([]);
  });
});
