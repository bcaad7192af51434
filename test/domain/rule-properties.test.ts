// Random rules over random lives: closures, the index and decisions against a second reading of the language.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Rule } from '../../domain/grammar.ts';
import { DAY, HOUR, World } from '../support/people.ts';
import { edges, type Life, lives, played, runs, told } from '../support/rule-worlds.ts';

/** The greatest time a nightly run may take. */
const NIGHT = HOUR;
/** Instants from now on, at turns of the life and a millisecond to either side. */
const picks = fc.array(fc.tuple(fc.nat(100_000), fc.constantFrom(-1, 0, 1)), { minLength: 6, maxLength: 6 });
function instants(life: Life, picked: [number, number][]): number[] {
  const known = edges(life);
  const near = picked.map(([i, beside]) => (known[i % Math.max(known.length, 1)] ?? life.now + i * 60_000) + beside);
  return [life.now, ...near.filter((at) => at > life.now).sort((a, b) => a - b)];
}

const at = (now: number): string => new Date(now).toISOString();
describe('rules over any life', () => {
  const agree = (life: Life, picked: [number, number][]): void => {
    const { closures, index, reference } = played(life);
    for (const now of instants(life, picked)) {
      const expected = reference(now);
      expect(`closures ${closures.answers(now)}`, `${at(now)}\n${told(life)}`).toBe(`closures ${expected}`);
      expect(`index ${index.answers(now)}`, `${at(now)}\n${told(life)}`).toBe(`index ${expected}`);
    }
  };

  test(
    'closures and the index answer what happened says',
    () => fc.assert(fc.property(lives(), picks, agree), runs(200)),
    NIGHT,
  );

  test(
    'so they do where counters hold more than they keep exactly',
    () => fc.assert(fc.property(lives({ burst: true }), picks, agree), runs(60)),
    NIGHT,
  );

  test(
    'a rule and its "not" split everybody in two, at every instant',
    () => {
      const split = (life: Life, picked: [number, number][]): void => {
        const complements = Object.entries(life.rules).map(([id, rule]): [string, Rule] => [
          `not-${id}`,
          { not: rule },
        ]);
        const read = Object.keys(life.rules).map((id): [string, Rule] => [`outside-${id}`, { not: { segment: id } }]);
        const many = complements.length;
        const { closures, index } = played(life, { ...life.rules, ...Object.fromEntries([...complements, ...read]) });
        for (const now of instants(life, picked)) {
          for (const answers of [closures.answers(now), index.answers(now)]) {
            const opposite = [...answers.slice(0, many)].map((one) => (one === '1' ? '0' : '1')).join('');
            expect(answers.slice(many)).toBe(opposite + opposite);
          }
        }
      };
      fc.assert(fc.property(lives(), picks, split), runs(100));
    },
    NIGHT,
  );

  test(
    'a book of hundreds of rules answers each as alone',
    () => {
      const crowd = fc.array(lives(), { minLength: 60, maxLength: 60 });
      const alike = (all: Life[], life: Life, picked: [number, number][]): void => {
        const rules: Record<string, Rule> = {};
        all.forEach((one, i) => {
          for (const [id, rule] of Object.entries(one.rules)) {
            rules[`r${i}-${id}`] = JSON.parse(JSON.stringify(rule).replaceAll('"segment":"', `"segment":"r${i}-`));
          }
        });
        const { closures, index } = played(life, rules);
        for (const now of instants(life, picked)) expect(index.answers(now)).toBe(closures.answers(now));
      };
      fc.assert(fc.property(crowd, lives(), picks, alike), runs(5));
    },
    NIGHT,
  );
});

describe('membership', () => {
  const membersOf = (world: World, life: Life): string => {
    const { segments } = world.person().journey;
    return Object.keys(life.rules)
      .map((id) => (segments[id]?.since === undefined ? '0' : '1'))
      .join('');
  };

  test(
    'moved by events and by the clock alone, is what happened says',
    () => {
      const moved = (life: Life, picked: [number, number][]): void => {
        const { world, reference } = played(life);
        for (const now of instants(life, picked)) {
          world.until(now);
          expect(membersOf(world, life), `${at(now)}\n${told(life)}`).toBe(reference(now));
        }
      };
      fc.assert(fc.property(lives(), picks, moved), runs(60));
    },
    NIGHT,
  );

  test(
    'is the same when events are processed one by one, some of them late',
    () => {
      const late = fc.array(fc.constantFrom(0, 0, 0, 1, HOUR, DAY, 30 * DAY), { minLength: 100, maxLength: 100 });
      const lived = (life: Life, lateness: number[]): void => {
        const { world, reference } = played(life);
        const other = new World(world.book);
        const arriving = life.events.map((one, i) => ({ one, now: Math.min(life.now, one.at + (lateness[i] ?? 0)) }));
        for (const { one, now } of arriving.sort((a, b) => a.now - b.now)) other.record([one], { now });
        other.until(life.now);
        expect(membersOf(other, life), told(life)).toBe(reference(life.now));
      };
      fc.assert(fc.property(lives(), late, lived), runs(60));
    },
    NIGHT,
  );

  test(
    'at an instant is the same in any order of events, with repeats',
    () => {
      const shuffled = fc
        .oneof({ weight: 5, arbitrary: lives() }, { weight: 1, arbitrary: lives({ burst: true }) })
        .chain((life) =>
          fc.tuple(
            fc.constant(life),
            fc.shuffledSubarray(life.events, { minLength: life.events.length, maxLength: life.events.length }),
            fc.array(fc.nat(life.events.length - 1), { maxLength: 5 }),
            fc.nat(60),
          ),
        );
      const same = ([life, events, repeats, days]: [Life, Life['events'], number[], number]): void => {
        const now = life.now + days * DAY;
        const again = repeats.flatMap((i) => events[i] ?? []);
        const one = played(life);
        const other = played(life, life.rules, [...events, ...again]);
        for (const each of [one, other]) each.world.until(now);
        expect(membersOf(other.world, life), told(life)).toBe(membersOf(one.world, life));
        expect(other.closures.answers(now)).toBe(one.closures.answers(now));
      };
      fc.assert(fc.property(shuffled, same), runs(60));
    },
    NIGHT,
  );
});

describe('the lives themselves', () => {
  const sample = fc.sample(lives(), { seed: 20_261_122, numRuns: 800 });

  test('hold only rules that can be published', () => {
    for (const { rules } of sample)
      for (const rule of Object.values(rules)) expect(Rule.safeParse(rule).success).toBe(true);
  });

  test('say every word of the language, and meet each with both answers', () => {
    const words =
      'all any not has did segment consent share where same times sum largest distinct latest first inLast in between ' +
      'since isNot atLeast moreThan atMost lessThan contains startsWith exists before after inNext moreThanAgo anniversary';
    const met = new Map(words.split(' ').map((word) => [word, new Set<string>()]));
    for (const life of sample) {
      const answers = played(life).closures.answers(life.now);
      Object.values(life.rules).forEach((rule, i) => {
        const said = new Set(
          JSON.stringify(rule)
            .match(/"(\w+)":/g)
            ?.map((one) => one.slice(1, -2)),
        );
        for (const word of said) met.get(word)?.add(answers[i] ?? '');
      });
    }
    for (const [word, answers] of met) expect([word, [...answers].sort()]).toEqual([word, ['0', '1']]);
  });
});
