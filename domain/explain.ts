// Why a contact is in a segment or not: every clause with what was asked, what was found, the answer and its next turn.
import type { Book } from './book.ts';
import { isBroadcast } from './campaign-parts.ts';
import { canonical } from './canonical.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { Contact, Run } from './contact.ts';
import type { Counter } from './counting.ts';
import { sightOf, sightOfRun } from './eligibility.ts';
import type { Rule } from './grammar.ts';
import { shortHash } from './interaction.ts';
import { type CompiledRule, compileRule } from './rule.ts';
import type { Node, RuleContext, Sight } from './rule-node.ts';
import { type Asked, sayFound } from './say-found.ts';
import { sayClause } from './say-rule.ts';

/** One clause of a rule, answered for one contact at one instant. */
export interface Clause {
  kind: 'all' | 'any' | 'not' | 'has' | 'did' | 'consent' | 'segment' | 'share';
  /** What is asked, as written, and in words. */
  rule: Rule;
  words: string;
  /** The engine's answer. */
  holds: boolean;
  /** What was found, in words; groups have nothing of their own. */
  found?: string;
  /** The instant at which the answer turns if nothing but time happens; absent = not within ten years. */
  turns?: number;
  /** Of a group its members, of a segment its rule (one level deep), of a "has" with several names each of them. */
  parts?: Clause[];
}

export interface ExplainedSegment {
  id: string;
  title?: string;
  /** The engine's answer now. */
  holds: boolean;
  turns?: number;
  /** Since when the contact is recorded as a member; absent = it is not. */
  since?: number;
  clause: Clause;
}

export interface ExplainedCampaign {
  id: string;
  title?: string;
  /** The run that was looked at: the oldest under way. Absent = there is none. */
  run?: Pick<Run, 'id' | 'startedAt'>;
  /** Absent = the campaign has no such rule. A rule that asks about a run is not answered where there is none. */
  for?: Clause | { words: string; needsRun: true };
  /** A broadcast's audience, which asks of the person alone. */
  to?: Clause;
  stopIf?: Clause | { words: string; needsRun: true };
}

/** What clauses are answered with. */
export interface Look extends Asked {
  book: Book;
  now: number;
  /** The same contact at another instant. */
  at(now: number): Sight;
  /** How segments that are referred to are looked at; absent = they are named only. */
  segments?: Look;
}

const HORIZON = 3653 * 86_400_000;
/** As many as a calendar word needs to go through the horizon day by day. */
const MOST_STEPS = 4000;

/** Whether the contact's counters are those that this book's rules read; where not, the next decision rebuilds them. */
export function isCounted(book: Book, contact: Contact): boolean {
  return contact.book?.counters === book.counterSet || book.counters.length === 0;
}

/** Explains one segment of the book. Throws a RangeError for an id that the book does not have. */
export function explainSegment(book: Book, contact: Contact, id: string, now: number): ExplainedSegment {
  const segment = book.definitions.segments[id];
  const compiled = book.segment.get(id)?.rule;
  if (segment === undefined || compiled === undefined) throw new RangeError(`no such segment: ${id}`);
  const clause = explainRule(segment.rule, lookAt(book, contact, now));
  const since = contact.journey.segments[id]?.since;
  return {
    id,
    ...(segment.title !== undefined && { title: segment.title }),
    holds: sightOf(book, contact, now).inSegment(id),
    ...(clause.turns !== undefined && { turns: clause.turns }),
    ...(since !== undefined && { since }),
    clause,
  };
}

/** When the contact's answer to a segment turns if nothing but time happens; undefined = not within ten years. */
export function segmentTurn(book: Book, contact: Contact, id: string, now: number): number | undefined {
  const compiled = book.segment.get(id)?.rule;
  return compiled === undefined ? undefined : turnOf(compiled, lookAt(book, contact, now));
}

/**
 * Explains "for" and "stopIf" of a campaign, from inside its oldest run where the contact has one. Throws a RangeError
 * for an id that the book does not have.
 */
export function explainCampaign(book: Book, contact: Contact, id: string, now: number): ExplainedCampaign {
  const published = book.campaigns.find((one) => one.id === id);
  if (published === undefined) throw new RangeError(`no such campaign: ${id}`);
  const run = contact.journey.runs.find((one) => one.campaign === id && one.ended === undefined);
  const compiled = (run === undefined ? undefined : book.version.get(`${id}@${run.version}`)) ?? published;
  const { campaign } = compiled;
  const look = lookAt(book, contact, now, compiled, run);
  const explain = (rule: Rule): NonNullable<ExplainedCampaign['for']> =>
    run === undefined && asksAboutRun(rule) ? { words: sayClause(rule), needsRun: true } : explainRule(rule, look);
  return {
    id,
    ...(campaign.title !== undefined && { title: campaign.title }),
    ...(run !== undefined && { run: { id: run.id, startedAt: run.startedAt } }),
    ...(isBroadcast(campaign.when) && { to: explainRule(campaign.when.to, lookAt(book, contact, now, compiled)) }),
    ...(campaign.for !== undefined && { for: explain(campaign.for) }),
    ...(campaign.stopIf !== undefined && { stopIf: explain(campaign.stopIf) }),
  };
}

