// Renders e-mails and pages from Liquid sources in a sandbox: escaped, bounded, no files, nothing undefined.
import { Liquid, LiquidError, type Template } from 'liquidjs';
import type { CompiledEmail, Definitions } from './book.ts';
import { KairosError } from './fault.ts';
import type { Json, JsonObject } from './interaction.ts';
import { sayDate, sayNumber } from './locale.ts';
import type { Message } from './message.ts';
import { formatMoney, minorUnits } from './money.ts';

/** Most bytes of one rendered part. Gmail cuts messages at 102 KB. */
export const MOST_BYTES = 100_000;
const MOST_SUBJECT = 200;

export interface ProductView {
  id: string;
  name: string;
  /** Formatted for the recipient: "1.149,00 €". */
  price?: string;
  /** The lowest price of the 30 days before the present one, formatted. */
  lowestPrice30d?: string;
  /** The same, where the present price is below it: what a reduction may be announced by. */
  wasPrice?: string;
  /** Absent where the feed never told a stock. */
  inStock?: boolean;
  url?: string;
  imageUrl?: string;
  category?: string;
}

export interface CartView extends ProductView {
  quantity: number;
}

export interface CouponView {
  code: string;
  /** "10 %" or "5,00 €". */
  worth: string;
  /** ISO 8601; absent where it does not end. */
  expires?: string;
}

export interface BrandView {
  name: string;
  legalName: string;
  postalAddress: string;
  site: string;
  logo?: string;
  colours: { accent: string; text: string; background: string };
}

/** All that an e-mail can say: plain JSON, cleaned by buildView. Strings are not escaped: the engine does that. */
export interface EmailView {
  contact: { firstName?: string; lastName?: string; [attribute: string]: Json | undefined };
  /** Properties of what started the run. */
  trigger: JsonObject;
  /** What it is about: the line of `each`, the due or turned product, or the one of the trigger. */
  product?: ProductView;
  /** What was bought: the trigger's lines, else the newest purchases. */
  bought: ProductView[];
  recommendations: ProductView[];
  /** What stands in the cart, the newest first. */
  cart: CartView[];
  /** What the whole cart costs, formatted; absent where it is empty or not every price is known. */
  cartValue?: string;
  /** The code that this message carries. */
  coupon?: CouponView;
  /** Where in which campaign it is sent: the key of its send, and the variant that was drawn. */
  run: { campaign: string; step: string; variant?: string };
  brand: BrandView;
  /** `images` is what comes before the name of a published picture. */
  links: { unsubscribe: string; preferences?: string; confirm?: string; webView?: string; images?: string };
  /** The topic's title; absent in service mail. */
  topic?: string;
  locale: string;
  direction: 'ltr' | 'rtl';
  /** The shop's currency, read by the filter `money`. */
  currency: string;
  /** Read by the filter `day`. */
  zones: { shop: string; contact: string };
}

/** What a page of the preference links can say. */
export interface PageView {
  brand: BrandView;
  locale: string;
  direction: 'ltr' | 'rtl';
  /** Where the form posts to; absent on pages without a form. */
  action?: string;
  /** What the link was for. */
  kind?: 'unsubscribe' | 'confirm' | 'preferences';
  /** The topic's title, where the link speaks of one. */
  topic?: string;
  /** Address of the page of choices, on pages that lead there. */
  preferences?: string;
  /** Present choices, on the page of choices; absent while they cannot be read. */
  choices?: ChoicesView;
  /** What was just chosen. */
  saved?: SavedView;
  /** What is known of the person; absent where the link is too old to show it. */
  known?: KnownView;
}

/** The choices that stand, and what the page needs to ask for others. */
export interface ChoicesView {
  /** Goes back with the form: the same form says the same thing, however often it is sent. */
  made: string;
  topics: { id: string; title: string; description?: string; on: boolean }[];
  /** Marketing of some topic is on. */
  anything: boolean;
  /** The day on which a pause ends; absent when there is none. */
  pausedUntil?: string;
  profilingStopped: boolean;
  /** Nothing is sent to the address, whatever is chosen here. */
  blocked: boolean;
  /** The link is young enough to show what is known. */
  knows: boolean;
}

/** What was understood. */
export interface SavedView {
  what: 'save' | 'pause' | 'resume' | 'stop-profiling' | 'allow-profiling' | 'withdraw';
  /** Titles of the topics that are on and off from now on. */
  on: string[];
  off: string[];
  /** Some topic was changed. */
  changed: boolean;
  /** The day on which the pause ends. */
  until?: string;
}

