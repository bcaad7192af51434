// The mail of a message: its links signed, its view built, its template rendered.
import type { Book } from '../../domain/book.ts';
import type { Contact } from '../../domain/contact.ts';
import { consentAt } from '../../domain/facts.ts';
import { KairosError } from '../../domain/fault.ts';
import { withLinkParameters } from '../../domain/link-parameters.ts';
import { DOORS, type LinkKeys, type LinkPayload, signLink } from '../../domain/links.ts';
import type { Message } from '../../domain/message.ts';
import type { StoredProduct } from '../../domain/product.ts';
import { emailOf, renderEmail } from '../../domain/render.ts';
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

/** A message as it is rendered for its reader. */
export type Rendered = Pick<Mail, 'subject' | 'html' | 'text'> & { unsubscribe: string };

/**
 * What a message says, its links signed for `publicBaseUrl`. `now` counts for a link that ends. Throws a KairosError where
 * the book, or what is frozen on the message, does not make a mail.
 */
export function renderMessage({ message, contact, book, products, keys, publicBaseUrl, now }: Composing): Rendered {
  const { definitions } = book;
  const sender = definitions.settings.senders[message.sender];
  const email = emailOf(definitions, message);
  if (sender === undefined) throw missing('send.no-sender', 'sender', message.sender);
  if (email === undefined) throw missing('send.no-email', 'email', message.email);
  const doors = publicBaseUrl.replace(/\/$/, '');
  const link = (payload: LinkPayload): string => `${doors}/${DOORS[payload.kind]}/${signLink(payload, keys)}`;
  // Under this contact the message is stored, also when it was merged into another meanwhile.
  const about = { contact: message.contact, brand: sender.brand, message: message.id };
  const unsubscribe = link({ kind: 'unsubscribe', ...about });
  const confirm = confirmation(message, about, now);
  const view = buildView(definitions, contact, message, products, {
    unsubscribe,
    preferences: link({ kind: 'preferences', ...about }),
    ...(confirm !== undefined && { confirm: link(confirm) }),
    webView: link({ kind: 'view', ...about, book: book.hash }),
    images: `${doors}/i`,
  });
  const { subject, html, text } = withLinkParameters(
    renderEmail(email, view, view.locale),
    definitions,
    view.run,
    doors,
  );
  return { subject, html, text, unsubscribe };
}

/** Throws a KairosError where the book, or what is frozen on the message, does not make a mail. */
export function composeMail(composing: Composing): Mail {
  const { message, contact, book, now } = composing;
  const { settings } = book.definitions;
  const sender = settings.senders[message.sender];
  const to = contact.facts.address?.value;
  if (sender === undefined) throw missing('send.no-sender', 'sender', message.sender);
  if (to === undefined) throw missing('send.no-address', 'contact', 'a contact without address');
  const { unsubscribe, ...said } = renderMessage(composing);
  const tracked =
    settings.tracking?.opens === true && consentAt(contact.facts, sender.brand, 'tracking', 'email', now) !== undefined;
  return {
    message: message.id,
    contact: message.contact,
    campaign: message.campaign,
    from: { name: sender.name, address: sender.from },
    ...(sender.replyTo !== undefined && { replyTo: sender.replyTo }),
    to,
    ...said,
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
