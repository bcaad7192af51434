// The demo shop: people with habits of their own, and the events that their shopping makes. The same seed, the same shop.
import type { JsonObject } from '../domain/interaction.ts';
import type { ImportedEvent } from '../domain/mapping-events.ts';
import { minorUnits } from '../domain/money.ts';
import type { Catalogue, Product } from '../domain/settings.ts';
import { instantOf, localTime } from '../domain/time.ts';
import { Chance } from './shop-chance.ts';
import { COUNTRIES, type Country, HABITS, HOURS, SEASON } from './shop-people.ts';

export interface ShopOptions {
  seed: number;
  catalogue: Catalogue;
  currency: string;
  /** Epoch milliseconds of the first and the last event. */
  from: number;
  until: number;
  customers?: number;
  topic?: string;
}

/** EventBridge's source of the shop's events. */
export const SHOP_SOURCE = 'aurora.shop';
const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;
const SALES = 6;

interface Shelf {
  ids: string[];
  products: Record<string, Product>;
  byCategory: Map<string, string[]>;
  categories: string[];
  /** When a product was out of stock. */
  outages: Map<string, { from: number; to: number }>;
}

/** All events of the shop from `from` to `until`, by time. */
export function shopEvents(options: ShopOptions): ImportedEvent[] {
  const { products } = options.catalogue;
  const byCategory = new Map<string, string[]>();
  for (const [id, product] of Object.entries(products)) {
    const category = product.category ?? '';
    byCategory.set(category, [...(byCategory.get(category) ?? []), id]);
  }
  const outages: Shelf['outages'] = new Map();
  const shelf: Shelf = {
    ids: Object.keys(products),
    products,
    byCategory,
    categories: [...byCategory.keys()],
    outages,
  };
  const events: ImportedEvent[] = [];
  for (const id of shelf.ids) {
    events.push(...newsOf(id, products[id]!, options, new Chance(options.seed ^ hash(id)), outages));
  }
  const customers = options.customers ?? 400;
  for (let number = 1; number <= customers; number += 1) {
    const life = new Life(number, options, shelf);
    events.push(...life.live());
  }
  const within = events.filter((event) => event.at >= options.from && event.at < options.until);
  return within.sort((a, b) => a.at - b.at || (String(a.detail.messageId) < String(b.detail.messageId) ? -1 : 1));
}

/** What the feed says of a product: what it is at first; then, of some, that it was sold out, or cheaper for a while. */
function newsOf(
  id: string,
  product: Product,
  options: ShopOptions,
  chance: Chance,
  outages: Shelf['outages'],
): ImportedEvent[] {
  const { currency, from, until } = options;
  const { price } = product;
  const said = (at: number, key: string, news: JsonObject): ImportedEvent =>
    track('Product Updated', at, `product-${id}${key}`, {}, { product_id: id, currency, ...news });
  const properties: JsonObject = { name: product.name, stock: chance.whole(20, 200) };
  if (price !== undefined) properties.price = price;
  if (product.category !== undefined) properties.category = product.category;
  if (product.url !== undefined) properties.url = product.url;
  if (product.imageUrl !== undefined) properties.image_url = product.imageUrl;
  const events = [said(from, '', properties)];
  const sometime = (): number => from + chance.between(0.3, 0.95) * (until - from);
  if (chance.is(0.35)) {
    const outage = { from: sometime(), to: 0 };
    outage.to = outage.from + chance.between(8, 25) * DAY;
    outages.set(id, outage);
    events.push(said(outage.from, '-out', { stock: 0 }), said(outage.to, '-back', { stock: chance.whole(1, 30) }));
  }
  // One sale a season, so that none falls into the month before another.
  for (let season = 0; price !== undefined && season < SALES; season += 1) {
    if (!chance.is(0.5)) continue;
    const at = from + ((season + chance.between(0.1, 0.6)) / SALES) * (until - from);
    const cheaper = Math.round(price * chance.between(0.75, 0.88)) || price;
    const key = `-sale-${season}`;
    events.push(said(at, key, { price: cheaper }), said(at + 14 * DAY, `${key}-ends`, { price }));
  }
  return events;
}

function hash(text: string): number {
  let value = 2_166_136_261;
  for (const unit of text) value = Math.imul(value ^ unit.codePointAt(0)!, 16_777_619);
  return value >>> 0;
}

function track(event: string, time: number, key: string, who: JsonObject, properties: JsonObject): ImportedEvent {
  const at = Math.floor(time);
  return {
    name: event,
    at,
    detail: {
      type: 'track',
      event,
      messageId: `demo-${key}`,
      ...who,
      timestamp: new Date(at).toISOString(),
      properties,
    },
  };
}

