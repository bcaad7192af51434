// Checking campaigns: circles are found as a search over all ways finds them, limits hold at their edges, and no campaign, however odd, makes the check fail.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Campaign, Step } from '../../domain/campaign-grammar.ts';
import { checkTemplates } from '../../domain/check.ts';
import { checkCircles } from '../../domain/check-circles.ts';
import { RuleLogic } from '../../domain/check-logic.ts';
import { meaningOfReference, type RunKnowledge, referencesIn } from '../../domain/check-references.ts';
import { sayFault } from '../../domain/fault.ts';
import type { Rule } from '../../domain/grammar.ts';
import { MOST_OF_CAMPAIGN, MOST_STEP_LEVELS, MOST_STEPS } from '../../domain/rule-limits.ts';
import { triggersOf } from '../../domain/triggers.ts';
import { vocabularyOf } from '../../domain/vocabulary.ts';
import { committed, type Edit, edited } from '../templates/edit.ts';

const campaign = (when: Campaign['when'], steps: Step[]): Campaign => ({
  kind: 'marketing',
  aim: 'retention',
  topic: 'offers',
  sender: 'main',
  when,
  again: 'every time',
  steps,
});

const circlesIn = (campaigns: Record<string, Campaign>, segments: Record<string, { rule: Rule }> = {}): string[] => {
  const logic = new RuleLogic((name) => (name === 'mark' ? 'boolean' : 'text'), segments);
  return checkCircles({ campaigns, segments } as Parameters<typeof checkCircles>[0], logic).map(
    ({ message }) => message,
  );
};

describe('campaigns that start each other', () => {
  it('are refused exactly where one comes back to itself (property, seed 20261201)', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const edges = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)), {
      maxLength: 9,
      selector: String,
    });
    fc.assert(
      fc.property(edges, (pairs) => {
        const campaigns = Object.fromEntries(
          names.map((name) => [
            name,
            campaign({ did: `To ${name}` }, [
              { send: 'x' },
              ...pairs.filter(([from]) => from === name).map(([, to]): Step => ({ notify: `To ${to}` })),
            ]),
          ]),
        );
        const next = (name: string): string[] => pairs.filter(([from]) => from === name).map(([, to]) => to);
        const reached = (from: string): Set<string> => {
          const seen = new Set<string>();
          const left = next(from);
          for (let at = left.pop(); at !== undefined; at = left.pop()) {
            if (seen.has(at)) continue;
            seen.add(at);
            left.push(...next(at));
          }
          return seen;
        };
        const circular = names.filter((name) => reached(name).has(name));
        const told = circlesIn(campaigns).map((message) => /: (.*)\.$/.exec(message)![1]!.split(' → '));
        expect(told.length > 0).toBe(circular.length > 0);
        for (const circle of told) {
          expect(circle[0]).toBe(circle.at(-1));
          for (const [index, name] of circle.slice(1).entries()) expect(next(circle[index]!)).toContain(name);
        }
        // Whoever is in a circle is named, or only in circles with one that is.
        const named = new Set(told.flat());
        for (const name of circular) {
          const ring = [...reached(name)].filter((other) => reached(other).has(name));
          expect(ring.some((other) => named.has(other))).toBe(true);
        }
      }),
      { seed: 20261201, numRuns: 300 },
    );
  });

  const enters = { enters: 'marked' };
  const leaves = { leaves: 'marked' };
  const mark = (value: boolean): Step[] => [{ send: 'x' }, { set: { mark: value } }];
  const marked = { marked: { rule: { has: { mark: true } } } };

  it.each<[string, Campaign['when'], Step[], Record<string, { rule: Rule }>, boolean]>([
    ['a mark lets people into the segment that asks for it', enters, mark(true), marked, true],
    ['its contrary lets nobody in', enters, mark(false), marked, false],
    ['the contrary lets people leave', leaves, mark(false), marked, true],
    ['the mark lets nobody leave', leaves, mark(true), marked, false],
    [
      'a mark in a segment that a segment reads',
      { enters: 'outer' },
      mark(true),
      { ...marked, outer: { rule: { all: [{ segment: 'marked' }, { has: { country: 'PL' } }] } } },
      true,
    ],
    [
      'when a mark was given is asked',
      enters,
      mark(true),
      { marked: { rule: { has: { 'mark.givenAt': { inLast: '1d' } } } } },
      true,
    ],
    [
      'an attribute that the segment does not read',
      enters,
      mark(true),
      { marked: { rule: { has: { country: 'PL' } } } },
      false,
    ],
    [
      'an event that lets people in',
      enters,
      [{ notify: 'Called' }],
      { marked: { rule: { did: 'Called', times: { atLeast: 2 } } } },
      true,
    ],
    [
      'an event that only takes people out',
      enters,
      [{ notify: 'Called' }],
      { marked: { rule: { not: { did: 'Called' } } } },
      false,
    ],
    [
      'an event that takes people out of what is left',
      leaves,
      [{ notify: 'Called' }],
      { marked: { rule: { not: { did: 'Called' } } } },
      true,
    ],
    [
      'an event that is counted to an exact number, which goes both ways',
      leaves,
      [{ notify: 'Called' }],
      { marked: { rule: { did: 'Called', times: 1 } } },
      true,
    ],
    ['a change to another value than the one that is set', { changes: 'mark', to: true }, mark(false), {}, false],
    ['a change to the very value', { changes: 'mark', to: true }, mark(true), {}, true],
    ['a change from the only value that is set', { changes: 'mark', from: true }, mark(true), {}, false],
    ['a change to any value', { changes: 'mark' }, mark(true), {}, true],
    ['a date, which time brings', { date: 'mark' }, mark(true), {}, false],
    ['e-mails of its own, delivered', { did: 'Email Delivered' }, [{ send: 'x' }], {}, true],
    [
      'e-mails of another, delivered',
      { did: 'Email Delivered', where: { campaign: 'other' } },
      [{ send: 'x' }],
      {},
      false,
    ],
    ['clicks, which are of people', { did: 'Email Clicked' }, [{ send: 'x' }], {}, false],
  ])('%s', (_, when, steps, segments, circle) => {
    expect(circlesIn({ one: campaign(when, steps) }, segments)).toEqual(circle ? ['feeds itself: one → one.'] : []);
  });
});

