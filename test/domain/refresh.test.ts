// The models of a night: fitted anew, refused where a fit cannot be right, and left to the last digit where nothing has moved.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Customer } from '../../domain/insight/customer.ts';
import { CustomerTable } from '../../domain/insight/customer-table.ts';
import type { Groups, Models, NextProducts } from '../../domain/insight/models.ts';
import { logLikelihoodOf, purchaseRows } from '../../domain/insight/purchases.ts';
import {
  type Found,
  type Last,
  MOST_A_NIGHT,
  type Refreshed,
  refreshModels,
  worse,
} from '../../domain/insight/refresh.ts';
import { customersOf, people, type Shop, sayNotes } from '../support/insight-people.ts';

const TODAY = 20_500;
const AT = TODAY * 86_400_000;

const night = (found: Partial<Found> & { customers: CustomerTable }, last?: Last, today = TODAY): Refreshed =>
  refreshModels(found, last, { today, at: AT, currency: 'EUR' });
const asLast = ({ models, good }: Refreshed): Last => ({ models, good });

/** Two shops that buy alike, and one whose customers leave twice as fast. */
const usual: Shop = { seed: 1, customers: 600, leaves: 0.2, rate: 1 / 30 };
const table = (shop: Partial<Shop> = {}, today = TODAY) => customersOf(people({ ...usual, ...shop }), today);

describe('the first night', () => {
  it('fits every part that the customers suffice for, as of the day', () => {
    const { models, moved, notes, good } = night({ customers: table() });
    expect(moved).toEqual(['rfm', 'purchases', 'spend', 'margin', 'deciles']);
    expect(notes).toEqual([]);
    for (const part of moved) expect([part, models[part]?.asOf, good[part]]).toEqual([part, TODAY, TODAY]);
    expect(models).toMatchObject({ shape: 1, at: AT, today: TODAY, currency: 'EUR', customers: 600 });
    expect(models.purchases?.kind).toBe('bg/nbd');
    expect(models.deciles?.cuts).toHaveLength(9);
  });

  it('says what is missing, and why, where there is nobody yet', () => {
    const { models, moved, notes } = night({ customers: new CustomerTable() });
    expect(moved).toEqual([]);
    expect(notes.map(({ part, kind, code }) => [part, kind, code])).toEqual([
      ['rfm', 'missing', 'no-orders'],
      ['purchases', 'missing', 'no-orders'],
      ['spend', 'missing', 'too-few-customers'],
      ['margin', 'missing', 'no-margins'],
      ['deciles', 'missing', 'no-values'],
    ]);
    expect(models.customers).toBe(0);
  });

  it('takes products and groups as they were counted, or says why they were not', () => {
    const next: NextProducts = { together: {}, after: {}, upgrades: {}, popular: { '': ['a'] } };
    const { models, notes } = night({ customers: table(), next, groups: { code: 'all-alike', says: 'All alike.' } });
    expect(models.next).toEqual({ ...next, asOf: TODAY });
    expect(notes).toEqual([{ part: 'groups', kind: 'missing', code: 'all-alike', says: 'All alike.' }]);
  });
});

