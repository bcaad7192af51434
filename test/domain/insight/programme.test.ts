// The lifetime value table: against published figures and closed forms, and where programmes break even.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KairosError } from '../../../domain/fault.ts';
import {
  breakEvenRetention,
  type Programme,
  programmeValue,
  programmeYears,
  readProgramme,
  sensitivityOf,
} from '../../../domain/insight/programme.ts';

const SHOP: Programme = {
  customers: 1000,
  retention: 0.6,
  purchase: 80,
  times: 1,
  margin: 0.4,
  cost: 5000,
  perCustomer: 2,
  discount: 0.1,
  years: 5,
};

const programme: fc.Arbitrary<Programme> = fc.record({
  customers: fc.integer({ min: 1, max: 1e6 }),
  retention: fc.double({ min: 0, max: 1, noNaN: true }),
  purchase: fc.double({ min: 0, max: 1e4, noNaN: true }),
  times: fc.integer({ min: 0, max: 12 }),
  margin: fc.double({ min: 0, max: 1, noNaN: true }),
  cost: fc.double({ min: 0, max: 1e6, noNaN: true }),
  perCustomer: fc.double({ min: 0, max: 100, noNaN: true }),
  discount: fc.double({ min: 0, max: 1, noNaN: true }),
  years: fc.integer({ min: 1, max: 50 }),
});
const RUNS = { seed: 20_261_201, numRuns: 300 };

describe('the table', () => {
  it('is worked out by hand for three years', () => {
    const [first, second, third] = programmeYears({ ...SHOP, years: 3 });
    expect(first).toEqual({
      year: 1,
      customers: 1000,
      revenue: 80_000,
      goods: 48_000,
      cost: 7000,
      profit: 25_000,
      factor: 1,
      present: 25_000,
      cumulative: 25_000,
      perCustomer: 25,
    });
    // 600 customers: 48,000 less 28,800 less 6,200; 360: 28,800 less 17,280 less 5,720.
    expect(second?.profit).toBeCloseTo(13_000, 6);
    expect(second?.present).toBeCloseTo(13_000 / 1.1, 6);
    expect(third?.profit).toBeCloseTo(5800, 6);
    expect(third?.cumulative).toBeCloseTo(25_000 + 13_000 / 1.1 + 5800 / 1.21, 6);
    expect(third?.perCustomer).toBeCloseTo(41.6116, 4);
  });

  it('gives case 1 of Berger and Nasr 1998: 568.78 a customer', () => {
    // 260 a year from the first, 75 % stay, 20 %; 50 a year to keep them, from the first half year on, for ten years.
    const one = {
      ...SHOP,
      customers: 1,
      retention: 0.75,
      purchase: 260,
      margin: 1,
      cost: 0,
      perCustomer: 0,
      discount: 0.2,
    };
    const earned = programmeValue({ ...one, years: 11 });
    const spent = programmeValue({ ...one, purchase: 0, perCustomer: 50, years: 10 }) / Math.sqrt(1.2);
    expect(earned + spent).toBeCloseTo(568.78, 2);
  });

  it('comes, over many years, to the margin multiple of Gupta and Lehmann: m · r / (1 + i − r) after the first', () => {
    const one = { ...SHOP, customers: 1, purchase: 100, margin: 1, cost: 0, perCustomer: 0, years: 50 };
    for (const [retention, discount, multiple] of [
      [0.6, 0.1, 1.2],
      [0.8, 0.12, 2.5],
      [0.7, 0.16, 1.52],
    ] as const) {
      const after = (programmeValue({ ...one, retention, discount }) - 100) / 100;
      expect(after).toBeCloseTo(retention / (1 + discount - retention), 4);
      expect(after).toBeCloseTo(multiple, 1);
    }
  });

  it('has finite figures for any programme, and fewer customers each year', () => {
    fc.assert(
      fc.property(programme, (some) => {
        const years = programmeYears(some);
        expect(years).toHaveLength(some.years);
        expect(JSON.stringify(years)).not.toMatch(/null|NaN/);
        for (const [i, { customers, cumulative, present }] of years.entries()) {
          const before = years[i - 1];
          expect(customers).toBeLessThanOrEqual(before?.customers ?? some.customers);
          expect(cumulative).toBeCloseTo((before?.cumulative ?? 0) + present, 4);
        }
      }),
      RUNS,
    );
  });
});

