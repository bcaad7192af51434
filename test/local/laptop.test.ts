// The laptop with a small stack, spoken to by the AWS SDK as functions and the CLI do.
import { DynamoDBClient, PutItemCommand, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetAccountCommand, SESv2Client, SendEmailCommand } from '@aws-sdk/client-sesv2';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Laptop } from '../../local/laptop.ts';
import { startLaptop } from '../../local/laptop.ts';
import { assets, smallStack } from './small-stack.ts';

const START = Date.UTC(2026, 0, 5, 9);
const DAY = 86_400_000;

let laptop: Laptop;
const kept = { ...process.env };

beforeAll(async () => {
  laptop = await startLaptop({ template: smallStack(), assets, start: START, quiet: true });
  Object.assign(process.env, laptop.env);
}, 30_000);
afterAll(async () => {
  process.env = kept;
  await laptop?.close();
});

const s3 = () => new S3Client({});
const sqs = () => new SQSClient({});
const Bucket = () => laptop.outputs.BucketName!;
const queueUrl = (name: string) => laptop.outputs.QueueUrl!.replace('small-queue', name);

async function keys(Prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3().send(new ListObjectsV2Command({ Bucket: Bucket(), Prefix }));
  return Contents.map(({ Key }) => Key!);
}
async function objects<T>(prefix: string): Promise<T[]> {
  return Promise.all(
    (await keys(prefix)).map(async (Key) => {
      const { Body } = await s3().send(new GetObjectCommand({ Bucket: Bucket(), Key }));
      return JSON.parse(await Body!.transformToString()) as T;
    }),
  );
}
beforeEach(async () => {
  await laptop.idle();
  for (const Key of await keys('')) await s3().send(new DeleteObjectCommand({ Bucket: Bucket(), Key }));
  for (const name of ['small-dead-letters', 'small-feedback', 'small-ticks', 'small-guard']) {
    await sqs().send(new PurgeQueueCommand({ QueueUrl: queueUrl(name) }));
  }
  await laptop.mailbox.clear();
});

const event = (Detail: object) => ({ Source: 'shop', DetailType: 'Order Completed', Detail });
interface QueueRecord {
  record: { body: string; attributes: Record<string, string>; eventSourceARN: string };
  now: number;
}

describe('an event', () => {
  it('goes over the bus and its queue to the function, in the shape of AWS', async () => {
    const client = new EventBridgeClient({});
    const { FailedEntryCount, Entries } = await client.send(
      new PutEventsCommand({
        Entries: [{ EventBusName: 'small-bus', Source: 'shop', DetailType: 'Order Completed', Detail: '{"total":1}' }],
      }),
    );
    expect(FailedEntryCount).toBe(0);
    await laptop.idle();
    const [{ record }] = (await objects<QueueRecord>('queue/records/')) as [QueueRecord];
    expect(JSON.parse(record.body)).toMatchObject({
      version: '0',
      id: Entries![0]!.EventId,
      source: 'shop',
      'detail-type': 'Order Completed',
      time: expect.stringMatching(/^2026-01-05T09:00:\d\dZ$/),
      detail: { total: 1 },
    });
    expect(record.attributes.ApproximateReceiveCount).toBe('1');
    expect(record.eventSourceARN).toBe('arn:aws:sqs:us-east-1:000000000000:small-queue');
  });

  it('that is malformed fails alone, with the code of EventBridge', async () => {
    const { FailedEntryCount, Entries } = await new EventBridgeClient({}).send(
      new PutEventsCommand({
        Entries: [
          { EventBusName: 'small-bus', Source: 'shop', DetailType: 'x', Detail: '{' },
          { EventBusName: 'small-bus', Source: 'aws.ses', DetailType: 'x', Detail: '{}' },
          { EventBusName: 'other', Source: 'shop', DetailType: 'x', Detail: '{}' },
          { EventBusName: 'small-bus', Source: 'shop', DetailType: 'x', Detail: '{}' },
        ],
      }),
    );
    expect(FailedEntryCount).toBe(3);
    expect(Entries!.map(({ ErrorCode }) => ErrorCode)).toEqual([
      'MalformedDetail',
      'NotAuthorizedForSourceException',
      'ResourceNotFoundException',
      undefined,
    ]);
  });

  it('comes in one batch with others that were put together', async () => {
    await laptop.putEvents(Array.from({ length: 30 }, (_, n) => event({ n })));
    await laptop.idle();
    const calls = await objects<{ size: number; function: string }>('queue/calls/');
    expect(calls.map(({ size }) => size).sort()).toEqual([25, 5]);
    expect(calls[0]!.function).toBe('Kairos-laptop-Keeper');
  });
});

