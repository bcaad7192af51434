// Arbitrary rules of every subject, operator, measure and period.
import fc from 'fast-check';
import { CALENDAR, type Rule } from '../../domain/grammar.ts';
import { DAY } from './people.ts';

const date = (at: number): string => new Date(at).toISOString().slice(0, 10);
const iso = (at: number): string => new Date(at).toISOString();

const duration = fc.constantFrom('30m', '4h', '1d', '36h', '7d', '2w', '30d', '60d', '90d', '365d');
/** A date or an instant within half a year of now. */
const moment = (now: number) =>
  fc
    .tuple(fc.integer({ min: -180, max: 60 }), fc.boolean())
    .map(([days, dated]) => (dated ? date(now + days * DAY) : iso(now + days * DAY)));
/** Two of them, the first earlier; every fourth time the second is on the day of now or beside it. */
const stretch = (now: number) =>
  fc
    .tuple(
      fc.integer({ min: -180, max: -2 }),
      fc.oneof(
        { weight: 3, arbitrary: fc.integer({ min: -1, max: 60 }) },
        { weight: 1, arbitrary: fc.constantFrom(-1, 0, 1) },
      ),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([from, to, a, b]) => {
      const [start, end] = [now + from * DAY, now + to * DAY];
      return { between: [a ? date(start) : iso(start), b ? date(end) : iso(end)] };
    });

const bound = (values: number[]) => {
  const value = fc.constantFrom(...values);
  return fc.oneof(
    ...['atLeast', 'moreThan', 'atMost', 'lessThan'].map((name) => value.map((one) => ({ [name]: one }))),
    fc.tuple(value, value).map(([a, b]) => ({ between: [Math.min(a, b), Math.max(a, b)] })),
  );
};
const several: object[] = [
  { atLeast: 1 },
  { atLeast: 2 },
  { atLeast: 3 },
  { moreThan: 0 },
  { moreThan: 1 },
  { atMost: 1 },
  { atMost: 2 },
  { lessThan: 2 },
  { lessThan: 3 },
  { between: [1, 2] },
  { between: [2, 4] },
  // More than counters keep exactly.
  { atLeast: 66 },
  { lessThan: 70 },
  { between: [65, 75] },
];
const count = fc.constantFrom<unknown>(1, 2, 3, ...several);

interface Speaks {
  did: string | string[];
  where: object[];
  amounts: [of: string, bounds: number[]][];
  values: string[];
}
const ORDERS: Speaks = {
  did: 'Order Completed',
  where: [
    { coupon: { exists: false } },
    { coupon: 'TEN' },
    { total: { atLeast: 100 } },
    { products: { category: 'Cameras', price: { atLeast: 300 } } },
    { products: { 'catalogue.category': ['Bags', 'Film'] } },
    { products: { product_id: 'film', quantity: { moreThan: 1 } }, coupon: { isNot: 'TEN' } },
  ],
  amounts: [
    ['revenue', [9.5, 40, 59, 400, 2700]],
    ['total', [40, 80.5, 400]],
  ],
  values: ['products.product_id', 'products.category', 'coupon'],
};
const VIEWS: Speaks = {
  did: 'Product Viewed',
  where: [
    { product_id: ['bag', 'film'] },
    { category: { startsWith: 'ca' } },
    { price: { lessThan: 100 } },
    { 'catalogue.category': { isNot: 'Bags' } },
    { category: { exists: true } },
  ],
  amounts: [['price', [9.5, 40, 409.5, 665, 2700]]],
  values: ['product_id', 'category'],
};
const TICKETS: Speaks = {
  did: 'Ticket Bought',
  where: [
    { seats: { between: [1, 2] } },
    { seats: [2, 3] },
    { paid: { moreThan: 10.1 } },
    { day: { after: '2026-05-01' } },
  ],
  amounts: [
    ['seats', [1, 2.5, 4]],
    ['paid', [10.1, 30.3, 50]],
  ],
  values: ['seats'],
};
const CLICKS: Speaks = {
  did: ['Email Clicked', 'Product Viewed'],
  where: [],
  amounts: [],
  values: ['campaign', 'product_id'],
};
const OTHERS: Speaks = {
  did: ['Order Refunded', 'Order Cancelled', 'Email Clicked'],
  where: [],
  amounts: [],
  values: ['order_id'],
};

