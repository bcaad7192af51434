// Test people: whom samples of e-mails are rendered for.
import * as z from 'zod';
import type { Campaign } from './campaign-grammar.ts';
import { type Contact, newContact } from './contact.ts';
import type { Json, JsonObject } from './interaction.ts';
import { MESSAGE_SHAPE, type Message } from './message.ts';
import { MOST_RECOMMENDED, recommend } from './recommend.ts';
import type { Catalogue } from './settings.ts';

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
    events: z
      .record(z.string().min(1), z.record(z.string(), z.json()))
      .optional()
      .meta({ description: 'Event name → properties, for campaigns that start with that event' }),
  })
  .meta({ id: 'Person', description: 'A test person' });
export type Person = z.infer<typeof Person>;

/** Somebody of whom nothing is known: what a template says must hold for them too. */
export const NOBODY: Person = { attributes: {} };

const DAY = 86_400_000;

/**
 * The message that a campaign would send this person, and the person as a contact. `least` is the number of
 * recommendations without which the campaign does not send ("needs"): filled up from the catalogue.
 */
export function sampleMessage(
  person: Person,
  to: { campaign: Campaign | undefined; id: string; email: string; least: number },
  catalogue: Catalogue,
  now: number,
): { contact: Contact; message: Message } {
  const contact = newContact('sample', now);
  for (const [name, value] of Object.entries(person.attributes))
    contact.facts.attributes[name] = { value, at: now, id: 'sample' };
  (person.bought ?? []).forEach((id, index) => {
    contact.facts.bought[id] = now - (index + 1) * DAY;
  });
  const { campaign } = to;
  const names =
    campaign === undefined
      ? Object.keys(person.events ?? {})
      : 'did' in campaign.when
        ? [campaign.when.did].flat()
        : [];
  const name = names.find((each) => person.events?.[each] !== undefined) ?? names[0] ?? 'Entered';
  const properties = (person.events?.[name] ?? {}) as JsonObject;
  const lines = linesOf(properties);
  const each = campaign !== undefined && 'each' in campaign.when && campaign.when.each !== undefined;
  const upgradable = (id: string): boolean => catalogue.products[id]?.upgrade !== undefined;
  const known = [...lines, ...(person.bought ?? [])].filter((id) => Object.hasOwn(catalogue.products, id));
  const product = each
    ? (known.find(upgradable) ??
      known[0] ??
      Object.keys(catalogue.products).find(upgradable) ??
      Object.keys(catalogue.products)[0])
    : undefined;
  const seeds = product !== undefined ? [product] : lines.length > 0 ? lines : (person.bought ?? []);
  const aim = campaign?.aim ?? 'cross-sell';
  const recommendations = recommend(catalogue, contact.facts.bought, seeds, aim, MOST_RECOMMENDED);
  for (const id of Object.keys(catalogue.products)) {
    if (recommendations.length >= to.least) break;
    if (!recommendations.includes(id) && id !== product) recommendations.push(id);
  }
  const message: Message = {
    shape: MESSAGE_SHAPE,
    id: 'sample',
    contact: contact.id,
    campaign: to.id,
    version: 'sample',
    step: '0',
    run: 'sample',
    kind: campaign?.kind ?? 'marketing',
    sender: campaign?.sender ?? '',
    email: to.email,
    state: 'ready',
    plannedAt: now,
    createdAt: now,
    lane: 'triggered',
    attempts: 0,
    ignoresQuiet: false,
    inputs: { trigger: { name, at: now, properties }, recommendations, ...(product === undefined ? {} : { product }) },
    ...(campaign?.topic === undefined ? {} : { topic: campaign.topic }),
  };
  return { contact, message };
}

function linesOf(properties: JsonObject): string[] {
  const lines: Json[] = Array.isArray(properties.products) ? properties.products : [];
  return lines.flatMap((line) =>
    line !== null && typeof line === 'object' && !Array.isArray(line) && line.product_id !== undefined
      ? [String(line.product_id)]
      : [],
  );
}
