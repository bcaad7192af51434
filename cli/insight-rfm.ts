// kairos insight rfm: customers by how lately, how often and for how much they bought, and the groups that follow.
import { dateOfDay } from '../domain/insight/customer.ts';
import { RFM_GROUPS, type RfmGroup, rfmCuts, rfmGroup, rfmScores } from '../domain/insight/rfm.ts';
import { count, counted, customersOf, moneyOf, percent, shareOf } from './insight-figures.ts';
import type { Part, ReportCommand } from './insight-report.ts';

/** What each group is, in the words of the scores: the cells in the order in which they are asked. */
const MEANINGS: Record<RfmGroup, [cells: string, words: string]> = {
  champions: ['R 4–5, F and M 4–5', 'bought of late, often, and for much'],
  loyal: ['R 4–5 with F 3–5, R 3 with F 4–5', 'buy often, and not long ago'],
  potential: ['R 4–5 with F 2 or M 4–5', 'bought of late, more than once or for much'],
  new: ['R 5, F 1, M 1–3', 'bought for the first time, a short while ago'],
  promising: ['R 4 with F 1, R 3 with F 1–2, M 1–3', 'bought once or twice, some while ago'],
  'needs attention': ['R 3, F 3 or M 4–5', 'good customers who begin to be missed'],
  'cannot lose': ['R 1, F and M 4–5', 'were among the best, and have not bought for long'],
  'at risk': ['R 1–2, F 3–5 or M 4–5', 'bought often or for much, but not of late'],
  hibernating: ['R 2, the rest', 'bought little, and not of late'],
  lost: ['R 1, the rest', 'bought little, long ago'],
};

