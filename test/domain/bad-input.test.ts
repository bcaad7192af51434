// Whatever stands in a segment: a clear fault, or a rule that answers for anybody, and never slowly.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTemplates } from '../../domain/check.ts';
import { newContact } from '../../domain/contact.ts';
import { countInto } from '../../domain/counting.ts';
import { sayFault } from '../../domain/fault.ts';
import { CALENDAR, type Rule } from '../../domain/grammar.ts';
import type { Json, JsonObject } from '../../domain/interaction.ts';
import { compileRule } from '../../domain/rule.ts';
import type { RuleContext, Sight } from '../../domain/rule-node.ts';
import { sayRule } from '../../domain/say-rule.ts';
import { DAY, event, instant } from '../support/people.ts';
import { committed } from '../templates/edit.ts';

const FILE = 'segments/fuzz.json';
const templates = await committed();
const few = new Map(
  [...templates].filter(([file]) => file === 'settings.json' || file === 'fields.json' || file === 'segments/vip.json'),
);

/** What is told of this text as a segment, and the rule where nothing is a fault. */
function told(text: string): { faults: string[]; rule?: Rule } {
  const checked = checkTemplates(new Map([...few, [FILE, text]]));
  const own = 'faults' in checked ? checked.faults.filter(({ file }) => file === FILE) : [];
  for (const fault of [...own, ...checked.warnings]) {
    expect(fault.code).toMatch(/^[a-z]+(\.[a-z-]+)+$/);
    expect(sayFault(fault)).toMatch(/\S.*[.?!…}]$/s);
    expect(sayFault(fault)).not.toMatch(/undefined|\[object|NaN/);
    expect(sayFault(fault).length).toBeLessThan(1500);
  }
  if (own.length > 0) return { faults: own.map(sayFault) };
  return { faults: [], rule: (JSON.parse(text) as { rule: Rule }).rule };
}

const nested = (levels: number, wrap: (inner: string) => string): string => {
  let text = '{ "segment": "vip" }';
  for (let level = 0; level < levels; level += 1) text = wrap(text);
  return `{ "rule": ${text} }`;
};

describe('a rule that is too much', () => {
  it.each<[string, string, string[]]>([
    [
      'of 5,000 nested groups',
      nested(5000, (inner) => `{"not":${inner}}`),
      ['segments/fuzz.json line 1, column 1411: The file is nested too deeply. At most 200 levels.'],
    ],
    [
      'of 5,000 nested lists',
      nested(5000, (inner) => `{"all":[${inner}]}`),
      ['segments/fuzz.json line 1, column 811: The file is nested too deeply. At most 200 levels.'],
    ],
    [
      'of 21 levels',
      nested(21, (inner) => `{"any":[${inner}]}`),
      [
        'segments/fuzz.json rule: is nested more than 20 levels deep. Give the inner parts names: write them as segments, and ask for these.',
      ],
    ],
    [
      'of 10,000 parts in one group',
      JSON.stringify({ rule: { any: Array.from({ length: 10_000 }, (_, index) => ({ segment: `s${index}` })) } }),
      [
        'segments/fuzz.json rule: has more than 1000 clauses. Write a list of values instead of many comparisons, or parts of it as segments.',
      ],
    ],
    [
      'of 1,001 attributes',
      JSON.stringify({
        rule: { has: Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`a${index}`, 1])) },
      }),
      [
        'segments/fuzz.json rule: has more than 1000 clauses. Write a list of values instead of many comparisons, or parts of it as segments.',
      ],
    ],
    [
      'of 1,001 values in one list',
      JSON.stringify({ rule: { has: { city: Array.from({ length: 1001 }, (_, index) => `c${index}`) } } }),
      ['segments/fuzz.json rule.has.city: a list does not fit. Expected: at most 1000 entries.'],
    ],
    [
      'of 1 MB',
      JSON.stringify({ rule: { has: { city: 'x'.repeat(1_000_000) } } }),
      [
        'segments/fuzz.json: holds 1000028 characters; at most 262144 are read. Ask for an attribute or an event instead of naming each person, or divide it.',
      ],
    ],
    [
      'of objects inside a "where"',
      `{"rule":{"did":"Order Completed","where":${'{"products":'.repeat(60)}1${'}'.repeat(60)}}}`,
      [
        'segments/fuzz.json rule: is nested more than 20 levels deep. Give the inner parts names: write them as segments, and ask for these.',
      ],
    ],
    [
      'that begins and never ends',
      '['.repeat(100_000),
      ['segments/fuzz.json line 1, column 202: The file is nested too deeply. At most 200 levels.'],
    ],
  ])('%s', (_, text, faults) => {
    expect(told(text).faults).toEqual(faults);
  });

  it('of 20 levels, or of 1,000 clauses, is read', () => {
    expect(told(nested(20, (inner) => `{"any":[${inner}]}`)).faults).toEqual([]);
    const parts = Array.from({ length: 999 }, (_, index) => ({ did: 'Product Viewed', times: index + 1 }));
    expect(told(JSON.stringify({ rule: { any: parts } })).faults).toEqual([]);
  });

  it('is looked at in steps that are counted, whatever stands beside whatever', () => {
    const either = (n: number): Rule => ({
      any: [{ has: { age: { atLeast: n } } }, { not: { did: 'Product Viewed', times: n } }],
    });
    const parts = Array.from({ length: 450 }, (_, index) => either(index + 1));
    expect(told(JSON.stringify({ rule: { all: parts } })).faults).toEqual([]);
  });
});

