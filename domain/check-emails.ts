// Checks compiled e-mails and pages: what they read exists, what they must say is there, and they render for everybody.
import type { CompiledEmail } from './book.ts';
import type { Campaign, When } from './campaign-grammar.ts';
import { startingEvents } from './campaign-parts.ts';
import { advertisesNothing, advertisingIn, asksForConsent } from './check-kinds.ts';
import { type Draft, sendsOf, type Texts, variantsOf } from './draft.ts';
import { type Fault, suggest } from './fault.ts';
import { withLinkParameters } from './link-parameters.ts';
import { NOBODY, type Person } from './person.ts';
import {
  type EmailView,
  knownFilters,
  knownTags,
  MOST_BYTES,
  ofVariant,
  RenderError,
  readsOf,
  renderEmail,
  renderPage,
} from './render.ts';
import { sampleFeed, sampleMessage } from './sample-message.ts';
import type { CouponPool } from './settings.ts';
import { buildPageView, buildView } from './view.ts';

/** 10:00 UTC on 1 March 2026: when samples are rendered. */
const SAMPLE_INSTANT = Date.UTC(2026, 2, 1, 10);
const SAMPLE_DOORS = 'https://links.example';
/** Where pictures of the templates are in samples. */
export const SAMPLE_IMAGES = `${SAMPLE_DOORS}/i`;

const PRODUCT = ['id', 'name', 'price', 'lowestPrice30d', 'wasPrice', 'inStock', 'url', 'imageUrl', 'category'];
const COUPON = ['code', 'worth', 'expires'];
const RUN = ['campaign', 'step', 'variant'];
const BRAND = ['name', 'legalName', 'postalAddress', 'site', 'logo', 'colours'];
const LINKS = ['unsubscribe', 'preferences', 'confirm', 'webView', 'images'];
const ROOTS = [
  'contact',
  'trigger',
  'product',
  'bought',
  'recommendations',
  'cart',
  'cartValue',
  'coupon',
  'run',
  'brand',
  'links',
  'topic',
  'locale',
  'direction',
  'currency',
];
const LISTS = ['size', 'first', 'last'];

type Part = 'subject' | 'preheader' | 'html' | 'text';

interface Use {
  id: string;
  campaign: Campaign | undefined;
  /** Without so many recommendations it is not sent. */
  least: number;
  /** It is sent only where the feed has told something of the product. */
  told: boolean;
  coupon?: { name: string; pool: CouponPool };
  variant?: string;
}

/** The campaigns that send an e-mail or a variant of it, with what each makes sure of; no campaign in particular where none does. */
function usesOf(name: string, draft: Draft): Use[] {
  const { email, variant } = ofVariant(name);
  const own = Object.keys(draft.emails[email]?.variants ?? {});
  const uses: Use[] = [];
  const others: Use[] = [];
  for (const [id, campaign] of Object.entries(draft.campaigns)) {
    for (const step of sendsOf(campaign.steps)) {
      if (step.send !== email) continue;
      const { needs = {}, coupon } = step;
      const needed = needs.recommendations as { atLeast?: number; moreThan?: number } | undefined;
      const pool = coupon === undefined ? undefined : draft.coupons.pools[coupon];
      const use: Use = {
        id,
        campaign,
        least: needed?.atLeast ?? (needed?.moreThan === undefined ? 0 : needed.moreThan + 1),
        told: Object.keys(needs).some((field) => field.startsWith('product.')),
        ...(coupon === undefined ? {} : { coupon: { name: coupon, pool: pool ?? { percent: 10 } } }),
      };
      const variants = variantsOf(step);
      // A variant without texts of its own is the e-mail as it is.
      const shown =
        variant === undefined
          ? variants.filter((each) => !own.includes(each))
          : variants.filter((each) => each === variant);
      for (const each of shown) uses.push({ ...use, variant: each });
      if (variant === undefined && variants.length === 0) uses.push(use);
      else if (shown.length === 0) others.push(use);
    }
  }
  if (uses.length > 0) return uses;
  return others.length > 0 ? others : [{ id: '', campaign: undefined, least: 0, told: false }];
}

