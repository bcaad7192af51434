// Checks the steps of a campaign: each is reached, waits end in time, and what they name exists.
import { branchesOf, type Campaign, type Send, type Step } from './campaign-grammar.ts';
import type { RuleLogic } from './check-logic.ts';
import { settledAt } from './check-meaning.ts';
import { isReference, NO_RUN } from './check-references.ts';
import { days, type RuleCheck } from './check-rules.ts';
import { problemOf } from './check-values.ts';
import type { Draft } from './draft.ts';
import { problemOfName } from './event.ts';
import { sayPath, suggest } from './fault.ts';
import { builtinEvents } from './fields.ts';
import type { Comparison } from './grammar.ts';
import { MOST_RECOMMENDED } from './recommend.ts';
import { derivedAttributes } from './rule-attributes.ts';
import type { FieldType } from './settings.ts';
import { attributeType, builtinAttributes } from './vocabulary.ts';

type Path = (string | number)[];

const MOST_WAIT_DAYS = 730;
const MOST_TEST_DAYS = 30;

/** Where a walk over the steps stands: how many days may have passed since the start at most, and whether it goes on. */
interface Way {
  days: number;
  stops: boolean;
}

/** Faults and doubts of the steps; `later` is `check` where what was sent is known. */
export function checkSteps(
  campaign: Campaign,
  check: RuleCheck,
  later: RuleCheck,
  draft: Draft,
  logic: RuleLogic | undefined,
): void {
  const walk = new StepCheck(campaign, check, later, draft, logic);
  const way = walk.steps(campaign.steps, ['steps'], { days: 0, stops: false });
  if (way.days > MOST_WAIT_DAYS && !walk.tooLong) {
    check.warn(
      'campaign.wait',
      ['steps'],
      `take ${Math.ceil(way.days)} days on their longest way: over two years.`,
      'Is that meant? A run of this campaign stays open so long.',
    );
  }
  if (!walk.acts) check.warn('campaign.silent', ['steps'], 'send nothing.');
}

class StepCheck {
  /** A single wait is a fault by itself. */
  tooLong = false;
  /** Some step sends, tells others, sets or lets rest. */
  acts = false;
  readonly #campaign: Campaign;
  readonly #check: RuleCheck;
  readonly #later: RuleCheck;
  readonly #draft: Draft;
  readonly #logic: RuleLogic | undefined;

  constructor(campaign: Campaign, check: RuleCheck, later: RuleCheck, draft: Draft, logic: RuleLogic | undefined) {
    this.#campaign = campaign;
    this.#check = check;
    this.#later = later;
    this.#draft = draft;
    this.#logic = logic;
  }

