// Sending once: load, ask the gates again, permit, claim, render, one attempt, and what its answer leads to.
import type { Book, Controls } from '../../domain/book.ts';
import { type Contact, releaseMessage } from '../../domain/contact.ts';
import { recheck } from '../../domain/eligibility.ts';
import { KairosError } from '../../domain/fault.ts';
import { type LinkKeys, type LinkPayload, signLink } from '../../domain/links.ts';
import type { Message } from '../../domain/message.ts';
import { renderEmail } from '../../domain/render.ts';
import { buildView, productIdsOf, type StoredProduct } from '../../domain/view.ts';
import { type BookStore, readControls } from './book-store.ts';
import { CLAIM_LASTS } from './claims.ts';
import { jitter } from './clock.ts';
import { faultOf, type Log } from './handler.ts';
import type { Answer, Mail, Mailer } from './mailer.ts';
import { readProduct } from './product.ts';
import type { Queue } from './queue.ts';
import { takePermits } from './rate.ts';
import type { Secrets } from './secrets.ts';
import { Cancelled, type Item, key, messageItem, pooled, readMessage, type Table, type Versioned } from './table.ts';
import { emptyWorld, readContacts, type World } from './world.ts';

export interface SenderDeps {
  table: Table;
  books: BookStore;
  mailer: Mailer;
  queue: Queue;
  secrets: () => Promise<Secrets>;
  now: () => number;
  sleep: (milliseconds: number) => Promise<void>;
  log: Log;
  /** Sends a second, over all workers. */
  rate: number;
  publicBaseUrl: string;
  deadLetters: string;
  /** Addresses or domains that may be written to; absent = all. */
  allowed?: string[];
}

export interface Wanted {
  contact: string;
  message: string;
}

const PARKED = 5 * 60_000;
const CONFIRM_LASTS = 30 * 86_400_000;
/** Bulk leaves the rest of the rate to triggered mail. */
const BULK_SHARE = 0.8;

/** A message with what it was read from, and everything that the send needs to know. */
interface Loaded {
  item: Item;
  message: Message;
  contact: Versioned<Contact>;
  book: Book;
}

export class Sender {
  readonly #deps: SenderDeps;
  constructor(deps: SenderDeps) {
    this.#deps = deps;
  }

  /**
   * Sends what of the wanted messages is ready, due and allowed. Answers an error for each that should be delivered
   * again; a message that is not ready any more, deferred, dropped or released to the index is done.
   */
  async send(wanted: Wanted[]): Promise<(Error | undefined)[]> {
    const { now, table, log } = this.#deps;
    const errors = new Map<Wanted, Error>();
    const loaded = await this.#load(wanted);
    const going: { wanted: Wanted; loaded: Loaded }[] = [];
    let waiting = 0;
    await pooled([...loaded], 10, async ([each, { suppressed, ...one }]) => {
      try {
        const { kind, ...verdict } = recheck(one.book, one.contact.value, one.message, { suppressed, now: now() });
        if (kind === 'drop') await this.#drop(one, (verdict as { reason: string }).reason);
        else if (kind === 'defer') {
          waiting++;
          await table.replaceMessage(one.item, { ...one.message, due: (verdict as { until: number }).until });
        } else if (!this.#isAllowed(one.contact.value)) {
          await this.#end(one.item, one.message, 'failed', 'recipient-not-allowed');
        } else going.push({ wanted: each, loaded: one });
      } catch (error) {
        errors.set(each, error as Error);
      }
    });
    if (waiting > 0) log.info('send.waiting', { messages: waiting });
    await this.#sendGoing(going, errors);
    return wanted.map((each) => errors.get(each));
  }

