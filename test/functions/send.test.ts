// Sending once, on a real engine and a real HTTP endpoint: claims, answers, rates, stops, feedback and reconciling.

import { SESv2Client } from '@aws-sdk/client-sesv2';
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { campaignVersion } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import { sha256 } from '../../domain/interaction.ts';
import { readLink } from '../../domain/links.ts';
import type { Message } from '../../domain/message.ts';
import { reconcile } from '../../functions/aws/claims.ts';
import { lastActions } from '../../functions/aws/controls.ts';
import { Mailer } from '../../functions/aws/mailer.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { Sender, type SenderDeps } from '../../functions/aws/sender.ts';
import { documentClient, key, messageItem, readMessage, Table } from '../../functions/aws/table.ts';
import { walkDue } from '../../functions/aws/walk.ts';
import { receiveFeedback } from '../../functions/receive-feedback.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { type Ses, sesEvent, startSes } from '../support/ses.ts';
import { around, DoomedProcess } from './faults.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  contactOf,
  crowdOf,
  DAY,
  definitions,
  HOUR,
  interaction,
  MemoryLog,
  MINUTE,
  memoryBus,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

let engine: Engine;
let ses: Ses;
let bench: Bench;
let log: MemoryLog;
const sqs = mockClient(SQSClient);
const keys = { current: 'k1', keys: { k1: 'a secret of the tests' } };
const address = 'ann@example.org';
const subject = `address#${sha256(address)}`;

beforeAll(async () => {
  engine = await startEngine();
  ses = await startSes();
});
afterAll(async () => {
  await engine.stop();
  await ses.stop();
});
beforeEach(async () => {
  bench = benchOver(await engine.table());
  log = new MemoryLog();
  sqs.reset();
  sqs.on(SendMessageBatchCommand).resolves({});
  Object.assign(ses, { accepted: [], calls: 0, next: [] });
  await publish(bench.table, bench.bucket, definitions());
});

const queue = () => new Queue(new SQSClient({ region: 'x' }));
const mailer = () =>
  new Mailer(
    'kairos',
    new SESv2Client({
      endpoint: ses.endpoint,
      region: 'x',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
    }),
  );

function sender(change: Partial<SenderDeps> = {}): Sender {
  return new Sender({
    table: bench.table,
    books: bench.books,
    mailer: mailer(),
    queue: queue(),
    secrets: async () => ({ keys, sources: {} }),
    now: bench.clock.now,
    sleep: async () => {},
    log,
    rate: 100,
    publicBaseUrl: 'https://mail.shop.example',
    deadLetters: 'https://sqs.test/dead',
    ...change,
  });
}

/** Ann orders, and has one service message ready now. */
async function ordered(properties: { id?: string; to?: string } = {}): Promise<Message> {
  const { id = 'm1', to = address } = properties;
  await bench.recorder.record([{ interaction: purchase({ id, order: id, address: to, at: bench.clock.at }) }]);
  const contact = await contactBy(bench.table, `address#${sha256(to)}`);
  return (await messagesOf(bench.table, contact!.id)).find(
    (message) => message.campaign === 'thanks' && message.state === 'ready',
  )!;
}

const send = (message: Message, by = sender()) => by.send([{ contact: message.contact, message: message.id }]);
const stored = async (message: Message) =>
  readMessage((await bench.table.readOne(key.message(message.contact, message.id)))!);
const feedback = (...events: unknown[]) =>
  receiveFeedback(
    { Records: events.map((event, n) => ({ messageId: `f${n}`, body: JSON.stringify(event) })) } as never,
    {
      table: bench.table,
      books: bench.books,
      recorder: bench.recorder,
      queue: queue(),
      deadLetters: 'https://sqs.test/dead',
    },
  );
const queued = (url: string) =>
  sqs
    .commandCalls(SendMessageBatchCommand)
    .map(({ args: [command] }) => command.input)
    .filter((input) => input.QueueUrl === url)
    .flatMap((input) => input.Entries ?? []);
const walk = async () => {
  for (const shard of ['00', '01']) {
    await walkDue(
      { shard },
      {
        table: bench.table,
        recorder: bench.recorder,
        queue: queue(),
        bus: memoryBus().bus,
        now: bench.clock.now,
        log,
        rate: 100,
        urls: { timers: 'timers', triggered: 'triggered', bulk: 'bulk' },
      },
    );
  }
};

