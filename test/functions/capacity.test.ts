// What an event costs: read and write units, as the engine counts them.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sha256 } from '../../domain/interaction.ts';
import { Recorder } from '../../functions/aws/recorder.ts';
import { documentClient, key, Table } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { metered } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  DAY,
  definitions,
  interaction,
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
  const traits = { about: 'x'.repeat(900), more: 'y'.repeat(900) };
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

it('an event that nothing reads: one write unit, no read', async () => {
  const bench = await known();
  const spent = await spentBy(bench, interaction('Promotion Viewed', { id: 'p1', user: 'ann' }));
  expect(spent).toMatchObject({ outcome: 'ignored', write: 1, read: 0, calls: ['PutItemCommand'] });
});
