// Campaigns that compete for one person, under any order of events, ticks, walks, versions and merges.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Campaign, Step } from '../../domain/campaign-grammar.ts';
import { drawOf } from '../../domain/draw.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { Interaction } from '../../domain/interaction.ts';
import { durationMs, localTime } from '../../domain/time.ts';
import {
  bookOf,
  catalogue,
  DAY,
  event,
  HOUR,
  instant,
  introduced,
  type Kept,
  MINUTE,
  marketing,
  type Parts,
  published,
  World,
} from '../support/people.ts';
import { NOW, pauses, seeded, segments, shuffledLife } from '../support/permutations.ts';

const did = (name: string | string[], more: object = {}): Rule => ({ did: name, ...more }) as Rule;
const viewed: Campaign['when'] = { did: 'Product Viewed' };
const everybody: Rule = { not: { has: { country: 'XX' } } };

/** Every `when`, every kind of step, priorities from 0 to 100, patience under caps; some hold half of the people out. */
const campaigns: Record<string, Campaign> = {
  urgent: marketing({ when: viewed, priority: 100, steps: [{ send: 'urgent' }], triggerAge: '60d' }),
  cart: marketing({
    when: { did: ['Checkout Started', 'Product Added'] },
    restartOn: { did: ['Checkout Started', 'Product Added'] },
    stopIf: did('Order Completed', { since: 'run start' }),
    priority: 80,
    ifCapped: 'wait 2d',
    again: 'after 2d',
    steps: [{ wait: '1h' }, { send: 'cart', variants: { a: 30, b: 70 } }, { wait: '23h' }, { send: 'cart' }],
    success: { did: 'Order Completed', within: '5d', value: 'revenue' },
    triggerAge: '60d',
  }),
  loud: marketing({
    when: { did: ['Product Removed', 'Identified', 'Cart Viewed'] },
    quiet: 'ignore',
    triggerAge: '60d',
    steps: [{ send: 'loud' }],
  }),
  late: marketing({
    when: viewed,
    priority: 10,
    ifCapped: 'wait 9d',
    steps: [{ send: 'late' }, { wait: { until: 'tuesday 10:00' } }, { send: 'later' }],
    triggerAge: '60d',
  }),
  lines: marketing({
    when: { did: 'Order Completed', each: 'products' },
    priority: 40,
    ifCapped: 'wait 5d',
    holdout: 50,
    steps: [
      { wait: '2d' },
      { send: 'line' },
      { split: { left: 50, right: 50 }, left: [{ send: 'left' }], right: [{ wait: '1d' }, { send: 'right' }] } as never,
    ],
    triggerAge: '30d',
  }),
  spent: marketing({
    when: { enters: 'spenders' },
    priority: 60,
    holdout: 50,
    steps: [
      { set: { plan: 'gold' } },
      { notify: 'Call Wanted', with: { plan: '@contact.plan' } },
      { send: 'spent' },
      { waitFor: did('Called'), upTo: '3d', then: [{ send: 'called' }], else: [{ send: 'not-called' }] },
    ],
  }),
  golden: marketing({ when: { changes: 'plan' }, priority: 30, ifCapped: 'wait 3d', steps: [{ send: 'golden' }] }),
  answered: marketing({ when: { did: 'Call Wanted' }, priority: 70, steps: [{ wait: '2h' }, { send: 'answered' }] }),
  gone: marketing({
    when: { leaves: 'recent' },
    holdout: 50,
    priority: 55,
    ifCapped: 'wait 1d',
    steps: [{ send: 'gone' }],
  }),
  sleepy: marketing({
    when: { enters: 'gone' },
    priority: 5,
    steps: [{ send: 'sleepy' }, { rest: 'offers', until: { did: 'Product Viewed' }, why: 'asleep' }],
  }),
  born: marketing({
    when: { date: 'birthday', at: '22:30' },
    priority: 90,
    ifCapped: 'wait 1d',
    steps: [{ send: 'born' }],
  }),
  empty: marketing({
    when: { due: 'replenishment', before: '3d' },
    priority: 45,
    ifCapped: 'wait 2d',
    steps: [{ send: 'empty' }],
  }),
  letter: marketing({
    when: { every: 'tuesday 10:00', clock: 'contact', to: everybody },
    priority: 20,
    ifCapped: 'wait 12h',
    steps: [{ send: 'letter', test: { variants: ['a', 'b'], share: 30, for: '4h', winner: 'clicked' } }],
  }),
  back: marketing({
    kind: 'requested',
    when: { product: 'back in stock', watchedBy: { did: 'Product Viewed', inLast: '180d' } },
    steps: [{ send: 'back' }],
  }),
  cheaper: marketing({
    when: { product: 'price drop', by: { atLeast: '10%' }, watchedBy: { did: 'Product Viewed', inLast: '90d' } },
    priority: 65,
    holdout: 50,
    expires: '6h',
    steps: [{ send: 'cheaper' }],
  }),
};
const films = { ...catalogue.products, film: { ...catalogue.products.film, lastsFor: '20d' } } as never;
const caps = [
  { most: 1, in: '1d' },
  { most: 3, in: '7d' },
];
const quietHours = { from: '20:30', to: '08:15' };
const parts: Parts = { segments, campaigns, settings: { caps, quietHours }, catalogue: { products: films } };
/** The same with other steps, to which runs move, and where one is stopped. */
const edited: Parts = {
  ...parts,
  campaigns: {
    ...campaigns,
    late: {
      ...campaigns.late!,
      onNewVersion: 'move',
      steps: [{ send: 'first' }, ...campaigns.late!.steps, { send: 'late' }],
    },
    lines: {
      ...campaigns.lines!,
      onNewVersion: 'move',
      holdout: 0,
      steps: [...campaigns.lines!.steps, { wait: '1d' }, { send: 'line' }],
    },
    spent: { ...campaigns.spent!, onNewVersion: 'stop', priority: 20 },
  },
};

