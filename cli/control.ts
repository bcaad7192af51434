// kairos pause, resume, stop, start: what an operator may do to sending as a whole, said on the bus and written down.
import { GetAccountCommand, PutConfigurationSetSendingOptionsCommand } from '@aws-sdk/client-sesv2';
import type { Command } from 'commander';
import type { Control } from '../domain/book.ts';
import { KairosError } from '../domain/fault.ts';
import { rebase } from '../functions/aws/budgets.ts';
import { messagesIn } from '../functions/aws/cancel.ts';
import { operationEvent, pause, record, resume, start, stop } from '../functions/aws/controls.ts';
import { readMessage } from '../functions/aws/table.ts';
import { output } from './outputs.ts';
import { personNameAnyway } from './person-name.ts';
import {
  checkCampaign,
  controlsOf,
  openStage,
  progressLine,
  readBook,
  STAGE_OPTION,
  type Stage,
  span,
  stamp,
  tellBus,
} from './stage.ts';
import { count } from './validate.ts';

/** More than this is not counted out: who waits for the answer wants to go on. */
const MOST_COUNTED = 20_000;

/** What waits of a campaign. */
export interface Waiting {
  /** Planned for an instant that has come. */
  now: number;
  /** Planned for later in any case. */
  later: number;
  /** Past the instant at which it would be too late: it is dropped in place of being sent. */
  expired: number;
  /** False when there is more than was counted. */
  all: boolean;
}

/** Counts the messages of a campaign that are ready. */
export async function waitingOf({ table, now }: Pick<Stage, 'table' | 'now'>, campaign: string): Promise<Waiting> {
  const waiting: Waiting = { now: 0, later: 0, expired: 0, all: true };
  const line = progressLine('Counting what waits');
  let seen = 0;
  for await (const items of messagesIn(table, 'ready')) {
    for (const item of items) {
      if (item.campaign !== campaign) continue;
      const { plannedAt, expiresAt } = readMessage(item);
      if (expiresAt !== undefined && expiresAt < now()) waiting.expired++;
      else if (plannedAt > now()) waiting.later++;
      else waiting.now++;
    }
    seen += items.length;
    line.at(seen);
    if (seen >= MOST_COUNTED) {
      waiting.all = false;
      break;
    }
  }
  line.end();
  return waiting;
}

export interface PauseDone {
  campaign: string;
  /** False when it was paused already. */
  changed: boolean;
  /** The pause that stands: this one, or the earlier one. */
  paused: Control;
}

/** Pauses a campaign. Throws KairosError `campaign.unknown`. */
export async function pauseCampaign(stage: Stage, campaign: string, why: string): Promise<PauseDone> {
  checkCampaign(campaign, await readBook(stage));
  const control = await controlOf(stage, why);
  const changed = await pause(stage.table, campaign, control);
  if (changed) await tellBus(stage, operationEvent('pause', control, { campaign }));
  const { paused } = await controlsOf(stage);
  return { campaign, changed, paused: paused[campaign] ?? control };
}

export interface ResumeDone {
  campaign: string;
  /** False when it was not paused. */
  changed: boolean;
  /** The pause that ended. */
  was?: Control;
  waiting: Waiting;
  /** Sending as a whole is stopped: nothing goes out for all that. */
  stopped?: Control;
}

/** Lets a campaign go on; what its budgets have counted so far does not pause it again. Throws `campaign.unknown`. */
export async function resumeCampaign(stage: Stage, campaign: string, why: string): Promise<ResumeDone> {
  const book = await readBook(stage);
  checkCampaign(campaign, book);
  const was = book.controls.paused[campaign];
  const waiting = await waitingOf(stage, campaign);
  const { stopped } = book.controls;
  const told = { campaign, waiting, ...(was && { was }), ...(stopped && { stopped }) };
  if (was === undefined) return { ...told, changed: false };
  const control = await controlOf(stage, why);
  // First, so that a guard between the two finds nothing to pause it for.
  await rebase(stage.table, campaign, stage.now());
  const changed = await resume(stage.table, campaign, control);
  if (changed) await tellBus(stage, operationEvent('resume', control, { campaign }));
  return { ...told, changed };
}

async function controlOf({ who, now }: Stage, why: string): Promise<Control> {
  const text = why.trim();
  if (text === '') {
    throw new KairosError({
      code: 'control.why',
      path: '--why',
      message: 'A reason is asked for.',
      remedy: 'Say in a few words why: whoever comes next reads it.',
    });
  }
  return { by: await who(), at: now(), why: text.slice(0, 500) };
}

/** One of two sides that were asked to stop or start. */
export interface Side {
  /** `controls` = our own functions, otherwise the name of a configuration set at SES. */
  side: string;
  done: boolean;
  /** Why not: the name of the error. */
  fault?: string;
}

export interface StopDone {
  /** False when sending was stopped already. */
  changed: boolean;
  stopped: Control;
  sides: Side[];
}

/**
 * Stops all sending: first by our own control, which every function obeys within ten seconds, then at SES, which
 * refuses what is under way. Either one alone is enough, so both are tried whatever the other answers.
 */
