// Products as an e-mail shows them: which ones a message speaks of, and what the feed and the catalogue know of each.
import type { Definitions } from './book.ts';
import { allowedHosts, cleanLink, cleanText, MOST_TEXT } from './clean.ts';
import type { Contact } from './contact.ts';
import { cartLines } from './facts.ts';
import type { Json } from './interaction.ts';
import { isTerminal, type Message } from './message.ts';
import { formatMoney, majorUnits, minorUnits } from './money.ts';
import { inStock, lowestBefore, type StoredProduct } from './product.ts';
import { latestBought, MOST_RECOMMENDED } from './recommend.ts';
import type { CartView, ProductView } from './render.ts';

const MOST_BOUGHT = 4;
const MOST_CART = 10;
/** Lines of a cart of which the feed is asked; of older ones the catalogue's price counts, or their own. */
const MOST_ASKED = 20;
const MOST_CATEGORY = 64;

/** A product that a message speaks of, and the name by which its trigger knows it. */
interface Line {
  id: string;
  name?: string;
}

/** What the feed last said of products, by id. */
export type Feed = Readonly<Record<string, StoredProduct>>;

/** The product ids that an e-mail of this message may show: what the caller loads before `buildView`. */
export function productIdsOf(contact: Contact, message: Message): string[] {
  const product = productOf(message);
  return [
    ...new Set([
      ...(product === undefined ? [] : [product.id]),
      ...message.inputs.recommendations,
      ...(message.inputs.spare ?? []),
      ...boughtOf(contact, message).map(({ id }) => id),
      ...newestLines(contact)
        .slice(0, MOST_ASKED)
        .map(([id]) => id),
    ]),
  ];
}

/** The product that it is about, named by its trigger where that has a line of it: the run's, else the trigger's own. */
export function productOf({ inputs: { product, trigger } }: Message): Line | undefined {
  const id = product ?? idOf(trigger.properties);
  if (id === undefined) return undefined;
  const line = [trigger.properties, ...linesOf(trigger.properties.products)].find((each) => idOf(each) === id);
  return { id, ...(typeof line?.name === 'string' ? { name: line.name } : {}) };
}

/** What the e-mail calls "bought": the trigger's lines, else, where the past may be spoken of, the newest purchases. */
export function boughtOf(contact: Contact, message: Message, past = true): Line[] {
  const lines = linesOf(message.inputs.trigger.properties.products).flatMap((line): Line[] => {
    const id = idOf(line);
    if (id === undefined) return [];
    return [{ id, ...(typeof line.name === 'string' ? { name: line.name } : {}) }];
  });
  const older = past ? latestBought(contact.facts.bought, MOST_BOUGHT) : [];
  return (lines.length > 0 ? lines : older.map((id): Line => ({ id }))).slice(0, MOST_BOUGHT);
}

/**
 * What of a message's recommendations is shown: nothing that is out of stock, and nothing that was bought since; a spare
 * one stands in for each of those. A message that has gone out keeps what it showed.
 */
export function recommendationsOf(contact: Contact, { inputs, state }: Message, feed: Feed): string[] {
  if (isTerminal(state)) return inputs.recommendations;
  return [...inputs.recommendations, ...(inputs.spare ?? [])]
    .filter((id) => !Object.hasOwn(contact.facts.bought, id) && !isSoldOut(id, feed))
    .slice(0, MOST_RECOMMENDED);
}

/** Whether the feed says that there is none left; of a product without a word of its stock it does not. */
export function isSoldOut(id: string, feed: Feed): boolean {
  return Object.hasOwn(feed, id) && inStock(feed[id] ?? {}) === false;
}

/** The inputs of a message as it goes out: with what it shows and where that comes from, and without spare ones. */
export function shownInputs(contact: Contact, message: Message, feed: Feed): Message['inputs'] {
  const { spare = [], origins, ...inputs } = message.inputs;
  const recommendations = recommendationsOf(contact, message, feed);
  const planned = [...inputs.recommendations, ...spare];
  const from = recommendations.map((id) => origins?.[planned.indexOf(id)] ?? '-').join('');
  return { ...inputs, recommendations, ...(origins === undefined || from === '' ? {} : { origins: from }) };
}

/** Which of these products have a price that the feed gave longer ago than `most`, in milliseconds. */
export function stalePrices(ids: readonly string[], feed: Feed, now: number, most: number): string[] {
  return ids.filter((id) => {
    const { price, priceAt } = (Object.hasOwn(feed, id) ? feed[id] : undefined) ?? {};
    return price !== undefined && priceAt !== undefined && now - priceAt > most;
  });
}

/** Shows products in one language; prices are those of the feed, else the catalogue's. */
export class Shelf {
  readonly #catalogue: Definitions['catalogue'];
  readonly #currency: string;
  readonly #hosts: ReadonlySet<string>;
  readonly #feed: Feed;
  readonly #locale: string;

