// Stories of steps: what is set, told and drawn on the way; rests, alternatives and their tests; waits that begin anew.
import { describe, expect, test } from 'vitest';
import { compileBook } from '../../domain/book.ts';
import type { Campaign, Step } from '../../domain/campaign-grammar.ts';
import { drawOf } from '../../domain/draw.ts';
import type { Rule } from '../../domain/grammar.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import {
  bookOf,
  DAY,
  event,
  HOUR,
  instant,
  introduced,
  MINUTE,
  marketing,
  order,
  type Parts,
  published,
  World,
} from '../support/people.ts';

const START = '2026-03-01 10:00';
const AT = '2026-03-02 10:00';
const did = (name: string | string[], more: object = {}): Rule => ({ did: name, ...more }) as Rule;

/** Ann, who may be written to, in a world with these definitions. */
function ann(parts: Parts): World {
  return new World(bookOf(parts)).record(introduced(START));
}
const called = (at: string | number, properties: JsonObject = {}) => event('Service Called', at, properties);
const viewed = (at: string, product_id = 'bag') => event('Product Viewed', at, { product_id });
const onCall = (steps: Campaign['steps'], more: Partial<Campaign> = {}): Campaign =>
  marketing({ when: { did: 'Service Called' }, steps, ...more });
const one = (steps: Campaign['steps'], more: Partial<Campaign> = {}, parts: Parts = {}): Parts => ({
  ...parts,
  campaigns: { one: onCall(steps, more), ...parts.campaigns },
});
const play = (parts: Parts): World => ann(parts).record([called(AT)]);

/** The first of many names under which the draws of the contact "c1" are as they should be. */
function nameWhere(holds: (name: string) => boolean): string {
  for (let i = 0; i < 10_000; i++) if (holds(`campaign-${i}`)) return `campaign-${i}`;
  throw new Error('no name has such a draw');
}
const heldOut = nameWhere((name) => drawOf('holdout/1', name, 'c1') < 10);
const treated = nameWhere((name) => drawOf('holdout/1', name, 'c1') >= 10);

describe('given a step that sets attributes', () => {
  test('they are the contact’s from then on, as of that instant', () => {
    const world = play(one([{ wait: '1d' }, { set: { plan: 'gold', vip: true } }])).until('2026-03-04');
    const at = instant('2026-03-03 10:00');
    expect(world.person().facts.attributes).toMatchObject({ plan: { value: 'gold', at }, vip: { value: true, at } });
    expect(world.said('one')).toContain('set: plan = gold, vip = true');
  });

  test('segments see it a moment later', () => {
    const world = play(one([{ set: { plan: 'gold' } }], {}, { segments: { golden: { has: { plan: 'gold' } } } }));
    expect(world.members()).toEqual([]);
    expect(world.person().journey.due).toBe(instant(AT) + 1);
    world.until('2026-03-02 11:00');
    expect(world.members()).toEqual(['golden']);
    expect(world.person().journey.due).toBeUndefined();
  });

  test('so do questions of the same run, and of others in the same decision, whichever comes first', () => {
    const golden: Rule = { has: { plan: 'gold' } };
    const asks: Step = { if: golden, then: [{ send: 'golden' }], else: [{ send: 'plain' }] };
    const campaigns = {
      before: onCall([asks]),
      one: onCall([{ set: { plan: 'gold' } }, asks, { wait: '1m' }, asks]),
      then: onCall([asks]),
    };
    const world = play({ campaigns });
    expect(world.mail().sort()).toEqual(Array(3).fill('plain 2026-03-02 10:00'));
    expect(world.until('2026-03-03').mail().at(-1)).toBe('golden 2026-03-02 10:01');
  });

  test('a later word of the person stands over it, an earlier one does not', () => {
    const said = (at: string, plan: string, now?: string) => ({
      events: [event('Identified', at, {}, { id: plan, user: 'ann', traits: { plan } })],
      ...(now === undefined ? {} : { now }),
    });
    const world = play(one([{ set: { plan: 'gold' } }]));
    world.record(said('2026-03-02 09:00', 'early').events, { now: '2026-03-02 12:00' });
    expect(world.person().facts.attributes.plan?.value).toBe('gold');
    world.record(said('2026-03-02 13:00', 'late').events);
    expect(world.person().facts.attributes.plan?.value).toBe('late');
  });

  test('what two campaigns set in one decision: the run that goes later stands', () => {
    const campaigns = { a: onCall([{ set: { plan: 'a' } }]), b: onCall([{ set: { plan: 'b' } }]) };
    const world = play({ campaigns });
    const last = world.decisions.filter(({ kind }) => kind === 'set').at(-1)?.campaign;
    expect(world.person().facts.attributes.plan?.value).toBe(last);
  });

  test('to set what is there already is no change, but since when it is given is seen', () => {
    const lately = { has: { plan: 'gold', 'plan.givenAt': { inLast: '3d' } } } as Rule;
    const changed = marketing({ when: { changes: 'plan' }, steps: [{ send: 'changed' }] });
    const world = ann(one([{ set: { plan: 'gold' } }], {}, { segments: { lately }, campaigns: { changed } }));
    world.record([event('Identified', AT, {}, { id: 'plan', user: 'ann', traits: { plan: 'gold' } })]);
    expect(world.until('2026-03-06').members()).toEqual([]);
    world.record([called('2026-03-06 10:00')]).until('2026-03-06 11:00');
    expect(world.members()).toEqual(['lately']);
    expect(world.until('2026-03-10').members()).toEqual([]);
    expect(world.mail()).toEqual(['changed 2026-03-02 10:00']);
    expect(world.person().journey.due).toBeUndefined();
  });
});

