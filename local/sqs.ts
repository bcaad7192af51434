// SQS: standard queues with visibility, delay and redrive, and the calls that clients make.
import { createHash, randomUUID } from 'node:crypto';
import { ServiceError } from './service.ts';
import type { QueueResource } from './template.ts';
import { ACCOUNT, REGION } from './template.ts';

export interface MessageAttribute {
  DataType: string;
  StringValue?: string;
  BinaryValue?: string;
}

export interface QueueMessage {
  id: string;
  body: string;
  attributes: Record<string, MessageAttribute>;
  /** Virtual epoch milliseconds. */
  sentAt: number;
  firstReceivedAt?: number;
  receives: number;
  /** The queue that gave it up. */
  deadFrom?: string;
}

interface Hidden {
  message: QueueMessage;
  /** Real milliseconds (performance.now) at which it is visible again; none while an invocation holds it. */
  until?: number;
}

const MOST_BYTES = 1_048_576;

/** One queue. Waiting (delay, visibility) runs on real time; `skipWaits` ends it at once. */
export class Queue {
  readonly resource: QueueResource;
  readonly #now: () => number;
  #visible: QueueMessage[] = [];
  #head = 0;
  readonly #hidden = new Map<string, Hidden>();
  #receipts = 0;
  /** Where messages go that were received too often. */
  deadLetters?: Queue;
  /** Called whenever there may be something to receive. */
  onVisible: () => void = () => {};

  constructor(resource: QueueResource, now: () => number) {
    this.resource = resource;
    this.#now = now;
  }

  /** How many could be received now. */
  get visible(): number {
    return this.#visible.length - this.#head;
  }

  get hidden(): number {
    return this.#hidden.size;
  }

  send(body: string, attributes: QueueMessage['attributes'] = {}, delay = this.resource.delay): QueueMessage {
    const message: QueueMessage = { id: randomUUID(), body, attributes, sentAt: this.#now(), receives: 0 };
    if (delay > 0) this.#hide(message, delay);
    else this.#show(message);
    return message;
  }

  /** Takes up to `most`; `held` = an invocation has them and will `delete` or `giveBack`. */
  receive(
    most: number,
    options: { visibility?: number; held?: boolean } = {},
  ): { receipt: string; message: QueueMessage }[] {
    this.#returnExpired();
    const taken: { receipt: string; message: QueueMessage }[] = [];
    while (taken.length < most && this.visible > 0) {
      const message = this.#visible[this.#head++]!;
      if (this.#head > 1000 && this.#head * 2 > this.#visible.length) {
        this.#visible = this.#visible.slice(this.#head);
        this.#head = 0;
      }
      if (
        this.deadLetters !== undefined &&
        message.receives >= (this.resource.redrive?.most ?? Number.POSITIVE_INFINITY)
      ) {
        this.deadLetters.#show({ ...message, receives: 0, deadFrom: this.resource.arn });
        continue;
      }
      message.receives++;
      message.firstReceivedAt ??= this.#now();
      const receipt = this.#hide(
        message,
        options.held === true ? undefined : (options.visibility ?? this.resource.visibility),
      );
      taken.push({ receipt, message });
    }
    return taken;
  }

  delete(receipt: string): void {
    this.#hidden.delete(receipt);
  }

  /** An invocation failed: visible again after the visibility time, or as soon as waits are skipped. */
  giveBack(receipt: string): void {
    const hidden = this.#hidden.get(receipt);
    if (hidden !== undefined) hidden.until = performance.now() + this.resource.visibility * 1000;
  }

  changeVisibility(receipt: string, seconds: number): void {
    const hidden = this.#hidden.get(receipt);
    if (hidden === undefined) throw new ServiceError('ReceiptHandleIsInvalid', 'The receipt handle is not known.');
    hidden.until = performance.now() + seconds * 1000;
    if (seconds === 0) this.#returnExpired();
  }

  /** Makes visible what only waits for time; false when there was nothing. */
  skipWaits(): boolean {
    return this.#return((hidden) => hidden.until !== undefined);
  }

  /** The messages that lie here, received or not, oldest first. */
  list(): QueueMessage[] {
    return [...this.#visible.slice(this.#head), ...[...this.#hidden.values()].map(({ message }) => message)].sort(
      (one, other) => one.sentAt - other.sentAt,
    );
  }

