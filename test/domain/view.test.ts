// What an e-mail may say about a person: cleaned, bounded, only links that may be followed.
import { describe, expect, it } from 'vitest';
import type { Definitions } from '../../domain/book.ts';
import { allowedHosts, cleanLink, cleanText } from '../../domain/clean.ts';
import { newContact } from '../../domain/contact.ts';
import type { Json, JsonObject } from '../../domain/interaction.ts';
import type { GivenCoupon, Message } from '../../domain/message.ts';
import type { StoredProduct } from '../../domain/product.ts';
import { productIdsOf } from '../../domain/product-view.ts';
import { buildPageView, buildView } from '../../domain/view.ts';
import { bookOf, instant, marketing } from '../support/people.ts';

const NOW = instant('2026-03-01 10:00');
const definitions: Definitions = {
  ...bookOf({ campaigns: { hello: marketing({ when: { did: 'Order Completed' }, steps: [{ send: 'hello' }] }) } })
    .definitions,
};
definitions.settings = {
  ...definitions.settings,
  locales: ['en', 'de', 'ar'],
  linkHosts: ['www.shop.example', 'pictures.example'],
};
definitions.catalogue = {
  products: {
    camera: {
      name: 'Camera',
      category: 'Cameras',
      price: 400,
      url: 'https://shop.example/camera',
      imageUrl: 'https://pictures.example/camera.png',
    },
    lens: { name: 'Lens', price: 1234.5 },
  },
};

const contactWith = (attributes: Record<string, Json>) => {
  const contact = newContact('c1', NOW);
  for (const [name, value] of Object.entries(attributes)) contact.facts.attributes[name] = { value, at: NOW, id: 'e1' };
  return contact;
};
const message = (inputs: Partial<Message['inputs']> = {}, trigger: JsonObject = {}): Message => ({
  shape: 1,
  id: 'm1',
  contact: 'c1',
  campaign: 'hello',
  version: 'v',
  step: '0',
  run: 'r1',
  kind: 'marketing',
  topic: 'offers',
  sender: 'main',
  email: 'hello',
  state: 'ready',
  plannedAt: NOW,
  createdAt: NOW,
  lane: 'triggered',
  attempts: 0,
  ignoresQuiet: false,
  inputs: { trigger: { name: 'Order Completed', at: NOW, properties: trigger }, recommendations: [], ...inputs },
});
const links = { unsubscribe: 'https://links.example/u/1' };
const view = (
  attributes: Record<string, Json>,
  inputs: Partial<Message['inputs']> = {},
  trigger: JsonObject = {},
  products: Record<string, StoredProduct> = {},
) => buildView(definitions, contactWith(attributes), message(inputs, trigger), products, links);

describe('a text that a stranger wrote', () => {
  it.each([
    ['Ann', 'Ann'],
    ['  Ann \n Marie ', 'Ann Marie'],
    ['J. R. R. Tolkien', 'J. R. R. Tolkien'],
    ['Dr. No', 'Dr. No'],
    ['Zoë O’Neill-Wołoszczańska', 'Zoë O’Neill-Wołoszczańska'],
    ['مريم', 'مريم'],
    ['李小龍', '李小龍'],
    ['St.John', 'St John'],
    ['www.evil.tld', undefined],
    ['Win at https://evil.tld/now today', 'Win at today'],
    ['see evil.com', 'see evil com'],
    ['see evil.com/now', 'see'],
    ['see evil。com', 'see evil com'],
    ['mail me@evil.com', 'mail'],
    ['javascript:alert(1)', undefined],
    ['\u202egnp.evil', 'gnp evil'],
    ['a\u0000b', 'a b'],
    ['\ud800x', '\ufffdx'],
    ['', undefined],
  ])('%j becomes %j', (text, expected) => {
    expect(cleanText(text, 64)).toBe(expected);
  });

  it('is cut by characters', () => {
    expect(cleanText('😀'.repeat(70), 64)).toBe('😀'.repeat(64));
  });
});