describe('an event of our own', () => {
  const own = (Source: string, DetailType: string) => laptop.putEvents([{ Source, DetailType, Detail: {} }]);
  const waiting = async () => {
    const { Messages = [] } = await sqs().send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl('small-feedback'), MaxNumberOfMessages: 10 }),
    );
    return Messages.map(({ Body }) => (JSON.parse(Body!) as { 'detail-type': string })['detail-type']);
  };

  it('goes to the rule that names it, and none of operations to the rule of everything else', async () => {
    await own('kairos', 'Consent Withdrawn');
    await own('kairos', 'Consent Granted');
    await own('kairos.operations', 'Sending Stopped');
    await laptop.idle();
    expect(await waiting()).toEqual(['Consent Withdrawn']);
    const recorded = await objects<QueueRecord>('queue/records/');
    expect(
      recorded.map(({ record }) => (JSON.parse(record.body) as { 'detail-type': string })['detail-type']).sort(),
    ).toEqual(['Consent Granted', 'Consent Withdrawn']);
  });
});

describe('a queue', () => {
  it('delivers again only what a partial batch response names, and gives it up after its receives', async () => {
    await laptop.putEvents([event({ n: 1 }), event({ n: 2, say: 'fail-this' }), event({ n: 3 })]);
    await laptop.idle();
    expect((await objects<{ size: number }>('queue/calls/')).map(({ size }) => size)).toEqual([3, 1, 1]);
    expect(await keys('queue/records/')).toHaveLength(2);
    const [letter, ...others] = await laptop.deadLetters();
    expect(others).toEqual([]);
    expect(letter!.queue).toBe('small-dead-letters');
    expect(JSON.parse(letter!.body)).toMatchObject({ detail: { n: 2 } });
    expect(letter!.attributes).toEqual({ receivedTooOftenFrom: 'small-queue' });
  });

  it('gives up a whole batch whose function throws', async () => {
    await laptop.putEvents([event({ n: 1 }), event({ n: 2, say: 'fail-the-batch' })]);
    await laptop.idle();
    expect(await laptop.deadLetters()).toHaveLength(2);
    expect(await keys('queue/calls/')).toHaveLength(3);
  });

  it('survives a function that takes too long: its thread ends and a new one starts', async () => {
    await laptop.putEvents([event({ say: 'hang' })]);
    await laptop.idle();
    expect(await laptop.deadLetters()).toHaveLength(1);
    expect(laptop.logs().filter((line) => line.includes('Task timed out after 2.00 seconds'))).toHaveLength(3);
    await laptop.putEvents([event({ n: 1 })]);
    await laptop.idle();
    expect(await keys('queue/records/')).toHaveLength(1);
  }, 30_000);

  it('keeps message attributes, hides what was received, and names the entries that fail', async () => {
    const QueueUrl = queueUrl('small-ticks');
    const sent = await sqs().send(
      new SendMessageBatchCommand({
        QueueUrl,
        Entries: [
          { Id: 'a', MessageBody: 'one', MessageAttributes: { reason: { DataType: 'String', StringValue: 'why' } } },
          { Id: 'b', MessageBody: 'bad \u0000' },
        ],
      }),
    );
    expect(sent.Failed).toMatchObject([{ Id: 'b', Code: 'InvalidMessageContents', SenderFault: true }]);
    const { Messages } = await sqs().send(new ReceiveMessageCommand({ QueueUrl, MessageAttributeNames: ['All'] }));
    expect(Messages).toMatchObject([{ Body: 'one', MessageAttributes: { reason: { StringValue: 'why' } } }]);
    expect((await sqs().send(new ReceiveMessageCommand({ QueueUrl }))).Messages).toBeUndefined();
    await sqs().send(
      new DeleteMessageBatchCommand({ QueueUrl, Entries: [{ Id: 'a', ReceiptHandle: Messages![0]!.ReceiptHandle! }] }),
    );
    const { Attributes } = await sqs().send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
    expect(Attributes).toMatchObject({ ApproximateNumberOfMessages: '0', ApproximateNumberOfMessagesNotVisible: '0' });
  });
});

