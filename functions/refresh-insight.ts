// Each night: models of the customers fitted to the lake, put beside the book, and contacts decided over where rules read what moved.
import { AthenaWarehouse } from './aws/athena.ts';
import { now } from './aws/clock.ts';
import { plainBooks } from './aws/deciding.ts';
import { env } from './aws/env.ts';
import { log, handler as wrapped } from './aws/handler.ts';
import { bucket, queue, table } from './aws/parts.ts';
import { refreshInsight } from './aws/refresh.ts';

/** Each run has its own, so that what it says of its cost is of this run. */
const warehouse = () =>
  new AthenaWarehouse({
    workgroup: env('workgroup'),
    database: env('database'),
    output: `s3://${env('bucket')}/athena/`,
  });

export const handler = wrapped(async (_event: unknown) => {
  await refreshInsight({
    warehouse: warehouse(),
    table: table(),
    bucket: bucket(),
    books: plainBooks(),
    queue: queue(),
    rosterUrl: env('rosterQueue'),
    now,
    log,
  });
});
