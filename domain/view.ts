// What an e-mail may say about a person and their products: cleaned, bounded plain JSON for the template engine.
import type { Definitions } from './book.ts';
import type { Contact } from './contact.ts';
import { profilingStopped } from './facts.ts';
import type { Json, JsonObject } from './interaction.ts';
import type { Message } from './message.ts';
import { formatMoney, minorUnits } from './money.ts';
import type { StoredProduct } from './product.ts';
import { latestBought } from './recommend.ts';
import { type BrandView, type EmailView, type PageView, type ProductView, pickLocale } from './render.ts';
import { inLocale } from './settings.ts';

const MOST_NAME = 64;
const MOST_TEXT = 200;
const MOST_BOUGHT = 4;

type Links = EmailView['links'];

/**
 * A text that a stranger may have written, made fit for an e-mail: no control, direction-override or unpaired
 * characters, no address of a site or a mailbox (`www.evil.tld` goes, a dotted word such as `St.John` becomes two, so
 * that no reader's program makes a link of it), white space single, at most `most` characters. Undefined when nothing is left.
 */
export function cleanText(text: string, most: number): string | undefined {
  const clean = text
    .slice(0, most * 20)
    .toWellFormed()
    .normalize('NFC')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .replace(/[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g, '')
    .replace(/\b[a-z][a-z0-9+.-]*:\/\/\S*/gi, ' ')
    .replace(/\b(mailto|javascript|data|tel):\S*/gi, ' ')
    .replace(/\S*@\S*\.\S*/g, ' ')
    .replace(/\bwww[.\u3002\uff0e\uff61]\S*/gi, ' ')
    .replace(/\S*[\p{L}\p{N}][.\u3002\uff0e\uff61][\p{L}\p{N}-]{2,}[/?#]\S*/gu, ' ')
    .replace(/(?<=[\p{L}\p{N}-])[.\u3002\uff0e\uff61](?=[\p{L}-]{2})/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const cut = [...clean].slice(0, most).join('').trim();
  return cut === '' ? undefined : cut;
}

/** The link when it is https and leads to an allowed host (or below one), without user and port; else undefined. */
export function cleanLink(link: unknown, hosts: ReadonlySet<string>): string | undefined {
  if (typeof link !== 'string' || link.length > 2000 || !URL.canParse(link)) return undefined;
  const url = new URL(link);
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.port !== '') return undefined;
  return hosts.has(url.hostname) ? url.href : undefined;
}

/** Hosts that links may lead to: the brands' sites and logos, `linkHosts`, and those that the catalogue itself names. */
export function allowedHosts(definitions: Pick<Definitions, 'settings' | 'catalogue'>): ReadonlySet<string> {
  const known = hostsOf.get(definitions);
  if (known !== undefined) return known;
  const hosts = new Set((definitions.settings.linkHosts ?? []).map((host) => host.toLowerCase()));
  const add = (link: string | undefined): void => {
    if (link !== undefined && URL.canParse(link)) hosts.add(new URL(link).hostname);
  };
  for (const brand of Object.values(definitions.settings.brands)) {
    add(brand.site);
    add(brand.logo);
  }
  for (const product of Object.values(definitions.catalogue.products)) {
    add(product.url);
    add(product.imageUrl);
  }
  hostsOf.set(definitions, hosts);
  return hosts;
}

/** Definitions do not change once loaded: the hosts are gathered once a book. */
const hostsOf = new WeakMap<object, ReadonlySet<string>>();

function cleanJson(value: Json | undefined, hosts: ReadonlySet<string>, depth: number): Json | undefined {
  if (typeof value === 'string') {
    return /^https?:\/\//i.test(value.trim()) ? cleanLink(value.trim(), hosts) : cleanText(value, MOST_TEXT);
  }
  if (value === null || value === undefined || depth === 0) return undefined;
  if (Array.isArray(value)) {
    return value
      .slice(0, 50)
      .map((each) => cleanJson(each, hosts, depth - 1))
      .filter((each) => each !== undefined);
  }
  if (typeof value === 'object') return cleanObject(value, hosts, depth - 1);
  return value;
}

function cleanObject(value: JsonObject, hosts: ReadonlySet<string>, depth: number): JsonObject {
  const clean: [string, Json][] = [];
  for (const [key, each] of Object.entries(value).slice(0, 100)) {
    const kept = key === '__proto__' ? undefined : cleanJson(each, hosts, depth);
    if (kept !== undefined) clean.push([key, kept]);
  }
  return Object.fromEntries(clean);
}

/** Whether a message may show what is made of the person's past: not of somebody who forbade its brand to choose by it. */
function speaksOfPast({ settings }: Pick<Definitions, 'settings'>, contact: Contact, message: Message): boolean {
  const brand = settings.senders[message.sender]?.brand ?? '';
  return !profilingStopped(contact.facts, brand);
}

/** The product ids that an e-mail of this message may show: what the caller loads before `buildView`. */
export function productIdsOf(contact: Contact, message: Message): string[] {
  const { product, recommendations } = message.inputs;
  return [
    ...new Set([
      ...(product === undefined ? [] : [product]),
      ...recommendations,
      ...boughtOf(contact, message).map(({ id }) => id),
    ]),
  ];
}

interface Line {
  id: string;
  name?: string;
}

/** What the e-mail calls "bought": the trigger's lines, else, where the past may be spoken of, the newest purchases. */
function boughtOf(contact: Contact, message: Message, past = true): Line[] {
  const { products } = message.inputs.trigger.properties;
  const lines = (Array.isArray(products) ? products : []).flatMap((line): Line[] => {
    if (line === null || typeof line !== 'object' || Array.isArray(line)) return [];
    const id = line.product_id ?? line.sku;
    if (typeof id !== 'string' && typeof id !== 'number') return [];
    return [{ id: String(id), ...(typeof line.name === 'string' ? { name: line.name } : {}) }];
  });
  const older = past ? latestBought(contact.facts.bought, MOST_BOUGHT) : [];
  return (lines.length > 0 ? lines : older.map((id): Line => ({ id }))).slice(0, MOST_BOUGHT);
}

/**
 * The view of one message for one person. `products` holds what the feed last said, by id, and wins over the catalogue;
 * a product without any name is left out. Texts are cleaned and bounded, links are https to allowed hosts; nothing is
 * escaped here. The sender's brand speaks. Where the person stopped its profiling, nothing is recommended, and of what
 * they did only what the message answers is shown: its trigger and its product. Never throws on what customers and feeds wrote.
 */
export function buildView(
  definitions: Definitions,
  contact: Contact,
  message: Message,
  products: Record<string, StoredProduct>,
  links: Links,
): EmailView {
  const { settings, catalogue } = definitions;
  const hosts = allowedHosts(definitions);
  const locale = localeOf(definitions, contact);
  const past = speaksOfPast(definitions, contact, message);

  const view = (line: Line): ProductView | undefined => {
    const known = Object.hasOwn(catalogue.products, line.id) ? catalogue.products[line.id] : undefined;
    const fed = Object.hasOwn(products, line.id) ? products[line.id] : undefined;
    const name = [fed?.name, known?.name, line.name]
      .map((each) => (typeof each === 'string' ? cleanText(each, MOST_TEXT) : undefined))
      .find((each) => each !== undefined);
    if (name === undefined) return undefined;
    const price =
      fed?.price !== undefined
        ? priced(fed.price, fed.currency ?? settings.currency, locale)
        : known?.price === undefined
          ? undefined
          : priced(minorUnits(known.price, settings.currency), settings.currency, locale);
    const url = cleanLink(fed?.url, hosts) ?? cleanLink(known?.url, hosts);
    const imageUrl = cleanLink(fed?.imageUrl, hosts) ?? cleanLink(known?.imageUrl, hosts);
    const category = cleanText(fed?.category ?? known?.category ?? '', MOST_NAME);
    return {
      id: line.id,
      name,
      ...(price === undefined ? {} : { price }),
      ...(url === undefined ? {} : { url }),
      ...(imageUrl === undefined ? {} : { imageUrl }),
      ...(category === undefined ? {} : { category }),
    };
  };
  const views = (lines: Line[]): ProductView[] => lines.map(view).filter((each) => each !== undefined);

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
  const { inputs } = message;
  const product = inputs.product === undefined ? undefined : view(nameFrom(message, inputs.product));
  const sender = settings.senders[message.sender];
  const title = message.topic === undefined ? undefined : settings.topics[message.topic]?.title;
  const topic = title === undefined ? undefined : inLocale(title, locale);
  return {
    contact: Object.fromEntries(attributes) as EmailView['contact'],
    trigger: cleanObject(inputs.trigger.properties, hosts, 4),
    ...(product === undefined ? {} : { product }),
    bought: views(boughtOf(contact, message, past)),
    recommendations: past ? views(inputs.recommendations.map((id) => ({ id }))) : [],
    brand: brandView(definitions, sender?.brand),
    links,
    ...(topic === undefined ? {} : { topic }),
    locale,
    direction: directionOf(locale),
    currency: settings.currency,
  };
}

/** The line of the trigger that a product comes from, for its name where the catalogue has none. */
function nameFrom(message: Message, id: string): Line {
  const { products } = message.inputs.trigger.properties;
  for (const line of Array.isArray(products) ? products : []) {
    if (line === null || typeof line !== 'object' || Array.isArray(line)) continue;
    if (String(line.product_id ?? line.sku) === id && typeof line.name === 'string') return { id, name: line.name };
  }
  return { id };
}

function priced(minor: number, currency: string, locale: string): string | undefined {
  try {
    return formatMoney(minor, currency, locale);
  } catch {
    // A feed with a broken price costs the price, not the mail.
    return undefined;
  }
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
