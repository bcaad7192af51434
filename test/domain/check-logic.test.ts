// What rules mean beside each other: claims are held against real answers, of people who stand at every edge.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RuleLogic } from '../../domain/check-logic.ts';
import { RuleCheck } from '../../domain/check-rules.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import { countInto } from '../../domain/counting.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { Interaction, Json } from '../../domain/interaction.ts';
import { compileRule } from '../../domain/rule.ts';
import type { RuleContext, Sight } from '../../domain/rule-node.ts';
import type { FieldType } from '../../domain/settings.ts';
import { vocabularyOf } from '../../domain/vocabulary.ts';
import { DAY, event, instant } from '../support/people.ts';

const NOW = instant('2026-06-15T12:00:00Z');
/** When everybody is asked: what is claimed holds at any time. Among them the ends of a long month and of a quarter. */
const ASKED = [
  NOW,
  ...['2026-05-31T23:59:59.999Z', '2026-06-30T23:59:59.999Z', '2026-07-01T00:00:00Z', '2026-07-15T12:00:00Z'].map(
    instant,
  ),
];
const types: Record<string, FieldType> = {
  age: 'number',
  spent: 'money',
  tier: 'text',
  member: 'boolean',
  joined: 'date',
  tags: 'list',
};
const known = vocabularyOf(
  { attributes: types, events: { Ping: { n: 'number', kind: 'text' }, Pong: { n: 'number', kind: 'text' } } },
  { topics: { offers: { title: 'Offers' } } },
  ['inner', 'outer'],
  [],
);
const names = new RuleCheck(known, 'x.json');
const segments: Record<string, { rule: Rule }> = {
  inner: { rule: { all: [{ has: { age: { atLeast: 18 } } }, { did: 'Ping', inLast: '7d' }] } },
  outer: { rule: { any: [{ segment: 'inner' }, { has: { tier: 'gold' } }] } },
};
const logic = () => new RuleLogic((name) => names.attributeType(name), segments);

// ── rules of few columns and few constants, so that many of them stand in each other's way ──

const pick = <T>(...values: T[]) => fc.constantFrom(...values);
const bounds = (...values: number[]) => {
  const value = pick(...values);
  return fc.oneof(
    ...['atLeast', 'moreThan', 'atMost', 'lessThan'].map((name) => value.map((one) => ({ [name]: one }))),
    fc.tuple(value, value).map(([a, b]) => ({ between: [Math.min(a, b), Math.max(a, b)] })),
  );
};
const length = pick('1d', '7d', '30d');
const moment = pick('2026-06-01', '2026-06-10', '2026-06-10T12:00:00Z', '2026-06-20');
const has = fc
  .oneof(
    fc.tuple(
      pick('age', 'orders.count', 'rfm.recency', 'spent'),
      fc.oneof(pick<unknown>(1, 2, 18, [1, 2]), bounds(1, 2, 18)),
    ),
    fc.tuple(
      pick('tier', 'loyalty.tier'),
      pick<unknown>(
        'gold',
        'Gold',
        ['gold', 'silver'],
        { isNot: 'gold' },
        { contains: 'ol' },
        { startsWith: 'si' },
        { contains: 'go' },
      ),
    ),
    fc.tuple(pick('member', 'subscription.active'), pick<unknown>(true, false, [true, false], { isNot: true })),
    fc.tuple(
      pick('joined', 'orders.last'),
      fc.oneof(
        length.map((inLast) => ({ inLast })),
        length.map((inNext) => ({ inNext })),
        length.map((moreThanAgo) => ({ moreThanAgo })),
        moment.map((before) => ({ before })),
        moment.map((after) => ({ after })),
        pick({ anniversary: 'today' }, { anniversary: { inNext: '7d' } }),
      ),
    ),
    fc.tuple(pick('tags'), pick<unknown>('a', 'b', ['a', 'b'], { isNot: 'a' }, { contains: 'a' })),
    fc.tuple(
      pick('age', 'tier', 'member', 'joined', 'tags', 'orders.count', 'orders.last'),
      fc.boolean().map((exists) => ({ exists })),
    ),
  )
  .map(([name, wanted]) => ({ has: { [name]: wanted } }) as Rule);
