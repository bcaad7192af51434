// What every handler shares: JSON logs without personal data, and batches whose items fail alone.
import { Logger } from '@aws-lambda-powertools/logger';
import middy from '@middy/core';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { pooled } from './table.ts';

/** One line of the log: a stable name, and values that identify no person. */
export interface Log {
  info(name: string, values?: Record<string, string | number | boolean>): void;
  warn(name: string, values?: Record<string, string | number | boolean>): void;
  error(name: string, values?: Record<string, string | number | boolean>): void;
}

const logger = new Logger();

export const log: Log = {
  info: (name, values) => logger.info(name, { ...values }),
  warn: (name, values) => logger.warn(name, { ...values }),
  error: (name, values) => logger.error(name, { ...values }),
};

/** What a log may say of an error: its kind and its stable code, never its text, which can quote input. */
export function faultOf(error: unknown): { error: string; code: string } {
  const { name, fault, $metadata } = error as {
    name?: string;
    fault?: { code?: string };
    $metadata?: { httpStatusCode?: number };
  };
  return { error: name ?? typeof error, code: fault?.code ?? String($metadata?.httpStatusCode ?? '') };
}

/** Wraps the core of a function: the request id in each line of the log, and one line for an error that ends it. */
export function handler<Event, Answer>(core: (event: Event) => Promise<Answer>) {
  return middy<Event, Answer, Error, Context>({ timeoutEarlyInMillis: 0 })
    .use({
      before: ({ context }) => {
        if (context?.awsRequestId !== undefined) logger.appendKeys({ request: context.awsRequestId });
      },
      onError: ({ error }) => {
        logger.error('function.failed', { ...faultOf(error), stack: where(error) });
      },
    })
    .handler((event: Event) => core(event));
}

/** The places of a stack without its first line, which can quote input. */
function where(error: Error | null | undefined): string {
  return (error?.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .join('\n');
}

/** Runs every record of a batch; those that throw are delivered again, the others are done. */
export async function eachRecord(
  event: SQSEvent,
  work: (record: SQSRecord) => Promise<void>,
  width = 8,
): Promise<SQSBatchResponse> {
  const failed: string[] = [];
  await pooled(event.Records, width, async (record) => {
    try {
      await work(record);
    } catch (error) {
      log.error('record.failed', { ...faultOf(error), id: record.messageId });
      failed.push(record.messageId);
    }
  });
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

/** Makes a value at the first call and keeps it: the parts of a function, made once per process. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
