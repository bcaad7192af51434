// Dead letters: read from their queues without being taken, sent back to where they came from, or dropped.

import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { KairosError, suggest } from '../domain/fault.ts';
import { resendMessage } from '../functions/aws/cancel.ts';
import { record } from '../functions/aws/controls.ts';
import { GIVEN_UP } from '../functions/aws/lake-repair.ts';
import { chunks, pooled } from '../functions/aws/table.ts';
import { pascal, QUEUES, type QueueName } from '../infra/names.ts';
import { output } from './outputs.ts';
import { askForMany, progressLine, type Stage } from './stage.ts';
import { count } from './validate.ts';

/** Letters that a list looks at in one queue: enough for its reasons. */
export const MOST_LOOKED_AT = 500;
/** Letters that one redrive takes. */
export const MOST_TAKEN = 10_000;
/** Seconds for which others do not see letters that are being looked at, and those that are being sent back. */
const LOOKING = 60;
const WORKING = 900;
/** Failed stream batches whose files are read for the number of their records. */
export const MOST_FILES_READ = 100;

/** Received eight times without success, and nobody wrote down why. */
export const TRIED = 'tried-8-times';

export interface Letter {
  queue: QueueName;
  id: string;
  body: string;
  /** The reason that a function gave, `eventbridge.<code>`, or `tried-8-times`. */
  reason: string;
  /** The function that put it aside. Such a letter comes back unless the cause is mended. */
  stage?: string;
  /** When it was put aside, where that is written down; else when its message was sent. */
  at: number;
}

interface Held extends Letter {
  receipt: string;
}

const lettersUrl = ({ target }: Pick<Stage, 'target'>, queue: QueueName): string =>
  output(target, `${pascal(queue)}DeadLettersUrl`);
const sourceUrl = ({ target }: Pick<Stage, 'target'>, queue: QueueName): string =>
  output(target, `${pascal(queue)}QueueUrl`);

/** The queue as people name it. Throws KairosError `queue.unknown`. */
export function queueOf(name: string): QueueName {
  const known = QUEUES.find((queue) => queue === name.replace(/-?(queue|dead-letters)$/, ''));
  if (known !== undefined) return known;
  throw new KairosError({
    code: 'queue.unknown',
    path: name,
    message: 'There is no queue of this name.',
    received: name,
    remedy: suggest(name, QUEUES) ?? `Known: ${QUEUES.join(', ')}.`,
  });
}

/** How many lie in a queue, as SQS counts: about right, and late by up to a minute. */
export async function sizeOf(sqs: SQSClient, url: string): Promise<{ waiting: number; underWay: number }> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: url,
      AttributeNames: [
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesNotVisible',
        'ApproximateNumberOfMessagesDelayed',
      ],
    }),
  );
  const number = (name: string): number => Number((Attributes as Record<string, string>)[name] ?? 0);
  return {
    waiting: number('ApproximateNumberOfMessages') + number('ApproximateNumberOfMessagesDelayed'),
    underWay: number('ApproximateNumberOfMessagesNotVisible'),
  };
}

/** Takes letters out of sight of others, for so many seconds; each is held until given back or deleted. */
async function take(stage: Stage, queue: QueueName, most: number, seconds: number): Promise<Held[]> {
  const held = new Map<string, Held>();
  const line = progressLine(`Reading the dead letters of ${queue}`);
  let empty = 0;
  // SQS may answer nothing once although there is something: asking again is cheap.
  while (held.size < most && empty < 2) {
    const { Messages = [] } = await stage.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: lettersUrl(stage, queue),
        MaxNumberOfMessages: Math.min(10, most - held.size),
        VisibilityTimeout: seconds,
        WaitTimeSeconds: stage.target.stage === 'laptop' ? 0 : 1,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['SentTimestamp'],
      }),
    );
    empty = Messages.length === 0 ? empty + 1 : 0;
    for (const { MessageId = '', ReceiptHandle = '', Body = '', MessageAttributes = {}, Attributes } of Messages) {
      const said = (name: string): string | undefined => MessageAttributes[name]?.StringValue;
      const code = said('ERROR_CODE');
      const by = said('stage');
      const at = Date.parse(said('at') ?? '');
      held.set(MessageId, {
        queue,
        id: MessageId,
        body: Body,
        reason: said('reason') ?? (code === undefined ? TRIED : `eventbridge.${code}`),
        ...(by !== undefined && { stage: by }),
        at: Number.isNaN(at) ? Number(Attributes?.SentTimestamp ?? 0) : at,
        receipt: ReceiptHandle,
      });
    }
    line.at(held.size);
  }
  line.end();
  return [...held.values()];
}