const WIN_BACK = 'campaigns/win-back.json';
const told = async (edits: Edit[]): Promise<string[]> => {
  const checked = checkTemplates(await edited(edits));
  return 'faults' in checked ? checked.faults.map(sayFault) : [];
};
const steps = (to: unknown): Edit[] => [{ file: WIN_BACK, at: ['steps'], to }];
const nested = (levels: number): Step[] =>
  levels === 1 ? [{ send: 'win-back' }] : [{ if: { segment: 'vip' }, then: nested(levels - 1) }];

describe('the limits of a campaign', () => {
  it(`are ${MOST_STEP_LEVELS} levels of steps`, async () => {
    expect(await told(steps(nested(MOST_STEP_LEVELS)))).toEqual([]);
    expect(await told(steps(nested(MOST_STEP_LEVELS + 1)))).toEqual([
      `${WIN_BACK} steps[0].then: has branches that are nested more than 10 levels deep. Give the inner steps a campaign of their own.`,
    ]);
  });

  it(`are ${MOST_STEPS} steps, those of branches included`, async () => {
    const sends = (count: number): Step[] => Array.from({ length: count }, () => ({ send: 'win-back' }));
    const split = (count: number) => [{ split: { a: 50, b: 50 }, a: sends(50), b: sends(count) }];
    expect(await told(steps(split(MOST_STEPS - 51)))).toEqual([]);
    expect(await told(steps(split(MOST_STEPS - 50)))).toEqual([
      `${WIN_BACK} steps: are more than 100, branches included. Divide the campaign: a second one can start where this one ends.`,
    ]);
  });

  it(`are ${MOST_OF_CAMPAIGN} characters`, async () => {
    const whole = JSON.parse((await committed()).get(WIN_BACK)!) as Record<string, unknown>;
    const bare = JSON.stringify({ ...whole, title: '' }).length;
    const title = (length: number): Edit[] => [{ file: WIN_BACK, to: { ...whole, title: 'x'.repeat(length) } }];
    expect(await told(title(MOST_OF_CAMPAIGN - bare))).toEqual([]);
    expect(await told(title(MOST_OF_CAMPAIGN - bare + 1))).toEqual([
      `${WIN_BACK}: holds 65537 characters; at most 65536 are read. Divide it: long rules belong in segments, and a second campaign can start where this one ends.`,
    ]);
  });

  it.each([
    ['steps', '[{"if":{"segment":"vip"},"then":', '}]', 1500],
    ['for', '{"not":', '}', 7000],
    ['success', '{"did":"Order Completed","within":"1d","where":{"products":', '}}', 900],
    ['title', '[', ']', 20000],
  ])('are kept by %s that is nested without end, and no stack overflows', async (key, open, close, times) => {
    const whole = JSON.parse((await committed()).get(WIN_BACK)!) as Record<string, unknown>;
    const text = JSON.stringify({ ...whole, [key]: '@' }).replace(
      '"@"',
      `${open.repeat(times)}1${close.repeat(times)}`,
    );
    expect(text.length).toBeLessThan(MOST_OF_CAMPAIGN);
    expect(await told([{ file: WIN_BACK, text }])).toHaveLength(1);
  });
});

