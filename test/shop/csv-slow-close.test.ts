// A file is read from its beginning, however long the system takes for anything before.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { readCsv } from '../../cli/import-csv.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<{ open: typeof open }>();
  return {
    ...real,
    open: async (...asked: Parameters<typeof open>) => {
      const file = await real.open(...asked);
      const close = file.close;
      file.close = async () => {
        await new Promise((done) => setTimeout(done, 50));
        return close();
      };
      return file;
    },
  };
});

test('given a file that closes slowly > all its rows are read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kairos-slow-'));
  try {
    const path = join(folder, 'file.csv');
    writeFileSync(path, 'a,b\n1,2\n3,4\n');
    const rows: string[][] = [];
    await readCsv(path, {}, { header: () => {}, row: (fields) => rows.push(fields), fault: () => {} });
    expect(rows).toEqual([
      ['1', '2'],
      ['3', '4'],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
