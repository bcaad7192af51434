// Conversions: which success counts, for which message, in both arms, and how often.
import { describe, expect, test } from 'vitest';
import type { Campaign, Step } from '../../domain/campaign-grammar.ts';
import type { Rule } from '../../domain/grammar.ts';
import { bookOf, event, instant, introduced, marketing, order, type Parts, World } from '../support/people.ts';

const START = '2026-03-01 10:00';
const AT = '2026-03-02 10:00';
const did = (name: string | string[], more: object = {}): Rule => ({ did: name, ...more }) as Rule;
const viewed = (at: string, product_id = 'bag') => event('Product Viewed', at, { product_id });
const bought: Campaign['success'] = { did: 'Order Completed', within: '5d', value: 'revenue' };
const offer = (more: Partial<Campaign> = {}): Campaign =>
  marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'one' }], success: bought, ...more });
const goods = {
  products: {
    camera: { name: 'Camera', margin: 0.25, price: 400 },
    bag: { name: 'Bag', margin: 0.5, price: 40 },
    lens: { name: 'Lens', price: 200 },
  },
};

/** Ann has looked at a bag, and has a mail, or its ghost. */
function ann(more: Partial<Campaign> = {}, parts: Parts = {}, id = 'offer'): World {
  const book = bookOf({ catalogue: goods, ...parts, campaigns: { [id]: offer(more), ...parts.campaigns } });
  return new World(book).record([...introduced(START), viewed(AT)]);
}
/** E-mail, event, order and worth of what was told. */
const told = (world: World): string[] =>
  world.conversions.map(({ message, event: name, order: key, value }) =>
    [world.messages.get(message)?.email, name, key?.split('#')[1], value]
      .filter((part) => part !== undefined)
      .join(' '),
  );

describe('given a mail whose campaign says what a success is', () => {
  test('the first in its time is its conversion, with its order and its worth; the next is none', () => {
    const world = ann().record([order('1', '2026-03-03', ['bag*2']), order('2', '2026-03-04', ['camera'])]);
    expect(told(world)).toEqual(['one Order Completed 1 8000']);
    expect(world.conversions[0]).toEqual({
      message: world.kept()[0]?.id,
      contact: 'c1',
      at: instant('2026-03-03'),
      event: 'Order Completed',
      order: 'shop#1',
      value: 8000,
    });
    expect(world.person().journey).not.toHaveProperty('windows');
  });

  test.each<[why: string, at: string, times: number]>([
    ['before the mail', '2026-03-02 09:59', 0],
    ['at its very instant', '2026-03-02 10:00', 0],
    ['a moment after it', '2026-03-02 10:01', 1],
    ['at the end of the time', '2026-03-07 10:00', 1],
    ['a minute behind the end', '2026-03-07 10:01', 0],
  ])('%s', (_, at, times) => {
    const world = ann().record([order('1', at, ['bag'])], { now: at < AT ? '2026-03-02 12:00' : at });
    expect(told(world)).toHaveLength(times);
  });

  test('an order that is heard of late counts by its own time, for a day', () => {
    const late = (now: string) => told(ann().record([order('1', '2026-03-07 09:00', ['bag'])], { now }));
    expect(late('2026-03-08 09:59')).toHaveLength(1);
    expect(late('2026-03-08 10:01')).toHaveLength(0);
  });

  test('an order counts once, however often it is said', () => {
    const world = ann().record([
      order('1', '2026-03-02 09:00', ['bag'], { id: 'before' }),
      order('1', '2026-03-03', ['bag'], { id: 'again' }),
    ]);
    expect(told(world)).toEqual([]);
  });

  test('history converts nobody', () => {
    expect(told(ann().record([order('1', '2026-03-03', ['bag'])], { history: true }))).toEqual([]);
  });

  test('only what is meant counts, with what the run’s references mean', () => {
    const success = { ...bought, where: { products: { product_id: '@trigger.product_id' } } };
    const world = ann({ success }).record([order('1', '2026-03-03', ['lens']), order('2', '2026-03-04', ['bag'])]);
    expect(told(world)).toEqual(['one Order Completed 2 4000']);
    const product = { ...bought, where: { products: { product_id: '@product.id', quantity: { atLeast: 2 } } } };
    const each = ann({ success: product, when: { did: 'Order Completed', each: 'products' } });
    each.record([
      order('0', '2026-03-03', ['bag']),
      order('1', '2026-03-04', ['bag']),
      order('2', '2026-03-05', ['bag*2']),
    ]);
    expect(told(each)).toEqual(['one Order Completed 2 8000']);
  });

  test('margin is the margin of the lines of which it is known', () => {
    const margin = (...products: string[]) =>
      told(ann({ success: { ...bought, value: 'margin' } }).record([order('1', '2026-03-03', products)]));
    expect(margin('camera', 'bag*2', 'lens')).toEqual([`one Order Completed 1 ${10_000 + 4000}`]);
    expect(margin('lens')).toEqual(['one Order Completed 1']);
  });

  test('another event may be a success, without an order and without worth', () => {
    const world = ann({ success: { did: ['Service Called', 'Ticket Bought'], within: '5d' } });
    world.record([event('Service Called', '2026-03-03', { topic: 'lens' })]);
    expect(told(world)).toEqual(['one Service Called']);
  });

  test('in another currency than the shop’s nothing is known of its worth', () => {
    const dollars = order('1', '2026-03-03', ['bag'], { properties: { currency: 'USD' } });
    expect(told(ann().record([dollars]))).toEqual(['one Order Completed 1']);
  });

  test('it is the ghost’s of a held-out person', () => {
    const world = ann({ holdout: 50 }, {}, 'won');
    world.record([order('1', '2026-03-03', ['bag'])]);
    expect(world.mail()).toEqual(['ghost one 2026-03-02 10:00']);
    expect(told(world)).toEqual(['one Order Completed 1 4000']);
  });

  test('a mail that was skipped opens no time', () => {
    const world = ann({ steps: [{ send: 'one', unless: { not: { has: { vip: true } } } }] });
    expect(told(world.record([order('1', '2026-03-03', ['bag'])]))).toEqual([]);
  });
});

