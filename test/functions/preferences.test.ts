// The page of choices: what it shows, what each form says to the bus, and that nothing keeps anybody from leaving.
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildTemplates } from '../../cli/templates-folder.ts';
import { type Book, compileBook, type Definitions } from '../../domain/book.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import { type EventBridgeEvent, normalise } from '../../domain/event.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { type LinkPayload, signLink } from '../../domain/links.ts';
import type { Message } from '../../domain/message.ts';
import type { BusEvent } from '../../functions/aws/bus.ts';
import { productItem } from '../../functions/aws/product.ts';
import { readSecret } from '../../functions/aws/secrets.ts';
import { contactItem, Found, type Item, type Key, messageItem } from '../../functions/aws/table.ts';
import { managePreferences } from '../../functions/manage-preferences.ts';
import { committed } from '../templates/edit.ts';
import { DAY, definitions, MINUTE, NOON } from './fixtures.ts';

const { keys } = readSecret(JSON.stringify({ current: 'k1', k1: 'a key of these tests' }));
const naughty = new URL('../../../shared/data/naughty_strings/blns.json', import.meta.url);
if (!existsSync(naughty)) console.warn('SKIPPED: the naughty strings are missing');

const items = new Map<string, Item>();
const put: BusEvent[] = [];
let book: Book;
let reads = 0;
/** The table as it is read by these pages. */
const table = {
  read: async (wanted: Key[]) => {
    reads++;
    const found = new Found();
    for (const { pk, sk } of wanted) {
      const item = items.get(`${pk} ${sk}`);
      if (item !== undefined) found.add(item);
    }
    return found;
  },
};
const bus = {
  put: async (events: BusEvent[]) => {
    put.push(...events);
    return 0;
  },
};
const byHash = async () => undefined;
const deps = {
  table,
  bus,
  books: { current: async () => book, byHash },
  pictures: { answer: async () => undefined },
  secrets: async () => ({ keys, sources: {} }),
  now: () => NOON,
};

const store = (item: Item) => items.set(`${item.pk} ${item.sk}`, item);
const keep = (contact: Contact) => store(contactItem(contact, 1, 2));
const message = (change: Partial<Message> = {}): Message => ({
  shape: 1,
  id: 'm1',
  contact: 'c1',
  campaign: 'offer',
  version: 'v',
  step: '0',
  run: 'r1',
  kind: 'marketing',
  topic: 'offers',
  sender: 'main',
  email: 'hello',
  state: 'sent',
  plannedAt: NOON - DAY,
  createdAt: NOON - DAY,
  sentAt: NOON - DAY,
  lane: 'triggered',
  attempts: 1,
  ignoresQuiet: false,
  inputs: { trigger: { name: 'Order Completed', at: NOON, properties: {} }, recommendations: [] },
  ...change,
});
const ann = (change: (contact: Contact) => void = () => {}): Contact => {
  const contact = newContact('c1', NOON - 400 * DAY);
  contact.facts.address = { value: 'ann@mail.example', at: 1, id: '1' };
  contact.facts.consents['aurora|offers|email'] = { granted: true, at: NOON - 9 * DAY, id: 'e', basis: 'double' };
  change(contact);
  return contact;
};

const token = (payload: Partial<LinkPayload> = {}) =>
  signLink({ kind: 'preferences', contact: 'c1', brand: 'aurora', message: 'm1', ...payload }, keys);
