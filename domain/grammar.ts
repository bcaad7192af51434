// What a marketer can say: the zod schemas of rules and campaigns, from which JSON Schemas and types come.
import * as z from 'zod';

const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'small letters, digits and hyphens, at most 64');

function daysOf(text: string): number {
  const days: Record<string, number> = { m: 1 / 1440, h: 1 / 24, d: 1, w: 7 };
  return Number(text.slice(0, -1)) * (days[text.slice(-1)] ?? 0);
}

/** A rolling length of time: a whole number and m, h, d or w; at most ten years. */
export const Duration = z
  .string()
  .regex(/^[1-9]\d{0,5}[mhdw]$/, 'a duration such as 30m, 4h, 60d or 2w')
  .refine((text) => daysOf(text) <= 3653, 'at most ten years')
  .meta({ id: 'Duration', description: 'A rolling length of time: 30m, 4h, 60d, 2w', examples: ['60d'] });

const Scalar = z.union([z.string(), z.number(), z.boolean()]);
const Ordered = z.union([z.number(), z.string()]);

/** The operators of a comparison; each object holds exactly one. */
export const Operators = {
  isNot: Scalar,
  atLeast: Ordered,
  moreThan: Ordered,
  atMost: Ordered,
  lessThan: Ordered,
  between: z.tuple([Ordered, Ordered]),
  contains: z.string().min(1),
  startsWith: z.string().min(1),
  exists: z.boolean(),
  before: z.string(),
  after: z.string(),
  inLast: Duration,
  inNext: Duration,
  moreThanAgo: Duration,
  anniversary: z.union([
    z.literal('today'),
    z.strictObject({ inNext: Duration }),
    z.strictObject({ inLast: Duration }),
  ]),
} as const;
export type OperatorName = keyof typeof Operators;

export type Comparison = string | number | boolean | (string | number | boolean)[] | { [K in OperatorName]?: unknown };

const operatorObjects = Object.entries(Operators).map(([name, value]) => z.strictObject({ [name]: value }));
/** A bare value = is; a list = one of; or an object with one operator. */
export const Comparison: z.ZodType<Comparison> = z
  .union([Scalar, z.array(Scalar).min(1).max(1000), ...operatorObjects] as [z.ZodType, ...z.ZodType[]])
  .meta({ id: 'Comparison', description: 'A value (is), a list (one of), or one operator' }) as z.ZodType<Comparison>;

export interface Where {
  [property: string]: Comparison | Where;
}
/** Property → comparison, or → a nested Where that speaks of one and the same line or sub-object. */
export const Where: z.ZodType<Where> = z.lazy(() =>
  z
    .record(z.string().min(1).max(100), z.union([Comparison, Where]))
    .refine((where) => Object.keys(where).length > 0, 'a "where" says at least one thing'),
) as z.ZodType<Where>;

/** A count: a number means exactly. */
export const Count = z
  .union([
    z.int().min(1),
    z.strictObject({ atLeast: z.int().min(1) }),
    z.strictObject({ moreThan: z.int().min(0) }),
    z.strictObject({ atMost: z.int().min(1) }),
    z.strictObject({ lessThan: z.int().min(2) }),
    z.strictObject({ between: z.tuple([z.int().min(1), z.int().min(1)]) }),
  ])
  .meta({ id: 'Count', description: 'How often: a number means exactly' });
export type Count = z.infer<typeof Count>;

const Amount = z.number();
export const Sum = z
  .union([
    z.strictObject({ of: z.string(), atLeast: Amount }),
    z.strictObject({ of: z.string(), moreThan: Amount }),
    z.strictObject({ of: z.string(), atMost: Amount }),
    z.strictObject({ of: z.string(), lessThan: Amount }),
    z.strictObject({ of: z.string(), between: z.tuple([Amount, Amount]) }),
  ])
  .meta({ id: 'Sum', description: 'A sum over the matching events, money in major units' });
export type Sum = z.infer<typeof Sum>;

/** A value over the matching events: the greatest amount, or how many different values. */
export const Distinct = z
  .union([
    z.strictObject({ of: z.string(), atLeast: z.int().min(1) }),
    z.strictObject({ of: z.string(), moreThan: z.int().min(0) }),
    z.strictObject({ of: z.string(), atMost: z.int().min(1) }),
    z.strictObject({ of: z.string(), lessThan: z.int().min(2) }),
    z.strictObject({ of: z.string(), between: z.tuple([z.int().min(1), z.int().min(1)]) }),
  ])
  .meta({ id: 'Distinct', description: 'How many different values of a property' });
