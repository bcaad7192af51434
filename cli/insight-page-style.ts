// How the page of reports looks: its one style sheet, with colours that hold for the colour-blind, by day and by night.

/** Blue, vermilion, bluish green, purple, ochre: after Okabe and Ito's palette, darkened or lightened to at least 3:1. */
const SERIES = {
  light: ['#0b62a8', '#c24a00', '#00795a', '#9a3d77', '#8a6100'],
  dark: ['#62b5f0', '#f2904a', '#35c79c', '#e59cc8', '#e0b84a'],
};
/** A map's shades: from the palest over a middle one to the strongest, above nothing and below it. */
const SHADES = {
  light: { h: ['#eaf2fb', '#5b9bd5', '#08306b'], m: ['#fdf0e4', '#e8935a', '#8a2d04'] },
  dark: { h: ['#1b2636', '#2f6fb0', '#bfe0ff'], m: ['#33251b', '#b0602a', '#ffd3b0'] },
} as const;
const LEVELS = 11;

type Colour = [red: number, green: number, blue: number];

const bytes = (hex: string): Colour => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as Colour;
const linear = (byte: number): number => (byte <= 10.31475 ? byte / 3294.6 : ((byte / 255 + 0.055) / 1.055) ** 2.4);

/** Relative luminance, as WCAG 2 has it. */
const luminance = (hex: string): number => {
  const [red, green, blue] = bytes(hex).map(linear) as Colour;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};

