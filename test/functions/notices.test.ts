// Notices on a real engine: from the outbox to the bus, at least once, whatever fails between; and conversions beside them.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { campaignVersion } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import type { Converted, Notice } from '../../domain/decision.ts';
import { normalise } from '../../domain/event.ts';
import { sha256 } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import { failedNotices, putNotices, tellAgain } from '../../functions/aws/notices.ts';
import { Recorder } from '../../functions/aws/recorder.ts';
import { Cancelled, documentClient, key, messageItem, readMessage, Table } from '../../functions/aws/table.ts';
import { walkDue } from '../../functions/aws/walk.ts';
import { Draft, emptyWorld } from '../../functions/aws/world.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { around, Crash, conflicts, DoomedProcess } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  crowdOf,
  DAY,
  definitions,
  HOUR,
  interaction,
  type MemoryBus,
  MINUTE,
  memoryBus,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

let engine: Engine;
let bench: Bench;
let heard: MemoryBus;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());
beforeEach(async () => {
  bench = benchOver(await engine.table());
  heard = memoryBus();
});

const notice = (id: string, change: Partial<Notice> = {}): Notice => ({
  id,
  contact: 'c1',
  campaign: 'vip-thank-you',
  version: 'v1',
  run: 'r1',
  step: '2',
  event: 'VIP reached',
  at: NOON,
  properties: { channel: 'call-centre' },
  hops: 1,
  ...change,
});
/** What the recorder writes of a decision: the free parts that are refused are left out, as there. */
async function write(draft: Draft): Promise<string[]> {
  const except = new Set<string>();
  for (;;) {
    const writes = draft.writes(bench.table, except, NOON);
    if (writes.length === 0) return [...except];
    try {
      await bench.table.transact(writes.map((each) => each.write));
      return [...except];
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
      for (const index of error.conditions) {
        const part = writes[index]!.part;
        if (part.kind !== 'free') throw error;
        except.add(part.name);
      }
    }
  }
}
const tell = async (...notices: Notice[]) => {
  const draft = new Draft(emptyWorld());
  for (const one of notices) draft.tell(one);
  return write(draft);
};
const minute = async (at: number, table = bench.table) => {
  bench.clock.at = at;
  for (const shard of ['00', '01']) {
    await putNotices(shard, { table, bus: heard.bus, now: bench.clock.now, log: bench.log });
  }
};
const stored = (one: Notice) => bench.table.readOne(key.notice(one.contact, one.id));
const ids = () => heard.events.map(({ detail }) => detail.messageId).sort();

describe('given notices in the outbox', () => {
  it('puts each on the bus as a track call that the record queue reads as an event of that contact', async () => {
    const one = notice('n1', { hops: 3, properties: { channel: 'call-centre', campaign: 'another' } });
    await tell(one);
    await minute(NOON + MINUTE);
    expect(heard.events).toEqual([
      {
        source: 'kairos',
        name: 'VIP reached',
        detail: {
          type: 'track',
          event: 'VIP reached',
          messageId: 'n1',
          contactId: 'c1',
          timestamp: '2026-05-04T12:00:00.000Z',
          hops: 3,
          properties: { channel: 'call-centre', campaign: 'vip-thank-you', step: '2', run: 'r1' },
        },
      },
    ]);
    const [{ source, name, detail }] = heard.events as [(typeof heard.events)[number]];
    const time = new Date(NOON + MINUTE).toISOString();
    expect(normalise({ id: 'e', source, 'detail-type': name, time, detail })).toMatchObject({
      interaction: { id: 'n1', name: 'VIP reached', subject: 'contact#c1', who: { contact: 'c1' }, at: NOON, hops: 3 },
    });
  });

  it('marks it done: out of the index, kept for 90 days, and told no more', async () => {
    await tell(notice('n1'));
    await minute(NOON + MINUTE);
    await minute(NOON + 2 * MINUTE);
    expect(ids()).toEqual(['n1']);
    const { state, duePk, dueAt, ttl } = (await stored(notice('n1')))!;
    expect({ state, duePk, dueAt, ttl }).toEqual({
      state: 'done',
      duePk: undefined,
      dueAt: undefined,
      ttl: (NOON + MINUTE) / 1000 + 90 * 86_400,
    });
  });

  it('keeps one of a repeat, and writes the rest beside it', async () => {
    await tell(notice('n1'));
    expect(await tell(notice('n1', { properties: { other: true } }), notice('n2'))).toEqual(['notice n1']);
    await minute(NOON + MINUTE);
    expect(ids()).toEqual(['n1', 'n2']);
    expect(heard.events.find(({ detail }) => detail.messageId === 'n1')?.detail.properties).toMatchObject({
      channel: 'call-centre',
    });
  });

  it('takes 250 of one shard in a minute, in calls of ten', async () => {
    for (let from = 0; from < 250; from += 50) {
      await tell(...Array.from({ length: 50 }, (_, n) => notice(`n${from + n}`)));
    }
    await minute(NOON + MINUTE);
    expect(new Set(ids()).size).toBe(250);
    expect(heard.events).toHaveLength(250);
  });

  it('is part of the minute of walk-due', async () => {
    await tell(notice('n1'));
    for (const shard of ['00', '01']) {
      const urls = { timers: 't', triggered: 't', bulk: 'b' };
      const queue = { send: async () => {} } as never;
      await walkDue({ shard }, { ...bench, now: bench.clock.now, bus: heard.bus, queue, rate: 14, urls });
    }
    expect(ids()).toEqual(['n1']);
  });
});

