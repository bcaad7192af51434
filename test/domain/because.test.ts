// What is kept of why a message was decided: each clause's answer and what was read, small enough to stand on the message.
import { describe, expect, it } from 'vitest';
import { audienceOf, becauseOf, MOST_CLAUSES } from '../../domain/because.ts';
import type { Book } from '../../domain/book.ts';
import type { CompiledCampaign } from '../../domain/compiled-campaign.ts';
import type { Cause, Contact, Run } from '../../domain/contact.ts';
import { sightOf, sightOfRun } from '../../domain/eligibility.ts';
import type { Rule } from '../../domain/grammar.ts';
import { bookOf, DAY, event, instant, introduced, marketing, order, World } from '../support/people.ts';

const NOW = instant('2026-06-11 12:00');
const cause: Cause = { kind: 'event', name: 'Checkout Started', id: 'checkout-77', at: NOW };
const start: Run = {
  id: 'r1',
  campaign: 'cart',
  version: 'v',
  occurrence: 'o',
  startedAt: NOW - DAY,
  at: 0,
  from: NOW - DAY,
  trigger: { name: 'Checkout Started', id: 'checkout-77', at: NOW - DAY, properties: { product_id: 'camera' } },
  counters: {},
  pending: [],
};

function asked(rule: Rule, segments: Record<string, Rule> = {}): { book: Book; cart: CompiledCampaign; ann: Contact } {
  const campaign = marketing({ when: { did: 'Checkout Started' }, for: rule, steps: [{ send: 'cart' }] });
  const book = bookOf({ segments, campaigns: { cart: campaign } });
  const ann = new World(book)
    .record([
      event('Identified', '2026-01-01', {}, { traits: { country: 'PL', tags: ['a', 'b', 'c', 'd', 'e', 'f'] } }),
      ...introduced('2026-03-01'),
      order('1', '2026-03-03 10:00', ['camera']),
      order('2', '2026-05-01 10:00', ['bag']),
    ])
    .until(NOW)
    .person();
  return { book, cart: book.campaign.get('cart') as CompiledCampaign, ann };
}

const clausesOf = (rule: Rule, segments?: Record<string, Rule>, run?: Run) => {
  const { book, cart, ann } = asked(rule, segments);
  return becauseOf(book, ann, cart, run, NOW, cause).clauses;
};

