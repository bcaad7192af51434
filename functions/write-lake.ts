// Stream of the table → files of the lake, and counters of reports and tests.
import type { DynamoDBStreamEvent } from 'aws-lambda';
import type { Bucket } from './aws/bucket.ts';
import { type Gone, goneAmong } from './aws/erasures.ts';
import { log, once, handler as wrapped } from './aws/handler.ts';
import { changesOf, type Line, writeFiles } from './aws/lake.ts';
import { bucket, table } from './aws/parts.ts';
import { countReports } from './aws/reports.ts';
import { ShopStore } from './aws/shop-store.ts';
import type { Table } from './aws/table.ts';

/** A stream event; the shard's name comes with the tumbling window of the mapping. */
export type LakeEvent = DynamoDBStreamEvent & { shardId?: string };

/** Writes a batch: files under names that a repeat writes again, counters that a repeat passes over. */
export async function writeLake(
  event: LakeEvent,
  deps: { table: Table; bucket: Bucket; shop: Pick<ShopStore, 'current'> },
): Promise<{ state: object }> {
  const changes = changesOf(event.Records ?? []);
  const shard = (event.shardId ?? 'stream').replace(/[^A-Za-z0-9-]/g, '').slice(-40);
  // Who was erased while their last records waited in the stream does not come back.
  const gone = (lines: Line[]): Promise<Gone> => goneAmong(deps.table, lines);
  await writeFiles(changes, shard, deps.bucket, await deps.shop.current(), gone);
  await countReports(changes, shard, deps.table);
  return { state: {} };
}

const shop = once(() => new ShopStore({ table: table(), bucket: bucket(), now: Date.now, log }));

export const handler = wrapped((event: LakeEvent) =>
  writeLake(event, { table: table(), bucket: bucket(), shop: shop() }),
);
