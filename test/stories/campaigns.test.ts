// The main job: an event in, the right mail out, for each ready-made campaign.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Catalogue } from '../../domain/settings.ts';
import { durationMs, localTime } from '../../domain/time.ts';
import { aStory, DAY, linkIn, MINUTE, order, TEMPLATES } from '../support/laptop.ts';

const story = aStory();

describe('given somebody who asks for news', () => {
  it('sends a confirmation, whose link shows to GET, ignores HEAD, and grants to POST; then the welcome', async () => {
    const shop = story();
    const email = 'wilma@customers.example';
    await shop.send(
      { event: 'identify', user: 'wilma', email, traits: { firstName: 'Wilma' } },
      {
        event: 'Consent Requested',
        user: 'wilma',
        properties: { topic: 'offers', wording: 'v7', form: 'footer' },
      },
    );
    const [confirmation, ...none] = await shop.mails(email);
    expect(none).toEqual([]);
    expect(confirmation?.subject).toBe('Please confirm your e-mail address');
    expect(confirmation?.headers.map(({ name }) => name)).not.toContain('List-Unsubscribe');

    const link = linkIn(confirmation!, 'c');
    const page = await shop.visit(link, 'GET');
    expect(page.status).toBe(200);
    expect(page.body).toContain('<form');
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    const head = await shop.visit(link, 'HEAD');
    expect([head.status, head.body]).toEqual([200, '']);
    expect((await shop.contact('wilma')).facts.consents).toEqual({});
    expect(await shop.mails(email)).toHaveLength(1);

    await shop.forward('2m');
    expect((await shop.visit(link, 'POST')).status).toBe(200);
    const { consents } = (await shop.contact('wilma')).facts;
    expect(consents).toEqual({
      'aurora|offers|email': expect.objectContaining({
        granted: true,
        basis: 'double',
        wording: 'v7',
        form: 'footer',
        source: 'confirmation link',
      }),
    });
    expect((await shop.mails(email)).map(({ subject }) => subject)).toEqual([
      'Please confirm your e-mail address',
      'Welcome to Aurora Camera, Wilma',
    ]);
    expect((await shop.visit(link, 'POST')).status).toBe(200);
    await shop.forward('9d');
    expect(await shop.mails(email)).toHaveLength(2);
  });

  it('says that a link is spoilt, and does nothing, when a character of it was changed', async () => {
    const shop = story();
    const email = 'willi@customers.example';
    await shop.send({ event: 'Consent Requested', user: 'willi', email, properties: { topic: 'offers' } });
    const link = linkIn((await shop.mails(email))[0]!, 'c');
    const spoilt = link.replace(/\/c\/(.)/, (_, first: string) => `/c/${first === 'e' ? 'f' : 'e'}`);
    for (const wrong of [spoilt, link.slice(0, -1), link.replace('/c/', '/u/')]) {
      expect((await shop.visit(wrong, 'POST')).status).toBe(404);
    }
    await shop.forward('31d');
    expect((await shop.visit(link, 'POST')).status).toBe(410);
    expect((await shop.contact('willi')).facts.consents).toEqual({});
    expect((await shop.contact('willi')).facts.withdrawn).toEqual({});
  });
});

