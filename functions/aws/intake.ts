// The HTTPS door: who asks, what they may say, and every event checked before any is put on the bus.
import { createHash, timingSafeEqual } from 'node:crypto';
import { type EventBridgeEvent, normalise, OWN_SOURCE, type SourceRights } from '../../domain/event.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import type { BusEvent } from './bus.ts';
import type { Secrets, Source } from './secrets.ts';

const MOST_BODY = 256 * 1024;
const MOST_EVENTS = 100;
/** Compared where the source is unknown, so that the answer takes as long. */
const NOBODY = createHash('sha256').update('nobody').digest();

export interface Refusal {
  status: number;
  body: JsonObject;
  headers?: Record<string, string>;
}

export interface Request {
  method: string;
  path: string;
  headers: Record<string, string | undefined>;
  body: Buffer;
}

/** The events of a request, ready for the bus, or why it is refused as a whole. */
export function readRequest(
  request: Request,
  secrets: Secrets,
  now: number,
): { events: BusEvent[] } | { refusal: Refusal } {
  const refuse = (status: number, code: string, message: string, more: JsonObject = {}): { refusal: Refusal } => ({
    refusal: { status, body: { error: { code, message, ...more } } },
  });
  const route = /\/(events|v1\/track|v1\/identify|v1\/batch)\/?$/.exec(request.path)?.[1];
  if (route === undefined) return refuse(404, 'door.path', 'events go to /events');
  if (request.method !== 'POST') {
    const refused = refuse(405, 'door.method', 'events are POSTed');
    return { refusal: { ...refused.refusal, headers: { allow: 'POST' } } };
  }
  const source = authenticate(request.headers.authorization, secrets);
  if (source === undefined) {
    const refused = refuse(401, 'door.secret', 'send "Authorization: Bearer <source>.<secret>"');
    return { refusal: { ...refused.refusal, headers: { 'www-authenticate': 'Bearer' } } };
  }
  if (request.body.length > MOST_BODY) {
    return refuse(413, 'door.body', `the body has ${request.body.length} bytes, at most ${MOST_BODY} are taken`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(request.body.toString('utf8'));
  } catch {
    return refuse(400, 'door.json', 'the body is not JSON');
  }
  const envelopes = listOf(parsed, route);
  if (envelopes.length === 0) return refuse(400, 'door.empty', 'there is no event in the body');
  if (envelopes.length > MOST_EVENTS) {
    return refuse(413, 'door.events', `${envelopes.length} events, at most ${MOST_EVENTS} are taken at once`);
  }
  const events: BusEvent[] = [];
  for (const [index, envelope] of envelopes.entries()) {
    const detail = withRights(envelope, source.rights, route, now);
    const name = nameOf(detail);
    const event: EventBridgeEvent = {
      id: 'door',
      source: source.id,
      'detail-type': name,
      time: new Date(now).toISOString(),
      detail,
    };
    const read = normalise(event, source.rights);
    if ('fault' in read) {
      const { code, path, message, expected } = read.fault;
      const where: JsonObject = { index, path, ...(expected !== undefined && { expected }) };
      return refuse(code.startsWith('source.') ? 403 : 400, code, message, where);
    }
    events.push({ source: source.id, detailType: name, detail });
  }
  return { events };
}

/** The source that a header proves, in a time that says nothing about which part was wrong. */
export function authenticate(
  header: string | undefined,
  { sources }: Secrets,
): { id: string; rights: SourceRights } | undefined {
  const credential = credentialOf(header ?? '');
  const dot = credential.indexOf('.');
  const id = dot < 0 ? '' : credential.slice(0, dot);
  const known: Source | undefined = Object.hasOwn(sources, id) && id !== OWN_SOURCE ? sources[id] : undefined;
  const expected = known === undefined ? NOBODY : Buffer.from(known.hash, 'hex');
  const given = createHash('sha256')
    .update(credential.slice(dot + 1))
    .digest();
  const same = timingSafeEqual(given, expected);
  if (known === undefined || !same) return undefined;
  const { hash: _, ...rights } = known;
  return { id, rights };
}

function credentialOf(header: string): string {
  const [scheme = '', value = ''] = header.split(/\s+/, 2);
  if (/^bearer$/i.test(scheme)) return value;
  if (!/^basic$/i.test(scheme)) return '';
  // Segment's libraries send their key as the user name, with no password.
  return Buffer.from(value, 'base64').toString('utf8').replace(/:.*$/s, '');
}

function listOf(parsed: unknown, route: string): unknown[] {
  if (Array.isArray(parsed)) return parsed;
  const { batch } = (parsed ?? {}) as { batch?: unknown };
  if (Array.isArray(batch) && (route === 'events' || route === 'v1/batch')) return batch;
  return [parsed];
}

/**
 * The envelope with what the source may not say taken out, so that whoever reads the bus need not know the source's
 * rights; with a time, so that it stays the same however late the bus delivers it.
 */
function withRights(envelope: unknown, rights: SourceRights, route: string, now: number): unknown {
  if (envelope === null || typeof envelope !== 'object' || Array.isArray(envelope)) return envelope;
  const { contactId, ...detail } = envelope as Record<string, unknown>;
  if (rights.address && contactId !== undefined) detail.contactId = contactId;
  if (detail.type === undefined && route === 'v1/identify') detail.type = 'identify';
  if (detail.type === undefined && route === 'v1/track') detail.type = 'track';
  if (detail.timestamp === undefined || detail.timestamp === null) detail.timestamp = new Date(now).toISOString();
  if (detail.traits !== undefined) detail.traits = allowedTraits(detail.traits, rights);
  const { context } = detail;
  if (isRecord(context) && context.traits !== undefined) {
    detail.context = { ...context, traits: allowedTraits(context.traits, rights) };
  }
  return detail;
}

function allowedTraits(traits: unknown, rights: SourceRights): unknown {
  if (!isRecord(traits)) return traits;
  const { email, ...others } = traits;
  return { ...(rights.identify && others), ...(rights.address && email !== undefined && { email }) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** EventBridge's detail-type: the event's name. */
function nameOf(detail: unknown): string {
  if (!isRecord(detail)) return 'unknown';
  if (detail.type === 'identify') return 'identify';
  return typeof detail.event === 'string' && detail.event.trim() !== '' ? detail.event.trim().slice(0, 128) : 'track';
}
