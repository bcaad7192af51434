// Budgets of campaigns: counted from the reports each minute; what goes over is paused, said on the bus and in the log.
import type { Control, Definitions } from '../../domain/book.ts';
import {
  ALL,
  type Counted,
  type Counts,
  causeOf,
  countsOf,
  DAYS_READ,
  dayOf,
  type Excess,
  excessOf,
  type Standing,
  standings,
  verdictOf,
} from '../../domain/budget.ts';
import type { BookStore } from './book-store.ts';
import type { Bus } from './bus.ts';
import { operationEvent, pause, readControls } from './controls.ts';
import type { Log } from './handler.ts';
import { type Item, key, pooled, type Table } from './table.ts';

export interface BudgetDeps {
  table: Table;
  books: BookStore;
  bus: Bus;
  now: () => number;
  log: Log;
}

const BY = 'guard-sending';
/** Days that are read at each look: most of what people say of a mail, they say by then. */
const FRESH_DAYS = 3;
/** How old what is known of earlier days may be. */
const KEPT = 10 * 60_000;
const WIDTH = 8;

/**
 * Pauses the campaigns of the book that went over a budget, and says so on the bus and in the log. A pause is told
 * until the bus has taken it, also after a crash; a crash in that very moment tells it twice, with the same `at`.
 *
 * Costs one read of the controls and of one item per campaign, and per campaign that is not paused three queries (the
 * last three days), each ten minutes two instead (31 days). With eight providers a report item has about 1 KB, and the
 * stream six shards a day: 6 units a minute and 50 each ten minutes, so about 11 a minute, 0.07 USD a month, a campaign.
 * What is kept of the earlier days is lost with the process.
 */
export async function keepBudgets({ table, books, bus, now, log }: BudgetDeps): Promise<void> {
  const { definitions } = await books.current();
  const planned = plannedOf(definitions);
  const controls = readControls(await table.readOne(key.controls()));
  const campaigns = [...new Set([...planned.keys(), ...Object.keys(controls.paused)])];
  const bases = await table.read(campaigns.map(key.budgetBase));
  await pooled(campaigns, WIDTH, async (campaign) => {
    const base = bases.get(key.budgetBase(campaign));
    let control = controls.paused[campaign];
    if (control === undefined) {
      const verdict = verdictOf(await lately(table, campaign, now()), baseOf(base), now(), planned.get(campaign));
      if (verdict.kind === 'fine') return;
      control = { by: BY, at: now(), why: verdict.why };
      if (!(await pause(table, campaign, control))) return;
      log.warn('campaign.paused', { campaign, cause: verdict.cause, why: verdict.why });
    }
    if (control.by === BY && base?.told !== control.at) await tell(campaign, control, { table, bus, log });
  });
}

async function tell(
  campaign: string,
  control: Control,
  { table, bus, log }: Pick<BudgetDeps, 'table' | 'bus' | 'log'>,
): Promise<void> {
  const refused = await bus.put([operationEvent('pause', control, { campaign, cause: causeOf(control.why) })]);
  if (refused > 0) {
    log.warn('campaign.pause-unheard', { campaign });
    return;
  }
  await table.update(key.budgetBase(campaign), {
    UpdateExpression: 'SET told = :at, shape = :one',
    ExpressionAttributeValues: { ':at': control.at, ':one': 1 },
  });
}

/**
 * From now on what has been counted of a campaign is no case against it any more: called before it is resumed, so that
 * it is not paused again for the same. Reads 31 days of its reports.
 */
export async function rebase(table: Table, campaign: string, now: number): Promise<void> {
  const counted = await month(table, campaign, now);
  await table.update(key.budgetBase(campaign), {
    UpdateExpression: 'SET #state = :state, #at = :at, shape = :one',
    ExpressionAttributeNames: { '#state': 'state', '#at': 'at' },
    ExpressionAttributeValues: { ':state': JSON.stringify(counted), ':at': now, ':one': 1 },
  });
}

/** What stands of the budgets of one campaign. */
export interface BudgetState {
  campaign: string;
  paused?: Control;
  /** Messages made for today (UTC). */
  made: number;
  /** More messages than the day may bring. */
  excess?: Excess;
  /** Each budget at each provider, and over `all`. */
  standings: Standing[];
}

