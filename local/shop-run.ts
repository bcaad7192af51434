// The whole run: the synthesised stack up, templates published, history imported, live events played, everything counted.
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { importCoupons } from '../cli/coupons.ts';
import { fileSize } from '../cli/import-csv.ts';
import { type Recorded, recordHistory } from '../cli/import-history.ts';
import { type OrdersFile, readMapping, readOrders } from '../cli/import-orders.ts';
import { openImport } from '../cli/import-target.ts';
import { output, type Target } from '../cli/outputs.ts';
import { clientConfig, publishFolder, shelfOf } from '../cli/publish.ts';
import { readBook } from '../cli/stage.ts';
import type { Definitions } from '../domain/book.ts';
import { poolsInUse } from '../domain/coupon.ts';
import { KairosError } from '../domain/fault.ts';
import { MODEL_PARTS, type ModelPart } from '../domain/insight/models.ts';
import { OrdersMapping } from '../domain/mapping.ts';
import type { ImportedEvent } from '../domain/mapping-events.ts';
import { Catalogue, Settings } from '../domain/settings.ts';
import { durationMs } from '../domain/time.ts';
import { currentModels } from '../functions/aws/model-store.ts';
import { type ModelsRun, readModelsRun } from '../functions/aws/models-run.ts';
import { documentClient, key } from '../functions/aws/table.ts';
import { Begins, earlier } from './begins.ts';
import type { EngineName } from './engine.ts';
import { type Laptop, startLaptop } from './laptop.ts';
import { SHOP_SOURCE, shopEvents } from './shop.ts';
import { countFigures, type Figures } from './shop-figures.ts';
import { playLive } from './shop-live.ts';
import { grouped, type Screen, sayDuration } from './shop-screen.ts';
import { synthesise } from './synth.ts';

export interface RunOptions {
  root: string;
  /** A CSV file in place of the demo shop, and how it is read. */
  orders?: { file: string; mapping: string; liveFrom?: string };
  seed: number;
  engine?: EngineName;
  port?: number;
  /** Real schedules go on after the run. */
  stays: boolean;
  /** Days of virtual time after the last event. */
  runOn: number;
}

export interface Run {
  laptop: Laptop;
  target: Target;
  definitions: Definitions;
  figures: Figures;
  deadLetters: number;
  /** Of a file: what was read and what was left out. */
  file?: OrdersFile;
  recorded: Recorded;
  /** `Authorization: Bearer` of a source that may say everything. */
  bearer: string;
  /** Something stayed due for many looks. */
  stuck: number;
  /** What the last night has come to, and the parts of models that stand. */
  insight?: { run: ModelsRun; parts: ModelPart[] };
}

const DAY = 86_400_000;
const MINUTE = 60_000;
const HISTORY_DAYS = 548;
/** The clock of a run jumps from one event to the next: models are fitted anew once in so many days. */
const NIGHTS = 28 * DAY;

/** The events of a run and the words around them. */
interface Script {
  title: string;
  source: string;
  history: ImportedEvent[];
  live: ImportedEvent[];
  /** Virtual instants: of the first live event, and of the end. */
  start: number;
  until: number;
  templates: (root: string) => { folder: string; clean: () => void };
  file?: OrdersFile;
}

/**
 * Runs everything and answers what the stack has stored; the laptop is still up and is the caller's to close. `started`
 * is called as soon as there is something to close. Throws KairosError.
 */
