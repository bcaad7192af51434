// From orders to the lake, from the lake to models, and from models to a mail on the day on which a customer has more likely left than not.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordHistory } from '../../cli/import-history.ts';
import { openImport } from '../../cli/import-target.ts';
import { shelfOf } from '../../cli/publish.ts';
import { dateOfDay } from '../../domain/insight/customer.ts';
import type { Models } from '../../domain/insight/models.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import type { ImportedEvent } from '../../domain/mapping-events.ts';
import { instantOf, localTime } from '../../domain/time.ts';
import { currentModels } from '../../functions/aws/model-store.ts';
import { readModelsRun } from '../../functions/aws/models-run.ts';
import { key } from '../../functions/aws/table.ts';
import { lots } from '../support/insight-people.ts';
import { aStory, DAY, type Folder, HOUR, START } from '../support/laptop.ts';

const BERLIN = 'Europe/Berlin';
/** The campaign of this story: who has more likely left than not is written to, once. */
function change(folder: Folder): void {
  folder.write('segments/leaving.json', {
    title: 'More likely gone than not',
    rule: { has: { 'predicted.alive': { lessThan: 0.5 } } },
  });
  folder.write('campaigns/come-back.json', {
    title: 'Come back',
    kind: 'marketing',
    aim: 'retention',
    topic: 'offers',
    sender: 'main',
    again: 'never',
    when: { enters: 'leaving' },
    steps: [{ send: 'win-back' }],
  });
}
const story = aStory({ change });

/** The days, before the story's start, on which so many customers ordered, as BG/NBD has it. */
function past(customers: number): number[][] {
  const lot = lots(7);
  const exponential = (rate: number): number => -Math.log(1 - lot()) / rate;
  return Array.from({ length: customers }, () => {
    const rate = (exponential(1) + exponential(1)) / 60;
    const leaves = 0.05 + 0.4 * lot();
    const days: number[] = [];
    for (let at = -20 - Math.floor(lot() * 340); at < -1; at += Math.max(1, Math.round(exponential(rate)))) {
      days.push(at);
      if (lot() < leaves) break;
    }
    return days;
  });
}

const order = (user: string, day: number, n: number): ImportedEvent => {
  const at = START + day * DAY - 2 * HOUR;
  return {
    name: 'Order Completed',
    at,
    detail: {
      type: 'track',
      event: 'Order Completed',
      messageId: `past-${user}-${n}`,
      userId: user,
      timestamp: new Date(at).toISOString(),
      properties: {
        order_id: `${user}-${n}`,
        revenue: 40 + ((user.length * 7 + n * 13) % 60),
        currency: 'EUR',
        products: [{ product_id: n % 2 === 0 ? 'tripod' : 'camera', price: 40, quantity: 1 }],
      },
    },
  };
};

/** P(alive) as it is published (Fader, Hardie and Lee 2008), in other words than the engine's: days of the calendar, weeks in the model. */
function aliveOn(day: number, days: number[], { r, alpha, a, b }: NonNullable<Models['purchases']>): number {
  const x = days.length - 1;
  const recency = ((days.at(-1) as number) - (days[0] as number)) / 7;
  const age = (day - (days[0] as number)) / 7;
  const ratio = ((alpha + age) / (alpha + recency)) ** (r + x);
  return 1 / (1 + ((a as number) / ((b as number) + x - 1)) * ratio);
}

/** What `kairos` prints with these words, over the running stack. */
function kairos(...words: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'kairos-insight-'));
  const { outputs, env } = story().laptop;
  const file = join(folder, 'laptop.json');
  writeFileSync(file, JSON.stringify({ outputs, env }));
  const root = join(import.meta.dirname, '..', '..');
  return new Promise<string>((done, fail) => {
    const around = { ...process.env, KAIROS_LAPTOP: file, NO_COLOR: '1' };
    execFile(
      process.execPath,
      [join(root, 'cli/kairos.ts'), ...words],
      { env: around, cwd: root },
      (error, out, err) => (error === null ? done(out) : fail(new Error(`${words.join(' ')}: ${err}${out}`))),
    );
  }).finally(() => rmSync(folder, { recursive: true, force: true }));
}

/** The day of the shop's calendar of the story's start. */
const TODAY = Math.floor((START + HOUR) / DAY);

