// decide(book, contact, stimulus, now): the one place where it is decided who gets what, and when.
import type { Book, CompiledCampaign } from './book.ts';
import type { Contact, Run } from './contact.ts';
import { countInto } from './counting.ts';
import { type Decided, type Draft, note, type Stimulus } from './decision.ts';
import { longestCap, sightOf, sightOfRun, zoneOf } from './eligibility.ts';
import { foldFacts, foldSuppression, foldWithdrawal, takeOverFacts } from './facts.ts';
import type { Interaction } from './interaction.ts';
import { type Order, orderKeyOf } from './order.ts';
import { countPast, covers, holds, type Need, type Past, withStimulus } from './past.ts';
import type { Sight } from './rule.ts';
import { advance, runDue } from './run.ts';
import { startRuns } from './start.ts';
import type { Around } from './where.ts';

const HOUR = 3_600_000;
const STOPS_KEPT = 30 * 24 * HOUR;
const ORDER_EVENTS = ['Order Completed', 'Order Updated', 'Order Refunded', 'Order Cancelled'];

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

function aroundOf(draft: Draft): Around {
  const { book, contact, now } = draft;
  return { now, zone: zoneOf(book, contact), catalogue: book.definitions.catalogue };
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
    const inside = sight.inSegment(id);
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
      if (stimulus.kind !== 'publish') advance(draft, campaign, run, sight);
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
  if (run.planned) journey.stopped = { ...journey.stopped, [run.id]: draft.now };
  if (run.ended === undefined) note(draft, { campaign: run.campaign, kind: 'stop', reason });
}

/** Drops what is over, and derives the next due instant: the earliest at which anything can turn by time alone. */
function tidy(draft: Draft, stimulus: Stimulus, dueBefore: number | undefined): void {
  const { book, contact, now } = draft;
  const { journey } = contact;
  const horizon = now - longestCap(book.definitions.settings.caps);
  journey.sends = journey.sends.filter((send) => send.at > horizon);
  const stopped = Object.entries(journey.stopped ?? {}).filter(([, at]) => at > now - STOPS_KEPT);
  delete journey.stopped;
  if (stopped.length > 0) journey.stopped = Object.fromEntries(stopped);
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
