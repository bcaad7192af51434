// decide(book, contact, stimulus, now): the one place where it is decided who gets what, and when.
import type { Book, CompiledCampaign } from './book.ts';
import {
  type Contact,
  foldFacts,
  foldSuppression,
  foldWithdrawal,
  type Run,
  type SuppressionReason,
  takeOverFacts,
} from './contact.ts';
import type { Decided, Decision, Draft } from './decision.ts';
import { consents, isLive, longestCap, sightOf, sightOfRun, zoneOf } from './eligibility.ts';
import { type Interaction, type Json, type JsonObject, shortHash } from './interaction.ts';
import { type Order, orderKeyOf } from './order.ts';
import { type Counter, countInto, type Sight } from './rule.ts';
import { advance, runDue } from './run.ts';
import { durationMs } from './time.ts';
import type { Around } from './where.ts';

export type { Decided, Decision, Drop } from './decision.ts';

/** What makes a contact be looked at. */
export type Stimulus =
  | {
      kind: 'interaction';
      interaction: Interaction;
      /** The order that the event speaks of, before and after it was folded in. */
      order?: { before?: Order | undefined; after: Order };
      /** Earlier interactions of that order, recorded before its owner was known. */
      orphans?: Interaction[];
      /** What is stored about the address that the event claims. */
      address?: {
        suppression?: { reason: SuppressionReason; at: number };
        withdrawals?: { brand: string; at: number }[];
      };
      /** History starts nothing: facts fold, and membership is set without entering. */
      history?: boolean;
    }
  | { kind: 'tick' }
  /** New definitions: membership is taken over without entering. */
  | { kind: 'publish' };

/** Everything that was recorded of a person under the asked names, with the present state of the orders spoken of. */
export interface Past {
  /** The names that were asked for. */
  names: string[];
  interactions: Interaction[];
  orders: Order[];
}

/** Counters must be rebuilt: query these event names under every alias, and call again with that past. */
export interface Need {
  need: string[];
}

const HOUR = 3_600_000;
const ORDER_EVENTS = ['Order Completed', 'Order Updated', 'Order Refunded', 'Order Cancelled'];
const SEGMENT_ENTERED = 'Segment Entered';

/**
 * Folds the stimulus into the contact's facts, answers all rules, moves its runs and plans its messages.
 * Pure: the same book, contact, stimulus, now and past give the same answer. `contact` is not changed.
 */
export function decide(book: Book, contact: Contact, stimulus: Stimulus, now: number, past?: Past): Decided | Need {
  // A contact is plain JSON: one text serves for the copy and for telling whether anything changed.
  const text = JSON.stringify(contact);
  const draft: Draft = { book, now, contact: JSON.parse(text), messages: [], drops: [], decisions: [] };
  // What was recorded while nothing was published is read again under the first book.
  const first = contact.book?.ordinal === 0 && book.definitions.ordinal > 0;
  const names = [...new Set([...book.counters.flatMap((counter) => counter.names), ...(first ? ORDER_EVENTS : [])])];
  const outdated = draft.contact.book?.counters !== book.counterSet;
  const stale = Object.values(contact.facts.counters).some((state) => state.stale);
  if (outdated || stale || first) {
    if (!covers(past, names)) return { need: names };
    rebuildCounters(draft, past);
    if (first) takeOver(draft, past as Past, stimulus);
  }
  const known = contact.book?.ordinal;
  const campaigns = stimulus.kind === 'interaction' && !stimulus.history ? startable(draft, stimulus.interaction) : [];
  const before = new Map(
    campaigns.map((one) => [one.id, one.measure?.test(sightOf(book, draft.contact, now)) ?? false]),
  );

  if (stimulus.kind === 'interaction') fold(draft, stimulus, outdated || stale || first ? past : undefined);
  if (Object.values(draft.contact.facts.counters).some((state) => state.stale)) {
    if (!covers(past, names)) return { need: names };
    rebuildCounters(draft, withStimulus(past as Past, stimulus));
  }

  const sight = sightOf(book, draft.contact, now);
  const silent = stimulus.kind === 'publish' || (stimulus.kind === 'interaction' && stimulus.history === true);
  const entered = moveMembership(draft, sight, silent, known);
  moveRuns(draft, sight, stimulus);
  const asked = startRuns(draft, sight, stimulus, campaigns, before, entered, past);
  if (asked.length > 0) return { need: [...new Set([...asked, ...(past?.names ?? [])])] };

  draft.contact.book = { hash: book.hash, ordinal: book.definitions.ordinal, counters: book.counterSet };
  tidy(draft, stimulus, contact.journey.due);
  const { messages, drops, decisions } = draft;
  const changed = messages.length > 0 || drops.length > 0 || text !== JSON.stringify(draft.contact);
  return { contact: draft.contact, messages, drops, decisions, changed };
}

