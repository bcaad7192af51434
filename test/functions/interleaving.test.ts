// Any order, any repeats, any interleaving of two workers: one result.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Interaction, sha256 } from '../../domain/interaction.ts';
import { documentClient, Table } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { around, SeededScheduler } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  DAY,
  definitions,
  HOUR,
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

const address = 'ann@example.org';
/** One person's story: a device, a guest order, an account that names both, refunds with and without a person. */
const story: Interaction[] = [
  interaction('Product Viewed', {
    id: 'v1',
    anonymous: 'device',
    at: NOON - 3 * DAY,
    properties: { product_id: 'cup' },
  }),
  interaction('Product Viewed', {
    id: 'v2',
    anonymous: 'device',
    at: NOON - 2 * DAY,
    properties: { product_id: 'pot' },
  }),
  purchase({ id: 'm1', order: 'o1', address, revenue: 50, at: NOON - 2 * DAY }),
  purchase({ id: 'm2', order: 'o2', user: 'ann', revenue: 20, at: NOON - DAY }),
  interaction('Order Refunded', { id: 'r1', at: NOON - DAY + 1, properties: { order_id: 'o1', total: 10 } }),
  interaction('Order Refunded', { id: 'r2', user: 'ann', at: NOON - HOUR, properties: { order_id: 'o2' } }),
  interaction('Identified', { id: 'i1', user: 'ann', anonymous: 'device', at: NOON - HOUR, traits: { city: 'Graz' } }),
  interaction('Identified', { id: 'i2', user: 'ann', address, at: NOON - HOUR + 1, traits: { city: 'Linz' } }),
  interaction('Consent Granted', { id: 'g1', user: 'ann', at: NOON - DAY, properties: { topic: 'offers' } }),
  interaction('Consent Withdrawn', { id: 'w1', address, at: NOON - HOUR, properties: { topic: 'offers' } }),
];

/** What is true of the person, whoever the contact is called. */
async function facts(bench: Bench) {
  const contact = await contactBy(bench.table, `user#${sha256('ann')}`);
  const byAddress = await contactBy(bench.table, `address#${sha256(address)}`);
  const byDevice = await contactBy(bench.table, `anonymous#${sha256('device')}`);
  return {
    one: contact !== undefined && contact.id === byAddress?.id && contact.id === byDevice?.id,
    orders: contact?.facts.orders,
    city: contact?.facts.attributes.city?.value,
    address: contact?.facts.address?.value,
    views: contact?.facts.latest['Product Viewed'],
    counters: Object.values(contact?.facts.counters ?? {}).map((state) => state.e.length),
    consent: contact?.facts.consents['shop|offers|email']?.granted,
    segments: Object.entries(contact?.journey.segments ?? {}).map(([id, state]) => [id, state.since !== undefined]),
  };
}

async function fresh(): Promise<Bench> {
  const bench = benchOver(await engine.table());
  await publish(bench.table, bench.bucket, definitions());
  return bench;
}
const record = (bench: Bench, interactions: Interaction[]) =>
  bench.recorder.record(interactions.map((each) => ({ interaction: each })));

it('facts do not depend on order, batches and repeats', async () => {
  const usual = await fresh();
  await record(usual, story);
  const expected = await facts(usual);
  expect(expected).toMatchObject({
    one: true,
    city: 'Linz',
    consent: false,
    orders: { count: 2, gross: 7000, refunded: 3000 },
  });
  const shuffled = fc.shuffledSubarray([...story, ...story.slice(2, 8)], { minLength: story.length + 6 });
  const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 20, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(shuffled, sizes, async (order, batches) => {
      const bench = await fresh();
      const left = [...order];
      for (const size of batches) {
        const outcomes = await record(bench, left.splice(0, size));
        expect(outcomes.filter((outcome) => outcome.kind === 'failed')).toEqual([]);
      }
      expect(await facts(bench)).toEqual(expected);
    }),
    { numRuns: Number(process.env.KAIROS_TEST_RUNS ?? 25), seed: 20260504 },
  );
}, 120_000);

it('two workers at the same events count each once, however their calls interleave', async () => {
  const usual = await fresh();
  await record(usual, story);
  const expected = await facts(usual);
  for (let seed = 1; seed <= Number(process.env.KAIROS_TEST_RUNS ?? 12); seed++) {
    const bench = await fresh();
    const scheduler = new SeededScheduler(seed * 2654435761);
    const workers = ['a', 'b'].map((prefix) => {
      const client = engine.client();
      around(client, scheduler.step);
      const table = new Table(documentClient(client), bench.table.name, 2);
      return benchOver(table, { bucket: bench.bucket, clock: bench.clock, prefix });
    });
    const given = [story, [...story].reverse()];
    const outcomes = await Promise.all(
      workers.map(async (worker, n) => {
        let left = given[n] as Interaction[];
        const kinds: string[] = [];
        // As the queue does: what failed is delivered again.
        for (let delivery = 0; left.length > 0 && delivery < 8; delivery++) {
          const answers = await record(worker, left);
          kinds.push(...answers.map((answer) => answer.kind));
          left = left.filter((_, index) => answers[index]?.kind === 'failed');
        }
        return kinds;
      }),
    );
    const counted = outcomes.flat().filter((kind) => kind === 'recorded' || kind === 'ignored').length;
    expect({ seed, counted, facts: await facts(bench) }).toEqual({ seed, counted: story.length, facts: expected });
  }
}, 120_000);