describe('given a run with several mails', () => {
  const two: Step[] = [{ send: 'one' }, { wait: '2d' }, { send: 'two' }];

  test('the success is told to the last mail before it, and once for the run', () => {
    const first = ann({ steps: two }).record([order('1', '2026-03-03', ['bag'])]);
    expect(told(first.until('2026-03-05').record([order('2', '2026-03-06', ['bag'])]))).toEqual([
      'one Order Completed 1 4000',
      'two Order Completed 2 4000',
    ]);
    const second = ann({ steps: two })
      .until('2026-03-05')
      .record([order('1', '2026-03-08', ['bag'])]);
    expect(told(second)).toEqual(['two Order Completed 1 4000']);
  });

  test('one that waits for later is not the last before it', () => {
    const settings = { quietHours: { from: '09:00', to: '20:00' }, zone: 'UTC' };
    const steps: Step[] = [{ send: 'one', quiet: 'ignore' }, { wait: '1h' }, { send: 'two' }];
    const world = ann({ steps }, { settings }).until('2026-03-02 12:00');
    expect(world.mail()).toEqual(['one 2026-03-02 10:00', 'two 2026-03-02 20:00']);
    expect(told(world.record([order('1', '2026-03-02 13:00', ['bag'])]))).toEqual(['one Order Completed 1 4000']);
    const late = ann({ steps }, { settings }).record([order('1', '2026-03-02 21:00', ['bag'])]);
    expect(told(late)).toEqual(['two Order Completed 1 4000']);
  });

  test('a success that stops the run, and takes back what waits, is told to the mail that went out', () => {
    const settings = { quietHours: { from: '09:00', to: '20:00' }, zone: 'UTC' };
    const steps: Step[] = [{ send: 'one', quiet: 'ignore' }, { wait: '1h' }, { send: 'two' }];
    const world = ann({ steps, stopIf: did('Order Completed', { since: 'run start' }) }, { settings });
    world.record([order('1', '2026-03-02 13:00', ['bag'])]);
    expect(world.dropped()).toEqual(['two: stopIf']);
    expect(told(world)).toEqual(['one Order Completed 1 4000']);
  });

  test('what is taken back before it went out opens no time', () => {
    const settings = { quietHours: { from: '09:00', to: '20:00' }, zone: 'UTC' };
    const stopIf = did('Service Called', { since: 'run start' });
    const only = ann({ stopIf }, { settings }).record([event('Service Called', '2026-03-02 12:00')]);
    expect(told(only.record([order('1', '2026-03-03', ['bag'])]))).toEqual([]);
    const steps: Step[] = [{ send: 'one', quiet: 'ignore' }, { wait: '1h' }, { send: 'two' }];
    const first = ann({ steps, stopIf }, { settings }).record([event('Service Called', '2026-03-02 12:00')]);
    expect(told(first.record([order('1', '2026-03-07 09:00', ['bag'])]))).toEqual(['one Order Completed 1 4000']);
    const over = ann({ steps, stopIf }, { settings }).record([event('Service Called', '2026-03-02 12:00')]);
    expect(told(over.record([order('1', '2026-03-07 11:00', ['bag'])]))).toEqual([]);
  });

  test('nor does what gave way to something more important', () => {
    const settings = { caps: [{ most: 1, in: '1d' }], quietHours: { from: '09:00', to: '20:00' }, zone: 'UTC' };
    const high = marketing({ when: { did: 'Service Called' }, priority: 90, steps: [{ send: 'high' }] });
    const world = ann({}, { settings, campaigns: { high } }).record([event('Service Called', '2026-03-02 12:00')]);
    expect(world.dropped()).toEqual(['one: frequency-cap: high came first']);
    expect(told(world.record([order('1', '2026-03-03', ['bag'])]))).toEqual([]);
  });
});

