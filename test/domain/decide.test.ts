// Stories of decide and run: events and time in, messages out.
import { describe, expect, test } from 'vitest';
import { emptyBook } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import type { Contact } from '../../domain/contact.ts';
import { decide } from '../../domain/decide.ts';
import { recheck } from '../../domain/eligibility.ts';
import type { Rule } from '../../domain/grammar.ts';
import { foldOrder, type Order } from '../../domain/order.ts';
import {
  bookOf,
  DAY,
  event,
  HOUR,
  instant,
  introduced,
  marketing,
  order,
  type Parts,
  published,
  World,
} from '../support/people.ts';

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

describe('given a cross-sell campaign started by an order', () => {
  test('its message comes after the wait, with what goes well with what was bought', () => {
    const world = ann({ campaigns: { cross: cross() } }).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    expect(world.person().journey.due).toBe(instant('2026-03-04 10:00'));
    world.until('2026-04-01');
    expect(world.mail()).toEqual(['goes-with 2026-03-04 10:00']);
    const [message] = world.kept();
    expect(message?.inputs.recommendations).toEqual(['bag', 'lens']);
    expect(message?.inputs.trigger).toMatchObject({ name: 'Order Completed', properties: { order_id: '1' } });
    expect(message).toMatchObject({
      state: 'sent',
      due: instant('2026-03-04 10:00') + 300_000,
      kind: 'marketing',
      topic: 'offers',
    });
    expect(world.said('cross')).toEqual(['start: Order Completed', 'send: goes-with', 'end: all steps done']);
    expect(world.person().journey.due).toBeUndefined();
  });

  test('the message is made once, however often the tick comes', () => {
    const world = ann({ campaigns: { cross: cross() } })
      .record([ordered('1', '2026-03-02 10:00', 'camera')])
      .until('2026-03-05');
    const { id } = world.person();
    world.tick(id, instant('2026-03-05 01:00'));
    const after = world.person();
    world.tick(id, instant('2026-03-05 02:00'));
    expect(world.mail()).toHaveLength(1);
    expect(world.person()).toEqual(after);
    expect(after.journey.runs).toEqual([]);
  });

  test('an event between trigger and wait changes neither', () => {
    const world = ann({ campaigns: { cross: cross() } }).record([
      ordered('1', '2026-03-02 10:00', 'camera'),
      event('Product Viewed', '2026-03-03 10:00', { product_id: 'bag' }),
    ]);
    expect(world.until('2026-04-01').mail()).toEqual(['goes-with 2026-03-04 10:00']);
  });

  test('an order said again under another message id starts nothing', () => {
    const world = ann({ campaigns: { cross: cross({ steps: [{ send: 'thanks' }] }) } }).record([
      ordered('1', '2026-03-02 10:00', 'camera'),
      order('1', '2026-03-02 10:05', ['camera'], { id: 'said again' }),
    ]);
    expect(world.mail()).toEqual(['thanks 2026-03-02 10:00']);
  });

  test('an order that does not match its "where" starts nothing', () => {
    const campaigns = { cross: cross({ when: { did: 'Order Completed', where: { revenue: { atLeast: 100 } } } }) };
    const world = ann({ campaigns })
      .record([ordered('1', '2026-03-02 10:00', 'bag')])
      .until('2026-04-01');
    expect(world.mail()).toEqual([]);
    expect(world.said('cross')).toEqual([]);
  });

  test('a stopIf drops the message that waits, and gives back its place under the cap', () => {
    const settings = { caps: [{ most: 1, in: '1d' }], quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };
    const stopIf = did('Order Refunded', { where: { order_id: '@trigger.order_id' } });
    const campaigns = {
      cross: cross({ steps: [{ send: 'goes-with' }], stopIf }),
      viewed: marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'viewed' }] }),
    };
    const world = ann({ campaigns, settings }).record([ordered('1', '2026-03-02 22:00', 'camera')]);
    expect(world.mail()).toEqual(['goes-with 2026-03-03 09:00']);
    expect(world.person().journey.sends).toHaveLength(1);
    world.record([event('Order Refunded', '2026-03-03 08:00', { order_id: '1' })]);
    expect(world.dropped()).toEqual(['goes-with: stopIf']);
    expect(world.person().journey.sends).toEqual([]);
    world.record([event('Product Viewed', '2026-03-03 10:00', { product_id: 'bag' })]);
    expect(world.mail()).toEqual(['viewed 2026-03-03 10:00']);
  });

  test('a stopIf takes back nothing that has gone out, nor its place under the cap', () => {
    const stopIf = did('Order Refunded', { where: { order_id: '@trigger.order_id' } });
    const campaigns = { cross: cross({ steps: [{ send: 'one' }, { wait: '2d' }, { send: 'two' }], stopIf }) };
    const world = ann({ campaigns, settings: { caps: [{ most: 1, in: '1d' }] } }).record([
      ordered('1', '2026-03-02 10:00', 'camera'),
      event('Order Refunded', '2026-03-02 10:30', { order_id: '1' }),
    ]);
    expect(world.person().journey.sends).toHaveLength(1);
    expect(world.until('2026-04-01').mail()).toEqual(['one 2026-03-02 10:00']);
    expect(world.said('cross').at(-1)).toBe('stop: stopIf');
  });

  test('a refund of another order stops nothing', () => {
    const stopIf = did('Order Refunded', { where: { order_id: '@trigger.order_id' } });
    const world = ann({ campaigns: { cross: cross({ stopIf }) } }).record([
      ordered('1', '2026-03-02 10:00', 'camera'),
      event('Order Refunded', '2026-03-03 08:00', { order_id: '2' }),
    ]);
    expect(world.until('2026-04-01').mail()).toEqual(['goes-with 2026-03-04 10:00']);
  });

  test('a refund that was processed before its order stops the run at its start', () => {
    const stopIf = did('Order Refunded', { where: { order_id: '@trigger.order_id' } });
    const world = ann({ campaigns: { cross: cross({ stopIf }) } });
    world.record([event('Order Refunded', '2026-03-02 11:00', { order_id: '1' })]);
    world.record([ordered('1', '2026-03-02 10:00', 'camera')], { now: '2026-03-02 12:00' });
    expect(world.until('2026-04-01').mail()).toEqual([]);
    expect(world.said('cross')).toEqual(['skip: stopIf']);
    expect(world.questions.at(-1)).toContain('Order Refunded');
  });

  test('needs hold a mail back that would come out thin', () => {
    const steps: Campaign['steps'] = [
      { send: 'goes-with', needs: { recommendations: { atLeast: 2 } } },
      { send: 'after' },
    ];
    const world = ann({ campaigns: { cross: cross({ steps }) } }).record([ordered('1', '2026-03-02 10:00', 'phone')]);
    expect(world.mail()).toEqual(['after 2026-03-02 10:00']);
    expect(world.said('cross')).toContain('skip: needs');
  });

  test('unless skips the message, not the run', () => {
    const steps: Campaign['steps'] = [
      { send: 'first', unless: did('Order Completed', { times: 2 }) },
      { send: 'second' },
    ];
    const world = ann({ campaigns: { cross: cross({ steps }) } }).record([
      ordered('1', '2026-03-02 10:00', 'phone'),
      ordered('2', '2026-03-03 10:00', 'phone'),
    ]);
    expect(world.mail()).toEqual(['first 2026-03-02 10:00', 'second 2026-03-02 10:00', 'second 2026-03-03 10:00']);
  });
});

