// The recorder: load, resolve, fold, decide, and ONE transaction per contact, so that every event counts once.
import type { Book } from '../../domain/book.ts';
import { type Contact, newContact, type SuppressionReason } from '../../domain/contact.ts';
import { decide } from '../../domain/decide.ts';
import type { Stimulus } from '../../domain/decision.ts';
import { linkContact, resolve } from '../../domain/identity.ts';
import { type Interaction, identityKeys, type SubjectKey } from '../../domain/interaction.ts';
import { mergeContacts } from '../../domain/merge.ts';
import { foldOrder, type Order, orderKeyOf, orderSubject } from '../../domain/order.ts';
import type { Past } from '../../domain/past.ts';
import type { BookStore } from './book-store.ts';
import { jitter, sleep } from './clock.ts';
import { foldProduct, productIdOf } from './product.ts';
import { Cancelled, interactionItem, key, pooled, readInteraction, readOrder, type Table } from './table.ts';
import { turnItem, turnsOf } from './turns.ts';
import { codesNamed, Draft, emptyWorld, loadWorld, readContacts, readSuppressions, type World } from './world.ts';

export type RecordOutcome =
  /** It counted. */
  | { kind: 'recorded' }
  /** It had counted before. */
  | { kind: 'repeat' }
  /** It was recorded by one put: nothing reads it. */
  | { kind: 'ignored' }
  /** Its person was erased after it happened: nothing was written. */
  | { kind: 'erased' }
  /** It alone was not recorded; delivering it again may help. */
  | { kind: 'failed'; error: Error };

/** What became of a contact that a walk has met: as it is afterwards, and whether it was given anything; or why it failed. */
export type Given = { id: string; contact: Contact; gave: boolean } | { id: string; error: unknown };

/** A contact as it is stored, and what a book would make of it. */
export type Rehearsed = { before: Contact; after: Contact } | { before: Contact; error: unknown };

const MOST_ATTEMPTS = 3;
const MOST_QUESTIONS = 3;
const GROUPS_AT_ONCE = 8;

type InteractionStimulus = Extract<Stimulus, { kind: 'interaction' }>;

interface Entry {
  interaction: Interaction;
  history: boolean;
  outcome?: RecordOutcome;
}

/** More than one transaction's worth of writes follows from one event: it cannot be recorded as one fact. */
export class TooManyWrites extends Error {
  constructor(writes: number) {
    super(`recorder: one event leads to ${writes} writes, at most 100 fit in a transaction`);
    this.name = 'TooManyWrites';
  }
}

export class Recorder {
  readonly #table: Table;
  readonly #books: BookStore;
  readonly #now: () => number;
  readonly #newId: () => string;

  constructor(deps: { table: Table; books: BookStore; now: () => number; newId: () => string }) {
    this.#table = deps.table;
    this.#books = deps.books;
    this.#now = deps.now;
    this.#newId = deps.newId;
  }

