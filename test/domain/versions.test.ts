// New versions of a campaign under runs that are on their way: they finish, move or stop; and the many runs of one contact.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Campaign, Step } from '../../domain/campaign-grammar.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { Json } from '../../domain/interaction.ts';
import { placeAfterMove, placesIn, stepsWithoutPlace } from '../../domain/move.ts';
import { MOST_RUNS } from '../../domain/start.ts';
import { contactItem, readContact } from '../../functions/aws/table.ts';
import {
  bookOf,
  DAY,
  event,
  HOUR,
  instant,
  introduced,
  marketing,
  order,
  type Parts,
  published,
  World,
} from '../support/people.ts';
import { seeded } from '../support/permutations.ts';

const START = '2026-03-01 10:00';
const AT = '2026-03-02 10:00';
const did = (name: string | string[], more: object = {}): Rule => ({ did: name, ...more }) as Rule;
const called = (at: string | number) => event('Service Called', at, { topic: 'lens' });
const campaign = (steps: Step[], more: Partial<Campaign> = {}): Campaign =>
  marketing({ when: { did: 'Service Called' }, steps, ...more });

/** A world that goes from one version of the one campaign to the next. */
class Versions {
  readonly world: World;
  #now: Campaign;
  #before: Campaign[] = [];
  #ordinal = 1;
  readonly #parts: Parts;

  constructor(first: Campaign, parts: Parts = {}) {
    this.#now = first;
    this.#parts = parts;
    this.world = new World(bookOf({ ...parts, campaigns: { one: first } })).record([...introduced(START), called(AT)]);
  }

