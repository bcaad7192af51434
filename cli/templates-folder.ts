// Reads templates/ and makes of it what a book holds: checked, compiled, tried with sample people. Or all its faults.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CompiledEmail } from '../domain/book.ts';
import { checkTemplates } from '../domain/check.ts';
import { checkEmail, checkPages } from '../domain/check-emails.ts';
import { checkChoicePages, checkPreferenceLink } from '../domain/check-preferences.ts';
import { checkVariants } from '../domain/check-variants.ts';
import { type Draft, sendsOf, type TemplateFiles, type Texts } from '../domain/draft.ts';
import { type Fault, sayFault, suggest } from '../domain/fault.ts';
import { CHOICE_PAGES } from '../domain/preferences.ts';
import { variantName } from '../domain/render.ts';
import { brandView, type buildView } from '../domain/view.ts';
import { compileEmail, compilePage } from './compile-email.ts';
import { type Image, type ImageFiles, imagesIn, NO_IMAGES, readImages } from './images.ts';

const READ = /\.(json|mjml|html|md)$/;
const SKIPPED = new Set(['schemas', 'images', 'imports']);
const MOST_BYTES = 1_000_000;

/** Templates that are fit to be published. */
export interface Templates {
  draft: Draft;
  /** By name; variants as `<name>@<variant>`. */
  emails: Record<string, CompiledEmail>;
  /** The pictures that e-mails show, by file name. */
  images: ReadonlyMap<string, Image>;
  pages: Record<string, Record<string, string>>;
  warnings: Fault[];
}

/** Thrown with every fault of a folder of templates: none of it is published. */
export class TemplatesRefused extends Error {
  readonly faults: Fault[];
  readonly warnings: Fault[];

  constructor(faults: Fault[], warnings: Fault[] = []) {
    super(
      `${faults.length === 1 ? 'One fault' : `${faults.length} faults`} in the templates:\n${faults.map((fault) => `  ${sayFault(fault)}`).join('\n')}`,
    );
    this.name = 'TemplatesRefused';
    this.faults = faults;
    this.warnings = warnings;
  }
}

/** The texts of all template files by path with forward slashes. Throws TemplatesRefused when there is no such folder. */
export async function readTemplates(folder: string): Promise<TemplateFiles> {
  const files = new Map<string, string>();
  const faults: Fault[] = [];
  const walk = async (inside: string): Promise<void> => {
    for (const entry of (await readdir(path.join(folder, inside), { withFileTypes: true })).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const file = inside === '' ? entry.name : `${inside}/${entry.name}`;
      if (entry.name.startsWith('.') || (inside === '' && SKIPPED.has(entry.name))) continue;
      if (entry.isDirectory()) await walk(file);
      else if (READ.test(entry.name)) {
        const bytes = await readFile(path.join(folder, file));
        if (bytes.length > MOST_BYTES)
          faults.push({
            code: 'file.too-long',
            file,
            path: '',
            message: 'is longer than 1 MB.',
            remedy: 'Pictures belong on a web server.',
          });
        else files.set(file, bytes.toString('utf8'));
      }
    }
  };
  try {
    await walk('');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new TemplatesRefused([
      {
        code: 'file.missing',
        file: folder,
        path: '',
        message: 'there is no such folder.',
        remedy: 'Give the folder with settings.json in it.',
      },
    ]);
  }
  if (faults.length > 0) throw new TemplatesRefused(faults);
  return files;
}

/** Reads, checks, compiles and tries a folder of templates. Throws TemplatesRefused with every fault that was found. */
export async function buildFolder(folder: string): Promise<Templates> {
  return buildTemplates(await readTemplates(folder), await imagesIn(folder));
}

/** Checks, compiles and tries all templates. Throws TemplatesRefused with every fault that was found. */
export async function buildTemplates(files: TemplateFiles, pictures: ImageFiles = NO_IMAGES): Promise<Templates> {
  const checked = checkTemplates(files);
  if ('faults' in checked) throw new TemplatesRefused(checked.faults, checked.warnings);
  const { draft, warnings } = checked;
  const faults: Fault[] = [];
  const emails: Record<string, CompiledEmail> = {};
  const { images, faults: imageFaults } = await readImages(draft.parts, pictures);
  faults.push(...imageFaults);
  const ofVariants = checkVariants(draft);
  faults.push(...ofVariants.faults);
  warnings.push(...ofVariants.warnings);
  const definitions = { settings: draft.settings, catalogue: draft.catalogue } as Parameters<typeof buildView>[0];
  for (const [name, email] of Object.entries(draft.emails)) {
    const sender = Object.values(draft.campaigns).find((campaign) =>
      sendsOf(campaign.steps).some(({ send }) => send === name),
    )?.sender;
    const brand = brandView(draft, sender === undefined ? undefined : draft.settings.senders[sender]?.brand);
    const { shared, parts } = draft;
    const compile = async (variant?: string): Promise<Fault[]> => {
      const compiled = await compileEmail(name, email, { shared, parts, images, brand }, variant);
      const full = variant === undefined ? name : variantName(name, variant);
      emails[full] = compiled.email;
      warnings.push(...compiled.warnings);
      return compiled.faults.length > 0 ? once(compiled.faults) : checkEmail(full, compiled.email, draft, definitions);
    };
    const found = await compile();
    faults.push(...found);
    // What is wrong with the e-mail is wrong with its variants.
    if (found.length > 0) continue;
    warnings.push(...checkPreferenceLink(name, emails[name] as CompiledEmail, draft));
    if (ofVariants.faults.length > 0) continue;
    for (const variant of Object.keys(email.variants)) faults.push(...(await compile(variant)));
  }
  const { pages, faults: pageFaults } = compilePages(draft);
  faults.push(...(pageFaults.length > 0 ? pageFaults : checkAllPages(pages, draft)));
  if (faults.length > 0) throw new TemplatesRefused(faults, warnings);
  return { draft, emails, images, pages, warnings };
}

function checkAllPages(pages: Templates['pages'], draft: Draft): Fault[] {
  const own = new Set<string>(CHOICE_PAGES);
  const others = Object.fromEntries(Object.entries(pages).filter(([name]) => !own.has(name)));
  return [...checkPages(others, draft), ...checkChoicePages(pages, draft)];
}

function compilePages(draft: Draft): { pages: Templates['pages']; faults: Fault[] } {
  const faults: Fault[] = [];
  const pages: Templates['pages'] = {};
  const { _frame: frame = '', ...bodies } = draft.pages;
  for (const [name, body] of Object.entries(bodies)) {
    pages[name] = {};
    for (const [locale, byPage] of Object.entries(draft.pageTexts)) {
      const texts: Texts = { ...byPage.frame, ...byPage[name] };
      pages[name][locale] = compilePage(
        frame.replace(/\{\{\s*page\s*\}\}/, () => body),
        texts,
        (key) => {
          const near = suggest(key, Object.keys(texts));
          faults.push({
            code: 'page.text',
            file: `pages/${locale}.json`,
            path: `${name}.${key}`,
            message: `is missing, and pages/${name}.html reads "text.${key}".`,
            remedy: near?.startsWith('Did') ? near : `Add "${key}".`,
          });
        },
      );
    }
  }
  return { pages, faults: once(faults) };
}

/** The same fault of several languages, told once. */
function once(faults: Fault[]): Fault[] {
  return [...new Map(faults.map((fault) => [sayFault(fault), fault])).values()];
}