describe('what a mail shows of products', () => {
  const html =
    '{% for each in recommendations %}<a href="https://shop.example/{{ each.id }}?a=1#b">{{ each.name }}{% if each.price %} {{ each.price }}{% endif %}</a>{% endfor %}' +
    '<a href="{{ links.unsubscribe }}">Unsubscribe</a>';
  const text = '{% for each in recommendations %}<https://shop.example/{{ each.id }}>{% endfor %}';
  const showing = async (source: { html: string; text: string }) => {
    const book = definitions();
    book.emails = {
      hello: { locales: { en: { subject: 'Hello', preheader: 'x', ...source } } },
      'hello@b': { locales: { en: { subject: 'Another', preheader: 'x', ...source } } },
    };
    await publish(bench.table, bench.bucket, book);
    bench.clock.at += MINUTE;
  };
  const fed = (product: string, told: object, at = bench.clock.at) =>
    bench.recorder.record([
      {
        interaction: interaction('Product Updated', {
          id: `u-${product}`,
          at,
          properties: { product_id: product, name: product, currency: 'EUR', ...told },
        }),
      },
    ]);
  const recommending = async (...recommendations: string[]): Promise<Message> => {
    const message = await ordered();
    const item = (await bench.table.readOne(key.message(message.contact, message.id)))!;
    const changed = { ...message, key: 'hello', variant: 'b', inputs: { ...message.inputs, recommendations } };
    expect(await bench.table.replaceMessage(item, changed)).toBe(true);
    return changed;
  };

  it('is in stock still, and what it showed is kept; its links say where they come from, and those of ours do not', async () => {
    await showing({ html, text });
    await fed('lens', { price: 10, stock: 2 });
    await fed('strap', { price: 5, stock: 0 });
    const message = await recommending('strap', 'lens');
    expect(await send(message)).toEqual([undefined]);
    const { Html, Text } = ses.accepted[0]?.Content?.Simple?.Body ?? {};
    const values = 'utm_source=kairos&utm_medium=email&utm_campaign=thanks&utm_content=hello-b';
    expect(ses.accepted[0]?.Content?.Simple?.Subject?.Data).toBe('Another');
    expect(Html?.Data).toContain(
      `<a href="https://shop.example/lens?a=1&amp;${values.replaceAll('&', '&amp;')}#b">lens €10.00</a>`,
    );
    expect(Html?.Data).not.toContain('strap');
    expect(Html?.Data).toMatch(/<a href="https:\/\/mail\.shop\.example\/u\/[\w.-]+">/);
    expect(Text?.Data).toBe(`<https://shop.example/lens?${values}>`);
    expect((await stored(message)).inputs.recommendations).toEqual(['lens']);
    expect(log.lines).toEqual([]);
  });

  it('says in the log how many prices are older than a day, once for a batch, and of whom it does not', async () => {
    await showing({ html, text });
    await fed('lens', { price: 10, stock: 2 }, bench.clock.at - 25 * HOUR);
    await fed('strap', { price: 5, stock: 2 }, bench.clock.at - 23 * HOUR);
    await fed('bag', { stock: 2 }, bench.clock.at - 25 * HOUR);
    expect(await send(await recommending('lens', 'strap', 'bag'))).toEqual([undefined]);
    expect(log.lines).toEqual([{ level: 'warn', name: 'send.stale-price', values: { messages: 1, products: 1 } }]);
  });

  it('says nothing of prices that it does not show', async () => {
    await showing({ html: html.replace(/{% if each.price %}.*?{% endif %}/, ''), text });
    await fed('lens', { price: 10, stock: 2 }, bench.clock.at - 25 * HOUR);
    expect(await send(await recommending('lens'))).toEqual([undefined]);
    expect(log.lines).toEqual([]);
  });
});

