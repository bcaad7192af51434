// Builders of definitions, interactions and contacts with fixed data, and a small world in which events and time are played.
import { type Book, campaignVersion, compileBook, type Definitions } from '../../domain/book.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import type { PublishedCampaign } from '../../domain/compiled-campaign.ts';
import { type Contact, movePlace, newContact, releaseMessage } from '../../domain/contact.ts';
import { decide } from '../../domain/decide.ts';
import type { Converted, Decided, Decision, Notice, Stimulus, Watch } from '../../domain/decision.ts';
import { recheck } from '../../domain/eligibility.ts';
import type { Rule } from '../../domain/grammar.ts';
import { linkContact, resolve } from '../../domain/identity.ts';
import type { Models } from '../../domain/insight/models.ts';
import { type Interaction, identityKeys, type JsonObject, type SubjectKey, sha256 } from '../../domain/interaction.ts';
import { mergeContacts } from '../../domain/merge.ts';
import type { Message } from '../../domain/message.ts';
import { foldOrder, type Order, orderKeyOf, orderSubject } from '../../domain/order.ts';
import type { Past } from '../../domain/past.ts';
import type { Catalogue, Coupons, Fields, Settings } from '../../domain/settings.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** An ISO text → epoch milliseconds; "2026-03-01" and "2026-03-01 10:00" are UTC. Throws on anything else. */
export function instant(text: string): number {
  const iso = /Z$|[+-]\d\d:\d\d$/.test(text) ? text : `${text.length === 10 ? `${text} 00:00` : text}Z`;
  const at = Date.parse(iso.replace(' ', 'T'));
  if (Number.isNaN(at)) throw new RangeError(`not an instant: ${text}`);
  return at;
}

const settings: Settings = {
  brands: {
    shop: {
      name: 'Shop',
      legalName: 'Shop Ltd',
      postalAddress: '1 High Street, Warsaw',
      site: 'https://shop.example',
      colours: { accent: '#112233', text: '#000000', background: '#ffffff' },
    },
    outlet: {
      name: 'Outlet',
      legalName: 'Outlet Ltd',
      postalAddress: '2 High Street, Warsaw',
      site: 'https://outlet.example',
      colours: { accent: '#112233', text: '#000000', background: '#ffffff' },
    },
  },
  senders: {
    main: { brand: 'shop', name: 'Shop', from: 'hello@shop.example' },
    outlet: { brand: 'outlet', name: 'Outlet', from: 'hello@outlet.example' },
  },
  currency: 'EUR',
  zone: 'Europe/Warsaw',
  locales: ['en'],
  topics: { offers: { title: 'Offers' }, news: { title: 'News' } },
  caps: [],
};

/** A body and its better model, things that go with them, and a consumable. */
export const catalogue: Catalogue = {
  products: {
    camera: {
      name: 'Camera',
      category: 'Cameras',
      price: 400,
      complements: ['bag', 'lens'],
      upgrade: 'camera-pro',
      replaceAfter: '60d',
    },
    'camera-pro': { name: 'Camera Pro', category: 'Cameras', price: 900, complements: ['lens', 'tripod'] },
    phone: {
      name: 'Phone',
      category: 'Phones',
      price: 300,
      complements: ['case'],
      upgrade: 'phone-pro',
      replaceAfter: '90d',
    },
    'phone-pro': { name: 'Phone Pro', category: 'Phones', price: 700 },
    bag: { name: 'Bag', category: 'Bags', price: 40 },
    lens: { name: 'Lens', category: 'Lenses', price: 200 },
    tripod: { name: 'Tripod', category: 'Tripods', price: 80 },
    case: { name: 'Case', category: 'Cases', price: 20 },
    film: { name: 'Film', category: 'Film', price: 9.5, consumable: true },
  },
};

const fields: Fields = {
  attributes: { country: 'text', plan: 'text', age: 'number', tags: 'list', birthday: 'date', vip: 'boolean' },
  events: { 'Ticket Bought': { seats: 'number', paid: 'money', day: 'date' }, 'Service Called': { topic: 'text' } },
};

