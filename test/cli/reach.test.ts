// What `kairos reach` and a publish say of a campaign's reach: numbers, reasons, zones, and what is in the way.
import { describe, expect, it } from 'vitest';
import { drawReach, reachWarnings, sayReachShort } from '../../cli/reach-page.ts';
import { type Rate, reachedOf } from '../../cli/reach-rate.ts';
import type { CompiledCampaign } from '../../domain/compiled-campaign.ts';
import { type AskedContact, reachOf } from '../../domain/reach.ts';
import { bookOf, instant, marketing } from '../support/people.ts';

const NOW = instant('2026-06-11 12:00');
const people = (many: number, one: AskedContact): AskedContact[] => Array.from({ length: many }, () => one);
const london = { inside: true, zone: 'Europe/London' };
const asked = [
  ...people(40, london),
  ...people(20, { ...london, zone: 'Europe/Warsaw' }),
  ...people(30, { ...london, hindrance: 'no consent' }),
  ...people(10, { ...london, hindrance: 'held out' }),
  ...people(100, { inside: false, zone: 'Europe/Warsaw' }),
];
const rate: Rate = { rate: 50, perSecond: 40 };

function reachedBy(
  said: Partial<Parameters<typeof marketing>[0]> = {},
  { of = { contacts: 200_000, exact: false }, at = rate as Rate | null, paused = false } = {},
) {
  const when = { every: 'tuesday 20:50', clock: 'contact' as const, to: { segment: 'buyers' } };
  const campaigns = { news: marketing({ title: 'What is new', when, steps: [{ send: 'news' }], ...said }) };
  const segments = { buyers: { did: 'Order Completed' as const } };
  const settings = { quietHours: { from: '21:00', to: '08:00' } };
  const book = bookOf({ segments, campaigns, settings, ...(paused && { paused: ['news'] }) });
  const news = book.campaign.get('news') as CompiledCampaign;
  return { news, reached: reachedOf(book, news, reachOf(asked, of), { now: NOW, rate: at ?? undefined }) };
}
const lines = (...said: Parameters<typeof reachedBy>): string[] => {
  const { news, reached } = reachedBy(...said);
  return drawReach(reached, news, { width: 100, colours: false });
};

describe('kairos reach', () => {
  it('tells whom a broadcast reaches, whom not and why, when each zone has its turn, and what is in the way', () => {
    expect(lines()).toEqual([
      'news  What is new',
      '  Starts every Tuesday at 20:50 where each contact lives.',
      '  200 of about 200,000 contacts were asked, as they are now; in brackets where the number lies with',
      '  95 % certainty.',
      '',
      '  in its audience                          about 100,000 (86,271 to 113,729)',
      '    no consent to its topic                about 30,000 (21,427 to 41,212)',
      '    held out: the steps are walked unsent  about 10,000 (5,476 to 17,916)',
      '  would be written to                      about 60,000 (48,149 to 73,359)',
      '',
      '  Next: 2026-06-16. At 40 a second (bulk) about 60,000 messages take 25 min.',
      '    Europe/Warsaw  20,000 from 16 June 2026, 20:50 to 20:58',
      '    Europe/London  40,000 from 16 June 2026, 20:50 to 21:06 (shop: 21:50)',
      '',
      '  It reaches into the quiet hours of Europe/London, from 16 June 2026, 21:00: the rest waits until',
      '    17 June 2026, 08:00.',
    ]);
  });

  it('of a few people tells exact numbers, and of a clock of the shop one time', () => {
    const when = { at: '2026-06-20 10:00', clock: 'shop' as const, to: { segment: 'buyers' } };
    const all = lines({ when }, { of: { contacts: 200, exact: true } });
    expect(all).toContain('  All 200 contacts were asked, as they are now.');
    expect(all).toContain('  would be written to                      60');
    expect(all.slice(-2)).toEqual([
      '  Next: 2026-06-20. At 40 a second (bulk) 60 messages take 2 s.',
      '    Europe/Warsaw  60 from 20 June 2026, 10:00 to 10:00',
    ]);
  });

  it('of those inside a segment says how many days their starts take', () => {
    const when = { enters: 'buyers', alsoThoseInside: { perDay: 500 } };
    expect(lines({ when })).toContain('  Those inside begin 500 a day: after about 120 days all have begun.');
    expect(lines({ when: { did: 'Order Completed' } }).join('\n')).toContain('everybody: it has no “for”');
  });

  it('warns where it is paused, over, held, late or waits for the quota', () => {
    const warned = (...said: Parameters<typeof reachedBy>) => {
      const { news, reached } = reachedBy(...said);
      return reachWarnings(reached, news);
    };
    const over = { at: '2026-06-01 10:00', clock: 'shop' as const, to: { segment: 'buyers' } };
    expect(warned({ when: over }, { paused: true })).toEqual([
      'The campaign is paused: nothing of it is sent.',
      'Its time is over: nobody is reached any more.',
    ]);
    const morning = { every: 'day 09:00', clock: 'shop' as const, to: { segment: 'buyers' } };
    expect(warned({ when: morning, expires: '10m' }, { at: { ...rate, held: 'account under review' } })).toEqual([
      'No bulk is sent at present: account under review.',
      'About 36,000 of them would come later than “expires” allows (10m after their time), and are not sent.',
    ]);
    expect(warned({ when: morning }, { at: { ...rate, dailyQuota: 50_000, sent24h: 0 } })).toEqual([
      'The day’s quota of SES makes it wait 1 time: 24 h 8 min in all.',
    ]);
    expect(warned({ when: morning })).toEqual([]);
  });

  it('is one line of a publish', () => {
    expect(sayReachShort(reachedBy().reached)).toBe(
      'news would reach about 60,000 (48,149 to 73,359) contacts, by a sample of 200; out in 25 min at 40 a second',
    );
    expect(sayReachShort(reachedBy({}, { at: null }).reached)).toBe(
      'news would reach about 60,000 (48,149 to 73,359) contacts, by a sample of 200',
    );
  });
});