function covers(past: Past | undefined, names: string[]): boolean {
  return names.length === 0 || (past !== undefined && names.every((name) => past.names.includes(name)));
}

function holds(past: Past, interaction: Interaction): boolean {
  return past.interactions.some((one) => one.id === interaction.id && one.name === interaction.name);
}

function withStimulus(past: Past, stimulus: Stimulus): Past {
  if (stimulus.kind !== 'interaction') return past;
  const { interaction, order, orphans = [] } = stimulus;
  const orders = past.orders.filter((one) => one.key !== order?.after.key);
  const unknown = orphans.filter((orphan) => !holds(past, orphan));
  return {
    ...past,
    interactions: [...past.interactions, ...unknown, interaction],
    orders: order === undefined ? orders : [...orders, order.after],
  };
}

function aroundOf(draft: Draft): Around {
  const { book, contact, now } = draft;
  return { now, zone: zoneOf(book, contact), catalogue: book.definitions.catalogue };
}

/** Counts the past into `states`: each order once, as it is at present; everything else as it was said. */
export function countPast(
  draft: Pick<Draft, 'book' | 'contact' | 'now'>,
  past: Past,
  counters: Counter[],
  states: Contact['facts']['counters'],
  around: Around,
): void {
  const orders = new Map(past.orders.map((order) => [order.key, order]));
  for (const interaction of past.interactions) {
    const key = interaction.name === 'Order Completed' ? orderKeyOf(interaction) : undefined;
    const order = key === undefined ? undefined : orders.get(key);
    if (key !== undefined && order === undefined) continue;
    if (key !== undefined) orders.delete(key);
    const change = order === undefined ? undefined : { after: order };
    countInto(states, counters, interaction, change, around, draft.book.context);
  }
}

function rebuildCounters(draft: Draft, past: Past | undefined): void {
  const { facts } = draft.contact;
  facts.counters = {};
  // No past is asked for where nothing is counted.
  if (past === undefined) return;
  countPast(draft, past, draft.book.counters, facts.counters, aroundOf(draft));
  for (const { name, at } of past.interactions) if (draft.book.read.has(name)) noteLatest(facts.latest, name, at);
}

/** Orders as they were before the stimulus, which is folded afterwards. */
function takeOver(draft: Draft, past: Past, stimulus: Stimulus): void {
  const order = stimulus.kind === 'interaction' ? stimulus.order : undefined;
  const others = past.orders.filter((one) => one.key !== order?.after.key);
  const orders = order?.before === undefined ? others : [...others, order.before];
  takeOverFacts(draft.contact.facts, orders, { currency: draft.book.currency, brand: draft.book.brand });
}

function noteLatest(latest: Record<string, number>, name: string, at: number): void {
  latest[name] = Math.max(latest[name] ?? at, at);
}

/** `rebuilt`: the past from which the counters were made just now. */
function fold(draft: Draft, stimulus: Extract<Stimulus, { kind: 'interaction' }>, rebuilt: Past | undefined): void {
  const { book } = draft;
  const { interaction, order, address } = stimulus;
  foldFacts(draft.contact, interaction, order, { currency: book.currency, brand: book.brand });
  const claimed = interaction.who.address;
  if (address?.suppression !== undefined && claimed !== undefined) {
    draft.contact = foldSuppression(draft.contact, { ...address.suppression, addressHash: claimed });
  }
  if (draft.contact.facts.addressHash === claimed) {
    for (const { brand, at } of address?.withdrawals ?? []) draft.contact = foldWithdrawal(draft.contact, brand, at);
  }
  const { facts } = draft.contact;
  const around = aroundOf(draft);
  for (const orphan of stimulus.orphans ?? []) {
    if (orphan.name === 'Order Completed' || orphan.id === interaction.id) continue;
    if (book.read.has(orphan.name)) noteLatest(facts.latest, orphan.name, orphan.at);
    if (rebuilt !== undefined && holds(rebuilt, orphan)) continue;
    countInto(facts.counters, book.counters, orphan, undefined, around, book.context);
  }
  const counted = order && { before: countedOrder(rebuilt, order.after.key) ?? order.before, after: order.after };
  countInto(facts.counters, book.counters, interaction, counted, around, book.context);
  if (book.read.has(interaction.name)) noteLatest(facts.latest, interaction.name, interaction.at);
  for (const run of draft.contact.journey.runs) countInRun(draft, run, interaction, order);
}

/** The order as it stands in counters that were made from the past. */
function countedOrder(rebuilt: Past | undefined, key: string): Order | undefined {
  const spoken = rebuilt?.interactions.some((one) => one.name === 'Order Completed' && orderKeyOf(one) === key);
  return spoken ? rebuilt?.orders.find((order) => order.key === key) : undefined;
}