export interface Parts {
  segments?: Record<string, Rule>;
  /** Loyalty tiers, the lowest first; `since.loyalty` says since when they stand. */
  loyalty?: Record<string, Rule>;
  campaigns?: Record<string, Campaign>;
  settings?: Partial<Settings>;
  catalogue?: Catalogue;
  coupons?: Coupons['pools'];
  ordinal?: number;
  /** Ordinals since which a segment or a campaign stands; 1 when not given. */
  since?: Record<string, number>;
  filled?: number;
  retired?: PublishedCampaign[];
  paused?: string[];
  stopped?: boolean;
  /** What insight has fitted. */
  models?: Models;
}

/** A compiled book of these parts, over a shop in Warsaw that sells in EUR. */
export function bookOf(parts: Parts = {}): Book {
  const ordinal = parts.ordinal ?? 1;
  const since = (id: string): number => parts.since?.[id] ?? 1;
  const definitions: Definitions = {
    shape: 1,
    ordinal,
    settings: { ...settings, ...parts.settings },
    segments: Object.fromEntries(
      Object.entries(parts.segments ?? {}).map(([id, rule], i) => [id, { rule, ordinal: i, since: since(id) }]),
    ),
    ...(parts.loyalty && {
      loyalty: {
        tiers: Object.entries(parts.loyalty).map(([id, rule]) => ({ id, rule, since: since('loyalty') })),
      },
    }),
    campaigns: Object.fromEntries(
      Object.entries(parts.campaigns ?? {}).map(([id, campaign]) => [id, published(id, campaign, since(id))]),
    ),
    retired: Object.fromEntries((parts.retired ?? []).map((one) => [`${one.id}@${one.version}`, one])),
    emails: {},
    pages: {},
    catalogue: parts.catalogue ?? catalogue,
    fields,
    ...(parts.coupons && { coupons: { pools: parts.coupons } }),
  };
  const controls = {
    paused: Object.fromEntries((parts.paused ?? []).map((id) => [id, { by: 'test', at: 0, why: 'a test' }])),
    filled: parts.filled ?? ordinal,
    ...(parts.stopped ? { stopped: { by: 'test', at: 0, why: 'test' } } : {}),
  };
  const { models } = parts;
  return compileBook(definitions, `book-${ordinal}`, controls, models && { hash: 'models', models });
}

/** A campaign as published, at the version that its text has. */
export function published(id: string, campaign: Campaign, since = 1): PublishedCampaign {
  return { id, version: campaignVersion(campaign), since, campaign };
}

/** A marketing campaign to the topic "offers", every time, with what is said in place of its parts. */
export function marketing(said: Pick<Campaign, 'when' | 'steps'> & Partial<Campaign>): Campaign {
  return { kind: 'marketing', aim: 'retention', topic: 'offers', sender: 'main', again: 'every time', ...said };
}

export interface Said {
  /** Made of the name and the instant when not given. */
  id?: string;
  user?: string | undefined;
  anonymous?: string;
  address?: string;
  traits?: JsonObject;
  source?: string;
}

/** An interaction of the user "ann", unless it says whose it is. */
export function event(name: string, at: number | string, properties: JsonObject = {}, said: Said = {}): Interaction {
  const who: Interaction['who'] = {};
  const user = 'user' in said || said.anonymous !== undefined || said.address !== undefined ? said.user : 'ann';
  if (user !== undefined) who.user = sha256(user);
  if (said.address !== undefined) who.address = sha256(said.address);
  if (said.anonymous !== undefined) who.anonymous = sha256(said.anonymous);
  const moment = typeof at === 'number' ? at : instant(at);
  const interaction: Interaction = {
    id: said.id ?? `${name}@${new Date(moment).toISOString()}`,
    subject: '',
    name,
    at: moment,
    source: said.source ?? 'shop',
    who,
    traits: said.traits ?? {},
    properties,
    hops: 0,
  };
  interaction.subject = identityKeys(who)[0] ?? orderSubject(orderKeyOf(interaction) ?? '');
  if (said.address !== undefined) interaction.address = said.address;
  return interaction;
}

