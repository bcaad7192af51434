// Whom a campaign would reach: who is asked and kept, what a sample says of all, and how waves of zones go out.
import { describe, expect, it } from 'vitest';
import type { Book } from '../../domain/book.ts';
import type { CompiledCampaign } from '../../domain/compiled-campaign.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import {
  type AskedContact,
  askContact,
  passWaves,
  reachOf,
  unanswerable,
  type Wave,
  wavesOf,
  wilson,
} from '../../domain/reach.ts';
import { bookOf, DAY, HOUR, instant, introduced, MINUTE, marketing, order, World } from '../support/people.ts';

const NOW = instant('2026-06-11 12:00');
const every = { every: 'tuesday 10:00', clock: 'contact' as const, to: { segment: 'buyers' } };
const segments = { buyers: { did: 'Order Completed' as const } };
const bookWith = (said: Parameters<typeof marketing>[0], more: Parameters<typeof bookOf>[0] = {}) => {
  const book = bookOf({ segments, campaigns: { news: marketing(said) }, ...more });
  return { book, news: book.campaign.get('news') as CompiledCampaign };
};
const plain = bookWith({ when: every, steps: [{ send: 'news' }] });
const buyer = (book: Book = plain.book): Contact =>
  new World(book)
    .record([...introduced('2026-03-01', { zone: 'Asia/Tokyo' }), order('1', '2026-05-01 10:00', ['bag'])])
    .until(NOW)
    .person();

describe('one contact', () => {
  const ask = (change: (contact: Contact) => void, { book, news } = plain): AskedContact => {
    const contact = structuredClone(buyer(book));
    change(contact);
    return askContact(book, news, contact, NOW);
  };

  it('is reached, kept by the first gate in the way, or outside', () => {
    expect(ask(() => {})).toEqual({ inside: true, zone: 'Asia/Tokyo' });
    const kept = (change: (contact: Contact) => void) => ask(change).hindrance;
    expect(kept(({ facts }) => delete facts.address)).toBe('no address');
    expect(
      kept(({ facts }) => {
        facts.suppressed = { reason: 'bounced', at: 1 };
        facts.consents = {};
      }),
    ).toBe('suppressed');
    expect(kept(({ facts }) => (facts.consents = {}))).toBe('no consent');
    expect(kept(({ facts }) => (facts.pauses = { shop: { until: NOW + DAY, at: 1, id: 'p' } }))).toBe(
      'paused by the person',
    );
    expect(kept(({ facts }) => (facts.cases = { k: { open: true, at: 1, id: 'k' } }))).toBe('a case is open');
    const rest = { since: 1, campaign: 'sunset', why: 'unengaged', until: { did: ['Email Clicked'] } };
    expect(kept(({ journey }) => (journey.rests = { offers: rest }))).toBe('resting');
    expect(askContact(plain.book, plain.news, newContact('x', 1), NOW)).toEqual({
      inside: false,
      zone: 'Europe/Warsaw',
    });
  });

  it('that is held out, or has had what comes once, is kept; what a pause or a cap does today is not asked', () => {
    const held = bookWith(
      { when: every, holdout: 50, steps: [{ send: 'news' }] },
      { settings: { globalHoldout: { percent: 20 } } },
    );
    const arms = Array.from({ length: 400 }, (_, n) => {
      const contact = { ...structuredClone(buyer()), id: `p${n}` };
      return askContact(held.book, held.news, contact, NOW).hindrance;
    });
    const out = arms.filter((arm) => arm === 'held out').length;
    // 20 % of all, and half of the rest: 60 % of 400, within five standard deviations.
    expect(Math.abs(out - 240)).toBeLessThan(50);
    const once = bookWith({ when: every, again: 'never', steps: [{ send: 'news' }] });
    expect(ask(({ journey }) => (journey.starts = { news: 1 }), once).hindrance).toBe('again');
    expect(ask(({ journey }) => (journey.starts = { news: NOW - 1 })).hindrance).toBeUndefined();
    const full = { settings: { caps: [{ most: 1, in: '7d' }] }, paused: ['news'], filled: 0 };
    const capped = bookWith({ when: every, steps: [{ send: 'news' }] }, full);
    expect(ask(({ journey }) => (journey.sends = [{ at: NOW - 1, id: 'm' }]), capped).hindrance).toBeUndefined();
  });

  it('of a campaign that starts by a segment or a date is inside where that holds', () => {
    const inside = (said: Parameters<typeof marketing>[0], change: (contact: Contact) => void = () => {}) =>
      ask(change, bookWith(said)).inside;
    expect(inside({ when: { enters: 'buyers' }, steps: [{ send: 'a' }] })).toBe(true);
    expect(inside({ when: { enters: 'buyers' }, for: { has: { country: 'PL' } }, steps: [{ send: 'a' }] })).toBe(false);
    expect(inside({ when: { date: 'birthday' }, steps: [{ send: 'a' }] })).toBe(false);
    const born = { value: '--06-20', at: 1, id: 'b' };
    expect(
      inside({ when: { date: 'birthday' }, steps: [{ send: 'a' }] }, ({ facts }) => (facts.attributes.birthday = born)),
    ).toBe(true);
  });

  it('cannot be asked where "for" speaks of the run', () => {
    const reason = (meant: Parameters<typeof marketing>[0]['for']) =>
      unanswerable(bookWith({ when: { did: 'X' }, for: meant, steps: [{ send: 'a' }] }).news);
    expect(reason({ not: { did: 'Order Refunded', where: { order_id: '@trigger.order_id' } } })).toContain('"for"');
    expect(reason({ not: { did: 'Order Completed', since: '@watch.at' } })).toContain('"for"');
    expect(reason({ did: 'Order Completed', since: 'run start' })).toContain('"for"');
    expect(reason({ did: 'Order Completed', where: { products: { product_id: '@sent.recommendations' } } })).toContain(
      '"for"',
    );
    expect(reason({ did: 'Order Completed' })).toBeUndefined();
    expect(reason(undefined)).toBeUndefined();
  });
});

