// The door: what becomes an interaction, what is refused and why, and that nothing gets through another way.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EventBridgeEvent, normalise, type SourceRights } from '../../domain/event.ts';
import { STATEMENTS } from '../../domain/facts.ts';
import { builtinEvents } from '../../domain/fields.ts';
import { type Json, sha256 } from '../../domain/interaction.ts';
import { MOST_BYTES } from '../../domain/screen.ts';
import cases from '../cases/event.json' with { type: 'json' };

interface Case {
  name: string;
  source?: string;
  time?: string;
  detailType?: string;
  rights?: SourceRights;
  detail: Json;
  gives?: Record<string, unknown> & { who?: Record<string, string>; subject?: string; at?: string; noAddress?: true };
  fault?: [code: string, path: string, message?: string];
}

const nested = (depth: number): Json => (depth === 0 ? 1 : { a: nested(depth - 1) });

/** `${x70}` = 70 times x; `${nested21}` = objects in objects; `@text` = a text where an object belongs. */
function fill(value: Json): Json {
  if (typeof value === 'string') {
    const depth = /^\$\{nested(\d+)\}$/.exec(value);
    if (depth) return nested(Number(depth[1]));
    if (value === '@text') return 'text';
    return value.replace(/\$\{(.)(\d+)\}/gu, (_, character: string, times: string) => character.repeat(Number(times)));
  }
  if (Array.isArray(value)) return value.map(fill);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item)]));
}

function eventOf(detail: unknown, changes: Partial<EventBridgeEvent> = {}): EventBridgeEvent {
  return { id: 'event-1', source: 'shop', 'detail-type': 'track', time: '2026-11-20T10:00:00Z', detail, ...changes };
}

/** "user:u-1" → the subject key as it is stored. */
function subjectKey(written: string): string {
  const [kind, id] = [written.slice(0, written.indexOf(':')), written.slice(written.indexOf(':') + 1)];
  return `${kind}#${kind === 'contact' ? id : sha256(id)}`;
}