const didRule = (now: number): fc.Arbitrary<Rule> =>
  fc.constantFrom(ORDERS, ORDERS, VIEWS, VIEWS, TICKETS, CLICKS, OTHERS).chain(({ did, where, amounts, values }) => {
    const when = fc.oneof(
      { weight: 4, arbitrary: duration.map((moreThanAgo): object => ({ moreThanAgo })) },
      { weight: 4, arbitrary: duration.map((inLast): object => ({ inLast })) },
      { weight: 1, arbitrary: moment(now).map((before): object => ({ before })) },
      { weight: 1, arbitrary: moment(now).map((after): object => ({ after })) },
    );
    const amount = (name: string) =>
      fc.constantFrom(...amounts).chain(([of, bounds]) => bound(bounds).map((one) => ({ [name]: { of, ...one } })));
    const few = fc.constantFrom({ atLeast: 2 }, { moreThan: 1 }, { atLeast: 3 });
    const measure = fc.oneof(
      fc.constant({}),
      count.map((times): object => ({ times })),
      ...(amounts.length === 0 ? [] : [amount('sum'), amount('largest')]),
      fc
        .constantFrom(...values)
        .chain((of) => fc.constantFrom(...several).map((one) => ({ distinct: { of, ...one } }))),
      fc.tuple(fc.constantFrom(...values), few).map(([same, times]): object => ({ same, times })),
    );
    const period = fc.oneof(
      { weight: 1, arbitrary: fc.constant({}) },
      { weight: 8, arbitrary: duration.map((inLast): object => ({ inLast })) },
      { weight: 8, arbitrary: fc.constantFrom(...CALENDAR).map((word): object => ({ in: word })) },
      { weight: 4, arbitrary: stretch(now) },
      { weight: 1, arbitrary: moment(now).map((since): object => ({ since })) },
    );
    const asked = fc.oneof(
      { weight: 1, arbitrary: when.map((latest): object => ({ latest })) },
      { weight: 1, arbitrary: when.map((first): object => ({ first })) },
      { weight: 6, arbitrary: fc.tuple(measure, period).map(([a, b]): object => ({ ...a, ...b })) },
    );
    const limited =
      where.length === 0
        ? fc.constant({})
        : fc.oneof(
            fc.constant({}),
            fc.constantFrom(...where).map((one) => ({ where: one })),
          );
    return fc.tuple(asked, limited).map(([a, b]) => ({ did, ...b, ...a }) as Rule);
  });

