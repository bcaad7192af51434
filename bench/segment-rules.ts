// A shop's segments and contacts, drawn from a seed: what the rule engines are measured on.
import { type Contact, newContact } from '../domain/contact.ts';
import { type Counter, countInto } from '../domain/counting.ts';
import type { Comparison, Did, Rule } from '../domain/grammar.ts';
import type { Interaction, JsonObject } from '../domain/interaction.ts';
import { compileRule } from '../domain/rule.ts';
import type { Node, RuleContext, Sight } from '../domain/rule-node.ts';

const DAY = 86_400_000;
export const NOW = Date.UTC(2026, 5, 15, 10);
const ZONE = 'Europe/Warsaw';

export type Draw = () => number;

/** Numbers from 0 to 1 that follow from the seed. */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const below = (draw: Draw, n: number): number => Math.floor(draw() * n);
const pick = <T>(draw: Draw, from: readonly T[]): T => from[below(draw, from.length)] as T;
const named = (prefix: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${prefix}-${i + 1}`);

const COUNTRIES = ['PL', 'DE', 'CZ', 'SK', 'FR', 'IT', 'ES', 'NL', 'BE', 'AT', 'SE', 'DK', 'FI', 'GB', 'IE', 'PT'];
const texts: Record<string, readonly string[]> = {
  country: COUNTRIES,
  city: named('city', 60),
  language: ['pl', 'de', 'cs', 'sk', 'fr', 'it', 'es', 'en'],
  plan: ['free', 'plus', 'family', 'business'],
  source: ['search', 'social', 'affiliate', 'referral', 'store', 'newsletter'],
  store: named('store', 25),
  'loyalty.tier': ['bronze', 'silver', 'gold', 'platinum'],
};
/** Attribute → the bounds that people choose. */
const numbers: Record<string, readonly number[]> = {
  'orders.count': [1, 2, 3, 4, 5, 6, 8, 10, 15, 20],
  'orders.spend': [25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1000, 1500, 2000],
  'orders.average': [20, 30, 40, 50, 60, 75, 100, 150, 200],
  'orders.returnedShare': [0.1, 0.2, 0.25, 0.3, 0.5],
  'value.decile': [1, 2, 3, 4, 5],
  'rfm.recency': [1, 2, 3, 4, 5],
  'rfm.frequency': [1, 2, 3, 4, 5],
  'rfm.money': [1, 2, 3, 4, 5],
  household: [1, 2, 3, 4, 5],
  distance: [1, 2, 5, 10, 20, 50, 100],
};
const CATEGORIES = ['Cameras', 'Lenses', 'Bags', 'Phones', 'Cases', 'Drones', 'Printers', 'Audio', 'Film', 'Gifts'];
const EVENTS = [
  'Order Completed',
  'Product Viewed',
  'Email Clicked',
  'Product Added',
  'Checkout Started',
  'Review Submitted',
  'Support Requested',
  'Store Visited',
];
const WINDOWS = ['1d', '3d', '7d', '14d', '21d', '30d', '45d', '60d', '90d', '120d', '180d', '365d'];
const SUM_WINDOWS = ['30d', '90d', '180d', '365d'];
const TIMES = [2, 3, 5, 10];
const TOPICS = ['offers', 'news', 'events'];

function drawHas(draw: Draw): Rule {
  if (draw() < 0.5) {
    const name = pick(draw, Object.keys(texts));
    const values = texts[name] as readonly string[];
    if (draw() < 0.12) return { has: { [name]: { isNot: pick(draw, values) } } };
    if (draw() < 0.08) return { has: { [name]: { exists: draw() < 0.7 } } };
    const wanted = [...new Set(Array.from({ length: 1 + below(draw, 4) }, () => pick(draw, values)))];
    return { has: { [name]: wanted.length === 1 ? (wanted[0] as string) : wanted } };
  }
  const name = pick(draw, Object.keys(numbers));
  return { has: { [name]: drawBound(draw, numbers[name] as readonly number[]) } };
}

function drawBound(draw: Draw, bounds: readonly number[]): Comparison {
  const bound = pick(draw, bounds);
  const form = draw();
  if (form < 0.5) return { atLeast: bound };
  if (form < 0.7) return { moreThan: bound };
  if (form < 0.85) return { lessThan: bound };
  const [low, high] = [bound, pick(draw, bounds)].sort((a, b) => a - b) as [number, number];
  return low === high ? { atMost: bound } : { between: [low, high] };
}

function drawDid(draw: Draw): Did {
  const did = draw() < 0.35 ? 'Order Completed' : pick(draw, EVENTS);
  const where =
    (did === 'Order Completed' || did === 'Product Viewed') && draw() < 0.3
      ? { where: { category: pick(draw, CATEGORIES) } }
      : {};
  const form = draw();
  if (form < 0.45) return { did, ...where, inLast: pick(draw, WINDOWS) };
  if (form < 0.55) return { did, ...where };
  if (form < 0.7) return { did, ...where, times: { atLeast: pick(draw, TIMES) }, inLast: pick(draw, WINDOWS) };
  if (form < 0.85 || did !== 'Order Completed') return { did, ...where, latest: { moreThanAgo: pick(draw, WINDOWS) } };
  const bound = pick(draw, numbers['orders.spend'] as readonly number[]);
  const sum = draw() < 0.8 ? { of: 'revenue', atLeast: bound } : { of: 'revenue', lessThan: bound };
  return { did, sum, ...(draw() < 0.8 ? { inLast: pick(draw, SUM_WINDOWS) } : {}) };
}

function drawClause(draw: Draw): Rule {
  const form = draw();
  if (form < 0.42) return drawHas(draw);
  if (form < 0.92) return drawDid(draw);
  return { consent: pick(draw, TOPICS) };
}

function drawPart(draw: Draw, earlier: number): Rule {
  const form = draw();
  if (earlier > 0 && form < 0.05) return { segment: `s-${below(draw, earlier)}` };
  if (form < 0.17) return { any: Array.from({ length: 2 + below(draw, 2) }, () => drawClause(draw)) };
  if (form < 0.32) return { not: drawClause(draw) };
  return drawClause(draw);
}

/** Segments `s-0 …`; one in about ten refers to an earlier one that stands by itself. */
export function drawRules(count: number, seed = 7): { id: string; rule: Rule }[] {
  const draw = drawFrom(seed);
  const rules: { id: string; rule: Rule }[] = [];
  // What others refer to stands at the front and refers to nothing.
  const plain = Math.ceil(count / 10);
  for (let i = 0; i < count; i++) {
    const parts = Array.from({ length: 1 + below(draw, 4) }, () => drawPart(draw, i < plain ? 0 : plain));
    rules.push({ id: `s-${i}`, rule: parts.length === 1 ? (parts[0] as Rule) : { all: parts } });
  }
  return rules;
}

/** What the rules are compiled in; `counters` fills as they are. */
export function ruleContext(): RuleContext {
  return {
    currency: 'EUR',
    brand: 'shop',
    catalogueHash: '',
    isMoney: (event, property) => event === 'Order Completed' && property === 'revenue',
    counters: new Map(),
  };
}

/** The rules compiled in order, as the index takes them. */
export function compileRules(
  rules: readonly { id: string; rule: Rule }[],
  context: RuleContext,
): { id: string; node: Node }[] {
  return rules.map(({ id, rule }) => ({ id, node: compileRule(rule, context).node }));
}

/** A contact at an instant, with all that ever happened to it: what the flat documents are made of. */
export interface State {
  sight: Sight;
  events: Interaction[];
}

function drawEvent(draw: Draw, name: string, at: number, id: string): Interaction {
  const properties: JsonObject = {};
  if (name === 'Order Completed') properties.revenue = (500 + below(draw, 30_000)) / 100;
  if (name === 'Order Completed' || name === 'Product Viewed') properties.category = pick(draw, CATEGORIES);
  return { id, subject: 'user#x', name, at, source: 'shop', who: {}, traits: {}, properties, hops: 0 };
}

/** How often each of `EVENTS` has happened to the busiest. */
const MOST = [12, 40, 15, 12, 8, 3, 2, 4];

function stateOf(contact: Contact, events: Interaction[], now: number, counters: Iterable<Counter>): State {
  const context = ruleContext();
  const inSegment = (): boolean => {
    throw new Error('a segment is asked of the sight');
  };
  const sight: Sight = { now, zone: ZONE, shopZone: ZONE, catalogue: { products: {} }, contact, inSegment };
  contact.facts.counters = {};
  const orders = events.filter(({ name }) => name === 'Order Completed');
  for (const event of events) countInto(contact.facts.counters, counters, event, undefined, sight, context);
  const gross = orders.reduce((sum, { properties }) => sum + Math.round(Number(properties.revenue) * 100), 0);
  Object.assign(contact.facts.orders, { count: orders.length, gross });
  if (contact.facts.orders.refunded > gross) contact.facts.orders.refunded = gross;
  // As a contact comes from the table: plain JSON.
  return { sight: { ...sight, contact: JSON.parse(JSON.stringify(contact)) }, events };
}

/** Contacts before and after something: a purchase, a view, a click, or some days. */
export function drawContacts(count: number, counters: Iterable<Counter>, seed = 11): { before: State; after: State }[] {
  const draw = drawFrom(seed);
  const list = [...counters];
  return Array.from({ length: count }, (_, i) => {
    const contact = newContact(`contact-${i}`, NOW - 900 * DAY);
    const { facts } = contact;
    for (const [name, values] of Object.entries(texts)) {
      if (name.includes('.') || draw() < 0.1) continue;
      facts.attributes[name] = { value: pick(draw, values), at: NOW - 800 * DAY, id: 'm' };
    }
    for (const name of ['household', 'distance']) {
      if (draw() < 0.3) continue;
      facts.attributes[name] = { value: 1 + below(draw, name === 'distance' ? 120 : 6), at: NOW - 800 * DAY, id: 'm' };
    }
    const stamp = { at: NOW - 10 * DAY, id: 'm' };
    if (draw() < 0.8) {
      facts.scores = {
        'value.decile': { value: 1 + below(draw, 10), ...stamp },
        'loyalty.tier': { value: pick(draw, texts['loyalty.tier'] as string[]), ...stamp },
      };
      for (const name of ['recency', 'frequency', 'money']) {
        facts.scores[`rfm.${name}`] = { value: 1 + below(draw, 5), ...stamp };
      }
    }
    for (const topic of TOPICS) {
      if (draw() < 0.4) continue;
      const basis = draw() < 0.5 ? 'double' : 'single';
      facts.consents[`shop|${topic}|email`] = { granted: draw() < 0.9, at: NOW - 400 * DAY, id: 'm', basis };
    }
    const activity = draw() ** 2;
    const events = EVENTS.flatMap((name, kind) =>
      Array.from({ length: Math.round((MOST[kind] as number) * activity * 2 * draw()) }, (_, n) => {
        const ago = Math.floor(draw() ** 2 * 700 * DAY) + DAY;
        return drawEvent(draw, name, NOW - ago, `${name} ${n}`);
      }),
    ).sort((a, b) => a.at - b.at);
    if (draw() < 0.2 && facts.orders !== undefined) facts.orders.refunded = below(draw, 20_000);
    const copy = (): Contact => JSON.parse(JSON.stringify(contact));
    const before = stateOf(copy(), events, NOW, list);
    if (draw() < 0.4) return { before, after: stateOf(copy(), events, NOW + (1 + below(draw, 20)) * DAY, list) };
    const name = pick(draw, ['Order Completed', 'Product Viewed', 'Product Viewed', 'Email Clicked']);
    const event = drawEvent(draw, name, NOW + 60_000, 'new');
    return { before, after: stateOf(copy(), [...events, event], NOW + 60_000, list) };
  });
}