describe('given an up-sell campaign with a run per line', () => {
  const up = (more: Partial<Campaign> = {}): Campaign =>
    marketing({
      aim: 'up-sell',
      when: {
        did: 'Order Completed',
        where: { products: { 'catalogue.upgrade': { exists: true } } },
        each: 'products',
      },
      for: { not: did('Order Completed', { where: { products: { product_id: '@product.upgrade' } } }) },
      again: 'after 180d',
      steps: [{ wait: '@product.replaceAfter' }, { send: 'next-model', needs: { recommendations: { atLeast: 1 } } }],
      ...more,
    });

  test('each line that has an upgrade waits for its own time to be replaced', () => {
    const world = ann({ campaigns: { up: up() } }).record([
      ordered('1', '2026-03-02 10:00', 'camera', 'bag', 'phone*2'),
    ]);
    expect(world.person().journey.runs.map((run) => run.product)).toEqual(['camera', 'phone']);
    expect(world.said('up')).toEqual(['start: Order Completed', 'start: Order Completed']);
    world.until('2026-07-01');
    expect(world.mail()).toEqual(['next-model 2026-05-01 10:00', 'next-model 2026-05-31 10:00']);
    expect(world.kept().map((one) => [one.inputs.product, ...one.inputs.recommendations])).toEqual([
      ['camera', 'camera-pro'],
      ['phone', 'phone-pro'],
    ]);
  });

  test('who buys the better model meanwhile is not asked to', () => {
    const world = ann({ campaigns: { up: up() } }).record([
      ordered('1', '2026-03-02 10:00', 'camera', 'phone'),
      ordered('2', '2026-04-10 10:00', 'phone-pro'),
    ]);
    world.until('2026-07-01');
    expect(world.kept().map((one) => one.inputs.product)).toEqual(['camera']);
    expect(world.said('up')).toContain('skip: not in "for"');
  });

  test('who bought the better model long before is not asked to: the past is read', () => {
    const world = ann({ campaigns: { up: up() } })
      .record([ordered('1', '2025-04-10 10:00', 'phone-pro')], { history: true, now: '2026-03-01 11:00' })
      .record([ordered('2', '2026-03-02 10:00', 'phone')]);
    expect(world.questions.at(-1)).toEqual(['Order Completed']);
    expect(world.person().journey.runs).toEqual([]);
    expect(world.said('up')).toEqual(['skip: not in "for"']);
  });

  test('who buys both in one order is not asked to', () => {
    const world = ann({ campaigns: { up: up() } }).record([ordered('1', '2026-03-02 10:00', 'phone', 'phone-pro')]);
    expect(world.person().journey.runs).toEqual([]);
  });

  test('the wait of a single product reads it from the trigger', () => {
    const campaigns = { up: up({ when: { did: 'Product Viewed' }, for: { has: { country: { exists: false } } } }) };
    const world = ann({ campaigns }).record([event('Product Viewed', '2026-03-02 10:00', { product_id: 'camera' })]);
    expect(world.until('2026-07-01').mail()).toEqual(['next-model 2026-05-01 10:00']);
  });

  test('a product that never needs to be replaced ends its run', () => {
    const campaigns = { up: up({ when: { did: 'Order Completed', each: 'products' } }) };
    const world = ann({ campaigns }).record([ordered('1', '2026-03-02 10:00', 'bag')]);
    expect(world.said('up')).toEqual(['start: Order Completed', 'stop: the product has no replaceAfter']);
    expect(world.person().journey.due).toBeUndefined();
  });
});

