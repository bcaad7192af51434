// What the rows of an order are made by, from the published book: read, and not compiled, because no rule is asked.
import type { Definitions } from '../../domain/book.ts';
import type { Shop } from '../../domain/insight/order-rows.ts';
import { NO_CURRENCY } from '../../domain/order.ts';
import type { Bucket } from './bucket.ts';
import { faultOf, type Log } from './handler.ts';
import { key, type Table } from './table.ts';

const MOST_AGE = 10_000;

/** While nothing is published: amounts as they stand, days of UTC, no margins. */
export const UNPUBLISHED: Shop = { currency: NO_CURRENCY, zone: 'UTC', catalogue: { products: {} } };

export class ShopStore {
  readonly #table: Table;
  readonly #bucket: Bucket;
  readonly #now: () => number;
  readonly #log: Log;
  #known: { hash: string | undefined; shop: Shop; readAt: number } | undefined;

  constructor(deps: { table: Table; bucket: Bucket; now: () => number; log: Log }) {
    this.#table = deps.table;
    this.#bucket = deps.bucket;
    this.#now = deps.now;
    this.#log = deps.log;
  }

  /** The shop of the book that the pointer names, at most ten seconds old; the last good one where that cannot be read. */
  async current(): Promise<Shop> {
    const known = this.#known;
    if (known !== undefined && Math.abs(this.#now() - known.readAt) <= MOST_AGE) return known.shop;
    try {
      const hash = (await this.#table.readOne(key.pointer()))?.hash as string | undefined;
      const shop = known !== undefined && known.hash === hash ? known.shop : await this.#open(hash);
      this.#known = { hash, shop, readAt: this.#now() };
      return shop;
    } catch (error) {
      if (known === undefined) throw error;
      this.#log.error('book.unreadable', { ...faultOf(error), kept: known.hash ?? 'none' });
      known.readAt = this.#now();
      return known.shop;
    }
  }

  async #open(hash: string | undefined): Promise<Shop> {
    if (hash === undefined) return UNPUBLISHED;
    const text = await this.#bucket.get(`books/${hash}.json`);
    if (text === undefined) throw new Error('book: the pointer names a book that is not in the bucket');
    const { settings, catalogue } = JSON.parse(text) as Definitions;
    return { currency: settings.currency, zone: settings.zone, catalogue };
  }
}