  to(next: Campaign, at: string | number, said: { walk?: boolean } = {}): this {
    this.#before.push(this.#now);
    this.#now = next;
    this.#ordinal++;
    const { version } = published('one', next);
    const retired = this.#before.map((each) => published('one', each)).filter((each) => each.version !== version);
    const since = { one: this.#ordinal };
    const parts = { ...this.#parts, campaigns: { one: next }, retired, ordinal: this.#ordinal, since };
    const moment = typeof at === 'string' ? instant(at) : at;
    this.world.until(moment - 1).publish(bookOf(parts), moment, said);
    return this;
  }

  mail(until = '2026-06-01'): string[] {
    return this.world.until(until).mail();
  }
}

const programOf = (steps: Step[]) => bookOf({ campaigns: { one: campaign(steps) } }).campaigns[0]!.program;
const wait = (days: number): Step => ({ wait: `${days}d` });
const send = (name: string): Step => ({ send: name });
const asks = (then: Step[], otherwise?: Step[]): Step => ({
  if: { has: { vip: true } },
  then,
  ...(otherwise === undefined ? {} : { else: otherwise }),
});
const until = (then: Step[], otherwise: Step[] = [wait(1)]): Step => ({
  waitFor: did('Order Completed', { since: 'run start' }),
  upTo: '5d',
  then,
  else: otherwise,
});
const split = (branches: Record<string, Step[]>): Step => {
  const names = Object.keys(branches);
  return { split: Object.fromEntries(names.map((name) => [name, 100 / names.length])), ...branches } as unknown as Step;
};

describe('given a new version while a run waits', () => {
  const first = campaign([send('one'), wait(2), send('two')]);
  const next = (more: Partial<Campaign>) => campaign([send('one'), wait(5), send('zwei')], more);

  test('it finishes as it began where nothing is said, and where that is said', () => {
    for (const more of [{}, { onNewVersion: 'finish' as const }]) {
      const versions = new Versions(first).to(next(more), '2026-03-03');
      expect(versions.mail()).toEqual(['one 2026-03-02 10:00', 'two 2026-03-04 10:00']);
    }
  });

  test('it stops at once where that is said, and what waits of it is taken back', () => {
    const settings = { quietHours: { from: '09:00', to: '20:00' }, zone: 'UTC' };
    const versions = new Versions(campaign([send('late')]), { settings }).to(
      next({ onNewVersion: 'stop' }),
      '2026-03-02 12:00',
    );
    expect(versions.mail()).toEqual([]);
    expect(versions.world.dropped()).toEqual(['late: a new version of the campaign']);
    expect(
      new Versions(first)
        .to(next({ onNewVersion: 'stop' }), '2026-03-03')
        .world.said('one')
        .at(-1),
    ).toBe('stop: a new version of the campaign');
  });

  test('it moves where that is said: the wait that is under way keeps its end, what follows is the new one’s', () => {
    const versions = new Versions(first).to(next({ onNewVersion: 'move' }), '2026-03-03');
    expect(versions.mail()).toEqual(['one 2026-03-02 10:00', 'zwei 2026-03-04 10:00']);
    expect(versions.world.kept().map(({ version }) => version)).toEqual([
      published('one', first).version,
      published('one', next({ onNewVersion: 'move' })).version,
    ]);
  });

  test('what the newest says counts, not what the one in which it runs said', () => {
    const versions = new Versions(campaign(first.steps, { onNewVersion: 'move' })).to(next({}), '2026-03-03');
    expect(versions.mail()).toEqual(['one 2026-03-02 10:00', 'two 2026-03-04 10:00']);
  });

  test('a campaign that is gone lets its runs finish while the version is kept', () => {
    const world = new World(bookOf({ campaigns: { one: first } })).record([...introduced(START), called(AT)]);
    world
      .publish(bookOf({ retired: [published('one', first)], ordinal: 2 }), '2026-03-03')
      .record([called('2026-03-03 12:00')]);
    expect(world.until('2026-04-01').mail()).toEqual(['one 2026-03-02 10:00', 'two 2026-03-04 10:00']);
  });
});

describe('given a run that moves', () => {
  const move = (steps: Step[], more: Partial<Campaign> = {}) => campaign(steps, { onNewVersion: 'move', ...more });

  test.each<[why: string, before: Step[], after: Step[], mail: string[]]>([
    ['a step before it was inserted', [wait(2), send('b')], [send('a'), wait(2), send('b')], ['b 2026-03-04 10:00']],
    [
      'a step behind it was inserted',
      [wait(2), send('b')],
      [wait(2), send('a'), send('b')],
      ['a 2026-03-04 10:00', 'b 2026-03-04 10:00'],
    ],
    ['a step behind it was removed', [wait(2), send('a'), send('b')], [wait(2), send('b')], ['b 2026-03-04 10:00']],
    [
      'a send that it has passed stands behind it now',
      [send('a'), wait(2), send('b')],
      [wait(2), send('b'), send('a')],
      ['a 2026-03-02 10:00', 'b 2026-03-04 10:00'],
    ],
    [
      'a mail that was said twice is said three times',
      [send('a'), wait(2), send('a')],
      [send('a'), wait(2), send('a'), wait(1), send('a')],
      ['a 2026-03-02 10:00', 'a 2026-03-04 10:00', 'a 2026-03-05 10:00'],
    ],
    [
      'its wait is gone, and it has no place: it goes on in its own version',
      [wait(2), send('b')],
      [send('b'), send('c')],
      ['b 2026-03-04 10:00'],
    ],
    [
      'a branch was wrapped around what follows',
      [wait(2), send('b')],
      [wait(2), asks([send('vip')], [send('b')])],
      ['b 2026-03-04 10:00'],
    ],
    [
      'it waits in a branch, of which the other changed',
      [asks([send('vip')], [wait(2), send('b')])],
      [asks([wait(9), send('vip')], [wait(2), send('b'), send('c')])],
      ['b 2026-03-04 10:00', 'c 2026-03-04 10:00'],
    ],
    [
      'it waits in a branch that is behind another question now',
      [asks([send('vip')], [wait(2), send('b')])],
      [asks([send('x')]), asks([send('vip')], [wait(2), send('b')])],
      ['b 2026-03-04 10:00'],
    ],
    [
      'it waits in a branch that is gone',
      [asks([send('vip')], [wait(2), send('b')])],
      [asks([send('vip')]), send('c')],
      ['b 2026-03-04 10:00'],
    ],
    [
      'the question for which it waits has another time now: it keeps its own',
      [until([send('a')], [send('b')])],
      [{ ...until([send('a')], [send('c')]), upTo: '9d' } as Step],
      ['c 2026-03-07 10:00'],
    ],
  ])('%s', (_, before, after, mail) => {
    const versions = new Versions(campaign(before)).to(move(after), '2026-03-03');
    expect([...versions.mail()].sort()).toEqual([...mail].sort());
  });

  test('a message that quiet hours hold back is planned once, and what follows counts from it', () => {
    const settings = { quietHours: { from: '09:00', to: '20:00' }, zone: 'UTC' };
    const versions = new Versions(campaign([send('a'), wait(1), send('b')]), { settings });
    versions.to(move([send('x'), send('a'), wait(2), send('b')]), '2026-03-02 12:00');
    expect(versions.mail()).toEqual(['a 2026-03-02 20:00', 'b 2026-03-04 20:00']);
  });

  test('it moves with the event that finds it first, and its new rules know of that event', () => {
    const stops = { stopIf: did('Order Completed', { since: 'run start' }) };
    const versions = new Versions(campaign([wait(5), send('a')])).to(move([wait(5), send('a')], stops), '2026-03-03', {
      walk: false,
    });
    versions.world.record([order('1', '2026-03-03 12:00', ['bag'])]);
    expect(versions.world.said('one').at(-1)).toBe('stop: stopIf');
    expect(versions.mail()).toEqual([]);
  });

  test('its new rules know of what happened since the run began, and of nothing before', () => {
    const stops = { stopIf: did('Order Completed', { since: 'run start' }) };
    const played = (at: string): string[] => {
      const versions = new Versions(campaign([wait(5), send('a')]));
      versions.world.record([order('1', at, ['bag'])], { now: '2026-03-02 12:00' });
      return versions.to(move([wait(5), send('a')], stops), '2026-03-03').mail();
    };
    expect(played('2026-03-02 11:00')).toEqual([]);
    expect(played('2026-03-01 11:00')).toEqual(['a 2026-03-07 10:00']);
  });

  test('a question that it comes to in the new version knows of what happened while it waited', () => {
    const versions = new Versions(campaign([wait(2), send('a')]));
    versions.world.record([order('1', '2026-03-02 12:00', ['bag'])]);
    versions.to(move([wait(2), until([send('bought')], [send('not')])]), '2026-03-03');
    expect(versions.mail()).toEqual(['bought 2026-03-04 10:00']);
  });

  test('a held-out person stays held out, also where the new version holds out nobody; and nobody else becomes it', () => {
    const steps = [send('a'), wait(2), send('b')];
    const out = new Versions(campaign(steps, { holdout: 50 }));
    const one = new Versions(campaign(steps));
    // "c1" is in the first half of this campaign's draw: both begin alike but for the share.
    expect(out.world.mail()).toEqual(['ghost a 2026-03-02 10:00']);
    expect(out.to(move(steps), '2026-03-03').mail()).toEqual(['ghost a 2026-03-02 10:00', 'ghost b 2026-03-04 10:00']);
    expect(one.to(move(steps, { holdout: 50 }), '2026-03-03').mail()).toEqual([
      'a 2026-03-02 10:00',
      'b 2026-03-04 10:00',
    ]);
  });

  test('what it tells others under the same place in two versions are two notices', () => {
    const tell = (name: string): Step => ({ notify: name });
    const versions = new Versions(campaign([send('a'), tell('First'), wait(2), send('b')]));
    versions.to(move([wait(2), tell('Second')]), '2026-03-03').mail();
    expect(versions.world.notices.map(({ event: name }) => name)).toEqual(['First', 'Second']);
    expect(new Set(versions.world.notices.map(({ id }) => id)).size).toBe(2);
  });

  test('back to the version before, it goes on there', () => {
    const first = move([wait(2), send('a'), wait(2), send('b')]);
    const versions = new Versions(first)
      .to(move([wait(2), send('a'), wait(9), send('c')]), '2026-03-03')
      .to(first, '2026-03-05');
    expect(versions.mail()).toEqual(['a 2026-03-04 10:00', 'b 2026-03-13 10:00']);
  });
});

describe('the places of one program in another', () => {
  test.each<[why: string, before: Step[], after: Step[], places: number[]]>([
    ['the same', [send('a'), wait(1), send('b')], [send('a'), wait(9), send('b')], [0, 1, 2, 3]],
    ['one inserted', [send('a'), wait(1), send('b')], [send('a'), send('x'), wait(1), send('b')], [0, 2, 3, 4]],
    ['one removed', [send('a'), wait(1), send('b')], [send('a'), send('b')], [0, -1, 1, 2]],
    ['nothing left', [send('a'), wait(1)], [send('x')], [-1, -1, 1]],
    [
      'reordered: as many as can keep their order',
      [send('a'), send('b'), send('c')],
      [send('c'), send('a'), send('b')],
      [1, 2, -1, 3],
    ],
    [
      'of branches of one name, in their order',
      [asks([wait(1)]), asks([wait(2)])],
      [asks([wait(2)]), asks([wait(1)])],
      [0, 1, 2, 3, 4, 5, 6],
    ],
    ['no place in another branch', [asks([wait(1)], [send('a')])], [asks([send('a')], [wait(1)])], [0, -1, 2, -1, 4]],
    [
      'branches by their names',
      [split({ left: [wait(1)], right: [wait(2)] })],
      [split({ right: [wait(2)], left: [wait(1)] })],
      [0, -1, -1, 1, 4],
    ],
    [
      'branches may be named by numbers',
      [split({ '10': [wait(1)], '20': [wait(2)] })],
      [split({ '20': [wait(2)], '30': [wait(1)] })],
      [0, -1, -1, 1, 4],
    ],
  ])('%s', (_, before, after, places) => {
    expect(placesIn(programOf(before), programOf(after))).toEqual(places);
  });

  test('a run that waits stands behind its wait', () => {
    const [before, after] = [programOf([send('a'), wait(1), send('b')]), programOf([wait(1), send('x'), send('b')])];
    expect(placeAfterMove(before, after, 2, true)).toBe(1);
    expect(placeAfterMove(before, after, 2, false)).toBe(2);
    expect(placeAfterMove(before, after, 0, false)).toBeUndefined();
  });

  test('steps at which runs may stand and that are gone are told', () => {
    const before = programOf([send('a'), { set: { vip: true } }, asks([wait(1)], [send('b')]), until([send('c')])]);
    expect(stepsWithoutPlace(before, before)).toEqual([]);
    expect(stepsWithoutPlace(before, programOf([send('a')]))).toEqual([
      '2.then.0',
      '2.else.0',
      '3',
      '3.then.0',
      '3.else.0',
    ]);
  });
});

const names = ['a', 'b', 'c'];
const leaf: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...names).map(send) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 4 }).map(wait) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ set: { vip: true } }, { notify: 'Told' }, { stop: 'enough' }) },
);
const some = (step: fc.Arbitrary<Step>) => fc.array(step, { minLength: 1, maxLength: 3 });
const nested: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: leaf },
  { weight: 1, arbitrary: fc.tuple(some(leaf), some(leaf)).map(([a, b]) => asks(a, b)) },
  { weight: 1, arbitrary: fc.tuple(some(leaf), some(leaf)).map(([a, b]) => until(a, b)) },
  { weight: 1, arbitrary: fc.tuple(some(leaf), some(leaf)).map(([left, right]) => split({ left, right })) },
);
const program = fc.array(nested, { minLength: 2, maxLength: 7 });
/** A program after an edit: steps inserted, removed, or in another order. */
const edited = (steps: Step[]): fc.Arbitrary<Step[]> =>
  fc.oneof(
    fc.tuple(fc.nat(steps.length), nested).map(([at, step]) => [...steps.slice(0, at), step, ...steps.slice(at)]),
    fc.nat(Math.max(0, steps.length - 1)).map((at) => (steps.length < 2 ? steps : steps.filter((_, i) => i !== at))),
    fc.shuffledSubarray(steps, { minLength: Math.max(1, steps.length - 1), maxLength: steps.length }),
    program,
  );
