// Rules answered a second time, straight from what was recorded: slow, obvious, and no line shared with the engine.
import { createHash } from 'node:crypto';
import { Temporal } from 'temporal-polyfill';
import type { CalendarWord, Comparison, Did, Rule, Where } from '../../domain/grammar.ts';
import type { Interaction, Json, JsonObject } from '../../domain/interaction.ts';
import { foldOrder, netRevenue, type Order, orderEffect, orderKeyOf } from '../../domain/order.ts';
import type { Catalogue } from '../../domain/settings.ts';

/** One person: the contact's id, and everything that was recorded of them, in any order and with repeats. */
export interface Person {
  id: string;
  events: readonly Interaction[];
}

/** What is known beside the person. Amounts are in EUR. */
export interface Shop {
  zone: string;
  brand: string;
  catalogue: Catalogue;
  segments: Record<string, Rule>;
  isMoney(event: string, property: string): boolean;
}

const DAY = 86_400_000;
const EXACT = 64;

/** Whether the rule holds for the person at the instant. */
export function holds(rule: Rule, { id, events }: Person, now: number, shop: Shop): boolean {
  const distinct = new Map(events.map((one) => [`${one.subject} ${one.name} ${one.id}`, one]));
  const recorded = [...distinct.values()].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  return new Asked(id, recorded, now, shop).holds(rule);
}

/** Something that happened, as "did" sees it: an order is its Order Completed, as updated and refunded since. */
interface Happened {
  name: string;
  at: number;
  /** When it counts: past the newest 64, at the last millisecond of its day in UTC, or with the oldest of the 64. */
  stands: number;
  properties: JsonObject;
  /** Its money is of another currency. */
  foreign: boolean;
  /** Minor units. */
  revenue?: number;
}

class Asked {
  readonly #id: string;
  /** Ascending by event time, then id. */
  readonly #recorded: Interaction[];
  readonly #now: number;
  readonly #shop: Shop;
  readonly #orders = new Map<string, Order>();
  readonly #zone: string;

  constructor(id: string, recorded: Interaction[], now: number, shop: Shop) {
    this.#id = id;
    this.#recorded = recorded;
    this.#now = now;
    this.#shop = shop;
    for (const one of recorded) {
      const key = orderKeyOf(one);
      if (key !== undefined) this.#orders.set(key, foldOrder(this.#orders.get(key), one, 'EUR'));
    }
    const zone = this.#lastWord('timezone')?.traits.timezone;
    this.#zone = typeof zone === 'string' && isZone(zone) ? zone : shop.zone;
  }

  holds(rule: Rule): boolean {
    if ('all' in rule) return rule.all.every((part) => this.holds(part));
    if ('any' in rule) return rule.any.some((part) => this.holds(part));
    if ('not' in rule) return !this.holds(rule.not);
    if ('has' in rule) return Object.entries(rule.has).every(([name, wanted]) => this.#has(name, wanted));
    if ('did' in rule) return this.#did(rule);
    if ('segment' in rule) {
      const other = this.#shop.segments[rule.segment];
      return other !== undefined && this.holds(other);
    }
    if ('share' in rule) {
      const hash = createHash('sha256').update(`share\u0000${rule.share}\u0000${this.#id}`).digest();
      const drawn = (hash.readUInt32BE(0) / 2 ** 32) * 100;
      return rule.percent[0] <= drawn && drawn < rule.percent[1];
    }
    return this.#consents(rule.consent, rule.channel ?? 'email', rule.basis);
  }

  // ---- has ----

  #has(name: string, wanted: Comparison): boolean {
    return this.#compare(this.#value(name), wanted);
  }

