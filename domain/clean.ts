// What strangers wrote, made fit for an e-mail: texts, links and JSON, cleaned and bounded.
import type { Definitions } from './book.ts';
import type { Json, JsonObject } from './interaction.ts';

/** Most characters of one text. */
export const MOST_TEXT = 200;

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

/** A value of a stranger with its texts and links cleaned, at most `depth` levels deep; undefined when nothing is left. */
export function cleanJson(value: Json | undefined, hosts: ReadonlySet<string>, depth: number): Json | undefined {
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

/** The object with every value cleaned; what is nothing but dirt is left out. */
export function cleanObject(value: JsonObject, hosts: ReadonlySet<string>, depth: number): JsonObject {
  const clean: [string, Json][] = [];
  for (const [key, each] of Object.entries(value).slice(0, 100)) {
    const kept = key === '__proto__' ? undefined : cleanJson(each, hosts, depth);
    if (kept !== undefined) clean.push([key, kept]);
  }
  return Object.fromEntries(clean);
}
