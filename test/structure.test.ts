// Which room may speak to which: the table of the design, held against every import.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const rooms = ['domain', 'functions', 'infra', 'cli', 'local', 'bench'];

function files(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function imports(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8');
  const found = [
    ...source.matchAll(/^\s*(?:import|export)\b[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]/gm),
  ];
  return found.map(([, from, bare]) => {
    const name = from ?? bare ?? '';
    return name.startsWith('.') ? relative(root, resolve(root, dirname(file), name)) : name;
  });
}

/** What a file may import beside its own room: patterns of project paths and packages. */
const allowed: [files: RegExp, may: RegExp][] = [
  [/^domain\//, /^(domain\/|zod$|liquidjs$|temporal-polyfill$|node:crypto$|node:url$)/],
  [
    /^functions\/aws\//,
    /^(domain\/|functions\/aws\/|@aws-sdk\/|@smithy\/|@middy\/|@aws-lambda-powertools\/|aws-lambda$|uuidv7$|zod$|node:)/,
  ],
  [/^functions\/[^/]+\.ts$/, /^(domain\/|functions\/aws\/|aws-lambda$|zod$|node:crypto$)/],
  [/^infra\//, /^(infra\/|functions\/aws\/(env|lake-tables)\.ts$|aws-cdk-lib|constructs$|cdk-nag$|zod$|node:)/],
  [/^(cli|local|bench)\//, /^(?!infra\/(stack|operations|door)|console\/)/],
];

describe('the rooms', () => {
  for (const file of rooms.flatMap(files)) {
    const rule = allowed.find(([pattern]) => pattern.test(file));
    it(`${file} imports only what its room may`, () => {
      expect(rule).toBeDefined();
      expect(imports(file).filter((name) => !rule?.[1].test(name))).toEqual([]);
    });
  }

  it('names every file after its subject', () => {
    const nameless = rooms
      .flatMap(files)
      .filter((file) => /(^|\/)(utils?|helpers?|common|misc|types|index)\.ts$/.test(file));
    expect(nameless).toEqual([]);
  });

  it('keeps clock, randomness, environment and SDK out of the domain', () => {
    const impure = /Date\.now\(|new Date\(\)|Math\.random\(|process\.|@aws-sdk|randomBytes|randomUUID|performance\./;
    expect(files('domain').filter((file) => impure.test(readFileSync(join(root, file), 'utf8')))).toEqual([]);
  });

  it('imports zod whole, so that bundles stay small', () => {
    const named = rooms
      .flatMap(files)
      .filter((file) => /import \{[^}]*\} from 'zod'/.test(readFileSync(join(root, file), 'utf8')));
    expect(named).toEqual([]);
  });

  it('has no circles inside the domain', () => {
    const graph = new Map(
      files('domain').map((file) => [file, imports(file).filter((name) => name.startsWith('domain/'))]),
    );
    const circles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      else if (!done.has(file)) {
        for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
        done.add(file);
      }
    };
    const done = new Set<string>();
    for (const file of graph.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });
});