interface Story {
  events: Interaction[];
  pauses: number[];
  zone: string;
  start: string;
  /** What else happens after an event: by its number. */
  beside: ('book' | 'turn' | 'drop' | 'tick' | 'publish' | 'nothing')[];
}
const stories: fc.Arbitrary<Story> = fc.record({
  events: shuffledLife.map(([, shuffled]) => shuffled),
  pauses,
  zone: fc.constantFrom('Europe/Warsaw', 'Australia/Lord_Howe', 'Asia/Kolkata', 'America/New_York', 'Pacific/Apia'),
  start: fc.constantFrom('2026-03-25 10:00', '2026-06-15 12:00', '2026-09-28 20:00'),
  beside: fc.array(
    fc.constantFrom<Story['beside'][number]>('book', 'book', 'turn', 'drop', 'tick', 'publish', 'nothing'),
    {
      minLength: 20,
      maxLength: 20,
    },
  ),
});

/** Stops sending, or lets it go on, for all. */
function halt(world: World, stopped: boolean): void {
  const { stopped: _, ...controls } = world.book.controls;
  const stop = { by: 'test', at: 0, why: 'a test' };
  world.book = { ...world.book, controls: stopped ? { ...controls, stopped: stop } : controls };
}

/** What else happens to somebody at an instant. */
function happens(world: World, what: Story['beside'][number], at: number, versions: boolean): void {
  const product = {
    kind: 'turn',
    product: 'bag',
    turn: `turn ${at}`,
    at,
    properties: {},
    watchedAt: at - DAY,
  } as const;
  const date = new Date(at).toISOString().slice(0, 10);
  if (what === 'tick') world.tick(world.person('ann').id, at);
  if (what === 'book') world.give({ kind: 'book', campaign: 'letter', occurrence: date, at: at + 5 * HOUR }, at, 'ann');
  if (what === 'turn') world.give({ ...product, campaign: 'back' }, at, 'ann');
  if (what === 'drop') world.give({ ...product, campaign: 'cheaper' }, at, 'ann');
  if (what === 'publish' && versions) {
    const { ordinal } = world.book.definitions;
    const [next, before] = ordinal % 2 === 1 ? [edited, parts] : [parts, edited];
    const retired = Object.entries(before.campaigns ?? {})
      .map(([id, campaign]) => published(id, campaign))
      .filter(({ id, version }) => version !== published(id, next.campaigns![id]!).version);
    world.publish(bookOf({ ...next, retired, ordinal: ordinal + 1 }), at, { walk: ordinal % 4 < 2 });
  }
}

function tell(
  story: Story,
  how: {
    linked?: boolean;
    rechecks?: boolean;
    versions?: boolean;
    each?: (world: World, from: number, until: number) => void;
  } = {},
): World {
  const start = instant(story.start);
  const world = new World(bookOf(parts));
  world.rechecks = how.rechecks ?? false;
  const birthday = new Date(start + 4 * DAY).toISOString().slice(0, 10);
  world.record(introduced(start, { zone: story.zone }));
  world.record([event('Identified', start + 1, {}, { id: 'born', user: 'ann', traits: { birthday } })]);
  let now = start + 1;
  story.events
    .filter((one) => how.linked || (one.id !== 'link' && one.who.anonymous === undefined))
    .forEach((one, i) => {
      const before = now;
      now += (story.pauses[i % story.pauses.length] as number) + i;
      how.each?.(world, before, now);
      // Two times out of five, so that what waits comes out together.
      if (how.rechecks) halt(world.until(now - 1), i % 5 === 1 || i % 5 === 2);
      world.record([{ ...one, at: Math.min(one.at - NOW + start + 30 * DAY, now) }], { now });
      happens(world, story.beside[i % story.beside.length]!, ++now, how.versions ?? false);
    });
  how.each?.(world, now, now + 3 * DAY);
  halt(world, false);
  return world.until(now + 90 * DAY);
}

