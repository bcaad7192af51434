// Table streams: reads each record of the engine once and hands it to every mapping, with its filter and its retries.
import type { Engine } from './engine.ts';
import { EngineError } from './engine.ts';
import type { LambdaFunction } from './functions.ts';
import { InvocationError } from './functions.ts';
import { compilePattern } from './patterns.ts';
import type { MappingResource, TableResource } from './template.ts';
import { REGION } from './template.ts';

export interface StreamRecord {
  eventID: string;
  eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  eventSourceARN?: string;
  awsRegion?: string;
  dynamodb: {
    ApproximateCreationDateTime: number;
    Keys: Record<string, AttributeValue>;
    NewImage?: Record<string, AttributeValue>;
    OldImage?: Record<string, AttributeValue>;
    SequenceNumber: string;
    SizeBytes?: number;
    StreamViewType?: string;
  };
}
export type AttributeValue = { S?: string; N?: string } & Record<string, unknown>;

/** What a stream gave up after its retries, with the payload that a bucket keeps and a queue does not. */
export interface FailedBatch {
  mapping: MappingResource;
  functionArn: string;
  records: StreamRecord[];
  attempts: number;
  error: string;
}

/** Windows this long, in seconds, may be left standing by `idle({ leaveWindows: true })`. */
const LONG_WINDOW = 30;
/** Where a mapping retries until it works, the laptop gives up in the end, so that it can become idle. */
const MOST_ATTEMPTS = 100;

/** To the functions the stream is one shard, whatever the engine makes of it. */
const SHARD = 'shardId-00000000000000000001-laptop';

/** One mapping's place in the stream: its own buffer, one batch at a time. */
export class StreamConsumer {
  readonly mapping: MappingResource;
  readonly #fn: LambdaFunction;
  readonly #filters: ((record: unknown) => boolean)[];
  readonly #onFailure: (batch: FailedBatch) => void;
  readonly #now: () => number;
  #buffer: StreamRecord[] = [];
  #running = false;
  /** What the function returned in the open tumbling window; none when no window is open. */
  #windowState: object | undefined;

  constructor(
    mapping: MappingResource,
    fn: LambdaFunction,
    now: () => number,
    onFailure: (batch: FailedBatch) => void,
  ) {
    this.mapping = mapping;
    this.#fn = fn;
    this.#now = now;
    this.#filters = mapping.filters.map(compilePattern);
    this.#onFailure = onFailure;
    fn.onFree.push(() => this.pump());
  }

  push(records: StreamRecord[]): void {
    const wanted =
      this.#filters.length === 0 ? records : records.filter((one) => this.#filters.some((matches) => matches(one)));
    for (const record of wanted) this.#buffer.push(record);
  }

  /** Records that wait, or whose batch is under way; `leaveWindows` forgives less than a batch in a long window. */
  pending(leaveWindows: boolean): boolean {
    if (this.#running) return true;
    if (this.#leaves(leaveWindows)) return this.#buffer.length >= this.mapping.batch;
    return this.#buffer.length > 0 || this.#windowState !== undefined;
  }

  /** Starts the next batch where there is one and a thread is free. */
  pump(leaveWindows = true): void {
    if (this.#running || this.#fn.free === 0 || !this.pending(leaveWindows)) return;
    this.#running = true;
    // With nothing more to come, the open window ends: its last invocation has no records.
    const batch = this.#buffer.splice(0, this.mapping.batch);
    void this.#process(batch, 1).finally(() => {
      this.#running = false;
      this.pump(leaveWindows);
    });
  }

  #leaves(leaveWindows: boolean): boolean {
    return leaveWindows && Math.max(this.mapping.window, this.mapping.tumbling) >= LONG_WINDOW;
  }

  #event(Records: StreamRecord[]): object {
    if (this.mapping.tumbling === 0) return { Records };
    const length = this.mapping.tumbling * 1000;
    const start = Math.floor(this.#now() / length) * length;
    return {
      Records,
      window: { start: new Date(start).toISOString(), end: new Date(start + length).toISOString() },
      state: this.#windowState ?? {},
      shardId: SHARD,
      eventSourceARN: this.mapping.source,
      isFinalInvokeForWindow: Records.length === 0,
      isWindowTerminatedEarly: false,
    };
  }

  async #process(records: StreamRecord[], attempt: number): Promise<void> {
    let rest = records;
    let error: string;
    try {
      const result = await this.#fn.invoke(this.#event(records));
      if (this.mapping.tumbling > 0) {
        this.#windowState = records.length === 0 ? undefined : ((result as { state?: object } | null)?.state ?? {});
      }
      const failures = this.mapping.partial
        ? ((result as { batchItemFailures?: { itemIdentifier: string }[] } | null)?.batchItemFailures ?? [])
        : [];
      if (failures.length === 0) return;
      // The lowest failed sequence number is the checkpoint; an unknown one fails the whole batch.
      const failed = new Set(failures.map(({ itemIdentifier }) => itemIdentifier));
      const first = records.findIndex((record) => failed.has(record.dynamodb.SequenceNumber));
      rest = records.slice(Math.max(first, 0));
      error = 'ReportBatchItemFailures';
    } catch (caught) {
      if (!(caught instanceof InvocationError)) throw caught;
      if (caught.errorType === 'Closed') return;
      error = caught.message;
    }
    if (this.mapping.bisect && rest.length > 1) {
      const middle = Math.ceil(rest.length / 2);
      await this.#process(rest.slice(0, middle), attempt);
      await this.#process(rest.slice(middle), attempt);
      return;
    }
    const most = this.mapping.retries < 0 ? MOST_ATTEMPTS : this.mapping.retries + 1;
    if (attempt < most) return this.#process(rest, attempt + 1);
    if (records.length === 0) this.#windowState = undefined;
    else
      this.#onFailure({
        mapping: this.mapping,
        functionArn: this.#fn.resource.arn,
        records: rest,
        attempts: attempt,
        error,
      });
  }
}