describe('a link', () => {
  const hosts = allowedHosts(definitions);
  it.each([
    ['https://shop.example/a?b=1&c=2', 'https://shop.example/a?b=1&c=2'],
    ['https://SHOP.example', 'https://shop.example/'],
    ['http://shop.example/', undefined],
    ['https://evil.example/', undefined],
    ['https://shop.example.evil.example/', undefined],
    ['https://ann:secret@shop.example/', undefined],
    ['https://shop.example:8443/', undefined],
    ['javascript:alert(1)', undefined],
    ['//shop.example', undefined],
    [42, undefined],
  ])('%j becomes %j', (link, expected) => {
    expect(cleanLink(link, hosts)).toBe(expected);
  });
});

describe('the view of a message', () => {
  it('names the person, cleaned and bounded', () => {
    expect(view({ firstName: 'Visit www.evil.tld', lastName: 'x'.repeat(100), plan: 'gold', age: 41 }).contact).toEqual(
      {
        firstName: 'Visit',
        lastName: 'x'.repeat(64),
        plan: 'gold',
        age: 41,
      },
    );
  });

  it('leaves out a name that is no text or nothing but an address', () => {
    expect(view({ firstName: ['Ann'], lastName: 'https://evil.tld' }).contact).toEqual({});
  });

  it('keeps no prototype', () => {
    const seen = view(
      { ['__proto__']: 'x' },
      {},
      JSON.parse('{"__proto__": {"a": 1}, "order_id": "A-1"}') as JsonObject,
    );
    expect(seen.trigger).toEqual({ order_id: 'A-1' });
    expect(Object.getPrototypeOf(seen.contact)).toBe(Object.prototype);
  });

  it('speaks the language of the person where the shop does, and knows its direction', () => {
    expect([view({ locale: 'de-AT' }).locale, view({ locale: 'fr' }).locale, view({ locale: 'ar' }).direction]).toEqual(
      ['de', 'en', 'rtl'],
    );
  });

  it('shows products from the catalogue, their money as the person writes it', () => {
    const seen = view({ locale: 'de' }, { product: 'camera', recommendations: ['lens', 'gone'] });
    expect(seen.product).toEqual({
      id: 'camera',
      name: 'Camera',
      price: '400,00\u00a0€',
      url: 'https://shop.example/camera',
      imageUrl: 'https://pictures.example/camera.png',
      category: 'Cameras',
    });
    expect(seen.recommendations).toEqual([{ id: 'lens', name: 'Lens', price: '1.234,50\u00a0€' }]);
  });

  it('lets the feed win over the catalogue, but not with links that may not be followed', () => {
    const fed = {
      camera: {
        name: 'Camera 2',
        price: 45_000,
        currency: 'EUR',
        url: 'https://evil.example/',
        imageUrl: 'https://pictures.example/2.png',
      },
    };
    expect(view({}, { product: 'camera' }, {}, fed).product).toMatchObject({
      name: 'Camera 2',
      price: '€450.00',
      url: 'https://shop.example/camera',
      imageUrl: 'https://pictures.example/2.png',
    });
  });

  it('calls bought what the trigger lists, with its names where the catalogue has none', () => {
    const trigger = {
      products: [{ product_id: 'camera' }, { sku: 'odd', name: 'Odd www.evil.tld thing' }, 'x', null, { price: 3 }],
    };
    expect(view({}, {}, trigger).bought.map(({ name }) => name)).toEqual(['Camera', 'Odd thing']);
  });

  it('calls bought the newest purchases where the trigger lists none', () => {
    const contact = contactWith({});
    contact.facts.bought = { camera: NOW - 5, lens: NOW - 1 };
    expect(buildView(definitions, contact, message(), {}, links).bought.map(({ id }) => id)).toEqual([
      'lens',
      'camera',
    ]);
    expect(productIdsOf(contact, message({ recommendations: ['gone'] }))).toEqual(['gone', 'lens', 'camera']);
  });

  it('shows nobody who stopped profiling what is made of their past, and still what the message answers', () => {
    const contact = contactWith({ firstName: 'Ann' });
    contact.facts.bought = { camera: NOW - 5 };
    const seen = (brand: string, asked: Message) => {
      contact.facts.profiling = { [brand]: { stopped: true, at: NOW, id: 'p' } };
      const { recommendations, bought, product, contact: who } = buildView(definitions, contact, asked, {}, links);
      return [recommendations, bought, product === undefined ? [] : [product], who.firstName]
        .flat()
        .map((each) => (typeof each === 'string' ? each : each?.id));
    };
    const welcome = message({ recommendations: ['lens'] });
    expect(seen('outlet', welcome)).toEqual(['lens', 'camera', 'Ann']);
    expect(seen('shop', welcome)).toEqual(['Ann']);
    const back = { ...message({ recommendations: ['lens'], product: 'camera' }), kind: 'requested' as const };
    expect(seen('shop', back)).toEqual(['camera', 'Ann']);
    const thanks = { ...message({}, { products: [{ product_id: 'lens' }] }), kind: 'service' as const };
    expect(seen('shop', thanks)).toEqual(['lens', 'Ann']);
  });

  it('says when a price was reduced, by the lowest of the 30 days before, however often the feed says it again', () => {
    const day = 86_400_000;
    const at = (days: number) => NOW - days * day;
    const product = (price: number, ...prices: [number, number][]): StoredProduct => ({
      name: 'Camera',
      price,
      priceAt: prices.at(-1)?.[0] ?? NOW,
      currency: 'EUR',
      prices,
      stock: 2,
    });
    const seen = (camera: StoredProduct) => {
      const { price, lowestPrice30d, wasPrice, inStock } = view({}, { product: 'camera' }, {}, { camera }).product!;
      return [price, lowestPrice30d, wasPrice, inStock];
    };
    expect(seen(product(300_00, [at(40), 450_00], [at(10), 400_00], [at(1), 300_00]))).toEqual([
      '€300.00',
      '€400.00',
      '€400.00',
      true,
    ]);
    expect(seen(product(300_00, [at(9), 400_00], [at(3), 300_00], [at(2), 300_00], [at(1), 300_00]))).toEqual([
      '€300.00',
      '€400.00',
      '€400.00',
      true,
    ]);
    // Up for a day and down again is no reduction.
    expect(seen(product(300_00, [at(9), 280_00], [at(2), 400_00], [at(1), 300_00]))).toEqual([
      '€300.00',
      '€280.00',
      undefined,
      true,
    ]);
    expect(seen(product(300_00, [at(1), 300_00]))).toEqual(['€300.00', undefined, undefined, true]);
    expect(seen({ name: 'Camera', price: 300_00, currency: 'EUR', stock: 0 })).toEqual([
      '€300.00',
      undefined,
      undefined,
      false,
    ]);
  });

  it('is about the product of the trigger where the run has none, by the name that it was told', () => {
    expect(view({}, {}, { product_id: 'lens' }).product).toMatchObject({ id: 'lens', name: 'Lens' });
    expect(view({}, {}, { sku: 7, name: 'Odd' }).product).toEqual({ id: '7', name: 'Odd' });
    expect(view({}, { product: 'camera' }, { product_id: 'lens' }).product?.id).toBe('camera');
  });

  it('recommends nothing that is out of stock or was bought since, except in a mail that has gone out', () => {
    const contact = contactWith({});
    contact.facts.bought = { bought: NOW };
    const asked = message({ recommendations: ['lens', 'camera', 'bought', 'many'] });
    const feed = { camera: { stock: 0 }, lens: {}, bought: { name: 'Bought' }, many: { name: 'Many', stock: 1 } };
    const shown = (state: Message['state']) =>
      buildView(definitions, contact, { ...asked, state }, feed, links).recommendations.map(({ id }) => id);
    expect(shown('ready')).toEqual(['lens', 'many']);
    expect(shown('claimed')).toEqual(['lens', 'many']);
    expect(shown('sent')).toEqual(['lens', 'camera', 'bought', 'many']);
  });

  it('shows what stands in the cart, the newest first, and what all of it costs', () => {
    const contact = contactWith({ locale: 'de' });
    const line = (quantity: number, ago: number, price?: number) => ({
      quantity,
      at: NOW - ago,
      id: `e${ago}`,
      ...(price === undefined ? {} : { price }),
    });
    contact.facts.cart = { lines: { camera: line(1, 9), gone: line(0, 1), lens: line(2, 5), odd: line(3, 2, 150) } };
    const trigger = { products: [{ product_id: 'odd', name: 'Odd thing' }] };
    const seen = buildView(definitions, contact, message({}, trigger), { camera: { price: 350_00 } }, links);
    expect(seen.cart.map(({ id, name, quantity, price }) => [id, name, quantity, price])).toEqual([
      ['odd', 'Odd thing', 3, '1,50\u00a0€'],
      ['lens', 'Lens', 2, '1.234,50\u00a0€'],
      ['camera', 'Camera', 1, '350,00\u00a0€'],
    ]);
    expect(seen.cartValue).toBe('2.823,50\u00a0€');
    expect(productIdsOf(contact, message()).sort()).toEqual(['camera', 'lens', 'odd']);
    contact.facts.cart.lines.dear = line(1, 3);
    expect(buildView(definitions, contact, message({}, trigger), {}, links).cartValue).toBeUndefined();
    contact.facts.profiling = { shop: { stopped: true, at: NOW, id: 'p' } };
    expect(buildView(definitions, contact, message({}, trigger), {}, links)).toMatchObject({ cart: [] });
    expect(view({})).toMatchObject({ cart: [] });
    expect('cartValue' in view({})).toBe(false);
  });

  it('shows at most ten lines of a cart, and counts them all', () => {
    const contact = contactWith({});
    const lines = Array.from({ length: 30 }, (_, n) => [`p${n}`, { quantity: 1, price: 100, at: NOW + n, id: 'e' }]);
    contact.facts.cart = { lines: Object.fromEntries(lines) };
    const feed = Object.fromEntries(lines.map(([id]) => [id as string, { name: `${id}` }]));
    const { cart, cartValue } = buildView(definitions, contact, message(), feed, links);
    expect([cart.length, cart[0]?.id, cartValue]).toEqual([10, 'p29', '€30.00']);
  });

  it.each<[string, Omit<GivenCoupon, 'pool' | 'code'>, string]>([
    ['de', { percent: 10 }, '10\u00a0%'],
    ['en', { percent: 12.5 }, '12.5%'],
    ['de', { amount: 500, currency: 'EUR' }, '5,00\u00a0€'],
    ['en', { amount: 500 }, '€5.00'],
  ])('says in %s what a coupon of %j is worth', (locale, worth, expected) => {
    const coupon = { pool: 'BACK10', code: 'AB-12', ...worth };
    expect(view({ locale }, { coupon }).coupon).toEqual({ code: 'AB-12', worth: expected });
    expect(view({ locale }, { coupon: { ...coupon, expires: NOW } }).coupon?.expires).toBe('2026-03-01T10:00:00.000Z');
  });

  it('carries no coupon where none was given, or one of which nobody says what it is worth', () => {
    expect('coupon' in view({})).toBe(false);
    expect('coupon' in view({}, { coupon: { pool: 'BACK10', code: 'AB-12' } })).toBe(false);
  });

  it('says where in which campaign it is sent, and whose days it speaks of', () => {
    const plain = buildView(definitions, contactWith({}), message(), {}, links);
    expect(plain.run).toEqual({ campaign: 'hello', step: 'hello' });
    const tested = { ...message(), key: 'hello_2', variant: 'subject-b' };
    const contact = contactWith({ timezone: 'Asia/Tokyo' });
    const seen = buildView(definitions, contact, tested, {}, links);
    expect(seen.run).toEqual({ campaign: 'hello', step: 'hello_2', variant: 'subject-b' });
    expect(seen.zones).toEqual({ shop: 'Europe/Warsaw', contact: 'Asia/Tokyo' });
    expect(buildView(definitions, contactWith({ timezone: 'Mars' }), tested, {}, links).zones.contact).toBe(
      'Europe/Warsaw',
    );
  });

  it('drops links in the trigger that may not be followed, and keeps amounts', () => {
    const seen = view(
      {},
      {},
      { total: 12.5, link: 'https://evil.example/', shop: 'https://shop.example/x', note: 'call evil.com' },
    );
    expect(seen.trigger).toEqual({ total: 12.5, shop: 'https://shop.example/x', note: 'call evil com' });
  });

  it('speaks for the brand of the sender', () => {
    expect(view({}).brand.name).toBe('Shop');
    expect(
      buildPageView(definitions, { brand: 'outlet', locale: 'ar', action: '/u/1', kind: 'unsubscribe' }),
    ).toMatchObject({
      brand: { name: 'Outlet' },
      direction: 'rtl',
      action: '/u/1',
      kind: 'unsubscribe',
    });
  });
});
