// The value of a customer, the tenths, and RFM: what is known and what is not, cells that all have a name, any nonsense.
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { Customer } from '../../domain/insight/customer.ts';
import { decileCuts, decileOf, lifetimeOf, marginShare } from '../../domain/insight/lifetime.ts';
import type { Models } from '../../domain/insight/models.ts';
import { alive, expectedOrders, expectedSpend } from '../../domain/insight/predict.ts';
import { RFM_GROUPS, rfmCuts, rfmGroup, rfmScores } from '../../domain/insight/rfm.ts';
import cells from '../cases/rfm-groups.json' with { type: 'json' };

const fit = { logLikelihood: 0, customers: 0, asOf: 300 };
const models: Models = {
  shape: 1,
  at: 0,
  today: 300,
  currency: 'EUR',
  customers: 0,
  orders: 0,
  purchases: { kind: 'bg/nbd', r: 0.243, alpha: 4.414, a: 0.793, b: 2.426, ...fit },
  spend: { p: 6.25, q: 3.74, v: 15.44, correlation: 0, ...fit },
  margin: { share: 0.25, asOf: 300 },
  notes: [],
};
const customer: Customer = {
  days: 3,
  first: 0,
  last: 200,
  orders: 4,
  revenue: 12_000,
  firstRevenue: 4_000,
  margin: 3_000,
  valued: 8_000,
};

