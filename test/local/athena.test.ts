// Athena as the warehouse against the laptop's Athena: over HTTP, with results read from the laptop's bucket.
import { gzipSync } from 'node:zlib';
import { AthenaClient } from '@aws-sdk/client-athena';
import { S3Client } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AthenaWarehouse } from '../../functions/aws/athena.ts';
import { readCsv } from '../../functions/aws/csv-cells.ts';
import { Athena } from '../../local/athena.ts';
import { Buckets } from '../../local/s3.ts';
import { type LocalServer, type Services, startServer } from '../../local/server.ts';
import { Troubles } from '../../local/trouble.ts';
import { Work } from '../../local/work.ts';

const NOW = Date.UTC(2026, 4, 4);
const buckets = new Buckets(['shelf'], () => NOW);
const athena = new Athena(buckets, () => NOW);
let server: LocalServer;
let clients: { athena: AthenaClient; s3: S3Client };
let warehouse: AthenaWarehouse;

beforeAll(async () => {
  server = await startServer(0, new Work(), new Troubles());
  server.serve({ buckets, athena, queues: [], urls: new Map() } as unknown as Services);
  const config = {
    endpoint: server.base,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  };
  clients = { athena: new AthenaClient(config), s3: new S3Client({ ...config, forcePathStyle: true }) };
  warehouse = made();
});
afterAll(async () => {
  await server.close();
  await athena.close();
  for (const client of Object.values(clients)) client.destroy();
});

const made = (deps: { limit?: number; sleep?: (pause: number) => Promise<unknown> } = {}) =>
  new AthenaWarehouse(
    { workgroup: 'insight', database: 'kairos_laptop', output: 's3://shelf/athena/' },
    { ...clients, sleep: () => new Promise((done) => setTimeout(done, 1)), ...deps },
  );

