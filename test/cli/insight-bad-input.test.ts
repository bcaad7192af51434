// Every report over what no shop should have, and some do: an answer each, said and as JSON, and never NaN.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REPORTS } from '../../cli/insight.ts';
import { cubeReport } from '../../cli/insight-cube.ts';
import { pageOf } from '../../cli/insight-page.ts';
import type { Report } from '../../cli/insight-report.ts';
import { type InsightSource, openSource } from '../../cli/insight-source.ts';
import { sayReport } from '../../cli/insight-terminal.ts';
import { DIMENSION_NAMES, MEASURE_NAMES, PERIODS } from '../../domain/insight/cube.ts';

const MAPPING = {
  imports: 'orders',
  source: 'shop',
  currency: 'EUR',
  time: { column: 'date', format: 'yyyy-MM-dd', zone: 'Europe/Berlin' },
  order: 'order',
  product: 'product',
  quantity: 'many',
  price: 'price',
  category: 'category',
  person: { user: '{who}' },
  refunds: { where: { kind: 'refund' }, amounts: 'positive', of: '{of}' },
};
const HEAD = 'order,of,kind,who,date,product,category,many,price';

/** A row of the file: an order, or a refund of one. */
type Row = [order: string, who: string, date: string, price: number, refunds?: string];
const csv = (rows: Row[]): string =>
  [
    HEAD,
    ...rows.map(([order, who, date, price, of]) =>
      [order, of ?? '', of === undefined ? '' : 'refund', who, date, 'camera', 'Cameras', 1, price].join(','),
    ),
  ].join('\n');

const days = (many: number): string[] =>
  Array.from({ length: many }, (_, i) => new Date(Date.UTC(2025, 0, 1 + i)).toISOString().slice(0, 10));

const SHOPS: Record<string, { rows: Row[]; until?: string }> = {
  'no orders': { rows: [] },
  'one customer with one order': { rows: [['1', 'ann', '2026-01-01', 10]] },
  'one customer with many orders': { rows: days(200).map((date, i): Row => [`${i}`, 'ann', date, 10]) },
  'all on one day': { rows: Array.from({ length: 60 }, (_, i): Row => [`${i}`, `c${i % 40}`, '2026-01-01', 1 + i]) },
  'everybody alike': {
    rows: Array.from(
      { length: 300 },
      (_, i): Row => [`${i}`, `c${i % 100}`, days(400)[100 * Math.floor(i / 100)] as string, 5],
    ),
  },
  'nothing but free things': {
    rows: Array.from({ length: 40 }, (_, i): Row => [`${i}`, `c${i % 20}`, days(200)[i * 4] as string, 0]),
  },
  'refunds greater than orders': {
    rows: Array.from({ length: 40 }, (_, i): Row[] => [
      [`${i}`, `c${i % 20}`, days(200)[i * 4] as string, 10],
      [`r${i}`, `c${i % 20}`, days(200)[i * 4 + 1] as string, 90, `x${i}`],
    ]).flat(),
  },
  'refunds alone': {
    rows: [
      ['r1', 'ann', '2026-01-02', 90, '1'],
      ['r2', 'bob', '2026-01-02', 90, '2'],
    ],
  },
  'guests alone': { rows: Array.from({ length: 10 }, (_, i): Row => [`${i}`, '', '2026-01-01', 7]) },
  'orders in the future': {
    rows: [
      ...Array.from({ length: 40 }, (_, i): Row => [`${i}`, `c${i % 20}`, days(200)[i * 4] as string, 3]),
      ['f', 'c1', '2040-01-01', 1e9],
    ],
    until: '2025-07-01',
  },
  'nothing before its last day': { rows: [['1', 'ann', '2026-01-01', 10]], until: '2020-01-01' },
  'amounts as great as money goes': {
    rows: Array.from({ length: 30 }, (_, i): Row => [`${i}`, `c${i % 9}`, days(300)[i * 9] as string, 10_000_000_000]),
  },
};

let folder: string;
let mapping: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kairos-insight-'));
  mapping = join(folder, 'mapping.json');
  writeFileSync(mapping, JSON.stringify(MAPPING));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a report must not hold anywhere: in its JSON, its words, or its page. */
function expectDefined(report: Report): void {
  const holes: string[] = [];
  const look = (value: unknown, path: string): void => {
    if (typeof value === 'number' && !Number.isFinite(value)) holes.push(path);
    else if (value !== null && typeof value === 'object')
      for (const [name, inner] of Object.entries(value)) look(inner, `${path}.${name}`);
  };
  look(report.json, 'json');
  expect(holes, report.name).toEqual([]);
  expect(() => JSON.parse(JSON.stringify(report.json))).not.toThrow();
  const said = sayReport(report, { width: 100, colour: false });
  expect(said, report.name).not.toMatch(/NaN|Infinity|undefined|\[object/);
  expect(pageOf([report], { shop: 'Shop', made: 'today' }), report.name).not.toMatch(/NaN|Infinity|undefined|\[object/);
  expect(report.parts.length, report.name).toBeGreaterThan(0);
}

describe.each(Object.entries(SHOPS))('%s', (name, { rows, until }) => {
  let source: InsightSource;
  beforeAll(async () => {
    const orders = join(folder, `${name.replaceAll(' ', '-')}.csv`);
    writeFileSync(orders, csv(rows));
    source = await openSource({ orders, mapping, until });
  });
  afterAll(() => source?.close());

  it.each(REPORTS.filter((one) => one.onlyAlone !== true).map((one) => one.name))(
    '%s has an answer',
    async (report) => {
      expectDefined(await (REPORTS.find((one) => one.name === report) as (typeof REPORTS)[number]).make(source, {}));
    },
  );

  it('any figure by anything has an answer', async () => {
    const others = DIMENSION_NAMES.filter((one) => !PERIODS.includes(one));
    for (const by of [[...others, 'month'].join(','), ...DIMENSION_NAMES])
      expectDefined(await cubeReport(source, { by, of: MEASURE_NAMES.join(',') }));
  });

  it('says what it was made of', () => {
    expect(source.says).toMatch(/^.+\.csv: [\d,]+ orders? of [\d,]+ customers? up to /);
  });
});
