// The table's stream in the simulation: read from the real engine, handed to its followers batch by batch, late or twice.
import type { StreamRecord } from '../../local/streams.ts';
import type { Simulation } from './simulation.ts';
import type { SimulatedFunction } from './simulation-queues.ts';
import type { EngineLine } from './simulation-table.ts';

const MOST_RECORDS = 1000;
const RETRIES = 10;

export interface Following {
  wants: (record: StreamRecord) => boolean;
  batch: number;
  /** Milliseconds between two batches; at once where it is 0. */
  every: number;
  /** Of batches: so many milliseconds late on average; once more. */
  late: number;
  lateBy: number;
  twice: number;
}

type Batch = { Records: StreamRecord[]; shardId: string };

/** A function that follows the stream: one batch after the other; one that fails comes again, and is given up in the end. */
export class Follower {
  readonly #simulation: Simulation;
  readonly #fn: SimulatedFunction<Batch, unknown>;
  readonly #following: Following;
  readonly #waiting: StreamRecord[] = [];
  #busy = false;

  constructor(simulation: Simulation, fn: SimulatedFunction<Batch, unknown>, following: Following) {
    this.#simulation = simulation;
    this.#fn = fn;
    this.#following = following;
    if (following.every > 0) this.#regularly();
  }

  push(record: StreamRecord): void {
    if (this.#following.wants(record)) this.#waiting.push(record);
  }

  /** What has come is taken now, where it is not taken at its times. */
  pump(): void {
    if (this.#following.every === 0) this.#next();
  }

  #regularly(): void {
    this.#simulation.after(this.#following.every, () => {
      this.#next();
      this.#regularly();
    });
  }

  #next(): void {
    if (this.#busy || this.#waiting.length === 0) return;
    this.#busy = true;
    const { batch, late, lateBy } = this.#following;
    const event: Batch = { Records: this.#waiting.splice(0, batch), shardId: 'shard' };
    const wait = this.#simulation.chance(late) ? this.#simulation.exponential(lateBy) : 0;
    this.#simulation.after(wait, () => {
      void this.#deliver(event).then(() => {
        this.#busy = false;
        this.pump();
      });
    });
  }

  async #deliver(event: Batch): Promise<void> {
    for (let left = RETRIES; left >= 0; left--) {
      if ((await this.#fn.invoke(event)) !== undefined) break;
      await this.#simulation.sleep(500);
    }
    if (this.#simulation.chance(this.#following.twice)) await this.#fn.invoke(event);
  }
}

/** Reads the stream of a table from its present end on. */
export class SimulatedStream {
  readonly #simulation: Simulation;
  readonly #line: EngineLine;
  readonly #followers: Follower[];
  #iterator: string | undefined;
  #readAfter = 0;

  constructor(simulation: Simulation, line: EngineLine, followers: Follower[]) {
    this.#simulation = simulation;
    this.#line = line;
    this.#followers = followers;
  }

  async open(TableName: string): Promise<void> {
    const { Table } = (await this.#line.call('DescribeTable', { TableName })) as { Table: { LatestStreamArn: string } };
    const StreamArn = Table.LatestStreamArn;
    const { StreamDescription } = (await this.#line.call('DescribeStream', { StreamArn })) as {
      StreamDescription: { Shards: { ShardId: string }[] };
    };
    const ShardId = StreamDescription.Shards[0]?.ShardId;
    const answer = await this.#line.call('GetShardIterator', { StreamArn, ShardId, ShardIteratorType: 'LATEST' });
    this.#iterator = answer.ShardIterator as string;
  }

  /** Hands on what was written since. */
  async poll(): Promise<void> {
    const { writes } = this.#line;
    while (this.#readAfter !== writes) {
      const answer = (await this.#line.call('GetRecords', { ShardIterator: this.#iterator, Limit: MOST_RECORDS })) as {
        Records: StreamRecord[];
        NextShardIterator: string;
      };
      this.#iterator = answer.NextShardIterator;
      for (const record of answer.Records) {
        const { dynamodb } = record;
        // As old as the simulation's clock says; numbers compare as texts of one length.
        dynamodb.ApproximateCreationDateTime = Math.floor(this.#simulation.now / 1000);
        dynamodb.SequenceNumber = dynamodb.SequenceNumber.padStart(21, '0');
        for (const follower of this.#followers) follower.push(record);
      }
      if (answer.Records.length < MOST_RECORDS) this.#readAfter = writes;
    }
    for (const follower of this.#followers) follower.pump();
  }
}
