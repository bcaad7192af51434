// The shop's settings, its catalogue relations, declared fields and country rules: zod schemas of the other files of templates/.
import * as z from 'zod';
import { Clock } from './campaign-grammar.ts';
import { Duration, Rule } from './grammar.ts';

const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'small letters, digits and hyphens, at most 64');
const https = z.url({ protocol: /^https$/, error: 'an https address' });
const Zone = z.string().min(1).meta({ description: 'A time zone of the tz database, such as Europe/Warsaw' });
const Colour = z.string().regex(/^#[0-9a-fA-F]{6}$/, 'a colour such as #1a2b3c');

export const Cap = z.strictObject({ most: z.int().min(1).max(100), in: Duration });

const Locale = z.string().regex(/^[a-z]{2}(-[A-Z]{2})?$/, 'a locale such as de or pt-BR');
/** A text, or one for each locale; the first that is given stands in for a missing one. */
const Localised = z.union([z.string().min(1), z.record(Locale, z.string().min(1))]);
export type Localised = z.infer<typeof Localised>;

/** The text of a locale: its own, else its language's, else the first that there is. */
export function inLocale(text: Localised, locale: string): string {
  if (typeof text === 'string') return text;
  return text[locale] ?? text[locale.split('-')[0] as string] ?? Object.values(text)[0] ?? '';
}

/** The consent to be seen opening e-mails: a topic on the preference page, and of no campaign. */
export const TRACKING = 'tracking';

/** How a new sending domain gets its reputation: day by day a ceiling, and whom to write to first. */
export const WarmUp = z.strictObject({
  starts: z.iso.date().meta({ description: 'The first day of the plan, in the shop’s zone' }),
  days: z
    .array(
      z.strictObject({
        most: z.int().min(1).meta({ description: 'Most marketing messages of this domain on that day' }),
        engaged: Duration.optional().meta({
          description: 'Only people who bought, clicked or consented within this time; absent = everybody',
        }),
      }),
    )
    .min(1)
    .max(60)
    .meta({ description: 'One entry a day; after the last one nothing is held back' }),
});
export type WarmUp = z.infer<typeof WarmUp>;

/** When an address is given up after bounces that may pass: so many messages in a row, over so long. */
export const SoftBounces = z.strictObject({ most: z.int().min(2).max(20), over: Duration });
export type SoftBounces = z.infer<typeof SoftBounces>;

/** templates/settings.json */
export const Settings = z
  .strictObject({
    $schema: z.string().optional(),
    brands: z.record(
      id,
      z.strictObject({
        name: z.string().min(1).max(80),
        legalName: z.string().min(1).max(200),
        postalAddress: z.string().min(10).max(300),
        site: https,
        logo: https.optional(),
        colours: z.strictObject({ accent: Colour, text: Colour, background: Colour }),
      }),
    ),
    senders: z.record(
      id,
      z.strictObject({ brand: id, name: z.string().min(1).max(78), from: z.email(), replyTo: z.email().optional() }),
    ),
    currency: z.string().regex(/^[A-Z]{3}$/, 'an ISO 4217 code such as EUR'),
    zone: Zone,
    locales: z.array(Locale).min(1),
    topics: z.record(id, z.strictObject({ title: Localised, description: Localised.optional() })),
    caps: z.array(Cap).max(10).meta({ description: 'Most marketing messages per contact in a window' }),
    quietHours: z.strictObject({ from: Clock, to: Clock }).optional(),
    linkHosts: z
      .array(z.string())
      .optional()
      .meta({ description: 'Hosts that links in e-mails may lead to, beside the site' }),
    warmUp: z
      .record(z.string().regex(/^[a-z0-9.-]+$/, 'a domain that senders write from'), WarmUp)
      .optional()
      .meta({
        description: 'Plans for new sending domains, by domain',
      }),
    softBounces: SoftBounces.optional().meta({
      description: 'When an address is given up after temporary bounces; by default 5 in a row over 14d',
    }),
    globalHoldout: z
      .strictObject({
        percent: z
          .number()
          .min(0)
          .max(20)
          .meta({ description: 'Percent of all people who get no marketing', examples: [5] }),
      })
      .optional()
      .meta({ description: 'People drawn anew every 180 days who walk the steps of every marketing campaign unsent' }),
    linkParameters: z
      .union([
        z.literal(false),
        z.strictObject({ source: z.string().min(1).max(60).optional(), medium: z.string().min(1).max(60).optional() }),
      ])
      .optional()
      .meta({
        description:
          'Campaign parameters that are put on links to the shop: source "kairos" and medium "email" unless said otherwise; false = none',
        examples: [{ source: 'newsletter' }, false],
      }),
    openCases: z.enum(['pause', 'ignore']).optional().meta({
      description: 'What an open case at the service desk does to marketing; it pauses it unless told to ignore',
    }),
    tracking: z
      .strictObject({ opens: z.boolean() })
      .optional()
      .meta({ description: 'Opens are off unless asked for here, and then only of people who consent to "tracking"' }),
  })
  .meta({ id: 'Settings' });
export type Settings = z.infer<typeof Settings>;

/** What the catalogue knows of one product; money in major units of the shop's currency as written, minor inside. */
export const Product = z.strictObject({
  name: z.string().min(1).max(200),
  category: z.string().optional(),
  brand: z.string().optional(),
  price: z.number().min(0).optional(),
  margin: z.number().min(0).max(1).optional().meta({ description: 'Share of the price, 0 to 1' }),
  url: https.optional(),
  imageUrl: https.optional(),
  complements: z.array(z.string()).optional().meta({ description: 'Products that go well with it, best first' }),
  upgrade: z.string().optional().meta({ description: 'The better model' }),
  replaceAfter: Duration.optional(),
  lastsFor: Duration.optional().meta({ description: 'How long one of it lasts', examples: ['30d'] }),
  consumable: z.boolean().optional(),
});
export type Product = z.infer<typeof Product>;

/** templates/catalogue.json */
export const Catalogue = z
  .strictObject({
    $schema: z.string().optional(),
    products: z.record(z.string().min(1).max(100), Product),
    popular: z
      .array(z.string())
      .max(200)
      .optional()
      .meta({ description: 'Products that sell well, best first: recommended where the relations give too little' }),
  })
  .meta({ id: 'Catalogue' });
export type Catalogue = z.infer<typeof Catalogue>;

/** One pool of coupon codes: what a code of it is worth, unless its file says otherwise. */
export const CouponPool = z
  .strictObject({
    title: z.string().min(1).max(200).optional(),
    percent: z
      .number()
      .gt(0)
      .max(100)
      .optional()
      .meta({ description: 'Percent off', examples: [10] }),
    amount: z
      .number()
      .gt(0)
      .optional()
      .meta({ description: 'Amount off, in the shop’s currency', examples: [5] }),
    lowWater: z.int().min(1).max(100_000).optional().meta({
      description: 'An alarm is raised when fewer codes are left; 100 when not said',
    }),
  })
  .refine(
    (pool) => (pool.percent === undefined) !== (pool.amount === undefined),
    'says "percent" or "amount", one of them',
  );
export type CouponPool = z.infer<typeof CouponPool>;

/** templates/coupons.json: pool → what its codes are worth. The codes come by `kairos coupons import`. */
export const Coupons = z
  .strictObject({
    $schema: z.string().optional(),
    pools: z.record(z.string().regex(/^[A-Z0-9][A-Z0-9_-]{0,39}$/, 'a name in capitals such as WELCOME'), CouponPool),
  })
  .meta({ id: 'Coupons', description: 'The coupon pools of the shop' });
export type Coupons = z.infer<typeof Coupons>;

/** One tier of the loyalty programme. */
export const Tier = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'small letters, digits and hyphens, at most 64')
    .refine((name) => name !== 'none', '"none" stands for no tier')
    .meta({ description: 'What "loyalty.tier" is for whoever is in it', examples: ['gold'] }),
  title: Localised.optional().meta({ description: 'What people call it', examples: [{ en: 'Gold', pl: 'Złoty' }] }),
  rule: Rule.meta({
    description: 'Who has earned it; who meets the rules of several tiers is in the highest',
    examples: [{ did: 'Order Completed', sum: { of: 'revenue', atLeast: 500 }, in: 'this year' }],
  }),
});
export type Tier = z.infer<typeof Tier>;

/** templates/loyalty.json: the tiers of the loyalty programme, the lowest first. */
export const Loyalty = z
  .strictObject({
    $schema: z.string().optional(),
    title: Localised.optional().meta({ description: 'What the programme is called' }),
    tiers: z.array(Tier).min(1).max(20).meta({ description: 'The lowest first; whoever is in none has no tier' }),
  })
  .meta({ id: 'Loyalty', description: 'The tiers of the loyalty programme' });
export type Loyalty = z.infer<typeof Loyalty>;

export const FieldType = z.enum(['text', 'number', 'money', 'date', 'boolean', 'list']);
export type FieldType = z.infer<typeof FieldType>;

/** templates/fields.json: custom attributes, and custom events with their properties. */
export const Fields = z
  .strictObject({
    $schema: z.string().optional(),
    attributes: z.record(z.string().min(1).max(60), FieldType).optional(),
    events: z.record(z.string().min(1).max(100), z.record(z.string().min(1).max(60), FieldType)).optional(),
  })
  .meta({ id: 'Fields' });
export type Fields = z.infer<typeof Fields>;
