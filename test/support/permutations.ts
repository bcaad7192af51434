// Arbitrary lives of one person, seeded: events in any order, with repeats, known and unknown.
import fc from 'fast-check';
import type { Rule } from '../../domain/grammar.ts';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import { DAY, event, HOUR, instant, lines, order, type Said } from './people.ts';

/** A failing property prints this seed and the path to its counterexample; `KAIROS_SEED` and `KAIROS_RUNS` change both. */
export function seeded(runs: number): { seed: number; numRuns: number } {
  return { seed: Number(process.env.KAIROS_SEED ?? 20_261_121), numRuns: Number(process.env.KAIROS_RUNS ?? runs) };
}

export const NOW = instant('2026-06-15 12:00');

/** Few instants, so that many events share one. */
const moment = fc.integer({ min: 0, max: 120 }).map((i) => NOW - i * 36 * HOUR);
const product = fc.constantFrom('camera', 'camera-pro', 'phone', 'bag', 'film');
const line = fc
  .tuple(product, fc.constantFrom('', '@10.01', '@99.99'), fc.constantFrom('', '*2', '*3'))
  .map((parts) => parts.join(''));
const basket = fc.uniqueArray(line, { minLength: 1, maxLength: 3, selector: (text) => text.split(/[@*]/)[0] });
const orderId = fc.constantFrom('o1', 'o2', 'o3');
const currency = fc.constantFrom<JsonObject>(
  {},
  { currency: 'EUR' },
  { currency: 'EUR' },
  { currency: 'USD' },
  { currency: 'JPY' },
);

type Who = 'ann' | 'phone' | 'nobody';
const known = fc.constantFrom<Who>('ann', 'ann', 'phone');
const anybody = fc.constantFrom<Who>('ann', 'phone', 'nobody');

function saidBy(who: Who): Said {
  if (who === 'phone') return { anonymous: 'phone' };
  return who === 'ann' ? { user: 'ann' } : { user: undefined };
}

type Made = (id: string) => Interaction;
const one =
  (name: string, at: number, who: Who, properties: JsonObject): Made =>
  (id) =>
    event(name, at, properties, { id, ...saidBy(who) });

const completed = fc.tuple(orderId, moment, known, basket, currency).map(
  ([id, at, who, products, money]): Made =>
    (made) => {
      const said = order(id, at, products, { id: made, ...saidBy(who) });
      const { currency: _, ...properties } = said.properties;
      return { ...said, properties: { ...properties, ...money } };
    },
);
const updated = fc
  .tuple(orderId, moment, anybody, basket, currency)
  .map(([order_id, at, who, products, money]) =>
    one('Order Updated', at, who, { order_id, products: lines(...products), ...money }),
  );
const refunded = fc
  .tuple(
    orderId,
    moment,
    anybody,
    fc.constantFrom<JsonObject>({}, { total: 5 }, { total: 12.5 }, { products: lines('bag@10.01') }),
    currency,
  )
  .map(([order_id, at, who, how, money]) => one('Order Refunded', at, who, { order_id, ...how, ...money }));
const cancelled = fc
  .tuple(orderId, moment, anybody, fc.option(basket))
  .map(([order_id, at, who, products]) =>
    one('Order Cancelled', at, who, { order_id, ...(products && { products: lines(...products) }) }),
  );
const cart = fc
  .tuple(
    moment,
    known,
    product,
    fc.integer({ min: 1, max: 3 }),
    fc.constantFrom('Product Added', 'Product Removed', 'Product Viewed'),
  )
  .map(([at, who, product_id, quantity, name]) => one(name, at, who, { product_id, quantity, price: 9.99 }));
const wholeCart = fc
  .tuple(moment, known, basket, fc.constantFrom('Cart Viewed', 'Checkout Started'))
  .map(([at, who, products, name]) => one(name, at, who, { products: lines(...products), value: 30 }));
const consent = fc
  .tuple(
    moment,
    known,
    fc.constantFrom('Consent Granted', 'Consent Withdrawn'),
    fc.constantFrom('offers', 'news', 'all'),
    fc.constantFrom('shop', 'outlet'),
  )
  .map(([at, who, name, topic, brand]) =>
    one(
      name,
      at,
      who,
      topic === 'all' && name === 'Consent Withdrawn' ? { all: true, brand } : { topic, brand, basis: 'double' },
    ),
  );