describe('the lifetime value of a customer', () => {
  it('is the margin that was earned and the margin to be expected, in minor units', () => {
    const made = lifetimeOf(models, customer, 300);
    const orders = expectedOrders(models.purchases!, customer, 300, 365);
    const margin = expectedSpend(models.spend!, customer, 100) * (3 / 8);
    // 30.00 of 80.00 is known, and the same share of the other 40.00 is taken.
    expect(made.past).toBe(4_500);
    expect(made.alive).toBe(alive(models.purchases!, customer, 300));
    expect(made.orders365).toBe(orders);
    expect(made.value365).toBeCloseTo(orders * margin, 9);
    expect(made.value90! / made.value365!).toBeCloseTo(made.orders90! / made.orders365!, 12);
    expect(made.lifetime).toBe(4_500 + made.value365!);
    expect(made.nextOrder).toBeGreaterThan(200);
  });

  it("takes the shop's share where no margin of the customer's is known", () => {
    const made = lifetimeOf(models, { ...customer, margin: 0, valued: 0 }, 300);
    expect(made.past).toBe(3_000);
    expect(made.value365! / made.orders365!).toBeCloseTo(expectedSpend(models.spend!, customer, 100) / 4, 9);
  });

  it('leaves away what is not known', () => {
    const { margin: _, ...without } = models;
    const unknown = { ...customer, margin: 0, valued: 0 };
    expect(Object.keys(lifetimeOf(without, unknown, 300))).toEqual(['alive', 'orders90', 'orders365', 'nextOrder']);
    const { purchases: __, ...unfitted } = models;
    expect(lifetimeOf(unfitted, customer, 300)).toEqual({ past: 4_500 });
    const { spend: ___, ...spendless } = models;
    expect(Object.keys(lifetimeOf(spendless, customer, 300))).toEqual([
      'past',
      'alive',
      'orders90',
      'orders365',
      'nextOrder',
    ]);
  });

  it('is a loss where orders were sold at a loss, and a share never runs away with a refund', () => {
    expect(lifetimeOf(models, { ...customer, margin: -800 }, 300).value365).toBeLessThan(0);
    const torn = lifetimeOf(models, { ...customer, margin: -50_000, valued: 1 }, 300);
    expect(torn.value365! / torn.orders365!).toBeCloseTo(-expectedSpend(models.spend!, customer, 100), 6);
  });

  it('is in yen as in euro', () => {
    const euro = lifetimeOf(models, customer, 300);
    const yen = lifetimeOf({ ...models, currency: 'JPY', spend: { ...models.spend!, v: 1544 } }, customer, 300);
    expect(yen.value365).toBeCloseTo(euro.value365!, 6);
  });

  it('is made of numbers for any customer on any day', () => {
    const day = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: -30_000, max: 60_000 }) }, fc.constant(Number.NaN));
    const money = fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: -1_000_000, max: 1_000_000_000 }) },
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 0),
    );
    fc.assert(
      fc.property(
        fc.record({
          days: fc.integer({ min: 1, max: 3000 }),
          first: day,
          last: day,
          orders: fc.nat(5000),
          revenue: money,
          firstRevenue: money,
          margin: money,
          valued: money,
        }),
        day,
        (any, today) => {
          const made = lifetimeOf(models, any, today);
          expect(Object.values(made).every((value) => Number.isFinite(value))).toBe(true);
          expect(made.alive! >= 0 && made.alive! <= 1 && made.orders365! >= 0).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('what a shop has over all', () => {
  it('its margin as a share of the revenue whose margin is known', () => {
    expect(
      marginShare([customer, { ...customer, margin: 1_000, valued: 2_000 }, { ...customer, margin: 0, valued: 0 }]),
    ).toBe(0.4);
    expect(marginShare([{ ...customer, margin: 0, valued: 0 }])).toBeUndefined();
    expect(marginShare([])).toBeUndefined();
  });

  it('cuts the customers into tenths by lifetime value', () => {
    const customers = Array.from({ length: 1_000 }, (_, i) => ({
      ...customer,
      last: 50 + (i % 97),
      revenue: 5_000 + i * 7,
      margin: 100 + i,
      valued: 5_000 + i * 7,
    }));
    const cuts = decileCuts(models, customers, 300)!;
    expect(cuts).toHaveLength(9);
    expect(cuts.every((cut, i) => i === 0 || cut <= cuts[i - 1]!)).toBe(true);
    const sizes = new Array(10).fill(0);
    for (const one of customers) sizes[decileOf(cuts, lifetimeOf(models, one, 300).lifetime!) - 1]++;
    expect(sizes).toEqual(new Array(10).fill(100));
  });

  it('puts equal customers into the same tenth, and needs a value', () => {
    const cuts = decileCuts(models, new Array(50).fill(customer), 300)!;
    expect(decileOf(cuts, lifetimeOf(models, customer, 300).lifetime!)).toBe(10);
    expect(decileOf(cuts, lifetimeOf(models, customer, 300).lifetime! + 1)).toBe(1);
    expect(decileCuts({ ...models, purchases: undefined } as unknown as Models, [customer], 300)).toBeUndefined();
    expect(decileCuts(models, [], 300)).toBeUndefined();
  });
});

describe('RFM', () => {
  const shop = (size: number) =>
    Array.from({ length: size }, (_, i) => ({
      ...customer,
      days: 1 + i,
      last: 300 - i,
      revenue: 1_000 * ((i * 7) % size),
    }));

  it('scores fifths of the customers from 1 to 5, the last buyers and the greatest highest', () => {
    const customers = shop(100);
    const cuts = rfmCuts(customers, 300)!;
    expect(cuts).toEqual({
      recency: [19, 39, 59, 79],
      frequency: [20, 40, 60, 80],
      money: [19_000, 39_000, 59_000, 79_000],
    });
    const counts = { recency: [0, 0, 0, 0, 0], frequency: [0, 0, 0, 0, 0], money: [0, 0, 0, 0, 0] };
    for (const one of customers) {
      const scores = rfmScores(cuts, one, 300);
      for (const name of ['recency', 'frequency', 'money'] as const) counts[name][scores[name] - 1]!++;
    }
    expect(counts).toEqual({
      recency: [20, 20, 20, 20, 20],
      frequency: [20, 20, 20, 20, 20],
      money: [20, 20, 20, 20, 20],
    });
    expect(rfmScores(cuts, customers[0]!, 300)).toEqual({ recency: 5, frequency: 1, money: 1 });
  });

  it('scores equal values alike: where most bought once, these are all 1', () => {
    const once = Array.from({ length: 80 }, () => ({ ...customer, days: 1 }));
    const cuts = rfmCuts([...once, ...shop(20)], 300)!;
    expect(rfmScores(cuts, once[0]!, 300).frequency).toBe(1);
    expect(rfmScores(cuts, { ...customer, days: 2 }, 300).frequency).toBe(5);
  });

  it('falls in recency alone as days pass, one score at a time', () => {
    const customers = shop(100);
    const cuts = rfmCuts(customers, 300)!;
    const scores = [300, 319, 320, 339, 340, 5000].map((today) => rfmScores(cuts, customers[0]!, today).recency);
    expect(scores).toEqual([5, 5, 4, 4, 3, 1]);
  });

  it('has an answer for one customer, for none, for orders in the future and for refunds above orders', () => {
    expect(rfmCuts([], 300)).toBeUndefined();
    const cuts = rfmCuts([customer], 300)!;
    expect(rfmScores(cuts, customer, 300)).toEqual({ recency: 5, frequency: 1, money: 1 });
    expect(rfmScores(cuts, { ...customer, last: 400, revenue: -5 }, 300)).toEqual({
      recency: 5,
      frequency: 1,
      money: 1,
    });
    for (const today of [0, 300, 10_000]) expect(RFM_GROUPS).toContain(rfmGroup(rfmScores(cuts, customer, today)));
  });

  const fives = [1, 2, 3, 4, 5];
  const all = fives.flatMap((recency) =>
    fives.flatMap((frequency) => fives.map((money) => ({ recency, frequency, money }))),
  );

  test.each(cells.groups)('$group are the cells that the table names', ({ group, cells: named }) => {
    const found = all.filter((cell) => rfmGroup(cell) === group);
    expect(found.map(({ recency, frequency, money }) => `${recency}${frequency}${money}`)).toEqual(named);
  });

  it('names each of the 125 cells once, and every group has a cell', () => {
    const named = cells.groups.flatMap(({ cells: some }) => some);
    expect(named).toHaveLength(125);
    expect(new Set(named).size).toBe(125);
    expect(cells.groups.map(({ group }) => group)).toEqual([...RFM_GROUPS]);
  });
});
