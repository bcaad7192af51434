// What SES and the person report: folded into the message; blocks into suppression and contact in one transaction.

import { type Block, foldBlock } from '../../domain/block.ts';
import type { Book } from '../../domain/book.ts';
import { type Contact, releaseMessage } from '../../domain/contact.ts';
import { consentAt } from '../../domain/facts.ts';
import {
  applyFeedback,
  type Feedback,
  isSoftBounce,
  retiredSince,
  SOFT_BOUNCES,
  suppressionOf,
} from '../../domain/feedback.ts';
import type { Interaction } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import type { BookStore } from './book-store.ts';
import { raiseWatermark } from './claims.ts';
import { jitter, sleep } from './clock.ts';
import type { Recorder } from './recorder.ts';
import {
  Cancelled,
  type Item,
  key,
  MOST_WRITES,
  readMessage,
  type Table,
  type Versioned,
  type Write,
} from './table.ts';
import { emptyWorld, readContacts } from './world.ts';

export interface FeedbackDeps {
  table: Table;
  books: BookStore;
  recorder: Recorder;
}

const MOST_ATTEMPTS = 4;
const NAMES: Partial<Record<Feedback['type'], string>> = {
  delivery: 'Email Delivered',
  open: 'Email Opened',
  click: 'Email Clicked',
};

/** What may show that a mail did not bounce softly after all. */
const ENDING: ReadonlySet<Feedback['type']> = new Set(['delivery', 'reject', 'rendering-failure']);

/**
 * Takes one feedback in. Answers false when the message that it speaks of is not there. Repeats change nothing, and
 * any order ends in one state of message, suppression and block. Of a message only one open and one click, the first
 * that is heard of, become interactions.
 */
export async function takeFeedback(heard: Feedback, deps: FeedbackDeps): Promise<boolean> {
  const { table } = deps;
  let item: Item | undefined;
  let feedback: Feedback | undefined;
  for (let attempt = 1; ; attempt++) {
    item = await table.readOne(key.message(heard.contact, heard.message));
    if (item === undefined) return false;
    // Never a mail: whatever is told of it is of another.
    if (item.state === 'ghost') return true;
    feedback ??= (await counts(heard, readMessage(item), deps)) ? heard : { ...heard, automated: true };
    const reason = suppressionOf(feedback);
    const done =
      reason === undefined ? await foldIn(item, feedback, table) : await suppress(item, feedback, reason, table);
    if (done) break;
    if (attempt === MOST_ATTEMPTS) throw new Error('feedback: other writers stayed in the way');
    await sleep(jitter(attempt));
  }
  const message = readMessage(item);
  if (feedback.type === 'send' && feedback.sentAt !== undefined && message.claimedAt !== undefined) {
    // Of a claim made again, an event of the first attempt says nothing about the second.
    await raiseWatermark(table, Math.min(message.claimedAt, feedback.sentAt));
  }
  if (isSoftBounce(feedback) || ENDING.has(feedback.type)) await retire(feedback, deps);
  await tellRules(message, feedback, deps);
  return true;
}

/** Opens count only where the shop asks for them and the person consented before, and has not withdrawn since. */
async function counts(feedback: Feedback, message: Message, { table, books }: FeedbackDeps): Promise<boolean> {
  if (feedback.type !== 'open' || feedback.automated === true) return true;
  const book = await books.current();
  const { settings } = book.definitions;
  if (settings.tracking?.opens !== true) return false;
  const { contact } = await against(table, feedback);
  const brand = settings.senders[message.sender]?.brand ?? book.brand;
  return contact !== undefined && consentAt(contact.value.facts, brand, 'tracking', 'email', feedback.at) !== undefined;
}

async function foldIn(item: Item, feedback: Feedback, table: Table): Promise<boolean> {
  const before = readMessage(item);
  const after = applyFeedback(before, feedback);
  return after === before || table.replaceMessage(item, after);
}

/** Message, suppression, the contact's block and its ready messages: all or nothing. */
async function suppress(
  item: Item,
  feedback: Feedback,
  reason: 'bounced' | 'complained',
  table: Table,
): Promise<boolean> {
  const before = readMessage(item);
  const after = applyFeedback(before, feedback);
  const { contact, hash, known } = await against(table, feedback);
  const writes: Write[] = [];
  if (after !== before) writes.push(table.messageReplacement(item, after));
  if (hash !== undefined) {
    const block = foldBlock(known, { reason, at: feedback.at });
    if (block !== known) writes.push(suppressionWrite(table, hash, known, block));
    writes.push(...(await blockWrites(contact, hash, block, before.id, table)));
  }
  return transacted(table, writes);
}

/**
 * Brings suppression and contact to what the messages say of bounces that may pass: given up, or not any more. Reads
 * the messages of the contact (and of those that it was merged from on the way), a few dozen items, at a soft bounce
 * only; a delivery reads the suppression, and goes on only where that says `unreachable`. Looks again after each
 * write: of two workers with news of one address the later one sees both.
 */
async function retire(feedback: Feedback, deps: FeedbackDeps): Promise<void> {
  const { table, books } = deps;
  if (!isSoftBounce(feedback)) {
    if (feedback.sentTo === undefined) return;
    if ((await table.readOne(key.suppression(feedback.sentTo)))?.reason !== 'unreachable') return;
  }
  const policy = (await books.current()).definitions.settings.softBounces ?? SOFT_BOUNCES;
  for (let attempt = 1; ; attempt++) {
    const { contact, hash, known, chain } = await against(table, feedback);
    // What stands there for a stronger reason stays.
    if (hash === undefined || (known !== undefined && known.reason !== 'unreachable')) return;
    const items = await Promise.all(chain.map((id) => table.under(`CONTACT#${id}`, 'MESSAGE#')));
    const since = retiredSince(items.flat().map(readMessage), hash, policy);
    if (since === known?.at) return;
    const writes =
      since === undefined
        ? liftWrites(table, hash, known as Block, contact)
        : [
            suppressionWrite(table, hash, known, { reason: 'unreachable', at: since }),
            ...(await blockWrites(contact, hash, { reason: 'unreachable', at: since }, undefined, table)),
          ];
    if (await transacted(table, writes)) continue;
    if (attempt >= 2 * MOST_ATTEMPTS) throw new Error('feedback: other writers stayed in the way');
    await sleep(jitter(attempt));
  }
}

