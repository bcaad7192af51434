// Budgets: a table that a marketer can read, laws, a second implementation's figures, and a simulation of months of looks.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ALL,
  ALPHA,
  atLeast,
  type Counted,
  type Counts,
  causeOf,
  dayOf,
  isOver,
  LIMITS,
  lowerEnd,
  measures,
  standings,
  verdictOf,
  WINDOWS,
} from '../../domain/budget.ts';
import { drawn } from '../support/faulty-engine.ts';

const TODAY = Date.parse('2026-05-31T18:00:00Z');
const NOTHING: Counts = { made: 0, delivered: 0, softBounced: 0, bounced: 0, complained: 0, unsubscribed: 0 };

interface Row {
  name: string;
  why: string;
  days: Record<string, Record<string, Partial<Counts>>>;
  base?: Row['days'];
  plannedPerDay?: number;
  expected: string;
}
interface Interval {
  cases: number;
  messages: number;
  lowerEnd: number;
  'chanceAt0.1%': number;
  'chanceAt2%': number;
}
const cases = JSON.parse(readFileSync(new URL('../cases/budget.json', import.meta.url), 'utf8')) as {
  intervals: { rows: Interval[] };
  verdicts: { rows: Row[] };
};

/** `today`, `3 days ago` → counts by day, with their sum where it is not given. */
function counted(days: Row['days'] = {}): Counted {
  return Object.fromEntries(
    Object.entries(days).map(([when, providers]) => {
      const all = { ...NOTHING };
      const filled: Record<string, Counts> = {};
      for (const [provider, counts] of Object.entries(providers)) {
        filled[provider] = { ...NOTHING, ...counts };
        for (const name of Object.keys(NOTHING) as (keyof Counts)[]) all[name] += counts[name] ?? 0;
      }
      return [dayOf(TODAY, when === 'today' ? 0 : -Number.parseInt(when, 10)), { [ALL]: all, ...filled }];
    }),
  );
}

describe('the verdict on a campaign', () => {
  test.each(cases.verdicts.rows.map((row) => [row.name, row] as const))('%s', (_, row) => {
    const verdict = verdictOf(counted(row.days), counted(row.base), TODAY, row.plannedPerDay);
    const said =
      verdict.kind === 'fine'
        ? 'fine'
        : verdict.cause === 'volume'
          ? 'volume'
          : `${verdict.measure.what} ${verdict.measure.provider === ALL ? 'over all' : `at ${verdict.measure.provider}`}`;
    expect(said, row.why).toBe(row.expected);
    if (verdict.kind === 'pause') expect(causeOf(verdict.why)).toBe(verdict.cause);
  });

  test('says in words what it found', () => {
    const one = verdictOf(counted({ today: { yahoo: { delivered: 505, complained: 7 } } }), {}, TODAY);
    expect(one).toMatchObject({ why: 'complaints at yahoo: 7 of 512 in 1 day, at least 0.2 %; limit 0.1 %' });
    const two = verdictOf(counted({ today: { all: { made: 301 } } }), {}, TODAY, 100);
    expect(two).toMatchObject({ why: 'volume: 301 messages made for 2026-05-31 (UTC), 3 times the plan is 300' });
  });

  test('reads only what lies in the windows, by UTC day', () => {
    const bad = counted({ today: { yahoo: { delivered: 394, complained: 6 } } });
    const at = (text: string) => verdictOf(bad, {}, Date.parse(text)).kind;
    expect(at('2026-05-31T00:00:00Z')).toBe('pause');
    expect(at('2026-06-29T23:59:59Z')).toBe('pause');
    expect(at('2026-06-30T00:00:00Z')).toBe('fine');
    expect(at('2026-05-30T23:59:59Z')).toBe('fine');
  });
});