describe('given a step that tells others', () => {
  const tell: Step = {
    notify: 'Call Wanted',
    with: {
      channel: 'phone',
      city: '@contact.country',
      topic: '@trigger.topic',
      product: '@product.name',
      none: '@contact.age',
    },
  };

  test('they are told what they need, and what is not known is left out', () => {
    const world = ann(one([tell]));
    world.record([
      event('Identified', START, {}, { id: 'country', user: 'ann', traits: { country: 'PL' } }),
      called(AT, { topic: 'lens', product_id: 'camera' }),
    ]);
    expect(world.notices).toEqual([
      expect.objectContaining({
        contact: 'c1',
        campaign: 'one',
        step: '0',
        event: 'Call Wanted',
        at: instant(AT),
        hops: 1,
        properties: { channel: 'phone', city: 'PL', topic: 'lens', product: 'Camera' },
      }),
    ]);
    expect(world.said('one')).toContain('notify: Call Wanted');
  });

  test('it comes back as an event of that name, which other campaigns start by', () => {
    const parts = one(
      [tell],
      {},
      {
        campaigns: {
          answer: marketing({ when: { did: 'Call Wanted', where: { channel: 'phone' } }, steps: [{ send: 'soon' }] }),
        },
      },
    );
    expect(play(parts).until('2026-03-03').mail()).toEqual(['soon 2026-03-02 10:01']);
  });

  test('a circle of notices comes to its end', () => {
    const campaigns = {
      ping: marketing({ when: { did: ['Service Called', 'Pong'] }, steps: [{ notify: 'Ping' }] }),
      pong: marketing({ when: { did: 'Ping' }, steps: [{ notify: 'Pong' }] }),
    };
    const world = play({ campaigns }).until('2026-04-01');
    expect(world.notices.map(({ event: name, hops }) => `${name} ${hops}`)).toEqual([
      'Ping 1',
      'Pong 2',
      'Ping 3',
      'Pong 4',
      'Ping 5',
      'Pong 6',
    ]);
  });

  test('each notice has an id of its own, the same whenever the step is done', () => {
    const steps: Step[] = [{ notify: 'A' }, { notify: 'A' }, { notify: 'B' }];
    const ids = play(one(steps)).notices.map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    expect(play(one(steps)).notices.map(({ id }) => id)).toEqual(ids);
  });
});