function put(table: string, day: string, file: string, rows: object[]): void {
  const body = gzipSync(`${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
  buckets.put('shelf', `lake/${table}/day=${day}/${file}.ndjson.gz`, body);
}
const order = (id: string, version: number, more: object = {}) => ({
  order: id,
  version,
  contact: `c-${id}`,
  at: NOW,
  date: '2026-05-04',
  completed: true,
  cancelled: false,
  currency: 'EUR',
  revenue: 1000,
  refunded: 0,
  margin: 300,
  valued: 1000,
  discount: 0,
  coupon: false,
  source: 'shop',
  ...more,
});

describe('what a statement gives', () => {
  it('numbers are numbers, truth values are such, dates are texts, nothing is null, and an empty text is not nothing', async () => {
    const [row] = await warehouse.rows(
      `SELECT 1 AS one, CAST(7 AS bigint) AS "big", 2.5 AS "part", CAST(0.25 AS double) AS "half", true AS "yes",
              CAST(NULL AS integer) AS "none", '' AS "empty", CAST('2026-05-04' AS date) AS "day", CAST(NULL AS varchar) AS "no"`,
    );
    expect(row).toEqual({
      one: 1,
      big: 7,
      part: 2.5,
      half: 0.25,
      yes: true,
      none: null,
      empty: '',
      day: '2026-05-04',
      no: null,
    });
  });

  it('texts come as they are, with quotes, commas, line breaks and letters of any script', async () => {
    const text = 'say "hi", ann\nand żółw \r\n';
    const [row] = await warehouse.rows(`SELECT '${text}' AS said, 'b' AS other`);
    expect(row).toEqual({ said: text, other: 'b' });
  });

  it('numbers that are none, and infinite ones, are nothing', async () => {
    const [row] = await warehouse.rows("SELECT CAST('nan' AS double) AS a, CAST('infinity' AS double) AS b");
    expect(row).toEqual({ a: null, b: null });
  });

  it('a whole number that a number cannot hold is a fault, and no other number', async () => {
    await expect(warehouse.rows('SELECT 9007199254740993 AS n')).rejects.toThrow(/greater than a number can hold/);
  });

  it('no rows are no rows', async () => {
    expect(await warehouse.rows('SELECT 1 AS one WHERE false')).toEqual([]);
  });

  it('many rows come in batches, in their order, and none is lost between two of them', async () => {
    const sizes: number[] = [];
    let next = 0;
    for await (const batch of warehouse.batches('SELECT i, i * 2 AS twice FROM range(5001) AS t(i) ORDER BY i')) {
      sizes.push(batch.length);
      for (const row of batch) expect(row).toEqual({ i: next, twice: 2 * next++ });
    }
    expect(sizes).toEqual([2000, 2000, 1001]);
  });

  it('parameters are written in', async () => {
    expect(
      await warehouse.rows('SELECT :most + 1 AS n, CAST(:from AS date) AS d', { most: 4, from: '2026-01-01' }),
    ).toEqual([{ n: 5, d: '2026-01-01' }]);
  });
});

describe('the lake', () => {
  it('is what stands in the bucket at the statement: new files are added, one that changed is read anew, one that is gone is gone', async () => {
    const count = async () =>
      (await warehouse.rows('SELECT count(*) AS n, sum(revenue) AS revenue, max(version) AS v FROM orders'))[0];
    expect(await count()).toEqual({ n: 0, revenue: null, v: null });
    put('orders', '2026-05-04', 'a', [order('o1', 1), order('o2', 1)]);
    expect(await count()).toEqual({ n: 2, revenue: 2000, v: 1 });
    put('orders', '2026-05-05', 'b', [order('o1', 2, { refunded: 400 })]);
    expect(await count()).toEqual({ n: 3, revenue: 3000, v: 2 });
    put('orders', '2026-05-04', 'a', [order('o1', 1)]);
    expect(await count()).toEqual({ n: 2, revenue: 2000, v: 2 });
    await clients.s3.send(
      new (await import('@aws-sdk/client-s3')).DeleteObjectCommand({
        Bucket: 'shelf',
        Key: 'lake/orders/day=2026-05-05/b.ndjson.gz',
      }),
    );
    expect(await count()).toEqual({ n: 1, revenue: 1000, v: 1 });
  });

  it('has views, made and made again, which say what the tables say then', async () => {
    await warehouse.run('CREATE OR REPLACE VIEW dear AS SELECT "order" FROM orders WHERE revenue > 2000');
    expect(await warehouse.rows('SELECT * FROM dear')).toEqual([]);
    put('orders', '2026-05-06', 'c', [order('o9', 1, { revenue: 5000 })]);
    expect(await warehouse.rows('SELECT * FROM dear')).toEqual([{ order: 'o9' }]);
    await warehouse.run('CREATE OR REPLACE VIEW dear AS SELECT "order" FROM orders WHERE revenue > 9000');
    expect(await warehouse.rows('SELECT * FROM dear')).toEqual([]);
  });
});

describe('a statement that cannot be answered', () => {
  it.each([
    ['one that the engine refuses', 'SELECT nothing FROM orders', /nothing/],
    ['one that fails on the way', "SELECT CAST('x' AS bigint) AS n", /'x'/],
    ['one that would change the lake', 'DELETE FROM orders', /SELECT/],
  ])('%s is an error in the engine’s words', async (_, sql, says) => {
    await expect(warehouse.rows(sql)).rejects.toMatchObject({
      code: 'athena.refused',
      message: expect.stringMatching(says),
    });
  });

  it('one that Athena does not even start is an error in its words too', async () => {
    await expect(warehouse.rows(' ')).rejects.toMatchObject({ code: 'athena.refused' });
  });

  it('one that takes longer than it may is stopped, and waited for in ever longer steps', async () => {
    const pauses: number[] = [];
    const stopped: string[] = [];
    const call = athena.call.bind(athena);
    athena.call = (operation, input) => {
      const { QueryExecutionId: id } = input as { QueryExecutionId: string };
      if (operation === 'StopQueryExecution') stopped.push(id);
      if (operation === 'GetQueryExecution')
        return { QueryExecution: { QueryExecutionId: id, Status: { State: 'RUNNING' } } };
      return call(operation, input);
    };
    try {
      const slow = made({ limit: 20_000, sleep: async (pause) => void pauses.push(pause) });
      await expect(slow.rows('SELECT 1 AS one')).rejects.toMatchObject({ code: 'athena.slow' });
    } finally {
      athena.call = call;
    }
    expect(stopped).toHaveLength(1);
    expect(pauses.slice(0, 3)).toEqual([200, 300, 450]);
    expect(Math.max(...pauses)).toBe(3000);
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBeLessThan(24_000);
  });
});

describe('the CSV of a result', () => {
  const cell = fc.option(fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'ż', '😀'), maxLength: 6 }), {
    nil: null,
  });
  it('is read as it was written, however its bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
        async (lines, sizes) => {
          const text = lines
            .map((cells) => `${cells.map((one) => (one === null ? '' : `"${one.replaceAll('"', '""')}"`)).join(',')}\n`)
            .join('');
          async function* chunks() {
            const bytes = Buffer.from(text);
            for (let at = 0, n = 0; at < bytes.length; n++) {
              const size = sizes[n % sizes.length] as number;
              yield bytes.subarray(at, at + size);
              at += size;
            }
          }
          const read: (string | null)[][] = [];
          for await (const cells of readCsv(chunks())) read.push(cells);
          expect(read).toEqual(lines);
        },
      ),
      { numRuns: 300 },
    );
  });
});
