// The days of a contact's orders: a commutative fold of what stands, the same as counted from the orders themselves.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Contact, Facts } from '../../domain/contact.ts';
import { decide } from '../../domain/decide.ts';
import { MOST_DAYS } from '../../domain/facts.ts';
import { customerAt, customerOf, dayAhead, dayOfDate } from '../../domain/insight/customer.ts';
import { orderRows } from '../../domain/insight/order-rows.ts';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import type { Order } from '../../domain/order.ts';
import type { Catalogue } from '../../domain/settings.ts';
import { bookOf, catalogue, DAY, event, HOUR, instant, lines, order, World } from '../support/people.ts';

const NOW = instant('2026-06-15 12:00');
const ZONES = ['Europe/Warsaw', 'America/New_York', 'Pacific/Apia', 'UTC'];

const withMargins = (margins: Record<string, number>): Catalogue => ({
  products: Object.fromEntries(
    Object.entries(catalogue.products).map(([id, product]) => [
      id,
      margins[id] === undefined ? product : { ...product, margin: margins[id] },
    ]),
  ),
});
const before = withMargins({ camera: 0.2, bag: 0.5 });
const after = withMargins({ camera: 0.9, film: 0.4 });
const shop = (zone = 'Europe/Warsaw', products = before) => bookOf({ settings: { zone }, catalogue: products });

interface Row {
  date?: string;
  completed: boolean;
  cancelled: boolean;
  currency: string;
  revenue: number;
  refunded: number;
  valued: number;
  margin: number;
}

/** The days of orders, from the rows that the lake holds of them. */
function daysOf(orders: Iterable<Order>, zone: string): NonNullable<Facts['days']> {
  const days = new Map<number, [number, number, number, number]>();
  for (const one of orders) {
    const row = orderRows(one, 1, { currency: 'EUR', zone, catalogue: before }).order as unknown as Row;
    if (row.cancelled || row.date === undefined) continue;
    const { revenue, refunded, valued, margin } = row;
    const [own, placed] = [row.currency === 'EUR' ? 1 : 0, row.completed ? 1 : 0];
    const at = dayOfDate(row.date);
    const day = days.get(at) ?? [0, 0, 0, 0];
    const sum = [placed, own * (revenue - refunded), own * valued, own * margin];
    days.set(at, day.map((part, i) => part + (sum[i] as number)) as typeof day);
  }
  const standing = [...days].filter(([, parts]) => parts.some((part) => part !== 0));
  return Object.fromEntries(
    standing.map(([day, [n, net, valued, margin]]) => [
      day,
      valued === 0 && margin === 0 ? [n, net] : [n, net, valued, margin],
    ]),
  );
}

const orderId = fc.constantFrom('1', '2', '3');
const said = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        orderId,
        fc.uniqueArray(fc.constantFrom('camera', 'bag*2', 'film@9.99*3'), { minLength: 1, maxLength: 3 }),
        fc.constantFrom<JsonObject>({}, {}, { coupon: 'TEN' }, { discount: 5 }, { currency: 'USD' }),
      )
      .map(
        ([id, products, properties]) =>
          (made: string, at: number) =>
            order(id, at, products, { id: made, properties }),
      ),
  },
  fc.tuple(orderId, fc.constantFrom('bag', 'camera*2')).map(
    ([id, product]) =>
      (made: string, at: number) =>
        event('Order Updated', at, { order_id: id, products: lines(product) }, { id: made }),
  ),
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        orderId,
        fc.constantFrom<JsonObject>(
          {},
          { total: 7.77 },
          { products: lines('bag') },
          { total: 900 },
          { total: 3, currency: 'USD' },
        ),
      )
      .map(
        ([id, how]) =>
          (made: string, at: number) =>
            event('Order Refunded', at, { order_id: id, ...how }, { id: made }),
      ),
  },
  fc.tuple(orderId, fc.constantFrom<JsonObject>({}, { products: lines('bag*2') })).map(
    ([id, how]) =>
      (made: string, at: number) =>
        event('Order Cancelled', at, { order_id: id, ...how }, { id: made }),
  ),
);
const history = fc
  .array(fc.tuple(said, fc.integer({ min: 0, max: 9 * 24 })), { minLength: 1, maxLength: 9, size: 'max' })
  .map((all) => all.map(([make, hours], i): Interaction => make(`e${i}`, NOW - 9 * DAY + hours * HOUR + i)));
const shuffled = history.chain((events) =>
  fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
);