describe('a dead letter', () => {
  const QueueUrl = () => queueUrl('small-dead-letters');
  const receive = (VisibilityTimeout?: number) =>
    sqs().send(
      new ReceiveMessageCommand({
        QueueUrl: QueueUrl(),
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
        WaitTimeSeconds: 0,
        ...(VisibilityTimeout !== undefined && { VisibilityTimeout }),
      }),
    );
  const waiting = async () => {
    const { Attributes } = await sqs().send(
      new GetQueueAttributesCommand({ QueueUrl: QueueUrl(), AttributeNames: ['All'] }),
    );
    return [Number(Attributes?.ApproximateNumberOfMessages), Number(Attributes?.ApproximateNumberOfMessagesNotVisible)];
  };

  it('is read from outside, put back at once, sent to where it came from, and deleted', async () => {
    await laptop.putEvents([event({ n: 1, say: 'fail-this' })]);
    await laptop.idle();
    expect(await waiting()).toEqual([1, 0]);
    const { Messages: [first] = [] } = await receive(300);
    expect(first!.Attributes).toMatchObject({
      DeadLetterQueueSourceArn: 'arn:aws:sqs:us-east-1:000000000000:small-queue',
    });
    await laptop.idle();
    // Nobody skips the waiting of a dead letter: it is a person who reads it.
    expect(await waiting()).toEqual([0, 1]);
    await sqs().send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: QueueUrl(),
        ReceiptHandle: first!.ReceiptHandle!,
        VisibilityTimeout: 0,
      }),
    );
    expect(await waiting()).toEqual([1, 0]);
    const { Messages: [again] = [] } = await receive();
    expect(again!.Body).toBe(first!.Body);
    const mended = again!.Body!.replace('fail-this', 'mended');
    await sqs().send(
      new SendMessageBatchCommand({
        QueueUrl: queueUrl('small-queue'),
        Entries: [{ Id: 'a', MessageBody: mended }],
      }),
    );
    await sqs().send(new DeleteMessageCommand({ QueueUrl: QueueUrl(), ReceiptHandle: again!.ReceiptHandle! }));
    await laptop.idle();
    expect(await waiting()).toEqual([0, 0]);
    expect(await keys('queue/records/')).toHaveLength(1);
    await expect(
      sqs().send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: QueueUrl(),
          ReceiptHandle: again!.ReceiptHandle!,
          VisibilityTimeout: 0,
        }),
      ),
    ).rejects.toMatchObject({ name: 'ReceiptHandleIsInvalid' });
  });
});

