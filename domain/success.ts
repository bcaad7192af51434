// What counts as a conversion: the first success of a person who entered, inside the window of a run's messages.
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { Run, Window } from './contact.ts';
import { type Draft, own, type Stimulus } from './decision.ts';
import { sightOfRun } from './eligibility.ts';
import type { Json, JsonObject } from './interaction.ts';
import { minorUnits } from './money.ts';
import { inShopCurrency, netRevenue } from './order.ts';
import type { Sight } from './rule-node.ts';
import { numberOf } from './where.ts';

/** Windows that one contact keeps open; the newest. */
export const MOST_WINDOWS = 30;
/** An event may come late: its window is kept so long after its end. */
const LATE = 86_400_000;

/**
 * Opens the window of a run, or moves it on to a further message of it: a success counts from its first message, sent or
 * ghost, until so long after its last; it is told to the last message before it.
 */
export function openWindow(
  draft: Draft,
  campaign: CompiledCampaign,
  run: Run,
  message: string,
  at: number,
  sight: Sight,
): void {
  const { success } = campaign;
  if (success === undefined) return;
  const { journey } = draft.contact;
  const before = journey.windows?.find((window) => window.run === run.id);
  const inside = sightOfRun(sight, run);
  const meant: Record<string, Json> = {};
  for (const reference of success.references) {
    const value = inside.resolve?.(reference);
    if (value !== undefined) meant[reference] = value;
  }
  const window: Window = {
    campaign: campaign.id,
    version: campaign.version,
    run: run.id,
    message,
    from: before?.from ?? at,
    at,
    until: at + success.within,
    ...(before === undefined ? {} : { earlier: toldTo(before) }),
    ...(success.references.length === 0 ? {} : { meant }),
  };
  const others = (journey.windows ?? []).filter((one) => one !== before);
  journey.windows = [...others, window].slice(-MOST_WINDOWS);
}

/** The message of a window, and until when it is open for it. */
function toldTo({ message, contact, until }: Window): NonNullable<Window['earlier']> {
  return { message, until, ...(contact === undefined ? {} : { contact }) };
}

/** A message was taken back before it went out: its run's window is that of the message before it again, or none. */
export function takeBackFromWindows(draft: Draft, message: string): void {
  const { windows } = draft.contact.journey;
  if (windows?.some((window) => window.message === message) !== true) return;
  const left = windows.flatMap(({ earlier, contact, ...window }) => {
    if (window.message !== message) return [{ ...window, ...(contact && { contact }), ...(earlier && { earlier }) }];
    return earlier === undefined ? [] : [{ ...window, ...earlier, at: window.from }];
  });
  keepWindows(draft, left);
}

/** What an event would be told to in a window: the last message before it; undefined where it is outside. */
function heardIn(window: Window, at: number): NonNullable<Window['earlier']> | undefined {
  const last = at > window.at || window.earlier === undefined ? toldTo(window) : window.earlier;
  return at > window.from && at <= last.until ? last : undefined;
}

/**
 * Closes the windows in which the event is a success, and tells their messages; of several runs of one campaign that of the
 * newest, so that an order counts once. History converts nobody.
 */
export function hearSuccess(draft: Draft, sight: Sight, stimulus: Extract<Stimulus, { kind: 'interaction' }>): void {
  const { interaction, order, history } = stimulus;
  const { windows } = draft.contact.journey;
  if (windows === undefined || history === true) return;
  const met = windows.filter((window) => {
    const success = draft.book.version.get(`${window.campaign}@${window.version}`)?.success;
    if (success === undefined || !success.names.includes(interaction.name)) return false;
    if (heardIn(window, interaction.at) === undefined || window.until + LATE <= draft.now) return false;
    // An order is completed once, under whatever message id it is said again.
    if (interaction.name === 'Order Completed' && order?.before?.completed !== undefined) return false;
    const around = { ...sight, zone: sight.shopZone, resolve: (reference: string) => window.meant?.[reference] };
    return success.where?.test(interaction.properties, around) ?? true;
  });
  if (met.length === 0) return;
  const newest = new Map<string, Window>();
  for (const window of met) {
    const other = newest.get(window.campaign);
    if (other === undefined || window.from >= other.from) newest.set(window.campaign, window);
  }
  for (const window of newest.values()) {
    const success = draft.book.version.get(`${window.campaign}@${window.version}`)?.success;
    const value = worthOf(draft, stimulus, success?.value);
    const { message, contact = draft.contact.id } = heardIn(window, interaction.at) as NonNullable<Window['earlier']>;
    draft.conversions.push({
      message,
      contact,
      at: interaction.at,
      event: interaction.name,
      ...(order === undefined ? {} : { order: order.after.key }),
      ...(value === undefined ? {} : { value }),
    });
  }
  const left =
    own(draft.contact.journey, draft.given.journey, 'windows')?.filter((window) => !met.includes(window)) ?? [];
  keepWindows(draft, left);
}

/** Drops windows that are over, with a day for what comes late. */
export function closeWindows(draft: Draft): void {
  const { windows } = draft.contact.journey;
  if (windows === undefined) return;
  const left = windows.filter(({ until }) => until + LATE > draft.now);
  if (left.length < windows.length) keepWindows(draft, left);
}

function keepWindows({ contact: { journey } }: Draft, windows: Window[]): void {
  if (windows.length === 0) delete journey.windows;
  else journey.windows = windows;
}

/** Revenue or margin in minor units of the shop's currency; undefined where it cannot be told. */
function worthOf(
  { book }: Draft,
  { interaction, order }: Extract<Stimulus, { kind: 'interaction' }>,
  value: 'revenue' | 'margin' | undefined,
): number | undefined {
  if (value === undefined) return undefined;
  const { currency } = book;
  const stated = order === undefined ? undefined : inShopCurrency(order.after, currency);
  if (stated !== undefined && stated.currency !== currency) return undefined;
  if (value === 'revenue') {
    if (stated !== undefined) return netRevenue(stated);
    const { revenue } = interaction.properties;
    return numberOf(revenue) === undefined ? undefined : minorUnits(revenue, currency);
  }
  const { products } = interaction.properties;
  let margin: number | undefined;
  for (const line of Array.isArray(products) ? products : []) {
    if (line === null || typeof line !== 'object' || Array.isArray(line)) continue;
    const share = book.definitions.catalogue.products[String(line.product_id ?? line.sku)]?.margin;
    const price = priceOf(line, currency);
    if (share !== undefined && price !== undefined) margin = (margin ?? 0) + Math.round(price * share);
  }
  return margin;
}

function priceOf(line: JsonObject, currency: string): number | undefined {
  if (numberOf(line.price) === undefined) return undefined;
  return minorUnits(line.price, currency) * (numberOf(line.quantity) ?? 1);
}
