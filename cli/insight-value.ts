// kairos insight value: what customers have brought and may bring yet, how sure that is, and how well the models foretold before.
import { dateOfDay } from '../domain/insight/customer.ts';
import { ordersRange, shopForecast } from '../domain/insight/interval.ts';
import { decileCuts, decileOf, type Lifetime, lifetimeOf, marginShare } from '../domain/insight/lifetime.ts';
import type { ModelNote, ModelPart, Models } from '../domain/insight/models.ts';
import { type Fitted, fitPurchases, purchaseRows } from '../domain/insight/purchases.ts';
import { fitSpend, spendRows } from '../domain/insight/spend.ts';
import { unitsPerMajor } from '../domain/money.ts';
import { query } from '../functions/aws/queries.ts';
import {
  count,
  counted,
  customersOf,
  dateAsked,
  type KnownCustomer,
  moneyOf,
  number,
  percent,
  shareOf,
} from './insight-figures.ts';
import { foretold } from './insight-foretold.ts';
import type { Part, ReportCommand } from './insight-report.ts';
import type { InsightSource } from './insight-source.ts';
import { wholeNumber } from './messages.ts';

interface ValueOptions {
  from?: string;
  to?: string;
  top?: string;
}

export const value: ReportCommand<ValueOptions> = {
  name: 'value',
  description: 'what customers have brought and may bring yet, how sure that is, and who they are',
  options: [
    ['--from <date>', 'past value from this day on; by default a year'],
    ['--to <date>', 'past value up to this day'],
    ['--top <number>', 'show so many customers; by default 10'],
  ],
  async make(source, options) {
    const { today } = source;
    const top = options.top === undefined ? 10 : wholeNumber('--top', options.top);
    const period = periodAsked(options, today);
    const customers = await customersOf(source);
    const report = { name: 'value', title: 'What customers are worth', basis: source.says };
    const past = await pastOf(source, period);
    if (customers.length === 0) {
      const text = 'No customer has bought yet: nothing can be said of their value.';
      return {
        ...report,
        parts: [{ kind: 'text', tone: 'warning', text }, ...pastParts(past, source)],
        json: { customers: 0, past: past.json },
      };
    }
    const { models, isRevenue } = modelsOf(source, customers);
    const lives = customers.map((customer) => ({ ...customer, life: lifetimeOf(models, customer, today) }));
    const perMajor = unitsPerMajor(source.shop.currency);
    const forecasts = [90, 365].map((days) => ({ days, ...shopForecast(models, customers, today, days, perMajor) }));
    const check = await foretold(source);
    return {
      ...report,
      parts: [
        ...figureParts(lives, forecasts, { isRevenue, leaves: models.purchases?.kind === 'bg/nbd' }, source),
        ...modelParts(models, isRevenue),
        ...forecastParts(forecasts, isRevenue, source),
        ...(models.purchases?.kind === 'bg/nbd' ? aliveParts(lives) : []),
        ...decileParts(models, lives, source),
        ...topParts(models, lives, top, isRevenue, source),
        ...check.parts,
        ...pastParts(past, source),
      ],
      json: {
        today: dateOfDay(today),
        customers: customers.length,
        value: isRevenue ? 'revenue, because no margin is known' : 'margin',
        models: { purchases: models.purchases ?? null, spend: models.spend ?? null, notes: models.notes },
        forecast: forecasts.map(({ days, orders, value: worth }) => ({
          days,
          orders: orders ?? null,
          valueMinor: worth ?? null,
        })),
        customersByLifetime: byLifetime(lives)
          .slice(0, top)
          .map(({ contact, life }) => ({
            contact,
            pastMinor: life.past ?? null,
            alive: life.alive ?? null,
            orders90: life.orders90 ?? null,
            orders365: life.orders365 ?? null,
            value90Minor: life.value90 ?? null,
            value365Minor: life.value365 ?? null,
            lifetimeMinor: life.lifetime ?? null,
            nextOrder: life.nextOrder === undefined ? null : dateOfDay(life.nextOrder),
          })),
        check: check.json,
        past: past.json,
      },
    };
  },
};

