// What a marketer can say of people: the zod schemas of rules and segments, from which JSON Schemas and types come.
import * as z from 'zod';

export const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'small letters, digits and hyphens, at most 64');

function daysOf(text: string): number {
  const days: Record<string, number> = { m: 1 / 1440, h: 1 / 24, d: 1, w: 7 };
  return Number(text.slice(0, -1)) * (days[text.slice(-1)] ?? 0);
}

/** A rolling length of time: a whole number and m, h, d or w; at most ten years. */
export const Duration = z
  .string()
  .regex(/^[1-9]\d{0,5}[mhdw]$/, 'a duration such as 30m, 4h, 60d or 2w')
  .refine((text) => daysOf(text) <= 3653, 'at most ten years')
  .meta({
    id: 'Duration',
    description: 'A rolling length of time: a number above 0 and m (minutes), h (hours), d (days) or w (weeks)',
    examples: ['60d', '4h', '2w'],
  });

const Scalar = z.union([z.string(), z.number(), z.boolean()]);
const Ordered = z.union([z.number(), z.string()]);
/** Publish reads it exactly; the pattern is for editors. */
const Moment = z
  .string()
  .min(1)
  .meta({
    pattern: '^(@.+|\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,3})?)?(Z|[+-]\\d{2}:\\d{2}))?)$',
    description: 'A date, which begins at midnight, or an instant',
    examples: ['2026-11-27', '2026-11-27T08:00:00Z'],
  });

/** The operators of a comparison; each object holds exactly one. */
export const Operators = {
  isNot: Scalar.meta({ description: 'Is known, and another value than this', examples: ['PL'] }),
  atLeast: Ordered.meta({ description: 'This or more', examples: [3, 12.5] }),
  moreThan: Ordered.meta({ description: 'More than this', examples: [3] }),
  atMost: Ordered.meta({ description: 'This or less; a missing value is not', examples: [3] }),
  lessThan: Ordered.meta({ description: 'Less than this; a missing value is not', examples: [3] }),
  between: z.tuple([Ordered, Ordered]).meta({
    description: 'From the first to the second, both included; numbers, amounts or dates',
    examples: [
      [10, 20],
      ['2026-01-01', '2026-03-31'],
    ],
  }),
  contains: z
    .string()
    .min(1)
    .meta({
      description:
        'Holds this text anywhere, in capitals or not; of a list: one of its texts does. Taken as it is written',
      examples: ['camera'],
    }),
  startsWith: z
    .string()
    .min(1)
    .meta({
      description: 'Begins with this text, in capitals or not. Taken as it is written',
      examples: ['+48'],
    }),
  exists: z.boolean().meta({
    description: 'true: is known. false: is missing. The one comparison that a missing value can meet',
    examples: [true],
  }),
  before: Moment.meta({ description: 'Before this date begins, or before this instant', examples: ['2026-11-27'] }),
  after: Moment.meta({
    description: 'After the instant at which this date begins, or after this instant',
    examples: ['2026-11-27'],
  }),
  inLast: Duration.meta({ description: 'Within this time before now', examples: ['30d'] }),
  inNext: Duration.meta({ description: 'Within this time after now', examples: ['7d'] }),
  moreThanAgo: Duration.meta({ description: 'This long ago, or longer', examples: ['180d'] }),
  anniversary: z
    .union([
      z
        .literal('today', '"today", {"inNext": "7d"} or {"inLast": "7d"}')
        .meta({ description: 'It is the day, where the contact lives' }),
      z.strictObject({
        inNext: Duration.meta({ description: 'The day begins within this time from now', examples: ['7d'] }),
      }),
      z.strictObject({
        inLast: Duration.meta({ description: 'The day began within this time before now', examples: ['7d'] }),
      }),
    ])
    .meta({
      description:
        'The day of the year of a date, such as a birthday; it may lack its year (--MM-DD). 29 February is kept on 28 February in other years',
      examples: ['today', { inNext: '7d' }],
    }),
} as const;
export type OperatorName = keyof typeof Operators;

export type Comparison = string | number | boolean | (string | number | boolean)[] | { [K in OperatorName]?: unknown };

const operatorObjects = Object.entries(Operators).map(([name, value]) => z.strictObject({ [name]: value }));
/** A bare value = is; a list = one of; or an object with one operator. */
export const Comparison: z.ZodType<Comparison> = z
  .union([Scalar, z.array(Scalar).min(1).max(1000), ...operatorObjects] as [z.ZodType, ...z.ZodType[]])
  .meta({
    id: 'Comparison',
    description: 'A value (is), a list (is one of), or an object with one operator',
    examples: ['PL', ['PL', 'CZ'], { atLeast: 3 }],
  }) as z.ZodType<Comparison>;

