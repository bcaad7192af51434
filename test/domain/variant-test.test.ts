// Winners of tests: figures from tables, honest "none"s, and how often equal variants are told apart by mistake.
import { describe, expect, test } from 'vitest';
import {
  decideTest,
  equalityOf,
  holm,
  LEAST_EVENTS,
  LEAST_PEOPLE,
  LEVEL,
  type Tried,
} from '../../domain/variant-test.ts';
import { drawn } from '../support/faulty-engine.ts';

const tried = (...figures: [events: number, people: number][]): Tried[] =>
  figures.map(([events, people], index) => ({ variant: 'abcdefghij'[index] as string, people, events }));
const decide = (...figures: [number, number][]) => decideTest(tried(...figures));
const pOf = (...[a, b]: [[number, number], [number, number]]) => equalityOf(...(tried(a, b) as [Tried, Tried]));

describe('two proportions', () => {
  // z by hand: 20/200 and 40/200, pooled 0.15, z = 0.1 / sqrt(0.15 × 0.85 × 0.01) = 2.8006.
  test('are as different as the tables of the normal distribution say', () => {
    expect(pOf([20, 200], [40, 200])).toBeCloseTo(0.0051, 4);
    expect(pOf([50, 1000], [50, 1000])).toBeCloseTo(1, 6);
    // z = 1.959964: 5 %.
    expect(pOf([500, 1000], [500 + 43.7837, 1000])).toBeCloseTo(0.05, 3);
    expect(pOf([10, 1000], [60, 1000])).toBeLessThan(1e-7);
  });

  test('of nobody and of everybody are the same', () => {
    expect(pOf([0, 100], [0, 100])).toBe(1);
    expect(pOf([100, 100], [100, 100])).toBe(1);
  });

  test('are the same from either side', () => {
    expect(pOf([30, 310], [44, 290])).toBe(pOf([44, 290], [30, 310]));
  });
});

describe('Holm', () => {
  // The example of the paper's tables in other words: sorted 0.01 × 4, 0.02 × 3, 0.03 × 2, 0.04 × 1, never falling.
  test('takes the smallest times the number, and never falls behind it', () => {
    expect(holm([0.04, 0.01, 0.03, 0.02])).toEqual([0.06, 0.04, 0.06, 0.06]);
    expect(holm([0.5, 0.9])).toEqual([1, 1]);
    expect(holm([0.02])).toEqual([0.02]);
    expect(holm([])).toEqual([]);
  });
});

describe('a test', () => {
  test('has the variant as its winner that is clearly better', () => {
    expect(decide([20, 200], [40, 200])).toMatchObject({ winner: 'b', p: expect.closeTo(0.0051, 4) });
    expect(decide([20, 200], [40, 200]).tried.map(({ variant }) => variant)).toEqual(['b', 'a']);
  });

  test('has none where the figures do not tell', () => {
    expect(decide([20, 200], [28, 200])).toMatchObject({ winner: null, reason: 'no clear difference' });
  });

  test('has none where few got it, or few did anything', () => {
    expect(decide([10, LEAST_PEOPLE - 1], [40, 200])).toMatchObject({ winner: null, reason: 'too few people' });
    expect(decide([0, 0], [40, 200])).toMatchObject({ winner: null, reason: 'too few people' });
    expect(decide([1, 4000], [LEAST_EVENTS - 2, 4000])).toMatchObject({ winner: null, reason: 'too few events' });
    // 20 events, of which less than five are expected with the smaller one.
    expect(decide([0, 60], [20, 600])).toMatchObject({ winner: null, reason: 'too few events' });
    // Nearly everybody: those who did not are as few.
    expect(decide([99, 100], [100, 100])).toMatchObject({ winner: null, reason: 'too few events' });
    expect(decide([40, 200])).toMatchObject({ winner: null });
    expect(decideTest([])).toMatchObject({ winner: null });
  });

  test('of three has a winner only where the best beats each of the others', () => {
    expect(decide([20, 400], [60, 400], [58, 400])).toMatchObject({ winner: null, reason: 'no clear difference' });
    expect(decide([20, 400], [60, 400], [22, 400])).toMatchObject({ winner: 'b' });
    // Two of them would do; of three the second best is in the way of nobody.
    expect(decide([60, 400], [20, 400])).toMatchObject({ winner: 'a' });
  });

  test('is the same in whatever order its variants are given', () => {
    const three = tried([20, 400], [60, 400], [22, 400]);
    expect(decideTest([...three].reverse())).toEqual(decideTest(three));
  });
});

/** How many of a number of people do it, by a rate. */
function binomial(people: number, rate: number, draw: () => number): number {
  let events = 0;
  for (let one = 0; one < people; one++) if (draw() < rate) events++;
  return events;
}

describe('variants that are equal, by simulation', () => {
  const TRIALS = 3000;
  // What chance adds to the level in so many trials, at four standard deviations.
  const most = LEVEL + 4 * Math.sqrt((LEVEL * (1 - LEVEL)) / TRIALS);
  const cases: { people: number[]; rate: number }[] = [
    { people: [60, 60], rate: 0.3 },
    { people: [200, 200], rate: 0.1 },
    { people: [400, 100], rate: 0.2 },
    { people: [1500, 1500], rate: 0.02 },
    { people: [300, 300, 300], rate: 0.1 },
    { people: [200, 200, 200, 200, 200], rate: 0.2 },
  ];
  test.each(cases)(
    '$people people at a rate of $rate: at most one in twenty is called a winner',
    ({ people, rate }) => {
      const draw = drawn(20_260_504);
      let called = 0;
      for (let trial = 0; trial < TRIALS; trial++) {
        const variants = people.map((many, index) => ({
          variant: `v${index}`,
          people: many,
          events: binomial(many, rate, draw),
        }));
        if (decideTest(variants).winner !== null) called++;
      }
      expect(called / TRIALS).toBeLessThanOrEqual(most);
    },
  );

  test('two of three equal, the third worse: still at most one in twenty', () => {
    const draw = drawn(7);
    let called = 0;
    for (let trial = 0; trial < TRIALS; trial++) {
      const events = [0.15, 0.15, 0.02].map((rate) => binomial(400, rate, draw));
      const verdict = decideTest(events.map((many, index) => ({ variant: `v${index}`, people: 400, events: many })));
      if (verdict.winner !== null) called++;
    }
    expect(called / TRIALS).toBeLessThanOrEqual(most);
  });

  test('and one that is better is found as often as it is said to be', () => {
    // 10 % against 15 %: (1.96 √(2 × 0.125 × 0.875) + 0.8416 √(0.1 × 0.9 + 0.15 × 0.85))² / 0.05² = 686 people each, for 80 %.
    const draw = drawn(11);
    let found = 0;
    const trials = 1500;
    for (let trial = 0; trial < trials; trial++) {
      const verdict = decideTest([
        { variant: 'a', people: 686, events: binomial(686, 0.1, draw) },
        { variant: 'b', people: 686, events: binomial(686, 0.15, draw) },
      ]);
      if (verdict.winner === 'b') found++;
      expect(verdict.winner).not.toBe('a');
    }
    expect(found / trials).toBeGreaterThan(0.76);
    expect(found / trials).toBeLessThan(0.84);
  });
});
