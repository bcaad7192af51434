// Publishes templates: the whole book under its hash to the bucket, the pointer moved, the roster walked. Or nothing.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import {
  campaignVersion,
  compileBook,
  type Definitions,
  type PublishedCampaign,
  segmentMeaning,
  segmentsOfCampaign,
} from '../domain/book.ts';
import { sendsOf } from '../domain/draft.ts';
import { type Fault, KairosError } from '../domain/fault.ts';
import { sha256 } from '../domain/interaction.ts';
import { canonical } from '../domain/canonical.ts';
import { type Pointer, readControls } from '../functions/aws/book-store.ts';
import { type Bucket, S3Bucket } from '../functions/aws/bucket.ts';
import { Queue } from '../functions/aws/queue.ts';
import { rosterSteps } from '../functions/aws/roster.ts';
import { documentClient, key, Table } from '../functions/aws/table.ts';
import { output, type Target } from './outputs.ts';
import { buildTemplates, readTemplates, type Templates } from './templates-folder.ts';

/** Where a book is published to, and how its backfill is started. */
export interface Shelf {
  table: Table;
  bucket: Bucket;
  queue: Pick<Queue, 'send'>;
  rosterQueueUrl: string;
}

/** What a publish did. */
export interface Published {
  hash: string;
  ordinal: number;
  /** False when the very same book stood there already. */
  changed: boolean;
  segments: number;
  campaigns: { id: string; change: 'new' | 'changed' | 'same' }[];
  /** Campaigns of the book before that are gone; their runs go on to their end. */
  gone: string[];
  emails: number;
  locales: string[];
  warnings: Fault[];
}

interface StoredPointer extends Pointer {
  by?: string;
  segmentsUsed?: number;
}

/**
 * The definitions that follow on `before`: ordinals of segments kept and never reused, `since` of what stayed as it was
 * kept, versions that runs may be pinned to kept in `retired` with the e-mails they send. Pure.
 */
export function bind(
  { draft, emails, pages }: Pick<Templates, 'draft' | 'emails' | 'pages'>,
  before: Definitions | undefined,
  segmentsUsed: number,
): { definitions: Definitions; segmentsUsed: number } {
  const ordinal = (before?.ordinal ?? 0) + 1;
  let used = Math.max(segmentsUsed, ...Object.values(before?.segments ?? {}).map((segment) => segment.ordinal), 0);
  const meaning = (id: string, from: Pick<Definitions, 'segments' | 'settings' | 'catalogue' | 'fields'>): string => {
    const rule = segmentMeaning(id, from.segments);
    // What a rule says of money and of catalogue.* rests on more than its own words.
    const around = rule.includes('"catalogue.') ? from.catalogue : undefined;
    return canonical({ rule, around, currency: from.settings.currency, events: from.fields.events });
  };
  const now = { ...draft, segments: draft.segments as Definitions['segments'] };
  const segments: Definitions['segments'] = {};
  for (const [id, { $schema, ...segment }] of Object.entries(draft.segments)) {
    const known = before?.segments[id];
    const stays = before !== undefined && known !== undefined && meaning(id, before) === meaning(id, now);
    if (known === undefined) used += 1;
    segments[id] = { ...segment, ordinal: known?.ordinal ?? used, since: stays ? known.since : ordinal };
  }
  const campaigns: Definitions['campaigns'] = {};
  for (const [id, { $schema, ...campaign }] of Object.entries(draft.campaigns)) {
    const version = campaignVersion(campaign);
    const known = before?.campaigns[id];
    const reads = segmentsOfCampaign(campaign);
    const stays = known?.version === version && reads.every((read) => (segments[read]?.since ?? 0) <= known.since);
    campaigns[id] = { id, version, since: stays ? known.since : ordinal, campaign };
  }
  const retired: Definitions['retired'] = {};
  for (const one of [...Object.values(before?.retired ?? {}), ...Object.values(before?.campaigns ?? {})]) {
    if (campaigns[one.id]?.version !== one.version) retired[`${one.id}@${one.version}`] = one;
  }
  const kept = Object.values(retired).flatMap((one: PublishedCampaign) =>
    sendsOf(one.campaign.steps).map((step) => step.send),
  );
  const sources: Definitions['emails'] = { ...emails };
  for (const name of kept) {
    const old = before?.emails[name];
    if (sources[name] === undefined && old !== undefined) sources[name] = old;
  }
  const { $schema: _settings, ...settings } = draft.settings;
  const { $schema: _catalogue, ...catalogue } = draft.catalogue;
  const { $schema: _fields, ...fields } = draft.fields;
  const definitions: Definitions = {
    shape: 1,
    ordinal,
    settings,
    segments,
    campaigns,
    retired,
    emails: sources,
    pages,
    catalogue,
    fields,
  };
  return { definitions, segmentsUsed: used };
}

