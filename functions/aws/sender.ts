// Sending once: load, ask the gates again, permit, claim, one attempt, and what its answer leads to.
import { type Allowance, allowance } from '../../domain/allowance.ts';
import type { Book, Controls } from '../../domain/book.ts';
import { type Contact, movePlace, releaseMessage } from '../../domain/contact.ts';
import { recheck } from '../../domain/eligibility.ts';
import { KairosError } from '../../domain/fault.ts';
import type { LinkKeys } from '../../domain/links.ts';
import type { Message } from '../../domain/message.ts';
import type { StoredProduct } from '../../domain/product.ts';
import { productIdsOf, shownInputs, stalePrices } from '../../domain/product-view.ts';
import { providerOf } from '../../domain/provider.ts';
import { emailOf, showsPrices } from '../../domain/render.ts';
import { accountOf } from './account.ts';
import type { BookStore } from './book-store.ts';
import { CLAIM_LASTS } from './claims.ts';
import { jitter } from './clock.ts';
import { composeMail } from './compose.ts';
import { readControls, stop } from './controls.ts';
import { type Claim, Coupons } from './coupons.ts';
import { faultOf, type Log } from './handler.ts';
import type { Answer, Mail, Mailer } from './mailer.ts';
import { readProduct } from './product.ts';
import type { Queue } from './queue.ts';
import { type Permit, Permits } from './rate.ts';
import type { Secrets } from './secrets.ts';
import {
  Cancelled,
  type Found,
  type Item,
  key,
  messageItem,
  pooled,
  readMessage,
  type Table,
  type Versioned,
} from './table.ts';
import { WarmUps } from './warm-up.ts';
import { emptyWorld, living, readContacts, readLiving, type World } from './world.ts';

export interface SenderDeps {
  table: Table;
  books: BookStore;
  mailer: Mailer;
  queue: Queue;
  secrets: () => Promise<Secrets>;
  now: () => number;
  sleep: (milliseconds: number) => Promise<void>;
  log: Log;
  /** Most sends a second of this stage, over all workers; the account may allow less. */
  rate: number;
  /** The stage's share of the account's rate; 1 when absent. */
  share?: number;
  publicBaseUrl: string;
  deadLetters: string;
  /** Addresses or domains that may be written to; absent = all. */
  allowed?: string[];
}

export interface Wanted {
  contact: string;
  message: string;
}

type Lane = Message['lane'];

const PARKED = 5 * 60_000;
/** A price that was told longer ago may be another by now. */
const PRICES_GOOD = 24 * 3_600_000;
/** What waits for a quota, a review or a coupon: none of them comes by the minute. */
const HELD = 15 * 60_000;
/** Of a pool that stays empty nobody asks more often than this. */
const EMPTY_AT_MOST = 6 * 3_600_000;
/** What could not take its place under the caps, since another writer was faster, is asked again after this long. */
const NO_PLACE = 60_000;
/** What found the seconds ahead full: the index gives it out again at one of the next minutes. */
const NO_ROOM: Record<Lane, number> = { triggered: 10_000, bulk: 60_000 };
/** Controls that are older are read again before a claim: a pause takes hold within ten seconds. */
const CONTROLS_KEPT = 3_000;
/** Messages that the workers of one lane hold at once: five, ten each, and some to spare. */
const IN_HAND = 60;
/** How many seconds ahead permits are taken, at least and at most. A sleeping worker costs little, a way through the index costs writes. */
const AHEAD = { least: 5, most: 20 };
const MOST_SLOTS = 3;

/** A message with what it was read from, and everything that the send needs to know. */
interface Loaded {
  item: Item;
  message: Message;
  contact: Versioned<Contact>;
  book: Book;
}

/** What a batch shares. */
interface Batch {
  products: Record<string, StoredProduct>;
  keys: LinkKeys;
  allowed: Allowance;
}