describe('given a bus that refuses', () => {
  it('leaves them due, tries again in a minute, and tells none twice of those that it took', async () => {
    await tell(notice('n1'), notice('n2', { event: 'Card asked' }));
    heard.refuses = (name) => name === 'VIP reached';
    await minute(NOON);
    expect((await stored(notice('n1')))?.dueAt).toBe(NOON + MINUTE);
    expect(bench.log.lines).toContainEqual({ level: 'warn', name: 'notices.refused', values: { notices: 1 } });
    heard.refuses = false;
    await minute(NOON + MINUTE);
    expect(ids()).toEqual(['n1', 'n2']);
  });

  it('gives up after a day: failed, listed, logged; and a person may have it told again', async () => {
    await tell(notice('n1'));
    heard.refuses = true;
    await minute(NOON + DAY - 1);
    expect((await stored(notice('n1')))?.state).toBe('due');
    await minute(NOON + DAY + MINUTE);
    expect((await stored(notice('n1')))?.state).toBe('failed');
    expect(bench.log.lines.filter(({ level }) => level === 'error')).toEqual([
      { level: 'error', name: 'notice.failed', values: { campaign: 'vip-thank-you', id: 'n1' } },
    ]);
    heard.refuses = false;
    await minute(NOON + 2 * DAY);
    expect(ids()).toEqual([]);
    const listed = [];
    for await (const page of failedNotices(bench.table, ['00', '01'])) listed.push(...page);
    expect(listed.map((each) => each.notice.id)).toEqual(['n1']);
    expect(await tellAgain(bench.table, listed[0]!.item, NOON + 2 * DAY)).toBe(true);
    expect(await tellAgain(bench.table, listed[0]!.item, NOON + 2 * DAY)).toBe(false);
    await minute(NOON + 2 * DAY);
    expect(ids()).toEqual(['n1']);
  });

  it('tells the others where one cannot be put at all', async () => {
    await tell(notice('n1'), notice('n2', { event: 'Broken' }), notice('n3'));
    const put = heard.bus.refusedOf.bind(heard.bus);
    heard.bus.refusedOf = async (events) => {
      if (!events.some(({ detailType }) => detailType === 'Broken')) return put(events);
      throw Object.assign(new Error('too large'), { $metadata: { httpStatusCode: 400 } });
    };
    await minute(NOON + MINUTE);
    expect(ids()).toEqual(['n1', 'n3']);
    expect((await stored(notice('n2')))?.state).toBe('due');
  });

  it('stops nothing where the bus cannot be reached, and tells all later', async () => {
    await tell(notice('n1'), notice('n2'));
    const put = heard.bus.refusedOf.bind(heard.bus);
    heard.bus.refusedOf = async () => {
      throw new Error('no network');
    };
    await minute(NOON + MINUTE);
    expect(bench.log.lines.map(({ name }) => name)).toContain('notices.failed');
    heard.bus.refusedOf = put;
    await minute(NOON + HOUR);
    expect(ids()).toEqual(['n1', 'n2']);
  });
});

describe('given a process that dies at any call', () => {
  it('has told each at least once by the next minute, always under its own id', async () => {
    for (let at = 0; at < 12; at++) {
      for (const when of ['before', 'after'] as const) {
        const round = `${at}${when}-${randomUUID().slice(0, 4)}`;
        const own = Array.from({ length: 3 }, (_, n) => notice(`${round}-${n}`));
        await tell(...own);
        const doomed = new DoomedProcess(at, when);
        const client = engine.client();
        around(client, doomed.step);
        const table = new Table(documentClient(client), bench.table.name, 2);
        await minute(NOON + MINUTE, table).catch((error) => expect(error).toBeInstanceOf(Crash));
        await minute(NOON + 2 * MINUTE);
        const told = ids().filter((id) => String(id).startsWith(round));
        expect(new Set(told)).toEqual(new Set(own.map(({ id }) => id)));
        for (const one of own) expect((await stored(one))?.state).toBe('done');
      }
    }
  });
});

