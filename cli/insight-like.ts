// kairos insight like: who of the other customers is most like those on a list, and what sets the list apart.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { KairosError } from '../domain/fault.ts';
import type { Buyer } from '../domain/insight/buyers.ts';
import { dateOfDay } from '../domain/insight/customer.ts';
import { categoryOf } from '../domain/insight/feature-space.ts';
import { ruleFor } from '../domain/insight/group-rule.ts';
import { type Likeness, likeThese } from '../domain/insight/likeness.ts';
import { shortHash } from '../domain/interaction.ts';
import { sayRule } from '../domain/say-rule.ts';
import { findContact } from './find-contact.ts';
import { count, counted, moneyOf, percent } from './insight-figures.ts';
import {
  knownCategories,
  readBuyers,
  readingOf,
  SAVE_OPTIONS,
  type SaveOptions,
  saveRule,
  sayFit,
} from './insight-groups.ts';
import type { Part, ReportCommand } from './insight-report.ts';
import type { InsightSource } from './insight-source.ts';
import { wholeNumber } from './messages.ts';

interface LikeOptions extends SaveOptions {
  contacts?: string;
  most?: string;
}

/** Shown in a terminal; all of them are in the JSON. */
const SHOWN = 20;
const AT_ONCE = 20;

export const like: ReportCommand<LikeOptions> = {
  name: 'like',
  description: 'the customers who are most like those on a list, and what sets the list apart',
  options: [
    [
      '--contacts <file>',
      'the list: contact ids, user ids or addresses, one a line; of a file of orders, its customer ids',
    ],
    ['--most <number>', 'how many to find; by default as many as are on the list'],
    ...SAVE_OPTIONS,
  ],
  onlyAlone: true,
  async make(source, options) {
    if (options.contacts === undefined) {
      throw new KairosError({
        code: 'like.contacts',
        path: '--contacts',
        message: 'There is no list.',
        remedy: 'Give --contacts FILE: ids, user ids or addresses, one a line.',
      });
    }
    const lines = await readLines(options.contacts);
    const asked = options.most === undefined ? undefined : wholeNumber('--most', options.most);
    const buyers = await readBuyers(source);
    const { found, unknown } = await contactsOf(lines, source);
    const most = asked ?? Math.max(1, found.size);
    const likeness = likeThese(buyers, found, most, readingOf(source));
    const list = { lines: lines.length, unknown, listed: likeness.listed };
    const told = [
      `${counted(lines.length, 'line')} in ${options.contacts}`,
      ...(unknown > 0 ? [`${count(unknown)} of nobody who is known`] : []),
      ...(found.size > likeness.listed ? [`${count(found.size - likeness.listed)} of people who have not bought`] : []),
    ].join(', ');
    const report = { name: 'like', title: 'More like these', basis: `${source.says} The list: ${told}.` };
    if (likeness.kind === 'none') {
      if (options.as !== undefined) {
        throw new KairosError({
          code: `like.${likeness.code}`,
          path: '--contacts',
          message: `${likeness.says} Nothing was written.`,
        });
      }
      const parts: Part[] = [{ kind: 'text', tone: 'warning', text: likeness.says }];
      return { ...report, parts, json: { ...list, code: likeness.code, says: likeness.says, contacts: [] } };
    }
    const meant = new Set([
      ...buyers.flatMap(({ contact }, i) => (found.has(contact) ? [i] : [])),
      ...likeness.nearest.map(({ place }) => place),
    ]);
    const rule = ruleFor(buyers, meant, likeness.features, { ...readingOf(source), known: knownCategories(source) });
    const saved: Part[] = [];
    if (options.as !== undefined) {
      if (rule === undefined) {
        const message = 'No rule tells these people from the others: nothing was written.';
        throw new KairosError({ code: 'like.no-rule', path: '--as', message });
      }
      saved.push(await saveRule(rule, `Like ${path.basename(options.contacts)}: ${likeness.says}`, MEANT, options));
    }
    const ruled =
      rule === undefined
        ? 'No rule of bounds tells these people from the others.'
        : `As a rule: ${sayRule(rule.rule)} ${sayFit(rule, MEANT)}${options.as === undefined ? ' Save it: --as NAME.' : ''}`;
    return {
      ...report,
      parts: [...saved, ...partsOf(source, buyers, likeness, ruled)],
      json: {
        ...list,
        says: likeness.says,
        apart: likeness.apart,
        usual: likeness.usual,
        contacts: likeness.nearest.map(({ place, distance }) => ({ contact: buyers[place]?.contact, distance })),
        ...(rule === undefined ? {} : { rule }),
      },
    };
  },
};

const MEANT = 'on the list or found here';

