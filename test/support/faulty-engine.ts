// Stands between the functions and the DynamoDB engine, and does what a busy service does now and then; drawn from a seed.
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Shares {
  /** Refused for being too much. */
  throttle: number;
  /** 500, nothing done. */
  error: number;
  /** Transactions: another writer was in the way. */
  conflict: number;
  /** Done, and the answer is lost. */
  drop: number;
  /** BatchGetItem: half of the keys are left for later. */
  unprocessed: number;
}

const NONE: Shares = { throttle: 0, error: 0, conflict: 0, drop: 0, unprocessed: 0 };

export interface FaultyEngine {
  url: string;
  /** The engine's own address; set it before the first call. */
  upstream: string;
  /** From now on. */
  trouble(shares: Partial<Shares>): void;
  struck: Shares;
  close(): Promise<void>;
}

/** Listens on a free port; without trouble until told. */
export async function startFaultyEngine(seed: number): Promise<FaultyEngine> {
  const draw = drawn(seed);
  const agent = new Agent({ keepAlive: true });
  let shares = NONE;
  const server: Server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const operation = String(incoming.headers['x-amz-target']).split('.').at(-1);
      let body = Buffer.concat(chunks);
      const strikes = (kind: keyof Shares): boolean => {
        if (shares[kind] === 0 || draw() >= shares[kind]) return false;
        engine.struck[kind]++;
        return true;
      };
      const refuse = (status: number, type: string, more: object = {}): void => {
        const text = JSON.stringify({
          __type: `com.amazonaws.dynamodb.v20120810#${type}`,
          message: 'Simulated.',
          ...more,
        });
        response.writeHead(status, {
          'content-type': 'application/x-amz-json-1.0',
          'content-length': Buffer.byteLength(text),
        });
        response.end(text);
      };
      if (strikes('throttle')) return refuse(400, 'ThrottlingException');
      if (strikes('error')) return refuse(500, 'InternalServerError');
      if (operation === 'TransactWriteItems' && strikes('conflict')) {
        const { TransactItems } = JSON.parse(body.toString()) as { TransactItems: unknown[] };
        const CancellationReasons = TransactItems.map((_, at) => ({ Code: at === 0 ? 'TransactionConflict' : 'None' }));
        return refuse(400, 'TransactionCanceledException', { CancellationReasons });
      }
      let left: object | undefined;
      if (operation === 'BatchGetItem' && strikes('unprocessed')) {
        const input = JSON.parse(body.toString()) as { RequestItems: Record<string, { Keys: object[] }> };
        const [name, wanted] = Object.entries(input.RequestItems)[0] as [string, { Keys: object[] }];
        const half = wanted.Keys.length >> 1;
        if (half > 0) {
          left = { [name]: { ...wanted, Keys: wanted.Keys.slice(half) } };
          body = Buffer.from(
            JSON.stringify({ ...input, RequestItems: { [name]: { ...wanted, Keys: wanted.Keys.slice(0, half) } } }),
          );
        }
      }
      const drops = strikes('drop');
      const { hostname, port } = new URL(engine.upstream);
      const headers = { ...incoming.headers, 'content-length': body.length };
      const outgoing = request({ agent, hostname, port, method: 'POST', path: '/', headers }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => parts.push(chunk));
        answer.on('end', () => {
          if (drops) return void incoming.socket.destroy();
          let text = Buffer.concat(parts);
          if (left !== undefined) {
            text = Buffer.from(JSON.stringify({ ...(JSON.parse(text.toString()) as object), UnprocessedKeys: left }));
          }
          response.writeHead(answer.statusCode ?? 500, {
            'content-type': answer.headers['content-type'] ?? 'application/x-amz-json-1.0',
            'content-length': text.length,
          });
          response.end(text);
        });
      });
      outgoing.on('error', () => incoming.socket.destroy());
      outgoing.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const engine: FaultyEngine = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    upstream: '',
    trouble: (given) => {
      shares = { ...NONE, ...given };
    },
    struck: { ...NONE },
    close: async () => {
      agent.destroy();
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
  return engine;
}

/** mulberry32: numbers in [0, 1) from a seed. */
export function drawn(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
