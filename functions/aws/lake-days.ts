// The files of one day of the lake: read line by line, put together into one, and written anew without who was erased.
import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { createGunzip, createGzip, gunzip } from 'node:zlib';
import { KairosError } from '../../domain/fault.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import type { Files, Listed } from './bucket.ts';
import { type Gone, goneOf, Ledger, withoutGone } from './erasures.ts';
import { folderOf, KINDS, type Kind, LINES_TYPE } from './lake.ts';
import { pooled } from './table.ts';

/** Packed bytes whose keys are held in memory at once: about two million lines, about 200 MB. More are put together in parts. */
const PART_BYTES = 32 * 1024 * 1024;
/** A packed file up to this size is unpacked at once. */
const SMALL = 128 * 1024;
/** Characters that are packed at once. */
const A_WRITE = 64 * 1024;
const MOST_ATTEMPTS = 5;
const AT_ONCE = 8;

/** Files of lines that a repair found in the table; they are put together with the others of their day. */
export const REPAIR = 'repair-';
const WHOLE = 'all-';

/** What tells two lines of a kind apart: equal ones are one, whatever they say besides. */
const KEYS: Record<Kind, (line: JsonObject) => unknown[]> = {
  interactions: ({ subject, name, id }) => [subject, name, id],
  messages: ({ message, state, convertedAt }) => [message, state, convertedAt],
  decisions: ({ contact, campaign, at, kind, reason, step }) => [contact, campaign, at, kind, reason, step],
  feedback: ({ message, type }) => [message, type],
  orders: ({ order, version }) => [order, version],
  lines: ({ order, version, line }) => [order, version, line],
  contacts: ({ contact, version }) => [contact, version],
};
/** Kinds of which the table knows better than the stream did: orders are read as the shop is, which may have been published since. */
const TABLE_WINS: ReadonlySet<Kind> = new Set(['orders', 'lines', 'contacts']);

/** 72 bits of a text: among two million lines two are alike by chance once in a thousand million times. */
const digest = (text: string): string => hash('sha256', text, 'base64url').slice(0, 12);

const partOf = (key: string, parts: number): number =>
  (key.charCodeAt(0) * 4096 + key.charCodeAt(1) * 64 + key.charCodeAt(2)) % parts;

/** What putting the files of one kind and day together did. */
export interface Compacted {
  /** Files and packed bytes that were there, and that are there now. */
  files: number;
  bytes: number;
  filesNow: number;
  bytesNow: number;
  /** Lines that were read, that were there before, and that are of people who were erased. */
  lines: number;
  repeats: number;
  erased: number;
  /** Of the lines that a repair brought: how many there are, were not there, and stood there otherwise. */
  found: number;
  missing: number;
  changed: number;
}

/**
 * Puts the files of one kind and day together into one, each line once, without people who were erased. New files are
 * written before old ones go, and an old one goes only while it is what was read: whoever breaks off leaves repeats,
 * never a gap. Holds the keys of at most about two million lines at once; a larger day becomes several files. Who puts
 * several together gives one `ledger`, of which then only what is new is read.
 * Throws KairosError `lake.file` for a file that cannot be read, `lake.busy` when others kept changing the day.
 */
export async function compactDay(
  bucket: Files,
  kind: Kind,
  day: string,
  { ledger = new Ledger(bucket), partBytes = PART_BYTES }: { ledger?: Ledger; partBytes?: number } = {},
): Promise<Compacted> {
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const { erasures } = await ledger.read();
    const files = await filesOf(bucket, kind, day);
    const did = await together(bucket, kind, day, files, goneOf(erasures), partBytes);
    // Somebody who was erased meanwhile stood in what was read.
    if (did === undefined || (await ledger.read()).news) continue;
    for (const { name, tag } of files) {
      if (!did.written.has(name)) await bucket.remove(name, tag);
    }
    return did.told;
  }
  throw new KairosError({
    code: 'lake.busy',
    path: folderOf(kind, day),
    message: `The files of this day changed ${MOST_ATTEMPTS} times while they were put together.`,
    remedy: 'Nothing is lost. Try again when no other repair, compaction or erasure is running.',
  });
}

async function filesOf(bucket: Files, kind: Kind, day: string): Promise<Listed[]> {
  const files: Listed[] = [];
  for await (const file of bucket.list(`${folderOf(kind, day)}/`)) files.push(file);
  return files;
}