type Form = [name: string, value: string][];
const visit = async (
  method: string,
  form: Form = [],
  { at = NOON, link = token(), language = 'en', base64 = false, change = {} as Partial<typeof deps> } = {},
) => {
  const body = new URLSearchParams(form).toString();
  const event = {
    rawPath: `/p/${link}`,
    headers: { 'accept-language': language },
    requestContext: { http: { method } },
    body: base64 ? Buffer.from(body).toString('base64') : body,
    isBase64Encoded: base64,
  } as never;
  const answer = await managePreferences(event, { ...deps, now: () => at, ...change });
  return { status: answer.statusCode, body: answer.body ?? '', headers: answer.headers };
};
const said = () => put.map(({ detailType, detail }) => [detailType, (detail as { properties: JsonObject }).properties]);
const idsOf = () => put.map(({ detail }) => (detail as { messageId: string }).messageId);
/** The form as the page shows it, with these topics ticked. */
const formOf = (page: string, ticked: string[]): Form => {
  const hidden = [...page.matchAll(/<input type="hidden" name="(made|shown)" value="([^"]*)">/g)];
  const first = page.indexOf('</form>');
  return [
    ...hidden.filter(({ index }) => index < first).map(([, name = '', value = '']): [string, string] => [name, value]),
    ...ticked.map((topic): [string, string] => ['topic', topic]),
    ['do', 'save'],
  ];
};
const ticked = (page: string) => [...page.matchAll(/name="topic" value="([^"]*)" checked/g)].map(([, id]) => id);

beforeAll(async () => {
  const { draft, pages } = await buildTemplates(await committed());
  const published: Definitions = {
    ...definitions(),
    ordinal: 1,
    settings: draft.settings,
    catalogue: draft.catalogue,
    pages,
  };
  book = compileBook(published, 'a-book-of-these-tests', { paused: {}, filled: 1 });
});
beforeEach(() => {
  items.clear();
  put.length = 0;
  reads = 0;
  keep(ann());
  store(messageItem(message(), 2));
});

afterEach(() => {
  vi.useRealTimers();
});

describe('given the page of choices', () => {
  it('shows the topics as they stand, in the language of the reader, and keeps nothing', async () => {
    const { status, body, headers } = await visit('GET');
    expect(status).toBe(200);
    expect(ticked(body)).toEqual(['offers']);
    expect(body).toContain('<strong>Reviews</strong>');
    expect((await visit('GET', [], { language: 'de-AT,en;q=0.5' })).body).toContain('<strong>Bewertungen</strong>');
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-robots-tag': 'noindex',
      'x-frame-options': 'DENY',
      'content-security-policy': expect.stringMatching(/default-src 'none'.*form-action 'self'/),
    });
    expect(body).not.toMatch(/<script|mail\.example/);
    expect(put).toEqual([]);
  });

  it('speaks the language of the contact where the browser asks for none that there is', async () => {
    keep(
      ann(({ facts }) => {
        facts.attributes.locale = { value: 'pl', at: 1, id: '1' };
      }),
    );
    expect((await visit('GET', [], { language: 'fr' })).body).toContain('<html lang="pl"');
    expect((await visit('GET', [], { language: '' })).body).toContain('<html lang="pl"');
    expect((await visit('GET', [], { language: 'de' })).body).toContain('<html lang="de"');
  });

  it('speaks the first language of the settings to who asks for none, whatever the order in the stored book', async () => {
    const pages = Object.fromEntries(
      Object.entries(book.definitions.pages).map(([name, sources]) => [
        name,
        Object.fromEntries(Object.entries(sources).sort(([a], [b]) => (a < b ? -1 : 1))),
      ]),
    );
    expect(Object.keys(pages.preferences ?? {})[0]).toBe('de');
    const current = async () => ({ ...book, definitions: { ...book.definitions, pages } });
    for (const language of ['', '*', 'fr'])
      expect((await visit('GET', [], { language, change: { books: { current, byHash } } })).body).toContain(
        '<html lang="en"',
      );
  });

  it.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])(
    'a %s says nothing to the bus, whatever it carries',
    async (method) => {
      await visit(method, [['do', 'withdraw']]);
      await visit(method, [
        ['do', 'save'],
        ['shown', 'offers'],
      ]);
      expect(put).toEqual([]);
    },
  );

  it.each<[string, Form]>([
    ['nothing', []],
    ['an unknown choice', [['do', 'delete-everybody']]],
    ['what mail programs post to the other door', [['List-Unsubscribe', 'One-Click']]],
  ])('a POST with %s shows the page and says nothing', async (_, form) => {
    expect((await visit('POST', form)).body).toContain('name="do" value="withdraw"');
    expect(put).toEqual([]);
  });

  it.each<[string, () => string]>([
    ['cut short', () => token().slice(0, -1)],
    [
      'with another contact in it',
      () => `${token({ contact: 'c2' }).split('.')[0]}.${token().split('.').slice(1).join('.')}`,
    ],
    ['of another door', () => token({ kind: 'unsubscribe' })],
    [
      'signed with a key that we never had',
      () =>
        signLink(
          { kind: 'preferences', contact: 'c1', brand: 'aurora', message: 'm1' },
          { current: 'k1', keys: { k1: 'theirs' } },
        ),
    ],
  ])('a link %s shows nothing and does nothing', async (_, link) => {
    for (const form of [[], [['do', 'withdraw']], [['do', 'known']]] as Form[]) {
      const { status, body } = await visit('POST', form, { link: link() });
      expect([status, /Offers|name="do"/.test(body)]).toEqual([404, false]);
    }
    expect([put, reads]).toEqual([[], 0]);
  });

  it('offers also a topic that the settings no longer name, as long as it is consented to', async () => {
    keep(
      ann(({ facts }) => {
        facts.consents['aurora|old-topic|email'] = { granted: true, at: 1, id: 'e' };
      }),
    );
    const { body } = await visit('GET');
    expect(ticked(body)).toEqual(['offers', 'old-topic']);
    await visit('POST', formOf(body, ['offers']));
    expect(said()).toMatchObject([['Consent Withdrawn', { topic: 'old-topic' }]]);
  });
});