/** Explains any rule for what is looked at. Each answer, those of groups too, is the engine's own. */
export function explainRule(rule: Rule, look: Look): Clause {
  const compiled = compileRule(rule, look.context);
  const turns = turnOf(compiled, look);
  const said: Clause = {
    kind: kindOf(rule),
    rule,
    words: sayClause(rule),
    holds: compiled.test(look.sight),
    ...(turns !== undefined && { turns }),
  };
  const parts = partsOf(rule, look);
  if (parts !== undefined) said.parts = parts.map(([part, within]) => explainRule(part, within));
  const found = sayFound(rule, look);
  if (found !== undefined) said.found = found;
  return said;
}

function partsOf(rule: Rule, look: Look): [Rule, Look][] | undefined {
  if ('all' in rule) return rule.all.map((part) => [part, look]);
  if ('any' in rule) return rule.any.map((part) => [part, look]);
  if ('not' in rule) return [[rule.not, look]];
  if ('has' in rule) {
    const asked = Object.entries(rule.has);
    return asked.length === 1 ? undefined : asked.map(([name, wanted]) => [{ has: { [name]: wanted } }, look]);
  }
  if (!('segment' in rule) || look.segments === undefined) return undefined;
  const segment = look.book.definitions.segments[rule.segment];
  return segment === undefined ? undefined : [[segment.rule, look.segments]];
}

const KINDS = ['all', 'any', 'not', 'has', 'did', 'consent', 'segment', 'share'] as const;
export const kindOf = (rule: Rule): Clause['kind'] => KINDS.find((kind) => kind in rule) as Clause['kind'];

/** How rules see a contact, from inside a run where one is given: with counters as the book's rules registered them. */
export function lookAt(book: Book, contact: Contact, now: number, campaign?: CompiledCampaign, run?: Run): Look {
  const at = (moment: number): Sight => {
    const sight = sightOf(book, contact, moment);
    return run === undefined ? sight : sightOfRun(sight, run);
  };
  const attributes = book.definitions.fields.attributes ?? {};
  const shared = { book, now, at, attributes, sight: at(now) };
  const context = contextOf(book);
  // A segment that is referred to is opened; those that it refers to are named.
  if (campaign === undefined) return { ...shared, context, segments: { ...shared, context } };
  const ofRun = { ...context, brand: campaign.brand, runCounters: copiesOf(campaign.counters) };
  const outside = (moment: number): Sight => sightOf(book, contact, moment);
  return { ...shared, context: ofRun, segments: { ...shared, at: outside, sight: outside(now), context } };
}

// Which place a measure has in a counter's entries was settled when the book was compiled: copies keep it.
const copiesOf = (counters: Counter[]): Map<string, Counter> =>
  new Map(
    counters.map((one) => [
      one.id,
      { ...one, of: [...one.of], kinds: [...one.kinds], properties: [...one.properties] },
    ]),
  );

function contextOf(book: Book): RuleContext {
  return {
    ...book.context,
    brand: book.brand,
    catalogueHash: shortHash(canonical(book.definitions.catalogue)),
    counters: copiesOf(book.counters),
  };
}

/** The instant at which the answer is another one, by going from one possible turn to the next. */
function turnOf(compiled: CompiledRule, { now, sight, at, book }: Look): number | undefined {
  // A rule's own `next` leaves out the segments that it reads: theirs are asked beside it.
  const asked = [compiled, ...segmentsRead(compiled, book)];
  const answer = compiled.test(sight);
  let seen = sight;
  for (let step = 0; step < MOST_STEPS; step++) {
    const next = Math.min(...asked.map((rule) => rule.next(seen)));
    if (!(next <= now + HORIZON)) return undefined;
    seen = at(next);
    if (compiled.test(seen) !== answer) return next;
  }
  return undefined;
}

/** The segments that a rule reads, and those that they read. */
function segmentsRead({ node }: CompiledRule, book: Book, known = new Set<CompiledRule>()): Set<CompiledRule> {
  for (const id of segmentsIn(node)) {
    const rule = book.segment.get(id)?.rule;
    if (rule === undefined || known.has(rule)) continue;
    known.add(rule);
    segmentsRead(rule, book, known);
  }
  return known;
}

function segmentsIn(node: Node): string[] {
  if (node.kind === 'segment') return [node.id];
  if (node.kind === 'not') return segmentsIn(node.part);
  return node.kind === 'atom' ? [] : node.parts.flatMap(segmentsIn);
}

/** Whether a rule speaks of a run: of its start, of what triggered it, of its product or of what it sent. */
export function asksAboutRun(value: unknown): boolean {
  if (typeof value === 'string') return value === 'run start' || /^@(trigger|product|sent|watch)\b/.test(value);
  return value !== null && typeof value === 'object' && Object.values(value).some(asksAboutRun);
}
