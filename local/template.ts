// Reads a CloudFormation template into the resources that a laptop can run, and refuses loudly what it cannot.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { KairosError, quote } from '../domain/fault.ts';

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';

export type Properties = Record<string, unknown>;

export interface TableResource {
  id: string;
  name: string;
  arn: string;
  streamArn: string;
  properties: Properties;
  timeToLive?: string;
  streams: boolean;
}
export interface QueueResource {
  id: string;
  name: string;
  arn: string;
  url: string;
  /** Seconds. */
  visibility: number;
  delay: number;
  redrive?: { arn: string; most: number };
}
export interface FunctionResource {
  id: string;
  name: string;
  arn: string;
  file: string;
  /** The name that the module exports. */
  entry: string;
  env: Record<string, string>;
  /** Milliseconds. */
  timeout: number;
  /** Megabytes. */
  memory: number;
}
export interface MappingResource {
  id: string;
  source: string;
  functionId: string;
  batch: number;
  /** Seconds. */
  window: number;
  concurrency: number;
  /** Seconds of a tumbling window; 0 = none. */
  tumbling: number;
  partial: boolean;
  filters: unknown[];
  bisect: boolean;
  /** -1 = until it works. */
  retries: number;
  failures?: string;
}
export interface RuleResource {
  id: string;
  name: string;
  bus: string;
  pattern?: unknown;
  schedule?: string;
  targets: { arn: string; input?: string; deadLetters?: string }[];
}
export interface ConfigurationSetResource {
  id: string;
  name: string;
  sending: boolean;
  /** Event types in SES's upper-case words that go to the default bus. */
  publishes: Set<string>;
}
export interface SecretResource {
  id: string;
  name: string;
  arn: string;
  value?: string;
  generate?: { template?: string; key?: string; length: number; exclude: string; punctuation: boolean };
}

/** What a template holds, resolved: names, addresses, environments. */
export interface Stack {
  tables: TableResource[];
  queues: QueueResource[];
  buses: { id: string; name: string; arn: string }[];
  rules: RuleResource[];
  functions: FunctionResource[];
  mappings: MappingResource[];
  urls: { id: string; functionId: string; url: string }[];
  buckets: { id: string; name: string; arn: string }[];
  secrets: SecretResource[];
  configurationSets: ConfigurationSetResource[];
  /** Retries of asynchronous invocations, by function id. */
  asyncRetries: Map<string, { retries: number; failures?: string }>;
  outputs: Record<string, string>;
  /** Logical ids that were passed over, with their types. */
  passedOver: { id: string; type: string }[];
}

/** What has no meaning on a laptop: who may do what, what is watched, what stands in front. */
const PASSED_OVER = new Set([
  'AWS::ApiGatewayV2::Api',
  'AWS::ApiGatewayV2::ApiMapping',
  'AWS::ApiGatewayV2::DomainName',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::CDK::Metadata',
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::CompositeAlarm',
  'AWS::CloudWatch::Dashboard',
  'AWS::Events::Archive',
  'AWS::Events::EventBusPolicy',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::Lambda::Permission',
  'AWS::Logs::LogGroup',
  'AWS::Logs::MetricFilter',
  'AWS::Logs::ResourcePolicy',
  'AWS::S3::BucketPolicy',
  'AWS::SecretsManager::ResourcePolicy',
  'AWS::SES::EmailIdentity',
  'AWS::SNS::Subscription',
  'AWS::SNS::Topic',
  'AWS::SNS::TopicPolicy',
  'AWS::SQS::QueuePolicy',
  'AWS::SSM::Parameter',
]);

const INTERPRETED = new Set([
  'AWS::DynamoDB::GlobalTable',
  'AWS::DynamoDB::Table',
  'AWS::Events::EventBus',
  'AWS::Events::Rule',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::Lambda::EventSourceMapping',
  'AWS::Lambda::Function',
  'AWS::Lambda::Url',
  'AWS::S3::Bucket',
  'AWS::SecretsManager::Secret',
  'AWS::SES::ConfigurationSet',
  'AWS::SES::ConfigurationSetEventDestination',
  'AWS::SQS::Queue',
]);

interface RawResource {
  Type: string;
  Properties?: Properties;
  Metadata?: Properties;
  Condition?: string;
}

/**
 * Resolves a template against a server at `base` (`http://127.0.0.1:1234`) and a folder of assets (`cdk.out`).
 * Throws KairosError, all unknown resource types in one list, or the first unknown intrinsic or setting that it reads.
 */
