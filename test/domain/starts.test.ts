// Stories of what starts a run: a segment, an attribute, a date, a product that runs out or turns, a walk.
import { describe, expect, test } from 'vitest';
import type { Campaign, When } from '../../domain/campaign-grammar.ts';
import type { Stimulus } from '../../domain/decision.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { Json, JsonObject } from '../../domain/interaction.ts';
import type { Catalogue } from '../../domain/settings.ts';
import {
  bookOf,
  catalogue,
  DAY,
  event,
  HOUR,
  instant,
  introduced,
  lines,
  MINUTE,
  marketing,
  order,
  type Parts,
  World,
} from '../support/people.ts';

const START = '2026-03-01 10:00';
const did = (name: string | string[], more: object = {}): Rule => ({ did: name, ...more }) as Rule;
const started = (when: When, more: Partial<Campaign> = {}): Campaign =>
  marketing({ when, steps: [{ send: 'hello' }], ...more });
const by = (when: When, more: Partial<Campaign> = {}, parts: Parts = {}): Parts => ({
  ...parts,
  campaigns: { hello: started(when, more), ...parts.campaigns },
});

/** Ann, who may be written to, in a world with these definitions. */
function ann(parts: Parts, zone?: string): World {
  return new World(bookOf(parts)).record(introduced(START, zone === undefined ? {} : { zone }));
}

let known = 0;
const identified = (at: string, traits: JsonObject) =>
  event('Identified', at, {}, { id: `identified ${known++}`, user: 'ann', traits });

describe('given a campaign that starts when somebody leaves a segment', () => {
  const recent = did('Order Completed', { inLast: '10d' });
  const parts = by({ leaves: 'recent' }, {}, { segments: { recent } });

  test('it starts at the instant at which time takes them out, each time', () => {
    const world = ann(parts)
      .record([order('1', '2026-03-02 10:00', ['bag'])])
      .until('2026-04-01');
    expect(world.mail()).toEqual(['hello 2026-03-12 10:00']);
    expect(world.kept()[0]?.inputs.trigger).toMatchObject({ name: 'Segment Left', properties: { segment: 'recent' } });
    world.record([order('2', '2026-04-02 10:00', ['bag'])]).until('2026-05-01');
    expect(world.mail()).toEqual(['hello 2026-03-12 10:00', 'hello 2026-04-12 10:00']);
  });

  test('nobody has left who was never in it', () => {
    expect(ann(parts).until('2026-05-01').said('hello')).toEqual([]);
  });

  test('an event that takes them out starts it too', () => {
    const segments = { open: { not: did('Order Completed') } };
    const world = ann(by({ leaves: 'open' }, {}, { segments })).record([order('1', '2026-03-02 10:00', ['bag'])]);
    expect(world.mail()).toEqual(['hello 2026-03-02 10:00']);
  });

  test('who is taken out by a new rule has not left', () => {
    const world = ann(parts).record([order('1', '2026-03-02 10:00', ['bag'])]);
    const narrower = { ...parts, segments: { recent: did('Order Completed', { inLast: '1d' }) } };
    world.publish(bookOf({ ...narrower, ordinal: 2, since: { recent: 2 } }), '2026-03-05').until('2026-04-01');
    expect(world.members()).toEqual([]);
    expect(world.mail()).toEqual([]);
  });

  test('who was put back by a new rule and leaves again is written to again', () => {
    const world = ann(parts)
      .record([order('1', '2026-03-02 10:00', ['bag'])])
      .until('2026-03-20');
    const wider = { ...parts, segments: { recent: did('Order Completed', { inLast: '30d' }) } };
    world.publish(bookOf({ ...wider, ordinal: 2, since: { recent: 2 } }), '2026-03-21').until('2026-05-01');
    expect(world.mail()).toEqual(['hello 2026-03-12 10:00', 'hello 2026-04-01 10:00']);
  });
});