describe('a sample', () => {
  const people = (many: number, one: AskedContact): AskedContact[] => Array.from({ length: many }, () => one);
  const inside = { inside: true, zone: 'UTC' };
  const asked = [
    ...people(50, inside),
    ...people(30, { ...inside, hindrance: 'no consent' }),
    ...people(10, { ...inside, hindrance: 'suppressed' }),
    ...people(10, { ...inside, zone: 'Asia/Tokyo' }),
    ...people(100, { inside: false, zone: 'UTC' }),
  ];

  it('says how many of all, with the interval of Wilson, by gate and by zone', () => {
    const reach = reachOf(asked, { contacts: 20_000, exact: false });
    expect(reach).toMatchObject({ asked: 200, contacts: 20_000, exact: false });
    // 100 of 200: 0.5 ± 0.0686; 60 of 200: 0.24074 to 0.36679. By Wilson's formula, by hand.
    expect(reach.inside).toEqual({ asked: 100, contacts: 10_000, low: 8_627, high: 11_373 });
    expect(reach.reached.contacts).toBe(6_000);
    expect([reach.reached.low, reach.reached.high]).toEqual([4_814, 7_336]);
    expect(reach.kept.map(({ reason, share }) => [reason, share.contacts])).toEqual([
      ['no consent', 3_000],
      ['suppressed', 1_000],
    ]);
    expect(reach.zones.map(({ zone, share }) => [zone, share.contacts])).toEqual([
      ['UTC', 5_000],
      ['Asia/Tokyo', 1_000],
    ]);
  });

  it('of everybody is exact', () => {
    const reach = reachOf(asked, { contacts: 200, exact: true });
    expect([reach.exact, reach.reached]).toEqual([true, { asked: 60, contacts: 60, low: 60, high: 60 }]);
    expect(reachOf([], { contacts: 0, exact: true })).toMatchObject({ exact: true, reached: { contacts: 0, high: 0 } });
  });

  it('that saw nobody does not say that there is nobody, and one that asked nobody says nothing', () => {
    expect(wilson(0, 200)[0]).toBe(0);
    expect(wilson(0, 200)[1]).toBeCloseTo(0.01885, 4);
    expect(wilson(200, 200)[0]).toBeCloseTo(0.98115, 4);
    expect(wilson(0, 0)).toEqual([0, 1]);
  });
});