const count = fc.oneof(
  pick<unknown>(1, 2),
  pick({ atLeast: 1 }, { atLeast: 2 }, { moreThan: 1 }, { atMost: 1 }, { lessThan: 3 }, { between: [1, 2] }),
);
const period = fc.oneof(
  pick({}),
  length.map((inLast) => ({ inLast })),
  pick({ in: 'today' }, { in: 'this week' }, { in: 'this month' }, { in: 'last month' }, { in: 'this year' }),
  pick({ since: '2026-06-10' }, { between: ['2026-06-01', '2026-06-10'] }),
);
const did = fc
  .tuple(
    pick<string | string[]>('Ping', 'Pong', ['Ping', 'Pong']),
    pick<object>({}, {}, { where: { n: { atLeast: 2 } } }, { where: { n: { atLeast: 2 }, kind: 'x' } }),
    fc.oneof(
      period,
      fc
        .tuple(
          period,
          fc.oneof(
            count.map((times) => ({ times })),
            bounds(1, 3).map((amount) => ({ sum: { of: 'n', ...amount } })),
            bounds(1, 3).map((amount) => ({ largest: { of: 'n', ...amount } })),
            pick({ atLeast: 1 }, { atLeast: 2 }, { atMost: 1 }).map((amount) => ({
              distinct: { of: 'kind', ...amount },
            })),
            pick({ atLeast: 2 }, { moreThan: 2 }).map((times) => ({ same: 'kind', times })),
          ),
        )
        .map(([when, measure]) => ({ ...when, ...measure })),
      fc
        .tuple(
          pick('latest', 'first'),
          fc.oneof(
            length.map((inLast) => ({ inLast })),
            length.map((moreThanAgo) => ({ moreThanAgo })),
            moment.map((before) => ({ before })),
          ),
        )
        .map(([which, when]) => ({ [which]: when })),
    ),
  )
  .map(([name, where, rest]) => ({ did: name, ...where, ...rest }) as Rule);
const share = pick([0, 50], [50, 100], [0, 100], [25, 75], [0, 10]).map(
  (percent) => ({ share: 'draw', percent }) as Rule,
);
const consent = pick<Rule>(
  { consent: 'offers' },
  { consent: 'offers', basis: ['double'] },
  { consent: 'offers', basis: ['soft', 'single'] },
);
const leaf = fc.oneof(
  { weight: 4, arbitrary: has },
  { weight: 4, arbitrary: did },
  share,
  consent,
  pick<Rule>({ segment: 'inner' }, { segment: 'outer' }),
);
const rule: fc.Arbitrary<Rule> = fc.letrec<{ rule: Rule }>((tie) => ({
  rule: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: leaf },
    { weight: 1, arbitrary: tie('rule').map((not) => ({ not })) },
    { weight: 2, arbitrary: fc.array(tie('rule'), { minLength: 1, maxLength: 3 }).map((all) => ({ all })) },
    { weight: 2, arbitrary: fc.array(tie('rule'), { minLength: 1, maxLength: 3 }).map((any) => ({ any })) },
  ),
})).rule;

// ── people at the edges of those constants ──

interface Somebody {
  contact: Contact;
  events: Interaction[];
  zone: string;
}

/** The same people each time: their values and instants stand at, before and after every constant above. */
function people(): Somebody[] {
  let state = 20260415;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const one = <T>(values: readonly T[]): T => values[random(values.length)] as T;
  const FIRST = instant('2026-05-01T00:00:00Z');
  const edge = (): number =>
    random(8) === 0 ? FIRST : NOW + one([0, -1, 1, 3]) * DAY * one([0, 1, 7, 30, 60]) + one([0, -1, 1, 0, 3_600_000]);
  return Array.from({ length: 400 }, (_, index) => {
    const contact = newContact(`somebody-${index}`, NOW - 400 * DAY);
    const give = (name: string, value: Json | undefined): void => {
      if (value !== undefined) contact.facts.attributes[name] = { value, at: NOW - DAY, id: 'x' };
    };
    give('age', one([undefined, 0, 1, 1.5, 2, 10, 18, 19]));
    give('spent', one([undefined, 0, 1, 1.01, 2, 18, 20]));
    give('tier', one([undefined, 'gold', 'Gold', 'silver', 'bronze']));
    give('member', one([undefined, true, false]));
    give(
      'joined',
      one([undefined, new Date(edge()).toISOString(), '2026-06-01', '2026-06-10', '2026-06-16', '2025-06-15']),
    );
    give('tags', one<Json | undefined>([undefined, [], ['a'], ['b'], ['a', 'b'], ['abc']]));
    const orders = random(4);
    contact.facts.orders = {
      count: orders,
      gross: orders * 1000,
      refunded: 0,
      returned: 0,
      ...(orders > 0 ? { first: NOW - 90 * DAY, last: Math.min(NOW, edge()) } : {}),
    };
    if (random(2) === 0) contact.facts.scores = { 'rfm.recency': { value: 1 + random(5), at: 1, id: 'x' } };
    if (random(3) === 0) contact.facts.subscriptions = { s: { active: random(2) === 0, at: NOW - DAY, id: 'x' } };
    const basis = one([undefined, 'double', 'single', 'soft', 'imported'] as const);
    if (basis !== undefined)
      contact.facts.consents['shop|offers|email'] = { granted: random(4) > 0, at: NOW - DAY, id: 'x', basis };
    const events = Array.from({ length: one([0, 0, 1, 1, 2, 3, 5]) }, (_, i) =>
      event(
        one(['Ping', 'Ping', 'Pong']),
        Math.min(NOW, edge()),
        { n: one([1, 2, 3]), kind: one(['x', 'y']) },
        { id: `${index}-${i}` },
      ),
    ).toSorted((a, b) => a.at - b.at);
    return { contact, events, zone: one(['UTC', 'Europe/Warsaw', 'Pacific/Auckland']) };
  });
}