describe('given an order', () => {
  it('cross-sell: recommends what goes with it after seven days, in the language of the customer, once in 30 days', async () => {
    const shop = story();
    const email = await shop.customer('carl', { firstName: 'Carl', locale: 'de', timezone: 'Europe/Berlin' });
    await shop.forward('2d');
    const ordered = shop.now();
    await shop.send({
      event: 'Order Completed',
      user: 'carl',
      properties: order('carl-1', ['halden-one', 649], ['kite-card-128', 34]),
    });
    await shop.until(ordered + 7 * DAY - MINUTE);
    expect(await shop.mails(email, 'cross-sell')).toEqual([]);
    await shop.until(ordered + 7 * DAY + MINUTE);
    const [mail, ...none] = await shop.mails(email, 'cross-sell');
    expect(none).toEqual([]);
    expect(mail?.subject).toContain('Halden One mirrorless camera');
    expect(mail?.from).toContain('hello@mail.aurora-camera.example');
    expect(mail?.replyTo).toEqual(['help@aurora-camera.example']);
    expect(mail?.html).toContain('lang="de"');
    expect(mail?.html).toContain('Carl');
    // The card was bought with it: it is no recommendation.
    expect(mail?.html).toContain('https://shop.aurora-camera.example/p/halden-50?');
    expect(mail?.html).toContain('https://images.aurora-camera.example/halden-50.png');
    expect(mail?.html).toContain('229,00');
    expect(mail?.html).not.toContain('/p/kite-card-128?');
    expect(mail?.html).toContain('Lindenstraße 14, 10969 Berlin');
    const [message] = await shop.messages({ user: 'carl', campaign: 'cross-sell' });
    expect(message).toMatchObject({ state: 'sent', delivery: 'delivered', sesId: mail?.id });

    await shop.send({ event: 'Order Completed', user: 'carl', properties: order('carl-2', ['halden-35', 359]) });
    await shop.forward('8d');
    expect(await shop.mails(email, 'cross-sell')).toHaveLength(1);
    expect((await shop.contact('carl')).journey.decisions['cross-sell']).toMatchObject({
      kind: 'skip',
      reason: 'again: after 30d',
    });
  });

  it('cross-sell: is not sent for what came back, nor where nothing goes with it, nor without consent', async () => {
    const shop = story();
    const returned = await shop.customer('rita');
    const unmatched = await shop.customer('uwe');
    const silent = await shop.customer('sam', {}, false);
    await shop.forward('2d');
    await shop.send(
      { event: 'Order Completed', user: 'rita', properties: order('rita-1', ['halden-one', 649]) },
      { event: 'Order Completed', user: 'uwe', properties: order('uwe-1', ['a-gift-card', 50]) },
      { event: 'Order Completed', user: 'sam', properties: order('sam-1', ['halden-one', 649]) },
    );
    await shop.forward('1d');
    await shop.send({ event: 'Order Refunded', user: 'rita', properties: { order_id: 'rita-1' } });
    await shop.forward('10d');
    for (const email of [returned, unmatched, silent]) expect(await shop.mails(email, 'cross-sell')).toEqual([]);
    const reason = async (user: string) => (await shop.contact(user)).journey.decisions['cross-sell']?.reason;
    expect(await reason('rita')).toBe('stopIf');
    expect((await shop.contact('uwe')).journey.runs).toEqual([]);
    expect(await reason('sam')).toBe('no consent');
  });

  it('loyalty: thanks who has spent 1,500 at ten in the morning, where the customer lives', async () => {
    const shop = story();
    const email = await shop.customer('vera', { firstName: 'Vera', timezone: 'America/New_York' });
    await shop.forward('2d');
    await shop.send({ event: 'Order Completed', user: 'vera', properties: order('vera-1', ['halden-two', 1149]) });
    await shop.forward('1d');
    expect((await shop.contact('vera')).journey.segments.vip).toBeUndefined();
    await shop.send({ event: 'Order Completed', user: 'vera', properties: order('vera-2', ['solstice-35-m', 849]) });
    expect((await shop.contact('vera')).journey.segments.vip).toMatchObject({ entries: 1 });
    expect(await shop.mails(email, 'vip-thank-you')).toEqual([]);
    await shop.forward('1d');
    const [mail, ...none] = await shop.mails(email, 'vip-thank-you');
    expect(none).toEqual([]);
    expect(mail?.subject).toContain('Vera');
    expect(mail?.from).toContain('nora@mail.aurora-camera.example');
    const { minutes } = localTime(mail!.at, 'America/New_York');
    expect(minutes).toBeGreaterThanOrEqual(600);
    expect(minutes).toBeLessThan(602);
  });
});

