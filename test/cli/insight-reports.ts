// Reports for the tests of both renderers: one with every part as a shop would have it, and one of everything that could go wrong.
import fc from 'fast-check';
import type { Part, Report } from '../../cli/insight-report.ts';

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const MONTHS = ['2010-12', '2011-01', '2011-02', '2011-03', '2011-04', '2011-05', '2011-06', '2011-07', '2011-08'];

/** Every kind of part, with figures as a shop has them. */
export const USUAL: Report = {
  name: 'usual',
  title: 'Who comes back',
  basis: 'Made of 18,402 orders of 4,338 customers from 1 December 2010 to 9 December 2011.',
  json: {},
  parts: [
    {
      kind: 'figures',
      figures: [
        { value: '65.6 %', caption: 'bought again', note: '2,845 of 4,338 customers' },
        { value: '34 days', caption: 'between orders', note: 'median' },
        { value: '£ 2,054', caption: 'spent by a customer', note: 'mean; median £ 674' },
        { value: '74 %', caption: 'of revenue from the top fifth' },
      ],
    },
    {
      kind: 'text',
      text: 'A customer is one who has ordered at least once. Refunds are taken off the order they belong to.',
    },
    { kind: 'text', tone: 'warning', text: 'The last month is not over: its customers have had nine days.' },
    { kind: 'heading', text: 'By month of the first order' },
    {
      kind: 'heat',
      title: 'Of those who first bought in a month, how many bought again in a later one',
      rowTitle: 'first order',
      columnTitle: 'months later',
      columns: MONTHS.map((_, later) => `${later}`),
      rows: MONTHS.map((label, row) => ({
        label,
        cells: MONTHS.slice(0, MONTHS.length - row).map((_, later) => {
          const share = later === 0 ? 1 : (0.37 - row * 0.018) * (1 + 0.16 * Math.sin(later * 2 + row));
          return { shade: later === 0 ? 1 : share, text: percent(share) };
        }),
      })),
    },
    {
      kind: 'lines',
      title: 'The share of revenue that the best customers bring',
      x: { title: 'customers, best first', say: percent },
      y: { title: 'share of the whole', say: percent },
      series: [
        { title: 'revenue', points: Array.from({ length: 101 }, (_, i) => [i / 100, 1 - (1 - i / 100) ** 4]) },
        {
          title: 'margin',
          points: Array.from({ length: 101 }, (_, i) => [i / 100, 1.04 - 0.04 * (i / 100) - 1.04 * (1 - i / 100) ** 5]),
        },
        {
          title: 'if all were alike',
          dashed: true,
          points: [
            [0, 0],
            [1, 1],
          ],
        },
      ],
      marks: [{ x: 0.2, title: 'a fifth of customers' }],
    },
    {
      kind: 'lines',
      title: 'Repeat purchases as they came, and as the model foretold them',
      x: { title: 'weeks', say: (week) => `${week}`, ticks: [0, 13, 26, 39, 52, 65, 78] },
      y: { title: 'repeat purchases so far', say: (value) => value.toLocaleString('en') },
      series: [
        {
          title: 'happened',
          points: Array.from({ length: 79 }, (_, week) => [
            week,
            4200 * (1 - Math.exp(-week / 45)) + 60 * Math.sin(week / 3),
          ]),
        },
        {
          title: 'model',
          dashed: true,
          points: Array.from({ length: 79 }, (_, week) => [week, 4100 * (1 - Math.exp(-week / 45))]),
          band: Array.from({ length: 79 }, (_, week) => {
            const middle = 4100 * (1 - Math.exp(-week / 45));
            const wide = week < 39 ? 0 : (week - 39) * 5;
            return [week, middle - wide, middle + wide];
          }),
        },
      ],
      marks: [{ x: 39, title: 'the fit ends' }],
    },
    {
      kind: 'columns',
      title: 'Customers by number of repeat purchases',
      xTitle: 'repeat purchases',
      y: { title: 'customers', say: (value) => value.toLocaleString('en') },
      columns: ['0', '1', '2', '3', '4', '5', '6', '7+'],
      series: [
        { title: 'happened', values: [1411, 439, 214, 100, 62, 38, 29, 64] },
        {
          title: 'model',
          as: 'points',
          values: [1402, 448, 207, 110, 65, 41, 27, 57],
          intervals: [1402, 448, 207, 110, 65, 41, 27, 57].map((value) => [
            value - 2 * Math.sqrt(value),
            value + 2 * Math.sqrt(value),
          ]),
        },
      ],
    },
    {
      kind: 'bars',
      title: 'Customers by group',
      bars: [
        { label: 'champions', share: 1, text: '932' },
        { label: 'loyal', share: 0.61, text: '569' },
        { label: 'at risk', share: 0.52, text: '485' },
        { label: 'new', share: 0.2, text: '186' },
        { label: 'lost', share: 0.004, text: '4' },
      ],
    },
    {
      kind: 'bars',
      title: 'Profit by category',
      bars: [
        { label: 'Cameras', share: 1, text: '€ 12,400.00' },
        { label: 'Lenses', share: 0.35, text: '€ 4,340.00' },
        { label: 'Bags', share: -0.4, text: '−€ 4,960.00' },
      ],
    },
    {
      kind: 'table',
      title: 'Groups',
      columns: [
        { title: 'group' },
        { title: 'what it is' },
        { title: 'customers', align: 'right' },
        { title: 'revenue', align: 'right' },
      ],
      rows: [
        ['champions', 'bought of late, often, and for much', '932', '£ 5,412,300.10'],
        ['at risk', 'bought often and for much, but not of late', '485', '£ 812,004.00'],
        ['lost', 'bought once, long ago', '1,061', '£ 201,998.75'],
      ],
    },
  ],
};