/** The instant after so many average days: in a busy month a day counts for more. */
function seasonal(from: number, days: number): number {
  let at = from;
  for (let left = days; left > 0; at += DAY) left -= SEASON[new Date(at).getUTCMonth()]!;
  return at;
}

/** One customer, from the day they come to the day they stop. */
class Life {
  readonly #chance: Chance;
  readonly #options: ShopOptions;
  readonly #shelf: Shelf;
  readonly #user: string;
  readonly #country: Country;
  readonly #events: ImportedEvent[] = [];
  readonly #bought: string[] = [];
  readonly #favourites: string[];
  #count = 0;

  constructor(number: number, options: ShopOptions, shelf: Shelf) {
    this.#chance = new Chance(Math.imul(options.seed + 1, 2_654_435_761) ^ Math.imul(number, 40_503));
    this.#options = options;
    this.#shelf = shelf;
    this.#user = `c-${String(number).padStart(4, '0')}`;
    this.#country = this.#chance.weighted(COUNTRIES, (country) => country.weight);
    this.#favourites = [this.#chance.one(shelf.categories), this.#chance.one(shelf.categories)];
  }

  live(): ImportedEvent[] {
    const chance = this.#chance;
    const { from, until } = this.#options;
    const span = until - from;
    // Three in four come in the first two thirds; the others later, some of them only to look.
    const share = chance.is(0.75) ? chance.between(0, 0.66) : chance.between(0.66, 0.995);
    const joined = Math.max(from + 4 * DAY, this.#atGoodHour(from + share * span));
    const anonymous = `v-${this.#user.slice(2)}`;
    const looksFirst = chance.is(0.4);
    if (looksFirst)
      this.#look(joined - chance.between(5 * MINUTE, 3 * DAY), { anonymousId: anonymous }, chance.whole(1, 3));
    this.#introduce(joined, looksFirst ? anonymous : undefined);
    this.#consent(joined);

    // Some only ever look.
    if (chance.is(0.07)) {
      for (let visit = 0; visit < 4; visit += 1) {
        this.#look(joined + chance.between(0.1, 60) * DAY, { userId: this.#user }, chance.whole(1, 4));
      }
      return this.#events;
    }
    const habit = chance.weighted(HABITS, (each) => each.share);
    const rhythm = habit.days * Math.exp(0.45 * chance.normal());
    let at = joined + chance.between(MINUTE * 10, HOUR);
    for (let order = 0; order < habit.most && at < until; order += 1) {
      if (order > 0) this.#shopAround(at);
      this.#buy(at);
      if (chance.is(habit.lapse)) break;
      const pause = rhythm * Math.exp(0.35 * chance.normal());
      at = this.#atGoodHour(seasonal(at, Math.max(1, pause)));
    }
    if (chance.is(0.05)) {
      const key = `${this.#user}-withdraws`;
      const properties: JsonObject = {
        topic: this.#options.topic ?? 'offers',
        channel: 'email',
        source: 'account page',
      };
      this.#events.push(
        track('Consent Withdrawn', joined + chance.between(20, 400) * DAY, key, { userId: this.#user }, properties),
      );
    }
    return this.#events;
  }

  #introduce(at: number, anonymous: string | undefined): void {
    const { first, last, code, zone, locale } = this.#country;
    const firstName = this.#chance.one(first);
    const lastName = this.#chance.one(last);
    const plain = `${firstName}.${lastName}`
      .normalize('NFD')
      .replace(/[^A-Za-z.]/g, '')
      .toLowerCase();
    const traits: JsonObject = {
      email: `${plain === '.' ? 'hello' : plain}.${this.#user.slice(2)}@customers.example`,
      firstName,
      lastName,
      country: code,
      timezone: zone,
      locale,
    };
    if (this.#chance.is(0.6)) traits.birthday = this.#birthday();
    this.#events.push({
      name: 'identify',
      at,
      detail: {
        type: 'identify',
        messageId: `demo-${this.#user}-is`,
        userId: this.#user,
        ...(anonymous === undefined ? {} : { anonymousId: anonymous }),
        timestamp: new Date(at).toISOString(),
        traits,
      },
    });
  }

