// The compiled book: order of segments, versions, what it reads and what it passes over.
import { describe, expect, test } from 'vitest';
import { campaignVersion, emptyBook, segmentMeaning, segmentOrder, segmentsOfCampaign } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import type { Rule, Segment, Where } from '../../domain/grammar.ts';
import { bookOf, marketing, type Parts } from '../support/people.ts';

const did = (name: string, more: object = {}): Rule => ({ did: name, ...more }) as Rule;
const of = (rules: Record<string, Rule>): Record<string, Segment> =>
  Object.fromEntries(Object.entries(rules).map(([id, rule]) => [id, { rule }]));

describe('segments of a book', () => {
  const rules: Record<string, Rule> = {
    a: { all: [{ segment: 'c' }, { not: { segment: 'b' } }] },
    b: did('Order Completed'),
    c: { any: [{ segment: 'b' }, { has: { country: 'PL' } }] },
  };

  test('each stands after those that it reads', () => {
    expect(segmentOrder(of(rules))).toEqual(['b', 'c', 'a']);
    expect(bookOf({ segments: rules }).segments.map(({ id }) => id)).toEqual(['b', 'c', 'a']);
  });

  test('a circle is refused, and named', () => {
    expect(() => segmentOrder(of({ a: { segment: 'b' }, b: { not: { segment: 'a' } } }))).toThrow('a → b → a');
    expect(() => segmentOrder(of({ a: { segment: 'a' } }))).toThrow('a → a');
  });

  test('a segment means another thing when one that it reads does', () => {
    const changed = { ...rules, b: did('Order Completed', { inLast: '60d' }) };
    for (const id of ['a', 'b', 'c']) expect(segmentMeaning(id, of(changed))).not.toBe(segmentMeaning(id, of(rules)));
    expect(segmentMeaning('b', of({ ...rules, a: { has: { country: 'PL' } } }))).toBe(segmentMeaning('b', of(rules)));
    expect(segmentMeaning('none', of(rules))).toBe('');
  });

  test('a title changes no meaning, nor does the order of keys', () => {
    const one: Rule = { has: { country: 'PL', age: 3 } };
    const other: Rule = { has: { age: 3, country: 'PL' } };
    expect(segmentMeaning('x', { x: { rule: one, title: 'X' } })).toBe(segmentMeaning('x', { x: { rule: other } }));
  });
});

