// The big list of naughty strings, as first names and as product names, through the whole path into the e-mail.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import type { Mail } from '../../local/laptop.ts';
import { aStory, order, type Said } from '../support/laptop.ts';

const file = new URL('../../../shared/data/naughty_strings/blns.json', import.meta.url);
const strings = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]) : [];
if (strings.length === 0)
  console.warn('SKIPPED: the naughty strings are not on this machine (naughty_strings/blns.json)');

/** What the mailbox's own viewer reads mail with. */
const require = createRequire(createRequire(import.meta.url).resolve('aws-ses-v2-local'));
interface Parsed {
  subject?: string;
  html?: string | false;
  text?: string;
  headerLines: readonly { key: string }[];
  from?: { value: { address?: string }[] };
  to?: { value: { address?: string }[] };
}
interface HtmlNode {
  nodeName: string;
  attrs?: { name: string; value: string }[];
  childNodes?: HtmlNode[];
}

/** The mail as a mail program sees it: made a message as SES makes it, and read again. */
async function read({ from, to, subject, html, text, headers }: Mail): Promise<Parsed> {
  const Composer = require('nodemailer/lib/mail-composer') as new (
    mail: object,
  ) => { compile(): { build(): Promise<Buffer> } };
  const { simpleParser } = require('mailparser') as { simpleParser: (raw: Buffer, options: object) => Promise<Parsed> };
  const extra = headers.map(({ name, value }) => ({ key: name, value }));
  const raw = await new Composer({ from, to, subject, html, text, headers: extra }).compile().build();
  return simpleParser(raw, { skipTextToHtml: true, skipTextLinks: true });
}

function elements(html: string): HtmlNode[] {
  const { parse } = require('parse5') as { parse: (html: string) => HtmlNode };
  const all: HtmlNode[] = [];
  const walk = (node: HtmlNode): void => {
    all.push(node);
    for (const child of node.childNodes ?? []) walk(child);
  };
  walk(parse(html));
  return all;
}

const HOSTS = new Set(['shop.aurora-camera.example', 'images.aurora-camera.example', '127.0.0.1']);

/** What no mail may hold, whatever a customer is called. */
function harms(html: string, usual: ReadonlyMap<string, number>): string[] {
  const found: string[] = [];
  const seen = new Map<string, number>();
  for (const { nodeName, attrs = [] } of elements(html)) {
    seen.set(nodeName, (seen.get(nodeName) ?? 0) + 1);
    for (const { name, value } of attrs) {
      if (name.startsWith('on')) found.push(`${nodeName} ${name}`);
      if (name !== 'href' && name !== 'src') continue;
      if (!URL.canParse(value) || !HOSTS.has(new URL(value).hostname)) found.push(`${nodeName} ${name}=${value}`);
    }
  }
  for (const [name, count] of seen) {
    if (name !== '#text' && count > (usual.get(name) ?? 0)) found.push(`${count} ${name}`);
  }
  return found;
}

const usualOf = (html: string) => {
  const counts = new Map<string, number>();
  for (const { nodeName } of elements(html)) counts.set(nodeName, (counts.get(nodeName) ?? 0) + 1);
  return counts;
};

