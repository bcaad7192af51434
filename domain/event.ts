// From an EventBridge event to an interaction: what is read, what is refused, and the keys that come from it alone.
import * as z from 'zod';
import { parseAddress } from './address.ts';
import { type Fault, KairosError } from './fault.ts';
import { kindOf, readId, readProperties, shapeFault } from './fields.ts';
import { type Interaction, type Json, type JsonObject, type SubjectKey, sha256 } from './interaction.ts';
import { orderKeyOf, orderSubject } from './order.ts';
import { screen } from './screen.ts';

/** An event as EventBridge hands it over; `detail` is a track or identify envelope. */
export interface EventBridgeEvent {
  id: string;
  source: string;
  'detail-type': string;
  time: string;
  detail: unknown;
}

/** What a source may say. */
export interface SourceRights {
  events: string[] | '*';
  identify: boolean;
  consent: boolean;
  address: boolean;
}

/** The source of our own events. */
export const OWN_SOURCE = 'kairos';
/** Events that only we send, to a contact that we name. */
const OWN_EVENTS = new Set(['Scores Updated']);
const MOST_HOPS = 5;
const MOST_AHEAD_MS = 5 * 60_000;
const EARLIEST = Date.UTC(2000, 0, 1);
const MOST_TRAIT_CHARACTERS = 1000;

const IdValue = z.union([z.string(), z.number()], { error: 'a text or a whole number' }).nullish();
const AnyObject = z.looseObject({});
const Instant = z.iso.datetime({ offset: true, error: 'an ISO 8601 instant such as 2026-11-27T08:00:00Z' });

/**
 * The envelope of a track or identify call, as Segment has it: shapes only, unknown keys allowed. `normalise` checks
 * the rest (ids, times, properties, size).
 */
export const Envelope = z.looseObject({
  type: z.enum(['track', 'identify'], { error: 'track or identify' }).optional(),
  event: z.string().max(500).optional(),
  messageId: IdValue,
  userId: IdValue,
  anonymousId: IdValue,
  timestamp: Instant.nullish(),
  properties: AnyObject.nullish(),
  traits: AnyObject.nullish(),
  context: z.looseObject({ traits: AnyObject.nullish() }).nullish(),
  hops: z.int().min(0).optional(),
});
export type Envelope = z.infer<typeof Envelope>;

const Outer = z.looseObject({
  id: z.string().min(1).max(256),
  source: z.string().min(1).max(256),
  'detail-type': z.string().max(500),
  time: Instant,
  detail: AnyObject,
});

const Name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, { error: 'small letters, digits and hyphens, at most 64' });
const Short = z.string().max(500);
const consentFields = {
  brand: Name.optional(),
  channel: z.enum(['email'], { error: 'email' }).default('email'),
  basis: z.enum(['double', 'single', 'soft', 'imported'], { error: 'double, single, soft or imported' }).optional(),
  wording: Short.optional(),
  source: Short.optional(),
  form: Short.optional(),
  until: z.union([Instant, z.iso.date()], { error: 'a date, or an ISO 8601 instant' }).optional(),
};
const Given = z.looseObject({ ...consentFields, topic: Name });
const Withdrawn = z.looseObject({ ...consentFields, topic: Name.optional(), all: z.boolean().optional() });
const Chosen = z.looseObject({ brand: Name.optional(), source: Short.optional() });
const Paused = Chosen.extend({ until: z.union([Instant, z.iso.date()], { error: 'a date, or an ISO 8601 instant' }) });
/** What a person says of how they want to be treated: heard from our own links, and from sources that may speak of consent. */
const wishSchemas: Record<string, z.ZodType> = {
  'Consent Requested': Given,
  'Consent Granted': Given,
  'Consent Withdrawn': Withdrawn,
  'Pause Requested': Paused,
  'Pause Ended': Chosen,
  'Profiling Stopped': Chosen,
  'Profiling Allowed': Chosen,
};

/**
 * The interaction that an event states, or the fault for which it can never be recorded. `rights`: what the source may
 * say; absent = everything. Never throws, reads no clock, quotes nothing personal in a fault, does not change `event`.
 * An address that cannot be written to does not fail the event: trait `emailRefused` says why.
 */
