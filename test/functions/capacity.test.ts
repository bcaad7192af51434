// What an event and a message cost: read and write units, as the engine counts them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { campaignVersion } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import { sha256 } from '../../domain/interaction.ts';
import type { Mailer } from '../../functions/aws/mailer.ts';
import { putNotices } from '../../functions/aws/notices.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { Recorder } from '../../functions/aws/recorder.ts';
import { planRelease } from '../../functions/aws/release.ts';
import { Sender } from '../../functions/aws/sender.ts';
import { documentClient, key, shardOf, Table } from '../../functions/aws/table.ts';
import { walkDue } from '../../functions/aws/walk.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { MemoryQueues, metered } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  crowdOf,
  DAY,
  definitions,
  interaction,
  memoryBus,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

async function spentBy(bench: Bench, event: ReturnType<typeof interaction>) {
  const client = engine.client();
  const spent = metered(client);
  const table = new Table(documentClient(client), bench.table.name, 2);
  await bench.books.current();
  const recorder = new Recorder({ table, books: bench.books, now: bench.clock.now, newId: () => 'never' });
  const outcomes = await recorder.record([{ interaction: event }]);
  return { outcome: outcomes[0]?.kind, ...spent };
}

async function known(change: Parameters<typeof definitions>[0] = {}) {
  const bench = benchOver(await engine.table());
  await publish(bench.table, bench.bucket, definitions(change));
  const traits = { about: 'x'.repeat(750), more: 'y'.repeat(750) };
  await bench.recorder.record([
    {
      interaction: interaction('Identified', {
        id: 'i1',
        user: 'ann',
        address: 'ann@example.org',
        traits,
        at: NOON - DAY,
      }),
    },
    { interaction: purchase({ id: 'm0', order: 'o0', user: 'ann', at: NOON - DAY }) },
  ]);
  return bench;
}

it('a purchase of a known contact: one transaction, reads of its keys, and no query', async () => {
  const bench = await known({ campaigns: {} });
  const contact = await contactBy(bench.table, `user#${sha256('ann')}`);
  const item = await bench.table.readOne(key.contact(contact!.id));
  const size = JSON.stringify(item).length;
  expect(size).toBeGreaterThan(2048);
  expect(size).toBeLessThan(3072);
  const spent = await spentBy(bench, purchase({ id: 'm1', order: 'o1', user: 'ann' }));
  expect(spent.outcome).toBe('recorded');
  expect(spent.calls).toEqual(['BatchGetItemCommand', 'BatchGetItemCommand', 'TransactWriteItemsCommand']);
  // Interaction 1 KB and contact 3 KB: 8 in a transaction; the order item 2 more. The contact is in no index but the roster.
  expect(spent.write).toBe(10);
  // Strong: identity, erased mark and order of 1 each (also where there is none), the contact of 3 KB 1.
  expect(spent.read).toBe(4);
});

it('the same with a message and a due instant: stated increments', async () => {
  const bench = await known();
  const spent = await spentBy(bench, purchase({ id: 'm1', order: 'o1', user: 'ann' }));
  expect(spent.outcome).toBe('recorded');
  expect(spent.calls).toEqual(['BatchGetItemCommand', 'BatchGetItemCommand', 'TransactWriteItemsCommand']);
  // The message 2 and its place in the due index 1; the contact's due instant moved in the index: 2.
  expect(spent.write).toBe(10 + 2 + 1 + 2);
  expect(spent.read).toBe(4);
});

describe('given a campaign that tells others', () => {
  const tells: Campaign = {
    kind: 'service',
    aim: 'service',
    sender: 'main',
    when: { did: 'Workshop Booked' },
    again: 'every time',
    steps: [{ notify: 'Seat Wanted', with: { channel: 'call-centre' } }],
  };
  const campaigns = { tells: { id: 'tells', version: campaignVersion(tells), since: 1, campaign: tells } };

  it('a notice: three write units beside what led to it, and two to tell it', async () => {
    const bench = await known({ campaigns });
    const spending = await spentBy(bench, interaction('Workshop Booked', { id: 'w1', user: 'ann' }));
    // Interaction 2 and contact 6, as without; the notice 2 in their transaction, and 1 in the due index.
    expect(spending.write).toBe(2 + 6 + 2 + 1);
    const client = engine.client();
    const spent = metered(client);
    const table = new Table(documentClient(client), bench.table.name, 2);
    const { bus } = memoryBus();
    const contact = await contactBy(bench.table, `user#${sha256('ann')}`);
    await putNotices(shardOf(contact!.id, 2), { table, bus, now: bench.clock.now, log: bench.log });
    expect(spent.calls).toEqual(['QueryCommand', 'BatchGetItemCommand', 'UpdateItemCommand']);
    // The query of an index 0.5, the item read strongly 1; done: 1, and 1 in the index, which it leaves.
    expect(spent.read).toBe(1.5);
    expect(spent.write).toBe(2);
  });
});

