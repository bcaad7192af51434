// The statements of functions/aws/sql, by name: views first, in the order in which each can stand on those before.
import { readFileSync } from 'node:fs';

/** Views over the tables of the lake: `sql/views/<name>.sql`, each with its body only. */
export const VIEWS = [] as const satisfies readonly string[];

/** The text of `sql/<name>.sql`; bundles hold the folder beside themselves. Throws where there is none. */
export function query(name: string): string {
  if (!/^(views\/)?[a-z][a-z-]*$/.test(name)) throw new Error(`sql: ${JSON.stringify(name)} is no name of a statement`);
  return readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8');
}
