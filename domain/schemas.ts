// JSON Schemas of the templates, for editors: made from the schemas that publishing checks with.
import * as z from 'zod';
import { Campaign } from './campaign-grammar.ts';
import { NAMED } from './check-values.ts';
import { PageTexts, SharedTexts, Texts } from './draft.ts';
import { builtinEvents } from './fields.ts';
import { Segment } from './grammar.ts';
import { movesByTime } from './insight/attributes.ts';
import { Mapping } from './mapping.ts';
import { Person } from './person.ts';
import { derivedAttributes } from './rule-attributes.ts';
import { Catalogue, Coupons, Fields, type FieldType, Loyalty, Settings } from './settings.ts';
import { builtinAttributes } from './vocabulary.ts';
import { sayName } from './words.ts';

const sources: Record<string, { schema: z.ZodType; title: string }> = {
  settings: { schema: Settings, title: 'settings.json' },
  fields: { schema: Fields, title: 'fields.json' },
  catalogue: { schema: Catalogue, title: 'catalogue.json' },
  coupons: { schema: Coupons, title: 'coupons.json' },
  loyalty: { schema: Loyalty, title: 'loyalty.json' },
  segment: { schema: Segment, title: 'segments/<id>.json' },
  campaign: { schema: Campaign, title: 'campaigns/<id>.json' },
  person: { schema: Person, title: 'people/<name>.json' },
  import: { schema: Mapping, title: 'imports/<name>.json' },
  texts: { schema: Texts, title: 'emails/<name>/<locale>.json' },
  'shared-texts': { schema: SharedTexts, title: 'emails/_shared/<locale>.json' },
  'page-texts': { schema: PageTexts, title: 'pages/<locale>.json' },
};

type Schema = Record<string, unknown> & { properties?: Record<string, Schema>; definitions?: Record<string, Schema> };

/** Attributes that may stand in a "when", by its key. */
const STARTING: Record<string, (name: string, type: FieldType) => boolean> = {
  changes: (name) => name !== 'running' && name !== 'rhythm.overdue' && !movesByTime(name),
  date: (_, type) => type === 'date',
};

/** Every property of that name, anywhere in a schema. */
function propertiesNamed(name: string, schema: unknown): Schema[] {
  if (schema === null || typeof schema !== 'object') return [];
  const { properties } = schema as Schema;
  const found = properties !== undefined && Object.hasOwn(properties, name) ? [properties[name] as Schema] : [];
  return [...found, ...Object.values(schema).flatMap((each) => propertiesNamed(name, each))];
}

/**
 * Names that every shop has, for editors to complete: attributes in "has", events in "did", their properties in "where".
 * Names of a shop's own are as good; only publishing knows whether they are declared.
 */
function withNames(made: Schema): Schema {
  const { Has, When, Where } = made.definitions ?? {};
  const has = Has?.properties?.has;
  if (has !== undefined) {
    const types: Record<string, FieldType> = { ...builtinAttributes, ...derivedAttributes };
    delete types.running;
    has.properties = Object.fromEntries(
      Object.entries(types).map(([name, type]) => [
        name,
        {
          description: `${sayName(name).replace(/,$/, '')}: ${NAMED[type]}`,
          allOf: [{ $ref: '#/definitions/Comparison' }],
        },
      ]),
    );
  }
  for (const did of propertiesNamed('did', made) as { anyOf?: unknown[] }[]) {
    if (did.anyOf !== undefined) did.anyOf = [{ enum: Object.keys(builtinEvents) }, ...did.anyOf];
  }
  const types: Record<string, FieldType> = { ...builtinAttributes, ...derivedAttributes };
  for (const [key, fits] of Object.entries(STARTING)) {
    const names = Object.keys(types).filter((name) => fits(name, types[name] as FieldType));
    for (const named of propertiesNamed(key, When)) {
      const { description, examples, ...text } = named;
      for (const part of Object.keys(text)) delete named[part];
      named.anyOf = [{ enum: names }, text];
    }
  }
  if (Where !== undefined) {
    const found = new Map<string, string>();
    for (const fields of Object.values(builtinEvents)) {
      for (const [name, type] of Object.entries(fields)) {
        found.set(
          name,
          typeof type === 'string' ? NAMED[type] : 'lines; what is asked is said of one and the same line',
        );
      }
    }
    const either = [{ $ref: '#/definitions/Comparison' }, { $ref: '#/definitions/Where' }];
    Where.properties = Object.fromEntries(
      [...found].map(([name, type]) => [name, { description: `${sayName(name)}: ${type}`, anyOf: either }]),
    );
  }
  return made;
}

/** File name in templates/schemas/ → JSON Schema (draft-7). The same release always makes the same. */
export function jsonSchemas(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(sources).map(([name, { schema, title }]) => {
      const made = z.toJSONSchema(schema, { target: 'draft-7', io: 'input', reused: 'inline' });
      return [`${name}.json`, { ...withNames(made as Schema), title }];
    }),
  );
}
