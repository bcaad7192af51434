// Any figure by anything: totals add up whatever the shop holds, customers are counted once, and words alone reach the statement.
import { TrinoSQL } from 'dt-sql-parser/dist/parser/trino';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../cli/duckdb.ts';
import {
  addsUp,
  COUNTED,
  cubeQuestion,
  cubeStatement,
  DIMENSION_NAMES,
  type Dimension,
  MEASURE_NAMES,
  PERIODS,
} from '../../domain/insight/cube.ts';
import { dateOfDay, dayOfDate } from '../../domain/insight/customer.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { withViews } from '../../functions/aws/queries.ts';
import { type Row, withParameters } from '../../functions/aws/warehouse.ts';

const FROM = dayOfDate('2026-01-01');
const VIEWS = { currency: 'EUR', today: FROM + 400 };
const ALL = { from: FROM - 1000, to: FROM + 400 };

/** Dimensions of which at most one is a period, as people may ask. */
const splits = (): fc.Arbitrary<Dimension[]> => {
  const others = DIMENSION_NAMES.filter((name) => !PERIODS.includes(name));
  return fc
    .tuple(fc.subarray(others, { maxLength: 3 }), fc.constantFrom(undefined, ...PERIODS))
    .filter(([some, period]) => some.length > 0 || period !== undefined)
    .map(([some, period]) => (period === undefined ? some : [...some, period]));
};

interface World {
  orders: JsonObject[];
  lines: JsonObject[];
  contacts: JsonObject[];
  messages: JsonObject[];
}

const contact = fc.constantFrom('a', 'b', 'c', 'd');
const day = fc.integer({ min: 0, max: 380 }).map((days) => dateOfDay(FROM + days));
const line = fc.record(
  {
    product: fc.constantFrom('camera', 'lens', 'bag', 'film'),
    category: fc.constantFrom('Cameras', 'Bags'),
    revenue: fc.integer({ min: 0, max: 90_000 }),
    share: fc.constantFrom(0, 0.25, 1),
    margin: fc.integer({ min: -5000, max: 40_000 }),
  },
  { requiredKeys: ['product', 'revenue', 'share'] },
);
const order = fc.record(
  {
    contact,
    date: day,
    channel: fc.constantFrom('web', 'shop'),
    lines: fc.array(line, { maxLength: 4 }),
    note: fc.constant(true),
    foreign: fc.constant(true),
    cancelled: fc.constant(true),
  },
  { requiredKeys: ['date', 'lines'] },
);
const message = fc.record({
  contact,
  campaign: fc.constantFrom('spring', 'basket'),
  at: day.map((date) => `${date}T10:00:00.000Z`),
  state: fc.constantFrom('sent', 'sent', 'ghost'),
});

const worlds = (): fc.Arbitrary<World> =>
  fc.tuple(fc.array(order, { maxLength: 14 }), fc.array(message, { maxLength: 8 })).map(([orders, messages]): World => {
    const world: World = {
      orders: [],
      lines: [],
      contacts: [
        { contact: 'a', version: 1, country: 'DE' },
        { contact: 'b', version: 1, country: 'PL' },
        { contact: 'd', version: 1, into: 'a' },
      ],
      messages: messages.map((one, i) => ({ ...one, message: `m${i}`, arm: one.state, plannedAt: one.at })),
    };
    for (const [i, { lines, note, foreign, cancelled, date, ...rest }] of orders.entries()) {
      const rows = lines.map(({ share, revenue, ...own }, nth): JsonObject => {
        const refunded = Math.round(revenue * share);
        const gross = note ? 0 : revenue;
        return { order: `s#${i}`, version: 1, line: nth, quantity: 1, returned: 0, ...own, revenue: gross, refunded };
      });
      const sum = (of: (row: JsonObject) => number): number => rows.reduce((all, row) => all + of(row), 0);
      world.lines.push(...rows);
      world.orders.push({
        ...rest,
        order: `s#${i}`,
        version: 1,
        at: Date.parse(`${date}T12:00:00Z`),
        date,
        completed: !note,
        cancelled: cancelled === true,
        currency: foreign ? 'USD' : 'EUR',
        // What has no lines has an amount all the same.
        revenue: rows.length === 0 && !note ? 777 : sum((row) => Number(row.revenue)),
        refunded: sum((row) => Number(row.refunded)),
        margin: sum((row) => Number(row.margin ?? 0)),
        valued: sum((row) => (row.margin === undefined ? 0 : Number(row.revenue) - Number(row.refunded))),
        discount: 0,
        coupon: false,
      });
    }
    return world;
  });

const numbersOf = (row: Row): Record<string, number> =>
  Object.fromEntries(COUNTED.map((name) => [name, Number(row[name] ?? 0)]));

