// A publish over people who are there: what it says beforehand, the walk over all of them, and the fence around it.
import { beforeEach, describe, expect, it } from 'vitest';
import { readFilling } from '../../cli/filling.ts';
import { publish, shelfOf } from '../../cli/publish.ts';
import { buildFolder } from '../../cli/templates-folder.ts';
import { key } from '../../functions/aws/table.ts';
import { aStory, DAY, order, type Said } from '../support/laptop.ts';

const story = aStory();
beforeEach(() => story().next());

const buys = (user: string, id: string): Said => ({
  event: 'Order Completed',
  user,
  properties: order(id, ['care-kit', 26]),
});
const whoBuys = {
  kind: 'marketing',
  aim: 'loyalty',
  topic: 'offers',
  sender: 'main',
  again: 'every time',
  steps: [{ send: 'vip-thank-you' }],
};

describe('a segment that is new, and a campaign for who enters it', () => {
  it('holds at once who is in it, writes to none of them, and to who enters afterwards', async () => {
    const shop = story();
    const inside = await shop.customer('inside');
    const outside = await shop.customer('outside');
    await shop.forward('2d');
    await shop.send(buys('inside', 'in-1'), buys('inside', 'in-2'));
    await shop.forward('40d');
    const said = await shop.publish((folder) => {
      folder.write('segments/kit-buyers.json', {
        rule: { did: 'Order Completed', where: { products: { product_id: 'care-kit' } } },
      });
      folder.write('campaigns/kit.json', { ...whoBuys, when: { enters: 'kit-buyers' } });
    });
    expect(said.segmentChanges).toEqual([{ id: 'kit-buyers', change: 'new', inside: 1 }]);
    expect(said.sampled).toBe(2);
    expect((await shop.contact('inside')).journey.segments['kit-buyers']).toMatchObject({ entries: 0 });
    await shop.forward('3d');
    expect(await shop.mails(inside, 'kit')).toEqual([]);
    await shop.send(buys('outside', 'out-1'));
    expect(await shop.mails(outside, 'kit')).toHaveLength(1);
    expect(await shop.mails(inside, 'kit')).toEqual([]);
    expect(await shop.deadLetters()).toEqual([]);
  });
});

describe('a segment that stays as it is', () => {
  it('goes on, and its campaign with it, while the walk for another one stands still', async () => {
    const shop = story();
    const email = await shop.customer('steady');
    await shop.send(buys('steady', 'st-1'), buys('steady', 'st-2'));
    await shop.forward('30d');
    const lost = shop.laptop.simulate({ at: 'invoke:walk-roster', kind: 'lose' });
    const { ordinal } = await shop.publish((folder) => {
      folder.write('segments/others.json', { rule: { did: 'Product Viewed', inLast: '7d' } });
      folder.write('campaigns/others.json', { ...whoBuys, when: { enters: 'others' } });
    });
    lost.stop();
    await shop.forward('40d');
    expect((await shop.contact('steady')).journey.segments['lapsed-60d']).toMatchObject({ entries: 1 });
    expect(await shop.mails(email, 'win-back')).toHaveLength(1);
    await shop.send({ event: 'Product Viewed', user: 'steady', properties: { product_id: 'care-kit' } });
    expect((await shop.contact('steady')).journey.decisions.others?.reason).toBe('not live');
    expect((await readFilling(shop.table, ordinal)).done).toBe(false);
    expect((await shop.publish()).changed).toBe(false);
    expect((await readFilling(shop.table, ordinal)).done).toBe(true);
    await shop.forward('8d');
    await shop.send({ event: 'Product Viewed', user: 'steady', properties: { product_id: 'care-kit' } });
    expect(await shop.mails(email, 'others')).toHaveLength(1);
  });
});

describe('a preview', () => {
  it('says what a publish would do, and changes nothing', async () => {
    const shop = story();
    await shop.customer('here');
    await shop.forward('1d');
    const before = await shop.table.readOne(key.pointer());
    shop.folder.write('segments/consenting.json', { rule: { consent: 'offers' } });
    const target = { stage: 'laptop', outputs: shop.laptop.outputs, env: shop.laptop.env };
    const templates = await buildFolder(shop.folder.path);
    const seen = await publish(templates, shelfOf(target), { by: 'a story', now: shop.now(), preview: true });
    expect(seen.segmentChanges).toEqual([{ id: 'consenting', change: 'new', inside: seen.sampled }]);
    expect(seen.sampled).toBeGreaterThan(0);
    await shop.forward('1d');
    expect(await shop.table.readOne(key.pointer())).toEqual(before);
    expect((await shop.contact('here')).journey.segments.consenting).toBeUndefined();
    shop.folder.remove('segments/consenting.json');
  });
});

describe('a laptop', () => {
  it('says the rate of its stack, and waits for nothing: no page of it rests', async () => {
    const shop = story();
    const { plan, contacts, movedAt } = await readFilling(shop.table, (await shop.publish()).ordinal);
    expect(plan).toMatchObject({ rate: 3000 });
    expect(contacts).toBeGreaterThan(0);
    expect(movedAt).toBeLessThan((plan?.startedAt ?? 0) + DAY);
  });
});
