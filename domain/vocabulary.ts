// What rules may speak of in one set of templates: what is built in, and what fields.json declares.
import { builtinEvents, type EventFields } from './fields.ts';
import { derivedAttributes } from './rule-attributes.ts';
import type { Fields, FieldType, Settings } from './settings.ts';

/** Attributes that need no declaration: Segment's reserved traits, and those that we read. */
export const builtinAttributes: Record<string, FieldType> = {
  email: 'text',
  firstName: 'text',
  lastName: 'text',
  name: 'text',
  title: 'text',
  username: 'text',
  phone: 'text',
  website: 'text',
  gender: 'text',
  age: 'number',
  birthday: 'date',
  createdAt: 'date',
  country: 'text',
  region: 'text',
  city: 'text',
  postalCode: 'text',
  language: 'text',
  locale: 'text',
  timezone: 'text',
};

/** What the catalogue says of a product: `catalogue.*` of a line, `@product.*` in a campaign. */
export const productFields: Record<string, FieldType> = {
  name: 'text',
  category: 'text',
  brand: 'text',
  price: 'money',
  margin: 'number',
  url: 'text',
  imageUrl: 'text',
  complements: 'list',
  upgrade: 'text',
  replaceAfter: 'text',
  lastsFor: 'text',
  consumable: 'boolean',
};

/** What rules may speak of in one set of templates. */
export interface Vocabulary {
  events: Record<string, EventFields>;
  attributes: Record<string, FieldType>;
  segments: ReadonlySet<string>;
  campaigns: ReadonlySet<string>;
  topics: ReadonlySet<string>;
  /** Loyalty tiers, where loyalty.json names any. */
  tiers?: ReadonlySet<string>;
  /** The shop's, where it is known: amounts have as many decimals. */
  currency?: string;
}

/** The vocabulary of these templates: what is built in, and what fields.json declares. */
export function vocabularyOf(
  fields: Fields,
  settings: Pick<Settings, 'topics'> & Partial<Pick<Settings, 'currency'>>,
  segments: Iterable<string>,
  campaigns: Iterable<string>,
): Vocabulary {
  const events: Record<string, EventFields> = { ...builtinEvents };
  for (const [name, properties] of Object.entries(fields.events ?? {})) {
    events[name] = { ...(Object.hasOwn(builtinEvents, name) ? builtinEvents[name] : {}), ...properties };
  }
  return {
    events,
    attributes: { ...builtinAttributes, ...fields.attributes },
    segments: new Set(segments),
    campaigns: new Set(campaigns),
    topics: new Set(Object.keys(settings.topics)),
    ...(settings.currency === undefined ? {} : { currency: settings.currency }),
  };
}

/** The type of an attribute, given, derived or declared; undefined when it is unknown. */
export function attributeType(name: string, { attributes }: Pick<Vocabulary, 'attributes'>): FieldType | undefined {
  if (Object.hasOwn(derivedAttributes, name)) return derivedAttributes[name];
  if (Object.hasOwn(attributes, name)) return attributes[name];
  return name.endsWith('.givenAt') && Object.hasOwn(attributes, name.slice(0, -'.givenAt'.length)) ? 'date' : undefined;
}
