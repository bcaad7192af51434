// Facts: one result under any order and any repeats; merging; what a block, a withdrawal and a cart leave behind.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyBook } from '../../domain/book.ts';
import { type Contact, newContact, releaseMessage } from '../../domain/contact.ts';
import { decide } from '../../domain/decide.ts';
import { consentAt, foldSuppression, foldWithdrawal, pausedUntil, profilingStopped } from '../../domain/facts.ts';
import { linkContact } from '../../domain/identity.ts';
import type { Interaction } from '../../domain/interaction.ts';
import { isOlder, mergeContacts } from '../../domain/merge.ts';
import { bookOf, DAY, event, HOUR, instant, introduced, order, World } from '../support/people.ts';
import { life, NOW, seeded, segments, shuffledLife } from '../support/permutations.ts';

const book = bookOf({ segments });

describe('facts and membership at an instant', () => {
  test('any order and any repeats give one result, whenever the person becomes known', () => {
    fc.assert(
      fc.property(shuffledLife, ([events, shuffled]) => {
        const one = new World(book).record(events, { now: NOW }).person('ann');
        const other = new World(book).record(shuffled, { now: NOW });
        expect(other.person('ann').facts).toEqual(one.facts);
        expect(members(other.person('ann'))).toEqual(members(one));
      }),
      seeded(400),
    );
  });

  test('what was counted event by event equals what is counted anew from the past', () => {
    fc.assert(
      fc.property(shuffledLife, ([, shuffled]) => {
        const world = new World(book).record(shuffled, { now: NOW });
        const contact = world.person('ann');
        const unread: Contact = {
          ...contact,
          book: { hash: '', ordinal: 1, counters: 'other' },
          facts: { ...contact.facts, counters: {} },
        };
        const names = [...book.read];
        const rebuilt = decide(book, unread, { kind: 'publish' }, NOW, world.past(contact, names));
        if ('need' in rebuilt) throw new Error('the past was given');
        expect(rebuilt.contact.facts).toEqual(contact.facts);
      }),
      seeded(150),
    );
  });

  test('two parts of a life, merged in either direction, give one result', () => {
    const parts = fc.tuple(
      life,
      life.map((events) => events.map(elsewhere)),
    );
    fc.assert(
      fc.property(parts, ([a, b]) => {
        const one = new World(book).record(a, { now: NOW }).person('ann');
        const other = new World(book).record(b, { now: NOW }).person('ann');
        const first = mergeContacts({ ...one, id: 'a', createdAt: 1 }, { ...other, id: 'b', createdAt: 2 });
        const second = mergeContacts({ ...one, id: 'a', createdAt: 2 }, { ...other, id: 'b', createdAt: 1 });
        expect(first.contact.facts).toEqual(second.contact.facts);
        expect(first.contact.id).toBe('a');
        expect(second.contact.id).toBe('b');
      }),
      seeded(150),
    );
  });
});

/** The same event in another life: of other orders. */
function elsewhere(one: Interaction): Interaction {
  const { order_id } = one.properties;
  const properties = order_id === undefined ? one.properties : { ...one.properties, order_id: `b-${order_id}` };
  return { ...one, id: `b-${one.id}`, properties };
}

function members(contact: Contact): string[] {
  return Object.keys(contact.journey.segments)
    .filter((id) => contact.journey.segments[id]?.since !== undefined)
    .sort();
}

