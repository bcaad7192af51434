// kairos messages, cancel, resend: what waits or went wrong, taken back or sent again by its id.
import type { Command } from 'commander';
import { KairosError, suggest } from '../domain/fault.ts';
import type { Message, MessageState } from '../domain/message.ts';
import { cancelMessage, type Handled, type MessageName, messagesIn, resendMessage } from '../functions/aws/cancel.ts';
import { record } from '../functions/aws/controls.ts';
import { key, pooled, readMessage } from '../functions/aws/table.ts';
import {
  askForMany,
  checkCampaign,
  controlsOf,
  openStage,
  progressLine,
  readBook,
  STAGE_OPTION,
  type Stage,
  stamp,
} from './stage.ts';
import { count } from './validate.ts';

const LISTED = ['ready', 'claimed', 'failed', 'uncertain'] as const;
export type Listed = (typeof LISTED)[number];
const AT_ONCE = 10;

/** One message or all of a campaign. */
export type Which = MessageName | { campaign: string };

/** Messages in some states, by campaign where one is named: at most so many, and whether there are more. */
export async function listMessages(
  { table }: Pick<Stage, 'table'>,
  states: readonly Listed[],
  { campaign, most = Number.POSITIVE_INFINITY }: { campaign?: string | undefined; most?: number } = {},
): Promise<{ messages: Message[]; more: boolean }> {
  const messages: Message[] = [];
  const line = progressLine('Looking through messages');
  let seen = 0;
  try {
    for (const state of states) {
      for await (const items of messagesIn(table, state)) {
        seen += items.length;
        line.at(seen);
        for (const item of items) {
          if (campaign !== undefined && item.campaign !== campaign) continue;
          if (messages.length >= most) return { messages, more: true };
          messages.push(readMessage(item));
        }
      }
    }
  } finally {
    line.end();
  }
  return { messages, more: false };
}

export interface CancelDone {
  cancelled: number;
  /** With SES already, or on the way: they cannot be taken back. */
  claimed: number;
  /** Sent, failed or dropped by the time that it was their turn. */
  otherwise: number;
  /** The campaign goes on planning messages. */
  goesOn: boolean;
}

export interface CancelOptions {
  /** Of a campaign: what failed or is uncertain, in place of what waits. */
  held?: boolean | undefined;
  yes?: boolean | undefined;
  why?: string | undefined;
}

/** Takes back what waits, or lets go what failed or is uncertain. Throws KairosError `message.unknown`, `message.claimed`, `message.not-waiting`, `many.ask`. */
export async function cancel(
  stage: Stage,
  which: Which,
  { held, yes, why = 'cancelled by hand' }: CancelOptions = {},
): Promise<CancelDone> {
  const { table, now } = stage;
  const by = await stage.who();
  const reason = `cancelled by ${by}`;
  if ('message' in which) {
    // Written down first: a command that breaks off is not one that nobody gave.
    await mustStand(stage, which, (state) => state === 'ready' || state === 'failed' || state === 'uncertain');
    await record(table, { what: 'cancel', to: which.message, by, at: now(), why });
    const done = await cancelMessage(table, which, reason);
    if (done.kind === 'not') throw standsOtherwise(which, done.state, 'cancelled');
    return { cancelled: 1, claimed: 0, otherwise: 0, goesOn: false };
  }
  const { campaign } = which;
  checkCampaign(campaign, await readBook(stage));
  const { messages } = await listMessages(stage, held === true ? ['failed', 'uncertain'] : ['ready'], { campaign });
  askForMany(messages.length, `cancel ${count(messages.length, 'message')} of ${campaign}`, yes);
  const told: CancelDone = {
    cancelled: 0,
    claimed: held === true ? 0 : (await listMessages(stage, ['claimed'], { campaign })).messages.length,
    otherwise: 0,
    goesOn: held !== true && (await controlsOf(stage)).paused[campaign] === undefined,
  };
  if (messages.length === 0) return told;
  await record(table, {
    what: 'cancel',
    to: campaign,
    by,
    at: now(),
    why: `${why} (${count(messages.length, 'message')})`,
  });
  await eachOf('Cancelling', messages, async (message) => {
    const done = await cancelMessage(table, nameOf(message), reason);
    if (done.kind === 'done') told.cancelled++;
    else if (done.state === 'claimed') told.claimed++;
    else told.otherwise++;
  });
  return told;
}