describe('given a campaign that starts when an attribute changes', () => {
  const onPlan = (more: object = {}) => by({ changes: 'plan', ...more } as When);

  test('a first value is a change, the same again is none, another one is', () => {
    const world = ann(onPlan()).record([
      identified('2026-03-02', { plan: 'silver' }),
      identified('2026-03-03', { plan: 'silver' }),
      identified('2026-03-04', { plan: 'gold' }),
    ]);
    expect(world.mail()).toEqual(['hello 2026-03-02 00:00', 'hello 2026-03-04 00:00']);
    expect(world.kept().map((one) => one.inputs.trigger.properties)).toEqual([
      { attribute: 'plan', from: null, to: 'silver' },
      { attribute: 'plan', from: 'silver', to: 'gold' },
    ]);
  });

  test.each<[why: string, when: object, values: string[], times: number]>([
    ['only to one value', { to: 'gold' }, ['silver', 'gold', 'silver', 'gold'], 2],
    ['to one of several', { to: ['gold', 'platinum'] }, ['silver', 'gold', 'platinum'], 2],
    ['only from one value', { from: 'silver' }, ['silver', 'gold', 'silver', 'platinum'], 2],
    ['from none: there was no value', { from: ['none', 'silver'], to: 'gold' }, ['gold'], 1],
    ['from none: the value was the word', { from: 'none', to: 'gold' }, ['none', 'gold'], 1],
    ['from a value that it did not have', { from: 'silver', to: 'gold' }, ['gold', 'silver'], 0],
    ['without "none" a first value is no change from another', { from: 'silver' }, ['gold'], 0],
  ])('%s', (_, when, values, times) => {
    const world = ann(onPlan(when));
    for (const [i, plan] of values.entries()) world.record([identified(`2026-03-${10 + i}`, { plan })]);
    expect(world.mail()).toHaveLength(times);
  });

  test('an older word that comes late changes nothing', () => {
    const world = ann(onPlan({ to: 'silver' })).record([identified('2026-03-04', { plan: 'gold' })]);
    world.record([identified('2026-03-03', { plan: 'silver' })], { now: '2026-03-05' });
    expect(world.mail()).toEqual([]);
  });

  test('a derived attribute changes as its events come', () => {
    const world = ann(by({ changes: 'orders.count', to: 2 })).record([
      order('1', '2026-03-02', ['bag']),
      order('2', '2026-03-03', ['bag']),
    ]);
    expect(world.mail()).toEqual(['hello 2026-03-03 00:00']);
  });

  const setting = (more: Partial<Campaign> = {}): Parts =>
    by(
      { changes: 'plan', from: ['none', 'silver'], to: 'gold' },
      {},
      {
        campaigns: {
          promote: marketing({ when: { did: 'Order Completed' }, steps: [{ set: { plan: 'gold' } }], ...more }),
        },
      },
    );

  test('what a campaign sets is a change a moment later, once', () => {
    const world = ann(setting()).record([order('1', '2026-03-02 10:00', ['bag'])]);
    expect(world.mail()).toEqual([]);
    expect(world.person().journey.due).toBe(instant('2026-03-02 10:00') + 1);
    world.until('2026-03-03');
    expect(world.mail()).toEqual(['hello 2026-03-02 10:00']);
    expect(world.person().journey).not.toHaveProperty('changed');
    world.record([order('2', '2026-03-04 10:00', ['bag'])]).until('2026-04-01');
    expect(world.mail()).toHaveLength(1);
  });

  test.each<[string, (world: World, at: number) => void]>([
    ['an event of that very moment', (world, at) => world.record([event('Service Called', at)], { overdue: true })],
    ['a page of history', (world, at) => world.record([event('Service Called', at)], { history: true, overdue: true })],
    ['the walk of a publish', (world, at) => world.publish(bookOf({ ...setting(), ordinal: 2 }), at)],
    [
      'the booking of a walk',
      (world, at) => world.give({ kind: 'book', campaign: 'nothing', occurrence: 'x', at: at + DAY }, at),
    ],
  ])('what was set is not forgotten over %s', (_, between) => {
    const at = instant('2026-03-02 10:00');
    const world = ann(setting()).record([order('1', at, ['bag'])]);
    between(world, at);
    expect(world.until('2026-03-03').mail()).toEqual(['hello 2026-03-02 10:00']);
  });

  test('what is set while the person says the same is one change', () => {
    const world = ann(setting()).record([order('1', '2026-03-02 10:00', ['bag'])]);
    world.record([identified('2026-03-02 10:00', { plan: 'gold' })], { overdue: true });
    expect(world.until('2026-03-03').mail()).toHaveLength(1);
  });

  test('history and a publish are silent', () => {
    const world = ann(onPlan()).record([identified('2026-03-02', { plan: 'gold' })], { history: true });
    world.publish(bookOf({ ...onPlan({ to: 'gold' }), ordinal: 2 }), '2026-03-03').until('2026-04-01');
    expect(world.said('hello')).toEqual([]);
  });
});

