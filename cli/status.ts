// kairos status: one screen that says whether mail goes out as it should, and what to do where it does not.
import { GetAccountCommand } from '@aws-sdk/client-sesv2';
import type { Command } from 'commander';
import { type Account, quotaUsed } from '../domain/allowance.ts';
import type { Book, Control } from '../domain/book.ts';
import type { Excess, Standing } from '../domain/budget.ts';
import { localTime } from '../domain/time.ts';
import { accountOf } from '../functions/aws/account.ts';
import { type WalkState, walkStates } from '../functions/aws/broadcasts.ts';
import { budgetStates } from '../functions/aws/budgets.ts';
import { readWatermark } from '../functions/aws/claims.ts';
import { type Action, lastActions } from '../functions/aws/controls.ts';
import { type PoolLevel, poolLevels } from '../functions/aws/coupons.ts';
import { readableModels } from '../functions/aws/model-store.ts';
import { type ModelsRun, readModelsRun } from '../functions/aws/models-run.ts';
import { heldPk, key, noticeHeldPk, pooled, readMessage, shardText, type Table } from '../functions/aws/table.ts';
import { type TestState, testStates } from '../functions/aws/variant-tests.ts';
import { pascal, QUEUES, type QueueName } from '../infra/names.ts';
import { type Filling, readFilling, stalledFor } from './filling.ts';
import { type GivenUp, sizeOf, streamRecordsGivenUp } from './letters.ts';
import { output } from './outputs.ts';
import { openStage, readBook, STAGE_OPTION, type Stage } from './stage.ts';
import { drawStatus } from './status-screen.ts';

const MINUTE = 60_000;
const A_PAGE = 1000;
/** Messages that are read to find open claims among them; more than this and the answer is "at least". */
const MOST_READ = 2000;
/** A claim is settled within milliseconds, or by feedback within a minute or two. */
export const OPEN_CLAIM = 5 * MINUTE;
const EVER = Number.MAX_SAFE_INTEGER;
const ACTIONS_SHOWN = 5;
const TESTS_SHOWN = 7 * 24 * 60 * MINUTE;

export interface LaneState {
  lane: 'triggered' | 'bulk' | 'ticks' | 'turns' | 'notices';
  /** Entries of the index in all, and those that are due. */
  waiting: number;
  due: number;
  /** False where there is more than was counted. */
  all: boolean;
  /** Milliseconds for which the oldest has been due. */
  late?: number;
}

/** The last nightly run, and the walk over all contacts that models have led to last. */
export interface InsightState {
  run: ModelsRun;
  /** False where models stand and cannot be read: functions go on with those that they have, or with none. */
  readable: boolean;
  walk?: { walked: number; shards: number; shardsDone: number; movedAt: number; ended: boolean };
}

/** Everything that a status says, as it was read; what of it is not well is `findings`'s to say. */
export interface Status {
  stage: string;
  at: number;
  stopped?: Control;
  paused: Record<string, Control>;
  account?: Account;
  /** Why SES could not be asked, with --live. */
  accountFault?: string;
  sends: { lastMinute: number; busiestSecond: number };
  queues: { queue: QueueName; waiting: number; underWay: number; deadLetters: number }[];
  streamRecords: GivenUp;
  lanes: LaneState[];
  feedback: { newest?: number; openClaims: number; oldest?: number; all: boolean };
  held: { failed: number; failedToday: number; uncertain: number; notices: number; all: boolean };
  /** Tests of variants that run, and those decided within the last week. */
  tests: TestState[];
  budgets: (Standing & { campaign: string })[];
  /** Broadcasts, and walks over those inside a segment, that are under way, drain still, or did within a day. */
  walks: WalkState[];
  /** Campaigns that make more messages than their day may bring. */
  excesses: (Excess & { campaign: string })[];
  /** What is left of the coupon pools that campaigns draw from, counted up to their low-water marks. */
  coupons: PoolLevel[];
  warmUp: { domain: string; day: number; days: number; most?: number; sent: number; waiting: number; starts: string }[];
  book?: { hash: string; ordinal: number; publishedAt: number; by?: string; filling: Filling };
  /** What the nightly run has come to; absent before the first one. */
  insight?: InsightState;
  actions: Action[];
}

