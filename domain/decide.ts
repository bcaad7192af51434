// decide(book, contact, stimulus, now): the one place where it is decided who gets what, and when.
import type { Book } from './book.ts';
import type { Contact } from './contact.ts';
import type { Interaction } from './interaction.ts';
import type { Message } from './message.ts';
import type { Order } from './order.ts';

/** What makes a contact be looked at. */
export type Stimulus =
  | {
      kind: 'interaction';
      interaction: Interaction;
      /** The order that the event speaks of, before and after it was folded in. */
      order?: { before?: Order; after: Order };
      /** Earlier interactions of that order, recorded before its owner was known. */
      orphans?: Interaction[];
      /** History starts nothing: facts fold, and membership is set without entering. */
      history?: boolean;
    }
  | { kind: 'tick' }
  /** New definitions: membership is taken over without entering. */
  | { kind: 'publish' };

/** Everything that was recorded of a person under the asked names, with the present state of the orders spoken of. */
export interface Past {
  interactions: Interaction[];
  orders: Order[];
}

export interface Decision {
  campaign: string;
  kind: 'send' | 'defer' | 'hold out' | 'skip' | 'start' | 'stop' | 'end';
  reason: string;
  step?: string;
  at: number;
}

export type Decided =
  /** Counters must be rebuilt: query these event names under every alias, and call again with the past. */
  | { need: string[] }
  | {
      contact: Contact;
      messages: Message[];
      /** Messages to take back, if they are still `ready`. */
      drops: { id: string; reason: string }[];
      decisions: Decision[];
      /** False when nothing of the contact changed: it needs no write. */
      changed: boolean;
    };

/**
 * Folds the stimulus into the contact's facts, answers all rules, moves its runs and plans its messages.
 * Pure: the same book, contact, stimulus, now and past give the same answer. `contact` is not changed.
 */
export declare function decide(book: Book, contact: Contact, stimulus: Stimulus, now: number, past?: Past): Decided;
