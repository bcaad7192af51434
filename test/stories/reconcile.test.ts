// Open claims, with the clock moved: what becomes of a mail of which nobody knows whether SES took it.
import { beforeEach, describe, expect, it } from 'vitest';
import { readWatermark } from '../../functions/aws/claims.ts';
import { heldPk, shardText } from '../../functions/aws/table.ts';
import type { Simulated, Trouble } from '../../local/laptop.ts';
import { aStory, asks, DAY, HOUR, MINUTE, order, type Said } from '../support/laptop.ts';

const story = aStory({
  change: (folder) => {
    folder.edit('fields.json', (fields) => {
      Object.assign(fields.events as object, { 'Sale Started': { ends: 'date' } });
    });
    folder.write('campaigns/sale.json', {
      kind: 'marketing',
      aim: 'loyalty',
      topic: 'offers',
      sender: 'main',
      again: 'every time',
      when: { did: 'Sale Started' },
      expires: '2h',
      steps: [{ send: 'welcome' }],
    });
  },
});
beforeEach(() => story().next());

const count = async (user: string) => (await story().mails(`${user}@customers.example`)).length;
const state = async (user: string) => (await story().messages({ user }))[0]?.state;
const both = async (user: string) => [await count(user), await state(user)];
/** SES has it, and the sender does not know. */
const answerLost: Trouble = { at: 'SendEmail', kind: 'drop' };
/** SES does not have it, and the sender does not know. */
const callLost: Trouble = { at: 'SendEmail', kind: 'reset' };
const sends = async (user: string, ...troubles: Trouble[]) => {
  await story().during(troubles, () => story().send(asks(user)));
};
/** Holds back what SES tells, of so many mails or of all, until it is released. */
const held = (mails?: number, event?: 'Send' | 'Delivery'): Simulated => {
  const of = (type: string) =>
    story().laptop.simulate({ at: `event:${type}`, kind: 'delay', ...(mails !== undefined && { times: mails }) });
  if (event !== undefined) return of(event);
  const all = [of('Send'), of('Delivery')];
  return {
    struck: () => all.reduce((sum, one) => sum + one.struck(), 0),
    release: (...how) => {
      for (const one of all) one.release(...how);
    },
    stop: () => {
      for (const one of all) one.stop();
    },
  };
};

describe('a later claim whose Send has come', () => {
  it('proves nothing when it is younger by two minutes or less', async () => {
    const shop = story();
    const said = shop.now();
    await sends('near', callLost);
    await shop.until(said + 100_000);
    await sends('near-later');
    await shop.until(said + HOUR);
    expect(await both('near')).toEqual([0, 'claimed']);
    await sends('near-much-later');
    await shop.forward('45m');
    expect(await both('near')).toEqual([1, 'sent']);
    expect(await count('near-later')).toBe(1);
  });

  it('proves nothing when it is older, however late its Send comes', async () => {
    const shop = story();
    const late = held();
    await sends('older');
    await shop.forward('10m');
    await sends('younger', callLost);
    await shop.forward('20m');
    late.stop();
    await shop.idle();
    await shop.forward('5h');
    expect([await both('older'), await both('younger')]).toEqual([
      [1, 'sent'],
      [0, 'claimed'],
    ]);
    await shop.forward('2h');
    expect(await both('younger')).toEqual([0, 'uncertain']);
  });

  it('proves nothing before it has stood for half an hour', async () => {
    const shop = story();
    const said = shop.now();
    const late = held(1);
    await sends('stands', answerLost);
    await shop.until(said + 5 * MINUTE);
    await sends('stands-later');
    await shop.until(said + 44 * MINUTE);
    await shop.timers();
    expect(await both('stands')).toEqual([1, 'claimed']);
    // Its own Send failed as often as receive-feedback tries, and gets through at last.
    late.stop();
    await shop.idle();
    await shop.until(said + 2 * HOUR);
    expect(await both('stands')).toEqual([1, 'sent']);
  });

  it('lets nothing go before the fifteen minutes are over', async () => {
    const shop = story();
    const said = shop.now();
    await sends('quarter', callLost);
    await shop.until(said + 5 * MINUTE);
    await sends('quarter-later');
    await shop.until(said + 14 * MINUTE);
    await shop.timers();
    expect(await both('quarter')).toEqual([0, 'claimed']);
    await shop.until(said + 50 * MINUTE);
    expect(await both('quarter')).toEqual([1, 'sent']);
  });

  it('lets all open claims before it go, and each goes out once', async () => {
    const shop = story();
    const users = Array.from({ length: 12 }, (_, at) => `many-${at}`);
    await shop.during([callLost], () => shop.send(...users.map(asks)));
    expect(await shop.messages({ state: 'claimed' })).toHaveLength(12);
    await shop.forward('10m');
    await sends('many-later');
    await shop.forward('45m');
    for (const user of users) expect(await both(user)).toEqual([1, 'sent']);
    expect((await shop.messages({ user: 'many-0' }))[0]?.attempts).toBe(2);
  });
});