describe('the next night', () => {
  const first = night({ customers: table() });

  it('with the same customers changes nothing: the very models stay, and each part is good as of then', () => {
    const second = night({ customers: table() }, asLast(first), TODAY);
    expect(second.models).toBe(first.models);
    expect(second.moved).toEqual([]);
    expect(second.good).toEqual(first.good);
  });

  it('leaves a part that has not moved as it was, where another one has', () => {
    const dearer = customersOf(
      people(usual).map((one) => ({ ...one, spend: one.spend * 1.1 })),
      TODAY,
    );
    const second = night({ customers: dearer }, asLast(first));
    expect(second.moved).toEqual(expect.arrayContaining(['rfm', 'spend', 'deciles']));
    expect(second.moved).not.toContain('purchases');
    expect(second.models.purchases).toBe(first.models.purchases);
    expect(second.good.purchases).toBe(TODAY);
    expect(second.models.spend).not.toEqual(first.models.spend);
  });

  it('after a day without orders has everybody a day older, and moves what that moves', () => {
    const second = night({ customers: table() }, asLast(first), TODAY + 1);
    expect(second.moved).toContain('purchases');
    expect(second.notes).toEqual([]);
  });

  it('keeps how people buy where P(alive) would move by more than a night may, and says so; night after night more may', () => {
    const hasty = { customers: table({ leaves: 0.55, seed: 3 }) };
    const second = night(hasty, asLast(first), TODAY + 1);
    expect(second.models.purchases).toBe(first.models.purchases);
    expect(second.good.purchases).toBe(TODAY);
    const [note] = second.notes.filter(({ part }) => part === 'purchases');
    expect(note).toMatchObject({ kind: 'kept', code: 'drift' });
    expect(note?.says).toMatch(
      /^P\(alive\) of the same customers would move by \d+ points; one night may bring 10\. The one of 2026-02-16 stays\.$/,
    );
    // It is no glitch: after some nights in which it stays so, it is believed.
    let [last, nights] = [asLast(second), 1];
    while (last.models.purchases === first.models.purchases && nights < 20) {
      nights++;
      last = asLast(night(hasty, last, TODAY + nights));
    }
    expect(nights).toBeGreaterThan(2);
    expect(nights).toBeLessThan(10);
    expect(last.models.purchases?.asOf).toBe(TODAY + nights);
  });

  it('keeps everything where customers are missing in the lake', () => {
    const some = night({ customers: table({ customers: 400 }) }, asLast(first), TODAY + 1);
    expect(some.models).toBe(first.models);
    expect(some.moved).toEqual([]);
    expect(some.notes.map(({ part, kind, code }) => `${part} ${kind} ${code}`)).toEqual(
      ['rfm', 'purchases', 'spend', 'margin', 'deciles'].map((part) => `${part} kept fewer-customers`),
    );
    const erased = night(
      { customers: table({ customers: 600 * (1 - MOST_A_NIGHT.fewer) + 1 }) },
      asLast(first),
      TODAY + 1,
    );
    expect(sayNotes(erased)).not.toContain('fewer-customers');
  });

  it('keeps a part whose fit failed, and one that could not be counted', () => {
    const next: NextProducts = { together: {}, after: {}, upgrades: {}, popular: { '': ['a'] } };
    const before = night({ customers: table(), next });
    const uncounted = { code: 'uncounted', says: 'It could not be counted: no.' };
    const second = night({ customers: table(), next: uncounted }, asLast(before));
    expect(second.models).toBe(before.models);
    expect(second.notes).toEqual([
      {
        part: 'next',
        kind: 'kept',
        code: 'uncounted',
        says: 'It could not be counted: no. The one of 2026-02-16 stays.',
      },
    ]);
    expect(second.good.next).toBe(TODAY);
  });

  it('refuses a fit that the last model surpasses on the same customers: its maximum is none', () => {
    const rows = purchaseRows(table(), TODAY);
    const good = first.models.purchases as NonNullable<Models['purchases']>;
    const short = { ...good, r: good.r * 1.5, alpha: good.alpha * 0.8 };
    const bad = { ...short, logLikelihood: logLikelihoodOf(short, rows) };
    expect(bad.logLikelihood).toBeLessThan(good.logLikelihood - 2);
    expect(worse(good, bad, rows)).toMatchObject({ code: 'worse' });
    expect(worse(bad, good, rows)).toBeUndefined();
    expect(logLikelihoodOf(good, rows)).toBeCloseTo(good.logLikelihood, 6);
  });

  it('starts anew where the shop sells in another currency', () => {
    const second = refreshModels({ customers: table() }, asLast(first), { today: TODAY + 1, at: AT, currency: 'PLN' });
    expect(second.moved).toEqual(['rfm', 'purchases', 'spend', 'margin', 'deciles']);
    expect(second.models.currency).toBe('PLN');
    const none = refreshModels({ customers: new CustomerTable() }, asLast(first), {
      today: TODAY + 1,
      at: AT,
      currency: 'PLN',
    });
    expect(none.moved).toEqual(['rfm', 'purchases', 'spend', 'margin', 'deciles']);
    expect(none.models.purchases).toBeUndefined();
  });

  it('has moved where a group has another name, and not where its centre has moved a little', () => {
    const groups = (title: string, at: number): Groups => ({
      features: [{ name: 'recency', mean: 0, deviation: 1 }],
      given: 1,
      groups: [{ id: 'g1', title, centre: [at], customers: 10 }],
    });
    const before = night({ customers: table(), groups: groups('Regulars', 1) });
    const moved = (title: string, at: number) =>
      night({ customers: table(), groups: groups(title, at) }, asLast(before)).moved;
    expect(moved('Regulars', 1.01)).toEqual([]);
    expect(moved('Regulars', 1.2)).toEqual(['groups']);
    expect(moved('Others', 1)).toEqual(['groups']);
  });
});

