// The page of choices: what it shows of a person, what its forms say, and the statements that follow from them.
import type { Book, Definitions } from './book.ts';
import type { Contact } from './contact.ts';
import { cartLines, consentAt, pausedUntil, profilingStopped, STATEMENTS } from './facts.ts';
import type { Json, JsonObject } from './interaction.ts';
import type { LinkPayload } from './links.ts';
import { sayDay } from './locale.ts';
import type { Message } from './message.ts';
import { formatMoney } from './money.ts';
import type { StoredProduct } from './product.ts';
import { latestBought } from './recommend.ts';
import type { ChoicesView, KnownView, SavedView } from './render.ts';
import { inLocale } from './settings.ts';
import { hasSubscription, openCases, SCORES } from './standing.ts';
import { TIER, tierSegment } from './tiers.ts';

/** The pages behind a preference link. */
export const CHOICE_PAGES = ['preferences', 'saved', 'known', 'gone'] as const;

const DAY = 86_400_000;
/** How long "leave me alone for a while" is. */
export const PAUSE = 30 * DAY;
/** How long after its mail a link shows what is known: mails are forwarded, and lie in old mailboxes. */
export const KNOWS = 90 * DAY;

const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
const MOST_TOPICS = 100;
const MOST_SHOWN = 10;
const MOST_TEXT = 200;

/** What a form says. `made` is the mark of the page that it stood on. */
export type Choice = { made: string } & (
  | { what: 'save'; on: string[]; off: string[]; kept: string[] }
  | { what: Exclude<SavedView['what'], 'save'> | 'known' }
);

/**
 * Reads a posted form: `do` names the choice; `topic` are the ticked topics and `shown` those that were on when the page
 * was made, so that only what the person changed is said. Undefined for anything else. Never throws.
 */
export function readChoice(body: string): Choice | undefined {
  const form = new URLSearchParams(body);
  const given = form.get('made') ?? '';
  const made = /^[a-z0-9]{1,16}$/.test(given) ? given : '';
  const what = form.get('do');
  switch (what) {
    case 'save': {
      const names = (key: string): string[] => [...new Set(form.getAll(key))].filter(isName).slice(0, MOST_TOPICS);
      const ticked = names('topic');
      const shown = names('shown');
      return {
        what,
        made,
        on: ticked.filter((topic) => !shown.includes(topic)),
        off: shown.filter((topic) => !ticked.includes(topic)),
        kept: ticked.filter((topic) => shown.includes(topic)),
      };
    }
    case 'pause':
    case 'resume':
    case 'stop-profiling':
    case 'allow-profiling':
    case 'withdraw':
    case 'known':
      return { what, made };
    default:
      return undefined;
  }
}

const isName = (name: string): boolean => NAME.test(name) && !(name in {});

/** A statement of the person, as the bus carries it. */
export interface Statement {
  name: string;
  properties: JsonObject;
}

/**
 * What a choice states, one for each topic that was changed. `wording` names what the person read; `about` is the topic of
 * the mail that the link stood in: leaving it, and leaving all, is said of that message. Only topics of the settings can
 * be asked for.
 */
export function statementsOf(
  choice: Choice,
  { brand, message }: LinkPayload,
  {
    now,
    settings,
    wording,
    about,
  }: { now: number; settings: Definitions['settings']; wording: string; about?: string },
): Statement[] {
  const said = { brand, source: 'preference page' };
  switch (choice.what) {
    case 'save':
      return [
        ...choice.off.map((topic) => ({
          name: 'Consent Withdrawn',
          properties: { ...said, topic, ...(about === undefined || about === topic ? { message } : {}) },
        })),
        ...choice.on
          .filter((topic) => Object.hasOwn(settings.topics, topic))
          .map((topic) => ({
            name: 'Consent Granted',
            // The link came to their mailbox, and they ticked the box: both halves of a double opt-in.
            properties: { ...said, topic, basis: 'double', form: 'preference page', wording },
          })),
      ];
    case 'pause':
      return [{ name: 'Pause Requested', properties: { ...said, until: new Date(now + PAUSE).toISOString() } }];
    case 'resume':
      return [{ name: 'Pause Ended', properties: said }];
    case 'stop-profiling':
      return [{ name: 'Profiling Stopped', properties: said }];
    case 'allow-profiling':
      return [{ name: 'Profiling Allowed', properties: said }];
    case 'withdraw':
      return [{ name: 'Consent Withdrawn', properties: { ...said, all: true, message } }];
    case 'known':
      return [];
    default:
      return choice satisfies never;
  }
}

/** Topics that the page offers: those of the settings, and others that the person still consents to. */
function topicsOf(settings: Definitions['settings'], facts: Contact['facts'], brand: string, now: number): string[] {
  const own = Object.keys(settings.topics);
  const others = Object.keys(facts.consents).flatMap((key) => {
    const [of, topic = '', channel] = key.split('|');
    const stands = of === brand && channel === 'email' && consentAt(facts, brand, topic, 'email', now) !== undefined;
    return stands && isName(topic) && !own.includes(topic) ? [topic] : [];
  });
  return [...own, ...others.sort()];
}

