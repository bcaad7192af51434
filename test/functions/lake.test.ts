// Lines of the lake: as its tables say, without a word about a person, and one answer however the stream is cut.
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Definitions } from '../../domain/book.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import { countryCode } from '../../domain/country.ts';
import type { Shop } from '../../domain/insight/order-rows.ts';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import { foldOrder, type Order, orderKeyOf } from '../../domain/order.ts';
import { type Change, type Kind, type Line, linesOf, packed } from '../../functions/aws/lake.ts';
import { campaignRows, productRows } from '../../functions/aws/lake-dimensions.ts';
import { LAKE_TABLES, type LakeTable } from '../../functions/aws/lake-tables.ts';
import { UNPUBLISHED } from '../../functions/aws/shop-store.ts';
import { contactItem, interactionItem, messageItem, orderItem } from '../../functions/aws/table.ts';
import { definitions, interaction, NOON } from './fixtures.ts';

const shop: Shop = {
  currency: 'EUR',
  zone: 'Europe/Warsaw',
  catalogue: { products: { cup: { name: 'Cup', category: 'kitchen', margin: 0.4 } } },
};
const seen = (before: Change['before'], after: Change['after']): Line[] =>
  linesOf({ sequence: '1', at: NOON, ...(before && { before }), ...(after && { after }) }, shop);

const message = (more: Partial<Message> = {}): Message => ({
  shape: 1,
  id: 'm1',
  contact: 'c1',
  campaign: 'thanks',
  version: 'v1',
  step: '0',
  run: 'r1',
  kind: 'service',
  sender: 'main',
  email: 'hello',
  state: 'ready',
  plannedAt: NOON,
  createdAt: NOON,
  lane: 'triggered',
  attempts: 0,
  ignoresQuiet: true,
  inputs: { trigger: { name: 'Order Completed', at: NOON, properties: {} }, recommendations: [] },
  ...more,
});

const withAttributes = (attributes: Record<string, string>, more: Partial<Contact> = {}): Contact => {
  const contact = newContact('c1', NOON);
  for (const [name, value] of Object.entries(attributes)) {
    contact.facts.attributes[name] = { value, at: NOON, id: 'e1' };
  }
  return { ...contact, ...more };
};

function folded(...events: Interaction[]): Order {
  return events.reduce<Order | undefined>((order, event) => foldOrder(order, event, shop.currency), undefined) as Order;
}

/** Everything that a writer can be told with one person's texts in it. */
function everything(text: string): Change[] {
  const properties: JsonObject = {
    order_id: text,
    note: text,
    shipping_address: { street: text },
    coupon: text,
    discount: text,
    currency: 'EUR',
    revenue: 12.5,
    total: '12.50',
    affiliation: text,
    category: text,
    products: [
      { product_id: text, sku: text, name: text, price: 12.5, quantity: 1, category: text, engraving: text },
      { product_id: 'cup', price: 0, quantity: 2 },
    ],
  };
  const event: Interaction = {
    ...interaction('Order Completed', { id: 'e1', user: 'ann', properties, traits: { firstName: text } }),
    id: text,
    name: 'Order Completed',
  };
  const named: Interaction = { ...event, name: text };
  const order: Order = { ...folded(event), owner: 'c1' };
  const contact = withAttributes({ country: text, firstName: text, city: text });
  contact.journey.decisions.thanks = { at: NOON, kind: 'skip', reason: 'no consent' };
  const items = [
    interactionItem(event),
    interactionItem(named),
    contactItem(contact, 3, 2),
    contactItem({ ...contact, mergedInto: 'c0' }, 4, 2),
    orderItem(order, 2),
    messageItem(
      message({
        state: 'dropped',
        reason: `cancelled by ${text} (was failed: MessageRejected)`,
        sentTo: text,
        coupon: 'WELCOME',
        openedAt: NOON,
        clickedAt: NOON,
        unsubscribedAt: NOON,
        delivery: 'delivered',
        conversion: { at: NOON, event: text, order: text, value: 1250 },
        inputs: { trigger: { name: text, at: NOON, properties }, recommendations: [text] },
      }),
      2,
    ),
  ];
  return items.map((after, i) => ({ sequence: String(i), at: NOON, after }));
}

/** What a line breaks of its table: a column of another type, a name that is none. */
function wrongIn({ kind, line }: Line): string[] {
  const { columns } = LAKE_TABLES[kind] as LakeTable;
  const extra = kind === 'interactions' ? ['properties'] : [];
  return Object.entries(line).flatMap(([name, value]) => {
    if (extra.includes(name)) return [];
    const type = columns[name];
    if (type === undefined) return [`${kind}.${name} is no column`];
    const fits =
      type === 'bigint' ? Number.isSafeInteger(value) : typeof value === (type === 'double' ? 'number' : type);
    return fits ? [] : [`${kind}.${name} is ${JSON.stringify(value)}, not ${type}`];
  });
}

