// What a shop's page asks: who may, what is answered, what stays unsaid, and how many reads it costs.
import { beforeEach, describe, expect, it } from 'vitest';
import { type Book, compileBook } from '../../domain/book.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import type { Models, NextProduct } from '../../domain/insight/models.ts';
import { sha256 } from '../../domain/interaction.ts';
import type { StoredProduct } from '../../domain/product.ts';
import { productItem } from '../../functions/aws/product.ts';
import { readSecret } from '../../functions/aws/secrets.ts';
import { contactItem, Found, type Item, type Key, key } from '../../functions/aws/table.ts';
import { recommendProducts } from '../../functions/recommend-products.ts';
import { DAY, definitions, NOON } from './fixtures.ts';

const source = (secret: string, address: boolean) => ({ hash: sha256(secret), events: '*', address });
const secret = readSecret(
  JSON.stringify({
    current: 'k1',
    k1: 'a key',
    sources: { shop: source('s3cret', true), page: source('public', false), kairos: source('own', true) },
  }),
);
const SHOP = 'Bearer shop.s3cret';
const PAGE = 'Bearer page.public';

const goes = (product: string, score: number): NextProduct => ({ product, score, confidence: 0.4, lift: 3, count: 9 });
const models: Models = {
  shape: 1,
  at: NOON,
  today: 20_000,
  currency: 'EUR',
  customers: 9,
  orders: 9,
  notes: [],
  next: {
    asOf: 20_000,
    together: { cup: [goes('pot', 0.3), goes('tray', 0.2)] },
    after: { cup: [goes('tea', 0.05)] },
    upgrades: { cup: [goes('mug', 0.1)] },
    popular: { '': ['jam', 'tea', 'cup'] },
  },
};

const items = new Map<string, Item>();
let book: Book;
let reads: Key[][] = [];
const deps = {
  books: { current: async () => book },
  secrets: async () => secret,
  table: {
    read: async (wanted: Key[]) => {
      if (wanted.length > 0) reads.push(wanted);
      const found = new Found();
      for (const { pk, sk } of wanted) {
        const item = items.get(`${pk} ${sk}`);
        if (item !== undefined) found.add(item);
      }
      return found;
    },
  },
};

const store = (item: Item) => items.set(`${item.pk} ${item.sk}`, item);
const feed = (id: string, product: StoredProduct) => store(productItem({ id, at: NOON, product, given: {} }));
function knows(id: string, user: string, change: (contact: Contact) => void): void {
  const contact = newContact(id, NOON);
  change(contact);
  store(contactItem(contact, 1, 2));
  store({ ...key.identity(`user#${sha256(user)}`), contact: id });
}

beforeEach(() => {
  items.clear();
  reads = [];
  const names = ['cup', 'pot', 'tray', 'tea', 'jam', 'mug', '__proto__'];
  const given = definitions();
  book = compileBook(
    {
      ...given,
      settings: { ...given.settings, currency: 'EUR' },
      catalogue: {
        products: Object.fromEntries(
          names.map((id, i) => [
            id,
            { name: `The ${id}`, price: 10 + i, category: 'Table', url: `https://shop.example/${id}` },
          ]),
        ),
      },
    },
    'book-1',
    { paused: {}, filled: 0 },
    { hash: 'abcdef0123456789', models },
  );
});

async function ask(
  query: Record<string, string>,
  change: { authorization?: string; method?: string; path?: string } = {},
) {
  const { authorization = PAGE, method = 'GET', path = '/recommendations' } = change;
  const { statusCode, headers, body } = await recommendProducts(
    {
      rawPath: path,
      headers: { authorization },
      queryStringParameters: query,
      requestContext: { http: { method } },
    } as never,
    deps,
  );
  return { status: statusCode, headers: headers ?? {}, body: body === undefined ? undefined : JSON.parse(body) };
}
const idsOf = ({ body }: Awaited<ReturnType<typeof ask>>): string[] =>
  body.products.map(({ id }: { id: string }) => id);

