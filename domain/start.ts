// What starts a run: an event or entering a segment, the gates at entry, and what the run keeps of its trigger.
import type { CompiledCampaign } from './book.ts';
import type { Contact, Run } from './contact.ts';
import { type Draft, note, own, type Stimulus } from './decision.ts';
import { consents, isLive, sightOfRun } from './eligibility.ts';
import { type Json, type JsonObject, shortHash } from './interaction.ts';
import { countPast, covers, type Past, withStimulus } from './past.ts';
import type { Sight } from './rule-node.ts';
import { advance } from './run.ts';
import { durationMs } from './time.ts';

const SEGMENT_ENTERED = 'Segment Entered';

interface Start {
  campaign: CompiledCampaign;
  occurrence: string;
  trigger: Run['trigger'];
  /** What the run keeps of the trigger's properties. */
  kept(): JsonObject;
  product?: string;
}

/**
 * Starts what the stimulus starts: `campaigns` are those that its event may start, `before` those of them whose measure
 * held already, `entered` the segments entered just now. Returns event names whose past must be known first.
 */
export function startRuns(
  draft: Draft,
  sight: Sight,
  stimulus: Stimulus,
  campaigns: readonly CompiledCampaign[],
  before: ReadonlySet<string>,
  entered: ReadonlySet<string>,
  past: Past | undefined,
): string[] {
  const starts: Start[] = [];
  for (const campaign of entered.size === 0 ? [] : draft.book.campaigns) {
    if (campaign.enters === undefined || !entered.has(campaign.enters)) continue;
    const ordinal = draft.contact.journey.segments[campaign.enters]?.entries ?? 0;
    const id = `enters|${campaign.enters}|${ordinal}`;
    const properties = { segment: campaign.enters };
    const trigger = { name: SEGMENT_ENTERED, id, at: draft.now, properties };
    starts.push({ campaign, occurrence: id, trigger, kept: () => properties });
  }
  if (stimulus.kind === 'interaction') {
    const { properties } = stimulus.interaction;
    let slimmed: JsonObject | undefined;
    const kept = (): JsonObject => {
      slimmed ??= slim(properties);
      return slimmed;
    };
    for (const campaign of campaigns) starts.push(...startsOf(draft, sight, campaign, stimulus, before, kept));
  }
  const asked: string[] = [];
  for (const start of starts) asked.push(...startRun(draft, sight, start, stimulus, past));
  return asked;
}

function startsOf(
  draft: Draft,
  sight: Sight,
  campaign: CompiledCampaign,
  stimulus: Extract<Stimulus, { kind: 'interaction' }>,
  before: ReadonlySet<string>,
  kept: Start['kept'],
): Start[] {
  const { interaction, order } = stimulus;
  const { id, name, at, properties } = interaction;
  // An order is completed once, under whatever message id it is said again.
  if (name === 'Order Completed' && order?.before?.completed !== undefined) return [];
  if (campaign.where !== undefined && !campaign.where.test(properties, inShopZone(sight))) return [];
  if (campaign.measure !== undefined && (before.has(campaign.id) || !campaign.measure.test(sight))) return [];
  const trigger = { name, id, at: Math.min(at, draft.now), properties };
  if (at < draft.now - campaign.triggerAge) {
    note(draft, { campaign: campaign.id, kind: 'skip', reason: 'the trigger is too old' });
    return [];
  }
  if (!('each' in campaign.campaign.when) || campaign.campaign.when.each === undefined) {
    return [{ campaign, occurrence: id, trigger, kept }];
  }
  const lines = Array.isArray(properties.products) ? properties.products : [];
  const products = lines.flatMap((line) => {
    if (line === null || typeof line !== 'object' || Array.isArray(line)) return [];
    const product = line.product_id ?? line.sku;
    const meant = campaign.where?.line === undefined || campaign.where.line.test(line, inShopZone(sight));
    return meant && (typeof product === 'string' || typeof product === 'number') ? [String(product)] : [];
  });
  return [...new Set(products)].map((product) => ({
    campaign,
    occurrence: `${id}|${product}`,
    trigger,
    kept,
    product,
  }));
}

