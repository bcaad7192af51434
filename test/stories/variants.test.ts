// Variants and tests: who gets what, a winner by clicks, and a test that honestly has none.
import { beforeAll, describe, expect, it } from 'vitest';
import { holdStage } from '../../cli/stage.ts';
import { readStatus } from '../../cli/status.ts';
import { sayTest } from '../../cli/status-screen.ts';
import type { Message } from '../../domain/message.ts';
import { aStory, MINUTE, type Story } from '../support/laptop.ts';

const SHARE = 85;
/** Two campaigns of one event, each with a test of two hours. */
const campaign = (email: string) => ({
  kind: 'marketing',
  aim: 'cross-sell',
  topic: 'offers',
  sender: 'main',
  when: { did: 'Workshop Booked' },
  again: 'every time',
  steps: [{ send: email, test: { variants: ['subject-a', 'subject-b'], share: SHARE, for: '2h', winner: 'clicked' } }],
});
const CLEAR = 'win-back';
const EVEN = 'vip-thank-you';

const story = aStory({
  overrides: { SEND_RATE: '1000' },
  ses: { maxSendRate: 1000 },
  change: (folder) => {
    for (const other of ['welcome', 'cross-sell', 'up-sell']) folder.remove(`campaigns/${other}.json`);
    folder.edit('settings.json', (settings) => Object.assign(settings, { caps: [{ most: 9, in: '1d' }] }));
    for (const email of [CLEAR, EVEN]) {
      for (const locale of ['en', 'de', 'pl']) {
        folder.edit(`emails/${email}/${locale}.json`, (texts) => {
          Object.assign(texts, { variants: { 'subject-a': { subject: 'One' }, 'subject-b': { subject: 'Two' } } });
        });
      }
      folder.write(`campaigns/${email}.json`, campaign(email));
    }
  },
});

const PEOPLE = Array.from({ length: 200 }, (_, n) => `reader-${n}`);
const sent = (shop: Story, campaign: string) => shop.messages({ campaign, state: 'sent' });
const ofTest = (messages: Message[]) => messages.filter(({ test }) => test !== undefined);
const by = (messages: Message[], variant: string) => messages.filter((message) => message.variant === variant);

/** So many of the people of a variant click. */
async function click(shop: Story, messages: Message[], many: number): Promise<void> {
  for (const { sesId } of messages.slice(0, many))
    shop.laptop.react(sesId!, { kind: 'click', link: 'https://shop.aurora-camera.example/' });
  await shop.idle();
}
/** Minute by minute; the lake's windows end as they do by themselves. */
async function minutes(shop: Story, many: number): Promise<void> {
  for (let minute = 0; minute < many; minute++) {
    await shop.laptop.idle();
    shop.sleepThrough('1m');
    await shop.timers();
  }
}
async function stateOf(shop: Story) {
  const { outputs, env } = shop.laptop;
  return readStatus(holdStage({ stage: 'laptop', outputs, env }, () => shop.now()));
}
const said = async (shop: Story) => (await stateOf(shop)).tests.map((test) => sayTest(test, shop.now())).sort();

/** The figures of the tests. */
const tried: Record<string, Record<string, { people: number; clicks: number }>> = {};
let start = 0;

beforeAll(async () => {
  const shop = story();
  await shop.send(
    ...PEOPLE.flatMap((user) => [
      { event: 'identify', user, email: `${user}@customers.example` },
      { event: 'Consent Granted', user, properties: { topic: 'offers', basis: 'double' } },
    ]),
  );
  await shop.forward('5m');
  start = shop.now();
  await shop.send(...PEOPLE.map((user) => ({ event: 'Workshop Booked', user, properties: { workshop: 'Light' } })));
  await minutes(shop, 2);
}, 240_000);

