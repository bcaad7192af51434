// Draws: fixed numbers that anybody can recompute, shares as they are said, and none that tells anything of another.
import { describe, expect, test } from 'vitest';
import {
  type DrawKind,
  drawOf,
  GLOBAL_HOLDOUT_LASTS,
  globalPeriod,
  heldOutOf,
  pick,
  stepDraw,
} from '../../domain/draw.ts';
import type { Rule } from '../../domain/grammar.ts';
import { bookOf, event, introduced, marketing, World } from '../support/people.ts';

const PEOPLE = 20_000;
const ids = Array.from({ length: PEOPLE }, (_, i) => `contact-${i}`);

/** Observed within four and a half standard deviations of a binomial: of chance, once in 150,000. */
function expectShare(observed: number, percent: number, of = PEOPLE): void {
  const share = percent / 100;
  const deviation = Math.sqrt(of * share * (1 - share));
  expect(Math.abs(observed - of * share), `${observed} of ${of} at ${percent} %`).toBeLessThanOrEqual(4.5 * deviation);
}

describe('published draws', () => {
  // printf 'holdout/1\0win-back\0c1' | sha256sum | cut -c1-8
  test.each<[DrawKind, name: string, contact: string, hash: string, number: number]>([
    ['holdout/1', 'win-back', 'c1', '23230207', 13.725292846],
    ['holdout/1', 'win-back', 'ann', '7ce8264f', 48.791732243],
    ['global-holdout/1', 'period 113', 'c1', '2d59aae0', 17.714946717],
    ['variant/1', 'win-back|miss-you', 'c1', '842f937a', 51.635095337],
    ['split/1', 'win-back|2.else.0', 'c1', '15c8849a', 8.509091148],
    ['test/1', 'news|letter_2', 'c1', 'cc1110ce', 79.713540105],
    ['share', 'spring-test', 'c1', '5fc4a88a', 37.409451837],
    ['share', 'spring-test', 'zoë', 'fb092f52', 98.060889961],
  ])('%s of "%s" for %s is 0x%s', (kind, name, contact, hash, number) => {
    const drawn = drawOf(kind, name, contact);
    expect(
      Math.round((drawn / 100) * 2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    ).toBe(hash);
    expect(drawn).toBeCloseTo(number, 8);
  });

  test('periods of the global holdout begin with 1970 and last 180 days', () => {
    expect(globalPeriod(0)).toEqual({ name: 'period 0', from: 0, to: GLOBAL_HOLDOUT_LASTS });
    expect(globalPeriod(Date.UTC(2026, 2, 1))).toEqual({
      name: 'period 113',
      from: Date.UTC(2025, 8, 9),
      to: Date.UTC(2026, 2, 8),
    });
    expect(globalPeriod(Date.UTC(2026, 2, 8) - 1).name).toBe('period 113');
    expect(globalPeriod(Date.UTC(2026, 2, 8)).name).toBe('period 114');
  });
});

describe('over 20,000 people', () => {
  test.each([0.01, 1, 5, 10, 33.33, 50])('a holdout of %s percent holds out as many', (percent) => {
    const held = ids.filter((id) => heldOutOf({ id: 'win-back', holdout: percent }, 0, id, 0) !== undefined).length;
    expectShare(held, percent);
  });

  test('a global holdout holds out as many in each period, and others', () => {
    const periods = [0, 1, 113].map((index) => {
      const now = index * GLOBAL_HOLDOUT_LASTS;
      return new Set(ids.filter((id) => heldOutOf({ id: 'any', holdout: 0 }, 10, id, now) === 'global'));
    });
    for (const held of periods) expectShare(held.size, 10);
    const [first, second] = periods as [Set<string>, Set<string>];
    expectShare([...first].filter((id) => second.has(id)).length, 10, first.size);
  });

  test('the global holdout is asked first, and a campaign’s own takes its share of the others', () => {
    const drawn = ids.map((id) => heldOutOf({ id: 'win-back', holdout: 10 }, 5, id, 0));
    expectShare(drawn.filter((each) => each === 'global').length, 5);
    const others = drawn.filter((each) => each !== 'global');
    expectShare(others.filter((each) => each === 'campaign').length, 10, others.length);
  });

  test('0 holds out nobody, 100 everybody', () => {
    for (const id of ids.slice(0, 1000)) {
      expect(heldOutOf({ id: 'any', holdout: 0 }, 0, id, 0)).toBeUndefined();
      expect(heldOutOf({ id: 'any', holdout: 0 }, 100, id, 0)).toBe('global');
      expect(heldOutOf({ id: 'any', holdout: 100 }, 0, id, 0)).toBe('campaign');
    }
  });

  test.each<[string, Record<string, number>]>([
    ['halves', { a: 50, b: 50 }],
    ['thirds', { a: 33.33, b: 33.33, c: 33.34 }],
    ['a small one', { a: 2, b: 98 }],
    ['five', { a: 10, b: 15, c: 20, d: 25, e: 30 }],
  ])('variants and splits get their weights: %s', (_, weights) => {
    const weighted = Object.entries(weights).map(([name, weight]) => ({ name, weight }));
    for (const [kind, name] of [
      ['variant/1', 'win-back|miss-you'],
      ['split/1', 'win-back|2'],
    ] as const) {
      const drawn = ids.map((id) => pick(weighted, drawOf(kind, name, id))?.name);
      for (const [each, weight] of Object.entries(weights))
        expectShare(drawn.filter((one) => one === each).length, weight);
    }
  });

  test('a test takes its share, and inside and outside of it variants fall alike', () => {
    const inside = ids.filter((id) => drawOf('test/1', 'news|letter', id) < 20);
    expectShare(inside.length, 20);
    const others = ids.filter((id) => !inside.includes(id));
    for (const part of [inside, others]) {
      expectShare(part.filter((id) => drawOf('variant/1', 'news|letter', id) < 50).length, 50, part.length);
    }
  });

  test('no draw tells anything of another', () => {
    const draws: [DrawKind, string][] = [
      ['holdout/1', 'win-back'],
      ['holdout/1', 'cart'],
      ['global-holdout/1', 'period 113'],
      ['global-holdout/1', 'period 114'],
      ['variant/1', stepDraw('win-back', 'miss-you')],
      ['variant/1', stepDraw('win-back', 'miss-you_2')],
      ['split/1', stepDraw('win-back', '2')],
      ['split/1', stepDraw('win-back', '2.then.0')],
      ['test/1', stepDraw('win-back', 'miss-you')],
      ['share', 'spring-test'],
    ];
    const tenths = draws.map(([kind, name]) => ids.map((id) => Math.floor(drawOf(kind, name, id) / 10)));
    const expected = PEOPLE / 100;
    const values: number[] = [];
    for (const [i, one] of tenths.entries()) {
      for (const other of tenths.slice(i + 1)) {
        const counts = new Array<number>(100).fill(0);
        one.forEach((tenth, person) => {
          counts[tenth * 10 + (other[person] as number)]! += 1;
        });
        values.push(counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0));
      }
    }
    // 100 cells of equal expectation: 99 degrees of freedom; 165 is passed once in 25,000, and below 49 as seldom.
    expect(values).toHaveLength(45);
    expect(Math.max(...values)).toBeLessThan(165);
    expect(Math.min(...values)).toBeGreaterThan(49);
    // The 45 together: 4,455 degrees of freedom, within four standard deviations.
    const total = values.reduce((sum, value) => sum + value, 0);
    expect(Math.abs(total - 4455)).toBeLessThan(4 * Math.sqrt(2 * 4455));
  });
});