/** Every text of a line, wherever it stands. */
const textsOf = (value: unknown): string[] =>
  typeof value === 'string'
    ? [value]
    : value !== null && typeof value === 'object'
      ? Object.values(value).flatMap(textsOf)
      : [];

const NAUGHTY = new URL('../../../shared/data/naughty_strings/blns.json', import.meta.url);

describe('given whatever a producer may write', () => {
  const naughty: string[] = existsSync(NAUGHTY) ? (JSON.parse(readFileSync(NAUGHTY, 'utf8')) as string[]) : [];
  if (naughty.length === 0) console.warn('SKIPPED: naughty strings are not in ../shared/data/naughty_strings');
  const texts = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.emailAddress(),
    fc.constantFrom('Ann Example', 'Ring twice, please', 'ann@example.org', '\u202eann', 'a\u0000b', '__proto__', ''),
    ...(naughty.length === 0 ? [] : [fc.constantFrom(...naughty)]),
  );

  it('writes lines with the columns of their table, each of its type, and every table has some', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const lines = everything(text).flatMap((change) => linesOf(change, shop));
        expect(lines.flatMap(wrongIn)).toEqual([]);
        expect(new Set(lines.map(({ kind }) => kind))).toEqual(
          new Set(['interactions', 'orders', 'lines', 'contacts', 'decisions', 'messages', 'feedback']),
        );
      }),
      { numRuns: 300, examples: naughty.slice(0, 600).map((text) => [text]) },
    );
  });

  it('writes no address and no control character anywhere, and nothing of notes, names, streets and coupons', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const lines = everything(text).flatMap((change) => linesOf(change, shop));
        for (const found of lines.flatMap(({ line }) => textsOf(line))) {
          expect(found).not.toMatch(/[@\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          expect(found.length).toBeLessThanOrEqual(400);
        }
      }),
      { numRuns: 300, examples: naughty.map((text) => [text]) },
    );
  });

  it('writes a text of a person that is no id nowhere', () => {
    const free = (text: string): Change[] => {
      const properties: JsonObject = {
        order_id: 'o1',
        note: text,
        shipping_address: { street: text },
        coupon: text,
        message: { text },
        products: [{ product_id: 'cup', name: text, price: 12.5, engraving: text }],
      };
      const event = interaction('Order Completed', { id: 'e1', user: 'ann', properties, traits: { firstName: text } });
      const contact = withAttributes({ firstName: text, city: text, country: text });
      const parked = message({
        state: 'dropped',
        reason: `cancelled by ${text}`,
        conversion: { at: NOON, event: text },
        inputs: { trigger: { name: text, at: NOON, properties }, recommendations: [] },
      });
      const items = [
        interactionItem(event),
        orderItem({ ...folded(event), owner: 'c1' }, 1),
        contactItem(contact, 1, 2),
        messageItem(parked, 2),
      ];
      return items.map((after, i) => ({ sequence: String(i), at: NOON, after }));
    };
    const mark = 'Xq7';
    fc.assert(
      fc.property(texts, (text) => {
        const lines = free(`${mark}${text}${mark}`).flatMap((change) => linesOf(change, shop));
        expect(lines.length).toBeGreaterThan(3);
        expect(JSON.stringify(lines)).not.toContain(mark);
      }),
      { numRuns: 200, examples: naughty.slice(0, 300).map((text) => [text]) },
    );
  });
});

describe('given an order', () => {
  const bought = interaction('Order Completed', {
    id: 'p1',
    user: 'ann',
    at: Date.UTC(2026, 4, 4, 23),
    properties: {
      order_id: 'o1',
      revenue: 20,
      currency: 'EUR',
      coupon: 'WLC-1',
      channel: 'web',
      products: [
        { product_id: 'cup', price: 5, quantity: 2 },
        { product_id: 'pan', price: 10, quantity: 1, category: 'pans' },
      ],
    },
  });

  it('says what it is worth, on the day of the shop’s calendar, and what its lines are', () => {
    const lines = seen(undefined, orderItem({ ...folded(bought), owner: 'c1' }, 4));
    expect(lines.map(({ line }) => line)).toEqual([
      {
        order: 'shop#o1',
        version: 4,
        contact: 'c1',
        at: Date.UTC(2026, 4, 4, 23),
        date: '2026-05-05',
        completed: true,
        cancelled: false,
        currency: 'EUR',
        revenue: 2000,
        refunded: 0,
        margin: 400,
        valued: 1000,
        discount: 0,
        coupon: true,
        channel: 'web',
        source: 'shop',
      },
      {
        order: 'shop#o1',
        version: 4,
        line: 0,
        product: 'cup',
        category: 'kitchen',
        quantity: 2,
        returned: 0,
        revenue: 1000,
        refunded: 0,
        margin: 400,
      },
      {
        order: 'shop#o1',
        version: 4,
        line: 1,
        product: 'pan',
        category: 'pans',
        quantity: 1,
        returned: 0,
        revenue: 1000,
        refunded: 0,
      },
    ]);
  });

  it('is written anew at each version, and where nothing is published yet too', () => {
    const first = orderItem(folded(bought), 1);
    const second = orderItem(folded(bought, { ...bought, id: 'r1', name: 'Order Refunded' }), 2);
    expect(seen(first, second)[0]?.line).toMatchObject({ order: 'shop#o1', version: 2, refunded: 2000 });
    const early = linesOf({ sequence: '1', at: NOON, after: first }, UNPUBLISHED);
    expect(early[0]?.line).toMatchObject({ currency: 'EUR', revenue: 2000, margin: 0, valued: 0, date: '2026-05-04' });
  });

  it('goes by one key in its interactions, itself and its lines, an address among its id or not', () => {
    for (const id of ['o1', 'ann@example.org', 'x'.repeat(500)]) {
      const event = { ...bought, properties: { ...bought.properties, order_id: id } };
      const lines = [...seen(undefined, interactionItem(event)), ...seen(undefined, orderItem(folded(event), 1))];
      const keys = new Set(lines.map(({ line }) => line.order));
      expect(keys.size).toBe(1);
      if (id === 'o1') expect([...keys]).toEqual([orderKeyOf(bought)]);
      else expect([...keys][0]).toMatch(/^~/);
    }
  });
});

