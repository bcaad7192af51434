// Reports as one page that stands by itself: drawings as inline SVG, no script, nothing from elsewhere.
import { createHash } from 'node:crypto';
import widthOf from 'fast-string-width';
import { escapeText } from '../local/page.ts';
import { STYLE } from './insight-page-style.ts';
import type { Part, Point, Report } from './insight-report.ts';
import {
  type Columns,
  drawable,
  heightAt,
  type Lines,
  partedTexts,
  plain,
  rangeOf,
  ticksOf,
  unbroken,
  uprightRange,
} from './insight-scale.ts';

/** What the page says of itself: whose figures they are, and when it was made, in words. */
export interface PageOptions {
  shop: string;
  made: string;
}

type Of<Kind extends Part['kind']> = Extract<Part, { kind: Kind }>;

const EMPTY = '<p class="empty">Nothing to show.</p>';
const SERIES = 5;
const SHADES = 11;
/** Rows of the table beside a drawing, and points that can be pointed at: more are thinned evenly. */
const MOST_ROWS = 60;

/**
 * One self-contained HTML page of all reports, the first with a table of contents where there are several. Every text is
 * escaped; the content security policy allows nothing but the page's own style. Light and dark, for a phone, a desk and
 * paper; each drawing has its figures in a table beside it.
 */
export function pageOf(reports: readonly Report[], { shop, made }: PageOptions): string {
  const ids = new Ids();
  const [only] = reports;
  const single = reports.length === 1 && only !== undefined;
  const title = single ? only.title : 'Insight';
  const level = single ? 2 : 3;
  // What all of them were made of is said once, and below only what one says beyond that.
  const shared = single ? '' : (only?.basis ?? '');
  const basisOf = ({ basis }: Report): string => {
    const own = shared !== '' && basis.startsWith(shared) ? basis.slice(shared.length).trim() : basis;
    return own === '' ? '' : `<p class="basis">${text(own)}</p>`;
  };
  const sections = reports.map((report) => {
    const id = ids.named(report.name);
    const parts = report.parts.map((part) => drawPart(part, level, ids)).join('\n');
    const basis = basisOf(report);
    const head = single ? basis : `<h2 id="${id}-title">${text(report.title)}</h2>${basis}`;
    const labelled = single ? '' : ` aria-labelledby="${id}-title"`;
    return { id, report, html: `<section id="${id}"${labelled}>\n${head}\n${parts || EMPTY}\n</section>` };
  });
  const contents = sections.map(({ id, report }) => `<li><a href="#${id}">${text(report.title)}</a></li>`);
  const hash = createHash('sha256').update(STYLE).digest('base64');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer"><title>${text(title)} · ${text(shop)}</title>
<style>${STYLE}</style></head><body>
<header><p class="shop">${text(shop)}</p><h1>${text(title)}</h1>${shared === '' ? '' : `<p class="basis">${text(shared)}</p>`}</header>
${single ? '' : `<nav aria-label="Reports"><ol>${contents.join('')}</ol></nav>`}
<main>
${sections.length === 0 ? EMPTY : sections.map(({ html }) => html).join('\n')}
</main>
<footer><p>Made by Kairos, ${text(made)}.</p></footer>
</body></html>
`;
}

/** Ids that no two elements share. */
class Ids {
  #next = 0;
  readonly #taken = new Set<string>();

  next(): string {
    this.#next += 1;
    return `n${this.#next}`;
  }

  named(name: string): string {
    const slug = name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '');
    let id = `report-${slug}`;
    while (this.#taken.has(id)) id = `${id}-`;
    this.#taken.add(id);
    return id;
  }
}

/** A text that is safe in HTML; a number stays with its unit when lines break. */
const text = (value: string): string =>
  escapeText(plain(value).replace(/(\p{Sc}) (?=[\d.,]*\d)|(\d) (?=%)/gu, '$1$2\u00a0'));

