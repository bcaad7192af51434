// Checks what single steps do: what is sent, set, told to others and let rest.
import type { Campaign, Send, Step } from './campaign-grammar.ts';
import type { RuleLogic } from './check-logic.ts';
import { settledAt } from './check-meaning.ts';
import { isReference, NO_RUN } from './check-references.ts';
import { days as daysOf, type RuleCheck } from './check-rules.ts';
import { problemOf } from './check-values.ts';
import type { Draft } from './draft.ts';
import { problemOfName } from './event.ts';
import { suggest } from './fault.ts';
import { builtinEvents } from './fields.ts';
import type { Comparison } from './grammar.ts';
import { MOST_RECOMMENDED } from './recommend.ts';
import { derivedAttributes } from './rule-attributes.ts';
import type { FieldType } from './settings.ts';
import { attributeType, builtinAttributes } from './vocabulary.ts';

type Path = (string | number)[];

/** What the steps of one campaign are checked with; `later` is `check` where what was sent is known. */
export interface StepContext {
  campaign: Campaign;
  check: RuleCheck;
  later: RuleCheck;
  draft: Draft;
  /** Absent where segments are at fault. */
  logic: RuleLogic | undefined;
}

const MOST_TEST_DAYS = 30;

/** Faults and doubts of one "send", `days` at most after the start. */
export function checkSend(
  step: Send,
  at: Path,
  days: number,
  { campaign, check, later, draft, logic }: StepContext,
): void {
  const { settings, emails, coupons } = draft;
  check.name('reference.email', 'e-mail', step.send, Object.keys(emails), [...at, 'send']);
  if (step.unless !== undefined) {
    later.rule(step.unless, [...at, 'unless']);
    settledAt('unless', step.unless, [...at, 'unless'], campaign, days, check, logic);
  }
  if (step.needs !== undefined) checkNeeds(step.needs as Record<string, Comparison>, [...at, 'needs'], check);
  if (step.coupon !== undefined) {
    const pools = Object.keys(coupons.pools);
    check.name('reference.coupon', 'coupon pool', step.coupon, pools, [...at, 'coupon']);
  }
  for (const [name, weight] of Object.entries(step.variants ?? {})) {
    if (weight !== 0) continue;
    check.warn(
      'campaign.weight',
      [...at, 'variants', name],
      'is drawn for nobody.',
      'Give it a weight, or take it out.',
    );
  }
  if (step.quiet !== undefined && settings.quietHours === undefined) {
    check.warn('campaign.quiet', [...at, 'quiet'], 'says nothing: settings.json knows no quiet hours.', 'Take it out.');
  }
  if (step.test !== undefined) checkTest(step.test, [...at, 'test'], campaign, check);
}

function checkTest(test: NonNullable<Send['test']>, at: Path, { success }: Campaign, check: RuleCheck): void {
  if (daysOf(test.for) > MOST_TEST_DAYS) {
    check.fault(
      'campaign.test',
      [...at, 'for'],
      `"${test.for}" is too long: the others wait for the winner.`,
      `Test for at most ${MOST_TEST_DAYS}d.`,
    );
  }
  if (test.winner === 'success' && success === undefined) {
    check.fault(
      'campaign.test',
      [...at, 'winner'],
      'the campaign has no "success" that could decide.',
      'Add "success", or write "winner": "clicked".',
    );
  }
  if (test.share === 100) {
    check.warn(
      'campaign.test',
      [...at, 'share'],
      'everybody is in the test: nobody is left for the winner.',
      'Write a smaller share, or "variants" in place of the test.',
    );
  }
}

/** What an e-mail would be thin without, asked at the moment of sending. */
const NEEDS: Record<string, FieldType> = {
  recommendations: 'number',
  'cart.items': 'number',
  'product.inStock': 'boolean',
  'product.name': 'text',
  'product.category': 'text',
  'product.brand': 'text',
  'product.price': 'money',
  'product.lowestPrice30d': 'money',
  'product.margin': 'number',
  'product.url': 'text',
  'product.imageUrl': 'text',
  'product.upgrade': 'text',
  'product.replaceAfter': 'text',
  'product.lastsFor': 'text',
  'product.consumable': 'boolean',
  'product.complements': 'list',
};

function checkNeeds(needs: Record<string, Comparison>, path: Path, check: RuleCheck): void {
  for (const [name, comparison] of Object.entries(needs)) {
    const type = Object.hasOwn(NEEDS, name) ? NEEDS[name] : undefined;
    if (type === undefined) {
      check.fault(
        'reference.need',
        path,
        `"${name}" is nothing that an e-mail can need.`,
        suggest(name, Object.keys(NEEDS)),
      );
      continue;
    }
    if (name.startsWith('product.') && check.run?.product !== true) {
      check.fault(
        'reference.need',
        [...path, name],
        `"${name}" needs a product, and this campaign has none.`,
        'Say "each": "products" in "when", or start with an event that has a product_id.',
      );
      continue;
    }
    // It is asked again at the send, where the run may be over.
    check.knowing(NO_RUN).comparison(name, type, comparison, [...path, name]);
    const least = Object(comparison) as { atLeast?: unknown; moreThan?: unknown };
    const most = typeof least.moreThan === 'number' ? least.moreThan + 1 : least.atLeast;
    if (name === 'recommendations' && typeof most === 'number' && most > MOST_RECOMMENDED) {
      check.fault(
        'rule.never',
        [...path, name],
        `at most ${MOST_RECOMMENDED} products are recommended: it is never sent.`,
        `Write {"atLeast": ${MOST_RECOMMENDED}}, or less.`,
      );
    }
  }
}

