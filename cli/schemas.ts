// kairos schemas: writes the JSON Schemas that editors complete and check the templates with.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { jsonSchemas } from '../domain/schemas.ts';
import { TEMPLATES } from './validate.ts';

/** File name → text, as it stands in templates/schemas/. */
export function schemaFiles(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(jsonSchemas()).map(([name, schema]) => [name, `${JSON.stringify(schema, null, 2)}\n`]),
  );
}

/** Adds `kairos schemas [folder]`. */
export function registerSchemas(program: Command): void {
  program
    .command('schemas')
    .description('write the JSON Schemas for editors to templates/schemas')
    .argument('[folder]', 'the folder of templates', TEMPLATES)
    .action(async (folder: string) => {
      const files = schemaFiles();
      await mkdir(path.join(folder, 'schemas'), { recursive: true });
      for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, 'schemas', name), text);
      console.log(
        `${Object.keys(files).length} schemas written to ${path.relative(process.cwd(), path.join(folder, 'schemas'))}.`,
      );
    });
}