export interface ResendDone {
  resent: number;
  /** Sent or dropped by the time that it was their turn. */
  otherwise: number;
  /** How many of them were uncertain: their people may get them twice. */
  uncertain: number;
  reasons: Record<string, number>;
}

/** What of a campaign's failed messages is meant. */
export interface ResendOptions {
  /** Failed for this reason alone. */
  reason?: string | undefined;
  /** Also those of which nobody knows whether they went out. */
  evenUncertain?: boolean | undefined;
  yes?: boolean | undefined;
  why?: string | undefined;
}

/** Has failed messages sent again. Throws KairosError `message.unknown`, `message.uncertain`, `message.not-failed`, `many.ask`. */
export async function resend(stage: Stage, which: Which, options: ResendOptions = {}): Promise<ResendDone> {
  const { table, now } = stage;
  const { reason, evenUncertain = false, yes, why = 'sent again by hand' } = options;
  const by = await stage.who();
  const told: ResendDone = { resent: 0, otherwise: 0, uncertain: 0, reasons: {} };
  const again = async (message: Message): Promise<Handled> => {
    const done = await resendMessage(table, nameOf(message), { now: now(), evenUncertain });
    if (done.kind === 'not') told.otherwise++;
    else {
      told.resent++;
      if (message.state === 'uncertain') told.uncertain++;
      const said = message.reason ?? 'no reason';
      told.reasons[said] = (told.reasons[said] ?? 0) + 1;
    }
    return done;
  };
  if ('message' in which) {
    const message = await mustStand(
      stage,
      which,
      (state) => state === 'failed' || (evenUncertain && state === 'uncertain'),
    );
    await record(table, { what: 'resend', to: which.message, by, at: now(), why });
    const done = await again(message);
    if (done.kind === 'not') throw standsOtherwise(which, done.state, 'sent again');
    return told;
  }
  const { campaign } = which;
  checkCampaign(campaign, await readBook(stage));
  const found = await listMessages(stage, evenUncertain ? ['failed', 'uncertain'] : ['failed'], { campaign });
  const messages = found.messages.filter((message) => reason === undefined || message.reason === reason);
  if (messages.length === 0 && reason !== undefined && found.messages.length > 0) {
    const reasons = [...new Set(found.messages.map((message) => message.reason ?? 'no reason'))];
    throw new KairosError({
      code: 'message.reason',
      path: '--reason',
      message: `Nothing of ${campaign} failed for this reason.`,
      received: reason,
      remedy: suggest(reason, reasons) ?? `There are: ${reasons.slice(0, 20).join(', ')}.`,
    });
  }
  askForMany(messages.length, `send ${count(messages.length, 'message')} of ${campaign} again`, yes);
  if (messages.length === 0) return told;
  await record(table, {
    what: 'resend',
    to: campaign,
    by,
    at: now(),
    why: `${why} (${count(messages.length, 'message')}${reason === undefined ? '' : `, ${reason}`})`,
  });
  await eachOf('Readying', messages, again);
  return told;
}

async function eachOf(what: string, messages: Message[], work: (message: Message) => Promise<unknown>): Promise<void> {
  const line = progressLine(what);
  let done = 0;
  try {
    await pooled(messages, AT_ONCE, async (message) => {
      await work(message);
      line.at(++done, messages.length);
    });
  } finally {
    line.end();
  }
}

const nameOf = ({ contact, id }: Message): MessageName => ({ contact, message: id });

/** The message, if it is there and stands as it must. */
async function mustStand(
  { table }: Pick<Stage, 'table'>,
  which: MessageName,
  fits: (state: MessageState) => boolean,
): Promise<Message> {
  const item = await table.readOne(key.message(which.contact, which.message));
  const message = item === undefined ? undefined : readMessage(item);
  if (message !== undefined && fits(message.state)) return message;
  throw standsOtherwise(which, message?.state, fits('ready') ? 'cancelled' : 'sent again');
}

