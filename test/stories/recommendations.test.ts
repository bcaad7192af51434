// What goes together reaches people: the e-mail after an order, without what is sold out by then, and the shop's own page.
import { expect, it } from 'vitest';
import { shelfOf } from '../../cli/publish.ts';
import type { Models, NextProduct } from '../../domain/insight/models.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { storeModels } from '../../functions/aws/model-store.ts';
import { aStory, DAY, order, type Story } from '../support/laptop.ts';

const story = aStory({
  change: (folder) =>
    folder.edit('catalogue.json', (catalogue) => {
      // The marketer relates one product only; the rest is left to the orders.
      const products = catalogue.products as Record<string, { complements?: string[] }>;
      for (const product of Object.values(products)) delete product.complements;
      (products['halden-one'] as { complements?: string[] }).complements = ['halden-50'];
    }),
});

const goes = (product: string, score: number): NextProduct => ({ product, score, confidence: 0.3, lift: 4, count: 20 });

async function putModels(shop: Story): Promise<void> {
  const today = Math.floor(shop.now() / DAY);
  const models: Models = {
    shape: 1,
    at: shop.now(),
    today,
    currency: 'EUR',
    customers: 100,
    orders: 300,
    notes: [],
    next: {
      asOf: today,
      together: { 'halden-one': [goes('kite-card-128', 0.3), goes('halden-battery', 0.25)] },
      after: { 'halden-one': [goes('vesper-sling', 0.04), goes('halden-35', 0.02)] },
      upgrades: {},
      popular: { '': ['kite-card-64', 'fjell-pocket'] },
    },
  };
  const { table, bucket } = shelfOf({ stage: 'laptop', outputs: shop.laptop.outputs, env: shop.laptop.env });
  await storeModels(models, undefined, { table, bucket, now: shop.now() });
  // Functions keep the book for ten seconds.
  await shop.forward('1m');
}

async function ask(shop: Story, query: string, secret = 'shop.open-sesame') {
  const answer = await fetch(`${shop.output('RecommendationsUrl')}?${query}`, {
    headers: { authorization: `Bearer ${secret}` },
  });
  const body = (await answer.json()) as {
    products?: { id: string; source: string; price: number }[];
    model?: JsonObject;
  };
  return { status: answer.status, headers: answer.headers, body, ids: body.products?.map(({ id }) => id) };
}

it('given what goes together, the e-mail after an order offers it, and spare ones for what is sold out by then', async () => {
  const shop = story();
  await putModels(shop);
  await shop.customer('ann');
  await shop.send({ event: 'Order Completed', user: 'ann', properties: order('ann-1', ['halden-one', 649]) });
  await shop.forward('2d');
  await shop.send({ event: 'Product Updated', properties: { product_id: 'kite-card-128', stock: 0, currency: 'EUR' } });
  await shop.forward('6d');
  const [message] = await shop.messages({ user: 'ann', campaign: 'cross-sell' });
  expect(message?.state).toBe('sent');
  // halden-50 by the catalogue; kite-card-128 was planned, and left its place to the first spare one.
  expect(message?.inputs).toMatchObject({
    recommendations: ['halden-50', 'halden-battery', 'vesper-sling', 'halden-35'],
    origins: 'rtaa',
  });
  expect(message?.inputs).not.toHaveProperty('spare');
  const [mail] = await shop.mails(undefined, 'cross-sell');
  expect(mail?.html).toContain('halden-battery');
  expect(mail?.html).not.toContain('kite-card-128');
});

it('the shop’s page is told the same, and a server what is new for a person', async () => {
  const shop = story();
  const page = await ask(shop, 'product=halden-one&most=3');
  expect(page.status).toBe(200);
  expect(page.body.products).toMatchObject([
    { id: 'halden-50', source: 'relation' },
    { id: 'halden-battery', source: 'together' },
    { id: 'vesper-sling', source: 'after' },
  ]);
  expect(page.body.model).toMatchObject({ asOf: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) });
  expect(page.headers.get('access-control-allow-origin')).toBe('*');
  // What Ann has bought is where it starts, and nothing that is offered.
  await shop.send({ event: 'Order Completed', user: 'ann', properties: order('ann-2', ['halden-battery', 59]) });
  const ann = await ask(shop, 'userId=ann&most=3');
  expect(ann.ids).toEqual(['halden-50', 'vesper-sling', 'halden-35']);
  expect(ann.headers.get('cache-control')).toBe('no-store');
  expect((await ask(shop, 'userId=ann', 'browser.open-sesame')).status).toBe(403);
  expect((await ask(shop, 'product=halden-one', 'browser.open-sesame')).status).toBe(200);
  expect((await ask(shop, 'product=halden-one', 'shop.guessed')).status).toBe(401);
  expect((await ask(shop, 'produkt=halden-one')).status).toBe(400);
  await shop.send({ event: 'Profiling Stopped', user: 'ann', properties: {} });
  const left = await ask(shop, 'userId=ann&most=2');
  expect(left.ids).toEqual(['kite-card-64', 'fjell-pocket']);
});