function titleOf({ topics }: Definitions['settings'], id: string, locale: string): string {
  return Object.hasOwn(topics, id) ? inLocale(topics[id]!.title, locale) : id;
}

/** The choices that stand at an instant. `knows`: the link may show what is known. */
export function choicesOf(
  { settings }: Pick<Definitions, 'settings'>,
  { facts }: Contact,
  page: { brand: string; locale: string; now: number; knows: boolean },
): ChoicesView {
  const { brand, locale, now, knows } = page;
  const topics = topicsOf(settings, facts, brand, now).map((id) => {
    const description = Object.hasOwn(settings.topics, id) ? settings.topics[id]?.description : undefined;
    return {
      id,
      title: titleOf(settings, id, locale),
      ...(description === undefined ? {} : { description: inLocale(description, locale) }),
      on: consentAt(facts, brand, id, 'email', now) !== undefined,
    };
  });
  const until = pausedUntil(facts, brand, now);
  return {
    made: now.toString(36),
    topics,
    anything: topics.some(({ on }) => on),
    ...(until === undefined ? {} : { pausedUntil: sayDay(until, locale, settings.zone) }),
    profilingStopped: profilingStopped(facts, brand),
    blocked: facts.suppressed !== undefined,
    knows,
  };
}

/** What was understood, for the page after a choice; undefined where the choice asks for another page. */
export function savedOf(
  choice: Choice,
  { settings }: Pick<Definitions, 'settings'>,
  { locale, now }: { locale: string; now: number },
): SavedView | undefined {
  if (choice.what === 'known') return undefined;
  const { on, off, kept } = choice.what === 'save' ? choice : { on: [], off: [], kept: [] };
  const ids = Object.keys(settings.topics);
  const granted = on.filter((topic) => ids.includes(topic));
  const now_ = [...kept, ...granted];
  const order = (topics: string[]): string[] =>
    [...topics].sort((a, b) => ids.indexOf(a) - ids.indexOf(b)).map((topic) => titleOf(settings, topic, locale));
  return {
    what: choice.what,
    on: order(now_),
    off: choice.what === 'save' ? order([...new Set([...ids, ...off])].filter((topic) => !now_.includes(topic))) : [],
    changed: granted.length + off.length > 0,
    ...(choice.what === 'pause' ? { until: sayDay(now + PAUSE, locale, settings.zone) } : {}),
  };
}

/** Whether the mail of a link is young enough to show what is known. A message that is not there any more is not. */
export function isYoung(message: Message | undefined, now: number): boolean {
  if (message === undefined) return false;
  return now - (message.sentAt ?? message.claimedAt ?? message.createdAt) < KNOWS;
}

/** Ids of the products whose names the page of what is known wants. */
export function productsOf(contact: Contact): string[] {
  return [...new Set([...latestBought(contact.facts.bought, MOST_SHOWN), ...cartOf(contact)])];
}

function cartOf({ facts }: Contact): string[] {
  return cartLines(facts)
    .sort(([a, x], [b, y]) => y.at - x.at || (a < b ? -1 : 1))
    .slice(0, MOST_SHOWN)
    .map(([product]) => product);
}

/** How the person stands with the shop, in the shape of attributes: what others found out, and what is open. */
function standingOf(
  { facts, journey }: Contact,
  money: (minor: number) => string,
  tiers: { id: string; title: string }[],
): [name: string, { value: Json; at: number }][] {
  const latest = (all: Record<string, { at: number }> | undefined): number =>
    Math.max(...Object.values(all ?? {}).map(({ at }) => at));
  const rows = Object.entries(facts.scores ?? {}).map(
    ([name, { value, at }]): [string, { value: Json; at: number }] => [
      name,
      { value: SCORES[name] === 'money' && typeof value === 'number' ? money(value) : value, at },
    ],
  );
  for (const { id, title } of facts.scores?.[TIER] === undefined ? tiers : []) {
    const since = journey.segments[tierSegment(id)]?.since;
    if (since !== undefined) rows.push([TIER, { value: title, at: since }]);
  }
  if (facts.cases !== undefined) {
    rows.push(['service.openCases', { value: openCases(facts), at: latest(facts.cases) }]);
  }
  if (facts.subscriptions !== undefined) {
    rows.push(['subscription.active', { value: hasSubscription(facts), at: latest(facts.subscriptions) }]);
  }
  return rows;
}

