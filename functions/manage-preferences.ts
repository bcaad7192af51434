// Links in mail: a page for people, one click for mail programs; a choice becomes an event on the bus.
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { emptyBook } from '../domain/book.ts';
import type { BookStore } from './aws/book-store.ts';
import type { Bus } from './aws/bus.ts';
import { now } from './aws/clock.ts';
import { books } from './aws/deciding.ts';
import { faultOf, log, handler as wrapped } from './aws/handler.ts';
import { bus } from './aws/parts.ts';
import { troublePage, visit } from './aws/preferences.ts';
import { type Secrets, secrets } from './aws/secrets.ts';

export interface PreferenceDeps {
  bus: Pick<Bus, 'put'>;
  books: Pick<BookStore, 'current'>;
  secrets: () => Promise<Secrets>;
  now: () => number;
}

/** Shows, and for a POST puts the event before it says that it is done. */
export async function managePreferences(
  event: APIGatewayProxyEventV2,
  deps: PreferenceDeps,
): Promise<APIGatewayProxyStructuredResultV2> {
  const { rawPath: path, headers, requestContext } = event;
  const request = { method: requestContext.http.method, path, language: headers['accept-language'] };
  const { keys } = await deps.secrets();
  // A book that cannot be read must not keep anybody from leaving.
  const book = await deps.books.current().catch(() => emptyBook());
  const led = visit(request, keys, book, deps.now());
  const refused = led.event === undefined ? 0 : await deps.bus.put([led.event]).catch(unreached);
  const { status, ...page } = refused > 0 ? troublePage() : led.page;
  return { statusCode: status, ...page };
}

/** A bus that cannot be reached has taken nothing. */
function unreached(error: unknown): number {
  log.error('bus.unreached', faultOf(error));
  return 1;
}

export const handler = wrapped((event: APIGatewayProxyEventV2) =>
  managePreferences(event, { bus: bus(), books: books(), secrets: () => secrets().read(), now }),
);
