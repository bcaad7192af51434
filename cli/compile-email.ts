// Makes one e-mail of its layout and texts: includes, pictures, translations, MJML, and a plain text part of the same words.
import { convert } from 'html-to-text';
import mjml from 'mjml';
import type { CompiledEmail } from '../domain/book.ts';
import type { EmailDraft, Texts } from '../domain/draft.ts';
import { type Fault, suggest } from '../domain/fault.ts';
import type { BrandView } from '../domain/render.ts';
import { directionOf } from '../domain/view.ts';
import { type Image, withImages } from './images.ts';
import { mirrored, mirroredArrows } from './mirror.ts';

const TAG = /\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}/g;
const TEXT = /\{\{-?\s*text\.([\w-]+)\s*-?\}\}/g;
const COLOUR = /\{\{-?\s*brand\.colours\.(accent|text|background)\s*-?\}\}/g;

/** Escapes for HTML what stands outside Liquid tags; entities that are there already stay. */
function escapeAround(text: string): string {
  let escaped = '';
  let from = 0;
  for (const tag of text.matchAll(TAG)) {
    escaped += escapeHtml(text.slice(from, tag.index)) + tag[0];
    from = tag.index + tag[0].length;
  }
  return escaped + escapeHtml(text.slice(from));
}

function escapeHtml(text: string): string {
  return text
    .replace(/&(?!(#\d+|#x[0-9a-f]+|[a-z][a-z0-9]*);)/gi, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}

/** A list of texts is a list of paragraphs. */
function asHtml(text: string | string[]): string {
  return typeof text === 'string' ? escapeAround(text) : text.map((each) => `<p>${escapeAround(each)}</p>`).join('\n');
}

/** Liquid tags stand aside while tools that know no Liquid do their work. */
class Aside {
  private readonly tags: string[] = [];

  put(source: string): string {
    return source.replace(TAG, (tag) => `liquid${this.tags.push(tag) - 1}tag`);
  }

  back(text: string): string {
    return text.replace(/liquid(\d+)tag/g, (_, index: string) => this.tags[Number(index)] ?? '');
  }
}

/** The layout with its includes put in; a layout includes only what lies in templates/emails. */
function included(
  layout: string,
  file: string,
  parts: ReadonlyMap<string, string>,
  faults: Fault[],
  depth = 0,
): string {
  return layout.replace(/<mj-include\s+path="([^"]*)"\s*\/>/g, (_, path: string) => {
    const wanted = new URL(path, `file:///${file}`).pathname.slice(1);
    const part = parts.get(wanted);
    if (part === undefined || depth > 5) {
      const near = suggest(
        wanted,
        [...parts.keys()].filter((each) => each.startsWith('emails/_')),
      );
      faults.push({
        code: 'email.include',
        file,
        path: 'mj-include',
        message: part === undefined ? `"${path}" does not exist.` : `"${path}" includes itself.`,
        ...(near === undefined ? {} : { remedy: near }),
      });
      return '';
    }
    return included(part, wanted, parts, faults, depth + 1);
  });
}

/** What e-mails are made of beside their own folder. */
export interface Around {
  /** Locale → words that all layouts may read. */
  shared: Record<string, Texts>;
  /** The MJML files of templates/emails by path. */
  parts: ReadonlyMap<string, string>;
  images: ReadonlyMap<string, Image>;
  brand: BrandView;
}

/**
 * Compiles one e-mail in every locale, or a variant of it. Faults name the layout or the file of texts. Text keys that no
 * layout reads come back as warnings. In a language that is read from right to left the layout is mirrored.
 */
export async function compileEmail(
  name: string,
  draft: EmailDraft,
  { shared, parts, images, brand }: Around,
  variant?: string,
): Promise<{ email: CompiledEmail; faults: Fault[]; warnings: Fault[] }> {
  const file = `emails/${name}/layout.mjml`;
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  const email: CompiledEmail = { locales: {} };
  const whole = withImages(included(draft.layout, file, parts, faults), images);
  for (const [locale, own] of Object.entries(draft.texts)) {
    const over = variant === undefined ? {} : draft.variants[variant]?.[locale];
    const texts: Texts = { ...shared[locale], ...own, ...over };
    const isMirrored = directionOf(locale) === 'rtl';
    const unread = new Set(Object.keys(own));
    for (const key of ['subject', 'preheader', '$schema']) unread.delete(key);
    const translated = (isMirrored ? mirroredArrows(whole) : whole)
      .replace(COLOUR, (_, colour: keyof BrandView['colours']) => brand.colours[colour])
      .replace(TEXT, (_, key: string) => {
        unread.delete(key);
        const text = Object.hasOwn(texts, key) ? texts[key] : undefined;
        if (text !== undefined) return asHtml(text);
        const near = suggest(
          key,
          Object.keys(texts).filter((each) => each !== '$schema'),
        );
        faults.push({
          code: 'email.text',
          file: `emails/${name}/${locale}.json`,
          path: key,
          message: `is missing, and the layout reads "text.${key}".`,
          remedy: near?.startsWith('Did') ? near : `Add "${key}".`,
        });
        return '';
      });
    for (const key of variant === undefined ? unread : []) {
      warnings.push({
        code: 'email.unread',
        file: `emails/${name}/${locale}.json`,
        path: key,
        message: 'is read by no layout.',
      });
    }
    const aside = new Aside();
    const html = await toHtml(aside.put(translated), file, faults);
    if (html === undefined) break;
    email.locales[locale] = {
      subject: String(texts.subject),
      preheader: String(texts.preheader),
      html: aside.back(squeeze(isMirrored ? mirrored(html) : html)),
      text: aside.back(toText(html)),
    };
  }
  return { email, faults, warnings };
}

async function toHtml(source: string, file: string, faults: Fault[]): Promise<string | undefined> {
  try {
    // Without its table of web fonts: no mail tells a third party that it was opened.
    return (await mjml(source, { validationLevel: 'strict', keepComments: false, fonts: {} })).html;
  } catch (error) {
    const problems = (error as { errors?: { line?: number; message: string; tagName?: string }[] }).errors ?? [];
    if (problems.length === 0) {
      const message = error instanceof Error ? error.message.split('\n')[0] : String(error);
      faults.push({ code: 'email.layout', file, path: '', message: `${message}.`, remedy: 'Is every tag closed?' });
    }
    for (const { message, tagName } of problems) {
      faults.push({
        code: 'email.layout',
        file,
        path: tagName ?? '',
        message: `${message.replace(/liquid\d+tag/g, '{{ … }}')}.`,
        remedy: 'See documentation.mjml.io for the elements and attributes that there are.',
      });
    }
    return undefined;
  }
}

/** Indentation is a third of MJML's output. */
function squeeze(html: string): string {
  return html
    .replace(/^[ \t]+/gm, '')
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{2,}/g, '\n');
}