const HOLE = Number.NaN;

/** Hostile texts, holes, extremes and nothing at all. */
export const ODD: Report = {
  name: 'odd "><script>alert(1)</script>',
  title: '<script>alert("title")</script> & "quotes"',
  basis: '</style><img src=x onerror=alert(1)> \u001b[31mred\u001b[0m \u202ebackwards \u0000 \ud800',
  json: {},
  parts: [
    { kind: 'heading', text: '<h1>' },
    { kind: 'text', text: '' },
    { kind: 'text', text: 'x'.repeat(400) },
    { kind: 'figures', figures: [] },
    { kind: 'figures', figures: [{ value: '<b>1</b>', caption: '日本語の説明'.repeat(20) }] },
    { kind: 'table', columns: [], rows: [] },
    { kind: 'table', title: 'no rows', columns: [{ title: 'a' }], rows: [] },
    {
      kind: 'table',
      title: 'wide characters <i>',
      columns: [{ title: '' }, { title: '数', align: 'right' }, { title: 'short' }],
      rows: [
        ['カメラ 日本製 特別価格', '1', 'e\u0301toile'],
        ['👩‍👩‍👧 family 🇵🇱', '22', '<script>alert(2)</script>'],
        ['ﷺ العربية', '333'],
        ['a\tb\nc', '4', 'more', 'than the columns'],
      ],
    },
    {
      kind: 'table',
      title: 'more columns than any terminal has',
      columns: Array.from({ length: 40 }, (_, i) => ({ title: `column ${i}`, align: i === 0 ? 'left' : 'right' })),
      rows: [Array.from({ length: 40 }, (_, i) => `${10 ** (i % 9)}`)],
    },
    {
      kind: 'table',
      columns: [
        { title: 'long', align: 'right' },
        { title: 'longer', align: 'right' },
      ],
      rows: [['9'.repeat(200), '8'.repeat(200)]],
    },
    { kind: 'bars', title: 'no bars', bars: [] },
    {
      kind: 'bars',
      title: 'odd bars',
      bars: [
        { label: 'a category called <script>alert(3)</script> '.repeat(8), share: HOLE, text: '–' },
        { label: 'minus', share: -1, text: '−1' },
        { label: 'beyond', share: 7, text: '7' },
        { label: '全角', share: Number.POSITIVE_INFINITY, text: '∞' },
      ],
    },
    {
      kind: 'bars',
      title: 'all minus',
      bars: [
        { label: 'a', share: -0.5, text: '' },
        { label: 'b', share: -1, text: 't'.repeat(300) },
      ],
    },
    { kind: 'bars', title: 'all nothing', bars: [{ label: 'a', share: 0, text: '0' }] },
    { kind: 'heat', title: 'no map', rowTitle: 'r', columnTitle: 'c', columns: [], rows: [] },
    {
      kind: 'heat',
      title: 'an odd map',
      rowTitle: '<row>',
      columnTitle: '"column"',
      columns: ['a', 'a very long name of a column, <b>bold</b>', '日本'],
      rows: [
        { label: '<script>', cells: [{ text: 'no shade' }, { shade: HOLE, text: '?' }, { shade: -3, text: '−' }] },
        { label: 'missing cells', cells: [{ shade: 9, text: '9' }] },
        {
          label: 'more',
          cells: [{ text: '' }, { shade: 0, text: '' }, { shade: 0.5, text: 'half' }, { shade: 1, text: 'too many' }],
        },
      ],
    },
    {
      kind: 'heat',
      title: 'a wide map',
      rowTitle: 'row',
      columnTitle: 'column',
      columns: Array.from({ length: 30 }, (_, i) => `2011-${i}`),
      rows: [
        { label: 'l'.repeat(90), cells: Array.from({ length: 30 }, (_, i) => ({ shade: i / 29, text: `${i} %` })) },
      ],
    },
    ...(
      [
        ['no series', []],
        ['no points', [{ title: 'empty', points: [] }]],
        [
          'only holes',
          [
            {
              title: 'holes',
              points: [
                [0, HOLE],
                [HOLE, 1],
                [1, Number.POSITIVE_INFINITY],
              ],
            },
          ],
        ],
        ['one point', [{ title: 'one', points: [[3, 4]] }]],
        [
          'all equal',
          [
            {
              title: 'flat',
              points: [
                [0, 5],
                [1, 5],
                [2, 5],
              ],
            },
          ],
        ],
        [
          'all nothing',
          [
            {
              title: 'zero',
              points: [
                [0, 0],
                [9, 0],
              ],
            },
          ],
        ],
        [
          'a hole in the middle',
          [
            {
              title: 'torn',
              points: [
                [0, 1],
                [1, HOLE],
                [2, 1e300],
                [3, -2],
                [4, 1e-9],
              ],
            },
          ],
        ],
        [
          'upright',
          [
            {
              title: 'same x',
              points: [
                [1, 1],
                [1, 9],
              ],
            },
          ],
        ],
        [
          'bands and marks with holes',
          [
            {
              title: '<script>alert(4)</script>',
              points: [
                [0, 1],
                [9, 3],
              ],
              band: [
                [0, HOLE, 2],
                [5, 1, 9],
                [9, -4, Number.POSITIVE_INFINITY],
              ],
            },
          ],
        ],
        [
          'many',
          Array.from({ length: 12 }, (_, i) => ({
            title: `${'a long name of a line '.repeat(4)}${i}`,
            points: [
              [0, i],
              [1, i],
            ],
          })),
        ],
      ] as [string, Extract<Report['parts'][number], { kind: 'lines' }>['series']][]
    ).map(([title, series]): Report['parts'][number] => ({
      kind: 'lines',
      title,
      x: { title: '<x>', say: (value) => `<${value}>` },
      y: { title: '<y>', say: (value) => `<${value}>` },
      series,
      marks: [
        { x: HOLE, title: 'nowhere' },
        { x: 1, title: '<mark>' },
        { x: 1e9, title: 'outside' },
      ],
    })),
    { kind: 'columns', title: 'no columns', xTitle: 'x', y: { title: 'y', say: String }, columns: [], series: [] },
    {
      kind: 'columns',
      title: 'no values',
      xTitle: 'x',
      y: { title: 'y', say: String },
      columns: ['a'],
      series: [{ title: 's', values: [HOLE] }],
    },
    {
      kind: 'columns',
      title: 'odd columns',
      xTitle: '<x>',
      y: { title: '<y>', say: (value) => `<${value}>` },
      columns: ['<script>', 'b', '日本', ...Array.from({ length: 40 }, (_, i) => `column number ${i}`)],
      series: [
        { title: '<happened>', values: [-3, undefined, 5, HOLE, 1e300, 2] },
        {
          title: 'model',
          as: 'points',
          values: [1, 2, undefined, 4],
          intervals: [[HOLE, 2], [1, 3], undefined, [5, 3]],
        },
        { title: 'third', values: [0, 0, 0] },
      ],
    },
  ],
};