describe('the stream', () => {
  const put = (pk: string, sk: string, more: Record<string, { S: string } | { N: string }> = {}) =>
    new DynamoDBClient({}).send(
      new PutItemCommand({ TableName: 'small-table', Item: { pk: { S: pk }, sk: { S: sk }, ...more } }),
    );

  it('gives its function only what the filter names', async () => {
    await put('CONTACT#1', 'CONTACT');
    await put('CONTACT#1', 'MESSAGE#1');
    await put('CONTACT#1', 'MESSAGE#1', { changed: { S: 'yes' } });
    await laptop.idle();
    const records = await objects<{ record: Record<string, unknown> }>('stream/records/');
    expect(records).toHaveLength(1);
    expect(records[0]!.record).toMatchObject({
      eventName: 'INSERT',
      eventSource: 'aws:dynamodb',
      awsRegion: 'us-east-1',
      dynamodb: { Keys: { pk: { S: 'CONTACT#1' }, sk: { S: 'MESSAGE#1' } }, NewImage: { pk: { S: 'CONTACT#1' } } },
    });
  });

  it('halves a failing batch, retries what is left, and puts it with its records into the bucket', async () => {
    const items = ['a', 'b', 'c', 'fail-the-batch', 'e'];
    await new DynamoDBClient({}).send(
      new TransactWriteItemsCommand({
        TransactItems: items.map((name) => ({
          Put: {
            TableName: 'small-table',
            Item: { pk: { S: `CONTACT#bisect-${name}` }, sk: { S: `MESSAGE#${name}` } },
          },
        })),
      }),
    );
    await laptop.idle();
    expect(await keys('stream/records/')).toHaveLength(4);
    const [failure, ...others] = await objects<{ payload: string; requestContext: object }>('aws/lambda/');
    expect(others).toEqual([]);
    expect(failure!.requestContext).toMatchObject({ condition: 'RetryAttemptsExhausted', approximateInvokeCount: 3 });
    const { Records } = JSON.parse(failure!.payload) as { Records: { dynamodb: { Keys: object } }[] };
    expect(Records.map(({ dynamodb }) => dynamodb.Keys)).toEqual([
      { pk: { S: 'CONTACT#bisect-fail-the-batch' }, sk: { S: 'MESSAGE#fail-the-batch' } },
    ]);
  });

  it('tells the earliest due instant', async () => {
    const due = (pk: string, at: number) =>
      put(pk, 'CONTACT', { duePk: { S: 'DUE#tick#00' }, dueAt: { N: String(at) } });
    await due('D1', 300);
    await due('D2', 200);
    await due('D3', 400);
    await laptop.idle();
    expect(laptop.nextDue()).toBe(200);
    await due('D2', 500);
    await put('D1', 'CONTACT');
    await laptop.idle();
    expect(laptop.nextDue()).toBe(400);
    await put('D2', 'CONTACT');
    await put('D3', 'CONTACT');
    await laptop.idle();
    expect(laptop.nextDue()).toBeUndefined();
  });
});

describe('the clock', () => {
  it('moves forward for the functions too, and never back', async () => {
    const before = laptop.clock.now();
    laptop.clock.moveTo(before + 2 * DAY);
    laptop.clock.moveTo(START);
    expect(laptop.clock.now()).toBeGreaterThanOrEqual(before + 2 * DAY);
    await laptop.putEvents([event({})]);
    await laptop.idle();
    const [kept] = (await objects<QueueRecord>('queue/records/')) as [QueueRecord];
    expect(kept.now).toBeGreaterThanOrEqual(before + 2 * DAY);
    expect(kept.now).toBeLessThan(before + 2 * DAY + 60_000);
    expect(Number(kept.record.attributes.SentTimestamp)).toBeGreaterThanOrEqual(before + 2 * DAY);
  });

  it('refuses to move while something is under way', async () => {
    await laptop.putEvents([event({})]);
    expect(() => laptop.clock.moveTo(laptop.clock.now() + DAY)).toThrow('the clock moves only when idle');
    await laptop.idle();
  });

  it('fires the rule of each minute only when asked', async () => {
    await laptop.runTimers();
    const { Messages } = await sqs().send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl('small-ticks'), MaxNumberOfMessages: 10 }),
    );
    expect(Messages!.map(({ Body }) => (JSON.parse(Body!) as { 'detail-type': string })['detail-type'])).toEqual([
      'Scheduled Event',
    ]);
  });

  it('fires all rules of each minute, each once', async () => {
    await laptop.runTimers();
    for (const name of ['small-ticks', 'small-guard']) {
      const { Messages } = await sqs().send(
        new ReceiveMessageCommand({ QueueUrl: queueUrl(name), MaxNumberOfMessages: 10 }),
      );
      expect(Messages).toHaveLength(1);
    }
  });

  it('retries a scheduled function as its settings say', async () => {
    const trouble = laptop.simulate({ at: 'invoke:ticker', kind: 'drop' });
    await laptop.runTimers();
    trouble.stop();
    expect(trouble.struck()).toBe(2);
    const { Messages } = await sqs().send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl('small-ticks'), MaxNumberOfMessages: 10 }),
    );
    expect(Messages).toHaveLength(2);
  });
});