const lives = program.chain((first) =>
  edited(first).chain((second) =>
    fc.tuple(edited(second), fc.boolean()).map(([third, back]) => [first, second, third, ...(back ? [first] : [])]),
  ),
);

test('over any versions no run plans a send twice, no held-out run is written to, and every run comes to its end', () => {
  let [moved, messages, ghosts] = [0, 0, 0];
  const words = fc.array(fc.constantFrom<'finish' | 'move' | 'stop'>('move', 'move', 'move', 'move', 'finish'), {
    minLength: 4,
    maxLength: 4,
  });
  const gaps = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(lives, words, gaps, fc.boolean(), fc.boolean(), (versions, onNewVersion, hours, orders, out) => {
      const made = versions.map((steps, i) =>
        campaign(steps, { onNewVersion: onNewVersion[i]!, holdout: out ? 50 : 0, again: 'every time' }),
      );
      const play = new Versions(made[0]!, {
        settings: { quietHours: { from: '21:00', to: '08:00' }, caps: [{ most: 2, in: '1d' }] },
      });
      let at = instant(AT);
      made.slice(1).forEach((next, i) => {
        at += (hours[i] as number) * HOUR;
        if (orders && i === 0) play.world.record([order('1', at - 30 * 60_000, ['bag'])]);
        play.to(next, at, { walk: i % 2 === 0 });
        play.world.record([called(at + 1)]);
      });
      play.world.until(at + 120 * DAY);
      expect(play.world.person().journey.runs.filter(({ ended }) => ended === undefined)).toEqual([]);
      const kept = [...play.world.messages.values()];
      const keys = kept.map(({ run, key }) => `${run} ${key}`);
      expect(new Set(keys).size).toBe(keys.length);
      expect(kept.every(({ state }) => (state === 'ghost') === out)).toBe(true);
      // A run that is moved back and forth may come to a step of one version twice: that is the same notice, told once.
      const { notices } = play.world;
      const steps = notices.map(({ run, version, step }) => `${run} ${version} ${step}`);
      expect(new Set(notices.map(({ id }) => id)).size).toBe(new Set(steps).size);
      messages += kept.length;
      ghosts += kept.filter(({ state }) => state === 'ghost').length;
      const byRun = new Map<string, Set<string>>();
      for (const { run, version } of kept) byRun.set(run, (byRun.get(run) ?? new Set()).add(version));
      moved += [...byRun.values()].filter((each) => each.size > 1).length;
    }),
    seeded(400),
  );
  expect(moved).toBeGreaterThan(20);
  expect(messages).toBeGreaterThan(200);
  expect(ghosts).toBeGreaterThan(80);
});

