// The definitions as published, and compiled: what decides.

import type { Campaign } from './campaign-grammar.ts';
import { eachStep, isBroadcast } from './campaign-parts.ts';
import { canonical } from './canonical.ts';
import {
  type CompiledCampaign,
  type CompiledWatch,
  compileCampaign,
  compileWatch,
  type PublishedCampaign,
} from './compiled-campaign.ts';
import type { Counter } from './counting.ts';
import { builtinEvents } from './fields.ts';
import type { Rule, Segment } from './grammar.ts';
import type { ModelPart, PublishedModels } from './insight/models.ts';
import { partsRead } from './insight/reads.ts';
import { shortHash } from './interaction.ts';
import { NO_CURRENCY } from './order.ts';
import { type CompiledRule, compileRule } from './rule.ts';
import { RuleIndex } from './rule-index.ts';
import type { RuleContext } from './rule-node.ts';
import type { Catalogue, Coupons, Fields, Localised, Settings, Tier } from './settings.ts';
import { readsTier, TIER, tierOf, tierRules, tierSegment } from './tiers.ts';

/** One e-mail, compiled at publish: Liquid sources by locale. */
export interface CompiledEmail {
  locales: Record<string, { subject: string; preheader: string; html: string; text: string }>;
}

/** What `kairos publish` writes, named by its hash. */
export interface Definitions {
  shape: 1;
  /** Grows by one with each publish. */
  ordinal: number;
  settings: Settings;
  /** `since`: ordinal of the first book in which this rule, and all rules that it reads, stood as they do. */
  segments: Record<string, Segment & { ordinal: number; since: number }>;
  /** Loyalty tiers, the lowest first; `since` as of a segment, the same of all. Absent where there are none. */
  loyalty?: { title?: Localised; tiers: (Tier & { since: number })[] };
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

/** Models as a book is compiled with them; the first ones where nothing is said of their order. */
export type StandingModels = Pick<PublishedModels, 'hash' | 'models'> & Partial<PublishedModels>;

/** Of the models' hash as much as is kept of it with contacts and messages. */
export const shortModels = ({ hash }: StandingModels): string => hash.slice(0, 12);

export interface CompiledSegment {
  id: string;
  since: number;
  /** Whether its rule reads models; and the ordinal of the first ones that had all parts of those that it reads, else 0. */
  readsModels: boolean;
  modelsSince: number;
  /** Its bit in the answers of the book's index. */
  place: number;
  rule: CompiledRule;
}

export interface Book {
  hash: string;
  definitions: Definitions;
  controls: Controls;
  /** What insight has fitted, under its own hash; absent before the first fit. */
  models?: StandingModels;
  /** The parts of models that some rule reads. */
  readsModels: ReadonlySet<ModelPart>;
  brand: string;
  currency: string;
  /** In an order in which each stands after those that it reads; those of loyalty tiers are among them. */
  segments: CompiledSegment[];
  /** The loyalty tiers, the lowest first, as segments. */
  tiers: readonly (CompiledSegment & { tier: string })[];
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
  context: Pick<RuleContext, 'currency' | 'isMoney' | 'tiers'>;
  /** True when nothing in the book reads this event: it is recorded by one conditional put. */
  ignores(name: string): boolean;
}

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

/** `tiers`: the segments of loyalty tiers, which are read where the tier is asked for. */
function segmentsRead(rule: Rule, tiers: readonly string[]): string[] {
  if ('all' in rule) return rule.all.flatMap((part) => segmentsRead(part, tiers));
  if ('any' in rule) return rule.any.flatMap((part) => segmentsRead(part, tiers));
  if ('not' in rule) return segmentsRead(rule.not, tiers);
  if ('has' in rule) return readsTier(rule) ? [...tiers] : [];
  return 'segment' in rule ? [rule.segment] : [];
}

const tiersAmong = (segments: Record<string, unknown>): string[] =>
  Object.keys(segments).filter((id) => tierOf(id) !== undefined);

/** All segments of definitions: those of files, and those that loyalty tiers are. */
export function allSegments<T extends { rule: Rule }>(
  segments: Record<string, T>,
  loyalty: Parameters<typeof tierRules>[0],
): Record<string, T | { rule: Rule }> {
  return loyalty === undefined ? segments : { ...segments, ...tierRules(loyalty) };
}

/** Segment ids, each after those that its rule reads. Throws on a cycle, which it names. */
export function segmentOrder(segments: Record<string, Segment>): string[] {
  const order: string[] = [];
  const tiers = tiersAmong(segments);
  const visit = (id: string, path: string[]): void => {
    if (path.includes(id)) throw new Error(`segments read each other in a circle: ${[...path, id].join(' → ')}`);
    const segment = segments[id];
    if (order.includes(id) || segment === undefined) return;
    for (const read of segmentsRead(segment.rule, tiers)) visit(read, [...path, id]);
    order.push(id);
  };
  for (const id of Object.keys(segments).sort()) visit(id, []);
  return order;
}

/** The text of a segment's rule with all that it reads written out: equal texts mean equal membership. */
export function segmentMeaning(id: string, segments: Record<string, Segment>): string {
  const segment = segments[id];
  if (segment === undefined) return '';
  const reads = [...new Set(segmentsRead(segment.rule, tiersAmong(segments)))].sort();
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

/**
 * Ids of the segments that a campaign reads: those of its rules, and the one that it starts by; those of the tiers where
 * it asks for the tier.
 */
export function segmentsOfCampaign(campaign: Campaign, loyalty?: Definitions['loyalty']): string[] {
  const tiers = (loyalty?.tiers ?? []).map(({ id }) => tierSegment(id));
  const direct = rulesOf(campaign).flatMap(({ rule }) => segmentsRead(rule, tiers));
  const { when } = campaign;
  if ('changes' in when && when.changes === TIER) direct.push(...tiers);
  if ('enters' in when) direct.push(when.enters);
  if ('leaves' in when) direct.push(when.leaves);
  return [...new Set(direct)].sort();
}

/** The version of a campaign: a hash of what it says, titles and owners apart. */
export function campaignVersion(campaign: Campaign): string {
  const { $schema, title, owner, ...said } = campaign;
  return shortHash('campaign', canonical(said)).slice(0, 10);
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

/**
 * Compiles definitions once, over the models that stand beside them. Throws when they are not valid: publish has
 * validated them.
 */
export function compileBook(definitions: Definitions, hash: string, controls: Controls, models?: StandingModels): Book {
  const { settings } = definitions;
  const brand = Object.keys(settings.brands)[0] ?? '';
  const counters = new Map<string, Counter>();
  const context: RuleContext = {
    currency: settings.currency,
    brand,
    catalogueHash: shortHash(canonical(definitions.catalogue)),
    isMoney: moneyTest(definitions.fields),
    ...(definitions.loyalty !== undefined && { tiers: definitions.loyalty.tiers.map(({ id }) => id) }),
    counters,
  };
  const given = allSegments(definitions.segments, definitions.loyalty);
  const ofTiers = tiersAmong(given);
  const partsOf = new Map<string, Set<ModelPart>>();
  const rules = segmentOrder(given).map((id) => {
    const { rule } = given[id] as { rule: Rule };
    const since = definitions.segments[id]?.since ?? definitions.loyalty?.tiers[0]?.since ?? 0;
    const parts = partsRead(rule);
    for (const other of segmentsRead(rule, ofTiers)) for (const part of partsOf.get(other) ?? []) parts.add(part);
    partsOf.set(id, parts);
    const modelsSince = Math.max(0, ...[...parts].map((part) => models?.since?.[part] ?? 0));
    return { id, since, readsModels: parts.size > 0, modelsSince, rule: compileRule(rule, context) };
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
    ...(models === undefined ? {} : { models }),
    readsModels: partsRead([given, definitions.campaigns, definitions.retired]),
    brand,
    currency: settings.currency,
    segments,
    segment: new Map(segments.map((segment) => [segment.id, segment])),
    tiers: tiersOf(definitions, segments),
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

function tiersOf({ loyalty }: Definitions, segments: readonly CompiledSegment[]): Book['tiers'] {
  return (loyalty?.tiers ?? []).map(({ id: tier }) => ({
    ...(segments.find(({ id }) => id === tierSegment(tier)) as CompiledSegment),
    tier,
  }));
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
