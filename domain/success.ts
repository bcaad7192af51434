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
    until: at + success.within,
    ...(success.references.length === 0 ? {} : { meant }),
  };
  const others = (journey.windows ?? []).filter((one) => one !== before);
  journey.windows = [...others, window].slice(-MOST_WINDOWS);
}

/** Closes the windows in which the event is a success, and tells their messages. History converts nobody. */
export function hearSuccess(draft: Draft, sight: Sight, stimulus: Extract<Stimulus, { kind: 'interaction' }>): void {
  const { interaction, order, history } = stimulus;
  const { windows } = draft.contact.journey;
  if (windows === undefined || history === true) return;
  const met = windows.filter((window) => {
    const success = draft.book.version.get(`${window.campaign}@${window.version}`)?.success;
    if (success === undefined || !success.names.includes(interaction.name)) return false;
    if (interaction.at <= window.from || interaction.at > window.until) return false;
    // An order is completed once, under whatever message id it is said again.
    if (interaction.name === 'Order Completed' && order?.before?.completed !== undefined) return false;
    const around = { ...sight, zone: sight.shopZone, resolve: (reference: string) => window.meant?.[reference] };
    return success.where?.test(interaction.properties, around) ?? true;
  });
  if (met.length === 0) return;
  for (const window of met) {
    const success = draft.book.version.get(`${window.campaign}@${window.version}`)?.success;
    const value = worthOf(draft, stimulus, success?.value);
    draft.conversions.push({
      message: window.message,
      contact: window.contact ?? draft.contact.id,
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
