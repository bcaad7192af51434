// What starts a run: an event, a segment, an attribute, a date, a product, a walk; the gates at entry; what the run keeps.

import { isOccurrence } from './broadcast.ts';
import { isBroadcast } from './campaign-parts.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { Contact, Run } from './contact.ts';
import { type Draft, note, own, type Stimulus } from './decision.ts';
import { heldOutOf } from './draw.ts';
import { consents, isLive, sightOfRun } from './eligibility.ts';
import { type Json, type JsonObject, shortHash } from './interaction.ts';
import { countPast, covers, type Past, withStimulus } from './past.ts';
import type { Sight } from './rule-node.ts';
import { durationMs } from './time.ts';
import { occasionsOf } from './timed.ts';

/** Names of triggers that are no events: what a run keeps as the name of its trigger. */
const OF_ITSELF = {
  entered: 'Segment Entered',
  left: 'Segment Left',
  changed: 'Attribute Changed',
  date: 'Date Reached',
  due: 'Product Runs Out',
  turned: 'Product Turned',
  broadcast: 'Broadcast',
} as const;
const NO_EVENTS: ReadonlySet<string> = new Set(Object.values(OF_ITSELF));

/** Live runs that one contact may have. */
export const MOST_RUNS = 200;

/** What may start a run: a campaign with the occurrence that names it. */
interface Start {
  campaign: CompiledCampaign;
  occurrence: string;
  trigger: Run['trigger'];
  /** What the run keeps of the trigger's properties. */
  kept(): JsonObject;
  product?: string;
  watchedAt?: number;
}

/** What has turned at this stimulus, beside the stimulus itself. */
export interface Turned {
  /** Segments entered and left just now. */
  entered: ReadonlySet<string>;
  left: ReadonlySet<string>;
  /** Of campaigns that start when an attribute changes: what it was before. */
  were: ReadonlyMap<string, Json | undefined>;
}

/**
 * Starts what the stimulus and the time start: `campaigns` are those that its event may start, `before` those of them
 * whose measure held already. Each campaign starts at most one run for one stimulus and product. The runs stand at their
 * first step. Returns event names whose past must be known first.
 */
export function startRuns(
  draft: Draft,
  sight: Sight,
  stimulus: Stimulus,
  campaigns: readonly CompiledCampaign[],
  before: ReadonlySet<string>,
  turned: Turned,
  past: Past | undefined,
): string[] {
  const starts: Start[] = [
    ...startsByTurns(draft, sight, stimulus, turned),
    ...startsByTime(draft, sight, stimulus),
    ...startsByWalk(draft, sight, stimulus),
  ];
  if (stimulus.kind === 'interaction') {
    const { properties } = stimulus.interaction;
    let slimmed: JsonObject | undefined;
    const kept = (): JsonObject => {
      slimmed ??= slim(properties, draft.contact.journey.runs.length);
      return slimmed;
    };
    for (const campaign of campaigns) starts.push(...startsOf(draft, sight, campaign, stimulus, before, kept));
  }
  const asked: string[] = [];
  for (const start of starts) asked.push(...startRun(draft, sight, start, stimulus, past));
  return asked;
}

/** A start by something that is no event: it happens now. */
function byItself(
  draft: Draft,
  campaign: CompiledCampaign,
  name: string,
  id: string,
  properties: JsonObject,
  at = draft.now,
): Start {
  return { campaign, occurrence: id, trigger: { name, id, at, properties }, kept: () => properties };
}

/** By entering and leaving segments, and by attributes that have changed. */
function startsByTurns(draft: Draft, sight: Sight, stimulus: Stimulus, { entered, left, were }: Turned): Start[] {
  const { book, contact, given } = draft;
  const starts: Start[] = [];
  for (const campaign of entered.size === 0 ? [] : book.starts.enters) {
    const segment = campaign.enters as string;
    if (!entered.has(segment)) continue;
    const entries = contact.journey.segments[segment]?.entries ?? 0;
    starts.push(byItself(draft, campaign, OF_ITSELF.entered, `enters|${segment}|${entries}`, { segment }));
  }
  for (const campaign of left.size === 0 ? [] : book.starts.leaves) {
    const segment = campaign.leaves as string;
    if (!left.has(segment)) continue;
    // Since when it held the person, and not how often: who is taken over into it may leave it without an entry.
    const since = given.journey.segments[segment]?.since;
    starts.push(byItself(draft, campaign, OF_ITSELF.left, `leaves|${segment}|${since}`, { segment }));
  }
  if (stimulus.kind === 'publish' || (stimulus.kind === 'interaction' && stimulus.history === true)) return starts;
  for (const campaign of book.starts.changes) {
    const { attribute, read, from, to } = campaign.changes as NonNullable<CompiledCampaign['changes']>;
    if (!were.has(campaign.id)) continue;
    const [was, is] = [were.get(campaign.id), read(sight)];
    if (JSON.stringify(was) === JSON.stringify(is)) continue;
    if (from?.test(was, sight) === false || to?.test(is, sight) === false) continue;
    const what = stimulus.kind === 'interaction' ? stimulus.interaction.id : String(draft.now);
    const properties: JsonObject = { attribute, from: was ?? null, to: is ?? null };
    starts.push(byItself(draft, campaign, OF_ITSELF.changed, `changes|${attribute}|${what}`, properties));
  }
  return starts;
}