describe('the days of a contact', () => {
  test('are what its orders come to by the rows of the lake, in any order of events and with repeats', () => {
    fc.assert(
      fc.property(shuffled, fc.constantFrom(...ZONES), ([events, other], zone) => {
        const [one, two] = [events, [...other, ...events]].map((each) =>
          new World(shop(zone)).record(each, { now: NOW }),
        ) as [World, World];
        const expected = daysOf(one.orders.values(), zone);
        expect(one.person().facts.days ?? {}).toEqual(expected);
        expect(two.person().facts.days ?? {}).toEqual(expected);
        expect(two.person().facts.orders).toEqual(one.person().facts.orders);
      }),
      { numRuns: 250, seed: 20_261_201 },
    );
  });

  test('stay as they are under another catalogue, whatever comes back later', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 0, max: 9 }), (events, cut) => {
        const world = new World(shop()).record(events.slice(0, cut), { now: NOW });
        if (world.contacts.size > 0) {
          const known = world.person().facts.days;
          world.publish(shop('Europe/Warsaw', after), NOW);
          expect(world.person().facts.days).toEqual(known);
        } else world.book = shop('Europe/Warsaw', after);
        world.record(events.slice(cut), { now: NOW });
        expect(world.person().facts.days ?? {}).toEqual(daysOf(world.orders.values(), 'Europe/Warsaw'));
      }),
      { numRuns: 150, seed: 20_261_201 },
    );
  });

  test('of what was recorded while nothing was published are counted when the first book comes, and moved afterwards', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 9 }), (events, cut) => {
        const nothing = bookOf({ ordinal: 0, settings: { zone: 'UTC' }, catalogue: { products: {} } });
        const world = new World(nothing).record(events.slice(0, cut), { now: NOW });
        expect(world.person().facts.days).toEqual(daysOf([...world.orders.values()].map(unlooked), 'UTC'));
        world.publish(shop(), NOW);
        expect(world.person().facts.days).toEqual(daysOf(world.orders.values(), 'Europe/Warsaw'));
        world.record(events.slice(cut), { now: NOW });
        expect(world.person().facts.days).toEqual(daysOf(world.orders.values(), 'Europe/Warsaw'));
      }),
      { numRuns: 100, seed: 20_261_201 },
    );
  });

  test('leave nothing behind where an order of before the first book goes under a later catalogue', () => {
    const world = new World(bookOf({ ordinal: 0, catalogue: { products: {} } }));
    world.record([order('1', '2026-06-01', ['camera', 'bag'])]).publish(shop(), NOW);
    expect(customerOf(world.person().facts)).toMatchObject({ valued: 44_000, margin: 10_000 });
    world.publish(shop('Europe/Warsaw', after), NOW).record([event('Order Cancelled', NOW, { order_id: '1' })]);
    expect(world.person().facts.days).toEqual({});
  });

  test('keep the margins of a product that an update names again', () => {
    const world = new World(shop()).record([order('1', '2026-06-01', ['camera'])]);
    world.publish(shop('Europe/Warsaw', after), NOW);
    world.record([event('Order Updated', NOW, { order_id: '1', products: lines('camera', 'film@10') })]);
    expect(customerOf(world.person().facts)).toMatchObject({ revenue: 41_000, valued: 41_000, margin: 8000 + 400 });
  });

  test('of two contacts that turn out to be one person are added up', () => {
    const mine = order('1', '2026-06-01', ['camera']);
    const other = order('2', '2026-06-01', ['bag'], { user: undefined, anonymous: 'x' });
    const elsewhere = order('3', '2026-06-09', ['bag'], { user: undefined, anonymous: 'x' });
    const both = event('Identified', '2026-06-10', {}, { user: 'ann', anonymous: 'x' });
    const world = new World(shop()).record([mine, other, elsewhere, both]);
    expect(world.person('ann').facts.days).toEqual(daysOf(world.orders.values(), 'Europe/Warsaw'));
    expect(Object.keys(world.person('ann').facts.days ?? {})).toHaveLength(2);
  });

  test('are counted anew in another zone of the shop, with one question', () => {
    const late = order('1', '2026-06-01 22:30', ['camera']);
    const world = new World(shop('UTC')).record([late], { now: NOW });
    expect(Object.keys(world.person().facts.days ?? {})).toEqual([String(dayOfDate('2026-06-01'))]);
    world.publish(bookOf({ settings: { zone: 'Europe/Warsaw' }, catalogue: before, ordinal: 2 }), NOW);
    expect(Object.keys(world.person().facts.days ?? {})).toEqual([String(dayOfDate('2026-06-02'))]);
    const asked = world.questions.length;
    world.give({ kind: 'publish' }, NOW + HOUR);
    expect(world.questions).toHaveLength(asked);
  });
});

/** The order as if its margins had never been looked up, and the catalogue knew none. */
const unlooked = (one: Order): Order =>
  one.statement === undefined ? one : { ...one, statement: { ...one.statement, costed: true } };

