// kairos insight programme: what retention programmes are worth over years, beside each other.
import { KairosError } from '../domain/fault.ts';
import { dateOfDay, dayOfDate } from '../domain/insight/customer.ts';
import {
  breakEvenRetention,
  PROGRAMME_KEYS,
  type Programme,
  programmeValue,
  programmeYears,
  readProgramme,
  sensitivityOf,
} from '../domain/insight/programme.ts';
import { isDate } from '../domain/mapping.ts';
import { unitsPerMajor } from '../domain/money.ts';
import { query } from '../functions/aws/queries.ts';
import { count, moneyOf, number, percent } from './insight-figures.ts';
import type { Part, Report, ReportCommand } from './insight-report.ts';
import type { InsightSource } from './insight-source.ts';

type Given = { [K in keyof Programme]?: string };
interface ProgrammeOptions extends Given {
  /** Other programmes: what is different about each, `retention=65,cost=8000`. */
  against?: string[];
  /** `2025-01-01..2025-06-30,2025-07-01..2025-12-31` */
  periods?: string;
}

interface Named {
  name: string;
  programme: Programme;
}

const DEFAULTS = { times: 1, cost: 0, perCustomer: 0, discount: 0.1, years: 5 };

/** How amounts are written, as given or in the currency of a source: to the last decimal, and to the whole. */
interface Say {
  exact: (amount: number) => string;
  whole: (amount: number) => string;
}

export const programme: ReportCommand<ProgrammeOptions> = {
  name: 'programme',
  description: 'what retention programmes are worth over years: the lifetime value table, break-even, what decides',
  options: [
    ['--customers <number>', 'customers in the first year'],
    ['--retention <percent>', "share of a year's customers who are customers in the next"],
    ['--purchase <amount>', 'an average purchase'],
    ['--times <number>', 'purchases of a customer in a year; by default 1'],
    ['--margin <percent>', 'what is left of revenue after the cost of goods'],
    ['--cost <amount>', 'what the programme costs in a year'],
    ['--per-customer <amount>', 'what it costs in a year for each customer'],
    ['--discount <percent>', 'the yearly rate by which later money counts less; by default 10'],
    ['--years <number>', 'over how many years; by default 5'],
    ['--against <changes...>', 'another programme by what differs: retention=65,cost=8000; several times for several'],
    ['--periods <periods>', 'past value by period: 2025-01-01..2025-06-30,2025-07-01..2025-12-31'],
  ],
  onlyAlone: true,
  alone(options) {
    const given = givenIn(options);
    const enough = (['customers', 'retention', 'purchase', 'margin'] as const).every((key) => given[key] !== undefined);
    if (!enough || options.periods !== undefined) return undefined;
    const all = programmesOf({ ...DEFAULTS, ...given } as Programme, options);
    const exact = (amount: number): string => count(amount, amount % 1 === 0 ? 0 : 2);
    return reportOf(all, 'What you gave, and nothing else.', { exact, whole: (amount) => count(round(amount)) });
  },
  async make(source, options) {
    const given = givenIn(options);
    const basis = await basisOf(source);
    const missing = (['customers', 'retention', 'purchase', 'margin'] as const).filter(
      (key) => given[key] === undefined && basis.known[key] === undefined,
    );
    if (missing.length > 0) {
      throw new KairosError({
        code: 'programme.missing',
        path: missing.map((key) => `--${key}`).join(', '),
        message: `These orders do not tell it: ${missing.map((key) => basis.why[key] ?? key).join('; ')}.`,
        remedy: `Give ${missing.map((key) => `--${key}`).join(', ')}.`,
      });
    }
    const all = programmesOf({ ...DEFAULTS, ...basis.known, ...given } as Programme, options);
    const taken = PROGRAMME_KEYS.filter((key) => given[key] === undefined && basis.known[key] !== undefined);
    const from = taken.map((key) => basis.why[key] ?? key).join('; ');
    const unit = unitsPerMajor(source.shop.currency);
    const { money, whole } = moneyOf(source);
    // Greater amounts than can be counted in minor units are only ever assumed ones.
    const written =
      (how: (minor: number) => string) =>
      (amount: number): string =>
        Math.abs(amount) < 1e12 ? how(Math.round(amount * unit)) : count(amount);
    const basisOfReport = `${source.says}${from === '' ? '' : ` Taken from it: ${from}.`}`;
    const report = reportOf(all, basisOfReport, { exact: written(money), whole: written(whole) });
    const past = options.periods === undefined ? undefined : await pastOf(source, options.periods);
    if (past === undefined) return report;
    return {
      ...report,
      parts: [...report.parts, ...past.parts],
      json: { ...(report.json as object), past: past.json },
    };
  },
};