/** Lines of an order: "camera", "camera*2" or "camera@99.50*2"; prices from the catalogue when not given. */
export function lines(...texts: string[]): JsonObject[] {
  return texts.map((text) => {
    const [, product = '', price, quantity] = /^([^@*]+)(?:@([\d.]+))?(?:\*([\d.]+))?$/.exec(text) ?? [];
    const known = catalogue.products[product];
    return {
      product_id: product,
      price: price === undefined ? (known?.price ?? 0) : Number(price),
      quantity: quantity === undefined ? 1 : Number(quantity),
      ...(known?.category === undefined ? {} : { category: known.category }),
    };
  });
}

/** An Order Completed of these lines by "ann", unless it says whose it is. */
export function order(
  id: string,
  at: number | string,
  products: string[],
  said: Said & { properties?: JsonObject } = {},
) {
  const bought = lines(...products);
  const revenue = bought.reduce((sum, line) => sum + Number(line.price) * Number(line.quantity), 0);
  const properties = { order_id: id, revenue, total: revenue, currency: 'EUR', products: bought, ...said.properties };
  return event('Order Completed', at, properties, { id: `order-${id}`, ...said });
}

/** A person as told in a truth table: what they are, their address, and what they did, in the order in which it was heard. */
export interface Life {
  is?: JsonObject;
  address?: string;
  /** When, what, and what was said of it; `products` as in `lines`. The same id twice is one event, said twice. */
  did?: [at: string, name: string, properties: JsonObject, id?: string][];
}

/** The life of "ann" as interactions. What "Identified" says are traits; an order without an id is the order "1". */
export function lived({ is = {}, address, did = [] }: Life): Interaction[] {
  const given = { id: 'given', user: 'ann', traits: is, ...(address === undefined ? {} : { address }) };
  return [
    event('Identified', '2020-01-01', {}, given),
    ...did.map(([at, name, properties, id], i) => {
      const said: Said = { id: id ?? `${i}`, ...(name === 'Scores Updated' && { source: 'kairos' }) };
      return name === 'Identified'
        ? event(name, at, {}, { ...said, traits: properties })
        : event(name, at, expanded(name, properties), said);
    }),
  ];
}

function expanded(name: string, properties: JsonObject): JsonObject {
  if (!Array.isArray(properties.products)) {
    return name === 'Order Completed' ? { order_id: '1', ...properties } : properties;
  }
  const products = lines(...(properties.products as string[]));
  const revenue = products.reduce((sum, line) => sum + Number(line.price) * Number(line.quantity), 0);
  const orders = /^Order (Completed|Updated)/.test(name) ? { order_id: '1', revenue, total: revenue } : {};
  return { ...orders, ...properties, products };
}

/** What makes "ann" somebody who may be written to: an address, a consent to offers, and a zone where one is said. */
export function introduced(at: number | string, said: { user?: string; zone?: string } = {}): Interaction[] {
  const user = said.user ?? 'ann';
  const traits: JsonObject = said.zone === undefined ? {} : { timezone: said.zone };
  return [
    event('Identified', at, {}, { id: `${user}-identified`, user, address: `${user}@mail.example`, traits }),
    event('Consent Granted', at, { topic: 'offers', basis: 'double' }, { id: `${user}-consent`, user }),
  ];
}

export interface Kept extends Message {
  droppedFor?: string;
}

/** An event that has passed through so many notices is refused. */
const MOST_HOPS = 5;

/**
 * Contacts, orders, interactions and messages in memory: events are recorded, and time is played from due instant to
 * due instant, as the recorder and the timers do. Messages count as sent once their planned instant has passed; what is
 * told to others comes back a minute later.
 */
