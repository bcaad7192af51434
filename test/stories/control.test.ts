// An operator's hands on the laptop: pause, stop, cancel, resend and the dead letters, each seen in what goes out.
import { SESv2Client, SendEmailCommand } from '@aws-sdk/client-sesv2';
import { beforeEach, describe, expect, it } from 'vitest';
import { pauseCampaign, resumeCampaign, startSending, stopSending } from '../../cli/control.ts';
import { dropLetters, listLetters, readLetters, redrive } from '../../cli/letters.ts';
import { cancel, listMessages, resend } from '../../cli/messages.ts';
import { clientConfig } from '../../cli/publish.ts';
import { holdStage, type Stage } from '../../cli/stage.ts';
import type { BusEvent } from '../../functions/aws/bus.ts';
import { lastActions } from '../../functions/aws/controls.ts';
import { key } from '../../functions/aws/table.ts';
import type { Trouble } from '../../local/laptop.ts';
import { aStory, asks, MINUTE, type Story } from '../support/laptop.ts';

const story = aStory({ overrides: { SEND_RATE: '8' } });

/** The stage as the CLI holds it, under a name that the tests know. */
function held(shop: Story): Stage {
  const { outputs, env } = shop.laptop;
  const stage = holdStage({ stage: 'laptop', outputs, env }, () => shop.now());
  const bus = {
    put: (events: BusEvent[]) => {
      told.push(...events);
      return stage.bus.put(events);
    },
  };
  return { ...stage, bus, who: async () => 'ops', say: () => {}, warn: () => {} };
}
/** What was said on the bus. */
const told: BusEvent[] = [];

const CONFIRMS = 'confirm-subscription';
const people = (name: string, many: number): string[] => Array.from({ length: many }, (_, at) => `${name}-${at}`);

const mailsTo = async (shop: Story, users: string[]) => {
  const wanted = new Set(users.map((user) => `${user}@customers.example`));
  return (await shop.mails()).filter((mail) => wanted.has(mail.to[0]!));
};
const acts = async (shop: Story, most: number) =>
  (await lastActions(shop.table, most)).map(({ what, to, by, why }) => ({ what, to, by, why }));

/** Lets troubles hold while something is done. */
async function during<T>(shop: Story, troubles: Trouble[], what: () => Promise<T>): Promise<T> {
  const running = troubles.map((trouble) => shop.laptop.simulate(trouble));
  try {
    return await what();
  } finally {
    for (const one of running) one.stop();
  }
}

/** Runs the timers minute by minute, so that what is due goes out at its rate. */
async function minutes(shop: Story, many: number): Promise<void> {
  await shop.idle();
  for (let minute = 0; minute < many; minute++) {
    shop.sleepThrough('1m');
    await shop.timers();
  }
}

beforeEach(() => story().next());

describe('a campaign that is paused while a burst of it goes out', () => {
  it('sends nothing later than ten seconds afterwards, keeps what waits, and sends it once when it is resumed', async () => {
    const shop = story();
    const stage = held(shop);
    const users = people('burst', 60);
    await shop.laptop.putEvents(
      users.map((user) => ({
        Source: 'shop',
        DetailType: 'Consent Requested',
        Detail: JSON.stringify(shop.envelope(asks(user))),
      })),
    );
    while (shop.laptop.mailbox.count() < 5) await new Promise((resolve) => setTimeout(resolve, 20));
    const done = await pauseCampaign(stage, CONFIRMS, 'wrong greeting');
    expect(done).toMatchObject({ changed: true, paused: { by: 'ops', why: 'wrong greeting' } });
    const pausedAt = shop.now();
    await shop.idle();
    await minutes(shop, 20);
    const before = await mailsTo(shop, users);
    expect(before.length).toBeLessThan(users.length);
    expect(before.filter(({ at }) => at > pausedAt + 10_000)).toEqual([]);
    const waiting = await shop.messages({ campaign: CONFIRMS, state: 'ready' });
    expect(waiting).toHaveLength(users.length - before.length);

    const resumed = await resumeCampaign(stage, CONFIRMS, 'mended');
    expect(resumed).toMatchObject({
      changed: true,
      was: { why: 'wrong greeting' },
      waiting: { now: waiting.length, later: 0, expired: 0, all: true },
    });
    await minutes(shop, 20);
    const to = (await mailsTo(shop, users)).map((mail) => mail.to[0]);
    expect(to).toHaveLength(users.length);
    expect(new Set(to).size).toBe(users.length);
    expect(await acts(shop, 2)).toEqual([
      { what: 'resume', to: CONFIRMS, by: 'ops', why: 'mended' },
      { what: 'pause', to: CONFIRMS, by: 'ops', why: 'wrong greeting' },
    ]);
  });

  it('is not paused again at once for the cases that were counted before', async () => {
    const shop = story();
    const stage = held(shop);
    const day = new Date(shop.now()).toISOString().slice(0, 10);
    // As the lake writer counts: plenty of complaints.
    await shop.table.update(key.report('welcome', day, 'story'), {
      UpdateExpression: 'ADD delivered :many, complained :some, made :many',
      ExpressionAttributeValues: { ':many': 400, ':some': 40 },
    });
    await shop.timers();
    const stands = async () => (await shop.table.readOne(key.controls()))?.paused as Record<string, { by: string }>;
    expect((await stands()).welcome).toMatchObject({ by: 'guard-sending' });
    await resumeCampaign(stage, 'welcome', 'they were a test');
    await minutes(shop, 3);
    expect((await stands()).welcome).toBeUndefined();
  });
});

