// What counters keep of events: amounts, greatest amounts, different values; and how a changed order moves them.
import { describe, expect, test } from 'vitest';
import type { CounterState } from '../../domain/counter.ts';
import { type Counter, countInto, measured } from '../../domain/counting.ts';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import { foldOrder, type Order } from '../../domain/order.ts';
import { type CompiledWhere, compileWhere } from '../../domain/where.ts';
import { DAY, instant } from '../support/people.ts';

const NOON = instant('2026-06-15 12:00');
const around = { now: NOON, zone: 'UTC', catalogue: { products: {} } };
const context = {
  currency: 'EUR',
  isMoney: (_event: string, property: string) => ['revenue', 'total', 'price'].includes(property),
};

function counterOf(
  names: string[],
  of: [kind: 'sum' | 'largest' | 'groups', property: string][],
  where?: CompiledWhere,
) {
  const counter: Counter = { id: 'c', names, of: [], kinds: [], properties: [], sinceStart: false };
  if (where !== undefined) counter.where = where;
  for (const [kind, property] of of) measured(counter, kind, property);
  return counter;
}

function said(name: string, properties: JsonObject, id = `${name}-1`, at = NOON): Interaction {
  return { id, subject: 'user#1', name, at, source: 'shop', who: { user: '1' }, traits: {}, properties, hops: 0 };
}

/** Plays order events, each with the order as it was before. */
function played(counter: Counter, events: Interaction[]): Record<string, CounterState> {
  const states: Record<string, CounterState> = {};
  let order: Order | undefined;
  for (const event of events) {
    const before = order;
    order = foldOrder(before, event, 'EUR');
    countInto(states, [counter], event, { before, after: order }, around, context);
  }
  return states;
}

const order = (properties: JsonObject, id?: string) => said('Order Completed', { order_id: '7', ...properties }, id);
const lines = (...products: string[]): JsonObject => ({
  revenue: 100,
  total: 100,
  products: products.map((product_id) => ({ product_id, price: 10, quantity: 1 })),
});

describe('what is kept of an event', () => {
  test('amounts in minor units, nothing for a missing largest, each different value once', () => {
    const counter = counterOf(
      ['Order Completed'],
      [
        ['sum', 'revenue'],
        ['largest', 'shipping'],
        ['groups', 'products.product_id'],
        ['groups', 'coupon'],
      ],
    );
    const states = played(counter, [order({ ...lines('b', 'a', 'b'), coupon: 'TEN' })]);
    expect(states.c?.e).toEqual([[NOON, expect.any(String), 10_000, null, ['a', 'b'], ['TEN']]]);
  });

  test('of a line without product_id its sku; of a long value its hash; never more than 50 values', () => {
    const counter = counterOf(['Seen'], [['groups', 'products.product_id']]);
    const states: Record<string, CounterState> = {};
    const many = Array.from({ length: 80 }, (_, i) => ({ sku: `s${i}` }));
    countInto(states, [counter], said('Seen', { products: many }), undefined, around, context);
    expect(states.c?.e[0]?.[2]).toHaveLength(50);
    const long = said('Seen', { products: [{ product_id: 'x'.repeat(300) }] }, 'long');
    countInto(states, [counter], long, undefined, around, context);
    expect(JSON.stringify(states.c?.e)).not.toContain('xxxxx');
  });

  test('money of another currency counts, and adds nothing', () => {
    const counter = counterOf(
      ['Order Completed'],
      [
        ['sum', 'revenue'],
        ['largest', 'revenue'],
      ],
    );
    const states = played(counter, [order({ ...lines('a'), currency: 'PLN' })]);
    expect(states.c?.e).toEqual([[NOON, expect.any(String), 0, null]]);
  });
});

describe('an order that changes', () => {
  const counter = counterOf(
    ['Order Completed'],
    [
      ['sum', 'revenue'],
      ['largest', 'revenue'],
      ['groups', 'products.product_id'],
    ],
  );

  test('gives up what was refunded of it', () => {
    const refund = said('Order Refunded', { order_id: '7', total: 30 }, 'r1', NOON + DAY);
    expect(played(counter, [order(lines('a')), refund]).c?.e).toEqual([[NOON, expect.any(String), 7000, 7000, ['a']]]);
  });

  test('holds the products of its latest statement, also where one name is two names joined', () => {
    const update = said('Order Updated', { order_id: '7', ...lines('a', 'b') }, 'u1', NOON + DAY);
    const states = played(counter, [order(lines('a,b')), update]);
    expect(states.c?.e).toEqual([[NOON, expect.any(String), 10_000, 10_000, ['a', 'b']]]);
  });

  test('leaves a counter that it no longer fits', () => {
    const fits = counterOf(['Order Completed'], [], compileWhere({ products: { product_id: 'a' } }));
    const update = said('Order Updated', { order_id: '7', ...lines('b') }, 'u1', NOON + DAY);
    expect(played(fits, [order(lines('a'))]).c?.e).toHaveLength(1);
    expect(played(fits, [order(lines('a')), update])).toEqual({});
  });

  test('leaves the states of before as they were', () => {
    const states: Record<string, CounterState> = {};
    const first = foldOrder(undefined, order(lines('a')), 'EUR');
    countInto(states, [counter], order(lines('a')), { after: first }, around, context);
    const kept = states.c;
    const text = JSON.stringify(kept);
    const refund = said('Order Refunded', { order_id: '7', total: 30 }, 'r1', NOON + DAY);
    countInto(states, [counter], refund, { before: first, after: foldOrder(first, refund, 'EUR') }, around, context);
    expect(JSON.stringify(kept)).toBe(text);
    expect(states.c).not.toBe(kept);
  });
});
