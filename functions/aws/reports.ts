// Counters of reports and of tests, from the transitions of messages on the table's stream: repeats count nothing twice.
import { type Message, reportedState } from '../../domain/message.ts';
import type { Change } from './lake.ts';
import { type Key, key, pooled, readMessage, type Table } from './table.ts';

/** What one counter item takes of a batch. */
interface Moves {
  of: Key;
  changes: { sequence: string; was: Message | undefined; is: Message }[];
  /** Under which names a message counts, each with an amount. */
  countedAs: (message: Message) => [name: string, amount: number][];
  /** What else the item says; may be asked again, with what it says already. */
  notes?: (known: Record<string, unknown>, changes: { is: Message }[]) => Record<string, unknown>;
}

const DAY_SECONDS = 86_400;
/** Counters of tests live as long as messages do. */
const KEPT_DAYS = 400;

/**
 * Adds the transitions of messages to the report counters: one item per campaign, day (of the planned instant) and
 * stream shard; and those of messages under test to one item per test and stream shard. What an item has seen already,
 * by its last sequence number, is passed over.
 *
 * A batch costs a read and a write of each item that it touches, of about 1 KB with eight providers, and of 40 bytes
 * more for each name of each alternative.
 */
export async function countReports(changes: Change[], shard: string, table: Table): Promise<void> {
  const moves = new Map<string, Moves>();
  const add = (name: string, make: () => Omit<Moves, 'changes'>, change: Moves['changes'][number]): void => {
    const known = moves.get(name) ?? { ...make(), changes: [] };
    known.changes.push(change);
    moves.set(name, known);
  };
  const tests = new Map<string, number>();
  for (const { sequence, before, after } of changes) {
    if (after === undefined || !after.sk.startsWith('MESSAGE#')) continue;
    const is = readMessage(after);
    const change = { sequence, was: before === undefined ? undefined : readMessage(before), is };
    const day = new Date(is.plannedAt).toISOString().slice(0, 10);
    const { campaign, test } = is;
    add(`report ${campaign} ${day}`, () => ({ of: key.report(campaign, day, shard), countedAs }), change);
    if (test === undefined || is.state === 'ghost') continue;
    tests.set(test, is.plannedAt);
    add(`test ${test}`, () => ({ of: key.test(test, shard), countedAs: triedAs, notes: testNotes }), change);
  }
  // Listed before it is counted: a list that lacks one would never be mended.
  await pooled([...tests], 4, ([test, plannedAt]) => list(test, shard, plannedAt, table));
  await pooled([...moves.values()], 4, (move) => count(move, table));
}

async function count({ of, changes, countedAs, notes }: Moves, table: Table): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const item = await table.readOne(of);
    const seen = item?.seq as string | undefined;
    const fresh = changes.filter(({ sequence }) => seen === undefined || BigInt(sequence) > BigInt(seen));
    const last = fresh.at(-1);
    if (last === undefined) return;
    const names: Record<string, string> = { '#seq': 'seq' };
    const values: Record<string, unknown> = { ':seq': last.sequence };
    if (seen !== undefined) values[':seen'] = seen;
    const adds = [...deltas(fresh, countedAs, new Set(Object.keys(item ?? {})))].map(([name, delta], index) => {
      names[`#n${index}`] = name;
      values[`:n${index}`] = delta;
      return `#n${index} :n${index}`;
    });
    const sets = Object.entries(notes?.(item ?? {}, fresh) ?? {}).map(([name, value], index) => {
      names[`#s${index}`] = name;
      values[`:s${index}`] = value;
      return `, #s${index} = :s${index}`;
    });
    const written = await table.update(of, {
      UpdateExpression: `SET #seq = :seq${sets.join('')}${adds.length === 0 ? '' : ` ADD ${adds.join(', ')}`}`,
      ConditionExpression: seen === undefined ? 'attribute_not_exists(#seq)' : '#seq = :seen',
      ExpressionAttributeNames: names,
      ExpressionAttributeValues: values,
    });
    if (written) return;
    if (attempt === 4) throw new Error('reports: another writer of the same shard');
  }
}

/** What the transitions add to each counter, under its name as the item may hold it. */
function deltas(
  changes: Moves['changes'],
  countedAs: Moves['countedAs'],
  known: ReadonlySet<string>,
): Map<string, number> {
  const counts = new Map<string, number>();
  const within = bound(known);
  const add = (message: Message, sign: 1 | -1): void => {
    for (const [given, amount] of countedAs(message)) {
      const name = within(given);
      counts.set(name, (counts.get(name) ?? 0) + sign * amount);
    }
  };
  for (const { was, is } of changes) {
    if (was !== undefined) add(was, -1);
    add(is, 1);
  }
  for (const [name, delta] of counts) if (delta === 0) counts.delete(name);
  return counts;
}

