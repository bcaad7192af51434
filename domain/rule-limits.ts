// How large a rule, and the steps of a campaign, may be: asked of plain JSON before anything walks it by calling itself.
import { type Fault, sayPath } from './fault.ts';

/** Characters of a segment or a test person. */
export const MOST_CHARACTERS = 262_144;
/** Characters of a campaign: each of its versions is kept in the book as long as runs are pinned to it. */
export const MOST_OF_CAMPAIGN = 65_536;
/** "all", "any" and "not", and objects of a "where", inside each other. */
export const MOST_LEVELS = 20;
/** Comparisons, events, segments, consents and draws of one rule. */
export const MOST_CLAUSES = 1000;

/** Steps inside each other: branches of branches. */
export const MOST_STEP_LEVELS = 10;
/** Steps of one campaign, branches included. */
export const MOST_STEPS = 100;

const GROUPS = ['all', 'any', 'not'] as const;
const SUBJECTS = ['all', 'any', 'not', 'has', 'did', 'segment', 'consent', 'share'] as const;

type Path = (string | number)[];

interface Place {
  value: unknown;
  path: Path;
  level: number;
  /** The rule that the place belongs to; absent outside of rules. */
  rule?: { path: Path; clauses: number };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The rules in a JSON value that are nested too deeply or hold too much, one fault for each. */
export function limitFaults(value: unknown, file: string): Fault[] {
  const faults: Fault[] = [];
  const told = new Set<unknown>();
  const fault = (rule: object, path: Path, message: string, remedy: string): void => {
    if (told.has(rule)) return;
    told.add(rule);
    faults.push({ code: 'rule.limit', file, path: sayPath(path), message, remedy });
  };
  const left: Place[] = [{ value, path: [], level: 0 }];
  for (let place = left.pop(); place !== undefined; place = left.pop()) {
    const { value: held, path, level } = place;
    if (Array.isArray(held)) {
      held.forEach((each, index) => {
        if (each !== null && typeof each === 'object') left.push({ ...place, value: each, path: [...path, index] });
      });
      continue;
    }
    if (!isRecord(held)) continue;
    const subject = SUBJECTS.some((key) => Object.hasOwn(held, key));
    const rule = place.rule ?? (subject ? { path, clauses: 0 } : undefined);
    if (rule !== undefined && !told.has(rule)) {
      if (level > MOST_LEVELS) {
        fault(
          rule,
          rule.path,
          `is nested more than ${MOST_LEVELS} levels deep.`,
          'Give the inner parts names: write them as segments, and ask for these.',
        );
        continue;
      }
      // A subject of its own counts once; in "has" and "where" each comparison does.
      const own = subject && !GROUPS.some((key) => Object.hasOwn(held, key)) && !Object.hasOwn(held, 'has') ? 1 : 0;
      const compared = path.at(-1) === 'has' || path.includes('where') ? Object.keys(held).length : 0;
      rule.clauses += own + compared;
      if (rule.clauses > MOST_CLAUSES) {
        fault(
          rule,
          rule.path,
          `has more than ${MOST_CLAUSES} clauses.`,
          'Write a list of values instead of many comparisons, or parts of it as segments.',
        );
        continue;
      }
    }
    if (rule !== undefined && told.has(rule)) continue;
    for (const [key, each] of Object.entries(held)) {
      if (each === null || typeof each !== 'object') continue;
      const deeper = (GROUPS as readonly string[]).includes(key) || path.includes('where');
      left.push({
        value: each,
        path: [...path, key],
        level: rule === undefined ? 0 : level + Number(deeper),
        ...(rule === undefined ? {} : { rule }),
      });
    }
  }
  return faults;
}

/** Steps of a campaign that are nested too deeply, or too many of them: one fault at most. */
export function stepFaults(value: unknown, file: string): Fault[] {
  const fault = (path: Path, message: string, remedy: string): Fault[] => [
    { code: 'campaign.limit', file, path: sayPath(path), message, remedy },
  ];
  const left: { steps: unknown[]; path: Path; level: number }[] = [];
  if (isRecord(value) && Array.isArray(value.steps)) left.push({ steps: value.steps, path: ['steps'], level: 1 });
  let count = 0;
  for (let place = left.pop(); place !== undefined; place = left.pop()) {
    const { steps, path, level } = place;
    if (level > MOST_STEP_LEVELS) {
      return fault(
        path.slice(0, 3),
        `has branches that are nested more than ${MOST_STEP_LEVELS} levels deep.`,
        'Give the inner steps a campaign of their own.',
      );
    }
    count += steps.length;
    if (count > MOST_STEPS) {
      return fault(
        ['steps'],
        `are more than ${MOST_STEPS}, branches included.`,
        'Divide the campaign: a second one can start where this one ends.',
      );
    }
    steps.forEach((step, index) => {
      if (!isRecord(step)) return;
      for (const [key, branch] of Object.entries(step)) {
        if (Array.isArray(branch)) left.push({ steps: branch, path: [...path, index, key], level: level + 1 });
      }
    });
  }
  return [];
}
