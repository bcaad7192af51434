// The queues: sending in batches with failed entries sent again, and dead letters with their reason.
import { SendMessageBatchCommand, type SendMessageBatchRequestEntry, SQSClient } from '@aws-sdk/client-sqs';
import { jitter, now, sleep } from './clock.ts';
import { chunks } from './table.ts';

/** Why something is dead: a stable reason, and the stage that gave up on it. Never personal. */
export interface DeadLetter {
  body: string;
  reason: string;
  stage: string;
}

export class Queue {
  readonly #client: SQSClient;
  constructor(client: SQSClient = new SQSClient({})) {
    this.#client = client;
  }

  /** Sends each body as JSON; resolves when all are taken. `delay` in seconds. */
  async send(url: string, bodies: unknown[], delay = 0): Promise<void> {
    const entries = bodies.map((body) => ({
      MessageBody: JSON.stringify(body),
      ...(delay > 0 && { DelaySeconds: delay }),
    }));
    await this.#sendAll(url, entries);
  }

  /** Puts letters to a dead-letter queue with `reason`, `stage` and `at` (ISO) as attributes. */
  async bury(url: string, letters: DeadLetter[]): Promise<void> {
    const at = new Date(now()).toISOString();
    const text = (value: string) => ({ DataType: 'String', StringValue: value });
    await this.#sendAll(
      url,
      letters.map(({ body, reason, stage }) => ({
        MessageBody: body === '' ? '(empty)' : body,
        MessageAttributes: { reason: text(reason), stage: text(stage), at: text(at) },
      })),
    );
  }

  async #sendAll(url: string, entries: Omit<SendMessageBatchRequestEntry, 'Id'>[]): Promise<void> {
    for (const chunk of batches(entries)) {
      let left = chunk.map((entry, index) => ({ ...entry, Id: String(index) }));
      for (let attempt = 0; left.length > 0; attempt++) {
        if (attempt > 4) throw new Error(`queue: ${left.length} entries were not taken`);
        if (attempt > 0) await sleep(jitter(attempt));
        const answer = await this.#client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: left }));
        const failed = new Map((answer.Failed ?? []).map((each) => [each.Id, each]));
        const faulty = [...failed.values()].find((each) => each.SenderFault === true);
        if (faulty !== undefined) throw new Error(`queue: an entry was refused: ${faulty.Code}`);
        left = left.filter((entry) => failed.has(entry.Id));
      }
    }
  }
}

/** At most ten entries and 900 KB in one call. */
function batches<T extends { MessageBody?: string | undefined }>(entries: T[]): T[][] {
  return chunks(entries, 10).flatMap((chunk) => {
    const size = chunk.reduce((sum, entry) => sum + (entry.MessageBody?.length ?? 0) * 3, 0);
    return size > 900_000 ? chunks(chunk, 1) : [chunk];
  });
}
