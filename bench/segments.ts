// All rules answered at once, beside other engines: who is in which segment, who enters and who leaves.

import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { changes, RuleIndex } from '../domain/rule-index.ts';
import type { Column, Found, Node, Sight } from '../domain/rule-node.ts';
import { type Compiled, compileFor, type Document, PEERS, type Peer, Translation } from './peers.ts';
import { compileRules, drawContacts, drawRules, ruleContext, type State } from './segment-rules.ts';

const SIZES = [10, 100, 1_000, 10_000];
const CONTACTS = 50;
const ROUNDS = 7;
/** Milliseconds that each engine has in a round; it always ends its pass over the contacts. */
const SLICE = 60;
/** Cold compiles, each in a thread of its own: the least is told, for what else runs only adds. */
const COLD_RUNS = 3;
/** json-rules-engine takes half a second for a contact and 10,000 rules: there it has the first contacts only. */
const CHECKED_SLOWLY = 3;

export interface SegmentFigures {
  rules: number;
  /**
   * Microseconds of processor time to answer all rules for one contact and to list who entered and left: the median over
   * the rounds. Every engine is given what was found of the contact before: the peers a flat document, ours its columns.
   */
  ours: number;
  peers: Record<Peer, number>;
  ratioBestPeer: number;
  ratioJsonRulesEngine: number;
  /** Ours with the reading of the contact, counters tallied: what it takes in use. */
  oursFromContact: number;
  /** `oursFromContact` against the best peer, which is spared the reading. */
  ratioFromContact: number;
  /** Columns that the rules read. */
  columns: number;
  /** Cold, in a thread of its own: rules parsed already → closures, columns and index. */
  compileMs: number;
  /** Of these, until all rules are closures over columns; the rest is the index. */
  rulesMs: number;
  /** What compiled rules and index hold, the rows of the whole workload included. */
  bytes: number;
  rowBytes: number;
  contacts: number;
  rounds: number;
}

interface Case {
  state: State;
  before: Uint32Array;
  given: Given;
  givenBefore: Uint32Array;
  document: Document;
  documentBefore: Document;
}

/** Runs every size. Throws where an engine disagrees with another on a match, an entry or a leaving. */
export async function measureSegments(): Promise<SegmentFigures[]> {
  const figures: SegmentFigures[] = [];
  for (const size of SIZES) {
    const cold: Cold[] = [];
    for (let run = 0; run < COLD_RUNS; run++) cold.push(await compileCold(size));
    figures.push({ ...(await measureSize(size)), ...least(cold) });
  }
  return figures;
}

async function measureSize(size: number): Promise<Omit<SegmentFigures, keyof Cold>> {
  const rules = drawRules(size);
  const context = ruleContext();
  const compiled = compileRules(rules, context);
  const index = new RuleIndex(compiled);
  const columns = new Map<string, Column>();
  const givenIndex = new RuleIndex(compiled.map(({ id, node }) => ({ id, node: readingGiven(node, columns) })));
  const translation = new Translation(rules);
  const cases = drawContacts(CONTACTS, context.counters.values()).map(
    ({ before, after }): Case => ({
      state: after,
      given: findings(after, columns),
      givenBefore: givenIndex.answer(findings(before, columns)).bits.slice(),
      before: index.answer(before.sight).bits.slice(),
      document: translation.documentOf(after),
      documentBefore: translation.documentOf(before),
    }),
  );
  const engines = new Map(PEERS.map((peer) => [peer, peerOf(compileFor(peer, translation.rules), size)]));
  for (const [peer, engine] of engines) {
    const checked = peer === 'json-rules-engine' && size >= 1_000 ? cases.slice(0, CHECKED_SLOWLY) : cases;
    for (const [i, one] of checked.entries()) await agree(peer, engine, index, rules, one, `contact ${i}`);
  }
  const times = new Map<string, number[]>([
    ['from contact', []],
    ['given', []],
    ...PEERS.map((peer): [string, number[]] => [peer, []]),
  ]);
  for (let round = 0; round <= ROUNDS; round++) {
    const ours = (one: Case): void => {
      const { bits } = index.answer(one.state.sight);
      changes(one.before, bits);
    };
    const oursGiven = (one: Case): void => {
      const { bits } = givenIndex.answer(one.given);
      changes(one.givenBefore, bits);
    };
    // The first round warms up.
    const note = (name: string, time: number): unknown => round > 0 && times.get(name)?.push(time);
    note('from contact', timed(cases, ours));
    note('given', timed(cases, oursGiven));
    for (const [peer, { run }] of engines) {
      if (peer !== 'json-rules-engine') note(peer, timed(cases, run));
      else note(peer, await timedSlowly(size < 1_000 ? cases : cases.slice(0, CHECKED_SLOWLY), run));
    }
  }
  const peers = Object.fromEntries(PEERS.map((peer) => [peer, median(times.get(peer))])) as Record<Peer, number>;
  const fromContact = median(times.get('from contact'));
  const given = median(times.get('given'));
  return {
    rules: size,
    ours: tidy(given),
    peers: Object.fromEntries(Object.entries(peers).map(([peer, time]) => [peer, tidy(time)])) as Record<Peer, number>,
    ratioBestPeer: tidy(Math.min(...Object.values(peers)) / given),
    ratioJsonRulesEngine: tidy(peers['json-rules-engine'] / given),
    oursFromContact: tidy(fromContact),
    ratioFromContact: tidy(Math.min(...Object.values(peers)) / fromContact),
    columns: columns.size,
    contacts: CONTACTS,
    rounds: ROUNDS,
  };
}