describe('given a choice', () => {
  it('of topics, says only those that were changed, each once', async () => {
    const { body } = await visit('GET');
    const page = await visit('POST', formOf(body, ['news', 'reviews']));
    expect(page.status).toBe(200);
    expect(said()).toEqual([
      ['Consent Withdrawn', { brand: 'aurora', source: 'preference page', topic: 'offers', message: 'm1' }],
      ...['news', 'reviews'].map((topic) => [
        'Consent Granted',
        {
          brand: 'aurora',
          source: 'preference page',
          topic,
          basis: 'double',
          form: 'preference page',
          wording: 'preference page, en, a-book-of-th',
        },
      ]),
    ]);
    expect(put[0]).toMatchObject({ source: 'kairos', detail: { contactId: 'c1', hops: 1 } });
    expect(page.body).toMatch(/You get e-mails about:<\/p>\n<ul><li>News<\/li><li>Reviews<\/li><\/ul>/);
    expect(page.body).toMatch(/You get nothing about:<\/p>\n<ul><li>Offers<\/li><li>For regulars<\/li><\/ul>/);
    expect(page.body).toContain('about a minute');
  });

  it('says of another topic than the mail’s nothing about the mail', async () => {
    keep(
      ann(({ facts }) => {
        facts.consents['aurora|news|email'] = { granted: true, at: 1, id: 'n' };
      }),
    );
    await visit('POST', formOf((await visit('GET')).body, ['offers']));
    expect(said()).toEqual([['Consent Withdrawn', { brand: 'aurora', source: 'preference page', topic: 'news' }]]);
  });

  it('of what stands already says nothing, and says so', async () => {
    const page = await visit('POST', formOf((await visit('GET')).body, ['offers']));
    expect(page.body).toContain('Everything stays as it is');
    expect(put).toEqual([]);
  });

  it('of topics that there are not asks for nothing', async () => {
    await visit('POST', [
      ['do', 'save'],
      ...['secret', '__proto__', 'constructor', '<b>', 'x'.repeat(99)].map((topic): [string, string] => [
        'topic',
        topic,
      ]),
    ]);
    expect(put).toEqual([]);
  });

  it.each<[string, string, JsonObject]>([
    ['pause', 'Pause Requested', { until: '2026-06-03T12:00:00.000Z' }],
    ['resume', 'Pause Ended', {}],
    ['stop-profiling', 'Profiling Stopped', {}],
    ['allow-profiling', 'Profiling Allowed', {}],
    ['withdraw', 'Consent Withdrawn', { all: true, message: 'm1' }],
  ])('%s becomes %s', async (choice, name, more) => {
    const { status, body } = await visit(
      'POST',
      [
        ['made', 'abc'],
        ['do', choice],
      ],
      { base64: true },
    );
    expect([status, body.includes('about a minute')]).toEqual([200, true]);
    expect(said()).toEqual([[name, { brand: 'aurora', source: 'preference page', ...more }]]);
    const event: EventBridgeEvent = {
      id: 'e',
      source: 'kairos',
      'detail-type': name,
      time: '2026-05-04T12:00:00Z',
      detail: put[0]?.detail,
    };
    expect(normalise(event)).toMatchObject({ interaction: { name, who: { contact: 'c1' }, at: NOON } });
  });

  it('sent twice is one choice; made on a page shown later it is another', async () => {
    const first = formOf((await visit('GET')).body, []);
    await visit('POST', first);
    await visit('POST', first, { at: NOON + 20_000 });
    const back = formOf((await visit('GET', [], { at: NOON + 30_000 })).body, []);
    await visit('POST', back, { at: NOON + 31_000 });
    const ids = idsOf();
    expect(ids).toHaveLength(3);
    expect([ids[1] === ids[0], ids[2] === ids[0]]).toEqual([true, false]);
    expect(new Set(ids.map((id) => /^link-[0-9a-f]{40}$/.test(id)))).toEqual(new Set([true]));
    await visit('POST', first, { at: NOON + MINUTE });
    expect(idsOf()[3]).not.toBe(ids[0]);
  });

  it('of several topics has an id for each', async () => {
    await visit('POST', [
      ['do', 'save'],
      ['shown', 'offers'],
      ['shown', 'news'],
      ['topic', 'reviews'],
    ]);
    expect(new Set(idsOf()).size).toBe(3);
  });

  it('is said as done only when the bus has taken it', async () => {
    const full = { bus: { put: async () => 1 } };
    const unreached = { bus: { put: () => Promise.reject(new Error('no way')) } };
    for (const change of [full, unreached])
      expect((await visit('POST', [['do', 'withdraw']], { change })).status).toBe(503);
  });
});