/** The colour on the way along three of them, 0 to 1. */
function along([pale, middle, strong]: readonly [string, string, string], share: number): string {
  const [from, to, part] = share < 0.5 ? [pale, middle, share * 2] : [middle, strong, share * 2 - 1];
  const end = bytes(to);
  const mixed = bytes(from).map((byte, at) => Math.round(byte + (end[at]! - byte) * part));
  return `#${mixed.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Black or white, whichever is told apart better: one of them always has more than 4.5:1. */
const inkOn = (hex: string): string => (luminance(hex) > 0.179 ? '#000' : '#fff');

function colours(scheme: 'light' | 'dark'): string {
  const series = SERIES[scheme].map((colour, at) => `.s${at}{--c:${colour}}`).join('');
  const levels = (['h', 'm'] as const).flatMap((side) =>
    Array.from({ length: LEVELS }, (_, at) => {
      const colour = along(SHADES[scheme][side], at / (LEVELS - 1));
      return `.${side}${at}{background:${colour};color:${inkOn(colour)}}`;
    }),
  );
  return `${series}${levels.join('')}`;
}

const LIGHT =
  ':root{--ink:#1d2330;--soft:#566072;--paper:#fff;--raised:#f5f7fa;--grid:#e4e8ee;--axis:#8a93a3;--link:#0b57b0;--warn:#7a4b00;--warnpaper:#fff5e0}';
const DARK =
  ':root{--ink:#e7eaf0;--soft:#a9b2c1;--paper:#14171d;--raised:#1c2129;--grid:#2b313c;--axis:#737d8e;--link:#8ab8ff;--warn:#ffd48a;--warnpaper:#33280f}';

/** The whole style sheet. Nothing in it comes from a report. */
export const STYLE = `
:root{color-scheme:light dark}
${LIGHT}${colours('light')}
@media screen and (prefers-color-scheme:dark){${DARK}${colours('dark')}}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;color:var(--ink);background:var(--paper);max-width:56rem;margin:0 auto;padding:2rem 1rem 3rem;overflow-wrap:anywhere}
h1{font-size:2rem;line-height:1.2;margin:0 0 1rem;text-wrap:balance}
h2{font-size:1.5rem;line-height:1.25;margin:3.5rem 0 .5rem;text-wrap:balance}
h3{font-size:1.15rem;line-height:1.3;margin:2.25rem 0 .25rem}
section>h2:first-child{border-top:1px solid var(--grid);padding-top:1.5rem}
p{margin:.6rem 0;max-width:42rem}
.shop,.basis,.note,footer,.empty{color:var(--soft)}
.shop{margin:0;font-size:.9rem}
.basis{font-size:.95rem}
.warning{color:var(--warn);background:var(--warnpaper);border-left:4px solid var(--warn);padding:.5rem .75rem}
a{color:var(--link)}
nav ol{list-style:none;padding:0;margin:0;display:flex;flex-wrap:wrap;gap:.25rem 1.5rem}
nav a{display:inline-block;padding:.25rem 0}
figure{margin:1.75rem 0}
h2+figure,h3+figure{margin-top:.75rem}
figcaption{font-weight:600;margin-bottom:.5rem;max-width:42rem;text-wrap:pretty}
footer{margin-top:3rem;font-size:.875rem;border-top:1px solid var(--grid);padding-top:.5rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:1rem;margin:1.25rem 0}
.figures div{display:flex;flex-direction:column;background:var(--raised);border-radius:8px;padding:.75rem 1rem}
.figures dt{order:2;font-size:.9rem}
.figures dd{order:1;margin:0;font-size:1.65rem;line-height:1.25;font-weight:650;font-variant-numeric:tabular-nums}
.figures .note{order:3;font-size:.825rem;line-height:1.4;font-weight:400}
.scroll{overflow-x:auto;max-width:100%}
.scroll:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;font-size:.9rem;line-height:1.4;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.35rem 1rem .35rem 0;font-weight:400;overflow-wrap:normal;unicode-bidi:isolate}
thead th,thead td{color:var(--soft);border-bottom:1px solid var(--axis);vertical-align:bottom}
tbody tr+tr>*{border-top:1px solid var(--grid)}
th.num,td.num{text-align:right;white-space:nowrap}
th.num:last-child,td.num:last-child{padding-right:0}
tbody td:not(.num),tbody th:not(.num){max-width:24rem;overflow-wrap:break-word}
td.text,th.text{min-width:9rem}
th.name,td.name{white-space:nowrap}
.bars{width:100%}
.bars th,.bars td{border:0!important;padding:.15rem .75rem .15rem 0;vertical-align:middle}
.bars th{white-space:nowrap}
.bars th.long,.bars td.long{white-space:normal;overflow-wrap:anywhere;min-width:13rem;max-width:16rem}
.bars td.bar{width:100%;min-width:5rem;padding-right:0}
.bars svg{display:block;overflow:visible}
.heat{border-collapse:separate;border-spacing:2px}
.heat th,.heat td{padding:.3rem .45rem;border:0!important;white-space:nowrap}
.heat td{text-align:right;min-width:2.6rem;border-radius:2px}
.heat thead th{text-align:right;font-size:.825rem}
.heat thead th:first-child,.heat th[colspan]{text-align:left}
.heat thead th:first-child{padding-left:0}
.heat tbody tr th{position:sticky;left:0;background:var(--paper);padding-left:0;max-width:9rem;overflow:hidden;text-overflow:ellipsis}
svg text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;fill:var(--ink);font-variant-numeric:tabular-nums}
svg.narrow text{font-size:12px}
svg.wide,svg.narrow{display:block;width:100%;height:auto;overflow:visible}
svg.narrow,ul.narrow{display:none}
svg.narrow{max-width:30rem}
svg .tick,svg .title{fill:var(--soft)}
svg .name{font-weight:600;paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round;fill:var(--c)}
.grid{stroke:var(--grid)}
.zero,.tickline{stroke:var(--axis)}
.mark{stroke:var(--soft);stroke-dasharray:2 3}
.line{fill:none;stroke:var(--c);stroke-width:2.25;stroke-linejoin:round}
.dash{stroke-dasharray:7 4}
.band{fill:var(--c);opacity:.17}
.dot,rect{fill:var(--c)}
.pale{fill-opacity:.4;stroke:var(--c)}
.ringed{stroke:var(--paper);stroke-width:1.5}
.whisker{stroke:var(--c);stroke-width:2;fill:none}
.hit{fill:transparent}
.hit:hover{fill:var(--axis);opacity:.5}
.legend{list-style:none;padding:0;margin:0 0 .5rem;display:flex;flex-wrap:wrap;gap:.1rem 1.25rem;font-size:.875rem}
.legend svg{vertical-align:-.1em;margin-right:.45em}
details{margin-top:.25rem;font-size:.9rem}
summary{color:var(--soft);cursor:pointer;padding:.25rem 0;width:max-content}
details .scroll{max-height:24rem;overflow:auto}
@media (max-width:40rem){
body{padding-top:1.25rem}
h1{font-size:1.6rem}
h2{font-size:1.3rem}
svg.wide,ul.wide{display:none}
svg.narrow{display:block}
ul.narrow{display:flex}
.figures{grid-template-columns:1fr 1fr;gap:.6rem}
.figures div{padding:.6rem .75rem}
.figures dd{font-size:1.35rem}
.bars th,.bars th.long,.bars td.long{white-space:normal;min-width:5rem;max-width:8.5rem}
.bars th,.bars td{padding-right:.5rem}
.bars td.bar{min-width:3rem}
}
@media print{
body{max-width:none;font-size:10.5pt;padding:0;print-color-adjust:exact;-webkit-print-color-adjust:exact}
nav,details{display:none}
figure,.figures div,tr{break-inside:avoid}
h2,h3,h2+figure,h3+figure{margin-top:.75rem}
figcaption{break-after:avoid}
.scroll{overflow:visible}
}
`;
