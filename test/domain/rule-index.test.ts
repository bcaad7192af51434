import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newContact } from '../../domain/contact.ts';
import type { Rule } from '../../domain/grammar.ts';
import { compileRule } from '../../domain/rule.ts';
import { changes, RuleIndex } from '../../domain/rule-index.ts';
import type { Atom, Column, Found, Node, RuleContext, Sight } from '../../domain/rule-node.ts';
import { instantOf } from '../../domain/time.ts';
import { bookOf, DAY, event, HOUR, instant, introduced, order, World } from '../support/people.ts';

const NEVER = Number.POSITIVE_INFINITY;
const NOON = instant('2026-03-10 12:00');
const ZONES = ['Europe/Warsaw', 'Australia/Lord_Howe', 'Asia/Kolkata', 'Pacific/Apia', 'America/Los_Angeles'];

type Values = Record<string, Found>;
const sightOf = (values: Values, now = NOON, zone = 'Europe/Warsaw'): Sight => ({
  now,
  zone,
  shopZone: 'Europe/Warsaw',
  catalogue: { products: {} },
  contact: { ...newContact('ann', 0), values } as never,
  inSegment: () => {
    throw new Error('the index answers segments itself');
  },
});
const valueIn = (sight: Sight, key: string): Found => (sight.contact as never as { values: Values }).values[key];

/** A column that finds what the sight's contact holds under its key. */
const column = (key: string, family: Column['family']): Column => ({
  key,
  family,
  read: (sight) => valueIn(sight, key),
});
const columns = {
  plan: column('plan', 'equal'),
  flag: column('flag', 'equal'),
  count: column('count', 'number'),
  spend: column('spend', 'number'),
  seen: column('seen', 'instant'),
  born: column('born', 'date'),
  last: column('last', 'age'),
  ends: column('ends', 'age'),
  note: column('note', 'other'),
};
/** Found by the clock: true until the instant that the contact holds. */
const open: Column = {
  key: 'open',
  family: 'equal',
  read(sight, turn) {
    const until = valueIn(sight, 'until') as number | undefined;
    if (until === undefined) return undefined;
    if (until > sight.now) turn.at = Math.min(turn.at, until);
    return until > sight.now;
  },
};

const each = (found: Found): Found[] => (Array.isArray(found) ? found : [found]).filter((one) => one != null);
type Test = (one: never, sight: Sight) => boolean;
const atom = (at: Column, cuts: Atom['cuts'], test: Test, next?: (one: never, sight: Sight) => number): Node => ({
  kind: 'atom',
  atom: {
    column: at,
    cuts,
    test: (found, sight) => each(found).some((one) => test(one as never, sight)),
    next: (found, sight) =>
      next === undefined ? NEVER : Math.min(NEVER, ...each(found).map((one) => next(one as never, sight))),
  },
});
const is = (at: Column, ...wanted: (string | boolean)[]): Node =>
  atom(at, wanted, (one: string | number | boolean) => wanted.includes(typeof one === 'number' ? String(one) : one));
/** Of a number: a text that says it is equal too, however it is written. */
const isNumber = (at: Column, wanted: number): Node =>
  atom(at, [wanted], (one: unknown) => typeof one !== 'boolean' && one !== '' && Number(one) === wanted);
const isNot = (at: Column, wanted: string): Node => ({
  kind: 'atom',
  atom: {
    column: at,
    cuts: [wanted],
    test: (found) => found != null && !each(found).includes(wanted),
    next: () => NEVER,
  },
});
const exists = (at: Column): Node => atom(at, [], () => true);
const atLeast = (at: Column, bound: number): Node => atom(at, [bound], (one: number) => one >= bound);
const moreThan = (at: Column, bound: number): Node => atom(at, [bound], (one: number) => one > bound);
const between = (at: Column, low: number, high: number): Node =>
  atom(at, [low, high], (one: number) => one >= low && one <= high);
