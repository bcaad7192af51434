// The page of choices behind a link in mail: what a person chooses there holds for what is decided and sent next.
import { beforeEach, describe, expect, it } from 'vitest';
import { type JsonObject, sha256 } from '../../domain/interaction.ts';
import { readLink, signLink } from '../../domain/links.ts';
import { key } from '../../functions/aws/table.ts';
import type { Mail } from '../../local/laptop.ts';
import { aStory, DAY, linkIn, order, type Said, type Story } from '../support/laptop.ts';

const story = aStory({
  // News go to whoever asked for news; nothing that they did chooses them.
  change: (folder) => {
    folder.write('campaigns/news-welcome.json', {
      kind: 'marketing',
      aim: 'acquisition',
      topic: 'news',
      sender: 'main',
      when: { did: 'Consent Granted', where: { topic: 'news' } },
      again: 'every time',
      quiet: 'ignore',
      steps: [{ send: 'welcome' }],
    });
    folder.edit('settings.json', (json) => {
      json.caps = [];
    });
  },
});
beforeEach(() => story().next());

/** The link to the page of choices in a mail. */
function linkOf(mail: Mail | undefined): string {
  const token = /https?:\/\/[^"\s<>]+\/p\/[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+/;
  const found = token.exec(`${mail?.html} ${mail?.text}`)?.[0];
  if (found === undefined) throw new Error('the mail has no link to the page of choices');
  return found;
}

/** A new customer who consents to offers, was welcomed, and their link. */
async function welcomed(shop: Story, user: string): Promise<{ email: string; link: string }> {
  const email = await shop.customer(user);
  const [mail] = await shop.mails(email);
  return { email, link: linkOf(mail) };
}

type Page = Awaited<ReturnType<Story['visit']>>;
const ticked = ({ body }: Page) => [...body.matchAll(/name="topic" value="([^"]*)" checked/g)].map(([, id]) => id);
const say = (shop: Story, link: string, choice: string) => shop.visit(link, 'POST', `do=${choice}`);

/** Opens the page and saves it with these topics ticked, as a browser would. */
async function save(shop: Story, link: string, topics: string[]): Promise<Page> {
  const { body } = await shop.visit(link, 'GET');
  const form = body.slice(0, body.indexOf('</form>'));
  const hidden = [...form.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)];
  const fields = hidden.map(([, name = '', value = '']): [string, string] => [name, value]);
  const said = new URLSearchParams([
    ...fields,
    ...topics.map((topic): [string, string] => ['topic', topic]),
    ['do', 'save'],
  ]);
  return shop.visit(link, 'POST', said.toString());
}

const bought = (user: string, id: string): Said => ({
  event: 'Order Completed',
  user,
  properties: order(id, ['halden-one', 649]),
});
const campaignsOf = async (shop: Story, email: string) =>
  (await shop.mails(email)).map((mail) => mail.tags['kairos-campaign']);
const decision = async (shop: Story, user: string, campaign: string) =>
  (await shop.contact(user)).journey.decisions[campaign]?.reason;

