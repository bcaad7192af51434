// What an e-mail may say about a person and their products: cleaned, bounded plain JSON for the template engine.
import type { Definitions } from './book.ts';
import { allowedHosts, cleanJson, cleanObject, cleanText } from './clean.ts';
import type { Contact } from './contact.ts';
import { profilingStopped } from './facts.ts';
import type { Json } from './interaction.ts';
import { sayPercent } from './locale.ts';
import type { GivenCoupon, Message } from './message.ts';
import { formatMoney } from './money.ts';
import { boughtOf, type Feed, productOf, recommendationsOf, Shelf } from './product-view.ts';
import { type BrandView, type CouponView, type EmailView, type PageView, pickLocale } from './render.ts';
import { inLocale } from './settings.ts';
import { isZone } from './time.ts';

const MOST_NAME = 64;

type Links = EmailView['links'];

/** Whether a message may show what is made of the person's past: not of somebody who forbade its brand to choose by it. */
function speaksOfPast({ settings }: Pick<Definitions, 'settings'>, contact: Contact, message: Message): boolean {
  const brand = settings.senders[message.sender]?.brand ?? '';
  return !profilingStopped(contact.facts, brand);
}

/**
 * The view of one message for one person. `products` holds what the feed last said, by id, and wins over the catalogue;
 * a product without any name is left out. Texts are cleaned and bounded, links are https to allowed hosts; nothing is
 * escaped here. The sender's brand speaks. Where the person stopped its profiling, nothing is recommended, and of what
 * they did only what the message answers is shown: its trigger and its product.
 * Never throws on what customers and feeds wrote.
 */
export function buildView(
  definitions: Definitions,
  contact: Contact,
  message: Message,
  products: Feed,
  links: Links,
): EmailView {
  const { settings } = definitions;
  const hosts = allowedHosts(definitions);
  const locale = localeOf(definitions, contact);
  const past = speaksOfPast(definitions, contact, message);
  const shelf = new Shelf(definitions, products, locale);

  const attributes: [string, Json][] = [];
  for (const [name, stamped] of Object.entries(contact.facts.attributes)) {
    const isName = name === 'firstName' || name === 'lastName' || name === 'name';
    const clean =
      isName && typeof stamped.value === 'string'
        ? cleanText(stamped.value, MOST_NAME)
        : cleanJson(stamped.value, hosts, 3);
    if (clean !== undefined && (!isName || typeof clean === 'string') && name !== '__proto__')
      attributes.push([name, clean]);
  }
  const { inputs, campaign, variant, key = message.email } = message;
  const about = productOf(message);
  const product = about === undefined ? undefined : shelf.view(about);
  const coupon = inputs.coupon === undefined ? undefined : couponView(inputs.coupon, settings.currency, locale);
  const { timezone } = contact.facts.attributes;
  const sender = settings.senders[message.sender];
  const title = message.topic === undefined ? undefined : settings.topics[message.topic]?.title;
  const topic = title === undefined ? undefined : inLocale(title, locale);
  return {
    contact: Object.fromEntries(attributes) as EmailView['contact'],
    trigger: cleanObject(inputs.trigger.properties, hosts, 4),
    ...(product === undefined ? {} : { product }),
    bought: shelf.views(boughtOf(contact, message, past)),
    recommendations: past ? shelf.views(recommendationsOf(contact, message, products).map((id) => ({ id }))) : [],
    ...(past ? shelf.cart(contact, message) : { cart: [] }),
    ...(coupon === undefined ? {} : { coupon }),
    run: { campaign, step: key, ...(variant === undefined ? {} : { variant }) },
    brand: brandView(definitions, sender?.brand),
    links,
    ...(topic === undefined ? {} : { topic }),
    locale,
    direction: directionOf(locale),
    currency: settings.currency,
    zones: {
      shop: settings.zone,
      contact: typeof timezone?.value === 'string' && isZone(timezone.value) ? timezone.value : settings.zone,
    },
  };
}

/** A coupon with its worth in words; undefined where it is worth nothing that can be said. */
function couponView(
  { code, percent, amount, currency, expires }: GivenCoupon,
  shops: string,
  locale: string,
): CouponView | undefined {
  if (percent === undefined && amount === undefined) return undefined;
  return {
    code,
    worth: percent !== undefined ? sayPercent(percent, locale) : formatMoney(amount ?? 0, currency ?? shops, locale),
    ...(expires === undefined ? {} : { expires: new Date(expires).toISOString() }),
  };
}

/** The brand as e-mails and pages see it; the first brand when `id` is unknown. */
export function brandView(definitions: Pick<Definitions, 'settings'>, id: string | undefined): BrandView {
  const { brands } = definitions.settings;
  const brand = (id !== undefined && Object.hasOwn(brands, id) ? brands[id] : undefined) ?? Object.values(brands)[0]!;
  const { name, legalName, postalAddress, site, logo, colours } = brand;
  return { name, legalName, postalAddress, site, ...(logo === undefined ? {} : { logo }), colours };
}

/** The contact's locale among the shop's: its attribute `locale`, else the language of nobody in particular: the first. */
export function localeOf(definitions: Pick<Definitions, 'settings'>, contact: Contact | undefined): string {
  const said = contact?.facts.attributes.locale?.value;
  return pickLocale(definitions.settings.locales, typeof said === 'string' ? said : undefined);
}

/** The writing direction of a locale. */
export function directionOf(locale: string): 'ltr' | 'rtl' {
  return /^(ar|dv|fa|he|ku|ps|sd|ug|ur|yi)\b/.test(locale) ? 'rtl' : 'ltr';
}

/** The view of a preference page. `action` is where its form posts to; what a page speaks of beside that is handed through. */
export function buildPageView(
  definitions: Pick<Definitions, 'settings'>,
  page: { brand?: string; topic?: string } & Omit<PageView, 'brand' | 'direction' | 'topic'>,
): PageView {
  const { brand, topic: id, ...said } = page;
  const title = id === undefined ? undefined : definitions.settings.topics[id]?.title;
  return {
    ...said,
    brand: brandView(definitions, brand),
    direction: directionOf(page.locale),
    ...(title === undefined ? {} : { topic: inLocale(title, page.locale) }),
  };
}