describe('an event', () => {
  test.each(cases as unknown as Case[])('$name', ({ source, time, detailType, rights, detail, gives, fault }) => {
    const read = normalise(
      eventOf(fill(detail), {
        ...(source === undefined ? {} : { source }),
        ...(time === undefined ? {} : { time }),
        ...(detailType === undefined ? {} : { 'detail-type': detailType }),
      }),
      rights,
    );
    if (fault !== undefined) {
      const [code, path, message] = fault;
      expect(read).toMatchObject({ fault: { code, path, ...(message === undefined ? {} : { message }) } });
      return;
    }
    if ('fault' in read) expect.unreachable(JSON.stringify(read.fault));
    const { who, subject, at, id, noAddress, traits, properties, ...rest } = gives!;
    const { interaction } = read;
    expect(interaction).toMatchObject(rest);
    if (noAddress) expect(interaction).not.toHaveProperty('address');
    if (at !== undefined) expect(interaction.at).toBe(Date.parse(at));
    if (subject !== undefined) expect(interaction.subject).toBe(subjectKey(subject));
    if (traits !== undefined) expect(interaction.traits).toEqual(fill(traits as Json));
    if (properties !== undefined) expect(interaction.properties).toEqual(properties);
    if (id !== undefined) {
      const written = fill(id as string) as string;
      expect(interaction.id).toBe(written.startsWith('sha256:') ? sha256(written.slice(7)) : written);
    }
    if (who !== undefined) {
      const hashed = Object.entries(who).map(([kind, value]) => [kind, kind === 'contact' ? value : sha256(value)]);
      expect(interaction.who).toEqual(Object.fromEntries(hashed));
    }
  });

  test.each([undefined, null, 5, 'text', [], {}, { detail: {} }, { ...eventOf({}), id: '' }])('%j is none', (event) => {
    expect(normalise(event as unknown as EventBridgeEvent)).toMatchObject({ fault: { code: 'event.shape' } });
  });

  test('a detail of exactly 64 KB is read, one byte more is not, and bytes are counted, not characters', () => {
    const frame = JSON.stringify({ event: 'X', userId: 'u-1', properties: { x: '' } }).length;
    const of = (x: string) => normalise(eventOf({ event: 'X', userId: 'u-1', properties: { x } }));
    expect(of('x'.repeat(MOST_BYTES - frame))).toHaveProperty('interaction');
    expect(of('x'.repeat(MOST_BYTES - frame + 1))).toMatchObject({ fault: { code: 'event.too-large' } });
    expect(of('€'.repeat(Math.floor((MOST_BYTES - frame) / 3)))).toHaveProperty('interaction');
    expect(of('€'.repeat(Math.floor((MOST_BYTES - frame) / 3) + 1))).toMatchObject({
      fault: { code: 'event.too-large' },
    });
  });

  test.each(['__proto__', 'constructor', 'prototype'])('the key %s is refused wherever it stands', (key) => {
    for (const text of [
      `{"event":"X","userId":"u","${key}":{"polluted":1}}`,
      `{"event":"X","userId":"u","properties":{"${key}":{"polluted":1}}}`,
      `{"event":"X","userId":"u","properties":{"products":[{"a":[{"${key}":1}]}]}}`,
      `{"type":"identify","userId":"u","traits":{"${key}":{"polluted":1}}}`,
      `{"event":"X","userId":"u","context":{"traits":{"${key}":{"polluted":1}}}}`,
      `{"event":"Consent Granted","userId":"u","properties":{"topic":"offers","${key}":{"polluted":1}}}`,
    ]) {
      expect(normalise(eventOf(JSON.parse(text)))).toMatchObject({ fault: { code: 'event.key', received: key } });
      expect({}).not.toHaveProperty('polluted');
    }
  });

  test('values that JSON cannot hold are refused, and a thousand references to one object do not take for ever', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1, Symbol('s'), new Date(0), new Map()]) {
      const read = normalise(eventOf({ event: 'X', userId: 'u', properties: { value } }));
      expect(read).toMatchObject({ fault: { code: 'event.shape', path: 'properties.value' } });
    }
    let wide: unknown = 1;
    for (let i = 0; i < 15; i++) wide = Array(10).fill(wide);
    expect(normalise(eventOf({ event: 'X', userId: 'u', properties: { wide } }))).toMatchObject({
      fault: { code: 'event.too-large' },
    });
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(normalise(eventOf(circle))).toMatchObject({ fault: { code: 'event.depth' } });
  });

  test('a throwing getter is a fault', () => {
    const detail = Object.defineProperty({}, 'event', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    expect(normalise(eventOf(detail))).toMatchObject({ fault: { code: 'event.unreadable' } });
  });

  test('a text that is cut never ends in half a character', () => {
    const read = normalise(eventOf({ type: 'identify', userId: 'u', traits: { bio: `${'x'.repeat(999)}😀y` } }));
    expect(read).toMatchObject({ interaction: { traits: { bio: 'x'.repeat(999), shortened: ['bio'] } } });
  });

  test('the event is not changed', () => {
    const detail = {
      event: 'Order Completed',
      userId: ' u ',
      properties: { order_id: 1, products: [{ sku: 5, price: '1.50' }] },
    };
    const before = structuredClone(detail);
    normalise(eventOf(detail));
    expect(detail).toEqual(before);
  });

  test('no fault quotes what could be personal', () => {
    const secret = 'qq-secret@example.com';
    for (const detail of [
      { event: 'X', userId: `${secret}\u0000` },
      { event: 'X', userId: secret.repeat(20) },
      { event: 'X', userId: 'u', properties: secret },
      { event: 'X', userId: 'u', timestamp: secret },
      { type: secret, userId: 'u' },
      { type: 'identify', traits: { email: `${secret}\n` } },
      { event: 'Order Completed', userId: 'u', properties: { order_id: 'o', total: secret } },
      { event: 'Order Completed', userId: 'u', properties: { order_id: `${secret}\u0007` } },
      { event: 'Order Completed', userId: 'u', properties: { order_id: 'o', currency: secret } },
      { event: 'Consent Granted', userId: 'u', properties: { topic: secret } },
    ]) {
      const read = normalise(eventOf(detail));
      expect(read).toHaveProperty('fault');
      expect(JSON.stringify(read)).not.toContain('qq-secret');
    }
  });
});