// ── anything, in the words of rules ──

const odd = fc.constantFrom<Json>(
  null,
  true,
  false,
  0,
  -1,
  0.1,
  1e21,
  -1e-9,
  12.345,
  '',
  ' ',
  '0d',
  '7d',
  '2w',
  '999999w',
  'PL',
  '2026-02-28',
  '2026-02-30',
  '2026-02-28T25:00:00Z',
  '--02-29',
  '@trigger.total',
  '@',
  'toString',
  'constructor',
  'run start',
  'this year',
  'products.product_id',
  '/^(a+)+$/',
  '\u0000',
  '\u202e',
  '𝟘',
  [],
  {},
  [[]],
  ['a', 1, true],
  [1, 0],
  [0, 10],
  ['2026-01-01', '2026-01-31'],
);
const keys = fc.constantFrom(
  ...['all', 'any', 'not', 'has', 'did', 'segment', 'consent', 'share', 'percent', 'where', 'same', 'times', 'sum'],
  ...['largest', 'distinct', 'of', 'latest', 'first', 'in', 'between', 'since', 'inLast', 'inNext', 'moreThanAgo'],
  ...['atLeast', 'atMost', 'isNot', 'exists', 'contains', 'startsWith', 'before', 'after', 'anniversary', 'basis'],
  ...['products', 'country', 'orders.count', 'birthday', 'Order Completed', 'constructor', 'hasOwnProperty', 'rule'],
);
const anything: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    { weight: 3, arbitrary: odd },
    { weight: 1, arbitrary: fc.jsonValue() as fc.Arbitrary<Json> },
    { weight: 4, arbitrary: fc.dictionary(keys, tie('json'), { maxKeys: 4 }) as fc.Arbitrary<Json> },
    { weight: 2, arbitrary: fc.array(tie('json'), { maxLength: 3 }) },
  ),
})).json;

// ── rules that are nearly right ──