describe('given a link to the page of choices', () => {
  it('stands in each mail, service mail too, beside the one to unsubscribe', async () => {
    const shop = story();
    const { link } = await welcomed(shop, 'nina');
    const payload = readLink(link.split('/p/')[1]!, await shop.linkKeys());
    expect(payload).toEqual({
      kind: 'preferences',
      contact: (await shop.contact('nina')).id,
      brand: 'aurora',
      message: expect.any(String),
    });
    const email = 'noel@customers.example';
    await shop.send(
      { event: 'identify', user: 'noel', email },
      { event: 'Consent Requested', user: 'noel', properties: { topic: 'offers' } },
    );
    const [confirmation] = await shop.mails(email, 'confirm-subscription');
    expect((await shop.visit(linkOf(confirmation), 'GET')).status).toBe(200);
  });

  it('changes nothing when scanners follow it, however often', async () => {
    const shop = story();
    const { link } = await welcomed(shop, 'sven');
    const before = await shop.contact('sven');
    for (const suffix of ['', '?do=withdraw', '?do=save&shown=offers', '/']) {
      expect((await shop.visit(`${link}${suffix}`, 'HEAD')).body).toBe('');
      const { status, headers, body } = await shop.visit(`${link}${suffix}`, 'GET');
      expect([
        status,
        headers.get('cache-control'),
        headers.get('referrer-policy'),
        headers.get('x-robots-tag'),
      ]).toEqual([200, 'no-store', 'no-referrer', 'noindex']);
      expect(body).not.toMatch(/customers\.example|Ann/);
    }
    expect(await shop.contact('sven')).toEqual(before);
  });

  it('that is forged, cut short or of another shop opens nothing and changes nothing', async () => {
    const shop = story();
    const { link } = await welcomed(shop, 'fay');
    const other = await welcomed(shop, 'gil');
    const [base = '', token = ''] = link.split(/(?<=\/p\/)/);
    const { contact, brand, message } = readLink(token, await shop.linkKeys())!;
    const foreign = signLink(
      { kind: 'preferences', contact, brand, message },
      { current: 'k1', keys: { k1: 'the key of another shop' } },
    );
    const mixed = [other.link.split('/p/')[1]!.split('.')[0], ...token.split('.').slice(1)].join('.');
    const before = await shop.contact('fay');
    for (const bad of [
      token.slice(0, -3),
      token.slice(5),
      foreign,
      mixed,
      `${token}x`,
      'x',
      '%00',
      `${token}.${token}`,
    ]) {
      for (const method of ['GET', 'POST'] as const) {
        const answer = await shop.visit(`${base}${bad}`, method, method === 'POST' ? 'do=withdraw' : undefined);
        expect(answer.status).toBe(404);
        expect(answer.body).not.toMatch(/name="do"|Ann/);
      }
    }
    expect(await shop.contact('fay')).toEqual(before);
    // One's own token at the door of unsubscribing is no unsubscribe either.
    expect((await shop.visit(link.replace('/p/', '/u/'), 'POST')).status).toBe(404);
    expect((await shop.contact('fay')).facts.withdrawn).toEqual({});
  });
});

describe('given topics', () => {
  it('what is turned off is not written about any more, what is turned on is, and both are kept with their proof', async () => {
    const shop = story();
    const { email, link } = await welcomed(shop, 'tess');
    expect(ticked(await shop.visit(link, 'GET'))).toEqual(['offers']);
    const page = await save(shop, link, ['news']);
    expect(page.body).toMatch(/You get e-mails about:<\/p>\s*<ul><li>News/);
    expect(ticked(await shop.visit(link, 'GET'))).toEqual(['news']);
    const { consents, withdrawn } = (await shop.contact('tess')).facts;
    expect(withdrawn).toEqual({});
    expect(consents['aurora|offers|email']).toMatchObject({ granted: false, source: 'preference page' });
    expect(consents['aurora|news|email']).toMatchObject({
      granted: true,
      basis: 'double',
      form: 'preference page',
      wording: expect.stringMatching(/^preference page, en, [0-9a-f]{12}$/),
    });
    await shop.forward('2d');
    await shop.send(bought('tess', 'tess-1'));
    await shop.forward('9d');
    expect(await campaignsOf(shop, email)).toEqual(['welcome', 'news-welcome']);
    expect(await decision(shop, 'tess', 'cross-sell')).toBe('no consent');

    await save(shop, link, ['offers', 'news']);
    await shop.forward('30d');
    await shop.send(bought('tess', 'tess-2'));
    await shop.forward('9d');
    expect(await shop.mails(email, 'cross-sell')).toHaveLength(1);
  });

  it('a form that is sent twice counts once', async () => {
    const shop = story();
    const { link } = await welcomed(shop, 'tom');
    const { id } = await shop.contact('tom');
    for (let i = 0; i < 2; i++) await shop.visit(link, 'POST', 'do=save&made=a&topic=news');
    expect(await shop.table.under(`SUBJECT#contact#${id}`, 'INTERACTION#Consent Granted#')).toHaveLength(1);
  });
});

