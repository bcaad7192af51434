// What models say of a contact, at any instant, and the next turn of it: by brute force against the formulas themselves.
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import { sightOf } from '../../domain/eligibility.ts';
import type { Rule } from '../../domain/grammar.ts';
import { modelAttributes } from '../../domain/insight/attributes.ts';
import { type Customer, customerOf, dateOfDay, dayOfDate } from '../../domain/insight/customer.ts';
import { decileOf, lifetimeOf } from '../../domain/insight/lifetime.ts';
import type { Models } from '../../domain/insight/models.ts';
import { aliveUntil } from '../../domain/insight/predict.ts';
import { rfmGroup, rfmScores } from '../../domain/insight/rfm.ts';
import type { Interaction, Json } from '../../domain/interaction.ts';
import { attributeOf } from '../../domain/rule-attributes.ts';
import { RuleIndex } from '../../domain/rule-index.ts';
import { modelsOf, PURCHASES } from '../support/models.ts';
import { bookOf, catalogue, DAY, event, HOUR, instant, MINUTE, order, World } from '../support/people.ts';
import { type Engine, runs, ZONES } from '../support/rule-worlds.ts';

const SPAN = 220 * DAY;
/** Half an hour in one life of eight; of the others five, beside every midnight. */
const STEPS = [30 * MINUTE, ...new Array<number>(7).fill(300 * MINUTE)];

const margins = {
  products: Object.fromEntries(
    Object.entries(catalogue.products).map(([id, one]) => [id, id === 'film' ? { ...one, margin: 0.3 } : one]),
  ),
};

// ---- the reference: the formulas at a day, and the day by the clock of another library ----

const dayIn = (at: number, zone: string): number =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate().since('1970-01-01').days;

/** The customer of orders that are neither refunded nor cancelled, as of the end of a day. */
function customerBy(events: Interaction[], zone: string, today: number): Customer | undefined {
  const bought = events
    .filter(({ name }) => name === 'Order Completed')
    .map(({ at, properties }) => ({ day: dayIn(at, zone), ...worthOf(properties) }))
    .filter(({ day }) => day <= today);
  if (bought.length === 0) return undefined;
  const days = [...new Set(bought.map(({ day }) => day))].sort((a, b) => a - b);
  const sum = (of: (one: (typeof bought)[number]) => number) => bought.reduce((total, one) => total + of(one), 0);
  return {
    days: days.length,
    first: days[0] as number,
    last: days.at(-1) as number,
    orders: bought.length,
    revenue: sum(({ revenue }) => revenue),
    firstRevenue: sum(({ day, revenue }) => (day === days[0] ? revenue : 0)),
    margin: sum(({ margin }) => margin),
    valued: sum(({ valued }) => valued),
  };
}

function worthOf({ revenue, products }: Interaction['properties']) {
  const minor = Math.round(Number(revenue) * 100);
  const film = JSON.stringify(products).includes('"film"');
  return { revenue: minor, valued: film ? minor : 0, margin: film ? Math.round(minor * 0.3) : 0 };
}

function expected(name: string, events: Interaction[], zone: string, model: Models, now: number): Json | undefined {
  const today = dayIn(now, zone);
  const customer = customerBy(events, zone, today);
  if (customer === undefined) return undefined;
  const life = lifetimeOf(model, customer, today);
  const scores = rfmScores(model.rfm as never, customer, today);
  const money = (value: number | undefined) => (value === undefined ? undefined : Math.round(value) + 0);
  const all: Record<string, Json | undefined> = {
    'rfm.recency': scores.recency,
    'rfm.frequency': scores.frequency,
    'rfm.money': scores.money,
    'rfm.group': rfmGroup(scores),
    'predicted.alive': life.alive,
    'predicted.orders': life.orders365,
    'predicted.orders90': life.orders90,
    'predicted.value': money(life.value365),
    'predicted.value90': money(life.value90),
    'predicted.nextOrder':
      life.nextOrder === undefined
        ? undefined
        : new Temporal.PlainDate(1970, 1, 1).add({ days: life.nextOrder }).toZonedDateTime(zone).epochMilliseconds,
    'value.past': money(life.past),
    'value.lifetime': money(life.lifetime),
    'value.decile': life.lifetime === undefined ? undefined : decileOf(model.deciles?.cuts ?? [], life.lifetime),
  };
  return all[name];
}