export interface Sample {
  person: string;
  locale: string;
  campaign: string;
  view: EmailView;
}

/**
 * The views that an e-mail, or a variant of it, is tried with: every campaign that sends it × every test person, and
 * nobody in particular.
 */
export function samplesOf(name: string, draft: Draft, definitions: Parameters<typeof buildView>[0]): Sample[] {
  const people: [string, Person][] = [...Object.entries(draft.people), ['nobody', NOBODY]];
  const { email } = ofVariant(name);
  const shop = { catalogue: draft.catalogue, currency: draft.settings.currency };
  return usesOf(name, draft).flatMap(({ id, campaign, least, told, coupon, variant }) =>
    people.flatMap(([person, who]) =>
      draft.settings.locales.map((locale): Sample => {
        const speaking: Person = { ...who, attributes: { ...who.attributes, locale } };
        const isKnown = who !== NOBODY;
        const of = {
          campaign,
          id,
          email,
          least,
          ...(coupon && { coupon }),
          ...(variant && { variant }),
          known: isKnown,
        };
        const { contact, message } = sampleMessage(speaking, of, shop, SAMPLE_INSTANT);
        const feed = sampleFeed(message, shop, SAMPLE_INSTANT, { reduced: isKnown, told: told || isKnown });
        const link = (kind: string): string => `${SAMPLE_DOORS}/${kind}/sample`;
        const asks = campaign !== undefined && asksForConsent(campaign);
        const view = buildView(definitions, contact, message, feed, {
          unsubscribe: link('u'),
          ...(asks ? { confirm: link('c') } : {}),
          webView: link('w'),
          images: SAMPLE_IMAGES,
        });
        return { person, locale, campaign: id, view };
      }),
    ),
  );
}

