// Coupon codes on a real engine: each given once whatever happens, repeated to the same run, held back, redeemed once.
import { SESv2Client } from '@aws-sdk/client-sesv2';
import { SQSClient } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../domain/interaction.ts';
import { mergeContacts } from '../../domain/merge.ts';
import type { GivenCoupon, Message } from '../../domain/message.ts';
import {
  type Claim,
  Coupons,
  countFree,
  countPool,
  freeCodeItems,
  poolLevels,
  readCode,
} from '../../functions/aws/coupons.ts';
import { Mailer } from '../../functions/aws/mailer.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { Sender } from '../../functions/aws/sender.ts';
import { documentClient, key, messageItem, pooled, readMessage, Table } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type FaultyEngine, startFaultyEngine } from '../support/faulty-engine.ts';
import { type Ses, startSes } from '../support/ses.ts';
import { around, DoomedProcess, metered, SeededTrouble } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  contactOf,
  crowdOf,
  DAY,
  definitions,
  interaction,
  MemoryLog,
  MINUTE,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

let engine: Engine;
let faulty: FaultyEngine;
let ses: Ses;
let table: Table;
beforeAll(async () => {
  engine = await startEngine();
  faulty = await startFaultyEngine(20260504);
  faulty.upstream = engine.endpoint;
  ses = await startSes();
});
afterAll(async () => {
  await faulty.close();
  await engine.stop();
  await ses.stop();
});
beforeEach(async () => {
  table = await engine.table();
  Object.assign(ses, { accepted: [], calls: 0, next: [] });
});

/** Free codes of a pool, as an import leaves them. */
async function stock(codes: string[], change: Partial<GivenCoupon> = {}, into: Table = table): Promise<void> {
  await pooled(codes, 20, async (code) => {
    for (const item of freeCodeItems({ pool: 'BACK10', code, percent: 10, ...change }, NOON - DAY)) {
      await into.create(item);
    }
  });
}
const codes = (many: number, prefix = 'CODE'): string[] =>
  Array.from({ length: many }, (_, n) => `${prefix}-${1000 + n}`);
const claim = (run: string, change: Partial<Claim> = {}): Claim => ({
  run,
  pool: 'BACK10',
  contact: 'c1',
  message: `m-${run}`,
  ...change,
});
const give = (run: string, change: Partial<Claim> = {}, now = NOON) => new Coupons(table).give(claim(run, change), now);
const stored = async (code: string) => readCode((await table.readOne(key.code(code)))!);

