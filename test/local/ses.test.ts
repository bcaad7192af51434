// The laptop's SES, spoken to by the AWS SDK: its limits, the states of its account, and what recipients do.
import {
  GetAccountCommand,
  GetConfigurationSetCommand,
  GetEmailIdentityCommand,
  PutAccountSendingAttributesCommand,
  PutConfigurationSetSendingOptionsCommand,
  SESv2Client,
  SendEmailCommand,
} from '@aws-sdk/client-sesv2';
import { PurgeQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Happening, Laptop } from '../../local/laptop.ts';
import { startLaptop } from '../../local/laptop.ts';
import { Account } from '../../local/ses-account.ts';
import { assets, smallStack } from './small-stack.ts';

const START = Date.UTC(2026, 0, 5, 9);
const SET = 'small-set';
const TRACKED = 'small-tracked';

let laptop: Laptop;
let client: SESv2Client;
const kept = { ...process.env };

beforeAll(async () => {
  laptop = await startLaptop({ template: smallStack(), assets, start: START, quiet: true });
  Object.assign(process.env, laptop.env);
  client = new SESv2Client({ maxAttempts: 1, requestHandler: { requestTimeout: 300, throwOnRequestTimeout: true } });
}, 30_000);
afterAll(async () => {
  process.env = kept;
  await laptop?.close();
});

const feedbackUrl = () => laptop.outputs.QueueUrl!.replace('small-queue', 'small-feedback');
beforeEach(async () => {
  laptop.ses.heal();
  await laptop.idle();
  await new SQSClient({}).send(new PurgeQueueCommand({ QueueUrl: feedbackUrl() }));
  await laptop.mailbox.clear();
});

const send = (to: string, ConfigurationSetName: string | undefined = SET, from = '"Shop" <shop@shop.example>') =>
  client.send(
    new SendEmailCommand({
      FromEmailAddress: from,
      Destination: { ToAddresses: [to] },
      ConfigurationSetName,
      EmailTags: [{ Name: 'message', Value: 'm-1' }],
      Content: { Simple: { Subject: { Data: 'Hello' }, Body: { Text: { Data: 'Hi' } } } },
    }),
  );
const account = () => client.send(new GetAccountCommand({}));

interface SesEvent {
  'detail-type': string;
  detail: { eventType: string } & Record<string, Record<string, unknown>>;
}
async function told(): Promise<SesEvent[]> {
  await laptop.idle();
  const { Messages = [] } = await new SQSClient({}).send(
    new ReceiveMessageCommand({ QueueUrl: feedbackUrl(), MaxNumberOfMessages: 10 }),
  );
  return Messages.map(({ Body }) => JSON.parse(Body!) as SesEvent);
}
const types = async () => (await told()).map(({ detail }) => detail.eventType);