describe('given a win-back campaign on entering a segment', () => {
  const lapsed: Rule = { all: [did('Order Completed'), { not: did('Order Completed', { inLast: '60d' }) }] };
  const parts = (more: Partial<Campaign> = {}): Parts => ({
    segments: { lapsed },
    campaigns: {
      back: marketing({
        when: { enters: 'lapsed' },
        for: { segment: 'lapsed' },
        stopIf: did('Order Completed', { since: 'run start' }),
        again: 'after 180d',
        steps: [{ send: 'miss-you' }, { wait: '10d' }, { send: 'still-here' }],
        ...more,
      }),
    },
  });

  test('it starts when the last order leaves the window, without any event', () => {
    const world = ann(parts())
      .record([ordered('1', '2026-03-02 10:00', 'camera')])
      .until('2026-07-01');
    expect(world.mail()).toEqual(['miss-you 2026-05-01 10:00', 'still-here 2026-05-11 10:00']);
    expect(world.person().journey.segments.lapsed).toEqual({ since: instant('2026-05-01 10:00'), entries: 1 });
  });

  test('an order stops it, and lapsing again within 180 days starts nothing', () => {
    const world = ann(parts())
      .record([ordered('1', '2026-03-02 10:00', 'camera')])
      .until('2026-05-03');
    world.record([ordered('2', '2026-05-05 10:00', 'bag')]).until('2026-08-01');
    expect(world.mail()).toEqual(['miss-you 2026-05-01 10:00']);
    expect(world.said('back').slice(-2)).toEqual(['stop: stopIf', 'skip: again: after 180d']);
    expect(world.person().journey.segments.lapsed?.entries).toBe(2);
  });

  test('lapsing again after 180 days starts it again, with messages of their own', () => {
    const world = ann(parts())
      .record([ordered('1', '2026-03-02 10:00', 'camera')])
      .until('2026-06-01');
    world.record([ordered('2', '2026-09-05 10:00', 'bag')]).until('2027-01-01');
    expect(world.mail()).toHaveLength(4);
  });

  test('history starts nothing, but the time that passes after it does', () => {
    const old = [ordered('1', '2026-02-01 10:00', 'camera'), ordered('2', '2025-10-01 10:00', 'camera')];
    const recent = new World(bookOf(parts())).record([...introduced(START), ...old], { now: START, history: true });
    expect(recent.members()).toEqual([]);
    expect(recent.until('2026-05-01').mail()).toEqual(['miss-you 2026-04-02 10:00', 'still-here 2026-04-12 10:00']);
    const gone = new World(bookOf(parts())).record([...introduced(START), old[1]!], { now: START, history: true });
    expect(gone.members()).toEqual(['lapsed']);
    expect(gone.until('2026-05-01').mail()).toEqual([]);
  });

  test('history starts no campaign of events', () => {
    const world = ann({ campaigns: { cross: cross() } }).record([ordered('1', START, 'camera')], { history: true });
    expect(world.until('2026-05-01').mail()).toEqual([]);
  });

  test('a new definition is taken over without entering', () => {
    const world = new World(bookOf())
      .record(introduced(START))
      .record([ordered('1', '2025-10-01 10:00', 'camera')], { history: true, now: START });
    world.publish(bookOf({ ...parts(), ordinal: 2, since: { lapsed: 2, back: 2 } }), '2026-03-05');
    expect(world.members()).toEqual(['lapsed']);
    expect(world.until('2026-05-01').mail()).toEqual([]);
    expect(world.person().journey.segments.lapsed?.entries).toBe(0);
  });

  test('a rule that changed is taken over also by an event that comes before the backfill', () => {
    const world = ann(parts()).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    const shorter: Rule = { all: [did('Order Completed'), { not: did('Order Completed', { inLast: '7d' }) }] };
    world.publish(
      bookOf({ ...parts(), segments: { lapsed: shorter }, ordinal: 2, since: { lapsed: 2, back: 2 } }),
      '2026-03-20',
      { walk: false },
    );
    world.record([event('Product Viewed', '2026-03-20 10:00', { product_id: 'bag' })]);
    expect(world.members()).toEqual(['lapsed']);
    expect(world.mail()).toEqual([]);
  });

  test('a rule that did not change is entered also under a newer book', () => {
    const world = ann(parts()).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    world.publish(bookOf({ ...parts(), ordinal: 2 }), '2026-03-20', { walk: false });
    expect(world.until('2026-05-02').mail()).toEqual(['miss-you 2026-05-01 10:00']);
  });

  test('somebody new enters what holds for him at once', () => {
    const campaigns = {
      hello: marketing({ kind: 'service', when: { enters: 'everybody' }, steps: [{ send: 'hello' }] }),
    };
    const world = new World(bookOf({ segments: { everybody: { not: { has: { country: 'XX' } } } }, campaigns }));
    world.record([event('Identified', START, {}, { user: 'ann', address: 'ann@mail.example' })]);
    expect(world.mail()).toEqual(['hello 2026-03-01 10:00']);
  });

  test('a segment that goes and comes back gives no message id twice', () => {
    const repeated = parts({ again: 'every time' });
    const world = ann(repeated)
      .record([ordered('1', '2026-03-02 10:00', 'camera')])
      .until('2026-06-01');
    world.publish(bookOf({ ordinal: 2 }), '2026-06-02');
    world.record([ordered('2', '2026-06-03 10:00', 'camera')]);
    world.publish(bookOf({ ...repeated, ordinal: 3, since: { lapsed: 3, back: 3 } }), '2026-06-04');
    expect(world.until('2026-09-01').mail()).toHaveLength(4);
  });

  test('a segment that goes leaves nothing behind where nobody entered it', () => {
    const world = ann({}).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    const late = { segments: { buyers: did('Order Completed') }, since: { buyers: 2 } };
    world.publish(bookOf({ ...late, ordinal: 2 }), '2026-03-03');
    expect(world.person().journey.segments).toEqual({ buyers: { since: instant('2026-03-03'), entries: 0 } });
    expect(world.publish(bookOf({ ordinal: 3 }), '2026-03-04').person().journey.segments).toEqual({});
  });

  test('the order that lets somebody enter is not "since run start"', () => {
    const campaigns = {
      thanks: marketing({
        when: { enters: 'vip' },
        stopIf: did('Order Completed', { since: 'run start' }),
        steps: [{ wait: '1d' }, { send: 'thanks' }],
      }),
    };
    const segments = { vip: did('Order Completed', { sum: { of: 'revenue', atLeast: 400 } }) };
    const world = ann({ segments, campaigns }).record([
      ordered('1', '2026-03-02 10:00', 'bag'),
      ordered('2', '2026-03-02 10:00', 'camera'),
    ]);
    expect(world.until('2026-04-01').mail()).toEqual(['thanks 2026-03-03 10:00']);
    world.record([ordered('3', '2026-04-02 10:00', 'bag')]);
    expect(world.said('thanks')).not.toContain('stop: stopIf');
  });
});

describe('given versions of a campaign', () => {
  const first = cross();
  const second = cross({ steps: [{ wait: '5d' }, { send: 'newer' }] });

  test('a campaign is not live before its book is filled', () => {
    const world = ann({ campaigns: { cross: first }, ordinal: 2, since: { cross: 2 }, filled: 1 }).record([
      ordered('1', '2026-03-02 10:00', 'camera'),
    ]);
    expect(world.until('2026-04-01').mail()).toEqual([]);
    expect(world.said('cross')).toEqual(['skip: not live']);
    world.publish(bookOf({ campaigns: { cross: first }, ordinal: 2, since: { cross: 2 }, filled: 2 }), '2026-04-01');
    world.record([ordered('2', '2026-04-02 10:00', 'camera')]);
    expect(world.until('2026-05-01').mail()).toEqual(['goes-with 2026-04-04 10:00']);
  });

  test('a run stays with the version that it started under', () => {
    const world = ann({ campaigns: { cross: first } }).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    world.publish(
      bookOf({ campaigns: { cross: second }, retired: [published('cross', first)], ordinal: 2, since: { cross: 2 } }),
      '2026-03-03',
    );
    world.until('2026-03-10').record([ordered('2', '2026-03-11 10:00', 'camera')]);
    expect(world.until('2026-04-01').mail()).toEqual(['goes-with 2026-03-04 10:00', 'newer 2026-03-16 10:00']);
  });

  test('a run whose version is gone stops', () => {
    const world = ann({ campaigns: { cross: first } }).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    world.publish(bookOf({ campaigns: { cross: second }, ordinal: 2, since: { cross: 2 } }), '2026-03-03');
    expect(world.until('2026-04-01').mail()).toEqual([]);
    expect(world.said('cross').at(-1)).toBe('stop: its version is no longer published');
  });

  test('it starts within its dates only, days of the shop', () => {
    const campaigns = { cross: cross({ starts: '2026-03-02', ends: '2026-03-03', steps: [{ send: 'goes-with' }] }) };
    const at = ['2026-03-01 22:59', '2026-03-01 23:00', '2026-03-03 22:59', '2026-03-03 23:00'];
    const world = ann({ campaigns }).record(at.map((moment, i) => ordered(`${i}`, moment, 'camera')));
    expect(world.mail()).toEqual(['goes-with 2026-03-01 23:00', 'goes-with 2026-03-03 22:59']);
  });

  test('publishing moves no run: what is due is done by the next tick', () => {
    const world = ann({ campaigns: { cross: first } }).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    world.publish(bookOf({ campaigns: { cross: first }, ordinal: 2 }), '2026-03-05');
    expect(world.mail()).toEqual([]);
    expect(world.until('2026-03-06').mail()).toEqual(['goes-with 2026-03-05 00:00']);
  });
});

