// Checks a whole folder of templates, files in, draft or faults out: nothing unknown gets past it.
import * as z from 'zod';
import { segmentOrder } from './book.ts';
import { checkCatalogue, days, RuleCheck, type RunKnowledge, type Vocabulary, vocabularyOf } from './check-rules.ts';
import { type Fault, faultsOf, sayPath, suggest } from './fault.ts';
import { Campaign, Segment, type Step } from './grammar.ts';
import { parseJson } from './json.ts';
import { Person } from './person.ts';
import { Catalogue, Fields, Settings } from './settings.ts';
import { isZone } from './time.ts';

const words = z.union([z.string(), z.array(z.string()).min(1)]);

/** templates/emails/<name>/<locale>.json: what one language says. A list is a list of paragraphs. */
export const Texts = z
  .object({
    $schema: z.string().optional(),
    subject: z.string().min(1).max(500),
    preheader: z.string().min(1).max(500),
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
}

/** Templates that have been read and fit together; e-mails and pages are not compiled yet. */
export interface Draft {
  settings: Settings;
  fields: Fields;
  catalogue: Catalogue;
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

export type Checked = { draft: Draft; warnings: Fault[] } | { faults: Fault[]; warnings: Fault[] };

export const PAGES = ['unsubscribe', 'confirm', 'done', 'invalid'] as const;
const FOLDERS = ['segments', 'campaigns', 'emails', 'pages', 'people', 'imports', 'images', 'schemas'];
const FILES = ['settings.json', 'catalogue.json', 'fields.json', 'consent.json'];
const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
const MOST_DAYS = 3650;
const MOST_WAIT_DAYS = 730;

/**
 * Reads and cross-checks all templates. Any fault refuses the whole; all faults that can be known are listed at once,
 * each naming its file and place. Warnings refuse nothing. Pure: no file system, no clock.
 */
export function checkTemplates(files: TemplateFiles): Checked {
  return new TemplateCheck(files).check();
}

class TemplateCheck {
  readonly #files: TemplateFiles;
  readonly #faults: Fault[] = [];
  readonly #warnings: Fault[] = [];

  constructor(files: TemplateFiles) {
    this.#files = files;
  }

  #fault(code: string, file: string, path: string, message: string, remedy?: string): void {
    this.#faults.push({ code, file, path, message, ...(remedy === undefined ? {} : { remedy }) });
  }

  #warn(code: string, file: string, path: string, message: string, remedy?: string): void {
    this.#warnings.push({ code, file, path, message, ...(remedy === undefined ? {} : { remedy }) });
  }

  check(): Checked {
    this.#places();
    const settings = this.#required('settings.json', Settings);
    const fields = this.#optional('fields.json', Fields, {});
    const catalogue = this.#optional('catalogue.json', Catalogue, { products: {} });
    const segments = this.#folder('segments', Segment);
    const campaigns = this.#folder('campaigns', Campaign);
    const people = this.#folder('people', Person);
    if (settings === undefined) return { faults: this.#faults, warnings: this.#warnings };
    const { emails, shared, parts } = this.#emails(settings);
    const { pages, pageTexts } = this.#pages(settings);
    const vocabulary = vocabularyOf(fields ?? {}, settings, segments.names, campaigns.names);
    const draft: Draft = {
      settings,
      fields: fields ?? {},
      catalogue: catalogue ?? { products: {} },
      segments: segments.read,
      campaigns: campaigns.read,
      emails,
      shared,
      parts,
      pages,
      pageTexts,
      people: people.read,
      vocabulary,
    };
    this.#settings(settings);
    this.#fields(draft);
    // Without what fields.json declares, rules and people would be blamed for its fault.
    const declared = fields !== undefined;
    if (catalogue !== undefined) {
      this.#faults.push(...checkCatalogue(catalogue, 'catalogue.json'));
      this.#durations(catalogue, 'catalogue.json');
    }
    if (declared) {
      this.#segments(draft);
      for (const [id, campaign] of Object.entries(draft.campaigns)) this.#campaign(id, campaign, draft);
      if (catalogue !== undefined) this.#people(draft);
    }
    this.#unused(draft);
    const faults = inOrder(this.#faults);
    return faults.length > 0 ? { faults, warnings: this.#warnings } : { draft, warnings: this.#warnings };
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
    const parsed = parseJson(this.#files.get(file) ?? '');
    if ('problem' in parsed) {
      const { message, remedy, line, column } = parsed.problem;
      this.#fault('file.syntax', file, `line ${line}, column ${column}`, message, remedy);
      return undefined;
    }
    const result = schema.safeParse(parsed.value);
    if (result.success) return result.data;
    this.#faults.push(...faultsOf(result.error, { file, value: parsed.value, schema, advice }));
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

  /** All files of a folder; `names` holds the unreadable ones too, so that one fault does not make others. */
  #folder<S extends z.ZodType>(folder: string, schema: S): { read: Record<string, z.output<S>>; names: string[] } {
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
      const email: EmailDraft = { layout: layout ?? '', texts: {} };
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
          if (read !== undefined) email.texts[stem(file)] = withoutSchema(read);
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
    return { emails, shared, parts };
  }

  #pages(settings: Settings): Pick<Draft, 'pages' | 'pageTexts'> {
    const pages: Record<string, string> = {};
    const pageTexts: Record<string, Record<string, Texts>> = {};
    for (const [file, text] of this.#files) if (/^pages\/[^/]+\.html$/.test(file)) pages[stem(file)] = text;
    for (const name of [...PAGES, '_frame']) {
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

  #settings(settings: Settings): void {
    const file = 'settings.json';
    const brands = Object.keys(settings.brands);
    if (brands.length === 0)
      this.#fault(
        'settings.brand',
        file,
        'brands',
        'no brand is named.',
        'Add one: its legal name and postal address stand in every e-mail.',
      );
    if (!isZone(settings.zone)) {
      this.#fault(
        'settings.zone',
        file,
        'zone',
        `"${settings.zone}" is no time zone.`,
        suggest(settings.zone, Intl.supportedValuesOf('timeZone')) ?? 'Write such as "Europe/Warsaw".',
      );
    }
    if (!Intl.supportedValuesOf('currency').includes(settings.currency)) {
      this.#fault(
        'settings.currency',
        file,
        'currency',
        `"${settings.currency}" is no currency.`,
        'Write its ISO 4217 code, such as "EUR".',
      );
    }
    for (const [id, sender] of Object.entries(settings.senders)) {
      if (!brands.includes(sender.brand)) {
        this.#fault(
          'reference.brand',
          file,
          sayPath(['senders', id, 'brand']),
          `brand "${sender.brand}" does not exist.`,
          suggest(sender.brand, brands),
        );
      }
      if (/[\u0000-\u001f\u007f"<>]/.test(sender.name)) {
        this.#fault(
          'settings.sender',
          file,
          sayPath(['senders', id, 'name']),
          'holds a character that a sender name cannot have.',
          'Leave out quotation marks, angle brackets and line breaks.',
        );
      }
    }
    const { quietHours } = settings;
    if (quietHours !== undefined && quietHours.from === quietHours.to) {
      this.#fault(
        'settings.quiet',
        file,
        'quietHours',
        'begin and end at the same time.',
        'Leave "quietHours" out if there are none.',
      );
    }
    settings.locales.forEach((locale, index) => {
      if (settings.locales.indexOf(locale) < index)
        this.#fault('settings.locale', file, sayPath(['locales', index]), `"${locale}" stands twice.`, 'Keep one.');
    });
    settings.caps.forEach((cap, index) => {
      if (days(cap.in) > 366)
        this.#fault(
          'rule.duration',
          file,
          sayPath(['caps', index, 'in']),
          `"${cap.in}" is more than a year.`,
          'Caps count sends of at most 366 days.',
        );
    });
    (settings.linkHosts ?? []).forEach((host, index) => {
      if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(host)) {
        this.#fault(
          'settings.host',
          file,
          sayPath(['linkHosts', index]),
          `"${host}" is no host name.`,
          'Write such as "shop.example.com": no "https://", no path.',
        );
      }
    });
  }

  #fields({ fields }: Draft): void {
    const file = 'fields.json';
    const builtin = vocabularyOf({}, { topics: {} }, [], []);
    const check = new RuleCheck(builtin, file);
    for (const [name, type] of Object.entries(fields.attributes ?? {})) {
      const known = check.attributeType(name);
      if (known !== undefined && (known !== type || name.includes('.'))) {
        this.#fault(
          'fields.builtin',
          file,
          sayPath(['attributes', name]),
          `"${name}" is built in, as ${known}.`,
          'Take it out, or choose another name.',
        );
      }
    }
    for (const [event, properties] of Object.entries(fields.events ?? {})) {
      const known = Object.hasOwn(builtin.events, event) ? builtin.events[event] : undefined;
      for (const [name, type] of Object.entries(properties)) {
        const is = known !== undefined && Object.hasOwn(known, name) ? known[name] : undefined;
        if (is !== undefined && is !== type) {
          this.#fault(
            'fields.builtin',
            file,
            sayPath(['events', event, name]),
            `"${name}" of "${event}" is built in, as ${typeof is === 'string' ? is : 'a list of lines'}.`,
            'Take it out, or choose another name.',
          );
        }
      }
    }
  }

  #segments(draft: Draft): void {
    for (const [id, segment] of Object.entries(draft.segments)) {
      const file = `segments/${id}.json`;
      const check = new RuleCheck(draft.vocabulary, file);
      check.rule(segment.rule, ['rule']);
      this.#take(check);
      this.#durations(segment, file);
    }
    try {
      segmentOrder(draft.segments);
    } catch (error) {
      const circle = /: (.*)$/.exec((error as Error).message)?.[1] ?? '';
      this.#fault(
        'segment.circle',
        `segments/${circle.split(' → ')[0]}.json`,
        'rule',
        `segments read each other in a circle: ${circle}.`,
        'Write one of them without the others.',
      );
    }
  }

  #take(check: RuleCheck): void {
    this.#faults.push(...check.faults);
    this.#warnings.push(...check.warnings);
  }

  #campaign(id: string, campaign: Campaign, draft: Draft): void {
    const file = `campaigns/${id}.json`;
    const { settings, vocabulary } = draft;
    const { when } = campaign;
    const trigger = 'did' in when ? [when.did].flat().filter((name) => Object.hasOwn(vocabulary.events, name)) : [];
    const every = (property: string): boolean =>
      trigger.length > 0 && trigger.every((name) => Object.hasOwn(vocabulary.events[name] ?? {}, property));
    const each = 'did' in when && when.each !== undefined;
    const run: RunKnowledge = { trigger, product: each || every('product_id') };
    const check = new RuleCheck(vocabulary, file, run);
    if (campaign.topic !== undefined)
      check.name('reference.topic', 'topic', campaign.topic, Object.keys(settings.topics), ['topic']);
    check.name('reference.sender', 'sender', campaign.sender, Object.keys(settings.senders), ['sender']);
    if ('enters' in when) {
      check.name('reference.segment', 'segment', when.enters, vocabulary.segments, ['when', 'enters']);
      if (campaign.triggerAge !== undefined) {
        check.fault(
          'campaign.trigger-age',
          ['triggerAge'],
          'belongs to campaigns that start with an event.',
          'Take it out.',
        );
      }
    } else {
      // What starts a run is asked before there is one.
      const before = new RuleCheck(vocabulary, file);
      before.did(when, ['when']);
      this.#take(before);
      if (
        each &&
        trigger.length > 0 &&
        !trigger.every((name) => typeof vocabulary.events[name]?.products === 'object')
      ) {
        check.fault(
          'campaign.each',
          ['when', 'each'],
          `not every event of "did" has lines of products.`,
          'Use "each" with events of orders.',
        );
      }
    }
    if (campaign.again === 'once per product' && !run.product) {
      check.fault(
        'campaign.again',
        ['again'],
        '"once per product" needs a product, and this campaign has none.',
        'Say "each": "products" in "when", or choose "after 30d".',
      );
    }
    if (campaign.again === 'once per order' && !every('order_id')) {
      check.fault(
        'campaign.again',
        ['again'],
        '"once per order" needs an event with an order_id.',
        'Choose "never", "every time" or "after 30d".',
      );
    }
    if (campaign.for !== undefined) check.rule(campaign.for, ['for']);
    if (campaign.stopIf !== undefined) check.rule(campaign.stopIf, ['stopIf']);
    if (campaign.success !== undefined) check.did(campaign.success, ['success']);
    if (campaign.starts !== undefined && campaign.ends !== undefined && campaign.starts > campaign.ends) {
      check.fault(
        'campaign.dates',
        ['ends'],
        `"${campaign.ends}" is before the start, "${campaign.starts}".`,
        'Exchange them.',
      );
    }
    this.#steps(campaign.steps, ['steps'], campaign, check, draft);
    if (!sendsOf(campaign.steps).length) check.warn('campaign.silent', ['steps'], 'send nothing.');
    this.#take(check);
    this.#durations(campaign, file);
  }

  #steps(steps: Step[], path: (string | number)[], campaign: Campaign, check: RuleCheck, draft: Draft): void {
    steps.forEach((step, index) => {
      const at = [...path, index];
      if ('stop' in step && index < steps.length - 1) {
        check.fault(
          'campaign.unreachable',
          [...path, index + 1],
          'is never reached: the step before it stops.',
          'Take it out, or move "stop" to the end.',
        );
      } else if ('wait' in step) {
        if (step.wait === '@product.replaceAfter') {
          check.reference('@product.replaceAfter', [...at, 'wait']);
          for (const [id, { replaceAfter }] of Object.entries(draft.catalogue.products)) {
            if (replaceAfter !== undefined)
              this.#wait(replaceAfter, 'catalogue.json', ['products', id, 'replaceAfter']);
          }
        } else if (typeof step.wait === 'string') this.#wait(step.wait, check, [...at, 'wait']);
      } else if ('send' in step) {
        check.name('reference.email', 'e-mail', step.send, Object.keys(draft.emails), [...at, 'send']);
        if (step.unless !== undefined) check.rule(step.unless, [...at, 'unless']);
        if (step.needs !== undefined) this.#needs(step.needs, [...at, 'needs'], campaign, check);
      } else if ('if' in step || 'waitFor' in step) {
        if ('if' in step) check.rule(step.if, [...at, 'if']);
        else {
          check.rule(step.waitFor, [...at, 'waitFor']);
          this.#wait(step.upTo, check, [...at, 'upTo']);
        }
        if (step.then !== undefined) this.#steps(step.then, [...at, 'then'], campaign, check, draft);
        if (step.else !== undefined) this.#steps(step.else, [...at, 'else'], campaign, check, draft);
      }
    });
  }

  #wait(duration: string, where: RuleCheck | string, path: (string | number)[]): void {
    if (days(duration) <= MOST_WAIT_DAYS || days(duration) > MOST_DAYS) return;
    const file = typeof where === 'string' ? where : '';
    const message = `"${duration}" is a wait of more than two years.`;
    const remedy = 'Wait at most 730d.';
    if (typeof where !== 'string') where.fault('campaign.wait', path, message, remedy);
    else if (!this.#faults.some((fault) => fault.file === file && fault.path === sayPath(path))) {
      this.#fault('campaign.wait', file, sayPath(path), message, remedy);
    }
  }

  #needs(needs: Record<string, unknown>, path: (string | number)[], campaign: Campaign, check: RuleCheck): void {
    const fields: Record<string, 'text' | 'number' | 'money' | 'boolean' | 'list'> = {
      recommendations: 'number',
      'product.name': 'text',
      'product.category': 'text',
      'product.brand': 'text',
      'product.price': 'money',
      'product.margin': 'number',
      'product.url': 'text',
      'product.imageUrl': 'text',
      'product.upgrade': 'text',
      'product.replaceAfter': 'text',
      'product.consumable': 'boolean',
      'product.complements': 'list',
    };
    for (const [name, comparison] of Object.entries(needs)) {
      const type = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (type === undefined) {
        check.fault(
          'reference.need',
          path,
          `"${name}" is nothing that an e-mail can need.`,
          suggest(name, Object.keys(fields)),
        );
        continue;
      }
      check.comparison(name, type, comparison as never, [...path, name]);
      if (name === 'recommendations' && campaign.kind === 'service') {
        check.fault(
          'campaign.service',
          [...path, name],
          'a service e-mail recommends nothing.',
          'Make the campaign "marketing", or take "needs" out.',
        );
      }
    }
  }

  /** Durations of more than ten years, wherever they stand. */
  #durations(value: unknown, file: string, path: (string | number)[] = []): void {
    if (Array.isArray(value)) {
      value.forEach((each, index) => {
        this.#durations(each, file, [...path, index]);
      });
    } else if (value !== null && typeof value === 'object') {
      for (const [key, each] of Object.entries(value)) this.#durations(each, file, [...path, key]);
    } else if (typeof value === 'string' && DURATIONS.has(String(path.at(-1)))) {
      const duration = /^(?:after |wait )?([1-9]\d{0,5}[mhdw])$/.exec(value)?.[1];
      if (duration !== undefined && days(duration) > MOST_DAYS) {
        this.#fault(
          'rule.duration',
          file,
          sayPath(path),
          `"${value}" is more than ten years.`,
          'At most 3650d. Leave the period out to mean ever.',
        );
      }
    }
  }

  #people({ people, catalogue, vocabulary }: Draft): void {
    for (const [name, person] of Object.entries(people)) {
      const file = `people/${name}.json`;
      const check = new RuleCheck(vocabulary, file);
      const ids = Object.keys(catalogue.products);
      person.bought?.forEach((id, index) => {
        check.name('reference.product', 'product', id, ids, ['bought', index]);
      });
      for (const event of Object.keys(person.events ?? {})) {
        check.name('reference.event', 'event', event, Object.keys(vocabulary.events), ['events', event]);
      }
      for (const attribute of Object.keys(person.attributes)) {
        check.name('reference.attribute', 'attribute', attribute, Object.keys(vocabulary.attributes), [
          'attributes',
          attribute,
        ]);
      }
      this.#take(check);
    }
  }

  #unused(draft: Draft): void {
    const sent = new Set(
      Object.values(draft.campaigns).flatMap((campaign) => sendsOf(campaign.steps).map(({ send }) => send)),
    );
    for (const name of Object.keys(draft.emails)) {
      if (!sent.has(name)) this.#warn('email.unsent', `emails/${name}/layout.mjml`, '', 'is sent by no campaign.');
    }
    if (Object.keys(draft.people).length === 0) {
      this.#warn(
        'people.none',
        'people',
        '',
        'holds nobody: e-mails are tried only with somebody of whom nothing is known.',
        'Add a test person.',
      );
    }
  }
}

