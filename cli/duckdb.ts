// DuckDB as the warehouse: the tables of the lake from local files or from rows, and the views over them.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import {
  type DuckDBConnection,
  DuckDBDataChunkWriter,
  DuckDBDateValue,
  DuckDBInstance,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { JsonObject } from '../domain/interaction.ts';
import { type ColumnType, LAKE_TABLES, type LakeTable, type TableName } from '../functions/aws/lake-tables.ts';
import { query, VIEWS } from '../functions/aws/queries.ts';
import { type Cell, type Parameters, type Row, type Warehouse, withParameters } from '../functions/aws/warehouse.ts';

const TYPES: Record<ColumnType, string> = {
  string: 'VARCHAR',
  bigint: 'BIGINT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
};
const TABLES = Object.entries(LAKE_TABLES) as [TableName, LakeTable][];

/** What the views need to know, as it stands in their texts. Without it the tables stand alone, without views. */
export interface ViewParameters {
  /** ISO 4217: only money in this currency is summed. */
  currency: string;
  /** The last day that counts, as a number of days since 1970-01-01 in the shop's calendar. */
  today: number;
}

/**
 * Statements over the tables of the lake, in this process. The views are made once, when all rows are there: what is
 * asked does not read the files again.
 */
export class DuckDbWarehouse implements Warehouse {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  /**
   * The lake in a folder, `<folder>/<table>/**` as its objects are named below `lake/`; a table without files is empty.
   * Throws with DuckDB's words where a file cannot be read.
   */
  static async ofFolder(folder: string, views?: ViewParameters): Promise<DuckDbWarehouse> {
    return DuckDbWarehouse.#open(views, async (warehouse) => {
      for (const [name, table] of TABLES) {
        if (hasFiles(path.join(folder, name))) await warehouse.#read(name, table, folder);
        else await warehouse.#create(name, table);
      }
    });
  }

  /** The lake as rows; what a table does not name of a row is left out. */
  static async ofRows(
    rows: Partial<Record<TableName, readonly JsonObject[]>>,
    views?: ViewParameters,
  ): Promise<DuckDbWarehouse> {
    return DuckDbWarehouse.#open(views, async (warehouse) => {
      for (const [name, table] of TABLES) {
        await warehouse.#create(name, table);
        await warehouse.#append(name, table, rows[name] ?? []);
      }
    });
  }

  /** What `fill` makes of an empty database is the tables of the lake, as in a test or a benchmark. */
  static async ofTables(fill: (run: (sql: string) => Promise<void>) => Promise<void>, views?: ViewParameters) {
    return DuckDbWarehouse.#open(views, async (warehouse) => {
      for (const [name, table] of TABLES) await warehouse.#create(name, table);
      await fill((sql) => warehouse.#run(sql));
    });
  }

  static async #open(
    views: ViewParameters | undefined,
    fill: (warehouse: DuckDbWarehouse) => Promise<void>,
  ): Promise<DuckDbWarehouse> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
    const warehouse = new DuckDbWarehouse(instance, await instance.connect());
    try {
      await fill(warehouse);
      for (const view of views === undefined ? [] : VIEWS) {
        await warehouse.#run(`CREATE TABLE ${view} AS ${withParameters(query(`views/${view}`), { ...views })}`);
      }
      return warehouse;
    } catch (error) {
      await warehouse.close();
      throw error;
    }
  }

  async rows(sql: string, parameters: Parameters = {}): Promise<Row[]> {
    const result = await this.#connection.runAndReadAll(withParameters(sql, parameters));
    const names = result.columnNames();
    return result
      .getRows()
      .map((row) => Object.fromEntries(row.map((value, i) => [names[i] as string, cellOf(value)])));
  }

  async close(): Promise<void> {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  async #run(sql: string): Promise<void> {
    await this.#connection.run(sql);
  }

  async #create(name: TableName, { columns }: LakeTable): Promise<void> {
    const defined = Object.entries(columns).map(([column, type]) => `"${column}" ${TYPES[type]}`);
    await this.#run(`CREATE TABLE ${name} (${defined.join(', ')})`);
  }

  async #read(name: TableName, { columns }: LakeTable, folder: string): Promise<void> {
    const files = path.join(folder, name, '**', '*.ndjson.gz').replaceAll("'", "''");
    const typed = Object.entries(columns).map(([column, type]) => `'${column}': '${TYPES[type]}'`);
    await this.#run(
      `CREATE TABLE ${name} AS SELECT * FROM read_json('${files}', format = 'newline_delimited',
        compression = 'gzip', columns = {${typed.join(', ')}})`,
    );
  }

  async #append(name: TableName, { columns }: LakeTable, rows: readonly JsonObject[]): Promise<void> {
    if (rows.length === 0) return;
    const appender = await this.#connection.createAppender(name);
    const writer = DuckDBDataChunkWriter.forAppender(appender);
    const named = Object.entries(columns);
    for (const row of rows) writer.appendRow(named.map(([column, type]) => asStored(row[column], type)));
    writer.flush();
    appender.closeSync();
  }
}

function hasFiles(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder, { recursive: true }).some((name) => String(name).endsWith('.gz'));
}

function asStored(value: JsonObject[string] | undefined, type: ColumnType): DuckDBValue {
  if (value === undefined || value === null) return null;
  return type === 'bigint' ? BigInt(value as number) : (value as DuckDBValue);
}

/** A value as a statement gives it: whole numbers that a number cannot hold exactly are a fault, dates are YYYY-MM-DD. */
function cellOf(value: DuckDBValue): Cell {
  if (typeof value === 'bigint') {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new Error(`sql: ${value} is greater than a number can hold exactly`);
    return number;
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value instanceof DuckDBDateValue) return value.toString();
  throw new Error(`sql: a statement gave ${String(value)}: cast it to a number, a text or a date`);
}