/** The definitions without what a publish itself adds: equal texts are the same book. */
function said({ ordinal, segments, campaigns, ...rest }: Definitions): string {
  const bare = <T extends { since: number }>(each: Record<string, T>) =>
    Object.fromEntries(Object.entries(each).map(([id, { since, ...one }]) => [id, one]));
  return canonical({ ...rest, segments: bare(segments), campaigns: bare(campaigns) });
}

/**
 * Puts a book on the shelf and moves the pointer to it, if it is still the one that this book was made to follow; then
 * posts the first page of every roster shard. Nothing changes where the same book stands there already, except that a
 * backfill that has not ended is started again. Throws KairosError `publish.conflict` when somebody was faster.
 */
export async function publish(
  templates: Templates,
  shelf: Shelf,
  { by, now }: { by: string; now: number },
): Promise<Published> {
  const { table, bucket } = shelf;
  const found = await table.read([key.pointer(), key.controls()]);
  const pointer = found.get(key.pointer()) as (StoredPointer & Record<string, unknown>) | undefined;
  const controls = readControls(found.get(key.controls()));
  const before = pointer === undefined ? undefined : await readBook(bucket, pointer.hash);
  const { definitions, segmentsUsed } = bind(templates, before, pointer?.segmentsUsed ?? 0);
  const { draft, warnings } = templates;
  const told = (hash: string, ordinal: number, changed: boolean): Published => ({
    hash,
    ordinal,
    changed,
    segments: Object.keys(definitions.segments).length,
    campaigns: Object.values(definitions.campaigns).map(({ id, version }) => {
      const was = before?.campaigns[id];
      return { id, change: was === undefined ? 'new' : was.version === version ? 'same' : 'changed' };
    }),
    gone: Object.keys(before?.campaigns ?? {}).filter((id) => definitions.campaigns[id] === undefined),
    emails: Object.keys(templates.emails).length,
    locales: draft.settings.locales,
    warnings,
  });
  if (before !== undefined && pointer !== undefined && said(before) === said(definitions)) {
    if (controls.filled < pointer.ordinal) await startFill(shelf, pointer.hash, pointer.ordinal);
    return told(pointer.hash, pointer.ordinal, false);
  }
  const text = canonical(definitions);
  const hash = sha256(text);
  compileBook(definitions, hash, controls);
  await bucket.put(`books/${hash}.json`, text, 'application/json');
  const moved = await table.update(key.pointer(), {
    UpdateExpression:
      'SET #hash = :hash, #ordinal = :ordinal, publishedAt = :now, #by = :by, segmentsUsed = :used, #shape = :shape',
    ConditionExpression: pointer === undefined ? 'attribute_not_exists(pk)' : '#hash = :before',
    ExpressionAttributeNames: { '#hash': 'hash', '#ordinal': 'ordinal', '#by': 'by', '#shape': 'shape' },
    ExpressionAttributeValues: {
      ':hash': hash,
      ':ordinal': definitions.ordinal,
      ':now': now,
      ':by': by,
      ':used': segmentsUsed,
      ':shape': 1,
      ...(pointer === undefined ? {} : { ':before': pointer.hash }),
    },
  });
  if (!moved) {
    throw new KairosError({
      code: 'publish.conflict',
      path: '',
      message: 'Somebody else published in the meantime: nothing was changed.',
      remedy: 'Fetch their templates, and publish again.',
    });
  }
  await startFill(shelf, hash, definitions.ordinal);
  return told(hash, definitions.ordinal, true);
}

async function startFill({ table, queue, rosterQueueUrl }: Shelf, hash: string, ordinal: number): Promise<void> {
  await queue.send(rosterQueueUrl, rosterSteps(hash, ordinal, table.shards));
}

