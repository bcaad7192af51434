// What `kairos explain` and `kairos contact` say of a person: the tree, its lines, and who cannot be explained.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describe as tell } from '../../cli/contact.ts';
import { drawExplained, explain } from '../../cli/explain.ts';
import { findContact } from '../../cli/find-contact.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import { KairosError } from '../../domain/fault.ts';
import type { Segment } from '../../domain/grammar.ts';
import { foldStanding } from '../../domain/standing.ts';
import { contactItem, type Item, key, type Table } from '../../functions/aws/table.ts';
import { bookOf, DAY, event, instant, introduced, marketing, order, World } from '../support/people.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const NOW = instant('2026-06-11 12:00');
const segments = {
  regulars: { did: 'Order Completed', times: { atLeast: 2 }, inLast: '365d' },
  'lapsed-60d': {
    all: [
      { did: 'Order Completed', times: { atLeast: 2 } },
      { did: 'Order Completed', latest: { moreThanAgo: '60d' } },
    ],
  },
  quiet: {
    not: {
      any: [
        { did: 'Product Viewed', inLast: '180d' },
        { did: 'Order Completed', inLast: '180d' },
      ],
    },
  },
  stranger: { all: [{ not: { did: 'Order Completed' } }, { not: { segment: 'regulars' } }] },
  gold: { has: { 'orders.spend': { atLeast: 500 }, plan: 'gold' } },
};
const campaign = marketing({
  when: { did: 'Checkout Started' },
  stopIf: { did: 'Order Completed', since: 'run start' },
  steps: [{ send: 'cart' }],
});
const book = bookOf({ segments, campaigns: { cart: campaign } });
const ann = (): Contact =>
  new World(book)
    .record([
      ...introduced('2026-03-01'),
      order('1', '2026-03-03 10:00', ['camera']),
      order('2', '2026-05-01 10:00', ['bag']),
    ])
    .until(NOW)
    .person();

/** The lines of one segment's tree. */
const drawn = (segment: string, width = 100): string[] =>
  drawExplained(explain(book, ann(), NOW, { segment }), { width, colours: false }).slice(3);

