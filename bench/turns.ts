// What time costs: a year of a shop's segments moved by due instants, beside a rebuild that reads every contact each night.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Book } from '../domain/book.ts';
import { type Contact, newContact } from '../domain/contact.ts';
import { decide } from '../domain/decide.ts';
import type { Stimulus } from '../domain/decision.ts';
import { sightOf } from '../domain/eligibility.ts';
import type { Rule } from '../domain/grammar.ts';
import type { Interaction } from '../domain/interaction.ts';
import { foldOrder } from '../domain/order.ts';
import { bookOf, DAY, event, HOUR } from '../test/support/people.ts';
import { machine } from './cpu.ts';

const HISTORY = new URL('../../shared/data/cdnow/CDNOW_master.txt', import.meta.url);
const EXAMPLES = new URL('../../shared/examples/segments.json', import.meta.url);
const TEMPLATES = new URL('../test/small-shop/segments/', import.meta.url);

/** The year that is counted; whoever bought before is there when it begins. */
const FROM = Date.UTC(1997, 6, 1, 4);
const DAYS = 365;
const UNTIL = FROM + DAYS * DAY;
/** On these nights membership is asked of every rule anew, and must be what is kept. */
const CHECKED_EVERY = 30;
/** The target: so many times fewer contact reads. */
const TARGET = 20;

export interface TurnFigures {
  machine: string;
  history: string;
  contacts: number;
  events: number;
  segments: string[];
  days: number;
  /** Contacts read because they were due. */
  ticks: number;
  /** Ticks after which every membership was as before. */
  idleTicks: number;
  /** Of the year: memberships that turned at a tick, and at an event. */
  turnsAtTicks: number;
  turnsAtEvents: number;
  /** Ticks of the busiest minute, and of the busiest day. */
  busiestMinute: number;
  busiestDay: number;
  /** Contacts read by a rebuild each night. */
  nightly: number;
  ratio: number;
  target: number;
  /** Memberships that were asked anew on some nights; every one was as kept. */
  checked: number;
  seconds: number;
}

/** Half a minute or so. Throws where a membership that is kept is not what its rule says on that night. */
export async function measureTurns(): Promise<TurnFigures> {
  const started = performance.now();
  const segments = timeBased();
  const { name, purchases } = history();
  const book = bookOf({
    segments,
    settings: { currency: 'USD', zone: 'America/New_York', topics: { offers: { title: 'Offers' } } },
  });
  const shop = new Shop(book);
  const year = { ticks: 0, idle: 0, atTicks: 0, atEvents: 0, checked: 0, nightly: 0, events: 0 };
  const perMinute = new Map<number, number>();
  const perDay = new Map<number, number>();
  let night = FROM + DAY;
  const until = (end: number): void => {
    for (let due = shop.nextDue(end); due !== undefined; due = shop.nextDue(end)) {
      const moved = shop.tick(due.id, due.at);
      if (due.at < FROM) continue;
      year.ticks++;
      year.atTicks += moved;
      if (moved === 0) year.idle++;
      count(perMinute, Math.floor(due.at / 60_000));
      count(perDay, Math.floor((due.at - FROM) / DAY));
    }
  };
  const nights = (end: number): void => {
    for (; night <= Math.min(end, UNTIL); night += DAY) {
      until(night);
      year.nightly += shop.contacts.size;
      if (Math.round((night - FROM) / DAY) % CHECKED_EVERY === 0) year.checked += shop.check(night);
    }
    until(end);
  };
  for (const one of purchases) {
    if (one.at > UNTIL) break;
    nights(one.at - 1);
    const moved = shop.buy(one);
    if (one.at < FROM) continue;
    year.events++;
    year.atEvents += moved;
  }
  nights(UNTIL);
  return {
    machine: machine('no engine'),
    history: name,
    contacts: shop.contacts.size,
    events: year.events,
    segments: Object.keys(segments),
    days: DAYS,
    ticks: year.ticks,
    idleTicks: year.idle,
    turnsAtTicks: year.atTicks,
    turnsAtEvents: year.atEvents,
    busiestMinute: most(perMinute),
    busiestDay: most(perDay),
    nightly: year.nightly,
    ratio: Math.round((year.nightly / year.ticks) * 10) / 10,
    target: TARGET,
    checked: year.checked,
    seconds: Math.round((performance.now() - started) / 100) / 10,
  };
}

