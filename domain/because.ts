// Why a message was decided: what is kept of it with the message, small enough to be written each time.
import { type Book, shortModels } from './book.ts';
import { isBroadcast } from './campaign-parts.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { Cause, Contact, Run } from './contact.ts';
import { sightOf, sightOfRun } from './eligibility.ts';
import type { Rule } from './grammar.ts';
import type { Json } from './interaction.ts';
import type { Because } from './message.ts';
import { holds } from './rule.ts';
import type { Node, Sight } from './rule-node.ts';

/** As many clauses as are kept of one message. */
export const MOST_CLAUSES = 12;
const MOST_CHARACTERS = 40;
const MOST_VALUES = 5;

/** A clause without clauses of its own, as written and as compiled. */
export interface Leaf {
  rule: Rule;
  node: Node;
}

/**
 * Why a message of the campaign is planned now: the book, what made the contact be looked at, and what each clause of
 * the campaign's audience (a broadcast's "to", then "for") found. `contact` is in the segments that its journey says.
 */
export function becauseOf(
  book: Book,
  contact: Contact,
  campaign: CompiledCampaign,
  run: Run | undefined,
  now: number,
  cause: Cause,
): Because {
  const because: Because = { book: book.hash, ordinal: book.definitions.ordinal, cause };
  if (book.models !== undefined) because.models = shortModels(book.models);
  if (run !== undefined && run.trigger.id !== cause.id) because.began = run.trigger.id;
  const asked = audienceOf(campaign);
  if (asked.length === 0) return because;
  const outside = sightOf(book, contact, now);
  const sight = run === undefined ? outside : sightOfRun(outside, run);
  because.clauses = asked.map(({ node }) => answer(node, sight));
  return because;
}

function answer(node: Node, sight: Sight): [holds: boolean, found?: Json] {
  if (node.kind === 'segment') {
    // Membership was moved before any message is planned: it need not be answered again.
    const since = sight.contact.journey.segments[node.id]?.since;
    return since === undefined ? [false] : [true, since];
  }
  const found = foundBy(node, sight);
  const answered = holds(node, sight);
  return found === undefined || found === null ? [answered] : [answered, short(found)];
}

/** What the first comparison of a clause reads. */
function foundBy(node: Node, sight: Sight): Json | undefined {
  if (node.kind === 'atom') return node.atom.column.read(sight, { at: Number.POSITIVE_INFINITY });
  if (node.kind === 'segment') return undefined;
  return foundBy(node.kind === 'not' ? node.part : (node.parts[0] as Node), sight);
}

function short(found: Json): Json {
  if (typeof found === 'string' && found.length > MOST_CHARACTERS) return `${found.slice(0, MOST_CHARACTERS - 1)}…`;
  if (Array.isArray(found)) return found.slice(0, MOST_VALUES).map(short);
  return found;
}

/** The clauses of a campaign's audience of which answers are kept: the first twelve. */
export function audienceOf(campaign: CompiledCampaign): readonly Leaf[] {
  const known = audiences.get(campaign);
  if (known !== undefined) return known;
  const leaves = wholeAudienceOf(campaign).slice(0, MOST_CLAUSES);
  audiences.set(campaign, leaves);
  return leaves;
}

/** The clauses of a campaign's audience, a broadcast's "to" before its "for", in the order in which they are written. */
export function wholeAudienceOf({ campaign: { when, for: meant }, to, for: audience }: CompiledCampaign): Leaf[] {
  return [
    ...(isBroadcast(when) && to !== undefined ? leavesOf(when.to, to.node) : []),
    ...(meant !== undefined && audience !== undefined ? leavesOf(meant, audience.node) : []),
  ];
}

/** A campaign does not change once its book is compiled: it is read through once. */
const audiences = new WeakMap<CompiledCampaign, Leaf[]>();

/** The clauses of a rule that have none of their own, in the order in which they are written. */
export function leavesOf(rule: Rule, node: Node): Leaf[] {
  const below = (rules: Rule[]): Leaf[] => {
    const parts = node.kind === 'all' || node.kind === 'any' ? node.parts : [];
    return rules.flatMap((part, place) => leavesOf(part, parts[place] as Node));
  };
  if ('all' in rule) return below(rule.all);
  if ('any' in rule) return below(rule.any);
  if ('not' in rule && node.kind === 'not') return leavesOf(rule.not, node.part);
  if ('has' in rule) {
    const asked = Object.entries(rule.has);
    if (asked.length > 1) return below(asked.map(([name, wanted]) => ({ has: { [name]: wanted } })));
  }
  return [{ rule, node }];
}
