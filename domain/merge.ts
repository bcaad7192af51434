// One person in place of two: facts fold together, the older contact's journey leads.
import { type Block, foldBlock } from './block.ts';
import { type Contact, type Facts, type Journey, newContact, type Run, type Skips } from './contact.ts';
import { mergeCounters } from './counter.ts';
import {
  clearing,
  highest,
  lacksDays,
  laterPause,
  laterProfiling,
  MOST_BOUGHT,
  mergeDays,
  newer,
  tidyCart,
} from './facts.ts';
import { mergeStanding } from './standing.ts';
import { MOST_WINDOWS } from './success.ts';

function latestOf<T extends { at: number; id: string }>(a: Record<string, T>, b: Record<string, T>): Record<string, T> {
  const merged = { ...a };
  for (const [key, value] of Object.entries(b)) if (newer(value, merged[key])) merged[key] = value;
  return merged;
}

function greatestOf(a: Record<string, number>, b: Record<string, number>): Record<string, number> {
  const merged = { ...a };
  for (const [key, value] of Object.entries(b)) merged[key] = Math.max(merged[key] ?? value, value);
  return merged;
}

/** Both sides' entries; of those that both have, the one that `later` chooses. Nothing where neither side has any. */
function bothOf<T>(
  a: Record<string, T> | undefined,
  b: Record<string, T> | undefined,
  later: (one: T, other: T | undefined) => T,
): Record<string, T> | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const merged = { ...a };
  for (const [key, value] of Object.entries(b)) merged[key] = later(value, merged[key]);
  return merged;
}

function mergeFacts(a: Facts, b: Facts): Facts {
  const address = a.address === undefined || (b.address && newer(b.address, a.address)) ? b : a;
  const consents = { ...a.consents };
  for (const [key, value] of Object.entries(b.consents)) {
    const known = consents[key];
    const wins = known === undefined || newer(value, known);
    const tie = known !== undefined && known.at === value.at && known.granted !== value.granted;
    if (tie ? !value.granted : wins) consents[key] = value;
  }
  const counters = { ...a.counters };
  for (const [key, state] of Object.entries(b.counters)) {
    const known = counters[key];
    counters[key] = known === undefined ? state : mergeCounters(known, state);
  }
  const clearedByB = newer({ at: b.cart.clearedAt ?? -1, id: b.cart.clearedBy ?? '' }, clearing(a.cart));
  const clear = clearedByB ? b.cart : a.cart;
  const facts: Facts = {
    ...mergeStanding(a, b),
    attributes: latestOf(a.attributes, b.attributes),
    consents,
    withdrawn: latestOf(a.withdrawn, b.withdrawn),
    cart: { ...clear, lines: latestOf(a.cart.lines, b.cart.lines) },
    orders: {
      count: a.orders.count + b.orders.count,
      gross: a.orders.gross + b.orders.gross,
      refunded: a.orders.refunded + b.orders.refunded,
      returned: a.orders.returned + b.orders.returned,
    },
    bought: highest(greatestOf(a.bought, b.bought), MOST_BOUGHT, (value) => value),
    latest: greatestOf(a.latest, b.latest),
    counters,
  };
  const pauses = bothOf(a.pauses, b.pauses, laterPause);
  if (pauses !== undefined) facts.pauses = pauses;
  const profiling = bothOf(a.profiling, b.profiling, laterProfiling);
  if (profiling !== undefined) facts.profiling = profiling;
  const firsts = [a.orders.first, b.orders.first].filter((at) => at !== undefined);
  const lasts = [a.orders.last, b.orders.last].filter((at) => at !== undefined);
  const discounted = (a.orders.discounted ?? 0) + (b.orders.discounted ?? 0);
  if (discounted !== 0) facts.orders.discounted = discounted;
  // Where one of them has orders of which no days are known, all are read again.
  if (!lacksDays(a) && !lacksDays(b) && (a.days !== undefined || b.days !== undefined)) {
    facts.days = mergeDays(a.days ?? {}, b.days ?? {});
  }
  if (firsts.length > 0) facts.orders.first = Math.min(...firsts);
  if (lasts.length > 0) facts.orders.last = Math.max(...lasts);
  if (address.address !== undefined) facts.address = address.address;
  if (address.addressHash !== undefined) facts.addressHash = address.addressHash;
  const blocks = [a, b].flatMap((side) => (side.addressHash === facts.addressHash ? (side.suppressed ?? []) : []));
  const block = blocks.reduce<Block | undefined>(foldBlock, undefined);
  if (block !== undefined) facts.suppressed = block;
  tidyCart(facts);
  return facts;
}

