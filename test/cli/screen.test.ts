// What operators read: the status screen and its advice, shapes of letters, spans; and that every heading exists.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describe as tell } from '../../cli/contact.ts';
import { shapeOf } from '../../cli/dead-letters.ts';
import { span, stamp } from '../../cli/stage.ts';
import { findings, type InsightState, type Status } from '../../cli/status.ts';
import { drawStatus } from '../../cli/status-screen.ts';
import { emptyBook } from '../../domain/book.ts';
import { newContact } from '../../domain/contact.ts';
import type { WalkState } from '../../functions/aws/broadcasts.ts';
import type { TestState } from '../../functions/aws/variant-tests.ts';
import { QUEUES } from '../../infra/names.ts';

const AT = Date.parse('2026-03-02T11:00:00Z');
const MINUTE = 60_000;

/** A stage on which all is well. */
const well: Status = {
  stage: 'prod',
  at: AT,
  paused: {},
  account: {
    at: AT - 30_000,
    maxRate: 14,
    max24h: 50_000,
    sent24h: 1_000,
    sendingEnabled: true,
    production: true,
    enforcement: 'HEALTHY',
  },
  sends: { lastMinute: 120, busiestSecond: 9 },
  queues: QUEUES.map((queue) => ({ queue, waiting: 0, underWay: 0, deadLetters: 0 })),
  streamRecords: { files: 0, records: {}, all: true },
  lanes: [
    { lane: 'triggered', waiting: 12, due: 0, all: true },
    { lane: 'bulk', waiting: 90_000, due: 4_000, all: false, late: 5 * 60 * MINUTE },
    { lane: 'ticks', waiting: 3, due: 0, all: true },
    { lane: 'turns', waiting: 0, due: 0, all: true },
    { lane: 'notices', waiting: 0, due: 0, all: true },
  ],
  feedback: { newest: AT - 20_000, openClaims: 0, all: true },
  held: { failed: 4, failedToday: 1, uncertain: 0, notices: 0, all: true },
  tests: [],
  walks: [],
  budgets: [],
  excesses: [],
  coupons: [{ pool: 'BACK10', left: 100, lowWater: 100 }],
  warmUp: [],
  book: {
    hash: 'ab12cd34ef567890',
    ordinal: 7,
    publishedAt: AT - 3 * 86_400_000,
    by: 'anna',
    filling: { shards: 32, shardsDone: 32, contacts: 10, done: true },
  },
  actions: [],
};
const standing = {
  campaign: 'win-back',
  what: 'complaints' as const,
  provider: 'yahoo',
  days: 1,
  cases: 7,
  messages: 512,
  limit: 0.001,
  over: true,
  rate: 7 / 512,
  lowerEnd: 0.0036,
  verdict: 'over' as const,
  says: 'complaints at yahoo: 7 of 512 in 1 day',
};
const control = { by: 'arn:aws:iam::1:user/anna', at: AT - 5 * MINUTE, why: 'wrong price' };
const account = well.account!;

