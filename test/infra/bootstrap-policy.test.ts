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

/** Type prefixes of CloudFormation whose actions are called otherwise. */
const SERVICES: Record<string, string> = { ApiGatewayV2: 'apigateway' };

const typesOf = ({ core, operations }: Stacks): string[] =>
  [core, operations].flatMap((template) =>
    Object.values(template.toJSON().Resources as Record<string, { Type: string }>).map(({ Type }) => Type),
  );

describe('Bootstrap: what CloudFormation may do', () => {
  it('Bootstrap1: it reaches every service that the stacks use', () => {
    const services = new Set(typesOf(synthesise('prod')).map((type) => type.split('::')[1]!));
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

  it('Bootstrap3: it fits into one managed policy', () => {
    expect(JSON.stringify(policy).length).toBeLessThanOrEqual(6144);
  });

  it('Bootstrap4: the names that it allows are the names that the stacks give', () => {
    const { core, operations } = synthesise('prod');
    const names = [
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
