// decide(book, contact, stimulus, now): the one place where it is decided who gets what, and when.
import { type Book, type CompiledSegment, shortModels } from './book.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { Contact, Run } from './contact.ts';
import { countInto } from './counting.ts';
import { type Decided, type Draft, draftOf, keepDecisions, note, own, type Stimulus } from './decision.ts';
import { type BookSight, longestCap, sightOf, sightOfRun } from './eligibility.ts';
import {
  type FoldingShop,
  foldFacts,
  foldSuppression,
  foldWithdrawal,
  highest,
  lacksDays,
  type OrderChange,
  takeOverDays,
  takeOverFacts,
} from './facts.ts';
import type { Interaction, Json } from './interaction.ts';
import { type Order, orderKeyOf } from './order.ts';
import { countPast, covers, holds, type Need, type Past, withStimulus } from './past.ts';
import { changes } from './rule-index.ts';
import type { Sight } from './rule-node.ts';
import { followVersion, restartWait, runDue } from './run.ts';
import { goOn } from './send.ts';
import { scoreOf } from './standing.ts';
import { askedOfPast, countPastInRun, inShopZone, keepBooking, startRuns } from './start.ts';
import { closeWindows, hearSuccess, takeBackFromWindows } from './success.ts';
import { TIER } from './tiers.ts';
import { occasionsOf } from './timed.ts';
import { type Around, compileWhere } from './where.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Of a past that is read again, as many watched products are noted. */
const MOST_WATCHES = 50;
const STOPS_KEPT = 30 * 24 * HOUR;
const ORDER_EVENTS = ['Order Completed', 'Order Updated', 'Order Refunded', 'Order Cancelled'];

/**
 * Folds the stimulus into the contact's facts, answers all rules, moves its runs and plans its messages.
 * Pure: the same book, contact, stimulus, now and past give the same answer. `contact` is not changed; the answer
 * shares with it whatever stays as it was.
 */
export function decide(book: Book, contact: Contact, stimulus: Stimulus, now: number, past?: Past): Decided | Need {
  const draft = draftOf(book, contact, now, stimulus);
  // What was recorded while nothing was published is read again under the first book.
  const first = contact.book?.ordinal === 0 && book.definitions.ordinal > 0;
  const outdated = first || contact.book?.counters !== book.counterSet;
  const anew = first || needsDays(book, contact, stimulus);
  const names = (counters: boolean) => [...new Set([...(counters ? book.read : []), ...(anew ? ORDER_EVENTS : [])])];
  if (outdated || anew) {
    if (!covers(past, names(outdated))) return { need: names(outdated) };
    if (outdated) rebuildCounters(draft, past);
    if (anew) takeOver(draft, past as Past, stimulus, first);
  }
  const starting =
    stimulus.kind === 'interaction' && !stimulus.history ? book.startedBy(stimulus.interaction.name) : [];
  const before = held(draft, starting);

  const silent = stimulus.kind === 'publish' || (stimulus.kind === 'interaction' && stimulus.history === true);
  const were = silent ? new Map<string, never>() : attributesBefore(draft, stimulus);
  if (stimulus.kind === 'interaction') {
    const spoilt = fold(draft, stimulus, outdated ? past : undefined);
    if (spoilt) {
      if (!covers(past, names(true))) return { need: names(true) };
      rebuildCounters(draft, withStimulus(past as Past, stimulus));
    }
    watch(draft, stimulus.interaction);
  } else if (stimulus.kind === 'book') keepBooking(draft, stimulus);

  const sight = sightOf(book, draft.contact, now);
  const { entered, left } = moveMembership(draft, sight, silent);
  if (stimulus.kind === 'interaction') {
    hearReturn(draft, sight, stimulus.interaction);
    hearSuccess(draft, sight, stimulus);
  }
  const missing = moveRuns(draft, sight, stimulus, past);
  const asked = startRuns(draft, sight, stimulus, starting, before, { entered, left, were }, past);
  const need = [...missing, ...asked];
  if (need.length > 0) return { need: [...new Set([...need, ...(past?.names ?? [])])] };
  if (stimulus.kind !== 'publish') goOn(draft, sight);
  if (Object.keys(draft.set).length > 0)
    Object.assign(own(draft.contact.facts, contact.facts, 'attributes'), draft.set);

  draft.contact.book = standsBy(book, draft.contact);
  keepDecisions(draft);
  tidy(draft, sight, stimulus);
  const { messages, drops, decisions, notices, watches, conversions } = draft;
  const changed = messages.length > 0 || drops.length > 0 || !isSame(contact, unlessModels(draft));
  return { contact: draft.contact, messages, drops, decisions, notices, watches, conversions, changed };
}