describe('a function URL', () => {
  const url = () => laptop.outputs.EventsUrl!;

  it('hands over payload version 2 and answers with status, headers and cookies', async () => {
    const response = await fetch(`${url()}u/abc%20d?x=1&x=2`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Mixed-Case': 'Kept', Cookie: 'k=v; l=w' },
      body: '{"ü":1}',
    });
    expect(response.status).toBe(201);
    expect(response.headers.get('x-seen')).toBe('yes');
    expect(response.headers.getSetCookie()).toEqual(['a=1; Secure', 'b=2']);
    expect(await response.json()).toMatchObject({
      version: '2.0',
      rawPath: '/u/abc d',
      rawQueryString: 'x=1&x=2',
      queryStringParameters: { x: '1,2' },
      headers: { 'x-mixed-case': 'Kept' },
      cookies: ['k=v', 'l=w'],
      body: '{"ü":1}',
      isBase64Encoded: false,
      requestContext: { http: { method: 'POST', path: '/u/abc d' } },
    });
  });

  it('hands over a form in base64, as AWS does', async () => {
    const response = await fetch(url(), {
      method: 'POST',
      body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }),
    });
    const { body, isBase64Encoded } = (await response.json()) as { body: string; isBase64Encoded: boolean };
    expect(isBase64Encoded).toBe(true);
    expect(Buffer.from(body, 'base64').toString()).toBe('List-Unsubscribe=One-Click');
  });

  it('answers 502 when the function throws, and says nothing of why', async () => {
    const response = await fetch(`${url()}crash`);
    expect([response.status, await response.text()]).toEqual([502, '{"message":"Internal Server Error"}']);
  });
});

