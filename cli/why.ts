// kairos why: what was decided of a contact in each campaign, from which event, by which book, and what was found.
import type { Command } from 'commander';
import type { Book } from '../domain/book.ts';
import type { CompiledCampaign } from '../domain/compiled-campaign.ts';
import type { Booking, Contact, LastDecision, Rest, Run } from '../domain/contact.ts';
import { drawOf, heldOutOf, stepDraw } from '../domain/draw.ts';
import { zoneOf } from '../domain/eligibility.ts';
import { type ExplainedCampaign, explainCampaign, lookAt } from '../domain/explain.ts';
import { type Hindrance, hindrances } from '../domain/hindrance.ts';
import { type Because, type Message, reportedState } from '../domain/message.ts';
import { type Recalled, recall } from '../domain/recall.ts';
import { type Origin, originAt } from '../domain/recommend.ts';
import { sayWhen } from '../domain/say-campaign.ts';
import { sayDecision } from '../domain/say-decision.ts';
import { sayBoth } from '../domain/say-found.ts';
import { type Standing, standingOf } from '../domain/say-run.ts';
import { findPerson, type Person } from './contact.ts';
import { checkAsked } from './find-contact.ts';
import { paperOf } from './page.ts';
import { checkCampaign, openBook, openStage, readBook, STAGE_OPTION, type Stage } from './stage.ts';
import { drawWhy } from './why-page.ts';

const MOST_MESSAGES = 20;
const MOST_BOOKS = 20;

/** One message, sent, waiting, lost or held out, with what led to it. */
export interface WhyMessage {
  id: string;
  contact: string;
  email: string;
  step: string;
  version: string;
  /** The delivery where one is known, else the state. */
  state: string;
  reason?: string;
  decidedAt: number;
  plannedAt: number;
  sentAt?: number;
  /** By which draw it was held out. */
  heldOut?: 'campaign' | 'global';
  trigger: { name: string; at: number };
  product?: string;
  because?: Because;
  /** What the audience came to, in the words of the version that decided; absent where that is known no more. */
  audience?: Recalled;
  /** The content alternative, how it came about, and the number that was drawn. */
  variant?: { name: string; how: 'by lot' | 'in the test' | 'winner'; number: number };
  /** What was chosen for it to recommend, as far as its e-mail shows such, and where each comes from. */
  recommended?: { product: string; origin?: Origin }[];
  coupon?: { pool: string; code?: string };
  conversion?: NonNullable<Message['conversion']>;
}

/** What is known of one campaign and the contact. */
export interface WhyCampaign {
  id: string;
  title?: string;
  /** `gone`: in no book that is published; runs under way stop. */
  standing: 'published' | 'retired' | 'gone';
  version?: string;
  paused?: boolean;
  last?: LastDecision & { words: string; email?: string };
  messages: WhyMessage[];
  /** Messages beyond those that are told. */
  older: number;
  skips: { reason: string; times: number; last: number; winner?: string }[];
  runs: (Pick<Run, 'id' | 'version' | 'startedAt' | 'from' | 'product' | 'heldOut'> & {
    trigger: { name: string; id: string; at: number };
    standing: Standing;
  })[];
  bookings: Booking[];
  /** Until when a success counts. */
  counts: { until: number }[];
  /** The rest that its topic has. */
  rest?: Rest & { topic: string };
  /** What would have to happen; where one campaign is asked for, and no run is under way. */
  would?: { starts: string; hindrances: Hindrance[] } & Pick<ExplainedCampaign, 'to' | 'for'>;
}

export interface Why {
  contact: string;
  askedFor?: string;
  at: number;
  zone: string;
  shopZone: string;
  /** The book that last decided over the contact. */
  decidedBy?: { hash: string; ordinal: number; models?: { hash: string; ordinal: number } };
  campaigns: WhyCampaign[];
  /** Published campaigns of which nothing is known for the contact. */
  unheardOf: string[];
}

/** Books by their hash, for the words of what they decided; undefined where one is not to be had. */
export type Shelf = (hash: string) => Book | undefined;

/**
 * What is known of a person and each campaign, or one. `shelf` has earlier books. `codes`: with the codes of coupons.
 * Throws KairosError `campaign.unknown`.
 */
export function tellWhy(
  { contact, messages }: Person,
  book: Book,
  now: number,
  {
    campaign: only,
    shelf = () => undefined,
    codes = false,
  }: { campaign?: string | undefined; shelf?: Shelf; codes?: boolean } = {},
): Why {
  const known = knownCampaigns(contact, messages);
  if (only !== undefined && !known.has(only)) checkCampaign(only, book);
  const ids = only === undefined ? [...known].sort() : [only];
  const campaigns = ids.map((id) => {
    const own = messages.filter((message) => message.campaign === id);
    return ofCampaign(id, contact, own, book, now, { shelf, codes, alone: only !== undefined });
  });
  const latest = ({ last, messages: [newest] }: WhyCampaign): number => Math.max(last?.at ?? 0, newest?.decidedAt ?? 0);
  return {
    contact: contact.id,
    at: now,
    zone: zoneOf(book, contact),
    shopZone: book.definitions.settings.zone,
    ...(contact.book !== undefined && { decidedBy: decidedBy(contact.book) }),
    campaigns: campaigns.sort((a, b) => latest(b) - latest(a) || (a.id < b.id ? -1 : 1)),
    unheardOf: only === undefined ? book.campaigns.map(({ id }) => id).filter((id) => !known.has(id)) : [],
  };
}

