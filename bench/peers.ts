// The other engines: our rules in their languages, over a flat document that is made for them beforehand.
import { evalCondition } from '@growthbook/growthbook';
import { LogicEngine } from 'json-logic-engine';
import { Engine } from 'json-rules-engine';
import { Query } from 'mingo';
import sift from 'sift';
import type { Did, Rule } from '../domain/grammar.ts';
import type { Json } from '../domain/interaction.ts';
import { durationMs } from '../domain/time.ts';
import type { State } from './segment-rules.ts';

export const PEERS = ['json-logic-engine', 'growthbook', 'sift', 'mingo', 'json-rules-engine'] as const;
export type Peer = (typeof PEERS)[number];
export type Document = Record<string, string | number>;

type Compared = 'is' | 'isNot' | 'in' | 'exists' | 'missing' | 'atLeast' | 'moreThan' | 'atMost' | 'lessThan';
/** A rule over fields of the document; segments that it refers to are written out. */
type Flat =
  | { all: Flat[] }
  | { any: Flat[] }
  | { not: Flat }
  | { field: string; is: Compared; value: string | number | string[] };
type Field = (state: State) => Json | undefined;

/** A rule translated once for all peers, and the fields of the document that it reads. */
export interface Translated {
  id: string;
  flat: Flat;
}

/** Dots are paths in several of these languages. */
const safe = (text: string): string => text.replaceAll(/[^A-Za-z0-9]+/g, '_');

/** Translates rules; collects what documents hold. Throws on what it cannot say. */
export class Translation {
  readonly rules: Translated[] = [];
  readonly #fields = new Map<string, Field>();
  readonly #known = new Map<string, Flat>();

  constructor(rules: readonly { id: string; rule: Rule }[]) {
    for (const { id, rule } of rules) {
      const flat = this.#flat(rule);
      this.#known.set(id, flat);
      this.rules.push({ id, flat });
    }
  }

  /** What the peers know of a contact: made once, outside what is measured. */
  documentOf(state: State): Document {
    const document: Record<string, Json> = {};
    for (const [name, read] of this.#fields) {
      const value = read(state);
      if (value !== undefined && value !== null) document[name] = value;
    }
    return JSON.parse(JSON.stringify(document));
  }

  #field(name: string, read: Field): string {
    const key = safe(name);
    if (!this.#fields.has(key)) this.#fields.set(key, read);
    return key;
  }