/** All writes or none; false when another writer was first. */
async function transacted(table: Table, writes: Write[]): Promise<boolean> {
  if (writes.length === 0) return true;
  try {
    await table.transact(writes);
    return true;
  } catch (error) {
    if (error instanceof Cancelled) return false;
    throw error;
  }
}

/** The living contact, the ids on the way to it, and what stands against the address: the mail's, else the contact's. */
async function against(
  table: Table,
  { contact: id, sentTo }: Pick<Feedback, 'contact' | 'sentTo'>,
): Promise<{ contact?: Versioned<Contact>; chain: string[]; hash?: string; known?: Block }> {
  const world = emptyWorld();
  await readContacts(table, world, [id], sentTo === undefined ? [] : [sentTo]);
  const chain = [id];
  let contact = world.contacts.get(id);
  while (contact?.value.mergedInto !== undefined) {
    chain.push(contact.value.mergedInto);
    contact = world.contacts.get(contact.value.mergedInto);
  }
  const hash = sentTo ?? contact?.value.facts.addressHash;
  if (hash !== undefined && sentTo === undefined) await readContacts(table, world, [], [hash]);
  const known = hash === undefined ? undefined : (world.suppressions.get(hash)?.suppression as Block | undefined);
  return {
    chain,
    ...(contact !== undefined && { contact }),
    ...(hash !== undefined && { hash }),
    ...(known !== undefined && { known }),
  };
}

/** The block on the contact where it has this address, and its ready messages taken back. */
async function blockWrites(
  contact: Versioned<Contact> | undefined,
  hash: string,
  block: Block,
  about: string | undefined,
  table: Table,
): Promise<Write[]> {
  if (contact === undefined || contact.value.facts.addressHash !== hash) return [];
  const { facts, journey } = contact.value;
  if (facts.suppressed?.reason === block.reason && facts.suppressed.at === block.at) return [];
  let blocked: Contact = { ...contact.value, facts: { ...facts, suppressed: block } };
  const pending = journey.runs.flatMap((run) =>
    run.pending.map(({ id, contact: holder }) => key.message(holder ?? contact.value.id, id)),
  );
  const found = await table.read(pending);
  const drops: Write[] = [];
  for (const each of pending) {
    const item = found.get(each);
    if (item?.state !== 'ready' || item.sk === `MESSAGE#${about}` || drops.length === MOST_WRITES - 3) continue;
    const { due: _, ...rest } = readMessage(item);
    drops.push(table.messageReplacement(item, { ...rest, state: 'dropped', reason: `suppressed: ${block.reason}` }));
    blocked = releaseMessage(blocked, rest.id);
  }
  return [table.contactWrite(contact, blocked), ...drops];
}

/** The suppression gone, and the contact's block with it, if both are still what was read. */
function liftWrites(table: Table, hash: string, known: Block, contact: Versioned<Contact> | undefined): Write[] {
  const { Put } = suppressionWrite(table, hash, known, known) as { Put: NonNullable<Write['Put']> };
  const { Item: _, ...condition } = Put;
  const writes: Write[] = [{ Delete: { ...condition, Key: key.suppression(hash) } }];
  const facts = contact?.value.facts;
  if (contact !== undefined && facts?.addressHash === hash && facts.suppressed?.reason === 'unreachable') {
    const { suppressed: _, ...rest } = facts;
    writes.push(table.contactWrite(contact, { ...contact.value, facts: rest }));
  }
  return writes;
}

/** A suppression in place of the one that was read. */
function suppressionWrite(table: Table, hash: string, known: Block | undefined, block: Block): Write {
  const Item = { ...key.suppression(hash), shape: 1, reason: block.reason, at: block.at };
  if (known === undefined) return table.creation(Item);
  return {
    Put: {
      TableName: table.name,
      Item,
      ConditionExpression: '#reason = :reason AND #at = :at',
      ExpressionAttributeNames: { '#reason': 'reason', '#at': 'at' },
      ExpressionAttributeValues: { ':reason': known.reason, ':at': known.at },
    },
  };
}

/** Deliveries, opens and clicks of people become interactions, once per message, where the book reads them. */
async function tellRules(message: Message, feedback: Feedback, { books, recorder }: FeedbackDeps): Promise<void> {
  const name = NAMES[feedback.type];
  if (name === undefined || feedback.automated === true) return;
  const book: Book = await books.current();
  if (book.ignores(name)) return;
  const { campaign, key: send, step, id } = message;
  // A step as people name it: by its e-mail, in all versions.
  const properties: Interaction['properties'] = { campaign, step: send ?? step, message: id };
  if (feedback.link !== undefined) properties.link = feedback.link;
  const interaction: Interaction = {
    id: message.id,
    subject: `contact#${message.contact}`,
    name,
    at: feedback.at,
    source: 'kairos',
    who: { contact: message.contact },
    traits: {},
    properties,
    hops: 1,
  };
  const [outcome] = await recorder.record([{ interaction }]);
  if (outcome?.kind === 'failed') throw outcome.error;
}