describe('a contact that was folded before there were days', () => {
  const old = (world: World): Contact => {
    const { days, ...facts } = world.person().facts;
    const { zone, ...book } = world.person().book as NonNullable<Contact['book']>;
    return { ...world.person(), facts, book };
  };

  test.each(['tick', 'publish'] as const)('gets them at the next %s, once', (kind) => {
    const world = new World(shop()).record([order('1', '2026-06-01', ['camera']), order('2', '2026-06-03', ['bag'])]);
    const { days } = world.person().facts;
    world.contacts.set(world.person().id, old(world));
    world.give({ kind }, NOW);
    expect(world.questions.at(-1)).toEqual(['Order Completed', 'Order Updated', 'Order Refunded', 'Order Cancelled']);
    expect(world.person().facts.days).toEqual(days);
    const asked = world.questions.length;
    world.give({ kind }, NOW + HOUR);
    expect(world.questions).toHaveLength(asked);
  });

  test('gets them with what moves one of its orders now', () => {
    const world = new World(shop()).record([order('1', '2026-06-01', ['camera']), order('2', '2026-06-03', ['bag'])]);
    world.contacts.set(world.person().id, old(world));
    world.record([event('Order Refunded', '2026-06-10', { order_id: '1', total: 10 })]);
    expect(world.person().facts.days).toEqual(daysOf(world.orders.values(), 'Europe/Warsaw'));
  });

  test('without an order is asked nothing', () => {
    const world = new World(shop()).record([event('Product Viewed', '2026-06-01', { product_id: 'bag' })]);
    expect(world.person().facts).not.toHaveProperty('days');
    expect(decide(world.book, world.person(), { kind: 'tick' }, NOW)).not.toHaveProperty('need');
  });

  test('whose orders were all cancelled is asked once', () => {
    const world = new World(shop()).record([
      order('1', '2026-06-01', ['camera']),
      event('Order Cancelled', '2026-06-02', { order_id: '1' }),
    ]);
    expect(world.person().facts.days).toEqual({});
    expect(customerOf(world.person().facts)).toBeUndefined();
    expect(decide(world.book, world.person(), { kind: 'tick' }, NOW)).not.toHaveProperty('need');
  });
});

describe('the customer that a contact is', () => {
  const lived = (...events: Interaction[]): Facts => new World(shop()).record(events, { now: NOW }).person().facts;

  test('orders of one day are one purchase; a refund counts at the day of its order', () => {
    const facts = lived(
      order('1', '2026-05-01 10:00', ['camera']),
      order('2', '2026-05-01 12:00', ['bag']),
      order('3', '2026-06-01', ['film']),
      event('Order Refunded', '2026-06-05', { order_id: '1', total: 100 }),
    );
    expect(customerOf(facts)).toEqual({
      days: 2,
      first: dayOfDate('2026-05-01'),
      last: dayOfDate('2026-06-01'),
      orders: 3,
      revenue: 34_000 + 950,
      firstRevenue: 34_000,
      margin: 6000 + 2000,
      valued: 34_000,
    });
  });

  test('a credit note is negative revenue at its day, and alone no customer', () => {
    const note = event('Order Refunded', '2026-05-20', { order_id: 'n', total: 500, products: lines('camera') });
    expect(customerOf(lived(note))).toBeUndefined();
    const known = customerOf(lived(note, order('1', '2026-05-01', ['camera'])));
    expect(known).toMatchObject({ days: 1, orders: 1, revenue: -10_000, firstRevenue: 40_000, valued: 40_000 });
  });

  test('an order dated in the future is there when its day comes', () => {
    const facts = lived(order('1', '2026-05-01', ['bag']), order('2', '2026-07-01', ['bag']));
    const [today, then] = [dayOfDate('2026-06-15'), dayOfDate('2026-07-01')];
    expect(customerAt(facts, today)).toMatchObject({ days: 1, last: dayOfDate('2026-05-01'), revenue: 4000 });
    expect(dayAhead(facts, today)).toBe(then);
    expect(customerAt(facts, then)).toBe(customerOf(facts));
    expect(dayAhead(facts, then)).toBeUndefined();
  });

  test('of more than 200 days the newest are known', () => {
    const world = new World(shop());
    const first = NOW - 250 * DAY;
    const bought = Array.from({ length: 210 }, (_, i) => order(`${i}`, first + ((i * 11) % 210) * DAY, ['bag']));
    world.record(bought, { now: NOW });
    expect(Object.keys(world.person().facts.days ?? {})).toHaveLength(MOST_DAYS);
    expect(customerOf(world.person().facts)).toMatchObject({ days: MOST_DAYS, orders: MOST_DAYS });
    expect(world.person().facts.orders.count).toBe(210);
  });

  test('how many orders were discounted follows what is cancelled', () => {
    const coupon = order('1', '2026-05-01', ['bag'], { properties: { coupon: 'TEN' } });
    const facts = lived(
      coupon,
      order('2', '2026-05-02', ['bag']),
      order('3', '2026-05-03', ['bag'], { properties: { discount: 2 } }),
    );
    expect(facts.orders).toMatchObject({ count: 3, discounted: 2 });
    const less = lived(coupon, event('Order Cancelled', '2026-05-09', { order_id: '1' }));
    expect(less.orders).not.toHaveProperty('discounted');
  });
});
