// Pages and e-mails in a real browser, on a phone and a desk, in light and dark, with the keyboard alone: nothing that axe finds.
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildTemplates, type Templates } from '../../cli/templates-folder.ts';
import { compileBook, emptyBook } from '../../domain/book.ts';
import { pageSamples } from '../../domain/check-preferences.ts';
import { newContact } from '../../domain/contact.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { signLink } from '../../domain/links.ts';
import { CHOICE_PAGES } from '../../domain/preferences.ts';
import { renderPage } from '../../domain/render.ts';
import { buildPageView } from '../../domain/view.ts';
import type { BusEvent } from '../../functions/aws/bus.ts';
import { contactItem, Found, type Key } from '../../functions/aws/table.ts';
import { managePreferences } from '../../functions/manage-preferences.ts';
import { committed, edited } from './edit.ts';
import { EMAILS, IN_ARABIC, rendered, withArabic, withPictures } from './ready-made.ts';

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
const PHONE = 360;
const DESK = 1280;

let browser: Browser;
let templates: Templates;
let readyMade: Templates;
beforeAll(async () => {
  if (!existsSync(CHROMIUM)) return;
  [browser, templates, readyMade] = await Promise.all([
    chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] }),
    buildTemplates(await committed()),
    withArabic(),
  ]);
}, 60_000);
afterAll(() => browser?.close());

/** What axe finds on a page as it stands; targets are to be large enough for a thumb. */
async function found(page: Page, pass: string[] = []): Promise<string[]> {
  const rules = { 'target-size': { enabled: true }, ...Object.fromEntries(pass.map((id) => [id, { enabled: false }])) };
  if (!(await page.evaluate<boolean>('"axe" in window'))) await page.addScriptTag({ content: axe });
  return page.evaluate<string[]>(
    `axe.run(document, { rules: ${JSON.stringify(rules)} })
      .then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ' ' + n.html.slice(0, 120))))`,
  );
}

describe.skipIf(!existsSync(CHROMIUM)).each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  // One page for all of them: axe is read once.
  let page: Page;
  beforeAll(async () => {
    page = await browser.newPage({ viewport: { width: PHONE, height: 700 }, colorScheme });
    await page.route(/^https:/, (route) => route.abort());
  });
  afterAll(() => page.close());
  const look = async (html: string, pass: string[], width = PHONE): Promise<{ sideways: number; found: string[] }> => {
    await page.setViewportSize({ width, height: 700 });
    await page.setContent(html);
    const sideways = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    return { sideways, found: await found(page, pass) };
  };
  const clean = { sideways: 0, found: [] };

  it.each(['unsubscribe', 'confirm', 'done', 'invalid'])('the page %s', async (name) => {
    // The longest words.
    for (const locale of ['de']) {
      const kind = name === 'confirm' ? 'confirm' : 'unsubscribe';
      const html = renderPage(
        templates.pages[name]![locale]!,
        buildPageView(templates.draft, { locale, kind, action: '/u/1', preferences: '../p/1' }),
      );
      expect(await look(html, [])).toEqual(clean);
    }
  });

  // Either language meets either width, in one of the two colours.
  const combinations = [
    [colorScheme === 'light' ? 'de' : 'en', PHONE],
    [colorScheme === 'light' ? 'en' : 'de', DESK],
  ] as const;
  it.each(CHOICE_PAGES)(
    'the page %s, in every state, on a phone and on a desk',
    async (name) => {
      for (const [locale, width] of combinations) {
        const states = pageSamples(name, templates.draft, locale).map(({ says }) => {
          const view = buildPageView(templates.draft, { locale, kind: 'preferences', action: '1', ...says });
          return renderPage(templates.pages[name]![locale]!, view);
        });
        for (const html of new Set(states)) expect(await look(html, [], width)).toEqual(clean);
      }
    },
    120_000,
  );

  it.each(EMAILS)('the ready-made e-mail %s on a phone, to somebody with a long name', async (name) => {
    const { html } = rendered(readyMade, name, 'long-name', colorScheme === 'light' ? 'de' : 'pl');
    expect(await look(withPictures(html), [...NOT_OF_MAIL, 'target-size'])).toEqual(clean);
  });
});

