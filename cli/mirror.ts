// Compiled HTML for languages that are read from right to left: what stands left stands right.

const SIDES: Readonly<Record<string, string>> = { left: 'right', right: 'left' };
const other = (side: string): string => SIDES[side.toLowerCase()] ?? side;

/**
 * Mirrors what mail programs read: `align`, alignment and sides in styles, the order of columns. Done once at publish,
 * since no mail program does it by itself: what MJML writes names its sides. What shall stay as it is says so with
 * `dir="ltr"`. Spaces between letters go: they tear Arabic letters apart.
 */
export function mirrored(html: string): string {
  return (
    html
      .replace(/(<style\b[^>]*>)([\s\S]*?)(<\/style>)/g, (_, open, css, close) => `${open}${mirroredCss(css)}${close}`)
      .replace(/<(?![!/])[^<>]*>/g, mirroredTag)
      // Outlook's own columns stand in conditional comments: their tables need a direction of their own.
      .replace(/(<!--\[if mso[^>]*>)([\s\S]*?)(<!\[endif\]-->)/g, (_, open: string, inside: string, close: string) => {
        return `${open}${inside.replace(/<table\b(?![^>]*\sdir=)/g, '<table dir="rtl"')}${close}`;
      })
  );
}

/** Arrows that point on: of a layout, which is the same in all languages; not of texts, which are translated. */
export function mirroredArrows(layout: string): string {
  return layout.replace(/&(r|l)arr;|→|←/g, (arrow, side: string | undefined) => {
    if (side !== undefined) return side === 'r' ? '&larr;' : '&rarr;';
    return arrow === '→' ? '←' : '→';
  });
}

function mirroredTag(tag: string): string {
  return tag
    .replace(
      /(\salign=")(left|right)(")/gi,
      (_, open: string, side: string, close: string) => open + other(side) + close,
    )
    .replace(
      /(\sstyle=")([^"]*)(")/g,
      (_, open: string, css: string, close: string) => open + mirroredCss(css) + close,
    );
}

function mirroredCss(css: string): string {
  return css
    .replace(/(^|[\s;{"])letter-spacing\s*:[^;}"]*;?/g, '$1')
    .replace(
      /\b(text-align|float|clear)(\s*:\s*)(left|right)\b/g,
      (_, name, colon, side) => `${name}${colon}${other(side)}`,
    )
    .replace(/\b(padding|margin|border)-(left|right)\b/g, (_, name, side) => `${name}-${other(side)}`)
    .replace(/\bborder-(top|bottom)-(left|right)-radius\b/g, (_, edge, side) => `border-${edge}-${other(side)}-radius`)
    .replace(/\bdirection(\s*:\s*)ltr\b/g, 'direction$1rtl')
    .replace(/\b(padding|margin)(\s*:\s*)([^;}"!]+)/g, (_, name, colon, value: string) => {
      return `${name}${colon}${inOrder(value, [0, 3, 2, 1])}`;
    })
    .replace(/\b(border-radius)(\s*:\s*)([^;}"!]+)/g, (_, name, colon, value: string) => {
      return `${name}${colon}${inOrder(value, [1, 0, 3, 2])}`;
    });
}

/** Four values in another order; fewer name no sides. */
function inOrder(value: string, order: number[]): string {
  const [, before = '', inner = '', after = ''] = /^(\s*)([\s\S]*?)(\s*)$/.exec(value) ?? [];
  const parts = inner.split(/\s+/);
  return parts.length === 4 ? `${before}${order.map((index) => parts[index]).join(' ')}${after}` : value;
}
