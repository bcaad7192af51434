// What is stored around a set of interactions, and a draft of what shall be written over it in one transaction.
import type { Contact } from '../../domain/contact.ts';
import { codesOf } from '../../domain/coupon.ts';
import type { Converted, Drop, Notice, Watch } from '../../domain/decision.ts';
import { type Interaction, identityKeys, type SubjectKey } from '../../domain/interaction.ts';
import type { Conversion, Message } from '../../domain/message.ts';
import { type Order, orderKeyOf } from '../../domain/order.ts';
import { type Redemption, readCode, redemptionWrites, type StoredCode } from './coupons.ts';
import { type ProductState, productIdOf, productItem, readProduct } from './product.ts';
import {
  type Found,
  type Item,
  interactionItem,
  type Key,
  key,
  MOST_WRITES,
  messageItem,
  noticeItem,
  pooled,
  readContact,
  readOrder,
  type Table,
  type Versioned,
  type Write,
} from './table.ts';
import { watchItem } from './watches.ts';

/** A transaction takes 4 MB; our items are at most 64 KB of body beside their keys. */
const MOST_BYTES = 3_000_000;

export type Suppressions = {
  suppression?: { reason: string; at: number };
  withdrawal?: { brand: string; at: number };
};

/** What was read; never changed afterwards. */
export interface World {
  /** Subject key → contact id as stored. */
  identities: Map<SubjectKey, string>;
  /** Subject key → instant up to which its events are refused. */
  erased: Map<SubjectKey, number>;
  contacts: Map<string, Versioned<Contact>>;
  orders: Map<string, Versioned<Order>>;
  products: Map<string, ProductState>;
  /** Coupon codes that orders name, as far as there are such. */
  codes: Map<string, StoredCode>;
  /** Address hash → what stands against it; only for addresses that were asked for. */
  suppressions: Map<string, Suppressions>;
}

/** Nothing read yet. */
export function emptyWorld(): World {
  return {
    identities: new Map(),
    erased: new Map(),
    contacts: new Map(),
    orders: new Map(),
    products: new Map(),
    codes: new Map(),
    suppressions: new Map(),
  };
}

/** Loads everything that the interactions can touch: two rounds of BatchGet, one more per step of a merge chain. */
export async function loadWorld(table: Table, interactions: Interaction[]): Promise<World> {
  const world = emptyWorld();
  const subjects = [...new Set(interactions.flatMap((each) => identityKeys(each.who)))];
  const orders = [...new Set(interactions.flatMap((each) => orderKeyOf(each) ?? []))];
  const products = [...new Set(interactions.flatMap((each) => productIdOf(each) ?? []))];
  const codes = [...new Set(interactions.flatMap(codesNamed))];
  const first = await table.read([
    ...subjects.flatMap((subject) => [key.identity(subject), key.erased(subject)]),
    ...orders.map(key.order),
    ...products.map(key.product),
    ...codes.map(key.code),
  ]);
  for (const subject of subjects) {
    const identity = first.get(key.identity(subject));
    if (identity !== undefined) world.identities.set(subject, identity.contact as string);
    const mark = first.get(key.erased(subject));
    if (mark !== undefined) world.erased.set(subject, mark.at as number);
  }
  for (const order of orders) {
    const item = first.get(key.order(order));
    if (item !== undefined) world.orders.set(order, readOrder(item));
  }
  for (const product of products) {
    const item = first.get(key.product(product));
    if (item !== undefined) world.products.set(product, readProduct(item));
  }
  for (const code of codes) {
    const item = first.get(key.code(code));
    if (item !== undefined) world.codes.set(code, readCode(item));
  }
  const claimed = interactions.flatMap(({ address, who }) =>
    address !== undefined && who.address !== undefined && !world.identities.has(`address#${who.address}`)
      ? [who.address]
      : [],
  );
  const ids = [
    ...world.identities.values(),
    ...interactions.flatMap((each) => each.who.contact ?? []),
    ...[...world.orders.values()].flatMap((order) => order.value.owner ?? []),
  ];
  await readContacts(table, world, ids, [...new Set(claimed)]);
  return world;
}

