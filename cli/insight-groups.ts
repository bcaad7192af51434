// kairos insight groups: customers who buy alike, found in the data, and one of them saved as a segment.
import path from 'node:path';
import { KairosError, suggest } from '../domain/fault.ts';
import { type Buyer, buyersOf } from '../domain/insight/buyers.ts';
import { categoryOf } from '../domain/insight/feature-space.ts';
import { type FoundRule, ruleFor } from '../domain/insight/group-rule.ts';
import { type Discovered, discoverGroups, type Group, STABLE } from '../domain/insight/groups.ts';
import { unitsPerMajor } from '../domain/money.ts';
import { sayRule } from '../domain/say-rule.ts';
import { query } from '../functions/aws/queries.ts';
import { count, moneyOf, percent } from './insight-figures.ts';
import type { Part, ReportCommand } from './insight-report.ts';
import type { InsightSource } from './insight-source.ts';
import { writeSegment } from './segment-file.ts';
import { TEMPLATES } from './validate.ts';

export interface SaveOptions {
  as?: string;
  to?: string;
  force?: boolean;
}

interface GroupsOptions extends SaveOptions {
  save?: string;
}

/** Where a rule is written to. */
export const SAVE_OPTIONS = [
  ['--as <name>', 'the name of the segment that it is saved as'],
  ['--to <folder>', 'the folder that the segment is written to; by default templates/segments'],
  ['--force', 'write over a segment of that name'],
] as const;

export const groups: ReportCommand<GroupsOptions> = {
  name: 'groups',
  description: 'customers who buy alike, found in the data, in words; save one as a segment',
  options: [['--save <group>', 'the id of a group whose rule is saved'], ...SAVE_OPTIONS],
  async make(source, options) {
    if ((options.save === undefined) !== (options.as === undefined)) {
      throw new KairosError({
        code: 'groups.save',
        path: options.save === undefined ? '--save' : '--as',
        message: 'A group is saved under a name.',
        remedy: 'Give both: --save GROUP --as NAME.',
      });
    }
    const buyers = await readBuyers(source);
    const former = source.models?.groups;
    const discovered = discoverGroups(buyers, readingOf(source), former);
    const report = { name: 'groups', title: 'Groups of customers who buy alike', basis: source.says };
    if (discovered.kind === 'none') {
      if (options.save !== undefined) throw unknownGroup(options.save, [], discovered.says);
      const parts: Part[] = [{ kind: 'text', tone: 'warning', text: discovered.says }];
      return { ...report, parts, json: { customers: buyers.length, groups: [], code: discovered.code } };
    }
    const rules = discovered.groups.map((_, place) =>
      ruleFor(
        buyers,
        new Set(buyers.flatMap((_, i) => (discovered.of[i] === place ? [i] : []))),
        discovered.model.features,
        { ...readingOf(source), known: knownCategories(source) },
      ),
    );
    const saved = await save(discovered.groups, rules, options);
    return {
      ...report,
      parts: [...saved, ...partsOf(source, discovered, rules)],
      json: {
        customers: buyers.length,
        how: discovered.how,
        silhouette: discovered.silhouette,
        stability: discovered.stability,
        blurred: discovered.blurred,
        tried: discovered.tried,
        groups: discovered.groups.map(({ revenue, average, ...group }, i) => ({
          ...group,
          revenueMinor: revenue,
          averageMinor: Math.round(average),
          ...(rules[i] === undefined ? {} : { rule: rules[i] }),
        })),
      },
    };
  },
};

/** All customers with what and how they bought, as of the source's last day. */
export async function readBuyers({ warehouse, shop, today }: InsightSource): Promise<Buyer[]> {
  const parameters = { currency: shop.currency, today };
  const [features, categories] = [
    await warehouse.rows(query('customer-features'), parameters),
    await warehouse.rows(query('customer-categories'), parameters),
  ];
  return buyersOf(features, categories);
}

export const readingOf = ({ shop, today }: InsightSource) => ({ today, unit: unitsPerMajor(shop.currency) });

/** Categories that the catalogue knows: of those a rule asks the catalogue, which knows old orders' products too. */
export function knownCategories({ shop }: InsightSource): ReadonlySet<string> {
  return new Set(Object.values(shop.catalogue.products).flatMap(({ category }) => category ?? []));
}

/** Writes a rule as a segment, and says so and how well it does. */
export async function saveRule(found: FoundRule, title: string, whom: string, options: SaveOptions): Promise<Part> {
  const { as: name = '', to = path.join(TEMPLATES, 'segments'), force = false } = options;
  const file = await writeSegment({ name, title, rule: found.rule, folder: to, force });
  const shown = path.relative(process.cwd(), file);
  const text = `Written: ${shown.startsWith('..') ? file : shown}. ${sayRule(found.rule)} ${sayFit(found, whom)}`;
  return { kind: 'text', text };
}

/** Below this share a rule is said to be a rough one. */
const ROUGH = 0.7;

export const sayFit = ({ found, precision, recall }: FoundRule, whom: string): string =>
  `It takes in ${count(found)} customers today: ${percent(precision, 0)} of them are ${whom}, and ${percent(recall, 0)} of those are in it.${Math.min(precision, recall) < ROUGH ? ' A rough rule.' : ''}`;