export function normalise(
  event: EventBridgeEvent,
  rights?: SourceRights,
): { interaction: Interaction } | { fault: Fault } {
  try {
    return { interaction: read(event, rights) };
  } catch (error) {
    if (error instanceof KairosError) return { fault: error.fault };
    // Values that JSON cannot hold (throwing getters, revoked proxies): not from a bus, and no reason to stop a batch.
    return { fault: { code: 'event.unreadable', path: '', message: 'the event cannot be read.' } };
  }
}

function read(event: EventBridgeEvent, rights: SourceRights | undefined): Interaction {
  screen(event?.detail);
  const outer = check(Outer, event);
  const { source } = outer;
  if (source.includes('#') || /[\u0000-\u001f\u007f]/.test(source)) {
    throw shapeFault(['source'], source, 'a name without "#" and control characters');
  }
  const envelope = check(Envelope, outer.detail);
  const hops = envelope.hops ?? 0;
  if (hops > MOST_HOPS) {
    refuse(
      'event.hops',
      'hops',
      'the event has come from events too often: a loop.',
      String(hops),
      `at most ${MOST_HOPS}`,
    );
  }

  const name = nameOf(envelope, outer['detail-type']);
  checkRights(name, rights);
  const at = timeOf(envelope.timestamp, outer.time);
  const properties = propertiesOf(name, (envelope.properties ?? {}) as JsonObject);
  const claims = claimsOf(envelope, rights);
  const contact = contactOf(envelope, source, claims, rights);
  if (OWN_EVENTS.has(name) && (source !== OWN_SOURCE || contact === undefined)) throw notOurs(name, source);
  const order = orderKeyOf({ name, source, properties });
  const product = name === 'Product Updated' ? String(properties.product_id) : undefined;

  // A product's own news names nobody, whoever typed it in.
  const who: Interaction['who'] = {};
  if (product === undefined) {
    const user = personId(envelope.userId, 'userId');
    const anonymous = personId(envelope.anonymousId, 'anonymousId');
    if (user !== undefined) who.user = sha256(user);
    if (claims.hash !== undefined) who.address = claims.hash;
    if (anonymous !== undefined) who.anonymous = sha256(anonymous);
    if (contact !== undefined) who.contact = contact;
  }
  const subject = subjectOf(who, order, product);
  if (subject === undefined) throw nobody(claims, rights);

  return {
    id: idOf(envelope, { source, name, properties, order, fallback: outer.id, time: outer.time }),
    subject,
    name,
    at,
    source,
    who,
    ...(claims.address === undefined || product !== undefined ? {} : { address: claims.address }),
    traits: product === undefined ? claims.traits : {},
    properties,
    hops,
  };
}

function nameOf(envelope: Envelope, detailType: string): string {
  if (envelope.type === 'identify' || (envelope.type === undefined && detailType === 'identify')) return 'Identified';
  const given = envelope.event ?? (detailType === 'track' ? '' : detailType);
  const name = given.trim();
  const wrong = (message: string): never =>
    refuse('event.name', 'event', message, kindOf(given), 'a name of 1 to 128 characters such as Order Completed');
  const problem = problemOfName(name);
  return problem === undefined ? name : wrong(problem);
}

