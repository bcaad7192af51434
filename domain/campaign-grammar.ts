// What a marketer can say of a campaign: when, for whom, which steps, within which limits.
import * as z from 'zod';
import {
  Calendar,
  Count,
  Distinct,
  Duration,
  discord,
  EventNames,
  given,
  id,
  Largest,
  Rule,
  Same,
  Sum,
  Where,
} from './grammar.ts';

const Text = z.string().min(1).max(200);
const Scalar = z.union([z.string().max(1000), z.number(), z.boolean()]);

export const Clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day such as 10:00');
const WEEKDAY = '(monday|tuesday|wednesday|thursday|friday|saturday|sunday)';
const Until = z
  .string()
  .regex(new RegExp(`^(${WEEKDAY} )?([01]\\d|2[0-3]):[0-5]\\d$`), 'a time such as 10:00 or tuesday 10:00');

export const Aim = z.enum(['acquisition', 'retention', 'cross-sell', 'up-sell', 'loyalty', 'service']).meta({
  description: 'What the campaign is for: results are told by it, and it says how products are recommended',
  examples: ['retention'],
});
export type Aim = z.infer<typeof Aim>;
export const Kind = z.enum(['marketing', 'requested', 'service']).meta({
  description:
    'marketing passes all gates; requested (a mail that was asked for) needs no consent and knows no caps and no holdout; service (facts of an order, confirming a subscription) also keeps no quiet hours. An address that is suppressed gets none of them',
  examples: ['marketing'],
});
export type Kind = z.infer<typeof Kind>;

export const Wait = z
  .union([
    Duration,
    z.literal('@product.replaceAfter').meta({ description: 'As long as the catalogue says of the product' }),
    z.strictObject({
      until: Until.meta({
        description: 'The next such time where the contact lives',
        examples: ['10:00', 'tuesday 10:00'],
      }),
    }),
  ])
  .meta({ id: 'Wait', description: 'How long, or until when', examples: ['2d', { until: '10:00' }] });
export type Wait = z.infer<typeof Wait>;

const Weight = z.number('a weight in percent, such as 50').min(0).max(100);

/** A share of the people gets the variants under test, then the winner goes to the rest. */
export const Test = z
  .strictObject({
    variants: z
      .array(id)
      .min(2)
      .max(10)
      .meta({
        description: 'The alternatives, as the texts of the e-mail name them',
        examples: [['subject-a', 'subject-b']],
      }),
    share: z
      .number()
      .min(1)
      .max(100)
      .meta({ description: 'Percent of the people that the test is made with', examples: [20] }),
    for: Duration.meta({ description: 'How long, from the first message of the test', examples: ['4h'] }),
    winner: z.enum(['success', 'clicked']).meta({
      description:
        'What decides: conversions, or people who clicked. Without a clear winner each gets a variant by lot',
      examples: ['clicked'],
    }),
  })
  .meta({
    id: 'Test',
    description: 'Variants are tried with a share of the people; the rest waits, and gets the winner',
    examples: [{ variants: ['subject-a', 'subject-b'], share: 20, for: '4h', winner: 'clicked' }],
  });
export type Test = z.infer<typeof Test>;

/** A plain "did": names and a where, asked of each event as it comes. */
const Happens = z.strictObject({ did: EventNames, where: Where.optional() });

export interface Send {
  send: string;
  coupon?: string | undefined;
  needs?: Where | undefined;
  unless?: Rule | undefined;
  variants?: Record<string, number> | undefined;
  test?: Test | undefined;
  quiet?: 'ignore' | undefined;
}
/** Its branches stand beside it, each under its name: ask `branchesOf`. */
export interface Split {
  split: Record<string, number>;
}
export type Step =
  | { wait: Wait }
  | Send
  | { waitFor: Rule; upTo: string; then?: Step[]; else?: Step[] }
  | { if: Rule; then: Step[]; else?: Step[] }
  | Split
  | { set: Record<string, string | number | boolean> }
  | { notify: string; with?: Record<string, string | number | boolean> }
  | { rest: string; until: z.infer<typeof Happens>; why: string }
  | { stop: string };

/** Names that a branch of a split may not have: they are steps. */
export const STEP_NAMES = ['wait', 'send', 'waitFor', 'if', 'split', 'set', 'notify', 'rest', 'stop'] as const;

/** Percents that do not add up to 100 (to a millionth); undefined where they do. */
function totalFault(weights: Record<string, number>, what: string): string | undefined {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  return Math.abs(total - 100) < 1e-6
    ? undefined
    : `the ${what} add up to ${Math.round(total * 1e6) / 1e6}, not to 100`;
}

