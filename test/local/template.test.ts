// Reading CloudFormation: what is resolved, and what is refused.
import { describe, expect, it } from 'vitest';
import { readTemplate } from '../../local/template.ts';
import { assets, smallStack } from './small-stack.ts';

const options = { base: 'http://127.0.0.1:1', assets };
const read = (change: (stack: ReturnType<typeof smallStack>) => void = () => {}) => {
  const stack = smallStack();
  change(stack);
  return readTemplate(stack, options);
};

describe('a template', () => {
  it('is resolved to names, addresses and environments', () => {
    const stack = read();
    expect(stack.outputs).toMatchObject({
      BucketName: 'small-000000000000',
      EventsUrl: 'http://127.0.0.1:1/_url/Url/',
      Host: '127.0.0.1:1',
      QueueUrl: 'http://127.0.0.1:1/000000000000/small-queue',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation's own syntax
      Said: 'Kairos-laptop has small-queue ${Literal}',
    });
    expect(stack.functions.find(({ id }) => id === 'Ticker')?.env.QUEUE_URL).toBe(
      'http://127.0.0.1:1/000000000000/small-ticks',
    );
    expect(stack.configurationSets[0]?.publishes).toContain('DELIVERY_DELAY');
    expect(stack.passedOver).toEqual([
      { id: 'Role', type: 'AWS::IAM::Role' },
      { id: 'Alarm', type: 'AWS::CloudWatch::Alarm' },
    ]);
  });

  it('with unknown types is refused, naming every one with its logical id', () => {
    const unknown = () =>
      read(({ Resources }) => {
        Resources.Machine = { Type: 'AWS::StepFunctions::StateMachine', Properties: {} };
        Resources.Topic = { Type: 'AWS::Kinesis::Stream', Properties: {} };
      });
    expect(unknown).toThrow('AWS::StepFunctions::StateMachine (Machine), AWS::Kinesis::Stream (Topic)');
  });

  it('with an unknown intrinsic where it is read is refused', () => {
    expect(() =>
      read(({ Resources }) => (Resources.Queue!.Properties.QueueName = { 'Fn::FindInMap': ['a', 'b', 'c'] })),
    ).toThrow('Resources.Queue.QueueName: the laptop does not know the function Fn::FindInMap');
  });

  it('with a reference to nothing is refused', () => {
    expect(() => read(({ Resources }) => (Resources.Bus!.Properties.Name = { Ref: 'Nobody' }))).toThrow(
      'there is no resource "Nobody"',
    );
  });

  it.each([
    ['a FIFO queue', 'Queue', 'FifoQueue', true],
    ['a layer', 'Door', 'Layers', ['arn:aws:lambda:us-east-1:000000000000:layer:x:1']],
    ['another runtime', 'Door', 'Runtime', 'python3.13'],
  ])('with %s is refused', (_, id, name, value) => {
    expect(() => read(({ Resources }) => (Resources[id]!.Properties[name] = value))).toThrow(`Resources.${id}.${name}`);
  });

  it('with an input transformer is refused', () => {
    const transform = { Id: 'T', Arn: { 'Fn::GetAtt': ['Queue', 'Arn'] }, InputTransformer: { InputTemplate: '{}' } };
    expect(() => read(({ Resources }) => (Resources.EventsRule!.Properties.Targets = [transform]))).toThrow(
      'InputTransformer',
    );
  });

  it('whose bundle is not there is refused', () => {
    expect(() => read(({ Resources }) => (Resources.Door!.Metadata = { 'aws:asset:path': 'nowhere' }))).toThrow(
      'the bundle of this function',
    );
  });

  it('leaves out resources whose condition does not hold', () => {
    const stack = smallStack() as ReturnType<typeof smallStack> & { Conditions?: object };
    stack.Conditions = { Never: { 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'mars-north-1'] } };
    (stack.Resources.MinuteRule as { Condition?: string }).Condition = 'Never';
    expect(readTemplate(stack, options).rules.map(({ id }) => id)).not.toContain('MinuteRule');
  });
});
