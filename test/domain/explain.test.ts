// Why a contact is in a segment or not: answers that are the engine's, values in words, and the instant of the turn.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Contact } from '../../domain/contact.ts';
import { drawOf } from '../../domain/draw.ts';
import { sightOf } from '../../domain/eligibility.ts';
import { type Clause, explainCampaign, explainSegment, isCounted } from '../../domain/explain.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { Interaction } from '../../domain/interaction.ts';
import { sayInstant } from '../../domain/say-found.ts';
import { bookOf, DAY, event, instant, introduced, marketing, order, World } from '../support/people.ts';
import { seeded } from '../support/permutations.ts';
import { lives } from '../support/rule-worlds.ts';

const NOW = instant('2026-06-11 12:00');

/** Explains one rule for "ann" after these events. */
function explained(rule: Rule, events: Interaction[], now = NOW, others: Record<string, Rule> = {}) {
  const world = new World(bookOf({ segments: { ...others, asked: rule } }));
  world.record(events).until(now);
  return explainSegment(world.book, world.person(), 'asked', now);
}

const bought = [
  ...introduced('2026-03-01'),
  order('1', '2026-03-03 10:00', ['camera']),
  order('2', '2026-03-23 10:00', ['camera', 'film*3']),
  order('3', '2026-05-01 10:00', ['bag']),
];
const did = (more: object = {}, name: string | string[] = 'Order Completed'): Rule => ({ did: name, ...more }) as Rule;