function decidedBy({ hash, ordinal, models }: NonNullable<Contact['book']>): NonNullable<Why['decidedBy']> {
  return { hash, ordinal, ...(models !== undefined && { models }) };
}

function knownCampaigns({ journey }: Contact, messages: Message[]): Set<string> {
  return new Set([
    ...Object.keys(journey.decisions),
    ...Object.keys(journey.skips ?? {}),
    ...journey.runs.map(({ campaign }) => campaign),
    ...(journey.booked ?? []).map(({ campaign }) => campaign),
    ...messages.map(({ campaign }) => campaign),
  ]);
}

interface How {
  shelf: Shelf;
  codes: boolean;
  /** This campaign alone is asked for. */
  alone: boolean;
}

function ofCampaign(id: string, contact: Contact, messages: Message[], book: Book, now: number, how: How): WhyCampaign {
  const { journey } = contact;
  const published = book.campaign.get(id);
  const retired = Object.values(book.definitions.retired).some((one) => one.id === id);
  const last = journey.decisions[id];
  const decided = last?.version === undefined ? published : book.version.get(`${id}@${last.version}`);
  const when = (at: number): string => sayBoth(at, zoneOf(book, contact), book.definitions.settings.zone);
  const open = journey.runs.filter((run) => run.campaign === id && run.ended === undefined);
  const topic = (published ?? decided)?.campaign.topic;
  const rest = topic === undefined ? undefined : journey.rests?.[topic];
  const title = (published ?? decided)?.campaign.title;
  const newest = [...messages].sort((a, b) => b.createdAt - a.createdAt || b.plannedAt - a.plannedAt);
  return {
    id,
    ...(title !== undefined && { title }),
    standing: published !== undefined ? 'published' : retired ? 'retired' : 'gone',
    ...(published !== undefined && { version: published.version }),
    ...(book.controls.paused[id] !== undefined && { paused: true }),
    ...(last !== undefined && { last: { ...last, words: sayDecision(last, decided?.campaign, id) } }),
    messages: newest
      .slice(0, how.alone ? undefined : MOST_MESSAGES)
      .map((message) => ofMessage(message, contact, book, how)),
    older: how.alone ? 0 : Math.max(0, messages.length - MOST_MESSAGES),
    skips: skipsOf(contact, id),
    runs: open.map((run) => {
      const { trigger, version, startedAt, from, product, heldOut } = run;
      return {
        id: run.id,
        version,
        startedAt,
        from,
        ...(product !== undefined && { product }),
        ...(heldOut !== undefined && { heldOut }),
        trigger: { name: trigger.name, id: trigger.id, at: trigger.at },
        standing: standingOf(run, book.version.get(`${id}@${version}`), when),
      };
    }),
    bookings: (journey.booked ?? []).filter(({ campaign }) => campaign === id),
    counts: (journey.windows ?? [])
      .filter(({ campaign, until }) => campaign === id && until > now)
      .map(({ until }) => ({ until })),
    ...(rest !== undefined && topic !== undefined && { rest: { ...rest, topic } }),
    ...(how.alone && open.length === 0 && published !== undefined && { would: wouldBe(published, contact, book, now) }),
  };
}

function wouldBe(
  campaign: CompiledCampaign,
  contact: Contact,
  book: Book,
  now: number,
): NonNullable<WhyCampaign['would']> {
  const { to, for: audience } = explainCampaign(book, contact, campaign.id, now);
  return {
    starts: sayWhen(campaign.campaign.when),
    hindrances: hindrances(book, contact, campaign, now),
    ...(to !== undefined && { to }),
    ...(audience !== undefined && { for: audience }),
  };
}

function skipsOf({ journey }: Contact, id: string): WhyCampaign['skips'] {
  return Object.entries(journey.skips?.[id] ?? {})
    .map(([reason, [times, last, winner]]) => ({ reason, times, last, ...(winner !== undefined && { winner }) }))
    .sort((a, b) => b.times - a.times || b.last - a.last);
}