describe('the bucket', () => {
  it('keeps what streams and texts put, and lists it page by page', async () => {
    const put = (Key: string, Body: string | Buffer) =>
      s3().send(new PutObjectCommand({ Bucket: Bucket(), Key, Body }));
    await put('list/a b&c.json', '{"ü":1}');
    await put('list/deep/x', Buffer.from([0, 1, 255]));
    await put('list/deep/y', 'y');
    const { Body } = await s3().send(new GetObjectCommand({ Bucket: Bucket(), Key: 'list/a b&c.json' }));
    expect(await Body!.transformToString()).toBe('{"ü":1}');
    const page = await s3().send(new ListObjectsV2Command({ Bucket: Bucket(), Prefix: 'list/', MaxKeys: 2 }));
    expect([page.Contents!.map(({ Key }) => Key), page.IsTruncated]).toEqual([
      ['list/a b&c.json', 'list/deep/x'],
      true,
    ]);
    const rest = await s3().send(
      new ListObjectsV2Command({ Bucket: Bucket(), Prefix: 'list/', ContinuationToken: page.NextContinuationToken! }),
    );
    expect(rest.Contents!.map(({ Key }) => Key)).toEqual(['list/deep/y']);
    const folders = await s3().send(new ListObjectsV2Command({ Bucket: Bucket(), Prefix: 'list/', Delimiter: '/' }));
    expect(folders.CommonPrefixes).toEqual([{ Prefix: 'list/deep/' }]);
  });

  it('takes a body in chunks with a trailing checksum', async () => {
    const wire = `3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\n`;
    await fetch(`${laptop.url}${Bucket()}/chunked`, {
      method: 'PUT',
      headers: {
        'content-encoding': 'aws-chunked',
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'x-amz-trailer': 'x-amz-checksum-crc32',
      },
      body: wire,
    });
    const { Body, ContentEncoding } = await s3().send(new GetObjectCommand({ Bucket: Bucket(), Key: 'chunked' }));
    expect([await Body!.transformToString(), ContentEncoding]).toEqual(['abcde', undefined]);
  });

  it('refuses what is not there, and a write that wants to be the first', async () => {
    await expect(s3().send(new GetObjectCommand({ Bucket: Bucket(), Key: 'no' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
    await expect(s3().send(new HeadObjectCommand({ Bucket: Bucket(), Key: 'no' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
    const first = () =>
      s3().send(new PutObjectCommand({ Bucket: Bucket(), Key: 'first', Body: '1', IfNoneMatch: '*' }));
    await first();
    await expect(first()).rejects.toMatchObject({ name: 'PreconditionFailed' });
  });
});

describe('the secret', () => {
  it('is generated as the template asks, and can be changed', async () => {
    const client = new SecretsManagerClient({});
    const SecretId = laptop.outputs.SecretName!;
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }));
    expect(JSON.parse(SecretString!)).toEqual({ current: 'k1', k1: expect.stringMatching(/^[A-Za-z0-9]{40}$/) });
    await client.send(new PutSecretValueCommand({ SecretId, SecretString: '{}' }));
    expect((await client.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('{}');
    await expect(client.send(new GetSecretValueCommand({ SecretId: 'other' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });
});

describe('an e-mail', () => {
  const send = (to: string, more: object = {}) =>
    new SESv2Client({ maxAttempts: 1 }).send(
      new SendEmailCommand({
        FromEmailAddress: '"Shop" <shop@shop.example>',
        Destination: { ToAddresses: [to] },
        ConfigurationSetName: 'small-set',
        EmailTags: [{ Name: 'message', Value: 'm-1' }],
        Content: {
          Simple: {
            Subject: { Data: 'Hello' },
            Body: { Html: { Data: '<p>Hi</p>' }, Text: { Data: 'Hi' } },
            Headers: [{ Name: 'List-Unsubscribe', Value: '<https://shop.example/u/1>' }],
          },
        },
        ...more,
      }),
    );
  async function feedback() {
    await laptop.idle();
    const { Messages = [] } = await sqs().send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl('small-feedback'), MaxNumberOfMessages: 10 }),
    );
    return Messages.map(({ Body }) => JSON.parse(Body!) as { 'detail-type': string; detail: Record<string, unknown> });
  }
  const types = async () => (await feedback()).map((one) => one['detail-type']);

  it('lies in the mailbox, and SES speaks of it with its tags', async () => {
    const { MessageId } = await send('ann@shop.example');
    const [sent, delivered] = await feedback();
    expect(sent).toMatchObject({
      source: 'aws.ses',
      'detail-type': 'Email Sent',
      detail: {
        eventType: 'Send',
        mail: { messageId: MessageId, tags: { message: ['m-1'], 'ses:configuration-set': ['small-set'] } },
        send: {},
      },
    });
    expect(delivered).toMatchObject({
      'detail-type': 'Email Delivered',
      detail: { delivery: { recipients: ['ann@shop.example'] } },
    });
    expect(await laptop.mailbox.list()).toMatchObject([
      {
        id: MessageId,
        to: ['ann@shop.example'],
        subject: 'Hello',
        html: '<p>Hi</p>',
        tags: { message: 'm-1' },
        headers: [{ name: 'List-Unsubscribe', value: '<https://shop.example/u/1>' }],
      },
    ]);
    const { emails } = (await (await fetch(`${laptop.mailbox.url}store`)).json()) as {
      emails: { messageId: string }[];
    };
    expect(emails.map(({ messageId }) => messageId)).toEqual([MessageId]);
  });

  it.each([
    ['success@simulator.amazonses.com', ['Email Sent', 'Email Delivered']],
    ['ooto+a@simulator.amazonses.com', ['Email Sent', 'Email Delivered']],
    ['bounce+label@simulator.amazonses.com', ['Email Sent', 'Email Bounced']],
    ['complaint@simulator.amazonses.com', ['Email Sent', 'Email Delivered', 'Email Complaint Received']],
    ['suppressionlist@simulator.amazonses.com', ['Email Sent', 'Email Bounced']],
  ])('to %s makes the events of the mailbox simulator', async (to, expected) => {
    await send(to);
    expect(await types()).toEqual(expected);
  });

  it('is refused with the names of SES', async () => {
    await expect(send('ann@shop.example', { ConfigurationSetName: 'none' })).rejects.toMatchObject({
      name: 'NotFoundException',
    });
    await expect(send('Łukasz@shop.example')).rejects.toMatchObject({ name: 'BadRequestException' });
    await expect(send('a@b.example', { EmailTags: [{ Name: 'x', Value: 'a b' }] })).rejects.toMatchObject({
      name: 'BadRequestException',
    });
    expect(laptop.mailbox.count()).toBe(0);
  });

  describe('in trouble', () => {
    let stop: (() => void) | undefined;
    afterEach(() => stop?.());

    it.each([
      ['throttle', 'TooManyRequestsException'],
      ['quota', 'TooManyRequestsException'],
      ['paused', 'SendingPausedException'],
      ['error', 'InternalFailure'],
    ] as const)('%s is not taken', async (kind, name) => {
      ({ stop } = laptop.simulate({ at: 'SendEmail', kind, times: 1 }));
      await expect(send('ann@shop.example')).rejects.toMatchObject({ name });
      await send('ann@shop.example');
      expect(laptop.mailbox.count()).toBe(1);
    });

    it('is taken although the connection drops', async () => {
      ({ stop } = laptop.simulate({ at: 'SendEmail', kind: 'drop', times: 1 }));
      await expect(send('ann@shop.example')).rejects.toThrow();
      expect(await types()).toEqual(['Email Sent', 'Email Delivered']);
      expect(laptop.mailbox.count()).toBe(1);
    });

    it('loses, repeats and delays its events', async () => {
      const lost = laptop.simulate({ at: 'event:Send', kind: 'lose', times: 1 });
      await send('ann@shop.example');
      expect(await types()).toEqual(['Email Delivered']);
      lost.stop();
      const repeated = laptop.simulate({ at: 'event:Delivery', kind: 'repeat' });
      await send('ann@shop.example');
      expect(await types()).toEqual(['Email Sent', 'Email Delivered', 'Email Delivered']);
      repeated.stop();
      const delayed = laptop.simulate({ at: 'event:Send', kind: 'delay' });
      stop = delayed.stop;
      await send('ann@shop.example');
      expect(await types()).toEqual(['Email Delivered']);
      delayed.release();
      expect(await types()).toEqual(['Email Sent']);
    });
  });

  it('counts against the quota that the account tells', async () => {
    const sent = async () =>
      (await new SESv2Client({}).send(new GetAccountCommand({}))).SendQuota?.SentLast24Hours ?? Number.NaN;
    const before = await sent();
    await send('ann@shop.example', { Destination: { ToAddresses: ['ann@shop.example', 'bob@shop.example'] } });
    await laptop.mailbox.clear();
    expect((await sent()) - before).toBe(2);
    laptop.clock.moveTo(laptop.clock.now() + DAY);
    expect(await sent()).toBe(0);
  });
});

describe('the page', () => {
  it('shows dead letters, escaped, and links the mailbox', async () => {
    await laptop.putEvents([event({ say: 'fail-this', name: '<script>alert(1)</script>' })]);
    await laptop.idle();
    const response = await fetch(laptop.url);
    const html = await response.text();
    expect(html).toContain('&#60;script&#62;alert(1)');
    expect(html).not.toContain('<script');
    expect(html).toContain(`href="${laptop.mailbox.url}"`);
    expect(html).toContain(`POST ${laptop.outputs.EventsUrl}`);
  });
});

it('tells who the caller is', async () => {
  expect((await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn).toBe(
    'arn:aws:iam::000000000000:user/laptop',
  );
});

it('refuses an unknown call loudly', async () => {
  const response = await fetch(laptop.url, {
    method: 'POST',
    headers: { 'x-amz-target': 'AmazonSQS.CreateQueue' },
    body: '{}',
  });
  expect([response.status, await response.json()]).toEqual([
    400,
    { __type: 'UnsupportedOperation', message: "The laptop's SQS does not know CreateQueue." },
  ]);
});