describe('the standings that people read', () => {
  test('are one a provider and budget, in the window that stands worst', () => {
    const stand = standings(
      counted({
        today: { gmail: { delivered: 100, unsubscribed: 1 }, yahoo: { delivered: 57, complained: 3 } },
        '10 days ago': { yahoo: { delivered: 5000 }, other: { delivered: 970, bounced: 30 } },
      }),
      {},
      TODAY,
    );
    expect(stand.map(({ provider, what, days, verdict }) => [provider, what, days, verdict])).toEqual([
      ['all', 'bounces', 30, 'fine'],
      ['all', 'complaints', 1, 'over'],
      ['gmail', 'bounces', 1, 'fine'],
      ['gmail', 'unsubscribes', 1, 'fine'],
      ['other', 'bounces', 30, 'watch'],
      ['other', 'complaints', 30, 'fine'],
      ['yahoo', 'bounces', 30, 'fine'],
      ['yahoo', 'complaints', 1, 'over'],
    ]);
    expect(stand.find(({ provider, what }) => provider === 'other' && what === 'bounces')?.says).toBe(
      'bounces at other: 30 of 1000 in 30 days, at least 1.4 %; limit 2 %: over the limit, too few to be sure',
    );
  });
});

describe('the interval', () => {
  const near = (value: number, expected: number) =>
    expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-8 * Math.abs(expected));
  test.each(cases.intervals.rows.map((row) => [row.cases, row.messages, row] as const))(
    '%i of %i: as a second implementation has it',
    (_, __, row) => {
      near(lowerEnd(row.cases, row.messages), row.lowerEnd);
      near(atLeast(row.cases, row.messages, 0.001), row['chanceAt0.1%']);
      near(atLeast(row.cases, row.messages, 0.02), row['chanceAt2%']);
    },
  );

  const share = fc
    .integer({ min: 1, max: 20_000 })
    .chain((messages) => fc.tuple(fc.integer({ min: 0, max: Math.min(messages, 400) }), fc.constant(messages)));
  const limit = fc.constantFrom(...Object.values(LIMITS), 0.3);
  const runs = { seed: 20_260_504, numRuns: 1000 };

  test('passes the limit exactly when the verdict says so', () => {
    fc.assert(
      fc.property(share, limit, ([k, n], at) => {
        expect(isOver(k, n, at)).toBe(k >= 3 && lowerEnd(k, n) > at);
      }),
      runs,
    );
  });
  test('is below the share itself, and the chance there is what it leaves out below', () => {
    fc.assert(
      fc.property(share, ([k, n]) => {
        const low = lowerEnd(k, n);
        expect(low).toBeLessThanOrEqual(k / n);
        if (k > 0) expect(atLeast(k, n, low)).toBeCloseTo(ALPHA / 2, 9);
      }),
      runs,
    );
  });
  test('more cases never un-pause, more messages never pause', () => {
    fc.assert(
      fc.property(share, limit, fc.integer({ min: 0, max: 500 }), ([k, n], at, more) => {
        if (isOver(k, n, at)) expect(isOver(Math.min(n, k + more), n, at)).toBe(true);
        else expect(isOver(k, n + more, at)).toBe(false);
      }),
      runs,
    );
  });
  test('more cases never un-pause a campaign, whatever else there is', () => {
    const counts = fc.record({
      made: fc.constant(0),
      delivered: fc.integer({ min: 0, max: 800 }),
      softBounced: fc.integer({ min: 0, max: 20 }),
      bounced: fc.integer({ min: 0, max: 20 }),
      complained: fc.integer({ min: 0, max: 5 }),
      unsubscribed: fc.integer({ min: 0, max: 20 }),
    });
    const days: fc.Arbitrary<Row['days']> = fc.dictionary(
      fc.constantFrom('today', '1 day ago', '8 days ago', '29 days ago', '40 days ago'),
      fc.dictionary(fc.constantFrom('gmail', 'yahoo', 'other'), counts, { minKeys: 1 }),
    );
    const extra = fc.tuple(
      fc.constantFrom('today', '8 days ago', '29 days ago'),
      fc.constantFrom('gmail', 'yahoo', 'other'),
      fc.constantFrom('bounced', 'complained', 'unsubscribed') as fc.Arbitrary<keyof Counts>,
      fc.integer({ min: 1, max: 50 }),
    );
    fc.assert(
      fc.property(days, extra, (before, [day, provider, name, more]) => {
        const after: Row['days'] = structuredClone(before);
        const there = after[day]?.[provider] ?? {};
        after[day] = { ...after[day], [provider]: { ...there, [name]: (there[name] ?? 0) + more } };
        const what = { bounced: 'bounces', complained: 'complaints', unsubscribed: 'unsubscribes' }[name as 'bounced'];
        const overOf = (days: Row['days']) =>
          measures(counted(days), {}, TODAY)
            .filter((each) => each.over && each.what === what)
            .map((each) => `${each.provider} ${each.days}`);
        expect(overOf(after)).toEqual(expect.arrayContaining(overOf(before)));
      }),
      { ...runs, numRuns: 400 },
    );
  });
});