/** What beside runs and sends both journeys keep. Messages of the younger one stay under its own key. */
function mergeKept(older: Journey, younger: Journey, youngerId: string): Partial<Journey> {
  const kept: Partial<Journey> = {};
  const booked = [...(older.booked ?? []), ...(younger.booked ?? [])].filter(
    (one, i, all) =>
      all.findIndex(({ campaign, occurrence }) => campaign === one.campaign && occurrence === one.occurrence) === i,
  );
  if (booked.length > 0) kept.booked = booked.sort((a, b) => a.at - b.at);
  const asked = bothOf(older.asked, younger.asked, (a, b) => Math.max(a, b ?? a));
  if (asked !== undefined) kept.asked = asked;
  // Whichever began last: it ends by an event after it.
  const rests = bothOf(older.rests, younger.rests, (a, b) => (b === undefined || a.since >= b.since ? a : b));
  if (rests !== undefined) kept.rests = rests;
  const windows = [
    ...(older.windows ?? []),
    ...(younger.windows ?? []).map(({ earlier, ...window }) => ({
      ...window,
      contact: window.contact ?? youngerId,
      ...(earlier && { earlier: { ...earlier, contact: earlier.contact ?? youngerId } }),
    })),
  ];
  if (windows.length > 0) kept.windows = windows.sort((a, b) => a.until - b.until).slice(-MOST_WINDOWS);
  const changed = bothOf(older.changed, younger.changed, (a) => a);
  if (changed !== undefined) kept.changed = changed;
  const skips = bothOf(older.skips, younger.skips, (a, b) => bothOf(a, b, addSkips) ?? a);
  if (skips !== undefined) kept.skips = skips;
  return kept;
}

function addSkips(one: Skips, other: Skips | undefined): Skips {
  if (other === undefined) return one;
  const [, ...latest] = one[1] >= other[1] ? one : other;
  return [one[0] + other[0], ...latest];
}

/** Whether `a` was there first: it keeps its id, its draws and its runs. */
export function isOlder(a: Contact, b: Contact): boolean {
  return a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.id < b.id);
}

/**
 * One person in place of two. The older contact survives; the other's remainder only points to it. Facts are folded;
 * of two live runs of one campaign (and product) the older contact's stays and the other stops; sends and caps unite.
 * `drops` are messages of stopped runs to take back, each under the contact that holds it; those planned after `now`
 * give back their places under the caps, the others may have gone out. Counters are rebuilt at the next decision.
 */
export function mergeContacts(
  one: Contact,
  other: Contact,
  now: number = Number.POSITIVE_INFINITY,
): { contact: Contact; tombstone: Contact; drops: { id: string; reason: string; contact: string }[] } {
  const [older, younger] = isOlder(one, other) ? [one, other] : [other, one];
  const sameRun = (a: Run, b: Run): boolean => a.campaign === b.campaign && a.product === b.product;
  const kept = older.journey.runs;
  const stopped = younger.journey.runs.filter(
    (run) => !run.ended && kept.some((own) => !own.ended && sameRun(own, run)),
  );
  const moved = younger.journey.runs
    .filter((run) => !stopped.includes(run))
    .map((run) => ({
      ...run,
      pending: run.pending.map((message) => ({ ...message, contact: message.contact ?? younger.id })),
    }));
  const drops = stopped.flatMap((run) =>
    run.pending.map((message) => ({ id: message.id, reason: 'merged', contact: message.contact ?? younger.id })),
  );
  const segments = { ...younger.journey.segments };
  for (const [id, state] of Object.entries(older.journey.segments)) {
    const entries = state.entries + (segments[id]?.entries ?? 0);
    const since = state.since ?? segments[id]?.since;
    segments[id] = since === undefined ? { entries } : { since, entries };
  }
  const dues = [older.journey.due, younger.journey.due].filter((due) => due !== undefined);
  const journey: Journey = {
    segments,
    runs: [...kept, ...moved],
    starts: greatestOf(older.journey.starts, younger.journey.starts),
    sends: [...older.journey.sends, ...younger.journey.sends]
      .filter((send) => send.at <= now || !drops.some((drop) => drop.id === send.id))
      .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1)),
    decisions: { ...younger.journey.decisions, ...older.journey.decisions },
  };
  Object.assign(journey, mergeKept(older.journey, younger.journey, younger.id));
  const stops = { ...younger.journey.stopped, ...older.journey.stopped };
  if (Object.keys(stops).length > 0) journey.stopped = stops;
  for (const run of stopped) journey.decisions[run.campaign] = { at: run.from, kind: 'stop', reason: 'merged' };
  if (dues.length > 0) journey.due = Math.min(...dues);
  const contact: Contact = {
    ...older,
    aliases: [...new Set([...older.aliases, ...younger.aliases])],
    facts: mergeFacts(older.facts, younger.facts),
    journey,
  };
  // What one of them said of an order of the other's is in neither's counters.
  if (older.book !== undefined) {
    const [zone, other] = [older, younger].flatMap(({ facts, book }) => (facts.days === undefined ? [] : book?.zone));
    contact.book = { ...older.book, counters: 'to be rebuilt', ...(zone !== undefined && { zone }) };
    // Days of two calendars do not add up: they are counted anew.
    if (other !== undefined && other !== zone) delete contact.facts.days;
  }
  const empty = newContact(younger.id, younger.createdAt);
  return { contact, tombstone: { ...empty, aliases: younger.aliases, mergedInto: older.id }, drops };
}
