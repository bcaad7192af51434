// kairos insight retention: who comes back: rates by period, cohorts, repeat purchases, time between them, and who lapsed.
import { KairosError, suggest } from '../domain/fault.ts';
import { dateOfDay, dayOfDate } from '../domain/insight/customer.ts';
import { query } from '../functions/aws/queries.ts';
import {
  CALENDARS,
  type Calendar,
  count,
  counted,
  moneyOf,
  monthOf,
  nextMonth,
  number,
  percent,
  periodOf,
  quantileOf,
  shareOf,
} from './insight-figures.ts';
import type { Part, Point, ReportCommand } from './insight-report.ts';
import type { InsightSource } from './insight-source.ts';
import { wholeNumber } from './messages.ts';

interface RetentionOptions {
  period?: string;
  lapsed?: string;
}

/** Columns of the cohorts that a page or a terminal has room for. */
const MOST_COHORTS = 24;
/** A customer is not called lapsed after less than a month. */
const LEAST_WINDOW = 30;

export const retention: ReportCommand<RetentionOptions> = {
  name: 'retention',
  description: 'who comes back: rates by period, cohorts, repeat purchases, time between them, who lapsed',
  options: [
    ['--period <period>', 'month, quarter or year; by default as long as suits the history'],
    ['--lapsed <days>', 'days without an order after which a customer has lapsed; by default 9 of 10 are back by then'],
  ],
  async make(source, options) {
    const asked = periodAsked(options.period);
    const window = options.lapsed === undefined ? undefined : wholeNumber('--lapsed', options.lapsed);
    const report = { name: 'retention', title: 'Who comes back', basis: source.says };
    const repeats = await repeatsOf(source);
    if (repeats.customers === 0) {
      const text = 'No customer has bought yet: nobody can come back.';
      return { ...report, parts: [{ kind: 'text', tone: 'warning', text }], json: { customers: 0 } };
    }
    const gaps = await gapsOf(source);
    const churn = await churnOf(source, window ?? Math.max(LEAST_WINDOW, gaps.ninth ?? 0), window !== undefined);
    const months = await cohortsOf(source, CALENDARS.month as Calendar);
    const calendar =
      asked ?? ((months.cohorts.length > MOST_COHORTS ? CALENDARS.quarter : CALENDARS.month) as Calendar);
    const periods = await periodsOf(source, calendar);
    const cohorts = calendar.months === 1 ? months : await cohortsOf(source, calendar);
    const known = periods.filter(({ known }) => known);
    const kept = shareOf(sum(known, 'again'), sum(known, 'buyers'));
    const parts: Part[] = [
      {
        kind: 'figures',
        figures: [
          {
            value: percent(repeats.rate),
            caption: 'of customers bought again',
            note: `${count(repeats.again)} of ${counted(repeats.customers, 'customer')}`,
          },
          {
            value: percent(kept),
            caption: `of a ${calendar.name}’s buyers buy in the next`,
            note: known.length === 0 ? 'no period is over yet' : `over ${counted(known.length, calendar.name)}`,
          },
          {
            value: gaps.median === undefined ? '–' : counted(gaps.median, 'day'),
            caption: 'between two purchases',
            note: gaps.ninth === undefined ? 'nobody bought twice' : `median; 9 of 10 within ${count(gaps.ninth)}`,
          },
          {
            value: percent(churn.latest?.rate),
            caption: churn.latest === undefined ? 'lapse in a month' : `lapsed in ${churn.latest.month}`,
            note: `no order for ${counted(churn.window, 'day')}`,
          },
        ],
      },
      {
        kind: 'text',
        text:
          'Orders of one day are one purchase; what was cancelled is none. The retention rate of a period is the share of ' +
          'its buyers who buy again in the next one.',
      },
      ...periodParts(periods, calendar),
      ...cohortParts(cohorts, calendar),
      ...repeatParts(repeats, source),
      ...gapParts(gaps),
      ...churnParts(churn),
    ];
    return {
      ...report,
      parts,
      json: {
        today: dateOfDay(source.today),
        customers: repeats.customers,
        repeatRate: repeats.rate ?? null,
        purchases: repeats.steps.map(({ days, customers }) => ({ purchases: days, customers })),
        period: calendar.name,
        retention: periods.map(({ label, buyers, again, fresh, known: over }) => ({
          period: label,
          buyers,
          newBuyers: fresh,
          boughtAgainInNext: again,
          rate: shareOf(again, buyers) ?? null,
          nextIsOver: over,
        })),
        cohorts: cohorts.cohorts.map(({ label, size, later }) => ({
          cohort: label,
          customers: size,
          later: later.map((one) => ({ buyers: one.buyers, revenueMinor: one.revenue, isOver: one.isOver })),
        })),
        daysBetween: { median: gaps.median ?? null, ninthTenth: gaps.ninth ?? null, quartiles: gaps.quartiles },
        churn: {
          lapsedAfterDays: churn.window,
          months: churn.months.map(({ month, active, lapsed, rate }) => ({
            month,
            active,
            lapsed,
            rate: rate ?? null,
          })),
        },
      },
    };
  },
};

