// Permits to send: at most so many a second over all workers, counted in one item per second.
import { key, type Table } from './table.ts';

/** How far ahead permits are taken; beyond that a message waits in the index. */
const SECONDS_AHEAD = 5;
const KEPT_SECONDS = 3600;

/**
 * Takes up to `wanted` permits, at most `limit` a second, from this second on. Answers the instants (epoch
 * milliseconds) from which they may be used: fewer than wanted when the next seconds are full.
 */
export async function takePermits(table: Table, wanted: number, limit: number, now: number): Promise<number[]> {
  const permits: number[] = [];
  const first = Math.floor(now / 1000);
  let second = first;
  let most = limit;
  while (permits.length < wanted && second <= first + SECONDS_AHEAD) {
    const take = Math.min(wanted - permits.length, most);
    const answer = await table.updateAnd(key.rate(second), {
      UpdateExpression: 'ADD taken :take SET #ttl = :ttl',
      ConditionExpression: 'attribute_not_exists(taken) OR taken <= :room',
      ExpressionAttributeNames: { '#ttl': 'ttl' },
      ExpressionAttributeValues: { ':take': take, ':room': limit - take, ':ttl': second + KEPT_SECONDS },
    });
    if ('updated' in answer) {
      for (let each = 0; each < take; each++) permits.push(Math.max(now, second * 1000));
      most = 0;
    } else {
      const taken = Number(answer.refused.taken ?? limit);
      most = Math.max(0, limit - taken);
      // Somebody gave less than is free by the time that we asked: ask for what was left, once more.
      if (most >= take) most = take - 1;
    }
    if (most === 0) {
      second++;
      most = limit;
    }
  }
  return permits;
}