describe('given a topic that rests', () => {
  const resting = (until: object): Parts =>
    one(
      [{ rest: 'offers', until, why: 'not read for a year' } as Step, { send: 'never' }],
      {},
      {
        campaigns: {
          offer: marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'offer' }] }),
          thanks: marketing({ kind: 'service', when: { did: 'Product Viewed' }, steps: [{ send: 'thanks' }] }),
          news: marketing({ topic: 'news', when: { did: 'Product Viewed' }, steps: [{ send: 'news' }] }),
        },
      },
    );
  const agreed = event('Consent Granted', START, { topic: 'news' }, { id: 'news' });
  const ordered = (at: string) => order('1', at, ['bag']);

  test('marketing of that topic is skipped until the person returns, everything else goes on', () => {
    const world = ann(resting({ did: ['Email Clicked', 'Order Completed'] })).record([
      agreed,
      called(AT),
      viewed('2026-03-03'),
    ]);
    expect(world.mail().sort()).toEqual(['news 2026-03-03 00:00', 'thanks 2026-03-03 00:00']);
    expect(world.said('one')).toContain('rest: "offers" rests: not read for a year');
    expect(world.said('one')).toContain('skip: "offers" rests');
    expect(world.said('offer')).toContain('skip: "offers" rests');
    world.record([ordered('2026-03-04'), viewed('2026-03-05')]);
    expect(world.person().journey).not.toHaveProperty('rests');
    expect(world.mail()).toContain('offer 2026-03-05 00:00');
  });

  test('only what happened after it counts as a return, and only what is meant', () => {
    const world = ann(resting({ did: 'Order Completed', where: { revenue: { atLeast: 100 } } })).record([called(AT)]);
    world.record([order('early', '2026-03-02 09:59', ['camera'])], { now: '2026-03-02 12:00' });
    world.record([order('small', '2026-03-02 13:00', ['bag'])]);
    expect(world.person().journey.rests).toMatchObject({ offers: { campaign: 'one', since: instant(AT) } });
    world.record([order('large', '2026-03-02 14:00', ['camera'])]);
    expect(world.person().journey).not.toHaveProperty('rests');
  });

  test('the very event that brings the person back may start a campaign of that topic', () => {
    const world = ann(resting({ did: 'Product Viewed' })).record([called(AT), viewed('2026-03-03')]);
    expect(world.mail()).toContain('offer 2026-03-03 00:00');
  });
});

describe('given a step that stops', () => {
  test('the run ends there, and says why', () => {
    const world = play(one([{ stop: 'enough said' }, { send: 'never' }]));
    expect(world.said('one')).toEqual(['start: Service Called', 'stop: enough said']);
    expect(world.person().journey.runs).toEqual([]);
  });
});

describe('given a split', () => {
  const steps = (a: Step[], b: Step[]): Step[] => [
    { split: { a: 50, b: 50 }, a, b } as unknown as Step,
    { send: 'after' },
  ];
  const drawn = (name: string) => (drawOf('split/1', `${name}|0`, 'c1') < 50 ? 'a' : 'b');
  const names = { a: nameWhere((name) => drawn(name) === 'a'), b: nameWhere((name) => drawn(name) === 'b') };

  test.each(['a', 'b'] as const)('by lot into %s, and on behind it', (branch) => {
    const campaign = onCall(steps([{ send: 'mail-a' }], [{ send: 'mail-b' }]));
    const world = play({ campaigns: { [names[branch]]: campaign } });
    expect(
      world
        .mail()
        .map((mail) => mail.slice(0, 6))
        .sort(),
    ).toEqual(['after ', `mail-${branch}`]);
  });

  test.each([
    ['a', ['after', 'end']],
    ['b', ['stop']],
  ] as const)('branches may wait and stop: %s', (branch, expected) => {
    const campaign = onCall(steps([{ wait: '2d' }], [{ stop: 'not for them' }]));
    const world = play({ campaigns: { [names[branch]]: campaign } }).until('2026-04-01');
    const said = world.decisions.slice(1).map(({ kind, reason }) => (kind === 'send' ? reason : kind));
    expect(said).toEqual(expected);
  });

  test('a branch without weight is nobody’s, one with all is everybody’s', () => {
    for (const name of Object.values(names)) {
      const split = { split: { a: 0, b: 100 }, a: [{ send: 'mail-a' }], b: [{ send: 'mail-b' }] } as unknown as Step;
      expect(play({ campaigns: { [name]: onCall([split]) } }).mail()).toEqual(['mail-b 2026-03-02 10:00']);
    }
  });
});

describe('given alternatives of a mail', () => {
  const name = nameWhere(
    (id) => drawOf('variant/1', `${id}|hello`, 'c1') >= 80 && drawOf('variant/1', `${id}|hello_2`, 'c1') < 80,
  );

  test('one is drawn by weight for each send, and kept on the message', () => {
    const send: Step = { send: 'hello', variants: { a: 80, b: 20 } };
    const world = play({ campaigns: { [name]: onCall([send, send]) } });
    const told = Object.fromEntries(
      world.kept().map(({ key, email, variant, test: tested }) => [key, [email, variant, tested]]),
    );
    expect(told).toEqual({ hello: ['hello', 'b', undefined], hello_2: ['hello', 'a', undefined] });
  });

  test('a mail without any has none', () => {
    expect(play(one([{ send: 'hello' }])).kept()[0]).not.toHaveProperty('variant');
  });
});

