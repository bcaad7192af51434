// A real DynamoDB engine in memory for tests: dynoxide, or DynamoDB Local when KAIROS_TEST_ENGINE=dynamodb-local.
import { CreateTableCommand, type CreateTableCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { documentClient, Table } from '../../functions/aws/table.ts';
import { type EngineName, type Engine as LocalEngine, startEngine as startLocalEngine } from '../../local/engine.ts';

export { canRun } from '../../local/engine.ts';

export interface Engine {
  name: EngineName;
  endpoint: string;
  pid: number;
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

/** Starts the engine that the environment asks for, or the one named. Stop it after the tests. */
export async function startEngine(
  name: EngineName = process.env.KAIROS_TEST_ENGINE === 'dynamodb-local' ? 'dynamodb-local' : 'dynoxide',
): Promise<Engine> {
  return engineOn(await startLocalEngine(name));
}

function engineOn({ name, url: endpoint, pid, close }: LocalEngine): Engine {
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
    pid,
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
      await close();
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