  /**
   * Records interactions; outcomes come in the order given. Throws only when nothing could be read at all:
   * otherwise each interaction fails alone. Repeats count nothing twice, inside one call and between calls.
   */
  async record(stimuli: { interaction: Interaction; history?: boolean }[]): Promise<RecordOutcome[]> {
    const book = await this.#books.current();
    const entries: Entry[] = stimuli.map(({ interaction, history }) => ({ interaction, history: history ?? false }));
    const plain = entries.filter(({ interaction }) => book.ignores(interaction.name) && isPlain(interaction));
    const others = entries.filter((entry) => !plain.includes(entry));
    await Promise.all([
      pooled(plain, GROUPS_AT_ONCE, (entry) => this.#putPlain(entry)),
      others.length === 0 ? undefined : this.#recordAll(others),
    ]);
    return entries.map(({ outcome }) => outcome ?? failed(new Error('recorder: no outcome')));
  }

  /** Looks at contacts whose time has come. Throws the first fault, after all were looked at. */
  async tick(contactIds: string[]): Promise<void> {
    const failed = failures(await this.give(contactIds, () => ({ kind: 'tick' })));
    if (failed[0] !== undefined) throw failed[0].error;
  }

  /**
   * Takes contacts over to the present definitions; answers those that could not be. Throws only when nothing could be
   * read at all.
   */
  async refresh(contactIds: string[]): Promise<{ id: string; error: unknown }[]> {
    return failures(await this.give(contactIds, () => ({ kind: 'publish' })));
  }

  /** Decides over contacts with models that are new, as at any instant; answers those that could not be decided over. */
  async look(contactIds: string[]): Promise<{ id: string; error: unknown }[]> {
    return failures(await this.give(contactIds, () => ({ kind: 'models' })));
  }

  /**
   * Meets contacts, each with what `stimulusOf` has for it: merges are followed, and the living contact is decided over
   * as it stands now (anew where another writer was in the way); where there is nothing for it, it is left alone. What is
   * gone is left out; the others come in the order given. Throws only when nothing could be read at all.
   */
  async give(ids: string[], stimulusOf: (contact: Contact, id: string) => Stimulus | undefined): Promise<Given[]> {
    const distinct = [...new Set(ids)];
    const world = emptyWorld();
    await readContacts(this.#table, world, distinct);
    const found = new Map<string, Given>();
    await pooled(distinct, GROUPS_AT_ONCE, async (id) => {
      try {
        const given = await this.#giveOne(id, stimulusOf, world);
        if (given !== undefined) found.set(id, given);
      } catch (error) {
        found.set(id, { id, error });
      }
    });
    return distinct.flatMap((id) => found.get(id) ?? []);
  }

  /**
   * What a book would make of contacts: each as stored beside what taking it over would leave, or the fault that it
   * meets. Writes nothing. Contacts that are gone are left out; the others come in the order given.
   */
  async rehearse(contactIds: string[], book: Book): Promise<Rehearsed[]> {
    const ids = [...new Set(contactIds)];
    const world = emptyWorld();
    await readContacts(this.#table, world, ids);
    const found = new Map<string, Rehearsed>();
    await pooled(ids, GROUPS_AT_ONCE, async (id) => {
      const draft = new Draft(world);
      const before = draft.contact(id);
      if (before === undefined || before.mergedInto !== undefined) return;
      try {
        await this.#decideInto(draft, book, before, { kind: 'publish' }, before);
        found.set(id, { before, after: draft.contact(id) ?? before });
      } catch (error) {
        found.set(id, { before, error });
      }
    });
    return ids.flatMap((id) => found.get(id) ?? []);
  }

  async #putPlain(entry: Entry): Promise<void> {
    try {
      const first = await this.#table.create(interactionItem(entry.interaction, this.#now()));
      entry.outcome = { kind: first ? 'ignored' : 'repeat' };
    } catch (error) {
      entry.outcome = failed(error);
    }
  }

  async #recordAll(entries: Entry[]): Promise<void> {
    const world = await loadWorld(
      this.#table,
      entries.map((entry) => entry.interaction),
    );
    await pooled(groups(entries, new Draft(world)), GROUPS_AT_ONCE, async (group) => {
      try {
        await this.#recordGroup(group, world);
      } catch (error) {
        for (const entry of group) entry.outcome ??= failed(error);
      }
    });
  }

  /** Records interactions that touch the same contacts, in event order, in as few transactions as they fit in. */
  async #recordGroup(group: Entry[], loaded: World): Promise<void> {
    const sorted = [...group].sort((a, b) => inEventOrder(a.interaction, b.interaction));
    let left = withoutRepeats(sorted);
    let world: World | undefined = loaded;
    let attempts = 0;
    let most = Number.POSITIVE_INFINITY;
    while (left.length > 0) {
      world ??= await loadWorld(
        this.#table,
        left.map((entry) => entry.interaction),
      );
      let draft = new Draft(world);
      while (left.length > 0) {
        const planned = await this.#planAhead(draft, world, left, most);
        draft = planned.draft;
        if (planned.taken.length === 0) {
          left = left.filter((entry) => entry.outcome === undefined);
          continue;
        }
        try {
          const repeats = await this.#commit(draft);
          if (repeats === undefined) {
            for (const entry of planned.taken) entry.outcome = { kind: 'recorded' };
            draft.settle();
            attempts = 0;
          } else if (repeats.size > 0) {
            for (const entry of planned.taken) if (repeats.has(entry.interaction)) entry.outcome = { kind: 'repeat' };
            world = undefined;
          } else {
            attempts++;
            if (attempts > MOST_ATTEMPTS) throw new Error('recorder: other writers stayed in the way');
            await sleep(jitter(attempts + 1));
            world = undefined;
          }
        } catch (error) {
          // One that cannot be written must not take the others with it: from here on, one at a time.
          if (planned.taken.length > 1) most = 1;
          else for (const entry of planned.taken) entry.outcome = failed(error);
          attempts = 0;
          world = undefined;
        }
        left = left.filter((entry) => entry.outcome === undefined);
        if (world === undefined) break;
      }
    }
    for (const entry of sorted) entry.outcome ??= sameOutcome(sorted, entry);
  }

