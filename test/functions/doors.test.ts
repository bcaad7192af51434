// The two doors to the web: what they take, what they refuse and why, and what a link does.
import { existsSync, readFileSync } from 'node:fs';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { emptyBook } from '../../domain/book.ts';
import type { EventBridgeEvent } from '../../domain/event.ts';
import { normalise } from '../../domain/event.ts';
import { sha256 } from '../../domain/interaction.ts';
import { type LinkPayload, readLink, signLink } from '../../domain/links.ts';
import { Bus } from '../../functions/aws/bus.ts';
import { readSecret } from '../../functions/aws/secrets.ts';
import { managePreferences } from '../../functions/manage-preferences.ts';
import { receiveEvent } from '../../functions/receive-event.ts';
import { DAY, definitions, NOON } from './fixtures.ts';

const oneClick = new URL('../../../shared/data/rfc8058/one_click_request.http', import.meta.url);
if (!existsSync(oneClick)) console.warn('SKIPPED: the one-click request of RFC 8058 is missing');

const eventBridge = mockClient(EventBridgeClient);
beforeEach(() => {
  eventBridge.reset();
  eventBridge.on(PutEventsCommand).resolves({ FailedEntryCount: 0, Entries: [] });
});

const source = (secret: string, rights: object) => ({ hash: sha256(secret), ...rights });
const secret = readSecret(
  JSON.stringify({
    current: 'k2',
    k1: 'an old key',
    k2: 'a new key',
    sources: {
      shop: source('s3cret', { events: '*', identify: true, consent: true, address: true }),
      browser: source('public', { events: ['Product Viewed', 'Product Added'] }),
      kairos: source('own', { events: '*', identify: true, consent: true, address: true }),
    },
  }),
);
/** No page of these doors reads the table. */
const table = {
  read: () => Promise.reject(new Error('not to be read')),
};
const deps = {
  bus: new Bus('kairos', new EventBridgeClient({ region: 'x' })),
  secrets: async () => secret,
  pictures: { answer: async () => undefined },
  now: () => NOON,
};
/** Only a mail that is shown as a page asks for an earlier book. */
const byHash = () => Promise.reject(new Error('not to be read'));
const put = () =>
  eventBridge.commandCalls(PutEventsCommand).flatMap(({ args: [command] }) => command.input.Entries ?? []);

const request = (
  body: unknown,
  change: { path?: string; method?: string; authorization?: string; base64?: boolean } = {},
) => {
  const { path = '/events', method = 'POST', authorization = 'Bearer shop.s3cret', base64 = false } = change;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    rawPath: path,
    headers: { authorization },
    body: base64 ? Buffer.from(text).toString('base64') : text,
    isBase64Encoded: base64,
    requestContext: { http: { method } },
  } as never;
};
const answer = async (...given: Parameters<typeof request>) => {
  const { statusCode, body } = await receiveEvent(request(...given), deps);
  return { status: statusCode, body: JSON.parse(body ?? '{}') };
};
const view = {
  type: 'track',
  event: 'Product Viewed',
  messageId: 'v1',
  anonymousId: 'device',
  properties: { product_id: 'cup' },
};