describe('a code', () => {
  it('is drawn by the soonest expiry that has three days left, those that never expire last', async () => {
    await stock(['LATE-0001'], { expires: NOON + 3 * DAY - 1 });
    await stock(['NEVER-001']);
    await stock(['YEAR-9999'], { expires: Date.parse('9999-12-31T00:00:00Z') });
    await stock(['SOON-0001'], { expires: NOON + 3 * DAY });
    await stock(['MONTH-001'], { expires: NOON + 30 * DAY });
    const drawn: (string | undefined)[] = [];
    for (const run of ['r1', 'r2', 'r3', 'r4', 'r5']) drawn.push((await give(run))?.code);
    expect(drawn.slice(0, 2)).toEqual(['SOON-0001', 'MONTH-001']);
    expect(drawn.slice(2, 4).toSorted()).toEqual(['NEVER-001', 'YEAR-9999']);
    expect(drawn[4]).toBeUndefined();
  });

  it('is known with all that became of it, and leaves its pool', async () => {
    await stock(['spring-1a'], { amount: 500, currency: 'EUR', expires: NOON + 9 * DAY });
    expect(await give('r1')).toEqual({
      pool: 'BACK10',
      code: 'spring-1a',
      percent: 10,
      amount: 500,
      currency: 'EUR',
      expires: NOON + 9 * DAY,
    });
    expect(await stored('SPRING-1A')).toMatchObject({
      code: 'spring-1a',
      state: 'given',
      contact: 'c1',
      run: 'r1',
      message: 'm-r1',
      givenAt: NOON,
    });
    expect(await countPool(table, 'BACK10', NOON)).toEqual({
      pool: 'BACK10',
      free: 0,
      given: 1,
      redeemed: 0,
      expired: 0,
    });
  });

  it('is the same for the same run, in whatever contact it lives by then; another run or pool has its own', async () => {
    await stock(codes(20));
    await stock(codes(3, 'GIFT'), { pool: 'GIFT' });
    const first = await give('r1');
    expect(await give('r1', { contact: 'c2', message: 'm9' })).toEqual(first);
    expect((await give('r2'))?.code).not.toBe(first?.code);
    expect((await give('r1', { pool: 'GIFT' }))?.code).toMatch(/^GIFT/);
    // The first message stays the one that it was given in.
    expect(await stored(first!.code)).toMatchObject({ contact: 'c1', message: 'm-r1' });
  });

  it('that has expired is given to the run no more: it gets another', async () => {
    await stock(['SOON-0001'], { expires: NOON + 4 * DAY });
    await stock(['LATER-001'], { expires: NOON + 40 * DAY });
    expect((await give('r1'))?.code).toBe('SOON-0001');
    expect((await give('r1', {}, NOON + 4 * DAY - 1))?.code).toBe('SOON-0001');
    expect((await give('r1', {}, NOON + 4 * DAY))?.code).toBe('LATER-001');
    expect((await give('r1', {}, NOON + 5 * DAY))?.code).toBe('LATER-001');
    expect(await stored('SOON-0001')).toMatchObject({ state: 'given', run: 'r1' });
  });

  it('costs what is said: 4 read units and 7 write units once, and a read unit for each repeat', async () => {
    await stock(codes(60));
    const client = engine.client();
    const spent = metered(client);
    const coupons = new Coupons(new Table(documentClient(client), table.name, 2));
    await coupons.give(claim('r1'), NOON);
    expect({ read: spent.read, write: spent.write }).toEqual({ read: 4, write: 7 });
    Object.assign(spent, { read: 0, write: 0 });
    const found = await coupons.assigned([claim('r1')]);
    expect([...found.values()]).toHaveLength(1);
    expect({ read: spent.read, write: spent.write }).toEqual({ read: 1, write: 0 });
  });
});

/** What must hold of a pool at any time: no code twice, no run two, and the pool holds exactly those that are free. */
async function soundness(all: string[], runs: string[], pool = 'BACK10') {
  const items = await table.read(all.map(key.code));
  const states = all.map((code) => readCode(items.get(key.code(code))!));
  const assigned = await table.read(runs.map((run) => key.runCoupon(run, pool)));
  const has = runs.flatMap((run) => {
    const code = assigned.get(key.runCoupon(run, pool))?.code as string | undefined;
    return code === undefined ? [] : [[run, code] as const];
  });
  const given = states.filter(({ state }) => state === 'given');
  return {
    twice: has.length - new Set(has.map(([, code]) => code)).size,
    unlike: given.filter(({ code, run }) => !has.some(([of, its]) => of === run && its === code)).length,
    given: given.length,
    has: has.length,
    free: states.length - given.length,
    inPool: await countFree(table, pool, NOON, 10_000),
  };
}