function periodAsked(name: string | undefined): Calendar | undefined {
  if (name === undefined) return undefined;
  if (Object.hasOwn(CALENDARS, name)) return CALENDARS[name];
  const remedy = suggest(name, Object.keys(CALENDARS));
  throw new KairosError({
    code: 'insight.period',
    path: '--period',
    message: `${JSON.stringify(name)} is no period.`,
    received: name,
    ...(remedy !== undefined && { remedy }),
  });
}

const sum = <K extends string>(rows: readonly Record<K, number>[], name: K): number =>
  rows.reduce((all, row) => all + row[name], 0);

async function periodsOf({ warehouse, today }: InsightSource, calendar: Calendar) {
  const rows = await warehouse.rows(query('retention'), { months: calendar.months });
  return rows.map((row) => {
    const period = number(row.period);
    return {
      label: calendar.label(period),
      buyers: number(row.buyers),
      again: number(row.again),
      fresh: number(row.new_buyers),
      /** Whether the next period is over, so that the rate can no longer rise. */
      known: calendar.end(period + 1) <= today,
    };
  });
}

function periodParts(periods: Awaited<ReturnType<typeof periodsOf>>, calendar: Calendar): Part[] {
  const shown = periods.slice(-MOST_COHORTS);
  return [
    { kind: 'heading', text: `By ${calendar.name}` },
    {
      kind: 'table',
      columns: [
        { title: calendar.name },
        { title: 'buyers', align: 'right' },
        { title: 'new', align: 'right' },
        { title: 'buy in the next', align: 'right' },
        { title: 'retention', align: 'right' },
      ],
      rows: shown.map(({ label, buyers, again, fresh, known }) => [
        label,
        count(buyers),
        count(fresh),
        count(again),
        known ? percent(shareOf(again, buyers)) : `${percent(shareOf(again, buyers))} so far`,
      ]),
    },
  ];
}

async function cohortsOf({ warehouse, today }: InsightSource, calendar: Calendar) {
  const rows = await warehouse.rows(query('cohorts'), { months: calendar.months });
  const now = periodOf(today, calendar);
  const found = new Map<number, Map<number, { buyers: number; revenue: number }>>();
  for (const row of rows) {
    const cohort = number(row.cohort);
    const own = found.get(cohort) ?? new Map();
    own.set(number(row.later), { buyers: number(row.buyers), revenue: number(row.revenue) });
    found.set(cohort, own);
  }
  const cohorts = [...found].map(([cohort, own]) => ({
    label: calendar.label(cohort),
    size: own.get(0)?.buyers ?? 0,
    later: Array.from({ length: Math.max(1, now - cohort + 1) }, (_, later) => ({
      buyers: own.get(later)?.buyers ?? 0,
      revenue: own.get(later)?.revenue ?? 0,
      isOver: calendar.end(cohort + later) <= today,
    })),
  }));
  return { cohorts };
}