/** Reads the state of a stage. `live` asks SES now, in place of what was read within the last minute. */
export async function readStatus(stage: Stage, { live = false }: { live?: boolean } = {}): Promise<Status> {
  const { table, now } = stage;
  const at = now();
  const book = await readBook(stage);
  const [
    account,
    sends,
    queues,
    streamRecords,
    lanes,
    held,
    tests,
    walks,
    budgets,
    coupons,
    warmUp,
    published,
    insight,
    actions,
  ] = await Promise.all([
    readAccountOf(stage, live),
    sendsOf(table, at),
    Promise.all(QUEUES.map((queue) => queueState(stage, queue))),
    streamRecordsGivenUp(stage),
    Promise.all(
      (['triggered', 'bulk', 'ticks', 'turns', 'notices'] as const).map((lane) => laneState(table, lane, at)),
    ),
    heldOf(table, at),
    testStates(table, book, book.controls, at - TESTS_SHOWN),
    walksOf(table, book, at),
    budgetsOf(stage, book),
    poolLevels(table, book.definitions, at),
    warmUpOf(table, book, at),
    publishedOf(table),
    insightOf(stage),
    lastActions(table, ACTIONS_SHOWN),
  ]);
  const { stopped, paused } = book.controls;
  return {
    stage: stage.target.stage,
    at,
    ...(stopped && { stopped }),
    paused,
    ...account,
    sends,
    queues,
    streamRecords,
    lanes,
    feedback: await feedbackOf(table, at),
    held,
    tests,
    walks,
    ...budgets,
    coupons,
    warmUp,
    ...(published && { book: published }),
    ...(insight && { insight }),
    actions,
  };
}

async function readAccountOf(
  { table, ses, now }: Stage,
  live: boolean,
): Promise<{ account?: Account; accountFault?: string }> {
  if (live) {
    try {
      const { SendQuota, SendingEnabled, ProductionAccessEnabled, EnforcementStatus } = await ses.send(
        new GetAccountCommand({}),
      );
      return {
        account: {
          at: now(),
          maxRate: SendQuota?.MaxSendRate ?? 0,
          max24h: SendQuota?.Max24HourSend ?? 0,
          sent24h: SendQuota?.SentLast24Hours ?? 0,
          sendingEnabled: SendingEnabled ?? true,
          production: ProductionAccessEnabled ?? false,
          enforcement: EnforcementStatus ?? 'HEALTHY',
        },
      };
    } catch (error) {
      const account = accountOf(await table.readOne(key.account()));
      return { accountFault: (error as Error).name, ...(account && { account }) };
    }
  }
  const account = accountOf(await table.readOne(key.account()));
  return account === undefined ? {} : { account };
}

/** The last sixty full seconds. */
async function sendsOf(table: Table, at: number): Promise<Status['sends']> {
  const last = Math.floor(at / 1000);
  const keys = Array.from({ length: 60 }, (_, back) => key.rate(last - 1 - back));
  const found = await table.read(keys);
  const taken = keys.map((each) => Number(found.get(each)?.taken ?? 0));
  return { lastMinute: taken.reduce((sum, number) => sum + number, 0), busiestSecond: Math.max(...taken) };
}

async function queueState(stage: Stage, queue: QueueName): Promise<Status['queues'][number]> {
  const { target, sqs } = stage;
  const [own, dead] = await Promise.all([
    sizeOf(sqs, output(target, `${pascal(queue)}QueueUrl`)),
    sizeOf(sqs, output(target, `${pascal(queue)}DeadLettersUrl`)),
  ]);
  return { queue, ...own, deadLetters: dead.waiting + dead.underWay };
}

