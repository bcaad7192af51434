// When SES fails: what is sent, what waits, what an operator sees, and that all of it goes out once when it is mended.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { key } from '../../functions/aws/table.ts';
import type { SesAccount, Trouble } from '../../local/laptop.ts';
import { aStory, type Said, type Story } from '../support/laptop.ts';

const story = aStory({
  overrides: { AWS_LAMBDA_LOG_LEVEL: 'INFO' },
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
afterEach(async () => {
  const shop = story();
  shop.laptop.ses.heal();
  await shop.laptop.ses.online();
  // The guard reads that SES is well again.
  await shop.timers();
  await shop.control({ stopped: false });
});

const SENDER = 'mail.aurora-camera.example';
const address = (user: string) => `${user}@customers.example`;
/** A service mail, at once. */
const asks = (user: string): Said => ({
  event: 'Consent Requested',
  user,
  email: address(user),
  properties: { topic: 'news' },
});
/** A marketing mail that is worth nothing after two hours; the customer must be known for a day, because of the caps. */
const sale = (user: string): Said => ({ event: 'Sale Started', user });

const state = async (user: string) => {
  const messages = await story().messages({ user });
  return messages.at(-1)?.state;
};
const count = async (user: string) => (await story().mails(address(user))).length;
const both = async (user: string) => [await count(user), await state(user)];
const calls = () => story().laptop.ses.calls.length;

/** The lines of one name; none of the lines may tell of a person. */
function linesOf(lines: string[], name: string, ...people: string[]): string[] {
  for (const line of lines) {
    expect(line).not.toMatch(/@|\bAnn\b/);
    for (const user of people) expect(line).not.toContain(user);
  }
  return lines.filter((line) => line.includes(`"${name}"`));
}

/** Puts what waits for a person into the bulk lane. */
async function toBulk(shop: Story, user: string): Promise<void> {
  const [message] = await shop.messages({ user, state: 'ready' });
  const item = await shop.table.readOne(key.message(message!.contact, message!.id));
  await shop.table.replaceMessage(item!, { ...message!, lane: 'bulk' });
  await shop.idle();
}

interface Failure {
  name: string;
  account?: Partial<SesAccount>;
  trouble?: Trouble;
  why: string;
}
const denied = (type: string, message: string): Trouble => ({
  at: 'SendEmail',
  kind: 'refuse',
  answer: { type, message },
});

describe.each<Failure>([
  { name: 'the account is shut down', account: { enforcement: 'SHUTDOWN' }, why: 'AccountSuspendedException' },
  { name: 'the account may not send', account: { sendingEnabled: false }, why: 'SendingPausedException' },
  { name: 'the identity is not verified', account: { unverified: [SENDER] }, why: 'sender-not-verified' },
  { name: 'the configuration set is missing', account: { missingSets: ['<ours>'] }, why: 'NotFoundException' },
  { name: 'access is denied', trouble: { at: 'SendEmail', kind: 'denied' }, why: 'AccessDeniedException' },
  {
    name: 'the domain of MAIL FROM is not verified',
    trouble: denied('MailFromDomainNotVerifiedException', 'The MAIL FROM domain is not verified.'),
    why: 'MailFromDomainNotVerifiedException',
  },
  {
    // As SES words it where the account was paused for its reputation.
    name: 'the account was paused for its reputation',
    trouble: denied(
      'MessageRejected',
      'Sending paused for this account. For more information, please check the inbox.',
    ),
    why: 'sending-paused',
  },
])('when $name', ({ name, account, trouble, why }) => {
  it('sending stops with the reason, what waits is parked, and all that is due goes out once when it is mended', async () => {
    const shop = story();
    const id = name.replaceAll(/[^a-z]+/gi, '-').toLowerCase();
    const [first, second, late] = [`one-${id}`, `two-${id}`, `late-${id}`];
    await shop.customer(late, { timezone: 'Europe/Berlin' });
    await shop.forward('2d');
    expect(await count(late)).toBe(1);
    const logged = shop.listen();
    if (account !== undefined) {
      const missingSets = account.missingSets?.map(() => shop.output('ConfigurationSetName'));
      Object.assign(shop.laptop.ses.account, account, missingSets === undefined ? {} : { missingSets });
    }
    const running = trouble === undefined ? undefined : shop.laptop.simulate(trouble);
    const before = calls();
    try {
      await shop.send(asks(first));
      expect(calls() - before).toBe(1);
      expect((await shop.controls()).stopped).toMatchObject({ by: 'send-message', why });
      await shop.send(asks(second), sale(late));
      await shop.customer(`${second}-marketing`);
      await shop.forward('3h');
      expect(calls() - before).toBe(1);
      for (const user of [first, second, late, `${second}-marketing`])
        expect([user, await state(user)]).toEqual([user, 'ready']);
      const lines = linesOf(logged(), 'send.stopped', first, second, late);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(`"reason":"${why}"`);
    } finally {
      running?.stop();
      shop.laptop.ses.heal();
    }
    // Mended, but nobody has said so.
    await shop.forward('10m');
    expect(calls() - before).toBe(1);
    await shop.control({ stopped: false });
    await shop.forward('30m');
    for (const user of [first, second, `${second}-marketing`])
      expect([user, ...(await both(user))]).toEqual([user, 1, 'sent']);
    expect(await shop.messages({ user: late })).toMatchObject([
      { state: 'sent' },
      { campaign: 'sale', state: 'dropped', reason: 'expired' },
    ]);
    expect(await count(late)).toBe(1);
    await shop.forward('7h');
    for (const user of [first, second]) expect(await count(user)).toBe(1);
  });
});

describe('the guard', () => {
  it.each<[string, Partial<SesAccount>, string]>([
    ['shut down', { enforcement: 'SHUTDOWN' }, 'account shut down'],
    ['not allowed to send', { sendingEnabled: false }, 'account may not send'],
  ])('stops all sending within a minute where the account is %s, before any mail tries', async (name, account, why) => {
    const shop = story();
    const user = `guard-${name.replaceAll(' ', '-')}`;
    const logged = shop.listen();
    Object.assign(shop.laptop.ses.account, account);
    const before = calls();
    await shop.timers();
    expect((await shop.controls()).stopped).toMatchObject({ by: 'guard-sending', why });
    await shop.send(asks(user));
    await shop.forward('20m');
    expect([calls() - before, await state(user)]).toEqual([0, 'ready']);
    expect(linesOf(logged(), 'guard.state', user).at(-1)).toContain('"stopped":1');
    // Lifted too early, it comes back.
    await shop.control({ stopped: false });
    await shop.timers();
    expect((await shop.controls()).stopped).toMatchObject({ by: 'guard-sending', why });
    shop.laptop.ses.heal();
    await shop.timers();
    await shop.control({ stopped: false });
    await shop.forward('40m');
    expect(await both(user)).toEqual([1, 'sent']);
  });

  it('that may not ask SES says so, leaves what it knew, and sending goes on', async () => {
    const shop = story();
    await shop.timers();
    const known = await shop.table.readOne(key.account());
    expect(known).toMatchObject({ maxRate: 500, production: true, enforcement: 'HEALTHY' });
    const logged = shop.listen();
    const [struck] = await shop.during([{ at: 'GetAccount', kind: 'denied' }], async () => {
      shop.laptop.ses.account.maxSendRate = 7;
      await shop.send(asks('unasked'));
      await shop.forward('1m');
      await shop.timers();
    });
    expect(struck).toBeGreaterThan(0);
    expect(linesOf(logged(), 'account.unreadable', 'unasked').at(0)).toContain('AccessDeniedException');
    expect(await shop.table.readOne(key.account())).toMatchObject({ maxRate: 500, at: known!.at });
    expect((await shop.controls()).stopped).toBeUndefined();
    expect(await both('unasked')).toEqual([1, 'sent']);
    await shop.timers();
    expect(await shop.table.readOne(key.account())).toMatchObject({ maxRate: 7 });
  });
});

describe('when the account is under review', () => {
  it('bulk waits, triggered mail goes on, and bulk goes out once when the review has ended', async () => {
    const shop = story();
    const logged = shop.listen();
    await shop.control({ stopped: true });
    const users = ['bulk-0', 'bulk-1', 'bulk-2'];
    await shop.send(...users.map(asks), asks('triggered'));
    for (const user of users) await toBulk(shop, user);
    shop.laptop.ses.account.enforcement = 'PROBATION';
    await shop.timers();
    await shop.control({ stopped: false });
    await shop.forward('40m');
    expect(await both('triggered')).toEqual([1, 'sent']);
    for (const user of users) expect([user, ...(await both(user))]).toEqual([user, 0, 'ready']);
    expect((await shop.controls()).stopped).toBeUndefined();
    expect(linesOf(logged(), 'guard.state', ...users).at(-1)).toMatch(/"stopped":0.*"underReview":1/);
    shop.laptop.ses.heal();
    await shop.timers();
    await shop.forward('40m');
    for (const user of users) expect([user, ...(await both(user))]).toEqual([user, 1, 'sent']);
  });
});

describe('in the sandbox', () => {
  it('unverified recipients fail with "sandbox", verified ones arrive, and publishing goes on', async () => {
    const shop = story();
    const logged = shop.listen();
    Object.assign(shop.laptop.ses.account, { production: false, verified: [address('known')], maxSendRate: 1 });
    await shop.timers();
    await shop.send(asks('known'), asks('stranger'));
    await shop.forward('2m');
    expect([await both('known'), await both('stranger')]).toEqual([
      [1, 'sent'],
      [0, 'failed'],
    ]);
    expect(await shop.messages({ user: 'stranger' })).toMatchObject([{ reason: 'sandbox', attempts: 1 }]);
    expect((await shop.controls()).stopped).toBeUndefined();
    const lines = linesOf(logged(), 'send.refused', 'known', 'stranger');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('"reason":"sandbox"');
    await expect(shop.publish()).resolves.toBeDefined();
    await shop.send(asks('stranger-too'));
    expect(await state('stranger-too')).toBe('failed');
    // Out of the sandbox: what failed has failed; what comes is sent.
    shop.laptop.ses.heal();
    await shop.send(asks('later'));
    await shop.forward('1d');
    expect([await both('stranger'), await both('later')]).toEqual([
      [0, 'failed'],
      [1, 'sent'],
    ]);
  });
});

describe('when the region is out of reach', () => {
  it('nothing is lost and nothing goes out twice: what was refused waits, open claims are settled', async () => {
    const shop = story();
    const users = Array.from({ length: 8 }, (_, at) => `region-${at}`);
    await shop.timers();
    const known = await shop.table.readOne(key.account());
    const logged = shop.listen();
    const before = calls();
    await shop.laptop.ses.offline();
    await shop.send(...users.map(asks));
    await shop.forward('30m');
    for (const user of users) expect(['ready', 'claimed']).toContain(await state(user));
    // No stop: it mends itself.
    expect((await shop.controls()).stopped).toBeUndefined();
    expect(linesOf(logged(), 'account.unreadable', ...users).length).toBeGreaterThan(0);
    expect(await shop.table.readOne(key.account())).toEqual(known);
    expect(linesOf(logged(), 'send.later').at(0)).toContain('ECONNREFUSED');
    await shop.laptop.ses.online();
    expect(calls()).toBe(before);
    await shop.forward('10m');
    await shop.send(asks('region-later'));
    await shop.forward('1h');
    for (const user of [...users, 'region-later']) expect([user, ...(await both(user))]).toEqual([user, 1, 'sent']);
    await shop.forward('7h');
    expect(await Promise.all(users.map(count))).toEqual(users.map(() => 1));
  });

  it.each<[Trouble['kind'], string]>([
    ['reset', 'a connection that breaks'],
    ['error', 'an answer of 500'],
    ['hang', 'no answer at all'],
  ])(
    '%s: %s leaves open claims, which are settled when it is back',
    async (kind) => {
      const shop = story();
      const users = Array.from({ length: 5 }, (_, at) => `${kind}-${at}`);
      const logged = shop.listen();
      const [struck] = await shop.during([{ at: 'SendEmail', kind }], () => shop.send(...users.map(asks)));
      // One attempt each: a second post could be a second mail.
      expect(struck).toBe(users.length);
      for (const user of users) expect([user, ...(await both(user))]).toEqual([user, 0, 'claimed']);
      expect(linesOf(logged(), 'send.unknown', ...users)).toHaveLength(users.length);
      expect((await shop.controls()).stopped).toBeUndefined();
      await shop.forward('10m');
      await shop.send(asks(`${kind}-later`));
      await shop.forward('50m');
      for (const user of [...users, `${kind}-later`]) expect([user, ...(await both(user))]).toEqual([user, 1, 'sent']);
      await shop.forward('7h');
      expect(await Promise.all(users.map(count))).toEqual(users.map(() => 1));
    },
    60_000,
  );
});

describe('when SES says that it is too much', () => {
  const burst = (group: string) => Array.from({ length: 12 }, (_, at) => `${group}-${at}`);

  it('a second: it is waited out in the index, and once the rate is known nothing is refused any more', async () => {
    const shop = story();
    const logged = shop.listen();
    Object.assign(shop.laptop.ses.account, { strict: true, maxSendRate: 2 });
    const before = calls();
    const early = burst('throttled');
    await shop.send(...early.map(asks));
    const outcomes = () => shop.laptop.ses.calls.slice(before).map(({ outcome }) => outcome);
    expect(outcomes()).toContain('TooManyRequestsException');
    expect((await shop.controls()).stopped).toBeUndefined();
    expect(linesOf(logged(), 'send.later', ...early).at(0)).toContain('TooManyRequestsException');
    await shop.timers();
    const known = calls();
    await shop.forward('10m');
    for (const user of early) expect([user, ...(await both(user))]).toEqual([user, 1, 'sent']);
    const later = burst('known');
    await shop.send(...later.map(asks));
    await shop.forward('10m');
    for (const user of later) expect([user, ...(await both(user))]).toEqual([user, 1, 'sent']);
    expect(new Set(shop.laptop.ses.calls.slice(known).map(({ outcome }) => outcome))).toEqual(new Set(['accepted']));
    const seconds = new Map<number, number>();
    for (const { at } of shop.laptop.ses.calls.slice(known)) {
      const second = Math.floor(at / 1000);
      seconds.set(second, (seconds.get(second) ?? 0) + 1);
    }
    expect(Math.max(...seconds.values())).toBeLessThanOrEqual(2);
  }, 120_000);

  it('a day: what is over the quota waits until there is room, without a stop', async () => {
    const shop = story();
    await shop.forward('2d');
    const logged = shop.listen();
    Object.assign(shop.laptop.ses.account, { strict: true, max24HourSend: 5 });
    const users = burst('quota');
    await shop.send(...users.map(asks));
    const sent = async () => {
      const states = await Promise.all(users.map(state));
      return [states.filter((one) => one === 'sent').length, states.filter((one) => one === 'ready').length];
    };
    expect(await sent()).toEqual([5, 7]);
    expect(linesOf(logged(), 'send.later', ...users).at(0)).toContain('TooManyRequestsException');
    const after = calls();
    await shop.forward('10m');
    expect([await sent(), calls() - after]).toEqual([[5, 7], 0]);
    await shop.forward('20h');
    expect(await sent()).toEqual([5, 7]);
    expect((await shop.controls()).stopped).toBeUndefined();
    await shop.forward('5h');
    expect(await sent()).toEqual([10, 2]);
    shop.laptop.ses.heal();
    await shop.forward('1h');
    expect(await sent()).toEqual([12, 0]);
    expect(await Promise.all(users.map(count))).toEqual(users.map(() => 1));
  }, 60_000);
});

it('nothing of it died, and nothing waits for ever', async () => {
  const shop = story();
  await shop.forward('8h');
  expect(await shop.deadLetters()).toEqual([]);
  expect(await shop.messages({ state: 'claimed' })).toEqual([]);
  expect(await shop.messages({ state: 'uncertain' })).toEqual([]);
});