describe('a month of looks, one after each message', () => {
  const SHARES: [provider: string, share: number][] = [
    ['gmail', 0.4],
    ['microsoft', 0.2],
    ['yahoo', 0.15],
    ['gmx', 0.1],
    ['other', 0.15],
  ];
  const DAYS = 30;
  const providerAt = (place: number): string => {
    let end = 0;
    for (const [name, share] of SHARES) {
      end += share;
      if (place < end) return name;
    }
    return 'other';
  };

  /** Messages until the pause, or undefined when there was none: cases of one kind come with a fixed chance. */
  function sentUntilPaused(chance: number, what: 'complaints' | 'bounces', perDay: number, draw: () => number) {
    const limit = LIMITS[what];
    const names = [...SHARES.map(([name]) => name), ALL];
    const messages = new Map(names.map((name) => [name, new Array<number>(DAYS).fill(0)]));
    const hits = new Map(names.map((name) => [name, new Array<number>(DAYS).fill(0)]));
    const over = (name: string, day: number): boolean =>
      WINDOWS.some((window) => {
        const sum = (of: number[]) => of.slice(Math.max(0, day - window + 1), day + 1).reduce((a, b) => a + b, 0);
        return isOver(sum(hits.get(name)!), sum(messages.get(name)!), limit);
      });
    let sent = 0;
    for (let day = 0; day < DAYS; day++) {
      // Yesterday's end moves out of the windows.
      if (names.some((name) => over(name, day))) return sent;
      for (let message = 0; message < perDay; message++) {
        sent++;
        const name = providerAt(draw());
        if (what === 'complaints' && name === 'gmail') continue;
        messages.get(name)![day]! += 1;
        messages.get(ALL)![day]! += 1;
        if (draw() >= chance) continue;
        hits.get(name)![day]! += 1;
        hits.get(ALL)![day]! += 1;
        if (over(name, day) || over(ALL, day)) return sent;
      }
    }
    return undefined;
  }
  function many(runs: number, seed: number, chance: number, what: 'complaints' | 'bounces', perDay = 1000) {
    const draw = drawn(seed);
    const sent = Array.from({ length: runs }, () => sentUntilPaused(chance, what, perDay, draw));
    const paused = sent.filter((each) => each !== undefined).sort((a, b) => a - b);
    return { share: paused.length / runs, median: paused[Math.floor(runs / 2)], ninth: paused[Math.floor(runs * 0.9)] };
  }

  test('a campaign at half the limit goes on', () => {
    expect(many(200, 7, LIMITS.complaints / 2, 'complaints').share).toBeLessThanOrEqual(0.01);
    expect(many(200, 7, LIMITS.bounces / 2, 'bounces').share).toBeLessThanOrEqual(0.015);
  });
  test('one exactly at the limit is mostly left alone', () => {
    expect(many(200, 7, LIMITS.complaints, 'complaints').share).toBeLessThanOrEqual(0.08);
    expect(many(200, 7, LIMITS.bounces, 'bounces').share).toBeLessThanOrEqual(0.25);
  });
  test('one of which 1 % complain is met within some hundred messages', () => {
    const { share, median, ninth } = many(200, 9, 0.01, 'complaints');
    expect(share).toBe(1);
    expect(median).toBeLessThanOrEqual(800);
    expect(ninth).toBeLessThanOrEqual(1800);
  });
  test('one that bounces at 10 % is met within some dozens', () => {
    const { share, median, ninth } = many(200, 9, 0.1, 'bounces');
    expect(share).toBe(1);
    expect(median).toBeLessThanOrEqual(100);
    expect(ninth).toBeLessThanOrEqual(220);
  });
});
