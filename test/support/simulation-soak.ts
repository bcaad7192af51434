// The soak: an hour of a shop's sending in which everything goes wrong that can, and what must be true of it afterwards.
import type { Engine } from './engine.ts';
import type { SesChances } from './simulation-ses.ts';
import { clock, HOUR, MINUTE, SECOND, SimulatedShop, START, sayHeld } from './simulation-shop.ts';

export interface SoakOptions {
  seed: number;
  engine: Engine;
  /** Minutes in which messages arrive at the full rate. */
  minutes: number;
  rate?: number;
  shards?: number;
  /** The greatest number of milliseconds by which a worker's clock is wrong. */
  skew?: number;
  /** For how long nothing comes from SES before everything comes at once; a third of the time unless said. */
  silence?: number;
  /** Over how long what was held back comes then, in any order; two seconds unless said. */
  flood?: number;
  /** Other shares of what befalls mails and their events. */
  chances?: Partial<SesChances>;
  /** Shown the shop when all is over. */
  watch?: (shop: SimulatedShop) => void;
}

export interface Spread {
  n: number;
  p50: number;
  p95: number;
  p99: number;
  most: number;
}

export interface Verdict {
  seed: number;
  made: number;
  /** Virtual minutes until nothing was open any more. */
  minutes: number;
  states: Record<string, number>;
  reasons: Record<string, number>;
  /** Each with its history: messages that did not come to a right end, and messages that SES took more than once. */
  lost: string[];
  twice: string[];
  /**
   * Taken twice where nothing could tell: of the first attempt neither an answer nor any event came, while `Send` events
   * of later claims did.
   */
  residue: string[];
  /** Neither an answer nor an event ever came, and nothing later proved anything: listed for a person. */
  uncertain: { taken: number; notTaken: number };
  /** Calendar seconds in which SES was called more often than allowed, and the worst. */
  overRate: { seconds: number; most: number };
  /** Seconds in which bulk took more than its share, and the worst. */
  overBulk: { seconds: number; most: number };
  sentWhileHeld: { inGrace: number; later: string[] };
  held: string[];
  /** Seconds from the message's birth until SES took it, of what was made while nothing was held or broken. */
  latency: { triggered: Spread; bulk: Spread };
  deadLetters: number;
  faults: Record<string, number>;
  log: Record<string, number>;
}

/** Shares of calls, events and invocations that something befalls all the time. */
const USUAL = {
  crash: 0.008,
  twice: 0.004,
  unanswered: 0.003,
  table: 0.0015,
  streamLate: 0.02,
  streamTwice: 0.03,
  minuteMissed: 0.06,
  minuteTwice: 0.1,
};
const USUAL_SES = {
  acceptedUnheard: 0.006,
  refusedUnheard: 0.006,
  throttled: 0.006,
  silent: 0.003,
  lost: 0.004,
  repeated: 0.06,
  late: 0.01,
};
const USUAL_FORTUNES = { bounce: 0.004, complaint: 0.0001, click: 0.03 };