describe('the Send event', () => {
  it('that comes eight times closes a claim once', async () => {
    const shop = story();
    await shop.during([answerLost, { at: 'event:Send', kind: 'repeat', copies: 8 }], () => shop.send(asks('eight')));
    expect(await both('eight')).toEqual([1, 'sent']);
    const [message] = await shop.messages({ user: 'eight' });
    expect(message).toMatchObject({ attempts: 1, sesId: (await shop.mails('eight@customers.example'))[0]?.id });
    expect(message?.due).toBeUndefined();
    await sends('eight-later');
    await shop.forward('7h');
    expect(await count('eight')).toBe(1);
  });

  it('is not needed where another event of the mail comes', async () => {
    const shop = story();
    await sends('delivered', answerLost, { at: 'event:Send', kind: 'lose' });
    await sends('delivered-later');
    await shop.forward('1h');
    expect(await both('delivered')).toEqual([1, 'sent']);
  });

  it('that comes between the release of a claim and its next call stops that call', async () => {
    const shop = story();
    const late = held(1);
    await sends('between', answerLost);
    await shop.forward('10m');
    await sends('between-later');
    await shop.during([{ at: 'invoke:send-message', kind: 'lose' }], async () => {
      await shop.forward('38m');
      expect(await both('between')).toEqual([1, 'ready']);
      late.stop();
      await shop.idle();
    });
    expect(await both('between')).toEqual([1, 'sent']);
    await shop.forward('1h');
    expect(await count('between')).toBe(1);
    expect(await shop.messages({ user: 'between' })).toMatchObject([{ attempts: 1 }]);
  });

  it('of the first call, come after the second, changes nothing and proves nothing', async () => {
    const shop = story();
    const late = held(1);
    await sends('second', answerLost);
    await shop.forward('10m');
    await sends('second-later');
    await shop.forward('45m');
    // Its news is half an hour behind that of a later claim: this is the one way to a second mail.
    expect(await both('second')).toEqual([2, 'sent']);
    const [before] = await shop.messages({ user: 'second' });
    const watermark = await readWatermark(shop.table);
    late.stop();
    await shop.idle();
    expect((await shop.messages({ user: 'second' }))[0]).toEqual({ ...before, delivery: 'delivered' });
    expect(await readWatermark(shop.table)).toBe(watermark);
    await shop.forward('7h');
    expect(await count('second')).toBe(2);
  });

  it('of the first call closes the second, of which the answer was lost too', async () => {
    const shop = story();
    const late = held(1);
    await sends('closes', answerLost);
    await shop.forward('10m');
    await sends('closes-later');
    await shop.during([callLost], () => shop.forward('38m'));
    expect(await both('closes')).toEqual([1, 'claimed']);
    expect(await shop.messages({ user: 'closes' })).toMatchObject([{ attempts: 2 }]);
    const watermark = await readWatermark(shop.table);
    late.stop();
    await shop.idle();
    expect(await both('closes')).toEqual([1, 'sent']);
    // It is news of the first call's instant, not of the second's.
    expect(await readWatermark(shop.table)).toBe(watermark);
    await shop.forward('7h');
    expect(await count('closes')).toBe(1);
  });
});

