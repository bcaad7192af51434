// Checks the tiers of loyalty.json: each by itself, and that each can be reached beside those above it.
import type { RuleLogic } from './check-logic.ts';
import { RuleCheck } from './check-rules.ts';
import type { Draft } from './draft.ts';
import { type Fault, sayPath } from './fault.ts';
import { tierOf } from './tiers.ts';

const FILE = 'loyalty.json';

/** Names, types and amounts in the rules of the tiers, and that no two share an id. */
export function checkTierRules({ loyalty, vocabulary }: Draft): Pick<RuleCheck, 'faults' | 'warnings'> {
  const check = new RuleCheck(vocabulary, FILE);
  for (const [i, { id, rule }] of (loyalty?.tiers ?? []).entries()) {
    if (loyalty?.tiers.slice(0, i).some((other) => other.id === id)) {
      check.fault(
        'loyalty.twice',
        ['tiers', i, 'id'],
        `"${id}" is the id of an earlier tier already.`,
        'Give it another.',
      );
    }
    check.rule(rule, ['tiers', i, 'rule']);
  }
  return check;
}

/** Rules that nobody can meet, or everybody does, and tiers that one above them covers: nobody is ever in them. */
export function checkReach({ loyalty }: Draft, logic: RuleLogic): { faults: Fault[]; warnings: Fault[] } {
  const tiers = loyalty?.tiers ?? [];
  const found: { faults: Fault[]; warnings: Fault[] } = { faults: [], warnings: [] };
  for (const [i, { id, rule }] of tiers.entries()) {
    // The lowest tier may be for everybody.
    if (i > 0 || logic.neverMatches(rule)) logic.rule(rule, FILE, ['tiers', i, 'rule']);
    const above = tiers.slice(i + 1).find((other) => !logic.neverMatches(rule) && logic.follows(rule, other.rule));
    if (above === undefined) continue;
    found.faults.push({
      code: 'loyalty.covered',
      file: FILE,
      path: sayPath(['tiers', i]),
      message: `nobody is ever in "${id}": whoever meets its rule meets that of "${above.id}", which stands above it.`,
      remedy: 'Tiers are written from the lowest to the highest: turn them round, or ask more of the higher one.',
    });
  }
  found.faults.push(...logic.faults.splice(0));
  found.warnings.push(...logic.warnings.splice(0));
  return found;
}

/** A tier whose rule asks, directly or through segments, which tier somebody is in. */
export function circleOfTiers({ loyalty }: Draft, tier: string, circle: string): Fault {
  const said = circle.split(' → ').map((id) => {
    const own = tierOf(id);
    return own === undefined ? id : `the tier ${own}`;
  });
  return {
    code: 'loyalty.circle',
    file: FILE,
    path: sayPath(['tiers', (loyalty?.tiers ?? []).findIndex(({ id }) => id === tier), 'rule']),
    message: `asks which tier somebody is in, to say which: ${said.join(' → ')}.`,
    remedy: 'Ask what the person did, such as {"did": "Order Completed", "in": "this year"}.',
  };
}