  /** Messages that are ready, with their living contact, its book, and whether its address is suppressed. */
  async #load(wanted: Wanted[]): Promise<Map<Wanted, Loaded & { suppressed: boolean }>> {
    const { table, books } = this.#deps;
    const found = await table.read([
      key.controls(),
      ...wanted.map(({ contact, message }) => key.message(contact, message)),
    ]);
    const ready = wanted.flatMap((each) => {
      const item = found.get(key.message(each.contact, each.message));
      return item?.state === 'ready' ? [{ wanted: each, item }] : [];
    });
    const world: World = emptyWorld();
    await readContacts(
      table,
      world,
      ready.map((each) => each.wanted.contact),
    );
    const contacts = new Map(ready.map((each) => [each.wanted, living(world, each.wanted.contact)]));
    const hashes = [...contacts.values()].flatMap((contact) => contact?.value.facts.addressHash ?? []);
    const suppressions = await table.read(hashes.map(key.suppression));
    const controls = readControls(found.get(key.controls()));
    const loaded = new Map<Wanted, Loaded & { suppressed: boolean }>();
    for (const { wanted: each, item } of ready) {
      const contact = contacts.get(each);
      if (contact === undefined) {
        // Erased meanwhile: there is nobody to write to.
        await this.#end(item, readMessage(item), 'dropped', 'the contact is gone');
        continue;
      }
      const hash = contact.value.facts.addressHash;
      const suppressed = hash !== undefined && suppressions.get(key.suppression(hash)) !== undefined;
      const book = await bookOf(books, contact.value, controls);
      loaded.set(each, { item, message: readMessage(item), contact, book, suppressed });
    }
    return loaded;
  }

  async #sendGoing(going: { wanted: Wanted; loaded: Loaded }[], errors: Map<Wanted, Error>): Promise<void> {
    const { table, now, sleep, rate, log, secrets } = this.#deps;
    if (going.length === 0) return;
    const ids = going.flatMap(({ loaded }) => productIdsOf(loaded.contact.value, loaded.message));
    const products = await this.#products(ids);
    // A secret that cannot be read is nobody's fault in a message: it throws, and all are delivered again.
    const { keys } = await secrets();
    const bulk = going.every(({ loaded }) => loaded.message.lane === 'bulk');
    const limit = bulk ? Math.max(1, Math.floor(rate * BULK_SHARE)) : rate;
    const permits = await takePermits(table, going.length, limit, now());
    const pairs = going.map((each, index) => ({ ...each, from: permits[index] }));
    await pooled(pairs, 10, async ({ wanted, loaded, from }) => {
      try {
        if (from === undefined) {
          // The next seconds are full: it waits in the index, not in the queue.
          await table.replaceMessage(loaded.item, { ...loaded.message, due: now() + 10_000 });
          return;
        }
        if (from > now()) await sleep(from - now());
        await this.#sendOne(loaded, products, keys);
      } catch (error) {
        errors.set(wanted, error as Error);
      }
    });
    if (permits.length < going.length) log.info('send.rate', { messages: going.length - permits.length });
  }

  /** Rendered before the claim: what cannot be rendered is never claimed, and a claim is open for one call only. */
  async #sendOne(
    { item, message, contact, book }: Loaded,
    products: Record<string, StoredProduct>,
    keys: LinkKeys,
  ): Promise<void> {
    const { table, mailer, now, queue, deadLetters, log } = this.#deps;
    let mail: Mail;
    try {
      mail = this.#render(message, contact.value, book, products, keys);
    } catch (error) {
      const code = error instanceof KairosError ? error.fault.code : 'render.failed';
      log.error('send.unrenderable', { ...faultOf(error), campaign: message.campaign, email: message.email });
      await this.#end(item, message, 'failed', code);
      const body = JSON.stringify({ contact: message.contact, message: message.id });
      await queue.bury(deadLetters, [{ body, reason: code, stage: 'send-message' }]);
      return;
    }
    const claimedAt = now();
    const claimed: Message = {
      ...message,
      state: 'claimed',
      claimedAt,
      due: claimedAt + CLAIM_LASTS,
      attempts: message.attempts + 1,
    };
    if (!(await table.replaceMessage(item, claimed))) return;
    await this.#settle(messageItem(claimed, table.shards), claimed, await mailer.send(mail));
  }

  /** What SES's answer makes of a claim. */
  async #settle(claim: Item, claimed: Message, answer: Answer): Promise<void> {
    const { table, now, log } = this.#deps;
    const { due: _, ...leaving } = claimed;
    switch (answer.kind) {
      case 'accepted': {
        const sent: Message = { ...leaving, state: 'sent', sesId: answer.id, sentAt: now() };
        // Where feedback was faster, the message is sent already and needs nothing of us.
        await table.replaceMessage(claim, sent);
        return;
      }
      case 'unknown':
        log.warn('send.unknown', { reason: answer.reason });
        return;
      case 'later':
        log.info('send.later', { reason: answer.reason });
        await this.#release(claim, claimed, now() + answer.after);
        return;
      case 'stop':
        log.error('send.stopped', { reason: answer.reason });
        await this.#stop(answer.reason);
        await this.#release(claim, claimed, now() + PARKED);
        return;
      case 'never':
        log.warn('send.refused', { reason: answer.reason, campaign: claimed.campaign });
        await this.#end(claim, claimed, 'failed', answer.reason);
        return;
      default: {
        const none: never = answer;
        return none;
      }
    }
  }

  /** Back to the index: not in SES's hands, so the claim is undone. */
  async #release(claim: Item, claimed: Message, due: number): Promise<void> {
    const { claimedAt: _, ...ready } = claimed;
    await this.#deps.table.replaceMessage(claim, { ...ready, state: 'ready', due });
  }

  async #end(item: Item, message: Message, state: 'failed' | 'dropped', reason: string): Promise<void> {
    const { due: _, ...leaving } = message;
    await this.#deps.table.replaceMessage(item, { ...leaving, state, reason });
  }

  /** Nothing is sent any more until somebody lifts the stop. */
  async #stop(why: string): Promise<void> {
    await this.#deps.table.update(key.controls(), {
      UpdateExpression: 'SET stopped = if_not_exists(stopped, :stopped), paused = if_not_exists(paused, :none)',
      ExpressionAttributeValues: { ':stopped': { by: 'send-message', at: this.#deps.now(), why }, ':none': {} },
    });
  }

  /** Takes a message back, and gives back the place under the caps that it held. */
  async #drop(loaded: Loaded, reason: string): Promise<void> {
    const { table, sleep } = this.#deps;
    const { due: _, ...leaving } = loaded.message;
    const dropped: Message = { ...leaving, state: 'dropped', reason };
    let contact: Versioned<Contact> | undefined = loaded.contact;
    for (let attempt = 1; contact !== undefined; attempt++) {
      const released = releaseMessage(contact.value, loaded.message.id);
      const writes = [table.messageReplacement(loaded.item, dropped)];
      if (released !== contact.value) writes.push(table.contactWrite(contact, released));
      try {
        await table.transact(writes);
        return;
      } catch (error) {
        if (!(error instanceof Cancelled)) throw error;
        // The message is not ready any more: whoever changed it saw to the rest.
        if (error.conditions.includes(0)) return;
        if (attempt === 4) throw error;
        await sleep(jitter(attempt));
      }
      const world = emptyWorld();
      await readContacts(table, world, [contact.value.id]);
      contact = living(world, contact.value.id);
    }
  }

  async #products(ids: string[]): Promise<Record<string, StoredProduct>> {
    const distinct = [...new Set(ids)];
    const found = await this.#deps.table.read(distinct.map(key.product));
    const products: Record<string, StoredProduct> = {};
    for (const id of distinct) {
      const item = found.get(key.product(id));
      if (item !== undefined) products[id] = readProduct(item).product;
    }
    return products;
  }

  #render(
    message: Message,
    contact: Contact,
    book: Book,
    products: Record<string, StoredProduct>,
    keys: LinkKeys,
  ): Mail {
    const { publicBaseUrl, now } = this.#deps;
    const { definitions } = book;
    const sender = definitions.settings.senders[message.sender];
    const email = definitions.emails[message.email];
    const to = contact.facts.address?.value;
    if (sender === undefined) throw missing('send.no-sender', 'sender', message.sender);
    if (email === undefined) throw missing('send.no-email', 'email', message.email);
    if (to === undefined) throw missing('send.no-address', 'contact', 'a contact without address');
    const link = (kind: 'u' | 'c', payload: LinkPayload): string =>
      `${publicBaseUrl.replace(/\/$/, '')}/${kind}/${signLink(payload, keys)}`;
    const about = { contact: contact.id, brand: sender.brand, message: message.id };
    const unsubscribe = link('u', { kind: 'unsubscribe', ...about });
    const confirm = confirmation(message, about, now());
    const view = buildView(definitions, contact, message, products, {
      unsubscribe,
      ...(confirm !== undefined && { confirm: link('c', confirm) }),
    });
    const { subject, html, text } = renderEmail(email, view, view.locale);
    return {
      message: message.id,
      contact: message.contact,
      campaign: message.campaign,
      from: { name: sender.name, address: sender.from },
      ...(sender.replyTo !== undefined && { replyTo: sender.replyTo }),
      to,
      subject,
      html,
      text,
      ...(message.kind === 'marketing' && { unsubscribe }),
    };
  }

  #isAllowed(contact: Contact): boolean {
    const { allowed } = this.#deps;
    const address = contact.facts.address?.value;
    if (allowed === undefined || address === undefined) return true;
    return allowed.some((each) => each === address || address.endsWith(`@${each.replace(/^@/, '')}`));
  }
}

