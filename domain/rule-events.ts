// What a rule asks of events: how often, how much, when, in which period; the counters that it reads.
import { calendarPeriod, dayAfter } from './calendar.ts';
import { canonical } from './canonical.ts';
import {
  ahead,
  type CounterEntry,
  type CounterState,
  type Measure,
  newest,
  oldest,
  type Span,
  tally,
} from './counter.ts';
import { type Counter, measured, SUPPLY } from './counting.ts';
import type { CalendarWord, Comparison, Did, OperatorName, Where } from './grammar.ts';
import { shortHash } from './interaction.ts';
import { minorUnits } from './money.ts';
import {
  type Atom,
  all,
  atom,
  type Column,
  columnOf,
  type Node,
  not,
  type RuleContext,
  type Sight,
} from './rule-node.ts';
import { durationMs } from './time.ts';
import { compileComparison, compileWhere, instantIn, isDate } from './where.ts';

const NEVER = Number.POSITIVE_INFINITY;
const timeless = (): number => NEVER;

const namesOf = (did: string | string[]): string[] => [...new Set(typeof did === 'string' ? [did] : did)].sort();

/** Registers the counter that a "did" reads; answers its key, and how a sight finds its state. */
function counterOf(did: Did, context: RuleContext) {
  const names = namesOf(did.did);
  const where = did.where === undefined ? undefined : compileWhere(did.where);
  const sinceStart = did.since === 'run start';
  const ofRun = sinceStart || where?.references === true || did.since?.startsWith('@') === true;
  const id = shortHash(
    'counter',
    canonical(names),
    canonical(did.where ?? {}),
    sinceStart ? 'since' : '',
    where?.catalogue ? context.catalogueHash : '',
  ).slice(0, 8);
  const place = ofRun ? context.runCounters : context.counters;
  if (place === undefined) throw new Error('a rule that speaks of a run stands outside a campaign');
  const counter: Counter = place.get(id) ?? {
    id,
    names,
    of: [],
    kinds: [],
    properties: [],
    sinceStart,
    ...(where === undefined ? {} : { where }),
  };
  place.set(id, counter);
  const state = ofRun
    ? (sight: Sight) => sight.runCounters?.[id]
    : (sight: Sight): CounterState | undefined => sight.contact.facts.counters[id];
  return { counter, state, key: `${ofRun ? 'run' : 'did'}|${id}` };
}
type CounterUse = ReturnType<typeof counterOf>;

/**
 * Where the purchases of products that a "where" means are counted: the counter, and the place of their products and
 * quantities (`SUPPLY`) among its values.
 */
export function supplyOf(where: Where, context: RuleContext): { counter: Counter; index: number } {
  const { counter } = counterOf({ did: 'Order Completed', where }, context);
  return { counter, index: measured(counter, 'groups', SUPPLY) };
}

/** An atom that asks how long ago something was: `found` is its instant, `within` the window in which it must lie. */
function recently(column: Column, within: number): Atom {
  return {
    column,
    cuts: within === NEVER ? [] : [within],
    test: (found, { now }) => found !== undefined && now - (found as number) < within,
    next: (found, { now }) => {
      const at = found === undefined ? NEVER : (found as number) + within;
      return at > now ? at : NEVER;
    },
  };
}

/** Whether something lies in (now − w, now]: the n-th newest event does exactly when at least n do. */
const newestColumn = ({ key, state }: CounterUse, n: number, family: Column['family'], context: RuleContext): Column =>
  columnOf(`${key}|newest ${n}|${family}`, family, context, () => (sight, turn) => {
    const counted = state(sight);
    if (counted === undefined) return undefined;
    const last = counted.e.length - 1;
    // As nearly always: few enough to be known exactly, and none of them still to come.
    if (counted.d === undefined && last >= 0 && (counted.e[last] as CounterEntry)[0] <= sight.now) {
      return counted.e[last + 1 - n]?.[0];
    }
    turn.at = Math.min(turn.at, ahead(counted, sight.now));
    return newest(counted, n, sight.now);
  });

const oldestColumn = ({ key, state }: CounterUse, family: Column['family'], context: RuleContext): Column =>
  columnOf(`${key}|oldest|${family}`, family, context, () => (sight, turn) => {
    const counted = state(sight);
    if (counted === undefined) return undefined;
    turn.at = Math.min(turn.at, ahead(counted, sight.now));
    return oldest(counted, sight.now);
  });

type Bound = number | [number, number];

/** The least and the greatest that a count may be; "exactly" is both. */
function countBounds(count: NonNullable<Did['times']>): { least: number; most: number } {
  if (typeof count === 'number') return { least: count, most: count };
  const [name, value] = Object.entries(count)[0] as [string, Bound];
  switch (name) {
    case 'atLeast':
      return { least: value as number, most: NEVER };
    case 'moreThan':
      return { least: (value as number) + 1, most: NEVER };
    case 'atMost':
      return { least: 1, most: value as number };
    case 'lessThan':
      return { least: 1, most: (value as number) - 1 };
    case 'between':
      return { least: (value as [number, number])[0], most: (value as [number, number])[1] };
    default:
      throw new Error(`unknown measure: ${name}`);
  }
}

/** An atom over a number that a counter measures, in a period. */
function amountAtom(column: Column, amount: Record<string, unknown>, scale: (value: number) => number): Atom {
  const [name, wanted] = Object.entries(amount)[0] as [OperatorName, Bound];
  const bounds = [wanted].flat().map(scale) as [number, number?];
  const [low, high = low] = bounds;
  const compare: Partial<Record<OperatorName, (value: number) => boolean>> = {
    atLeast: (value) => value >= low,
    moreThan: (value) => value > low,
    atMost: (value) => value <= low,
    lessThan: (value) => value < low,
    between: (value) => value >= low && value <= high,
  };
  const test = compare[name];
  if (test === undefined) throw new Error(`unknown measure: ${name}`);
  return {
    column,
    cuts: bounds as number[],
    test: (found) => found !== undefined && test(found as number),
    next: timeless,
  };
}

