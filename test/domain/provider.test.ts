// Mailbox providers by address: national forms, other people's look-alikes, and whatever else may come.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROVIDERS, providerOf } from '../../domain/provider.ts';

describe('the mailbox provider of an address', () => {
  test.each([
    ['ann@gmail.com', 'gmail'],
    ['ann.b+shop@googlemail.com', 'gmail'],
    ['ANN@GMail.Com ', 'gmail'],
    ['ann@outlook.com', 'microsoft'],
    ['ann@hotmail.co.uk', 'microsoft'],
    ['ann@hotmail.fr', 'microsoft'],
    ['ann@live.com.mx', 'microsoft'],
    ['ann@msn.com', 'microsoft'],
    ['ann@yahoo.com', 'yahoo'],
    ['ann@yahoo.co.jp', 'yahoo'],
    ['ann@yahoo.com.br', 'yahoo'],
    ['ann@ymail.com', 'yahoo'],
    ['ann@aol.de', 'yahoo'],
    ['ann@rocketmail.com', 'yahoo'],
    ['ann@icloud.com', 'apple'],
    ['ann@me.com', 'apple'],
    ['ann@mac.com', 'apple'],
    ['ann@gmx.net', 'gmx'],
    ['ann@gmx.at', 'gmx'],
    ['ann@gmx.co.uk', 'gmx'],
    ['ann@web.de', 'gmx'],
    ['ann@wp.pl', 'wp'],
    ['ann@company.example', 'other'],
    ['ann@gmail.com.evil.example', 'other'],
    ['ann@notgmail.com', 'other'],
    ['ann@mail.yahoo.example', 'other'],
    ['ann@yahoo.company.example', 'other'],
    ['ann@constructor', 'other'],
    ['ann@__proto__.com', 'other'],
    ['"b@gmail.com"@company.example', 'other'],
    ['gmail.com', 'other'],
    ['', 'other'],
  ])('%s: %s', (address, provider) => expect(providerOf(address)).toBe(provider));

  test('is one of the known names, whatever is asked', () => {
    fc.assert(
      fc.property(fc.oneof(fc.emailAddress(), fc.string()), (address) => {
        expect(PROVIDERS).toContain(providerOf(address));
      }),
      { seed: 20_260_504, numRuns: 500 },
    );
    for (const name of PROVIDERS) expect(name).toMatch(/^[a-z0-9-]+$/);
  });
});
