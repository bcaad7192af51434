// Publishes templates: the whole book under its hash to the bucket, the pointer moved, the roster walked. Or nothing.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import {
  allSegments,
  type Book,
  campaignVersion,
  compileBook,
  type Definitions,
  segmentMeaning,
  segmentsOfCampaign,
} from '../domain/book.ts';
import type { Campaign } from '../domain/campaign-grammar.ts';
import { eachStep } from '../domain/campaign-parts.ts';
import { canonical } from '../domain/canonical.ts';
import type { PublishedCampaign } from '../domain/compiled-campaign.ts';
import { sendsOf, variantsOf } from '../domain/draft.ts';
import { type Fault, KairosError } from '../domain/fault.ts';
import { sha256 } from '../domain/interaction.ts';
import { stepsWithoutPlace } from '../domain/move.ts';
import { reachOf } from '../domain/reach.ts';
import { ofVariant, variantName } from '../domain/render.ts';
import { sayStep } from '../domain/say-campaign.ts';
import { tierOf, tierSegment } from '../domain/tiers.ts';
import type { Pointer } from '../functions/aws/book-store.ts';
import { type Bucket, S3Bucket } from '../functions/aws/bucket.ts';
import { readControls } from '../functions/aws/controls.ts';
import { writeDimensions } from '../functions/aws/lake-dimensions.ts';
import { readableModels } from '../functions/aws/model-store.ts';
import { Queue } from '../functions/aws/queue.ts';
import { rosterSteps, SETTLE_SECONDS } from '../functions/aws/roster.ts';
import { documentClient, key, Table } from '../functions/aws/table.ts';
import { type Filling, readFilling, type WalkPlan, writePlan } from './filling.ts';
import { output, type Target } from './outputs.ts';
import { type Reached, reachedOf, readRate } from './reach-rate.ts';
import { rehearseBook, type Sample, type SegmentChange, sampleContacts } from './sample.ts';
import { buildFolder, type Templates, TemplatesRefused } from './templates-folder.ts';

/** Where a book is published to, and how its backfill is started. */
export interface Shelf {
  table: Table;
  bucket: Bucket;
  queue: Pick<Queue, 'send'>;
  rosterQueueUrl: string;
  /** Contacts a second at which the deployment walks all of them; absent where its stack does not say. */
  rate?: number;
  /** What the deployment may send, as far as its stack says. */
  outputs?: Target['outputs'];
}