describe('whatever the customers are', () => {
  const odd = fc.record({
    days: fc.integer({ min: -1, max: 40 }),
    first: fc.integer({ min: TODAY - 800, max: TODAY + 3 }),
    span: fc.integer({ min: -5, max: 900 }),
    orders: fc.integer({ min: 0, max: 50 }),
    revenue: fc.integer({ min: -1_000_000, max: 10_000_000 }),
    firstRevenue: fc.integer({ min: -100_000, max: 1_000_000 }),
    margin: fc.integer({ min: -1_000_000, max: 1_000_000 }),
    valued: fc.integer({ min: -1000, max: 10_000_000 }),
  });
  it('the models are numbers, as JSON has them, and a second night over the same is none', () => {
    fc.assert(
      fc.property(fc.array(odd, { maxLength: 60, size: 'max' }), fc.integer({ min: 1, max: 6 }), (rows, times) => {
        const made = () => {
          const customers = new CustomerTable();
          for (let n = 0; n < times; n++) {
            for (const { span, ...one } of rows) customers.add({ ...one, last: one.first + span }, TODAY);
          }
          return customers;
        };
        const first = night({ customers: made() });
        expect(JSON.stringify(first.models)).not.toMatch(/null|NaN|Infinity/);
        const finite = (value: unknown): boolean =>
          typeof value === 'number'
            ? Number.isFinite(value)
            : typeof value !== 'object' || value === null || Object.values(value).every(finite);
        expect(finite(first.models)).toBe(true);
        const second = night({ customers: made() }, asLast(first), TODAY);
        expect(second.moved).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it.each<[string, Customer[]]>([
    [
      'a customer of whom refunds exceed orders',
      [{ days: 2, first: 0, last: 9, orders: 2, revenue: -500, firstRevenue: 100, margin: -50, valued: 600 }],
    ],
    [
      'a thousand alike',
      Array.from({ length: 1000 }, () => ({
        days: 3,
        first: 100,
        last: 200,
        orders: 3,
        revenue: 9000,
        firstRevenue: 3000,
        margin: 900,
        valued: 9000,
      })),
    ],
    [
      'all of one day',
      Array.from({ length: 50 }, () => ({
        days: 1,
        first: 7,
        last: 7,
        orders: 1,
        revenue: 0,
        firstRevenue: 0,
        margin: 0,
        valued: 0,
      })),
    ],
  ])('%s has a defined answer', (_, list) => {
    const customers = new CustomerTable();
    for (const one of list)
      customers.add({ ...one, first: TODAY - 300 + one.first, last: TODAY - 300 + one.last }, TODAY);
    const { models, notes } = night({ customers });
    expect(JSON.stringify(models)).not.toMatch(/null|NaN/);
    expect(models.customers).toBe(list.length);
    expect(notes.every(({ says }) => says.length > 10)).toBe(true);
  });
});

describe('the table of customers', () => {
  it('gives back what it was given, however many, and leaves out what is no customer', () => {
    const customers = new CustomerTable();
    for (let n = 0; n < 3000; n++) {
      customers.add({ days: 1, first: n, last: n, orders: 1, revenue: n, firstRevenue: n, margin: 0, valued: 0 }, 2999);
    }
    customers.add(
      { days: 1, first: 3000, last: 3000, orders: 1, revenue: 0, firstRevenue: 0, margin: 0, valued: 0 },
      2999,
    );
    customers.add(
      { days: 0, first: null, last: null, orders: 0, revenue: -5, firstRevenue: null, margin: 0, valued: 0 },
      2999,
    );
    customers.add({ days: 1, first: 'x', last: 1, orders: 1, revenue: 0, firstRevenue: 0, margin: 0, valued: 0 }, 2999);
    expect([customers.size, customers.orders, customers.leftOut]).toEqual([3000, 3000, 3]);
    expect(Array.from(customers, ({ first, revenue }) => first + revenue)).toEqual(
      Array.from({ length: 3000 }, (_, n) => 2 * n),
    );
  });
});
