// Event source mappings on queues: takes batches, invokes, deletes what went well and gives back what did not.
import type { LambdaFunction } from './functions.ts';
import { InvocationError } from './functions.ts';
import { compilePattern } from './patterns.ts';
import type { Queue, QueueMessage } from './sqs.ts';
import { queueEvent } from './sqs.ts';
import type { MappingResource } from './template.ts';

type Taken = { receipt: string; message: QueueMessage }[];

/** One mapping. It never waits for its window: a busy function lets messages gather by itself. */
export class QueueSource {
  readonly queue: Queue;
  readonly #mapping: MappingResource;
  readonly #fn: LambdaFunction;
  readonly #filters: ((record: unknown) => boolean)[];
  #running = 0;
  #soon = false;

  constructor(mapping: MappingResource, queue: Queue, fn: LambdaFunction) {
    this.#mapping = mapping;
    this.queue = queue;
    this.#fn = fn;
    this.#filters = mapping.filters.map(compilePattern);
    queue.onVisible = () => this.#pumpSoon();
    fn.onFree.push(() => this.pump());
  }

  /** Something is visible, or its invocation is under way. */
  get pending(): boolean {
    return this.queue.visible > 0 || this.#running > 0;
  }

  /** Starts as many batches as there are messages, threads and permitted invocations. */
  pump(): void {
    while (this.queue.visible > 0 && this.#running < this.#mapping.concurrency && this.#fn.free > 0) {
      const taken = this.queue.receive(this.#mapping.batch, { held: true });
      const wanted = this.#filters.length === 0 ? taken : this.#filtered(taken);
      if (wanted.length === 0) continue;
      this.#running++;
      void this.#process(wanted).finally(() => {
        this.#running--;
        this.pump();
      });
    }
  }

  /** Lets the messages of one call gather to one batch. */
  #pumpSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    setImmediate(() => {
      this.#soon = false;
      this.pump();
    });
  }

  /** What no filter takes is deleted, as on AWS. */
  #filtered(taken: Taken): Taken {
    return taken.filter(({ receipt, message }) => {
      let body: unknown = message.body;
      try {
        body = JSON.parse(message.body);
      } catch {
        // a filter may still ask for a plain text
      }
      if (this.#filters.some((matches) => matches({ ...message, body }))) return true;
      this.queue.delete(receipt);
      return false;
    });
  }

  async #process(taken: Taken): Promise<void> {
    let failed: Set<string>;
    try {
      const result = await this.#fn.invoke(queueEvent(this.queue, taken));
      failed = this.#mapping.partial ? failedIds(result, taken) : new Set();
    } catch (error) {
      if (!(error instanceof InvocationError)) throw error;
      failed = new Set(taken.map(({ message }) => message.id));
    }
    for (const { receipt, message } of taken) {
      if (failed.has(message.id)) this.queue.giveBack(receipt);
      else this.queue.delete(receipt);
    }
  }
}

/** The failures that a partial batch response names; one that is malformed or names a stranger fails the whole batch. */
function failedIds(result: unknown, taken: Taken): Set<string> {
  if (result === null || result === undefined) return new Set();
  const all = new Set(taken.map(({ message }) => message.id));
  const { batchItemFailures } = result as { batchItemFailures?: unknown };
  if (batchItemFailures === null || batchItemFailures === undefined) return new Set();
  if (!Array.isArray(batchItemFailures)) return all;
  const named = batchItemFailures.map((one) => (one as { itemIdentifier?: unknown } | null)?.itemIdentifier);
  return named.every((id) => typeof id === 'string' && all.has(id)) ? new Set(named as string[]) : all;
}