function countInRun(
  draft: Draft,
  run: Run,
  interaction: Interaction,
  order?: { before?: Order | undefined; after: Order },
): void {
  const { book, contact, now } = draft;
  const campaign = book.version.get(`${run.campaign}@${run.version}`);
  if (campaign === undefined || campaign.counters.length === 0) return;
  const sight = sightOfRun(sightOf(book, contact, now), run);
  for (const counter of campaign.counters) {
    if (!counter.names.includes(interaction.name)) continue;
    if (counter.sinceStart && (interaction.at < run.startedAt || interaction.id === run.trigger.id)) continue;
    // A run counts an order when it is completed; what later becomes of it is asked through refunds and cancellations.
    const change = interaction.name === 'Order Completed' ? order : undefined;
    countInto(run.counters, [counter], interaction, change, sight, book.context);
  }
}

/** Campaigns that this event may start. */
function startable(draft: Draft, interaction: Interaction): CompiledCampaign[] {
  return draft.book.campaigns.filter((campaign) => campaign.startedBy.includes(interaction.name));
}

/** Answers every segment; returns those newly entered. Silent: taken over without entering. */
function moveMembership(draft: Draft, sight: Sight, silent: boolean, known: number | undefined): Set<string> {
  const entered = new Set<string>();
  const { segments } = draft.contact.journey;
  for (const { id, since } of draft.book.segments) {
    const inside = sight.segmentAnswer(id, sight);
    const state = segments[id];
    if (inside === (state?.since !== undefined)) continue;
    if (!inside) {
      segments[id] = { entries: state?.entries ?? 0 };
      continue;
    }
    // A contact that was never decided over is new to every segment; one that met an older rule is taken over.
    const takenOver = silent || (known !== undefined && known < since);
    segments[id] = { since: draft.now, entries: (state?.entries ?? 0) + (takenOver ? 0 : 1) };
    if (!takenOver) entered.add(id);
  }
  for (const [id, { entries }] of Object.entries(segments)) {
    if (draft.book.segment.has(id)) continue;
    // The ordinal of an entry names a run: should the segment come back, none is given twice.
    if (entries > 0) segments[id] = { entries };
    else delete segments[id];
  }
  return entered;
}

function decided(draft: Draft, decision: Omit<Decision, 'at'>): void {
  const { at, campaign, ...said } = { ...decision, at: draft.now };
  draft.decisions.push({ campaign, at, ...said });
  // That the steps are through says less than what the last of them led to.
  if (said.kind !== 'end') draft.contact.journey.decisions[campaign] = { at, ...said };
}

function moveRuns(draft: Draft, sight: Sight, stimulus: Stimulus): void {
  const { journey } = draft.contact;
  const runs = [...journey.runs].sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1));
  journey.runs = [];
  for (const run of runs) {
    const campaign = draft.book.version.get(`${run.campaign}@${run.version}`);
    if (campaign === undefined) {
      stopRun(draft, run, 'its version is no longer published');
    } else if (campaign.stopIf?.test(sightOfRun(sight, run))) {
      stopRun(draft, run, 'stopIf');
    } else {
      journey.runs.push(run);
      if (stimulus.kind !== 'publish') advance(draft, campaign, run, sight, decided);
    }
  }
}

/** Ends a run at once; its messages that are not sent yet are taken back, with the places they held under the caps. */
function stopRun(draft: Draft, run: Run, reason: string): void {
  const { journey } = draft.contact;
  for (const message of run.pending) {
    const planned = draft.messages.findIndex((one) => one.id === message.id);
    if (planned >= 0) draft.messages.splice(planned, 1);
    else
      draft.drops.push({
        id: message.id,
        reason,
        ...(message.contact === undefined ? {} : { contact: message.contact }),
      });
    if (message.at > draft.now) journey.sends = journey.sends.filter((send) => send.id !== message.id);
  }
  if (run.ended === undefined) decided(draft, { campaign: run.campaign, kind: 'stop', reason });
}

interface Start {
  campaign: CompiledCampaign;
  occurrence: string;
  trigger: Run['trigger'];
  product?: string;
}

