// The pages behind links in mail: a GET shows, a POST does, a HEAD does nothing.
import type { Book } from '../../domain/book.ts';
import type { Contact } from '../../domain/contact.ts';
import { OWN_SOURCE } from '../../domain/event.ts';
import { sha256 } from '../../domain/interaction.ts';
import { DOORS, type LinkKeys, type LinkPayload, readLink, signLink } from '../../domain/links.ts';
import type { Message, MessageState } from '../../domain/message.ts';
import {
  type Choice,
  choicesOf,
  isYoung,
  knownOf,
  productsOf,
  readChoice,
  type Statement,
  savedOf,
  statementsOf,
} from '../../domain/preferences.ts';
import type { StoredProduct } from '../../domain/product.ts';
import { productIdsOf } from '../../domain/product-view.ts';
import { emailOf } from '../../domain/render.ts';
import type { BusEvent } from './bus.ts';
import { renderMessage } from './compose.ts';
import { faultOf, type Log } from './handler.ts';
import { HEADERS, type PageAnswer, Pages, troublePage } from './pages.ts';
import { readProduct } from './product.ts';
import { type Item, key, readContact, readMessage, type Table } from './table.ts';

export interface Visit {
  method: string;
  path: string;
  language: string | undefined;
  /** The posted form, as text. */
  body: string;
}

export interface VisitDeps {
  keys: LinkKeys;
  book: Book;
  /** An earlier book; undefined where it cannot be had. */
  bookOf: (hash: string) => Promise<Book | undefined>;
  table: Pick<Table, 'read'>;
  log: Log;
  now: number;
}

/** A page, and the events that are to be on the bus before it says so. */
export interface Led {
  page: PageAnswer;
  events: BusEvent[];
}

/** What a visit leads to. Never throws on what a visitor sent; what cannot be read keeps nobody from leaving. */
export async function visit(request: Visit, deps: VisitDeps): Promise<Led> {
  const { method, path, language } = request;
  const { keys, now, book } = deps;
  if (method === 'HEAD') return shows({ status: 200, headers: HEADERS, body: '' });
  if (method !== 'GET' && method !== 'POST') {
    return shows({ status: 405, headers: { ...HEADERS, allow: 'GET, HEAD, POST' }, body: '' });
  }
  const [, door, token = '', slash] = /\/(u|c|p|w)\/([^/]{1,4096})(\/?)$/.exec(path) ?? [];
  const payload = readLink(token, keys);
  const expired = payload?.until !== undefined && payload.until < now;
  if (
    payload === undefined ||
    DOORS[payload.kind] !== door ||
    expired ||
    (payload.kind === 'confirm' && payload.topic === undefined)
  ) {
    return shows(new Pages(book, language).page('invalid', {}, expired ? 410 : 404));
  }
  if (payload.kind === 'preferences') return choose(request, deps, { payload, token });
  // Addresses in it are relative: a path in front of the doors stays.
  if (payload.kind === 'view') return shows(await mailPage(request, deps, payload, slash === '/' ? '../..' : '..'));
  const pages = new Pages(book, language, payload);
  const preferences = choicesLink(payload, keys);
  // The form posts to where it stands: a relative address keeps any path in front of the door.
  if (method === 'GET') return shows(pages.page(payload.kind, { action: token, ...preferences }));
  return { page: pages.page('done', preferences), events: [clickEvent(payload, token, now)] };
}

/** How long a page waits for what it could do without. */
const PATIENCE = 2_000;

/** The answer, or a fault when it does not come soon: a table that hangs must not keep anybody from leaving either. */
export async function soon<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error('pages: what was asked for did not come soon')), PATIENCE);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

const shows = (page: PageAnswer): Led => ({ page, events: [] });

interface Chooser {
  payload: LinkPayload;
  token: string;
}

/** The page of choices: a GET shows those that stand, a POST makes one or shows what is known. */
async function choose(request: Visit, deps: VisitDeps, { payload, token }: Chooser): Promise<Led> {
  const { book, table, log, now } = deps;
  const { brand } = payload;
  // A table that cannot be read must not keep anybody from leaving.
  const person = await soon(readPerson(table, payload)).catch((error: unknown) => {
    log.error('person.unread', faultOf(error));
    return undefined;
  });
  const contact = person?.contact;
  const pages = new Pages(book, request.language, payload, contact);
  if (person !== undefined && contact === undefined) return shows(pages.page('gone', {}, 410));
  const knows = isYoung(person?.message, now);
  const asked = request.method === 'POST' ? readChoice(request.body) : undefined;
  if (asked === undefined) {
    const about = { brand, locale: pages.locale('preferences'), now, knows };
    const choices = contact === undefined ? {} : { choices: choicesOf(book.definitions, contact, about) };
    return shows(pages.page('preferences', { action: token, ...choices }));
  }
  if (asked.what !== 'known') return save(asked, deps, { payload, token }, pages, person?.message?.topic);
  if (contact === undefined) return shows(troublePage());
  if (!knows) return shows(pages.page('known', { action: token }, 403));
  const products = await soon(readProducts(table, productsOf(contact))).catch(() => ({}));
  const known = knownOf(book, contact, products, { brand, locale: pages.locale('known'), now });
  return shows(pages.page('known', { action: token, known }));
}

