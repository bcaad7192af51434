// What was found of a contact where a clause asks: "3 orders in the last 365 days", "€412.50", "not known".
import { type CounterState, tally } from './counter.ts';
import type { Counter } from './counting.ts';
import { consentAt } from './facts.ts';
import type { Did, Rule } from './grammar.ts';
import type { Json } from './interaction.ts';
import { formatMoney, isAmount, minorUnits } from './money.ts';
import { compileRule } from './rule.ts';
import { attributeOf, derivedAttributes } from './rule-attributes.ts';
import type { Atom, Found, RuleContext, Sight } from './rule-node.ts';
import type { Fields } from './settings.ts';
import { durationMs, localTime } from './time.ts';
import { instantIn, isOperator } from './where.ts';

/** Who is asked, and with which counters. */
export interface Asked {
  context: RuleContext;
  sight: Sight;
  /** Declared attributes with their types. */
  attributes: NonNullable<Fields['attributes']>;
}

const DAY = 86_400_000;

/**
 * What the contact has where a clause asks, in words; undefined for groups. Values are read as the engine reads them.
 * Instants are told in the contact's zone, money in the shop's currency.
 */
export function sayFound(rule: Rule, asked: Asked): string | undefined {
  if ('has' in rule) {
    const names = Object.keys(rule.has);
    return names.length === 1 ? sayAttribute(names[0] as string, asked) : undefined;
  }
  if ('did' in rule) return sayDid(rule, asked);
  if ('consent' in rule) return sayConsent(rule, asked);
  if ('share' in rule) return sayDraw(read(rule, asked) as number);
  if ('segment' in rule) {
    const since = asked.sight.contact.journey.segments[rule.segment]?.since;
    return since === undefined ? undefined : `a member since ${day(since, asked)}`;
  }
  return undefined;
}

/**
 * What was read for one clause, in words, where nothing but that is left of the contact as it was; `asked` looks from
 * the instant at which it was read.
 */
export function sayRead(rule: Rule, found: Json | undefined, asked: Asked): string | undefined {
  if ('has' in rule) {
    const [name = '', wanted] = Object.entries(rule.has)[0] ?? [];
    if (found === undefined) return 'not known';
    const values = [found].flat().filter((one) => one !== null);
    const isInstant = wanted !== undefined && isOperator(wanted) && DATED.some((operator) => operator in wanted);
    const said = values.map((one) => (isInstant ? sayDate(one, asked) : sayValue(name, one, asked)));
    return said.length === 0 ? 'none' : said.join(', ');
  }
  if ('did' in rule) return sayCounted(rule, found as number | undefined, asked);
  if ('consent' in rule) return found === undefined ? 'none' : `granted (${String(found)})`;
  if ('share' in rule) return sayDraw(found as number);
  if ('segment' in rule) return found === undefined ? undefined : `a member since ${day(found as number, asked)}`;
  return undefined;
}

const DATED = ['before', 'after', 'inLast', 'inNext', 'moreThanAgo'];

/** What a "did" read: an amount, a number of times, or the instant of the newest (of the n-th newest, where n are asked). */
function sayCounted(did: Did, found: number | undefined, asked: Asked): string {
  const period = sayPeriod(did);
  if (found === undefined) return did.latest === undefined && did.first === undefined ? `none${period}` : 'never';
  const instant = `${day(found, asked)}, ${ago(found, asked)}`;
  if (did.latest !== undefined) return `last ${instant}`;
  if (did.first !== undefined) return `first ${instant}`;
  const amount = did.sum ?? did.largest ?? did.distinct;
  if (amount !== undefined || did.same !== undefined) return sayMeasured(did, found, asked);
  // In a calendar's period, or since an instant, times are counted; else it is the newest that tells.
  if (did.in !== undefined || did.between !== undefined || (did.since !== undefined && did.since !== 'run start'))
    return `${count(did, found)}${period}`;
  const least = leastOf(did.times);
  return `${least === 1 ? 'last' : `the ${least}${ORDINALS[least] ?? 'th'} newest`} ${instant}`;
}

const ORDINALS: Record<number, string> = { 2: 'nd', 3: 'rd', 21: 'st', 22: 'nd', 23: 'rd' };

/** How many there must be at least. */
function leastOf(times: Did['times']): number {
  if (times === undefined) return 1;
  if (typeof times === 'number') return times;
  const [[name, value]] = Object.entries(times) as [[string, number | [number, number]]];
  if (Array.isArray(value)) return value[0];
  return name === 'atLeast' ? value : name === 'moreThan' ? value + 1 : 1;
}

/** Cut, not rounded: 9.999 is below 10. */
const sayDraw = (number: number): string => `drew ${(Math.floor(number * 100) / 100).toFixed(2)}`;

/** What the engine finds for a rule that compiles to one atom. */
function read(rule: Rule, { context, sight }: Asked): Found {
  const { node } = compileRule(rule, context);
  if (node.kind !== 'atom') throw new TypeError('a rule of one atom was expected');
  return (node.atom as Atom).column.read(sight, { at: Number.POSITIVE_INFINITY });
}

// ── attributes ──

