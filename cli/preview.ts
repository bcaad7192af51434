// kairos preview: one e-mail for one test person, as a file for the browser.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { SAMPLE_IMAGES, samplesOf } from '../domain/check-emails.ts';
import { KairosError, suggest } from '../domain/fault.ts';
import { type RenderedEmail, renderEmail } from '../domain/render.ts';
import type { buildView } from '../domain/view.ts';
import { Pictures } from '../local/pictures.ts';
import { buildFolder, type Templates, TemplatesRefused } from './templates-folder.ts';
import { printRefusal, TEMPLATES } from './validate.ts';

/** Renders an e-mail for a test person, or for `nobody`. Throws KairosError for names that do not exist. */
export function preview(templates: Templates, email: string, who: { locale?: string; person?: string }): RenderedEmail {
  const { draft, emails } = templates;
  const known = (what: string, name: string, words: string[]): void => {
    if (words.includes(name)) return;
    const remedy = suggest(name, words);
    throw new KairosError({
      code: `reference.${what}`,
      path: '',
      message: `${what} "${name}" does not exist.`,
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
  known('e-mail', email, Object.keys(emails));
  const people = [...Object.keys(draft.people), 'nobody'];
  const person = who.person ?? people[0] ?? 'nobody';
  known('person', person, people);
  const said = draft.people[person]?.attributes.locale;
  const locale =
    who.locale ??
    (typeof said === 'string' && draft.settings.locales.includes(said) ? said : draft.settings.locales[0]!);
  known('locale', locale, draft.settings.locales);
  const definitions = { settings: draft.settings, catalogue: draft.catalogue } as Parameters<typeof buildView>[0];
  const sample = samplesOf(email, draft, definitions).find((each) => each.person === person && each.locale === locale)!;
  return renderEmail(emails[email]!, sample.view, locale);
}

/** Adds `kairos preview EMAIL`. */
export function registerPreview(program: Command): void {
  program
    .command('preview')
    .description('write one e-mail for one test person to a file, and show its subject and text')
    .argument('<email>', 'the name of a folder in templates/emails, or one of its variants: welcome@subject-b')
    .option('--locale <locale>', 'by default the person’s own')
    .option('--person <name>', 'the name of a file in templates/people, or "nobody"')
    .option('--out <file>', 'where to write it', '')
    .option('--templates <folder>', 'the folder of templates', TEMPLATES)
    .action(async (email: string, options: { locale?: string; person?: string; out: string; templates: string }) => {
      let templates: Templates;
      try {
        templates = await buildFolder(options.templates);
      } catch (error) {
        if (!(error instanceof TemplatesRefused)) throw error;
        printRefusal(error, (line) => console.error(line));
        process.exitCode = 1;
        return;
      }
      const rendered = preview(templates, email, options);
      const file = path.resolve(options.out === '' ? path.join('.kairos', 'preview', `${email}.html`) : options.out);
      await mkdir(path.dirname(file), { recursive: true });
      const pictures = path.resolve(options.templates, 'images');
      let shown = new Pictures(pictures).shownFrom(`${pathToFileURL(pictures).href}/`, rendered.html);
      for (const [file, { name }] of templates.images) {
        shown = shown.replaceAll(`${SAMPLE_IMAGES}/${name}`, pathToFileURL(path.join(pictures, file)).href);
      }
      await writeFile(file, shown);
      console.log(`Subject:   ${rendered.subject}`);
      console.log(`Preheader: ${rendered.preheader}`);
      console.log(`\n${rendered.text}\n`);
      console.log(`Written to ${path.relative(process.cwd(), file)}: open it in a browser.`);
    });
}