/** By a date or a product that runs out: each occasion is asked once, and not when it is older than its trigger may be. */
function startsByTime(draft: Draft, sight: Sight, stimulus: Stimulus): Start[] {
  const { book, contact, given, now } = draft;
  const silent = stimulus.kind === 'publish' || (stimulus.kind === 'interaction' && stimulus.history === true);
  const starts: Start[] = [];
  for (const campaign of book.starts.timed) {
    for (const occasion of occasionsOf(campaign, sight).come) {
      const { key, mark, at, occurrence, properties, product } = occasion;
      if (at <= now - campaign.triggerAge || mark <= (contact.journey.asked?.[key] ?? Number.NEGATIVE_INFINITY))
        continue;
      contact.journey.asked = { ...(own(contact.journey, given.journey, 'asked') ?? {}), [key]: mark };
      // What had come when the campaign was published, or in the time of a history, is taken over.
      if (silent) continue;
      const name = campaign.date === undefined ? OF_ITSELF.due : OF_ITSELF.date;
      const start = byItself(draft, campaign, name, occurrence, properties, at);
      starts.push(product === undefined ? start : { ...start, product });
    }
  }
  return starts;
}

/** By a product that has turned, and by starts that a walk has planned and whose instant has come. */
function startsByWalk(draft: Draft, sight: Sight, stimulus: Stimulus): Start[] {
  const { book, contact, now } = draft;
  const starts: Start[] = [];
  if (stimulus.kind === 'turn') {
    const { product, turn, at, properties, watchedAt } = stimulus;
    const campaign = book.campaign.get(stimulus.campaign);
    if (campaign?.product !== undefined && watchedAt + campaign.product.inLast > now) {
      const kept = { ...properties, product_id: product };
      const start = byItself(draft, campaign, OF_ITSELF.turned, `turn|${turn}|${product}`, kept, Math.min(at, now));
      starts.push({ ...start, product, watchedAt });
    }
  }
  const { booked } = contact.journey;
  if (booked === undefined || stimulus.kind === 'publish') return starts;
  const come = booked.filter(({ at }) => at <= now);
  if (come.length === 0) return starts;
  keepBooked(
    contact,
    booked.filter(({ at }) => at > now),
  );
  for (const { campaign: id, occurrence, at } of come) {
    const campaign = book.campaign.get(id);
    if (campaign === undefined || isAsked(contact, id, occurrence)) continue;
    const mark = Date.parse(occurrence);
    if (!Number.isNaN(mark)) contact.journey.asked = { ...contact.journey.asked, [id]: mark };
    const missed = reasonNotToStart(campaign, occurrence, at, sight);
    if (missed !== undefined) note(draft, { campaign: id, version: campaign.version, kind: 'skip', reason: missed });
    else {
      const inside = occurrence.startsWith('inside|');
      const properties: JsonObject = inside ? { segment: campaign.enters as string } : { date: occurrence };
      const name = inside ? OF_ITSELF.entered : OF_ITSELF.broadcast;
      starts.push(byItself(draft, campaign, name, inside ? occurrence : `broadcast|${occurrence}`, properties, at));
    }
  }
  return starts;
}

/** Why a planned start is not made when its time has come; undefined where it is. */
function reasonNotToStart(
  campaign: CompiledCampaign,
  occurrence: string,
  at: number,
  sight: Sight,
): string | undefined {
  if (at <= sight.now - campaign.triggerAge) return 'the trigger is too old';
  if (occurrence.startsWith('inside|')) {
    if (campaign.enters === undefined) return 'the campaign starts otherwise now';
    return sight.inSegment(campaign.enters) ? undefined : `not in "${campaign.enters}" any more`;
  }
  const { when } = campaign.campaign;
  if (campaign.to === undefined || !isBroadcast(when)) return 'the campaign starts otherwise now';
  if (!isOccurrence(when, occurrence)) return 'the campaign has another date now';
  // A broadcast's audience asks of the person alone: there is no run yet.
  return campaign.to.test(sight) ? undefined : 'not in "to"';
}

