// Runs a synthesised stack on one laptop: reads the template, starts what it names, and moves the clock only when idle.
import { devNull } from 'node:os';
import { KairosError } from '../domain/fault.ts';
import { Athena } from './athena.ts';
import { Clock } from './clock.ts';
import type { EngineName } from './engine.ts';
import { startEngine } from './engine.ts';
import type { Entry } from './events.ts';
import { Events } from './events.ts';
import { InvocationError, LambdaFunction } from './functions.ts';
import { Pictures } from './pictures.ts';
import { QueueSource } from './queue-source.ts';
import type { RecipientRule, Running } from './recipients.ts';
import { Buckets } from './s3.ts';
import { Secrets } from './secrets.ts';
import { PICTURES, startServer } from './server.ts';
import type { Mailbox } from './ses.ts';
import { Ses } from './ses.ts';
import type { SesAccount, SesCall } from './ses-account.ts';
import type { Happening } from './ses-events.ts';
import { Queue } from './sqs.ts';
import type { FailedBatch } from './streams.ts';
import { DueIndex, StreamConsumer, StreamReader } from './streams.ts';
import type { RuleResource, Stack } from './template.ts';
import { REGION, readTemplate } from './template.ts';
import type { Simulated, Trouble } from './trouble.ts';
import { Troubles } from './trouble.ts';
import { Work } from './work.ts';

export type { Entry } from './events.ts';
export type { Mailbox } from './ses.ts';
export type { SesAccount, SesCall } from './ses-account.ts';
export type { Happening, Mail } from './ses-events.ts';
export type { Simulated, Trouble } from './trouble.ts';

export interface LaptopOptions {
  /** A CloudFormation template as JSON. */
  template: object;
  /** The folder that holds its assets, `cdk.out`. */
  assets: string;
  engine?: EngineName;
  /** The instant at which the laptop's clock starts; now when absent. */
  start?: number;
  /** The server's port; a free one when absent. */
  port?: number;
  /** A folder of product pictures, by file name, for the mailbox viewer. */
  pictures?: string;
  /** Prints no logs of the functions. */
  quiet?: boolean;
  /** Runs schedules each real minute. */
  live?: boolean;
  /** Most threads of one function; 1 when absent. */
  threads?: number;
  /** The state of the SES account, where it is not healthy and without enforced limits. */
  ses?: Partial<SesAccount>;
  /** Added to the environment of every function, over what the template says. */
  overrides?: Record<string, string>;
}

export interface IdleOptions {
  /** Leaves stream records standing that wait for a batching window of 30 s or more, as long as they fill no batch. */
  leaveWindows?: boolean;
}

export interface DeadLetter {
  queue: string;
  body: string;
  attributes: Record<string, string>;
}

/** SES as whoever runs it sees it. */
export interface SesDesk {
  /** Its members may be set at any time. */
  readonly account: SesAccount;
  /** Puts the account back into the state in which it started. */
  heal(): void;
  /** Every SendEmail that arrived, oldest first. */
  readonly calls: readonly SesCall[];
  /** How many SendEmail arrived in each calendar second (epoch seconds) of the laptop's clock or of the real one. */
  perSecond(clock: 'laptop' | 'real'): Map<number, number>;
  /** Its region is out of reach: connections are refused until `online`. */
  offline(): Promise<void>;
  online(): Promise<void>;
}

