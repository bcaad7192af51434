// Where Athena finds the lake: a database with one external table for each of its tables, and a workgroup that asks them.
import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena';
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue';
import { Construct } from 'constructs';
import { LAKE_TABLES, type LakeTable, type TableName } from '../functions/aws/lake-tables.ts';
import { ATHENA_PREFIX, databaseName, LAKE_PREFIX, workgroupName } from './names.ts';
import type { Stage } from './settings.ts';

/** No file of any lake is older. */
const FIRST_DAY = '2026-01-01';
/** Bytes that one statement may read before Athena ends it: 1 USD at 5 USD a terabyte. */
const MOST_SCANNED = 200_000_000_000;

/** No crawler: columns are those of lake-tables.ts, and days are projected, so that a new day needs nobody. */
export class LakeTables extends Construct {
  /** @param bucket the name of the bucket, as text. */
  constructor(
    scope: Construct,
    id: string,
    { stage, account, bucket }: { stage: Stage; account: string; bucket: string },
  ) {
    super(scope, id);
    const database = new CfnDatabase(this, 'Database', {
      catalogId: account,
      databaseName: databaseName(stage),
      databaseInput: { name: databaseName(stage), description: `The lake of Kairos ${stage}` },
    });
    for (const [name, table] of Object.entries(LAKE_TABLES) as [TableName, LakeTable][]) {
      new CfnTable(this, name, {
        catalogId: account,
        databaseName: databaseName(stage),
        tableInput: tableOf(name, table, bucket),
      }).addResourceDependency(database);
    }
    new CfnWorkGroup(this, 'WorkGroup', {
      name: workgroupName(stage),
      description: `Statements over the lake of Kairos ${stage}`,
      state: 'ENABLED',
      // What it keeps is the history of statements, which nobody needs.
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: false,
        requesterPaysEnabled: false,
        bytesScannedCutoffPerQuery: MOST_SCANNED,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: `s3://${bucket}/${ATHENA_PREFIX}`,
          encryptionConfiguration: { encryptionOption: 'SSE_S3' },
        },
      },
    });
  }
}

function tableOf(name: string, { byDay, columns }: LakeTable, bucket: string): CfnTable.TableInputProperty {
  const location = `s3://${bucket}/${LAKE_PREFIX}${name}/`;
  return {
    name,
    tableType: 'EXTERNAL_TABLE',
    parameters: {
      EXTERNAL: 'TRUE',
      classification: 'json',
      compressionType: 'gzip',
      ...(byDay && {
        'projection.enabled': 'true',
        'projection.day.type': 'date',
        'projection.day.format': 'yyyy-MM-dd',
        'projection.day.range': `${FIRST_DAY},NOW`,
        'projection.day.interval': '1',
        'projection.day.interval.unit': 'DAYS',
        'storage.location.template': `${location}day=\${day}/`,
      }),
    },
    ...(byDay && { partitionKeys: [{ name: 'day', type: 'string' }] }),
    storageDescriptor: {
      columns: Object.entries(columns).map(([column, type]) => ({ name: column.toLowerCase(), type })),
      location,
      inputFormat: 'org.apache.hadoop.mapred.TextInputFormat',
      outputFormat: 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat',
      compressed: true,
      serdeInfo: {
        serializationLibrary: 'org.openx.data.jsonserde.JsonSerDe',
        parameters: {
          // With letters made small, "Gift" beside "gift" in an event's properties would end every statement.
          'case.insensitive': 'FALSE',
          'ignore.malformed.json': 'FALSE',
          ...Object.fromEntries(
            Object.keys(columns)
              .filter((column) => column !== column.toLowerCase())
              .map((column) => [`mapping.${column.toLowerCase()}`, column]),
          ),
        },
      },
    },
  };
}