/** What a "did" counts at an instant; `next`: when the calendar moves that. */
type PeriodOf = (sight: Sight) => Span & { next?: number };

const EVER = Number.NEGATIVE_INFINITY;

function periodOf(did: Did, money: boolean): { key: string; rolling: number; span: PeriodOf } {
  const zoneOf = (sight: Sight): string => (money ? sight.shopZone : sight.zone);
  if (did.inLast !== undefined) {
    const rolling = durationMs(did.inLast);
    return { key: `last ${rolling}`, rolling, span: ({ now }) => ({ after: now - rolling, until: now }) };
  }
  const zoned = money ? 'shop' : 'own';
  if (did.in !== undefined) {
    const word: CalendarWord = did.in;
    return {
      key: `${word} ${zoned}`,
      rolling: 0,
      span(sight) {
        const { from, to, next } = calendarPeriod(word, sight.now, zoneOf(sight));
        return { after: from - 1, until: Math.min(to - 1, sight.now), next };
      },
    };
  }
  const fixed = (from: string | undefined, to: string | undefined): PeriodOf => {
    const last = to === undefined || !isDate(to) ? to : dayAfter(to);
    return (sight) => {
      const zone = zoneOf(sight);
      const begins = from?.startsWith('@') ? sight.resolve?.(from) : from;
      const after = from === undefined ? EVER : (instantIn(begins, zone) ?? NEVER) - 1;
      if (last === undefined) return { after, until: sight.now };
      const end = instantIn(last, zone) ?? EVER;
      return { after, until: Math.min(last === to ? end : end - 1, sight.now) };
    };
  };
  if (did.between !== undefined) {
    const [from, to] = did.between;
    return { key: `between ${from} ${to} ${zoned}`, rolling: 0, span: fixed(from, to) };
  }
  if (did.since !== undefined && did.since !== 'run start') {
    return { key: `since ${did.since} ${zoned}`, rolling: 0, span: fixed(did.since, undefined) };
  }
  return { key: 'ever', rolling: NEVER, span: ({ now }) => ({ after: EVER, until: now }) };
}

/** What a rule asks of events; registers the counter that it reads. Throws on what publish would have refused. */
export function didNode(did: Did, context: RuleContext): Node {
  const use = counterOf(did, context);
  const { latest, first, times, same } = did;
  const when = latest ?? first;
  if (when !== undefined) return atom(whenAtom(use, when, latest !== undefined, context));
  const amount = did.sum ?? did.largest ?? did.distinct;
  const of = amount?.of;
  const money =
    of !== undefined && did.distinct === undefined && use.counter.names.some((name) => context.isMoney(name, of));
  const period = periodOf(did, money);
  const measuring = (measure: Measure, index: number): Column =>
    columnOf(
      `${use.key}|${measure} ${index < 0 ? '' : use.counter.of[index]}|${period.key}`,
      'number',
      context,
      () => (sight, turn) => {
        const counted = use.state(sight);
        if (counted === undefined) return undefined;
        const span = period.span(sight);
        const found = tally(counted, span, measure, index);
        const leaves = period.rolling === 0 ? NEVER : found.oldest + period.rolling;
        turn.at = Math.min(turn.at, leaves, found.ahead > sight.now ? found.ahead : NEVER);
        // A new stretch changes nothing for whom nothing leaves the old one or enters the new.
        if (span.next !== undefined && (found.times > 0 || found.ahead <= sight.now))
          turn.at = Math.min(turn.at, span.next);
        return found.value;
      },
    );
  if (amount !== undefined) {
    const { of: property, ...wanted } = amount;
    const [kind, measure] = did.sum
      ? (['sum', 'sum'] as const)
      : did.largest
        ? (['largest', 'largest'] as const)
        : (['groups', 'distinct'] as const);
    const column = measuring(measure, measured(use.counter, kind, property));
    return atom(amountAtom(column, wanted, money ? (value) => minorUnits(value, context.currency) : (value) => value));
  }
  const { least, most } = countBounds(times ?? { atLeast: 1 });
  if (same !== undefined) {
    return atom(
      amountAtom(measuring('same', measured(use.counter, 'groups', same)), { atLeast: least }, (value) => value),
    );
  }
  if (period.rolling > 0) {
    const atLeast = (n: number): Node => atom(recently(newestColumn(use, n, 'age', context), period.rolling));
    return most === NEVER ? atLeast(least) : all([atLeast(least), not(atLeast(most + 1))]);
  }
  return atom(
    amountAtom(
      measuring('times', -1),
      most === NEVER ? { atLeast: least } : { between: [least, most] },
      (value) => value,
    ),
  );
}

/** When something happened last, or first. */
function whenAtom(use: CounterUse, wanted: NonNullable<Did['latest']>, last: boolean, context: RuleContext): Atom {
  const [operator, value] = Object.entries(wanted)[0] as [OperatorName, string];
  const family = operator === 'before' || operator === 'after' ? (isDate(value) ? 'date' : 'instant') : 'age';
  const column = last ? newestColumn(use, 1, family, context) : oldestColumn(use, family, context);
  if (operator === 'inLast') return recently(column, durationMs(value));
  const { test, next } = compileComparison(wanted as Comparison);
  if (operator === 'moreThanAgo') return { column, cuts: [durationMs(value)], test, next };
  return { column, cuts: [family === 'date' ? value : (instantIn(value, 'UTC') as number)], test, next };
}