// ---- arbitrary lives and rules ----

const NOWS = [
  '2026-06-15T12:00:00Z',
  '2026-03-20T22:59:59.999Z',
  '2026-10-20T23:30:00Z',
  '2011-12-28T10:00:00Z',
  '2025-09-26T12:34:56.789Z',
].map(instant);
const bounds: Record<string, [least: number, most: number]> = {
  'rfm.recency': [0, 6],
  'rfm.frequency': [0, 6],
  'rfm.money': [0, 6],
  'predicted.alive': [0, 1],
  'predicted.orders': [0, 12],
  'predicted.orders90': [0, 3],
  'predicted.value': [-20, 400],
  'predicted.value90': [-5, 90],
  'value.past': [0, 400],
  'value.lifetime': [0, 800],
  'value.decile': [0, 11],
};
const whole = new Set(['rfm.recency', 'rfm.frequency', 'rfm.money', 'value.decile']);
const numeric = fc.constantFrom(...Object.keys(bounds)).chain((name): fc.Arbitrary<Rule> => {
  const [min, max] = bounds[name] as [number, number];
  const value = whole.has(name)
    ? fc.integer({ min, max })
    : fc.double({ min, max, noNaN: true, noDefaultInfinity: true }).map((one) => Math.round(one * 100) / 100);
  return fc
    .oneof(
      ...['atLeast', 'moreThan', 'atMost', 'lessThan', 'isNot'].map((operator) =>
        value.map((one) => ({ [operator]: one })),
      ),
      fc.tuple(value, value).map(([a, b]) => ({ between: [Math.min(a, b), Math.max(a, b)] as [number, number] })),
      value,
      fc.array(value, { minLength: 1, maxLength: 3 }),
      fc.boolean().map((exists) => ({ exists })),
    )
    .map((comparison) => ({ has: { [name]: comparison } }) as Rule);
});
const group = fc.constantFrom<Rule>(
  { has: { 'rfm.group': 'champions' } },
  { has: { 'rfm.group': ['at risk', 'cannot lose'] } },
  { has: { 'rfm.group': { isNot: 'lost' } } },
  { has: { 'rfm.group': { contains: 'o' } } },
);
const next = fc.oneof(
  fc
    .constantFrom('3d', '14d', '60d')
    .chain((length) =>
      fc
        .constantFrom('inNext', 'inLast', 'moreThanAgo')
        .map((operator) => ({ has: { 'predicted.nextOrder': { [operator]: length } } }) as Rule),
    ),
  fc
    .constantFrom('2026-07-01', '2026-11-01', '2012-01-15')
    .map((day) => ({ has: { 'predicted.nextOrder': { before: day } } }) as Rule),
);
const rule: fc.Arbitrary<Rule> = fc.oneof(
  { weight: 6, arbitrary: numeric },
  { weight: 1, arbitrary: group },
  { weight: 1, arbitrary: next },
  { weight: 1, arbitrary: fc.tuple(numeric, numeric).map(([a, b]): Rule => ({ any: [a, { not: b }] })) },
);

interface Case {
  now: number;
  step: number;
  zone: string;
  own: string;
  kind: keyof typeof PURCHASES;
  share: number;
  events: Interaction[];
  rules: Rule[];
}
const cases: fc.Arbitrary<Case> = fc
  .record({
    now: fc.constantFrom(...NOWS),
    step: fc.constantFrom(...STEPS),
    zone: fc.constantFrom(...ZONES),
    own: fc.constantFrom(...ZONES),
    kind: fc.constantFrom<keyof typeof PURCHASES>('cdnow', 'cdnow', 'fickle', 'faithful'),
    share: fc.constantFrom(0.25, 0.4, -0.1),
    bought: fc.array(
      fc.tuple(fc.integer({ min: -700 * 24, max: 0 }), fc.constantFrom('bag', 'camera', 'film@12.5*3', 'lens')),
      { minLength: 0, maxLength: 8, size: 'max' },
    ),
    ahead: fc.option(fc.integer({ min: 1, max: 100 * 24 }), { freq: 4 }),
    given: fc.option(fc.constantFrom({ 'predicted.alive': 0.3 }, { 'rfm.recency': 4 }, { 'value.lifetime': 9900 }), {
      freq: 5,
    }),
    rules: fc.array(rule, { minLength: 1, maxLength: 4 }),
  })
  .map(({ bought, ahead, given, own, ...rest }) => {
    const at = (hours: number): number => rest.now + hours * HOUR;
    const events = [event('Identified', at(-900 * 24), {}, { id: 'known', traits: { timezone: own } })];
    for (const [i, [hours, product]] of bought.entries()) events.push(order(`o${i}`, at(hours), [product]));
    if (ahead !== null) events.push(order('ahead', at(ahead), ['film@20']));
    if (given !== null) events.push(event('Scores Updated', at(-2), given, { source: 'kairos' }));
    return { ...rest, own, events: events.sort((a, b) => a.at - b.at) };
  });

