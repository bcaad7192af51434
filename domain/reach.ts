// Whom a campaign would reach: its audience as it is now, what keeps mail from some of it, and how long it takes to go out.
import type { Book } from './book.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { Contact } from './contact.ts';
import { type BookSight, sightOf, zoneOf } from './eligibility.ts';
import { asksAboutRun } from './explain.ts';
import { hindrances } from './hindrance.ts';
import { afterQuiet, durationMs, nextLocal } from './time.ts';

/** What a campaign comes to for one contact: outside its audience, reached, or kept from it. */
export interface AskedContact {
  inside: boolean;
  /** The first gate in the way; absent = would be written to. */
  hindrance?: string;
  zone: string;
}

/** Gates of the campaign, not of a person, and caps, which are others when the time comes. */
const OF_THE_MOMENT = new Set(['sending is stopped', 'the campaign is paused', 'not live', 'again', 'frequency-cap']);

/** Why nobody can be asked before a run begins; undefined where everybody can. */
export function unanswerable({ campaign }: CompiledCampaign): string | undefined {
  return campaign.for !== undefined && asksAboutRun(campaign.for) ? '"for" asks about the run' : undefined;
}

/** Asks one contact, at one instant; whoever has it already counts, "again" apart where that says never. */
export function askContact(book: Book, campaign: CompiledCampaign, contact: Contact, now: number): AskedContact {
  const sight = sightOf(book, contact, now);
  const zone = zoneOf(book, contact);
  if (!isMeant(campaign, sight)) return { inside: false, zone };
  const [first] = hindrances(book, contact, campaign, now).filter(
    ({ reason }) => !OF_THE_MOMENT.has(reason) || (reason === 'again' && campaign.campaign.again === 'never'),
  );
  return { inside: true, zone, ...(first !== undefined && { hindrance: first.reason }) };
}

/** A broadcast's "to", the members of the segment that starts it, who has its date; and "for". */
function isMeant({ to, enters, date, for: meant }: CompiledCampaign, sight: BookSight): boolean {
  if (to !== undefined && !to.test(sight)) return false;
  if (enters !== undefined && !sight.inSegment(enters)) return false;
  if (date !== undefined && (date.read(sight) ?? null) === null) return false;
  return meant?.test(sight) ?? true;
}

/** A share of those who were asked, with the interval in which it lies with 95 percent; of everybody it is exact. */
export interface Share {
  asked: number;
  /** Contacts in all, as far as they are known. */
  contacts: number;
  low: number;
  high: number;
}

export interface Reach {
  /** How many were asked, and of how many. */
  asked: number;
  contacts: number;
  /** Everybody was asked. */
  exact: boolean;
  inside: Share;
  reached: Share;
  /** Of those inside, by the first gate in the way; the most first. */
  kept: { reason: string; share: Share }[];
  /** Of those who would be written to, by zone; the most first. */
  zones: { zone: string; share: Share }[];
}

/** What the answers of some contacts say of all. */
export function reachOf(answers: AskedContact[], of: { contacts: number; exact: boolean }): Reach {
  const exact = of.exact && answers.length >= of.contacts;
  const contacts = exact ? answers.length : of.contacts;
  const share = (some: number): Share => shareOf(some, answers.length, contacts, exact);
  const inside = answers.filter((one) => one.inside);
  const reached = inside.filter(({ hindrance }) => hindrance === undefined);
  const counted = (keys: string[]): [string, number][] => {
    const found = new Map<string, number>();
    for (const key of keys) found.set(key, (found.get(key) ?? 0) + 1);
    return [...found].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  };
  return {
    asked: answers.length,
    contacts,
    exact,
    inside: share(inside.length),
    reached: share(reached.length),
    kept: counted(inside.flatMap(({ hindrance }) => hindrance ?? [])).map(([reason, some]) => ({
      reason,
      share: share(some),
    })),
    zones: counted(reached.map(({ zone }) => zone)).map(([zone, some]) => ({ zone, share: share(some) })),
  };
}

