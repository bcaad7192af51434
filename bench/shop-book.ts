// A camera shop of some size (a hundred segments, twenty campaigns) and the ready-made one; customers with their year.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bind } from '../cli/publish.ts';
import { buildFolder } from '../cli/templates-folder.ts';
import { campaignVersion, type Definitions } from '../domain/book.ts';
import type { Campaign } from '../domain/campaign-grammar.ts';
import type { Rule, Segment } from '../domain/grammar.ts';
import type { Interaction, JsonObject } from '../domain/interaction.ts';
import type { Catalogue, Settings } from '../domain/settings.ts';
import { DAY, event, HOUR, introduced } from '../test/support/people.ts';

const templates = new URL('../test/small-shop/', import.meta.url);
const readTemplate = <T>(path: string): T => JSON.parse(readFileSync(new URL(path, templates), 'utf8')) as T;

function readFolder<T>(folder: string): Record<string, T> {
  const names = readdirSync(new URL(`${folder}/`, templates)).filter((name) => name.endsWith('.json'));
  return Object.fromEntries(
    names.map((name) => {
      const { $schema, title, ...said } = readTemplate<T & { $schema?: string; title?: string }>(`${folder}/${name}`);
      return [name.slice(0, -'.json'.length), said as T];
    }),
  );
}

const bought = (more: object = {}): Rule => ({ did: 'Order Completed', ...more });
const viewed = (more: object = {}): Rule => ({ did: 'Product Viewed', ...more });
const ofCategory = (category: string): object => ({ where: { products: { category } } });

const CATEGORIES = ['Cameras', 'Lenses', 'Bags', 'Tripods', 'Film', 'Printers', 'Drones', 'Audio'];
const COUNTRIES = ['DE', 'PL', 'CZ', 'SK', 'AT', 'FR', 'IT', 'ES', 'NL', 'BE', 'SE', 'DK'];

/** Exactly 100: those that any shop has, and its own by category, country, value, habit and consent. */
function segments(): Record<string, Rule> {
  const own = Object.entries(readFolder<Segment>('segments')).map(([id, { rule }]): [string, Rule] => [id, rule]);
  const made: [string, Rule][] = [
    ...own,
    [
      'engaged-30d',
      { any: [{ did: 'Email Clicked', inLast: '30d' }, viewed({ inLast: '30d' }), bought({ inLast: '30d' })] },
    ],
    ['overdue-by-own-rhythm', { has: { 'orders.count': { atLeast: 3 }, 'rhythm.overdue': { atLeast: 1.5 } } }],
    [
      'lost-champions',
      { has: { 'rfm.frequency': { atLeast: 4 }, 'rfm.money': { atLeast: 4 }, 'rfm.recency': { atMost: 2 } } },
    ],
    [
      'coupon-only-buyers',
      { all: [bought({ times: { atLeast: 2 } }), { not: bought({ where: { coupon: { exists: false } } }) }] },
    ],
    ['birthday-this-week', { has: { birthday: { anniversary: { inNext: '7d' } } } }],
    [
      'unengaged-180d',
      {
        all: [
          { did: 'Email Delivered', times: { atLeast: 8 }, inLast: '180d' },
          { did: 'Consent Granted', latest: { moreThanAgo: '180d' } },
          {
            not: {
              any: [{ did: 'Email Clicked', inLast: '180d' }, viewed({ inLast: '180d' }), bought({ inLast: '180d' })],
            },
          },
        ],
      },
    ],
    [
      'gold-this-year',
      {
        any: [
          bought({ sum: { of: 'revenue', atLeast: 500 }, in: 'this year' }),
          bought({ times: { atLeast: 6 }, in: 'this year' }),
        ],
      },
    ],
    ['open-complaint', { has: { 'service.openCases': { atLeast: 1 } } }],
  ];
  CATEGORIES.forEach((category, i) => {
    const id = category.toLowerCase();
    made.push(
      [`${id}-buyers`, bought({ ...ofCategory(category), inLast: '365d' })],
      [`${id}-fans`, bought({ ...ofCategory(category), times: { atLeast: 2 + (i % 3) } })],
      [`${id}-lookers`, viewed({ where: { category }, times: { atLeast: 3 }, inLast: '30d' })],
      [
        `${id}-undecided`,
        { all: [{ segment: `${id}-lookers` }, { not: bought({ ...ofCategory(category), inLast: '60d' }) }] },
      ],
    );
  });
  for (const country of COUNTRIES) made.push([`in-${country.toLowerCase()}`, { has: { country } }]);
  for (const country of COUNTRIES.slice(0, 6)) {
    made.push([`active-${country.toLowerCase()}`, { all: [{ has: { country } }, { segment: 'engaged-90d' }] }]);
  }
  for (const spend of [100, 250, 500, 1_000, 2_500])
    made.push([`spent-${spend}`, { has: { 'orders.spend': { atLeast: spend } } }]);
  for (const days of [30, 45, 90, 120, 180, 270]) {
    made.push([`quiet-${days}`, { all: [bought(), { not: bought({ inLast: `${days}d` }) }] }]);
  }
  for (const times of [2, 3, 4, 6, 8])
    made.push([`often-${times}`, bought({ times: { atLeast: times }, inLast: '180d' })]);
  for (const topic of ['news', 'reviews', 'loyalty']) {
    made.push([`wants-${topic}`, { all: [{ consent: topic }, { not: { segment: 'unengaged-180d' } }] }]);
  }
  for (const sum of [200, 400, 800])
    made.push([`big-year-${sum}`, bought({ sum: { of: 'revenue', atLeast: sum }, inLast: '365d' })]);
  for (let i = 0; made.length < 100; i++) {
    const basket: Rule[] = [{ did: 'Product Added', inLast: `${i + 1}d` }, { not: bought({ inLast: `${i + 1}d` }) }];
    made.push([`left-basket-${i + 1}`, { all: basket }]);
  }
  return Object.fromEntries(made.slice(0, 100));
}

