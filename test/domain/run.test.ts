// Stories of runs: what starts one, what it waits for, how often; and what holds under any order of events.
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import { canonical } from '../../domain/canonical.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { Interaction } from '../../domain/interaction.ts';
import { durationMs, localTime } from '../../domain/time.ts';
import { bookOf, DAY, event, instant, introduced, marketing, order, type Parts, World } from '../support/people.ts';
import { NOW, pauses, seeded, segments, shuffledLife } from '../support/permutations.ts';

/** Every decision of this file is looked at: what it is given is frozen, and `changed` is held to what its JSON says. */
const told = vi.hoisted(() => ({ changed: 0, same: 0 }));
vi.mock('../../domain/decide.ts', async (original) => {
  const { decide } = await original<typeof import('../../domain/decide.ts')>();
  const looked: typeof decide = (book, contact, stimulus, now, past) => {
    freeze([contact, stimulus, past]);
    const before = canonical(contact);
    const answer = decide(book, contact, stimulus, now, past);
    if ('need' in answer) return answer;
    const differs = canonical(answer.contact) !== before;
    expect(answer.changed).toBe(differs || answer.messages.length > 0 || answer.drops.length > 0);
    told[answer.changed ? 'changed' : 'same'] += 1;
    return answer;
  };
  return { decide: looked };
});

function freeze(value: unknown): void {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}

const START = '2026-03-01 10:00';
const ordered = (id: string, at: string, ...products: string[]) => order(id, at, products);
const did = (name: string, more: object = {}): Rule => ({ did: name, ...more }) as Rule;

/** Ann, who may be written to, in a world with these definitions. */
function ann(parts: Parts): World {
  return new World(bookOf(parts)).record(introduced(START));
}

const cross = (more: Partial<Campaign> = {}): Campaign =>
  marketing({
    aim: 'cross-sell',
    when: { did: 'Order Completed' },
    steps: [{ wait: '2d' }, { send: 'goes-with' }],
    ...more,
  });

