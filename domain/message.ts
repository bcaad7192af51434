// One e-mail of one run's step: its identity, its states, and which transition is allowed.
import type { Kind } from './grammar.ts';
import type { JsonObject } from './interaction.ts';
import { shortHash } from './interaction.ts';

export const MESSAGE_SHAPE = 1;

export type MessageState = 'ready' | 'claimed' | 'sent' | 'failed' | 'dropped' | 'uncertain';
export type Delivery = 'delayed' | 'soft-bounced' | 'delivered' | 'bounced' | 'complained' | 'rejected';

export interface Message {
  shape: number;
  id: string;
  contact: string;
  campaign: string;
  version: string;
  step: string;
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
    recommendations: string[];
  };
  openedAt?: number;
  clickedAt?: number;
  /** When the person left by a link of this mail, epoch milliseconds. */
  unsubscribedAt?: number;
  /** SHA-256 of the address that it went to, known from the report that gave it its delivery state. */
  sentTo?: string;
  /** The mailbox provider that it went to, known from the claim on: `gmail`, `microsoft`, `yahoo`, … , `other`. */
  provider?: string;
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
  return state === 'sent' || state === 'failed' || state === 'dropped' || state === 'uncertain';
}