export async function stopSending(stage: Stage, why: string): Promise<StopDone> {
  const control = await controlOf({ ...stage, who: () => personNameAnyway(stage.who()) }, why);
  let changed = false;
  const sides = [
    await sideOf('controls', async () => {
      changed = await stop(stage.table, control);
      if (!changed) await record(stage.table, { what: 'stop', ...control });
    }),
  ];
  for (const set of configurationSets(stage)) sides.push(await sideOf(set, () => switchSet(stage, set, false)));
  if (changed || sides.slice(1).some(({ done }) => done)) await tellBus(stage, operationEvent('stop', control));
  const stopped = changed ? control : ((await controlsOf(stage).catch(() => undefined))?.stopped ?? control);
  return { changed, stopped, sides };
}

export interface StartDone {
  /** False when sending was not stopped. */
  changed: boolean;
  /** The stop that ended. */
  was?: Control;
  sides: Side[];
  /** What SES says of itself that keeps mail from going out. */
  warnings: string[];
  paused: string[];
}

/**
 * Lets sending go on: first at SES, then by our own control. Where SES cannot be switched, the control stays, and
 * nothing is sent.
 */
export async function startSending(stage: Stage, why: string): Promise<StartDone> {
  const control = await controlOf(stage, why);
  const warnings = await accountWarnings(stage);
  const before = await controlsOf(stage);
  const sides: Side[] = [];
  for (const set of configurationSets(stage)) sides.push(await sideOf(set, () => switchSet(stage, set, true)));
  let changed = false;
  if (sides.every(({ done }) => done)) {
    sides.push(
      await sideOf('controls', async () => {
        changed = await start(stage.table, control);
      }),
    );
    if (changed) await tellBus(stage, operationEvent('start', control));
  } else sides.push({ side: 'controls', done: false, fault: 'left as it was' });
  const { stopped: was } = before;
  return { changed, ...(was && { was }), sides, warnings, paused: Object.keys(before.paused) };
}

/** Why SES would refuse, in sentences; none when it is well. */
async function accountWarnings({ ses }: Pick<Stage, 'ses'>): Promise<string[]> {
  try {
    const { SendingEnabled, EnforcementStatus, ProductionAccessEnabled } = await ses.send(new GetAccountCommand({}));
    return [
      ...(EnforcementStatus === 'SHUTDOWN' ? ['SES has shut this account down: every send is refused.'] : []),
      ...(EnforcementStatus === 'PROBATION'
        ? ['SES has this account under review: send little, and to people who know you.']
        : []),
      ...(SendingEnabled === false && EnforcementStatus !== 'SHUTDOWN'
        ? ['SES has sending of this account disabled: every send is refused, which stops sending again.']
        : []),
      ...(ProductionAccessEnabled === false
        ? ['This account is in the sandbox: only verified addresses are reached.']
        : []),
    ];
  } catch (error) {
    return [`SES does not answer (${(error as Error).name}): whether it can send is not known.`];
  }
}

/** The configuration sets that our mail goes through. */
function configurationSets({ target }: Pick<Stage, 'target'>): string[] {
  const tracked = target.outputs.TrackedConfigurationSetName;
  return [output(target, 'ConfigurationSetName'), ...(tracked === undefined ? [] : [tracked])];
}

async function switchSet({ ses }: Pick<Stage, 'ses'>, set: string, on: boolean): Promise<void> {
  await ses.send(new PutConfigurationSetSendingOptionsCommand({ ConfigurationSetName: set, SendingEnabled: on }));
}

async function sideOf(side: string, work: () => Promise<void>): Promise<Side> {
  try {
    await work();
    return { side, done: true };
  } catch (error) {
    return { side, done: false, fault: (error as Error).name };
  }
}

// ---- what people read ----

const byWhom = ({ by, at, why }: Control, now: number): string =>
  `by ${by}, ${span(now - at)} ago (${stamp(at)}): ${why}`;

const many = (number: number, { all }: Waiting): string => `${all ? '' : 'at least '}${count(number, 'message')}`;

/** What a pause did, in lines. */
export function sayPause({ campaign, changed, paused }: PauseDone, now: number): string[] {
  if (!changed) return [`${campaign} was paused already ${byWhom(paused, now)}`];
  return [
    `${campaign} is paused: within ten seconds nothing of it is sent any more.`,
    'Decisions go on, and what they plan waits; what expires meanwhile is dropped.',
    `Let it go on with: npx kairos resume ${campaign}`,
  ];
}