const sentOf = (world: World): Kept[] => [...world.messages.values()].filter(({ state }) => state === 'sent');

/**
 * No window of a cap's length that ends with a message holds more marketing than it allows, as counted by `at`. Two people
 * who became one at `bond` are counted apart before, and together from then on. `late`: how much later than its place a
 * message may go out.
 */
function expectCaps(messages: Kept[], at: (message: Kept) => number, bond = Number.POSITIVE_INFINITY, late = 0): void {
  const marketed = messages.filter(({ kind }) => kind === 'marketing').sort((a, b) => at(a) - at(b));
  for (const { most, in: window } of caps) {
    const length = durationMs(window) - late;
    for (const last of marketed) {
      const inside = marketed.filter(
        (one) =>
          at(one) > at(last) - length && at(one) <= at(last) && (at(last) >= bond || one.contact === last.contact),
      );
      const told = inside.map((one) => `${one.contact} ${one.email} ${new Date(at(one)).toISOString()}`);
      expect(told.length, `${most} in ${window}: ${told.join(', ')}`).toBeLessThanOrEqual(most);
    }
  }
}

function expectDay(messages: Kept[], zone: string, at: (message: Kept) => number): void {
  for (const one of messages.filter((each) => !each.ignoresQuiet)) {
    const { minutes } = localTime(at(one), zone);
    expect(minutes >= 8 * 60 + 15 && minutes < 20 * 60 + 30, `${one.email} at ${minutes}`).toBe(true);
  }
}

/** Runs that were held out leave ghosts and nothing else, and take no place under a cap. */
function expectGhosts(world: World): number {
  const out = new Set(world.decisions.filter(({ kind }) => kind === 'hold out').map(({ run }) => run));
  for (const { run, state } of world.messages.values()) expect(state === 'ghost').toBe(out.has(run));
  const ghosts = new Set([...world.messages.values()].filter(({ state }) => state === 'ghost').map(({ id }) => id));
  for (const { journey } of world.contacts.values()) {
    expect(journey.sends.filter(({ id }) => ghosts.has(id))).toEqual([]);
    for (const run of journey.runs) expect(run.heldOut !== undefined).toBe(out.has(run.id));
  }
  for (const notice of world.notices) expect(out.has(notice.run)).toBe(false);
  for (const { kind, run } of world.decisions) if (kind === 'set' || kind === 'rest') expect(out.has(run)).toBe(false);
  return ghosts.size;
}

