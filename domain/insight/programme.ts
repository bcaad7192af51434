// What a retention programme is worth: the lifetime value table, two programmes beside each other, what decides.
import { KairosError } from '../fault.ts';

/** A programme, in the currency's major units; shares from 0 to 1. */
export interface Programme {
  /** Customers at the start of the first year. */
  customers: number;
  /** Share of a year's customers who are customers in the next. */
  retention: number;
  /** What a customer buys for at a purchase, and purchases in a year. */
  purchase: number;
  times: number;
  /** What is left of revenue after the cost of goods. */
  margin: number;
  /** What the programme costs in a year, and for each of the year's customers. */
  cost: number;
  perCustomer: number;
  /** The yearly rate at which money to come counts less. */
  discount: number;
  years: number;
}

export interface ProgrammeYear {
  /** From 1. */
  year: number;
  customers: number;
  revenue: number;
  goods: number;
  cost: number;
  profit: number;
  /** By which the year's profit counts: 1 in the first. */
  factor: number;
  present: number;
  cumulative: number;
  /** The cumulative present value over the customers of the start. */
  perCustomer: number;
}

const OPTIONS: { [K in keyof Programme]: { says: string; least: number; most: number; whole?: boolean } } = {
  customers: { says: 'a number of customers, at least 1', least: 1, most: 1e12 },
  retention: { says: 'a percentage from 0 to 100', least: 0, most: 1 },
  purchase: { says: 'an amount, at least 0', least: 0, most: 1e12 },
  times: { says: 'purchases in a year, at least 0', least: 0, most: 1e6 },
  margin: { says: 'a percentage from 0 to 100', least: 0, most: 1 },
  cost: { says: 'an amount a year, at least 0', least: 0, most: 1e15 },
  perCustomer: { says: 'an amount a year, at least 0', least: 0, most: 1e12 },
  discount: { says: 'a percentage from 0 to 100', least: 0, most: 1 },
  years: { says: 'a whole number of years from 1 to 50', least: 1, most: 50, whole: true },
};
const PERCENT: ReadonlySet<string> = new Set(['retention', 'margin', 'discount']);
/** Of these less than one percent is a share that was meant as such: 0.6 for 60. */
const NO_SHARE: ReadonlySet<string> = new Set(['retention', 'margin']);

/** The names of what a programme is made of. */
export const PROGRAMME_KEYS = Object.keys(OPTIONS) as (keyof Programme)[];

/**
 * A programme's parts from texts as people write them, percentages as such: {"retention": "60"} → 0.6. `at` is where they
 * stand. Throws KairosError `programme.value` for what is no number or out of bounds, `programme.unknown` for a part that
 * there is not.
 */
export function readProgramme(texts: Readonly<Record<string, string>>, at: string): Partial<Programme> {
  const read: Partial<Programme> = {};
  for (const [name, text] of Object.entries(texts)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new KairosError({
        code: 'programme.unknown',
        path: at,
        message: `A programme has no "${name}".`,
        remedy: `Known: ${PROGRAMME_KEYS.join(', ')}.`,
      });
    }
    const key = name as keyof Programme;
    const { says, least, most, whole = false } = OPTIONS[key];
    const number = /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
    const value = PERCENT.has(key) ? number / 100 : number;
    const share = NO_SHARE.has(key) && number > 0 && number < 1;
    if (!(value >= least && value <= most) || share || (whole && !Number.isInteger(value))) {
      throw new KairosError({
        code: 'programme.value',
        path: at,
        message: `"${name}" is ${JSON.stringify(text)}.`,
        received: text,
        expected: says,
        remedy: share ? `Write ${says}, such as ${Math.round(number * 1e4) / 100}.` : `Write ${says}.`,
      });
    }
    read[key] = value;
  }
  return read;
}

/**
 * The table of lifetime value (Hughes, Strategic Database Marketing, chapter 3; Berger and Nasr 1998, case 1): the
 * customers of year t are the first year's times retention^(t − 1), profit is margin less what the programme costs, and
 * counts by 1 / (1 + discount)^(t − 1). Customers are not rounded.
 */
export function programmeYears(programme: Programme): ProgrammeYear[] {
  const { customers, retention, purchase, times, margin, cost, perCustomer, discount, years } = programme;
  let cumulative = 0;
  return Array.from({ length: years }, (_, t) => {
    const left = customers * retention ** t;
    const revenue = left * purchase * times;
    const goods = revenue * (1 - margin);
    const spent = cost + left * perCustomer;
    const profit = revenue - goods - spent;
    const factor = 1 / (1 + discount) ** t;
    const present = profit * factor;
    cumulative += present;
    return {
      year: t + 1,
      customers: left,
      revenue,
      goods,
      cost: spent,
      profit,
      factor,
      present,
      cumulative,
      perCustomer: cumulative / customers,
    };
  });
}

/** The present value of all years. */
export function programmeValue(programme: Programme): number {
  return programmeYears(programme).at(-1)?.cumulative ?? 0;
}

/**
 * The retention rate at which a programme is worth `target` in all; undefined where it is worth more at any rate, or
 * never that much. More customers are worth more, or less, all the way: it is found by halving, to a millionth.
 */
export function breakEvenRetention(programme: Programme, target: number): number | undefined {
  const gain = (retention: number): number => programmeValue({ ...programme, retention }) - target;
  let [low, high] = [0, 1];
  const [atNone, atAll] = [gain(low), gain(high)];
  if (atNone === 0) return 0;
  if (Math.sign(atNone) === Math.sign(atAll)) return undefined;
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (Math.sign(gain(middle)) === Math.sign(atNone)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** What the value becomes where one assumption is off, the others as they are. */
export interface Sensitivity {
  of: keyof Programme;
  /** The lower and the higher value that was tried, and what the programme is worth then. */
  low: { at: number; value: number };
  high: { at: number; value: number };
}

/** By a tenth of each, retention by five points and the discount rate by two: largest effect first. */
export function sensitivityOf(programme: Programme): Sensitivity[] {
  const worth = (of: keyof Programme, at: number) => ({ at, value: programmeValue({ ...programme, [of]: at }) });
  const within = (value: number): number => Math.min(1, Math.max(0, value));
  const tried: [of: keyof Programme, low: number, high: number][] = [
    ['retention', within(programme.retention - 0.05), within(programme.retention + 0.05)],
    ['purchase', programme.purchase * 0.9, programme.purchase * 1.1],
    ['times', programme.times * 0.9, programme.times * 1.1],
    ['margin', within(programme.margin * 0.9), within(programme.margin * 1.1)],
    ['cost', programme.cost * 0.9, programme.cost * 1.1],
    ['perCustomer', programme.perCustomer * 0.9, programme.perCustomer * 1.1],
    ['discount', within(programme.discount - 0.02), within(programme.discount + 0.02)],
  ];
  // Effects that differ in the last binary digits only are the same: they stay in the order above.
  const effect = ({ low, high }: Sensitivity): number => Number(Math.abs(high.value - low.value).toPrecision(9));
  return tried
    .filter(([, low, high]) => low !== high)
    .map(([of, low, high]): Sensitivity => ({ of, low: worth(of, low), high: worth(of, high) }))
    .sort((a, b) => effect(b) - effect(a));
}