describe('given steps that wait for something', () => {
  const asks = (steps: Campaign['steps'], more: Partial<Campaign> = {}): Parts => ({
    campaigns: { asks: marketing({ when: { did: 'Product Viewed' }, steps, ...more }) },
  });
  const viewed = event('Product Viewed', '2026-03-02 10:00', { product_id: 'bag' });
  const forOrder = (more: object = {}): Campaign['steps'][number] =>
    ({
      waitFor: did('Order Completed', { since: 'run start' }),
      upTo: '3d',
      then: [{ send: 'thanks' }],
      else: [{ send: 'still-thinking' }],
      ...more,
    }) as Campaign['steps'][number];

  test('then: at once when it happens', () => {
    const world = ann(asks([forOrder()])).record([viewed, ordered('1', '2026-03-03 12:00', 'bag')]);
    expect(world.until('2026-04-01').mail()).toEqual(['thanks 2026-03-03 12:00']);
  });

  test('else: when the time is over', () => {
    const world = ann(asks([forOrder()]))
      .record([viewed])
      .until('2026-03-10');
    world.record([ordered('1', '2026-03-11 12:00', 'bag')]);
    expect(world.mail()).toEqual(['still-thinking 2026-03-05 10:00']);
  });

  test('both branches go on behind it', () => {
    const steps = [forOrder(), { wait: '1d' }, { send: 'after' }] as Campaign['steps'];
    expect(ann(asks(steps)).record([viewed]).until('2026-04-01').mail()).toEqual([
      'still-thinking 2026-03-05 10:00',
      'after 2026-03-06 10:00',
    ]);
    const bought = ann(asks(steps)).record([viewed, ordered('1', '2026-03-03 12:00', 'bag')]);
    expect(bought.until('2026-04-01').mail()).toEqual(['thanks 2026-03-03 12:00', 'after 2026-03-04 12:00']);
  });

  test('without branches it only waits', () => {
    const steps = [
      { waitFor: did('Order Completed', { since: 'run start' }), upTo: '3d' },
      { send: 'after' },
    ] as Campaign['steps'];
    expect(ann(asks(steps)).record([viewed]).until('2026-04-01').mail()).toEqual(['after 2026-03-05 10:00']);
  });

  test('right after a wait, its time counts from the end of that wait', () => {
    const world = ann(asks([{ wait: '1d' }, forOrder()])).record([viewed]);
    expect(world.until('2026-04-01').mail()).toEqual(['still-thinking 2026-03-06 10:00']);
  });

  test('its time counts from there also when the wait was noticed late', () => {
    const world = ann(asks([{ wait: '1d' }, forOrder()])).record([viewed]);
    world.record([event('Service Called', '2026-03-03 20:00')], { overdue: true });
    expect(world.until('2026-04-01').mail()).toEqual(['still-thinking 2026-03-06 10:00']);
  });

  test('what follows counts from its end also when that was noticed late', () => {
    const only = { waitFor: did('Order Completed', { since: 'run start' }), upTo: '3d' };
    const world = ann(asks([only, { wait: '1d' }, { send: 'after' }] as Campaign['steps'])).record([viewed]);
    world.record([event('Service Called', '2026-03-05 20:00')], { overdue: true });
    expect(world.until('2026-04-01').mail()).toEqual(['after 2026-03-06 10:00']);
  });

  test('a stopIf that time alone turns stops at that instant', () => {
    const stopIf: Rule = { not: did('Product Viewed', { inLast: '1d' }) };
    const world = ann(asks([{ wait: '5d' }, { send: 'late' }], { stopIf })).record([viewed]);
    expect(world.person().journey.due).toBe(instant('2026-03-03 10:00'));
    world.until('2026-03-03 10:00');
    expect(world.said('asks')).toEqual(['start: Product Viewed', 'stop: stopIf']);
  });

  test('what happened during the wait before it counts', () => {
    const world = ann(asks([{ wait: '1d' }, forOrder()])).record([viewed, ordered('1', '2026-03-02 12:00', 'bag')]);
    expect(world.until('2026-04-01').mail()).toEqual(['thanks 2026-03-03 10:00']);
  });

  test('what time alone turns ends it too', () => {
    const quiet = { waitFor: { not: did('Product Viewed', { inLast: '1d' }) }, upTo: '9d', then: [{ send: 'quiet' }] };
    const world = ann(asks([quiet as Campaign['steps'][number]])).record([viewed]);
    expect(world.until('2026-04-01').mail()).toEqual(['quiet 2026-03-03 10:00']);
  });

  test('if asks what happened since the run began, and not before', () => {
    const steps: Campaign['steps'] = [
      { wait: '2d' },
      {
        if: did('Order Completed', { since: 'run start' }),
        then: [{ send: 'buyer' }],
        else: [{ send: 'other' }, { stop: 'enough' }],
      },
      { send: 'after' },
    ];
    const before = ann(asks(steps)).record([ordered('1', '2026-03-02 09:00', 'bag'), viewed]);
    expect(before.until('2026-04-01').mail()).toEqual(['other 2026-03-04 10:00']);
    expect(before.said('asks').at(-1)).toBe('stop: enough');
    const since = ann(asks(steps)).record([viewed, ordered('1', '2026-03-03 09:00', 'bag')]);
    const mail = since.until('2026-04-01').mail();
    expect([...mail].sort()).toEqual(['after 2026-03-04 10:00', 'buyer 2026-03-04 10:00']);
  });

  test('what happened since a late trigger, and was processed before it, counts: the past is read', () => {
    const parts = asks([{ wait: '1h' }, { send: 'come-back' }], {
      stopIf: did('Order Completed', { since: 'run start' }),
    });
    const world = ann(parts).record([ordered('1', '2026-03-02 11:00', 'bag')]);
    world.record([viewed], { now: '2026-03-02 12:00' });
    expect(world.until('2026-04-01').mail()).toEqual([]);
    expect(world.said('asks')).toEqual(['skip: stopIf']);
  });

  test('an event at the very instant of the trigger is since it, whichever is processed first', () => {
    const parts = asks([{ wait: '1h' }, { send: 'come-back' }], {
      stopIf: did('Order Completed', { since: 'run start' }),
    });
    const same = ordered('1', '2026-03-02 10:00', 'bag');
    expect(ann(parts).record([viewed, same]).until('2026-04-01').mail()).toEqual([]);
    expect(ann(parts).record([same, viewed]).until('2026-04-01').mail()).toEqual([]);
  });

  test('no past is read where nothing can have happened since', () => {
    const parts = asks([{ send: 'hello' }], { stopIf: did('Order Completed', { since: 'run start' }) });
    const world = ann(parts).record([ordered('1', '2026-03-02 09:00', 'bag')]);
    const asked = world.questions.length;
    expect(world.record([viewed]).mail()).toEqual(['hello 2026-03-02 10:00']);
    expect(world.questions).toHaveLength(asked);
  });

  test('no past is read for the sake of the trigger itself', () => {
    const again: Campaign = cross({ stopIf: did('Order Completed', { since: 'run start' }) });
    const world = ann({ campaigns: { again } });
    // Somebody new is asked for everything that was recorded of them under the names that are read.
    expect(world.questions).toEqual([['Order Completed']]);
    world.record([ordered('1', '2026-03-02 09:00', 'bag')]);
    expect(world.questions).toHaveLength(1);
    expect(world.person().journey.runs).toHaveLength(1);
  });

  test('nor for an event that never happened; once it has, it is', () => {
    const refunded = did('Order Refunded', { where: { order_id: '@trigger.order_id' } });
    const world = ann({ campaigns: { again: cross({ stopIf: refunded, again: 'every time' }) } });
    world.record([ordered('1', '2026-03-02 09:00', 'bag')]);
    expect(world.questions).toHaveLength(1);
    world.record([event('Order Refunded', instant('2026-03-03 09:00'), { order_id: '1' })]);
    world.record([ordered('2', '2026-03-09 09:00', 'bag')]);
    expect(world.questions).toEqual([['Order Refunded'], ['Order Refunded']]);
    expect(world.person().journey.runs).toHaveLength(1);
  });

  test('a wait until an hour is kept in the zone of the contact', () => {
    const parts = asks([{ wait: { until: '10:00' } }, { send: 'morning' }]);
    const world = new World(bookOf(parts)).record([...introduced(START, { zone: 'Asia/Kolkata' }), viewed]);
    expect(world.until('2026-04-01').mail()).toEqual(['morning 2026-03-03 04:30']);
  });

  test('a wait until a weekday', () => {
    const parts = asks([{ wait: { until: 'tuesday 10:00' } }, { send: 'tuesday' }]);
    expect(ann(parts).record([viewed]).until('2026-04-01').mail()).toEqual(['tuesday 2026-03-03 09:00']);
  });

  test('waits that ended before a late trigger came are over: what follows counts from their ends', () => {
    const parts = asks([{ wait: '1h' }, { send: 'one' }, { wait: '1d' }, { send: 'two' }]);
    const world = ann(parts).record([viewed], { now: '2026-03-02 15:00' });
    expect(world.until('2026-04-01').mail()).toEqual(['one 2026-03-02 15:00', 'two 2026-03-03 15:00']);
  });

  test('after a message that is deferred, the next wait counts from when it is meant to go out', () => {
    const settings = { quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };
    const parts = { ...asks([{ send: 'one' }, { wait: '1d' }, { send: 'two' }, { send: 'three' }]), settings };
    const late = event('Product Viewed', '2026-03-02 22:00', { product_id: 'bag' });
    const world = ann(parts).record([late]);
    expect(world.mail()).toEqual(['one 2026-03-03 09:00']);
    expect(world.said('asks').at(-1)).toBe('defer: caps or quiet hours');
    const mail = world.until('2026-04-01').mail();
    expect([...mail].sort()).toEqual(['one 2026-03-03 09:00', 'three 2026-03-04 09:00', 'two 2026-03-04 09:00']);
  });
});

