// Tests of variants: what is known of each, and its winner in the controls once its time is over.
import type { Book, Controls } from '../../domain/book.ts';
import { decideTest, type Tried, type Verdict } from '../../domain/variant-test.ts';
import type { BookStore } from './book-store.ts';
import { readControls } from './controls.ts';
import type { Log } from './handler.ts';
import { key, pooled, type Table } from './table.ts';

/** One test, by the name that its messages bear: of a version of a campaign, of one send, of a broadcast each time. */
export interface TestState {
  test: string;
  campaign: string;
  send: string;
  /** When its first message was planned for, and when it is over. */
  first: number;
  ends: number;
  by: 'success' | 'clicked';
  tried: Tried[];
  /** What it came to; absent while it runs. */
  decided?: { winner: string | null; at: number };
}

/** What a test came to is kept this long, where no run can ask for it any more. */
const KEPT = 30 * 86_400_000;
const WIDTH = 8;
/** Tests in the list, and shards of one. */
const MOST = 1000;

type Planned = { campaign: string; send: string; variants: string[]; by: TestState['by']; lasts: number };

/** What the book says of a test: undefined where it does not know it any more. */
function plannedOf(test: string, book: Book): Planned | undefined {
  const [version = '', send = ''] = test.split('|');
  const campaign = book.version.get(version);
  const step = campaign?.program.find((one) => one.op === 'send' && one.key === send);
  if (campaign === undefined || step?.op !== 'send' || step.test === undefined) return undefined;
  const { variants, winner, lasts } = step.test;
  return { campaign: campaign.id, send, variants, by: winner, lasts };
}

/**
 * Tests of the book of which messages were made, the latest first; with `since`, only those that are undecided or were
 * decided since. One query, and one of a few small items for each.
 */
export async function testStates(table: Table, book: Book, controls: Controls, since = 0): Promise<TestState[]> {
  const states: TestState[] = [];
  const listed = await table.newest(key.testEntry('').pk, MOST);
  await pooled(listed, WIDTH, async ({ sk: test, over }) => {
    const planned = over === true ? undefined : plannedOf(test, book);
    const decided = controls.tests?.[test];
    if (planned === undefined || (decided !== undefined && decided.at < since)) return;
    const { campaign, send, by, lasts, variants } = planned;
    const items = await table.newest(key.test(test, '').pk, MOST);
    const first = Math.min(...items.map((item) => Number(item.first)));
    if (!Number.isFinite(first)) return;
    const sum = (name: string): number => items.reduce((total, item) => total + Number(item[name] ?? 0), 0);
    states.push({
      test,
      campaign,
      send,
      first,
      ends: first + lasts,
      by,
      tried: variants.map((variant) => ({
        variant,
        people: sum(`${variant}~sent`),
        events: sum(`${variant}~${by === 'clicked' ? 'clicked' : 'converted'}`),
      })),
      ...(decided !== undefined && { decided }),
    });
  });
  return states.sort((a, b) => b.first - a.first || (a.test < b.test ? -1 : 1));
}

/**
 * Decides the tests whose time is over, each once: the winner, or that none is clearly better, stands in the controls,
 * where those who wait for it find it within ten seconds. Takes away what nobody asks for any more.
 *
 * Costs a read of the list of tests (100 bytes each) a minute; half a unit a minute for each that runs; one write when it
 * is decided. The controls, which every function reads each ten seconds, grow by 100 bytes for each that was decided.
 */
export async function decideTests({
  table,
  books,
  now,
  log,
}: {
  table: Table;
  books: BookStore;
  now: () => number;
  log: Log;
}): Promise<void> {
  const book = await books.current();
  const controls = readControls(await table.readOne(key.controls()));
  for (const { test, campaign, ends, tried } of await testStates(table, book, controls, Number.POSITIVE_INFINITY)) {
    if (now() < ends) continue;
    const verdict = decideTest(tried);
    if (await decideOnce(table, test, verdict, now()))
      log.info('test.decided', { test, campaign, ...figuresOf(verdict) });
  }
  await prune(table, book, controls, now());
}

/** The winner of a test, written once. Answers whether this was it. */
async function decideOnce(table: Table, test: string, { winner }: Verdict, at: number): Promise<boolean> {
  await table.update(key.controls(), {
    UpdateExpression: 'SET tests = if_not_exists(tests, :none)',
    ExpressionAttributeValues: { ':none': {} },
  });
  return table.update(key.controls(), {
    UpdateExpression: 'SET tests.#test = :decided',
    ConditionExpression: 'attribute_not_exists(tests.#test)',
    ExpressionAttributeNames: { '#test': test },
    ExpressionAttributeValues: { ':decided': { winner, at } },
  });
}

/** What a decision says in the log: numbers and names of variants. */
function figuresOf(verdict: Verdict): Record<string, string | number> {
  return {
    winner: verdict.winner ?? 'none',
    ...(verdict.winner === null && { reason: verdict.reason }),
    ...(verdict.p !== undefined && { p: Math.round(verdict.p * 1e6) / 1e6 }),
    tried: verdict.tried.map(({ variant, people, events }) => `${variant} ${events}/${people}`).join(', '),
  };
}

/** Those of versions that are gone, and of broadcasts that went out long ago; what a live campaign asks for stays. */
async function prune(table: Table, book: Book, { tests = {} }: Controls, now: number): Promise<void> {
  for (const [test, { at }] of Object.entries(tests)) {
    if (now - at < KEPT || (plannedOf(test, book) !== undefined && test.split('|').length === 2)) continue;
    // First out of the list: else it would be decided once more.
    await table.update(key.testEntry(test), {
      UpdateExpression: 'SET #over = :true',
      ExpressionAttributeNames: { '#over': 'over' },
      ExpressionAttributeValues: { ':true': true },
    });
    await table.update(key.controls(), {
      UpdateExpression: 'REMOVE tests.#test',
      ExpressionAttributeNames: { '#test': test },
    });
  }
}
