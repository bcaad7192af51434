// Lives of one person whose events stand where arbitrary rules turn, and the engines that answer those rules.
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import type { Contact } from '../../domain/contact.ts';
import { sightOf } from '../../domain/eligibility.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { Interaction, Json, JsonObject } from '../../domain/interaction.ts';
import { RuleIndex } from '../../domain/rule-index.ts';
import { bookOf, catalogue, DAY, event, HOUR, instant, lines, MINUTE, order, World } from './people.ts';
import { ruleArbitrary } from './rule-arbitraries.ts';
import { holds } from './rule-reference.ts';

/** Segments over one person, and what was recorded of them up to `now`. */
export interface Life {
  now: number;
  shopZone: string;
  /** In an order in which each stands after those that it reads. */
  rules: Record<string, Rule>;
  /** Ascending by event time. */
  events: Interaction[];
}

/** Runs of a property: `KAIROS_RUNS` is what one of 100 is to run, others in proportion; `KAIROS_SEED` as it is printed. */
export const runs = (usual: number): { seed: number; numRuns: number } => ({
  seed: Number(process.env.KAIROS_SEED ?? 20_261_122),
  numRuns: Math.ceil((usual * Number(process.env.KAIROS_RUNS ?? 100)) / 100),
});

/** A life as a failing test tells it. */
export const told = ({ rules, events, shopZone }: Life): string =>
  [
    shopZone,
    JSON.stringify(rules),
    ...events.map((one) => `${iso(one.at)} ${one.name} ${JSON.stringify({ ...one.properties, ...one.traits })}`),
  ].join('\n');

/** Daylight saving by the hour, by half an hour, at midnight, none; odd offsets; a zone that left out a day. */
export const ZONES = [
  'Europe/Warsaw',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'Pacific/Chatham',
  'Asia/Beirut',
  'UTC',
  'Pacific/Apia',
];

/** Before changes of clocks, ends of months, quarters and years, leap days, and the day that Samoa left out. */
const NOWS = [
  '2026-06-15T12:00:00Z',
  '2026-03-28T22:59:59.999Z',
  '2026-10-24T23:30:00Z',
  '2027-12-30T08:15:00.001Z',
  '2024-02-27T21:00:00Z',
  '2011-12-28T10:00:00Z',
  '2025-09-26T12:34:56.789Z',
].map(instant);

const date = (at: number): string => new Date(at).toISOString().slice(0, 10);
const iso = (at: number): string => new Date(at).toISOString();

type Maker = (id: string, at: number, now: number) => Interaction;
/** Where on the line of time: at a turn of a rule, this long before now or after it. */
interface Placed {
  turn: number;
  shift: number;
  ahead: boolean;
  make: (rules: string) => Maker;
}

const product = fc.constantFrom('camera', 'bag', 'bag', 'film', 'film');
const basket = fc.uniqueArray(
  fc.tuple(product, fc.constantFrom('', '', '@10.01', '*2')).map((parts) => parts.join('')),
  { minLength: 1, maxLength: 2, selector: (text) => text.split(/[@*]/)[0] },
);
const orderId = fc.constantFrom('o1', 'o2', 'o3', 'o4');
const track =
  (name: string, properties: JsonObject): Maker =>
  (id, at) =>
    event(name, at, properties, { id });

const purchase = fc
  .tuple(
    orderId,
    basket,
    fc.constantFrom<JsonObject>({}, {}, {}, { coupon: 'TEN' }, { coupon: 'TEN' }, { currency: 'USD' }),
  )
  .map(
    ([id, products, properties]): Maker =>
      (made, at) =>
        order(id, at, products, { id: made, properties }),
  );
const view = product.map((name): Maker => {
  const [line] = lines(name) as [JsonObject];
  return track('Product Viewed', { product_id: name, price: line.price ?? 0, category: line.category ?? null });
});
const ticket = fc
  .tuple(
    fc.constantFrom(1, 2, 3, 0.5, null),
    fc.constantFrom(10.1, 20.2, 50, null),
    fc.constantFrom('2026-05-01', '2026-06-01'),
  )
  .map(([seats, paid, day]) => track('Ticket Bought', { seats, paid, day }));
