// The statements of functions/aws/sql, by name: views first, in the order in which each can stand on those before.
import { readFileSync } from 'node:fs';

/** Views over the tables of the lake: `sql/views/<name>.sql`, each with its body only. */
export const VIEWS = [
  'living',
  'people',
  'sales',
  'sale_lines',
  'bought_products',
  'purchase_days',
  'customers',
  'message_facts',
  'touches',
] as const satisfies readonly string[];

/** The text of `sql/<name>.sql`; bundles hold the folder beside themselves. Throws where there is none. */
export function query(name: string): string {
  if (!/^(views\/)?[a-z][a-z_-]*$/.test(name))
    throw new Error(`sql: ${JSON.stringify(name)} is no name of a statement`);
  return readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8');
}

const bodies = new Map<string, { body: string; needs: readonly string[] }>();

/** The body of a view, and the views that it reads. */
function viewOf(name: string): { body: string; needs: readonly string[] } {
  let known = bodies.get(name);
  if (known === undefined) {
    const body = plain(query(`views/${name}`));
    known = { body, needs: viewsIn(body) };
    bodies.set(name, known);
  }
  return known;
}

const plain = (sql: string): string => sql.replace(/--[^\n]*/g, '').trim();
const viewsIn = (sql: string): readonly string[] =>
  VIEWS.filter((view) => new RegExp(`\\b(FROM|JOIN)\\s+${view}\\b`, 'i').test(sql));

/**
 * The statement as an engine takes it that holds the tables alone: the views that it reads stand before it, each once.
 * They speak of `:currency` and `:today` (a number of days since 1970-01-01), which must be among the parameters.
 */
export function withViews(sql: string): string {
  const needed = new Set<string>();
  const need = (name: string): void => {
    for (const below of viewOf(name).needs) need(below);
    needed.add(name);
  };
  const text = plain(sql);
  for (const name of viewsIn(text)) need(name);
  const views = VIEWS.filter((view) => needed.has(view)).map((view) => `${view} AS (\n${viewOf(view).body}\n)`);
  if (views.length === 0) return text;
  const own = /^WITH\s+/i.exec(text);
  return `WITH ${views.join(', ')}${own === null ? `\n${text}` : `, ${text.slice(own[0].length)}`}`;
}
