// What the rules of a campaign mean beside what starts it: what then holds at once, and what then never can.
import type { Campaign } from './campaign-grammar.ts';
import type { RuleLogic } from './check-logic.ts';
import type { RuleCheck } from './check-rules.ts';
import type { Rule } from './grammar.ts';
import { durationMs } from './time.ts';

type Path = (string | number)[];

const DAY = 86_400_000;

/** What is true of everybody in the campaign at most so many days after the start, as far as its "when" says it. */
function factsAt({ when, triggerAge }: Campaign, days: number): Rule[] {
  if ('did' in when) {
    const { each: _, ...measured } = when;
    const { did, where } = when;
    // The trigger may be as old as "triggerAge" when the run starts.
    const minutes = Math.ceil((days * DAY + (triggerAge === undefined ? DAY : durationMs(triggerAge))) / 60_000);
    const happened: Rule = { did, ...(where === undefined ? {} : { where }), inLast: `${minutes}m` };
    const plain = ['times', 'sum', 'largest', 'distinct'].every((measure) => !(measure in measured));
    return plain || days > 0 ? [happened] : [happened, measured as Rule];
  }
  if (days > 0) return [];
  if ('enters' in when) return [{ segment: when.enters }];
  if ('leaves' in when) return [{ not: { segment: when.leaves } }];
  if ('changes' in when) {
    return when.to === undefined || [when.to].flat().includes('none') ? [] : [{ has: { [when.changes]: when.to } }];
  }
  return 'to' in when ? [when.to] : [];
}

const joined = (facts: Rule[]): Rule => (facts.length === 1 ? (facts[0] as Rule) : { all: facts });

/** Faults of an audience that lets nobody in, and of a "stopIf" that ends every run as it begins. */
export function checkStart(campaign: Campaign, check: RuleCheck, logic: RuleLogic): void {
  const { for: audience, stopIf } = campaign;
  const facts = factsAt(campaign, 0);
  if (facts.length === 0) return;
  if (audience !== undefined && logic.neverMatches({ all: [...facts, audience] })) {
    check.fault(
      'campaign.nobody',
      ['for'],
      'lets nobody in: it excludes what has just started the campaign.',
      'Leave that out of it, or add what it is to be asked of, such as a "where" or "since".',
    );
    return;
  }
  const inside = audience === undefined ? facts : [...facts, audience];
  if (stopIf !== undefined && logic.follows(joined(inside), stopIf)) {
    check.fault(
      'campaign.nobody',
      ['stopIf'],
      'holds as soon as the run begins, and ends it: nobody is ever written to.',
      SINCE,
    );
  }
}

const LATER = 'Take the question out, or ask it after a wait.';
const SINCE = 'To ask for what comes after the start, add "since": "run start".';

/** Warns of a rule of a step that what started the campaign has settled already, at most so many days after the start. */
export function settledAt(
  kind: 'if' | 'waitFor' | 'unless',
  rule: Rule,
  path: Path,
  campaign: Campaign,
  days: number,
  check: RuleCheck,
  logic: RuleLogic | undefined,
): void {
  if (logic === undefined || check.faults.length > 0) return;
  const facts = factsAt(campaign, days);
  // The audience is asked again before each message.
  if (kind === 'unless' && campaign.for !== undefined) facts.push(campaign.for);
  if (facts.length === 0 || logic.neverMatches(joined(facts))) return;
  if (logic.follows(joined(facts), rule)) {
    const message = {
      if: 'always holds here: what starts the campaign has settled it.',
      waitFor: 'holds at once: what starts the campaign has settled it, and nothing is waited for.',
      unless: 'always holds here: this e-mail is never sent.',
    }[kind];
    const remedy =
      kind === 'unless' ? 'Take the "send" out, or ask for something else.' : 'did' in campaign.when ? SINCE : LATER;
    check.warn('campaign.settled', path, message, remedy);
  } else if (kind === 'if' && logic.neverMatches({ all: [...facts, rule] })) {
    check.warn('campaign.settled', path, 'never holds here: what starts the campaign has settled it.', LATER);
  }
}