describe('an uncertain message', () => {
  it('is listed and told, and no later Send sends it again', async () => {
    const shop = story();
    const logged = shop.listen();
    await sends('unsure', callLost);
    await shop.forward('6h');
    await shop.timers();
    expect(await both('unsure')).toEqual([0, 'uncertain']);
    const [message] = await shop.messages({ user: 'unsure' });
    const pages = await Promise.all(
      Array.from({ length: shop.table.shards }, (_, shard) =>
        shop.table.due(heldPk('uncertain', shardText(shard)), Number.MAX_SAFE_INTEGER, 100),
      ),
    );
    expect(pages.flatMap(({ items }) => items.map(({ sk }) => sk))).toContain(`MESSAGE#${message!.id}`);
    const lines = logged().filter((line) => line.includes('claim.uncertain'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(message!.id);
    expect(lines[0]).not.toMatch(/@|unsure/);
    await sends('unsure-later');
    await shop.forward('1d');
    expect(await both('unsure')).toEqual([0, 'uncertain']);
  });

  it('is sent by a late Send event, and stays so when the event comes again', async () => {
    const shop = story();
    const late = held(2);
    await sends('surely', answerLost);
    await shop.forward('7h');
    expect(await both('surely')).toEqual([1, 'uncertain']);
    const [mail] = await shop.mails('surely@customers.example');
    late.stop();
    await shop.idle();
    const [message] = await shop.messages({ user: 'surely' });
    expect(message).toMatchObject({ state: 'sent', sesId: mail!.id, sentAt: mail!.at });
    for (let time = 0; time < 3; time++) await shop.feedback(mail!, 'Send', { send: {} });
    expect((await shop.messages({ user: 'surely' }))[0]).toEqual(message);
    await shop.forward('1d');
    expect(await count('surely')).toBe(1);
  });
});

describe('a feedback path that is silent for hours while sending goes on', () => {
  /** One mail each ten minutes for four hours: of every third the answer is lost, of every fifth the call. */
  async function through(group: string, late: Simulated): Promise<string[]> {
    const shop = story();
    const users: string[] = [];
    for (let at = 0; at < 24; at++) {
      const user = `${group}-${at}`;
      users.push(user);
      await sends(user, ...(at % 5 === 4 ? [callLost] : at % 3 === 2 ? [answerLost] : []));
      await shop.forward('10m');
    }
    const open = (await shop.messages({ state: 'claimed' })).length;
    expect(open).toBe(11);
    expect(late.struck()).toBeGreaterThan(0);
    for (const user of users) expect(await count(user)).toBeLessThanOrEqual(1);
    return users;
  }
  async function expectOnce(users: string[]): Promise<void> {
    for (const user of users) expect([user, ...(await both(user))]).toEqual([user, 1, 'sent']);
    expect((await story().mails()).filter(({ to }) => users.includes(to[0]!.split('@')[0]!))).toHaveLength(
      users.length,
    );
  }

  it.each(['in order', 'latest first'] as const)(
    'then tells all at once, %s: each mail is sent once',
    async (order) => {
      const shop = story();
      const send = held(undefined, 'Send');
      const delivery = held(undefined, 'Delivery');
      const users = await through(`backlog-${order.replaceAll(' ', '-')}`, send);
      for (const one of [send, delivery]) one.release(order);
      await shop.idle();
      for (const one of [send, delivery]) one.stop();
      await sends(`backlog-end-${order.replaceAll(' ', '-')}`);
      await shop.forward('1h');
      await expectOnce(users);
    },
  );

  it('then tells all over minutes, the oldest first: each mail is sent once', async () => {
    const shop = story();
    const send = held(undefined, 'Send');
    const delivery = held(undefined, 'Delivery');
    const users = await through('slow', send);
    delivery.stop();
    send.release('in order', 1);
    for (let minute = 0; minute < 30; minute++) {
      send.release('in order', 1);
      await shop.forward('1m');
    }
    send.stop();
    await sends('slow-end');
    await shop.forward('1h');
    await expectOnce(users);
  });

  it('then tells all over minutes, the latest first: each mail is sent once', async () => {
    const shop = story();
    const send = held(undefined, 'Send');
    const delivery = held(undefined, 'Delivery');
    const users = await through('upside-down', send);
    for (let minute = 0; minute < 10; minute++) {
      for (const one of [send, delivery]) one.release('latest first', 3);
      await shop.forward('1m');
    }
    for (const one of [send, delivery]) one.stop();
    await sends('upside-down-end');
    await shop.forward('1h');
    await expectOnce(users);
  });
});

describe('a worker that dies', () => {
  it('between the claim and the call leaves an open claim, which is sent once', async () => {
    const shop = story();
    const [struck] = await shop.during([{ at: 'SendEmail', kind: 'crash', times: 1 }], () => shop.send(asks('dies')));
    expect(struck).toBe(1);
    // The queue has delivered it again meanwhile: whoever took it met a claim.
    expect(await both('dies')).toEqual([0, 'claimed']);
    expect(await shop.messages({ user: 'dies' })).toMatchObject([{ attempts: 1 }]);
    await shop.forward('10m');
    await sends('dies-later');
    await shop.forward('45m');
    expect(await both('dies')).toEqual([1, 'sent']);
    expect(await shop.messages({ user: 'dies' })).toMatchObject([{ attempts: 2 }]);
  });

  it('again at the second call costs an attempt more, and the mail goes out once', async () => {
    const shop = story();
    const crash: Trouble = { at: 'SendEmail', kind: 'crash' };
    await sends('dies-twice', { ...crash, times: 1 });
    await shop.forward('10m');
    await sends('dies-twice-later');
    await shop.during([{ ...crash, times: 1 }], () => shop.forward('40m'));
    expect(await both('dies-twice')).toEqual([0, 'claimed']);
    await sends('dies-twice-latest');
    await shop.forward('1h');
    expect(await both('dies-twice')).toEqual([1, 'sent']);
    expect(await shop.messages({ user: 'dies-twice' })).toMatchObject([{ attempts: 3 }]);
  });
});

describe('a message that is claimed when sending is stopped', () => {
  it('and was taken is sent, for the Send event comes all the same', async () => {
    const shop = story();
    const late = held(1);
    await sends('stop-taken', answerLost);
    await shop.control({ stopped: true });
    late.stop();
    await shop.idle();
    expect(await both('stop-taken')).toEqual([1, 'sent']);
    await shop.control({ stopped: false });
    await shop.forward('1h');
    expect(await count('stop-taken')).toBe(1);
  });

  it('and was not taken waits until sending goes on, then goes out once', async () => {
    const shop = story();
    await sends('stop-open', callLost);
    await shop.forward('5m');
    await sends('stop-open-later');
    await shop.control({ stopped: true });
    await shop.forward('1h');
    // Proven unsent, so no claim any more; but nothing goes out under a stop.
    expect(await both('stop-open')).toEqual([0, 'ready']);
    await shop.forward('7h');
    expect(await both('stop-open')).toEqual([0, 'ready']);
    await shop.control({ stopped: false });
    await shop.forward('10m');
    expect(await both('stop-open')).toEqual([1, 'sent']);
    await shop.forward('1h');
    expect(await count('stop-open')).toBe(1);
  });
});

describe('a claim that is released is a message like any other:', () => {
  /** Marketing whose call was lost; a later claim shows it. */
  async function open(user: string, said: Said): Promise<string> {
    const shop = story();
    const email = await shop.customer(user, { timezone: 'Europe/Berlin' });
    await shop.forward('2d');
    await shop.during([callLost], () => shop.send(said));
    expect(await shop.messages({ user, state: 'claimed' })).toHaveLength(1);
    return email;
  }

  it('a consent withdrawn meanwhile drops it', async () => {
    const shop = story();
    const email = await open('left', { event: 'Sale Started', user: 'left' });
    await shop.send({ event: 'Consent Withdrawn', user: 'left', properties: { topic: 'offers' } });
    await shop.forward('10m');
    await sends('left-later');
    await shop.forward('1h');
    expect(await shop.mails(email, 'sale')).toEqual([]);
    expect(await shop.messages({ user: 'left', campaign: 'sale' })).toMatchObject([
      { state: 'dropped', reason: 'no consent', attempts: 1 },
    ]);
  });

  it('past its time it is dropped', async () => {
    const shop = story();
    const email = await open('stale', { event: 'Sale Started', user: 'stale' });
    await shop.forward('2h');
    await sends('stale-later');
    await shop.forward('1h');
    expect(await shop.mails(email, 'sale')).toEqual([]);
    expect(await shop.messages({ user: 'stale', campaign: 'sale' })).toMatchObject([
      { state: 'dropped', reason: 'expired' },
    ]);
  });

  it('a run that was stopped meanwhile drops it', async () => {
    const shop = story();
    const email = await shop.customer('stops', { timezone: 'Europe/Berlin' });
    await shop.forward('2d');
    const bought = shop.now();
    await shop.send({ event: 'Order Completed', user: 'stops', properties: order('stops-1', ['halden-one', 649]) });
    await shop.until(bought + 7 * DAY - MINUTE);
    await shop.during([callLost], () => shop.forward('3m'));
    expect(await shop.messages({ user: 'stops', campaign: 'cross-sell' })).toMatchObject([{ state: 'claimed' }]);
    await shop.send({ event: 'Order Refunded', user: 'stops', properties: { order_id: 'stops-1' } });
    await shop.forward('10m');
    await sends('stops-later');
    await shop.forward('1h');
    expect(await shop.mails(email, 'cross-sell')).toEqual([]);
    expect(await shop.messages({ user: 'stops', campaign: 'cross-sell' })).toMatchObject([{ state: 'dropped' }]);
  });
});

it('nothing of it died, and no claim stays open', async () => {
  const shop = story();
  await shop.forward('8h');
  expect(await shop.messages({ state: 'claimed' })).toEqual([]);
  expect(await shop.deadLetters()).toEqual([]);
});