const exactly = (at: Column, value: number): Node => atom(at, [value], (one: number) => one === value);
const begins = (date: string, zone: string): number => instantOf(date, '00:00', zone);
const from = (date: string): Node => atom(columns.born, [date], (one: number, { zone }) => one >= begins(date, zone));
const afterDate = (date: string): Node =>
  atom(columns.born, [date], (one: number, { zone }) => one > begins(date, zone));
const soonest = (turns: number[], now: number): number => Math.min(NEVER, ...turns.filter((at) => at > now));
const inLast = (at: Column, length: number): Node =>
  atom(
    at,
    [0, length],
    (one: number, { now }) => one <= now && one > now - length,
    (one: number, { now }) => soonest([one, one + length], now),
  );
const inNext = (at: Column, length: number): Node =>
  atom(
    at,
    [-length, 0],
    (one: number, { now }) => one > now && one <= now + length,
    (one: number, { now }) => soonest([one - length, one], now),
  );
const moreThanAgo = (at: Column, length: number): Node =>
  atom(
    at,
    [length],
    (one: number, { now }) => one <= now - length,
    (one: number, { now }) => soonest([one + length], now),
  );
/** True at one instant only. */
const agoExactly = (at: Column, length: number): Node =>
  atom(
    at,
    [length],
    (one: number, { now }) => one === now - length,
    (one: number, { now }) => soonest([one + length, one + length + 1], now),
  );
const contains = (part: string): Node => atom(columns.note, [], (one: string) => one.includes(part));
/** Of a column that is not sorted, and turned by the clock: before the instant of the day that the text names. */
const early = atom(
  columns.note,
  [],
  (one: string, { now }) => now % DAY < one.length * HOUR,
  (_one: string, { now }) => (Math.floor(now / HOUR) + 1) * HOUR,
);

const all = (...parts: Node[]): Node => ({ kind: 'all', parts });
const any = (...parts: Node[]): Node => ({ kind: 'any', parts });
const not = (part: Node): Node => ({ kind: 'not', part });
const segment = (id: string): Node => ({ kind: 'segment', id });
const rules = (nodes: Node[]) => nodes.map((node, i) => ({ id: `r${i}`, node }));
const indexOf = (...nodes: Node[]): RuleIndex => new RuleIndex(rules(nodes));
const held = (index: RuleIndex, sight: Sight): string[] => {
  const answers = index.answer(sight);
  return [...index.ids].filter((id) => answers.has(id)).sort();
};

/** The same rules one by one, as closures. */
function answersOf(nodes: Node[], sight: Sight): boolean[] {
  const known: boolean[] = [];
  const holds = (node: Node): boolean => {
    switch (node.kind) {
      case 'all':
        return node.parts.every(holds);
      case 'any':
        return node.parts.some(holds);
      case 'not':
        return !holds(node.part);
      case 'segment':
        return known[Number(node.id.slice(1))] ?? false;
      default:
        return node.atom.test(node.atom.column.read(sight, { at: NEVER }), sight);
    }
  };
  for (const node of nodes) known.push(holds(node));
  return known;
}