interface Played {
  closures: Engine;
  index: Engine;
  found(name: string, now: number): Json | undefined;
}

function play({ now, zone, kind, share, events, rules }: Case, faulty?: Partial<Case>): Played {
  const segments = Object.fromEntries(rules.map((one, i) => [`s${i}`, one]));
  const book = bookOf({
    segments,
    settings: { zone: faulty?.zone ?? zone },
    catalogue: margins,
    models: modelsOf(faulty?.kind ?? kind, share),
  });
  const contact = new World(book).record(faulty?.events ?? events, { now }).person();
  const sight = (at: number) => sightOf(book, contact, at);
  const all = new RuleIndex(book.segments.map((one) => ({ id: one.id, node: one.rule.node })));
  const text = (holds: (id: string) => boolean) => book.segments.map(({ id }) => (holds(id) ? '1' : '0')).join('');
  return {
    found: (name, at) => attributeOf(name)(sight(at)),
    closures: {
      answers: (at) => text((id) => book.segment.get(id)?.rule.test(sight(at)) ?? false),
      due: (at) => Math.min(...book.segments.map((one) => one.rule.next(sight(at)))),
    },
    index: {
      answers(at) {
        const found = all.answer(sight(at));
        return text((id) => found.has(id));
      },
      due: (at) => all.answer(sight(at)).due,
    },
  };
}

/** At every step, and a millisecond before each midnight of the shop and at it. */
function looks({ now, zone, step }: Case): number[] {
  const all = Array.from({ length: SPAN / step }, (_, i) => now + (i + 1) * step);
  let date = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(zone).toPlainDate();
  for (let i = 0; i < SPAN / DAY; i++) {
    date = date.add({ days: 1 });
    const midnight = date.toZonedDateTime(zone).epochMilliseconds;
    all.push(midnight - 1, midnight, midnight + 1);
  }
  return all.filter((at) => at > now).sort((a, b) => a - b);
}

interface Walked {
  late?: string;
  turns: number;
  vain: number;
}

function walk(one: Case, answers: Engine['answers'], due: Engine['due']): Walked {
  let [at, known] = [one.now, answers(one.now)];
  let next = due(at);
  const walked: Walked = { turns: 0, vain: 0 };
  const iso = (instant: number) => (Number.isFinite(instant) ? new Date(instant).toISOString() : 'never');
  for (const look of looks(one)) {
    while (next <= look) {
      if (!(next > at)) return { ...walked, late: `due at ${iso(next)} again` };
      if (answers(next - 1) !== known) return { ...walked, late: `another answer before ${iso(next)}` };
      at = next;
      const turned = answers(at);
      if (turned === known) walked.vain += 1;
      walked.turns += 1;
      known = turned;
      next = due(at);
    }
    if (answers(look) !== known) return { ...walked, late: `another answer at ${iso(look)}, due ${iso(next)}` };
  }
  return walked;
}

const said = (one: Case): string =>
  [
    one.zone,
    one.kind,
    new Date(one.now).toISOString(),
    JSON.stringify(one.rules),
    ...one.events.map(({ name, at }) => `${name} ${new Date(at).toISOString()}`),
  ].join('\n');