describe('given a test of alternatives', () => {
  const tested = (id: string) => drawOf('test/1', `${id}|hello`, 'c1') < 20;
  const lot = (id: string) => (drawOf('variant/1', `${id}|hello`, 'c1') < 50 ? 'a' : 'b');
  const inside = nameWhere((id) => tested(id) && lot(id) === 'b');
  const outside = nameWhere((id) => !tested(id) && lot(id) === 'b');
  const steps: Step[] = [
    { send: 'hello', test: { variants: ['a', 'b'], share: 20, for: '4h', winner: 'clicked' } },
    { wait: '1d' },
    { send: 'after' },
  ];
  const parts = (id: string, more: Partial<Campaign> = {}): Parts => ({ campaigns: { [id]: onCall(steps, more) } });
  /** Tells the world what the test of the one campaign has come to. */
  function decideTest(world: World, id: string, winner: string | null, occurrence = ''): World {
    const { definitions, hash, controls } = world.book;
    const key = `${id}@${world.book.campaign.get(id)?.version}|hello${occurrence}`;
    world.book = compileBook(definitions, hash, { ...controls, tests: { [key]: { winner, at: 0 } } });
    return world;
  }

  test('those with whom it is made get one by lot at once, and their message says so', () => {
    const world = play(parts(inside));
    expect(world.mail()).toEqual(['hello 2026-03-02 10:00']);
    const version = world.book.campaign.get(inside)?.version;
    expect(world.kept()[0]).toMatchObject({ variant: 'b', test: `${inside}@${version}|hello` });
  });

  test('the others wait for its end, then get the winner, without being part of the test', () => {
    const world = play(parts(outside));
    expect(world.mail()).toEqual([]);
    expect(world.person().journey.due).toBe(instant('2026-03-02 14:00'));
    decideTest(world, outside, 'a').until('2026-03-02 14:00');
    expect(world.kept()[0]).toMatchObject({ variant: 'a', plannedAt: instant('2026-03-02 14:00') });
    expect(world.kept()[0]).not.toHaveProperty('test');
    expect(world.until('2026-04-01').mail()).toEqual(['hello 2026-03-02 14:00', 'after 2026-03-03 14:00']);
  });

  test('a winner that is known late is seen within five minutes', () => {
    const world = play(parts(outside)).until('2026-03-02 14:07');
    expect(world.mail()).toEqual([]);
    expect(decideTest(world, outside, 'a').until('2026-03-02 15:00').mail()).toEqual(['hello 2026-03-02 14:10']);
  });

  test('where none was clearly better each gets one by lot', () => {
    const world = decideTest(play(parts(outside)), outside, null).until('2026-03-02 14:00');
    expect(world.kept()[0]?.variant).toBe('b');
    expect(world.kept()[0]).not.toHaveProperty('test');
  });

  test('where nobody ever decides, half an hour after its end each gets one by lot', () => {
    const world = play(parts(outside)).until('2026-03-03');
    expect(world.mail()).toEqual(['hello 2026-03-02 14:30']);
    expect(world.kept()[0]?.variant).toBe('b');
  });

  test('who comes when it is decided gets the winner at once, whoever they are', () => {
    for (const id of [inside, outside]) {
      const world = decideTest(ann(parts(id)), id, 'a').record([called(AT)]);
      expect(world.kept()[0]).toMatchObject({ variant: 'a', plannedAt: instant(AT) });
      expect(world.kept()[0]).not.toHaveProperty('test');
    }
  });

  test('a broadcast is tested each time anew', () => {
    const when: Campaign['when'] = { every: 'day 10:00', clock: 'shop', to: { not: { has: { country: 'XX' } } } };
    const first = instant('2026-03-03 09:00');
    const book = (at: number, occurrence: string) => ({ kind: 'book', campaign: outside, occurrence, at }) as const;
    const world = ann(parts(outside, { when })).give(book(first, '2026-03-03'), '2026-03-02');
    decideTest(world, outside, 'a', '|2026-03-03').until('2026-03-03 13:00');
    expect(world.kept().map(({ variant }) => variant)).toEqual(['a']);
    world
      .until('2026-03-05')
      .give(book(first + 3 * DAY, '2026-03-06'), '2026-03-05')
      .until('2026-03-06 13:00');
    expect(world.kept().filter(({ email }) => email === 'hello')).toHaveLength(1);
    world.until('2026-03-06 13:30');
    expect(world.kept().filter(({ email }) => email === 'hello')).toHaveLength(2);
  });

  test('a held-out person waits as the others do, and leaves a ghost', () => {
    const id = nameWhere((each) => !tested(each) && drawOf('holdout/1', each, 'c1') < 10);
    const world = decideTest(play(parts(id, { holdout: 10 })), id, 'a').until('2026-03-02 14:00');
    expect(world.mail()).toEqual(['ghost hello 2026-03-02 14:00']);
    expect(world.kept()[0]).toMatchObject({ variant: 'a' });
  });
});

