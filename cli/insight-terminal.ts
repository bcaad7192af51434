// A report in a terminal: sentences, tables, bars, maps and lines, in any width, with colours or without.
import widthOf from 'fast-string-width';
import type { Part, Point, Report } from './insight-report.ts';
import {
  type Columns,
  drawable,
  heightAt,
  type Lines,
  partedTexts,
  plain,
  rangeOf,
  ticksOf,
  unbroken,
  uprightRange,
} from './insight-scale.ts';

/** How it is said: `width` in columns, at least 40; without `colour` the same is told by signs and words alone. */
export interface TerminalOptions {
  width: number;
  colour: boolean;
}

type Of<Kind extends Part['kind']> = Extract<Part, { kind: Kind }>;
type Align = 'left' | 'right';
type Style = 'bold' | 'dim' | 'yellow';
type Paint = (style: Style | number, text: string) => string;

const NARROWEST = 40;
const GAP = '  ';
const EMPTY = 'Nothing to show.';
const STYLES: Record<Style, [number, number]> = { bold: [1, 22], dim: [2, 22], yellow: [33, 39] };
/** Colours of series, in their order: blue, orange, green, pink; of the 256, so that no scheme of a terminal turns them. */
const SERIES = [33, 208, 36, 175];
/** Greens to blues by shade, from pale to dark, and where letters on them turn white. */
const SHADES = [195, 159, 153, 117, 111, 75, 69, 33, 27, 26, 25];
/** The same below nothing: pale to dark orange. */
const BELOW = [230, 223, 222, 216, 215, 209, 173, 166, 130, 94, 88];
const WHITE_FROM = 8;
const BLOCKS = ['░', '▒', '▓', '█'];

/**
 * The whole report as lines, each at most `width` columns wide, ended by a line break. Wide and combining characters are
 * measured as terminals show them; too long a label is cut with "…"; a part without content says so.
 */
export function sayReport(report: Report, { width, colour }: TerminalOptions): string {
  const room = Math.max(NARROWEST, Math.floor(width));
  const paint: Paint = (style, text) => {
    if (!colour || text === '') return text;
    if (typeof style === 'number') return `\u001b[38;5;${style}m${text}\u001b[39m`;
    return `\u001b[${STYLES[style][0]}m${text}\u001b[${STYLES[style][1]}m`;
  };
  const lines = [
    ...wrap(report.title, room).map((line) => paint('bold', line)),
    ...wrap(report.basis, room).map((line) => paint('dim', line)),
  ];
  for (const part of report.parts) {
    const drawn = drawPart(part, room, paint, colour);
    lines.push(...(drawn.length === 0 ? [] : ['', ...drawn]));
  }
  if (report.parts.length === 0) lines.push('', EMPTY);
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

function drawPart(part: Part, width: number, paint: Paint, colour: boolean): string[] {
  switch (part.kind) {
    case 'heading':
      return wrap(part.text, width).map((line) => paint('bold', line));
    case 'text': {
      if (part.tone !== 'warning') return wrap(part.text, width);
      return wrap(part.text, width - 2).map((line, at) => paint('yellow', `${at === 0 ? '! ' : '  '}${line}`));
    }
    case 'figures':
      return figures(part, width, paint);
    case 'table':
      return table(part, width, paint);
    case 'bars':
      return bars(part, width, paint);
    case 'heat':
      return heat(part, width, paint, colour);
    case 'lines':
      return plot(part, width, paint);
    case 'columns':
      return columns(part, width, paint);
  }
}

const titled = (title: string | undefined, width: number, paint: Paint): string[] =>
  title === undefined ? [] : wrap(title, width).map((line) => paint('bold', line));

// ---- texts ----

/** The text in lines, broken between words; a word that is longer than a line is broken inside. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (let word of plain(paragraph).split(/\s+/)) {
      if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
        lines.push(line);
        line = '';
      }
      while (widthOf(word) > width) {
        const head = take(word, width);
        lines.push(head);
        word = word.slice(head.length);
      }
      line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** As many whole characters, as people see them, as fit. */
function take(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let taken = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += widthOf(segment);
    if (used > width) break;
    taken += segment;
  }
  return taken === '' && width >= 2 ? (graphemes.segment(text)[Symbol.iterator]().next().value?.segment ?? '') : taken;
}