/** The budgets of all campaigns of a book, for people to read: numbers, and what they say in words. Two queries per campaign. */
export async function budgetStates(table: Table, definitions: Definitions, now: number): Promise<BudgetState[]> {
  const planned = plannedOf(definitions);
  const campaigns = [...planned.keys()].sort();
  const found = await table.read([key.controls(), ...campaigns.map(key.budgetBase)]);
  const { paused } = readControls(found.get(key.controls()));
  const states = new Map<string, BudgetState>();
  await pooled(campaigns, WIDTH, async (campaign) => {
    const counted = await month(table, campaign, now);
    const base = baseOf(found.get(key.budgetBase(campaign)));
    const excess = excessOf(counted, base, now, planned.get(campaign));
    const control = paused[campaign];
    states.set(campaign, {
      campaign,
      ...(control !== undefined && { paused: control }),
      made: countsOf(counted, dayOf(now), ALL).made,
      ...(excess !== undefined && { excess }),
      standings: standings(counted, base, now),
    });
  });
  return campaigns.map((campaign) => states.get(campaign) as BudgetState);
}

/** Every campaign that may still send, with its plan: also those that are retired, whose runs may go on. */
function plannedOf({ campaigns, retired }: Definitions): Map<string, number | undefined> {
  return new Map(
    [...Object.values(retired), ...Object.values(campaigns)].map((each) => [each.id, each.campaign.plannedPerDay]),
  );
}

function baseOf(item: Item | undefined): Counted {
  return item?.state === undefined ? {} : (JSON.parse(item.state as string) as Counted);
}

/** What a process remembers of the earlier days of campaigns. */
const memories = new WeakMap<Table, Map<string, { at: number; counted: Counted }>>();

/** The counts of 31 days: the last three as they stand, the others at most ten minutes old. */
async function lately(table: Table, campaign: string, now: number): Promise<Counted> {
  const memory = memories.get(table) ?? new Map<string, { at: number; counted: Counted }>();
  memories.set(table, memory);
  const known = memory.get(campaign);
  if (known === undefined || Math.abs(now - known.at) >= KEPT) {
    const counted = await month(table, campaign, now);
    memory.set(campaign, { at: now, counted });
    return counted;
  }
  const days = Array.from({ length: FRESH_DAYS }, (_, back) => dayOf(now, -back));
  const items = await Promise.all(days.map((day) => table.under(REPORT(campaign), day)));
  return { ...known.counted, ...countedOf(items.flat()) };
}

/** The counts of 31 days, from the reports of the months that they lie in. */
async function month(table: Table, campaign: string, now: number): Promise<Counted> {
  const days = Array.from({ length: DAYS_READ }, (_, back) => dayOf(now, -back));
  const months = [...new Set(days.map((day) => day.slice(0, 7)))];
  const items = (await Promise.all(months.map((each) => table.under(REPORT(campaign), each)))).flat();
  const counted = countedOf(items);
  return Object.fromEntries(days.flatMap((day) => (counted[day] === undefined ? [] : [[day, counted[day]]])));
}

const REPORT = (campaign: string): string => key.report(campaign, '', '').pk;

const NAMES: Record<string, keyof Counts> = {
  made: 'made',
  delivered: 'delivered',
  'soft-bounced': 'softBounced',
  bounced: 'bounced',
  complained: 'complained',
  unsubscribed: 'unsubscribed',
};

/** The report items of a campaign, added up over their shards. */
function countedOf(items: Item[]): Counted {
  const counted: Counted = {};
  for (const item of items) {
    const day = item.sk.slice(0, 10);
    for (const [attribute, value] of Object.entries(item)) {
      const dot = attribute.lastIndexOf('.');
      const name = NAMES[attribute.slice(dot + 1)];
      if (name === undefined || typeof value !== 'number') continue;
      const provider = dot === -1 ? ALL : attribute.slice(0, dot);
      const known = countsOf(counted, day, provider);
      counted[day] = { ...counted[day], [provider]: { ...known, [name]: known[name] + value } };
    }
  }
  return counted;
}