/** What a choice leads to; `about` is the topic of the mail that the link stood in. */
function save(
  asked: Choice,
  { book, now }: VisitDeps,
  { payload, token }: Chooser,
  pages: Pages,
  about: string | undefined,
): Led {
  const { settings } = book.definitions;
  const locale = pages.locale('saved');
  const wording = `preference page, ${locale}, ${book.hash.slice(0, 12)}`;
  const statements = statementsOf(asked, payload, { now, settings, wording, ...(about !== undefined && { about }) });
  const events = statements.map((said) => choiceEvent(said, payload, `${token} ${asked.made}`, now));
  // Without a book no topic is known, and none can be asked for: it does not say that it was.
  if (asked.what === 'save' && asked.on.length > 0 && book.definitions.ordinal === 0) {
    return { page: troublePage(), events };
  }
  const saved = savedOf(asked, book.definitions, { locale, now });
  return { page: pages.page('saved', { action: token, ...(saved !== undefined && { saved }) }), events };
}

/** States in which a mail has reached its reader, or may have. */
const OUT: ReadonlySet<MessageState> = new Set(['claimed', 'uncertain', 'sent']);

/**
 * A mail as a page: made of its book and of what was frozen on its message, so that it says what the mail says. Of who was
 * erased, and of what never went out, there is nothing to show.
 */
async function mailPage(request: Visit, deps: VisitDeps, payload: LinkPayload, doors: string): Promise<PageAnswer> {
  const { table, keys, log } = deps;
  try {
    const { contact, message } = await soon(readPerson(table, payload));
    const pages = new Pages(deps.book, request.language, payload, contact);
    if (contact === undefined || message === undefined || !OUT.has(message.state)) return pages.page('gone', {}, 410);
    const own = payload.book === undefined ? undefined : await soon(deps.bookOf(payload.book)).catch(() => undefined);
    const book = own ?? deps.book;
    if (emailOf(book.definitions, message) === undefined) return pages.page('gone', {}, 410);
    const products = await soon(readProducts(table, productIdsOf(contact, message)));
    // What ends is reckoned from the mail, not from the visit.
    const now = message.sentAt ?? message.claimedAt ?? deps.now;
    const { html } = renderMessage({ message, contact, book, products, keys, publicBaseUrl: doors, now });
    return { status: 200, headers: HEADERS, body: html };
  } catch (error) {
    log.error('mail.unshown', faultOf(error));
    return troublePage();
  }
}

/** The living contact behind a link, and the message that the link stood in. */
interface Person {
  contact?: Contact;
  message?: Message;
}

/** More merges than any chain has. */
const MOST_STEPS = 50;

async function readPerson(table: Pick<Table, 'read'>, payload: LinkPayload): Promise<Person> {
  const message = key.message(payload.contact, payload.message);
  const person: Person = {};
  let id: string | undefined = payload.contact;
  for (let steps = 0; id !== undefined && steps < MOST_STEPS; steps++) {
    const found = await table.read(steps === 0 ? [key.contact(id), message] : [key.contact(id)]);
    const own = found.get(message);
    const item: Item | undefined = found.get(key.contact(id));
    if (own !== undefined) person.message = readMessage(own);
    const contact: Contact | undefined = item && readContact(item).value;
    id = contact?.mergedInto;
    if (contact !== undefined && id === undefined) person.contact = contact;
  }
  return person;
}

async function readProducts(table: Pick<Table, 'read'>, ids: string[]): Promise<Record<string, StoredProduct>> {
  const found = await table.read(ids.map(key.product));
  return Object.fromEntries(
    ids.flatMap((id) => {
      const item = found.get(key.product(id));
      return item === undefined ? [] : [[id, readProduct(item).product]];
    }),
  );
}

/**
 * The event of a click. A confirmation counts once per link. A withdrawal counts once per link and second: a person who
 * has come back may leave again by an old mail, however soon.
 */
function clickEvent(payload: LinkPayload, token: string, now: number): BusEvent {
  const { brand, message, topic, wording, form } = payload;
  if (payload.kind === 'confirm') {
    const properties = {
      brand,
      topic: topic as string,
      basis: 'double',
      source: 'confirmation link',
      message,
      ...(wording !== undefined && { wording }),
      ...(form !== undefined && { form }),
    };
    return eventOf({ name: 'Consent Granted', properties }, payload, sha256(token), now);
  }
  const properties = { brand, all: true, source: 'unsubscribe link', message };
  return eventOf({ name: 'Consent Withdrawn', properties }, payload, sha256(`${token} ${Math.floor(now / 1000)}`), now);
}

/**
 * The event of a choice. The same form sent twice within a minute is one choice; another page's form is another, however
 * soon: who turns something off, on and off again has turned it off.
 */
function choiceEvent(said: Statement, payload: LinkPayload, form: string, now: number): BusEvent {
  const { topic = '' } = said.properties;
  return eventOf(said, payload, sha256(`${form} ${said.name} ${String(topic)} ${minuteOf(now)}`), now);
}

const minuteOf = (now: number): number => Math.floor(now / 60_000);

function eventOf({ name, properties }: Statement, { contact }: LinkPayload, id: string, now: number): BusEvent {
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

/** Where the page of choices is, from a page behind another door. It is as old as the mail: it carries no time of its own. */
function choicesLink({ contact, brand, message }: LinkPayload, keys: LinkKeys): { preferences?: string } {
  try {
    return { preferences: `../p/${signLink({ kind: 'preferences', contact, brand, message }, keys)}` };
  } catch {
    // A key that cannot sign at present must not keep anybody from leaving.
    return {};
  }
}
