// Reads the files of templates/: places, syntax and shape of each, with every fault.
import type * as z from 'zod';
import { Campaign } from './campaign-grammar.ts';
import { type Draft, type EmailDraft, PAGES, PageTexts, SharedTexts, type TemplateFiles, Texts } from './draft.ts';
import { type Fault, suggest } from './fault.ts';
import { Segment } from './grammar.ts';
import { parseJson } from './json.ts';
import { Person } from './person.ts';
import { CHOICE_PAGES } from './preferences.ts';
import { limitFaults, MOST_CHARACTERS, MOST_OF_CAMPAIGN, stepFaults } from './rule-limits.ts';
import { Catalogue, Coupons, Fields, Loyalty, Settings } from './settings.ts';
import { faultsOf } from './shape-faults.ts';

const FOLDERS = ['segments', 'campaigns', 'emails', 'pages', 'people', 'imports', 'images', 'schemas'];
const FILES = ['settings.json', 'catalogue.json', 'fields.json', 'consent.json', 'coupons.json', 'loyalty.json'];
const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** The parts of a draft that could be read; absent where a file was at fault. */
export interface ReadTemplates extends Pick<Draft, 'emails' | 'shared' | 'parts' | 'pages' | 'pageTexts'> {
  settings: Settings;
  fields: Fields | undefined;
  catalogue: Catalogue | undefined;
  coupons: Coupons | undefined;
  /** Undefined also where there is no such file. */
  loyalty: Loyalty | undefined;
  segments: Folder<Segment>;
  campaigns: Folder<Campaign>;
  people: Folder<Person>;
}

/** `names` holds the unreadable files too, so that one fault does not make others. */
export interface Folder<T> {
  read: Record<string, T>;
  names: string[];
}

/** Reads one set of files; `faults` has all that was wrong. */
export class TemplateReader {
  readonly faults: Fault[] = [];
  readonly #files: TemplateFiles;

  constructor(files: TemplateFiles) {
    this.#files = files;
  }

  /** Undefined when there are no settings to read the rest by. */
  read(): ReadTemplates | undefined {
    this.#places();
    const settings = this.#required('settings.json', Settings);
    const read = {
      fields: this.#optional('fields.json', Fields, {}),
      catalogue: this.#optional('catalogue.json', Catalogue, { products: {} }),
      coupons: this.#optional('coupons.json', Coupons, { pools: {} }),
      loyalty: this.#files.has('loyalty.json') ? this.#read('loyalty.json', Loyalty) : undefined,
      segments: this.#folder('segments', Segment),
      campaigns: this.#folder('campaigns', Campaign),
      people: this.#folder('people', Person),
    };
    if (settings === undefined) return undefined;
    return { settings, ...read, ...this.#emails(settings), ...this.#pages(settings) };
  }

  #fault(code: string, file: string, path: string, message: string, remedy?: string): void {
    this.faults.push({ code, file, path, message, ...(remedy === undefined ? {} : { remedy }) });
  }

