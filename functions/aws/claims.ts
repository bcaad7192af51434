// Open claims: what becomes of a message of which nobody knows whether SES took it.
import type { Message } from '../../domain/message.ts';
import { key, shardText, type Table } from './table.ts';

export const CLAIM_LASTS = 15 * 60_000;
/**
 * So long must a proof stand before it counts: an event that receive-feedback fails on comes back each three minutes, up
 * to eight times, while later ones get through; and a backlog of the queue arrives in any order.
 */
export const PROOF_STANDS = 30 * 60_000;
const ASK_AGAIN = 5 * 60_000;
const UNCERTAIN_AFTER = 6 * 3_600_000;
/** `Send` events come in no strict order: one that is this much younger proves that an older one would have come. */
const MARGIN = 2 * 60_000;
/** Few, since a feedback batch writes each at most once. */
const SHARDS = 4;

export type Reconciled =
  | { kind: 'again' }
  /** `provenAt` is to be kept on the message. */
  | { kind: 'wait'; until: number; provenAt?: number }
  | { kind: 'uncertain' };

/**
 * An open claim is sent again only when feedback shows that a later claim's `Send` came half an hour ago, and this one's
 * has not come since. A silent feedback path never makes a duplicate: after six hours the message is uncertain.
 */
export function reconcile(
  claim: Pick<Message, 'claimedAt' | 'provenAt'>,
  watermark: number | undefined,
  now: number,
): Reconciled {
  const { claimedAt = 0, provenAt } = claim;
  if (now < claimedAt + CLAIM_LASTS) return { kind: 'wait', until: claimedAt + CLAIM_LASTS };
  if (provenAt !== undefined) {
    return now < provenAt + PROOF_STANDS ? { kind: 'wait', until: provenAt + PROOF_STANDS } : { kind: 'again' };
  }
  if (watermark !== undefined && watermark > claimedAt) {
    return { kind: 'wait', until: now + PROOF_STANDS, provenAt: now };
  }
  if (now >= claimedAt + UNCERTAIN_AFTER) return { kind: 'uncertain' };
  return { kind: 'wait', until: Math.min(now + ASK_AGAIN, claimedAt + UNCERTAIN_AFTER) };
}

/** The greatest instant of a claim whose `Send` came, less the margin; undefined before the first. */
export async function readWatermark(table: Table): Promise<number | undefined> {
  const keys = Array.from({ length: SHARDS }, (_, shard) => key.watermark(shardText(shard)));
  const found = await table.read(keys);
  const instants = keys.flatMap((each) => (found.get(each)?.at as number | undefined) ?? []);
  return instants.length === 0 ? undefined : Math.max(...instants) - MARGIN;
}

/** Notes that the `Send` event of a claim made at `claimedAt` has come. */
export async function raiseWatermark(table: Table, claimedAt: number): Promise<void> {
  await table.update(key.watermark(shardText(Math.floor(claimedAt / 1000) % SHARDS)), {
    UpdateExpression: 'SET #at = :at',
    ConditionExpression: 'attribute_not_exists(#at) OR #at < :at',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: { ':at': claimedAt },
  });
}
