// Turns the HTML of an e-mail for languages that are read from right to left: layouts are written for the other way.

const SIDES: Record<string, string> = { left: 'right', right: 'left' };
const other = (side: string): string => SIDES[side] ?? side;

/** "1px 2px 3px 4px": the second and the fourth change places. */
function mirroredEdges(value: string): string {
  const [top, right, bottom, left, ...rest] = value.trim().split(/\s+/);
  return left === undefined || rest.length > 0 ? value : `${top} ${left} ${bottom} ${right}`;
}

/** Declarations of CSS, in a style attribute or a style sheet. */
function mirroredCss(css: string): string {
  return css
    .replace(/\bdirection:\s*ltr\b/g, 'direction:rtl')
    .replace(/\b(text-align|float):\s*(left|right)\b/g, (_, name: string, side: string) => `${name}:${other(side)}`)
    .replace(
      /\b(padding|margin|border)-(left|right)(?=[-:\s])/g,
      (_, name: string, side: string) => `${name}-${other(side)}`,
    )
    .replace(/\b(padding|margin):([^;"}]+)/g, (_, name: string, value: string) => {
      const important = value.includes('!important') ? ' !important' : '';
      return `${name}:${mirroredEdges(value.replace('!important', ''))}${important}`;
    });
}

/**
 * The same e-mail, read from right to left: text begins at the right, columns and indents change sides. What stands in a
 * `dir` of its own, a code for example, keeps it. Expects HTML as MJML writes it, with Liquid tags put aside.
 */
export function mirrored(html: string): string {
  return html
    .replace(/(<style\b[^>]*>)([\s\S]*?)(<\/style>)/g, (_, open: string, css: string, close: string) => {
      return `${open}${mirroredCss(css)}${close}`;
    })
    .replace(/\bstyle="([^"]*)"/g, (_, css: string) => `style="${mirroredCss(css)}"`)
    .replace(/\balign="(left|right)"/g, (_, side: string) => `align="${other(side)}"`);
}
