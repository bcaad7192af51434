// What the simulated shop sends: its book, its people, and their messages as the recorder would have written them.
import type { Definitions } from '../../domain/book.ts';
import type { Kind } from '../../domain/campaign-grammar.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import { sha256 } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import { definitions } from '../functions/fixtures.ts';

export interface Campaign {
  kind: Kind;
  lane: Message['lane'];
}

const PROVIDERS = ['gmail.com', 'outlook.com', 'yahoo.com', 'icloud.com', 'gmx.de', 'web.de', 'post.example'];
const HOUR = 3_600_000;
/** A hand-off that is lost heals itself after so long. */
const HEALS_AFTER = 300_000;

/** A book of these campaigns, each of one e-mail, without caps. */
export function bookOf(campaigns: Record<string, Campaign>): Definitions {
  const book = definitions({ segments: {}, campaigns: {} });
  for (const [id, { kind }] of Object.entries(campaigns)) {
    book.campaigns[id] = {
      id,
      version: 'v1',
      since: 1,
      campaign: {
        kind,
        aim: kind === 'service' ? 'service' : 'cross-sell',
        ...(kind === 'marketing' && { topic: 'offers' }),
        sender: 'main',
        when: { did: 'Order Completed' },
        again: 'every time',
        steps: [{ send: 'hello' }],
      },
    };
  }
  book.settings.caps = [];
  return book;
}

/** Somebody with an address at one of the providers, who consents to offers. */
export function personOf(number: number, now: number): Contact {
  const contact = newContact(`c${number}`, now);
  const address = `p${number}@${PROVIDERS[number % PROVIDERS.length]}`;
  const addressHash = sha256(address);
  contact.aliases = [`address#${addressHash}`];
  contact.facts.address = { value: address, at: now, id: 'i' };
  contact.facts.addressHash = addressHash;
  contact.facts.consents['shop|offers|email'] = { granted: true, at: now - HOUR, id: 'g' };
  return contact;
}

/** A message that is to go out now. */
export function messageOf(
  id: string,
  person: number,
  campaign: string,
  { kind, lane }: Campaign,
  now: number,
): Message {
  return {
    shape: 1,
    id,
    contact: `c${person}`,
    campaign,
    version: 'v1',
    step: 's1',
    run: `r-${id}`,
    kind,
    ...(kind === 'marketing' && { topic: 'offers' }),
    sender: 'main',
    email: 'hello',
    state: 'ready',
    plannedAt: now,
    createdAt: now,
    lane,
    due: now + HEALS_AFTER,
    attempts: 0,
    ignoresQuiet: true,
    inputs: { trigger: { name: 'Order Completed', at: now, properties: {} }, recommendations: [] },
  };
}