/** The book and the models that have decided, as a contact keeps them. */
function standsBy(
  { hash, definitions: { ordinal, settings }, counterSet, models }: Book,
  { facts }: Contact,
): NonNullable<Contact['book']> {
  const by = {
    hash,
    ordinal,
    counters: counterSet,
    ...(facts.days === undefined ? {} : { zone: settings.zone }),
  };
  return models === undefined ? by : { ...by, models: { hash: shortModels(models), ordinal: models.ordinal ?? 1 } };
}

/**
 * The contact as it is to be compared with the one that was given: that other models have come to the same is no change,
 * and costs no write. Where a part of the models is new to the contact it is one, so that it is new once.
 */
function unlessModels({ contact, given, book }: Draft): Contact {
  const known = given.book?.models;
  const newest = Math.max(0, ...Object.values(book.models?.since ?? {}));
  if (known === undefined || contact.book?.models === undefined || known.ordinal < newest) return contact;
  return { ...contact, book: { ...contact.book, models: known } };
}

/** Whether two values of a contact say the same; what both share is not looked into. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const [a, b] = [one as Record<string, unknown>, other as Record<string, unknown>];
  const lacks = (side: typeof a, key: string): boolean => !Object.hasOwn(side, key) || side[key] === undefined;
  for (const key of Object.keys(a)) if (!(lacks(b, key) ? lacks(a, key) : isSame(a[key], b[key]))) return false;
  for (const key of Object.keys(b)) if (lacks(a, key) && !lacks(b, key)) return false;
  return true;
}

/** Of campaigns with a measure, the ids of those whose measure holds at present. */
function held({ book, contact, now }: Draft, campaigns: readonly CompiledCampaign[]): Set<string> {
  const measured = campaigns.filter((one) => one.measure?.test(sightOf(book, contact, now)));
  return new Set(measured.map((one) => one.id));
}

/** Dates in a "where" begin in the shop's zone: a person's own may become known only after the event was counted. */
function aroundOf({ book, now }: Draft): Around {
  const { settings, catalogue } = book.definitions;
  return { now, zone: settings.zone, catalogue };
}

function rebuildCounters(draft: Draft, past: Past | undefined): void {
  const { facts } = draft.contact;
  facts.counters = {};
  // No past is asked for where nothing is counted.
  if (past === undefined) return;
  countPast(draft, past, draft.book.counters, facts.counters, aroundOf(draft));
  for (const { name, at } of past.interactions) noteLatest(draft, name, at);
  const watched = past.interactions.filter(({ name }) => draft.book.watchedBy(name).length > 0);
  for (const one of watched.sort((a, b) => b.at - a.at).slice(0, MOST_WATCHES)) watch(draft, one);
}

/** Notes beside each watched product that the contact watches it. */
function watch(draft: Draft, { name, at, properties }: Interaction): void {
  const watches = draft.book.watchedBy(name);
  if (watches.length === 0) return;
  const product = properties.product_id ?? properties.sku;
  if (typeof product !== 'string' && typeof product !== 'number') return;
  const around = aroundOf(draft);
  for (const { id, where, keep, exact } of watches) {
    if (at + keep <= draft.now || where?.test(properties, around) === false) continue;
    const watchedAt = exact ? at : Math.floor(at / DAY) * DAY;
    draft.watches.push({
      watch: id,
      product: String(product),
      contact: draft.contact.id,
      at: watchedAt,
      until: at + keep,
    });
  }
}