function cohortParts({ cohorts }: Awaited<ReturnType<typeof cohortsOf>>, calendar: Calendar): Part[] {
  if (cohorts.length < 2 && (cohorts[0]?.later.length ?? 0) < 2) return [];
  const shown = cohorts.slice(-MOST_COHORTS);
  const columns = Math.min(MOST_COHORTS, Math.max(...shown.map(({ later }) => later.length)));
  const share = (size: number, buyers: number): number => shareOf(buyers, size) ?? 0;
  const greatest = Math.max(
    0.01,
    ...shown.flatMap(({ size, later }) => later.slice(1).map(({ buyers }) => share(size, buyers))),
  );
  const open = shown.some(({ later }) => later.some(({ isOver }) => !isOver));
  return [
    {
      kind: 'heat',
      title: `Of those who bought first in a ${calendar.name}, the share who buy so many ${calendar.name}s later`,
      rowTitle: 'first order',
      columnTitle: `${calendar.name}s later`,
      columns: Array.from({ length: columns }, (_, later) => `${later}`),
      rows: shown.map(({ label, size, later }) => ({
        label: `${label} (${count(size)})`,
        cells: Array.from({ length: columns }, (_, at) => {
          const cell = later[at];
          if (cell === undefined) return { text: '' };
          // All of a cohort buy in its own period: that cell would outshine the others.
          if (at === 0) return { text: percent(share(size, cell.buyers), 0) };
          return { shade: share(size, cell.buyers) / greatest, text: percent(share(size, cell.buyers), 0) };
        }),
      })),
    },
    ...(open ? [{ kind: 'text' as const, text: `The last ${calendar.name} of each row is not over yet.` }] : []),
  ];
}

async function repeatsOf({ warehouse }: InsightSource) {
  const steps = (await warehouse.rows(query('repeats'))).map((row) => ({
    days: number(row.days),
    customers: number(row.customers),
    revenue: number(row.revenue),
  }));
  const customers = sum(steps, 'customers');
  const again = customers - (steps.find(({ days }) => days === 1)?.customers ?? 0);
  return { steps, customers, again, revenue: sum(steps, 'revenue'), rate: shareOf(again, customers) };
}

const MOST_STEPS = 8;

function repeatParts(
  { steps, customers, revenue }: Awaited<ReturnType<typeof repeatsOf>>,
  source: InsightSource,
): Part[] {
  const { whole } = moneyOf(source);
  const atLeast = (days: number): number =>
    sum(
      steps.filter((one) => one.days >= days),
      'customers',
    );
  const most = Math.min(MOST_STEPS, Math.max(...steps.map(({ days }) => days)));
  return [
    { kind: 'heading', text: 'Repeat purchases' },
    {
      kind: 'table',
      columns: [
        { title: 'purchases' },
        { title: 'customers', align: 'right' },
        { title: 'share', align: 'right' },
        { title: 'of revenue', align: 'right' },
        { title: 'revenue each', align: 'right' },
        { title: 'of these buy again', align: 'right' },
      ],
      rows: Array.from({ length: most }, (_, i) => i + 1).map((days) => {
        const last = days === MOST_STEPS;
        const own = steps.filter((one) => (last ? one.days >= days : one.days === days));
        const [many, earned] = [sum(own, 'customers'), sum(own, 'revenue')];
        return [
          last ? `${days} or more` : `${days}`,
          count(many),
          percent(shareOf(many, customers)),
          percent(shareOf(earned, revenue)),
          whole(many === 0 ? undefined : earned / many),
          last ? '' : percent(shareOf(atLeast(days + 1), atLeast(days))),
        ];
      }),
    },
    {
      kind: 'text',
      text: '“Of these buy again”: of all who came so far, the share who bought once more at any time up to now. Who bought lately has had less time to.',
    },
  ];
}

async function gapsOf({ warehouse }: InsightSource) {
  const rows = await warehouse.rows(query('gaps'));
  const all = rows.map((row) => ({ value: number(row.gap), many: number(row.gaps) }));
  const firsts = rows.map((row) => ({ value: number(row.gap), many: number(row.firsts) }));
  return {
    all,
    median: quantileOf(all, 0.5),
    ninth: quantileOf(all, 0.9),
    quartiles: [0.25, 0.5, 0.75].map((share) => quantileOf(all, share) ?? null),
    firstMedian: quantileOf(firsts, 0.5),
  };
}

/** Upper ends of classes of days, by which gaps are drawn: the last takes all that is longer. */
const CLASSES = [7, 14, 30, 60, 90, 120, 180, 365];

