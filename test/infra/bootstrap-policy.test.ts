// The policy for CloudFormation that a bootstrap uses instead of administrator rights.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { resources, type Stacks, synthesise } from './synthesised.ts';

interface Statement {
  Sid: string;
  Action: string | string[];
  Resource: string | string[];
}
const policy = JSON.parse(readFileSync(new URL('../../infra/bootstrap-policy.json', import.meta.url), 'utf8')) as {
  Statement: Statement[];
};
const many = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);
const actions = policy.Statement.flatMap(({ Action }) => many(Action));

const allows = (call: string, resource: string): boolean =>
  policy.Statement.some(({ Action, Resource }) =>
    [many(Action).some((action) => like(action, call)), many(Resource).some((one) => like(one, resource))].every(
      Boolean,
    ),
  );
const like = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 'i').test(text);

/** For types whose handlers call what their name does not say, or that came lately: the calls, and what they are made on. */
const CALLS: Record<string, [arn: string, ...calls: string[]]> = {
  'AWS::SES::ConfigurationSet': [
    'arn:aws:ses:eu-central-1:123456789012:configuration-set/kairos-prod-tracked',
    'ses:CreateConfigurationSet',
    'ses:GetConfigurationSet',
    'ses:PutConfigurationSetReputationOptions',
    'ses:PutConfigurationSetSendingOptions',
    'ses:PutConfigurationSetSuppressionOptions',
    'ses:DeleteConfigurationSet',
    'ses:TagResource',
  ],
  'AWS::SES::ConfigurationSetEventDestination': [
    'arn:aws:ses:eu-central-1:123456789012:configuration-set/kairos-prod-tracked',
    'ses:CreateConfigurationSetEventDestination',
    'ses:GetConfigurationSetEventDestinations',
    'ses:UpdateConfigurationSetEventDestination',
    'ses:DeleteConfigurationSetEventDestination',
  ],
  'AWS::Events::Rule': [
    'arn:aws:events:eu-central-1:123456789012:rule/kairos-prod/kairos-prod-unsubscribes',
    'events:PutRule',
    'events:DescribeRule',
    'events:DeleteRule',
    'events:PutTargets',
    'events:RemoveTargets',
    'events:ListTargetsByRule',
  ],
  'AWS::Lambda::Function': [
    'arn:aws:lambda:eu-central-1:123456789012:function:kairos-prod-guard-sending',
    'lambda:CreateFunction',
    'lambda:UpdateFunctionCode',
    'lambda:UpdateFunctionConfiguration',
    'lambda:DeleteFunction',
    'lambda:TagResource',
  ],
  'AWS::Lambda::EventInvokeConfig': [
    'arn:aws:lambda:eu-central-1:123456789012:function:kairos-prod-guard-sending',
    'lambda:PutFunctionEventInvokeConfig',
    'lambda:UpdateFunctionEventInvokeConfig',
    'lambda:GetFunctionEventInvokeConfig',
    'lambda:DeleteFunctionEventInvokeConfig',
  ],
  'AWS::Lambda::Permission': [
    'arn:aws:lambda:eu-central-1:123456789012:function:kairos-prod-guard-sending',
    'lambda:AddPermission',
    'lambda:RemovePermission',
    'lambda:GetPolicy',
  ],
  'AWS::SQS::QueuePolicy': [
    'arn:aws:sqs:eu-central-1:123456789012:kairos-prod-feedback',
    'sqs:SetQueueAttributes',
    'sqs:GetQueueAttributes',
  ],
  'AWS::Logs::MetricFilter': [
    'arn:aws:logs:eu-central-1:123456789012:log-group:/kairos/prod/guard-sending',
    'logs:PutMetricFilter',
    'logs:DescribeMetricFilters',
    'logs:DeleteMetricFilter',
  ],
  'AWS::Glue::Database': [
    'arn:aws:glue:eu-central-1:123456789012:database/kairos_prod',
    'glue:CreateDatabase',
    'glue:GetDatabase',
    'glue:UpdateDatabase',
    'glue:DeleteDatabase',
  ],
  'AWS::Glue::Table': [
    'arn:aws:glue:eu-central-1:123456789012:table/kairos_prod/orders',
    'glue:CreateTable',
    'glue:GetTable',
    'glue:UpdateTable',
    'glue:DeleteTable',
  ],
  'AWS::Athena::WorkGroup': [
    'arn:aws:athena:eu-central-1:123456789012:workgroup/kairos-prod-insight',
    'athena:CreateWorkGroup',
    'athena:GetWorkGroup',
    'athena:UpdateWorkGroup',
    'athena:DeleteWorkGroup',
    'athena:TagResource',
  ],
  'AWS::SSM::Parameter': [
    'arn:aws:ssm:eu-central-1:123456789012:parameter/kairos/prod/bucket',
    'ssm:PutParameter',
    'ssm:GetParameters',
    'ssm:DeleteParameter',
    'ssm:AddTagsToResource',
  ],
  'AWS::CloudWatch::Alarm': [
    'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:kairos-prod-guard-silent',
    'cloudwatch:PutMetricAlarm',
    'cloudwatch:DescribeAlarms',
    'cloudwatch:DeleteAlarms',
  ],
};

