// What cdk-nag does not see: the settings that the promises rest on.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { variable } from '../../functions/aws/env.ts';
import { pascal, QUEUES, STEPS, type StepName } from '../../infra/names.ts';
import { compilePattern } from '../../local/patterns.ts';
import stateful from '../cases/stateful-ids.json' with { type: 'json' };
import { type Resource, resource, resources, synthesise } from './synthesised.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { core: prod, operations } = synthesise('prod');
const { core: dev } = synthesise('dev');
const { core: laptop } = synthesise('laptop');
const { core: tracking } = synthesise('prod', { trackOpens: true });

const functionOf = (template: Template, step: StepName): Resource =>
  resource(template, 'AWS::Lambda::Function', `${pascal(step)}Function`);
const environment = (template: Template, step: StepName): Record<string, unknown> =>
  functionOf(template, step).Properties.Environment.Variables;
const mappingsOf = (template: Template, step: StepName): Resource[] =>
  resources(template, 'AWS::Lambda::EventSourceMapping')
    .filter(([id]) => id.startsWith(pascal(step)))
    .map(([, mapping]) => mapping);

describe('Stateful: what holds data outlives the stack', () => {
  const types = [
    'AWS::DynamoDB::GlobalTable',
    'AWS::S3::Bucket',
    'AWS::SecretsManager::Secret',
    'AWS::SES::ConfigurationSet',
  ];

  const idsOf = (template: Template) =>
    Object.fromEntries(types.map((type) => [type, resources(template, type).map(([id]) => id)]));

  it('Stateful1: logical ids equal the committed list, in every stage, because a new id is a new and empty resource', () => {
    const [always] = stateful['AWS::SES::ConfigurationSet'];
    for (const template of [prod, dev, laptop])
      expect(idsOf(template)).toEqual({ ...stateful, 'AWS::SES::ConfigurationSet': [always] });
    for (const template of [tracking, synthesise('dev', { trackOpens: true }).core])
      expect(idsOf(template)).toEqual(stateful);
  });

  it('Stateful2: the table, bucket, secret and both configuration sets of prod are retained', () => {
    for (const type of types) {
      for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of resources(tracking, type)) {
        expect({ id, DeletionPolicy, UpdateReplacePolicy }).toEqual({
          id,
          DeletionPolicy: 'Retain',
          UpdateReplacePolicy: 'Retain',
        });
      }
    }
  });

  it('Stateful3: the table of prod has deletion protection and point-in-time recovery', () => {
    prod.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
      Replicas: [
        Match.objectLike({
          DeletionProtectionEnabled: true,
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        }),
      ],
    });
  });

  it('Stateful4: stages dev and laptop leave nothing behind', () => {
    for (const template of [dev, laptop, synthesise('dev', { trackOpens: true }).core]) {
      for (const type of types)
        for (const [, { DeletionPolicy }] of resources(template, type)) expect(DeletionPolicy).toBe('Delete');
      template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
        Replicas: [Match.objectLike({ DeletionProtectionEnabled: false })],
      });
    }
  });

  it('Stateful5: the table is on demand, with both images in its stream, a time to live and two indexes of keys', () => {
    const { Properties } = resource(prod, 'AWS::DynamoDB::GlobalTable', 'Table');
    expect(Properties.BillingMode).toBe('PAY_PER_REQUEST');
    expect(Properties.StreamSpecification).toEqual({ StreamViewType: 'NEW_AND_OLD_IMAGES' });
    expect(Properties.TimeToLiveSpecification).toEqual({ AttributeName: 'ttl', Enabled: true });
    const keys = (schema: { AttributeName: string }[]) => schema.map(({ AttributeName }) => AttributeName);
    expect(keys(Properties.KeySchema)).toEqual(['pk', 'sk']);
    expect(
      Properties.GlobalSecondaryIndexes.map(
        (index: { IndexName: string; KeySchema: { AttributeName: string }[]; Projection: object }) => [
          index.IndexName,
          ...keys(index.KeySchema),
          index.Projection,
        ],
      ),
    ).toEqual([
      ['due', 'duePk', 'dueAt', { ProjectionType: 'KEYS_ONLY' }],
      ['roster', 'rosterPk', 'rosterSk', { ProjectionType: 'KEYS_ONLY' }],
    ]);
  });

  it('Stateful6: the secret begins with one signing key and no source', () => {
    const { GenerateSecretString: generate } = resource(prod, 'AWS::SecretsManager::Secret', 'Secret').Properties;
    expect(JSON.parse(generate.SecretStringTemplate)).toEqual({ current: 'k1', sources: {} });
    expect(generate.GenerateStringKey).toBe('k1');
    expect(generate.PasswordLength).toBeGreaterThanOrEqual(32);
  });

  it('Stateful7: prod cannot be deleted by one command, what failed in the bucket goes after 90 days', () => {
    const { Rules } = resource(prod, 'AWS::S3::Bucket', 'Bucket').Properties.LifecycleConfiguration;
    const expiring = Rules.filter((rule: { ExpirationInDays?: number }) => rule.ExpirationInDays === 90);
    expect(expiring.map((rule: { Prefix: string }) => rule.Prefix)).toEqual(['failures/', 'aws/lambda/']);
  });
});

