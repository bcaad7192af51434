import { describe, expect, it } from 'vitest';
import { orderRows } from '../../domain/insight/order-rows.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { foldOrder, type Order } from '../../domain/order.ts';
import { orderValue } from '../../domain/order-value.ts';

const catalogue = {
  products: { camera: { name: 'Camera', category: 'Cameras', margin: 0.2 }, bag: { name: 'Bag', margin: 0.5 } },
};
const shop = { currency: 'EUR', zone: 'Europe/Berlin', catalogue };
const AT = Date.parse('2026-06-01T22:30:00Z');

function ordered(...events: [name: string, properties: JsonObject, days?: number][]): Order {
  let order: Order | undefined;
  for (const [i, [name, properties, days = 0]] of events.entries()) {
    const interaction = {
      id: `e${i}`,
      subject: 'user#a',
      name,
      at: AT + days * 86_400_000,
      source: 'shop',
      who: {},
      traits: {},
      properties: { order_id: '1', ...properties },
      hops: 0,
    };
    order = foldOrder(order, interaction, 'EUR');
  }
  return order as Order;
}

const two = {
  revenue: 190,
  total: 209,
  discount: 10,
  coupon: 'WELCOME',
  products: [
    { product_id: 'camera', price: 100, quantity: 1 },
    { product_id: 'bag', price: 50, quantity: 2, category: 'Bags' },
  ],
};

describe('what an order is worth', () => {
  it('spreads the revenue over the lines, and a discount lowers the margin', () => {
    const value = orderValue(ordered(['Order Completed', two]), 'EUR', catalogue);
    expect(value.lines).toEqual([
      { product: 'camera', category: 'Cameras', quantity: 1, returned: 0, revenue: 9500, refunded: 0, margin: 1500 },
      { product: 'bag', category: 'Bags', quantity: 2, returned: 0, revenue: 9500, refunded: 0, margin: 4500 },
    ]);
    expect(value).toMatchObject({ revenue: 19_000, refunded: 0, margin: 6000, valued: 19_000, discount: 1000 });
    expect(value).toMatchObject({ completed: true, cancelled: false, coupon: true, at: AT });
  });

  it('takes what came back from the lines that the refund names', () => {
    const back = { products: [{ product_id: 'bag', price: 50, quantity: 1 }] };
    const value = orderValue(ordered(['Order Completed', two], ['Order Refunded', back, 5]), 'EUR', catalogue);
    expect(value.refunded).toBe(4545);
    expect(value.lines[0]).toMatchObject({ returned: 0, refunded: 0, margin: 1500 });
    expect(value.lines[1]).toMatchObject({ returned: 1, refunded: 4545 });
    expect(value.valued).toBe(19_000 - 4545);
  });

  it('knows no margin of what the catalogue does not know, and leaves it out of what is valued', () => {
    const other = { revenue: 30, products: [{ product_id: 'odd', price: 30 }] };
    const value = orderValue(ordered(['Order Completed', other]), 'EUR', catalogue);
    expect(value).toMatchObject({ revenue: 3000, margin: 0, valued: 0 });
    expect(value.lines[0]).not.toHaveProperty('margin');
  });

  it('a cancelled order is worth nothing, a credit note what it took back', () => {
    const cancelled = orderValue(ordered(['Order Completed', two], ['Order Cancelled', {}]), 'EUR', catalogue);
    expect(cancelled).toMatchObject({ cancelled: true, revenue: 19_000, refunded: 19_000, margin: 0, valued: 0 });
    const note = orderValue(ordered(['Order Refunded', { total: 12, products: [{ product_id: 'bag' }] }]), 'EUR', {
      products: {},
    });
    expect(note).toMatchObject({ completed: false, revenue: 0, refunded: 1200, at: AT });
    expect(note.lines).toEqual([{ product: 'bag', quantity: 0, returned: 1, revenue: 0, refunded: 1200 }]);
  });

  it('amounts that do not divide are spread so that they add up', () => {
    const thirds = { revenue: 1, products: ['a', 'b', 'c'].map((product_id) => ({ product_id, price: 7 })) };
    const { lines } = orderValue(ordered(['Order Completed', thirds]), 'EUR', catalogue);
    expect(lines.map(({ revenue }) => revenue)).toEqual([33, 34, 33]);
  });
});

it('an order is a row with the date of the shop, and one for each line; an address is no code', () => {
  const odd = { ...two, affiliation: 'ann@example.com' };
  const { order, lines } = orderRows(ordered(['Order Completed', odd]), 3, shop);
  expect(order).toMatchObject({ order: 'shop#1', version: 3, date: '2026-06-02', source: 'shop', coupon: true });
  expect(order).not.toHaveProperty('channel');
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatchObject({ order: 'shop#1', version: 3, line: 1, product: 'bag' });
});