describe('a campaign made of parts at random', () => {
  it('gets faults or none, in whole sentences, and the check never fails (property, seed 20261202)', async () => {
    const files = await committed();
    const rule = fc.constantFrom<unknown>(
      { segment: 'vip' },
      { segment: 'nowhere' },
      { has: { country: '@trigger.country' } },
      { did: 'Order Completed', since: 'run start' },
      { did: 'Product Viewed', where: { product_id: '@product.id' } },
      { not: { did: 'Order Completed', where: { products: { product_id: '@sent.recommendations' } } } },
      { all: [] },
      'vip',
    );
    const when = fc.constantFrom<unknown>(
      { did: 'Order Completed' },
      { did: 'Order Completed', each: 'products' },
      { did: ['Product Viewed', 'Nothing Known'] },
      { enters: 'vip', alsoThoseInside: { perDay: 5 } },
      { leaves: 'vip' },
      { changes: 'loyalty.tier', from: 'none', to: 7 },
      { date: 'memberSince', before: '3h' },
      { due: 'replenishment', where: { products: { 'catalogue.consumable': true } } },
      { product: 'low stock', watchedBy: { did: 'Product Viewed', inLast: '3d' } },
      { at: '2026-02-31 08:00', clock: 'contact', to: { segment: 'vip' } },
      { every: 'day 23:00', clock: 'shop', to: { has: { running: 'welcome' } } },
      { clock: 'shop' },
      [],
    );
    const step = fc.letrec<{ step: unknown; steps: unknown }>((tie) => ({
      steps: fc.array(tie('step'), { maxLength: 3, depthIdentifier: 'steps' }),
      step: fc.oneof(
        { depthSize: 'small', depthIdentifier: 'steps', withCrossShrink: true },
        fc.constantFrom<unknown>(
          { wait: '3d' },
          { wait: '@product.replaceAfter' },
          { wait: { until: '10:00' } },
          { send: 'win-back', coupon: 'BACK10', needs: { 'product.inStock': true } },
          { send: 'cross-sell', test: { variants: ['a', 'b'], share: 100, for: '50d', winner: 'success' } },
          { set: { country: 'PL', memberSince: 'then' } },
          { notify: 'Order Completed', with: { a: '@contact.phone', b: '@nobody' } },
          { rest: 'offers', until: { did: 'Order Completed' }, why: 'x' },
          { stop: 'x' },
          { sned: 'x' },
          7,
        ),
        fc.record({ if: rule, then: tie('steps'), else: tie('steps') }),
        fc.record({ waitFor: rule, upTo: fc.constantFrom('1d', '900d', 'soon'), else: tie('steps') }),
        fc.record({ split: fc.constant({ a: 50, b: 50 }), a: tie('steps'), b: tie('steps') }),
      ),
    }));
    const parts = fc.record(
      {
        kind: fc.constantFrom('marketing', 'requested', 'service', 'other'),
        aim: fc.constantFrom('retention', 'service'),
        topic: fc.constantFrom('offers', 'nothing'),
        sender: fc.constantFrom('main', 'mian'),
        when,
        for: rule,
        stopIf: rule,
        restartOn: fc.constantFrom<unknown>({ did: 'Product Added' }, { did: 'Nothing' }),
        again: fc.constantFrom(
          'never',
          'every time',
          'once per product',
          'once per order',
          'once per request',
          'often',
        ),
        triggerAge: fc.constant('1d'),
        steps: step.steps,
        success: fc.constantFrom<unknown>(
          { did: 'Email Clicked', within: '1d' },
          { did: 'Order Completed', within: '1d' },
        ),
        holdout: fc.constantFrom(0, 10, 60),
        priority: fc.constantFrom(0, 101),
      },
      { requiredKeys: ['kind', 'aim', 'sender', 'when', 'again', 'steps'] },
    );
    fc.assert(
      fc.property(parts, (one) => {
        const checked = checkTemplates(new Map([...files, [WIN_BACK, JSON.stringify(one)]]));
        const faults = [...('faults' in checked ? checked.faults : []), ...checked.warnings];
        for (const fault of faults) {
          expect(fault.code).toMatch(/^[a-z]+(\.[a-z-]+)+$/);
          expect(sayFault(fault)).toMatch(/\S.*[.?!…}]$/s);
          expect(sayFault(fault)).not.toMatch(/undefined|\[object|NaN/);
        }
      }),
      { seed: 20261202, numRuns: 400 },
    );
  });
});

