// All draws of a contact in a book: holdouts, variants, tests, splits and shares, each with what it comes to and how to recompute it.
import { type Book, rulesOf, segmentsOfCampaign } from './book.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import { type DrawKind, drawOf, globalPeriod, heldOutOf, pick, stepDraw } from './draw.ts';
import type { Rule } from './grammar.ts';
import { sayPlace } from './say-campaign.ts';

/** One draw. */
export interface Drawn {
  kind: DrawKind;
  /** Salts the hash with the kind. */
  name: string;
  /** What is drawn, in words: "holdout", "variant of news". */
  what: string;
  /** From 0 (included) to 100 (excluded). */
  number: number;
  /** Which numbers mean what: "below 10 is held out". */
  stretches: string;
  /** What it comes to: "held out", "subject-b". */
  outcome: string;
  /** Prints the number in hundredths of a percent, cut. */
  command: string;
}

/** The draws of one campaign for a contact. */
export interface CampaignDraws {
  id: string;
  title?: string;
  /** By which draw somebody who entered now would be held out; absent = would be written to. */
  heldOut?: 'campaign' | 'global';
  /** Why there is no holdout. */
  without?: string;
  draws: Drawn[];
}

/** All draws of one contact id. */
export interface Assignment {
  contact: string;
  at: number;
  hash: string;
  ordinal: number;
  /** The global holdout of the present period; absent where the shop has none. */
  global?: Drawn & { percent: number; from: number; to: number };
  campaigns: CampaignDraws[];
  /** Of each `share` in a rule. */
  shares: Drawn[];
}

/** The draws of a contact id in the book, of all campaigns or of one that the book has. */
export function assignmentOf(book: Book, contact: string, now: number, only?: string): Assignment {
  const campaigns = book.campaigns.filter(({ id }) => only === undefined || id === only);
  const percent = book.definitions.settings.globalHoldout?.percent ?? 0;
  const period = globalPeriod(now);
  return {
    contact,
    at: now,
    hash: book.hash,
    ordinal: book.definitions.ordinal,
    ...(percent > 0 && {
      global: {
        ...held('global-holdout/1', period.name, 'global holdout', percent, contact),
        percent,
        from: period.from,
        to: period.to,
      },
    }),
    campaigns: campaigns.map((campaign) => drawsOf(book, campaign, percent, contact, now)),
    shares: sharesOf(book, campaigns, only !== undefined, contact),
  };
}

/** The line of a shell that prints a draw's number in hundredths of a percent, cut: 23.419 % is 2341. */
export function drawCommand(kind: DrawKind, name: string, contact: string): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const hashed = `printf '%s\\000%s\\000%s' ${[kind, name, contact].map(quoted).join(' ')} | sha256sum | cut -c1-8`;
  return `echo $((0x$(${hashed}) * 10000 / 4294967296))`;
}

function drawn(kind: DrawKind, name: string, contact: string) {
  return { kind, name, number: drawOf(kind, name, contact), command: drawCommand(kind, name, contact) };
}

function held(kind: DrawKind, name: string, what: string, percent: number, contact: string): Drawn {
  const made = drawn(kind, name, contact);
  const outcome = made.number < percent ? 'held out' : 'not held out';
  return { ...made, what, stretches: `below ${percent} is held out`, outcome };
}

/** A draw among weighted names. */
function lot(
  kind: DrawKind,
  name: string,
  what: string,
  weighted: readonly { name: string; weight: number }[],
  contact: string,
): Drawn {
  const made = drawn(kind, name, contact);
  let reached = 0;
  const stretches = weighted.map((one) => {
    const from = reached;
    reached += one.weight;
    return `${one.name} ${round(from)} to ${round(reached)}`;
  });
  return { ...made, what, stretches: stretches.join(', '), outcome: pick(weighted, made.number)?.name ?? 'nothing' };
}

const round = (number: number): number => Math.round(number * 100) / 100;

