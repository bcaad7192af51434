// What the stack has stored, counted: contacts, orders, money, segments, messages. Nothing is taken from what was sent in.

import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Definitions } from '../domain/book.ts';
import type { Contact } from '../domain/contact.ts';
import { type Delivery, type MessageState, reportedState } from '../domain/message.ts';
import { type Order, orderEffect } from '../domain/order.ts';
import { tierOf } from '../domain/tiers.ts';
import { type Item, readContact } from '../functions/aws/table.ts';

/** Money in minor units of the shop's currency. */
export interface Figures {
  events: number;
  contacts: number;
  orders: number;
  refunds: number;
  gross: number;
  refunded: number;
  net: number;
  /** Orders and refunds of nobody known; part of the sums above. */
  guests: { orders: number; refunds: number; gross: number; refunded: number };
  /** Segment → members. */
  segments: Record<string, number>;
  /** Loyalty tier → members. */
  tiers: Record<string, number>;
  /** Campaign → state → messages. */
  messages: Record<string, Record<string, number>>;
  sentByAim: { 'cross-sell': number; 'up-sell': number; retention: number };
  /** Where two places of the table tell different figures; empty when all agree. */
  disagreements: string[];
}

/** Reads the whole table once and counts. Throws when it cannot be read. */
export async function countFigures(
  client: DynamoDBDocumentClient,
  table: string,
  definitions: Definitions,
): Promise<Figures> {
  const count = new Count(definitions);
  let from: Record<string, unknown> | undefined;
  do {
    const page = await client.send(
      new ScanCommand({
        TableName: table,
        ConsistentRead: true,
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      }),
    );
    for (const item of (page.Items ?? []) as Item[]) count.add(item);
    from = page.LastEvaluatedKey;
  } while (from !== undefined);
  return count.figures();
}

class Count {
  readonly #definitions: Definitions;
  readonly #figures: Figures;
  /** Totals as the contacts carry them. */
  readonly #carried = { orders: 0, gross: 0, refunded: 0 };
  /** Campaign → state → messages, as the report counters tell it. */
  readonly #reported: Record<string, Record<string, number>> = {};

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
    this.#figures = {
      events: 0,
      contacts: 0,
      orders: 0,
      refunds: 0,
      gross: 0,
      refunded: 0,
      net: 0,
      guests: { orders: 0, refunds: 0, gross: 0, refunded: 0 },
      segments: Object.fromEntries(Object.keys(definitions.segments).map((id) => [id, 0])),
      tiers: Object.fromEntries((definitions.loyalty?.tiers ?? []).map(({ id }) => [id, 0])),
      messages: {},
      sentByAim: { 'cross-sell': 0, 'up-sell': 0, retention: 0 },
      disagreements: [],
    };
  }

  add(item: Item): void {
    if (item.sk.startsWith('INTERACTION#')) this.#figures.events += 1;
    else if (item.sk === 'CONTACT') this.#contact(readContact(item).value);
    else if (item.sk === 'ORDER') this.#order(JSON.parse(String(item.state)) as Order);
    else if (item.sk.startsWith('MESSAGE#')) this.#message(item);
    else if (item.pk.startsWith('REPORT#')) this.#report(item);
  }

  #contact(contact: Contact): void {
    if (contact.mergedInto !== undefined) return;
    this.#figures.contacts += 1;
    this.#carried.orders += contact.facts.orders.count;
    this.#carried.gross += contact.facts.orders.gross;
    this.#carried.refunded += contact.facts.orders.refunded;
    for (const [id, { since }] of Object.entries(contact.journey.segments)) {
      const tier = tierOf(id);
      if (since !== undefined && id in this.#figures.segments) this.#figures.segments[id]! += 1;
      else if (since !== undefined && tier !== undefined && tier in this.#figures.tiers)
        this.#figures.tiers[tier]! += 1;
    }
  }

  #order(order: Order): void {
    const effect = orderEffect(order, this.#definitions.settings.currency);
    const refunds = Object.values(order.refunds).filter((refund) => refund.cancels === undefined).length;
    for (const sums of order.owner === undefined ? [this.#figures, this.#figures.guests] : [this.#figures]) {
      sums.orders += effect.count;
      sums.refunds += refunds;
      sums.gross += effect.gross;
      sums.refunded += effect.refunded;
    }
  }

  #message(item: Item): void {
    const campaign = String(item.campaign);
    const state = item.state as MessageState;
    const delivery = item.delivery as Delivery | undefined;
    add(this.#figures.messages, campaign, reportedState(delivery === undefined ? { state } : { state, delivery }), 1);
    const aim = this.#definitions.campaigns[campaign]?.campaign.aim;
    if (state === 'sent' && aim !== undefined && aim in this.#figures.sentByAim) {
      this.#figures.sentByAim[aim as keyof Figures['sentByAim']] += 1;
    }
  }

  #report(item: Item): void {
    for (const [state, value] of Object.entries(item)) {
      // By provider and by alternative the same is counted again.
      if (typeof value === 'number' && !NOT_STATES.has(state) && !/[.~]/.test(state))
        add(this.#reported, item.pk.slice('REPORT#'.length), state, value);
    }
  }

  figures(): Figures {
    const figures = this.#figures;
    figures.net = figures.gross - figures.refunded;
    const differ = (what: string, one: number, other: number): void => {
      if (one !== other) figures.disagreements.push(`${what}: ${one} and ${other}`);
    };
    for (const name of ['orders', 'gross', 'refunded'] as const) {
      differ(
        `${name} of all orders, and of contacts and guests`,
        figures[name],
        this.#carried[name] + figures.guests[name],
      );
    }
    for (const [campaign, states] of Object.entries(figures.messages)) {
      const { made = 0, ...counted } = this.#reported[campaign] ?? {};
      const { ghost: _, ...own } = states;
      const all = Object.values(own).reduce((sum, each) => sum + each, 0);
      differ(`${campaign}, all messages, and those made in the report`, all, made);
      for (const state of new Set([...Object.keys(states), ...Object.keys(counted)])) {
        differ(`${campaign}, ${state}, in messages and in the report`, states[state] ?? 0, counted[state] ?? 0);
      }
    }
    return figures;
  }
}

const NOT_STATES = new Set([
  ...['shape', 'ttl', 'version', 'opened', 'clicked', 'unsubscribed'],
  ...['converted', 'value', 'ghost-converted', 'ghost-value'],
]);

function add(into: Record<string, Record<string, number>>, key: string, state: string, many: number): void {
  into[key] ??= {};
  into[key][state] = (into[key][state] ?? 0) + many;
}