describe('given how often a campaign may start again', () => {
  const viewing = (again: string, more: Partial<Campaign> = {}): Parts => ({
    campaigns: { seen: marketing({ when: { did: 'Product Viewed' }, again, steps: [{ send: 'seen' }], ...more }) },
  });
  const views = (...at: [string, string][]) =>
    at.map(([moment, product]) => event('Product Viewed', moment, { product_id: product }));
  const three = views(['2026-03-02 10:00', 'bag'], ['2026-03-10 10:00', 'bag'], ['2026-04-02 10:00', 'lens']);

  test('never: once', () => {
    expect(ann(viewing('never')).record(three).mail()).toEqual(['seen 2026-03-02 10:00']);
  });

  test('every time', () => {
    expect(ann(viewing('every time')).record(three).mail()).toHaveLength(3);
  });

  test('after 31d: counted from the start of the last run, and its bound belongs', () => {
    expect(ann(viewing('after 31d')).record(three).mail()).toEqual(['seen 2026-03-02 10:00', 'seen 2026-04-02 10:00']);
    expect(ann(viewing('after 32d')).record(three).mail()).toEqual(['seen 2026-03-02 10:00']);
  });

  test('once per product', () => {
    expect(ann(viewing('once per product')).record(three).mail()).toEqual([
      'seen 2026-03-02 10:00',
      'seen 2026-04-02 10:00',
    ]);
  });

  test('once per product, with a run per line', () => {
    const parts = viewing('once per product', { when: { did: 'Order Completed', each: 'products' } });
    const world = ann(parts).record([
      ordered('1', '2026-03-02 10:00', 'bag', 'lens'),
      ordered('2', '2026-03-03 10:00', 'lens', 'case'),
    ]);
    expect(
      world
        .kept()
        .map((one) => one.inputs.product)
        .sort(),
    ).toEqual(['bag', 'case', 'lens']);
  });

  test('every time, with a run per line: two lines of one product are one run', () => {
    const parts = viewing('every time', { when: { did: 'Order Completed', each: 'products' } });
    const world = ann(parts).record([ordered('1', '2026-03-02 10:00', 'bag', 'bag', 'lens')]);
    expect(
      world
        .kept()
        .map((one) => one.inputs.product)
        .sort(),
    ).toEqual(['bag', 'lens']);
  });

  test('once per order: a second delivery of it starts nothing, another order does', () => {
    const parts = viewing('once per order', { when: { did: 'Order Delivered' } });
    const delivered = (id: string, at: string) => event('Order Delivered', at, { order_id: id });
    const world = ann(parts).record([
      delivered('1', '2026-03-02'),
      delivered('1', '2026-03-03'),
      delivered('2', '2026-03-04'),
    ]);
    expect(world.mail()).toEqual(['seen 2026-03-02 00:00', 'seen 2026-03-04 00:00']);
  });

  test('once per order, with a run per line: each line once', () => {
    const parts = viewing('once per order', { when: { did: 'Order Delivered', each: 'products' } });
    const products = [{ product_id: 'bag' }, { product_id: 'lens' }, { product_id: 'bag' }];
    const delivered = (at: string) => event('Order Delivered', at, { order_id: '1', products });
    const world = ann(parts).record([delivered('2026-03-02'), delivered('2026-03-03')]);
    expect(
      world
        .kept()
        .map((one) => one.inputs.product)
        .sort(),
    ).toEqual(['bag', 'lens']);
  });

  test('while a run is under way, none is started beside it', () => {
    const parts = viewing('every time', { steps: [{ wait: '14d' }, { send: 'seen' }] });
    const world = ann(parts).record(three.slice(0, 2)).until('2026-03-20');
    expect(world.mail()).toEqual(['seen 2026-03-16 10:00']);
    expect(world.said('seen')).toContain('skip: already running');
  });

  test('a run that was refused for want of consent does not count as a start', () => {
    const world = new World(bookOf(viewing('never'))).record([
      event('Identified', START, {}, { user: 'ann', address: 'ann@mail.example' }),
    ]);
    world.record([three[0]!]).record(introduced('2026-03-05')).record([three[1]!]);
    expect(world.said('seen')).toEqual([
      'skip: no consent',
      'start: Product Viewed',
      'send: seen',
      'end: all steps done',
    ]);
  });
});

