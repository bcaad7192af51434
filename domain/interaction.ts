// A validated fact about a person, and the keys under which it and the person are found.
import { hash } from 'node:crypto';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** `user#<hash>`, `address#<hash>`, `anonymous#<hash>`, `order#<hash>`, `product#<hash>` or `contact#<id>`. */
export type SubjectKey = string;
export type IdentityKind = 'user' | 'address' | 'anonymous';

export interface Interaction {
  /** Stable: the producer's messageId, else made from the event alone, else EventBridge's id. */
  id: string;
  /** From the event alone, so that a repeat meets the same key: user, else address, else anonymous, else order, else product. */
  subject: SubjectKey;
  /** The event's name: Segment's spec, or a custom one. `identify` calls are named `Identified`. */
  name: string;
  /** Event time, epoch milliseconds. */
  at: number;
  /** The producing source: EventBridge's `source`. */
  source: string;
  /** Who: hashes only, strongest first. `contact`: on events of our own, and on answers to what we told others. */
  who: { user?: string; address?: string; anonymous?: string; contact?: string };
  /** The address as written, normalised; only where the source may claim one. */
  address?: string;
  /** Attributes given with the event (identify, context.traits), the address apart. */
  traits: JsonObject;
  properties: JsonObject;
  hops: number;
}

/** SHA-256 of a text, in hex. */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

/** A short stable hash: 20 characters of base64url (120 bits), safe in keys and in SES tag values. */
export function shortHash(...parts: string[]): string {
  return hash('sha256', parts.join('\u0000'), 'base64url').slice(0, 20);
}

/** The subject keys under which an identity of this interaction is known, strongest first. */
export function identityKeys(who: Interaction['who']): SubjectKey[] {
  const keys: SubjectKey[] = [];
  if (who.user !== undefined) keys.push(`user#${who.user}`);
  if (who.address !== undefined) keys.push(`address#${who.address}`);
  if (who.anonymous !== undefined) keys.push(`anonymous#${who.anonymous}`);
  return keys;
}
