// Rules compiled to atoms over columns: the answer now, and the earliest instant at which it can turn.
import { drawOf } from './draw.ts';
import { standingConsent } from './facts.ts';
import type { Rule } from './grammar.ts';
import { hasAtom, tierNode } from './rule-attributes.ts';
import { didNode } from './rule-events.ts';
import {
  type Atom,
  all,
  atom,
  columnOf,
  type Node,
  once,
  type RuleContext,
  type Sight,
  type Turn,
} from './rule-node.ts';
import { TIER } from './tiers.ts';

const NEVER = Number.POSITIVE_INFINITY;
const timeless = (): number => NEVER;

export interface CompiledRule {
  node: Node;
  test(sight: Sight): boolean;
  /** Conservative: never later than the instant at which the answer turns by time alone; Infinity = by events only. */
  next(sight: Sight): number;
}

/** Whether a compiled rule holds for what is seen. */
export function holds(node: Node, sight: Sight): boolean {
  switch (node.kind) {
    case 'atom':
      return node.atom.test(node.atom.column.read(sight, UNASKED), sight);
    case 'not':
      return !holds(node.part, sight);
    case 'segment':
      return sight.inSegment(node.id);
    case 'all':
      return node.parts.every((part) => holds(part, sight));
    default:
      return node.parts.some((part) => holds(part, sight));
  }
}

/** A turn that nobody looks at. */
const UNASKED: Turn = { at: NEVER };

function nextOf(node: Node, sight: Sight): number {
  switch (node.kind) {
    case 'atom': {
      const turn = { at: NEVER };
      const found = node.atom.column.read(sight, turn);
      return Math.min(turn.at, node.atom.next(found, sight));
    }
    case 'not':
      return nextOf(node.part, sight);
    // A segment's own turn is among the book's segments: it is not asked again here.
    case 'segment':
      return NEVER;
    default:
      return node.parts.reduce((first, part) => Math.min(first, nextOf(part, sight)), NEVER);
  }
}

/** Compiles a rule; registers the counters that it reads. Throws on what publish would have refused. */
export function compileRule(rule: Rule, context: RuleContext): CompiledRule {
  const node = nodeOf(rule, context);
  return { node, test: (sight) => holds(node, sight), next: (sight) => nextOf(node, sight) };
}

function nodeOf(rule: Rule, context: RuleContext): Node {
  if ('all' in rule) return { kind: 'all', parts: rule.all.map((part) => nodeOf(part, context)) };
  if ('any' in rule) return { kind: 'any', parts: rule.any.map((part) => nodeOf(part, context)) };
  if ('not' in rule) return { kind: 'not', part: nodeOf(rule.not, context) };
  if ('segment' in rule) return { kind: 'segment', id: rule.segment };
  if ('has' in rule) {
    const entries = Object.entries(rule.has);
    return all(
      entries.map(([name, wanted]) => {
        // Campaigns ask once all segments are answered, and may refer to what only a run knows.
        const tier = name === TIER && context.tiers !== undefined && context.runCounters === undefined;
        const make = (): Node => (tier ? tierNode(wanted, context) : atom(hasAtom(name, wanted, context)));
        return once({ [name]: wanted }, context, make);
      }),
    );
  }
  return once(rule, context, () => {
    if ('did' in rule) return didNode(rule, context);
    return atom('share' in rule ? shareAtom(rule.share, rule.percent, context) : consentAtom(rule, context));
  });
}

function consentAtom(rule: Extract<Rule, { consent: string }>, context: RuleContext): Atom {
  const { basis, consent: topic, channel = 'email' } = rule;
  const { brand } = context;
  const key = `${brand}|${topic}|${channel}`;
  const column = columnOf(`consent|${key}`, 'equal', context, () => ({ contact, now }, turn) => {
    const known = contact.facts.consents[key];
    if (known === undefined) return undefined;
    for (const at of [known.at, known.until]) if (at !== undefined && at > now) turn.at = Math.min(turn.at, at);
    const found = standingConsent(contact.facts, brand, known, now);
    return found === undefined ? undefined : (found.basis ?? 'single');
  });
  return {
    column,
    cuts: basis ?? [],
    test: (found) => found !== undefined && (basis === undefined || (basis as string[]).includes(found as string)),
    next: timeless,
  };
}

function shareAtom(name: string, [from, to]: [number, number], context: RuleContext): Atom {
  const column = columnOf(
    `share|${name}`,
    'number',
    context,
    () =>
      ({ contact }) =>
        drawOf('share', name, contact.id),
  );
  return {
    column,
    cuts: [from, to],
    test: (found) => (found as number) >= from && (found as number) < to,
    next: timeless,
  };
}
