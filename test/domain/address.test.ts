// Which addresses can be written to, held against the cases of isemail too.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashAddress, parseAddress } from '../../domain/address.ts';
import cases from '../cases/address.json' with { type: 'json' };

const file = new URL('../../../shared/data/isemail/tests.json', import.meta.url);

describe('an address', () => {
  test.each(cases.taken as [string, string][])('%j is known as %s', (text, address) => {
    expect(parseAddress(text)).toEqual({ address, hash: createHash('sha256').update(address).digest('hex') });
  });
  test.each(cases.refused as [string, string][])('%j is refused: %s', (text, reason) => {
    expect(parseAddress(text)).toEqual({ refused: reason });
  });
  test.each([null, undefined, 5, {}, ['a@example.com']])('%j is refused', (value) => {
    expect(parseAddress(value as string)).toEqual({ refused: 'not a text' });
  });
  test('64 characters before the @ are taken, 65 are not', () => {
    expect(parseAddress(`${'a'.repeat(64)}@example.com`)).toHaveProperty('address');
    expect(parseAddress(`${'a'.repeat(65)}@example.com`)).toEqual({ refused: 'more than 64 characters before the @' });
  });
  test('254 characters are taken, 255 are not, punycode counted', () => {
    const domain = (length: number): string => `${`${'b'.repeat(49)}.`.repeat(3)}${'c'.repeat(length - 154)}.com`;
    expect(parseAddress(`a@${domain(204)}`)).toHaveProperty('address');
    const of = (length: number): string => `${'a'.repeat(length - 204)}@${domain(203)}`;
    expect(parseAddress(of(254))).toHaveProperty('address');
    expect(parseAddress(of(255))).toEqual({ refused: 'longer than 254 characters' });
    const wide = `${'a'.repeat(40)}@${`${'ü'.repeat(40)}.`.repeat(5)}de`;
    expect(wide.length).toBeLessThan(254);
    expect(parseAddress(wide)).toEqual({ refused: 'longer than 254 characters' });
  });
  test('the hash is SHA-256 of the normalised address', () => {
    expect(hashAddress('ann@example.com')).toBe('71d4f55f72fa128dfb468a1a3901507c804b74316488744d769d7f4b16696476');
  });
  test('no text makes it throw; what it takes, it takes again unchanged, and it is one line of ASCII', () => {
    const near = fc
      .tuple(
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom('@', '', '@@'),
        fc.oneof(fc.domain(), fc.string({ unit: 'binary' })),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(near, fc.emailAddress(), fc.string({ unit: 'binary' })), (text) => {
        const parsed = parseAddress(text);
        if ('refused' in parsed) return;
        expect(parsed.address).toMatch(/^[!-~]+@[a-z0-9.-]+$/);
        expect(parseAddress(parsed.address)).toEqual(parsed);
      }),
      { numRuns: 3000 },
    );
  });
});

if (!existsSync(file)) console.warn('SKIPPED: the cases of isemail are missing');
describe.skipIf(!existsSync(file))('the cases of isemail', () => {
  const all: { id: number; address: string; category: string; diagnosis: string }[] = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : [];
  /** Valid by the standard, and yet not what a mail can be sent to by SES. */
  const unreachable = /^[^@]*@[^.]*$/;
  const taken = all.filter(({ address }) => 'address' in parseAddress(address)).map(({ id }) => id);

  test('every address that is valid, or valid without a DNS record, is taken; but for a bare top-level domain', () => {
    const valid = all.filter(({ category }) => category === 'ISEMAIL_VALID_CATEGORY' || category === 'ISEMAIL_DNSWARN');
    const missed = valid.filter(({ id }) => !taken.includes(id)).map(({ address }) => address);
    expect(valid.length).toBeGreaterThan(20);
    expect(missed).toEqual(missed.filter((address) => unreachable.test(address)));
    expect(missed).toHaveLength(1);
  });
  test('nothing else is taken, but for blanks around an address', () => {
    const others = all.filter(({ id, category }) => taken.includes(id) && !/VALID_CATEGORY|DNSWARN/.test(category));
    expect(others.map(({ address }) => address)).toEqual([' test@iana.org', 'test@iana.org ']);
  });
});