describe('a status', () => {
  it('on which all is well needs nobody: bulk may wait for hours, and some messages have failed', () => {
    expect(findings(well)).toEqual([]);
    const screen = drawStatus(well, [], { colours: false }).join('\n');
    expect(screen).toContain('Kairos prod, 2026-03-02 11:00 UTC: well');
    expect(screen).not.toContain('→');
    expect(screen).not.toContain('\u001b');
  });

  it.each<[string, Partial<Status>, string]>([
    ['a stop', { stopped: control }, 'Sending is stopped'],
    [
      'a campaign that paused itself',
      { paused: { 'win-back': { ...control, by: 'guard-sending' } } },
      'A campaign paused itself',
    ],
    ['a guard that has not run', { account: { ...account, at: AT - 6 * MINUTE } }, 'The guard is silent'],
    ['a review', { account: { ...account, enforcement: 'PROBATION' } }, 'SES reviews the account'],
    ['a shutdown', { account: { ...account, enforcement: 'SHUTDOWN' } }, 'SES shut the account down'],
    ['disabled sending', { account: { ...account, sendingEnabled: false } }, 'SES shut the account down'],
    ['the sandbox, in production', { account: { ...account, production: false } }, 'SES is in its sandbox'],
    ['80 % of the quota', { account: { ...account, sent24h: 40_000 } }, 'The daily quota is near'],
    ['an SES that does not answer', { accountFault: 'TimeoutError' }, 'The region cannot be reached'],
    ['a dead letter', { queues: [{ queue: 'record', waiting: 0, underWay: 0, deadLetters: 1 }] }, 'Dead letters'],
    [
      'stream records that were given up',
      { streamRecords: { files: 1, records: { 'write-lake': 3 }, all: true } },
      'A stream reader is late',
    ],
    [
      'triggered mail that is ten minutes late',
      { lanes: [{ lane: 'triggered', waiting: 1, due: 1, all: true, late: 10 * MINUTE }] },
      'Due work is late',
    ],
    [
      'silence after mail that SES was asked to send',
      { feedback: { openClaims: 1, oldest: AT - 30 * MINUTE, all: true } },
      'Failed deliveries of EventBridge',
    ],
    ['a notice that the bus never took', { held: { ...well.held, notices: 2 } }, 'Failed deliveries of EventBridge'],
    [
      'notices that are late',
      { lanes: [{ lane: 'notices', waiting: 3, due: 3, all: true, late: 10 * MINUTE }] },
      'Due work is late',
    ],
    ['an uncertain message', { held: { ...well.held, uncertain: 1 } }, 'Messages are uncertain'],
    ['a budget that is overrun while its campaign goes on', { budgets: [standing] }, 'The guard is silent'],
    [
      'a coupon pool that runs low',
      { coupons: [{ pool: 'BACK10', left: 99, lowWater: 100 }] },
      'Coupon pool is running low',
    ],
    ['an empty coupon pool', { coupons: [{ pool: 'BACK10', left: 0, lowWater: 1 }] }, 'Coupon pool is running low'],
    [
      'a walk over all contacts that does not end',
      { book: { ...well.book!, filling: { ...well.book!.filling, done: false } } },
      'Dead letters',
    ],
  ])('with %s needs a person, and says what to do', (_, change, heading) => {
    const status = { ...well, ...change };
    const found = findings(status);
    expect(found).toMatchObject([{ heading }]);
    const screen = drawStatus(status, found, { colours: false }).join('\n');
    expect(screen).toContain('1 thing needs a person');
    expect(screen).toContain(`→ ${found[0]!.says} ${found[0]!.todo}`);
    expect(screen).toContain(`(runbook: ${heading})`);
    expect(readFileSync(join(resolve(import.meta.dirname, '../..'), 'docs/runbook.md'), 'utf8')).toContain(
      `## ${heading}\n`,
    );
  });

  it('on which a person has paused a campaign says so and needs nobody else', () => {
    const status = { ...well, paused: { 'win-back': control } };
    expect(findings(status)).toEqual([]);
    expect(drawStatus(status, [], { colours: false }).join('\n')).toContain(`paused  win-back, by ${control.by}`);
  });

  it('of a campaign that is paused for its budget does not ask for the guard besides', () => {
    const status = { ...well, paused: { 'win-back': { ...control, by: 'guard-sending' } }, budgets: [standing] };
    expect(findings(status).map(({ heading }) => heading)).toEqual(['A campaign paused itself']);
  });

  it('tells how tests of variants stand: running, won, or honestly not', () => {
    const test: TestState = {
      test: 'black-friday@v|black-friday|2026-03-02T09:00',
      campaign: 'black-friday',
      send: 'black-friday',
      first: AT - 120 * MINUTE,
      ends: AT + 120 * MINUTE,
      by: 'clicked',
      tried: [
        { variant: 'subject-a', people: 310, events: 9 },
        { variant: 'subject-b', people: 300, events: 12 },
      ],
    };
    const won = {
      ...test,
      campaign: 'sale',
      ends: AT - 30 * MINUTE,
      decided: { winner: 'subject-b', at: AT - 29 * MINUTE },
    };
    const none = {
      ...won,
      by: 'success' as const,
      tried: [{ variant: 'a', people: 0, events: 0 }],
      decided: { winner: null, at: AT },
    };
    const screen = (tests: TestState[]) => drawStatus({ ...well, tests }, [], { colours: false });
    const lines = screen([test, won, none, { ...test, ends: AT }]);
    const from = lines.findIndex((line) => line.startsWith('Tests'));
    expect(lines.slice(from, from + 4)).toEqual([
      'Tests     black-friday: runs for 2 h, 2 h to go: subject-b 12 of 300 clicked (4 %), subject-a 9 of 310 (2.9 %)',
      '          sale, black-friday: won by subject-b, 29 min ago: subject-b 12 of 300 clicked (4 %), subject-a 9 of 310 (2.9 %)',
      '          sale, black-friday: no clear winner, 0 s ago: a 0 of 0 converted',
      '          black-friday: over, to be decided: subject-b 12 of 300 clicked (4 %), subject-a 9 of 310 (2.9 %)',
    ]);
    expect(screen([]).join('\n')).not.toContain('Tests');
    expect(screen(Array.from({ length: 12 }, () => test)).join('\n')).toContain('… and 4 further ones, with --json');
    expect(findings({ ...well, tests: [none] })).toEqual([]);
  });

  it('tells of broadcasts how far their walk is, who was booked, and until when the last have it', () => {
    const walk: WalkState = {
      campaign: 'newsletter',
      occurrence: '2026-03-03',
      openedAt: AT - 20 * MINUTE,
      first: AT,
      last: AT + 26 * 60 * MINUTE,
      walked: 12_000,
      booked: 8000,
      late: 0,
      shards: 32,
      shardsDone: 3,
      rests: false,
      drainsAt: AT + 60 * MINUTE,
      movedAt: AT - MINUTE,
    };
    const inside = { ...walk, campaign: 'win-back', occurrence: 'inside|lapsed-60d', endedAt: AT, drainsAt: AT - 1 };
    const walks = [
      walk,
      { ...walk, rests: true },
      { ...inside, late: 7 },
      { ...inside, booked: 0, why: 'the campaign is gone' },
    ];
    const lines = drawStatus({ ...well, walks }, [], { colours: false });
    const from = lines.findIndex((line) => line.startsWith('Walks'));
    expect(lines.slice(from, from + 4)).toEqual([
      `Walks     newsletter, 2026-03-03: 12,000 contacts walked (3 of 32 shards), 8,000 booked; the last have it by ${stamp(AT + 60 * MINUTE)}`,
      `          newsletter, 2026-03-03: waits for the end of its pause: 12,000 contacts walked (3 of 32 shards), 8,000 booked; the last have it by ${stamp(AT + 60 * MINUTE)}`,
      `          win-back, those inside lapsed-60d: all 12,000 contacts walked, 8,000 booked, 7 too late for theirs; all had it by ${stamp(AT - 1)}`,
      `          win-back, those inside lapsed-60d: ended, the campaign is gone: 12,000 contacts walked, 0 booked; all had it by ${stamp(AT - 1)}`,
    ]);
    expect(findings({ ...well, walks })).toEqual([]);
    const lost = { ...walk, movedAt: AT - 61 * MINUTE };
    expect(findings({ ...well, walks: [lost] })).toMatchObject([{ about: 'walks', heading: 'Dead letters' }]);
    expect(findings({ ...well, walks: [lost], paused: { newsletter: { ...control, by: 'anna' } } })).toEqual([]);
  });

  it('draws quota and budgets as bars, in colours only where they are asked for', () => {
    const status = { ...well, account: { ...account, sent24h: 25_000 }, budgets: [standing] };
    const plain = drawStatus(status, [], { colours: false }).join('\n');
    expect(plain).toContain(`${'█'.repeat(12)}${'░'.repeat(12)} 25,000 of 50,000`);
    expect(plain).toContain(`win-back  ${'█'.repeat(24)} complaints at yahoo: 7 of 512`);
    expect(drawStatus(status, [], { colours: true }).join('\n')).toContain('\u001b[31m');
  });
});