  /** The newest identify that gives this attribute. */
  #lastWord(name: string): Interaction | undefined {
    return this.#recorded.filter((one) => Object.hasOwn(one.traits, name)).at(-1);
  }

  #value(name: string): Json | undefined {
    if (name.endsWith('.givenAt')) return this.#lastWord(name.slice(0, -'.givenAt'.length))?.at;
    const known = this.#orders.size === 0 ? [] : [...this.#orders.values()];
    const effects = known.map((order) => orderEffect(order, 'EUR'));
    const total = (part: 'count' | 'gross' | 'refunded'): number => effects.reduce((sum, one) => sum + one[part], 0);
    const completions = this.#recorded.filter((one) => one.name === 'Order Completed').map((one) => one.at);
    const [count, first, last] = [total('count'), completions[0], completions.at(-1)];
    const spend = total('gross') - total('refunded');
    const interval =
      count < 2 || first === undefined || last === undefined ? undefined : (last - first) / (count - 1) / DAY;
    switch (name) {
      case 'orders.count':
        return count;
      case 'orders.spend':
        return spend / 100;
      case 'orders.first':
        return first;
      case 'orders.last':
        return last;
      case 'orders.returnedShare':
        return total('gross') > 0 ? total('refunded') / total('gross') : undefined;
      case 'orders.average':
        return count > 0 ? Math.round(spend / count) / 100 : undefined;
      case 'rhythm.interval':
        return interval;
      case 'rhythm.overdue':
        return interval ? (this.#now - (last as number)) / (interval * DAY) : undefined;
      case 'cart.items':
        return this.#cart().length || undefined;
      case 'cart.value':
        return (
          this.#cart().reduce((sum, line) => sum + Math.round(line.price * 100) * line.quantity, 0) / 100 || undefined
        );
      case 'service.openCases':
        return this.#standing('Case Opened', 'Case Closed', 'case_id').length;
      case 'subscription.active':
        return this.#standing('Subscription Started', 'Subscription Cancelled', 'subscription_id').length > 0;
      case 'value.lifetime':
      case 'predicted.value': {
        const minor = this.#score(name);
        return typeof minor === 'number' ? minor / 100 : undefined;
      }
      case 'rfm.recency':
      case 'rfm.frequency':
      case 'rfm.money':
      case 'value.decile':
      case 'predicted.orders':
      case 'loyalty.tier':
        return this.#score(name);
      default:
        return this.#lastWord(name)?.traits[name];
    }
  }

  #score(name: string): Json | undefined {
    const said = this.#recorded.filter((one) => one.name === 'Scores Updated' && Object.hasOwn(one.properties, name));
    return said.at(-1)?.properties[name];
  }

  /** What was begun and is not ended: the latest word counts, at one instant the end. */
  #standing(begun: string, ended: string, key: string): string[] {
    const ids = new Set(
      this.#recorded.flatMap(({ name, properties }) => (name === begun ? [String(properties[key])] : [])),
    );
    return [...ids].filter((id) => {
      const words = this.#recorded.filter((one) => String(one.properties[key]) === id);
      const at = (name: string) => Math.max(...words.filter((one) => one.name === name).map((one) => one.at));
      return at(begun) > at(ended);
    });
  }

  /** The lines of the cart: the last one that told all of it, and what was said of single products since. */
  #cart(): { price: number; quantity: number }[] {
    const lines = new Map<string, { price: number; quantity: number }>();
    const put = (line: JsonObject) =>
      lines.set(String(line.product_id), { price: Number(line.price ?? 0), quantity: Number(line.quantity ?? 1) });
    for (const { name, properties } of this.#recorded) {
      if (name === 'Product Added') put(properties);
      if (name === 'Product Removed') lines.delete(String(properties.product_id));
      if (name === 'Order Completed') lines.clear();
      if ((name === 'Cart Viewed' || name === 'Checkout Started') && Array.isArray(properties.products)) {
        lines.clear();
        for (const line of properties.products) put(line as JsonObject);
      }
    }
    return [...lines.values()].filter((line) => line.quantity > 0);
  }

  // ---- consent ----

  #consents(topic: string, channel: string, basis: readonly string[] | undefined): boolean {
    const { brand } = this.#shop;
    const own = this.#recorded.filter(({ properties }) => (properties.brand ?? brand) === brand);
    const withdrawals = own.filter(({ name, properties }) => name === 'Consent Withdrawn' && properties.all === true);
    const words = own.filter(
      ({ name, properties }) =>
        (name === 'Consent Granted' || (name === 'Consent Withdrawn' && properties.all !== true)) &&
        properties.topic === topic &&
        (properties.channel ?? 'email') === channel,
    );
    const at = Math.max(...words.map((one) => one.at));
    const last = words.filter((one) => one.at === at);
    if (last.length === 0 || last.some((one) => one.name === 'Consent Withdrawn')) return false;
    if (withdrawals.some((one) => one.at >= at)) return false;
    const { until, basis: given } = last.at(-1)?.properties ?? {};
    if (until !== undefined && Date.parse(String(until)) <= this.#now) return false;
    return basis === undefined || basis.includes(String(given ?? 'single'));
  }

  // ---- did ----

  #happened(): Happened[] {
    const plain = this.#recorded.filter((one) => one.name !== 'Order Completed');
    const orders = [...this.#orders.values()].filter((order) => order.completed !== undefined);
    return [
      ...plain.map(({ name, at, properties }) => ({
        name,
        at,
        stands: at,
        properties,
        foreign: (properties.currency ?? 'EUR') !== 'EUR',
      })),
      ...orders.map((order) => ({
        name: 'Order Completed',
        at: order.completed?.at ?? 0,
        stands: order.completed?.at ?? 0,
        properties: JSON.parse(order.statement?.properties ?? '{}') as JsonObject,
        foreign: order.currency !== 'EUR',
        revenue: netRevenue(order),
      })),
    ].sort((a, b) => a.at - b.at);
  }

  #did(rule: Did): boolean {
    const names = [rule.did].flat();
    const matching = this.#happened().filter(
      (one) => names.includes(one.name) && (rule.where === undefined || this.#where(one.properties, rule.where)),
    );
    const oldest = matching.at(-EXACT)?.at ?? 0;
    for (const old of matching.slice(0, -EXACT)) {
      old.stands = Math.min((Math.floor(old.at / DAY) + 1) * DAY - 1, oldest);
    }
    const past = matching.filter((one) => one.stands <= this.#now);
    const { latest, first } = rule;
    if (latest !== undefined) return this.#compare(greatest(past.map((one) => one.stands)), latest as Comparison);
    if (first !== undefined) return this.#compare(least(past.map((one) => one.stands)), first as Comparison);

    const amount = rule.sum ?? rule.largest;
    const money = amount !== undefined && names.some((name) => this.#shop.isMoney(name, amount.of));
    const inside = this.#period(rule, money ? this.#shop.zone : this.#zone);
    const found = past.filter((one) => inside(one.stands));
    if (found.length === 0) return false;
    if (amount !== undefined) {
      const values = found.flatMap((one) => this.#amount(one, amount.of) ?? []);
      const value = rule.sum === undefined ? greatest(values) : values.reduce((sum, one) => sum + one, 0);
      const { of, ...wanted } = amount;
      return this.#compare(value === undefined ? undefined : Math.round(value * 1e6) / 1e6, wanted as Comparison);
    }
    if (rule.distinct !== undefined) {
      const { of, ...wanted } = rule.distinct;
      const values = new Set(found.flatMap((one) => this.#values(one, of, rule.where)));
      return this.#compare(values.size === 0 ? undefined : values.size, wanted as Comparison);
    }
    const times = (rule.times ?? { atLeast: 1 }) as Comparison;
    const { same } = rule;
    if (same === undefined) return this.#compare(found.length, times);
    const values = new Set(found.flatMap((one) => this.#values(one, same, rule.where)));
    return [...values].some((value) =>
      this.#compare(found.filter((one) => this.#values(one, same, rule.where).includes(value)).length, times),
    );
  }

  /** The values of a path; of lines only those that a "where" of lines means. */
  #values({ properties }: Happened, path: string, where: Where | undefined): Json[] {
    const lines = where?.products;
    if (!path.startsWith('products.') || lines === undefined || !isNested(lines)) return valuesOf(properties, path);
    const products = Array.isArray(properties.products) ? properties.products : [];
    const meant = products.filter((line) => isObject(line) && this.#where(line, lines as Where));
    return valuesOf({ products: meant }, path);
  }

  /** An amount of an event, money in major units. */
  #amount(one: Happened, of: string): number | undefined {
    const money = this.#shop.isMoney(one.name, of);
    if (money && one.foreign) return undefined;
    if (of === 'revenue' && one.revenue !== undefined) return one.revenue / 100;
    const value = one.properties[of];
    return typeof value === 'number' ? value : undefined;
  }

  #period(rule: Did, zone: string): (at: number) => boolean {
    const now = this.#now;
    if (rule.inLast !== undefined) {
      const from = now - lengthOf(rule.inLast);
      return (at) => at > from && at <= now;
    }
    if (rule.in !== undefined) {
      const [start, end] = calendar(rule.in, now, zone);
      return (at) => at >= start && at < end;
    }
    if (rule.between !== undefined) {
      const [a, b] = rule.between;
      const start = instant(a, zone) as number;
      if (isDate(b)) {
        const end = midnight(Temporal.PlainDate.from(b).add({ days: 1 }), zone);
        return (at) => at >= start && at < end;
      }
      const end = instant(b, zone) as number;
      return (at) => at >= start && at <= end;
    }
    if (rule.since !== undefined) {
      const start = instant(rule.since, zone) as number;
      return (at) => at >= start;
    }
    return () => true;
  }

  #where(properties: JsonObject, where: Where): boolean {
    return Object.entries(where).every(([path, wanted]) => {
      const value = this.#property(properties, path);
      if (!isNested(wanted)) return this.#compare(value, wanted as Comparison, this.#shop.zone);
      const parts = Array.isArray(value) ? value : [value];
      return parts.some((part) => isObject(part) && this.#where(part, wanted as Where));
    });
  }

  #property(properties: JsonObject, path: string): Json | undefined {
    if (path.startsWith('catalogue.')) {
      const product = this.#shop.catalogue.products[String(properties.product_id)];
      return (product as JsonObject | undefined)?.[path.slice('catalogue.'.length)];
    }
    return properties[path];
  }

  // ---- comparisons ----

  #compare(found: Json | undefined, wanted: Comparison, zone = this.#zone): boolean {
    const values = (Array.isArray(found) ? found : [found]).filter(
      (one) => one !== undefined && one !== null,
    ) as Json[];
    if (typeof wanted !== 'object') return values.some((one) => one === wanted);
    if (Array.isArray(wanted)) return values.some((one) => wanted.includes(one as string));
    const [operator, given] = Object.entries(wanted)[0] as [string, never];
    if (operator === 'exists') return values.length > 0 === given;
    if (operator === 'isNot') return values.length > 0 && values.every((one) => one !== given);
    return values.some((one) => this.#one(one, operator, given, zone));
  }

  #one(value: Json, operator: string, given: never, zone: string): boolean {
    const now = this.#now;
    if (operator === 'contains') return String(value).toLowerCase().includes(String(given).toLowerCase());
    if (operator === 'startsWith') return String(value).toLowerCase().startsWith(String(given).toLowerCase());
    if (operator === 'anniversary') return anniversary(value, given, now, zone);
    if (operator === 'between') {
      return this.#one(value, 'atLeast', given[0], zone) && this.#one(value, 'atMost', given[1], zone);
    }
    if (operator === 'inLast' || operator === 'inNext' || operator === 'moreThanAgo') {
      const at = instant(value, zone);
      const length = lengthOf(given);
      if (at === undefined) return false;
      if (operator === 'inLast') return at > now - length && at <= now;
      if (operator === 'inNext') return at > now && at <= now + length;
      return at <= now - length;
    }
    const asked: Json = given;
    const [a, b] = typeof asked === 'string' ? [instant(value, zone), instant(asked, zone)] : [value, asked];
    if (typeof a !== 'number' || typeof b !== 'number') return false;
    if (operator === 'atLeast') return a >= b;
    if (operator === 'moreThan' || operator === 'after') return a > b;
    if (operator === 'atMost') return a <= b;
    if (operator === 'lessThan' || operator === 'before') return a < b;
    throw new Error(`unknown operator: ${operator}`);
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const OPERATORS =
  'isNot atLeast moreThan atMost lessThan between contains startsWith exists before after inLast inNext moreThanAgo anniversary';
const isNested = (wanted: unknown): boolean =>
  isObject(wanted) && !OPERATORS.split(' ').includes(Object.keys(wanted)[0] ?? '');
const greatest = (values: number[]): number | undefined => (values.length === 0 ? undefined : Math.max(...values));
const least = (values: number[]): number | undefined => (values.length === 0 ? undefined : Math.min(...values));

/** The different values at a property, or at one of every line. */
function valuesOf(properties: JsonObject, path: string): Json[] {
  const [list, field] = path.split('.') as [string, string?];
  const lines = properties[list];
  const found =
    field === undefined ? [lines] : Array.isArray(lines) ? lines.map((one) => (one as JsonObject)[field]) : [];
  return [...new Set(found.flat().filter((one) => one !== undefined && one !== null))] as Json[];
}

// ---- time ----

function lengthOf(text: string): number {
  const units: Record<string, number> = { m: 60_000, h: 3_600_000, d: DAY, w: 7 * DAY };
  return Number.parseInt(text, 10) * (units[text.at(-1) as string] as number);
}

function isZone(zone: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
    return true;
  } catch {
    return false;
  }
}

const isDate = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text);
const midnight = (date: Temporal.PlainDate, zone: string): number => date.toZonedDateTime(zone).epochMilliseconds;
const localDate = (at: number, zone: string): Temporal.PlainDate =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate();

function instant(value: Json, zone: string): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  if (isDate(value)) return midnight(Temporal.PlainDate.from(value), zone);
  return /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : undefined;
}

