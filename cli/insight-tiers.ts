// kairos insight tiers: the loyalty tiers and who is in them, and the four kinds of loyalty, which are estimates.

import { sightOf } from '../domain/eligibility.ts';
import {
  DEALS_ONLY,
  FEWEST_COVERED,
  type KindFigures,
  LONG_GAP,
  type LoyaltyKind,
  loyaltyKinds,
  NARROW,
  type UsualRhythm,
} from '../domain/insight/loyalty-kinds.ts';
import { CLOSE, type Member, type TierFigures, tierFigures } from '../domain/insight/tier-standing.ts';
import { unitsPerMajor } from '../domain/money.ts';
import { scoreOf } from '../domain/standing.ts';
import { TIER, tierSegment } from '../domain/tiers.ts';
import { count, moneyOf, percent, shareOf } from './insight-figures.ts';
import { readBuyers } from './insight-groups.ts';
import type { Part, ReportCommand } from './insight-report.ts';
import type { InsightSource } from './insight-source.ts';
import { rehearse, sampleContacts } from './sample.ts';
import { readBook, type Stage } from './stage.ts';

export const tiers: ReportCommand = {
  name: 'tiers',
  description: 'loyalty tiers and who is in them; the four kinds of loyalty, estimated',
  async make(source) {
    const buyers = await readBuyers(source);
    const report = { name: 'tiers', title: 'Loyalty', basis: source.says };
    if (buyers.length === 0) {
      const text = 'Nobody has bought yet: there is no loyalty to tell of.';
      return {
        ...report,
        parts: [{ kind: 'text', tone: 'warning', text }],
        json: { customers: 0, tiers: [], kinds: [] },
      };
    }
    const { usual, figures } = loyaltyKinds(buyers, source.today);
    const members = source.stage === undefined ? NO_STAGE : await readTiers(source, source.stage);
    return {
      ...report,
      parts: [...members.parts, ...kindParts(source, usual, figures)],
      json: {
        customers: buyers.length,
        tiers: members.json,
        kinds: figures.map(({ revenue, average, ...one }) => ({
          ...one,
          revenueMinor: revenue,
          averageMinor: average,
        })),
        usual: { intervalDays: usual.interval, discounts: usual.discounts, categories: usual.categories },
      },
    };
  },
};

interface Told {
  parts: Part[];
  json: object[];
}

const none = (text: string): Told => ({
  parts: [
    { kind: 'heading', text: 'Tiers' },
    { kind: 'text', text },
  ],
  json: [],
});
const NO_STAGE = none(
  'There are none: tiers are rules of a stage (templates/loyalty.json), and a file of orders has no stage.',
);

/** Contacts that are read at most; of more, so many from whole shards. */
const SAMPLE = 5000;
const AT_ONCE = 100;

/** Who is in which tier, by the contacts of the stage as they stand. */
async function readTiers(source: InsightSource, stage: Stage): Promise<Told> {
  const book = await readBook(stage);
  const tiers = book.definitions.loyalty?.tiers ?? [];
  if (tiers.length === 0) return none('There are none: write some in templates/loyalty.json, and publish.');
  const now = stage.now();
  const { ids, contacts, exact } = await sampleContacts(stage.table, SAMPLE);
  const members: Member[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const deps = { table: stage.table, bucket: stage.bucket, now };
    for (const { after } of await rehearse(book, ids.slice(from, from + AT_ONCE), deps)) {
      const sight = sightOf(book, after, now);
      // What the shop gave wins over what the rules say.
      const given = scoreOf(after.facts, TIER);
      const tier = typeof given === 'string' ? given : tiers.find(({ id }) => sight.inSegment(tierSegment(id)))?.id;
      const days = Object.entries(after.facts.days ?? {}).map(
        ([day, [orders, net]]) => [Number(day), orders, net] as const,
      );
      members.push({ ...(tier === undefined ? {} : { tier }), days });
    }
  }
  const figures = tierFigures(members, tiers, source.today, unitsPerMajor(source.shop.currency));
  return { parts: tierParts(source, figures, { read: members.length, contacts, exact }), json: figures.map(tierJson) };
}

const tierJson = ({ revenue, ...one }: TierFigures): object => ({ ...one, revenueMinor: revenue });

