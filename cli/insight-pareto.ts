// kairos insight pareto: how much of the revenue, and of the margin, the best customers bring, and who costs more than he brings.
import { dateOfDay } from '../domain/insight/customer.ts';
import { query } from '../functions/aws/queries.ts';
import { count, counted, moneyOf, number, percent, shareOf } from './insight-figures.ts';
import type { Part, Point, ReportCommand } from './insight-report.ts';

/** Customers of one hundredth, with those of all before it in `…UpTo`. */
interface Hundredth {
  percent: number;
  customers: number;
  sum: number;
  customersUpTo: number;
  sumUpTo: number;
}

export const pareto: ReportCommand = {
  name: 'pareto',
  description: 'the 80/20 rule: what the best customers bring, and who costs more than he brings',
  async make(source) {
    const { warehouse, today } = source;
    const { money, whole } = moneyOf(source);
    const report = { name: 'pareto', title: 'Who brings the revenue', basis: source.says };
    const rows = await warehouse.rows(query('pareto'), { today });
    const margins = await warehouse.rows(query('pareto-margin'), { today });
    if (rows.length === 0) {
      const text = 'No customer has bought yet: nobody brings anything.';
      return { ...report, parts: [{ kind: 'text', tone: 'warning', text }], json: { customers: 0, deciles: [] } };
    }
    const revenue = hundredths(rows.map((row) => [number(row.percent), number(row.customers), number(row.revenue)]));
    const margin = hundredths(margins.map((row) => [number(row.percent), number(row.customers), number(row.profit)]));
    const all = totalOf(revenue);
    const left = totalOf(margin);
    const top = upTo(revenue, 20);
    const topMargin = upTo(margin, 20);
    const topShare = shareOf(top.sumUpTo, all.sumUpTo);
    const marginShare = shareOf(topMargin.sumUpTo, left.sumUpTo);
    const [unprofitable, lost, cost] = [sumOf(margins, 'unprofitable'), sumOf(margins, 'lost'), sumOf(rows, 'cost')];
    const eighty = revenue.find(({ sumUpTo }) => sumUpTo >= 0.8 * all.sumUpTo);
    const below = rows.filter((row) => number(row.most) <= 0).reduce((sum, row) => sum + number(row.customers), 0);
    const parts: Part[] = [
      {
        kind: 'figures',
        figures: [
          {
            value: percent(topShare),
            caption: 'of revenue from the top 20 %',
            note: `${counted(top.customersUpTo, 'customer')}`,
          },
          ...(all.sumUpTo > 0 && eighty !== undefined
            ? [
                {
                  value: percent(shareOf(eighty.customersUpTo, all.customersUpTo), 0),
                  caption: 'of customers bring 80 %',
                },
              ]
            : []),
          ...(margins.length === 0
            ? []
            : [
                { value: percent(marginShare), caption: 'of margin from the top 20 %', note: 'by margin after mail' },
                {
                  value: count(unprofitable),
                  caption: 'customers cost more than they bring',
                  note: unprofitable === 0 ? 'none of those whose margin is known' : `together ${money(lost)}`,
                },
              ]),
        ],
      },
      {
        kind: 'text',
        text:
          `${counted(all.customersUpTo, 'customer')} with an order, ${money(all.sumUpTo)} net of refunds. The top 20 % are ` +
          'the fifth of the customers with the greatest revenue, rounded down; orders of guests are nobody’s.' +
          (below > 0 ? ` At least ${counted(below, 'customer')} sent back all that they bought, or more.` : ''),
      },
    ];
    if (all.sumUpTo <= 0) {
      const text = 'Refunds leave no revenue: shares of it say nothing.';
      parts.push({ kind: 'text', tone: 'warning', text });
    } else {
      parts.push({
        kind: 'lines',
        title: 'What share of revenue the best customers bring',
        x: { title: 'customers, best first', say: (share) => percent(share, 0) },
        y: { title: 'share of the whole', say: (share) => percent(share, 0) },
        series: [
          { title: 'revenue', points: curveOf(revenue) },
          ...(left.sumUpTo > 0 ? [{ title: 'margin after mail', points: curveOf(margin) }] : []),
          {
            title: 'if all were alike',
            dashed: true,
            points: [
              [0, 0],
              [1, 1],
            ] as Point[],
          },
        ],
        marks: [{ x: 0.2, title: 'top 20 %' }],
      });
    }
    const deciles = decilesOf(rows);
    parts.push({
      kind: 'table',
      title: 'Customers by revenue, in tenths',
      columns: [
        { title: 'tenth' },
        { title: 'customers', align: 'right' },
        { title: 'revenue', align: 'right' },
        { title: 'share', align: 'right' },
        { title: 'so far', align: 'right' },
        { title: 'each', align: 'right' },
        { title: 'orders each', align: 'right' },
        { title: 'from', align: 'right' },
      ],
      rows: deciles.map((one) => [
        `${one.tenth}`,
        count(one.customers),
        whole(one.revenue),
        percent(shareOf(one.revenue, all.sumUpTo)),
        percent(shareOf(one.revenueUpTo, all.sumUpTo)),
        whole(one.revenue / one.customers),
        count(one.orders / one.customers, 1),
        whole(one.least),
      ]),
    });
    if (margins.length === 0) {
      const text =
        'No margin is known: margins stand in the catalogue (templates/catalogue.json), or in the products of a mapping. ' +
        'So nothing is said of customers who cost more than they bring.';
      parts.push({ kind: 'text', text });
    } else {
      parts.push({
        kind: 'text',
        text:
          `Margin after mail is margin less what the customer’s messages and coupons cost (${money(cost)} in all), over the ` +
          `${counted(left.customersUpTo, 'customer')} of whose orders some margin is known.`,
      });
    }
    return {
      ...report,
      parts,
      json: {
        today: dateOfDay(today),
        customers: all.customersUpTo,
        revenueMinor: all.sumUpTo,
        top20: { customers: top.customersUpTo, revenueMinor: top.sumUpTo, share: topShare ?? null },
        customersFor80Percent: all.sumUpTo > 0 ? (eighty?.customersUpTo ?? null) : null,
        margin:
          margins.length === 0
            ? null
            : {
                customers: left.customersUpTo,
                afterMailMinor: left.sumUpTo,
                top20: { customers: topMargin.customersUpTo, minor: topMargin.sumUpTo, share: marginShare ?? null },
                unprofitable: { customers: unprofitable, minor: lost },
              },
        mailCostMinor: cost,
        deciles: deciles.map(({ tenth, customers, orders, revenue: minor, least }) => {
          return { tenth, customers, orders, revenueMinor: minor, fromMinor: least };
        }),
      },
    };
  },
};

