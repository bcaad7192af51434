// The Athena side of the lake, as far as it can be seen without AWS: tables, projection, reader, workgroup, and who may what.
import { App, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { folderOf } from '../../functions/aws/lake.ts';
import { LAKE_TABLES, type LakeTable } from '../../functions/aws/lake-tables.ts';
import { OperationsStack } from '../../infra/operations.ts';
import { readSettings } from '../../infra/settings.ts';
import { CONTEXT, resource, resources, synthesise } from './synthesised.ts';

const { core, operations } = synthesise('prod');
const tables = resources(operations, 'AWS::Glue::Table').map(([, { Properties }]) => Properties.TableInput);
const lake = Object.entries(LAKE_TABLES) as [string, LakeTable][];
const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : (value as { 'Fn::Join': [string, unknown[]] })['Fn::Join'][1].map(said).join('');
const said = (part: unknown): string => (typeof part === 'string' ? part : 'BUCKET');

describe('Lake: what Athena reads is what the writer writes', () => {
  it('Lake1: there is one table for each of the lake, with its columns, in small letters and in order', () => {
    expect(tables.map(({ Name }) => Name)).toEqual(lake.map(([name]) => name));
    for (const [name, { columns }] of lake) {
      const table = tables.find(({ Name }) => Name === name);
      expect(table.StorageDescriptor.Columns).toEqual(
        Object.entries(columns).map(([column, type]) => ({ Name: column.toLowerCase(), Type: type })),
      );
      expect(table.TableType).toBe('EXTERNAL_TABLE');
    }
  });

  it('Lake2: no two columns of a table are one in small letters', () => {
    for (const [, { columns }] of lake) {
      const names = Object.keys(columns).map((column) => column.toLowerCase());
      expect(new Set(names).size).toBe(names.length);
      expect(names).not.toContain('day');
    }
  });

  it('Lake3: days are projected into the folders that the writer names, up to today', () => {
    for (const [name, { byDay }] of lake) {
      const { Parameters, PartitionKeys, StorageDescriptor } = tables.find((table) => table.Name === name);
      expect(textOf(StorageDescriptor.Location)).toBe(`s3://BUCKET/lake/${name}/`);
      if (!byDay) {
        expect([name, PartitionKeys, Parameters['projection.enabled']]).toEqual([name, undefined, undefined]);
        continue;
      }
      expect(PartitionKeys).toEqual([{ Name: 'day', Type: 'string' }]);
      expect(Parameters).toMatchObject({
        'projection.enabled': 'true',
        'projection.day.type': 'date',
        'projection.day.format': 'yyyy-MM-dd',
        'projection.day.interval': '1',
        'projection.day.interval.unit': 'DAYS',
      });
      expect(Parameters['projection.day.range']).toMatch(/^\d{4}-\d\d-\d\d,NOW$/);
      const template = textOf(Parameters['storage.location.template']);
      expect(template.replace(/\$\{day\}/, '2026-05-04')).toBe(
        `s3://BUCKET/${folderOf(name as 'orders', '2026-05-04')}/`,
      );
    }
  });

  it('Lake4: the reader knows each name that is not in small letters, and takes "Gift" and "gift" for two', () => {
    for (const [name, { columns }] of lake) {
      const { SerdeInfo } = tables.find((table) => table.Name === name).StorageDescriptor;
      const mapped = Object.keys(columns).filter((column) => /[A-Z]/.test(column));
      expect(SerdeInfo).toEqual({
        SerializationLibrary: 'org.openx.data.jsonserde.JsonSerDe',
        Parameters: {
          'case.insensitive': 'FALSE',
          'ignore.malformed.json': 'FALSE',
          ...Object.fromEntries(mapped.map((column) => [`mapping.${column.toLowerCase()}`, column])),
        },
      });
    }
    expect(JSON.stringify(tables)).toContain('"mapping.convertedvalue":"convertedValue"');
  });

  it('Lake5: answers stand encrypted in the bucket for a week, wherever who asks wants them, and no statement costs more than 1 USD', () => {
    const { Properties } = resource(operations, 'AWS::Athena::WorkGroup', 'Lake');
    expect(Properties).toMatchObject({
      Name: 'kairos-prod-insight',
      WorkGroupConfiguration: {
        EnforceWorkGroupConfiguration: true,
        BytesScannedCutoffPerQuery: 200_000_000_000,
        ResultConfiguration: { EncryptionConfiguration: { EncryptionOption: 'SSE_S3' } },
      },
    });
    const { ResultConfiguration } = Properties.WorkGroupConfiguration;
    expect(textOf(ResultConfiguration.OutputLocation)).toBe('s3://BUCKET/athena/');
    const bucket = resource(core, 'AWS::S3::Bucket', 'Bucket');
    expect(bucket.Properties.LifecycleConfiguration.Rules).toContainEqual({
      Id: 'answers-of-athena',
      Prefix: 'athena/',
      ExpirationInDays: 7,
      Status: 'Enabled',
    });
  });

  it('Lake6: the core stack knows nothing of it, and says its bucket under a name that the other asks for', () => {
    const types = Object.values(core.toJSON().Resources as Record<string, { Type: string }>).map(({ Type }) => Type);
    expect(types.filter((type) => /Glue|Athena/.test(type))).toEqual([]);
    const { Properties } = resource(core, 'AWS::SSM::Parameter', 'BucketParameter');
    const asked = Object.values(
      operations.toJSON().Parameters as Record<string, { Type: string; Default: string }>,
    ).filter(({ Type }) => Type === 'AWS::SSM::Parameter::Value<String>');
    expect(asked.map(({ Default }) => Default)).toContain(Properties.Name);
  });

  it('Lake7: cdk-nag finds nothing in the operational stack', () => {
    const app = new App();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    const stack = new OperationsStack(app, readSettings(CONTEXT.prod));
    expect(() => app.synth()).not.toThrow();
    expect(Stack.of(stack).stackName).toBe('KairosOperations-prod');
  });
});