/** The text in exactly `width` columns, cut with "…" where it is longer. */
function sized(text: string, width: number, align: Align = 'left'): string {
  const clean = plain(text);
  const shown = widthOf(clean) <= width ? clean : `${take(clean, width - 1).trimEnd()}…`;
  const space = ' '.repeat(Math.max(0, width - widthOf(shown)));
  return align === 'left' ? shown + space : space + shown;
}

const widest = (texts: Iterable<string>): number => {
  let most = 0;
  for (const text of texts) most = Math.max(most, widthOf(plain(text)));
  return most;
};

// ---- figures ----

function figures({ figures }: Of<'figures'>, width: number, paint: Paint): string[] {
  if (figures.length === 0) return [EMPTY];
  const most = Math.max(...figures.map(({ value, caption, note = '' }) => widest([value, caption, note])));
  const wide = Math.min(most, width);
  const perRow = Math.max(1, Math.floor((width + 3) / (wide + 3)));
  const lines: string[] = [];
  for (let at = 0; at < figures.length; at += perRow) {
    const row = figures.slice(at, at + perRow);
    const say = (texts: string[], style: Style) =>
      lines.push(texts.map((text) => paint(style, sized(text, wide))).join('   '));
    if (at > 0) lines.push('');
    say(
      row.map(({ value }) => value),
      'bold',
    );
    lines.push(row.map(({ caption }) => sized(caption, wide)).join('   '));
    if (row.some(({ note }) => note !== undefined))
      say(
        row.map(({ note = '' }) => note),
        'dim',
      );
  }
  return lines;
}

// ---- tables ----

function table({ title, columns, rows }: Of<'table'>, width: number, paint: Paint): string[] {
  const head = titled(title, width, paint);
  if (rows.length === 0 || columns.length === 0) return [...head, EMPTY];
  const aligns = columns.map(({ align = 'left' }) => align);
  const natural = columns.map(({ title }, column) => widest([title, ...rows.map((row) => row[column] ?? '')]));
  const widths = squeeze(natural, aligns, width);
  // The first column stands again in each piece of a table that is too wide even so.
  return [
    ...head,
    ...pieces(widths, width).flatMap((shown, piece) => {
      const line = (cells: string[]) =>
        shown.map((column) => sized(cells[column] ?? '', widths[column]!, aligns[column])).join(GAP);
      return [
        ...(piece === 0 ? [] : ['']),
        paint('dim', line(columns.map(({ title }) => title))),
        ...rows.map((row) => line(row)),
      ];
    }),
  ];
}

/** Widths of columns: those of text give way to a third of theirs, widest first, so that numbers stay whole. */
function squeeze(natural: number[], aligns: Align[], width: number): number[] {
  const widths = natural.map((each) => Math.min(each, width));
  const room = width - GAP.length * (widths.length - 1);
  const least = natural.map((each, column) => (aligns[column] === 'right' ? each : Math.min(each, 12)));
  for (;;) {
    const over = widths.reduce((sum, each) => sum + each, 0) - room;
    if (over <= 0) return widths;
    const able = widths.map((each, column) => (each > least[column]! ? each : 0));
    const most = Math.max(...able);
    if (most === 0) return widths;
    const next = Math.max(0, ...able.filter((each) => each < most));
    const which = able.indexOf(most);
    widths[which] = Math.max(least[which]!, most - Math.max(1, Math.min(over, most - next)));
  }
}

/** Columns in as many groups as the width asks for; the first column, cut where it must be, is in all of them. */
function pieces(widths: number[], width: number): number[][] {
  const whole = widths.reduce((sum, each) => sum + each + GAP.length, -GAP.length);
  if (whole <= width) return [widths.map((_, column) => column)];
  const first = Math.min(widths[0]!, Math.max(4, Math.floor(width / 3)));
  widths[0] = first;
  const found: number[][] = [[0]];
  let used = first;
  for (let column = 1; column < widths.length; column++) {
    widths[column] = Math.min(widths[column]!, width - first - GAP.length);
    const wide = widths[column]! + GAP.length;
    if (used + wide > width) {
      found.push([0]);
      used = first;
    }
    found.at(-1)!.push(column);
    used += wide;
  }
  return found;
}

// ---- bars ----