describe('under any order of events, ticks, walks and versions', () => {
  test('no cap is broken, nothing is planned in quiet hours, and who gives way gives way to something more important', () => {
    const seen = { planned: 0, gaveWay: 0, ghosts: 0 };
    fc.assert(
      fc.property(stories, (story) => {
        const world = tell(story, { versions: true });
        const sent = sentOf(world);
        expectCaps(sent, ({ plannedAt }) => plannedAt);
        expectDay(sent, story.zone, ({ plannedAt }) => plannedAt);
        seen.ghosts += expectGhosts(world);
        seen.planned += sent.length;
        const priorityOf = (id: string, version?: string): number =>
          (world.book.version.get(`${id}@${version}`) ?? world.book.campaign.get(id))?.priority as number;
        const lost = [...world.messages.values()].filter(({ droppedFor }) => droppedFor?.startsWith('frequency-cap'));
        seen.gaveWay += lost.length;
        for (const { campaign, droppedFor, version } of lost) {
          const [, winner = ''] = /^frequency-cap: (.+) came first$/.exec(droppedFor ?? '') ?? [];
          const best = Math.max(...[parts, edited].map(({ campaigns: all }) => all?.[winner]?.priority ?? 50));
          expect(best).toBeGreaterThan(priorityOf(campaign, version));
        }
        for (const decision of world.decisions.filter(({ reason }) => reason === 'frequency-cap')) {
          expect(decision.winner).toBeDefined();
          expect(campaigns).toHaveProperty(decision.winner as string);
        }
      }),
      seeded(150),
    );
    expect(seen.planned).toBeGreaterThan(500);
    expect(seen.gaveWay).toBeGreaterThan(20);
    expect(seen.ghosts).toBeGreaterThan(50);
  });

  test('what the sender sends keeps the caps and the quiet hours too, also where two people turn out to be one', () => {
    const seen = { sent: 0, merges: 0, putOff: 0 };
    fc.assert(
      fc.property(stories, (story) => {
        const world = tell(story, { linked: true, rechecks: true, versions: true });
        const person = world.person('ann');
        const sent = sentOf(world);
        expectDay(sent, story.zone, ({ sentAt }) => sentAt as number);
        expectGhosts(world);
        seen.sent += sent.length;
        seen.putOff += sent.filter(({ sentAt, plannedAt }) => (sentAt as number) > plannedAt).length;
        const merged = [...world.contacts.values()].filter(({ mergedInto }) => mergedInto !== undefined);
        seen.merges += merged.length;
        const bond = Math.min(...merged.map(({ id }) => world.mergedAt.get(id) as number), Number.POSITIVE_INFINITY);
        expectCaps(sent, ({ sentAt }) => sentAt as number, bond, 15 * MINUTE);
        expect(person.mergedInto).toBeUndefined();
      }),
      seeded(150),
    );
    expect(seen.sent).toBeGreaterThan(500);
    expect(seen.merges).toBeGreaterThan(50);
    expect(seen.putOff).toBeGreaterThan(50);
  });

  test('the same stimuli give the same messages, decisions and contact', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const [one, other] = [tell(story, { versions: true }), tell(story, { versions: true })];
        expect(other.mail()).toEqual(one.mail());
        expect(other.decisions).toEqual(one.decisions);
        expect(other.person('ann')).toEqual(one.person('ann'));
      }),
      seeded(15),
    );
  });

  test('a person whose draw holds them out of a campaign gets nothing of it, in any version that holds out', () => {
    const steps: Step[] = [{ send: 'line' }, { wait: '1d' }, { send: 'line' }];
    const one = (more: Partial<Campaign> = {}) =>
      marketing({ when: viewed, holdout: 50, steps, triggerAge: '60d', onNewVersion: 'move', ...more });
    const ids = Array.from({ length: 12 }, (_, i) => `campaign-${i}`);
    const of = (more: Partial<Campaign>) => Object.fromEntries(ids.map((id) => [id, one(more)]));
    let out = 0;
    fc.assert(
      fc.property(stories, fc.array(fc.nat(11), { minLength: 3, maxLength: 3 }), (story, changes) => {
        const world = new World(bookOf({ campaigns: of({}) })).record(introduced(story.start));
        let now = instant(story.start);
        for (const [i, each] of story.events
          .filter(({ who }) => who.anonymous === undefined && who.user !== undefined)
          .entries()) {
          now += (story.pauses[i % story.pauses.length] as number) + 1;
          world.record(
            [{ ...each, at: Math.min(each.at, now) }, event('Product Viewed', now, {}, { id: `view ${i}` })],
            { now },
          );
          if (!changes.includes(i)) continue;
          const retired = ids.map((id) => published(id, one({ priority: i })));
          world.publish(
            bookOf({ campaigns: of({ priority: i + 20 }), retired, ordinal: world.book.definitions.ordinal + 1 }),
            ++now,
          );
        }
        world.until(now + 30 * DAY);
        for (const { campaign, contact, state } of world.messages.values()) {
          expect(state === 'ghost').toBe(drawOf('holdout/1', campaign, contact) < 50);
          out += state === 'ghost' ? 1 : 0;
        }
      }),
      seeded(40),
    );
    expect(out).toBeGreaterThan(100);
  });
});

describe('the due instant', () => {
  test('is never late: to look every quarter of an hour gives the same messages as to look when it is due', () => {
    let messages = 0;
    fc.assert(
      fc.property(stories, fc.nat(14), (story, offset) => {
        const usual = tell(story, { versions: true });
        const restless = tell(story, {
          versions: true,
          each: (world, from, until) => {
            for (let at = from - (from % (15 * MINUTE)) + (15 + offset) * MINUTE; at < until; at += 15 * MINUTE) {
              world.until(at - 1);
              world.tick(world.person('ann').id, at);
            }
          },
        });
        messages += usual.messages.size;
        expect(restless.mail()).toEqual(usual.mail());
        expect(restless.dropped()).toEqual(usual.dropped());
        expect(restless.person('ann').journey.segments).toEqual(usual.person('ann').journey.segments);
      }),
      seeded(40),
    );
    expect(messages).toBeGreaterThan(200);
  });
});
