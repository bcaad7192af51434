// Loyalty tiers as the engine knows them: segments of their own, which nobody names, of whom one at most holds a person.
import type { Rule } from './grammar.ts';
import type { Loyalty } from './settings.ts';

/** The attribute that says which tier somebody is in. */
export const TIER = 'loyalty.tier';

const PREFIX = 'tier|';

/** The id of a tier's segment: no segment of a file can have it. */
export const tierSegment = (tier: string): string => `${PREFIX}${tier}`;

/** The tier of such an id; undefined of every other segment. */
export const tierOf = (segment: string): string | undefined =>
  segment.startsWith(PREFIX) ? segment.slice(PREFIX.length) : undefined;

/** The tiers' segments, the highest first: each holds who meets its rule and is in none above it. */
export function tierRules(loyalty: Pick<Loyalty, 'tiers'> | undefined): Record<string, { rule: Rule }> {
  const made: Record<string, { rule: Rule }> = {};
  const above: Rule[] = [];
  for (const { id, rule } of [...(loyalty?.tiers ?? [])].reverse()) {
    made[tierSegment(id)] = { rule: above.length === 0 ? rule : { all: [rule, { not: { any: [...above] } }] } };
    above.push({ segment: tierSegment(id) });
  }
  return made;
}

/** Whether a rule asks which tier somebody is in, itself. */
export function readsTier(rule: Rule): boolean {
  if ('all' in rule) return rule.all.some(readsTier);
  if ('any' in rule) return rule.any.some(readsTier);
  if ('not' in rule) return readsTier(rule.not);
  return 'has' in rule && Object.hasOwn(rule.has, TIER);
}
