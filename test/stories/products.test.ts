// Products that turn: back in stock, cheaper, nearly gone. Who watched them is told, in their order and within limits.
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../domain/interaction.ts';
import { aStory, order, type Said, type Story } from '../support/laptop.ts';

const back = {
  kind: 'requested',
  aim: 'service',
  sender: 'main',
  when: {
    product: 'back in stock',
    watchedBy: { did: 'Back In Stock Requested', inLast: '180d' },
    oldestFirst: true,
    atMost: '2 per unit in stock',
  },
  stopIf: { did: 'Order Completed', since: '@watch.at' },
  again: 'once per request',
  quiet: 'ignore',
  steps: [{ send: 'back' }],
};
const cheaper = {
  kind: 'marketing',
  aim: 'retention',
  topic: 'offers',
  sender: 'main',
  when: {
    product: 'price drop',
    by: { atLeast: '10%' },
    watchedBy: { did: ['Product Viewed', 'Product Added to Wishlist'], inLast: '30d' },
  },
  for: { segment: 'buyers-60d' },
  again: 'after 14d',
  quiet: 'ignore',
  steps: [{ send: 'cheaper', needs: { 'product.inStock': true } }],
};
const few = {
  ...cheaper,
  when: { product: 'low stock', by: { atMost: 3 }, watchedBy: { did: 'Product Viewed', inLast: '7d' } },
  for: undefined,
  steps: [{ send: 'few' }],
};

const story = aStory({
  change: (folder) => {
    for (const name of ['back', 'cheaper', 'few']) folder.copy('emails/win-back', `emails/${name}`);
    folder.edit('settings.json', (settings) => Object.assign(settings, { caps: [{ most: 9, in: '1d' }] }));
    folder.write('segments/buyers-60d.json', { title: 'Buyers', rule: { did: 'Order Completed', inLast: '60d' } });
    folder.write('campaigns/back.json', back);
    folder.write('campaigns/cheaper.json', cheaper);
    folder.write('campaigns/few.json', few);
  },
});

const feed = (product: string, properties: JsonObject): Said => ({
  event: 'Product Updated',
  properties: { product_id: product, currency: 'EUR', ...properties },
});
/** To whom a campaign has written, in order. */
const told = async (shop: Story, campaign: string): Promise<string[]> =>
  (await shop.mails(undefined, campaign)).map(({ to }) => to[0]?.split('@')[0] as string);
const looks = (user: string, product: string): Said => ({
  event: 'Product Viewed',
  user,
  properties: { product_id: product },
});

describe('given a product that is sold out', () => {
  it('back in stock it is told to those who asked, the first ones first, two for each unit', async () => {
    const shop = story();
    await shop.send(feed('lens-50', { stock: 0, price: 199, name: 'Lens 50' }));
    for (const user of ['ann', 'bob', 'cat']) {
      const email = `${user}@customers.example`;
      await shop.send({ event: 'Back In Stock Requested', user, email, properties: { product_id: 'lens-50' } });
      await shop.forward('1h');
    }
    expect(await told(shop, 'back')).toEqual([]);
    await shop.send(feed('lens-50', { stock: 1 }));
    await shop.forward('2m');
    expect((await told(shop, 'back')).sort()).toEqual(['ann', 'bob']);
    // Nobody consented to anything: it was asked for.
    const [first] = await shop.messages({ user: 'ann', campaign: 'back' });
    expect(first).toMatchObject({
      state: 'sent',
      lane: 'triggered',
      inputs: { product: 'lens-50', trigger: { properties: { stock: 1, price: 199 } } },
    });
    expect(first?.inputs.watchedAt).toBeLessThan(shop.now());
  });

  it('who was left is first the next time, and who was told has no part in it', async () => {
    const shop = story();
    await shop.send(feed('lens-50', { stock: 0 }));
    await shop.forward('1d');
    await shop.send(feed('lens-50', { stock: 5 }));
    await shop.forward('2m');
    expect((await told(shop, 'back')).sort()).toEqual(['ann', 'bob', 'cat']);
  });

  it('who has bought meanwhile leaves the place to the next', async () => {
    const shop = story();
    await shop.send(feed('bag', { stock: 0 }));
    for (const user of ['dan', 'eve', 'fay']) {
      const email = `${user}@customers.example`;
      await shop.send({ event: 'Back In Stock Requested', user, email, properties: { product_id: 'bag' } });
      await shop.forward('1h');
    }
    await shop.send({ event: 'Order Completed', user: 'dan', properties: order('dan-1', ['bag', 40]) });
    await shop.send(feed('bag', { stock: 1 }));
    await shop.forward('2m');
    expect((await told(shop, 'back')).sort()).toEqual(['ann', 'bob', 'cat', 'eve', 'fay']);
  });

  it('sold out again before anybody looked, nobody is told', async () => {
    const shop = story();
    await shop.send(feed('strap', { stock: 0 }));
    const email = 'gus@customers.example';
    await shop.send({ event: 'Back In Stock Requested', user: 'gus', email, properties: { product_id: 'strap' } });
    await shop.forward('1h');
    await shop.send(feed('strap', { stock: 1 }));
    await shop.send(feed('strap', { stock: 0 }));
    await shop.forward('5m');
    expect(await told(shop, 'back')).not.toContain('gus');
  });
});