describe('given a message that is ready', () => {
  it('is claimed, sent once with its tags, and leaves the index', async () => {
    const message = await ordered();
    expect(await send(message)).toEqual([undefined]);
    expect(ses.accepted).toHaveLength(1);
    const [mail] = ses.accepted;
    expect(mail?.Destination?.ToAddresses).toEqual([address]);
    expect(mail?.FromEmailAddress).toBe('"The Shop" <hello@shop.example>');
    expect(mail?.ConfigurationSetName).toBe('kairos');
    expect(mail?.EmailTags).toEqual([
      { Name: 'kairos-message', Value: message.id },
      { Name: 'kairos-contact', Value: message.contact },
      { Name: 'kairos-campaign', Value: 'thanks' },
    ]);
    expect(mail?.Content?.Simple?.Headers).toBeUndefined();
    expect(await stored(message)).toMatchObject({
      state: 'sent',
      sesId: 'ses-1',
      sentAt: NOON,
      claimedAt: NOON,
      attempts: 1,
      provider: 'other',
    });
    expect((await bench.table.readOne(key.message(message.contact, message.id)))?.duePk).toBeUndefined();
    expect(await send(message)).toEqual([undefined]);
    expect(ses.calls).toBe(1);
  });

  it('notes at the claim which provider it goes to, also where the answer never comes', async () => {
    const message = await ordered({ to: 'ann@hotmail.co.uk' });
    ses.next = ['drop'];
    await send(message);
    expect(await stored(message)).toMatchObject({ state: 'claimed', provider: 'microsoft' });
  });

  it('leads to the page of preferences by a link of its own, whatever its kind', async () => {
    const book = definitions({ ordinal: 2 });
    book.emails.hello!.locales.en!.text = '{{ links.preferences }} {{ links.unsubscribe }}';
    await publish(bench.table, bench.bucket, book);
    await bench.books.fresh();
    const message = await ordered();
    await send(message);
    const text = ses.accepted[0]?.Content?.Simple?.Body?.Text?.Data ?? '';
    const token = /https:\/\/mail\.shop\.example\/p\/(\S+)/.exec(text)?.[1];
    expect(readLink(token ?? '', keys)).toEqual({
      kind: 'preferences',
      contact: message.contact,
      brand: 'shop',
      message: message.id,
    });
  });

  it('is sent by one of two workers that take it at the same time', async () => {
    const message = await ordered();
    await Promise.all([send(message), send(message), send(message)]);
    expect(ses.calls).toBe(1);
    expect((await stored(message)).attempts).toBe(1);
  });

  it('carries one-click headers where it is marketing, whose link is ours', async () => {
    await bench.recorder.record([
      {
        interaction: interaction('Consent Granted', {
          id: 'g1',
          address,
          at: NOON - HOUR,
          properties: { topic: 'offers' },
        }),
      },
    ]);
    await ordered();
    bench.clock.at = NOON + HOUR;
    const contact = await contactBy(bench.table, subject);
    await bench.recorder.tick([contact!.id]);
    const offer = (await messagesOf(bench.table, contact!.id)).find((one) => one.campaign === 'offer');
    expect(offer).toMatchObject({ state: 'ready', kind: 'marketing' });
    await send(offer!);
    const headers = ses.accepted.at(-1)?.Content?.Simple?.Headers;
    expect(headers?.map((header) => header.Name)).toEqual(['List-Unsubscribe', 'List-Unsubscribe-Post']);
    expect(headers?.[1]?.Value).toBe('List-Unsubscribe=One-Click');
    const token = /^<https:\/\/mail\.shop\.example\/u\/([^>]+)>$/.exec(headers?.[0]?.Value ?? '')?.[1];
    expect(readLink(token ?? '', keys)).toEqual({
      kind: 'unsubscribe',
      contact: contact!.id,
      brand: 'shop',
      message: offer!.id,
    });
  });
});

