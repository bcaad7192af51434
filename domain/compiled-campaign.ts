// A campaign as compiled: how it starts, its steps as a program, what counts as success, who watches its products.
import type { Campaign, Step, Test, When } from './campaign-grammar.ts';
import { branchesOf } from './campaign-parts.ts';
import { canonical } from './canonical.ts';
import type { Counter } from './counting.ts';
import type { Comparison, Rule, Where } from './grammar.ts';
import { type Json, shortHash } from './interaction.ts';
import { type CompiledRule, compileRule } from './rule.ts';
import { attributeOf } from './rule-attributes.ts';
import { supplyOf } from './rule-events.ts';
import type { RuleContext, Sight } from './rule-node.ts';
import type { Settings } from './settings.ts';
import { durationMs } from './time.ts';
import { type CompiledComparison, type CompiledWhere, compileComparison, compileWhere } from './where.ts';

const DAY = 86_400_000;

/** A campaign as published: its version is a hash of what it says. */
export interface PublishedCampaign {
  id: string;
  version: string;
  /** Ordinal of the first book that holds this version with these segments: live once that book is filled. */
  since: number;
  campaign: Campaign;
}

/** Events of some names, as they come. */
export interface Happens {
  names: string[];
  where?: CompiledWhere;
}

/** A "send" as compiled. */
export interface SendStep {
  /** The e-mail's name, and from its second send in the campaign on a number: the same over versions. */
  key: string;
  email: string;
  /** What of `needs` is known when the message is decided, and all of it, which is asked again at the send. */
  needs?: CompiledWhere;
  atSend?: CompiledWhere;
  unless?: CompiledRule;
  ignoresQuiet: boolean;
  coupon?: string;
  variants?: { name: string; weight: number }[];
  test?: Omit<Test, 'for'> & { lasts: number };
}

/** One instruction of a campaign's program; `to` and `else` are indexes of instructions. */
export type Instruction = { step: string } & (
  | { op: 'wait'; wait: Extract<Step, { wait: unknown }>['wait'] }
  | ({ op: 'send' } & SendStep)
  | { op: 'waitFor'; rule: CompiledRule; upTo: number; else: number }
  | { op: 'if'; rule: CompiledRule; else: number }
  | { op: 'split'; branches: { name: string; weight: number; to: number }[] }
  | { op: 'set'; values: Record<string, Json> }
  | { op: 'notify'; event: string; with: Record<string, Json> }
  | { op: 'rest'; topic: string; until: { did: string[]; where?: Where }; why: string }
  | { op: 'jump'; to: number }
  | { op: 'stop'; why: string }
);

export interface CompiledCampaign extends PublishedCampaign {
  brand: string;
  /** Names of events that may start it; empty where anything else does. */
  startedBy: string[];
  where?: CompiledWhere;
  /** A measure: starts when this turns true. */
  measure?: CompiledRule;
  enters?: string;
  leaves?: string;
  /** An attribute that gets another value. */
  changes?: {
    attribute: string;
    read: (sight: Sight) => Json | undefined;
    from?: CompiledComparison;
    to?: CompiledComparison;
  };
  /** A date of the contact: so many whole days before it, at a local time. */
  date?: { read: (sight: Sight) => Json | undefined; days: number; clock: string; once: boolean };
  /** Products that run out: where their purchases are counted, and how long before. */
  due?: { counter: Counter; index: number; before: number };
  /** A product that turns; `watch` is the key of `Book.watches`. */
  product?: { turn: string; watch: string; inLast: number; byShare?: number; byUnits?: number; perUnit?: number };
  /** A broadcast's audience: asked when a person's time has come. */
  to?: CompiledRule;
  restartOn?: Happens;
  success?: Happens & { within: number; value?: 'revenue' | 'margin'; references: string[] };
  for?: CompiledRule;
  stopIf?: CompiledRule;
  program: Instruction[];
  /** Counters of its runs. */
  counters: Counter[];
  triggerAge: number;
  /** Percent of the people who are held out; 0 in requested and service campaigns. */
  holdout: number;
  /** 0 to 100; who comes first under a cap. */
  priority: number;
}

/** Who watches a product: what is done with it, and for how long that counts. */
export interface CompiledWatch extends Happens {
  id: string;
  keep: number;
  /** Told oldest first: kept by its instant; else by its UTC day, so that a repeat on one day is one entry. */
  exact: boolean;
}

/** What only the feed of a product says. */
const FED: ReadonlySet<string> = new Set(['product.inStock', 'product.price', 'product.lowestPrice30d']);

