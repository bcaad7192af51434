// kairos insight tiers: the loyalty tiers and who is in them, and the four kinds of loyalty, which are estimates.
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
import { count, moneyOf, percent } from './insight-figures.ts';
import { readBuyers } from './insight-groups.ts';
import type { Part, ReportCommand } from './insight-report.ts';
import type { InsightSource, SourceOptions } from './insight-source.ts';

export const tiers: ReportCommand<SourceOptions> = {
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
    return {
      ...report,
      parts: [...NO_TIERS, ...kindParts(source, usual, figures)],
      json: {
        customers: buyers.length,
        tiers: [],
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

const NO_TIERS: Part[] = [
  { kind: 'heading', text: 'Tiers' },
  {
    kind: 'text',
    text: 'There are none: tiers are rules of a stage (templates/loyalty.json), and a file of orders has no stage.',
  },
];

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