describe('given the gates before a send', () => {
  const seen = (more: Partial<Campaign> = {}): Campaign =>
    marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'seen' }], ...more });
  const view = (at: string) => event('Product Viewed', at, { product_id: 'bag' });

  test('without consent nobody is written to, a service mail apart', () => {
    const campaigns = {
      offer: seen(),
      facts: seen({ kind: 'service', aim: 'service', steps: [{ send: 'facts' }] }),
      wanted: seen({ kind: 'requested', steps: [{ send: 'wanted' }] }),
    };
    const world = new World(bookOf({ campaigns })).record([
      event('Identified', START, {}, { user: 'ann', address: 'ann@mail.example' }),
      view('2026-03-02 10:00'),
    ]);
    expect(world.mail().sort()).toEqual(['facts 2026-03-02 10:00', 'wanted 2026-03-02 10:00']);
    expect(world.said('offer')).toEqual(['skip: no consent']);
  });

  test('without an address a message waits an hour for one, and is then skipped', () => {
    const campaigns = { facts: seen({ kind: 'service', aim: 'service' }) };
    const world = new World(bookOf({ campaigns })).record([view('2026-03-02 10:00')]);
    expect(world.person().journey.due).toBe(instant('2026-03-02 11:00'));
    expect(world.until('2026-03-03').mail()).toEqual([]);
    expect(world.said('facts')).toContain('skip: no address');
  });

  test('an address that comes within the hour lets the message out', () => {
    const campaigns = { facts: seen({ kind: 'service', aim: 'service' }) };
    const world = new World(bookOf({ campaigns })).record([
      view('2026-03-02 10:00'),
      ...introduced('2026-03-02 10:59'),
    ]);
    expect(world.mail()).toEqual(['seen 2026-03-02 10:59']);
  });

  test('a suppressed address stops service mail too', () => {
    const world = ann({ campaigns: { facts: seen({ kind: 'service', aim: 'service' }) } });
    const contact = world.person();
    world.contacts.set(contact.id, {
      ...contact,
      facts: { ...contact.facts, suppressed: { reason: 'bounced', at: 1 } },
    });
    world.record([view('2026-03-02 10:00')]);
    expect(world.said('facts')).toContain('skip: suppressed: bounced');
  });

  test('a consent that was withdrawn during the wait skips the message', () => {
    const world = ann({ campaigns: { seen: seen({ steps: [{ wait: '2d' }, { send: 'seen' }] }) } }).record([
      view('2026-03-02 10:00'),
      event('Consent Withdrawn', '2026-03-03', { all: true }),
    ]);
    expect(world.until('2026-04-01').mail()).toEqual([]);
    expect(world.said('seen')).toContain('skip: no consent');
  });

  test('service mail passes caps and quiet hours', () => {
    const settings = { caps: [{ most: 1, in: '7d' }], quietHours: { from: '00:00', to: '23:59' }, zone: 'UTC' };
    const campaigns = { facts: seen({ kind: 'service', aim: 'service' }) };
    const world = ann({ campaigns, settings }).record([view('2026-03-02 10:00'), view('2026-03-02 11:00')]);
    expect(world.mail()).toEqual(['seen 2026-03-02 10:00', 'seen 2026-03-02 11:00']);
    expect(world.person().journey.sends).toEqual([]);
  });

  test('requested mail passes caps, and takes no place under them', () => {
    const settings = { caps: [{ most: 1, in: '7d' }] };
    const campaigns = { wanted: seen({ kind: 'requested' }) };
    const world = ann({ campaigns, settings }).record([view('2026-03-02 10:00')]);
    const contact = world.person();
    const sends = [{ at: instant('2026-03-02 11:00'), id: 'other' }];
    world.contacts.set(contact.id, { ...contact, journey: { ...contact.journey, sends } });
    expect(world.record([view('2026-03-02 12:00')]).mail()).toHaveLength(2);
    expect(world.person().journey.sends).toEqual(sends);
  });

  test('a cap skips the message, and lets it pass when its window has ended', () => {
    const settings = { caps: [{ most: 2, in: '7d' }] };
    const at = ['2026-03-02 10:00', '2026-03-03 10:00', '2026-03-04 10:00', '2026-03-09 09:59', '2026-03-09 10:00'];
    const world = ann({ campaigns: { seen: seen() }, settings }).record(at.map(view));
    expect(world.mail()).toEqual(['seen 2026-03-02 10:00', 'seen 2026-03-03 10:00', 'seen 2026-03-09 10:00']);
    expect(world.said('seen').filter((one) => one === 'skip: frequency-cap')).toHaveLength(2);
  });

  test('ifCapped waits, as long as it says', () => {
    const settings = { caps: [{ most: 1, in: '2d' }] };
    const world = ann({ campaigns: { seen: seen({ ifCapped: 'wait 2d' }) }, settings }).record([
      view('2026-03-02 10:00'),
      view('2026-03-03 10:00'),
      view('2026-03-03 11:00'),
    ]);
    expect(world.until('2026-04-01').mail()).toEqual(['seen 2026-03-02 10:00', 'seen 2026-03-04 10:00']);
    const impatient = ann({ campaigns: { seen: seen({ ifCapped: 'wait 12h' }) }, settings }).record([
      view('2026-03-02 10:00'),
      view('2026-03-03 10:00'),
    ]);
    expect(impatient.until('2026-04-01').mail()).toEqual(['seen 2026-03-02 10:00']);
  });

  test('a cap whose end falls into quiet hours defers to their end', () => {
    const settings = { caps: [{ most: 1, in: '1d' }], quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };
    const campaigns = {
      seen: seen({ ifCapped: 'wait 2d' }),
      early: seen({ when: { did: 'Service Called' }, quiet: 'ignore', steps: [{ send: 'early' }] }),
    };
    const world = ann({ campaigns, settings }).record([
      event('Service Called', '2026-03-02 03:00'),
      view('2026-03-02 12:00'),
    ]);
    expect(world.until('2026-04-01').mail()).toEqual(['early 2026-03-02 03:00', 'seen 2026-03-03 09:00']);
  });

  test('"for" is asked before every send, and skips that message only', () => {
    const campaigns = {
      seen: seen({
        for: { not: { has: { country: 'PL' } } },
        steps: [{ send: 'one' }, { wait: '2d' }, { send: 'two' }, { wait: '2d' }, { send: 'three' }],
      }),
    };
    const country = (at: string, value: string) => event('Identified', at, {}, { traits: { country: value } });
    const world = ann({ campaigns }).record([
      view('2026-03-02 10:00'),
      country('2026-03-03', 'PL'),
      country('2026-03-05', 'CZ'),
    ]);
    expect(world.until('2026-04-01').mail()).toEqual(['one 2026-03-02 10:00', 'three 2026-03-06 10:00']);
  });

  test('a campaign under way is known to others', () => {
    const campaigns = {
      first: seen({ steps: [{ wait: '5d' }, { send: 'first' }] }),
      other: seen({
        when: { did: 'Service Called' },
        for: { not: { has: { running: 'first' } } },
        steps: [{ send: 'other' }],
      }),
    };
    const called = (at: string) => event('Service Called', at);
    const world = ann({ campaigns })
      .record([view('2026-03-02'), called('2026-03-03')])
      .until('2026-03-08')
      .record([called('2026-03-09')]);
    expect(world.mail()).toEqual(['first 2026-03-07 00:00', 'other 2026-03-09 00:00']);
  });
});