/** The coupon codes that an interaction redeems, where there are such: those that an order was paid with. */
export function codesNamed({ name, properties }: Pick<Interaction, 'name' | 'properties'>): string[] {
  return name === 'Order Completed' ? codesOf(properties) : [];
}

/** Adds contacts, following merges to the living one, and what stands against addresses. */
export async function readContacts(table: Table, world: World, ids: string[], addresses: string[] = []): Promise<void> {
  let wanted = [...new Set(ids)].filter((id) => !world.contacts.has(id));
  let asked: Key[] = addresses.flatMap((hash) => [key.suppression(hash), key.withdrawal(hash)]);
  while (wanted.length > 0 || asked.length > 0) {
    const found = await table.read([...wanted.map(key.contact), ...asked]);
    if (asked.length > 0) for (const hash of addresses) world.suppressions.set(hash, readSuppressions(found, hash));
    const next: string[] = [];
    for (const id of wanted) {
      const item = found.get(key.contact(id));
      if (item === undefined) continue;
      const contact = readContact(item);
      world.contacts.set(id, contact);
      const into = contact.value.mergedInto;
      if (into !== undefined && !world.contacts.has(into)) next.push(into);
    }
    wanted = [...new Set(next)];
    asked = [];
  }
}

/** The contact that a contact lives on in, after merges; undefined when it is not among those read. */
export function living(world: World, id: string): Versioned<Contact> | undefined {
  let contact = world.contacts.get(id);
  while (contact?.value.mergedInto !== undefined) contact = world.contacts.get(contact.value.mergedInto);
  return contact;
}

/** The living contact of an id, read now; undefined when there is none. */
export async function readLiving(table: Table, id: string): Promise<Versioned<Contact> | undefined> {
  const world = emptyWorld();
  await readContacts(table, world, [id]);
  return living(world, id);
}

/** What was found to stand against an address. */
export function readSuppressions(found: Found, hash: string): Suppressions {
  const suppressions: Suppressions = {};
  const suppression = found.get(key.suppression(hash));
  if (suppression !== undefined) {
    suppressions.suppression = { reason: suppression.reason as string, at: suppression.at as number };
  }
  const withdrawal = found.get(key.withdrawal(hash));
  if (withdrawal !== undefined) {
    suppressions.withdrawal = { brand: withdrawal.brand as string, at: withdrawal.at as number };
  }
  return suppressions;
}

/** What one part of a refused transaction was. */
export type Part =
  | { kind: 'interaction'; interaction: Interaction }
  /** What may be refused without harm: then it is as it is, and the rest is written without it. */
  | { kind: 'free'; name: string }
  | { kind: 'state' };