const click = fc.constantFrom('spring', 'news').map((campaign) => track('Email Clicked', { campaign, step: '1' }));
/** What happens at an instant, and means nothing before it. */
const happening = fc.oneof(
  { weight: 4, arbitrary: view },
  { weight: 2, arbitrary: ticket },
  { weight: 2, arbitrary: click },
);
const changeOf = (id: fc.Arbitrary<string>) =>
  fc.oneof(
    fc
      .tuple(id, basket)
      .map(([order_id, products]) => track('Order Updated', { order_id, products: lines(...products) })),
    fc
      .tuple(id, fc.constantFrom<JsonObject>({}, { total: 5 }, { total: 12.5 }, { products: lines('bag') }))
      .map(([order_id, how]) => track('Order Refunded', { order_id, ...how })),
    id.map((order_id) => track('Order Cancelled', { order_id })),
  );
const change = changeOf(orderId);

const cart = fc.oneof(
  fc
    .tuple(product, fc.integer({ min: 1, max: 2 }))
    .map(([product_id, quantity]) => track('Product Added', { product_id, quantity, price: 9.75 })),
  product.map((product_id) => track('Product Removed', { product_id })),
  basket.map((products) => track('Checkout Started', { products: lines(...products), value: 30 })),
);
const consent = fc
  .tuple(
    fc.constantFrom('offers', 'offers', 'offers', 'news'),
    fc.constantFrom('double', 'single', 'soft'),
    fc.option(fc.integer({ min: -10 * DAY, max: 180 * DAY }), { freq: 5 }),
    fc.constantFrom(...new Array<string>(7).fill('Consent Granted'), 'Consent Withdrawn'),
    fc.boolean(),
  )
  .map(
    ([topic, basis, length, name, all]): Maker =>
      (id, at, now) => {
        if (name === 'Consent Withdrawn') return event(name, at, all ? { all: true } : { topic }, { id });
        return event(name, at, { topic, basis, ...(length !== null && { until: iso(now + length) }) }, { id });
      },
  );
const standing = fc.oneof(
  fc
    .tuple(fc.constantFrom('Case Opened', 'Case Closed'), fc.constantFrom('1', '2'))
    .map(([name, case_id]) => track(name, { case_id })),
  fc
    .constantFrom('Subscription Started', 'Subscription Cancelled')
    .map((name) => track(name, { subscription_id: 's' })),
  fc
    .constantFrom<JsonObject>(
      { 'rfm.recency': 4, 'loyalty.tier': 'gold' },
      { 'rfm.recency': 1, 'value.lifetime': 8001 },
      { 'predicted.orders': 0.5 },
    )
    .map(
      (properties): Maker =>
        (id, at) =>
          event('Scores Updated', at, properties, { id, source: 'kairos' }),
    ),
);
const attributes = fc
  .constantFrom<JsonObject>(
    { country: 'PL', plan: 'a' },
    { country: 'CZ', age: 30, tags: ['a', 'b'] },
    { country: null, tags: ['c'], plan: 'b' },
    { age: 17, vip: true, tags: null },
    { vip: false, plan: null },
    { tags: [], country: 'PL' },
    { tags: [null] },
    { timezone: 'Pacific/Chatham' },
    { timezone: 'Mars/Base', vip: true },
  )
  .map(
    (traits): Maker =>
      (id, at) =>
        event('Identified', at, {}, { id, traits }),
  );

