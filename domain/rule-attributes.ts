// What a rule asks of attributes: given ones, and those that are derived from a contact's facts.
import { anniversaries, dayOfYear } from './calendar.ts';
import type { Contact } from './contact.ts';
import { cartLines } from './facts.ts';
import type { Comparison, OperatorName } from './grammar.ts';
import { modelAttributes, movesByTime, nextDated, nextModelled, readModelled } from './insight/attributes.ts';
import type { Json } from './interaction.ts';
import { minorUnits } from './money.ts';
import {
  type Atom,
  all,
  atom,
  type Column,
  columnOf,
  type Found,
  type Node,
  not,
  type RuleContext,
  type Sight,
} from './rule-node.ts';
import { hasSubscription, openCases, SCORES, scoreOf } from './standing.ts';
import { TIER, tierSegment } from './tiers.ts';
import { durationMs, localTime } from './time.ts';
import { compileComparison, instantIn, isDate, isOperator, numberOf } from './where.ts';

const NEVER = Number.POSITIVE_INFINITY;

type Getter = (sight: Sight) => Json | undefined;
const DAY = 86_400_000;

/** Mean days between orders, of at least two. */
function orderInterval({ contact: { facts } }: Sight): number | undefined {
  const { count, first, last } = facts.orders;
  if (count < 2 || first === undefined || last === undefined || last <= first) return undefined;
  return (last - first) / (count - 1) / DAY;
}

function overdue(sight: Sight): number | undefined {
  const interval = orderInterval(sight);
  return interval === undefined
    ? undefined
    : (sight.now - (sight.contact.facts.orders.last as number)) / DAY / interval;
}

const derived: Record<string, Getter> = {
  'orders.count': ({ contact }) => contact.facts.orders.count,
  'orders.spend': ({ contact }) => contact.facts.orders.gross - contact.facts.orders.refunded,
  'orders.first': ({ contact }) => contact.facts.orders.first,
  'orders.last': ({ contact }) => contact.facts.orders.last,
  'orders.returnedShare': ({ contact: { facts } }) =>
    facts.orders.gross > 0 ? facts.orders.refunded / facts.orders.gross : undefined,
  'orders.average': ({ contact: { facts } }) =>
    facts.orders.count > 0 ? Math.round((facts.orders.gross - facts.orders.refunded) / facts.orders.count) : undefined,
  'orders.discountedShare': ({ contact: { facts } }) =>
    facts.orders.count > 0 ? (facts.orders.discounted ?? 0) / facts.orders.count : undefined,
  'cart.items': ({ contact }) => cartLines(contact.facts).length || undefined,
  'cart.value': ({ contact }) =>
    cartLines(contact.facts).reduce((sum, [, line]) => sum + line.quantity * (line.price ?? 0), 0) || undefined,
  'rhythm.interval': orderInterval,
  'rhythm.overdue': overdue,
  'service.openCases': ({ contact }) => openCases(contact.facts),
  'subscription.active': ({ contact }) => hasSubscription(contact.facts),
  running: ({ contact }) => contact.journey.runs.filter((run) => run.ended === undefined).map((run) => run.campaign),
  ...Object.fromEntries(
    Object.keys(SCORES).map((name): [string, Getter] => [name, ({ contact }) => scoreOf(contact.facts, name)]),
  ),
  ...Object.fromEntries(
    Object.keys(modelAttributes).map((name): [string, Getter] => [
      name,
      (sight) => readModelled(name, modelled(sight)),
    ]),
  ),
};

/** The tier that the shop gave, else the one whose rule holds. */
derived[TIER] = ({ contact, tier }) => scoreOf(contact.facts, TIER) ?? tier?.();

const modelled = ({ contact: { facts }, models, now, shopZone }: Sight) => ({ facts, models, now, zone: shopZone });

type DerivedType = 'number' | 'money' | 'date' | 'list' | 'text' | 'boolean';
const typed: Record<string, DerivedType> = {
  'orders.spend': 'money',
  'orders.average': 'money',
  'cart.value': 'money',
  'orders.first': 'date',
  'orders.last': 'date',
  'subscription.active': 'boolean',
  running: 'list',
  ...SCORES,
  ...modelAttributes,
};

/** Names of derived attributes that rules may read, with their type. */
export const derivedAttributes: Record<string, DerivedType> = Object.fromEntries(
  Object.keys(derived).map((name) => [name, typed[name] ?? 'number']),
);

/** How an attribute is read of a contact at an instant, given or derived; money in minor units. */
export const attributeOf = (name: string): Getter => getterOf(name);

function getterOf(name: string): Getter {
  const known = Object.hasOwn(derived, name) ? derived[name] : undefined;
  if (known !== undefined) return known;
  const attribute = name.endsWith('.givenAt') ? name.slice(0, -'.givenAt'.length) : undefined;
  if (attribute !== undefined) return ({ contact }) => stamped(contact, attribute)?.at;
  if (name === 'email') return ({ contact }) => contact.facts.address?.value;
  return ({ contact }) => stamped(contact, name)?.value;
}