  #flat(rule: Rule): Flat {
    if ('all' in rule) return { all: rule.all.map((part) => this.#flat(part)) };
    if ('any' in rule) return { any: rule.any.map((part) => this.#flat(part)) };
    if ('not' in rule) return { not: this.#flat(rule.not) };
    if ('segment' in rule) return this.#known.get(rule.segment) as Flat;
    if ('consent' in rule) {
      const field = this.#field(`consent ${rule.consent}`, ({ sight }) => {
        const consent = sight.contact.facts.consents[`shop|${rule.consent}|email`];
        return consent?.granted ? consent.basis : undefined;
      });
      return { field, is: 'exists', value: '' };
    }
    if ('did' in rule) return this.#did(rule);
    if (!('has' in rule)) throw new Error('not translated');
    const parts = Object.entries(rule.has).map(([name, wanted]): Flat => {
      const field = this.#field(`has ${name}`, (state) => attributeOf(state, name));
      if (Array.isArray(wanted)) return { field, is: 'in', value: wanted as string[] };
      if (typeof wanted !== 'object') return { field, is: 'is', value: wanted as string };
      const [operator, value] = Object.entries(wanted)[0] as [string, never];
      if (operator === 'exists') return { field, is: value ? 'exists' : 'missing', value: '' };
      return compared(field, operator, value);
    });
    return parts.length === 1 ? (parts[0] as Flat) : { all: parts };
  }

  #did(did: Did): Flat {
    const wanted = (state: State) =>
      state.events.filter(
        ({ name, at, properties }) =>
          name === did.did &&
          at <= state.sight.now &&
          (did.where === undefined || properties.category === did.where.category),
      );
    const subject = `did ${did.did} ${did.where?.category ?? ''}`;
    const age = (): string =>
      this.#field(`${subject} age`, (state) => {
        const latest = wanted(state).at(-1);
        return latest === undefined ? undefined : state.sight.now - latest.at;
      });
    if (did.latest !== undefined) {
      return { field: age(), is: 'atLeast', value: durationMs((did.latest as { moreThanAgo: string }).moreThanAgo) };
    }
    const window = did.inLast === undefined ? Number.POSITIVE_INFINITY : durationMs(did.inLast);
    const within = (state: State) => wanted(state).filter(({ at }) => at > state.sight.now - window);
    if (did.sum !== undefined) {
      const { of, ...amount } = did.sum;
      const field = this.#field(`${subject} sum ${did.inLast ?? 'ever'}`, (state) => {
        const found = within(state);
        if (found.length === 0) return undefined;
        return found.reduce((sum, { properties }) => sum + Math.round(Number(properties[of]) * 100), 0) / 100;
      });
      const [operator, value] = Object.entries(amount)[0] as [string, number];
      return compared(field, operator, value);
    }
    if (did.times !== undefined) {
      const field = this.#field(
        `${subject} times ${did.inLast ?? 'ever'}`,
        (state) => within(state).length || undefined,
      );
      return compared(field, 'atLeast', (did.times as { atLeast: number }).atLeast);
    }
    if (did.inLast === undefined) return { field: age(), is: 'exists', value: '' };
    return { field: age(), is: 'lessThan', value: window };
  }
}

function compared(field: string, operator: string, value: string | number | [number, number]): Flat {
  if (Array.isArray(value)) {
    const [low, high] = value;
    return { all: [compared(field, 'atLeast', low), compared(field, 'atMost', high)] };
  }
  return { field, is: operator as Compared, value };
}

function attributeOf({ sight, events }: State, name: string): Json | undefined {
  const { attributes, orders, scores } = sight.contact.facts;
  const spend = (orders.gross - orders.refunded) / 100;
  const { length } = events.filter((event) => event.name === 'Order Completed');
  switch (name) {
    case 'orders.count':
      return length;
    case 'orders.spend':
      return spend;
    case 'orders.average':
      return length > 0 ? Math.round((spend * 100) / length) / 100 : undefined;
    case 'orders.returnedShare':
      return orders.gross > 0 ? orders.refunded / orders.gross : undefined;
    default:
      return attributes[name]?.value ?? scores?.[name]?.value;
  }
}

/** Each peer's way to answer all rules; asynchronous where the peer is. */
export interface Compiled {
  all(document: Document, into: Uint8Array): void | Promise<void>;
}

/** Compiles the rules for a peer, as its documentation says. */
export function compileFor(peer: Peer, rules: readonly Translated[]): Compiled {
  if (peer === 'json-rules-engine') return compileJsonRules(rules);
  const tests = rules.map(({ flat }) => testsOf[peer](flat));
  return {
    all(document, into) {
      for (let i = 0; i < tests.length; i++) into[i] = (tests[i] as (one: Document) => boolean)(document) ? 1 : 0;
    },
  };
}

const logic = new LogicEngine();
const testsOf: Record<Exclude<Peer, 'json-rules-engine'>, (flat: Flat) => (document: Document) => boolean> = {
  'json-logic-engine'(flat) {
    const built = logic.build(jsonLogic(flat)) as (document: Document) => unknown;
    return (document) => Boolean(built(document));
  },
  growthbook(flat) {
    const condition = mongo(flat, true);
    return (document) => evalCondition(document, condition as never);
  },
  sift: (flat) => sift.default(mongo(flat, false) as never),
  mingo(flat) {
    const query = new Query(mongo(flat, false) as never);
    return (document) => query.test(document);
  },
};