export function readTemplate(template: object, options: { base: string; assets: string; stackName?: string }): Stack {
  const { Resources, Outputs, Parameters, Conditions } = template as {
    Resources?: Record<string, RawResource>;
    Outputs?: Record<string, { Value: unknown; Condition?: string }>;
    Parameters?: Record<string, { Default?: unknown }>;
    Conditions?: Record<string, unknown>;
  };
  const resources = Resources ?? {};
  const stackName = options.stackName ?? 'Kairos-laptop';
  const unknown = Object.entries(resources).filter(([, { Type }]) => !INTERPRETED.has(Type) && !PASSED_OVER.has(Type));
  if (unknown.length > 0) {
    throw new KairosError({
      code: 'laptop.resource',
      path: unknown.map(([id]) => `Resources.${id}`).join(', '),
      message: `the laptop cannot run ${unknown.map(([id, { Type }]) => `${Type} (${id})`).join(', ')}.`,
      received: unknown.map(([, { Type }]) => Type).join(', '),
      expected: [...INTERPRETED].join(', '),
      remedy: 'Interpret the type in local/template.ts, or add it to the list that is passed over.',
    });
  }

  const pseudo: Record<string, string> = {
    'AWS::AccountId': ACCOUNT,
    'AWS::NotificationARNs': '',
    'AWS::Partition': 'aws',
    'AWS::Region': REGION,
    'AWS::StackId': `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/${stackName}/laptop`,
    'AWS::StackName': stackName,
    'AWS::URLSuffix': 'amazonaws.com',
  };

  // ---- intrinsics ----

  const resolving = new Set<string>();
  const refuse = (path: string, code: string, message: string, received: string): never => {
    throw new KairosError({ code: `laptop.${code}`, path, message, received });
  };

  function resolve(value: unknown, path: string): unknown {
    if (Array.isArray(value)) {
      return value.map((item, index) => resolve(item, `${path}[${index}]`)).filter((item) => item !== NOTHING);
    }
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value);
    const [name, operand] = entries[0] ?? ['', undefined];
    if (entries.length === 1 && (name === 'Ref' || name === 'Condition' || name.startsWith('Fn::'))) {
      return intrinsic(name, operand, path);
    }
    const resolved = entries.map(([key, item]) => [key, resolve(item, `${path}.${key}`)] as const);
    return Object.fromEntries(resolved.filter(([, item]) => item !== NOTHING));
  }

  function intrinsic(name: string, operand: unknown, path: string): unknown {
    switch (name) {
      case 'Ref':
        return reference(String(operand), path);
      case 'Fn::GetAtt': {
        const [id, attribute] = Array.isArray(operand) ? operand.map(String) : String(operand).split(/\.(.*)/s);
        return attributeOf(id ?? '', attribute ?? '', path);
      }
      case 'Fn::Sub': {
        const [text, extra] = Array.isArray(operand) ? (operand as [string, Properties]) : [String(operand), {}];
        return text.replace(/\$\{(!?)([^}]+)\}/g, (_, literal: string, key: string) => {
          if (literal === '!') return `\${${key}}`;
          if (Object.hasOwn(extra, key)) return String(resolve(extra[key], path));
          const [id, attribute] = key.split(/\.(.*)/s);
          return String(attribute === undefined ? reference(key, path) : attributeOf(id!, attribute, path));
        });
      }
      case 'Fn::Join': {
        const [separator, list] = operand as [string, unknown];
        return (resolve(list, path) as unknown[]).map(String).join(separator);
      }
      case 'Fn::Select': {
        const [index, list] = operand as [number | string, unknown];
        return (resolve(list, path) as unknown[])[Number(index)];
      }
      case 'Fn::Split': {
        const [separator, text] = operand as [string, unknown];
        return String(resolve(text, path)).split(separator);
      }
      case 'Fn::If': {
        const [condition, yes, no] = operand as [string, unknown, unknown];
        return resolve(holds(condition, path) ? yes : no, path);
      }
      default:
        return refuse(path, 'intrinsic', `the laptop does not know the function ${name}.`, name);
    }
  }

  function truth(expression: unknown, path: string): boolean {
    const [name, operand] = Object.entries(expression as object)[0] ?? ['', undefined];
    const list = operand as unknown[];
    if (name === 'Condition') return holds(String(operand), path);
    if (name === 'Fn::Equals') return String(resolve(list[0], path)) === String(resolve(list[1], path));
    if (name === 'Fn::Not') return !truth(list[0], path);
    if (name === 'Fn::And') return list.every((item) => truth(item, path));
    if (name === 'Fn::Or') return list.some((item) => truth(item, path));
    return refuse(path, 'intrinsic', `the laptop does not know the condition ${name}.`, name);
  }

  function holds(condition: string, path: string): boolean {
    const expression = Conditions?.[condition];
    if (expression === undefined) refuse(path, 'condition', `there is no condition "${condition}".`, condition);
    return truth(expression, `Conditions.${condition}`);
  }

  function reference(id: string, path: string): unknown {
    if (id === 'AWS::NoValue') return NOTHING;
    if (Object.hasOwn(pseudo, id)) return pseudo[id];
    const parameter = Parameters?.[id];
    if (parameter !== undefined) {
      if (parameter.Default === undefined) refuse(path, 'parameter', `the parameter "${id}" has no default.`, id);
      return parameter.Default;
    }
    const resource = resources[id];
    if (resource === undefined) return refuse(path, 'reference', `there is no resource "${id}".`, id);
    switch (resource.Type) {
      case 'AWS::SQS::Queue':
        return `${options.base}/${ACCOUNT}/${nameOf(id)}`;
      case 'AWS::SecretsManager::Secret':
      case 'AWS::SNS::Topic':
        return arnOf(id);
      case 'AWS::Lambda::Url':
        return arnOf(functionId(resource.Properties?.TargetFunctionArn, `Resources.${id}.TargetFunctionArn`));
      default:
        return nameOf(id);
    }
  }

  function attributeOf(id: string, attribute: string, path: string): unknown {
    const resource = resources[id];
    if (resource === undefined) return refuse(path, 'reference', `there is no resource "${id}".`, id);
    if (attribute === 'Arn' || attribute === 'TopicArn') return arnOf(id);
    if (attribute === 'Id' && resource.Type === 'AWS::SecretsManager::Secret') return arnOf(id);
    if (['QueueName', 'Name', 'TopicName'].includes(attribute)) return nameOf(id);
    if (attribute === 'QueueUrl') return reference(id, path);
    if (attribute === 'StreamArn') return `${arnOf(id)}/stream/laptop`;
    if (attribute === 'FunctionUrl') return `${options.base}/_url/${id}/`;
    if (attribute === 'FunctionArn') return reference(id, path);
    if (attribute === 'DomainName' || attribute === 'RegionalDomainName') return `${nameOf(id)}.s3.amazonaws.com`;
    if (PASSED_OVER.has(resource.Type)) return `${id}.${attribute}`;
    return refuse(path, 'attribute', `the laptop does not know ${attribute} of ${resource.Type}.`, attribute);
  }

  function nameOf(id: string): string {
    const { Type, Properties: given = {} } = resources[id]!;
    const property = NAME_PROPERTIES[Type];
    const value = property === undefined ? undefined : given[property];
    if (value === undefined)
      return Type === 'AWS::S3::Bucket' ? `${stackName}-${id}`.toLowerCase() : `${stackName}-${id}`;
    if (resolving.has(id)) refuse(`Resources.${id}`, 'reference', `the name of "${id}" depends on itself.`, id);
    resolving.add(id);
    try {
      return String(resolve(value, `Resources.${id}.${property}`));
    } finally {
      resolving.delete(id);
    }
  }

  function arnOf(id: string): string {
    const name = nameOf(id);
    const arn = (service: string, rest: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;
    switch (resources[id]!.Type) {
      case 'AWS::DynamoDB::GlobalTable':
      case 'AWS::DynamoDB::Table':
        return arn('dynamodb', `table/${name}`);
      case 'AWS::Events::EventBus':
        return arn('events', `event-bus/${name}`);
      case 'AWS::Events::Rule':
        return arn('events', `rule/${name}`);
      case 'AWS::Lambda::Function':
        return arn('lambda', `function:${name}`);
      case 'AWS::S3::Bucket':
        return `arn:aws:s3:::${name}`;
      case 'AWS::SecretsManager::Secret':
        return arn('secretsmanager', `secret:${name}-laptop`);
      case 'AWS::SNS::Topic':
        return arn('sns', name);
      case 'AWS::SQS::Queue':
        return arn('sqs', name);
      default:
        return arn('laptop', name);
    }
  }

  /** The logical id of a function that is named by its name, its ARN or a reference to either. */
  function functionId(value: unknown, path: string): string {
    const target = String(resolve(value, path));
    const found = idsOf('AWS::Lambda::Function').find((id) => target === nameOf(id) || target === arnOf(id));
    return found ?? refuse(path, 'reference', 'no function of this template is meant by this name.', target);
  }

  const idsOf = (...types: string[]) =>
    Object.keys(resources).filter((id) => {
      const { Type, Condition } = resources[id]!;
      return types.includes(Type) && (Condition === undefined || holds(Condition, `Resources.${id}`));
    });

  /** One property, resolved. */
  const read = (id: string, name: string): unknown => {
    const value = resources[id]!.Properties?.[name];
    const resolved = value === undefined ? undefined : resolve(value, `Resources.${id}.${name}`);
    return resolved === NOTHING ? undefined : resolved;
  };
  const refuseSetting = (id: string, name: string) => {
    const value = read(id, name);
    if (value !== undefined && value !== false && value !== 0) {
      refuse(`Resources.${id}.${name}`, 'setting', `the laptop cannot honour ${name}.`, quote(value));
    }
  };
  const number = (id: string, name: string, otherwise: number) => {
    const value = read(id, name);
    return value === undefined ? otherwise : Number(value);
  };

  // ---- resources ----

  const stack: Stack = {
    tables: idsOf('AWS::DynamoDB::GlobalTable', 'AWS::DynamoDB::Table').map((id) => {
      const properties = resolve(
        Object.fromEntries(
          [
            'AttributeDefinitions',
            'KeySchema',
            'GlobalSecondaryIndexes',
            'LocalSecondaryIndexes',
            'StreamSpecification',
          ].map((name) => [name, resources[id]!.Properties?.[name]]),
        ),
        `Resources.${id}`,
      ) as Properties;
      const ttl = read(id, 'TimeToLiveSpecification') as
        | { AttributeName?: string; Enabled?: boolean | string }
        | undefined;
      return {
        id,
        name: nameOf(id),
        arn: arnOf(id),
        streamArn: `${arnOf(id)}/stream/laptop`,
        properties,
        streams: properties.StreamSpecification !== undefined,
        ...(ttl?.AttributeName !== undefined && String(ttl.Enabled) !== 'false'
          ? { timeToLive: ttl.AttributeName }
          : {}),
      };
    }),
    queues: idsOf('AWS::SQS::Queue').map((id) => {
      refuseSetting(id, 'FifoQueue');
      const redrive = read(id, 'RedrivePolicy') as { deadLetterTargetArn: string; maxReceiveCount: number } | undefined;
      return {
        id,
        name: nameOf(id),
        arn: arnOf(id),
        url: String(reference(id, `Resources.${id}`)),
        visibility: number(id, 'VisibilityTimeout', 30),
        delay: number(id, 'DelaySeconds', 0),
        ...(redrive && { redrive: { arn: redrive.deadLetterTargetArn, most: Number(redrive.maxReceiveCount) } }),
      };
    }),
    buses: idsOf('AWS::Events::EventBus').map((id) => ({ id, name: nameOf(id), arn: arnOf(id) })),
    rules: idsOf('AWS::Events::Rule').flatMap((id) => (read(id, 'State') === 'DISABLED' ? [] : [ruleOf(id)])),
    functions: idsOf('AWS::Lambda::Function').map(functionOf),
    mappings: idsOf('AWS::Lambda::EventSourceMapping').flatMap((id) =>
      String(read(id, 'Enabled') ?? true) === 'false' ? [] : [mappingOf(id)],
    ),
    urls: idsOf('AWS::Lambda::Url').map((id) => {
      if (read(id, 'InvokeMode') === 'RESPONSE_STREAM') refuseSetting(id, 'InvokeMode');
      return {
        id,
        functionId: functionId(resources[id]!.Properties?.TargetFunctionArn, `Resources.${id}.TargetFunctionArn`),
        url: `${options.base}/_url/${id}/`,
      };
    }),
    buckets: idsOf('AWS::S3::Bucket').map((id) => ({ id, name: nameOf(id), arn: arnOf(id) })),
    secrets: idsOf('AWS::SecretsManager::Secret').map(secretOf),
    configurationSets: idsOf('AWS::SES::ConfigurationSet').map((id) => ({
      id,
      name: nameOf(id),
      sending: String((read(id, 'SendingOptions') as Properties | undefined)?.SendingEnabled ?? true) !== 'false',
      publishes: new Set<string>(),
    })),
    asyncRetries: new Map(
      idsOf('AWS::Lambda::EventInvokeConfig').map((id) => {
        const failures = destination(id);
        return [
          functionId(resources[id]!.Properties?.FunctionName, `Resources.${id}.FunctionName`),
          { retries: number(id, 'MaximumRetryAttempts', 2), ...(failures !== undefined && { failures }) },
        ];
      }),
    ),
    outputs: {},
    passedOver: Object.entries(resources).flatMap(([id, { Type }]) =>
      PASSED_OVER.has(Type) ? [{ id, type: Type }] : [],
    ),
  };

  for (const id of idsOf('AWS::SES::ConfigurationSetEventDestination')) {
    const target = read(id, 'EventDestination') as {
      Enabled?: boolean | string;
      MatchingEventTypes: string[];
      EventBridgeDestination?: unknown;
    };
    const set = stack.configurationSets.find(({ name }) => name === read(id, 'ConfigurationSetName'));
    if (target.EventBridgeDestination === undefined || set === undefined) {
      refuse(
        `Resources.${id}`,
        'setting',
        'only event destinations on EventBridge, of a configuration set of this template, are known.',
        id,
      );
    } else if (String(target.Enabled ?? true) !== 'false') {
      for (const type of target.MatchingEventTypes)
        set.publishes.add(type.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase());
    }
  }
  for (const [name, { Value, Condition }] of Object.entries(Outputs ?? {})) {
    if (Condition !== undefined && !holds(Condition, `Outputs.${name}`)) continue;
    stack.outputs[name] = String(resolve(Value, `Outputs.${name}`));
  }
  return stack;

  function ruleOf(id: string): RuleResource {
    const targets = (resources[id]!.Properties?.Targets ?? []) as Properties[];
    const pattern = resources[id]!.Properties?.EventPattern;
    const schedule = read(id, 'ScheduleExpression') as string | undefined;
    const bus = read(id, 'EventBusName') as string | undefined;
    return {
      id,
      name: nameOf(id),
      bus: bus === undefined ? 'default' : bus.replace(/^.*event-bus\//, ''),
      ...(pattern !== undefined && { pattern: resolve(pattern, `Resources.${id}.EventPattern`) }),
      ...(schedule !== undefined && { schedule }),
      targets: targets.map((target, index) => {
        const path = `Resources.${id}.Targets[${index}]`;
        for (const name of ['InputPath', 'InputTransformer']) {
          if (target[name] !== undefined)
            refuse(`${path}.${name}`, 'setting', `the laptop cannot honour ${name}.`, name);
        }
        const { Arn, Input, DeadLetterConfig } = resolve(
          { Arn: target.Arn, Input: target.Input, DeadLetterConfig: target.DeadLetterConfig },
          path,
        ) as { Arn: string; Input?: string; DeadLetterConfig?: { Arn: string } };
        if (!/^arn:aws:(sqs|lambda|events):/.test(Arn)) {
          refuse(`${path}.Arn`, 'target', 'only queues, functions and event buses are targets on a laptop.', Arn);
        }
        return {
          arn: Arn,
          ...(Input !== undefined && { input: Input }),
          ...(DeadLetterConfig !== undefined && { deadLetters: DeadLetterConfig.Arn }),
        };
      }),
    };
  }

  function functionOf(id: string): FunctionResource {
    refuseSetting(id, 'Layers');
    const runtime = String(read(id, 'Runtime'));
    if (!runtime.startsWith('nodejs')) refuse(`Resources.${id}.Runtime`, 'setting', 'only Node.js runs here.', runtime);
    const [module, entry] = String(read(id, 'Handler')).split('.');
    const folder = join(options.assets, assetOf(id));
    const file = ['mjs', 'js', 'cjs']
      .map((ending) => join(folder, `${module}.${ending}`))
      .find((path) => existsSync(path));
    if (file === undefined) {
      refuse(
        `Resources.${id}.Code`,
        'asset',
        `the bundle of this function is not in the folder of assets: ${module}.mjs.`,
        assetOf(id),
      );
    }
    const variables = (read(id, 'Environment') as { Variables?: Record<string, unknown> } | undefined)?.Variables ?? {};
    const logging = read(id, 'LoggingConfig') as { ApplicationLogLevel?: string; LogFormat?: string } | undefined;
    const memory = number(id, 'MemorySize', 128);
    return {
      id,
      name: nameOf(id),
      arn: arnOf(id),
      file: file!,
      entry: entry ?? 'handler',
      env: {
        ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)])),
        AWS_LAMBDA_FUNCTION_NAME: nameOf(id),
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memory),
        AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
        AWS_LAMBDA_LOG_FORMAT: logging?.LogFormat === 'JSON' ? 'JSON' : 'Text',
        ...(logging?.ApplicationLogLevel !== undefined && { AWS_LAMBDA_LOG_LEVEL: logging.ApplicationLogLevel }),
      },
      timeout: number(id, 'Timeout', 3) * 1000,
      memory,
    };
  }

  /** The folder of a function's bundle, relative to the folder of assets. */
  function assetOf(id: string): string {
    const given = resources[id]!.Metadata?.['aws:asset:path'];
    if (typeof given === 'string') return given;
    const key = String((read(id, 'Code') as { S3Key?: string } | undefined)?.S3Key ?? '');
    if (!/^[0-9a-f]+\.zip$/.test(key))
      refuse(`Resources.${id}.Code`, 'asset', 'only CDK assets are known.', key || 'no S3Key');
    return `asset.${key.replace('.zip', '')}`;
  }

  function destination(id: string): string | undefined {
    const config = read(id, 'DestinationConfig') as { OnFailure?: { Destination?: string } } | undefined;
    const arn = config?.OnFailure?.Destination;
    if (arn !== undefined && !/^arn:aws:(sqs|s3):/.test(arn)) {
      refuse(`Resources.${id}.DestinationConfig`, 'target', 'only queues and buckets take failures on a laptop.', arn);
    }
    return arn;
  }

  function mappingOf(id: string): MappingResource {
    const source = String(read(id, 'EventSourceArn'));
    const isQueue = source.startsWith('arn:aws:sqs:');
    const scaling = read(id, 'ScalingConfig') as { MaximumConcurrency?: number } | undefined;
    const filters = (read(id, 'FilterCriteria') as { Filters?: { Pattern: string }[] } | undefined)?.Filters ?? [];
    const failures = destination(id);
    return {
      id,
      source,
      functionId: functionId(resources[id]!.Properties?.FunctionName, `Resources.${id}.FunctionName`),
      batch: number(id, 'BatchSize', isQueue ? 10 : 100),
      window: number(id, 'MaximumBatchingWindowInSeconds', 0),
      concurrency: scaling?.MaximumConcurrency ?? Number.POSITIVE_INFINITY,
      tumbling: number(id, 'TumblingWindowInSeconds', 0),
      partial: ((read(id, 'FunctionResponseTypes') ?? []) as string[]).includes('ReportBatchItemFailures'),
      filters: filters.map(({ Pattern }) => JSON.parse(Pattern) as unknown),
      bisect: String(read(id, 'BisectBatchOnFunctionError') ?? false) === 'true',
      retries: number(id, 'MaximumRetryAttempts', -1),
      ...(failures !== undefined && { failures }),
    };
  }

  function secretOf(id: string): SecretResource {
    const value = read(id, 'SecretString') as string | undefined;
    const given = read(id, 'GenerateSecretString') as Properties | undefined;
    return {
      id,
      name: nameOf(id),
      arn: arnOf(id),
      ...(value !== undefined && { value }),
      ...(given && {
        generate: {
          ...(given.SecretStringTemplate !== undefined && { template: String(given.SecretStringTemplate) }),
          ...(given.GenerateStringKey !== undefined && { key: String(given.GenerateStringKey) }),
          length: Number(given.PasswordLength ?? 32),
          exclude: String(given.ExcludeCharacters ?? ''),
          punctuation: String(given.ExcludePunctuation ?? false) !== 'true',
        },
      }),
    };
  }
}

/** What `AWS::NoValue` resolves to: the property is as if it were not there. */
const NOTHING = Symbol('AWS::NoValue');

const NAME_PROPERTIES: Record<string, string> = {
  'AWS::DynamoDB::GlobalTable': 'TableName',
  'AWS::DynamoDB::Table': 'TableName',
  'AWS::Events::EventBus': 'Name',
  'AWS::Events::Rule': 'Name',
  'AWS::Lambda::Function': 'FunctionName',
  'AWS::S3::Bucket': 'BucketName',
  'AWS::SecretsManager::Secret': 'Name',
  'AWS::SES::ConfigurationSet': 'Name',
  'AWS::SNS::Topic': 'TopicName',
  'AWS::SQS::Queue': 'QueueName',
};
