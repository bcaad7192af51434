// Why a message was decided, told again later: the clauses that are kept with it, in the words of the book that decided it.
import { audienceOf, type Leaf, wholeAudienceOf } from './because.ts';
import { isBroadcast } from './campaign-parts.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import { type Clause, kindOf, type Look } from './explain.ts';
import type { Rule } from './grammar.ts';
import type { Because } from './message.ts';
import { sayRead } from './say-found.ts';
import { sayClause } from './say-rule.ts';

/** What the audience of a campaign came to when a message was decided. */
export interface Recalled {
  /** A broadcast's audience. */
  to?: Clause;
  for?: Clause;
  /** Clauses beyond the first twelve, which are not kept. */
  missing: number;
}

/**
 * The clauses as they were answered; `campaign` in the version that decided, `look` at the instant of the decision.
 * Undefined where the message has none, or they are not those of this version.
 */
export function recall(campaign: CompiledCampaign, { clauses }: Because, look: Look): Recalled | undefined {
  const leaves = audienceOf(campaign);
  if (clauses === undefined || clauses.length !== leaves.length || leaves.length === 0) return undefined;
  const answers = new Map(
    leaves.map((leaf, place) => [leaf, clauses[place] as NonNullable<Because['clauses']>[number]]),
  );
  const queue = [...leaves];
  const { when, for: meant } = campaign.campaign;
  const to = isBroadcast(when) && campaign.to !== undefined ? clauseOf(when.to, queue, answers, look) : undefined;
  const audience =
    meant !== undefined && campaign.for !== undefined ? clauseOf(meant, queue, answers, look) : undefined;
  return {
    ...(to !== undefined && { to }),
    ...(audience !== undefined && { for: audience }),
    missing: wholeAudienceOf(campaign).length - leaves.length,
  };
}

type Answers = ReadonlyMap<Leaf, NonNullable<Because['clauses']>[number]>;

/** One rule with those below it; leaves are taken from the queue in their order. Undefined where none is left. */
function clauseOf(rule: Rule, queue: Leaf[], answers: Answers, look: Look): Clause | undefined {
  const below = partsOf(rule);
  if (below === undefined) {
    const leaf = queue.shift();
    if (leaf === undefined) return undefined;
    const [holds, read] = answers.get(leaf) as NonNullable<Because['clauses']>[number];
    const found = sayRead(rule, read, look);
    return { kind: kindOf(rule), rule, words: sayClause(rule), holds, ...(found !== undefined && { found }) };
  }
  const parts = below.map((part) => clauseOf(part, queue, answers, look));
  const known = parts.filter((part) => part !== undefined);
  if (known.length === 0) return undefined;
  const holds =
    'not' in rule
      ? !(known[0] as Clause).holds
      : 'any' in rule
        ? // What is not kept may have been what held.
          known.some((part) => part.holds) || known.length < parts.length
        : known.every((part) => part.holds);
  return { kind: kindOf(rule), rule, words: sayClause(rule), holds, parts: known };
}

function partsOf(rule: Rule): Rule[] | undefined {
  if ('all' in rule) return rule.all;
  if ('any' in rule) return rule.any;
  if ('not' in rule) return [rule.not];
  if (!('has' in rule)) return undefined;
  const asked = Object.entries(rule.has);
  return asked.length === 1 ? undefined : asked.map(([name, wanted]) => ({ has: { [name]: wanted } }));
}
