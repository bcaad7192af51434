// The pages behind links in mail: the book's, in the reader's language, or plain ones that need nothing.
import type { Book } from '../../domain/book.ts';
import type { Contact } from '../../domain/contact.ts';
import type { LinkPayload } from '../../domain/links.ts';
import { type PageView, pickLocale, renderPage } from '../../domain/render.ts';
import { buildPageView } from '../../domain/view.ts';

export interface PageAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** No page is kept, told to others, framed or indexed, and none runs a script. */
export const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
};

export type PageName = 'unsubscribe' | 'confirm' | 'done' | 'invalid' | 'preferences' | 'saved' | 'known' | 'gone';

/** The page that says that nothing was done and to try again. */
export function troublePage(): PageAnswer {
  return {
    status: 503,
    headers: { ...HEADERS, 'retry-after': '60' },
    body: plainPage('Not done yet', 'Something went wrong on our side. Please try again in a minute.'),
  };
}

/** The book's pages in the reader's language, or plain ones where the book has none or they cannot be rendered. */
export class Pages {
  readonly #book: Book;
  readonly #language: string | undefined;
  readonly #payload: LinkPayload | undefined;
  readonly #own: string | undefined;

  /** `language`: the reader's Accept-Language; the contact's own locale stands in where it names none that there is. */
  constructor(book: Book, language: string | undefined, payload?: LinkPayload, contact?: Contact) {
    this.#book = book;
    this.#language = language;
    this.#payload = payload;
    const own = contact?.facts.attributes.locale?.value;
    if (typeof own === 'string') this.#own = own;
  }

  /** The locale in which a page is shown. */
  locale(name: PageName): string {
    const { pages, settings } = this.#book.definitions;
    const there = Object.keys(pages[name] ?? {});
    // A stored book keeps no order of its keys: which language comes first is said by the settings.
    const first = settings.locales.filter((locale) => there.includes(locale));
    const locales = there.length > 0 ? [...new Set([...first, ...there])] : settings.locales;
    return pickLocale(locales, wanted(this.#language, locales) ?? this.#own);
  }

  /** A page; `says` is what it speaks of beside brand and link. */
  page(name: PageName, says: Omit<Partial<PageView>, 'brand' | 'topic'> = {}, status = 200): PageAnswer {
    return { status, headers: HEADERS, body: this.#body(name, says) };
  }

  #body(name: PageName, says: Omit<Partial<PageView>, 'brand' | 'topic'>): string {
    const { definitions } = this.#book;
    const payload = this.#payload;
    const locale = this.locale(name);
    const source = definitions.pages[name]?.[locale];
    if (source !== undefined) {
      try {
        const view = buildPageView(definitions, {
          ...(payload !== undefined && { brand: payload.brand }),
          ...(payload !== undefined && payload.kind !== 'view' && { kind: payload.kind }),
          ...(payload?.topic !== undefined && { topic: payload.topic }),
          ...says,
          locale,
        });
        return renderPage(source, view);
      } catch {
        // A broken page must not keep anybody from leaving.
      }
    }
    const [title, text] = PLAIN[name];
    const { action } = says;
    const button =
      name === 'preferences' ? '<button name="do" value="withdraw">Stop all e-mails</button>' : '<button>Yes</button>';
    const form =
      action === undefined || name === 'saved' || name === 'known'
        ? ''
        : `<form method="post" action="${action}">${button}</form>`;
    return plainPage(title, text, form);
  }
}

const PLAIN: Record<PageName, [title: string, text: string]> = {
  unsubscribe: ['Unsubscribe', 'Shall we stop sending you news and offers?'],
  confirm: ['Confirm', 'Do you want to receive our e-mails?'],
  done: ['Done', 'Your choice is saved.'],
  invalid: ['This link does not work', 'It is incomplete or too old. Please use the newest e-mail from us.'],
  preferences: ['Your e-mails', 'Your choices cannot be shown at the moment. You can stop all news and offers here.'],
  saved: ['Saved', 'Your choice is saved. It takes about a minute.'],
  known: ['Not at the moment', 'What we know about you cannot be shown at the moment. Please try again later.'],
  gone: ['Nothing here', 'We hold no data under this link any more.'],
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
