// HTTPS → JSON: which products a shop's own page shows, for a page or a cart, and with a server's key for a person.
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { BookStore } from './aws/book-store.ts';
import { books } from './aws/deciding.ts';
import { faultOf, log, handler as wrapped } from './aws/handler.ts';
import { authenticate } from './aws/intake.ts';
import { answerQuestion, mayAskByPerson, readQuestion } from './aws/offers.ts';
import { table } from './aws/parts.ts';
import { type Secrets, secrets } from './aws/secrets.ts';
import type { Table } from './aws/table.ts';

export interface RecommendDeps {
  books: Pick<BookStore, 'current'>;
  table: Pick<Table, 'read'>;
  secrets: () => Promise<Secrets>;
}

/** A page may keep an answer that is not about a person so long, in seconds. */
const KEPT = 60;
/** For the browser of a page of any origin: the key is in the page, and no cookie is sent. Never of a person's answer. */
const ANY_ORIGIN = { 'access-control-allow-origin': '*' };
const ASKED_FIRST = {
  ...ANY_ORIGIN,
  'access-control-allow-methods': 'GET',
  'access-control-allow-headers': 'authorization',
  'access-control-max-age': '86400',
};

/** 200 with products, best first, which may be none; else what is wrong, for whoever built the page. */
export async function recommendProducts(
  event: APIGatewayProxyEventV2,
  deps: RecommendDeps,
): Promise<APIGatewayProxyStructuredResultV2> {
  const { rawPath: path, headers, queryStringParameters = {}, requestContext } = event;
  const { method } = requestContext.http;
  if (!/\/recommendations\/?$/.test(path))
    return refuse(404, 'door.path', 'recommendations are asked at /recommendations');
  if (method === 'OPTIONS') return { statusCode: 204, headers: ASKED_FIRST };
  if (method !== 'GET')
    return refuse(405, 'door.method', 'recommendations are asked by GET', {}, { allow: 'GET, OPTIONS' });
  const source = authenticate(headers.authorization, await deps.secrets());
  if (source === undefined)
    return refuse(
      401,
      'door.secret',
      'send "Authorization: Bearer <source>.<secret>"',
      {},
      { 'www-authenticate': 'Bearer' },
    );
  const question = readQuestion(queryStringParameters);
  if ('message' in question) return refuse(400, 'door.query', question.message, { path: question.path });
  const personal = question.who !== undefined;
  if (personal && !mayAskByPerson(source.rights))
    return refuse(403, 'source.person', 'this key may ask by products only: a person is asked about from the server');
  try {
    const answer = await answerQuestion(question, { book: await deps.books.current(), table: deps.table });
    const held = personal
      ? { 'cache-control': 'no-store' }
      : { 'cache-control': `private, max-age=${KEPT}`, ...ANY_ORIGIN };
    return say(200, answer, held);
  } catch (error) {
    // Pages go on without recommendations; what is wrong stands in the log.
    log.error('recommend.failed', faultOf(error));
    return refuse(503, 'door.busy', 'ask again in a moment', {}, { 'retry-after': '5' });
  }
}

function say(statusCode: number, body: unknown, headers: Record<string, string>): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

function refuse(
  status: number,
  code: string,
  message: string,
  more: object = {},
  headers: Record<string, string> = {},
) {
  const held = { 'cache-control': 'no-store', ...ANY_ORIGIN };
  return say(status, { error: { code, message, ...more } }, { ...held, ...headers });
}

export const handler = wrapped((event: APIGatewayProxyEventV2) =>
  recommendProducts(event, { books: books(), table: table(), secrets: () => secrets().read() }),
);