describe('what a person wants', () => {
  const wish = (event: string, properties: Record<string, Json> = {}, more: object = {}) =>
    ({ type: 'track', event, userId: 'u-1', messageId: 'm-1', properties, ...more }) as const;
  const rights = (change: Partial<SourceRights>): SourceRights => ({
    events: '*',
    identify: true,
    consent: false,
    address: true,
    ...change,
  });
  const WISHES: [string, Record<string, Json>][] = [
    ['Consent Requested', { topic: 'offers' }],
    ['Consent Granted', { topic: 'offers' }],
    ['Consent Withdrawn', {}],
    ['Pause Requested', { until: '2026-12-20T00:00:00Z' }],
    ['Pause Ended', {}],
    ['Profiling Stopped', {}],
    ['Profiling Allowed', {}],
  ];

  test.each(WISHES)('%s asks for the right to speak of consent, and for no other', (name, properties) => {
    const read = (given?: SourceRights) => normalise(eventOf(wish(name, properties)), given);
    expect(read(rights({}))).toMatchObject({ fault: { code: 'source.consent-not-allowed' } });
    expect(read(rights({ events: [name] }))).toMatchObject({ fault: { code: 'source.consent-not-allowed' } });
    expect(read(rights({ events: [], consent: true }))).toMatchObject({ interaction: { name } });
    expect(read()).toMatchObject({ interaction: { name } });
  });

  test.each(WISHES)('%s is a statement of the person, for those who ask what they did', (name) => {
    expect(STATEMENTS.has(name)).toBe(true);
  });

  test('only our own source names a contact by its id', () => {
    const detail = wish('Profiling Stopped', { brand: 'aurora' }, { contactId: 'c-1' });
    expect(normalise(eventOf(detail))).toMatchObject({ interaction: { who: { user: sha256('u-1') } } });
    expect(normalise(eventOf(detail, { source: 'kairos' }))).toMatchObject({
      interaction: { who: { contact: 'c-1' }, subject: 'contact#c-1' },
    });
    expect((normalise(eventOf(detail)) as { interaction: object }).interaction).not.toHaveProperty('who.contact');
  });

  test.each([
    ['Pause Requested', {}, 'properties.until'],
    ['Pause Requested', { until: 'soon' }, 'properties.until'],
    ['Pause Requested', { until: 30 }, 'properties.until'],
    ['Pause Ended', { brand: 'Not A Name' }, 'properties.brand'],
    ['Profiling Stopped', { brand: 'constructor' }, 'properties.brand'],
  ] as [string, Record<string, Json>, string][])('%s with %j is refused at %s', (name, properties, path) => {
    expect(normalise(eventOf(wish(name, properties)))).toMatchObject({ fault: { code: 'event.shape', path } });
  });

  test('a pause may end on a day', () => {
    expect(normalise(eventOf(wish('Pause Requested', { until: '2026-12-20', brand: null })))).toMatchObject({
      interaction: { properties: { until: '2026-12-20' } },
    });
  });
});

describe('any input', () => {
  const detail = fc.record(
    {
      type: fc.oneof(fc.constantFrom('track', 'identify'), fc.anything()),
      event: fc.oneof(fc.constantFrom(...Object.keys(builtinEvents)), fc.anything()),
      messageId: fc.anything(),
      userId: fc.oneof(fc.string({ unit: 'binary' }), fc.anything()),
      anonymousId: fc.anything(),
      timestamp: fc.oneof(fc.constant('2026-11-20T09:00:00Z'), fc.anything()),
      properties: fc.oneof(
        fc.record(
          { order_id: fc.string(), products: fc.array(fc.anything()), total: fc.anything(), topic: fc.anything() },
          { requiredKeys: [] },
        ),
        fc.anything(),
      ),
      traits: fc.oneof(fc.dictionary(fc.string(), fc.anything()), fc.anything()),
      context: fc.oneof(fc.record({ traits: fc.anything() }), fc.anything()),
      hops: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const strange = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  });

  test('gives an interaction or a fault, never an exception', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          strange,
          strange.map((value) => eventOf(value)),
          detail.map((value) => eventOf(value)),
        ),
        (event) => {
          const read = normalise(event as EventBridgeEvent);
          expect(Object.keys(read)).toHaveLength(1);
          if ('fault' in read) expect(read.fault.code).not.toBe('event.unreadable');
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('gives the same interaction each time it is delivered, and one that JSON can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(builtinEvents)), (properties, event) => {
        const given = eventOf({ event, userId: 'u-1', messageId: 'm-1', properties });
        const read = normalise(given);
        expect(normalise(structuredClone(given))).toEqual(read);
        expect(JSON.parse(JSON.stringify(read))).toEqual(JSON.parse(JSON.stringify(normalise(given))));
      }),
    );
  });
});