describe('given a person who is held out', () => {
  const settings = { caps: [{ most: 1, in: '7d' }] };
  const all: Step[] = [
    { send: 'first' },
    { set: { plan: 'gold' } },
    { notify: 'Call Wanted' },
    { rest: 'offers', until: { did: 'Order Completed' }, why: 'why' },
    { wait: '1d' },
    { send: 'second' },
  ];
  const parts = (id: string, more: Partial<Campaign> = {}): Parts => ({
    settings,
    campaigns: { [id]: onCall(all, { holdout: 10, ...more }) },
  });

  test('the same steps are walked, with ghosts, which use no cap; nothing is set, told or rested', () => {
    const world = play(parts(heldOut)).until('2026-04-01');
    expect(world.mail()).toEqual(['ghost first 2026-03-02 10:00', 'ghost second 2026-03-03 10:00']);
    for (const message of world.kept()) {
      expect(message).toMatchObject({ state: 'ghost', attempts: 0 });
      expect(message).not.toHaveProperty('due');
    }
    expect(world.said(heldOut)).toEqual([
      'start: Service Called',
      'hold out: the holdout of the campaign',
      'hold out: first',
      'hold out: nothing is set',
      'hold out: "Call Wanted" is not told',
      'hold out: "offers" does not rest',
      'hold out: second',
      'end: all steps done',
    ]);
    expect(world.notices).toEqual([]);
    expect(world.person().facts.attributes).toEqual({});
    expect(world.person().journey.sends).toEqual([]);
    expect(world.person().journey).not.toHaveProperty('rests');
  });

  test('who is not held out walks them for real', () => {
    const world = play(parts(treated)).until('2026-04-01');
    expect(world.mail()).toEqual(['first 2026-03-02 10:00']);
    expect(world.notices).toHaveLength(1);
    expect(world.person().journey.rests).toHaveProperty('offers');
  });

  test('ghosts meet the same gates, caps apart', () => {
    const quietHours = { from: '21:00', to: '09:00' };
    const night = ann({ ...parts(heldOut), settings: { ...settings, quietHours, zone: 'UTC' } }).record([
      called('2026-03-02 22:00'),
    ]);
    expect(night.mail()).toEqual([]);
    expect(night.until('2026-03-03 10:00').mail()).toEqual(['ghost first 2026-03-03 09:00']);
    const left = play(parts(heldOut))
      .record([event('Consent Withdrawn', '2026-03-02 12:00', { all: true })])
      .until('2026-04-01');
    expect(left.mail()).toEqual(['ghost first 2026-03-02 10:00']);
    expect(left.said(heldOut)).toContain('skip: no consent');
  });

  test('a run that stops in the quiet hours leaves no ghost, as it sends no mail in the other arm', () => {
    const quietHours = { from: '21:00', to: '09:00' };
    const stopIf = did('Order Completed', { since: 'run start' });
    for (const id of [heldOut, treated]) {
      const world = ann({ ...parts(id, { stopIf }), settings: { quietHours, zone: 'UTC' } });
      world.record([called('2026-03-02 22:00'), viewed('2026-03-02 22:30'), order('1', '2026-03-03 07:00', ['bag'])]);
      expect(world.until('2026-04-01').mail()).toEqual([]);
      expect(world.said(id).at(-1)).toBe('stop: stopIf');
    }
  });

  test('what follows a ghost counts from its time, and its run may move to a new version before', () => {
    const settings = { quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };
    const before = { campaigns: { [heldOut]: onCall([{ wait: '1h' }, { send: 'one' }], { holdout: 10 }) }, settings };
    const after = onCall([{ send: 'x' }, { wait: '1h' }, { send: 'one' }, { wait: '1d' }, { send: 'two' }], {
      onNewVersion: 'move',
      holdout: 10,
    });
    const world = ann(before)
      .record([called('2026-03-02 21:00')])
      .until('2026-03-02 23:00');
    const retired = [published(heldOut, before.campaigns[heldOut]!)];
    world.publish(
      bookOf({ campaigns: { [heldOut]: after }, settings, retired, ordinal: 2, since: { [heldOut]: 2 } }),
      '2026-03-02 23:30',
    );
    expect(world.until('2026-04-01').mail()).toEqual(['ghost one 2026-03-03 09:00', 'ghost two 2026-03-04 09:00']);
  });

  test.each(['requested', 'service'] as const)('never of %s mail, whatever the campaign and the shop say', (kind) => {
    const global = { percent: 100 } as never;
    const world = play({ ...parts(heldOut, { kind, holdout: 50 }), settings: { globalHoldout: global } });
    expect(world.mail()).toEqual(['first 2026-03-02 10:00']);
  });

  test('the global holdout holds back all marketing for half a year, and is drawn anew', () => {
    const percent = 20;
    const half = 180 * DAY;
    const index = Array.from({ length: 200 }, (_, i) => i).find(
      (i) =>
        drawOf('global-holdout/1', `period ${i}`, 'c1') < percent &&
        drawOf('global-holdout/1', `period ${i + 1}`, 'c1') >= percent,
    ) as number;
    const world = new World(bookOf({ ...one([{ send: 'hello' }]), settings: { globalHoldout: { percent } } }));
    const [first, last, next] = [index * half, (index + 1) * half - 1, (index + 1) * half];
    world.record([...introduced(first), called(first + HOUR), called(last), called(next)]);
    expect(world.kept().map(({ state }) => state)).toEqual(['ghost', 'ghost', 'ready']);
    expect(world.said('one')).toContain('hold out: the global holdout');
  });
});

