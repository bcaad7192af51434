// Test people: whom samples of e-mails are rendered for.
import * as z from 'zod';

const Scalar = z.union([z.string(), z.number(), z.boolean()]);

/** templates/people/*.json */
export const Person = z
  .strictObject({
    $schema: z.string().optional(),
    title: z.string().optional(),
    attributes: z
      .record(z.string().min(1).max(60), z.union([Scalar, z.array(Scalar)]))
      .meta({ description: 'As given by identify: firstName, locale, timezone …' }),
    bought: z.array(z.string()).optional().meta({ description: 'Ids of products, the newest first' }),
    cart: z.array(z.string()).optional().meta({ description: 'Ids of products in the cart, the newest first' }),
    events: z
      .record(z.string().min(1), z.record(z.string(), z.json()))
      .optional()
      .meta({ description: 'Event name → properties, for campaigns that start with that event' }),
  })
  .meta({ id: 'Person', description: 'A test person' });
export type Person = z.infer<typeof Person>;

/** Somebody of whom nothing is known: what a template says must hold for them too. */
export const NOBODY: Person = { attributes: {} };