it('a conversion: two write units more, of a message of up to 1 KB', async () => {
  const success: Partial<Campaign> = { success: { did: 'Order Completed', within: '7d' } };
  const measured = async (more: Partial<Campaign>) => {
    const sends: Campaign = {
      kind: 'service',
      aim: 'service',
      sender: 'main',
      when: { did: 'Workshop Booked' },
      again: 'every time',
      steps: [{ send: 'hello' }],
      ...more,
    };
    const bench = await known({
      campaigns: { sends: { id: 'sends', version: campaignVersion(sends), since: 1, campaign: sends } },
    });
    await bench.recorder.record([{ interaction: interaction('Workshop Booked', { id: 'w1', user: 'ann', at: NOON }) }]);
    bench.clock.at = NOON + DAY / 2;
    return spentBy(bench, purchase({ id: 'm1', order: 'o1', user: 'ann', at: bench.clock.at }));
  };
  const [without, having] = [await measured({}), await measured(success)];
  expect(having.write - without.write).toBe(2);
});

it('an event that nothing reads: one write unit, no read', async () => {
  const bench = await known();
  const spent = await spentBy(bench, interaction('Promotion Viewed', { id: 'p1', user: 'ann' }));
  expect(spent).toMatchObject({ outcome: 'ignored', write: 1, read: 0, calls: ['PutItemCommand'] });
});

describe('given ten messages', () => {
  const names = Array.from({ length: 10 }, (_, n) => `p${n}`);
  const counts = (calls: string[]): Record<string, number> => {
    const found: Record<string, number> = {};
    for (const call of calls) found[call] = (found[call] ?? 0) + 1;
    return found;
  };

  /** What a worker spends that takes ten of them from its queue: a warm one, the book in hand. */
  async function sending(change: Parameters<typeof definitions>[0] = {}) {
    const bench = benchOver(await engine.table());
    await publish(bench.table, bench.bucket, definitions(change));
    await bench.books.current();
    const messages = await crowdOf(bench.table, names);
    const client = engine.client();
    const spent = metered(client);
    const sender = new Sender({
      table: new Table(documentClient(client), bench.table.name, 2),
      books: bench.books,
      mailer: { send: async () => ({ kind: 'accepted', id: 'ses' }) } as unknown as Mailer,
      queue: new Queue(new MemoryQueues().client()),
      secrets: async () => ({ keys: { current: 'k1', keys: { k1: 'a secret of the tests' } }, sources: {} }),
      now: bench.clock.now,
      sleep: async () => {},
      log: bench.log,
      rate: 1000,
      publicBaseUrl: 'https://mail.shop.example',
      deadLetters: 'dead',
    });
    await sender.send(messages.map(({ contact, id }) => ({ contact, message: id })));
    return spent;
  }

  it('their sending: three reads and a permit for all of them, and two writes each', async () => {
    const spent = await sending();
    expect(counts(spent.calls)).toEqual({ BatchGetItemCommand: 3, UpdateItemCommand: 1, PutItemCommand: 20 });
    // Strong: message, contact and suppression of each, one each up to 4 KB, and controls and account for all.
    expect(spent.read).toBe(3 * 10 + 2);
    // A message of up to 1 KB: claimed 1, and 2 in the due index, where it moves; sent 1, and 1 there, where it goes. The permit 1.
    expect(spent.write).toBe(5 * 10 + 1);
  });

  it('a warm-up adds a write each', async () => {
    const { settings } = definitions();
    const warmUp = { 'shop.example': { starts: '2026-05-04', days: [{ most: 100 }] } };
    const spent = await sending({ settings: { ...settings, warmUp } });
    expect(counts(spent.calls)).toEqual({ BatchGetItemCommand: 3, UpdateItemCommand: 11, PutItemCommand: 20 });
    expect(spent.write).toBe(5 * 10 + 1 + 10);
  });

  it('their release from the due index: a write each, and no read of them', async () => {
    const bench = benchOver(await engine.table(1));
    await crowdOf(bench.table, names);
    const client = engine.client();
    const spent = metered(client);
    const queues = new MemoryQueues();
    const { now } = bench.clock;
    const release = planRelease(
      { rate: 14, bulkRate: 11 },
      { paused: {}, filled: 0 },
      { triggered: 0, bulk: 0, piled: 0 },
      now(),
    );
    await walkDue(
      { shard: '00', release },
      {
        table: new Table(documentClient(client), bench.table.name, 1),
        recorder: bench.recorder,
        queue: new Queue(queues.client()),
        bus: memoryBus().bus,
        now,
        log: bench.log,
        rate: 14,
        urls: { timers: 'timers', triggered: 'triggered', bulk: 'bulk' },
      },
    );
    expect(queues.drain('triggered')).toHaveLength(10);
    expect(queues.calls).toBe(1);
    // One query each for ticks, notices and the two lanes; one write that takes room.
    expect(counts(spent.calls)).toEqual({ QueryCommand: 4, UpdateItemCommand: 11 });
    // The message 1, and 2 in the due index, where it moves.
    expect(spent.write).toBe(3 * 10 + 1);
  });
});