export type Distinct = z.infer<typeof Distinct>;

/** Calendar words; weeks begin on Monday. */
export const CALENDAR = [
  'today',
  'yesterday',
  'this week',
  'last week',
  'this month',
  'last month',
  'this quarter',
  'last quarter',
  'this year',
  'last year',
] as const;
export type CalendarWord = (typeof CALENDAR)[number];

export const Latest = z
  .union([
    z.strictObject({ moreThanAgo: Duration }),
    z.strictObject({ inLast: Duration }),
    z.strictObject({ before: z.string() }),
    z.strictObject({ after: z.string() }),
  ])
  .meta({ id: 'Latest', description: 'When it happened last' });
export type Latest = z.infer<typeof Latest>;

const EventNames = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

/** "did": a name or any of several; one measure at most; one period at most (none = ever). */
export const Did = z
  .strictObject({
    did: EventNames.meta({ description: 'The name of an event, or a list: any of them' }),
    where: Where.optional(),
    same: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'A property: the events with one and the same value of it' }),
    times: Count.optional(),
    sum: Sum.optional(),
    largest: Sum.optional(),
    distinct: Distinct.optional(),
    latest: Latest.optional(),
    first: Latest.optional(),
    inLast: Duration.optional(),
    in: z.enum(CALENDAR).optional(),
    between: z.tuple([z.string(), z.string()]).optional(),
    since: z.string().min(1).optional().meta({ description: '"run start" inside a campaign, or a date' }),
  })
  .refine(
    ({ times, sum, largest, distinct, latest, first }) =>
      [times, sum, largest, distinct, latest, first].filter((measure) => measure !== undefined).length <= 1,
    { message: 'one measure at most: times, sum, largest, distinct, latest or first' },
  )
  .refine((did) => [did.inLast, did.in, did.between, did.since].filter((p) => p !== undefined).length <= 1, {
    message: 'one period at most: inLast, in, between or since',
  })
  .meta({ id: 'Did', description: 'Did something: an event that matches' });
export type Did = z.infer<typeof Did>;

export const Has = z
  .strictObject({
    has: z
      .record(z.string().min(1).max(100), Comparison)
      .refine((has) => Object.keys(has).length > 0, 'a "has" says at least one thing'),
  })
  .meta({ id: 'Has', description: 'Has attributes, all of them' });
export type Has = z.infer<typeof Has>;

export const ConsentRule = z
  .strictObject({
    consent: z.string(),
    channel: z.enum(['email']).optional(),
    basis: z
      .array(z.enum(['double', 'single', 'soft', 'imported']))
      .min(1)
      .optional(),
  })
  .meta({ id: 'ConsentRule', description: 'Consents to a topic now' });

/** A share of a draw: everybody has a fixed number from 0 to 100 in each draw; `from` is in, `to` is not. */
export const Share = z
  .strictObject({
    share: id.meta({ description: 'The name of the draw' }),
    percent: z.tuple([z.number().min(0).max(100), z.number().min(0).max(100)]),
  })
  .meta({ id: 'Share', description: 'Is in this part of a draw' });
export type Share = z.infer<typeof Share>;

export type Rule =
  | { all: Rule[] }
  | { any: Rule[] }
  | { not: Rule }
  | Has
  | Did
  | { segment: string }
  | z.infer<typeof ConsentRule>
  | Share;

/** A rule: an object with exactly one subject. */
export const Rule: z.ZodType<Rule> = z
  .lazy(() =>
    z.union([
      z.strictObject({ all: z.array(Rule).min(1) }),
      z.strictObject({ any: z.array(Rule).min(1) }),
      z.strictObject({ not: Rule }),
      Has,
      Did,
      z.strictObject({ segment: id }),
      ConsentRule,
      Share,
    ]),
  )
  .meta({
    id: 'Rule',
    description: 'Who is meant: all, any, not, has, did, segment, consent or share',
  }) as z.ZodType<Rule>;

export const Segment = z
  .strictObject({
    $schema: z.string().optional(),
    title: z.string().optional(),
    owner: z.string().optional(),
    rule: Rule,
  })
  .meta({ id: 'Segment', description: 'A named rule over contacts' });
export type Segment = z.infer<typeof Segment>;

export const Clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day such as 10:00');
const Until = z
  .string()
  .regex(
    /^((monday|tuesday|wednesday|thursday|friday|saturday|sunday) )?([01]\d|2[0-3]):[0-5]\d$/,
    'such as 10:00 or tuesday 10:00',
  );

