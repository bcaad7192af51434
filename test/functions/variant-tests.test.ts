// Counters of arms, variants and tests from the stream, and winners in the controls, on a real engine.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { campaignVersion, compileBook } from '../../domain/book.ts';
import type { Campaign, Test } from '../../domain/campaign-grammar.ts';
import type { Conversion, Message } from '../../domain/message.ts';
import { readControls } from '../../functions/aws/controls.ts';
import { countReports } from '../../functions/aws/reports.ts';
import { key, messageItem, Table } from '../../functions/aws/table.ts';
import { decideTests, testStates } from '../../functions/aws/variant-tests.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type Bench, benchOver, crowdOf, DAY, definitions, HOUR, MINUTE, NOON, publish } from './fixtures.ts';

let engine: Engine;
let bench: Bench;
/** The campaign of the tests, and the name of its test. */
let campaign: Campaign;
let name: string;
let base: Message;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const test: Test = { variants: ['a', 'b'], share: 20, for: '4h', winner: 'clicked' };
const book = (more: Partial<Campaign> = {}) => {
  campaign = {
    kind: 'marketing',
    aim: 'retention',
    topic: 'offers',
    sender: 'main',
    when: { did: 'Order Completed' },
    again: 'every time',
    steps: [{ send: 'hello', test }],
    ...more,
  };
  const version = campaignVersion(campaign);
  name = `sale@${version}|hello`;
  return definitions({ campaigns: { sale: { id: 'sale', version, since: 1, campaign } } });
};

beforeEach(async () => {
  bench = benchOver(await engine.table());
  await publish(bench.table, bench.bucket, book());
  [base] = (await crowdOf(await engine.table(), ['p0'])) as [Message];
  base = { ...base, campaign: 'sale', version: campaign.kind, kind: 'marketing', step: '0', key: 'hello' };
});

let sequence = 0;
const seq = () => String(++sequence).padStart(21, '0');
const conversion = (value?: number): Conversion => ({
  at: NOON + HOUR,
  event: 'Order Completed',
  ...(value !== undefined && { value }),
});
/** One write of a message, as the stream tells it. */
const move = (after: Partial<Message>, before?: Partial<Message>) => ({
  sequence: seq(),
  at: NOON,
  after: messageItem({ ...base, ...after }, 2),
  ...(before !== undefined && { before: messageItem({ ...base, ...before }, 2) }),
});
const count = (changes: ReturnType<typeof move>[], shard = 's1') => countReports(changes, shard, bench.table);
const report = async (shard = 's1') => {
  const { pk, sk, seq: _, ...counts } = (await bench.table.readOne(key.report('sale', '2026-05-04', shard)))!;
  return counts;
};
/** Messages of a variant under test, sent, of which some were clicked and some converted. */
const tried = (variant: string, people: number, { clicked = 0, converted = 0, test = name, plannedAt = NOON } = {}) =>
  Array.from({ length: people }, (_, n) =>
    move({
      id: `${variant}${n}`,
      state: 'sent',
      variant,
      test,
      plannedAt,
      ...(n < clicked && { clickedAt: NOON + MINUTE }),
      ...(n < converted && { conversion: conversion(100) }),
    }),
  );
const look = async (at: number) => {
  bench.clock.at = at;
  await decideTests({ table: bench.table, books: bench.books, now: bench.clock.now, log: bench.log });
};
const decided = async () => readControls(await bench.table.readOne(key.controls())).tests ?? {};
const states = async (since?: number) => {
  const controls = readControls(await bench.table.readOne(key.controls()));
  return testStates(bench.table, await bench.books.fresh(), controls, since);
};

describe('given messages of both arms', () => {
  it('counts conversions and what they were worth of each, and no ghost as made', async () => {
    await count([
      move({ id: 'm1', state: 'sent' }),
      move({ id: 'm2', state: 'sent' }),
      move({ id: 'g1', state: 'ghost' }),
      move({ id: 'g2', state: 'ghost' }),
    ]);
    expect(await report()).toEqual({ made: 2, sent: 2, ghost: 2 });
    const converts = [
      move({ id: 'm1', state: 'sent', conversion: conversion(1250) }, { id: 'm1', state: 'sent' }),
      move({ id: 'm2', state: 'sent', conversion: conversion() }, { id: 'm2', state: 'sent' }),
      move({ id: 'g1', state: 'ghost', conversion: conversion(990) }, { id: 'g1', state: 'ghost' }),
    ];
    await count(converts);
    await count(converts);
    expect(await report()).toEqual({
      made: 2,
      sent: 2,
      ghost: 2,
      converted: 2,
      value: 1250,
      'ghost-converted': 1,
      'ghost-value': 990,
    });
  });
});