describe.skipIf(strings.length === 0)('each naughty string', () => {
  const story = aStory();
  const address = (at: number | string) => `n-${at}@customers.example`;

  it('as a first name and a product name arrives in mails that are whole and harm nobody', {
    timeout: 180_000,
  }, async () => {
    const shop = story();
    // News of the mails holds no names; without it the story is half as long.
    for (const type of ['Send', 'Delivery']) shop.laptop.simulate({ at: `event:${type}`, kind: 'lose' });
    const names = [...strings, 'Ann'];
    const said = names.flatMap((firstName, at): Said[] => [
      // The feed names every second product; the order's line names the others.
      ...(at % 2 === 0
        ? [
            {
              event: 'Product Updated',
              properties: { product_id: `p-${at}`, name: firstName, price: 5, currency: 'EUR' },
            },
          ]
        : []),
      {
        event: 'identify',
        user: `n-${at}`,
        email: address(at),
        traits: { firstName, lastName: firstName, locale: 'en' },
      },
      { event: 'Consent Granted', user: `n-${at}`, properties: { topic: 'offers', wording: firstName } },
    ]);
    await shop.send(...said);
    await shop.forward('1d');
    await shop.send(
      ...names.map((name, at): Said => {
        const properties = order(`n-${at}`, [`p-${at}`, 5], ['halden-one', 649]);
        const [line, ...others] = properties.products as { name?: string }[];
        if (at % 2 === 1) line!.name = name;
        return {
          event: 'Order Completed',
          user: `n-${at}`,
          properties: { ...properties, products: [line!, ...others], coupon: name },
        };
      }),
    );
    await shop.forward('8d');
    expect(await shop.deadLetters()).toEqual([]);
    for (const [at, name] of names.entries()) {
      expect((await shop.contact(`n-${at}`)).facts.attributes.firstName?.value).toBe(name);
    }

    const mails = await shop.mails();
    expect(mails).toHaveLength(2 * names.length);
    const byAddress = Map.groupBy(mails, (mail) => mail.to[0]);
    // What mails to Ann hold, at most: a name that is cleaned away leaves elements out, and adds none.
    const usual = byAddress.get(address(strings.length))!.map((mail) => usualOf(mail.html ?? ''));
    for (const [at, name] of names.entries()) {
      const own = byAddress.get(address(at)) ?? [];
      expect({ at, mails: own.map(({ tags }) => tags['kairos-campaign']) }).toEqual({
        at,
        mails: ['welcome', 'cross-sell'],
      });
      for (const [number, mail] of own.entries()) {
        const parsed = await read(mail);
        const where = { at, name, number };
        expect({ ...where, harms: harms(mail.html ?? '', usual[number]!) }).toEqual({ ...where, harms: [] });
        const links = `${mail.subject} ${mail.text}`.match(/\b[a-z]+:\/\/[^\s/>]*|\bwww\.\S+/gi) ?? [];
        const foreign = links.filter((link) => !URL.canParse(link) || !HOSTS.has(new URL(link).hostname));
        expect({ ...where, foreign }).toEqual({ ...where, foreign: [] });
        expect(mail.subject).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
        expect(parsed.subject).toMatch(number === 0 ? /^Welcome to Aurora Camera/ : /^Goes well with/);
        expect(parsed.subject).toBe(mail.subject.replace(/\s+/g, ' ').trim());
        expect([parsed.to?.value[0]?.address, parsed.from?.value[0]?.address]).toEqual([
          address(at),
          'hello@mail.aurora-camera.example',
        ]);
        expect(parsed.headerLines.map(({ key }) => key).filter((key) => key === 'bcc' || key === 'cc')).toEqual([]);
        expect(typeof parsed.html === 'string' && parsed.html.trimEnd().endsWith('</html>')).toBe(true);
        expect(parsed.text).toContain('Lindenstraße 14, 10969 Berlin');
        expect(`${mail.subject} ${mail.text}`).not.toMatch(
          /\{\{|\{%|undefined|\[object/.test(name) ? /\u0000/ : /\{\{|\{%|undefined|\[object/,
        );
      }
    }
    // No name, no string, in any line of the log.
    const logs = shop.laptop.logs().join('\n');
    expect(strings.filter((text) => text.length > 12 && logs.includes(text))).toEqual([]);
  });

  it('as an event, a property, an order id or a user id is recorded or buried, and stops no other', async () => {
    const shop = story();
    const before = (await shop.deadLetters()).length;
    const said = strings.flatMap((text, at): Said[] => [
      {
        event: 'Workshop Booked',
        user: `e-${at}`,
        properties: { workshop: text, seats: 1, [text.slice(0, 80) || 'empty']: text },
      },
      {
        event: 'Order Completed',
        user: `e-${at}`,
        properties: { ...order(text, ['care-kit', 26]), affiliation: text },
      },
      { event: 'Product Viewed', user: text, anonymous: text, properties: { product_id: text } },
    ]);
    await shop.send(...said);
    const letters = (await shop.deadLetters()).slice(before);
    for (const { attributes } of letters) {
      expect(attributes.stage).toBe('record-interaction');
      expect(['event.id', 'event.missing', 'event.nobody', 'event.id-placeholder', 'event.key']).toContain(
        attributes.reason,
      );
    }
    // Each person has at least the booking, unless the very key was refused.
    let recorded = 0;
    for (const at of strings.keys()) recorded += (await shop.interactions(`e-${at}`)).length;
    const people = said.filter((one) => one.user?.startsWith('e-')).length;
    const buried = letters.filter(({ body }) => /"userId":"e-\d+"/.test(body)).length;
    expect(recorded + buried).toBe(people);
    expect(buried).toBeLessThan(20);
  });
});