describe('given somebody who becomes known', () => {
  const parts = (more: Partial<Campaign> = {}): Parts => ({
    campaigns: {
      seen: marketing({
        kind: 'service',
        when: { did: 'Product Viewed' },
        steps: [{ wait: '2d' }, { send: 'seen' }],
        ...more,
      }),
    },
  });

  test("of two live runs of one campaign the older contact's stays, and the other stops", () => {
    const world = new World(bookOf(parts()));
    world.record([
      event('Product Viewed', '2026-03-02 10:00', { product_id: 'bag' }, { id: 'v1', anonymous: 'phone' }),
    ]);
    world.record([event('Identified', '2026-03-02 11:00', {}, { user: 'ann', address: 'ann@mail.example' })]);
    world.record([event('Product Viewed', '2026-03-02 12:00', { product_id: 'lens' }, { id: 'v2', user: 'ann' })]);
    expect(world.contacts.size).toBe(2);
    world.record([event('Identified', '2026-03-03 10:00', {}, { id: 'both', user: 'ann', anonymous: 'phone' })]);
    const ann = world.person('ann');
    expect(ann.id).toBe('c1');
    expect(ann.journey.runs.map((run) => run.trigger.id)).toEqual(['v1']);
    expect(ann.journey.decisions.seen?.reason).toBe('merged');
    expect(world.contacts.get('c2')).toMatchObject({ mergedInto: 'c1', facts: { orders: { count: 0 } } });
    expect(world.until('2026-04-01').mail()).toEqual(['seen 2026-03-04 10:00']);
  });

  test('the messages of the run that stops are taken back under the contact that holds them', () => {
    const settings = { quietHours: { from: '09:00', to: '20:00' }, zone: 'UTC' };
    const world = new World(bookOf({ ...parts({ kind: 'requested', steps: [{ send: 'seen' }] }), settings }));
    world.record([
      event(
        'Product Viewed',
        '2026-03-02 10:00',
        { product_id: 'bag' },
        { id: 'v1', anonymous: 'phone', address: 'ann@home.example' },
      ),
    ]);
    world.record([event('Identified', '2026-03-02 11:00', {}, { user: 'ann' })]);
    const contact = world.person('ann');
    const address = { value: 'ann@work.example', at: 1, id: 'x' };
    world.contacts.set(contact.id, { ...contact, facts: { ...contact.facts, address } });
    world.record([event('Product Viewed', '2026-03-02 12:00', { product_id: 'lens' }, { id: 'v2', user: 'ann' })]);
    expect(world.mail()).toHaveLength(2);
    world.record([event('Identified', '2026-03-02 13:00', {}, { id: 'both', user: 'ann', anonymous: 'phone' })]);
    expect(world.dropped()).toEqual(['seen: merged']);
    expect(world.until('2026-04-01').mail()).toEqual(['seen 2026-03-02 20:00']);
  });

  test('what was done anonymously counts for the person', () => {
    const segments = { regular: did('Order Completed', { times: { atLeast: 2 } }) };
    const world = new World(bookOf({ segments }));
    world.record([
      order('1', '2026-03-02', ['bag'], { anonymous: 'phone' }),
      order('2', '2026-03-03', ['bag'], { user: 'ann' }),
    ]);
    world.record([event('Identified', '2026-03-04', {}, { user: 'ann', anonymous: 'phone' })]);
    expect(world.person('ann').facts.orders).toMatchObject({ count: 2, gross: 8000 });
    expect(world.person('ann').journey.segments.regular?.since).toBe(instant('2026-03-04'));
  });

  test('orders that nobody owned count once their buyer is known', () => {
    const segments = { regular: did('Order Completed'), refunder: did('Order Refunded', { times: 1 }) };
    const nobody = { user: undefined };
    const world = new World(bookOf({ segments }));
    world.record([event('Order Refunded', '2026-03-05', { order_id: '1', total: 10 }, nobody)]);
    expect(world.contacts.size).toBe(0);
    world.record([order('1', '2026-03-02', ['bag'])], { now: '2026-03-06' });
    expect(world.person().facts.orders).toMatchObject({ count: 1, gross: 4000, refunded: 1000 });
    expect(world.members()).toEqual(['refunder', 'regular']);
    world.record([event('Order Refunded', '2026-03-07', { order_id: '1', total: 5 }, nobody)]);
    expect(world.person().facts.orders.refunded).toBe(1500);
  });
});

