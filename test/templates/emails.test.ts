// The ready-made e-mails and pages: they say what they must, in every language, for everybody, and nothing breaks them.
import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { preview } from '../../cli/preview.ts';
import { buildTemplates, type Templates } from '../../cli/templates-folder.ts';
import { samplesOf } from '../../domain/check-emails.ts';
import { pageSamples } from '../../domain/check-preferences.ts';
import { cleanText } from '../../domain/clean.ts';
import { CHOICE_PAGES } from '../../domain/preferences.ts';
import { renderEmail, renderPage } from '../../domain/render.ts';
import { buildPageView, type buildView } from '../../domain/view.ts';
import { committed } from './edit.ts';

let templates: Templates;
let definitions: Parameters<typeof buildView>[0];
beforeAll(async () => {
  templates = await buildTemplates(await committed());
  definitions = { settings: templates.draft.settings, catalogue: templates.draft.catalogue } as typeof definitions;
});

const tagNames = (html: string): string =>
  [...html.matchAll(/<(\/?[a-z][a-z0-9]*)(?=[\s>/])/gi)].map(([, name]) => name).join(' ');
const EMAILS = ['confirm-subscription', 'welcome', 'cross-sell', 'up-sell', 'win-back', 'vip-thank-you'];
const naughty = new URL('../../../shared/data/naughty_strings/blns.json', import.meta.url);
if (!existsSync(naughty)) console.warn('SKIPPED: the naughty strings are missing');

