// An order as its events leave it, in whatever order they come: lines, refunds, cancellations, owner.
import type { Interaction, SubjectKey } from './interaction.ts';

export const ORDER_SHAPE = 1;

/** Money in minor units. */
export interface OrderLine {
  product: string;
  quantity: number;
  price: number;
}

export interface Order {
  shape: number;
  /** `<source>#<order id>`. */
  key: string;
  source: string;
  id: string;
  currency: string;
  /** The contact that it belongs to, once known. */
  owner?: string;
  completed?: { at: number; id: string };
  /** The latest statement of what was ordered: Order Completed, or a later Order Updated. */
  statement?: { at: number; id: string; revenue: number; total: number; lines: OrderLine[]; properties: string };
  /** Refund id → what it took back. `all` = whatever is left. */
  refunds: Record<string, { at: number; amount?: number; all?: boolean }>;
  cancelled?: { at: number; id: string };
  /** Interactions stand under the order's own subject, because no person was known. */
  orphaned?: boolean;
}

/** The order that an event speaks of: `<source>#<order id>`, or undefined. */
export declare function orderKeyOf(interaction: Interaction): string | undefined;
/** Folds one order event in; any order of events, any repeats of different ids, one result. */
export declare function foldOrder(before: Order | undefined, interaction: Interaction, shopCurrency: string): Order;
/** The subject under which events without a person are recorded. */
export declare function orderSubject(key: string): SubjectKey;
