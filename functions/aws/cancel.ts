// What a person may do to one message: take it back before it is sent, or have it sent again.
import { type Contact, releaseMessage } from '../../domain/contact.ts';
import type { Message, MessageState } from '../../domain/message.ts';
import { jitter, sleep } from './clock.ts';
import { Cancelled, heldPk, type Item, key, readMessage, shardText, type Table, type Write } from './table.ts';
import { readLiving } from './world.ts';

const MOST_ATTEMPTS = 5;
const A_PAGE = 500;
/** Later than any instant. */
const EVER = Number.MAX_SAFE_INTEGER;

export interface MessageName {
  contact: string;
  message: string;
}

/** `not`: it stood otherwise by then, in the state that is told; undefined = there is no such message. */
export type Handled = { kind: 'done'; message: Message } | { kind: 'not'; state: MessageState | undefined };

/**
 * Drops a message that waits, or one that failed or is uncertain, so that nobody looks at it any more; and gives back
 * its place under the caps, in one transaction. One that is claimed may be with SES already: it is left alone.
 */
export async function cancelMessage(table: Table, name: MessageName, why: string): Promise<Handled> {
  return change(table, name, (message, contact) => {
    const { state } = message;
    if (state !== 'ready' && state !== 'failed' && state !== 'uncertain') return undefined;
    const { due: _, ...rest } = message;
    const was = state === 'ready' ? '' : ` (was ${state}: ${message.reason ?? 'no reason'})`;
    return {
      message: { ...rest, state: 'dropped', reason: `${why}${was}` },
      contact: contact && releaseMessage(contact, message.id),
    };
  });
}

/**
 * Makes a failed message ready and due at `now`, under its own id, so that feedback finds it. It takes its place under
 * the caps anew; all gates are asked again before it is sent. An uncertain one only where `evenUncertain` says so.
 */
export async function resendMessage(
  table: Table,
  name: MessageName,
  { now, evenUncertain = false }: { now: number; evenUncertain?: boolean },
): Promise<Handled> {
  return change(table, name, (message, contact) => {
    if (message.state !== 'failed' && !(evenUncertain && message.state === 'uncertain')) return undefined;
    const { reason: _, claimedAt: __, provenAt: ___, ...rest } = message;
    return { message: { ...rest, state: 'ready', due: now }, contact: contact && placed(contact, message, now) };
  });
}

/** The contact with the message's place under the caps moved to `now`; only marketing takes one. */
function placed(contact: Contact, { id, kind }: Message, now: number): Contact {
  if (kind !== 'marketing') return contact;
  const free = releaseMessage(contact, id);
  const sends = [...free.journey.sends, { at: now, id }].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  return { ...free, journey: { ...free.journey, sends } };
}

/** Writes message and contact as `decide` says, or neither; decided anew where another writer was faster. */
async function change(
  table: Table,
  name: MessageName,
  decide: (
    message: Message,
    contact: Contact | undefined,
  ) => { message: Message; contact?: Contact | undefined } | undefined,
): Promise<Handled> {
  for (let attempt = 1; ; attempt++) {
    const item = await table.readOne(key.message(name.contact, name.message));
    if (item === undefined) return { kind: 'not', state: undefined };
    const before = readMessage(item);
    const contact = await readLiving(table, name.contact);
    const after = decide(before, contact?.value);
    if (after === undefined) return { kind: 'not', state: before.state };
    const writes: Write[] = [table.messageReplacement(item, after.message)];
    if (contact !== undefined && after.contact !== undefined && after.contact !== contact.value) {
      writes.push(table.contactWrite(contact, after.contact));
    }
    try {
      await table.transact(writes);
      return { kind: 'done', message: after.message };
    } catch (error) {
      if (!(error instanceof Cancelled) || attempt === MOST_ATTEMPTS) throw error;
      await sleep(jitter(attempt));
    }
  }
}

/**
 * Messages that wait (`ready`), are under way (`claimed`), or that people may look at (`failed`, `uncertain`): pages of
 * items over all shards, read anew, so that what the index says too late is left out.
 */
export async function* messagesIn(
  table: Table,
  state: Exclude<MessageState, 'sent' | 'dropped' | 'ghost'>,
): AsyncGenerator<Item[]> {
  const keys = Array.from({ length: table.shards }, (_, shard) => shardText(shard)).flatMap((shard) =>
    state === 'failed' || state === 'uncertain'
      ? [heldPk(state, shard)]
      : [`DUE#triggered#${shard}`, `DUE#bulk#${shard}`],
  );
  for (const duePk of keys) {
    let from: Record<string, unknown> | undefined;
    do {
      const page = await table.due(duePk, EVER, A_PAGE, from);
      const found = await table.read(page.items.map(({ pk, sk }) => ({ pk, sk })));
      yield page.items.flatMap((each) => found.get(each) ?? []).filter((item) => item.state === state);
      from = page.next;
    } while (from !== undefined);
  }
}
