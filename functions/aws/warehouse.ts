// Where SQL over the lake is asked: Athena in AWS, DuckDB on a laptop; both speak the dialect of functions/aws/sql.

export type Cell = string | number | boolean | null;
export type Row = Record<string, Cell>;

/** Numbers, and as text dates (YYYY-MM-DD) and currencies (ISO 4217): nothing else goes into a statement. */
export type Parameters = Record<string, number | string>;

export interface Warehouse {
  /**
   * The rows of one statement, whose names are as the statement gives them and whose numbers are numbers. `:name` in the
   * text stands for a parameter. Throws with the engine's words where it refuses the statement.
   */
  rows(sql: string, parameters?: Parameters): Promise<Row[]>;
}

const DATE_OR_CURRENCY = /^(\d{4}-\d\d-\d\d|[A-Z]{3})$/;

/** The statement with its parameters written in. Throws on one that is missing, or is no finite number, date or currency. */
export function withParameters(sql: string, parameters: Parameters = {}): string {
  return sql.replace(/(?<![:\w]):([a-z][a-zA-Z]*)/g, (_, name: string) => {
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (typeof value === 'number' && Number.isFinite(value)) return String(value);
    if (typeof value === 'string' && DATE_OR_CURRENCY.test(value)) return `'${value}'`;
    throw new Error(
      `sql: the parameter ":${name}" is ${JSON.stringify(value)}, expected a number, a date or a currency`,
    );
  });
}
