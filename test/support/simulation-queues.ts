// Queues and functions of the simulation: batches, visibility, deliveries again and twice, warm processes that crash.
import type { SendMessageBatchRequestEntry, SQSClient } from '@aws-sdk/client-sqs';
import { type Latency, Process, type Simulation } from './simulation.ts';

export interface Chances {
  /** Of invocations: the process dies at one of its next calls. */
  crash: number;
  /** Of received messages: it is delivered once more. */
  twice: number;
  /** Of calls of a queue: the answer is lost; half of the time nothing was done. */
  unanswered: number;
}

interface Warm<Event, Answer> {
  process: Process;
  handle: (event: Event) => Promise<Answer>;
  until: number;
  died: () => void;
}

/** A function as the stack runs it: processes that stay warm for a while, and a time after which they are ended. */
export class SimulatedFunction<Event, Answer> {
  readonly name: string;
  readonly #simulation: Simulation;
  readonly #chances: Chances;
  readonly #timeout: number;
  readonly #start: (process: Process) => (event: Event) => Promise<Answer>;
  readonly #skew: () => number;
  #warm: Warm<Event, Answer>[] = [];
  readonly count = { invocations: 0, crashes: 0, timeouts: 0, errors: 0, starts: 0 };

  constructor(
    simulation: Simulation,
    name: string,
    options: {
      /** Milliseconds. */
      timeout: number;
      chances: Chances;
      skew: () => number;
      start: (process: Process) => (event: Event) => Promise<Answer>;
    },
  ) {
    this.#simulation = simulation;
    this.name = name;
    this.#timeout = options.timeout;
    this.#chances = options.chances;
    this.#start = options.start;
    this.#skew = options.skew;
  }

  /** The function's answer, or undefined when it failed, crashed or took too long. */
  invoke(event: Event): Promise<Answer | undefined> {
    const simulation = this.#simulation;
    this.count.invocations++;
    return new Promise((resolve) => {
      const warm = this.#take();
      simulation.after(warm === undefined ? simulation.between(250, 900) : simulation.between(2, 8), () => {
        const place = warm ?? this.#cold();
        const { process } = place;
        let over = false;
        const end = (answer: Answer | undefined): void => {
          if (over) return;
          over = true;
          if (!process.dead) this.#warm.push(place);
          resolve(answer);
        };
        place.died = () => {
          this.count.crashes++;
          end(undefined);
        };
        if (simulation.chance(this.#chances.crash)) process.doom(12);
        simulation.after(this.#timeout, () => {
          if (over) return;
          this.count.timeouts++;
          this.count.crashes--;
          process.die();
        });
        place.handle(event).then(end, () => {
          this.count.errors++;
          end(undefined);
        });
      });
    });
  }

  #take(): Warm<Event, Answer> | undefined {
    this.#warm = this.#warm.filter(({ until, process }) => until > this.#simulation.now && !process.dead);
    return this.#warm.pop();
  }

  #cold(): Warm<Event, Answer> {
    this.count.starts++;
    const process = new Process(this.#simulation, this.#skew(), () => place.died());
    const until = this.#simulation.now + this.#simulation.between(5 * 60_000, 40 * 60_000);
    const place: Warm<Event, Answer> = { process, until, handle: this.#start(process), died: () => {} };
    return place;
  }
}

interface Waiting {
  id: string;
  body: string;
  receives: number;
  since: number;
}

export interface Mapping {
  batch: number;
  /** Milliseconds. */
  window?: number;
  /** Invocations at a time. */
  most: number;
  /** Milliseconds for which a received message stays hidden. */
  visibility: number;
}

type Records = { Records: { messageId: string; body: string }[] };
type Failures = { batchItemFailures: { itemIdentifier: string }[] };
const RECEIVES = 8;
const SQS: Latency = { there: [1, 4], back: [2, 10], slow: 0.005, tail: [50, 600] };

/** A standard queue with the mapping that empties it: at least once, in no strict order, and nothing is lost. */
export class SimulatedQueue {
  readonly #simulation: Simulation;
  readonly #chances: Chances;
  readonly #mapping: Mapping;
  readonly #fn: SimulatedFunction<Records, Failures>;
  #visible: Waiting[] = [];
  #running = 0;
  #pumps = false;
  #ids = 0;
  hidden = 0;
  /** The greatest number that waited visibly. */
  most = 0;
  readonly dead: string[] = [];
  /** Nothing is received until then. */
  stuckUntil = 0;

