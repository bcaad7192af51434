// The contract that the table's access has with the engine: held on dynoxide, and on DynamoDB Local where Java is.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchGetCommand } from '@aws-sdk/lib-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newContact } from '../../domain/contact.ts';
import type { Message } from '../../domain/message.ts';
import {
  Cancelled,
  chunks,
  contactItem,
  documentClient,
  interactionItem,
  key,
  messageItem,
  NewerShape,
  plain,
  pooled,
  readContact,
  readMessage,
  shardOf,
  Table,
} from '../../functions/aws/table.ts';
import type { EngineName } from '../../local/engine.ts';
import { canRun, type Engine, startEngine } from '../support/engine.ts';
import { interaction, NOON } from './fixtures.ts';

function message(change: Partial<Message> = {}): Message {
  return {
    shape: 1,
    id: 'm1',
    contact: 'c1',
    campaign: 'thanks',
    version: 'v1',
    step: '0',
    run: 'r1',
    kind: 'service',
    sender: 'main',
    email: 'hello',
    state: 'ready',
    plannedAt: NOON,
    createdAt: NOON,
    lane: 'triggered',
    due: NOON,
    attempts: 0,
    ignoresQuiet: true,
    inputs: { trigger: { name: 'Order Completed', at: NOON, properties: {} }, recommendations: [] },
    ...change,
  };
}

