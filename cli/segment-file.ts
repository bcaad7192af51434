// Writes a segment that was found as a file of templates: checked first, and never over another unless told to.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checkTemplates } from '../domain/check.ts';
import { KairosError } from '../domain/fault.ts';
import { id, type Rule, Segment } from '../domain/grammar.ts';
import { readTemplates } from './templates-folder.ts';

export interface NewSegment {
  name: string;
  title: string;
  rule: Rule;
  /** The folder of segments. */
  folder: string;
  /** Over a file that is there. */
  force: boolean;
}

/**
 * Writes `<folder>/<name>.json` and gives its path. In a folder of templates the file is checked together with the others
 * first, as publish does. Throws KairosError `segment.name` for what is no name, `segment.exists` where there is such a
 * file and `force` was not said, and the fault where the segment would not pass; then nothing is written.
 */
export async function writeSegment({ name, title, rule, folder, force }: NewSegment): Promise<string> {
  if (!id.safeParse(name).success) {
    throw new KairosError({
      code: 'segment.name',
      path: '--as',
      message: `${JSON.stringify(name)} is no name of a segment.`,
      remedy: 'Write small letters, digits and hyphens, at most 64.',
    });
  }
  const file = path.join(folder, `${name}.json`);
  if (existsSync(file) && !force) {
    throw new KairosError({
      code: 'segment.exists',
      path: file,
      message: 'There is such a segment already; nothing was written.',
      remedy: 'Give another name with --as, or --force to write over it.',
    });
  }
  const segment = { $schema: '../schemas/segment.json', title, rule };
  Segment.parse(segment);
  const text = `${said(segment, 0)}\n`;
  const around = path.dirname(path.resolve(folder));
  if (path.basename(path.resolve(folder)) === 'segments' && existsSync(path.join(around, 'settings.json'))) {
    const inside = `segments/${name}.json`;
    const checked = checkTemplates(new Map([...(await readTemplates(around)), [inside, text]]));
    const fault = 'faults' in checked ? checked.faults.find((each) => each.file === inside) : undefined;
    if (fault !== undefined) throw new KairosError(fault);
  }
  await mkdir(folder, { recursive: true });
  await writeFile(file, text);
  return file;
}

const WIDTH = 120;

/** JSON as the other templates are written: on one line what fits there, the outermost object apart. */
function said(value: unknown, depth: number): string {
  const flat = flatly(value);
  const indent = '  '.repeat(depth);
  if (value === null || typeof value !== 'object' || (depth > 0 && indent.length + flat.length + 20 <= WIDTH))
    return flat;
  const inner = '  '.repeat(depth + 1);
  if (Array.isArray(value)) {
    return `[\n${value.map((each) => inner + said(each, depth + 1)).join(',\n')}\n${indent}]`;
  }
  const entries = Object.entries(value).map(
    ([key, each]) => `${inner}${JSON.stringify(key)}: ${said(each, depth + 1)}`,
  );
  return `{\n${entries.join(',\n')}\n${indent}}`;
}

function flatly(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flatly).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${flatly(each)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}