/** What a "send" says that does not go together; undefined where it does. */
function sendFault({ variants, test }: Send): string | undefined {
  if (variants !== undefined && test !== undefined)
    return '"variants" and "test" are two ways to draw, where one belongs: a test names its variants itself';
  if (test !== undefined && new Set(test.variants).size < test.variants.length) return 'the test names a variant twice';
  return variants === undefined ? undefined : totalFault(variants, 'weights of "variants"');
}

function splitFault({ split, ...branches }: Split & Record<string, unknown>): string | undefined {
  const names = Object.keys(split);
  const step = names.find((name) => (STEP_NAMES as readonly string[]).includes(name));
  if (step !== undefined) return `no branch of a split is named like a step, such as "${step}"`;
  const missing = names.find((name) => !Object.hasOwn(branches, name));
  if (missing !== undefined) return `the branch "${missing}" has no steps: write "${missing}": […] beside "split"`;
  const extra = Object.keys(branches).find((name) => !Object.hasOwn(split, name));
  if (extra !== undefined) return `"${extra}" has no weight in "split"`;
  return totalFault(split, 'weights of "split"');
}

/** One step of a campaign. */
export const Step: z.ZodType<Step> = z
  .lazy(() =>
    z.union([
      z.strictObject({ wait: Wait }),
      z
        .strictObject({
          send: id.meta({ description: 'The name of a folder in templates/emails', examples: ['welcome'] }),
          coupon: z
            .string()
            .regex(/^[A-Z0-9][A-Z0-9_-]{0,39}$/, 'the name of a pool in coupons.json, in capitals')
            .optional()
            .meta({
              description: 'A pool of coupons.json: the e-mail carries one of its codes',
              examples: ['WELCOME'],
            }),
          needs: Where.optional().meta({
            description: 'What the e-mail would be thin without; where it is missing, the message is skipped',
            examples: [{ recommendations: { atLeast: 2 } }, { 'product.inStock': true }],
          }),
          unless: Rule.optional().meta({
            description: 'For whom this rule holds, the message is skipped',
            examples: [{ segment: 'coupon-only-buyers' }],
          }),
          variants: z
            .record(id, Weight)
            .refine((variants) => Object.keys(variants).length >= 2, 'at least two variants')
            .optional()
            .meta({ description: 'Alternatives of the content by percent', examples: [{ a: 50, b: 50 }] }),
          test: Test.optional().meta({
            description: 'Variants are tried with a share of the people; the rest waits, and gets the winner',
            examples: [{ variants: ['subject-a', 'subject-b'], share: 20, for: '4h', winner: 'clicked' }],
          }),
          quiet: z
            .literal('ignore')
            .optional()
            .meta({ description: 'Sent in quiet hours too', examples: ['ignore'] }),
        })
        .superRefine((send, context) => {
          const message = sendFault(send as Send);
          if (message !== undefined) context.addIssue({ code: 'custom', message });
        })
        .meta({ id: 'Send', description: 'Sends an e-mail', examples: [{ send: 'welcome' }] }),
      z.strictObject({
        waitFor: Rule,
        upTo: Duration.meta({ description: 'When it gives up, and goes on with "else"', examples: ['7d'] }),
        then: Steps.optional().meta({ description: 'Once the rule holds', examples: [[{ send: 'thank-you' }]] }),
        else: Steps.optional().meta({
          description: 'When the time is up',
          examples: [[{ stop: 'never confirmed' }]],
        }),
      }),
      z.strictObject({
        if: Rule,
        then: Steps.meta({ description: 'For whom the rule holds', examples: [[{ send: 'welcome-buyer' }]] }),
        else: Steps.optional().meta({ description: 'For everybody else', examples: [[{ send: 'welcome-2' }]] }),
      }),
      z
        .object({
          split: z
            .record(id, Weight)
            .refine((split) => Object.keys(split).length >= 2, 'at least two branches')
            .meta({
              description: 'Name of a branch → percent; together 100',
              examples: [{ plain: 50, offer: 50 }],
            }),
        })
        .catchall(Steps)
        .superRefine((split, context) => {
          const message = splitFault(split as unknown as Split & Record<string, unknown>);
          if (message !== undefined) context.addIssue({ code: 'custom', message });
        })
        .meta({
          id: 'Split',
          description: 'By lot into branches, in percent; each branch stands beside "split" under its name',
          examples: [
            { split: { plain: 50, offer: 50 }, plain: [{ send: 'winback-2' }], offer: [{ send: 'winback-3' }] },
          ],
        }),
      z.strictObject({
        set: z
          .record(z.string().min(1).max(100), Scalar)
          .refine((values) => Object.keys(values).length > 0, 'a "set" says at least one attribute')
          .meta({
            description: 'Attributes of fields.json and their new values; rules see them a moment later',
            examples: [{ wonBack: true }],
          }),
      }),
      z.strictObject({
        notify: Text.meta({
          description: 'The name of an event for other channels and people',
          examples: ['VIP reached'],
        }),
        with: z
          .record(z.string().min(1).max(60), Scalar)
          .optional()
          .meta({
            description: 'What they need: values, or "@contact.phone", "@trigger.order_id", "@product.id"',
            examples: [{ channel: 'call-centre', phone: '@contact.phone' }],
          }),
      }),
      z.strictObject({
        rest: id.meta({
          description: 'A topic of settings.json: nothing of it is sent until the person returns',
          examples: ['offers'],
        }),
        until: Happens.meta({
          description: 'The events by which the person returns',
          examples: [{ did: ['Email Clicked', 'Order Completed'] }],
        }),
        why: Text.meta({ description: 'Said where somebody asks why nothing is sent', examples: ['unengaged'] }),
      }),
      z.strictObject({ stop: Text.meta({ description: 'Ends the run; why', examples: ['never confirmed'] }) }),
    ]),
  )
  .meta({
    id: 'Step',
    description: 'wait, send, waitFor, if, split, set, notify, rest or stop',
    examples: [{ send: 'welcome' }],
  }) as unknown as z.ZodType<Step>;