/** Why a message cannot be cancelled or sent again, and what can be done in its place. */
function standsOtherwise(
  { contact, message }: MessageName,
  state: MessageState | undefined,
  verb: 'cancelled' | 'sent again',
): KairosError {
  const fault = (code: string, text: string, remedy: string): KairosError =>
    new KairosError({ code: `message.${code}`, path: message, message: text, remedy });
  const look = `Look at it with: npx kairos contact ${contact}`;
  if (state === undefined) {
    return fault(
      'unknown',
      'This contact has no such message.',
      `npx kairos contact ${contact} shows messages with their ids; a message of a person who was merged stands under the contact that it was made for (npx kairos messages).`,
    );
  }
  if (state === 'claimed') {
    return fault(
      'claimed',
      `It cannot be ${verb}: it is being handed to SES, and may be out already.`,
      'Within minutes it is sent, failed or waiting again.',
    );
  }
  if (state === 'ghost') {
    return fault(
      'ghost',
      `It cannot be ${verb}: this person is held out, and the message is the place of one that is not sent.`,
      look,
    );
  }
  if (verb === 'cancelled') return fault('not-waiting', `It cannot be cancelled: it is ${state} already.`, look);
  if (state === 'uncertain') {
    return fault(
      'uncertain',
      'Nobody knows whether it went out: sent again, the person may get it twice.',
      'Add --even-uncertain if that is better than not at all.',
    );
  }
  return fault('not-failed', `Only failed messages are sent again: this one is ${state}.`, look);
}

// ---- what people read ----

/** What a cancel did, in lines. */
export function sayCancel(done: CancelDone, which: Which): string[] {
  const { cancelled, claimed, otherwise, goesOn } = done;
  const lines = [
    cancelled === 0 && claimed === 0 && otherwise === 0
      ? 'There was nothing to cancel.'
      : `${count(cancelled, 'message')} cancelled${cancelled > 0 ? '; the places under the caps are free again' : ''}.`,
  ];
  if (claimed > 0)
    lines.push(`${count(claimed, 'message is', 'messages are')} on the way to SES and cannot be cancelled.`);
  if (otherwise > 0) lines.push(`${count(otherwise, 'message was', 'messages were')} sent or dropped meanwhile.`);
  if (goesOn && 'campaign' in which) {
    lines.push(
      `The campaign goes on and plans new ones. To keep it from that: npx kairos pause ${which.campaign} --why …`,
    );
  }
  return lines;
}

/** What a resend did, in lines. */
export function sayResend({ resent, otherwise, uncertain, reasons }: ResendDone): string[] {
  if (resent === 0 && otherwise === 0) return ['Nothing of it has failed.'];
  const lines = [`${count(resent, 'message')} will go out within minutes, if the gates still allow it.`];
  for (const [reason, number] of Object.entries(reasons).sort(([, a], [, b]) => b - a))
    lines.push(`  ${number}  ${reason}`);
  if (uncertain > 0)
    lines.push(`${count(uncertain, 'of them was', 'of them were')} uncertain: their people may get it twice.`);
  if (otherwise > 0) lines.push(`${count(otherwise, 'message was', 'messages were')} dealt with meanwhile.`);
  return lines;
}

/** A message without what it was made from, which may speak of the person. */
function bare({
  id,
  contact,
  campaign,
  email,
  kind,
  lane,
  state,
  reason,
  plannedAt,
  expiresAt,
  attempts,
}: Message): object {
  return { id, contact, campaign, email, kind, lane, state, reason, plannedAt, expiresAt, attempts };
}

const COLUMNS = ['message', 'contact', 'campaign', 'e-mail', 'state', 'planned', 'reason'] as const;

/** Messages as lines of a table, without anything of the person. */
export function tableOfMessages(messages: Message[]): string[] {
  const rows = messages.map(({ id, contact, campaign, email, state, plannedAt, reason }) => [
    id,
    contact,
    campaign,
    email,
    state,
    stamp(plannedAt),
    reason ?? '',
  ]);
  const widths = COLUMNS.map((title, index) => Math.max(title.length, ...rows.map((row) => row[index]!.length)));
  return [[...COLUMNS], ...rows].map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index]!))
      .join('  ')
      .trimEnd(),
  );
}

