// The next turn of the clock: no answer changes before it is due, by brute force; and faults planted in it are found.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Rule } from '../../domain/grammar.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { DAY, HOUR, MINUTE } from '../support/people.ts';
import { type Engine, edges, type Life, lives, type Played, played, runs, told } from '../support/rule-worlds.ts';

/** The greatest time a nightly run may take. */
const NIGHT = HOUR;
const SPAN = 200 * DAY;
const STEP = 30 * MINUTE;

/** The answers of a life, and where they changed, looked at every half hour and beside every instant that may turn one. */
interface Truth {
  now: number;
  answers(at: number): string;
  /** [the look before, the first look at which the answers are others], ascending. */
  changed: [before: number, after: number][];
}

function truthOf(life: Life, { closures: { answers } }: Played): Truth {
  const { now } = life;
  const looks = Array.from({ length: SPAN / STEP }, (_, i) => now + (i + 1) * STEP);
  for (const at of new Set(edges(life))) looks.push(at - 1, at);
  const changed: Truth['changed'] = [];
  let before = now;
  let known = answers(now);
  for (const at of looks.sort((a, b) => a - b)) {
    const found = answers(at);
    if (found !== known) changed.push([before, at]);
    [before, known] = [at, found];
  }
  return { now, answers, changed };
}

interface Walk {
  /** The instant by which answers had changed although none was due. */
  late?: string;
  ticks: number;
  /** Ticks at which no answer was another. */
  vain: number;
}

/** Goes from due instant to due instant, and looks at what happens in between. */
function walk({ now, answers, changed }: Truth, due: Engine['due']): Walk {
  const found: Walk = { ticks: 0, vain: 0 };
  let at = now;
  let known = answers(now);
  let step = 0;
  for (;;) {
    const next = due(at);
    if (!(next > at)) return { ...found, late: `due again at ${new Date(at).toISOString()}` };
    for (; step < changed.length && (changed[step]?.[1] ?? 0) < next; step++) {
      const [before, after] = changed[step] as [number, number];
      if (after <= at) continue;
      // Where a tick lies between two looks, the part before it was looked at there.
      if (before >= at || answers(after) !== known) return { ...found, late: saidLate(after, next) };
    }
    const end = Math.min(next - 1, now + SPAN);
    if (answers(end) !== known) return { ...found, late: saidLate(end, next) };
    if (next > now + SPAN) return found;
    at = next;
    found.ticks += 1;
    const turned = answers(at);
    if (turned === known) found.vain += 1;
    known = turned;
  }
}

const saidLate = (at: number, due: number): string =>
  `another answer at ${new Date(at).toISOString()}, due at ${Number.isFinite(due) ? new Date(due).toISOString() : 'no instant'}`;

describe('the next instant at which an answer can turn', () => {
  const total = { lives: 0, turning: 0, closures: { ticks: 0, vain: 0 }, index: { ticks: 0, vain: 0 } };

  const onTime = (life: Life): void => {
    const engines = played(life);
    const truth = truthOf(life, engines);
    const answered: Truth = { ...truth, answers: engines.index.answers };
    for (const [name, one, due] of [
      ['closures', truth, engines.closures.due],
      ['index', answered, engines.index.due],
    ] as const) {
      const { late, ticks, vain } = walk(one, due);
      expect(late, `${name}\n${told(life)}`).toBeUndefined();
      total[name].ticks += ticks;
      total[name].vain += vain;
      if (name === 'index' && ticks > vain) total.turning += 1;
    }
    total.lives += 1;
  };

  test(
    'is never late, of closures and of the index, by brute force over 200 days',
    () => fc.assert(fc.property(lives(), onTime), runs(80)),
    NIGHT,
  );

  test(
    'is never late where counters hold more than they keep exactly',
    () => fc.assert(fc.property(lives({ burst: true }), onTime), runs(12)),
    NIGHT,
  );

  test('comes in most of these lives: at least 6 of 10 turn', ({ skip }) => {
    skip(total.lives === 0, 'no lives were walked');
    expect(total.turning / total.lives).toBeGreaterThanOrEqual(0.6);
  });

  test('comes seldom for nothing', ({ skip }) => {
    skip(total.lives === 0, 'no lives were walked');
    const said = ([name, { ticks, vain }]: [string, { ticks: number; vain: number }]) =>
      `${name}: ${ticks} ticks, ${((100 * vain) / ticks).toFixed(0)} % for nothing, ${((vain * 365) / 200 / total.lives).toFixed(1)} a year and person`;
    if (process.env.KAIROS_NIGHTLY !== undefined)
      console.log(Object.entries({ closures: total.closures, index: total.index }).map(said).join('\n'));
    // A nightly rebuild reads each person 365 times a year.
    expect((total.index.ticks * 365) / 200 / total.lives).toBeLessThan(365 / 20);
    expect(total.index.vain / total.index.ticks).toBeLessThan(0.8);
  });
});

// ---- faults ----

const whole = new Set(['anniversary', 'latest', 'first']);
/** Rules with something taken out of every "did" or "has", or put in its place. */
function rewritten(
  rules: Record<string, Rule>,
  change: (part: Record<string, unknown>) => unknown,
): Record<string, Rule> {
  const walkInto = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walkInto);
    if (typeof value !== 'object' || value === null) return value;
    return change(
      Object.fromEntries(Object.entries(value).map(([key, one]) => [key, whole.has(key) ? one : walkInto(one)])),
    );
  };
  return walkInto(rules) as Record<string, Rule>;
}

