// The consent ledger as a file: CSV that no spreadsheet takes for formulas, or JSON; whole or not at all.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import type { Book } from '../domain/book.ts';
import { KairosError } from '../domain/fault.ts';
import type { Table } from '../functions/aws/table.ts';
import type { Asked } from './find-contact.ts';
import { checkBrand, type LedgerOptions, type LedgerProgress, ledger, type Statement, wordsOf } from './ledger.ts';

const COLUMNS = [
  'contact',
  'brand',
  'topic',
  'channel',
  'statement',
  'basis',
  'wording',
  'form',
  'source',
  'time',
  'until',
  'by',
] as const;

/**
 * A cell of RFC 4180. What a spreadsheet would take for a formula is made a text with an apostrophe, also behind a
 * character that some of them split cells at.
 */
export function csvCell(text: string): string {
  const safe = text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, ' ')
    .replace(/(^|[;\t\r\n|])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])/g, "$1'")
    .replace(/^(?=[\t\r\n])/, "'");
  return /[",;\r\n\t|]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** An instant in ISO 8601; nothing for none. */
export const iso = (at: number | undefined): string =>
  at === undefined || Math.abs(at) > 8.64e15 ? '' : new Date(at).toISOString();

/** A statement with its instants as ISO 8601 texts. */
function written({ at, until, address, ...rest }: Statement, withAddresses: boolean) {
  return {
    ...rest,
    ...(withAddresses ? { address: address ?? '' } : {}),
    time: iso(at),
    until: iso(until),
  };
}

/** The parts of a file: its beginning, a text for each page, its end. */
function formatted(format: 'csv' | 'json', withAddresses: boolean) {
  let first = true;
  if (format === 'json') {
    return {
      begin: '[',
      lines: (page: Statement[]): string =>
        page
          .map((each) => {
            const text = `${first ? '\n' : ',\n'}${JSON.stringify(written(each, withAddresses))}`;
            first = false;
            return text;
          })
          .join(''),
      end: '\n]\n',
    };
  }
  const columns = withAddresses ? ['contact', 'address', ...COLUMNS.slice(1)] : [...COLUMNS];
  return {
    begin: `${columns.join(',')}\r\n`,
    lines: (page: Statement[]): string =>
      page
        .map((each) => {
          const row = written(each, withAddresses) as Record<string, string>;
          return `${columns.map((column) => csvCell(row[column] ?? '')).join(',')}\r\n`;
        })
        .join(''),
    end: '',
  };
}

/** Where the ledger goes. `close` keeps it, `abandon` leaves nothing that looks whole. */
interface Sink {
  /** False when nobody reads any more. */
  write(text: string): Promise<boolean>;
  close(): Promise<void>;
  abandon(): Promise<void>;
}

/** Opens a file before anything is read: under another name until it is whole, for its owner's eyes only. */
async function openFile(file: string): Promise<Sink> {
  const there = await stat(file).catch(() => undefined);
  // A pipe or a device is written to as it stands.
  const special = there !== undefined && !there.isFile() && !there.isDirectory();
  const path = special ? file : `${file}.part`;
  try {
    if (there?.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    // Where the file is there already, it must be one that may be written.
    if (there?.isFile()) await (await open(file, 'r+')).close();
    await (await open(path, 'w', 0o600)).close();
  } catch (error) {
    const code = (error as { code?: string }).code ?? 'unknown';
    throw new KairosError(
      {
        code: 'consents.file',
        file,
        path: '',
        message:
          code === 'EISDIR'
            ? 'is a folder.'
            : code === 'ENOENT'
              ? 'lies in a folder that does not exist.'
              : `cannot be written (${code}).`,
        remedy: 'Name a file that you may write, or "-" for the terminal.',
      },
      { cause: error },
    );
  }
  const stream = createWriteStream(path, { flags: special ? 'w' : 'r+', encoding: 'utf8' });
  const broken = new Promise<never>((_, reject) => stream.once('error', reject));
  broken.catch(() => {});
  return {
    async write(text) {
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), broken]);
      return true;
    },
    async close() {
      stream.end();
      await Promise.race([finished(stream), broken]);
      if (!special) await rename(path, file);
    },
    async abandon() {
      stream.destroy();
      if (!special) await rm(path, { force: true });
    },
  };
}

/** The terminal, or a pipe whose reader may leave early. */
function standardOutput(): Sink {
  let left = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    left = true;
  });
  return {
    async write(text) {
      if (left || process.stdout.write(text)) return !left;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          process.stdout.off('drain', go).off('close', go).off('error', go);
          resolve();
        };
        process.stdout.on('drain', go).on('close', go).on('error', go);
      });
      return !left;
    },
    async close() {},
    async abandon() {},
  };
}

/** Writes the ledger of everybody, or of one person, and answers how much it holds. */
export async function exportConsents(
  table: Table,
  book: Book,
  to: { file: string; format?: 'csv' | 'json' | undefined },
  which: { brand?: string | undefined; withAddresses?: boolean | undefined; person?: Asked | undefined },
  onProgress: (progress: LedgerProgress) => void = () => {},
): Promise<{ contacts: number; statements: number }> {
  checkBrand(book, which.brand);
  const options: LedgerOptions = { defaultBrand: book.brand, ...which };
  const one = which.person === undefined ? undefined : await wordsOf(table, which.person, options);
  const format = to.format ?? (to.file.toLowerCase().endsWith('.json') ? 'json' : 'csv');
  const text = formatted(format, which.withAddresses === true);
  const told = { contacts: 0, statements: 0 };
  const out = to.file === '-' ? standardOutput() : await openFile(to.file);
  try {
    await out.write(text.begin);
    if (one !== undefined) {
      Object.assign(told, { contacts: one.contact === undefined ? 0 : 1, statements: one.statements.length });
      await out.write(text.lines(one.statements));
    } else {
      const pages = ledger(table, options, (progress) => {
        Object.assign(told, { contacts: progress.contacts, statements: progress.statements });
        onProgress(progress);
      });
      for await (const page of pages) {
        if (!(await out.write(text.lines(page)))) return told;
      }
    }
    await out.write(text.end);
    await out.close();
  } catch (error) {
    await out.abandon();
    throw error;
  }
  return told;
}
