// The mail of a message: its links signed, its view built, its template rendered.
import type { Book } from '../../domain/book.ts';
import type { Contact } from '../../domain/contact.ts';
import { consentAt } from '../../domain/facts.ts';
import { KairosError } from '../../domain/fault.ts';
import { type LinkKeys, type LinkPayload, signLink } from '../../domain/links.ts';
import type { Message } from '../../domain/message.ts';
import type { StoredProduct } from '../../domain/product.ts';
import { renderEmail } from '../../domain/render.ts';
import { buildView } from '../../domain/view.ts';
import type { Mail } from './mailer.ts';

const CONFIRM_LASTS = 30 * 86_400_000;

export interface Composing {
  message: Message;
  contact: Contact;
  book: Book;
  products: Record<string, StoredProduct>;
  keys: LinkKeys;
  publicBaseUrl: string;
  now: number;
}

/** Throws a KairosError where the book, or what is frozen on the message, does not make a mail. */
export function composeMail({ message, contact, book, products, keys, publicBaseUrl, now }: Composing): Mail {
  const { definitions } = book;
  const { settings } = definitions;
  const sender = settings.senders[message.sender];
  const email = definitions.emails[message.email];
  const to = contact.facts.address?.value;
  if (sender === undefined) throw missing('send.no-sender', 'sender', message.sender);
  if (email === undefined) throw missing('send.no-email', 'email', message.email);
  if (to === undefined) throw missing('send.no-address', 'contact', 'a contact without address');
  const link = (door: 'u' | 'c' | 'p', payload: LinkPayload): string =>
    `${publicBaseUrl.replace(/\/$/, '')}/${door}/${signLink(payload, keys)}`;
  // Under this contact the message is stored, also when it was merged into another meanwhile.
  const about = { contact: message.contact, brand: sender.brand, message: message.id };
  const unsubscribe = link('u', { kind: 'unsubscribe', ...about });
  const confirm = confirmation(message, about, now);
  const view = buildView(definitions, contact, message, products, {
    unsubscribe,
    preferences: link('p', { kind: 'preferences', ...about }),
    ...(confirm !== undefined && { confirm: link('c', confirm) }),
  });
  const { subject, html, text } = renderEmail(email, view, view.locale);
  const tracked =
    settings.tracking?.opens === true && consentAt(contact.facts, sender.brand, 'tracking', 'email', now) !== undefined;
  return {
    message: message.id,
    contact: message.contact,
    campaign: message.campaign,
    from: { name: sender.name, address: sender.from },
    ...(sender.replyTo !== undefined && { replyTo: sender.replyTo }),
    to,
    subject,
    html,
    text,
    ...(message.kind === 'marketing' && { unsubscribe }),
    ...(tracked && { tracked }),
  };
}

/** The payload of a double opt-in's link, where the message answers a request for consent. */
function confirmation(
  { inputs: { trigger } }: Message,
  about: { contact: string; brand: string; message: string },
  now: number,
): LinkPayload | undefined {
  if (trigger.name !== 'Consent Requested') return undefined;
  const { topic, wording, form, brand } = trigger.properties;
  const payload: LinkPayload = { kind: 'confirm', ...about, until: now + CONFIRM_LASTS };
  if (typeof brand === 'string') payload.brand = brand;
  if (typeof topic === 'string') payload.topic = topic;
  if (typeof wording === 'string') payload.wording = wording;
  if (typeof form === 'string') payload.form = form;
  return payload;
}

function missing(code: string, path: string, received: string): KairosError {
  return new KairosError({ code, path, message: 'it is not in the book.', received });
}
