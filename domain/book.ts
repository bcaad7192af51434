// The definitions as published, and compiled: what decides.

import {
  branchesOf,
  type Campaign,
  eachStep,
  isBroadcast,
  type Step,
  type Test,
  type When,
} from './campaign-grammar.ts';
import { canonical } from './canonical.ts';
import type { Counter } from './counting.ts';
import { builtinEvents } from './fields.ts';
import type { Comparison, Rule, Segment, Where } from './grammar.ts';
import { type Json, shortHash } from './interaction.ts';
import { NO_CURRENCY } from './order.ts';
import { type CompiledRule, compileRule } from './rule.ts';
import { attributeOf } from './rule-attributes.ts';
import { supplyOf } from './rule-events.ts';
import { RuleIndex } from './rule-index.ts';
import type { RuleContext, Sight } from './rule-node.ts';
import type { Catalogue, Coupons, Fields, Settings } from './settings.ts';
import { durationMs } from './time.ts';
import { type CompiledComparison, type CompiledWhere, compileComparison, compileWhere } from './where.ts';

/** One e-mail, compiled at publish: Liquid sources by locale. */
export interface CompiledEmail {
  locales: Record<string, { subject: string; preheader: string; html: string; text: string }>;
}

/** A campaign as published: its version is a hash of what it says. */
export interface PublishedCampaign {
  id: string;
  version: string;
  /** Ordinal of the first book that holds this version with these segments: live once that book is filled. */
  since: number;
  campaign: Campaign;
}

/** What `kairos publish` writes, named by its hash. */
export interface Definitions {
  shape: 1;
  /** Grows by one with each publish. */
  ordinal: number;
  settings: Settings;
  /** `since`: ordinal of the first book in which this rule, and all rules that it reads, stood as they do. */
  segments: Record<string, Segment & { ordinal: number; since: number }>;
  campaigns: Record<string, PublishedCampaign>;
  /** Earlier versions that live runs may be pinned to: key `<id>@<version>`. */
  retired: Record<string, PublishedCampaign>;
  /** By name; an alternative of its content as `<name>@<variant>`. */
  emails: Record<string, CompiledEmail>;
  /** Pictures of templates/images that e-mails show: file → name of the object in the bucket, below `images/`. */
  images?: Record<string, string>;
  /** Coupon pools; absent where there are none. */
  coupons?: Coupons;
  /** Compiled pages: name → locale → Liquid source. */
  pages: Record<string, Record<string, string>>;
  catalogue: Catalogue;
  fields: Fields;
}

/** A stop or a pause: whose, since when, why. */
export interface Control {
  /** A person, by the name that AWS knows them by, or the function that did it. */
  by: string;
  at: number;
  why: string;
}

