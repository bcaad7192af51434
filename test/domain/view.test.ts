// What an e-mail may say about a person: cleaned, bounded, only links that may be followed.
import { describe, expect, it } from 'vitest';
import type { Definitions } from '../../domain/book.ts';
import { newContact } from '../../domain/contact.ts';
import type { Json, JsonObject } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import type { StoredProduct } from '../../domain/product.ts';
import { allowedHosts, buildPageView, buildView, cleanLink, cleanText, productIdsOf } from '../../domain/view.ts';
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