export const Aim = z.enum(['acquisition', 'retention', 'cross-sell', 'up-sell', 'loyalty', 'service']);
export type Aim = z.infer<typeof Aim>;
export const Kind = z.enum(['marketing', 'requested', 'service']);
export type Kind = z.infer<typeof Kind>;

export const Wait = z.union([Duration, z.literal('@product.replaceAfter'), z.strictObject({ until: Until })]);
export type Wait = z.infer<typeof Wait>;

export type Step =
  | { wait: Wait }
  | { send: string; needs?: Where; unless?: Rule; quiet?: 'ignore' }
  | { waitFor: Rule; upTo: string; then?: Step[]; else?: Step[] }
  | { if: Rule; then: Step[]; else?: Step[] }
  | { stop: string };

/** One step of a campaign. */
export const Step: z.ZodType<Step> = z
  .lazy(() =>
    z.union([
      z.strictObject({ wait: Wait }),
      z.strictObject({
        send: id.meta({ description: 'The name of a folder in templates/emails' }),
        needs: Where.optional(),
        unless: Rule.optional(),
        quiet: z.literal('ignore').optional(),
      }),
      z.strictObject({ waitFor: Rule, upTo: Duration, then: Steps.optional(), else: Steps.optional() }),
      z.strictObject({ if: Rule, then: Steps, else: Steps.optional() }),
      z.strictObject({ stop: z.string().min(1) }),
    ]),
  )
  .meta({ id: 'Step', description: 'wait, send, waitFor, if or stop' }) as z.ZodType<Step>;
const Steps = z.array(Step).min(1).max(100);

export const When = z
  .union([
    z
      .strictObject({
        did: EventNames,
        where: Where.optional(),
        times: Count.optional(),
        sum: Sum.optional(),
        largest: Sum.optional(),
        distinct: Distinct.optional(),
        same: z.string().min(1).optional(),
        inLast: Duration.optional(),
        in: z.enum(CALENDAR).optional(),
        each: z.literal('products').optional().meta({ description: 'A run per line of the order' }),
      })
      .refine((when) => !(when.times !== undefined && when.sum !== undefined), 'one measure at most: times or sum')
      .refine((when) => when.inLast === undefined || when.times !== undefined || when.sum !== undefined, {
        message: '"inLast" in a "when" goes with "times" or "sum"; how old a trigger may be is "triggerAge"',
      })
      .refine((when) => when.each === undefined || (when.times === undefined && when.sum === undefined), {
        message: '"each" goes with a plain event, without "times" or "sum"',
      }),
    z.strictObject({ enters: id }),
  ])
  .meta({ id: 'When', description: 'What starts a run: an event, or entering a segment' });
export type When = z.infer<typeof When>;

export const Success = z.strictObject({
  did: EventNames,
  where: Where.optional(),
  within: Duration,
  value: z.enum(['revenue', 'margin']).optional(),
});

/** "never", "every time", "after 30d" (from the last run's start), "once per product", "once per order". */
export const Again = z.string().regex(/^(never|every time|after [1-9]\d{0,5}[mhdw]|once per (product|order))$/, {
  message: 'never, every time, after 30d, once per product or once per order',
});

export const Campaign = z
  .strictObject({
    $schema: z.string().optional(),
    title: z.string().optional(),
    owner: z.string().optional(),
    kind: Kind,
    aim: Aim,
    topic: id.optional(),
    sender: id,
    when: When,
    for: Rule.optional(),
    stopIf: Rule.optional(),
    again: Again,
    triggerAge: Duration.optional(),
    steps: Steps,
    success: Success.optional(),
    priority: z.int().min(0).max(100).optional(),
    quiet: z.literal('ignore').optional(),
    ifCapped: z
      .string()
      .regex(/^(skip|wait [1-9]\d{0,3}[hd])$/, 'skip, or wait 2d')
      .optional(),
    expires: Duration.optional(),
    plannedPerDay: z.int().min(1).optional().meta({
      description: 'About how many messages a day are meant; three times as many pause the campaign',
    }),
    starts: z.iso.date().optional(),
    ends: z.iso.date().optional(),
  })
  .refine((campaign) => campaign.kind !== 'marketing' || campaign.topic !== undefined, {
    message: 'a marketing campaign names its topic',
    path: ['topic'],
  })
  .meta({ id: 'Campaign', description: 'When, for whom, which steps' });
export type Campaign = z.infer<typeof Campaign>;