describe('given many senders at once', () => {
  it('each code is given once and each run has one, under throttles, conflicts, lost answers and deaths', async () => {
    const seed = Number(process.env.KAIROS_SEED ?? 1);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          codes: fc.integer({ min: 0, max: 40 }),
          runs: fc.integer({ min: 1, max: 30 }),
          senders: fc.integer({ min: 2, max: 8 }),
          trouble: fc.constantFrom(0, 0.05, 0.15),
          seed: fc.nat(),
        }),
        async (drawn) => {
          table = await engine.table();
          const all = codes(drawn.codes);
          await stock(all);
          const runs = Array.from({ length: drawn.runs }, (_, n) => `run-${n}`);
          const told = new Map<string, Set<string>>();
          const trouble = drawn.trouble / 3;
          faulty.trouble({ throttle: trouble, error: trouble, conflict: trouble * 2, drop: trouble });
          await pooled(
            Array.from({ length: drawn.senders }, (_, n) => n),
            drawn.senders,
            async (n) => {
              const client = engine.client();
              // All of them by the faulty way; some die on it.
              client.middlewareStack.add(
                (next) => async (args) => {
                  const request = args.request as { hostname: string; port?: number };
                  const { hostname, port } = new URL(faulty.url);
                  Object.assign(request, { hostname, port: Number(port) });
                  return next(args);
                },
                { step: 'finalizeRequest', priority: 'low' },
              );
              if (n % 2 === 1)
                around(client, new DoomedProcess(3 + ((drawn.seed + n) % 40), n % 4 === 1 ? 'before' : 'after').step);
              const own = new Table(documentClient(client), table.name, 2);
              const coupons = new Coupons(own, new SeededTrouble(drawn.seed + n).draw);
              const order = runs.map((_, at) => runs[(at * 7 + n * 3) % runs.length]!);
              await pooled(order, 5, async (run) => {
                const coupon = await coupons.give(claim(run), NOON).catch(() => undefined);
                if (coupon !== undefined) told.set(run, (told.get(run) ?? new Set()).add(coupon.code));
              });
            },
          );
          faulty.trouble({});
          const calm = new Coupons(table);
          for (const run of runs) {
            const coupon = await calm.give(claim(run), NOON);
            if (coupon !== undefined) told.set(run, (told.get(run) ?? new Set()).add(coupon.code));
          }
          const wanted = Math.min(drawn.codes, new Set(runs).size);
          expect(await soundness(all, runs)).toEqual({
            twice: 0,
            unlike: 0,
            given: wanted,
            has: wanted,
            free: drawn.codes - wanted,
            inPool: drawn.codes - wanted,
          });
          expect([...told].filter(([, its]) => its.size > 1)).toEqual([]);
        },
      ),
      { numRuns: process.env.KAIROS_RUNS === undefined ? 8 : 100, seed },
    );
    for (const kind of ['throttle', 'error', 'conflict', 'drop'] as const)
      expect(faulty.struck[kind]).toBeGreaterThan(0);
  }, 300_000);

  it.each(['before', 'after'] as const)(
    'a sender that dies %s any of its calls costs no run its code, and no code twice',
    async (when) => {
      for (let at = 0; ; at++) {
        table = await engine.table();
        const all = codes(3);
        await stock(all);
        const client = engine.client();
        const process = new DoomedProcess(at, when);
        around(client, process.step);
        const doomed = new Coupons(new Table(documentClient(client), table.name, 2));
        const first = await doomed.give(claim('r1'), NOON).catch(() => undefined);
        if (!process.dead) break;
        const again = await give('r1');
        expect(again).toBeDefined();
        if (first !== undefined) expect(again).toEqual(first);
        expect(await soundness(all, ['r1'])).toMatchObject({ twice: 0, unlike: 0, given: 1, inPool: 2 });
      }
    },
  );
});

const keys = { current: 'k1', keys: { k1: 'a secret of the tests' } };