const Steps = z
  .array(Step)
  .min(1)
  .max(100)
  .meta({
    id: 'Steps',
    description: 'One step after another, branches included at most 100, at most 10 levels deep',
    examples: [[{ wait: '1h' }, { send: 'welcome' }]],
  });

const Attribute = z.string().min(1).max(100);
const OneOf = z.union([Scalar, z.array(Scalar).min(1).max(50)]);
const Percent = z
  .string('a percentage such as "10%"')
  .regex(/^([1-9]\d?|100)(\.\d{1,2})?%$/, 'a percentage such as 10%');
const Reader = z.enum(['contact', 'shop']);

/** A time of the calendar at which a broadcast goes out: "day 10:00", "tuesday 10:00", "month 1 10:00". */
const Every = z
  .string()
  .regex(
    new RegExp(`^(day|${WEEKDAY}|month ([1-9]|1\\d|2[0-8])) ([01]\\d|2[0-3]):[0-5]\\d$`),
    'a time such as day 10:00, tuesday 10:00 or month 1 10:00',
  );

const Happened = z
  .strictObject({
    did: EventNames,
    where: Where.optional(),
    same: Same.optional(),
    times: Count.optional(),
    sum: Sum.optional(),
    largest: Largest.optional(),
    distinct: Distinct.optional(),
    inLast: Duration.optional().meta({
      description: 'The period of the measure. How old a trigger may be is "triggerAge"',
      examples: ['365d'],
    }),
    in: Calendar.optional(),
    each: z
      .literal('products')
      .optional()
      .meta({ description: 'A run for each line of the order', examples: ['products'] }),
  })
  .superRefine((when, context) => {
    const [measure] = given(when, ['times', 'sum', 'largest', 'distinct']);
    const [period] = given(when, ['inLast', 'in']);
    const message =
      discord(when) ??
      (period !== undefined && measure === undefined
        ? `"${period}" in a "when" goes with "times", "sum", "largest" or "distinct"; how old a trigger may be is "triggerAge"`
        : when.each !== undefined && measure !== undefined
          ? `"each" goes with a plain event, without "${measure}"`
          : undefined);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

export const When = z
  .union([
    Happened,
    z.strictObject({
      enters: id.meta({ description: 'Starts when somebody enters this segment', examples: ['vip'] }),
      alsoThoseInside: z
        .strictObject({
          perDay: z
            .int()
            .min(1)
            .max(10_000_000)
            .meta({ description: 'So many people a day', examples: [500] }),
        })
        .optional()
        .meta({
          description: 'Also those who are in it when the campaign goes live, so many a day',
          examples: [{ perDay: 500 }],
        }),
    }),
    z.strictObject({ leaves: id.meta({ description: 'Starts when somebody leaves this segment', examples: ['vip'] }) }),
    z.strictObject({
      changes: Attribute.meta({
        description: 'Starts when this attribute gets another value',
        examples: ['loyalty.tier'],
      }),
      from: OneOf.optional().meta({
        description: 'Only from one of these values; "none" also means that there was none',
        examples: [['none', 'silver']],
      }),
      to: OneOf.optional().meta({ description: 'Only to one of these values', examples: ['gold'] }),
    }),
    z.strictObject({
      date: Attribute.meta({ description: 'A date of the contact: its day of each year', examples: ['birthday'] }),
      before: Duration.optional().meta({ description: 'So many days before it', examples: ['3d'] }),
      at: Clock.optional().meta({
        description: 'At this time where the contact lives; 09:00 when not said',
        examples: ['09:00'],
      }),
      once: z
        .literal(true)
        .optional()
        .meta({ description: 'On the date itself, not each year', examples: [true] }),
    }),
    z.strictObject({
      due: z.literal('replenishment').meta({
        description:
          'When what was bought runs out: by the own rhythm of the contact with this product, else by "lastsFor" of the catalogue',
      }),
      where: Where.optional().meta({
        description: 'Which products',
        examples: [{ products: { 'catalogue.consumable': true } }],
      }),
      before: Duration.optional().meta({ description: 'So long before', examples: ['3d'] }),
    }),
    z.strictObject({
      product: z
        .enum(['back in stock', 'price drop', 'low stock'])
        .meta({ description: 'What turns with a product', examples: ['back in stock'] }),
      by: z
        .union([
          z.strictObject({
            atLeast: Percent.meta({ description: 'Of a price: it falls by so much, or more', examples: ['10%'] }),
          }),
          z.strictObject({
            atMost: z
              .int()
              .min(1)
              .max(100_000)
              .meta({ description: 'Of stock: so few are left', examples: [5] }),
          }),
        ])
        .optional()
        .meta({
          description: 'Of a price: the least reduction. Of stock: so few are left',
          examples: [{ atLeast: '10%' }, { atMost: 5 }],
        }),
      watchedBy: z.strictObject({ did: EventNames, where: Where.optional(), inLast: Duration }).meta({
        description: 'Who watches the product: what they did with it, and for how long that counts',
        examples: [{ did: 'Back In Stock Requested', inLast: '180d' }],
      }),
      oldestFirst: z
        .literal(true)
        .optional()
        .meta({ description: 'Who asked first is told first', examples: [true] }),
      atMost: z
        .string('a text such as "3 per unit in stock"')
        .regex(/^[1-9]\d{0,3} per unit in stock$/, 'a text such as "3 per unit in stock"')
        .optional()
        .meta({ description: 'How many are told', examples: ['3 per unit in stock'] }),
    }),
    z.strictObject({
      at: z
        .string()
        .regex(/^\d{4}-\d{2}-\d{2} ([01]\d|2[0-3]):[0-5]\d$/, 'a time such as 2026-11-27 08:00')
        .meta({ description: 'A broadcast: once, at this time', examples: ['2026-11-27 08:00'] }),
      clock: Reader.meta({ description: 'Whose clock shows that time', examples: ['contact'] }),
      to: Rule,
    }),
    z.strictObject({
      every: Every.meta({ description: 'A broadcast: again and again', examples: ['tuesday 10:00'] }),
      clock: Reader.meta({ description: 'Whose clock shows that time', examples: ['contact'] }),
      to: Rule,
    }),
  ])
  .meta({
    id: 'When',
    description:
      'What starts a run: an event or a measure of events (did), a segment (enters, leaves), an attribute (changes), a date, a product that runs out (due) or turns (product), or a time (at, every)',
    examples: [{ did: 'Order Completed' }, { enters: 'vip' }, { date: 'birthday', before: '3d', at: '09:00' }],
  });
export type When = z.infer<typeof When>;

export const Success = z
  .strictObject({
    did: EventNames,
    where: Where.optional(),
    within: Duration.meta({ description: 'From the message on', examples: ['14d'] }),
    value: z
      .enum(['revenue', 'margin'])
      .optional()
      .meta({ description: 'What an order is worth', examples: ['margin'] }),
  })
  .meta({
    id: 'Success',
    description: 'What counts as a conversion: the first such event of a person who entered, written to or held out',
    examples: [{ did: 'Order Completed', within: '14d', value: 'margin' }],
  });

/** Once only, each time, after a rest, or once for each product, order or request. */
export const Again = z
  .string()
  .regex(/^(never|every time|after [1-9]\d{0,5}[mhdw]|once per (product|order|request))$/, {
    message: 'never, every time, after 30d, once per product, once per order or once per request',
  })
  .meta({
    description: 'Whether a person may enter again; "after 30d" counts from the start of the last run',
    examples: ['after 30d', 'never'],
  });

const Cost = z.number().min(0).max(1_000_000);

export const Campaign = z
  .strictObject({
    $schema: z.string().optional().meta({ description: 'The schema that editors complete by' }),
    title: z
      .string()
      .optional()
      .meta({ description: 'For people: what it is', examples: ['A regular has gone quiet'] }),
    owner: z
      .string()
      .optional()
      .meta({ description: 'Who answers for it', examples: ['Nora, retention'] }),
    kind: Kind,
    aim: Aim,
    topic: id.optional().meta({ description: 'A topic of settings.json; marketing needs one', examples: ['offers'] }),
    sender: id.meta({ description: 'A sender of settings.json', examples: ['main'] }),
    when: When,
    for: Rule.optional().meta({
      description: 'Who is meant: asked at entry and before every send; failing there skips that message',
      examples: [{ not: { segment: 'open-complaint' } }],
    }),
    stopIf: Rule.optional().meta({
      description: 'Ends the run, at once',
      examples: [{ did: 'Order Completed', since: 'run start' }],
    }),
    restartOn: Happens.optional().meta({
      description: 'Events that start the current wait anew',
      examples: [{ did: ['Checkout Started', 'Product Added'] }],
    }),
    again: Again,
    triggerAge: Duration.optional().meta({
      description: 'How old a trigger may be; 1d when not said',
      examples: ['1d'],
    }),
    steps: Steps.meta({
      description: 'What happens, one step after another',
      examples: [[{ wait: '1h' }, { send: 'welcome' }]],
    }),
    success: Success.optional().meta({
      description: 'What counts as a conversion: the first such event of a person who entered, written to or held out',
      examples: [{ did: 'Order Completed', within: '14d', value: 'margin' }],
    }),
    holdout: z
      .number()
      .min(0)
      .max(50)
      .optional()
      .meta({ description: 'Percent of the people who walk the same steps and get nothing', examples: [10] }),
    priority: z
      .int()
      .min(0)
      .max(100)
      .optional()
      .meta({ description: 'Who comes first under a cap; 50 when not said, 100 is first', examples: [90] }),
    quiet: z
      .literal('ignore')
      .optional()
      .meta({ description: 'Sent in quiet hours too', examples: ['ignore'] }),
    ifCapped: z
      .string()
      .regex(/^(skip|wait [1-9]\d{0,3}[hd])$/, 'skip, or wait 2d')
      .optional()
      .meta({ description: 'What a cap does to a message: skip it, or let it wait so long', examples: ['wait 2d'] }),
    expires: Duration.optional().meta({
      description: 'After this time from its planned instant a message is not sent any more',
      examples: ['6h'],
    }),
    onNewVersion: z
      .enum(['finish', 'move', 'stop'])
      .optional()
      .meta({
        description:
          'What runs of the version before do: go on to their end (as when not said), go on in this one, or stop',
        examples: ['finish'],
      }),
    costs: z
      .strictObject({
        perMessage: Cost.optional().meta({ description: 'Of each message, beside SES', examples: [0.01] }),
        perCoupon: Cost.optional().meta({ description: 'Of each coupon that is redeemed', examples: [1.5] }),
        fixed: Cost.optional().meta({ description: 'Once', examples: [250] }),
      })
      .optional()
      .meta({ description: 'What it costs beside SES, in the shop’s currency', examples: [{ perMessage: 0.01 }] }),
    plannedPerDay: z
      .int()
      .min(1)
      .optional()
      .meta({
        description: 'About how many messages a day are meant; three times as many pause the campaign',
        examples: [300],
      }),
    starts: z.iso
      .date()
      .optional()
      .meta({ description: 'The first day, in the shop’s zone', examples: ['2026-12-01'] }),
    ends: z.iso
      .date()
      .optional()
      .meta({ description: 'The last day on which somebody enters', examples: ['2026-12-24'] }),
  })
  .refine((campaign) => campaign.kind !== 'marketing' || campaign.topic !== undefined, {
    message: 'a marketing campaign names its topic',
    path: ['topic'],
  })
  .meta({
    id: 'Campaign',
    description: 'When, for whom, which steps',
    examples: [
      {
        kind: 'marketing',
        aim: 'acquisition',
        topic: 'offers',
        sender: 'main',
        when: { did: 'Consent Granted', where: { topic: 'offers' } },
        again: 'never',
        steps: [{ send: 'welcome' }],
      },
    ],
  });
export type Campaign = z.infer<typeof Campaign>;