export const rfm: ReportCommand = {
  name: 'rfm',
  description: 'customers by recency, frequency and money, in fifths, and the groups that follow',
  async make(source) {
    const { today, models } = source;
    const { money, whole } = moneyOf(source);
    const customers = await customersOf(source);
    const cuts = models?.rfm ?? rfmCuts(customers, today);
    const report = { name: 'rfm', title: 'Recency, frequency, money', basis: source.says };
    if (cuts === undefined) {
      const text = 'No customer has bought yet: there are no fifths to make.';
      return { ...report, parts: [{ kind: 'text', tone: 'warning', text }], json: { customers: 0, groups: [] } };
    }
    const cells = new Map<string, { customers: number; revenue: number }>();
    const groups = new Map(RFM_GROUPS.map((name) => [name, { customers: 0, revenue: 0, orders: 0, recency: 0 }]));
    const all = { customers: customers.length, revenue: 0 };
    for (const customer of customers) {
      const scores = rfmScores(cuts, customer, today);
      const key = `${scores.recency}${scores.frequency}`;
      const cell = cells.get(key) ?? { customers: 0, revenue: 0 };
      cell.customers += 1;
      cell.revenue += customer.revenue;
      cells.set(key, cell);
      const group = groups.get(rfmGroup(scores));
      if (group === undefined) continue;
      group.customers += 1;
      group.revenue += customer.revenue;
      group.orders += customer.orders;
      group.recency += Math.max(0, today - customer.last);
      all.revenue += customer.revenue;
    }
    const dearest = Math.max(1, ...[...cells.values()].map((one) => one.revenue / one.customers));
    const [biggest] = [...groups].sort(([, a], [, b]) => b.revenue - a.revenue);
    const FIVES = [5, 4, 3, 2, 1];
    const parts: Part[] = [
      {
        kind: 'figures',
        figures: [
          { value: count(customers.length), caption: 'customers' },
          ...(['champions', 'at risk', 'lost'] as const).map((name) => {
            const { customers: many = 0, revenue = 0 } = groups.get(name) ?? {};
            return {
              value: percent(shareOf(many, all.customers), 0),
              caption: `are ${name}`,
              note: `${percent(shareOf(revenue, all.revenue), 0)} of revenue`,
            };
          }),
        ],
      },
      {
        kind: 'text',
        text:
          `Each score is a fifth of the customers, 5 the best: R by days since the last order as of ${dateOfDay(today)}, ` +
          'F by days with an order, M by revenue net of refunds. Equal values score alike, so a fifth can be larger or ' +
          `smaller: ${sayCuts(cuts.recency, 'R 5', 'days')}, ${sayCuts([...cuts.frequency].reverse(), 'F 5', 'days', 'more than')}, ` +
          `M 5 is more than ${money(cuts.money[3])}.`,
      },
      {
        kind: 'heat',
        title: 'Mean revenue of a customer, and how many there are',
        rowTitle: 'recency',
        columnTitle: 'frequency',
        columns: [...FIVES].reverse().map((frequency) => `F ${frequency}`),
        rows: FIVES.map((recency) => ({
          label: `R ${recency}`,
          cells: [...FIVES].reverse().map((frequency) => {
            const cell = cells.get(`${recency}${frequency}`);
            if (cell === undefined) return { text: '–' };
            const mean = cell.revenue / cell.customers;
            // Money is uneven: by its root, so that more than the best cell is told apart.
            return {
              shade: Math.sqrt(Math.min(1, Math.max(0, mean / dearest))),
              text: `${whole(mean)} · ${count(cell.customers)}`,
            };
          }),
        })),
      },
      {
        kind: 'bars',
        title: 'Revenue by group',
        bars: RFM_GROUPS.map((name) => {
          const { revenue = 0 } = groups.get(name) ?? {};
          const top = Math.max(1, biggest?.[1].revenue ?? 1);
          return {
            label: name,
            share: Math.max(-1, revenue / top),
            text: `${percent(shareOf(revenue, all.revenue))}  ${whole(revenue)}`,
          };
        }),
      },
      {
        kind: 'table',
        title: 'Groups',
        columns: [
          { title: 'group' },
          { title: 'customers', align: 'right' },
          { title: 'share', align: 'right' },
          { title: 'of revenue', align: 'right' },
          { title: 'orders each', align: 'right' },
          { title: 'days ago', align: 'right' },
        ],
        rows: RFM_GROUPS.map((name) => {
          const group = groups.get(name) ?? { customers: 0, revenue: 0, orders: 0, recency: 0 };
          return [
            name,
            count(group.customers),
            percent(shareOf(group.customers, all.customers)),
            percent(shareOf(group.revenue, all.revenue)),
            count(group.customers === 0 ? undefined : group.orders / group.customers, 1),
            count(group.customers === 0 ? undefined : group.recency / group.customers),
          ];
        }),
      },
      {
        kind: 'table',
        title: 'What they are: a customer is in the first whose cells hold it',
        columns: [{ title: 'group' }, { title: 'cells' }, { title: 'they' }],
        rows: RFM_GROUPS.map((name) => [name, ...MEANINGS[name]]),
      },
    ];
    if (new Set(cuts.frequency).size < 4) {
      const once = customers.filter(({ days }) => days === 1).length;
      parts.splice(2, 0, {
        kind: 'text',
        text:
          `${counted(once, 'customer')} (${percent(shareOf(once, customers.length), 0)}) bought on one day only, ` +
          'so that frequency has fewer than five steps.',
      });
    }
    return {
      ...report,
      parts,
      json: {
        today: dateOfDay(today),
        customers: customers.length,
        revenueMinor: all.revenue,
        cuts: { recencyDays: cuts.recency, frequencyDays: cuts.frequency, moneyMinor: cuts.money },
        grid: [...cells].map(([key, cell]) => ({
          recency: Number(key[0]),
          frequency: Number(key[1]),
          customers: cell.customers,
          revenueMinor: cell.revenue,
        })),
        groups: RFM_GROUPS.map((name) => {
          const { customers: many = 0, revenue = 0, orders = 0 } = groups.get(name) ?? {};
          return { name, cells: MEANINGS[name][0], customers: many, revenueMinor: revenue, orders };
        }),
      },
    };
  },
};

/** `R 5 is up to 12 days`, `F 5 is more than 6 days` */
function sayCuts(cuts: readonly number[], best: string, unit: string, how = 'up to'): string {
  return `${best} is ${how} ${count(cuts[0])} ${unit}`;
}
