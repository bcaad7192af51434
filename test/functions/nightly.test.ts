// The nightly run, the models beside the book, and what new models do to a contact: over a real table.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Definitions } from '../../domain/book.ts';
import { campaignVersion } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import type { Models } from '../../domain/insight/models.ts';
import { BookStore } from '../../functions/aws/book-store.ts';
import { currentModels, modelsName, readModels, storeModels } from '../../functions/aws/model-store.ts';
import { readModelsRun } from '../../functions/aws/models-run.ts';
import { query } from '../../functions/aws/queries.ts';
import { type NightlyWarehouse, type RefreshDeps, refreshInsight } from '../../functions/aws/refresh.ts';
import type { RosterStep } from '../../functions/aws/roster.ts';
import { key, type Table } from '../../functions/aws/table.ts';
import type { Row } from '../../functions/aws/warehouse.ts';
import { walkRosterPages } from '../../functions/walk-roster.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { people, rowsOf } from '../support/insight-people.ts';
import {
  type Bench,
  benchOver,
  contactBy,
  DAY,
  definitions,
  interaction,
  type MemoryBucket,
  MemoryLog,
  messagesOf,
  NOON,
  publish,
  purchase,
} from './fixtures.ts';

vi.hoisted(() => {
  process.env.POWERTOOLS_LOG_LEVEL = 'SILENT';
});

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

const comeBack: Campaign = {
  title: 'Come back',
  kind: 'marketing',
  aim: 'retention',
  topic: 'offers',
  sender: 'main',
  when: { enters: 'leaving' },
  again: 'every time',
  steps: [{ send: 'hello' }],
} as Campaign;

/** A book with a segment of those who have more likely left than not, and a campaign that writes to whoever enters it. */
function asking(ordinal = 1): Definitions {
  const book = definitions({ ordinal });
  book.segments.leaving = { rule: { has: { 'predicted.alive': { lessThan: 0.5 } } }, ordinal: 9, since: 1 };
  book.campaigns['come-back'] = { id: 'come-back', version: campaignVersion(comeBack), since: 1, campaign: comeBack };
  return book;
}

/** Models of which P(alive) is small where `a` is great. */
const models = (a: number, more: Partial<Models> = {}): Models => ({
  shape: 1,
  at: NOON,
  today: Math.floor(NOON / DAY) - 1,
  currency: 'EUR',
  customers: 100,
  orders: 200,
  purchases: { asOf: 1, kind: 'bg/nbd', r: 0.5, alpha: 5, a, b: 2, logLikelihood: -1, customers: 100 },
  notes: [],
  ...more,
});
const [KEEPS, LEAVES] = [0.01, 50];