/** Under which keys of the index a lane stands. */
const IN_INDEX = { triggered: 'triggered', bulk: 'bulk', ticks: 'tick', turns: 'turn', notices: 'notice' };

const shardsOf = (table: Table): string[] => Array.from({ length: table.shards }, (_, shard) => shardText(shard));

async function laneState(table: Table, lane: LaneState['lane'], at: number): Promise<LaneState> {
  const state: LaneState = { lane, waiting: 0, due: 0, all: true };
  let oldest: number | undefined;
  await pooled(shardsOf(table), 8, async (shard) => {
    const page = await table.due(`DUE#${IN_INDEX[lane]}#${shard}`, EVER, A_PAGE);
    state.waiting += page.items.length;
    state.due += page.items.filter((item) => Number(item.dueAt) <= at).length;
    if (page.next !== undefined) state.all = false;
    const first = page.items[0]?.dueAt as number | undefined;
    if (first !== undefined && first <= at) oldest = Math.min(oldest ?? first, first);
  });
  return { ...state, ...(oldest !== undefined && { late: at - oldest }) };
}

/** Claims that are open for longer than they should be: they stand in the index until 15 minutes after they were made. */
async function feedbackOf(table: Table, at: number): Promise<Status['feedback']> {
  const newest = await readWatermark(table);
  const told: Status['feedback'] = { openClaims: 0, all: true, ...(newest !== undefined && { newest }) };
  const keys = shardsOf(table).flatMap((shard) => [`DUE#triggered#${shard}`, `DUE#bulk#${shard}`]);
  const each = Math.max(20, Math.floor(MOST_READ / keys.length));
  await pooled(keys, 8, async (duePk) => {
    const page = await table.due(duePk, at + 15 * MINUTE - OPEN_CLAIM, each);
    if (page.next !== undefined) told.all = false;
    const found = await table.read(page.items.map(({ pk, sk }) => ({ pk, sk })));
    for (const key of page.items) {
      const item = found.get(key);
      if (item?.state !== 'claimed') continue;
      const { claimedAt = at } = readMessage(item);
      if (claimedAt > at - OPEN_CLAIM) continue;
      told.openClaims++;
      told.oldest = Math.min(told.oldest ?? claimedAt, claimedAt);
    }
  });
  return told;
}

/** Failed and uncertain messages, and notices that the bus never took, stand in the index under the instant that they were meant for. */
async function heldOf(table: Table, at: number): Promise<Status['held']> {
  const told: Status['held'] = { failed: 0, failedToday: 0, uncertain: 0, notices: 0, all: true };
  await pooled(shardsOf(table), 8, async (shard) => {
    for (const state of ['failed', 'uncertain'] as const) {
      let from: Record<string, unknown> | undefined;
      for (let pages = 0; pages < 10; pages++) {
        const page = await table.due(heldPk(state, shard), EVER, A_PAGE, from);
        told[state] += page.items.length;
        if (state === 'failed') {
          told.failedToday += page.items.filter((item) => Number(item.dueAt) > at - 24 * 60 * MINUTE).length;
        }
        from = page.next;
        if (from === undefined) break;
      }
      if (from !== undefined) told.all = false;
    }
    const notices = await table.due(noticeHeldPk(shard), EVER, A_PAGE);
    told.notices += notices.items.length;
    if (notices.next !== undefined) told.all = false;
  });
  return told;
}

/** Budgets that have cases, nearest to their limit first. */
async function budgetsOf({ table, now }: Stage, book: Book): Promise<Pick<Status, 'budgets' | 'excesses'>> {
  const states = await budgetStates(table, book.definitions, now());
  const budgets = states
    .flatMap(({ campaign, standings }) => standings.map((standing) => ({ campaign, ...standing })))
    .filter(({ cases }) => cases > 0)
    .sort((a, b) => VERDICTS[b.verdict] - VERDICTS[a.verdict] || b.rate / b.limit - a.rate / a.limit);
  return { budgets, excesses: states.flatMap(({ campaign, excess }) => (excess ? [{ campaign, ...excess }] : [])) };
}
const VERDICTS = { fine: 0, watch: 1, over: 2 };