describe('given a pause', () => {
  it('nothing is sent for thirty days, what was parked is taken back, and then it ends by itself', async () => {
    const shop = story();
    const { email, link } = await welcomed(shop, 'paul');
    await shop.forward('2d');
    // What is planned at night waits for the morning.
    await shop.next('22:00');
    const night = shop.now();
    await shop.send(bought('paul', 'paul-1'));
    await shop.until(night + 7 * DAY + 60_000);
    expect(await shop.messages({ user: 'paul', campaign: 'cross-sell' })).toMatchObject([{ state: 'ready' }]);
    const paused = shop.now();
    expect((await say(shop, link, 'pause')).body).toContain('We will be quiet');
    await shop.next('10:00');
    expect(await shop.messages({ user: 'paul', campaign: 'cross-sell' })).toMatchObject([
      { state: 'dropped', reason: 'paused by the person' },
    ]);
    expect((await shop.visit(link, 'GET')).body).toContain('End the break');

    await shop.send({ event: 'Consent Granted', user: 'paul', properties: { topic: 'news' } });
    expect(await decision(shop, 'paul', 'news-welcome')).toBe('paused by the person');
    // Service mail is no marketing.
    await shop.send({ event: 'Consent Requested', user: 'paul', properties: { topic: 'reviews' } });
    expect(await campaignsOf(shop, email)).toEqual(['welcome', 'confirm-subscription']);

    await shop.until(paused + 30 * DAY - 60_000);
    await shop.send({ event: 'Consent Granted', user: 'paul', properties: { topic: 'news' } });
    expect(await shop.mails(email, 'news-welcome')).toEqual([]);
    await shop.forward('2m');
    await shop.send({ event: 'Consent Granted', user: 'paul', properties: { topic: 'news' } });
    expect(await shop.mails(email, 'news-welcome')).toHaveLength(1);
    expect((await shop.visit(link, 'GET')).body).toContain('Pause for 30 days');
  });

  it('ends when the person says so', async () => {
    const shop = story();
    const { email, link } = await welcomed(shop, 'pia');
    await say(shop, link, 'pause');
    await shop.forward('2m');
    expect((await say(shop, link, 'resume')).body).toContain('The break is over');
    await shop.send({ event: 'Consent Granted', user: 'pia', properties: { topic: 'news' } });
    expect(await shop.mails(email, 'news-welcome')).toHaveLength(1);
  });
});

describe("given the shop's own account page", () => {
  it('may say the same, where its source may speak of consent; a browser may not', async () => {
    const shop = story();
    const { email, link } = await welcomed(shop, 'alma');
    const until = new Date(shop.now() + 7 * DAY).toISOString();
    const said = (event: string, properties: JsonObject = {}): Said => ({ event, user: 'alma', email, properties });
    const post = (one: Said, secret?: string) => shop.post(shop.envelope(one), secret === undefined ? {} : { secret });
    expect((await post(said('Pause Requested', { until }), 'browser.open-sesame')).status).toBe(403);
    expect((await shop.contact('alma')).facts.pauses).toBeUndefined();
    expect((await post(said('Pause Requested', { until }))).status).toBe(202);
    expect((await post(said('Profiling Stopped'))).status).toBe(202);
    const page = (await shop.visit(link, 'GET')).body;
    expect([page.includes('End the break'), page.includes('You may choose what fits me')]).toEqual([true, true]);
    await shop.forward('2m');
    await post(said('Pause Ended'));
    await post(said('Profiling Allowed'));
    expect((await shop.visit(link, 'GET')).body).toMatch(/Pause for 30 days[\s\S]*Do not choose by what I do/);
  });
});

describe('given somebody who does not want to be chosen by what they do', () => {
  it('gets what does not depend on it, and nothing else, also what was decided before; until they allow it', async () => {
    const shop = story();
    const { email, link } = await welcomed(shop, 'vera');
    await shop.forward('2d');
    await shop.next('22:00');
    const night = shop.now();
    await shop.send(bought('vera', 'vera-1'));
    await shop.until(night + 7 * DAY + 60_000);
    expect(await shop.messages({ user: 'vera', campaign: 'cross-sell' })).toMatchObject([{ state: 'ready' }]);
    expect((await say(shop, link, 'stop-profiling')).body).toContain('We have stopped that');
    await shop.next('10:00');
    expect(await shop.messages({ user: 'vera', campaign: 'cross-sell' })).toMatchObject([
      { state: 'dropped', reason: 'profiling stopped' },
    ]);
    await save(shop, link, ['offers', 'news']);
    await shop.forward('31d');
    await shop.send(bought('vera', 'vera-2'));
    await shop.forward('9d');
    expect(await campaignsOf(shop, email)).toEqual(['welcome', 'news-welcome']);
    expect(await decision(shop, 'vera', 'cross-sell')).toBe('profiling stopped');

    expect((await shop.visit(link, 'GET')).body).toContain('You may choose what fits me');
    await say(shop, link, 'allow-profiling');
    await shop.forward('31d');
    await shop.send(bought('vera', 'vera-3'));
    await shop.forward('9d');
    expect(await shop.mails(email, 'cross-sell')).toHaveLength(1);
  });
});

