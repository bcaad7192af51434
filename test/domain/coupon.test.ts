// Coupon codes: rows of files, codes of orders, worth, and what the margin bears.
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  bearsCoupon,
  type CouponFile,
  type CouponRow,
  codesOf,
  isUsable,
  knownAs,
  LEAST_LEFT,
  parseCouponRow,
  type Worth,
  worthOf,
} from '../../domain/coupon.ts';
import { sayFault } from '../../domain/fault.ts';
import type { Catalogue } from '../../domain/settings.ts';
import cases from '../cases/coupons.json' with { type: 'json' };

interface Case {
  name: string;
  row: CouponRow;
  worth?: Worth;
  gives?: { code: string; expires?: string } & Worth;
  says?: string;
}

const file: CouponFile = { pool: 'BACK10', currency: 'EUR', zone: 'Europe/Berlin' };

describe('a row of a file of codes', () => {
  test.each(cases as Case[])('$name', ({ row, worth, gives, says }) => {
    const read = parseCouponRow(row, { ...file, worth });
    if (gives === undefined) expect('fault' in read ? sayFault(read.fault) : read).toBe(says);
    else {
      const { expires, ...rest } = gives;
      expect(read).toEqual({
        coupon: { pool: 'BACK10', ...rest, ...(expires !== undefined && { expires: Date.parse(expires) }) },
      });
    }
  });

  it('is never thrown at, and what is read is a code that an order can name', () => {
    const cell = fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('5', '10%', 'EUR', '2026-12-31')), {
      nil: undefined,
    });
    const code = fc.oneof(cell, fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{3,39}$/));
    fc.assert(
      fc.property(code, cell, cell, cell, (given, value, currency, expiry) => {
        const read = parseCouponRow({ code: given, value, currency, expiry }, file);
        expect(Object.keys(read)).toHaveLength(1);
        if (!('coupon' in read)) return;
        expect(codesOf({ coupon: ` ${read.coupon.code.toLowerCase()} ` })).toEqual([knownAs(read.coupon.code)]);
        expect((read.coupon.percent ?? read.coupon.amount ?? 0) > 0).toBe(true);
      }),
    );
  });
});

describe('the codes of an order', () => {
  it.each([
    ['of the order', { coupon: 'spring10' }, ['SPRING10']],
    [
      'of its lines, each once',
      { coupon: 'SPRING10', products: [{ coupon: 'spring10' }, { coupon: 'CAKE5' }] },
      ['SPRING10', 'CAKE5'],
    ],
    ['several in one text', { coupon: 'spring10, CAKE5;X-1Y2' }, ['SPRING10', 'CAKE5', 'X-1Y2']],
    ['a list', { coupon: ['spring10', 'CAKE5'] }, ['SPRING10', 'CAKE5']],
    ['a number', { coupon: 123456 }, ['123456']],
    [
      'what can be none',
      { coupon: { code: 'SPRING10' }, products: [null, 'SPRING10', { coupon: true }, { coupon: 'OFF' }] },
      [],
    ],
    ['none', {}, []],
  ])('are read: %s', (_, properties, codes) => {
    expect(codesOf(properties)).toEqual(codes);
  });

  it('are ten at most', () => {
    expect(codesOf({ coupon: Array.from({ length: 50 }, (_, n) => `CODE-${n}`) })).toHaveLength(10);
  });
});

describe('what a coupon is worth', () => {
  it('is a percentage, or an amount in minor units of the shop’s currency', () => {
    expect(worthOf({ percent: 10 }, 'EUR')).toEqual({ percent: 10 });
    expect(worthOf({ amount: 5 }, 'EUR')).toEqual({ amount: 500, currency: 'EUR' });
    expect(worthOf({ amount: 500 }, 'JPY')).toEqual({ amount: 500, currency: 'JPY' });
  });

  it('is given away only with three days left at least', () => {
    expect(isUsable(undefined, 1000)).toBe(true);
    expect(isUsable(1000 + LEAST_LEFT, 1000)).toBe(true);
    expect(isUsable(999 + LEAST_LEFT, 1000)).toBe(false);
  });
});

const catalogue: Catalogue = {
  products: {
    cup: { name: 'Cup', price: 20, margin: 0.29 },
    bean: { name: 'Bean', price: 10, margin: 0.6 },
    gift: { name: 'Gift', price: 5, margin: 0 },
    free: { name: 'Free', margin: 0.5 },
    plain: { name: 'Plain', price: 30 },
  },
};

describe('the margin', () => {
  it.each([
    ['a percentage up to the margin', { percent: 29 }, ['cup'], true],
    ['a percentage above the margin', { percent: 29.01 }, ['cup'], false],
    ['a percentage above the smallest of several margins', { percent: 30 }, ['bean', 'cup'], false],
    ['a percentage on what earns nothing', { percent: 1 }, ['gift'], false],
    ['a percentage where a margin is known without a price', { percent: 51 }, ['free'], false],
    ['a percentage where no margin is known', { percent: 90 }, ['plain', 'unknown'], true],
    ['a percentage on nothing in particular', { percent: 90 }, [], true],
    ['an amount up to the margin in money', { amount: 5.8 }, ['cup'], true],
    ['an amount above it', { amount: 5.81 }, ['cup'], false],
    ['an amount up to the margins together', { amount: 11.8 }, ['cup', 'bean'], true],
    ['an amount above the margins together', { amount: 11.81 }, ['cup', 'bean'], false],
    ['an amount beside a product without a known margin', { amount: 50 }, ['cup', 'plain'], true],
    ['an amount beside a product without a known price', { amount: 50 }, ['cup', 'free'], true],
    ['an amount beside a product that is not in the catalogue', { amount: 50 }, ['cup', 'toString'], true],
    ['an amount on what earns nothing', { amount: 1 }, ['gift'], false],
    ['an amount on nothing in particular', { amount: 50 }, [], true],
  ])('bears, or does not bear, %s', (_, pool, products, bears) => {
    const lines = products.map((product) => ({ product }));
    expect(bearsCoupon(pool, lines, catalogue, 'EUR')).toBe(bears);
  });

  it('counts each piece of a line, and no line of none', () => {
    expect(bearsCoupon({ amount: 11.6 }, [{ product: 'cup', quantity: 2 }], catalogue, 'EUR')).toBe(true);
    expect(bearsCoupon({ amount: 11.61 }, [{ product: 'cup', quantity: 2 }], catalogue, 'EUR')).toBe(false);
    expect(bearsCoupon({ percent: 90 }, [{ product: 'cup', quantity: 0 }], catalogue, 'EUR')).toBe(true);
    expect(bearsCoupon({ amount: 90 }, [{ product: 'cup', quantity: 0 }], catalogue, 'EUR')).toBe(true);
  });
});