/** Runs the soak to its end: messages arrive for `minutes`, and then it goes on until none is open. */
export async function soak(options: SoakOptions): Promise<Verdict> {
  const { seed, engine, minutes, rate = 14, shards = 8, skew = 3 } = options;
  const length = minutes * MINUTE;
  const usualSes: SesChances = { ...USUAL_SES, ...options.chances };
  const shop = new SimulatedShop({
    seed,
    engine,
    sendRate: rate,
    shards,
    skew,
    campaigns: {
      receipt: { kind: 'service', lane: 'triggered' },
      welcome: { kind: 'marketing', lane: 'triggered' },
      spring: { kind: 'marketing', lane: 'bulk' },
      summer: { kind: 'marketing', lane: 'bulk' },
      news: { kind: 'marketing', lane: 'bulk' },
    },
    account: { maxRate: rate, max24h: 1_000_000, sent24h: 0, enforcement: 'HEALTHY', sendingEnabled: true },
    chances: { ...USUAL },
    ses: { ...usualSes },
    fortunes: () => USUAL_FORTUNES,
  });
  const { simulation, ses } = shop;
  const disturbed: { from: number; until: number }[] = [];
  const at = (share: number): number => START + share * length;
  const during = (from: number, until: number, begin: () => unknown, end: () => unknown): void => {
    // What was parked comes back within minutes.
    disturbed.push({ from: at(from) - SECOND, until: at(until) + 6 * MINUTE });
    simulation.at(at(from), () => void begin());
    simulation.at(at(until), () => void end());
  };
  try {
    await shop.start();
    const lump = Math.round(rate * length * 0.00006);
    shop.stream('receipt', rate * 0.1, START, at(1));
    shop.stream('welcome', rate * 0.08, START, at(1));
    shop.stream('spring', rate * 0.26, START, at(1));
    shop.stream('summer', rate * 0.25, START, at(1));
    shop.stream('news', rate * 0.25, START, at(1));
    simulation.at(at(0.05), () => {
      for (let n = 0; n < lump; n++) shop.order('spring');
    });
    // A little goes on arriving, so that later claims can settle earlier ones; then silence.
    shop.stream('receipt', 0.05, at(1), at(1) + 25 * MINUTE);

    // Nothing comes from SES for a long time, and then everything at once.
    const heardAgain = at(0.08) + (options.silence ?? 0.34 * length);
    simulation.at(at(0.08), () => {
      ses.silentUntil = heardAgain;
      ses.flood = options.flood ?? 2 * SECOND;
    });
    during(
      0.2,
      0.26,
      () => {
        shop.trouble.share.table = 0.05;
      },
      () => {
        shop.trouble.share.table = USUAL.table;
      },
    );
    // Long enough to tell what was under way from what went on.
    const atLeast = (from: number, until: number): number => Math.max(until, from + (40 * SECOND) / length);
    during(0.3, atLeast(0.3, 0.36), shop.operate.stop, shop.operate.start);
    during(
      0.1,
      0.62,
      () => {
        ses.fortunes = (campaign) => (campaign === 'summer' ? { ...USUAL_FORTUNES, bounce: 0.12 } : USUAL_FORTUNES);
      },
      () => {
        ses.fortunes = () => USUAL_FORTUNES;
      },
    );
    during(
      0.45,
      atLeast(0.45, 0.55),
      () => shop.operate.pause('news'),
      () => shop.operate.resume('news'),
    );
    simulation.at(at(0.5), () => {
      shop.queues.feedback.stuckUntil = at(0.53);
    });
    during(
      0.6,
      0.66,
      () => Object.assign(ses.chances, { refusedUnheard: 0.25, acceptedUnheard: 0.05, throttled: 0.2 }),
      () => Object.assign(ses.chances, usualSes),
    );
    // The account is read once a minute, and a minute may be missed.
    const heldAfter = (from: number, until: number): void => {
      const known = at(from) + 130 * SECOND;
      if (known >= at(until)) return;
      simulation.at(known, () => shop.hold('bulk', 0));
      simulation.at(at(until), () => shop.release('bulk'));
    };
    during(
      0.67,
      0.72,
      () => {
        ses.account.max24h = Math.ceil(ses.account.sent24h / 0.8);
      },
      () => {},
    );
    heldAfter(0.67, 0.72);
    during(
      0.72,
      0.76,
      () => {
        ses.account.max24h = ses.account.sent24h;
      },
      () => {
        ses.account.max24h = 1_000_000;
      },
    );
    during(
      0.79,
      0.86,
      () => {
        ses.account.enforcement = 'PROBATION';
      },
      () => {
        ses.account.enforcement = 'HEALTHY';
      },
    );
    heldAfter(0.79, 0.86);
    during(
      0.89,
      0.93,
      () => {
        ses.account.sendingEnabled = false;
      },
      () => {
        ses.account.sendingEnabled = true;
      },
    );
    simulation.at(at(0.93) + 2 * MINUTE, () => void shop.operate.start());
    // Bounces that are heard of late may pause it late.
    for (const later of [3, 10]) {
      const lets = Math.max(at(0.95), heardAgain + later * MINUTE);
      simulation.at(lets, () => void shop.operate.forgive('summer'));
    }

    const arrived = at(1) + 25 * MINUTE;
    const isOver = (): boolean => simulation.now > arrived && shop.open === 0 && shop.queues.feedback.waiting === 0;
    await simulation.run(START + length + 9 * HOUR, isOver);
    options.watch?.(shop);
    return judge(shop, { rate, disturbed, seed });
  } finally {
    shop.close();
  }
}