describe('new models and a contact', () => {
  let bench: Bench;
  const stand = async (next: Models) => {
    const before = await currentModels(bench.table, bench.bucket);
    const stored = await storeModels(next, before, {
      table: bench.table,
      bucket: bench.bucket,
      now: bench.clock.now(),
    });
    expect(stored).toBeDefined();
    await bench.books.fresh();
  };
  const ann = async () => (await contactBy(bench.table, SUBJECT))!;
  let SUBJECT = '';
  const version = async () => (await bench.table.readOne(key.contact((await ann()).id)))?.version;
  const mails = async () =>
    (await messagesOf(bench.table, (await ann()).id)).filter((one) => one.campaign === 'come-back');

  beforeEach(async () => {
    bench = benchOver(await engine.table(1));
    await publish(bench.table, bench.bucket, asking());
    const orders = [60, 40, 20].map((ago, n) =>
      purchase({ id: `o${n}`, order: `o${n}`, user: 'ann', address: 'ann@shop.example', at: NOON - ago * DAY }),
    );
    await bench.recorder.record(orders.map((each) => ({ interaction: each, history: true })));
    const granted = interaction('Consent Granted', {
      id: 'g',
      user: 'ann',
      at: NOON - 70 * DAY,
      properties: { topic: 'offers', channel: 'email', basis: 'single' },
    });
    await bench.recorder.record([{ interaction: granted }]);
    SUBJECT = granted.subject;
  });

  it('what is predicted for the first time has not happened now: it is taken over in silence, whatever makes the contact be looked at', async () => {
    await stand(models(LEAVES));
    await bench.recorder.tick([(await ann()).id]);
    expect((await ann()).journey.segments.leaving).toMatchObject({ since: NOON, entries: 0 });
    expect(await mails()).toEqual([]);
    expect((await ann()).book?.models).toMatchObject({ ordinal: 1, hash: expect.stringMatching(/^[0-9a-f]{12}$/) });
  });

  it('who enters a segment by models that have moved enters it, and the mail says which models stood', async () => {
    await stand(models(KEEPS));
    await bench.recorder.look([(await ann()).id]);
    expect((await ann()).journey.segments.leaving).toBeUndefined();
    await stand(models(LEAVES));
    await bench.recorder.look([(await ann()).id]);
    expect((await ann()).journey.segments.leaving).toMatchObject({ since: NOON, entries: 1 });
    const [mail] = await mails();
    const standing = await currentModels(bench.table, bench.bucket);
    expect(mail?.because).toMatchObject({ models: standing?.hash.slice(0, 12), cause: { kind: 'models' } });
  });

  it('models that come to the same cost no write, and the contact is due when they say', async () => {
    await stand(models(KEEPS));
    await bench.recorder.look([(await ann()).id]);
    const before = await version();
    await stand(models(KEEPS, { at: NOON + 1 }));
    await bench.recorder.look([(await ann()).id]);
    expect(await version()).toBe(before);
    // P(alive) = 1/(1 + a/(b+1)·((α+T)/(α+t))^(r+2)) is 1/2 where ((5+w)/(5+40/7))^2.5 = 3/a.
    const a = 1;
    await stand(models(a));
    await bench.recorder.look([(await ann()).id]);
    const weeks = 3 ** (1 / 2.5) * (5 + 40 / 7) - 5;
    const day = Math.floor(NOON / DAY) - 60 + Math.ceil(weeks * 7 - 1e-9);
    expect((await ann()).journey.due).toBe(day * DAY);
  });

  it('where models cannot be read, nobody leaves or enters with a word, and what comes back is no news either', async () => {
    await stand(models(KEEPS));
    await bench.recorder.look([(await ann()).id]);
    await stand(models(LEAVES));
    await bench.recorder.look([(await ann()).id]);
    expect(await mails()).toHaveLength(1);
    const blind = new BookStore({ table: bench.table, bucket: bench.bucket, now: bench.clock.now, log: bench.log });
    expect((await blind.current()).models).toBeUndefined();
    const { Recorder } = await import('../../functions/aws/recorder.ts');
    const recorder = new Recorder({ table: bench.table, books: blind, now: bench.clock.now, newId: () => 'x' });
    bench.clock.at += DAY;
    await recorder.tick([(await ann()).id]);
    expect((await ann()).journey.segments.leaving).toEqual({ entries: 1 });
    await bench.books.fresh();
    await bench.recorder.tick([(await ann()).id]);
    expect((await ann()).journey.segments.leaving).toMatchObject({ since: NOON + DAY, entries: 1 });
    expect(await mails()).toHaveLength(1);
  });
});