  #places(): void {
    for (const file of this.#files.keys()) {
      const [top, ...rest] = file.split('/') as [string, ...string[]];
      if (rest.length === 0) {
        if (!FILES.includes(top) && !top.endsWith('.md'))
          this.#fault('file.unknown', file, '', 'is no file that templates have.', suggest(top, FILES));
      } else if (!FOLDERS.includes(top)) {
        this.#fault('file.unknown', file, '', `"${top}" is no folder of templates.`, suggest(top, FOLDERS));
      } else if (
        (top === 'segments' || top === 'campaigns' || top === 'people') &&
        (rest.length > 1 || !file.endsWith('.json'))
      ) {
        if (!file.endsWith('.md'))
          this.#fault('file.unknown', file, '', `is not read: ${top}/ holds .json files only.`, 'Rename or move it.');
      } else if ((top === 'segments' || top === 'campaigns' || top === 'people') && !NAME.test(stem(file))) {
        this.#fault(
          'file.name',
          file,
          '',
          'has a name that cannot be an id.',
          'Use small letters, digits and hyphens, at most 64.',
        );
      }
    }
  }

  #read<S extends z.ZodType>(file: string, schema: S): z.output<S> | undefined {
    const text = this.#files.get(file) ?? '';
    const ruled = /^(segments|campaigns|people)\/|^loyalty\.json$/.test(file);
    const isCampaign = file.startsWith('campaigns/');
    const most = isCampaign || file === 'loyalty.json' ? MOST_OF_CAMPAIGN : MOST_CHARACTERS;
    if (ruled && text.length > most) {
      this.#fault(
        'file.size',
        file,
        '',
        `holds ${text.length} characters; at most ${most} are read.`,
        isCampaign
          ? 'Divide it: long rules belong in segments, and a second campaign can start where this one ends.'
          : 'Ask for an attribute or an event instead of naming each person, or divide it.',
      );
      return undefined;
    }
    const parsed = parseJson(text);
    if ('problem' in parsed) {
      const { message, remedy, line, column } = parsed.problem;
      this.#fault('file.syntax', file, `line ${line}, column ${column}`, message, remedy);
      return undefined;
    }
    const limits = [
      ...(isCampaign ? stepFaults(parsed.value, file) : []),
      ...(ruled ? limitFaults(parsed.value, file) : []),
    ];
    if (limits.length > 0) {
      this.faults.push(...limits);
      return undefined;
    }
    const result = schema.safeParse(parsed.value);
    if (result.success) return result.data;
    this.faults.push(...faultsOf(result.error, { file, value: parsed.value, schema, advice }));
    return undefined;
  }

  #required<S extends z.ZodType>(file: string, schema: S): z.output<S> | undefined {
    if (this.#files.has(file)) return this.#read(file, schema);
    this.#fault('file.missing', file, '', 'is missing.', 'Every set of templates has one.');
    return undefined;
  }

  #optional<S extends z.ZodType>(file: string, schema: S, otherwise: z.output<S>): z.output<S> | undefined {
    return this.#files.has(file) ? this.#read(file, schema) : otherwise;
  }

  /** All files of a folder. */
  #folder<S extends z.ZodType>(folder: string, schema: S): Folder<z.output<S>> {
    const read: Record<string, z.output<S>> = {};
    const names: string[] = [];
    for (const file of [...this.#files.keys()].sort()) {
      if (!file.startsWith(`${folder}/`) || !file.endsWith('.json') || !NAME.test(stem(file))) continue;
      names.push(stem(file));
      const value = this.#read(file, schema);
      if (value !== undefined) read[stem(file)] = value;
    }
    return { read, names };
  }

  #emails(settings: Settings): Pick<Draft, 'emails' | 'shared' | 'parts'> {
    const emails: Record<string, EmailDraft> = {};
    const shared: Record<string, Texts> = {};
    const parts = new Map<string, string>();
    const names = new Set<string>();
    for (const [file, text] of this.#files) {
      const [top, name, rest] = file.split('/');
      if (top !== 'emails' || name === undefined || rest === undefined) continue;
      if (file.endsWith('.mjml')) parts.set(file, text);
      if (!name.startsWith('_')) names.add(name);
      else if (name === '_shared' && file.endsWith('.json')) {
        const read = this.#read(file, SharedTexts);
        if (read !== undefined) shared[stem(file)] = withoutSchema(read);
      }
    }
    for (const name of [...names].sort()) {
      const folder = `emails/${name}`;
      if (!NAME.test(name))
        this.#fault(
          'file.name',
          folder,
          '',
          'has a name that cannot be an id.',
          'Use small letters, digits and hyphens, at most 64.',
        );
      const layout = this.#files.get(`${folder}/layout.mjml`);
      if (layout === undefined)
        this.#fault(
          'file.missing',
          `${folder}/layout.mjml`,
          '',
          'is missing.',
          'Copy the layout of an e-mail that is like it.',
        );
      const email: EmailDraft = { layout: layout ?? '', texts: {}, variants: {} };
      for (const file of this.#files.keys()) {
        if (!file.startsWith(`${folder}/`) || file.endsWith('.md')) continue;
        if (file.endsWith('.json')) {
          if (!settings.locales.includes(stem(file))) {
            this.#fault(
              'email.locale',
              file,
              '',
              `"${stem(file)}" is no locale of settings.json.`,
              suggest(stem(file), settings.locales),
            );
            continue;
          }
          const read = this.#read(file, Texts);
          if (read === undefined) continue;
          const { variants = {}, ...texts } = read;
          email.texts[stem(file)] = withoutSchema(texts);
          for (const [variant, over] of Object.entries(variants)) {
            email.variants[variant] = { ...email.variants[variant], [stem(file)]: over };
          }
        } else if (file !== `${folder}/layout.mjml`) {
          this.#fault(
            'file.unknown',
            file,
            '',
            'is not read: an e-mail has layout.mjml and one .json file for each locale.',
            'Rename or move it.',
          );
        }
      }
      for (const locale of settings.locales) {
        if (!this.#files.has(`${folder}/${locale}.json`)) {
          this.#fault(
            'email.locale',
            `${folder}/${locale}.json`,
            '',
            'is missing.',
            `settings.json names the locale "${locale}": translate the e-mail.`,
          );
        }
      }
      emails[name] = email;
    }
    const translated = Object.keys(shared).length > 0;
    for (const locale of translated ? settings.locales : []) {
      if (this.#files.has(`emails/_shared/${locale}.json`)) continue;
      this.#fault(
        'email.locale',
        `emails/_shared/${locale}.json`,
        '',
        'is missing.',
        `settings.json names the locale "${locale}": translate what all e-mails say.`,
      );
    }
    return { emails, shared, parts };
  }

  #pages(settings: Settings): Pick<Draft, 'pages' | 'pageTexts'> {
    const pages: Record<string, string> = {};
    const pageTexts: Record<string, Record<string, Texts>> = {};
    for (const [file, text] of this.#files) if (/^pages\/[^/]+\.html$/.test(file)) pages[stem(file)] = text;
    for (const name of [...PAGES, ...CHOICE_PAGES, '_frame']) {
      if (pages[name] === undefined)
        this.#fault(
          'file.missing',
          `pages/${name}.html`,
          '',
          'is missing.',
          'Recipients are led there by the links in e-mails.',
        );
    }
    for (const locale of settings.locales) {
      const file = `pages/${locale}.json`;
      if (!this.#files.has(file)) {
        this.#fault(
          'file.missing',
          file,
          '',
          'is missing.',
          `settings.json names the locale "${locale}": translate the pages.`,
        );
        continue;
      }
      const read = this.#read(file, PageTexts);
      if (read !== undefined) pageTexts[locale] = withoutSchema(read) as unknown as Record<string, Texts>;
    }
    return { pages, pageTexts };
  }
}

const stem = (file: string): string => file.slice(file.lastIndexOf('/') + 1).replace(/\.[^.]+$/, '');

function withoutSchema(texts: Record<string, unknown>): Texts {
  const { $schema, ...rest } = texts;
  return rest as Texts;
}

const advice = (first: string, second: string): string | undefined =>
  first.startsWith('at') || second.startsWith('at') ? '; for two bounds write "between"' : undefined;
