// The ready-made templates with something changed: what the tables of faults are made of.
import path from 'node:path';
import { readTemplates } from '../../cli/templates-folder.ts';

export interface Edit {
  file: string;
  /** Path of the value in a JSON file; absent = the whole. */
  at?: (string | number)[];
  /** The new value; absent = the value is taken out. */
  to?: unknown;
  /** The new text of the file, as it stands. */
  text?: string;
  /** All occurrences of the first text become the second. */
  replace?: [string, string];
  remove?: boolean;
}

export const FOLDER = path.resolve(import.meta.dirname, '..', 'small-shop');
let base: ReadonlyMap<string, string> | undefined;

/** The committed templates. */
export async function committed(): Promise<ReadonlyMap<string, string>> {
  base ??= await readTemplates(FOLDER);
  return base;
}

/** The committed templates with these edits. */
export async function edited(edits: Edit[]): Promise<Map<string, string>> {
  const files = new Map(await committed());
  for (const edit of edits) {
    if (edit.remove === true) files.delete(edit.file);
    else if (edit.text !== undefined) files.set(edit.file, edit.text);
    else if (edit.replace !== undefined) {
      const before = files.get(edit.file) ?? '';
      const after = before.replaceAll(edit.replace[0], edit.replace[1]);
      if (after === before) throw new Error(`${edit.file} does not hold ${edit.replace[0]}`);
      files.set(edit.file, after);
    } else if (edit.at === undefined) files.set(edit.file, JSON.stringify(edit.to));
    else {
      const value = JSON.parse(files.get(edit.file) ?? '{}') as Record<string | number, unknown>;
      let holder = value;
      for (const part of edit.at.slice(0, -1)) holder = holder[part] as Record<string | number, unknown>;
      const last = edit.at.at(-1)!;
      if ('to' in edit) holder[last] = edit.to;
      else delete holder[last];
      files.set(edit.file, JSON.stringify(value));
    }
  }
  return files;
}