describe('the models beside the book', () => {
  it('come with the same read as the book, and stay compiled', async () => {
    const { table, bucket, books } = benchOver(await engine.table(1));
    await publish(table, bucket, asking());
    await storeModels(models(KEEPS), undefined, { table, bucket, now: NOON });
    const read = vi.spyOn(table, 'read');
    const book = await books.fresh();
    expect(read).toHaveBeenCalledTimes(1);
    expect(book.models?.models.purchases?.a).toBe(KEEPS);
    expect([...book.readsModels]).toEqual(['purchases']);
    expect(await books.fresh()).toBe(book);
    await storeModels(models(LEAVES), await currentModels(table, bucket), { table, bucket, now: NOON });
    expect((await books.fresh()).models?.models.purchases?.a).toBe(LEAVES);
  });

  it.each([
    ['is no JSON', () => '{'],
    ['is not what its name says', (text: string) => text.replace('"customers":100', '"customers":101')],
    ['is of a newer shape', (text: string) => text.replace('"shape":1', '"shape":2')],
    ['has a parameter at 0', (text: string) => text.replace('"alpha":5', '"alpha":0')],
    ['has a number that is none', (text: string) => text.replace('"r":0.5', '"r":null')],
    ['is gone', () => undefined],
  ])(
    'a file that %s stays out: the last good ones stand, an error says so once a minute, and decisions go on',
    async (what, spoil) => {
      const { table, bucket, books, log, clock } = benchOver(await engine.table(1));
      await publish(table, bucket, asking());
      const first = await storeModels(models(KEEPS), undefined, { table, bucket, now: NOON });
      await books.fresh();
      const second = await storeModels(models(LEAVES), first, { table, bucket, now: NOON });
      const name = modelsName(second!.hash);
      const spoilt = spoil(String(bucket.objects.get(name)));
      if (spoilt === undefined) bucket.objects.delete(name);
      else if (what === 'is no JSON' || what === 'is not what its name says') bucket.objects.set(name, spoilt);
      else {
        // Under a name that its text has.
        const { sha256 } = await import('../../domain/interaction.ts');
        bucket.objects.set(modelsName(sha256(spoilt)), spoilt);
        await table.update(key.models(), {
          UpdateExpression: 'SET #hash = :hash',
          ExpressionAttributeNames: { '#hash': 'hash' },
          ExpressionAttributeValues: { ':hash': sha256(spoilt) },
        });
      }
      for (let n = 0; n < 3; n++) expect((await books.fresh()).models?.hash).toBe(first!.hash);
      const said = () => log.lines.filter((line) => line.name === 'models.unreadable');
      expect(said()).toHaveLength(1);
      expect(said()[0]?.values).toMatchObject({ kept: first!.hash });
      clock.at += 61_000;
      await books.fresh();
      expect(said()).toHaveLength(2);
      const cold = new BookStore({ table, bucket, now: clock.now, log, models: readModels });
      expect((await cold.current()).models).toBeUndefined();
    },
  );

  it('follow one another: who was slower changes nothing; a part keeps since when it has been there', async () => {
    const { table, bucket } = benchOver(await engine.table(1));
    const shelf = { table, bucket, now: NOON };
    const first = await storeModels(models(KEEPS), undefined, shelf);
    const margin = { asOf: 1, share: 0.3 };
    const second = await storeModels(models(LEAVES, { margin }), first, shelf);
    expect(second).toMatchObject({ ordinal: 2, since: { purchases: 1, margin: 2 } });
    expect(await storeModels(models(1), first, shelf)).toBeUndefined();
    expect(await storeModels(models(1), undefined, shelf)).toBeUndefined();
    expect((await currentModels(table, bucket))?.hash).toBe(second?.hash);
    await expect(storeModels(models(Number.NaN), second, shelf)).rejects.toThrow();
    expect((await currentModels(table, bucket))?.hash).toBe(second?.hash);
  });
});

/** A warehouse of one shop's customers; other statements give nothing, or fail. */
function warehouseOf(rows: () => Row[], fails?: (sql: string) => boolean): NightlyWarehouse & { ran: string[] } {
  const ran: string[] = [];
  const answer = (sql: string): Row[] => {
    ran.push(sql);
    if (fails?.(sql)) throw new Error('SYNTAX_ERROR: line 1:8: Column cannot be resolved');
    return sql === query('model-customers') ? rows() : [];
  };
  return {
    ran,
    used: { statements: 0, scanned: 0 },
    rows: async (sql) => answer(sql),
    run: async (sql) => void answer(sql),
    async *batches(sql) {
      const all = answer(sql);
      for (let at = 0; at < all.length; at += 100) yield all.slice(at, at + 100);
    },
  };
}

