// Hands imported events to the stack: history to the recorder in this process, live ones to the bus. Repeats count once.

import { normalise } from '../domain/event.ts';
import { sayFault } from '../domain/fault.ts';
import type { Interaction } from '../domain/interaction.ts';
import type { ImportedEvent } from '../domain/mapping-events.ts';
import type { RecordOutcome } from '../functions/aws/recorder.ts';

/** The part of the recorder that an import needs. */
export interface HistoryRecorder {
  record(stimuli: { interaction: Interaction; history?: boolean }[]): Promise<RecordOutcome[]>;
}

/** What became of the events of an import. */
export interface Recorded {
  events: number;
  /** They counted now. */
  recorded: number;
  /** They had counted before. */
  repeats: number;
  /** Of people who were erased. */
  erased: number;
  failed: { count: number; first: string[] };
}

/** Events of one call: enough to share the reads of a person's orders, few enough to show progress. */
const BATCH = 240;
const MOST_ATTEMPTS = 4;

/**
 * Records events as history: facts are folded, nothing is started. What fails for a passing reason is tried again; what
 * stays failed is told in `failed`, and running the import again repeats nothing that counted.
 */
export async function recordHistory(
  recorder: HistoryRecorder,
  events: readonly ImportedEvent[],
  source: string,
  options: { history?: boolean; onProgress?: (done: number) => void } = {},
): Promise<Recorded> {
  const told: Recorded = { events: events.length, recorded: 0, repeats: 0, erased: 0, failed: { count: 0, first: [] } };
  const fail = (event: string, why: string): void => {
    told.failed.count += 1;
    if (told.failed.first.length < 10) told.failed.first.push(`${event}: ${why}`);
  };
  for (let start = 0; start < events.length; ) {
    const end = batchEnd(events, start);
    let left: Interaction[] = [];
    for (const event of events.slice(start, end)) {
      const read = normalise(busEvent(event, source));
      if ('fault' in read) fail(event.name, sayFault(read.fault));
      else left.push(read.interaction);
    }
    for (let attempt = 1; left.length > 0; attempt += 1) {
      const outcomes = await recorder.record(
        left.map((interaction) => ({ interaction, history: options.history ?? true })),
      );
      const again: Interaction[] = [];
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.kind === 'recorded' || outcome.kind === 'ignored') told.recorded += 1;
        else if (outcome.kind === 'repeat') told.repeats += 1;
        else if (outcome.kind === 'erased') told.erased += 1;
        else if (attempt < MOST_ATTEMPTS) again.push(left[index]!);
        // An error's text can quote what was imported.
        else fail(left[index]!.name, outcome.error.name);
      }
      left = again;
    }
    start = end;
    options.onProgress?.(start);
  }
  return told;
}

/** Where a batch that begins at `start` ends: not between two events of one person, unless they are very many. */
function batchEnd(events: readonly ImportedEvent[], start: number): number {
  let end = Math.min(start + BATCH, events.length);
  const user = events[end - 1]!.detail.userId;
  while (user !== undefined && end < events.length && end < start + 2 * BATCH && events[end]!.detail.userId === user)
    end += 1;
  return end;
}

/** The event as EventBridge would hand it over, at its own time. */
function busEvent(event: ImportedEvent, source: string) {
  return {
    id: String(event.detail.messageId),
    source,
    'detail-type': event.name,
    time: new Date(event.at).toISOString(),
    detail: event.detail,
  };
}