function gapParts({ all, median, ninth, firstMedian, quartiles }: Awaited<ReturnType<typeof gapsOf>>): Part[] {
  if (all.length === 0) return [];
  const many = sum(all, 'many');
  const classes = [...CLASSES, Number.POSITIVE_INFINITY].map((end, i) => {
    const from = i === 0 ? 0 : (CLASSES[i - 1] as number);
    return {
      label: Number.isFinite(end) ? `${from + 1} to ${end} days` : `more than ${from}`,
      many: sum(
        all.filter(({ value }) => value > from && value <= end),
        'many',
      ),
    };
  });
  const longest = Math.max(...classes.map((one) => one.many));
  return [
    {
      kind: 'bars',
      title: 'Days between a purchase and the next',
      bars: classes.map((one) => ({
        label: one.label,
        share: one.many / longest,
        text: `${percent(shareOf(one.many, many))}  ${count(one.many)}`,
      })),
    },
    {
      kind: 'text',
      text:
        `Half of the ${count(many)} gaps are at most ${count(median)} days (a quarter ${count(quartiles[0] ?? undefined)}, three ` +
        `quarters ${count(quartiles[2] ?? undefined)}, nine tenths ${count(ninth)}); from the first purchase to the second, ` +
        `half at most ${count(firstMedian)}. Gaps that are still open are not among them, so long ones are too few.`,
    },
  ];
}

async function churnOf({ warehouse, today }: InsightSource, window: number, asked: boolean) {
  const rows = await warehouse.rows(query('churn'), { today, window });
  const turns = new Map<string, { began: number; lapsed: number }>();
  for (const row of rows) {
    const month = monthOf(number(row.day));
    const known = turns.get(month) ?? { began: 0, lapsed: 0 };
    turns.set(month, { began: known.began + number(row.began), lapsed: known.lapsed + number(row.lapsed) });
  }
  const months: { month: string; active: number; began: number; lapsed: number; rate: number | undefined }[] = [];
  let active = 0;
  const first = number(rows[0]?.day);
  // Whole months alone: a month that is not over has not seen all who lapse in it.
  for (let day = first; rows.length > 0 && nextMonth(day) - 1 <= today; day = nextMonth(day)) {
    const month = monthOf(day);
    const { began, lapsed } = turns.get(month) ?? { began: 0, lapsed: 0 };
    // Before the history is that long nobody can have lapsed.
    const isKnown = dayOfDate(`${month}-01`) > first + window;
    months.push({ month, active, began, lapsed, rate: isKnown ? shareOf(lapsed, active) : undefined });
    active += began - lapsed;
  }
  return { window, asked, months, latest: months.findLast(({ rate }) => rate !== undefined) };
}

function churnParts({ window, asked, months }: Awaited<ReturnType<typeof churnOf>>): Part[] {
  const known = months.filter(({ rate }) => rate !== undefined).slice(-MOST_COHORTS);
  if (known.length === 0) return [];
  const points = known.map(({ rate }, i): Point => [i, rate as number]);
  return [
    { kind: 'heading', text: 'Who lapsed' },
    {
      kind: 'text',
      text:
        `A customer has lapsed who has not bought for ${counted(window, 'day')}` +
        `${asked ? '' : `: ${window === LEAST_WINDOW ? 'at least a month' : '9 of 10 who come back do so by then'}`}. ` +
        'The churn rate of a month is the share of those active at its beginning who lapse in it; who buys again begins anew.',
    },
    ...(points.length < 2
      ? []
      : [
          {
            kind: 'lines' as const,
            title: 'Churn rate by month',
            x: {
              title: 'month',
              say: (at: number) => known[Math.round(at)]?.month ?? '',
              ticks: points.map(([at]) => at),
            },
            y: { title: 'of those active', say: (rate: number) => percent(rate, 0) },
            series: [{ title: 'churn', points }],
          },
        ]),
    {
      kind: 'table',
      columns: [
        { title: 'month' },
        { title: 'active at its beginning', align: 'right' },
        { title: 'begin or return', align: 'right' },
        { title: 'lapse', align: 'right' },
        { title: 'churn', align: 'right' },
      ],
      rows: known.map(({ month, active, began, lapsed, rate }) => [
        month,
        count(active),
        count(began),
        count(lapsed),
        percent(rate),
      ]),
    },
  ];
}