  purge(): void {
    this.#visible = [];
    this.#head = 0;
    this.#hidden.clear();
  }

  #show(message: QueueMessage): void {
    this.#visible.push(message);
    this.onVisible();
  }

  #hide(message: QueueMessage, seconds: number | undefined): string {
    const receipt = `${message.id}:${++this.#receipts}`;
    this.#hidden.set(receipt, { message, ...(seconds !== undefined && { until: performance.now() + seconds * 1000 }) });
    return receipt;
  }

  #returnExpired(): void {
    if (this.#hidden.size === 0) return;
    const now = performance.now();
    this.#return((hidden) => hidden.until !== undefined && hidden.until <= now);
  }

  #return(which: (hidden: Hidden) => boolean): boolean {
    let some = false;
    for (const [receipt, hidden] of this.#hidden) {
      if (!which(hidden)) continue;
      this.#hidden.delete(receipt);
      this.#show(hidden.message);
      some = true;
    }
    return some;
  }
}

/** A queue's messages in the shape of an event source mapping's event. */
export function queueEvent(queue: Queue, taken: { receipt: string; message: QueueMessage }[]): object {
  return {
    Records: taken.map(({ receipt, message }) => ({
      messageId: message.id,
      receiptHandle: receipt,
      body: message.body,
      attributes: systemAttributes(message),
      messageAttributes: Object.fromEntries(
        Object.entries(message.attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
          name,
          {
            stringValue: StringValue,
            binaryValue: BinaryValue,
            stringListValues: [],
            binaryListValues: [],
            dataType: DataType,
          },
        ]),
      ),
      md5OfBody: md5(message.body),
      eventSource: 'aws:sqs',
      eventSourceARN: queue.resource.arn,
      awsRegion: REGION,
    })),
  };
}

function systemAttributes(message: QueueMessage): Record<string, string> {
  return {
    ApproximateReceiveCount: String(message.receives),
    SentTimestamp: String(message.sentAt),
    SenderId: ACCOUNT,
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt ?? message.sentAt),
    ...(message.deadFrom !== undefined && { DeadLetterQueueSourceArn: message.deadFrom }),
  };
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

interface Sending {
  Id?: string;
  MessageBody?: string;
  DelaySeconds?: number;
  MessageAttributes?: Record<string, MessageAttribute>;
}
interface Input extends Sending {
  QueueUrl?: string;
  QueueName?: string;
  QueueNamePrefix?: string;
  ReceiptHandle?: string;
  VisibilityTimeout?: number;
  MaxNumberOfMessages?: number;
  WaitTimeSeconds?: number;
  Entries?: (Sending & { ReceiptHandle?: string; VisibilityTimeout?: number })[];
}