describe('what was found', () => {
  test.each<[found: string, rule: Rule]>([
    ['3 orders, the last 1 May 2026, 41 days ago', did()],
    ['1 order in the last 60 days, the last 1 May 2026, 41 days ago', did({ inLast: '60d' })],
    ['none in the last 30 days; the last 1 May 2026, 41 days ago', did({ inLast: '30d', times: { atLeast: 2 } })],
    ['none in the last hour; the last 1 May 2026, 41 days ago', did({ inLast: '1h' })],
    ['never', did({ inLast: '30d' }, 'Product Viewed')],
    ['never', did({ where: { coupon: 'TEN' } })],
    ['3 times, the last 1 May 2026, 41 days ago', did({}, ['Order Completed', 'Ticket Bought'])],
    ['3 orders this year, the last 1 May 2026, 41 days ago', did({ in: 'this year' })],
    ['1 order last month, the last 1 May 2026, 41 days ago', did({ in: 'last month' })],
    ['none today; the last 1 May 2026, 41 days ago', did({ in: 'today' })],
    [
      '2 orders between 2026-03-01 and 2026-03-31, the last 1 May 2026, 41 days ago',
      did({ between: ['2026-03-01', '2026-03-31'] }),
    ],
    ['1 order since 2026-04-01, the last 1 May 2026, 41 days ago', did({ since: '2026-04-01' })],
    ['last 1 May 2026, 41 days ago', did({ latest: { moreThanAgo: '60d' } })],
    ['first 3 March 2026, 100 days ago', did({ first: { inLast: '60d' } })],
    ['€868.50 in the last 365 days', did({ sum: { of: 'revenue', atLeast: 1000 }, inLast: '365d' })],
    [
      'none in the last 30 days; the last 1 May 2026, 41 days ago',
      did({ sum: { of: 'revenue', atLeast: 1 }, inLast: '30d' }),
    ],
    ['the largest €428.50', did({ largest: { of: 'revenue', atLeast: 100 } })],
    ['3 different this year', did({ distinct: { of: 'products.product_id', atLeast: 5 }, in: 'this year' })],
    ['2 orders of the same', did({ same: 'products.product_id', times: { atLeast: 2 } })],
    ['€868.50', { has: { 'orders.spend': { atLeast: 1000 } } }],
    ['3 orders', { has: { 'orders.count': { atLeast: 3 } } }],
    ['1.39266 intervals', { has: { 'rhythm.overdue': { atLeast: 1.5 } } }],
    ['29.5 days', { has: { 'rhythm.interval': { atMost: 3 } } }],
    ['0 open cases', { has: { 'service.openCases': { atLeast: 1 } } }],
    ['no', { has: { 'subscription.active': true } }],
    ['not known', { has: { 'value.decile': 1 } }],
    ['not known', { has: { country: ['PL', 'CZ'] } }],
    ['1 May 2026, 41 days ago', { has: { 'orders.last': { moreThanAgo: '60d' } } }],
    ['none', { has: { running: 'win-back' } }],
    ['granted 1 March 2026 (double)', { consent: 'offers' }],
    ['none recorded', { consent: 'news' }],
  ])('%s', (found, rule) => {
    expect(explained(rule, bought).clause.found).toBe(found);
  });

  test.each<[found: string, name: string, value: Interaction['traits'][string]]>([
    ['12 June 1990', 'birthday', '1990-06-12'],
    ['29 February', 'birthday', '--02-29'],
    ['11 June 2026, 2 hours ago', 'birthday', '2026-06-11T10:00:00Z'],
    ['“soon”, which is no date', 'birthday', 'soon'],
    ['“PL”', 'country', 'PL'],
    ['not known', 'country', null],
    ['17', 'age', 17],
    ['“new”, “old”', 'tags', ['new', 'old']],
    ['none', 'tags', []],
    ['yes', 'vip', true],
    ['“a b”', 'plan', 'a\u001bb'],
    ['{"a":1}', 'plan', { a: 1 }],
  ])('%s of an attribute that was given', (found, name, value) => {
    const said = event('Identified', '2026-06-01', {}, { traits: { [name]: value } });
    expect(explained({ has: { [name]: { exists: true } } }, [said]).clause.found).toBe(found);
  });

  test('is told in the contact’s zone, with the instant of its turn', () => {
    const events = [...introduced('2026-03-01', { zone: 'Pacific/Auckland' }), order('1', '2026-06-10 22:00', ['bag'])];
    const { clause } = explained(did({ inLast: '7d' }), events);
    expect(clause.found).toBe('1 order in the last 7 days, the last 11 June 2026, 14 hours ago');
    expect(sayInstant(clause.turns as number, 'Pacific/Auckland')).toBe('18 June 2026, 10:00');
  });

  test('says of a consent how it stands', () => {
    const withdrawn = event('Consent Withdrawn', '2026-04-01', { topic: 'offers' });
    expect(explained({ consent: 'offers' }, [...bought, withdrawn]).clause.found).toBe('withdrawn 1 April 2026');
    const all = event('Consent Withdrawn', '2026-04-02', { all: true });
    expect(explained({ consent: 'offers' }, [...bought, all]).clause.found).toBe('all of shop withdrawn 2 April 2026');
    const short = event('Consent Granted', '2026-04-03', { topic: 'offers', until: '2026-05-01' });
    expect(explained({ consent: 'offers' }, [...bought, short]).clause).toMatchObject({
      holds: false,
      found: 'granted 3 April 2026 (single), ended 1 May 2026',
    });
    expect(explained({ consent: 'offers' }, [...bought, short], instant('2026-04-20')).clause).toMatchObject({
      holds: true,
      found: 'granted 3 April 2026 (single), until 1 May 2026',
      turns: instant('2026-05-01'),
    });
  });

  test('says where it is counted by days, and where not', () => {
    const views = Array.from({ length: 100 }, (_, i) =>
      event('Product Viewed', NOW - (i + 1) * DAY, { product_id: 'bag' }, { id: `v${i}` }),
    ).reverse();
    const found = (more: object): string | undefined => explained(did(more, 'Product Viewed'), views).clause.found;
    const blurred = 'counted by days beyond the newest 64';
    expect(found({ times: { atLeast: 90 } })).toBe(
      `100 product views, the last 10 June 2026, 24 hours ago, ${blurred}`,
    );
    expect(found({ first: { inLast: '99d' } })).toContain(blurred);
    expect(found({ inLast: '20d' })).toBe('19 product views in the last 20 days, the last 10 June 2026, 24 hours ago');
    expect(found({ latest: { inLast: '99d' } })).not.toContain(blurred);
  });

  test('of a draw is cut and not rounded, so that it never looks like the other side of a bound', () => {
    const { id } = new World(bookOf()).record(bought).person();
    for (let i = 0; i < 20; i++) {
      const above = (Math.floor(drawOf('share', `draw-${i}`, id) * 100) + 1) / 100;
      const { holds, found } = explained({ share: `draw-${i}`, percent: [0, above] }, bought).clause;
      expect(found).toMatch(/^drew \d{1,2}\.\d\d$/);
      expect([holds, Number(found?.slice(5)) < above]).toEqual([true, true]);
    }
  });
});

