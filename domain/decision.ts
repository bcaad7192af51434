// What a decision is, and what is gathered while it is made.
import type { Book } from './book.ts';
import type { Cause, Contact, DecisionKind, LastDecision, Skips, Stamped, SuppressionReason } from './contact.ts';
import type { Interaction, JsonObject } from './interaction.ts';
import type { Conversion, Message } from './message.ts';
import type { Order } from './order.ts';

/** What makes a contact be looked at. */
export type Stimulus =
  | {
      kind: 'interaction';
      interaction: Interaction;
      /** The order that the event speaks of, before and after it was folded in. */
      order?: { before?: Order | undefined; after: Order };
      /** Earlier interactions of that order, recorded before its owner was known. */
      orphans?: Interaction[];
      /** What is stored about the address that the event claims. */
      address?: {
        suppression?: { reason: SuppressionReason; at: number };
        withdrawals?: { brand: string; at: number }[];
      };
      /** History starts nothing: facts fold, and membership is set without entering. */
      history?: boolean;
    }
  | { kind: 'tick' }
  /** Models were fitted anew: a look at everything, as of a tick. */
  | { kind: 'models' }
  /** A product that the contact watches has turned: its campaign is asked, once for each turn. */
  | {
      kind: 'turn';
      campaign: string;
      product: string;
      /** Names the turn: the interaction that turned the product. */
      turn: string;
      /** When it turned, and what of: `price`, `lowestPrice30d` and `stock` as they are then. */
      at: number;
      properties: JsonObject;
      /** When the contact asked for the product or looked at it. */
      watchedAt: number;
    }
  /** A walk plans a start: nothing is decided before its instant. */
  | { kind: 'book'; campaign: string; occurrence: string; at: number }
  /** New definitions: membership is taken over without entering. */
  | { kind: 'publish' };

export interface Decision {
  campaign: string;
  kind: DecisionKind;
  reason: string;
  step?: string;
  at: number;
  version?: string;
  run?: string;
  /** Under a cap: the campaign whose message came first. */
  winner?: string;
}

/** What a `notify` step hands over: an event for other channels and people, put on the bus once it is stored. */
export interface Notice {
  /** Stable: the same step of the same run in the same version gives the same id. */
  id: string;
  contact: string;
  campaign: string;
  version: string;
  run: string;
  step: string;
  event: string;
  /** Epoch milliseconds. */
  at: number;
  /** One more than those of the event that led to it: a loop through notices ends. */
  hops: number;
  properties: JsonObject;
}

/** Somebody watches a product: kept beside the product, so that its turn finds them. */
export interface Watch {
  /** Which "watchedBy" it is of: `Book.watches`. */
  watch: string;
  product: string;
  contact: string;
  /** When it was asked for or looked at; of what is not told oldest first, the beginning of that UTC day. */
  at: number;
  /** Until when it counts. */
  until: number;
}

/** A success that counts for a message: told to the message's item. */
export interface Converted extends Conversion {
  message: string;
  /** The contact under which the message stands. */
  contact: string;
}

export interface Drop {
  id: string;
  reason: string;
  /** The contact under which the message stands, where it is not this one (after a merge). */
  contact?: string;
}

export interface Decided {
  contact: Contact;
  messages: Message[];
  /** Messages to take back, if they are still `ready`. */
  drops: Drop[];
  decisions: Decision[];
  notices: Notice[];
  watches: Watch[];
  conversions: Converted[];
  /** False when nothing of the contact changed: it needs no write. */
  changed: boolean;
}

/** What a decision gathers while it is made. */
export interface Draft extends Omit<Decided, 'changed'> {
  book: Book;
  now: number;
  cause: Cause;
  /** Of the event that is looked at; 0 of anything else. */
  hops: number;
  /** The contact as it was given: nothing in it is changed. */
  given: Contact;
  /** Its own down to `facts`, `journey` and each run; what lies deeper may be the given contact's, and is replaced. */
  contact: Contact;
  /** Attributes that campaigns have set in this decision: no rule sees them before the next one. */
  set: Record<string, Stamped>;
}

/** What made the contact be looked at, as decisions and messages keep it. */
function causeOf(stimulus: Stimulus): Cause {
  switch (stimulus.kind) {
    case 'interaction': {
      const { name, id, at } = stimulus.interaction;
      return { kind: 'event', name, id, at };
    }
    case 'turn':
      return { kind: 'product', name: stimulus.product, id: stimulus.turn, at: stimulus.at };
    case 'book':
      return { kind: 'broadcast', name: stimulus.occurrence };
    case 'publish':
    case 'models':
      return { kind: stimulus.kind };
    default:
      return { kind: 'clock' };
  }
}

/** A draft over a contact as it was given. */
export function draftOf(book: Book, given: Contact, now: number, stimulus: Stimulus): Draft {
  const { facts, journey } = given;
  const runs = journey.runs.map((run) => ({ ...run }));
  const contact = { ...given, facts: { ...facts }, journey: { ...journey, runs } };
  return {
    book,
    now,
    cause: causeOf(stimulus),
    hops: stimulus.kind === 'interaction' ? stimulus.interaction.hops : 0,
    given,
    contact,
    messages: [],
    drops: [],
    decisions: [],
    notices: [],
    watches: [],
    conversions: [],
    set: {},
  };
}

/** The record or list of that name, as one that may be changed: copied while it still is the given contact's. */
export function own<T extends object, K extends keyof T>(copy: T, given: T, name: K): T[K] {
  const part = copy[name];
  if (part === given[name]) copy[name] = (Array.isArray(part) ? [...part] : { ...part }) as T[K];
  return copy[name];
}

/** Notes a decision. */
export function note(draft: Draft, decision: Omit<Decision, 'at'>): void {
  const { campaign, ...said } = decision;
  draft.decisions.push({ campaign, at: draft.now, ...said });
}

const MOST_REASONS = 6;

/** Keeps the last decision of each campaign on the contact, and how often each passed it over, by reason. */
export function keepDecisions({ contact, given, decisions, cause }: Draft): void {
  for (const { campaign, run: _, ...said } of decisions) {
    // That the steps are through says less than what the last of them led to.
    if (said.kind === 'end') continue;
    const { kind, at, reason, winner } = said;
    // What led to a message is kept with the message.
    const kept: LastDecision = kind === 'skip' || kind === 'start' || kind === 'stop' ? { ...said, cause } : said;
    own(contact.journey, given.journey, 'decisions')[campaign] = kept;
    if (kind === 'skip') contact.journey.skips = withSkip(contact.journey.skips ?? {}, campaign, reason, at, winner);
  }
}

function withSkip(
  skips: NonNullable<Contact['journey']['skips']>,
  campaign: string,
  reason: string,
  at: number,
  winner: string | undefined,
): NonNullable<Contact['journey']['skips']> {
  const own = skips[campaign] ?? {};
  const skip: Skips = [
    (own[reason]?.[0] ?? 0) + 1,
    at,
    ...(winner === undefined ? ([] as const) : ([winner] as const)),
  ];
  const counted: typeof own = { ...own, [reason]: skip };
  const newest = Object.entries(counted)
    .sort(([, [, a]], [, [, b]]) => b - a)
    .slice(0, MOST_REASONS);
  return { ...skips, [campaign]: Object.fromEntries(newest) };
}