/** Adds `kairos messages`, `cancel` and `resend`. */
export function registerMessages(program: Command): void {
  const json = ['--json', 'print the result as JSON'] as const;
  program
    .command('messages')
    .description(
      'messages that failed, are uncertain, wait or are on the way, with the ids that cancel and resend take',
    )
    .option('--state <state>', `${LISTED.join(', ')}; by default failed and uncertain`)
    .option('--campaign <campaign>', 'of this campaign alone')
    .option('--most <number>', 'list at most so many', '100')
    .option(...STAGE_OPTION)
    .option(...json)
    .action(async (options: { state?: string; campaign?: string; most: string; stage?: string; json?: boolean }) => {
      const states = statesOf(options.state);
      const stage = await openStage({ stage: options.stage });
      if (options.campaign !== undefined) checkCampaign(options.campaign, await readBook(stage));
      const most = wholeNumber('--most', options.most);
      const { messages, more } = await listMessages(stage, states, { campaign: options.campaign, most });
      if (options.json) {
        stage.say(JSON.stringify({ messages: messages.map(bare), more }));
        return;
      }
      if (messages.length === 0) stage.say(`None is ${states.join(' or ')}.`);
      else for (const line of tableOfMessages(messages)) stage.say(line);
      if (more) stage.say(`… and more: --most ${most * 10}, or --campaign.`);
    });
  program
    .command('cancel')
    .description('take back what waits: one message of a contact, or all of a campaign; or let go what failed')
    .argument('[message]', 'the id of a message')
    .option('--contact <id>', 'whose message it is')
    .option('--campaign <campaign>', 'all that waits of this campaign')
    .option('--held', 'of the campaign, what failed or is uncertain in place of what waits')
    .option('--why <text>', 'why, for whoever comes next')
    .option('--yes', 'also where it is over 100 messages')
    .option(...STAGE_OPTION)
    .option(...json)
    .action(
      async (
        message: string | undefined,
        options: CancelOptions & { contact?: string; campaign?: string; stage?: string; json?: boolean },
      ) => {
        const which = whichOf(message, options);
        const stage = await openStage({ stage: options.stage });
        const done = await cancel(stage, which, options);
        if (options.json) stage.say(JSON.stringify(done));
        else for (const line of sayCancel(done, which)) stage.say(line);
      },
    );
  program
    .command('resend')
    .description('have failed messages sent again, under their own ids: one of a contact, or those of a campaign')
    .argument('[message]', 'the id of a message')
    .option('--contact <id>', 'whose message it is')
    .option('--failed', 'what has failed, of the campaign that --campaign names')
    .option('--campaign <campaign>', 'the campaign')
    .option('--reason <reason>', 'only what failed for this reason')
    .option('--even-uncertain', 'also where nobody knows whether it went out: the person may get it twice')
    .option('--why <text>', 'why, for whoever comes next')
    .option('--yes', 'also where it is over 100 messages')
    .option(...STAGE_OPTION)
    .option(...json)
    .action(
      async (
        message: string | undefined,
        options: ResendOptions & {
          contact?: string;
          failed?: boolean;
          campaign?: string;
          stage?: string;
          json?: boolean;
        },
      ) => {
        if (message === undefined && options.campaign !== undefined && options.failed !== true) {
          throw new KairosError({
            code: 'message.which',
            path: '--campaign',
            message: 'Only what has failed is sent again.',
            remedy: `Say so: kairos resend --failed --campaign ${options.campaign}`,
          });
        }
        const which = whichOf(message, options);
        const stage = await openStage({ stage: options.stage });
        const done = await resend(stage, which, options);
        if (options.json) stage.say(JSON.stringify(done));
        else for (const line of sayResend(done)) stage.say(line);
      },
    );
}

function statesOf(state: string | undefined): readonly Listed[] {
  if (state === undefined) return ['failed', 'uncertain'];
  const known = LISTED.find((each) => each === state);
  if (known !== undefined) return [known];
  throw new KairosError({
    code: 'message.state',
    path: '--state',
    message: 'There is no such list of messages.',
    received: state,
    remedy:
      state === 'sent' || state === 'dropped' || state === 'ghost'
        ? 'Of what is over, kairos contact ID shows a person’s, and the lake holds all.'
        : (suggest(state, LISTED) ?? `Known: ${LISTED.join(', ')}.`),
  });
}

/** A message with its contact, or a campaign: one of the two. Throws KairosError `message.which`. */
function whichOf(message: string | undefined, { contact, campaign }: { contact?: string; campaign?: string }): Which {
  if (message !== undefined && contact !== undefined && campaign === undefined) return { contact, message };
  if (message === undefined && contact === undefined && campaign !== undefined) return { campaign };
  throw new KairosError({
    code: 'message.which',
    path: '',
    message:
      message !== undefined && campaign === undefined
        ? 'A message is found by its id and its contact.'
        : 'Say which: one message of a contact, or a campaign.',
    remedy: 'Give MESSAGE --contact ID, or --campaign CAMPAIGN. npx kairos messages and npx kairos contact show ids.',
  });
}

/** A number of at least 1 from an option. Throws KairosError `option.number`. */
export function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new KairosError({
    code: 'option.number',
    path: name,
    message: `${JSON.stringify(text)} is not a whole number from 1.`,
    remedy: 'Write a number such as 100.',
  });
}