/** Faults of one compiled e-mail; `definitions` needs settings and catalogue only. */
export function checkEmail(
  name: string,
  email: CompiledEmail,
  draft: Draft,
  definitions: Parameters<typeof buildView>[0],
): Fault[] {
  const faults: Fault[] = [];
  const uses = usesOf(name, draft);
  const { email: folder } = ofVariant(name);
  const layout = `emails/${folder}/layout.mjml`;
  const add = (code: string, at: Place, message: string, remedy?: string): void => {
    if (faults.some((fault) => fault.code === code && fault.file === at.file && fault.message === message)) return;
    faults.push({ code, ...at, message, ...(remedy === undefined ? {} : { remedy }) });
  };
  for (const [locale, source] of Object.entries(email.locales)) {
    const texts = `emails/${folder}/${locale}.json`;
    for (const part of ['subject', 'preheader', 'html'] as Part[]) {
      const file = part === 'html' ? layout : texts;
      const path = part === 'html' ? '' : part;
      let reads: string[][];
      try {
        reads = readsOf(source[part], part);
      } catch (error) {
        if (!(error instanceof RenderError)) throw error;
        const { message } = error.fault;
        const filter = /undefined filter: (\S+?)( |\.|$)/.exec(message)?.[1];
        const tag = /tag "(\w+)" not found/.exec(message)?.[1];
        const at = part === 'html' ? placeOf(name, locale, filter ?? tag ?? '', draft) : { file, path };
        if (filter !== undefined) {
          add(
            'email.filter',
            at,
            `the filter "${filter}" is unknown.`,
            filter.startsWith('date')
              ? 'Write "day": it writes a date as the reader’s language does.'
              : (suggest(filter, knownFilters()) ?? 'See liquidjs.com/filters; values are always escaped.'),
          );
        } else if (tag !== undefined) {
          add('email.tag', at, `the tag "${tag}" is unknown.`, suggest(tag, knownTags()));
        } else add('email.liquid', at, message, 'Is every {% … %} closed by its {% end… %}?');
        // The layout holds subject and preheader too.
        if (part !== 'html') break;
        continue;
      }
      const advertised = new Set<string>();
      for (const { id, campaign } of uses) {
        if (campaign === undefined || !advertisesNothing(campaign)) continue;
        for (const { what, variable } of advertisingIn(source[part], campaign)) {
          advertised.add(variable.split('.')[0]!);
          const at = part === 'html' ? placeOf(name, locale, variable, draft) : { file, path };
          const isService = campaign.kind === 'service';
          add(
            isService ? 'campaign.service' : 'campaign.confirmation',
            at,
            `${what} ("${variable}"), but "${id}" ${isService ? 'is a service campaign' : 'answers a request for consent'}.`,
            isService && !asksForConsent(campaign)
              ? 'Make the campaign "marketing", or take it out.'
              : 'Such an e-mail carries no advertising: take it out.',
          );
        }
      }
      for (const read of reads) {
        if (advertised.has(read[0] ?? '')) continue;
        const wrong = unknownRead(read, uses, draft) ?? withoutCoupon(read, name, draft);
        if (wrong !== undefined) {
          const at = part === 'html' ? placeOf(name, locale, read.join('.'), draft) : { file, path };
          add(wrong.code ?? 'email.variable', at, wrong.message, wrong.remedy);
        }
      }
      if (part !== 'html') continue;
      const roots = new Set(reads.map((read) => read.slice(0, 2).join('.')));
      for (const { campaign } of uses) {
        if (campaign !== undefined && campaign.kind !== 'service' && !roots.has('links.unsubscribe')) {
          add(
            'email.unsubscribe',
            { file: layout, path: '' },
            'has no link to unsubscribe.',
            'Include ../_shared/footer.mjml, or link to {{ links.unsubscribe }}.',
          );
        }
      }
      if (!roots.has('brand.postalAddress')) {
        add(
          'email.address',
          { file: layout, path: '' },
          'has no postal address.',
          'Include ../_shared/footer.mjml, or write {{ brand.postalAddress }}.',
        );
      }
      for (const [tag] of source.html.matchAll(/<img\b[^>]*>/g)) {
        if (!/\balt="[^"]+"/.test(tag)) {
          const src = /\bsrc="([^"]*)"/.exec(tag)?.[1] ?? '';
          add(
            'email.alt',
            { file: layout, path: 'mj-image' },
            `the picture "${src}" has no alt text.`,
            'Add alt="…": it stands in for the picture, which many programs do not load.',
          );
        }
      }
      for (const [, link] of source.html.matchAll(/="(images\/[^"]*)"/g)) {
        add(
          'email.image',
          { file: layout, path: '' },
          `"${link}" is named where no picture is published from.`,
          'Pictures stand in "src" and "background-url".',
        );
      }
      for (const [, link] of source.html.matchAll(/\b(?:href|src)="(http:[^"]*)"/g)) {
        if (!/^http:\/\/www\.w3\.org\//.test(link ?? ''))
          add('email.link', { file: layout, path: '' }, `"${link}" is not https.`, 'Write https://.');
      }
    }
  }
  if (faults.length > 0) return faults;
  for (const { person, locale, view } of samplesOf(name, draft, definitions)) {
    const who = person === 'nobody' ? 'for somebody of whom nothing is known' : `for people/${person}.json`;
    const tooLong = (bytes: number): void =>
      add(
        'email.size',
        { file: layout, path: '' },
        `holds ${bytes} bytes in "${locale}" ${who}; at most ${MOST_BYTES} are sent.`,
        'Gmail cuts off what is longer: show fewer products, or say less.',
      );
    try {
      const { html } = withLinkParameters(renderEmail(email, view, locale), definitions, view.run, SAMPLE_DOORS);
      if (Buffer.byteLength(html) > MOST_BYTES) tooLong(Buffer.byteLength(html));
    } catch (error) {
      if (!(error instanceof RenderError)) throw error;
      if (error.code === 'render.too-long') {
        tooLong(Number(/\d+/.exec(error.fault.message)?.[0]));
        continue;
      }
      const variable = /^"([^"]+)" has no value/.exec(error.fault.message)?.[1];
      const at =
        error.path === 'subject' || error.path === 'preheader'
          ? { file: `emails/${folder}/${locale}.json`, path: error.path }
          : placeOf(name, locale, variable ?? '', draft);
      if (variable !== undefined) {
        add(
          'email.missing-value',
          at,
          `"${variable}" has no value ${who}.`,
          `Write {{ ${variable} | default: '…' }}, or {% if ${variable} %}…{% endif %} around it.`,
        );
      } else add('email.render', at, `${error.fault.message} (${who})`);
    }
  }
  return faults;
}

