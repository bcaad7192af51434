// E-mails in languages that are read from right to left: what the layout put at one side stands at the other.
import { describe, expect, it } from 'vitest';
import { compileEmail } from '../../cli/compile-email.ts';
import { mirrored } from '../../cli/mirror-email.ts';

describe('an e-mail that is read from right to left', () => {
  it.each([
    ['the direction', '<td style="direction:ltr;">', '<td style="direction:rtl;">'],
    ['where text begins', '<div style="text-align:left;">', '<div style="text-align:right;">'],
    ['attributes', '<table align="left"><td align="right">', '<table align="right"><td align="left">'],
    ['four edges', '<td style="padding:1px 2px 3px 4px;">', '<td style="padding:1px 4px 3px 2px;">'],
    ['one edge', '<td style="padding-left:8px;border-right:0">', '<td style="padding-right:8px;border-left:0">'],
    [
      'a style sheet',
      '<style type="text/css">.a { margin:0 1px 0 2px !important; float:left; }</style>',
      '<style type="text/css">.a { margin:0 2px 0 1px !important; float:right; }</style>',
    ],
  ])('has %s turned', (_, html, turned) => {
    expect(mirrored(html)).toBe(turned);
  });

  it('keeps what has no side, and what has a direction of its own', () => {
    const html = '<p style="padding:8px 40px;text-align:center">left: 1px 2px 3px 4px <span dir="ltr">A-1</span></p>';
    expect(mirrored(html)).toBe(html);
  });

  it('is made so for its locale alone, with the values of its view untouched', async () => {
    const layout = `<mjml dir="{{ direction }}"><mj-body><mj-section><mj-column>
      <mj-text padding="0 1px 0 2px">{{ text.body }} {{ contact.firstName | default: "align=left" }}</mj-text>
    </mj-column></mj-section></mj-body></mjml>`;
    const words = { subject: 's', preheader: 'p', body: 'b' };
    const brand = { colours: {} } as Parameters<typeof compileEmail>[4];
    const { email, faults } = await compileEmail(
      'x',
      { layout, texts: { en: words, ar: words } },
      {},
      new Map(),
      brand,
    );
    expect(faults).toEqual([]);
    expect(email.locales.en?.html).toMatch(/padding:0 1px 0 2px[^"]*"/);
    expect(email.locales.en?.html).not.toMatch(/direction:rtl|text-align:right/);
    expect(email.locales.ar?.html).toMatch(/padding:0 2px 0 1px[^"]*"/);
    expect(email.locales.ar?.html).not.toMatch(/direction:\s*ltr|text-align:left/);
    expect(email.locales.ar?.html).toContain('{{ contact.firstName | default: "align=left" }}');
  });
});