describe('the limits of SES', () => {
  it('are told, and not enforced unless a story asks for it', async () => {
    laptop.ses.account.maxSendRate = 1;
    laptop.ses.account.max24HourSend = 1;
    for (const _ of 'abc') await send('ann@shop.example');
    expect((await account()).SendQuota).toMatchObject({ MaxSendRate: 1, Max24HourSend: 1 });
    expect(laptop.mailbox.count()).toBe(3);
  });

  it('refuse what is over the rate of a calendar second, which the next one lets through', () => {
    const clock = { at: 999_000 };
    const own = new Account(() => clock.at, { strict: true, maxSendRate: 3 });
    const sends = () => {
      own.arrive();
      own.check('shop@shop.example', ['ann@shop.example']);
      own.accept(1);
    };
    for (const at of [1_000_100, 1_000_200, 1_000_999]) {
      clock.at = at;
      sends();
    }
    expect(sends).toThrow('Maximum sending rate exceeded.');
    clock.at = 1_001_000;
    sends();
    own.state.strict = false;
    for (const _ of 'abcde') sends();
  });

  it('let no more through in any second, and every call is counted by both clocks', async () => {
    Object.assign(laptop.ses.account, { strict: true, maxSendRate: 3 });
    laptop.clock.moveTo(laptop.clock.now() + 1000);
    const from = laptop.ses.calls.length;
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => send('ann@shop.example')));
    const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as Error] : []));
    for (const { name, message } of refused) {
      expect(`${name}: ${message}`).toBe('TooManyRequestsException: Maximum sending rate exceeded.');
    }
    const calls = laptop.ses.calls.slice(from);
    expect(calls.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(20 - refused.length);
    for (const [, own] of Map.groupBy(calls, ({ at }) => Math.floor(at / 1000))) {
      const accepted = own.filter(({ outcome }) => outcome === 'accepted').length;
      expect(accepted).toBe(Math.min(3, own.length));
    }
    for (const clock of ['laptop', 'real'] as const) {
      const counted = [...laptop.ses.perSecond(clock).values()].reduce((sum, each) => sum + each, 0);
      expect(counted).toBe(laptop.ses.calls.length);
    }
  });

  it('refuse what is over the daily quota, until a day has gone by', async () => {
    laptop.clock.moveTo(laptop.clock.now() + 86_400_000);
    Object.assign(laptop.ses.account, { strict: true, max24HourSend: 2 });
    await send('ann@shop.example');
    await send('ann@shop.example');
    await expect(send('ann@shop.example')).rejects.toMatchObject({
      name: 'TooManyRequestsException',
      message: 'Daily message quota exceeded.',
    });
    expect((await account()).SendQuota?.SentLast24Hours).toBe(2);
    laptop.clock.moveTo(laptop.clock.now() + 86_400_000);
    await send('ann@shop.example');
  });
});

describe('the account', () => {
  it('under review sends on, and says so', async () => {
    laptop.ses.account.enforcement = 'PROBATION';
    await send('ann@shop.example');
    expect(await account()).toMatchObject({ EnforcementStatus: 'PROBATION', SendingEnabled: true });
  });

  it('that was shut down sends nothing', async () => {
    laptop.ses.account.enforcement = 'SHUTDOWN';
    await expect(send('ann@shop.example')).rejects.toMatchObject({ name: 'AccountSuspendedException' });
    expect(await account()).toMatchObject({ EnforcementStatus: 'SHUTDOWN', SendingEnabled: false });
    laptop.ses.heal();
    await send('ann@shop.example');
  });

  it('and a configuration set can be paused by their own calls', async () => {
    await client.send(new PutAccountSendingAttributesCommand({ SendingEnabled: false }));
    await expect(send('ann@shop.example')).rejects.toMatchObject({ name: 'SendingPausedException' });
    await client.send(new PutAccountSendingAttributesCommand({ SendingEnabled: true }));
    const pause = (SendingEnabled: boolean) =>
      client.send(new PutConfigurationSetSendingOptionsCommand({ ConfigurationSetName: SET, SendingEnabled }));
    await pause(false);
    await expect(send('ann@shop.example')).rejects.toMatchObject({ name: 'SendingPausedException' });
    expect(
      (await client.send(new GetConfigurationSetCommand({ ConfigurationSetName: SET }))).SendingOptions,
    ).toMatchObject({ SendingEnabled: false });
    await send('ann@shop.example', TRACKED);
    await pause(true);
    await send('ann@shop.example');
  });

  it('in the sandbox refuses recipients who are not verified, and names them', async () => {
    Object.assign(laptop.ses.account, { production: false, verified: ['ann@shop.example', 'ours.example'] });
    await send('Ann <ANN@shop.example>');
    await send('bob@mail.ours.example');
    await send('success@simulator.amazonses.com');
    await expect(send('bob@shop.example')).rejects.toMatchObject({
      name: 'MessageRejected',
      message:
        'Email address is not verified. The following identities failed the check in region US-EAST-1: bob@shop.example',
    });
    expect((await account()).ProductionAccessEnabled).toBe(false);
  });

  it('without its identity refuses the sender', async () => {
    laptop.ses.account.unverified = ['shop.example'];
    await expect(send('bob@other.example')).rejects.toMatchObject({
      name: 'MessageRejected',
      message: expect.stringMatching(/not verified.*: "Shop" <shop@shop\.example>$/) as string,
    });
    await send('bob@other.example', SET, 'hello@other.example');
    const identity = (EmailIdentity: string) => client.send(new GetEmailIdentityCommand({ EmailIdentity }));
    expect((await identity('shop.example')).VerifiedForSendingStatus).toBe(false);
    expect((await identity('other.example')).VerifiedForSendingStatus).toBe(true);
  });

  it('without the configuration set does not know it', async () => {
    laptop.ses.account.missingSets = [SET];
    await expect(send('ann@shop.example')).rejects.toMatchObject({ name: 'NotFoundException' });
    await send('ann@shop.example', TRACKED);
  });
});