/** The models of the stage, or such as are fitted on the spot; where no margin is known, revenue stands for it. */
function modelsOf(
  { models, shop, today }: InsightSource,
  customers: readonly KnownCustomer[],
): { models: Models; isRevenue: boolean } {
  const share = marginShare(customers);
  const isRevenue = (models?.margin?.share ?? share) === undefined;
  const margin = { share: share ?? 1, asOf: today };
  if (models !== undefined) return { models: isRevenue ? { ...models, margin } : models, isRevenue };
  const notes: ModelNote[] = [];
  const made: Models = {
    shape: 1,
    at: 0,
    today,
    currency: shop.currency,
    customers: customers.length,
    orders: customers.reduce((sum, { orders }) => sum + orders, 0),
    margin,
    notes,
  };
  const kept = <M>(part: ModelPart, fitted: Fitted<M>): M | undefined => {
    if (fitted.kind === 'missing') {
      notes.push({ part, kind: 'missing', code: fitted.code, says: fitted.says });
      return undefined;
    }
    if (fitted.replaced !== undefined) notes.push({ part, kind: 'replaced', ...fitted.replaced });
    return fitted.model;
  };
  const purchases = kept('purchases', fitPurchases(purchaseRows(customers, today)));
  const spend = kept('spend', fitSpend(spendRows(customers, today, unitsPerMajor(shop.currency))));
  if (purchases !== undefined) made.purchases = { ...purchases, asOf: today };
  if (spend !== undefined) made.spend = { ...spend, asOf: today };
  return { models: made, isRevenue };
}

type Living = KnownCustomer & { life: Lifetime };
type Forecast = { days: number } & Partial<NonNullable<ReturnType<typeof shopForecast>>>;

/** What is counted, as people call it. */
const worthOf = (isRevenue: boolean): string => (isRevenue ? 'revenue' : 'margin');

const byLifetime = (lives: readonly Living[]): Living[] =>
  lives.toSorted(
    (a, b) =>
      (b.life.lifetime ?? b.life.past ?? b.revenue) - (a.life.lifetime ?? a.life.past ?? a.revenue) ||
      (a.contact < b.contact ? -1 : 1),
  );

function figureParts(
  lives: readonly Living[],
  forecasts: readonly Forecast[],
  { isRevenue, leaves }: { isRevenue: boolean; leaves: boolean },
  source: InsightSource,
): Part[] {
  const { whole } = moneyOf(source);
  const past = lives.reduce((sum, { life }) => sum + (life.past ?? 0), 0);
  const year = forecasts.find(({ days }) => days === 365);
  const here = lives.reduce((sum, { life }) => sum + (life.alive ?? 0), 0);
  return [
    {
      kind: 'figures',
      figures: [
        { value: whole(past), caption: `${worthOf(isRevenue)} so far`, note: counted(lives.length, 'customer') },
        ...(year?.orders === undefined
          ? []
          : [
              ...(leaves
                ? [
                    {
                      value: percent(here / lives.length, 0),
                      caption: 'still buy here',
                      note: `${count(here)} of ${count(lives.length)}, expected`,
                    },
                  ]
                : []),
              {
                value: count(year.orders.expected),
                caption: 'purchases in a year',
                note: `90 %: ${count(year.orders.low)} to ${count(year.orders.high)}`,
              },
            ]),
        ...(year?.value === undefined
          ? []
          : [
              {
                value: whole(year.value.expected),
                caption: `${worthOf(isRevenue)} in a year`,
                note: `90 %: ${whole(year.value.low)} to ${whole(year.value.high)}`,
              },
            ]),
      ],
    },
  ];
}

function modelParts({ purchases, spend, notes }: Models, isRevenue: boolean): Part[] {
  const parts: Part[] = [];
  const shown = (value: number): string => String(Number(value.toPrecision(4)));
  if (purchases !== undefined) {
    const { kind, r, alpha, a, b, customers } = purchases;
    const leaving = a === undefined || b === undefined ? '' : `, a ${shown(a)}, b ${shown(b)}`;
    const money =
      spend === undefined
        ? ''
        : ` Money: Gamma-Gamma (p ${shown(spend.p)}, q ${shown(spend.q)}, v ${shown(spend.v)}) over the ${counted(
            spend.customers,
            'customer',
          )} who came back; frequency and mean spend correlate by ${shown(spend.correlation)}, and the model takes them to be independent.`;
    parts.push({
      kind: 'text',
      text:
        `Purchases: ${kind === 'bg/nbd' ? 'BG/NBD' : 'NBD, in which nobody leaves'} (r ${shown(r)}, α ${shown(alpha)} weeks${leaving}) ` +
        `over ${counted(customers, 'customer')}.${money}`,
    });
  }
  if (isRevenue) {
    parts.push({
      kind: 'text',
      text: 'No margin is known, so revenue stands for it: give margins in the catalogue, or in the products of the mapping.',
    });
  }
  for (const note of notes) {
    if (note.part === 'purchases' || note.part === 'spend' || note.part === 'margin')
      parts.push({ kind: 'text', tone: 'warning', text: note.says });
  }
  return parts;
}

