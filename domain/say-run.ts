// Where a run stands, in words: what it waits for, until when, and what it does then.
import type { CompiledCampaign, Instruction } from './compiled-campaign.ts';
import type { Run } from './contact.ts';
import { sayPlace, sayStep, stepAt } from './say-campaign.ts';

/** Where a run stands; instants are told by `when`. */
export interface Standing {
  /** The step at which it waits, as decisions name it; absent where all steps are through. */
  step?: string;
  words: string;
}

/** Where a run under way stands in the version that it is pinned to; undefined = that version is published no more. */
export function standingOf(run: Run, campaign: CompiledCampaign | undefined, when: (at: number) => string): Standing {
  if (campaign === undefined) return { words: 'stops at the next look: its version is published no more' };
  const { program } = campaign;
  const next = following(program, run.at);
  const then = next === undefined ? 'then ends' : `then ${sayInstruction(campaign, next)}`;
  if (run.wakeAt !== undefined) {
    const last = program[run.at - 1];
    const step = last?.step;
    const what = last?.op === 'send' ? `${last.email} is planned for` : 'waits until';
    return { ...(step !== undefined && { step }), words: `${what} ${when(run.wakeAt)}, ${then}` };
  }
  if (next === undefined) return { words: 'all steps are through' };
  const { step } = next;
  if (next.op === 'waitFor') {
    const until = run.waitsUntil === undefined ? '' : `, until ${when(run.waitsUntil)} at the latest`;
    return { step, words: `${sayInstruction(campaign, next)}${until}` };
  }
  if (next.op === 'send' && run.looksAt !== undefined) {
    return { step, words: `waits for the winner of the test of ${next.email}; looks again ${when(run.looksAt)}` };
  }
  if (next.op === 'send' && run.waitsUntil !== undefined) {
    const until = when(run.waitsUntil);
    return { step, words: `waits for an address to send ${next.email} to, until ${until} at the latest` };
  }
  return { step, words: `goes on at the next look: ${sayInstruction(campaign, next)}` };
}

/** "step 3, then 1", of a standing that has a step. */
export const sayStandingPlace = ({ step }: Standing): string => (step === undefined ? '' : `at ${sayPlace(step)}: `);

function following(program: Instruction[], at: number): Exclude<Instruction, { op: 'jump' }> | undefined {
  let next = program[at];
  // A jump leads on, never back.
  while (next?.op === 'jump') next = program[next.to];
  return next as Exclude<Instruction, { op: 'jump' }> | undefined;
}

function sayInstruction({ campaign }: CompiledCampaign, instruction: Instruction): string {
  if (instruction.op === 'send') return `sends ${instruction.email}`;
  const said = stepAt(campaign, instruction.step);
  return said === undefined ? 'goes on' : sayStep(said);
}
