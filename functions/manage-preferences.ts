// Links in mail: a page for people, one click for mail programs, pictures; a choice becomes an event on the bus.
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { emptyBook } from '../domain/book.ts';
import type { BookStore } from './aws/book-store.ts';
import { S3Bucket } from './aws/bucket.ts';
import type { Bus } from './aws/bus.ts';
import { now } from './aws/clock.ts';
import { plainBooks } from './aws/deciding.ts';
import { env } from './aws/env.ts';
import { faultOf, log, once, handler as wrapped } from './aws/handler.ts';
import { troublePage } from './aws/pages.ts';
import { bus, table } from './aws/parts.ts';
import { PictureDoor } from './aws/pictures.ts';
import { soon, visit } from './aws/preferences.ts';
import { type Secrets, secrets } from './aws/secrets.ts';
import type { Table } from './aws/table.ts';

export interface PreferenceDeps {
  bus: Pick<Bus, 'put'>;
  books: Pick<BookStore, 'current' | 'byHash'>;
  pictures: Pick<PictureDoor, 'answer'>;
  table: Pick<Table, 'read'>;
  secrets: () => Promise<Secrets>;
  now: () => number;
}

/** Shows, and for a POST puts the events before it says that it is done. */
export async function managePreferences(
  event: APIGatewayProxyEventV2,
  deps: PreferenceDeps,
): Promise<APIGatewayProxyStructuredResultV2> {
  const { rawPath: path, headers, requestContext, isBase64Encoded } = event;
  const picture = await deps.pictures.answer(requestContext.http.method, path);
  if (picture !== undefined) {
    const { status, body: bytes, ...said } = picture;
    return { statusCode: status, ...said, body: Buffer.from(bytes).toString('base64'), isBase64Encoded: true };
  }
  const body = Buffer.from(event.body ?? '', isBase64Encoded ? 'base64' : 'utf8').toString('utf8');
  const request = { method: requestContext.http.method, path, language: headers['accept-language'], body };
  const { keys } = await deps.secrets();
  // A book that cannot be read must not keep anybody from leaving.
  const book = await soon(deps.books.current()).catch(() => emptyBook());
  const bookOf = (hash: string) => deps.books.byHash(hash);
  const led = await visit(request, { keys, book, bookOf, table: deps.table, log, now: deps.now() });
  const refused = led.events.length === 0 ? 0 : await deps.bus.put(led.events).catch(unreached);
  const { status, ...page } = refused > 0 ? troublePage() : led.page;
  return { statusCode: status, ...page };
}

/** A bus that cannot be reached has taken nothing. */
function unreached(error: unknown): number {
  log.error('bus.unreached', faultOf(error));
  return 1;
}

const pictures = once(() => new PictureDoor(new S3Bucket(env('bucket'))));

export const handler = wrapped((event: APIGatewayProxyEventV2) =>
  managePreferences(event, {
    bus: bus(),
    books: plainBooks(),
    pictures: pictures(),
    table: table(),
    secrets: () => secrets().read(),
    now,
  }),
);
