// Lambda functions: each in worker threads of its own, with its own environment, timeout and memory.
import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { FunctionResource } from './template.ts';
import type { ThreadAnswer, ThreadCall, ThreadData, ThreadReady } from './thread.ts';
import type { Troubles } from './trouble.ts';
import type { Work } from './work.ts';

/** The function threw, timed out or could not be loaded. */
export class InvocationError extends Error {
  readonly code = 'laptop.invocation';
  readonly errorType: string;
  constructor(errorType: string, message: string) {
    super(message);
    this.errorType = errorType;
  }
}

export interface FunctionOptions {
  /** Most threads. */
  threads: number;
  env: Record<string, string>;
  clock: SharedArrayBuffer;
  work: Work;
  troubles: Troubles;
  log: (functionName: string, text: string) => void;
}

/** Milliseconds in which a bundle must be loaded. */
const MOST_LOADING = 60_000;

interface Waiting {
  event: unknown;
  resolve: (result: unknown) => void;
  reject: (error: InvocationError) => void;
}

/** One function. Each thread runs one invocation at a time; further ones wait their turn. */
export class LambdaFunction {
  readonly resource: FunctionResource;
  /** Called when a thread has become free. */
  onFree: (() => void)[] = [];
  invocations = 0;
  readonly #options: FunctionOptions;
  readonly #idle: Worker[] = [];
  #threads = 0;
  readonly #busy = new Set<Worker>();
  /** Threads whose bundle has been loaded. */
  readonly #ready = new WeakSet<Worker>();
  readonly #waiting: Waiting[] = [];
  #closed = false;
  #turn = 0;

  constructor(resource: FunctionResource, options: FunctionOptions) {
    this.resource = resource;
    this.#options = options;
  }

  /** How many invocations could begin at once. */
  get free(): number {
    return this.#closed ? 0 : Math.max(0, this.#options.threads - this.#busy.size - this.#waiting.length);
  }

  /** Invokes with an event and answers its JSON result. Throws InvocationError. */
  async invoke(event: unknown): Promise<unknown> {
    const trouble = this.#options.troubles.meet(`invoke:${this.resource.id}`)?.kind;
    if (trouble === 'error')
      throw new InvocationError('Runtime.ExitError', 'Simulated: the invocation failed before it ran.');
    if (trouble === 'lose') return undefined;
    const end = this.#options.work.begin();
    try {
      if (trouble === 'repeat') await this.#run(event);
      const result = await this.#run(event);
      if (trouble === 'drop')
        throw new InvocationError('Runtime.ExitError', 'Simulated: the invocation ran and its outcome was lost.');
      return result;
    } finally {
      end();
    }
  }

  /** Ends what runs now, as when memory or machine fail. */
  crash(): void {
    for (const worker of this.#busy) void worker.terminate();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const error = new InvocationError('Closed', 'The laptop was closed.');
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    await Promise.all([...this.#idle, ...this.#busy].map((worker) => worker.terminate()));
  }

  #run(event: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    while (this.#waiting.length > 0 && !this.#closed) {
      const worker = this.#idle.pop() ?? (this.#threads < this.#options.threads ? this.#spawn() : undefined);
      if (worker === undefined) return;
      this.#start(worker, this.#waiting.shift()!);
    }
  }

  #spawn(): Worker {
    this.#threads++;
    const { resource } = this;
    const data: ThreadData = { file: resource.file, entry: resource.entry, clock: this.#options.clock };
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: data,
      env: { ...this.#options.env, ...resource.env, AWS_SDK_UA_APP_ID: resource.id },
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: Math.max(64, resource.memory) },
      stdout: true,
      stderr: true,
      name: resource.id.slice(0, 15),
    });
    // A quiet thread does not keep this process up.
    worker.unref();
    for (const stream of [worker.stdout, worker.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => this.#options.log(resource.id, text));
    }
    worker.on('error', () => {});
    return worker;
  }

  #start(worker: Worker, { event, resolve, reject }: Waiting): void {
    const { resource } = this;
    this.invocations++;
    this.#busy.add(worker);
    const finish = (lives: boolean) => {
      clearTimeout(timer);
      worker.off('message', answered);
      worker.off('error', died);
      worker.off('exit', died);
      this.#busy.delete(worker);
      if (lives) this.#idle.push(worker);
      else {
        this.#threads--;
        void worker.terminate();
      }
    };
    const after = () => {
      this.#next();
      // Sources of one function take turns at being first.
      const listeners = this.onFree.length;
      for (let n = 0; n < listeners && this.free > 0; n++) this.onFree[(this.#turn + n) % listeners]!();
      this.#turn++;
    };
    const answered = (answer: ThreadAnswer | ThreadReady) => {
      if ('ready' in answer) {
        this.#ready.add(worker);
        clearTimeout(timer);
        return begin();
      }
      finish(true);
      if ('error' in answer) {
        this.#options.log(resource.id, `${answer.error.stack ?? answer.error.message}\n`);
        reject(new InvocationError(answer.error.name, answer.error.message));
      } else {
        resolve(answer.result === undefined ? undefined : (JSON.parse(answer.result) as unknown));
      }
      after();
    };
    const died = (reason: unknown) => {
      finish(false);
      reject(
        new InvocationError('Runtime.ExitError', reason instanceof Error ? reason.message : 'The runtime exited.'),
      );
      after();
    };
    const tooLong = (milliseconds: number) => {
      const sentence = `Task timed out after ${(milliseconds / 1000).toFixed(2)} seconds`;
      return setTimeout(() => {
        finish(false);
        this.#options.log(resource.id, `${sentence}\n`);
        reject(new InvocationError('Sandbox.Timedout', sentence));
        after();
      }, milliseconds);
    };
    const begin = () => {
      timer = tooLong(resource.timeout);
      const call: ThreadCall = {
        event,
        requestId: randomUUID(),
        functionName: resource.name,
        arn: resource.arn,
        memory: resource.memory,
        deadline: Date.now() + resource.timeout,
      };
      worker.postMessage(call);
    };
    worker.on('message', answered);
    worker.on('error', died);
    worker.on('exit', died);
    // Loading the bundle does not count against the function's time, as on AWS.
    let timer: NodeJS.Timeout;
    if (this.#ready.has(worker)) begin();
    else timer = tooLong(MOST_LOADING);
  }
}