/** From the first instant of the stretch that the word means up to, and without, the second. */
function calendar(word: CalendarWord, now: number, zone: string): [number, number] {
  const today = localDate(now, zone);
  const [which, unit] = word.includes(' ') ? (word.split(' ') as [string, string]) : [word, 'day'];
  const back = which === 'last' || which === 'yesterday' ? 1 : 0;
  const starts: Record<string, Temporal.PlainDate> = {
    day: today,
    week: today.subtract({ days: today.dayOfWeek - 1 }),
    month: today.with({ day: 1 }),
    quarter: today.with({ month: Math.floor((today.month - 1) / 3) * 3 + 1, day: 1 }),
    year: today.with({ month: 1, day: 1 }),
  };
  const lengths: Record<string, Temporal.DurationLike> = {
    day: { days: 1 },
    week: { days: 7 },
    month: { months: 1 },
    quarter: { months: 3 },
    year: { years: 1 },
  };
  const length = lengths[unit] as Temporal.DurationLike;
  let start = starts[unit] as Temporal.PlainDate;
  if (back === 1) start = start.subtract(length);
  return [midnight(start, zone), midnight(start.add(length), zone)];
}

function anniversary(value: Json, wanted: 'today' | { inNext?: string; inLast?: string }, now: number, zone: string) {
  const at = typeof value === 'string' && !/^(-|\d{4})-\d\d-\d\d$/.test(value) ? instant(value, zone) : undefined;
  const text =
    typeof value === 'number' || at !== undefined ? localDate(at ?? (value as number), zone).toString() : value;
  const [, month, day] = (/^(?:-|\d{4})-(\d\d)-(\d\d)$/.exec(String(text)) ?? []).map(Number);
  if (month === undefined || day === undefined) return false;
  const today = localDate(now, zone);
  // Of ten years at most: a duration is no longer.
  for (let year = today.year - 11; year <= today.year + 11; year++) {
    // Temporal takes 29 February of other years for 28 February.
    const date = Temporal.PlainDate.from({ year, month, day });
    if (wanted === 'today') {
      if (date.equals(today)) return true;
      continue;
    }
    const begins = midnight(date, zone);
    if (wanted.inNext !== undefined && begins > now && begins <= now + lengthOf(wanted.inNext)) return true;
    if (wanted.inLast !== undefined && begins <= now && begins > now - lengthOf(wanted.inLast)) return true;
  }
  return false;
}
