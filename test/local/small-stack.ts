// A small stack written by hand: one of each resource that the laptop runs.
import { fileURLToPath } from 'node:url';

/** The folder of the bundles. */
export const assets = fileURLToPath(new URL('./assets', import.meta.url));

const fn = (asset: string, Variables: Record<string, unknown>, Timeout = 10) => ({
  Type: 'AWS::Lambda::Function',
  Metadata: { 'aws:asset:path': asset },
  Properties: {
    Handler: 'index.handler',
    Runtime: 'nodejs24.x',
    Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
    MemorySize: 256,
    Timeout,
    Environment: { Variables },
  },
});

const keeper = (PREFIX: string, Timeout?: number) => fn('keeper', { PREFIX, BUCKET_NAME: { Ref: 'Bucket' } }, Timeout);

/** A new copy of the template, to be changed at will. */
export function smallStack() {
  return {
    Parameters: { BootstrapVersion: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/cdk-bootstrap/version' } },
    Resources: {
      Role: { Type: 'AWS::IAM::Role', Properties: {} },
      Alarm: { Type: 'AWS::CloudWatch::Alarm', Properties: {} },
      Table: {
        Type: 'AWS::DynamoDB::GlobalTable',
        Properties: {
          TableName: 'small-table',
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: [
            { AttributeName: 'pk', AttributeType: 'S' },
            { AttributeName: 'sk', AttributeType: 'S' },
            { AttributeName: 'duePk', AttributeType: 'S' },
            { AttributeName: 'dueAt', AttributeType: 'N' },
          ],
          KeySchema: [
            { AttributeName: 'pk', KeyType: 'HASH' },
            { AttributeName: 'sk', KeyType: 'RANGE' },
          ],
          GlobalSecondaryIndexes: [
            {
              IndexName: 'due',
              KeySchema: [
                { AttributeName: 'duePk', KeyType: 'HASH' },
                { AttributeName: 'dueAt', KeyType: 'RANGE' },
              ],
              Projection: { ProjectionType: 'KEYS_ONLY' },
            },
          ],
          StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
          TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
          Replicas: [{ Region: { Ref: 'AWS::Region' } }],
        },
      },
      Bucket: {
        Type: 'AWS::S3::Bucket',
        Properties: { BucketName: { 'Fn::Join': ['-', ['small', { Ref: 'AWS::AccountId' }]] } },
      },
      Secret: {
        Type: 'AWS::SecretsManager::Secret',
        Properties: {
          GenerateSecretString: {
            SecretStringTemplate: '{"current":"k1"}',
            GenerateStringKey: 'k1',
            PasswordLength: 40,
            ExcludePunctuation: true,
          },
        },
      },
      Bus: { Type: 'AWS::Events::EventBus', Properties: { Name: 'small-bus' } },
      Queue: {
        Type: 'AWS::SQS::Queue',
        Properties: {
          QueueName: 'small-queue',
          VisibilityTimeout: 180,
          RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['DeadLetters', 'Arn'] }, maxReceiveCount: 3 },
        },
      },
      DeadLetters: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'small-dead-letters' } },
      TickQueue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'small-ticks' } },
      GuardQueue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'small-guard' } },
      FeedbackQueue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'small-feedback' } },
      EventsRule: {
        Type: 'AWS::Events::Rule',
        Properties: {
          EventBusName: { Ref: 'Bus' },
          EventPattern: { source: [{ 'anything-but': ['small.operations', 'kairos.operations'] }] },
          State: 'ENABLED',
          Targets: [{ Id: 'Target0', Arn: { 'Fn::GetAtt': ['Queue', 'Arn'] } }],
        },
      },
      UnsubscribesRule: {
        Type: 'AWS::Events::Rule',
        Properties: {
          EventBusName: { Ref: 'Bus' },
          EventPattern: { source: ['kairos'], 'detail-type': ['Consent Withdrawn'] },
          Targets: [{ Id: 'Target0', Arn: { 'Fn::GetAtt': ['FeedbackQueue', 'Arn'] } }],
        },
      },
      FeedbackRule: {
        Type: 'AWS::Events::Rule',
        Properties: {
          EventPattern: {
            source: ['aws.ses'],
            detail: {
              mail: { tags: { 'ses:configuration-set': [{ Ref: 'ConfigurationSet' }, { Ref: 'TrackedSet' }] } },
            },
          },
          Targets: [{ Id: 'Target0', Arn: { 'Fn::GetAtt': ['FeedbackQueue', 'Arn'] } }],
        },
      },
      MinuteRule: {
        Type: 'AWS::Events::Rule',
        Properties: {
          ScheduleExpression: 'rate(1 minute)',
          Targets: [{ Id: 'Target0', Arn: { 'Fn::GetAtt': ['Ticker', 'Arn'] } }],
        },
      },
      GuardRule: {
        Type: 'AWS::Events::Rule',
        Properties: {
          ScheduleExpression: 'rate(1 minute)',
          Targets: [{ Id: 'Target0', Arn: { 'Fn::GetAtt': ['GuardQueue', 'Arn'] } }],
        },
      },
      ConfigurationSet: { Type: 'AWS::SES::ConfigurationSet', Properties: { Name: 'small-set' } },
      Destination: {
        Type: 'AWS::SES::ConfigurationSetEventDestination',
        Properties: {
          ConfigurationSetName: { Ref: 'ConfigurationSet' },
          EventDestination: {
            Enabled: true,
            EventBridgeDestination: { EventBusArn: 'arn:aws:events:us-east-1:000000000000:event-bus/default' },
            MatchingEventTypes: [
              'send',
              'delivery',
              'bounce',
              'complaint',
              'click',
              'deliveryDelay',
              'reject',
              'renderingFailure',
            ],
          },
        },
      },
      TrackedSet: { Type: 'AWS::SES::ConfigurationSet', Properties: { Name: 'small-tracked' } },
      TrackedDestination: {
        Type: 'AWS::SES::ConfigurationSetEventDestination',
        Properties: {
          ConfigurationSetName: { Ref: 'TrackedSet' },
          EventDestination: {
            Enabled: true,
            EventBridgeDestination: { EventBusArn: 'arn:aws:events:us-east-1:000000000000:event-bus/default' },
            MatchingEventTypes: ['send', 'delivery', 'open', 'click'],
          },
        },
      },
      Keeper: keeper('queue', 2),
      StreamKeeper: keeper('stream'),
      Door: fn('door', {}),
      Ticker: fn('ticker', { QUEUE_URL: { Ref: 'TickQueue' } }),
      TickerRetries: {
        Type: 'AWS::Lambda::EventInvokeConfig',
        Properties: { FunctionName: { Ref: 'Ticker' }, MaximumRetryAttempts: 1, Qualifier: '$LATEST' },
      },
      Url: {
        Type: 'AWS::Lambda::Url',
        Properties: { AuthType: 'NONE', TargetFunctionArn: { 'Fn::GetAtt': ['Door', 'Arn'] } },
      },
      QueueMapping: {
        Type: 'AWS::Lambda::EventSourceMapping',
        Properties: {
          EventSourceArn: { 'Fn::GetAtt': ['Queue', 'Arn'] },
          FunctionName: { Ref: 'Keeper' },
          BatchSize: 25,
          MaximumBatchingWindowInSeconds: 1,
          FunctionResponseTypes: ['ReportBatchItemFailures'],
          ScalingConfig: { MaximumConcurrency: 2 },
        },
      },
      StreamMapping: {
        Type: 'AWS::Lambda::EventSourceMapping',
        Properties: {
          EventSourceArn: { 'Fn::GetAtt': ['Table', 'StreamArn'] },
          FunctionName: { Ref: 'StreamKeeper' },
          BatchSize: 100,
          BisectBatchOnFunctionError: true,
          MaximumRetryAttempts: 2,
          StartingPosition: 'TRIM_HORIZON',
          FilterCriteria: {
            Filters: [{ Pattern: '{"eventName":["INSERT"],"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"MESSAGE#"}]}}}}' }],
          },
          DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['Bucket', 'Arn'] } } },
        },
      },
    } as Record<string, { Type: string; Properties: Record<string, unknown>; Metadata?: Record<string, unknown> }>,
    Outputs: {
      TableName: { Value: { Ref: 'Table' } },
      BucketName: { Value: { Ref: 'Bucket' } },
      SecretName: { Value: { Ref: 'Secret' } },
      BusName: { Value: { Ref: 'Bus' } },
      QueueUrl: { Value: { Ref: 'Queue' } },
      EventsUrl: { Value: { 'Fn::GetAtt': ['Url', 'FunctionUrl'] } },
      Host: { Value: { 'Fn::Select': [2, { 'Fn::Split': ['/', { 'Fn::GetAtt': ['Url', 'FunctionUrl'] }] }] } },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation's own syntax
      Said: { Value: { 'Fn::Sub': ['${AWS::StackName} ${word} ${Queue.QueueName} ${!Literal}', { word: 'has' }] } },
    },
  };
}
