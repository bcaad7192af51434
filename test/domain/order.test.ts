// Orders: the truth table of what they add to totals, under every order of their events.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../domain/interaction.ts';
import {
  foldOrder,
  netRevenue,
  type Order,
  type OrderEffect,
  orderEffect,
  orderEntryKey,
  orderKeyOf,
} from '../../domain/order.ts';
import cases from '../cases/orders.json' with { type: 'json' };
import { event, instant, order } from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

interface Row {
  name: string;
  events: [string, string, JsonObject][];
  effect: OrderEffect;
  why: string;
  currency?: string;
}
const rows = cases as unknown as Row[];

function folded(row: Row, permuted: number[] = row.events.map((_, i) => i)): Order {
  const currency = row.currency ?? 'EUR';
  const events = row.events.map(([name, at, properties], i) => event(name, at, properties, { id: `e${i}` }));
  let made: Order | undefined;
  for (const i of permuted) made = foldOrder(made, events[i] as (typeof events)[number], currency);
  return made as Order;
}

function permutations(length: number): number[][] {
  if (length === 0) return [[]];
  return permutations(length - 1).flatMap((rest) =>
    Array.from({ length }, (_, i) => [...rest.slice(0, i), length - 1, ...rest.slice(i)]),
  );
}

describe('what an order adds to totals', () => {
  test.each(rows)('$name: $why', (row) => {
    const { at, last, ...effect } = orderEffect(folded(row), row.currency ?? 'EUR');
    expect(effect).toEqual(row.effect);
    const completed = row.events.filter(([name]) => name === 'Order Completed').map(([, moment]) => instant(moment));
    expect(at).toBe(completed.length === 0 ? undefined : Math.min(...completed));
    expect(last).toBe(completed.length === 0 ? undefined : Math.max(...completed));
  });

  test.each(rows)('$name > in whatever order its events come', (row) => {
    const one = folded(row);
    for (const permuted of permutations(row.events.length)) expect(folded(row, permuted)).toEqual(one);
  });

  test('folding changes no order that was given', () => {
    const before = foldOrder(undefined, order('1', '2026-03-01', ['camera']), 'EUR');
    const copy = structuredClone(before);
    foldOrder(before, event('Order Refunded', '2026-03-02', { order_id: '1', total: 1 }), 'EUR');
    expect(before).toEqual(copy);
  });

  test('what an order adds is never less than nothing', () => {
    const amounts = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 5 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 0, max: 3000 }),
        amounts,
        (revenue, extra, refunds) => {
          let made = foldOrder(
            undefined,
            event('Order Completed', 5, { order_id: '1', revenue: revenue / 100, total: (revenue + extra) / 100 }),
            'EUR',
          );
          refunds.forEach((amount, i) => {
            made = foldOrder(made, event('Order Refunded', 6 + i, { order_id: '1', total: amount / 100 }), 'EUR');
          });
          const { gross, refunded } = orderEffect(made, 'EUR');
          expect(refunded).toBeLessThanOrEqual(gross);
          expect(refunded).toBeGreaterThanOrEqual(0);
          expect(netRevenue(made)).toBe(gross - refunded);
        },
      ),
      seeded(200),
    );
  });
});

describe('products of an order', () => {
  const of = (name: string, at: string, products: JsonObject[]) => event(name, at, { order_id: '1', products });

  test('what only an overtaken statement names is kept apart', () => {
    const first = foldOrder(
      undefined,
      of('Order Completed', '2026-03-01', [{ product_id: 'a' }, { product_id: 'b' }]),
      'EUR',
    );
    const second = foldOrder(
      first,
      of('Order Updated', '2026-03-02', [{ product_id: 'b' }, { product_id: 'a', quantity: 0 }]),
      'EUR',
    );
    expect(second.formerly).toEqual(['a']);
    const third = foldOrder(
      second,
      of('Order Updated', '2026-03-03', [{ product_id: 'a' }, { product_id: 'b' }]),
      'EUR',
    );
    expect(third).not.toHaveProperty('formerly');
  });

  test('lines that name nothing are passed over, and sku stands in', () => {
    const made = foldOrder(
      undefined,
      of('Order Completed', '2026-03-01', [
        { sku: 7, price: '2.50', quantity: '2' },
        { name: 'x' },
        { product_id: null },
      ]),
      'EUR',
    );
    expect(made.statement?.lines).toEqual([{ product: '7', quantity: 2, price: 250 }]);
  });
});

test('an order is known by its source and id; other events speak of none', () => {
  expect(orderKeyOf(event('Order Refunded', 1, { order_id: 7 }, { source: 'till' }))).toBe('till#7');
  expect(orderKeyOf(event('Order Completed', 1, {}))).toBeUndefined();
  expect(orderKeyOf(event('Checkout Started', 1, { order_id: '7' }))).toBeUndefined();
  expect(orderEntryKey('till#7')).not.toBe(orderEntryKey('web#7'));
  expect(() => foldOrder(undefined, event('Product Viewed', 1, {}), 'EUR')).toThrow('not an order event');
});