describe('given a contact with as many runs as one may have', () => {
  const lines = marketing({
    when: { did: 'Order Completed', each: 'products' },
    stopIf: did('Order Refunded', { since: 'run start' }),
    steps: [{ wait: '300d' }, { send: 'again' }],
    again: 'once per product',
    triggerAge: '30d',
  });
  const other = marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'seen' }] });
  const products = (from: number, count: number) => Array.from({ length: count }, (_, i) => `product-${from + i}`);

  /** Text that no packing makes smaller. */
  function noise(seed: number, length: number): string {
    let state = seed * 2654435761;
    let text = '';
    while (text.length < length) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      text += String.fromCharCode(33 + ((state >>> 16) % 90));
    }
    return text;
  }
  /** So many orders, each of one product, each with so much that it says beside. */
  function crowded(runs: number, said: (i: number) => Record<string, Json> = () => ({})): World {
    const world = new World(bookOf({ campaigns: { lines, other } })).record(introduced(START));
    const at = instant(AT);
    for (let i = 0; i < runs; i++)
      world.record([order(`${i}`, at + i * 60_000, [`product-${i}`], { properties: said(i) })]);
    return world;
  }
  const stored = (contact: Contact) => {
    const item = contactItem(contact, 1, 32);
    const sizes = Object.values(item).map((value) =>
      value instanceof Uint8Array ? value.length : Buffer.byteLength(JSON.stringify(value) ?? ''),
    );
    return { bytes: sizes.reduce((sum, size) => sum + size, 0), contact: readContact(item as never).value };
  };

  test('no more start, which is said; the contact goes on, and what ends makes room', () => {
    const world = new World(bookOf({ campaigns: { lines, other } })).record(introduced(START));
    for (let i = 0; i < 5; i++) world.record([order(`${i}`, instant(AT) + i * HOUR, products(i * 50, 50))]);
    expect(world.person().journey.runs).toHaveLength(MOST_RUNS);
    expect(world.said('lines').filter((said) => said === 'skip: too many runs')).toHaveLength(50);
    world.record([event('Product Viewed', '2026-03-03', { product_id: 'bag' })]);
    expect(world.said('other')).toEqual(['skip: too many runs']);
    world.record([event('Order Refunded', '2026-03-04', { order_id: '1' })]);
    expect(world.person().journey.runs).toEqual([]);
    world.record([event('Product Viewed', '2026-03-05', { product_id: 'bag' })]);
    expect(world.mail()).toEqual(['seen 2026-03-05 00:00']);
  });

  test('all come to their ends at their time', () => {
    const world = crowded(MOST_RUNS).until('2027-03-01');
    expect(world.mail()).toHaveLength(MOST_RUNS);
    expect(world.person().journey.runs.filter(({ ended }) => ended === undefined)).toEqual([]);
  });

  test('it is stored in one item and read again as it was', () => {
    const contact = crowded(MOST_RUNS).person();
    const { bytes, contact: read } = stored(contact);
    expect(read).toEqual(contact);
    expect(bytes).toBeLessThan(400_000);
  });

  test.each<[string, (i: number) => Record<string, Json>]>([
    ['one long text each', (i) => ({ note: noise(i + 1, 3_000) })],
    [
      'many short texts each',
      (i) => Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`note-${n}`, noise(i * 1000 + n, 250)])),
    ],
    [
      'large lines',
      (i) => ({
        products: Array.from({ length: 40 }, (_, n) => ({
          product_id: n === 0 ? `product-${i}` : `x${i}`,
          name: noise(i * 100 + n, 118),
        })),
      }),
    ],
  ])('also where its orders say much: %s', (_, said) => {
    const contact = crowded(MOST_RUNS, said).person();
    expect(contact.journey.runs).toHaveLength(MOST_RUNS);
    expect(stored(contact).bytes).toBeLessThan(400_000);
    const { properties } = contact.journey.runs.at(-1)!.trigger;
    expect(properties).toMatchObject({ order_id: expect.any(String), currency: 'EUR' });
  });

  test('what never starts again is remembered beside any number of orders', () => {
    const once = marketing({ when: { did: 'Product Viewed' }, again: 'never', steps: [{ send: 'seen' }] });
    const each = marketing({
      when: { did: 'Order Completed' },
      again: 'once per order',
      steps: [{ stop: 'at once' }],
      triggerAge: '30d',
    });
    const world = new World(bookOf({ campaigns: { once, each } })).record(introduced(START));
    const view = (at: number) => event('Product Viewed', at, { product_id: 'bag' });
    world.record([view(instant(AT))]);
    for (let i = 0; i < 600; i++) world.record([order(`${i}`, instant(AT) + (i + 1) * 60_000, ['bag'])]);
    world.record([view(instant(AT) + 2 * DAY)]);
    expect(world.mail()).toHaveLength(1);
    expect(Object.keys(world.person().journey.starts).length).toBeLessThan(600);
  });

  test('an empty contact of old is read as it is', () => {
    const contact = newContact('c1', 1);
    expect(stored(contact).contact).toEqual(contact);
  });
});