describe('given messages with a coupon', () => {
  let bench: Bench;
  let log: MemoryLog;
  const sender = (over: Table = bench.table): Sender =>
    new Sender({
      table: over,
      books: bench.books,
      mailer: new Mailer(
        'kairos',
        new SESv2Client({
          endpoint: ses.endpoint,
          region: 'x',
          credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
          maxAttempts: 1,
        }),
      ),
      queue: new Queue(new SQSClient({ region: 'x' })),
      secrets: async () => ({ keys, sources: {} }),
      now: bench.clock.now,
      sleep: async () => {},
      log,
      rate: 100,
      publicBaseUrl: 'https://mail.shop.example',
      deadLetters: 'https://sqs.test/dead',
    });
  const wanted = (messages: Message[]) => messages.map(({ contact, id }) => ({ contact, message: id }));
  const read = async ({ contact, id }: Message) => readMessage((await bench.table.readOne(key.message(contact, id)))!);
  /** Another message of the same run. */
  async function reminder(of: Message, change: Partial<Message> = {}): Promise<Message> {
    const message = { ...of, id: `${of.id}-2`, step: '2', ...change };
    await bench.table.create(messageItem(message, bench.table.shards));
    return message;
  }

  beforeEach(async () => {
    bench = benchOver(table);
    log = new MemoryLog();
    await publish(bench.table, bench.bucket, definitions());
  });

  it('the code is on the message from its claim on, and its reminder repeats it', async () => {
    await stock(codes(5));
    const [message] = await crowdOf(bench.table, ['p1'], { coupon: 'BACK10' });
    expect(await sender().send(wanted([message!]))).toEqual([undefined]);
    const first = await read(message!);
    expect(first).toMatchObject({ state: 'sent', inputs: { coupon: { pool: 'BACK10', percent: 10 } } });
    const second = await reminder(message!);
    await sender().send(wanted([second]));
    expect((await read(second)).inputs.coupon).toEqual(first.inputs.coupon);
    expect(await stored(first.inputs.coupon!.code)).toMatchObject({ contact: 'p1', message: 'message-p1' });
    expect(ses.calls).toBe(2);
  });

  it('two messages of one run in one batch, and two senders of one message, carry one code', async () => {
    await stock(codes(5));
    const [message] = await crowdOf(bench.table, ['p1'], { coupon: 'BACK10' });
    const second = await reminder(message!);
    await Promise.all([sender().send(wanted([message!, second])), sender().send(wanted([message!, second]))]);
    expect((await read(second)).inputs.coupon).toEqual((await read(message!)).inputs.coupon);
    expect(await countFree(bench.table, 'BACK10', NOON, 100)).toBe(4);
  });

  it('after a merge a reminder under the surviving contact repeats the code of the run', async () => {
    await stock(codes(5));
    const [message] = await crowdOf(bench.table, ['p2'], { coupon: 'BACK10' });
    await crowdOf(bench.table, ['p1']);
    await sender().send(wanted([message!]));
    const [one, other] = [await contactOf(bench.table, 'p1'), await contactOf(bench.table, 'p2')];
    const { contact, tombstone } = mergeContacts(one!, other!);
    for (const each of [contact, tombstone]) {
      await bench.table.transact([bench.table.contactWrite({ value: each, version: 1 }, each)]);
    }
    expect(contact.id).toBe('p1');
    const second = await reminder(message!, { contact: 'p1' });
    await sender().send(wanted([second]));
    expect(await read(second)).toMatchObject({ state: 'sent', contact: 'p1' });
    expect((await read(second)).inputs.coupon).toEqual((await read(message!)).inputs.coupon);
  });

  it('an empty pool holds them for a quarter of an hour, says so once, and takes no place from others', async () => {
    const held = await crowdOf(bench.table, ['p1', 'p2'], { coupon: 'BACK10' });
    const [other] = await crowdOf(bench.table, ['p3']);
    await sender().send(wanted([...held, other!]));
    for (const message of held) {
      expect(await read(message)).toMatchObject({ state: 'ready', due: NOON + 15 * MINUTE });
      expect((await read(message)).inputs.coupon).toBeUndefined();
    }
    expect(await read(other!)).toMatchObject({ state: 'sent' });
    expect(log.lines.filter(({ name }) => name === 'coupon.empty')).toEqual([
      { level: 'info', name: 'coupon.empty', values: { pool: 'BACK10', messages: 2 } },
    ]);
    // The longer it stays empty, the less often it is asked; at most every six hours.
    for (const [after, next] of [
      [240 * MINUTE, 30 * MINUTE],
      [20 * 1440 * MINUTE, 360 * MINUTE],
    ] as const) {
      bench.clock.at = NOON + after;
      await sender().send(wanted([held[0]!]));
      expect(await read(held[0]!)).toMatchObject({ state: 'ready', due: NOON + after + next });
    }
    bench.clock.at = NOON;
    await stock(codes(1));
    bench.clock.at += 15 * MINUTE;
    await sender().send(wanted(held));
    const states = (await Promise.all(held.map(read))).map(({ state }) => state).toSorted();
    expect(states).toEqual(['ready', 'sent']);
  });

  it('one that is held until it expires is dropped, and takes no code', async () => {
    const [message] = await crowdOf(bench.table, ['p1'], { coupon: 'BACK10', expiresAt: NOON + 20 * MINUTE });
    await sender().send(wanted([message!]));
    await stock(codes(1));
    bench.clock.at += 21 * MINUTE;
    await sender().send(wanted([message!]));
    expect(await read(message!)).toMatchObject({ state: 'dropped', reason: 'expired' });
    expect(await countFree(bench.table, 'BACK10', NOON, 10)).toBe(1);
  });

  it('a ghost takes none', async () => {
    await stock(codes(1));
    const [message] = await crowdOf(bench.table, ['p1'], { coupon: 'BACK10', state: 'ghost' });
    await sender().send(wanted([message!]));
    expect(await countFree(bench.table, 'BACK10', NOON, 10)).toBe(1);
    expect(ses.calls).toBe(0);
  });

  it('a sender that dies anywhere leaves the code to the message: sent by another it carries the same', async () => {
    let died = 0;
    for (const when of ['before', 'after'] as const) {
      for (let at = 0; ; at++) {
        bench = benchOver(await engine.table());
        await publish(bench.table, bench.bucket, definitions());
        await stock(codes(3), {}, bench.table);
        const [message] = await crowdOf(bench.table, ['p1'], { coupon: 'BACK10' });
        const client = engine.client();
        const process = new DoomedProcess(at, when);
        around(client, process.step);
        await sender(new Table(documentClient(client), bench.table.name, 2))
          .send(wanted([message!]))
          .catch(() => undefined);
        if (!process.dead) break;
        died++;
        const assigned = await bench.table.readOne(key.runCoupon(message!.run, 'BACK10'));
        await sender().send(wanted([message!]));
        const { state, inputs } = await read(message!);
        if (assigned !== undefined) expect(inputs.coupon?.code ?? assigned.code).toBe(assigned.code);
        if (state === 'sent') expect(inputs.coupon).toBeDefined();
        expect(await countFree(bench.table, 'BACK10', NOON, 10)).toBe(2);
      }
    }
    expect(died).toBeGreaterThan(12);
  }, 120_000);
});