/** What is known of a person, in words and in the days of the shop. */
export interface KnownView {
  /** "a•••@example.org"; absent where there is none. */
  address?: string;
  since: string;
  /** `truth` stands in for the value of a yes or no. */
  attributes: { name: string; label: string; value: string; truth?: boolean; at: string }[];
  orders?: { count: number; spend?: string; first: string; last: string };
  bought: { name: string; at: string }[];
  cart: string[];
  /** What was done last, by the name of its event. */
  acts: { name: string; at: string }[];
  consents: {
    topic: string;
    granted: boolean;
    at: string;
    basis?: 'double' | 'single' | 'soft' | 'imported';
    source?: string;
    form?: string;
    wording?: string;
    until?: string;
  }[];
  /** The day of the last withdrawal of everything. */
  withdrawn?: string;
  pausedUntil?: string;
  profilingStopped: boolean;
  blocked?: { reason: string; at: string };
  segments: { title: string; at: string }[];
  campaigns: { title: string; at: string }[];
  /** Who answers questions. */
  help?: string;
}

export interface RenderedEmail {
  subject: string;
  preheader: string;
  html: string;
  text: string;
}

/** A source that cannot be rendered with this view. Permanent: the same input gives the same answer. */
export class RenderError extends KairosError {
  readonly code: string;
  readonly path: string;

  constructor(code: string, path: string, message: string, options?: ErrorOptions) {
    super({ code, path, message }, options);
    this.name = 'RenderError';
    this.code = code;
    this.path = path;
  }
}

/** Filters that would undo the sandbox or read the clock of the machine. */
const REFUSED_FILTERS = [
  'raw',
  'json',
  'inspect',
  'jsonify',
  'to_integer',
  'url_decode',
  'base64_decode',
  'sample',
  'date',
  'date_to_xmlschema',
  'date_to_rfc822',
  'date_to_string',
  'date_to_long_string',
];
/** Tags that read other templates. */
const REFUSED_TAGS = ['include', 'render', 'layout', 'block'];

/** What a filter is called with. */
interface Around {
  context: { getSync(path: string[]): unknown };
}

const seen = ({ context }: Around, ...path: string[]): string => String(context.getSync(path));

function mostDigits(digits: unknown): number {
  if (Number.isInteger(digits) && Number(digits) >= 0 && Number(digits) <= 10) return Number(digits);
  throw new Error('number: decimals are a whole number from 0 to 10');
}

function engine(escapes: boolean): Liquid {
  const liquid = new Liquid({
    ...(escapes ? { outputEscape: 'escape' as const } : {}),
    ownPropertyOnly: true,
    strictFilters: true,
    strictVariables: true,
    lenientIf: true,
    templates: {},
    relativeReference: false,
    dynamicPartials: false,
    parseLimit: 400_000,
    renderLimit: 5_000,
    memoryLimit: 2_000_000,
    timezoneOffset: 0,
    locale: 'en',
  });
  for (const name of REFUSED_FILTERS) delete liquid.filters[name];
  for (const name of REFUSED_TAGS) delete liquid.tags[name];
  liquid.registerFilter('money', function (this: Around, value: unknown, of?: unknown) {
    const currency = typeof of === 'string' ? of : seen(this, 'currency');
    return formatMoney(minorUnits(value, currency), currency, seen(this, 'locale'));
  });
  liquid.registerFilter('number', function (this: Around, value: unknown, digits?: unknown) {
    const number = typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number))
      throw new Error('number: what it is given is no number');
    return sayNumber(number, seen(this, 'locale'), digits === undefined ? undefined : mostDigits(digits));
  });
  liquid.registerFilter('day', function (this: Around, value: unknown, whose: unknown = 'shop') {
    if (whose !== 'shop' && whose !== 'contact') throw new Error('day: whose day it is can be "shop" or "contact"');
    const said = sayDate(value, seen(this, 'locale'), seen(this, 'zones', whose));
    if (said === undefined) throw new Error('day: what it is given is no date');
    return said;
  });
  return liquid;
}

const html = engine(true);
const plain = engine(false);

/** Names of the filters that a template may use. */
export function knownFilters(): string[] {
  return Object.keys(html.filters);
}

/** Names of the tags that a template may use. */
export function knownTags(): string[] {
  return Object.keys(html.tags);
}

/**
 * Parses a Liquid source and lists the variables that it reads, as paths: `["contact", "firstName"]`. Parts that are not
 * known before rendering (an index, a variable) are left out. Throws RenderError on bad syntax, unknown tags and filters.
 */
export function readsOf(source: string, path: string): string[][] {
  const templates = parse(html, source, path);
  return html
    .globalVariableSegmentsSync(templates)
    .map((segments) => segments.filter((segment): segment is string => typeof segment === 'string'));
}

function parse(liquid: Liquid, source: string, path: string): Template[] {
  try {
    return liquid.parse(source);
  } catch (error) {
    throw problem(error, 'render.syntax', path);
  }
}

/** The sentence of a LiquidJS error without its file, and without values. */
function problem(error: unknown, code: string, path: string): RenderError {
  if (error instanceof RenderError) return error;
  const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'cannot be rendered';
  const undefinedVariable = /undefined variable: (\S+?),?( |$)/.exec(message)?.[1];
  if (undefinedVariable !== undefined) {
    return new RenderError('render.missing-value', path, `"${undefinedVariable}" has no value here.`, { cause: error });
  }
  const place = error instanceof LiquidError ? (/, line:(\d+), col:(\d+)/.exec(message) ?? undefined) : undefined;
  const what = message.replace(/, (file:[^,]+, )?line:\d+, col:\d+/, '').replace(/, file:.*$/, '');
  return new RenderError(
    code,
    path,
    place === undefined ? `${what}.` : `${what} (line ${place[1]}, column ${place[2]}).`,
    {
      cause: error,
    },
  );
}

