// Waiting happens in the index: quiet hours, caps, stops and pauses hold messages back, and let them go afterwards.
import { beforeEach, describe, expect, it } from 'vitest';
import { localTime } from '../../domain/time.ts';
import { aStory, DAY, MINUTE, order, type Said } from '../support/laptop.ts';

const story = aStory({
  change: (folder) => {
    // A mail for each booking, patient where others were first; and one that is worth nothing after two hours.
    const booked = {
      kind: 'marketing',
      aim: 'loyalty',
      topic: 'offers',
      sender: 'main',
      again: 'every time',
      steps: [{ send: 'welcome' }],
    };
    folder.write('campaigns/booked.json', { ...booked, when: { did: 'Workshop Booked' }, ifCapped: 'wait 3d' });
    folder.edit('fields.json', (fields) => {
      Object.assign(fields.events as object, { 'Sale Started': { ends: 'date' } });
    });
    folder.write('campaigns/sale.json', { ...booked, when: { did: 'Sale Started' }, expires: '2h' });
  },
});
beforeEach(() => story().next());

const books = (user: string): Said => ({ event: 'Workshop Booked', user, properties: { workshop: 'portraits' } });
const buys = (user: string, id = `${user}-1`): Said => ({
  event: 'Order Completed',
  user,
  properties: order(id, ['halden-one', 649]),
});

describe('in quiet hours', () => {
  it('marketing waits until they end where the customer lives; service mail does not', async () => {
    const shop = story();
    await shop.next('22:30');
    const berlin = await shop.customer('berta', { timezone: 'Europe/Berlin' });
    const tokyo = await shop.customer('taro', { timezone: 'Asia/Tokyo' });
    const nowhere = await shop.customer('nemo', { timezone: 'Not/A_Zone' });
    await shop.send({ event: 'Consent Requested', user: 'berta', properties: { topic: 'news' } });
    expect((await shop.mails(berlin)).map(({ subject }) => subject)).toEqual(['Please confirm your e-mail address']);
    expect(await shop.messages({ user: 'berta', state: 'ready' })).toMatchObject([{ campaign: 'welcome' }]);
    await shop.forward('1d');
    for (const [email, zone] of [
      [berlin, 'Europe/Berlin'],
      [tokyo, 'Asia/Tokyo'],
      [nowhere, 'Europe/Berlin'],
    ] as const) {
      const [mail] = await shop.mails(email, 'welcome');
      expect({ zone, at: localTime(mail!.at, zone).minutes }).toEqual({ zone, at: 480 });
    }
  });

  it('a run that stops takes its waiting message back', async () => {
    const shop = story();
    const email = await shop.customer('rick', { timezone: 'Europe/Berlin' });
    await shop.next('23:00');
    await shop.send(buys('rick'));
    await shop.forward('7d');
    await shop.forward('1m');
    expect(await shop.messages({ user: 'rick', campaign: 'cross-sell' })).toMatchObject([{ state: 'ready' }]);
    await shop.send({ event: 'Order Refunded', user: 'rick', properties: { order_id: 'rick-1' } });
    expect(await shop.messages({ user: 'rick', campaign: 'cross-sell' })).toMatchObject([
      { state: 'dropped', reason: 'stopIf' },
    ]);
    await shop.forward('2d');
    expect(await shop.mails(email, 'cross-sell')).toEqual([]);
    expect((await shop.contact('rick')).journey.sends).toEqual([]);
  });

  it('a message that expires meanwhile is never planned', async () => {
    const shop = story();
    const email = await shop.customer('ella', { timezone: 'Europe/Berlin' });
    await shop.next('22:00');
    await shop.send({ event: 'Sale Started', user: 'ella' });
    expect((await shop.contact('ella')).journey.decisions.sale).toBeDefined();
    await shop.forward('2d');
    expect(await shop.mails(email, 'sale')).toEqual([]);
  });
});