describe('given messages with variants', () => {
  it('counts each variant of each send, both arms apart, whatever state comes in between', async () => {
    const one = { id: 'm1', variant: 'a' };
    const ghost = { id: 'g1', variant: 'b', state: 'ghost' as const };
    await count([
      move(one),
      move({ ...one, state: 'claimed', provider: 'gmail' }, one),
      move({ ...one, state: 'sent', provider: 'gmail' }, { ...one, state: 'claimed', provider: 'gmail' }),
      move(
        {
          ...one,
          state: 'sent',
          delivery: 'delivered',
          clickedAt: NOON,
          conversion: conversion(500),
          provider: 'gmail',
        },
        { ...one, state: 'sent', provider: 'gmail' },
      ),
      move(ghost),
      move({ ...ghost, conversion: conversion(70) }, ghost),
    ]);
    const counts = await report();
    expect(Object.fromEntries(Object.entries(counts).filter(([each]) => each.includes('~')))).toEqual({
      'hello~a~sent': 1,
      'hello~a~clicked': 1,
      'hello~a~converted': 1,
      'hello~a~value': 500,
      'hello~b~ghost': 1,
      'hello~b~ghost-converted': 1,
      'hello~b~ghost-value': 70,
    });
    expect(counts).toMatchObject({ made: 1, delivered: 1, 'gmail.delivered': 1, converted: 1, value: 500 });
  });

  it('stays small, whatever is tried: what is beyond 24 alternatives is counted as others', async () => {
    for (let batch = 0; batch < 4; batch++) {
      const changes = Array.from({ length: 60 }, (_, n) =>
        move({
          id: `m${batch}-${n}`,
          state: 'sent',
          variant: `v${n}`,
          provider: 'gmail',
          clickedAt: NOON,
          unsubscribedAt: NOON,
          conversion: conversion(1),
        }),
      );
      await count(changes);
    }
    const counts = await report();
    const alternatives = new Set(Object.keys(counts).filter((each) => each.endsWith('~sent')));
    expect(alternatives.size).toBe(25);
    expect(counts['others~others~sent']).toBe(4 * (60 - 24));
    expect(
      Object.entries(counts).reduce((sum, [each, value]) => (each.endsWith('~sent') ? sum + Number(value) : sum), 0),
    ).toBe(240);
    expect(JSON.stringify(counts).length).toBeLessThan(8_000);
  });
});

describe('given a test whose time is over', () => {
  it('writes the winner by clicks into the controls, once, four hours after its first message', async () => {
    await count(
      [...tried('a', 200, { clicked: 20 }), ...tried('b', 150, { clicked: 30, plannedAt: NOON + HOUR })],
      's1',
    );
    await count(tried('b', 50, { clicked: 10, plannedAt: NOON - MINUTE }), 's2');
    await look(NOON - MINUTE + 4 * HOUR - 1);
    expect(await decided()).toEqual({});
    await look(NOON - MINUTE + 4 * HOUR);
    expect(await decided()).toEqual({ [name]: { winner: 'b', at: NOON - MINUTE + 4 * HOUR } });
    expect(bench.log.lines).toContainEqual({
      level: 'info',
      name: 'test.decided',
      values: { test: name, campaign: 'sale', winner: 'b', p: 0.005102, tried: 'b 40/200, a 20/200' },
    });
    await count(tried('a', 200, { clicked: 200 }), 's3');
    await look(NOON + 5 * HOUR);
    expect((await decided())[name]).toEqual({ winner: 'b', at: NOON - MINUTE + 4 * HOUR });
    expect(bench.log.lines.filter((line) => line.name === 'test.decided')).toHaveLength(1);
  });

  it('keeps the first word where two guards are at it, the later one with other figures', async () => {
    await count([...tried('a', 200, { clicked: 20 }), ...tried('b', 200, { clicked: 40 })]);
    await look(NOON + 4 * HOUR);
    await count(tried('a', 400, { clicked: 300 }), 's2');
    /** Reads controls that were there before the first guard wrote. */
    class Late extends Table {
      override async readOne() {
        return undefined;
      }
    }
    const late = new Late(engine.documents(), bench.table.name, 2);
    await decideTests({ table: late, books: bench.books, now: bench.clock.now, log: bench.log });
    expect(await decided()).toEqual({ [name]: { winner: 'b', at: NOON + 4 * HOUR } });
    expect(bench.log.lines.filter((line) => line.name === 'test.decided')).toHaveLength(1);
  });

  it('writes that none is clearly better, with its reason in the log', async () => {
    await count([...tried('a', 200, { clicked: 20 }), ...tried('b', 200, { clicked: 26 })]);
    await look(NOON + 4 * HOUR);
    expect(await decided()).toEqual({ [name]: { winner: null, at: NOON + 4 * HOUR } });
    expect(bench.log.lines.at(-1)?.values).toMatchObject({ winner: 'none', reason: 'no clear difference' });
  });

  it('knows a variant that nobody got, and counts no ghost', async () => {
    await count([...tried('a', 200, { clicked: 90 }), move({ id: 'g', state: 'ghost', variant: 'b', test: name })]);
    await look(NOON + 4 * HOUR);
    expect(await decided()).toMatchObject({ [name]: { winner: null } });
    expect(bench.log.lines.at(-1)?.values).toMatchObject({ reason: 'too few people', tried: 'a 90/200, b 0/0' });
  });

  it('decides by conversions where the campaign says so', async () => {
    await publish(bench.table, bench.bucket, {
      ...book({
        steps: [{ send: 'hello', test: { ...test, winner: 'success' } }],
        success: { did: 'Order Completed', within: '7d' },
      }),
      ordinal: 2,
    });
    await bench.books.fresh();
    await count([
      ...tried('a', 200, { clicked: 90, converted: 12 }),
      ...tried('b', 200, { clicked: 1, converted: 40 }),
    ]);
    // Who was not written to tells nothing of a variant.
    const unsent = (id: string, state: Message['state']) =>
      move({ id, state, variant: 'a', test: name, conversion: conversion(1) });
    await count([...Array(90).keys()].flatMap((n) => [unsent(`g${n}`, 'ghost'), unsent(`d${n}`, 'dropped')]));
    expect((await states())[0]?.tried).toEqual([
      { variant: 'a', people: 200, events: 12 },
      { variant: 'b', people: 200, events: 40 },
    ]);
    await look(NOON + 4 * HOUR);
    expect(await decided()).toMatchObject({ [name]: { winner: 'b' } });
  });

  it('decides of a broadcast each time apart', async () => {
    const [first, second] = [`${name}|2026-05-04T10:00`, `${name}|2026-05-05T10:00`];
    await count(tried('a', 200, { clicked: 50, test: first }));
    await count(tried('b', 200, { clicked: 10, test: first }));
    await count(tried('a', 200, { clicked: 10, test: second, plannedAt: NOON + DAY }));
    await count(tried('b', 200, { clicked: 50, test: second, plannedAt: NOON + DAY }));
    await look(NOON + 4 * HOUR);
    expect(await decided()).toMatchObject({ [first]: { winner: 'a' } });
    await look(NOON + DAY + 4 * HOUR);
    expect(await decided()).toMatchObject({ [first]: { winner: 'a' }, [second]: { winner: 'b' } });
  });

  it('counts nothing twice when batches come again', async () => {
    const changes = [...tried('a', 60, { clicked: 20 }), ...tried('b', 60, { clicked: 20 })];
    await count(changes);
    await count(changes.slice(30));
    await count(changes);
    expect((await states())[0]?.tried).toEqual([
      { variant: 'a', people: 60, events: 20 },
      { variant: 'b', people: 60, events: 20 },
    ]);
  });
});

