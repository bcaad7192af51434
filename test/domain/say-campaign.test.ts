// Campaigns in words: a table that a marketer can read aloud, with every form of "when", every step and every limit.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Campaign, Step, When } from '../../domain/campaign-grammar.ts';
import { type SaidStep, sayLimits, sayPlace, saySteps, sayWhen, stepAt } from '../../domain/say-campaign.ts';
import { marketing } from '../support/people.ts';

const cases = JSON.parse(readFileSync(new URL('../cases/campaign-words.json', import.meta.url), 'utf8')) as {
  when: { when: When; words: string }[];
  steps: { step: Step; words: string[] }[];
  limits: { said: Partial<Campaign>; words: Record<string, string> }[];
};

const tree = (steps: SaidStep[], indent = ''): string[] =>
  steps.flatMap(({ path, words, branches }) => [
    `${indent}${path} ${words}`,
    ...branches.flatMap((branch) => [`${indent}  ${branch.words}:`, ...tree(branch.steps, `${indent}    `)]),
  ]);

describe('what starts a campaign, in words', () => {
  it.each(cases.when)('starts $words', ({ when, words }) => {
    expect(When.safeParse(when).error?.issues).toBeUndefined();
    expect(sayWhen(when)).toBe(words);
  });
});

describe('a step in words', () => {
  it.each(cases.steps)('$words', ({ step, words }) => {
    expect(Step.safeParse(step).error?.issues).toBeUndefined();
    expect(tree(saySteps([step]))).toEqual(words);
  });

  it('is found by the path that decisions name', () => {
    const inner: Step = { send: 'b' };
    const campaign = marketing({
      when: { did: 'X' },
      steps: [{ wait: '1d' }, { if: { segment: 'vip' }, then: [{ send: 'a' }, inner] }],
    });
    expect(stepAt(campaign, '1.then.1')).toBe(inner);
    expect(stepAt(campaign, '1.else.0')).toBeUndefined();
    expect([sayPlace('0'), sayPlace('1.then.1')]).toEqual(['step 1', 'step 2, then 2']);
  });
});

describe('the limits of a campaign, in words', () => {
  it.each(cases.limits)('$words', ({ said, words }) => {
    const campaign = marketing({ when: { did: 'Order Completed' }, steps: [{ send: 'a' }], ...said });
    expect(Campaign.safeParse(campaign).error?.issues).toBeUndefined();
    expect(Object.fromEntries(sayLimits(campaign))).toEqual(words);
  });
});