/** Starts what the stimulus starts. Returns event names whose past must be known first. */
function startRuns(
  draft: Draft,
  sight: Sight,
  stimulus: Stimulus,
  campaigns: CompiledCampaign[],
  before: Map<string, boolean>,
  entered: Set<string>,
  past: Past | undefined,
): string[] {
  const starts: Start[] = [];
  for (const campaign of draft.book.campaigns) {
    if (campaign.enters === undefined || !entered.has(campaign.enters)) continue;
    const ordinal = draft.contact.journey.segments[campaign.enters]?.entries ?? 0;
    const id = `enters|${campaign.enters}|${ordinal}`;
    const trigger = { name: SEGMENT_ENTERED, id, at: draft.now, properties: { segment: campaign.enters } };
    starts.push({ campaign, occurrence: id, trigger });
  }
  if (stimulus.kind === 'interaction') {
    for (const campaign of campaigns) starts.push(...startsOf(draft, sight, campaign, stimulus, before));
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
  before: Map<string, boolean>,
): Start[] {
  const { interaction, order } = stimulus;
  const { id, name, at, properties } = interaction;
  // An order is completed once, under whatever message id it is said again.
  if (name === 'Order Completed' && order?.before?.completed !== undefined) return [];
  if (campaign.where !== undefined && !campaign.where.test(properties, sight)) return [];
  if (campaign.measure !== undefined && (before.get(campaign.id) || !campaign.measure.test(sight))) return [];
  const trigger = { name, id, at: Math.min(at, draft.now), properties };
  if (at < draft.now - campaign.triggerAge) {
    decided(draft, { campaign: campaign.id, kind: 'skip', reason: 'the trigger is too old' });
    return [];
  }
  if (!('each' in campaign.campaign.when) || campaign.campaign.when.each === undefined) {
    return [{ campaign, occurrence: id, trigger }];
  }
  const lines = Array.isArray(properties.products) ? properties.products : [];
  const products = lines.flatMap((line) => {
    if (line === null || typeof line !== 'object' || Array.isArray(line)) return [];
    const product = line.product_id ?? line.sku;
    const meant = campaign.where?.line === undefined || campaign.where.line.test(line, sight);
    return meant && (typeof product === 'string' || typeof product === 'number') ? [String(product)] : [];
  });
  return [...new Set(products)].map((product) => ({ campaign, occurrence: `${id}|${product}`, trigger, product }));
}

/** At entry: campaign live and in its dates → re-entry → `for` → consent. */
function startRun(draft: Draft, sight: Sight, start: Start, stimulus: Stimulus, past: Past | undefined): string[] {
  const { book, now, contact } = draft;
  const { campaign, product, trigger } = start;
  const skip = (reason: string): string[] => {
    decided(draft, { campaign: campaign.id, kind: 'skip', reason });
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
    trigger: { ...trigger, properties: slim(trigger.properties) },
    counters: {},
    pending: [],
  };
  if (product !== undefined) run.product = product;
  const asked = campaign.counters
    .filter((counter) => !counter.sinceStart || counter.names.some((name) => happenedSince(contact, run, name)))
    .flatMap((counter) => counter.names);
  if (asked.length > 0) {
    if (!covers(past, asked)) return asked;
    countPastInRun(draft, run, campaign, past as Past, stimulus, sight);
  }
  const own = sightOfRun(sight, run);
  if (campaign.for !== undefined && !campaign.for.test(own)) return skip('not in "for"');
  if (!consents(contact, campaign, now)) return skip('no consent');
  if (campaign.stopIf?.test(own)) return skip('stopIf');

  contact.journey.starts[startKey(start)] = run.startedAt;
  contact.journey.runs.push(run);
  decided(draft, { campaign: campaign.id, kind: 'start', reason: trigger.name });
  advance(draft, campaign, run, sight, decided);
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
  const around = sightOfRun(sight, run);
  const whole = withStimulus(past, stimulus);
  const since = past.interactions.filter((one) => one.id !== run.trigger.id && isSince(run, one.at));
  for (const counter of campaign.counters) {
    const counted = counter.sinceStart ? { ...past, interactions: since } : whole;
    countPast(draft, counted, [counter], run.counters, around);
  }
}

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

/** Drops what is over, and derives the next due instant: the earliest at which anything can turn by time alone. */
function tidy(draft: Draft, stimulus: Stimulus, dueBefore: number | undefined): void {
  const { book, contact, now } = draft;
  const { journey } = contact;
  const horizon = now - longestCap(book.definitions.settings.caps);
  journey.sends = journey.sends.filter((send) => send.at > horizon);
  for (const run of journey.runs) run.pending = run.pending.filter((message) => message.at > now - HOUR);
  journey.runs = journey.runs.filter((run) => run.ended === undefined || run.pending.length > 0);
  const sight = sightOf(book, contact, now);
  const turns = book.segments.map(({ rule }) => rule.next(sight));
  for (const run of journey.runs) {
    const campaign = book.version.get(`${run.campaign}@${run.version}`);
    if (campaign !== undefined) turns.push(runDue(campaign, run, sightOfRun(sight, run)));
  }
  const due = Math.min(...turns);
  delete journey.due;
  if (due === Number.POSITIVE_INFINITY) return;
  // An event moves the due instant only earlier: the index is written when it must be, and a tick derives it anew.
  const stays = stimulus.kind === 'interaction' && dueBefore !== undefined && dueBefore > now && dueBefore <= due;
  journey.due = stays ? dueBefore : Math.max(due, now + 1);
}