export interface BurstOptions {
  seed: number;
  engine: Engine;
  lane: 'triggered' | 'bulk';
  messages: number;
  rate: number;
  shards?: number;
  /** Senders at a time; five unless said. */
  workers?: number;
  /** Milliseconds by which a worker's clock is wrong at most. */
  skew?: number;
  /** Shown the shop when all is over. */
  watch?: (shop: SimulatedShop) => void;
}

export interface Drained {
  /** Virtual seconds from the first to the last message at SES, and to the one that is the last but a hundredth. */
  seconds: number;
  secondsOf99: number;
}

/** So many messages of one lane are due at once, and nothing goes wrong. */
export async function burst(options: BurstOptions): Promise<Verdict & Drained> {
  const { seed, engine, lane, messages, rate, shards = 8, skew = 3, workers = 5 } = options;
  const shop = new SimulatedShop({
    seed,
    engine,
    sendRate: rate,
    shards,
    workers,
    skew,
    campaigns: { burst: { kind: 'marketing', lane } },
    account: { maxRate: rate, max24h: 10_000_000, sent24h: 0, enforcement: 'HEALTHY', sendingEnabled: true },
    chances: none(USUAL),
    ses: none(USUAL_SES),
    fortunes: () => none(USUAL_FORTUNES),
    keepsHistories: messages <= 10_000,
  });
  try {
    await shop.start();
    for (let n = 0; n < messages; n++) shop.order('burst');
    let last = 0;
    const isSent = (): boolean => shop.made === messages && shop.open === 0;
    await shop.simulation.run(START + 48 * HOUR, () => {
      if (last === 0 && isSent()) last = shop.simulation.now;
      return last > 0 && shop.queues.feedback.waiting === 0;
    });
    options.watch?.(shop);
    const instants = [...shop.messages.values()].flatMap(({ firstAccepted = [] }) => firstAccepted);
    instants.sort((a, b) => a - b);
    const until = (share: number): number =>
      ((instants[Math.ceil(instants.length * share) - 1] ?? 0) - (instants[0] ?? 0)) / SECOND;
    return { ...judge(shop, { rate, disturbed: [], seed }), seconds: until(1), secondsOf99: until(0.99) };
  } finally {
    shop.close();
  }
}

export interface MixtureOptions {
  seed: number;
  engine: Engine;
  minutes: number;
  rate: number;
  /** Triggered messages a second, and bulk messages that are due at the start. */
  triggered: number;
  backlog: number;
}

/** Triggered mail beside a backlog of bulk, and nothing goes wrong: how long it takes. */
export async function mixture({ seed, engine, minutes, rate, triggered, backlog }: MixtureOptions): Promise<Verdict> {
  const shop = new SimulatedShop({
    seed,
    engine,
    sendRate: rate,
    shards: 8,
    skew: 3,
    campaigns: { receipt: { kind: 'service', lane: 'triggered' }, news: { kind: 'marketing', lane: 'bulk' } },
    account: { maxRate: rate, max24h: 10_000_000, sent24h: 0, enforcement: 'HEALTHY', sendingEnabled: true },
    chances: none(USUAL),
    ses: none(USUAL_SES),
    fortunes: () => none(USUAL_FORTUNES),
  });
  try {
    await shop.start();
    for (let n = 0; n < backlog; n++) shop.order('news');
    const end = START + minutes * MINUTE;
    shop.stream('receipt', triggered, START, end);
    await shop.simulation.run(START + 9 * HOUR, () => shop.simulation.now > end && shop.open === 0);
    return judge(shop, { rate, disturbed: [], seed });
  } finally {
    shop.close();
  }
}

