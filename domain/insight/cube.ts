// Any figure by anything: one statement over the views of the lake, built from words that are known and nothing else.
import { KairosError, suggest } from '../fault.ts';

const NOTHING = 'CAST(NULL AS varchar)';

/** What figures can be split by, and the expressions that stand for it: of sales and their lines, and of messages. */
const DIMENSIONS = {
  product: { sales: 'l.product', messages: NOTHING },
  category: { sales: 'l.category', messages: NOTHING },
  country: { sales: 'p.country', messages: 'p.country' },
  channel: { sales: 'l.channel', messages: NOTHING },
  campaign: { sales: 't.campaign', messages: 'm.campaign' },
  day: period('day'),
  week: period('week'),
  month: period('month'),
  quarter: period('quarter'),
  year: period('year'),
} as const;

function period(unit: string): { sales: string; messages: string } {
  const of = (date: string): string => `CAST(date_trunc('${unit}', ${date}) AS date)`;
  return { sales: of('l.date'), messages: of('m.date') };
}

export type Dimension = keyof typeof DIMENSIONS;
export const DIMENSION_NAMES = Object.keys(DIMENSIONS) as Dimension[];
/** Dimensions that are a time: at most one of them makes sense, and rows stand in its order. */
export const PERIODS: readonly Dimension[] = ['day', 'week', 'month', 'quarter', 'year'];

/** What a row of the statement counts; money in minor units of the shop's currency. */
export interface Counted {
  orders: number;
  customers: number;
  gross: number;
  refunded: number;
  revenue: number;
  valued: number;
  margin: number;
  messages: number;
  cost: number;
}
export const COUNTED = [
  'orders',
  'customers',
  'gross',
  'refunded',
  'revenue',
  'valued',
  'margin',
  'messages',
  'cost',
] as const satisfies readonly (keyof Counted)[];

/** How a measure is made of what is counted; undefined where there is nothing that it could be of. */
interface Measure {
  title: string;
  unit: 'money' | 'count' | 'share' | 'ratio';
  of: (counted: Counted) => number | undefined;
}

const ratio = (part: number, whole: number): number | undefined => (whole > 0 ? part / whole : undefined);

export const MEASURES = {
  revenue: { title: 'revenue', unit: 'money', of: ({ revenue }) => revenue },
  margin: { title: 'margin', unit: 'money', of: ({ margin }) => margin },
  profit: { title: 'profit', unit: 'money', of: ({ margin, cost }) => margin - cost },
  cost: { title: 'cost', unit: 'money', of: ({ cost }) => cost },
  orders: { title: 'orders', unit: 'count', of: ({ orders }) => orders },
  customers: { title: 'customers', unit: 'count', of: ({ customers }) => customers },
  returned: { title: 'returned', unit: 'share', of: ({ refunded, gross }) => ratio(refunded, gross) },
  messages: {
    title: 'messages per buyer',
    unit: 'ratio',

    of: ({ messages, customers }) => ratio(messages, customers),
  },
} as const satisfies Record<string, Measure>;

export type MeasureName = keyof typeof MEASURES;
export const MEASURE_NAMES = Object.keys(MEASURES) as MeasureName[];

/**
 * Whether the figures of all parts of a split add up to that of the whole: amounts do; an order may hold several products
 * and categories; a customer may be in any parts.
 */
export function addsUp(name: MeasureName, by: readonly Dimension[]): boolean {
  if (name === 'orders') return !by.includes('product') && !by.includes('category');
  return MEASURES[name].unit === 'money';
}

/** What is asked: figures by dimensions, from a day to another where that is said, both included. */
export interface CubeQuestion {
  by: readonly Dimension[];
  of: readonly MeasureName[];
  from?: number;
  to?: number;
}

/**
 * Reads what people wrote: names with commas between them. Throws KairosError `insight.dimension` or `insight.measure` for
 * a name that is none, and for one that is said twice.
 */
export function cubeQuestion(by: string, of: string | undefined): Pick<CubeQuestion, 'by' | 'of'> {
  const known = {
    by: names(by, DIMENSION_NAMES, '--by', 'dimension'),
    of: of === undefined ? DEFAULT_MEASURES : names(of, MEASURE_NAMES, '--of', 'measure'),
  };
  const periods = known.by.filter((name) => PERIODS.includes(name));
  if (periods.length > 1) {
    throw new KairosError({
      code: 'insight.dimension',
      path: '--by',
      message: `${periods.map((name) => `"${name}"`).join(' and ')} are both periods: figures are split by one.`,
      remedy: `Leave out all but "${periods[0]}".`,
    });
  }
  return known;
}

const DEFAULT_MEASURES: readonly MeasureName[] = ['revenue', 'margin', 'orders', 'customers', 'returned'];

function names<Name extends string>(text: string, known: readonly Name[], path: string, what: string): Name[] {
  const asked = text.split(',').map((one) => one.trim());
  const fault = (message: string, received: string, remedy: string | undefined): KairosError =>
    new KairosError({
      code: `insight.${what}`,
      path,
      message,
      received,
      ...(remedy !== undefined && { remedy }),
    });
  return asked.map((name, i) => {
    const found = known.find((one) => one === name);
    if (found === undefined) throw fault(`${JSON.stringify(name)} is no ${what}.`, name, suggest(name, known));
    if (asked.indexOf(name) !== i) throw fault(`"${name}" is said twice.`, name, 'Leave one out.');
    return found;
  });
}

/**
 * The statement that answers: a row for each part (`part1`, `part2` … hold its dimensions, absent where nothing is known,
 * `is_total` 0), and one for the whole (`is_total` 1), whose orders and customers are counted anew. What mail has cost is of
 * no product, category or channel. An order is of the campaign of the last mail before it (the view `touches`). It speaks
 * of `:from` and `:to`, days that are both included.
 */
export function cubeStatement({ by }: Pick<CubeQuestion, 'by'>): string {
  const parts = by.map((_, i) => `part${i + 1}`);
  const columns = (of: 'sales' | 'messages'): string =>
    by.map((name, i) => `${DIMENSIONS[name][of]} AS ${parts[i]}, `).join('');
  const split = parts.join(', ');
  return `WITH facts AS (
  SELECT
    ${columns('sales')}
    CASE WHEN l.placed = 1 THEN l."order" END AS ordered, CASE WHEN l.placed = 1 THEN l.contact END AS buyer,
    l.gross, l.refunded, l.revenue, l.valued, coalesce(l.margin, 0) AS margin, 0 AS messages,
    CAST(0 AS double) AS cost
  FROM sale_lines l
  LEFT JOIN people p ON p.contact = l.contact
  LEFT JOIN touches t ON t."order" = l."order"
  WHERE l.day >= :from AND l.day <= :to
  UNION ALL
  SELECT
    ${columns('messages')}
    ${NOTHING} AS ordered, ${NOTHING} AS buyer,
    0 AS gross, 0 AS refunded, 0 AS revenue, 0 AS valued, 0 AS margin, m.sent AS messages,
    CAST(m.cost AS double) AS cost
  FROM message_facts m
  LEFT JOIN people p ON p.contact = m.contact
  WHERE m.sent = 1 AND m.day >= :from AND m.day <= :to
)
SELECT
  ${split}, grouping(${parts[0]}) AS is_total, count(DISTINCT ordered) AS orders, count(DISTINCT buyer) AS customers,
  sum(gross) AS gross, sum(refunded) AS refunded, sum(revenue) AS revenue, sum(valued) AS valued, sum(margin) AS margin,
  sum(messages) AS messages, sum(cost) AS cost
FROM facts
GROUP BY GROUPING SETS ((${split}), ())`;
}
