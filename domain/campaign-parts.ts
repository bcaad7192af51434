// Looking through a campaign: what starts it, its steps and their branches. Apart from the grammar, whose schemas would come along.
import type { Step, When } from './campaign-grammar.ts';

/** The `when` of a campaign as one of its forms; undefined where it has another. */
export function whenOf<K extends string>(when: When, form: K): Extract<When, Record<K, unknown>> | undefined {
  return form in when ? (when as Extract<When, Record<K, unknown>>) : undefined;
}

/** Names of the events that start a campaign; none where anything else does. */
export function startingEvents(when: When): string[] {
  return 'did' in when ? [when.did].flat() : [];
}

/** Whether a campaign walks the roster at a time. */
export const isBroadcast = (when: When): when is Extract<When, { clock: unknown }> => 'clock' in when;

/** The branches of a step: their names and steps, in the order in which they are written. */
export function branchesOf(step: Step): [name: string, steps: Step[]][] {
  if ('split' in step) {
    const branches = step as unknown as Record<string, Step[]>;
    return Object.keys(step.split).map((name) => [name, branches[name] ?? []]);
  }
  if (!('if' in step || 'waitFor' in step)) return [];
  const found: [string, Step[]][] = [];
  if (step.then !== undefined) found.push(['then', step.then]);
  if (step.else !== undefined) found.push(['else', step.else]);
  return found;
}

/** Every step, branches included, with its path below "steps". */
export function eachStep(steps: Step[], path: (string | number)[] = []): { step: Step; path: (string | number)[] }[] {
  return steps.flatMap((step, index) => {
    const at = [...path, index];
    return [{ step, path: at }, ...branchesOf(step).flatMap(([name, inner]) => eachStep(inner, [...at, name]))];
  });
}
