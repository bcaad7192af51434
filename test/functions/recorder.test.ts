// The recorder on a real engine: repeats, merges, orders without a person, and batches.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../domain/interaction.ts';
import { key } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  DAY,
  definitions,
  HOUR,
  interaction,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

let engine: Engine;
let bench: Bench;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  bench = benchOver(await engine.table());
  await publish(bench.table, bench.bucket, definitions());
});

const ann = `user#${sha256('ann')}`;
const kinds = (outcomes: { kind: string; error?: Error }[]) => outcomes.map((one) => one.error?.message ?? one.kind);

describe('given a purchase of somebody unknown', () => {
  it('makes a contact with identities, order, interaction and message in one go', async () => {
    const outcomes = await bench.recorder.record([
      { interaction: purchase({ id: 'm1', order: 'o1', user: 'ann', address: 'ann@example.org' }) },
    ]);
    expect(kinds(outcomes)).toEqual(['recorded']);
    const contact = await contactBy(bench.table, ann);
    expect(contact?.facts.orders).toMatchObject({ count: 1, gross: 2000, refunded: 0 });
    expect(contact?.facts.address?.value).toBe('ann@example.org');
    expect((await messagesOf(bench.table, contact!.id)).map((one) => [one.campaign, one.state])).toEqual([
      ['thanks', 'ready'],
    ]);
  });
});
