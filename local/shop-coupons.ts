// Coupon codes of the demo shop: every pool gets some, so that no e-mail of the run waits for an import.

import { worthOf } from '../domain/coupon.ts';
import type { Coupons } from '../domain/settings.ts';
import { freeCodeItems } from '../functions/aws/coupons.ts';
import { chunks, key, pooled, type Table } from '../functions/aws/table.ts';

const CODES = 1_000;

/** Puts a thousand made-up codes into each pool. Answers how many pools there are. */
export async function stockPools(
  table: Table,
  { coupons, currency }: { coupons: Coupons | undefined; currency: string },
  now: number,
): Promise<number> {
  const pools = Object.entries(coupons?.pools ?? {});
  for (const [pool, said] of pools) {
    const worth = worthOf(said, currency);
    const codes = Array.from({ length: CODES }, (_, n) => `DEMO-${pool}-${String(n + 1).padStart(4, '0')}`);
    await table.create({ ...key.couponPool(pool), shape: 1, at: now });
    await pooled(chunks(codes, 50), 4, async (chunk) => {
      const items = chunk.flatMap((code) => freeCodeItems({ pool, code, ...worth }, now));
      await table.transact(items.map((item) => table.creation(item)));
    });
  }
  return pools.length;
}
