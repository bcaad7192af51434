// What `npm run deploy` asks: from flags and environment, from the last time, from templates/settings.json, or from the person.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cancel, isCancel, select, text } from '@clack/prompts';
import * as z from 'zod';
import type { Fault } from '../domain/fault.ts';

const optional = <T extends z.ZodType>(schema: T) => schema.optional();

export const Answers = z.object({
  stage: z.enum(['dev', 'staging', 'prod'], { error: 'one of dev, staging, prod' }),
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'an AWS region, such as eu-central-1'),
  sender: z.email('an e-mail address, such as hello@shop.example').transform((address) => address.toLowerCase()),
  /** The SES identity. */
  mailDomain: z.string().regex(/^([a-z0-9-]+\.)+[a-z]{2,63}$/, 'a domain, such as shop.example'),
  publicBaseUrl: optional(
    z
      .string()
      .regex(
        /^https:\/\/[a-z0-9.-]+\.[a-z]{2,63}\/?$/,
        'an https address of a host of yours, such as https://mail.shop.example',
      ),
  ),
  certificateArn: optional(
    z.string().regex(/^arn:[a-z-]+:acm:[a-z0-9-]+:\d{12}:certificate\/.+$/, 'the ARN of a certificate in ACM'),
  ),
  alarmAddress: optional(z.email('an e-mail address')),
  postalAddress: z.string().min(10, 'the postal address of the sender, as the law asks'),
  replyTo: optional(z.email('an e-mail address')),
  allowedRecipients: optional(z.string().min(1)),
  profile: optional(z.enum(['normal', 'small'])),
  sendRate: optional(z.coerce.number().int().min(1)),
  /** The part of what SES allows the account that this stage may use. */
  rateShare: optional(
    z.coerce
      .number('a number above 0 and up to 1, such as 0.5')
      .gt(0, 'a number above 0 and up to 1, such as 0.5')
      .max(1, 'a number above 0 and up to 1, such as 0.5'),
  ),
  /** A flag without a value on the command line; text where it was remembered. */
  trackOpens: optional(z.enum(['true', 'false'], { error: 'true or false' }).transform((text) => text === 'true')),
  backfillRate: optional(z.coerce.number().int().min(1).max(3_000)),
  dueShards: optional(z.coerce.number().int().min(1).max(64)),
});
export type Answers = z.infer<typeof Answers>;
export type Draft = { [Name in keyof Answers]?: string | undefined };

interface Question {
  name: keyof Answers;
  asks: string;
  hint?: string;
  /** Stages that need it; all when absent. */
  stages?: string[];
  optional?: boolean;
}

const QUESTIONS: Question[] = [
  { name: 'region', asks: 'AWS region', hint: 'eu-central-1' },
  { name: 'sender', asks: 'Sender address (templates/settings.json must use it)', hint: 'hello@shop.example' },
  { name: 'mailDomain', asks: 'Domain of your SES identity', hint: 'shop.example' },
  {
    name: 'postalAddress',
    asks: 'Postal address, at the foot of every marketing e-mail',
    hint: 'Shop Ltd, 1 Road, 10115 Berlin',
  },
  { name: 'replyTo', asks: 'Where do answers go (empty: to the sender)?', hint: 'care@shop.example', optional: true },
  {
    name: 'publicBaseUrl',
    asks: 'Public address of links in e-mails, a host that you own for years',
    hint: 'https://mail.shop.example',
    stages: ['staging', 'prod'],
  },
  { name: 'certificateArn', asks: 'ARN of its certificate (ACM, same region)', stages: ['staging', 'prod'] },
  { name: 'alarmAddress', asks: 'Who reads the alarms?', hint: 'ops@shop.example', stages: ['staging', 'prod'] },
  {
    name: 'rateShare',
    asks: 'Share of the SES rate of this account that is for this stage (empty: all of it)',
    hint: '0.5',
    optional: true,
  },
  {
    name: 'allowedRecipients',
    asks: 'Stage dev writes to these addresses or domains only (with commas; empty: to everybody)',
    hint: 'you@shop.example',
    stages: ['dev'],
    optional: true,
  },
];

/** Drops what is empty, so that an empty flag is no answer. */
const given = (draft: Draft): Draft =>
  Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== undefined && value !== ''));

const answersFile = (root: string, stage: string): string => path.join(root, '.kairos', `${stage}.json`);