/** Lets everybody see letters again. One that cannot be given back shows up by itself a little later. */
async function giveBack(stage: Stage, queue: QueueName, letters: Held[]): Promise<void> {
  await pooled(chunks(letters, 10), 4, async (chunk) => {
    await stage.sqs
      .send(
        new ChangeMessageVisibilityBatchCommand({
          QueueUrl: lettersUrl(stage, queue),
          Entries: chunk.map(({ receipt }, index) => ({
            Id: String(index),
            ReceiptHandle: receipt,
            VisibilityTimeout: 0,
          })),
        }),
      )
      .catch(() => undefined);
  });
}

/** Deletes letters for good. Answers those that are gone. */
async function remove(stage: Stage, queue: QueueName, letters: Held[]): Promise<Held[]> {
  const gone: Held[] = [];
  for (const chunk of chunks(letters, 10)) {
    const { Failed = [] } = await stage.sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl: lettersUrl(stage, queue),
        Entries: chunk.map(({ receipt }, index) => ({ Id: String(index), ReceiptHandle: receipt })),
      }),
    );
    const failed = new Set(Failed.map(({ Id }) => Id));
    gone.push(...chunk.filter((_, index) => !failed.has(String(index))));
  }
  return gone;
}

const bare = ({ receipt: _, ...letter }: Held): Letter => letter;

/** Reads letters, oldest first; afterwards everybody sees them as before. */
export async function readLetters(stage: Stage, queue: QueueName, most: number): Promise<Letter[]> {
  const held = await take(stage, queue, most, LOOKING);
  await giveBack(stage, queue, held);
  return held.sort((a, b) => a.at - b.at).map(bare);
}

export interface QueueLetters {
  queue: QueueName;
  letters: number;
  /** True when reasons were counted over the first letters only. */
  sampled: boolean;
  /** The oldest that was looked at. */
  since?: number;
  reasons: Record<string, number>;
  example?: Letter;
}

/** What lies in each queue's dead letters. */
export async function listLetters(stage: Stage): Promise<QueueLetters[]> {
  const lists: QueueLetters[] = [];
  for (const queue of QUEUES) {
    const letters = await readLetters(stage, queue, MOST_LOOKED_AT);
    const { waiting, underWay } = await sizeOf(stage.sqs, lettersUrl(stage, queue));
    const number = letters.length < MOST_LOOKED_AT ? letters.length : Math.max(letters.length, waiting + underWay);
    const [example] = letters;
    lists.push({
      queue,
      letters: number,
      sampled: number > letters.length,
      reasons: counted(letters),
      ...(example && { example, since: example.at }),
    });
  }
  return lists;
}

function counted(letters: Letter[]): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const { reason } of letters) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return Object.fromEntries(Object.entries(reasons).sort(([, a], [, b]) => b - a));
}

export interface GivenUp {
  /** Batches of stream records, one file each. */
  files: number;
  /** Records in the newest of them, by function. */
  records: Record<string, number>;
  newest?: number;
  /** False when there are more files than were read. */
  all: boolean;
}