describe('given an answer of SES', () => {
  it.each([
    [
      'unknown, when it took the mail and dropped the line',
      'accept and drop' as const,
      { state: 'claimed', due: NOON + 15 * MINUTE },
    ],
    [
      'unknown, when it failed',
      { status: 500, type: 'InternalFailure' },
      { state: 'claimed', due: NOON + 15 * MINUTE },
    ],
    ['later, when the rate is exceeded', { status: 429, type: 'TooManyRequestsException' }, { state: 'ready' }],
    [
      'later, when the daily quota is used up',
      { status: 400, type: 'LimitExceededException' },
      { state: 'ready', due: NOON + 15 * MINUTE },
    ],
    [
      'stop, when the account is paused',
      { status: 400, type: 'SendingPausedException' },
      { state: 'ready', due: NOON + 5 * MINUTE },
    ],
    [
      'stop, when it was paused for its reputation, which SES calls a rejected message',
      {
        status: 400,
        type: 'MessageRejected',
        message: 'Sending paused for this account. For more information, please check the inbox.',
      },
      { state: 'ready', due: NOON + 5 * MINUTE },
    ],
    [
      'never, when it is rejected',
      { status: 400, type: 'MessageRejected' },
      { state: 'failed', reason: 'MessageRejected' },
    ],
    [
      'never, when the recipient is not verified in the sandbox',
      {
        status: 400,
        type: 'MessageRejected',
        message: `Email address is not verified. The following identities failed the check in region X: ${address}`,
      },
      { state: 'failed', reason: 'sandbox' },
    ],
  ])('is %s: one call, and its state', async (_name, behaviour, state) => {
    const message = await ordered();
    ses.next = [behaviour];
    expect(await send(message)).toEqual([undefined]);
    expect(ses.calls).toBe(1);
    expect(await stored(message)).toMatchObject(state);
  });

  it('sets the stop control, under which nothing more is sent until it is lifted', async () => {
    const message = await ordered();
    ses.next = [{ status: 400, type: 'AccountSuspendedException' }];
    await send(message);
    expect((await bench.table.readOne(key.controls()))?.stopped).toMatchObject({
      by: 'send-message',
      at: NOON,
      why: 'AccountSuspendedException',
    });
    expect(await lastActions(bench.table, 5)).toMatchObject([{ what: 'stop', by: 'send-message' }]);
    bench.clock.at += 6 * MINUTE;
    await send(message);
    expect(ses.calls).toBe(1);
    expect(await stored(message)).toMatchObject({ state: 'ready', due: bench.clock.at + 5 * MINUTE });
    expect(log.lines.some((line) => line.name === 'send.waiting')).toBe(true);
    await bench.table.update(key.controls(), { UpdateExpression: 'REMOVE stopped' });
    await send(message);
    expect((await stored(message)).state).toBe('sent');
  });

  it('waits a few seconds in the index when the rate is exceeded, not in the queue', async () => {
    const message = await ordered();
    ses.next = [{ status: 429, type: 'TooManyRequestsException' }];
    await send(message);
    const { due, claimedAt } = await stored(message);
    expect(due).toBeGreaterThanOrEqual(NOON + 1_000);
    expect(due).toBeLessThanOrEqual(NOON + 10_000);
    expect(claimedAt).toBeUndefined();
    expect(sqs.commandCalls(SendMessageBatchCommand)).toHaveLength(0);
  });
});

describe('given what changed since the decision', () => {
  it('drops a message to an address suppressed meanwhile, and sends nothing', async () => {
    const message = await ordered();
    await bench.table.create({ ...key.suppression(sha256(address)), shape: 1, reason: 'imported', at: NOON });
    await send(message);
    expect(ses.calls).toBe(0);
    expect(await stored(message)).toMatchObject({ state: 'dropped', reason: 'suppressed' });
  });

  it('gives the place under the caps back when marketing is dropped', async () => {
    const consent = (name: string, id: string, at: number) =>
      interaction(name, { id, address, at, properties: { topic: 'offers' } });
    await bench.recorder.record([{ interaction: consent('Consent Granted', 'g1', NOON - HOUR) }]);
    await ordered();
    bench.clock.at = NOON + HOUR;
    const contact = await contactBy(bench.table, subject);
    await bench.recorder.tick([contact!.id]);
    const offer = (await messagesOf(bench.table, contact!.id)).find((one) => one.campaign === 'offer')!;
    expect((await contactOf(bench.table, contact!.id))?.journey.sends.map((one) => one.id)).toEqual([offer.id]);
    await bench.table.create({ ...key.suppression(sha256(address)), shape: 1, reason: 'imported', at: NOON });
    await send(offer);
    expect((await stored(offer)).state).toBe('dropped');
    expect((await contactOf(bench.table, contact!.id))?.journey.sends).toEqual([]);
  });

  it('waits in the index while its campaign is paused', async () => {
    const message = await ordered();
    await bench.table.update(key.controls(), {
      UpdateExpression: 'SET paused = :paused',
      ExpressionAttributeValues: { ':paused': { thanks: { by: 'ann', at: NOON } } },
    });
    await send(message);
    expect(ses.calls).toBe(0);
    expect(await stored(message)).toMatchObject({ state: 'ready', due: NOON + 5 * MINUTE });
  });

  it('fails a recipient who is not on the list of a development stage', async () => {
    const message = await ordered();
    await send(message, sender({ allowed: ['mailbox.example'] }));
    expect(ses.calls).toBe(0);
    expect(await stored(message)).toMatchObject({ state: 'failed', reason: 'recipient-not-allowed' });
  });

  it('fails what cannot be rendered, and buries it with its reason', async () => {
    const book = definitions({ ordinal: 2 });
    book.emails.hello!.locales.en!.subject = '{{ trigger.nothing.like.it }}';
    await publish(bench.table, bench.bucket, book);
    await bench.books.fresh();
    const message = await ordered();
    await send(message);
    expect(ses.calls).toBe(0);
    expect((await stored(message)).state).toBe('failed');
    const [letter] = queued('https://sqs.test/dead');
    expect(JSON.parse(letter?.MessageBody ?? '')).toEqual({ contact: message.contact, message: message.id });
    expect(letter?.MessageAttributes?.reason?.StringValue).toMatch(/^render\./);
  });

  it('drops a message whose contact was erased', async () => {
    const message = await ordered();
    await bench.table.transact([{ Delete: { TableName: bench.table.name, Key: key.contact(message.contact) } }]);
    await send(message);
    expect(ses.calls).toBe(0);
    expect(await stored(message)).toMatchObject({ state: 'dropped', reason: 'the contact is gone' });
  });

  it('sends to the survivor when its contact was merged away', async () => {
    const message = await ordered();
    await bench.recorder.record([
      { interaction: interaction('Identified', { id: 'i0', user: 'ann', at: NOON - DAY }) },
    ]);
    bench.clock.at = NOON + 1;
    await bench.recorder.record([
      { interaction: interaction('Identified', { id: 'i1', user: 'ann', address, at: NOON }) },
    ]);
    await send(message);
    expect(ses.accepted.map((mail) => mail.Destination?.ToAddresses)).toEqual([[address]]);
  });
});