function shareOf(some: number, asked: number, contacts: number, exact: boolean): Share {
  if (exact) return { asked: some, contacts: some, low: some, high: some };
  const [low, high] = wilson(some, asked);
  const share = asked === 0 ? 0 : some / asked;
  return {
    asked: some,
    contacts: Math.round(share * contacts),
    low: Math.floor(low * contacts),
    high: Math.ceil(high * contacts),
  };
}

/** Wilson's interval of a share, with 95 percent; everything where nobody was asked. */
export function wilson(some: number, of: number): [low: number, high: number] {
  if (of === 0) return [0, 1];
  const z = 1.96;
  const share = some / of;
  const middle = share + (z * z) / (2 * of);
  const width = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
  const scale = 1 + (z * z) / of;
  return [Math.max(0, (middle - width) / scale), Math.min(1, (middle + width) / scale)];
}

/** Messages of one zone that may go out from one instant on. */
export interface Wave {
  zone: string;
  at: number;
  /** The time of the step, from which "expires" counts; those who wait for a test's winner are later. */
  due: number;
  messages: number;
}

/** A wave as it goes out: behind those before it, at the bulk rate. */
export interface Passed extends Wave {
  from: number;
  to: number;
  /** How many would come later than "expires" allows. */
  tooLate: number;
  /** When the quiet hours of the zone begin while it goes out, or in which it falls due; until when they last. */
  quiet?: { from: number; to: number };
}

/** How waves go out one after another, as the clock of each zone comes to its time. */
export function passWaves(
  waves: Wave[],
  perSecond: number,
  { campaign }: Pick<CompiledCampaign, 'campaign'>,
  quietHours: { from: string; to: string } | undefined,
): Passed[] {
  const expires = campaign.expires === undefined ? Number.POSITIVE_INFINITY : durationMs(campaign.expires);
  let free = Number.NEGATIVE_INFINITY;
  return [...waves]
    .sort((a, b) => a.at - b.at || (a.zone < b.zone ? -1 : 1))
    .map((wave) => {
      const from = Math.max(free, wave.at);
      const to = from + (wave.messages * 1000) / perSecond;
      free = to;
      const inTime = Math.max(0, Math.floor(((wave.due + expires - from) * perSecond) / 1000));
      const quiet = campaign.quiet === undefined ? quietIn(from, to, quietHours, wave.zone) : undefined;
      return { ...wave, from, to, tooLate: Math.max(0, wave.messages - inTime), ...(quiet !== undefined && { quiet }) };
    });
}

function quietIn(
  from: number,
  to: number,
  quietHours: { from: string; to: string } | undefined,
  zone: string,
): Passed['quiet'] {
  if (quietHours === undefined || quietHours.from === quietHours.to) return undefined;
  const ends = afterQuiet(from, quietHours, zone);
  if (ends > from) return { from, to: ends };
  const begins = nextLocal(from, quietHours.from, zone);
  return begins < to ? { from: begins, to: afterQuiet(begins, quietHours, zone) } : undefined;
}

/**
 * The waves of a broadcast: each zone at its time. Where the first message is tested, its share at once, and the rest as
 * soon as the test that begins with the first of all zones has ended.
 */
export function wavesOf(
  { campaign }: Pick<CompiledCampaign, 'campaign'>,
  zones: Reach['zones'],
  instantIn: (zone: string) => number,
): Wave[] {
  const [step] = campaign.steps;
  const test = step !== undefined && 'send' in step ? step.test : undefined;
  const dated = zones.map(({ zone, share }) => ({ zone, due: instantIn(zone), messages: share.contacts }));
  if (test === undefined) return dated.map((wave) => ({ ...wave, at: wave.due }));
  const ended = Math.min(...dated.map(({ due }) => due)) + durationMs(test.for);
  return dated.flatMap(({ zone, due, messages }) => {
    const tested = Math.round((messages * test.share) / 100);
    return [
      { zone, due, at: due, messages: tested },
      { zone, due, at: Math.max(due, ended), messages: messages - tested },
    ].filter((wave) => wave.messages > 0);
  });
}