/** A sight whose findings were read before, by column. */
interface Given extends Sight {
  findings: Found[];
}

/** The same rule over columns that find what was read before. */
function readingGiven(node: Node, columns: Map<string, Column>): Node {
  if (node.kind === 'segment') return node;
  if (node.kind === 'not') return { kind: 'not', part: readingGiven(node.part, columns) };
  if (node.kind !== 'atom') return { ...node, parts: node.parts.map((part) => readingGiven(part, columns)) };
  const { key, family } = node.atom.column;
  if (!columns.has(key)) columns.set(key, node.atom.column);
  const place = [...columns.keys()].indexOf(key);
  const column: Column = { key, family, read: (sight) => (sight as Given).findings[place] };
  return { kind: 'atom', atom: { ...node.atom, column } };
}

function findings({ sight }: State, columns: ReadonlyMap<string, Column>): Given {
  const turn = { at: Number.POSITIVE_INFINITY };
  return { ...sight, findings: [...columns.values()].map((column) => column.read(sight, turn)) };
}

interface Engine {
  run(one: Case): unknown;
  /** Rules by their place that hold after, that were entered and that were left. */
  moved: { holds: Uint8Array; entered: number[]; left: number[] };
  prepare(cases: readonly Case[]): Promise<void>;
}

/** A peer with the lists that we make too, from its own answers before. */
function peerOf(compiled: Compiled, size: number): Engine {
  const known = new Map<Case, Uint8Array>();
  const holds = new Uint8Array(size);
  const moved: Engine['moved'] = { holds, entered: [], left: [] };
  const list = (before: Uint8Array): void => {
    moved.entered = [];
    moved.left = [];
    for (let i = 0; i < size; i++) {
      if (holds[i] !== before[i]) (holds[i] === 1 ? moved.entered : moved.left).push(i);
    }
  };
  return {
    moved,
    async prepare(cases) {
      for (const one of cases) {
        await compiled.all(one.documentBefore, holds);
        known.set(one, holds.slice());
      }
    },
    run(one) {
      const before = known.get(one) ?? EMPTY;
      const done = compiled.all(one.document, holds);
      return done === undefined ? list(before) : done.then(() => list(before));
    },
  };
}
const EMPTY = new Uint8Array(0);

async function agree(
  peer: Peer,
  engine: Engine,
  index: RuleIndex,
  rules: readonly { id: string }[],
  one: Case,
  where: string,
): Promise<void> {
  await engine.prepare([one]);
  await engine.run(one);
  const answers = index.answer(one.state.sight);
  const differing = rules.filter(({ id }, i) => answers.has(id) !== (engine.moved.holds[i] === 1)).map(({ id }) => id);
  if (differing.length > 0) throw new Error(`${peer} differs on ${where}: ${differing.slice(0, 5)}`);
  const ours = changes(one.before, answers.bits);
  for (const list of ['entered', 'left'] as const) {
    const theirs = engine.moved[list].map((i) => rules[i]?.id);
    if (String(ours[list].map((i) => index.ids[i]).sort()) !== String(theirs.sort())) {
      throw new Error(`${peer} differs on ${where}: who ${list}`);
    }
  }
}

/** Processor time of this thread, in microseconds: what else runs on the machine does not count. */
function spent(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Microseconds of one run, over whole passes of the cases. */
function timed(cases: readonly Case[], run: (one: Case) => unknown): number {
  const end = performance.now() + SLICE;
  const start = spent();
  let count = 0;
  for (; count === 0 || performance.now() < end; count += cases.length) for (const one of cases) run(one);
  return (spent() - start) / count;
}

async function timedSlowly(cases: readonly Case[], run: (one: Case) => unknown): Promise<number> {
  const end = performance.now() + SLICE;
  const start = spent();
  let count = 0;
  for (; count === 0 || performance.now() < end; count += cases.length) for (const one of cases) await run(one);
  return (spent() - start) / count;
}

function median(values: number[] = []): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >>> 1] as number;
}