function sayAttribute(name: string, asked: Asked): string {
  const value = attributeOf(name)(asked.sight);
  if (value === undefined || value === null) return 'not known';
  if (Array.isArray(value)) {
    const said = value.filter((one) => one !== null).map((one) => sayValue(name, one, asked));
    return said.length === 0 ? 'none' : said.join(', ');
  }
  return sayValue(name, value, asked);
}

const COUNTED: Record<string, [one: string, many: string]> = {
  'orders.count': ['order', 'orders'],
  'cart.items': ['line in the cart', 'lines in the cart'],
  'service.openCases': ['open case', 'open cases'],
  'rhythm.interval': ['day', 'days'],
  'rhythm.overdue': ['interval', 'intervals'],
  'predicted.orders': ['order', 'orders'],
  'predicted.orders90': ['order', 'orders'],
};

function sayValue(name: string, value: Json, asked: Asked): string {
  const derived = Object.hasOwn(derivedAttributes, name) ? derivedAttributes[name] : undefined;
  const declared = Object.hasOwn(asked.attributes, name) ? asked.attributes[name] : undefined;
  const type = name.endsWith('.givenAt') ? 'date' : (derived ?? declared);
  if (type === 'date') return sayDate(value, asked);
  if (type === 'money') {
    if (derived !== undefined && typeof value === 'number') return money(value, asked);
    if (isAmount(value)) return money(minorUnits(value, asked.context.currency), asked);
  }
  const counted = Object.hasOwn(COUNTED, name) ? COUNTED[name] : undefined;
  if (typeof value === 'number')
    return counted === undefined ? number(value) : `${number(value)} ${value === 1 ? counted[0] : counted[1]}`;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'string' ? `“${plain(value)}”` : plain(JSON.stringify(value));
}

function sayDate(value: Json, asked: Asked): string {
  const yearless = typeof value === 'string' ? /^--(\d\d)-(\d\d)$/.exec(value) : null;
  // 2000 was a leap year: 29 February is shown as itself.
  if (yearless !== null) return shown(Date.parse(`2000-${yearless[1]}-${yearless[2]}`), 'UTC', { year: undefined });
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)))
    return shown(Date.parse(value), 'UTC', {});
  const at = instantIn(value, asked.sight.zone);
  return at === undefined ? `“${plain(String(value))}”, which is no date` : `${day(at, asked)}, ${ago(at, asked)}`;
}

// ── events ──

/** What events are called when they are counted. */
const NOUNS: Record<string, [one: string, many: string]> = {
  'Order Completed': ['order', 'orders'],
  'Order Refunded': ['refund', 'refunds'],
  'Product Viewed': ['product view', 'product views'],
  'Product Reviewed': ['review', 'reviews'],
  'Checkout Started': ['checkout', 'checkouts'],
  'Consent Granted': ['consent', 'consents'],
  'Email Delivered': ['e-mail', 'e-mails'],
  'Email Opened': ['opened e-mail', 'opened e-mails'],
  'Email Clicked': ['click', 'clicks'],
};

function sayDid(did: Did, asked: Asked): string {
  const { sight } = asked;
  const { times, sum, largest, distinct, same, latest, first, inLast, in: word, between, since, ...core } = did;
  const ofRun = since === 'run start' ? { since } : {};
  const last = read({ ...core, ...ofRun, latest: { inLast: '1d' } } as Rule, asked) as number | undefined;
  const state = stateOf({ ...core, ...ofRun } as Rule, asked);
  if (last === undefined) return 'never';
  const days = sight.now - (inLast === undefined ? Number.POSITIVE_INFINITY : durationMs(inLast));
  const blurred = latest === undefined && reachesDays(state, days) ? ', counted by days beyond the newest 64' : '';
  if (latest !== undefined) return `last ${day(last, asked)}, ${ago(last, asked)}`;
  if (first !== undefined) {
    const at = read(did as Rule, asked) as number;
    return `first ${day(at, asked)}, ${ago(at, asked)}${blurred}`;
  }
  const period = sayPeriod(did);
  const nothing = `none${period}; the last ${day(last, asked)}, ${ago(last, asked)}`;
  const amount = sum ?? largest ?? distinct;
  if (amount !== undefined || same !== undefined) {
    const value = read(did as Rule, asked) as number | undefined;
    if (value === undefined) return period === '' ? 'nothing that can be measured' : nothing;
    return `${sayMeasured(did, value, asked)}${blurred}`;
  }
  const calendar = word !== undefined || between !== undefined || (since !== undefined && since !== 'run start');
  const many = calendar
    ? ((read({ ...did, times: { atLeast: 1 } } as Rule, asked) as number | undefined) ?? 0)
    : tally(state, { after: days, until: sight.now }, 'times', -1).times;
  if (many === 0) return nothing;
  return `${count(did, many)}${period}, the last ${day(last, asked)}, ${ago(last, asked)}${blurred}`;
}

