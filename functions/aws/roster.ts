// Walking all contacts after a publish: each is taken over to the new definitions, shard by shard.
import type { BookStore, Pointer } from './book-store.ts';
import type { Queue } from './queue.ts';
import type { Recorder } from './recorder.ts';
import { key, shardText, type Table } from './table.ts';

const PAGE = 100;

/** One page of one shard's walk; `cursor` is where it goes on. */
export interface RosterStep {
  hash: string;
  ordinal: number;
  shard: string;
  cursor?: Record<string, unknown>;
}

/** Does one page and posts the next. The shard that ends last marks the book as filled: its campaigns are live. */
export async function walkRoster(
  step: RosterStep,
  deps: { table: Table; books: BookStore; recorder: Recorder; queue: Queue; url: string },
): Promise<void> {
  const { table, books, recorder, queue, url } = deps;
  const pointer = (await table.readOne(key.pointer())) as Pointer | undefined;
  // A newer book has its own walk, which fills all that this one would have.
  if (pointer === undefined || pointer.ordinal > step.ordinal) return;
  await books.atLeast(step.ordinal);
  const page = await table.roster(step.shard, PAGE, step.cursor);
  await recorder.refresh(page.items.map((item) => item.pk.slice('CONTACT#'.length)));
  await table.update(key.fill(step.ordinal, step.shard), {
    UpdateExpression: 'SET done = :done ADD walked :walked',
    ExpressionAttributeValues: { ':done': page.next === undefined, ':walked': page.items.length },
  });
  if (page.next !== undefined) {
    await queue.send(url, [{ ...step, cursor: page.next }]);
    return;
  }
  const marks = await table.under(key.fill(step.ordinal, '').pk, key.fill(step.ordinal, '').sk);
  const ended = marks.filter((mark) => mark.done === true).length;
  if (ended >= table.shards) await fill(table, step.ordinal);
}

/** What each shard's first page is asked with. */
export function rosterSteps(hash: string, ordinal: number, shards: number): RosterStep[] {
  return Array.from({ length: shards }, (_, shard) => ({ hash, ordinal, shard: shardText(shard) }));
}

async function fill(table: Table, ordinal: number): Promise<void> {
  await table.update(key.controls(), {
    UpdateExpression: 'SET filled = :ordinal, paused = if_not_exists(paused, :none)',
    ConditionExpression: 'attribute_not_exists(filled) OR filled < :ordinal',
    ExpressionAttributeValues: { ':ordinal': ordinal, ':none': {} },
  });
}
