// Walking what is due, and walking everybody: ticks, releases, leases, backfills, and the store of books.
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../domain/interaction.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { startWalks } from '../../functions/aws/release.ts';
import { type RosterStep, rosterSteps, walkRoster } from '../../functions/aws/roster.ts';
import { key } from '../../functions/aws/table.ts';
import { type WalkDeps, walkDue } from '../../functions/aws/walk.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  contactOf,
  definitions,
  HOUR,
  interaction,
  MINUTE,
  memoryBus,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

let engine: Engine;
let bench: Bench;
const sqs = mockClient(SQSClient);
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  bench = benchOver(await engine.table());
  sqs.reset();
  sqs.on(SendMessageBatchCommand).resolves({});
  await publish(bench.table, bench.bucket, definitions());
});

const queue = () => new Queue(new SQSClient({ region: 'x' }));
const deps = (change: Partial<WalkDeps> = {}): WalkDeps => ({
  table: bench.table,
  recorder: bench.recorder,
  queue: queue(),
  bus: memoryBus().bus,
  now: bench.clock.now,
  log: bench.log,
  rate: 14,
  urls: { timers: 'timers', triggered: 'triggered', bulk: 'bulk' },
  ...change,
});
const walkAll = async () => {
  for (const shard of ['00', '01']) await walkDue({ shard }, deps());
};
const queued = (url: string) =>
  sqs
    .commandCalls(SendMessageBatchCommand)
    .map(({ args: [command] }) => command.input)
    .filter((input) => input.QueueUrl === url)
    .flatMap((input) => (input.Entries ?? []).map((entry) => JSON.parse(entry.MessageBody ?? '')));
const address = 'ann@example.org';
const grant = interaction('Consent Granted', { id: 'g1', address, at: NOON - HOUR, properties: { topic: 'offers' } });

describe('given a contact whose time has come', () => {
  it('is ticked once due, and not before', async () => {
    await bench.recorder.record([
      { interaction: grant },
      { interaction: purchase({ id: 'm1', order: 'o1', address }) },
    ]);
    const contact = (await contactBy(bench.table, `address#${sha256(address)}`))!;
    expect(contact.journey.due).toBe(NOON + HOUR);
    bench.clock.at = NOON + HOUR - 1;
    await walkAll();
    expect((await messagesOf(bench.table, contact.id)).map((one) => one.campaign)).toEqual(['thanks']);
    bench.clock.at = NOON + HOUR;
    await walkAll();
    expect((await messagesOf(bench.table, contact.id)).map((one) => one.campaign).sort()).toEqual(['offer', 'thanks']);
    expect((await contactOf(bench.table, contact.id))?.journey.due).toBeGreaterThan(NOON + HOUR);
  });

  it('posts itself again while more is due than fits in a page', async () => {
    const everybody = Array.from({ length: 101 }, (_, n) => ({
      pk: `CONTACT#gone-${n}`,
      sk: 'CONTACT',
      duePk: 'DUE#tick#00',
      dueAt: NOON,
    }));
    for (const item of everybody) await bench.table.create(item);
    const ticked: string[] = [];
    const recorder = { tick: async (ids: string[]) => void ticked.push(...ids) } as never;
    await walkDue({ shard: '00' }, deps({ recorder }));
    expect(ticked).toHaveLength(100);
    const [next] = queued('timers');
    expect(next).toMatchObject({ shard: '00' });
    await walkDue(next, deps({ recorder }));
    expect(new Set(ticked).size).toBe(101);
    expect(queued('timers')).toHaveLength(1);
  });

  it('that cannot be ticked stops neither the others nor the messages', async () => {
    await bench.recorder.record([
      { interaction: grant },
      { interaction: purchase({ id: 'm1', order: 'o1', address }) },
    ]);
    const contact = (await contactBy(bench.table, `address#${sha256(address)}`))!;
    await bench.table.create({
      ...key.contact('broken'),
      shape: 1,
      version: 1,
      state: '{}',
      duePk: 'DUE#tick#00',
      dueAt: NOON,
    });
    await bench.table.create({
      ...key.contact('broken2'),
      shape: 1,
      version: 1,
      state: '{}',
      duePk: 'DUE#tick#01',
      dueAt: NOON,
    });
    bench.clock.at = NOON + HOUR;
    await walkAll();
    expect((await messagesOf(bench.table, contact.id)).map((one) => one.campaign).sort()).toEqual(['offer', 'thanks']);
    expect(bench.log.lines.filter((line) => line.name === 'tick.failed')).toHaveLength(2);
  });
});

describe('given a message whose hand-off was lost', () => {
  it('is released once by the due index, and again after five minutes', async () => {
    await bench.recorder.record([{ interaction: purchase({ id: 'm1', order: 'o1', address }) }]);
    const contact = (await contactBy(bench.table, `address#${sha256(address)}`))!;
    const [message] = await messagesOf(bench.table, contact.id);
    await walkAll();
    expect(queued(message!.lane)).toEqual([]);
    bench.clock.at = NOON + 5 * MINUTE;
    await walkAll();
    await walkAll();
    expect(queued(message!.lane)).toEqual([{ contact: contact.id, message: message!.id }]);
    bench.clock.at += 5 * MINUTE;
    await walkAll();
    expect(queued(message!.lane)).toHaveLength(2);
  });
});

