// The JSON Schemas for editors are those of this release, and every template names its own.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { schemaFiles } from '../../cli/schemas.ts';
import { committed, FOLDER } from './edit.ts';

describe('templates/schemas', () => {
  it('is up to date: run "npx kairos schemas" when this fails', () => {
    const made = schemaFiles();
    expect(readdirSync(path.join(FOLDER, 'schemas')).sort()).toEqual(Object.keys(made).sort());
    for (const [name, text] of Object.entries(made)) {
      expect(readFileSync(path.join(FOLDER, 'schemas', name), 'utf8')).toBe(text);
    }
  });

  it('is named by every JSON template, by a path that leads there', async () => {
    for (const [file, text] of await committed()) {
      if (!file.endsWith('.json')) continue;
      const named = (JSON.parse(text) as { $schema?: string }).$schema;
      expect([file, named]).toEqual([file, expect.stringMatching(/schemas\/[a-z-]+\.json$/)]);
      expect([file, existsSync(path.join(FOLDER, path.dirname(file), named!))]).toEqual([file, true]);
    }
  });

  it('knows every operator that a rule can have', () => {
    const text = schemaFiles()['segment.json']!;
    for (const word of ['atLeast', 'moreThanAgo', 'between', 'startsWith', 'inLast', 'latest', 'consent']) {
      expect(text).toContain(`"${word}"`);
    }
  });
});