const PLANS = ['free', 'pro', 'team', '7', 'true'];
const BOUNDS = [-1, 0, 1, 2.5, 10, 1000];
const DATES = ['2011-12-29', '2011-12-30', '2011-12-31', '2026-03-10', '2026-03-29', '2026-10-04'];
const LENGTHS = [HOUR, DAY, 7 * DAY, 30 * DAY, NEVER];
const bound = fc.constantFrom(...BOUNDS);
const length = fc.constantFrom(...LENGTHS);
const numbers = fc.constantFrom(columns.count, columns.spend);
const ages = fc.constantFrom(columns.last, columns.ends);
const leaf: fc.Arbitrary<Node> = fc.oneof(
  fc.subarray(PLANS, { minLength: 1 }).map((wanted) => is(columns.plan, ...wanted)),
  fc.constantFrom(...PLANS).map((wanted) => isNot(columns.plan, wanted)),
  fc.constantFrom(7, 8, -0.5).map((wanted) => isNumber(columns.plan, wanted)),
  fc.boolean().map((wanted) => is(columns.flag, wanted)),
  fc.constantFrom(columns.plan, columns.flag).map(exists),
  fc.boolean().map((wanted) => is(open, wanted)),
  fc.tuple(fc.constantFrom(atLeast, moreThan, exactly), numbers, bound).map(([make, at, b]) => make(at, b)),
  fc.tuple(numbers, bound, bound).map(([at, low, high]) => between(at, low, high)),
  fc
    .tuple(fc.constantFrom(atLeast, moreThan), fc.integer({ min: -2, max: 2 }))
    .map(([make, days]) => make(columns.seen, NOON + days * DAY)),
  fc.tuple(fc.constantFrom(from, afterDate), fc.constantFrom(...DATES)).map(([make, date]) => make(date)),
  fc.tuple(fc.constantFrom(inLast, moreThanAgo), ages, length).map(([make, at, l]) => make(at, l)),
  fc
    .tuple(fc.constantFrom(inNext, agoExactly), ages, fc.constantFrom(HOUR, 30 * DAY))
    .map(([make, at, l]) => make(at, l)),
  fc.constantFrom('a', 'bb', 'cam').map(contains),
  fc.constant(early),
  fc.nat({ max: 40 }).map((i) => segment(`r${i}`)),
);
const node: fc.Arbitrary<Node> = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc
      .tuple(fc.constantFrom<'all' | 'any'>('all', 'any'), fc.array(tie('node'), { maxLength: 4 }))
      .map(([kind, parts]) => ({ kind, parts })),
    tie('node').map(not),
  ),
})).node;

/** Often on a cut, or a millisecond beside it. */
const nudge = fc.constantFrom(-1, 0, 0, 1);
const oneOrSeveral = (one: fc.Arbitrary<Found>): fc.Arbitrary<Found> =>
  fc.oneof(
    { weight: 6, arbitrary: one },
    fc.constant<Found>(undefined),
    fc.constant<Found>(null),
    fc.array(one, { maxLength: 3 }).map((several) => several as Found),
  );
const found = {
  plan: oneOrSeveral(fc.constantFrom<Found>(...PLANS, 'other', 7, 8, -0.5, true, '7.0', '07', '-0.5')),
  flag: oneOrSeveral(fc.constantFrom<Found>(true, false, 'true', 'false')),
  count: oneOrSeveral(fc.tuple(bound, nudge).map(([b, n]) => b + n / 2)),
  spend: oneOrSeveral(fc.tuple(bound, nudge).map(([b, n]) => b + n / 2)),
  seen: oneOrSeveral(fc.tuple(fc.integer({ min: -2, max: 2 }), nudge).map(([days, n]) => NOON + days * DAY + n)),
  born: oneOrSeveral(
    fc.tuple(fc.constantFrom(...DATES), fc.constantFrom(...ZONES), nudge).map(([d, z, n]) => begins(d, z) + n),
  ),
  last: oneOrSeveral(fc.tuple(fc.constantFrom(0, -HOUR, ...LENGTHS.slice(0, 4)), nudge).map(([l, n]) => NOON - l + n)),
  ends: oneOrSeveral(fc.tuple(fc.constantFrom(0, HOUR, 30 * DAY, -30 * DAY), nudge).map(([l, n]) => NOON + l + n)),
  note: oneOrSeveral(fc.constantFrom('a camera', 'bb', '')),
  until: fc.option(
    fc.integer({ min: -2, max: 2 }).map((n) => NOON + n),
    { nil: undefined },
  ),
};
const values: fc.Arbitrary<Values> = fc.record(found);
const world = fc.record({
  nodes: fc.array(node, { minLength: 1, maxLength: 50 }),
  sights: fc.array(fc.tuple(values, fc.constantFrom(...ZONES), fc.constantFrom(0, 0, 1, HOUR, DAY)), {
    minLength: 1,
    maxLength: 8,
  }),
});
const runs = { numRuns: Number(process.env.KAIROS_RUNS ?? 400), seed: 4 };