describe('a rule', () => {
  test('is a tree in which a segment that is referred to is opened once, and deeper ones are named', () => {
    const { clause } = explained({ all: [{ segment: 'vip' }, { not: { segment: 'lapsed' } }] }, bought, NOW, {
      vip: { any: [{ segment: 'buyers' }, { has: { 'value.decile': 1 } }] },
      buyers: did(),
      lapsed: did({ latest: { moreThanAgo: '60d' } }),
    });
    const shape = ({ kind, holds, parts }: Clause): unknown => [kind, holds, ...(parts ?? []).map(shape)];
    expect(shape(clause)).toEqual([
      'all',
      true,
      ['segment', true, ['any', true, ['segment', true], ['has', false]]],
      ['not', true, ['segment', false, ['did', false]]],
    ]);
    expect(clause.turns).toBe(instant('2026-06-30 10:00'));
    expect(clause.parts?.[0]).toMatchObject({ words: 'is in vip', found: 'a member since 3 March 2026' });
    expect(clause.parts?.[0]).not.toHaveProperty('turns');
  });

  test('finds its own measure among those of one counter', () => {
    const two: Rule = { all: [did({ sum: { of: 'total', atLeast: 1 } }), did({ sum: { of: 'revenue', atLeast: 1 } })] };
    const dear = order('4', '2026-05-02', ['bag'], { properties: { revenue: 1, total: 2 } });
    const { clause } = explained(did({ sum: { of: 'revenue', atMost: 1.5 } }), [dear], NOW, { a: two });
    expect(clause).toMatchObject({ holds: true, found: '€1.00' });
    const { parts } = explained(two, [dear]).clause;
    expect(parts?.map(({ found }) => found)).toEqual(['€2.00', '€1.00']);
  });

  test('of several attributes has an answer for each of them', () => {
    const { clause } = explained({ has: { 'orders.count': { atLeast: 3 }, 'value.decile': 1 } }, bought);
    expect(clause).toMatchObject({ kind: 'has', holds: false });
    expect(clause.parts?.map(({ holds, found }) => [holds, found])).toEqual([
      [true, '3 orders'],
      [false, 'not known'],
    ]);
  });

  test('that can turn only by an event has no turn, also where the calendar goes on', () => {
    expect(explained(did({ in: 'today' }), bought).turns).toBeUndefined();
    expect(explained(did({ times: 3 }), bought).turns).toBeUndefined();
  });

  test('that time turns more than once is told with the next', () => {
    const birthday = event('Identified', '2026-06-01', {}, { traits: { birthday: '1990-06-15' } });
    const rule: Rule = { has: { birthday: { anniversary: 'today' } } };
    expect(explained(rule, [birthday]).turns).toBe(instant('2026-06-14 22:00'));
    expect(explained(rule, [birthday], instant('2026-06-15 10:00')).turns).toBe(instant('2026-06-15 22:00'));
  });

  test('of a segment that nobody published is not explained', () => {
    const world = new World(bookOf()).record(bought);
    expect(() => explainSegment(world.book, world.person(), 'nothing', NOW)).toThrow(RangeError);
    expect(() => explainCampaign(world.book, world.person(), 'nothing', NOW)).toThrow(RangeError);
  });

  test('over a contact that another book has counted says so', () => {
    const world = new World(bookOf({ segments: { a: did() } })).record(bought);
    expect(isCounted(world.book, world.person())).toBe(true);
    expect(isCounted(bookOf({ segments: { a: did({}, 'Product Viewed') } }), world.person())).toBe(false);
    expect(isCounted(bookOf(), world.person())).toBe(true);
  });
});

describe('a campaign', () => {
  const campaign = marketing({
    when: { did: 'Checkout Started' },
    for: { all: [{ consent: 'offers' }, { has: { 'orders.count': { atLeast: 1 } } }] },
    stopIf: { did: 'Order Completed', since: 'run start' },
    steps: [{ wait: '30d' }, { send: 'cart' }],
  });
  const started = event('Checkout Started', '2026-06-01 10:00', { value: 40 });

  test('is explained without a run as far as its rules need none', () => {
    const world = new World(bookOf({ campaigns: { cart: campaign } })).record(bought);
    const said = explainCampaign(world.book, world.person(), 'cart', NOW);
    expect(said).not.toHaveProperty('run');
    expect(said.for).toMatchObject({
      holds: true,
      parts: [{ found: 'granted 1 March 2026 (double)' }, { found: '3 orders' }],
    });
    expect(said.stopIf).toMatchObject({ needsRun: true });
  });

  test('is explained from inside the run that is under way', () => {
    const world = new World(bookOf({ campaigns: { cart: campaign } })).record([...bought, started]);
    expect(explainCampaign(world.book, world.person(), 'cart', NOW)).toMatchObject({
      run: { startedAt: started.at },
      stopIf: { kind: 'did', holds: false, found: 'never' },
    });
  });

  test('asks for consent to its own brand, and a segment for that of the first', () => {
    const asks = { ...campaign, sender: 'outlet', for: { any: [{ consent: 'offers' }, { segment: 'consenting' }] } };
    const { stopIf: _, ...outlet } = asks;
    const segments = { consenting: { consent: 'offers' } };
    const world = new World(bookOf({ campaigns: { outlet }, segments })).record(bought);
    expect(explainCampaign(world.book, world.person(), 'outlet', NOW).for).toMatchObject({
      parts: [
        { holds: false, found: 'none recorded' },
        { holds: true, parts: [{ holds: true }] },
      ],
    });
  });

  test('that says nothing of whom or when to stop has nothing to explain', () => {
    const { for: _, stopIf: __, ...plain } = campaign;
    const world = new World(bookOf({ campaigns: { cart: plain } })).record(bought);
    expect(explainCampaign(world.book, world.person(), 'cart', NOW)).toEqual({ id: 'cart' });
  });
});

