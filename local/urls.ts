// Function URLs: HTTP requests as payload version 2, and answers back.
import { randomUUID } from 'node:crypto';
import type { LambdaFunction } from './functions.ts';
import { InvocationError } from './functions.ts';
import type { Answer, Call } from './service.ts';

const MOST_BYTES = 6 * 1024 * 1024;

/** What AWS hands over as text; everything else, forms among it, comes in base64. */
const TEXT = /^(text\/|application\/(json|javascript|xml)\b|application\/[\w.-]+\+(json|xml)\b)/i;

/** Invokes a function with a request below its URL and answers as a function URL does. `path` starts after the URL. */
export async function callUrl(
  fn: LambdaFunction,
  call: Call,
  path: string,
  rawQuery: string,
  now: number,
): Promise<Answer> {
  if (call.body.length > MOST_BYTES) return message(413, 'Request Entity Too Large');
  try {
    return answerOf(await fn.invoke(urlEvent(call, path, rawQuery, now)));
  } catch (error) {
    if (error instanceof InvocationError) return message(502, 'Internal Server Error');
    throw error;
  }
}

function urlEvent({ method, headers, query, body }: Call, path: string, rawQuery: string, now: number): object {
  const isText = TEXT.test(headers['content-type'] ?? '');
  const cookies = headers.cookie?.split(/;\s*/);
  const names = [...new Set(query.keys())];
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: rawQuery,
    ...(cookies !== undefined && { cookies }),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : value]),
    ),
    ...(names.length > 0 && {
      queryStringParameters: Object.fromEntries(names.map((name) => [name, query.getAll(name).join(',')])),
    }),
    requestContext: {
      accountId: 'anonymous',
      apiId: 'laptop',
      domainName: headers.host ?? 'laptop',
      domainPrefix: 'laptop',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: headers['user-agent'] ?? '' },
      requestId: randomUUID(),
      routeKey: '$default',
      stage: '$default',
      time: new Date(now).toUTCString(),
      timeEpoch: now,
    },
    ...(body.length > 0 && { body: isText ? body.toString('utf8') : body.toString('base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

interface UrlResult {
  statusCode?: number;
  headers?: Record<string, string | number | boolean>;
  cookies?: string[];
  body?: string;
  isBase64Encoded?: boolean;
}

function answerOf(result: unknown): Answer {
  const { statusCode, headers = {}, cookies, body = '', isBase64Encoded } = (result ?? {}) as UrlResult;
  if (statusCode === undefined) {
    const text = typeof result === 'string' ? result : JSON.stringify(result ?? null);
    return { status: 200, headers: { 'content-type': 'application/json' }, body: text };
  }
  const small = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  return {
    status: statusCode,
    headers: { 'content-type': 'application/json', ...small, ...(cookies !== undefined && { 'set-cookie': cookies }) },
    body: isBase64Encoded === true ? Buffer.from(body, 'base64') : body,
  };
}

const message = (status: number, text: string): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ message: text }),
});