const words = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('<script>', '"&\'', '', 'a b c '.repeat(12)),
);
const value = fc.oneof(fc.double(), fc.double({ min: -100, max: 100 }), fc.integer({ min: -3, max: 3 }));
const axis = fc.record({ title: words, say: fc.constant((at: number) => `${at}`) });
const few = <T>(of: fc.Arbitrary<T>) => fc.array(of, { maxLength: 5 });

/** Any part at all, also such as nobody would make. */
export const anyReport: fc.Arbitrary<Report> = fc.record({
  name: words,
  title: words,
  basis: words,
  json: fc.constant({}),
  parts: few(
    fc.oneof<fc.Arbitrary<Part>[]>(
      fc.record({ kind: fc.constant('text' as const), text: words }),
      fc.record({
        kind: fc.constant('figures' as const),
        figures: few(fc.record({ value: words, caption: words, note: words })),
      }),
      fc.record({
        kind: fc.constant('table' as const),
        title: words,
        columns: few(fc.record({ title: words, align: fc.constantFrom('left' as const, 'right' as const) })),
        rows: few(few(words)),
      }),
      fc.record({
        kind: fc.constant('bars' as const),
        title: words,
        bars: few(fc.record({ label: words, share: value, text: words })),
      }),
      fc.record({
        kind: fc.constant('heat' as const),
        title: words,
        rowTitle: words,
        columnTitle: words,
        columns: few(words),
        rows: few(
          fc.record({ label: words, cells: few(fc.record({ shade: value, text: words }, { requiredKeys: ['text'] })) }),
        ),
      }),
      fc.record({
        kind: fc.constant('lines' as const),
        title: words,
        x: axis,
        y: axis,
        series: few(
          fc.record({
            title: words,
            points: few(fc.tuple(value, value)),
            band: few(fc.tuple(value, value, value)),
            dashed: fc.boolean(),
          }),
        ),
        marks: few(fc.record({ x: value, title: words })),
      }),
      fc.record({
        kind: fc.constant('columns' as const),
        title: words,
        xTitle: words,
        y: axis,
        columns: few(words),
        series: few(
          fc.record(
            {
              title: words,
              values: few(value),
              as: fc.constant('points' as const),
              intervals: few(fc.tuple(value, value)),
            },
            { requiredKeys: ['title', 'values'] },
          ),
        ),
      }),
    ),
  ),
});
