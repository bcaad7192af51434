// kairos erase: everything of a person goes, from the table and from the lake; hashes of their address that keep mail away stay.
import type { Command } from 'commander';
import { KairosError } from '../domain/fault.ts';
import { record } from '../functions/aws/controls.ts';
import {
  closeErasure,
  countsOf,
  eraseFromGivenUp,
  eraseFromTable,
  mergesOf,
  type Trace,
  traceOf,
} from '../functions/aws/erase.ts';
import { type Erasure, goneOf, Ledger, readErasure } from '../functions/aws/erasures.ts';
import { type Erased, eraseFromLake } from '../functions/aws/lake-days.ts';
import { findContact } from './find-contact.ts';
import { openStage, progressLine, readBook, STAGE_OPTION, type Stage, stamp } from './stage.ts';
import { count } from './validate.ts';

export interface Request {
  ids?: string[] | undefined;
  user?: string[] | undefined;
  email?: string[] | undefined;
  /** Written down with it. */
  why?: string | undefined;
  yes?: boolean | undefined;
  /** Everybody of the ledger once more: after a backup was restored, or where an erasure broke off. */
  again?: boolean | undefined;
}

type Parts = Pick<Stage, 'table' | 'files' | 'now' | 'who' | 'say'>;

export interface EraseDone {
  /** People that were erased, and those of whom nothing was left. */
  people: number;
  already: number;
  lake: Erased;
  givenUp: number;
}

/**
 * Shows what is known of people, and with `yes` erases them: first all from the table, then all from the lake in one look
 * at each file. May be repeated, and broken off and repeated. Throws KairosError `contact.unknown`, `contact.erased`,
 * `erase.which`, `erase.why`, `erase.ask` where nothing was done.
 */
export async function erase(request: Request, stage: Parts): Promise<EraseDone> {
  const { table, files: bucket, now, say } = stage;
  const watches = [...(await readBook({ table, bucket })).watches.keys()];
  const merges = await mergesOf(bucket);
  const parts = { table, bucket, watches, merges };
  const { erasures } = await new Ledger(bucket).read();
  const wanted = request.again === true ? erasures.map(({ contact }) => contact) : await idsOf(request, stage);
  const todo: { id: string; trace: Trace }[] = [];
  const entries: Erasure[] = [];
  let already = 0;
  for (const id of wanted) {
    const entry = await readErasure(bucket, id);
    const trace = await traceOf(id, parts, entry);
    if (entry !== undefined) entries.push(entry);
    if (entry?.done !== undefined && isEmpty(trace)) already++;
    else todo.push({ id, trace });
    if (request.again !== true) for (const line of sayTrace(id, trace, entry)) say(line);
  }
  const nothing: Erased = { files: 0, rewritten: 0, gone: 0, kept: 0 };
  if (request.again !== true && todo.length === 0) return { people: 0, already, lake: nothing, givenUp: 0 };
  if (request.again === true)
    say(`${count(wanted.length, 'person', 'people')} in the ledger; of ${todo.length} something is left.`);
  if (request.yes !== true) throw asks(todo.length);
  if (request.again !== true && (request.why ?? '').trim() === '') throw noReason();
  const by = await stage.who();
  const line = progressLine('Erasing people');
  for (const [i, { id }] of todo.entries()) {
    const why = request.again === true ? 'the ledger once more' : (request.why as string);
    await record(table, { what: 'erase', to: id, by, at: now(), why });
    const known = entries.find(({ contact }) => contact === id);
    const at = request.again === true && known !== undefined ? known.at : now();
    const entry = await eraseFromTable(id, { by, now: at }, parts);
    entries.splice(known === undefined ? entries.length : entries.indexOf(known), known === undefined ? 0 : 1, entry);
    line.at(i + 1, todo.length);
  }
  line.end();
  const givenUp = await eraseFromGivenUp(bucket, entries);
  const files = progressLine('Files of the lake');
  const lake = entries.length === 0 ? nothing : await eraseFromLake(bucket, goneOf(entries), (done) => files.at(done));
  files.end();
  for (const entry of entries) if (entry.done === undefined) await closeErasure(bucket, entry, now());
  return { people: todo.length, already, lake, givenUp };
}

