// Who may be written to, and when: what campaigns choose people by, pauses, needs, and the places under caps.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileBook } from '../../domain/book.ts';
import type { Campaign, Step } from '../../domain/campaign-grammar.ts';
import { newContact } from '../../domain/contact.ts';
import {
  capFree,
  isChosenByBehaviour,
  longestCap,
  meets,
  recheck,
  sightOf,
  sightOfRun,
  zoneOf,
} from '../../domain/eligibility.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import { compileWhere } from '../../domain/where.ts';
import { bookOf, DAY, event, HOUR, instant, introduced, marketing, order, World } from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

describe('a campaign is chosen by behaviour', () => {
  const segments: Record<string, Rule> = {
    poles: { has: { country: 'PL' } },
    buyers: { did: 'Order Completed' },
    friends: { all: [{ segment: 'poles' }, { not: { segment: 'buyers' } }] },
    agreeing: { any: [{ consent: 'offers' }, { did: 'Consent Granted', inLast: '30d' }] },
    round: { segment: 'round' },
  };
  const granted: Campaign['when'] = { did: 'Consent Granted' };
  const send: Step = { send: 'hello' };
  const asked = (said: Partial<Campaign>): boolean => {
    // A segment that reads itself is refused before it is compiled: asked for as it stands in definitions.
    const { round, ...compiled } = segments;
    const book = bookOf({ segments: compiled });
    const definitions = {
      ...book.definitions,
      segments: { ...book.definitions.segments, round: { rule: round!, ordinal: 9, since: 1 } },
    };
    return isChosenByBehaviour({ definitions }, { campaign: marketing({ when: granted, steps: [send], ...said }) });
  };

  test.each<[string, Partial<Campaign>]>([
    ['that starts with an order', { when: { did: 'Order Completed' } }],
    ['that starts with a consent or a view', { when: { did: ['Consent Granted', 'Product Viewed'] } }],
    ['that starts with a click in a mail', { when: { did: 'Email Clicked' } }],
    ['that starts with an event of the shop’s own', { when: { did: 'Ticket Bought' } }],
    ['that starts with entering a segment of buyers', { when: { enters: 'buyers' } }],
    ['that starts with a segment that reads such a segment', { when: { enters: 'friends' } }],
    ['for those who bought', { for: { segment: 'buyers' } }],
    ['for those who did not', { for: { not: { did: 'Order Completed' } } }],
    ['for a tier that orders earn', { for: { has: { 'loyalty.tier': 'gold' } } }],
    ['for those whose next order is late', { for: { has: { 'rhythm.overdue': { atLeast: 2 } } } }],
    ['for the best customers', { for: { has: { 'value.decile': 1 } } }],
    ['for those who came lately', { for: { has: { 'rfm.recency': 5 } } }],
    ['for those of whom orders are expected', { for: { has: { 'predicted.orders': { atLeast: 1 } } } }],
    ['for those who complained', { for: { has: { 'service.openCases': { atLeast: 1 } } } }],
    ['for those who subscribed', { for: { has: { 'subscription.active': true } } }],
    ['for those with something in the basket', { for: { has: { country: 'PL', 'cart.items': { atLeast: 1 } } } }],
    ['that an order stops', { stopIf: { did: 'Order Completed', since: 'run start' } }],
    ['that leaves out those who bought', { steps: [{ send: 'hello', unless: { did: 'Order Completed' } }] }],
    ['that needs recommendations', { steps: [{ send: 'hello', needs: { recommendations: { atLeast: 1 } } }] }],
    ['that asks on its way', { steps: [{ if: { any: [{ segment: 'poles' }, { segment: 'buyers' }] }, then: [send] }] }],
    [
      'that asks in a branch',
      {
        steps: [
          { if: { segment: 'poles' }, then: [{ wait: '1d' }], else: [{ if: { segment: 'buyers' }, then: [send] }] },
        ],
      },
    ],
    ['that waits for a view', { steps: [{ waitFor: { did: 'Product Viewed' }, upTo: '2d', then: [send] }] }],
    [
      'that asks after a wait for a consent',
      {
        steps: [{ waitFor: { consent: 'news' }, upTo: '2d', else: [{ if: { did: 'Product Viewed' }, then: [send] }] }],
      },
    ],
  ])('%s', (_, said) => expect(asked(said)).toBe(true));

  test.each<[string, Partial<Campaign>]>([
    ['a welcome after a consent', {}],
    ['one that starts when somebody says who they are', { when: { did: 'Identified' } }],
    ['one that starts with the end of a pause', { when: { did: 'Pause Ended' } }],
    ['one for those who live somewhere', { when: { enters: 'poles' } }],
    ['one for those who consent', { when: { enters: 'agreeing' }, for: { consent: 'offers' } }],
    ['one for those with an attribute of a year ago', { for: { has: { 'plan.givenAt': { moreThanAgo: '365d' } } } }],
    [
      'one that waits and asks for what was stated',
      { steps: [{ wait: '2d' }, { if: { segment: 'poles' }, then: [send], else: [{ stop: 'no' }] }] },
    ],
    ['one for those whom a draw picks', { for: { share: 'spring', percent: [0, 10] } }],
    ['one whose success is an order', { success: { did: 'Order Completed', within: '9d' } }],
    ['one that reads a segment which is not there', { for: { segment: 'gone' } }],
    ['one whose segment reads itself', { for: { segment: 'round' } }],
  ])('not %s', (_, said) => expect(asked(said)).toBe(false));
});