describe('given somebody who leaves', () => {
  it('one button stops all marketing; they come back by ticking a topic, and leave again by the old link', async () => {
    const shop = story();
    const { email, link } = await welcomed(shop, 'lea');
    expect((await say(shop, link, 'withdraw')).body).toContain('We have stopped everything');
    expect((await shop.contact('lea')).facts.withdrawn.aurora).toBeDefined();
    const page = await shop.visit(link, 'GET');
    expect([ticked(page), page.body.includes('To come back, tick')]).toEqual([[], true]);
    await shop.send(bought('lea', 'lea-1'));
    await shop.forward('9d');
    expect(await campaignsOf(shop, email)).toEqual(['welcome']);

    await save(shop, link, ['news']);
    expect(await campaignsOf(shop, email)).toEqual(['welcome', 'news-welcome']);
    await shop.forward('400d');
    expect((await say(shop, link, 'withdraw')).status).toBe(200);
    expect(ticked(await shop.visit(link, 'GET'))).toEqual([]);
  });

  it('finds the page of choices from the page of unsubscribing, and from the one after it', async () => {
    const shop = story();
    const { link } = await welcomed(shop, 'uma');
    const leave = linkIn((await shop.mails('uma@customers.example'))[0]!, 'u');
    for (const method of ['GET', 'POST'] as const) {
      const { body } = await shop.visit(leave, method);
      const relative = /href="(\.\.\/p\/[^"]+)"/.exec(body)?.[1] ?? '';
      expect(new URL(relative, leave).href).toBe(link);
    }
    expect(ticked(await shop.visit(link, 'GET'))).toEqual([]);
  });
});

describe('given what is known', () => {
  it('is shown for a POST by a young link, with what the shop has told and decided; by an old one it is not', async () => {
    const shop = story();
    const { link } = await welcomed(shop, 'kim');
    await shop.send(bought('kim', 'kim-1'), bought('kim', 'kim-2'), {
      event: 'Product Added',
      user: 'kim',
      properties: { product_id: 'vesper-strap', price: 45 },
    });
    const shown = (await say(shop, link, 'known')).body.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
    for (const part of [
      'k•••@customers.example',
      'First name Ann',
      'Orders 2',
      'Halden One mirrorless camera',
      'In your basket Vesper',
      'Offers Yes',
      'Confirmed by a link in an e-mail',
      'Bought at least twice in a year',
      'What goes well with it',
    ])
      expect(shown).toContain(part);
    expect(shown).not.toContain('kim@');
    await shop.forward('91d');
    const late = await say(shop, link, 'known');
    expect([late.status, /Ann|Halden/.test(late.body)]).toEqual([403, false]);
    expect((await shop.visit(link, 'GET')).body).toContain('last 90 days');
  });
});

describe('given a person who became another', () => {
  it('an old link speaks for the one in whom they were merged, and shows their choices', async () => {
    const shop = story();
    const email = 'mia@customers.example';
    await shop.send({ event: 'identify', email });
    await shop.forward('1m');
    await shop.send({ event: 'identify', user: 'mia', traits: { firstName: 'Mia' } });
    await shop.send({ event: 'Consent Granted', email, properties: { topic: 'offers' } });
    const link = linkOf((await shop.mails(email))[0]);
    await shop.send({ event: 'identify', user: 'mia', email });
    await say(shop, link, 'pause');
    await save(shop, link, ['reviews']);
    const { facts } = await shop.contact('mia');
    expect(facts.pauses?.aurora?.until).toBeGreaterThan(shop.now());
    expect(facts.consents['aurora|reviews|email']?.granted).toBe(true);
    expect(ticked(await shop.visit(link, 'GET'))).toEqual(['reviews']);
  });

  it('an erased person’s link shows that nothing is known, and brings nobody back', async () => {
    const shop = story();
    const { link } = await welcomed(shop, 'eva');
    const { id } = await shop.contact('eva');
    const TableName = shop.table.name;
    const gone = [key.contact(id), key.identity(`user#${sha256('eva')}`)];
    await shop.table.transact(gone.map((Key) => ({ Delete: { TableName, Key } })));
    for (const choice of ['withdraw', 'pause', 'known']) {
      const { status, body } = await say(shop, link, choice);
      expect([status, body.includes('We know nothing about you any more')]).toEqual([410, true]);
    }
    expect((await shop.visit(link, 'GET')).status).toBe(410);
    expect(await shop.table.readOne(key.contact(id))).toBeUndefined();
  });
});

it('no event of the file died', async () => {
  expect(await story().deadLetters()).toEqual([]);
});