function drawsOf(
  book: Book,
  campaign: CompiledCampaign,
  globalPercent: number,
  contact: string,
  now: number,
): CampaignDraws {
  const { id, holdout, program, version } = campaign;
  const { kind, title } = campaign.campaign;
  const draws: Drawn[] = [];
  if (holdout > 0) draws.push(held('holdout/1', id, 'holdout', holdout, contact));
  for (const instruction of program) {
    if (instruction.op === 'split') {
      const what = `split of ${sayPlace(instruction.step)}`;
      draws.push(lot('split/1', stepDraw(id, instruction.step), what, instruction.branches, contact));
    }
    if (instruction.op !== 'send') continue;
    const { key, variants, test } = instruction;
    const name = stepDraw(id, key);
    if (variants !== undefined) draws.push(lot('variant/1', name, `variant of ${key}`, variants, contact));
    if (test === undefined) continue;
    const inTest = drawOf('test/1', name, contact) < test.share;
    draws.push({
      ...drawn('test/1', name, contact),
      what: `test of ${key}`,
      stretches: `below ${test.share} is in the test`,
      outcome: inTest ? 'in the test' : sayRest(book, `${id}@${version}|${key}`),
    });
    const equal = test.variants.map((variant) => ({ name: variant, weight: 100 / test.variants.length }));
    const what = `variant of ${key} ${inTest ? 'in the test' : 'if no variant wins'}`;
    draws.push(lot('variant/1', name, what, equal, contact));
  }
  const heldOut = kind === 'marketing' ? heldOutOf(campaign, globalPercent, contact, now) : undefined;
  return {
    id,
    ...(title !== undefined && { title }),
    ...(heldOut !== undefined && { heldOut }),
    ...(kind !== 'marketing' && { without: `${kind} campaigns hold nobody out` }),
    draws,
  };
}

/** What those get with whom a test is not made; a broadcast has a test each time. */
function sayRest({ controls }: Book, key: string): string {
  const ended = Object.entries(controls.tests ?? {})
    .filter(([name]) => name === key || name.startsWith(`${key}|`))
    .sort(([, a], [, b]) => b.at - a.at)[0]?.[1];
  if (ended === undefined) return 'waits for the winner';
  return ended.winner === null ? 'none was clearly better: a variant by lot' : `gets the winner, ${ended.winner}`;
}

function sharesOf(book: Book, campaigns: CompiledCampaign[], only: boolean, contact: string): Drawn[] {
  const { segments } = book.definitions;
  const places = new Map<string, { where: string; from: number; to: number }[]>();
  const look = (rule: Rule, where: string): void => {
    if ('all' in rule || 'any' in rule) for (const part of 'all' in rule ? rule.all : rule.any) look(part, where);
    else if ('not' in rule) look(rule.not, where);
    else if ('share' in rule) {
      const [from, to] = rule.percent;
      const known = places.get(rule.share) ?? [];
      if (known.some((one) => one.where === where && one.from === from && one.to === to)) return;
      places.set(rule.share, [...known, { where, from, to }]);
    }
  };
  // A segment may read others: those of a campaign's own are enough to know where to look.
  const read = only ? campaigns.flatMap(({ campaign }) => segmentsOfCampaign(campaign)) : Object.keys(segments);
  for (const id of read.sort()) if (segments[id] !== undefined) look(segments[id].rule, id);
  for (const { id, campaign } of campaigns) for (const { rule } of rulesOf(campaign)) look(rule, id);
  return [...places].map(([name, stretches]) => {
    const made = drawn('share', name, contact);
    const inside = stretches.filter(({ from, to }) => made.number >= from && made.number < to);
    return {
      ...made,
      what: name,
      stretches: stretches.map(({ where, from, to }) => `${where} ${from} to ${to}`).join(', '),
      outcome: inside.length === 0 ? 'in none' : `in ${inside.map(({ where }) => where).join(', ')}`,
    };
  });
}