/** Of campaigns that start when an attribute changes, what it was before this stimulus, or before a campaign set it. */
function attributesBefore(
  { book, given, contact, now }: Draft,
  stimulus: Stimulus,
): ReadonlyMap<string, Json | undefined> {
  const were = new Map<string, Json | undefined>();
  const { changed } = given.journey;
  delete contact.journey.changed;
  if (book.starts.changes.length === 0) return were;
  const tier = tierBefore(book, given);
  if (changed === undefined && stimulus.kind !== 'interaction' && tier === undefined) return were;
  const sight = sightOf(book, given, now);
  for (const { id, changes } of book.starts.changes) {
    if (changes === undefined) continue;
    if (changes.attribute === TIER && book.tiers.length > 0) {
      if (tier !== undefined) were.set(id, tier.was);
      continue;
    }
    if (changed === undefined && stimulus.kind !== 'interaction') continue;
    const set = changed !== undefined && Object.hasOwn(changed, changes.attribute);
    were.set(id, set ? (changed[changes.attribute] ?? undefined) : changes.read(sight));
  }
  return were;
}

/**
 * The loyalty tier before this stimulus: the one that was given, else the one that the contact was found in last, so that
 * also time turns it. Undefined where none of it is a change: no campaign asks, or tiers or models are new to the contact.
 */
function tierBefore(book: Book, given: Contact): { was: string | undefined } | undefined {
  const asked = book.tiers.length > 0 && book.starts.changes.some(({ changes }) => changes?.attribute === TIER);
  if (!asked || book.tiers.some((tier) => isTakenOver(book, given, tier))) return undefined;
  const score = scoreOf(given.facts, TIER);
  const { segments } = given.journey;
  const stored = book.tiers.find(({ id }) => segments[id]?.since !== undefined)?.tier;
  return { was: typeof score === 'string' ? score : stored };
}

/**
 * Whether the contact moves into and out of a segment in silence: it met an older rule. So does one to whom a part of the
 * models is new, or for whom they cannot be read: nothing has happened to the person. One that was never decided over is
 * new to every segment.
 */
function isTakenOver(book: Book, given: Contact, { since, readsModels, modelsSince }: CompiledSegment): boolean {
  const known = given.book?.ordinal;
  const models = given.book?.models?.ordinal ?? 0;
  const unread = models > 0 && book.models === undefined;
  return known !== undefined && (known < since || models < modelsSince || (unread && readsModels));
}

/** The person has returned: topics that rest until then rest no more. */
function hearReturn(draft: Draft, sight: Sight, { name, at, properties }: Interaction): void {
  const { rests } = draft.contact.journey;
  if (rests === undefined) return;
  const left = Object.entries(rests).filter(
    ([
      ,
      {
        since,
        until: { did, where },
      },
    ]) => {
      if (!did.includes(name) || at <= since) return true;
      return where !== undefined && !compileWhere(where).test(properties, inShopZone(sight));
    },
  );
  if (left.length === Object.keys(rests).length) return;
  if (left.length === 0) delete draft.contact.journey.rests;
  else draft.contact.journey.rests = Object.fromEntries(left);
}

/**
 * Whether the days of a contact's orders must be counted anew: they were folded before there were days, or by another
 * zone; or the stimulus changes an order whose margins were not looked up, so that nobody knows what it added.
 */
function needsDays(
  { definitions: { settings, ordinal } }: Book,
  { facts, book }: Contact,
  stimulus: Stimulus,
): boolean {
  if (facts.days === undefined) return lacksDays(facts);
  if (book?.zone !== undefined && book.zone !== settings.zone) return true;
  const before = stimulus.kind === 'interaction' ? stimulus.order?.before?.statement : undefined;
  return ordinal > 0 && before !== undefined && !before.costed;
}