const everybody = people();

/** Who matches, in the order of `everybody`. */
function answers(asked: Rule): boolean[] {
  const context: RuleContext = {
    currency: 'EUR',
    brand: 'shop',
    catalogueHash: 'none',
    isMoney: () => false,
    counters: new Map(),
  };
  const compiled = compileRule(asked, context);
  const inside = Object.fromEntries(
    Object.entries(segments).map(([id, each]) => [id, compileRule(each.rule, context)]),
  );
  return everybody.flatMap(({ contact, events, zone }) => {
    const counters = {};
    const around = { zone, catalogue: { products: {} } };
    for (const each of events) {
      countInto(counters, context.counters.values(), each, undefined, { ...around, now: each.at }, context);
    }
    const seen = { ...contact, facts: { ...contact.facts, counters } };
    return ASKED.map((now) => {
      const sight: Sight = {
        ...around,
        now,
        contact: seen,
        shopZone: 'UTC',
        inSegment: (id) => (inside[id] as { test(sight: Sight): boolean }).test(sight),
      };
      return compiled.test(sight);
    });
  });
}

/** One clause of each kind, at each edge; pairs of all of them are held against each other. */
const CLAUSES: Rule[] = [
  ...[
    2,
    [1, 2],
    { isNot: 2 },
    { atLeast: 2 },
    { moreThan: 2 },
    { atMost: 2 },
    { lessThan: 2 },
    { between: [1, 18] },
  ].flatMap((wanted) => ['age', 'orders.count', 'rfm.recency'].map((name) => ({ has: { [name]: wanted } }))),
  ...['age', 'tier', 'joined', 'tags', 'orders.count'].map((name) => ({ has: { [name]: { exists: true } } })),
  ...['gold', ['gold', 'silver'], { isNot: 'gold' }, { contains: 'ol' }, { startsWith: 'si' }].map((tier) => ({
    has: { tier },
  })),
  ...['a', 'b', ['a', 'b'], { isNot: 'a' }, { contains: 'a' }].map((tags) => ({ has: { tags } })),
  ...[true, false, { isNot: true }].flatMap((wanted) => [
    { has: { member: wanted } },
    { has: { 'subscription.active': wanted } },
  ]),
  ...[{ inLast: '7d' }, { inLast: '30d' }, { inNext: '7d' }, { moreThanAgo: '7d' }, { moreThanAgo: '30d' }].map(
    (joined) => ({ has: { joined } }),
  ),
  ...[{ before: '2026-06-10' }, { after: '2026-06-10' }, { before: '2026-06-10T12:00:00Z' }].map((joined) => ({
    has: { joined },
  })),
  ...[
    {},
    { inLast: '7d' },
    { inLast: '30d' },
    { in: 'today' },
    { in: 'this week' },
    { in: 'this month' },
    { in: 'last month' },
  ].flatMap(
    (when) =>
      [
        { did: 'Ping', ...when },
        { did: ['Ping', 'Pong'], ...when },
        { did: 'Ping', ...when, where: { n: { atLeast: 2 } } },
        { did: 'Ping', ...when, times: 1 },
        { did: 'Ping', ...when, times: { atMost: 2 } },
      ] as Rule[],
  ),
  ...[
    { latest: { inLast: '7d' } },
    { latest: { moreThanAgo: '7d' } },
    { first: { inLast: '7d' } },
    { first: { moreThanAgo: '30d' } },
  ].map((when) => ({ did: 'Ping', ...when }) as Rule),
  { did: 'Ping', sum: { of: 'n', atLeast: 3 } },
  { did: 'Ping', sum: { of: 'n', lessThan: 3 }, inLast: '30d' },
  { did: 'Ping', largest: { of: 'n', atMost: 2 } },
  { did: 'Ping', distinct: { of: 'kind', atLeast: 2 } },
  { did: 'Ping', same: 'kind', times: { atLeast: 2 } },
  { did: 'Ping', same: 'kind', times: { moreThan: 2 }, inLast: '30d' },
  ...(
    [
      [0, 50],
      [50, 100],
      [90, 100],
      [0, 10],
    ] as [number, number][]
  ).map((percent) => ({ share: 'draw', percent })),
  { consent: 'offers' },
  { consent: 'offers', basis: ['double'] },
  { consent: 'offers', basis: ['soft', 'single'] },
  { segment: 'inner' },
  { segment: 'outer' },
];