/** The figures as text for a terminal. */
export function sayTurns(figures: TurnFigures): string {
  const { contacts, events, segments, ticks, idleTicks, nightly, ratio } = figures;
  const n = (value: number): string => value.toLocaleString('en');
  return [
    `A year of ${n(contacts)} contacts and ${n(events)} orders (${figures.history})`,
    `under ${segments.length} time-based segments: ${segments.join(', ')}`,
    '',
    `  contacts read because they were due      ${n(ticks).padStart(12)}   ${(ticks / contacts).toFixed(1)} a contact and year`,
    `  contacts read by a rebuild each night    ${n(nightly).padStart(12)}   ${figures.days} nights`,
    `  so many times fewer                      ${`${ratio}×`.padStart(12)}   target ${figures.target}×; scans: none`,
    '',
    `  memberships that turned by time          ${n(figures.turnsAtTicks).padStart(12)}   at orders: ${n(figures.turnsAtEvents)}`,
    `  ticks after which all was as before      ${n(idleTicks).padStart(12)}   ${Math.round((100 * idleTicks) / ticks)} %`,
    `  ticks of the busiest day                 ${n(figures.busiestDay).padStart(12)}   of the busiest minute: ${n(figures.busiestMinute)}`,
    `  memberships asked anew on some nights    ${n(figures.checked).padStart(12)}   all as kept`,
    '',
    `${figures.seconds} s on ${figures.machine}`,
  ].join('\n');
}

interface Purchase {
  customer: string;
  at: number;
  amount: number;
  number: number;
}

interface Due {
  at: number;
  id: string;
}

/** Contacts and their due instants, as the table and its index hold them. */
class Shop {
  readonly contacts = new Map<string, Contact>();
  readonly #book: Book;
  readonly #heap = new Heap();

  constructor(book: Book) {
    this.#book = book;
  }

  /** The earliest entry up to an instant; those that a later decision has replaced are passed over. */
  nextDue(end: number): Due | undefined {
    for (;;) {
      const due = this.#heap.first;
      if (due === undefined || due.at > end) return undefined;
      this.#heap.shift();
      if (this.contacts.get(due.id)?.journey.due === due.at) return due;
    }
  }

  /** Answers how many memberships it turned. */
  tick(id: string, at: number): number {
    return this.#decide(this.contacts.get(id) as Contact, { kind: 'tick' }, at);
  }

  buy({ customer, at, amount, number }: Purchase): number {
    const known = this.contacts.get(customer);
    const contact = known ?? this.#introduce(customer, at);
    const properties = {
      order_id: `${customer}-${number}`,
      revenue: amount,
      total: amount,
      currency: this.#book.currency,
      products: [{ product_id: 'cd', price: amount, quantity: 1 }],
    };
    const interaction = event('Order Completed', at, properties, { id: `order-${customer}-${number}`, user: customer });
    const after = {
      ...foldOrder(undefined, interaction, this.#book.currency, this.#book.definitions.catalogue),
      owner: contact.id,
    };
    return this.#decide(contact, { kind: 'interaction', interaction, order: { after } }, at);
  }

  /** A customer before the first order: with a birthday, and a consent to offers. */
  #introduce(customer: string, at: number): Contact {
    const born = new Date(Date.UTC(1960, 0, 1) + ((Number(customer) * 7919) % 14_600) * DAY).toISOString().slice(0, 10);
    const said = [
      event('Identified', at, {}, { id: `i-${customer}`, user: customer, traits: { birthday: born } }),
      event('Consent Granted', at, { topic: 'offers', basis: 'single' }, { id: `c-${customer}`, user: customer }),
    ];
    const contact = newContact(customer, at);
    this.contacts.set(customer, contact);
    for (const interaction of said) {
      this.#decide(this.contacts.get(customer) as Contact, { kind: 'interaction', interaction }, at);
    }
    return this.contacts.get(customer) as Contact;
  }

  /** Asks every rule of every contact alone, and throws where the answer is not what is kept. */
  check(now: number): number {
    let checked = 0;
    for (const contact of this.contacts.values()) {
      const sight = sightOf(this.#book, contact, now);
      for (const { id, rule } of this.#book.segments) {
        const kept = contact.journey.segments[id]?.since !== undefined;
        if (rule.test(sight) !== kept)
          throw new Error(`${contact.id} is ${kept ? 'kept in' : 'not in'} ${id} at ${new Date(now).toISOString()}`);
        checked++;
      }
    }
    return checked;
  }

  #decide(contact: Contact, stimulus: Stimulus, now: number): number {
    let answer = decide(this.#book, contact, stimulus, now);
    const nothing: Interaction[] = [];
    // Only somebody new asks: nothing is known of them yet.
    if ('need' in answer)
      answer = decide(this.#book, contact, stimulus, now, { names: answer.need, interactions: nothing, orders: [] });
    if ('need' in answer) throw new Error('a past was asked for twice');
    const after = answer.contact;
    if (after.journey.due !== undefined && after.journey.due <= now) throw new Error(`${contact.id} stays due`);
    this.contacts.set(contact.id, after);
    if (after.journey.due !== undefined && after.journey.due !== contact.journey.due)
      this.#heap.add({ at: after.journey.due, id: contact.id });
    return this.#book.segments.filter(
      ({ id }) =>
        (contact.journey.segments[id]?.since === undefined) !== (after.journey.segments[id]?.since === undefined),
    ).length;
  }
}

/** The earliest first. */
class Heap {
  readonly #entries: Due[] = [];