describe('given something that cannot be read', () => {
  const withdraw: Form = [['do', 'withdraw']];
  const never = new Promise<never>(() => {});
  const broken: [string, Partial<typeof deps>][] = [
    ['a table that fails', { table: { read: () => Promise.reject(new Error('throttled')) } }],
    ['a table that hangs', { table: { read: () => never } }],
    ['a book that fails', { books: { current: () => Promise.reject(new Error('gone')), byHash } }],
    ['a book that hangs', { books: { current: () => never, byHash } }],
  ];

  it.each(broken)('%s: the page has its button to leave, and leaving works', async (_, change) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const patient = async (method: string, form: Form) => {
      const answer = visit(method, form, { change });
      await vi.advanceTimersByTimeAsync(5_000);
      return answer;
    };
    const { status, body } = await patient('GET', []);
    const [button, posts] = [body.includes('name="do" value="withdraw"'), body.includes('method="post"')];
    expect([status, button, posts]).toEqual([200, true, true]);
    expect((await patient('POST', withdraw)).status).toBe(200);
    expect(said()).toEqual([['Consent Withdrawn', expect.objectContaining({ all: true })]]);
  });

  it('a table that fails: every other choice works too, and what is known says to try again', async () => {
    const change = broken[0]![1];
    await visit('POST', [['do', 'pause']], { change });
    await visit(
      'POST',
      [
        ['do', 'save'],
        ['shown', 'offers'],
        ['topic', 'news'],
      ],
      { change },
    );
    expect(said().map(([name]) => name)).toEqual(['Pause Requested', 'Consent Withdrawn', 'Consent Granted']);
    // Which topic the mail had is not known: leaving one is said of it rather than not.
    expect(said()[1]?.[1]).toMatchObject({ message: 'm1' });
    expect((await visit('POST', [['do', 'known']], { change })).status).toBe(503);
  });

  it('a book that fails: topics are left, none can be asked for, and it does not say that they were', async () => {
    const change = broken[2]![1];
    const { status } = await visit(
      'POST',
      [
        ['do', 'save'],
        ['shown', 'offers'],
        ['topic', 'news'],
      ],
      { change },
    );
    expect(status).toBe(503);
    expect(said()).toMatchObject([['Consent Withdrawn', { topic: 'offers' }]]);
    expect(
      (
        await visit(
          'POST',
          [
            ['do', 'save'],
            ['shown', 'offers'],
          ],
          { change },
        )
      ).status,
    ).toBe(200);
  });

  it('a page that cannot be rendered gives way to a plain one with its button', async () => {
    const pages = { ...book.definitions.pages, preferences: { en: '{{ choices.nonsense.more }}' } };
    const current = async () => ({ ...book, definitions: { ...book.definitions, pages } });
    const { status, body } = await visit('GET', [], { change: { books: { current, byHash } } });
    expect([status, body.includes('name="do" value="withdraw"')]).toEqual([200, true]);
  });
});