/** What can happen, and the word by which a rule that reads it is known. */
const kinds: Record<string, [word: RegExp, make: fc.Arbitrary<Maker>]> = {
  purchase: [/Order Completed|orders\.|rhythm\./, purchase],
  view: [/Product Viewed/, view],
  ticket: [/Ticket Bought/, ticket],
  click: [/Email Clicked/, click],
  change: [/Order (Refunded|Cancelled)|orders\.returnedShare/, change],
  cart: [/cart\./, cart],
  consent: [/"consent"/, consent],
  standing: [/service\.|subscription\.|rfm\.|predicted\.|value\.|loyalty\./, standing],
  attributes: [/country|age|tags|vip|plan|birthday|createdAt/, attributes],
};
/** One thing of each kind: which of them it is, the rules decide. */
const anything = fc
  .tuple(fc.nat(100), fc.record(Object.fromEntries(Object.entries(kinds).map(([name, [, make]]) => [name, make]))))
  .map(([which, makers]) => (rules: string): Maker => {
    const read = Object.keys(kinds).filter((name) => kinds[name]?.[0].test(rules));
    const names = read.length === 0 || which % 8 === 0 ? Object.keys(kinds) : read;
    return makers[names[(which >> 3) % names.length] as string] as Maker;
  });

/** How far from a turn: at it, a millisecond beside it, some hours, or up to 200 days after it. */
const shift = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(0, 1, -1) },
  { weight: 1, arbitrary: fc.integer({ min: -48, max: 48 }).map((hours) => hours * HOUR) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 200 * 24 * 60 }).map((minutes) => minutes * MINUTE) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 30 * DAY }) },
);
const placed = (
  make: fc.Arbitrary<Placed['make']>,
  ahead: fc.Arbitrary<boolean> = fc.constant(false),
): fc.Arbitrary<Placed> => fc.record({ turn: fc.nat(50), shift, ahead, make });

const UNITS: Record<string, number> = { m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY };

/** All texts in rules. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

const lengthsOf = (texts: string[]): number[] =>
  texts.flatMap((text) => {
    const found = /^(\d+)([mhdw])$/.exec(text);
    return found === null ? [] : [Number(found[1]) * (UNITS[found[2] as string] as number)];
  });

/** The lengths of time, dates and calendar words in rules, as instants at which an event would turn them now. */
function turnsOf(rules: Record<string, Rule>, now: number, zones: string[]): number[] {
  const texts = textsOf(rules);
  const found = lengthsOf(texts).map((length) => now - length);
  for (const text of texts) {
    if (/^\d{4}-\d\d-\d\d/.test(text)) found.push(Date.parse(text), Date.parse(text) + DAY / 2);
    const unit = /(today|yesterday|week|month|quarter|year)$/.exec(text)?.[1];
    if (unit !== undefined) for (const zone of zones) found.push(...startsOf(unit, now, zone));
  }
  return found.length === 0 ? [now - DAY] : found;
}

/** Instants from now on, ascending, at which time may turn an answer: a window's length after an event, and midnights. */
export function edges({ now, rules, events, shopZone }: Life): number[] {
  const lengths = lengthsOf(textsOf(rules));
  const own = events.flatMap((one) => (one.traits.timezone as string | undefined) ?? []);
  const zones = new Set([shopZone, ...own.filter((zone) => ZONES.includes(zone))]);
  const days = Array.from({ length: 34 }, (_, i) => now + i * 6 * DAY);
  const midnights = [...zones].flatMap((zone) => days.flatMap((day) => startsOf('today', day, zone)));
  const given = events.flatMap(({ traits }) => [traits.birthday, traits.createdAt].flat());
  const texts = given.filter((one) => typeof one === 'string');
  const dated = texts.map((one) => Date.parse(one));
  const kept = texts.flatMap((one) => [...zones].flatMap((zone) => anniversariesOf(one, now, zone)));
  // What counters do not keep exactly leaves with its day.
  const dayEnds = events.length <= 64 ? [] : events.map((one) => (Math.floor(one.at / DAY) + 1) * DAY - 1);
  const stamps = [...events.map((one) => one.at), ...new Set(dayEnds), ...dated.filter((one) => one > 0)];
  const found = stamps.flatMap((at) => lengths.flatMap((length) => [at, at + length, at - length]));
  const near = [...midnights, ...Array.from({ length: 8 }, () => kept).flat()].flatMap((at) => [
    at,
    ...lengths.flatMap((length) => [at + length, at - length]),
  ]);
  const all = [...found, ...found, ...found, ...near].filter((at) => at > now && at < now + 200 * DAY);
  return [...all].sort((a, b) => a - b);
}