/** What the answers of a clause's parts make of it. */
function fromParts({ kind, parts = [], holds }: Clause): boolean {
  const answers = parts.map(fromParts);
  if (kind === 'any') return answers.some(Boolean);
  if (kind === 'not') return !answers[0];
  return parts.length === 0 ? holds : answers.every(Boolean);
}

function leaves(clause: Clause): Clause[] {
  return clause.parts === undefined ? [clause] : clause.parts.flatMap(leaves);
}

/** How many events a finding tells of; undefined where it tells of something else. */
function countTold({ rule, found = '' }: Clause): number | undefined {
  if (!('did' in rule) || rule.sum || rule.largest || rule.distinct || rule.same || rule.latest || rule.first)
    return undefined;
  if (/^(never|none)/.test(found)) return 0;
  const [, word] = /^(once|twice|\d+)/.exec(found) ?? [];
  return word === 'once' ? 1 : word === 'twice' ? 2 : Number(word);
}

function isAsked(many: number, times: Extract<Rule, { did: unknown }>['times'] = { atLeast: 1 }): boolean {
  if (many === 0) return false;
  if (typeof times === 'number') return many === times;
  const [name, bound] = Object.entries(times)[0] as [string, number | [number, number]];
  if (Array.isArray(bound)) return many >= bound[0] && many <= bound[1];
  return { atLeast: many >= bound, moreThan: many > bound, atMost: many <= bound, lessThan: many < bound }[
    name
  ] as boolean;
}

describe('any rule of any person', () => {
  const made = ({
    rules,
    events,
    now,
    shopZone,
  }: {
    rules: Record<string, Rule>;
    events: Interaction[];
    now: number;
    shopZone: string;
  }) => {
    const book = bookOf({ segments: rules, settings: { zone: shopZone } });
    const world = new World(book).record(
      events.filter((one) => one.at <= now),
      { now },
    );
    return { book, contact: world.person() as Contact };
  };

  test('has clauses whose answers make up the engine’s, and counts that make up the answers', () => {
    fc.assert(
      fc.property(fc.oneof(lives(), lives({ burst: true })), (life) => {
        const { book, contact } = made(life);
        const sight = sightOf(book, contact, life.now);
        for (const id of Object.keys(life.rules)) {
          const { clause, holds } = explainSegment(book, contact, id, life.now);
          expect(holds).toBe(sight.inSegment(id));
          const visit = (one: Clause): void => {
            expect(one.holds).toBe(fromParts(one));
            one.parts?.forEach(visit);
          };
          expect(clause.holds).toBe(holds);
          visit(clause);
          for (const leaf of leaves(clause)) {
            expect(leaf.found ?? '').not.toMatch(/undefined|null|NaN|Infinity|object|Invalid|\b\d{12}/);
            const told = countTold(leaf);
            if (told !== undefined && 'did' in leaf.rule)
              expect([leaf.found, isAsked(told, leaf.rule.times)]).toEqual([leaf.found, leaf.holds]);
          }
        }
      }),
      seeded(150),
    );
  });

  test('turns at the instant that is told, and not before', () => {
    fc.assert(
      fc.property(fc.oneof(lives(), lives({ burst: true })), (life) => {
        const { book, contact } = made(life);
        const answer = (id: string, at: number): boolean => sightOf(book, contact, at).inSegment(id);
        for (const id of Object.keys(life.rules)) {
          const { holds, turns } = explainSegment(book, contact, id, life.now);
          const end = Math.min(turns ?? Number.POSITIVE_INFINITY, life.now + 400 * DAY);
          for (let i = 0; i < 100; i++)
            expect(answer(id, life.now + Math.floor(((end - life.now) * i) / 100))).toBe(holds);
          if (turns === undefined) continue;
          expect(answer(id, turns - 1)).toBe(holds);
          expect(answer(id, turns)).toBe(!holds);
        }
      }),
      seeded(60),
    );
  });
});
