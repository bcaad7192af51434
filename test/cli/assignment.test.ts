// What a contact drew, recomputed independently: by node:crypto here, and by the line that is printed, run by a shell.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { assign, drawAssigned } from '../../cli/assignment.ts';
import { assignmentOf, type Drawn } from '../../domain/assignment.ts';
import type { Step } from '../../domain/campaign-grammar.ts';
import { newContact, type Run } from '../../domain/contact.ts';
import { KairosError } from '../../domain/fault.ts';
import { bookOf, DAY, instant, marketing } from '../support/people.ts';

const NOW = instant('2026-06-11 12:00');
const campaigns = {
  cart: marketing({
    when: { did: 'Checkout Started' },
    for: { share: 'spring', percent: [0, 50] },
    holdout: 10,
    steps: [
      { send: 'cart', variants: { plain: 70, picture: 30 } },
      { split: { short: 25, long: 75 }, short: [{ send: 'short' }], long: [{ send: 'cart' }] } as Step,
    ],
  }),
  news: marketing({
    when: { every: 'tuesday 10:00', clock: 'contact', to: { segment: 'testers' } },
    steps: [{ send: 'news', test: { variants: ['a', 'b', 'c'], share: 20, for: '4h', winner: 'clicked' } }],
  }),
  receipt: marketing({ kind: 'service', when: { did: 'Order Completed' }, steps: [{ send: 'receipt' }] }),
};
const book = bookOf({
  segments: { testers: { share: "o'clock % \\0", percent: [20, 60] } },
  campaigns,
  settings: { globalHoldout: { percent: 5 } },
});

/** All draws of a contact, by kind and name. */
function drawsOf(contact: string): Drawn[] {
  const { global, campaigns: each, shares } = assignmentOf(book, contact, NOW);
  return [...(global === undefined ? [] : [global]), ...each.flatMap(({ draws }) => draws), ...shares];
}

/** As docs and the command say it: the first eight hexadecimal digits, as a share of 2^32. */
function recomputed({ kind, name }: Drawn, contact: string): number {
  const hex = createHash('sha256').update(`${kind}\0${name}\0${contact}`).digest('hex').slice(0, 8);
  return (Number.parseInt(hex, 16) * 100) / 2 ** 32;
}

describe('a draw', () => {
  it('is recomputed by anybody from its kind, its name and the contact', () => {
    const names = drawsOf('c1').map(({ kind, name }) => `${kind} ${name}`);
    expect(names).toEqual([
      `global-holdout/1 period ${Math.floor(NOW / (180 * DAY))}`,
      'holdout/1 cart',
      'variant/1 cart|cart',
      'split/1 cart|1',
      'test/1 news|news',
      'variant/1 news|news',
      "share o'clock % \\0",
      'share spring',
    ]);
    for (let n = 0; n < 50; n++) {
      for (const one of drawsOf(`contact-${n}`)) expect(one.number).toBeCloseTo(recomputed(one, `contact-${n}`), 9);
    }
  });

  it('is printed by its line in a shell, whatever stands in the names', () => {
    for (const contact of ['c1', "0%s\\'$HOME`"]) {
      for (const one of drawsOf(contact)) {
        const printed = execFileSync('sh', ['-c', one.command], { encoding: 'utf8' });
        expect([one.name, printed]).toEqual([one.name, `${Math.floor(recomputed(one, contact) * 100)}\n`]);
      }
    }
  });

  it('comes to what the stretches say', () => {
    const people = Array.from({ length: 400 }, (_, n) => `p${n}`);
    const outcomes = (kind: string, name: string) => {
      const counted: Record<string, number> = {};
      for (const id of people) {
        const one = drawsOf(id).find((drawn) => drawn.kind === kind && drawn.name === name) as Drawn;
        counted[one.outcome] = (counted[one.outcome] ?? 0) + 1;
        const number = recomputed(one, id);
        if (kind === 'split/1') expect(one.outcome).toBe(number < 25 ? 'short' : 'long');
        if (kind === 'holdout/1') expect(one.outcome).toBe(number < 10 ? 'held out' : 'not held out');
        if (kind === 'test/1') expect(one.outcome).toBe(number < 20 ? 'in the test' : 'waits for the winner');
        if (name === 'spring') expect(one.outcome).toBe(number < 50 ? 'in cart' : 'in none');
      }
      return Object.keys(counted).sort();
    };
    expect(outcomes('split/1', 'cart|1')).toEqual(['long', 'short']);
    expect(outcomes('holdout/1', 'cart')).toEqual(['held out', 'not held out']);
    expect(outcomes('variant/1', 'news|news')).toEqual(['a', 'b', 'c']);
    expect(outcomes('test/1', 'news|news')).toEqual(['in the test', 'waits for the winner']);
    expect(outcomes('share', 'spring')).toEqual(['in cart', 'in none']);
  });

  it('of the rest of a test says which variant has won', () => {
    const rest = Array.from({ length: 50 }, (_, n) => `p${n}`).find((id) =>
      drawsOf(id).some(({ kind, outcome }) => kind === 'test/1' && outcome === 'waits for the winner'),
    ) as string;
    const version = book.campaign.get('news')?.version;
    const outcome = (tests: Record<string, { winner: string | null; at: number }>) => {
      const said = assignmentOf({ ...book, controls: { ...book.controls, tests } }, rest, NOW, 'news');
      return said.campaigns[0]?.draws.find(({ kind }) => kind === 'test/1')?.outcome;
    };
    const key = (day: string) => `news@${version}|news|${day}`;
    expect(outcome({ [key('2026-06-02')]: { winner: 'a', at: 1 }, [key('2026-06-09')]: { winner: 'b', at: 2 } })).toBe(
      'gets the winner, b',
    );
    expect(outcome({ [key('2026-06-09')]: { winner: null, at: 2 } })).toBe('none was clearly better: a variant by lot');
  });
});