function hundredths(rows: readonly (readonly [percent: number, customers: number, sum: number])[]): Hundredth[] {
  let [customersUpTo, sumUpTo] = [0, 0];
  return rows.map(([at, customers, sum]) => {
    customersUpTo += customers;
    sumUpTo += sum;
    return { percent: at, customers, sum, customersUpTo, sumUpTo };
  });
}

const NONE: Hundredth = { percent: 0, customers: 0, sum: 0, customersUpTo: 0, sumUpTo: 0 };
const totalOf = (rows: readonly Hundredth[]): Hundredth => rows.at(-1) ?? NONE;
const upTo = (rows: readonly Hundredth[], most: number): Hundredth =>
  rows.findLast((one) => one.percent <= most) ?? NONE;
const sumOf = (rows: readonly Record<string, unknown>[], name: string): number =>
  rows.reduce((sum, row) => sum + number(row[name] as number), 0);

function curveOf(rows: readonly Hundredth[]): Point[] {
  const { customersUpTo, sumUpTo } = totalOf(rows);
  return [[0, 0], ...rows.map((one): Point => [one.customersUpTo / customersUpTo, one.sumUpTo / sumUpTo])];
}

/** Tenths of customers by rank, the best first; a tenth that holds nobody is left out. */
function decilesOf(rows: readonly Record<string, unknown>[]) {
  let revenueUpTo = 0;
  return Array.from({ length: 10 }, (_, i) => i + 1).flatMap((tenth) => {
    const own = rows.filter((row) => Math.ceil(number(row.percent as number) / 10) === tenth);
    if (own.length === 0) return [];
    const revenue = sumOf(own, 'revenue');
    revenueUpTo += revenue;
    const least = Math.min(...own.map((row) => number(row.least as number)));
    return [{ tenth, customers: sumOf(own, 'customers'), orders: sumOf(own, 'orders'), revenue, revenueUpTo, least }];
  });
}