describe('waves', () => {
  const at = instant('2026-06-16 10:00');
  const wave = (zone: string, hours: number, messages: number): Wave => {
    const due = at + hours * HOUR;
    return { zone, at: due, due, messages };
  };
  const campaignOf = (said: Partial<Parameters<typeof marketing>[0]> = {}) =>
    bookWith({ when: every, steps: [{ send: 'news' }], ...said }).news;

  it('go out one after another at the rate, each from its time on', () => {
    const waves = [wave('UTC', 1, 7_200), wave('Asia/Tokyo', 0, 72_000), wave('America/New_York', 5, 10)];
    const passed = passWaves(waves, 10, campaignOf(), undefined);
    expect(passed.map(({ zone, from, to }) => [zone, (from - at) / MINUTE, (to - at) / MINUTE])).toEqual([
      ['Asia/Tokyo', 0, 120],
      ['UTC', 120, 132],
      ['America/New_York', 300, 300 + 1 / 60],
    ]);
    expect(passed.map(({ tooLate }) => tooLate)).toEqual([0, 0, 0]);
  });

  it('say how many come later than "expires" allows', () => {
    const passed = passWaves(
      [wave('UTC', 0, 72_000), wave('UTC', 1, 100)],
      10,
      campaignOf({ expires: '1h' }),
      undefined,
    );
    expect(passed.map(({ tooLate }) => tooLate)).toEqual([36_000, 100]);
  });

  it('say where they reach into quiet hours, or begin in them, unless these are ignored', () => {
    const quiet = { from: '12:00', to: '14:00' };
    const [late] = passWaves([wave('UTC', 0, 90_000)], 10, campaignOf(), quiet);
    expect(late?.quiet).toEqual({ from: at + 2 * HOUR, to: at + 4 * HOUR });
    const [within] = passWaves([wave('UTC', 3, 1)], 10, campaignOf(), quiet);
    expect(within?.quiet).toEqual({ from: at + 3 * HOUR, to: at + 4 * HOUR });
    const [early] = passWaves([wave('UTC', 0, 10)], 10, campaignOf(), quiet);
    expect(early?.quiet).toBeUndefined();
    expect(passWaves([wave('UTC', 3, 1)], 10, campaignOf({ quiet: 'ignore' }), quiet)[0]?.quiet).toBeUndefined();
  });

  it('of a test are its share at each zone’s time, and the rest when the first zone’s test has ended', () => {
    const test = { variants: ['a', 'b'], share: 20, for: '4h', winner: 'clicked' as const };
    const campaign = campaignOf({ steps: [{ send: 'news', test }], expires: '10h' });
    const share = (contacts: number) => ({ asked: 1, contacts, low: 0, high: 0 });
    const zones = [
      { zone: 'Asia/Tokyo', share: share(1_000) },
      { zone: 'UTC', share: share(100) },
    ];
    const waves = wavesOf(campaign, zones, (zone) => (zone === 'UTC' ? at + 9 * HOUR : at));
    expect(
      waves.map(({ zone, at: from, due, messages }) => [zone, (from - at) / HOUR, (due - at) / HOUR, messages]),
    ).toEqual([
      ['Asia/Tokyo', 0, 0, 200],
      ['Asia/Tokyo', 4, 0, 800],
      ['UTC', 9, 9, 20],
      ['UTC', 9, 9, 80],
    ]);
    const expired = campaignOf({ steps: [{ send: 'news', test }], expires: '4h' });
    expect(passWaves(waves, 10, expired, undefined).map(({ tooLate }) => tooLate)).toEqual([0, 800, 0, 0]);
  });
});