describe('under the caps', () => {
  it('one a day and three a week: the patient wait their turn, the others are skipped', async () => {
    const shop = story();
    const email = await shop.customer('cap', { timezone: 'Europe/Berlin' });
    await shop.forward('1h');
    await shop.send(books('cap'));
    await shop.send({ event: 'Sale Started', user: 'cap' });
    expect((await shop.contact('cap')).journey.decisions.sale?.reason).toBe('frequency-cap');
    for (let day = 0; day < 16; day++) {
      await shop.forward('1d');
      await shop.send(books('cap'));
    }
    await shop.forward('4d');
    const at = (await shop.mails(email)).map((mail) => mail.at);
    expect(at.length).toBeGreaterThanOrEqual(6);
    for (const [index, one] of at.entries()) {
      const later = at.slice(index + 1);
      expect(later.filter((other) => other - one < DAY - MINUTE)).toEqual([]);
      expect(later.filter((other) => other - one < 7 * DAY - MINUTE).length).toBeLessThan(3);
    }
    expect(await shop.mails(email, 'sale')).toEqual([]);
  });
});

describe('when an operator stops the sending', () => {
  it('nothing goes out, all waits in the index, and goes out once when the stop is lifted', async () => {
    const shop = story();
    await shop.control({ stopped: true });
    const email = await shop.customer('stan');
    await shop.send({ event: 'Consent Requested', user: 'stan', properties: { topic: 'news' } });
    await shop.forward('40m');
    expect(await shop.mails(email)).toEqual([]);
    expect(await shop.messages({ user: 'stan', state: 'ready' })).toHaveLength(2);
    await shop.control({ stopped: false });
    await shop.forward('10m');
    expect((await shop.mails(email)).map(({ tags }) => tags['kairos-campaign']).toSorted()).toEqual([
      'confirm-subscription',
      'welcome',
    ]);
  });

  it('a paused campaign alone waits', async () => {
    const shop = story();
    await shop.control({ paused: ['welcome'] });
    const email = await shop.customer('paul');
    await shop.send({ event: 'Consent Requested', user: 'paul', properties: { topic: 'news' } });
    await shop.forward('40m');
    expect((await shop.mails(email)).map(({ tags }) => tags['kairos-campaign'])).toEqual(['confirm-subscription']);
    await shop.control({ paused: [] });
    await shop.forward('10m');
    expect(await shop.mails(email)).toHaveLength(2);
  });

  it('SES itself may: the stop control is set, and what was claimed is not lost', async () => {
    const shop = story();
    const trouble = shop.laptop.simulate({ at: 'SendEmail', kind: 'paused' });
    const email = await shop.customer('sean');
    expect(trouble.struck()).toBe(1);
    expect((await shop.controls()).stopped).toMatchObject({ by: 'send-message', why: 'SendingPausedException' });
    expect(shop.laptop.logs().join('\n')).toContain('send.stopped');
    await shop.forward('1h');
    expect(trouble.struck()).toBe(1);
    trouble.stop();
    await shop.control({ stopped: false });
    await shop.forward('10m');
    expect(await shop.mails(email)).toHaveLength(1);
  });

  it('a stop that lasts into quiet hours is followed by their end, and consent is asked again', async () => {
    const shop = story();
    await shop.control({ stopped: true });
    const stays = await shop.customer('stay', { timezone: 'Europe/Berlin' });
    const leaves = await shop.customer('leave', { timezone: 'Europe/Berlin' });
    await shop.next('23:00');
    await shop.send({ event: 'Consent Withdrawn', user: 'leave', properties: { topic: 'offers' } });
    await shop.control({ stopped: false });
    await shop.forward('30m');
    expect(await shop.mails(stays)).toEqual([]);
    await shop.forward('10h');
    const [mail, ...none] = await shop.mails(stays);
    expect(none).toEqual([]);
    expect(localTime(mail!.at, 'Europe/Berlin').minutes).toBe(480);
    expect(await shop.mails(leaves)).toEqual([]);
    expect(await shop.messages({ user: 'leave' })).toMatchObject([{ state: 'dropped', reason: 'no consent' }]);
  });
});

it('nothing waits for ever, and nothing died', async () => {
  const shop = story();
  await shop.forward('8d');
  expect(await shop.messages({ state: 'ready' })).toEqual([]);
  expect(await shop.messages({ state: 'claimed' })).toEqual([]);
  expect(await shop.deadLetters()).toEqual([]);
});
