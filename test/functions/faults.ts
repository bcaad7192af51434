// Faults between the code under test and a real engine: a process that dies at a chosen call, conflicts, and a count.
import {
  type DynamoDBClient,
  ProvisionedThroughputExceededException,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb';
import { type SendMessageBatchCommandInput, type SendMessageBatchRequestEntry, SQSClient } from '@aws-sdk/client-sqs';
import { drawn } from '../support/faulty-engine.ts';

type AnyClient = { middlewareStack: object };
export type Step = (command: string, input: Record<string, unknown>, go: () => Promise<unknown>) => Promise<unknown>;

/** Puts `step` around every call of a client, outside of the SDK's own retries. */
export function around(client: AnyClient, step: Step): void {
  const stack = client.middlewareStack as DynamoDBClient['middlewareStack'];
  stack.add(
    (next, context) => async (args) => {
      const name = String((context as { commandName?: string }).commandName);
      return (await step(name, args.input as Record<string, unknown>, () => next(args))) as Awaited<
        ReturnType<typeof next>
      >;
    },
    { step: 'initialize', priority: 'high' },
  );
}

export class Crash extends Error {
  override name = 'Crash';
}

/** A process that dies before or after its nth call, over all its clients: from then on nothing gets through. */
export class DoomedProcess {
  calls: string[] = [];
  dead = false;
  readonly #at: number;
  readonly #when: 'before' | 'after';
  constructor(at: number, when: 'before' | 'after') {
    this.#at = at;
    this.#when = when;
  }

  readonly step: Step = async (command, _input, go) => {
    if (this.dead) throw new Crash('the process is dead');
    const index = this.calls.push(command) - 1;
    if (index === this.#at && this.#when === 'before') {
      this.dead = true;
      throw new Crash('died before a call');
    }
    const answer = await go();
    if (index === this.#at) {
      this.dead = true;
      throw new Crash('died after a call');
    }
    return answer;
  };
}

/** One step around another, the first outermost. */
export function nested(...steps: Step[]): Step {
  return steps.reduceRight<Step>(
    (inner, outer) => (command, input, go) => outer(command, input, () => inner(command, input, go)),
    (_command, _input, go) => go(),
  );
}

/** Cancels transactions as another writer would, while `times` lasts. */
export function conflicts(client: AnyClient, times: number): { left: number; transactions: number } {
  const state = { left: times, transactions: 0 };
  around(client, async (command, input, go) => {
    if (command !== 'TransactWriteItemsCommand' && command !== 'TransactWriteCommand') return go();
    state.transactions++;
    if (state.left <= 0) return go();
    state.left--;
    throw conflict(input);
  });
  return state;
}

function conflict(input: Record<string, unknown>): Error {
  const items = (input.TransactItems as unknown[]).length;
  return new TransactionCanceledException({
    $metadata: {},
    message: 'Transaction cancelled',
    CancellationReasons: Array.from({ length: items }, (_, index) => ({
      Code: index === items - 1 ? 'TransactionConflict' : 'None',
    })),
  });
}

/** Queues in memory behind SDK clients. */
export class MemoryQueues {
  readonly #waiting = new Map<string, SendMessageBatchRequestEntry[]>();
  /** How many calls each queue took, whatever came of their entries. */
  calls = 0;
  /** Which entries an answer gives back as failed. */
  refuses: (entry: SendMessageBatchRequestEntry) => boolean = () => false;
  /** Told of what a call has put into a queue. */
  arrived: (url: string, bodies: string[]) => void = () => {};

  /** A client whose calls pass through `step` first. */
  client(step: Step = nested()): SQSClient {
    const client = new SQSClient({ region: 'x' });
    around(client, (command, input) => step(command, input, async () => ({ output: this.#take(input), response: {} })));
    return client;
  }

  /** All that waits in a queue, taken out. */
  drain(url: string): SendMessageBatchRequestEntry[] {
    const entries = this.#waiting.get(url) ?? [];
    this.#waiting.delete(url);
    return entries;
  }

  #take(input: Record<string, unknown>) {
    const { QueueUrl = '', Entries = [] } = input as unknown as SendMessageBatchCommandInput;
    this.calls++;
    const taken = Entries.filter((entry) => !this.refuses(entry));
    this.#waiting.set(QueueUrl, [...(this.#waiting.get(QueueUrl) ?? []), ...taken]);
    if (taken.length > 0) {
      this.arrived(
        QueueUrl,
        taken.map((entry) => entry.MessageBody ?? ''),
      );
    }
    const failed = Entries.filter((entry) => !taken.includes(entry));
    return {
      Successful: taken.map(({ Id }) => ({ Id })),
      Failed: failed.map(({ Id }) => ({ Id, Code: 'InternalError', SenderFault: false })),
    };
  }
}

export interface Spent {
  read: number;
  write: number;
  calls: string[];
}

/** Asks every call for what it consumes and adds it up. */
export function metered(client: AnyClient): Spent {
  const spent: Spent = { read: 0, write: 0, calls: [] };
  around(client, async (command, input, go) => {
    input.ReturnConsumedCapacity = 'TOTAL';
    const answer = (await go()) as { output: { ConsumedCapacity?: unknown } };
    spent.calls.push(command);
    const reads = /Get|Query/.test(command);
    for (const part of [answer.output.ConsumedCapacity ?? []].flat() as { CapacityUnits?: number }[]) {
      if (reads) spent.read += part.CapacityUnits ?? 0;
      else spent.write += part.CapacityUnits ?? 0;
    }
    return answer;
  });
  return spent;
}

type Mishap = 'throttle' | 'conflict' | 'unprocessed' | 'lost answer' | 'asked twice' | 'unsent' | 'later' | 'failed';

/** What busy services do now and then, after the SDK has given up on it: drawn from a seed. */
export class SeededTrouble {
  /** The share of calls that something befalls, for the table and the queues, and for SES. */
  readonly share = { table: 0, mails: 0 };
  readonly struck: Partial<Record<Mishap, number>> = {};
  readonly draw: () => number;

  constructor(seed: number) {
    this.draw = drawn(seed);
  }

  readonly table: Step = async (command, input, go) => {
    const kinds: Mishap[] = ['throttle'];
    if (command.startsWith('BatchGet') && keysOf(input).length > 1) kinds.push('unprocessed', 'unprocessed');
    if (command.startsWith('Transact')) kinds.push('conflict', 'conflict', 'lost answer');
    if (/^(Put|Update)/.test(command)) kinds.push('conflict', 'lost answer', 'asked twice');
    switch (this.#befalls(this.share.table, kinds)) {
      case 'throttle':
        throw new ProvisionedThroughputExceededException({ $metadata: { httpStatusCode: 400 }, message: 'Too much' });
      case 'conflict':
        if (command.startsWith('Transact')) throw conflict(input);
        throw new TransactionConflictException({ $metadata: { httpStatusCode: 400 }, message: 'In the way' });
      case 'unprocessed':
        return halfOf(input, go);
      case 'lost answer':
        await go();
        throw silence();
      // As the SDK does when an answer is lost: the second is answered over what the first has done.
      case 'asked twice':
        await go();
        return go();
      default:
        return go();
    }
  };

  readonly mails: Step = async (_command, _input, go) => {
    switch (this.#befalls(this.share.mails, ['lost answer', 'unsent', 'later'])) {
      case 'lost answer':
        await go();
        throw silence();
      case 'unsent':
        throw silence();
      case 'later':
        throw Object.assign(new Error('Too many'), { name: 'TooManyRequestsException' });
      default:
        return go();
    }
  };

  readonly queues: Step = async (_command, _input, go) => {
    switch (this.#befalls(this.share.table, ['unsent', 'lost answer'])) {
      case 'unsent':
        throw silence();
      case 'lost answer':
        await go();
        throw silence();
      default:
        return go();
    }
  };

  /** Whether an entry of a queue's batch fails alone. */
  readonly refuses = (): boolean => this.#befalls(this.share.table, ['failed']) !== undefined;

  #befalls(share: number, kinds: Mishap[]): Mishap | undefined {
    if (share === 0 || this.draw() >= share) return undefined;
    const kind = kinds[Math.floor(this.draw() * kinds.length)] as Mishap;
    this.struck[kind] = (this.struck[kind] ?? 0) + 1;
    return kind;
  }
}

const silence = (): Error => Object.assign(new Error('no answer'), { name: 'TimeoutError' });

type Asked = Record<string, { Keys: object[] }>;
const keysOf = (input: Record<string, unknown>): object[] => Object.values(input.RequestItems as Asked)[0]?.Keys ?? [];

/** Answers for the first half of a BatchGet's keys, and leaves the others for later. */
async function halfOf(input: Record<string, unknown>, go: () => Promise<unknown>): Promise<unknown> {
  const [name = ''] = Object.keys(input.RequestItems as Asked);
  const keys = keysOf(input);
  const asked = (some: object[]): Asked => ({ [name]: { ...(input.RequestItems as Asked)[name], Keys: some } });
  const left = asked(keys.slice(keys.length >> 1));
  input.RequestItems = asked(keys.slice(0, keys.length >> 1));
  const answer = (await go()) as { output: { UnprocessedKeys?: Asked } };
  answer.output.UnprocessedKeys = left;
  return answer;
}

/** Lets one call of all its clients through at a time, the next one chosen by a seed among those that wait. */
export class SeededScheduler {
  readonly #waiting: (() => void)[] = [];
  #state: number;
  #busy = false;
  #moment: NodeJS.Timeout | undefined;
  /** Which of the waiting calls went next, for a message that says how to see it again. */
  readonly choices: number[] = [];

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  readonly step: Step = async (_command, _input, go) => {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.#wake();
    });
    try {
      return await go();
    } finally {
      this.#busy = false;
      this.#wake();
    }
  };

  /** Waits for a moment in which nobody asks, so that everybody who can ask has asked; then chooses. */
  #wake(): void {
    if (this.#busy || this.#waiting.length === 0) return;
    clearTimeout(this.#moment);
    this.#moment = setTimeout(() => {
      this.#busy = true;
      const choice = this.#random() % this.#waiting.length;
      this.choices.push(choice);
      this.#waiting.splice(choice, 1)[0]?.();
    }, 1);
  }

  /** xorshift32 */
  #random(): number {
    let x = this.#state || 1;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }
}
