// What a decision may ask for: everything that was recorded of a person under some names.
import type { Contact } from './contact.ts';
import { type Counter, countInto } from './counting.ts';
import type { Draft, Stimulus } from './decision.ts';
import type { Interaction } from './interaction.ts';
import { type Order, orderKeyOf } from './order.ts';
import type { Around } from './where.ts';

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

/** Whether a past was given that tells of all these names. */
export function covers(past: Past | undefined, names: string[]): boolean {
  return names.length === 0 || (past !== undefined && names.every((name) => past.names.includes(name)));
}

/** Whether the past holds this very interaction. */
export function holds(past: Past, interaction: Interaction): boolean {
  return past.interactions.some((one) => one.id === interaction.id && one.name === interaction.name);
}

/** The past with the stimulus itself, and the present state of its order. */
export function withStimulus(past: Past, stimulus: Stimulus): Past {
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