async function readLines(file: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new KairosError(
      {
        code: 'like.file',
        path: file,
        message: 'This list cannot be read.',
        remedy: 'Give a file with one id or address a line.',
      },
      { cause: error },
    );
  }
  return [
    ...new Set(
      text
        .replace(/^\uFEFF/, '')
        .split(/\r?\n/)
        .map((line) => line.trim()),
    ),
  ].filter((line) => line !== '');
}

/** The contacts that lines name, and how many lines name nobody. */
async function contactsOf(
  lines: readonly string[],
  source: InsightSource,
): Promise<{ found: Set<string>; unknown: number }> {
  const { table } = source.stage ?? {};
  if (table === undefined) {
    const known = new Set(
      (await source.warehouse.rows('SELECT DISTINCT contact FROM contacts')).map(({ contact }) => contact),
    );
    // A file's contact is its own id of a person; for an address a hash stands.
    const ids = lines.map((line) => (line.includes('@') ? shortHash(line) : line));
    const found = new Set(ids.filter((id) => known.has(id)));
    return { found, unknown: ids.filter((id) => !known.has(id)).length };
  }
  const found = new Set<string>();
  let unknown = 0;
  for (let from = 0; from < lines.length; from += AT_ONCE) {
    const some = lines.slice(from, from + AT_ONCE);
    for (const id of await Promise.all(some.map((line) => livingContact(table, line)))) {
      if (id === undefined) unknown += 1;
      else found.add(id);
    }
  }
  return { found, unknown };
}

type Table = Parameters<typeof findContact>[0];

/** An address, a contact id or a user id, in this order; undefined where it is nobody, or somebody who was erased. */
async function livingContact(table: Table, line: string): Promise<string | undefined> {
  for (const asked of line.includes('@') ? [{ email: line }, { user: line }] : [{ id: line }, { user: line }]) {
    try {
      return (await findContact(table, asked)).id;
    } catch (error) {
      if (!(error instanceof KairosError)) throw error;
    }
  }
  return undefined;
}

function partsOf(
  source: InsightSource,
  buyers: readonly Buyer[],
  likeness: Extract<Likeness, { kind: 'like' }>,
  ruled: string,
): Part[] {
  const { whole } = moneyOf(source);
  const { nearest, usual, apart } = likeness;
  const closer = nearest.filter(({ distance }) => distance <= usual.listed).length;
  const sayNearest =
    nearest.length === 0
      ? 'There is nobody else.'
      : `Of the ${counted(nearest.length, 'customer')} found, ${count(closer)} are at most as far from the middle of the list as its own people usually are.`;
  return [
    {
      kind: 'figures',
      figures: [
        { value: count(likeness.listed), caption: 'customers on the list' },
        { value: count(nearest.length), caption: 'others who are like them' },
      ],
    },
    { kind: 'text', text: `What sets the list apart: ${likeness.says}.` },
    {
      kind: 'table',
      title: 'The list beside everybody',
      columns: [
        { title: 'Feature' },
        { title: 'List', align: 'right' },
        { title: 'Everybody', align: 'right' },
        { title: 'Deviations', align: 'right' },
      ],
      rows: apart.map(({ feature, by, value, usual: all }) => {
        const [name, say] = FEATURES[feature] ?? [categoryOf(feature) ?? feature, percent];
        return [name, say(value), say(all), `${by < 0 ? '−' : '+'}${Math.abs(by).toFixed(1)}`];
      }),
    },
    { kind: 'text', text: sayNearest },
    {
      kind: 'table',
      title:
        nearest.length > SHOWN
          ? `The ${SHOWN} who are most alike; all of them with --json`
          : 'Who they are, most alike first',
      columns: [
        { title: 'Contact' },
        { title: 'Distance', align: 'right' },
        { title: 'Orders', align: 'right' },
        { title: 'Spent', align: 'right' },
        { title: 'Last order', align: 'right' },
      ],
      rows: nearest.slice(0, SHOWN).map(({ place, distance }) => {
        const { contact, orders, revenue, last } = buyers[place] as Buyer;
        return [contact, distance.toFixed(2), count(orders), whole(revenue), dateOfDay(last)];
      }),
    },
    { kind: 'text', text: ruled },
  ];
}

/** What a feature is called, and how its mean is said; means of logarithms are said as what they are the logarithm of. */
const FEATURES: Record<string, [name: string, say: (value: number) => string]> = {
  recency: ['days since the last order', (value) => count(30 * Math.expm1(value))],
  frequency: ['days with an order', (value) => count(Math.exp(value), 1)],
  money: ['spent on such a day', (value) => count(Math.expm1(value))],
  discounted: ['orders with a discount', percent],
  returned: ['returned', percent],
};