export interface Laptop {
  /** The laptop's own page. */
  url: string;
  outputs: Record<string, string>;
  /** Endpoints and made-up credentials, for SDK clients and the CLI. */
  env: Record<string, string>;
  engine: EngineName;
  /** The logical ids that were passed over, with their types. */
  passedOver: { id: string; type: string }[];
  clock: {
    now(): number;
    /** Moves the clock forward; an earlier instant changes nothing. Throws KairosError while anything is under way. */
    moveTo(instant: number): void;
  };
  /** Resolves when queues, streams, invocations and requests are drained. Waiting times of queues are skipped. */
  idle(options?: IdleOptions): Promise<void>;
  /** The earliest due instant in the table's due index, as of the last `idle`. */
  nextDue(): number | undefined;
  /** Fires each rule of `rate(1 minute)` once, then waits for idle. */
  runTimers(options?: IdleOptions): Promise<void>;
  /** Fires each rule of `cron(…)` once, whatever the time, then waits for idle. Live schedules fire them at their time. */
  runNight(options?: IdleOptions): Promise<void>;
  /** Puts any number of events, on the stack's own bus unless they name another. Throws KairosError when one is refused. */
  putEvents(entries: readonly Entry[]): Promise<void>;
  /** Invokes the function whose logical id begins with the name (`record-interaction`). Throws InvocationError. */
  invoke(name: string, event: unknown): Promise<unknown>;
  mailbox: Mailbox;
  ses: SesDesk;
  /** Says what becomes of mails to some recipients from now on; a later rule goes before an earlier one. */
  recipients(rule: RecipientRule): Running;
  /** Makes something happen now to a mail that was sent; false when its configuration set does not tell of it. */
  react(mailId: string, happening: Happening): boolean;
  simulate(trouble: Trouble): Simulated;
  deadLetters(): Promise<DeadLetter[]>;
  /** How often each function has run, by logical id. */
  invocations(): Record<string, number>;
  /** The last lines that functions have logged. */
  logs(): string[];
  close(): Promise<void>;
}

const MOST_LOG_LINES = 1000;
const MOST_SKIPS = 1000;
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'laptop', AWS_SECRET_ACCESS_KEY: 'laptop' };

/**
 * Starts the stack. It has no IAM and one writer at a time per function: for trying, testing and demonstration.
 * Throws KairosError for a template that holds what a laptop cannot run, and when no DynamoDB engine can run here.
 */