async function readBook(bucket: Bucket, hash: string): Promise<Definitions> {
  const text = await bucket.get(`books/${hash}.json`);
  if (text !== undefined) return JSON.parse(text) as Definitions;
  throw new KairosError({
    code: 'publish.no-book',
    path: `books/${hash}.json`,
    message: 'The published book is not in the bucket.',
    remedy: 'Restore this object from an older version of the bucket, then publish again.',
  });
}

/** How far the backfill of a book is. */
export interface Filling {
  shards: number;
  shardsDone: number;
  contacts: number;
  done: boolean;
}

/** Reads how far the backfill of a book is. A newer book's fill covers it. */
export async function readFilling(table: Table, ordinal: number): Promise<Filling> {
  const marks = await table.under(key.fill(ordinal, '').pk, key.fill(ordinal, '').sk);
  const controls = readControls(await table.readOne(key.controls()));
  return {
    shards: table.shards,
    shardsDone: marks.filter((mark) => mark.done === true).length,
    contacts: marks.reduce((sum, mark) => sum + Number(mark.walked ?? 0), 0),
    done: controls.filled >= ordinal,
  };
}

/** Waits until the campaigns of a book are live. Throws KairosError `publish.slow` when nothing moves for two minutes. */
export async function waitForFill(
  table: Table,
  ordinal: number,
  onProgress: (filling: Filling) => void = () => {},
  pause = 500,
): Promise<Filling> {
  let moved = Date.now();
  let last = '';
  for (;;) {
    const filling = await readFilling(table, ordinal);
    onProgress(filling);
    if (filling.done) return filling;
    const seen = JSON.stringify(filling);
    if (seen !== last) moved = Date.now();
    else if (Date.now() - moved > 120_000) {
      throw new KairosError({
        code: 'publish.slow',
        path: `${filling.shardsDone}/${filling.shards}`,
        message: 'The book is published, but the walk over all contacts does not move.',
        remedy:
          'New campaigns start when it has ended. Look at the dead letters of the roster queue; publish again to start it anew.',
      });
    }
    last = seen;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

type Service = 'DYNAMODB' | 'EVENTBRIDGE' | 'S3' | 'SECRETS_MANAGER' | 'SESV2' | 'SQS' | 'STS';

/** SDK configuration that reaches a target without touching this process's environment. */
export function clientConfig(target: Pick<Target, 'env'>, service: Service): Record<string, unknown> {
  const { env } = target;
  const endpoint = env[`AWS_ENDPOINT_URL_${service}`] ?? env.AWS_ENDPOINT_URL;
  const region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION;
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = env;
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }),
  };
}

/** The table of a target. The number of shards is the deployment's: DUE_SHARDS. */
export function tableOf(target: Target): Table {
  const said = target.outputs.DueShards ?? target.env.DUE_SHARDS;
  const shards = said === undefined ? (target.stage === 'laptop' ? 2 : 32) : Number(said);
  const client = new DynamoDBClient(clientConfig(target, 'DYNAMODB'));
  return new Table(documentClient(client), output(target, 'TableName'), shards);
}

/** Table, bucket and roster queue of a target. */
export function shelfOf(target: Target): Shelf {
  return {
    table: tableOf(target),
    bucket: new S3Bucket(
      output(target, 'BucketName'),
      new S3Client({ forcePathStyle: true, ...clientConfig(target, 'S3') }),
    ),
    queue: new Queue(new SQSClient(clientConfig(target, 'SQS'))),
    rosterQueueUrl: output(target, 'RosterQueueUrl'),
  };
}

/**
 * Reads, checks and publishes a folder of templates to a target. `by` is written down as who published; `wait` waits
 * for the walk over all contacts. Throws TemplatesRefused with every fault, or KairosError.
 */
export async function publishFolder(
  folder: string,
  target: Omit<Target, 'stage'> & { stage?: string },
  options: { by?: string; now?: number; wait?: boolean; onProgress?: (filling: Filling) => void } = {},
): Promise<Published> {
  const templates = await buildTemplates(await readTemplates(folder));
  const shelf = shelfOf({ stage: 'laptop', ...target });
  const published = await publish(templates, shelf, { by: options.by ?? 'laptop', now: options.now ?? Date.now() });
  if (options.wait === true) await waitForFill(shelf.table, published.ordinal, options.onProgress, 100);
  return published;
}