const DURATIONS = new Set([
  'inLast',
  'inNext',
  'moreThanAgo',
  'wait',
  'upTo',
  'within',
  'triggerAge',
  'expires',
  'again',
  'ifCapped',
  'replaceAfter',
]);

/** Every "send" in these steps, branches included. */
export function sendsOf(steps: Step[]): Extract<Step, { send: string }>[] {
  return steps.flatMap((step) => {
    if ('send' in step) return [step];
    return 'if' in step || 'waitFor' in step ? [...sendsOf(step.then ?? []), ...sendsOf(step.else ?? [])] : [];
  });
}

const stem = (file: string): string => file.slice(file.lastIndexOf('/') + 1).replace(/\.[^.]+$/, '');

function withoutSchema(texts: Record<string, unknown>): Texts {
  const { $schema, ...rest } = texts;
  return rest as Texts;
}

const advice = (first: string, second: string): string | undefined =>
  first.startsWith('at') || second.startsWith('at') ? '; for two bounds write "between"' : undefined;

/** By file as a person would read the folder, then as found. */
function inOrder(faults: Fault[]): Fault[] {
  return faults
    .map((fault, index) => ({ fault, index }))
    .sort((a, b) => (a.fault.file ?? '').localeCompare(b.fault.file ?? '', 'en') || a.index - b.index)
    .map(({ fault }) => fault);
}