  /** Checks steps that are reached after `way`; answers where they lead. */
  steps(steps: Step[], path: Path, way: Way): Way {
    let at = way;
    let told = false;
    steps.forEach((step, index) => {
      if (at.stops && !told) {
        told = true;
        const before = steps[index - 1] as Step;
        this.#check.fault(
          'campaign.unreachable',
          [...path, index],
          'stop' in before
            ? 'is never reached: the step before it stops.'
            : 'is never reached: every branch of the step before it stops.',
          'stop' in before ? 'Take it out, or move "stop" to the end.' : 'Take it out, or let one branch go on.',
        );
      }
      at = this.#step(step, [...path, index], at.stops ? { ...at, stops: false } : at);
      if (told) at = { ...at, stops: true };
    });
    return at;
  }

  #step(step: Step, at: Path, way: Way): Way {
    const { steps } = this.#campaign;
    if ('stop' in step) return { ...way, stops: true };
    if ('wait' in step) {
      const last = at.length === 2 && at[1] === steps.length - 1;
      if (last) {
        this.#check.warn(
          'campaign.idle',
          at,
          'nothing comes after this wait.',
          'Take it out, or say what is to happen then.',
        );
      }
      return { ...way, days: way.days + this.#wait(step.wait, [...at, 'wait']) };
    }
    if ('send' in step) {
      this.acts = true;
      this.#send(step, at, way);
      return way;
    }
    if ('set' in step) this.#set(step.set, [...at, 'set']);
    else if ('notify' in step) this.#notify(step, at);
    else if ('rest' in step) this.#rest(step, at);
    else return this.#branches(step, at, way);
    this.acts = true;
    return way;
  }

  #branches(step: Extract<Step, { if: unknown } | { waitFor: unknown } | { split: unknown }>, at: Path, way: Way): Way {
    let inside = way;
    if ('if' in step) {
      this.#later.rule(step.if, [...at, 'if']);
      settledAt('if', step.if, [...at, 'if'], this.#campaign, way.days, this.#check, this.#logic);
    } else if ('waitFor' in step) {
      this.#later.rule(step.waitFor, [...at, 'waitFor']);
      settledAt('waitFor', step.waitFor, [...at, 'waitFor'], this.#campaign, way.days, this.#check, this.#logic);
      inside = { ...way, days: way.days + this.#limited(step.upTo, [...at, 'upTo']) };
    } else {
      for (const [name, weight] of Object.entries(step.split)) {
        if (weight !== 0) continue;
        this.#check.warn(
          'campaign.weight',
          [...at, 'split', name],
          'is drawn for nobody.',
          'Give it a weight, or take the branch out.',
        );
      }
    }
    const named = branchesOf(step);
    const ways = named.map(([name, steps]) => this.steps(steps, [...at, name], inside));
    // Without "then", or without "else", the run goes on behind the step.
    if (!('split' in step) && named.length < 2) ways.push(inside);
    return { days: Math.max(...ways.map((each) => each.days)), stops: ways.every(({ stops }) => stops) };
  }

  /** Days of a wait, a day where it is until a time; a fault where it is over two years. */
  #wait(wait: Extract<Step, { wait: unknown }>['wait'], path: Path): number {
    if (typeof wait !== 'string') return wait.until.includes(' ') ? 7 : 1;
    if (wait !== '@product.replaceAfter') return this.#limited(wait, path);
    this.#check.reference(wait, path);
    const lengths = Object.values(this.#draft.catalogue.products).flatMap(({ replaceAfter }) =>
      replaceAfter === undefined ? [] : [replaceAfter],
    );
    if (lengths.length === 0) {
      this.#check.warn(
        'campaign.wait',
        path,
        'no product of the catalogue says "replaceAfter": the run ends here.',
        'Add "replaceAfter" to catalogue.json, such as "730d".',
      );
    }
    return Math.min(MOST_WAIT_DAYS, Math.max(0, ...lengths.map(days)));
  }

  #limited(duration: string, path: Path): number {
    const length = days(duration);
    if (length <= MOST_WAIT_DAYS) return length;
    this.tooLong = true;
    this.#check.fault('campaign.wait', path, `"${duration}" is a wait of more than two years.`, 'Wait at most 730d.');
    return length;
  }

  #send(step: Send, at: Path, way: Way): void {
    const { settings, emails, coupons } = this.#draft;
    const check = this.#check;
    check.name('reference.email', 'e-mail', step.send, Object.keys(emails), [...at, 'send']);
    if (step.unless !== undefined) {
      this.#later.rule(step.unless, [...at, 'unless']);
      settledAt('unless', step.unless, [...at, 'unless'], this.#campaign, way.days, check, this.#logic);
    }
    if (step.needs !== undefined) this.#needs(step.needs as Record<string, Comparison>, [...at, 'needs']);
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
      check.warn(
        'campaign.quiet',
        [...at, 'quiet'],
        'says nothing: settings.json knows no quiet hours.',
        'Take it out.',
      );
    }
    if (step.test !== undefined) this.#test(step.test, [...at, 'test']);
  }

  #test(test: NonNullable<Send['test']>, at: Path): void {
    const check = this.#check;
    if (days(test.for) > MOST_TEST_DAYS) {
      check.fault(
        'campaign.test',
        [...at, 'for'],
        `"${test.for}" is too long: the others wait for the winner.`,
        `Test for at most ${MOST_TEST_DAYS}d.`,
      );
    }
    if (test.winner === 'success' && this.#campaign.success === undefined) {
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

  #needs(needs: Record<string, Comparison>, path: Path): void {
    for (const [name, comparison] of Object.entries(needs)) {
      const type = Object.hasOwn(NEEDS, name) ? NEEDS[name] : undefined;
      if (type === undefined) {
        this.#check.fault(
          'reference.need',
          path,
          `"${name}" is nothing that an e-mail can need.`,
          suggest(name, Object.keys(NEEDS)),
        );
        continue;
      }
      if (name.startsWith('product.') && this.#check.run?.product !== true) {
        this.#check.fault(
          'reference.need',
          [...path, name],
          `"${name}" needs a product, and this campaign has none.`,
          'Say "each": "products" in "when", or start with an event that has a product_id.',
        );
        continue;
      }
      // It is asked again at the send, where the run may be over.
      this.#check.knowing(NO_RUN).comparison(name, type, comparison, [...path, name]);
      const least = Object(comparison) as { atLeast?: unknown; moreThan?: unknown };
      const most = typeof least.moreThan === 'number' ? least.moreThan + 1 : least.atLeast;
      if (name === 'recommendations' && typeof most === 'number' && most > MOST_RECOMMENDED) {
        this.#check.fault(
          'rule.never',
          [...path, name],
          `at most ${MOST_RECOMMENDED} products are recommended: it is never sent.`,
          `Write {"atLeast": ${MOST_RECOMMENDED}}, or less.`,
        );
      }
    }
  }

  #set(values: Record<string, string | number | boolean>, path: Path): void {
    const { vocabulary, settings, fields } = this.#draft;
    const own = fields.attributes ?? {};
    for (const [name, value] of Object.entries(values)) {
      const at = [...path, name];
      const type = Object.hasOwn(own, name) ? own[name] : undefined;
      if (type === undefined) {
        const known = attributeType(name, vocabulary);
        const derived = Object.hasOwn(derivedAttributes, name) || (known !== undefined && name.includes('.'));
        this.#check.fault(
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
        this.#check.fault(
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
        this.#check.fault(problem.code, at, problem.message, problem.remedy);
      }
    }
  }

  #notify({ notify, with: handed = {} }: Extract<Step, { notify: unknown }>, at: Path): void {
    const { vocabulary, fields, settings } = this.#draft;
    if (/^email /i.test(notify) || Object.hasOwn(builtinEvents, notify)) {
      this.#check.fault(
        'campaign.notify',
        [...at, 'notify'],
        `"${notify}" is an event that others send: nobody could tell this one from it.`,
        'Choose a name of your own, such as "Call Wanted".',
      );
    } else if (problemOfName(notify) !== undefined || notify.trim() !== notify || isReference(notify)) {
      this.#check.fault(
        'campaign.notify',
        [...at, 'notify'],
        `"${notify}" cannot be the name of an event.`,
        'At most 128 characters, without "#", "@" before it, or spaces at its ends.',
      );
    }
    const declared = Object.hasOwn(fields.events ?? {}, notify) ? vocabulary.events[notify] : undefined;
    const { run } = this.#later;
    const telling = this.#later.knowing(run === undefined ? undefined : { ...run, contact: true });
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
        this.#check.fault(problem.code, path, problem.message, problem.remedy);
      }
    }
  }

  #rest({ rest, until }: Extract<Step, { rest: unknown }>, at: Path): void {
    const { settings } = this.#draft;
    const { kind, topic } = this.#campaign;
    const check = this.#check;
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
}

function suggestOwn(name: string, own: string[]): string {
  const near = suggest(name, own);
  return near?.startsWith('Did') ? near : 'Declare it in fields.json.';
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

/** Waits of over two years that the catalogue asks for where a campaign waits for "@product.replaceAfter". */
export function longWaits({ campaigns, catalogue }: Draft): { path: string; message: string; remedy: string }[] {
  const waits = (steps: Step[]): boolean =>
    steps.some(
      (step) =>
        ('wait' in step && step.wait === '@product.replaceAfter') || branchesOf(step).some(([, inner]) => waits(inner)),
    );
  if (!Object.values(campaigns).some(({ steps }) => waits(steps))) return [];
  return Object.entries(catalogue.products).flatMap(([id, { replaceAfter }]) =>
    replaceAfter === undefined || days(replaceAfter) <= MOST_WAIT_DAYS || days(replaceAfter) > 3650
      ? []
      : [
          {
            path: sayPath(['products', id, 'replaceAfter']),
            message: `"${replaceAfter}" is a wait of more than two years.`,
            remedy: 'Wait at most 730d.',
          },
        ],
  );
}