describe('given a trigger that comes late', () => {
  const parts = (more: Partial<Campaign> = {}): Parts => ({
    campaigns: { seen: marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'seen' }], ...more }) },
  });
  const viewed = event('Product Viewed', '2026-03-02 10:00', { product_id: 'bag' });

  test('a day old it starts, a minute older it does not', () => {
    expect(ann(parts()).record([viewed], { now: '2026-03-03 10:00' }).mail()).toEqual(['seen 2026-03-03 10:00']);
    const late = ann(parts()).record([viewed], { now: '2026-03-03 10:01' });
    expect(late.mail()).toEqual([]);
    expect(late.said('seen')).toEqual(['skip: the trigger is too old']);
  });

  test('the campaign says otherwise', () => {
    expect(
      ann(parts({ triggerAge: '3d' }))
        .record([viewed], { now: '2026-03-05 10:00' })
        .mail(),
    ).toHaveLength(1);
    expect(
      ann(parts({ triggerAge: '1h' }))
        .record([viewed], { now: '2026-03-02 11:01' })
        .mail(),
    ).toEqual([]);
  });

  test('a message that expires counts from the instant at which it was meant, not from its processing', () => {
    const expiring = parts({ expires: '6h', steps: [{ wait: '1h' }, { send: 'seen' }] });
    expect(ann(expiring).record([viewed], { now: '2026-03-02 17:00' }).mail()).toHaveLength(1);
    const late = ann(expiring).record([viewed], { now: '2026-03-02 17:01' });
    expect(late.mail()).toEqual([]);
    expect(late.said('seen')).toContain('skip: expired');
  });

  test('a message that quiet hours hold back longer than it lives is skipped', () => {
    const settings = { quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };
    const night = event('Product Viewed', '2026-03-02 22:00', { product_id: 'bag' });
    expect(
      ann({ ...parts({ expires: '6h' }), settings })
        .record([night])
        .mail(),
    ).toEqual([]);
    const [message] = ann({ ...parts({ expires: '12h' }), settings })
      .record([night])
      .kept();
    expect(message).toMatchObject({
      plannedAt: instant('2026-03-03 09:00'),
      due: instant('2026-03-03 09:00'),
      expiresAt: instant('2026-03-03 10:00'),
    });
  });

  test('a trigger from a little ahead starts now', () => {
    const world = ann(parts()).record([viewed], { now: '2026-03-02 09:58' });
    expect(world.mail()).toEqual(['seen 2026-03-02 09:58']);
    expect(world.person().journey.starts.seen).toBe(instant('2026-03-02 09:58'));
  });
});