export async function startLaptop(options: LaptopOptions): Promise<Laptop> {
  const work = new Work();
  const troubles = new Troubles();
  const clock = new Clock(options.start);
  const now = () => clock.now();
  const pictures = new Pictures(options.pictures ?? '');
  const server = await startServer(options.port ?? 0, work, troubles);
  let stack: Stack;
  try {
    stack = readTemplate(options.template, { base: server.base, assets: options.assets });
  } catch (error) {
    await server.close();
    throw error;
  }
  const [engine, ses] = await Promise.all([
    startEngine(options.engine),
    Ses.start({
      sets: stack.configurationSets,
      now,
      ...(options.ses !== undefined && { account: options.ses }),
      events: () => events,
      troubles,
      work,
      shown: (html) => pictures.shownFrom(`${server.base}${PICTURES}`, html),
    }),
  ]).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  const env = {
    ...CREDENTIALS,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ENDPOINT_URL: server.base,
    AWS_ENDPOINT_URL_ATHENA: server.base,
    AWS_ENDPOINT_URL_DYNAMODB: engine.url,
    AWS_ENDPOINT_URL_EVENTBRIDGE: server.base,
    AWS_ENDPOINT_URL_S3: server.base,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: server.base,
    AWS_ENDPOINT_URL_SESV2: server.sesBase,
    AWS_ENDPOINT_URL_SQS: server.base,
    AWS_ENDPOINT_URL_STS: server.base,
    // Nothing of the machine's own AWS settings reaches the functions.
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: 'true',
  };

  // ---- logs ----

  const logLines: string[] = [];
  const log = (functionName: string, text: string) => {
    for (const line of text.split('\n')) {
      if (line.trim() === '') continue;
      logLines.push(`${functionName}: ${line}`);
      if (options.quiet !== true) process.stderr.write(`${functionName}: ${line}\n`);
    }
    if (logLines.length > 2 * MOST_LOG_LINES) logLines.splice(0, logLines.length - MOST_LOG_LINES);
  };

  // ---- functions, queues, buses, buckets ----

  const functions = new Map(
    stack.functions.map((resource) => {
      const concurrency = stack.mappings
        .filter(({ functionId }) => functionId === resource.id)
        .map((mapping) => mapping.concurrency);
      const threads = Math.max(1, Math.min(options.threads ?? 1, Math.max(1, ...concurrency)));
      const functionEnv = { ...resource.env, ...options.overrides };
      return [
        resource.id,
        new LambdaFunction(
          { ...resource, env: functionEnv },
          {
            threads,
            env: { ...env, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x', AWS_LAMBDA_LOG_LEVEL: 'WARN', TZ: 'UTC' },
            clock: clock.shared,
            work,
            troubles,
            log,
          },
        ),
      ] as const;
    }),
  );
  const queues = stack.queues.map((resource) => new Queue(resource, now));
  const queueOf = (arn: string) => queues.find(({ resource }) => resource.arn === arn);
  for (const queue of queues) {
    const { redrive } = queue.resource;
    if (redrive === undefined) continue;
    const target = queueOf(redrive.arn) ?? missing(`Resources.${queue.resource.id}.RedrivePolicy`, redrive.arn);
    queue.deadLetters = target;
  }
  const buckets = new Buckets(
    stack.buckets.map(({ name }) => name),
    now,
  );
  const secrets = new Secrets(stack.secrets, now);
  const athena = new Athena(buckets, now);

  const deliver = (target: RuleResource['targets'][number], input: unknown) => {
    const queue = queueOf(target.arn);
    if (queue !== undefined) return void queue.send(JSON.stringify(input));
    const bus = stack.buses.find(({ arn }) => arn === target.arn);
    if (bus !== undefined) {
      const { source, 'detail-type': type, detail, resources } = input as Record<string, unknown>;
      events.publish(bus.name, {
        source: String(source),
        'detail-type': String(type),
        detail,
        resources: resources as string[],
      });
      return;
    }
    const fn = [...functions.values()].find(({ resource }) => resource.arn === target.arn);
    if (fn !== undefined) void invokeLater(fn, input, target.deadLetters);
  };
  for (const rule of stack.rules) {
    for (const { arn } of rule.targets) {
      const known = [...stack.queues, ...stack.buses, ...stack.functions].some((resource) => resource.arn === arn);
      if (!known) missing(`Resources.${rule.id}.Targets`, arn);
    }
  }
  let events: Events;
  try {
    events = new Events(stack, now, deliver);
  } catch (error) {
    await Promise.all([server.close(), ses.close(), engine.close()]);
    throw error;
  }

  /** An asynchronous invocation, with the retries that the template gives it. */
  async function invokeLater(fn: LambdaFunction, input: unknown, deadLetters: string | undefined): Promise<void> {
    const end = work.begin();
    const { retries, failures = deadLetters } = stack.asyncRetries.get(fn.resource.id) ?? { retries: 2 };
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          await fn.invoke(input);
          return;
        } catch (error) {
          if (!(error instanceof InvocationError)) throw error;
          if (attempt < retries && !closed) continue;
          if (failures !== undefined) queueOf(failures)?.send(JSON.stringify(input));
          return;
        }
      }
    } finally {
      end();
    }
  }

  // ---- event sources ----

  const sources: QueueSource[] = [];
  const consumers = new Map<string, StreamConsumer[]>();
  for (const mapping of stack.mappings) {
    const fn = functions.get(mapping.functionId)!;
    const queue = queueOf(mapping.source);
    if (queue !== undefined) sources.push(new QueueSource(mapping, queue, fn));
    else if (stack.tables.some(({ streamArn, streams }) => streams && streamArn === mapping.source)) {
      const consumer = new StreamConsumer(mapping, fn, now, keepFailure);
      consumers.set(mapping.source, [...(consumers.get(mapping.source) ?? []), consumer]);
    } else missing(`Resources.${mapping.id}.EventSourceArn`, mapping.source);
  }
  const allConsumers = [...consumers.values()].flat();

  function keepFailure({ mapping, functionArn, records, attempts, error }: FailedBatch): void {
    log(mapping.id, `gave up ${records.length} stream records after ${attempts} attempts: ${error}`);
    if (mapping.failures === undefined) return;
    const first = records[0]!.dynamodb;
    const invocation = {
      version: '1.0',
      timestamp: new Date(now()).toISOString(),
      requestContext: {
        requestId: first.SequenceNumber,
        functionArn,
        condition: 'RetryAttemptsExhausted',
        approximateInvokeCount: attempts,
      },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      DDBStreamBatchInfo: {
        shardId: 'laptop',
        startSequenceNumber: first.SequenceNumber,
        endSequenceNumber: records.at(-1)!.dynamodb.SequenceNumber,
        batchSize: records.length,
        streamArn: mapping.source,
      },
    };
    const queue = queueOf(mapping.failures);
    if (queue !== undefined) return void queue.send(JSON.stringify(invocation));
    const bucket = stack.buckets.find(({ arn }) => arn === mapping.failures)!;
    const day = invocation.timestamp.slice(0, 10);
    const key = `aws/lambda/${mapping.id}/laptop/${day.replaceAll('-', '/')}/${invocation.timestamp}-${first.SequenceNumber}`;
    buckets.put(
      bucket.name,
      key,
      Buffer.from(JSON.stringify({ ...invocation, payload: JSON.stringify({ Records: records }) })),
    );
  }

  const due = new DueIndex();
  const readers: StreamReader[] = [];
  for (const table of stack.tables) {
    const streamArn = await engine.createTable(table);
    if (streamArn === undefined) continue;
    readers.push(
      new StreamReader(engine, table, streamArn, {
        now,
        onRecords: (records) => {
          due.read(records);
          for (const consumer of consumers.get(table.streamArn) ?? []) consumer.push(records);
        },
      }),
    );
  }

  // ---- running ----

  let closed = false;
  let idling = 0;
  const poll = async () => {
    const counts = await Promise.all(readers.map((reader) => reader.poll()));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const pump = (leaveWindows: boolean) => {
    for (const source of sources) source.pump();
    for (const consumer of allConsumers) consumer.pump(leaveWindows);
  };
  const pending = (leaveWindows: boolean) =>
    work.busy ||
    sources.some((source) => source.pending) ||
    allConsumers.some((consumer) => consumer.pending(leaveWindows));
  /** Waiting means nothing when nothing else happens. Dead letters wait for people: nobody skips there. */
  const skipWaits = () => sources.map(({ queue }) => queue.skipWaits()).some((skipped) => skipped);

  async function idle({ leaveWindows = false }: IdleOptions = {}): Promise<void> {
    idling++;
    let skipped = 0;
    try {
      while (!closed) {
        await work.quiet();
        const read = await poll();
        pump(leaveWindows);
        await turn();
        if (read > 0 || pending(leaveWindows)) continue;
        if (!skipWaits()) return;
        if (++skipped === MOST_SKIPS) {
          throw new KairosError({
            code: 'laptop.restless',
            path: sources
              .filter(({ queue }) => queue.hidden + queue.visible > 0)
              .map(({ queue }) => queue.resource.name)
              .join(', '),
            message: `the laptop does not come to rest: waiting was skipped ${MOST_SKIPS} times.`,
            remedy: 'A function that waits by posting to its own queue with a delay would wait for ever here.',
          });
        }
      }
    } finally {
      idling--;
    }
  }

  /** Without anybody waiting for idle: reads the streams, ends long windows, skips waits when all is quiet. */
  const background = (async () => {
    let pause = 5;
    let quietSince = performance.now();
    let flushed = performance.now();
    while (!closed) {
      if (idling === 0) {
        const read = await poll().catch((error: unknown) => {
          if (!closed) log('streams', String(error));
          return 0;
        });
        const flush = performance.now() - flushed > 2000;
        if (flush) flushed = performance.now();
        pump(!flush);
        if (read > 0 || pending(true)) {
          quietSince = performance.now();
          pause = 5;
        } else {
          pause = Math.min(pause * 2, 200);
          if (performance.now() - quietSince > 100) skipWaits();
        }
      }
      await new Promise((done) => {
        setTimeout(done, pause).unref();
      });
    }
  })();
  void background;

  const minuteTimer =
    options.live === true
      ? setInterval(() => {
          const minute = Math.floor(clock.now() / 60_000);
          if (minute === lastMinute) return;
          lastMinute = minute;
          events.minute(clock.now());
        }, 1000)
      : undefined;
  let lastMinute = Math.floor(clock.now() / 60_000);

  const deadQueues = new Set([
    ...queues.flatMap(({ deadLetters }) => (deadLetters === undefined ? [] : [deadLetters])),
    ...stack.rules.flatMap(({ targets }) => targets.flatMap(({ deadLetters }) => queueOf(deadLetters ?? '') ?? [])),
    ...stack.mappings.flatMap(({ failures }) => queueOf(failures ?? '') ?? []),
    ...[...stack.asyncRetries.values()].flatMap(({ failures }) => queueOf(failures ?? '') ?? []),
  ]);
  const deadLetters = () =>
    [...deadQueues].flatMap((queue) =>
      queue.list().map(({ body, attributes, deadFrom }) => ({
        queue: queue.resource.name,
        body,
        attributes: {
          ...Object.fromEntries(Object.entries(attributes).map(([name, { StringValue }]) => [name, StringValue ?? ''])),
          ...(deadFrom !== undefined && { receivedTooOftenFrom: deadFrom.split(':').at(-1)! }),
        },
      })),
    );

  server.serve({
    queues,
    events,
    buckets,
    secrets,
    athena,
    ses,
    pictures,
    urls: new Map(stack.urls.map(({ id, functionId }) => [id, functions.get(functionId)!])),
    page: () => ({
      mailbox: { url: ses.mailbox.url, count: ses.mailbox.count() },
      outputs: stack.outputs,
      deadLetters: deadLetters(),
      now: clock.now(),
    }),
    crash: (id) => functions.get(id)?.crash(),
    now,
  });

  return {
    url: `${server.base}/`,
    outputs: stack.outputs,
    env,
    engine: engine.name,
    passedOver: stack.passedOver,
    clock: {
      now,
      moveTo(instant) {
        if (pending(true)) {
          throw new KairosError({
            code: 'laptop.busy',
            path: 'clock',
            message: 'the clock moves only when idle.',
            remedy: 'Await idle() first.',
          });
        }
        clock.moveTo(instant);
      },
    },
    idle,
    nextDue: () => due.next(),
    async runTimers(idleOptions) {
      events.tick();
      await idle(idleOptions);
    },
    async runNight(idleOptions) {
      events.night();
      await idle(idleOptions);
    },
    async putEvents(entries) {
      const bus = stack.buses[0]?.name ?? 'default';
      for (let at = 0; at < entries.length; at += 10) {
        const { Entries } = events.put(entries.slice(at, at + 10).map((entry) => ({ EventBusName: bus, ...entry })));
        const refused = Entries.find((answer) => 'ErrorCode' in answer);
        if (refused !== undefined) {
          throw new KairosError({
            code: 'laptop.put-events',
            path: 'Entries',
            message: 'an event was refused.',
            received: JSON.stringify(refused),
          });
        }
      }
    },
    async invoke(name, event) {
      const wanted = name.toLowerCase().replace(/[^a-z0-9]/g, '');
      const fn = [...functions.values()].find(({ resource }) => resource.id.toLowerCase().startsWith(wanted));
      if (fn === undefined) return missing('invoke', name);
      return fn.invoke(event);
    },
    mailbox: ses.mailbox,
    ses: {
      account: ses.account.state,
      heal: () => ses.account.heal(),
      calls: ses.account.calls,
      perSecond: (clock) => ses.account.perSecond(clock),
      offline: () => server.listenForSes(false),
      online: () => server.listenForSes(true),
    },
    recipients: (rule) => ses.recipients.add(rule),
    react: (id, happening) => ses.react(id, happening),
    simulate: (trouble) => troubles.add(trouble),
    deadLetters: async () => deadLetters(),
    invocations: () => Object.fromEntries([...functions].map(([id, fn]) => [id, fn.invocations])),
    logs: () => logLines.slice(-MOST_LOG_LINES),
    async close() {
      if (closed) return;
      closed = true;
      clearInterval(minuteTimer);
      await Promise.all([...functions.values()].map((fn) => fn.close()));
      await Promise.all([server.close(), ses.close()]);
      await athena.close();
      await engine.close();
    },
  };
}

const turn = () => new Promise<void>((done) => setImmediate(done));

function missing(path: string, received: string): never {
  throw new KairosError({ code: 'laptop.reference', path, message: 'this is not part of the template.', received });
}