describe('decide', () => {
  test('decides nothing with an empty book, and records the facts', () => {
    const world = new World(emptyBook('EUR')).record([...introduced(START), ordered('1', '2026-03-02', 'bag')]);
    expect(world.person().facts.orders).toMatchObject({ count: 1, gross: 4000 });
    expect(world.person().journey).toEqual({ segments: {}, runs: [], starts: {}, sends: [], decisions: {} });
    expect(world.questions).toEqual([]);
  });

  test('changes none of its inputs, and gives the same answer twice', () => {
    const world = ann({
      segments: { buyers: did('Order Completed') },
      campaigns: { cross: cross({ stopIf: did('Order Refunded', { since: 'run start' }) }) },
    });
    const contact = world.person();
    const interaction = ordered('1', '2026-03-02', 'camera');
    const stimulus = { kind: 'interaction' as const, interaction };
    const inputs = structuredClone({ contact, stimulus });
    const now = instant('2026-03-02 00:01');
    const answer = decide(world.book, contact, stimulus, now);
    expect(decide(world.book, contact, stimulus, now)).toEqual(answer);
    expect({ contact, stimulus }).toEqual(inputs);
    expect('need' in answer).toBe(false);
  });

  test('a tick that comes too early changes nothing', () => {
    const world = ann({ campaigns: { cross: cross() } }).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    const answer = decide(world.book, world.person(), { kind: 'tick' }, instant('2026-03-03'));
    expect(answer).toMatchObject({ changed: false, messages: [], drops: [], decisions: [] });
  });

  test('events move the due instant only earlier, a tick derives it anew', () => {
    const segments = { recent: did('Order Completed', { inLast: '30d' }) };
    const world = ann({ segments }).record([ordered('1', '2026-03-02', 'bag'), ordered('2', '2026-03-20', 'bag')]);
    expect(world.person().journey.due).toBe(instant('2026-04-01'));
    world.tick(world.person().id, instant('2026-04-01'));
    expect(world.person().journey.due).toBe(instant('2026-04-19'));
    expect(world.members()).toEqual(['recent']);
  });

  test('a tick looks ahead to the next instant at which something turns', () => {
    const segments = { big: did('Order Completed', { sum: { of: 'revenue', atLeast: 60 }, inLast: '30d' }) };
    const days = ['2026-03-02', '2026-03-05', '2026-03-08', '2026-03-11'];
    const world = ann({ segments }).record(days.map((day, i) => ordered(`${i}`, day, 'bag')));
    // Four bags of 40: when the first leaves the window, and the second, there is still enough.
    expect(world.person().journey.due).toBe(instant('2026-04-01'));
    world.tick(world.person().id, instant('2026-04-01'));
    expect(world.person().journey.due).toBe(instant('2026-04-07'));
    expect(world.until(instant('2026-04-07') - 1).members()).toEqual(['big']);
    expect(world.until('2026-04-07').members()).toEqual([]);
  });

  test('an event that comes when the contact is overdue does what was due, at once', () => {
    const segments = { recent: did('Order Completed', { inLast: '30d' }) };
    const world = ann({ segments, campaigns: { cross: cross() } }).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    world.record([event('Product Viewed', '2026-03-06', { product_id: 'bag' })], { overdue: true });
    expect(world.mail()).toEqual(['goes-with 2026-03-06 00:00']);
    expect(world.person().journey.due).toBe(instant('2026-04-01 10:00'));
  });

  test('counters that another book made are rebuilt from the past', () => {
    const world = ann({}).record([
      ordered('1', '2026-03-02', 'bag'),
      ordered('2', '2026-03-03', 'bag'),
      event('Order Refunded', '2026-03-04', { order_id: '2', total: 15 }),
    ]);
    const segments = {
      spender: did('Order Completed', { sum: { of: 'revenue', between: [65, 65] } }),
      refunder: did('Order Refunded'),
    };
    world.publish(bookOf({ segments, ordinal: 2, since: { spender: 2, refunder: 2 } }), '2026-03-05');
    expect(world.questions.at(-1)?.toSorted()).toEqual(['Order Completed', 'Order Refunded']);
    expect(world.members()).toEqual(['refunder', 'spender']);
  });

  test('an order that is updated while its counter is rebuilt counts once, whether or not the past knows of it', () => {
    const where = { products: { product_id: 'camera' } };
    const world = ann({}).record([ordered('1', '2026-03-02', 'bag')]);
    const book = bookOf({ segments: { once: did('Order Completed', { where, times: 1 }) }, ordinal: 2 });
    const interaction = event('Order Updated', '2026-03-03', { order_id: '1', products: [{ product_id: 'camera' }] });
    const before = world.orders.get('shop#1') as Order;
    const after = foldOrder(before, interaction, 'EUR');
    const past = world.past(world.person(), ['Order Completed']);
    for (const orders of [[before], [after]]) {
      const stimulus = { kind: 'interaction' as const, interaction, order: { before, after } };
      const decided = decide(book, world.person(), stimulus, instant('2026-03-04'), { ...past, orders });
      expect(decided).toHaveProperty('contact.journey.segments.once.since', instant('2026-03-04'));
    }
  });

  test('an order that was completed before anybody owned it counts once, when an update names its buyer', () => {
    const segments = { once: did('Order Completed', { times: 1 }) };
    const world = new World(bookOf({ segments })).record([order('1', '2026-03-02', ['bag'], { user: undefined })]);
    expect(world.contacts.size).toBe(0);
    world.record([
      event('Order Updated', '2026-03-03', { order_id: '1', products: [{ product_id: 'bag', price: 50 }] }),
    ]);
    expect(world.person().facts.orders).toMatchObject({ count: 1, gross: 5000 });
    expect(world.members()).toEqual(['once']);
  });

  test('a counter that cannot be undone is rebuilt, with the event that spoiled it', () => {
    const segments = { many: did('Order Completed', { sum: { of: 'revenue', atLeast: 70 * 40 } }) };
    const world = ann({ segments });
    const start = instant('2026-04-01');
    for (let i = 0; i < 70; i++) world.record([order(`${i}`, start + i * HOUR, ['bag'])]);
    expect(world.members()).toEqual(['many']);
    const asked = world.questions.length;
    // The update moves the order to an earlier time: among 70, the newest 64 are not all known any more.
    world.record([order('69', start - DAY, ['bag'], { id: 'earlier' })], { now: start + 80 * HOUR });
    expect(world.questions).toHaveLength(asked + 1);
    expect(world.members()).toEqual(['many']);
    world.record([event('Order Refunded', start + 90 * HOUR, { order_id: '69', total: 1 })]);
    expect(world.members()).toEqual([]);
  });

  test('a run keeps of a large trigger what its messages may need', () => {
    const campaigns = { cross: cross() };
    const big = {
      note: 'x'.repeat(5000),
      city: 'Brno',
      products: Array.from({ length: 30 }, (_, i) => ({
        product_id: `p${i}`,
        name: 'N',
        price: 1,
        extra: 'y'.repeat(100),
      })),
    };
    const world = ann({ campaigns }).record([order('1', '2026-03-02', ['bag'], { properties: big })]);
    const kept = world.person().journey.runs[0]?.trigger.properties;
    expect(kept).toMatchObject({ order_id: '1', city: 'Brno' });
    expect(kept).not.toHaveProperty('note');
    expect(kept?.products).toHaveLength(20);
    expect(kept).toHaveProperty('products.0', { product_id: 'p0', name: 'N', price: 1 });
  });
});

