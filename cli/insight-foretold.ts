// The models put to the test on a shop's own past: fitted to its first half, held against what then happened.
import { type Customer, dateOfDay } from '../domain/insight/customer.ts';
import { type Interval, shopForecast } from '../domain/insight/interval.ts';
import type { Models } from '../domain/insight/models.ts';
import { expectedOrders, expectedSpend } from '../domain/insight/predict.ts';
import { fitPurchases, purchaseRows } from '../domain/insight/purchases.ts';
import { fitSpend, spendRows } from '../domain/insight/spend.ts';
import { trackedOf, trackingOf } from '../domain/insight/tracking.ts';
import { unitsPerMajor } from '../domain/money.ts';
import { query } from '../functions/aws/queries.ts';
import { count, counted, customerIn, moneyOf, number } from './insight-figures.ts';
import type { Part, Point } from './insight-report.ts';
import type { InsightSource } from './insight-source.ts';

/** A customer as at the end of the first half, with the days with an order and the revenue (minor units) of the second. */
export interface HeldOut extends Customer {
  laterDays: number;
  laterRevenue: number;
}

export interface Foretold {
  parts: Part[];
  json: unknown;
}

/** Weeks that are held back at the least: fewer orders than that are chance. */
const LEAST_WEEKS = 4;
const PROBABILITY = 0.9;
/** Instants after the cut at which the whole shop is foretold. */
const HORIZONS = 9;
/** Repeat purchases from which on customers are taken together. */
const MOST_PAST = 7;
const TENTHS = 10;

/**
 * Fits the models to the customers as they stood after half of the weeks since the first order of all, and holds what
 * these say of the other half against it: repeat purchases by week, by those that a customer had made, and revenue by
 * tenths of foretold value. Revenue, not margin: it is known of every order. Says so where there is too little to go by.
 */
export async function foretold(source: InsightSource): Promise<Foretold> {
  const { warehouse, today } = source;
  const heading: Part = { kind: 'heading', text: 'What the models would have foretold' };
  const none = (text: string): Foretold => ({ parts: [heading, { kind: 'text', tone: 'warning', text }], json: null });
  const [totals] = await warehouse.rows(query('totals'), { today });
  if (typeof totals?.first_day !== 'number') return none('No customer has an order.');
  const first = totals.first_day;
  const weeks = Math.floor((today - first + 1) / 7);
  const cut = first + 7 * Math.floor(weeks / 2) - 1;
  if (weeks < 2 * LEAST_WEEKS) {
    return none(
      `The first order is ${counted(today - first, 'day')} old: too little to fit to one half and look at the other.`,
    );
  }
  const customers = (await warehouse.rows(query('holdout'), { until: cut, today })).map(
    (row): HeldOut => ({
      ...customerIn(row),
      laterDays: number(row.later_days),
      laterRevenue: number(row.later_revenue),
    }),
  );
  const known = customers.filter(({ days }) => days > 0);
  const purchases = fitPurchases(purchaseRows(known, cut));
  if (purchases.kind === 'missing') return none(`Of the first ${weeks >> 1} weeks: ${purchases.says}`);
  const spend = fitSpend(spendRows(known, cut, unitsPerMajor(source.shop.currency)));
  const repeats = await warehouse.rows(query('tracking'), { until: cut, today });
  const repeatDays = repeats.flatMap((row) => Array.from({ length: number(row.repeats) }, () => number(row.day)));
  return drawForetold(source, { customers: known, purchases, spend, repeatDays, cut });
}

type FittedPurchases = Extract<ReturnType<typeof fitPurchases>, { kind: 'fitted' }>;

