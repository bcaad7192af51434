// What may be sent now: rate, share, quota and standing, as a truth table.
import { describe, expect, it } from 'vitest';
import { type Account, allowance, isShut, quotaUsed } from '../../domain/allowance.ts';

const NOW = Date.UTC(2026, 4, 4, 12);
const account: Account = {
  at: NOW,
  maxRate: 14,
  max24h: 50_000,
  sent24h: 0,
  sendingEnabled: true,
  production: true,
  enforcement: 'HEALTHY',
};
const ceiling = { sendRate: 14, share: 1 };

describe('the rate', () => {
  it.each([
    ['the stage’s own ceiling, before the account was read', undefined, { sendRate: 20 }, 20, 16],
    ['the account’s, where that is lower', { maxRate: 5 }, { sendRate: 14 }, 5, 4],
    ['the ceiling, where the account allows more', { maxRate: 500 }, { sendRate: 14 }, 14, 11],
    ['the stage’s share of the account’s', { maxRate: 500 }, { sendRate: 200, share: 0.3 }, 150, 120],
    ['whole: a share of it is rounded down', { maxRate: 14 }, { share: 0.5, sendRate: 100 }, 7, 5],
    ['not rounded down by a flaw of floating numbers', { maxRate: 100 }, { share: 0.29, sendRate: 100 }, 29, 23],
    ['at least one, and so is that of bulk', { maxRate: 1 }, { share: 0.1 }, 1, 1],
    ['that of an old reading, which is better than none', { maxRate: 5, at: NOW - 86_400_000 }, {}, 5, 4],
  ])('is %s', (_name, change, limits, rate, bulkRate) => {
    const known = change === undefined ? undefined : { ...account, ...change };
    expect(allowance(known, { ...ceiling, ...limits }, NOW)).toEqual({ rate, bulkRate });
  });
});

describe('what is held', () => {
  const held = (change: Partial<Account>) => {
    const { held: all, bulkHeld } = allowance({ ...account, ...change }, ceiling, NOW);
    return { all, bulkHeld };
  };
  it.each([
    ['nothing, below 80 % of the quota', { sent24h: 39_999 }, undefined, undefined],
    ['bulk, from 80 % of the quota on', { sent24h: 40_000 }, undefined, 'daily quota'],
    ['bulk, where 80 % may have been reached since', { sent24h: 39_500, at: NOW - 36_000 }, undefined, 'daily quota'],
    ['nothing, where it cannot have been yet', { sent24h: 39_500, at: NOW - 35_000 }, undefined, undefined],
    ['all, at the whole quota', { sent24h: 50_000 }, 'daily quota used up', 'daily quota used up'],
    ['nothing, where the quota is unlimited', { max24h: -1, sent24h: 9_000_000 }, undefined, undefined],
    ['bulk, under review', { enforcement: 'PROBATION' }, undefined, 'account under review'],
    ['all, of an account shut down', { enforcement: 'SHUTDOWN' }, 'account shut down', 'account shut down'],
    ['all, of an account that may not send', { sendingEnabled: false }, 'account may not send', 'account may not send'],
    [
      'nothing, in the sandbox as such',
      { production: false, max24h: 200, sent24h: 0, maxRate: 1 },
      undefined,
      undefined,
    ],
    [
      'nothing, by a reading older than ten minutes',
      { sent24h: 50_000, enforcement: 'SHUTDOWN', at: NOW - 600_001 },
      undefined,
      undefined,
    ],
    [
      'all, by one of ten minutes',
      { enforcement: 'SHUTDOWN', at: NOW - 600_000 },
      'account shut down',
      'account shut down',
    ],
    ['bulk, by a reading of a clock that is ahead', { sent24h: 40_000, at: NOW + 5_000 }, undefined, 'daily quota'],
  ])('is %s', (_name, change, all, bulkHeld) => {
    expect(held(change)).toEqual({ all, bulkHeld });
  });
});

it('says what of the quota is used, and why SES takes nothing', () => {
  expect(quotaUsed({ ...account, sent24h: 12_500 })).toBe(0.25);
  expect(quotaUsed({ ...account, max24h: -1, sent24h: 12_500 })).toBe(0);
  expect(quotaUsed({ ...account, max24h: 0 })).toBe(1);
  expect(isShut(account)).toBeUndefined();
  expect(isShut({ ...account, enforcement: 'PROBATION' })).toBeUndefined();
});
