// The reports of groups, likeness and programmes over small shops, and the segments that they write.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../cli/duckdb.ts';
import { groups, readBuyers } from '../../cli/insight-groups.ts';
import { like } from '../../cli/insight-like.ts';
import { programme } from '../../cli/insight-programme.ts';
import type { Report } from '../../cli/insight-report.ts';
import type { InsightSource } from '../../cli/insight-source.ts';
import { sayReport } from '../../cli/insight-terminal.ts';
import { tiers } from '../../cli/insight-tiers.ts';
import { writeSegment } from '../../cli/segment-file.ts';
import { readTemplates } from '../../cli/templates-folder.ts';
import { checkTemplates } from '../../domain/check.ts';
import { KairosError } from '../../domain/fault.ts';
import { fixedNumbers } from '../../domain/insight/clusters.ts';
import { dateOfDay } from '../../domain/insight/customer.ts';
import { discoverGroups } from '../../domain/insight/groups.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { ROOT, TODAY } from '../support/buyers.ts';

/** Orders of 240 people by a fixed seed: some buy cameras often, some film by coupon, the rest bought once. */
function tables(people: number): { orders: JsonObject[]; lines: JsonObject[]; contacts: JsonObject[] } {
  const next = fixedNumbers(21);
  const orders: JsonObject[] = [];
  const lines: JsonObject[] = [];
  for (let person = 0; person < people; person += 1) {
    const kind = person % 3;
    const often = [6 + Math.floor(next() * 5), 3 + Math.floor(next() * 2), 1][kind] as number;
    for (let i = 0; i < often; i += 1) {
      const order = `s#${person}-${i}`;
      const revenue = Math.round(([30_000, 2000, 6000][kind] as number) * (0.7 + 0.6 * next()));
      const day = TODAY - Math.floor([900 * next(), 20 + 300 * next(), 300 + 200 * next()][kind] as number);
      const refunded = next() < 0.05 ? revenue : 0;
      const margin = Math.round(0.4 * (revenue - refunded));
      const money = { revenue, refunded, margin, valued: revenue - refunded };
      orders.push({
        ...{ order, version: 1, contact: `c${person}`, at: day * 86_400_000, date: dateOfDay(day), source: 's' },
        ...{ completed: true, cancelled: false, currency: 'EUR', discount: 0, coupon: kind === 1, ...money },
      });
      const product = ['camera', 'film', 'bag'][kind] as string;
      const category = ['Cameras', 'Film', 'Bags'][kind] as string;
      lines.push({ order, version: 1, line: 0, product, category, quantity: 1, returned: 0, ...money });
    }
  }
  const contacts = Array.from({ length: people }, (_, i) => ({ contact: `c${i}`, version: 1, createdAt: 0 }));
  return { orders, lines, contacts };
}

async function sourceOf(people: number): Promise<InsightSource> {
  const warehouse = await DuckDbWarehouse.ofRows(tables(people), { currency: 'EUR', today: TODAY });
  return {
    warehouse,
    shop: { currency: 'EUR', zone: 'Europe/Warsaw', catalogue: { products: {} } },
    today: TODAY,
    says: 'A made shop.',
    close: () => warehouse.close(),
  };
}

let folder: string;
let shop: InsightSource;
let empty: InsightSource;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kairos-groups-'));
  shop = await sourceOf(240);
  empty = await sourceOf(0);
});
afterAll(async () => {
  await shop.close();
  await empty.close();
  rmSync(folder, { recursive: true, force: true });
});

const said = (report: Report): string => sayReport(report, { width: 160, colour: false });
const fault = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof KairosError) return error.fault.code;
    throw error;
  }
  return 'none';
};

