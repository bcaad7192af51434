// The main job: an event in, the right mail out, for each kind of campaign in the ready-made templates.
import { expect, it } from 'vitest';
import { aStory } from '../support/laptop.ts';

const story = aStory();

it('an order leads to a mail with what goes with it, seven days later', async () => {
  const shop = story();
  const email = await shop.customer('ann', { firstName: 'Ann', locale: 'en', timezone: 'Europe/Berlin' });
  await shop.send({
    event: 'Order Completed',
    user: 'ann',
    properties: {
      order_id: 'o-1',
      revenue: 649,
      currency: 'EUR',
      products: [{ product_id: 'halden-one', name: 'Halden One', price: 649, quantity: 1 }],
    },
  });
  console.log((await shop.mails(email)).map((m) => m.subject), shop.laptop.logs().slice(-5));
  await shop.forward('8d');
  const [mail] = await shop.mails(email, 'cross-sell');
  expect(mail?.subject).toContain('Halden One');
  console.log(mail, (await shop.contact('ann')).journey);
});