/** Why a text, trimmed, cannot be the name of an event; undefined where it can. */
export function problemOfName(name: string): string | undefined {
  if (name === '') return 'the event has no name.';
  if (name.length > 128) return 'the name of the event is too long.';
  if (/[\u0000-\u001f\u007f-\u009f#]/.test(name)) return 'the name holds "#" or a control character.';
  return name in {} || !name.isWellFormed() ? 'this cannot be the name of an event.' : undefined;
}

function checkRights(name: string, rights: SourceRights | undefined): void {
  if (rights === undefined) return;
  if (name === 'Identified') {
    if (!rights.identify) refuse('source.identify-not-allowed', 'type', 'the source may not set attributes.', name);
  } else if (Object.hasOwn(wishSchemas, name)) {
    if (!rights.consent) refuse('source.consent-not-allowed', 'event', 'the source may not speak of consent.', name);
  } else if (rights.events !== '*' && !rights.events.includes(name)) {
    refuse('source.event-not-allowed', 'event', 'the source may not send this event.', name, rights.events.join(', '));
  }
}

/** Event time: the producer's, at most that of EventBridge. */
function timeOf(timestamp: string | null | undefined, received: string): number {
  const arrived = Date.parse(received);
  const at = timestamp === undefined || timestamp === null ? arrived : Date.parse(timestamp);
  const path = timestamp === undefined || timestamp === null ? 'time' : 'timestamp';
  if (!(at >= EARLIEST)) {
    refuse('event.time-too-old', path, 'the event is from before the year 2000.', sayInstant(at), '2000 or later');
  }
  if (at - arrived > MOST_AHEAD_MS) {
    refuse(
      'event.time-ahead',
      path,
      'the event is from the future.',
      sayInstant(at),
      `at most 5 minutes after ${received}`,
    );
  }
  return Math.min(at, arrived);
}

function sayInstant(at: number): string {
  return Number.isNaN(at) ? 'no instant' : new Date(at).toISOString();
}

function propertiesOf(name: string, given: JsonObject): JsonObject {
  if (!Object.hasOwn(wishSchemas, name)) return readProperties(name, given);
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  const read = check(wishSchemas[name]!, present, ['properties']) as JsonObject;
  for (const key of ['topic', 'brand']) {
    if (typeof read[key] === 'string' && read[key] in {})
      throw shapeFault(['properties', key], read[key], 'another name');
  }
  return read;
}

interface Claims {
  traits: JsonObject;
  address?: string;
  hash?: string;
  refused?: string;
  /** An address was given that the source may not claim. */
  withheld?: true;
}

/** Attributes and address as far as the source may give them. */
function claimsOf(envelope: Envelope, rights: SourceRights | undefined): Claims {
  const context = (envelope.context?.traits ?? {}) as JsonObject;
  const { email, ...given } = { ...context, ...((envelope.traits ?? {}) as JsonObject) };
  // Attributes on a track call are what an identify call would set, and ask for the same right.
  const claims: Claims = { traits: rights === undefined || rights.identify ? limited(given) : {} };
  if (email === undefined || email === null || email === '') return claims;
  if (rights !== undefined && !rights.address) return { ...claims, withheld: true };
  const parsed = parseAddress(email as string);
  if ('refused' in parsed) {
    // Consent and purchases of a person with a bad address still count.
    claims.refused = parsed.refused;
    if (rights === undefined || rights.identify) claims.traits.emailRefused = parsed.refused;
  } else {
    claims.address = parsed.address;
    claims.hash = parsed.hash;
  }
  return claims;
}

/**
 * The contact that an event names by our own id, as a notice gave it to those who answer it. From outside it counts where
 * the source may speak of people by address, and only where nothing else names the person: who is known to the shop is
 * whom the shop says.
 */
function contactOf(
  { contactId, userId, anonymousId }: Envelope,
  source: string,
  claims: Claims,
  rights: SourceRights | undefined,
): string | undefined {
  if (source === OWN_SOURCE) return readId(contactId, ['contactId']);
  if (rights !== undefined && !rights.address) return undefined;
  const named = [userId, anonymousId, claims.hash].some((id) => id !== undefined && id !== null && id !== '');
  return named ? undefined : readId(contactId, ['contactId']);
}

/** Attributes with texts of at most 1,000 characters; `shortened` names those that were cut. */
function limited(traits: JsonObject): JsonObject {
  const kept: JsonObject = {};
  const shortened: string[] = [];
  const short = (value: Json, name: string): Json => {
    if (typeof value === 'string' && value.length > MOST_TRAIT_CHARACTERS) {
      if (!shortened.includes(name)) shortened.push(name);
      const cut = value.slice(0, MOST_TRAIT_CHARACTERS);
      return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
    }
    if (Array.isArray(value)) return value.map((item) => short(item, name));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, short(item, name)]));
  };
  for (const [name, value] of Object.entries(traits)) if (value !== undefined) kept[name] = short(value, name);
  if (shortened.length > 0) kept.shortened = shortened;
  return kept;
}