/** What a publish did. */
export interface Published {
  hash: string;
  ordinal: number;
  /** False when the very same book stood there already. */
  changed: boolean;
  segments: number;
  /** Segments that this book fills anew, and how many of the sample are in each. */
  segmentChanges: SegmentChange[];
  /** Contacts that the book was tried with before it was published. */
  sampled: number;
  /** Of broadcasts that are new or changed: whom each would reach, by the sample. */
  reaches: Reached[];
  /** About how many contacts there are, where they were counted. */
  contacts?: Pick<Sample, 'contacts' | 'exact'>;
  campaigns: { id: string; change: 'new' | 'changed' | 'same' }[];
  /** Campaigns that say what they said, and wait all the same: what they read has changed. */
  waiting: string[];
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

/** What the rules of segments and tiers rest on. */
type Meant = Pick<Definitions, 'segments' | 'settings' | 'catalogue' | 'fields' | 'loyalty'>;

/**
 * The definitions that follow on `before`: ordinals of segments kept and never reused, `since` of what stayed as it was
 * kept, versions that runs may be pinned to kept in `retired` with the e-mails they send. Pure.
 */
export function bind(
  { draft, emails, images, pages }: Pick<Templates, 'draft' | 'emails' | 'images' | 'pages'>,
  before: Definitions | undefined,
  segmentsUsed: number,
): { definitions: Definitions; segmentsUsed: number } {
  const ordinal = (before?.ordinal ?? 0) + 1;
  let used = Math.max(segmentsUsed, ...Object.values(before?.segments ?? {}).map((segment) => segment.ordinal), 0);
  const meaning = (id: string, from: Meant): string => {
    const rule = segmentMeaning(id, allSegments(from.segments, from.loyalty) as Definitions['segments']);
    const { currency, zone, brands } = from.settings;
    // What a rule says of money, of days, of consent and of catalogue.* rests on more than its own words.
    const around = rule.includes('"catalogue.') ? from.catalogue : undefined;
    const brand = rule.includes('"consent"') ? Object.keys(brands)[0] : undefined;
    return canonical({ rule, around, brand, currency, zone, events: from.fields.events });
  };
  const { loyalty: asked, ...rest } = draft;
  const now: Meant = {
    ...rest,
    segments: draft.segments as Definitions['segments'],
    ...(asked !== undefined && { loyalty: asked as NonNullable<Definitions['loyalty']> }),
  };
  const loyalty = bindTiers(now, before, ordinal, meaning);
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
    const reads = segmentsOfCampaign(campaign, loyalty);
    const since = (read: string): number =>
      segments[read]?.since ?? (tierOf(read) === undefined ? undefined : loyalty?.tiers[0]?.since) ?? 0;
    const stays = known?.version === version && reads.every((read) => since(read) <= known.since);
    campaigns[id] = { id, version, since: stays ? known.since : ordinal, campaign };
  }
  const retired: Definitions['retired'] = {};
  for (const one of [...Object.values(before?.retired ?? {}), ...Object.values(before?.campaigns ?? {})]) {
    if (campaigns[one.id]?.version !== one.version) retired[`${one.id}@${one.version}`] = one;
  }
  const sources: Definitions['emails'] = { ...emails };
  const live = namesOf(Object.values(campaigns));
  for (const name of namesOf(Object.values(retired))) {
    // A variant that live campaigns name, and that has no texts any more, is the e-mail as it is.
    if (live.has(name)) continue;
    const old = before?.emails[name];
    if (sources[name] === undefined && old !== undefined) sources[name] = old;
  }
  const { $schema: _settings, ...settings } = draft.settings;
  const { $schema: _catalogue, ...catalogue } = draft.catalogue;
  const { $schema: _fields, ...fields } = draft.fields;
  const { $schema: _coupons, ...coupons } = draft.coupons;
  const definitions: Definitions = {
    shape: 1,
    ordinal,
    settings,
    segments,
    ...(loyalty !== undefined && { loyalty }),
    campaigns,
    retired,
    emails: sources,
    pages,
    catalogue,
    fields,
    ...(Object.keys(coupons.pools).length > 0 && { coupons }),
    ...(images.size > 0 && { images: Object.fromEntries([...images].map(([file, { name }]) => [file, name])) }),
  };
  return { definitions, segmentsUsed: used };
}

/** Tiers that mean what they meant stand since then; where one is another, or another is above it, all are new. */
function bindTiers(
  now: Meant,
  before: Definitions | undefined,
  ordinal: number,
  meaning: (id: string, from: Meant) => string,
): Definitions['loyalty'] {
  if (now.loyalty === undefined) return undefined;
  const known = before?.loyalty?.tiers ?? [];
  const text = (from: Meant): string =>
    canonical((from.loyalty?.tiers ?? []).map(({ id }) => [id, meaning(tierSegment(id), from)]));
  const stays = before !== undefined && known.length > 0 && text(before) === text(now);
  const since = stays ? (known[0]?.since ?? ordinal) : ordinal;
  const { title, tiers } = now.loyalty;
  return { ...(title !== undefined && { title }), tiers: tiers.map((tier) => ({ ...tier, since })) };
}

/** Names under which e-mails of these campaigns may be compiled, those of their variants among them. */
function namesOf(campaigns: PublishedCampaign[]): Set<string> {
  const sends = campaigns.flatMap(({ campaign }) => sendsOf(campaign.steps));
  return new Set(
    sends.flatMap((step) => [step.send, ...variantsOf(step).map((variant) => variantName(step.send, variant))]),
  );
}