describe('given a campaign that starts by a date', () => {
  const onBirthday = (more: object = {}, campaign: Partial<Campaign> = {}) =>
    by({ date: 'birthday', ...more } as When, campaign);
  const born = (birthday: Json, at = '2026-03-01 11:00') => identified(at, { birthday });
  const mails = (birthday: Json, until: string, more: object = {}, zone?: string): string[] =>
    ann(onBirthday(more), zone)
      .record([born(birthday)])
      .until(until)
      .mail();

  test('each year, at nine where the contact lives', () => {
    // Warsaw is an hour ahead of UTC in winter, two in summer.
    expect(mails('1990-03-20', '2028-01-01')).toEqual(['hello 2026-03-20 08:00', 'hello 2027-03-20 08:00']);
    expect(mails('1990-07-20', '2027-01-01')).toEqual(['hello 2026-07-20 07:00']);
    expect(mails('1990-07-20', '2027-01-01', { at: '18:30' }, 'Asia/Kolkata')).toEqual(['hello 2026-07-20 13:00']);
  });

  test.each<[why: string, birthday: string, until: string, more: object, expected: string[]]>([
    ['29 February is kept on the 28th in other years', '1992-02-29', '2027-06-01', {}, ['hello 2027-02-28 08:00']],
    [
      'and on itself in a leap year',
      '1992-02-29',
      '2028-06-01',
      {},
      ['hello 2027-02-28 08:00', 'hello 2028-02-29 08:00'],
    ],
    [
      'three days before 29 February',
      '1992-02-29',
      '2028-06-01',
      { before: '3d' },
      ['hello 2027-02-25 08:00', 'hello 2028-02-26 08:00'],
    ],
    ['a birthday may lack its year', '--03-20', '2026-06-01', {}, ['hello 2026-03-20 08:00']],
    ['29 February without a year', '--02-29', '2028-06-01', {}, ['hello 2027-02-28 08:00', 'hello 2028-02-29 08:00']],
    ['a day before New Year', '1990-01-01', '2027-06-01', { before: '1d' }, ['hello 2026-12-31 08:00']],
    [
      'a week before, over the end of a month',
      '1990-04-03',
      '2026-06-01',
      { before: '1w' },
      ['hello 2026-03-27 08:00'],
    ],
    ['a date is once where it says so', '2026-04-10', '2030-01-01', { once: true }, ['hello 2026-04-10 07:00']],
    ['once, two weeks before', '2026-04-10', '2030-01-01', { once: true, before: '2w' }, ['hello 2026-03-27 08:00']],
    ['once, and the year is not known', '--04-10', '2030-01-01', { once: true }, []],
    ['what is no date starts nothing', 'tomorrow', '2030-01-01', {}, []],
    ['nor does a day that there is not', '1990-02-31', '2030-01-01', {}, []],
    [
      'a date with a time counts by its day there',
      '1990-03-19T23:30:00Z',
      '2026-06-01',
      {},
      ['hello 2026-03-20 08:00'],
    ],
  ])('%s', (_, birthday, until, more, expected) => {
    expect(mails(birthday, until, more)).toEqual(expected);
  });

  test('an hour that the clock skips moves on by the gap, one that it shows twice counts once, the first time', () => {
    expect(mails('1990-03-29', '2026-06-01', { at: '02:30' })).toEqual(['hello 2026-03-29 01:30']);
    expect(mails('1990-10-25', '2026-12-01', { at: '02:30' })).toEqual(['hello 2026-10-25 00:30']);
  });

  test('a day that a zone skipped altogether is kept by what its clock went on to', () => {
    // Apia went from 29 to 31 December 2011.
    const world = new World(bookOf(onBirthday())).record([
      ...introduced('2011-12-01 10:00', { zone: 'Pacific/Apia' }),
      born('1990-12-30', '2011-12-01 11:00'),
    ]);
    expect(world.until('2012-03-01').mail()).toEqual(['hello 2011-12-30 19:00']);
  });

  test('who says on the day itself that it is today is written to, up to the age of a trigger', () => {
    expect(
      ann(onBirthday())
        .record([born('1990-03-20', '2026-03-20 20:00')])
        .mail(),
    ).toEqual(['hello 2026-03-20 20:00']);
    expect(
      ann(onBirthday())
        .record([born('1990-03-20', '2026-03-21 08:00')])
        .until('2026-04-01')
        .mail(),
    ).toEqual([]);
    const patient = ann(onBirthday({}, { triggerAge: '3d' })).record([born('1990-03-20', '2026-03-22')]);
    expect(patient.mail()).toEqual(['hello 2026-03-22 00:00']);
  });

  test('it is asked once, also where it was skipped', () => {
    const world = new World(bookOf(onBirthday())).record([
      event('Identified', START, {}, { user: 'ann', address: 'ann@mail.example', traits: { birthday: '1990-03-20' } }),
      event('Service Called', '2026-03-20 08:30'),
    ]);
    expect(world.said('hello')).toEqual(['skip: no consent']);
    world.record([event('Consent Granted', '2026-03-20 09:00', { topic: 'offers' })]).until('2026-04-01');
    expect(world.said('hello')).toEqual(['skip: no consent']);
    expect(world.until('2027-04-01').mail()).toEqual(['hello 2027-03-20 08:00']);
  });

  test('it is asked once, also when the person moves to another zone on that day, or the campaign to another hour', () => {
    const moved = ann(onBirthday())
      .record([born('1990-03-20')])
      .until('2026-03-20 12:00');
    moved.record([identified('2026-03-20 12:00', { timezone: 'America/New_York' })]).until('2026-04-01');
    expect(moved.mail()).toEqual(['hello 2026-03-20 08:00']);
    const later = ann(onBirthday())
      .record([born('1990-03-20')])
      .until('2026-03-20 12:00');
    later.publish(bookOf({ ...onBirthday({ at: '19:00' }), ordinal: 2 }), '2026-03-20 13:00').until('2026-04-01');
    expect(later.mail()).toEqual(['hello 2026-03-20 08:00']);
  });

  test('a day that is corrected back and forth is asked once', () => {
    const world = ann(onBirthday({}, { triggerAge: '3d' })).record([
      born('1990-03-20', '2026-03-10'),
      born('1990-03-21', '2026-03-21 09:00'),
      born('1990-03-20', '2026-03-21 10:00'),
    ]);
    expect(world.until('2026-04-01').mail()).toEqual(['hello 2026-03-20 08:00', 'hello 2026-03-21 09:00']);
  });

  test('of several dates each is asked once', () => {
    const world = ann(by({ date: 'tags' })).record([
      identified(START, { tags: ['2015-03-20', '2018-03-25', '2019-03-20'] }),
    ]);
    world.until('2026-03-20 20:00').record([event('Service Called', '2026-03-20 21:00')]);
    expect(world.until('2026-06-01').mail()).toEqual(['hello 2026-03-20 08:00', 'hello 2026-03-25 08:00']);
    const often = ann(by({ date: 'tags' }, { triggerAge: '20d' })).record([
      identified(START, { tags: ['2015-03-20', '2018-03-25'] }),
    ]);
    for (const at of ['2026-03-26', '2026-03-27']) often.record([event('Service Called', at)]);
    expect(often.until('2026-06-01').mail()).toEqual(['hello 2026-03-20 08:00', 'hello 2026-03-25 08:00']);
  });

  test('history and a publish are silent: what had come is taken over', () => {
    const told = ann(onBirthday()).record([born('1990-03-20', '2026-03-20 10:00')], { history: true });
    expect(told.until('2026-12-01').mail()).toEqual([]);
    expect(told.until('2027-04-01').mail()).toEqual(['hello 2027-03-20 08:00']);
    const published = ann({})
      .record([born('1990-03-20')])
      .until('2026-03-20 12:00');
    published.publish(bookOf({ ...onBirthday(), ordinal: 2, since: { hello: 2 } }), '2026-03-20 12:00');
    expect(published.until('2026-12-01').said('hello')).toEqual([]);
    expect(published.until('2027-04-01').mail()).toEqual(['hello 2027-03-20 08:00']);
  });
});

