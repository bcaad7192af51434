// Each of the ready-made campaigns on the whole stack: what starts it, who gets it and when, what ends it.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { importCoupons } from '../../cli/coupons.ts';
import { shelfOf } from '../../cli/publish.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { localTime } from '../../domain/time.ts';
import type { Mail } from '../../local/laptop.ts';
import { aStory, DAY, type Folder, linkIn, MINUTE, order, READY_MADE, type Story } from '../support/laptop.ts';

/** Nobody is held out: what is told here is told of those who are written to. */
function withoutHoldouts(folder: Folder): void {
  for (const file of readdirSync(join(folder.path, 'campaigns'))) {
    folder.edit(`campaigns/${file}`, (campaign) => {
      delete campaign.holdout;
    });
  }
  folder.edit('settings.json', (settings) => {
    delete settings.globalHoldout;
  });
}

const story = aStory({ templates: READY_MADE, change: withoutHoldouts });

/** A hundred codes for each pool: `BACK10-7`. */
async function fillPools(shop: Story): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kairos-codes-'));
  const { outputs, env } = shop.laptop;
  const { table, bucket } = shelfOf({ stage: 'laptop', outputs, env });
  for (const pool of ['WELCOME', 'CART10', 'BACK10', 'BACK15', 'BDAY', 'FRIEND']) {
    const file = join(folder, `${pool}.csv`);
    writeFileSync(file, ['code', ...Array.from({ length: 100 }, (_, n) => `${pool}-${n}`)].join('\n'));
    const { imported, faults } = await importCoupons(file, pool, { table, bucket, now: () => shop.now(), warn() {} });
    expect([imported, faults.count]).toEqual([100, 0]);
  }
  rmSync(folder, { recursive: true });
}

beforeAll(async () => {
  await fillPools(story());
  // What the feed says of the products that mails are held back without.
  for (const product of ['halden-one', 'halden-50', 'fjell-travel']) {
    await story().send({
      event: 'Product Updated',
      properties: { product_id: product, price: product === 'fjell-travel' ? 139 : 200, currency: 'EUR', stock: 9 },
    });
  }
});

/** E-mails that were sent of a campaign to somebody, oldest first: the template's name of each. */
async function sent(user: string, campaign: string): Promise<string[]> {
  return (await story().messages({ user, campaign, state: 'sent' })).map(({ email }) => email);
}

const mailsOf = (email: string, campaign: string): Promise<Mail[]> => story().mails(email, campaign);

/** An event of our own, as insight and feedback say them. */
async function own(user: string, event: string, properties: JsonObject): Promise<void> {
  const { id } = await story().contact(user);
  const detail = {
    type: 'track',
    event,
    messageId: `own-${event}-${user}-${Object.values(properties).join('-')}`,
    contactId: id,
    timestamp: new Date(story().now()).toISOString(),
    properties,
  };
  await story().put({ Source: 'kairos', DetailType: event, Detail: JSON.stringify(detail) });
}

const codeIn = (mail: Mail | undefined, pool: string): string | undefined =>
  new RegExp(`${pool}-\\d+`).exec(mail?.text ?? '')?.[0];