describe('what a status says of the nightly run', () => {
  const HOUR = 60 * MINUTE;
  const run: InsightState['run'] = {
    at: AT - 6 * HOUR,
    today: 20_513,
    customers: 5_121,
    orders: 9_204,
    moved: ['purchases'],
    notes: [
      { part: 'spend', kind: 'kept', code: 'drift', says: 'It would move by 31 %. The one of 2026-02-24 stays.' },
    ],
    good: { purchases: 20_513, spend: 20_507 },
    models: { hash: 'ab'.repeat(32), ordinal: 12 },
    walk: { hash: 'ab'.repeat(32), ordinal: 12, startedAt: AT - 6 * HOUR },
  };
  const walk = { walked: 1_240, shards: 32, shardsDone: 3, movedAt: AT - MINUTE, ended: false };
  const of = (insight: Partial<InsightState>): Status => ({ ...well, insight: { run, readable: true, ...insight } });
  const shown = (status: Status): string => drawStatus(status, findings(status), { colours: false }).join('\n');

  it('names the day, the customers, and each part that is not tonight’s with its reason; none of that needs a person', () => {
    const status = of({ walk });
    expect(findings(status)).toEqual([]);
    expect(shown(status)).toContain(
      [
        'Insight   fitted 2026-03-01 from 5,121 customers and 9,204 orders, 6 h ago (models 12)',
        '          spend kept: It would move by 31 %. The one of 2026-02-24 stays.',
        '          being decided over with them: 1,240 contacts, 3 of 32 shards done',
      ].join('\n'),
    );
    expect(shown(of({ walk: { ...walk, ended: true } }))).toContain('all contacts were decided over with them');
    expect(shown(well)).not.toContain('Insight');
  });

  it.each<[string, Partial<InsightState>, RegExp]>([
    [
      'failed',
      { run: { ...run, failed: { at: AT, error: 'AthenaError', says: 'athena: WorkGroup is not found.' } } },
      /failed: athena: WorkGroup is not found/,
    ],
    ['has not run for two days', { run: { ...run, at: AT - 50 * HOUR } }, /has not run for two days/],
    ['left models that cannot be read', { readable: false }, /cannot be read/],
    ['began a walk that stands still', { walk: { ...walk, movedAt: AT - 25 * HOUR } }, /does not move/],
  ])('one that %s needs a person, who is told what to do', (_, insight, says) => {
    const [found, ...others] = findings(of(insight));
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      about: 'insight',
      says: expect.stringMatching(says),
      heading: 'The nightly run is silent',
    });
    expect(shown(of(insight))).toMatch(says);
  });

  it('one night that was missed is none', () => {
    expect(findings(of({ run: { ...run, at: AT - 47 * HOUR } }))).toEqual([]);
  });
});

