// The rate on the whole stack: SES says how much it takes, refuses more, and gets each mail once; a pause ends a burst.
import { describe, expect, it } from 'vitest';
import { pause } from '../../functions/aws/controls.ts';
import { aStory, type Said } from '../support/laptop.ts';

const story = aStory({ ses: { strict: true, maxSendRate: 10 } });

const people = (group: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${group}-${n}`);
/** Each is answered by one service mail at once. */
const asks = (user: string): Said => ({
  event: 'Consent Requested',
  user,
  email: `${user}@customers.example`,
  properties: { topic: 'news' },
});
const entries = (users: string[]) =>
  users.map((user) => ({
    Source: 'shop',
    DetailType: 'Consent Requested',
    Detail: JSON.stringify(story().envelope(asks(user))),
  }));
const mailsTo = async (users: string[]): Promise<number[]> => {
  const mails = await story().mails();
  return users.map((user) => mails.filter((mail) => mail.to.includes(`${user}@customers.example`)).length);
};
const once = (users: string[]): number[] => users.map(() => 1);

describe('a burst', () => {
  it('goes out at the rate that SES names: not faster, each mail once, and hardly one refused', async () => {
    const shop = story();
    await shop.timers();
    const users = people('burst', 80);
    const before = shop.laptop.ses.calls.length;
    await shop.send(...users.map(asks));
    await shop.forward('3m');
    expect(await mailsTo(users)).toEqual(once(users));
    const calls = shop.laptop.ses.calls.slice(before);
    // Refused is what a call met that took longer on its way than the end of a second is kept free.
    expect(calls.filter(({ outcome }) => outcome !== 'accepted').length).toBeLessThanOrEqual(4);
    const seconds = new Set(calls.map(({ at }) => Math.floor(at / 1000)));
    expect(seconds.size).toBeGreaterThanOrEqual(8);
    expect(await shop.deadLetters()).toEqual([]);
  }, 120_000);

  it('is ended by a pause within ten seconds; what waits goes out once when the campaign goes on', async () => {
    const shop = story();
    shop.laptop.ses.account.maxSendRate = 3;
    await shop.timers();
    const users = people('paused', 60);
    const before = shop.laptop.ses.calls.length;
    await shop.laptop.putEvents(entries(users));
    while (shop.laptop.ses.calls.length < before + 4) await new Promise((resolve) => setTimeout(resolve, 50));
    const at = shop.now();
    await pause(shop.table, 'confirm-subscription', { by: 'a story', at, why: 'a story' });
    await shop.idle();
    const last = shop.laptop.ses.calls.at(-1);
    expect((last?.at ?? 0) - at).toBeLessThan(10_000);
    const sent = (await mailsTo(users)).filter((count) => count === 1).length;
    expect(sent).toBeLessThan(users.length);
    expect(await shop.messages({ campaign: 'confirm-subscription', state: 'ready' })).toHaveLength(users.length - sent);
    await shop.forward('30m');
    expect((await mailsTo(users)).filter((count) => count === 1)).toHaveLength(sent);
    shop.laptop.ses.account.maxSendRate = 20;
    await shop.control({ paused: [] });
    await shop.forward('30m');
    expect(await mailsTo(users)).toEqual(once(users));
  }, 180_000);
});

it('nothing died, and nothing is left over', async () => {
  const shop = story();
  await shop.forward('1d');
  expect(await shop.deadLetters()).toEqual([]);
  expect(await shop.messages({ state: 'ready' })).toEqual([]);
  expect(await shop.messages({ state: 'claimed' })).toEqual([]);
});