  constructor(simulation: Simulation, mapping: Mapping, fn: SimulatedFunction<Records, Failures>, chances: Chances) {
    this.#simulation = simulation;
    this.#mapping = mapping;
    this.#fn = fn;
    this.#chances = chances;
  }

  get waiting(): number {
    return this.#visible.length + this.hidden;
  }

  put(body: string): void {
    this.#show({ id: `m${++this.#ids}`, body, receives: 0, since: this.#simulation.now });
  }

  #show(message: Waiting): void {
    message.since = this.#simulation.now;
    this.#visible.push(message);
    this.most = Math.max(this.most, this.#visible.length);
    this.#soon(this.#simulation.between(3, 40));
  }

  #soon(milliseconds: number): void {
    if (this.#pumps) return;
    this.#pumps = true;
    this.#simulation.after(milliseconds, () => {
      this.#pumps = false;
      this.#pump();
    });
  }

  #pump(): void {
    const simulation = this.#simulation;
    const { batch, window = 0, most } = this.#mapping;
    if (simulation.now < this.stuckUntil) {
      this.#soon(this.stuckUntil - simulation.now);
      return;
    }
    while (this.#visible.length > 0 && this.#running < most) {
      const waited = simulation.now - (this.#visible[0] as Waiting).since;
      if (this.#visible.length < batch && waited < window) {
        this.#soon(window - waited + 1);
        return;
      }
      this.#receive(batch);
    }
  }

  #receive(batch: number): void {
    const simulation = this.#simulation;
    const taken: Waiting[] = [];
    while (taken.length < batch && this.#visible.length > 0) {
      // Mostly in order: the next one is one of the first.
      const place = Math.floor(simulation.draw() * Math.min(this.#visible.length, 2 * batch));
      const [message] = this.#visible.splice(place, 1) as [Waiting];
      message.receives++;
      if (message.receives > RECEIVES) {
        this.dead.push(message.body);
        continue;
      }
      taken.push(message);
      if (simulation.chance(this.#chances.twice)) {
        simulation.after(simulation.exponential(20_000), () => this.put(message.body));
      }
    }
    if (taken.length === 0) return;
    this.#running++;
    this.hidden += taken.length;
    const until = simulation.now + this.#mapping.visibility;
    const event = { Records: taken.map(({ id, body }) => ({ messageId: id, body })) };
    void this.#fn.invoke(event).then((answer) => {
      this.#running--;
      const failed = answer && new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      for (const message of taken) {
        if (failed?.has(message.id) !== false && (failed !== undefined || answer === undefined)) {
          simulation.at(until, () => {
            this.hidden--;
            this.#show(message);
          });
        } else this.hidden--;
      }
      this.#soon(simulation.between(3, 20));
    });
  }
}

/** A client of queues for one process. */
export function queueClient(
  process: Process,
  queues: Record<string, { put(body: string): void }>,
  simulation: Simulation,
  chances: Chances,
): SQSClient {
  const send = (command: { input: { QueueUrl?: string; Entries?: SendMessageBatchRequestEntry[] } }) => {
    const { QueueUrl = '', Entries = [] } = command.input;
    return process.call(SQS, async () => {
      const lost = simulation.chance(chances.unanswered);
      if (lost && simulation.chance(0.5)) throw silence();
      const queue = queues[QueueUrl];
      if (queue === undefined) throw new Error(`there is no queue ${QueueUrl}`);
      for (const { MessageBody = '', DelaySeconds = 0 } of Entries) {
        if (DelaySeconds > 0) simulation.after(DelaySeconds * 1000, () => queue.put(MessageBody));
        else queue.put(MessageBody);
      }
      if (lost) throw silence();
      return { Successful: Entries.map(({ Id }) => ({ Id })), Failed: [] };
    });
  };
  return { send } as unknown as SQSClient;
}

/** What an SDK says when no answer came. */
export const silence = (): Error => Object.assign(new Error('no answer'), { name: 'TimeoutError' });