describe('confirm-subscription and welcome', () => {
  it('confirms, then welcomes with a code, goes on without an order, and reminds of the same code', async () => {
    const shop = story();
    const email = 'wanda@customers.example';
    await shop.send(
      { event: 'identify', user: 'wanda', email, traits: { firstName: 'Wanda' } },
      { event: 'Consent Requested', user: 'wanda', properties: { topic: 'offers', form: 'footer', wording: 'v1' } },
    );
    const [confirmation] = await mailsOf(email, 'confirm-subscription');
    expect(await sent('wanda', 'welcome')).toEqual([]);
    await shop.forward('5m');
    expect((await shop.visit(linkIn(confirmation!, 'c'), 'POST')).status).toBe(200);
    expect(await sent('wanda', 'welcome')).toEqual(['welcome-1']);
    await shop.forward('8d');
    expect(await sent('wanda', 'welcome')).toEqual(['welcome-1', 'welcome-2', 'welcome-3-code-ends']);
    const [first, , last] = await mailsOf(email, 'welcome');
    expect(codeIn(first, 'WELCOME')).toMatch(/^WELCOME-\d+$/);
    expect(codeIn(last, 'WELCOME')).toBe(codeIn(first, 'WELCOME'));
    expect(await sent('wanda', 'confirm-subscription')).toEqual(['confirm-subscription']);
  });

  it('tells who has bought meanwhile something else, and who never confirms nothing more', async () => {
    const shop = story();
    await shop.customer('bert');
    await shop.send({
      event: 'Consent Requested',
      user: 'nils',
      email: 'nils@c.example',
      properties: { topic: 'offers' },
    });
    await shop.forward('1d');
    await shop.send({ event: 'Order Completed', user: 'bert', properties: order('bert-1', ['care-blower', 12]) });
    await shop.forward('9d');
    expect(await sent('bert', 'welcome')).toEqual(['welcome-1', 'welcome-buyer']);
    expect(await sent('nils', 'welcome')).toEqual([]);
    expect((await shop.contact('nils')).journey.decisions['confirm-subscription']).toMatchObject({
      kind: 'stop',
      reason: 'never confirmed',
    });
  });
});

describe('abandoned-cart', () => {
  const checkout = (user: string, id: string) => ({
    event: 'Checkout Started',
    user,
    id,
    properties: {
      value: 229,
      currency: 'EUR',
      products: [{ product_id: 'halden-50', price: 229, quantity: 1 }],
    },
  });

  it('reminds after an hour without a touch of the cart, after a day, and with a code after three', async () => {
    const shop = story();
    const email = await shop.customer('cora');
    await shop.forward('10d');
    await shop.next('10:00');
    await shop.send(checkout('cora', 'cora-checkout'));
    await shop.forward('40m');
    await shop.send({
      event: 'Product Added',
      user: 'cora',
      properties: { product_id: 'halden-filter', price: 24, quantity: 1, currency: 'EUR' },
    });
    await shop.forward('50m');
    expect(await sent('cora', 'abandoned-cart')).toEqual([]);
    await shop.forward('11m');
    expect(await sent('cora', 'abandoned-cart')).toEqual(['cart-1']);
    const [mail] = await mailsOf(email, 'abandoned-cart');
    expect(mail?.html).toContain('Halden 50');
    await shop.forward('4d');
    expect(await sent('cora', 'abandoned-cart')).toEqual(['cart-1', 'cart-2', 'cart-3']);
    expect(codeIn((await mailsOf(email, 'abandoned-cart'))[2], 'CART10')).toBeDefined();
  });

  it('stops at once with the order, and writes to nobody who complains', async () => {
    const shop = story();
    await shop.customer('otto');
    await shop.customer('karl');
    await shop.forward('10d');
    await shop.next('10:00');
    await shop.send(checkout('otto', 'otto-checkout'), checkout('karl', 'karl-checkout'), {
      event: 'Case Opened',
      user: 'karl',
      properties: { case_id: 'k-1' },
    });
    await shop.forward('90m');
    await shop.send({ event: 'Order Completed', user: 'otto', properties: order('otto-1', ['halden-50', 229]) });
    await shop.forward('5d');
    expect(await sent('otto', 'abandoned-cart')).toEqual(['cart-1']);
    expect(await sent('karl', 'abandoned-cart')).toEqual([]);
  });
});