describe('given a regular who has gone quiet', () => {
  it('retention: writes on the morning after the 60th day, with no event at all, and not to who came back', async () => {
    const shop = story();
    const quiet = await shop.customer('quinn', { firstName: 'Quinn', timezone: 'Asia/Tokyo' });
    const back = await shop.customer('bea');
    await shop.forward('1d');
    await shop.send(
      { event: 'Order Completed', user: 'quinn', properties: order('quinn-1', ['care-kit', 26]) },
      { event: 'Order Completed', user: 'bea', properties: order('bea-1', ['care-kit', 26]) },
    );
    await shop.forward('20d');
    const last = shop.now();
    await shop.send(
      { event: 'Order Completed', user: 'quinn', properties: order('quinn-2', ['silvergrain-400', 39]) },
      { event: 'Order Completed', user: 'bea', properties: order('bea-2', ['silvergrain-400', 39]) },
    );
    await shop.until(last + 59 * DAY);
    await shop.send({ event: 'Order Completed', user: 'bea', properties: order('bea-3', ['care-kit', 26]) });
    await shop.until(last + 60 * DAY - MINUTE);
    expect((await shop.contact('quinn')).journey.segments['lapsed-60d']?.since).toBeUndefined();
    await shop.until(last + 62 * DAY);
    const [mail, ...none] = await shop.mails(quiet, 'win-back');
    expect(none).toEqual([]);
    expect(mail?.subject).toContain('Quinn');
    const entered = (await shop.contact('quinn')).journey.segments['lapsed-60d']?.since ?? 0;
    expect(entered).toBeGreaterThanOrEqual(last - 1000 + 60 * DAY);
    expect(entered).toBeLessThan(last + 60 * DAY + MINUTE);
    const { minutes } = localTime(mail!.at, 'Asia/Tokyo');
    expect([600, 601]).toContain(minutes);
    expect(await shop.mails(back, 'win-back')).toEqual([]);
    const runs = await shop.messages({ user: 'quinn', campaign: 'win-back' });
    expect(runs[0]?.inputs.trigger.name).toBe('Segment Entered');
  });
});

const catalogue = JSON.parse(readFileSync(join(TEMPLATES, 'catalogue.json'), 'utf8')) as Catalogue;

describe('given a camera whose time has come', () => {
  it('up-sell: shows the better model when it is time to replace it, and not to who has it already', async () => {
    const shop = story();
    const due = await shop.customer('uma', { firstName: 'Uma', timezone: 'Europe/Warsaw' });
    const has = await shop.customer('hal');
    await shop.forward('1d');
    const ordered = shop.now();
    const replaced = ordered + durationMs(catalogue.products['halden-one']?.replaceAfter ?? '');
    await shop.send(
      { event: 'Order Completed', user: 'uma', properties: order('uma-1', ['halden-one', 649], ['care-kit', 26]) },
      { event: 'Order Completed', user: 'hal', properties: order('hal-1', ['halden-one', 649]) },
    );
    await shop.forward('90d');
    await shop.send({ event: 'Order Completed', user: 'hal', properties: order('hal-2', ['halden-two', 1149]) });
    await shop.until(replaced);
    expect(await shop.mails(due, 'up-sell')).toEqual([]);
    await shop.until(replaced + 2 * DAY);
    const [mail, ...none] = await shop.mails(due, 'up-sell');
    expect(none).toEqual([]);
    expect(mail?.subject).toContain('Halden One');
    expect(mail?.html).toContain('https://shop.aurora-camera.example/p/halden-two?');
    expect(localTime(mail!.at, 'Europe/Warsaw').minutes).toBe(600);
    expect(mail!.at).toBeGreaterThan(replaced - 1000);
    expect(await shop.mails(has, 'up-sell')).toEqual([]);
  });
});

it('every mail of the file was sent once, with its tags, and nothing died', async () => {
  const shop = story();
  const mails = await shop.mails();
  const messages = await shop.messages();
  const sent = messages.filter(({ state }) => state === 'sent');
  expect(mails.map(({ tags }) => tags['kairos-message']).toSorted()).toEqual(sent.map(({ id }) => id).toSorted());
  expect(messages.filter(({ state }) => state === 'ready' || state === 'claimed')).toEqual([]);
  expect(await shop.deadLetters()).toEqual([]);
});