describe('Queue: nothing is lost between two steps', () => {
  const queues = resources(prod, 'AWS::SQS::Queue');
  const isDeadLetters = (id: string) => id.includes('DeadLetters');

  it('Queue1: every queue has dead letters of its own, after 8 receives, kept 14 days', () => {
    const working = queues.filter(([id]) => !isDeadLetters(id));
    expect(working).toHaveLength(QUEUES.length);
    const targets = working.map(([, { Properties }]) => {
      expect(Properties.RedrivePolicy.maxReceiveCount).toBe(8);
      return Properties.RedrivePolicy.deadLetterTargetArn['Fn::GetAtt'][0] as string;
    });
    expect(new Set(targets).size).toBe(working.length);
    for (const [id, { Properties }] of queues)
      if (isDeadLetters(id)) expect(Properties.MessageRetentionPeriod).toBe(14 * 86_400);
    expect(targets.every(isDeadLetters)).toBe(true);
  });

  it("Queue2: a message stays hidden six times its function's timeout", () => {
    const compared = resources(prod, 'AWS::Lambda::EventSourceMapping').flatMap(([id, { Properties }]) => {
      const queue = queues.find(([queueId]) => queueId === Properties.EventSourceArn['Fn::GetAtt'][0]);
      if (!queue) return [];
      const reader = prod.toJSON().Resources[Properties.FunctionName.Ref] as Resource;
      expect({ id, visibility: queue[1].Properties.VisibilityTimeout }).toEqual({
        id,
        visibility: 6 * reader.Properties.Timeout,
      });
      return [id];
    });
    expect(compared).toHaveLength(QUEUES.length);
  });

  it('Queue3: every mapping of a queue answers for each item and bounds its concurrency', () => {
    const bounds = (template: Template) =>
      Object.fromEntries(
        resources(template, 'AWS::Lambda::EventSourceMapping')
          .filter(([, { Properties }]) => Properties.ScalingConfig)
          .map(([id, { Properties }]) => {
            expect(Properties.FunctionResponseTypes).toEqual(['ReportBatchItemFailures']);
            return [
              id.replace(/QueueMapping\w{8}$/, ''),
              [
                Properties.BatchSize,
                Properties.MaximumBatchingWindowInSeconds ?? 0,
                Properties.ScalingConfig.MaximumConcurrency,
              ],
            ];
          }),
      );
    expect(bounds(prod)).toEqual({
      RecordInteractionRecord: [25, 1, 20],
      WalkDueTimers: [1, 0, 10],
      SendMessageTriggered: [10, 0, 5],
      SendMessageBulk: [10, 0, 5],
      ReceiveFeedbackFeedback: [50, 2, 10],
      WalkRosterRoster: [1, 0, 5],
    });
    const small = bounds(synthesise('prod', { profile: 'small' }).core);
    expect(Object.values(small).map(([, , most]) => most)).toEqual([2, 2, 2, 2, 2, 2]);
  });

  it('Queue4: targets of EventBridge rules that are queues retry for a day, then leave the event in dead letters', () => {
    const rules = Object.fromEntries(
      resources(prod, 'AWS::Events::Rule').map(([id, { Properties }]) => [id.replace(/Rule\w{8}$/, ''), Properties]),
    );
    const queueOf = { Events: 'RecordQueue', Feedback: 'FeedbackQueue', Unsubscribes: 'FeedbackQueue' };
    for (const [name, queue] of Object.entries(queueOf)) {
      expect(rules[name].Targets[0].Arn['Fn::GetAtt'][0].startsWith(queue)).toBe(true);
      expect(rules[name].Targets[0].DeadLetterConfig.Arn['Fn::GetAtt'][0].startsWith(`${queue}DeadLetters`)).toBe(true);
      expect(rules[name].Targets).toHaveLength(1);
      expect(rules[name].Targets[0].RetryPolicy).toEqual({
        MaximumEventAgeInSeconds: 86_400,
        MaximumRetryAttempts: 185,
      });
    }
  });
});