async function walksOf(table: Table, book: Book, at: number): Promise<WalkState[]> {
  const states = await walkStates(table, book);
  const isShown = ({ endedAt, drainsAt = 0 }: WalkState): boolean =>
    endedAt === undefined || Math.max(endedAt, drainsAt) > at - 24 * 60 * MINUTE;
  return states.filter(isShown).sort((a, b) => b.openedAt - a.openedAt);
}

async function warmUpOf(table: Table, { definitions }: Book, at: number): Promise<Status['warmUp']> {
  const { date } = localTime(at, definitions.settings.zone);
  const plans = Object.entries(definitions.settings.warmUp ?? {});
  const found = await table.read(plans.map(([domain]) => key.warmUp(domain, date)));
  return plans.flatMap(([domain, { starts, days }]) => {
    const day = Math.round((Date.parse(date) - Date.parse(starts)) / 86_400_000) + 1;
    if (day > days.length) return [];
    const item = found.get(key.warmUp(domain, date));
    const most = days[day - 1]?.most;
    return [
      {
        domain,
        day,
        days: days.length,
        starts,
        sent: Number(item?.sent ?? 0),
        waiting: Number(item?.waiting ?? 0),
        ...(most !== undefined && { most }),
      },
    ];
  });
}

async function publishedOf(table: Table): Promise<Status['book']> {
  const item = await table.readOne(key.pointer());
  if (item === undefined) return undefined;
  const { hash, ordinal, publishedAt, by } = item as unknown as NonNullable<Status['book']>;
  return { hash, ordinal, publishedAt, ...(by && { by }), filling: await readFilling(table, ordinal) };
}

async function insightOf({ table, bucket }: Pick<Stage, 'table' | 'bucket'>): Promise<InsightState | undefined> {
  const found = await table.read([key.models(), key.modelsRun()]);
  const run = readModelsRun(found.get(key.modelsRun()));
  if (run === undefined) return undefined;
  const stands = found.get(key.models()) !== undefined;
  const readable = !stands || (await readableModels(table, bucket)) !== undefined;
  if (run.walk === undefined) return { run, readable };
  const { pk, sk } = key.modelsWalk(run.walk.ordinal, '');
  const marks = await table.under(pk, sk);
  const walk = {
    walked: marks.reduce((sum, mark) => sum + Number(mark.walked ?? 0), 0),
    shards: table.shards,
    shardsDone: marks.filter((mark) => mark.done === true).length,
    movedAt: Math.max(run.walk.startedAt, ...marks.map(({ at }) => Number(at ?? 0))),
    ended: run.walk.endedAt !== undefined,
  };
  return { run, readable, walk };
}

/** Something that is not well. */
export interface Finding {
  /** The section of the screen that it belongs to. */
  about:
    | 'sending'
    | 'walks'
    | 'ses'
    | 'queues'
    | 'due'
    | 'feedback'
    | 'budgets'
    | 'held'
    | 'coupons'
    | 'book'
    | 'insight';
  says: string;
  /** What a person should do; a finding without it is a hint. */
  todo: string;
  /** A heading of docs/runbook.md. */
  heading: string;
}

/** Under this name budgets pause. */
const GUARD = 'guard-sending';
const LATE = 10 * MINUTE;
const LATE_SAYS = {
  triggered: 'Triggered mail does not end in time.',
  ticks: 'Waits of people do not end in time.',
  turns: 'Who watches a product does not hear in time that it has turned.',
  notices: 'What campaigns tell others does not reach the bus in time.',
};
const GUARD_SILENT = 5 * MINUTE;
/** A shard of a broadcast that was lost is posted again after 25 minutes: by then it has moved. */
const WALK_LOST = 60 * MINUTE;
const FEEDBACK_SILENT = 20 * MINUTE;
const QUOTA_NEAR = 0.8;
/** One night may be missed. */
const NIGHTS_SILENT = 49 * 60 * MINUTE;