describe('all rules at once', () => {
  it('answers every rule as its closure does, whoever was answered before', () => {
    fc.assert(
      fc.property(world, ({ nodes, sights }) => {
        const index = new RuleIndex(rules(nodes));
        for (const [found, zone, later] of [...sights, ...sights]) {
          const sight = sightOf(found, NOON + later, zone);
          const expected = answersOf(nodes, sight);
          const answers = index.answer(sight);
          expect(nodes.map((_, i) => answers.has(`r${i}`))).toEqual(expected);
          for (const [place, id] of index.ids.entries()) {
            expect(((answers.bits[place >>> 5]! >>> (place & 31)) & 1) === 1).toBe(expected[Number(id.slice(1))]);
          }
          expect(
            [...answers.bits].map((word) => word.toString(2).replaceAll('0', '').length).reduce((a, b) => a + b),
          ).toBe(expected.filter(Boolean).length);
        }
      }),
      runs,
    );
  });

  it('is due before any answer turns by time alone', () => {
    fc.assert(
      fc.property(world, ({ nodes, sights }) => {
        const index = new RuleIndex(rules(nodes));
        for (const [found, zone, later] of sights) {
          const now = NOON + later;
          const { due } = index.answer(sightOf(found, now, zone));
          expect(due).toBeGreaterThan(now);
          const before = answersOf(nodes, sightOf(found, now, zone));
          for (const at of instants(found, now).filter((one) => one < due)) {
            expect(answersOf(nodes, sightOf(found, at, zone))).toEqual(before);
          }
        }
      }),
      runs,
    );
  });

  it('is due at the very instant at which a lone rule over one age turns', () => {
    const lone = fc.oneof(
      fc.tuple(fc.constantFrom(inLast, moreThanAgo, inNext, agoExactly), fc.constantFrom(HOUR, DAY, 30 * DAY)),
    );
    fc.assert(
      fc.property(lone, fc.boolean(), found.last, ([make, length], negated, last) => {
        fc.pre(!Array.isArray(last));
        const rule = make(columns.last, length);
        const nodes = [negated ? not(rule) : rule];
        const before = answersOf(nodes, sightOf({ last }));
        const turn = instants({ last }, NOON).find((at) => answersOf(nodes, sightOf({ last }, at))[0] !== before[0]);
        expect(indexOf(...nodes).answer(sightOf({ last })).due).toBe(turn ?? NEVER);
      }),
      runs,
    );
  });

  it('answers hundreds of rules, with alternatives in layers and rows that say little, as their closures do', () => {
    const pool = fc.array(leaf, { minLength: 12, maxLength: 30 });
    fc.assert(
      fc.property(
        pool,
        fc.array(fc.tuple(values, fc.constantFrom(...ZONES)), { minLength: 4, maxLength: 8 }),
        (leaves, sights) => {
          const one = (i: number): Node => leaves[i % leaves.length] as Node;
          const nodes = Array.from({ length: 700 }, (_, i): Node => {
            const alternatives = Array.from({ length: (i % 5) + 2 }, (_, k) => one(i + k * (1 + (i % 3))));
            if (i % 3 === 0) return all(one(i), not(one(i * 7)));
            if (i % 7 === 0) return all(any(...alternatives), any(one(i + 1), not(segment(`r${i >> 1}`))));
            return all(one(i * 3), any(...alternatives, all(one(i + 5), one(i + 6))));
          });
          const index = new RuleIndex(rules(nodes));
          for (const [found, zone] of [...sights, ...sights]) {
            const sight = sightOf(found, NOON, zone);
            const answers = index.answer(sight);
            expect(nodes.map((_, i) => answers.has(`r${i}`))).toEqual(answersOf(nodes, sight));
          }
        },
      ),
      { ...runs, numRuns: Math.ceil(runs.numRuns / 10) },
    );
  });

  it('answers real rules over a real contact as they answer by themselves, day after day', () => {
    const said: Record<string, Rule> = {
      buyers: { did: 'Order Completed' },
      'twice-a-month': { did: 'Order Completed', times: { atLeast: 2 }, inLast: '30d' },
      spent: { did: 'Order Completed', sum: { of: 'revenue', atLeast: 500 }, inLast: '60d' },
      lapsed: { all: [{ segment: 'buyers' }, { not: { did: 'Order Completed', inLast: '14d' } }] },
      looked: {
        any: [
          { did: 'Product Viewed', inLast: '3d' },
          { did: 'Email Clicked', inLast: '3d' },
        ],
      },
      'looked-only': { all: [{ segment: 'looked' }, { not: { segment: 'twice-a-month' } }] },
      written: { consent: 'offers', basis: ['double'] },
      'in-poland': { has: { country: ['PL', 'CZ'], 'orders.count': { atLeast: 2 } } },
      'born-later': { has: { birthday: { after: '1990-05-01' } } },
      'this-month': { did: 'Order Completed', in: 'this month' },
      nobody: { segment: 'forgotten' },
    };
    const context: RuleContext = { ...bookOf().context, brand: 'shop', catalogueHash: '', counters: new Map() };
    const compiled = Object.entries(said).map(([id, rule]) => ({ id, rule: compileRule(rule, context) }));
    const index = new RuleIndex(compiled.map(({ id, rule }) => ({ id, node: rule.node })));
    const { nobody, ...segments } = said;
    const world = new World(bookOf({ segments }));
    world.record(introduced('2026-01-01', { zone: 'Asia/Kolkata' }));
    world.record([
      event('Identified', '2026-01-02', {}, { user: 'ann', traits: { country: 'PL', birthday: '1990-05-02' } }),
      order('1', '2026-01-05 10:00', ['camera']),
      order('2', '2026-01-20 10:00', ['phone']),
      event('Product Viewed', '2026-02-01 09:00', { product_id: 'bag' }),
    ]);
    const contact = world.person();
    const seen = new Set<string>();
    for (let now = instant('2026-02-01 10:00'); now < instant('2026-04-01'); now += 6 * HOUR) {
      const known = new Map<string, boolean>();
      const sight: Sight = {
        now,
        zone: 'Asia/Kolkata',
        shopZone: 'Europe/Warsaw',
        catalogue: { products: {} },
        contact,
        inSegment: (id) => known.get(id) ?? false,
      };
      const answers = index.answer(sight);
      for (const { id, rule } of compiled) {
        known.set(id, rule.test(sight));
        expect(`${id} ${answers.has(id)}`).toBe(`${id} ${known.get(id)}`);
      }
      seen.add([...known].flatMap(([id, holds]) => (holds ? [id] : [])).join());
    }
    expect([...seen][0]).toBe('buyers,twice-a-month,spent,looked,written,in-poland,born-later');
    expect(seen.size).toBeGreaterThan(3);
  });
});