/** What a resume did, in lines. */
export function sayResume({ campaign, changed, was, waiting, stopped }: ResumeDone, now: number): string[] {
  if (!changed) return [`${campaign} was not paused.`];
  const lines = [`${campaign} goes on. It was paused ${byWhom(was!, now)}`];
  if (waiting.now > 0)
    lines.push(
      `${many(waiting.now, waiting)} waited: they go out in the next minutes, as the gates and the rate allow.`,
    );
  else lines.push('Nothing of it was waiting.');
  if (waiting.expired > 0)
    lines.push(`${count(waiting.expired, 'message is', 'messages are')} past their time, and are dropped.`);
  if (waiting.later > 0) lines.push(`${count(waiting.later, 'message is', 'messages are')} planned for later.`);
  lines.push('Its budgets count from now on.');
  if (stopped !== undefined) lines.push(`Nothing is sent for all that: sending is stopped ${byWhom(stopped, now)}`);
  return lines;
}

/** What a stop did, in lines. */
export function sayStop({ changed, stopped, sides }: StopDone, now: number): string[] {
  const [control, ...sets] = sides;
  const lines: string[] = [];
  if (control?.done !== true) lines.push(`NOT written: the stop control (${control?.fault}).`);
  else if (changed) lines.push('Sending is stopped: within ten seconds no function sends anything.');
  else lines.push(`Sending was stopped already ${byWhom(stopped, now)}`);
  for (const { side, done, fault } of sets) {
    lines.push(done ? `SES refuses what comes through ${side}.` : `NOT switched off at SES: ${side} (${fault}).`);
  }
  if (sides.some(({ done }) => !done)) {
    lines.push(
      sides.some(({ done }) => done)
        ? 'One of the two is enough to stop all mail. Put right what is missing, and give the command again.'
        : 'NOTHING IS STOPPED. Look at your permissions, or disable sending in the SES console.',
    );
  }
  lines.push('Events are recorded and decisions made meanwhile; messages wait. Go on with: npx kairos start');
  return lines;
}

/** What a start did, in lines. */
export function sayStart({ changed, was, sides, warnings, paused }: StartDone, now: number): string[] {
  const lines = warnings.map((warning) => `Warning: ${warning}`);
  for (const { side, done, fault } of sides) {
    if (side === 'controls') continue;
    lines.push(done ? `SES takes what comes through ${side}.` : `NOT switched on at SES: ${side} (${fault}).`);
  }
  const control = sides.at(-1);
  if (control?.done !== true) lines.push(`Sending stays stopped: the stop control is there still (${control?.fault}).`);
  else if (changed) {
    lines.push(`Sending goes on. It was stopped ${byWhom(was!, now)}`);
    lines.push('What waits goes out in the next minutes at the send rate; what is past its time is dropped.');
  } else lines.push('Sending was not stopped.');
  if (paused.length > 0) lines.push(`Paused still: ${paused.join(', ')}`);
  return lines;
}

/** Adds `kairos pause`, `resume`, `stop` and `start`. */
export function registerControl(program: Command): void {
  const json = ['--json', 'print what was done as JSON'] as const;
  program
    .command('pause')
    .description('nothing of a campaign is sent until it is resumed; what waits stays waiting')
    .argument('<campaign>', 'the campaign, as its file is called')
    .requiredOption('--why <text>', 'why, for whoever comes next')
    .option(...STAGE_OPTION)
    .option(...json)
    .action(async (campaign: string, options: { why: string; stage?: string; json?: boolean }) => {
      const stage = await openStage({ stage: options.stage });
      const done = await pauseCampaign(stage, campaign, options.why);
      print(stage, options.json, done, sayPause(done, stage.now()));
    });
  program
    .command('resume')
    .description('a paused campaign goes on, and its budgets count from now on')
    .argument('<campaign>', 'the campaign, as its file is called')
    .option('--why <text>', 'what has changed', 'resumed by hand')
    .option(...STAGE_OPTION)
    .option(...json)
    .action(async (campaign: string, options: { why: string; stage?: string; json?: boolean }) => {
      const stage = await openStage({ stage: options.stage });
      const done = await resumeCampaign(stage, campaign, options.why);
      print(stage, options.json, done, sayResume(done, stage.now()));
    });
  program
    .command('stop')
    .description('nothing at all is sent any more: by the stop control, and at SES')
    .requiredOption('--why <text>', 'why, for whoever comes next')
    .option(...STAGE_OPTION)
    .option(...json)
    .action(async (options: { why: string; stage?: string; json?: boolean }) => {
      const stage = await openStage({ stage: options.stage });
      const done = await stopSending(stage, options.why);
      print(stage, options.json, done, sayStop(done, stage.now()));
      if (done.sides.some((side) => !side.done)) process.exitCode = 1;
    });
  program
    .command('start')
    .description('sending goes on, at SES and by the stop control')
    .option('--why <text>', 'what has changed', 'started by hand')
    .option(...STAGE_OPTION)
    .option(...json)
    .action(async (options: { why: string; stage?: string; json?: boolean }) => {
      const stage = await openStage({ stage: options.stage });
      const done = await startSending(stage, options.why);
      print(stage, options.json, done, sayStart(done, stage.now()));
      if (done.sides.some((side) => !side.done)) process.exitCode = 1;
    });
}

function print({ say }: Stage, json: boolean | undefined, done: object, lines: string[]): void {
  if (json === true) say(JSON.stringify(done));
  else for (const line of lines) say(line);
}
