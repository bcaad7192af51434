// The laptop's one HTTP server: tells by headers and path which service is meant, and lets troubles strike.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Entry, Events } from './events.ts';
import type { LambdaFunction } from './functions.ts';
import { type PageView, renderPage } from './page.ts';
import type { Pictures } from './pictures.ts';
import type { Buckets } from './s3.ts';
import { s3Fault } from './s3.ts';
import type { Secrets } from './secrets.ts';
import type { Answer, Call } from './service.ts';
import { ServiceError } from './service.ts';
import type { Ses } from './ses.ts';
import type { Queue } from './sqs.ts';
import { callSqs } from './sqs.ts';
import { ACCOUNT } from './template.ts';
import type { Troubles } from './trouble.ts';
import { callUrl } from './urls.ts';
import type { Work } from './work.ts';

/** Everything that the server speaks for. */
export interface Services {
  pictures: Pictures;
  queues: readonly Queue[];
  events: Events;
  buckets: Buckets;
  secrets: Secrets;
  ses: Ses;
  /** By the logical id of the URL. */
  urls: ReadonlyMap<string, LambdaFunction>;
  page: () => PageView;
  now: () => number;
}

export interface LocalServer {
  base: string;
  /** Requests before this answer 503. */
  serve(services: Services): void;
  close(): Promise<void>;
}

const MOST_BYTES = 64 * 1024 * 1024;
/** Where the laptop serves product pictures. */
export const PICTURES = '/_pictures/';

/** Listens on 127.0.0.1; addresses can be handed out before there is anything behind them. */
export async function startServer(port: number, work: Work, troubles: Troubles): Promise<LocalServer> {
  let services: Services | undefined;
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const end = work.begin();
    response.once('close', end);
    void respond(request, response).catch((error: unknown) => {
      if (response.headersSent) return response.destroy();
      write(
        response,
        { status: 500, body: JSON.stringify({ __type: 'InternalFailure', message: String(error) }) },
        request.method,
      );
    });
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await read(request);
    if (body === undefined) return;
    if (services === undefined) return write(response, { status: 503 }, request.method);
    const [rawPath = '/', rawQuery = ''] = (request.url ?? '/').split(/\?(.*)/s);
    const call: Call = {
      method: request.method ?? 'GET',
      path: decode(rawPath),
      query: new URLSearchParams(rawQuery),
      headers: request.headers,
      body,
    };
    const { operation, run, fault } = route(services, call, rawPath, rawQuery);
    const trouble = troubles.meet(operation)?.kind;
    let answer: Answer;
    try {
      if (trouble === 'error') throw new ServiceError('InternalFailure', 'Simulated.', 500);
      if (trouble === 'throttle' && operation !== 'SendEmail')
        throw new ServiceError('ThrottlingException', 'Rate exceeded');
      answer = await run(trouble);
      if (trouble === 'repeat') answer = await run(undefined);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      answer = fault(error);
    }
    if (trouble === 'drop') return void request.socket.destroy();
    write(response, answer, request.method);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve: (given) => {
      services = given;
    },
    close: async () => {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The whole body; a client that sends too much or hangs up is dropped. */
function read(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > MOST_BYTES) request.destroy();
    });
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.once('close', () => resolve(undefined));
    request.once('error', () => resolve(undefined));
  });
}

interface Route {
  /** The API operation, for troubles. */
  operation: string;
  run: (trouble: string | undefined) => Answer | Promise<Answer>;
  fault: (error: ServiceError) => Answer;
}