/** The midnights around the day of a date, in the year of now and the next. */
function anniversariesOf(text: string, now: number, zone: string): number[] {
  const [month, day] = text
    .slice(text.length === 7 ? 2 : 5)
    .split(/[-T]/)
    .map(Number);
  const year = new Date(now).getUTCFullYear();
  return [year, year + 1].flatMap((one) => {
    const date = Temporal.PlainDate.from({ year: one, month: month ?? 1, day: day ?? 1 });
    return [date, date.add({ days: 1 })].map((each) => each.toZonedDateTime(zone).epochMilliseconds);
  });
}

function startsOf(unit: string, now: number, zone: string): number[] {
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(zone).toPlainDate();
  const month = { month: today.month, quarter: today.month - ((today.month - 1) % 3), year: 1 }[unit];
  const start =
    month === undefined
      ? today.subtract({ days: unit === 'week' ? today.dayOfWeek - 1 : 0 })
      : today.with({ month, day: 1 });
  const length = { week: { days: 7 }, month: { months: 1 }, quarter: { months: 3 }, year: { years: 1 } }[unit] ?? {
    days: 1,
  };
  return [start, start.subtract(length)].map((one) => one.toZonedDateTime(zone).epochMilliseconds);
}

function place({ turn, shift, ahead }: Placed, now: number, turns: number[]): number {
  if (ahead) return now + (Math.abs(shift) % (5 * MINUTE)) + 1;
  const from = turns[turn % turns.length] as number;
  if (from + shift <= now) return from + shift;
  return now - (Math.abs(shift) % Math.max(now - from, HOUR));
}

/** A date attribute near a turn: as a date, without its year, as an instant. */
const dates = fc
  .tuple(
    fc.constantFrom('birthday', 'createdAt'),
    fc.nat(50),
    fc.constantFrom(-1, -1, 1, 1, 0),
    fc.integer({ min: -5, max: 200 }),
    fc.constantFrom('date', 'date', 'date', 'day', 'old', 'instant', 'leap', 'leap', 'both', 'none'),
  )
  .map(([name, turn, side, days, how]) => (id: string, now: number, turns: number[]) => {
    const away = side * (now - (turns[turn % turns.length] as number));
    const at = now + away + days * DAY;
    const texts: Record<string, Json> = {
      date: date(at),
      day: `-${date(at).slice(4)}`,
      old: `1987${date(at).slice(4)}`.replace('02-29', '02-28'),
      instant: iso(at + 5 * HOUR + 1),
      leap: '1988-02-29',
      both: [date(at), null, iso(at + 40 * DAY)],
      none: null,
    };
    return event('Identified', now - 400 * DAY + days, {}, { id, traits: { [name]: texts[how] as Json } });
  });

export interface Shape {
  /** Rules per life; 4 when not given. */
  rules?: number;
  /** Many events of one kind, so that counters hold more than they keep exactly. */
  burst?: boolean;
}

