// kairos insight --by: any figure by product, category, country, channel, campaign or period, with totals that add up.
import {
  addsUp,
  COUNTED,
  type Counted,
  cubeQuestion,
  cubeStatement,
  DIMENSION_NAMES,
  type Dimension,
  MEASURE_NAMES,
  MEASURES,
  type MeasureName,
  PERIODS,
} from '../domain/insight/cube.ts';
import { dateOfDay, dayOfDate } from '../domain/insight/customer.ts';
import type { Catalogue } from '../domain/settings.ts';
import type { Row } from '../functions/aws/warehouse.ts';
import { count, counted, dateAsked, moneyOf, number, percent } from './insight-figures.ts';
import type { Part, Point, Report } from './insight-report.ts';
import type { InsightSource } from './insight-source.ts';
import { wholeNumber } from './messages.ts';

/** The options of `kairos insight` beside those that all reports have. */
export interface CubeOptions {
  by?: string;
  of?: string;
  from?: string;
  to?: string;
  top?: string;
}

export const CUBE_OPTIONS: readonly [flags: string, description: string][] = [
  ['--by <dimensions>', `figures by ${DIMENSION_NAMES.join(', ')}: one or several, with commas`],
  ['--of <measures>', `which: ${MEASURE_NAMES.join(', ')}`],
  ['--from <date>', 'from this day on'],
  ['--to <date>', 'up to this day'],
  ['--top <number>', 'show so many parts, the rest as one; by default 20, or 6 over a time'],
];

const MOST_HEAT = 12;
const UNKNOWN = '(not known)';
const OTHERS = 'all others';

interface Piece extends Counted {
  parts: (string | undefined)[];
}