describe('given a measure in "when"', () => {
  const parts: Parts = {
    campaigns: {
      keen: marketing({
        when: { did: 'Product Viewed', times: { atLeast: 2 }, inLast: '1d' },
        steps: [{ send: 'keen' }],
      }),
    },
  };
  const view = (at: string) => event('Product Viewed', at, { product_id: 'bag' });

  test('it starts when the measure turns true, not at each event while it holds', () => {
    const world = ann(parts).record(['2026-03-02 10:00', '2026-03-02 11:00', '2026-03-02 12:00'].map(view));
    expect(world.mail()).toEqual(['keen 2026-03-02 11:00']);
  });

  test('it starts again once it has been false in between', () => {
    const world = ann(parts).record(
      ['2026-03-02 10:00', '2026-03-02 11:00', '2026-03-05 10:00', '2026-03-05 20:00'].map(view),
    );
    expect(world.mail()).toEqual(['keen 2026-03-02 11:00', 'keen 2026-03-05 20:00']);
  });

  test('events further apart than the window start nothing', () => {
    expect(ann(parts).record(['2026-03-02 10:00', '2026-03-03 10:00'].map(view)).mail()).toEqual([]);
  });

  test('a sum', () => {
    const campaigns = {
      big: marketing({
        when: { did: 'Order Completed', sum: { of: 'revenue', atLeast: 80 } },
        steps: [{ send: 'big' }],
      }),
    };
    const world = ann({ campaigns }).record([
      ordered('1', '2026-03-02', 'bag'),
      ordered('2', '2026-03-03', 'bag'),
      ordered('3', '2026-03-04', 'bag'),
    ]);
    expect(world.mail()).toEqual(['big 2026-03-03 00:00']);
  });

  const starting = (measure: object): World =>
    ann({ campaigns: { one: marketing({ when: { did: 'Product Viewed', ...measure }, steps: [{ send: 'one' }] }) } });
  const look = (at: string, product_id: string) => event('Product Viewed', at, { product_id });

  test('the greatest amount', () => {
    const when = { did: 'Order Completed', largest: { of: 'revenue', atLeast: 400 }, inLast: '30d' };
    const world = ann({ campaigns: { dear: marketing({ when, steps: [{ send: 'dear' }] }) } });
    world.record([
      ordered('1', '2026-03-02', 'bag'),
      ordered('2', '2026-03-03', 'camera'),
      ordered('3', '2026-03-04', 'camera'),
    ]);
    expect(world.mail()).toEqual(['dear 2026-03-03 00:00']);
  });

  test('how many different products', () => {
    const world = starting({ distinct: { of: 'product_id', atLeast: 2 } });
    world.record([look('2026-03-02', 'bag'), look('2026-03-03', 'bag'), look('2026-03-04', 'film')]);
    expect(world.mail()).toEqual(['one 2026-03-04 00:00']);
  });

  test('the same product, twice in a month of the calendar', () => {
    const world = starting({ same: 'product_id', times: { atLeast: 2 }, in: 'this month' });
    world.record([look('2026-03-30', 'bag'), look('2026-04-02', 'bag'), look('2026-04-03', 'film')]);
    expect(world.mail()).toEqual([]);
    expect(world.record([look('2026-04-05', 'bag')]).mail()).toEqual(['one 2026-04-05 00:00']);
  });
});