const nearly = <T>(fitting: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 14, arbitrary: fitting }, { weight: 1, arbitrary: odd });
const duration = nearly(fc.constantFrom('30m', '7d', '2w', '3652d'));
const moment = nearly(
  fc.constantFrom('2026-02-28', '2024-02-29', '2026-06-15T12:00:00+05:45', '0001-01-01', '9999-12-31'),
);
const number = nearly(fc.constantFrom(0, 1, 2, 5, 12.5, -3, 1e6));
const comparison = fc.oneof(
  number,
  nearly(fc.constantFrom('PL', 'gold', 'x')),
  nearly(fc.constant(['PL', 'DE'])),
  ...['isNot', 'atLeast', 'moreThan', 'atMost', 'lessThan'].map((name) => number.map((value) => ({ [name]: value }))),
  ...['isNot', 'contains', 'startsWith'].map((name) => nearly(fc.constant('a')).map((value) => ({ [name]: value }))),
  ...['inLast', 'inNext', 'moreThanAgo'].map((name) => duration.map((value) => ({ [name]: value }))),
  ...['before', 'after'].map((name) => moment.map((value) => ({ [name]: value }))),
  fc.tuple(moment, moment).map((between) => ({ between })),
  fc.tuple(number, number).map((between) => ({ between })),
  fc.boolean().map((exists) => ({ exists })),
  fc.constantFrom<object>(
    { anniversary: 'today' },
    { anniversary: { inNext: '7d' } },
    { anniversary: { inLast: '400d' } },
  ),
);
const attribute = fc.constantFrom(
  ...['country', 'age', 'birthday', 'favouriteCategory', 'memberSince', 'memberSince.givenAt', 'email'],
  ...['orders.count', 'orders.spend', 'orders.last', 'orders.returnedShare', 'cart.value', 'rhythm.overdue'],
  ...['rhythm.interval', 'service.openCases', 'subscription.active', 'rfm.money', 'value.lifetime', 'loyalty.tier'],
);
const amount = fc
  .tuple(fc.constantFrom('atLeast', 'moreThan', 'atMost', 'lessThan'), number)
  .map(([name, value]) => ({ [name]: value }));
const measure = fc.oneof(
  fc.constant({}),
  fc.oneof(nearly(fc.constantFrom<unknown>(1, 2)), amount).map((times) => ({ times })),
  amount.map((wanted) => ({ sum: { of: 'price', ...wanted } })),
  amount.map((wanted) => ({ largest: { of: 'price', ...wanted } })),
  amount.map((wanted) => ({ distinct: { of: 'product_id', ...wanted } })),
  fc.constant({ same: 'category', times: { atLeast: 2 } }),
  fc.constantFrom('latest', 'first').chain((when) => duration.map((inLast) => ({ [when]: { inLast } }))),
  fc.constantFrom('latest', 'first').chain((when) => moment.map((before) => ({ [when]: { before } }))),
);
const period = fc.oneof(
  fc.constant({}),
  duration.map((inLast) => ({ inLast })),
  fc.constantFrom(...CALENDAR).map((word) => ({ in: word })),
  fc.tuple(moment, moment).map((between) => ({ between })),
  moment.map((since) => ({ since })),
);
const where = fc.oneof(
  fc.constant({}),
  fc
    .tuple(fc.constantFrom('price', 'category', 'name', 'catalogue.margin', 'quantity'), comparison)
    .map(([property, wanted]) => ({ where: { [property]: wanted } })),
);
const nearlyRule = fc.letrec<{ rule: unknown }>((tie) => ({
  rule: fc.oneof(
    { depthSize: 'small' },
    {
      weight: 4,
      arbitrary: fc.tuple(attribute, comparison).map(([name, wanted]) => ({ has: { [name]: wanted } })),
    },
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.constantFrom('Product Viewed', 'Product Added'), where, measure, period)
        .map(([did, ...rest]) => Object.assign({ did }, ...rest) as unknown),
    },
    { weight: 1, arbitrary: fc.tuple(number, number).map((percent) => ({ share: 'draw', percent })) },
    { weight: 1, arbitrary: fc.constantFrom({ segment: 'vip' }, { consent: 'offers', basis: ['soft'] }) },
    { weight: 1, arbitrary: tie('rule').map((not) => ({ not })) },
    { weight: 2, arbitrary: fc.array(tie('rule'), { maxLength: 3 }).map((all) => ({ all })) },
    { weight: 2, arbitrary: fc.array(tie('rule'), { maxLength: 3 }).map((any) => ({ any })) },
  ),
})).rule;