/** The definitions without what a publish itself adds: equal texts are the same book. */
function said({ ordinal, segments, campaigns, loyalty, ...rest }: Definitions): string {
  const bare = <T extends { since: number }>(each: Record<string, T>) =>
    Object.fromEntries(Object.entries(each).map(([id, { since, ...one }]) => [id, one]));
  const tiers = loyalty === undefined ? {} : { ...loyalty, tiers: loyalty.tiers.map(({ since, ...tier }) => tier) };
  return canonical({ ...rest, loyalty: tiers, segments: bare(segments), campaigns: bare(campaigns) });
}

/** What these templates would be published as: definitions that follow on the published ones. */
async function follow(templates: Templates, { table, bucket }: Pick<Shelf, 'table' | 'bucket'>) {
  const found = await table.read([key.pointer(), key.controls()]);
  const pointer = found.get(key.pointer()) as (StoredPointer & Record<string, unknown>) | undefined;
  const controls = readControls(found.get(key.controls()));
  const before = pointer === undefined ? undefined : await readBook(bucket, pointer.hash);
  const models = await readableModels(table, bucket);
  return { pointer, controls, before, models, ...bind(templates, before, pointer?.segmentsUsed ?? 0) };
}

/** The book that these templates would be published as, compiled; nothing is written. */
export async function candidateBook(templates: Templates, shelf: Pick<Shelf, 'table' | 'bucket'>): Promise<Book> {
  const { definitions, controls, models } = await follow(templates, shelf);
  return compileBook(definitions, sha256(canonical(definitions)), controls, models);
}

/**
 * Tries a book with a sample of the contacts, puts it on the shelf and moves the pointer to it, if it is still the one
 * that this book was made to follow; then opens every shard of the roster. Nothing changes where the same book stands
 * there already, except that a backfill that has not ended goes on; nor with `preview`, which ends before it writes.
 * Throws KairosError `publish.sample` when the book cannot be decided over somebody, `publish.conflict` when somebody
 * else was faster.
 */
export async function publish(
  templates: Templates,
  shelf: Shelf,
  { by, now, preview = false }: { by: string; now: number; preview?: boolean },
): Promise<Published> {
  const { table, bucket } = shelf;
  const { pointer, controls, before, models, definitions, segmentsUsed } = await follow(templates, shelf);
  const { draft, warnings } = templates;
  const told = (hash: string, ordinal: number, changed: boolean): Published => ({
    hash,
    ordinal,
    changed,
    segments: Object.keys(definitions.segments).length,
    segmentChanges: [],
    sampled: 0,
    reaches: [],
    campaigns: Object.values(definitions.campaigns).map(({ id, version }) => {
      const was = before?.campaigns[id];
      return { id, change: was === undefined ? 'new' : was.version === version ? 'same' : 'changed' };
    }),
    waiting: Object.values(definitions.campaigns)
      .filter(({ id, version, since }) => before?.campaigns[id]?.version === version && since === definitions.ordinal)
      .map(({ id }) => id),
    gone: Object.keys(before?.campaigns ?? {}).filter((id) => definitions.campaigns[id] === undefined),
    emails: Object.keys(templates.emails).filter((name) => ofVariant(name).variant === undefined).length,
    locales: draft.settings.locales,
    warnings,
  });
  if (before !== undefined && pointer !== undefined && said(before) === said(definitions)) {
    const { hash, ordinal } = pointer;
    // A publish that broke off may have left the files of the book before.
    if (!preview) await writeDimensions(bucket, before);
    if (controls.filled < ordinal && !preview) {
      const [{ contacts: from }, { contacts }] = await Promise.all([
        readFilling(table, ordinal),
        sampleContacts(table, 0),
      ]);
      await startFill(shelf, hash, ordinal, { contacts, ...rated(shelf), startedAt: now, from });
    }
    return told(hash, ordinal, false);
  }
  const text = canonical(definitions);
  const hash = sha256(text);
  const book = compileBook(definitions, hash, controls, models);
  const unmoved = faultsOfMoves(book, before);
  if (unmoved.length > 0) throw new TemplatesRefused(unmoved);
  const { ids, contacts, exact } = await sampleContacts(table);
  const { sampled, segments, reaches } = await rehearseBook(book, before, ids, { table, bucket, now });
  const rate = await readRate(shelf, table, now);
  const seen: Published = {
    ...told(hash, definitions.ordinal, true),
    segmentChanges: segments,
    sampled,
    reaches: reaches.map(({ campaign, answers }) =>
      reachedOf(book, campaign, reachOf(answers, { contacts, exact }), { now, rate }),
    ),
    contacts: { contacts, exact },
  };
  if (preview) return seen;
  const there = new Set(Object.values(before?.images ?? {}));
  for (const { name, body, type } of templates.images.values()) {
    if (!there.has(name)) await bucket.put(`images/${name}`, body, type);
  }
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
  await writeDimensions(bucket, definitions);
  await startFill(shelf, hash, definitions.ordinal, { contacts, ...rated(shelf), startedAt: now, from: 0 });
  return seen;
}

