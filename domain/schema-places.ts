// What a zod schema knows of a place in a value: the forms that may stand there, their keys, their examples.
import type * as z from 'zod';

type Path = readonly PropertyKey[];

/** The value at a path of own properties; undefined where there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  let found: unknown = value;
  for (const part of path) {
    if (found === null || typeof found !== 'object' || !Object.hasOwn(found, part)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[part];
  }
  return found;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** What lies behind lazies, optionals and unions: the schemas that can meet a value. */
function options(schema: z.core.$ZodType): z.core.$ZodType[] {
  const def = schema._zod.def as unknown as Record<string, unknown> & { type: string };
  if (def.type === 'lazy') return options((def.getter as () => z.core.$ZodType)());
  if (def.type === 'union') return (def.options as z.core.$ZodType[]).flatMap(options);
  if (def.innerType !== undefined) return options(def.innerType as z.core.$ZodType);
  return [schema];
}

/** Every schema that can meet the value at `path`. */
function schemasAt(schema: z.core.$ZodType, path: Path): z.core.$ZodType[] {
  let at = options(schema);
  for (const part of path) {
    at = at.flatMap((each) => {
      const def = each._zod.def as unknown as Record<string, unknown> & { type: string };
      if (def.type === 'object') {
        const shape = def.shape as Record<string, z.core.$ZodType>;
        if (typeof part === 'string' && Object.hasOwn(shape, part)) return options(shape[part]!);
        return def.catchall === undefined ? [] : options(def.catchall as z.core.$ZodType);
      }
      if (def.type === 'record') return options(def.valueType as z.core.$ZodType);
      if (def.type === 'array') return options(def.element as z.core.$ZodType);
      if (def.type === 'tuple') return (def.items as z.core.$ZodType[]).flatMap(options);
      return [];
    });
  }
  return at;
}

/** The keys of each object schema at `path`, in their order: the first says what the object is. */
export function shapesAt(schema: z.core.$ZodType, path: Path): string[][] {
  return schemasAt(schema, path).flatMap((each) => {
    const def = each._zod.def as unknown as { type: string; shape?: Record<string, unknown> };
    return def.type === 'object' ? [Object.keys(def.shape ?? {})] : [];
  });
}

/** All keys of the object schemas at `path` that know the keys `having`; of all of them where none does. */
export function vocabularyAt(schema: z.core.$ZodType, path: Path, having: string[] = []): string[] {
  const shapes = shapesAt(schema, path);
  const fitting = shapes.filter((keys) => having.every((key) => keys.includes(key)));
  return [...new Set((fitting.length > 0 ? fitting : shapes).flat())].filter((key) => key !== '$schema');
}

/** All texts that stand for themselves at `path`. */
export function literalsAt(schema: z.core.$ZodType, path: Path): string[] {
  return schemasAt(schema, path).flatMap((each) => [...(each._zod.values ?? [])].map(String));
}

/** The keys of those objects at `path` that take any further key beside them. */
export function openAt(schema: z.core.$ZodType, path: Path): string[][] {
  return schemasAt(schema, path).flatMap((each) => {
    const def = each._zod.def as unknown as { type: string; shape?: object; catchall?: z.core.$ZodType };
    return def.type === 'object' && def.catchall !== undefined && def.catchall._zod.def.type !== 'never'
      ? [Object.keys(def.shape ?? {})]
      : [];
  });
}

/** A value as JSON, as people space it. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, each]) => `${JSON.stringify(key)}: ${shown(each)}`)
    .join(', ')}}`;
}

/** ` such as {"send": "welcome"}`: the first short example that the schema itself gives and that is of this kind. */
export function exampleAt(
  schema: z.core.$ZodType | undefined,
  path: Path,
  isOfKind: (example: unknown) => boolean,
): string {
  const found = schema === undefined ? [] : unionsAt(schema, path);
  for (const each of found) {
    const { examples = [] } = ((each as z.ZodType).meta?.() ?? {}) as { examples?: unknown[] };
    for (const example of examples.filter(isOfKind)) {
      const text = shown(example);
      if (text.length <= 60) return ` such as ${text}`;
    }
  }
  return '';
}

/** The schemas that stand at `path` as they are written: lazies and unions are not looked into. */
function unionsAt(schema: z.core.$ZodType, path: Path): z.core.$ZodType[] {
  const last = path.at(-1);
  if (last === undefined) return [schema];
  return schemasAt(schema, path.slice(0, -1)).flatMap((each) => {
    const def = each._zod.def as unknown as Record<string, unknown> & { type: string };
    if (def.type === 'array') return [def.element as z.core.$ZodType];
    const shape = def.shape as Record<string, z.core.$ZodType> | undefined;
    return shape !== undefined && typeof last === 'string' && Object.hasOwn(shape, last) ? [shape[last]!] : [];
  });
}
