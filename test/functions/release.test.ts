// Releasing what is due: the send queues hold two minutes of work whatever is due where, and nothing that is held.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../domain/message.ts';
import { pause, start, stop } from '../../functions/aws/controls.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { key, pooled, shardOf, type Table } from '../../functions/aws/table.ts';
import { runTimers } from '../../functions/run-timers.ts';
import { walkDueShards } from '../../functions/walk-due.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { MemoryQueues } from './faults.ts';
import { type Bench, benchOver, crowdOf, HOUR, MINUTE, memoryBus, NOON } from './fixtures.ts';

let engine: Engine;
let bench: Bench;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  bench = benchOver(await engine.table());
});

/** The send queues as the timers see them, and senders that take so many a minute from them. */
class Line {
  readonly queues = new MemoryQueues();
  readonly waiting: Record<'triggered' | 'bulk', string[]> = { triggered: [], bulk: [] };
  readonly queue = new Queue(this.queues.client());
  readonly depths = { of: async (url: string) => this.waiting[url as 'triggered' | 'bulk'].length };

  /** One run of the timers, and all turns that the walks take; answers how many turns. */
  async minute(table: Table, rate: number): Promise<number> {
    const { now } = bench.clock;
    const looking = {
      depths: this.depths,
      urls: { triggered: 'triggered', bulk: 'bulk' },
      ceiling: { sendRate: rate, share: 1 },
    };
    await runTimers({ table, queue: this.queue, now, log: bench.log, holder: 'h', timers: 'timers', looking });
    let turns = 0;
    for (;;) {
      const walks = this.queues.drain('timers').map((entry) => entry.MessageBody ?? '');
      if (walks.length === 0) break;
      turns += walks.length;
      const event = { Records: walks.map((body, n) => ({ messageId: String(n), body })) };
      const answer = await walkDueShards(event as never, {
        table,
        recorder: bench.recorder,
        queue: this.queue,
        bus: memoryBus().bus,
        now,
        log: bench.log,
        rate,
        urls: { timers: 'timers', triggered: 'triggered', bulk: 'bulk' },
      });
      expect(answer.batchItemFailures).toEqual([]);
    }
    for (const lane of ['triggered', 'bulk'] as const)
      this.waiting[lane].push(...this.queues.drain(lane).map((entry) => JSON.parse(entry.MessageBody ?? '').message));
    return turns;
  }
}

