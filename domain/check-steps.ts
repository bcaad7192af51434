// Checks the steps of a campaign: each is reached, waits end in time, and no question is settled before it is asked.
import type { Step } from './campaign-grammar.ts';
import { branchesOf } from './campaign-parts.ts';
import { checkNotify, checkRest, checkSend, checkSet, type StepContext } from './check-actions.ts';
import { settledAt } from './check-meaning.ts';
import { days } from './check-rules.ts';
import type { Draft } from './draft.ts';
import { sayPath } from './fault.ts';
import type { Rule } from './grammar.ts';

type Path = (string | number)[];

const MOST_WAIT_DAYS = 730;

/** Where a walk over the steps stands, at the latest. */
interface Way {
  /** Days of waiting. */
  days: number;
  /** Messages, each of which may wait for the end of quiet hours: up to a day. */
  sends: number;
  /** It has ended. */
  stops: boolean;
}

/** Faults and doubts of the steps. */
export function checkSteps(context: StepContext): void {
  const { campaign, check } = context;
  const walk = new StepCheck(context);
  const way = walk.steps(campaign.steps, ['steps'], { days: 0, sends: 0, stops: false });
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
  readonly #context: StepContext;

  constructor(context: StepContext) {
    this.#context = context;
  }

  /** Checks steps that are reached after `way`; answers where they lead. */
  steps(steps: Step[], path: Path, way: Way): Way {
    let at = way;
    let told = false;
    steps.forEach((step, index) => {
      if (at.stops && !told) {
        told = true;
        const before = steps[index - 1] as Step;
        this.#context.check.fault(
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
    const { steps } = this.#context.campaign;
    if ('stop' in step) return { ...way, stops: true };
    if ('wait' in step) {
      const last = at.length === 2 && at[1] === steps.length - 1;
      if (last) {
        this.#context.check.warn(
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
      checkSend(step, at, way.days + way.sends, this.#context);
      return { ...way, sends: way.sends + 1 };
    }
    if ('set' in step) checkSet(step.set, [...at, 'set'], this.#context);
    else if ('notify' in step) checkNotify(step, at, this.#context);
    else if ('rest' in step) checkRest(step, at, this.#context);
    else return this.#branches(step, at, way);
    this.acts = true;
    return way;
  }

  #branches(step: Extract<Step, { if: unknown } | { waitFor: unknown } | { split: unknown }>, at: Path, way: Way): Way {
    let inside = way;
    if ('if' in step) {
      this.#question('if', step.if, [...at, 'if'], way);
    } else if ('waitFor' in step) {
      this.#question('waitFor', step.waitFor, [...at, 'waitFor'], way);
      inside = { ...way, days: way.days + this.#limited(step.upTo, [...at, 'upTo']) };
    } else {
      for (const [name, weight] of Object.entries(step.split)) {
        if (weight !== 0) continue;
        this.#context.check.warn(
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
    return {
      days: Math.max(...ways.map((each) => each.days)),
      sends: Math.max(...ways.map((each) => each.sends)),
      stops: ways.every(({ stops }) => stops),
    };
  }

  #question(kind: 'if' | 'waitFor', rule: Rule, at: Path, way: Way): void {
    const { campaign, check, later, logic } = this.#context;
    later.rule(rule, at);
    settledAt(kind, rule, at, campaign, way.days + way.sends, check, logic);
  }

  /** Days of a wait, a day where it is until a time; a fault where it is over two years. */
  #wait(wait: Extract<Step, { wait: unknown }>['wait'], path: Path): number {
    if (typeof wait !== 'string') return wait.until.includes(' ') ? 7 : 1;
    if (wait !== '@product.replaceAfter') return this.#limited(wait, path);
    this.#context.check.reference(wait, path);
    const lengths = Object.values(this.#context.draft.catalogue.products).flatMap(({ replaceAfter }) =>
      replaceAfter === undefined ? [] : [replaceAfter],
    );
    if (lengths.length === 0) {
      this.#context.check.warn(
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
    this.#context.check.fault(
      'campaign.wait',
      path,
      `"${duration}" is a wait of more than two years.`,
      'Wait at most 730d.',
    );
    return length;
  }
}

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