function toText(html: string): string {
  // A picture with a link would leave a bare address.
  return convert(html.replace(/<a\b[^>]*>\s*<img\b[^>]*>\s*<\/a>/g, ''), {
    wordwrap: false,
    decodeEntities: true,
    selectors: [
      { selector: 'img', format: 'skip' },
      { selector: 'title', format: 'skip' },
      { selector: 'div[style*="display:none"]', format: 'skip' },
      { selector: '[aria-hidden]', format: 'skip' },
      // In text the name of a product carries its link already.
      { selector: 'p.link', format: 'skip' },
      { selector: 'h1', options: { uppercase: false } },
      { selector: 'h2', options: { uppercase: false } },
      { selector: 'hr', options: { length: 32 } },
      { selector: 'a', options: { linkBrackets: ['<', '>'], hideLinkHrefIfSameAsText: true, ignoreHref: false } },
    ],
  });
}

/** Puts the words of one language into a page; `missing` is told of each key that has none. Comments are left out. */
export function compilePage(source: string, texts: Texts, missing: (key: string) => void): string {
  return source.replace(/<!--[\s\S]*?-->\n?/g, '').replace(TEXT, (_, key: string) => {
    const text = Object.hasOwn(texts, key) ? texts[key] : undefined;
    if (text === undefined) missing(key);
    return text === undefined ? '' : asHtml(text);
  });
}