describe('given a person who is somebody else by now', () => {
  it('an old link shows and speaks for the one in whom they were merged', async () => {
    keep({ ...newContact('c1', 1), mergedInto: 'c2' });
    keep({ ...newContact('c2', 1), mergedInto: 'c3' });
    keep({
      ...ann(({ facts }) => {
        facts.consents['aurora|news|email'] = { granted: true, at: 1, id: 'n' };
      }),
      id: 'c3',
    });
    expect(ticked((await visit('GET')).body)).toEqual(['offers', 'news']);
    // The recorder follows the merge from the contact of the link.
    await visit('POST', [['do', 'pause']]);
    expect(put[0]).toMatchObject({ detail: { contactId: 'c1' } });
    expect((await visit('POST', [['do', 'known']])).body).toContain('a•••@mail.example');
  });

  it('a circle of merges ends', async () => {
    keep({ ...newContact('c1', 1), mergedInto: 'c2' });
    keep({ ...newContact('c2', 1), mergedInto: 'c1' });
    expect((await visit('GET')).status).toBe(410);
  });

  it('an erased person’s link shows that nothing is known any more', async () => {
    items.clear();
    const { status, body } = await visit('GET');
    expect([status, body.includes('We know nothing about you any more')]).toEqual([410, true]);
    expect((await visit('POST', [['do', 'pause']])).status).toBe(410);
    expect((await visit('POST', [['do', 'known']])).status).toBe(410);
    expect(put).toEqual([]);
  });
});

