// JSON Schemas of the templates, for editors: made from the schemas that publishing checks with.
import * as z from 'zod';
import { PageTexts, SharedTexts, Texts } from './draft.ts';
import { Campaign, Segment } from './grammar.ts';
import { Mapping } from './mapping.ts';
import { Person } from './person.ts';
import { Catalogue, Fields, Settings } from './settings.ts';

const sources: Record<string, { schema: z.ZodType; title: string }> = {
  settings: { schema: Settings, title: 'settings.json' },
  fields: { schema: Fields, title: 'fields.json' },
  catalogue: { schema: Catalogue, title: 'catalogue.json' },
  segment: { schema: Segment, title: 'segments/<id>.json' },
  campaign: { schema: Campaign, title: 'campaigns/<id>.json' },
  person: { schema: Person, title: 'people/<name>.json' },
  import: { schema: Mapping, title: 'imports/<name>.json' },
  texts: { schema: Texts, title: 'emails/<name>/<locale>.json' },
  'shared-texts': { schema: SharedTexts, title: 'emails/_shared/<locale>.json' },
  'page-texts': { schema: PageTexts, title: 'pages/<locale>.json' },
};

/** File name in templates/schemas/ → JSON Schema (draft-7). The same release always makes the same. */
export function jsonSchemas(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(sources).map(([name, { schema, title }]) => {
      const made = z.toJSONSchema(schema, { target: 'draft-7', io: 'input', reused: 'inline' });
      return [`${name}.json`, { ...made, title }];
    }),
  );
}