describe('given tests of long ago', () => {
  it('keeps what a live campaign may ask for, and lets go broadcasts and versions that are gone, for good', async () => {
    const broadcast = `${name}|2026-05-04T10:00`;
    const gone = 'sale@0123456789|hello';
    for (const one of [name, broadcast]) {
      await count(tried('a', 200, { clicked: 50, test: one }));
      await count(tried('b', 200, { clicked: 10, test: one }));
    }
    await look(NOON + 4 * HOUR);
    await bench.table.update(key.controls(), {
      UpdateExpression: 'SET tests.#gone = :decided',
      ExpressionAttributeNames: { '#gone': gone },
      ExpressionAttributeValues: { ':decided': { winner: 'a', at: NOON } },
    });
    await look(NOON + 30 * DAY);
    expect(Object.keys(await decided()).sort()).toEqual([name, broadcast].sort());
    await look(NOON + 31 * DAY);
    expect(Object.keys(await decided())).toEqual([name]);
    await look(NOON + 32 * DAY);
    expect(Object.keys(await decided())).toEqual([name]);
  });
});

describe('given people who ask how tests stand', () => {
  it('tells those that run and those decided of late, the latest first, with figures', async () => {
    await count([...tried('a', 80, { clicked: 8 }), ...tried('b', 70, { clicked: 9 })]);
    expect(await states()).toEqual([
      {
        test: name,
        campaign: 'sale',
        send: 'hello',
        first: NOON,
        ends: NOON + 4 * HOUR,
        by: 'clicked',
        tried: [
          { variant: 'a', people: 80, events: 8 },
          { variant: 'b', people: 70, events: 9 },
        ],
      },
    ]);
    await look(NOON + 4 * HOUR);
    expect((await states(NOON))[0]?.decided).toEqual({ winner: null, at: NOON + 4 * HOUR });
    expect(await states(NOON + DAY)).toEqual([]);
  });

  it('passes over a test that the book does not know', async () => {
    await count(tried('a', 10, { test: 'sale@0123456789|hello' }));
    await count(tried('a', 10, { test: 'nonsense' }));
    await look(NOON + DAY);
    expect(await decided()).toEqual({});
    expect(compileBook(book(), 'h', { paused: {}, filled: 1 }).version.size).toBe(1);
  });
});