  constructor(definitions: Pick<Definitions, 'settings' | 'catalogue'>, feed: Feed, locale: string) {
    this.#catalogue = definitions.catalogue;
    this.#currency = definitions.settings.currency;
    this.#hosts = allowedHosts(definitions);
    this.#feed = feed;
    this.#locale = locale;
  }

  /** One product; undefined where nobody knows a name of it. */
  view(line: Line): ProductView | undefined {
    const { known, fed } = this.#of(line.id);
    const name = [fed?.name, known?.name, line.name]
      .map((each) => (typeof each === 'string' ? cleanText(each, MOST_TEXT) : undefined))
      .find((each) => each !== undefined);
    if (name === undefined) return undefined;
    const [minor, currency] = this.#priceOf(line.id) ?? [];
    const price = minor === undefined ? undefined : this.#priced(minor, currency);
    const lowest = fed === undefined ? undefined : lowestBefore(fed);
    const before = lowest === undefined ? undefined : this.#priced(lowest);
    const url = cleanLink(fed?.url, this.#hosts) ?? cleanLink(known?.url, this.#hosts);
    const imageUrl = cleanLink(fed?.imageUrl, this.#hosts) ?? cleanLink(known?.imageUrl, this.#hosts);
    const category = cleanText(fed?.category ?? known?.category ?? '', MOST_CATEGORY);
    const stocked = fed === undefined ? undefined : inStock(fed);
    return {
      id: line.id,
      name,
      ...(price === undefined ? {} : { price }),
      ...(before === undefined ? {} : { lowestPrice30d: before }),
      ...(before === undefined || lowest === undefined || minor === undefined || minor >= lowest
        ? {}
        : { wasPrice: before }),
      ...(stocked === undefined ? {} : { inStock: stocked }),
      ...(url === undefined ? {} : { url }),
      ...(imageUrl === undefined ? {} : { imageUrl }),
      ...(category === undefined ? {} : { category }),
    };
  }

  views(lines: Line[]): ProductView[] {
    return lines.map((line) => this.view(line)).filter((each) => each !== undefined);
  }

  /**
   * The cart, what was put in last first, at most ten lines; and what all of it costs, where that is known of each line.
   * A line's own price stands in where neither feed nor catalogue knows one.
   */
  cart(contact: Contact, { inputs }: Message): { cart: CartView[]; cartValue?: string } {
    const named = linesOf(inputs.trigger.properties.products);
    const lines = newestLines(contact);
    const cart: CartView[] = [];
    let value: number | undefined = 0;
    for (const [id, { quantity, price: own }] of lines) {
      const [minor, currency] = this.#priceOf(id) ?? [own, this.#currency];
      value =
        value === undefined || minor === undefined || currency !== this.#currency
          ? undefined
          : value + minor * quantity;
      if (cart.length === MOST_CART) continue;
      const name = named.find((line) => idOf(line) === id)?.name;
      const seen = this.view({ id, ...(typeof name === 'string' ? { name } : {}) });
      if (seen === undefined) continue;
      const price = seen.price ?? (own === undefined ? undefined : this.#priced(own));
      cart.push({ ...seen, ...(price === undefined ? {} : { price }), quantity });
    }
    const cartValue = lines.length === 0 || value === undefined ? undefined : this.#priced(value);
    return { cart, ...(cartValue === undefined ? {} : { cartValue }) };
  }

  #of(id: string) {
    return {
      known: Object.hasOwn(this.#catalogue.products, id) ? this.#catalogue.products[id] : undefined,
      fed: Object.hasOwn(this.#feed, id) ? this.#feed[id] : undefined,
    };
  }

  /** In minor units, and of which currency. */
  #priceOf(id: string): [minor: number, currency: string] | undefined {
    const { known, fed } = this.#of(id);
    if (fed?.price !== undefined) return [fed.price, fed.currency ?? this.#currency];
    return known?.price === undefined ? undefined : [minorUnits(known.price, this.#currency), this.#currency];
  }

  /** Its price as a number, in major units of its currency; nothing where none is known. */
  figure(id: string): { price?: number; currency?: string } {
    const [minor, currency] = this.#priceOf(id) ?? [];
    if (minor === undefined || currency === undefined) return {};
    try {
      return { price: majorUnits(minor, currency), currency };
    } catch {
      return {};
    }
  }

  #priced(minor: number, currency = this.#currency): string | undefined {
    try {
      return formatMoney(minor, currency, this.#locale);
    } catch {
      // A feed with a broken price costs the price, not the mail.
      return undefined;
    }
  }
}

const newestLines = ({ facts }: Contact) => cartLines(facts).sort(([, a], [, b]) => b.at - a.at);

type Properties = Readonly<Record<string, Json>>;

function linesOf(products: Json | undefined): Properties[] {
  return (Array.isArray(products) ? products : []).filter(
    (line): line is Record<string, Json> => line !== null && typeof line === 'object' && !Array.isArray(line),
  );
}

function idOf(line: Properties): string | undefined {
  const id = line.product_id ?? line.sku;
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined;
}