/** Writes the new files; undefined where another was faster. */
async function together(
  bucket: Files,
  kind: Kind,
  day: string,
  files: Listed[],
  gone: Gone,
  partBytes: number,
): Promise<{ told: Compacted; written: Set<string> } | undefined> {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const told: Compacted = {
    files: files.length,
    bytes,
    filesNow: 0,
    bytesNow: 0,
    lines: 0,
    repeats: 0,
    erased: 0,
    found: 0,
    missing: 0,
    changed: 0,
  };
  const written = new Set<string>();
  const isRepair = ({ name }: Listed): boolean => name.startsWith(`${folderOf(kind, day)}/${REPAIR}`);
  const repaired = files.filter(isRepair);
  const others = files.filter((file) => !isRepair(file));
  const sources = TABLE_WINS.has(kind) ? [...repaired, ...others] : [...others, ...repaired];
  const parts = Math.max(1, Math.ceil(bytes / partBytes));
  for (let part = 0; part < parts; part++) {
    const mine = (key: string): boolean => partOf(key, parts) === part;
    const elsewhere = repaired.length === 0 ? undefined : await onNeighbours(bucket, kind, day, repaired, mine);
    const seen = new Set<string>();
    /** What the table says, by key, until the same is met in a file of the stream. */
    const unmet = new Map<string, string>();
    const out = packing();
    for (const source of sources) {
      const fromTable = isRepair(source);
      const found = await bucket.read(source.name);
      // Another put these together meanwhile: its own file was not listed.
      if (found === undefined || found.tag !== source.tag) return undefined;
      for await (const texts of linesIn(source.name, found.body)) {
        for (const text of texts) {
          const line = parsed(source.name, text);
          const key = digest(JSON.stringify(KEYS[kind](line)));
          if (!mine(key)) continue;
          told.lines++;
          const left = withoutGone(kind, line, gone);
          if (left !== line) told.erased++;
          if (left === undefined) continue;
          const same = digest(left === line ? text : JSON.stringify(left));
          if (fromTable) told.found++;
          if (seen.has(key)) {
            told.repeats++;
            const said = unmet.get(key);
            if (said !== undefined && !fromTable) {
              if (said !== same) told.changed++;
              unmet.delete(key);
            }
            continue;
          }
          if (fromTable && elsewhere?.has(key)) continue;
          seen.add(key);
          if (fromTable) unmet.set(key, same);
          await out.add(left === line ? text : JSON.stringify(left));
        }
      }
    }
    told.missing += unmet.size;
    const body = await out.end();
    if (body === undefined) continue;
    const name = `${folderOf(kind, day)}/${WHOLE}${part + 1}of${parts}.ndjson.gz`;
    const before = files.find((file) => file.name === name);
    const known = before === undefined ? undefined : await bucket.read(name);
    const asItWas = known !== undefined && Buffer.from(known.body).equals(body);
    if (!asItWas && !(await bucket.replace(name, body, LINES_TYPE, before?.tag))) return undefined;
    written.add(name);
    told.filesNow++;
    told.bytesNow += body.length;
  }
  return { told, written };
}

/** Lines that the table gave to this day and that the stream, whose clock is another one, wrote under the day before or after. */
async function onNeighbours(
  bucket: Files,
  kind: Kind,
  day: string,
  repaired: Listed[],
  mine: (key: string) => boolean,
): Promise<Set<string>> {
  const wanted = new Set<string>();
  await eachKey(bucket, kind, repaired, (key) => {
    if (mine(key)) wanted.add(key);
  });
  const found = new Set<string>();
  for (const other of [shifted(day, -1), shifted(day, 1)]) {
    await eachKey(bucket, kind, await filesOf(bucket, kind, other), (key) => {
      if (wanted.has(key)) found.add(key);
    });
  }
  return found;
}

async function eachKey(bucket: Files, kind: Kind, files: Listed[], take: (key: string) => void): Promise<void> {
  for (const { name } of files) {
    const found = await bucket.read(name);
    if (found === undefined) continue;
    for await (const texts of linesIn(name, found.body)) {
      for (const text of texts) take(digest(JSON.stringify(KEYS[kind](parsed(name, text)))));
    }
  }
}

/** The day so many days later. */
export const shifted = (day: string, days: number): string =>
  new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10);

/** What taking people out of the lake did. */
export interface Erased {
  files: number;
  /** Files that held something of them. */
  rewritten: number;
  /** Lines that went, and those that lost the person and stay as money. */
  gone: number;
  kept: number;
}

/**
 * Takes people out of all files that can hold them, those that came meanwhile too. A file is replaced only while it is
 * what was read. May be repeated, and broken off and repeated. Throws KairosError `lake.file`, `lake.busy`.
 */