function givenIn(options: ProgrammeOptions): Partial<Programme> {
  return Object.assign(
    {},
    ...PROGRAMME_KEYS.map((key) => {
      const text = options[key];
      return text === undefined ? {} : readProgramme({ [key]: text }, `--${kebab(key)}`);
    }),
  ) as Partial<Programme>;
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const camel = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

function programmesOf(first: Programme, { against = [] }: ProgrammeOptions): Named[] {
  return [
    { name: 'Programme 1', programme: first },
    ...against.map((changes, i): Named => {
      const texts = Object.fromEntries(
        changes.split(',').map((change) => {
          const [key = '', text, ...more] = change.split('=').map((part) => part.trim());
          if (text === undefined || more.length > 0) {
            throw new KairosError({
              code: 'programme.against',
              path: '--against',
              message: `${JSON.stringify(change)} is no change.`,
              remedy: 'Write changes such as retention=65,cost=8000.',
            });
          }
          return [camel(key), text];
        }),
      );
      return { name: `Programme ${i + 2}`, programme: { ...first, ...readProgramme(texts, '--against') } };
    }),
  ];
}

function reportOf(all: Named[], basis: string, say: Say): Report {
  const values = all.map(({ programme: one }) => programmeValue(one));
  const [first] = all as [Named, ...Named[]];
  const best = values.indexOf(Math.max(...values));
  const each = all.map(({ name, programme: one }, i) => ({
    name,
    programme: one,
    years: programmeYears(one),
    value: values[i] as number,
    perCustomer: (values[i] as number) / one.customers,
    breakEven: breakEvenRetention(one, 0),
    ...(i === 0 ? {} : { asGoodAsFirst: breakEvenRetention(one, values[0] as number) }),
    sensitivity: sensitivityOf(one),
  }));
  const parts: Part[] = [
    {
      kind: 'figures',
      figures: each.map(({ name, value, perCustomer, programme: one }) => ({
        value: say.exact(perCustomer),
        caption: `${name}: lifetime value of a customer over ${counted(one.years)}`,
        note: `${say.whole(value)} in all`,
      })),
    },
    ...(all.length === 1
      ? []
      : [assumptions(all, say), { kind: 'text', text: sayBest(all, values, best, say) } as const]),
    ...each.flatMap(({ name, years, programme: one, breakEven, asGoodAsFirst }, i): Part[] => [
      ...(all.length === 1 ? [] : [{ kind: 'heading', text: name } as const]),
      yearTable(years, say),
      { kind: 'text', text: sayBreakEven(one, breakEven, i === 0 ? undefined : { asGoodAsFirst, first: first.name }) },
    ]),
    {
      kind: 'lines',
      title: 'Cumulative present value by year',
      x: { title: 'year', say: String, ticks: each[0]?.years.map(({ year }) => year) ?? [] },
      y: { title: 'value', say: (value) => count(value) },
      series: each.map(({ name, years }) => ({
        title: name,
        points: years.map(({ year, cumulative }) => [year, cumulative] as const).map(([x, y]) => [x, y]),
      })),
    },
    ...each.map(({ name, sensitivity, value }): Part => sensitivityTable(name, sensitivity, value, say)),
    {
      kind: 'text',
      text: 'The first year counts in full, each later one by 1 / (1 + discount rate) a year more; customers who leave are taken not to come back (Hughes, Strategic Database Marketing; Berger and Nasr 1998). A table of assumptions: it tells what follows from them, not whether they hold.',
    },
  ];
  return {
    name: 'programme',
    title: all.length === 1 ? 'What a retention programme is worth' : 'Retention programmes beside each other',
    basis,
    parts,
    json: { money: 'in major units, as given', best: all[best]?.name, programmes: each },
  };
}

const counted = (years: number): string => `${years} ${years === 1 ? 'year' : 'years'}`;

function assumptions(all: readonly Named[], say: Say): Part {
  const written: { [K in keyof Programme]: [title: string, say: (value: number) => string] } = {
    customers: ['Customers in the first year', (value) => count(value)],
    retention: ['Retention', percent],
    purchase: ['An average purchase', say.exact],
    times: ['Purchases a year', (value) => count(value, value % 1 === 0 ? 0 : 2)],
    margin: ['Margin', percent],
    cost: ['Cost of the programme a year', say.exact],
    perCustomer: ['Cost a customer and year', say.exact],
    discount: ['Discount rate', percent],
    years: ['Years', String],
  };
  return {
    kind: 'table',
    title: 'What is assumed',
    columns: [{ title: '' }, ...all.map(({ name }) => ({ title: name, align: 'right' as const }))],
    rows: PROGRAMME_KEYS.map((key) => {
      const [title, how] = written[key];
      return [title, ...all.map(({ programme: one }) => how(one[key]))];
    }),
  };
}

function sayBest(all: readonly Named[], values: readonly number[], best: number, say: Say): string {
  const others = all.flatMap(({ name }, i) => {
    const less = (values[best] as number) - (values[i] as number);
    return i === best ? [] : [`${less < 1e-9 ? 'as much as' : `${say.whole(less)} more than`} ${name}`];
  });
  return `${all[best]?.name} is worth most: ${others.join(', ')}.`;
}

function sayBreakEven(
  one: Programme,
  breakEven: number | undefined,
  against: { asGoodAsFirst: number | undefined; first: string } | undefined,
): string {
  const always = programmeValue({ ...one, retention: 0 }) >= 0;
  const own =
    breakEven === undefined
      ? always
        ? 'It pays for itself at any retention rate.'
        : 'It does not pay for itself at any retention rate.'
      : `It pays for itself from a retention rate of ${percent(breakEven)} on.`;
  if (against === undefined) return own;
  const { asGoodAsFirst, first } = against;
  return asGoodAsFirst === undefined
    ? `${own} At no retention rate is it worth just as much as ${first}.`
    : `${own} It is worth as much as ${first} where ${percent(asGoodAsFirst)} stay; ${percent(one.retention)} are assumed.`;
}

function yearTable(years: ReturnType<typeof programmeYears>, say: Say): Part {
  const right = (title: string) => ({ title, align: 'right' as const });
  return {
    kind: 'table',
    columns: [
      right('Year'),
      right('Customers'),
      right('Revenue'),
      right('Cost of goods'),
      right('Programme'),
      right('Profit'),
      right('Factor'),
      right('Present'),
      right('Cumulative'),
      right('A customer'),
    ],
    rows: years.map((year) => [
      String(year.year),
      count(year.customers),
      say.whole(year.revenue),
      say.whole(year.goods),
      say.whole(year.cost),
      say.whole(year.profit),
      year.factor.toFixed(3),
      say.whole(year.present),
      say.whole(year.cumulative),
      say.exact(Math.round(year.perCustomer * 100) / 100),
    ]),
  };
}

const round = (amount: number): number => Math.round(amount) || 0;

function sensitivityTable(name: string, tried: ReturnType<typeof sensitivityOf>, value: number, say: Say): Part {
  const words: { [K in keyof Programme]?: string } = {
    retention: 'retention, 5 points less or more',
    purchase: 'average purchase, a tenth less or more',
    times: 'purchases a year, a tenth less or more',
    margin: 'margin, a tenth less or more',
    cost: 'yearly cost, a tenth less or more',
    perCustomer: 'cost a customer, a tenth less or more',
    discount: 'discount rate, 2 points less or more',
  };
  const change = (to: number): string => `${to - value < 0 ? '' : '+'}${say.whole(to - value)}`;
  return {
    kind: 'table',
    title: `${name}: what moves its value of ${say.whole(value)} most`,
    columns: [{ title: 'Assumption' }, { title: 'Less', align: 'right' }, { title: 'More', align: 'right' }],
    rows: tried.map(({ of, low, high }) => [words[of] ?? of, change(low.value), change(high.value)]),
  };
}

interface Basis {
  known: Partial<Programme>;
  /** In words: where each figure comes from, or why there is none. */
  why: { [K in keyof Programme]?: string };
}

/** What the last year says of a programme's figures. */
async function basisOf(source: InsightSource): Promise<Basis> {
  const { warehouse, shop, today } = source;
  const ask = async (period: number) => {
    const [row = {}] = await warehouse.rows(query('programme-basis'), { currency: shop.currency, today, period });
    return row;
  };
  const first = await ask(365);
  const history = first.first_day === null || first.first_day === undefined ? 0 : today - number(first.first_day) + 1;
  const period = [365, 182, 91].find((days) => 2 * days <= history);
  const { buyers, again } = period === undefined || period === 365 ? first : await ask(period);
  const [customers, orders, revenue, margin, valued] = ['customers', 'orders', 'revenue', 'margin', 'valued'].map(
    (name) => number(first[name]),
  ) as [number, number, number, number, number];
  const unit = unitsPerMajor(shop.currency);
  const { money } = moneyOf(source);
  const known: Partial<Programme> = {};
  const why: Basis['why'] = {};
  if (customers > 0) {
    known.customers = customers;
    known.times = orders / customers;
    why.customers = `${count(customers)} customers who bought in the last year`;
    why.times = `${count(known.times, 2)} orders of each`;
  } else why.customers = 'nobody bought in the last year';
  if (orders > 0 && revenue > 0) {
    known.purchase = revenue / orders / unit;
    why.purchase = `${money(revenue / orders)} an order, net of refunds`;
  } else why.purchase = 'nothing was earned in the last year';
  if (valued > 0 && margin >= 0 && margin <= valued) {
    known.margin = margin / valued;
    why.margin = `a margin of ${percent(known.margin)}, known of ${percent(valued / Math.max(1, revenue), 0)} of revenue`;
  } else
    why.margin =
      valued > 0 ? `the margin is ${money(margin)} of ${money(valued)}` : 'the margin of no product is known';
  if (period !== undefined && number(buyers) > 0) {
    const kept = number(again) / number(buyers);
    known.retention = Math.min(1, kept ** (365 / period));
    why.retention =
      period === 365
        ? `a retention of ${percent(kept)}: ${count(number(again))} of ${count(number(buyers))} buyers of the year before bought again`
        : `a retention of ${percent(known.retention)} a year, from ${percent(kept)} over ${period} days, as there are only ${count(history)} days of orders`;
  } else why.retention = `${count(history)} days of orders are too few for a retention rate, which takes 182`;
  return { known, why };
}

const MOST_PERIODS = 24;

/** Revenue, goods and campaigns of past periods, by customer who bought or was written to. */
async function pastOf(source: InsightSource, text: string): Promise<{ parts: Part[]; json: unknown }> {
  const { warehouse, shop, today } = source;
  const { money, whole } = moneyOf(source);
  const periods = text.split(',').map((one) => {
    const [from = '', to = '', ...more] = one.trim().split('..');
    if (!isDate(from) || !isDate(to) || from > to || more.length > 0) {
      throw new KairosError({
        code: 'programme.period',
        path: '--periods',
        message: `${JSON.stringify(one)} is no period.`,
        remedy: 'Write the first and the last day, such as 2025-01-01..2025-06-30; several with commas.',
      });
    }
    return { from: dayOfDate(from), to: dayOfDate(to) };
  });
  if (periods.length > MOST_PERIODS) {
    throw new KairosError({
      code: 'programme.period',
      path: '--periods',
      message: `There are ${periods.length} periods.`,
      remedy: `Give at most ${MOST_PERIODS}.`,
    });
  }
  const rows = [];
  for (const { from, to } of periods) {
    const customers = await warehouse.rows(query('period-value'), { currency: shop.currency, today, from, to });
    const sum = (name: string): number => customers.reduce((all, row) => all + number(row[name]), 0);
    const [revenue, valued, margin, cost] = [sum('revenue'), sum('valued'), sum('margin'), sum('cost')];
    const goods = valued - margin;
    rows.push({ from: dateOfDay(from), to: dateOfDay(to), customers: customers.length, revenue, valued, goods, cost });
  }
  const unknown = rows.some(({ revenue, valued }) => revenue !== valued);
  return {
    parts: [
      { kind: 'heading', text: 'What past periods have earned' },
      {
        kind: 'table',
        columns: ['Period', 'Customers', 'Revenue', 'Cost of goods', 'Campaigns', 'Left', 'A customer'].map(
          (title, i) => ({
            title,
            align: i === 0 ? 'left' : 'right',
          }),
        ),
        rows: rows.map(({ from, to, customers, revenue, valued, goods, cost }) => {
          const left = valued - goods - cost;
          return [
            `${from} to ${to}`,
            count(customers),
            whole(revenue),
            valued === 0 ? '–' : whole(goods),
            whole(cost),
            valued === 0 ? '–' : whole(left),
            valued === 0 || customers === 0 ? '–' : money(left / customers),
          ];
        }),
      },
      ...(unknown
        ? [
            {
              kind: 'text',
              tone: 'warning',
              text: `The margin of some products is not known: goods are counted for ${rows.map(({ from, revenue, valued }) => `${percent(revenue === 0 ? 0 : valued / revenue, 0)} of revenue from ${from}`).join(', ')}, and so is what is left.`,
            } as const,
          ]
        : []),
    ],
    json: rows.map(({ revenue, valued, goods, cost, ...row }) => ({
      ...row,
      revenueMinor: revenue,
      valuedMinor: valued,
      goodsMinor: goods,
      campaignsMinor: cost,
      leftMinor: valued - goods - cost,
    })),
  };
}