describe('kairos insight groups', () => {
  it('tells the groups, their rules, and how sure it is', async () => {
    const report = await groups.make(shop, {});
    const text = said(report);
    expect(text).toContain('Bought often, mostly Cameras, large orders');
    expect(text).toMatch(/mostly film, .*mostly with discounts/i);
    expect(text).toContain('It takes in');
    expect(JSON.stringify(report.json)).not.toMatch(/null|NaN/);
    const json = report.json as { groups: { customers: number; rule: { precision: number; recall: number } }[] };
    expect(json.groups.reduce((sum, { customers }) => sum + customers, 0)).toBe(240);
    for (const { rule } of json.groups) expect(rule.precision * rule.recall).toBeGreaterThan(0.7);
  });

  it('keeps the groups of the nightly run, by id', async () => {
    const { json } = await groups.make(shop, {});
    const first = json as { groups: { id: string; title: string }[] };
    const buyers = await readBuyers(shop);
    const found = discoverGroups(buyers, { today: TODAY, unit: 100 });
    if (found.kind !== 'groups') throw new Error(found.says);
    const renamed = found.model.groups.map((group) => ({ ...group, id: `old-${group.id}` }));
    const models = {
      ...{ shape: 1 as const, at: 0, today: TODAY, currency: 'EUR', customers: 240, orders: 1, notes: [] },
      groups: { ...found.model, groups: renamed, asOf: TODAY },
    };
    const again = (await groups.make({ ...shop, models }, {})).json as typeof first & { how: string };
    expect(again.how).toBe('kept');
    expect(again.groups.map(({ id }) => id).sort()).toEqual(first.groups.map(({ id }) => `old-${id}`).sort());
  });

  it('says that nobody has bought, or too few', async () => {
    expect(said(await groups.make(empty, {}))).toContain('0 customers with an order are too few');
  });

  it('writes the rule of a group as a segment that passes validation with the ready-made templates', async () => {
    const templates = join(folder, 'templates');
    await cp(join(ROOT, 'templates'), templates, { recursive: true });
    const to = join(templates, 'segments');
    const { json } = await groups.make(shop, {});
    for (const { id } of (json as { groups: { id: string }[] }).groups) {
      const report = await groups.make(shop, { save: id, as: `found-${id}`, to });
      expect(report.parts[0]).toMatchObject({ kind: 'text', text: expect.stringContaining(`found-${id}.json`) });
    }
    const checked = checkTemplates(await readTemplates(templates));
    if ('faults' in checked) throw new Error(JSON.stringify(checked.faults));
    const { segments } = checked.draft;
    expect(Object.keys(segments).filter((id) => id.startsWith('found-')).length).toBeGreaterThanOrEqual(3);
    expect(segments['found-g1']?.title).toContain('mostly Cameras');
    const text = readFileSync(join(to, 'found-g1.json'), 'utf8');
    expect(text).toMatch(/^\{\n {2}"\$schema": "\.\.\/schemas\/segment\.json",\n/);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
  });

  it('never writes over a segment, unless it is told to', async () => {
    const to = join(folder, 'segments');
    await groups.make(shop, { save: 'g1', as: 'mine', to });
    const before = readFileSync(join(to, 'mine.json'), 'utf8');
    expect(await fault(groups.make(shop, { save: 'g2', as: 'mine', to }))).toBe('segment.exists');
    expect(readFileSync(join(to, 'mine.json'), 'utf8')).toBe(before);
    await groups.make(shop, { save: 'g2', as: 'mine', to, force: true });
    expect(readFileSync(join(to, 'mine.json'), 'utf8')).not.toBe(before);
  });

  it('refuses what it cannot save, and writes nothing', async () => {
    const to = join(folder, 'none');
    expect(await fault(groups.make(shop, { save: 'g1', to }))).toBe('groups.save');
    expect(await fault(groups.make(shop, { as: 'mine', to }))).toBe('groups.save');
    expect(await fault(groups.make(shop, { save: 'g99', as: 'mine', to }))).toBe('groups.unknown');
    expect(await fault(groups.make(shop, { save: 'g1', as: '../mine', to }))).toBe('segment.name');
    expect(await fault(groups.make(empty, { save: 'g1', as: 'mine', to }))).toBe('groups.unknown');
    expect(existsSync(to)).toBe(false);
  });

  it('writes no segment that publish would refuse', async () => {
    const to = join(folder, 'templates', 'segments');
    const wrong = { name: 'wrong', title: 'Wrong', rule: { has: { 'orders.cuont': 3 } }, folder: to, force: false };
    expect(await fault(writeSegment(wrong))).not.toBe('none');
    expect(existsSync(join(to, 'wrong.json'))).toBe(false);
  });
});

describe('kairos insight like', () => {
  const listOf = (name: string, lines: string[]): string => {
    const file = join(folder, name);
    writeFileSync(file, `${lines.join('\r\n')}\r\n`);
    return file;
  };

  it('finds the others who buy as a list does, and writes a rule for them', async () => {
    const contacts = listOf('list.txt', [...Array.from({ length: 30 }, (_, i) => `c${3 * i}`), 'c0', '', 'nobody']);
    const to = join(folder, 'segments');
    const report = await like.make(shop, { contacts, as: 'more-cameras', to });
    const json = report.json as { unknown: number; listed: number; contacts: { contact: string }[] };
    expect([json.unknown, json.listed, json.contacts.length]).toEqual([1, 30, 30]);
    for (const { contact } of json.contacts) expect(Number(contact.slice(1)) % 3).toBe(0);
    expect(said(report)).toContain('What sets the list apart: bought often, mostly Cameras, large orders');
    expect(JSON.parse(readFileSync(join(to, 'more-cameras.json'), 'utf8')).title).toContain('Like list.txt');
  });

  it('says of a list that is too short, or like everybody, that it is', async () => {
    const short = await like.make(shop, { contacts: listOf('short.txt', ['c1', 'c2']) });
    expect(said(short)).toContain('2 of the list have bought: it takes 10');
    const all = Array.from({ length: 60 }, (_, i) => `c${i}`);
    const usual = await like.make(shop, { contacts: listOf('usual.txt', all) });
    expect(said(usual)).toContain('are like everybody else');
    const to = join(folder, 'none');
    const saved = like.make(shop, { contacts: listOf('short.txt', ['c1']), as: 'mine', to });
    expect(await fault(saved)).toBe('like.too-short');
    expect(existsSync(to)).toBe(false);
  });

  it('refuses a list that is not there, and a number that is none', async () => {
    const contacts = listOf('some.txt', ['c1']);
    expect(await fault(like.make(shop, {}))).toBe('like.contacts');
    expect(await fault(like.make(shop, { contacts: join(folder, 'no.txt') }))).toBe('like.file');
    expect(await fault(like.make(shop, { contacts, most: '-3' }))).toBe('option.number');
  });
});

describe('kairos insight tiers', () => {
  it('parts customers into kinds of loyalty, and says what it cannot see', async () => {
    const report = await tiers.make(shop, {});
    const { kinds } = report.json as { kinds: { kind: string; customers: number; revenueMinor: number }[] };
    expect(kinds.reduce((sum, { customers }) => sum + customers, 0)).toBe(240);
    // Those who buy by coupon, and did so on two days or more; those who bought once.
    expect(kinds.find(({ kind }) => kind === 'disloyal')?.customers).toBeGreaterThan(70);
    expect(kinds.find(({ kind }) => kind === 'unknown')?.customers).toBeGreaterThanOrEqual(80);
    expect(said(report)).toContain('Customers buy of too few categories to differ in them');
    expect(JSON.stringify(report.json)).not.toMatch(/null|NaN/);
  });

  it('says that nobody has bought', async () => {
    expect(said(await tiers.make(empty, {}))).toContain('Nobody has bought yet');
  });
});

describe('kairos insight programme', () => {
  const GIVEN = { customers: '1000', retention: '60', purchase: '80', margin: '40', cost: '5000', perCustomer: '2' };

  it('needs no orders where all is given, and compares programmes', () => {
    const report = programme.alone?.({ ...GIVEN, against: ['retention=65,cost=8000,per-customer=3', 'years=3'] });
    if (report === undefined) throw new Error('asks for a source');
    const text = said(report);
    expect(text).toContain('41.96');
    expect(text).toContain('Programme 1 is worth most: 9,541 more than Programme 2');
    expect(text).toContain('worth as much as Programme 1 where 73.2 % stay');
    expect(report.json).toMatchObject({
      best: 'Programme 1',
      programmes: [{}, { programme: { retention: 0.65 } }, { years: [{}, {}, {}] }],
    });
    expect(JSON.stringify(report.json)).not.toMatch(/null|NaN/);
  });

  it('takes from orders what is not given, and says from which', async () => {
    expect(programme.alone?.({ cost: '5000' })).toBeUndefined();
    const report = await programme.make(shop, { cost: '5000' });
    expect(report.basis).toMatch(
      /customers who bought in the last year; a retention of .* of the year before bought again/,
    );
    expect(report.basis).toContain('a margin of 40.0 %, known of 100 % of revenue');
    const [row] = (
      report.json as { programmes: { programme: { customers: number; margin: number; retention: number } }[] }
    ).programmes;
    expect(row?.programme.margin).toBeCloseTo(0.4, 3);
    const [counted] = await shop.warehouse.rows(
      `SELECT count(DISTINCT contact) AS n FROM sales WHERE day > ${TODAY - 365}`,
    );
    expect(row?.programme.customers).toBe(counted?.n);
    const given = await programme.make(shop, { retention: '10' });
    expect(
      (given.json as { programmes: { programme: { retention: number } }[] }).programmes[0]?.programme.retention,
    ).toBe(0.1);
  });

  it('adds up what past periods have earned', async () => {
    const periods = `${dateOfDay(TODAY - 1000)}..${dateOfDay(TODAY - 101)},${dateOfDay(TODAY - 100)}..${dateOfDay(TODAY)}`;
    const { json } = await programme.make(shop, { periods });
    const { past } = json as {
      past: { customers: number; revenueMinor: number; goodsMinor: number; leftMinor: number }[];
    };
    const [all] = await shop.warehouse.rows('SELECT sum(revenue) AS revenue, sum(margin) AS margin FROM sales');
    expect(past.reduce((sum, { revenueMinor }) => sum + revenueMinor, 0)).toBe(all?.revenue);
    expect(past.reduce((sum, { leftMinor }) => sum + leftMinor, 0)).toBe(all?.margin);
  });

  it('refuses what cannot be, and what no order tells', async () => {
    expect(await fault((async () => programme.alone?.({ ...GIVEN, retention: '160' }))())).toBe('programme.value');
    expect(await fault((async () => programme.alone?.({ ...GIVEN, against: ['retention'] }))())).toBe(
      'programme.against',
    );
    expect(await fault((async () => programme.alone?.({ ...GIVEN, against: ['churn=5'] }))())).toBe(
      'programme.unknown',
    );
    expect(await fault(programme.make(empty, {}))).toBe('programme.missing');
    for (const periods of ['2026-01-01', '2026-02-30..2026-03-01', '2026-03-01..2026-02-01', '']) {
      expect(await fault(programme.make(shop, { periods }))).toBe('programme.period');
    }
  });
});