/**
 * What a message costs on its way from the queue to SES, in a batch of ten that goes at once: 3 read units (message,
 * contact and suppression, strong, each up to 4 KB) and 0.2 for controls and account; 5 write units (claimed: 1, and 2
 * in the due index, where it moves; sent: 1, and 1 there, where it goes; of a message up to 1 KB) and 0.1 to 0.25 for
 * its permit; 2 calls of its own, 0.4 to 0.6 shared, and one of SES. Products that it shows are read beside. A warm-up
 * adds one write. A message that goes back to the index costs 3 write units there, and 3 when it is released again. One
 * that goes out over a quarter of an hour later than its place under the caps says writes the contact too. One
 * with a coupon adds 1 read unit, and the first of its run 4 more and 7 write units: `Coupons.give`.
 */
export class Sender {
  readonly #deps: SenderDeps;
  readonly #permits: Permits;
  readonly #warmUps: WarmUps;
  readonly #coupons: Coupons;
  #controls: { value: Controls; readAt: number } = {
    value: { paused: {}, filled: 0 },
    readAt: Number.NEGATIVE_INFINITY,
  };
  #reading: Promise<void> | undefined;

  constructor(deps: SenderDeps) {
    this.#deps = deps;
    this.#permits = new Permits(deps.table);
    this.#warmUps = new WarmUps(deps.table);
    this.#coupons = new Coupons(deps.table);
  }

  /**
   * Sends what of the wanted messages is ready, due and allowed. Answers an error for each that should be delivered
   * again; a message that is not ready any more, deferred, dropped or released to the index is done.
   */
  async send(wanted: Wanted[]): Promise<(Error | undefined)[]> {
    const { now, log } = this.#deps;
    const errors = new Map<Wanted, Error>();
    const { loaded, products, allowed } = await this.#load(wanted);
    const going: { wanted: Wanted; loaded: Loaded }[] = [];
    let waiting = 0;
    await pooled([...loaded], 10, async ([each, { suppressed, ...one }]) => {
      try {
        const at = { suppressed, products, now: now() };
        const verdict = recheck(one.book, one.contact.value, one.message, at);
        if (verdict.kind === 'drop') return await this.#drop(one, verdict.reason);
        if (verdict.kind === 'send' && !this.#isAllowed(one.contact.value)) {
          return await this.#end(one.item, one.message, 'failed', 'recipient-not-allowed');
        }
        const until = verdict.kind === 'defer' ? verdict.until : await this.#heldUntil(one, allowed);
        const { place } = verdict;
        const takes = place !== undefined && (until === undefined || verdict.kind === 'defer');
        if (until !== undefined) {
          waiting++;
          await this.#defer(one, until, takes ? place : undefined);
        } else if (!takes || (await this.#takePlace(one, place))) going.push({ wanted: each, loaded: one });
        else {
          waiting++;
          await this.#defer(one, now() + NO_PLACE);
        }
      } catch (error) {
        errors.set(each, error as Error);
      }
    });
    if (waiting > 0) log.info('send.waiting', { messages: waiting });
    await this.#sendGoing(going, { products, allowed }, errors);
    return wanted.map((each) => errors.get(each));
  }

  /**
   * Messages that are ready, with their living contact, its book, and whether its address is suppressed; and what feeds
   * last said of the products that they show.
   */
  async #load(wanted: Wanted[]): Promise<{
    loaded: Map<Wanted, Loaded & { suppressed: boolean }>;
    products: Record<string, StoredProduct>;
    allowed: Allowance;
  }> {
    const { table, books, now, rate, share = 1 } = this.#deps;
    const readAt = now();
    const found = await table.read([
      key.controls(),
      key.account(),
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
    const shown = ready.flatMap(({ wanted: each, item }) => {
      const contact = contacts.get(each);
      return contact === undefined ? [] : productIdsOf(contact.value, readMessage(item));
    });
    const beside = await table.read([...hashes.map(key.suppression), ...shown.map(key.product)]);
    const controls = readControls(found.get(key.controls()));
    this.#controls = { value: controls, readAt };
    const loaded = new Map<Wanted, Loaded & { suppressed: boolean }>();
    for (const { wanted: each, item } of ready) {
      const contact = contacts.get(each);
      if (contact === undefined) {
        // Erased meanwhile: there is nobody to write to.
        await this.#end(item, readMessage(item), 'dropped', 'the contact is gone');
        continue;
      }
      const hash = contact.value.facts.addressHash;
      const suppressed = hash !== undefined && beside.get(key.suppression(hash)) !== undefined;
      const book = await bookOf(books, contact.value, controls);
      loaded.set(each, { item, message: readMessage(item), contact, book, suppressed });
    }
    const account = accountOf(found.get(key.account()));
    return {
      loaded,
      products: productsIn(beside, shown),
      allowed: allowance(account, { sendRate: rate, share }, readAt),
    };
  }

  /** Until when the account, or the warm-up of its domain, holds a message that nothing else holds. */
  async #heldUntil(one: Loaded, allowed: Allowance): Promise<number | undefined> {
    const { now } = this.#deps;
    const reason = one.message.lane === 'bulk' ? allowed.bulkHeld : allowed.held;
    if (reason !== undefined) return now() + HELD;
    return this.#warmUps.waitsUntil(this.#warming(one));
  }

  #warming({ message, contact, book }: Loaded) {
    return { message, contact: contact.value, settings: book.definitions.settings, now: this.#deps.now() };
  }

  async #sendGoing(
    ready: { wanted: Wanted; loaded: Loaded }[],
    { products, allowed }: Omit<Batch, 'keys'>,
    errors: Map<Wanted, Error>,
  ): Promise<void> {
    const { now, log, secrets } = this.#deps;
    const going = await this.#withCoupons(ready, errors);
    if (going.length === 0) return;
    // A secret that cannot be read is nobody's fault in a message: it throws, and all are delivered again.
    const { keys } = await secrets();
    const batch: Batch = { products, keys, allowed };
    const stale = staleIn(
      going.map((each) => each.loaded),
      products,
      now(),
    );
    if (stale.products > 0) log.warn('send.stale-price', stale);
    const pairs: { wanted: Wanted; loaded: Loaded; permit: Permit | undefined }[] = [];
    for (const lane of ['triggered', 'bulk'] as const) {
      const own = going.filter(({ loaded }) => loaded.message.lane === lane);
      if (own.length === 0) continue;
      const permits = await this.#permits.take(wish(lane, own.length, allowed), now());
      pairs.push(...own.map((each, index) => ({ ...each, permit: permits[index] })));
    }
    let left = 0;
    await pooled(pairs, 10, async ({ wanted, loaded, permit }) => {
      try {
        const done = permit !== undefined && (await this.#sendOne(loaded, permit, batch));
        if (done) return;
        // The seconds ahead are full: it waits in the index, not in the queue.
        left++;
        await this.#defer(loaded, now() + NO_ROOM[loaded.message.lane]);
      } catch (error) {
        errors.set(wanted, error as Error);
      }
    });
    if (left > 0) log.info('send.rate', { messages: left });
  }

  /**
   * The messages with the codes that they carry, on the message from here on. Before a slot is taken: what finds its
   * pool empty goes back to the index, and comes again after a while.
   */
  async #withCoupons(
    ready: { wanted: Wanted; loaded: Loaded }[],
    errors: Map<Wanted, Error>,
  ): Promise<{ wanted: Wanted; loaded: Loaded }[]> {
    const { now, log } = this.#deps;
    const claims = new Map<Loaded, Claim>();
    for (const { loaded } of ready) {
      const { contact, run, id, coupon: pool } = loaded.message;
      if (pool !== undefined) claims.set(loaded, { run, pool, contact, message: id });
    }
    if (claims.size === 0) return ready;
    const assigned = await this.#coupons.assigned([...claims.values()]);
    const going: typeof ready = [];
    const empty: Record<string, number> = {};
    await pooled(ready, 10, async ({ wanted, loaded }) => {
      const claim = claims.get(loaded);
      try {
        if (claim === undefined) going.push({ wanted, loaded });
        else {
          const coupon = await this.#coupons.give(claim, now(), assigned.get(claim));
          if (coupon === undefined) {
            await this.#defer(loaded, now() + emptyFor(loaded.message, now()));
            empty[claim.pool] = (empty[claim.pool] ?? 0) + 1;
          } else {
            const { inputs } = loaded.message;
            const message = { ...loaded.message, inputs: { ...inputs, coupon } };
            going.push({ wanted, loaded: { ...loaded, message } });
          }
        }
      } catch (error) {
        errors.set(wanted, error as Error);
      }
    });
    for (const [pool, messages] of Object.entries(empty)) log.info('coupon.empty', { pool, messages });
    return going;
  }

  /**
   * Rendered before the claim: what cannot be rendered is never claimed, and a claim is open for one call only. False
   * when it found no slot in time.
   */
  async #sendOne(loaded: Loaded, first: Permit, batch: Batch): Promise<boolean> {
    const { table, mailer, now, log } = this.#deps;
    const { item, message } = loaded;
    const mail = await this.#compose(loaded, batch);
    if (mail === undefined) return true;
    let permit: Permit | undefined = first;
    let date: string | undefined;
    for (let slots = 1; ; slots++) {
      await this.#sleepUntil(permit.from);
      if (await this.#isForbidden(message.campaign)) {
        await this.#defer(loaded, now() + PARKED);
        return true;
      }
      const entry = await this.#warmUps.enter(this.#warming(loaded), date);
      if ('until' in entry) {
        await this.#defer(loaded, entry.until);
        return true;
      }
      date = entry.date;
      if (isIn(permit, now(), permit.claimBy)) break;
      // Late for its second: used now, the slot would be one too many of another.
      if (slots === MOST_SLOTS) return false;
      [permit] = await this.#permits.take(wish(message.lane, 1, batch.allowed), now());
      if (permit === undefined) return false;
    }
    const claimedAt = now();
    const claimed: Message = {
      ...message,
      inputs: shownInputs(loaded.contact.value, message, batch.products),
      state: 'claimed',
      claimedAt,
      due: claimedAt + CLAIM_LASTS,
      attempts: message.attempts + 1,
      provider: providerOf(mail.to),
    };
    if (!(await table.replaceMessage(item, claimed))) return true;
    const claim = messageItem(claimed, table.shards);
    if (!isIn(permit, now(), permit.callBy)) {
      log.info('send.late', { late: Math.round(now() - permit.callBy) });
      await table.replaceMessage(claim, { ...message, due: now() + NO_ROOM.triggered });
      return true;
    }
    await this.#settle(claim, claimed, await mailer.send(mail));
    return true;
  }

  /** The mail of a message; undefined where there is none to be made: then it has failed, and is buried. */
  async #compose({ item, message, contact, book }: Loaded, { products, keys }: Batch): Promise<Mail | undefined> {
    const { now, queue, deadLetters, log, publicBaseUrl } = this.#deps;
    try {
      return composeMail({ message, contact: contact.value, book, products, keys, publicBaseUrl, now: now() });
    } catch (error) {
      const code = error instanceof KairosError ? error.fault.code : 'render.failed';
      log.error('send.unrenderable', { ...faultOf(error), campaign: message.campaign, email: message.email });
      await this.#end(item, message, 'failed', code);
      const body = JSON.stringify({ contact: message.contact, message: message.id });
      await queue.bury(deadLetters, [{ body, reason: code, stage: 'send-message' }]);
      return undefined;
    }
  }

  /** Timers may end a little early: it looks again, but not for ever at a clock that stands. */
  async #sleepUntil(instant: number): Promise<void> {
    const { now, sleep } = this.#deps;
    for (let looks = 0; looks < 3; looks++) {
      const left = instant - now();
      if (left <= 0) return;
      await sleep(left);
    }
  }

  /** Whether a stop or a pause stands, as of at most three seconds ago: a batch may have slept since it was loaded. */
  async #isForbidden(campaign: string): Promise<boolean> {
    const { table, now } = this.#deps;
    if (now() - this.#controls.readAt > CONTROLS_KEPT) {
      this.#reading ??= (async () => {
        const readAt = now();
        this.#controls = { value: readControls(await table.readOne(key.controls())), readAt };
      })().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    const { stopped, paused } = this.#controls.value;
    return stopped !== undefined || paused[campaign] !== undefined;
  }

  async #defer({ item, message, contact }: Loaded, due: number, place?: number): Promise<void> {
    const { table } = this.#deps;
    if (place === undefined) return void (await table.replaceMessage(item, { ...message, due }));
    const moved = table.contactWrite(contact, movePlace(contact.value, message, place));
    try {
      await table.transact([table.messageReplacement(item, { ...message, due }), moved]);
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
      // Somebody else wrote the contact meanwhile: it is asked again, by what stands there then.
      await table.replaceMessage(item, { ...message, due: this.#deps.now() + NO_PLACE });
    }
  }

  /** Takes the place under the caps at which a message goes out that was held up. False where another writer was faster. */
  async #takePlace({ message, contact }: Loaded, place: number): Promise<boolean> {
    const { table } = this.#deps;
    try {
      await table.transact([table.contactWrite(contact, movePlace(contact.value, message, place))]);
      return true;
    } catch (error) {
      if (error instanceof Cancelled) return false;
      throw error;
    }
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
        // Nothing is sent any more until somebody lifts the stop.
        await stop(table, { by: 'send-message', at: now(), why: answer.reason });
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
      contact = await readLiving(table, contact.value.id);
    }
  }

  #isAllowed(contact: Contact): boolean {
    const { allowed } = this.#deps;
    const address = contact.facts.address?.value;
    if (allowed === undefined || address === undefined) return true;
    return allowed.some((each) => each === address || address.endsWith(`@${each.replace(/^@/, '')}`));
  }
}