describe('when everything is stopped', () => {
  const directly = (shop: Story, set: string) =>
    new SESv2Client({ ...clientConfig({ env: shop.laptop.env }, 'SQS'), maxAttempts: 1 }).send(
      new SendEmailCommand({
        FromEmailAddress: 'hello@mail.aurora-camera.example',
        Destination: { ToAddresses: ['else@customers.example'] },
        Content: { Simple: { Subject: { Data: 'x' }, Body: { Text: { Data: 'x' } } } },
        ConfigurationSetName: set,
      }),
    );

  it('our functions send nothing, SES refuses the configuration set besides, and start opens both', async () => {
    const shop = story();
    const stage = held(shop);
    const set = shop.output('ConfigurationSetName');
    expect(await stopSending(stage, 'wrong price')).toMatchObject({
      changed: true,
      sides: [
        { side: 'controls', done: true },
        { side: set, done: true },
      ],
    });
    await expect(directly(shop, set)).rejects.toThrow('Email sending is disabled');
    await shop.send(asks('stopped'));
    await minutes(shop, 12);
    expect(await mailsTo(shop, ['stopped'])).toEqual([]);
    // A second stop tells whose the first was, and is written down too.
    expect(await stopSending(stage, 'me too')).toMatchObject({ changed: false, stopped: { why: 'wrong price' } });

    expect(await startSending(stage, 'price is right')).toMatchObject({
      changed: true,
      was: { by: 'ops', why: 'wrong price' },
      warnings: [],
    });
    await directly(shop, set);
    await minutes(shop, 12);
    expect(await mailsTo(shop, ['stopped'])).toHaveLength(1);
    expect(await acts(shop, 3)).toEqual([
      { what: 'start', by: 'ops', why: 'price is right' },
      { what: 'stop', by: 'ops', why: 'me too' },
      { what: 'stop', by: 'ops', why: 'wrong price' },
    ]);
  });

  it('a stop that SES does not take holds by the control alone, and says which side failed', async () => {
    const shop = story();
    const stage = held(shop);
    const set = shop.output('ConfigurationSetName');
    const done = await during(shop, [{ at: 'PutConfigurationSetSendingOptions', kind: 'denied' }], () =>
      stopSending(stage, 'denied at SES'),
    );
    expect(done.sides).toEqual([
      { side: 'controls', done: true },
      { side: set, done: false, fault: 'AccessDeniedException' },
    ]);
    await shop.send(asks('half'));
    await minutes(shop, 7);
    expect(await mailsTo(shop, ['half'])).toEqual([]);
    await startSending(stage, 'again');
    await minutes(shop, 7);
    expect(await mailsTo(shop, ['half'])).toHaveLength(1);
  });

  it('a start that SES does not take leaves the stop standing', async () => {
    const shop = story();
    const stage = held(shop);
    const set = shop.output('ConfigurationSetName');
    await stopSending(stage, 'first');
    const done = await during(shop, [{ at: 'PutConfigurationSetSendingOptions', kind: 'denied' }], () =>
      startSending(stage, 'too early'),
    );
    expect(done).toMatchObject({
      changed: false,
      sides: [
        { side: set, done: false },
        { side: 'controls', done: false },
      ],
    });
    expect((await shop.table.readOne(key.controls()))?.stopped).toMatchObject({ why: 'first' });
    expect(await startSending(stage, 'now')).toMatchObject({ changed: true });
  });

  it('start warns where SES itself would refuse', async () => {
    const shop = story();
    shop.laptop.ses.account.sendingEnabled = false;
    try {
      const { warnings } = await startSending(held(shop), 'let us see');
      expect(warnings.join()).toContain('every send is refused');
    } finally {
      shop.laptop.ses.account.sendingEnabled = true;
    }
  });
});