describe('given what is known', () => {
  const full = ({ facts, journey }: Contact) => {
    facts.attributes = {
      firstName: { value: 'Ann', at: NOON - 9 * DAY, id: '1' },
      favouriteCategory: { value: ['Cameras', 'Film'], at: NOON, id: '1' },
      newsletter: { value: true, at: NOON, id: '1' },
      home: { value: { city: 'Ulm', zip: 89073 }, at: NOON, id: '1' },
    };
    facts.orders = {
      count: 3,
      gross: 120_000,
      refunded: 20_000,
      returned: 1,
      first: NOON - 300 * DAY,
      last: NOON - 3 * DAY,
    };
    facts.bought = { 'halden-one': NOON - 3 * DAY, fed: NOON - 9 * DAY, unknown: NOON - 300 * DAY };
    facts.cart.lines = { 'vesper-strap': { quantity: 1, at: NOON, id: '1' } };
    facts.latest = {
      'Product Viewed': NOON - DAY,
      'Consent Granted': NOON - 9 * DAY,
      'Film Developed': NOON - 2 * DAY,
    };
    facts.consents['aurora|offers|email'] = {
      granted: true,
      at: NOON - 9 * DAY,
      id: 'e',
      basis: 'double',
      form: 'footer',
      wording: '2026-01',
      source: 'shop',
    };
    facts.consents['aurora|news|email'] = { granted: false, at: NOON - 8 * DAY, id: 'e' };
    facts.scores = {
      'loyalty.tier': { value: 'gold', at: NOON - 2 * DAY, id: 's' },
      'value.lifetime': { value: 123_456, at: NOON - 2 * DAY, id: 's' },
    };
    facts.cases = { k: { open: true, at: NOON - DAY, id: 'c' } };
    facts.subscriptions = { film: { active: true, at: NOON - DAY, id: 'u' } };
    facts.consents['other|news|email'] = { granted: true, at: NOON, id: 'e', form: 'of another brand' };
    journey.segments = { buyers: { since: NOON - 200 * DAY, entries: 1 }, viewers: { entries: 2 } };
    journey.runs = ['offer', 'thanks'].map((campaign) => ({
      id: campaign,
      campaign,
      version: book.definitions.campaigns[campaign]?.version ?? '',
      occurrence: 'o',
      startedAt: NOON - 4 * DAY,
      at: 0,
      from: 0,
      trigger: { name: 'X', id: 'x', at: 0, properties: {} },
      counters: {},
      pending: [],
      ...(campaign === 'thanks' ? { ended: NOON } : {}),
    }));
  };
  const known: Form = [['do', 'known']];
  const text = (body: string) => body.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');

  it('is shown for a POST only: of a GET the page holds nothing', async () => {
    keep(ann(full));
    expect((await visit('GET')).body).not.toMatch(/Ann|Halden|mail\.example|buyers/);
    const { body, status, headers } = await visit('POST', known);
    expect([status, headers?.['cache-control']]).toEqual([200, 'no-store']);
    const shown = text(body);
    for (const part of [
      'E-mail address a•••@mail.example',
      'Known to us since March 30, 2025',
      'First name Ann April 25, 2026',
      'Favourite category Cameras, Film',
      'Newsletter yes',
      'Home city: Ulm, zip: 89073',
      'Loyalty tier gold May 2, 2026',
      'Value lifetime €1,234.56 May 2, 2026',
      'Service open cases 1 May 3, 2026',
      'Subscription active yes May 3, 2026',
      'Offers Yes April 25, 2026 Confirmed by a link in an e-mail Form: footer Wording: 2026-01',
      'News No April 26, 2026',
      'Orders 3 First order July 8, 2025 Latest order May 1, 2026 In total, after refunds €1,000.00',
      'Last bought Halden One mirrorless camera May 1, 2026',
      'In your basket Vesper',
      'Looked at a product May 3, 2026',
      'Film Developed May 2, 2026',
      'Groups you are in buyers since October 16, 2025',
      'Series under way for you offer since April 30, 2026',
      'help@aurora-camera.example',
    ])
      expect(shown).toContain(part);
    expect(shown).not.toMatch(/ann@|of another brand|viewers|thanks|Consent Granted/);
    expect(put).toEqual([]);
  });

  it('calls products as the feed does, then as the catalogue does, else by their ids', async () => {
    keep(ann(full));
    store(productItem({ id: 'fed', given: { at: 1, id: '1' }, product: { name: 'A product of the feed' } } as never));
    const shown = text((await visit('POST', known)).body);
    expect(shown).toMatch(/Halden One mirrorless camera .* A product of the feed .* unknown/);
  });

  it.each([
    ['sent 89 days ago', { sentAt: NOON - 89 * DAY, createdAt: NOON - 100 * DAY }, 200],
    ['sent 90 days ago', { sentAt: NOON - 90 * DAY, createdAt: NOON - 100 * DAY }, 403],
  ])('needs a link of a mail that is young: %s', async (_, change, status) => {
    keep(ann(full));
    store(messageItem(message(change), 2));
    const answer = await visit('POST', known);
    expect([answer.status, answer.body.includes('Ann')]).toEqual([status, status === 200]);
    const page = (await visit('GET')).body;
    expect([page.includes('value="known"'), page.includes('last 90 days')]).toEqual([status === 200, status !== 200]);
    // Leaving has no such limit.
    expect((await visit('POST', [['do', 'withdraw']])).status).toBe(200);
    expect(said()).toHaveLength(1);
  });

  it('is not shown by a link whose mail is not there any more, also by one that the page of unsubscribing leads to', async () => {
    keep(ann(full));
    items.delete('CONTACT#c1 MESSAGE#m1');
    const answer = await visit('POST', known);
    expect([answer.status, answer.body.includes('Ann'), answer.body.includes('older than 90 days')]).toEqual([
      403,
      false,
      true,
    ]);
  });

  it('says why nothing is written, and what the person has asked for', async () => {
    keep(
      ann(({ facts }) => {
        facts.suppressed = { reason: 'complained', at: NOON - DAY };
        facts.pauses = { aurora: { until: NOON + 9 * DAY, at: 1, id: '1' } };
        facts.profiling = { aurora: { stopped: true, at: 1, id: '1' } };
        facts.withdrawn = { aurora: { at: NOON - DAY, id: '1' } };
      }),
    );
    const shown = text((await visit('POST', known)).body);
    expect(shown).toMatch(/Everything No May 3, 2026/);
    expect(shown).toMatch(/paused our e-mails until May 13, 2026.*We do not.*reported one of our e-mails as spam/);
    const page = text((await visit('GET')).body);
    expect(page).toMatch(
      /nothing reaches your address.*paused our e-mails until May 13, 2026.*End the break.*You may choose what fits me/,
    );
  });

  it.skipIf(!existsSync(naughty))('is harmless whatever a stranger wrote into a profile', async () => {
    const strings = (JSON.parse(readFileSync(naughty, 'utf8')) as string[]).filter((text) => !(text in {}));
    expect(strings.length).toBeGreaterThan(400);
    const tags = (body: string) =>
      [...new Set([...body.matchAll(/<(\/?[a-z][a-z0-9]*)(?=[\s>/])/gi)].map(([, name]) => name))].sort();
    keep(ann(full));
    const plain = tags((await visit('POST', known)).body);
    for (let i = 0; i < strings.length; i += 20) {
      const some = strings.slice(i, i + 20);
      keep(
        ann(({ facts, journey }) => {
          facts.attributes = Object.fromEntries(
            some.flatMap((value, n) => [
              [`a${n}`, { value, at: NOON, id: '1' }],
              [value, { value: [value, { [value]: value }], at: NOON, id: '1' }],
            ]),
          );
          facts.consents = {
            'aurora|offers|email': {
              granted: true,
              at: 1,
              id: '1',
              form: some[0]!,
              wording: some[1] ?? '',
              source: some[2] ?? '',
            },
          };
          facts.bought = Object.fromEntries(some.map((value) => [value, NOON]));
          facts.latest = Object.fromEntries(some.map((value) => [value, NOON]));
          facts.orders = { count: 1, gross: 1, refunded: 0, returned: 0, first: 1, last: 1 };
          facts.address = { value: `${some[0]}@mail.example`, at: 1, id: '1' };
          journey.segments = {};
        }),
      );
      const { status, body } = await visit('POST', known);
      expect(status).toBe(200);
      expect(tags(body).filter((tag) => !plain.includes(tag))).toEqual([]);
      expect(body).not.toMatch(/<script|<img|<[^>]+\son\w+=|[\u202a-\u202e\u2066-\u2069]/i);
      expect(body.isWellFormed()).toBe(true);
      expect((await visit('GET')).status).toBe(200);
    }
  });
});