const marketing = (said: Pick<Campaign, 'when'> & Partial<Campaign>): Campaign => ({
  kind: 'marketing',
  aim: 'retention',
  topic: 'offers',
  sender: 'main',
  again: 'after 30d',
  steps: [{ wait: '2d' }, { send: 'mail' }],
  ...said,
});

/** Exactly 20. */
function campaigns(): Record<string, Campaign> {
  const made: [string, Campaign][] = Object.entries(readFolder<Campaign>('campaigns'));
  const stopIf: Rule = { did: 'Order Completed', since: 'run start' };
  for (const category of CATEGORIES.slice(0, 4)) {
    const id = category.toLowerCase();
    const when = { did: 'Product Viewed', where: { category }, times: { atLeast: 3 }, inLast: '3d' };
    made.push([`looked-at-${id}`, marketing({ when, stopIf })]);
    const tips = { did: 'Order Completed', where: { products: { category } } };
    made.push([`tips-${id}`, marketing({ when: tips, aim: 'loyalty', for: { segment: `${id}-fans` } })]);
    made.push([`undecided-${id}`, marketing({ when: { enters: `${id}-undecided` }, stopIf })]);
  }
  made.push(['basket', marketing({ when: { did: 'Checkout Started' }, stopIf, again: 'after 3d' })]);
  made.push(['gold', marketing({ when: { enters: 'gold-this-year' }, aim: 'loyalty', again: 'never' })]);
  return Object.fromEntries(made);
}

/** What such a shop has published: these segments, and the campaigns that they are enough for. */
export function shopDefinitions(rules: Record<string, Rule> = segments()): Definitions {
  const published = Object.entries(campaigns())
    .filter(([, campaign]) => !('enters' in campaign.when) || campaign.when.enters in rules)
    .map(([id, campaign]): [string, Definitions['campaigns'][string]] => [
      id,
      { id, version: campaignVersion(campaign), since: 1, campaign },
    ]);
  return {
    shape: 1,
    ordinal: 1,
    settings: readTemplate<Settings>('settings.json'),
    segments: Object.fromEntries(Object.entries(rules).map(([id, rule], i) => [id, { rule, ordinal: i, since: 1 }])),
    campaigns: Object.fromEntries(published),
    retired: {},
    emails: {},
    pages: {},
    catalogue: readTemplate('catalogue.json'),
    fields: readTemplate('fields.json'),
  };
}

/** A hundred rules, each over a counter of its own: orders and views by category, brand, price and coupon. */
export function counterRules(): Record<string, Rule> {
  const rules: [string, Rule][] = [];
  for (let i = 0; rules.length < 100; i++) {
    const category = CATEGORIES[i % CATEGORIES.length] as string;
    const price = { atLeast: 10 * (1 + Math.floor(i / CATEGORIES.length)) };
    rules.push([
      `bought-${i}`,
      bought({ where: { products: { category, price } }, sum: { of: 'revenue', atLeast: 50 }, inLast: '365d' }),
    ]);
    rules.push([`looked-${i}`, viewed({ where: { category, price }, times: { atLeast: 2 }, inLast: '90d' })]);
  }
  return Object.fromEntries(rules);
}

