// What a mail shows, from publish to the reader: its pictures, its variants, its links, and itself as a page.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { readLink, signLink } from '../../domain/links.ts';
import { messageItem } from '../../functions/aws/table.ts';
import type { Mail } from '../../local/laptop.ts';
import { aStory, linkIn, READY_MADE, type Story } from '../support/laptop.ts';

const PICTURE = readFileSync(join(READY_MADE, 'images', 'care-blower.png'));
const CODE =
  '{% if coupon %}{{ coupon.code }}: {{ coupon.worth }}, {% if coupon.expires %}{{ coupon.expires | day }}{% endif %}{% endif %}';
const LOCALES = ['en', 'de', 'pl'];

const story = aStory({
  change: (folder) => {
    mkdirSync(join(folder.path, 'images'), { recursive: true });
    writeFileSync(join(folder.path, 'images', 'blower.png'), PICTURE);
    writeFileSync(join(folder.path, 'images', 'unread.png'), Buffer.concat([PICTURE, Buffer.from('x')]));
    const layout = join(folder.path, 'emails', 'welcome', 'layout.mjml');
    const picture = `<mj-image src="images/blower.png" alt="A blower" /><mj-text>${CODE}<a href="{{ links.webView }}">page</a></mj-text>`;
    writeFileSync(layout, readFileSync(layout, 'utf8').replace('<mj-button', `${picture}<mj-button`));
    for (const locale of LOCALES) {
      folder.edit(`emails/welcome/${locale}.json`, (texts) => {
        texts.variants = { short: { subject: `Hello ${locale}` } };
      });
    }
    folder.write('coupons.json', { pools: { GIFT: { percent: 10 } } });
    folder.write('campaigns/gift.json', {
      kind: 'marketing',
      aim: 'acquisition',
      topic: 'offers',
      sender: 'main',
      when: { did: 'Referral Converted' },
      again: 'never',
      steps: [{ send: 'welcome', coupon: 'GIFT' }],
    });
    folder.edit('campaigns/welcome.json', (campaign) => {
      campaign.steps = [{ send: 'welcome', variants: { short: 50, plain: 50 } }];
    });
  },
});
beforeEach(() => story().next());

async function welcomed(shop: Story, user: string, traits = {}): Promise<Mail> {
  const email = await shop.customer(user, traits);
  const [mail] = await shop.mails(email);
  if (mail === undefined) throw new Error(`${user} was not welcomed`);
  return mail;
}

/** A page as the mail says it: from another address its links are whole. */
const asMailed = (page: string, link: string): string =>
  page.replaceAll('../', `${link.slice(0, link.indexOf('/w/'))}/`).trimEnd();

describe('a picture of the templates', () => {
  const linksTo = (mail: Mail): string[] =>
    [...(mail.html ?? '').matchAll(/<img[^>]*\ssrc="([^"]*)"/g)].map(([, src]) => src ?? '');

  it('is served under its hash to everybody, for ever, and nothing else of the bucket is', async () => {
    const shop = story();
    const [link = ''] = linksTo(await welcomed(shop, 'ida'));
    expect(link).toMatch(/\/i\/[0-9a-f]{32}\.png$/);
    const answer = await fetch(link);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('image/png');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(Buffer.from(await answer.arrayBuffer()).equals(PICTURE)).toBe(true);
    expect((await fetch(link, { method: 'HEAD' })).status).toBe(200);
    const base = link.slice(0, link.lastIndexOf('/i/'));
    const other = link.replace(/\/i\/./, (start) => (start === '/i/0' ? '/i/1' : '/i/0'));
    const book = (await shop.publish()).hash;
    for (const path of [
      other,
      link.slice(0, -3),
      `${link}x`,
      `${base}/i/`,
      `${base}/i`,
      `${base}/i/..%2Fbooks%2F${book}.json`,
      `${base}/i/unread.png`,
    ]) {
      expect([path, (await fetch(path)).status]).toEqual([path, 404]);
    }
    expect((await fetch(link, { method: 'POST' })).status).toBe(405);
  });

  it('is published where an e-mail shows it, and not otherwise', async () => {
    expect(await story().objects('images/')).toHaveLength(1);
  });
});

describe('a variant', () => {
  it('says its own words, and the other the e-mail as it is', async () => {
    const shop = story();
    const subjects = new Set<string>();
    for (let n = 0; n < 30 && subjects.size < 2; n++) {
      const mail = await welcomed(shop, `v${n}`);
      const [message] = await shop.messages({ user: `v${n}`, campaign: 'welcome' });
      expect(mail.subject).toBe(message?.variant === 'short' ? 'Hello en' : 'Welcome to Aurora Camera, Ann');
      expect(mail.html).toContain(
        `utm_source=kairos&amp;utm_medium=email&amp;utm_campaign=welcome&amp;utm_content=welcome-${message?.variant}`,
      );
      expect(mail.text).toContain(`utm_content=welcome-${message?.variant}`);
      subjects.add(mail.subject);
    }
    expect(subjects.size).toBe(2);
  });
});

