// Rendering in the sandbox: escapes, limits, nothing undefined, no files.
import { describe, expect, it } from 'vitest';
import type { CompiledEmail } from '../../domain/book.ts';
import type { Json } from '../../domain/interaction.ts';
import { type EmailView, pickLocale, RenderError, renderEmail, renderPage } from '../../domain/render.ts';

const brand = {
  name: 'Aurora & Co',
  legalName: 'Aurora GmbH',
  postalAddress: 'Lindenstraße 14, Berlin',
  site: 'https://shop.example',
  colours: { accent: '#112233', text: '#000000', background: '#ffffff' },
};
const view = (contact: EmailView['contact'] = {}, rest: Partial<EmailView> = {}): EmailView => ({
  contact,
  trigger: {},
  bought: [],
  recommendations: [],
  cart: [],
  run: { campaign: 'welcome', step: 'welcome' },
  brand,
  links: { unsubscribe: 'https://links.example/u/1' },
  locale: 'en',
  direction: 'ltr',
  currency: 'EUR',
  zones: { shop: 'Europe/Berlin', contact: 'America/New_York' },
  ...rest,
});
const email = (source: Partial<CompiledEmail['locales'][string]>): CompiledEmail => ({
  locales: { en: { subject: 'Hello', preheader: 'Hi', html: '<p>Hi</p>', text: 'Hi', ...source } },
});
const render = (source: Partial<CompiledEmail['locales'][string]>, seen: EmailView = view()) =>
  renderEmail(email(source), seen, 'en');
const failure = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof RenderError) return `${error.code} ${error.path}`;
    throw error;
  }
  return 'none';
};

describe('given a script in a first name', () => {
  const seen = view({ firstName: '<script>alert("x")</script>\' onload=\'y' });

  it('is escaped in HTML, in text and in attributes', () => {
    const { html } = render({ html: '<p title="{{ contact.firstName }}">{{ contact.firstName }}</p>' }, seen);
    expect(html).toBe(
      '<p title="&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&#39; onload=&#39;y">&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&#39; onload=&#39;y</p>',
    );
  });

  it('is left as it is in the plain parts, which nobody runs', () => {
    expect(render({ text: '{{ contact.firstName }}', subject: '{{ contact.firstName }}' }, seen)).toMatchObject({
      text: '<script>alert("x")</script>\' onload=\'y',
      subject: '<script>alert("x")</script>\' onload=\'y',
    });
  });

  it('stays escaped through filters', () => {
    expect(render({ html: '{{ contact.firstName | upcase | append: "<b>" }}' }, seen).html).not.toContain('<');
  });

  it('cannot be made raw', () => {
    expect(failure(() => render({ html: '{{ contact.firstName | raw }}' }, seen))).toBe('render.syntax html');
  });

  it('is not read as Liquid', () => {
    expect(render({ html: '{{ contact.firstName }}' }, view({ firstName: '{{ brand.site }}{% if %}' })).html).toBe(
      '{{ brand.site }}{% if %}',
    );
  });
});

describe('a subject', () => {
  it('is one line, whatever a name brings', () => {
    const seen = view({ firstName: 'Ann\r\nBcc: victim@example.com\u2028\u0000\u202e' });
    expect(render({ subject: 'For {{ contact.firstName }}' }, seen).subject).toBe('For Ann Bcc: victim@example.com');
  });

  it('is at most 200 characters and never half of one', () => {
    const { subject } = render({ subject: '{{ contact.firstName }}' }, view({ firstName: '😀'.repeat(300) }));
    expect([...subject]).toHaveLength(200);
    expect(subject.isWellFormed()).toBe(true);
  });

  it('is never empty', () => {
    expect(failure(() => render({ subject: '{% if contact.firstName %}x{% endif %} ' }))).toBe('render.empty subject');
  });
});

describe('the sandbox', () => {
  it.each(["{% render 'package.json' %}", "{% include 'package.json' %}", "{% layout 'package.json' %}"])(
    'reads no files: %s',
    (source) => {
      expect(failure(() => render({ html: source }))).toBe('render.syntax html');
    },
  );

  it.each([
    '{{ contact.constructor.name }}',
    '{{ contact.__proto__ }}',
    '{{ brand.name.length }}{{ contact.toString }}',
  ])('sees own properties only: %s', (source) => {
    expect(failure(() => render({ html: source }))).toBe('render.missing-value html');
  });

  it('refuses a value that is not there, and lets "if" and "default" ask for it', () => {
    expect(failure(() => render({ html: '{{ contact.firstName }}' }))).toBe('render.missing-value html');
    expect(
      render({ html: '{% if contact.firstName %}x{% endif %}{{ contact.firstName | default: "you" }}' }).html,
    ).toBe('you');
  });

  it('refuses unknown filters', () => {
    expect(failure(() => render({ html: '{{ brand.name | shout }}' }))).toBe('render.syntax html');
  });

  it('bounds what a template can make', () => {
    expect(failure(() => render({ html: '{% for i in (1..100000000) %}x{% endfor %}' }))).toBe('render.failed html');
    expect(failure(() => render({ html: '{% for i in (1..60000) %}xx{% endfor %}' }))).toBe('render.too-long html');
  });
});