export class World {
  book: Book;
  readonly contacts = new Map<string, Contact>();
  readonly known = new Map<SubjectKey, string>();
  readonly orders = new Map<string, Order>();
  readonly interactions: Interaction[] = [];
  readonly messages = new Map<string, Kept>();
  readonly decisions: Decision[] = [];
  readonly notices: Notice[] = [];
  readonly watches: Watch[] = [];
  readonly conversions: Converted[] = [];
  /** Messages pass the gates again when they are due, as with the sender; else they count as sent at their instant. */
  rechecks = false;
  /** When a message that was put off at the send is asked again. */
  readonly #putOff = new Map<string, number>();
  /** Of contacts that became part of another: when. */
  readonly mergedAt = new Map<string, number>();
  /** Notices that have not come back yet. */
  #told: Notice[] = [];
  /** Event names whose past was asked for, one list per question. */
  readonly questions: string[][] = [];
  #made = 0;

  constructor(book: Book) {
    this.book = book;
  }

  /** The one contact, or the one who holds a key of this user. Throws when there is none. */
  person(user?: string): Contact {
    const id = user === undefined ? [...this.contacts.keys()][0] : this.known.get(`user#${sha256(user)}`);
    const contact = this.contacts.get(this.#living(id ?? ''));
    if (contact === undefined) throw new Error(`nobody: ${user ?? 'at all'}`);
    return contact;
  }

  /**
   * Records events in the order given; each is processed at its own time, or at `now`, after all that was due before
   * (`overdue`: the timers have not run). Repeats count nothing.
   */
  record(events: Interaction[], said: { now?: number | string; history?: boolean; overdue?: boolean } = {}): this {
    const now = typeof said.now === 'string' ? instant(said.now) : said.now;
    for (const one of events) {
      if (!said.overdue) this.until((now ?? one.at) - 1);
      this.#record(one, now ?? one.at, said.history ?? false);
    }
    return this;
  }

  /** Lets time pass: every contact is looked at when it is due. */
  until(moment: number | string): this {
    const end = typeof moment === 'string' ? instant(moment) : moment;
    for (let ticks = 0; ; ticks++) {
      if (ticks > 20_000) throw new Error('time does not pass: a due instant comes again and again');
      const next = this.#nextDue();
      const due = next?.journey.due ?? Number.POSITIVE_INFINITY;
      const back = (this.#told[0]?.at ?? Number.POSITIVE_INFINITY) + MINUTE;
      if (Math.min(due, back) > end) break;
      if (next !== undefined && due <= back) this.tick(next.id, due);
      else this.#comeBack(this.#told.shift() as Notice, back);
    }
    this.#send(end + 1);
    return this;
  }

  tick(id: string, now: number): void {
    this.#send(now);
    const contact = this.contacts.get(id) as Contact;
    const decided = this.#decide(contact, { kind: 'tick' }, now);
    if (decided.contact.journey.due !== undefined && decided.contact.journey.due <= now)
      throw new Error('a contact stays due');
    this.#keep(decided);
  }

  /** Gives the one contact, or that of this user, a stimulus that is no event, after all that was due before. */
  give(stimulus: Exclude<Stimulus, { kind: 'interaction' }>, now: number | string, user?: string): this {
    const at = typeof now === 'string' ? instant(now) : now;
    this.until(at - 1);
    this.#keep(this.#decide(this.person(user), stimulus, at));
    return this;
  }

  /** Switches to another book and walks the roster, as a backfill does. */
  publish(book: Book, now: number | string, said: { walk?: boolean } = {}): this {
    this.book = book;
    const at = typeof now === 'string' ? instant(now) : now;
    this.#send(at);
    for (const contact of said.walk === false ? [] : [...this.contacts.values()]) {
      if (contact.mergedInto === undefined) this.#keep(this.#decide(contact, { kind: 'publish' }, at));
    }
    return this;
  }

  /** E-mail and instant of messages that were not taken back, by planned instant; those of held-out runs as ghosts. */
  mail(): string[] {
    return this.kept().map(({ state, email, plannedAt }) => {
      const at = new Date(plannedAt).toISOString().slice(0, 16).replace('T', ' ');
      return `${state === 'ghost' ? 'ghost ' : ''}${email} ${at}`;
    });
  }

  kept(): Kept[] {
    return [...this.messages.values()]
      .filter((one) => one.state !== 'dropped')
      .sort((a, b) => a.plannedAt - b.plannedAt || (a.id < b.id ? -1 : 1));
  }

  dropped(): string[] {
    return [...this.messages.values()]
      .filter((one) => one.state === 'dropped')
      .map((one) => `${one.email}: ${one.droppedFor}`);
  }

  /** What was decided over a campaign, in order. */
  said(campaign: string): string[] {
    return this.decisions.filter((one) => one.campaign === campaign).map((one) => `${one.kind}: ${one.reason}`);
  }

  members(): string[] {
    const { segments } = this.person().journey;
    return Object.keys(segments)
      .filter((id) => segments[id]?.since !== undefined)
      .sort();
  }

  #living(id: string): string {
    const into = this.contacts.get(id)?.mergedInto;
    return into === undefined ? id : this.#living(into);
  }

  #nextDue(): Contact | undefined {
    const waiting = [...this.contacts.values()].filter(
      (one) => one.journey.due !== undefined && one.mergedInto === undefined,
    );
    return waiting.sort((a, b) => (a.journey.due as number) - (b.journey.due as number))[0];
  }

