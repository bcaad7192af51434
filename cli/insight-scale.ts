// Axes of drawings: round ticks, ranges without holes, and texts that are safe to measure.
import type { Axis, Part, Point } from './insight-report.ts';

/** A part that is drawn over a pair of axes. */
export type Lines = Extract<Part, { kind: 'lines' }>;
export type Columns = Extract<Part, { kind: 'columns' }>;

export interface Range {
  low: number;
  high: number;
}

/** Values beyond are not drawn: their differences would leave the range of numbers. */
const MOST = 1e200;
export const drawable = (value: number | undefined): value is number =>
  value !== undefined && Number.isFinite(value) && Math.abs(value) < MOST;

/** The least and the greatest of the values that can be drawn; undefined without any. */
export function rangeOf(values: Iterable<number | undefined>): Range | undefined {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!drawable(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? { low, high } : undefined;
}

/** The range of an upright axis: with zero, with some air at the other end. All equal values, also all 0, have one. */
export function uprightRange({ low, high }: Range, axis: Axis, most: number): Range {
  const from = Math.min(0, low);
  const to = Math.max(0, high) === from ? from + 1 : Math.max(0, high);
  const step = stepOf(from, to, most);
  const rounded = { low: Math.floor(from / step + 1e-9) * step, high: Math.ceil(to / step - 1e-9) * step };
  const air = (to - from) * 0.03;
  return {
    low: from === 0 || from - rounded.low < step * 0.4 ? rounded.low : from - air,
    high: to === 0 || rounded.high - to < step * 0.4 || axis.ticks !== undefined ? rounded.high : to + air,
  };
}

/**
 * Round values inside the range, at most `most` (2 or more), multiples of 1, 2 or 5 times a power of ten; fewer where
 * two of them would read alike.
 */
export function ticksOf({ low, high }: Range, axis: Axis, most: number): { at: number; text: string }[] {
  const said = (values: readonly number[]) => values.map((at) => ({ at, text: plain(axis.say(at)) }));
  if (low === high) return said([low]);
  if (axis.ticks !== undefined) {
    const inside = axis.ticks.filter((tick) => tick >= low && tick <= high).sort((a, b) => a - b);
    const every = Math.ceil(inside.length / most);
    if (inside.length > 0) return said(inside.filter((_, index) => index % every === 0));
  }
  for (let many = most; many >= 2; many--) {
    const step = stepOf(low, high, many);
    const first = Math.ceil(low / step - 1e-9);
    const last = Math.floor(high / step + 1e-9);
    const found = said(Array.from({ length: last - first + 1 }, (_, index) => multiple(first + index, step)));
    if (found.length > 0 && new Set(found.map(({ text }) => text)).size === found.length) return found;
  }
  return said([low, high]).filter(({ text }, index, all) => index === 0 || text !== all[0]!.text);
}

/** The least step of 1, 2 or 5 times a power of ten that has at most `most` multiples in the range. */
function stepOf(low: number, high: number, most: number): number {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  const steps = [1, 2, 5, 10, 20, 50].map((step) => step * power);
  return steps.find((step) => Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) < most) ?? 100 * power;
}

/** n times the step, without the dust of binary fractions: 3 × 0.1 is 0.3. */
function multiple(n: number, step: number): number {
  return step < 1 ? n / Math.round(1 / step) : n * step;
}

/** The pieces of a line between its holes: what cannot be drawn parts it. */
export function unbroken(points: readonly Point[]): Point[][] {
  const pieces: Point[][] = [[]];
  for (const point of points) {
    if (drawable(point[0]) && drawable(point[1])) pieces.at(-1)!.push(point);
    else if (pieces.at(-1)!.length > 0) pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

/** Where a line is at an x, between its points; undefined outside it. */
export function heightAt(piece: readonly Point[], x: number): number | undefined {
  const next = piece.findIndex(([at]) => at >= x);
  if (next < 0) return undefined;
  const [x1, y1] = piece[next]!;
  if (next === 0) return x1 === x ? y1 : undefined;
  const [x0, y0] = piece[next - 1]!;
  return x1 === x0 ? y1 : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

/**
 * A text on one line, without what moves a terminal's cursor, turns its direction or has no width, and without halves
 * of characters.
 */
export function plain(text: string): string {
  return text
    .toWellFormed()
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, '');
}

/** The texts of bars in the columns that two spaces part them into; all have as many as the longest. */
export function partedTexts(texts: readonly string[]): string[][] {
  const parted = texts.map((text) => plain(text).split(/ {2,}/));
  const most = Math.max(0, ...parted.map((cells) => cells.length));
  return parted.map((cells) => [...cells, ...Array.from({ length: most - cells.length }, () => '')]);
}
