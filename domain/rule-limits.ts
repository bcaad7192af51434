// How large a rule may be, asked of plain JSON before anything walks it by calling itself.
import { type Fault, sayPath } from './fault.ts';

/** Characters of a segment, a campaign or a test person. */
export const MOST_CHARACTERS = 262_144;
/** "all", "any" and "not", and objects of a "where", inside each other. */
export const MOST_LEVELS = 20;
/** Comparisons, events, segments, consents and draws of one rule. */
export const MOST_CLAUSES = 1000;

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
