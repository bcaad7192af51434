// Budgets on a real engine: from report items to a pause that is said once, and to going on.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BookStore } from '../../functions/aws/book-store.ts';
import { budgetStates, keepBudgets, rebase } from '../../functions/aws/budgets.ts';
import { lastActions, pause, resume } from '../../functions/aws/controls.ts';
import { documentClient, key, Table } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { around } from './faults.ts';
import {
  type Bench,
  benchOver,
  DAY,
  definitions,
  type MemoryBus,
  MemoryLog,
  MINUTE,
  memoryBus,
  NOON,
  publish,
} from './fixtures.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

let bench: Bench;
let said: MemoryBus;
let log: MemoryLog;
beforeEach(async () => {
  bench = benchOver(await engine.table());
  const book = definitions();
  book.campaigns.offer!.campaign.plannedPerDay = 100;
  await publish(bench.table, bench.bucket, book);
  said = memoryBus();
  log = new MemoryLog();
});

const look = (table = bench.table, books: BookStore = bench.books) =>
  keepBudgets({ table, books, bus: said.bus, now: bench.clock.now, log });
/** What the lake writer would have counted, in two shards of the stream. */
async function report(campaign: string, counts: Record<string, number>, at = bench.clock.at): Promise<void> {
  const day = new Date(at).toISOString().slice(0, 10);
  for (const shard of ['s1', 's2']) {
    const names = Object.keys(counts);
    await bench.table.update(key.report(campaign, day, shard), {
      UpdateExpression: `SET seq = :seq ADD ${names.map((_, n) => `#n${n} :n${n}`).join(', ')}`,
      ExpressionAttributeNames: Object.fromEntries(names.map((name, n) => [`#n${n}`, name])),
      ExpressionAttributeValues: {
        ':seq': '1',
        ...Object.fromEntries(names.map((name, n) => [`:n${n}`, counts[name]! / 2])),
      },
    });
  }
}
const complaints = (many: number, of: number, provider = 'yahoo') => ({
  delivered: of - many,
  complained: many,
  [`${provider}.delivered`]: of - many,
  [`${provider}.complained`]: many,
});
const paused = async () => (await bench.table.readOne(key.controls()))?.paused as Record<string, { why: string }>;
const minuteLater = () => {
  bench.clock.at += MINUTE;
};