/** What of a "send" is the same in all versions of a campaign: its e-mail, and which send of it it is. */
function sendKey(email: string, program: Instruction[]): string {
  const earlier = program.filter((one) => one.op === 'send' && one.email === email).length;
  return earlier === 0 ? email : `${email}_${earlier + 1}`;
}

function compileSend(
  step: Extract<Step, { send: string }>,
  campaign: Campaign,
  context: RuleContext,
  key: string,
): SendStep {
  const { send: email, needs, unless, coupon, variants, test } = step;
  const compiled: SendStep = {
    key,
    email,
    ignoresQuiet: step.quiet === 'ignore' || campaign.quiet === 'ignore' || campaign.kind === 'service',
  };
  if (needs !== undefined) {
    compiled.atSend = compileWhere(needs);
    const known = Object.fromEntries(Object.entries(needs).filter(([name]) => !FED.has(name)));
    if (Object.keys(known).length > 0) compiled.needs = compileWhere(known);
  }
  if (unless !== undefined) compiled.unless = compileRule(unless, context);
  if (coupon !== undefined) compiled.coupon = coupon;
  if (variants !== undefined) {
    compiled.variants = Object.entries(variants).map(([name, weight]) => ({ name, weight }));
  }
  if (test !== undefined) {
    const { for: lasts, ...said } = test;
    compiled.test = { ...said, lasts: durationMs(lasts) };
  }
  return compiled;
}

function compileSteps(
  steps: Step[],
  campaign: Campaign,
  context: RuleContext,
  path: string,
  program: Instruction[],
): void {
  steps.forEach((step, i) => {
    const at = `${path}${i}`;
    /** Branches one after another, each but the last ending in a jump behind them all. Answers where each begins. */
    const branches = (named: [string, Step[]][]): number[] => {
      const jumps: Extract<Instruction, { op: 'jump' }>[] = [];
      const starts = named.map(([name, inner], index) => {
        const start = program.length;
        compileSteps(inner, campaign, context, `${at}.${name}.`, program);
        if (index < named.length - 1) {
          const jump: Extract<Instruction, { op: 'jump' }> = { op: 'jump', step: at, to: 0 };
          program.push(jump);
          jumps.push(jump);
        }
        return start;
      });
      for (const jump of jumps) jump.to = program.length;
      return starts;
    };
    if ('wait' in step) program.push({ op: 'wait', step: at, wait: step.wait });
    else if ('send' in step) {
      program.push({ op: 'send', step: at, ...compileSend(step, campaign, context, sendKey(step.send, program)) });
    } else if ('stop' in step) program.push({ op: 'stop', step: at, why: step.stop });
    else if ('set' in step) program.push({ op: 'set', step: at, values: step.set });
    else if ('notify' in step) program.push({ op: 'notify', step: at, event: step.notify, with: step.with ?? {} });
    else if ('rest' in step) {
      const { did, where } = step.until;
      const until = { did: [did].flat(), ...(where === undefined ? {} : { where }) };
      program.push({ op: 'rest', step: at, topic: step.rest, until, why: step.why });
    } else if ('split' in step) {
      const instruction: Extract<Instruction, { op: 'split' }> = { op: 'split', step: at, branches: [] };
      program.push(instruction);
      const named = branchesOf(step);
      const starts = branches(named);
      instruction.branches = named.map(([name], index) => ({
        name,
        weight: step.split[name] as number,
        to: starts[index] as number,
      }));
    } else {
      const branch: Extract<Instruction, { op: 'if' | 'waitFor' }> =
        'if' in step
          ? { op: 'if', step: at, rule: compileRule(step.if, context), else: 0 }
          : { op: 'waitFor', step: at, rule: compileRule(step.waitFor, context), upTo: durationMs(step.upTo), else: 0 };
      program.push(branch);
      branch.else = branches([
        ['then', step.then ?? []],
        ['else', step.else ?? []],
      ])[1] as number;
    }
  });
}

/** A plain "did" as compiled. */
export function compileHappens({ did, where }: { did: string | string[]; where?: Where | undefined }): Happens {
  return { names: [did].flat(), ...(where === undefined ? {} : { where: compileWhere(where) }) };
}

/** Equal "watchedBy" are one watch, over campaigns and versions. */
function watchKey({ watchedBy, oldestFirst }: Extract<When, { watchedBy: unknown }>): string {
  const { did, where } = watchedBy;
  return shortHash('watch', canonical([did].flat().sort()), canonical(where ?? {}), oldestFirst ? 'exact' : '').slice(
    0,
    10,
  );
}

