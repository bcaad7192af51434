// One person's hot state: facts, which are a commutative fold, and the journey, which follows the order of processing.
import type { CounterState } from './counter.ts';
import type { Where } from './grammar.ts';
import type { Json, JsonObject, SubjectKey } from './interaction.ts';

export const CONTACT_SHAPE = 1;

/** A value with the event time and id that gave it: the latest wins, ties by id. */
export interface Stamped<T = Json> {
  value: T;
  at: number;
  id: string;
}

export type Basis = 'double' | 'single' | 'soft' | 'imported';
export interface Consent {
  granted: boolean;
  at: number;
  id: string;
  basis?: Basis;
  wording?: string;
  form?: string;
  source?: string;
  /** Epoch milliseconds at which it ends by itself. */
  until?: number;
}

export interface CartLine {
  quantity: number;
  price?: number;
  at: number;
  id: string;
}

/** `unreachable`: retired after repeated soft bounces. */
export type SuppressionReason = 'bounced' | 'complained' | 'imported' | 'unreachable';

export interface Facts {
  attributes: Record<string, Stamped>;
  /** The address that this contact holds; absent while another contact holds the one it claimed. */
  address?: Stamped<string>;
  /** SHA-256 (hex) of the address: the key of suppressions. */
  addressHash?: string;
  /** Key: `<brand>|<topic>|<channel>`. */
  consents: Record<string, Consent>;
  /** Withdrawal of everything of a brand: brand → stamp. A later grant ends it. */
  withdrawn: Record<string, { at: number; id: string }>;
  /** A block on the present address, whatever the consent. */
  suppressed?: { reason: SuppressionReason; at: number };
  /** A pause that the person asked for: brand → until when no marketing is sent. The latest word wins; one that ends at once takes it back. */
  pauses?: Record<string, { until: number; at: number; id: string }>;
  /** Whether the person lets a brand choose by what they did: brand → the latest word. */
  profiling?: Record<string, { stopped: boolean; at: number; id: string }>;
  /** Cases at the service desk, by case id: the latest word. The 50 newest. */
  cases?: Record<string, { open: boolean; at: number; id: string }>;
  /** Subscriptions by their id: the latest word. The 20 newest. */
  subscriptions?: Record<string, { active: boolean; at: number; id: string }>;
  /** Scores by name; money in minor units of the shop's currency. */
  scores?: Record<string, Stamped<number | string>>;
  cart: { clearedAt?: number; clearedBy?: string; lines: Record<string, CartLine> };
  /** Minor units of the shop's currency. `spend` = gross − refunded. */
  orders: {
    count: number;
    gross: number;
    refunded: number;
    returned: number;
    /** How many of `count` name a discount or a coupon; absent = none. */
    discounted?: number;
    first?: number;
    last?: number;
  };
  /**
   * Day of the shop's calendar (number since 1970-01-01) → orders of that day that stand, and their net revenue; with
   * margins where they are known: the net revenue of which they are known, and the margin. The newest 200 days. Absent
   * where nothing was ordered, and where the orders were folded before there were days: then they are read again.
   */
  days?: Record<string, [orders: number, net: number, valued?: number, margin?: number]>;
  /** Product id → when it was last bought; the newest 100. */
  bought: Record<string, number>;
  /** Event name → latest event time, for names that some rule reads. */
  latest: Record<string, number>;
  counters: Record<string, CounterState>;
}

export interface Run {
  id: string;
  campaign: string;
  version: string;
  occurrence: string;
  /** Event time of the trigger, or the instant of entering. */
  startedAt: number;
  /** Program counter: the index of the instruction at which the run stands. */
  at: number;
  /** Instant at which the current wait ends. */
  wakeAt?: number;
  /** Instant at which a `waitFor`, or a message that waits for an address, gives up. */
  waitsUntil?: number;
  /** When it looks again whether a test that it waits for has a winner; of a held-out run when its ghost is to be left. */
  looksAt?: number;
  /** From which instant the next wait counts (the last step's planned instant). */
  from: number;
  product?: string;
  /** When the product was asked for or looked at: `@watch.at`. */
  watchedAt?: number;
  /** `hops`: of the event that led to it, where they are not 0. */
  trigger: { name: string; id: string; at: number; properties: JsonObject; hops?: number };
  /** By which draw it walks its steps unsent; absent = it is written to. */
  heldOut?: 'campaign' | 'global';
  /** Keys of the sends that it has planned or passed, over all its versions: none is sent twice. */
  sent?: string[];
  /** Products that its messages recommended: `@sent.recommendations`. The newest 20. */
  recommended?: string[];
  /** Counters of rules that speak of this run only. */
  counters: Record<string, CounterState>;
  /** It has planned a message, ever. */
  planned?: true;
  /** Messages planned and not known to be sent. */
  pending: { id: string; at: number; contact?: string }[];
  /** Steps are through; kept for an hour, so that its last message can still be checked and taken back. */
  ended?: number;
}

export type DecisionKind =
  | 'send'
  | 'defer'
  | 'hold out'
  | 'skip'
  | 'start'
  | 'stop'
  | 'end'
  | 'set'
  | 'notify'
  | 'rest';