describe('browse-abandonment', () => {
  it('writes four hours after the second look at one product, not to who fills a cart', async () => {
    const shop = story();
    const email = await shop.customer('bela');
    await shop.customer('fred');
    await shop.forward('10d');
    await shop.next('10:00');
    const look = (user: string, product: string) => ({
      event: 'Product Viewed',
      user,
      properties: { product_id: product },
    });
    await shop.send(look('bela', 'halden-one'), look('fred', 'halden-one'), look('fred', 'halden-50'));
    await shop.forward('1h');
    await shop.send(look('bela', 'halden-one'), look('fred', 'halden-one'));
    await shop.forward('1h');
    await shop.send({
      event: 'Product Added',
      user: 'fred',
      properties: { product_id: 'halden-one', price: 200, quantity: 1, currency: 'EUR' },
    });
    await shop.forward('4h');
    expect(await sent('bela', 'browse-abandonment')).toEqual(['browse-1']);
    expect((await mailsOf(email, 'browse-abandonment'))[0]?.html).toContain('Halden One');
    expect(await sent('fred', 'browse-abandonment')).toEqual([]);
  });
});

describe('what follows an order', () => {
  it('cross-sell a week and a review two weeks after delivery; neither for what came back', async () => {
    const shop = story();
    const email = await shop.customer('dora');
    for (const topic of ['reviews']) {
      await shop.send({ event: 'Consent Granted', user: 'dora', properties: { topic, basis: 'double' } });
    }
    await shop.customer('rolf');
    await shop.forward('10d');
    await shop.next('12:00');
    const delivered = (user: string) => ({
      event: 'Order Delivered',
      user,
      properties: order(`${user}-1`, ['halden-two', 1149]),
    });
    await shop.send(
      { event: 'Order Completed', user: 'dora', properties: order('dora-1', ['halden-two', 1149]) },
      { event: 'Order Completed', user: 'rolf', properties: order('rolf-1', ['halden-two', 1149]) },
      delivered('dora'),
      delivered('rolf'),
    );
    const at = shop.now();
    await shop.forward('2d');
    await shop.send({ event: 'Order Refunded', user: 'rolf', properties: { order_id: 'rolf-1' } });
    await shop.until(at + 16 * DAY);
    expect(await sent('dora', 'cross-sell')).toEqual(['goes-well-with']);
    const [mail] = await mailsOf(email, 'cross-sell');
    expect(mail!.at).toBeGreaterThanOrEqual(at + 7 * DAY - 1000);
    expect(mail!.at).toBeLessThan(at + 7 * DAY + 2 * MINUTE);
    expect(await sent('dora', 'review-request')).toEqual(['how-was-it']);
    for (const campaign of ['cross-sell', 'review-request']) expect(await sent('rolf', campaign)).toEqual([]);
  });

  it('referral: a day after five stars, to who bought twice', async () => {
    const shop = story();
    const email = await shop.customer('rita');
    await shop.customer('once');
    await shop.forward('10d');
    await shop.next('12:00');
    await shop.send(
      { event: 'Order Completed', user: 'rita', properties: order('rita-1', ['care-blower', 12]) },
      { event: 'Order Completed', user: 'rita', properties: order('rita-2', ['care-lens-pen', 9]) },
      { event: 'Order Completed', user: 'once', properties: order('once-1', ['care-blower', 12]) },
    );
    const review = (user: string) => ({
      event: 'Product Reviewed',
      user,
      properties: { product_id: 'care-blower', review_id: `of-${user}`, rating: 5 },
    });
    await shop.forward('1h');
    await shop.send(review('rita'), review('once'));
    await shop.forward('2d');
    expect(await sent('rita', 'referral')).toEqual(['share-your-link']);
    expect(codeIn((await mailsOf(email, 'referral'))[0], 'FRIEND')).toBeDefined();
    expect(await sent('once', 'referral')).toEqual([]);
  });

  it('survey-low-score: a bad score is told to the call centre, a good one to nobody', async () => {
    const shop = story();
    await shop.customer('ulla');
    await shop.customer('gert');
    const answer = (user: string, score: number) => ({
      event: 'Survey Answered',
      user,
      properties: { survey: 'delivery', score, order_id: `${user}-1` },
    });
    await shop.send(answer('ulla', 3), answer('gert', 9));
    await shop.forward('2m');
    const told = async (user: string) =>
      (await shop.items('INTERACTION#Unhappy Customer')).filter(({ body }) =>
        String(body).includes(`"order":"${user}-1"`),
      );
    expect(await told('ulla')).toHaveLength(1);
    expect(JSON.parse(String((await told('ulla'))[0]?.body)).properties).toMatchObject({
      channel: 'call-centre',
      score: 3,
    });
    expect(await told('gert')).toEqual([]);
  });
});