describe('break-even', () => {
  it('is the retention at which a programme is worth just as much', () => {
    fc.assert(
      fc.property(programme, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (some, retention) => {
        fc.pre(some.years > 1 && Math.abs(some.purchase * some.times * some.margin - some.perCustomer) > 1);
        const target = programmeValue({ ...some, retention });
        const found = breakEvenRetention(some, target);
        if (found === undefined) throw new Error('none');
        // Where money counts hardly any more in the second year, a wide range of rates is worth as much.
        expect(Math.abs(programmeValue({ ...some, retention: found }) - target)).toBeLessThan(
          1e-6 * (1 + some.customers * (some.purchase * some.times + some.perCustomer) * some.years ** 2),
        );
      }),
      RUNS,
    );
    expect(breakEvenRetention(SHOP, programmeValue({ ...SHOP, retention: 0.66 }))).toBeCloseTo(0.66, 8);
  });

  it('is none where a programme is worth more at any rate, or never as much', () => {
    expect(breakEvenRetention(SHOP, -1e9)).toBeUndefined();
    expect(breakEvenRetention(SHOP, 1e9)).toBeUndefined();
    expect(breakEvenRetention({ ...SHOP, years: 1 }, 0)).toBeUndefined();
    expect(breakEvenRetention({ ...SHOP, years: 1 }, 25_000)).toBe(0);
  });
});

describe('sensitivity', () => {
  it('puts first what moves the value most, and leaves out what there is not', () => {
    const tried = sensitivityOf(SHOP);
    expect(tried[0]?.of).toBe('purchase');
    const effects = tried.map(({ low, high }) => Math.abs(high.value - low.value));
    expect(effects).toEqual([...effects].sort((a, b) => b - a));
    const retention = tried.find(({ of }) => of === 'retention');
    expect([retention?.low.at, retention?.high.at].map((at) => Math.round(Number(at) * 100))).toEqual([55, 65]);
    expect(retention?.high.value).toBe(programmeValue({ ...SHOP, retention: SHOP.retention + 0.05 }));
    expect(sensitivityOf({ ...SHOP, cost: 0 }).map(({ of }) => of)).not.toContain('cost');
    expect(sensitivityOf({ ...SHOP, retention: 1 }).find(({ of }) => of === 'retention')?.high.at).toBe(1);
  });
});

describe('reading a programme', () => {
  it('takes percentages as people write them', () => {
    expect(readProgramme({ retention: '60', cost: '5000', margin: '40.5' }, '--against')).toEqual({
      retention: 0.6,
      cost: 5000,
      margin: 0.405,
    });
  });

  it.each([
    ['customers', '0'],
    ['customers', 'many'],
    ['retention', '101'],
    ['retention', '-1'],
    ['retention', '0.6'],
    ['margin', '0.4'],
    ['purchase', '-80'],
    ['margin', '140'],
    ['cost', '-1'],
    ['perCustomer', '1e3'],
    ['discount', '-10'],
    ['years', '0'],
    ['years', '2.5'],
    ['years', '51'],
    ['years', ''],
  ])('refuses %s of %j and says what is expected', (name, text) => {
    const refused = (() => {
      try {
        readProgramme({ [name]: text }, `--${name}`);
      } catch (error) {
        return error;
      }
      return undefined;
    })();
    expect(refused).toBeInstanceOf(KairosError);
    expect((refused as KairosError).fault).toMatchObject({
      code: 'programme.value',
      path: `--${name}`,
      received: text,
    });
    expect((refused as KairosError).fault.remedy).toMatch(/^Write /);
  });

  it('refuses a part that there is not, and names those that there are', () => {
    expect(() => readProgramme({ churn: '5' }, '--against')).toThrow(/no "churn".*Known: customers, retention/);
  });
});
