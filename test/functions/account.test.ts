// The guard: what SES says of the account is kept, a shut account stops the sending, and each part fails alone.
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { GetAccountCommand, SESv2Client } from '@aws-sdk/client-sesv2';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accountOf } from '../../functions/aws/account.ts';
import { Bus } from '../../functions/aws/bus.ts';
import { lastActions, pause, readControls, start, stop } from '../../functions/aws/controls.ts';
import { freeCodeItems } from '../../functions/aws/coupons.ts';
import { key } from '../../functions/aws/table.ts';
import { type GuardDeps, guardSending } from '../../functions/guard-sending.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type Bench, benchOver, crowdOf, definitions, MINUTE, NOON, publish } from './fixtures.ts';

let engine: Engine;
let bench: Bench;
const ses = mockClient(SESv2Client);
const events = mockClient(EventBridgeClient);
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  bench = benchOver(await engine.table());
  ses.reset();
  events.reset();
  events.on(PutEventsCommand).resolves({ FailedEntryCount: 0 });
  says({});
  await publish(bench.table, bench.bucket, definitions());
});

const says = (change: object): void => {
  ses.on(GetAccountCommand).resolves({
    SendQuota: { Max24HourSend: 50_000, MaxSendRate: 14, SentLast24Hours: 12_500 },
    SendingEnabled: true,
    ProductionAccessEnabled: true,
    EnforcementStatus: 'HEALTHY',
    ...change,
  });
};
const guard = (change: Partial<GuardDeps> = {}) =>
  guardSending({
    table: bench.table,
    books: bench.books,
    bus: new Bus('kairos', new EventBridgeClient({ region: 'x' })),
    ses: new SESv2Client({ region: 'x' }),
    now: bench.clock.now,
    log: bench.log,
    keepBudgets: async () => {},
    decideTests: async () => {},
    ...change,
  });
const account = async () => accountOf(await bench.table.readOne(key.account()));
const controls = async () => readControls(await bench.table.readOne(key.controls()));
const told = () =>
  events
    .commandCalls(PutEventsCommand)
    .flatMap(({ args: [command] }) => command.input.Entries ?? [])
    .map(({ Source, DetailType, Detail }) => ({ Source, DetailType, ...(JSON.parse(Detail ?? '{}') as object) }));
const state = () => bench.log.lines.findLast((line) => line.name === 'guard.state')?.values;
const logged = () => bench.log.lines.map((line) => line.name);

describe('each minute', () => {
  it('SES is asked once, and what it says is kept as attributes', async () => {
    await guard();
    expect(ses.commandCalls(GetAccountCommand)).toHaveLength(1);
    expect(await bench.table.readOne(key.account())).toEqual({
      ...key.account(),
      shape: 1,
      at: NOON,
      maxRate: 14,
      max24h: 50_000,
      sent24h: 12_500,
      sendingEnabled: true,
      production: true,
      enforcement: 'HEALTHY',
    });
    bench.clock.at += MINUTE;
    says({ SendQuota: { Max24HourSend: 50_000, MaxSendRate: 20, SentLast24Hours: 12_600 } });
    await guard();
    expect(await account()).toMatchObject({ at: NOON + MINUTE, maxRate: 20, sent24h: 12_600 });
  });

  it('the log says in numbers what alarms wait for', async () => {
    says({ EnforcementStatus: 'PROBATION' });
    await pause(bench.table, 'offer', { by: 'ann', at: NOON, why: 'a test' });
    await crowdOf(bench.table, ['u0', 'u1', 'u2'], { state: 'uncertain' });
    await crowdOf(bench.table, ['f0'], { state: 'failed' });
    await guard();
    expect(state()).toEqual({ stopped: 0, paused: 1, quotaUsed: 0.25, underReview: 1, uncertain: 3, couponsLow: 0 });
    await stop(bench.table, { by: 'ann', at: NOON, why: 'a test' });
    await guard();
    expect(state()).toMatchObject({ stopped: 1 });
  });

  it.each([
    ['cannot be reached', () => ses.on(GetAccountCommand).rejects(new Error('no answer'))],
    ['says no quota', () => says({ SendQuota: undefined })],
  ])('an SES that %s leaves what is known, stops nothing, and is in the log', async (_name, trouble) => {
    await guard();
    bench.clock.at += MINUTE;
    trouble();
    await guard();
    expect((await account())?.at).toBe(NOON);
    expect((await controls()).stopped).toBeUndefined();
    expect(logged()).toContain('account.unreadable');
    expect(state()).toMatchObject({ quotaUsed: 0.25 });
  });

  it('what is said of a shut account before it cannot be reached does not stop again what somebody has started', async () => {
    says({ EnforcementStatus: 'SHUTDOWN' });
    await guard();
    await start(bench.table, { by: 'ann', at: NOON, why: 'SES has opened it' });
    ses.on(GetAccountCommand).rejects(new Error('no answer'));
    await guard();
    expect((await controls()).stopped).toBeUndefined();
  });
});

