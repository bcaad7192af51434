// What lacks to the next tier, and the figures of tiers.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Rule } from '../../../domain/grammar.ts';
import { dayOfDate } from '../../../domain/insight/customer.ts';
import { type Day, lackingFor, tierFigures } from '../../../domain/insight/tier-standing.ts';

const TODAY = dayOfDate('2026-06-30');
const on = (date: string, revenue: number, orders = 1): Day => [dayOfDate(date), orders, revenue];
const bought = (more: object): Rule => ({ did: 'Order Completed', ...more }) as Rule;
const lacking = (rule: Rule, ...days: Day[]) => lackingFor(rule, days, TODAY, 100);

describe('what is lacking', () => {
  const thisYear = bought({ sum: { of: 'revenue', atLeast: 500 }, in: 'this year' });
  const lastYear = bought({ sum: { of: 'revenue', atLeast: 500 }, in: 'last year' });

  it('is the rest of a sum over the period that goes on', () => {
    expect(lacking(thisYear, on('2025-12-31', 90_000), on('2026-01-01', 42_000))).toEqual({
      kind: 'money',
      amount: 8000,
      of: 50_000,
    });
    expect(lacking(thisYear, on('2026-02-01', 50_000))).toBeUndefined();
    expect(lacking(thisYear)).toEqual({ kind: 'money', amount: 50_000, of: 50_000 });
  });

  it('is counted in orders where a rule counts them, rolling periods too', () => {
    const rule = bought({ times: { atLeast: 6 }, inLast: '30d' });
    expect(lacking(rule, on('2026-06-01', 0, 4), on('2026-05-31', 0, 2))).toEqual({ kind: 'orders', amount: 2, of: 6 });
    expect(lacking({ has: { 'orders.count': { atLeast: 3 } } }, on('2020-01-01', 0, 2))).toMatchObject({ amount: 1 });
    expect(lacking({ has: { 'orders.spend': { atLeast: 10 } } }, on('2020-01-01', 400))).toMatchObject({ amount: 600 });
  });

  it('is the least of several ways, and the most of what all has to hold', () => {
    const orders = bought({ times: { atLeast: 2 } });
    expect(lacking({ any: [thisYear, orders] }, on('2026-01-05', 48_000))).toMatchObject({ kind: 'money' });
    expect(lacking({ all: [thisYear, orders] }, on('2026-01-05', 48_000))).toMatchObject({ kind: 'orders' });
    expect(lacking({ any: [lastYear, thisYear] }, on('2026-01-05', 48_000))).toMatchObject({ amount: 2000 });
  });

  it('is not known where no order brings it nearer', () => {
    expect(lacking(lastYear)).toBeUndefined();
    expect(lacking({ segment: 'vip' })).toBeUndefined();
    expect(lacking({ not: thisYear })).toBeUndefined();
    expect(lacking({ has: { country: 'PL' } })).toBeUndefined();
    expect(lacking({ all: [thisYear, { segment: 'vip' }] })).toBeUndefined();
    expect(lacking(bought({ where: { coupon: 'X' }, times: { atLeast: 2 } }))).toBeUndefined();
    expect(lacking(bought({ sum: { of: 'total', atLeast: 2 } }))).toBeUndefined();
  });
});

describe('the figures of tiers', () => {
  const { tiers } = JSON.parse(readFileSync(new URL('../../../templates/loyalty.json', import.meta.url), 'utf8')) as {
    tiers: { id: string; rule: Rule }[];
  };
  const members = [
    { days: [] },
    { days: [on('2026-01-05', 16_500), on('2025-09-01', 1000)] },
    { tier: 'silver', days: [on('2026-01-05', 39_000), on('2025-09-01', 2000)] },
    { tier: 'silver', days: [on('2026-06-05', 41_000), on('2025-09-01', 0, 0)] },
    { tier: 'platinum', days: [on('2025-08-05', 200_000)] },
  ];

  it('tell who is in each, what they brought in, who came back, and who is close to the next', () => {
    const figures = tierFigures(members, tiers, TODAY, 100);
    expect(
      figures.map(({ tier, contacts, buyers, before, again, close }) => [tier, contacts, buyers, before, again, close]),
    ).toEqual([
      [undefined, 2, 1, 1, 1, 1],
      ['silver', 2, 2, 1, 1, 1],
      ['gold', 0, 0, 0, 0, 0],
      ['platinum', 1, 1, 1, 0, 0],
    ]);
    expect(figures.reduce((sum, { revenueShare }) => sum + (revenueShare ?? 0), 0)).toBeCloseTo(1, 12);
  });

  it('are whole for nobody', () => {
    expect(JSON.stringify(tierFigures([], tiers, TODAY, 100))).not.toMatch(/null|NaN/);
  });
});
