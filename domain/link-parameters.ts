// Campaign parameters on the links of a rendered mail, so that the shop's own analytics know where a visit came from.
import type { Definitions } from './book.ts';
import { allowedHosts } from './clean.ts';
import type { EmailView } from './render.ts';

/** What is written on links, and on which. */
export interface LinkParameters {
  /** Name → value, in the order in which they are written. */
  values: Readonly<Record<string, string>>;
  /** Hosts that get them, in small letters. */
  hosts: ReadonlySet<string>;
  /** The address of our own doors: links below it are left as they are, whatever its host. */
  doors: string;
}

/** An `href` of a link in HTML, in either kind of quotes. */
const HREF = /(<a(?:rea)?\b[^>]*?\shref=)("https:[^"]*"|'https:[^']*')/gi;
/** An address in a text, without the brackets or the full stop around it. */
const ADDRESS = /https:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]]/g;
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * The parameters of one message: source and medium as the settings say (`kairos` and `email` where they say nothing),
 * its campaign, and its send with the variant that was drawn.
 */
export function parametersOf(
  { source = 'kairos', medium = 'email' }: { source?: string | undefined; medium?: string | undefined },
  { campaign, key, variant }: { campaign: string; key: string; variant?: string | undefined },
): Record<string, string> {
  return {
    utm_source: source,
    utm_medium: medium,
    utm_campaign: campaign,
    utm_content: variant === undefined ? key : `${key}-${variant}`,
  };
}

/** A rendered mail with the parameters on its links, as the settings say; `run` is that of its view. */
export function withLinkParameters<T extends { html: string; text: string }>(
  mail: T,
  definitions: Pick<Definitions, 'settings' | 'catalogue'>,
  { campaign, step, variant }: EmailView['run'],
  doors: string,
): T {
  const said = definitions.settings.linkParameters ?? {};
  if (said === false) return mail;
  const values = parametersOf(said, { campaign, key: step, variant });
  const parameters = { values, hosts: allowedHosts(definitions), doors };
  return {
    ...mail,
    html: withParametersInHtml(mail.html, parameters),
    text: withParametersInText(mail.text, parameters),
  };
}

/** The HTML with the parameters on its links: `<a>` and `<area>`, never pictures. */
export function withParametersInHtml(html: string, parameters: LinkParameters): string {
  return html.replace(HREF, (whole, before: string, quoted: string) => {
    const quote = quoted[0] as string;
    const link = plainText(quoted.slice(1, -1));
    const dressed = withParameters(link, parameters);
    return dressed === link ? whole : `${before}${quote}${escaped(dressed)}${quote}`;
  });
}

/** The plain text with the parameters on its addresses. */
export function withParametersInText(text: string, parameters: LinkParameters): string {
  return text.replace(ADDRESS, (link) => withParameters(link, parameters));
}

/**
 * One https link with the parameters that it does not have yet, in front of its fragment. A link to another host, with a
 * port or a user, or to one of our doors stays as it is.
 */
export function withParameters(link: string, { values, hosts, doors }: LinkParameters): string {
  const host = /^https:\/\/([^/?#\\]+)/i.exec(link)?.[1];
  if (host === undefined || !hosts.has(host.toLowerCase()) || isDoor(link, doors)) return link;
  const hash = link.indexOf('#');
  const address = hash < 0 ? link : link.slice(0, hash);
  const mark = address.indexOf('?');
  const query = mark < 0 ? '' : address.slice(mark + 1);
  const missing = query === '' ? writtenOf(values).all : missingFrom(query, values);
  if (missing === '') return link;
  const glue = mark < 0 ? '?' : query === '' || query.endsWith('&') ? '' : '&';
  return `${address}${glue}${missing}${hash < 0 ? '' : link.slice(hash)}`;
}

function missingFrom(query: string, values: LinkParameters['values']): string {
  const given = new Set(query.split('&').map((part) => part.split('=', 1)[0]?.toLowerCase()));
  return writtenOf(values)
    .each.filter(([name]) => !given.has(name))
    .map(([, text]) => text)
    .join('&');
}

interface Written {
  each: [name: string, text: string][];
  all: string;
}
/** The values of one mail are written once, not for each of its links. */
const written = new WeakMap<LinkParameters['values'], Written>();

function writtenOf(values: LinkParameters['values']): Written {
  let known = written.get(values);
  if (known === undefined) {
    const each = Object.entries(values).map(([name, value]): [string, string] => [
      name,
      `${name}=${encodeURIComponent(value)}`,
    ]);
    known = { each, all: each.map(([, text]) => text).join('&') };
    written.set(values, known);
  }
  return known;
}

/** Whether a link leads to a door of ours: `<doors>/u/…`, `/c/…`, `/p/…`, `/w/…` or `/i/…`. */
function isDoor(link: string, doors: string): boolean {
  return link.startsWith(doors) && /^\/?[ucpwi]\//.test(link.slice(doors.length));
}

function plainText(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot|apos));/gi, (_, hex, decimal, name) =>
    name !== undefined
      ? (ENTITIES[String(name).toLowerCase()] as string)
      : String.fromCodePoint(Math.min(0x10ffff, Number.parseInt(hex ?? decimal, hex === undefined ? 10 : 16))),
  );
}

function escaped(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;');
}
