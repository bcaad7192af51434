// The page of reports: it stands by itself, nothing in it runs, every text is a text; in a browser nobody is left out.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pageOf } from '../../cli/insight-page.ts';
import type { Part } from '../../cli/insight-report.ts';
import { anyReport, ODD, USUAL } from './insight-reports.ts';

const ABOUT = { shop: 'Aurora <b>', made: '1 December 2026' };
const BOTH = pageOf([USUAL, ODD], ABOUT);

const KNOWN = new Set(
  `html head meta title style body header nav main section footer h1 h2 h3 p ul ol li a figure figcaption div dl dt dd
  table thead tbody tr th td details summary svg g desc text rect line circle path`.split(/\s+/),
);
const NUMBERS = /^(x|y|x1|x2|y1|y2|cx|cy|r|width|height)$/;

/** What is wrong with a page: tags, attributes and addresses that should not be, tags that are not closed. */
function faults(html: string): string[] {
  const found: string[] = [];
  const open: string[] = [];
  const ids = new Set<string>();
  const body = html.replace(/^<!doctype html>\n/, '').replace(/(<style>)[^<]*(<\/style>)/, '$1$2');
  for (const [tag, closes, name, rest, closed] of body.matchAll(/<(\/?)([a-z0-9]*)([^<]*?)(\/?)>/g)) {
    if (!KNOWN.has(name!)) found.push(`unknown ${tag}`);
    if (closes === '/') {
      const last = open.pop();
      if (last !== name) found.push(`${tag} closes ${last}`);
    } else if (closed === '' && name !== 'meta') open.push(name!);
    for (const [, attribute, value] of rest!.matchAll(/([a-z0-9-]+)="([^"]*)"/gi)) {
      if (/^(on|src|style$|action|srcset|data-)/.test(attribute!)) found.push(`${attribute} in ${tag}`);
      if (attribute === 'href' && !value!.startsWith('#')) found.push(`address ${value}`);
      if (attribute === 'id' && ids.size === ids.add(value!).size) found.push(`id ${value} twice`);
      if (NUMBERS.test(attribute!) && !/^-?\d+(\.\d+)?%?$/.test(value!)) found.push(`${attribute}="${value}"`);
      if (attribute === 'd' && !/^(M|L|V|Z|h|v|m|,|-?\d+(\.\d+)?)+$/.test(value!)) found.push(`d="${value}"`);
    }
    if (rest!.replace(/\s+[a-z0-9-]+="[^"]*"/gi, '').trim() !== '') found.push(`loose words in ${tag}`);
  }
  if (open.length > 0) found.push(`open: ${open.join(' ')}`);
  if (body.replace(/<(\/?)([a-z0-9]*)([^<]*?)\/?>/g, '').includes('<')) found.push('a lone <');
  if (/https?:|url\(|@import|NaN|Infinity|undefined/.test(html)) found.push('an address, or a number that is none');
  return found;
}

const drawn = (...parts: Part[]): string =>
  pageOf([{ name: 'n', title: 'T', basis: '', json: {}, parts }], ABOUT).replace(/[\s\S]*<main>/, '');
const attributes = (html: string, tag: string, name: string): number[] =>
  [...html.matchAll(new RegExp(`<${tag} [^>]*?\\b${name}="([^"]*)"`, 'g'))].map(([, value]) =>
    Number.parseFloat(value!),
  );

describe('the page', () => {
  it('has nothing from elsewhere, nothing that runs, and every tag closed', () => {
    expect(faults(BOTH)).toEqual([]);
    expect(BOTH).toContain(`content="default-src 'none'; style-src 'sha256-`);
    expect(BOTH.match(/&#60;script&#62;alert\(\d\)/g)?.length).toBeGreaterThan(4);
  });

  it('holds whatever it is made of', () => {
    fc.assert(
      fc.property(fc.array(anyReport, { maxLength: 2 }), (reports) => {
        expect(faults(pageOf(reports, ABOUT))).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('finds faults where there are some', () => {
    const bad = [
      '<script>1</script>',
      '<a href="https://x">y</a>',
      '<p onclick="1">',
      '<rect x="NaN"/>',
      'a < b',
      '</p>',
    ];
    for (const each of bad) expect([each, faults(`<p>${each}</p>`).length > 0]).toEqual([each, true]);
  });

  it('has a table of contents of several reports, and of one none', () => {
    expect(BOTH).toContain('<nav aria-label="Reports"><ol><li><a href="#report-usual">Who comes back</a></li>');
    expect(pageOf([USUAL], ABOUT)).not.toContain('<nav');
    const twice = pageOf([USUAL, USUAL, { ...USUAL, name: '日本' }], ABOUT);
    expect(faults(twice)).toEqual([]);
    expect(twice.match(/<section id="[^"]*"/g)).toEqual([
      '<section id="report-usual"',
      '<section id="report-usual-"',
      '<section id="report-"',
    ]);
  });

  it('says of empty reports and parts that there is nothing', () => {
    expect(pageOf([], ABOUT)).toContain('Nothing to show.');
    expect(drawn()).toContain('Nothing to show.');
    const y = { title: 'y', say: String };
    const parts: Part[] = [
      { kind: 'figures', figures: [] },
      { kind: 'bars', title: 'b', bars: [] },
      { kind: 'lines', title: 'l', x: y, y, series: [{ title: 's', points: [[0, Number.NaN]] }] },
      { kind: 'columns', title: 'c', xTitle: 'x', y, columns: ['a'], series: [{ title: 's', values: [undefined] }] },
    ];
    expect(drawn(...parts).match(/Nothing to show\./g)).toHaveLength(parts.length);
  });
});

describe('drawings', () => {
  it('have bars by share, to the left below nothing', () => {
    const html = drawn({
      kind: 'bars',
      title: 't',
      bars: [
        { label: 'a', share: 1, text: '' },
        { label: 'b', share: -0.25, text: '' },
        { label: 'c', share: 0, text: '' },
      ],
    });
    expect(attributes(html, 'rect', 'x')).toEqual([20, 0]);
    expect(attributes(html, 'rect', 'width')).toEqual([80, 20]);
  });

  it('have columns on a zero line, the dots of a model over them, and intervals', () => {
    const html = drawn({
      kind: 'columns',
      title: 't',
      xTitle: 'x',
      y: { title: 'y', say: String },
      columns: ['a', 'b', 'c'],
      series: [
        { title: 's', values: [10, 5, undefined] },
        { title: 'm', as: 'points', values: [10, 0], intervals: [[0, 10]] },
      ],
    })
      .replace(/[\s\S]*(<svg class="wide")/, '$1')
      .replace(/<svg class="narrow"[\s\S]*/, '');
    const [tall, low] = attributes(html, 'rect', 'height') as [number, number];
    expect(low).toBeCloseTo(tall / 2, 0);
    const [top] = attributes(html, 'rect', 'y') as [number];
    expect(attributes(html, 'circle', 'cy')).toEqual([top, top + tall]);
    expect(attributes(html, 'rect', 'y').map((y, at) => y + [tall, low][at]!)).toEqual([top + tall, top + tall]);
    expect(html).toContain(`,${top + tall}h8m-4,0V${top}m-4,0h8`);
  });

  it('have lines between the ticks of their values, parted where a number is none', () => {
    const html = drawn({
      kind: 'lines',
      title: 't',
      x: { title: 'x', say: (x) => `x${x}` },
      y: { title: 'y', say: (y) => `y${y}` },
      series: [
        {
          title: 's',
          points: [
            [0, 0],
            [1, 50],
            [2, Number.NaN],
            [3, 100],
            [4, 0],
          ],
        },
      ],
    });
    const [first, second] = [...html.matchAll(/<path class="line s0" d="M([^"]*)"/g)].map(([, d]) =>
      d!.split('L').map((point) => point.split(',').map(Number)),
    ) as [number[][], number[][]];
    const tick = (said: string): number => Number(html.match(new RegExp(`y="([\\d.]+)"[^>]*>${said}<`))![1]);
    expect(first.map(([, y]) => y)).toEqual([tick('y0'), (tick('y0') + tick('y100')) / 2]);
    expect(second.map(([, y]) => y)).toEqual([tick('y100'), tick('y0')]);
    expect(html).toContain('<title>s, x3: y100</title>');
    expect(html).toContain('<tr><th scope="row" class="name">x1</th><td class="num">y50</td></tr>');
  });

  it('have one point as a dot, and equal values as a level line', () => {
    const lines = (points: [number, number][]): string =>
      drawn({
        kind: 'lines',
        title: 't',
        x: { title: 'x', say: String },
        y: { title: 'y', say: String },
        series: [{ title: 's', points }],
      });
    expect(lines([[3, 4]])).not.toContain('<path class="line s0"');
    expect(lines([[3, 4]])).toMatch(/<circle class="dot s0" cx="[\d.]+" cy="[\d.]+" r="4"\/>/);
    const [, from, to] = /<path class="line s0" d="M[\d.]+,([\d.]+)L[\d.]+,([\d.]+)"/.exec(
      lines([
        [0, 7],
        [1, 7],
      ]),
    )!;
    expect(from).toBe(to);
  });

  it('have a map with shades by elevenths, in another colour below nothing, and bare cells without', () => {
    const cells = [{ shade: 0, text: '0' }, { shade: 1, text: '1' }, { shade: -0.5, text: '−' }, { text: 'none' }];
    const columns = ['a', 'b', 'c', 'd', 'e'];
    const html = drawn({
      kind: 'heat',
      title: 't',
      rowTitle: 'r',
      columnTitle: 'c',
      columns,
      rows: [{ label: 'l', cells }],
    });
    expect(html).toContain(
      '<td class="h0" title="l, a: 0">0</td><td class="h10" title="l, b: 1">1</td><td class="m5" title="l, c: −">−</td><td>none</td><td></td>',
    );
  });

  it('have names at the ends of lines that end apart, along lines that meet, and above those that lie on each other', () => {
    const names = (...ends: number[]): string[] => {
      const series = ends.map((end, at) => ({
        title: `line ${at}`,
        points: [
          [0, at * 40],
          [1, end],
        ] as [number, number][],
      }));
      const html = drawn({
        kind: 'lines',
        title: 't',
        x: { title: 'x', say: String },
        y: { title: 'y', say: String },
        series,
      });
      const wide = html.slice(html.indexOf('<svg class="wide"'), html.indexOf('<svg class="narrow"'));
      return [...wide.matchAll(/class="name s(\d)"[^>]*text-anchor="(\w+)"/g)].map(
        ([, at, anchor]) => `${at} ${anchor}`,
      );
    };
    expect(names(10, 90)).toEqual(['0 start', '1 start']);
    expect(names(100, 100)).toEqual(['0 middle', '1 middle']);
    expect(names(0, 40)).toEqual(['0 start', '1 start']);
    const same = {
      title: 'same',
      points: [
        [0, 1],
        [1, 2],
      ] as [number, number][],
    };
    const html = drawn({
      kind: 'lines',
      title: 't',
      x: { title: 'x', say: String },
      y: { title: 'y', say: String },
      series: [same, { ...same, title: 'the same' }, { ...same, title: 'once more' }],
    });
    expect(html).toContain('<ul class="legend" aria-hidden="true">');
  });

  it('say once what all reports were made of, and apart what one says beyond that', () => {
    const report = (name: string, basis: string) => ({ name, title: name, basis, json: {}, parts: [] });
    const html = pageOf([report('a', 'Of 7 orders.'), report('b', 'Of 7 orders. The last 90 days count.')], ABOUT);
    expect(html.match(/<p class="basis">[^<]*/g)).toEqual([
      '<p class="basis">Of 7 orders.',
      '<p class="basis">The last 90 days count.',
    ]);
  });
});

// ---- in a browser ----

const CHROMIUM = '/usr/bin/chromium';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
if (!existsSync(CHROMIUM)) console.warn(`SKIPPED: there is no ${CHROMIUM} to look at reports with`);

describe.skipIf(!existsSync(CHROMIUM))('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  }, 60_000);
  afterAll(() => browser?.close());

  it.each([
    ['light', 360],
    ['dark', 1280],
  ] as const)(
    'it is clean for axe in %s at %i, opened and closed, and does not scroll sideways',
    async (colorScheme, width) => {
      const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, bypassCSP: true });
      const page = await context.newPage();
      await page.setContent(BOTH);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      // Points to hover over and further rows of tables are like the first ones, and cost seconds.
      await page.evaluate(`document.querySelector('details').open = true;
        document.querySelectorAll('.hit, tr:nth-child(n + 5)').forEach((each) => each.remove())`);
      await page.addScriptTag({ content: axe });
      const found = await page.evaluate<string[]>(
        `axe.run(document, { rules: { 'target-size': { enabled: true } } })
        .then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ' ' + n.html.slice(0, 160))))`,
      );
      expect(found).toEqual([]);
      await context.close();
    },
  );

  it('its policy lets its own style in and complains of nothing, and no text lies on another', async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('request', (request) => said.push(request.url()));
    page.on('dialog', (dialog) => said.push(dialog.message()));
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 });
      await page.setContent(pageOf([USUAL], ABOUT));
      expect(await page.evaluate('getComputedStyle(document.querySelector(".num")).textAlign')).toBe('right');
      const overlapping = await page.evaluate<string[]>(`[...document.querySelectorAll('svg')].flatMap((svg) => {
        const texts = [...svg.querySelectorAll('text')].map((text) => [text.textContent, text.getBoundingClientRect()]);
        return texts.flatMap(([a, one], at) => texts.slice(at + 1)
          .filter(([, two]) => one.left < two.right && two.left < one.right && one.top + 3 < two.bottom && two.top + 3 < one.bottom)
          .map(([b]) => a + ' on ' + b));
      })`);
      expect(overlapping).toEqual([]);
    }
    expect(said).toEqual([]);
    await page.close();
  });
});