describe('an order that was paid with a code', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = benchOver(table);
    await publish(bench.table, bench.bucket, definitions());
    await stock(codes(3));
  });
  const paid = (id: string, coupon: unknown, more: { user?: string; at?: number; lines?: string[] } = {}) => {
    const { user, at = NOON, lines } = more;
    const made = purchase({ id, order: `order-${id}`, at, ...(user !== undefined && { user }) });
    const products = lines?.map((code) => ({ product_id: 'cup', price: 20, quantity: 1, coupon: code }));
    Object.assign(made.properties, coupon === undefined ? {} : { coupon }, products === undefined ? {} : { products });
    return { interaction: made };
  };
  const owner = async (user: string) => (await contactBy(bench.table, `user#${sha256(user)}`))?.id;

  it('redeems it once, by its own person: in which order and when', async () => {
    await bench.recorder.record([{ interaction: interaction('Identified', { id: 'i', user: 'ann' }) }]);
    const ann = await owner('ann');
    await give('r1', { contact: ann! });
    const [given] = (await Promise.all(codes(3).map(stored))).filter(({ state }) => state === 'given');
    expect(await bench.recorder.record([paid('1', given!.code.toLowerCase(), { user: 'ann', at: NOON + 5 })])).toEqual([
      { kind: 'recorded' },
    ]);
    const redeemed = { state: 'redeemed', contact: ann, redeemedBy: ann, order: 'shop#order-1', redeemedAt: NOON + 5 };
    expect(await stored(given!.code)).toMatchObject(redeemed);
    await bench.recorder.record([paid('2', given!.code, { user: 'ann', at: NOON + 9 })]);
    await bench.recorder.record([paid('1', given!.code, { user: 'ann', at: NOON + 5 })]);
    expect(await stored(given!.code)).toMatchObject(redeemed);
    expect(await countPool(bench.table, 'BACK10', NOON)).toMatchObject({ free: 2, given: 0, redeemed: 1 });
  });

  it('redeems it for somebody else too, and for somebody who is not known', async () => {
    const first = (await give('r1'))!.code;
    const second = (await give('r2'))!.code;
    await bench.recorder.record([paid('1', undefined, { user: 'bob', lines: [first] }), paid('2', second)]);
    expect(await stored(first)).toMatchObject({ state: 'redeemed', contact: 'c1', redeemedBy: await owner('bob') });
    expect(await stored(second)).toMatchObject({ state: 'redeemed', order: 'shop#order-2' });
    expect((await stored(second)).redeemedBy).toBeUndefined();
  });

  it('takes a code out of its pool that nobody was given', async () => {
    await bench.recorder.record([paid('1', 'CODE-1001', { user: 'ann' })]);
    expect(await stored('CODE-1001')).toMatchObject({ state: 'redeemed', order: 'shop#order-1' });
    const drawn = [(await give('r1'))?.code, (await give('r2'))?.code, (await give('r3'))?.code];
    expect(drawn.toSorted()).toEqual(['CODE-1000', 'CODE-1002', undefined]);
  });

  it('counts whichever comes first where a sender and an order are after one code', async () => {
    for (let round = 0; round < 12; round++) {
      const code = `RACE-${round}`;
      await stock([code], { pool: 'RACE' });
      const [coupon] = await Promise.all([
        give(`race-${round}`, { pool: 'RACE' }),
        bench.recorder.record([paid(`race-${round}`, code, { user: `racer-${round}` })]),
      ]);
      expect(await stored(code)).toMatchObject({ state: 'redeemed', order: `shop#order-race-${round}` });
      if (coupon !== undefined) expect(await stored(code)).toMatchObject({ run: `race-${round}` });
      expect(await countFree(table, 'RACE', NOON, 10)).toBe(0);
    }
  });

  it('changes nothing with an unknown code, and costs no write for it', async () => {
    const client = engine.client();
    const spent = metered(client);
    const own = benchOver(new Table(documentClient(client), table.name, 2), {
      bucket: bench.bucket,
      clock: bench.clock,
      prefix: 'd',
    });
    await own.recorder.record([paid('1', undefined, { user: 'ann' })]);
    await own.recorder.record([paid('2', undefined, { user: 'ann', at: NOON + 1 })]);
    const plain = { write: spent.write, read: spent.read };
    Object.assign(spent, { write: 0, read: 0 });
    await own.recorder.record([paid('3', undefined, { user: 'bea' })]);
    await own.recorder.record([paid('4', 'SUMMER-99', { user: 'bea', at: NOON + 1 })]);
    expect(spent.write).toBe(plain.write);
    expect(spent.read - plain.read).toBeLessThanOrEqual(1);
    expect(await table.readOne(key.code('SUMMER-99'))).toBeUndefined();
  });

  it('is recorded whole where the code was redeemed in the very moment: the first order keeps it', async () => {
    const code = (await give('r1'))!.code;
    const client = engine.client();
    let between = false;
    around(client, async (command, _input, go) => {
      if (command.startsWith('TransactWrite') && !between) {
        between = true;
        await bench.recorder.record([paid('1', code, { user: 'ann' })]);
      }
      return go();
    });
    const late = benchOver(new Table(documentClient(client), table.name, 2), {
      bucket: bench.bucket,
      clock: bench.clock,
      prefix: 'late',
    });
    expect(await late.recorder.record([paid('2', code, { user: 'bob' })])).toEqual([{ kind: 'recorded' }]);
    expect(between).toBe(true);
    expect(await stored(code)).toMatchObject({ order: 'shop#order-1', redeemedBy: await owner('ann') });
    expect((await contactOf(table, (await owner('bob'))!))?.facts.orders.count).toBe(1);
  });

  it('in one batch with another order of the same code counts for the earlier one', async () => {
    const code = (await give('r1'))!.code;
    const batch = [paid('2', code, { user: 'ann', at: NOON + 2 }), paid('1', code, { user: 'ann', at: NOON + 1 })];
    const outcomes = await bench.recorder.record(batch);
    expect(outcomes).toEqual([{ kind: 'recorded' }, { kind: 'recorded' }]);
    expect(await stored(code)).toMatchObject({ order: 'shop#order-1' });
  });
});