export interface Where {
  [property: string]: Comparison | Where;
}
/** Property → comparison, or → a nested Where that speaks of one and the same line or sub-object. */
export const Where: z.ZodType<Where> = z
  .lazy(() =>
    z
      .record(z.string().min(1).max(100), z.union([Comparison, Where]))
      .refine((where) => Object.keys(where).length > 0, 'a "where" says at least one thing'),
  )
  .meta({
    id: 'Where',
    description:
      'Which events: a comparison for each property, all of which hold. An object without an operator speaks of one and the same line',
    examples: [{ products: { category: 'Cameras', price: { atLeast: 300 } } }],
  }) as z.ZodType<Where>;

const ONE = '1 or more; for "never" write {"not": {"did": …}}';
const Times = z.int().min(1, ONE);

/** A count: a number means exactly. */
export const Count = z
  .union([
    Times.meta({ description: 'Exactly so often', examples: [1] }),
    z.strictObject({ atLeast: Times.meta({ description: 'So often or more', examples: [2] }) }),
    z.strictObject({
      moreThan: z
        .int()
        .min(0)
        .meta({ description: 'More often than this', examples: [2] }),
    }),
    z.strictObject({ atMost: Times.meta({ description: 'At least once, and so often at most', examples: [3] }) }),
    z.strictObject({
      lessThan: z
        .int()
        .min(2, '2 or more; for "never" write {"not": {"did": …}}')
        .meta({ description: 'At least once, and less often than this', examples: [3] }),
    }),
    z.strictObject({
      between: z.tuple([Times, Times]).meta({ description: 'So often, both bounds included', examples: [[2, 5]] }),
    }),
  ])
  .meta({
    id: 'Count',
    description: 'How often: a number means exactly. It always asks for at least one event',
    examples: [1, { atLeast: 2 }],
  });
export type Count = z.infer<typeof Count>;

const Amount = z.number();
const amounts = (of: z.ZodString, what: string) =>
  [
    z.strictObject({ of, atLeast: Amount.meta({ description: `${what} is this or more`, examples: [1000] }) }),
    z.strictObject({ of, moreThan: Amount.meta({ description: `${what} is more than this`, examples: [1000] }) }),
    z.strictObject({ of, atMost: Amount.meta({ description: `${what} is this or less`, examples: [50] }) }),
    z.strictObject({ of, lessThan: Amount.meta({ description: `${what} is less than this`, examples: [50] }) }),
    z.strictObject({
      of,
      between: z
        .tuple([Amount, Amount])
        .meta({ description: `${what} is between these, both included`, examples: [[100, 500]] }),
    }),
  ] as const;
const Summed = z
  .string()
  .min(1)
  .max(100)
  .meta({ description: 'A property that is a number or an amount', examples: ['revenue', 'total'] });

export const Sum = z.union(amounts(Summed, 'The sum')).meta({
  id: 'Sum',
  description: 'The sum of a property over the matching events; amounts as you say them, revenue net of refunds',
  examples: [{ of: 'revenue', atLeast: 1000 }],
});
export type Sum = z.infer<typeof Sum>;

/** The greatest single value of a property. The same form as a sum. */
export const Largest: z.ZodType<Sum> = z.union(amounts(Summed, 'The greatest value')).meta({
  id: 'Largest',
  description: 'The greatest single value of a property among the matching events; revenue net of refunds',
  examples: [{ of: 'revenue', atLeast: 300 }],
});

const Held = z
  .string()
  .min(1)
  .max(100)
  .meta({
    description: 'A property of the event, or "products." and a field of its lines',
    examples: ['products.product_id', 'products.category', 'product_id'],
  });
/** How many different values of a property the matching events hold. */
export const Distinct = z
  .union([
    z.strictObject({
      of: Held,
      atLeast: z
        .int()
        .min(1)
        .meta({ description: 'So many or more', examples: [3] }),
    }),
    z.strictObject({
      of: Held,
      moreThan: z
        .int()
        .min(0)
        .meta({ description: 'More than so many', examples: [2] }),
    }),
    z.strictObject({
      of: Held,
      atMost: z
        .int()
        .min(1)
        .meta({ description: 'So many at most', examples: [2] }),
    }),
    z.strictObject({
      of: Held,
      lessThan: z
        .int()
        .min(2)
        .meta({ description: 'Fewer than so many', examples: [3] }),
    }),
    z.strictObject({
      of: Held,
      between: z
        .tuple([z.int().min(1), z.int().min(1)])
        .meta({ description: 'Between so many and so many, both included', examples: [[2, 4]] }),
    }),
  ])
  .meta({
    id: 'Distinct',
    description: 'How many different values of a property the matching events hold',
    examples: [{ of: 'products.category', atLeast: 3 }],
  });
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
export const Calendar = z.enum(CALENDAR).meta({
  description:
    'The period of the calendar; weeks begin on Monday. In the zone of the shop where an amount is summed, else of the contact',
  examples: ['this year'],
});