/** Campaigns that move their runs to a version in which these would not know where they stand. */
function faultsOfMoves(book: Book, before: Definitions | undefined): Fault[] {
  return book.campaigns.flatMap((campaign) => {
    const was = before?.campaigns[campaign.id];
    const old = was === undefined ? undefined : book.version.get(`${was.id}@${was.version}`);
    if (campaign.campaign.onNewVersion !== 'move' || old === undefined || old.version === campaign.version) return [];
    return stepsWithoutPlace(old.program, campaign.program).map((step) => ({
      code: 'campaign.move',
      file: `campaigns/${campaign.id}.json`,
      path: 'onNewVersion',
      message: `runs may stand at step ${step} of the published version (${sayStepAt(old.campaign, step)}), which this one does not have.`,
      remedy: 'Keep that step, or write "finish" (they end in their own version) or "stop".',
    }));
  });
}

/** A step of a campaign in words, by its path: "2.then.0". */
function sayStepAt({ steps }: Campaign, path: string): string {
  const found = eachStep(steps).find((one) => one.path.join('.') === path);
  return found === undefined ? 'a step' : sayStep(found.step);
}

const rated = ({ rate }: Shelf): Pick<WalkPlan, 'rate'> => (rate === undefined ? {} : { rate });
/** Seconds. */
const PLANS_KEPT = 90 * 86_400;

/** Opens every shard; one that was walked in part goes on at its checkpoint. */
async function startFill(shelf: Shelf, hash: string, ordinal: number, plan: WalkPlan): Promise<void> {
  const { table, queue, rosterQueueUrl } = shelf;
  await writePlan(table, ordinal, plan, Math.floor(plan.startedAt / 1000) + PLANS_KEPT);
  await queue.send(rosterQueueUrl, rosterSteps(hash, ordinal, table.shards), SETTLE_SECONDS);
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

/** A page that failed comes again after six minutes; at the slowest rate pages are 15 minutes apart. */
const STANDSTILL = 20 * 60_000;

/** Waits until the campaigns of a book are live. Throws KairosError `publish.slow` when nothing moves for 20 minutes. */
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
    else if (Date.now() - moved > STANDSTILL) {
      throw new KairosError({
        code: 'publish.slow',
        path: `${filling.shardsDone}/${filling.shards}`,
        message: 'The book is published, but the walk over all contacts does not move.',
        remedy:
          'New campaigns start when it has ended. Look at the dead letters of the roster queue; publish again to go on with it.',
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
    // A stack of an earlier release does not say it.
    ...(target.outputs.BackfillRate !== undefined && { rate: Number(target.outputs.BackfillRate) }),
    outputs: target.outputs,
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
  const templates = await buildFolder(folder);
  const shelf = shelfOf({ stage: 'laptop', ...target });
  const published = await publish(templates, shelf, { by: options.by ?? 'laptop', now: options.now ?? Date.now() });
  if (options.wait === true) await waitForFill(shelf.table, published.ordinal, options.onProgress, 100);
  return published;
}