/** The payload of a double opt-in's link, where the message answers a request for consent. */
function confirmation(
  { inputs: { trigger } }: Message,
  about: { contact: string; brand: string; message: string },
  now: number,
): LinkPayload | undefined {
  if (trigger.name !== 'Consent Requested') return undefined;
  const { topic, wording, form, brand } = trigger.properties;
  const payload: LinkPayload = { kind: 'confirm', ...about, until: now + CONFIRM_LASTS };
  if (typeof brand === 'string') payload.brand = brand;
  if (typeof topic === 'string') payload.topic = topic;
  if (typeof wording === 'string') payload.wording = wording;
  if (typeof form === 'string') payload.form = form;
  return payload;
}

function living(world: World, id: string): Versioned<Contact> | undefined {
  let contact = world.contacts.get(id);
  while (contact?.value.mergedInto !== undefined) contact = world.contacts.get(contact.value.mergedInto);
  return contact;
}

/** The book that the contact was last decided with, where it is still there, under the controls of this moment. */
async function bookOf(books: BookStore, contact: Contact, controls: Controls): Promise<Book> {
  const own = contact.book === undefined ? undefined : await books.byHash(contact.book.hash);
  return { ...(own ?? (await books.current())), controls };
}

function missing(code: string, path: string, received: string): KairosError {
  return new KairosError({ code, path, message: 'it is not in the book.', received });
}
