// What an operator or a guard may do to sending as a whole: stop, start, pause, resume; each recorded with who and when.
import { randomUUID } from 'node:crypto';
import type { Control } from '../../domain/book.ts';
import { key, type Table } from './table.ts';

/** Something that was done by hand or by a guard. Kept for two years. */
export interface Action extends Control {
  /** `stop`, `start`, `pause`, `resume`, `cancel`, `resend`, `redrive`, `withdraw` … */
  what: string;
  /** The campaign, message or queue that it was done to; absent = everything. */
  to?: string;
}

const KEPT_SECONDS = 2 * 366 * 86_400;

/** Writes an action down. */
export async function record(table: Table, { what, to, by, at, why }: Action): Promise<void> {
  await table.create({
    ...key.action(at, randomUUID().slice(0, 8)),
    shape: 1,
    what,
    by,
    at,
    why,
    ...(to !== undefined && { to }),
    ttl: Math.floor(at / 1000) + KEPT_SECONDS,
  });
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
  const stopped = await table.update(key.controls(), {
    UpdateExpression: 'SET stopped = :stopped, paused = if_not_exists(paused, :none)',
    ConditionExpression: 'attribute_not_exists(stopped)',
    ExpressionAttributeValues: { ':stopped': control, ':none': {} },
  });
  if (stopped) await record(table, { what: 'stop', ...control });
  return stopped;
}

/** Takes the stop away. Answers whether there was one. */
export async function start(table: Table, control: Control): Promise<boolean> {
  const started = await table.update(key.controls(), {
    UpdateExpression: 'REMOVE stopped',
    ConditionExpression: 'attribute_exists(stopped)',
  });
  if (started) await record(table, { what: 'start', ...control });
  return started;
}

/** Nothing of a campaign is sent until it is resumed; what waits stays waiting. Answers whether it was not paused yet. */
export async function pause(table: Table, campaign: string, control: Control): Promise<boolean> {
  await table.update(key.controls(), {
    UpdateExpression: 'SET paused = if_not_exists(paused, :none)',
    ExpressionAttributeValues: { ':none': {} },
  });
  const paused = await table.update(key.controls(), {
    UpdateExpression: 'SET paused.#campaign = :control',
    ConditionExpression: 'attribute_not_exists(paused.#campaign)',
    ExpressionAttributeNames: { '#campaign': campaign },
    ExpressionAttributeValues: { ':control': control },
  });
  if (paused) await record(table, { what: 'pause', to: campaign, ...control });
  return paused;
}

/** Lets a campaign go on. Answers whether it was paused. */
export async function resume(table: Table, campaign: string, control: Control): Promise<boolean> {
  const resumed = await table.update(key.controls(), {
    UpdateExpression: 'REMOVE paused.#campaign',
    ConditionExpression: 'attribute_exists(paused.#campaign)',
    ExpressionAttributeNames: { '#campaign': campaign },
  });
  if (resumed) await record(table, { what: 'resume', to: campaign, ...control });
  return resumed;
}
