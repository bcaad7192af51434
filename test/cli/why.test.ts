// What `kairos why` says: the last decision, messages with what led to them, ghosts, skips, runs, and what would start a campaign.
import { describe, expect, it } from 'vitest';
import { describe as tell } from '../../cli/contact.ts';
import { tellWhy } from '../../cli/why.ts';
import { drawWhy } from '../../cli/why-page.ts';
import type { Book } from '../../domain/book.ts';
import type { Contact, Journey } from '../../domain/contact.ts';
import { KairosError } from '../../domain/fault.ts';
import type { Message } from '../../domain/message.ts';
import { sayBoth } from '../../domain/say-found.ts';
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
  World,
} from '../support/people.ts';

const NOW = instant('2026-06-11 12:00');
const cart = marketing({
  title: 'Left in the cart',
  when: { did: 'Checkout Started', where: { value: { atLeast: 30 } } },
  for: {
    all: [
      { segment: 'buyers' },
      { not: { segment: 'complaint' } },
      { did: 'Order Completed', times: { atLeast: 2 }, inLast: '365d' },
    ],
  },
  stopIf: { did: 'Order Completed', since: 'run start' },
  success: { did: 'Order Completed', within: '5d', value: 'revenue' },
  steps: [
    { wait: '1h' },
    { send: 'cart-1', variants: { plain: 70, picture: 30 } },
    { wait: '23h' },
    { send: 'cart-2', coupon: 'CART10' },
    { wait: '2d' },
    { send: 'cart-3' },
  ],
});
const parts: Parts = {
  segments: {
    buyers: { did: 'Order Completed' },
    complaint: { has: { 'service.openCases': { atLeast: 1 } } },
  },
  campaigns: {
    cart,
    look: marketing({ when: { did: 'Product Viewed' }, holdout: 50, priority: 10, steps: [{ send: 'look' }] }),
    news: marketing({
      topic: 'news',
      when: { every: 'tuesday 10:00', clock: 'contact', to: { segment: 'complaint' } },
      again: 'after 3d',
      steps: [{ send: 'news' }],
    }),
  },
  settings: { caps: [{ most: 2, in: '2d' }] },
};
const book = bookOf(parts);

/** Ann of London, whose shop is in Warsaw: two orders, two checkouts, and views that come to nothing. */
function story(of: Book = book): World {
  return new World(of).record([
    ...introduced('2026-03-01', { zone: 'Europe/London' }),
    order('1', '2026-03-03 10:00', ['camera']),
    order('2', '2026-05-01 10:00', ['bag']),
    event('Checkout Started', '2026-06-10 08:00', { value: 50 }, { id: 'checkout-77' }),
    event('Product Viewed', '2026-06-11 09:30', { product_id: 'lens' }, { id: 'view-1' }),
    event('Checkout Started', '2026-06-11 11:00', { value: 60 }, { id: 'checkout-78' }),
  ]);
}
const played = story().until(NOW);
const ann = played.person();
const messages = (): Message[] => played.kept().map((message) => ({ ...message }));

const lines = (
  person: { contact: Contact; messages: Message[] },
  said: Parameters<typeof tellWhy>[3] = {},
  now = NOW,
  of: Book = book,
): string[] => drawWhy(tellWhy(person, of, now, said), { width: 100, colours: false }, 'EUR');

/** The lines about one campaign. */
function about(id: string, all: string[]): string[] {
  const from = all.findIndex((line) => line.startsWith(id));
  const to = all.indexOf('', from);
  return all.slice(from, to < 0 ? undefined : to);
}