describe('what the models say of a contact', () => {
  test('is what their formulas say, on every day, in any zone', () => {
    fc.assert(
      fc.property(cases, (one) => {
        const given = one.events.find(({ name }) => name === 'Scores Updated')?.properties ?? {};
        const { found } = play(one);
        for (const at of looks(one).filter((_, i) => i % 211 === 0)) {
          for (const name of Object.keys(modelAttributes)) {
            if (Object.hasOwn(given, name)) expect(found(name, at)).toBe(given[name]);
            else if (name !== 'rfm.group' || !Object.hasOwn(given, 'rfm.recency'))
              expect([name, found(name, at)], said(one)).toEqual([
                name,
                expected(name, one.events, one.zone, modelsOf(one.kind, one.share), at),
              ]);
          }
        }
      }),
      runs(25),
    );
  });

  const total = { walks: 0, turning: 0, turns: 0, vain: 0 };
  test('turns when it is due, never later, by brute force over 220 days', () => {
    fc.assert(
      fc.property(cases, (one) => {
        const engines = play(one);
        for (const name of ['closures', 'index'] as const) {
          const { late, turns, vain } = walk(one, engines[name].answers, engines[name].due);
          expect(late, `${name}\n${said(one)}`).toBeUndefined();
          total.walks += 1;
          total.turns += turns;
          total.vain += vain;
          if (turns > vain) total.turning += 1;
        }
      }),
      runs(25),
    );
  });

  test('turns in most of these lives, and is seldom looked at for nothing', ({ skip }) => {
    skip(total.walks === 0, 'no lives were walked');
    expect(total.turning / total.walks).toBeGreaterThan(0.25);
    expect(total.vain / total.turns).toBeLessThan(0.6);
  });
});

describe('a fault in what models say is found', () => {
  const sample = fc.sample(cases, { seed: runs(1).seed, numRuns: 60 });
  const due: Record<string, (one: Case, right: Engine) => Engine['due']> = {
    never: () => () => Number.POSITIVE_INFINITY,
    'a millisecond late': (_, right) => (at) => right.due(at) + 1,
    'a day late': (_, right) => (at) => right.due(at) + DAY,
    'by the midnights of UTC': (one) => play(one, { zone: 'UTC' }).closures.due,
    'by a model in which nobody leaves': (one) => play(one, { kind: 'faithful' }).closures.due,
    'without what is dated ahead': (one) =>
      play(one, { events: one.events.filter(({ at }) => at <= one.now) }).closures.due,
    'only where a bound is met at the next midnight': (_, right) => (at) =>
      right.due(at) - at > DAY ? right.due(at) + HOUR : right.due(at),
  };
  test.each(Object.keys(due))('due %s', (name) => {
    const fault = due[name] as (typeof due)[string];
    const caught = sample.some((one) => {
      const { closures } = play(one);
      return walk(one, closures.answers, fault(one, closures)).late !== undefined;
    });
    expect(caught).toBe(true);
  });
});

describe('P(alive) under 0.5', () => {
  const dormant = { segments: { dormant: { has: { 'predicted.alive': { lessThan: 0.5 } } } as Rule } };
  const world = (parts = {}): World =>
    new World(bookOf({ ...dormant, models: modelsOf('cdnow', 0.3), ...parts })).record([
      order('1', '2026-01-01 10:00', ['bag']),
      order('2', '2026-01-11 10:00', ['bag']),
      order('3', '2026-02-01 10:00', ['bag']),
    ]);

  test('is entered on the day, at the shop’s midnight, without anything happening', () => {
    const lived = world();
    const customer = customerOf(lived.person().facts) as Customer;
    // The closed form of the day, by the shop's clock.
    const day = aliveUntil(PURCHASES.cdnow, customer, 0.5) as number;
    const turns = instant(`${dateOfDay(day - 1)} ${day < dayOfDate('2026-03-30') ? '23:00' : '22:00'}`);
    lived.until(turns - 1);
    expect(lived.members()).toEqual([]);
    lived.until(turns);
    expect(lived.members()).toEqual(['dormant']);
    expect(lived.person().journey.segments.dormant?.since).toBe(turns);
    // Once it has fallen below it stays there: nothing is due any more.
    expect(lived.person().journey.due).toBeUndefined();
  });

  test('is answered by the score that the shop gives, whatever the model says', () => {
    const lived = world().record([
      event('Scores Updated', '2026-02-02', { 'predicted.alive': 0.2 }, { source: 'kairos' }),
    ]);
    expect(lived.members()).toEqual(['dormant']);
    expect(lived.person().journey.due).toBeUndefined();
  });

  test('holds for nobody where there is no model', () => {
    const lived = new World(bookOf(dormant)).record([order('1', '2026-01-01', ['bag'])]).until('2030-01-01');
    expect(lived.members()).toEqual([]);
  });
});