describe('products', () => {
  it('back-in-stock: the first who asked first, three for each unit, and not who has it', async () => {
    const shop = story();
    const users = ['ask-1', 'ask-2', 'ask-3', 'ask-4', 'ask-5'];
    for (const user of users) await shop.customer(user, {}, false);
    await shop.send({
      event: 'Product Updated',
      properties: { product_id: 'fjell-pocket', price: 29, currency: 'EUR', stock: 0 },
    });
    for (const user of users) {
      await shop.forward('1m');
      await shop.send({ event: 'Back In Stock Requested', user, properties: { product_id: 'fjell-pocket' } });
    }
    await shop.send({ event: 'Order Completed', user: 'ask-2', properties: order('ask-2-1', ['fjell-pocket', 29]) });
    await shop.next('12:00');
    await shop.send({
      event: 'Product Updated',
      properties: { product_id: 'fjell-pocket', currency: 'EUR', stock: 1 },
    });
    await shop.forward('5m');
    const told = await Promise.all(users.map(async (user) => (await sent(user, 'back-in-stock')).length));
    expect(told).toEqual([1, 0, 1, 1, 0]);
    await shop.send({
      event: 'Product Updated',
      properties: { product_id: 'fjell-pocket', currency: 'EUR', stock: 0 },
    });
    await shop.forward('1d');
    await shop.send({
      event: 'Product Updated',
      properties: { product_id: 'fjell-pocket', currency: 'EUR', stock: 5 },
    });
    await shop.forward('5m');
    const then = await Promise.all(users.map(async (user) => (await sent(user, 'back-in-stock')).length));
    expect(then).toEqual([1, 0, 1, 1, 1]);
  });

  it('price-drop: to who looked, when the price is a tenth below the lowest of thirty days', async () => {
    const shop = story();
    const email = await shop.customer('pia');
    await shop.forward('10d');
    await shop.next('12:00');
    await shop.send({ event: 'Product Viewed', user: 'pia', properties: { product_id: 'fjell-travel' } });
    await shop.forward('2d');
    await shop.next('12:00');
    const cheaper = (price: number) => ({
      event: 'Product Updated',
      properties: { product_id: 'fjell-travel', price, currency: 'EUR' },
    });
    await shop.send(cheaper(130));
    await shop.forward('10m');
    expect(await sent('pia', 'price-drop')).toEqual([]);
    await shop.send(cheaper(109));
    await shop.forward('10m');
    expect(await sent('pia', 'price-drop')).toEqual(['price-drop']);
    const [mail] = await mailsOf(email, 'price-drop');
    expect(mail?.text).toContain('€109.00');
    expect(mail?.text).toContain('€130.00');
  });
});

