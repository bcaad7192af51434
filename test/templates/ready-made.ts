// The ready-made templates as they are built, also with a language that is read from right to left.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { imagesIn } from '../../cli/images.ts';
import { buildFolder, buildTemplates, readTemplates, type Templates } from '../../cli/templates-folder.ts';
import { type Sample, samplesOf } from '../../domain/check-emails.ts';
import { type RenderedEmail, renderEmail } from '../../domain/render.ts';
import type { buildView } from '../../domain/view.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
export const READY_MADE = path.join(ROOT, 'templates');
const ARABIC = path.join(ROOT, 'test/arabic');

const namesIn = (folder: string): string[] => readdirSync(folder).filter((name) => !name.startsWith('_'));
/** The names of all ready-made e-mails. */
export const EMAILS = namesIn(path.join(READY_MADE, 'emails'));
/** Those of which there are Arabic texts. */
export const IN_ARABIC = namesIn(path.join(ARABIC, 'emails'));

export const readyMade = (): Promise<Templates> => buildFolder(READY_MADE);

/** The same in Arabic too; where nothing is translated, the English words stand. */
export async function withArabic(): Promise<Templates> {
  const files = new Map(await readTemplates(READY_MADE));
  const settings = JSON.parse(files.get('settings.json') ?? '') as { locales: string[] };
  files.set('settings.json', JSON.stringify({ ...settings, locales: [...settings.locales, 'ar'] }));
  const arabic = await readTemplates(ARABIC);
  for (const [file, text] of [...files]) {
    if (!/^(emails|pages)\/(.*\/)?en\.json$/.test(file)) continue;
    const name = file.replace(/en\.json$/, 'ar.json');
    files.set(name, JSON.stringify(over(JSON.parse(text), JSON.parse(arabic.get(name) ?? '{}'))));
  }
  return buildTemplates(files, await imagesIn(READY_MADE));
}

type Words = { [key: string]: Words | string | string[] };

/** Words over other words; those of pages lie one level deeper. */
function over(words: Words, others: Words): Words {
  const merged = { ...words };
  for (const [key, value] of Object.entries(others)) {
    const below = words[key];
    const deeper = typeof value === 'object' && !Array.isArray(value) && typeof below === 'object';
    merged[key] = deeper ? over(below as Words, value) : value;
  }
  return merged;
}

/** Every sample of an e-mail, with the links that only a sent one has. */
export function samples({ draft }: Templates, name: string): Sample[] {
  const definitions = { settings: draft.settings, catalogue: draft.catalogue } as Parameters<typeof buildView>[0];
  const preferences = 'https://links.example/p/sample';
  const webView = 'https://links.example/w/sample';
  return samplesOf(name, draft, definitions).map((sample) => ({
    ...sample,
    view: { ...sample.view, links: { ...sample.view.links, preferences, webView } },
  }));
}

/** The e-mail as one of the test people would get it. */
export function rendered(templates: Templates, name: string, who: string, locale: string): RenderedEmail {
  const sample = samples(templates, name).find((each) => each.person === who && each.locale === locale);
  return renderEmail(templates.emails[name]!, sample!.view, locale);
}

/** The HTML with its pictures inside, so that a browser needs no network. */
export function withPictures(html: string): string {
  const shown = (file: string): string =>
    `src="data:image/png;base64,${readFileSync(path.join(READY_MADE, 'images', file)).toString('base64')}"`;
  return html.replace(/src="https:\/\/images\.aurora-camera\.example\/([a-z0-9-]+\.png)"/g, (_, file: string) =>
    shown(file),
  );
}