describe('given a page with products', () => {
  it('tells what goes with them, with what a page shows of each, and where each comes from', async () => {
    feed('pot', { name: 'A pot', price: 2550, currency: 'EUR', stock: 4, url: 'https://evil.example/pot' });
    const { status, headers, body } = await ask({ product: 'cup', most: '3' });
    expect(status).toBe(200);
    expect(body).toEqual({
      products: [
        { id: 'pot', name: 'A pot', url: 'https://shop.example/pot', price: 25.5, currency: 'EUR', source: 'together' },
        {
          id: 'tray',
          name: 'The tray',
          url: 'https://shop.example/tray',
          price: 12,
          currency: 'EUR',
          source: 'together',
        },
        { id: 'tea', name: 'The tea', url: 'https://shop.example/tea', price: 13, currency: 'EUR', source: 'after' },
      ],
      model: { hash: 'abcdef012345', asOf: '2024-10-04' },
    });
    expect(headers).toMatchObject({ 'cache-control': 'private, max-age=60', 'access-control-allow-origin': '*' });
  });

  it('leaves out what the feed says is out of stock, and others stand in', async () => {
    feed('pot', { stock: 0 });
    feed('tray', { stock: -2 });
    expect(idsOf(await ask({ product: 'cup', most: '2' }))).toEqual(['tea', 'jam']);
  });

  it('a cart is asked as its products, and nothing of it is offered', async () => {
    expect(idsOf(await ask({ product: 'cup, pot,,tea' }))).toEqual(['tray', 'jam']);
  });

  it('an up-sell is what buyers moved on to', async () => {
    expect(await ask({ product: 'cup', aim: 'up-sell' })).toMatchObject({
      body: { products: [{ id: 'mug', source: 'moved-on' }] },
    });
  });

  it('without a product it tells what is popular, and of unknown ones no more', async () => {
    expect(idsOf(await ask({}))).toEqual(['jam', 'tea', 'cup']);
    expect(idsOf(await ask({ product: 'nothing,toString,__proto__' }))).toEqual(['jam', 'tea', 'cup']);
  });

  it('costs one read of as many products as may be shown, and four more', async () => {
    await ask({ product: 'cup', most: '1' });
    expect(reads.map((wanted) => wanted.map(({ pk }) => pk))).toEqual([
      ['PRODUCT#pot', 'PRODUCT#tray', 'PRODUCT#tea', 'PRODUCT#jam'],
    ]);
  });

  it('before anything was counted the catalogue alone speaks, and the model is none', async () => {
    book = compileBook(book.definitions, 'book-1', { paused: {}, filled: 0 });
    expect((await ask({ product: 'cup' })).body).toEqual({ products: [], model: null });
  });
});

describe('given a person', () => {
  const bought =
    (...products: string[]) =>
    (contact: Contact): void => {
      for (const [i, product] of products.entries()) contact.facts.bought[product] = NOON - i * DAY;
    };

  it('a server starts from what they bought, offers nothing that they own, and nobody keeps the answer', async () => {
    knows('c1', 'ann', bought('cup', 'tea'));
    const asked = await ask({ userId: 'ann' }, { authorization: SHOP });
    expect(idsOf(asked)).toEqual(['pot', 'tray', 'jam']);
    expect(asked.headers['cache-control']).toBe('no-store');
    expect(asked.headers).not.toHaveProperty('access-control-allow-origin');
    expect(reads).toHaveLength(3);
  });

  it('their cart comes before the past, and the page before both', async () => {
    const line = (at: number) => ({ quantity: 1, at, id: 'e' });
    knows('c1', 'ann', (contact) => {
      bought('jam')(contact);
      contact.facts.cart.lines = { cup: line(NOON) };
    });
    expect(idsOf(await ask({ userId: 'ann' }, { authorization: SHOP }))).toEqual(['pot', 'tray', 'tea']);
    expect(idsOf(await ask({ userId: 'ann', product: 'mug' }, { authorization: SHOP }))).toEqual(['tea']);
  });

  it('of somebody who stopped profiling nothing is used: only the page counts', async () => {
    knows('c1', 'ann', (contact) => {
      bought('cup', 'pot')(contact);
      contact.facts.profiling = { other: { stopped: true, at: NOON, id: 'e' } };
    });
    expect(idsOf(await ask({ userId: 'ann' }, { authorization: SHOP }))).toEqual(['jam', 'tea', 'cup']);
    expect(idsOf(await ask({ userId: 'ann', product: 'cup' }, { authorization: SHOP }))[0]).toBe('pot');
  });

  it('of nobody known, and of a contact that is gone, the page alone counts', async () => {
    store({ ...key.identity(`user#${sha256('gone')}`), contact: 'c9' });
    for (const userId of ['nobody', 'gone'])
      expect(idsOf(await ask({ userId }, { authorization: SHOP }))).toEqual(['jam', 'tea', 'cup']);
  });

  it('who became another is followed, by a device as by a user id, and never in circles', async () => {
    knows('c1', 'old', (contact) => {
      contact.mergedInto = 'c2';
    });
    knows('c2', 'ann', bought('cup'));
    store({ ...key.identity(`anonymous#${sha256('device')}`), contact: 'c1' });
    expect(idsOf(await ask({ anonymousId: 'device' }, { authorization: SHOP }))[0]).toBe('pot');
    knows('c2', 'ann', (contact) => {
      contact.mergedInto = 'c1';
    });
    expect((await ask({ anonymousId: 'device' }, { authorization: SHOP })).status).toBe(200);
  });

  it('a page’s key may not ask about anybody, and reads nothing', async () => {
    knows('c1', 'ann', bought('cup'));
    for (const query of [{ userId: 'ann' }, { anonymousId: 'device' }]) {
      const refused = await ask(query as Record<string, string>);
      expect([refused.status, refused.body.error.code]).toEqual([403, 'source.person']);
    }
    expect(reads).toEqual([]);
  });
});