describe('a campaign', () => {
  const campaign = marketing({ when: { enters: 'a' }, steps: [{ send: 'hello' }] });

  test('its version is what it says, titles and owners apart', () => {
    expect(campaignVersion({ ...campaign, title: 'T', owner: 'me', $schema: 's' })).toBe(campaignVersion(campaign));
    expect(campaignVersion({ ...campaign, again: 'never' })).not.toBe(campaignVersion(campaign));
    expect(campaignVersion({ ...campaign, steps: [{ send: 'hello' }, { send: 'again' }] })).not.toBe(
      campaignVersion(campaign),
    );
  });

  test('the segments that it reads are found wherever they stand', () => {
    const reading: Campaign = marketing({
      when: { enters: 'a' },
      for: { not: { segment: 'b' } },
      stopIf: { any: [{ segment: 'c' }, did('Order Completed')] },
      steps: [
        { send: 'hello', unless: { segment: 'd' } },
        {
          if: { segment: 'e' },
          then: [{ waitFor: { segment: 'f' }, upTo: '1d', else: [{ if: { segment: 'g' }, then: [{ stop: 'x' }] }] }],
        },
        { send: 'again', unless: { segment: 'a' } },
      ],
    });
    expect(segmentsOfCampaign(reading)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  });

  test('its steps become a program whose branches meet again', () => {
    const steps: Campaign['steps'] = [
      { wait: '1d' },
      { if: did('Order Completed'), then: [{ send: 'a' }], else: [{ send: 'b' }, { stop: 'enough' }] },
      { waitFor: did('Order Completed'), upTo: '2d' },
      { send: 'c' },
    ];
    const [compiled] = bookOf({ campaigns: { x: marketing({ when: { did: 'Product Viewed' }, steps }) } }).campaigns;
    const shape = compiled?.program.map((one) => [
      one.op,
      one.step,
      'else' in one ? one.else : 'to' in one ? one.to : '',
    ]);
    expect(shape).toEqual([
      ['wait', '0', ''],
      ['if', '1', 4],
      ['send', '1.then.0', ''],
      ['jump', '1', 6],
      ['send', '1.else.0', ''],
      ['stop', '1.else.1', ''],
      ['waitFor', '2', 8],
      ['jump', '2', 8],
      ['send', '3', ''],
    ]);
  });

  test("it sends for the brand of its sender, and its consents are that brand's", () => {
    const book = bookOf({ campaigns: { x: { ...campaign, sender: 'outlet' }, y: campaign } });
    expect(book.campaigns.map((one) => [one.id, one.brand])).toEqual([
      ['x', 'outlet'],
      ['y', 'shop'],
    ]);
  });
});

describe('what a book reads', () => {
  const book = bookOf({
    segments: { viewers: did('Product Viewed', { where: { category: 'Bags' } }) },
    campaigns: {
      x: marketing({
        when: { did: 'Service Called' },
        stopIf: did('Ticket Bought', { since: 'run start' }),
        steps: [{ send: 'hello' }],
      }),
    },
  });

  test('events that a counter, a campaign or a fact reads are not passed over', () => {
    const read = [
      'Product Viewed',
      'Service Called',
      'Ticket Bought',
      'Identified',
      'Order Completed',
      'Order Shipped',
      'Product Added',
      'Consent Granted',
      'Product Updated',
      'Case Opened',
      'Subscription Cancelled',
      'Scores Updated',
    ];
    for (const name of read) expect(book.ignores(name), name).toBe(false);
    for (const name of ['Products Searched', 'Coupon Entered', 'Whatever']) expect(book.ignores(name), name).toBe(true);
  });

  test('the counters and the campaigns of an event are found by its name', () => {
    const shop = bookOf({
      segments: {
        buyers: did('Order Completed', { where: { coupon: 'SPRING' } }),
        returners: { did: ['Order Refunded', 'Order Cancelled'] },
        viewers: did('Product Viewed'),
      },
      campaigns: {
        b: marketing({ when: { did: ['Product Viewed', 'Product Added'] }, steps: [{ send: 'hello' }] }),
        a: marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'hello' }] }),
        c: marketing({ when: { enters: 'buyers' }, steps: [{ send: 'hello' }] }),
      },
    });
    const names = (event: string) => shop.countersOf(event).map((counter) => counter.names[0]);
    expect(names('Product Viewed')).toEqual(['Product Viewed']);
    // What becomes of an order moves its completion.
    expect(names('Order Refunded').sort()).toEqual(['Order Cancelled', 'Order Completed']);
    expect(names('Order Updated')).toEqual(['Order Completed']);
    expect(names('Order Completed')).toEqual(['Order Completed']);
    expect(names('Email Clicked')).toEqual([]);
    const started = (event: string) => shop.startedBy(event).map(({ id }) => id);
    expect(started('Product Viewed')).toEqual(['a', 'b']);
    expect(started('Product Added')).toEqual(['b']);
    expect(started('Order Completed')).toEqual([]);
  });

  test('what is known of events is made anew where another name is read, and not for one more counter of a run', () => {
    const views = (parts: Parts) => bookOf({ segments: { viewers: did('Product Viewed') }, ...parts }).counterSet;
    const asking = (name: string, where?: Where) => ({
      x: marketing({
        when: { did: 'Product Viewed' },
        steps: [{ send: 'a' }],
        stopIf: did(name, where === undefined ? {} : { where }),
      }),
    });
    const product = { product_id: '@trigger.product_id' };
    expect(views({ campaigns: asking('Product Viewed', product) })).toBe(views({}));
    expect(views({ campaigns: asking('Order Refunded', product) })).not.toBe(views({}));
  });

  test('a sum that is added to a counter makes it be rebuilt', () => {
    const plain = bookOf({ segments: { a: did('Order Completed') } });
    const summed = bookOf({
      segments: { a: did('Order Completed'), b: did('Order Completed', { sum: { of: 'revenue', atLeast: 1 } }) },
    });
    expect(summed.counterSet).not.toBe(plain.counterSet);
  });

  test('before anything is published nothing is read and nothing is started', () => {
    const empty = emptyBook('EUR');
    expect(empty).toMatchObject({ campaigns: [], segments: [], counters: [], currency: 'EUR' });
    expect(empty.ignores('Product Viewed')).toBe(true);
    expect(empty.ignores('Order Completed')).toBe(false);
  });
});