describe('given a campaign that starts when a product runs out', () => {
  const goods: Catalogue = {
    products: {
      ...catalogue.products,
      beans: { name: 'Beans', consumable: true, lastsFor: '20d' },
      film: { name: 'Film', consumable: true },
    },
  };
  const due = (more: object = {}, campaign: Partial<Campaign> = {}): Parts =>
    by({ due: 'replenishment', ...more } as When, campaign, { catalogue: goods });
  const bought = (id: string, at: string | number, ...products: string[]) => order(id, at, products);
  /** Of each message: the product, and when. */
  const told = (world: World): string[] => world.kept().map((one, i) => `${one.inputs.product}: ${world.mail()[i]}`);

  test('after as long as the catalogue says that one lasts, times the quantity', () => {
    expect(
      told(
        ann(due())
          .record([bought('1', '2026-03-02 10:00', 'beans')])
          .until('2026-09-01'),
      ),
    ).toEqual(['beans: hello 2026-03-22 10:00']);
    expect(
      told(
        ann(due())
          .record([bought('1', '2026-03-02 10:00', 'beans*3')])
          .until('2026-09-01'),
      ),
    ).toEqual(['beans: hello 2026-05-01 10:00']);
    const split = ann(due())
      .record([bought('1', '2026-03-02 10:00', 'beans', 'beans*2', 'bag')])
      .until('2026-09-01');
    expect(told(split)).toEqual(['beans: hello 2026-05-01 10:00']);
  });

  test('so long before', () => {
    expect(
      told(
        ann(due({ before: '3d' }))
          .record([bought('1', '2026-03-02 10:00', 'beans')])
          .until('2026-09-01'),
      ),
    ).toEqual(['beans: hello 2026-03-19 10:00']);
  });

  test('by the own rhythm from the third purchase on, the mean of the intervals', () => {
    const world = ann(due()).record([
      bought('1', '2026-03-02 10:00', 'beans'),
      bought('2', '2026-03-12 10:00', 'beans'),
      bought('3', '2026-03-26 10:00', 'beans*5'),
    ]);
    expect(told(world.until('2026-09-01'))).toEqual(['beans: hello 2026-04-07 10:00']);
  });

  test('where the catalogue says nothing, by the one interval there is', () => {
    expect(
      told(
        ann(due())
          .record([bought('1', '2026-03-02', 'film')])
          .until('2026-09-01'),
      ),
    ).toEqual([]);
    const twice = ann(due()).record([bought('1', '2026-03-02', 'film'), bought('2', '2026-03-16', 'film')]);
    expect(told(twice.until('2026-09-01'))).toEqual(['film: hello 2026-03-30 00:00']);
  });

  test('a purchase in time puts it off', () => {
    const world = ann(due()).record([bought('1', '2026-03-02', 'beans'), bought('2', '2026-03-20', 'beans')]);
    expect(told(world.until('2026-04-08'))).toEqual([]);
    expect(told(world.until('2026-09-01'))).toEqual(['beans: hello 2026-04-09 00:00']);
  });

  test('each product has its own time, and its own run', () => {
    const world = ann(due()).record([
      bought('1', '2026-03-02', 'beans'),
      bought('2', '2026-03-03', 'film'),
      bought('3', '2026-03-13', 'film'),
    ]);
    expect(told(world.until('2026-09-01'))).toEqual(['beans: hello 2026-03-22 00:00', 'film: hello 2026-03-23 00:00']);
    expect(new Set(world.kept().map((one) => one.run)).size).toBe(2);
  });

  test('"where" says which products', () => {
    const parts = due({ where: { products: { 'catalogue.lastsFor': { exists: true } } } });
    const world = ann(parts).record([
      bought('1', '2026-03-02', 'beans', 'film'),
      bought('2', '2026-03-12', 'beans', 'film'),
    ]);
    expect(told(world.until('2026-09-01'))).toEqual(['beans: hello 2026-04-01 00:00']);
  });

  test.each<[what: string, name: string, properties: JsonObject, expected: string[]]>([
    ['a refund of all', 'Order Refunded', {}, []],
    ['a refund of as much as was paid', 'Order Refunded', { total: 30 }, []],
    ['a cancellation', 'Order Cancelled', {}, []],
    [
      'the return of one of three',
      'Order Refunded',
      { products: lines('beans@10') },
      ['beans: hello 2026-04-11 00:00'],
    ],
    ['a cancellation of two', 'Order Cancelled', { products: lines('beans@10*2') }, ['beans: hello 2026-03-22 00:00']],
    ['money back for nothing returned', 'Order Refunded', { total: 5 }, ['beans: hello 2026-05-01 00:00']],
  ])('%s undoes as much of the purchase', (_, name, properties, expected) => {
    const world = ann(due()).record([
      bought('1', '2026-03-02', 'beans@10*3'),
      event(name, '2026-03-10', { order_id: '1', ...properties }),
    ]);
    expect(told(world.until('2026-09-01'))).toEqual(expected);
    const earlier = ann(due()).record([bought('0', '2026-02-25', 'beans'), bought('1', '2026-03-02', 'beans@10*3')]);
    earlier.record([event(name, '2026-03-10', { order_id: '1', ...properties })]);
    expect(told(earlier.until('2026-09-01'))).toEqual(
      expected.length > 0 ? expected : ['beans: hello 2026-03-17 00:00'],
    );
  });

  test('it is asked once for each purchase, also where it was skipped', () => {
    const world = ann(due({}, { for: { has: { country: 'PL' } } })).record([bought('1', '2026-03-02', 'beans')]);
    world
      .until('2026-03-22 01:00')
      .record([identified('2026-03-22 02:00', { country: 'PL' })])
      .until('2026-09-01');
    expect(world.said('hello')).toEqual(['skip: not in "for"']);
    world.record([bought('2', '2026-09-02', 'beans')]).until('2026-12-01');
    // By its own rhythm now: 184 days.
    expect(told(world)).toEqual(['beans: hello 2026-09-22 00:00']);
  });

  test('an order of a clock that is a little ahead is not forgotten', () => {
    const at = instant('2026-03-02 10:00');
    const world = ann(due()).record([bought('1', at + 2 * MINUTE, 'beans')], { now: at });
    expect(told(world.until('2026-09-01'))).toEqual(['beans: hello 2026-03-22 10:02']);
  });

  test('history starts it when its time comes, and takes over what had come', () => {
    const world = ann(due()).record([bought('1', '2026-02-20', 'beans'), bought('0', '2025-02-20', 'film', 'bag')], {
      history: true,
      now: START,
    });
    expect(told(world.until('2026-09-01'))).toEqual(['beans: hello 2026-03-12 00:00']);
    const just = ann(due()).record([bought('1', '2026-02-09 11:00', 'beans')], {
      history: true,
      now: '2026-03-01 12:00',
    });
    expect(told(just.until('2026-09-01'))).toEqual([]);
  });
});