describe('a shop of a hundred and fifty customers', () => {
  // Ann has ordered on each of the last eight Mondays but one: she is anything but gone.
  const ann = [-60, -52, -45, -38, -31, -24, -17, -9];
  let models: Models;
  let events: ImportedEvent[];

  it('has models after its first night, which are said, and put nobody into a segment with a word', {
    timeout: 60_000,
  }, async () => {
    const shop = story();
    const email = await shop.customer('ann');
    const people = past(150);
    events = [
      ...people.flatMap((days, n) => days.map((day, i) => order(`p${n}`, day, i))),
      ...ann.map((day, i) => order('ann', day, i)),
    ];
    const { outputs, env } = shop.laptop;
    const target = { stage: 'laptop', outputs, env };
    const recorded = await recordHistory(openImport(target, () => shop.now()).recorder, events, 'shop');
    expect(recorded).toMatchObject({ recorded: events.length, failed: { count: 0 } });
    await shop.night();

    const shelf = shelfOf(target);
    const published = await currentModels(shelf.table, shelf.bucket);
    expect(published?.ordinal).toBe(1);
    models = published?.models as Models;
    expect(models).toMatchObject({ customers: 151, orders: events.length, today: TODAY - 1, currency: 'EUR' });
    expect(models.purchases?.kind).toBe('bg/nbd');
    const run = readModelsRun(await shop.table.readOne(key.modelsRun()));
    expect(run).toMatchObject({
      customers: 151,
      models: { ordinal: 1 },
      walk: { ordinal: 1, endedAt: expect.any(Number) },
    });
    expect(run?.failed).toBeUndefined();

    // Many have left by these models; that is no news of this night, and nobody is written to.
    const inside = (await shop.items('CONTACT')).filter((item) => /"leaving":\{"since"/.test(String(item.state)));
    const gone = people.filter((days) => aliveOn(0, days, models.purchases!) < 0.5 && days.length > 1);
    expect(gone.length).toBeGreaterThan(20);
    expect(inside).toHaveLength(gone.length);
    expect(await shop.mails(undefined, 'come-back')).toEqual([]);
    expect((await shop.contact('ann')).journey.segments.leaving?.since).toBeUndefined();
    expect(email).toBe('ann@customers.example');
  });

  it('writes to who falls under one half by the clock alone, on the day that the formula says', async () => {
    const shop = story();
    const days = ann.map((day) => TODAY + day);
    let falls = TODAY;
    while (aliveOn(falls, days, models.purchases!) >= 0.5) falls++;
    expect(falls - TODAY).toBeGreaterThan(3);
    const midnight = instantOf(dateOfDay(falls), '00:00', BERLIN);
    await shop.until(midnight - 60_000);
    expect((await shop.contact('ann')).journey.segments.leaving?.since).toBeUndefined();
    await shop.until(midnight + 20 * HOUR);
    const since = (await shop.contact('ann')).journey.segments.leaving?.since as number;
    expect(Math.abs(since - midnight)).toBeLessThan(2 * 60_000);
    const mails = await shop.mails('ann@customers.example', 'come-back');
    expect(mails).toHaveLength(1);
    expect(localTime(mails[0]!.at, BERLIN).date).toBe(dateOfDay(falls));
    const [message] = await shop.messages({ user: 'ann', campaign: 'come-back' });
    expect(message?.because).toMatchObject({ models: expect.stringMatching(/^[0-9a-f]{12}$/) });
  });

  it('answers people over the running stack: up to yesterday, by the models of the night', {
    timeout: 60_000,
  }, async () => {
    const basis = 'The lake of stage laptop, up to 2026-03-15; models as of 2026-03-01.';
    const overview = await kairos('insight');
    expect(overview).toContain(basis);
    for (const name of ['rfm', 'retention', 'value', 'pareto', 'pairs', 'tiers', 'groups'])
      expect(overview).toMatch(new RegExp(`\\(${name}\\)$`, 'm'));
    expect(overview).toMatch(/^151 customers/m);
    const { total } = JSON.parse(await kairos('insight', '--by', 'month', '--json')) as {
      total: Record<string, number>;
    };
    const spent = events.reduce((sum, { detail }) => sum + Number((detail.properties as JsonObject).revenue), 0);
    expect(total).toMatchObject({ orders: events.length, customers: 151, revenueMinor: spent * 100 });
    expect(await kairos('lake', 'status')).toMatch(/^orders +1 +\d+ +[\d.]+ KB {2}2026-03-02/m);
  });
});