  /** Drafts as many interactions as fit in one transaction. Those that cannot be decided get their outcome. */
  async #planAhead(from: Draft, world: World, left: Entry[], most: number): Promise<{ draft: Draft; taken: Entry[] }> {
    let draft = from;
    const taken: Entry[] = [];
    for (const entry of left) {
      if (taken.length >= most) break;
      const next = draft.branch();
      try {
        const outcome = await this.#apply(next, world, entry);
        if (outcome !== undefined) {
          entry.outcome = outcome;
          continue;
        }
      } catch (error) {
        entry.outcome = failed(error);
        continue;
      }
      if (next.overfull) {
        if (taken.length > 0) break;
        entry.outcome = failed(new TooManyWrites(next.size));
        continue;
      }
      draft = next;
      taken.push(entry);
    }
    return { draft, taken };
  }

  /** Drafts one interaction. Answers an outcome only when it is not to be written. */
  async #apply(draft: Draft, world: World, { interaction, history }: Entry): Promise<RecordOutcome | undefined> {
    const { who, at } = interaction;
    const subjects = identityKeys(who);
    if (subjects.some((subject) => (world.erased.get(subject) ?? Number.NEGATIVE_INFINITY) >= at)) {
      return { kind: 'erased' };
    }
    const book = await this.#books.current();
    const { catalogue, ordinal, settings } = book.definitions;
    const { currency } = settings;
    const product = productIdOf(interaction);
    if (product !== undefined) {
      const before = draft.product(product);
      const after = foldProduct(before, interaction, currency);
      draft.setProduct(after);
      const turned = history ? [] : turnsOf(book, before, after, interaction, this.#now());
      for (const turn of turned) draft.turn(turnItem(turn, this.#now(), this.#table.shards));
    }

    const orderKey = orderKeyOf(interaction);
    const before = orderKey === undefined ? undefined : livingOrder(draft, draft.order(orderKey));
    const after =
      orderKey === undefined
        ? undefined
        : foldOrder(before, interaction, currency, ordinal > 0 ? catalogue : undefined);
    const contact = await this.#whose(draft, interaction, subjects, after);
    if (contact === 'gone') return { kind: 'erased' };
    if (orderKey !== undefined) {
      const by = contact === undefined ? {} : { contact: contact.id };
      for (const code of codesNamed(interaction)) draft.redeem(code, { order: orderKey, at, ...by });
    }
    if (contact === undefined) {
      if (after !== undefined) draft.setOrder({ ...after, orphaned: true });
      draft.addInteraction(interaction);
      return undefined;
    }

    const stimulus: InteractionStimulus = { kind: 'interaction', interaction, ...(history && { history }) };
    const aliases: SubjectKey[] = [interaction.subject];
    if (after !== undefined) {
      // What an order was before it had an owner has counted for nobody: then all of it counts now.
      const owned: Order = { ...after, owner: after.owner ?? contact.id };
      if (after.orphaned === true) {
        aliases.push(orderSubject(after.key));
        stimulus.orphans = await this.#recorded(draft, orderSubject(after.key), '');
        delete owned.orphaned;
      }
      stimulus.order = { after: owned, ...(before?.owner !== undefined && { before }) };
      draft.setOrder(owned);
    }
    const linked = linkContact(contact, aliases);
    const against = await this.#against(draft, world, linked, interaction);
    if (against !== undefined) stimulus.address = against;
    await this.#decideInto(draft, book, linked, stimulus, contact);
    draft.addInteraction(interaction);
    return undefined;
  }

  /** The contact whose interaction it is, made, linked or merged in the draft; `gone` when our own event's is erased. */
  async #whose(
    draft: Draft,
    interaction: Interaction,
    subjects: SubjectKey[],
    order: Order | undefined,
  ): Promise<Contact | 'gone' | undefined> {
    for (let merges = 0; ; merges++) {
      const known = new Map<SubjectKey, string>();
      const contacts = new Map<string, Contact>();
      const add = (id: string): void => {
        const contact = draft.contact(id);
        if (contact !== undefined) contacts.set(id, contact);
      };
      for (const subject of subjects) {
        const owner = draft.owner(subject);
        if (owner === undefined || draft.contact(owner) === undefined) continue;
        known.set(subject, owner);
        add(owner);
      }
      if (order?.owner !== undefined) add(order.owner);
      const resolution = resolve(interaction, known, contacts, order);
      switch (resolution.kind) {
        case 'none':
          return undefined;
        case 'new': {
          const buyer = order?.owner === undefined ? undefined : contacts.get(order.owner);
          if (buyer !== undefined) return adopt(draft, buyer, resolution.link);
          const contact = linkContact(newContact(this.#newId(), this.#now()), resolution.link);
          for (const subject of resolution.link) draft.link(subject, contact.id);
          draft.setContact(contact);
          return contact;
        }
        case 'contact': {
          const id = draft.living(resolution.id);
          const contact = draft.contact(id);
          if (contact === undefined) return 'gone';
          const linked = linkContact(contact, resolution.link);
          for (const subject of resolution.link) draft.link(subject, id);
          if (linked !== contact) draft.setContact(linked);
          const other = resolution.merge === undefined ? undefined : draft.contact(resolution.merge);
          if (other === undefined || merges >= subjects.length) return linked;
          await this.#merge(draft, linked, other);
        }
      }
    }
  }

  /** The one in place of two: written both, the other's identities pointed to the survivor. */
  async #merge(draft: Draft, one: Contact, other: Contact): Promise<void> {
    const { contact, tombstone, drops } = mergeContacts(one, other, this.#now());
    draft.setContact(contact);
    draft.setContact(tombstone);
    for (const drop of drops) draft.drop(drop.contact, drop.id, drop.reason);
    const subjects = tombstone.aliases.filter((alias) => /^(user|address|anonymous)#/.test(alias));
    const found = await this.#table.read(subjects.map(key.identity));
    const pointing = subjects.filter((subject) => {
      const stored = found.get(key.identity(subject))?.contact ?? draft.owner(subject);
      return stored === tombstone.id || stored === contact.id;
    });
    for (const subject of pointing.slice(0, MOST_REPOINTED)) draft.link(subject, contact.id, tombstone.id);
  }

  /** What stands against an address that the contact takes now. */
  async #against(
    draft: Draft,
    world: World,
    contact: Contact,
    { who, address }: Interaction,
  ): Promise<InteractionStimulus['address']> {
    const hash = who.address;
    if (hash === undefined || address === undefined) return undefined;
    if (contact.facts.addressHash === hash || draft.owner(`address#${hash}`) !== contact.id) return undefined;
    let against = world.suppressions.get(hash);
    if (against === undefined) {
      against = readSuppressions(await this.#table.read([key.suppression(hash), key.withdrawal(hash)]), hash);
      world.suppressions.set(hash, against);
    }
    const { suppression, withdrawal } = against;
    if (suppression === undefined && withdrawal === undefined) return undefined;
    return {
      ...(suppression !== undefined && {
        suppression: { reason: suppression.reason as SuppressionReason, at: suppression.at },
      }),
      ...(withdrawal !== undefined && { withdrawals: [withdrawal] }),
    };
  }

  /** Decides, with the past where it is needed, and drafts what follows. `stored` is the contact before any change. */
  async #decideInto(draft: Draft, book: Book, contact: Contact, stimulus: Stimulus, stored: Contact): Promise<void> {
    const ordinal = contact.book?.ordinal ?? 0;
    const own = book.definitions.ordinal >= ordinal ? book : await this.#books.atLeast(ordinal);
    const now = this.#now();
    let decided = decide(own, contact, stimulus, now);
    for (let asked = 0; 'need' in decided; asked++) {
      // It may ask for more once it has seen some; it never asks for the same again.
      if (asked === MOST_QUESTIONS) throw new Error('recorder: the past was given and is needed still');
      decided = decide(own, contact, stimulus, now, await this.#past(draft, contact, decided.need));
    }
    if (decided.changed || contact !== stored) draft.setContact(decided.contact);
    for (const message of decided.messages) draft.plan(message);
    for (const drop of decided.drops) draft.drop(drop.contact ?? contact.id, drop.id, drop.reason);
    for (const converted of decided.conversions) draft.convert(converted);
    for (const notice of decided.notices) draft.tell(notice);
    for (const watch of decided.watches) draft.watch(watch);
  }

  /** Everything recorded under the names, of every alias, and the present state of the orders that it speaks of. */
  async #past(draft: Draft, contact: Contact, names: string[]): Promise<Past> {
    const interactions: Interaction[] = [];
    // Little stands under the names of somebody new: one question each. Else by event name, not to read all views.
    const each = draft.isStored(contact.id) ? names : [''];
    const wanted = contact.aliases.flatMap((alias) => each.map((name) => ({ alias, name })));
    await pooled(wanted, 4, async ({ alias, name }) => {
      const recorded = await this.#recorded(draft, alias, name);
      interactions.push(...recorded.filter((one) => names.includes(one.name)));
    });
    const keys = [...new Set(interactions.flatMap((each) => orderKeyOf(each) ?? []))];
    const found = await this.#table.read(keys.filter((each) => draft.order(each) === undefined).map(key.order));
    const orders = keys.flatMap((each) => {
      const item = found.get(key.order(each));
      return draft.order(each) ?? (item === undefined ? [] : readOrder(item).value);
    });
    return { names, interactions: interactions.sort(inEventOrder), orders };
  }

  /** Interactions of a subject, stored and drafted; of all names when the name is empty. */
  async #recorded(draft: Draft, subject: SubjectKey, name: string): Promise<Interaction[]> {
    const items = await this.#table.under(`SUBJECT#${subject}`, name === '' ? 'INTERACTION#' : `INTERACTION#${name}#`);
    const drafted = draft.interactions.filter(
      (each) => each.subject === subject && (name === '' || each.name === name),
    );
    return [...items.map(readInteraction), ...drafted].sort(inEventOrder);
  }

  /**
   * Writes a draft. Answers undefined when it is written, the interactions that had counted before, or an empty set
   * when other writers changed something that the draft stands on.
   */
  async #commit(draft: Draft): Promise<Set<Interaction> | undefined> {
    const except = new Set<string>();
    await draft.makeRoom(this.#table);
    for (;;) {
      const writes = draft.writes(this.#table, except, this.#now());
      if (writes.length === 0) return undefined;
      try {
        await this.#table.transact(writes.map(({ write }) => write));
        return undefined;
      } catch (error) {
        if (!(error instanceof Cancelled)) {
          if (isThrottle(error)) return new Set();
          throw error;
        }
        const parts = error.conditions.map((index) => writes[index]?.part);
        const repeats = parts.flatMap((part) => (part?.kind === 'interaction' ? [part.interaction] : []));
        if (repeats.length > 0) return new Set(repeats);
        const asTheyAre = parts.flatMap((part) => (part?.kind === 'free' ? [part.name] : []));
        if (asTheyAre.length === 0 || asTheyAre.length < parts.length) return new Set();
        // Sent, taken back or converted meanwhile, or planned by an earlier delivery: they stay as they are.
        for (const name of asTheyAre) except.add(name);
      }
    }
  }

  /**
   * A publish takes over in silence. What time alone has turned under unchanged rules is no matter of the publish: who
   * is due is ticked instead, so that a segment entered a moment ago is entered, also when the walk comes first.
   */
  #timely({ book, journey }: Contact, stimulus: Stimulus): Stimulus {
    const due = book !== undefined && journey.due !== undefined && journey.due <= this.#now();
    return stimulus.kind === 'publish' && due ? { kind: 'tick' } : stimulus;
  }

  async #giveOne(
    id: string,
    stimulusOf: (contact: Contact, id: string) => Stimulus | undefined,
    loaded: World,
  ): Promise<Given | undefined> {
    let world = loaded;
    for (let attempt = 1; ; attempt++) {
      const draft = new Draft(world);
      const contact = draft.contact(draft.living(id));
      if (contact === undefined || contact.mergedInto !== undefined) return undefined;
      const stimulus = stimulusOf(contact, id);
      if (stimulus === undefined) return { id, contact, gave: false };
      await this.#decideInto(draft, await this.#books.current(), contact, this.#timely(contact, stimulus), contact);
      if (draft.overfull) throw new TooManyWrites(draft.size);
      if ((await this.#commit(draft)) === undefined) {
        return { id, contact: draft.contact(contact.id) ?? contact, gave: true };
      }
      if (attempt > MOST_ATTEMPTS) throw new Error('recorder: other writers stayed in the way');
      await sleep(jitter(attempt + 1));
      world = emptyWorld();
      await readContacts(this.#table, world, [id]);
    }
  }
}

const failures = (given: Given[]): { id: string; error: unknown }[] =>
  given.flatMap((one) => ('error' in one ? [one] : []));

/** Somebody unknown speaks of an order whose buyer is known: it is the buyer, who keeps an id or address held already. */
function adopt(draft: Draft, buyer: Contact, link: SubjectKey[]): Contact {
  const free = link.filter((subject) => {
    const kind = subject.slice(0, subject.indexOf('#') + 1);
    return kind === 'anonymous#' || !buyer.aliases.some((alias) => alias.startsWith(kind));
  });
  const contact = linkContact(buyer, free);
  for (const subject of free) draft.link(subject, buyer.id);
  if (contact !== buyer) draft.setContact(contact);
  return contact;
}

/** Identities beyond these lead to the survivor by the remainder that they point to. */
const MOST_REPOINTED = 40;

/** The order with its owner's merges followed. */
function livingOrder(draft: Draft, order: Order | undefined): Order | undefined {
  return order?.owner === undefined ? order : { ...order, owner: draft.living(order.owner) };
}

/** Whether an interaction links nobody and gives no attribute: where no rule and no fact reads its name, one put records it. */
function isPlain({ who, address, traits }: Interaction): boolean {
  const links = identityKeys(who).length > 1 || who.contact !== undefined || address !== undefined;
  return !links && Object.keys(traits).length === 0;
}

/** Sets of interactions that share an identity, a contact, an order or a product: each is recorded apart. */
function groups(entries: Entry[], draft: Draft): Entry[][] {
  const parents = new Map<string, string>();
  const root = (node: string): string => {
    const parent = parents.get(node);
    if (parent === undefined || parent === node) return node;
    const top = root(parent);
    parents.set(node, top);
    return top;
  };
  const nodes = ({ interaction }: Entry): string[] => {
    const found: string[] = [`subject ${interaction.subject}`];
    const contacts: (string | undefined)[] = [interaction.who.contact];
    for (const subject of identityKeys(interaction.who)) {
      found.push(`identity ${subject}`);
      contacts.push(draft.owner(subject));
    }
    const order = orderKeyOf(interaction);
    if (order !== undefined) {
      found.push(`order ${order}`);
      contacts.push(draft.order(order)?.owner);
    }
    const product = productIdOf(interaction);
    if (product !== undefined) found.push(`product ${product}`);
    return [...found, ...contacts.flatMap((id) => (id === undefined ? [] : [`contact ${draft.living(id)}`]))];
  };
  for (const entry of entries) {
    const [first, ...others] = nodes(entry) as [string, ...string[]];
    for (const other of others) parents.set(root(other), root(first));
  }
  const byRoot = new Map<string, Entry[]>();
  for (const entry of entries) {
    const at = root(`subject ${entry.interaction.subject}`);
    byRoot.set(at, [...(byRoot.get(at) ?? []), entry]);
  }
  return [...byRoot.values()];
}

/** By event time; of one instant first who it is, then what he consents to, so that a batch said at once is one story. */
function inEventOrder(a: Interaction, b: Interaction): number {
  return a.at - b.at || rank(a) - rank(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function rank({ name }: Interaction): number {
  if (name === 'Identified') return 0;
  return name.startsWith('Consent ') ? 1 : 2;
}

const keyOf = ({ interaction }: Entry): string => JSON.stringify(key.interaction(interaction));

/** The first of each key; the others share its fate. */
function withoutRepeats(entries: Entry[]): Entry[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const known = seen.has(keyOf(entry));
    seen.add(keyOf(entry));
    return !known;
  });
}

function sameOutcome(entries: Entry[], repeat: Entry): RecordOutcome {
  const first = entries.find((entry) => keyOf(entry) === keyOf(repeat))?.outcome;
  return first === undefined || first.kind === 'recorded' ? { kind: 'repeat' } : first;
}

function failed(error: unknown): RecordOutcome {
  return { kind: 'failed', error: error instanceof Error ? error : new Error(String(error)) };
}

function isThrottle(error: unknown): boolean {
  const { name } = error as Error;
  return /Throttl|ProvisionedThroughputExceeded|RequestLimitExceeded|TransactionConflict/.test(name);
}
