// The rate: slots of a second given out over all workers, used in time or not at all, and what holds them back.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Contact } from '../../domain/contact.ts';
import type { Message } from '../../domain/message.ts';
import { pause, stop } from '../../functions/aws/controls.ts';
import type { Answer, Mail, Mailer } from '../../functions/aws/mailer.ts';
import { type Permit, Permits } from '../../functions/aws/rate.ts';
import { Sender, type SenderDeps } from '../../functions/aws/sender.ts';
import { documentClient, key, readMessage, Table } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { drawn } from '../support/faulty-engine.ts';
import { around, metered, type Spent, type Step } from './faults.ts';
import {
  type Bench,
  benchOver,
  consenting,
  crowdOf,
  definitions,
  HOUR,
  MemoryBucket,
  MemoryLog,
  MINUTE,
  NOON,
  publish,
  VirtualTime,
} from './fixtures.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const SECOND = NOON / 1000;
const keys = { current: 'k1', keys: { k1: 'a secret of the tests' } };
const names = (letter: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${letter}${n}`);
const secondOf = (instant: number): number => Math.floor(instant / 1000);
const perSecond = (instants: number[]): number[] => {
  const counts = new Map<number, number>();
  for (const at of instants) counts.set(secondOf(at), (counts.get(secondOf(at)) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b).map(([, count]) => count);
};

describe('given permits', () => {
  let table: Table;
  let spent: Spent;
  beforeEach(async () => {
    const { name } = await engine.table();
    const client = engine.client();
    spent = metered(client);
    table = new Table(documentClient(client), name, 2);
  });
  const triggered = { rate: 10, most: 10, ahead: 5 };
  const bulk = { rate: 10, most: 8, ahead: 5 };
  const from = (permits: Permit[]): number[] => permits.map((permit) => permit.from - NOON);

  it('are slots spread evenly over 900 ms of a second, in a write for each second, and one more where others came first', async () => {
    expect(from(await new Permits(table).take({ ...triggered, wanted: 4 }, NOON))).toEqual([0, 90, 180, 270]);
    expect(from(await new Permits(table).take({ ...triggered, wanted: 8 }, NOON))).toEqual([
      360, 450, 540, 630, 720, 810, 1000, 1090,
    ]);
    // The meter counts what was answered: the fourth call was refused.
    expect(spent).toMatchObject({ read: 0, write: 3 });
  });

  it('end before their second does: a claim by 920 ms, a call by 950', async () => {
    const [permit] = await new Permits(table).take({ ...triggered, wanted: 1 }, NOON + 3000);
    expect(permit).toEqual({ from: NOON + 3000, claimBy: NOON + 3920, callBy: NOON + 3950 });
  });

  it('of a moment that is over are lost, also where others have begun the second', async () => {
    const one = { ...triggered, wanted: 1 };
    expect(from(await new Permits(table).take(one, NOON + 500))).toEqual([450]);
    expect(from(await new Permits(table).take(one, NOON + 800))).toEqual([720]);
    expect(from(await new Permits(table).take({ ...one, wanted: 2 }, NOON + 800))).toEqual([810, 1000]);
    expect(from(await new Permits(table).take(one, NOON + 950))).toEqual([1090]);
  });

  it('of bulk end at 80 % of a second whoever took them; triggered mail gets the others', async () => {
    expect(await new Permits(table).take({ ...bulk, wanted: 48, ahead: 5 }, NOON)).toHaveLength(48);
    expect(await new Permits(table).take({ ...bulk, wanted: 10, ahead: 5 }, NOON)).toEqual([]);
    expect(from(await new Permits(table).take({ ...triggered, wanted: 5 }, NOON))).toEqual([
      720, 810, 1720, 1810, 2720,
    ]);
    const second = { ...triggered, wanted: 9, ahead: 0 };
    expect(await new Permits(table).take(second, NOON + 10_000)).toHaveLength(9);
    expect(await new Permits(table).take({ ...bulk, wanted: 1, ahead: 0 }, NOON + 10_000)).toEqual([]);
  });

  it('are no more than there are in the seconds ahead', async () => {
    expect(await new Permits(table).take({ ...triggered, wanted: 100 }, NOON)).toHaveLength(60);
    expect(await new Permits(table).take({ ...triggered, wanted: 1 }, NOON)).toEqual([]);
    for (let second = SECOND; second <= SECOND + 5; second++)
      expect(await table.readOne(key.rate(second))).toMatchObject({ taken: 10 });
  });

  it('are one an instant at a rate of one', async () => {
    const slow = { rate: 1, most: 1, ahead: 20, wanted: 3 };
    expect(from(await new Permits(table).take(slow, NOON + 500))).toEqual([0, 1000, 2000]);
    expect(from(await new Permits(table).take(slow, NOON + 500))).toEqual([3000, 4000, 5000]);
  });

  it('cost a busy worker one read and two writes, however many seconds are full', async () => {
    const busy = new Permits(table);
    await new Permits(table).take({ ...triggered, wanted: 60, ahead: 10 }, NOON);
    expect(from(await busy.take({ ...triggered, wanted: 10, ahead: 10 }, NOON))).toHaveLength(10);
    spent.calls.length = 0;
    expect(from(await busy.take({ ...triggered, wanted: 10, ahead: 10 }, NOON + 5)).at(0)).toBe(7000);
    expect(spent.calls).toEqual(['BatchGetItemCommand', 'UpdateItemCommand']);
  });

  it('are taken by ten workers at 14 a second with one refused write in ten permits at most, and none is left over', async () => {
    const time = new VirtualTime(NOON);
    const draw = drawn(14);
    const used: number[] = [];
    let refused = 0;
    let reads = 0;
    const worker = async (most: number): Promise<void> => {
      const client = engine.client();
      const count: Step = async (command, _input, go) => {
        if (command.startsWith('BatchGet')) reads++;
        return go().catch((error) => {
          refused++;
          throw error;
        });
      };
      around(client, count);
      around(
        client,
        time.taking(() => 3 + draw() * 10),
      );
      const permits = new Permits(new Table(documentClient(client), table.name, 2));
      while (time.at < NOON + 30_000) {
        await time.sleep(30 + draw() * 20);
        const got = await permits.take({ wanted: 10, rate: 14, most, ahead: most === 14 ? 10 : 6 }, time.now());
        used.push(...got.map((permit) => permit.from));
        await time.sleep(Math.max(0, (got.at(-1)?.from ?? 0) - time.at) + 100);
      }
    };
    await time.run(Promise.all([...names('t', 5).map(() => worker(14)), ...names('b', 5).map(() => worker(11))]));
    expect(Math.max(...perSecond(used))).toBe(14);
    const whole = perSecond(used.filter((at) => at >= NOON + 1000 && at < NOON + 29_000));
    expect(whole).toEqual(Array.from({ length: 28 }, () => 14));
    expect(new Set(used).size).toBe(used.length);
    expect(refused).toBeLessThan(used.length / 10);
    expect(reads).toBeLessThan(used.length / 5);
  });
});

/** A sender, or several, in virtual time over one table; SES is a list of the instants at which it was called. */
class Crew {
  readonly time: VirtualTime;
  readonly bench: Bench;
  readonly calls: { message: string; lane: string; at: number }[] = [];
  readonly log = new MemoryLog();
  answer: (mail: Mail) => Answer = () => ({ kind: 'accepted', id: 'ses' });
  readonly #draw: () => number;
  readonly #takes: { table: () => number; ses: () => number };

  constructor(bench: Bench, time: VirtualTime, seed: number, takes?: { table: () => number; ses: () => number }) {
    this.bench = bench;
    this.time = time;
    this.#draw = drawn(seed);
    this.#takes = takes ?? { table: () => 2 + this.#draw() * 8, ses: () => 40 + this.#draw() * 120 };
  }

  /** A worker of its own: nothing but the table is shared with the others. */
  worker(change: Partial<SenderDeps> = {}): Sender {
    const client = engine.client();
    around(client, this.time.taking(this.#takes.table));
    const send = async (mail: Mail): Promise<Answer> => {
      this.calls.push({ message: mail.message, lane: mail.message.slice('message-'.length, 9), at: this.time.now() });
      const answer = this.answer(mail);
      await this.time.sleep(this.#takes.ses());
      return answer;
    };
    return new Sender({
      table: new Table(documentClient(client), this.bench.table.name, 2),
      books: this.bench.books,
      mailer: { send } as unknown as Mailer,
      queue: {} as never,
      secrets: async () => ({ keys, sources: {} }),
      now: this.time.now,
      sleep: this.time.sleep,
      log: this.log,
      rate: 14,
      publicBaseUrl: 'https://mail.shop.example',
      deadLetters: 'dead',
      ...change,
    });
  }

  /** Workers that take ten of what is due at a time until all is sent or an instant has come: the queue, without waiting. */
  async drain(messages: Message[], workers: Sender[], until: number): Promise<void> {
    const left = new Map(messages.map((message) => [message.id, message]));
    const held = new Set<string>();
    const work = async (sender: Sender): Promise<void> => {
      while (left.size > 0 && this.time.at < until) {
        const now = this.time.now();
        const due = [...left.values()].filter(({ id, due = 0 }) => !held.has(id) && due <= now).slice(0, 10);
        if (due.length === 0) {
          await this.time.sleep(250);
          continue;
        }
        for (const { id } of due) held.add(id);
        const errors = await sender.send(due.map(({ contact, id }) => ({ contact, message: id })));
        expect(errors.filter((error) => error !== undefined)).toEqual([]);
        for (const { contact, id } of due) {
          const message = readMessage((await this.bench.table.readOne(key.message(contact, id)))!);
          if (message.state === 'ready') left.set(id, message);
          else left.delete(id);
          held.delete(id);
        }
      }
    };
    await Promise.all(workers.map(work));
  }

  async stored(message: Message): Promise<Message> {
    return readMessage((await this.bench.table.readOne(key.message(message.contact, message.id)))!);
  }
}

/** A shop whose table and clock are those of virtual time. */
async function benchAt(time: VirtualTime, change: Parameters<typeof definitions>[0] = {}): Promise<Bench> {
  const client = engine.client();
  const table = new Table(documentClient(client), (await engine.table()).name, 2);
  const clock = {
    get at(): number {
      return time.at;
    },
    now: time.now,
  };
  const bench = benchOver(table, { bucket: new MemoryBucket(), clock, prefix: 'c' });
  await publish(bench.table, bench.bucket, definitions(change));
  await bench.books.current();
  around(
    client,
    time.taking(() => 0),
  );
  return bench;
}

/** Both lanes at once, each with workers of its own. */
const drainLanes = (crew: Crew, lanes: { own: Message[]; by: Sender[] }[], until: number): Promise<unknown> =>
  crew.time.run(Promise.all(lanes.map(({ own, by }) => crew.drain(own, by, until))));

describe('given workers of both lanes, whose calls take as long as they like', () => {
  it('no second sees more calls than the rate, bulk leaves a fifth, and everybody is sent once', async () => {
    for (const { seed, rate } of [
      { seed: 1, rate: 14 },
      { seed: 2, rate: 3 },
      { seed: 3, rate: 40 },
      { seed: 4, rate: 14 },
    ]) {
      const time = new VirtualTime(NOON + seed * 137);
      const bench = await benchAt(time);
      const draw = drawn(seed);
      // Mostly quick; now and then a call, or the process around it, stands still for up to three seconds.
      const mood = (least: number, more: number) => () => least + draw() * more + (draw() < 0.06 ? draw() * 3000 : 0);
      const crew = new Crew(bench, time, seed, { table: mood(2, 20), ses: mood(30, 200) });
      const count = Math.min(60, rate * 8);
      const triggered = await time.run(crowdOf(bench.table, names('t', count), { lane: 'triggered' }));
      const bulk = await time.run(crowdOf(bench.table, names('b', count), { lane: 'bulk' }));
      const workers = (): Sender[] => names('w', 3).map(() => crew.worker({ rate }));
      const until = NOON + 5 * MINUTE;
      await drainLanes(
        crew,
        [
          { own: triggered, by: workers() },
          { own: bulk, by: workers() },
        ],
        until,
      );
      const at = { seed, rate };
      expect({ ...at, most: Math.max(...perSecond(crew.calls.map((call) => call.at))) <= rate }).toEqual({
        ...at,
        most: true,
      });
      const bulkCalls = crew.calls.filter((call) => call.lane === 'b').map((call) => call.at);
      expect({ ...at, most: Math.max(...perSecond(bulkCalls)) <= Math.max(1, Math.floor(rate * 0.8)) }).toEqual({
        ...at,
        most: true,
      });
      expect({ ...at, sent: crew.calls.map((call) => call.message).toSorted() }).toEqual({
        ...at,
        sent: [...triggered, ...bulk].map(({ id }) => id).toSorted(),
      });
    }
  }, 120_000);
});

describe('given a burst of both lanes', () => {
  it('triggered mail goes before bulk, and the rate is used to the full', async () => {
    const time = new VirtualTime(NOON);
    const bench = await benchAt(time);
    const crew = new Crew(bench, time, 7);
    const triggered = await time.run(crowdOf(bench.table, names('t', 56), { lane: 'triggered' }));
    const bulk = await time.run(crowdOf(bench.table, names('b', 84), { lane: 'bulk' }));
    await drainLanes(
      crew,
      [
        { own: triggered, by: names('w', 3).map(() => crew.worker()) },
        { own: bulk, by: names('w', 3).map(() => crew.worker()) },
      ],
      NOON + 5 * MINUTE,
    );
    const last = (letter: string): number =>
      Math.max(...crew.calls.filter((call) => call.lane === letter).map((call) => call.at));
    expect(last('t')).toBeLessThan(last('b'));
    expect(crew.calls).toHaveLength(140);
    const seconds = perSecond(crew.calls.map((call) => call.at));
    // All but the ends are full seconds.
    expect(seconds.filter((count) => count === 14).length).toBeGreaterThanOrEqual(7);
  }, 60_000);
});

describe('given a batch that sleeps for its permits', () => {
  /** A worker that has to wait for 40 seconds to get rid of its messages, and what an operator does after two. */
  async function interrupted(
    act: (table: Table, at: number) => Promise<unknown>,
  ): Promise<{ crew: Crew; messages: Message[] }> {
    const time = new VirtualTime(NOON);
    const bench = await benchAt(time);
    const crew = new Crew(bench, time, 3);
    const messages = await time.run(crowdOf(bench.table, names('t', 40), { lane: 'triggered' }));
    const operator = async (): Promise<void> => {
      await time.sleep(2_000);
      await act(bench.table, time.now());
    };
    const workers = names('w', 4).map(() => crew.worker({ rate: 2 }));
    await time.run(Promise.all([crew.drain(messages, workers, NOON + 20_000), operator()]));
    return { crew, messages };
  }
  const control = (at: number) => ({ by: 'an operator', at, why: 'a test' });

  it('a pause takes hold within ten seconds, and what it holds waits for five minutes in the index', async () => {
    const { crew, messages } = await interrupted((table, at) => pause(table, 'thanks', control(at)));
    expect(crew.calls.length).toBeGreaterThan(4);
    expect(Math.max(...crew.calls.map((call) => call.at)) - NOON).toBeLessThan(6_000);
    const waiting = (await crew.time.run(Promise.all(messages.map((one) => crew.stored(one))))).filter(
      (one) => one.state === 'ready',
    );
    expect(waiting).toHaveLength(40 - crew.calls.length);
    for (const { due = 0 } of waiting) expect(due).toBeGreaterThan(NOON + 4 * MINUTE);
  });

  it('so does a stop', async () => {
    const { crew } = await interrupted((table, at) => stop(table, control(at)));
    expect(Math.max(...crew.calls.map((call) => call.at)) - NOON).toBeLessThan(6_000);
  });

  it('without either it goes on', async () => {
    const { crew } = await interrupted(async () => {});
    expect(Math.max(...crew.calls.map((call) => call.at)) - NOON).toBeGreaterThan(15_000);
  });
});

describe('given a worker that is late', () => {
  it('after its claim: it does not call, and gives the message back as it was', async () => {
    const time = new VirtualTime(NOON);
    const bench = await benchAt(time);
    const crew = new Crew(bench, time, 1);
    const [message] = (await time.run(crowdOf(bench.table, ['t0']))) as [Message];
    const client = engine.client();
    around(client, async (command, _input, go) => {
      const answer = await go();
      // The claim is there, and its answer takes a second.
      if (command === 'PutItemCommand') time.at += 1_000;
      return answer;
    });
    const table = new Table(documentClient(client), bench.table.name, 2);
    await time.run(crew.worker({ table }).send([{ contact: 't0', message: message.id }]));
    expect(crew.calls).toEqual([]);
    const after = await time.run(crew.stored(message));
    expect(after).toMatchObject({ state: 'ready', attempts: 0 });
    expect(after.claimedAt).toBeUndefined();
    expect(after.due).toBeGreaterThan(time.now());
    expect(crew.log.lines.map(({ name }) => name)).toContain('send.late');
  });

  it('before its claim: it takes another slot, and sends in its second', async () => {
    const time = new VirtualTime(NOON);
    const bench = await benchAt(time);
    const crew = new Crew(bench, time, 1);
    const [message] = (await time.run(crowdOf(bench.table, ['t0']))) as [Message];
    const oversleeps = async (): Promise<void> => {
      time.at += 2_100;
    };
    // Slots of the present second are used at once: the first of a full second has to be slept for.
    await time.run(new Permits(bench.table).take({ wanted: 1, rate: 1, most: 1, ahead: 0 }, NOON));
    await time.run(crew.worker({ rate: 1, sleep: oversleeps }).send([{ contact: 't0', message: message.id }]));
    expect(crew.calls.map((call) => secondOf(call.at) - SECOND)).toEqual([2]);
    expect(await time.run(bench.table.readOne(key.rate(SECOND + 2)))).toMatchObject({ taken: 1 });
    expect(crew.log.lines.map(({ name }) => name)).not.toContain('send.late');
    expect(await time.run(crew.stored(message))).toMatchObject({ state: 'sent', attempts: 1 });
  });
});

describe('given what SES said of the account', () => {
  const account = {
    ...key.account(),
    shape: 1,
    at: NOON,
    maxRate: 14,
    max24h: 50_000,
    sent24h: 100,
    sendingEnabled: true,
    production: true,
    enforcement: 'HEALTHY',
  };
  async function sentUnder(change: Partial<typeof account>, deps: Partial<SenderDeps> = {}) {
    const time = new VirtualTime(NOON);
    const bench = await benchAt(time);
    const crew = new Crew(bench, time, 5);
    await time.run(bench.table.create({ ...account, ...change }));
    const triggered = await time.run(crowdOf(bench.table, names('t', 10), { lane: 'triggered' }));
    const bulk = await time.run(crowdOf(bench.table, names('b', 10), { lane: 'bulk' }));
    const send = (messages: Message[]) =>
      crew.worker(deps).send(messages.map(({ contact, id }) => ({ contact, message: id })));
    await time.run(Promise.all([send(triggered), send(bulk)]));
    const waiting = async (messages: Message[]) =>
      (await Promise.all(messages.map((one) => crew.stored(one)))).filter((one) => one.state === 'ready');
    return {
      seconds: perSecond(crew.calls.map((call) => call.at)),
      triggered: await time.run(waiting(triggered)),
      bulk: await time.run(waiting(bulk)),
    };
  }

  it('its rate holds where it is lower than the stage’s own, and the stage’s share of it', async () => {
    expect(Math.max(...(await sentUnder({ maxRate: 5 })).seconds)).toBe(5);
    expect(Math.max(...(await sentUnder({ maxRate: 8 }, { share: 0.5 })).seconds)).toBe(4);
    expect(Math.max(...(await sentUnder({ maxRate: 500 }, { rate: 6 })).seconds)).toBe(6);
  });

  it.each([
    ['80 % of the quota are used', { sent24h: 40_000 }],
    ['80 % may be used by now', { sent24h: 39_900, at: NOON - 8_000 }],
    ['the account is under review', { enforcement: 'PROBATION' }],
  ])('when %s, bulk waits for 15 minutes in the index and triggered mail goes', async (_name, change) => {
    const { triggered, bulk } = await sentUnder(change);
    expect(triggered).toEqual([]);
    expect(bulk).toHaveLength(10);
    for (const { due = 0, state, attempts } of bulk) {
      expect({ state, attempts }).toEqual({ state: 'ready', attempts: 0 });
      expect(due).toBeGreaterThanOrEqual(NOON + 15 * MINUTE);
    }
  });

  it('after ten minutes only the rate is believed', async () => {
    const { triggered, bulk, seconds } = await sentUnder({
      sent24h: 50_000,
      enforcement: 'PROBATION',
      maxRate: 5,
      at: NOON - 10 * MINUTE - 1,
    });
    expect({ triggered, bulk }).toEqual({ triggered: [], bulk: [] });
    expect(Math.max(...seconds)).toBe(5);
  });
});

describe('given an SES that throttles', () => {
  it('the refused wait for seconds in the index, the others go, and each goes once', async () => {
    const time = new VirtualTime(NOON);
    const bench = await benchAt(time);
    const crew = new Crew(bench, time, 9);
    const taken = new Map<number, number>();
    // Another system uses up half of the account's rate.
    crew.answer = () => {
      const second = secondOf(time.now());
      taken.set(second, (taken.get(second) ?? 0) + 1);
      return (taken.get(second) ?? 0) > 7
        ? { kind: 'later', after: 1_000 + 500 * (crew.calls.length % 18), reason: 'TooManyRequestsException' }
        : { kind: 'accepted', id: 'ses' };
    };
    const messages = await time.run(crowdOf(bench.table, names('t', 60), { lane: 'triggered' }));
    await time.run(
      crew.drain(
        messages,
        names('w', 3).map(() => crew.worker()),
        NOON + 5 * MINUTE,
      ),
    );
    const all = await time.run(Promise.all(messages.map((one) => crew.stored(one))));
    expect(all.every((one) => one.state === 'sent')).toBe(true);
    expect(Math.max(...perSecond(crew.calls.map((call) => call.at)))).toBeLessThanOrEqual(14);
    expect([...taken.values()].reduce((sum, count) => sum + Math.min(count, 7), 0)).toBe(60);
  });
});

describe('given a person who consents to tracking', () => {
  const tracking = (contact: Contact): void => {
    contact.facts.consents['shop|tracking|email'] = { granted: true, at: NOON - HOUR, id: 'g' };
  };
  it.each([
    ['the tracked configuration set is used where the shop asks for opens', true, tracking, true],
    ['not where it does not ask', false, tracking, undefined],
    ['not for anybody else', true, consenting, undefined],
  ])('%s', async (_name, opens, facts, expected) => {
    const time = new VirtualTime(NOON);
    const book = definitions();
    const bench = await benchAt(time, { settings: { ...book.settings, tracking: { opens } } });
    const crew = new Crew(bench, time, 1);
    const mails: Mail[] = [];
    crew.answer = (mail) => {
      mails.push(mail);
      return { kind: 'accepted', id: 'ses' };
    };
    const [message] = (await time.run(crowdOf(bench.table, ['t0'], {}, facts))) as [Message];
    await time.run(crew.worker().send([{ contact: 't0', message: message.id }]));
    expect(mails.map(({ tracked }) => tracked)).toEqual([expected]);
    expect(await time.run(crew.stored(message))).toMatchObject({ state: 'sent', provider: 'other' });
  });
});
