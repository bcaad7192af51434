// kairos dead-letters: what was given up, why, and what people read of it.
import type { Command } from 'commander';
import { GIVEN_UP } from '../functions/aws/lake-repair.ts';
import { QUEUES } from '../infra/names.ts';
import {
  dropLetters,
  type GivenUp,
  type Letter,
  listLetters,
  MOST_FILES_READ,
  MOST_LOOKED_AT,
  MOST_TAKEN,
  type QueueLetters,
  queueOf,
  type RedriveDone,
  readLetters,
  redrive,
  streamRecordsGivenUp,
} from './letters.ts';
import { wholeNumber } from './messages.ts';
import { openStage, STAGE_OPTION, span, stamp } from './stage.ts';
import { count } from './validate.ts';

/** Fields whose values name a kind of thing and no person. */
const PLAIN = new Set([
  'version',
  'type',
  'event',
  'detail-type',
  'source',
  'time',
  'timestamp',
  'eventType',
  'shard',
  'ordinal',
  'campaign',
  'kairos-campaign',
  'bounceType',
  'bounceSubType',
  'contact',
  'message',
]);
const MOST_SHOWN = 300;

/** The form of a body without what it says of a person: names of fields, and values of the few that name kinds of things. */
export function shapeOf(body: string): string {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return `not JSON, ${body.length} characters`;
  }
  const text = formOf(json, '', 0);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

function formOf(value: unknown, name: string, depth: number): string {
  if (typeof value === 'string') return PLAIN.has(name) && /^[\w .:+/-]{1,60}$/.test(value) ? `"${value}"` : '"…"';
  if (typeof value === 'number') return name === 'ordinal' ? String(value) : '0';
  if (typeof value !== 'object' || value === null) return String(value);
  if (depth > 5) return '…';
  if (Array.isArray(value)) {
    return value.length === 0 ? '[]' : `[${formOf(value[0], name, depth + 1)}${value.length > 1 ? ', …' : ''}]`;
  }
  const fields = Object.entries(value).map(([field, inner]) =>
    /^[A-Za-z][\w:-]{0,39}$/.test(field) ? `${field}: ${formOf(inner, field, depth + 1)}` : '…',
  );
  return `{${fields.join(', ')}}`;
}

/** The list in lines. */
export function sayLetters(lists: QueueLetters[], givenUp: GivenUp, now: number, show: boolean): string[] {
  const lines: string[] = [];
  for (const { queue, letters, sampled, since, reasons, example } of lists) {
    if (letters === 0) continue;
    lines.push(`${queue}: ${count(letters, 'letter')}, the oldest ${span(now - (since ?? now))} old`);
    for (const [reason, number] of Object.entries(reasons)) lines.push(`  ${String(number).padStart(5)}  ${reason}`);
    if (sampled) lines.push(`  (reasons of the first ${MOST_LOOKED_AT})`);
    if (example !== undefined)
      lines.push(`  e.g.   ${show ? clean(example.body).slice(0, MOST_SHOWN) : shapeOf(example.body)}`);
  }
  const none = lists.filter(({ letters }) => letters === 0).map(({ queue }) => queue);
  if (lines.length === 0) lines.push('No dead letters.');
  else {
    if (none.length > 0) lines.push(`None in ${none.join(', ')}.`);
    lines.push('', 'Mend the cause, then: npx kairos dead-letters redrive QUEUE   (docs/runbook.md, "Dead letters")');
  }
  lines.push(...sayGivenUp(givenUp, now));
  return lines;
}

/** Stream records that were given up, in lines; none where there are none. */
export function sayGivenUp({ files, records, newest, all }: GivenUp, now: number): string[] {
  if (files === 0) return [];
  const by = Object.entries(records).map(([step, number]) => `${step} ${number}`);
  return [
    '',
    `Stream records given up: ${count(files, 'batch', 'batches')} in the bucket under ${GIVEN_UP}, the newest ${span(now - (newest ?? now))} ago`,
    `  records of ${all ? 'them' : `the newest ${MOST_FILES_READ}`}: ${by.join(', ')}`,
    '  Messages among them are sent through the due index. (docs/runbook.md, "A stream reader is late")',
  ];
}

/** Letters in lines; bodies only where they may be shown. */
export function sayRead(letters: Letter[], show: boolean): string[] {
  if (letters.length === 0) return ['No dead letters.'];
  const lines = letters.flatMap(({ id, reason, stage, at, body }) => [
    `${stamp(at)}  ${reason}${stage === undefined ? '' : `, put aside by ${stage}`}  (${id})`,
    `  ${show ? clean(body) : shapeOf(body)}`,
  ]);
  return show ? lines : [...lines, '', 'Bodies can hold personal data: --show prints them.'];
}

/** What a terminal would take as a command is not printed to it. */
const clean = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, ' ');