  get first(): Due | undefined {
    return this.#entries[0];
  }

  add(due: Due): void {
    const entries = this.#entries;
    let place = entries.push(due) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if ((entries[parent] as Due).at <= due.at) break;
      entries[place] = entries[parent] as Due;
      place = parent;
    }
    entries[place] = due;
  }

  shift(): void {
    const entries = this.#entries;
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return;
    let place = 0;
    for (;;) {
      const [left, right] = [2 * place + 1, 2 * place + 2];
      if (left >= entries.length) break;
      const least = right < entries.length && (entries[right] as Due).at < (entries[left] as Due).at ? right : left;
      if ((entries[least] as Due).at >= last.at) break;
      entries[place] = entries[least] as Due;
      place = least;
    }
    entries[place] = last;
  }
}

/** The segments whose membership time alone can turn: those of the examples, else those of the templates. */
function timeBased(): Record<string, Rule> {
  const read = (at: URL) => JSON.parse(readFileSync(at, 'utf8')) as unknown;
  const all = existsSync(EXAMPLES)
    ? (read(EXAMPLES) as Record<string, { rule: Rule }>)
    : Object.fromEntries(
        readdirSync(TEMPLATES)
          .filter((file) => file.endsWith('.json'))
          .map((file) => [file.slice(0, -'.json'.length), read(new URL(file, TEMPLATES)) as { rule: Rule }]),
      );
  const timely = /"(inLast|inNext|in|between|moreThanAgo|anniversary|rhythm\.overdue)":/;
  return Object.fromEntries(
    Object.entries(all).flatMap(([id, { rule }]) => (timely.test(JSON.stringify(rule)) ? [[id, rule]] : [])),
  );
}

/** Purchases in the order of time: of a real shop where its file is there, else drawn. */
function history(): { name: string; purchases: Purchase[] } {
  const real = existsSync(HISTORY);
  const purchases = real ? cdnow() : drawnPurchases();
  purchases.sort((a, b) => a.at - b.at || (a.customer < b.customer ? -1 : 1));
  return {
    name: real ? 'CDNOW, first of July 1997 to the last of June 1998' : 'drawn: the real history is not there',
    purchases,
  };
}

/** Lines of `customer yyyymmdd discs dollars`; the hour is ours. */
function cdnow(): Purchase[] {
  const numbers = new Map<string, number>();
  return readFileSync(HISTORY, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [customer = '', date = '', , dollars] = line.trim().split(/\s+/);
      if (!/^\d{8}$/.test(date)) return [];
      const number = (numbers.get(customer) ?? 0) + 1;
      numbers.set(customer, number);
      const midnight = Date.UTC(Number(date.slice(0, 4)), Number(date.slice(4, 6)) - 1, Number(date.slice(6)), 4);
      const minutes = (Number(customer) * 31 + number * 367) % 960;
      return [{ customer, at: midnight + 7 * HOUR + minutes * 60_000, amount: Number(dollars), number }];
    });
}

/** 20,000 customers of six months, each with an interval of their own; the same at each run. */
function drawnPurchases(): Purchase[] {
  let state = 1997;
  const draw = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  return Array.from({ length: 20_000 }, (_, n) => {
    const every = -Math.log(draw()) * 180 * DAY + DAY;
    const made: Purchase[] = [];
    for (let at = FROM - draw() * 180 * DAY; at < UNTIL; at += -Math.log(draw()) * every + HOUR) {
      const amount = Math.round(1000 + draw() * 6000) / 100;
      made.push({ customer: String(n + 1), at: Math.floor(at), amount, number: made.length + 1 });
    }
    return made;
  }).flat();
}

const most = (counts: Map<number, number>): number => [...counts.values()].reduce((a, b) => Math.max(a, b), 0);

function count(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