/** The calls of the SQS JSON protocol; `failLast` makes the last entry of a batch fail. Throws ServiceError. */
export function callSqs(queues: readonly Queue[], operation: string, given: unknown, failLast = false): object {
  const input = given as Input;
  const queue = () => {
    const name = input.QueueUrl?.split('/').at(-1) ?? input.QueueName;
    const found = queues.find(({ resource }) => resource.name === name);
    if (found === undefined)
      throw new ServiceError('QueueDoesNotExist', 'The specified queue does not exist.', 400, SQS_HEADER);
    return found;
  };
  switch (operation) {
    case 'SendMessage': {
      const message = queue().send(...sendable(input));
      return { MessageId: message.id, MD5OfMessageBody: md5(message.body) };
    }
    case 'SendMessageBatch': {
      const target = queue();
      return batch(input, failLast, (entry) => {
        const message = target.send(...sendable(entry));
        return { MessageId: message.id, MD5OfMessageBody: md5(message.body) };
      });
    }
    case 'ReceiveMessage': {
      const source = queue();
      const taken = source.receive(input.MaxNumberOfMessages ?? 1, {
        ...(input.VisibilityTimeout !== undefined && { visibility: input.VisibilityTimeout }),
      });
      return {
        ...(taken.length > 0 && {
          Messages: taken.map(({ receipt, message }) => ({
            MessageId: message.id,
            ReceiptHandle: receipt,
            Body: message.body,
            MD5OfBody: md5(message.body),
            Attributes: systemAttributes(message),
            MessageAttributes: message.attributes,
          })),
        }),
      };
    }
    case 'DeleteMessage':
      queue().delete(input.ReceiptHandle ?? '');
      return {};
    case 'DeleteMessageBatch': {
      const target = queue();
      return batch(input, failLast, (entry) => {
        target.delete(entry.ReceiptHandle ?? '');
        return {};
      });
    }
    case 'ChangeMessageVisibility':
      queue().changeVisibility(input.ReceiptHandle ?? '', input.VisibilityTimeout ?? 0);
      return {};
    case 'ChangeMessageVisibilityBatch': {
      const target = queue();
      return batch(input, failLast, (entry) => {
        target.changeVisibility(entry.ReceiptHandle ?? '', entry.VisibilityTimeout ?? 0);
        return {};
      });
    }
    case 'GetQueueUrl':
      return { QueueUrl: queue().resource.url };
    case 'ListQueues': {
      const prefix = input.QueueNamePrefix ?? '';
      return {
        QueueUrls: queues
          .filter(({ resource }) => resource.name.startsWith(prefix))
          .map(({ resource }) => resource.url),
      };
    }
    case 'PurgeQueue':
      queue().purge();
      return {};
    case 'GetQueueAttributes': {
      const { resource, visible, hidden } = queue();
      return {
        Attributes: {
          QueueArn: resource.arn,
          ApproximateNumberOfMessages: String(visible),
          ApproximateNumberOfMessagesNotVisible: String(hidden),
          ApproximateNumberOfMessagesDelayed: '0',
          VisibilityTimeout: String(resource.visibility),
          DelaySeconds: String(resource.delay),
          ...(resource.redrive && {
            RedrivePolicy: JSON.stringify({
              deadLetterTargetArn: resource.redrive.arn,
              maxReceiveCount: resource.redrive.most,
            }),
          }),
        },
      };
    }
    default:
      throw new ServiceError('UnsupportedOperation', `The laptop's SQS does not know ${operation}.`);
  }
}

const SQS_HEADER = { 'x-amzn-query-error': 'AWS.SimpleQueueService.NonExistentQueue;Sender' };

function sendable(entry: Sending): [string, Record<string, MessageAttribute>, number | undefined] {
  const body = entry.MessageBody ?? '';
  if (body === '') throw new ServiceError('MissingParameter', 'The request must contain the parameter MessageBody.');
  if (Buffer.byteLength(body) > MOST_BYTES) {
    throw new ServiceError(
      'InvalidParameterValue',
      `One or more parameters are invalid. Reason: Message must be shorter than ${MOST_BYTES} bytes.`,
    );
  }
  // The characters that SQS takes: #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF
  if (/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(body)) {
    throw new ServiceError('InvalidMessageContents', 'The message contains characters outside the allowed set.');
  }
  for (const [name, { StringValue, BinaryValue }] of Object.entries(entry.MessageAttributes ?? {})) {
    if (!StringValue && !BinaryValue) {
      throw new ServiceError(
        'InvalidParameterValue',
        `Message (user) attribute '${name}' must contain a non-empty value.`,
      );
    }
  }
  return [body, entry.MessageAttributes ?? {}, entry.DelaySeconds];
}

function batch(input: Input, failLast: boolean, run: (entry: NonNullable<Input['Entries']>[number]) => object): object {
  const entries = input.Entries ?? [];
  if (entries.length === 0)
    throw new ServiceError('EmptyBatchRequest', 'There should be at least one entry in the request.');
  if (entries.length > 10)
    throw new ServiceError('TooManyEntriesInBatchRequest', 'Maximum number of entries per request are 10.');
  if (new Set(entries.map(({ Id }) => Id)).size < entries.length) {
    throw new ServiceError('BatchEntryIdsNotDistinct', 'Id is repeated.');
  }
  const bytes = entries.reduce((sum, { MessageBody }) => sum + Buffer.byteLength(MessageBody ?? ''), 0);
  if (bytes > MOST_BYTES)
    throw new ServiceError('BatchRequestTooLong', `Batch requests cannot be longer than ${MOST_BYTES} bytes.`);
  const Successful: object[] = [];
  const Failed: object[] = [];
  entries.forEach((entry, index) => {
    try {
      if (failLast && index === entries.length - 1) throw new ServiceError('InternalError', 'Simulated.', 500);
      Successful.push({ Id: entry.Id, ...run(entry) });
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      Failed.push({ Id: entry.Id, Code: error.type, Message: error.message, SenderFault: error.status < 500 });
    }
  });
  return { Successful, Failed };
}