/** Changes on top of a world, kept apart so that the last step can be given up by returning to the draft before. */
export class Draft {
  readonly #world: World;
  readonly #links = new Map<SubjectKey, { contact: string; from?: string; written: boolean }>();
  readonly #contacts = new Map<string, Versioned<Contact> & { touched: boolean }>();
  readonly #orders = new Map<string, Versioned<Order> & { touched: boolean }>();
  readonly #products = new Map<string, { before?: ProductState; value: ProductState; touched: boolean }>();
  #messages = new Map<string, Message>();
  #drops = new Map<string, Required<Drop>>();
  #conversions = new Map<string, Converted>();
  #notices = new Map<string, Notice>();
  #watches = new Map<string, Item>();
  #turns = new Map<string, Item>();
  #redemptions = new Map<string, Redemption & { written: boolean }>();
  #interactions: Interaction[] = [];
  #bytes = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The same draft, to be changed apart from this one. */
  branch(): Draft {
    const draft = new Draft(this.#world);
    for (const [id, link] of this.#links) draft.#links.set(id, link);
    for (const [id, contact] of this.#contacts) draft.#contacts.set(id, contact);
    for (const [id, order] of this.#orders) draft.#orders.set(id, order);
    for (const [id, product] of this.#products) draft.#products.set(id, product);
    draft.#messages = new Map(this.#messages);
    draft.#drops = new Map(this.#drops);
    draft.#conversions = new Map(this.#conversions);
    draft.#notices = new Map(this.#notices);
    draft.#watches = new Map(this.#watches);
    draft.#turns = new Map(this.#turns);
    draft.#redemptions = new Map(this.#redemptions);
    draft.#interactions = [...this.#interactions];
    draft.#bytes = this.#bytes;
    return draft;
  }

  /** The id of the living contact behind an id: merges are followed. */
  living(id: string): string {
    const seen = new Set<string>();
    let at = id;
    while (!seen.has(at)) {
      seen.add(at);
      const into = this.contact(at)?.mergedInto;
      if (into === undefined) return at;
      at = into;
    }
    return at;
  }

  /** The living contact that an identity belongs to. */
  owner(subject: SubjectKey): string | undefined {
    const id = this.#links.get(subject)?.contact ?? this.#world.identities.get(subject);
    return id === undefined ? undefined : this.living(id);
  }

  contact(id: string): Contact | undefined {
    return (this.#contacts.get(id) ?? this.#world.contacts.get(id))?.value;
  }

  /** Whether a contact stands in the table already. */
  isStored(id: string): boolean {
    return (this.#contacts.get(id) ?? this.#world.contacts.get(id))?.version !== 0;
  }

  order(id: string): Order | undefined {
    return (this.#orders.get(id) ?? this.#world.orders.get(id))?.value;
  }

  product(id: string): ProductState | undefined {
    return this.#products.get(id)?.value ?? this.#world.products.get(id);
  }

  /** Interactions that this draft will write. */
  get interactions(): readonly Interaction[] {
    return this.#interactions;
  }

  addInteraction(interaction: Interaction): void {
    this.#interactions.push(interaction);
    this.#bytes += Buffer.byteLength(JSON.stringify(interaction));
  }

  /** A contact that is to be written as `contact`; one that is not stored yet is created. */
  setContact(contact: Contact): void {
    const known = this.#contacts.get(contact.id) ?? this.#world.contacts.get(contact.id);
    this.#contacts.set(contact.id, { value: contact, version: known?.version ?? 0, touched: true });
  }

  setOrder(order: Order): void {
    const known = this.#orders.get(order.key) ?? this.#world.orders.get(order.key);
    this.#orders.set(order.key, { value: order, version: known?.version ?? 0, touched: true });
  }

  setProduct(product: ProductState): void {
    const kept = this.#products.get(product.id);
    const before = kept?.touched ? kept.before : (kept?.value ?? this.#world.products.get(product.id));
    this.#products.set(product.id, { value: product, touched: true, ...(before !== undefined && { before }) });
  }

  /** Points an identity to a contact; `held` is who holds it where that was not loaded. */
  link(subject: SubjectKey, contact: string, held?: string): void {
    const from = this.#links.get(subject)?.contact ?? this.#world.identities.get(subject) ?? held;
    if (from === contact) return;
    this.#links.set(subject, { contact, written: false, ...(from !== undefined && { from }) });
  }

  plan(message: Message): void {
    if (!this.#messages.has(message.id)) this.#messages.set(message.id, message);
  }

  /** Takes a message back: one that this draft plans is written as dropped, another is dropped if it is still ready. */
  drop(contact: string, id: string, reason: string): void {
    const own = this.#messages.get(id);
    if (own === undefined) this.#drops.set(id, { contact, id, reason });
    else if (own.state === 'ready') {
      const { due: _, ...rest } = own;
      this.#messages.set(id, { ...rest, state: 'dropped', reason });
    }
  }

  /** A success counts for a message: its first one stays. */
  convert(converted: Converted): void {
    if (!this.#conversions.has(converted.message)) this.#conversions.set(converted.message, converted);
  }

  /** Others are to be told: one with the same id is the same. */
  tell(notice: Notice): void {
    if (!this.#notices.has(notice.id)) this.#notices.set(notice.id, notice);
  }

  /** Somebody watches a product: a repeat writes the same again. */
  watch(watch: Watch): void {
    const item = watchItem(watch);
    this.#watches.set(`${item.pk}\n${item.sk}`, item);
  }

  /** A product has turned: what stands in the due index until its watchers have been told. */
  turn(item: Item): void {
    this.#turns.set(`${item.pk}\n${item.sk}`, item);
  }

  /** An order was paid with a code: its first order redeems it, and an unknown code is nothing. */
  redeem(code: string, redemption: Redemption): void {
    const stored = this.#world.codes.get(code);
    if (stored === undefined || stored.state === 'redeemed' || this.#redemptions.has(code)) return;
    this.#redemptions.set(code, { ...redemption, written: false });
  }

  /** Whether it has outgrown one transaction. Watches do not count: they may be written before it. */
  get overfull(): boolean {
    return this.size - this.#watches.size > MOST_WRITES || this.#bytes > MOST_BYTES;
  }

  /**
   * Writes the watches apart where one transaction cannot hold them with the rest: as when the past of somebody is read
   * who has looked at hundreds of products. One that is written although the rest then fails says nothing untrue.
   */
  async makeRoom(table: Table): Promise<void> {
    if (this.size <= MOST_WRITES) return;
    await pooled([...this.#watches.values()], 8, (item) => table.overwrite(item));
    this.#watches.clear();
  }

  get size(): number {
    const touched = (parts: Iterable<{ touched: boolean }>): number => [...parts].filter((part) => part.touched).length;
    return (
      this.#interactions.length +
      new Set([...this.#messages.keys(), ...this.#drops.keys(), ...this.#conversions.keys()]).size +
      this.#notices.size +
      this.#watches.size +
      this.#turns.size +
      2 * [...this.#redemptions.values()].filter((each) => !each.written).length +
      [...this.#links.values()].filter((link) => !link.written).length +
      touched(this.#contacts.values()) +
      touched(this.#orders.values()) +
      touched(this.#products.values())
    );
  }

  /** The writes of one transaction at `now`. `except` names parts that were refused before: they are as they are. */
  writes(table: Table, except: ReadonlySet<string>, now: number): { write: Write; part: Part }[] {
    const all: { write: Write; part: Part }[] = [];
    const add = (part: Part, write: Write): void => {
      all.push({ part, write });
    };
    for (const interaction of this.#interactions) {
      add({ kind: 'interaction', interaction }, table.creation(interactionItem(interaction, now)));
    }
    const state: Part = { kind: 'state' };
    for (const [id, { value, version, touched }] of this.#contacts) {
      if (!touched) continue;
      const before = this.#world.contacts.get(id)?.value ?? value;
      add(state, table.contactWrite({ value: before, version }, value, now));
    }
    for (const { value, version, touched } of this.#orders.values()) {
      if (touched) add(state, table.orderWrite({ value, version }, value, now));
    }
    for (const [subject, { contact, from, written }] of this.#links) {
      if (!written) add(state, table.identityWrite(subject, contact, from));
    }
    for (const { value, before, touched } of this.#products.values()) {
      if (touched) add(state, productWrite(table, before, value));
    }
    const free = (name: string, write: () => Write): boolean => {
      if (except.has(name)) return false;
      add({ kind: 'free', name }, write());
      return true;
    };
    // A transaction touches an item once: a message that is made or taken back takes its conversion along.
    const told = new Set<string>();
    for (const [id, message] of this.#messages) {
      const converted = this.#conversions.get(id);
      const whole = converted === undefined ? message : { ...message, conversion: conversionOf(converted) };
      if (free(`message ${id}`, () => table.creation(messageItem(whole, table.shards)))) told.add(id);
    }
    for (const [id, drop] of this.#drops) {
      if (free(`drop ${id}`, () => dropWrite(table, drop, this.#conversions.get(id)))) told.add(id);
    }
    for (const [id, converted] of this.#conversions) {
      if (!told.has(id)) free(`conversion ${id}`, () => conversionWrite(table, converted));
    }
    for (const [id, notice] of this.#notices) {
      free(`notice ${id}`, () => table.creation(noticeItem(notice, table.shards)));
    }
    for (const item of [...this.#watches.values(), ...this.#turns.values()]) add(state, table.put(item));
    for (const [id, { written, ...redemption }] of this.#redemptions) {
      const code = this.#world.codes.get(id);
      const name = `code ${id}`;
      if (written || code === undefined || except.has(name)) continue;
      for (const write of redemptionWrites(table, code, redemption)) add({ kind: 'free', name }, write);
    }
    return all;
  }

  /** After the writes have been taken: the draft stands on what is stored now, and starts empty. */
  settle(): void {
    for (const parts of [this.#contacts, this.#orders] as Map<string, { version: number; touched: boolean }>[]) {
      for (const [id, part] of parts) {
        if (part.touched) parts.set(id, { ...part, version: part.version + 1, touched: false });
      }
    }
    for (const [id, { value }] of this.#products) this.#products.set(id, { value, touched: false });
    for (const [id, link] of this.#links) this.#links.set(id, { ...link, written: true });
    this.#messages.clear();
    this.#drops.clear();
    this.#conversions.clear();
    this.#notices.clear();
    this.#watches.clear();
    this.#turns.clear();
    for (const [id, each] of this.#redemptions) this.#redemptions.set(id, { ...each, written: true });
    this.#interactions = [];
    this.#bytes = 0;
  }
}

function productWrite(table: Table, before: ProductState | undefined, after: ProductState): Write {
  const item = productItem(after);
  if (before === undefined) return table.creation(item);
  return {
    Put: {
      TableName: table.name,
      Item: item,
      ConditionExpression: 'given = :given OR attribute_not_exists(given)',
      ExpressionAttributeValues: { ':given': JSON.stringify(before.given) },
    },
  };
}

/** A message that is still ready leaves the due index as dropped. */
function dropWrite(table: Table, { contact, id, reason }: Required<Drop>, converted: Converted | undefined): Write {
  const conversion = converted === undefined ? '' : ', conversion = if_not_exists(conversion, :conversion)';
  return {
    Update: {
      TableName: table.name,
      Key: key.message(contact, id),
      UpdateExpression: `SET #state = :dropped, #reason = :reason${conversion} REMOVE duePk, dueAt`,
      ConditionExpression: '#state = :ready',
      ExpressionAttributeNames: { '#state': 'state', '#reason': 'reason' },
      ExpressionAttributeValues: {
        ':dropped': 'dropped',
        ':ready': 'ready',
        ':reason': reason,
        ...(converted !== undefined && { ':conversion': JSON.stringify(conversionOf(converted)) }),
      },
    },
  };
}

/** The first success of a message's window, where the message is there and has none yet. */
function conversionWrite(table: Table, converted: Converted): Write {
  return {
    Update: {
      TableName: table.name,
      Key: key.message(converted.contact, converted.message),
      UpdateExpression: 'SET conversion = :conversion',
      ConditionExpression: 'attribute_exists(pk) AND attribute_not_exists(conversion)',
      ExpressionAttributeValues: { ':conversion': JSON.stringify(conversionOf(converted)) },
    },
  };
}

function conversionOf({ message: _, contact: __, ...conversion }: Converted): Conversion {
  return conversion;
}
