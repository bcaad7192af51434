// Who watches a product: items beside the product, in a few shards of its own, read oldest first page by page.
import type { Watch } from '../../domain/decision.ts';
import { sha256 } from '../../domain/interaction.ts';
import { type Item, key, type Table } from './table.ts';

/** One partition takes a thousand writes a second: a product that many look at at once needs a few. */
export const WATCH_SHARDS = 4;
const A_SHARD = 32;

const shardOfWatch = (contact: string): number => Number.parseInt(sha256(contact).slice(4, 8), 16) % WATCH_SHARDS;

/** A watch as it is stored: its key says all, so that a repeat writes the same; the table forgets it when its time is over. */
export function watchItem({ watch, product, contact, at, until }: Watch): Item {
  return { ...key.watch(product, shardOfWatch(contact), watch, at, contact), ttl: Math.ceil(until / 1000) };
}

/** Somebody who watches, as one page of watchers gives them. */
export interface Watcher {
  contact: string;
  /** When it was asked for or looked at. */
  at: number;
}

/** The watchers of one product that a walk looks for: those of a watch, from an instant to another. */
export interface Wanted {
  product: string;
  watch: string;
  from: number;
  to: number;
}

/** Where the walk over the watchers stands in each shard: the last sort key that was read; absent = at its beginning. */
export type WatchCursor = Record<string, string>;

const instantText = (at: number): string => String(Math.max(0, at)).padStart(13, '0');

/**
 * The next watchers, oldest first over all shards: as far as the pages read tell the order, which is at least one page
 * of one shard and at most 128. No `next` = these were the last. A watcher is about 0.1 KB: a page reads 3 to 4 units.
 */
export async function nextWatchers(
  table: Table,
  { product, watch, from, to }: Wanted,
  cursor: WatchCursor,
): Promise<{ watchers: Watcher[]; next?: WatchCursor }> {
  const pages = await Promise.all(
    Array.from({ length: WATCH_SHARDS }, async (_, shard) => {
      const last = cursor[shard];
      const page = await table.between(
        `WATCH#${product}#${shard}`,
        // Nothing sorts between a key and the same key with a NUL behind it.
        last === undefined ? `${watch}#${instantText(from)}` : `${last}\u0000`,
        `${watch}#${instantText(to)}#\uffff`,
        A_SHARD,
      );
      return { shard, sks: page.items.map(({ sk }) => sk), more: page.next !== undefined };
    }),
  );
  // What follows in a shard lies behind its page: up to the first of these ends the order is known.
  const ends = pages.filter(({ more }) => more).map(({ sks }) => sks.at(-1) as string);
  const known = ends.length === 0 ? undefined : ends.reduce((a, b) => (a < b ? a : b));
  const next: WatchCursor = { ...cursor };
  const taken: string[] = [];
  for (const { shard, sks } of pages) {
    const own = known === undefined ? sks : sks.filter((sk) => sk <= known);
    if (own.length > 0) next[shard] = own.at(-1) as string;
    taken.push(...own);
  }
  const watchers = taken.sort().map((sk) => {
    const [, at, ...contact] = sk.split('#');
    return { contact: contact.join('#'), at: Number(at) };
  });
  return { watchers, ...(known !== undefined && { next }) };
}

/** Forgets watchers who got what they asked for. */
export async function forgetWatchers(
  table: Table,
  wanted: Pick<Wanted, 'product' | 'watch'>,
  watchers: Watcher[],
): Promise<void> {
  await Promise.all(
    watchers.map(({ contact, at }) =>
      table.remove(key.watch(wanted.product, shardOfWatch(contact), wanted.watch, at, contact)),
    ),
  );
}