function tierParts(
  source: InsightSource,
  figures: readonly TierFigures[],
  { read, contacts, exact }: { read: number; contacts: number; exact: boolean },
): Part[] {
  const { whole } = moneyOf(source);
  const rate = (some: readonly TierFigures[]): number | undefined => {
    const before = some.reduce((sum, one) => sum + one.before, 0);
    return shareOf(
      some.reduce((sum, one) => sum + one.again, 0),
      before,
    );
  };
  const [others, members] = [figures.slice(0, 1), figures.slice(1)];
  return [
    { kind: 'heading', text: 'Tiers' },
    {
      kind: 'table',
      columns: [
        { title: 'Tier' },
        { title: 'Contacts', align: 'right' },
        { title: 'Share', align: 'right' },
        { title: 'Revenue', align: 'right' },
        { title: 'Share of revenue', align: 'right' },
        { title: 'Bought again', align: 'right' },
        { title: 'Close to the next', align: 'right' },
      ],
      rows: figures.map((one, i) => [
        one.tier ?? 'none',
        count(one.contacts),
        percent(shareOf(one.contacts, read), 0),
        whole(one.revenue),
        percent(one.revenueShare, 0),
        percent(rate([one]), 0),
        i === figures.length - 1 ? '–' : count(one.close),
      ]),
    },
    {
      kind: 'text',
      text:
        `Of members who bought in the half year before the last, ${percent(rate(members), 0)} bought again in the last; of the rest ${percent(rate(others), 0)}. ` +
        'That is no effect of the programme: people are in a tier because they buy. ' +
        `Close to the next tier is who lacks at most ${percent(CLOSE, 0)} of what it asks for.` +
        (exact ? '' : ` Read of ${count(read)} of about ${count(contacts)} contacts.`),
    },
  ];
}

const MEANINGS: Record<LoyaltyKind, [title: string, means: string]> = {
  loyal: ['Loyal', 'active by their own rhythm'],
  partly: ['Partly loyal', 'with long gaps'],
  disloyal: ['Disloyal', 'for deals only'],
  elsewhere: ['Buys elsewhere', 'active, in few categories'],
  unknown: ['Unknown', 'bought on one day only'],
};

const DEFINITIONS =
  `For deals only: ${percent(DEALS_ONLY, 0)} of the orders or more had a discount or a coupon. ` +
  `With long gaps: not here for more than ${LONG_GAP} times their usual interval. ` +
  `Few categories: at most ${percent(NARROW, 0)} of those that customers with about as many orders buy of. Asked in this order.`;

function kindParts(source: InsightSource, usual: UsualRhythm, figures: readonly KindFigures[]): Part[] {
  const { whole } = moneyOf(source);
  const known = figures.filter(({ kind }) => kind !== 'unknown').reduce((sum, { customers }) => sum + customers, 0);
  const loyal = figures.find(({ kind }) => kind === 'loyal');
  const most = Math.max(1e-9, ...figures.map(({ share }) => share));
  const unseen = [
    ...(usual.discounts ? [] : ['No order has a discount or a coupon: who comes for deals only cannot be seen.']),
    ...(usual.categories
      ? []
      : [
          usual.covered < FEWEST_COVERED
            ? `The category is known of ${percent(usual.covered, 0)} of revenue: who buys elsewhere cannot be seen.`
            : 'Customers buy of too few categories to differ in them: who buys elsewhere cannot be seen.',
        ]),
  ];
  return [
    { kind: 'heading', text: 'Four kinds of loyalty' },
    {
      kind: 'figures',
      figures: [
        {
          value: percent(loyal?.share, 0),
          caption: 'of customers look loyal',
          note: `${percent(loyal?.revenueShare, 0)} of revenue`,
        },
        {
          value: `${count(usual.interval)} days`,
          caption: 'between purchases, usually',
          note: 'of those who bought twice',
        },
        {
          value: percent(figures.at(-1)?.share, 0),
          caption: 'bought on one day only',
          note: 'nothing is said of them',
        },
      ],
    },
    {
      kind: 'table',
      columns: [
        { title: 'Kind' },
        { title: 'What it means here' },
        { title: 'Customers', align: 'right' },
        { title: 'Share', align: 'right' },
        { title: 'Revenue', align: 'right' },
        { title: 'A customer', align: 'right' },
        { title: 'Firm', align: 'right' },
      ],
      rows: figures.map(({ kind, customers, share, revenueShare, average, confidence }) => [
        MEANINGS[kind][0],
        MEANINGS[kind][1],
        count(customers),
        percent(share, 0),
        percent(revenueShare, 0),
        whole(average),
        kind === 'unknown' || customers === 0 ? '–' : percent(confidence.firm / customers, 0),
      ]),
    },
    {
      kind: 'bars',
      title: 'Share of customers',
      bars: figures.map(({ kind, share }) => ({ label: MEANINGS[kind][0], share: share / most, text: percent(share) })),
    },
    ...unseen.map((text): Part => ({ kind: 'text', tone: 'warning', text })),
    {
      kind: 'text',
      text: `${DEFINITIONS} These are estimates for ${count(known)} customers who came on two days or more: what they buy at other shops nobody here sees. A kind is firm after six purchases or more, where it is not near to another kind. The usual interval is the own one, drawn towards the ${count(usual.interval)} days of this shop as if those had been seen once.`,
    },
  ];
}