const naughty = new URL('../../../shared/data/naughty_strings/blns.json', import.meta.url);
if (!existsSync(naughty)) console.warn('SKIPPED: the naughty strings are missing');
describe.skipIf(!existsSync(naughty))('naughty strings', () => {
  const strings: string[] = existsSync(naughty) ? JSON.parse(readFileSync(naughty, 'utf8')) : [];

  test('there are some', () => expect(strings.length).toBeGreaterThan(500));
  test('as a user id: known as written but for blanks around it, or refused for a reason', () => {
    const refused = new Set<string>();
    for (const text of strings) {
      const read = normalise(eventOf({ event: 'X', userId: text }));
      if ('fault' in read) refused.add(read.fault.code);
      else expect(read.interaction.who.user).toBe(sha256(text.trim()));
      if (text.trim() === '') expect(read).toMatchObject({ fault: { code: 'event.nobody' } });
    }
    expect([...refused].sort()).toEqual(['event.id', 'event.id-placeholder', 'event.nobody']);
  });
  test('as a first name, a property, a key of a property, an order id, a product id and an address', () => {
    for (const text of strings) {
      const named = normalise(eventOf({ type: 'identify', userId: 'u', traits: { firstName: text } }));
      expect(named).toMatchObject({ interaction: { traits: { firstName: text } } });
      const said = normalise(eventOf({ event: 'X', userId: 'u', properties: { text, list: [text] } }));
      expect(said).toMatchObject({ interaction: { properties: { text, list: [text] } } });
      const keyed = normalise(eventOf({ event: 'X', userId: 'u', properties: { [text]: 1 } }));
      if ('interaction' in keyed) expect(Object.entries(keyed.interaction.properties)).toEqual([[text, 1]]);
      const ordered = normalise(
        eventOf({
          event: 'Order Completed',
          userId: 'u',
          properties: { order_id: text, products: [{ product_id: text }] },
        }),
      );
      if ('interaction' in ordered) expect(ordered.interaction.properties.order_id).toBe(text.trim());
      const addressed = normalise(eventOf({ type: 'identify', userId: 'u', traits: { email: text } }));
      expect(addressed).toHaveProperty('interaction');
      expect(normalise(eventOf({ event: text, userId: text, messageId: text, timestamp: text }))).toHaveProperty(
        'fault',
      );
    }
  });
});

const segment = new URL('../../../shared/data/segment_payloads/spec/', import.meta.url);
if (!existsSync(segment)) console.warn("SKIPPED: Segment's examples are missing");
describe.skipIf(!existsSync(segment))("Segment's own examples", () => {
  test.each(existsSync(segment) ? readdirSync(segment) : [])('%s is read, and nothing of it changed', (name) => {
    const detail = JSON.parse(readFileSync(new URL(name, segment), 'utf8'));
    const read = normalise(eventOf(detail));
    expect(read).toMatchObject({
      interaction: { name: detail.event, at: Date.parse(detail.timestamp), properties: detail.properties },
    });
  });
});

describe('of how a person stands with the shop', () => {
  const track = (event: string, properties: Json, more: object = {}) =>
    normalise(eventOf({ type: 'track', event, userId: 'u-1', properties, ...more }));

  test.each([
    ['Case Opened', 'case_id'],
    ['Case Closed', 'case_id'],
    ['Subscription Started', 'subscription_id'],
    ['Subscription Cancelled', 'subscription_id'],
  ])('"%s" needs "%s", which is kept as a text', (name, id) => {
    expect(track(name, { [id]: 4711, topic: 'late parcel' })).toMatchObject({
      interaction: { name, properties: { [id]: '4711', topic: 'late parcel' } },
    });
    for (const properties of [{}, { [id]: null }, { [id]: ' ' }]) {
      expect(track(name, properties)).toMatchObject({ fault: { code: 'event.missing', path: `properties.${id}` } });
    }
    expect(track(name, { [id]: { a: 1 } })).toMatchObject({ fault: { code: 'event.id', path: `properties.${id}` } });
  });

  const scores = (properties: Json, source = 'kairos', more: object = { contactId: 'c-1' }) =>
    normalise(eventOf({ type: 'track', event: 'Scores Updated', properties, ...more }, { source }));

  test('scores come from Kairos itself, for a contact that it names', () => {
    expect(scores({ 'value.decile': '1', 'loyalty.tier': 'gold', 'rfm.money': null, own: 1 })).toMatchObject({
      interaction: {
        who: { contact: 'c-1' },
        properties: { 'value.decile': 1, 'loyalty.tier': 'gold', own: 1 },
      },
    });
    expect(scores({ 'value.decile': 1 }, 'kairos', { userId: 'u-1' })).toMatchObject({
      fault: { code: 'event.missing', path: 'contactId' },
    });
  });

  test('scores from any other source are refused, whatever its rights, and a contact that it names is not looked at', () => {
    for (const rights of [undefined, { events: '*', identify: true, consent: true, address: true } as SourceRights]) {
      expect(
        normalise(
          eventOf({ type: 'track', event: 'Scores Updated', userId: 'u-1', contactId: 'c-1', properties: {} }),
          rights,
        ),
      ).toMatchObject({ fault: { code: 'source.event-not-allowed', path: 'event' } });
    }
  });

  test('a score that is no number is refused without being quoted', () => {
    for (const value of ['high', true, [1], { a: 1 }]) {
      expect(scores({ 'value.decile': value })).toMatchObject({
        fault: { code: 'event.number', path: 'properties["value.decile"]' },
      });
    }
    expect(JSON.stringify(scores({ 'value.decile': 'secret' }))).not.toContain('secret');
  });
});
