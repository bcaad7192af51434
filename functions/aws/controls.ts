// What an operator or a guard may do to sending as a whole: stop, start, pause, resume; each recorded with who and when.
import { randomUUID } from 'node:crypto';
import type { Control, Controls } from '../../domain/book.ts';
import type { BusEvent } from './bus.ts';
import { jitter, sleep } from './clock.ts';
import { Cancelled, type Item, key, type Table, type Write } from './table.ts';

/** Something that was done by hand or by a guard. Kept for two years. */
export interface Action extends Control {
  /** `stop`, `start`, `pause`, `resume`, `cancel`, `resend`, `redrive`, `withdraw` … */
  what: string;
  /** The campaign, message or queue that it was done to; absent = everything. */
  to?: string;
}

const KEPT_SECONDS = 2 * 366 * 86_400;
const MOST_ATTEMPTS = 8;
/** Events of this source speak of sending itself; no person's history holds them. */
const SOURCE = 'kairos.operations';

/** Writes an action down. */
export async function record(table: Table, action: Action): Promise<void> {
  await table.create(actionItem(action));
}

function actionItem({ what, to, by, at, why }: Action): Item {
  return {
    ...key.action(at, randomUUID().slice(0, 8)),
    shape: 1,
    what,
    by,
    at,
    why,
    ...(to !== undefined && { to }),
    ttl: Math.floor(at / 1000) + KEPT_SECONDS,
  };
}

/** The last actions, newest first. */
export async function lastActions(table: Table, most: number): Promise<Action[]> {
  return (await table.newest('ACTIONS', most)).map(({ what, to, by, at, why }) => ({
    what: what as string,
    by: by as string,
    at: at as number,
    why: why as string,
    ...(to !== undefined && { to: to as string }),
  }));
}

/** Nothing is sent any more until somebody starts. The first stop stays. Answers whether this one is it. */
export async function stop(table: Table, control: Control): Promise<boolean> {
  return change(
    table,
    { what: 'stop', ...control },
    {
      UpdateExpression: 'SET stopped = :stopped, paused = if_not_exists(paused, :none)',
      ConditionExpression: 'attribute_not_exists(stopped)',
      ExpressionAttributeValues: { ':stopped': control, ':none': {} },
    },
  );
}

/** Takes the stop away. Answers whether there was one. */
export async function start(table: Table, control: Control): Promise<boolean> {
  return change(
    table,
    { what: 'start', ...control },
    {
      UpdateExpression: 'REMOVE stopped',
      ConditionExpression: 'attribute_exists(stopped)',
    },
  );
}

/** Nothing of a campaign is sent until it is resumed; what waits stays waiting. Answers whether it was not paused yet. */
export async function pause(table: Table, campaign: string, control: Control): Promise<boolean> {
  await table.update(key.controls(), {
    UpdateExpression: 'SET paused = if_not_exists(paused, :none)',
    ExpressionAttributeValues: { ':none': {} },
  });
  return change(
    table,
    { what: 'pause', to: campaign, ...control },
    {
      UpdateExpression: 'SET paused.#campaign = :control',
      ConditionExpression: 'attribute_not_exists(paused.#campaign)',
      ExpressionAttributeNames: { '#campaign': campaign },
      ExpressionAttributeValues: { ':control': control },
    },
  );
}

/** Lets a campaign go on. Answers whether it was paused. */
export async function resume(table: Table, campaign: string, control: Control): Promise<boolean> {
  return change(
    table,
    { what: 'resume', to: campaign, ...control },
    {
      UpdateExpression: 'REMOVE paused.#campaign',
      ConditionExpression: 'attribute_exists(paused.#campaign)',
      ExpressionAttributeNames: { '#campaign': campaign },
    },
  );
}

/** One change of the controls with its record, or neither. False when its condition was false. */
async function change(
  table: Table,
  action: Action,
  update: Omit<NonNullable<Write['Update']>, 'TableName' | 'Key'>,
): Promise<boolean> {
  const writes: Write[] = [
    { Update: { TableName: table.name, Key: key.controls(), ...update } as NonNullable<Write['Update']> },
    table.creation(actionItem(action)),
  ];
  for (let attempt = 1; ; attempt++) {
    try {
      await table.transact(writes);
      return true;
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
      if (error.conditions.includes(0)) return false;
      if (attempt === MOST_ATTEMPTS) throw error;
      // A fill or another operator writes the same item.
      await sleep(jitter(attempt));
    }
  }
}

/** What a budget pauses over; absent where a person did. */
export type Cause = 'budget' | 'volume';

/** The event that says on the bus what was done: stop, start, pause or resume. */
export function operationEvent(
  what: 'stop' | 'start' | 'pause' | 'resume',
  { by, at, why }: Control,
  about: { campaign?: string; cause?: Cause } = {},
): BusEvent {
  const names = {
    stop: 'Sending Stopped',
    start: 'Sending Started',
    pause: 'Campaign Paused',
    resume: 'Campaign Resumed',
  };
  return {
    source: SOURCE,
    detailType: names[what],
    detail: { ...about, by, at: new Date(at).toISOString(), why },
  };
}

/** The controls of their item; without one nothing is stopped or paused, and no book is filled. */
export function readControls(item: Record<string, unknown> | undefined): Controls {
  const controls: Controls = {
    paused: (item?.paused as Controls['paused'] | undefined) ?? {},
    filled: (item?.filled as number | undefined) ?? 0,
  };
  if (item?.stopped !== undefined) controls.stopped = item.stopped as NonNullable<Controls['stopped']>;
  if (item?.tests !== undefined) controls.tests = item.tests as NonNullable<Controls['tests']>;
  return controls;
}
