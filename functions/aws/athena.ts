// Athena as the warehouse: a statement is started, waited for, and its result read as the file that Athena leaves in S3.
import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { sleep as realSleep } from './clock.ts';
import { readCsv } from './csv-cells.ts';
import { type Cell, type Parameters, type Row, type Warehouse, withParameters } from './warehouse.ts';

/** Milliseconds between two looks at a statement that runs: the first, and the longest. */
const FIRST_LOOK = 200;
const LONGEST_LOOK = 3_000;
/** Rows that are handed over at once. */
const BATCH = 2_000;

/** Why Athena gave no rows: `refused` in its own words, `slow` after the limit. */
export class AthenaError extends Error {
  readonly code: 'athena.refused' | 'athena.slow';
  constructor(code: AthenaError['code'], message: string) {
    super(message);
    this.name = 'AthenaError';
    this.code = code;
  }
}

/** Where statements are run. */
export interface AthenaPlace {
  workgroup: string;
  database: string;
  /** Where Athena leaves results: `s3://bucket/athena/`. */
  output: string;
}

export interface AthenaDeps {
  athena?: AthenaClient;
  s3?: S3Client;
  /** Milliseconds that a statement may take. */
  limit?: number;
  sleep?: (milliseconds: number) => Promise<unknown>;
}

/** What statements have cost so far. */
export interface Used {
  statements: number;
  /** Bytes that Athena has read, by which it bills. */
  scanned: number;
}

export class AthenaWarehouse implements Warehouse {
  readonly #place: AthenaPlace;
  readonly #athena: AthenaClient;
  readonly #s3: S3Client;
  readonly #limit: number;
  readonly #sleep: (milliseconds: number) => Promise<unknown>;
  readonly used: Used = { statements: 0, scanned: 0 };

  constructor(place: AthenaPlace, { athena, s3, limit = 10 * 60_000, sleep = realSleep }: AthenaDeps = {}) {
    this.#place = place;
    this.#athena = athena ?? new AthenaClient({});
    this.#s3 = s3 ?? new S3Client({ forcePathStyle: true });
    this.#limit = limit;
    this.#sleep = sleep;
  }

  /** All rows at once. Throws AthenaError. */
  async rows(sql: string, parameters: Parameters = {}): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const batch of this.batches(sql, parameters)) rows.push(...batch);
    return rows;
  }

  /** The rows in the order of the result, some thousand at a time: no more than that is held. Throws AthenaError. */
  async *batches(sql: string, parameters: Parameters = {}): AsyncGenerator<Row[]> {
    const { id, file } = await this.#run(withParameters(sql, parameters));
    // The file holds texts alone; how each column is to be read stands in the results' description.
    const described = await this.#athena.send(new GetQueryResultsCommand({ QueryExecutionId: id, MaxResults: 1 }));
    const columns = (described.ResultSet?.ResultSetMetadata?.ColumnInfo ?? []).map(({ Name, Type }) => ({
      name: Name ?? '',
      read: readerOf(Type ?? 'varchar'),
    }));
    const { bucket, name } = placeOf(file);
    const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: bucket, Key: name }));
    if (Body === undefined) throw new Error(`athena: the result of ${id} is empty`);
    let batch: Row[] = [];
    let header = true;
    for await (const cells of readCsv(Body as AsyncIterable<Uint8Array>)) {
      if (header) {
        header = false;
        continue;
      }
      const row: Row = {};
      for (let i = 0; i < columns.length; i++) {
        const { name: column, read } = columns[i]!;
        const cell = cells[i];
        row[column] = cell === null || cell === undefined ? null : read(cell);
      }
      batch.push(row);
      if (batch.length === BATCH) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  }

  /** A statement that gives no rows, as one that makes a view. Throws AthenaError. */
  async run(sql: string, parameters: Parameters = {}): Promise<void> {
    await this.#run(withParameters(sql, parameters));
  }

  /** Starts a statement and waits for its end. */
  async #run(statement: string): Promise<{ id: string; file: string }> {
    const { workgroup, database, output } = this.#place;
    const { QueryExecutionId: id = '' } = await this.#refusing(
      this.#athena.send(
        new StartQueryExecutionCommand({
          QueryString: statement,
          QueryExecutionContext: { Database: database },
          WorkGroup: workgroup,
          ResultConfiguration: { OutputLocation: output },
        }),
      ),
    );
    let waited = 0;
    for (let pause = FIRST_LOOK; ; pause = Math.min(LONGEST_LOOK, pause * 1.5)) {
      const { QueryExecution: execution } = await this.#athena.send(
        new GetQueryExecutionCommand({ QueryExecutionId: id }),
      );
      const { State: state, StateChangeReason: why = 'it does not say why' } = execution?.Status ?? {};
      if (state === 'SUCCEEDED') {
        this.used.statements++;
        this.used.scanned += execution?.Statistics?.DataScannedInBytes ?? 0;
        return { id, file: execution?.ResultConfiguration?.OutputLocation ?? '' };
      }
      if (state === 'FAILED' || state === 'CANCELLED') throw new AthenaError('athena.refused', `athena: ${why}`);
      if (waited >= this.#limit) {
        await this.#athena.send(new StopQueryExecutionCommand({ QueryExecutionId: id })).catch(() => {});
        throw new AthenaError('athena.slow', `athena: a statement was stopped after ${this.#limit / 1000} seconds`);
      }
      await this.#sleep(pause);
      waited += pause;
    }
  }

  /** What Athena says of a statement that it does not even start, as an AthenaError. */
  async #refusing<T>(started: Promise<T>): Promise<T> {
    try {
      return await started;
    } catch (error) {
      if ((error as Error).name !== 'InvalidRequestException') throw error;
      throw new AthenaError('athena.refused', `athena: ${(error as Error).message}`);
    }
  }
}

function placeOf(file: string): { bucket: string; name: string } {
  const [, bucket, name] = /^s3:\/\/([^/]+)\/(.+)$/.exec(file) ?? [];
  if (bucket === undefined || name === undefined) throw new Error(`athena: ${JSON.stringify(file)} is no place in S3`);
  return { bucket, name };
}

const NUMBERS = new Set(['tinyint', 'smallint', 'integer', 'int', 'bigint', 'float', 'real', 'double', 'decimal']);
const WHOLE = new Set(['tinyint', 'smallint', 'integer', 'int', 'bigint']);

/** How a column's texts are read. Whole numbers that a number cannot hold exactly are a fault; NaN and infinity are nothing. */
function readerOf(type: string): (text: string) => Cell {
  if (type === 'boolean') return (text) => text === 'true';
  const bare = type.replace(/\(.*$/, '');
  if (!NUMBERS.has(bare)) return (text) => text;
  const whole = WHOLE.has(bare);
  return (text) => {
    const number = Number(text);
    if (whole && !Number.isSafeInteger(number)) {
      throw new Error(`athena: ${text} is greater than a number can hold exactly`);
    }
    return Number.isFinite(number) ? number : null;
  };
}