const engines: EngineName[] = ['dynoxide', 'dynamodb-local'];
for (const name of engines) {
  const missing = !(await canRun(name));
  if (missing) console.warn('SKIPPED: the table contract on DynamoDB Local, because there is no Java on the path.');
  describe.skipIf(missing)(`on ${name}`, () => {
    let engine: Engine;
    let table: Table;
    beforeAll(async () => {
      engine = await startEngine(name);
      table = await engine.table();
    }, 60_000);
    afterAll(() => engine?.stop());

    it('reads more than a hundred keys at once, each key once, and leaves out what is not there', async () => {
      const ids = Array.from({ length: 230 }, (_, n) => `many-${n}`);
      for (const part of chunks(ids, 50))
        await table.transact(part.map((id) => table.creation({ ...key.product(id), at: 1 })));
      const found = await table.read([...ids, ...ids, 'nobody'].map(key.product));
      expect(ids.filter((id) => found.get(key.product(id)) === undefined)).toEqual([]);
      expect(found.get(key.product('nobody'))).toBeUndefined();
    }, 60_000);

    it('says which conditions of a transaction were false, and keeps no item in the error', async () => {
      await table.create({ ...key.product('taken'), at: 1 });
      const writes = ['free', 'taken', 'free-2'].map((id) =>
        table.creation({ ...key.product(id), at: 2, name: 'ann@example.org' }),
      );
      const error = await table.transact(writes).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Cancelled);
      expect(error).toMatchObject({ conditions: [1], transient: false });
      expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('example.org');
      expect(await table.readOne(key.product('free'))).toBeUndefined();
    });

    it('writes a contact only over the version that was read', async () => {
      const contact = newContact('versions', NOON);
      await table.transact([table.contactWrite({ value: contact, version: 0 }, contact)]);
      await table.transact([table.contactWrite({ value: contact, version: 1 }, contact)]);
      await expect(table.transact([table.contactWrite({ value: contact, version: 1 }, contact)])).rejects.toThrow(
        Cancelled,
      );
      expect(readContact((await table.readOne(key.contact('versions')))!)).toEqual({ value: contact, version: 2 });
    });

    it('packs a large contact, and reads it back as it was; a small one stays a text', async () => {
      const contact = newContact('large', NOON);
      const small = contactItem(contact, 1, 2);
      expect([typeof small.state, small.packed]).toEqual(['string', undefined]);
      for (let i = 0; i < 5000; i++) contact.facts.bought[`product-${(i * 7919) % 100_003}`] = NOON + i * 977;
      await table.transact([table.contactWrite({ value: contact, version: 0 }, contact)]);
      const stored = (await table.readOne(key.contact('large')))!;
      expect(stored.state).toBeUndefined();
      expect((stored.packed as Uint8Array).length * 2).toBeLessThan(JSON.stringify(contact).length);
      expect(readContact(stored)).toEqual({ value: contact, version: 1 });
      // A stream hands bytes over as base64.
      const bytes = Buffer.from(stored.packed as Uint8Array).toString('base64');
      const image = { pk: { S: stored.pk }, sk: { S: stored.sk }, shape: { N: '1' }, version: { N: '1' } };
      expect(readContact(plain({ ...image, packed: { B: bytes } })).value).toEqual(contact);
    });

    it('refuses to write over a newer shape, and to read it', async () => {
      const contact = newContact('newer', NOON);
      await table.create({ ...contactItem(contact, 1, 2), shape: 2 });
      await expect(table.transact([table.contactWrite({ value: contact, version: 1 }, contact)])).rejects.toThrow(
        Cancelled,
      );
      expect(() => readContact({ ...contactItem(contact, 1, 2), shape: 2 })).toThrow(NewerShape);
    });

    it('holds an identity for one contact, and passes it on only from the one named', async () => {
      const subject = 'user#0001';
      await table.transact([table.identityWrite(subject, 'a')]);
      await table.transact([table.identityWrite(subject, 'a')]);
      await expect(table.transact([table.identityWrite(subject, 'b')])).rejects.toThrow(Cancelled);
      await expect(table.transact([table.identityWrite(subject, 'b', 'c')])).rejects.toThrow(Cancelled);
      await table.transact([table.identityWrite(subject, 'b', 'a')]);
      expect((await table.readOne(key.identity(subject)))?.contact).toBe('b');
    });

    it('keeps a message in the due index of its lane until it is terminal', async () => {
      const one = message({ contact: 'due', plannedAt: NOON + 5 });
      const lane = `DUE#triggered#${shardOf('due', 2)}`;
      await table.create(messageItem(one, 2));
      const item = (await table.due(lane, NOON, 10)).items[0];
      expect({ pk: item?.pk, sk: item?.sk, dueAt: item?.dueAt }).toEqual({ ...key.message('due', 'm1'), dueAt: NOON });
      expect((await table.due(lane, NOON - 1, 10)).items).toEqual([]);
      const stored = (await table.readOne(key.message('due', 'm1')))!;
      expect(readMessage(stored)).toEqual(one);
      const { due: _, ...rest } = one;
      expect(await table.replaceMessage(stored, { ...rest, state: 'failed', reason: 'why' })).toBe(true);
      expect((await table.due(lane, NOON, 10)).items).toEqual([]);
      expect(readMessage((await table.readOne(key.message('due', 'm1')))!)).toEqual({
        ...rest,
        state: 'failed',
        reason: 'why',
      });
    });

    it('replaces a message only while it is as it was read', async () => {
      const one = message({ contact: 'replace', delivery: 'delayed', claimedAt: NOON, state: 'claimed' });
      await table.create(messageItem(one, 2));
      const read = (await table.readOne(key.message('replace', 'm1')))!;
      expect(await table.replaceMessage(read, { ...one, attempts: 1 })).toBe(true);
      expect(await table.replaceMessage(read, { ...one, attempts: 2 })).toBe(false);
      const again = (await table.readOne(key.message('replace', 'm1')))!;
      expect(await table.replaceMessage(again, { ...one, attempts: 1, delivery: 'delivered' })).toBe(true);
      expect(await table.replaceMessage(again, { ...one, attempts: 1, delivery: 'bounced' })).toBe(false);
    });

    it('pages the due index and the roster in order', async () => {
      const shard = '00';
      for (let n = 0; n < 5; n++) {
        await table.create({
          pk: `CONTACT#p${n}`,
          sk: 'CONTACT',
          duePk: 'DUE#tick#pages',
          dueAt: 10 - n,
          rosterPk: `ROSTER#${shard}9`,
          rosterSk: `p${n}`,
        });
      }
      const first = await table.due('DUE#tick#pages', 9, 2);
      const second = await table.due('DUE#tick#pages', 9, 2, first.next);
      expect([...first.items, ...second.items].map((item) => item.dueAt)).toEqual([6, 7, 8, 9]);
      const people = await table.roster(`${shard}9`, 3);
      const others = await table.roster(`${shard}9`, 3, people.next);
      expect([...people.items, ...others.items].map((item) => item.rosterSk)).toEqual(['p0', 'p1', 'p2', 'p3', 'p4']);
      expect(others.next).toBeUndefined();
    });

    it('finds the interactions of a subject by event name', async () => {
      for (const [event, id] of [
        ['Product Viewed', 'v1'],
        ['Product Viewed', 'v2'],
        ['Product Viewed Twice', 'v3'],
      ] as const) {
        await table.create(interactionItem(interaction(event, { id, user: 'under' })));
      }
      const { subject } = interaction('x', { id: 'x', user: 'under' });
      const found = await table.under(`SUBJECT#${subject}`, 'INTERACTION#Product Viewed#');
      expect(found.map((item) => item.sk.split('#').at(-1))).toEqual(['v1', 'v2']);
    });
  });
}

describe('given a service that answers in part', () => {
  it('asks again for unprocessed keys, and only for those', async () => {
    const client = documentClient(new DynamoDBClient({ region: 'x' }));
    const mock = mockClient(client);
    const [a, b] = [key.product('a'), key.product('b')];
    mock
      .on(BatchGetCommand)
      .resolvesOnce({ Responses: { t: [a] }, UnprocessedKeys: { t: { Keys: [b], ConsistentRead: true } } })
      .resolves({ Responses: { t: [b] } });
    const found = await new Table(client, 't', 2).read([a, b]);
    expect(found.get(a)).toBeDefined();
    expect(found.get(b)).toBeDefined();
    const asked = mock.commandCalls(BatchGetCommand).map(({ args: [command] }) => command.input.RequestItems?.t?.Keys);
    expect(asked).toEqual([[a, b], [b]]);
    mock.restore();
  });
});

describe('given a pool of work', () => {
  it('does all of it although some fails, and says the first fault', async () => {
    const done: number[] = [];
    const work = pooled([1, 2, 3, 4], 2, async (n) => {
      if (n === 2) throw new Error('two');
      done.push(n);
    });
    await expect(work).rejects.toThrow('two');
    expect(done.sort()).toEqual([1, 3, 4]);
  });
});