describe('given a block on an address', () => {
  const contact = new World(bookOf()).record(introduced('2026-03-01')).person();
  const hash = contact.facts.addressHash ?? '';

  test('it holds for the address that the contact has, and for no other', () => {
    expect(foldSuppression(contact, { addressHash: hash, reason: 'bounced', at: 5 }).facts.suppressed).toEqual({
      reason: 'bounced',
      at: 5,
    });
    expect(foldSuppression(contact, { addressHash: 'another', reason: 'bounced', at: 5 })).toBe(contact);
  });

  test('the earliest stays, whatever came first', () => {
    const late = foldSuppression(contact, { addressHash: hash, reason: 'bounced', at: 9 });
    const early = foldSuppression(late, { addressHash: hash, reason: 'complained', at: 5 });
    expect(early.facts.suppressed).toEqual({ reason: 'complained', at: 5 });
    expect(foldSuppression(early, { addressHash: hash, reason: 'bounced', at: 9 })).toBe(early);
  });

  test('a new address lifts it, the same address said again does not', () => {
    const world = new World(bookOf()).record(introduced('2026-03-01'));
    const blocked = foldSuppression(world.person(), { addressHash: hash, reason: 'bounced', at: 5 });
    world.contacts.set(blocked.id, blocked);
    world.record([event('Identified', '2026-03-02', {}, { id: 'same', user: 'ann', address: 'ann@mail.example' })]);
    expect(world.person().facts.suppressed?.reason).toBe('bounced');
    world.record([event('Identified', '2026-03-03', {}, { id: 'other', user: 'ann', address: 'new@mail.example' })]);
    expect(world.person().facts.suppressed).toBeUndefined();
    expect(world.person().facts.address?.value).toBe('new@mail.example');
  });

  test('what is stored against an address that is claimed is taken over with it', () => {
    const stored = {
      suppression: { reason: 'complained' as const, at: 7 },
      withdrawals: [{ brand: 'shop', at: instant('2026-04-01') }],
    };
    const interaction = event('Identified', '2026-03-03', {}, { user: 'ann', address: 'new@mail.example' });
    const linked = linkContact(contact, [`address#${interaction.who.address}`]);
    const decided = decide(
      bookOf(),
      linked,
      { kind: 'interaction', interaction, address: stored },
      instant('2026-04-02'),
    );
    if ('need' in decided) throw new Error('nothing is counted');
    expect(decided.contact.facts.suppressed).toEqual({ reason: 'complained', at: 7 });
    expect(consentAt(decided.contact.facts, 'shop', 'offers', 'email', instant('2026-04-02'))).toBeUndefined();
  });

  test('an address that somebody else holds is not taken, nor what stands against it', () => {
    const interaction = event('Identified', '2026-03-03', {}, { user: 'ann', address: 'bob@mail.example' });
    const address = { suppression: { reason: 'complained' as const, at: 7 } };
    const decided = decide(bookOf(), contact, { kind: 'interaction', interaction, address }, instant('2026-04-02'));
    if ('need' in decided) throw new Error('nothing is counted');
    expect(decided.contact.facts.address?.value).toBe('ann@mail.example');
    expect(decided.contact.facts.suppressed).toBeUndefined();
  });

  test('an imported withdrawal ends earlier consents, and a later consent ends it', () => {
    const withdrawn = foldWithdrawal(contact, 'shop', instant('2026-03-02'));
    expect(consentAt(withdrawn.facts, 'shop', 'offers', 'email', NOW)).toBeUndefined();
    expect(consentAt(contact.facts, 'shop', 'offers', 'email', NOW)?.basis).toBe('double');
    const earlier = foldWithdrawal(contact, 'shop', instant('2026-02-01'));
    expect(consentAt(earlier.facts, 'shop', 'offers', 'email', NOW)?.granted).toBe(true);
  });
});