describe('given an account that SES has shut', () => {
  it.each([
    ['shut down', { EnforcementStatus: 'SHUTDOWN' }, 'account shut down'],
    ['not allowed to send', { SendingEnabled: false }, 'account may not send'],
  ])('%s: sending stops, recorded, and the bus hears of it once', async (_name, change, why) => {
    says(change);
    await guard();
    expect((await controls()).stopped).toEqual({ by: 'guard-sending', at: NOON, why });
    expect(await lastActions(bench.table, 5)).toMatchObject([{ what: 'stop', by: 'guard-sending', why }]);
    bench.clock.at += MINUTE;
    await guard();
    expect((await controls()).stopped?.at).toBe(NOON);
    expect(told()).toEqual([
      {
        Source: 'kairos.operations',
        DetailType: 'Sending Stopped',
        by: 'guard-sending',
        at: new Date(NOON).toISOString(),
        why,
      },
    ]);
    expect(await lastActions(bench.table, 5)).toHaveLength(1);
  });

  it('a review stops nothing: bulk alone waits, which is the senders’ business', async () => {
    says({ EnforcementStatus: 'PROBATION' });
    await guard();
    expect((await controls()).stopped).toBeUndefined();
    expect(told()).toEqual([]);
  });
});

describe('given a stop', () => {
  it('of a sender: the bus hears of it once; of a person, who says so himself: not from here', async () => {
    await stop(bench.table, { by: 'send-message', at: NOON, why: 'AccessDeniedException' });
    await guard();
    await guard();
    expect(told()).toMatchObject([{ DetailType: 'Sending Stopped', by: 'send-message', why: 'AccessDeniedException' }]);
    await start(bench.table, { by: 'ann', at: NOON, why: 'mended' });
    await stop(bench.table, { by: 'ann', at: NOON + 1, why: 'a test' });
    await guard();
    expect(told()).toHaveLength(1);
    await start(bench.table, { by: 'ann', at: NOON, why: 'over' });
    await stop(bench.table, { by: 'send-message', at: NOON + 2, why: 'AccessDeniedException' });
    await guard();
    expect(told()).toHaveLength(2);
  });

  it('that the bus did not take is said again in the next minute', async () => {
    events.on(PutEventsCommand).rejectsOnce(new Error('no answer')).resolves({ FailedEntryCount: 0 });
    await stop(bench.table, { by: 'send-message', at: NOON, why: 'AccessDeniedException' });
    await guard();
    expect(logged()).toContain('guard.telling-failed');
    expect(state()).toMatchObject({ stopped: 1 });
    await guard();
    await guard();
    expect(events.commandCalls(PutEventsCommand)).toHaveLength(2);
  });
});

describe('given budgets', () => {
  it('they are kept each minute, also when SES is silent; and when they fail the rest goes on', async () => {
    let kept = 0;
    ses.on(GetAccountCommand).rejects(new Error('no answer'));
    await guard({
      keepBudgets: async () => {
        kept++;
        throw new Error('a report cannot be read');
      },
    });
    expect(kept).toBe(1);
    expect(logged()).toEqual(expect.arrayContaining(['account.unreadable', 'guard.budgets-failed', 'guard.state']));
  });
});

describe('given coupon pools', () => {
  it('those below their mark are named in the log and counted; none where nothing draws from them', async () => {
    const book = definitions({
      ordinal: 2,
      coupons: { pools: { BACK10: { percent: 10, lowWater: 2 }, IDLE: { percent: 5 } } },
    });
    const { offer } = book.campaigns;
    const draws = { ...offer!.campaign, steps: [{ send: 'hello', coupon: 'BACK10' }] };
    book.campaigns.offer = { ...offer!, campaign: draws };
    await publish(bench.table, bench.bucket, book);
    await bench.books.fresh();
    const free = async (code: string) => {
      for (const item of freeCodeItems({ pool: 'BACK10', code, percent: 10 }, NOON)) await bench.table.create(item);
    };
    await free('CODE-1');
    await guard();
    expect(state()).toMatchObject({ couponsLow: 1 });
    expect(bench.log.lines.filter(({ name }) => name === 'coupon.low')).toEqual([
      { level: 'warn', name: 'coupon.low', values: { pool: 'BACK10', left: 1 } },
    ]);
    await free('CODE-2');
    await guard();
    expect(state()).toMatchObject({ couponsLow: 0 });
  });
});