async function save(
  all: readonly Group[],
  rules: readonly (FoundRule | undefined)[],
  options: GroupsOptions,
): Promise<Part[]> {
  if (options.save === undefined) return [];
  const place = all.findIndex(({ id }) => id === options.save);
  if (place < 0) throw unknownGroup(options.save, all);
  const rule = rules[place];
  if (rule === undefined) {
    throw new KairosError({
      code: 'groups.no-rule',
      path: '--save',
      message: `No rule tells the group "${options.save}" from the others: nothing was written.`,
    });
  }
  return [await saveRule(rule, all[place]?.title ?? '', 'of the group', options)];
}

function unknownGroup(asked: string, all: readonly Group[], says = `There is no group "${asked}".`): KairosError {
  const remedy = suggest(
    asked,
    all.map(({ id }) => id),
  );
  return new KairosError({
    code: 'groups.unknown',
    path: '--save',
    message: says,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

type Found = Extract<Discovered, { kind: 'groups' }>;

const HOW: Record<Found['how'], string> = {
  first: '',
  kept: ' They are those of the last nightly run, moved with their people.',
  anew: ' They were found anew: those of the last nightly run no longer fit. Groups that are still the same kept their id.',
};

function partsOf(source: InsightSource, found: Found, rules: readonly (FoundRule | undefined)[]): Part[] {
  const { whole } = moneyOf(source);
  const best = found.groups.reduce((one, other) => (other.revenue > one.revenue ? other : one));
  const most = Math.max(1e-9, ...found.groups.map(({ revenueShare = 0 }) => revenueShare));
  const names = found.model.features.map(({ name }) => name);
  const discounts = names.includes('discounted');
  return [
    {
      kind: 'figures',
      figures: [
        { value: count(found.groups.length), caption: 'groups of customers' },
        {
          value: percent(best.revenueShare, 0),
          caption: `of revenue from the group "${best.title}"`,
          note: `${percent(best.share, 0)} of customers`,
        },
        { value: percent(found.stability, 0), caption: 'agreement when a fifth of customers is left out' },
      ],
    },
    ...(found.blurred
      ? [
          {
            kind: 'text',
            tone: 'warning',
            text: `These groups run into each other: when a fifth of the customers is left out, the others fall into other groups (adjusted Rand index ${found.stability.toFixed(2)}, under ${STABLE}). Take them as a rough picture.`,
          } as const,
        ]
      : []),
    {
      kind: 'table',
      title: 'The groups, by revenue',
      columns: [
        { title: 'Id' },
        { title: 'Who they are' },
        { title: 'Customers', align: 'right' },
        { title: 'Revenue', align: 'right' },
        { title: 'Orders', align: 'right' },
        { title: 'An order', align: 'right' },
        { title: 'Days since', align: 'right' },
        ...(discounts ? [{ title: 'Discounts', align: 'right' } as const] : []),
        { title: 'Returned', align: 'right' },
      ],
      rows: found.groups.map((group) => [
        group.id,
        group.title,
        count(group.customers),
        percent(group.revenueShare, 0),
        count(group.orders, 1),
        whole(group.average),
        count(group.recency),
        ...(discounts ? [percent(group.discounted, 0)] : []),
        percent(group.returned, 0),
      ]),
    },
    {
      kind: 'bars',
      title: 'Share of revenue',
      bars: found.groups.map(({ title, revenueShare }) => ({
        label: title,
        share: (revenueShare ?? 0) / most,
        text: percent(revenueShare),
      })),
    },
    {
      kind: 'heat',
      title: 'How far each group is from everybody, in deviations; of categories, their share of what is bought',
      rowTitle: 'group',
      columnTitle: 'feature',
      columns: names.map((name) => categoryOf(name) ?? name),
      rows: found.groups.map(({ id, apart }) => ({
        label: id,
        cells: apart.map(({ feature, by, value }) =>
          categoryOf(feature) === undefined
            ? { shade: by / 3, text: `${by < 0 ? '−' : '+'}${Math.abs(by).toFixed(1)}` }
            : { shade: value, text: percent(value, 0) },
        ),
      })),
    },
    { kind: 'heading', text: 'As rules of a segment: bounds, which take in about the same people' },
    ...found.groups.map(({ id, title }, i): Part => {
      const rule = rules[i];
      const said =
        rule === undefined
          ? 'No bounds tell them from the others.'
          : `${sayRule(rule.rule)} ${sayFit(rule, 'of the group')}`;
      return { kind: 'text', text: `${id}, ${title}: ${said}` };
    }),
    {
      kind: 'text',
      text: `Found by k-means over ${names.length} features, ${found.groups.length} groups because of 3 to 8 that number parts people best (silhouette ${found.silhouette.toFixed(2)}) among those that are found again when a fifth of the customers is left out (adjusted Rand index ${found.stability.toFixed(2)}).${HOW[found.how]} Save one: npx kairos insight groups --save ${best.id} --as NAME, with the same options.`,
    },
  ];
}
