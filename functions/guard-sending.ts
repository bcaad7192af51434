// Each minute: the account's limits and standing, campaigns over their budgets, tests that are over, coupons that run out, and one line that the alarms read.
import { type Account, isShut, quotaUsed } from '../domain/allowance.ts';
import type { Controls } from '../domain/book.ts';
import { type AccountDeps, accountClient, accountOf, readAccount } from './aws/account.ts';
import { type BudgetDeps, keepBudgets } from './aws/budgets.ts';
import { now } from './aws/clock.ts';
import { operationEvent, readControls, stop } from './aws/controls.ts';
import { poolLevels } from './aws/coupons.ts';
import { plainBooks } from './aws/deciding.ts';
import { faultOf, log, once, handler as wrapped } from './aws/handler.ts';
import { bus, table } from './aws/parts.ts';
import { heldPk, key, pooled, shardText, type Table } from './aws/table.ts';
import { decideTests } from './aws/variant-tests.ts';

export interface GuardDeps extends BudgetDeps, AccountDeps {
  keepBudgets: (deps: BudgetDeps) => Promise<void>;
  decideTests: (deps: BudgetDeps) => Promise<void>;
}

const BY = 'guard-sending';
/** Uncertain messages are counted up to here in each shard: from one on somebody has to look. */
const MOST_COUNTED = 100;

/** Reads, stops, pauses and tells. Each part fails alone, into the log; the next minute does it again. */
export async function guardSending(deps: GuardDeps): Promise<void> {
  const { table, log, now } = deps;
  const part = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.error(name, faultOf(error));
    }
  };
  let account: Account | undefined;
  await part('account.unreadable', async () => {
    account = await readAccount(deps);
  });
  await part('guard.stop-failed', async () => {
    const why = account === undefined ? undefined : isShut(account);
    // `stop` changes nothing where a stop stands already.
    if (why !== undefined && (await stop(table, { by: BY, at: now(), why }))) log.error('guard.stopped', { why });
  });
  await part('guard.budgets-failed', () => deps.keepBudgets(deps));
  await part('guard.tests-failed', () => deps.decideTests(deps));
  let couponsLow = 0;
  await part('guard.coupons-failed', async () => {
    couponsLow = await tellOfLowPools(deps);
  });
  await part('guard.state-failed', async () => {
    const found = await table.read([key.controls(), key.account()]);
    const controls = readControls(found.get(key.controls()));
    const known = accountOf(found.get(key.account()));
    await part('guard.telling-failed', () => tellOfStop(controls, found.get(key.account())?.toldStop, deps));
    log.info('guard.state', {
      stopped: controls.stopped === undefined ? 0 : 1,
      paused: Object.keys(controls.paused).length,
      quotaUsed: known === undefined ? 0 : quotaUsed(known),
      underReview: known?.enforcement === 'PROBATION' ? 1 : 0,
      uncertain: await countUncertain(table),
      couponsLow,
    });
  });
}

/**
 * Says a stop of the guard or of the senders on the bus, until the bus has taken it; then it is noted, so that it is
 * said once. Who stops by hand says so himself.
 */
async function tellOfStop({ stopped }: Controls, told: unknown, { table, bus, log }: GuardDeps): Promise<void> {
  if (stopped === undefined || (stopped.by !== BY && stopped.by !== 'send-message') || told === stopped.at) return;
  const refused = await bus.put([operationEvent('stop', stopped)]);
  if (refused > 0) {
    log.warn('guard.unheard', { events: refused });
    return;
  }
  await table.update(key.account(), {
    UpdateExpression: 'SET toldStop = :at',
    ExpressionAttributeValues: { ':at': stopped.at },
  });
}

/** Names the pools that are below their low-water mark in the log; answers how many they are. */
async function tellOfLowPools({ table, books, log, now }: GuardDeps): Promise<number> {
  const { definitions } = await books.current();
  const low = (await poolLevels(table, definitions, now())).filter(({ left, lowWater }) => left < lowWater);
  for (const { pool, left } of low) log.warn('coupon.low', { pool, left });
  return low.length;
}

async function countUncertain(table: Table): Promise<number> {
  let uncertain = 0;
  const shards = Array.from({ length: table.shards }, (_, shard) => shardText(shard));
  await pooled(shards, 8, async (shard) => {
    const { items } = await table.due(heldPk('uncertain', shard), Number.MAX_SAFE_INTEGER, MOST_COUNTED);
    uncertain += items.length;
  });
  return uncertain;
}

const ses = /* @__PURE__ */ once(accountClient);

export const handler = wrapped(async (_event: unknown) => {
  await guardSending({
    table: table(),
    books: plainBooks(),
    bus: bus(),
    ses: ses(),
    now,
    log,
    keepBudgets,
    decideTests,
  });
});