describe('given an open claim', () => {
  const claim = { claimedAt: NOON };
  it.each([
    ['before its 15 minutes', NOON + 14 * MINUTE, NOON + HOUR, { kind: 'wait', until: NOON + 15 * MINUTE }],
    ['with no Send of anything', NOON + 15 * MINUTE, undefined, { kind: 'wait', until: NOON + 20 * MINUTE }],
    [
      'with the Send of an earlier claim',
      NOON + 15 * MINUTE,
      NOON - MINUTE,
      { kind: 'wait', until: NOON + 20 * MINUTE },
    ],
    ['with the Send of the same instant', NOON + 15 * MINUTE, NOON, { kind: 'wait', until: NOON + 20 * MINUTE }],
    [
      'with the Send of a later claim',
      NOON + 15 * MINUTE,
      NOON + 1,
      { kind: 'wait', until: NOON + 45 * MINUTE, provenAt: NOON + 15 * MINUTE },
    ],
    ['shortly before six hours', NOON + 6 * HOUR - 1, undefined, { kind: 'wait', until: NOON + 6 * HOUR }],
    ['after six hours of silence', NOON + 6 * HOUR, undefined, { kind: 'uncertain' }],
    [
      'after six hours, when a later Send has come',
      NOON + 6 * HOUR,
      NOON + 1,
      { kind: 'wait', until: NOON + 6.5 * HOUR, provenAt: NOON + 6 * HOUR },
    ],
  ])('%s', (_name, now, watermark, expected) => {
    expect(reconcile(claim, watermark, now)).toEqual(expected);
  });

  it.each([
    ['shortly before half an hour', NOON + 50 * MINUTE - 1, { kind: 'wait', until: NOON + 50 * MINUTE }],
    ['after half an hour', NOON + 50 * MINUTE, { kind: 'again' }],
    ['after a night of silence', NOON + 20 * HOUR, { kind: 'again' }],
  ])('whose proof stands %s', (_name, now, expected) => {
    expect(reconcile({ claimedAt: NOON, provenAt: NOON + 20 * MINUTE }, NOON + 1, now)).toEqual(expected);
  });

  const lost = async () => {
    const message = await ordered();
    ses.next = ['drop'];
    await send(message);
    expect((await stored(message)).state).toBe('claimed');
    return message;
  };

  it('is sent again after the Send of a later claim, and is in the mailbox once', async () => {
    const message = await lost();
    bench.clock.at = NOON + 16 * MINUTE;
    const later = await ordered({ id: 'm2', to: 'bob@example.org' });
    await walk();
    expect((await stored(message)).state).toBe('claimed');
    await send(later);
    await feedback(sesEvent(ses.accepted[0]!, 'Send', bench.clock.at));
    bench.clock.at += 6 * MINUTE;
    await walk();
    expect(await stored(message)).toMatchObject({ state: 'claimed', provenAt: bench.clock.at });
    bench.clock.at += 30 * MINUTE;
    await walk();
    expect((await stored(message)).state).toBe('ready');
    expect(queued('triggered').map((entry) => JSON.parse(entry.MessageBody ?? '').message)).toContain(message.id);
    await send(message);
    expect(ses.accepted.map((mail) => mail.Destination?.ToAddresses?.[0])).toEqual(['bob@example.org', address]);
    expect(await stored(message)).toMatchObject({ state: 'sent', attempts: 2 });
    expect((await stored(message)).provenAt).toBeUndefined();
  });

  it('is closed by its own Send, and not sent again', async () => {
    const message = await ordered();
    ses.next = ['accept and drop'];
    await send(message);
    await feedback(sesEvent(ses.accepted[0]!, 'Send', NOON));
    expect(await stored(message)).toMatchObject({ state: 'sent', sesId: 'ses-1' });
    bench.clock.at = NOON + DAY;
    await walk();
    await send(message);
    expect(ses.accepted).toHaveLength(1);
  });

  it('becomes uncertain after six hours without any feedback', async () => {
    const message = await lost();
    for (bench.clock.at = NOON + 15 * MINUTE; bench.clock.at <= NOON + 6 * HOUR; bench.clock.at += 5 * MINUTE)
      await walk();
    expect(await stored(message)).toMatchObject({ state: 'uncertain', reason: 'no answer and no feedback' });
    expect((await stored(message)).due).toBeUndefined();
    expect(ses.calls).toBe(1);
  }, 60_000);
});

