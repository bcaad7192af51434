// A shop's sending in the simulation: the real hand-off, walks, senders, receivers and guards over a real table.

import { isTerminal, type Message, type MessageState } from '../../domain/message.ts';
import { BookStore } from '../../functions/aws/book-store.ts';
import { keepBudgets, rebase } from '../../functions/aws/budgets.ts';
import type { Bus } from '../../functions/aws/bus.ts';
import { pause, resume, start, stop } from '../../functions/aws/controls.ts';
import type { Log } from '../../functions/aws/handler.ts';
import { Mailer } from '../../functions/aws/mailer.ts';
import { readModels } from '../../functions/aws/model-store.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { Recorder } from '../../functions/aws/recorder.ts';
import { Sender } from '../../functions/aws/sender.ts';
import { UNPUBLISHED } from '../../functions/aws/shop-store.ts';
import { contactItem, type Item, messageItem, Table } from '../../functions/aws/table.ts';
import { decideTests } from '../../functions/aws/variant-tests.ts';
import { guardSending } from '../../functions/guard-sending.ts';
import { handOff } from '../../functions/hand-off.ts';
import { receiveFeedback } from '../../functions/receive-feedback.ts';
import { runTimers } from '../../functions/run-timers.ts';
import { sendMessages } from '../../functions/send-message.ts';
import { walkDueShards } from '../../functions/walk-due.ts';
import { writeLake } from '../../functions/write-lake.ts';
import type { StreamRecord } from '../../local/streams.ts';
import { nested, SeededTrouble, type Step } from '../functions/faults.ts';
import { MemoryBucket, publish } from '../functions/fixtures.ts';
import type { Engine } from './engine.ts';
import { type Latency, Process, Simulation } from './simulation.ts';
import { bookOf, type Campaign, messageOf, personOf } from './simulation-people.ts';
import { type Chances, queueClient, SimulatedFunction, SimulatedQueue } from './simulation-queues.ts';
import { type Account, type Fortunes, type SesChances, SimulatedSes } from './simulation-ses.ts';
import { Follower, SimulatedStream } from './simulation-stream.ts';
import { attributeOf, EngineLine, lightClient, plainsOf } from './simulation-table.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
/** A Monday, 12:00 in Berlin. */
export const START = Date.UTC(2026, 2, 2, 11);

const TABLE: Latency = { there: [0.5, 2], back: [1, 5], slow: 0.002, tail: [30, 400] };
const urls = { triggered: 'triggered', bulk: 'bulk', timers: 'timers', feedback: 'feedback' };
const DEAD = 'dead';
const POLLED_EACH = 250;

type Lane = Message['lane'];
export interface ShopOptions {
  seed: number;
  engine: Engine;
  campaigns: Record<string, Campaign>;
  /** The stage's own ceiling, messages a second. */
  sendRate: number;
  shards: number;
  /** Senders at a time, of each lane; five unless said. */
  workers?: number;
  account: Account;
  /** The greatest number of milliseconds by which a worker's clock is wrong. */
  skew: number;
  chances: Chances & {
    /** Of calls of the table. */
    table: number;
    /** Of batches of the stream: they come late, or once more. */
    streamLate: number;
    streamTwice: number;
    /** Of minutes: run-timers is not called, or called twice. */
    minuteMissed: number;
    minuteTwice: number;
  };
  ses: SesChances;
  fortunes: (campaign: string, provider: string) => Fortunes;
  /** Whether the histories of messages are kept. */
  keepsHistories?: boolean;
}

/** A time in which something must not be sent. */
export interface Held {
  what: 'everything' | 'bulk' | { campaign: string };
  from: number;
  /** Milliseconds within which the last ones may go. */
  grace: number;
  until: number;
}

interface Known {
  campaign: string;
  lane: Lane;
  createdAt: number;
  state: MessageState;
  reason?: string;
  firstAccepted?: number;
}

const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} };