test('what one sight answers stays while others are asked', () => {
  const book = bookOf({
    segments: { poles: { has: { country: 'PL' } }, recent: { did: 'Order Completed', inLast: '10d' } },
  });
  const at = instant('2026-03-02');
  const identified = event('Identified', at, {}, { id: 'who', user: 'ann', traits: { country: 'PL' } });
  const ann = new World(book).record([identified]).person();
  const buyer = new World(book).record([order('1', at, ['bag'])]).person();
  const [one, other] = [sightOf(book, ann, at), sightOf(book, buyer, at)];
  const answers = () => [one, other].map((sight) => ['poles', 'recent', 'gone'].filter((id) => sight.inSegment(id)));
  expect(answers()).toEqual([['poles'], ['recent']]);
  expect(answers()).toEqual([['poles'], ['recent']]);
  expect([one.membership().due, other.membership().due]).toEqual([Number.POSITIVE_INFINITY, at + 10 * DAY]);
});

describe('given a person who asked to be left alone', () => {
  const book = bookOf({
    campaigns: {
      welcome: marketing({ when: { did: 'Consent Granted', where: { topic: 'news' } }, steps: [{ send: 'welcome' }] }),
      bought: marketing({
        when: { did: 'Order Completed' },
        steps: [{ wait: '2d' }, { send: 'bought' }, { wait: '40d' }, { send: 'later' }],
      }),
      thanks: marketing({ kind: 'service', when: { did: 'Order Completed' }, steps: [{ send: 'thanks' }] }),
    },
  });
  const consent = (at: string) => event('Consent Granted', at, { topic: 'news' }, { id: `news ${at}` });
  const begun = () => new World(book).record(introduced('2026-03-01'));
  const say = (name: string, at: string, until?: string) =>
    event(name, at, {
      brand: 'shop',
      ...(until === undefined ? {} : { until: new Date(instant(until)).toISOString() }),
    });

  test('while paused marketing is skipped for that reason, service goes on, and afterwards all goes on', () => {
    const world = begun()
      .record([say('Pause Requested', '2026-03-02', '2026-04-01')])
      .record([order('1', '2026-03-03', ['bag']), consent('2026-03-04')])
      .until('2026-06-01');
    expect(world.mail()).toEqual(['thanks 2026-03-03 00:00', 'later 2026-04-14 00:00']);
    expect(world.said('bought')).toContain('skip: paused by the person');
    expect(world.said('welcome')).toContain('skip: paused by the person');
  });

  test('a pause that is taken back holds no longer', () => {
    const world = begun().record([
      say('Pause Requested', '2026-03-02', '2026-04-01'),
      say('Pause Ended', '2026-03-03'),
      consent('2026-03-04'),
    ]);
    expect(world.mail()).toEqual(['welcome 2026-03-04 00:00']);
  });

  test('who stopped profiling gets what does not depend on what they do, until they allow it again', () => {
    const world = begun()
      .record([say('Profiling Stopped', '2026-03-02')])
      .record([order('1', '2026-03-03', ['bag']), consent('2026-03-04')])
      .until('2026-04-01')
      .record([say('Profiling Allowed', '2026-04-01')])
      .until('2026-06-01');
    expect(world.mail()).toEqual(['thanks 2026-03-03 00:00', 'welcome 2026-03-04 00:00', 'later 2026-04-14 00:00']);
    expect(world.said('bought')).toContain('skip: profiling stopped');
  });

  test('whatever is said and done, nothing goes out against the latest word', () => {
    const step = fc.constantFrom('stop', 'allow', 'pause', 'end', 'order', 'news');
    const lives = fc.array(fc.tuple(step, fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(lives, (life) => {
        const world = begun();
        let at = instant('2026-03-01');
        const alone: { from: number; until: number }[] = [];
        const unprofiled: { from: number; until: number }[] = [];
        const NEVER = Number.POSITIVE_INFINITY;
        for (const [i, [what, days]] of life.entries()) {
          at += days * DAY;
          const cut = (spans: { from: number; until: number }[]) => {
            for (const span of spans) span.until = Math.min(span.until, at);
          };
          const said = (name: string, properties: JsonObject = {}) =>
            world.record([event(name, at, { brand: 'shop', ...properties }, { id: `${name} ${i}` })]);
          if (what === 'order') world.record([order(`${i}`, at, ['bag'])]);
          if (what === 'news') world.record([event('Consent Granted', at, { topic: 'news' }, { id: `news ${i}` })]);
          if (what === 'stop') {
            said('Profiling Stopped');
            cut(unprofiled);
            unprofiled.push({ from: at, until: NEVER });
          }
          if (what === 'allow') {
            said('Profiling Allowed');
            cut(unprofiled);
          }
          if (what === 'end') {
            said('Pause Ended');
            cut(alone);
          }
          if (what === 'pause') {
            said('Pause Requested', { until: new Date(at + 30 * DAY).toISOString() });
            cut(alone);
            alone.push({ from: at, until: at + 30 * DAY });
          }
        }
        world.until(at + 90 * DAY);
        const within = (spans: typeof alone, instant: number) =>
          spans.some(({ from, until }) => instant > from && instant < until);
        for (const one of world.kept()) {
          if (one.kind !== 'marketing') continue;
          expect(within(alone, one.plannedAt)).toBe(false);
          if (one.campaign !== 'welcome') expect(within(unprofiled, one.plannedAt)).toBe(false);
        }
        const orders = life.filter(([what]) => what === 'order').length;
        expect(world.kept().filter(({ campaign }) => campaign === 'thanks')).toHaveLength(orders);
      }),
      seeded(200),
    );
  });
});

describe('the places under caps', () => {
  const caps = [
    { most: 1, in: '1d' },
    { most: 3, in: '7d' },
  ];

  test('the first instant that keeps every window is found, and none before it would do', () => {
    const some = fc.uniqueArray(fc.integer({ min: 0, max: 14 * 24 }), { maxLength: 12 });
    fc.assert(
      fc.property(some, fc.integer({ min: 0, max: 14 * 24 }), (hours, from) => {
        const sends = hours.map((hour) => ({ at: hour * HOUR }));
        const free = capFree(caps, sends, from * HOUR);
        expect(free).toBeGreaterThanOrEqual(from * HOUR);
        const near = (at: number, length: number) => sends.filter((send) => Math.abs(send.at - at) < length).length;
        const fits = (at: number) => near(at, DAY) < 1 && near(at, 7 * DAY) < 3;
        expect(fits(free)).toBe(true);
        for (let at = from * HOUR; at < free; at += HOUR) expect(fits(at)).toBe(false);
      }),
      seeded(200),
    );
  });

  test('without caps any instant will do', () => {
    expect(capFree([], [{ at: 5 }], 5)).toBe(5);
    expect(longestCap([])).toBe(0);
    expect(longestCap(caps)).toBe(7 * DAY);
  });
});

test('needs speak of recommendations by number, and of the product by field', () => {
  const sight = sightOf(bookOf(), newContact('a', 1), 1);
  expect(meets(compileWhere({ recommendations: { atLeast: 2 } }), { recommendations: ['a', 'b'] }, sight)).toBe(true);
  expect(meets(compileWhere({ recommendations: { atLeast: 2 } }), { recommendations: ['a'] }, sight)).toBe(false);
  expect(meets(compileWhere({ 'product.category': 'Bags' }), { recommendations: [], product: 'bag' }, sight)).toBe(
    true,
  );
  expect(meets(compileWhere({ 'product.category': 'Bags' }), { recommendations: [] }, sight)).toBe(false);
});

test('a segment never sees the run that asks for it', () => {
  const book = bookOf({ segments: { same: { has: { country: '@trigger.country' } } } });
  const contact = newContact('a', 1);
  contact.facts.attributes.country = { value: 'PL', at: 1, id: '1' };
  const sight = sightOf(book, contact, 1);
  const own = sightOfRun(sight, { counters: {}, trigger: { properties: { country: 'PL' } } });
  expect(own.resolve?.('@trigger.country')).toBe('PL');
  expect(own.inSegment('same')).toBe(false);
});

test("a zone that is none gives way to the shop's", () => {
  const contact = newContact('a', 1);
  const book = bookOf();
  const given = (value: string | number) => ({
    ...contact,
    facts: { ...contact.facts, attributes: { timezone: { value, at: 1, id: '1' } } },
  });
  expect(zoneOf(book, given('Asia/Tokyo'))).toBe('Asia/Tokyo');
  expect(zoneOf(book, given('Mars/Base'))).toBe('Europe/Warsaw');
  expect(zoneOf(book, given(7))).toBe('Europe/Warsaw');
  expect(zoneOf(compileBook(book.definitions, 'x', book.controls), contact)).toBe('Europe/Warsaw');
});

describe('given a message that was parked for longer than its run remembers it', () => {
  test('is dropped when the run has been stopped meanwhile', () => {
    const book = bookOf({
      campaigns: {
        parked: marketing({
          when: { did: 'Product Viewed' },
          stopIf: { did: 'Order Completed', since: 'run start' },
          steps: [{ send: 'hello' }, { wait: '9d' }, { send: 'again' }],
        }),
      },
    });
    const world = new World(book).record([
      ...introduced('2026-03-02 09:00'),
      event('Product Viewed', '2026-03-02 10:00', { product_id: 'bag' }, { id: 'view' }),
      event('Identified', '2026-03-02 12:00', {}, { id: 'two hours later' }),
    ]);
    const [message] = world.kept();
    const ask = (now: string) =>
      recheck(book, world.person(), message as Message, { suppressed: false, now: instant(now) });
    expect(ask('2026-03-02 12:30')).toEqual({ kind: 'send' });
    world.record([order('1', '2026-03-02 13:00', ['bag'])]);
    expect(ask('2026-03-02 13:30')).toEqual({ kind: 'drop', reason: 'its run was stopped' });
  });

  test('a sender whose clock is behind does not take the consent that started it all for one of the future', () => {
    const campaign = marketing({ when: { did: 'Consent Granted' }, steps: [{ send: 'hello' }] });
    const book = bookOf({ campaigns: { welcome: campaign } });
    const world = new World(book).record(introduced('2026-03-02 09:00'));
    const [message] = world.kept();
    const behind = recheck(book, world.person(), message as Message, {
      suppressed: false,
      now: instant('2026-03-02 09:00') - 900,
    });
    expect(behind.kind).not.toBe('drop');
  });
});