/** What a redrive did, in lines. */
export function sayRedrive({ queue, sent, resent, settled, left, reasons, permanent, more }: RedriveDone): string[] {
  if (Object.keys(reasons).length === 0) return [`No dead letters of ${queue}.`];
  const lines: string[] = [];
  if (sent > 0)
    lines.push(`${count(sent, 'letter')} sent back to ${queue}: what they ask counts once, however often it comes.`);
  if (resent > 0)
    lines.push(`${count(resent, 'message')} of theirs ready again: due now, the gates are asked once more.`);
  if (settled > 0) lines.push(`${count(settled, 'letter')} had nothing left to do, and are gone.`);
  for (const [why, number] of Object.entries(left)) lines.push(`${count(number, 'letter')} stayed: ${why}.`);
  if (permanent > 0) {
    lines.push(
      `${count(permanent, 'letter was', 'letters were')} put aside by a function, for good: what it could not take before comes back here, unless the cause is mended.`,
    );
  }
  if (more) lines.push(`There are more: one command takes ${MOST_TAKEN.toLocaleString('en')}. Give it again.`);
  return lines;
}

/** Adds `kairos dead-letters` with list, read, redrive and drop. */
export function registerDeadLetters(program: Command): void {
  const group = program
    .command('dead-letters')
    .description('what was given up: list it, read it, send it back to where it came from');
  const json = ['--json', 'print the result as JSON'] as const;
  const show = ['--show', 'with bodies, which can hold personal data'] as const;
  group
    .command('list', { isDefault: true })
    .description('how many lie in each queue, since when, and why')
    .option(...show)
    .option(...STAGE_OPTION)
    .option(...json)
    .action(async (options: { show?: boolean; stage?: string; json?: boolean }) => {
      const stage = await openStage({ stage: options.stage });
      const lists = await listLetters(stage);
      const givenUp = await streamRecordsGivenUp(stage);
      if (options.json) {
        const queues = lists.map(({ example, ...list }) => ({
          ...list,
          ...(example && { example: options.show === true ? example.body : shapeOf(example.body) }),
        }));
        stage.say(JSON.stringify({ queues, streamRecords: givenUp }));
      } else for (const line of sayLetters(lists, givenUp, stage.now(), options.show === true)) stage.say(line);
    });
  group
    .command('read')
    .description('the letters of a queue with reason, function and time; they stay where they are')
    .argument('<queue>', QUEUES.join(', '))
    .option('--most <number>', 'read at most so many', '10')
    .option(...show)
    .option(...STAGE_OPTION)
    .option(...json)
    .action(async (name: string, options: { most: string; show?: boolean; stage?: string; json?: boolean }) => {
      const queue = queueOf(name);
      const most = wholeNumber('--most', options.most);
      const stage = await openStage({ stage: options.stage });
      const letters = await readLetters(stage, queue, most);
      if (options.json) {
        const told = letters.map(({ body, ...letter }) => ({
          ...letter,
          ...(options.show === true ? { body } : { shape: shapeOf(body) }),
        }));
        stage.say(JSON.stringify(told));
      } else for (const line of sayRead(letters, options.show === true)) stage.say(line);
    });
  group
    .command('redrive')
    .description('send the letters of a queue back to where they came from')
    .argument('<queue>', QUEUES.join(', '))
    .option('--reason <reason>', 'only letters of this reason')
    .option('--yes', 'also where it is over 100 letters')
    .option(...STAGE_OPTION)
    .option(...json)
    .action(async (name: string, options: { reason?: string; yes?: boolean; stage?: string; json?: boolean }) => {
      const queue = queueOf(name);
      const stage = await openStage({ stage: options.stage });
      const done = await redrive(stage, queue, options);
      if (options.json) stage.say(JSON.stringify(done));
      else for (const line of sayRedrive(done)) stage.say(line);
      if (Object.keys(done.left).length > 0) process.exitCode = 1;
    });
  group
    .command('drop')
    .description('delete the letters of one reason for good')
    .argument('<queue>', QUEUES.join(', '))
    .requiredOption('--reason <reason>', 'the reason, as the list says it')
    .option('--yes', 'that is meant')
    .option(...STAGE_OPTION)
    .option(...json)
    .action(async (name: string, options: { reason: string; yes?: boolean; stage?: string; json?: boolean }) => {
      const queue = queueOf(name);
      const stage = await openStage({ stage: options.stage });
      const done = await dropLetters(stage, queue, options);
      if (options.json) stage.say(JSON.stringify(done));
      else {
        stage.say(
          done.dropped === 0 ? `No dead letters of ${queue}.` : `${count(done.dropped, 'letter')} of ${queue} deleted.`,
        );
        if (done.more) stage.say('There are more. Give the command again.');
      }
    });
}
