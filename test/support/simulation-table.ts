// The real engine behind the simulation: one connection, one call after the other in the order of virtual time.
import { connect, type Socket } from 'node:net';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { REGION } from '../../local/template.ts';
import type { Step } from '../functions/faults.ts';

type Attribute = Record<string, unknown>;
type Given = Record<string, unknown>;
type Waiting = { resolve: (answer: Given) => void; reject: (error: Error) => void; request: string };

/** What a call of DynamoDB answers when it is refused, named as the SDK names it. */
function refusal(answer: Given): Error {
  const name = String(answer.__type ?? 'Unknown').replace(/^.*#/, '');
  const { CancellationReasons, Item } = answer;
  const error = new Error(String(answer.message ?? answer.Message ?? name));
  return Object.assign(error, { name, CancellationReasons, Item, $metadata: { httpStatusCode: 400 } });
}

/** An HTTP connection to the engine without a client library: calls are answered in the order in which they are made. */
export class EngineLine {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #buffer: Buffer = Buffer.alloc(0);
  #asking: Waiting | undefined;
  /** Calls so far that may have written. */
  writes = 0;

  constructor(endpoint: string) {
    const { hostname, port } = new URL(endpoint);
    this.#socket = connect(Number(port), hostname);
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (data) => this.#read(data));
    const fail = (): void => {
      for (const { reject } of [this.#asking, ...this.#waiting.splice(0)].filter((each) => each !== undefined)) {
        reject(new Error('the engine is gone'));
      }
      this.#asking = undefined;
    };
    this.#socket.on('error', fail);
    this.#socket.on('close', fail);
  }

  close(): void {
    this.#socket.destroy();
  }

  /** One call in the API's own JSON. */
  call(operation: string, input: object): Promise<Given> {
    if (/Put|Update|Transact/.test(operation)) this.writes++;
    const service = /Stream|Shard|GetRecords/.test(operation) ? 'DynamoDBStreams_20120810' : 'DynamoDB_20120810';
    const body = JSON.stringify(input);
    const request =
      `POST / HTTP/1.1\r\nhost: engine\r\ncontent-type: application/x-amz-json-1.0\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nx-amz-target: ${service}.${operation}\r\n` +
      `x-amz-date: 20260101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=test/20260101/${REGION}/dynamodb/` +
      `aws4_request, SignedHeaders=host, Signature=0\r\n\r\n${body}`;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject, request });
      this.#ask();
    });
  }

  #ask(): void {
    if (this.#asking !== undefined) return;
    this.#asking = this.#waiting.shift();
    if (this.#asking !== undefined) this.#socket.write(this.#asking.request);
  }

  #read(data: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? data : Buffer.concat([this.#buffer, data]);
    const end = this.#buffer.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#buffer.toString('latin1', 0, end);
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#buffer.length < end + 4 + length) return;
    const answer = JSON.parse(this.#buffer.toString('utf8', end + 4, end + 4 + length)) as Given;
    this.#buffer = Buffer.alloc(0);
    const asked = this.#asking;
    this.#asking = undefined;
    this.#ask();
    if (/^HTTP\/1\.1 200 /.test(head)) asked?.resolve(answer);
    else asked?.reject(refusal(answer));
  }
}

/** A client for `Table` whose calls pass through `step` and then go straight to the engine. */
export function lightClient(line: EngineLine, step: Step): DynamoDBDocumentClient {
  const send = async (command: { input: object }): Promise<unknown> => {
    const name = command.constructor.name;
    const operation = operations[name];
    if (operation === undefined) throw new Error(`the simulation knows no ${name}`);
    const input = { ...command.input } as Given;
    const { output } = (await step(name, input, async () => ({
      output: answered(await line.call(operation, asked(input))),
    }))) as { output: unknown };
    return output;
  };
  return { send } as unknown as DynamoDBDocumentClient;
}

const operations: Record<string, string> = {
  PutCommand: 'PutItem',
  UpdateCommand: 'UpdateItem',
  DeleteCommand: 'DeleteItem',
  GetCommand: 'GetItem',
  BatchGetCommand: 'BatchGetItem',
  TransactWriteCommand: 'TransactWriteItems',
  QueryCommand: 'Query',
  ScanCommand: 'Scan',
};

/** Plain values as the API writes them. */
export function attributeOf(value: unknown): Attribute {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  if (value === null) return { NULL: true };
  if (Array.isArray(value)) return { L: value.map(attributeOf) };
  return { M: attributesOf(value as Given) };
}

function attributesOf(item: Given): Given {
  const made: Given = {};
  for (const name in item) if (item[name] !== undefined) made[name] = attributeOf(item[name]);
  return made;
}

function plainOf(attribute: Attribute): unknown {
  for (const type in attribute) {
    const value = attribute[type];
    if (type === 'N') return Number(value);
    if (type === 'M') return plainsOf(value as Given);
    if (type === 'L') return (value as Attribute[]).map(plainOf);
    return type === 'NULL' ? null : value;
  }
  return undefined;
}

/** An item or image of the API as plain values. */
export function plainsOf(item: Given): Given {
  const made: Given = {};
  for (const name in item) made[name] = plainOf(item[name] as Attribute);
  return made;
}

const ITEMS = ['Item', 'Key', 'ExpressionAttributeValues', 'ExclusiveStartKey'];

function asked(input: Given): Given {
  const made: Given = { ...input };
  for (const name of ITEMS) if (made[name] !== undefined) made[name] = attributesOf(made[name] as Given);
  if (made.TransactItems !== undefined) {
    made.TransactItems = (made.TransactItems as Record<string, Given>[]).map((write) =>
      Object.fromEntries(Object.entries(write).map(([kind, part]) => [kind, asked(part)])),
    );
  }
  if (made.RequestItems !== undefined) {
    made.RequestItems = Object.fromEntries(
      Object.entries(made.RequestItems as Record<string, { Keys: Given[] }>).map(([table, wanted]) => [
        table,
        { ...wanted, Keys: wanted.Keys.map(attributesOf) },
      ]),
    );
  }
  return made;
}

function answered(output: Given): Given {
  const made: Given = { ...output };
  for (const name of ['Item', 'Attributes', 'LastEvaluatedKey']) {
    if (made[name] !== undefined) made[name] = plainsOf(made[name] as Given);
  }
  if (made.Items !== undefined) made.Items = (made.Items as Given[]).map(plainsOf);
  if (made.Responses !== undefined) {
    made.Responses = Object.fromEntries(
      Object.entries(made.Responses as Record<string, Given[]>).map(([table, items]) => [table, items.map(plainsOf)]),
    );
  }
  if (made.UnprocessedKeys !== undefined) {
    made.UnprocessedKeys = Object.fromEntries(
      Object.entries(made.UnprocessedKeys as Record<string, { Keys: Given[] }>).map(([table, wanted]) => [
        table,
        { ...wanted, Keys: wanted.Keys.map(plainsOf) },
      ]),
    );
  }
  return made;
}