describe('given quiet hours', () => {
  const settings = { quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };

  test('a step may ignore them, and only that step', () => {
    const world = ann(one([{ send: 'urgent', quiet: 'ignore' }, { send: 'calm' }], {}, { settings })).record([
      called('2026-03-02 22:00'),
    ]);
    expect(world.mail()).toEqual(['urgent 2026-03-02 22:00', 'calm 2026-03-03 09:00']);
    expect(world.kept().map(({ ignoresQuiet }) => ignoresQuiet)).toEqual([true, false]);
  });
});

describe('given events that start a wait anew', () => {
  const parts = (steps: Step[], restartOn: Campaign['restartOn']): Parts =>
    one(steps, { ...(restartOn === undefined ? {} : { restartOn }) });
  const waits: Step[] = [{ wait: '1h' }, { send: 'one' }, { wait: '1d' }, { send: 'two' }];
  const seen = { did: 'Product Viewed' };

  test('the current wait begins again with each of them', () => {
    const world = play(parts(waits, seen)).record([viewed('2026-03-02 10:40'), viewed('2026-03-02 11:20')]);
    expect(world.until('2026-03-02 13:00').mail()).toEqual(['one 2026-03-02 12:20']);
    world.record([viewed('2026-03-03 09:00')]);
    expect(world.until('2026-04-01').mail()).toEqual(['one 2026-03-02 12:20', 'two 2026-03-04 09:00']);
  });

  test('its instant is that of the event, also when it is heard late', () => {
    const world = play(parts(waits, seen)).record([viewed('2026-03-02 10:20')], { now: '2026-03-02 10:50' });
    expect(world.until('2026-03-02 13:00').mail()).toEqual(['one 2026-03-02 11:20']);
  });

  test('one from before the wait, another event, and another product start nothing anew', () => {
    const same = { did: 'Product Viewed', where: { product_id: '@trigger.product_id' } };
    const world = ann(parts(waits, same)).record([called(AT, { product_id: 'bag' })]);
    world.record([viewed('2026-03-02 09:50')], { now: '2026-03-02 10:30' });
    world.record([
      viewed('2026-03-02 10:35', 'lens'),
      event('Product Added', '2026-03-02 10:36', { product_id: 'bag' }),
    ]);
    expect(world.until('2026-03-02 13:00').mail()).toEqual(['one 2026-03-02 11:00']);
    const again = ann(parts(waits, same)).record([called(AT, { product_id: 'bag' }), viewed('2026-03-02 10:35')]);
    expect(again.until('2026-03-02 13:00').mail()).toEqual(['one 2026-03-02 11:35']);
  });

  test('the trigger itself starts nothing anew, nor a second start beside it', () => {
    const world = ann(one(waits, { restartOn: { did: 'Service Called' } })).record([
      called(AT),
      called('2026-03-02 10:30'),
    ]);
    expect(world.said('one')).toEqual(['start: Service Called', 'skip: already running']);
    expect(world.until('2026-03-02 13:00').mail()).toEqual(['one 2026-03-02 11:30']);
  });

  test('a question that waits gets its whole time again', () => {
    const steps: Step[] = [
      { waitFor: did('Order Completed', { since: 'run start' }), upTo: '2h', then: [{ stop: 'bought' }] },
      { send: 'one' },
    ];
    const world = play(parts(steps, seen)).record([viewed('2026-03-02 11:30')]);
    expect(world.until('2026-03-03').mail()).toEqual(['one 2026-03-02 13:30']);
  });

  test('a wait until an hour goes to the next such hour', () => {
    const world = play(parts([{ wait: { until: '18:00' } }, { send: 'one' }], seen)).record([
      viewed('2026-03-02 16:00'),
    ]);
    expect(world.until('2026-03-04').mail()).toEqual(['one 2026-03-02 17:00']);
  });

  test('a message that quiet hours hold back is not put off by it', () => {
    const settings = { quietHours: { from: '09:00', to: '12:00' }, zone: 'UTC' };
    const world = play({ ...parts([{ send: 'one' }, { wait: '1h' }, { send: 'two' }], seen), settings });
    world.record([viewed('2026-03-02 11:00')]);
    expect(world.until('2026-03-04').mail()).toEqual(['one 2026-03-02 12:00', 'two 2026-03-02 13:00']);
  });

  test('the stop comes before the restart', () => {
    const both = one(waits, {
      restartOn: { did: 'Order Completed' },
      stopIf: did('Order Completed', { since: 'run start' }),
    });
    expect(
      play(both)
        .record([order('1', '2026-03-02 10:30', ['bag'])])
        .until('2026-04-01')
        .mail(),
    ).toEqual([]);
  });
});

