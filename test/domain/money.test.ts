// Decimal amounts in and out of minor units: exact, whatever floats make of them.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatMoney, isAmount, MoneyError, majorUnits, minorUnits } from '../../domain/money.ts';
import cases from '../cases/money.json' with { type: 'json' };

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act();
  } catch (error) {
    return error instanceof MoneyError ? error.code : String(error);
  }
  return undefined;
};

describe('minor units', () => {
  test.each(cases.minor as [number | string, string, number][])('%j %s is %d', (amount, currency, minor) => {
    // toBe tells -0 from 0.
    expect(minorUnits(amount, currency)).toBe(minor);
  });
  test.each([...cases.notAmounts, Number.NaN, Number.POSITIVE_INFINITY, undefined, () => 1])(
    '%j is no amount',
    (amount) => {
      expect(codeOf(() => minorUnits(amount, 'EUR'))).toBe('money.amount');
      expect(isAmount(amount)).toBe(false);
    },
  );
  test.each(cases.tooLarge)('%j cannot be counted', (amount) => {
    expect(codeOf(() => minorUnits(amount, 'EUR'))).toBe('money.too-large');
  });
  test.each([...cases.notCurrencies, undefined])('%j is no currency', (currency) => {
    expect(codeOf(() => minorUnits(1, currency as string))).toBe('money.currency');
  });
  test('the error says what came', () => {
    expect(() => minorUnits('12,50', 'EUR')).toThrow('"12,50" is not an amount such as 12.5 or "12.50"');
  });
  test('a number counts as the text that it prints as', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.constantFrom(1, 10, 100, 1000, 10000), (whole, by) => {
        const number = whole / by;
        expect(minorUnits(number, 'EUR')).toBe(minorUnits(String(number), 'EUR'));
      }),
    );
  });
  test.each([
    ['99999999999.99', true],
    [99999999999.99, true],
    ['100000000000', false],
    [-1e11, false],
  ])('%j is an amount that any currency can count: %s', (amount, is) => expect(isAmount(amount)).toBe(is));
  test('what is an amount by isAmount can be counted in every currency', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.string(), fc.stringMatching(/^-?\d{1,14}(\.\d{1,6})?$/)), (amount) => {
        if (isAmount(amount)) for (const currency of ['JPY', 'EUR', 'BHD', 'CLF']) minorUnits(amount, currency);
      }),
    );
  });
});

describe('major units', () => {
  test.each(cases.major as [number, string, number][])('%d of %s is %d', (minor, currency, major) => {
    expect(majorUnits(minor, currency)).toBe(major);
  });
  test('there and back is the same amount', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1e14, max: 1e14 }),
        fc.constantFrom('JPY', 'EUR', 'BHD', 'CLF'),
        (minor, currency) => {
          expect(minorUnits(majorUnits(minor, currency), currency)).toBe(minor);
        },
      ),
    );
  });
  test('half a minor unit is refused', () => expect(codeOf(() => majorUnits(0.5, 'EUR'))).toBe('money.amount'));
});

describe('formatted', () => {
  test.each(cases.formatted as [number, string, string, string][])(
    '%d of %s in %s is %s',
    (minor, currency, locale, text) => {
      // The spaces of ICU differ with its version: no-break and narrow ones.
      expect(formatMoney(minor, currency, locale).replace(/\s/gu, ' ')).toBe(text);
    },
  );
});