describe('given decisions that tell others and count successes', () => {
  const campaign: Campaign = {
    kind: 'service',
    aim: 'service',
    sender: 'main',
    when: { did: 'Workshop Booked' },
    again: 'every time',
    stopIf: { did: 'Order Refunded', since: 'run start' },
    steps: [{ notify: 'Seat Wanted' }, { send: 'hello' }, { wait: '30d' }],
    success: { did: ['Order Completed', 'Order Refunded'], within: '7d', value: 'revenue' },
  };
  const booked = (at = NOON) =>
    interaction('Workshop Booked', { id: 'w1', user: 'ann', address: 'ann@example.org', at });
  const ann = async () => (await contactBy(bench.table, `user#${sha256('ann')}`))!;
  const record = async (...all: ReturnType<typeof interaction>[]) =>
    (await bench.recorder.record(all.map((each) => ({ interaction: each })))).map(({ kind }) => kind);
  beforeEach(async () => {
    const campaigns = { tells: { id: 'tells', version: campaignVersion(campaign), since: 1, campaign } };
    await publish(bench.table, bench.bucket, definitions({ campaigns }));
  });

  it('writes a notice once, with what led to it, whatever comes again or stands in the way', async () => {
    const client = engine.client();
    conflicts(client, 2);
    const table = new Table(documentClient(client), bench.table.name, 2);
    const recorder = new Recorder({ table, books: bench.books, now: bench.clock.now, newId: () => 'ann-1' });
    expect(
      (await recorder.record([{ interaction: booked() }, { interaction: booked() }])).map(({ kind }) => kind),
    ).toEqual(['recorded', 'repeat']);
    expect(await record(booked())).toEqual(['repeat']);
    expect((await bench.table.under('CONTACT#ann-1', 'NOTICE#')).map(({ state, dueAt }) => [state, dueAt])).toEqual([
      ['due', NOON],
    ]);
  });

  it('tells a message the success that comes in one batch with what made it', async () => {
    bench.clock.at = NOON + 2 * MINUTE;
    const bought = purchase({ id: 'm1', order: 'o1', user: 'ann', at: NOON + 3 * MINUTE, revenue: 12.5 });
    expect(await record(booked(), { ...bought, at: bench.clock.at + 1 })).toEqual(['recorded', 'recorded']);
    const [message] = await messagesOf(bench.table, (await ann()).id);
    expect(message).toMatchObject({
      state: 'ready',
      conversion: { event: 'Order Completed', order: 'shop#o1', value: 1250 },
    });
  });

  it('tells a message the success that takes it back, and no second one', async () => {
    await record(booked());
    bench.clock.at = NOON + HOUR;
    const refund = interaction('Order Refunded', {
      id: 'r1',
      user: 'ann',
      at: NOON + HOUR,
      properties: { order_id: 'o0', total: 5, currency: 'EUR' },
    });
    expect(await record(refund, purchase({ id: 'm1', order: 'o1', user: 'ann', at: NOON + HOUR + 1 }))).toEqual([
      'recorded',
      'recorded',
    ]);
    const [message] = await messagesOf(bench.table, (await ann()).id);
    expect(message).toMatchObject({ state: 'dropped', conversion: { event: 'Order Refunded' } });
  });
});