describe('given a worker that dies before or after any of its calls', () => {
  it('puts the message into the mailbox exactly once while feedback and later claims arrive, else at most once', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let at = 0; ; at++) {
        bench = benchOver(await engine.table());
        await publish(bench.table, bench.bucket, definitions());
        Object.assign(ses, { accepted: [], calls: 0, next: [] });
        const message = await ordered();
        const client = engine.client();
        const mails = new SESv2Client({
          endpoint: ses.endpoint,
          region: 'x',
          credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
          maxAttempts: 1,
        });
        const process = new DoomedProcess(at, when);
        around(client, process.step);
        around(mails as never, process.step);
        const table = new Table(documentClient(client), bench.table.name, 2);
        await send(message, sender({ table, mailer: new Mailer('kairos', mails) })).catch(() => undefined);
        if (!process.dead) break;
        // The queue delivers it again, feedback of what was accepted comes, later mail goes out, and time passes.
        await send(message);
        for (const mail of [...ses.accepted]) await feedback(sesEvent(mail, 'Send', NOON));
        bench.clock.at = NOON + 16 * MINUTE;
        const later = await ordered({ id: 'm2', to: 'bob@example.org' });
        await send(later);
        const other = ses.accepted.find((mail) => mail.Destination?.ToAddresses?.[0] === 'bob@example.org')!;
        await feedback(sesEvent(other, 'Send', bench.clock.at));
        for (const minutes of [10, 30]) {
          bench.clock.at += minutes * MINUTE;
          await walk();
        }
        await send(message);
        const own = ses.accepted.filter((mail) => mail.Destination?.ToAddresses?.[0] === address);
        expect({ when, at, call: process.calls[at], mails: own.length }).toMatchObject({ mails: 1 });
        expect((await stored(message)).state).toBe('sent');
      }
    }
  }, 120_000);
});