interface Place {
  file: string;
  path: string;
}

/** The line on which a text first says a variable or a word inside {{ … }} or {% … %}; undefined where it does not. */
function saidOn(text: string, word: string): number | undefined {
  // `bought[0].price`, `bought["price"]` and `bought.price` are all read as bought.price.
  const parts = word.split('.').map((part) => part.replace(/[^\w]/g, '\\$&'));
  const said = `(?<![\\w.-])${parts.join(`(?:\\[\\d*\\])*(?:\\.|\\[["'])`)}(?![\\w-])`;
  for (const tag of text.matchAll(/\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}/g)) {
    if (new RegExp(said).test(tag[0])) return text.slice(0, tag.index).split('\n').length;
  }
  return undefined;
}

/**
 * Where a word of the compiled whole stands, inside a tag: in the texts of that language, in the layout, or in a part that
 * the layout includes, directly or through other parts.
 */
function placeOf(compiled: string, locale: string, word: string, draft: Draft): Place {
  const { email: name, variant } = ofVariant(compiled);
  const layout = `emails/${name}/layout.mjml`;
  const holds = (texts: Texts | undefined): string | undefined =>
    word === ''
      ? undefined
      : Object.entries(texts ?? {}).find(([, text]) =>
          [text].flat().some((each) => saidOn(each, word) !== undefined),
        )?.[0];
  const over = variant === undefined ? undefined : holds(draft.emails[name]?.variants[variant]?.[locale]);
  if (over !== undefined) return { file: `emails/${name}/${locale}.json`, path: `variants.${variant}.${over}` };
  const own = holds(draft.emails[name]?.texts[locale]);
  if (own !== undefined) return { file: `emails/${name}/${locale}.json`, path: own };
  const source = draft.emails[name]?.layout ?? '';
  const line = word === '' ? undefined : saidOn(source, word);
  if (line !== undefined) return { file: layout, path: `line ${line}` };
  const inside = (file: string, text: string, depth: number): boolean =>
    saidOn(text, word) !== undefined ||
    (depth < 5 &&
      includesOf(file, text).some((part) => inside(part.file, draft.parts.get(part.file) ?? '', depth + 1)));
  const part =
    word === ''
      ? undefined
      : includesOf(layout, source).find(({ file }) => inside(file, draft.parts.get(file) ?? '', 0));
  if (part !== undefined) return { file: layout, path: `mj-include ${part.path}` };
  const shared = holds(draft.shared[locale]);
  if (shared !== undefined) return { file: `emails/_shared/${locale}.json`, path: shared };
  return { file: layout, path: '' };
}

function includesOf(file: string, source: string): { path: string; file: string }[] {
  return [...source.matchAll(/<mj-include\s+path="([^"]*)"\s*\/>/g)].map(([, path = '']) => ({
    path,
    file: new URL(path, `file:///${file}`).pathname.slice(1),
  }));
}

interface Wrong {
  code?: string;
  message: string;
  remedy?: string;
}

/** What a campaign hands over with its start, where no event starts it: its properties, and how it starts, in words. */
function handedOver(when: When): { fields: string[]; starts: string } {
  if ('enters' in when || 'leaves' in when) return { fields: ['segment'], starts: 'with a segment' };
  if ('changes' in when) return { fields: ['attribute', 'from', 'to'], starts: 'with a changed attribute' };
  if ('due' in when) return { fields: ['product_id'], starts: 'when a product runs out' };
  if ('product' in when) {
    return { fields: ['product_id', 'price', 'lowestPrice30d', 'stock'], starts: 'when a product turns' };
  }
  return { fields: ['date'], starts: 'at a date' };
}

