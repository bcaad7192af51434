// What a decision is, and what is gathered while it is made.
import type { Book } from './book.ts';
import type { Contact, SuppressionReason } from './contact.ts';
import type { Interaction } from './interaction.ts';
import type { Message } from './message.ts';
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
  /** New definitions: membership is taken over without entering. */
  | { kind: 'publish' };

export interface Decision {
  campaign: string;
  kind: 'send' | 'defer' | 'hold out' | 'skip' | 'start' | 'stop' | 'end';
  reason: string;
  step?: string;
  at: number;
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
  /** False when nothing of the contact changed: it needs no write. */
  changed: boolean;
}
/** What a decision gathers while it is made; `contact` is a copy that may be changed. */
export interface Draft extends Omit<Decided, 'changed'> {
  book: Book;
  now: number;
}

/** Notes a decision, and keeps the last of each campaign on the contact. */
export function note(draft: Draft, decision: Omit<Decision, 'at'>): void {
  const { at, campaign, ...said } = { ...decision, at: draft.now };
  draft.decisions.push({ campaign, at, ...said });
  // That the steps are through says less than what the last of them led to.
  if (said.kind !== 'end') draft.contact.journey.decisions[campaign] = { at, ...said };
}
