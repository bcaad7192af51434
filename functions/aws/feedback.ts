// What SES reports: folded into the message; bounces and complaints into suppression and contact in one transaction.
import { parseAddress } from '../../domain/address.ts';
import { type Contact, releaseMessage } from '../../domain/contact.ts';
import type { EventBridgeEvent } from '../../domain/event.ts';
import { foldSuppression } from '../../domain/facts.ts';
import { applyFeedback, type Feedback, suppressionOf } from '../../domain/feedback.ts';
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

/** The hash of the address that the mail went to: the contact may have another by now. */
export function addressedTo(event: EventBridgeEvent): string | undefined {
  const { mail } = event.detail as { mail?: { destination?: unknown } };
  const first: unknown = Array.isArray(mail?.destination) ? mail.destination[0] : undefined;
  if (typeof first !== 'string') return undefined;
  const parsed = parseAddress(first.replace(/^.*<([^<>]*)>\s*$/, '$1'));
  return 'refused' in parsed ? undefined : parsed.hash;
}

/** Takes one feedback in. Answers false when the message that it speaks of is not there. Repeats change nothing. */
export async function takeFeedback(
  feedback: Feedback,
  addressHash: string | undefined,
  deps: FeedbackDeps,
): Promise<boolean> {
  const { table } = deps;
  let item: Item | undefined;
  for (let attempt = 1; ; attempt++) {
    item = await table.readOne(key.message(feedback.contact, feedback.message));
    if (item === undefined) return false;
    const reason = suppressionOf(feedback);
    const done =
      reason === undefined
        ? await foldIn(item, feedback, table)
        : await suppress(item, feedback, reason, addressHash, table);
    if (done) break;
    if (attempt === MOST_ATTEMPTS) throw new Error('feedback: other writers stayed in the way');
    await sleep(jitter(attempt));
  }
  const message = readMessage(item);
  if (feedback.type === 'send' && message.claimedAt !== undefined) {
    // Of a claim made again, an event of the first attempt says nothing about the second.
    await raiseWatermark(table, Math.min(message.claimedAt, feedback.sentAt));
  }
  await tellRules(message, feedback, deps);
  return true;
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
  addressHash: string | undefined,
  table: Table,
): Promise<boolean> {
  const before = readMessage(item);
  const after = applyFeedback(before, feedback);
  const contact = await livingContact(table, feedback.contact);
  const hash = addressHash ?? contact?.value.facts.addressHash;
  const writes: Write[] = [];
  if (after !== before) writes.push(table.messageReplacement(item, after));
  if (hash !== undefined) writes.push(suppressionWrite(table, hash, reason, feedback.at));
  if (contact !== undefined && hash !== undefined) {
    writes.push(...(await block(contact, { addressHash: hash, reason, at: feedback.at }, before, table)));
  }
  if (writes.length === 0) return true;
  try {
    await table.transact(writes);
    return true;
  } catch (error) {
    if (error instanceof Cancelled) return false;
    throw error;
  }
}

async function block(
  contact: Versioned<Contact>,
  suppression: { addressHash: string; reason: 'bounced' | 'complained'; at: number },
  about: Message,
  table: Table,
): Promise<Write[]> {
  let blocked = foldSuppression(contact.value, suppression);
  if (blocked === contact.value) return [];
  const pending = contact.value.journey.runs.flatMap((run) =>
    run.pending.map(({ id, contact: holder }) => key.message(holder ?? contact.value.id, id)),
  );
  const found = await table.read(pending);
  const drops: Write[] = [];
  for (const each of pending) {
    const item = found.get(each);
    if (item?.state !== 'ready' || item.sk === `MESSAGE#${about.id}` || drops.length === MOST_WRITES - 3) continue;
    const { due: _, ...rest } = readMessage(item);
    drops.push(
      table.messageReplacement(item, { ...rest, state: 'dropped', reason: `suppressed: ${suppression.reason}` }),
    );
    blocked = releaseMessage(blocked, rest.id);
  }
  return [table.contactWrite(contact, blocked), ...drops];
}

/** The first reason stays, save that a complaint outweighs all. */
function suppressionWrite(table: Table, hash: string, reason: string, at: number): Write {
  const complained = reason === 'complained';
  return {
    Update: {
      TableName: table.name,
      Key: key.suppression(hash),
      UpdateExpression: complained
        ? 'SET #reason = :reason, #at = if_not_exists(#at, :at), #shape = :shape'
        : 'SET #reason = if_not_exists(#reason, :reason), #at = if_not_exists(#at, :at), #shape = :shape',
      ExpressionAttributeNames: { '#reason': 'reason', '#at': 'at', '#shape': 'shape' },
      ExpressionAttributeValues: { ':reason': reason, ':at': at, ':shape': 1 },
    },
  };
}

async function livingContact(table: Table, id: string): Promise<Versioned<Contact> | undefined> {
  const world = emptyWorld();
  await readContacts(table, world, [id]);
  let contact = world.contacts.get(id);
  while (contact?.value.mergedInto !== undefined) contact = world.contacts.get(contact.value.mergedInto);
  return contact;
}

/** Deliveries, opens and clicks of people become interactions, once per message, where the book reads them. */
async function tellRules(message: Message, feedback: Feedback, { books, recorder }: FeedbackDeps): Promise<void> {
  const name = NAMES[feedback.type];
  if (name === undefined || feedback.automated === true) return;
  const book = await books.current();
  if (book.ignores(name)) return;
  const properties: Interaction['properties'] = { campaign: message.campaign, step: message.step, message: message.id };
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