const hasRule = (now: number): fc.Arbitrary<Rule> => {
  const anniversary = fc.oneof(
    fc.constant('today'),
    duration.map((inNext): object => ({ inNext })),
    duration.map((inLast): object => ({ inLast })),
  );
  const dated = fc.oneof(
    { weight: 6, arbitrary: duration.map((inLast): object => ({ inLast })) },
    { weight: 6, arbitrary: duration.map((inNext): object => ({ inNext })) },
    { weight: 6, arbitrary: duration.map((moreThanAgo): object => ({ moreThanAgo })) },
    { weight: 1, arbitrary: moment(now).map((before): object => ({ before })) },
    { weight: 1, arbitrary: moment(now).map((after): object => ({ after })) },
    { weight: 1, arbitrary: stretch(now) },
    { weight: 1, arbitrary: fc.boolean().map((exists): object => ({ exists })) },
  );
  const exists = fc.boolean().map((one): object => ({ exists: one }));
  const of = (names: string[], comparison: fc.Arbitrary<unknown>) =>
    fc.tuple(fc.constantFrom(...names), comparison).map(([name, wanted]) => ({ [name]: wanted }));
  const one = fc.oneof(
    { weight: 15, arbitrary: of(['birthday', 'createdAt'], dated) },
    {
      weight: 12,
      arbitrary: of(
        ['birthday', 'createdAt'],
        anniversary.map((wanted) => ({ anniversary: wanted })),
      ),
    },
    { weight: 9, arbitrary: of(['orders.first', 'orders.last', 'plan.givenAt'], dated) },
    { weight: 6, arbitrary: of(['rhythm.overdue'], bound([1, 1.5, 3])) },
    {
      weight: 1,
      arbitrary: of(['rhythm.interval', 'age'], fc.oneof(bound([10, 17.5, 30]), exists, fc.constantFrom(30, [17, 30]))),
    },
    {
      weight: 1,
      arbitrary: of(
        ['orders.count', 'cart.items', 'service.openCases', 'rfm.recency', 'predicted.orders'],
        fc.oneof(bound([0, 1, 2, 4]), fc.constantFrom<unknown>(0, [1, 2], { isNot: 1 })),
      ),
    },
    {
      weight: 1,
      arbitrary: of(
        ['orders.spend', 'orders.average', 'cart.value', 'value.lifetime'],
        fc.oneof(bound([9.5, 40, 80.01, 400]), exists),
      ),
    },
    { weight: 1, arbitrary: of(['orders.returnedShare'], bound([0, 0.25, 1])) },
    {
      weight: 1,
      arbitrary: of(
        ['country', 'loyalty.tier'],
        fc.constantFrom<unknown>(
          'PL',
          'gold',
          ['PL', 'CZ', 'gold'],
          { isNot: 'PL' },
          { contains: 'L' },
          { startsWith: 'g' },
          { exists: true },
          { exists: false },
        ),
      ),
    },
    {
      weight: 1,
      arbitrary: of(
        ['tags'],
        fc.constantFrom<unknown>(
          'a',
          ['b', 'c'],
          { isNot: 'a' },
          { contains: 'b' },
          { exists: true },
          { exists: false },
        ),
      ),
    },
    {
      weight: 1,
      arbitrary: of(
        ['vip', 'subscription.active'],
        fc.constantFrom<unknown>(true, false, { isNot: true }, { exists: true }),
      ),
    },
  );
  return fc.oneof(
    { weight: 4, arbitrary: one.map((has) => ({ has }) as Rule) },
    { weight: 1, arbitrary: fc.tuple(one, one).map(([a, b]) => ({ has: { ...a, ...b } }) as Rule) },
  );
};

const consentRule = fc
  .tuple(
    fc.constantFrom('offers', 'offers', 'news'),
    fc.option(fc.constantFrom<('double' | 'single' | 'soft')[]>(['double'], ['single', 'soft'])),
    fc.boolean(),
  )
  .map(
    ([topic, basis, channel]) =>
      ({ consent: topic, ...(channel && { channel: 'email' }), ...(basis && { basis }) }) as Rule,
  );
const shareRule = fc
  .tuple(
    fc.constantFrom('spring', 'autumn', 'a', 'b'),
    fc.integer({ min: 0, max: 90 }),
    fc.integer({ min: 1, max: 100 }),
  )
  .map(([share, from, width]) => ({ share, percent: [from, Math.min(100, from + width)] }) as Rule);

/** A rule of any depth; `segments` are those that it may read. */
export function ruleArbitrary(now: number, segments: string[], depth: number): fc.Arbitrary<Rule> {
  const leaf = fc.oneof(
    { weight: 24, arbitrary: didRule(now) },
    { weight: 14, arbitrary: hasRule(now) },
    { weight: 4, arbitrary: consentRule },
    { weight: 1, arbitrary: shareRule },
    ...(segments.length === 0
      ? []
      : [{ weight: 3, arbitrary: fc.constantFrom(...segments).map((segment): Rule => ({ segment })) }]),
  );
  if (depth === 0) return leaf;
  const part = ruleArbitrary(now, segments, depth - 1);
  return fc.oneof(
    { weight: 6, arbitrary: leaf },
    { weight: 1, arbitrary: fc.array(part, { minLength: 1, maxLength: 3 }).map((all): Rule => ({ all })) },
    { weight: 2, arbitrary: fc.array(part, { minLength: 1, maxLength: 3 }).map((any): Rule => ({ any })) },
    { weight: 2, arbitrary: part.map((not): Rule => ({ not })) },
  );
}
