// Publishing over people who are there already, and over runs that are under way.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../functions/aws/table.ts';
import { closeStory, DAY, order, type Said, type Story, startStory } from '../support/laptop.ts';

let shop: Story;
beforeAll(async () => {
  shop = await startStory({ publish: false });
});
afterAll(() => closeStory(shop));

const buys = (user: string, id: string, at?: number, product = 'halden-one', price = 649): Said => ({
  event: 'Order Completed',
  user,
  properties: order(id, [product, price]),
  ...(at === undefined ? {} : { at }),
});

describe('with nothing published', () => {
  it('interactions are recorded, contacts are made, nothing is sent, and the log says so', async () => {
    const email = await shop.customer('old', { timezone: 'Europe/Berlin' });
    const rich = await shop.customer('rich');
    const now = shop.now();
    await shop.send(buys('old', 'old-1', now - 100 * DAY), buys('old', 'old-2', now - 70 * DAY, 'care-kit', 26));
    const plain = order('old-3', ['care-swabs', 21]);
    delete plain.currency;
    await shop.send({ event: 'Order Completed', user: 'old', at: now - 80 * DAY, properties: plain });
    await shop.send({ event: 'Order Cancelled', user: 'old', at: now - 79 * DAY, properties: { order_id: 'old-3' } });
    await shop.send({ event: 'Order Refunded', user: 'old', properties: { order_id: 'old-2', total: 10 } });
    await shop.send(buys('rich', 'rich-1', now - 10 * DAY, 'halden-pro', 1999));
    await shop.forward('1d');
    expect((await shop.interactions('old')).map(({ name }) => name).toSorted()).toEqual([
      'Consent Granted',
      'Identified',
      'Order Cancelled',
      'Order Completed',
      'Order Completed',
      'Order Completed',
      'Order Refunded',
    ]);
    expect((await shop.contact('old')).facts.orders).toMatchObject({ count: 2 });
    expect(await shop.messages()).toEqual([]);
    expect([...(await shop.mails(email)), ...(await shop.mails(rich))]).toEqual([]);
    expect(shop.laptop.logs().join('\n')).toContain('nothing is published: recording, sending nothing');
    expect(await shop.deadLetters()).toEqual([]);
  });
});

describe('a first publish', () => {
  it('is refused as a whole for one fault, and then nothing stands there', async () => {
    const wrong = shop.publish((folder) => {
      folder.edit('campaigns/win-back.json', (campaign) => Object.assign(campaign, { sender: 'maine' }));
    });
    await expect(wrong).rejects.toThrow('Did you mean "main"?');
    expect(await shop.table.readOne(key.pointer())).toBeUndefined();
    shop.folder.edit('campaigns/win-back.json', (campaign) => Object.assign(campaign, { sender: 'main' }));
  });

  it('takes in who is inside a segment already: they do not "enter", and get nothing', async () => {
    expect(await shop.publish()).toMatchObject({ ordinal: 1, changed: true });
    const old = await shop.contact('old');
    expect(old.journey.segments['lapsed-60d']).toMatchObject({ since: expect.any(Number), entries: 0 });
    expect((await shop.contact('rich')).journey.segments.vip).toMatchObject({ since: expect.any(Number), entries: 0 });
    expect(old.book?.ordinal).toBe(1);
    // Brand and currency are known only now: consents and sums that were recorded before are read in them.
    expect(old.facts.consents).toEqual({ 'aurora|offers|email': expect.objectContaining({ granted: true }) });
    expect(old.facts.orders).toMatchObject({ count: 2, gross: 69_600, refunded: 3100, returned: 2 });
    await shop.forward('3d');
    expect(await shop.messages()).toEqual([]);
    expect(shop.laptop.mailbox.count()).toBe(0);
  });

  it('is live from then on: who leaves and comes in again enters', async () => {
    await shop.send(buys('old', 'old-4', undefined, 'care-swabs', 21));
    expect((await shop.contact('old')).journey.segments['lapsed-60d']).toEqual({ entries: 0 });
    await shop.forward('62d');
    expect((await shop.contact('old')).journey.segments['lapsed-60d']).toMatchObject({ entries: 1 });
    expect(await shop.messages({ user: 'old', campaign: 'win-back' })).toMatchObject([{ state: 'sent' }]);
  });
});

describe('a new campaign', () => {
  const summer = {
    kind: 'marketing',
    aim: 'loyalty',
    topic: 'offers',
    sender: 'main',
    when: { did: 'Workshop Booked' },
    again: 'every time',
    steps: [{ send: 'vip-thank-you' }],
  };

  it('starts nothing until the walk over all contacts has ended', async () => {
    const email = await shop.customer('wim');
    await shop.forward('2d');
    const lost = shop.laptop.simulate({ at: 'invoke:walk-roster', kind: 'lose' });
    await shop.publish((folder) => folder.write('campaigns/summer.json', summer));
    expect(lost.struck()).toBeGreaterThan(0);
    lost.stop();
    await shop.next();
    await shop.send({ event: 'Workshop Booked', user: 'wim' });
    expect((await shop.contact('wim')).journey.decisions.summer?.reason).toBe('not live');
    expect(await shop.mails(email, 'summer')).toEqual([]);

    // The same book again starts the walk anew.
    expect(await shop.publish()).toMatchObject({ ordinal: 2, changed: false });
    await shop.send({ event: 'Workshop Booked', user: 'wim' });
    expect(await shop.mails(email, 'summer')).toHaveLength(1);
  });

  it('that is changed leaves runs under way as they were: each goes on in the version it began in', async () => {
    const early = await shop.customer('early');
    await shop.forward('2d');
    const began = shop.now();
    await shop.send(buys('early', 'early-1'));
    const version = (await shop.contact('early')).journey.runs.find(
      ({ campaign }) => campaign === 'cross-sell',
    )?.version;
    const published = await shop.publish((folder) => {
      folder.edit('campaigns/cross-sell.json', (campaign) => {
        campaign.steps = [{ wait: '2d' }, { send: 'vip-thank-you' }];
      });
    });
    expect(published.campaigns).toContainEqual({ id: 'cross-sell', change: 'changed' });
    const late = await shop.customer('late');
    await shop.next();
    await shop.send(buys('late', 'late-1'));

    await shop.until(began + 6.5 * DAY);
    expect(await shop.mails(early, 'cross-sell')).toEqual([]);
    const [mail] = await shop.mails(late, 'cross-sell');
    expect(mail?.subject).toContain('A personal thank-you');
    await shop.until(began + 8 * DAY);
    const [pinned] = await shop.mails(early, 'cross-sell');
    expect(pinned?.subject).toContain('Goes well with your Halden One');
    expect(await shop.messages({ user: 'early', campaign: 'cross-sell' })).toMatchObject([{ version, state: 'sent' }]);
    expect((await shop.messages({ user: 'late', campaign: 'cross-sell' }))[0]?.version).not.toBe(version);
  });

  it('that is taken out starts no more, and lets its runs end', async () => {
    const email = await shop.customer('gone');
    await shop.forward('2d');
    await shop.send(buys('gone', 'gone-1'));
    expect((await shop.publish((folder) => folder.remove('campaigns/cross-sell.json'))).gone).toEqual(['cross-sell']);
    await shop.forward('4d');
    expect(await shop.mails(email, 'cross-sell')).toHaveLength(1);
    await shop.forward('40d');
    await shop.send(buys('gone', 'gone-2'));
    await shop.forward('8d');
    expect(await shop.mails(email, 'cross-sell')).toHaveLength(1);
    expect(await shop.deadLetters()).toEqual([]);
  });
});