/** What code writes where it has no id; all its visitors would become one person. */
const PLACEHOLDERS = new Set(['null', 'undefined', 'nan', '[object object]']);

function personId(value: unknown, key: 'userId' | 'anonymousId'): string | undefined {
  const id = readId(value, [key]);
  if (id !== undefined && PLACEHOLDERS.has(id.toLowerCase())) {
    refuse(
      'event.id-placeholder',
      key,
      'this stands for "no id", and is sent for many people.',
      id.toLowerCase(),
      'an id, or no key at all',
    );
  }
  return id;
}

function subjectOf(
  who: Interaction['who'],
  order: string | undefined,
  product: string | undefined,
): SubjectKey | undefined {
  if (product !== undefined) return `product#${sha256(product)}`;
  if (who.contact !== undefined) return `contact#${who.contact}`;
  if (who.user !== undefined) return `user#${who.user}`;
  if (who.address !== undefined) return `address#${who.address}`;
  if (who.anonymous !== undefined) return `anonymous#${who.anonymous}`;
  return order === undefined ? undefined : orderSubject(order);
}

function notOurs(name: string, source: string): KairosError {
  if (source !== OWN_SOURCE) {
    return new KairosError({
      code: 'source.event-not-allowed',
      path: 'event',
      message: 'only Kairos itself may send this event.',
      received: name,
      expected: 'an event of a name of its own',
      remedy: 'Send what you know of a person as attributes (identify), under names of your own.',
    });
  }
  return new KairosError({
    code: 'event.missing',
    path: 'contactId',
    message: `"${name}" names its contact by id.`,
    received: 'nothing',
    expected: 'contactId',
  });
}

function nobody(claims: Claims, rights: SourceRights | undefined): KairosError {
  const why = claims.withheld
    ? 'the source may not claim addresses, and nothing else names a person.'
    : claims.refused !== undefined
      ? `the address is refused (${claims.refused}), and nothing else names a person.`
      : 'the event names no person, no order and no product.';
  return new KairosError({
    code: claims.withheld ? 'source.address-not-allowed' : 'event.nobody',
    path: '',
    message: why,
    received: 'nothing',
    expected: `userId, anonymousId${rights === undefined || rights.address ? ', traits.email, contactId' : ''} or, for orders, properties.order_id`,
  });
}

/** The same for every delivery of one event: the producer's id, else made of what the event says, else EventBridge's. */
function idOf(
  envelope: Envelope,
  known: {
    source: string;
    name: string;
    properties: JsonObject;
    order: string | undefined;
    fallback: string;
    time: string;
  },
): string {
  const given = readId(envelope.messageId, ['messageId']);
  const id = given ?? orderEventId(envelope, known) ?? known.fallback;
  // A sort key takes 1,024 bytes, the event's name among them.
  return Buffer.byteLength(id) > 256 ? sha256(id) : id;
}

function orderEventId(
  envelope: Envelope,
  { name, properties, order, time }: { name: string; properties: JsonObject; order: string | undefined; time: string },
): string | undefined {
  if (order === undefined) return undefined;
  // Of one order there may be several refunds, updates and partial cancellations.
  const many =
    name === 'Order Refunded' || name === 'Order Updated' || (name === 'Order Cancelled' && properties.products);
  if (!many) return `${order}#${name}`;
  const refund = name === 'Order Refunded' ? properties.refund_id : undefined;
  const which = refund ?? new Date(envelope.timestamp ?? time).toISOString();
  return `${order}#${name}#${String(which)}`;
}

function check<S extends z.ZodType>(schema: S, value: unknown, at: PropertyKey[] = []): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  let found: unknown = value;
  for (const key of issue.path) found = (found as Record<PropertyKey, unknown> | null | undefined)?.[key];
  const expected =
    issue.code === 'invalid_type' && issue.message.startsWith('Invalid') ? KINDS[issue.expected] : undefined;
  throw shapeFault([...at, ...issue.path], found, expected ?? issue.message);
}

const KINDS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
};

function refuse(code: string, path: string, message: string, received: string, expected?: string): never {
  throw new KairosError({ code, path, message, received, ...(expected === undefined ? {} : { expected }) });
}
