// Reports in a terminal: no line is too wide, what is drawn stands where it should, and nothing is lost without colour.

import fc from 'fast-check';
import widthOf from 'fast-string-width';
import { describe, expect, it } from 'vitest';
import type { Part, Report } from '../../cli/insight-report.ts';
import { braille, Dots, sayReport } from '../../cli/insight-terminal.ts';
import { anyReport, ODD, USUAL } from './insight-reports.ts';

const WIDTHS = [40, 60, 79, 100, 160];
const bare = (text: string): string => text.replace(/\u001b\[[\d;]*m/g, '');
const said = (report: Report, width: number, colour = false): string[] =>
  sayReport(report, { width, colour }).split('\n');
const drawn = (part: Part, width = 60): string[] =>
  said({ name: 'n', title: 't', basis: 'b', json: {}, parts: [part] }, width).slice(3, -1);

describe('any report', () => {
  it.each(WIDTHS)('is at most %i columns wide, with colours and without', (width) => {
    for (const report of [USUAL, ODD])
      for (const colour of [true, false])
        for (const line of said(report, width, colour))
          expect([widthOf(bare(line)) <= width, line]).toEqual([true, line]);
  });

  it('says with colours the same words as without', () => {
    const words = (lines: string[]) => bare(lines.join(' ')).match(/[\p{L}\d]+/gu);
    expect(words(said(USUAL, 100, true))).toEqual(words(said(USUAL, 100)));
    expect(said(USUAL, 100).join('')).not.toContain('\u001b');
  });

  it('lets no text move the cursor or turn the direction, and writes no number that is none', () => {
    const text = said(ODD, 100).join('\n');
    expect(text).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('keeps to its width and to characters whatever it is made of', () => {
    fc.assert(
      fc.property(anyReport, fc.integer({ min: 40, max: 130 }), (report, width) => {
        const lines = said(report, width);
        expect(lines.filter((line) => widthOf(line) > width)).toEqual([]);
        expect(lines.join('')).not.toMatch(/[\p{Cc}]|NaN/u);
      }),
      { numRuns: 150 },
    );
  });

  it('says of empty parts that there is nothing', () => {
    const empty: Part[] = [
      { kind: 'figures', figures: [] },
      { kind: 'table', title: 'T', columns: [{ title: 'a' }], rows: [] },
      { kind: 'bars', title: 'T', bars: [] },
      { kind: 'heat', title: 'T', rowTitle: 'r', columnTitle: 'c', columns: ['a'], rows: [] },
      { kind: 'lines', title: 'T', x: { title: 'x', say: String }, y: { title: 'y', say: String }, series: [] },
      { kind: 'columns', title: 'T', xTitle: 'x', y: { title: 'y', say: String }, columns: ['a'], series: [] },
    ];
    for (const part of empty) expect(drawn(part).at(-1)).toBe('Nothing to show.');
  });
});

describe('a table', () => {
  it('aligns wide characters, emoji and combining marks', () => {
    const lines = drawn({
      kind: 'table',
      columns: [{ title: 'product' }, { title: 'n', align: 'right' }],
      rows: [
        ['カメラ', '1'],
        ['👩‍👩‍👧🇵🇱', '22'],
        ['e\u0301toile', '333'],
      ],
    });
    expect(lines).toEqual(['product    n', 'カメラ     1', '👩‍👩‍👧🇵🇱      22', 'e\u0301toile   333']);
    expect(new Set(lines.map((line) => widthOf(line)))).toEqual(new Set([12]));
  });

  it('cuts long texts before any number, and goes on below with its first column where numbers need more', () => {
    const text = drawn(
      {
        kind: 'table',
        columns: [{ title: 'name' }, { title: 'revenue', align: 'right' }],
        rows: [['n'.repeat(90), '1,234,567']],
      },
      40,
    );
    expect(text[1]).toBe(`${'n'.repeat(28)}…  1,234,567`);
    const columns = Array.from({ length: 6 }, (_, i) => ({
      title: `c${i}`,
      align: i === 0 ? ('left' as const) : ('right' as const),
    }));
    expect(drawn({ kind: 'table', columns, rows: [['row', ...Array(5).fill('1,234,567')]] }, 40)).toEqual([
      'c0          c1         c2         c3',
      'row  1,234,567  1,234,567  1,234,567',
      '',
      'c0          c4         c5',
      'row  1,234,567  1,234,567',
    ]);
  });
});

describe('bars', () => {
  const bars = (...shares: number[]): string[] =>
    drawn(
      { kind: 'bars', title: 'T', bars: shares.map((share, at) => ({ label: `${at}`, share, text: '' })) },
      40,
    ).slice(1);

  it('are as long as their shares, to the eighth of a column', () => {
    // 40 columns less the label, the text and two gaps: 35 are the whole.
    expect(bars(1, 0.5, 1 / 35, 1 / 280, 0)).toEqual([
      `0    ${'█'.repeat(35)}`,
      `1    ${'█'.repeat(17)}▌`,
      '2    █',
      '3    ▏',
      '4',
    ]);
  });

  it('have the columns of their texts one below the other', () => {
    const part = (text: string) => ({ label: 'a', share: 0, text });
    const lines = drawn({ kind: 'bars', title: 'T', bars: ['9 %  1,234', '100 %  7', '–'].map(part) });
    expect(lines.slice(1)).toEqual(['a    9 %  1,234', 'a  100 %      7', 'a      –']);
  });

  it('go to the left below nothing, on the same scale', () => {
    const [plus, minus, none] = bars(1, -0.5, 0) as [string, string, string];
    expect(plus.indexOf('│')).toBe(minus.indexOf('│'));
    expect(none.trimEnd().at(-1)).toBe('│');
    const long = (line: string): number => line.match(/█/g)!.length;
    expect(Math.abs(long(minus) * 2 - long(plus))).toBeLessThanOrEqual(1);
    expect(minus.indexOf('█')).toBeLessThan(minus.indexOf('│'));
    expect(plus.indexOf('█')).toBeGreaterThan(plus.indexOf('│'));
  });
});

describe('a map', () => {
  const heat: Part = {
    kind: 'heat',
    title: 'T',
    rowTitle: 'first',
    columnTitle: 'later',
    columns: ['0', '1'],
    rows: [
      {
        label: 'Jan',
        cells: [
          { shade: 1, text: '100 %' },
          { shade: 0.3, text: '30 %' },
        ],
      },
      { label: 'Feb', cells: [{ shade: 0.6, text: '60 %' }, { text: '' }] },
      { label: 'Mar', cells: [] },
    ],
  };

  it('is told by blocks and numbers without colour, and a cell without shade is a point', () => {
    expect(drawn(heat).slice(1)).toEqual([
      'first ↓  later →  (in %)',
      '          0      1',
      'Jan   █ 100  ▒  30',
      'Feb   ▓  60      ·',
      'Mar       ·      ·',
    ]);
  });

  it('has dark letters on pale cells and pale ones on dark', () => {
    const text = sayReport({ name: 'n', title: 't', basis: 'b', json: {}, parts: [heat] }, { width: 60, colour: true });
    expect(text).toContain('\u001b[48;5;25m\u001b[38;5;231m 100 \u001b[39m\u001b[49m');
    expect(text).toMatch(/\u001b\[48;5;1\d\dm\u001b\[38;5;16m {2}30 /);
  });
});

describe('lines', () => {
  const plot = (points: [number, number][], width = 60): string[] =>
    drawn(
      {
        kind: 'lines',
        title: 'T',
        x: { title: 'x', say: String },
        y: { title: 'y', say: String },
        series: [{ title: 's', points }],
      },
      width,
    ).slice(2);
  const cells = (lines: string[]): string[] =>
    lines.filter((line) => /[│┤]/.test(line)).map((line) => line.replace(/^.*?[│┤]/, ''));

  it('set the dots of braille where the points are', () => {
    const corner = (x: number, y: number): string => {
      const dots = new Dots(1, 1);
      dots.set(x, y);
      return braille(dots.bits(0, 0));
    };
    expect([corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)]).toEqual(['⡀', '⢀', '⠁', '⠈']);
    expect(corner(1.5, 0)).toBe('\u2800');
    const rising = new Dots(2, 1);
    rising.line([0, 0], [1, 1]);
    expect(braille(rising.bits(0, 0)) + braille(rising.bits(1, 0))).toBe('⡠⠊');
    const level = new Dots(4, 1);
    level.line([0, 1], [1, 1], true);
    expect([0, 1, 2, 3].map((at) => braille(level.bits(at, 0))).join('')).toBe('⠉\u2800⠉\u2800');
  });

  it('go from the tick of their first value to that of their last', () => {
    const lines = plot([
      [0, 0],
      [10, 100],
    ]);
    const rows = lines.filter((line) => /[│┤]/.test(line));
    expect(rows[0]).toMatch(/^100 ┤ +[\u2801-\u28ff]+$/);
    expect(rows.at(-1)).toMatch(/^ {2}0 ┤[\u2801-\u28ff]/);
    expect(lines.at(-2)).toMatch(/^ {4,5}0 .*10$/);
    expect(cells(lines)).toHaveLength(14);
  });

  it('of one point are one point', () => {
    expect(
      cells(plot([[3, 4]]))
        .join('')
        .replaceAll(' ', ''),
    ).toBe('●');
  });

  it('of equal values are level', () => {
    for (const value of [5, 0, -5]) {
      const rows = cells(
        plot([
          [0, value],
          [1, value],
          [2, value],
        ]),
      ).filter((row) => row.trim() !== '');
      expect(rows).toHaveLength(1);
      expect(new Set(rows[0]).size).toBe(1);
    }
  });

  it('are parted by what is no number', () => {
    const row = cells(
      plot([
        [0, 1],
        [1, 1],
        [2, Number.NaN],
        [3, 1],
        [4, 1],
      ]),
    ).find((each) => each.trim() !== '')!;
    expect(row.trim()).toMatch(/^[\u2801-\u28ff]+ +[\u2801-\u28ff]+$/);
  });

  it('are named at their ends, in the order in which they end', () => {
    const lines = drawn({
      kind: 'lines',
      title: 'T',
      x: { title: 'x', say: String },
      y: { title: 'y', say: String },
      series: [
        {
          title: 'low',
          points: [
            [0, 9],
            [1, 1],
          ],
        },
        {
          title: 'high',
          points: [
            [0, 1],
            [1, 9],
          ],
        },
        {
          title: 'as high',
          points: [
            [0, 1],
            [1, 9],
          ],
        },
      ],
    });
    const at = (name: string): number => lines.findIndex((line) => line.endsWith(`  ${name}`));
    expect(at('high')).toBeGreaterThan(0);
    expect(at('as high')).toBe(at('high') + 1);
    expect(at('low')).toBeGreaterThan(at('as high') + 5);
  });
});