function route(services: Services, call: Call, rawPath: string, rawQuery: string): Route {
  const { method, path, headers, body } = call;
  const functionUrl = /^\/_url\/([A-Za-z0-9]+)(\/.*)?$/s.exec(rawPath);
  if (functionUrl !== null) {
    const fn = services.urls.get(functionUrl[1]!);
    return {
      operation: `url:${functionUrl[1]}`,
      run: () =>
        fn === undefined
          ? { status: 404, body: '{"message":"Not Found"}' }
          : callUrl(fn, call, decode(functionUrl[2] ?? '/'), rawQuery, services.now()),
      fault: jsonFault,
    };
  }
  const target = headers['x-amz-target'];
  if (typeof target === 'string') {
    const [service, operation = ''] = target.split('.');
    return {
      operation,
      run: (trouble) =>
        json(
          callTarget(services, service ?? '', operation, JSON.parse(body.toString() || '{}'), trouble === 'partial'),
        ),
      fault: jsonFault,
    };
  }
  if (path.startsWith('/v2/email/')) {
    const operation = method === 'POST' && path === '/v2/email/outbound-emails' ? 'SendEmail' : `${method} ${path}`;
    return {
      operation,
      run: (trouble) =>
        services.ses.call(
          call,
          trouble === 'throttle' || trouble === 'quota' || trouble === 'paused' ? trouble : undefined,
        ),
      fault: jsonFault,
    };
  }
  const signedFor = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? '')?.[1];
  if (signedFor === 's3' || services.buckets.has(path.split('/')[1] ?? '')) {
    const operations: Record<string, string> = {
      PUT: 'PutObject',
      GET: 'GetObject',
      HEAD: 'HeadObject',
      DELETE: 'DeleteObject',
    };
    const ofBucket = /^\/[^/]+\/?$/.test(path);
    return {
      operation: ofBucket ? 'ListObjectsV2' : (operations[method] ?? method),
      run: () => services.buckets.call(call),
      fault: s3Fault,
    };
  }
  if (signedFor === 'sts' || /(^|&)Action=GetCallerIdentity(&|$)/.test(body.toString('latin1', 0, 200))) {
    return { operation: 'GetCallerIdentity', run: callerIdentity, fault: jsonFault };
  }
  const picture =
    method === 'GET' && path.startsWith(PICTURES) ? services.pictures.file(path.slice(PICTURES.length)) : undefined;
  if (picture !== undefined) {
    return {
      operation: 'picture',
      run: () => ({ status: 200, headers: { 'content-type': picture.type }, body: picture.body }),
      fault: jsonFault,
    };
  }
  if ((method === 'GET' || method === 'HEAD') && path === '/') {
    return {
      operation: 'page',
      run: () => ({
        status: 200,
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
          'cache-control': 'no-store',
        },
        body: renderPage(services.page()),
      }),
      fault: jsonFault,
    };
  }
  return {
    operation: 'unknown',
    run: () => {
      throw new ServiceError(
        'UnknownOperationException',
        `The laptop serves nothing at ${method} ${path.slice(0, 100)}.`,
        404,
      );
    },
    fault: jsonFault,
  };
}

function callTarget(services: Services, service: string, operation: string, input: unknown, partial: boolean): object {
  switch (service) {
    case 'AmazonSQS':
      return callSqs(services.queues, operation, input, partial);
    case 'secretsmanager':
      return services.secrets.call(operation, input);
    case 'AWSEvents':
      if (operation === 'PutEvents')
        return services.events.put((input as { Entries?: Entry[] }).Entries ?? [], partial);
  }
  throw new ServiceError('UnknownOperationException', `The laptop does not serve ${service}.${operation}.`);
}

const json = (value: object): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: JSON.stringify(value),
});

const jsonFault = ({ type, message, status, headers }: ServiceError): Answer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-errortype': type, ...headers },
  body: JSON.stringify({ __type: type, message }),
});

function callerIdentity(): Answer {
  const body =
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>' +
    `<Arn>arn:aws:iam::${ACCOUNT}:user/laptop</Arn><UserId>laptop</UserId><Account>${ACCOUNT}</Account>` +
    '</GetCallerIdentityResult></GetCallerIdentityResponse>';
  return { status: 200, headers: { 'content-type': 'text/xml' }, body };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function write(response: ServerResponse, { status, headers, body }: Answer, method: string | undefined): void {
  const silent = method === 'HEAD' || status === 204 || status === 304;
  const length = body === undefined ? 0 : Buffer.byteLength(body);
  response.writeHead(status, { ...(silent ? {} : { 'content-length': length }), ...headers });
  response.end(silent ? undefined : body);
}