const none = <T extends Record<string, number>>(chances: T): T =>
  Object.fromEntries(Object.keys(chances).map((name) => [name, 0])) as T;

/** What became of every message. */
export function judge(
  shop: SimulatedShop,
  { rate, disturbed, seed }: { rate: number; disturbed: { from: number; until: number }[]; seed: number },
): Verdict {
  const { ses, messages, simulation } = shop;
  const states: Record<string, number> = {};
  const reasons: Record<string, number> = {};
  const lost: string[] = [];
  const twice: string[] = [];
  const residue: string[] = [];
  const uncertain = { taken: 0, notTaken: 0 };
  const waits = { triggered: [] as number[], bulk: [] as number[] };
  for (const [id, { state, reason, createdAt, lane, firstAccepted }] of messages) {
    states[state] = (states[state] ?? 0) + 1;
    if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
    const attempts = ses.attemptsOf(id);
    const told = attempts.some(({ news }) => news !== undefined);
    if (state === 'uncertain' && !told) uncertain[attempts.length > 0 ? 'taken' : 'notTaken']++;
    else if (
      state === 'ready' ||
      state === 'claimed' ||
      state === 'uncertain' ||
      (state === 'sent' ? attempts.length === 0 : reason === undefined || attempts.length > 0)
    ) {
      lost.push(shop.historyOf(id).join('\n  '));
    }
    if (attempts.length > 1) {
      // Nothing was ever known of an attempt, and its time to be known was over when the next was made.
      const unknowable = attempts.every(({ at, settled, news }, n) => {
        const next = attempts[n + 1]?.at;
        return next === undefined || (!settled && news === undefined && next > at + 15 * MINUTE);
      });
      (unknowable ? residue : twice).push(shop.historyOf(id).join('\n  '));
    }
    if (firstAccepted === undefined) continue;
    if (disturbed.every(({ from, until }) => createdAt < from - MINUTE || createdAt > until)) {
      waits[lane].push((firstAccepted - createdAt) / SECOND);
    }
  }
  const seconds = [...ses.bySecond.values()];
  const bulkRate = Math.max(1, Math.floor(rate * 0.8 + 1e-9));
  const functions = Object.entries(shop.functions).flatMap(([name, { count }]) => [
    [`${name}: crashes`, count.crashes] as const,
    [`${name}: timeouts`, count.timeouts] as const,
  ]);
  return {
    seed,
    made: shop.made,
    minutes: Math.round((simulation.now - START) / MINUTE),
    states,
    reasons,
    lost,
    twice,
    residue,
    uncertain,
    overRate: over(
      seconds.map(({ calls }) => calls),
      rate,
    ),
    overBulk: over(
      seconds.map(({ bulk }) => bulk),
      bulkRate,
    ),
    sentWhileHeld: shop.sentWhileHeld,
    held: shop.held.map(
      ({ what, from, until }) =>
        `${sayHeld(what)} ${clock(from)} to ${Number.isFinite(until) ? clock(until) : 'the end'}`,
    ),
    latency: { triggered: spread(waits.triggered), bulk: spread(waits.bulk) },
    deadLetters: shop.deadLetters.length + Object.values(shop.queues).reduce((sum, { dead }) => sum + dead.length, 0),
    faults: { ...ses.count, ...shop.trouble.struck, ...Object.fromEntries(functions.filter(([, count]) => count > 0)) },
    log: shop.log,
  };
}

function over(loads: number[], most: number): { seconds: number; most: number } {
  return {
    seconds: loads.filter((load) => load > most).length,
    most: loads.reduce((worst, load) => Math.max(worst, load), 0),
  };
}

function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 100) / 100;
  return { n: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), most: at(1) };
}