describe('what an answer says', () => {
  const index = new RuleIndex([
    { id: 'pro', node: is(columns.plan, 'pro') },
    { id: 'often', node: any(atLeast(columns.count, 10), is(columns.flag, true)) },
    { id: 'both', node: all(segment('pro'), segment('often')) },
    { id: 'neither', node: not(any(segment('pro'), segment('often'))) },
    { id: 'later', node: any(segment('last'), segment('unheard-of')) },
    { id: 'always', node: not(segment('unheard-of')) },
    { id: 'last', node: all() },
  ]);

  it('names the rules that hold, those that read other rules among them', () => {
    expect(held(index, sightOf({ plan: 'pro', count: 12 }))).toEqual(['always', 'both', 'last', 'often', 'pro']);
    expect(held(index, sightOf({ plan: 'free', flag: false }))).toEqual(['always', 'last', 'neither']);
  });

  it('takes a reference to a rule that does not stand before for false', () => {
    expect(held(index, sightOf({}))).not.toContain('later');
  });

  it('knows nothing of an id that is no rule', () => {
    expect(index.answer(sightOf({})).has('unheard-of')).toBe(false);
  });

  it('lists who came and who went between two answers', () => {
    const before = index.answer(sightOf({ plan: 'pro', count: 12 })).bits.slice();
    const { entered, left } = changes(before, index.answer(sightOf({})).bits);
    expect(entered.map((place) => index.ids[place])).toEqual(['neither']);
    expect(left.map((place) => index.ids[place] as string).sort()).toEqual(['both', 'often', 'pro']);
  });

  it('makes a membership into the same bits', () => {
    const { bits } = index.answer(sightOf({ plan: 'pro' }));
    expect(index.bitsOf(['pro', 'always', 'last', 'unheard-of'])).toEqual(bits);
  });

  it('answers no rules at all', () => {
    const none = new RuleIndex([]);
    expect(none.answer(sightOf({}))).toMatchObject({ bits: new Uint32Array(0), due: NEVER });
  });

  it('finds the 32nd, 33rd and last of many rules', () => {
    const many = indexOf(...Array.from({ length: 97 }, (_, i) => exactly(columns.count, i)));
    for (const i of [31, 32, 63, 64, 95, 96]) {
      expect(held(many, sightOf({ count: i }))).toEqual([`r${i}`]);
      expect(changes(new Uint32Array(4), many.answer(sightOf({ count: i })).bits).entered).toEqual([
        many.ids.indexOf(`r${i}`),
      ]);
    }
  });
});

