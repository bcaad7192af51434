// A contact's facts and the statement over the lake say the same of a customer, order by order and day by day.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../cli/duckdb.ts';
import { type Customer, customerAt, dayOfDate } from '../../domain/insight/customer.ts';
import { orderRows } from '../../domain/insight/order-rows.ts';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import { query } from '../../functions/aws/queries.ts';
import { bookOf, catalogue, DAY, event, HOUR, instant, lines, order, World } from '../support/people.ts';

const NOW = instant('2026-06-15 12:00');
const TODAY = dayOfDate('2026-06-15');
const ZONE = 'America/New_York';
const margins: Record<string, number> = { camera: 0.2, bag: 0.5 };
const products = Object.fromEntries(
  Object.entries(catalogue.products).map(([id, one]) => [
    id,
    margins[id] === undefined ? one : { ...one, margin: margins[id] },
  ]),
);

type Maker = (id: string, order: string, at: number, user: string) => Interaction;
const maker: fc.Arbitrary<Maker> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.subarray(['camera', 'bag*2', 'film@9.99*3'], { minLength: 1 }),
        fc.constantFrom<JsonObject>({}, {}, { coupon: 'TEN' }, { currency: 'USD' }, { revenue: 0, total: 0 }),
      )
      .map(
        ([bought, properties]): Maker =>
          (id, key, at, user) =>
            order(key, at, bought, { id, user, properties }),
      ),
  },
  fc.constantFrom<JsonObject>({}, { total: 7.77 }, { products: lines('bag') }, { total: 5000 }).map(
    (how): Maker =>
      (id, key, at, user) =>
        event('Order Refunded', at, { order_id: key, ...how }, { id, user }),
  ),
  fc.constantFrom<JsonObject>({}, { products: lines('bag*2') }).map(
    (how): Maker =>
      (id, key, at, user) =>
        event('Order Cancelled', at, { order_id: key, ...how }, { id, user }),
  ),
);
/** Up to three orders, in any order of events; some are dated in the future. */
const history = fc.array(fc.tuple(maker, fc.constantFrom('a', 'b', 'c'), fc.integer({ min: -300 * 24, max: 5 * 24 })), {
  minLength: 1,
  maxLength: 8,
  size: 'max',
});

it('a customer is the same by its facts and by the statement over the lake', async () => {
  const people = fc.sample(history, { seed: 20_261_201, numRuns: 150 });
  const world = new World(bookOf({ settings: { zone: ZONE }, catalogue: { products } }));
  for (const [i, events] of people.entries()) {
    const user = `u${i}`;
    world.record(
      events.map(([make, key, hours], n) => make(`${user}-${n}`, `${user}-${key}`, NOW + hours * HOUR, user)),
      { now: NOW },
    );
  }
  const shop = { currency: 'EUR', zone: ZONE, catalogue: { products } };
  const rows = [...world.orders.values()].map((one) => orderRows(one, 1, shop).order);
  const warehouse = await DuckDbWarehouse.ofRows({ orders: rows }, { currency: 'EUR', today: TODAY });
  const found = await warehouse.rows(query('customers'), { currency: 'EUR', today: TODAY });
  await warehouse.close();
  const told = new Map(
    found.map((row): [string, Customer] => [
      String(row.contact),
      {
        days: Number(row.days),
        first: Number(row.first_day),
        last: Number(row.last_day),
        orders: Number(row.orders),
        revenue: Number(row.revenue),
        firstRevenue: Number(row.first_revenue),
        margin: Number(row.margin),
        valued: Number(row.valued),
      },
    ]),
  );
  let [known, below, ahead] = [0, 0, 0];
  for (const { id, facts } of world.contacts.values()) {
    const customer = customerAt(facts, TODAY);
    expect([id, told.get(id)]).toEqual([id, customer]);
    known += customer === undefined ? 0 : 1;
    below += customer !== undefined && customer.revenue <= 0 ? 1 : 0;
    ahead += Object.keys(facts.days ?? {}).some((day) => Number(day) > TODAY) ? 1 : 0;
  }
  expect(told.size).toBe(known);
  // What is odd is among them: nothing spent or less, and what is dated after today.
  expect([known > 80, below > 5, ahead > 1, NOW > DAY]).toEqual([true, true, true, true]);
});