describe('a reference', () => {
  const vocabulary = vocabularyOf({ attributes: { wonBack: 'boolean' } }, { topics: {} }, ['vip'], []);
  const watchedBy = { did: 'Product Viewed', inLast: '30d' };
  const to = { segment: 'vip' };
  const forms: [Campaign['when'], string[]][] = [
    [
      { did: 'Product Reviewed' },
      ['@trigger.product_id', '@trigger.review_id', '@trigger.review_body', '@trigger.rating'],
    ],
    [{ enters: 'vip' }, ['@trigger.segment']],
    [{ leaves: 'vip' }, ['@trigger.segment']],
    [{ changes: 'wonBack' }, ['@trigger.attribute', '@trigger.from', '@trigger.to']],
    [{ date: 'birthday' }, ['@trigger.date']],
    [{ due: 'replenishment' }, ['@trigger.product_id']],
    [
      { product: 'price drop', watchedBy },
      ['@trigger.product_id', '@trigger.price', '@trigger.lowestPrice30d', '@trigger.stock'],
    ],
    [{ at: '2026-11-27 08:00', clock: 'contact', to }, ['@trigger.date']],
    [{ every: 'tuesday 10:00', clock: 'contact', to }, ['@trigger.date']],
  ];

  it.each(forms)('to the trigger is known as it is brought: %j', (when, known) => {
    const run: RunKnowledge = {
      begun: true,
      triggers: triggersOf(when, vocabulary),
      product: false,
      watch: false,
      sent: 'too early',
    };
    expect(referencesIn(run)).toEqual(known);
    for (const reference of known) expect(typeof meaningOfReference(reference, run, vocabulary)).toBe('string');
    expect(meaningOfReference('@trigger.nothing', run, vocabulary)).toMatchObject({ code: 'rule.reference' });
  });

  it('to a changed attribute has the type of the attribute', () => {
    const triggers = triggersOf({ changes: 'wonBack' }, vocabulary);
    const run: RunKnowledge = { begun: true, triggers, product: false, watch: false, sent: 'too early' };
    expect(meaningOfReference('@trigger.to', run, vocabulary)).toBe('boolean');
    expect(meaningOfReference('@trigger.attribute', run, vocabulary)).toBe('text');
  });
});