describe('an explanation', () => {
  it('says since when, until when, what was asked and what was found', () => {
    expect(drawn('regulars')).toEqual([
      '✓ regulars',
      '  in since 1 May 2026, 12:00; leaves on 3 March 2027, 11:00, if nothing happens',
      '  ✓ ordered at least twice in the last 365 days',
      '      2 orders in the last 365 days, the last 1 May 2026, 41 days ago',
    ]);
    expect(drawn('lapsed-60d')).toEqual([
      '✗ lapsed-60d',
      '  not in; enters on 30 June 2026, 12:00, if nothing happens',
      '  ✗ all of these',
      '    ✓ ordered at least twice · 2 orders, the last 1 May 2026, 41 days ago',
      '    ✗ last ordered more than 60 days ago · last 1 May 2026, 41 days ago · from 30 June 2026, 12:00',
    ]);
  });

  it('of a negation says it in one line, and of a negated group "none of these"', () => {
    expect(drawn('quiet').slice(2)).toEqual([
      '  ✗ none of these',
      '    ✗ viewed a product in the last 180 days · never',
      '    ✓ ordered in the last 180 days',
      '        2 orders in the last 180 days, the last 1 May 2026, 41 days ago',
      '        until 28 October 2026, 11:00',
    ]);
    expect(drawn('stranger').slice(2)).toEqual([
      '  ✗ all of these',
      '    ✗ never ordered · 2 orders, the last 1 May 2026, 41 days ago',
      '    ✗ is not in regulars · a member since 1 May 2026 · from 3 March 2027, 11:00',
      '      ✓ ordered at least twice in the last 365 days',
      '          2 orders in the last 365 days, the last 1 May 2026, 41 days ago',
      '          until 3 March 2027, 11:00',
    ]);
  });

  it('of several attributes answers each, and says where time alone changes nothing', () => {
    expect(drawn('gold')).toEqual([
      '✗ gold',
      '  not in; time alone does not change that',
      '  ✗ all of these',
      '    ✗ what was spent is at least 500 · €440.00',
      '    ✗ plan is “gold” · not known',
    ]);
  });

  it.each([40, 60, 80, 120])('keeps to %i columns', (width) => {
    const lines = drawExplained(explain(book, ann(), NOW), { width, colours: false });
    expect(lines.filter((line) => line.length > width)).toEqual([]);
    expect(lines.join('\n')).not.toContain('\u001b');
    expect(drawExplained(explain(book, ann(), NOW), { width, colours: true }).join('\n')).toContain('\u001b[32m✓');
  });

  it('of everything counts the segments, and begins with those that hold', () => {
    const lines = drawExplained(explain(book, ann(), NOW), { width: 80, colours: false });
    expect(lines.slice(0, 2)).toEqual(['Contact c1', '11 June 2026, 14:00 in Europe/Warsaw. In 1 of 5 segments.']);
    expect(lines.filter((line) => /^[✓✗]/.test(line))).toEqual([
      '✓ regulars',
      '✗ gold',
      '✗ lapsed-60d',
      '✗ quiet',
      '✗ stranger',
    ]);
  });

  it('says where what is recorded is not what holds', () => {
    const late = ann();
    const { regulars, ...journeySegments } = late.journey.segments;
    const unrecorded = { ...late, journey: { ...late.journey, segments: journeySegments } };
    expect(
      drawExplained(explain(book, unrecorded, NOW, { segment: 'regulars' }), { width: 100, colours: false })[4],
    ).toContain('in, not yet recorded; leaves on');
    const gone = drawExplained(explain(book, late, NOW + 300 * DAY, { segment: 'regulars' }), {
      width: 100,
      colours: false,
    });
    expect(gone[4]).toBe(
      '  not in; recorded as in since 1 May 2026, 12:00 until it is next looked at; time alone does not',
    );
    expect(regulars?.since).toBeDefined();
  });

  it('says where the contact was counted for other rules, and into whom it was merged', () => {
    const other = bookOf({ segments: { views: { did: 'Product Viewed' } } });
    const lines = drawExplained({ ...explain(other, ann(), NOW), askedFor: 'c9' }, { width: 200, colours: false });
    expect(lines).toContain('c9 was merged into this contact.');
    expect(lines.join(' ')).toContain('Not yet decided over with what is published now');
  });

  it('of a campaign says whom it is for and what stops it, as far as no run is needed', () => {
    const lines = drawExplained(explain(book, ann(), NOW, { campaign: 'cart' }), { width: 100, colours: false });
    expect(lines.slice(3)).toEqual([
      'cart',
      '  No run under way.',
      '  for',
      '    everybody',
      '  stopIf',
      '    ordered since the run started: asks about a run, and there is none',
    ]);
  });

  it('of a rule about a run answers from inside one, whatever it asks of it', () => {
    const audiences = {
      watch: {
        not: { did: 'Order Completed', where: { products: { product_id: '@product.id' } }, since: '@watch.at' },
      },
      sent: { did: 'Order Completed', where: { products: { product_id: '@sent.recommendations' } } },
    } as const;
    const when = { did: 'Checkout Started' };
    const campaigns = Object.fromEntries(
      Object.entries(audiences).map(([id, meant]) => [id, marketing({ when, for: meant, steps: [{ send: 'a' }] })]),
    );
    const asking = bookOf({ campaigns });
    const known = ann();
    const rule = (id: string, contact: Contact) =>
      drawExplained(explain(asking, contact, NOW, { campaign: id }), { width: 200, colours: false }).slice(-4);
    expect(rule('watch', known)).toContain(
      '    did not order (the product) since the product was asked for or looked at: asks about a run, and there is none',
    );
    expect(rule('sent', known)[1]).toContain('(a product that was recommended) at least once: asks about a run');
    const run = {
      ...{ id: 'r', occurrence: 'o', startedAt: NOW - DAY, at: 0, from: NOW - DAY, counters: {}, pending: [] },
      ...{ campaign: 'watch', version: asking.campaign.get('watch')?.version ?? '', product: 'bag' },
      ...{ watchedAt: NOW - 30 * DAY, trigger: { name: 'Back In Stock', id: 't', at: NOW - DAY, properties: {} } },
    };
    const inside = { ...known, journey: { ...known.journey, runs: [run] } };
    expect(rule('watch', inside).join('\n')).toContain('✓ did not order (the product) since the product was asked for');
  });

  it('of a broadcast explains its audience too', () => {
    const when = { every: 'tuesday 10:00', clock: 'shop' as const, to: { segment: 'gold' } };
    const asking = bookOf({ segments, campaigns: { news: marketing({ when, steps: [{ send: 'a' }] }) } });
    const lines = drawExplained(explain(asking, ann(), NOW, { campaign: 'news' }), { width: 100, colours: false });
    expect(lines.slice(5, 8)).toEqual(['  to', '    ✗ is in gold', '      ✗ all of these']);
  });

  it('of a name that is nearly right asks whether that was meant', () => {
    const refused = (asked: object): string => {
      try {
        explain(book, ann(), NOW, asked);
      } catch (error) {
        return error instanceof KairosError ? `${error.fault.code}: ${error.fault.remedy}` : String(error);
      }
      return 'nothing';
    };
    expect(refused({ segment: 'regular' })).toBe('segment.unknown: Did you mean "regulars"?');
    expect(refused({ segment: 'constructor' })).toContain('segment.unknown: Known: "regulars"');
    expect(refused({ campaign: 'carts' })).toBe('campaign.unknown: Did you mean "cart"?');
    expect(() => explain(bookOf(), ann(), NOW, { segment: 'x' })).toThrow(/Nothing is published yet/);
  });

  it('of a stage without segments says so', () => {
    const lines = drawExplained(explain(bookOf(), newContact('x', NOW), NOW), { width: 80, colours: false });
    expect(lines.at(-1)).toBe('There are no segments.');
  });

  it('is JSON with the engine’s answers, words and turns', () => {
    const [one] = JSON.parse(JSON.stringify(explain(book, ann(), NOW, { segment: 'lapsed-60d' }))).segments;
    expect(one).toMatchObject({
      id: 'lapsed-60d',
      holds: false,
      turns: instant('2026-06-30 10:00'),
      clause: { kind: 'all', holds: false, parts: [{ kind: 'did', holds: true }, { holds: false }] },
    });
    expect(one).not.toHaveProperty('since');
  });
});