/** Reads one table's stream. */
export class StreamReader {
  readonly #engine: Engine;
  readonly #table: TableResource;
  readonly #streamArn: string;
  readonly #onRecords: (records: StreamRecord[]) => void;
  readonly #now: () => number;
  /** Iterators of open shards; a closed shard is `undefined`. */
  readonly #shards = new Map<string, { iterator: string | undefined; last?: string }>();
  #polling: Promise<number> | undefined;

  constructor(
    engine: Engine,
    table: TableResource,
    streamArn: string,
    options: { now: () => number; onRecords: (records: StreamRecord[]) => void },
  ) {
    this.#engine = engine;
    this.#table = table;
    this.#streamArn = streamArn;
    this.#now = options.now;
    this.#onRecords = options.onRecords;
  }

  /** Reads until nothing more comes and answers how many records came. A call during another waits and reads anew. */
  async poll(): Promise<number> {
    const before = this.#polling;
    const next = (async () => {
      const earlier = (await before?.catch(() => 0)) ?? 0;
      return earlier + (await this.#read());
    })();
    this.#polling = next;
    try {
      return await next;
    } finally {
      if (this.#polling === next) this.#polling = undefined;
    }
  }

  async #read(): Promise<number> {
    if (this.#shards.size === 0) await this.#describe();
    let total = 0;
    for (let found = true; found; ) {
      found = false;
      for (const [id, shard] of this.#shards) {
        if (shard.iterator === undefined) continue;
        let answer: { Records: StreamRecord[]; NextShardIterator?: string };
        try {
          answer = await this.#engine.call('GetRecords', { ShardIterator: shard.iterator, Limit: 1000 });
        } catch (error) {
          if (!(error instanceof EngineError) || error.type !== 'ExpiredIteratorException') throw error;
          shard.iterator = await this.#iterator(id, shard.last);
          found = true;
          continue;
        }
        shard.iterator = answer.NextShardIterator;
        if (shard.iterator === undefined) {
          // The shard was closed; its children carry on.
          await this.#describe();
          found = true;
        }
        if (answer.Records.length === 0) continue;
        shard.last = answer.Records.at(-1)!.dynamodb.SequenceNumber;
        found ||= answer.Records.length === 1000;
        total += answer.Records.length;
        this.#onRecords(answer.Records.map((record) => this.#asAws(record)));
      }
    }
    return total;
  }

  async #describe(): Promise<void> {
    const { StreamDescription } = await this.#engine.call<{ StreamDescription: { Shards: { ShardId: string }[] } }>(
      'DescribeStream',
      { StreamArn: this.#streamArn },
    );
    for (const { ShardId } of StreamDescription.Shards) {
      if (!this.#shards.has(ShardId)) this.#shards.set(ShardId, { iterator: await this.#iterator(ShardId) });
    }
  }

  async #iterator(shard: string, after?: string): Promise<string> {
    const { ShardIterator } = await this.#engine.call<{ ShardIterator: string }>('GetShardIterator', {
      StreamArn: this.#streamArn,
      ShardId: shard,
      ...(after === undefined
        ? { ShardIteratorType: 'TRIM_HORIZON' }
        : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: after }),
    });
    return ShardIterator;
  }

  #asAws(record: StreamRecord): StreamRecord {
    return {
      ...record,
      awsRegion: REGION,
      eventSourceARN: this.#table.streamArn,
      dynamodb: {
        ...record.dynamodb,
        // Records are as old as the laptop's clock says, not as the engine's.
        ApproximateCreationDateTime: Math.floor(this.#now() / 1000),
        // AWS's numbers compare as texts of one length; an engine may count from 1.
        SequenceNumber: record.dynamodb.SequenceNumber.padStart(21, '0'),
      },
    };
  }
}

/** The earliest `dueAt` of all items that have a `duePk`, known from the stream's images. */
export class DueIndex {
  readonly #due = new Map<string, number>();
  /** A binary heap of [instant, key]; entries that no longer hold are dropped when they reach the top. */
  readonly #heap: [number, string][] = [];

  read(records: StreamRecord[]): void {
    for (const { dynamodb } of records) {
      const { pk, sk } = dynamodb.Keys;
      const key = `${pk?.S} ${sk?.S}`;
      const image = dynamodb.NewImage;
      // Under other keys of the index things are listed, not due.
      if (!image?.duePk?.S?.startsWith('DUE#') || image.dueAt?.N === undefined) {
        this.#due.delete(key);
        continue;
      }
      const instant = Number(image.dueAt.N);
      if (this.#due.get(key) === instant) continue;
      this.#due.set(key, instant);
      this.#push([instant, key]);
    }
  }

  next(): number | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.#due.get(top[1]) === top[0]) return top[0];
      this.#pop();
    }
    return undefined;
  }

  #push(entry: [number, string]): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]![0] <= entry[0]) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]![0] < heap[child]![0]) child++;
      if (heap[child]![0] >= last[0]) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