function bars({ title, bars }: Of<'bars'>, width: number, paint: Paint): string[] {
  const head = titled(title, width, paint);
  if (bars.length === 0) return [...head, EMPTY];
  const parted = partedTexts(bars.map((bar) => bar.text));
  const wide = (parted[0] ?? []).map((_, column) => widest(parted.map((cells) => cells[column]!)));
  const texts = parted.map((cells) => cells.map((cell, column) => sized(cell, wide[column]!, 'right')).join(GAP));
  const text = Math.min(widest(texts), Math.floor(width / 3));
  const label = Math.min(widest(bars.map((bar) => bar.label)), Math.floor((width - text) / 2));
  const axis = bars.some(({ share }) => share < 0) ? 1 : 0;
  const room = Math.max(4, Math.min(60, width - label - text - axis - 2 * GAP.length));
  const shares = bars.map(({ share }) => (Number.isFinite(share) ? Math.max(-1, Math.min(1, share)) : 0));
  const most = Math.max(0, ...shares);
  const least = Math.max(0, ...shares.map((share) => -share));
  const right =
    most === 0 ? 0 : least === 0 ? room : Math.max(1, Math.min(room - 1, Math.round((room * most) / (least + most))));
  const left = room - right;
  // One scale for both directions, so that equal lengths are equal amounts.
  const scale = Math.min(left === 0 ? right : left / (least || 1), most === 0 ? left : right / most);
  return [
    ...head,
    ...bars.map((bar, at) => {
      const share = shares[at]!;
      const minus = sized(share < 0 ? blocksBackward(-share * scale) : '', left, 'right');
      const plus = share > 0 ? blocksForward(share * scale) : '';
      const drawn = `${paint(SERIES[1]!, minus)}${least > 0 ? paint('dim', '│') : ''}${paint(SERIES[0]!, plus)}`;
      return `${sized(bar.label, label)}${GAP}${sized(texts[at]!, text, 'right')}${GAP}${drawn}`;
    }),
  ];
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A length to the right, in eighths of a column; more than nothing is at least one eighth. */
function blocksForward(length: number): string {
  const eighths = Math.max(1, Math.round(length * 8));
  return `${'█'.repeat(eighths >> 3)}${EIGHTHS[eighths & 7]}`;
}

/** A length to the left, in halves of a column: there are no eighths of that side. */
function blocksBackward(length: number): string {
  const halves = Math.max(1, Math.round(length * 2));
  return `${halves & 1 ? '▐' : ''}${'█'.repeat(halves >> 1)}`;
}

// ---- maps ----

function heat(
  { title, rowTitle, columnTitle, columns, rows }: Of<'heat'>,
  width: number,
  paint: Paint,
  colour: boolean,
): string[] {
  const head = titled(title, width, paint);
  if (rows.length === 0 || columns.length === 0) return [...head, EMPTY];
  // A unit that all share is said once: narrow cells show more of the map.
  const texts = rows.flatMap(({ cells }) => cells.map(({ text }) => plain(text)).filter((text) => text !== ''));
  const percent = texts.length > 0 && texts.every((text) => text.endsWith('%'));
  const say = (text: string): string => (percent ? plain(text).slice(0, -1).trimEnd() : plain(text));
  const label = Math.min(widest([rowTitle, ...rows.map((row) => row.label)]), Math.max(8, Math.floor(width / 4)));
  const cell = Math.max(1, widest(texts.map(say)));
  const names = widest(columns);
  const signs = colour ? 0 : 2;
  // What gives way first: names of columns, then the signs that stand for colours, at last the map is told in pieces.
  const tries = [16, 12, 10, 8, 6, 0].flatMap((most) =>
    most === 0 && signs > 0
      ? [
          [most, signs],
          [0, 0],
        ]
      : [[most, signs]],
  );
  const outer = (most: number, sign: number): number => Math.max(cell + sign, Math.min(names, most)) + 2;
  const fits = tries.find(([most, sign]) => label + columns.length * outer(most!, sign!) <= width);
  const [most, sign] = (fits ?? [10, 0]) as [number, number];
  const inner = Math.min(outer(most, sign) - 2, width - label - 2);
  const perPiece = Math.max(1, Math.floor((width - label) / (inner + 2)));
  const lines = [...head, paint('dim', sized(`${rowTitle} ↓  ${columnTitle} →${percent ? '  (in %)' : ''}`, width))];
  for (let from = 0; from < columns.length; from += perPiece) {
    const shown = columns.slice(from, from + perPiece);
    if (from > 0) lines.push('');
    lines.push(paint('dim', `${' '.repeat(label)}${shown.map((name) => ` ${sized(name, inner, 'right')} `).join('')}`));
    for (const row of rows) {
      const cells = shown.map((_, at) => {
        const { shade, text = '' } = row.cells[from + at] ?? {};
        if (!drawable(shade)) return ` ${sized(text === '' ? '·' : say(text), inner, 'right')} `;
        const level = Math.min(1, Math.abs(shade));
        const said = ` ${sized(say(text), inner - sign, 'right')} `;
        if (colour) return coloured(shade < 0 ? BELOW : SHADES, level, said);
        if (sign === 0) return said;
        const block = level === 0 ? ' ' : BLOCKS[Math.min(3, Math.floor(level * 4))]!;
        return ` ${block} ${said.slice(1)}`;
      });
      lines.push(`${sized(row.label, label)}${cells.join('')}`);
    }
  }
  return lines;
}

function coloured(shades: readonly number[], level: number, text: string): string {
  const at = Math.min(shades.length - 1, Math.floor(level * shades.length));
  return `\u001b[48;5;${shades[at]}m\u001b[38;5;${at >= WHITE_FROM ? 231 : 16}m${text}\u001b[39m\u001b[49m`;
}

// ---- lines ----

const PLOT_ROWS = 14;
const MOST_TICKS = 7;
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/** A field of dots, two by four in each character of braille. */
export class Dots {
  readonly columns: number;
  readonly rows: number;
  readonly #cells: Uint8Array;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#cells = new Uint8Array(columns * rows);
  }

  /** A dot at the share of the width from the left and of the height from below; outside 0 to 1 nothing is set. */
  set(x: number, y: number): void {
    const dot = Math.round(x * (this.columns * 2 - 1));
    const up = Math.round((1 - y) * (this.rows * 4 - 1));
    this.#dot(dot, up);
  }

  /** Dots from one point to the next; `dashed` leaves gaps. */
  line([x0, y0]: Point, [x1, y1]: Point, dashed = false): void {
    const steps = Math.ceil(
      Math.max(Math.abs(x1 - x0) * (this.columns * 2 - 1), Math.abs(y1 - y0) * (this.rows * 4 - 1), 1),
    );
    for (let step = 0; step <= steps; step++) {
      const x = x0 + ((x1 - x0) * step) / steps;
      if (dashed && Math.round(x * (this.columns * 2 - 1)) % 4 >= 2) continue;
      this.set(x, y0 + ((y1 - y0) * step) / steps);
    }
  }

  /** The dots of a cell, as braille's block of Unicode numbers them. */
  bits(column: number, row: number): number {
    return this.#cells[row * this.columns + column]!;
  }

  #dot(x: number, y: number): void {
    if (x < 0 || y < 0 || x >= this.columns * 2 || y >= this.rows * 4) return;
    this.#cells[(y >> 2) * this.columns + (x >> 1)]! |= DOTS[x & 1]![y & 3]!;
  }
}