/** What is known of a person, by one brand. `products`: what the feed last said, by id. Texts are not escaped here. */
export function knownOf(
  { definitions, version }: Pick<Book, 'definitions' | 'version'>,
  contact: Contact,
  products: Record<string, StoredProduct>,
  page: { brand: string; locale: string; now: number },
): KnownView {
  const { brand, locale, now } = page;
  const { settings, catalogue, segments } = definitions;
  const { facts, journey } = contact;
  const day = (at: number): string => sayDay(at, locale, settings.zone);
  const nameOf = (id: string): string => {
    const fed = Object.hasOwn(products, id) ? products[id]?.name : undefined;
    const known = Object.hasOwn(catalogue.products, id) ? catalogue.products[id]?.name : undefined;
    return shown(fed ?? known ?? id);
  };
  const { orders } = facts;
  const until = pausedUntil(facts, brand, now);
  const withdrawn = Object.hasOwn(facts.withdrawn, brand) ? facts.withdrawn[brand] : undefined;
  const sender = Object.values(settings.senders).find((one) => one.brand === brand && one.replyTo !== undefined);
  const newest = <T extends { at: number }>(list: T[]): T[] => [...list].sort((a, b) => b.at - a.at);
  return {
    ...(facts.address === undefined ? {} : { address: masked(facts.address.value) }),
    since: day(contact.createdAt),
    attributes: [
      ...Object.entries(facts.attributes),
      ...standingOf(
        contact,
        (minor) => formatMoney(minor, settings.currency, locale),
        (definitions.loyalty?.tiers ?? []).map(({ id, title }) => ({ id, title: inLocale(title ?? id, locale) })),
      ),
    ]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { value, at }]) => ({
        name: shown(name),
        label: labelOf(name),
        value: sayValue(value),
        ...(typeof value === 'boolean' ? { truth: value } : {}),
        at: day(at),
      })),
    ...(orders.count > 0 && orders.first !== undefined
      ? {
          orders: {
            count: orders.count,
            spend: formatMoney(orders.gross - orders.refunded, settings.currency, locale),
            first: day(orders.first),
            last: day(orders.last ?? orders.first),
          },
        }
      : {}),
    bought: latestBought(facts.bought, MOST_SHOWN).map((id) => ({ name: nameOf(id), at: day(facts.bought[id]!) })),
    cart: cartOf(contact).map(nameOf),
    acts: newest(Object.entries(facts.latest).map(([name, at]) => ({ name, at })))
      .filter(({ name }) => !STATEMENTS.has(name))
      .slice(0, MOST_SHOWN * 2)
      .map(({ name, at }) => ({ name: shown(name), at: day(at) })),
    consents: newest(
      Object.entries(facts.consents)
        .filter(([key]) => key.startsWith(`${brand}|`))
        .map(([key, consent]) => ({ topic: key.split('|')[1] ?? '', ...consent })),
    ).map(({ topic, granted, at, basis, source, form, wording, until: ends }) => ({
      topic: shown(titleOf(settings, topic, locale)),
      granted,
      at: day(at),
      ...(granted && basis !== undefined ? { basis } : {}),
      ...(source === undefined ? {} : { source: shown(source) }),
      ...(form === undefined ? {} : { form: shown(form) }),
      ...(wording === undefined ? {} : { wording: shown(wording) }),
      ...(granted && ends !== undefined ? { until: day(ends) } : {}),
    })),
    ...(withdrawn === undefined ? {} : { withdrawn: day(withdrawn.at) }),
    ...(until === undefined ? {} : { pausedUntil: day(until) }),
    profilingStopped: profilingStopped(facts, brand),
    ...(facts.suppressed === undefined
      ? {}
      : { blocked: { reason: facts.suppressed.reason, at: day(facts.suppressed.at) } }),
    segments: Object.entries(journey.segments).flatMap(([id, { since }]) =>
      since === undefined || !Object.hasOwn(segments, id)
        ? []
        : [{ title: shown(segments[id]?.title ?? id), at: day(since) }],
    ),
    campaigns: journey.runs.flatMap(({ campaign, version: at, startedAt, ended }) => {
      const known = version.get(`${campaign}@${at}`);
      return ended !== undefined || (known !== undefined && known.brand !== brand)
        ? []
        : [{ title: shown(known?.campaign.title ?? campaign), at: day(startedAt) }];
    }),
    ...(sender?.replyTo === undefined ? {} : { help: sender.replyTo }),
  };
}

/** "a•••@example.org": enough to recognise one's own, too little to write to. */
export function masked(address: string): string {
  const at = address.lastIndexOf('@');
  const [first = ''] = address;
  return shown(at > 1 ? `${first}•••${address.slice(at)}` : `•••${address.slice(Math.max(at, 0))}`);
}

/** "favouriteCategory" → "Favourite category"; a name that is no such word stays as it is. */
function labelOf(name: string): string {
  if (!/^[A-Za-z][\w.-]*$/.test(name)) return shown(name);
  const words = shown(name)
    .replace(/[_.-]+/g, ' ')
    .replace(/(?<=[a-z\d])(?=[A-Z])/g, ' ')
    .trim()
    .toLowerCase();
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
}

function sayValue(value: Json): string {
  if (Array.isArray(value)) return shown(value.map(sayValue).join(', '));
  if (value !== null && typeof value === 'object') {
    return shown(
      Object.entries(value)
        .map(([key, each]) => `${key}: ${sayValue(each)}`)
        .join(', '),
    );
  }
  return value === null ? '' : shown(String(value));
}

/** A text of anybody's, as it is but for what plays with the page around it: control and direction characters. */
function shown(text: string): string {
  const clean = text
    .slice(0, MOST_TEXT * 4)
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .replace(/[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]/g, '')
    .trim();
  const characters = [...clean];
  return characters.length > MOST_TEXT ? `${characters.slice(0, MOST_TEXT).join('')}…` : clean;
}
