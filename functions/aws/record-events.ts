// A batch of queued events: read, recorded together, and each failed or buried alone.
import { type EventBridgeEvent, normalise } from '../../domain/event.ts';
import type { Interaction } from '../../domain/interaction.ts';
import { faultOf, type Log } from './handler.ts';
import type { DeadLetter, Queue } from './queue.ts';
import { type Recorder, TooManyWrites } from './recorder.ts';

export interface IntakeDeps {
  recorder: Recorder;
  queue: Queue;
  deadLetters: string;
  log: Log;
}

const STAGE = 'record-interaction';

/** Answers the ids of those that should be delivered again. What can never be recorded is buried with its reason. */
export async function recordEvents(
  records: { id: string; body: string }[],
  { recorder, queue, deadLetters, log }: IntakeDeps,
): Promise<string[]> {
  const dead: DeadLetter[] = [];
  const good: { id: string; body: string; interaction: Interaction }[] = [];
  for (const { id, body } of records) {
    const read = readEvent(body);
    if ('fault' in read) dead.push({ body, reason: read.fault.code, stage: STAGE });
    else good.push({ id, body, interaction: read.interaction });
  }
  const outcomes = good.length === 0 ? [] : await recorder.record(good.map(({ interaction }) => ({ interaction })));
  const again: string[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const { id, body } = good[index] as (typeof good)[number];
    if (outcome.kind !== 'failed') continue;
    if (outcome.error instanceof TooManyWrites) {
      dead.push({ body, reason: 'record.too-many-writes', stage: STAGE });
      continue;
    }
    log.error('record.failed', { ...faultOf(outcome.error), id });
    again.push(id);
  }
  if (dead.length > 0) {
    for (const { reason } of dead) log.warn('record.buried', { reason });
    await queue.bury(deadLetters, dead);
  }
  return again;
}

function readEvent(body: string): ReturnType<typeof normalise> {
  let event: EventBridgeEvent;
  try {
    event = JSON.parse(body) as EventBridgeEvent;
  } catch {
    return { fault: { code: 'event.json', path: '', message: 'the body is not JSON.' } };
  }
  return normalise(event);
}