describe('Rule: what EventBridge hands to whom', () => {
  const OUR_BUS = 'kairos-prod';
  const properties = (template: Template, name: string) =>
    resources(template, 'AWS::Events::Rule').find(([, rule]) => rule.Properties.Name === `kairos-prod-${name}`)![1]
      .Properties;
  /** Names of the rules that take an event, by EventBridge's own semantics; references stand for their logical ids. */
  const takers = (event: object, bus = OUR_BUS, template = prod): string[] =>
    resources(template, 'AWS::Events::Rule')
      .filter(([, { Properties }]) => (Properties.EventBusName ? OUR_BUS : 'default') === bus)
      .filter(([, { Properties }]) => Properties.EventPattern)
      .filter(([, { Properties }]) => {
        const pattern = JSON.parse(JSON.stringify(Properties.EventPattern).replace(/\{"Ref":("[^"]+")\}/g, '$1'));
        return compilePattern(pattern)(event);
      })
      .map(([, { Properties }]) => (Properties.Name as string).replace('kairos-prod-', ''))
      .sort();
  const said = (source: string, name = 'Order Completed', detail: object = {}) => ({
    version: '0',
    id: '1',
    account: '123456789012',
    time: '2026-11-01T10:00:00Z',
    region: 'eu-central-1',
    resources: [],
    source,
    'detail-type': name,
    detail,
  });
  const fed = (set: string, name = 'Email Delivered') =>
    said('aws.ses', name, { mail: { tags: { 'ses:configuration-set': [set], 'kairos-message': ['m'] } } });

  it('Rule1: names and schedules are those that alarms and the runbook speak of', () => {
    const rules = resources(prod, 'AWS::Events::Rule').map(([, { Properties }]) => [
      Properties.Name.replace('kairos-prod-', ''),
      Properties.ScheduleExpression ?? (Properties.EventBusName ? 'our bus' : 'default bus'),
    ]);
    expect(Object.fromEntries(rules)).toEqual({
      events: 'our bus',
      unsubscribes: 'our bus',
      feedback: 'default bus',
      'each-minute': 'rate(1 minute)',
      guard: 'rate(1 minute)',
      insight: 'cron(15 3 * * ? *)',
    });
    expect(rules).toHaveLength(6);
  });

  it.each([
    'shop',
    'kairos',
    'Kairos.Operations',
    'kairos.operation',
    'kairos.operations.',
    'kairos.operationsx',
    'my.kairos.operations',
    'aws.partner/shopify.com/1/shop',
    'com.shop.checkout',
    'ä',
  ])('Rule2: an event of source %s is recorded', (source) => {
    expect(takers(said(source))).toEqual(['events']);
  });

  it.each(['Campaign Paused', 'Campaign Resumed', 'Sending Stopped', 'Sending Started'])(
    'Rule3: the operational event %s is about no person and is not recorded',
    (name) => {
      expect(takers(said('kairos.operations', name, { by: 'guard-sending' }))).toEqual([]);
    },
  );

  it('Rule4: a consent withdrawn through our doors is recorded and told to feedback; one that a store tells is recorded only', () => {
    expect(takers(said('kairos', 'Consent Withdrawn', { properties: { message: 'm' } }))).toEqual([
      'events',
      'unsubscribes',
    ]);
    expect(takers(said('shop', 'Consent Withdrawn'))).toEqual(['events']);
    expect(takers(said('kairos', 'Consent Granted'))).toEqual(['events']);
  });

  it('Rule5: feedback of both configuration sets is taken from the default bus, of no other, also where the tracked set has gone', () => {
    const [own] = stateful['AWS::SES::ConfigurationSet'];
    for (const template of [prod, tracking]) {
      expect(takers(fed(own!), 'default', template)).toEqual(['feedback']);
      expect(takers(fed('kairos-prod-tracked', 'Email Opened'), 'default', template)).toEqual(['feedback']);
      expect(takers(fed('kairos-dev-tracked'), 'default', template)).toEqual([]);
      expect(takers(fed('other'), 'default', template)).toEqual([]);
      expect(takers(fed(own!), OUR_BUS, template)).toEqual(['events']);
    }
    const { EventPattern } = properties(tracking, 'feedback');
    const sets = EventPattern.detail.mail.tags['ses:configuration-set'];
    expect(sets).toEqual([{ Ref: own }, 'kairos-prod-tracked']);
    expect(resource(tracking, 'AWS::SES::ConfigurationSet', 'Tracked').Properties.Name).toBe(sets[1]);
  });
});

describe('Stream: two readers, and neither stops at a poison record', () => {
  const streams = [mappingsOf(prod, 'hand-off'), mappingsOf(prod, 'write-lake')].flat();

  it('Stream1: hand-off and write-lake are the only readers', () => {
    const readers = resources(prod, 'AWS::Lambda::EventSourceMapping').filter(
      ([, { Properties }]) => Properties.StartingPosition,
    );
    expect(readers).toHaveLength(2);
    expect(streams).toHaveLength(2);
  });

  it('Stream2: a fault halves the batch, ends after 10 retries or 6 hours, and leaves the records in the bucket', () => {
    for (const { Properties } of streams) {
      expect(Properties).toMatchObject({
        BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: 10,
        MaximumRecordAgeInSeconds: 21_600,
        StartingPosition: 'TRIM_HORIZON',
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': [stateful['AWS::S3::Bucket'][0], 'Arn'] } } },
      });
    }
  });

  it('Stream3: hand-off is woken by inserts of messages alone', () => {
    const [mapping] = mappingsOf(prod, 'hand-off');
    expect(mapping!.Properties.BatchSize).toBe(100);
    expect(
      mapping!.Properties.FilterCriteria.Filters.map(({ Pattern }: { Pattern: string }) => JSON.parse(Pattern)),
    ).toEqual([{ eventName: ['INSERT'], dynamodb: { Keys: { sk: { S: [{ prefix: 'MESSAGE#' }] } } } }]);
  });

  it('Stream4: write-lake takes large batches over at least a minute, with the name of their shard, and nothing of leases and rates', () => {
    const [mapping] = mappingsOf(prod, 'write-lake');
    expect(mapping!.Properties.BatchSize).toBe(5000);
    expect(mapping!.Properties.MaximumBatchingWindowInSeconds).toBeGreaterThanOrEqual(60);
    expect(mapping!.Properties.MaximumBatchingWindowInSeconds).toBeLessThanOrEqual(300);
    expect(mapping!.Properties.TumblingWindowInSeconds).toBeGreaterThan(0);
    expect(
      mapping!.Properties.FilterCriteria.Filters.map(({ Pattern }: { Pattern: string }) => JSON.parse(Pattern)),
    ).toEqual([
      { dynamodb: { Keys: { sk: { S: ['CONTACT', 'ORDER', { prefix: 'INTERACTION#' }, { prefix: 'MESSAGE#' }] } } } },
    ]);
  });
});

describe('Function: one file, one Lambda, one role, one log', () => {
  it('Function1: the stack has exactly the files of functions/', () => {
    const files = readdirSync(path.join(ROOT, 'functions'), { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => entry.name.replace(/\.ts$/, ''));
    expect(files.sort()).toEqual([...STEPS].sort());
    expect(resources(prod, 'AWS::Lambda::Function')).toHaveLength(STEPS.length);
  });

  it('Function2: each runs Node 24 on arm64, logs JSON to a log group of its own for 30 days, and reserves no concurrency', () => {
    const groups = new Set<string>();
    const roles = new Set<string>();
    for (const [, { Properties }] of resources(prod, 'AWS::Lambda::Function')) {
      expect(Properties.Runtime).toBe('nodejs24.x');
      expect(Properties.Architectures).toEqual(['arm64']);
      expect(Properties.LoggingConfig.LogFormat).toBe('JSON');
      expect(Properties.ReservedConcurrentExecutions).toBeUndefined();
      const group = Properties.LoggingConfig.LogGroup.Ref as string;
      expect((prod.toJSON().Resources[group] as Resource).Properties.RetentionInDays).toBe(30);
      groups.add(group);
      roles.add(Properties.Role['Fn::GetAtt'][0]);
    }
    expect(groups.size).toBe(STEPS.length);
    expect(roles.size).toBe(STEPS.length);
  });

  it('Function3: memory and time are those of the plan', () => {
    const sizes = Object.fromEntries(
      STEPS.map((step) => {
        const { Timeout, MemorySize } = functionOf(prod, step).Properties;
        return [step, [Timeout, MemorySize]];
      }),
    );
    expect(sizes).toMatchObject({
      'receive-event': [10, 256],
      'manage-preferences': [10, 256],
      'record-interaction': [30, 512],
      'send-message': [60, 512],
      'guard-sending': [30, 256],
    });
  });

  it('Function4: run-timers and guard-sending are woken each minute and never retried', () => {
    const woken = resources(prod, 'AWS::Events::Rule').flatMap(([, { Properties }]) =>
      Properties.ScheduleExpression === 'rate(1 minute)' ? Properties.Targets : [],
    );
    expect(woken.map(({ Arn }) => Arn['Fn::GetAtt'][0].replace(/Function\w{8}$/, '')).sort()).toEqual([
      'GuardSending',
      'RunTimers',
    ]);
    for (const { RetryPolicy } of woken)
      expect(RetryPolicy).toEqual({ MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 });
    const configured = resources(prod, 'AWS::Lambda::EventInvokeConfig');
    const oldest = Object.fromEntries(
      configured.map(([id, { Properties }]) => {
        expect(Properties.MaximumRetryAttempts).toBe(0);
        return [id.replace(/Function.*$/, ''), Properties.MaximumEventAgeInSeconds];
      }),
    );
    expect(oldest).toEqual({ GuardSending: 60, RunTimers: 60, RefreshInsight: 3600 });
  });

  it('Function7: refresh-insight has time and memory for a million customers, and one start a night that is never retried', () => {
    expect(functionOf(prod, 'refresh-insight').Properties).toMatchObject({ Timeout: 900, MemorySize: 2048 });
    const [[, rule] = []] = resources(prod, 'AWS::Events::Rule').filter(
      ([, { Properties }]) => Properties.ScheduleExpression === 'cron(15 3 * * ? *)',
    );
    expect(rule?.Properties.Targets).toHaveLength(1);
    expect(rule?.Properties.Targets[0]).toMatchObject({
      RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 3600 },
    });
    expect(JSON.stringify(rule?.Properties.Targets[0].Arn)).toContain('RefreshInsightFunction');
  });

  it('Function5: each finds in its environment every name that its code reads', () => {
    const names: Record<string, string> = variable;
    const read = (file: string, seen = new Set<string>()): string[] => {
      if (seen.has(file) || !existsSync(file)) return [];
      seen.add(file);
      const text = readFileSync(file, 'utf8');
      const own = [...text.matchAll(/\benv(?:Number|Share)?\('(\w+)'\)/g)].map(([, name]) => name!);
      const imported = [...text.matchAll(/^import (?!type)[^;]*?from '(\.[^']+)'/gm)].flatMap(([, to]) =>
        read(path.resolve(path.dirname(file), to!), seen),
      );
      return [...own, ...imported];
    };
    let some = 0;
    for (const step of STEPS) {
      const wanted = [...new Set(read(path.join(ROOT, 'functions', `${step}.ts`)))];
      some += wanted.length;
      const given = environment(prod, step);
      expect({ step, missing: wanted.filter((name) => given[names[name]!] === undefined) }).toEqual({
        step,
        missing: [],
      });
    }
    expect(some).toBeGreaterThan(0);
  });

  it('Function6: only stage dev narrows whom it writes to, the mailbox simulator always among them', () => {
    expect(environment(dev, 'send-message').ALLOWED_RECIPIENTS).toBe(
      '["ann@shop.example","test.example","simulator.amazonses.com"]',
    );
    expect(environment(prod, 'send-message').ALLOWED_RECIPIENTS).toBeUndefined();
  });
});

describe('Rate and opens: what an operator allows a stage', () => {
  const senders: StepName[] = ['run-timers', 'walk-due', 'send-message', 'guard-sending', 'walk-roster'];

  it('Rate1: each step that reckons with the send rate has the ceiling of the stage and its share of the account', () => {
    const shared = synthesise('prod', { sendRate: 200, rateShare: '0.25' }).core;
    for (const step of senders) {
      expect(environment(prod, step)).toMatchObject({ SEND_RATE: '14', RATE_SHARE: '1' });
      expect(environment(shared, step)).toMatchObject({ SEND_RATE: '200', RATE_SHARE: '0.25' });
    }
    for (const step of STEPS)
      if (!senders.includes(step)) expect(environment(shared, step)).not.toHaveProperty('RATE_SHARE');
  });

  it('Opens1: without trackOpens there is no set that tells opens, and the sender knows none', () => {
    expect(environment(prod, 'send-message')).not.toHaveProperty('TRACKED_CONFIGURATION_SET');
    expect(Object.keys(prod.toJSON().Outputs)).not.toContain('TrackedConfigurationSetName');
    for (const [, { Properties }] of resources(prod, 'AWS::SES::ConfigurationSetEventDestination'))
      expect(Properties.EventDestination.MatchingEventTypes).not.toContain('open');
  });

  it('Opens2: with it the second set tells everything that the first tells, and opens', () => {
    const told = (start: string) =>
      resource(tracking, 'AWS::SES::ConfigurationSetEventDestination', start).Properties.EventDestination
        .MatchingEventTypes as string[];
    expect(told('TrackedConfigurationSet')).toEqual([...told('ConfigurationSet'), 'open']);
    expect(told('ConfigurationSet')).not.toContain('open');
    const tracked = stateful['AWS::SES::ConfigurationSet'][1];
    expect(environment(tracking, 'send-message').TRACKED_CONFIGURATION_SET).toEqual({ Ref: tracked });
    expect(tracking.toJSON().Outputs.TrackedConfigurationSetName.Value).toEqual({ Ref: tracked });
    const plain = (template: Template) => resource(template, 'AWS::SES::ConfigurationSet', 'ConfigurationSet');
    expect(plain(tracking)).toEqual(plain(prod));
  });

  it('Opens3: what the tracked set tells outlives the stack of prod with it: complaints come days later', () => {
    const [, told] = resources(tracking, 'AWS::SES::ConfigurationSetEventDestination').find(([id]) =>
      id.startsWith('Tracked'),
    )!;
    expect(told.DeletionPolicy).toBe('Retain');
  });
});

describe('Backfill: a walk over all contacts leaves room for purchases', () => {
  it('Backfill1: its rate is told to walk-roster, to walk-due, which begins broadcasts early enough by it, and to the command line', () => {
    const slow = synthesise('prod', { profile: 'small' }).core;
    const own = synthesise('prod', { backfillRate: '40' }).core;
    for (const [template, rate] of [
      [prod, '200'],
      [slow, '50'],
      [own, '40'],
    ] as const) {
      const told = STEPS.filter((step) => environment(template, step).BACKFILL_RATE === rate);
      expect(told.sort()).toEqual(['walk-due', 'walk-roster']);
      expect(template.toJSON().Outputs.BackfillRate.Value).toBe(rate);
    }
  });

  it('Backfill2: a page fits into its time many times over, and a queue keeps what waits longest for its page', () => {
    const queue = resources(prod, 'AWS::SQS::Queue').find(
      ([, { Properties }]) => Properties.QueueName === 'kairos-prod-roster',
    )!;
    // A day of retention at least: SQS's default is four, a page waits for 15 minutes at most, and is tried eight times.
    expect(queue[1].Properties.MessageRetentionPeriod ?? 345_600).toBeGreaterThan(
      900 + 8 * queue[1].Properties.VisibilityTimeout,
    );
    expect(queue[1].Properties.VisibilityTimeout).toBe(360);
  });
});

describe('Role: a step may do what it does, and no more', () => {
  interface Statement {
    Action: string | string[];
    Resource: unknown;
    Condition?: unknown;
  }
  const statements = (template: Template, step: StepName): Statement[] =>
    resource(template, 'AWS::IAM::Policy', `${pascal(step)}Policy`).Properties.PolicyDocument.Statement;
  const many = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);
  const bucket = { 'Fn::GetAtt': [stateful['AWS::S3::Bucket'][0], 'Arn'] };
  const here = (service: string, name: string) => ({
    'Fn::Join': [
      '',
      [
        'arn:',
        { Ref: 'AWS::Partition' },
        `:${service}:`,
        { Ref: 'AWS::Region' },
        ':',
        { Ref: 'AWS::AccountId' },
        `:${name}`,
      ],
    ],
  });
  const objects = (prefix: string) => ({ 'Fn::Join': ['', [bucket, `/${prefix}*`]] });

  it('Role1: no role carries a policy that AWS manages', () => {
    for (const [, { Properties }] of resources(prod, 'AWS::IAM::Role'))
      expect(Properties.ManagedPolicyArns ?? []).toEqual([]);
  });

  it('Role2: wildcards are those of this list', () => {
    const allowed = [
      { Action: 'dynamodb:ListStreams', Resource: '*' },
      { Action: 'ses:GetAccount', Resource: '*' },
      { Action: 's3:GetObject', Resource: objects('books/') },
      { Action: 's3:GetObject', Resource: objects('erased/') },
      { Action: 's3:GetObject', Resource: objects('images/') },
      { Action: 's3:PutObject', Resource: objects('aws/lambda/') },
      { Action: 's3:PutObject', Resource: objects('lake/') },
      ...['GetObject', 'PutObject', 'AbortMultipartUpload', 'ListMultipartUploadParts'].map((call) => ({
        Action: `s3:${call}`,
        Resource: objects('athena/'),
      })),
      { Action: 's3:GetObject', Resource: objects('lake/') },
      { Action: 's3:DeleteObject', Resource: objects('lake/') },
      { Action: 's3:GetObject', Resource: objects('models/') },
      { Action: 's3:PutObject', Resource: objects('models/') },
      ...['CreateTable', 'GetPartition', 'GetPartitions', 'GetTable', 'GetTables', 'UpdateTable'].map((call) => ({
        Action: `glue:${call}`,
        Resource: here('glue', 'table/kairos_prod/*'),
      })),
    ].map((entry) => JSON.stringify(entry));
    const found = STEPS.flatMap((step) =>
      statements(prod, step).flatMap(({ Action, Resource }) =>
        many(Action).flatMap((action) =>
          many(Resource).map((resource) => JSON.stringify({ Action: action, Resource: resource })),
        ),
      ),
    ).filter((grant) => grant.includes('*'));
    expect([...new Set(found)].sort()).toEqual(allowed.sort());
  });

  it('Role3: indexes are named, those that each walker reads', () => {
    const indexes = (step: StepName) => JSON.stringify(statements(prod, step)).match(/\/index\/[a-z*]+/g) ?? [];
    expect(
      Object.fromEntries(STEPS.map((step) => [step, indexes(step)]).filter(([, found]) => found!.length > 0)),
    ).toEqual({
      'run-timers': ['/index/due'],
      // Before a broadcast a shard of the roster is counted.
      'walk-due': ['/index/due', '/index/roster'],
      'guard-sending': ['/index/due'],
      'walk-roster': ['/index/roster'],
    });
  });

  const granted = (template: Template, step: StepName, service: string) =>
    statements(template, step).filter(({ Action }) => many(Action).some((action) => action.startsWith(`${service}:`)));

  it('Role4: only send-message sends e-mail, through our identity and configuration sets, from our domain', () => {
    for (const [template, sets] of [
      [prod, stateful['AWS::SES::ConfigurationSet'].slice(0, 1)],
      [tracking, stateful['AWS::SES::ConfigurationSet']],
    ] as const) {
      const sends = STEPS.flatMap((step) =>
        granted(template, step, 'ses').map((statement) => ({ step, ...statement })),
      );
      expect(sends.map(({ step, Action }) => [step, Action])).toEqual([
        ['send-message', 'ses:SendEmail'],
        ['guard-sending', 'ses:GetAccount'],
      ]);
      const { Resource, Condition } = sends[0]!;
      expect(Condition).toEqual({ StringLike: { 'ses:FromAddress': '*@shop.example' } });
      expect(many(Resource)).toHaveLength(1 + sets.length);
      expect(JSON.stringify(Resource)).toContain(':identity/shop.example');
      expect([...JSON.stringify(Resource).matchAll(/"Ref":"(\w*ConfigurationSet\w*)"/g)].map(([, id]) => id)).toEqual(
        sets,
      );
    }
  });

  it('Role5: only the steps that face the internet or sign links read the secret', () => {
    const readers = STEPS.filter((step) =>
      JSON.stringify(statements(prod, step)).includes('secretsmanager:GetSecretValue'),
    );
    expect(readers).toEqual(['receive-event', 'send-message', 'manage-preferences', 'recommend-products']);
  });

  it('Role6: guard-sending reads and marks the table, deletes nothing, sends nothing, and speaks on our bus', () => {
    const actions = statements(prod, 'guard-sending').flatMap(({ Action }) => many(Action));
    expect([...new Set(actions)].sort()).toEqual([
      'dynamodb:BatchGetItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
      'events:PutEvents',
      'logs:CreateLogStream',
      'logs:PutLogEvents',
      's3:GetObject',
      'ses:GetAccount',
    ]);
    expect(environment(prod, 'guard-sending')).toHaveProperty('BUS_NAME');
  });

  it('Role8: run-timers sees how full the send queues are, and writes into none of them', () => {
    const queues = granted(prod, 'run-timers', 'sqs').map(({ Action, Resource }) => [
      Action,
      many(Resource).map((arn) => JSON.stringify(arn).replace(/.*"(\w+?)Queue\w{8}".*/, '$1')),
    ]);
    expect(queues).toEqual([
      ['sqs:SendMessage', ['Timers']],
      ['sqs:GetQueueAttributes', ['Triggered', 'Bulk']],
    ]);
    expect(environment(prod, 'run-timers')).toMatchObject({
      TRIGGERED_QUEUE_URL: expect.anything(),
      BULK_QUEUE_URL: expect.anything(),
    });
  });

  it('Role9: each step whose code speaks on the bus may, and no other', () => {
    const code = (step: StepName) => readFileSync(path.join(ROOT, 'functions', `${step}.ts`), 'utf8');
    for (const step of STEPS)
      expect({ step, may: granted(prod, step, 'events').length }).toEqual({
        step,
        may: /\bbus\(\)/.test(code(step)) ? 1 : 0,
      });
  });

  it('Role10: refresh-insight asks one workgroup, makes views in one database, and deletes nothing but files of the lake that it has put together', () => {
    const [asks, ...others] = granted(prod, 'refresh-insight', 'athena');
    expect(others).toEqual([]);
    expect(asks!.Resource).toEqual(here('athena', 'workgroup/kairos-prod-insight'));
    expect(many(asks!.Action).sort()).toEqual(
      ['GetQueryExecution', 'GetQueryResults', 'StartQueryExecution', 'StopQueryExecution'].map(
        (call) => `athena:${call}`,
      ),
    );
    const database = [here('glue', 'catalog'), here('glue', 'database/kairos_prod')];
    expect(granted(prod, 'refresh-insight', 'glue').map(({ Resource }) => Resource)).toEqual(
      expect.arrayContaining([database, [...database, here('glue', 'table/kairos_prod/*')]]),
    );
    const actions = statements(prod, 'refresh-insight').flatMap(({ Action }) => many(Action));
    expect(actions.filter((action) => /Delete|\*/.test(action))).toEqual(['s3:DeleteObject']);
    const asking = STEPS.filter((step) => granted(prod, step, 'athena').length > 0);
    expect(asking).toEqual(['refresh-insight']);
    expect(environment(prod, 'refresh-insight')).toMatchObject({
      WORKGROUP_NAME: 'kairos-prod-insight',
      DATABASE_NAME: 'kairos_prod',
    });
  });

  it('Role10: recommend-products reads single items, the book and its models, and writes nothing', () => {
    const actions = statements(prod, 'recommend-products').flatMap(({ Action, Resource }) =>
      many(Action).map((action) => [
        action,
        action.startsWith('s3:') ? JSON.stringify(Resource).match(/\w+\/(?=\*)/)?.[0] : '',
      ]),
    );
    expect(actions.sort()).toEqual([
      ['dynamodb:BatchGetItem', ''],
      ['logs:CreateLogStream', ''],
      ['logs:PutLogEvents', ''],
      ['s3:GetObject', 'books/'],
      ['s3:GetObject', 'models/'],
      ['secretsmanager:GetSecretValue', ''],
    ]);
  });

  it('Role11: each step that opens the book with its models may read these', () => {
    const code = (step: StepName) => readFileSync(path.join(ROOT, 'functions', `${step}.ts`), 'utf8');
    const may = STEPS.filter((step) => JSON.stringify(granted(prod, step, 's3')).includes('/models/*'));
    const opens = STEPS.filter((step) => /\b(books|recorder)\(\)/.test(code(step)));
    expect(opens.length).toBeGreaterThan(4);
    expect(may).toEqual(expect.arrayContaining(opens));
    expect(may.filter((step) => !opens.includes(step))).toEqual(['refresh-insight']);
  });

  it('Role7: manage-preferences reads the table and writes nothing into it: what a person asks goes over the bus', () => {
    const [table, ...rest] = granted(prod, 'manage-preferences', 'dynamodb');
    expect(rest).toEqual([]);
    expect(many(table!.Action).sort()).toEqual(['dynamodb:BatchGetItem', 'dynamodb:Query']);
    expect(granted(prod, 'manage-preferences', 'events')).toHaveLength(1);
  });
});

describe('Door: what faces the internet', () => {
  it('Door1: prod has an HTTP API under its own domain with a throttle on each route, and no function URL', () => {
    prod.resourceCountIs('AWS::Lambda::Url', 0);
    const routes = resources(prod, 'AWS::ApiGatewayV2::Route').map(
      ([, { Properties }]) => Properties.RouteKey as string,
    );
    const { Properties: stage } = resource(prod, 'AWS::ApiGatewayV2::Stage', 'Door');
    expect(Object.keys(stage.RouteSettings).sort()).toEqual(routes.sort());
    expect(routes).toContain('POST /events');
    for (const door of ['u', 'c', 'p', 'w'])
      for (const method of ['GET', 'POST', 'HEAD']) expect(routes).toContain(`${method} /${door}/{token}`);
    for (const method of ['GET', 'OPTIONS']) expect(routes).toContain(`${method} /recommendations`);
    expect(routes).not.toContain('POST /recommendations');
    expect(prod.toJSON().Outputs.RecommendationsUrl.Value).toBe('https://mail.shop.example/recommendations');
    for (const settings of Object.values(stage.RouteSettings)) expect(settings).toHaveProperty('ThrottlingRateLimit');
    prod.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: true });
    prod.hasResourceProperties('AWS::ApiGatewayV2::Integration', { PayloadFormatVersion: '2.0' });
    expect(environment(prod, 'send-message').PUBLIC_BASE_URL).toBe('https://mail.shop.example');
  });

  it('Door2: its log holds neither paths, which carry tokens, nor addresses', () => {
    const { Format } = resource(prod, 'AWS::ApiGatewayV2::Stage', 'Door').Properties.AccessLogSettings;
    expect(Format).not.toMatch(/path|sourceIp|authorizer|queryString/i);
  });

  it('Door3: dev and laptop have function URLs', () => {
    for (const template of [dev, laptop]) {
      template.resourceCountIs('AWS::Lambda::Url', 3);
      template.resourceCountIs('AWS::ApiGatewayV2::Api', 0);
    }
  });
});

