// E-mails in languages that are read from right to left: what the layout put at one side stands at the other.
import { describe, expect, it } from 'vitest';
import { type Around, compileEmail } from '../../cli/compile-email.ts';
import { mirrored, mirroredArrows } from '../../cli/mirror.ts';

describe('an e-mail that is read from right to left', () => {
  it.each([
    ['the direction', '<td style="direction:ltr;">', '<td style="direction:rtl;">'],
    ['where text begins', '<div style="text-align:left;">', '<div style="text-align:right;">'],
    ['attributes', '<table align="left"><td align="right">', '<table align="right"><td align="left">'],
    ['four edges', '<td style="padding:1px 2px 3px 4px;">', '<td style="padding:1px 4px 3px 2px;">'],
    ['one edge', '<td style="padding-left:8px;border-right:0">', '<td style="padding-right:8px;border-left:0">'],
    ['four corners', '<td style="border-radius:1px 2px 3px 4px">', '<td style="border-radius:2px 1px 4px 3px">'],
    ['one corner', '<td style="border-top-left-radius:9px">', '<td style="border-top-right-radius:9px">'],
    ['spaces between letters', '<h1 style="letter-spacing:-0.02em;margin:0">', '<h1 style="margin:0">'],
    [
      'a style sheet',
      '<style type="text/css">.a { margin:0 1px 0 2px !important; float:left; letter-spacing: 0.1em; }</style>',
      '<style type="text/css">.a { margin:0 2px 0 1px !important; float:right;  }</style>',
    ],
    [
      'the columns of Outlook',
      '<!--[if mso | IE]><table role="presentation"><tr><td align="left"><![endif]-->',
      '<!--[if mso | IE]><table dir="rtl" role="presentation"><tr><td align="right"><![endif]-->',
    ],
  ])('has %s turned', (_, html, turned) => {
    expect(mirrored(html)).toBe(turned);
  });

  it.each([
    '<p style="padding:8px 40px;text-align:center">left: 1px 2px 3px 4px, align="left" <span dir="ltr">A-1</span></p>',
    '<td align="center" style="padding:0;margin:0 auto">text-align:left</td>',
    '<a href="https://shop.example/left?align=left">left</a>',
  ])('keeps what has no side: %s', (html) => {
    expect(mirrored(html)).toBe(html);
  });

  it('points on with the arrows of its layout', () => {
    expect(mirroredArrows('Look &rarr; → &larr; ← &amp;rarr;')).toBe('Look &larr; ← &rarr; → &amp;rarr;');
  });

  it('is made so for its locale alone, with values and words untouched', async () => {
    const layout = `<mjml dir="{{ direction }}"><mj-body><mj-section><mj-column>
      <mj-text padding="0 1px 0 2px">&rarr; {{ text.body }} {{ contact.firstName | default: "align=left" }}</mj-text>
    </mj-column></mj-section></mj-body></mjml>`;
    const words = { subject: 's', preheader: 'p', body: 'b →' };
    const around: Around = {
      shared: {},
      parts: new Map(),
      images: new Map(),
      brand: { colours: {} } as Around['brand'],
    };
    const { email, faults } = await compileEmail(
      'x',
      { layout, texts: { en: words, ar: words }, variants: {} },
      around,
    );
    expect(faults).toEqual([]);
    const [en, ar] = [email.locales.en?.html ?? '', email.locales.ar?.html ?? ''];
    expect(en).toMatch(/padding:0 1px 0 2px[^"]*"/);
    expect(en).not.toMatch(/direction:rtl|text-align:right/);
    expect(ar).toMatch(/padding:0 2px 0 1px[^"]*"/);
    expect(ar).not.toMatch(/direction:\s*ltr|text-align:left/);
    expect(ar).toContain('&larr; b → {{ contact.firstName | default: "align=left" }}');
  });
});