describe('two clauses', () => {
  const both = CLAUSES.flatMap((clause): Rule[] => [clause, { not: clause }]);
  const found = both.map(answers);
  const about = logic();
  const claims = { never: 0, follows: 0 };
  /** Pairs that nobody here meets though nothing is claimed of them: what could still be told, or is just rare. */
  let untold = 0;

  it('are said to exclude each other only where nobody meets both', () => {
    const wrong: unknown[] = [];
    both.forEach((one, i) => {
      both.slice(i + 1).forEach((other, j) => {
        const meets = (found[i] as boolean[]).some((yes, person) => yes && found[i + 1 + j]?.[person]);
        const never = about.neverMatches({ all: [one, other] });
        if (never) claims.never += 1;
        if (never && meets) wrong.push([one, other]);
        if (!never && !meets) untold += 1;
      });
    });
    expect(wrong).toEqual([]);
    expect(claims.never).toBeGreaterThan(500);
    expect(untold).toBeLessThan(claims.never / 4);
  });

  it('are said to follow from each other only where they do', () => {
    const wrong: unknown[] = [];
    both.forEach((one, i) => {
      both.forEach((other, j) => {
        if (i === j || !about.follows(one, other)) return;
        claims.follows += 1;
        if ((found[i] as boolean[]).some((yes, person) => yes && !found[j]?.[person])) wrong.push([one, other]);
      });
    });
    expect(wrong).toEqual([]);
    expect(claims.follows).toBeGreaterThan(1000);
  });

  it('are each other’s complement with a "not": one never matches where the other always does', () => {
    for (const clause of CLAUSES) {
      expect([clause, about.neverMatches({ all: [clause, { not: clause }] })]).toEqual([clause, true]);
      expect([clause, about.alwaysMatches({ any: [clause, { not: clause }] })]).toEqual([clause, true]);
    }
  });
});

const RUNS = Number(process.env.KAIROS_RUNS ?? 300);

describe('what is said of a rule', () => {
  it('is so for everybody: never, always (property, seed 20260701)', { timeout: 1_200_000 }, () => {
    const said = { never: 0, always: 0 };
    fc.assert(
      fc.property(rule, (asked) => {
        const about = logic();
        const never = about.neverMatches(asked);
        const always = about.alwaysMatches(asked);
        if (!never && !always) return;
        const found = answers(asked);
        if (never) {
          said.never += 1;
          expect(found.filter(Boolean)).toEqual([]);
        }
        if (always) {
          said.always += 1;
          expect(found.filter((one) => !one)).toEqual([]);
        }
      }),
      { seed: 20260701, numRuns: RUNS * 4 },
    );
    expect(said.never).toBeGreaterThan(20);
    expect(said.always).toBeGreaterThan(20);
  });

  it('is so for everybody: one follows from another (property, seed 20260702)', { timeout: 1_200_000 }, () => {
    let said = 0;
    fc.assert(
      fc.property(fc.oneof(leaf, rule), fc.oneof(leaf, rule), (one, other) => {
        if (!logic().follows(one, other)) return;
        said += 1;
        const [is, then] = [answers(one), answers(other)];
        expect(is.filter((yes, index) => yes && !then[index])).toEqual([]);
      }),
      { seed: 20260702, numRuns: RUNS * 10 },
    );
    expect(said).toBeGreaterThan(50);
  });

  it('is so for everybody: both mean the same (property, seed 20260703)', { timeout: 1_200_000 }, () => {
    const known = new Map<string, Rule>();
    let said = 0;
    fc.assert(
      fc.property(fc.oneof(leaf, rule), (asked) => {
        const meaning = logic().meaning(asked);
        const other = known.get(meaning);
        if (other === undefined) known.set(meaning, asked);
        else if (JSON.stringify(other) !== JSON.stringify(asked)) {
          said += 1;
          const [here, there] = [answers(asked), answers(other)];
          const apart = here.flatMap((yes, index) => (yes === there[index] ? [] : [index])).slice(0, 3);
          expect({ asked, other, apart }).toEqual({ asked, other, apart: [] });
        }
      }),
      { seed: 20260703, numRuns: RUNS * 6 },
    );
    expect(said).toBeGreaterThan(50);
  });
});