/** The character with these dots. */
export const braille = (bits: number): string => String.fromCharCode(0x2800 + bits);

function plot({ title, x, y, series, marks = [] }: Lines, width: number, paint: Paint): string[] {
  const head = titled(title, width, paint);
  const drawn = series
    .map((each) => ({ ...each, pieces: unbroken(each.points) }))
    .filter(({ pieces }) => pieces.length > 0);
  const across = rangeOf(drawn.flatMap(({ pieces }) => pieces.flatMap((piece) => piece.map(([at]) => at))));
  const upward = rangeOf(
    drawn.flatMap(({ pieces, band = [] }) => [
      ...pieces.flatMap((piece) => piece.map(([, at]) => at)),
      ...band.flatMap(([, low, high]) => [low, high]),
    ]),
  );
  if (across === undefined || upward === undefined) return [...head, EMPTY];
  const range = uprightRange(upward, y, MOST_TICKS);
  const yTicks = ticksOf(range, y, MOST_TICKS);
  const left = Math.min(widest(yTicks.map(({ text }) => text)), Math.floor(width / 4));
  // The names stand at the ends of their lines where there is room for them, or else above.
  const longest = widest(drawn.map((each) => each.title));
  const beside = drawn.length > 1 && drawn.length <= PLOT_ROWS / 2 && longest <= Math.floor(width / 4);
  const columns = Math.min(100, width - left - 2 - (beside ? longest + 2 : 0));
  const toX = (at: number): number =>
    across.low === across.high ? 0.5 : (at - across.low) / (across.high - across.low);
  const toY = (at: number): number => (at - range.low) / (range.high - range.low);

  const cells: string[][] = Array.from({ length: PLOT_ROWS }, () => Array.from({ length: columns }, () => ' '));
  const put = (column: number, row: number, text: string): void => {
    if (cells[row]?.[column] !== undefined) cells[row][column] = text;
  };
  const columnOf = (at: number): number => Math.round(toX(at) * (columns * 2 - 1)) >> 1;
  const rowOf = (at: number): number => Math.round((1 - toY(at)) * (PLOT_ROWS * 4 - 1)) >> 2;
  for (const [index, { band = [] }] of drawn.entries()) {
    const lows = unbroken(band.map(([at, low, high]) => [at, drawable(high) ? low : Number.NaN]));
    const highs = unbroken(band.map(([at, low, high]) => [at, drawable(low) ? high : Number.NaN]));
    for (let column = 0; column < columns; column++) {
      const at = across.low + ((column + 0.5) / columns) * (across.high - across.low);
      const low = lows.map((piece) => heightAt(piece, at)).find((found) => found !== undefined);
      const high = highs.map((piece) => heightAt(piece, at)).find((found) => found !== undefined);
      if (low === undefined || high === undefined) continue;
      for (let row = rowOf(Math.max(low, high)); row <= rowOf(Math.min(low, high)); row++)
        put(column, row, paint(colourOf(index), '░'));
    }
  }
  const upright = marks.filter(({ x: at }) => drawable(at) && at >= across.low && at <= across.high);
  for (const { x: at } of upright) for (let row = 0; row < PLOT_ROWS; row++) put(columnOf(at), row, paint('dim', '┊'));
  const fields = drawn.map(({ pieces, dashed }, index) => {
    const dots = new Dots(columns, PLOT_ROWS);
    for (const piece of pieces) {
      const points = piece.map(([at, value]): Point => [toX(at), toY(value)]);
      if (points.length === 1) put(columnOf(piece[0]![0]), rowOf(piece[0]![1]), paint(colourOf(index), '●'));
      for (let at = 1; at < points.length; at++) dots.line(points[at - 1]!, points[at]!, dashed);
    }
    return dots;
  });
  // Where lines meet in one character it has the dots of all of them, and the colour of the first.
  for (let row = 0; row < PLOT_ROWS; row++)
    for (let column = 0; column < columns; column++) {
      const bits = fields.map((dots) => dots.bits(column, row));
      const first = bits.findIndex((each) => each !== 0);
      if (first >= 0) put(column, row, paint(colourOf(first), braille(bits.reduce((all, each) => all | each, 0))));
    }

  const names = new Map<number, string>();
  if (beside) {
    const wanted = drawn
      .map(({ title, pieces }, index) => ({ title, index, row: rowOf(pieces.at(-1)!.at(-1)![1]) }))
      .sort((a, b) => a.row - b.row);
    for (const [row, { title, index }] of apart(
      wanted.map(({ row }) => row),
      PLOT_ROWS,
    ).map((row, at) => [row, wanted[at]!] as const))
      names.set(row, `  ${paint(colourOf(index), sized(title, longest))}`);
  }
  const lines = [...head];
  if (!beside && drawn.length > 1)
    for (const [index, { title, dashed }] of drawn.entries())
      lines.push(paint(colourOf(index), sized(`${dashed ? '╌╌' : '──'} ${title}`, width)));
  lines.push(paint('dim', sized(y.title, width)));
  const atRow = new Map(yTicks.map(({ at, text }) => [rowOf(at), text]));
  for (let row = 0; row < PLOT_ROWS; row++) {
    const text = atRow.get(row);
    lines.push(
      `${sized(text ?? '', left, 'right')} ${paint('dim', text === undefined ? '│' : '┤')}${cells[row]!.join('')}${names.get(row) ?? ''}`,
    );
  }
  const xTicks = ticksOf(across, x, Math.max(2, Math.floor(columns / 10)));
  const axis = Array.from({ length: columns }, () => '─');
  const labels = Array.from({ length: columns + left + 2 }, () => ' ');
  let free = 0;
  for (const { at, text } of xTicks) {
    axis[columnOf(at)] = '┴';
    const wide = Math.min(widthOf(text), 16);
    const start = Math.max(0, Math.min(labels.length - wide, left + 2 + columnOf(at) - Math.floor(wide / 2)));
    if (start < free) continue;
    labels.splice(start, wide, sized(text, wide), ...Array.from({ length: wide - 1 }, () => ''));
    free = start + wide + 1;
  }
  lines.push(`${' '.repeat(left + 1)}${paint('dim', `└${axis.join('')}`)}`, labels.join(''));
  lines.push(`${' '.repeat(left + 2)}${paint('dim', sized(x.title, width - left - 2))}`);
  for (const { x: at, title } of upright) lines.push(paint('dim', sized(`┊ ${plain(x.say(at))}: ${title}`, width)));
  return lines;
}