async function idsOf({ ids = [], user = [], email = [] }: Request, { table, files: bucket }: Parts): Promise<string[]> {
  const asked = [
    ...ids.map((id) => ({ id })),
    ...user.map((each) => ({ user: each })),
    ...email.map((each) => ({ email: each })),
  ];
  if (asked.length === 0) {
    throw new KairosError({
      code: 'erase.which',
      path: '',
      message: 'Nobody is named.',
      remedy: 'Give contact ids, or --user, or --email; --again goes through the ledger.',
    });
  }
  const found: string[] = [];
  for (const one of asked) {
    // An erasure that broke off may have taken the contact already.
    const known = 'id' in one ? await readErasure(bucket, one.id) : undefined;
    found.push(known?.contact ?? (await findContact(table, one)).id);
  }
  return [...new Set(found)];
}

const isEmpty = (trace: Trace): boolean =>
  [trace.interactions, trace.messages, trace.notices, trace.identities, trace.watches].every(
    ({ length }) => length === 0,
  );

function sayTrace(id: string, trace: Trace, entry: Erasure | undefined): string[] {
  if (entry?.done !== undefined && isEmpty(trace))
    return [`${id} was erased on ${stamp(entry.done)}: nothing is left.`];
  const { contacts, interactions, orders, messages, notices, identities, watches } = countsOf(trace);
  const lines = [
    `Contact ${id}${(contacts as number) > 1 ? `, with ${count((contacts as number) - 1, 'contact')} merged into it` : ''}`,
    `  go          ${count(interactions as number, 'interaction')}, ${count(messages as number, 'message')}, ${count(notices as number, 'notice')}, ${count(watches as number, 'watched product')}, facts and journey`,
    `  lose them   ${count(orders as number, 'order')}: money, products and channel stay; address, notes and codes go`,
    `  stay        hashes of ${count(identities as number, 'identity', 'identities')}, by which events from before are refused; suppressions of the address`,
    `  the lake    files since ${trace.since}`,
  ];
  if (entry !== undefined) lines.push('  An erasure was begun before, and goes on.');
  return lines;
}

const asks = (people: number): KairosError =>
  new KairosError({
    code: 'erase.ask',
    path: '',
    message: `This would erase ${count(people, 'person', 'people')} for good: nothing was done.`,
    remedy: 'Add --yes if that is meant.',
  });

const noReason = (): KairosError =>
  new KairosError({
    code: 'erase.why',
    path: '--why',
    message: 'It is not said why.',
    remedy: 'Give --why, such as "asked by letter of 3 May"; it is written down, so name nobody in it.',
  });

/** What an erasure did, in lines. */
export function sayDone({ people, already, lake, givenUp }: EraseDone): string[] {
  if (people === 0 && lake.files === 0) return [];
  return [
    `Erased: ${count(people, 'person', 'people')}${already > 0 ? `; of ${already} nothing was left` : ''}.`,
    `The lake: ${count(lake.files, 'file')} read, ${lake.rewritten} rewritten: ${count(lake.gone, 'line')} gone, ${count(lake.kept, 'line')} of orders without their person.`,
    ...(givenUp > 0 ? [`${count(givenUp, 'record')} that functions had given up went too.`] : []),
  ];
}

/** Adds `kairos erase`. */
export function registerErase(program: Command): void {
  const several = (value: string, before: string[] = []): string[] => [...before, value];
  program
    .command('erase')
    .description('erases people from the table and the lake; shows what will go, and does it with --yes')
    .argument('[contacts...]', 'contact ids')
    .option('--user <id>', 'by user id, as the store sends it', several)
    .option('--email <address>', 'by address', several)
    .option('--why <text>', 'written down with it, such as "asked by letter of 3 May"')
    .option('--again', 'everybody of the ledger once more: after a backup was restored, or where an erasure broke off')
    .option('--yes', 'do it')
    .option(...STAGE_OPTION)
    .action(async (ids: string[], options: Omit<Request, 'ids'> & { stage?: string }) => {
      const stage = await openStage({ stage: options.stage });
      for (const line of sayDone(await erase({ ids, ...options }, stage))) stage.say(line);
    });
}