describe('what waits and is cancelled', () => {
  it('is dropped with the name of who did it, is not sent, and its place under the caps is free again', async () => {
    const shop = story();
    const stage = held(shop);
    await pauseCampaign(stage, 'welcome', 'a look at it');
    const email = await shop.customer('taken-back');
    const [message] = await shop.messages({ user: 'taken-back', campaign: 'welcome' });
    expect(message).toMatchObject({ state: 'ready' });
    expect((await shop.contact('taken-back')).journey.sends.map(({ id }) => id)).toEqual([message!.id]);

    expect(
      await cancel(stage, { contact: message!.contact, message: message!.id }, { why: 'asked for' }),
    ).toMatchObject({
      cancelled: 1,
    });
    expect(await shop.messages({ user: 'taken-back' })).toMatchObject([
      { state: 'dropped', reason: 'cancelled by ops' },
    ]);
    expect((await shop.contact('taken-back')).journey.sends).toEqual([]);
    await resumeCampaign(stage, 'welcome', 'looked at');
    await minutes(shop, 12);
    expect(await shop.mails(email)).toEqual([]);
    expect(await acts(shop, 2)).toMatchObject([
      { what: 'resume' },
      { what: 'cancel', to: message!.id, by: 'ops', why: 'asked for' },
    ]);
    await expect(cancel(stage, { contact: message!.contact, message: message!.id })).rejects.toThrow(
      'it is dropped already',
    );
  });

  it('of a campaign goes at once; over a hundred are asked about first, and what is claimed is left alone', async () => {
    const shop = story();
    const stage = held(shop);
    const [lost] = people('on-its-way', 1);
    await during(
      shop,
      [
        { at: 'SendEmail', kind: 'drop' },
        { at: 'event:Send', kind: 'lose' },
        { at: 'event:Delivery', kind: 'lose' },
      ],
      () => shop.send(asks(lost!)),
    );
    await pauseCampaign(stage, CONFIRMS, 'before the fair');
    const users = people('many', 101);
    await shop.send(...users.map(asks));
    await expect(cancel(stage, { campaign: CONFIRMS })).rejects.toThrow('cancel 101 messages');
    expect(await shop.messages({ campaign: CONFIRMS, state: 'ready' })).toHaveLength(101);
    expect(await cancel(stage, { campaign: CONFIRMS }, { yes: true })).toEqual({
      cancelled: 101,
      claimed: 1,
      otherwise: 0,
      goesOn: false,
    });
    const [claimed] = await shop.messages({ user: lost! });
    await expect(cancel(stage, { contact: claimed!.contact, message: claimed!.id })).rejects.toThrow(
      'it is being handed to SES',
    );
    await resumeCampaign(stage, CONFIRMS, 'after the fair');
    await minutes(shop, 12);
    expect(await mailsTo(shop, users)).toEqual([]);
  });
});

