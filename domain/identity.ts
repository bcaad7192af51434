// Whose event is it: from the identities of an event and what is known of them to one contact.
import type { Contact } from './contact.ts';
import { type Interaction, identityKeys, type SubjectKey } from './interaction.ts';
import type { Order } from './order.ts';

export type Resolution =
  /** `merge`: another contact that is the same person; fold it in with `mergeContacts`, then resolve again. */
  | { kind: 'contact'; id: string; link: SubjectKey[]; merge?: string }
  | { kind: 'new'; link: SubjectKey[] }
  /** No person is known: an event of an order, or of a product, alone. */
  | { kind: 'none' };

function holds(contact: Contact, kind: 'user' | 'address'): boolean {
  return contact.aliases.some((alias) => alias.startsWith(`${kind}#`));
}

/** May `other` be folded into `base` because one event named both? Never two users, never two known addresses. */
function samePerson(base: Contact, other: Contact): boolean {
  if (holds(base, 'user') && holds(other, 'user')) return false;
  return !(holds(base, 'address') && holds(other, 'address'));
}

/**
 * `known` maps subject keys to ids of living contacts (remainders of merges already followed); `contacts` holds every
 * contact that `known` and `order` name. The user id decides, then the address, then the anonymous id, then the
 * order's owner. An address or a device that belongs to somebody else is left with him: the event counts for the
 * user whom it names, and that contact stays without the address. `link` lists the keys that become this contact's.
 */
export function resolve(
  interaction: Interaction,
  known: ReadonlyMap<SubjectKey, string>,
  contacts: ReadonlyMap<string, Contact>,
  order?: Order,
): Resolution {
  if (interaction.who.contact !== undefined) return { kind: 'contact', id: interaction.who.contact, link: [] };
  const keys = identityKeys(interaction.who);
  if (keys.length === 0) {
    return order?.owner === undefined ? { kind: 'none' } : { kind: 'contact', id: order.owner, link: [] };
  }
  const link = keys.filter((key) => !known.has(key));
  const owners = keys.flatMap((key) => {
    const contact = contacts.get(known.get(key) ?? '');
    return contact === undefined ? [] : [{ key, contact }];
  });
  const named = owners.find(({ key }) => key === keys[0]);
  // A user id seen for the first time may belong to the person of the address or the device, unless that one is a user.
  const first = named ?? owners.find(({ contact }) => mayBecome(contact, keys));
  if (first === undefined) return { kind: 'new', link };
  const base = first.contact;
  const linked = link.filter((key) => mayLink(base, key));
  // With its new keys: a new user on a fresh device is not the user whose address he claims.
  const grown = linkContact(base, linked);
  const other = owners.find(({ contact }) => contact.id !== base.id && samePerson(grown, contact));
  const resolution: Resolution = { kind: 'contact', id: base.id, link: linked };
  if (other !== undefined) resolution.merge = other.contact.id;
  return resolution;
}

/** Nobody takes a second user id, nor a second address by way of a shared device. */
function mayBecome(contact: Contact, keys: SubjectKey[]): boolean {
  if (keys.some((key) => key.startsWith('user#')) && holds(contact, 'user')) return false;
  const address = keys.find((key) => key.startsWith('address#'));
  return address === undefined || contact.aliases.includes(address) || !holds(contact, 'address');
}

/** A known user may change to an address that nobody holds; a contact never takes a second user id. */
function mayLink(contact: Contact, key: SubjectKey): boolean {
  return !key.startsWith('user#') || !holds(contact, 'user');
}

/** The contact with keys added to its aliases. */
export function linkContact(contact: Contact, link: SubjectKey[]): Contact {
  const added = link.filter((key) => !contact.aliases.includes(key));
  return added.length === 0 ? contact : { ...contact, aliases: [...contact.aliases, ...added] };
}