export async function eraseFromLake(
  bucket: Files,
  gone: Gone,
  onProgress: (files: number) => void = () => {},
): Promise<Erased> {
  const told: Erased = { files: 0, rewritten: 0, gone: 0, kept: 0 };
  const clean = new Map<string, string>();
  const names = new Set<string>();
  for (let look = 1; look <= MOST_ATTEMPTS; look++) {
    const news: { kind: Kind; file: Listed }[] = [];
    for (const kind of KINDS) {
      if (kind === 'lines') continue;
      for await (const file of bucket.list(`lake/${kind}/day=`)) {
        const day = /day=(\d{4}-\d\d-\d\d)\//.exec(file.name)?.[1] ?? '';
        if (day >= gone.since && clean.get(file.name) !== file.tag) news.push({ kind, file });
      }
    }
    if (news.length === 0) return told;
    await pooled(news, AT_ONCE, async ({ kind, file }) => {
      const tag = await eraseFromFile(bucket, kind, file.name, gone, told);
      if (tag !== undefined) clean.set(file.name, tag);
      names.add(file.name);
      told.files = names.size;
      onProgress(told.files);
    });
  }
  throw new KairosError({
    code: 'lake.busy',
    path: 'lake/',
    message: `Files of the lake changed ${MOST_ATTEMPTS} times while people were taken out of them.`,
    remedy: 'What is gone stays gone. Try again when no repair or compaction is running.',
  });
}

/** Answers the tag of a file that holds nothing of them now; undefined where it changed meanwhile, or is gone. */
async function eraseFromFile(
  bucket: Files,
  kind: Kind,
  name: string,
  gone: Gone,
  told: Erased,
): Promise<string | undefined> {
  const found = await bucket.read(name);
  if (found === undefined) return undefined;
  const did = { gone: 0, kept: 0 };
  const holds = await someLine(name, found.body, (line) => withoutGone(kind, line, gone) !== line);
  if (!holds) return found.tag;
  const out = packing();
  for await (const texts of linesIn(name, found.body)) {
    for (const text of texts) {
      const line = parsed(name, text);
      const left = withoutGone(kind, line, gone);
      if (left === undefined) did.gone++;
      else if (left !== line) did.kept++;
      if (left !== undefined) await out.add(left === line ? text : JSON.stringify(left));
    }
  }
  const body = await out.end();
  const done =
    body === undefined ? await bucket.remove(name, found.tag) : await bucket.replace(name, body, LINES_TYPE, found.tag);
  if (!done) return undefined;
  told.rewritten++;
  told.gone += did.gone;
  told.kept += did.kept;
  return undefined;
}

async function someLine(name: string, body: Uint8Array, holds: (line: JsonObject) => boolean): Promise<boolean> {
  for await (const texts of linesIn(name, body)) if (texts.some((text) => holds(parsed(name, text)))) return true;
  return false;
}

/** The lines of a packed file, some at a time. A line ends with a line feed, and with nothing else that looks like an end. */
export async function* linesIn(name: string, body: Uint8Array): AsyncGenerator<string[]> {
  try {
    if (body.length <= SMALL) {
      yield split((await promisify(gunzip)(body)).toString());
      return;
    }
    const stream = createGunzip();
    stream.end(body);
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of stream) {
      const text = rest + decoder.decode(chunk as Uint8Array, { stream: true });
      const end = text.lastIndexOf('\n');
      rest = text.slice(end + 1);
      if (end >= 0) yield split(text.slice(0, end));
    }
    yield split(rest + decoder.decode());
  } catch (error) {
    if (error instanceof KairosError) throw error;
    throw unreadable(name, error);
  }
}

const split = (text: string): string[] => text.split('\n').filter((line) => line !== '');

function parsed(name: string, text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch (error) {
    throw unreadable(name, error);
  }
}

const unreadable = (name: string, cause: unknown): KairosError =>
  new KairosError(
    {
      code: 'lake.file',
      path: name,
      message: 'This file of the lake cannot be read: it is not packed lines of JSON.',
      remedy: 'Nothing was changed. Look at it; move it out of lake/ and repair its day from the table.',
    },
    { cause },
  );

/** A file of lines in the making: packed as they come, so that only its packed bytes are held. */
function packing(): { add: (line: string) => Promise<void>; end: () => Promise<Buffer | undefined> } {
  const gzip = createGzip();
  const chunks: Buffer[] = [];
  const ended = new Promise<void>((done, failed) => {
    gzip.on('data', (chunk: Buffer) => chunks.push(chunk));
    gzip.on('end', done);
    gzip.on('error', failed);
  });
  let some = false;
  let waiting = '';
  return {
    async add(line) {
      some = true;
      waiting += `${line}\n`;
      if (waiting.length < A_WRITE) return;
      const text = waiting;
      waiting = '';
      if (!gzip.write(text)) await new Promise((drained) => gzip.once('drain', drained));
    },
    async end() {
      gzip.end(waiting);
      await ended;
      return some ? Buffer.concat(chunks) : undefined;
    },
  };
}
