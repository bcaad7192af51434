// Where a run stands, in words: at a wait, an event, an address, a test, a parked message, or through.
import { describe, expect, it } from 'vitest';
import type { Step } from '../../domain/campaign-grammar.ts';
import type { CompiledCampaign } from '../../domain/compiled-campaign.ts';
import type { Run } from '../../domain/contact.ts';
import { sayStandingPlace, standingOf } from '../../domain/say-run.ts';
import { bookOf, instant, marketing } from '../support/people.ts';

const NOW = instant('2026-06-11 12:00');
const test = { variants: ['a', 'b'], share: 20, for: '4h', winner: 'clicked' as const };
const steps: Step[] = [
  { wait: '1d' },
  { send: 'first', test },
  {
    waitFor: { did: 'Order Completed', since: 'run start' },
    upTo: '7d',
    then: [{ wait: '2d' }],
    else: [{ send: 'late' }],
  },
  { if: { segment: 'vip' }, then: [{ send: 'thanks' }] },
];
const book = bookOf({
  segments: { vip: { has: { plan: 'gold' } } },
  campaigns: { cart: marketing({ when: { did: 'X' }, steps }) },
});
const cart = book.campaign.get('cart') as CompiledCampaign;
const at = (op: string, nth = 0): number =>
  cart.program.map((one, place) => [one.op, place] as const).filter(([known]) => known === op)[nth]?.[1] as number;

/** Where a run stands that stands there. */
function words(run: Partial<Run>, campaign: CompiledCampaign | undefined = cart): string {
  const standing = standingOf({ at: 0, ...run } as Run, campaign, (one) => new Date(one).toISOString().slice(0, 16));
  return `${sayStandingPlace(standing)}${standing.words}`;
}

describe('a run stands', () => {
  it('at a wait, until its end', () => {
    expect(words({ at: 1, wakeAt: NOW })).toBe('at step 1: waits until 2026-06-11T12:00, then sends first');
  });

  it('at a wait that ends a branch, before what follows the branches', () => {
    const wait = at('wait', 1);
    expect(words({ at: wait + 1, wakeAt: NOW })).toBe(
      'at step 3, then 1: waits until 2026-06-11T12:00, then asks: is in vip?',
    );
  });

  it('at a message that is parked for later', () => {
    expect(words({ at: at('send') + 1, wakeAt: NOW })).toBe(
      'at step 2: first is planned for 2026-06-11T12:00, then waits up to 7 days until: ordered since the run started',
    );
  });

  it('before an event, until it gives up', () => {
    expect(words({ at: at('waitFor'), waitsUntil: NOW })).toBe(
      'at step 3: waits up to 7 days until: ordered since the run started, until 2026-06-11T12:00 at the latest',
    );
  });

  it('at a send without an address, and at one whose test has no winner yet', () => {
    expect(words({ at: at('send'), waitsUntil: NOW })).toBe(
      'at step 2: waits for an address to send first to, until 2026-06-11T12:00 at the latest',
    );
    expect(words({ at: at('send'), looksAt: NOW })).toBe(
      'at step 2: waits for the winner of the test of first; looks again 2026-06-11T12:00',
    );
  });

  it('at its end, and nowhere where its version is published no more', () => {
    expect(words({ at: cart.program.length })).toBe('all steps are through');
    expect(words({ at: cart.program.length, wakeAt: NOW })).toContain('then ends');
    expect(standingOf({ at: 0 } as Run, undefined, String).words).toBe(
      'stops at the next look: its version is published no more',
    );
  });
});
