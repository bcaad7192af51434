// How long a queue of due messages takes, by hand for each bound.
import { describe, expect, it } from 'vitest';
import { drain } from '../../domain/drain.ts';

const HOUR = 3_600;
const DAY = 24 * HOUR;
const million = { messages: 1_000_000 };

describe('given only the rate', () => {
  it.each([
    ['triggered at 14 a second', 14, 'triggered', 14, 19.84],
    ['bulk at 14 a second takes 11 whole slots', 14, 'bulk', 11, 25.25],
    ['triggered at 200 a second', 200, 'triggered', 200, 1.39],
    ['bulk at 200 a second', 200, 'bulk', 160, 1.74],
    ['triggered at 1,000 a second', 1_000, 'triggered', 1_000, 0.28],
    ['bulk at 1,000 a second', 1_000, 'bulk', 800, 0.35],
  ] as const)('a million %s', (_title, rate, lane, perSecond, hours) => {
    const result = drain({ ...million, rate, lane });
    expect(result).toMatchObject({ perSecond, waits: 0 });
    expect(result.seconds / HOUR).toBeCloseTo(hours, 2);
  });

  it('takes no time for nothing, and one a second at least', () => {
    expect(drain({ messages: 0, rate: 14, lane: 'bulk' })).toEqual({ seconds: 0, perSecond: 11, waits: 0 });
    expect(drain({ messages: 10, rate: 1, lane: 'bulk' })).toEqual({ seconds: 10, perSecond: 1, waits: 0 });
  });
});

describe('given a daily quota', () => {
  it('which is larger than a day at the rate, it is not in the way', () => {
    expect(drain({ ...million, rate: 14, lane: 'triggered', dailyQuota: 14 * DAY }).waits).toBe(0);
    expect(drain({ ...million, rate: 14, lane: 'triggered', dailyQuota: 14 * DAY - 1 }).waits).toBe(0);
    expect(drain({ messages: 14 * DAY, rate: 14, lane: 'triggered', dailyQuota: 14 * DAY - 1 }).waits).toBe(1);
  });

  it('goes on each day at the hour at which it began', () => {
    // 50,000 of a million on each of 20 days: 19 waits, and the last 50,000 in 250 s.
    expect(drain({ ...million, rate: 200, lane: 'triggered', dailyQuota: 50_000 })).toEqual({
      seconds: 19 * DAY + 250,
      perSecond: 200,
      waits: 19,
    });
  });

  it('of which bulk leaves a fifth to triggered mail', () => {
    // 40,000 a day: 25 days, the last of them 40,000 at 160 a second.
    expect(drain({ ...million, rate: 200, lane: 'bulk', dailyQuota: 50_000 })).toEqual({
      seconds: 24 * DAY + 250,
      perSecond: 160,
      waits: 24,
    });
  });

  it('which is partly used, begins with what is left', () => {
    expect(drain({ messages: 50_000, rate: 100, lane: 'triggered', dailyQuota: 50_000, sent24h: 20_000 })).toEqual({
      seconds: DAY + 200,
      perSecond: 100,
      waits: 1,
    });
    expect(drain({ messages: 30_000, rate: 100, lane: 'triggered', dailyQuota: 50_000, sent24h: 20_000 }).waits).toBe(
      0,
    );
  });

  it('which is used up, waits a day first; with no quota at all, for ever', () => {
    expect(drain({ messages: 14, rate: 14, lane: 'triggered', dailyQuota: 100, sent24h: 100 }).seconds).toBe(DAY + 1);
    expect(drain({ messages: 14, rate: 14, lane: 'triggered', dailyQuota: 2e9, sent24h: 2e9 }).seconds).toBe(DAY + 1);
    expect(drain({ messages: 1, rate: 14, lane: 'triggered', dailyQuota: 0 }).seconds).toBe(Number.POSITIVE_INFINITY);
  });
});
