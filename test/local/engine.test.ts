// The engines: the same table, stream and index behaviour on each that this machine can run.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../local/engine.ts';
import { canRun, startEngine } from '../../local/engine.ts';
import { DueIndex, StreamReader, type StreamRecord } from '../../local/streams.ts';
import type { TableResource } from '../../local/template.ts';
import { readTemplate } from '../../local/template.ts';
import { assets, smallStack } from './small-stack.ts';

const [table] = readTemplate(smallStack(), { base: 'http://127.0.0.1:1', assets }).tables as [TableResource];

async function withEngine(name: 'dynoxide' | 'dynamodb-local', use: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await startEngine(name);
  try {
    await use(engine);
  } finally {
    await engine.close();
  }
}

for (const name of ['dynoxide', 'dynamodb-local'] as const) {
  const possible = await canRun(name);
  if (!possible) console.warn(`SKIPPED: ${name} cannot run on this machine`);

  describe.skipIf(!possible)(name, () => {
    it('makes the table with its index and time to live, and its stream is read once, in order, to the end', async () => {
      await withEngine(name, async (engine) => {
        const streamArn = await engine.createTable(table);
        const records: StreamRecord[] = [];
        const reader = new StreamReader(engine, table, streamArn!, {
          now: () => 5_000,
          onRecords: (some) => records.push(...some),
        });
        const put = (n: number) => ({
          Put: {
            TableName: table.name,
            Item: { pk: { S: `P#${n}` }, sk: { S: 'X' }, duePk: { S: 'DUE#tick#00' }, dueAt: { N: String(100 - n) } },
          },
        });
        for (let at = 0; at < 1050; at += 50) {
          await engine.call('TransactWriteItems', { TransactItems: Array.from({ length: 50 }, (_, n) => put(at + n)) });
        }
        const counts = await Promise.all([reader.poll(), reader.poll()]);
        expect(records.map(({ dynamodb }) => dynamodb.Keys.pk!.S)).toEqual(
          Array.from({ length: 1050 }, (_, n) => `P#${n}`),
        );
        expect(counts[1]).toBe(1050);
        expect(await reader.poll()).toBe(0);
        const numbers = records.map(({ dynamodb }) => dynamodb.SequenceNumber);
        expect(numbers).toEqual([...numbers].sort());
        expect(new Set(numbers).size).toBe(1050);
        expect(records[0]!.dynamodb.ApproximateCreationDateTime).toBe(5);
        const { Items } = await engine.call<{ Items: Record<string, { S: string }>[] }>('Query', {
          TableName: table.name,
          IndexName: 'due',
          KeyConditionExpression: 'duePk = :due',
          ExpressionAttributeValues: { ':due': { S: 'DUE#tick#00' } },
          Limit: 1,
        });
        expect(Items[0]!.pk!.S).toBe('P#1049');
        const { TimeToLiveDescription } = await engine.call<{ TimeToLiveDescription: { AttributeName: string } }>(
          'DescribeTimeToLive',
          { TableName: table.name },
        );
        expect(TimeToLiveDescription.AttributeName).toBe('ttl');
      });
    }, 90_000);
  });
}

it.skipIf(!existsSync('/dev/shm') || !(await canRun('dynoxide')))(
  'sweeps what a killed run has left on the memory disk',
  async () => {
    // No process can have this number: it is above the kernel's greatest.
    const left = '/dev/shm/kairos-laptop-4194999-1';
    mkdirSync(left, { recursive: true });
    writeFileSync(`${left}/engine.pid`, '4194998');
    await withEngine('dynoxide', async () => expect(existsSync(left)).toBe(false));
  },
);

describe('the due index', () => {
  it('answers like a scan over all items, whatever moves and goes', () => {
    const index = new DueIndex();
    const items = new Map<string, number>();
    let state = 7;
    const draw = (most: number) => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return Math.floor((state / 2147483648) * most);
    };
    for (let step = 0; step < 5000; step++) {
      const pk = `P#${draw(60)}`;
      const at = draw(1000);
      const gone = draw(3) === 0;
      if (gone) items.delete(pk);
      else items.set(pk, at);
      const image = gone ? {} : { NewImage: { duePk: { S: 'DUE#tick#00' }, dueAt: { N: String(at) } } };
      index.read([
        {
          eventID: '1',
          eventName: 'MODIFY',
          dynamodb: {
            ApproximateCreationDateTime: 0,
            Keys: { pk: { S: pk }, sk: { S: 'X' } },
            SequenceNumber: '1',
            ...image,
          },
        },
      ]);
      expect(index.next()).toBe(items.size === 0 ? undefined : Math.min(...items.values()));
    }
  });
});