describe('the filter money', () => {
  it('writes an amount as the locale does', () => {
    const seen = view({}, { trigger: { total: '1149.5' }, locale: 'de' });
    expect(
      render({ text: '{{ trigger.total | money }} {{ 1200 | money: "JPY" }}' }, seen).text.replaceAll('\u00a0', ' '),
    ).toBe('1.149,50 € 1.200 ¥');
  });

  it('makes a fault of what is no amount', () => {
    expect(
      failure(() => render({ text: '{{ trigger.total | money }}' }, view({}, { trigger: { total: '12,50' } }))),
    ).toBe('render.failed text');
  });
});

describe('the filter number', () => {
  it('writes a number as the locale does', () => {
    const seen = view({}, { trigger: { weight: 1234.5, days: '30', share: 0.123456 }, locale: 'pl' });
    const { text } = render(
      { text: '{{ trigger.weight | number }} {{ trigger.days | number }} {{ trigger.share | number: 1 }}' },
      seen,
    );
    expect(text.replaceAll('\u00a0', ' ')).toBe('1234,5 30 0,1');
    expect(render({ text: '{{ 1234567.891 | number }}' }, view({}, { locale: 'de' })).text).toBe('1.234.567,891');
  });

  it.each(['{{ "many" | number }}', '{{ 3 | number: 99 }}', '{{ contact | number }}'])('refuses %s', (source) => {
    expect(failure(() => render({ text: source }))).toBe('render.failed text');
  });
});

describe('the filter day', () => {
  const said = (value: Json, locale: string, filter = 'day') =>
    render({ text: `{{ trigger.at | ${filter} }}` }, view({}, { trigger: { at: value }, locale })).text;

  it.each<[string, Json, string, string]>([
    ['a date, in English', '2026-11-27', 'en', 'November 27, 2026'],
    ['a date, in German', '2026-11-27', 'de', '27. November 2026'],
    ['a date, in Polish', '2026-11-27', 'pl', '27 listopada 2026'],
    ['a birthday without its year', '--02-29', 'de', '29. Februar'],
    ['an instant, the day of the shop', '2026-11-27T23:30:00Z', 'de', '28. November 2026'],
    ['an instant with an offset', '2026-11-27T23:30:00.000+02:00', 'de', '27. November 2026'],
    ['an instant in milliseconds', Date.UTC(2026, 10, 27, 23, 30), 'de', '28. November 2026'],
  ])('writes %s', (_, value, locale, expected) => {
    expect(said(value, locale)).toBe(expected);
  });

  it('writes in Arabic what reads from right to left', () => {
    expect(said('2026-11-27', 'ar')).toMatch(/نوفمبر/);
  });

  it('writes the day of the reader where it is asked to', () => {
    expect(said('2026-11-28T02:00:00Z', 'de', 'day: "contact"')).toBe('27. November 2026');
  });

  it.each<Json>(['2026-02-30', 'tomorrow', '27.11.2026', '2026-11-27T23:30', 9e15, true])('refuses %j', (value) => {
    expect(failure(() => said(value, 'en'))).toBe('render.failed text');
  });

  it('is the only one for dates: the clock of the machine is not read', () => {
    expect(failure(() => render({ text: "{{ 'now' | date: '%Y' }}" }))).toBe('render.syntax text');
  });
});

describe('the locale', () => {
  it.each([
    ['pl', 'pl'],
    ['de-AT', 'de'],
    ['de_AT', 'de'],
    ['PT', 'pt-BR'],
    ['fr', 'en'],
    [undefined, 'en'],
  ])('for %s is %s', (wanted, expected) => {
    expect(pickLocale(['en', 'de', 'pl', 'pt-BR'], wanted)).toBe(expected);
  });
});

describe('a page', () => {
  it('is escaped', () => {
    const page = { brand, locale: 'en', direction: 'ltr' as const, action: '/u/"><script>' };
    expect(renderPage('<form action="{{ action }}">', page)).toBe('<form action="/u/&#34;&gt;&lt;script&gt;">');
  });
});