describe('the page of a mail', () => {
  it('is the mail: the same words, links and pictures, and whoever opens it changes nothing', async () => {
    const shop = story();
    const mail = await welcomed(shop, 'vera', { locale: 'de' });
    const link = linkIn(mail, 'w');
    const before = [await shop.contact('vera'), await shop.messages({ user: 'vera' })];
    for (const suffix of ['', '?x=1']) {
      const page = await shop.visit(`${link}${suffix}`, 'GET');
      expect(page.status).toBe(200);
      expect(asMailed(page.body, link)).toBe(mail.html?.trimEnd());
      expect(['cache-control', 'referrer-policy', 'x-robots-tag'].map((name) => page.headers.get(name))).toEqual([
        'no-store',
        'no-referrer',
        'noindex',
      ]);
    }
    expect((await shop.visit(link, 'HEAD')).body).toBe('');
    await shop.forward('2d');
    expect([await shop.contact('vera'), await shop.messages({ user: 'vera' })]).toEqual(before);
    // Its links work from where it stands.
    const page = await shop.visit(link, 'GET');
    const choices = /href="(\.\.\/p\/[^"]+)"/.exec(page.body)?.[1] ?? '';
    expect((await shop.visit(new URL(choices, link).href, 'GET')).status).toBe(200);
  });

  it('stays what it was when the words change', async () => {
    const shop = story();
    const mail = await welcomed(shop, 'otto');
    const link = linkIn(mail, 'w');
    await shop.publish((folder) => {
      folder.edit('emails/welcome/en.json', (texts) => {
        texts.heading = 'Other words';
      });
    });
    const after = await shop.visit(link, 'GET');
    expect(after.body).not.toContain('Other words');
    expect(asMailed(after.body, link)).toBe(mail.html?.trimEnd());
    expect((await welcomed(shop, 'olga')).html).toContain('Other words');
  });

  it('holds the coupon that the mail carried, whatever its pool says today', async () => {
    const shop = story();
    const link = linkIn(await welcomed(shop, 'carl', { locale: 'de' }), 'w');
    const [message] = await shop.messages({ user: 'carl', campaign: 'welcome' });
    const coupon = { pool: 'GIFT', code: 'AB-12-XY', amount: 500, currency: 'EUR', expires: Date.UTC(2026, 2, 31, 22) };
    const inputs = { ...message!.inputs, coupon };
    await shop.table.create(messageItem({ ...message!, id: 'mgift', inputs }, shop.table.shards));
    const [door = '', token = ''] = link.split(/(?<=\/w\/)/);
    const keys = await shop.linkKeys();
    const gift = `${door}${signLink({ ...readLink(token, keys)!, message: 'mgift' }, keys)}`;
    expect((await shop.visit(gift, 'GET')).body).toContain('AB-12-XY: 5,00\u00a0€, 1. April 2026');
    expect((await shop.visit(link, 'GET')).body).not.toContain('AB-12-XY');
  });

  it('is gone where the mail never went out, and where nobody is known any more', async () => {
    const shop = story();
    const link = linkIn(await welcomed(shop, 'gaby'), 'w');
    const [message] = await shop.messages({ user: 'gaby', campaign: 'welcome' });
    const keys = await shop.linkKeys();
    const [door = '', token = ''] = link.split(/(?<=\/w\/)/);
    const payload = readLink(token, keys)!;
    const opened = async (change: Partial<typeof payload>) =>
      (await shop.visit(`${door}${signLink({ ...payload, ...change }, keys)}`, 'GET')).status;
    expect(await opened({})).toBe(200);
    expect(await opened({ message: 'mnothing' })).toBe(410);
    expect(await opened({ contact: 'nobody' })).toBe(410);
    expect(await opened({ book: 'gone' })).toBe(200);
    expect(await opened({ kind: 'preferences' })).toBe(404);
    for (const state of ['ghost', 'ready', 'dropped', 'failed'] as const) {
      const id = `m${state}`;
      await shop.table.create(messageItem({ ...message!, id, state }, shop.table.shards));
      expect([state, await opened({ message: id })]).toEqual([state, 410]);
    }
    const gone = await shop.visit(`${door}${signLink({ ...payload, message: 'mnothing' }, keys)}`, 'GET');
    expect(gone.body).not.toMatch(/Ann|customers\.example/);
    expect((await shop.visit(`${door}${token.slice(0, -2)}`, 'GET')).status).toBe(404);
  });
});