export async function runShop(options: RunOptions, screen: Screen, started: (laptop: Laptop) => void): Promise<Run> {
  const { root } = options;
  let time = Date.now();
  const lap = (): string => {
    const spent = sayDuration(Date.now() - time);
    time = Date.now();
    return spent;
  };
  const synthesising = synthesise(root);
  synthesising.catch(() => {});
  const script = options.orders === undefined ? demoScript(options) : await fileScript(options, options.orders, screen);
  screen.heading(script.title);
  screen.line();
  const { template, assets, fresh } = await synthesising;
  const laptop = await startLaptop({
    template,
    assets,
    start: script.start,
    quiet: true,
    pictures: join(root, 'templates', 'images'),
    live: options.stays,
    ...(options.engine === undefined ? {} : { engine: options.engine }),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  started(laptop);
  const target: Target = { stage: 'laptop', outputs: laptop.outputs, env: laptop.env };
  screen.done('Stack', `${fresh ? 'synthesised' : 'found'}, and running on ${laptop.engine} (${lap()})`);

  const bearer = await openDoor(target);
  const { folder, clean } = script.templates(root);
  const published = await publishFolder(folder, target, {
    by: 'npm start',
    now: laptop.clock.now(),
    wait: true,
  }).finally(clean);
  const { campaigns, segments, emails } = published;
  screen.done(
    'Templates',
    `published: ${campaigns.length} campaigns, ${segments} segments, ${emails} e-mails (${lap()})`,
  );
  const codes = await fillPools(target, script, () => laptop.clock.now());
  if (codes > 0) screen.done('Coupons', `${grouped(codes)} codes imported (${lap()})`);
  screen.done('Events', `taken from now on at ${eventsUrl(target)}`);

  const importing = openImport(target, () => laptop.clock.now());
  const recorded = await recordHistory(importing.recorder, script.history, script.source, {
    onProgress: (done) =>
      screen.progress(
        'History',
        done / script.history.length,
        `${grouped(done)} of ${grouped(script.history.length)} events`,
      ),
  });
  await laptop.idle();
  screen.done(
    'History',
    `${grouped(recorded.events)} events recorded${recorded.failed.count > 0 ? `, ${recorded.failed.count} FAILED` : ''} (${lap()})`,
  );
  for (const each of recorded.failed.first) screen.warn(each);

  await laptop.runNight();
  const first = await insightOf(target);
  if (first !== undefined) {
    const { customers, orders } = first.run;
    screen.done('Insight', `models of ${grouped(customers)} customers and ${grouped(orders)} orders (${lap()})`);
  }

  const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
  const begins = new Begins((await importing.books.current()).definitions, laptop.clock.now());
  const { stuck } = await playLive(stageOf(laptop, begins), script.live, {
    source: script.source,
    until: script.until,
    step: 15 * MINUTE,
    onProgress: (done, at) =>
      screen.progress(
        'Live',
        (at - script.start) / (script.until - script.start),
        `${day(at)}   ${grouped(done)} of ${grouped(script.live.length)} events   ${grouped(laptop.mailbox.count())} e-mails`,
      ),
  });
  await laptop.idle();
  await laptop.runNight();
  const insight = await insightOf(target);
  const days = Math.round((script.until - script.start) / DAY);
  screen.done(
    'Live',
    `${grouped(script.live.length)} events, ${days} days until ${day(script.until)}, ${grouped(laptop.mailbox.count())} e-mails (${lap()})`,
  );

  const { definitions } = await importing.books.current();
  const figures = await countFigures(
    documentClient(new DynamoDBClient(clientConfig(target, 'DYNAMODB'))),
    output(target, 'TableName'),
    definitions,
  );
  const deadLetters = (await laptop.deadLetters()).length;
  return {
    laptop,
    target,
    definitions,
    figures,
    deadLetters,
    recorded,
    bearer,
    stuck,
    ...(insight === undefined ? {} : { insight }),
    ...(script.file === undefined ? {} : { file: script.file }),
  };
}

/** What the last night has come to; undefined where it failed, or there was none. */
async function insightOf(target: Target): Promise<Run['insight']> {
  const { table, bucket } = shelfOf(target);
  const run = readModelsRun(await table.readOne(key.modelsRun()));
  if (run === undefined || run.failed !== undefined) return undefined;
  const models = (await currentModels(table, bucket))?.models;
  return { run, parts: MODEL_PARTS.filter((part) => models?.[part] !== undefined) };
}

/** Codes for everybody in each pool that a campaign gives of, as a shop would import them. Answers how many. */
async function fillPools(target: Target, { history, live }: Script, now: () => number): Promise<number> {
  const shelf = shelfOf(target);
  const { definitions } = await readBook(shelf);
  const people = new Set([...history, ...live].map(({ detail }) => detail.userId)).size;
  const folder = mkdtempSync(join(tmpdir(), 'kairos-codes-'));
  let imported = 0;
  try {
    for (const pool of poolsInUse(definitions)) {
      const file = join(folder, `${pool}.csv`);
      const codes = Array.from({ length: people + 100 }, (_, n) => `${pool}-${String(n + 1).padStart(5, '0')}`);
      writeFileSync(file, ['code', ...codes].join('\n'));
      imported += (await importCoupons(file, pool, { ...shelf, now, warn() {} })).imported;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return imported;
}

/** Where events are POSTed to. */
export function eventsUrl(target: Target): string {
  return output(target, 'EventsUrl');
}

/** The laptop as a stage: what comes from outside meanwhile is let through before the clock moves. */
function stageOf(laptop: Laptop, begins: Begins) {
  const idle = () => laptop.idle({ leaveWindows: true });
  let night = laptop.clock.now();
  return {
    clock: laptop.clock,
    putEvents: (entries: Parameters<Laptop['putEvents']>[0]) => laptop.putEvents(entries),
    idle,
    nextDue: () => earlier(laptop.nextDue(), begins.next()),
    runTimers: async () => {
      await laptop.runTimers({ leaveWindows: true });
      begins.looked(laptop.clock.now());
      if (laptop.clock.now() - night < NIGHTS) return;
      night = laptop.clock.now();
      await laptop.idle();
      await laptop.runNight({ leaveWindows: true });
    },
  };
}

/** Gives one source a secret, so that events can be sent by hand. */
async function openDoor(target: Target): Promise<string> {
  const client = new SecretsManagerClient({
    ...clientConfig(target, 'SQS'),
    endpoint: target.env.AWS_ENDPOINT_URL_SECRETS_MANAGER!,
  });
  const SecretId = output(target, 'SecretName');
  const { SecretString = '{}' } = await client.send(new GetSecretValueCommand({ SecretId }));
  const secret = randomBytes(9).toString('hex');
  const known = JSON.parse(SecretString) as { sources?: object };
  const hash = createHash('sha256').update(secret).digest('hex');
  const demo = { hash, events: '*', identify: true, consent: true, address: true };
  await client.send(
    new PutSecretValueCommand({
      SecretId,
      SecretString: JSON.stringify({ ...known, sources: { ...known.sources, demo } }),
    }),
  );
  client.destroy();
  return `demo.${secret}`;
}

function readTemplate<T>(root: string, file: string, parse: (value: unknown) => T): T {
  return parse(JSON.parse(readFileSync(join(root, 'templates', file), 'utf8')));
}

/** The demo shop: its last live event is a while ago, its end is now. */
function demoScript({ root, seed, runOn }: RunOptions): Script {
  const catalogue = readTemplate(root, 'catalogue.json', (value) => Catalogue.parse(value));
  const { currency } = readTemplate(root, 'settings.json', (value) => Settings.parse(value));
  const until = Math.floor(Date.now() / MINUTE) * MINUTE;
  // From midnight on, so that all runs of a day see the same shop.
  const lastEvent = (Math.floor(until / DAY) - runOn) * DAY;
  const start = lastEvent - liveDays(catalogue) * DAY;
  const events = shopEvents({ seed, catalogue, currency, from: start - HISTORY_DAYS * DAY, until: lastEvent });
  return {
    title: 'Kairos: a demo shop on this machine',
    source: SHOP_SOURCE,
    history: byPerson(events.filter((event) => event.at < start)),
    live: events.filter((event) => event.at >= start),
    start,
    until,
    templates: () => ({ folder: join(root, 'templates'), clean: () => {} }),
  };
}

/** Long enough for better models to fall due after the live orders of some weeks. */
function liveDays(catalogue: Catalogue): number {
  const waits = Object.values(catalogue.products).flatMap(({ upgrade, replaceAfter }) =>
    upgrade === undefined || replaceAfter === undefined ? [] : durationMs(replaceAfter) / DAY,
  );
  return Math.min(300, Math.max(75, Math.min(...waits) + 45));
}

/** History in the order in which it is recorded fastest: a person's events together. */
function byPerson(events: ImportedEvent[]): ImportedEvent[] {
  const groups = Map.groupBy(events, ({ detail }) => String(detail.userId ?? detail.anonymousId ?? ''));
  return [...groups.values()].flat();
}

/** A file of orders: the shop of the templates sells its products, in its currency. */
async function fileScript(
  options: RunOptions,
  { file, mapping: path, liveFrom }: NonNullable<RunOptions['orders']>,
  screen: Screen,
): Promise<Script> {
  const mapping = await readMapping(path, OrdersMapping);
  const size = await fileSize(file);
  const orders = await readOrders(file, mapping, {
    ...(liveFrom === undefined ? {} : { liveFrom }),
    onProgress: (bytes) => screen.progress('File', bytes / size, ''),
  });
  if (orders.orders + orders.refunds === 0) {
    throw new KairosError({
      code: 'import.empty',
      file,
      path: '',
      message: 'no row of the file counts.',
      remedy: sayFirst(orders),
    });
  }
  const start =
    orders.liveFrom === undefined || orders.liveFrom > orders.span.to ? orders.span.to + MINUTE : orders.liveFrom;
  screen.done(
    'File',
    `${grouped(orders.rows.read)} rows: ${grouped(orders.orders)} orders, ${grouped(orders.refunds)} refunds`,
  );
  return {
    title: 'Kairos: a shop from a file, on this machine',
    source: mapping.source,
    history: orders.history,
    live: orders.live,
    start,
    until: orders.span.to + options.runOn * DAY,
    templates: (root) => templatesFor(root, mapping),
    file: orders,
  };
}

const sayFirst = ({ faults }: OrdersFile): string =>
  faults.first.length === 0 ? '' : `Line ${faults.first[0]!.line}: ${faults.first[0]!.message}.`;

/** A copy of the templates with the file's currency, zone and products; a file of orders tells no deliveries. */
function templatesFor(root: string, mapping: OrdersMapping): { folder: string; clean: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'kairos-templates-'));
  cpSync(join(root, 'templates'), folder, { recursive: true });
  const edit = (file: string, change: object): void => {
    const json = JSON.parse(readFileSync(join(folder, file), 'utf8')) as object;
    writeFileSync(join(folder, file), JSON.stringify({ ...json, ...change }));
  };
  edit('settings.json', { currency: mapping.currency, zone: mapping.time.zone });
  const products = mapping.products ?? {};
  edit('catalogue.json', { products, popular: [] });
  edit(join('campaigns', 'cross-sell.json'), { when: { did: 'Order Completed' } });
  // The test people are to have bought what this shop sells.
  const sold = Object.keys(products);
  for (const name of readdirSync(join(folder, 'people'))) {
    const person = JSON.parse(readFileSync(join(folder, 'people', name), 'utf8')) as { bought?: unknown[] };
    if (person.bought !== undefined) edit(join('people', name), { bought: sold.slice(0, person.bought.length) });
  }
  return { folder, clean: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Tells other commands of this run; answers what takes that back. */
export function announce(root: string, { target, laptop }: Pick<Run, 'target' | 'laptop'>): () => void {
  const folder = join(root, '.kairos');
  const file = join(folder, 'laptop.json');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    file,
    JSON.stringify({ url: laptop.url, pid: process.pid, outputs: target.outputs, env: target.env }, null, 2),
    { mode: 0o600 },
  );
  return () => {
    try {
      const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { pid?: number };
      if (pid === process.pid) rmSync(file);
    } catch {
      // Another run has taken its place.
    }
  };
}