/** Stream records that a function gave up: they lie in the bucket, and are sent through the due index anyway. */
export async function streamRecordsGivenUp({ s3, target }: Pick<Stage, 's3' | 'target'>): Promise<GivenUp> {
  const Bucket = output(target, 'BucketName');
  const files: { name: string; at: number }[] = [];
  let from: string | undefined;
  do {
    const { Contents = [], NextContinuationToken } = await s3.send(
      new ListObjectsV2Command({ Bucket, Prefix: GIVEN_UP, ...(from !== undefined && { ContinuationToken: from }) }),
    );
    for (const { Key = '', LastModified } of Contents) files.push({ name: Key, at: LastModified?.getTime() ?? 0 });
    from = NextContinuationToken;
  } while (from !== undefined);
  files.sort((a, b) => b.at - a.at);
  const records: Record<string, number> = {};
  await pooled(files.slice(0, MOST_FILES_READ), 8, async ({ name }) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: name }));
    const said = JSON.parse((await Body?.transformToString()) ?? '{}') as {
      requestContext?: { functionArn?: string };
      DDBStreamBatchInfo?: { batchSize?: number };
    };
    const step = said.requestContext?.functionArn?.split(':')[6] ?? 'a function';
    records[step] = (records[step] ?? 0) + (said.DDBStreamBatchInfo?.batchSize ?? 0);
  });
  const [newest] = files;
  return {
    files: files.length,
    records,
    all: files.length <= MOST_FILES_READ,
    ...(newest && { newest: newest.at }),
  };
}

export interface RedriveDone {
  queue: QueueName;
  /** Sent back to the queue. */
  sent: number;
  /** Failed messages made ready again: send-message's own letters. */
  resent: number;
  /** Letters of messages that are sent, dropped or gone: nothing is left to do for them. */
  settled: number;
  /** Left in the dead letters, by why. */
  left: Record<string, number>;
  reasons: Record<string, number>;
  /** How many of them a function had put aside for good: they come back unless the cause is mended. */
  permanent: number;
  /** There are more letters than one command takes. */
  more: boolean;
}

/**
 * Sends letters back to where they came from: to their queue, and where send-message put a message aside, that message
 * is made ready again. A letter is deleted only when that was taken; a break in between makes a repeat, which every
 * function knows as one. Throws KairosError `many.ask`, `letters.none`.
 */
export async function redrive(
  stage: Stage,
  queue: QueueName,
  { reason, yes }: { reason?: string | undefined; yes?: boolean | undefined } = {},
): Promise<RedriveDone> {
  const by = await stage.who();
  const held = await take(stage, queue, MOST_TAKEN, WORKING);
  const wanted = held.filter((letter) => reason === undefined || letter.reason === reason);
  const done: RedriveDone = {
    queue,
    sent: 0,
    resent: 0,
    settled: 0,
    left: {},
    reasons: counted(wanted),
    permanent: wanted.filter((letter) => letter.stage !== undefined).length,
    more: held.length === MOST_TAKEN,
  };
  const back = new Set(held);
  try {
    checkReason(held, wanted, queue, reason);
    askForMany(wanted.length, `send ${count(wanted.length, 'letter')} back to ${queue}`, yes);
    if (wanted.length === 0) return done;
    const named = Object.entries(done.reasons).map(([each, number]) => `${each} ${number}`);
    await record(stage.table, {
      what: 'redrive',
      to: queue,
      by,
      at: stage.now(),
      why: `${count(wanted.length, 'letter')}: ${named.join(', ').slice(0, 300)}`,
    });
    const line = progressLine(`Sending letters back to ${queue}`);
    for (const chunk of chunks(wanted, 10)) {
      const own = chunk.filter((letter) => letter.stage === 'send-message');
      const settled: Held[] = [];
      for (const letter of own) if (await settle(stage, letter, done)) settled.push(letter);
      settled.push(
        ...(await sendOn(
          stage,
          queue,
          chunk.filter((letter) => !own.includes(letter)),
          done,
        )),
      );
      if (settled.length > 0) for (const letter of await remove(stage, queue, settled)) back.delete(letter);
      line.at(done.sent + done.resent + done.settled, wanted.length);
    }
    line.end();
    return done;
  } finally {
    await giveBack(stage, queue, [...back]);
  }
}

