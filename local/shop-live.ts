// Live events into the running stack: the clock jumps to the next event or due instant, whichever is first.
import type { ImportedEvent } from '../domain/mapping-events.ts';

/** The part of the laptop that live events need. */
export interface Stage {
  clock: { now(): number; moveTo(instant: number): void };
  putEvents(entries: { Source: string; DetailType: string; Detail: string; Time?: Date }[]): Promise<unknown>;
  idle(): Promise<void>;
  nextDue(): number | undefined;
  runTimers(): Promise<void>;
}

export interface LiveOptions {
  source: string;
  /** Up to which instant time is played, after the last event too. */
  until: number;
  /** Events and due instants of this stretch are taken together; milliseconds. */
  step: number;
  onProgress?: (done: number, at: number) => void;
  stopped?: () => boolean;
}

const MINUTE = 60_000;

/**
 * Plays events (by time) and everything that falls due, until `until`, and moves the clock there. Time never runs
 * backwards. Answers how many steps the clock made, and whether something stayed due although it was looked at.
 */
export async function playLive(
  stage: Stage,
  events: readonly ImportedEvent[],
  options: LiveOptions,
): Promise<{ steps: number; stuck: number }> {
  let index = 0;
  let steps = 0;
  let stuck = 0;
  let overdue = 0;
  while (!options.stopped?.()) {
    const now = stage.clock.now();
    const due = stage.nextDue();
    const event = events[index]?.at;
    // What stays due is looked at again each minute, then more and more rarely.
    const tick = due === undefined ? undefined : due > now ? due : now + MINUTE * Math.min(60, 2 ** overdue);
    const next = Math.min(event ?? Number.POSITIVE_INFINITY, tick ?? Number.POSITIVE_INFINITY);
    if (next > options.until) break;
    const moment = Math.max(now, Math.min(options.until, Math.ceil(next / options.step) * options.step));
    stage.clock.moveTo(moment);
    const entries = [];
    for (; index < events.length && events[index]!.at <= moment; index += 1) {
      const { name, detail } = events[index]!;
      entries.push({ Source: options.source, DetailType: name, Detail: JSON.stringify(detail) });
    }
    if (entries.length > 0) {
      await stage.putEvents(entries);
      await stage.idle();
    }
    const then = stage.nextDue();
    if (then !== undefined && then <= moment) {
      await stage.runTimers();
      const left = stage.nextDue();
      overdue = left !== undefined && left <= moment ? overdue + 1 : 0;
      stuck = Math.max(stuck, overdue);
    }
    steps += 1;
    options.onProgress?.(index, moment);
  }
  if (stage.clock.now() < options.until && !options.stopped?.()) stage.clock.moveTo(options.until);
  return { steps, stuck };
}