function drawPart(part: Part, level: number, ids: Ids): string {
  switch (part.kind) {
    case 'heading':
      return `<h${level}>${text(part.text)}</h${level}>`;
    case 'text': {
      const lines = part.text.split('\n').filter((line) => line.trim() !== '');
      return lines.map((line) => `<p${part.tone === 'warning' ? ' class="warning"' : ''}>${text(line)}</p>`).join('\n');
    }
    case 'figures':
      return figures(part);
    case 'table':
      return part.columns.length === 0 || part.rows.length === 0
        ? figure(ids, part.title, () => EMPTY)
        : figure(ids, part.title, (id) => scroll(id, table(part)));
    case 'bars':
      return figure(ids, part.title, () => (part.bars.length === 0 ? EMPTY : bars(part)));
    case 'heat':
      return figure(ids, part.title, (id) =>
        part.rows.length === 0 || part.columns.length === 0 ? EMPTY : scroll(id, heat(part)),
      );
    case 'lines':
      return figure(ids, part.title, (id) => lines(part, id));
    case 'columns':
      return figure(ids, part.title, (id) => columns(part, id));
  }
}

function figure(ids: Ids, title: string | undefined, body: (id: string) => string): string {
  const id = ids.next();
  const caption = title === undefined ? '' : `<figcaption id="${id}">${text(title)}</figcaption>`;
  return `<figure>${caption}\n${body(title === undefined ? '' : id)}\n</figure>`;
}

/** What may be wider than the screen scrolls by itself, also with the keyboard. */
function scroll(id: string, html: string): string {
  return `<div class="scroll" role="group" tabindex="0" ${id === '' ? 'aria-label="Table"' : `aria-labelledby="${id}"`}>${html}</div>`;
}

// ---- figures, tables, bars, maps ----

function figures({ figures }: Of<'figures'>): string {
  if (figures.length === 0) return EMPTY;
  const each = figures.map(
    ({ value, caption, note }) =>
      `<div><dt>${text(caption)}</dt><dd>${text(value)}</dd>${note === undefined ? '' : `<dd class="note">${text(note)}</dd>`}</div>`,
  );
  return `<dl class="figures">${each.join('')}</dl>`;
}