describe('given a campaign that hears what it tells', () => {
  it('ends: what is told after a wait bears the hops of what began it', async () => {
    const campaign: Campaign = {
      kind: 'service',
      aim: 'service',
      sender: 'main',
      when: { did: 'Ping' },
      again: 'every time',
      steps: [{ wait: '1h' }, { notify: 'Ping', with: { channel: 'call-centre' } }],
    };
    const campaigns = { loop: { id: 'loop', version: campaignVersion(campaign), since: 1, campaign } };
    await publish(bench.table, bench.bucket, definitions({ campaigns }));
    await bench.recorder.record([{ interaction: interaction('Ping', { id: 'first', user: 'ann' }) }]);
    const { id } = (await contactBy(bench.table, `user#${sha256('ann')}`))!;
    const hops: unknown[] = [];
    for (let hour = 1; hour <= 10; hour++) {
      bench.clock.at = NOON + hour * HOUR;
      await bench.recorder.tick([id]);
      await minute(bench.clock.at);
      for (const { source, name, detail } of heard.events.splice(0)) {
        hops.push(detail.hops);
        const time = new Date(bench.clock.at).toISOString();
        const read = normalise({ id: 'e', source, 'detail-type': name, time, detail });
        if ('interaction' in read) await bench.recorder.record([read]);
        else expect(read.fault.code).toBe('event.hops');
      }
    }
    expect(hops).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('given a success that counts for a message', () => {
  const converted = (message: Message, change: Partial<Converted> = {}): Converted => ({
    message: message.id,
    contact: message.contact,
    at: NOON + HOUR,
    event: 'Order Completed',
    order: 'shop#o1',
    value: 1250,
    ...change,
  });
  const convert = async (...all: Converted[]) => {
    const draft = new Draft(emptyWorld());
    for (const one of all) draft.convert(one);
    return write(draft);
  };
  const read = async (message: Message) =>
    readMessage((await bench.table.readOne(key.message(message.contact, message.id)))!);
  const one = async (change: Partial<Message> = {}) => (await crowdOf(bench.table, ['p1'], change))[0]!;

  it('notes it on the message beside its body, and keeps it through every rewriting', async () => {
    const message = await one({ state: 'sent' });
    await convert(converted(message));
    const told = await read(message);
    expect(told.conversion).toEqual({ at: NOON + HOUR, event: 'Order Completed', order: 'shop#o1', value: 1250 });
    const item = (await bench.table.readOne(key.message(message.contact, message.id)))!;
    expect(await bench.table.replaceMessage(item, { ...told, delivery: 'delivered' })).toBe(true);
    expect(await read(message)).toEqual({ ...told, delivery: 'delivered' });
  });

  it('keeps the first one, and never refuses what is written with it', async () => {
    const message = await one({ state: 'ghost' });
    await convert(converted(message));
    const draft = new Draft(emptyWorld());
    draft.convert(converted(message, { at: NOON + 2 * HOUR, value: 9 }));
    draft.convert({ ...converted(message), message: 'nowhere' });
    draft.tell(notice('n1'));
    expect((await write(draft)).sort()).toEqual([`conversion ${message.id}`, 'conversion nowhere']);
    expect((await read(message)).conversion?.value).toBe(1250);
    expect(await bench.table.readOne(key.message(message.contact, 'nowhere'))).toBeUndefined();
    expect((await stored(notice('n1')))?.state).toBe('due');
  });

  it('goes along with the message that is made, or taken back, by the same decision', async () => {
    const message = await one();
    const draft = new Draft(emptyWorld());
    const { due: _, ...made } = { ...message, id: 'new', state: 'ghost' as const };
    draft.plan(made);
    draft.convert({ ...converted(message), message: 'new' });
    draft.drop(message.contact, message.id, 'stopIf');
    draft.convert(converted(message));
    expect(draft.size).toBe(2);
    expect(await write(draft)).toEqual([]);
    expect(await read(made)).toMatchObject({ state: 'ghost', conversion: { value: 1250 } });
    expect(await read(message)).toMatchObject({ state: 'dropped', reason: 'stopIf', conversion: { value: 1250 } });
  });

  it('stands alone where the message was sent before it could be taken back', async () => {
    const message = await one({ state: 'sent' });
    const draft = new Draft(emptyWorld());
    draft.drop(message.contact, message.id, 'stopIf');
    draft.convert(converted(message));
    expect(await write(draft)).toEqual([`drop ${message.id}`]);
    expect(await read(message)).toMatchObject({ state: 'sent', conversion: { value: 1250 } });
  });

  it('does not take back a ghost that the same decision leaves', async () => {
    const message = await one();
    const draft = new Draft(emptyWorld());
    draft.plan({ ...message, id: 'new', state: 'ghost' });
    draft.drop(message.contact, 'new', 'stopIf');
    await write(draft);
    expect(await read({ ...message, id: 'new' })).toMatchObject({ state: 'ghost' });
  });

  it('is lost by no writer who read the message before it came, and stands in no way', async () => {
    const message = await one({ state: 'claimed', claimedAt: NOON });
    const claim = messageItem(message, 2);
    await convert(converted(message));
    expect(await bench.table.replaceMessage(claim, { ...message, state: 'sent', sesId: 's1' })).toBe(true);
    expect(await read(message)).toMatchObject({ state: 'sent', sesId: 's1', conversion: { value: 1250 } });
    expect(await bench.table.replaceMessage(claim, { ...message, state: 'failed' })).toBe(false);
    expect((await read(message)).state).toBe('sent');
  });
});
