// Finding a person for a command: by contact id, user id or address, merges followed.
import { parseAddress } from '../domain/address.ts';
import type { Contact } from '../domain/contact.ts';
import { KairosError } from '../domain/fault.ts';
import { type SubjectKey, sha256 } from '../domain/interaction.ts';
import { key, readContact, type Table } from '../functions/aws/table.ts';

const MOST_MERGES = 10;

/** How a person is named on the command line; exactly one. */
export interface Asked {
  id?: string | undefined;
  user?: string | undefined;
  email?: string | undefined;
}

/** Throws KairosError `contact.which` unless one person is named, in one way. */
export function checkAsked({ id, user, email }: Asked): void {
  if ([id, user, email].filter((each) => each !== undefined).length === 1) return;
  throw new KairosError({
    code: 'contact.which',
    path: '',
    message: 'Name one person.',
    remedy: 'Give a contact id, or --user, or --email.',
  });
}

/**
 * Finds a contact by its id, user id or address, merges followed. Throws KairosError `contact.unknown`, and
 * `contact.erased` for one who was erased and has not come back.
 */
export async function findContact(table: Table, asked: Asked): Promise<Contact> {
  let id = asked.id ?? (await contactOf(table, asked));
  for (let hop = 0; hop < MOST_MERGES; hop += 1) {
    const item = await table.readOne(key.contact(id));
    if (item === undefined) break;
    const contact = readContact(item).value;
    if (contact.mergedInto === undefined) return contact;
    id = contact.mergedInto;
  }
  await checkErased(table, `contact#${id}`);
  throw unknown('There is no such contact.');
}

async function contactOf(table: Table, { user, email }: Asked): Promise<string> {
  let subject: SubjectKey;
  if (email !== undefined) {
    const parsed = parseAddress(email);
    if ('refused' in parsed) throw unknown(`This is no address: ${parsed.refused}.`);
    subject = `address#${parsed.hash}`;
  } else subject = `user#${sha256(user ?? '')}`;
  const item = await table.readOne(key.identity(subject));
  if (item !== undefined) return item.contact as string;
  await checkErased(table, subject);
  throw unknown(email === undefined ? 'No contact has this user id.' : 'No contact has this address.');
}

async function checkErased(table: Table, subject: SubjectKey): Promise<void> {
  const mark = await table.readOne(key.erased(subject));
  if (mark === undefined) return;
  throw new KairosError({
    code: 'contact.erased',
    path: '',
    message: `This person was erased on ${new Date(mark.at as number).toISOString().slice(0, 10)}: nothing is known of them.`,
  });
}

const unknown = (message: string): KairosError =>
  new KairosError({
    code: 'contact.unknown',
    path: '',
    message,
    remedy: 'Give a contact id, or --user or --email as the store sends them.',
  });