describe('a night', () => {
  let table: Table;
  let bucket: MemoryBucket;
  let bench: Bench;
  let log: MemoryLog;
  let posted: { steps: RosterStep[]; delay: number }[];
  const day = Math.floor(NOON / DAY) - 1;
  const shop = (leaves = 0.2, seed = 1, customers = 400) =>
    rowsOf(people({ seed, customers, leaves, rate: 1 / 30 }), day) as unknown as Row[];
  const deps = (warehouse: NightlyWarehouse): RefreshDeps => ({
    warehouse,
    table,
    bucket,
    books: bench.books,
    queue: { send: async (_url, steps, delay = 0) => void posted.push({ steps: steps as RosterStep[], delay }) },
    rosterUrl: 'roster',
    now: bench.clock.now,
    log,
  });
  const runs = (rows = shop(), fails?: (sql: string) => boolean) =>
    refreshInsight(deps(warehouseOf(() => rows, fails)));
  const record = async () => readModelsRun(await table.readOne(key.modelsRun()));
  beforeEach(async () => {
    table = await engine.table(2);
    bench = benchOver(table);
    bucket = bench.bucket;
    log = new MemoryLog();
    posted = [];
    await publish(table, bucket, asking());
  });

  it('makes the views, fits, stores, writes down what it came to, and walks because a rule reads what is new', async () => {
    const warehouse = warehouseOf(shop);
    await refreshInsight(deps(warehouse));
    const stood = await currentModels(table, bucket);
    expect(stood).toMatchObject({ ordinal: 1, models: { customers: 400, today: day, purchases: { kind: 'bg/nbd' } } });
    expect(warehouse.ran.filter((sql) => sql.startsWith('CREATE OR REPLACE VIEW customers AS WITH'))).toHaveLength(1);
    expect(warehouse.ran.join('\n')).not.toContain('CREATE OR REPLACE VIEW customers AS --');
    expect(await record()).toMatchObject({
      at: NOON,
      customers: 400,
      models: { hash: stood?.hash, ordinal: 1 },
      walk: { hash: stood?.hash, ordinal: 1, startedAt: NOON },
      moved: expect.arrayContaining(['purchases', 'rfm']),
    });
    expect(posted).toEqual([
      { delay: 15, steps: ['00', '01'].map((shard) => ({ of: 'models', hash: stood?.hash, ordinal: 1, shard })) },
    ]);
  });

  it('walks over nobody where no rule reads what has moved', async () => {
    await publish(table, bucket, definitions({ ordinal: 2 }));
    await bench.books.fresh();
    await runs();
    expect(await currentModels(table, bucket)).toMatchObject({ ordinal: 1 });
    expect(posted).toEqual([]);
    expect((await record())?.walk).toBeUndefined();
  });

  it('over the same lake changes nothing, and is known to have been', async () => {
    await runs();
    await endWalk();
    posted = [];
    bench.clock.at += 3_600_000;
    await runs();
    expect(await currentModels(table, bucket)).toMatchObject({ ordinal: 1 });
    expect(await record()).toMatchObject({ at: NOON + 3_600_000, moved: [] });
    expect(posted).toEqual([]);
  });

  it('that fails leaves the models, says why, and throws, so that the alarm hears of it; the next one takes that back', async () => {
    await runs();
    const before = await currentModels(table, bucket);
    await expect(runs(shop(), (sql) => sql.startsWith('CREATE'))).rejects.toThrow('SYNTAX_ERROR');
    expect(await currentModels(table, bucket)).toEqual(before);
    expect(await record()).toMatchObject({
      customers: 400,
      failed: { at: NOON, says: 'SYNTAX_ERROR: line 1:8: Column cannot be resolved' },
    });
    expect(log.lines.map(({ name }) => name)).toContain('insight.failed');
    await runs();
    expect((await record())?.failed).toBeUndefined();
  });

  it('in which products cannot be counted has all other parts, and says so', async () => {
    await runs(shop(), (sql) => sql === query('pairs'));
    expect((await currentModels(table, bucket))?.models.purchases).toBeDefined();
    expect((await record())?.notes).toContainEqual(
      expect.objectContaining({ part: 'next', kind: 'missing', code: 'uncounted' }),
    );
    const line = log.lines.find(({ name, values }) => name === 'models.missing' && values?.part === 'next');
    expect(line).toMatchObject({ level: 'warn', values: { code: 'uncounted' } });
  });

  it('keeps the last good part where the fit would move too much, and says so in the log and the record', async () => {
    await runs();
    bench.clock.at += DAY;
    await runs(shop(0.6, 3));
    expect(log.lines.find(({ name }) => name === 'models.kept')).toMatchObject({
      values: { part: 'purchases', code: 'drift' },
    });
    expect((await record())?.notes).toContainEqual(expect.objectContaining({ part: 'purchases', kind: 'kept' }));
  });

  it('before anything is published knows no shop, and does nothing', async () => {
    const fresh = benchOver(await engine.table(1));
    const warehouse = warehouseOf(shop);
    await refreshInsight({ ...deps(warehouse), table: fresh.table, bucket: fresh.bucket, books: fresh.books });
    expect(warehouse.ran).toEqual([]);
    expect(await fresh.table.readOne(key.models())).toBeUndefined();
  });

  it('puts new models in the place of a file that cannot be read', async () => {
    await runs();
    const first = await currentModels(table, bucket);
    bucket.objects.set(modelsName(first!.hash), '{');
    await runs();
    expect(await currentModels(table, bucket)).toMatchObject({ ordinal: 2, since: { purchases: 2 } });
  });

  it('that broke off after it had moved the pointer is walked by the next one; a walk that was lost is posted again', async () => {
    await runs();
    await table.remove(key.modelsRun());
    posted = [];
    await runs();
    expect(posted).toHaveLength(1);
    expect(posted[0]?.steps[0]).toMatchObject({ of: 'models', ordinal: 1 });
    posted = [];
    await runs();
    expect(posted).toHaveLength(1);
    await endWalk();
    posted = [];
    await runs();
    expect(posted).toEqual([]);
  });

  it('its walk decides over everybody once, whatever comes twice, and writes down that it has ended', async () => {
    const buyers = Array.from({ length: 7 }, (_, n) => purchase({ id: `b${n}`, order: `b${n}`, user: `b${n}` }));
    await bench.recorder.record(buyers.map((each) => ({ interaction: each })));
    await runs();
    await walk([...posted[0]!.steps, ...posted[0]!.steps]);
    const run = await record();
    expect(run?.walk?.endedAt).toBe(NOON);
    const { pk, sk } = key.modelsWalk(1, '');
    const marks = await table.under(pk, sk);
    expect(marks.map((mark) => mark.done)).toEqual([true, true]);
    expect(marks.reduce((sum, mark) => sum + Number(mark.walked), 0)).toBe(7);
    for (const each of buyers) expect((await contactBy(table, each.subject))?.book?.models?.ordinal).toBe(1);
    // What an older walk has left in the queue ends.
    expect(await walk([{ of: 'models', hash: 'old', ordinal: 9, shard: '00' }])).toBe(1);
  });

  async function endWalk(): Promise<void> {
    await walk(posted.at(-1)!.steps);
  }
  /** Hands steps to walk-roster until none is left; answers how many were handled. */
  async function walk(steps: RosterStep[]): Promise<number> {
    const waiting = [...steps];
    let handled = 0;
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      handled++;
      const event = { Records: [{ body: JSON.stringify(step), messageId: `m${handled}` }] };
      const answer = await walkRosterPages(
        event as never,
        {
          table,
          books: bench.books,
          recorder: bench.recorder,
          queue: { send: async (_url: string, next: RosterStep[]) => void waiting.push(...next) },
          url: 'roster',
          now: bench.clock.now,
          log,
        } as never,
      );
      expect(answer.batchItemFailures).toEqual([]);
    }
    return handled;
  }
});