describe('a look at the budgets', () => {
  it('leaves a campaign alone that has none against it, and one of which nothing is known', async () => {
    await report('offer', complaints(2, 60));
    await look();
    expect(await paused()).toEqual({});
    expect(said.events).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  it('pauses what went over, and says so once on the bus and in the log, without anybody’s data', async () => {
    await report('offer', complaints(6, 400));
    await report('thanks', complaints(0, 4000));
    await look();
    const why = 'complaints at yahoo: 6 of 400 in 1 day, at least 0.18 %; limit 0.1 %';
    expect(await paused()).toEqual({ offer: { by: 'guard-sending', at: NOON, why } });
    const event = {
      source: 'kairos.operations',
      name: 'Campaign Paused',
      detail: { campaign: 'offer', by: 'guard-sending', at: new Date(NOON).toISOString(), why, cause: 'budget' },
    };
    expect(said.events).toEqual([event]);
    expect(log.lines).toEqual([
      { level: 'warn', name: 'campaign.paused', values: { campaign: 'offer', cause: 'budget', why } },
    ]);
    expect(await lastActions(bench.table, 5)).toMatchObject([{ what: 'pause', to: 'offer', by: 'guard-sending' }]);
    minuteLater();
    await look();
    expect(said.events).toEqual([event]);
    expect(log.lines).toHaveLength(1);
  });

  it('pauses over the plan of a day', async () => {
    await report('offer', { made: 300 });
    await look();
    expect(await paused()).toEqual({});
    await report('offer', { made: 2 });
    minuteLater();
    await look();
    expect(said.events[0]?.detail).toMatchObject({
      campaign: 'offer',
      cause: 'volume',
      why: 'volume: 302 messages made for 2026-05-04 (UTC), 3 times the plan is 300',
    });
  });

  it('sees cases of the last days within a minute, and older ones within ten', async () => {
    await report('offer', { delivered: 100, 'yahoo.delivered': 100 }, NOON - DAY);
    await report('offer', { delivered: 100, 'yahoo.delivered': 100 }, NOON - 20 * DAY);
    await look();
    await report('offer', complaints(6, 300), NOON - DAY);
    minuteLater();
    await look();
    expect(Object.keys(await paused())).toEqual(['offer']);
    await rebase(bench.table, 'offer', bench.clock.at);
    await resume(bench.table, 'offer', { by: 'Ann', at: bench.clock.at, why: 'mended' });
    await report('offer', complaints(30, 300), NOON - 20 * DAY);
    minuteLater();
    await look();
    expect(await paused()).toEqual({});
    bench.clock.at += 10 * MINUTE;
    await look();
    expect(Object.keys(await paused())).toEqual(['offer']);
  });

  it('keeps a person’s pause, and says nothing of it', async () => {
    await pause(bench.table, 'offer', { by: 'Ann', at: NOON, why: 'wrong picture' });
    await report('offer', complaints(6, 400));
    await look();
    expect(await paused()).toMatchObject({ offer: { by: 'Ann' } });
    expect(said.events).toEqual([]);
  });

  it('also looks at a campaign that is retired, whose runs go on', async () => {
    const book = definitions({ ordinal: 2 });
    book.retired = { 'offer@v': { ...book.campaigns.offer!, version: 'v' } };
    delete book.campaigns.offer;
    await publish(bench.table, bench.bucket, book);
    await bench.books.fresh();
    await report('offer', complaints(6, 400));
    await look();
    expect(Object.keys(await paused())).toEqual(['offer']);
  });

  it('of one campaign that fails, looks at the others', async () => {
    await report('offer', complaints(6, 400));
    const client = engine.client();
    around(client, (command, input, go) => {
      const { ExpressionAttributeValues: values = {} } = input as {
        ExpressionAttributeValues?: Record<string, unknown>;
      };
      if (command === 'QueryCommand' && values[':pk'] === 'REPORT#confirm') throw new Error('unreadable');
      return go();
    });
    const table = new Table(documentClient(client), bench.table.name, 2);
    await expect(look(table)).rejects.toThrow('unreadable');
    expect(Object.keys(await paused())).toEqual(['offer']);
    expect(said.events).toHaveLength(1);
  });
});

describe('given a pause that could not be told', () => {
  const detail = { campaign: 'offer', at: new Date(NOON).toISOString() };

  it('because the bus refused: it is told by the next look that can', async () => {
    await report('offer', complaints(6, 400));
    said.refuses = true;
    await look();
    expect(Object.keys(await paused())).toEqual(['offer']);
    expect(log.lines.map(({ name }) => name)).toEqual(['campaign.paused', 'campaign.pause-unheard']);
    minuteLater();
    said.refuses = false;
    await look();
    expect(said.events).toMatchObject([{ name: 'Campaign Paused', detail }]);
    minuteLater();
    await look();
    expect(said.events).toHaveLength(1);
  });

  it('because the function died at any of its calls: it is told at least once, with the instant of the pause', async () => {
    let dies = 0;
    for (let done = false; !done; dies++) {
      const own = benchOver(await engine.table(), { ...bench, prefix: 'x' });
      await publish(own.table, own.bucket, definitions());
      bench = own;
      said = memoryBus();
      await report('offer', complaints(6, 400));
      const client = engine.client();
      let calls = 0;
      around(client, (_command, _input, go) => {
        if (calls++ >= dies) throw new Error('died');
        return go();
      });
      done = await look(new Table(documentClient(client), own.table.name, 2)).then(
        () => true,
        () => false,
      );
      minuteLater();
      await look();
      minuteLater();
      await look();
      const { offer } = (await paused()) as unknown as Record<string, { at: number }>;
      expect(said.events.length).toBeGreaterThanOrEqual(1);
      expect(said.events.length).toBeLessThanOrEqual(2);
      for (const event of said.events) expect(event.detail.at).toBe(new Date(offer!.at).toISOString());
    }
    expect(dies).toBeGreaterThan(4);
  });
});

describe('given a campaign that somebody lets go on', () => {
  const goOn = async () => {
    await rebase(bench.table, 'offer', bench.clock.at);
    await resume(bench.table, 'offer', { by: 'Ann', at: bench.clock.at, why: 'the mail is mended' });
  };

  it('it is not paused again for what was counted, but for as many cases again, and that is said again', async () => {
    await report('offer', complaints(6, 400));
    await look();
    minuteLater();
    await goOn();
    minuteLater();
    await look();
    expect(await paused()).toEqual({});
    await report('offer', complaints(2, 40));
    minuteLater();
    await look();
    expect(await paused()).toEqual({});
    await report('offer', complaints(4, 10));
    minuteLater();
    await look();
    expect(Object.keys(await paused())).toEqual(['offer']);
    expect(said.events.map(({ detail }) => detail.why)).toEqual([
      'complaints at yahoo: 6 of 400 in 1 day, at least 0.18 %; limit 0.1 %',
      'complaints at yahoo: 6 of 450 in 1 day, at least 0.16 %; limit 0.1 %',
    ]);
  });

  it('the day may bring three times its plan once more', async () => {
    await report('offer', { made: 302 });
    await look();
    await goOn();
    await report('offer', { made: 300 });
    minuteLater();
    await look();
    expect(await paused()).toEqual({});
    await report('offer', { made: 2 });
    minuteLater();
    await look();
    expect(Object.keys(await paused())).toEqual(['offer']);
  });

  it('a base leaves what stands beside it', async () => {
    await report('offer', complaints(6, 400));
    await look();
    await rebase(bench.table, 'offer', bench.clock.at);
    minuteLater();
    await look();
    expect(said.events).toHaveLength(1);
  });
});

describe('the state of the budgets', () => {
  it('is told per campaign and provider, in numbers and in words', async () => {
    await report('offer', { ...complaints(6, 400), made: 500, 'gmail.delivered': 1000, 'gmail.unsubscribed': 10 });
    await look();
    const { definitions: book } = await bench.books.current();
    const states = await budgetStates(bench.table, book, bench.clock.at);
    expect(states.map(({ campaign, made, paused: control }) => [campaign, made, control?.by])).toEqual([
      ['confirm', 0, undefined],
      ['offer', 500, 'guard-sending'],
      ['thanks', 0, undefined],
    ]);
    expect(states[1]?.excess).toMatchObject({ made: 500, most: 300, from: 'plan' });
    const stand = states[1]?.standings.find(({ provider, what }) => provider === 'yahoo' && what === 'complaints');
    expect(stand).toMatchObject({ cases: 6, messages: 400, rate: 0.015, limit: 0.001, verdict: 'over', days: 1 });
    expect(stand?.lowerEnd).toBeCloseTo(0.00179, 5);
    expect(states[1]?.standings.find(({ provider }) => provider === 'gmail')).toBeDefined();
  });
});

describe('what a look costs', () => {
  it('three queries per campaign, and two each ten minutes', async () => {
    await report('offer', complaints(1, 400));
    const client = engine.client();
    const calls: string[] = [];
    around(client, (command, _input, go) => {
      calls.push(command);
      return go();
    });
    const table = new Table(documentClient(client), bench.table.name, 2);
    const costs: string[] = [];
    for (let minute = 0; minute < 12; minute++) {
      calls.length = 0;
      await look(table);
      costs.push(calls.filter((name) => name === 'QueryCommand').length.toString());
      minuteLater();
    }
    // Three campaigns.
    expect(costs.join(' ')).toBe('6 9 9 9 9 9 9 9 9 9 6 9');
  });
});
