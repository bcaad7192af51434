// The pages behind links in mail: a GET shows, a POST does, a HEAD does nothing.
import type { Book } from '../../domain/book.ts';
import { OWN_SOURCE } from '../../domain/event.ts';
import { sha256 } from '../../domain/interaction.ts';
import { type LinkKeys, type LinkPayload, readLink } from '../../domain/links.ts';
import { pickLocale, renderPage } from '../../domain/render.ts';
import { buildPageView } from '../../domain/view.ts';
import type { BusEvent } from './bus.ts';

export interface PageAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; img-src https:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
};

type PageName = 'unsubscribe' | 'confirm' | 'done' | 'invalid';

export interface Visit {
  method: string;
  path: string;
  language: string | undefined;
}

/** What a visit leads to: a page, and for a POST the event that it puts on the bus. */
export function visit(request: Visit, keys: LinkKeys, book: Book, now: number): { page: PageAnswer; event?: BusEvent } {
  const { method, path, language } = request;
  if (method === 'HEAD') return { page: { status: 200, headers: HEADERS, body: '' } };
  if (method !== 'GET' && method !== 'POST') {
    return { page: { status: 405, headers: { ...HEADERS, allow: 'GET, HEAD, POST' }, body: '' } };
  }
  const [, door, token = ''] = /\/(u|c)\/([^/]{1,4096})\/?$/.exec(path) ?? [];
  const payload = readLink(token, keys);
  const kind = door === 'c' ? 'confirm' : 'unsubscribe';
  const expired = payload?.until !== undefined && payload.until < now;
  if (
    payload === undefined ||
    payload.kind !== kind ||
    expired ||
    (kind === 'confirm' && payload.topic === undefined)
  ) {
    return { page: pageOf('invalid', book, language, undefined, expired ? 410 : 404) };
  }
  // The form posts to where it stands: a relative address keeps any path in front of the door.
  if (method === 'GET') return { page: pageOf(kind, book, language, payload, 200, token) };
  return { page: pageOf('done', book, language, payload, 200), event: eventOf(payload, token, now) };
}

/** The page that says that nothing was done and to try again. */
export function troublePage(): PageAnswer {
  return {
    status: 503,
    headers: { ...HEADERS, 'retry-after': '60' },
    body: plainPage('Not done yet', 'Something went wrong on our side. Please try again in a minute.'),
  };
}

/**
 * The event of a click. A confirmation counts once per link. A withdrawal counts once per link and minute: a person who
 * has come back may leave again by an old mail.
 */
function eventOf(payload: LinkPayload, token: string, now: number): BusEvent {
  const { contact, brand, message, topic, wording, form } = payload;
  const confirms = payload.kind === 'confirm';
  const name = confirms ? 'Consent Granted' : 'Consent Withdrawn';
  const id = confirms ? sha256(token) : sha256(`${token} ${Math.floor(now / 60_000)}`);
  const properties = confirms
    ? {
        brand,
        topic,
        basis: 'double',
        source: 'confirmation link',
        message,
        ...(wording !== undefined && { wording }),
        ...(form !== undefined && { form }),
      }
    : { brand, all: true, source: 'unsubscribe link', message };
  return {
    source: OWN_SOURCE,
    detailType: name,
    detail: {
      type: 'track',
      event: name,
      messageId: `link-${id.slice(0, 40)}`,
      contactId: contact,
      timestamp: new Date(now).toISOString(),
      properties,
      hops: 1,
    },
  };
}

function pageOf(
  name: PageName,
  book: Book,
  language: string | undefined,
  payload: LinkPayload | undefined,
  status: number,
  action?: string,
): PageAnswer {
  return { status, headers: HEADERS, body: bodyOf(name, book, language, payload, action) };
}

/** The book's page in the reader's language, or a plain one where the book has none or it cannot be rendered. */
function bodyOf(
  name: PageName,
  { definitions }: Book,
  language: string | undefined,
  payload: LinkPayload | undefined,
  action: string | undefined,
): string {
  const sources = definitions.pages[name];
  const locales = Object.keys(sources ?? {});
  if (sources !== undefined && locales.length > 0) {
    const locale = pickLocale(locales, wanted(language, locales));
    try {
      const view = buildPageView(definitions, {
        locale,
        ...(payload !== undefined && { brand: payload.brand, kind: payload.kind }),
        ...(payload?.topic !== undefined && { topic: payload.topic }),
        ...(action !== undefined && { action }),
      });
      return renderPage(sources[locale] as string, view);
    } catch {
      // A broken page must not keep anybody from leaving.
    }
  }
  const form = action === undefined ? '' : `<form method="post" action="${action}"><button>Yes</button></form>`;
  const [title, text] = PLAIN[name];
  return plainPage(title, text, form);
}

const PLAIN: Record<PageName, [title: string, text: string]> = {
  unsubscribe: ['Unsubscribe', 'Shall we stop sending you news and offers?'],
  confirm: ['Confirm', 'Do you want to receive our e-mails?'],
  done: ['Done', 'Your choice is saved.'],
  invalid: ['This link does not work', 'It is incomplete or too old. Please use the newest e-mail from us.'],
};

function plainPage(title: string, text: string, form = ''): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><h1>${title}</h1><p>${text}</p>${form}</html>`;
}

/** The first language of an Accept-Language header that there is, by its weights. */
function wanted(header: string | undefined, locales: string[]): string | undefined {
  const asked = (header ?? '')
    .slice(0, 200)
    .split(',')
    .map((part) => {
      const [tag = '', weight] = part.trim().split(/;\s*q=/);
      return { tag, weight: weight === undefined ? 1 : Number(weight) };
    })
    .filter(({ tag, weight }) => tag !== '' && weight > 0)
    .sort((a, b) => b.weight - a.weight);
  const known = new Set(locales.map((locale) => locale.toLowerCase().split('-')[0]));
  return asked.find(({ tag }) => known.has(tag.toLowerCase().split('-')[0]))?.tag;
}