/** The drawings, from what was fitted as of the day `cut` and the days of all repeat purchases up to today. */
export function drawForetold(
  source: Pick<InsightSource, 'today' | 'shop'>,
  data: {
    customers: readonly HeldOut[];
    purchases: FittedPurchases;
    spend: ReturnType<typeof fitSpend>;
    repeatDays: readonly number[];
    cut: number;
  },
): Foretold {
  const { today, shop } = source;
  const { customers, purchases, spend, cut } = data;
  const { whole } = moneyOf(source);
  const perMajor = unitsPerMajor(shop.currency);
  const models: Models = {
    shape: 1,
    at: 0,
    today: cut,
    currency: shop.currency,
    customers: customers.length,
    orders: 0,
    purchases: { ...purchases.model, asOf: cut },
    ...(spend.kind === 'fitted' && { spend: { ...spend.model, asOf: cut } }),
    // All of the revenue counts as margin, so that what is foretold is revenue.
    margin: { share: 1, asOf: cut },
    notes: [],
  };
  const asRevenue = customers.map((customer) => ({ ...customer, margin: 0, valued: 0 }));
  const horizon = today - cut;
  const forecast = (some: readonly Customer[], days: number) =>
    shopForecast(models, some, cut, days, perMajor, PROBABILITY) ?? { orders: { expected: 0, low: 0, high: 0 } };

  const all = forecast(asRevenue, horizon);
  const happened = { orders: sum(customers, 'laterDays'), revenue: sum(customers, 'laterRevenue') };
  const mean = happened.orders / customers.length;
  const missed = { model: 0, allAlike: 0 };
  for (const customer of customers) {
    const expected = expectedOrders(purchases.model, customer, cut, horizon);
    missed.model += Math.abs(customer.laterDays - expected) / customers.length;
    missed.allAlike += Math.abs(customer.laterDays - mean) / customers.length;
  }
  const tracked = weekly(data, today, (days) => forecast(asRevenue, days).orders);
  const past = groupsBy(asRevenue, (customer) => Math.min(MOST_PAST, customer.days - 1)).map(([x, group]) => ({
    label: x === MOST_PAST ? `${x}+` : `${x}`,
    ...meansOf(group, 'laterDays', forecast(group, horizon).orders),
  }));
  const tenths =
    spend.kind === 'missing'
      ? []
      : tenthsOf(asRevenue, (customer) => {
          const orders = expectedOrders(purchases.model, customer, cut, horizon);
          return orders * expectedSpend(spend.model, customer, perMajor);
        }).map((group, at) => ({
          label: `${at + 1}`,
          ...meansOf(group, 'laterRevenue', forecast(group, horizon).value ?? { expected: 0, low: 0, high: 0 }),
        }));

  const parts: Part[] = [
    { kind: 'heading', text: 'What the models would have foretold' },
    {
      kind: 'text',
      text:
        `Fitted to the ${counted(customers.length, 'customer')} who had bought by ${dateOfDay(cut)}, half of the history, and ` +
        `held against the ${counted(horizon, 'day')} since then. Who came later is not among them.`,
    },
    ...[purchases.replaced, spend.kind === 'missing' ? spend : undefined].flatMap((said): Part[] =>
      said === undefined ? [] : [{ kind: 'text', tone: 'warning', text: said.says }],
    ),
    {
      kind: 'figures',
      figures: [
        {
          value: difference(all.orders.expected, happened.orders),
          caption: 'foretold purchases against those made',
          note: `${count(all.orders.expected)} (${count(all.orders.low)} to ${count(all.orders.high)}) against ${count(happened.orders)}`,
        },
        ...(all.value === undefined
          ? []
          : [
              {
                value: difference(all.value.expected, happened.revenue),
                caption: 'foretold revenue against what came',
                note: `${whole(all.value.expected)} (${whole(all.value.low)} to ${whole(all.value.high)}) against ${whole(happened.revenue)}`,
              },
            ]),
        {
          value: count(missed.model, 2),
          caption: 'purchases by which a customer is missed, in the mean',
          note: `${count(missed.allAlike, 2)} if all were taken for alike`,
        },
      ],
    },
    tracked.part,
    {
      kind: 'columns',
      title: `Purchases of a customer in those ${horizon} days, by the repeat purchases before`,
      xTitle: 'repeat purchases before',
      y: {
        title: 'purchases since then, mean',
        say: (value) => count(value, Number.isInteger(value) ? 0 : 1),
      },
      ...asColumns(past),
    },
    ...(tenths.length === 0
      ? []
      : [
          {
            kind: 'columns' as const,
            title: `Revenue of a customer in those ${horizon} days, by tenths of what was foretold`,
            xTitle: 'tenth, 1 the best',
            y: { title: 'revenue since then, mean', say: whole },
            ...asColumns(tenths),
          },
        ]),
    {
      kind: 'text',
      text: `Intervals hold ${Math.round(PROBABILITY * 100)} % of what chance and the error of the fit may bring; not a season, nor a change in how people buy.`,
    },
  ];
  return {
    parts,
    json: {
      fittedTo: dateOfDay(cut),
      heldOutDays: horizon,
      model: purchases.model.kind,
      purchases: { ...all.orders, happened: happened.orders },
      ...(all.value !== undefined && {
        revenueMinor: { ...all.value, happened: happened.revenue },
      }),
      meanAbsoluteError: missed,
      weeks: tracked.weeks,
      byPastRepeats: past,
      byTenthMinor: tenths,
    },
  };
}

