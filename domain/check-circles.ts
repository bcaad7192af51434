// Finds campaigns that feed themselves: what one sets, tells or sends starts it again, directly or over others.
import type { Campaign, Step } from './campaign-grammar.ts';
import { eachStep, isBroadcast } from './campaign-parts.ts';
import type { RuleLogic } from './check-logic.ts';
import type { Draft } from './draft.ts';
import { type Fault, sayPath } from './fault.ts';
import { builtinEvents } from './fields.ts';
import type { Did, Rule } from './grammar.ts';

type Path = (string | number)[];
type Scalar = string | number | boolean;

/** What a step gives off that may start a campaign. */
interface Spark {
  path: Path;
  /** An attribute with its new value, an event, or a message that is delivered. */
  set?: { name: string; value: Scalar };
  event?: string;
  delivered?: true;
}

/** One campaign starts another. */
interface Edge {
  to: string;
  path: Path;
}

/** A fault for each circle, at a step that keeps it going. `logic` tells where a new value keeps people out of a segment. */
export function checkCircles({ campaigns, segments }: Draft, logic: RuleLogic | undefined): Fault[] {
  const ids = Object.keys(campaigns).sort();
  const edges = new Map<string, Edge[]>();
  for (const id of ids) {
    const sparks = sparksOf(campaigns[id] as Campaign);
    edges.set(
      id,
      ids.flatMap((to) => {
        const spark = sparks.find((each) => starts(each, id, campaigns[to] as Campaign, segments, logic));
        return spark === undefined ? [] : [{ to, path: spark.path }];
      }),
    );
  }
  const faults: Fault[] = [];
  const told = new Set<string>();
  for (const id of ids) {
    if (told.has(id)) continue;
    const circle = shortest(id, edges);
    if (circle === undefined) continue;
    for (const each of circle) told.add(each);
    const { path } = (edges.get(id) as Edge[]).find(({ to }) => to === circle[1]) as Edge;
    faults.push({
      code: 'campaign.circle',
      file: `campaigns/${id}.json`,
      path: sayPath(path),
      message: `feeds itself: ${circle.join(' → ')}.`,
      remedy:
        circle.length === 2
          ? 'What it does here starts it again, without end: start it by something else, or take the step out.'
          : 'Each starts the next, without end: start one of them by something else, or take the step out.',
    });
  }
  return faults;
}

/** The shortest way from a campaign back to itself; undefined where there is none. */
function shortest(id: string, edges: ReadonlyMap<string, Edge[]>): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const left = [id];
  for (let at = left.shift(); at !== undefined; at = left.shift()) {
    for (const { to } of edges.get(at) ?? []) {
      if (to === id) {
        const way = [id];
        for (let each = at; each !== id; each = cameFrom.get(each) as string) way.unshift(each);
        return [id, ...way];
      }
      if (cameFrom.has(to)) continue;
      cameFrom.set(to, at);
      left.push(to);
    }
  }
  return undefined;
}

function sparksOf({ steps }: Campaign): Spark[] {
  return eachStep(steps, ['steps']).flatMap(({ step, path }: { step: Step; path: Path }): Spark[] => {
    if ('set' in step) {
      return Object.entries(step.set).map(([name, value]) => ({ path: [...path, 'set', name], set: { name, value } }));
    }
    // By the name of an event of others it is a fault already.
    if ('notify' in step && Object.hasOwn(builtinEvents, step.notify)) return [];
    if ('notify' in step) return [{ path: [...path, 'notify'], event: step.notify }];
    return 'send' in step ? [{ path: [...path, 'send'], delivered: true }] : [];
  });
}

/** Whether what `id` gives off may start a campaign. What time alone brings about later is not counted. */
function starts(
  { set, event, delivered }: Spark,
  id: string,
  { when }: Campaign,
  segments: Draft['segments'],
  logic: RuleLogic | undefined,
): boolean {
  if (delivered === true) {
    if (!('did' in when) || ![when.did].flat().includes('Email Delivered')) return false;
    const wanted = when.where?.campaign;
    return (
      wanted === undefined || !(typeof wanted === 'string' || Array.isArray(wanted)) || [wanted].flat().includes(id)
    );
  }
  if ('did' in when) return event !== undefined && [when.did].flat().includes(event);
  if ('changes' in when) {
    if (set === undefined || when.changes !== set.name) return false;
    const goes = when.to === undefined || [when.to].flat().includes(set.value);
    const comes = when.from === undefined || [when.from].flat().some((value) => value !== set.value);
    return goes && comes;
  }
  if (isBroadcast(when) || !('enters' in when || 'leaves' in when)) return false;
  const enters = 'enters' in when;
  const segment: Rule = { segment: 'enters' in when ? when.enters : when.leaves };
  if (event !== undefined) return moves(segment, enters, event, segments);
  if (set === undefined || !reads(segment, set.name, segments)) return false;
  const then: Rule = { has: { [set.name]: set.value } };
  // A mark that takes people out of a segment lets nobody in, and the other way round.
  return (
    logic === undefined || (enters ? !logic.neverMatches({ all: [then, segment] }) : !logic.follows(then, segment))
  );
}

/** Rules inside of a rule, with those of segments; `turned` below a "not". Segments read each other in no circle. */
function clauses(rule: Rule, segments: Draft['segments'], turned = false, seen = new Set<string>()): [Rule, boolean][] {
  if ('all' in rule || 'any' in rule) {
    return ('all' in rule ? rule.all : rule.any).flatMap((each) => clauses(each, segments, turned, seen));
  }
  if ('not' in rule) return clauses(rule.not, segments, !turned, seen);
  if (!('segment' in rule)) return [[rule, turned]];
  const key = `${rule.segment} ${turned}`;
  const known = Object.hasOwn(segments, rule.segment) ? segments[rule.segment] : undefined;
  if (known === undefined || seen.has(key)) return [];
  seen.add(key);
  return clauses(known.rule, segments, turned, seen);
}

function reads(rule: Rule, attribute: string, segments: Draft['segments']): boolean {
  return clauses(rule, segments).some(
    ([each]) => 'has' in each && [attribute, `${attribute}.givenAt`].some((name) => Object.hasOwn(each.has, name)),
  );
}

/** Whether a further event of that name can make people enter a segment, or leave it. */
function moves(segment: Rule, enters: boolean, event: string, segments: Draft['segments']): boolean {
  return clauses(segment, segments).some(([each, turned]) => {
    if (!('did' in each) || ![each.did].flat().includes(event)) return false;
    return isGrowing(each) ? turned !== enters : true;
  });
}

/** More events can only make it true: it asks for so many or more. */
function isGrowing({ times, sum, largest, distinct, latest, first }: Did): boolean {
  const least = (measure: object | number | undefined): boolean =>
    measure === undefined || (typeof measure === 'object' && ('atLeast' in measure || 'moreThan' in measure));
  return latest === undefined && first === undefined && sum === undefined && [times, largest, distinct].every(least);
}