describe.each(EMAILS)('the e-mail %s', (name) => {
  it('is there in every language of the shop, below what mail programs cut off', () => {
    expect(Object.keys(templates.emails[name]!.locales).sort()).toEqual(['de', 'en', 'pl']);
    for (const { view, locale } of samplesOf(name, templates.draft, definitions)) {
      const { html, text, subject, preheader } = renderEmail(templates.emails[name]!, view, locale);
      expect(Buffer.byteLength(html)).toBeLessThan(60_000);
      expect([subject.length > 0, preheader.length > 0, text.length > 100]).toEqual([true, true, true]);
    }
  });

  it('holds postal address and, unless it is service mail, the unsubscribe link, in both parts', () => {
    for (const { view, locale } of samplesOf(name, templates.draft, definitions)) {
      const { html, text } = renderEmail(templates.emails[name]!, view, locale);
      const service = name === 'confirm-subscription';
      for (const part of [html, text]) {
        expect(part).toContain('10969 Berlin');
        expect(part.includes('https://links.example/u/sample')).toBe(!service);
        expect(part.includes('https://links.example/c/sample')).toBe(service);
      }
    }
  });

  it('leads to the page of choices, in both parts and in every language', () => {
    const choices = 'https://links.example/p/sample';
    for (const { view, locale } of samplesOf(name, templates.draft, definitions)) {
      const { html, text } = renderEmail(
        templates.emails[name]!,
        { ...view, links: { ...view.links, preferences: choices } },
        locale,
      );
      expect([html.includes(`href="${choices}"`), text.includes(choices)]).toEqual([true, true]);
    }
  });

  it('has an alt text for each picture, https links only, dark colours, its language, no script and no Liquid left', () => {
    for (const { view, locale } of samplesOf(name, templates.draft, definitions)) {
      const { html, text, subject } = renderEmail(templates.emails[name]!, view, locale);
      for (const [tag] of html.matchAll(/<img\b[^>]*>/g)) expect(tag).toMatch(/\balt="[^"]+"/);
      for (const [, link] of html.matchAll(/\s(?:href|src)="([^"]*)"/g)) expect(link).toMatch(/^https:\/\//);
      expect(html).toContain('prefers-color-scheme: dark');
      expect(html).toContain('<meta name="color-scheme" content="light dark"');
      expect(html).toContain(`<html lang="${locale}" dir="ltr"`);
      expect(html).not.toMatch(/<script/i);
      expect(`${html}${text}${subject}`).not.toMatch(/\{\{|\{%|liquid\d+tag/);
    }
  });

  it('reads well as plain text', () => {
    const { view } = samplesOf(name, templates.draft, definitions).find(
      ({ person, locale }) => person === 'jonas' && locale === 'de',
    )!;
    const { text } = renderEmail(templates.emails[name]!, view, 'de');
    expect(text).not.toMatch(/<\/|&amp;|&lt;|\n{3}|[ \t]\n/);
    expect(text).toMatch(/Jonas/);
  });

  it.skipIf(!existsSync(naughty))('keeps its structure under every naughty string as first name', () => {
    const strings = JSON.parse(readFileSync(naughty, 'utf8')) as string[];
    expect(strings.length).toBeGreaterThan(400);
    const { view } = samplesOf(name, templates.draft, definitions).find(
      ({ person, locale }) => person === 'anna' && locale === 'en',
    )!;
    const plain = tagNames(renderEmail(templates.emails[name]!, view, 'en').html);
    for (const string of strings) {
      const cleaned = cleanText(string, 64);
      // Both what buildView lets through and what it would have to stop.
      for (const firstName of [cleaned, string]) {
        const { firstName: _, ...nameless } = view.contact;
        const seen = { ...view, contact: firstName === undefined ? nameless : { ...view.contact, firstName } };
        const { html, subject } = renderEmail(templates.emails[name]!, seen, 'en');
        expect(tagNames(html)).toBe(plain);
        expect(html).not.toMatch(/<script/i);
        expect(subject).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
        expect(html.isWellFormed() && subject.isWellFormed()).toBe(true);
      }
    }
  });
});

describe('what is bought and recommended', () => {
  it('stands in the cross-sell e-mail with picture, price and link', () => {
    const { subject, html } = preview(templates, 'cross-sell', { person: 'jonas' });
    expect(subject).toBe('Passt gut dazu: Solstice 35 film camera');
    for (const id of ['silvergrain-100', 'vesper-strap', 'ramme-oak-20']) {
      expect(html).toContain(`https://images.aurora-camera.example/${id}.png`);
      expect(html).toContain(`https://shop.aurora-camera.example/p/${id}`);
    }
    expect(html).toContain('45,00\u00a0€');
  });

  it('is the better model in the up-sell e-mail', () => {
    const { subject, text } = preview(templates, 'up-sell', { person: 'anna', locale: 'en' });
    expect(subject).toBe('The next step after your Halden One mirrorless camera');
    expect(text).toContain('Halden Two mirrorless camera');
  });

  it('is not asked of a person of whom nothing is known', () => {
    expect(preview(templates, 'win-back', { person: 'nobody', locale: 'en' }).subject).toBe(
      'What have you been photographing?',
    );
  });
});

describe('the page', () => {
  const page = (name: string, locale: string, kind: 'unsubscribe' | 'confirm', action?: string): string =>
    renderPage(
      templates.pages[name]![locale]!,
      buildPageView(templates.draft, { locale, kind, ...(action === undefined ? {} : { action }) }),
    );

  it.each(['unsubscribe', 'confirm'] as const)('%s posts to the link it was opened with, in every language', (kind) => {
    for (const locale of ['en', 'de', 'pl']) {
      const html = page(kind, locale, kind, '/u/abc');
      expect(html).toContain('<form method="post" action="/u/abc">');
      expect(html.match(/<button type="submit">[^<]{5,}<\/button>/g)).toHaveLength(1);
      expect(html).toContain(`<html lang="${locale}" dir="ltr">`);
      expect(html).toMatch(/<h1>[^<]{5,}<\/h1>/);
      expect(html).not.toMatch(/<script|\{\{|\{%/);
    }
  });

  it('done says what was done', () => {
    expect(page('done', 'en', 'confirm')).toContain('Your address is confirmed');
    expect(page('done', 'en', 'unsubscribe')).toContain('You are unsubscribed');
  });

  it.each(['unsubscribe', 'done'])('%s leads to the page of choices, where there is a link to it', (name) => {
    const view = buildPageView(templates.draft, { locale: 'de', kind: 'unsubscribe', action: 'x' });
    const source = templates.pages[name]!.de!;
    expect(renderPage(source, { ...view, preferences: '../p/abc' })).toContain('<a href="../p/abc">');
    expect(renderPage(source, view)).not.toContain('/p/');
  });

  it.each(CHOICE_PAGES)('%s says in each language something else, in every state, and nothing is left open', (name) => {
    const said = ['en', 'de', 'pl'].map((locale) =>
      pageSamples(name, templates.draft, locale).map(({ says }) => {
        const view = buildPageView(templates.draft, { locale, kind: 'preferences', action: 'abc', ...says });
        const html = renderPage(templates.pages[name]![locale]!, view);
        expect(html).toContain(`<html lang="${locale}" dir="ltr">`);
        expect(html).not.toMatch(/<script|\{\{|\{%|undefined|\[object/);
        expect(html.match(/<h1>/g)).toHaveLength(1);
        for (const [form] of html.matchAll(/<form\b[^>]*>/g)) expect(form).toBe('<form method="post" action="abc">');
        return html.replace(/^[\s\S]*<main>/, '').replace(/<[^>]+>/g, ' ');
      }),
    );
    for (let state = 0; state < said[0]!.length; state++) {
      const [en, de, pl] = said.map((states) => states[state]);
      expect(new Set([en, de, pl]).size).toBe(3);
    }
  });

  it('invalid has no form', () => {
    expect(page('invalid', 'pl', 'unsubscribe')).not.toContain('<form');
  });
});