test('what decide draws is what the draws say, for each of 400 people', () => {
  const campaigns = {
    all: marketing({
      when: { did: 'Product Viewed' },
      holdout: 30,
      for: { share: 'spring', percent: [0, 60] } as Rule,
      steps: [
        { send: 'hello', variants: { a: 20, b: 80 } },
        { split: { left: 25, right: 75 }, left: [{ send: 'left' }], right: [{ send: 'right' }] } as never,
      ],
    }),
  };
  const world = new World(bookOf({ campaigns, settings: { globalHoldout: { percent: 10 } } }));
  const at = Date.UTC(2026, 2, 2);
  const kinds = new Set<string>();
  for (let i = 0; i < 400; i++) {
    const user = `user-${i}`;
    world.record([
      ...introduced(at + 2 * i, { user }),
      event('Product Viewed', at + 2 * i + 1, {}, { id: user, user }),
    ]);
    const { id } = world.person(user);
    const told = world.kept().filter(({ contact }) => contact === id);
    if (drawOf('share', 'spring', id) >= 60) {
      expect(told).toEqual([]);
      kinds.add('not in the share');
      continue;
    }
    const out = drawOf('global-holdout/1', 'period 113', id) < 10 || drawOf('holdout/1', 'all', id) < 30;
    const variant = drawOf('variant/1', 'all|hello', id) < 20 ? 'a' : 'b';
    const branch = drawOf('split/1', 'all|1', id) < 25 ? 'left' : 'right';
    expect(told.map(({ email }) => email).sort()).toEqual(['hello', branch]);
    expect(told.find(({ email }) => email === 'hello')).toMatchObject({
      variant,
      state: out ? 'ghost' : expect.stringMatching(/ready|sent/),
    });
    kinds.add(`${out} ${variant} ${branch}`);
  }
  expect(kinds.size).toBe(9);
});

test('of weights that fall short of 100 the last that has any takes the rest', () => {
  expect(
    pick(
      [
        { name: 'a', weight: 33 },
        { name: 'b', weight: 33 },
        { name: 'c', weight: 0 },
      ],
      99,
    )?.name,
  ).toBe('b');
  expect(
    pick(
      [
        { name: 'a', weight: 0 },
        { name: 'b', weight: 100 },
      ],
      0,
    )?.name,
  ).toBe('b');
  expect(pick([], 5)).toBeUndefined();
});