describe('given a product that turns', () => {
  const back: When = {
    product: 'back in stock',
    watchedBy: { did: 'Back In Stock Requested', inLast: '180d' },
    oldestFirst: true,
  };
  const turn = (more: Partial<Extract<Stimulus, { kind: 'turn' }>> = {}): Extract<Stimulus, { kind: 'turn' }> => ({
    kind: 'turn',
    campaign: 'hello',
    product: 'bag',
    turn: 'update-1',
    at: instant('2026-03-05 09:00'),
    properties: { stock: 3, price: 40 },
    watchedAt: instant('2026-03-02'),
    ...more,
  });
  const requested = (at: string, product: string) => event('Back In Stock Requested', at, { product_id: product });

  test('who watches is noted beside the product: exactly where the oldest is told first, else by the day', () => {
    const drop: When = {
      product: 'price drop',
      by: { atLeast: '10%' },
      watchedBy: { did: 'Product Viewed', inLast: '30d' },
    };
    const world = ann({ campaigns: { hello: started(back, { kind: 'requested' }), cheaper: started(drop) } }).record([
      requested('2026-03-02 10:15', 'bag'),
      event('Product Viewed', '2026-03-02 10:20', { product_id: 'lens' }),
      event('Product Viewed', '2026-03-02 10:25', {}),
    ]);
    const { watches } = world;
    expect(watches.map(({ product, at, until }) => [product, at, until])).toEqual([
      ['bag', instant('2026-03-02 10:15'), instant('2026-08-29 10:15')],
      ['lens', instant('2026-03-02'), instant('2026-04-01 10:20')],
    ]);
    expect(watches.map(({ watch }) => watch)).toEqual([
      world.book.campaign.get('hello')?.product?.watch,
      world.book.campaign.get('cheaper')?.product?.watch,
    ]);
  });

  test('a watch that has passed already is not noted', () => {
    const world = ann(by(back)).record([requested('2026-03-02', 'bag')], { now: '2026-09-30' });
    expect(world.watches).toEqual([]);
  });

  test('it starts a run of that product, with what is known of the turn, and knows when it was asked for', () => {
    const world = ann(by(back, { kind: 'requested' })).give(turn(), '2026-03-05 09:01');
    expect(world.mail()).toEqual(['hello 2026-03-05 09:01']);
    expect(world.kept()[0]).toMatchObject({
      lane: 'triggered',
      inputs: {
        product: 'bag',
        watchedAt: instant('2026-03-02'),
        trigger: { name: 'Product Turned', properties: { product_id: 'bag', stock: 3, price: 40 } },
      },
      because: { cause: { kind: 'product', name: 'bag', id: 'update-1' } },
    });
  });

  test('the same turn again, while its run goes on or after, gives no second message', () => {
    const parts = by(back, {
      kind: 'requested',
      again: 'once per request',
      steps: [{ wait: '1h' }, { send: 'hello' }],
    });
    const world = ann(parts)
      .give(turn(), '2026-03-05 09:01')
      .give(turn(), '2026-03-05 09:02')
      .give(turn(), '2026-03-05 12:00');
    expect(world.until('2026-04-01').mail()).toHaveLength(1);
    expect(world.said('hello')).toContain('skip: already running');
    expect(world.said('hello')).toContain('skip: again: once per request');
  });

  test('once per request: a new request is answered again, an older one is not', () => {
    const world = ann(by(back, { kind: 'requested', again: 'once per request' }))
      .give(turn(), '2026-03-05 09:01')
      .give(turn({ turn: 'update-2', watchedAt: instant('2026-03-01') }), '2026-03-10')
      .give(turn({ turn: 'update-3', watchedAt: instant('2026-03-08') }), '2026-03-11')
      .give(turn({ turn: 'update-4', watchedAt: instant('2026-03-08') }), '2026-03-12');
    expect(world.mail()).toEqual(['hello 2026-03-05 09:01', 'hello 2026-03-11 00:00']);
  });

  test('a request that has grown too old is not answered, nor one of a campaign that is gone', () => {
    const world = ann(by(back, { kind: 'requested' }))
      .give(turn({ watchedAt: instant('2025-09-06 09:01') }), '2026-03-05 09:01')
      .give(turn({ campaign: 'other' }), '2026-03-05 09:02');
    expect(world.mail()).toEqual([]);
    expect(world.give(turn({ watchedAt: instant('2025-09-06 09:02') }), '2026-03-05 09:01').mail()).toHaveLength(1);
  });

  test('"since @watch.at": who has bought it since is not told', () => {
    const unless: Rule = did('Order Completed', {
      where: { products: { product_id: '@product' } },
      since: '@watch.at',
    });
    const parts = by(back, { kind: 'requested', steps: [{ send: 'hello', unless }] });
    const since = ann(parts)
      .record([order('1', '2026-03-03', ['bag'])])
      .give(turn(), '2026-03-05 09:01');
    expect(since.said('hello')).toContain('skip: unless');
    const before = ann(parts)
      .record([order('1', '2026-03-01 12:00', ['bag'])])
      .give(turn(), '2026-03-05 09:01');
    expect(before.mail()).toHaveLength(1);
  });

  test('marketing of a turn is bulk', () => {
    expect(ann(by(back)).give(turn(), '2026-03-05 09:01').kept()[0]?.lane).toBe('bulk');
  });
});