describe('what failed and is sent again', () => {
  const refused: Trouble = {
    at: 'SendEmail',
    kind: 'refuse',
    answer: { status: 400, type: 'MessageRejected', message: 'Email contains a virus.' },
  };

  it('goes out once, under its own id, and the feedback finds it', async () => {
    const shop = story();
    const stage = held(shop);
    const users = people('refused', 3);
    await during(shop, [refused], () => shop.send(...users.map(asks)));
    const failed = await listMessages(stage, ['failed'], { campaign: CONFIRMS });
    expect(failed.messages).toHaveLength(3);
    const [{ reason } = { reason: undefined }] = failed.messages;
    expect(reason).toBeDefined();
    await expect(resend(stage, { campaign: CONFIRMS }, { reason: 'MessageReject' })).rejects.toThrow(reason!);

    const one = failed.messages[0]!;
    expect(await resend(stage, { contact: one.contact, message: one.id })).toMatchObject({ resent: 1 });
    expect(await resend(stage, { campaign: CONFIRMS }, { reason })).toMatchObject({
      resent: 2,
      reasons: { [reason!]: 2 },
    });
    await minutes(shop, 3);
    const mails = await mailsTo(shop, users);
    expect(mails.map(({ tags }) => tags['kairos-message']).toSorted()).toEqual(
      failed.messages.map(({ id }) => id).toSorted(),
    );
    for (const user of users) {
      expect(await shop.messages({ user })).toMatchObject([{ state: 'sent', delivery: 'delivered', attempts: 2 }]);
    }
    await expect(resend(stage, { contact: one.contact, message: one.id })).rejects.toThrow('this one is sent');
    expect(await acts(shop, 2)).toMatchObject([
      { what: 'resend', to: CONFIRMS },
      { what: 'resend', to: one.id },
    ]);
  });

  it('meets the gates again: who has left meanwhile is not written to', async () => {
    const shop = story();
    const stage = held(shop);
    const email = await during(shop, [refused], () => shop.customer('left-since'));
    await shop.send({ event: 'Consent Withdrawn', user: 'left-since', properties: { topic: 'offers' } });
    await resend(stage, { campaign: 'welcome' });
    await minutes(shop, 3);
    expect(await shop.mails(email)).toEqual([]);
    expect(await shop.messages({ user: 'left-since' })).toMatchObject([{ state: 'dropped', reason: 'no consent' }]);
  });

  it('takes its place under the caps anew: the next one keeps its distance from the day on which it went', async () => {
    const shop = story();
    const stage = held(shop);
    await during(shop, [refused], () => shop.customer('spaced'));
    const [failed] = await shop.messages({ user: 'spaced', state: 'failed' });
    await shop.forward('3d');
    await resend(stage, { contact: failed!.contact, message: failed!.id });
    const { sends } = (await shop.contact('spaced')).journey;
    expect(sends.map(({ id }) => id)).toEqual([failed!.id]);
    expect(sends[0]!.at).toBeGreaterThan(failed!.plannedAt + 2 * 24 * 60 * MINUTE);
  });

  it('an uncertain one only when asked for, and a Send event that comes late keeps it from going twice', async () => {
    const shop = story();
    const stage = held(shop);
    const late = shop.laptop.simulate({ at: 'event:Send', kind: 'delay' });
    await during(
      shop,
      [
        { at: 'SendEmail', kind: 'drop' },
        { at: 'event:Delivery', kind: 'lose' },
      ],
      () => shop.send(asks('who-knows')),
    );
    await shop.forward('7h');
    const [message] = await shop.messages({ user: 'who-knows' });
    expect(message).toMatchObject({ state: 'uncertain' });
    const which = { contact: message!.contact, message: message!.id };
    await expect(resend(stage, which)).rejects.toThrow('the person may get it twice');
    expect(await resend(stage, which, { evenUncertain: true })).toMatchObject({ resent: 1, uncertain: 1 });
    late.stop();
    await shop.idle();
    await minutes(shop, 3);
    expect(await mailsTo(shop, ['who-knows'])).toHaveLength(1);
    expect(await shop.messages({ user: 'who-knows' })).toMatchObject([{ state: 'sent' }]);
  });
});