describe('kairos why', () => {
  it('tells of a campaign the last decision, the run, each message with its cause, book and clauses, and the skips', () => {
    expect(about('cart', lines({ contact: ann, messages: messages() }))).toEqual([
      'cart  Left in the cart',
      '  Last: passed over: a run was under way already; 11 June 2026, 12:00 (shop: 13:00), because:',
      '    Checkout Started (checkout-78) of 11 June 2026, 12:00 (shop: 13:00).',
      '    version ew1rpONPWR',
      '  Under way since 10 June 2026, 09:00 (shop: 10:00) by Checkout Started (checkout-77).',
      '    at step 5: waits until 13 June 2026, 09:00 (shop: 10:00), then sends cart-3',
      '    there since 11 June 2026, 09:00 (shop: 10:00); version ew1rpONPWR',
      '  A success counts until 16 June 2026, 09:00 (shop: 10:00).',
      '  cart-2 (step 4)  sent 11 June 2026, 09:00 (shop: 10:00)  mtBeLgA1aFMgNDqf0aNKF',
      '    because: its time had come, in a run that began with Checkout Started (checkout-77) of 10 June',
      '      2026, 09:00 (shop: 10:00)',
      '    decided 11 June 2026, 09:00 (shop: 10:00) by book 1 (book-1), version ew1rpONPWR',
      '    for',
      '      ✓ all of these',
      '        ✓ is in buyers · a member since 3 March 2026',
      '        ✓ is not in complaint',
      '        ✓ ordered at least twice in the last 365 days · the 2nd newest 3 March 2026, 99 days ago',
      '    a code of CART10',
      '  cart-1 (step 2)  sent 10 June 2026, 10:00 (shop: 11:00)  mVOOTMixYfF2n_FBzL7WE',
      '    because: its time had come, in a run that began with Checkout Started (checkout-77) of 10 June',
      '      2026, 09:00 (shop: 10:00)',
      '    decided 10 June 2026, 10:00 (shop: 11:00) by book 1 (book-1), version ew1rpONPWR',
      '    for',
      '      ✓ all of these',
      '        ✓ is in buyers · a member since 3 March 2026',
      '        ✓ is not in complaint',
      '        ✓ ordered at least twice in the last 365 days · the 2nd newest 3 March 2026, 98 days ago',
      '    variant plain: by lot, drew 63.84',
      '  Passed over once, last 11 June 2026, 12:00 (shop: 13:00):',
      '    1 × a run was under way already',
    ]);
  });

  it('names the contact, its time and the shop’s, the book, and the campaigns of which nothing is known', () => {
    const all = lines({ contact: ann, messages: messages() });
    expect(all.slice(0, 3)).toEqual([
      'Contact c1',
      '11 June 2026, 13:00 (shop: 14:00), in Europe/London; the shop’s clock is that of Europe/Warsaw.',
      'Last decided over by book 1 (book-1).',
    ]);
    expect(all.at(-1)).toBe('Nothing is known of: news. What would start one: --campaign news.');
  });

  it('shows the shop’s clock only where it shows another time, and its date where that is another', () => {
    expect(sayBoth(NOW, 'Europe/Berlin', 'Europe/Warsaw')).toBe('11 June 2026, 14:00');
    expect(sayBoth(instant('2026-06-11 23:30'), 'America/New_York', 'Europe/Warsaw')).toBe(
      '11 June 2026, 19:30 (shop: 12 June 2026, 01:30)',
    );
  });

  it('tells a ghost from a message, and by which draw it was held out, also when its run has left the journey', () => {
    const other = bookOf({
      ...parts,
      campaigns: { glance: marketing({ ...parts.campaigns?.look, holdout: 99.9 } as never) },
    });
    const world = story(other).until(NOW);
    const [ghost] = world.kept();
    expect(ghost?.state).toBe('ghost');
    const said = about('glance', lines({ contact: world.person(), messages: [ghost as Message] }, {}, NOW, other));
    expect(said.join('\n')).toContain(
      '  look (step 1)  held out by its own draw: nothing was sent, planned for 11 June 2026, 10:30',
    );
    const everywhere = bookOf({ ...parts, settings: { globalHoldout: { percent: 100 } } });
    const global = story(everywhere).until(NOW);
    const { contact, campaigns } = tellWhy({ contact: global.person(), messages: global.kept() }, everywhere, NOW);
    expect([contact, campaigns.flatMap((one) => one.messages.map(({ heldOut }) => heldOut))]).toEqual([
      'c1',
      ['global', 'global', 'global'],
    ]);
  });

  it('tells a success with its order and worth, a lost message with its reason, and a code only when asked', () => {
    const told = messages().map((message): Message => {
      if (message.email === 'cart-1') {
        const conversion = { at: NOW - HOUR, event: 'Order Completed', order: '17', value: 9900 };
        return { ...message, sentAt: NOW - 3 * HOUR, delivery: 'delivered', conversion };
      }
      if (message.email !== 'cart-2') return message;
      const coupon = { pool: 'CART10', code: 'SECRET-1', percent: 10 };
      return {
        ...message,
        state: 'dropped',
        reason: 'frequency-cap: look came first',
        inputs: { ...message.inputs, coupon },
      };
    });
    const said = lines({ contact: ann, messages: told }).join('\n');
    expect(said).toContain('cart-1 (step 2)  delivered, sent 11 June 2026, 10:00');
    expect(said).toContain('success: ordered, 11 June 2026, 12:00 (shop: 13:00) (order 17, €99.00)');
    expect(said).toContain('cart-2 (step 4)  dropped (frequency cap, look came first)');
    expect(said).toContain('    a code of CART10\n');
    expect(said).not.toContain('SECRET');
    expect(lines({ contact: ann, messages: told }, { codes: true }).join('\n')).toContain('a code of CART10: SECRET-1');
    expect(JSON.stringify(tellWhy({ contact: ann, messages: told }, book, NOW))).not.toContain('SECRET');
  });

  it('tells where recommendations come from, where orders were counted for them', () => {
    const offering = (origins: string) =>
      messages().map((message): Message => {
        if (message.email !== 'cart-1') return message;
        return { ...message, inputs: { ...message.inputs, recommendations: ['bag', 'lens', 'pot'], origins } };
      });
    const said = (origins: string) => lines({ contact: ann, messages: offering(origins) }).join('\n');
    expect(said('rta')).toContain('to recommend: bag (the catalogue), lens (bought together), pot (bought after)');
    expect(said('rrr')).not.toContain('to recommend');
    const told = tellWhy({ contact: ann, messages: offering('pm') }, book, NOW).campaigns.flatMap(
      (one) => one.messages,
    );
    expect(told.find(({ email }) => email === 'cart-1')?.recommended).toEqual([
      { product: 'bag', origin: 'popular' },
      { product: 'lens', origin: 'moved-on' },
      { product: 'pot' },
    ]);
  });

  it('of a campaign of which nothing is known says what would start it, what is in the way, and what holds now', () => {
    expect(lines({ contact: ann, messages: messages() }, { campaign: 'news' }).slice(4)).toEqual([
      'news',
      '  Nothing was decided yet.',
      '  Starts every Tuesday at 10:00 where each contact lives.',
      '  In the way now: no consent to its topic.',
      '  In the way now: frequency cap.',
      '  to, now',
      '    ✗ is in complaint',
      '      ✗ the number of open service cases is at least 1 · 0 open cases',
    ]);
    const held = { ...book, controls: { ...book.controls, paused: { news: { by: 'nora', at: 0, why: 'x' } } } };
    const [way] = tellWhy({ contact: ann, messages: [] }, held, NOW, { campaign: 'news' }).campaigns;
    expect(way?.would?.hindrances[0]).toEqual({ reason: 'the campaign is paused', words: 'the campaign is paused' });
  });

  it('tells what walks have planned, what rests, and until when a success counts', () => {
    const journey: Journey = {
      ...ann.journey,
      booked: [{ campaign: 'news', occurrence: '2026-06-16', at: instant('2026-06-16 09:00') }],
      rests: { news: { since: NOW - DAY, campaign: 'sunset', why: 'unengaged', until: { did: ['Email Clicked'] } } },
    };
    const person = { contact: { ...ann, journey }, messages: [] };
    const said = about('news', lines(person));
    expect(said).toContain('  Is asked 16 June 2026, 10:00 (shop: 11:00), for 2026-06-16.');
    expect(said.slice(-2)).toEqual([
      '  Its topic news rests since 10 June 2026, 13:00 (shop: 14:00) (sunset: unengaged), until the person',
      '    clicked in an e-mail.',
    ]);
    expect(about('cart', lines(person))).toContain('  A success counts until 16 June 2026, 09:00 (shop: 10:00).');
    const words = tell(person, book, NOW).join('\n');
    expect(words).toContain('Planned\n  news  is asked 16 Jun 2026, 10:00, for 2026-06-16');
    expect(words).toContain(
      'Topics that rest\n  news  since 10 Jun 2026, 13:00 (sunset: unengaged), until the person clicked in an e-mail',
    );
    expect(words).toContain('A success counts for\n  cart  until 16 Jun 2026, 09:00');
  });

  it('tells clauses in the words of the version that decided, also when the book has another by now', () => {
    const changed = bookOf({
      ...parts,
      ordinal: 2,
      campaigns: { cart: { ...cart, for: { has: { country: 'PL' } } } },
    });
    const person = { contact: ann, messages: messages() };
    const [lost] = tellWhy(person, changed, NOW, { campaign: 'cart' }).campaigns;
    expect(lost?.messages[0]?.audience).toBeUndefined();
    expect(lines(person, { campaign: 'cart' }, NOW, changed).join(' ')).toContain(
      'Its book is not to be had any more: the clauses cannot be told in words.',
    );
    const shelf = (hash: string): Book | undefined => (hash === 'book-1' ? book : undefined);
    const [found] = tellWhy(person, changed, NOW, { campaign: 'cart', shelf }).campaigns;
    expect(found?.messages[0]?.audience?.for?.parts?.map(({ words, holds }) => [words, holds])).toEqual([
      ['is in buyers', true],
      ['is not in complaint', true],
      ['ordered at least twice in the last 365 days', true],
    ]);
  });

  it('says how many clauses are not kept, and which variant has won', () => {
    const many = Array.from({ length: 15 }, (_, n) => ({ has: { age: { isNot: n } } }));
    const test = { variants: ['a', 'b'], share: 1, for: '1h', winner: 'clicked' as const };
    const campaign = marketing({
      when: { did: 'Product Viewed' },
      for: { any: [...many, { did: 'Product Viewed' }] },
      steps: [{ send: 'look', test }],
    });
    const wide = bookOf({ campaigns: { look: campaign } });
    const version = wide.campaign.get('look')?.version;
    const won = {
      ...wide,
      controls: { ...wide.controls, tests: { [`look@${version}|look`]: { winner: 'b', at: 1 } } },
    };
    const world = story(won).until(NOW);
    const said = about('look', lines({ contact: world.person(), messages: world.kept() }, {}, NOW, won));
    expect(said).toContain('    and 4 further clauses, of which the answer is not kept');
    expect(said.filter((line) => line.includes('✗'))).toHaveLength(12);
    expect(said).toContain('    variant b: the winner of its test');
  });

  it('of a name that is nearly right asks whether that was meant', () => {
    const refused = () => tellWhy({ contact: ann, messages: [] }, book, NOW, { campaign: 'cartt' });
    expect(refused).toThrow(KairosError);
    expect(refused).toThrow(/Did you mean "cart"/);
  });

  it.each([40, 60, 80, 120])('keeps to %i columns', (width) => {
    const all = drawWhy(tellWhy({ contact: ann, messages: messages() }, book, NOW), { width, colours: false }, 'EUR');
    expect(all.filter((line) => line.length > width && line.trim().includes(' '))).toEqual([]);
  });
});