/** How many alternatives an item tells apart: it stays below 8 KB, and the expression of a write below 4 KB, whatever campaigns try. */
const MOST_ALTERNATIVES = 24;

/** The name, or that of all others once there are too many alternatives. Names of the item's own are always kept. */
function bound(known: ReadonlySet<string>): (name: string) => string {
  const alternatives = new Set([...known].flatMap((name) => alternativeOf(name) ?? []));
  return (name) => {
    const alternative = alternativeOf(name);
    if (alternative === undefined || alternatives.has(alternative)) return name;
    if (alternatives.size >= MOST_ALTERNATIVES) return `others~others${name.slice(name.lastIndexOf('~'))}`;
    alternatives.add(alternative);
    return name;
  };
}

const alternativeOf = (name: string): string | undefined =>
  name.includes('~') ? name.slice(0, name.lastIndexOf('~')) : undefined;

/** On the way, within seconds: counted over all, but not by provider, so that the items stay small. */
const PASSING = new Set(['ready', 'claimed']);

/** What is never taken back of a message. */
const FINAL = new Set(['clicked', 'unsubscribed', 'complained']);

/**
 * Under which names a message is counted: `made`, its state, and what the person did with it; over all, and as
 * `<provider>.<name>` once the provider is known. What a success is worth is a sum in minor units. Of a message with
 * alternatives what cannot be undone is counted as `<key>~<variant>~<name>` too, and so is its arm: the place of a
 * message that was not sent is a `ghost`, and what its person did a `ghost-converted`.
 */
function countedAs(message: Message): [string, number][] {
  const { provider, variant, state, key, email } = message;
  const names = [reportedState(message)];
  if (message.openedAt !== undefined) names.push('opened');
  if (message.clickedAt !== undefined) names.push('clicked');
  if (message.unsubscribedAt !== undefined) names.push('unsubscribed');
  const of = provider === undefined ? [] : names.filter((name) => !PASSING.has(name));
  const counted = [...names, ...of.map((name) => `${provider}.${name}`)].map((name): [string, number] => [name, 1]);
  if (state !== 'ghost') counted.push(['made', 1]);
  counted.push(...convertedAs(message));
  if (variant === undefined) return counted;
  const final: string[] = names.filter((name) => FINAL.has(name));
  if (state === 'sent' || state === 'ghost') final.push(state);
  const own = [...final.map((name): [string, number] => [name, 1]), ...convertedAs(message)];
  return [...counted, ...own.map(([name, amount]): [string, number] => [`${key ?? email}~${variant}~${name}`, amount])];
}

function convertedAs({ state, conversion }: Message): [string, number][] {
  if (conversion === undefined) return [];
  const arm = state === 'ghost' ? 'ghost-' : '';
  return [
    [`${arm}converted`, 1],
    [`${arm}value`, conversion.value ?? 0],
  ];
}

/** What a test is decided by: of each alternative those that went out, and how many of their people clicked or converted. */
function triedAs({ variant, state, clickedAt, conversion }: Message): [string, number][] {
  if (state !== 'sent') return [];
  const names = ['sent'];
  if (clickedAt !== undefined) names.push('clicked');
  if (conversion !== undefined) names.push('converted');
  return names.map((name) => [`${variant}~${name}`, 1]);
}

/** When the first message of the test was planned for. */
function testNotes({ first }: Record<string, unknown>, changes: { is: Message }[]): Record<string, unknown> {
  const instants = changes.map(({ is }) => is.plannedAt);
  const earliest = Math.min(...instants, typeof first === 'number' ? first : Number.POSITIVE_INFINITY);
  return { first: earliest, ttl: keptUntil(Math.max(...instants)) };
}

/** Notes that there is such a test, so that whoever decides finds it without looking at all campaigns. */
async function list(test: string, shard: string, plannedAt: number, table: Table): Promise<void> {
  if ((await table.readOne(key.test(test, shard))) !== undefined) return;
  await table.create({ ...key.testEntry(test), shape: 1, ttl: keptUntil(plannedAt) });
}

const keptUntil = (at: number): number => Math.floor(at / 1000) + KEPT_DAYS * DAY_SECONDS;