function forecastParts(forecasts: readonly Forecast[], isRevenue: boolean, source: InsightSource): Part[] {
  const { whole } = moneyOf(source);
  const rows = forecasts.flatMap(({ days, orders, value: worth }) =>
    orders === undefined
      ? []
      : [
          [
            `${days} days`,
            count(orders.expected),
            `${count(orders.low)} to ${count(orders.high)}`,
            whole(worth?.expected),
            worth === undefined ? '–' : `${whole(worth.low)} to ${whole(worth.high)}`,
          ],
        ],
  );
  if (rows.length === 0) return [];
  return [
    {
      kind: 'table',
      title: 'What the customers of today are expected to bring',
      columns: [
        { title: 'in' },
        { title: 'purchases', align: 'right' },
        { title: '90 %', align: 'right' },
        { title: worthOf(isRevenue), align: 'right' },
        { title: '90 %', align: 'right' },
      ],
      rows,
    },
    {
      kind: 'text',
      text: 'The intervals hold chance and the error of the fit; not that people may come to buy otherwise than they did, nor new customers.',
    },
  ];
}

const TENTHS = Array.from({ length: 10 }, (_, i) => i);

function aliveParts(lives: readonly Living[]): Part[] {
  const known = lives.filter(({ life }) => life.alive !== undefined);
  if (known.length === 0) return [];
  const counts = TENTHS.map(() => ({ once: 0, more: 0 }));
  for (const { life, days } of known) {
    const place = counts[Math.min(9, Math.floor(10 * (life.alive ?? 0)))];
    if (place !== undefined) place[days === 1 ? 'once' : 'more'] += 1;
  }
  return [
    {
      kind: 'columns',
      title: 'Customers by the probability that they still buy here',
      xTitle: 'P(alive), %',
      y: { title: 'customers', say: (many) => count(many) },
      columns: TENTHS.map((i) => `${10 * i}–${10 * (i + 1)}`),
      series: [
        { title: 'bought on several days', values: counts.map(({ more }) => more) },
        { title: 'bought on one day', values: counts.map(({ once }) => once) },
      ],
    },
    {
      kind: 'text',
      text: 'Who bought on one day only counts as alive: in the model people leave right after a repeat purchase. What tells them apart is how many orders are expected of them.',
    },
  ];
}

function decileParts(models: Models, lives: readonly Living[], source: InsightSource): Part[] {
  const cuts = decileCuts(models, lives, source.today);
  if (cuts === undefined) return [];
  const { whole } = moneyOf(source);
  const all = lives.reduce((sum, { life }) => sum + (life.lifetime ?? 0), 0);
  const rows = TENTHS.map((i) => i + 1).flatMap((tenth) => {
    const own = lives.filter(({ life }) => life.lifetime !== undefined && decileOf(cuts, life.lifetime) === tenth);
    if (own.length === 0) return [];
    const sum = (of: (life: Lifetime) => number | undefined): number =>
      own.reduce((total, { life }) => total + (of(life) ?? 0), 0);
    return [
      {
        tenth,
        many: own.length,
        past: sum(({ past }) => past),
        future: sum(({ value365 }) => value365),
        lifetime: sum(({ lifetime }) => lifetime),
        orders: sum(({ orders365 }) => orders365),
      },
    ];
  });
  if (rows.length === 0) return [];
  const most = Math.max(1, ...rows.map(({ past, future, many }) => Math.max(past, future) / many));
  return [
    {
      kind: 'columns',
      title: 'Past and future value of a customer, by tenths of lifetime value',
      xTitle: 'tenth, 1 the best',
      y: { title: 'each', say: (minor) => whole(minor) },
      columns: rows.map(({ tenth }) => `${tenth}`),
      series: [
        { title: 'so far', values: rows.map(({ past, many }) => past / many) },
        { title: 'in the year to come', values: rows.map(({ future, many }) => future / many) },
      ],
    },
    {
      kind: 'table',
      columns: [
        { title: 'tenth' },
        { title: 'customers', align: 'right' },
        { title: 'so far, each', align: 'right' },
        { title: 'in a year, each', align: 'right' },
        { title: 'orders in a year', align: 'right' },
        { title: 'of all lifetime value', align: 'right' },
      ],
      rows: rows.map(({ tenth, many, past, future, lifetime, orders }) => [
        `${tenth}`,
        count(many),
        whole(past / many),
        whole(future / many),
        count(orders / many, 2),
        most > 0 ? percent(shareOf(lifetime, all)) : '–',
      ]),
    },
  ];
}

