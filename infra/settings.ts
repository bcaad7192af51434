// What an operator decides about one stage: read from CDK context, checked, with defaults.
import type { App } from 'aws-cdk-lib';
import * as z from 'zod';

const domain = z
  .string()
  .regex(
    /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/,
    'a domain in small letters, such as mail.shop.example',
  );

/** Context arrives as text from `-c name=value` and as JSON from a file: both are accepted. */
const number = (schema: z.ZodInt) =>
  z.preprocess((value) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value), schema);

const list = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => {
    if (typeof value !== 'string') return value;
    const text = value.trim();
    if (text.startsWith('[')) {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return value;
      }
    }
    return text.split(',').map((part) => part.trim());
  }, schema);

const share = z.preprocess(
  (value) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value),
  z
    .number('a number above 0 and up to 1, such as 0.5')
    .gt(0, 'a number above 0 and up to 1, such as 0.5')
    .max(1, 'a number above 0 and up to 1, such as 0.5'),
);

const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean('true or false'),
);

const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

const Context = z
  .strictObject({
    stage: z.enum(['dev', 'staging', 'prod', 'laptop']),
    publicBaseUrl: optional(
      z
        .string()
        .regex(
          /^https:\/\/[a-z0-9.-]+\.[a-z]{2,63}\/?$/,
          'an https address of a host, without port and path, such as https://mail.shop.example',
        )
        .transform((url) => url.replace(/\/$/, '')),
    ),
    certificateArn: optional(
      z.string().regex(/^arn:[a-z-]+:acm:[a-z0-9-]+:\d{12}:certificate\/.+$/, 'the ARN of an ACM certificate'),
    ),
    mailDomain: optional(domain),
    alarmAddress: optional(z.email('an e-mail address')),
    sendRate: number(z.int().min(1).max(10_000)).optional(),
    rateShare: share.optional(),
    backfillRate: number(z.int().min(1).max(3_000)).optional(),
    trackOpens: flag.optional(),
    dueShards: number(z.int().min(1).max(64)).optional(),
    allowedRecipients: optional(
      list(
        z
          .array(z.union([z.email(), domain], { error: 'an e-mail address or a domain' }))
          .min(1)
          .max(50),
      ),
    ),
    profile: z.enum(['normal', 'small']).default('normal'),
  })
  .superRefine((given, check) => {
    const missing = (path: string, message: string) => check.addIssue({ code: 'custom', path: [path], message });
    if (given.stage === 'laptop') return;
    if (!given.mailDomain) missing('mailDomain', 'is missing: the domain of your SES identity, such as shop.example');
    if (given.stage === 'dev') return;
    if (!given.publicBaseUrl)
      missing(
        'publicBaseUrl',
        'is missing: links in e-mails need a domain that you own, such as https://mail.shop.example',
      );
    if (!given.certificateArn)
      missing(
        'certificateArn',
        'is missing: an ACM certificate for the host of publicBaseUrl, in the region of the stack',
      );
    if (!given.alarmAddress) missing('alarmAddress', 'is missing: somebody must read the alarms of this stage');
    if (given.allowedRecipients)
      missing('allowedRecipients', `belongs to stage dev; stage ${given.stage} writes to every customer`);
  });

export type Stage = z.infer<typeof Context>['stage'];

/** One stage's settings, with every default filled in. */
export interface StageSettings {
  stage: Stage;
  /** Absent in stages dev and laptop without a domain: links then use the function URL. */
  publicBaseUrl?: string;
  certificateArn?: string;
  /** The SES identity; senders are addresses of this domain. */
  mailDomain: string;
  alarmAddress?: string;
  /** E-mails a second that this stage never exceeds. */
  sendRate: number;
  /** The part of what SES allows the account that this stage may use, above 0 and up to 1. */
  rateShare: number;
  /** Contacts a second that are walked after a publish, all shards together. */
  backfillRate: number;
  /** True where a second configuration set tells opens too, for people who consent to that. */
  trackOpens: boolean;
  dueShards: number;
  allowedRecipients?: string[];
  profile: 'normal' | 'small';
  /** True where data must outlive the stack: every stage but dev and laptop. */
  keepsData: boolean;
  /** True where an HTTP API with a domain of one's own stands in front instead of function URLs. */
  ownDomain: boolean;
}

/** A small account has ten executions at once for everything: purchases first. */
const BACKFILL_RATES = { normal: 200, small: 50 } as const;

/** The names of the context values, as `-c name=value` takes them. */
export const CONTEXT_NAMES = [
  'stage',
  'publicBaseUrl',
  'certificateArn',
  'mailDomain',
  'alarmAddress',
  'sendRate',
  'rateShare',
  'backfillRate',
  'trackOpens',
  'dueShards',
  'allowedRecipients',
  'profile',
] as const;

/** Context that does not fit: one line for each fault, each naming the value and what to give. */
export class SettingsError extends Error {
  readonly code = 'settings.invalid';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`The settings of this stage do not fit:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'SettingsError';
    this.faults = faults;
  }
}

/** Checks raw context values and fills in the defaults. Throws SettingsError with every fault at once. */
export function readSettings(raw: Record<string, unknown>): StageSettings {
  const given = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== undefined));
  if (given.stage === undefined)
    throw new SettingsError(['stage: is missing; give one with -c stage=dev (dev, staging, prod or laptop)']);
  const read = Context.safeParse(given);
  if (!read.success) {
    throw new SettingsError(
      read.error.issues.map((issue) => {
        const path = issue.path.join('.') || 'context';
        const received =
          issue.path.length > 0 && given[String(issue.path[0])] !== undefined
            ? `; received ${JSON.stringify(given[String(issue.path[0])])}`
            : '';
        return `${path}: ${issue.message}${received}`;
      }),
    );
  }
  const { data } = read;
  const laptop = data.stage === 'laptop';
  const settled = {
    stage: data.stage,
    mailDomain: data.mailDomain ?? 'shop.example',
    sendRate: data.sendRate ?? (laptop ? 500 : 14),
    rateShare: data.rateShare ?? 1,
    backfillRate: data.backfillRate ?? (laptop ? 3_000 : BACKFILL_RATES[data.profile]),
    trackOpens: data.trackOpens ?? false,
    dueShards: data.dueShards ?? (laptop ? 2 : 32),
    profile: data.profile,
    keepsData: data.stage === 'staging' || data.stage === 'prod',
    ownDomain: data.stage === 'staging' || data.stage === 'prod',
  };
  return {
    ...settled,
    ...(data.publicBaseUrl === undefined ? {} : { publicBaseUrl: data.publicBaseUrl }),
    ...(data.certificateArn === undefined ? {} : { certificateArn: data.certificateArn }),
    ...(data.alarmAddress === undefined ? {} : { alarmAddress: data.alarmAddress }),
    ...(data.allowedRecipients === undefined ? {} : { allowedRecipients: data.allowedRecipients }),
  };
}

/** The settings of the stage that the CDK context names. Throws SettingsError. */
export function settingsOf(app: App): StageSettings {
  return readSettings(Object.fromEntries(CONTEXT_NAMES.map((name) => [name, app.node.tryGetContext(name) as unknown])));
}
