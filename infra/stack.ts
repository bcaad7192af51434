// The core stack: everything an event meets on its way to an e-mail, in the order in which it meets it.
import { fileURLToPath } from 'node:url';
import { Aws, CfnOutput, Duration, RemovalPolicy, Stack, Tags, Validations } from 'aws-cdk-lib';
import { AttributeType, Billing, ProjectionType, StreamViewType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, type IEventBus, Match, Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { ConfigurationSet, EmailSendingEvent, EventDestination, SuppressionReasons } from 'aws-cdk-lib/aws-ses';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { variable } from '../functions/aws/env.ts';
import { Door } from './door.ts';
import {
  ATHENA_PREFIX,
  bucketParameter,
  busName,
  coreStackName,
  databaseName,
  pascal,
  physicalName,
  type QueueName,
  type StepName,
  trackedSetName,
  workgroupName,
} from './names.ts';
import type { StageSettings } from './settings.ts';
import { type Entries, functionFile, STREAM_FAILURES_PREFIX, Step, type StepProps } from './step.ts';
import { WorkQueue } from './work-queue.ts';

/** Seconds that each function may take; a queue's visibility is six times its function's. */
const TIMEOUTS: Record<StepName, number> = {
  'receive-event': 10,
  'record-interaction': 30,
  'hand-off': 30,
  'run-timers': 30,
  'walk-due': 60,
  'send-message': 60,
  'receive-feedback': 30,
  'guard-sending': 30,
  'manage-preferences': 10,
  'recommend-products': 10,
  'walk-roster': 60,
  'write-lake': 120,
  'refresh-insight': 900,
};

/** Where operational events come from: `Campaign Paused`, `Sending Stopped` … */
const OPERATIONS_SOURCE = 'kairos.operations';

/** SES's mailbox simulator, which smoke tests write to. */
const SIMULATOR = 'simulator.amazonses.com';

/** A queue as the target of a rule: EventBridge retries for a day, then leaves the event in the queue's dead letters. */
const into = ({ queue, deadLetters }: WorkQueue): SqsQueue =>
  new SqsQueue(queue, { deadLetterQueue: deadLetters, retryAttempts: 185, maxEventAge: Duration.hours(24) });

/**
 * How many senders of one lane may run at once. Simulated with the times that AWS's calls are said to take, one sends
 * about 16 messages a second where many share each second's slots.
 */
const sendersOf = (sendRate: number): number => Math.min(100, Math.max(5, Math.ceil(sendRate / 15)));

export class KairosStack extends Stack {
  readonly #settings: StageSettings;
  readonly #entries: Entries;

  /** @param entries finds the entry file of a step; tests give fixtures. */
  constructor(scope: Construct, settings: StageSettings, entries: Entries = functionFile) {
    super(scope, coreStackName(settings.stage), {
      description: `Kairos, stage ${settings.stage}: purchase events in, personalised e-mails out`,
      terminationProtection: settings.keepsData,
    });
    this.#settings = settings;
    this.#entries = entries;
    Tags.of(this).add('kairos:stage', settings.stage);

    // What outlives the code.
    const table = this.#table();
    const bucket = this.#bucket();
    const secret = this.#secret();
    const defaultBus = EventBus.fromEventBusName(this, 'DefaultBus', 'default');
    const configurationSet = this.#configurationSet('ConfigurationSet', defaultBus);
    const trackedSet = settings.trackOpens
      ? this.#configurationSet('TrackedConfigurationSet', defaultBus, { opens: true })
      : undefined;

    // What waits between the steps.
    const bus = new EventBus(this, 'Bus', { eventBusName: busName(settings.stage) });
    const recordQueue = this.#queue('record', 'record-interaction');
    const timersQueue = this.#queue('timers', 'walk-due');
    const triggeredQueue = this.#queue('triggered', 'send-message');
    const bulkQueue = this.#queue('bulk', 'send-message');
    const feedbackQueue = this.#queue('feedback', 'receive-feedback');
    const rosterQueue = this.#queue('roster', 'walk-roster');

    // What several roles may do.
    const publishEvents = { actions: ['events:PutEvents'], resources: [bus.eventBusArn] };
    const readSecret = { actions: ['secretsmanager:GetSecretValue'], resources: [secret.secretArn] };
    const record = {
      actions: ['GetItem', 'BatchGetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'].map(
        (call) => `dynamodb:${call}`,
      ),
      resources: [table.tableArn],
    };
    const rates = {
      [variable.sendRate]: String(settings.sendRate),
      [variable.rateShare]: String(settings.rateShare),
    };
    const queryIndex = (name: 'due' | 'roster') => ({
      actions: ['dynamodb:Query'],
      resources: [`${table.tableArn}/index/${name}`],
    });
    const send = (...queues: WorkQueue[]) => ({
      actions: ['sqs:SendMessage'],
      resources: queues.map(({ queue }) => queue.queueArn),
    });
    const bury = (queue: WorkQueue) => ({ actions: ['sqs:SendMessage'], resources: [queue.deadLetters.queueArn] });
    const readsBooks = (step: Step) =>
      step.mayUseObjects(
        bucket,
        's3:GetObject',
        'books/',
        'Books are named by their hash; the role reads no other folder.',
      );
    /** Of a step that decides, or recommends: the models stand beside the book. */
    const readsModels = (step: Step) => {
      readsBooks(step);
      step.mayUseObjects(bucket, 's3:GetObject', 'models/', 'Models are named by their hash, as books are.');
    };

    const step = (name: StepName, props: Pick<StepProps, 'memory' | 'environment' | 'may' | 'beside'>) =>
      new Step(this, pascal(name), name, {
        settings,
        entries: this.#entries,
        timeout: TIMEOUTS[name],
        memory: props.memory,
        may: props.may,
        ...(props.beside && { beside: props.beside }),
        environment: {
          [variable.stage]: settings.stage,
          [variable.table]: table.tableName,
          [variable.bucket]: bucket.bucketName,
          [variable.bus]: bus.eventBusName,
          [variable.shards]: String(settings.dueShards),
          [variable.service]: name,
          ...props.environment,
        },
      });

    // The way of an event. Each step: what wakes it, what repeats it, where it leaves what it cannot do, why a repeat is harmless.

    // HTTPS. The caller repeats on anything but 202; the bus dedupes nothing, record-interaction does.
    const receiveEvent = step('receive-event', {
      memory: 256,
      environment: { [variable.secret]: secret.secretArn },
      may: [readSecret, publishEvents],
    });

    // Bus → queue. What an operator or a guard did is told to who listens, and is no event of a person.
    new Rule(this, 'EventsRule', {
      ruleName: physicalName(settings.stage, 'events'),
      description: 'Every event of the bus that is about a person to record-interaction',
      eventBus: bus,
      eventPattern: { source: Match.anythingBut(OPERATIONS_SOURCE) },
      targets: [into(recordQueue)],
    });

    // Queue. Failed items alone come back, 8 times; an interaction that is already there counts nothing.
    const recordInteraction = step('record-interaction', {
      memory: 512,
      environment: { [variable.deadLetters]: recordQueue.deadLetters.queueUrl },
      may: [record, bury(recordQueue)],
    });
    recordInteraction.takes(recordQueue, { batch: 25, windowSeconds: 1, most: 20 });
    readsModels(recordInteraction);

    // Stream. What is lost here is found by walk-due within minutes; a message queued twice is claimed once.
    const handOff = step('hand-off', {
      memory: 256,
      environment: {
        [variable.triggeredQueue]: triggeredQueue.queue.queueUrl,
        [variable.bulkQueue]: bulkQueue.queue.queueUrl,
      },
      may: [send(triggeredQueue, bulkQueue)],
    });
    handOff.follows(table, {
      batch: 100,
      filters: [{ eventName: ['INSERT'], dynamodb: { Keys: { sk: { S: [{ prefix: 'MESSAGE#' }] } } } }],
      failures: bucket,
    });

    // Each minute. No retry: the next minute is one. A lease keeps two of them from running at once.
    const runTimers = step('run-timers', {
      memory: 256,
      environment: {
        [variable.timersQueue]: timersQueue.queue.queueUrl,
        [variable.triggeredQueue]: triggeredQueue.queue.queueUrl,
        [variable.bulkQueue]: bulkQueue.queue.queueUrl,
        ...rates,
      },
      may: [
        {
          actions: ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:UpdateItem'],
          resources: [table.tableArn],
        },
        send(timersQueue),
        queryIndex('due'),
        // How full the send queues are says how much may be released into them.
        { actions: ['sqs:GetQueueAttributes'], resources: [triggeredQueue.queue.queueArn, bulkQueue.queue.queueArn] },
      ],
    });
    this.#eachMinute('EachMinuteRule', 'each-minute', runTimers);

    // Queue, one message a shard. A tick that comes twice derives the same; a send released twice is claimed once; a
    // notice put twice bears the same id.
    const walkDue = step('walk-due', {
      memory: 512,
      environment: {
        [variable.timersQueue]: timersQueue.queue.queueUrl,
        [variable.triggeredQueue]: triggeredQueue.queue.queueUrl,
        [variable.bulkQueue]: bulkQueue.queue.queueUrl,
        [variable.rosterQueue]: rosterQueue.queue.queueUrl,
        [variable.backfillRate]: String(settings.backfillRate),
        ...rates,
      },
      may: [
        record,
        queryIndex('due'),
        queryIndex('roster'),
        send(timersQueue, triggeredQueue, bulkQueue, rosterQueue),
        publishEvents,
      ],
    });
    walkDue.takes(timersQueue, { batch: 1, most: 10 });
    readsModels(walkDue);

    // Two queues. One attempt per claim (the claim is the idempotency); what must wait goes back to the due index, not to the queue.
    const sendMessage = step('send-message', {
      memory: 512,
      environment: {
        [variable.configurationSet]: configurationSet.configurationSetName,
        ...(trackedSet ? { [variable.trackedConfigurationSet]: trackedSet.configurationSetName } : {}),
        [variable.secret]: secret.secretArn,
        ...rates,
        [variable.deadLetters]: triggeredQueue.deadLetters.queueUrl,
        ...(settings.allowedRecipients
          ? { [variable.allowedRecipients]: JSON.stringify([...settings.allowedRecipients, SIMULATOR]) }
          : {}),
      },
      may: [record, readSecret, bury(triggeredQueue), this.#sendMail(configurationSet, trackedSet)],
    });
    sendMessage.takes(triggeredQueue, { batch: 10, most: sendersOf(settings.sendRate) });
    sendMessage.takes(bulkQueue, { batch: 10, most: sendersOf(settings.sendRate) });
    readsModels(sendMessage);

    // SES → default bus → queue. Transitions are idempotent and in any order.
    new Rule(this, 'FeedbackRule', {
      ruleName: physicalName(settings.stage, 'feedback'),
      description: 'Feedback of our configuration sets to receive-feedback; SES speaks to the default bus only',
      eventPattern: {
        source: ['aws.ses'],
        detail: {
          mail: {
            tags: {
              // The tracked set by its name: bounces and complaints come days after somebody took it out of the stack.
              'ses:configuration-set': [configurationSet.configurationSetName, trackedSetName(settings.stage)],
            },
          },
        },
      },
      targets: [into(feedbackQueue)],
    });
    // A consent that a person withdrew counts for the message whose link they followed: mailbox providers tell few complaints.
    new Rule(this, 'UnsubscribesRule', {
      ruleName: physicalName(settings.stage, 'unsubscribes'),
      description: 'Consents withdrawn through our own doors, to receive-feedback',
      eventBus: bus,
      eventPattern: { source: ['kairos'], detailType: ['Consent Withdrawn'] },
      targets: [into(feedbackQueue)],
    });
    const receiveFeedback = step('receive-feedback', {
      memory: 512,
      environment: { [variable.deadLetters]: feedbackQueue.deadLetters.queueUrl },
      may: [record, bury(feedbackQueue)],
    });
    receiveFeedback.takes(feedbackQueue, {
      batch: 50,
      windowSeconds: 2,
      most: Math.max(10, sendersOf(settings.sendRate)),
    });
    readsModels(receiveFeedback);

    // Each minute. No retry: the next minute is one. What it finds is derived anew each time; a stop or a pause that is there stays as it is.
    const guardSending = step('guard-sending', {
      memory: 256,
      environment: rates,
      may: [
        {
          actions: ['GetItem', 'BatchGetItem', 'Query', 'PutItem', 'UpdateItem'].map((call) => `dynamodb:${call}`),
          resources: [table.tableArn],
        },
        queryIndex('due'),
        publishEvents,
      ],
    });
    guardSending.mayAnywhere('ses:GetAccount', 'ses:GetAccount knows no resource; it tells quota and standing.');
    readsBooks(guardSending);
    this.#eachMinute('GuardRule', 'guard', guardSending);

    // HTTPS, from a link in an e-mail. Its answer is an event on the bus; a repeat counts nothing.
    const managePreferences = step('manage-preferences', {
      memory: 256,
      environment: { [variable.secret]: secret.secretArn },
      may: [
        readSecret,
        publishEvents,
        { actions: ['dynamodb:BatchGetItem', 'dynamodb:Query'], resources: [table.tableArn] },
      ],
    });
    readsBooks(managePreferences);
    managePreferences.mayUseObjects(
      bucket,
      's3:GetObject',
      'images/',
      'Pictures of e-mails are named by their hash, and meant for everybody.',
    );

    // HTTPS, from a shop's page or server. It changes nothing; whoever gets no answer shows the page without.
    const recommendProducts = step('recommend-products', {
      memory: 512,
      environment: { [variable.secret]: secret.secretArn },
      may: [readSecret, { actions: ['dynamodb:BatchGetItem'], resources: [table.tableArn] }],
    });
    readsModels(recommendProducts);

    // Queue, one cursor a shard, after each publish; SQS holds each back until its page is due. A cursor walked twice
    // finds nothing to do.
    const walkRoster = step('walk-roster', {
      memory: 512,
      environment: {
        [variable.rosterQueue]: rosterQueue.queue.queueUrl,
        [variable.backfillRate]: String(settings.backfillRate),
        ...rates,
      },
      may: [record, queryIndex('roster'), send(rosterQueue)],
    });
    walkRoster.takes(rosterQueue, { batch: 1, most: 5 });
    readsModels(walkRoster);

    // Stream, the second and last reader. Objects are named by shard and first record; counters remember the last one.
    const writeLake = step('write-lake', {
      memory: 512,
      environment: {},
      may: [
        {
          actions: ['dynamodb:BatchGetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
          resources: [table.tableArn],
        },
      ],
    });
    writeLake.mayUseObjects(
      bucket,
      's3:PutObject',
      'lake/',
      'Objects are named by kind, day and shard; the role writes no other folder.',
    );
    readsBooks(writeLake);
    writeLake.follows(table, {
      batch: 5000,
      windowSeconds: 60,
      // Leases, rates and counters of its own would wake it for nothing.
      filters: [
        { dynamodb: { Keys: { sk: { S: ['CONTACT', 'ORDER', { prefix: 'INTERACTION#' }, { prefix: 'MESSAGE#' }] } } } },
      ],
      failures: bucket,
      namesShards: true,
    });

    // Each night. No retry: the next night is one. It makes the same models of the same lake; a pointer that another run
    // has moved stays; a walk that was begun twice does each contact twice, which changes nothing.
    const refreshInsight = step('refresh-insight', {
      memory: 2048,
      environment: {
        [variable.workgroup]: workgroupName(settings.stage),
        [variable.database]: databaseName(settings.stage),
        [variable.rosterQueue]: rosterQueue.queue.queueUrl,
      },
      beside: { folder: fileURLToPath(new URL('../functions/aws/sql', import.meta.url)), name: 'sql' },
      may: [
        {
          actions: ['BatchGetItem', 'PutItem', 'UpdateItem'].map((call) => `dynamodb:${call}`),
          resources: [table.tableArn],
        },
        send(rosterQueue),
        ...this.#askLake(bucket),
      ],
    });
    refreshInsight.mayUnder(
      this.#lakeTables(),
      `arn:<AWS::Partition>:glue:<AWS::Region>:<AWS::AccountId>:table/${databaseName(settings.stage)}/*`,
      'Tables and views of the lake are all that this database of ours holds.',
    );
    readsBooks(refreshInsight);
    refreshInsight.mayUseObjects(
      bucket,
      's3:GetObject',
      'erased/',
      'Who was erased is left out when files are put together.',
    );
    for (const action of ['s3:PutObject', 's3:DeleteObject'] as const)
      refreshInsight.mayUseObjects(bucket, action, 'lake/', 'It puts the files of a day together into one.');
    refreshInsight.mayUseObjects(bucket, 's3:GetObject', 'lake/', 'Athena reads the lake with the rights of who asks.');
    for (const action of [
      's3:GetObject',
      's3:PutObject',
      's3:AbortMultipartUpload',
      's3:ListMultipartUploadParts',
    ] as const)
      refreshInsight.mayUseObjects(bucket, action, 'athena/', 'Athena leaves its results there, each under its id.');
    for (const action of ['s3:GetObject', 's3:PutObject'] as const)
      refreshInsight.mayUseObjects(
        bucket,
        action,
        'models/',
        'Models are named by their hash; the role reads and writes no other folder of ours.',
      );
    this.#eachNight('InsightRule', 'insight', refreshInsight);

    const door = new Door(this, settings, receiveEvent, managePreferences, recommendProducts);
    sendMessage.function.addEnvironment(variable.publicBaseUrl, door.preferencesUrl);

    const outputs: Record<string, string> = {
      TableName: table.tableName,
      BucketName: bucket.bucketName,
      BusName: bus.eventBusName,
      SecretName: secret.secretArn,
      EventsUrl: door.eventsUrl,
      PreferencesUrl: door.preferencesUrl,
      RecommendationsUrl: door.recommendationsUrl,
      ConfigurationSetName: configurationSet.configurationSetName,
      DueShards: String(settings.dueShards),
      BackfillRate: String(settings.backfillRate),
      SendRate: String(settings.sendRate),
      RateShare: String(settings.rateShare),
      ...(trackedSet ? { TrackedConfigurationSetName: trackedSet.configurationSetName } : {}),
    };
    for (const queue of [recordQueue, timersQueue, triggeredQueue, bulkQueue, feedbackQueue, rosterQueue]) {
      outputs[`${pascal(queue.name)}QueueUrl`] = queue.queue.queueUrl;
      outputs[`${pascal(queue.name)}DeadLettersUrl`] = queue.deadLetters.queueUrl;
    }
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
    new StringParameter(this, 'BucketParameter', {
      parameterName: bucketParameter(settings.stage),
      description: 'The bucket, for the operational stack, which refers to nothing of this one',
      stringValue: bucket.bucketName,
    });
  }

  get #keep(): RemovalPolicy {
    return this.#settings.keepsData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
  }

  /** Wakes a step each minute; a minute that was missed is not made up. */
  #eachMinute(id: string, rule: string, step: Step): void {
    const once = { retryAttempts: 0, maxEventAge: Duration.minutes(1) };
    step.function.configureAsyncInvoke(once);
    new Rule(this, id, {
      ruleName: physicalName(this.#settings.stage, rule),
      description: `Wakes ${step.name}`,
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [new LambdaFunction(step.function, once)],
    });
  }

  /** Wakes a step each night, when the shop's day has surely ended in Europe; a night that was missed is not made up. */
  #eachNight(id: string, rule: string, step: Step): void {
    const once = { retryAttempts: 0, maxEventAge: Duration.hours(1) };
    step.function.configureAsyncInvoke(once);
    new Rule(this, id, {
      ruleName: physicalName(this.#settings.stage, rule),
      description: `Wakes ${step.name}`,
      schedule: Schedule.cron({ minute: '15', hour: '3' }),
      targets: [new LambdaFunction(step.function, once)],
    });
  }

  /** To ask the lake through its workgroup, and to leave the answers in the bucket. The operational stack makes both. */
  #askLake(bucket: Bucket): StepProps['may'] {
    const { stage } = this.#settings;
    const here = (service: string, resource: string) =>
      `arn:${Aws.PARTITION}:${service}:${Aws.REGION}:${Aws.ACCOUNT_ID}:${resource}`;
    return [
      {
        actions: ['StartQueryExecution', 'GetQueryExecution', 'GetQueryResults', 'StopQueryExecution'].map(
          (call) => `athena:${call}`,
        ),
        resources: [here('athena', `workgroup/${workgroupName(stage)}`)],
      },
      {
        actions: ['glue:GetDatabase', 'glue:GetDatabases'],
        resources: [here('glue', 'catalog'), here('glue', `database/${databaseName(stage)}`)],
      },
      {
        actions: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
        resources: [bucket.bucketArn],
      },
    ];
  }

  /** To read the tables of the lake, and to make its views. */
  #lakeTables(): StepProps['may'][number] {
    const { stage } = this.#settings;
    const here = (resource: string) => `arn:${Aws.PARTITION}:glue:${Aws.REGION}:${Aws.ACCOUNT_ID}:${resource}`;
    const database = databaseName(stage);
    return {
      actions: ['GetTable', 'GetTables', 'GetPartition', 'GetPartitions', 'CreateTable', 'UpdateTable'].map(
        (call) => `glue:${call}`,
      ),
      resources: [here('catalog'), here(`database/${database}`), here(`table/${database}/*`)],
    };
  }

  #queue(name: QueueName, reader: StepName): WorkQueue {
    return new WorkQueue(this, name, { stage: this.#settings.stage, timeout: TIMEOUTS[reader] });
  }

  #table(): TableV2 {
    const keysOnly = ProjectionType.KEYS_ONLY;
    return new TableV2(this, 'Table', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
      timeToLiveAttribute: 'ttl',
      globalSecondaryIndexes: [
        {
          indexName: 'due',
          partitionKey: { name: 'duePk', type: AttributeType.STRING },
          sortKey: { name: 'dueAt', type: AttributeType.NUMBER },
          projectionType: keysOnly,
        },
        {
          indexName: 'roster',
          partitionKey: { name: 'rosterPk', type: AttributeType.STRING },
          sortKey: { name: 'rosterSk', type: AttributeType.STRING },
          projectionType: keysOnly,
        },
      ],
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: this.#settings.stage !== 'laptop' },
      deletionProtection: this.#settings.keepsData,
      removalPolicy: this.#keep,
    });
  }

  #bucket(): Bucket {
    const bucket = new Bucket(this, 'Bucket', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      lifecycleRules: [
        { id: 'failures', prefix: 'failures/', expiration: Duration.days(90) },
        { id: 'stream-failures', prefix: STREAM_FAILURES_PREFIX, expiration: Duration.days(90) },
        { id: 'answers-of-athena', prefix: ATHENA_PREFIX, expiration: Duration.days(7) },
        { id: 'broken-uploads', abortIncompleteMultipartUploadAfter: Duration.days(7) },
      ],
      removalPolicy: this.#keep,
    });
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Only roles of this stack write and read it; who publishes a book is recorded at its pointer. A log bucket would be a second store to guard.',
    });
    return bucket;
  }

  #secret(): Secret {
    const secret = new Secret(this, 'Secret', {
      description: `Keys that sign links in e-mails, and hashes of the sources' secrets, of Kairos ${this.#settings.stage}`,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ current: 'k1', sources: {} }),
        generateStringKey: 'k1',
        passwordLength: 48,
        excludePunctuation: true,
      },
      removalPolicy: this.#keep,
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'A key retires from signing by hand and never from verifying: unsubscribe links live for years, a rotation that replaces the value would kill them.',
    });
    return secret;
  }

  /** Bounces, complaints and the rest to the default bus; opens only through the tracked set: knowing them of a person needs a consent of its own. */
  #configurationSet(id: string, defaultBus: IEventBus, { opens } = { opens: false }): ConfigurationSet {
    const set = new ConfigurationSet(this, id, {
      ...(opens ? { configurationSetName: trackedSetName(this.#settings.stage) } : {}),
      reputationMetrics: true,
      suppressionReasons: SuppressionReasons.BOUNCES_AND_COMPLAINTS,
    });
    set.applyRemovalPolicy(this.#keep);
    const told = set.addEventDestination('ToDefaultBus', {
      destination: EventDestination.eventBus(defaultBus),
      events: [
        EmailSendingEvent.SEND,
        EmailSendingEvent.REJECT,
        EmailSendingEvent.BOUNCE,
        EmailSendingEvent.COMPLAINT,
        EmailSendingEvent.DELIVERY,
        EmailSendingEvent.CLICK,
        EmailSendingEvent.RENDERING_FAILURE,
        EmailSendingEvent.DELIVERY_DELAY,
        ...(opens ? [EmailSendingEvent.OPEN] : []),
      ],
    });
    if (opens) told.applyRemovalPolicy(this.#keep);
    return set;
  }

  /** To send through our identity and configuration sets only, and only as our own domain. */
  #sendMail(...sets: (ConfigurationSet | undefined)[]): StepProps['may'][number] {
    const { mailDomain, allowedRecipients = [] } = this.#settings;
    const ses = (resource: string) => `arn:${Aws.PARTITION}:ses:${Aws.REGION}:${Aws.ACCOUNT_ID}:${resource}`;
    return {
      actions: ['ses:SendEmail'],
      // In the sandbox SES also asks for the identity of the recipient.
      resources: [
        ses(`identity/${mailDomain}`),
        ...allowedRecipients.map((recipient) => ses(`identity/${recipient}`)),
        ...sets.flatMap((set) => (set ? [ses(`configuration-set/${set.configurationSetName}`)] : [])),
      ],
      conditions: { StringLike: { 'ses:FromAddress': `*@${mailDomain}` } },
    };
  }
}