const shopOf = ({ currency, brand, definitions: { settings, catalogue } }: Book): FoldingShop => ({
  currency,
  brand,
  zone: settings.zone,
  catalogue,
});

/** Orders as they were before the stimulus, which is folded afterwards. `first`: all that was folded without a book. */
function takeOver(draft: Draft, past: Past, stimulus: Stimulus, first: boolean): void {
  const order = stimulus.kind === 'interaction' ? stimulus.order : undefined;
  const others = past.orders.filter((one) => one.key !== order?.after.key);
  const orders = order?.before === undefined ? others : [...others, order.before];
  const takeOverAll = first ? takeOverFacts : takeOverDays;
  takeOverAll(draft.contact.facts, orders, shopOf(draft.book));
}

/** Of names that some rule reads, when it happened last. */
function noteLatest({ book, contact, given }: Draft, name: string, at: number): void {
  if (!book.read.has(name) || (contact.facts.latest[name] ?? Number.NEGATIVE_INFINITY) >= at) return;
  own(contact.facts, given.facts, 'latest')[name] = at;
}

/**
 * `rebuilt`: the past from which the counters were made just now. True when a counter could not be undone, so that all
 * must be made anew: no contact is kept with such a counter.
 */
function fold(draft: Draft, stimulus: Extract<Stimulus, { kind: 'interaction' }>, rebuilt: Past | undefined): boolean {
  const { book, given } = draft;
  const { interaction, order, address } = stimulus;
  foldFacts(draft.contact, interaction, order, shopOf(book));
  const claimed = interaction.who.address;
  if (address?.suppression !== undefined && claimed !== undefined) {
    draft.contact = foldSuppression(draft.contact, { ...address.suppression, addressHash: claimed });
  }
  if (draft.contact.facts.addressHash === claimed) {
    for (const { brand, at } of address?.withdrawals ?? []) draft.contact = foldWithdrawal(draft.contact, brand, at);
  }
  const { facts } = draft.contact;
  const around = aroundOf(draft);
  let spoilt = false;
  const count = (one: Interaction, change?: OrderChange): void => {
    const counters = book.countersOf(one.name);
    if (counters.length === 0) return;
    const states = own(facts, given.facts, 'counters');
    countInto(states, counters, one, change, around, book.context);
    spoilt ||= counters.some(({ id }) => states[id]?.stale);
  };
  for (const orphan of stimulus.orphans ?? []) {
    if (orphan.name === 'Order Completed' || orphan.id === interaction.id) continue;
    noteLatest(draft, orphan.name, orphan.at);
    if (rebuilt === undefined || !holds(rebuilt, orphan)) count(orphan);
  }
  count(interaction, order && { before: countedOrder(rebuilt, order.after.key) ?? order.before, after: order.after });
  noteLatest(draft, interaction.name, interaction.at);
  for (const run of draft.contact.journey.runs) countInRun(draft, run, interaction, order);
  return spoilt;
}

/** The order as it stands in counters that were made from the past. */
function countedOrder(rebuilt: Past | undefined, key: string): Order | undefined {
  const spoken = rebuilt?.interactions.some((one) => one.name === 'Order Completed' && orderKeyOf(one) === key);
  return spoken ? rebuilt?.orders.find((order) => order.key === key) : undefined;
}

function countInRun(draft: Draft, run: Run, interaction: Interaction, order: OrderChange | undefined): void {
  const { book, contact, now } = draft;
  const campaign = book.version.get(`${run.campaign}@${run.version}`);
  const counters = (campaign?.counters ?? []).filter(
    ({ names, sinceStart }) =>
      names.includes(interaction.name) &&
      !(sinceStart && (interaction.at < run.startedAt || interaction.id === run.trigger.id)),
  );
  if (counters.length === 0) return;
  const around = inShopZone(sightOfRun(sightOf(book, contact, now), run));
  // A run counts an order when it is completed; what later becomes of it is asked through refunds and cancellations.
  const change = interaction.name === 'Order Completed' ? order : undefined;
  run.counters = { ...run.counters };
  countInto(run.counters, counters, interaction, change, around, book.context);
}