describe('given a broadcast', () => {
  const to: Rule = { has: { country: 'PL' } };
  const AT = instant('2026-03-10 09:00');
  const every: When = { every: 'tuesday 10:00', clock: 'contact', to };
  const booked = (at = AT, occurrence = '2026-03-10', campaign = 'hello') =>
    ({ kind: 'book', campaign, occurrence, at }) as const;
  const polish = (parts: Parts) => ann(parts).record([identified('2026-03-01 11:00', { country: 'PL' })]);

  test('a booking waits for its instant, which is due, and starts then', () => {
    const world = polish(by(every)).give(booked(), '2026-03-09');
    expect(world.person().journey).toMatchObject({
      due: AT,
      booked: [{ campaign: 'hello', occurrence: '2026-03-10', at: AT }],
    });
    expect(world.until(AT - 1).mail()).toEqual([]);
    world.until(AT);
    expect(world.mail()).toEqual(['hello 2026-03-10 09:00']);
    expect(world.kept()[0]).toMatchObject({
      lane: 'bulk',
      inputs: { trigger: { name: 'Broadcast', properties: { date: '2026-03-10' } } },
    });
    expect(world.person().journey).not.toHaveProperty('booked');
  });

  test('"to" is asked at that instant, not before', () => {
    const moved = polish(by(every))
      .give(booked(), '2026-03-09')
      .record([identified('2026-03-09 12:00', { country: 'CZ' })]);
    expect(moved.until('2026-03-11').said('hello')).toEqual(['skip: not in "to"']);
    const late = ann(by(every))
      .give(booked(), '2026-03-09')
      .record([identified('2026-03-09 12:00', { country: 'PL' })]);
    expect(late.until('2026-03-11').mail()).toEqual(['hello 2026-03-10 09:00']);
  });

  test('who has left meanwhile is not written to', () => {
    const world = polish(by(every))
      .give(booked(), '2026-03-09')
      .record([event('Consent Withdrawn', '2026-03-09 12:00', { all: true })]);
    expect(world.until('2026-03-11').said('hello')).toEqual(['skip: no consent']);
  });

  test('the same booking again plans it once: before its instant, and after', () => {
    const world = polish(by(every)).give(booked(), '2026-03-09').give(booked(), '2026-03-09 01:00');
    expect(world.person().journey.booked).toHaveLength(1);
    world.until('2026-03-10 09:05').give(booked(), '2026-03-10 09:06').until('2026-03-11');
    expect(world.mail()).toHaveLength(1);
    world.give(booked(), '2026-03-11 01:00').until('2026-03-12');
    expect(world.mail()).toHaveLength(1);
    expect(
      world
        .give(booked(AT + 7 * DAY, '2026-03-17'), '2026-03-16')
        .until('2026-03-20')
        .mail(),
    ).toHaveLength(2);
  });

  test('a page that is walked again after the person has moved to another zone plans nothing anew', () => {
    const world = polish(by(every)).give(booked(), '2026-03-09').until('2026-03-10 12:00');
    world.give(booked(AT + 15 * HOUR), '2026-03-10 13:00').until('2026-03-12');
    expect(world.mail()).toHaveLength(1);
  });

  test('who was booked twice, as two people who become one, is asked once', () => {
    const parts = by(every, { kind: 'requested' });
    const phone = { anonymous: 'phone' };
    const world = polish(parts).record([
      event('Identified', '2026-03-02', {}, { id: 'phone', ...phone, traits: { country: 'PL' } }),
    ]);
    const [, other] = [...world.contacts.values()];
    world.contacts.set(other!.id, {
      ...other!,
      journey: { ...other!.journey, booked: [{ ...booked(AT + 15 * HOUR) }], due: AT + 15 * HOUR },
    });
    world.give(booked(), '2026-03-09', 'ann').until('2026-03-10 12:00');
    world
      .record([event('Identified', '2026-03-10 13:00', {}, { id: 'link', user: 'ann', ...phone })])
      .until('2026-03-12');
    expect([...world.contacts.values()].filter(({ mergedInto }) => mergedInto !== undefined)).toHaveLength(1);
    expect(world.mail()).toHaveLength(1);
  });

  test('one whose instant has passed starts at once, unless it is older than a trigger may be', () => {
    expect(
      polish(by(every))
        .give(booked(), AT + 3 * HOUR)
        .mail(),
    ).toEqual(['hello 2026-03-10 12:00']);
    const late = polish(by(every)).give(booked(), AT + DAY);
    expect(late.said('hello')).toEqual(['skip: the trigger is too old']);
    expect(late.person().journey).not.toHaveProperty('booked');
  });

  test('it starts nothing where the campaign is gone, or starts otherwise now', () => {
    const gone = polish(by(every))
      .give(booked(), '2026-03-09')
      .publish(bookOf({ ordinal: 2 }), '2026-03-09 12:00');
    expect(gone.until('2026-03-11').person().journey).not.toHaveProperty('booked');
    const other = polish(by(every)).give(booked(), '2026-03-09');
    other.publish(bookOf({ ...by({ did: 'Product Viewed' }), ordinal: 2 }), '2026-03-09 12:00').until('2026-03-11');
    expect(other.said('hello')).toEqual(['skip: the campaign starts otherwise now']);
  });

  test('a publish does not start what has come: the tick after it does', () => {
    const world = polish(by(every)).give(booked(), '2026-03-09');
    world.publish(bookOf({ ...by(every), ordinal: 2 }), AT + MINUTE);
    expect(world.mail()).toEqual([]);
    expect(world.until('2026-03-11').mail()).toEqual(['hello 2026-03-10 09:01']);
  });

  test('of a paused campaign it starts all the same, and its mail waits at the send', () => {
    const world = new World(bookOf({ ...by(every), paused: ['hello'] })).record([
      ...introduced(START),
      identified('2026-03-01 11:00', { country: 'PL' }),
    ]);
    world.rechecks = true;
    world.give(booked(), '2026-03-09').until('2026-03-10 12:00');
    expect(world.kept()).toMatchObject([{ state: 'ready', plannedAt: AT }]);
    world.book = bookOf(by(every));
    world.until('2026-03-10 13:00');
    expect(world.kept()).toMatchObject([{ state: 'sent', sentAt: instant('2026-03-10 12:05') }]);
  });

  test('several are kept in their order', () => {
    const parts = by(
      every,
      {},
      {
        campaigns: { second: started({ at: '2026-03-05 10:00', clock: 'shop', to }, { steps: [{ send: 'second' }] }) },
      },
    );
    const world = polish(parts)
      .give(booked(), '2026-03-04')
      .give(booked(instant('2026-03-05 09:00'), '2026-03-05', 'second'), '2026-03-04');
    expect(world.person().journey.due).toBe(instant('2026-03-05 09:00'));
    expect(world.until('2026-03-11').mail()).toEqual(['second 2026-03-05 09:00', 'hello 2026-03-10 09:00']);
  });

  test('of two occurrences that come at once, after a long standstill, one starts', () => {
    const daily: When = { every: 'day 10:00', clock: 'shop', to };
    const world = polish(by(daily, { triggerAge: '5d' }))
      .give(booked(), '2026-03-09')
      .give(booked(AT + DAY, '2026-03-11'), '2026-03-09');
    world.record([event('Service Called', AT + 30 * HOUR)], { overdue: true }).until('2026-04-01');
    expect(world.mail()).toEqual(['hello 2026-03-11 15:00']);
    expect(world.said('hello')).toContain('skip: already running');
  });
});