describe('Plain: the stack deploys the same everywhere', () => {
  it('Plain1: no custom resource, and no Lambda that is not ours', () => {
    for (const template of [prod, dev, laptop, operations]) {
      const types = Object.values(template.toJSON().Resources as Record<string, Resource>).map(({ Type }) => Type);
      expect(
        types.filter((type) => type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource'),
      ).toEqual([]);
    }
  });

  it('Plain2: neither stack imports from the other', () => {
    for (const template of [prod, operations]) {
      expect(JSON.stringify(template.toJSON())).not.toMatch(/Fn::ImportValue|"Export"|Fn::GetStackOutput/);
    }
  });

  it('Plain3: the outputs are those that the command line reads', () => {
    const queues = ['Record', 'Triggered', 'Bulk', 'Timers', 'Feedback', 'Roster'];
    const wanted = [
      ...[
        'TableName',
        'BucketName',
        'BusName',
        'SecretName',
        'EventsUrl',
        'PreferencesUrl',
        'RecommendationsUrl',
        'ConfigurationSetName',
        'DueShards',
        'BackfillRate',
        'SendRate',
        'RateShare',
      ],
      ...queues.flatMap((queue) => [`${queue}QueueUrl`, `${queue}DeadLettersUrl`]),
    ];
    expect(Object.keys(laptop.toJSON().Outputs).sort()).toEqual(wanted.sort());
    expect(Object.keys(prod.toJSON().Outputs).sort()).toEqual([...wanted, 'PublicDomainTarget'].sort());
  });

  it('Plain4: feedback of SES goes to the default bus, clicks with it, opens not: they need a consent of their own', () => {
    const { EventDestination } = resource(
      prod,
      'AWS::SES::ConfigurationSetEventDestination',
      'ConfigurationSet',
    ).Properties;
    expect(JSON.stringify(EventDestination.EventBridgeDestination.EventBusArn)).toContain(':event-bus/default');
    expect(EventDestination.MatchingEventTypes).toEqual(
      expect.arrayContaining(['send', 'delivery', 'bounce', 'complaint', 'reject', 'click']),
    );
    expect(EventDestination.MatchingEventTypes).not.toContain('open');
  });
});