/** Products of three of so many categories: the lines of an event of about 1 KB. */
function products(i: number, categories: number): JsonObject[] {
  return [0, 1, 2].map((line) => ({
    product_id: `p-${(i * 7 + line * 13) % 97}`,
    name: `Product number ${(i * 7 + line * 13) % 97}`,
    url: `https://shop.example/p/p-${(i * 7 + line * 13) % 97}`,
    category: CATEGORIES[(i + line * (line + 1)) % categories] as string,
    price: 19.5 + 11 * ((i + line) % 9),
    quantity: 1 + (line % 2),
  }));
}

/** An order by "ann", of three of the first so many categories. */
export function purchase(i: number, at: number, categories: number = CATEGORIES.length): Interaction {
  const lines = products(i, categories);
  const revenue = lines.reduce((sum, { price, quantity }) => sum + Number(price) * Number(quantity), 0);
  const id = `order-${i}`;
  return event(
    'Order Completed',
    at,
    {
      order_id: id,
      currency: 'EUR',
      revenue,
      total: revenue + 5,
      shipping: 5,
      tax: 0,
      affiliation: 'web',
      ...(i % 3 === 0 ? { coupon: 'SPRING' } : {}),
      products: lines,
    },
    { id },
  );
}

/** A product that "ann" looks at. */
export function look(i: number, at: number): Interaction {
  const [line] = products(i, CATEGORIES.length);
  const { quantity, ...product } = line as JsonObject;
  return event('Product Viewed', at, product, { id: `look-${i}` });
}

/**
 * The year before `now` of "ann": so many orders (the last more than 60 days ago, of five categories), looks, some mail,
 * a basket now and then.
 */
export function year(now: number, said: { orders: number; looks: number; mails: number }): Interaction[] {
  const start = now - 365 * DAY;
  const spread = (count: number, offset: number, make: (i: number, at: number) => Interaction): Interaction[] =>
    Array.from({ length: count }, (_, i) => make(i, start + offset + Math.floor(((i + 0.5) * 360 * DAY) / count)));
  const who = introduced(start, { zone: 'Europe/Warsaw' });
  const traits = { country: 'PL', birthday: '1984-05-20', memberSince: '2024-02-01', firstName: 'Ann', locale: 'pl' };
  const mail = (i: number, at: number): JsonObject => ({ campaign: 'cross-sell', step: '1', message: `m-${i}`, at });
  const events = [
    ...who,
    event('Identified', start + HOUR, {}, { id: 'ann-traits', user: 'ann', traits }),
    ...spread(said.orders, HOUR, (i, at) => purchase(i, start + Math.floor((at - start) * 0.82), 5)),
    ...spread(said.looks, 2 * HOUR, look),
    ...spread(said.orders, 0, (i, at) =>
      event('Product Added', at, { product_id: `p-${(i * 7) % 97}`, price: 20, quantity: 1 }, { id: `added-${i}` }),
    ),
    ...spread(said.mails, 3 * HOUR, (i, at) => event('Email Delivered', at, mail(i, at), { id: `delivered-${i}` })),
    ...spread(Math.floor(said.mails / 4), 4 * HOUR, (i, at) =>
      event('Email Clicked', at, mail(i, at), { id: `clicked-${i}` }),
    ),
  ];
  return events.sort((a, b) => a.at - b.at);
}

/** The ready-made templates as a book's definitions: every campaign and segment of `templates/`. */
export async function readyMadeDefinitions(): Promise<Definitions> {
  const templates = await buildFolder(fileURLToPath(new URL('../templates', import.meta.url)));
  const { definitions } = bind(templates, undefined, 0);
  return definitions;
}

/**
 * The same event with products of a catalogue in its lines, or in itself: the i-th of it for the i-th of the shop, of those
 * that have a better model, or of those that have none.
 */
export function withProductsOf({ products }: Catalogue, said: Interaction, upgradable: boolean): Interaction {
  const ids = Object.keys(products).filter((id) => (products[id]?.upgrade !== undefined) === upgradable);
  const known = (line: JsonObject): JsonObject => {
    const id = ids[Number(String(line.product_id).slice('p-'.length)) % ids.length] as string;
    const { name, category = '', price = 0, url = '' } = products[id] as Catalogue['products'][string];
    return { ...line, product_id: id, ...(line.name !== undefined && { name, url }), category, price };
  };
  const { properties } = said;
  if (Array.isArray(properties.products)) {
    const lines = properties.products.map((line) => known(line as JsonObject));
    return { ...said, properties: { ...properties, products: lines } };
  }
  return properties.product_id === undefined ? said : { ...said, properties: known(properties) };
}