/** What is not well, each with what to do. None = nobody is needed. */
export function findings(status: Status): Finding[] {
  const { stage, at, stopped, paused, account, accountFault, queues, streamRecords, lanes, feedback, held } = status;
  const found: Finding[] = [];
  const say = (about: Finding['about'], says: string, todo: string, heading: string) =>
    found.push({ about, says, todo, heading });
  const here = stage === 'laptop' ? '' : ` --stage ${stage}`;

  if (stopped !== undefined) {
    say('sending', 'Nothing is sent.', `Put right why, then: npx kairos start${here}`, 'Sending is stopped');
  }
  for (const [campaign, { by }] of Object.entries(paused)) {
    // What a person has paused waits as that person wished.
    if (by !== GUARD) continue;
    say(
      'sending',
      `${campaign} waits.`,
      `Mend it, publish, then: npx kairos resume ${campaign}${here}`,
      'A campaign paused itself',
    );
  }
  if (accountFault !== undefined) {
    say(
      'ses',
      `SES does not answer: ${accountFault}.`,
      'Look at the AWS Health Dashboard.',
      'The region cannot be reached',
    );
  }
  if (account === undefined || at - account.at > GUARD_SILENT) {
    say(
      'ses',
      account === undefined ? 'SES was never asked.' : 'What is known of SES is old.',
      'Look at the log of guard-sending.',
      'The guard is silent',
    );
  }
  if (account !== undefined) {
    if (account.enforcement === 'SHUTDOWN' || !account.sendingEnabled) {
      say(
        'ses',
        'SES takes nothing from this account.',
        'Answer the case that AWS opened.',
        'SES shut the account down',
      );
    } else if (account.enforcement === 'PROBATION') {
      say(
        'ses',
        'SES reviews this account; bulk waits.',
        'Find what went wrong, answer the case.',
        'SES reviews the account',
      );
    }
    if (!account.production && stage === 'prod') {
      say(
        'ses',
        'The account is in the sandbox.',
        'Ask for production access in the SES console.',
        'SES is in its sandbox',
      );
    }
    if (quotaUsed(account) >= QUOTA_NEAR) {
      say(
        'ses',
        'The day’s quota is nearly used; bulk waits.',
        'Ask AWS for a higher quota.',
        'The daily quota is near',
      );
    }
  }
  const dead = queues.filter(({ deadLetters }) => deadLetters > 0);
  if (dead.length > 0) {
    say(
      'queues',
      `Dead letters in ${dead.map(({ queue }) => queue).join(', ')}.`,
      `npx kairos dead-letters${here}`,
      'Dead letters',
    );
  }
  if (streamRecords.files > 0) {
    say('queues', 'A function gave up stream records.', `npx kairos dead-letters${here}`, 'A stream reader is late');
  }
  for (const { lane, late = 0 } of lanes) {
    // Bulk may wait for the rate; it is late by hours on purpose.
    if (lane === 'bulk' || late < LATE) continue;
    say('due', LATE_SAYS[lane], 'Look at the log of walk-due.', 'Due work is late');
  }
  if (feedback.oldest !== undefined && at - feedback.oldest > FEEDBACK_SILENT) {
    say(
      'feedback',
      'Nothing was heard of mail that SES was asked to send.',
      'Look whether feedback comes at all.',
      'Failed deliveries of EventBridge',
    );
  }
  if (held.notices > 0) {
    say(
      'held',
      'Some of what campaigns tell others never reached the bus.',
      `npx kairos notices${here}`,
      'Failed deliveries of EventBridge',
    );
  }
  if (held.uncertain > 0) {
    say(
      'held',
      'Of some messages nobody knows whether they went out.',
      `npx kairos messages --state uncertain${here}`,
      'Messages are uncertain',
    );
  }
  if (
    [...status.budgets.filter(({ over }) => over), ...status.excesses].some(
      ({ campaign }) => paused[campaign] === undefined,
    )
  ) {
    say(
      'budgets',
      'A budget is overrun, and its campaign goes on.',
      'Pause it, and look at the log of guard-sending.',
      'The guard is silent',
    );
  }
  const lost = status.walks.filter(
    ({ endedAt, rests, campaign, movedAt }) =>
      endedAt === undefined && !rests && paused[campaign] === undefined && at - movedAt > WALK_LOST,
  );
  for (const { campaign, occurrence, movedAt } of lost) {
    say(
      'walks',
      `The walk of ${campaign} (${occurrence}) has not moved for ${Math.round((at - movedAt) / MINUTE)} min.`,
      'Look at the dead letters of roster; its shards are posted again each half hour.',
      'Dead letters',
    );
  }
  for (const { pool, left, lowWater } of status.coupons) {
    if (left >= lowWater) continue;
    say(
      'coupons',
      left === 0 ? `${pool} is empty: its messages wait.` : `${pool} is running low.`,
      `npx kairos coupons import ${pool} FILE${here}`,
      'Coupon pool is running low',
    );
  }
  const stalled = status.book && stalledFor(status.book.filling, status.book.publishedAt, at);
  if (stalled !== undefined) {
    say(
      'book',
      `The walk over all contacts has not moved for ${Math.round(stalled / MINUTE)} min.`,
      `Look at the dead letters of roster; npx kairos publish${here} goes on with it.`,
      'Dead letters',
    );
  }
  for (const [says, todo] of insightFaults(status)) say('insight', says, todo, 'The nightly run is silent');
  return found;
}