describe.skipIf(!existsSync(CHROMIUM))('from right to left', () => {
  it.each(IN_ARABIC)(
    'every line of the e-mail %s begins at the right, and columns stand in that order',
    async (name) => {
      const page = await browser.newPage({ viewport: { width: PHONE, height: 700 } });
      try {
        await page.route(/^https:/, (route) => route.abort());
        await page.setContent(withPictures(rendered(readyMade, name, 'jonas', 'ar').html));
        expect(await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')).toBe(0);
        expect(await found(page, [...NOT_OF_MAIL, 'target-size'])).toEqual([]);
        await page.setViewportSize({ width: 700, height: 700 });
        // What is centred, and what says its own direction (a code), may stand as it does.
        const wrong = await page.evaluate<string[]>(`[...document.querySelectorAll('h1, h2, p, a, div')]
        .filter((el) => [...el.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
        .filter((el) => !el.closest('[dir=ltr], [style*="display:none"]'))
        .map((el) => [getComputedStyle(el), el])
        .filter(([{ direction, textAlign }]) => direction !== 'rtl' || !/^(right|start|center|-webkit-center)$/.test(textAlign))
        .map(([{ direction, textAlign }, el]) => direction + ' ' + textAlign + ' ' + el.outerHTML.slice(0, 100))`);
        expect(wrong).toEqual([]);
        const sides = await page.evaluate<{ left: number; right: number }>(`(() => {
        const range = document.createRange();
        range.selectNodeContents(document.querySelector('h1'));
        const { left, right } = range.getBoundingClientRect();
        return { left, right: innerWidth - right };
      })()`);
        expect(sides.right).toBeLessThan(sides.left);
        const columns = await page.evaluate<boolean[]>(`[...document.querySelectorAll('.product')].map((row) =>
        row.querySelector('img').getBoundingClientRect().left > row.querySelector('.name').getBoundingClientRect().right)`);
        expect(columns).toEqual(columns.map(() => true));
      } finally {
        await page.close();
      }
    },
  );
});

/** The function behind a web server, with a table that holds one person, and a bus that remembers. */
class Door {
  readonly put: BusEvent[] = [];
  readonly #server: Server;
  readonly token: string;

  constructor(built: Templates, now: number) {
    const { draft, pages } = built;
    const keys = { current: 'k', keys: { k: 'a key of these tests' } };
    const { definitions, controls } = emptyBook();
    const settings = { ...definitions, ordinal: 1, settings: draft.settings, catalogue: draft.catalogue, pages };
    const book = compileBook(settings, 'a book', controls);
    const contact = newContact('c1', now - 1);
    contact.facts.consents['aurora|offers|email'] = { granted: true, at: now - 1, id: 'e' };
    this.token = signLink({ kind: 'preferences', contact: 'c1', brand: 'aurora', message: 'm1' }, keys);
    const item = contactItem(contact, 1, 1);
    const read = async (wanted: Key[]) => {
      const all = new Found();
      if (wanted.some(({ pk, sk }) => pk === item.pk && sk === item.sk)) all.add(item);
      return all;
    };
    const put = async (events: BusEvent[]) => {
      this.put.push(...events);
      return 0;
    };
    const deps = {
      table: { read },
      bus: { put },
      books: { current: async () => book, byHash: async () => undefined },
      pictures: { answer: async () => undefined },
      secrets: async () => ({ keys, sources: {} }),
      now: () => now,
    };
    this.#server = createServer(async (request, response) => {
      const event = {
        rawPath: request.url ?? '',
        headers: request.headers,
        requestContext: { http: { method: request.method } },
        body: Buffer.from(await text(request)).toString('base64'),
        isBase64Encoded: true,
      } as never;
      const { statusCode = 500, headers, body } = await managePreferences(event, deps);
      response.writeHead(statusCode, headers as Record<string, string>).end(body);
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/some/stage/p/${this.token}`;
  }

  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  said(): [string, JsonObject][] {
    return this.put.map(({ detailType, detail }) => [detailType, (detail as { properties: JsonObject }).properties]);
  }
}

describe.skipIf(!existsSync(CHROMIUM))('the page of choices, as it runs', () => {
  const NOW = Date.UTC(2026, 4, 4, 12);
  let door: Door;
  let address: string;
  let page: Page;
  const open = async (built: Templates, locale: string): Promise<void> => {
    door = new Door(built, NOW);
    address = await door.open();
    const context = await browser.newContext({
      locale,
      viewport: { width: PHONE, height: 740 },
      javaScriptEnabled: false,
    });
    page = await context.newPage();
    await page.goto(address);
  };
  beforeEach(() => async () => {
    await page?.context().close();
    await door?.close();
  });

  /** Presses Tab until what is focused has the text or value. */
  const tabTo = async (what: string): Promise<void> => {
    const seen: string[] = [];
    for (let presses = 0; presses < 20; presses++) {
      await page.keyboard.press('Tab');
      const focus = page.locator(':focus');
      if ((await focus.count()) === 0) continue;
      const [value, words] = [await focus.getAttribute('value'), await focus.innerText()];
      if (value === what || words === what) return;
      seen.push(value ?? words);
    }
    throw new Error(`the keyboard reaches ${seen.join(', ')}, but not ${what}`);
  };
  const heading = () => page.locator('h1').innerText();

  it('is worked with the keyboard alone, without scripts: topics, a pause, leaving', async () => {
    await open(templates, 'en');
    expect(await heading()).toBe('What may we send you?');
    await tabTo('offers');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Space');
    await tabTo('news');
    await page.keyboard.press('Space');
    await tabTo('save');
    await page.keyboard.press('Enter');
    await page.waitForSelector('text=Your choice is saved');
    expect(await page.locator('ul').first().innerText()).toBe('News');
    expect(door.said()).toEqual([
      ['Consent Withdrawn', expect.objectContaining({ brand: 'aurora', topic: 'offers' })],
      ['Consent Granted', expect.objectContaining({ brand: 'aurora', topic: 'news', basis: 'double' })],
    ]);

    await tabTo('Back to all choices');
    await page.keyboard.press('Enter');
    await page.waitForSelector('text=What may we send you?');
    expect(page.url()).toBe(address);
    await tabTo('pause');
    await page.keyboard.press('Enter');
    await page.waitForSelector('text=We will be quiet');
    expect(door.said().at(-1)).toEqual([
      'Pause Requested',
      { brand: 'aurora', source: 'preference page', until: '2026-06-03T12:00:00.000Z' },
    ]);

    await page.goto(address);
    await tabTo('withdraw');
    await page.keyboard.press('Space');
    await page.waitForSelector('text=We have stopped everything');
    expect(door.said().at(-1)).toEqual(['Consent Withdrawn', expect.objectContaining({ all: true })]);
    expect(door.put).toHaveLength(4);
  });

  it('saves, and neither pauses nor leaves, when somebody presses Enter on a topic', async () => {
    await open(templates, 'de');
    await tabTo('news');
    await page.keyboard.press('Space');
    await page.keyboard.press('Enter');
    await page.waitForSelector('text=Deine Auswahl ist gespeichert');
    expect(door.said()).toEqual([['Consent Granted', expect.objectContaining({ topic: 'news' })]]);
  });

  it('reads from right to left where the language does', async () => {
    const copies = [...(await committed())].filter(([file]) => /^(emails|pages)\/(.*\/)?en\.json$/.test(file));
    const rightToLeft = await buildTemplates(
      await edited([
        { file: 'settings.json', at: ['locales'], to: ['en', 'de', 'pl', 'ar'] },
        ...copies.map(([file, text]) => ({ file: file.replace('en.json', 'ar.json'), text })),
        { file: 'pages/ar.json', at: ['preferences', 'heading'], to: 'ماذا تريد أن نرسل إليك؟' },
        { file: 'pages/ar.json', at: ['preferences', 'save'], to: 'احفظ اختياري' },
        { file: 'settings.json', at: ['topics', 'news', 'title', 'ar'], to: 'الجديد' },
      ]),
    );
    await open(rightToLeft, 'ar');
    expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
    const box = await page.locator('input[value="news"]').boundingBox();
    const words = await page.locator('label:has(input[value="news"]) strong').boundingBox();
    expect(box!.x).toBeGreaterThan(words!.x + words!.width - 1);
    const readable = await browser.newPage({ viewport: { width: PHONE, height: 740 }, locale: 'ar' });
    try {
      await readable.setContent(await page.content());
      expect(await readable.evaluate<number>('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      expect(await found(readable)).toEqual([]);
    } finally {
      await readable.close();
    }
  });
});
