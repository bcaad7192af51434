// Where a report gets its figures: the lake of a stage, or a plain file of orders with no stack at all.
import type { Models } from '../domain/insight/models.ts';
import type { Shop } from '../domain/insight/order-rows.ts';
import type { Warehouse } from '../functions/aws/warehouse.ts';

export interface InsightSource {
  /** The tables of the lake, and the views over them. */
  warehouse: Warehouse;
  shop: Shop;
  /** The last day that counts, as a number of days since 1970-01-01 in the shop's calendar. */
  today: number;
  /** What the stage's nightly run has fitted; absent for a file. */
  models?: Models;
  /** In a sentence: what was read, and what was left out. */
  says: string;
  close(): Promise<void>;
}