describe('given what a person wants', () => {
  const at = instant('2026-03-02');
  const until = (days: number) => new Date(at + days * DAY).toISOString();
  const facts = (...said: Interaction[]) => new World(bookOf()).record(said, { now: at + 90 * DAY }).person().facts;
  const pause = (when: number, days: number, id = `p${days}`) =>
    event('Pause Requested', when, { brand: 'shop', until: until(days) }, { id });

  test('a pause holds until its instant, for its brand', () => {
    const paused = facts(pause(at, 30));
    expect(pausedUntil(paused, 'shop', at)).toBe(at + 30 * DAY);
    expect(pausedUntil(paused, 'shop', at + 30 * DAY - 1)).toBe(at + 30 * DAY);
    expect(pausedUntil(paused, 'shop', at + 30 * DAY)).toBeUndefined();
    expect(pausedUntil(paused, 'outlet', at)).toBeUndefined();
    expect(pausedUntil(paused, 'constructor', at)).toBeUndefined();
    expect(facts(event('Identified', at)).pauses).toBeUndefined();
  });

  test('the latest word on it counts, whether it came first or last, longer or shorter', () => {
    const end = event('Pause Ended', at + HOUR, { brand: 'shop' }, { id: 'end' });
    expect(pausedUntil(facts(pause(at, 30), end), 'shop', at + HOUR)).toBeUndefined();
    expect(pausedUntil(facts(end, pause(at, 30)), 'shop', at + HOUR)).toBeUndefined();
    expect(pausedUntil(facts(pause(at, 30), pause(at + HOUR, 7)), 'shop', at)).toBe(at + 7 * DAY);
    expect(pausedUntil(facts(end, pause(at + 2 * HOUR, 7)), 'shop', at)).toBe(at + 7 * DAY);
  });

  test('of one instant the wish to be left alone wins', () => {
    const end = (id: string) => event('Pause Ended', at, { brand: 'shop' }, { id });
    for (const id of ['a', 'z']) {
      expect(pausedUntil(facts(pause(at, 30), end(id)), 'shop', at)).toBe(at + 30 * DAY);
      expect(pausedUntil(facts(end(id), pause(at, 30)), 'shop', at)).toBe(at + 30 * DAY);
      const words = [
        event('Profiling Stopped', at, { brand: 'shop' }),
        event('Profiling Allowed', at, { brand: 'shop' }, { id }),
      ];
      expect(profilingStopped(facts(...words), 'shop')).toBe(true);
      expect(profilingStopped(facts(...words.reverse()), 'shop')).toBe(true);
    }
    expect(pausedUntil(facts(pause(at, 7), pause(at, 30)), 'shop', at)).toBe(at + 30 * DAY);
  });

  test('profiling is stopped for a brand until it is allowed again', () => {
    const stop = event('Profiling Stopped', at, { brand: 'shop' });
    const allow = event('Profiling Allowed', at + 1000, { brand: 'shop' });
    expect(profilingStopped(facts(stop), 'shop')).toBe(true);
    expect(profilingStopped(facts(stop), 'outlet')).toBe(false);
    expect(profilingStopped(facts(allow, stop), 'shop')).toBe(false);
  });

  test('without a brand it is said of the first', () => {
    const said = facts(event('Pause Requested', at, { until: until(3) }), event('Profiling Stopped', at));
    expect(Object.keys({ ...said.pauses, ...said.profiling })).toEqual(['shop']);
  });

  test('what was said before anything was published counts for the first brand then', () => {
    const world = new World(emptyBook()).record([
      event('Pause Requested', at, { until: until(30) }),
      event('Profiling Stopped', at, {}),
      event('Profiling Allowed', at + 1000, { brand: 'shop' }),
    ]);
    expect(Object.keys(world.person().facts.pauses ?? {})).toEqual(['']);
    world.publish(bookOf(), at + HOUR);
    expect(pausedUntil(world.person().facts, 'shop', at)).toBe(at + 30 * DAY);
    expect(world.person().facts.profiling).toEqual({ shop: expect.objectContaining({ stopped: false }) });
    expect(Object.keys(world.person().facts.pauses ?? {})).toEqual(['shop']);
  });

  const words = fc.array(
    fc
      .tuple(
        fc.constantFrom('Pause Requested', 'Pause Ended', 'Profiling Stopped', 'Profiling Allowed'),
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom('shop', 'outlet'),
        fc.integer({ min: 0, max: 3 }),
      )
      .map(([name, hour, brand, days]) => ({
        name,
        when: at + hour * HOUR,
        properties: { brand, until: until(days) },
      })),
    { minLength: 1, maxLength: 12 },
  );
  const spoken = words.map((said) => said.map((one, i) => event(one.name, one.when, one.properties, { id: `w${i}` })));

  test('any order, any repeats and any division between two contacts give one result', () => {
    const cases = spoken.chain((said) =>
      fc.tuple(
        fc.constant(said),
        fc.shuffledSubarray(said, { minLength: said.length, maxLength: said.length }),
        fc.array(fc.boolean(), { minLength: said.length, maxLength: said.length }),
      ),
    );
    fc.assert(
      fc.property(cases, ([said, shuffled, sides]) => {
        const wanted = ({ pauses, profiling }: Contact['facts']) => ({ pauses, profiling });
        const expected = wanted(facts(...said));
        expect(wanted(facts(...shuffled, ...shuffled.slice(0, 3)))).toEqual(expected);
        const part = (side: boolean, id: string) => {
          const own = said.filter((_, i) => sides[i] === side);
          const person =
            own.length === 0 ? newContact(id, 1) : new World(bookOf()).record(own, { now: at + 90 * DAY }).person();
          return { ...person, id };
        };
        for (const [a, b] of [
          [part(true, 'a'), part(false, 'b')],
          [part(false, 'a'), part(true, 'b')],
        ] as const)
          expect(wanted(mergeContacts(a, b).contact.facts)).toEqual(expected);
      }),
      seeded(200),
    );
  });
});