/** Who watches the products of a campaign that starts when one turns. */
export function compileWatch(when: Extract<When, { watchedBy: unknown }>): CompiledWatch {
  const { watchedBy, oldestFirst } = when;
  return {
    ...compileHappens(watchedBy),
    id: watchKey(when),
    keep: durationMs(watchedBy.inLast),
    exact: oldestFirst === true,
  };
}

/** What "changes" compares with: "none" also means that there is no value. */
function compileOneOf(wanted: Comparison): CompiledComparison {
  const compiled = compileComparison(wanted);
  if (![wanted].flat().includes('none')) return compiled;
  return { ...compiled, test: (value, around) => value === undefined || compiled.test(value, around) };
}

/** References to what a run knows, anywhere in a "where". */
function referencesIn(value: unknown): string[] {
  if (typeof value === 'string') return /^@[a-z]/.test(value) ? [value] : [];
  return value !== null && typeof value === 'object' ? [...new Set(Object.values(value).flatMap(referencesIn))] : [];
}

/** How a campaign starts, as compiled. */
function compileWhen(when: When, shared: RuleContext, context: RuleContext): Partial<CompiledCampaign> {
  if ('enters' in when) return { enters: when.enters };
  if ('leaves' in when) return { leaves: when.leaves };
  if ('changes' in when) {
    const { changes: attribute, from, to } = when;
    return {
      changes: {
        attribute,
        read: attributeOf(attribute),
        ...(from === undefined ? {} : { from: compileOneOf(from) }),
        ...(to === undefined ? {} : { to: compileOneOf(to) }),
      },
    };
  }
  if ('date' in when) {
    const days = when.before === undefined ? 0 : Math.round(durationMs(when.before) / DAY);
    return {
      date: { read: attributeOf(when.date), days, clock: when.at ?? '09:00', once: when.once === true },
    };
  }
  if ('due' in when) {
    return {
      due: { ...supplyOf(when.where ?? {}, shared), before: when.before === undefined ? 0 : durationMs(when.before) },
    };
  }
  if ('product' in when) {
    const { product: turn, by, atMost, watchedBy } = when;
    return {
      product: {
        turn,
        watch: watchKey(when),
        inLast: durationMs(watchedBy.inLast),
        ...(by !== undefined && 'atLeast' in by ? { byShare: Number.parseFloat(by.atLeast) / 100 } : {}),
        ...(by !== undefined && 'atMost' in by ? { byUnits: by.atMost } : {}),
        ...(atMost === undefined ? {} : { perUnit: Number.parseInt(atMost, 10) }),
      },
    };
  }
  if (!('did' in when)) return { to: compileRule(when.to, context) };
  const compiled: Partial<CompiledCampaign> = { startedBy: [when.did].flat() };
  if (when.where !== undefined) compiled.where = compileWhere(when.where);
  if ([when.times, when.sum, when.largest, when.distinct].some((measure) => measure !== undefined)) {
    const { each, ...did } = when;
    compiled.measure = compileRule(did as Rule, shared);
  }
  return compiled;
}

const PRIORITY = 50;

/**
 * Compiles one published campaign; the counters that its own rules read are its runs', those of `when` the contact's. Throws
 * on what publish would have refused.
 */
export function compileCampaign(
  published: PublishedCampaign,
  settings: Settings,
  shared: RuleContext,
): CompiledCampaign {
  const { campaign } = published;
  const brand = settings.senders[campaign.sender]?.brand ?? Object.keys(settings.brands)[0] ?? '';
  const runCounters = new Map<string, Counter>();
  const context: RuleContext = { ...shared, brand, runCounters };
  const program: Instruction[] = [];
  compileSteps(campaign.steps, campaign, context, '', program);
  const compiled: CompiledCampaign = {
    ...published,
    brand,
    startedBy: [],
    program,
    counters: [],
    triggerAge: campaign.triggerAge === undefined ? DAY : durationMs(campaign.triggerAge),
    holdout: campaign.kind === 'marketing' ? (campaign.holdout ?? 0) : 0,
    priority: campaign.priority ?? PRIORITY,
    ...compileWhen(campaign.when, shared, context),
  };
  if (campaign.for !== undefined) compiled.for = compileRule(campaign.for, context);
  if (campaign.stopIf !== undefined) compiled.stopIf = compileRule(campaign.stopIf, context);
  if (campaign.restartOn !== undefined) compiled.restartOn = compileHappens(campaign.restartOn);
  if (campaign.success !== undefined) {
    const { within, value, where } = campaign.success;
    compiled.success = {
      ...compileHappens(campaign.success),
      within: durationMs(within),
      references: referencesIn(where),
      ...(value === undefined ? {} : { value }),
    };
  }
  compiled.counters = [...runCounters.values()];
  return compiled;
}
