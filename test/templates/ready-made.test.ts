// The ready-made campaigns and e-mails: what they promise, in every language, for everybody, and small enough.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { preview } from '../../cli/preview.ts';
import type { Templates } from '../../cli/templates-folder.ts';
import { sendsOf } from '../../domain/draft.ts';
import { renderEmail } from '../../domain/render.ts';
import { EMAILS, readyMade, samples } from './ready-made.ts';

const SHARED = path.resolve(import.meta.dirname, '../../../shared/examples');
const missing = !existsSync(SHARED);
if (missing) console.warn(`SKIPPED: ${SHARED} is missing, the ready-made campaigns are not compared with it`);
const example = <T>(file: string): Record<string, T> =>
  missing ? {} : (JSON.parse(readFileSync(path.join(SHARED, file), 'utf8')) as Record<string, T>);

let templates: Templates;
beforeAll(async () => {
  templates = await readyMade();
});

describe('the ready-made campaigns', () => {
  it('are nineteen, with sixteen segments, and pass without a warning', () => {
    expect(Object.keys(templates.draft.campaigns)).toHaveLength(19);
    expect(Object.keys(templates.draft.segments)).toHaveLength(16);
    expect(templates.warnings).toEqual([]);
  });

  it('send every e-mail that there is, and no other', () => {
    const sent = Object.values(templates.draft.campaigns).flatMap(({ steps }) =>
      sendsOf(steps).map(({ send }) => send),
    );
    expect([...new Set(sent)].sort()).toEqual(EMAILS);
    expect(EMAILS).toHaveLength(27);
  });

  it.each(Object.entries(example<object>('campaigns.json')))('say of %s what the design says', (id, said) => {
    // An order that was cancelled is as good as one that was sent back.
    const plainly = JSON.parse(
      JSON.stringify(templates.draft.campaigns[id]).replaceAll(
        '["Order Refunded","Order Cancelled"]',
        '"Order Refunded"',
      ),
    ) as object;
    expect(plainly).toMatchObject(said);
  });

  it.each(Object.entries(example<object>('segments.json')))('choose by %s whom the design chooses', (id, said) => {
    expect(templates.draft.segments[id]).toMatchObject(said);
  });

  it('stop the goodbye when somebody answers it', () => {
    expect(templates.draft.campaigns.sunset?.stopIf).toEqual({
      did: ['Email Clicked', 'Product Viewed', 'Order Completed'],
      since: 'run start',
    });
  });
});

describe.each(EMAILS)('the ready-made e-mail %s', (name) => {
  const each = () =>
    samples(templates, name).map((sample) => ({
      ...sample,
      ...renderEmail(templates.emails[name]!, sample.view, sample.locale),
    }));

  it('is complete in every language, for everybody: subject, address, ways out, alt texts, dark colours, below 60 KB', () => {
    const service = name === 'confirm-subscription';
    for (const { html, text, subject, preheader, locale } of each()) {
      expect(Buffer.byteLength(html)).toBeLessThan(60_000);
      expect([subject.length > 3, subject.length < 160, preheader.length > 10, text.length > 100]).toEqual([
        true,
        true,
        true,
        true,
      ]);
      for (const part of [html, text]) {
        expect(part).toContain('10969 Berlin');
        expect(part.includes('https://links.example/u/sample')).toBe(!service);
        expect(part.includes('https://links.example/c/sample')).toBe(service);
        expect(part).toContain('https://links.example/p/sample');
        expect(part).toContain('https://links.example/w/sample');
      }
      for (const [tag] of html.matchAll(/<img\b[^>]*>/g)) expect(tag).toMatch(/\balt="[^"]+"/);
      for (const [, link] of html.matchAll(/\s(?:href|src)="([^"]*)"/g)) expect(link).toMatch(/^https:\/\//);
      expect(html.match(/<h1>[^<]{3,}<\/h1>/g)).toHaveLength(1);
      expect(html).toContain('prefers-color-scheme: dark');
      expect(html).toContain(`<html lang="${locale}" dir="ltr"`);
      expect(html).not.toMatch(/<script|<p><\/p>/i);
      expect(`${html}${text}${subject}`).not.toMatch(/\{\{|\{%|liquid\d+tag|undefined|\[object|NaN/);
    }
  });

  it('speaks to Jonas by his name, reads well as plain text, and says in each language something else', () => {
    const jonas = each().filter(({ person }) => person === 'jonas');
    for (const { text, subject } of jonas) {
      expect(text).toContain('Jonas');
      expect(text).not.toMatch(/<\/|&amp;|&lt;|\n{3}|[ \t]\n|^ \S/m);
      expect(`${subject}${text}`).not.toMatch(/[^\s(“„]["']|,,/);
    }
    const said = (part: 'subject' | 'text') => new Set(jonas.map((sample) => sample[part])).size;
    expect([said('subject'), said('text')].every((count) => count >= 3)).toBe(true);
  });
});

describe('what an e-mail shows', () => {
  const seen = (name: string, person = 'jonas', locale = 'en') => preview(templates, name, { person, locale });

  it.each(['welcome-1', 'cart-3', 'winback-last', 'birthday', 'share-your-link'])('is its code, in %s', (name) => {
    const { html, text } = seen(name);
    const [, code = ''] = /<span dir="ltr" class="code">([A-Z0-9-]+)<\/span>/.exec(html) ?? [];
    expect(code.length).toBeGreaterThan(5);
    expect(text).toContain(code);
  });

  it('is a code for one half, and none for the other, in winback-2', () => {
    const subjects = samples(templates, 'winback-2')
      .filter(({ person, locale }) => person === 'jonas' && locale === 'en')
      .map(({ view }) => [view.coupon !== undefined, renderEmail(templates.emails['winback-2']!, view, 'en')] as const);
    expect(subjects.map(([coupon]) => coupon).sort()).toEqual([false, true]);
    for (const [coupon, { subject, html }] of subjects) {
      expect(subject.includes('off')).toBe(coupon);
      expect(html.includes('class="code"')).toBe(coupon);
    }
  });

  it('is the cart, line by line, with its value', () => {
    const { text } = seen('cart-1');
    expect(text).toMatch(/Silvergrain 400 film, pack of 3/);
    expect(text).toMatch(/Clearfield lens pen/);
    expect(text).toMatch(/Together: €\d/);
  });

  it('is the present price, and the lowest of thirty days before', () => {
    const { text } = seen('price-drop');
    expect(text).toMatch(/Now €\d/);
    expect(text).toMatch(/Lowest price of the last 30 days before: €\d/);
  });

  it('is in the subject what the variant says', () => {
    const subjects = ['subject-a', 'subject-b'].map((variant) => seen(`black-friday@${variant}`).subject);
    expect(subjects).toEqual(['Black Friday: what really costs less', 'Jonas, Black Friday in one minute']);
  });
});