describe('rows that are kept', () => {
  it('begin a date at the begins of each contact, whoever came before', () => {
    const index = indexOf(from('2026-03-10'), afterDate('2026-03-10'));
    const warsaw = begins('2026-03-10', 'Europe/Warsaw');
    const angeles = begins('2026-03-10', 'America/Los_Angeles');
    for (const _ of [1, 2]) {
      expect(held(index, sightOf({ born: warsaw }, NOON, 'Europe/Warsaw'))).toEqual(['r0']);
      expect(held(index, sightOf({ born: warsaw }, NOON, 'America/Los_Angeles'))).toEqual([]);
      expect(held(index, sightOf({ born: angeles }, NOON, 'America/Los_Angeles'))).toEqual(['r0']);
      expect(held(index, sightOf({ born: angeles }, NOON, 'Europe/Warsaw'))).toEqual(['r0', 'r1']);
    }
  });

  it('keep a zone that has skipped a day apart from the others', () => {
    // In Apia the 30th of December 2011 never was: it and the 31st begin at one instant.
    const index = indexOf(from('2011-12-30'), from('2011-12-31'), afterDate('2011-12-30'));
    const apia = begins('2011-12-31', 'Pacific/Apia');
    const warsaw = begins('2011-12-30', 'Europe/Warsaw');
    for (const _ of [1, 2]) {
      expect(held(index, sightOf({ born: apia }, NOON, 'Pacific/Apia'))).toEqual(['r0', 'r1']);
      expect(held(index, sightOf({ born: warsaw }, NOON, 'Europe/Warsaw'))).toEqual(['r0']);
    }
  });

  it('are right in more zones than are kept', () => {
    const index = indexOf(from('2026-03-10'));
    const zones = Intl.supportedValuesOf('timeZone').slice(0, 150);
    expect(zones).toHaveLength(150);
    for (const zone of [...zones, ...zones]) {
      const at = begins('2026-03-10', zone);
      expect([zone, held(index, sightOf({ born: at }, NOON, zone))]).toEqual([zone, ['r0']]);
      expect([zone, held(index, sightOf({ born: at - 1 }, NOON, zone))]).toEqual([zone, []]);
    }
  });

  it('say nothing of a list, whose elements lie in several buckets', () => {
    const index = indexOf(is(columns.plan, 'pro'), atLeast(columns.count, 10), inLast(columns.last, DAY));
    const several = { plan: ['free', 'pro'], count: [1, 12], last: [NOON - 2 * DAY, NOON - 1] };
    const lone = { plan: ['free'], count: [1], last: [NOON - 2 * DAY] };
    expect(held(index, sightOf(several))).toEqual(['r0', 'r1', 'r2']);
    expect(held(index, sightOf(lone))).toEqual([]);
    expect(held(index, sightOf(several))).toEqual(['r0', 'r1', 'r2']);
    expect(index.answer(sightOf(several)).due).toBe(NOON - 1 + DAY);
  });

  it('are dropped before they fill the memory, and made anew', () => {
    const numbers = Array.from({ length: 8 }, (_, i) => column(`n${i}`, 'number'));
    const bounds = Array.from({ length: 8_000 }, (_, i) => atLeast(numbers[i % 8] as Column, i >> 3));
    const index = indexOf(...bounds, from('2026-03-10'));
    const all = (value: number): Values => ({
      born: NOON - 30 * DAY,
      ...Object.fromEntries(numbers.map(({ key }) => [key, value])),
    });
    let most = 0;
    let drops = 0;
    for (let half = 0; half < 2_000; half++) {
      const before = index.rowBytes;
      index.answer(sightOf(all(half / 2)));
      most = Math.max(most, index.rowBytes);
      if (index.rowBytes < before) drops++;
    }
    expect(drops).toBeGreaterThan(0);
    expect(most).toBeLessThan(14e6);
    expect(held(index, sightOf({ n3: 1, born: NOON - 30 * DAY }))).toEqual(['r11', 'r3']);
  });

  it('are not spoilt by an atom that throws', () => {
    let broken = true;
    const brittle = atom(columns.count, [5], (one: number) => {
      if (broken) throw new Error('broken');
      return one === 5;
    });
    const index = indexOf(moreThan(columns.count, 5), brittle, is(columns.plan, 'pro'));
    expect(() => index.answer(sightOf({ count: 5, plan: 'free' }))).toThrow('broken');
    broken = false;
    expect(held(index, sightOf({ count: 7, plan: 'pro' }))).toEqual(['r0', 'r2']);
    expect(held(index, sightOf({ count: 5, plan: 'pro' }))).toEqual(['r1', 'r2']);
  });
});