describe('because', () => {
  it('names the book and the cause, and says nothing of a campaign that is for everybody', () => {
    const book = bookOf({ campaigns: { cart: marketing({ when: { did: 'X' }, steps: [{ send: 'cart' }] }) } });
    const cart = book.campaign.get('cart') as CompiledCampaign;
    expect(becauseOf(book, asked({ consent: 'offers' }).ann, cart, undefined, NOW, cause)).toEqual({
      book: 'book-1',
      ordinal: 1,
      cause,
    });
  });

  it('answers each clause in the order in which it is written, groups opened, with what was read', () => {
    const rule: Rule = {
      all: [
        { has: { country: ['PL', 'CZ'], 'orders.count': { atLeast: 3 } } },
        { not: { did: 'Order Refunded' } },
        {
          any: [
            { did: 'Order Completed', times: { atLeast: 2 }, inLast: '365d' },
            { did: 'Order Completed', sum: { of: 'revenue', atLeast: 500 } },
          ],
        },
        { consent: 'offers' },
      ],
    };
    expect(clausesOf(rule)).toEqual([
      [true, 'PL'],
      [false, 2],
      [false],
      // The second newest order, by which at least two are known.
      [true, instant('2026-03-03 10:00')],
      [false, 44000],
      [true, 'double'],
    ]);
  });

  it('of a segment says since when, as the journey has it', () => {
    const segments = { buyers: { did: 'Order Completed' }, gold: { has: { plan: 'gold' } } };
    expect(clausesOf({ all: [{ segment: 'buyers' }, { not: { segment: 'gold' } }] }, segments)).toEqual([
      [true, instant('2026-03-03 10:00')],
      [false],
    ]);
  });

  it('reads the run where a clause speaks of it', () => {
    const rule: Rule = { has: { country: { isNot: '@trigger.product_id' } } };
    expect(clausesOf(rule, {}, start)).toEqual([[true, 'PL']]);
    expect(clausesOf(rule, {}, { ...start, trigger: { ...start.trigger, properties: { product_id: 'PL' } } })).toEqual([
      [false, 'PL'],
    ]);
  });

  it('answers a broadcast’s "to" before its "for"', () => {
    const when = { every: 'tuesday 10:00', clock: 'shop' as const, to: { has: { country: 'DE' } } };
    const campaign = marketing({ when, for: { consent: 'offers' }, steps: [{ send: 'news' }] });
    const book = bookOf({ campaigns: { news: campaign } });
    const news = book.campaign.get('news') as CompiledCampaign;
    expect(becauseOf(book, asked({ consent: 'offers' }).ann, news, undefined, NOW, cause).clauses).toEqual([
      [false, 'PL'],
      [true, 'double'],
    ]);
  });

  it('keeps the first twelve clauses, the first five of a list, and 40 characters of a text', () => {
    const many = Array.from({ length: 30 }, (_, n): Rule => ({ has: { age: { moreThan: n } } }));
    expect(clausesOf({ any: many })).toHaveLength(MOST_CLAUSES);
    expect(clausesOf({ has: { tags: 'b' } })).toEqual([[true, ['a', 'b', 'c', 'd', 'e']]]);
    const { book, cart, ann } = asked({ has: { country: { exists: true } } });
    const { attributes } = ann.facts;
    const long = { ...attributes.country, value: 'x'.repeat(41) } as (typeof attributes)[string];
    const wordy = { ...ann, facts: { ...ann.facts, attributes: { ...attributes, country: long } } };
    const [[, found] = []] = becauseOf(book, wordy, cart, undefined, NOW, cause).clauses ?? [];
    expect(found).toBe(`${'x'.repeat(39)}…`);
  });

  it('gives the engine’s own answers, so that those of the clauses make up that of "for"', () => {
    const segments = { buyers: { did: 'Order Completed' } };
    const parts: Rule[] = [
      { did: 'Order Completed', times: 2 },
      { did: 'Order Completed', times: { between: [3, 5] }, inLast: '90d' },
      { did: 'Order Completed', latest: { moreThanAgo: '60d' } },
      { did: 'Order Completed', distinct: { of: 'products.category', atLeast: 2 }, in: 'this year' },
      { did: 'Product Viewed', since: 'run start' },
      { share: 'spring', percent: [0, 50] },
      { has: { 'orders.last': { inLast: '30d' } } },
      { segment: 'buyers' },
    ];
    for (const part of parts) {
      const { book, cart, ann } = asked(part, segments);
      const answer = cart.for?.test(sightOfRun(sightOf(book, ann, NOW), start));
      expect([part, becauseOf(book, ann, cart, start, NOW, cause).clauses?.[0]?.[0]]).toEqual([part, answer]);
      expect(audienceOf(cart).map(({ rule }) => rule)).toEqual([part]);
    }
  });

  it('takes less than 400 characters for a usual audience', () => {
    const rule: Rule = {
      all: [
        { segment: 'buyers' },
        { not: { has: { running: 'abandoned-cart' } } },
        { not: { did: 'Order Refunded', inLast: '30d' } },
        { did: 'Order Completed', times: { atLeast: 2 } },
      ],
    };
    const { book, cart, ann } = asked(rule, { buyers: { did: 'Order Completed' } });
    const named = { ...cause, id: '0b9c7a52-6a0c-4f5e-9d3e-0f1f3c7d2a11' };
    const because = becauseOf({ ...book, hash: 'a'.repeat(64) }, ann, cart, start, NOW, named);
    expect(JSON.stringify(because).length).toBeLessThan(400);
  });
});
