// Faults between the code under test and a real engine: a process that dies at a chosen call, conflicts, and a count.
import { type DynamoDBClient, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

type AnyClient = Pick<DynamoDBClient, 'middlewareStack'> | Pick<DynamoDBDocumentClient, 'middlewareStack'>;
type Step = (command: string, input: Record<string, unknown>, go: () => Promise<unknown>) => Promise<unknown>;

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

/** Cancels transactions as another writer would, while `times` lasts. */
export function conflicts(client: AnyClient, times: number): { left: number; transactions: number } {
  const state = { left: times, transactions: 0 };
  around(client, async (command, input, go) => {
    if (command !== 'TransactWriteItemsCommand' && command !== 'TransactWriteCommand') return go();
    state.transactions++;
    if (state.left <= 0) return go();
    state.left--;
    const items = (input.TransactItems as unknown[]).length;
    throw new TransactionCanceledException({
      $metadata: {},
      message: 'Transaction cancelled',
      CancellationReasons: Array.from({ length: items }, (_, index) => ({
        Code: index === items - 1 ? 'TransactionConflict' : 'None',
      })),
    });
  });
  return state;
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

/** Lets one call of all its clients through at a time, the next one chosen by a seed among those that wait. */
export class SeededScheduler {
  readonly #waiting: (() => void)[] = [];
  #state: number;
  #busy = false;
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

  /** Waits for a moment, so that everybody who can ask has asked; then chooses. */
  #wake(): void {
    setTimeout(() => {
      if (this.#busy || this.#waiting.length === 0) return;
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