/** Rules, and a life in which most of them turn. */
export function lives({ rules: most = 4, burst = false }: Shape = {}): fc.Arbitrary<Life> {
  return fc.constantFrom(...NOWS).chain((now) => {
    const ids = Array.from({ length: most }, (_, i) => `s${i}`);
    const rules = ids.map((_, i) => ruleArbitrary(now, ids.slice(0, i), 2));
    const many = fc.oneof(view, view, purchaseOfItsOwn, purchaseOfItsOwn);
    const crowdId = fc.constantFrom('c0', 'c1', 'c2', 'c40', 'c64', 'c65', 'c70');
    const saidAgain = fc.tuple(crowdId, basket).map(
      ([id, products]): Maker =>
        (made, at) =>
          order(id, at - 40 * DAY, products, { id: made }),
    );
    const pair = fc.oneof(
      { weight: 3, arbitrary: many.map((make) => [make, make] as const) },
      { weight: 1, arbitrary: fc.tuple(many, many) },
    );
    const crowd = fc.tuple(
      fc.integer({ min: 66, max: 90 }),
      fc.constantFrom(11 * MINUTE, HOUR + 7, 7 * HOUR + 1, 17 * HOUR),
      pair,
      fc.array(fc.oneof(changeOf(crowdId), changeOf(crowdId), saidAgain), { maxLength: 6 }),
    );
    return fc
      .tuple(
        fc.tuple(...rules),
        fc.option(fc.constantFrom(...ZONES), { freq: 6 }),
        fc.constantFrom(...ZONES),
        fc.array(placed(anything), { minLength: 2, maxLength: 14 }),
        fc.array(
          placed(
            happening.map((make) => () => make),
            fc.constant(true),
          ),
          { maxLength: 1 },
        ),
        fc.array(dates, { minLength: 1, maxLength: 3 }),
        burst ? crowd : fc.constant(undefined),
      )
      .map(([asked, zone, shopZone, made, ahead, said, crowded]): Life => {
        const named = Object.fromEntries(asked.map((rule, i) => [ids[i] as string, rule]));
        const text = JSON.stringify(named);
        const own = zone ?? shopZone;
        const turns = turnsOf(named, now, [...new Set([own, shopZone])]);
        const traits: JsonObject = zone === null ? {} : { timezone: zone };
        const events = [event('Identified', now - 900 * DAY, {}, { id: 'known', traits })];
        [...made, ...ahead].forEach((one, i) => {
          events.push(one.make(text)(`e${i}`, place(one, now, turns), now));
        });
        said.forEach((one, i) => {
          events.push(one(`d${i}`, now, turns));
        });
        if (crowded !== undefined) {
          const [count, apart, [even, odd], changes] = crowded;
          for (let i = 0; i < count; i++) events.push((i % 2 === 0 ? even : odd)(`c${i}`, now - i * apart, now));
          changes.forEach((make, i) => {
            events.push(make(`u${i}`, now - i * DAY - 1, now));
          });
        }
        return { now, shopZone, rules: named, events: events.sort((a, b) => a.at - b.at) };
      });
  });
}

/** An order whose id is the event's. */
const purchaseOfItsOwn = basket.map(
  (products): Maker =>
    (id, at) =>
      order(id, at, products, { id }),
);

/** Something that answers all rules of a life at any instant from `now` on. */
export interface Engine {
  /** A character for each rule: 1 where it holds. */
  answers(now: number): string;
  /** The earliest instant after this one at which time alone can change an answer. */
  due(now: number): number;
}

/** What was recorded of a life, in the order given and all at `now`, and the engines that answer its rules. */
export interface Played {
  world: World;
  contact: Contact;
  ids: string[];
  /** Rules as closures. */
  closures: Engine;
  /** All rules at once. */
  index: Engine;
  /** Rules straight from what happened. */
  reference(now: number): string;
}

/** Plays a life through decisions. `rules` in place of its own: they are asked of the same past. */
export function played(life: Life, rules: Record<string, Rule> = life.rules, recorded = life.events): Played {
  const book = bookOf({ segments: rules, settings: { zone: life.shopZone } });
  const world = new World(book).record(recorded, { now: life.now });
  const contact = world.person();
  const ids = Object.keys(rules);
  const text = (answer: (id: string) => boolean): string => ids.map((id) => (answer(id) ? '1' : '0')).join('');
  const compiled = (id: string) => book.segments.find((one) => one.id === id)?.rule;
  const sight = (now: number) => {
    const seen = { ...sightOf(book, contact, now), inSegment: (id: string) => compiled(id)?.test(seen) ?? false };
    return seen;
  };
  const all = new RuleIndex(book.segments.map(({ id, rule }) => ({ id, node: rule.node })));
  const shop = { zone: life.shopZone, brand: book.brand, catalogue, segments: rules, isMoney: book.context.isMoney };
  return {
    world,
    contact,
    ids,
    closures: {
      answers: (now) => text(sight(now).inSegment),
      due: (now) => Math.min(...book.segments.map(({ rule }) => rule.next(sight(now)))),
    },
    index: {
      answers(now) {
        const found = all.answer(sight(now));
        return text((id) => found.has(id));
      },
      due: (now) => all.answer(sight(now)).due,
    },
    reference: (now) => text((id) => holds({ segment: id }, { id: contact.id, events: recorded }, now, shop)),
  };
}
