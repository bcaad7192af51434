// A stage in an operator's hands: its table, book, queues, bus and SES, its clock, and the name of who acts.
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { S3Client } from '@aws-sdk/client-s3';
import { SESv2Client } from '@aws-sdk/client-sesv2';
import { SQSClient } from '@aws-sdk/client-sqs';
import { STSClient } from '@aws-sdk/client-sts';
import { type Book, type Controls, compileBook, type Definitions, emptyBook } from '../domain/book.ts';
import { KairosError, suggest } from '../domain/fault.ts';
import { type Bucket, type Files, S3Bucket } from '../functions/aws/bucket.ts';
import { Bus, type BusEvent } from '../functions/aws/bus.ts';
import { readControls } from '../functions/aws/controls.ts';
import { readableModels } from '../functions/aws/model-store.ts';
import { key, type Table } from '../functions/aws/table.ts';
import { clockOf, type FindOptions, findTarget, output, type Target } from './outputs.ts';
import { personName } from './person-name.ts';
import { clientConfig, tableOf } from './publish.ts';

/** What commands act on. Clients are made once, and reach the stage whatever this process's environment says. */
export interface Stage {
  target: Target;
  table: Table;
  bucket: Bucket;
  /** The same bucket, for who lists it and takes objects away. */
  files: Files;
  s3: S3Client;
  sqs: SQSClient;
  ses: SESv2Client;
  bus: Pick<Bus, 'put'>;
  now: () => number;
  /** Who acts; asked once. Throws KairosError `person.unknown`. */
  who: () => Promise<string>;
  /** Lines for people. */
  say: (line: string) => void;
  /** Warnings, and what is not part of an answer in JSON. */
  warn: (line: string) => void;
}

/** How each command names the stage. */
export const STAGE_OPTION = ['--stage <stage>', 'laptop, dev, staging or prod; by default the running laptop'] as const;

/** Opens a stage for a command. */
export async function openStage(options: FindOptions = {}): Promise<Stage> {
  const target = await findTarget(options);
  return holdStage(target, await clockOf(target));
}

/** A stage whose target and clock are known. */
export function holdStage(target: Target, now: () => number): Stage {
  const s3 = new S3Client({ forcePathStyle: true, ...clientConfig(target, 'S3') });
  const files = new S3Bucket(output(target, 'BucketName'), s3);
  let name: Promise<string> | undefined;
  return {
    target,
    table: tableOf(target),
    bucket: files,
    files,
    s3,
    sqs: new SQSClient(clientConfig(target, 'SQS')),
    ses: new SESv2Client(clientConfig(target, 'SESV2')),
    bus: new Bus(output(target, 'BusName'), new EventBridgeClient(clientConfig(target, 'EVENTBRIDGE'))),
    now,
    who: () => {
      name ??= personName(target, new STSClient(clientConfig(target, 'STS')));
      return name;
    },
    say: (line) => console.log(line),
    warn: (line) => console.error(line),
  };
}

/** Book and controls as they stand now; the empty book where nothing is published. */
export async function readBook({ table, bucket }: Pick<Stage, 'table' | 'bucket'>): Promise<Book> {
  const found = await table.read([key.pointer(), key.controls()]);
  const controls = readControls(found.get(key.controls()));
  const hash = found.get(key.pointer())?.hash as string | undefined;
  const models = await readableModels(table, bucket);
  const text = hash === undefined ? undefined : await bucket.get(`books/${hash}.json`);
  if (hash === undefined || text === undefined) return { ...emptyBook(), controls };
  return compileBook(JSON.parse(text) as Definitions, hash, controls, models);
}

/** An earlier book by its hash; undefined where it is not in the bucket. */
export async function openBook({ bucket }: Pick<Stage, 'bucket'>, hash: string): Promise<Book | undefined> {
  const text = await bucket.get(`books/${hash}.json`);
  return text === undefined
    ? undefined
    : compileBook(JSON.parse(text) as Definitions, hash, { paused: {}, filled: Number.MAX_SAFE_INTEGER });
}

/** The controls alone. */
export async function controlsOf({ table }: Pick<Stage, 'table'>): Promise<Controls> {
  return readControls(await table.readOne(key.controls()));
}

/** Throws KairosError `campaign.unknown` for a campaign that neither the book, nor a retired version, nor a pause names. */
export function checkCampaign(
  campaign: string,
  { definitions, controls }: Pick<Book, 'definitions' | 'controls'>,
): void {
  const known = [
    ...Object.keys(definitions.campaigns),
    ...Object.values(definitions.retired).map(({ id }) => id),
    ...Object.keys(controls.paused),
  ];
  if (known.includes(campaign)) return;
  const remedy = known.length === 0 ? 'Nothing is published yet: npx kairos publish.' : suggest(campaign, known);
  throw new KairosError({
    code: 'campaign.unknown',
    path: campaign,
    message: 'There is no campaign of this name.',
    received: campaign,
    ...(remedy !== undefined && { remedy }),
  });
}

/** Throws KairosError `campaign.unknown` for a campaign that the book does not hold: what is only paused or retired has no rules. */
export function checkPublished(
  campaign: string,
  { definitions, controls }: Pick<Book, 'definitions' | 'controls'>,
): void {
  checkCampaign(campaign, {
    definitions: { ...definitions, retired: {} },
    controls: { ...controls, paused: {} },
  });
}

/** Says something on the bus. What was done stands without it, so a bus that refuses is a warning. */
export async function tellBus({ bus, warn }: Pick<Stage, 'bus' | 'warn'>, event: BusEvent): Promise<boolean> {
  try {
    if ((await bus.put([event])) === 0) return true;
    warn(`EventBridge did not take "${event.detailType}": it is done, but listeners do not hear of it.`);
  } catch (error) {
    warn(`"${event.detailType}" could not be put on the bus (${(error as Error).name}): it is done all the same.`);
  }
  return false;
}

/** How long ago or how long, in the two greatest parts at most: `3 days`, `2 h 10 min`, `40 s`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

/** An instant as operators write it down: UTC to the minute. */
export const stamp = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** Shows how far a long work is, on one line of a terminal's stderr; silent elsewhere. */
export function progressLine(what: string): { at: (done: number, of?: number) => void; end: () => void } {
  const { stderr } = process;
  let last = 0;
  let drawn = false;
  return {
    at(done, of) {
      if (!stderr.isTTY || performance.now() - last < 100) return;
      last = performance.now();
      drawn = true;
      stderr.write(
        `\r\u001b[2K${what}: ${done.toLocaleString('en')}${of === undefined ? '' : ` of ${of.toLocaleString('en')}`}`,
      );
    },
    end() {
      if (drawn) stderr.write('\r\u001b[2K');
    },
  };
}

/** An operator may do a great deal at once only after saying so. Throws KairosError `many.ask`. */
export function askForMany(many: number, what: string, yes: boolean | undefined): void {
  if (many <= MOST_UNASKED || yes === true) return;
  throw new KairosError({
    code: 'many.ask',
    path: '',
    message: `This would ${what}: nothing was done.`,
    remedy: 'Add --yes if that is meant.',
  });
}
const MOST_UNASKED = 100;
