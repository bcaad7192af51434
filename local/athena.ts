// Athena: the few calls that Kairos makes, over DuckDB, which reads the lake out of the laptop's bucket.
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type ColumnType, LAKE_TABLES, type LakeTable } from '../functions/aws/lake-tables.ts';
import type { Buckets } from './s3.ts';
import { ServiceError } from './service.ts';

const TYPES: Record<ColumnType, string> = {
  string: 'VARCHAR',
  bigint: 'BIGINT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
};
const TABLES = Object.entries(LAKE_TABLES) as [string, LakeTable][];
/** Results that are kept, so that what is asked again of the same lake is not computed again. */
const MOST_KEPT = 64;
/** Statements whose state can be asked for. */
const MOST_EXECUTIONS = 500;

interface Execution {
  id: string;
  statement: string;
  state: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  why?: string;
  output: string;
  database: string;
  workgroup: string;
  submitted: number;
  scanned: number;
  columns: { Name: string; Type: string }[];
  /** Header and rows as texts: as many as GetQueryResults is asked for here. */
  first: (string | null)[][];
}

interface Result {
  columns: Execution['columns'];
  rows: (string | null)[][];
}

/** The workgroups of one laptop; each name is one. Statements run one after another. */
export class Athena {
  readonly #buckets: Buckets;
  readonly #now: () => number;
  readonly #executions = new Map<string, Execution>();
  readonly #kept = new Map<string, Result>();
  #engine: { instance: DuckDBInstance; connection: DuckDBConnection; folder: string } | undefined;
  /** Objects of the lake that the engine has read, with their etags. */
  #read = new Map<string, string>();
  #bucket = '';
  /** Counts up with each change of what statements are asked of. */
  #lake = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(buckets: Buckets, now: () => number) {
    this.#buckets = buckets;
    this.#now = now;
  }

  /** One call by its name. Throws ServiceError. */
  call(operation: string, input: unknown): object {
    const given = input as Record<string, unknown>;
    switch (operation) {
      case 'StartQueryExecution':
        return this.#start(given);
      case 'GetQueryExecution':
        return { QueryExecution: described(this.#find(given)) };
      case 'GetQueryResults':
        return this.#results(this.#find(given), given);
      case 'StopQueryExecution': {
        const execution = this.#find(given);
        if (execution.state === 'RUNNING') execution.state = 'CANCELLED';
        return {};
      }
    }
    throw new ServiceError('UnknownOperationException', `The laptop's Athena does not know ${operation}.`);
  }

  async close(): Promise<void> {
    await this.#turn;
    this.#engine?.connection.closeSync();
    this.#engine?.instance.closeSync();
    if (this.#engine !== undefined) rmSync(this.#engine.folder, { recursive: true, force: true });
    this.#engine = undefined;
  }

  #start(given: Record<string, unknown>): object {
    const { QueryString, WorkGroup, QueryExecutionContext, ResultConfiguration } = given;
    const output = (ResultConfiguration as { OutputLocation?: string } | undefined)?.OutputLocation ?? '';
    const known = ['QueryString', 'WorkGroup', 'QueryExecutionContext', 'ResultConfiguration', 'ClientRequestToken'];
    const unknown = Object.keys(given).filter((name) => !known.includes(name));
    if (unknown.length > 0) throw invalid(`The laptop cannot honour ${unknown.join(', ')}.`);
    if (typeof QueryString !== 'string' || QueryString.trim() === '') throw invalid('QueryString is empty.');
    const bucket = /^s3:\/\/([^/]+)\/(.*\/)?$/.exec(output)?.[1];
    if (bucket === undefined || !this.#buckets.has(bucket))
      throw invalid(`OutputLocation ${output} is no folder of S3.`);
    const id = randomUUID();
    const execution: Execution = {
      id,
      statement: QueryString,
      state: 'RUNNING',
      output: `${output}${id}.csv`,
      database: (QueryExecutionContext as { Database?: string } | undefined)?.Database ?? 'default',
      workgroup: typeof WorkGroup === 'string' ? WorkGroup : 'primary',
      submitted: this.#now(),
      scanned: 0,
      columns: [],
      first: [],
    };
    this.#executions.set(id, execution);
    if (this.#executions.size > MOST_EXECUTIONS)
      this.#executions.delete(this.#executions.keys().next().value as string);
    this.#turn = this.#turn.then(() => this.#run(execution, bucket));
    return { QueryExecutionId: id };
  }

  async #run(execution: Execution, bucket: string): Promise<void> {
    if (execution.state !== 'RUNNING') return;
    try {
      const connection = await this.#ready(bucket);
      const result = await this.#answer(connection, execution.statement);
      execution.columns = result.columns;
      execution.scanned = [...this.#read.keys()].reduce(
        (sum, name) => sum + (this.#buckets.get(bucket, name)?.length ?? 0),
        0,
      );
      const header = result.columns.map(({ Name }) => Name);
      execution.first = [header, ...result.rows.slice(0, 1000)];
      const name = execution.output.slice(`s3://${bucket}/`.length);
      this.#buckets.put(bucket, name, Buffer.from([header, ...result.rows].map(csvLine).join('')));
      if (execution.state === 'RUNNING') execution.state = 'SUCCEEDED';
    } catch (error) {
      execution.state = 'FAILED';
      execution.why = error instanceof Error ? error.message : String(error);
    }
  }

  async #answer(connection: DuckDBConnection, statement: string): Promise<Result> {
    const text = statement
      .replace(/^(\s*--[^\n]*\n)+/, '')
      .trim()
      .replace(/;$/, '');
    if (/^CREATE\s+OR\s+REPLACE\s+VIEW\s/i.test(text)) {
      await connection.run(text);
      this.#lake++;
      return { columns: [], rows: [] };
    }
    if (!/^(SELECT|WITH)\s/i.test(text)) throw new Error('The laptop takes SELECT and CREATE OR REPLACE VIEW.');
    const key = createHash('sha256').update(`${this.#lake}\0${text}`).digest('hex');
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const read = await connection.runAndReadAll(text);
    const types = read.columnTypes().map(String);
    const columns = read.columnNames().map((Name, i) => ({ Name, Type: athenaType(types[i] as string) }));
    const rows = read.getRows().map((row) => row.map((cell) => (cell === null ? null : String(cell))));
    const result = { columns, rows };
    if (this.#kept.size >= MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value as string);
    this.#kept.set(key, result);
    return result;
  }

  /** The engine with the lake as it stands in the bucket: new files are added, a table of which one changed is read anew. */
  async #ready(bucket: string): Promise<DuckDBConnection> {
    if (this.#engine === undefined || this.#bucket !== bucket) {
      const { DuckDBInstance: Instance } = await import('@duckdb/node-api');
      const instance = await Instance.create(':memory:', { threads: '2' });
      const connection = await instance.connect();
      this.#engine = { instance, connection, folder: mkdtempSync(join(tmpdir(), 'kairos-lake-')) };
      this.#bucket = bucket;
      this.#read = new Map();
      for (const [name, { columns }] of TABLES) {
        const defined = Object.entries(columns).map(([column, type]) => `"${column}" ${TYPES[type]}`);
        await connection.run(`CREATE TABLE ${name} (${defined.join(', ')})`);
      }
    }
    const { connection, folder } = this.#engine;
    const objects = this.#buckets.etags(bucket, 'lake/');
    for (const [name, table] of TABLES) {
      const files = [...objects].filter(([key]) => key.startsWith(`lake/${name}/`) && key.endsWith('.ndjson.gz'));
      const gone = [...this.#read].some(([key, etag]) => key.startsWith(`lake/${name}/`) && objects.get(key) !== etag);
      if (gone) {
        await connection.run(`DELETE FROM ${name}`);
        for (const key of this.#read.keys()) if (key.startsWith(`lake/${name}/`)) this.#read.delete(key);
      }
      const fresh = files.filter(([key]) => !this.#read.has(key));
      if (fresh.length > 0) await this.#add(connection, folder, name, table, fresh);
      if (gone || fresh.length > 0) this.#lake++;
    }
    return connection;
  }

  async #add(
    connection: DuckDBConnection,
    folder: string,
    name: string,
    { columns }: LakeTable,
    files: [key: string, etag: string][],
  ): Promise<void> {
    const paths: string[] = [];
    for (const [key, etag] of files) {
      const path = join(folder, key);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, this.#buckets.get(this.#bucket, key) as Buffer);
      this.#read.set(key, etag);
      paths.push(path);
    }
    const list = paths.map((path) => `'${path.replaceAll("'", "''")}'`).join(', ');
    const typed = Object.entries(columns).map(([column, type]) => `'${column}': '${TYPES[type]}'`);
    await connection.run(
      `INSERT INTO ${name} SELECT * FROM read_json([${list}], format = 'newline_delimited', compression = 'gzip', columns = {${typed.join(', ')}}, hive_partitioning = false)`,
    );
    for (const path of paths) rmSync(path);
  }

  #find({ QueryExecutionId: id }: Record<string, unknown>): Execution {
    const execution = this.#executions.get(String(id));
    if (execution === undefined) throw invalid(`QueryExecution ${String(id)} was not found.`);
    return execution;
  }

  #results(execution: Execution, { MaxResults = 1000, NextToken }: Record<string, unknown>): object {
    if (execution.state !== 'SUCCEEDED') throw invalid(`Query has not yet finished. Current state: ${execution.state}`);
    if (NextToken !== undefined) throw invalid('The laptop gives one page: read the file of the result.');
    const rows = execution.first.slice(0, Number(MaxResults));
    return {
      UpdateCount: 0,
      ResultSet: {
        Rows: rows.map((row) => ({ Data: row.map((cell) => (cell === null ? {} : { VarCharValue: cell })) })),
        ResultSetMetadata: { ColumnInfo: execution.columns.map((column) => ({ CatalogName: 'hive', ...column })) },
      },
    };
  }
}

const invalid = (message: string): ServiceError => new ServiceError('InvalidRequestException', message);

function described(execution: Execution): object {
  const { id, statement, state, why, output, database, workgroup, submitted, scanned } = execution;
  return {
    QueryExecutionId: id,
    Query: statement,
    StatementType: /^\s*CREATE/i.test(statement) ? 'DDL' : 'DML',
    ResultConfiguration: { OutputLocation: output },
    QueryExecutionContext: { Database: database },
    WorkGroup: workgroup,
    Status: {
      State: state,
      SubmissionDateTime: submitted / 1000,
      ...(why !== undefined && { StateChangeReason: why }),
    },
    Statistics: { DataScannedInBytes: scanned },
  };
}

/** The name that Athena gives to a type of DuckDB's. */
function athenaType(type: string): string {
  const bare = type.replace(/\(.*$/, '');
  const names: Record<string, string> = {
    VARCHAR: 'varchar',
    BOOLEAN: 'boolean',
    TINYINT: 'tinyint',
    SMALLINT: 'smallint',
    INTEGER: 'integer',
    BIGINT: 'bigint',
    // Sums of whole numbers, which are bigint in Athena.
    HUGEINT: 'bigint',
    FLOAT: 'float',
    DOUBLE: 'double',
    DECIMAL: 'decimal',
    DATE: 'date',
    TIMESTAMP: 'timestamp',
  };
  const name = names[bare];
  if (name === undefined) throw new Error(`A statement gives ${type}: cast it to a number, a text or a date.`);
  return name;
}

/** Every cell in quotes, one that is absent without anything. */
const csvLine = (cells: (string | null)[]): string =>
  `${cells.map((cell) => (cell === null ? '' : `"${cell.replaceAll('"', '""')}"`)).join(',')}\n`;