export const Latest = z
  .union([
    z.strictObject({ moreThanAgo: Duration.meta({ description: 'This long ago, or longer', examples: ['60d'] }) }),
    z.strictObject({ inLast: Duration.meta({ description: 'Within this time before now', examples: ['30d'] }) }),
    z.strictObject({
      before: Moment.meta({ description: 'Before this date begins, or this instant', examples: ['2026-01-01'] }),
    }),
    z.strictObject({
      after: Moment.meta({ description: 'After this date has begun, or this instant', examples: ['2026-01-01'] }),
    }),
  ])
  .meta({ id: 'Latest', description: 'When it happened', examples: [{ moreThanAgo: '60d' }] });
export type Latest = z.infer<typeof Latest>;

export const EventNames = z
  .union([z.string().min(1).max(100), z.array(z.string().min(1).max(100)).min(1).max(50)])
  .meta({
    description: 'The name of an event, or a list of names: any of them',
    examples: ['Order Completed', ['Product Viewed', 'Product Added']],
  });
export const Same = z
  .string()
  .min(1)
  .max(100)
  .meta({
    description:
      'A property, or "products." and a field: so many events hold one and the same value of it. Goes with "times"',
    examples: ['products.product_id'],
  });

const MEASURES = ['times', 'sum', 'largest', 'distinct', 'latest', 'first'] as const;
const PERIODS = ['inLast', 'in', 'between', 'since'] as const;

export type Measured = { [name in (typeof MEASURES)[number] | (typeof PERIODS)[number] | 'same']?: unknown };
export const given = <N extends keyof Measured>(did: Measured, names: readonly N[]): N[] =>
  names.filter((name) => did[name] !== undefined);

/** What the parts of a "did" say of each other; undefined where they go together. */
export function discord(did: Measured): string | undefined {
  const [first, second] = given(did, MEASURES);
  if (first !== undefined && second !== undefined) {
    return `"${first}" and "${second}" are two measures, where one belongs: times, sum, largest, distinct, latest or first. Ask the other in a "did" of its own, joined by "all"`;
  }
  const [period, other] = given(did, PERIODS);
  if (period !== undefined && other !== undefined) {
    return `"${period}" and "${other}" are two periods, where one belongs: inLast, in, between or since`;
  }
  if (period !== undefined && (first === 'latest' || first === 'first')) {
    return `"${first}" says itself when: it takes no "${period}". Write {"${first}": {"inLast": "30d"}}, for example`;
  }
  if (did.same === undefined) return undefined;
  const often = did.times as Count | undefined;
  const least =
    typeof often === 'object' && ('atLeast' in often ? often.atLeast : 'moreThan' in often && often.moreThan + 1);
  return typeof least === 'number' && least >= 2
    ? undefined
    : '"same" asks how often one and the same value came: say "times": {"atLeast": 2}, or more, beside it';
}

/** "did": a name or any of several; one measure at most; one period at most (none = ever). */
export const Did = z
  .strictObject({
    did: EventNames,
    where: Where.optional(),
    same: Same.optional(),
    times: Count.optional(),
    sum: Sum.optional(),
    largest: Largest.optional(),
    distinct: Distinct.optional(),
    latest: Latest.optional().meta({
      description: 'When it happened last. Takes no period',
      examples: [{ moreThanAgo: '60d' }],
    }),
    first: Latest.optional().meta({
      description: 'When it happened for the first time. Takes no period',
      examples: [{ inLast: '30d' }],
    }),
    inLast: Duration.optional().meta({
      description: 'The period: a rolling time before now. Without a period: ever',
      examples: ['365d'],
    }),
    in: Calendar.optional(),
    between: z
      .tuple([Moment, Moment])
      .optional()
      .meta({
        description: 'The period: from a date or an instant to another; a date at the end is wholly in it',
        examples: [['2026-11-20', '2026-11-30']],
      }),
    since: z
      .union([z.literal('run start'), Moment])
      .optional()
      .meta({
        description: 'The period: since a date or an instant; inside a campaign also since the "run start"',
        examples: ['2026-01-01', 'run start'],
      }),
  })
  .superRefine((did, context) => {
    const message = discord(did);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  })
  .meta({
    id: 'Did',
    description:
      'Did something: events that match, at least once unless a measure says otherwise. One measure at most (times, sum, largest, distinct, latest, first), one period at most (inLast, in, between, since)',
    examples: [{ did: 'Order Completed', times: { atLeast: 2 }, inLast: '365d' }],
  });