/** Small, at most ten seconds old. */
export interface Controls {
  /** Sending is stopped altogether. */
  stopped?: Control;
  /** Campaigns that are paused. */
  paused: Record<string, Control>;
  /** Ordinal of the newest book whose backfill has ended: campaigns of later books are not live yet. */
  filled: number;
  /** What tests have come to, by their key: the winner, or null where none was clearly better. */
  tests?: Record<string, { winner: string | null; at: number }>;
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

export interface CompiledSegment {
  id: string;
  since: number;
  /** Its bit in the answers of the book's index. */
  place: number;
  rule: CompiledRule;
}

export interface Book {
  hash: string;
  definitions: Definitions;
  controls: Controls;
  brand: string;
  currency: string;
  /** In an order in which each stands after those that it reads. */
  segments: CompiledSegment[];
  segment: ReadonlyMap<string, CompiledSegment>;
  /** Answers all segments at once. */
  index: RuleIndex;
  campaigns: CompiledCampaign[];
  /** Also the retired ones: `<id>@<version>`. */
  version: ReadonlyMap<string, CompiledCampaign>;
  counters: Counter[];
  /** Counters that an event of this name may move: an order event also moves those of the order's completion. */
  countersOf(name: string): readonly Counter[];
  /** Campaigns that an event of this name may start. */
  startedBy(name: string): readonly CompiledCampaign[];
  /** Campaigns by what starts them, where that is no event. */
  starts: {
    enters: readonly CompiledCampaign[];
    leaves: readonly CompiledCampaign[];
    changes: readonly CompiledCampaign[];
    /** By a date or a product that runs out: by time alone. */
    timed: readonly CompiledCampaign[];
    product: readonly CompiledCampaign[];
    broadcast: readonly CompiledCampaign[];
  };
  /** A campaign that is live or will be, by its id; not a retired version. */
  campaign: ReadonlyMap<string, CompiledCampaign>;
  /** Who watches products, by key; and those that an event of this name speaks of. */
  watches: ReadonlyMap<string, CompiledWatch>;
  watchedBy(name: string): readonly CompiledWatch[];
  /** Names of events that restart waits, end rests or count as success: not counted, but looked at. */
  heard: ReadonlySet<string>;
  /** Names of events that some counter of contacts or of runs reads. */
  read: ReadonlySet<string>;
  /** Changes when what is known of a contact's events, counters, latest times and watches, must be made anew. */
  counterSet: string;
  context: Pick<RuleContext, 'currency' | 'isMoney'>;
  /** True when nothing in the book reads this event: it is recorded by one conditional put. */
  ignores(name: string): boolean;
}

const DAY = 86_400_000;
/** Events that change facts whether or not a rule reads them. */
const factual = new Set([
  'Identified',
  'Consent Requested',
  'Consent Granted',
  'Consent Withdrawn',
  'Pause Requested',
  'Pause Ended',
  'Profiling Stopped',
  'Profiling Allowed',
  'Product Added',
  'Product Removed',
  'Cart Viewed',
  'Checkout Started',
  'Product Updated',
  'Case Opened',
  'Case Closed',
  'Subscription Started',
  'Subscription Cancelled',
  'Scores Updated',
]);

const COMPLETED = 'Order Completed';
const isOfOrders = (name: string): boolean => name.startsWith('Order ');

function segmentsRead(rule: Rule): string[] {
  if ('all' in rule) return rule.all.flatMap(segmentsRead);
  if ('any' in rule) return rule.any.flatMap(segmentsRead);
  if ('not' in rule) return segmentsRead(rule.not);
  return 'segment' in rule ? [rule.segment] : [];
}

/** Segment ids, each after those that its rule reads. Throws on a cycle, which it names. */
export function segmentOrder(segments: Record<string, Segment>): string[] {
  const order: string[] = [];
  const visit = (id: string, path: string[]): void => {
    if (path.includes(id)) throw new Error(`segments read each other in a circle: ${[...path, id].join(' → ')}`);
    const segment = segments[id];
    if (order.includes(id) || segment === undefined) return;
    for (const read of segmentsRead(segment.rule)) visit(read, [...path, id]);
    order.push(id);
  };
  for (const id of Object.keys(segments).sort()) visit(id, []);
  return order;
}

/** The text of a segment's rule with all that it reads written out: equal texts mean equal membership. */
export function segmentMeaning(id: string, segments: Record<string, Segment>): string {
  const segment = segments[id];
  if (segment === undefined) return '';
  const reads = [...new Set(segmentsRead(segment.rule))].sort();
  return canonical({ rule: segment.rule, reads: reads.map((read) => segmentMeaning(read, segments)) });
}

/** Every rule of a campaign, with its place in the file: the audience, what stops it, and those of its steps. */
export function rulesOf({ when, for: audience, stopIf, steps }: Campaign): { rule: Rule; path: (string | number)[] }[] {
  const found: { rule: Rule; path: (string | number)[] }[] = [];
  const add = (rule: Rule | undefined, ...path: (string | number)[]): void => {
    if (rule !== undefined) found.push({ rule, path });
  };
  if (isBroadcast(when)) add(when.to, 'when', 'to');
  add(audience, 'for');
  add(stopIf, 'stopIf');
  for (const { step, path } of eachStep(steps, ['steps'])) {
    if ('send' in step) add(step.unless, ...path, 'unless');
    else if ('if' in step) add(step.if, ...path, 'if');
    else if ('waitFor' in step) add(step.waitFor, ...path, 'waitFor');
  }
  return found;
}

/** Ids of the segments that a campaign reads: those of its rules, and the one that it starts by. */
export function segmentsOfCampaign(campaign: Campaign): string[] {
  const direct = rulesOf(campaign).flatMap(({ rule }) => segmentsRead(rule));
  const { when } = campaign;
  if ('enters' in when) direct.push(when.enters);
  if ('leaves' in when) direct.push(when.leaves);
  return [...new Set(direct)].sort();
}

/** The version of a campaign: a hash of what it says, titles and owners apart. */
export function campaignVersion(campaign: Campaign): string {
  const { $schema, title, owner, ...said } = campaign;
  return shortHash('campaign', canonical(said)).slice(0, 10);
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

function compileWatch(when: Extract<When, { watchedBy: unknown }>): CompiledWatch {
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

function compileCampaign(published: PublishedCampaign, settings: Settings, shared: RuleContext): CompiledCampaign {
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

function moneyTest(fields: Fields): (event: string, property: string) => boolean {
  return (event, property) => {
    const own = fields.events?.[event];
    const builtin = Object.hasOwn(builtinEvents, event) ? builtinEvents[event] : undefined;
    return (own?.[property] ?? builtin?.[property]) === 'money';
  };
}

/** Values by each of the names that they go by, in their order. */
function byName<T>(values: T[], namesOf: (value: T) => string[]): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const value of values) {
    for (const name of new Set(namesOf(value))) {
      const known = found.get(name);
      if (known === undefined) found.set(name, [value]);
      else known.push(value);
    }
  }
  return found;
}

/** Compiles definitions once. Throws when they are not valid: publish has validated them. */
export function compileBook(definitions: Definitions, hash: string, controls: Controls): Book {
  const { settings } = definitions;
  const brand = Object.keys(settings.brands)[0] ?? '';
  const counters = new Map<string, Counter>();
  const context: RuleContext = {
    currency: settings.currency,
    brand,
    catalogueHash: shortHash(canonical(definitions.catalogue)),
    isMoney: moneyTest(definitions.fields),
    counters,
  };
  const rules = segmentOrder(definitions.segments).map((id) => {
    const { rule, since } = definitions.segments[id] as Definitions['segments'][string];
    return { id, since, rule: compileRule(rule, context) };
  });
  const index = new RuleIndex(rules.map(({ id, rule }) => ({ id, node: rule.node })));
  const places = new Map(index.ids.map((id, place) => [id, place]));
  const segments = rules.map((segment) => ({ ...segment, place: places.get(segment.id) as number }));
  const compiled = (list: PublishedCampaign[]) => list.map((one) => compileCampaign(one, settings, context));
  const campaigns = compiled(Object.values(definitions.campaigns)).sort((a, b) => (a.id < b.id ? -1 : 1));
  const all = [...compiled(Object.values(definitions.retired)), ...campaigns];
  const starting = byName(campaigns, (one) => one.startedBy);
  const watches = new Map<string, CompiledWatch>();
  for (const { campaign } of campaigns) {
    if (!('product' in campaign.when)) continue;
    const watch = compileWatch(campaign.when);
    const known = watches.get(watch.id);
    watches.set(watch.id, known !== undefined && known.keep > watch.keep ? known : watch);
  }
  const read = new Set([
    ...[...counters.values(), ...all.flatMap((one) => one.counters)].flatMap((counter) => counter.names),
    // Who watched before the campaign was there is found when the past is read.
    ...[...watches.values()].flatMap(({ names }) => names),
  ]);
  const watching = byName([...watches.values()], ({ names }) => names);
  const heard = new Set<string>(watching.keys());
  for (const one of all) {
    for (const name of [...(one.restartOn?.names ?? []), ...(one.success?.names ?? [])]) heard.add(name);
    for (const step of one.program) if (step.op === 'rest') for (const name of step.until.did) heard.add(name);
  }
  const counting = byName([...counters.values()], ({ names }) => names);
  const completing = counting.get(COMPLETED) ?? [];
  for (const name of counting.keys()) {
    if (name === COMPLETED || !isOfOrders(name)) continue;
    const moved = [...counters.values()].filter(({ names }) => names.includes(name) || names.includes(COMPLETED));
    counting.set(name, moved);
  }
  return {
    hash,
    definitions,
    controls,
    brand,
    currency: settings.currency,
    segments,
    segment: new Map(segments.map((segment) => [segment.id, segment])),
    campaigns,
    version: new Map(all.map((one) => [`${one.id}@${one.version}`, one])),
    index,
    counters: [...counters.values()],
    countersOf: (name) => counting.get(name) ?? (isOfOrders(name) ? completing : []),
    startedBy: (name) => starting.get(name) ?? [],
    starts: {
      enters: campaigns.filter((one) => one.enters !== undefined),
      leaves: campaigns.filter((one) => one.leaves !== undefined),
      changes: campaigns.filter((one) => one.changes !== undefined),
      timed: campaigns.filter((one) => one.date !== undefined || one.due !== undefined),
      product: campaigns.filter((one) => one.product !== undefined),
      broadcast: campaigns.filter(({ campaign }) => isBroadcast(campaign.when)),
    },
    campaign: new Map(campaigns.map((one) => [one.id, one])),
    watches,
    watchedBy: (name) => watching.get(name) ?? [],
    heard,
    read,
    counterSet: shortHash(
      ...[...counters.values()].map(({ id, of }) => `${id}:${of.join(',')}`).sort(),
      ...[...read].sort(),
      // Who watched before is found among the past.
      ...[...watches.values()].map(({ id, keep }) => `${id}:${keep}`).sort(),
      settings.zone,
    ),
    context,
    ignores: (name) =>
      !read.has(name) && !starting.has(name) && !heard.has(name) && !factual.has(name) && !isOfOrders(name),
  };
}

/** The book before anything is published: facts are recorded, nothing is decided, nothing is sent. */
export function emptyBook(currency = NO_CURRENCY): Book {
  const settings: Settings = {
    brands: {},
    senders: {},
    currency,
    zone: 'UTC',
    locales: ['en'],
    topics: {},
    caps: [],
  };
  const definitions: Definitions = {
    shape: 1,
    ordinal: 0,
    settings,
    segments: {},
    campaigns: {},
    retired: {},
    emails: {},
    pages: {},
    catalogue: { products: {} },
    fields: {},
  };
  return compileBook(definitions, 'nothing-published', { paused: {}, filled: 0 });
}