describe('given two tests with most of the people', () => {
  it('writes to their share at once, half by half, each with the texts of its variant; the rest waits', async () => {
    const shop = story();
    for (const name of [CLEAR, EVEN]) {
      const messages = await shop.messages({ campaign: name });
      expect(messages.every(({ state, test }) => state === 'sent' && test?.startsWith(`${name}@`))).toBe(true);
      expect(messages.length).toBeGreaterThan(PEOPLE.length / 2);
      expect(messages.length).toBeLessThan(PEOPLE.length);
      for (const [variant, subject] of [
        ['subject-a', 'One'],
        ['subject-b', 'Two'],
      ] as const) {
        const ids = new Set(by(messages, variant).map(({ id }) => id));
        expect(ids.size).toBeGreaterThan(50);
        const mails = (await shop.mails(undefined, name)).filter((mail) => ids.has(mail.tags['kairos-message']!));
        expect(mails.length).toBe(ids.size);
        expect(new Set(mails.map((mail) => mail.subject))).toEqual(new Set([subject]));
      }
    }
  });

  it('tells how the tests stand while they run', async () => {
    const shop = story();
    for (const [name, shares] of [
      [CLEAR, { 'subject-a': 0.1, 'subject-b': 0.5 }],
      [EVEN, { 'subject-a': 0.3, 'subject-b': 0.3 }],
    ] as const) {
      const messages = await sent(shop, name);
      for (const [variant, share] of Object.entries(shares)) {
        const own = by(messages, variant);
        const clicks = Math.round(own.length * share);
        await click(shop, own, clicks);
        tried[name] = { ...tried[name], [variant]: { people: own.length, clicks } };
      }
    }
    await minutes(shop, 2);
    const status = await stateOf(shop);
    expect(status.tests.map((test) => [test.campaign, test.decided])).toEqual(
      expect.arrayContaining([
        [CLEAR, undefined],
        [EVEN, undefined],
      ]),
    );
    for (const test of status.tests) {
      for (const { variant, people, events } of test.tried) {
        expect({ people, clicks: events }).toEqual(tried[test.campaign]![variant]);
      }
    }
    expect((await said(shop))[1]).toMatch(
      /^win-back: runs for \d+ min, 1 h 5\d min to go: subject-b \d+ of \d+ clicked/,
    );
    expect((await shop.controls()).tests).toBeUndefined();
  });

  it('names the winner when the time is over, and that another test has none; the rest is written to', async () => {
    const shop = story();
    await shop.until(start + 119 * MINUTE);
    expect((await shop.controls()).tests ?? {}).toEqual({});
    await shop.until(start + 125 * MINUTE);
    const { tests = {} } = await shop.controls();
    const winners = Object.fromEntries(Object.entries(tests).map(([key, { winner }]) => [key.split('@')[0], winner]));
    expect(winners).toEqual({ [CLEAR]: 'subject-b', [EVEN]: null });

    await shop.until(start + 150 * MINUTE);
    for (const name of [CLEAR, EVEN]) {
      const messages = await sent(shop, name);
      expect(messages).toHaveLength(PEOPLE.length);
      const rest = messages.filter(({ test }) => test === undefined);
      expect(rest.length).toBe(PEOPLE.length - ofTest(messages).length);
      const variants = new Set(rest.map(({ variant }) => variant));
      expect(variants).toEqual(new Set(name === CLEAR ? ['subject-b'] : ['subject-a', 'subject-b']));
      expect(Math.min(...rest.map(({ sentAt = 0 }) => sentAt))).toBeGreaterThanOrEqual(start + 120 * MINUTE);
    }
    const lines = await said(shop);
    expect(lines[0]).toMatch(/^vip-thank-you: no clear winner, \d+ min ago: subject-[ab] \d+ of \d+ clicked/);
    expect(lines[1]).toMatch(
      /^win-back: won by subject-b, \d+ min ago: subject-b \d+ of \d+ clicked \([\d.]+ %\), subject-a/,
    );
  });

  it('gives whoever comes later the winner at once, and counts nobody of them in the test', async () => {
    const shop = story();
    const before = await said(shop);
    await shop.customer('latecomer');
    await shop.forward('1m');
    await shop.send({ event: 'Workshop Booked', user: 'latecomer', properties: { workshop: 'Light' } });
    const [message] = await shop.messages({ user: 'latecomer', campaign: CLEAR });
    expect(message).toMatchObject({ state: 'sent', variant: 'subject-b' });
    expect(message?.test).toBeUndefined();
    await minutes(shop, 2);
    expect((await said(shop)).map((line) => line.replace(/\d+ min ago/, ''))).toEqual(
      before.map((line) => line.replace(/\d+ min ago/, '')),
    );
  });
});