/** Faults of a "set": attributes of the shop's own, with values of their types. */
export function checkSet(
  values: Record<string, string | number | boolean>,
  path: Path,
  { check, draft }: StepContext,
): void {
  const { vocabulary, settings, fields } = draft;
  const own = fields.attributes ?? {};
  for (const [name, value] of Object.entries(values)) {
    const at = [...path, name];
    const type = Object.hasOwn(own, name) ? own[name] : undefined;
    if (type === undefined) {
      const known = attributeType(name, vocabulary);
      const derived = Object.hasOwn(derivedAttributes, name) || (known !== undefined && name.includes('.'));
      check.fault(
        'campaign.set',
        path,
        derived
          ? `"${name}" follows from what happens, and nobody sets it.`
          : Object.hasOwn(builtinAttributes, name)
            ? `"${name}" is said by the person, and no campaign changes it.`
            : `the attribute "${name}" is not declared.`,
        known !== undefined
          ? 'Set an attribute of your own, declared in fields.json.'
          : suggestOwn(name, Object.keys(own)),
      );
      continue;
    }
    if (isReference(value)) {
      check.fault(
        'rule.reference',
        at,
        `"${value}" is taken for a text: what is set is a plain value.`,
        'Write the value itself.',
      );
      continue;
    }
    // A pattern is of a comparison, and here is none.
    const problem = type === 'list' ? undefined : problemOf(name, type, value, settings.currency);
    if (problem !== undefined && problem.doubt !== true) {
      check.fault(problem.code, at, problem.message, problem.remedy);
    }
  }
}

function suggestOwn(name: string, own: string[]): string {
  const near = suggest(name, own);
  return near?.startsWith('Did') ? near : 'Declare it in fields.json.';
}

/** Faults of a "notify": a name of the shop's own, and values that are known. */
export function checkNotify(
  { notify, with: handed = {} }: Extract<Step, { notify: unknown }>,
  at: Path,
  { check, later, draft }: StepContext,
): void {
  const { vocabulary, fields, settings } = draft;
  if (/^email /i.test(notify) || Object.hasOwn(builtinEvents, notify)) {
    check.fault(
      'campaign.notify',
      [...at, 'notify'],
      `"${notify}" is an event that others send: nobody could tell this one from it.`,
      'Choose a name of your own, such as "Call Wanted".',
    );
  } else if (problemOfName(notify) !== undefined || notify.trim() !== notify || isReference(notify)) {
    check.fault(
      'campaign.notify',
      [...at, 'notify'],
      `"${notify}" cannot be the name of an event.`,
      'At most 128 characters, without "#", "@" before it, or spaces at its ends.',
    );
  }
  const declared = Object.hasOwn(fields.events ?? {}, notify) ? vocabulary.events[notify] : undefined;
  const { run } = later;
  const telling = later.knowing(run === undefined ? undefined : { ...run, contact: true });
  for (const [name, value] of Object.entries(handed)) {
    const path = [...at, 'with', name];
    if (isReference(value)) {
      telling.reference(value, path);
      continue;
    }
    const type = declared !== undefined && Object.hasOwn(declared, name) ? declared[name] : undefined;
    const problem =
      typeof type === 'string' && type !== 'list'
        ? problemOf(name, type as FieldType, value, settings.currency)
        : undefined;
    if (problem !== undefined && problem.doubt !== true) {
      check.fault(problem.code, path, problem.message, problem.remedy);
    }
  }
}

/** Faults and doubts of a "rest". */
export function checkRest(
  { rest, until }: Extract<Step, { rest: unknown }>,
  at: Path,
  { campaign, check, draft }: StepContext,
): void {
  const { settings } = draft;
  const { kind, topic } = campaign;
  // It is kept with the contact, and outlives the run.
  check.knowing(NO_RUN).did(until, [...at, 'until']);
  if (kind !== 'marketing') {
    check.fault(
      'campaign.rest',
      [...at, 'rest'],
      `a ${kind} campaign lets no topic rest: only marketing has topics.`,
      'Make the campaign "marketing".',
    );
  } else if (
    check.name('reference.topic', 'topic', rest, Object.keys(settings.topics), [...at, 'rest']) &&
    topic !== undefined &&
    rest !== topic
  ) {
    check.warn(
      'campaign.rest',
      [...at, 'rest'],
      `lets "${rest}" rest, and the campaign is about "${topic}": its own e-mails go on.`,
      `Write "${topic}", if that is meant.`,
    );
  }
}