/** Type prefixes of CloudFormation whose actions are called otherwise. */
const SERVICES: Record<string, string> = { ApiGatewayV2: 'apigateway' };

const typesOf = ({ core, operations }: Stacks): string[] =>
  [core, operations].flatMap((template) =>
    Object.values(template.toJSON().Resources as Record<string, { Type: string }>).map(({ Type }) => Type),
  );

describe('Bootstrap: what CloudFormation may do', () => {
  it('Bootstrap1: it reaches every service that the stacks use', () => {
    const services = new Set(typesOf(synthesise('prod', { trackOpens: true })).map((type) => type.split('::')[1]!));
    const missing = [...services].filter(
      (service) => !actions.some((action) => action.startsWith(`${(SERVICES[service] ?? service).toLowerCase()}:`)),
    );
    expect(missing).toEqual([]);
  });

  it('Bootstrap2: it reads no data, no secret, and takes no policy that AWS manages', () => {
    const matches = (call: string) =>
      actions.some((action) => new RegExp(`^${action.replaceAll('*', '.*')}$`).test(call));
    for (const call of [
      'dynamodb:GetItem',
      'dynamodb:UpdateItem',
      'dynamodb:Scan',
      'secretsmanager:GetSecretValue',
      'ses:SendEmail',
      'iam:AttachRolePolicy',
      'iam:CreateUser',
      'sqs:ReceiveMessage',
    ]) {
      expect({ call, allowed: matches(call) }).toEqual({ call, allowed: false });
    }
    expect(matches('dynamodb:CreateTable')).toBe(true);
  });

  it('Bootstrap5: it allows each call that the handlers of the newer types make, on the names that the stacks give', () => {
    const types = typesOf(synthesise('prod', { trackOpens: true }));
    for (const [type, [arn, ...calls]] of Object.entries(CALLS)) {
      expect(types).toContain(type);
      for (const call of calls) expect({ call, arn, allowed: allows(call, arn) }).toEqual({ call, arn, allowed: true });
    }
    expect(allows('lambda:DeleteFunction', 'arn:aws:lambda:eu-central-1:123456789012:function:checkout')).toBe(false);
    expect(allows('events:PutRule', 'arn:aws:events:eu-central-1:123456789012:rule/orders')).toBe(false);
  });

  it('Bootstrap3: it fits into one managed policy', () => {
    expect(JSON.stringify(policy).length).toBeLessThanOrEqual(6144);
  });

  it('Bootstrap4: the names that it allows are the names that the stacks give', () => {
    const { core, operations } = synthesise('prod', { trackOpens: true });
    const names = [
      ...resources(core, 'AWS::SES::ConfigurationSet').filter(([, { Properties }]) => Properties.Name),
      ...resources(core, 'AWS::SQS::Queue'),
      ...resources(core, 'AWS::Lambda::Function'),
      ...resources(core, 'AWS::Events::Rule'),
      ...resources(operations, 'AWS::CloudWatch::Alarm'),
    ].map(
      ([, { Properties }]) =>
        (Properties.QueueName ?? Properties.FunctionName ?? Properties.Name ?? Properties.AlarmName) as string,
    );
    for (const name of names) expect(name).toMatch(/^kairos-prod-/);
  });
});
