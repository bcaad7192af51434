// The models of value: fitting them to a shop and asking them of a customer, beside Python's lifetimes. Each part is a
// function of its own.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Customer, dayOfDate } from '../domain/insight/customer.ts';
import { lifetimeOf } from '../domain/insight/lifetime.ts';
import type { Models, PurchaseModel } from '../domain/insight/models.ts';
import { alive, expectedOrders } from '../domain/insight/predict.ts';
import { fitPurchases, type PurchaseRows, purchaseRows } from '../domain/insight/purchases.ts';
import { fitSpend, spendRows } from '../domain/insight/spend.ts';
import { machine } from './cpu.ts';
import { cdnowOrders, customersAt, hasCdnow, simulatedRows } from './insight-shops.ts';
import { measureSql, type SqlBench, saySql } from './insight-sql.ts';

/** A Python that has lifetimes 0.11.3: `python3 -m venv DIR && DIR/bin/pip install lifetimes==0.11.3`. */
const PYTHON = process.env.KAIROS_LIFETIMES ?? '/tmp/kairos-lifetimes/bin/python';
const BUYING = { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
const HISTORY = 730;
const ROUNDS = 9;

/** Milliseconds of processor time of one fit to rows in columns, collapsing and checks included. */
export interface FitFigures {
  customers: number;
  source: string;
  firstMs: number;
  ms: number;
  iterations: number;
  /** The same by lifetimes, once. */
  peerMs?: number;
  ratio?: number;
  /** The greatest relative difference of a parameter from the peer's. */
  apart?: number;
}

/** Microseconds of processor time per customer. */
export interface PredictFigures {
  customers: number;
  alive: number;
  orders90: number;
  orders365: number;
  /** All that `lifetimeOf` answers, two horizons of orders among it. */
  lifetime: number;
  /** Orders in 365 days of people on the day of their first order, where the series is longest. */
  newcomers365: number;
  /** Orders in 365 days by lifetimes, all customers in one vector. */
  peerOrders365?: number;
  ratio?: number;
}

export interface InsightFigures {
  machine: string;
  fits: FitFigures[];
  spendMs: number;
  predict: PredictFigures;
  /** All SQL over a million order lines. */
  sql: SqlBench;
  rounds: number;
}

/** Runs every part. */
export async function measureInsight(): Promise<InsightFigures> {
  if (!existsSync(PYTHON)) {
    console.warn(
      `SKIPPED: no peer. ${PYTHON} is missing: python3 -m venv DIR && DIR/bin/pip install lifetimes==0.11.3, then KAIROS_LIFETIMES=DIR/bin/python`,
    );
  }
  const shop = customersOfShop();
  const { customers, today, source } = shop;
  const ours = measureFit(purchaseRows(customers, today), source);
  const million = measureFit(simulatedRows(1_000_000, BUYING, HISTORY, 7), 'simulated');
  const spending = spendRows(customers, today, 100);
  const [spendMs] = timed(() => fitSpend(spending));
  const predict = measurePredict(customers, today, ours.peerPredictMicros);
  return {
    machine: machine('no engine'),
    fits: [ours.figures, million.figures],
    spendMs: rounded(spendMs),
    predict,
    sql: await measureSql(),
    rounds: ROUNDS,
  };
}

/** CDNOW's 23,570 customers at the end of June 1998; as many simulated ones where the file is missing. */
function customersOfShop(): { customers: Customer[]; today: number; source: string } {
  if (hasCdnow()) {
    const today = dayOfDate('1998-06-30');
    return { customers: customersAt(cdnowOrders('CDNOW_master.txt'), today), today, source: 'CDNOW' };
  }
  console.warn('SKIPPED: CDNOW is missing, its customers are simulated');
  const rows = simulatedRows(23_570, BUYING, HISTORY, 3);
  const customers = Array.from(rows.x, (x, i) => {
    const first = HISTORY - (rows.T[i] ?? 0);
    const revenue = 3_000 * (x + 1) + (i % 997);
    return {
      days: x + 1,
      first,
      last: first + (rows.tx[i] ?? 0),
      orders: x + 1,
      revenue,
      firstRevenue: 3_000,
      margin: 0,
      valued: 0,
    };
  });
  return { customers, today: HISTORY, source: 'simulated' };
}

/** One shop, fitted; and by the peer, once, where there is one. */
function measureFit(rows: PurchaseRows, source: string): { figures: FitFigures; peerPredictMicros?: number } {
  const customers = rows.x.length;
  const [ms, firstMs, found] = timed(() => fitPurchases(rows));
  if (found.kind === 'missing') throw new Error(found.says);
  const figures: FitFigures = {
    customers,
    source,
    firstMs: rounded(firstMs),
    ms: rounded(ms),
    iterations: found.iterations,
  };
  const peer = askPeer(rows);
  if (peer === undefined) return { figures };
  const apart = Object.entries(peer.parameters).map(([name, value]) =>
    Math.abs((found.model[name as 'r' | 'alpha' | 'a' | 'b'] ?? 0) / value - 1),
  );
  return {
    figures: { ...figures, peerMs: rounded(peer.fitMs), ratio: rounded(peer.fitMs / ms), apart: Math.max(...apart) },
    peerPredictMicros: peer.predictMicros,
  };
}

function measurePredict(customers: Customer[], today: number, peer: number | undefined): PredictFigures {
  const [bought, spent] = [fitPurchases(purchaseRows(customers, today)), fitSpend(spendRows(customers, today, 100))];
  if (bought.kind === 'missing' || spent.kind === 'missing') throw new Error('nothing was fitted');
  const models: Models = {
    shape: 1,
    at: 0,
    today,
    currency: 'USD',
    customers: customers.length,
    orders: 0,
    purchases: { ...bought.model, asOf: today },
    spend: { ...spent.model, asOf: today },
    margin: { share: 0.3, asOf: today },
    notes: [],
  };
  const model: PurchaseModel = bought.model;
  const each = (of: (customer: Customer) => number): number => {
    // What comes of it is looked at: else nothing would be worked out.
    const [ms] = timed(() => {
      let sum = 0;
      for (const customer of customers) sum += of(customer);
      if (!Number.isFinite(sum)) throw new Error('a prediction is not a number');
    });
    return rounded((1000 * ms) / customers.length);
  };
  const newcomers = customers.map((customer) => ({ ...customer, days: 1, last: customer.first }));
  const figures: PredictFigures = {
    customers: customers.length,
    alive: each((customer) => alive(model, customer, today)),
    orders90: each((customer) => expectedOrders(model, customer, today, 90)),
    orders365: each((customer) => expectedOrders(model, customer, today, 365)),
    lifetime: each((customer) => lifetimeOf(models, customer, today).lifetime ?? 0),
    newcomers365: 0,
  };
  const [ms] = timed(() => newcomers.reduce((sum, one) => sum + expectedOrders(model, one, one.first, 365), 0));
  figures.newcomers365 = rounded((1000 * ms) / newcomers.length);
  if (peer !== undefined) {
    figures.peerOrders365 = rounded(peer);
    figures.ratio = rounded(peer / figures.orders365);
  }
  return figures;
}

interface Peer {
  fitMs: number;
  predictMicros: number;
  parameters: Record<string, number>;
}

/** lifetimes on the same rows, on one thread; its processor time does not hold its start or the reading. */
function askPeer(rows: PurchaseRows): Peer | undefined {
  if (!existsSync(PYTHON)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'kairos-insight-'));
  try {
    const file = join(folder, 'rows.csv');
    const lines = Array.from(rows.x, (x, i) => `${x},${(rows.tx[i] ?? 0) / 7},${(rows.T[i] ?? 0) / 7}`);
    writeFileSync(file, lines.join('\n'));
    const script = resolve(import.meta.dirname, 'insight-peer.py');
    const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };
    const { status, stdout, stderr } = spawnSync(PYTHON, [script, file], { encoding: 'utf8', env });
    if (status !== 0) throw new Error(`the peer failed: ${stderr.slice(-400)}`);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Peer;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Milliseconds of processor time of this process: the median over the rounds, that of the first call before them, and its answer. */
function timed<A>(work: () => A): [median: number, first: number, answer: A] {
  const once = (): [number, A] => {
    const before = process.cpuUsage();
    const answer = work();
    const { user, system } = process.cpuUsage(before);
    return [(user + system) / 1000, answer];
  };
  const [first, answer] = once();
  const times = Array.from({ length: ROUNDS }, () => once()[0]).sort((one, other) => one - other);
  return [times[ROUNDS >> 1] ?? 0, first, answer];
}

const rounded = (value: number): number => Number(value.toPrecision(3));

/** The figures as lines to read. */
export function sayInsight({ machine: on, fits, spendMs, predict, sql, rounds }: InsightFigures): string {
  const peer = (ratio: number | undefined, said: string): string =>
    ratio === undefined ? 'no peer' : `lifetimes ${said}, ${ratio} times as long`;
  return [
    `${on}; processor time, median of ${rounds} rounds`,
    ...fits.map(
      ({ customers, source, firstMs, ms, iterations, peerMs, ratio, apart }) =>
        `fit of ${customers} customers (${source}): ${ms} ms, the first time ${firstMs} ms, ${iterations} steps; ${peer(ratio, `${peerMs} ms`)}${
          apart === undefined ? '' : `, parameters apart by ${apart.toExponential(0)}`
        }`,
    ),
    `fit of what they spend: ${spendMs} ms`,
    `a customer of ${predict.customers}: alive ${predict.alive} µs, orders in 90 days ${predict.orders90} µs, in 365 days ${predict.orders365} µs (new that day ${predict.newcomers365} µs), all of it ${predict.lifetime} µs; ${peer(predict.ratio, `${predict.peerOrders365} µs for the orders in 365 days`)}`,
    saySql(sql),
  ].join('\n');
}