describe('dead letters of three queues', () => {
  it('say why, are read without being taken, and go back to where they came from', async () => {
    const shop = story();
    const stage = held(shop);
    // A wrong shape, put aside at once; an outage of eight attempts; feedback of nobody; a message that cannot be sent.
    await shop.put({ DetailType: 'Order Completed', Detail: JSON.stringify({ event: 'Order Completed' }) });
    await during(shop, [{ at: 'invoke:record-interaction', kind: 'error' }], () =>
      shop.send({ event: 'identify', user: 'outage', email: 'outage@customers.example' }),
    );
    await shop.customer('unsent-once');
    await during(
      shop,
      [{ at: 'SendEmail', kind: 'refuse', answer: { status: 400, type: 'MessageRejected', message: 'No.' } }],
      () => shop.send(asks('unsendable')),
    );
    const [failed] = await shop.messages({ user: 'unsendable', state: 'failed' });
    await shop.queue.bury(shop.output('TriggeredDeadLettersUrl'), [
      {
        body: JSON.stringify({ contact: failed!.contact, message: failed!.id }),
        reason: 'render.failed',
        stage: 'send-message',
      },
    ]);
    const mail = (await shop.mails('unsent-once@customers.example'))[0]!;
    await shop.feedback({ ...mail, tags: { ...mail.tags, 'kairos-message': 'of-nobody' } }, 'Send', { send: {} });

    const lists = await listLetters(stage);
    const summary = Object.fromEntries(lists.map(({ queue, letters, reasons }) => [queue, { letters, reasons }]));
    expect(summary).toMatchObject({
      record: { letters: 2, reasons: { 'tried-8-times': 1 } },
      feedback: { letters: 1, reasons: { 'feedback.unknown-message': 1 } },
      triggered: { letters: 1, reasons: { 'render.failed': 1 } },
      bulk: { letters: 0 },
    });
    const read = await readLetters(stage, 'record', 10);
    expect(read.map(({ reason, stage: by }) => [reason === 'tried-8-times', by]).toSorted()).toEqual([
      [false, 'record-interaction'],
      [true, undefined],
    ]);
    expect(await readLetters(stage, 'record', 10)).toHaveLength(2);

    const wrong = read.find(({ stage: by }) => by !== undefined)!.reason;
    expect(await redrive(stage, 'record')).toMatchObject({ sent: 2, permanent: 1, left: {} });
    await shop.idle();
    expect((await shop.interactions('outage')).map(({ name }) => name)).toEqual(['Identified']);
    // What can never be recorded is here again, and nothing else.
    expect((await readLetters(stage, 'record', 10)).map(({ reason }) => reason)).toEqual([wrong]);
    await expect(dropLetters(stage, 'record', { reason: wrong })).rejects.toThrow('Add --yes');
    expect(await dropLetters(stage, 'record', { reason: wrong, yes: true })).toMatchObject({ dropped: 1 });

    expect(await redrive(stage, 'triggered')).toMatchObject({ sent: 0, resent: 1 });
    await minutes(shop, 3);
    expect(await mailsTo(shop, ['unsendable'])).toHaveLength(1);
    expect(await redrive(stage, 'feedback')).toMatchObject({ sent: 1, permanent: 1 });
    await shop.idle();
    expect(await redrive(stage, 'feedback', { reason: 'feedback.unknown-message' })).toMatchObject({ sent: 1 });
    await shop.idle();
    await dropLetters(stage, 'feedback', { reason: 'feedback.unknown-message', yes: true });
    expect(await shop.deadLetters()).toEqual([]);
    expect(await acts(shop, 6)).toMatchObject([
      { what: 'drop letters', to: 'feedback', by: 'ops' },
      { what: 'redrive', to: 'feedback', by: 'ops' },
      { what: 'redrive', to: 'feedback', by: 'ops' },
      { what: 'redrive', to: 'triggered', by: 'ops', why: '1 letter: render.failed 1' },
      { what: 'drop letters', to: 'record', by: 'ops', why: `1 letter: ${wrong}` },
      { what: 'redrive', to: 'record', by: 'ops' },
    ]);
  });

  it('a letter is deleted only when its queue has taken it', async () => {
    const shop = story();
    const stage = held(shop);
    await during(shop, [{ at: 'invoke:record-interaction', kind: 'error' }], () =>
      shop.send({ event: 'identify', user: 'kept-safe', email: 'kept-safe@customers.example' }),
    );
    const done = await during(shop, [{ at: 'SendMessageBatch', kind: 'partial', times: 1 }], () =>
      redrive(stage, 'record'),
    );
    expect(done).toMatchObject({ sent: 0, left: { 'SQS: InternalError': 1 } });
    expect(await readLetters(stage, 'record', 10)).toHaveLength(1);
    expect(await redrive(stage, 'record')).toMatchObject({ sent: 1, left: {} });
    await shop.idle();
    expect(await shop.interactions('kept-safe')).toHaveLength(1);
  });
});

it('each pause, resume, stop and start is said on the bus, and makes nobody’s history', async () => {
  const shop = story();
  expect(new Set(told.map(({ source }) => source))).toEqual(new Set(['kairos.operations']));
  expect(told.slice(0, 2)).toMatchObject([
    { detailType: 'Campaign Paused', detail: { campaign: CONFIRMS, by: 'ops', why: 'wrong greeting' } },
    { detailType: 'Campaign Resumed', detail: { campaign: CONFIRMS, by: 'ops', why: 'mended' } },
  ]);
  const names = told.map(({ detailType }) => detailType);
  expect(names).toContain('Sending Stopped');
  expect(names).toContain('Sending Started');
  expect(await shop.deadLetters()).toEqual([]);
  expect((await shop.items('INTERACTION#')).filter((item) => item.source === 'kairos.operations')).toEqual([]);
});
