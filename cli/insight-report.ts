// What a report of insight is: parts that are said in a terminal, drawn on a page, or given as JSON.
import type { InsightSource } from './insight-source.ts';

export type Align = 'left' | 'right';

/** One part of a report. Texts are plain; numbers are written by whoever makes the part. */
export type Part =
  | { kind: 'heading'; text: string }
  /** Sentences. `tone`: what is to be heeded, such as too little data. */
  | { kind: 'text'; text: string; tone?: 'warning' }
  /** Few numbers that matter most, large, each with what it is: "41 %", "came back". */
  | { kind: 'figures'; figures: { value: string; caption: string; note?: string }[] }
  | { kind: 'table'; title?: string; columns: { title: string; align?: Align }[]; rows: string[][] }
  /**
   * Horizontal bars, one below the other; `share` of the longest is drawn, from 0 to 1, below 0 to the left. Two spaces in
   * a text part it into columns, each to the right.
   */
  | { kind: 'bars'; title: string; bars: { label: string; share: number; text: string }[] }
  /** Cells by row and column; `shade` from 0 to 1, below 0 in another colour; absent where there is no cell. */
  | {
      kind: 'heat';
      title: string;
      rowTitle: string;
      columnTitle: string;
      columns: string[];
      rows: { label: string; cells: { shade?: number; text: string }[] }[];
    }
  /** Lines over one pair of axes; a band is drawn behind its line. */
  | {
      kind: 'lines';
      title: string;
      x: Axis;
      y: Axis;
      series: { title: string; points: Point[]; band?: [x: number, low: number, high: number][]; dashed?: boolean }[];
      /** Upright lines at an x, such as where a fit ended. */
      marks?: { x: number; title: string }[];
    }
  /**
   * Upright columns by category, side by side for each series; a series "as" points is drawn as dots with their
   * intervals, such as what a model says of what the columns say happened. `values` by category, absent where there is none.
   */
  | {
      kind: 'columns';
      title: string;
      xTitle: string;
      y: Axis;
      columns: string[];
      series: {
        title: string;
        values: (number | undefined)[];
        as?: 'points';
        intervals?: ([low: number, high: number] | undefined)[];
      }[];
    };

export interface Axis {
  title: string;
  /** How a value is written at the axis. */
  say: (value: number) => string;
  /** Where ticks stand, where multiples of 1, 2 and 5 do not suit (weeks, months); those outside the data are left out. */
  ticks?: readonly number[];
}
export type Point = [x: number, y: number];

export interface Report {
  /** The command that made it, and what it is about: `retention`, "Who comes back". */
  name: string;
  title: string;
  /** In a sentence or two: of what it was made, and the day up to which. */
  basis: string;
  parts: Part[];
  /** What `--json` prints; numbers are numbers, money is in minor units and says so in its name. */
  json: unknown;
}

/** One `kairos insight <name>`: cli/insight.ts gives each of them a source, --json, --html and --orders. */
export interface ReportCommand<Options extends object = object> {
  name: string;
  description: string;
  /** Options of its own, as commander reads them: ['--by <dimensions>', 'what to split by']. */
  options?: readonly (readonly [flags: string, description: string])[];
  /** Left out where all reports are made at once: it asks for something of its own. */
  onlyAlone?: true;
  /**
   * The report from its options alone, asked first where no file of orders was given; undefined where it needs a source.
   * Throws like `make`.
   */
  alone?(options: Options): Report | undefined;
  /** Throws a KairosError where an option cannot be read. Little data is no fault: the report says so. */
  make(source: InsightSource, options: Options): Promise<Report>;
}