/** Cumulative repeat purchases: the model as fitted up to the cut, and from there what it foretells of those it knows. */
function weekly(
  { customers, purchases, repeatDays, cut }: Parameters<typeof drawForetold>[1],
  today: number,
  forecast: (days: number) => Interval,
) {
  const firsts = customers.map(({ first }) => first);
  const start = firsts.reduce((least, first) => Math.min(least, first), today);
  const weekOf = (day: number): number => (day - start + 1) / 7;
  const happened = trackedOf(firsts, repeatDays, today);
  const fitted = trackingOf(purchases.model, firsts, cut);
  const made = happened.findLast(({ day }) => day <= cut)?.repeats ?? 0;
  const ahead = Array.from({ length: HORIZONS }, (_, at) => Math.round(((today - cut) * (at + 1)) / HORIZONS))
    .filter((days, at, all) => days > 0 && days !== all[at - 1])
    .map((days) => ({ week: weekOf(cut + days), ...forecast(days) }));
  const points = (tracked: readonly { day: number; repeats: number }[]): Point[] =>
    tracked.map(({ day, repeats }) => [weekOf(day), repeats]);
  const every = [1, 2, 4, 13, 26, 52].find((step) => weekOf(today) / step <= 12) ?? 104;
  const part: Part = {
    kind: 'lines',
    title: 'Repeat purchases so far, of customers who had bought by then',
    x: {
      title: 'weeks since the first order of all',
      say: (week) => `${Math.round(week)}`,
      ticks: Array.from({ length: Math.floor(weekOf(today) / every) + 1 }, (_, at) => at * every),
    },
    y: { title: 'repeat purchases', say: (value) => count(value) },
    series: [
      { title: 'happened', points: [[0, 0], ...points(happened)] },
      {
        title: 'model',
        dashed: true,
        points: [
          [0, 0],
          ...points(fitted),
          [weekOf(cut), made],
          ...ahead.map(({ week, expected }): Point => [week, made + expected]),
        ],
        band: [
          [weekOf(cut), made, made],
          ...ahead.map(({ week, low, high }): [number, number, number] => [week, made + low, made + high]),
        ],
      },
    ],
    marks: [{ x: weekOf(cut), title: 'foretold from here' }],
  };
  return {
    part,
    weeks: happened.map(({ day, repeats }, at) => ({
      until: dateOfDay(day),
      repeats,
      ...(fitted[at] !== undefined && { fitted: Math.round(fitted[at].repeats) }),
    })),
  };
}

const sum = <K extends string>(rows: readonly Record<K, number>[], name: K): number =>
  rows.reduce((all, row) => all + row[name], 0);

/** −12 %; – where nothing happened that it could be a part of. */
function difference(expected: number, happened: number): string {
  if (!(happened > 0)) return '–';
  const percent = Math.round((100 * (expected - happened)) / happened);
  return `${percent < 0 ? '−' : percent > 0 ? '+' : '±'}${count(Math.abs(percent))} %`;
}

function groupsBy<Item>(items: readonly Item[], key: (item: Item) => number): [number, Item[]][] {
  const groups = new Map<number, Item[]>();
  for (const item of items) {
    const own = groups.get(key(item));
    if (own === undefined) groups.set(key(item), [item]);
    else own.push(item);
  }
  return [...groups].sort(([a], [b]) => a - b);
}

/** Tenths by a figure, greatest first; fewer where there are not ten. */
function tenthsOf<Item>(items: readonly Item[], figure: (item: Item) => number): Item[][] {
  const ranked = items.map((item) => ({ item, by: figure(item) })).sort((a, b) => b.by - a.by);
  return Array.from({ length: TENTHS }, (_, at) =>
    ranked
      .slice(Math.round((at * ranked.length) / TENTHS), Math.round(((at + 1) * ranked.length) / TENTHS))
      .map(({ item }) => item),
  ).filter((group) => group.length > 0);
}

interface Means {
  customers: number;
  happened: number;
  expected: number;
  low: number;
  high: number;
}

function meansOf(group: readonly HeldOut[], name: 'laterDays' | 'laterRevenue', foretold: Interval): Means {
  const mean = (whole: number): number => whole / group.length;
  return {
    customers: group.length,
    happened: mean(sum(group, name)),
    expected: mean(foretold.expected),
    low: mean(foretold.low),
    high: mean(foretold.high),
  };
}

function asColumns(groups: readonly (Means & { label: string })[]) {
  return {
    columns: groups.map(({ label }) => label),
    series: [
      { title: 'happened', values: groups.map(({ happened }) => happened) },
      {
        title: 'foretold',
        as: 'points' as const,
        values: groups.map(({ expected }) => expected),
        intervals: groups.map(({ low, high }): [number, number] => [low, high]),
      },
    ],
  };
}
