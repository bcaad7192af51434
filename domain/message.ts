// One e-mail of one run's step: its identity, its states, and which transition is allowed.
import type { Kind } from './campaign-grammar.ts';
import type { Cause } from './contact.ts';
import type { Json, JsonObject } from './interaction.ts';
import { shortHash } from './interaction.ts';

export const MESSAGE_SHAPE = 1;

/** `ghost`: the recorded place of a held-out person's message; nothing is ever sent of it. */
export type MessageState = 'ready' | 'claimed' | 'sent' | 'failed' | 'dropped' | 'uncertain' | 'ghost';
export type Delivery = 'delayed' | 'soft-bounced' | 'delivered' | 'bounced' | 'complained' | 'rejected';

export interface Message {
  shape: number;
  id: string;
  contact: string;
  campaign: string;
  version: string;
  step: string;
  /** What of its step is the same in all versions of the campaign: the e-mail, and which send of it. */
  key?: string;
  run: string;
  kind: Kind;
  topic?: string;
  sender: string;
  email: string;
  state: MessageState;
  delivery?: Delivery;
  /** When the decision meant it to go out; epoch milliseconds. */
  plannedAt: number;
  createdAt: number;
  expiresAt?: number;
  /** Whether it goes through the triggered or the bulk queue. */
  lane: 'triggered' | 'bulk';
  /** In the due index from birth until terminal. */
  due?: number;
  claimedAt?: number;
  /** Since when the `Send` event of a later claim is known to have come, while this one's has not. */
  provenAt?: number;
  attempts: number;
  /** SES's id, once accepted. */
  sesId?: string;
  sentAt?: number;
  reason?: string;
  /** `quiet: "ignore"` at the step or the campaign, and service. */
  ignoresQuiet: boolean;
  /** Frozen at the decision. */
  inputs: {
    trigger: { name: string; at: number; properties: JsonObject };
    product?: string;
    /** Products that it shows; and more of them, for those that are out of stock when it goes out. */
    recommendations: string[];
    spare?: string[];
    /** Of each of the recommendations, then of the spare ones, where it comes from: a letter each (`originsOf`). */
    origins?: string;
    watchedAt?: number;
    /** The code that it carries, from the claim on. */
    coupon?: GivenCoupon;
  };
  /** The content alternative that was drawn: a variant of the e-mail's texts. */
  variant?: string;
  /** The test that it is part of, of those with whom it is made; absent for the rest. */
  test?: string;
  /** The pool of which it carries a code. */
  coupon?: string;
  /** Whose book decided it, and what made it be decided. */
  because?: Because;
  /** The first success of the run after this message, inside its window. */
  conversion?: Conversion;
  openedAt?: number;
  clickedAt?: number;
  /** When the person left by a link of this mail, epoch milliseconds. */
  unsubscribedAt?: number;
  /** SHA-256 of the address that it went to, known from the report that gave it its delivery state. */
  sentTo?: string;
  /** The mailbox provider that it went to, known from the claim on: `gmail`, `microsoft`, `yahoo`, … , `other`. */
  provider?: string;
}

/** A code of a coupon pool as a message carries it. Either a percentage or an amount in minor units of its currency. */
export interface GivenCoupon {
  pool: string;
  code: string;
  percent?: number;
  amount?: number;
  currency?: string;
  /** Epoch milliseconds from which it is no longer taken. */
  expires?: number;
}

/** Why a message was decided: the book, what made the contact be looked at, and what the clauses of its audience found. */
export interface Because {
  book: string;
  ordinal: number;
  /** The beginning of the hash of the models that stood then. */
  models?: string;
  cause: Cause;
  /** The id of what the run began with, where that is another thing than the cause. */
  began?: string;
  /**
   * The clauses of a broadcast's "to" and of "for", as `audienceOf` counts them: each with its answer and with what the
   * engine read. Their words are in the book.
   */
  clauses?: [holds: boolean, found?: Json][];
}

/** What a person did that counts for a message. */
export interface Conversion {
  /** Event time. */
  at: number;
  event: string;
  /** Order key, where it is one: an order counts once. */
  order?: string;
  /** Minor units of the shop's currency: revenue or margin, as the campaign says; absent where neither is known. */
  value?: number;
}

/**
 * hash(contact, campaign, run, step, occurrence): letters, digits, `-` and `_` only, as tags of SES allow, with a letter
 * in front, so that no command line takes it for an option.
 */
export function messageId(contact: string, campaign: string, run: string, step: string, occurrence: string): string {
  return `m${shortHash('message', contact, campaign, run, step, occurrence)}`;
}

/** The state that reports count: the delivery where one is known, else the state. */
export function reportedState(message: Pick<Message, 'state' | 'delivery'>): string {
  return message.delivery ?? message.state;
}

/** True when nothing more happens by itself: the message has left the due index. */
export function isTerminal(state: MessageState): boolean {
  return state !== 'ready' && state !== 'claimed';
}