describe('given the minute', () => {
  it('starts one walk per shard, unless another run is at it', async () => {
    const start = (holder: string) =>
      startWalks({
        table: bench.table,
        queue: queue(),
        now: bench.clock.now,
        holder,
        timers: 'timers',
        shards: ['00', '01'],
      });
    expect(await start('a')).toBe(true);
    expect(queued('timers')).toEqual([{ shard: '00' }, { shard: '01' }]);
    expect(await start('b')).toBe(true);
    sqs.on(SendMessageBatchCommand).rejects(new Error('gone'));
    await expect(start('c')).rejects.toThrow('gone');
    sqs.on(SendMessageBatchCommand).resolves({});
    expect(await start('d')).toBe(false);
    bench.clock.at += 31_000;
    expect(await start('d')).toBe(true);
  });
});

describe('given new definitions', () => {
  const drain = async (steps: RosterStep[]) => {
    const waiting = [...steps];
    const others = { send: async (_url: string, next: RosterStep[]) => void waiting.push(...next) } as never;
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      await walkRoster(step, {
        table: bench.table,
        books: bench.books,
        recorder: bench.recorder,
        queue: others,
        url: 'roster',
      });
    }
  };
  const filled = async () => (await bench.table.readOne(key.controls()))?.filled;
  const second = () => {
    const book = definitions({ ordinal: 2 });
    book.segments.all = { rule: { did: 'Order Completed' }, ordinal: 2, since: 2 };
    return book;
  };

  it('takes everybody over without their entering, then says that the book is filled', async () => {
    const people = Array.from({ length: 7 }, (_, n) => purchase({ id: `m${n}`, order: `o${n}`, user: `p${n}` }));
    await bench.recorder.record(people.map((each) => ({ interaction: each })));
    const hash = await publish(bench.table, bench.bucket, second(), 1);
    await bench.books.fresh();
    const steps = rosterSteps(hash, 2, 2);
    await drain(steps.slice(0, 1));
    expect(await filled()).toBe(1);
    await drain(steps.slice(1));
    expect(await filled()).toBe(2);
    const contact = await contactBy(bench.table, `user#${sha256('p3')}`);
    expect(contact?.book?.hash).toBe(hash);
    expect(contact?.journey.segments.all).toEqual({ since: NOON, entries: 0 });
    await drain(steps);
    expect(await filled()).toBe(2);
  });

  it('stops the walk of a book that a newer one has replaced', async () => {
    await bench.recorder.record([{ interaction: purchase({ id: 'm1', order: 'o1', user: 'ann' }) }]);
    await publish(bench.table, bench.bucket, definitions({ ordinal: 3 }), 1);
    await drain(rosterSteps('old', 2, 2));
    expect(await filled()).toBe(1);
  });

  it('are read by a worker that meets a contact decided with them', async () => {
    const other = benchOver(bench.table, { bucket: bench.bucket, clock: bench.clock, prefix: 'd' });
    await other.books.current();
    await publish(bench.table, bench.bucket, second());
    await bench.books.fresh();
    await bench.recorder.record([{ interaction: purchase({ id: 'm1', order: 'o1', user: 'ann' }) }]);
    expect((await other.books.current()).definitions.ordinal).toBe(1);
    await other.recorder.record([{ interaction: purchase({ id: 'm2', order: 'o2', user: 'ann' }) }]);
    const contact = await contactBy(bench.table, `user#${sha256('ann')}`);
    expect(contact?.book?.ordinal).toBe(2);
    expect(contact?.facts.orders.count).toBe(2);
  });
});

describe('given the store of books', () => {
  it('keeps a book for ten seconds, then sees the next', async () => {
    await bench.books.current();
    const hash = await publish(bench.table, bench.bucket, definitions({ ordinal: 2 }));
    bench.clock.at += 10_000;
    expect((await bench.books.current()).definitions.ordinal).toBe(1);
    bench.clock.at += 1;
    expect((await bench.books.current()).hash).toBe(hash);
  });

  it('stays with the last good book when the next cannot be read, and says so', async () => {
    const good = await bench.books.current();
    const hash = await publish(bench.table, bench.bucket, definitions({ ordinal: 2 }));
    bench.bucket.objects.set(`books/${hash}.json`, '{"broken":');
    bench.clock.at += 11_000;
    expect((await bench.books.current()).hash).toBe(good.hash);
    expect(bench.log.lines.map((line) => line.name)).toContain('book.unreadable');
  });

  it('hands out an older book by its hash, with the present controls', async () => {
    const old = (await bench.books.current()).hash;
    await publish(bench.table, bench.bucket, definitions({ ordinal: 2 }));
    await bench.books.fresh();
    expect((await bench.books.byHash(old))?.definitions.ordinal).toBe(1);
    expect((await bench.books.byHash(old))?.controls.filled).toBe(2);
    expect(await bench.books.byHash('unknown')).toBeUndefined();
  });

  it('has no book to fall back to at the start', async () => {
    const fresh = benchOver(bench.table);
    await expect(fresh.books.current()).rejects.toThrow(/not in the bucket/);
  });
});