  /** With its year or without, as people give it. */
  #birthday(): string {
    const chance = this.#chance;
    const two = (value: number): string => String(value).padStart(2, '0');
    const day = `${two(chance.whole(1, 12))}-${two(chance.whole(1, 28))}`;
    return chance.is(0.5) ? `--${day}` : `${chance.whole(1950, 2006)}-${day}`;
  }

  #consent(at: number): void {
    const chance = this.#chance;
    if (!chance.is(this.#country.consents)) return;
    const topic = this.#options.topic ?? 'offers';
    const { basis } = this.#country;
    const properties: JsonObject = { topic, channel: 'email', wording: 'v2', source: 'checkout', form: 'checkout' };
    if (basis === 'double') {
      this.#events.push(
        track('Consent Requested', at + MINUTE, `${this.#user}-asked`, { userId: this.#user }, { ...properties }),
      );
      // Some never open the confirmation.
      if (!chance.is(0.85)) return;
    }
    const granted = at + (basis === 'double' ? chance.between(3 * MINUTE, 8 * HOUR) : 2 * MINUTE);
    this.#events.push(
      track('Consent Granted', granted, `${this.#user}-consents`, { userId: this.#user }, { ...properties, basis }),
    );
    for (const [index, other] of ['news', 'reviews', 'loyalty'].entries()) {
      if (other === topic || !chance.is(0.6)) continue;
      const key = `${this.#user}-consents-${other}`;
      const said = { ...properties, topic: other, basis };
      this.#events.push(track('Consent Granted', granted + (index + 1) * 1000, key, { userId: this.#user }, said));
    }
  }

  /** Looks at products, and now and then fills a cart that is left behind. */
  #shopAround(before: number): void {
    const chance = this.#chance;
    if (!chance.is(0.6)) return;
    const at = before - chance.between(20 * MINUTE, 6 * DAY);
    this.#look(at, { userId: this.#user }, chance.whole(1, 4));
    if (!chance.is(0.3)) return;
    const id = this.#pick();
    const product = this.#shelf.products[id]!;
    const line: JsonObject = {
      product_id: id,
      quantity: 1,
      price: product.price ?? 0,
      category: product.category ?? '',
    };
    const who = { userId: this.#user };
    const key = `${this.#user}-cart-${this.#count}`;
    this.#events.push(track('Product Added', at + 5 * MINUTE, key, who, { ...line, currency: this.#options.currency }));
    this.#events.push(
      track('Checkout Started', at + 8 * MINUTE, `${key}-checkout`, who, {
        value: product.price ?? 0,
        currency: this.#options.currency,
        products: [line],
      }),
    );
  }

  #look(at: number, who: JsonObject, many: number): void {
    for (let view = 0; view < many; view += 1) {
      const id = this.#pick();
      const product = this.#shelf.products[id]!;
      this.#events.push(
        track('Product Viewed', at + view * 2 * MINUTE, `${this.#user}-view-${this.#events.length}`, who, {
          product_id: id,
          category: product.category ?? '',
          price: product.price ?? 0,
          currency: this.#options.currency,
        }),
      );
      this.#askFor(id, at + (view * 2 + 1) * MINUTE, who);
      // Some come back to what they like.
      if (this.#chance.is(0.25)) this.#lookAgain(id, at + this.#chance.between(0.5, 8) * HOUR, who);
    }
  }

  #lookAgain(id: string, at: number, who: JsonObject): void {
    const { category = '', price = 0 } = this.#shelf.products[id]!;
    const properties: JsonObject = { product_id: id, category, price, currency: this.#options.currency };
    this.#events.push(track('Product Viewed', at, `${this.#user}-again-${this.#events.length}`, who, properties));
  }

  /** Who finds a product sold out may ask to be told. */
  #askFor(id: string, at: number, who: JsonObject): void {
    const outage = this.#shelf.outages.get(id);
    if (outage === undefined || at < outage.from || at >= outage.to || who.userId === undefined) return;
    if (!this.#chance.is(0.6)) return;
    const key = `${this.#user}-asks-${this.#events.length}`;
    this.#events.push(track('Back In Stock Requested', at, key, who, { product_id: id }));
  }

  #buy(at: number): void {
    const chance = this.#chance;
    const { currency } = this.#options;
    this.#count += 1;
    const id = `${this.#user.slice(2)}-${this.#count}`;
    const who = { userId: this.#user };
    const lines = new Map<string, number>();
    const many = chance.weighted([1, 2, 3], (count) => [0, 62, 28, 10][count]!);
    for (let line = 0; line < many; line += 1) {
      const product = this.#pick();
      const consumable = this.#shelf.products[product]!.consumable === true;
      if (!lines.has(product)) lines.set(product, consumable ? chance.whole(1, 4) : 1);
    }
    const unit = minorUnits(1, currency);
    const products: JsonObject[] = [];
    let revenue = 0;
    for (const [product, quantity] of lines) {
      const { price = 0, category = '', name } = this.#shelf.products[product]!;
      revenue += Math.round(price * unit) * quantity;
      products.push({ product_id: product, name, category, price, quantity });
      this.#bought.push(product);
    }
    const shipping = revenue < 50 * unit ? Math.round(4.9 * unit) : 0;
    this.#events.push(
      track('Order Completed', at, `order-${id}`, who, {
        order_id: id,
        revenue: revenue / unit,
        shipping: shipping / unit,
        total: (revenue + shipping) / unit,
        currency,
        products,
      }),
    );
    const delivered = at + chance.between(1.5, 6) * DAY;
    this.#events.push(track('Order Delivered', delivered, `order-${id}-delivered`, who, { order_id: id, products }));
    if (chance.is(0.06))
      this.#sendBack(id, delivered + chance.between(1, 14) * DAY, products, (revenue + shipping) / unit);
    this.#tell(id, delivered, String(products[0]!.product_id));
  }

  /** What some say after an order: a review, a survey, a complaint that is settled. */
  #tell(order: string, delivered: number, product: string): void {
    const chance = this.#chance;
    const who = { userId: this.#user };
    const say = (name: string, days: number, key: string, properties: JsonObject): void => {
      this.#events.push(track(name, delivered + days * DAY, `order-${order}-${key}`, who, properties));
    };
    if (chance.is(0.12)) {
      say('Product Reviewed', chance.between(3, 20), 'review', {
        product_id: product,
        review_id: `r-${order}`,
        rating: chance.weighted([2, 3, 4, 5], (rating) => [1, 2, 5, 6][rating - 2]!),
      });
    }
    if (chance.is(0.1)) {
      const score = chance.weighted([3, 6, 8, 9, 10], (one) => (one < 7 ? 1 : 3));
      say('Survey Answered', chance.between(2, 10), 'survey', { survey: 'delivery', score, order_id: order });
    }
    if (chance.is(0.03)) {
      const opened = chance.between(0.5, 6);
      say('Case Opened', opened, 'case', { case_id: `case-${order}` });
      say('Case Closed', opened + chance.between(1, 9), 'case-closed', { case_id: `case-${order}` });
    }
  }

  /** The whole order, or its first line. */
  #sendBack(order: string, at: number, products: JsonObject[], total: number): void {
    const whole = products.length === 1 || this.#chance.is(0.5);
    const [line] = products as [JsonObject];
    const { currency } = this.#options;
    const unit = minorUnits(1, currency);
    const amount = whole ? total : (Math.round(Number(line.price) * unit) * Number(line.quantity)) / unit;
    const properties: JsonObject = { order_id: order, refund_id: `${order}-r`, total: amount, currency };
    if (!whole) properties.products = [line];
    this.#events.push(track('Order Refunded', at, `order-${order}-refunded`, { userId: this.#user }, properties));
  }

  /** What goes with something owned, more of what is used up, something of a favourite category, or anything. */
  #pick(): string {
    const chance = this.#chance;
    const { products, byCategory, ids } = this.#shelf;
    const owned = this.#bought.length === 0 ? undefined : products[chance.one(this.#bought)];
    const way = chance.next();
    if (owned !== undefined && way < 0.3) {
      const fitting = (owned.complements ?? []).filter((id) => products[id] !== undefined);
      if (fitting.length > 0) return chance.one(fitting);
    }
    if (owned !== undefined && way < 0.4) {
      const used = this.#bought.filter((id) => products[id]!.consumable === true);
      if (used.length > 0) return chance.one(used);
    }
    if (way < 0.85) return this.#cheaperOften(byCategory.get(chance.one(this.#favourites)) ?? ids);
    return this.#cheaperOften(ids);
  }

  #cheaperOften(ids: readonly string[]): string {
    return this.#chance.weighted(ids, (id) => 1 / Math.sqrt(20 + (this.#shelf.products[id]!.price ?? 50)));
  }

  /** The same local day, at an hour at which people shop. */
  #atGoodHour(at: number): number {
    const { zone } = this.#country;
    const hour = this.#chance.weighted([...HOURS.keys()], (each) => HOURS[each]!);
    const start = instantOf(localTime(Math.floor(at), zone).date, '00:00', zone);
    return start + hour * HOUR + Math.floor(this.#chance.next() * HOUR);
  }
}