const colourOf = (index: number): number => SERIES[index % SERIES.length]!;

/** Rows near those wanted (ascending), no two alike, inside 0 to `rows` − 1. */
function apart(wanted: number[], rows: number): number[] {
  const found: number[] = [];
  for (const row of wanted) found.push(Math.max(row, found.length === 0 ? 0 : found.at(-1)! + 1));
  for (let at = found.length - 1, most = rows - 1; at >= 0; at--, most--) found[at] = Math.min(found[at]!, most);
  for (let at = found.length - 2; at >= 0; at--) found[at] = Math.min(found[at]!, found[at + 1]! - 1);
  return found;
}

// ---- columns ----

/** In a terminal they lie: for each category one line for each series, a bar, or a dot with its interval. */
function columns({ title, xTitle, y, columns, series }: Columns, width: number, paint: Paint): string[] {
  const head = titled(title, width, paint);
  const range = rangeOf(
    series.flatMap(({ values, intervals = [] }) => [...values, ...intervals.flatMap((each) => each ?? [])]),
  );
  if (range === undefined || columns.length === 0) return [...head, EMPTY];
  const low = Math.min(0, range.low);
  const high = Math.max(0, range.high) === low ? low + 1 : Math.max(0, range.high);
  const say = (value: number): string => plain(y.say(value));
  const text = Math.min(
    widest(series.flatMap(({ values }) => values.map((value) => (drawable(value) ? say(value) : '')))),
    Math.floor(width / 4),
  );
  const label = Math.min(widest(columns), Math.floor(width / 4));
  const name = series.length === 1 ? 0 : Math.min(widest(series.map((each) => each.title)), Math.floor(width / 4));
  const room = Math.max(4, Math.min(60, width - label - name - text - 3 * GAP.length));
  const cell = (value: number): number =>
    Math.max(0, Math.min(room - 1, Math.round(((value - low) / (high - low)) * (room - 1))));
  const zero = cell(0);
  const lines = [...head, paint('dim', sized(`${xTitle} ↓  ${y.title} →`, width))];
  for (const [at, column] of columns.entries())
    for (const [index, { title: called, values, as, intervals = [] }] of series.entries()) {
      const value = values[at];
      const row = Array.from({ length: room }, () => ' ');
      if (low < 0) row[zero] = paint('dim', '│');
      if (drawable(value)) {
        const end = cell(value);
        if (as === 'points') {
          const [from, to] = [...(intervals[at] ?? [])].sort((a, b) => a - b);
          if (drawable(from) && drawable(to)) {
            for (let i = cell(from); i <= cell(to); i++) row[i] = paint(colourOf(index), '─');
            row[cell(from)] = paint(colourOf(index), '├');
            row[cell(to)] = paint(colourOf(index), '┤');
          }
          row[end] = paint(colourOf(index), '◆');
        } else if (low === 0 && value > 0) {
          const drawn = blocksForward(((value - low) / (high - low)) * room);
          row.splice(0, drawn.length, paint(colourOf(index), drawn));
        } else if (value !== 0) {
          for (let i = Math.min(zero, end); i <= Math.max(zero, end); i++) row[i] = paint(colourOf(index), '█');
        }
      }
      const said = drawable(value) ? say(value) : '';
      lines.push(
        `${sized(index === 0 ? column : '', label)}${GAP}${name === 0 ? '' : `${sized(called, name)}${GAP}`}${sized(said, text, 'right')}${GAP}${row.join('')}`,
      );
    }
  return lines;
}
