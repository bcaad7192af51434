// One file of functions/ as a Lambda: its bundle, role and log group, and what it takes from queues and streams.
import { fileURLToPath } from 'node:url';
import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Policy, PolicyStatement, type PolicyStatementProps, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  EventSourceMapping,
  FilterCriteria,
  LoggingFormat,
  Runtime,
  StartingPosition,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import { type ICommandHooks, NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { logGroupName, physicalName, type StepName } from './names.ts';
import type { StageSettings } from './settings.ts';
import type { WorkQueue } from './work-queue.ts';

/** Where Lambda puts the records of a stream that it gave up; the service chooses this prefix itself. */
export const STREAM_FAILURES_PREFIX = 'aws/lambda/';

/** The path of the entry file of a step. */
export type Entries = (step: StepName) => string;
export const functionFile: Entries = (step) => fileURLToPath(new URL(`../functions/${step}.ts`, import.meta.url));

/** 130 KB of every bundle, which no Lambda needs. */
const CREDENTIAL_CHAIN = {
  '--alias:@aws-sdk/credential-provider-node': fileURLToPath(new URL('./lambda-credentials.ts', import.meta.url)),
};

export interface StepProps {
  settings: StageSettings;
  entries: Entries;
  /** Seconds. */
  timeout: number;
  /** Megabytes; CPU grows with it. */
  memory: number;
  environment: Record<string, string>;
  /** A folder that its bundle holds beside the code, and under which name. */
  beside?: { folder: string; name: string };
  /** What its role may do, beside writing its own log. */
  may: PolicyStatementProps[];
}

type ObjectAction =
  | 's3:GetObject'
  | 's3:PutObject'
  | 's3:DeleteObject'
  | 's3:AbortMultipartUpload'
  | 's3:ListMultipartUploadParts';

/** Copies a folder into the bundle once it is made. */
function copying({ folder, name }: NonNullable<StepProps['beside']>): ICommandHooks {
  const copy = (to: string): string => `require('node:fs').cpSync('${folder}', '${to}/${name}', { recursive: true })`;
  return {
    beforeBundling: () => [],
    beforeInstall: () => [],
    afterBundling: (_from, to) => [`"${process.execPath}" -e "${copy(to)}"`],
  };
}

/** A Lambda with a role and a log group of its own. */
export class Step extends Construct {
  readonly name: StepName;
  readonly function: NodejsFunction;
  readonly timeout: Duration;
  readonly #policy: Policy;
  readonly #small: boolean;

  constructor(scope: Construct, id: string, name: StepName, props: StepProps) {
    super(scope, id);
    const { stage, profile } = props.settings;
    this.name = name;
    this.timeout = Duration.seconds(props.timeout);
    this.#small = profile === 'small';
    const logGroup = new LogGroup(this, 'Log', {
      logGroupName: logGroupName(stage, name),
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `What ${name} of Kairos ${stage} may do`,
    });
    this.#policy = new Policy(this, 'Policy', { roles: [role] });
    this.may({ actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [logGroup.logGroupArn] });
    for (const statement of props.may) this.may(statement);
    this.function = new NodejsFunction(this, 'Function', {
      functionName: physicalName(stage, name),
      entry: props.entries(name),
      handler: 'handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      timeout: this.timeout,
      memorySize: props.memory,
      role: role.withoutPolicyUpdates(),
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      systemLogLevelV2: SystemLogLevel.WARN,
      environment: props.environment,
      awsSdkConnectionReuse: false,
      bundling: {
        format: OutputFormat.ESM,
        minify: true,
        bundleAwsSDK: true,
        mainFields: ['module', 'main'],
        target: 'node24',
        esbuildArgs: CREDENTIAL_CHAIN,
        ...(props.beside && { commandHooks: copying(props.beside) }),
      },
    });
    this.function.node.addDependency(this.#policy);
  }

  /** Grants its role one statement more. */
  may(statement: PolicyStatementProps): void {
    this.#policy.addStatements(new PolicyStatement(statement));
  }

  /** Takes messages from a queue; a failed item alone comes back (partial batch response). */
  takes(queue: WorkQueue, take: { batch: number; windowSeconds?: number; most: number }): void {
    this.may({
      actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility'],
      resources: [queue.queue.queueArn],
    });
    new EventSourceMapping(this, `${queue.node.id}Mapping`, {
      target: this.function,
      eventSourceArn: queue.queue.queueArn,
      batchSize: take.batch,
      ...(take.windowSeconds === undefined ? {} : { maxBatchingWindow: Duration.seconds(take.windowSeconds) }),
      maxConcurrency: this.#small ? 2 : take.most,
      reportBatchItemFailures: true,
    }).node.addDependency(this.#policy);
  }

  /** Reads the table's stream: retried 10 times for at most 6 hours, halved on a fault, then left in the bucket with its records. */
  follows(
    table: TableV2,
    follow: {
      batch: number;
      windowSeconds?: number;
      filters: Record<string, unknown>[];
      failures: Bucket;
      namesShards?: boolean;
    },
  ): void {
    const streamArn = table.tableStreamArn!;
    this.may({
      actions: ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'],
      resources: [streamArn],
    });
    this.mayAnywhere('dynamodb:ListStreams', 'dynamodb:ListStreams knows no resource; it lists names only.');
    this.may({ actions: ['s3:ListBucket'], resources: [follow.failures.bucketArn] });
    this.mayUseObjects(
      follow.failures,
      's3:PutObject',
      STREAM_FAILURES_PREFIX,
      'Lambda names the records that it gave up itself.',
    );
    new EventSourceMapping(this, 'StreamMapping', {
      target: this.function,
      eventSourceArn: streamArn,
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: follow.batch,
      ...(follow.windowSeconds === undefined ? {} : { maxBatchingWindow: Duration.seconds(follow.windowSeconds) }),
      bisectBatchOnError: true,
      retryAttempts: 10,
      maxRecordAge: Duration.hours(6),
      reportBatchItemFailures: true,
      // Lambda names the shard only in the events of a tumbling window.
      ...(follow.namesShards ? { tumblingWindow: Duration.seconds(60) } : {}),
      filters: follow.filters.map((filter) => FilterCriteria.filter(filter)),
      supportS3OnFailureDestination: true,
      onFailure: { bind: () => ({ destination: follow.failures.bucketArn }) },
    }).node.addDependency(this.#policy);
  }

  /** Grants one call that AWS lets nobody narrow to a resource; `why` answers cdk-nag. */
  mayAnywhere(action: 'dynamodb:ListStreams' | 'ses:GetAccount', why: string): void {
    this.may({ actions: [action], resources: ['*'] });
    this.#acknowledge('Resource::*', why);
  }

  /** Grants one call on the objects under a prefix; `why` answers cdk-nag, which asks at each wildcard. */
  mayUseObjects(bucket: Bucket, action: ObjectAction, prefix: string, why: string): void {
    this.may({ actions: [action], resources: [bucket.arnForObjects(`${prefix}*`)] });
    const logicalId = Stack.of(this).getLogicalId(bucket.node.defaultChild as CfnBucket);
    this.#acknowledge(`Resource::<${logicalId}.Arn>/${prefix}*`, why);
  }

  /** Grants calls on resources under a wildcard, of which cdk-nag asks: `finding` as it writes it, `why` the answer. */
  mayUnder(statement: PolicyStatementProps, finding: string, why: string): void {
    this.may(statement);
    this.#acknowledge(`Resource::${finding}`, why);
  }

  #acknowledge(finding: string, reason: string): void {
    Validations.of(this.#policy).acknowledge({ id: `AwsSolutions-IAM5[${finding}]`, reason });
  }
}