/** The published templates' own segments of these names, with their titles. */
function ofTemplates(...ids: string[]) {
  const read = (id: string): Segment =>
    JSON.parse(readFileSync(join(ROOT, 'templates/segments', `${id}.json`), 'utf8')) as Segment;
  const made = bookOf({ segments: Object.fromEntries(ids.map((id) => [id, read(id).rule])) });
  for (const id of ids) Object.assign(made.definitions.segments[id] as Segment, { title: read(id).title });
  return made;
}

describe('docs/segments.md', () => {
  it('shows what is printed', () => {
    const templates = ofTemplates('camera-without-lens', 'lapsed-60d', 'repeat-buyers', 'vip');
    const person = new World(templates)
      .record([
        ...introduced('2026-03-01'),
        order('1', '2026-03-03 10:00', ['camera']),
        order('2', '2026-05-01 10:00', ['bag']),
      ])
      .until(NOW)
      .person();
    const page = readFileSync(join(ROOT, 'docs/segments.md'), 'utf8');
    const [, shown = ''] = /<!-- output: explain -->\n```\n([\s\S]*?)\n```/.exec(page) ?? [];
    expect(shown.split('\n')).toEqual(drawExplained(explain(templates, person, NOW), { width: 100, colours: false }));
  });
});

describe('a person', () => {
  const table = (...items: Item[]): Table =>
    ({
      readOne: async ({ pk, sk }: Item) => items.find((item) => item.pk === pk && item.sk === sk),
    }) as unknown as Table;

  it('who was merged is found as the one they became', async () => {
    const old = { ...newContact('old', 1), mergedInto: 'new' };
    const items = [contactItem(old, 1, 32), contactItem(newContact('new', 1), 1, 32)];
    expect((await findContact(table(...items), { id: 'old' })).id).toBe('new');
  });

  it('who is unknown is said to be, and who was erased is said to be erased', async () => {
    await expect(findContact(table(), { id: 'x' })).rejects.toThrow(/no such contact/);
    await expect(findContact(table(), { user: 'ann' })).rejects.toThrow(/No contact has this user id/);
    await expect(findContact(table(), { email: 'nobody' })).rejects.toThrow(/This is no address/);
    const { address } = event('X', NOW, {}, { address: 'ann@mail.example' }).who;
    const erased = (subject: string): Item => ({ ...key.erased(subject), at: NOW });
    const gone = /was erased on 2026-06-11/;
    await expect(findContact(table(erased(`address#${address}`)), { email: 'ann@mail.example' })).rejects.toThrow(gone);
    await expect(findContact(table(erased('contact#x')), { id: 'x' })).rejects.toThrow(gone);
  });

  it('is shown with open cases, subscriptions, scores, and when a membership ends by itself', () => {
    const contact = structuredClone(ann());
    const said = [
      event('Case Opened', '2026-06-01', { case_id: 'late-parcel' }),
      event('Case Opened', '2026-06-02', { case_id: 'done' }),
      event('Case Closed', '2026-06-03', { case_id: 'done' }),
      event('Subscription Started', '2026-06-04', { subscription_id: 'film-club' }),
      event('Scores Updated', '2026-06-05', { 'value.lifetime': 123456, 'loyalty.tier': 'gold' }),
      ...Array.from({ length: 7 }, (_, i) => event('Case Opened', '2026-05-01', { case_id: `k${i}` }, { id: `k${i}` })),
    ];
    for (const one of said) foldStanding(contact.facts, one);
    const lines = tell({ contact, messages: [] }, book, NOW).join('\n');
    expect(lines).toContain('open case       late-parcel, since 1 Jun 2026');
    expect(lines).not.toContain('done');
    expect(lines).toContain('and 3 older ones');
    expect(lines).toContain('subscription    film-club, since 4 Jun 2026');
    expect(lines).toMatch(/value\.lifetime +€1,234\.56 {2}\(5 Jun 2026/);
    expect(lines).toMatch(/loyalty\.tier +gold/);
    expect(lines).toMatch(/regulars +since 1 May 2026, 12:00, until 3 Mar 2027, 11:00 if nothing happens/);
    expect(tell({ contact: ann(), messages: [] }, book, NOW).join('\n')).not.toContain('Standing');
  });
});