/** Whether a broadcast of that local date, or of a later one, was asked: also of another zone, or before two became one. */
function isAsked({ journey }: Contact, campaign: string, occurrence: string): boolean {
  return Date.parse(occurrence) <= (journey.asked?.[campaign] ?? Number.NEGATIVE_INFINITY);
}

/** Keeps a start that a walk has planned; the same one is planned once. */
export function keepBooking(draft: Draft, { campaign, occurrence, at }: Extract<Stimulus, { kind: 'book' }>): void {
  const { contact } = draft;
  const booked = contact.journey.booked ?? [];
  if (booked.some((one) => one.campaign === campaign && one.occurrence === occurrence)) return;
  const id = occurrence.startsWith('inside|') ? occurrence : `broadcast|${occurrence}`;
  const run = shortHash('run', contact.id, campaign, id);
  if (contact.journey.runs.some((one) => one.id === run)) return;
  // A page of the walk that is done again, long after: it was started already.
  if (isAsked(contact, campaign, occurrence)) return;
  keepBooked(
    contact,
    [...booked, { campaign, occurrence, at }].sort((a, b) => a.at - b.at),
  );
}

function keepBooked({ journey }: Contact, booked: NonNullable<Contact['journey']['booked']>): void {
  if (booked.length === 0) delete journey.booked;
  else journey.booked = booked;
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
    note(draft, { campaign: campaign.id, version: campaign.version, kind: 'skip', reason: 'the trigger is too old' });
    return [];
  }
  const { when } = campaign.campaign;
  if (!('did' in when) || when.each === undefined) return [{ campaign, occurrence: id, trigger, kept }];
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

/** At entry: campaign live and in its dates → re-entry → `for` → consent → holdout draw. */
function startRun(draft: Draft, sight: Sight, start: Start, stimulus: Stimulus, past: Past | undefined): string[] {
  const { book, now, contact } = draft;
  const { campaign, product, trigger, watchedAt } = start;
  const said = { campaign: campaign.id, version: campaign.version };
  const skip = (reason: string): string[] => {
    note(draft, { ...said, kind: 'skip', reason });
    return [];
  };
  if (!isLive(book, campaign, now)) return skip('not live');
  const live = contact.journey.runs.filter((run) => run.ended === undefined);
  if (live.some((run) => run.campaign === campaign.id && run.product === product)) return skip('already running');
  if (live.length >= MOST_RUNS) return skip('too many runs');
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
    trigger: { ...trigger, properties: start.kept(), ...(draft.hops > 0 && { hops: draft.hops }) },
    counters: {},
    pending: [],
  };
  if (product !== undefined) run.product = product;
  if (watchedAt !== undefined) run.watchedAt = watchedAt;
  const asked = askedOfPast(contact, run, campaign);
  if (asked.length > 0) {
    if (!covers(past, asked)) return asked;
    countPastInRun(draft, run, campaign, past as Past, stimulus, sight);
  }
  const inside = sightOfRun(sight, run);
  if (campaign.for !== undefined && !campaign.for.test(inside)) return skip('not in "for"');
  if (!consents(contact, campaign, now)) return skip('no consent');
  if (campaign.stopIf?.test(inside)) return skip('stopIf');

  const heldOut = drawHoldout(draft, campaign);
  if (heldOut !== undefined) run.heldOut = heldOut;
  own(contact.journey, draft.given.journey, 'starts')[startKey(start)] = requestedAt(start);
  contact.journey.runs.push(run);
  note(draft, { ...said, run: run.id, kind: 'start', reason: trigger.name });
  if (heldOut !== undefined) {
    const reason = heldOut === 'global' ? 'the global holdout' : 'the holdout of the campaign';
    note(draft, { ...said, run: run.id, kind: 'hold out', reason });
  }
  return [];
}

/** Drawn once, at entry; never for what was asked for, and never for service. */
function drawHoldout({ book, contact, now }: Draft, campaign: CompiledCampaign): Run['heldOut'] {
  if (campaign.campaign.kind !== 'marketing') return undefined;
  return heldOutOf(campaign, book.definitions.settings.globalHoldout?.percent ?? 0, contact.id, now);
}