describe('given feedback', () => {
  const bounce = {
    bounce: { timestamp: new Date(NOON + HOUR).toISOString(), bounceType: 'Permanent', bounceSubType: 'General' },
  };

  it('of a permanent bounce: suppresses address and contact, and takes ready messages back', async () => {
    const message = await ordered();
    await send(message);
    await bench.recorder.record([
      {
        interaction: interaction('Consent Granted', {
          id: 'g1',
          address,
          at: NOON - HOUR,
          properties: { topic: 'offers' },
        }),
      },
    ]);
    await ordered({ id: 'm2' });
    bench.clock.at = NOON + HOUR;
    const contact = await contactBy(bench.table, subject);
    await bench.recorder.tick([contact!.id]);
    const waiting = (await messagesOf(bench.table, contact!.id)).filter((one) => one.state === 'ready');
    expect(waiting.length).toBeGreaterThan(0);
    await feedback(sesEvent(ses.accepted[0]!, 'Bounce', NOON + HOUR, bounce));
    expect(await stored(message)).toMatchObject({ state: 'sent', delivery: 'bounced' });
    expect(await bench.table.readOne(key.suppression(sha256(address)))).toMatchObject({
      reason: 'bounced',
      at: NOON + HOUR,
    });
    const blocked = await contactOf(bench.table, contact!.id);
    expect(blocked?.facts.suppressed).toEqual({ reason: 'bounced', at: NOON + HOUR });
    for (const one of waiting) await send(one);
    expect(ses.accepted).toHaveLength(1);
    expect((await messagesOf(bench.table, contact!.id)).filter((one) => one.state === 'ready')).toEqual([]);
    expect((await contactOf(bench.table, contact!.id))?.journey.sends).toEqual([]);
  });

  it('of a transient bounce: suppresses nobody', async () => {
    const message = await ordered();
    await send(message);
    const soft = { bounce: { ...bounce.bounce, bounceType: 'Transient' } };
    await feedback(sesEvent(ses.accepted[0]!, 'Bounce', NOON + HOUR, soft));
    expect((await stored(message)).delivery).toBe('soft-bounced');
    expect(await bench.table.readOne(key.suppression(sha256(address)))).toBeUndefined();
  });

  it('in any order and repeated: leaves one state', async () => {
    const message = await ordered();
    await send(message);
    const events = [
      sesEvent(ses.accepted[0]!, 'Delivery', NOON + 2, { delivery: { timestamp: new Date(NOON + 2).toISOString() } }),
      sesEvent(ses.accepted[0]!, 'Send', NOON + 1),
      sesEvent(ses.accepted[0]!, 'Delivery', NOON + 2, { delivery: { timestamp: new Date(NOON + 2).toISOString() } }),
    ];
    expect(await feedback(...events)).toEqual({ batchItemFailures: [] });
    expect(await stored(message)).toMatchObject({ state: 'sent', delivery: 'delivered' });
  });

  it('of a message that is not there: is buried with its reason', async () => {
    const message = await ordered();
    await send(message);
    const [mail] = ses.accepted;
    const stranger = {
      ...mail!,
      EmailTags: [
        { Name: 'kairos-message', Value: 'nobody' },
        { Name: 'kairos-contact', Value: 'c9' },
      ],
    };
    await feedback(sesEvent(stranger, 'Send', NOON), 'not an event');
    const letters = queued('https://sqs.test/dead').map((entry) => entry.MessageAttributes?.reason?.StringValue);
    expect(letters.toSorted()).toEqual(['feedback.shape', 'feedback.unknown-message']);
  });

  it('becomes an interaction once per message where a rule reads it', async () => {
    const book = definitions({ ordinal: 2 });
    book.segments.clickers = { rule: { did: 'Email Clicked' }, ordinal: 2, since: 2 };
    await publish(bench.table, bench.bucket, book);
    await bench.books.fresh();
    const message = await ordered();
    await send(message);
    const clicked = (at: number) =>
      sesEvent(ses.accepted[0]!, 'Click', at, {
        click: { timestamp: new Date(at).toISOString(), link: 'https://shop.example/' },
      });
    await feedback(clicked(NOON + 1), clicked(NOON + 2));
    expect((await contactOf(bench.table, message.contact))?.facts.latest['Email Clicked']).toBeDefined();
    expect(await bench.table.under(`SUBJECT#contact#${message.contact}`, 'INTERACTION#Email Clicked#')).toHaveLength(1);
  });
});

describe('given a topic that rests until a click', () => {
  it('is ended by the click of a mail, which no rule reads', async () => {
    const rests: Campaign = {
      kind: 'service',
      aim: 'retention',
      sender: 'main',
      when: { did: 'Order Completed' },
      again: 'every time',
      steps: [{ rest: 'offers', until: { did: 'Email Clicked', where: { step: 'hello' } }, why: 'unengaged' }],
    };
    const book = definitions({ ordinal: 2 });
    book.campaigns.sunset = { id: 'sunset', version: campaignVersion(rests), since: 1, campaign: rests };
    await publish(bench.table, bench.bucket, book);
    const { read, heard } = await bench.books.fresh();
    expect([read.has('Email Clicked'), heard.has('Email Clicked')]).toEqual([false, true]);
    const message = await ordered();
    expect((await contactOf(bench.table, message.contact))?.journey.rests).toMatchObject({
      offers: { why: 'unengaged' },
    });
    await send(message);
    const timestamp = new Date(NOON + 1).toISOString();
    await feedback(sesEvent(ses.accepted[0]!, 'Click', NOON + 1, { click: { timestamp } }));
    expect((await contactOf(bench.table, message.contact))?.journey.rests).toBeUndefined();
  });
});