/** What is not well of the nightly run, and what to do. A part that was kept is no fault. */
function insightFaults({ insight, at }: Status): [says: string, todo: string][] {
  if (insight === undefined) return [];
  const { run, readable, walk } = insight;
  const faults: [string, string][] = [];
  if (run.failed !== undefined)
    faults.push([`The nightly run failed: ${run.failed.says}`, 'Look at the log of refresh-insight.']);
  else if (at - run.at > NIGHTS_SILENT) {
    faults.push(['The nightly run has not run for two days.', 'Look whether its rule is enabled.']);
  }
  if (!readable) {
    faults.push([
      'The models that stand cannot be read.',
      'Start the nightly run by hand: it puts new ones in their place.',
    ]);
  }
  if (walk !== undefined && !walk.ended && at - walk.movedAt > NIGHTS_SILENT / 2) {
    faults.push([
      'The walk after new models does not move.',
      'Look at the dead letters of roster; the next night posts it again.',
    ]);
  }
  return faults;
}

/** Adds `kairos status`: exit code 1 where a person is needed. */
export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('whether mail goes out as it should, on one screen, and what to do where it does not')
    .option('--live', 'ask SES now, in place of what it said within the last minute')
    .option('--watch', 'draw it again every five seconds, until Ctrl-C')
    .option(...STAGE_OPTION)
    .option('--json', 'print all of it as JSON')
    .addHelpText('after', '\nEnds with 0 when all is well, with 1 when a person is needed.')
    .action(async (options: { live?: boolean; watch?: boolean; stage?: string; json?: boolean }) => {
      const stage = await openStage({ stage: options.stage });
      const look = async (): Promise<void> => {
        const status = await readStatus(stage, { live: options.live === true });
        const found = findings(status);
        process.exitCode = found.length === 0 ? 0 : 1;
        if (options.json) stage.say(JSON.stringify({ well: found.length === 0, findings: found, ...status }));
        else {
          const { isTTY } = process.stdout;
          const lines = drawStatus(status, found, { colours: isTTY === true && process.env.NO_COLOR === undefined });
          if (options.watch === true && isTTY) process.stdout.write('\u001b[H\u001b[2J\u001b[3J');
          for (const line of lines) stage.say(line);
        }
      };
      await look();
      while (options.watch === true) {
        await new Promise((resolve) => setTimeout(resolve, 5_000));
        await look();
      }
    });
}