describe('given a consent that ends by time', () => {
  const END = instant('2026-03-20 10:00');
  const until = (end: number, more: object = {}) => ({ topic: 'offers', until: new Date(end).toISOString(), ...more });
  /** Somebody with an address whose only consent has an end. */
  function soft(parts: Parts, end = END): World {
    return new World(bookOf(parts)).record([
      event('Consent Granted', START, until(end, { basis: 'soft' }), { id: 'soft' }),
      event('Identified', START, {}, { id: 'known', user: 'ann', address: 'ann@mail.example' }),
    ]);
  }
  const consenting: Record<string, Rule> = {
    consenting: { consent: 'offers' },
    silent: { not: { consent: 'offers' } },
  };

  test('the contact is due at that instant, and then leaves the segment and enters its complement', () => {
    const world = soft({ segments: consenting });
    expect(world.person().journey.due).toBe(END);
    world.until(END - 1);
    expect(world.members()).toEqual(['consenting']);
    world.until(END);
    expect(world.members()).toEqual(['silent']);
    expect(world.person().journey.segments.silent).toEqual({ since: END, entries: 1 });
    expect(world.person().journey.due).toBeUndefined();
  });

  test('an event in between does not move the instant, and a renewal moves it to the later end', () => {
    const world = soft({ segments: consenting });
    world.record([event('Product Viewed', '2026-03-10 10:00', { product_id: 'bag' })]);
    expect(world.person().journey.due).toBe(END);
    world.record([event('Consent Granted', '2026-03-15 10:00', until(END + 10 * DAY), { id: 'renewed' })]);
    world.until(END + DAY);
    expect(world.members()).toEqual(['consenting']);
    expect(world.person().journey.due).toBe(END + 10 * DAY);
    world.until(END + 10 * DAY);
    expect(world.members()).toEqual(['silent']);
  });

  test('a campaign that starts with the end of a consent starts at that instant', () => {
    const lapsed = marketing({
      kind: 'service',
      aim: 'service',
      when: { enters: 'silent' },
      steps: [{ send: 'ended' }],
    });
    const world = soft({ segments: consenting, campaigns: { lapsed } }).until('2026-04-01');
    expect(world.mail()).toEqual(['ended 2026-03-20 10:00']);
  });

  test('a run that waits over the end is looked at then: stopIf stops it, waitFor goes on', () => {
    const over: Rule = { not: { consent: 'offers' } };
    const service = { kind: 'service', aim: 'service', when: { did: 'Order Completed' } } as const;
    const campaigns = {
      stopped: marketing({ ...service, stopIf: over, steps: [{ wait: '60d' }, { send: 'never' }] }),
      waiting: marketing({ ...service, steps: [{ waitFor: over, upTo: '60d', then: [{ send: 'over' }] }] }),
    };
    const world = soft({ campaigns }).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    expect(world.person().journey.due).toBe(END);
    world.until('2026-06-01');
    expect(world.said('stopped').at(-1)).toBe('stop: stopIf');
    expect(world.decisions.find(({ campaign, kind }) => campaign === 'stopped' && kind === 'stop')?.at).toBe(END);
    expect(world.mail()).toEqual(['over 2026-03-20 10:00']);
  });

  test('what a run would send after the end is skipped, at the very instant too', () => {
    const campaigns = {
      cross: cross({ steps: [{ wait: '1d' }, { send: 'in time' }, { wait: '10d' }, { send: 'too late' }] }),
    };
    const exactly = instant('2026-03-13 10:00');
    const late = soft({ campaigns }, exactly).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    expect(late.until('2026-04-01').mail()).toEqual(['in time 2026-03-03 10:00']);
    expect(late.said('cross')).toContain('skip: no consent');
    const early = soft({ campaigns }, exactly + 1).record([ordered('1', '2026-03-02 10:00', 'camera')]);
    expect(early.until('2026-04-01').mail()).toEqual(['in time 2026-03-03 10:00', 'too late 2026-03-13 10:00']);
  });

  test('a mail that was planned before the end and is due after it is dropped at the send', () => {
    const settings = { quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };
    const campaigns = { cross: cross({ steps: [{ send: 'goes-with' }] }) };
    const end = instant('2026-03-03 08:59');
    const world = soft({ campaigns, settings }, end).record([ordered('1', '2026-03-02 22:00', 'camera')]);
    const [planned] = world.kept();
    expect(planned?.plannedAt).toBe(instant('2026-03-03 09:00'));
    const verdict = (now: number) => recheck(world.book, world.person(), planned!, { suppressed: false, now });
    expect(verdict(end - 1)).toMatchObject({ kind: 'defer' });
    expect(verdict(end)).toEqual({ kind: 'drop', reason: 'no consent' });
    expect(verdict(planned!.plannedAt)).toEqual({ kind: 'drop', reason: 'no consent' });
  });

  test('nobody starts a campaign of marketing once it has ended', () => {
    const campaigns = { cross: cross({ steps: [{ send: 'thanks' }] }) };
    const world = soft({ campaigns }).record([order('1', END - 1, ['bag']), order('2', END, ['bag'])]);
    expect(world.said('cross')).toEqual([
      'start: Order Completed',
      'send: thanks',
      'end: all steps done',
      'skip: no consent',
    ]);
  });
});

