// The message that a campaign would send a test person: what samples of e-mails are rendered from.
import type { Campaign } from './campaign-grammar.ts';
import { startingEvents } from './campaign-parts.ts';
import { type Contact, newContact } from './contact.ts';
import type { Json, JsonObject } from './interaction.ts';
import { type GivenCoupon, MESSAGE_SHAPE, type Message } from './message.ts';
import { minorUnits } from './money.ts';
import type { Person } from './person.ts';
import type { StoredProduct } from './product.ts';
import { recommend } from './recommend.ts';
import type { Catalogue, CouponPool, Product } from './settings.ts';

const DAY = 86_400_000;
/** Events whose products are the cart. */
const OF_CARTS = ['Checkout Started', 'Cart Viewed'];

/** What a sample is made for. */
export interface SampleOf {
  campaign: Campaign | undefined;
  id: string;
  email: string;
  /** Recommendations without which the campaign does not send ("needs"): filled up from the catalogue. */
  least: number;
  /** The pool of which it carries a code. */
  coupon?: { name: string; pool: CouponPool };
  variant?: string;
  /** Something is known of the person: then a coupon has an end, too. */
  known: boolean;
}

/** What starts a campaign, for one person: the trigger, and the product that it is about. */
interface Occasion {
  name: string;
  properties: JsonObject;
  product?: string;
}

/** The message that a campaign would send this person, and the person as a contact. */
export function sampleMessage(
  person: Person,
  to: SampleOf,
  shop: { catalogue: Catalogue; currency: string },
  now: number,
): { contact: Contact; message: Message } {
  const { catalogue, currency } = shop;
  const contact = newContact('sample', now);
  for (const [name, value] of Object.entries(person.attributes))
    contact.facts.attributes[name] = { value, at: now, id: 'sample' };
  (person.bought ?? []).forEach((id, index) => {
    contact.facts.bought[id] = now - (index + 1) * DAY;
  });
  const { campaign } = to;
  const { name, properties, product } = occasionOf(person, to, catalogue, now);
  const lines = linesOf(properties);
  const cart = OF_CARTS.includes(name) && lines.length > 0 ? lines : (person.cart ?? []);
  cart.forEach((id, index) => {
    contact.facts.cart.lines[id] = { quantity: index === 0 ? 2 : 1, at: now - index, id: 'sample' };
  });
  const seeds = product !== undefined ? [product] : lines.length > 0 ? lines : (person.bought ?? []);
  const aim = campaign?.aim ?? 'cross-sell';
  const recommendations = recommend({ catalogue }, contact.facts.bought, seeds, aim).map((one) => one.product);
  for (const id of Object.keys(catalogue.products)) {
    if (recommendations.length >= to.least) break;
    const isNew = !recommendations.includes(id) && id !== product && !Object.hasOwn(contact.facts.bought, id);
    if (isNew) recommendations.push(id);
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
    inputs: {
      trigger: { name, at: now, properties },
      recommendations,
      ...(product === undefined ? {} : { product }),
      ...(to.coupon === undefined ? {} : { coupon: sampleCoupon(to.coupon, currency, to.known ? now : undefined) }),
    },
    ...(to.variant === undefined ? {} : { variant: to.variant }),
    ...(campaign?.topic === undefined ? {} : { topic: campaign.topic }),
  };
  return { contact, message };
}

/** A code that ends a week later, or never. */
function sampleCoupon(
  { name, pool: { percent, amount } }: { name: string; pool: CouponPool },
  currency: string,
  now: number | undefined,
): GivenCoupon {
  return {
    pool: name,
    code: `${name}-4F7K-2Q`,
    ...(percent === undefined ? {} : { percent }),
    ...(amount === undefined ? {} : { amount: minorUnits(amount, currency), currency }),
    ...(now === undefined ? {} : { expires: now + 7 * DAY }),
  };
}