describe('when an answer is due', () => {
  const due = (node: Node, found: Values): number => indexOf(node).answer(sightOf(found)).due;

  it('is when an age reaches its bound, and again a millisecond later only where the bound itself is apart', () => {
    expect(due(moreThanAgo(columns.last, DAY), { last: NOON })).toBe(NOON + DAY);
    expect(due(moreThanAgo(columns.last, DAY), { last: NOON - DAY })).toBe(NEVER);
    expect(due(agoExactly(columns.last, DAY), { last: NOON - DAY })).toBe(NOON + 1);
    expect(due(inNext(columns.ends, DAY), { ends: NOON + 3 * DAY })).toBe(NOON + 2 * DAY);
    expect(due(inNext(columns.ends, DAY), { ends: NOON + DAY })).toBe(NOON + DAY);
  });

  it('is never where nothing is found, or where nothing ends', () => {
    expect(due(moreThanAgo(columns.last, DAY), {})).toBe(NEVER);
    expect(due(inLast(columns.last, NEVER), { last: NOON - DAY })).toBe(NEVER);
  });

  it('is when what is found changes, and when an unsorted atom turns', () => {
    expect(due(is(open, true), { until: NOON + 5 })).toBe(NOON + 5);
    expect(due(early, { note: 'a camera' })).toBe(NOON + HOUR);
  });

  it('is the earliest over all rules', () => {
    const index = indexOf(moreThanAgo(columns.last, 7 * DAY), moreThanAgo(columns.ends, DAY), is(open, true));
    expect(index.answer(sightOf({ last: NOON, ends: NOON - HOUR, until: NOON + 2 * DAY })).due).toBe(NOON + 23 * HOUR);
  });
});

/** Every instant after now at which something that the rules of this file say can turn. */
function instants(found: Values, now: number): number[] {
  const moments = [found.last, found.ends].flatMap((one) => each(one as Found) as number[]);
  const cuts = moments.flatMap((at) => [0, HOUR, DAY, 7 * DAY, 30 * DAY, -HOUR, -30 * DAY].map((l) => at + l));
  const hours = [1, 2, 12, 24].map((n) => (Math.floor(now / HOUR) + n) * HOUR);
  const all = [...cuts, ...hours, ...each(found.until)] as number[];
  return [...new Set(all.flatMap((at) => [at, at + 1]))].filter((at) => at > now).sort((a, b) => a - b);
}