/** A code is read that no campaign gives. Where one does and another does not, the samples find what is not asked for. */
function withoutCoupon([root]: string[], name: string, draft: Draft): Wrong | undefined {
  if (root !== 'coupon') return undefined;
  const { email } = ofVariant(name);
  const sends = Object.entries(draft.campaigns).flatMap(([id, { steps }]) =>
    sendsOf(steps).flatMap(({ send, coupon }) => (send === email ? [{ id, coupon }] : [])),
  );
  const [first] = sends;
  if (first === undefined || sends.some(({ coupon }) => coupon !== undefined)) return undefined;
  return {
    code: 'email.coupon',
    message: `shows a coupon, and "${first.id}" sends this e-mail without one.`,
    remedy: 'Name a pool at the "send", such as "coupon": "WELCOME", or take it out.',
  };
}

function unknownRead(read: string[], uses: Use[], draft: Draft): Wrong | undefined {
  const [root, field] = read as [string, string | undefined];
  const say = (message: string, remedy: string | undefined) => ({
    message,
    ...(remedy === undefined ? {} : { remedy }),
  });
  const among = (words: string[]) =>
    field === undefined || words.includes(field)
      ? undefined
      : say(`"${read.join('.')}" is unknown.`, suggest(field, words));
  switch (root) {
    case 'contact': {
      const words = Object.keys(draft.vocabulary.attributes);
      if (field === undefined || words.includes(field)) return undefined;
      const near = suggest(field, words);
      return say(
        `"contact.${field}" is unknown.`,
        near?.startsWith('Did') ? near : 'Declare the attribute in fields.json.',
      );
    }
    case 'trigger': {
      if (field === undefined) return undefined;
      for (const { id, campaign } of uses) {
        if (campaign === undefined) continue;
        const names = startingEvents(campaign.when);
        const { fields, starts } = handedOver(campaign.when);
        if (names.length === 0 && !fields.includes(field)) {
          return say(`"trigger.${field}" has no value in "${id}", which starts ${starts}.`, suggest(field, fields));
        }
        for (const event of names) {
          const words = Object.keys(draft.vocabulary.events[event] ?? {});
          if (!words.includes(field))
            return say(`"trigger.${field}" is no property of "${event}", which starts "${id}".`, suggest(field, words));
        }
      }
      return undefined;
    }
    case 'product':
      return among(PRODUCT);
    case 'recommendations':
    case 'bought':
      return among([...PRODUCT, ...LISTS]);
    case 'cart':
      return among([...PRODUCT, 'quantity', ...LISTS]);
    case 'coupon':
      return among(COUPON);
    case 'run':
      return among(RUN);
    case 'brand':
      return among(BRAND);
    case 'links':
      return among(LINKS);
    case 'cartValue':
    case 'topic':
    case 'locale':
    case 'direction':
    case 'currency':
      return undefined;
    default:
      return say(`"${read.join('.')}" is unknown.`, suggest(root, ROOTS));
  }
}

/** Faults of the compiled pages: name → locale → Liquid source. */
export function checkPages(pages: Record<string, Record<string, string>>, draft: Draft): Fault[] {
  const faults: Fault[] = [];
  const add = (fault: Fault): void => {
    if (!faults.some(({ code, file }) => code === fault.code && file === fault.file)) faults.push(fault);
  };
  for (const [name, locales] of Object.entries(pages)) {
    for (const [locale, source] of Object.entries(locales)) {
      const file = `pages/${name}.html`;
      try {
        const kind = name === 'confirm' ? 'confirm' : 'unsubscribe';
        const action = name === 'confirm' || name === 'unsubscribe' ? '/sample' : undefined;
        const page = renderPage(
          source,
          buildPageView(draft, { locale, kind, ...(action === undefined ? {} : { action }) }),
        );
        if (action !== undefined && !/<form[^>]*method="post"/i.test(page)) {
          add({
            code: 'page.form',
            file,
            path: '',
            message: 'has no form that posts.',
            remedy: 'Write <form method="post" action="{{ action }}"> with a button.',
          });
        }
        if (/<script\b/i.test(page)) {
          add({
            code: 'page.script',
            file,
            path: '',
            message: 'holds a script.',
            remedy: 'Pages work without scripts: take it out.',
          });
        }
      } catch (error) {
        if (!(error instanceof RenderError)) throw error;
        faults.push({ code: 'page.liquid', file, path: locale, message: error.fault.message });
      }
    }
  }
  return faults;
}
