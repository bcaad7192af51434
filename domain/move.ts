// Runs and new versions of their campaign: where a run that stands in one program stands in another.
import type { Instruction } from './compiled-campaign.ts';

/** What an instruction is, as far as another version can hold the same: durations and rules may differ. */
function label(instruction: Instruction): string {
  const { op } = instruction;
  // Places and branches take turns in a path: "2.then.0". A branch may be named by a number.
  const where = instruction.step
    .split('.')
    .filter((_, i) => i % 2 === 1)
    .join('.');
  return op === 'send' ? `send ${instruction.key} ${where}` : `${op} ${where}`;
}

/**
 * For each instruction of a program, and for its end, the place at which it stands in another: the longest common
 * sequence of both, where two are the same if they do the same in the same branch (sends of one key; of waits and
 * questions any). -1 = it has no counterpart.
 */
export function placesIn(before: readonly Instruction[], after: readonly Instruction[]): number[] {
  const [a, b] = [before.map(label), after.map(label)];
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = lengths[i] as Uint16Array;
      const below = lengths[i + 1] as Uint16Array;
      row[j] = a[i] === b[j] ? (below[j + 1] as number) + 1 : Math.max(below[j] as number, row[j + 1] as number);
    }
  }
  const places = new Array<number>(a.length + 1).fill(-1);
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const row = lengths[i] as Uint16Array;
    const below = lengths[i + 1] as Uint16Array;
    if (a[i] === b[j]) places[i++] = j++;
    else if ((below[j] as number) >= (row[j + 1] as number)) i++;
    else j++;
  }
  places[a.length] = b.length;
  return places;
}

/**
 * Where a run that stands at `at` goes on in another version; undefined where it cannot be said. A run that waits stands
 * behind its wait: it goes on behind the counterpart of that wait.
 */
export function placeAfterMove(
  before: readonly Instruction[],
  after: readonly Instruction[],
  at: number,
  waits: boolean,
): number | undefined {
  const places = placesIn(before, after);
  const place = waits ? (places[at - 1] ?? -1) : (places[at] ?? -1);
  if (place < 0) return undefined;
  return waits ? place + 1 : place;
}

/** Steps at which runs may stand (waits, questions that wait, sends) and that another version does not have. */
export function stepsWithoutPlace(before: readonly Instruction[], after: readonly Instruction[]): string[] {
  const places = placesIn(before, after);
  return before.flatMap((instruction, i) =>
    ['wait', 'waitFor', 'send'].includes(instruction.op) && (places[i] as number) < 0 ? [instruction.step] : [],
  );
}