describe('given a contact', () => {
  const contact = withAttributes({ country: 'Germany' });

  it('is written when it is new, when it is merged and when its country changes, and else never', () => {
    const stored = contactItem(contact, 1, 2);
    const kinds = (lines: Line[]): Kind[] => lines.map(({ kind }) => kind);
    expect(seen(undefined, stored)).toEqual([
      { kind: 'contacts', line: { contact: 'c1', version: 1, createdAt: NOON, country: 'DE' } },
    ]);
    const busier = { ...contact, facts: { ...contact.facts, latest: { 'Product Viewed': NOON } } };
    expect(kinds(seen(stored, contactItem(busier, 2, 2)))).toEqual([]);
    expect(kinds(seen(stored, contactItem(withAttributes({ country: 'de' }), 2, 2)))).toEqual([]);
    expect(seen(stored, contactItem(withAttributes({ country: 'PL' }), 2, 2))[0]?.line.country).toBe('PL');
    expect(seen(stored, contactItem({ ...contact, mergedInto: 'c0' }, 2, 2))[0]?.line).toMatchObject({
      into: 'c0',
      version: 2,
    });
    expect(kinds(seen(stored, undefined))).toEqual([]);
  });

  it('is packed as it grows, and still read', () => {
    const large = withAttributes({ country: 'France', notes: 'x'.repeat(40_000) });
    expect(seen(undefined, contactItem(large, 1, 2))[0]?.line.country).toBe('FR');
  });

  it('has a country only by a code or an English name', () => {
    const said = ['DE', 'de', ' Germany ', 'GERMANY', 'UK', 'United Kingdom', 'Côte d’Ivoire', 'Turkey', 'Türkiye'];
    expect(said.map(countryCode)).toEqual(['DE', 'DE', 'DE', 'DE', 'GB', 'GB', 'CI', 'TR', 'TR']);
    for (const none of ['EU', 'ZZ', 'XX', 'SU', 'Deutschland', 'next to the church', '', 'constructor', 7, null])
      expect(countryCode(none)).toBeUndefined();
  });
});

describe('given files', () => {
  it('the same lines are the same bytes', () => {
    expect(Buffer.from(packed(['{"a":1}'])).equals(Buffer.from(packed(['{"a":1}'])))).toBe(true);
  });
});

describe('given what is published', () => {
  const base = definitions();
  it('products and campaigns are rows with money in minor units, parts of a cent too', () => {
    const thanks = base.campaigns.thanks!;
    const costly = { ...thanks, campaign: { ...thanks.campaign, costs: { perMessage: 0.0012, fixed: 250 } } };
    const gone = { ...thanks, id: 'gone', campaign: { ...thanks.campaign, title: 'Long ago' } };
    const of: Definitions = {
      ...base,
      campaigns: { ...base.campaigns, thanks: costly },
      retired: { 'gone@1': gone, 'thanks@0': thanks },
      catalogue: {
        products: {
          pan: { name: 'Pan', upgrade: 'cup' },
          cup: { name: 'Cup', price: 9.9, margin: 0.4, category: 'kitchen' },
        },
      },
    };
    expect(productRows(of)).toEqual([
      { product: 'cup', name: 'Cup', category: 'kitchen', price: 990, margin: 0.4 },
      { product: 'pan', name: 'Pan', upgrade: 'cup' },
    ]);
    const rows = campaignRows(of);
    expect(rows.map(({ campaign }) => campaign)).toEqual(['confirm', 'gone', 'offer', 'thanks']);
    expect(rows[3]).toMatchObject({ kind: 'service', aim: 'service', perMessage: 0.12, fixed: 25_000 });
    expect(rows[1]).toMatchObject({ title: 'Long ago' });
  });
});