function topParts(
  { purchases }: Models,
  lives: readonly Living[],
  top: number,
  isRevenue: boolean,
  source: InsightSource,
): Part[] {
  const { whole } = moneyOf(source);
  return [
    {
      kind: 'table',
      title: 'The customers of the greatest lifetime value: past, and the year to come',
      columns: [
        { title: 'contact' },
        { title: `${worthOf(isRevenue)} so far`, align: 'right' },
        { title: 'alive', align: 'right' },
        { title: 'orders in a year', align: 'right' },
        { title: '90 %', align: 'right' },
        { title: worthOf(isRevenue), align: 'right' },
        { title: 'next order by' },
      ],
      rows: byLifetime(lives)
        .slice(0, top)
        .map((customer) => {
          const { contact, life } = customer;
          const range = purchases === undefined ? undefined : ordersRange(purchases, customer, source.today, 365);
          return [
            contact,
            whole(life.past),
            percent(life.alive, 0),
            count(life.orders365, 1),
            range === undefined ? '–' : `${count(range.low)} to ${count(range.high)}`,
            whole(life.value365),
            life.nextOrder === undefined ? '–' : dateOfDay(life.nextOrder),
          ];
        }),
    },
  ];
}

/** From a day to another, both included: by default the year up to today. Throws KairosError `insight.date`. */
function periodAsked({ from, to }: ValueOptions, today: number): { from: number; to: number } {
  const last = dateAsked('--to', to) ?? today;
  return { from: dateAsked('--from', from) ?? last - 364, to: last };
}

/** What a period brought in and has cost, customer by customer and in all. */
async function pastOf({ warehouse }: InsightSource, { from, to }: { from: number; to: number }) {
  const rows = await warehouse.rows(query('period-value'), { from, to });
  const sum = (name: string): number => rows.reduce((all, row) => all + number(row[name]), 0);
  const [revenue, margin, valued, cost] = [sum('revenue'), sum('margin'), sum('valued'), sum('cost')];
  const buyers = rows.filter((row) => number(row.orders) > 0).length;
  const made = {
    from,
    to,
    customers: rows.length,
    buyers,
    orders: sum('orders'),
    messages: sum('messages'),
    coupons: sum('coupons'),
    revenue,
    valued,
    /** Of the revenue of which margins are known. */
    goods: valued - margin,
    margin,
    cost,
  };
  return {
    ...made,
    json: {
      from: dateOfDay(from),
      to: dateOfDay(to),
      customers: rows.length,
      buyers,
      orders: made.orders,
      messages: made.messages,
      coupons: made.coupons,
      revenueMinor: revenue,
      revenueOfKnownMarginMinor: valued,
      goodsCostMinor: made.goods,
      marginMinor: margin,
      mailCostMinor: cost,
    },
  };
}

function pastParts(past: Awaited<ReturnType<typeof pastOf>>, source: InsightSource): Part[] {
  const { money } = moneyOf(source);
  const each = (minor: number): string => money(past.buyers === 0 ? undefined : minor / past.buyers);
  const rows: [string, number, boolean][] = [
    ['revenue, net of refunds', past.revenue, true],
    ['of which margins are known', past.valued, past.valued !== past.revenue && past.valued !== 0],
    ['cost of goods, of these', -past.goods, past.valued !== 0],
    ['margin', past.margin, past.valued !== 0],
    ['mail and coupons', -past.cost, past.valued !== 0 || past.cost !== 0],
    ['left', past.margin - past.cost, past.valued !== 0],
  ];
  return [
    { kind: 'heading', text: `From ${dateOfDay(past.from)} to ${dateOfDay(past.to)}` },
    {
      kind: 'table',
      title: `${counted(past.buyers, 'buyer')}, ${counted(past.orders, 'order')}, ${counted(past.messages, 'message')}`,
      columns: [{ title: '' }, { title: 'in all', align: 'right' }, { title: 'each buyer', align: 'right' }],
      rows: rows.filter(([, , shown]) => shown).map(([title, minor]) => [title, money(minor), each(minor)]),
    },
  ];
}