describe('given a product that people looked at', () => {
  it('a price that falls is told to those of them who are engaged, as bulk mail', async () => {
    const shop = story();
    await shop.send(feed('camera-x100', { stock: 9, price: 1499, name: 'X100' }));
    for (const user of ['hal', 'ida', 'jon']) await shop.customer(user);
    // hal has bought and looked lately, ida only looked, and jon looked too long ago.
    await shop.send(
      { event: 'Order Completed', user: 'hal', properties: order('hal-1', ['film', 12]) },
      { event: 'Order Completed', user: 'jon', properties: order('jon-1', ['film', 12]) },
      looks('jon', 'camera-x100'),
    );
    await shop.forward('31d');
    await shop.send(looks('hal', 'camera-x100'), looks('ida', 'camera-x100'));
    await shop.forward('1d');
    await shop.send(feed('camera-x100', { price: 1449 }));
    await shop.forward('5m');
    expect(await told(shop, 'cheaper')).toEqual([]);
    await shop.send(feed('camera-x100', { price: 1199 }));
    await shop.forward('5m');
    const messages = await shop.messages({ campaign: 'cheaper' });
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatchObject({
      lane: 'bulk',
      inputs: { product: 'camera-x100', trigger: { properties: { price: 1199, lowestPrice30d: 1449 } } },
    });
    expect(await told(shop, 'cheaper')).toEqual(['hal']);
  });

  it('the same feed said again, or an older one, tells nobody anew', async () => {
    const shop = story();
    await shop.send(feed('camera-x100', { price: 1199 }));
    await shop.send({ ...feed('camera-x100', { price: 999 }), at: shop.now() - 3_600_000 });
    await shop.forward('10m');
    expect(await told(shop, 'cheaper')).toEqual(['hal']);
  });

  it('the last ones are told to those who looked within the week', async () => {
    const shop = story();
    await shop.send(looks('ida', 'camera-x100'));
    await shop.forward('1d');
    await shop.send(feed('camera-x100', { stock: 3 }));
    await shop.forward('5m');
    expect((await told(shop, 'few')).sort()).toEqual(['hal', 'ida']);
    await shop.send(feed('camera-x100', { stock: 2 }));
    await shop.forward('5m');
    expect(await told(shop, 'few')).toHaveLength(2);
  });
});

describe('given somebody who looked before the campaign was published', () => {
  it('is found when the past is read', async () => {
    const shop = story();
    await shop.customer('kim');
    await shop.send(feed('tripod', { stock: 20, price: 90 }), {
      event: 'Product Added to Wishlist',
      user: 'kim',
      properties: { product_id: 'tripod' },
    });
    await shop.publish((folder) => {
      const { for: _, ...open } = cheaper;
      folder.write('campaigns/wished.json', {
        ...open,
        when: { ...cheaper.when, watchedBy: { did: 'Product Added to Wishlist', inLast: '30d' } },
      });
    });
    await shop.forward('1h');
    await shop.send(feed('tripod', { price: 60 }));
    await shop.forward('5m');
    expect(await told(shop, 'wished')).toEqual(['kim']);
  });
});
