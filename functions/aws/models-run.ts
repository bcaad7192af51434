// The record of the nightly run: what it came to, what it kept, and the walk that it began.
import type { ModelNote, ModelPart } from '../../domain/insight/models.ts';
import type { ModelsWalk } from './roster.ts';
import type { Item } from './table.ts';

/** What the last run has come to, as its record says it. */
export interface ModelsRun {
  /** When it ended. */
  at: number;
  /** The last day whose orders it read. */
  today: number;
  customers: number;
  orders: number;
  moved: ModelPart[];
  notes: ModelNote[];
  /** Of each part the last day on which it was fitted, or found to fit still. */
  good: Partial<Record<ModelPart, number>>;
  /** Hash and ordinal of the models that stand since. */
  models?: { hash: string; ordinal: number };
  /** The walk that models have led to last. */
  walk?: ModelsWalk;
  /** The last run that failed, where it is later than the last that did not. */
  failed?: { at: number; error: string; says: string };
}

/** The record of the last run; undefined where there was none. */
export function readModelsRun(item: Item | undefined): ModelsRun | undefined {
  if (item === undefined) return undefined;
  const {
    at = 0,
    today = 0,
    customers = 0,
    orders = 0,
    moved = [],
    notes = [],
    good = {},
  } = item as Partial<ModelsRun>;
  const { models, walk, failed } = item as Partial<ModelsRun>;
  return {
    ...{ at, today, customers, orders, moved, notes, good },
    ...(models !== undefined && { models }),
    ...(walk !== undefined && { walk }),
    ...(failed !== undefined && { failed }),
  };
}