/** The figures that were asked for. Throws KairosError for a dimension, a measure or a date that cannot be read. */
export async function cubeReport(source: InsightSource, options: CubeOptions & { by: string }): Promise<Report> {
  const { warehouse, today, shop } = source;
  const { by, of: asked } = cubeQuestion(options.by, options.of);
  const from = dateAsked('--from', options.from);
  const to = dateAsked('--to', options.to) ?? today;
  const rows = await warehouse.rows(cubeStatement({ by }), { from: from ?? dayOfDate('1900-01-01'), to });
  const whole = pieceOf(rows.find((row) => row.is_total === 1) ?? {}, by);
  const pieces = rows.filter((row) => row.is_total !== 1).map((row) => pieceOf(row, by));
  // Unless it was asked for, a margin that nothing is known of is left out.
  const of = options.of === undefined && whole.valued === 0 ? asked.filter((name) => name !== 'margin') : asked;
  const [first = 'revenue'] = of;
  const period = by.findIndex((name) => PERIODS.includes(name));
  const figureOf = (piece: Piece, name: MeasureName): number | undefined =>
    piece.valued === 0 && whole.valued === 0 && (name === 'margin' || name === 'profit')
      ? undefined
      : MEASURES[name].of(piece);
  const isTime = by.length === 1 && period === 0;
  const top = options.top === undefined ? defaultTop(by, period) : wholeNumber('--top', options.top);
  // Of a time alone the latest parts are shown, in its order; else the greatest, each with all of its time.
  const keyOf = ({ parts }: Piece): string => parts.filter((_, i) => i !== period).join('\u0000');
  const weights = new Map<string, number>();
  for (const piece of pieces)
    weights.set(keyOf(piece), (weights.get(keyOf(piece)) ?? 0) + (figureOf(piece, first) ?? 0));
  const ranked = pieces.toSorted(
    (a, b) =>
      (weights.get(keyOf(b)) ?? 0) - (weights.get(keyOf(a)) ?? 0) ||
      order(keyOf(a), keyOf(b)) ||
      order(a.parts[period], b.parts[period]),
  );
  const kept = new Set([...new Set(ranked.map(keyOf))].slice(0, top));
  const shown = isTime ? ranked.slice(-top) : ranked.filter((piece) => kept.has(keyOf(piece)));
  const others = isTime
    ? ranked.slice(0, ranked.length - shown.length)
    : ranked.filter((piece) => !kept.has(keyOf(piece)));
  const { money } = moneyOf(source);
  const write = (piece: Piece, name: MeasureName): string => {
    const value = figureOf(piece, name);
    const { unit } = MEASURES[name];
    if (unit === 'money') return money(value);
    return unit === 'share' ? percent(value) : count(value, unit === 'ratio' ? 1 : 0);
  };
  const label = (piece: Piece, i: number): string => labelOf(piece.parts[i], by[i] as Dimension, shop.catalogue);
  const rest = sumOf(others, by);
  const titles = of.map((name) => MEASURES[name].title);
  const apart = of.filter((name) => !addsUp(name, by));
  const parts: Part[] = [
    {
      kind: 'text',
      text:
        `${from === undefined ? 'Up to' : `From ${dateOfDay(from)} to`} ${dateOfDay(to)}: ${counted(pieces.length, 'part')}. ` +
        'Revenue and margin are net of refunds, at the date of the order; a credit note that belongs to no order counts at its own.',
    },
    ...drawingOf({ by, period, first, shown, figureOf, write, label, title: titles[0] ?? '' }),
    {
      kind: 'table',
      columns: [...by.map((name) => ({ title: name })), ...titles.map((title) => ({ title, align: 'right' as const }))],
      rows: [
        ...(isTime && others.length > 0 ? [othersRow()] : []),
        ...shown.map((piece) => [...by.map((_, i) => label(piece, i)), ...of.map((name) => write(piece, name))]),
        ...(!isTime && others.length > 0 ? [othersRow()] : []),
        ['in all', ...by.slice(1).map(() => ''), ...of.map((name) => write(whole, name))],
      ],
    },
    ...notes(),
  ];

  function othersRow(): string[] {
    const name = isTime ? 'earlier' : OTHERS;
    return [
      `${name} (${count(others.length)})`,
      ...by.slice(1).map(() => ''),
      ...of.map((measure) => (addsUp(measure, by) || MEASURES[measure].unit === 'share' ? write(rest, measure) : '')),
    ];
  }

  function notes(): Part[] {
    const said: string[] = [];
    if (apart.includes('orders') || apart.includes('customers')) {
      const what = apart.filter((name) => name === 'orders' || name === 'customers').join(' and ');
      said.push(`One may be in several parts: in all, ${what} are counted once each.`);
    }
    if (by.includes('campaign')) {
      said.push(
        'An order is counted to the campaign of the last mail that went out in the seven days before it: what came after a mail, ' +
          'not what it caused. What a campaign caused is told by those who were held out.',
      );
    }
    const mail = of.filter((name) => ['profit', 'cost', 'messages'].includes(name));
    if (mail.length > 0 && by.some((name) => ['product', 'category', 'channel'].includes(name))) {
      said.push(`What mail has cost is of no product, category or channel: it stands beside ${UNKNOWN}.`);
    }
    if (of.includes('margin') || of.includes('profit')) {
      if (whole.valued === 0) said.push('No margin is known.');
      else if (whole.valued !== whole.revenue)
        said.push(`Margin is of the ${percent(whole.valued / whole.revenue)} of revenue whose margin is known.`);
    }
    return said.length === 0 ? [] : [{ kind: 'text', text: said.join(' ') }];
  }

  return {
    name: 'by',
    title: `${titles.join(', ')} by ${by.join(', ')}`.replace(/^./, (letter) => letter.toUpperCase()),
    basis: source.says,
    parts,
    json: {
      from: from === undefined ? null : dateOfDay(from),
      to: dateOfDay(to),
      by,
      of,
      total: jsonOf(whole),
      parts: ranked.map((piece) => ({
        ...Object.fromEntries(by.map((name, i) => [name, piece.parts[i] ?? null])),
        ...jsonOf(piece),
      })),
    },
  };

  function jsonOf(piece: Piece): Record<string, number | null> {
    return Object.fromEntries(
      of.map((name) => [
        MEASURES[name].unit === 'money' ? `${name}Minor` : name === 'messages' ? 'messagesPerBuyer' : name,
        figureOf(piece, name) ?? null,
      ]),
    );
  }
}

/** Parts that are shown unless said otherwise: fewer where each comes with its time. */
const defaultTop = (by: readonly Dimension[], period: number): number => (period < 0 ? 20 : by.length === 1 ? 60 : 6);

const order = (a = '', b = ''): number => (a === b ? 0 : a < b ? -1 : 1);

function pieceOf(row: Row, by: readonly Dimension[]): Piece {
  const numbers = Object.fromEntries(COUNTED.map((name) => [name, number(row[name])])) as unknown as Counted;
  const parts = by.map((_, i) => {
    const cell = row[`part${i + 1}`];
    return cell === undefined || cell === null ? undefined : String(cell);
  });
  return { ...numbers, parts };
}

