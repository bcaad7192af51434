// A warm-up at the send: a day's places over all workers, who waits and until when, and what is only counted.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Contact } from '../../domain/contact.ts';
import type { Message } from '../../domain/message.ts';
import type { Settings, WarmUp } from '../../domain/settings.ts';
import { localTime } from '../../domain/time.ts';
import type { Mail, Mailer } from '../../functions/aws/mailer.ts';
import { Sender } from '../../functions/aws/sender.ts';
import { key, readMessage } from '../../functions/aws/table.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type Bench, benchOver, consenting, crowdOf, DAY, definitions, NOON, publish } from './fixtures.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const names = (letter: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${letter}${n}`);
const dateOf = (instant: number): string => localTime(instant, 'UTC').date;

class Shop {
  readonly bench: Bench;
  readonly mails: string[] = [];
  constructor(bench: Bench) {
    this.bench = bench;
  }

  static async warming(plan: WarmUp, change: Partial<Settings> = {}): Promise<Shop> {
    const shop = new Shop(benchOver(await engine.table()));
    const settings = { ...definitions().settings, warmUp: { 'shop.example': plan }, ...change };
    await publish(shop.bench.table, shop.bench.bucket, definitions({ settings }));
    return shop;
  }

  worker(): Sender {
    const send = async (mail: Mail) => {
      this.mails.push(mail.message);
      return { kind: 'accepted' as const, id: 'ses' };
    };
    return new Sender({
      table: this.bench.table,
      books: this.bench.books,
      mailer: { send } as unknown as Mailer,
      queue: {} as never,
      secrets: async () => ({ keys: { current: 'k1', keys: { k1: 'a secret of the tests' } }, sources: {} }),
      now: this.bench.clock.now,
      sleep: async () => {},
      log: this.bench.log,
      rate: 1000,
      publicBaseUrl: 'https://mail.shop.example',
      deadLetters: 'dead',
    });
  }

  offers(ids: string[], facts: (contact: Contact) => void = consenting): Promise<Message[]> {
    return crowdOf(this.bench.table, ids, { campaign: 'offer' }, (contact) => {
      consenting(contact);
      facts(contact);
    });
  }

  /** Sends in batches of ten, by so many workers at once. */
  async send(messages: Message[], workers = 2): Promise<void> {
    const batches = Array.from({ length: Math.ceil(messages.length / 10) }, (_, n) =>
      messages.slice(n * 10, n * 10 + 10),
    );
    const work = async (sender: Sender): Promise<void> => {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
        const errors = await sender.send(batch.map(({ contact, id }) => ({ contact, message: id })));
        expect(errors.filter((error) => error !== undefined)).toEqual([]);
      }
    };
    await Promise.all(Array.from({ length: workers }, () => work(this.worker())));
  }

  stored(messages: Message[]): Promise<Message[]> {
    return Promise.all(
      messages.map(async ({ contact, id }) => readMessage((await this.bench.table.readOne(key.message(contact, id)))!)),
    );
  }

  async day(date: string): Promise<Record<string, unknown> | undefined> {
    return this.bench.table.readOne(key.warmUp('shop.example', date));
  }
}

const plan: WarmUp = { starts: '2026-05-04', days: [{ most: 12 }, { most: 20 }, { most: 40 }] };

describe('given more marketing than a day takes', () => {
  it('as many go as have places, however many workers there are; the others come on the next days in their order', async () => {
    const shop = await Shop.warming(plan);
    const messages = await shop.offers(names('o', 60));
    await shop.send(messages, 4);
    expect(shop.mails).toHaveLength(12);
    expect(await shop.day('2026-05-04')).toMatchObject({ sent: 12, waiting: 48 });
    const waiting = (await shop.stored(messages)).filter((one) => one.state === 'ready');
    expect(waiting).toHaveLength(48);
    const days = Map.groupBy(waiting, (one) => dateOf(one.due ?? 0));
    expect([...days].map(([date, own]) => [date, own.length]).toSorted()).toEqual([
      ['2026-05-05', 16],
      ['2026-05-06', 32],
    ]);
    for (const { attempts, due = 0 } of waiting) {
      expect(attempts).toBe(0);
      expect(localTime(due, 'UTC').minutes).toBeGreaterThanOrEqual(8 * 60);
    }
    shop.bench.clock.at = NOON + DAY;
    await shop.send(waiting.filter((one) => dateOf(one.due ?? 0) === '2026-05-05'));
    expect(shop.mails).toHaveLength(12 + 16);
  }, 30_000);

  it('after the last day all go, and nothing is counted', async () => {
    const shop = await Shop.warming(plan);
    const messages = await shop.offers(names('o', 60));
    shop.bench.clock.at = NOON + 3 * DAY;
    await shop.send(messages);
    expect(shop.mails).toHaveLength(60);
    expect(await shop.day('2026-05-07')).toBeUndefined();
  }, 30_000);

  it('before the first day none goes, and none takes a place', async () => {
    const shop = await Shop.warming({ ...plan, starts: '2026-05-10' });
    const messages = await shop.offers(names('o', 3));
    await shop.send(messages);
    expect(shop.mails).toEqual([]);
    expect(await shop.day('2026-05-10')).toBeUndefined();
    expect((await shop.stored(messages)).map((one) => dateOf(one.due ?? 0))).toEqual(Array(3).fill('2026-05-10'));
  });

  it('a ceiling that is raised on the day lets more go', async () => {
    const shop = await Shop.warming(plan);
    const messages = await shop.offers(names('o', 20));
    const sender = shop.worker();
    const send = (from: number, to: number) =>
      sender.send(messages.slice(from, to).map(({ contact, id }) => ({ contact, message: id })));
    await send(0, 14);
    expect(shop.mails).toHaveLength(12);
    const settings = { ...definitions().settings, warmUp: { 'shop.example': { ...plan, days: [{ most: 15 }] } } };
    await publish(shop.bench.table, shop.bench.bucket, definitions({ settings, ordinal: 2 }));
    await shop.bench.books.fresh();
    await send(14, 20);
    expect(shop.mails).toHaveLength(15);
  });
});

describe('given a day for the engaged', () => {
  it('they go; the others wait for the first day that takes them, and take no place', async () => {
    const shop = await Shop.warming({ starts: '2026-05-04', days: [{ most: 100, engaged: '30d' }, { most: 100 }] });
    const old = (contact: Contact): void => {
      contact.facts.consents['shop|offers|email'] = { granted: true, at: NOON - 200 * DAY, id: 'g' };
    };
    const bought = (contact: Contact): void => {
      old(contact);
      contact.facts.orders.last = NOON - 3 * DAY;
    };
    const messages = [
      ...(await shop.offers(names('c', 3))),
      ...(await shop.offers(names('b', 3), bought)),
      ...(await shop.offers(names('x', 3), old)),
    ];
    await shop.send(messages);
    expect(shop.mails.toSorted()).toEqual([...names('message-b', 3), ...names('message-c', 3)]);
    expect(await shop.day('2026-05-04')).toMatchObject({ sent: 6 });
    const waiting = (await shop.stored(messages)).filter((one) => one.state === 'ready');
    expect(waiting.map((one) => dateOf(one.due ?? 0))).toEqual(Array(3).fill('2026-05-05'));
  });
});

describe('given service mail', () => {
  it('it is never held, takes no place of marketing, and is counted', async () => {
    const shop = await Shop.warming({ starts: '2026-05-04', days: [{ most: 1 }] });
    const service = await crowdOf(shop.bench.table, names('s', 5));
    const offers = await shop.offers(names('o', 3));
    await shop.send([...service, ...offers]);
    expect(shop.mails.filter((id) => id.startsWith('message-s'))).toHaveLength(5);
    expect(shop.mails.filter((id) => id.startsWith('message-o'))).toHaveLength(1);
    expect(await shop.day('2026-05-04')).toMatchObject({ sent: 1, others: 5 });
  });
});

describe('given a domain without a plan', () => {
  it('nothing is held or counted', async () => {
    const shop = await Shop.warming(plan, { warmUp: { 'other.example': { ...plan, days: [{ most: 1 }] } } });
    await shop.send(await shop.offers(names('o', 5)));
    expect(shop.mails).toHaveLength(5);
    expect(await shop.day('2026-05-04')).toBeUndefined();
  });
});