/** The answers of the last deployment of this stage from this folder. */
export function remembered(root: string, stage: string): Draft {
  const file = answersFile(root, stage);
  if (!existsSync(file)) return {};
  try {
    const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, String(value)]));
  } catch {
    return {};
  }
}

/** Keeps the answers for the next time, in `.kairos/`, which git ignores. */
export function remember(root: string, answers: Answers): void {
  mkdirSync(path.join(root, '.kairos'), { recursive: true });
  writeFileSync(answersFile(root, answers.stage), `${JSON.stringify(answers, null, 2)}\n`);
}

/** Sender, postal address and reply-to as templates/settings.json has them: what a person most likely answers. */
export function suggestions(settings: unknown): Draft {
  const { senders, brands } = (settings ?? {}) as {
    senders?: Record<string, { from?: string; replyTo?: string; brand?: string }>;
    brands?: Record<string, { postalAddress?: string }>;
  };
  const first = Object.values(senders ?? {})[0];
  return given({
    sender: first?.from,
    mailDomain: first?.from?.split('@')[1],
    replyTo: first?.replyTo,
    postalAddress: brands?.[first?.brand ?? '']?.postalAddress,
  });
}

/** Checks a draft; what is missing or wrong comes back as faults that name the flag. */
export function settle(draft: Draft): { answers: Answers } | { faults: Fault[] } {
  const read = Answers.safeParse(given(draft));
  const faults: Fault[] = [];
  const flag = (name: string) => `--${name.replace(/[A-Z]/g, '-$&').toLowerCase()}`;
  if (!read.success) {
    for (const issue of read.error.issues) {
      const name = String(issue.path[0] ?? '');
      const received = draft[name as keyof Answers];
      const asks = QUESTIONS.find((question) => question.name === name)?.asks ?? name;
      faults.push(
        received === undefined
          ? { code: 'answer.missing', path: name, message: `${asks}: no answer.`, remedy: `Give ${flag(name)}.` }
          : {
              code: 'answer.invalid',
              path: name,
              message: `"${received}" does not fit.`,
              received,
              expected: issue.message,
              remedy: `Expected: ${issue.message}.`,
            },
      );
    }
  }
  for (const { name, asks, stages, optional: free } of QUESTIONS) {
    if (!stages || free || !stages.includes(draft.stage ?? '')) continue;
    if (given(draft)[name] === undefined)
      faults.push({
        code: 'answer.missing',
        path: name,
        message: `${asks}: no answer.`,
        remedy: `Give ${flag(name)}.`,
      });
  }
  return read.success && faults.length === 0 ? { answers: read.data } : { faults };
}

function stop(): never {
  cancel('Nothing was created.');
  process.exit(130);
}

/** Asks a person what `draft` does not say yet; `known` is offered as the answer. */
export async function ask(draft: Draft, known: (stage: string) => Draft): Promise<Draft> {
  const answers: Draft = { ...given(draft) };
  if (answers.stage === undefined) {
    const stage = await select({
      message: 'Which stage?',
      options: [
        { value: 'dev', label: 'dev', hint: 'to try it: goes away without a trace' },
        { value: 'staging', label: 'staging', hint: 'as prod, for yourselves' },
        { value: 'prod', label: 'prod', hint: 'keeps its data, under your own domain' },
      ],
    });
    if (isCancel(stage)) stop();
    answers.stage = stage;
  }
  const offered = known(answers.stage!);
  for (const { name, asks, hint, stages, optional: free } of QUESTIONS) {
    if (answers[name] !== undefined || (stages && !stages.includes(answers.stage!))) continue;
    const initial = offered[name] ?? (name === 'mailDomain' ? answers.sender?.split('@')[1] : undefined);
    const said = await text({
      message: asks,
      ...(hint ? { placeholder: hint } : {}),
      ...(initial ? { initialValue: initial } : {}),
      validate: (value) => {
        if (!value) return free ? undefined : 'This is needed.';
        const read = Answers.shape[name].safeParse(value);
        return read.success ? undefined : `Expected: ${read.error.issues[0]?.message}`;
      },
    });
    if (isCancel(said)) stop();
    if (said) answers[name] = said;
  }
  // An optional answer that was emptied stays empty; what is never asked (profile, rates) stays as it was.
  const asked = new Set<string>(QUESTIONS.map(({ name }) => name));
  return { ...Object.fromEntries(Object.entries(offered).filter(([name]) => !asked.has(name))), ...answers };
}