function stamped(contact: Contact, name: string) {
  return Object.hasOwn(contact.facts.attributes, name) ? contact.facts.attributes[name] : undefined;
}

/** What a finding is read as in a family: several at once where the attribute is a list. */
function readAs(value: Json | undefined, one: (each: Json) => Json | undefined): Found {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) return one(value);
  return value.flatMap((each) => (each === null ? [] : (one(each) ?? [])));
}

const readers: Record<Column['family'], (get: Getter) => Column['read']> = {
  equal: (get) => get,
  other: (get) => get,
  number: (get) => (sight) => readAs(get(sight), numberOf),
  instant: (get) => (sight) => readAs(get(sight), (each) => instantIn(each, sight.zone)),
  date: (get) => (sight) => readAs(get(sight), (each) => instantIn(each, sight.zone)),
  age: (get) => (sight) => readAs(get(sight), (each) => instantIn(each, sight.zone)),
};

/** An atom over an attribute, given or derived. Throws on what publish would have refused. */
export function hasAtom(name: string, wanted: Comparison, context: RuleContext): Atom {
  if (isOperator(wanted) && 'anniversary' in wanted) {
    return anniversaryAtom(name, wanted.anniversary as Anniversary, context);
  }
  const scale = derivedAttributes[name] === 'money' ? 10 ** Math.round(Math.log10(minorUnits(1, context.currency))) : 1;
  const { family, cuts } = sorted(name, wanted, scale);
  const { test, next } = compileComparison(wanted, scale);
  const column = columnOf(`has|${name}|${family}`, family, context, () => {
    const read = readers[family](getterOf(name));
    if (!Object.hasOwn(modelAttributes, name)) return read;
    return (sight, turn) => {
      turn.at = Math.min(turn.at, nextDated(name, modelled(sight)));
      return read(sight, turn);
    };
  });
  // What grows with time turns where it meets the bound, not where the finding changes.
  if (name === 'rhythm.overdue') return { column, cuts: [], test, next: overdueNext(wanted) };
  if (movesByTime(name)) return { column, cuts: [], test, next: modelledNext(name, wanted, scale, test) };
  return { column, cuts, test, next };
}

/**
 * What a segment asks of the loyalty tier. Tiers are segments too, so they are answered at once with the one that asks:
 * of the tier that the shop gave, where it gave one, else of each tier that the comparison holds for.
 */
export function tierNode(wanted: Comparison, context: RuleContext): Node {
  const { test } = compileComparison(wanted);
  const around = { now: 0, zone: 'UTC', catalogue: { products: {} } };
  // What a part of a text is asked of differs within what is no constant: it is asked itself.
  const inPart = isOperator(wanted) && ('contains' in wanted || 'startsWith' in wanted);
  const named = [isOperator(wanted) ? Object.values(wanted)[0] : wanted].flat();
  const given = (family: 'equal' | 'other', cuts: Atom['cuts'], holds: (found: Json) => boolean): Node =>
    atom({
      column: columnOf(
        `given|${TIER}|${family}`,
        family,
        context,
        () =>
          ({ contact }) =>
            scoreOf(contact.facts, TIER),
      ),
      cuts,
      test: (found) => found !== undefined && found !== null && holds(found),
      next: () => NEVER,
    });
  const isGiven = given('equal', [], () => true);
  const tiers = (context.tiers ?? []).map((tier): [string, Node] => [tier, { kind: 'segment', id: tierSegment(tier) }]);
  const meant = tiers.flatMap(([tier, node]) => (test(tier, around) ? [node] : []));
  const parts = [
    given(inPart ? 'other' : 'equal', inPart ? [] : named.filter((one) => typeof one === 'string'), (found) =>
      test(found, around),
    ),
  ];
  if (meant.length > 0) parts.push(all([not(isGiven), { kind: 'any', parts: meant }]));
  if (test(undefined, around)) {
    parts.push(all([not(isGiven), not({ kind: 'any', parts: tiers.map(([, node]) => node) })]));
  }
  return { kind: 'any', parts };
}

const DERIVED_NUMBERS = new Set(['number', 'money']);