describe('given those who were inside a segment when the campaign went live', () => {
  const parts = by(
    { enters: 'vip', alsoThoseInside: { perDay: 500 } },
    {},
    { segments: { vip: { has: { vip: true } } } },
  );
  const at = instant('2026-03-05 12:00');
  const inside = { kind: 'book', campaign: 'hello', occurrence: 'inside|vip', at } as const;
  const member = () =>
    ann({ ...parts, campaigns: {} })
      .record([identified('2026-03-02', { vip: true })])
      .publish(bookOf({ ...parts, ordinal: 2, since: { hello: 2 } }), '2026-03-04');

  test('they start at their instant, as bulk', () => {
    const world = member().give(inside, '2026-03-05').until('2026-03-06');
    expect(world.mail()).toEqual(['hello 2026-03-05 12:00']);
    expect(world.kept()[0]).toMatchObject({
      lane: 'bulk',
      inputs: { trigger: { name: 'Segment Entered', properties: { segment: 'vip' } } },
    });
  });

  test('who has left it by then does not', () => {
    const world = member()
      .give(inside, '2026-03-05')
      .record([identified('2026-03-05 10:00', { vip: false })]);
    expect(world.until('2026-03-06').said('hello')).toEqual(['skip: not in "vip" any more']);
  });

  test('who enters again later starts again', () => {
    const world = member().give(inside, '2026-03-05').until('2026-03-06');
    world.record([identified('2026-03-07', { vip: false }), identified('2026-03-08', { vip: true })]);
    expect(world.mail()).toEqual(['hello 2026-03-05 12:00', 'hello 2026-03-08 00:00']);
  });
});