function occasionOf(
  person: Person,
  { campaign, known: isKnown }: SampleOf,
  catalogue: Catalogue,
  now: number,
): Occasion {
  const events = person.events ?? {};
  const spoken = (names: string[]): Occasion => {
    const name = names.find((each) => events[each] !== undefined) ?? names[0] ?? 'Entered';
    return { name, properties: (events[name] ?? {}) as JsonObject };
  };
  const all = Object.keys(catalogue.products);
  /** Of the products that the person knows, else of all, the first that is like this; else the first. */
  const known = (properties: JsonObject, isLike: (product: Product) => boolean): string | undefined => {
    const own = [...linesOf(properties), ...(person.bought ?? [])].filter((id) =>
      Object.hasOwn(catalogue.products, id),
    );
    const likes = (id: string): boolean => isLike(catalogue.products[id] as Product);
    return own.find(likes) ?? own[0] ?? all.find(likes) ?? all[0];
  };
  const withProduct = (occasion: Occasion, product: string | undefined): Occasion =>
    product === undefined ? occasion : { ...occasion, product };
  if (campaign === undefined) return spoken(Object.keys(events));
  const { when } = campaign;
  const today = new Date(now).toISOString().slice(0, 10);
  if ('did' in when) {
    const occasion = spoken(startingEvents(when));
    if (when.each !== undefined)
      return withProduct(
        occasion,
        known(occasion.properties, ({ upgrade }) => upgrade !== undefined),
      );
    if (when.same !== 'product_id' || occasion.properties.product_id !== undefined) return occasion;
    const product = known({}, () => true);
    if (product === undefined) return occasion;
    return { ...occasion, properties: { ...occasion.properties, product_id: product }, product };
  }
  if ('enters' in when) return { name: 'Segment Entered', properties: { segment: when.enters } };
  if ('leaves' in when) return { name: 'Segment Left', properties: { segment: when.leaves } };
  if ('changes' in when) {
    const one = (values: typeof when.from): Json => [values ?? null].flat().find((value) => value !== 'none') ?? null;
    const to = one(when.to) ?? person.attributes[when.changes] ?? 'new';
    const from = isKnown ? one(when.from) : null;
    return { name: 'Attribute Changed', properties: { attribute: when.changes, from, to } };
  }
  if ('due' in when) {
    const product = known({}, ({ lastsFor }) => lastsFor !== undefined);
    return withProduct(
      { name: 'Product Runs Out', properties: product === undefined ? {} : { product_id: product } },
      product,
    );
  }
  if ('product' in when) {
    const product = known({}, () => true);
    const price = product === undefined ? undefined : catalogue.products[product]?.price;
    const figures: JsonObject = price === undefined ? {} : { price, lowestPrice30d: price, stock: 3 };
    return withProduct(
      { name: 'Product Turned', properties: product === undefined ? {} : { product_id: product, ...figures } },
      product,
    );
  }
  return { name: 'date' in when ? 'Date Reached' : 'Broadcast', properties: { date: today } };
}

/**
 * What the feed would say of the product of a sample: reduced by a tenth, and in stock. Of somebody of whom nothing is
 * known nothing is known of products either, unless the campaign sends only where it is (`told`): then it is not reduced.
 */
export function sampleFeed(
  { inputs: { product } }: Message,
  { catalogue, currency }: { catalogue: Catalogue; currency: string },
  now: number,
  { reduced, told }: { reduced: boolean; told: boolean },
): Record<string, StoredProduct> {
  const price = product === undefined ? undefined : catalogue.products[product]?.price;
  if (product === undefined || price === undefined || !told) return {};
  const before = minorUnits(price, currency);
  const present = reduced ? Math.round(before * 0.9) : before;
  const earlier = reduced ? before : Math.round(before * 0.9);
  const prices: [number, number][] = [
    [now - 10 * DAY, earlier],
    [now - DAY / 24, present],
  ];
  return { [product]: { price: present, priceAt: now - DAY / 24, currency, prices, stock: 3 } };
}

function linesOf(properties: JsonObject): string[] {
  const lines: Json[] = Array.isArray(properties.products) ? properties.products : [];
  return lines.flatMap((line) =>
    line !== null && typeof line === 'object' && !Array.isArray(line) && line.product_id !== undefined
      ? [String(line.product_id)]
      : [],
  );
}