const NOW = instant('2026-06-15T12:00:00Z');
/** What no shop should send, and some does. */
const value = fc.oneof(
  odd,
  fc.constantFrom<Json>('2026-06-15', 1_781_524_800_000, -8.64e15, '  7', 'gold', ['x', null, 3]),
);
const contacts = fc.record({
  attributes: fc.dictionary(attribute, value, { maxKeys: 8 }),
  events: fc.array(
    fc.record({
      name: fc.constantFrom('Product Viewed', 'Product Added'),
      ago: fc.constantFrom(-1, 0, 1, DAY, 7 * DAY, 7 * DAY + 1, 400 * DAY),
      properties: fc.dictionary(fc.constantFrom('price', 'category', 'product_id', 'quantity'), value, { maxKeys: 4 }),
    }),
    { maxLength: 6 },
  ),
  now: fc.constantFrom(NOW, NOW + 1, 0, 4_102_444_799_999),
  zone: fc.constantFrom('UTC', 'Australia/Lord_Howe', 'Asia/Kolkata'),
});
const RUNS = Number(process.env.KAIROS_RUNS ?? 300);

describe('whatever stands in a segment', () => {
  it('is told as faults, or published (property, seed 20260801)', { timeout: 1_200_000 }, () => {
    fc.assert(
      fc.property(fc.oneof(anything, fc.record({ rule: anything })), (json) => {
        const { faults, rule } = told(JSON.stringify(json));
        if (rule !== undefined) expect(sayRule(rule)).toMatch(/^\S.*\.$/s);
        else expect(faults.length).toBeGreaterThan(0);
      }),
      { seed: 20260801, numRuns: RUNS * 3 },
    );
  });

  it('as a text that is hardly JSON is told as a fault (property, seed 20260802)', { timeout: 1_200_000 }, () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), fc.nat(60), (text, at) => {
        const whole = '{"rule": {"has": {"orders.count": {"atLeast": 3}}}}';
        const { faults, rule } = told(`${whole.slice(0, at)}${text}${whole.slice(at)}`);
        expect(faults.length > 0 || rule !== undefined).toBe(true);
      }),
      { seed: 20260802, numRuns: RUNS * 2 },
    );
  });

  it('answers for anybody once it is published: at any instant, without throwing (property, seed 20260803)', {
    timeout: 1_200_000,
  }, () => {
    let published = 0;
    fc.assert(
      fc.property(nearlyRule, fc.array(contacts, { minLength: 1, maxLength: 4 }), (json, people) => {
        const { rule } = told(JSON.stringify({ rule: json }));
        if (rule === undefined) return;
        published += 1;
        const context: RuleContext = {
          currency: 'EUR',
          brand: 'aurora',
          catalogueHash: 'none',
          isMoney: (_, property) => property === 'price',
          counters: new Map(),
        };
        const compiled = compileRule(rule, context);
        for (const { attributes, events, now, zone } of people) {
          const contact = newContact('somebody', 0);
          for (const [name, given] of Object.entries(attributes)) {
            contact.facts.attributes[name] = { value: given, at: now - DAY, id: 'x' };
          }
          const around = { now, zone, catalogue: { products: {} } };
          events.forEach(({ name, ago, properties }, index) => {
            const interaction = event(name, now - ago, readable(properties), { id: String(index) });
            countInto(contact.facts.counters, context.counters.values(), interaction, undefined, around, context);
          });
          const sight: Sight = { ...around, contact, shopZone: 'Europe/Berlin', inSegment: () => false };
          expect(typeof compiled.test(sight)).toBe('boolean');
          expect(compiled.next(sight)).toBeGreaterThan(now);
        }
      }),
      { seed: 20260803, numRuns: RUNS * 5 },
    );
    expect(published).toBeGreaterThan(RUNS);
  });
});

/** Recording refuses amounts that cannot be read; all else that is odd comes through. */
function readable({ price, ...rest }: Record<string, Json>): JsonObject {
  return typeof price === 'number' && Math.abs(price) < 1e9 ? { ...rest, price } : rest;
}
