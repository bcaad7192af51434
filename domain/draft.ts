// Templates as read: what a folder holds once every file has its shape. E-mails and pages are not compiled yet.
import * as z from 'zod';
import type { Campaign, Send, Step } from './campaign-grammar.ts';
import { eachStep } from './campaign-parts.ts';
import type { Segment } from './grammar.ts';
import type { Person } from './person.ts';
import type { Catalogue, Coupons, Fields, Loyalty, Settings } from './settings.ts';
import type { Vocabulary } from './vocabulary.ts';

const words = z.union([z.string(), z.array(z.string()).min(1)]);
const variant = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'small letters, digits and hyphens, at most 64');

/** templates/emails/<name>/<locale>.json: what one language says. A list is a list of paragraphs. */
export const Texts = z
  .object({
    $schema: z.string().optional(),
    subject: z.string().min(1).max(500),
    preheader: z.string().min(1).max(500),
    variants: z
      .record(variant, z.record(z.string(), words))
      .optional()
      .meta({
        description: 'Variant → the words that it says in another way',
        examples: [{ 'subject-b': { subject: 'Something for you' } }],
      }),
  })
  .catchall(words)
  .meta({ id: 'Texts', description: 'The words of one e-mail in one language; values may hold Liquid' });
/** templates/emails/_shared/<locale>.json: words that all layouts may read. */
export const SharedTexts = z
  .object({ $schema: z.string().optional() })
  .catchall(words)
  .meta({ id: 'SharedTexts', description: 'Words that every layout may read' });
/** templates/pages/<locale>.json: page → its words; `frame` holds those of every page. */
export const PageTexts = z
  .object({ $schema: z.string().optional() })
  .catchall(z.union([z.string(), z.record(z.string(), words)]))
  .meta({ id: 'PageTexts', description: 'The words of the preference pages, by page' });

export type Texts = Record<string, string | string[]>;

export interface EmailDraft {
  /** MJML with Liquid. */
  layout: string;
  texts: Record<string, Texts>;
  /** Variant → locale → words that stand over those of the e-mail. */
  variants: Record<string, Record<string, Texts>>;
}

/** Templates that have been read and fit together; e-mails and pages are not compiled yet. */
export interface Draft {
  settings: Settings;
  fields: Fields;
  catalogue: Catalogue;
  coupons: Coupons;
  /** Absent where there are no tiers. */
  loyalty?: Loyalty;
  segments: Record<string, Segment>;
  campaigns: Record<string, Campaign>;
  emails: Record<string, EmailDraft>;
  /** Locale → words that all layouts may read. */
  shared: Record<string, Texts>;
  /** All MJML files by path. */
  parts: ReadonlyMap<string, string>;
  /** Page → Liquid HTML. */
  pages: Record<string, string>;
  /** Locale → page → words. */
  pageTexts: Record<string, Record<string, Texts>>;
  people: Record<string, Person>;
  vocabulary: Vocabulary;
}

/** Path inside templates/ → text. */
export type TemplateFiles = ReadonlyMap<string, string>;

/** The pages that the links in e-mails lead to. */
export const PAGES = ['unsubscribe', 'confirm', 'done', 'invalid'] as const;

/** Every "send" in these steps, branches included. */
export function sendsOf(steps: Step[]): Send[] {
  return eachStep(steps).flatMap(({ step }) => ('send' in step ? [step] : []));
}

/** The contents that a "send" may show: its variants, or the e-mail as it is. */
export function variantsOf({ variants, test }: Send): string[] {
  return test?.variants ?? Object.keys(variants ?? {});
}

const INCLUDE = /<mj-include\s+path="([^"]*)"\s*\/>/g;
const RECOMMENDS = /\{[{%][^}]*\brecommendations\b/;

/** Whether a campaign recommends products: one of its e-mails shows them, or needs them. */
export function recommends({ steps }: Campaign, draft: Pick<Draft, 'emails' | 'parts'>): boolean {
  const shows = (file: string, source: string, depth: number): boolean =>
    RECOMMENDS.test(source) ||
    (depth < 5 &&
      [...source.matchAll(INCLUDE)].some(([, path = '']) => {
        const part = new URL(path, `file:///${file}`).pathname.slice(1);
        return shows(part, draft.parts.get(part) ?? '', depth + 1);
      }));
  return sendsOf(steps).some(({ send, needs }) => {
    if (needs !== undefined && Object.hasOwn(needs, 'recommendations')) return true;
    const email = Object.hasOwn(draft.emails, send) ? draft.emails[send] : undefined;
    // An e-mail that does not exist is a fault of its own.
    if (email === undefined) return true;
    return shows(`emails/${send}/layout.mjml`, email.layout, 0) || RECOMMENDS.test(JSON.stringify(email.texts));
  });
}