/** What was measured of events, in their period. */
function sayMeasured(did: Did, value: number, asked: Asked): string {
  const period = sayPeriod(did);
  if (did.same !== undefined) return `${count(did, value)} of the same${period}`;
  if (did.distinct !== undefined) return `${value} different${period}`;
  const { of } = (did.sum ?? did.largest) as { of: string };
  const isMoney = [did.did].flat().some((name) => asked.context.isMoney(name, of));
  return `${did.largest === undefined ? '' : 'the largest '}${isMoney ? money(value, asked) : number(value)}${period}`;
}

function count(did: Did, many: number): string {
  const names = [did.did].flat();
  const noun = names.length === 1 && Object.hasOwn(NOUNS, names[0] as string) ? NOUNS[names[0] as string] : undefined;
  if (noun !== undefined) return `${many} ${many === 1 ? noun[0] : noun[1]}`;
  return many === 1 ? 'once' : many === 2 ? 'twice' : `${many} times`;
}

/** The counter's state that a "did" reads: compiled alone it registers one counter, whose id is everywhere the same. */
function stateOf(did: Rule, { context, sight }: Asked): CounterState | undefined {
  const [counters, runCounters] = [new Map<string, Counter>(), new Map<string, Counter>()];
  compileRule(did, { ...context, counters, runCounters });
  const [own] = counters.keys();
  if (own !== undefined) return sight.contact.facts.counters[own];
  const [ofRun] = runCounters.keys();
  return ofRun === undefined ? undefined : sight.runCounters?.[ofRun];
}

function reachesDays(state: CounterState | undefined, after: number): boolean {
  return (state?.d ?? []).some(([day]) => (day + 1) * DAY > after);
}

function sayPeriod({ inLast, in: word, between, since }: Did): string {
  if (inLast !== undefined) return ` in the last ${length(inLast)}`;
  if (word !== undefined) return ` ${word}`;
  if (between !== undefined) return ` between ${between[0]} and ${between[1]}`;
  return since === undefined ? '' : since === 'run start' ? ' since the run started' : ` since ${since}`;
}

const UNITS: Record<string, string> = { m: 'minute', h: 'hour', d: 'day', w: 'week' };
function length(duration: string): string {
  const [many, unit] = [duration.slice(0, -1), UNITS[duration.slice(-1)]];
  return many === '1' ? `${unit}` : `${many} ${unit}s`;
}

// ── consents ──

function sayConsent(rule: Extract<Rule, { consent: string }>, asked: Asked): string {
  const { contact, now } = asked.sight;
  const { brand } = asked.context;
  const channel = rule.channel ?? 'email';
  const known = contact.facts.consents[`${brand}|${rule.consent}|${channel}`];
  const withdrawn = contact.facts.withdrawn[brand];
  if (withdrawn !== undefined && (known === undefined || (known.granted && withdrawn.at >= known.at)))
    return `all of ${brand} withdrawn ${day(withdrawn.at, asked)}`;
  if (known === undefined) return 'none recorded';
  if (!known.granted) return `withdrawn ${day(known.at, asked)}`;
  const how = `granted ${day(known.at, asked)} (${known.basis ?? 'single'})`;
  if (consentAt(contact.facts, brand, rule.consent, channel, now) === undefined && known.until !== undefined)
    return `${how}, ended ${day(known.until, asked)}`;
  return known.until === undefined ? how : `${how}, until ${day(known.until, asked)}`;
}

// ── how values are written ──

const formats = new Map<string, Intl.DateTimeFormat>();
function shown(at: number, zone: string, parts: Intl.DateTimeFormatOptions): string {
  const key = `${zone}|${JSON.stringify(parts)}|${'year' in parts}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      day: 'numeric',
      month: 'long',
      year: 'numeric',
      ...parts,
    });
    formats.set(key, format);
  }
  return format.format(at);
}

const day = (at: number, { sight }: Asked): string => shown(at, sight.zone, {});

/** An instant to the minute in a zone: "3 December 2026, 10:00". */
export function sayInstant(at: number, zone: string): string {
  return shown(at, zone, { hour: '2-digit', minute: '2-digit' }).replace(' at ', ', ');
}

/** An instant on the contact's clock, and on the shop's where that shows another time. */
export function sayBoth(at: number, zone: string, shopZone: string): string {
  const [own, shop] = [localTime(at, zone), localTime(at, shopZone)];
  const said = sayInstant(at, zone);
  if (own.date === shop.date && own.minutes === shop.minutes) return said;
  const there = sayInstant(at, shopZone);
  return `${said} (shop: ${own.date === shop.date ? there.slice(there.lastIndexOf(', ') + 2) : there})`;
}

function ago(at: number, { sight: { now } }: Asked): string {
  const ahead = at > now;
  const hours = Math.floor(Math.abs(now - at) / (DAY / 24));
  const span =
    hours < 1
      ? 'less than an hour'
      : hours < 48
        ? hours === 1
          ? '1 hour'
          : `${hours} hours`
        : `${Math.floor(hours / 24)} days`;
  return ahead ? `in ${span}` : `${span} ago`;
}

const money = (minor: number, { context }: Asked): string => formatMoney(Math.round(minor), context.currency, 'en');
/** Six digits tell 1.4996 from 1.5, and hide what binary fractions leave behind. */
const number = (value: number): string => String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));
/** Values come from outside: nothing in them steers a terminal. */
const plain = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, ' ');