/** Campaigns that compete for the same person: repeated, waiting, deferring, with and without consent. */
const campaigns: Record<string, Campaign> = {
  cross: cross({ stopIf: did('Order Refunded', { where: { order_id: '@trigger.order_id' } }), ifCapped: 'wait 9d' }),
  lines: marketing({
    when: { did: 'Order Completed', each: 'products' },
    again: 'once per product',
    for: { not: did('Order Completed', { where: { products: { product_id: '@product.upgrade' } } }) },
    steps: [{ wait: { until: '10:00' } }, { send: 'line' }, { wait: '3d' }, { send: 'line-again' }],
    triggerAge: '30d',
  }),
  seen: marketing({
    when: { did: 'Product Viewed' },
    stopIf: did('Order Completed', { since: 'run start' }),
    steps: [
      { send: 'seen' },
      {
        waitFor: did('Product Added', { since: 'run start' }),
        upTo: '2d',
        then: [{ send: 'added' }],
        else: [{ send: 'reminder' }],
      },
    ],
    ifCapped: 'wait 3d',
    triggerAge: '60d',
  }),
  keen: marketing({
    when: { did: 'Product Viewed', times: { atLeast: 2 }, inLast: '3d' },
    steps: [{ send: 'keen' }],
    again: 'after 2d',
    expires: '12h',
  }),
  back: marketing({ when: { enters: 'lapsed' }, steps: [{ send: 'back' }, { wait: '5d' }, { send: 'back-again' }] }),
  loved: marketing({ when: { enters: 'spenders' }, steps: [{ send: 'loved' }], quiet: 'ignore' }),
  thanks: marketing({
    kind: 'service',
    when: { did: 'Order Completed' },
    again: 'once per order',
    steps: [{ send: 'thanks' }],
  }),
};
const caps = [
  { most: 1, in: '1d' },
  { most: 3, in: '7d' },
];
const quietHours = { from: '20:30', to: '08:15' };