/** Which gates hold which kind back: what decide says, and what the send is told when it comes about in between. */
describe('the gates that each kind passes', () => {
  const AT = instant('2026-03-02 22:00');
  interface Situation {
    /** The book, and what is done to the contact before the event. */
    parts?: Partial<Parts>;
    campaign?: Partial<Campaign>;
    contact?: (contact: Contact) => void;
    at?: number;
  }
  const situations: Record<string, Situation> = {
    nothing: {},
    'a suppressed address': {
      contact: ({ facts }) => {
        facts.suppressed = { reason: 'bounced', at: 1 };
      },
    },
    'no address': {
      contact: ({ facts }) => {
        delete facts.address;
      },
    },
    'no consent': {
      contact: ({ facts }) => {
        facts.consents = {};
      },
    },
    'everything withdrawn': {
      contact: ({ facts }) => {
        facts.withdrawn = { shop: { at: AT - 1, id: 'w' } };
      },
    },
    'a consent that has ended': {
      contact: ({ facts }) => {
        facts.consents['shop|offers|email']!.until = AT;
      },
    },
    'a pause that the person asked for': {
      contact: ({ facts }) => {
        facts.pauses = { shop: { until: AT + DAY, at: AT - 1, id: 'p' } };
      },
    },
    'profiling that the person stopped': {
      contact: ({ facts }) => {
        facts.profiling = { shop: { stopped: true, at: AT - 1, id: 'p' } };
      },
    },
    'not in "for"': { campaign: { for: { has: { vip: true } } } },
    unless: { campaign: { steps: [{ send: 'mail', unless: { has: { vip: { exists: false } } } }] } },
    'needs that are not met': { campaign: { steps: [{ send: 'mail', needs: { recommendations: { atLeast: 9 } } }] } },
    'a full cap': {
      parts: { settings: { zone: 'UTC', caps: [{ most: 1, in: '7d' }] } },
      contact: ({ journey }) => {
        journey.sends = [{ at: AT - HOUR, id: 'other' }];
      },
    },
    'quiet hours': { parts: { settings: { zone: 'UTC', quietHours: { from: '21:00', to: '08:00' } } } },
    'too late': { campaign: { steps: [{ wait: '1h' }, { send: 'mail' }], expires: '30m' }, at: AT + 2 * HOUR },
    'a campaign that is not live': { parts: { filled: 0 } },
    'a campaign that is over': { campaign: { ends: '2026-02-28' } },
  };
  const SENT = 'send';
  const table: [situation: string, marketing: string, requested: string, service: string][] = [
    ['nothing', SENT, SENT, SENT],
    ['a suppressed address', 'skip: suppressed: bounced', 'skip: suppressed: bounced', 'skip: suppressed: bounced'],
    ['no address', 'skip: no address', 'skip: no address', 'skip: no address'],
    ['no consent', 'skip: no consent', SENT, SENT],
    ['everything withdrawn', 'skip: no consent', SENT, SENT],
    ['a consent that has ended', 'skip: no consent', SENT, SENT],
    ['a pause that the person asked for', 'skip: paused by the person', SENT, SENT],
    ['profiling that the person stopped', 'skip: profiling stopped', SENT, SENT],
    ['not in "for"', 'skip: not in "for"', 'skip: not in "for"', 'skip: not in "for"'],
    ['unless', 'skip: unless', 'skip: unless', 'skip: unless'],
    ['needs that are not met', 'skip: needs', 'skip: needs', 'skip: needs'],
    ['a full cap', 'skip: frequency-cap', SENT, SENT],
    ['quiet hours', 'defer to 2026-03-03 08:00', 'defer to 2026-03-03 08:00', SENT],
    ['too late', 'skip: expired', 'skip: expired', 'skip: expired'],
    ['a campaign that is not live', 'skip: not live', 'skip: not live', 'skip: not live'],
    ['a campaign that is over', 'skip: not live', 'skip: not live', 'skip: not live'],
  ];
  const KINDS = ['marketing', 'requested', 'service'] as const;

  function played(kind: Campaign['kind'], { parts = {}, campaign = {}, contact, at = AT }: Situation): World {
    const { topic, ...said } = marketing({
      kind,
      when: { did: 'Service Called' },
      steps: [{ send: 'mail' }],
      ...campaign,
    });
    const made: Campaign = kind === 'marketing' ? { ...said, topic: 'offers' } : said;
    const world = new World(bookOf({ settings: { zone: 'UTC' }, ...parts, campaigns: { made } })).record(
      introduced(START),
    );
    const changed = structuredClone(world.person());
    contact?.(changed);
    world.contacts.set(changed.id, changed);
    world.record([event('Service Called', AT, { topic: 'lens' })]);
    if (at > AT) world.tick(changed.id, at);
    // An address may come within the hour.
    if (changed.facts.address === undefined) world.until(AT + HOUR);
    return world;
  }

  function outcome(kind: Campaign['kind'], situation: Situation): string {
    const world = played(kind, situation);
    const [message] = world.kept();
    const at = situation.at ?? AT;
    if (message !== undefined)
      return message.plannedAt > at
        ? `defer to ${new Date(message.plannedAt).toISOString().slice(0, 16).replace('T', ' ')}`
        : SENT;
    return world.said('made').findLast((said) => said.startsWith('skip')) ?? 'nothing';
  }

  test.each(table)('%s: marketing %s, requested %s, service %s', (name, ...expected) => {
    const situation = situations[name]!;
    expect(KINDS.map((kind) => outcome(kind, situation))).toEqual(expected);
  });

  test('every situation is in the table', () => {
    expect(table.map(([name]) => name)).toEqual(Object.keys(situations));
  });

  // What comes about between the decision and the send.
  const later = table.filter(([name]) => situations[name]?.contact !== undefined);
  test.each(later)('%s, come about after the decision, holds back the same kinds', (name, ...expected) => {
    const { parts, contact } = situations[name]!;
    const told = KINDS.map((kind) => {
      const world = played(kind, parts === undefined ? {} : { parts });
      const [message] = world.kept();
      const person = structuredClone(world.person());
      contact!(person);
      return recheck(world.book, person, message!, { suppressed: false, now: AT }).kind;
    });
    expect(told.map((kind) => kind === 'send')).toEqual(expected.map((each) => each === SENT));
  });
});
