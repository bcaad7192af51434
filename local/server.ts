// The laptop's HTTP server: tells by headers and path which service is meant, and lets troubles strike. SES has an address of its own.
import { randomInt } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Athena } from './athena.ts';
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
import type { Strike, Troubles } from './trouble.ts';
import { callUrl } from './urls.ts';
import type { Work } from './work.ts';

/** Everything that the server speaks for. */
export interface Services {
  pictures: Pictures;
  queues: readonly Queue[];
  events: Events;
  buckets: Buckets;
  secrets: Secrets;
  athena: Athena;
  ses: Ses;
  /** By the logical id of the URL. */
  urls: ReadonlyMap<string, LambdaFunction>;
  page: () => PageView;
  /** Ends the function with this logical id in the middle of what it does. */
  crash: (id: string) => void;
  now: () => number;
}

export interface LocalServer {
  base: string;
  /** Where SES is: an address of its own, so that it alone can be out of reach. */
  sesBase: string;
  /** While not listening, connections to SES are refused; those that are open break. */
  listenForSes(listens: boolean): Promise<void>;
  /** Requests before this answer 503. */
  serve(services: Services): void;
  close(): Promise<void>;
}

const MOST_PORTS = 50;
const MOST_BYTES = 64 * 1024 * 1024;
/** Where the laptop serves product pictures. */
export const PICTURES = '/_pictures/';

/** Listens on 127.0.0.1; addresses can be handed out before there is anything behind them. */
export async function startServer(port: number, work: Work, troubles: Troubles): Promise<LocalServer> {
  let services: Services | undefined;
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
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
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, onRequest);
  const sesServer = createServer({ keepAliveTimeout: 60_000 }, onRequest);

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
    const strike = troubles.meet(operation);
    const sending = operation === 'SendEmail' ? services.ses.account.arrive() : undefined;
    if (strike?.kind === 'reset' || strike?.kind === 'hang' || strike?.kind === 'crash') {
      if (sending !== undefined) sending.outcome = strike.kind;
      if (strike.kind === 'crash') services.crash(callerOf(call));
      // A hanging request ends when the client gives it up.
      if (strike.kind !== 'hang') request.socket.resetAndDestroy();
      return;
    }
    let answer: Answer;
    try {
      refuseBy(strike, operation);
      answer = await run(strike?.kind);
      if (strike?.kind === 'repeat') answer = await run(undefined);
      if (sending !== undefined) sending.outcome = 'accepted';
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (sending !== undefined) sending.outcome = error.type;
      answer = fault(error);
    }
    if (strike?.kind === 'drop') return void request.socket.destroy();
    write(response, answer, request.method);
  }

  await listen(server, port);
  const sesPort = await listenSomewhere(sesServer);
  const stop = async (one: Server) => {
    const closed = new Promise((done) => one.close(done));
    one.closeAllConnections();
    await closed;
  };
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sesBase: `http://127.0.0.1:${sesPort}`,
    listenForSes: async (listens) => {
      if (listens === sesServer.listening) return;
      await (listens ? listen(sesServer, sesPort) : stop(sesServer));
    },
    serve: (given) => {
      services = given;
    },
    close: async () => {
      await Promise.all([server, sesServer].map(stop));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Listens on a free port below those that systems hand out, so that nobody takes it while SES is out of reach. */
async function listenSomewhere(server: Server): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = 20_000 + randomInt(12_000);
    try {
      await listen(server, port);
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === MOST_PORTS) throw error;
    }
  }
}

/** The function that calls: its SDK names it at the end of the user agent. */
function callerOf({ headers }: Call): string {
  return /\bapp\/(\w+)/.exec(`${headers['user-agent']} ${headers['x-amz-user-agent']}`)?.[1] ?? '';
}

/** Troubles in which a call is answered, but not done. Throws ServiceError. */
function refuseBy(strike: Strike | undefined, operation: string): void {
  switch (strike?.kind) {
    case 'error':
      throw new ServiceError('InternalFailure', 'Simulated.', 500);
    case 'throttle':
      if (operation === 'SendEmail')
        throw new ServiceError('TooManyRequestsException', 'Maximum sending rate exceeded.', 429);
      throw new ServiceError('ThrottlingException', 'Rate exceeded');
    case 'quota':
      throw new ServiceError('TooManyRequestsException', 'Daily message quota exceeded.', 429);
    case 'paused':
      throw new ServiceError('SendingPausedException', 'Email sending is disabled.');
    case 'denied':
      throw new ServiceError(
        'AccessDeniedException',
        `User: arn:aws:sts::${ACCOUNT}:assumed-role/laptop/laptop is not authorized to perform: ${operation}`,
        403,
      );
    case 'refuse': {
      const { status = 400, type, message } = strike.answer ?? { type: 'BadRequestException', message: 'Simulated.' };
      throw new ServiceError(type, message, status);
    }
  }
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
    const [, , , kind = '', , part] = path.split('/');
    return {
      operation: SES_OPERATIONS[`${method} ${kind}`] ?? `${method} ${kind} ${part}`,
      run: () => services.ses.call(call),
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

const SES_OPERATIONS: Record<string, string> = {
  'POST outbound-emails': 'SendEmail',
  'GET account': 'GetAccount',
  'PUT account': 'PutAccountSendingAttributes',
  'GET identities': 'GetEmailIdentity',
  'GET configuration-sets': 'GetConfigurationSet',
  'PUT configuration-sets': 'PutConfigurationSetSendingOptions',
  'PUT suppression': 'PutSuppressedDestination',
  'GET suppression': 'GetSuppressedDestination',
  'DELETE suppression': 'DeleteSuppressedDestination',
};

function callTarget(services: Services, service: string, operation: string, input: unknown, partial: boolean): object {
  switch (service) {
    case 'AmazonSQS':
      return callSqs(services.queues, operation, input, partial);
    case 'AmazonAthena':
      return services.athena.call(operation, input);
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