describe('what is decided', () => {
  const settings = { caps: [{ most: 1, in: '1d' }] };

  test('is kept for each campaign, with what caused it and the version that was asked', () => {
    const world = play(one([{ send: 'hello' }], { for: { has: { vip: true } } }));
    const { version } = world.book.campaigns[0]!;
    expect(world.person().journey.decisions.one).toEqual({
      at: instant(AT),
      kind: 'skip',
      reason: 'not in "for"',
      version,
      cause: {
        kind: 'event',
        name: 'Service Called',
        id: `Service Called@${new Date(instant(AT)).toISOString()}`,
        at: instant(AT),
      },
    });
  });

  test.each<[string, (world: World) => World, object]>([
    ['the clock', (world) => world.until('2026-03-04'), { kind: 'clock' }],
    [
      'an event',
      (world) => world.record([order('1', '2026-03-02 12:00', ['bag'])]),
      { kind: 'event', name: 'Order Completed', id: 'order-1', at: instant('2026-03-02 12:00') },
    ],
    ['a publish', (world) => world.publish(bookOf({ ordinal: 2 }), '2026-03-03'), { kind: 'publish' }],
  ])('the cause may be %s', (_, happens, cause) => {
    const steps: Step[] = [{ wait: '1d' }, { stop: 'over' }];
    const world = happens(play(one(steps, { stopIf: did('Order Completed', { since: 'run start' }) })));
    expect(world.person().journey.decisions.one).toMatchObject({ kind: 'stop', cause });
  });

  test('skips are counted by reason, the six newest reasons', () => {
    const world = ann(
      one([{ send: 'hello', unless: did('Service Called', { times: { atLeast: 3 } }) }], {}, { settings }),
    );
    for (let i = 0; i < 5; i++) world.record([called(instant(AT) + i * 10 * MINUTE)]);
    expect(world.person().journey.skips?.one).toEqual({
      'frequency-cap': [1, instant(AT) + 10 * MINUTE, 'one'],
      unless: [3, instant(AT) + 40 * MINUTE],
    });
    const reasons = Array.from(
      { length: 8 },
      (_, i) => ({ send: `mail-${i}`, needs: { 'product.category': `${i}` } }) as Step,
    );
    const many = play(one(reasons)).person().journey.skips?.one;
    expect(many).toEqual({ needs: [8, instant(AT)] });
  });

  test('who loses under a cap is told to whom: by priority, then by the older run', () => {
    const campaigns = {
      high: onCall([{ send: 'high' }], { priority: 80 }),
      low: onCall([{ send: 'low' }], { priority: 20 }),
      middle: onCall([{ send: 'middle' }]),
    };
    const world = play({ campaigns, settings });
    expect(world.mail()).toEqual(['high 2026-03-02 10:00']);
    for (const id of ['low', 'middle']) {
      expect(world.person().journey.decisions[id]).toMatchObject({
        kind: 'skip',
        reason: 'frequency-cap',
        winner: 'high',
      });
    }
    const equals = {
      first: onCall([{ wait: '2h' }, { send: 'first' }]),
      second: marketing({ when: { did: 'Product Viewed' }, steps: [{ wait: '1h' }, { send: 'second' }] }),
    };
    const older = play({ campaigns: equals, settings })
      .record([viewed('2026-03-02 11:00')])
      .until('2026-03-04');
    expect(older.mail()).toEqual(['first 2026-03-02 12:00']);
    expect(older.person().journey.decisions.second).toMatchObject({ reason: 'frequency-cap', winner: 'first' });
  });

  test('what waits for later gives way to what is more important, and is told to whom', () => {
    const quiet = { ...settings, quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };
    const campaigns = {
      low: onCall([{ send: 'low' }, { wait: '2d' }, { send: 'low-2' }], { priority: 20 }),
      high: marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'high' }], priority: 80 }),
    };
    const world = ann({ campaigns, settings: quiet }).record([called('2026-03-02 22:00')]);
    expect(world.mail()).toEqual(['low 2026-03-03 09:00']);
    world.record([viewed('2026-03-02 23:00')]);
    expect(world.mail()).toEqual(['high 2026-03-03 09:00']);
    expect(world.dropped()).toEqual(['low: frequency-cap: high came first']);
    expect(world.person().journey.decisions.low).toMatchObject({
      kind: 'skip',
      reason: 'frequency-cap',
      winner: 'high',
    });
    expect(world.person().journey.sends.map(({ campaign }) => campaign)).toEqual(['high']);
    // The run goes on: only that message gave way.
    expect(world.until('2026-04-01').mail()).toEqual(['high 2026-03-03 09:00', 'low-2 2026-03-05 09:00']);
  });

  test('no more gives way than must, the least important first, and nothing that goes out now', () => {
    const two = { caps: [{ most: 2, in: '1d' }], quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };
    const campaigns = {
      low: onCall([{ send: 'low' }], { priority: 10 }),
      middle: onCall([{ send: 'middle' }], { priority: 20 }),
      high: marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'high' }], priority: 80 }),
    };
    const night = ann({ campaigns, settings: two }).record([called('2026-03-02 22:00'), viewed('2026-03-02 23:00')]);
    expect(night.mail().sort()).toEqual(['high 2026-03-03 09:00', 'middle 2026-03-03 09:00']);
    const day = ann({ campaigns, settings: two }).record([called('2026-03-02 12:00'), viewed('2026-03-02 12:00')]);
    expect(day.mail().sort()).toEqual(['low 2026-03-02 12:00', 'middle 2026-03-02 12:00']);
  });

  test('what has the same importance does not give way', () => {
    const quiet = { ...settings, quietHours: { from: '21:00', to: '09:00' }, zone: 'UTC' };
    const campaigns = {
      a: onCall([{ send: 'a' }]),
      b: marketing({ when: { did: 'Product Viewed' }, steps: [{ send: 'b' }] }),
    };
    const world = ann({ campaigns, settings: quiet }).record([called('2026-03-02 22:00'), viewed('2026-03-02 23:00')]);
    expect(world.mail()).toEqual(['a 2026-03-03 09:00']);
    expect(world.person().journey.decisions.b).toMatchObject({ reason: 'frequency-cap', winner: 'a' });
  });
});