describe('kairos assignment', () => {
  const ann = { ...newContact('c1', 1) };
  const run = { campaign: 'cart', startedAt: NOW - DAY, heldOut: 'global' } as Run;

  it('says what each draw comes to, in what stretches, and how to recompute one', () => {
    const lines = drawAssigned(assign(book, ann, NOW), { width: 100, colours: false });
    expect(lines).toEqual([
      'Contact c1',
      '11 June 2026, 14:00 in Europe/Warsaw. Draws in book 1 (book-1): each is a number from 0 to 100.',
      '',
      'Of all marketing  from 8 March 2026, 01:00 to 4 September 2026, 02:00, then drawn anew',
      '  global holdout                      11.17  not held out · below 5 is held out',
      '',
      'cart',
      '  holdout                             55.67  not held out · below 10 is held out',
      '  variant of cart                     36.68  plain · plain 0 to 70, picture 70 to 100',
      '  split of step 2                     89.91  long · short 0 to 25, long 25 to 100',
      '',
      'news',
      '  test of news                        51.42  waits for the winner · below 20 is in the test',
      '  variant of news if no variant wins  86.86  c · a 0 to 33.33, b 33.33 to 66.67, c 66.67 to 100',
      '',
      'receipt',
      '  service campaigns hold nobody out',
      '',
      'Shares in rules',
      "  o'clock % \\0                        50.83  in testers · testers 20 to 60",
      '  spring                              59.43  in none · cart 0 to 50',
      '',
      'Anybody can recompute them. A draw is the first eight digits of a SHA-256 of its kind, its name and',
      'the contact id, as a share of 2^32. “holdout” of cart, in hundredths of a percent:',
      '',
      "  echo $((0x$(printf '%s\\000%s\\000%s' 'holdout/1' 'cart' 'c1' | sha256sum | cut -c1-8) * 10000 / 4294967296))",
      '',
      'With --json, the line of each draw.',
    ]);
  });

  it('says which id draws after a merge, and that runs under way keep what was drawn', () => {
    const merged = { ...ann, journey: { ...ann.journey, runs: [run] } };
    const lines = drawAssigned(
      { ...assign(book, merged, NOW, 'cart'), askedFor: 'c9' },
      { width: 200, colours: false },
    );
    expect(lines).toContain(
      'c9 was merged into this contact: from then on c1 draws. Runs that c9 began keep the arm that was drawn then.',
    );
    expect(lines).toContain(
      '  The run under way since 10 June 2026, 14:00 is held out by the global holdout, as drawn when it began.',
    );
  });

  it('says who would be held out, that service holds nobody out, and where nothing is drawn', () => {
    const out = Array.from({ length: 200 }, (_, n) => `p${n}`).find(
      (id) => assignmentOf(book, id, NOW, 'cart').campaigns[0]?.heldOut === 'campaign',
    ) as string;
    const lines = (id: string, only?: string) =>
      drawAssigned(assign(book, newContact(id, 1), NOW, only), { width: 100, colours: false });
    expect(lines(out, 'cart')).toContain('  Who enters now is held out by its own draw: the steps are walked unsent.');
    expect(lines('c1', 'receipt')).toContain('  service campaigns hold nobody out');
    expect(drawAssigned(assign(bookOf(), ann, NOW), { width: 100, colours: false }).at(-1)).toBe(
      'Nothing is drawn in this book.',
    );
  });

  it('of a campaign that is nearly right asks whether that was meant', () => {
    const refused = () => assign(book, ann, NOW, 'carts');
    expect(refused).toThrow(KairosError);
    expect(refused).toThrow(/Did you mean "cart"/);
  });
});