/** What feeds last said of these products, as far as they are among what was found. */
function productsIn(found: Found, ids: string[]): Record<string, StoredProduct> {
  const products: Record<string, StoredProduct> = {};
  for (const id of ids) {
    const item = found.get(key.product(id));
    if (item !== undefined) products[id] = readProduct(item).product;
  }
  return products;
}

/** How many of these messages show a price that the feed gave too long ago, and of how many products. */
function staleIn(
  loaded: Pick<Loaded, 'message' | 'contact' | 'book'>[],
  products: Record<string, StoredProduct>,
  now: number,
): { messages: number; products: number } {
  const stale = loaded.map(({ message, contact, book }) => {
    const email = emailOf(book.definitions, message);
    if (email === undefined || !showsPrices(email)) return [];
    return stalePrices(productIdsOf(contact.value, message), products, now, PRICES_GOOD);
  });
  return { messages: stale.filter((ids) => ids.length > 0).length, products: new Set(stale.flat()).size };
}

/** What an empty pool holds is looked at again after a quarter of an hour, and the longer it waits the less often. */
function emptyFor({ plannedAt }: Message, now: number): number {
  return Math.min(EMPTY_AT_MOST, Math.max(HELD, Math.floor((now - plannedAt) / 8)));
}

/** A slot is used in its own second only: neither before nor after. */
function isIn({ from }: Permit, now: number, by: number): boolean {
  return now >= Math.floor(from / 1000) * 1000 && now < by;
}

function wish(lane: Lane, wanted: number, { rate, bulkRate }: Allowance) {
  const most = lane === 'bulk' ? bulkRate : rate;
  // Bulk looks no further than it must, so that triggered mail finds seconds that are free; triggered mail looks beyond them.
  const ahead = Math.ceil(IN_HAND / most) * (lane === 'bulk' ? 1 : 2);
  return { wanted, rate, most, ahead: Math.min(AHEAD.most, Math.max(AHEAD.least, ahead)) };
}

/** The book that the contact was last decided with, where it is still there, under the controls of this moment. */
async function bookOf(books: BookStore, contact: Contact, controls: Controls): Promise<Book> {
  const own = contact.book === undefined ? undefined : await books.byHash(contact.book.hash);
  return { ...(own ?? (await books.current())), controls };
}
