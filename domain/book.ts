// The definitions as published, and compiled: what decides.

import { canonical } from './canonical.ts';
import type { Counter } from './counting.ts';
import { builtinEvents } from './fields.ts';
import type { Campaign, Rule, Segment, Step } from './grammar.ts';
import { shortHash } from './interaction.ts';
import { NO_CURRENCY } from './order.ts';
import { type CompiledRule, compileRule } from './rule.ts';
import { RuleIndex } from './rule-index.ts';
import type { RuleContext } from './rule-node.ts';
import type { Catalogue, Fields, Settings } from './settings.ts';
import { durationMs } from './time.ts';
import { type CompiledWhere, compileWhere } from './where.ts';

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
  emails: Record<string, CompiledEmail>;
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
}

/** One instruction of a campaign's program; `to` and `else` are indexes of instructions. */
export type Instruction = { step: string } & (
  | { op: 'wait'; wait: Extract<Step, { wait: unknown }>['wait'] }
  | { op: 'send'; email: string; needs?: CompiledWhere; unless?: CompiledRule; ignoresQuiet: boolean }
  | { op: 'waitFor'; rule: CompiledRule; upTo: number; else: number }
  | { op: 'if'; rule: CompiledRule; else: number }
  | { op: 'jump'; to: number }
  | { op: 'stop'; why: string }
);

export interface CompiledCampaign extends PublishedCampaign {
  brand: string;
  /** Names of events that may start it; empty where a segment does. */
  startedBy: string[];
  where?: CompiledWhere;
  /** A measure: starts when this turns true. */
  measure?: CompiledRule;
  enters?: string;
  for?: CompiledRule;
  stopIf?: CompiledRule;
  program: Instruction[];
  /** Counters of its runs. */
  counters: Counter[];
  triggerAge: number;
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
  /** Names of events that some counter of contacts or of runs reads. */
  read: ReadonlySet<string>;
  /** Changes when what is known of a contact's events, counters and latest times, must be made anew. */
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

/** Ids of the segments that a campaign's rules read, deep ones included. */
export function segmentsOfCampaign(campaign: Campaign): string[] {
  const rules: Rule[] = [];
  const walk = (steps: Step[]): void => {
    for (const step of steps) {
      if ('send' in step && step.unless !== undefined) rules.push(step.unless);
      if ('if' in step) rules.push(step.if);
      if ('waitFor' in step) rules.push(step.waitFor);
      if ('if' in step || 'waitFor' in step) {
        walk(step.then ?? []);
        walk(step.else ?? []);
      }
    }
  };
  walk(campaign.steps);
  if (campaign.for !== undefined) rules.push(campaign.for);
  if (campaign.stopIf !== undefined) rules.push(campaign.stopIf);
  const direct = rules.flatMap(segmentsRead);
  if ('enters' in campaign.when) direct.push(campaign.when.enters);
  return [...new Set(direct)].sort();
}

/** The version of a campaign: a hash of what it says, titles and owners apart. */
export function campaignVersion(campaign: Campaign): string {
  const { $schema, title, owner, ...said } = campaign;
  return shortHash('campaign', canonical(said)).slice(0, 10);
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
    if ('wait' in step) program.push({ op: 'wait', step: at, wait: step.wait });
    else if ('send' in step) {
      program.push({
        op: 'send',
        step: at,
        email: step.send,
        ignoresQuiet: step.quiet === 'ignore' || campaign.quiet === 'ignore' || campaign.kind === 'service',
        ...(step.needs === undefined ? {} : { needs: compileWhere(step.needs) }),
        ...(step.unless === undefined ? {} : { unless: compileRule(step.unless, context) }),
      });
    } else if ('stop' in step) program.push({ op: 'stop', step: at, why: step.stop });
    else {
      const branch: Extract<Instruction, { op: 'if' | 'waitFor' }> =
        'if' in step
          ? { op: 'if', step: at, rule: compileRule(step.if, context), else: 0 }
          : { op: 'waitFor', step: at, rule: compileRule(step.waitFor, context), upTo: durationMs(step.upTo), else: 0 };
      program.push(branch);
      compileSteps(step.then ?? [], campaign, context, `${at}.then.`, program);
      const jump: Extract<Instruction, { op: 'jump' }> = { op: 'jump', step: at, to: 0 };
      program.push(jump);
      branch.else = program.length;
      compileSteps(step.else ?? [], campaign, context, `${at}.else.`, program);
      jump.to = program.length;
    }
  });
}

function compileCampaign(published: PublishedCampaign, settings: Settings, shared: RuleContext): CompiledCampaign {
  const { campaign } = published;
  const brand = settings.senders[campaign.sender]?.brand ?? Object.keys(settings.brands)[0] ?? '';
  const runCounters = new Map<string, Counter>();
  const context: RuleContext = { ...shared, brand, runCounters };
  const { when } = campaign;
  const program: Instruction[] = [];
  compileSteps(campaign.steps, campaign, context, '', program);
  const compiled: CompiledCampaign = {
    ...published,
    brand,
    startedBy: 'did' in when ? [when.did].flat() : [],
    program,
    counters: [],
    triggerAge: campaign.triggerAge === undefined ? DAY : durationMs(campaign.triggerAge),
  };
  if ('enters' in when) compiled.enters = when.enters;
  else {
    if (when.where !== undefined) compiled.where = compileWhere(when.where);
    if ([when.times, when.sum, when.largest, when.distinct].some((measure) => measure !== undefined)) {
      const { each, ...did } = when;
      compiled.measure = compileRule(did as Rule, shared);
    }
  }
  if (campaign.for !== undefined) compiled.for = compileRule(campaign.for, context);
  if (campaign.stopIf !== undefined) compiled.stopIf = compileRule(campaign.stopIf, context);
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
  const read = new Set(
    [...counters.values(), ...all.flatMap((one) => one.counters)].flatMap((counter) => counter.names),
  );
  const starting = byName(campaigns, (one) => one.startedBy);
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
    read,
    counterSet: shortHash(
      ...[...counters.values()].map(({ id, of }) => `${id}:${of.join(',')}`).sort(),
      ...[...read].sort(),
      settings.zone,
    ),
    context,
    ignores: (name) => !read.has(name) && !starting.has(name) && !factual.has(name) && !isOfOrders(name),
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