/** The family in which a comparison's answer is one in each bucket, and where the buckets begin. */
function sorted(name: string, wanted: Comparison, scale: number): Pick<Atom, 'cuts'> & { family: Column['family'] } {
  const unsorted = { family: 'other', cuts: [] } as const;
  if (name === 'running' || name === 'rhythm.overdue' || movesByTime(name)) return unsorted;
  const scaled = (value: number): number => Math.round(value * scale * 1e6) / 1e6;
  const constants = (values: unknown[], ordered: boolean): ReturnType<typeof sorted> => {
    if (values.some((value) => typeof value === 'string' && value.startsWith('@'))) return unsorted;
    if (values.every((value) => typeof value === 'number')) {
      return { family: 'number', cuts: (values as number[]).map(scaled) };
    }
    if (!ordered) {
      const plain = values.every((value) => typeof value === 'string' || typeof value === 'boolean');
      return plain ? { family: 'equal', cuts: values as (string | boolean)[] } : unsorted;
    }
    if (values.every((value) => typeof value === 'string' && isDate(value))) {
      return { family: 'date', cuts: values as string[] };
    }
    const instants = values.map((value) => (typeof value === 'string' ? instantIn(value, 'UTC') : undefined));
    if (values.some((value) => typeof value === 'string' && isDate(value)) || instants.includes(undefined))
      return unsorted;
    return { family: 'instant', cuts: instants as number[] };
  };
  if (!isOperator(wanted)) return constants([wanted].flat(), false);
  const [operator, value] = Object.entries(wanted)[0] as [OperatorName, unknown];
  switch (operator) {
    case 'exists':
      return { family: 'equal', cuts: [] };
    case 'isNot':
      // A text that is no number is not 3: only what is always a number can be sorted as one.
      return typeof value === 'number' && !DERIVED_NUMBERS.has(derivedAttributes[name] ?? '')
        ? unsorted
        : constants([value], false);
    case 'inLast':
      return { family: 'age', cuts: [0, durationMs(value as string)] };
    case 'inNext':
      return { family: 'age', cuts: [-durationMs(value as string), 0] };
    case 'moreThanAgo':
      return { family: 'age', cuts: [durationMs(value as string)] };
    case 'contains':
    case 'startsWith':
    case 'anniversary':
      return unsorted;
    default:
      return constants([value].flat(), true);
  }
}

/** When what the models say meets a bound. */
function modelledNext(name: string, wanted: Comparison, scale: number, test: Atom['test']): Atom['next'] {
  const said = [isOperator(wanted) ? Object.values(wanted)[0] : wanted].flat();
  const scaled = said.flatMap((bound) => (typeof bound === 'number' ? Math.round(bound * scale * 1e6) / 1e6 : []));
  const references = said.filter((bound): bound is string => typeof bound === 'string' && bound.startsWith('@'));
  return (_found, sight) => {
    const meant = references.flatMap((reference) => sight.resolve?.(reference) ?? []);
    const bounds = [...scaled, ...meant.filter((bound) => typeof bound === 'number')];
    return nextModelled(name, modelled(sight), bounds, (found) => test(found, sight));
  };
}

/** When `rhythm.overdue` reaches a bound: at last + bound × interval; nothing else turns it by time. */
function overdueNext(wanted: Comparison): Atom['next'] {
  const value = isOperator(wanted) ? Object.values(wanted)[0] : wanted;
  const bounds = [value].flat().filter((bound) => typeof bound === 'number');
  return (_found, sight) => {
    const interval = orderInterval(sight);
    if (interval === undefined) return NEVER;
    const last = sight.contact.facts.orders.last as number;
    // One that is met for a single instant turns there, and right after it.
    const turns = bounds
      .map((bound) => last + bound * interval * DAY)
      .flatMap((at) => [Math.floor(at), Math.floor(at) + 1]);
    return Math.min(NEVER, ...turns.filter((at) => at > sight.now));
  };
}

type Anniversary = 'today' | { inNext: string } | { inLast: string };

function anniversaryAtom(name: string, wanted: Anniversary, context: RuleContext): Atom {
  const column = columnOf(`has|${name}|other`, 'other', context, () => readers.other(getterOf(name)));
  const length = wanted === 'today' ? 0 : durationMs(Object.values(wanted)[0] as string);
  /** Of each date that is found: a date, with its year or without, is as it is written; an instant has the zone's. */
  const daysOf = (found: Found, { now, zone }: Sight) =>
    (Array.isArray(found) ? found : [found]).flatMap((one) => {
      const at = typeof one === 'string' && one.length <= 10 ? undefined : instantIn(one, zone);
      const date = dayOfYear(at === undefined ? String(one) : localTime(at, zone).date);
      return date === undefined ? [] : [anniversaries(date, now, zone)];
    });
  return {
    column,
    cuts: [],
    test: (found, sight) =>
      daysOf(found, sight).some((day) => {
        if (wanted === 'today') return sight.now < day.ends;
        return 'inNext' in wanted ? day.next <= sight.now + length : day.last > sight.now - length;
      }),
    next(found, sight) {
      const turns = daysOf(found, sight).flatMap((day) => [day.next, day.ends, day.next - length, day.last + length]);
      return Math.min(NEVER, ...turns.filter((at) => at > sight.now));
    },
  };
}
