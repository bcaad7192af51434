// Streams a CSV file, plain or gzipped: rows in order, and a fault by line for each that cannot be read.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type CsvError, parse } from 'csv-parse';
import { KairosError } from '../domain/fault.ts';

export interface CsvOptions {
  delimiter?: string | undefined;
  encoding?: 'utf8' | 'latin1' | 'utf16le' | undefined;
  /** Called with the bytes of the file read so far. */
  onProgress?: (bytes: number) => void;
}

/** What a file is read into. Lines count from 1, the header's included. */
export interface CsvSink {
  /** The first line's names, trimmed. Throw to stop reading. */
  header(names: string[]): void;
  /** Answers a promise where it has to work off what it holds: the reading waits for it. */
  row(fields: string[], line: number): unknown;
  fault(line: number, message: string): void;
}

/** A longer record is a quote that nothing closes. */
const LONGEST_RECORD = 1_000_000;

/**
 * Reads the whole file. A broken row is told to `fault` and left out; an unclosed quote ends the reading with a fault that
 * names the line at which it opened. Throws a KairosError when there is no such file, or when it has no header.
 */
export async function readCsv(path: string, options: CsvOptions, sink: CsvSink): Promise<void> {
  const { file, zipped } = await openFile(path);
  const parser = parse({
    bom: true,
    delimiter: options.delimiter ?? ',',
    encoding: options.encoding ?? 'utf8',
    info: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: LONGEST_RECORD,
  });
  let started = false;
  let next = 1;
  let twice = 0;
  parser.on('data', ({ record, info }: { record: string[]; info: { lines: number } }) => {
    let end = info.lines - twice;
    let line = next;
    if (end !== next) {
      // The parser counts a CR LF inside quotes as two lines.
      const pairs = count(record, /\r\n/g);
      twice += pairs;
      end -= pairs;
      line = end - count(record, /\r\n|[\r\n]/g);
    }
    next = end + 1;
    if (started) {
      const busy = sink.row(record, line);
      if (busy instanceof Promise) {
        parser.pause();
        busy.then(
          () => parser.resume(),
          (error: Error) => parser.destroy(error),
        );
      }
      return;
    }
    started = true;
    try {
      sink.header(record.map((name) => name.trim()));
    } catch (error) {
      parser.destroy(error as Error);
    }
  });
  let broken = 0;
  parser.on('skip', (error: CsvError) => {
    const { lines = next, record } = error as unknown as { lines?: number; record?: string[] };
    // One record can err more than once.
    if (broken === lines) return;
    broken = lines;
    const end = Math.max(lines - twice, next);
    const start = record === undefined ? next : end - count(record, /\r\n|[\r\n]/g);
    sink.fault(start, `${sayCsvError(error)}${end > start ? `; the lines up to ${end} were left out with it` : ''}`);
    next = end + 1;
    // The parser would take the rest of the file for the inside of the quote.
    if (error.code === 'CSV_INVALID_CLOSING_QUOTE')
      (parser as unknown as { state: { quoting: boolean } }).state.quoting = false;
  });
  await file.close();
  const stream = createReadStream(path, { highWaterMark: 256 * 1024 });
  // A listener sets the stream flowing: nothing may be awaited between it and the pipeline, or the beginning is lost.
  stream.on('data', () => options.onProgress?.(stream.bytesRead));
  try {
    // A pipeline ends when its last stream has taken everything; that everything was read from it is asked apart.
    const read = finished(parser);
    const taken = zipped ? pipeline(stream, createGunzip(), parser) : pipeline(stream, parser);
    await Promise.all([taken, read]);
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    if (code.startsWith('CSV_')) sink.fault(next, `${sayCsvError(error as CsvError)}; nothing after it was read`);
    else if (code.startsWith('Z_')) sink.fault(next, 'the compressed file is damaged here; nothing after it was read');
    else throw error;
  }
  if (!started) {
    throw new KairosError({
      code: 'import.empty',
      file: path,
      path: '',
      message: 'the file has no first line with names.',
    });
  }
}

/** The size of a file in bytes; throws a KairosError when it cannot be read. */
export async function fileSize(path: string): Promise<number> {
  const { file } = await openFile(path);
  const { size } = await file.stat();
  await file.close();
  return size;
}

async function openFile(path: string) {
  try {
    const file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return { file, zipped: bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b };
  } catch (error) {
    const missing = (error as { code?: string }).code === 'ENOENT';
    throw new KairosError(
      {
        code: 'import.file',
        file: path,
        path: '',
        message: missing ? 'there is no such file.' : `the file cannot be read (${(error as { code?: string }).code}).`,
      },
      { cause: error },
    );
  }
}

const count = (record: string[], breaks: RegExp): number =>
  record.reduce((sum, field) => sum + (field.match(breaks)?.length ?? 0), 0);

function sayCsvError(error: CsvError): string {
  switch (error.code) {
    case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH':
    case 'CSV_RECORD_INCONSISTENT_COLUMNS': {
      const { record } = error as unknown as { record?: string[] };
      return `has ${record?.length ?? 'another number of'} field${record?.length === 1 ? '' : 's'}, unlike the first line`;
    }
    case 'CSV_QUOTE_NOT_CLOSED':
    case 'CSV_MAX_RECORD_SIZE':
      return 'opens a quote that nothing closes';
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'INVALID_OPENING_QUOTE':
    case 'CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE':
      return 'has a quote inside a field; a quote in a field is doubled, and the field quoted';
    default:
      return `cannot be read (${error.code})`;
  }
}
