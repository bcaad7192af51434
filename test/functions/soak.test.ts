// An hour of sending in virtual time, with everything that can go wrong; five minutes of it unless it is night.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { drain } from '../../domain/drain.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { burst, soak, type Verdict } from '../support/simulation-soak.ts';

// Each crash is logged by the function that it kills.
vi.hoisted(() => {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT';
});
const nightly = process.env.KAIROS_NIGHTLY !== undefined;
const MINUTES = Number(process.env.KAIROS_SOAK_MINUTES ?? (nightly ? 60 : 5));
const SEEDS = nightly ? [1, 2] : [1];
const LONG = 3_600_000;

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const first = (histories: string[]): string | undefined => histories[0];

/** What no seed and no fault may change. */
function expectKept({ seed, ...verdict }: Verdict): void {
  const { lost, twice, sentWhileHeld, deadLetters } = verdict;
  expect({ seed, lost: lost.length, history: first(lost) }).toEqual({ seed, lost: 0 });
  expect({ seed, twice: twice.length, history: first(twice) }).toEqual({ seed, twice: 0 });
  expect({ seed, sentWhileHeld: sentWhileHeld.later }).toEqual({ seed, sentWhileHeld: [] });
  expect({ seed, deadLetters }).toEqual({ seed, deadLetters: 0 });
}

describe.each(SEEDS)(
  `given ${MINUTES} minutes at 14 messages a second, and trouble of every kind (seed %i)`,
  (seed) => {
    let verdict: Verdict;
    beforeAll(async () => {
      verdict = await soak({ seed, engine, minutes: MINUTES });
      const { lost, twice, residue, ...figures } = verdict;
      if (nightly) console.log(JSON.stringify({ ...figures, residue: residue.length }));
    }, LONG);

    it('brings each message to one right end: nothing is lost, nothing goes out twice', () => {
      expectKept(verdict);
      expect(verdict.made).toBeGreaterThan(MINUTES * 60 * 12);
      expect(verdict.states.sent).toBeGreaterThan(verdict.made * 0.98);
    });

    it('calls SES in no second more often than allowed, and for bulk at most for its share', () => {
      expect({ seed, ...verdict.overRate }).toMatchObject({ seconds: 0, most: 14 });
      expect({ seed, ...verdict.overBulk }).toMatchObject({ seconds: 0, most: 11 });
    });

    it('sends nothing of what is stopped, paused, over its budget or held for the account', () => {
      expect(verdict.sentWhileHeld.later).toEqual([]);
      const held = verdict.held.map((each) => each.split(' ')[0]);
      expect(held.filter((each) => each === 'everything').length).toBeGreaterThanOrEqual(nightly ? 2 : 1);
      if (nightly) expect(held.filter((each) => each === 'bulk')).toHaveLength(2);
      expect(held).toContain('news');
      expect(held).toContain('summer');
    });

    it('had something to survive', () => {
      const always = ['accepted unheard', '5xx', 'lost on the way', 'throttled', 'throttle', 'lost answer'];
      for (const what of nightly ? [...always, 'paused', 'walk-due: crashes'] : always) {
        expect({ what, times: verdict.faults[what] ?? 0 }).not.toEqual({ what, times: 0 });
      }
      expect(verdict.faults['send-message: crashes']).toBeGreaterThan(0);
      expect(verdict.log['claim.again']).toBeGreaterThan(0);
    });
  },
);

it(
  'sends twice only where a claim lost its answer and all its events, and says which',
  async () => {
    const verdict = await soak({
      seed: 7,
      engine,
      minutes: nightly ? 10 : 1,
      chances: { silent: 0.2, acceptedUnheard: 0.2 },
    });
    expectKept(verdict);
    expect(verdict.residue.length).toBeGreaterThan(0);
    expect(verdict.uncertain.taken).toBeLessThan(verdict.made * 0.02);
  },
  LONG,
);

it(
  'takes silence for nothing: nothing is sent again while SES is not heard of for 20 minutes',
  async () => {
    expectKept(await soak({ seed: 5, engine, minutes: 1, silence: 20 * 60_000, chances: { acceptedUnheard: 0.05 } }));
  },
  LONG,
);

it(
  'sends nothing again when the news of 22 minutes comes within three, in any order',
  async () => {
    const silence = 22 * 60_000;
    const chances = { acceptedUnheard: 0.1 };
    expectKept(await soak({ seed: 1, engine, minutes: nightly ? 10 : 4, silence, flood: 180_000, chances }));
  },
  LONG,
);

it(
  'loses nothing and sends nothing twice while the clocks of the workers are wrong by up to a second',
  async () => {
    expectKept(await soak({ seed: 11, engine, minutes: nightly ? 10 : 1, skew: 1000 }));
  },
  LONG,
);

describe('given only what is due, it drains as the model says', () => {
  const cases: { lane: 'triggered' | 'bulk'; messages: number; rate: number; workers: number }[] = [
    { lane: 'bulk', messages: 1_000, rate: 14, workers: 5 },
    { lane: 'triggered', messages: 1_000, rate: 14, workers: 5 },
    { lane: 'bulk', messages: 2_000, rate: 100, workers: 8 },
  ];
  if (nightly) {
    cases.push(
      { lane: 'bulk', messages: 100_000, rate: 200, workers: 16 },
      { lane: 'triggered', messages: 30_000, rate: 1_000, workers: 60 },
    );
  }
  it.each(cases)(
    '$messages $lane at $rate a second, $workers senders',
    async ({ lane, messages, rate, workers }) => {
      const { seconds, secondsOf99, ...verdict } = await burst({ seed: 3, engine, lane, messages, rate, workers });
      expectKept(verdict);
      expect(verdict.overRate).toMatchObject({ seconds: 0 });
      const model = drain({ messages, rate, lane }).seconds;
      if (nightly) console.log(JSON.stringify({ lane, messages, rate, workers, model, seconds, secondsOf99 }));
      const ratio = secondsOf99 / (model * 0.99);
      expect({ model, secondsOf99, off: Math.abs(ratio - 1) > 0.05 }).toEqual({ model, secondsOf99, off: false });
      // One that missed its second comes again with the walk of the next minute.
      expect(seconds).toBeLessThan(model * 1.05 + 75);
    },
    LONG,
  );
});