interface Story {
  events: Interaction[];
  pauses: number[];
  zone: string;
  start: string;
}
/** A life told in any order, with repeats, each event processed some time after the one before. */
const stories: fc.Arbitrary<Story> = fc.record({
  events: shuffledLife.map(([, shuffled]) => shuffled),
  pauses,
  zone: fc.constantFrom('Europe/Warsaw', 'Australia/Lord_Howe', 'Asia/Kolkata', 'America/New_York', 'Pacific/Apia'),
  // Before the clocks are changed in spring and in autumn, and in between.
  start: fc.constantFrom('2026-03-25 10:00', '2026-06-15 12:00', '2026-09-28 20:00'),
});

function tell(
  story: Story,
  parts: Parts,
  how: { linked?: boolean; restless?: boolean; published?: Parts[] } = {},
): World {
  const start = instant(story.start);
  const world = new World(bookOf(parts)).record(introduced(start, { zone: story.zone }));
  let now = start;
  story.events
    .filter((one) => how.linked || (one.id !== 'link' && one.who.anonymous === undefined))
    .forEach((one, i) => {
      now += (story.pauses[i % story.pauses.length] as number) + i;
      const at = one.at - NOW + start + 30 * DAY;
      const imported = how.published !== undefined && i % 7 === 3;
      world.record([{ ...one, at: Math.min(at, now) }], { now, history: imported });
      const next = i % 11 === 5 ? how.published?.[i % how.published.length] : undefined;
      if (next !== undefined) world.publish(bookOf({ ...next, ordinal: world.book.definitions.ordinal + 1 }), now + 1);
      if (how.restless) world.tick(world.person('ann').id, now + 1);
    });
  return world.until(now + 90 * DAY);
}

describe('under any order of events, with repeats', () => {
  const parts: Parts = { segments, campaigns, settings: { caps, quietHours } };

  test('no message repeats, no cap is broken, and nobody is written to in quiet hours', () => {
    let messages = 0;
    fc.assert(
      fc.property(stories, (story) => {
        const kept = tell(story, parts).kept();
        messages += kept.length;
        const marketed = kept.filter((one) => one.kind === 'marketing').map((one) => one.plannedAt);
        for (const { most, in: window } of caps) {
          const length = durationMs(window);
          for (const end of marketed) {
            expect(marketed.filter((at) => at > end - length && at <= end).length).toBeLessThanOrEqual(most);
          }
        }
        for (const one of kept.filter((each) => !each.ignoresQuiet)) {
          const { minutes } = localTime(one.plannedAt, story.zone);
          expect(minutes >= 8 * 60 + 15 && minutes < 20 * 60 + 30, `${one.email} at ${minutes}`).toBe(true);
        }
      }),
      seeded(120),
    );
    expect(messages).toBeGreaterThan(200);
  });

  test('no message repeats where two lives become one in the middle of it', () => {
    let merges = 0;
    fc.assert(
      fc.property(stories, (story) => {
        const world = tell(story, parts, { linked: true });
        merges += [...world.contacts.values()].filter((one) => one.mergedInto !== undefined).length;
        const living = [...world.contacts.values()].filter((one) => one.mergedInto === undefined);
        for (const contact of living)
          expect(contact.journey.runs.filter((run) => run.wakeAt !== undefined)).toEqual([]);
      }),
      seeded(80),
    );
    expect(merges).toBeGreaterThan(20);
  });

  test('ticks at any other instant change no message', () => {
    fc.assert(
      fc.property(stories, (story) => {
        expect(tell(story, parts, { restless: true }).mail()).toEqual(tell(story, parts).mail());
      }),
      seeded(40),
    );
  });

  test('what is given is never changed, and a contact that says the same needs no write', () => {
    Object.assign(told, { changed: 0, same: 0 });
    const { buyers, recent, ...fewer } = segments;
    const others: Parts[] = [
      { ...parts, segments: { ...fewer, buyers: did('Order Completed', { inLast: '40d' }), recent: buyers as Rule } },
      parts,
      { segments: { buyers: buyers as Rule, lapsed: segments.lapsed as Rule, recent: recent as Rule } },
    ];
    fc.assert(
      fc.property(stories, (story) => {
        tell(story, parts, { linked: true, restless: true, published: others });
      }),
      seeded(80),
    );
    expect(told.changed).toBeGreaterThan(1_000);
    expect(told.same).toBeGreaterThan(1_000);
  });
});