function ofMessage(message: Message, contact: Contact, book: Book, { shelf, codes }: How): WhyMessage {
  const { id, email, step, version, reason, createdAt, plannedAt, sentAt, inputs, because, coupon, conversion } =
    message;
  const run = contact.journey.runs.find((one) => one.id === message.run);
  const name = `${message.campaign}@${version}`;
  // A version says the same in every book that has it.
  const decider = book.version.has(name) || because === undefined ? book : (shelf(because.book) ?? book);
  const campaign = decider.version.get(name);
  const variant = variantOf(message, campaign, book);
  const audience =
    campaign === undefined || because === undefined
      ? undefined
      : recall(campaign, because, lookAt(decider, contact, createdAt, campaign, run));
  return {
    id,
    contact: message.contact,
    email,
    step,
    version,
    state: reportedState(message),
    ...(reason !== undefined && { reason }),
    decidedAt: createdAt,
    plannedAt,
    ...(sentAt !== undefined && { sentAt }),
    ...(message.state === 'ghost' && { heldOut: run?.heldOut ?? armOf(message, campaign, decider) }),
    trigger: { name: inputs.trigger.name, at: inputs.trigger.at },
    ...(inputs.product !== undefined && { product: inputs.product }),
    ...(because !== undefined && { because }),
    ...(audience !== undefined && { audience }),
    ...(variant !== undefined && { variant }),
    ...(inputs.recommendations.length > 0 && {
      recommended: inputs.recommendations.map((product, place) => {
        const origin = originAt(inputs.origins, place);
        return { product, ...(origin !== undefined && { origin }) };
      }),
    }),
    ...(coupon !== undefined && {
      coupon: { pool: coupon, ...(codes && inputs.coupon !== undefined && { code: inputs.coupon.code }) },
    }),
    ...(conversion !== undefined && { conversion }),
  };
}

/** By which draw a run was held out that has left the journey: drawn at entry, by the id that the message has. */
function armOf(message: Message, campaign: CompiledCampaign | undefined, book: Book): 'campaign' | 'global' {
  const percent = book.definitions.settings.globalHoldout?.percent ?? 0;
  const drawn = campaign && heldOutOf(campaign, percent, message.contact, message.inputs.trigger.at);
  return drawn ?? 'campaign';
}

function variantOf(message: Message, campaign: CompiledCampaign | undefined, book: Book): WhyMessage['variant'] {
  const { variant, key, test } = message;
  if (variant === undefined || key === undefined) return undefined;
  const number = drawOf('variant/1', stepDraw(message.campaign, key), message.contact);
  const send = campaign?.program.find((one) => one.op === 'send' && one.key === key);
  const tested = send?.op === 'send' && send.test !== undefined;
  const name = `${message.campaign}@${message.version}|${key}`;
  const won = Object.entries(book.controls.tests ?? {}).some(
    ([ended, { winner }]) => (ended === name || ended.startsWith(`${name}|`)) && winner === variant,
  );
  return { name: variant, how: test !== undefined ? 'in the test' : tested && won ? 'winner' : 'by lot', number };
}

/** Books that alone know the words of a message's version, by their hash. */
async function olderBooks(stage: Stage, messages: Message[], book: Book): Promise<Shelf> {
  const asked = messages
    .filter(({ campaign, version, because }) => because !== undefined && !book.version.has(`${campaign}@${version}`))
    .map(({ because }) => (because as Because).book);
  const found = new Map<string, Book>();
  for (const hash of [...new Set(asked)].slice(0, MOST_BOOKS)) {
    const older = await openBook(stage, hash);
    if (older !== undefined) found.set(hash, older);
  }
  return (hash) => found.get(hash);
}

/** Adds `kairos why [CONTACT]`. */
export function registerWhy(program: Command): void {
  program
    .command('why')
    .description('what was decided of a contact in each campaign, and why')
    .argument('[contact]', 'the contact id')
    .option('--user <id>', 'find by the store’s user id')
    .option('--email <address>', 'find by e-mail address')
    .option('--campaign <id>', 'one campaign, with all that is kept and what would start it')
    .option('--codes', 'with the codes of coupons, not their pools alone')
    .option(...STAGE_OPTION)
    .option('--json', 'print all of it as JSON, instants in epoch milliseconds')
    .action(
      async (
        id: string | undefined,
        options: { user?: string; email?: string; campaign?: string; codes?: boolean; stage?: string; json?: boolean },
      ) => {
        const asked = { id, user: options.user, email: options.email };
        checkAsked(asked);
        const stage = await openStage({ stage: options.stage });
        const [person, book] = await Promise.all([findPerson(stage.table, asked), readBook(stage)]);
        const shelf = await olderBooks(stage, person.messages, book);
        const why: Why = {
          ...tellWhy(person, book, stage.now(), {
            campaign: options.campaign,
            shelf,
            codes: options.codes === true,
          }),
          ...(id !== undefined && id !== person.contact.id && { askedFor: id }),
        };
        if (options.json) stage.say(JSON.stringify(why));
        else for (const line of drawWhy(why, paperOf(process.stdout), book.currency)) stage.say(line);
      },
    );
}