describe('one stimulus', () => {
  const seen: When = { did: ['Product Viewed', 'Product Added'] };

  test('starts each campaign at most once, and several campaigns together', () => {
    const world = ann({ campaigns: { a: started(seen), b: started(seen, { steps: [{ send: 'other' }] }) } });
    world.record([event('Product Viewed', '2026-03-02', { product_id: 'bag' })]);
    expect(world.mail().sort()).toEqual(['hello 2026-03-02 00:00', 'other 2026-03-02 00:00']);
  });

  test('the same event under the same id starts nothing twice', () => {
    const twice = event('Product Viewed', '2026-03-02', { product_id: 'bag' });
    expect(ann(by(seen)).record([twice, twice]).mail()).toHaveLength(1);
  });

  test('starts runs of products side by side, also beside one that is under way', () => {
    const parts = by({ did: 'Order Completed', each: 'products' }, { steps: [{ wait: '5d' }, { send: 'hello' }] });
    const world = ann(parts).record([
      order('1', '2026-03-02', ['bag', 'lens']),
      order('2', '2026-03-03', ['bag', 'case']),
    ]);
    expect(
      world
        .person()
        .journey.runs.map((run) => run.product)
        .sort(),
    ).toEqual(['bag', 'case', 'lens']);
    expect(world.said('hello').filter((one) => one === 'skip: already running')).toHaveLength(1);
  });
});