describe('given more due messages than two minutes can send', () => {
  const people = (count: number): string[] => Array.from({ length: count }, (_, n) => `p${n}`);
  const inShard = (shards: number, shard: string, count: number): string[] =>
    people(count * shards * 2)
      .filter((id) => shardOf(id, shards) === shard)
      .slice(0, count);
  const dueAt = async (table: Table, { contact, id }: Message) =>
    (await table.readOne(key.message(contact, id)))?.dueAt as number;
  const send = async (table: Table, messages: Message[], ids: string[]): Promise<void> => {
    const byId = new Map(messages.map((one) => [one.id, one]));
    await pooled(ids, 20, async (id) => {
      const { contact } = byId.get(id)!;
      await table.update(key.message(contact, id), {
        UpdateExpression: 'SET #state = :sent REMOVE duePk, dueAt',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':sent': 'sent' },
      });
    });
  };
  it.each([
    ['in all shards', 8, undefined],
    ['in one of eight shards', 8, '03'],
  ])(
    '%s: the queue holds two minutes of work and is never empty before all is sent',
    async (_name, shards, shard) => {
      const table = await engine.table(shards);
      const ids = shard === undefined ? people(500) : inShard(shards, shard, 500);
      const messages = await crowdOf(table, ids, { lane: 'bulk' });
      const line = new Line();
      const rate = 2;
      const perMinute = 96;
      const gone: string[] = [];
      for (let minute = 0; gone.length < 500; minute++) {
        expect(minute).toBeLessThan(7);
        bench.clock.at = NOON + minute * MINUTE;
        await line.minute(table, rate);
        expect(line.waiting.bulk.length).toBeLessThanOrEqual(2 * perMinute);
        expect(line.waiting.bulk.length).toBeGreaterThanOrEqual(Math.min(perMinute, 500 - gone.length));
        const taken = line.waiting.bulk.splice(0, perMinute);
        await send(table, messages, taken);
        gone.push(...taken);
      }
      expect(new Set(gone).size).toBe(500);
      expect(gone).toHaveLength(500);
    },
    60_000,
  );

  it('a queue that nobody empties stays at two minutes of work, for an hour', async () => {
    await crowdOf(bench.table, people(120), { lane: 'triggered' });
    const line = new Line();
    for (let minute = 0; minute < 60; minute += 3) {
      bench.clock.at = NOON + minute * MINUTE;
      await line.minute(bench.table, 1);
      expect(line.waiting.triggered.length).toBe(120);
    }
    line.waiting.triggered.splice(0, 20);
    bench.clock.at += MINUTE;
    await line.minute(bench.table, 1);
    expect(line.waiting.triggered.length).toBe(120);
  }, 60_000);

  it('bulk leaves the senders to triggered mail that waits already', async () => {
    await crowdOf(bench.table, people(120), { lane: 'bulk' });
    const line = new Line();
    line.waiting.triggered.push(...people(60));
    await line.minute(bench.table, 1);
    expect(line.waiting.bulk).toHaveLength(60);
  });

  it('no bulk is queued while more triggered mail waits than bulk leaves room for in a minute', async () => {
    await crowdOf(bench.table, people(20), { lane: 'bulk' });
    const line = new Line();
    const piledUp = people(181);
    line.waiting.triggered.push(...piledUp);
    await line.minute(bench.table, 14);
    expect(line.waiting.bulk).toEqual([]);
    line.waiting.triggered.splice(0, 1);
    bench.clock.at += MINUTE;
    await line.minute(bench.table, 14);
    expect(line.waiting.bulk).toHaveLength(20);
  });

  it('nor while it waits in the index, as it does after a stop', async () => {
    await crowdOf(bench.table, people(200), { lane: 'triggered' });
    await crowdOf(
      bench.table,
      Array.from({ length: 20 }, (_, n) => `bulk-${n}`),
      { lane: 'bulk' },
    );
    const line = new Line();
    await line.minute(bench.table, 14);
    expect([line.waiting.triggered.length, line.waiting.bulk.length]).toEqual([200, 0]);
    line.waiting.triggered.length = 0;
    bench.clock.at += MINUTE;
    await line.minute(bench.table, 14);
    expect(line.waiting.bulk).toHaveLength(20);
  });

  it('while sending is stopped nothing is queued, and what is due is looked at again after five minutes', async () => {
    const messages = await crowdOf(bench.table, people(30), { lane: 'bulk' });
    await stop(bench.table, { by: 'ann', at: NOON, why: 'a test' });
    const line = new Line();
    await line.minute(bench.table, 14);
    expect(line.waiting).toEqual({ triggered: [], bulk: [] });
    const due = await Promise.all(messages.map((one) => dueAt(bench.table, one)));
    expect(new Set(due)).toEqual(new Set([NOON + 5 * MINUTE]));
    bench.clock.at = NOON + MINUTE;
    expect(await line.minute(bench.table, 14)).toBe(2);
    expect(await dueAt(bench.table, messages[0]!)).toBe(NOON + 5 * MINUTE);
    await start(bench.table, { by: 'ann', at: NOON, why: 'a test' });
    bench.clock.at = NOON + 5 * MINUTE;
    await line.minute(bench.table, 14);
    expect(line.waiting.bulk).toHaveLength(30);
  });

  it('while the account is under review bulk is looked at each 15 minutes, and triggered mail goes', async () => {
    const bulk = await crowdOf(bench.table, people(5), { lane: 'bulk' });
    await crowdOf(bench.table, ['q1', 'q2'], { lane: 'triggered' });
    const account = { at: NOON, maxRate: 14, max24h: 1000, sent24h: 0, sendingEnabled: true, production: true };
    await bench.table.create({ ...key.account(), ...account, enforcement: 'PROBATION' });
    const line = new Line();
    await line.minute(bench.table, 14);
    expect(line.waiting.bulk).toEqual([]);
    expect(line.waiting.triggered).toHaveLength(2);
    expect(await dueAt(bench.table, bulk[0]!)).toBe(NOON + 15 * MINUTE);
  });

  it('a paused campaign keeps no other waiting, and is looked at the less often the longer it is paused', async () => {
    const paused = await crowdOf(bench.table, people(150), {
      lane: 'triggered',
      plannedAt: NOON - HOUR,
      due: NOON - HOUR,
    });
    await crowdOf(bench.table, ['q1', 'q2'], { lane: 'triggered', campaign: 'confirm' });
    await pause(bench.table, 'thanks', { by: 'ann', at: NOON - 2 * HOUR, why: 'a test' });
    const line = new Line();
    await line.minute(bench.table, 1);
    expect(line.waiting.triggered.toSorted()).toEqual(['message-q1', 'message-q2']);
    const due = await Promise.all(paused.map((one) => dueAt(bench.table, one)));
    expect(new Set(due)).toEqual(new Set([NOON + 15 * MINUTE]));
  });

  it('where nobody can see the queues, a minute releases what a minute sends', async () => {
    await crowdOf(bench.table, people(200), { lane: 'triggered' });
    const line = new Line();
    line.depths.of = async () => {
      throw new Error('access denied');
    };
    await line.minute(bench.table, 1);
    expect(bench.log.lines.map(({ name }) => name)).toContain('timers.blind');
    expect(line.waiting.triggered.length).toBeGreaterThan(50);
    expect(line.waiting.triggered.length).toBeLessThan(100);
  });
});
