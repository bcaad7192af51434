// What a decision is, and what is gathered while it is made.
import type { Book } from './book.ts';
import type { Contact } from './contact.ts';
import type { Message } from './message.ts';

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