describe('by the calendar', () => {
  it('birthday: three days before at nine where the contact lives, once a year, if it was known for two weeks', async () => {
    const shop = story();
    const zone = 'America/New_York';
    const day = (after: number) => localTime(shop.now() + after * DAY, zone).date.slice(5);
    const email = await shop.customer('bea', { timezone: zone, birthday: `1990-${day(25)}` });
    const late = await shop.customer('lea', { timezone: zone, birthday: `--${day(12)}` });
    await shop.forward('30d');
    const [mail, ...none] = await mailsOf(email, 'birthday');
    expect(none).toEqual([]);
    const { date, minutes } = localTime(mail!.at, zone);
    expect(date.slice(5)).toBe(localTime(shop.now() - 8 * DAY, zone).date.slice(5));
    expect([540, 541]).toContain(minutes);
    expect(codeIn(mail, 'BDAY')).toBeDefined();
    expect(await mailsOf(late, 'birthday')).toEqual([]);
  });

  it('newsletter: on Tuesday at ten where each lives, to who is engaged and consents to news', async () => {
    const shop = story();
    const zones = { tim: 'Asia/Tokyo', ben: 'Europe/Berlin', nyc: 'America/New_York' };
    for (const [user, timezone] of Object.entries(zones)) {
      await shop.customer(user, { timezone });
      await shop.send({ event: 'Consent Granted', user, properties: { topic: 'news', basis: 'double' } });
    }
    await shop.customer('without');
    await shop.forward('16d');
    for (const [user, zone] of Object.entries(zones)) {
      const mails = await mailsOf(`${user}@customers.example`, 'newsletter');
      expect(mails.length).toBeGreaterThanOrEqual(1);
      for (const { at } of mails) {
        const { weekday, minutes } = localTime(at, zone);
        expect(weekday).toBe(2);
        expect(minutes).toBeGreaterThanOrEqual(600);
        expect(minutes).toBeLessThan(603);
      }
    }
    expect(await sent('without', 'newsletter')).toEqual([]);
  });

  it('replenishment: three days before a film runs out, and once more; not to who has a subscription or has bought', async () => {
    const shop = story();
    for (const user of ['film', 'abo', 'again']) await shop.customer(user);
    await shop.forward('10d');
    await shop.next('12:00');
    for (const user of ['film', 'abo', 'again']) {
      await shop.send({ event: 'Order Completed', user, properties: order(`${user}-1`, ['silvergrain-instant', 24]) });
    }
    const bought = shop.now();
    await shop.send({ event: 'Subscription Started', user: 'abo', properties: { subscription_id: 's-1' } });
    await shop.until(bought + 38 * DAY);
    expect(await sent('film', 'replenishment')).toEqual(['running-low']);
    const [first] = await shop.messages({ user: 'film', campaign: 'replenishment' });
    expect(first!.plannedAt).toBeGreaterThanOrEqual(bought + 37 * DAY - 1000);
    await shop.send({
      event: 'Order Completed',
      user: 'again',
      properties: order('again-2', ['silvergrain-instant', 24]),
    });
    await shop.until(bought + 45 * DAY);
    expect(await sent('film', 'replenishment')).toEqual(['running-low', 'running-low-2']);
    expect(await sent('abo', 'replenishment')).toEqual([]);
    expect(await sent('again', 'replenishment')).toEqual(['running-low']);
  });
});