/** All functions of the path from the table to SES and back, in the numbers in which the stack runs them. */
export class SimulatedShop {
  readonly simulation: Simulation;
  readonly ses: SimulatedSes;
  readonly trouble: SeededTrouble;
  readonly options: ShopOptions;
  readonly line: EngineLine;
  readonly messages = new Map<string, Known>();
  readonly held: Held[] = [];
  readonly queues: Record<keyof typeof urls, SimulatedQueue>;
  readonly functions: Record<string, SimulatedFunction<never, unknown>> = {};
  readonly deadLetters: string[] = [];
  readonly log: Record<string, number> = {};
  readonly bucket = new MemoryBucket();
  /** Mails of what was held at that moment: within its grace, and later. */
  readonly sentWhileHeld = { inGrace: 0, later: [] as string[] };
  /** Messages that are not at their end yet. */
  open = 0;
  made = 0;
  #tableName = '';
  readonly #histories = new Map<string, string[]>();
  readonly #orders: { campaign: string; contact: number }[] = [];
  readonly #operator: Process;
  #controls = '';
  readonly #stream: SimulatedStream;
  #contacts = 0;
  #written = 0;

  constructor(options: ShopOptions) {
    const { seed, chances } = options;
    this.options = options;
    const simulation = new Simulation(seed, START);
    this.simulation = simulation;
    this.trouble = new SeededTrouble(seed);
    this.trouble.share.table = chances.table;
    this.line = new EngineLine(options.engine.endpoint);
    this.ses = new SimulatedSes(simulation, {
      account: options.account,
      chances: options.ses,
      fortunes: options.fortunes,
      deliver: (body) => this.queues.feedback.put(body),
    });
    this.ses.note = (message, what) => this.#note(message, what);
    this.ses.accepted = (_mail, campaign, message) => this.#accepted(campaign, message);
    this.#operator = new Process(simulation, 0);

    const sender = this.#function('send-message', 60, (process) => {
      const parts = this.#parts(process);
      const core = new Sender({
        ...parts,
        mailer: new Mailer('kairos', this.ses.client(process)),
        secrets: async () => ({ keys: { current: 'k1', keys: { k1: 'a secret of the tests' } }, sources: {} }),
        sleep: process.sleep,
        publicBaseUrl: 'https://mail.shop.example',
        deadLetters: DEAD,
        rate: options.sendRate,
      });
      return (event) => sendMessages(event as never, core);
    });
    const walker = this.#function('walk-due', 60, (process) => {
      const parts = this.#parts(process);
      // Nothing here tells others.
      const bus = { refusedOf: async () => [] } as unknown as Bus;
      return (event) => walkDueShards(event as never, { ...parts, bus, rate: options.sendRate, urls });
    });
    const receiver = this.#function('receive-feedback', 30, (process) => {
      const parts = this.#parts(process);
      return (event) => receiveFeedback(event as never, { ...parts, deadLetters: DEAD });
    });
    const queue = (fn: typeof sender, seconds: number, mapping: { batch: number; most: number; window?: number }) =>
      new SimulatedQueue(simulation, { ...mapping, visibility: seconds * 6 * SECOND }, fn, chances);
    const handing = this.#function('hand-off', 30, (process) => {
      const { queue, now } = this.#parts(process);
      return async (event: object) => {
        await handOff(event as never, { queue, now, urls });
        return true;
      };
    });
    const nowhere = { get: async () => undefined, put: async () => {} };
    const lake = this.#function('write-lake', 120, (process) => {
      const { table } = this.#parts(process);
      return (event: object) =>
        writeLake(event as never, { table, bucket: nowhere, shop: { current: async () => UNPUBLISHED } });
    });
    const isMessage = (record: StreamRecord): boolean => record.dynamodb.Keys.sk?.S?.startsWith('MESSAGE#') === true;
    const disturbed = { late: chances.streamLate, lateBy: 20 * SECOND, twice: chances.streamTwice };
    this.#stream = new SimulatedStream(simulation, this.line, [
      new Follower(simulation, handing, {
        ...disturbed,
        wants: (record) => record.eventName === 'INSERT' && isMessage(record),
        batch: 100,
        every: 0,
      }),
      new Follower(simulation, lake, { ...disturbed, wants: isMessage, batch: 5000, every: MINUTE }),
    ]);
    this.queues = {
      triggered: queue(sender, 60, { batch: 10, most: options.workers ?? 5 }),
      bulk: queue(sender, 60, { batch: 10, most: options.workers ?? 5 }),
      timers: queue(walker, 60, { batch: 1, most: 10 }),
      feedback: queue(receiver, 30, { batch: 50, window: 2 * SECOND, most: 10 }),
    };
  }

  /** Makes the table, publishes the book, and starts what runs by itself. */
  async start(): Promise<void> {
    const { simulation, options } = this;
    this.#tableName = await options.engine.createTable();
    const client = lightClient(this.line, nested());
    await publish(new Table(client, this.#tableName, options.shards), this.bucket, bookOf(options.campaigns));
    await this.#stream.open(this.#tableName);
    const ceiling = { sendRate: options.sendRate, share: 1 };
    const timers = this.#function('run-timers', 30, (process) => {
      const { table, queue, log, now } = this.#parts(process);
      const of = (url: string) => process.call(TABLE, async () => this.queues[url as keyof typeof urls].waiting);
      const looking = { depths: { of }, urls, ceiling };
      return () => runTimers({ table, queue, now, log, holder: `${simulation.draw()}`, timers: 'timers', looking });
    });
    const guard = this.#function('guard-sending', 60, (process) => {
      const { table, books, log, now } = this.#parts(process);
      const bus = { put: (events: unknown[]) => process.call(TABLE, async () => this.#hear(events)) } as unknown as Bus;
      return () =>
        guardSending({ table, books, bus, ses: this.ses.client(process), now, log, keepBudgets, decideTests });
    });
    for (const fn of [timers, guard]) {
      const eachMinute = (): void => {
        simulation.after(MINUTE, eachMinute);
        const { minuteMissed, minuteTwice } = options.chances;
        if (simulation.chance(minuteMissed)) return;
        void fn.invoke(undefined);
        if (simulation.chance(minuteTwice)) void fn.invoke(undefined);
      };
      simulation.after(simulation.draw() * MINUTE, eachMinute);
    }
    const poll = async (): Promise<void> => {
      simulation.after(POLLED_EACH, poll);
      await this.#write();
      await this.#stream.poll();
    };
    simulation.after(POLLED_EACH, poll);
  }

  #hear(events: unknown[]): number {
    for (const event of events as { detailType: string }[]) this.#count(event.detailType);
    return 0;
  }

  close(): void {
    this.line.close();
  }

  // ---- what arrives ----

  /** One message of a campaign, of somebody new, or of somebody who has had one already. */
  order(campaign: string): void {
    const again = this.#contacts > 100 && this.simulation.chance(0.05);
    const contact = again ? Math.floor(this.simulation.draw() * this.#contacts) : this.#contacts++;
    this.#orders.push({ campaign, contact });
  }

  /** Messages of a campaign, so many a second on average, between two instants. */
  stream(campaign: string, perSecond: number, from: number, until: number): void {
    const { simulation } = this;
    const next = (): void => {
      if (simulation.now >= until) return;
      this.order(campaign);
      simulation.after(simulation.exponential(SECOND / perSecond), next);
    };
    simulation.at(from, next);
  }

  // ---- what an operator does ----

  operate = {
    stop: () => stop(this.#operatorTable(), { by: 'operator', at: Math.floor(this.simulation.now), why: 'a soak' }),
    start: () => start(this.#operatorTable(), { by: 'operator', at: Math.floor(this.simulation.now), why: 'a soak' }),
    pause: (campaign: string) =>
      pause(this.#operatorTable(), campaign, { by: 'operator', at: Math.floor(this.simulation.now), why: 'a soak' }),
    resume: (campaign: string) =>
      resume(this.#operatorTable(), campaign, { by: 'operator', at: Math.floor(this.simulation.now), why: 'a soak' }),
    /** Lets a campaign go on that its budget has paused: what it has done so far counts no more. */
    forgive: async (campaign: string) => {
      await rebase(this.#operatorTable(), campaign, Math.floor(this.simulation.now));
      await this.operate.resume(campaign);
    },
  };

  #operatorTable(): Table {
    const step: Step = (_command, _input, go) => this.#operator.call(TABLE, go);
    return new Table(lightClient(this.line, nested(step, this.#watch)), this.#tableName, this.options.shards);
  }

  // ---- the parts of a process ----

  #function<Event, Answer>(
    name: string,
    seconds: number,
    start: (process: Process) => (event: Event) => Promise<Answer>,
  ): SimulatedFunction<Event, Answer> {
    const { simulation } = this;
    const { skew, chances } = this.options;
    const made = new SimulatedFunction<Event, Answer>(simulation, name, {
      timeout: seconds * SECOND,
      chances,
      skew: () => (simulation.draw() * 2 - 1) * skew,
      start,
    });
    this.functions[name] = made as never;
    return made;
  }

  #parts(process: Process) {
    const { simulation, options, bucket } = this;
    const across: Step = (_command, _input, go) => process.call(TABLE, go);
    const client = lightClient(this.line, nested(this.trouble.table, across, this.#watch));
    const table = new Table(client, this.#tableName, options.shards);
    const log = this.#log;
    const books = new BookStore({ table, bucket, now: process.now, log: silentLog, models: readModels });
    const recorder = new Recorder({ table, books, now: process.now, newId: () => `new-${simulation.draw()}` });
    const taken = { ...this.queues, [DEAD]: { put: (body: string) => void this.deadLetters.push(body) } };
    const queue = new Queue(queueClient(process, taken, simulation, options.chances));
    return { table, books, recorder, queue, log, now: process.now };
  }

  readonly #log: Log = {
    info: (name) => this.#count(name),
    warn: (name) => this.#count(name),
    error: (name) => this.#count(name),
  };

  #count(name: string): void {
    this.log[name] = (this.log[name] ?? 0) + 1;
  }

  // ---- watching ----

  /** Sees what the table takes at the instant at which it does. */
  readonly #watch: Step = async (_command, input, go) => {
    const answer = await go();
    if (input.Item !== undefined) this.#seen(input.Item as Item);
    for (const { Put, Update } of (input.TransactItems ?? []) as { Put?: { Item: Item }; Update?: { Key: Item } }[]) {
      if (Put !== undefined) this.#seen(Put.Item);
      if (Update?.Key.pk === 'BOOK#CONTROLS') await this.#seeControls();
    }
    if ((input.Key as Item | undefined)?.pk === 'BOOK#CONTROLS') await this.#seeControls();
    return answer;
  };

  #seen(item: Item): void {
    if (!item.sk.startsWith('MESSAGE#')) return;
    const id = item.sk.slice('MESSAGE#'.length);
    const known = this.messages.get(id);
    const state = item.state as MessageState;
    if (known === undefined) return;
    if (isTerminal(known.state) !== isTerminal(state)) this.open += isTerminal(state) ? -1 : 1;
    known.state = state;
    const last = this.ses.attemptsOf(id).at(-1);
    if (state === 'sent' && last !== undefined) last.settled = true;
    if (item.reason !== undefined) known.reason = item.reason as string;
    if (this.options.keepsHistories !== false) {
      const due = item.dueAt === undefined ? '' : `, due ${clock(item.dueAt as number)}`;
      const delivery = item.delivery === undefined ? '' : ` ${item.delivery as string}`;
      this.#note(id, `${state}${delivery}${due}${item.reason === undefined ? '' : `: ${item.reason as string}`}`);
    }
  }

  async #seeControls(): Promise<void> {
    const answer = await this.line.call('GetItem', {
      TableName: this.#tableName,
      Key: { pk: { S: 'BOOK#CONTROLS' }, sk: { S: 'CONTROLS' } },
      ConsistentRead: true,
    });
    const { stopped, paused = {} } = plainsOf((answer.Item ?? {}) as Record<string, unknown>);
    const now = [...(stopped === undefined ? [] : ['everything']), ...Object.keys(paused as object).sort()];
    if (now.join() === this.#controls) return;
    const before = new Set(this.#controls === '' ? [] : this.#controls.split(','));
    this.#controls = now.join();
    for (const what of now) if (!before.has(what)) this.hold(what === 'everything' ? what : { campaign: what });
    for (const what of before) if (!now.includes(what)) this.release(what === 'everything' ? what : { campaign: what });
  }

  /** From now on, with a grace, nothing of it may be sent. */
  hold(what: Held['what'], grace = 10 * SECOND): void {
    this.held.push({ what, from: this.simulation.now, grace, until: Number.POSITIVE_INFINITY });
  }

  release(what: Held['what']): void {
    for (const each of this.held) {
      if (sayHeld(each.what) === sayHeld(what) && each.until > this.simulation.now) each.until = this.simulation.now;
    }
  }

  #accepted(campaign: string, message: string): void {
    const { now } = this.simulation;
    const known = this.messages.get(message);
    if (known === undefined) return;
    known.firstAccepted ??= now;
    const second = this.ses.bySecond.get(Math.floor(now / SECOND));
    if (second !== undefined && known.lane === 'bulk') second.bulk++;
    for (const { what, from, grace, until } of this.held) {
      if (now < from || now >= until) continue;
      if (what === 'bulk' ? known.lane !== 'bulk' : what !== 'everything' && what.campaign !== campaign) continue;
      if (now <= from + grace) this.sentWhileHeld.inGrace++;
      else
        this.sentWhileHeld.later.push(
          `${message} ${((now - from) / SECOND).toFixed(1)} s after ${sayHeld(what)} was held`,
        );
    }
  }

  #note(message: string, what: string): void {
    if (this.options.keepsHistories === false) return;
    const history = this.#histories.get(message);
    const line = `${clock(this.simulation.now)} ${what}`;
    if (history === undefined) this.#histories.set(message, [line]);
    else history.push(line);
  }

  /** What happened to a message, a line each. */
  historyOf(message: string): string[] {
    const known = this.messages.get(message);
    return [`${message} ${known?.campaign} ${known?.lane}`, ...(this.#histories.get(message) ?? [])];
  }

  // ---- what was ordered ----

  /** Puts what was ordered since to the table, as the recorder would: contact and message in one transaction. */
  async #write(): Promise<void> {
    for (let orders = this.#orders.splice(0, 45); orders.length > 0; orders = this.#orders.splice(0, 45)) {
      const seen = new Set<number>();
      const TransactItems = orders.flatMap(({ campaign, contact }) => {
        const items = this.#itemsOf(campaign, contact, seen.has(contact));
        seen.add(contact);
        return items.map((Item) => ({ Put: { TableName: this.#tableName, Item: attributeOf(Item).M } }));
      });
      await this.line.call('TransactWriteItems', { TransactItems });
    }
  }

  #itemsOf(campaign: string, number: number, known: boolean): Item[] {
    const { shards, campaigns } = this.options;
    const about = campaigns[campaign] as Campaign;
    const now = Math.floor(this.simulation.now);
    const id = `m${this.made++}`;
    const message = messageOf(id, number, campaign, about, now);
    const { lane } = about;
    this.messages.set(id, { campaign, lane, createdAt: now, state: 'ready' });
    this.open++;
    this.#note(id, `made for ${message.contact}`);
    const items = [messageItem(message, shards)];
    if (number === this.#written && !known) {
      this.#written++;
      items.push(contactItem(personOf(number, now), 1, shards));
    }
    return items;
  }
}

export const sayHeld = (what: Held['what']): string => (typeof what === 'string' ? what : what.campaign);

/** Since the start: hours, minutes, seconds and thousandths. */
export function clock(instant: number): string {
  const since = instant - START;
  const part = (length: number, most: number): string => String(Math.floor(since / length) % most).padStart(2, '0');
  return `${Math.floor(since / HOUR)}:${part(MINUTE, 60)}:${part(SECOND, 60)}.${String(Math.floor(since % SECOND)).padStart(3, '0')}`;
}
