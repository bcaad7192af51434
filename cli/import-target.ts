// Where an import writes to: the table of a stage, and a recorder in this process.
import { S3Client } from '@aws-sdk/client-s3';
import { uuidv7 } from 'uuidv7';
import { BookStore } from '../functions/aws/book-store.ts';
import { S3Bucket } from '../functions/aws/bucket.ts';
import type { Log } from '../functions/aws/handler.ts';
import { readModels } from '../functions/aws/model-store.ts';
import { Recorder } from '../functions/aws/recorder.ts';
import type { Table } from '../functions/aws/table.ts';
import { output, type Target } from './outputs.ts';
import { clientConfig, tableOf } from './publish.ts';

export interface ImportTarget {
  table: Table;
  books: BookStore;
  recorder: Recorder;
  now: () => number;
}

/** Opens a stage for an import. `now` is the stage's clock: a laptop run moves its own. */
export function openImport(target: Target, now: () => number = Date.now): ImportTarget {
  const table = tableOf(target);
  const bucket = new S3Bucket(
    output(target, 'BucketName'),
    new S3Client({ forcePathStyle: true, ...clientConfig(target, 'S3') }),
  );
  const books = new BookStore({ table, bucket, now, log: toStderr, models: readModels });
  return { table, books, recorder: new Recorder({ table, books, now, newId: uuidv7 }), now };
}

const toStderr: Log = {
  info() {},
  warn: (name) => console.error(`${name}`),
  error: (name) => console.error(`${name}`),
};