/** At entry: campaign live and in its dates → re-entry → `for` → consent. */
function startRun(draft: Draft, sight: Sight, start: Start, stimulus: Stimulus, past: Past | undefined): string[] {
  const { book, now, contact } = draft;
  const { campaign, product, trigger } = start;
  const skip = (reason: string): string[] => {
    note(draft, { campaign: campaign.id, kind: 'skip', reason });
    return [];
  };
  if (!isLive(book, campaign, now)) return skip('not live');
  const running = contact.journey.runs.some(
    (run) => run.campaign === campaign.id && run.product === product && run.ended === undefined,
  );
  if (running) return skip('already running');
  const refused = reentry(draft, start);
  if (refused !== undefined) return skip(refused);

  const run: Run = {
    id: shortHash('run', contact.id, campaign.id, start.occurrence),
    campaign: campaign.id,
    version: campaign.version,
    occurrence: start.occurrence,
    startedAt: trigger.at,
    at: 0,
    from: trigger.at,
    trigger: { ...trigger, properties: start.kept() },
    counters: {},
    pending: [],
  };
  if (product !== undefined) run.product = product;
  const asked = campaign.counters
    .filter(({ names, sinceStart }) =>
      names.some((name) => (sinceStart ? happenedSince(contact, run, name) : contact.facts.latest[name] !== undefined)),
    )
    .flatMap((counter) => counter.names);
  if (asked.length > 0) {
    if (!covers(past, asked)) return asked;
    countPastInRun(draft, run, campaign, past as Past, stimulus, sight);
  }
  const inside = sightOfRun(sight, run);
  if (campaign.for !== undefined && !campaign.for.test(inside)) return skip('not in "for"');
  if (!consents(contact, campaign, now)) return skip('no consent');
  if (campaign.stopIf?.test(inside)) return skip('stopIf');

  own(contact.journey, draft.given.journey, 'starts')[startKey(start)] = run.startedAt;
  contact.journey.runs.push(run);
  note(draft, { campaign: campaign.id, kind: 'start', reason: trigger.name });
  advance(draft, campaign, run, sight);
  return [];
}

/** Something of that name, beside the trigger itself, since the run's start. */
function happenedSince({ facts }: Contact, run: Run, name: string): boolean {
  const latest = facts.latest[name] ?? -1;
  return name === run.trigger.name ? latest > run.startedAt : isSince(run, latest);
}

/** What was processed before a segment was entered is before it; else the trigger's own instant is since the start. */
function isSince(run: Run, at: number): boolean {
  return run.trigger.name === SEGMENT_ENTERED ? at > run.startedAt : at >= run.startedAt;
}

/** "Since run start" begins after the stimulus; all else is counted with it, as the contact's own counters do. */
function countPastInRun(
  draft: Draft,
  run: Run,
  campaign: CompiledCampaign,
  past: Past,
  stimulus: Stimulus,
  sight: Sight,
): void {
  const around = inShopZone(sightOfRun(sight, run));
  const whole = withStimulus(past, stimulus);
  const since = past.interactions.filter((one) => one.id !== run.trigger.id && isSince(run, one.at));
  for (const counter of campaign.counters) {
    const counted = counter.sinceStart ? { ...past, interactions: since } : whole;
    countPast(draft, counted, [counter], run.counters, around);
  }
}

/** Dates in a "where" begin in the shop's zone: events are counted before a person's own need be known. */
export const inShopZone = <S extends Sight>(sight: S): S => ({ ...sight, zone: sight.shopZone });

function startKey({ campaign, product, trigger }: Start): string {
  const { again } = campaign.campaign;
  const { order_id, product_id, sku } = trigger.properties;
  const parts: Json[] = [campaign.id];
  if (again === 'once per order') parts.push(order_id ?? trigger.id);
  const about = product ?? (again === 'once per product' ? (product_id ?? sku) : undefined);
  if (about !== undefined) parts.push(about);
  return parts.map(String).join('|');
}

function reentry(draft: Draft, start: Start): string | undefined {
  const { again } = start.campaign.campaign;
  const last = draft.contact.journey.starts[startKey(start)];
  if (last === undefined || again === 'every time') return undefined;
  if (again === 'never' || again.startsWith('once per')) return `again: ${again}`;
  const rest = durationMs(again.slice('after '.length));
  return start.trigger.at - last < rest ? `again: ${again}` : undefined;
}

const MOST_TRIGGER_CHARACTERS = 4_000;

/** What a run keeps of its trigger: everything, or, where that is large, the first lines and the plain values. */
function slim(properties: JsonObject): JsonObject {
  if (JSON.stringify(properties).length <= MOST_TRIGGER_CHARACTERS) return properties;
  const kept: JsonObject = {};
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value !== 'object' && JSON.stringify(value).length <= 300) kept[name] = value;
  }
  const products = Array.isArray(properties.products) ? properties.products : [];
  kept.products = products.slice(0, 20).map((line) => {
    if (line === null || typeof line !== 'object' || Array.isArray(line)) return null;
    const short: JsonObject = {};
    for (const field of ['product_id', 'sku', 'name', 'price', 'quantity'] as const) {
      const value = line[field];
      if (value !== undefined && JSON.stringify(value).length <= 120) short[field] = value;
    }
    return short;
  });
  return kept;
}
