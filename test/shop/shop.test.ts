// The demo shop's generator: the same seed gives the same events, and the habits of its people are plausible.
import { describe, expect, test } from 'vitest';
import { normalise } from '../../domain/event.ts';
import type { ImportedEvent } from '../../domain/mapping-events.ts';
import { Catalogue } from '../../domain/settings.ts';
import { localTime } from '../../domain/time.ts';
import { SHOP_SOURCE, shopEvents } from '../../local/shop.ts';
import catalogueFile from '../../templates/catalogue.json' with { type: 'json' };

const DAY = 86_400_000;
const catalogue = Catalogue.parse(catalogueFile);
const until = Date.UTC(2026, 10, 1);
const from = until - 730 * DAY;
const shop = (seed: number, customers = 400): ImportedEvent[] =>
  shopEvents({ seed, catalogue, currency: 'EUR', from, until, customers });

const properties = (event: ImportedEvent) => event.detail.properties as Record<string, unknown>;
const named = (events: ImportedEvent[], name: string) => events.filter((event) => event.name === name);

describe('the demo shop', () => {
  test('makes the same events from the same seed, and others from another', () => {
    expect(shop(7, 60)).toEqual(shop(7, 60));
    expect(shop(8, 60)).not.toEqual(shop(7, 60));
  });

  test('keeps the life of a customer whatever the number of others', () => {
    const of = (events: ImportedEvent[]) => events.filter((event) => event.detail.userId === 'c-0003');
    expect(of(shop(7, 40))).toEqual(of(shop(7, 80)));
  });

  test('tells its events by time, inside its span, each with an id of its own and accepted at the door', () => {
    const events = shop(1);
    expect(events.every((event, index) => index === 0 || event.at >= events[index - 1]!.at)).toBe(true);
    expect(events.every((event) => event.at >= from && event.at < until)).toBe(true);
    expect(new Set(events.map((event) => event.detail.messageId)).size).toBe(events.length);
    const refused = events.flatMap((event) => {
      const time = new Date(event.at).toISOString();
      const read = normalise({ id: 'e', source: SHOP_SOURCE, 'detail-type': event.name, time, detail: event.detail });
      return 'fault' in read ? [`${event.name}: ${read.fault.message}`] : [];
    });
    expect(refused).toEqual([]);
  });

  test.each([1, 2, 3])('with seed %i buys plausibly', (seed) => {
    const events = shop(seed);
    const orders = named(events, 'Order Completed');
    const perBuyer = Map.groupBy(orders, (event) => String(event.detail.userId));
    const share = (part: number, whole: number): number => part / whole;
    const repeat = share([...perBuyer.values()].filter((own) => own.length > 1).length, perBuyer.size);
    expect(perBuyer.size).toBeGreaterThan(340);
    expect(perBuyer.size).toBeLessThan(400);
    expect(repeat).toBeGreaterThan(0.45);
    expect(repeat).toBeLessThan(0.75);
    expect(share(named(events, 'Order Refunded').length, orders.length)).toBeGreaterThan(0.03);
    expect(share(named(events, 'Order Refunded').length, orders.length)).toBeLessThan(0.1);
    const mean = orders.reduce((sum, event) => sum + Number(properties(event).revenue), 0) / orders.length;
    expect(mean).toBeGreaterThan(90);
    expect(mean).toBeLessThan(320);
    const consents = new Set(named(events, 'Consent Granted').map((event) => event.detail.userId)).size;
    expect(consents).toBeGreaterThan(230);
    expect(consents).toBeLessThan(330);
    expect(named(events, 'Consent Withdrawn').length).toBeGreaterThan(3);
    const people = named(events, 'identify').map((event) => event.detail.traits as Record<string, string>);
    expect(new Set(people.map((traits) => traits.country)).size).toBe(8);
    expect(new Set(people.map((traits) => traits.email)).size).toBe(400);
  });

  test('sells more in the two months before the new year than in the two after it', () => {
    const orders = [1, 2, 3].flatMap((seed) => named(shop(seed), 'Order Completed'));
    const between = (start: number, end: number) =>
      orders.filter((event) => event.at >= start && event.at < end).length;
    const before = between(Date.UTC(2025, 10, 1), Date.UTC(2026, 0, 1));
    expect(before).toBeGreaterThan(1.3 * between(Date.UTC(2026, 0, 1), Date.UTC(2026, 2, 1)));
  });

  test('is quiet at night by the clock of its customers', () => {
    const events = shop(1);
    const zones = new Map(
      named(events, 'identify').map((event) => [
        event.detail.userId,
        (event.detail.traits as { timezone: string }).timezone,
      ]),
    );
    const hours = named(events, 'Order Completed').map((event) =>
      Math.floor(localTime(event.at, zones.get(event.detail.userId)!).minutes / 60),
    );
    expect(hours.filter((hour) => hour >= 1 && hour < 6).length / hours.length).toBeLessThan(0.08);
  });

  test('states money that adds up: revenue is the sum of the lines, total has the shipping in it', () => {
    for (const event of named(shop(1), 'Order Completed')) {
      const { revenue, shipping, total, products } = properties(event) as {
        revenue: number;
        shipping: number;
        total: number;
        products: { price: number; quantity: number }[];
      };
      expect(Math.round(products.reduce((sum, line) => sum + line.price * line.quantity, 0) * 100)).toBe(
        Math.round(revenue * 100),
      );
      expect(Math.round((revenue + shipping) * 100)).toBe(Math.round(total * 100));
    }
  });
});
