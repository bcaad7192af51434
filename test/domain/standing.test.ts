// How a person stands with the shop: cases, subscriptions and scores, in any order and with repeats.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Contact, type Facts, newContact } from '../../domain/contact.ts';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import { mergeContacts } from '../../domain/merge.ts';
import { foldStanding, hasSubscription, openCases, SCORES, scoreOf } from '../../domain/standing.ts';
import { event, instant } from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

const T0 = instant('2026-03-02');

/** Facts after these events, in the order given. */
function factsAfter(...said: Interaction[]): Facts {
  const { facts } = newContact('a', 1);
  for (const one of said) foldStanding(facts, one);
  return facts;
}

const opened = (at: number, case_id = 'k', id?: string): Interaction =>
  event('Case Opened', T0 + at, { case_id }, id === undefined ? {} : { id });
const closed = (at: number, case_id = 'k', id?: string): Interaction =>
  event('Case Closed', T0 + at, { case_id }, id === undefined ? {} : { id });
const scored = (at: number, properties: JsonObject, id?: string): Interaction =>
  event('Scores Updated', T0 + at, properties, { source: 'kairos', ...(id === undefined ? {} : { id }) });

describe('a case', () => {
  test('is open from its opening to its closing, whichever comes first', () => {
    expect(openCases(factsAfter())).toBe(0);
    expect(openCases(factsAfter(opened(1)))).toBe(1);
    expect(openCases(factsAfter(opened(1), closed(2)))).toBe(0);
    expect(openCases(factsAfter(closed(2), opened(1)))).toBe(0);
    expect(openCases(factsAfter(closed(2), opened(3), opened(1)))).toBe(1);
  });

  test('that is opened and closed at one instant is closed, whatever their ids', () => {
    for (const [a, b] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      expect(openCases(factsAfter(opened(1, 'k', a), closed(1, 'k', b)))).toBe(0);
      expect(openCases(factsAfter(closed(1, 'k', b), opened(1, 'k', a)))).toBe(0);
    }
  });

  test('counts by itself, and an event without its id says nothing', () => {
    const facts = factsAfter(
      opened(1, 'x'),
      opened(2, 'y'),
      closed(3, 'x'),
      event('Case Opened', T0, { topic: 'late' }),
    );
    expect(openCases(facts)).toBe(1);
    expect(Object.keys(facts.cases ?? {}).sort()).toEqual(['x', 'y']);
  });

  test('is kept while it is among the 50 newest, also where the words of 60 come in any order', () => {
    const words = Array.from({ length: 60 }, (_, i) => [opened(i, `k${i}`), closed(1000 + i, `k${i}`)]).flat();
    fc.assert(
      fc.property(fc.shuffledSubarray(words, { minLength: words.length, maxLength: words.length }), (shuffled) => {
        const { cases } = factsAfter(...shuffled);
        expect(Object.keys(cases ?? {}).sort()).toEqual(Array.from({ length: 50 }, (_, i) => `k${i + 10}`).sort());
        expect(openCases({ ...newContact('a', 1).facts, cases: cases ?? {} })).toBe(0);
      }),
      seeded(50),
    );
  });

  test('may bear the name of what every object has', () => {
    const facts = factsAfter(opened(1, 'toString'), opened(1, '__proto__'));
    expect(openCases(facts)).toBe(2);
    expect(openCases(factsAfter(opened(1, '__proto__'), closed(2, '__proto__')))).toBe(0);
  });
});

describe('a subscription', () => {
  const started = (at: number, subscription_id: string) =>
    event('Subscription Started', T0 + at, { subscription_id, product_id: 'film' });
  const cancelled = (at: number, subscription_id: string) =>
    event('Subscription Cancelled', T0 + at, { subscription_id });

  test('is active until it is cancelled; one of several is enough', () => {
    expect(hasSubscription(factsAfter())).toBe(false);
    expect(hasSubscription(factsAfter(started(1, 's')))).toBe(true);
    expect(hasSubscription(factsAfter(cancelled(2, 's'), started(1, 's')))).toBe(false);
    expect(hasSubscription(factsAfter(started(1, 's'), started(1, 't'), cancelled(2, 's')))).toBe(true);
    expect(hasSubscription(factsAfter(started(1, 's'), cancelled(1, 's')))).toBe(false);
  });

  test('is kept while it is among the 20 newest', () => {
    const facts = factsAfter(...Array.from({ length: 30 }, (_, i) => started(i, `s${i}`)));
    expect(Object.keys(facts.subscriptions ?? {})).toHaveLength(20);
    expect(facts.subscriptions).not.toHaveProperty('s9');
  });
});