describe('the shape of a letter', () => {
  it.each([
    [
      'an event',
      JSON.stringify({
        'detail-type': 'Order Completed',
        source: 'shop',
        detail: {
          userId: 'u-17',
          properties: { total: 12.5, email: 'ann@x.example' },
          context: { traits: { firstName: 'Ann' } },
        },
      }),
      '{detail-type: "Order Completed", source: "shop", detail: {userId: "…", properties: {total: 0, email: "…"}, context: {traits: {firstName: "…"}}}}',
    ],
    ['an address as the name of an event', '{"event":"ann@x.example"}', '{event: "…"}'],
    ['an address as the name of a field', '{"ann@x.example":1,"type":"track"}', '{…, type: "track"}'],
    ['a wanted message', '{"contact":"c1","message":"m1"}', '{contact: "c1", message: "m1"}'],
    ['a list', '[{"shard":"07"},{"shard":"08"}]', '[{shard: "07"}, …]'],
    ['something else', 'ann@x.example', 'not JSON, 13 characters'],
  ])('of %s names fields and kinds, and nothing of a person', (_, body, shape) => {
    expect(shapeOf(body)).toBe(shape);
  });

  it('stays short, however long the letter is', () => {
    expect(
      shapeOf(JSON.stringify(Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`field${at}`, at])))),
    ).toHaveLength(301);
  });
});

describe('a span', () => {
  it.each([
    [-5, '0 s'],
    [40_000, '40 s'],
    [5 * MINUTE, '5 min'],
    [130 * MINUTE, '2 h 10 min'],
    [120 * MINUTE, '2 h'],
    [72 * 60 * MINUTE, '3 days'],
  ])('of %i ms is said as %s', (length, said) => {
    expect(span(length)).toBe(said);
  });
});

describe('a contact', () => {
  it('is told with the pauses that the person asked for, and with whether it may be profiled', () => {
    const contact = newContact('c-1', AT);
    contact.facts.pauses = {
      aurora: { until: AT + 86_400_000, at: AT, id: 'p1' },
      boreal: { until: AT - 60_000, at: AT - 86_400_000, id: 'p2' },
    };
    contact.facts.profiling = { aurora: { stopped: true, at: AT, id: 'p3' } };
    const lines = tell({ contact, messages: [] }, emptyBook(), AT).join('\n');
    expect(lines).toMatch(/pause +asked for 2 Mar 2026, \d\d:00: nothing of aurora before 3 Mar 2026/);
    expect(lines).toMatch(/pause +of boreal, over since 2 Mar 2026/);
    expect(lines).toMatch(/profiling +stopped for aurora/);
  });
});
