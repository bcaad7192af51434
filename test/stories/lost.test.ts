// What gets lost on the way: the due index heals it, and no mail goes out twice.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Trouble } from '../../local/laptop.ts';
import { aStory, asks, HOUR, MINUTE, order, type Story } from '../support/laptop.ts';

const story = aStory();
beforeEach(() => story().next());

const count = async (shop: Story, user: string) => (await shop.mails(`${user}@customers.example`)).length;
const state = async (shop: Story, user: string) => (await shop.messages({ user }))[0]?.state;

describe('a hand-off', () => {
  it.each<Trouble>([
    { at: 'invoke:hand-off', kind: 'lose' },
    { at: 'invoke:hand-off', kind: 'error' },
    { at: 'invoke:send-message', kind: 'lose' },
  ])('that is lost ($at: $kind) is healed by the due index after five minutes', async (trouble) => {
    const shop = story();
    const user = `heal-${trouble.kind}-${trouble.at.replace(':', '-')}`;
    const said = shop.now();
    const [struck] = await shop.during([trouble], () => shop.send(asks(user)));
    expect(struck).toBeGreaterThan(0);
    expect([await count(shop, user), await state(shop, user)]).toEqual([0, 'ready']);
    await shop.until(said + 4 * MINUTE);
    await shop.timers();
    expect(await count(shop, user)).toBe(0);
    await shop.until(said + 10 * MINUTE);
    expect([await count(shop, user), await state(shop, user)]).toEqual([1, 'sent']);
    await shop.until(said + 30 * MINUTE);
    expect(await count(shop, user)).toBe(1);
  });

  it.each<Trouble>([
    { at: 'invoke:hand-off', kind: 'repeat' },
    { at: 'invoke:hand-off', kind: 'drop', times: 2 },
    { at: 'invoke:send-message', kind: 'repeat' },
    { at: 'invoke:send-message', kind: 'drop', times: 2 },
    { at: 'invoke:record-interaction', kind: 'repeat' },
    { at: 'invoke:receive-feedback', kind: 'drop', times: 2 },
    { at: 'event:Send', kind: 'repeat' },
  ])('and all around it ($at: $kind) happens twice, and the mail goes out once', async (trouble) => {
    const shop = story();
    const user = `twice-${trouble.kind}-${trouble.at.replace(':', '-')}`.toLowerCase();
    const [struck] = await shop.during([trouble], () => shop.send(asks(user)));
    expect(struck).toBeGreaterThan(0);
    await shop.forward('20m');
    expect([await count(shop, user), await state(shop, user)]).toEqual([1, 'sent']);
  });

  it('of a tick is made up for at the next minute', async () => {
    const shop = story();
    const email = await shop.customer('tick');
    await shop.forward('2d');
    const bought = shop.now();
    await shop.send({ event: 'Order Completed', user: 'tick', properties: order('tick-1', ['halden-one', 649]) });
    const [struck] = await shop.during([{ at: 'invoke:walk-due', kind: 'lose', times: 2 }], () =>
      shop.until(bought + 7 * 24 * HOUR + MINUTE),
    );
    expect(struck).toBe(2);
    await shop.forward('2m');
    expect(await shop.mails(email, 'cross-sell')).toHaveLength(1);
  });
});

describe('a connection that breaks after SES has taken the mail', () => {
  it('is made good by the Send event: sent, and never again', async () => {
    const shop = story();
    const [struck] = await shop.during([{ at: 'SendEmail', kind: 'drop' }], () => shop.send(asks('broken')));
    // One attempt: the SDK does not post it again by itself.
    expect(struck).toBe(1);
    expect([await count(shop, 'broken'), await state(shop, 'broken')]).toEqual([1, 'sent']);
    await shop.send(asks('after-broken'));
    await shop.forward('7h');
    expect(await count(shop, 'broken')).toBe(1);
  });

  it('stays an open claim while the events are silent, is not sent again, and is uncertain after six hours', async () => {
    const shop = story();
    const said = shop.now();
    const silent: Trouble[] = ['Send', 'Delivery'].map((type) => ({ at: `event:${type}`, kind: 'lose' }));
    await shop.during([{ at: 'SendEmail', kind: 'drop' }, ...silent], () => shop.send(asks('silent')));
    expect([await count(shop, 'silent'), await state(shop, 'silent')]).toEqual([1, 'claimed']);
    // Others are sent, but of none of them there is news.
    await shop.during(silent, () => shop.send(asks('silent-too')));
    for (const hours of [1, 3, 5.9]) {
      await shop.until(said + hours * HOUR);
      expect([await count(shop, 'silent'), await state(shop, 'silent')]).toEqual([1, 'claimed']);
    }
    await shop.until(said + 6.2 * HOUR);
    expect(await shop.messages({ user: 'silent' })).toMatchObject([
      { state: 'uncertain', reason: 'no answer and no feedback', attempts: 1 },
    ]);
    await shop.send(asks('silent-later'));
    await shop.forward('1d');
    expect([await count(shop, 'silent'), await state(shop, 'silent')]).toEqual([1, 'uncertain']);
  });

  it('is settled by a Send event that comes days late', async () => {
    const shop = story();
    const late = shop.laptop.simulate({ at: 'event:Send', kind: 'delay' });
    const lost: Trouble[] = [
      { at: 'SendEmail', kind: 'drop' },
      { at: 'event:Delivery', kind: 'lose' },
    ];
    await shop.during(lost, () => shop.send(asks('late')));
    await shop.forward('7h');
    expect(await state(shop, 'late')).toBe('uncertain');
    late.stop();
    await shop.idle();
    expect([await count(shop, 'late'), await state(shop, 'late')]).toEqual([1, 'sent']);
  });
});

describe('a claim that SES never got', () => {
  it('is sent again once later claims have their Send events, and then exactly once', async () => {
    const shop = story();
    const said = shop.now();
    await shop.during([{ at: 'SendEmail', kind: 'error' }], () => shop.send(asks('unsent')));
    expect([await count(shop, 'unsent'), await state(shop, 'unsent')]).toEqual([0, 'claimed']);
    // Fifteen minutes alone prove nothing.
    await shop.until(said + 40 * MINUTE);
    expect([await count(shop, 'unsent'), await state(shop, 'unsent')]).toEqual([0, 'claimed']);
    await shop.send(asks('unsent-later'));
    await shop.until(said + 80 * MINUTE);
    expect([await count(shop, 'unsent'), await state(shop, 'unsent')]).toEqual([1, 'sent']);
    expect(await shop.messages({ user: 'unsent' })).toMatchObject([{ attempts: 2 }]);
    await shop.forward('7h');
    expect(await count(shop, 'unsent')).toBe(1);
  });

  it('waits where SES says that it is too much, and is not lost', async () => {
    const shop = story();
    await shop.during([{ at: 'SendEmail', kind: 'throttle' }], () => shop.send(asks('throttled')));
    expect([await count(shop, 'throttled'), await state(shop, 'throttled')]).toEqual([0, 'ready']);
    await shop.forward('2m');
    expect([await count(shop, 'throttled'), await state(shop, 'throttled')]).toEqual([1, 'sent']);
    await shop.during([{ at: 'SendEmail', kind: 'quota' }], () => shop.send(asks('quota')));
    const due = (await shop.messages({ user: 'quota' }))[0]?.due ?? 0;
    expect(due).toBeGreaterThan(shop.now() + 14 * MINUTE);
    await shop.forward('16m');
    expect(await count(shop, 'quota')).toBe(1);
  });
});

it('nothing of it died', async () => {
  expect(await story().deadLetters()).toEqual([]);
});
