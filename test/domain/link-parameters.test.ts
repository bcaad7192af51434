// Campaign parameters on links: which get them, which are left alone, and what stays as it was written.
import { describe, expect, it } from 'vitest';
import {
  type LinkParameters,
  parametersOf,
  withParameters,
  withParametersInHtml,
  withParametersInText,
} from '../../domain/link-parameters.ts';

const parameters: LinkParameters = {
  values: { utm_source: 'kairos', utm_campaign: 'cart' },
  hosts: new Set(['shop.example', 'www.shop.example']),
  doors: 'https://shop.example/mail',
};
const SET = 'utm_source=kairos&utm_campaign=cart';

describe('the parameters of a message', () => {
  it('are source, medium, campaign, and the send with its variant', () => {
    expect(parametersOf({}, { campaign: 'welcome', key: 'welcome-1_2', variant: 'subject-b' })).toEqual({
      utm_source: 'kairos',
      utm_medium: 'email',
      utm_campaign: 'welcome',
      utm_content: 'welcome-1_2-subject-b',
    });
    expect(parametersOf({ source: 'letters' }, { campaign: 'welcome', key: 'welcome-1' })).toMatchObject({
      utm_source: 'letters',
      utm_medium: 'email',
      utm_content: 'welcome-1',
    });
  });
});

describe('a link', () => {
  it.each([
    ['to the shop', 'https://shop.example', `https://shop.example?${SET}`],
    ['with a path', 'https://shop.example/p/1', `https://shop.example/p/1?${SET}`],
    ['in capitals', 'HTTPS://SHOP.example/A', `HTTPS://SHOP.example/A?${SET}`],
    ['with a query', 'https://shop.example/?a=1', `https://shop.example/?a=1&${SET}`],
    ['with an empty query', 'https://shop.example/?', `https://shop.example/?${SET}`],
    ['with a query that ends in &', 'https://shop.example/?a=1&', `https://shop.example/?a=1&${SET}`],
    ['with a fragment', 'https://shop.example/a#b', `https://shop.example/a?${SET}#b`],
    ['with a query and a fragment', 'https://shop.example/?a=1#b?c', `https://shop.example/?a=1&${SET}#b?c`],
    [
      'with one of them',
      'https://shop.example/?utm_source=x&a=1',
      'https://shop.example/?utm_source=x&a=1&utm_campaign=cart',
    ],
    [
      'with one of them, empty',
      'https://shop.example/?utm_source',
      'https://shop.example/?utm_source&utm_campaign=cart',
    ],
    [
      'with one in capitals',
      'https://shop.example/?UTM_Source=x',
      'https://shop.example/?UTM_Source=x&utm_campaign=cart',
    ],
    ['with all of them', `https://shop.example/?${SET}#b`, `https://shop.example/?${SET}#b`],
    [
      'whose value only speaks of one',
      'https://shop.example/?a=utm_source',
      `https://shop.example/?a=utm_source&${SET}`,
    ],
    ['to another host', 'https://other.example/', 'https://other.example/'],
    ['to a host below it', 'https://a.shop.example/', 'https://a.shop.example/'],
    ['to a host that only begins like it', 'https://shop.example.evil.tld/', 'https://shop.example.evil.tld/'],
    ['with a user', 'https://shop.example@evil.tld/', 'https://shop.example@evil.tld/'],
    ['with a port', 'https://shop.example:8443/', 'https://shop.example:8443/'],
    ['without encryption', 'http://shop.example/', 'http://shop.example/'],
    ['to a mailbox', 'mailto:help@shop.example', 'mailto:help@shop.example'],
    ['to unsubscribe', 'https://shop.example/mail/u/abc.k1.x', 'https://shop.example/mail/u/abc.k1.x'],
    ['to the choices', 'https://shop.example/mail/p/abc', 'https://shop.example/mail/p/abc'],
    ['to confirm', 'https://shop.example/mail/c/abc', 'https://shop.example/mail/c/abc'],
    ['to the web view', 'https://shop.example/mail/w/abc', 'https://shop.example/mail/w/abc'],
    ['to a picture of ours', 'https://shop.example/mail/i/abc.png', 'https://shop.example/mail/i/abc.png'],
    ['beside our doors', 'https://shop.example/mailbox', `https://shop.example/mailbox?${SET}`],
  ])('%s', (_, link, expected) => {
    expect(withParameters(link, parameters)).toBe(expected);
  });

  it('keeps values that a query could not hold as they are', () => {
    const values = { utm_source: 'news & more', utm_medium: 'e-mail/ü' };
    expect(withParameters('https://shop.example/', { ...parameters, values })).toBe(
      'https://shop.example/?utm_source=news%20%26%20more&utm_medium=e-mail%2F%C3%BC',
    );
  });
});

describe('in HTML', () => {
  const ESCAPED = SET.replace('&', '&amp;');
  it.each([
    [
      'a link',
      '<a href="https://shop.example/?a=1&amp;b=2">',
      `<a href="https://shop.example/?a=1&amp;b=2&amp;${ESCAPED}">`,
    ],
    [
      'a quote in a link',
      '<a href="https://shop.example/?q=&#34;x&#34;#y">',
      `<a href="https://shop.example/?q=&quot;x&quot;&amp;${ESCAPED}#y">`,
    ],
    [
      'other attributes',
      '<a class="b" target="_blank"\n href=\'https://shop.example/\' id="x">',
      `<a class="b" target="_blank"\n href='https://shop.example/?${ESCAPED}' id="x">`,
    ],
    ['an area', '<area href="https://shop.example/">', `<area href="https://shop.example/?${ESCAPED}">`],
    ['a picture', '<img src="https://shop.example/a.png">', '<img src="https://shop.example/a.png">'],
    ['a style sheet', '<link href="https://shop.example/a.css">', '<link href="https://shop.example/a.css">'],
    ['words', '<p>https://shop.example/</p>', '<p>https://shop.example/</p>'],
    [
      'a link elsewhere, as it was written',
      '<a href="https://other.example/?a&b">',
      '<a href="https://other.example/?a&b">',
    ],
    [
      'another attribute of that name',
      '<a data-href="https://shop.example/">',
      '<a data-href="https://shop.example/">',
    ],
  ])('%s', (_, html, expected) => {
    expect(withParametersInHtml(html, parameters)).toBe(expected);
  });

  it('dresses each link, and twice is as good as once', () => {
    const html = '<a href="https://shop.example/1">1</a><a href="https://www.shop.example/2">2</a>';
    const once = withParametersInHtml(html, parameters);
    expect(once.match(/utm_source=kairos/g)).toHaveLength(2);
    expect(withParametersInHtml(once, parameters)).toBe(once);
  });
});

describe('in a text', () => {
  it.each([
    ['in brackets', 'Look <https://shop.example/p/1>', `Look <https://shop.example/p/1?${SET}>`],
    ['at the end of a sentence', 'See https://shop.example/a.', `See https://shop.example/a?${SET}.`],
    ['in parentheses', '(https://shop.example/a)', `(https://shop.example/a?${SET})`],
    ['to unsubscribe', '<https://shop.example/mail/u/abc>', '<https://shop.example/mail/u/abc>'],
    ['with &', 'https://shop.example/?a=1&b=2 now', `https://shop.example/?a=1&b=2&${SET} now`],
    ['nowhere', 'https:// and shop.example', 'https:// and shop.example'],
  ])('an address %s', (_, text, expected) => {
    expect(withParametersInText(text, parameters)).toBe(expected);
  });
});