describe('given several runs', () => {
  test('of one campaign an order counts once, for the newest of them; for none of the others later', () => {
    const world = ann().record([
      viewed('2026-03-03'),
      order('1', '2026-03-04', ['bag']),
      order('2', '2026-03-05', ['bag']),
    ]);
    expect(world.mail()).toEqual(['one 2026-03-02 10:00', 'one 2026-03-03 00:00']);
    expect(told(world)).toEqual(['one Order Completed 1 4000']);
    expect(world.conversions[0]?.message).toBe(world.kept()[1]?.id);
  });

  test('the newest that lies before it', () => {
    const world = ann().record([viewed('2026-03-04')]);
    world.record([order('1', '2026-03-03', ['bag'])], { now: '2026-03-04 12:00' });
    expect(world.conversions.map(({ message }) => message)).toEqual([world.kept()[0]?.id]);
    world.record([order('2', '2026-03-05', ['bag'])]);
    expect(world.conversions.map(({ message }) => message)).toEqual(world.kept().map(({ id }) => id));
  });

  test('of several campaigns it counts for each: none knows of the other', () => {
    const campaigns = { other: offer({ steps: [{ send: 'other' }] }) };
    const world = ann({}, { campaigns }).record([order('1', '2026-03-03', ['bag'])]);
    expect(told(world).sort()).toEqual(['one Order Completed 1 4000', 'other Order Completed 1 4000']);
  });

  test('the thirty newest times are kept', () => {
    const world = ann({ success: { ...bought, within: '90d' } });
    for (let i = 0; i < 40; i++) world.record([viewed(`2026-03-03 10:${String(10 + i)}`)]);
    expect(world.person().journey.windows).toHaveLength(30);
  });

  test('a time that is over is forgotten a day later', () => {
    const world = ann()
      .until('2026-03-08 09:00')
      .record([event('Service Called', '2026-03-08 09:30')]);
    expect(world.person().journey.windows).toHaveLength(1);
    world.record([event('Service Called', '2026-03-08 10:00')]);
    expect(world.person().journey).not.toHaveProperty('windows');
  });

  test('when two become one, a success of the one counts for the mail of the other', () => {
    const book = bookOf({ catalogue: goods, campaigns: { offer: offer() } });
    const world = new World(book).record([
      event('Identified', START, {}, { id: 'i', anonymous: 'phone', address: 'ann@mail.example' }),
      event('Consent Granted', START, { topic: 'offers' }, { id: 'g', anonymous: 'phone' }),
      event('Product Viewed', AT, { product_id: 'bag' }, { id: 'v', anonymous: 'phone' }),
      event('Identified', '2026-03-03', {}, { id: 'link', user: 'ann', anonymous: 'phone' }),
      order('1', '2026-03-04', ['bag']),
    ]);
    expect(told(world)).toEqual(['one Order Completed 1 4000']);
    expect(world.conversions[0]?.contact).toBe(world.kept()[0]?.contact);
  });
});