describe('given two contacts that are one person', () => {
  const made = (id: string, createdAt: number, change: (contact: Contact) => void = () => {}): Contact => {
    const contact = newContact(id, createdAt);
    contact.aliases = [`user#${id}`];
    change(contact);
    return contact;
  };

  test('the older survives; of the same age, the one with the smaller id', () => {
    expect(isOlder(made('b', 1), made('a', 2))).toBe(true);
    expect(isOlder(made('a', 1), made('b', 1))).toBe(true);
    const { contact, tombstone } = mergeContacts(made('b', 2), made('a', 1));
    expect(contact).toMatchObject({ id: 'a', aliases: ['user#a', 'user#b'] });
    expect(tombstone).toMatchObject({ id: 'b', mergedInto: 'a', aliases: ['user#b'], facts: newContact('b', 2).facts });
  });

  const run = (id: string, at: number) => ({
    id,
    campaign: 'hello',
    version: 'v',
    occurrence: id,
    startedAt: 0,
    at: 1,
    from: 0,
    trigger: { name: 'X', id, at: 0, properties: {} },
    counters: {},
    pending: [{ id: `message-${id}`, at }],
  });
  const pair = (at: number) =>
    ['a', 'b'].map((id, i) =>
      made(id, i, ({ journey }) => {
        journey.runs = [run(id, at)];
        journey.sends = [{ at, id: `message-${id}` }];
        journey.starts = { hello: i };
        journey.due = 100 - i;
      }),
    ) as [Contact, Contact];

  test('of two live runs of one campaign one stops, and its message is taken back where it stands', () => {
    const { contact, drops } = mergeContacts(...pair(50), 20);
    expect(contact.journey.runs.map((one) => one.id)).toEqual(['a']);
    expect(drops).toEqual([{ id: 'message-b', reason: 'merged', contact: 'b' }]);
    expect(contact.journey.sends.map((one) => one.id)).toEqual(['message-a']);
    expect(contact.journey).toMatchObject({ starts: { hello: 1 }, due: 99 });
  });

  test('how often each was passed over adds up, and of a cap the later winner is kept', () => {
    const skips = (times: number, at: number, winner: string) => (contact: Contact) => {
      contact.journey.skips = { hello: { 'frequency-cap': [times, at, winner] } };
    };
    const [early, late] = [made('a', 1, skips(2, 10, 'welcome')), made('b', 2, skips(3, 20, 'birthday'))] as const;
    const added = { hello: { 'frequency-cap': [5, 20, 'birthday'] } };
    expect(mergeContacts(early, late).contact.journey.skips).toEqual(added);
    const [older, younger] = [made('a', 1, skips(3, 20, 'birthday')), made('b', 2, skips(2, 10, 'welcome'))] as const;
    expect(mergeContacts(older, younger).contact.journey.skips).toEqual(added);
  });

  test('a message that may have gone out keeps its place under the caps', () => {
    expect(mergeContacts(...pair(50), 50).contact.journey.sends).toHaveLength(2);
    expect(mergeContacts(...pair(50)).contact.journey.sends).toHaveLength(2);
  });

  test('runs of several campaigns, or of several products, go on beside each other', () => {
    const [a, b] = pair(50);
    b.journey.runs = [
      { ...run('b', 50), product: 'bag' },
      { ...run('c', 50), campaign: 'other' },
    ];
    const { contact, drops } = mergeContacts(a, b);
    expect(contact.journey.runs.map((one) => one.id)).toEqual(['a', 'b', 'c']);
    expect(contact.journey.runs[1]?.pending).toEqual([{ id: 'message-b', at: 50, contact: 'b' }]);
    expect(drops).toEqual([]);
  });

  test('of two blocks on one address the earlier stays, whoever is older', () => {
    const blocked = (id: string, createdAt: number, at: number) =>
      made(id, createdAt, ({ facts }) =>
        Object.assign(facts, {
          addressHash: 'h',
          address: { value: 'x', at: 1, id: '1' },
          suppressed: { reason: 'bounced', at },
        }),
      );
    expect(mergeContacts(blocked('a', 1, 9), blocked('b', 2, 5)).contact.facts.suppressed?.at).toBe(5);
    expect(mergeContacts(blocked('a', 2, 9), blocked('b', 1, 5)).contact.facts.suppressed?.at).toBe(5);
  });

  test('a segment that one of them was in is not entered anew', () => {
    const inside = (id: string, createdAt: number, since?: number) =>
      made(id, createdAt, ({ journey }) => {
        journey.segments = { vip: since === undefined ? { entries: 2 } : { since, entries: 1 } };
      });
    expect(mergeContacts(inside('a', 1), inside('b', 2, 7)).contact.journey.segments.vip).toEqual({
      since: 7,
      entries: 3,
    });
  });
});

test('a message that is dropped gives back its place under the caps', () => {
  const contact = newContact('a', 1);
  contact.journey.sends = [
    { at: 1, id: 'x' },
    { at: 2, id: 'y' },
  ];
  expect(releaseMessage(contact, 'x').journey.sends).toEqual([{ at: 2, id: 'y' }]);
  expect(releaseMessage(contact, 'z')).toBe(contact);
});

test('a contact keeps the newest 100 products that were bought', () => {
  const world = new World(bookOf());
  for (let i = 0; i < 120; i++)
    world.record([order(`${i}`, instant('2026-01-01') + i, [`p${String(i).padStart(3, '0')}`])]);
  const bought = Object.keys(world.person().facts.bought).sort();
  expect(bought).toHaveLength(100);
  expect(bought[0]).toBe('p020');
});
