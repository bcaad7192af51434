// A page of lines for people: tones, text that is broken between words, and clauses as a tree with ✓ and ✗.
import type { Clause } from '../domain/explain.ts';
import { sayInstant } from '../domain/say-found.ts';

/** How it is printed: `width` in columns; `colours` for a terminal. */
export interface Paper {
  width: number;
  colours: boolean;
}

/** What suits the terminal, or a file. */
export function paperOf({ isTTY, columns = 100 }: { isTTY?: boolean; columns?: number }): Paper {
  return {
    width: Math.min(120, Math.max(40, columns)),
    colours: isTTY === true && process.env.NO_COLOR === undefined,
  };
}

export type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
const CODES: Record<Tone, [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** Lines that are put down one after another; instants of clauses are told in the zone. */
export function page({ width, colours }: Paper, zone: string) {
  const lines: string[] = [];
  const tone = (name: Tone, text: string): string =>
    colours ? `\u001b[${CODES[name][0]}m${text}\u001b[${CODES[name][1]}m` : text;
  const mark = (holds: boolean): string => (holds ? tone('green', '✓') : tone('red', '✗'));
  const dim = (line: string): string => tone('dim', line);
  const when = (at: number): string => sayInstant(at, zone);
  /** A text, broken to the width; `hang` is put before all lines but the first. */
  const put = (text: string, indent: string, as: (line: string) => string = (line) => line, hang = ''): void => {
    const room = width - indent.length;
    wrap(text, room, room - hang.length).forEach((line, at) => {
      lines.push(`${indent}${at === 0 ? '' : hang}${as(line)}`);
    });
  };
  /** `told`: a turn that has been told of the whole. */
  const tree = (clause: Clause, depth: number, told?: number): void => {
    const { words, found, turns, below } = asShown(clause);
    const indent = '  '.repeat(depth);
    const notes = [
      ...(found === undefined ? [] : [found]),
      ...(turns === undefined || turns === told ? [] : [`${clause.holds ? 'until' : 'from'} ${when(turns)}`]),
    ];
    const room = width - indent.length - 2;
    const [first = '', ...rest] = wrap(words, room);
    const all = notes.join(' · ');
    const short = rest.length === 0 && notes.length > 0 && first.length + all.length + 3 <= room;
    lines.push(`${indent}${mark(clause.holds)} ${first}${short ? dim(` · ${all}`) : ''}`);
    for (const line of rest) lines.push(`${indent}  ${line}`);
    if (!short) for (const note of all.length + 4 <= room ? [all] : notes) if (note) put(note, `${indent}    `, dim);
    for (const part of below) tree(part, depth + 1);
  };
  return { lines, tone, mark, dim, put, tree };
}

/** A clause as people read it: a group of one is its member, a "not" of one thing is one line. */
function asShown(clause: Clause): { words: string; found?: string; turns?: number; below: Clause[] } {
  const { kind, parts = [], found, turns, words } = clause;
  const rest = { ...(found !== undefined && { found }), ...(turns !== undefined && { turns }) };
  const [part] = parts;
  if (kind === 'segment' || part === undefined) return { words, ...rest, below: parts };
  if (kind === 'not') {
    const inner = asShown(part);
    if (part.kind === 'any' && inner.below === part.parts)
      return { words: 'none of these', ...rest, below: inner.below };
    if ((part.kind === 'all' || part.kind === 'has') && inner.below === part.parts)
      return { words: 'not all of these', ...rest, below: inner.below };
    if (part.kind === 'not') return { words: 'not this', ...rest, below: [part] };
    return { words, ...(inner.found !== undefined && { found: inner.found }), ...rest, below: inner.below };
  }
  if (parts.length === 1) return asShown(part);
  return { words: kind === 'any' ? 'at least one of these' : 'all of these', ...rest, below: parts };
}

/** The text in lines of at most `width` characters, tones apart, broken between words; `further` from the second on. */
function wrap(text: string, width: number, further = width): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && lengthOf(line) + 1 + lengthOf(word) > Math.max(lines.length === 0 ? width : further, 20)) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const lengthOf = (text: string): number => text.replace(/\u001b\[\d+m/g, '').length;