describe('given an event at the door', () => {
  it('puts it on the bus under its source, and answers 202', async () => {
    expect(await answer(view)).toEqual({ status: 202, body: { accepted: 1 } });
    const [entry] = put();
    expect(entry).toMatchObject({ Source: 'shop', DetailType: 'Product Viewed', EventBusName: 'kairos' });
    expect(JSON.parse(entry?.Detail ?? '')).toEqual({ ...view, timestamp: '2026-05-04T12:00:00.000Z' });
  });

  it.each([
    ['a list', [view, { ...view, messageId: 'v2' }], '/events'],
    ['a batch', { batch: [view, { ...view, messageId: 'v2' }] }, '/v1/batch'],
    ['a batch at /events', { batch: [view, { ...view, messageId: 'v2' }] }, '/events'],
  ])('takes %s', async (_name, body, path) => {
    expect(await answer(body, { path })).toEqual({ status: 202, body: { accepted: 2 } });
    expect(put()).toHaveLength(2);
  });

  it('takes the calls of Segment libraries, with the secret as user name, in base64', async () => {
    const authorization = `Basic ${Buffer.from('shop.s3cret:').toString('base64')}`;
    const identify = { userId: 'ann', traits: { firstName: 'Ann' } };
    expect((await answer(identify, { path: '/v1/identify', authorization, base64: true })).status).toBe(202);
    expect(put()[0]).toMatchObject({ DetailType: 'identify' });
    const track = { userId: 'ann', event: 'Order Completed', properties: { order_id: 'o1', revenue: 5 } };
    expect((await answer(track, { path: '/v1/track', authorization })).status).toBe(202);
  });

  it.each([
    ['no secret', view, { authorization: '' }, 401, 'door.secret'],
    ['a wrong secret', view, { authorization: 'Bearer shop.s3cre' }, 401, 'door.secret'],
    ['a source that nobody knows', view, { authorization: 'Bearer nobody.s3cret' }, 401, 'door.secret'],
    ['our own name', view, { authorization: 'Bearer kairos.own' }, 401, 'door.secret'],
    ['a name out of the prototype', view, { authorization: 'Bearer constructor.x' }, 401, 'door.secret'],
    ['no secret and no JSON', '{', { authorization: '' }, 401, 'door.secret'],
    ['no JSON', '{"type":', {}, 400, 'door.json'],
    ['nothing', [], {}, 400, 'door.empty'],
    ['too many events', Array(101).fill(view), {}, 413, 'door.events'],
    ['too large a body', ' '.repeat(256 * 1024 + 1), {}, 413, 'door.body'],
    ['another path', view, { path: '/' }, 404, 'door.path'],
    ['another method', view, { method: 'PUT' }, 405, 'door.method'],
    ['an event that is no object', 'null', {}, 400, undefined],
    [
      '70 KB of properties',
      { ...view, properties: { product_id: 'cup', note: 'x'.repeat(70_000) } },
      {},
      400,
      'event.too-large',
    ],
    ['a time in 1970', { ...view, timestamp: '1970-01-01T00:00:00Z' }, {}, 400, 'event.time-too-old'],
    ['a time in 2099', { ...view, timestamp: '2099-01-01T00:00:00Z' }, {}, 400, 'event.time-ahead'],
    [
      'a key out of the prototype',
      `{"type":"track","event":"Product Viewed","anonymousId":"d","properties":{"product_id":"cup","__proto__":{}}}`,
      {},
      400,
      'event.key',
    ],
    ['nobody', { type: 'track', event: 'Product Viewed', properties: { product_id: 'cup' } }, {}, 400, 'event.nobody'],
  ])('refuses %s, and puts nothing', async (_name, body, change, status, code) => {
    const refused = await answer(body, change);
    expect(refused.status).toBe(status);
    if (code !== undefined) expect(refused.body.error.code).toBe(code);
    expect(refused.body.error.message).toMatch(/\w{2}/);
    expect(put()).toEqual([]);
  });

  it('refuses a whole request for one bad event, and says which', async () => {
    const price = {
      ...view,
      event: 'Order Completed',
      userId: 'ann',
      properties: { order_id: 'o1', revenue: '12,50' },
    };
    const refused = await answer([view, price]);
    expect(refused.status).toBe(400);
    expect(refused.body.error).toMatchObject({ index: 1, path: 'properties.revenue' });
    expect(put()).toEqual([]);
  });

  it('lets a browser key send views, and nothing else', async () => {
    const authorization = 'Bearer browser.public';
    expect((await answer(view, { authorization })).status).toBe(202);
    expect(
      (await answer({ ...view, event: 'Order Completed', properties: { order_id: 'o1' } }, { authorization })).status,
    ).toBe(403);
    expect((await answer({ type: 'identify', userId: 'ann', traits: {} }, { authorization })).status).toBe(403);
    expect(
      (await answer({ ...view, event: 'Consent Granted', properties: { topic: 'offers' } }, { authorization })).status,
    ).toBe(403);
  });

  it('lets an answer to a notice name its contact and its hops, where the source may speak of people by address', async () => {
    const made = { type: 'track', event: 'Call Made', messageId: 'call-1', contactId: 'c1', hops: 2 };
    expect((await answer(made)).status).toBe(202);
    const [entry] = put();
    expect(JSON.parse(entry?.Detail ?? '')).toMatchObject({ contactId: 'c1', hops: 2 });
    expect((await answer({ ...made, hops: 6 })).status).toBe(400);
    expect((await answer(made, { authorization: 'Bearer browser.public' })).status).toBe(403);
  });

  it('takes out what a source may not say, so that the bus carries only what it may', async () => {
    const claim = {
      ...view,
      contactId: 'c1',
      context: { traits: { email: 'ann@example.org', firstName: 'Mallory' }, ip: '1.2.3.4' },
      traits: { email: 'ann@example.org' },
    };
    await answer(claim, { authorization: 'Bearer browser.public' });
    const [entry] = put();
    const detail = JSON.parse(entry?.Detail ?? '');
    expect(detail.contactId).toBeUndefined();
    expect(detail.context.traits).toEqual({});
    expect(JSON.stringify(detail)).not.toMatch(/Mallory|example\.org/);
    const event: EventBridgeEvent = {
      id: 'e1',
      source: 'browser',
      'detail-type': 'Product Viewed',
      time: '2026-05-04T12:00:01Z',
      detail,
    };
    expect(normalise(event)).toMatchObject({ interaction: { who: { anonymous: sha256('device') }, traits: {} } });
  });

  it('puts failed entries again, and answers 503 when the bus stays unable', async () => {
    const failed = { FailedEntryCount: 1, Entries: [{ EventId: '1' }, { ErrorCode: 'InternalFailure' }] };
    eventBridge.on(PutEventsCommand).resolvesOnce(failed).resolves({ FailedEntryCount: 0 });
    expect((await answer([view, { ...view, messageId: 'v2' }])).status).toBe(202);
    expect(put().map((entry) => JSON.parse(entry.Detail ?? '').messageId)).toEqual(['v1', 'v2', 'v2']);
    eventBridge.on(PutEventsCommand).resolves({ FailedEntryCount: 1, Entries: [{ ErrorCode: 'InternalFailure' }] });
    expect((await answer(view)).status).toBe(503);
  });
});