/** "< 5" and "<= 5" of a missing value hold in this language, where null counts as 0: they are guarded. */
function jsonLogic(flat: Flat): object {
  if ('all' in flat) return { and: flat.all.map(jsonLogic) };
  if ('any' in flat) return { or: flat.any.map(jsonLogic) };
  if ('not' in flat) return { '!': jsonLogic(flat.not) };
  const { field, is, value } = flat;
  const read = { var: field };
  const there = { '!==': [{ var: [field, null] }, null] };
  switch (is) {
    case 'exists':
      return there;
    case 'missing':
      return { '!': there };
    case 'is':
      return { '===': [read, value] };
    case 'in':
      return { in: [read, value] };
    case 'isNot':
      return { and: [there, { '!==': [read, value] }] };
    case 'atLeast':
      return { '>=': [read, value] };
    case 'moreThan':
      return { '>': [read, value] };
    case 'atMost':
      return { and: [there, { '<=': [read, value] }] };
    default:
      return { and: [there, { '<': [read, value] }] };
  }
}

const MONGO: Record<Exclude<Compared, 'is' | 'isNot' | 'exists' | 'missing'>, string> = {
  in: '$in',
  atLeast: '$gte',
  moreThan: '$gt',
  atMost: '$lte',
  lessThan: '$lt',
};

/** `guarded`: a missing number counts as 0 there, so that "< 5" holds for it. In all three "is not" holds for it. */
function mongo(flat: Flat, guarded: boolean): object {
  if ('all' in flat) return { $and: flat.all.map((part) => mongo(part, guarded)) };
  if ('any' in flat) return { $or: flat.any.map((part) => mongo(part, guarded)) };
  if ('not' in flat) return { $nor: [mongo(flat.not, guarded)] };
  const { field, is, value } = flat;
  if (is === 'is') return { [field]: value };
  if (is === 'exists' || is === 'missing') return { [field]: { $exists: is === 'exists' } };
  if (is === 'isNot') return { [field]: { $exists: true, $ne: value } };
  const guard = guarded && (is === 'lessThan' || is === 'atMost') ? { $exists: true } : {};
  return { [field]: { ...guard, [MONGO[is]]: value } };
}

const JSON_RULES: Record<Exclude<Compared, 'exists' | 'missing'>, string> = {
  is: 'equal',
  isNot: 'notEqual',
  in: 'in',
  atLeast: 'greaterThanInclusive',
  moreThan: 'greaterThan',
  atMost: 'lessThanInclusive',
  lessThan: 'lessThan',
};

/** "not equal" holds for a missing value: it is guarded. Unknown facts are allowed: it would throw at the first. */
function jsonRule(flat: Flat): object {
  if ('all' in flat) return { all: flat.all.map(jsonRule) };
  if ('any' in flat) return { any: flat.any.map(jsonRule) };
  if ('not' in flat) return { not: jsonRule(flat.not) };
  const { field, is, value } = flat;
  if (is === 'exists') return { fact: field, operator: 'notEqual', value: undefined };
  if (is === 'missing') return { fact: field, operator: 'equal', value: undefined };
  const own = { fact: field, operator: JSON_RULES[is], value };
  return is === 'isNot' ? { all: [jsonRule({ field, is: 'exists', value: '' }), own] } : own;
}

function compileJsonRules(rules: readonly Translated[]): Compiled {
  const engine = new Engine([], { allowUndefinedFacts: true });
  for (const [i, { flat }] of rules.entries()) {
    const said = jsonRule(flat);
    const conditions = 'fact' in said ? { all: [said] } : said;
    engine.addRule({ conditions: conditions as never, event: { type: 'holds', params: { i } } });
  }
  return {
    async all(document, into) {
      into.fill(0);
      const { events } = await engine.run(document);
      for (const event of events) into[event.params?.i as number] = 1;
    },
  };
}