describe('figures by anything', () => {
  it('add up to the whole over any split, and the whole is that of the orders themselves', async () => {
    await fc.assert(
      fc.asyncProperty(worlds(), fc.array(splits(), { minLength: 4, maxLength: 4 }), async (world, asked) => {
        const campaigns = [{ campaign: 'spring', perMessage: 2 }];
        const warehouse = await DuckDbWarehouse.ofRows({ ...world, campaigns }, VIEWS);
        const standing = world.orders.filter((one) => !one.cancelled);
        const own = standing.filter((one) => one.currency === 'EUR');
        const total = (name: string): number => own.reduce((sum, one) => sum + Number(one[name]), 0);
        const placed = standing.filter((one) => one.completed);
        const sent = world.messages.filter((one) => one.state === 'sent');
        for (const by of asked) {
          const rows = await warehouse.rows(cubeStatement({ by }), ALL);
          const whole = numbersOf(rows.find((row) => row.is_total === 1) ?? {});
          expect(whole).toEqual({
            orders: placed.length,
            customers: new Set(placed.flatMap((one) => (one.contact === 'd' ? 'a' : (one.contact ?? [])))).size,
            gross: total('revenue'),
            refunded: total('refunded'),
            revenue: total('revenue') - total('refunded'),
            valued: total('valued'),
            margin: total('margin'),
            messages: sent.length,
            cost: 2 * sent.filter((one) => one.campaign === 'spring').length,
          });
          const parts = rows.filter((row) => row.is_total === 0).map(numbersOf);
          const sum = (name: string): number => parts.reduce((all, part) => all + (part[name] ?? 0), 0);
          for (const name of ['gross', 'refunded', 'revenue', 'valued', 'margin', 'messages', 'cost'])
            expect(sum(name), `${name} by ${by}`).toBe(whole[name]);
          if (addsUp('orders', by)) expect(sum('orders'), `orders by ${by}`).toBe(whole.orders);
          else expect(sum('orders')).toBeGreaterThanOrEqual(whole.orders ?? 0);
          expect(sum('customers')).toBeGreaterThanOrEqual(whole.customers ?? 0);
        }
        await warehouse.close();
      }),
      { numRuns: 15 },
    );
  });

  it('an order is of the campaign of the last mail in the seven days before it', async () => {
    const at = (date: string): number => Date.parse(date);
    const base = { version: 1, completed: true, cancelled: false, currency: 'EUR', refunded: 0, margin: 0, valued: 0 };
    const orders = [
      { ...base, order: 's#1', contact: 'a', at: at('2026-02-10T12:00:00Z'), date: '2026-02-10', revenue: 100 },
      { ...base, order: 's#2', contact: 'a', at: at('2026-03-10T12:00:00Z'), date: '2026-03-10', revenue: 1000 },
      { ...base, order: 's#3', at: at('2026-02-10T12:00:00Z'), date: '2026-02-10', revenue: 10_000 },
    ];
    const sent = (message: string, campaign: string, when: string): JsonObject => {
      return { message, contact: 'a', campaign, state: 'sent', at: when, plannedAt: when };
    };
    const messages = [
      sent('m1', 'spring', '2026-02-05T10:00:00.000Z'),
      sent('m2', 'basket', '2026-02-09T10:00:00.000Z'),
      sent('m3', 'later', '2026-02-10T12:00:01.000Z'),
    ];
    const warehouse = await DuckDbWarehouse.ofRows({ orders, messages }, VIEWS);
    const rows = await warehouse.rows(cubeStatement({ by: ['campaign'] }), ALL);
    const found = rows.filter((row) => row.is_total === 0).map((row) => [row.part1, row.revenue, row.messages]);
    expect(found.sort()).toEqual(
      [
        ['basket', 100, 1],
        ['later', 0, 1],
        ['spring', 0, 1],
        [null, 11_000, 0],
      ].sort(),
    );
    const [february] = await warehouse.rows(cubeStatement({ by: ['campaign'] }), {
      from: dayOfDate('2026-02-10'),
      to: dayOfDate('2026-02-10'),
    });
    expect(february).toBeDefined();
    await warehouse.close();
  });

  it('every split is a statement that Trino reads, of known words alone', () => {
    const parser = new TrinoSQL();
    for (const by of [DIMENSION_NAMES.slice(0, 5), ...DIMENSION_NAMES.map((name) => [name])]) {
      const text = withParameters(withViews(cubeStatement({ by })), { ...VIEWS, ...ALL });
      expect(parser.validate(text), by.join()).toEqual([]);
    }
  });

  it.each([
    ['contry', undefined, '--by: "contry" is no dimension. Did you mean "country"?'],
    ['country,country', undefined, '--by: "country" is said twice. Leave one out.'],
    [
      'month,year',
      undefined,
      '--by: "month" and "year" are both periods: figures are split by one. Leave out all but "month".',
    ],
    ["country'; DROP TABLE orders; --", undefined, expect.stringContaining('is no dimension.')],
    ['constructor', undefined, expect.stringContaining('is no dimension.')],
    ['country', 'revenu', '--of: "revenu" is no measure. Did you mean "revenue"?'],
  ])('%j of %j is refused', (by, of, message) => {
    expect(() => cubeQuestion(by, of)).toThrow(expect.objectContaining({ message }));
  });

  it('takes several, with blanks', () => {
    expect(cubeQuestion('country, category', 'orders,profit')).toEqual({
      by: ['country', 'category'],
      of: ['orders', 'profit'],
    });
    expect(MEASURE_NAMES).toHaveLength(8);
  });
});