describe('given a secret that cannot be read', () => {
  it('leaves the message ready: it is delivered again, and nothing is claimed, failed or sent', async () => {
    const message = await ordered();
    const denied = sender({
      secrets: async () => {
        throw new Error('access denied');
      },
    });
    await expect(send(message, denied)).rejects.toThrow('access denied');
    expect(await stored(message)).toMatchObject({ state: 'ready', attempts: 0 });
    expect(ses.calls).toBe(0);
    await send(message);
    expect(await stored(message)).toMatchObject({ state: 'sent' });
  });
});

describe('given marketing of one person that was held up, under a cap of one a day', () => {
  const campaign: Campaign = {
    kind: 'marketing',
    aim: 'retention',
    topic: 'offers',
    sender: 'main',
    when: { did: 'Order Completed' },
    again: 'every time',
    steps: [{ send: 'hello' }],
  };
  const seen = definitions();
  seen.settings = { ...seen.settings, caps: [{ most: 1, in: '1d' }] };
  seen.campaigns = { seen: { id: 'seen', version: campaignVersion(campaign), since: 1, campaign } };

  /** Three messages, planned a day apart, all of them overdue. */
  async function heldUp(): Promise<Message[]> {
    await publish(bench.table, bench.bucket, seen);
    const [message] = await crowdOf(
      bench.table,
      ['p1'],
      { campaign: 'thanks', kind: 'marketing', topic: 'offers' },
      (contact) => {
        contact.facts.consents['shop|offers|email'] = { granted: true, at: 1, id: 'g' };
      },
    );
    const planned = [4, 3, 2].map((days, n): Message => {
      const plannedAt = NOON - days * DAY;
      const { version } = seen.campaigns.seen!;
      return {
        ...message!,
        id: `held-${n}`,
        campaign: 'seen',
        version,
        plannedAt,
        createdAt: plannedAt,
        due: plannedAt,
      };
    });
    for (const each of planned) await bench.table.create(messageItem(each, bench.table.shards));
    const contact = { value: (await contactOf(bench.table, 'p1'))!, version: 1 };
    const sends = planned.map(({ id, plannedAt: at }) => ({ id, at, campaign: 'seen' }));
    const { journey } = contact.value;
    await bench.table.transact([
      bench.table.contactWrite(contact, { ...contact.value, journey: { ...journey, sends } }),
    ]);
    return planned;
  }
  const states = async (messages: Message[]) => Promise.all(messages.map(async (each) => (await stored(each)).state));
  const wanted = (messages: Message[]) => messages.map(({ contact, id }) => ({ contact, message: id }));

  it('one goes out, also where two senders have them all at once; the others wait, each a day longer', async () => {
    const messages = await heldUp();
    const [one, other] = [sender(), sender({ table: new Table(documentClient(engine.client()), bench.table.name, 2) })];
    await Promise.all([one.send(wanted(messages)), other.send(wanted([...messages].reverse()))]);
    expect(ses.accepted).toHaveLength(1);
    const sent: number[] = [];
    for (let hours = 0; hours <= 72; hours++) {
      bench.clock.at = NOON + hours * HOUR;
      await Promise.all([one.send(wanted(messages)), other.send(wanted(messages))]);
      while (sent.length < ses.accepted.length) sent.push(hours);
    }
    expect(await states(messages)).toEqual(['sent', 'sent', 'sent']);
    expect(sent).toHaveLength(3);
    expect(Math.min(sent[1]! - sent[0]!, sent[2]! - sent[1]!)).toBeGreaterThanOrEqual(24);
    const { journey } = (await contactOf(bench.table, 'p1'))!;
    expect(journey.sends.map(({ at }) => Math.floor((at - NOON) / HOUR)).sort((a, b) => a - b)).toEqual(sent);
  });

  it('what goes out in time writes no contact', async () => {
    const [message] = await heldUp();
    bench.clock.at = message!.plannedAt + 10 * MINUTE;
    const before = await bench.table.readOne(key.contact('p1'));
    await send(message!);
    expect(ses.accepted).toHaveLength(1);
    expect(await bench.table.readOne(key.contact('p1'))).toEqual(before);
  });
});