/** Moves the contact into and out of segments; returns those newly entered and left. Silent: taken over without either. */
function moveMembership(draft: Draft, sight: BookSight, silent: boolean): { entered: Set<string>; left: Set<string> } {
  const { book, contact, given } = draft;
  const { bits } = sight.membership();
  const was = new Uint32Array(bits.length);
  const gone: string[] = [];
  const states = given.journey.segments;
  for (const id in states) {
    const place = book.segment.get(id)?.place;
    if (place === undefined) gone.push(id);
    else if (states[id]?.since !== undefined) was[place >>> 5] = (was[place >>> 5] as number) | (1 << (place & 31));
  }
  const moved = changes(was, bits);
  const entered = new Set<string>();
  const left = new Set<string>();
  if (moved.entered.length + moved.left.length + gone.length === 0) return { entered, left };
  const segments = own(contact.journey, given.journey, 'segments');
  const takenOver = (segment: CompiledSegment): boolean => silent || isTakenOver(book, given, segment);
  for (const place of moved.left) {
    const id = book.index.ids[place] as string;
    segments[id] = { entries: segments[id]?.entries ?? 0 };
    if (!takenOver(book.segment.get(id) as CompiledSegment)) left.add(id);
  }
  for (const place of moved.entered) {
    const segment = book.segment.get(book.index.ids[place] as string) as CompiledSegment;
    const { id } = segment;
    const over = takenOver(segment);
    segments[id] = { since: draft.now, entries: (segments[id]?.entries ?? 0) + (over ? 0 : 1) };
    if (!over) entered.add(id);
  }
  for (const id of gone) {
    // The ordinal of an entry names a run: should the segment come back, none is given twice.
    const entries = segments[id]?.entries ?? 0;
    if (entries > 0) segments[id] = { entries };
    else delete segments[id];
  }
  return { entered, left };
}

/** Follows new versions, stops what is over, starts waits anew. Returns event names whose past a moved run needs. */
function moveRuns(draft: Draft, sight: Sight, stimulus: Stimulus, past: Past | undefined): string[] {
  const { journey } = draft.contact;
  const runs = [...journey.runs].sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1));
  const need: string[] = [];
  journey.runs = [];
  for (const run of runs) {
    const version = run.version;
    const campaign = followVersion(draft, run);
    if ('stops' in campaign) {
      stopRun(draft, run, campaign.stops);
      continue;
    }
    if (run.version !== version) {
      const asked = askedOfPast(draft.contact, run, campaign);
      if (!covers(past, asked)) need.push(...asked);
      else if (asked.length > 0) {
        run.counters = { ...run.counters };
        countPastInRun(draft, run, campaign, past as Past, stimulus, sight);
      }
    }
    if (campaign.stopIf?.test(sightOfRun(sight, run))) {
      stopRun(draft, run, 'stopIf');
      continue;
    }
    journey.runs.push(run);
    if (stimulus.kind === 'interaction') restart(campaign, run, stimulus.interaction, sight);
  }
  return need;
}

/** An event that starts the current wait anew: one after the wait began, and not the trigger itself. */
function restart({ restartOn, ...campaign }: CompiledCampaign, run: Run, interaction: Interaction, sight: Sight): void {
  if (restartOn === undefined || !restartOn.names.includes(interaction.name)) return;
  if (interaction.id === run.trigger.id || interaction.at <= run.from) return;
  const inside = inShopZone(sightOfRun(sight, run));
  if (restartOn.where?.test(interaction.properties, inside) === false) return;
  restartWait(campaign, run, interaction.at, sight);
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
    if (message.at > draft.now) {
      journey.sends = journey.sends.filter((send) => send.id !== message.id);
      takeBackFromWindows(draft, message.id);
    }
  }
  if (run.planned) journey.stopped = { ...journey.stopped, [run.id]: draft.now };
  if (run.ended === undefined) {
    note(draft, { campaign: run.campaign, version: run.version, run: run.id, kind: 'stop', reason });
  }
}