function table({ columns, rows }: Pick<Of<'table'>, 'columns' | 'rows'>): string {
  // Sentences are given room enough to be read on a phone, where the table scrolls; names and dates stay on one line.
  const aligned = columns.map(({ align }, at) => {
    const wide = Math.max(...rows.map((row) => widthOf(row[at] ?? '')));
    return align === 'right' ? ' class="num"' : wide > 24 ? ' class="text"' : wide <= 18 ? ' class="name"' : '';
  });
  const head = columns.map(({ title }, at) =>
    title.trim() === '' ? `<td${aligned[at]}></td>` : `<th scope="col"${aligned[at]}>${text(title)}</th>`,
  );
  const body = rows.map((row) => {
    const cells = columns.map((_, at) => {
      const said = text(row[at] ?? '');
      return at === 0 ? `<th scope="row"${aligned[at]}>${said}</th>` : `<td${aligned[at]}>${said}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<table><thead><tr>${head.join('')}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table>`;
}

function bars({ bars }: Of<'bars'>): string {
  const shares = bars.map(({ share }) => (Number.isFinite(share) ? Math.max(-1, Math.min(1, share)) : 0));
  const most = Math.max(0, ...shares);
  const least = Math.max(0, ...shares.map((share) => -share));
  const whole = most + least || 1;
  const zero = (100 * least) / whole;
  const texts = partedTexts(bars.map((bar) => bar.text));
  const rows = bars.map((bar, at) => {
    const share = shares[at]!;
    const long = (100 * Math.abs(share)) / whole;
    const drawn =
      share === 0
        ? ''
        : `<rect class="${share < 0 ? 's1' : 's0'}" x="${n(share < 0 ? zero - long : zero)}%" y="3" width="${n(Math.max(long, 0.3))}%" height="14"/>`;
    const line = least > 0 ? `<line class="zero" x1="${n(zero)}%" x2="${n(zero)}%" y1="0" y2="20"/>` : '';
    const svg = `<svg width="100%" height="20" aria-hidden="true">${drawn}${line}</svg>`;
    const cells = texts[at]!.map((cell) => `<td class="num${widthOf(cell) > 24 ? ' long' : ''}">${text(cell)}</td>`);
    const label = shortened(bar.label);
    return `<tr><th scope="row"${widthOf(label) > 24 ? ' class="long"' : ''}>${text(label)}</th>${cells.join('')}<td class="bar">${svg}</td></tr>`;
  });
  return `<table class="bars"><tbody>\n${rows.join('\n')}\n</tbody></table>`;
}

/** A label that does not push all others away. */
function shortened(label: string): string {
  const clean = plain(label);
  return clean.length <= 90 ? clean : `${clean.slice(0, 89).trimEnd()}…`;
}

function heat({ rowTitle, columnTitle, columns, rows }: Of<'heat'>): string {
  const names = columns.map((column) => `<th scope="col">${text(column)}</th>`);
  const body = rows.map(({ label, cells }) => {
    const drawn = columns.map((column, at) => {
      const { shade, text: said = '' } = cells[at] ?? {};
      if (!drawable(shade)) return `<td>${text(said)}</td>`;
      const level = Math.min(SHADES - 1, Math.floor(Math.min(1, Math.abs(shade)) * SHADES));
      return `<td class="${shade < 0 ? 'm' : 'h'}${level}" title="${text(`${label}, ${column}: ${said}`)}">${text(said)}</td>`;
    });
    return `<tr><th scope="row">${text(label)}</th>${drawn.join('')}</tr>`;
  });
  return `<table class="heat"><thead>
<tr><td></td><th scope="colgroup" colspan="${columns.length}">${text(columnTitle)}</th></tr>
<tr>${rowTitle.trim() === '' ? '<td></td>' : `<th scope="col">${text(rowTitle)}</th>`}${names.join('')}</tr></thead><tbody>
${body.join('\n')}
</tbody></table>`;
}

// ---- drawings over axes ----

/** A drawing has two sizes: text keeps its size on a phone, where the wide one would shrink it. */
const SIZES = [
  { name: 'wide', width: 760, height: 380, size: 13 },
  { name: 'narrow', width: 330, height: 280, size: 12 },
] as const;
type Size = (typeof SIZES)[number];

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** A number as SVG has it: a tenth of a pixel is enough. */
const n = (value: number): string => `${Math.round(value * 10) / 10}`;
/** About how wide a text is: fonts are the reader's own. */
const measure = (said: string, { size }: Size): number => widthOf(said) * size * 0.56;
/** A text that is not wider than this, or cut. */
function cut(said: string, wide: number, size: Size): string {
  const clean = plain(said);
  if (measure(clean, size) <= wide) return clean;
  let short = '';
  for (const { segment } of new Intl.Segmenter('en').segment(clean)) {
    if (measure(`${short}${segment}…`, size) > wide) break;
    short += segment;
  }
  return `${short.trimEnd()}…`;
}

function svg(size: Size, id: string, says: string, body: string): string {
  return `<svg class="${size.name}" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-labelledby="${id}" aria-describedby="${id}-${size.name}"><desc id="${id}-${size.name}">${text(says)}</desc>
${body}
</svg>`;
}

/** The upright axis with its grid, its title above. */
function uprightAxis(
  ticks: { at: number; text: string }[],
  title: string,
  toY: (at: number) => number,
  box: Box,
  size: Size,
): string {
  const each = ticks.map(({ at, text: said }) => {
    const y = n(toY(at));
    return `<line class="${at === 0 ? 'zero' : 'grid'}" x1="${n(box.left)}" x2="${n(box.right)}" y1="${y}" y2="${y}"/><text class="tick" x="${n(box.left - 6)}" y="${y}" dy=".32em" text-anchor="end">${escapeText(said)}</text>`;
  });
  return `<text class="title" x="0" y="${size.size}">${escapeText(cut(title, size.width, size))}</text>\n${each.join('\n')}`;
}

/** Points that can be told apart at this size. */
function thinned(points: Point[]): Point[] {
  const kept: Point[] = [];
  for (const [at, point] of points.entries()) {
    const last = kept.at(-1);
    if (
      last === undefined ||
      at === points.length - 1 ||
      Math.abs(point[0] - last[0]) + Math.abs(point[1] - last[1]) > 0.7
    )
      kept.push(point);
  }
  return kept;
}

const pathOf = (points: Point[]): string => `M${points.map(([x, y]) => `${n(x)},${n(y)}`).join('L')}`;

/** At most so many of them, evenly, with the first and the last. */
function sampled<Value>(values: readonly Value[], most: number): Value[] {
  if (values.length <= most) return [...values];
  return Array.from({ length: most }, (_, at) => values[Math.round((at * (values.length - 1)) / (most - 1))]!);
}

interface Drawn {
  title: string;
  index: number;
  dashed: boolean;
  pieces: Point[][];
  band: [x: number, low: number, high: number][][];
}

function lines(part: Lines, id: string): string {
  const drawn = part.series
    .map(({ title, points, band = [], dashed = false }, index): Drawn => {
      const parted = unbroken(band.map(([x, low, high]) => [x, drawable(low) && drawable(high) ? low : Number.NaN]));
      const highs = new Map(band.map(([x, , high]) => [x, high]));
      return {
        title,
        index,
        dashed: dashed || index >= SERIES,
        pieces: unbroken(points),
        band: parted.map((piece) => piece.map(([x, low]): [number, number, number] => [x, low, highs.get(x)!])),
      };
    })
    .filter(({ pieces }) => pieces.length > 0);
  const across = rangeOf(drawn.flatMap(({ pieces }) => pieces.flatMap((piece) => piece.map(([x]) => x))));
  if (across === undefined) return EMPTY;
  const sized = SIZES.map((size) => plotLines(part, drawn, id, size));
  const unnamed = SIZES.filter((_, at) => !sized[at]!.named).map(({ name }) => name);
  const legend =
    unnamed.length === 0 || drawn.length === 0
      ? ''
      : `<ul class="legend${unnamed.length === 1 ? ` ${unnamed[0]}` : ''}" aria-hidden="true">${drawn.map(({ title, index, dashed }) => `<li>${key(index, dashed)}${text(title)}</li>`).join('')}</ul>`;
  return `${legend}\n${sized.map(({ html }) => html).join('\n')}\n${beside(linesTable(part, drawn), id)}`;
}

const key = (index: number, dashed: boolean): string =>
  `<svg width="24" height="12"><line class="line s${index % SERIES}${dashed ? ' dash' : ''}" x1="0" x2="24" y1="6" y2="6"/></svg>`;

function plotLines(
  { x, y, marks = [] }: Lines,
  drawn: Drawn[],
  id: string,
  size: Size,
): { html: string; named: boolean } {
  const across = rangeOf(drawn.flatMap(({ pieces }) => pieces.flatMap((piece) => piece.map(([at]) => at))))!;
  const upward = rangeOf(
    drawn.flatMap(({ pieces, band }) => [
      ...pieces.flatMap((piece) => piece.map(([, at]) => at)),
      ...band.flatMap((piece) =>
        piece.filter(([at]) => at >= across.low && at <= across.high).flatMap(([, low, high]) => [low, high]),
      ),
    ]),
  )!;
  const range = uprightRange(upward, y, 7);
  const yTicks = ticksOf(range, y, 7);
  const upright = marks.filter(({ x: at }) => drawable(at) && at >= across.low && at <= across.high);
  const line = size.size + 5;
  // Names are bold, and so wider.
  const longest = Math.max(...drawn.map(({ title }) => measure(plain(title), size) * 1.1));
  const box: Box = {
    left: Math.min(size.width / 3, Math.max(...yTicks.map(({ text }) => measure(text, size))) + 8),
    right: size.width - 12,
    top: size.size * 2 + upright.length * line,
    bottom: size.height - size.size * 2 - 16,
  };
  const toY = (at: number): number =>
    box.bottom - ((at - range.low) / (range.high - range.low)) * (box.bottom - box.top);
  // Names stand at the ends of their lines where these are apart, else along the lines, else near their ends, else above.
  const ends = drawn.map(({ pieces }) => toY(pieces.at(-1)!.at(-1)![1]));
  const places = apart(ends, line);
  const moved = Math.max(...places.map((place, at) => Math.abs(place - ends[at]!)));
  const reach = drawn.every(
    ({ pieces }) => pieces.at(-1)!.at(-1)![0] >= across.high - (across.high - across.low) * 0.02,
  );
  const beside = drawn.length > 1 && size.name === 'wide' && longest <= 150 && reach;
  const xOf =
    (right: number) =>
    (at: number): number =>
      across.low === across.high
        ? (box.left + right) / 2
        : box.left + ((at - across.low) / (across.high - across.low)) * (right - box.left);
  const scaledTo = (right: number) =>
    drawn.map((each) => ({
      ...each,
      pieces: each.pieces.map((piece) => thinned(piece.map(([px, py]) => [xOf(right)(px), toY(py)]))),
    }));
  const whole = scaledTo(box.right);
  const avoid = upright.map(({ x: at }) => xOf(box.right)(at));
  const inPlot = drawn.length < 2 || (beside && moved < 1) ? undefined : namesInside(whole, box, avoid, size);
  const atEnds = beside && inPlot === undefined && moved <= size.size * 0.7;
  if (atEnds) box.right -= longest + 4;
  const toX = xOf(box.right);
  const scaled = atEnds ? scaledTo(box.right) : whole;
  const bands = drawn.flatMap(({ band, index }) =>
    band.map((piece) => {
      const inside = piece.filter(([at]) => at >= across.low && at <= across.high);
      if (inside.length < 2) return '';
      const there = thinned(inside.map(([at, , high]) => [toX(at), toY(high)]));
      const back = thinned(inside.map(([at, low]): Point => [toX(at), toY(low)]).reverse());
      return `<path class="band s${index % SERIES}" d="${pathOf([...there, ...back])}Z"/>`;
    }),
  );
  const paths = scaled.map(({ pieces, index, dashed }) =>
    pieces
      .map((piece) =>
        piece.length === 1
          ? `<circle class="dot s${index % SERIES}" cx="${n(piece[0]![0])}" cy="${n(piece[0]![1])}" r="4"/>`
          : `<path class="line s${index % SERIES}${dashed ? ' dash' : ''}" d="${pathOf(piece)}"/>`,
      )
      .join(''),
  );
  const hits = drawn.map(({ title, pieces, index }) =>
    sampled(pieces.flat(), MOST_ROWS)
      .map(
        ([at, value], _, { length }) =>
          `<circle class="${length <= 12 ? `dot s${index % SERIES}` : 'hit'}" cx="${n(toX(at))}" cy="${n(toY(value))}" r="${length <= 12 ? 3.5 : 7}"><title>${text(`${title}, ${x.say(at)}: ${y.say(value)}`)}</title></circle>`,
      )
      .join(''),
  );
  const markers = upright.map(({ x: at, title }, row) => {
    const px = toX(at);
    const room = Math.max(px - box.left, size.width - px) - 6;
    const anchor = size.width - px >= px - box.left ? 'start' : 'end';
    const top = box.top - 6 - (upright.length - 1 - row) * line;
    return `<line class="mark" x1="${n(px)}" x2="${n(px)}" y1="${n(top - size.size + 2)}" y2="${n(box.bottom)}"/><text class="tick" x="${n(px + (anchor === 'start' ? 5 : -5))}" y="${n(top)}" text-anchor="${anchor}">${escapeText(cut(title, room, size))}</text>`;
  });
  const names = atEnds
    ? scaled.map(({ title, index }, at) => nameAt(title, box.right + 6, places[at]!, index, 'start'))
    : (inPlot ?? []).map(({ title, index, x: px, y: py }) => nameAt(title, px, py, index, 'middle'));
  const says = drawn.map(({ title, pieces }) => {
    const first = pieces[0]![0]!;
    const last = pieces.at(-1)!.at(-1)!;
    return `${title}: ${y.say(first[1])} at ${x.say(first[0])}, ${y.say(last[1])} at ${x.say(last[0])}.`;
  });
  const html = svg(
    size,
    id,
    `${y.title} by ${x.title}. ${says.join(' ')}`,
    [
      uprightAxis(yTicks, y.title, toY, box, size),
      lyingAxis(ticksAcross(across, x, box, toX, size), x.title, box, size),
      ...bands,
      ...markers,
      ...[...paths].reverse(),
      ...names,
      ...hits,
    ].join('\n'),
  );
  return {
    html,
    named: atEnds || inPlot !== undefined || drawn.length === 1,
  };
}

/** The places nearest to those wanted that are at least so far from each other, in the same order. */
function apart(wanted: readonly number[], gap: number): number[] {
  const order = wanted.map((_, at) => at).sort((a, b) => wanted[a]! - wanted[b]!);
  // Neighbours that are too near are put side by side around their middle, and so with theirs.
  const groups: { at: number[]; middle: number }[] = [];
  for (const at of order) {
    let group = { at: [at], middle: wanted[at]! };
    for (let last = groups.at(-1); last !== undefined; last = groups.at(-1)) {
      const room = ((last.at.length + group.at.length) / 2) * gap;
      if (group.middle - last.middle >= room) break;
      groups.pop();
      const all = [...last.at, ...group.at];
      group = { at: all, middle: all.reduce((sum, each) => sum + wanted[each]!, 0) / all.length };
    }
    groups.push(group);
  }
  const places = [...wanted];
  for (const { at, middle } of groups)
    for (const [nth, each] of at.entries()) places[each] = middle + (nth - (at.length - 1) / 2) * gap;
  return places;
}

/** Ticks of the lying axis, as many as have room side by side. */
function ticksAcross(
  across: { low: number; high: number },
  x: Lines['x'],
  box: Box,
  toX: (at: number) => number,
  size: Size,
): { x: number; text: string }[] {
  for (let most = size.name === 'wide' ? 10 : 6; most >= 2; most--) {
    const ticks = ticksOf(across, x, most).map(({ at, text }) => ({ x: toX(at), text }));
    const widths = ticks.map(({ text }) => measure(text, size));
    if (ticks.every(({ x: px }, at) => at === 0 || px - ticks[at - 1]!.x >= (widths[at]! + widths[at - 1]!) / 2 + 10))
      return ticks;
  }
  return [{ x: toX(across.low), text: cut(x.say(across.low), box.right - box.left, size) }];
}

function lyingAxis(ticks: { x: number; text: string }[], title: string, box: Box, size: Size): string {
  const each = ticks.map(({ x, text: said }) => {
    const half = measure(said, size) / 2;
    const at = Math.max(half, Math.min(size.width - half, x));
    return `<line class="tickline" x1="${n(x)}" x2="${n(x)}" y1="${n(box.bottom)}" y2="${n(box.bottom + 4)}"/><text class="tick" x="${n(at)}" y="${n(box.bottom + 6 + size.size)}" text-anchor="middle">${escapeText(said)}</text>`;
  });
  return `<line class="tickline" x1="${n(box.left)}" x2="${n(box.right)}" y1="${n(box.bottom)}" y2="${n(box.bottom)}"/>${each.join('')}<text class="title" x="${n((box.left + box.right) / 2)}" y="${n(size.height - 4)}" text-anchor="middle">${escapeText(cut(title, box.right - box.left, size))}</text>`;
}

const nameAt = (title: string, x: number, y: number, index: number, anchor: 'start' | 'middle'): string =>
  `<text class="name s${index % SERIES}" x="${n(x)}" y="${n(y)}" dy=".32em" text-anchor="${anchor}">${text(title)}</text>`;

/** A place for the name of each line, beside it and clear of all others; undefined where one of them has none. */
function namesInside(
  drawn: { title: string; index: number; pieces: Point[][] }[],
  box: Box,
  avoid: number[],
  size: Size,
): { title: string; index: number; x: number; y: number }[] | undefined {
  const tall = size.size + 4;
  const heights = (pieces: Point[][], from: number, to: number): number[] =>
    Array.from({ length: 13 }, (_, at) => from + ((to - from) * at) / 12).flatMap((x) => {
      const found = pieces.map((piece) => heightAt(piece, x)).find((each) => each !== undefined);
      return found === undefined ? [] : [found];
    });
  const placed: (Box & { title: string; index: number })[] = [];
  for (const { title, index, pieces } of drawn) {
    const half = measure(plain(title), size) / 2 + 4;
    let best: { cost: number; box: Box } | undefined;
    for (let x = box.left + half; x <= box.right - half; x += 6) {
      if (avoid.some((at) => Math.abs(at - x) < half + 2)) continue;
      const own = heights(pieces, x - half, x + half);
      if (own.length < 13) continue;
      for (const above of [true, false]) {
        const top = above ? Math.min(...own) - tall - 1 : Math.max(...own) + 1;
        const here: Box = { left: x - half, right: x + half, top, bottom: top + tall };
        if (here.top < box.top || here.bottom > box.bottom) continue;
        if (
          placed.some(
            (other) =>
              other.left < here.right && here.left < other.right && other.top < here.bottom && here.top < other.bottom,
          )
        )
          continue;
        const middle = top + tall / 2;
        const far = Math.abs(middle - own[6]!);
        const others = drawn
          .filter((other) => other.index !== index)
          .flatMap((other) => heights(other.pieces, here.left, here.right));
        const near = Math.min(60, ...others.map((y) => Math.abs(y - middle)));
        if (near < tall / 2 + 4 || near < far + 6) continue;
        const cost = far - near / 2;
        if (best === undefined || cost < best.cost) best = { cost, box: here };
      }
    }
    if (best === undefined) return undefined;
    placed.push({ ...best.box, title, index });
  }
  return placed.map(({ title, index, left, right, top, bottom }) => ({
    title,
    index,
    x: (left + right) / 2,
    y: (top + bottom) / 2,
  }));
}

/** The figures of a drawing, for who would rather read them. */
function beside(html: string, id: string): string {
  return `<details><summary>The figures</summary>${scroll(id, html)}</details>`;
}

function linesTable({ x, y, series }: Lines, drawn: Drawn[]): string {
  const all = [...new Set(drawn.flatMap(({ pieces }) => pieces.flat().map(([at]) => at)))].sort((a, b) => a - b);
  const values = drawn.map(({ pieces }) => new Map(pieces.flat()));
  const bands = drawn.map(
    ({ band }) => new Map(band.flat().map(([at, low, high]) => [at, `${y.say(low)} to ${y.say(high)}`])),
  );
  return table({
    columns: [
      { title: x.title },
      ...drawn.flatMap(({ title, index }) => [
        { title, align: 'right' as const },
        ...(series[index]!.band === undefined ? [] : [{ title: `${title}, interval`, align: 'right' as const }]),
      ]),
    ],
    rows: sampled(all, MOST_ROWS).map((at) => [
      x.say(at),
      ...drawn.flatMap(({ index }, of) => {
        const value = values[of]!.get(at);
        const said = value === undefined ? '' : y.say(value);
        return series[index]!.band === undefined ? [said] : [said, bands[of]!.get(at) ?? ''];
      }),
    ]),
  });
}

function columns(part: Columns, id: string): string {
  const { columns, series, y, xTitle } = part;
  const range = rangeOf(
    series.flatMap(({ values, intervals = [] }) => [...values, ...intervals.flatMap((each) => each ?? [])]),
  );
  if (range === undefined || columns.length === 0) return EMPTY;
  const legend =
    series.length < 2
      ? ''
      : `<ul class="legend" aria-hidden="true">${series
          .map(({ title, as }, index) => {
            const sign =
              as === 'points'
                ? `<line class="whisker s${index % SERIES}" x1="8" x2="8" y1="0" y2="14"/><circle class="dot s${index % SERIES}" cx="8" cy="7" r="4"/>`
                : `<rect class="s${index % SERIES}${series.some((each) => each.as === 'points') ? ' pale' : ''}" x="2" y="1" width="12" height="12"/>`;
            return `<li><svg width="16" height="14">${sign}</svg>${text(title)}</li>`;
          })
          .join('')}</ul>`;
  const figures = table({
    columns: [
      { title: xTitle },
      ...series.flatMap(({ title, intervals }) => [
        { title, align: 'right' as const },
        ...(intervals === undefined ? [] : [{ title: `${title}, interval`, align: 'right' as const }]),
      ]),
    ],
    rows: columns.map((column, at) => [
      column,
      ...series.flatMap(({ values, intervals }) => {
        const value = values[at];
        const said = drawable(value) ? y.say(value) : '';
        return intervals === undefined ? [said] : [said, sayInterval(intervals[at], y)];
      }),
    ]),
  });
  return `${legend}\n${SIZES.map((size) => plotColumns(part, id, size)).join('\n')}\n${beside(figures, id)}`;
}

function sayInterval(interval: [low: number, high: number] | undefined, y: Columns['y']): string {
  if (interval === undefined || !interval.every(drawable)) return '';
  return `${y.say(Math.min(...interval))} to ${y.say(Math.max(...interval))}`;
}

function plotColumns({ columns, series, y, xTitle }: Columns, id: string, size: Size): string {
  const found = rangeOf(
    series.flatMap(({ values, intervals = [] }) => [...values, ...intervals.flatMap((each) => each ?? [])]),
  )!;
  const range = uprightRange(found, y, 7);
  const yTicks = ticksOf(range, y, 7);
  const box: Box = {
    left: Math.min(size.width / 3, Math.max(...yTicks.map(({ text }) => measure(text, size))) + 8),
    right: size.width - 4,
    top: size.size * 2 + 4,
    bottom: size.height - size.size * 2 - 16,
  };
  const toY = (at: number): number =>
    box.bottom - ((at - range.low) / (range.high - range.low)) * (box.bottom - box.top);
  const slot = (box.right - box.left) / columns.length;
  const upright = series.filter(({ as }) => as !== 'points').length;
  const gap = Math.min(slot * 0.3, 24);
  const wide = Math.min(64, (slot - gap) / Math.max(1, upright));
  const centre = (at: number): number => box.left + (at + 0.5) * slot;
  const zero = toY(Math.max(range.low, 0));
  let next = 0;
  const shapes = series.map(({ title, values, as, intervals = [] }, index) => {
    const order = as === 'points' ? 0 : next++;
    const offset = as === 'points' ? 0 : (order + 0.5 - upright / 2) * wide;
    return columns
      .map((column, at) => {
        const value = values[at];
        if (!drawable(value)) return '';
        const x = centre(at) + offset;
        const interval = sayInterval(intervals[at], y);
        const says = `<title>${text(`${column}, ${title}: ${y.say(value)}${interval === '' ? '' : ` (${interval})`}`)}</title>`;
        const colour = `s${index % SERIES}`;
        if (as !== 'points') {
          const [top, bottom] = [Math.min(zero, toY(value)), Math.max(zero, toY(value))];
          return `<rect class="${colour}${upright < series.length ? ' pale' : ''}" x="${n(x - wide / 2 + 0.5)}" y="${n(top)}" width="${n(Math.max(1, wide - 1))}" height="${n(Math.max(0.5, bottom - top))}">${says}</rect>`;
        }
        const whisker =
          interval === ''
            ? ''
            : `<path class="whisker ${colour}" d="M${n(x - 4)},${n(toY(intervals[at]![0]))}h8m-4,0V${n(toY(intervals[at]![1]))}m-4,0h8"/>`;
        return `<g>${says}${whisker}<circle class="dot ${colour} ringed" cx="${n(x)}" cy="${n(toY(value))}" r="4.5"/></g>`;
      })
      .join('');
  });
  const longest = Math.max(...columns.map((column) => measure(plain(column), size)));
  const short = longest + 6 <= slot ? slot : slot >= 44 ? slot - 6 : Math.min(longest, 90);
  const every = Math.max(1, Math.ceil((Math.min(longest, short) + 6) / slot));
  const ticks = columns
    .map((column, at) => ({ x: centre(at), text: cut(column, short, size) }))
    .filter((_, at) => at % every === 0);
  const says = series.map(({ title, values }) => {
    const range = rangeOf(values);
    return range === undefined ? '' : `${title}: from ${y.say(range.low)} to ${y.say(range.high)}.`;
  });
  return svg(
    size,
    id,
    `${y.title} by ${xTitle}. ${says.join(' ')}`,
    [uprightAxis(yTicks, y.title, toY, box, size), lyingAxis(ticks, xTitle, box, size), ...shapes].join('\n'),
  );
}
