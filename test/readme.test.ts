// The README and the docs stay true: their links lead somewhere, their examples are the files, their commands exist.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: root })];
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

describe('the docs', () => {
  for (const page of pages) {
    it(`${page} links only to what is there`, () => {
      const links = [...read(page).matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)].map(([, link]) => link ?? '');
      const local = links.filter((link) => !/^[a-z]+:/.test(link));
      expect(local.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([]);
    });

    it(`${page} names only npm commands that exist`, () => {
      const named = [...read(page).matchAll(/npm run (?:-s |--silent )?([a-z][a-z:-]*)/g)].map(
        ([, name]) => name ?? '',
      );
      expect(named.filter((name) => !(name in scripts))).toEqual([]);
    });
  }

  it('README shows the very campaign that it names', () => {
    const [, file = '', shown = ''] = /<!-- example: (\S+) -->\n```json\n([\s\S]*?)```/.exec(read('README.md')) ?? [];
    expect(JSON.parse(shown)).toEqual(JSON.parse(read(file)));
  });

  it('README opens with one sentence and the two commands', () => {
    const [title, sentence, commands] = read('README.md').split('\n\n');
    expect(title).toBe('# Kairos');
    expect(sentence?.match(/\./g)).toHaveLength(1);
    expect(commands).toContain('npm ci && npm start');
    expect(commands).toContain('npm ci && npm test');
  });
});