function sumOf(pieces: readonly Piece[], by: readonly Dimension[]): Piece {
  const sums = Object.fromEntries(
    COUNTED.map((name) => [name, pieces.reduce((sum, piece) => sum + piece[name], 0)]),
  ) as unknown as Counted;
  return { ...sums, parts: by.map(() => undefined) };
}

function labelOf(part: string | undefined, dimension: Dimension, { products }: Catalogue): string {
  if (part === undefined) return dimension === 'campaign' ? '(no mail before)' : UNKNOWN;
  switch (dimension) {
    case 'product': {
      const name = Object.hasOwn(products, part) ? products[part]?.name : undefined;
      return name === undefined || name === part ? part : `${part} ${name}`;
    }
    case 'month':
      return part.slice(0, 7);
    case 'quarter':
      return `${part.slice(0, 4)} Q${Math.ceil(Number(part.slice(5, 7)) / 3)}`;
    case 'year':
      return part.slice(0, 4);
    default:
      return part;
  }
}

/** One dimension as bars, or as a line where it is a time; two as a map. */
function drawingOf({
  by,
  period,
  first,
  shown,
  figureOf,
  write,
  label,
  title,
}: {
  by: readonly Dimension[];
  period: number;
  first: MeasureName;
  shown: readonly Piece[];
  figureOf: (piece: Piece, name: MeasureName) => number | undefined;
  write: (piece: Piece, name: MeasureName) => string;
  label: (piece: Piece, i: number) => string;
  title: string;
}): Part[] {
  const known = shown.flatMap((piece) => {
    const value = figureOf(piece, first);
    return value === undefined ? [] : [{ piece, value }];
  });
  const greatest = Math.max(0, ...known.map(({ value }) => Math.abs(value)));
  if (greatest === 0 || known.length < 2) return [];
  if (by.length === 1 && period === 0) {
    const points = known.map(({ value }, i): Point => [i, value]);
    return [
      {
        kind: 'lines',
        title: `${title} by ${by[0]}`,
        x: {
          title: by[0] as string,
          say: (at) =>
            known[Math.round(at)] === undefined ? '' : label((known[Math.round(at)] as { piece: Piece }).piece, 0),
          ticks: points.map(([at]) => at),
        },
        y: {
          title,
          say: (value) => write({ ...(known[0] as { piece: Piece }).piece, ...asCounted(first, value) }, first),
        },
        series: [{ title, points }],
      },
    ];
  }
  if (by.length === 1) {
    return [
      {
        kind: 'bars',
        title: `${title} by ${by[0]}`,
        bars: known.map(({ piece, value }) => ({
          label: label(piece, 0),
          share: value / greatest,
          text: write(piece, first),
        })),
      },
    ];
  }
  if (by.length !== 2) return [];
  const across = period >= 0 ? period : 1;
  const down = 1 - across;
  const distinct = (i: number): string[] => [...new Set(shown.map((piece) => label(piece, i)))];
  const columns = period >= 0 ? distinct(across).sort().slice(-MOST_HEAT) : distinct(across).slice(0, MOST_HEAT);
  const rows = distinct(down).slice(0, MOST_HEAT);
  return [
    {
      kind: 'heat',
      title,
      rowTitle: by[down] as string,
      columnTitle: by[across] as string,
      columns,
      rows: rows.map((row) => ({
        label: row,
        cells: columns.map((column) => {
          const found = known.find(({ piece }) => label(piece, down) === row && label(piece, across) === column);
          if (found === undefined) return { text: '' };
          return {
            shade: Math.sqrt(Math.max(0, found.value) / greatest),
            text: write(found.piece, first).replace(/\.\d+$/, ''),
          };
        }),
      })),
    },
  ];
}

/** What is counted where a measure has a value, so that an axis writes it as its cells do. */
function asCounted(name: MeasureName, value: number): Partial<Counted> {
  switch (name) {
    case 'profit':
      return { margin: value, cost: 0, valued: 1 };
    case 'returned':
      return { refunded: value, gross: 1 };
    case 'messages':
      return { messages: value, customers: 1 };
    default:
      return { [name]: value, ...(name === 'margin' && { valued: 1 }) };
  }
}
