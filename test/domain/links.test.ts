// Signed links: what was signed is read back, and nothing else is.
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LinkKeys, type LinkPayload, readLink, signLink } from '../../domain/links.ts';

const keys: LinkKeys = { current: 'k1', keys: { k1: 'a secret of thirty-two characters!', k0: 'an older secret' } };
const unsubscribe: LinkPayload = { kind: 'unsubscribe', contact: '0197-abc', brand: 'main', message: 'Qx_-9' };
const confirm: LinkPayload = {
  kind: 'confirm',
  contact: '0197-abc',
  brand: 'main',
  message: 'Qx_-9',
  topic: 'offers',
  wording: 'v2',
  form: 'footer',
  until: 1_800_000_000_000,
};
const preferences: LinkPayload = { kind: 'preferences', contact: '0197-abc', brand: 'main', message: 'Qx_-9' };

/** A token with any body that the key has signed. */
function forge(body: string, key = 'k1', secret = keys.keys.k1!): string {
  const signed = `${Buffer.from(body).toString('base64url')}.${key}`;
  return `${signed}.${createHmac('sha256', secret).update(`kairos link 1.${signed}`).digest('base64url')}`;
}

describe('a signed link', () => {
  test.each([unsubscribe, confirm, preferences])('is read back: $kind', (payload) => {
    const token = signLink(payload, keys);
    expect(readLink(token, keys)).toEqual(payload);
    expect(token).toMatch(/^[A-Za-z0-9_.-]+$/);
    expect(encodeURIComponent(token)).toBe(token);
  });
  test('an unsubscribe link is short', () => {
    const real = { ...unsubscribe, contact: '01970000-0000-7000-8000-000000000000', message: 'abcdefghijklmnopqrst' };
    expect(signLink(real, keys).length).toBeLessThan(200);
  });
  test('of one kind is none of another, though all else is the same', () => {
    const [one, other] = [signLink(unsubscribe, keys), signLink(preferences, keys)].map((token) => token.split('.'));
    expect(readLink([one![0], 'k1', other![2]].join('.'), keys)).toBeUndefined();
    expect(readLink([other![0], 'k1', one![2]].join('.'), keys)).toBeUndefined();
  });
  test('an older key still verifies after the current one has changed', () => {
    const before = signLink(unsubscribe, { ...keys, current: 'k0' });
    expect(readLink(before, keys)).toEqual(unsubscribe);
  });
  test('a key that is gone, or another secret under its name, verifies nothing', () => {
    const token = signLink(unsubscribe, keys);
    expect(readLink(token, { current: 'k0', keys: { k0: 'an older secret' } })).toBeUndefined();
    expect(readLink(token, { current: 'k1', keys: { k1: 'another secret' } })).toBeUndefined();
  });
  test('the key id is signed too', () => {
    const [body, , signature] = signLink(unsubscribe, keys).split('.');
    const twice = { current: 'k1', keys: { k1: keys.keys.k1!, k2: keys.keys.k1! } };
    expect(readLink(`${body}.k2.${signature}`, twice)).toBeUndefined();
  });
  test('every change of one character makes it void', () => {
    const token = signLink(confirm, keys);
    for (let i = 0; i < token.length; i++) {
      const other = token[i] === 'A' ? 'B' : 'A';
      expect(readLink(`${token.slice(0, i)}${other}${token.slice(i + 1)}`, keys)).toBeUndefined();
      expect(readLink(token.slice(0, i), keys)).toBeUndefined();
    }
    expect(readLink(`${token}A`, keys)).toBeUndefined();
    expect(readLink(`${token}=`, keys)).toBeUndefined();
    expect(readLink(` ${token}`, keys)).toBeUndefined();
  });
  test.each([
    ['no JSON', '{'],
    ['not an object', '[]'],
    ['another kind', JSON.stringify({ k: 'x', c: '1', b: '1', m: '1' })],
    ['no contact', JSON.stringify({ k: 'u', b: '1', m: '1' })],
    ['a key more', JSON.stringify({ k: 'u', c: '1', b: '1', m: '1', x: 1 })],
    ['a list for a text', JSON.stringify({ k: 'u', c: ['1'], b: '1', m: '1' })],
    ['an instant that is text', JSON.stringify({ k: 'u', c: '1', b: '1', m: '1', e: 'soon' })],
  ])('rightly signed, but %s: undefined', (_, body) => expect(readLink(forge(body), keys)).toBeUndefined());
  test('the forger of these tests signs as signLink does', () => {
    expect(readLink(forge(JSON.stringify({ k: 'u', c: '1', b: '2', m: '3' })), keys)).toEqual({
      kind: 'unsubscribe',
      contact: '1',
      brand: '2',
      message: '3',
    });
  });
  test.each(['toString', '__proto__', 'constructor'])('a key named %s is none', (key) => {
    expect(readLink(forge(JSON.stringify({ k: 'u', c: '1', b: '1', m: '1' }), key), keys)).toBeUndefined();
  });
  test('nothing makes reading throw', () => {
    const token = fc.oneof(
      fc.anything(),
      fc.string({ unit: 'binary' }),
      fc.tuple(fc.base64String(), fc.constant('k1'), fc.base64String()).map((parts) => parts.join('.')),
      fc.string().map((body) => forge(body)),
    );
    fc.assert(
      fc.property(token, (given) => {
        expect(readLink(given as string, keys)).toBeUndefined();
      }),
    );
  });
  test('without its key, or with what no link can hold, signing throws', () => {
    expect(() => signLink(unsubscribe, { current: 'k9', keys: keys.keys })).toThrow('links.key');
    expect(() => signLink({ ...unsubscribe, contact: '' }, keys)).toThrow();
    expect(() => signLink({ ...confirm, wording: 'x'.repeat(501) }, keys)).toThrow();
  });
});