describe('given a coupon and the margin of the catalogue', () => {
  const products = {
    thin: { name: 'Thin', price: 100, margin: 0.05, complements: ['thin-too', 'fat'] },
    'thin-too': { name: 'Thin too', price: 100, margin: 0.05 },
    fat: { name: 'Fat', price: 100, margin: 0.5, complements: ['thin-too'] },
    unknown: { name: 'Unknown', price: 100 },
  };
  const on = (name: string): Parts => ({
    catalogue: { products },
    coupons: { TEN: { percent: 10 } },
    campaigns: { one: marketing({ when: { did: name }, steps: [{ send: 'offer', coupon: 'TEN' }] }) },
  });
  const about = (name: string, product_id: string): World =>
    ann(on(name)).record([event(name, AT, { product_id, price: 100, quantity: 1, currency: 'EUR' })]);
  const reason = 'skip: the coupon is worth more than the margin';

  test.each([
    ['Product Viewed', 'thin', true],
    ['Product Viewed', 'fat', false],
    ['Product Viewed', 'unknown', false],
    ['Product Added', 'thin', true],
    ['Product Added', 'fat', false],
    // What was reviewed is not what the coupon is for.
    ['Product Reviewed', 'thin', false],
  ])('%s of "%s": held back %s', (name, product, held) => {
    const world = about(name, product);
    expect(world.said('one').includes(reason)).toBe(held);
    expect(world.messages.size).toBe(held ? 0 : 1);
  });

  test('what does not bear it is not recommended beside it', () => {
    const [message] = [...about('Product Viewed', 'fat').messages.values()];
    expect(message?.inputs.recommendations).toEqual([]);
  });
});
