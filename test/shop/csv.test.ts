// The streaming reader: the files of csv-spectrum, and broken files whose faults name their line.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { readCsv } from '../../cli/import-csv.ts';

const folder = mkdtempSync(join(tmpdir(), 'kairos-csv-'));
afterAll(() => rmSync(folder, { recursive: true }));
const SPECTRUM = new URL('../../../shared/data/csv_spectrum/', import.meta.url).pathname;

async function read(content: string | Buffer) {
  const path = join(folder, 'file.csv');
  writeFileSync(path, content);
  let header: string[] = [];
  const rows: [number, string[]][] = [];
  const faults: [number, string][] = [];
  await readCsv(
    path,
    {},
    {
      header: (names) => {
        header = names;
      },
      row: (fields, line) => rows.push([line, fields]),
      fault: (line, message) => faults.push([line, message]),
    },
  );
  return { header, rows, faults };
}

if (!existsSync(SPECTRUM)) console.warn(`SKIPPED: ${SPECTRUM} is missing, csv-spectrum is not tried`);
describe.skipIf(!existsSync(SPECTRUM))('csv-spectrum', () => {
  const names = existsSync(SPECTRUM) ? readdirSync(join(SPECTRUM, 'csvs')).map((name) => name.replace('.csv', '')) : [];
  test.each(names)('%s reads as its JSON says', async (name) => {
    const stored = readFileSync(join(SPECTRUM, 'csvs', `${name}.csv`), 'utf8');
    // This copy of the files has lost its carriage returns.
    const content = name.endsWith('_crlf') ? stored.replace(/\r?\n/g, '\r\n') : stored;
    const { header, rows, faults } = await read(content);
    const objects = rows.map(([, fields]) => Object.fromEntries(header.map((key, index) => [key, fields[index]])));
    expect(objects).toEqual(JSON.parse(readFileSync(join(SPECTRUM, 'json', `${name}.json`), 'utf8')));
    expect(faults).toEqual([]);
  });
});

describe('a broken file', () => {
  test('a row with a field too many or too few is a fault of its line, and the others are read', async () => {
    const { rows, faults } = await read('a,b\n1,2\n3,4,5\n6\n7,8\n');
    expect(rows).toEqual([
      [2, ['1', '2']],
      [5, ['7', '8']],
    ]);
    expect(faults).toEqual([
      [3, 'has 3 fields, unlike the first line'],
      [4, 'has 1 field, unlike the first line'],
    ]);
  });

  test('quotes inside fields are faults of two neighbouring lines, and the row after them is read', async () => {
    const { rows, faults } = await read('a,b\n1,2\nx"y,4\n"8"z,9\n10,11\n');
    expect(faults.map(([line]) => line)).toEqual([3, 4]);
    expect(faults[0]![1]).toContain('a quote inside a field');
    expect(rows.map(([line]) => line)).toEqual([2, 5]);
  });

  test('a quote that nothing closes names the line that opened it and the last line that was lost', async () => {
    const { rows, faults } = await read('a,b\n1,2\n"x,4\n6,7\n8,9\n');
    expect(rows).toEqual([[2, ['1', '2']]]);
    expect(faults).toEqual([[3, 'opens a quote that nothing closes; the lines up to 5 were left out with it']]);
  });

  test('a quote closed lines later loses only the lines in between, which are named', async () => {
    const { rows, faults } = await read('a,b\n1,2\n"x,4\n6,"7\n8,9\n');
    expect(faults).toHaveLength(1);
    expect(faults[0]![0]).toBe(3);
    expect(faults[0]![1]).toContain('the lines up to 4 were left out');
    expect(rows.map(([line]) => line)).toEqual([2, 5]);
  });

  test('lines are counted over fields with line breaks and over empty lines', async () => {
    const { rows, faults } = await read('a,b\r\n"x\r\ny",2\r\n\r\n3\r\n5,6');
    expect(rows).toEqual([
      [2, ['x\r\ny', '2']],
      [6, ['5', '6']],
    ]);
    expect(faults).toEqual([[5, 'has 1 field, unlike the first line']]);
  });

  test('a gzipped file is read whatever its name, and one that is cut off is a fault', async () => {
    const zipped = gzipSync('a,b\n1,2\n3,4\n');
    expect((await read(zipped)).rows).toHaveLength(2);
    const { faults } = await read(zipped.subarray(0, zipped.length - 9));
    expect(faults[0]![1]).toContain('damaged');
  });

  test('a byte order mark is no part of the first name', async () => {
    expect((await read('\uFEFFa,b\n1,2\n')).header).toEqual(['a', 'b']);
  });

  test('a file that is not there and a file without a first line are thrown as faults', async () => {
    const sink = { header() {}, row() {}, fault() {} };
    await expect(readCsv(join(folder, 'none.csv'), {}, sink)).rejects.toMatchObject({ fault: { code: 'import.file' } });
    await expect(read('')).rejects.toMatchObject({ fault: { code: 'import.empty' } });
  });
});