  #send(before: number): void {
    const wanted = (one: Kept): number => this.#putOff.get(one.id) ?? Math.max(one.plannedAt, one.createdAt);
    for (;;) {
      const ready = [...this.messages.values()].filter((one) => one.state === 'ready' && wanted(one) < before);
      const [message] = ready.sort((a, b) => wanted(a) - wanted(b) || (a.id < b.id ? -1 : 1));
      if (message === undefined) return;
      const now = wanted(message);
      const contact = this.contacts.get(this.#living(message.contact)) as Contact;
      const verdict = this.rechecks ? recheck(this.book, contact, message, { suppressed: false, now }) : undefined;
      if (verdict !== undefined && 'place' in verdict) {
        this.contacts.set(contact.id, movePlace(contact, message, verdict.place as number));
      }
      if (verdict?.kind === 'defer') this.#putOff.set(message.id, verdict.until);
      else if (verdict?.kind === 'drop') {
        Object.assign(message, { state: 'dropped', droppedFor: verdict.reason });
        this.contacts.set(contact.id, releaseMessage(contact, message.id));
      } else Object.assign(message, { state: 'sent', sentAt: now });
    }
  }

  #comeBack({ id, event: name, at, contact, hops, properties }: Notice, now: number): void {
    if (hops > MOST_HOPS) return;
    const subject = `contact#${contact}` as SubjectKey;
    this.#record(
      { id, subject, name, at, source: 'kairos', who: { contact }, traits: {}, properties, hops },
      now,
      false,
    );
  }

  #record(interaction: Interaction, now: number, history: boolean): void {
    const same = (one: Interaction) =>
      one.subject === interaction.subject && one.name === interaction.name && one.id === interaction.id;
    if (this.interactions.some(same)) return;
    this.#send(now);
    const key = orderKeyOf(interaction);
    const before = key === undefined ? undefined : this.orders.get(key);
    const after = key === undefined ? undefined : this.#fold(before, interaction);
    const contact = this.#whose(interaction, after, now);
    if (contact === undefined) {
      if (after !== undefined) this.orders.set(after.key, { ...after, orphaned: true });
      this.interactions.push(interaction);
      return;
    }
    const stimulus: Extract<Stimulus, { kind: 'interaction' }> = {
      kind: 'interaction',
      interaction,
      ...(history && { history }),
    };
    const aliases: SubjectKey[] = [interaction.subject];
    let owned: Order | undefined;
    if (after !== undefined) {
      const { orphaned, ...rest } = after;
      owned = { ...rest, owner: this.#living(after.owner ?? contact.id) };
      if (orphaned) {
        aliases.push(orderSubject(after.key));
        stimulus.orphans = this.interactions.filter((one) => one.subject === orderSubject(after.key));
      }
      stimulus.order = { after: owned, ...(before?.owner !== undefined && { before }) };
    }
    const decided = this.#decide(linkContact(contact, aliases), stimulus, now);
    if (owned !== undefined) this.orders.set(owned.key, owned);
    this.interactions.push(interaction);
    this.#keep(decided);
  }

  #fold(before: Order | undefined, interaction: Interaction): Order {
    const { currency, definitions } = this.book;
    return foldOrder(before, interaction, currency, definitions.ordinal > 0 ? definitions.catalogue : undefined);
  }

  #whose(interaction: Interaction, order: Order | undefined, now: number): Contact | undefined {
    const subjects = identityKeys(interaction.who);
    for (;;) {
      const known = new Map<SubjectKey, string>();
      for (const subject of subjects) {
        const owner = this.known.get(subject);
        if (owner !== undefined) known.set(subject, this.#living(owner));
      }
      const living = order?.owner === undefined ? order : { ...order, owner: this.#living(order.owner) };
      const resolution = resolve(interaction, known, this.contacts, living);
      if (resolution.kind === 'none') return undefined;
      const made =
        resolution.kind === 'new'
          ? newContact(`c${++this.#made}`, now)
          : this.contacts.get(this.#living(resolution.id));
      if (made === undefined) throw new Error('resolved to nobody');
      const contact = linkContact(made, resolution.link);
      for (const subject of resolution.link) this.known.set(subject, contact.id);
      this.contacts.set(contact.id, contact);
      const other =
        resolution.kind === 'contact' && resolution.merge !== undefined
          ? this.contacts.get(resolution.merge)
          : undefined;
      if (other === undefined) return contact;
      const merged = mergeContacts(contact, other, now);
      this.contacts.set(merged.contact.id, merged.contact);
      this.contacts.set(merged.tombstone.id, merged.tombstone);
      this.mergedAt.set(merged.tombstone.id, now);
      for (const drop of merged.drops) this.#drop(drop.id, drop.reason);
    }
  }

  #decide(contact: Contact, stimulus: Stimulus, now: number): Decided {
    const inputs = JSON.stringify([contact, stimulus]);
    let decided = decide(this.book, contact, stimulus, now);
    for (let asked = 0; 'need' in decided; asked++) {
      if (asked === 3) throw new Error('the past was given and is needed still');
      this.questions.push(decided.need);
      decided = decide(this.book, contact, stimulus, now, this.past(contact, decided.need));
    }
    if (JSON.stringify([contact, stimulus]) !== inputs) throw new Error('decide changed what it was given');
    return decided;
  }

  /** What was recorded of a contact under these names. */
  past(contact: Contact, names: string[]): Past {
    const interactions = this.interactions.filter(
      (one) => names.includes(one.name) && contact.aliases.includes(one.subject),
    );
    const keys = [...new Set(interactions.flatMap((one) => orderKeyOf(one) ?? []))];
    return { names, interactions, orders: keys.flatMap((key) => this.orders.get(key) ?? []) };
  }

  #keep({ contact, messages, drops, decisions, notices, watches, conversions }: Decided): void {
    this.contacts.set(contact.id, contact);
    for (const message of messages) {
      if (this.messages.has(message.id)) throw new Error(`a message repeats: ${message.campaign} ${message.step}`);
      this.messages.set(message.id, { ...message });
    }
    for (const drop of drops) this.#drop(drop.id, drop.reason);
    this.decisions.push(...decisions);
    this.notices.push(...notices);
    this.#told = [...this.#told, ...notices].sort((a, b) => a.at - b.at);
    this.watches.push(...watches);
    for (const converted of conversions) {
      const message = this.messages.get(converted.message);
      if (message === undefined) throw new Error('a message converts that was never planned');
      const { message: _, contact: __, ...conversion } = converted;
      message.conversion ??= conversion;
      this.conversions.push(converted);
    }
  }

  #drop(id: string, reason: string): void {
    const message = this.messages.get(id);
    if (message === undefined) throw new Error('a message is taken back that was never planned');
    if (message.state === 'ready') Object.assign(message, { state: 'dropped', droppedFor: reason });
  }
}