export type Did = z.infer<typeof Did>;

export const Has = z
  .strictObject({
    has: z
      .record(z.string().min(1).max(100), Comparison)
      .refine((has) => Object.keys(has).length > 0, 'a "has" says at least one thing')
      .meta({
        description: 'Attribute → comparison; all of them hold. Attributes of your own are declared in fields.json',
        examples: [{ country: ['PL', 'CZ'], 'orders.count': { atLeast: 3 } }],
      }),
  })
  .meta({
    id: 'Has',
    description: 'Has these attributes, all of them',
    examples: [{ has: { country: ['PL', 'CZ'] } }],
  });
export type Has = z.infer<typeof Has>;

export const ConsentRule = z
  .strictObject({
    consent: z
      .string()
      .min(1)
      .max(100)
      .meta({ description: 'A topic of settings.json', examples: ['offers'] }),
    channel: z
      .enum(['email'])
      .optional()
      .meta({
        description: 'By which channel; "email" when not said',
        examples: ['email'],
      }),
    basis: z
      .array(z.enum(['double', 'single', 'soft', 'imported']))
      .min(1)
      .optional()
      .meta({
        description: 'Only consents with one of these bases: double or single opt-in, soft, imported',
        examples: [['double', 'single']],
      }),
  })
  .meta({
    id: 'ConsentRule',
    description: 'Consents to a topic now',
    examples: [{ consent: 'offers' }],
  });

/** A share of a draw: everybody has a fixed number from 0 to 100 in each draw; `from` is in, `to` is not. */
export const Share = z
  .strictObject({
    share: id.meta({
      description: 'The name of a draw, as you choose it: each name draws anew, and the same for all time',
      examples: ['spring-test'],
    }),
    percent: z.tuple([z.number().min(0).max(100), z.number().min(0).max(100)]).meta({
      description: 'From and to, in percent: [0, 10] is the first tenth; the upper bound is not in it',
      examples: [[0, 10]],
    }),
  })
  .meta({
    id: 'Share',
    description: 'Is in this part of a draw',
    examples: [{ share: 'spring-test', percent: [0, 10] }],
  });
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

// One instance, outside of the lazy rule: a copy made inside would be made anew at each look, without end.
const Negated: z.ZodType<Rule> = z
  .lazy(() => Rule)
  .meta({
    description: 'This rule does not hold. A missing value meets no comparison, so it meets the "not" of each',
    examples: [{ did: 'Order Completed', inLast: '60d' }],
  });

/** A rule: an object with exactly one subject. */
export const Rule: z.ZodType<Rule> = z
  .lazy(() =>
    z.union([
      z.strictObject({
        all: z
          .array(Rule)
          .min(1)
          .meta({
            description: 'Every one of these rules holds',
            examples: [[{ consent: 'offers' }, { not: { did: 'Order Completed' } }]],
          }),
      }),
      z.strictObject({
        any: z
          .array(Rule)
          .min(1)
          .meta({
            description: 'At least one of these rules holds',
            examples: [[{ segment: 'vip' }, { did: 'Order Completed', inLast: '30d' }]],
          }),
      }),
      z.strictObject({
        not: Negated,
      }),
      Has,
      Did,
      z.strictObject({
        segment: id.meta({ description: 'Is in this segment: the name of a file in segments/', examples: ['vip'] }),
      }),
      ConsentRule,
      Share,
    ]),
  )
  .meta({
    id: 'Rule',
    description: 'Who is meant: an object with one subject: all, any, not, has, did, segment, consent or share',
    examples: [{ not: { did: 'Order Completed', inLast: '60d' } }],
  }) as z.ZodType<Rule>;

export const Segment = z
  .strictObject({
    $schema: z.string().optional().meta({ description: 'The schema that editors complete by' }),
    title: z
      .string()
      .optional()
      .meta({ description: 'For people: who this is', examples: ['Regulars who have gone quiet'] }),
    owner: z
      .string()
      .optional()
      .meta({ description: 'Who answers for it', examples: ['Nora, retention'] }),
    rule: Rule,
  })
  .meta({
    id: 'Segment',
    description: 'A named rule over contacts. Its name is that of the file, and is never changed',
    examples: [
      { title: 'Ordered twice in a year', rule: { did: 'Order Completed', times: { atLeast: 2 }, inLast: '365d' } },
    ],
  });
export type Segment = z.infer<typeof Segment>;
