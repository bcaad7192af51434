// Importing codes on a real engine: long files, imports that die and are given again, two at once.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { importCoupons, listPools } from '../../cli/coupons.ts';
import { Coupons, countPool, readCode } from '../../functions/aws/coupons.ts';
import { documentClient, key, Table } from '../../functions/aws/table.ts';
import { around, DoomedProcess, metered } from '../functions/faults.ts';
import { type Bench, benchOver, definitions, NOON, publish } from '../functions/fixtures.ts';
import { type Engine, startEngine } from '../support/engine.ts';

let engine: Engine;
let bench: Bench;
let folder: string;
beforeAll(async () => {
  engine = await startEngine();
  folder = mkdtempSync(join(tmpdir(), 'kairos-coupons-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await engine.stop();
});
beforeEach(async () => {
  bench = benchOver(await engine.table());
  await publish(bench.table, bench.bucket, definitions({ coupons: { pools: { BACK10: { percent: 10 } } } }));
});

function fileOf(many: number): string {
  const file = join(folder, `codes-${many}.csv`);
  const lines = Array.from({ length: many }, (_, n) => `CODE-${String(n).padStart(6, '0')}`);
  writeFileSync(file, `code\n${lines.join('\n')}\n`);
  return file;
}
const stage = (table: Table = bench.table) => ({ table, bucket: bench.bucket, now: bench.clock.now, warn: () => {} });

describe('an import', () => {
  it('of more codes than are held at once reads all of them, and says how far it is', async () => {
    const file = fileOf(5_300);
    const bytes: number[] = [];
    const told = await importCoupons(file, 'BACK10', stage(), { onProgress: (at) => bytes.push(at) });
    expect(told).toMatchObject({ rows: 5_300, imported: 5_300, known: 0, faults: { count: 0 } });
    expect(await countPool(bench.table, 'BACK10', NOON)).toMatchObject({ free: 5_300 });
    expect(bytes.at(-1)).toBe(5_300 * 12 + 5);
    expect(await importCoupons(file, 'BACK10', stage())).toMatchObject({ imported: 0, known: 5_300, differing: 0 });
  });

  it('that dies anywhere and is given again has each code once, and gives none back that somebody has', async () => {
    const file = fileOf(130);
    let deaths = 0;
    for (const when of ['before', 'after'] as const) {
      for (let at = 0; ; at++) {
        bench = benchOver(await engine.table());
        await publish(bench.table, bench.bucket, definitions({ coupons: { pools: { BACK10: { percent: 10 } } } }));
        const client = engine.client();
        const process = new DoomedProcess(at, when);
        around(client, process.step);
        await importCoupons(file, 'BACK10', stage(new Table(documentClient(client), bench.table.name, 2))).catch(
          () => {},
        );
        if (!process.dead) break;
        deaths++;
        const claim = { run: 'r1', pool: 'BACK10', contact: 'c1', message: 'm1' };
        const given = await new Coupons(bench.table).give(claim, NOON);
        const again = await importCoupons(file, 'BACK10', stage());
        expect(again.imported + again.known).toBe(130);
        const counts = await countPool(bench.table, 'BACK10', NOON);
        expect(counts).toMatchObject({ free: given === undefined ? 130 : 129, given: given === undefined ? 0 : 1 });
        expect(await listPools(stage())).toHaveLength(1);
      }
    }
    expect(deaths).toBeGreaterThan(8);
  });

  it('beside another of the same file has each code once', async () => {
    const file = fileOf(400);
    const [one, other] = await Promise.all([
      importCoupons(file, 'BACK10', stage()),
      importCoupons(file, 'BACK10', stage()),
    ]);
    expect(one.imported + other.imported).toBe(400);
    expect(one.known + other.known).toBe(400);
    expect(await countPool(bench.table, 'BACK10', NOON)).toMatchObject({ free: 400 });
  });

  it('keeps what is there: another value or expiry is counted and changes nothing', async () => {
    const file = join(folder, 'again.csv');
    writeFileSync(file, 'code,value,expiry\nCODE-0001,5%,2026-12-31\nCODE-0002,10%,\n');
    await importCoupons(file, 'BACK10', stage());
    writeFileSync(file, 'code,value,expiry\ncode-0001,10%,2026-12-31\nCODE-0002,10%,\n');
    expect(await importCoupons(file, 'BACK10', stage())).toMatchObject({ imported: 0, known: 2, differing: 1 });
    const item = await bench.table.readOne(key.code('CODE-0001'));
    expect(readCode(item!)).toMatchObject({ code: 'CODE-0001', percent: 5 });
  });

  it('costs what is said: a read unit and four write units a code', async () => {
    const client = engine.client();
    const spent = metered(client);
    await importCoupons(fileOf(200), 'BACK10', stage(new Table(documentClient(client), bench.table.name, 2)));
    // One write for the pool, three reads for the book: its pointer, the controls, the pointer of the models.
    expect(spent.write).toBe(200 * 4 + 1);
    expect(spent.read).toBeLessThanOrEqual(200 + 3);
  });
});
