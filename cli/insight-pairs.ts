// kairos insight pairs: what is bought together, what after, what buyers move on to, and how well that recommends.
import { KairosError } from '../domain/fault.ts';
import { dateOfDay } from '../domain/insight/customer.ts';
import { checkNext, type HitRate, type NextCheck } from '../domain/insight/next-check.ts';
import { nextProducts, type PairCount, type Ranked, rank, type UpgradeCount } from '../domain/insight/next-product.ts';
import { formatMoney } from '../domain/money.ts';
import { countNext, NEXT_BOUNDS, nextCases } from '../functions/aws/next-counts.ts';
import type { Part, Report, ReportCommand } from './insight-report.ts';
import type { InsightSource } from './insight-source.ts';

/** Customers on whom the recommendations are tried, about. */
const MOST_TRIED = 5000;
const MOST_ROWS = 15;
const MOST_POPULAR = 10;

interface Options {
  product?: string;
  most?: string;
}

/** What `--json` prints of an association. Shares from 0 to 1; `low` and `high` bound the lift. */
function figures({ product, other, both, first, second, all, support, confidence, lift, low, high, score }: Ranked) {
  return { product, other, both, first, second, all, support, confidence, lift, low, high, score };
}

/** A name of which two find room beside each other. */
const cut = (name: string): string => (name.length > 24 ? `${name.slice(0, 23).trimEnd()}…` : name);
/** How many more hold both than by chance: what the tables over all products are sorted by. */
const surplus = ({ both, first, second, all }: PairCount): number => both - (first * second) / all;
const number = (value: number): string => value.toLocaleString('en');
const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 2 : 1)} %`;
const times = (lift: number): string => lift.toFixed(lift < 100 ? 1 : 0);

/** Throws a KairosError for a `--most` that is no whole number, and for a `--product` that nobody bought. */
async function make(source: InsightSource, options: Options): Promise<Report> {
  const { warehouse, shop, today } = source;
  const most = mostOf(options.most);
  const { currency } = shop;
  const counts = await countNext(warehouse, { today, currency });
  const without = await countNext(warehouse, { today, currency, leave: 1 });
  const cases = await nextCases(warehouse, { today, currency, leave: 1, customers: MOST_TRIED });
  const check = checkNext(cases, nextProducts(without), withNames(source, cases));
  const model = nextProducts(counts);
  const { product } = options;
  const chosen = <Count extends PairCount>(rows: readonly Count[], once = false): (Count & Ranked)[] => {
    const ranked = rank(rows);
    if (product !== undefined) return (ranked.get(product) ?? []).slice(0, most);
    const all = [...ranked.values()].flat();
    all.sort((a, b) => surplus(b) - surplus(a) || b.score - a.score || (a.product < b.product ? -1 : 1));
    const seen = new Set<string>();
    const distinct = all.filter((one) => {
      const pair = JSON.stringify([one.product, one.other].sort());
      if (once && seen.has(pair)) return false;
      seen.add(pair);
      return true;
    });
    return distinct.slice(0, most);
  };
  const together = chosen(counts.together, true);
  const after = chosen(counts.after);
  const upgrades = chosen(counts.upgrades);
  if (product !== undefined && together.length + after.length + upgrades.length === 0) refuse(source, product);
  const popular = counts.popular.filter(({ category }) => category === '').slice(0, MOST_POPULAR);
  const { together: pairs, after: later, upgrades: better } = model;
  const size = {
    products: new Set([pairs, later, better].flatMap(Object.keys)).size,
    characters: JSON.stringify(model).length,
  };
  const about = product === undefined ? '' : `, of ${nameOf(source, product)}`;
  return {
    name: 'pairs',
    title: `What goes together, and what to offer next${about}`,
    basis: `${source.says} Orders of the ${number(NEXT_BOUNDS.days)} days up to ${dateOfDay(today)} count.`,
    parts: [
      ...(product === undefined ? figuresPart(check, size.products, NEXT_BOUNDS.support) : []),
      ...togetherPart(source, together, product === undefined),
      ...afterPart(source, after),
      ...upgradePart(source, upgrades),
      ...(product === undefined ? popularPart(source, popular) : []),
      ...(product === undefined ? checkPart(check) : []),
      ...(product === undefined ? sizePart(size) : []),
    ],
    json: {
      until: dateOfDay(today),
      bounds: NEXT_BOUNDS,
      together: together.map(figures),
      after: after.map(figures),
      upgrades: upgrades.map((one) => ({
        ...figures(one),
        category: one.category,
        priceMinor: one.price,
        otherPriceMinor: one.otherPrice,
      })),
      popular,
      check,
      model: size,
    },
  };
}

/** Every product of the cases in a catalogue, for one that was sold need not be in the shop's catalogue any more. */
function withNames({ shop }: InsightSource, cases: readonly { owned: object; fresh: readonly string[] }[]) {
  const sold = cases.flatMap(({ owned, fresh }) => [...Object.keys(owned), ...fresh]);
  const unknown = [...new Set(sold)].filter((id) => !Object.hasOwn(shop.catalogue.products, id));
  const named = unknown.map((id): [string, { name: string }] => [id, { name: id }]);
  return { products: { ...Object.fromEntries(named), ...shop.catalogue.products } };
}

function mostOf(text: string | undefined): number {
  if (text === undefined) return MOST_ROWS;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new KairosError({
    code: 'insight.most',
    path: '--most',
    message: `${JSON.stringify(text)} is not a whole number from 1 to 9999.`,
    remedy: 'Write a number such as 15.',
  });
}

function refuse({ shop }: InsightSource, product: string): never {
  const known = Object.hasOwn(shop.catalogue.products, product);
  throw new KairosError({
    code: 'insight.product',
    path: '--product',
    message: known
      ? `nothing is known to go with ${JSON.stringify(product)}: too few have bought it with something else.`
      : `no product is called ${JSON.stringify(product)}.`,
    remedy: known ? 'Leave --product out for the pairs that are known.' : 'Give a product id as orders name it.',
  });
}

function nameOf({ shop }: InsightSource, id: string): string {
  const known = Object.hasOwn(shop.catalogue.products, id) ? shop.catalogue.products[id] : undefined;
  return known === undefined || known.name === id ? id : `${cut(known.name)} (${id})`;
}

const ASSOCIATION = [
  { title: 'share of buyers', align: 'right' },
  { title: 'lift', align: 'right' },
  { title: '95 %', align: 'right' },
] as const;

const associationCells = ({ confidence, lift, low, high }: Ranked): string[] => [
  percent(confidence),
  times(lift),
  `${times(low)}–${times(high)}`,
];

/** A few numbers at a glance; none where there is nothing to tell. */
function figuresPart({ customers, at }: NextCheck, products: number, support: number): Part[] {
  if (products === 0) return [tooLittle(`No two products go together in ${support} orders or more.`)];
  const hits = at.map(({ most, model, popular }) => ({
    value: percent(model.rate),
    caption: `have a hit among ${most}`,
    note: `${percent(popular.rate)} with the most popular`,
  }));
  return [
    {
      kind: 'figures',
      figures: [
        { value: number(products), caption: 'products with something to offer' },
        ...(customers === 0 ? [] : hits),
      ],
    },
  ];
}

function togetherPart(source: InsightSource, rows: readonly Ranked[], sorted: boolean): Part[] {
  const heading: Part = { kind: 'heading', text: 'Bought together' };
  if (rows.length === 0)
    return [
      heading,
      tooLittle(`No two products are in ${NEXT_BOUNDS.support} baskets together more often than by chance.`),
    ];
  return [
    heading,
    {
      kind: 'table',
      columns: [
        { title: 'who buys' },
        { title: 'buys with it' },
        { title: 'baskets', align: 'right' },
        { title: 'support', align: 'right' },
        ...ASSOCIATION,
      ],
      rows: rows.map((one) => [
        nameOf(source, one.product),
        nameOf(source, one.other),
        number(one.both),
        percent(one.support),
        ...associationCells(one),
      ]),
    },
    {
      kind: 'text',
      text: `Of ${number(rows[0]?.all ?? 0)} baskets. The lift says how many times likelier the second is where the first is bought; 1 is chance.${sorted ? ' First stands what is bought together most beyond that.' : ''}`,
    },
  ];
}

function afterPart(source: InsightSource, rows: readonly Ranked[]): Part[] {
  const heading: Part = { kind: 'heading', text: 'Bought after' };
  if (rows.length === 0)
    return [
      heading,
      tooLittle(
        `No product was bought after another one by ${NEXT_BOUNDS.support} customers more often than by chance.`,
      ),
    ];
  return [
    heading,
    {
      kind: 'table',
      columns: [
        { title: 'who has bought' },
        { title: 'later buys' },
        { title: 'customers', align: 'right' },
        ...ASSOCIATION,
      ],
      rows: rows.map((one) => [
        nameOf(source, one.product),
        nameOf(source, one.other),
        number(one.both),
        ...associationCells(one),
      ]),
    },
    {
      kind: 'text',
      text: `Of ${number(rows[0]?.all ?? 0)} customers with orders on two days or more; the share is of those who came again after the first.`,
    },
  ];
}

function upgradePart(source: InsightSource, rows: readonly (UpgradeCount & Ranked)[]): Part[] {
  const heading: Part = { kind: 'heading', text: 'What buyers moved on to' };
  if (rows.length === 0) {
    const dearer = percent(NEXT_BOUNDS.dearer);
    return [
      heading,
      tooLittle(
        `No dearer product of the same category (by ${dearer} at least) was bought later by ${NEXT_BOUNDS.upgradeSupport} customers more often than by chance; without categories there are none.`,
      ),
    ];
  }
  const money = (minor: number): string => formatMoney(Math.round(minor), source.shop.currency, 'en');
  return [
    heading,
    {
      kind: 'table',
      columns: [
        { title: 'category' },
        { title: 'from' },
        { title: 'to' },
        { title: 'customers', align: 'right' },
        ...ASSOCIATION,
      ],
      rows: rows.map((one) => [
        one.category,
        `${nameOf(source, one.product)}, ${money(one.price)}`,
        `${nameOf(source, one.other)}, ${money(one.otherPrice)}`,
        number(one.both),
        ...associationCells(one),
      ]),
    },
  ];
}

function popularPart(source: InsightSource, rows: readonly { product: string; baskets: number }[]): Part[] {
  if (rows.length === 0) return [];
  const longest = Math.max(...rows.map(({ baskets }) => baskets));
  return [
    {
      kind: 'bars',
      title: `In most orders of the last ${NEXT_BOUNDS.recentDays} days`,
      bars: rows.map(({ product, baskets }) => ({
        label: nameOf(source, product),
        share: baskets / longest,
        text: number(baskets),
      })),
    },
  ];
}

function checkPart({ customers, at }: NextCheck): Part[] {
  const heading: Part = { kind: 'heading', text: 'How well that recommends' };
  if (customers === 0)
    return [heading, tooLittle('Nobody bought something new in a second order: there is nothing to try it on.')];
  const rate = ({ rate: share, low, high }: HitRate): string => `${percent(share)} (${percent(low)}–${percent(high)})`;
  const signed = (share: number): string => `${share < 0 ? '−' : '+'}${(100 * Math.abs(share)).toFixed(1)}`;
  const unsure = at.filter(({ better }) => better.low <= 0).map(({ most }) => `the first ${most}`);
  return [
    heading,
    {
      kind: 'table',
      columns: [
        { title: 'among the first', align: 'right' },
        { title: 'recommended', align: 'right' },
        { title: 'most popular', align: 'right' },
        { title: 'difference in points', align: 'right' },
      ],
      rows: at.map(({ most, model, popular, better }) => [
        String(most),
        rate(model),
        rate(popular),
        `${signed(better.by)} (${signed(better.low)} to ${signed(better.high)})`,
      ]),
    },
    {
      kind: 'text',
      text: `The last order of ${number(customers)} customers was left out of the counts and told from what they had bought before: a hit is a product that was new to them in it. Intervals of 95 %.`,
    },
    ...(unsure.length === 0
      ? []
      : [tooLittle(`Among ${unsure.join(' and ')} it is not surely better than what is most popular.`)]),
  ];
}

const sizePart = ({ products, characters }: { products: number; characters: number }): Part[] => [
  {
    kind: 'text',
    text: `The model that e-mails and the shop’s page use holds ${number(products)} products, ${number(Math.ceil(characters / 1000))} KB.`,
  },
];

const tooLittle = (text: string): Part => ({ kind: 'text', text, tone: 'warning' });

export const pairsReport: ReportCommand<Options> = {
  name: 'pairs',
  description: 'what is bought together, what after, and how well that recommends',
  options: [
    ['--product <id>', 'what goes with this product'],
    ['--most <number>', `rows of each table, ${MOST_ROWS} unless told`],
  ],
  make,
};