/** Sends bodies to their queue. Answers the letters that were taken there. */
async function sendOn(stage: Stage, queue: QueueName, letters: Held[], done: RedriveDone): Promise<Held[]> {
  if (letters.length === 0) return [];
  const size = letters.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
  if (size > MOST_BYTES && letters.length > 1) {
    return [
      ...(await sendOn(stage, queue, letters.slice(0, 1), done)),
      ...(await sendOn(stage, queue, letters.slice(1), done)),
    ];
  }
  const { Failed = [] } = await stage.sqs.send(
    new SendMessageBatchCommand({
      QueueUrl: sourceUrl(stage, queue),
      // Without the attributes that say why it died: should it die again, they would be wrong.
      Entries: letters.map(({ body }, index) => ({ Id: String(index), MessageBody: body })),
    }),
  );
  for (const { Code = 'unknown' } of Failed) leave(done, `SQS: ${Code}`);
  const failed = new Set(Failed.map(({ Id }) => Id));
  const taken = letters.filter((_, index) => !failed.has(String(index)));
  done.sent += taken.length;
  return taken;
}
const MOST_BYTES = 250_000;

/** Makes the message of a letter of send-message ready again. Answers whether the letter has done its service. */
async function settle({ table, now }: Stage, { body }: Held, done: RedriveDone): Promise<boolean> {
  const name = messageIn(body);
  if (name === undefined) {
    leave(done, 'its body names no message');
    return false;
  }
  const answer = await resendMessage(table, name, { now: now() });
  if (answer.kind === 'done') {
    done.resent++;
    return true;
  }
  if (answer.state === 'uncertain') {
    leave(done, 'its message is uncertain, see kairos resend');
    return false;
  }
  done.settled++;
  return true;
}

function leave({ left }: RedriveDone, why: string): void {
  left[why] = (left[why] ?? 0) + 1;
}

function messageIn(body: string): { contact: string; message: string } | undefined {
  try {
    const { contact, message } = JSON.parse(body) as { contact?: unknown; message?: unknown };
    return typeof contact === 'string' && typeof message === 'string' ? { contact, message } : undefined;
  } catch {
    return undefined;
  }
}

/** Deletes the letters of one reason for good. Throws KairosError `many.ask`, `letters.none`. */
export async function dropLetters(
  stage: Stage,
  queue: QueueName,
  { reason, yes }: { reason: string; yes?: boolean | undefined },
): Promise<{ queue: QueueName; dropped: number; more: boolean }> {
  const by = await stage.who();
  const held = await take(stage, queue, MOST_TAKEN, WORKING);
  const back = new Set(held);
  try {
    const wanted = held.filter((letter) => letter.reason === reason);
    checkReason(held, wanted, queue, reason);
    if (wanted.length > 0 && yes !== true) {
      throw new KairosError({
        code: 'letters.ask',
        path: '',
        message: `This would delete ${count(wanted.length, 'letter')} of ${queue} for good: nothing was done.`,
        remedy: 'Add --yes if that is meant.',
      });
    }
    if (wanted.length > 0) {
      await record(stage.table, {
        what: 'drop letters',
        to: queue,
        by,
        at: stage.now(),
        why: `${count(wanted.length, 'letter')}: ${reason}`,
      });
    }
    const gone = await remove(stage, queue, wanted);
    for (const letter of gone) back.delete(letter);
    return { queue, dropped: gone.length, more: held.length === MOST_TAKEN };
  } finally {
    await giveBack(stage, queue, [...back]);
  }
}

function checkReason(held: Letter[], wanted: Letter[], queue: QueueName, reason: string | undefined): void {
  if (reason === undefined || wanted.length > 0 || held.length === 0) return;
  const reasons = Object.keys(counted(held));
  throw new KairosError({
    code: 'letters.none',
    path: '--reason',
    message: `No letter of ${queue} has this reason.`,
    received: reason,
    remedy: suggest(reason, reasons) ?? `There are: ${reasons.slice(0, 20).join(', ')}.`,
  });
}
