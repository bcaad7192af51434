// Warm-ups of sending domains: the places of a day, counted over all workers, and when those without one come again.
import type { Contact } from '../../domain/contact.ts';
import type { Message } from '../../domain/message.ts';
import type { Settings } from '../../domain/settings.ts';
import { afterFullDay, domainOf, engagedAt, type WarmUpMoment, warmUp, warmUpDate } from '../../domain/warm-up.ts';
import { key, type Table } from './table.ts';

export interface WarmingMail {
  message: Message;
  contact: Contact;
  settings: Settings;
  now: number;
}

/** A place of a day, or nothing to be asked; or until when the message has to wait. */
export type Entry = { date: string | undefined } | { until: number };

const KEPT_DAYS = 120;

/**
 * Who may go today. Without a plan for the domain it costs nothing; under one, a message takes one write unit, and one
 * more for each time that it is put off because its day is full.
 */
export class WarmUps {
  readonly #table: Table;
  /** Days found full; their places never come back. */
  readonly #full = new Set<string>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** Until when a marketing message has to wait, as far as is known without taking a place; undefined = it may try. */
  async waitsUntil(mail: WarmingMail): Promise<number | undefined> {
    const { moment, domain } = momentOf(mail);
    if (moment === undefined || mail.message.kind !== 'marketing') return undefined;
    const verdict = warmUp(moment);
    if (verdict.kind === 'defer') return verdict.until;
    if (verdict.kind === 'free' || !this.#full.has(fullKey(domain, verdict))) return undefined;
    return this.#afterToday(moment, domain, verdict.date);
  }

  /**
   * Takes a place of the day, right before the claim. A message that took one and comes again on the same day names its
   * date. Service and requested messages are counted beside the ceiling and never wait.
   */
  async enter(mail: WarmingMail, taken?: string): Promise<Entry> {
    const { moment, domain } = momentOf(mail);
    if (moment === undefined) return { date: undefined };
    if (mail.message.kind !== 'marketing') {
      const date = warmUpDate(moment.plan, moment.settings.zone, moment.now);
      if (date !== undefined && date !== taken)
        await this.#table.update(key.warmUp(domain, date), count('others', date));
      return { date };
    }
    const verdict = warmUp(moment);
    if (verdict.kind === 'free') return { date: undefined };
    if (verdict.kind === 'defer') return { until: verdict.until };
    const { date, most } = verdict;
    if (date === taken || (await this.#takePlace(domain, date, most))) return { date };
    if (this.#full.size > 1000) this.#full.clear();
    this.#full.add(fullKey(domain, verdict));
    return { until: await this.#afterToday(moment, domain, date) };
  }

  async #takePlace(domain: string, date: string, most: number): Promise<boolean> {
    const { ExpressionAttributeValues, ...counting } = count('sent', date);
    return this.#table.update(key.warmUp(domain, date), {
      ...counting,
      ConditionExpression: 'attribute_not_exists(#counter) OR #counter < :most',
      ExpressionAttributeValues: { ...ExpressionAttributeValues, ':most': most },
    });
  }

  async #afterToday(moment: WarmUpMoment, domain: string, date: string): Promise<number> {
    const answer = await this.#table.updateAnd(key.warmUp(domain, date), count('waiting', date));
    return afterFullDay(moment, 'updated' in answer ? Number(answer.updated.waiting) : 1);
  }
}

/** A day with its ceiling: a plan that is published anew may raise it. */
const fullKey = (domain: string, { date, most }: { date: string; most: number }): string => `${domain} ${date} ${most}`;

function momentOf({ message, contact, settings, now }: WarmingMail): { domain: string; moment?: WarmUpMoment } {
  const sender = settings.senders[message.sender];
  const domain = domainOf(sender?.from ?? '');
  const plan = settings.warmUp !== undefined && Object.hasOwn(settings.warmUp, domain) && settings.warmUp[domain];
  if (sender === undefined || plan === undefined || plan === false) return { domain };
  const engaged = engagedAt(contact.facts, sender.brand);
  return { domain, moment: { plan, settings, engagedAt: engaged, message: message.id, now } };
}

function count(counter: 'sent' | 'others' | 'waiting', date: string) {
  return {
    UpdateExpression: 'ADD #counter :one SET #ttl = :ttl, shape = :one',
    ExpressionAttributeNames: { '#counter': counter, '#ttl': 'ttl' },
    ExpressionAttributeValues: { ':one': 1, ':ttl': Math.floor(Date.parse(date) / 1000) + KEPT_DAYS * 86_400 },
  };
}