const identified = fc
  .tuple(
    moment,
    known,
    fc.constantFrom<JsonObject>({ country: 'PL' }, { country: 'CZ', age: 30 }, { age: 17 }),
    fc.option(fc.constantFrom('a@mail.example', 'b@mail.example')),
  )
  .map(
    ([at, who, traits, address]): Made =>
      (id) =>
        event(
          'Identified',
          at,
          {},
          { id, traits, ...saidBy(who), ...(who === 'ann' && address !== null ? { address } : {}) },
        ),
  );
/** A burst of views, so that counters hold more than 64. */
const views = fc
  .tuple(fc.integer({ min: 60, max: 90 }), known)
  .map(([count, who]): Made[] =>
    Array.from({ length: count }, (_, i) =>
      one('Product Viewed', NOW - i * 17 * HOUR, who, { product_id: i % 3 === 0 ? 'bag' : 'film' }),
    ),
  );

const anything = fc.oneof(completed, completed, updated, refunded, cancelled, cart, wholeCart, consent, identified);

/** The events of one person on two devices, and somewhere among them the one that links both. */
export const life: fc.Arbitrary<Interaction[]> = fc
  .tuple(
    fc.array(anything, { minLength: 1, maxLength: 30 }),
    fc.oneof({ weight: 4, arbitrary: fc.constant<Made[]>([]) }, { weight: 1, arbitrary: views }),
    moment,
  )
  .map(([made, burst, at]) => [
    ...[...made, ...burst].map((make, i) => make(`e${i}`)),
    event('Identified', at, {}, { id: 'link', user: 'ann', anonymous: 'phone' }),
  ]);

/** A life, and the same events in another order with some of them repeated. */
export const shuffledLife: fc.Arbitrary<[Interaction[], Interaction[]]> = life.chain((events) =>
  fc
    .tuple(
      fc.shuffledSubarray(events, { minLength: events.length, maxLength: events.length }),
      fc.array(fc.nat(events.length - 1), { maxLength: 5 }),
    )
    .map(([shuffled, repeats]): [Interaction[], Interaction[]] => [
      events,
      [...shuffled, ...repeats.map((i) => shuffled[i] as Interaction)],
    ]),
);

const did = (name: string | string[], more: object = {}): Rule => ({ did: name, ...more }) as Rule;

/** One segment of each kind of question. */
export const segments: Record<string, Rule> = {
  buyers: did('Order Completed'),
  spenders: did('Order Completed', { sum: { of: 'revenue', atLeast: 100 } }),
  totals: did('Order Completed', { sum: { of: 'total', moreThan: 100 }, inLast: '60d' }),
  recent: did('Order Completed', { inLast: '30d' }),
  cameras: did('Order Completed', { where: { products: { product_id: 'camera', quantity: { atLeast: 2 } } } }),
  photographers: did('Order Completed', {
    where: { products: { 'catalogue.category': 'Cameras' } },
    times: { atLeast: 2 },
  }),
  returners: did(['Order Refunded', 'Order Cancelled'], { times: { atLeast: 2 } }),
  lookers: did('Product Viewed', { times: { atLeast: 50 }, inLast: '60d' }),
  gone: did('Product Viewed', { latest: { moreThanAgo: '20d' } }),
  basket: { has: { 'cart.value': { atLeast: 20 } } },
  rich: { has: { 'orders.spend': { atLeast: 150 }, 'orders.count': { atLeast: 1 } } },
  consenting: { all: [{ consent: 'offers' }, { not: { consent: 'news' } }] },
  polish: { any: [{ has: { country: 'PL' } }, { has: { age: { lessThan: 18 } } }] },
  lapsed: { all: [{ segment: 'buyers' }, { not: { segment: 'recent' } }] },
};

/** Days and hours at which things are processed, one after the other: how long after the one before. */
export const pauses = fc.array(fc.constantFrom(0, 60_000, HOUR, 7 * HOUR, DAY, 3 * DAY), {
  minLength: 40,
  maxLength: 40,
});
