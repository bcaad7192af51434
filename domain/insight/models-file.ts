// The file of models as the bucket holds it: what is read of it is checked before any rule sees it.
import * as z from 'zod';
import { MODEL_PARTS, type PublishedModels } from './models.ts';

/** Made when a file is read, so that who reads none brings no schemas along. */
function makeSchema() {
  const day = z.int();
  const count = z.int().min(0);
  const positive = z.number().positive();
  const ascending = (numbers: number[]): boolean => numbers.every((one, i) => i === 0 || one >= numbers[i - 1]!);
  const cuts = z.array(z.number()).length(4).refine(ascending, 'cuts ascend');
  const asOf = { asOf: day };
  const covariance = z.array(z.number()).optional();
  const products = z.record(
    z.string(),
    z.array(
      z.object({
        product: z.string().min(1),
        score: z.number(),
        confidence: z.number(),
        lift: z.number(),
        count,
      }),
    ),
  );

  const Parts = z.object({
    rfm: z.object({ ...asOf, recency: cuts, frequency: cuts, money: cuts }).optional(),
    purchases: z
      .discriminatedUnion('kind', [
        z.object({
          ...asOf,
          kind: z.literal('bg/nbd'),
          r: positive,
          alpha: positive,
          a: positive,
          b: positive,
          logLikelihood: z.number(),
          customers: count,
          covariance,
        }),
        z.object({
          ...asOf,
          kind: z.literal('nbd'),
          r: positive,
          alpha: positive,
          logLikelihood: z.number(),
          customers: count,
          covariance,
        }),
      ])
      .optional(),
    spend: z
      .object({
        ...asOf,
        p: positive,
        q: positive,
        v: positive,
        logLikelihood: z.number(),
        customers: count,
        correlation: z.number(),
        covariance,
      })
      .optional(),
    margin: z.object({ ...asOf, share: z.number() }).optional(),
    deciles: z.object({ ...asOf, cuts: z.array(z.number()).length(9) }).optional(),
    next: z
      .object({
        ...asOf,
        together: products,
        after: products,
        upgrades: products,
        popular: z.record(z.string(), z.array(z.string().min(1))),
      })
      .optional(),
    groups: z
      .object({
        ...asOf,
        given: count,
        features: z.array(z.object({ name: z.string().min(1), mean: z.number(), deviation: z.number() })),
        groups: z.array(
          z.object({ id: z.string().min(1), title: z.string(), centre: z.array(z.number()), customers: count }),
        ),
      })

      .optional(),
  });

  const part = z.enum(MODEL_PARTS);

  return z.object({
    ordinal: z.int().min(1),
    since: z.partialRecord(part, z.int().min(1)),
    models: Parts.extend({
      shape: z.literal(1),
      at: z.int(),
      today: day,
      currency: z.string().min(3),
      customers: count,
      orders: count,
      notes: z.array(
        z.object({ part, kind: z.enum(['replaced', 'kept', 'missing']), code: z.string().min(1), says: z.string() }),
      ),
    }),
  });
}
let schema: ReturnType<typeof makeSchema> | undefined;

/** What a file of models holds beside its name. */
export type ModelsFile = Omit<PublishedModels, 'hash'>;

/**
 * The models of a file's text. Throws on what is no JSON, is of a newer shape, or holds a part that no prediction can be
 * made of: a parameter at or below 0, cuts that do not ascend, a number that is none.
 */
export function parseModelsFile(text: string): ModelsFile {
  const read: unknown = JSON.parse(text);
  schema ??= makeSchema();
  schema.parse(read);
  return read as ModelsFile;
}