describe('a call', () => {
  it.each(['SendEmail', 'GetAccount'])('%s can be denied', async (at) => {
    const trouble = laptop.simulate({ at, kind: 'denied' });
    await expect(at === 'SendEmail' ? send('ann@shop.example') : account()).rejects.toMatchObject({
      name: 'AccessDeniedException',
      $metadata: { httpStatusCode: 403 },
    });
    await (at === 'SendEmail' ? account() : send('ann@shop.example'));
    expect(trouble.struck()).toBe(1);
    trouble.stop();
  });

  it.each([
    ['reset', 'ECONNRESET'],
    ['hang', 'TimeoutError'],
  ] as const)('can %s without being done', async (kind, what) => {
    const trouble = laptop.simulate({ at: 'SendEmail', kind, times: 1 });
    const error = await send('ann@shop.example').then(
      () => undefined,
      (reason: Error & { code?: string }) => reason,
    );
    trouble.stop();
    expect([error?.code, error?.name]).toContain(what);
    expect(laptop.mailbox.count()).toBe(0);
    expect(laptop.ses.calls.at(-1)?.outcome).toBe(kind);
    await laptop.idle();
  });

  it('can be refused by any name', async () => {
    const answer = { type: 'LimitExceededException', message: 'Too much.', status: 400 };
    const trouble = laptop.simulate({ at: 'SendEmail', kind: 'refuse', answer });
    await expect(send('ann@shop.example')).rejects.toMatchObject({ name: answer.type, message: answer.message });
    trouble.stop();
  });

  it('finds nobody while the region is out of reach; all else goes on', async () => {
    await laptop.ses.offline();
    try {
      // A connection that was open breaks; a new one is refused.
      const fresh = new SESv2Client({ maxAttempts: 1 });
      await expect(fresh.send(new GetAccountCommand({}))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await expect(send('ann@shop.example')).rejects.toThrow();
      await laptop.putEvents([{ Source: 'shop', DetailType: 'x', Detail: {} }]);
      await laptop.idle();
      expect(laptop.mailbox.count()).toBe(0);
    } finally {
      await laptop.ses.online();
    }
    await send('ann@shop.example');
    expect(laptop.mailbox.count()).toBe(1);
  });
});

describe('recipients', () => {
  const soft = (subType: string): Happening => ({ kind: 'bounce', type: 'Transient', subType });

  it.each<[Happening, string[], object]>([
    [soft('MailboxFull'), ['Send', 'Bounce'], { bounceType: 'Transient', bounceSubType: 'MailboxFull' }],
    [soft('ContentRejected'), ['Send', 'Bounce'], { bounceType: 'Transient', bounceSubType: 'ContentRejected' }],
    [
      { kind: 'bounce', type: 'Undetermined', subType: 'Undetermined' },
      ['Send', 'Bounce'],
      { bounceType: 'Undetermined' },
    ],
    [{ kind: 'bounce' }, ['Send', 'Bounce'], { bounceType: 'Permanent', bounceSubType: 'General' }],
    [{ kind: 'complain' }, ['Send', 'Delivery', 'Complaint'], { complaintFeedbackType: 'abuse' }],
    [{ kind: 'delay' }, ['Send', 'DeliveryDelay'], { delayType: 'TransientCommunicationFailure' }],
    [{ kind: 'reject' }, ['Send', 'Reject'], { reason: 'Bad content' }],
    [{ kind: 'rendering-failure' }, ['Rendering Failure'], { templateName: 'laptop' }],
  ])('%o', async (does, expected, part) => {
    const rule = laptop.recipients({ to: '@gmail.com', does });
    await send('ann@gmail.com');
    const events = await told();
    expect(events.map(({ detail }) => detail.eventType)).toEqual(expected);
    const { eventType: _, mail: __, ...rest } = events.at(-1)!.detail;
    expect(Object.values(rest)).toMatchObject([part]);
    await send('ann@shop.example');
    expect(await types()).toEqual(['Send', 'Delivery']);
    expect(rule.met()).toBe(1);
    rule.stop();
  });

  it('of every so manyth mail; a later rule goes before an earlier one', async () => {
    const all = laptop.recipients({ to: /@gmail\.com$/, does: { kind: 'delay' } });
    const third = laptop.recipients({ to: '@gmail.com', does: { kind: 'complain' }, every: 3 });
    for (let mail = 0; mail < 7; mail++) await send(`ann-${mail}@gmail.com`);
    expect((await laptop.mailbox.list()).map(({ outcome }) => outcome)).toEqual([
      'delayed',
      'delayed',
      'complained',
      'delayed',
      'delayed',
      'complained',
      'delayed',
    ]);
    expect([all.met(), third.met()]).toEqual([5, 2]);
    all.stop();
    third.stop();
  });

  it('open and click; their machines leave a mark; the set tells of what it publishes only', async () => {
    const quiet = await send('ann@shop.example');
    const tracked = await send('ann@shop.example', TRACKED);
    expect(await types()).toHaveLength(4);
    expect(laptop.react(quiet.MessageId!, { kind: 'open' })).toBe(false);
    expect(laptop.react(tracked.MessageId!, { kind: 'open', marks: { isAutomated: true } })).toBe(true);
    expect(laptop.react(quiet.MessageId!, { kind: 'click', link: 'https://shop.example/' })).toBe(true);
    expect(laptop.react('stranger', { kind: 'open' })).toBe(false);
    const [open, click] = await told();
    expect(open!.detail.open).toMatchObject({ isAutomated: true });
    expect(click!.detail.click).toMatchObject({ link: 'https://shop.example/' });
  });

  it('complain days later', async () => {
    const { MessageId } = await send('ann@shop.example');
    await types();
    laptop.clock.moveTo(laptop.clock.now() + 3 * 86_400_000);
    expect(laptop.react(MessageId!, { kind: 'complain' })).toBe(true);
    const [complaint] = await told();
    const { mail } = complaint!.detail;
    expect(
      Date.parse(complaint!.detail.complaint!.timestamp as string) - Date.parse(mail!.timestamp as string),
    ).toBeGreaterThanOrEqual(3 * 86_400_000);
  });
});

describe('the events of SES', () => {
  it('come as often as a trouble says, and what was held back comes the latest first', async () => {
    const repeated = laptop.simulate({ at: 'event:Send', kind: 'repeat', copies: 8 });
    await send('ann@shop.example');
    repeated.stop();
    expect((await types()).filter((type) => type === 'Send')).toHaveLength(8);
    const late = laptop.simulate({ at: 'event:Send', kind: 'delay' });
    for (const name of ['a', 'b', 'c']) await send(`${name}@shop.example`);
    await types();
    late.release('latest first');
    const sends = (await told()).filter(({ detail }) => detail.eventType === 'Send');
    expect(sends.map(({ detail }) => (detail.mail!.destination as string[])[0])).toEqual([
      'c@shop.example',
      'b@shop.example',
      'a@shop.example',
    ]);
    late.stop();
  });
});