describe('a score', () => {
  test('is missing until something gives it, and the latest word holds', () => {
    expect(scoreOf(factsAfter(), 'value.decile')).toBeUndefined();
    const facts = factsAfter(
      scored(2, { 'value.decile': 1 }),
      scored(1, { 'value.decile': 4, 'loyalty.tier': 'gold' }),
      scored(3, { 'rfm.recency': 5 }),
    );
    expect(scoreOf(facts, 'value.decile')).toBe(1);
    expect(scoreOf(facts, 'loyalty.tier')).toBe('gold');
    expect(scoreOf(facts, 'rfm.recency')).toBe(5);
    expect(scoreOf(facts, 'toString')).toBeUndefined();
  });

  test('of one instant has the greater id', () => {
    const [low, high] = [scored(1, { 'value.decile': 4 }, 'a'), scored(1, { 'value.decile': 9 }, 'b')];
    expect(scoreOf(factsAfter(low, high), 'value.decile')).toBe(9);
    expect(scoreOf(factsAfter(high, low), 'value.decile')).toBe(9);
  });

  test.each<[string, JsonObject]>([
    ['a number that is a text', { 'value.decile': '3' }],
    ['a number that is none', { 'value.decile': Number.NaN }],
    ['an infinite number', { 'predicted.orders': Number.POSITIVE_INFINITY }],
    ['money that is no whole number of minor units', { 'value.lifetime': 12.5 }],
    ['a text that is a number', { 'loyalty.tier': 3 }],
    ['an empty text', { 'loyalty.tier': '' }],
    ['a text of 101 characters', { 'loyalty.tier': 'x'.repeat(101) }],
    ['null', { 'value.decile': null }],
    ['a list', { 'value.decile': [1] }],
    ['a name that is no score', { 'value.total': 3, constructor: 1, __proto__: 1 } as JsonObject],
  ])('is not taken from %s, and what stood stays', (_, bad) => {
    const good = scored(1, { 'value.decile': 2, 'loyalty.tier': 'gold', 'value.lifetime': 100, 'predicted.orders': 2 });
    expect(factsAfter(good, scored(2, bad)).scores).toEqual(factsAfter(good).scores);
    expect(factsAfter(scored(2, bad)).scores).toBeUndefined();
  });
});

test('other events say nothing of how a person stands, and what was held before is not written into', () => {
  const before = factsAfter(opened(1), scored(1, { 'value.decile': 2 }));
  for (const part of [before, before.cases, before.scores]) Object.freeze(part);
  const copy = { ...before };
  foldStanding(copy, event('Order Completed', T0, { order_id: '1', case_id: 'k', 'value.decile': 9 }));
  foldStanding(copy, opened(1));
  expect(copy.cases).toBe(before.cases);
  foldStanding(copy, closed(2));
  foldStanding(copy, scored(2, { 'value.decile': 3 }));
  expect([openCases(before), openCases(copy)]).toEqual([1, 0]);
  expect([scoreOf(before, 'value.decile'), scoreOf(copy, 'value.decile')]).toEqual([2, 3]);
});

describe('how a person stands', () => {
  const names = fc.constantFrom('Case Opened', 'Case Closed', 'Subscription Started', 'Subscription Cancelled');
  const word = fc.oneof(
    fc
      .tuple(names, fc.integer({ min: 0, max: 8 }), fc.constantFrom('x', 'y', 'z'))
      .map(([name, at, key]) => [name, at, { case_id: key, subscription_id: key }] as const),
    fc
      .tuple(
        fc.integer({ min: 0, max: 8 }),
        fc.constantFrom<JsonObject>(
          { 'value.decile': 1 },
          { 'value.decile': 2, 'loyalty.tier': 'gold' },
          { nothing: 1 },
        ),
      )
      .map(([at, scores]) => ['Scores Updated', at, scores] as const),
  );
  const life = fc
    .array(word, { minLength: 1, maxLength: 25 })
    .map((words) => words.map(([name, at, properties], i) => event(name, T0 + at, properties, { id: `e${i}` })));
  const standing = ({ cases, subscriptions, scores }: Facts) => ({ cases, subscriptions, scores });

  test('in any order, with repeats, and on two contacts that become one, is one and the same', () => {
    const lives = life.chain((said) =>
      fc.tuple(
        fc.constant(said),
        fc.shuffledSubarray(said, { minLength: said.length, maxLength: said.length }),
        fc.array(fc.boolean(), { minLength: said.length, maxLength: said.length }),
      ),
    );
    fc.assert(
      fc.property(lives, ([said, shuffled, sides]) => {
        const expected = standing(factsAfter(...said));
        expect(standing(factsAfter(...shuffled, ...shuffled.slice(0, 4)))).toEqual(expected);
        const part = (side: boolean, id: string): Contact => ({
          ...newContact(id, 1),
          facts: factsAfter(...said.filter((_, i) => sides[i] === side)),
        });
        expect(standing(mergeContacts(part(true, 'a'), part(false, 'b')).contact.facts)).toEqual(expected);
        expect(standing(mergeContacts(part(false, 'a'), part(true, 'b')).contact.facts)).toEqual(expected);
      }),
      seeded(300),
    );
  });

  test('is bounded on two contacts that become one', () => {
    const many = (id: string, from: number): Contact => ({
      ...newContact(id, 1),
      facts: factsAfter(...Array.from({ length: 40 }, (_, i) => opened(from + i, `${id}${i}`))),
    });
    const { contact } = mergeContacts(many('a', 0), many('b', 1000));
    expect(Object.keys(contact.facts.cases ?? {})).toHaveLength(50);
    expect(contact.facts.cases).toHaveProperty('b0');
    expect(contact.facts.cases).not.toHaveProperty('a29');
  });
});

test('every score is a number, money or text', () => {
  expect(Object.keys(SCORES)).toHaveLength(13);
  for (const type of Object.values(SCORES)) expect(['number', 'money', 'text']).toContain(type);
});

test('a score outside its bounds is passed over: fifths from 1 to 5, tenths from 1 to 10, a chance from 0 to 1', () => {
  expect(factsAfter(scored(1, { 'predicted.alive': 1.01 }))).not.toHaveProperty('scores');
  expect(scoreOf(factsAfter(scored(1, { 'predicted.alive': 0 })), 'predicted.alive')).toBe(0);
  const facts = factsAfter(scored(1, { 'rfm.recency': 5, 'rfm.money': 0, 'value.decile': 11, 'value.lifetime': -5 }));
  expect(Object.keys(facts.scores ?? {}).sort()).toEqual(['rfm.recency', 'value.lifetime']);
  expect(scoreOf(factsAfter(scored(1, { 'value.decile': 10 })), 'value.decile')).toBe(10);
});
