// Pages and e-mails in a real browser, on a phone, in light and dark: nothing to scroll sideways, nothing that axe finds.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTemplates, type Templates } from '../../cli/templates-folder.ts';
import { samplesOf } from '../../domain/check-emails.ts';
import { renderEmail, renderPage } from '../../domain/render.ts';
import { buildPageView, type buildView } from '../../domain/view.ts';
import { committed } from './edit.ts';

const CHROMIUM = '/usr/bin/chromium';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
if (!existsSync(CHROMIUM)) console.warn(`SKIPPED: there is no ${CHROMIUM} to look at pages and e-mails with`);

/** What mail programs, and no page, leave to others: whole-page landmarks. */
const NOT_OF_MAIL = [
  'region',
  'landmark-one-main',
  'landmark-no-duplicate-main',
  'document-title',
  'aria-allowed-role',
  'landmark-unique',
];

describe.skipIf(!existsSync(CHROMIUM)).each(['light', 'dark'] as const)('on a phone in %s', (colorScheme) => {
  let browser: Browser;
  let templates: Templates;
  beforeAll(async () => {
    [browser, templates] = await Promise.all([
      chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] }),
      buildTemplates(await committed()),
    ]);
  });
  afterAll(() => browser?.close());

  const look = async (html: string, pass: string[]): Promise<{ sideways: number; found: string[] }> => {
    const page = await browser.newPage({ viewport: { width: 360, height: 700 }, colorScheme });
    try {
      await page.route(/^https:/, (route) => route.abort());
      await page.setContent(html);
      await page.addScriptTag({ content: axe });
      const sideways = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      const found = await page.evaluate<string[]>(
        `axe.run(document, { rules: ${JSON.stringify(Object.fromEntries(pass.map((id) => [id, { enabled: false }])))} })
          .then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ' ' + n.html.slice(0, 120))))`,
      );
      return { sideways, found };
    } finally {
      await page.close();
    }
  };

  it.each(['unsubscribe', 'confirm', 'done', 'invalid'])('the page %s', async (name) => {
    // The longest words.
    for (const locale of ['de']) {
      const kind = name === 'confirm' ? 'confirm' : 'unsubscribe';
      const html = renderPage(
        templates.pages[name]![locale]!,
        buildPageView(templates.draft, { locale, kind, action: '/u/1' }),
      );
      expect(await look(html, [])).toEqual({ sideways: 0, found: [] });
    }
  });

  it.each(['confirm-subscription', 'welcome', 'cross-sell', 'up-sell', 'win-back', 'vip-thank-you'])(
    'the e-mail %s, to somebody with a long name',
    async (name) => {
      const { draft } = templates;
      const definitions = { settings: draft.settings, catalogue: draft.catalogue } as Parameters<typeof buildView>[0];
      const sample = samplesOf(name, draft, definitions).find(
        ({ person, locale }) => person === 'long-name' && locale === 'de',
      )!;
      expect(await look(renderEmail(templates.emails[name]!, sample.view, 'de').html, NOT_OF_MAIL)).toEqual({
        sideways: 0,
        found: [],
      });
    },
  );
});
