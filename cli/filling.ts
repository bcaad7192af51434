// How far the walk over all contacts is after a publish, as it was read and as people read it.
import { readControls } from '../functions/aws/controls.ts';
import { SETTLE_SECONDS } from '../functions/aws/roster.ts';
import { key, type Table } from '../functions/aws/table.ts';

/** The shard under which the plan of a walk stands, beside the checkpoints of its shards. */
export const PLAN = 'plan';

/** What was known of a walk when it was started, or started again. */
export interface WalkPlan {
  /** About how many contacts there are. */
  contacts: number;
  /** Contacts a second that the deployment allows; absent where its stack does not say. */
  rate?: number;
  startedAt: number;
  /** Contacts that were walked before it was started again. */
  from: number;
}

/** How far the backfill of a book is. */
export interface Filling {
  shards: number;
  shardsDone: number;
  /** Contacts walked. */
  contacts: number;
  done: boolean;
  plan?: WalkPlan;
  /** When the last page ended. */
  movedAt?: number;
}

/** Reads how far the backfill of a book is. A newer book's fill covers it. */
export async function readFilling(table: Table, ordinal: number): Promise<Filling> {
  const items = await table.under(key.fill(ordinal, '').pk, key.fill(ordinal, '').sk);
  const controls = readControls(await table.readOne(key.controls()));
  const planSk = key.fill(ordinal, PLAN).sk;
  const plan = items.find(({ sk }) => sk === planSk)?.plan as WalkPlan | undefined;
  const marks = items.filter(({ sk }) => sk !== planSk);
  const moves = marks.flatMap(({ at }) => (typeof at === 'number' ? [at] : []));
  return {
    shards: table.shards,
    shardsDone: marks.filter((mark) => mark.done === true).length,
    contacts: marks.reduce((sum, mark) => sum + Number(mark.walked ?? 0), 0),
    done: controls.filled >= ordinal,
    ...(plan !== undefined && { plan }),
    ...(moves.length > 0 && { movedAt: Math.max(...moves) }),
  };
}

/** Writes down what a walk sets out with. */
export async function writePlan(table: Table, ordinal: number, plan: WalkPlan, ttl: number): Promise<void> {
  await table.update(key.fill(ordinal, PLAN), {
    UpdateExpression: 'SET #plan = :plan, #ttl = :ttl',
    ExpressionAttributeNames: { '#plan': 'plan', '#ttl': 'ttl' },
    ExpressionAttributeValues: { ':plan': plan, ':ttl': ttl },
  });
}

/** A page that failed comes again after six minutes, and at the slowest rate a shard rests for fifteen. */
const STALLED = 25 * 60_000;

/** For how many milliseconds nothing has moved, where that is longer than a healthy walk ever rests. */
export function stalledFor({ done, plan, movedAt }: Filling, since: number, now: number): number | undefined {
  const still = now - Math.max(plan?.startedAt ?? since, movedAt ?? 0);
  return !done && still > STALLED ? still : undefined;
}

/** Contacts a second since it was started; undefined before its first pages. */
export function paceSoFar({ contacts, plan, movedAt }: Filling): number | undefined {
  if (plan === undefined || movedAt === undefined) return undefined;
  const seconds = (movedAt - plan.startedAt) / 1000 - SETTLE_SECONDS;
  const walked = contacts - plan.from;
  return seconds < 5 || walked <= 0 ? undefined : walked / seconds;
}

/** Seconds until a walk will have ended, as far as its plan or its pace so far says. */
export function secondsLeft(filling: Filling): number | undefined {
  const { contacts, plan, done } = filling;
  const pace = paceSoFar(filling) ?? plan?.rate;
  if (plan === undefined || pace === undefined || done) return undefined;
  const settling = filling.movedAt === undefined ? SETTLE_SECONDS : 0;
  return settling + Math.max(0, plan.contacts - contacts) / pace;
}

/** `1,240 of about 10,100 contacts walked (12 %), 198 a second, about 1 min left` */
export function sayFilling(filling: Filling): string {
  const { contacts, plan, shards, shardsDone, done } = filling;
  if (done) return `${number(contacts)} contacts walked`;
  if (plan === undefined) return `${number(contacts)} contacts walked, ${shardsDone} of ${shards} shards done`;
  const of = Math.max(plan.contacts, contacts);
  const share = of === 0 ? 100 : Math.floor((100 * contacts) / of);
  const pace = paceSoFar(filling);
  const left = secondsLeft(filling);
  return [
    `${number(contacts)} of about ${number(of)} contacts walked (${share} %)`,
    ...(pace === undefined ? [] : [`${number(pace)} a second`]),
    ...(left === undefined ? [] : [`${sayTime(left)} left`]),
  ].join(', ');
}

/** `about 40 s`, `about 12 min`, `about 3 hours` */
export function sayTime(seconds: number): string {
  if (seconds < 90) return `about ${Math.max(5, Math.ceil(seconds / 5) * 5)} s`;
  if (seconds < 90 * 60) return `about ${Math.ceil(seconds / 60)} min`;
  return `about ${Math.ceil(seconds / 3600)} hours`;
}

const number = (value: number): string =>
  value >= 10 || Number.isInteger(value) ? Math.round(value).toLocaleString('en') : value.toFixed(1);