/** How far a tick looks ahead for an instant at which an answer turns, and not only something that was found. */
const LOOKS_AHEAD = 16;

/** The first due instant at which the membership is another one, or the last one that was looked at: never late. */
function nextTurn(sight: BookSight): number {
  const { bits, due: first } = sight.membership();
  let due = first;
  for (let looks = 0; looks < LOOKS_AHEAD && due !== Number.POSITIVE_INFINITY; looks++) {
    const then = sight.at(due).membership();
    if (then.bits.some((word, i) => word !== bits[i])) break;
    due = then.due;
  }
  return due;
}

/** Drops what is over, and derives the next due instant: the earliest at which anything can turn by time alone. */
function tidy(draft: Draft, sight: BookSight, stimulus: Stimulus): void {
  const { book, contact, given, now } = draft;
  const { journey } = contact;
  const horizon = now - longestCap(book.definitions.settings.caps);
  journey.sends = journey.sends.filter((send) => send.at > horizon);
  if (journey.stopped !== undefined) {
    const stopped = Object.entries(journey.stopped).filter(([, at]) => at > now - STOPS_KEPT);
    if (stopped.length > 0) journey.stopped = Object.fromEntries(stopped);
    else delete journey.stopped;
  }
  for (const run of journey.runs) run.pending = run.pending.filter((message) => message.at > now - HOUR);
  journey.runs = journey.runs.filter((run) => run.ended === undefined || run.pending.length > 0);
  closeWindows(draft);
  tidyLists(draft);
  let due = stimulus.kind === 'tick' || stimulus.kind === 'models' ? nextTurn(sight) : sight.membership().due;
  due = Math.min(due, journey.booked?.[0]?.at ?? Number.POSITIVE_INFINITY);
  for (const campaign of book.starts.timed) due = Math.min(due, occasionsOf(campaign, sight).next);
  // What a campaign has set is seen by rules at once, at a stimulus of its own.
  if (journey.changed !== undefined) due = now;
  for (const run of journey.runs) {
    const campaign = book.version.get(`${run.campaign}@${run.version}`);
    if (campaign !== undefined) due = Math.min(due, runDue(campaign, run, sightOfRun(sight, run)));
  }
  if (due === Number.POSITIVE_INFINITY) {
    delete journey.due;
    return;
  }
  // An event moves the due instant only earlier: the index is written when it must be, and a tick derives it anew.
  const set = given.journey.due;
  const stays = stimulus.kind === 'interaction' && set !== undefined && set > now && set <= due;
  journey.due = stays ? set : Math.max(due, now + 1);
}

/** Most starts that are remembered beside one for each campaign: those for a product, order or request; the newest stay. */
const MOST_STARTS = 500;
/** Of products that were asked, the newest. */
const MOST_ASKED = 200;

/** Bounds what grows with time: starts that are remembered, and what was asked of dates and products. */
function tidyLists({ contact: { journey } }: Draft): void {
  const { asked, starts } = journey;
  if (Object.keys(starts).length > MOST_STARTS) journey.starts = newest(starts, MOST_STARTS);
  if (asked !== undefined && Object.keys(asked).length > MOST_ASKED) journey.asked = newest(asked, MOST_ASKED);
}

/** What is kept by the campaign alone, and the newest of what is kept by something more. */
function newest(kept: Record<string, number>, most: number): Record<string, number> {
  const of = (more: boolean): Record<string, number> =>
    Object.fromEntries(Object.entries(kept).filter(([key]) => key.includes('|') === more));
  return { ...of(false), ...highest(of(true), most, (at) => at) };
}