describe('segments and attributes', () => {
  it('vip-thank-you: at ten the next morning, and the call centre is told', async () => {
    const shop = story();
    const email = await shop.customer('vera', { timezone: 'Europe/Berlin' });
    await shop.forward('10d');
    await shop.next('12:00');
    await shop.send({ event: 'Order Completed', user: 'vera', properties: order('vera-1', ['halden-two', 1149]) });
    await shop.forward('1d');
    const [mail] = await mailsOf(email, 'vip-thank-you');
    expect([600, 601]).toContain(localTime(mail!.at, 'Europe/Berlin').minutes);
    const { id } = await shop.contact('vera');
    const told = (await shop.items('INTERACTION#VIP reached')).filter(({ pk }) => pk === `SUBJECT#contact#${id}`);
    expect(told).toHaveLength(1);
  });

  it('tier-gold: when the tier becomes gold, from none or silver', async () => {
    const shop = story();
    for (const user of ['gina', 'dipl']) {
      await shop.customer(user);
      await shop.send({ event: 'Consent Granted', user, properties: { topic: 'loyalty', basis: 'double' } });
    }
    await own('dipl', 'Scores Updated', { 'loyalty.tier': 'platinum' });
    await shop.forward('10d');
    await own('gina', 'Scores Updated', { 'loyalty.tier': 'gold' });
    await own('dipl', 'Scores Updated', { 'loyalty.tier': 'gold' });
    await shop.forward('2d');
    expect(await sent('gina', 'tier-gold')).toEqual(['welcome-to-gold']);
    expect(await sent('dipl', 'tier-gold')).toEqual([]);
  });

  it('win-back: three letters over 24 days, by lot with a code in the second; none after an order', async () => {
    const shop = story();
    const email = await shop.customer('quin');
    await shop.customer('back');
    await shop.forward('10d');
    for (const [user, n] of [
      ['quin', 1],
      ['back', 1],
      ['quin', 2],
      ['back', 2],
    ] as const) {
      await shop.send({ event: 'Order Completed', user, properties: order(`${user}-${n}`, ['vesper-strap', 29]) });
    }
    const last = shop.now();
    await shop.until(last + 65 * DAY);
    expect(await sent('quin', 'win-back')).toEqual(['we-kept-these-for-you']);
    await shop.send({ event: 'Order Completed', user: 'back', properties: order('back-3', ['vesper-strap', 29]) });
    await shop.until(last + 87 * DAY);
    expect(await sent('quin', 'win-back')).toEqual(['we-kept-these-for-you', 'winback-2', 'winback-last']);
    expect(codeIn((await mailsOf(email, 'win-back'))[2], 'BACK15')).toBeDefined();
    expect(await sent('back', 'win-back')).toEqual(['we-kept-these-for-you']);
  });

  it('up-sell: the better model when it is time, not to who has it', async () => {
    const shop = story();
    const email = await shop.customer('uma');
    await shop.forward('10d');
    await shop.next('12:00');
    await shop.send({
      event: 'Order Completed',
      user: 'uma',
      properties: order('uma-1', ['kite-card-64', 19], ['ramme-album', 30]),
    });
    const bought = shop.now();
    await shop.until(bought + 62 * DAY);
    expect(await sent('uma', 'up-sell')).toEqual(['time-for-the-next']);
    expect((await mailsOf(email, 'up-sell'))[0]?.html).toContain('/p/kite-card-128');
  });

  it('sunset: two letters to who reacts to nothing, then the topic rests until they return', async () => {
    const shop = story();
    await shop.customer('stil');
    await shop.forward('60d');
    for (let n = 0; n < 9; n++) {
      await own('stil', 'Email Delivered', { campaign: 'newsletter', step: '0', message: `m-${n}` });
      await shop.forward('1m');
    }
    await shop.forward('122d');
    expect(await sent('stil', 'sunset')).toEqual(['still-want-these']);
    await shop.forward('30d');
    expect(await sent('stil', 'sunset')).toEqual(['still-want-these', 'last-one']);
    expect((await shop.contact('stil')).journey.rests).toMatchObject({
      offers: { campaign: 'sunset', why: 'unengaged' },
    });
    await shop.send({ event: 'Product Viewed', user: 'stil', properties: { product_id: 'care-kit' } });
    expect((await shop.contact('stil')).journey.rests).toBeUndefined();
  });
});

it('nothing died, and nothing is left over', async () => {
  expect(await story().deadLetters()).toEqual([]);
  expect((await story().messages()).filter(({ state }) => state === 'claimed' || state === 'failed')).toEqual([]);
});

describe('a broadcast of one day', () => {
  const sale = aStory({ templates: READY_MADE, change: withoutHoldouts, start: Date.parse('2026-11-05T11:00:00Z') });

  it('black-friday: a fifth gets one of two subjects at eight, the others the winner after four hours', async () => {
    const shop = sale();
    await fillPools(shop);
    const users = Array.from({ length: 12 }, (_, n) => `sale-${n}`);
    for (const user of users) await shop.customer(user, { timezone: 'Europe/Berlin' });
    await shop.until('2026-11-27T20:00:00Z');
    const hours = new Set<number>();
    for (const user of users) {
      const [message, ...none] = await shop.messages({ user, campaign: 'black-friday' });
      expect(none).toEqual([]);
      expect(message?.variant).toMatch(/^subject-[ab]$/);
      const { date, minutes } = localTime(message!.plannedAt, 'Europe/Berlin');
      expect(date).toBe('2026-11-27');
      hours.add(Math.floor(minutes / 60));
      expect(message?.test === undefined).toBe(minutes >= 12 * 60);
    }
    for (const hour of hours) expect([8, 12]).toContain(hour);
  });
});
