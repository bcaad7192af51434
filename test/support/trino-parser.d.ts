// The part of dt-sql-parser that is used: its own types cannot be found by Node's rules.
declare module 'dt-sql-parser/dist/parser/trino' {
  export class TrinoSQL {
    /** The faults of a text; none where Trino's grammar takes it. */
    validate(sql: string): { message: string; startLine: number; startColumn: number }[];
  }
}