export interface LastDecision {
  at: number;
  kind: DecisionKind;
  reason: string;
  step?: string;
  /** Under a cap: the campaign whose message came first. */
  winner?: string;
  /** The version of the campaign that was decided over. */
  version?: string;
  /** What made the contact be looked at. */
  cause?: Cause;
}

export type Skips = [times: number, at: number, winner?: string];

/** What made a contact be looked at: an event by its name, id and time, the clock, or models that were fitted anew. */
export interface Cause {
  kind: 'event' | 'clock' | 'publish' | 'models' | 'broadcast' | 'product';
  name?: string;
  id?: string;
  at?: number;
}

/** A start that was planned by a walk: the campaign is asked at that instant, and not before. */
export interface Booking {
  campaign: string;
  /** What the run's id is made of, and what it answers: the local date of a broadcast, or `inside|<segment>`. */
  occurrence: string;
  at: number;
}

/** From a message, sent or ghost, until when a success of its run is a conversion. */
export interface Window {
  campaign: string;
  version: string;
  run: string;
  /** The last message, and the contact under which it stands where that is another one (after a merge). */
  message: string;
  contact?: string;
  /** When the first message is meant to go out, when the last is, and until when a success counts. */
  from: number;
  at: number;
  until: number;
  /** The message before the last, which may wait yet, and until when a success counted then. */
  earlier?: { message: string; contact?: string; until: number };
  /** What references in "success" mean: `@trigger.product_id` → its value. */
  meant?: Record<string, Json>;
}

/** A topic of which nothing is sent until the person returns. */
export interface Rest {
  since: number;
  campaign: string;
  why: string;
  until: { did: string[]; where?: Where };
}

export interface Journey {
  /** Segment → since when (absent = outside) and how many times it was entered. */
  segments: Record<string, { since?: number; entries: number }>;
  runs: Run[];
  /** Campaign → last start; `<campaign>|<product or order>` for `once per …` and `each`. */
  starts: Record<string, number>;
  /** Planned instants of marketing messages inside the longest cap window, and whose they are. */
  sends: { at: number; id: string; campaign?: string }[];
  decisions: Record<string, LastDecision>;
  /**
   * How often a campaign passed the contact over, by reason: [times, last instant, under a cap the campaign that came
   * first then]. The six newest reasons of each.
   */
  skips?: Record<string, Record<string, Skips>>;
  /** Starts that walks have planned, earliest first. */
  booked?: Booking[];
  /** Of campaigns that start by a date, a product that runs out, or a walk: what was asked last, so that each is asked once. */
  asked?: Record<string, number>;
  /** Attributes that campaigns have set since the last look, and what they were before: `changes` asks it once. */
  changed?: Record<string, Json>;
  /** Topic → the rest that it has. */
  rests?: Record<string, Rest>;
  /** Open windows in which a success is a conversion; the 30 newest. */
  windows?: Window[];
  /** Runs that were stopped in the last 30 days: what of theirs is still parked is not sent. */
  stopped?: Record<string, number>;
  /** The instant at which something may turn. */
  due?: number;
}

export interface Contact {
  shape: number;
  id: string;
  createdAt: number;
  /** Subject keys under which interactions of this person stand. */
  aliases: SubjectKey[];
  facts: Facts;
  journey: Journey;
  /**
   * Hash and ordinal of the definitions that last decided over it, and of the models; absent = never decided. `zone`:
   * the shop's, by which `facts.days` were counted, where there are any.
   */
  book?: {
    hash: string;
    ordinal: number;
    counters: string;
    models?: { hash: string; ordinal: number };
    zone?: string;
  };
  /** Set on the remainder of a contact that was merged into another. */
  mergedInto?: string;
}

/** A contact of which nothing is known yet. */
export function newContact(id: string, createdAt: number): Contact {
  return {
    shape: CONTACT_SHAPE,
    id,
    createdAt,
    aliases: [],
    facts: {
      attributes: {},
      consents: {},
      withdrawn: {},
      cart: { lines: {} },
      orders: { count: 0, gross: 0, refunded: 0, returned: 0 },
      bought: {},
      latest: {},
      counters: {},
    },
    journey: { segments: {}, runs: [], starts: {}, sends: [], decisions: {} },
  };
}

/** The contact with the place that a dropped message held under the caps given back. */
export function releaseMessage(contact: Contact, messageId: string): Contact {
  const { journey } = contact;
  if (!journey.sends.some((send) => send.id === messageId)) return contact;
  return { ...contact, journey: { ...journey, sends: journey.sends.filter((send) => send.id !== messageId) } };
}

/** The contact with the place of a message under the caps at another instant: it goes out then, and not when it was planned. */
export function movePlace(contact: Contact, { id, campaign }: { id: string; campaign: string }, at: number): Contact {
  const { journey } = contact;
  const sends = [...journey.sends.filter((send) => send.id !== id), { at, id, campaign }];
  return { ...contact, journey: { ...journey, sends: sends.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1)) } };
}
