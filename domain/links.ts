// Signed links: who may unsubscribe, confirm or choose, stated in the link itself and proved by an HMAC.
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';

export interface LinkPayload {
  kind: 'unsubscribe' | 'confirm' | 'preferences' | 'view';
  contact: string;
  brand: string;
  message: string;
  topic?: string;
  wording?: string;
  form?: string;
  /** Hash of the book that its mail was made of. */
  book?: string;
  /** Epoch milliseconds after which the link says nothing any more; whoever reads it compares. */
  until?: number;
}

/** Keys by id; `current` signs. Keys that ever signed stay for verifying: a link lives as long as its mail. */
export interface LinkKeys {
  current: string;
  keys: Record<string, string>;
}

const MOST_CHARACTERS = 2048;
const PART = /^[A-Za-z0-9_-]+$/;
const text = z.string().max(500);
/** The letter of each kind: in the token, and the door that a link of that kind leads to. */
export const DOORS = { unsubscribe: 'u', confirm: 'c', preferences: 'p', view: 'w' } as const satisfies Record<
  LinkPayload['kind'],
  string
>;
const KINDS = { u: 'unsubscribe', c: 'confirm', p: 'preferences', w: 'view' } as const;
/** One-letter names keep the address short. */
const Written = z.strictObject({
  k: z.enum(['u', 'c', 'p', 'w']),
  c: text.min(1),
  b: text.min(1),
  m: text.min(1),
  t: text.optional(),
  w: text.optional(),
  f: text.optional(),
  h: text.optional(),
  e: z.int().optional(),
});

/**
 * `<payload>.<key id>.<signature>`, each part base64url: safe in a path. Throws when
 * the current key is missing, or a text is empty or too long for a link.
 */
export function signLink(payload: LinkPayload, keys: LinkKeys): string {
  const { kind, contact: c, brand: b, message: m, topic: t, wording: w, form: f, book: h, until: e } = payload;
  const written = Written.parse({ k: DOORS[kind], c, b, m, t, w, f, h, e });
  const secret = secretOf(keys, keys.current);
  if (secret === undefined || !PART.test(keys.current)) throw new Error('links.key: the current key is missing');
  const signed = `${Buffer.from(JSON.stringify(written)).toString('base64url')}.${keys.current}`;
  const token = `${signed}.${signature(signed, secret)}`;
  if (token.length > MOST_CHARACTERS) throw new Error(`links.length: the link would be longer than ${MOST_CHARACTERS}`);
  return token;
}

/** What a token states, or undefined when it is not one of ours, whatever is wrong with it. Never throws. */
export function readLink(token: string, keys: LinkKeys): LinkPayload | undefined {
  if (typeof token !== 'string' || token.length > MOST_CHARACTERS) return undefined;
  const parts = token.split('.');
  if (parts.length !== 3 || !parts.every((part) => PART.test(part))) return undefined;
  const [body, key, given] = parts as [string, string, string];
  const secret = secretOf(keys, key);
  if (secret === undefined) return undefined;
  // Compared as text: several base64url texts decode to the same bytes.
  const expected = Buffer.from(signature(`${body}.${key}`, secret));
  const found = Buffer.from(given);
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) return undefined;
  const parsed = Written.safeParse(parseJson(Buffer.from(body, 'base64url').toString('utf8')));
  if (!parsed.success) return undefined;
  const { k, c, b, m, t, w, f, h, e } = parsed.data;
  return {
    kind: KINDS[k],
    contact: c,
    brand: b,
    message: m,
    ...(t === undefined ? {} : { topic: t }),
    ...(w === undefined ? {} : { wording: w }),
    ...(f === undefined ? {} : { form: f }),
    ...(h === undefined ? {} : { book: h }),
    ...(e === undefined ? {} : { until: e }),
  };
}

// A KeyObject signs nine times as fast as the bytes. There are a handful of keys in a lifetime.
const keyObjects = new Map<string, KeyObject>();

function secretOf({ keys }: LinkKeys, id: string): KeyObject | undefined {
  const secret = Object.hasOwn(keys, id) ? keys[id] : undefined;
  if (typeof secret !== 'string' || secret === '') return undefined;
  let known = keyObjects.get(secret);
  if (known === undefined) {
    known = createSecretKey(secret, 'utf8');
    if (keyObjects.size >= 64) keyObjects.clear();
    keyObjects.set(secret, known);
  }
  return known;
}

/** The prefix keeps a link's signature from being one of anything else that the key may sign. */
function signature(signed: string, secret: KeyObject): string {
  return createHmac('sha256', secret).update(`kairos link 1.${signed}`).digest('base64url');
}

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
