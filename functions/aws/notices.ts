// Notices: what a campaign tells other channels and people, from the outbox to the bus; at least once, never lost.
import type { Notice } from '../../domain/decision.ts';
import { OWN_SOURCE } from '../../domain/event.ts';
import type { Bus, BusEvent } from './bus.ts';
import { faultOf, type Log } from './handler.ts';
import { type Item, key, noticeHeldPk, pooled, readNotice, type Table } from './table.ts';

export interface NoticeDeps {
  table: Table;
  bus: Bus;
  now: () => number;
  log: Log;
}

const A_PAGE = 100;
/** Of a shard in one minute: the rest is due at the next. */
const MOST_PAGES = 10;
const WIDTH = 24;
/** What the bus refused is tried again after this long, for a day. */
const AGAIN_AFTER = 60_000;
const GIVEN_UP_AFTER = 86_400_000;
const KEPT_SECONDS = 90 * 86_400;

/**
 * Puts the notices of a shard that are due on the bus, and marks what it took. A crash in between puts them again under
 * the same `messageId`. Never throws: what fails stays due.
 *
 * A minute without notices costs half a read unit for the query; a notice of up to 1 KB costs 3 write units at its birth
 * (2 in the transaction, 1 in the due index), 1 read unit, a tenth of a call to the bus and 1 of its events, 2 write units
 * when it is done (1, and 1 in the index, which it leaves), and what recording any event of a person costs.
 */
export async function putNotices(shard: string, deps: NoticeDeps): Promise<void> {
  const { table, now, log } = deps;
  try {
    let from: Record<string, unknown> | undefined;
    for (let pages = 0; pages < MOST_PAGES; pages++) {
      const page = await table.due(`DUE#notice#${shard}`, now(), A_PAGE, from);
      if (page.items.length > 0) await putPage(page.items, deps);
      from = page.next;
      if (from === undefined) return;
    }
  } catch (error) {
    log.error('notices.failed', faultOf(error));
  }
}

async function putPage(entries: Item[], { table, bus, now, log }: NoticeDeps): Promise<void> {
  const found = await table.read(entries.map(({ pk, sk }) => ({ pk, sk })));
  const due = entries.flatMap((entry) => {
    const item = found.get(entry);
    return item?.state === 'due' ? [{ item, notice: readNotice(item) }] : [];
  });
  const events = new Map(due.map((each) => [noticeEvent(each.notice), each]));
  const refused = new Set(await refusedOf([...events.keys()], bus));
  await pooled([...events], WIDTH, async ([event, { item, notice }]) => {
    const { contact, id, campaign, at } = notice;
    const of = key.notice(contact, id);
    if (!refused.has(event)) await table.update(of, done(now()));
    else if (now() - at < GIVEN_UP_AFTER) await table.update(of, later(now() + AGAIN_AFTER));
    else {
      log.error('notice.failed', { campaign, id });
      await table.update(of, failed(item, notice));
    }
  });
  if (refused.size > 0) log.warn('notices.refused', { notices: refused.size });
}

/** One that the bus cannot take, whatever is tried, must not take the others with it: then each goes alone. */
async function refusedOf(events: BusEvent[], bus: Bus): Promise<BusEvent[]> {
  try {
    return await bus.refusedOf(events);
  } catch (error) {
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== 400) throw error;
    if (events.length === 1) return events;
    const refused: BusEvent[] = [];
    for (const event of events) refused.push(...(await refusedOf([event], bus)));
    return refused;
  }
}

/** The notice as others read it: a track call of Segment's spec, which also comes back to us as an event of the contact. */
export function noticeEvent(notice: Notice): BusEvent {
  const { id, contact, campaign, run, step, event, at, hops, properties } = notice;
  return {
    source: OWN_SOURCE,
    detailType: event,
    detail: {
      type: 'track',
      event,
      messageId: id,
      contactId: contact,
      timestamp: new Date(at).toISOString(),
      hops,
      properties: { ...properties, campaign, step, run },
    },
  };
}

const ONLY_DUE = { ConditionExpression: '#state = :due', ExpressionAttributeNames: { '#state': 'state' } };

function done(now: number) {
  return {
    ...ONLY_DUE,
    UpdateExpression: 'SET #state = :done, #ttl = :ttl REMOVE duePk, dueAt',
    ExpressionAttributeNames: { '#state': 'state', '#ttl': 'ttl' },
    ExpressionAttributeValues: { ':due': 'due', ':done': 'done', ':ttl': Math.floor(now / 1000) + KEPT_SECONDS },
  };
}

function later(dueAt: number) {
  return {
    ...ONLY_DUE,
    UpdateExpression: 'SET dueAt = :later',
    ExpressionAttributeValues: { ':due': 'due', ':later': dueAt },
  };
}

/** It leaves the walk, and is listed for people. */
function failed(item: Item, notice: Notice) {
  return {
    ...ONLY_DUE,
    UpdateExpression: 'SET #state = :failed, duePk = :held, dueAt = :at',
    ExpressionAttributeValues: {
      ':due': 'due',
      ':failed': 'failed',
      ':held': noticeHeldPk(String(item.duePk).slice(-2)),
      ':at': notice.at,
    },
  };
}

/** Notices that the bus never took, by shard; items read anew, so that what the index says too late is left out. */
export async function* failedNotices(table: Table, shards: string[]): AsyncGenerator<{ item: Item; notice: Notice }[]> {
  for (const shard of shards) {
    let from: Record<string, unknown> | undefined;
    do {
      const page = await table.due(noticeHeldPk(shard), Number.MAX_SAFE_INTEGER, A_PAGE, from);
      const found = await table.read(page.items.map(({ pk, sk }) => ({ pk, sk })));
      yield page.items.flatMap((entry) => {
        const item = found.get(entry);
        return item?.state === 'failed' ? [{ item, notice: readNotice(item) }] : [];
      });
      from = page.next;
    } while (from !== undefined);
  }
}

/** Makes a failed notice due again: false when it is not failed any more. */
export async function tellAgain(table: Table, item: Item, now: number): Promise<boolean> {
  const notice: Notice = { ...readNotice(item), at: now };
  return table.update(key.notice(notice.contact, notice.id), {
    UpdateExpression: 'SET #state = :due, #body = :body, duePk = :pk, dueAt = :now',
    ConditionExpression: '#state = :failed',
    ExpressionAttributeNames: { '#state': 'state', '#body': 'body' },
    ExpressionAttributeValues: {
      ':due': 'due',
      ':failed': 'failed',
      ':body': JSON.stringify(notice),
      ':pk': `DUE#notice#${String(item.duePk).slice(-2)}`,
      ':now': now,
    },
  });
}