function run(liquid: Liquid, templates: Template[], view: object, path: string): string {
  let text: string;
  try {
    text = String(liquid.renderSync(templates, view));
  } catch (error) {
    throw problem(error, 'render.failed', path);
  }
  if (Buffer.byteLength(text) > MOST_BYTES) {
    throw new RenderError(
      'render.too-long',
      path,
      `is ${Buffer.byteLength(text)} bytes long, at most ${MOST_BYTES} are allowed.`,
    );
  }
  return text;
}

interface Parsed {
  subject: Template[];
  preheader: Template[];
  html: Template[];
  text: Template[];
}

/** Parsed sources live as long as the book that holds them. */
const parsedEmails = new WeakMap<CompiledEmail, Map<string, Parsed>>();

function parsedEmail(email: CompiledEmail, locale: string): Parsed {
  let byLocale = parsedEmails.get(email);
  if (byLocale === undefined) {
    byLocale = new Map();
    parsedEmails.set(email, byLocale);
  }
  const known = byLocale.get(locale);
  if (known !== undefined) return known;
  const source = email.locales[locale]!;
  const parsed: Parsed = {
    subject: parse(plain, source.subject, 'subject'),
    preheader: parse(plain, source.preheader, 'preheader'),
    html: parse(html, source.html, 'html'),
    text: parse(plain, source.text, 'text'),
  };
  byLocale.set(locale, parsed);
  return parsed;
}

/**
 * The locale of `available` that fits best: the same, else the same language, else the first.
 * `wanted` may be a BCP 47 tag or Java-like: `de-AT`, `de_AT`.
 */
export function pickLocale(available: readonly string[], wanted: string | undefined): string {
  const first = available[0];
  if (first === undefined) throw new RenderError('render.no-locale', 'locales', 'there is no locale.');
  if (wanted === undefined) return first;
  const asked = wanted.replace('_', '-').toLowerCase();
  const language = asked.split('-')[0];
  return (
    available.find((locale) => locale.toLowerCase() === asked) ??
    available.find((locale) => locale.toLowerCase() === language) ??
    available.find((locale) => locale.toLowerCase().split('-')[0] === language) ??
    first
  );
}

/** One line: no CR, LF, control or direction-override characters; runs of white space are one blank. */
function oneLine(text: string): string {
  return text
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .toWellFormed();
}

/** The name under which a variant of an e-mail is compiled. */
export const variantName = (email: string, variant: string): string => `${email}@${variant}`;

/** The e-mail and the variant that a compiled name means: "welcome@subject-b" → welcome, subject-b. */
export function ofVariant(name: string): { email: string; variant?: string } {
  const [email = name, variant] = name.split('@');
  return { email, ...(variant === undefined ? {} : { variant }) };
}

/** The e-mail that a message is made of: its variant's, where that has words of its own. */
export function emailOf(
  { emails }: Pick<Definitions, 'emails'>,
  { email, variant }: Pick<Message, 'email' | 'variant'>,
): CompiledEmail | undefined {
  const own = variant === undefined ? undefined : emails[variantName(email, variant)];
  return own ?? emails[email];
}

/** Whether an e-mail shows prices. */
export function showsPrices(email: CompiledEmail): boolean {
  return Object.values(email.locales).some(({ html }) => /\{[{%][^}]*(price|cartValue)/i.test(html));
}

/**
 * Renders one e-mail for one person. Values are escaped in HTML and left as they are in subject, preheader and text;
 * the subject is one line of at most 200 characters. Throws RenderError (`render.missing-value`, `render.too-long`, …).
 */
export function renderEmail(email: CompiledEmail, view: EmailView, locale: string): RenderedEmail {
  const parsed = parsedEmail(email, pickLocale(Object.keys(email.locales), locale));
  const subject = [...oneLine(run(plain, parsed.subject, view, 'subject'))].slice(0, MOST_SUBJECT).join('');
  if (subject === '') throw new RenderError('render.empty', 'subject', 'the subject is empty.');
  return {
    subject,
    preheader: oneLine(run(plain, parsed.preheader, view, 'preheader')),
    html: run(html, parsed.html, view, 'html').toWellFormed(),
    text: run(plain, parsed.text, view, 'text')
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')
      .replace(/[ \t]+$/gm, '')
      .replace(/\n{3,}/g, '\n\n')
      .trim()
      .toWellFormed(),
  };
}

/** Renders a preference page from its Liquid source; values are escaped. Throws RenderError. */
export function renderPage(source: string, view: PageView): string {
  return run(html, parse(html, source, 'page'), view, 'page').toWellFormed();
}