const tidy = (value: number): number => Number(value.toPrecision(4));

type Cold = Pick<SegmentFigures, 'compileMs' | 'rulesMs' | 'bytes' | 'rowBytes'>;

const least = (runs: Cold[]): Cold => {
  const of = (name: keyof Cold): number => Math.min(...runs.map((run) => run[name]));
  return { compileMs: of('compileMs'), rulesMs: of('rulesMs'), bytes: of('bytes'), rowBytes: of('rowBytes') };
};

/** Compiles in a fresh thread: nothing is optimised there yet, and its heap holds nothing else. */
function compileCold(size: number): Promise<Cold> {
  return new Promise((done, fail) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { size } });
    worker.once('message', done);
    worker.once('error', fail);
  });
}

if (!isMainThread && typeof workerData?.size === 'number') {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = (): number => {
    // Once is not enough: what is found dead in one collection may hold something else.
    for (let i = 0; i < 4; i++) collect();
    const { used_heap_size, external_memory } = getHeapStatistics();
    return used_heap_size + external_memory;
  };
  const rules = drawRules(workerData.size);
  const before = held();
  const start = performance.now();
  const context = ruleContext();
  const compiled = compileRules(rules, context);
  const rulesMs = tidy(performance.now() - start);
  const index = new RuleIndex(compiled);
  const compileMs = tidy(performance.now() - start);
  const after = held() - before;
  for (const one of drawContacts(CONTACTS, context.counters.values())) {
    index.answer(one.before.sight);
    index.answer(one.after.sight);
  }
  const kept: unknown[] = [rules, compiled];
  parentPort?.postMessage({ compileMs, rulesMs, bytes: after + index.rowBytes, rowBytes: index.rowBytes });
  kept.length = 0;
}

const TARGETS: Record<number, { best: number; compileMs?: number; bytes?: number; jsonRules?: number }> = {
  10: { best: 1 },
  100: { best: 2 },
  1000: { best: 40, compileMs: 40 },
  10000: { best: 80, compileMs: 300, bytes: 20e6, jsonRules: 5_000 },
};
const GROWTH = 20;

/** The figures as a table, and what falls short of its target. */
export function saySegments(figures: SegmentFigures[]): string {
  const number = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 4 });
  const head = [
    'rules',
    'ours µs',
    ...PEERS,
    '× best',
    '× json-rules',
    'from contact µs',
    '× best',
    'compile ms',
    'MB',
  ];
  const rows = figures.map((one) => [
    number(one.rules),
    number(one.ours),
    ...PEERS.map((peer) => number(one.peers[peer])),
    number(one.ratioBestPeer),
    number(one.ratioJsonRulesEngine),
    number(one.oursFromContact),
    number(one.ratioFromContact),
    number(one.compileMs),
    number(one.bytes / 1e6),
  ]);
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => (row[i] as string).length)));
  const table = [head, ...rows].map((row) => row.map((cell, i) => cell.padStart(widths[i] as number)).join('  '));
  const verdicts = figures.flatMap((one) => {
    const target = TARGETS[one.rules];
    if (target === undefined) return [];
    const asked: [string, boolean][] = [
      [`${one.rules} rules: at least ${target.best} × the best peer`, one.ratioBestPeer >= target.best],
    ];
    const { jsonRules, compileMs, bytes } = target;
    if (jsonRules !== undefined)
      asked.push([
        `${one.rules} rules: at least ${jsonRules} × json-rules-engine`,
        one.ratioJsonRulesEngine >= jsonRules,
      ]);
    if (compileMs !== undefined)
      asked.push([`${one.rules} rules: compiled in ${compileMs} ms`, one.compileMs <= compileMs]);
    if (bytes !== undefined) asked.push([`${one.rules} rules: in ${bytes / 1e6} MB`, one.bytes <= bytes]);
    return asked;
  });
  const [hundred, most] = [100, 10_000].map((size) => figures.find((one) => one.rules === size)?.ours);
  if (hundred !== undefined && most !== undefined) {
    const grown = most / hundred;
    verdicts.push([`100 → 10,000 rules: less than ${GROWTH} times as long (${number(grown)})`, grown < GROWTH]);
  }
  return [
    'Microseconds of processor time to answer all rules for a contact, entered and left included. Each engine is given what was found',
    'of the contact before. "From contact": ours with the reading, counters tallied, beside peers that are still spared it.',
    '',
    ...table,
    '',
    ...verdicts.map(([what, reached]) => `${reached ? 'reached    ' : 'NOT reached'}  ${what}`),
  ].join('\n');
}