const without =
  (key: string, where: string) =>
  (part: Record<string, unknown>): unknown => {
    const { [key]: dropped, ...rest } = part;
    return where in part ? rest : part;
  };
const inPlaceOf =
  (operator: string) =>
  (part: Record<string, unknown>): unknown =>
    operator in part && !('did' in part) ? { exists: true } : part;
/** The events, with other values for what they give. */
const given = (life: Life, values: JsonObject): Life['events'] =>
  life.events.map((one) => {
    const known = Object.entries(values).filter(([name]) => name in one.traits);
    return { ...one, traits: { ...one.traits, ...Object.fromEntries(known) } };
  });
const moved = (life: Life, from: string, to: string): Life['events'] =>
  life.events.map((one) => ({ ...one, traits: JSON.parse(JSON.stringify(one.traits).replaceAll(from, to)) }));
/** Zones as they would be if they never changed their clocks. */
const still: Record<string, string> = {
  'Europe/Warsaw': 'Etc/GMT-1',
  'Asia/Beirut': 'Etc/GMT-2',
  'America/New_York': 'Etc/GMT+5',
  'Pacific/Apia': 'Etc/GMT-13',
};

type Due = Engine['due'];
/** The due instants of the right engine over another life: one that forgets something of the real one. */
const over =
  (change: (life: Life) => Life) =>
  (which: 'closures' | 'index') =>
  (life: Life): Due =>
    played(change(life))[which].due;
const shifted =
  (by: number) =>
  (which: 'closures' | 'index') =>
  (_: Life, right: Played): Due =>
  (now) =>
    right[which].due(now) + by;
const rules = (change: (part: Record<string, unknown>) => unknown) =>
  over((life) => ({ ...life, rules: rewritten(life.rules, change) }));
const never: Rule = { share: 'nobody', percent: [0, 100] };

const faults: Record<string, (which: 'closures' | 'index') => (life: Life, right: Played) => Due> = {
  'a millisecond late': shifted(1),
  'half an hour late': shifted(STEP),
  'a day late': shifted(DAY),
  never: () => () => () => Number.POSITIVE_INFINITY,
  now: () => () => (now) => now,
  'every full hour only': (which) => (_, right) => (now) => {
    const due = right[which].due(now);
    return Number.isFinite(due) ? Math.ceil(due / HOUR) * HOUR : due;
  },
  'without rolling windows': rules(without('inLast', 'did')),
  'without calendar words': rules(without('in', 'did')),
  'without anniversaries': rules(inPlaceOf('anniversary')),
  'without dates that go by': rules(inPlaceOf('moreThanAgo')),
  'without dates that come': rules(inPlaceOf('inNext')),
  'without the latest': rules((part) => ('latest' in part ? { did: part.did } : part)),
  'without the first': rules((part) => ('first' in part ? { did: part.did } : part)),
  'without what is measured': rules((part) => {
    const { sum, largest, distinct, same, times, ...rest } = part;
    return 'did' in part ? { ...rest, latest: { before: '2001-01-01' } } : part;
  }),
  'without what is under "not"': rules((part) => ('not' in part ? never : part)),
  'of the first of any only': rules((part) => (Array.isArray(part.any) ? part.any[0] : part)),
  'of the first of all only': rules((part) => (Array.isArray(part.all) ? part.all[0] : part)),
  'without the own rhythm': rules((part) => ('rhythm.overdue' in part ? { country: 'PL' } : part)),
  'of the first rule only': over((life) => {
    const others = Object.keys(life.rules).map((id): [string, Rule] => [id, never]);
    return { ...life, rules: { ...Object.fromEntries(others), s0: life.rules.s0 ?? never } };
  }),
  'in the zone of UTC': over((life) => ({ ...life, shopZone: 'UTC', events: given(life, { timezone: 'UTC' }) })),
  'without daylight saving': over((life) => ({
    ...life,
    shopZone: still[life.shopZone] ?? life.shopZone,
    events: life.events.map((one) => {
      const zone = still[String(one.traits.timezone)];
      return zone === undefined ? one : { ...one, traits: { ...one.traits, timezone: zone } };
    }),
  })),
  'with 29 February kept on 1 March': over((life) => ({ ...life, events: moved(life, '1988-02-29', '1988-03-01') })),
  'without the ends of consents': over((life) => ({
    ...life,
    events: life.events.map((one) => ({ ...one, properties: { ...one.properties, until: '2099-01-01' } })),
  })),
  'without what is ahead of now': over((life) => ({
    ...life,
    events: life.events.filter((one) => one.at <= life.now),
  })),
  'of the newest event of a name only': over((life) => ({
    ...life,
    events: life.events.filter(
      (one, i, all) => one.name === 'Identified' || !all.slice(i + 1).some((other) => other.name === one.name),
    ),
  })),
};

describe('a fault in the next instant is found: due', () => {
  const { seed } = runs(1);
  const sample = fc.sample(lives(), { seed, numRuns: 400 });
  const known: { life: Life; engines: Played; truth: Truth }[] = [];
  const caseAt = (i: number) => {
    const life = sample[i] as Life;
    const engines = known[i]?.engines ?? played(life);
    known[i] ??= { life, engines, truth: truthOf(life, engines) };
    return known[i];
  };

  test.each(Object.keys(faults))('%s', (name) => {
    const planted = faults[name] as (typeof faults)[string];
    for (const which of ['closures', 'index'] as const) {
      const caught = sample.findIndex((_, i) => {
        const { life, engines, truth } = caseAt(i);
        return walk(truth, planted(which)(life, engines)).late !== undefined;
      });
      expect(caught, which).toBeGreaterThanOrEqual(0);
    }
  });
});
