// What a shop's own page asks: which products to show, for those on the page or for a person; read, answered, and no more.
import * as z from 'zod';
import { type Book, shortModels } from '../../domain/book.ts';
import type { Contact, Facts } from '../../domain/contact.ts';
import type { SourceRights } from '../../domain/event.ts';
import { cartLines } from '../../domain/facts.ts';
import { dateOfDay } from '../../domain/insight/customer.ts';
import { type JsonObject, type SubjectKey, sha256 } from '../../domain/interaction.ts';
import { isSoldOut, Shelf } from '../../domain/product-view.ts';
import { latestBought, MOST_SPARE, recommend } from '../../domain/recommend.ts';
import { readProduct } from './product.ts';
import { key, readContact, type Table } from './table.ts';

const MOST_ASKED = 50;
const MOST_SHOWN = 12;
const MOST_MERGES = 8;

const list = z
  .string()
  .transform((text) => text.split(',').flatMap((id) => (id.trim() === '' ? [] : [id.trim()])))
  .pipe(
    z
      .array(z.string().max(100, { error: 'a product id of at most 100 characters' }))
      .max(MOST_ASKED, { error: `at most ${MOST_ASKED} products` }),
  );
const person = z.string().min(1, { error: 'an id' }).max(256, { error: 'an id of at most 256 characters' });

const Query = z
  .strictObject({
    product: list.default([]),
    most: z
      .string()
      .regex(/^([1-9]|1[0-2])$/, { error: `a whole number from 1 to ${MOST_SHOWN}` })
      .transform(Number)
      .default(4),
    aim: z.enum(['cross-sell', 'up-sell'], { error: 'cross-sell or up-sell' }).default('cross-sell'),
    userId: person.optional(),
    anonymousId: person.optional(),
  })
  .refine(({ userId, anonymousId }) => userId === undefined || anonymousId === undefined, {
    error: 'userId or anonymousId, one of them',
    path: ['userId'],
  });
type Query = z.infer<typeof Query>;

/** What is asked, and whether it names a person. */
export interface Question extends Query {
  who?: SubjectKey;
}

/** A question out of the parameters of a request, or what is wrong with them. */
export function readQuestion(
  parameters: Readonly<Record<string, string | undefined>>,
): Question | { path: string; message: string } {
  const read = Query.safeParse(parameters);
  if (!read.success) {
    const [issue] = read.error.issues;
    const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
    if (unknown === undefined) return { path: String(issue?.path[0] ?? ''), message: `expected ${issue?.message}` };
    return { path: unknown, message: `there is no such parameter; there are ${Object.keys(Query.shape).join(', ')}` };
  }
  const { userId, anonymousId } = read.data;
  if (userId !== undefined) return { ...read.data, who: `user#${sha256(userId)}` };
  return anonymousId === undefined ? read.data : { ...read.data, who: `anonymous#${sha256(anonymousId)}` };
}

/** Whether a source may ask by a person: one that may speak of people by their addresses, which no page's key may. */
export const mayAskByPerson = ({ address }: SourceRights): boolean => address;

/** The person of a question, merges followed; undefined where nobody is known by that id. Two reads, one more per merge. */
async function personOf(table: Pick<Table, 'read'>, who: SubjectKey): Promise<Contact | undefined> {
  const identity = key.identity(who);
  let id = (await table.read([identity])).get(identity)?.contact as string | undefined;
  for (let hop = 0; id !== undefined && hop < MOST_MERGES; hop++) {
    const at = key.contact(id);
    const item = (await table.read([at])).get(at);
    if (item === undefined) return undefined;
    const contact: Contact = readContact(item).value;
    if (contact.mergedInto === undefined) return contact;
    id = contact.mergedInto;
  }
  return undefined;
}

/** Whether the person forbids any brand to choose by what they did: a page does not say whose it is. */
const forbids = ({ profiling = {} }: Facts): boolean => Object.values(profiling).some(({ stopped }) => stopped);

/**
 * The products that answer a question: those of `recommend`, without what the feed says is out of stock. They start from
 * the products of the page, else from the person's cart, else from what they bought last; what they own, or have in the
 * cart, is not offered. Of a person who stopped profiling nothing is used. One read of at most 16 products, and of a
 * person two more, one for each merge.
 */
export async function answerQuestion(
  { product, most, aim, who }: Question,
  { book, table }: { book: Book; table: Pick<Table, 'read'> },
): Promise<JsonObject> {
  const { definitions, models } = book;
  const known = who === undefined ? undefined : await personOf(table, who);
  const facts = known === undefined || forbids(known.facts) ? undefined : known.facts;
  const cart = facts === undefined ? [] : cartLines(facts).map(([id]) => id);
  const bought = facts?.bought ?? {};
  const seeds = [product, cart, latestBought(bought)].find(({ length }) => length > 0) ?? [];
  const owned = { ...bought, ...Object.fromEntries(cart.map((id) => [id, 0])) };
  const next = models?.models.next;
  const offered = recommend({ catalogue: definitions.catalogue, next }, owned, seeds, aim, most + MOST_SPARE);
  const items = await table.read(offered.map((one) => key.product(one.product)));
  const feed = Object.fromEntries(
    offered.flatMap((one) => {
      const item = items.get(key.product(one.product));
      return item === undefined ? [] : [[one.product, readProduct(item).product]];
    }),
  );
  const shelf = new Shelf(definitions, feed, definitions.settings.locales[0] ?? 'en');
  const products = offered
    .filter((one) => !isSoldOut(one.product, feed))
    .flatMap(({ product: id, origin }): JsonObject[] => {
      const view = shelf.view({ id });
      if (view === undefined) return [];
      const { name, url, imageUrl } = view;
      return [
        {
          id,
          name,
          ...(url === undefined ? {} : { url }),
          ...(imageUrl === undefined ? {} : { imageUrl }),
          ...shelf.figure(id),
          source: origin,
        },
      ];
    })
    .slice(0, most);
  return {
    products,
    model:
      models === undefined || next === undefined ? null : { hash: shortModels(models), asOf: dateOfDay(next.asOf) },
  };
}