describe('given a link in a mail', () => {
  const book = { ...emptyBook(), definitions: definitions() };
  const link = (payload: Partial<LinkPayload> = {}) =>
    signLink({ kind: 'unsubscribe', contact: 'c1', brand: 'shop', message: 'm1', ...payload }, secret.keys);
  const confirm = () =>
    link({ kind: 'confirm', topic: 'offers', wording: 'w1', form: 'footer', until: NOON + 30 * DAY });
  const visit = (method: string, path: string, now = NOON, language?: string) =>
    managePreferences(
      { rawPath: path, headers: { 'accept-language': language }, requestContext: { http: { method } } } as never,
      { ...deps, table, now: () => now, books: { current: async () => book, byHash } },
    );

  it('shows a page for a GET, and does nothing', async () => {
    const page = await visit('GET', `/u/${link()}`);
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('method="post"');
    expect(page.headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
    });
    expect(put()).toEqual([]);
  });

  it('does nothing for a HEAD', async () => {
    expect(await visit('HEAD', `/u/${link()}`)).toMatchObject({ statusCode: 200, body: '' });
    expect(put()).toEqual([]);
  });

  it('withdraws everything of the brand for a POST, once per second', async () => {
    const token = link();
    expect((await visit('POST', `/u/${token}`)).statusCode).toBe(200);
    await visit('POST', `/u/${token}`);
    await visit('POST', `/u/${token}`, NOON + 1000);
    const details = put().map((entry) => JSON.parse(entry.Detail ?? ''));
    expect(put()[0]).toMatchObject({ Source: 'kairos', DetailType: 'Consent Withdrawn' });
    expect(details[0]).toMatchObject({ contactId: 'c1', properties: { brand: 'shop', all: true }, hops: 1 });
    expect(details[1].messageId).toBe(details[0].messageId);
    expect(details[2].messageId).not.toBe(details[0].messageId);
    const event = {
      id: 'e1',
      source: 'kairos',
      'detail-type': 'Consent Withdrawn',
      time: '2026-05-04T12:00:01Z',
      detail: details[0],
    };
    expect(normalise(event)).toMatchObject({ interaction: { who: { contact: 'c1' }, subject: 'contact#c1' } });
  });

  it('grants the topic for a POST of a confirmation, once per link, until it ends', async () => {
    const token = confirm();
    expect((await visit('GET', `/c/${token}`)).body).toContain('method="post"');
    expect(put()).toEqual([]);
    await visit('POST', `/c/${token}`);
    await visit('POST', `/c/${token}`, NOON + DAY);
    const details = put().map((entry) => JSON.parse(entry.Detail ?? ''));
    expect(details[0].properties).toEqual({
      brand: 'shop',
      topic: 'offers',
      basis: 'double',
      source: 'confirmation link',
      message: 'm1',
      wording: 'w1',
      form: 'footer',
    });
    expect(details[1].messageId).toBe(details[0].messageId);
    expect((await visit('POST', `/c/${token}`, NOON + 31 * DAY)).statusCode).toBe(410);
    expect(put()).toHaveLength(2);
  });

  it.each([
    ['a changed signature', () => `/u/${link().slice(0, -2)}xx`],
    ['a confirmation at the door of withdrawals', () => `/u/${confirm()}`],
    ['a withdrawal at the door of confirmations', () => `/c/${link()}`],
    ['no token', () => '/u/'],
    ['another door', () => `/x/${link()}`],
  ])('does nothing for %s', async (_name, path) => {
    expect((await visit('POST', path())).statusCode).toBe(404);
    expect((await visit('GET', path())).statusCode).toBe(404);
    expect(put()).toEqual([]);
  });

  it('still reads links of a retired key', async () => {
    const old = signLink(
      { kind: 'unsubscribe', contact: 'c1', brand: 'shop', message: 'm1' },
      { ...secret.keys, current: 'k1' },
    );
    expect((await visit('POST', `/u/${old}`)).statusCode).toBe(200);
  });

  it('says to try again when the bus does not take the choice', async () => {
    eventBridge.on(PutEventsCommand).resolves({ FailedEntryCount: 1, Entries: [{ ErrorCode: 'InternalFailure' }] });
    expect((await visit('POST', `/u/${link()}`)).statusCode).toBe(503);
  });

  it('lets people leave although the book cannot be read', async () => {
    const broken = { current: () => Promise.reject(new Error('unreadable')), byHash };
    const event = { rawPath: `/u/${link()}`, headers: {}, requestContext: { http: { method: 'POST' } } } as never;
    expect((await managePreferences(event, { ...deps, table, books: broken })).statusCode).toBe(200);
    expect(put()).toHaveLength(1);
  });

  it('says to try again where a mail cannot be shown as a page, and opens no other door', async () => {
    const { statusCode, body, headers } = await visit('GET', `/w/${link({ kind: 'view', book: 'b1' })}`);
    expect([statusCode, headers?.['retry-after']]).toEqual([503, '60']);
    expect(body).toContain('Not done yet');
    expect((await visit('GET', `/w/${link()}`)).statusCode).toBe(404);
    expect((await visit('GET', `/u/${link({ kind: 'view' })}`)).statusCode).toBe(404);
    expect(put()).toEqual([]);
  });

  it('leads from either page to the page of choices, by a link of the same person and mail', async () => {
    book.definitions.pages = { unsubscribe: { en: '{{ preferences }}' }, done: { en: '{{ preferences }}' } };
    for (const method of ['GET', 'POST']) {
      const [, token = ''] = /^\.\.\/p\/(\S+)$/.exec((await visit(method, `/u/${link()}`)).body ?? '') ?? [];
      expect(readLink(token, secret.keys)).toEqual({
        kind: 'preferences',
        contact: 'c1',
        brand: 'shop',
        message: 'm1',
      });
    }
    book.definitions.pages = {};
  });

  it.skipIf(!existsSync(oneClick))('takes the one click of mail programs as RFC 8058 writes it', async () => {
    const [, body] = readFileSync(oneClick, 'utf8').split(/\r?\n\r?\n/);
    const event = {
      rawPath: `/u/${link()}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      requestContext: { http: { method: 'POST' } },
      body: Buffer.from(body ?? '').toString('base64'),
      isBase64Encoded: true,
    } as never;
    const books = { current: async () => book, byHash };
    expect((await managePreferences(event, { ...deps, table, books })).statusCode).toBe(200);
    expect(put()).toMatchObject([{ DetailType: 'Consent Withdrawn' }]);
  });

  it('shows the page of the book in the language that the reader prefers', async () => {
    book.definitions.pages = {
      unsubscribe: { en: 'Leave {{ brand.name }}? {{ action }}', de: '{{ brand.name }} verlassen? {{ action }}' },
    };
    const token = link();
    expect((await visit('GET', `/u/${token}`, NOON, 'fr, de-AT;q=0.8, en;q=0.5')).body).toBe(
      `Shop verlassen? ${token}`,
    );
    expect((await visit('GET', `/u/${token}`)).body).toBe(`Leave Shop? ${token}`);
  });
});