describe('given a request that is wrong', () => {
  it.each([
    ['no key', {}, { authorization: '' }, 401, 'door.secret', ''],
    ['a wrong key', {}, { authorization: 'Bearer shop.wrong' }, 401, 'door.secret', ''],
    ['our own name', {}, { authorization: 'Bearer kairos.own' }, 401, 'door.secret', ''],
    ['a wrong key and a wrong question', { most: 'x' }, { authorization: 'Bearer a.b' }, 401, 'door.secret', ''],
    ['another method', {}, { method: 'POST' }, 405, 'door.method', ''],
    ['another path', {}, { path: '/events' }, 404, 'door.path', ''],
    ['none of many', { most: '0' }, {}, 400, 'door.query', 'most'],
    ['too many', { most: '13' }, {}, 400, 'door.query', 'most'],
    ['many in words', { most: 'four' }, {}, 400, 'door.query', 'most'],
    ['an aim that is none', { aim: 'sell' }, {}, 400, 'door.query', 'aim'],
    ['a parameter that is none', { products: 'cup' }, {}, 400, 'door.query', 'products'],
    ['a word of the language', { constructor: 'x' }, {}, 400, 'door.query', 'constructor'],
    ['51 products', { product: 'p,'.repeat(51) }, {}, 400, 'door.query', 'product'],
    ['a product of 101 characters', { product: 'p'.repeat(101) }, {}, 400, 'door.query', 'product'],
    ['nobody', { userId: '' }, { authorization: SHOP }, 400, 'door.query', 'userId'],
    ['two people', { userId: 'a', anonymousId: 'b' }, { authorization: SHOP }, 400, 'door.query', 'userId'],
  ])('%s is refused, and says what is wrong', async (_name, query, change, status, code, path) => {
    const refused = await ask(query as Record<string, string>, change);
    expect([refused.status, refused.body.error.code, refused.body.error.path ?? '']).toEqual([status, code, path]);
    expect(refused.body.error.message).toMatch(/\w{2}/);
    expect(refused.body.error.message).not.toMatch(/undefined|expected expected/);
    expect(refused.headers['cache-control']).toBe('no-store');
    expect(reads).toEqual([]);
  });

  it('a table that does not answer costs the recommendations, and says to ask again', async () => {
    const broken = { read: () => Promise.reject(new Error('gone')) };
    const event = {
      rawPath: '/recommendations',
      headers: { authorization: PAGE },
      requestContext: { http: { method: 'GET' } },
    } as never;
    expect(await recommendProducts(event, { ...deps, table: broken })).toMatchObject({
      statusCode: 503,
      headers: { 'retry-after': '5', 'cache-control': 'no-store' },
    });
  });

  it('a browser that asks first whether it may is told, without a key', async () => {
    const { status, headers, body } = await ask({}, { method: 'OPTIONS', authorization: '' });
    expect([status, body]).toEqual([204, undefined]);
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'authorization',
    });
  });
});