/** Names of events whose past a run's counters need: those that have happened in the time that they count. */
export function askedOfPast(contact: Contact, run: Run, campaign: CompiledCampaign): string[] {
  return campaign.counters
    .filter(
      ({ id, names, sinceStart }) =>
        run.counters[id] === undefined &&
        names.some((name) =>
          sinceStart ? happenedSince(contact, run, name) : contact.facts.latest[name] !== undefined,
        ),
    )
    .flatMap((counter) => counter.names);
}

/** Something of that name, beside the trigger itself, since the run's start. */
function happenedSince({ facts }: Contact, run: Run, name: string): boolean {
  const latest = facts.latest[name] ?? -1;
  return name === run.trigger.name ? latest > run.startedAt : isSince(run, latest);
}

/** What was processed before a run started by itself is before it; else the trigger's own instant is since the start. */
function isSince(run: Run, at: number): boolean {
  return NO_EVENTS.has(run.trigger.name) ? at > run.startedAt : at >= run.startedAt;
}

/** "Since run start" begins after the stimulus that started the run; all else is counted with it, as the contact's own counters do. */
export function countPastInRun(
  draft: Draft,
  run: Run,
  campaign: CompiledCampaign,
  past: Past,
  stimulus: Stimulus,
  sight: Sight,
): void {
  const around = inShopZone(sightOfRun(sight, run));
  const whole = withStimulus(past, stimulus);
  const known = draft.given.journey.runs.some(({ id }) => id === run.id) ? whole : past;
  const since = known.interactions.filter((one) => one.id !== run.trigger.id && isSince(run, one.at));
  for (const counter of campaign.counters) {
    if (run.counters[counter.id] !== undefined) continue;
    const counted = counter.sinceStart ? { ...known, interactions: since } : whole;
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
  const perProduct = again === 'once per product' || again === 'once per request';
  const about = product ?? (perProduct ? (product_id ?? sku) : undefined);
  if (about !== undefined) parts.push(about);
  return parts.map(String).join('|');
}

/** What a start is remembered by: its instant; of a request that it answers, the request's. */
const requestedAt = ({ campaign, trigger, watchedAt }: Start): number =>
  campaign.campaign.again === 'once per request' ? (watchedAt ?? trigger.at) : trigger.at;

function reentry(draft: Draft, start: Start): string | undefined {
  const { again } = start.campaign.campaign;
  const last = draft.contact.journey.starts[startKey(start)];
  if (last === undefined || again === 'every time') return undefined;
  if (again === 'once per request') return requestedAt(start) > last ? undefined : `again: ${again}`;
  if (again === 'never' || again.startsWith('once per')) return `again: ${again}`;
  const rest = durationMs(again.slice('after '.length));
  return start.trigger.at - last < rest ? `again: ${again}` : undefined;
}

/** Of a trigger a run keeps so much as JSON; one of many runs less, so that the contact stays one item. */
const MOST_CHARACTERS = 4_000;
const FEWER_CHARACTERS = 900;
const MANY_RUNS = 40;
const MOST_LINES = 20;

/** What a run keeps of its trigger: everything, or, where that is large, the plain values and lines for which there is room, short ones first. */
function slim(properties: JsonObject, runs: number): JsonObject {
  const most = runs < MANY_RUNS ? MOST_CHARACTERS : FEWER_CHARACTERS;
  if (JSON.stringify(properties).length <= most) return properties;
  let room = most;
  const fits = (name: string, value: Json): boolean => {
    const length = JSON.stringify(value).length + name.length + 4;
    if (length > room) return false;
    room -= length;
    return true;
  };
  const plain = Object.entries(properties)
    .filter(([, value]) => typeof value !== 'object' && JSON.stringify(value).length <= 300)
    .sort(([, a], [, b]) => JSON.stringify(a).length - JSON.stringify(b).length);
  // Half of the room is the lines'.
  room = most / 2;
  const kept: JsonObject = Object.fromEntries(plain.filter(([name, value]) => fits(name, value)));
  room += most / 2;
  const products: Json[] = [];
  for (const line of Array.isArray(properties.products) ? properties.products.slice(0, MOST_LINES) : []) {
    if (line === null || typeof line !== 'object' || Array.isArray(line)) continue;
    const short: JsonObject = {};
    for (const field of ['product_id', 'sku', 'name', 'price', 'quantity'] as const) {
      const value = line[field];
      if (value !== undefined && JSON.stringify(value).length <= 120) short[field] = value;
    }
    if (!fits('', short)) break;
    products.push(short);
  }
  kept.products = products;
  return kept;
}