describe('the level of a pool', () => {
  const book = () => {
    const made = definitions({ coupons: { pools: { BACK10: { percent: 10, lowWater: 3 }, UNUSED: { percent: 5 } } } });
    const { offer } = made.campaigns;
    made.campaigns.offer = {
      ...offer!,
      campaign: { ...offer!.campaign, steps: [{ send: 'hello', coupon: 'BACK10' }] },
    };
    made.retired['offer@old'] = {
      ...offer!,
      campaign: {
        ...offer!.campaign,
        steps: [{ if: { did: 'Order Completed' }, then: [{ send: 'hello', coupon: 'OLD5' }] }],
      },
    };
    return made;
  };

  it('is counted up to its low-water mark, of the pools that campaigns draw from', async () => {
    await stock(codes(8));
    await stock(codes(2, 'SOON'), { pool: 'OLD5', expires: NOON + DAY });
    await stock(codes(2, 'LATER'), { pool: 'OLD5', expires: NOON + 5 * DAY });
    const levels = await poolLevels(table, book(), NOON);
    expect(levels).toEqual([
      { pool: 'BACK10', left: 3, lowWater: 3 },
      { pool: 'OLD5', left: 2, lowWater: 100 },
    ]);
    expect(await countPool(table, 'OLD5', NOON)).toMatchObject({ free: 2, expired: 2, soonest: NOON + 5 * DAY });
  });
});
