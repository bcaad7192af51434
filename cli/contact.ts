// kairos contact: what is known of one person, and what happens next, in words.
import type { Command } from 'commander';
import type { Book } from '../domain/book.ts';
import type { Contact, Run } from '../domain/contact.ts';
import { zoneOf } from '../domain/eligibility.ts';
import { lookAt, segmentTurn } from '../domain/explain.ts';
import { cartLines, consentAt } from '../domain/facts.ts';
import { modelAttributes } from '../domain/insight/attributes.ts';
import type { Json, SubjectKey } from '../domain/interaction.ts';
import { type Message, reportedState } from '../domain/message.ts';
import { formatMoney } from '../domain/money.ts';
import { attributeOf } from '../domain/rule-attributes.ts';
import { sayDecision } from '../domain/say-decision.ts';
import { sayFound, sayInstant } from '../domain/say-found.ts';
import { sayPast } from '../domain/say-rule.ts';
import { sayStandingPlace, standingOf } from '../domain/say-run.ts';
import { SCORES, scoreOf } from '../domain/standing.ts';
import { TIER, tierOf, tierSegment } from '../domain/tiers.ts';
import { key, readMessage, type Table } from '../functions/aws/table.ts';
import { sayHeldOut } from './assignment.ts';
import { type Asked, checkAsked, findContact } from './find-contact.ts';
import { openStage, readBook, STAGE_OPTION } from './stage.ts';
import { count } from './validate.ts';

const MOST_MESSAGES = 20;
const MOST_STANDING = 5;

export interface Person {
  contact: Contact;
  messages: Message[];
}

/** Finds a person as `findContact` does, with their messages, newest first. */
export async function findPerson(table: Table, asked: Asked): Promise<Person> {
  const contact = await findContact(table, asked);
  // Messages stay with the contact that they were made for; what is pending, and what may still convert, knows it.
  const { runs, windows = [] } = contact.journey;
  const others = [...runs.flatMap(({ pending }) => pending), ...windows].flatMap((each) => each.contact ?? []);
  const ids = new Set([contact.id, ...others, ...(asked.id === undefined ? [] : [asked.id])]);
  const items = await Promise.all([...ids].map((each) => table.under(key.contact(each).pk, 'MESSAGE#')));
  return {
    contact,
    messages: items
      .flat()
      .map(readMessage)
      .sort((a, b) => b.plannedAt - a.plannedAt || (a.id < b.id ? -1 : 1)),
  };
}

/** Says all that is known of a person, in lines; instants in the person's own zone, money in the shop's currency. */
export function describe({ contact, messages }: Person, book: Book, now: number): string[] {
  const zone = zoneOf(book, contact);
  const when = (at: number): string =>
    new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      day: 'numeric',
      month: 'short',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
    }).format(at);
  const money = (minor: number): string => formatMoney(minor, book.currency, 'en');
  const { facts, journey } = contact;
  const lines: string[] = [];
  const section = (title: string, rows: [string, string][], none?: string): void => {
    if (rows.length === 0 && none === undefined) return;
    lines.push('', title);
    if (rows.length === 0) lines.push(`  ${none}`);
    const width = Math.min(28, Math.max(0, ...rows.map(([name]) => name.length)));
    for (const [name, value] of rows) lines.push(`  ${name.padEnd(width)}  ${value}`.trimEnd());
  };

  lines.push(`Contact ${contact.id}, known since ${when(contact.createdAt)}. Times are of ${zone}.`);
  section('Who', [
    ['address', facts.address === undefined ? 'none' : facts.address.value],
    ...(facts.suppressed === undefined
      ? []
      : [['', `SUPPRESSED: ${facts.suppressed.reason}, since ${when(facts.suppressed.at)}`] as [string, string]]),
    ...Object.entries(facts.attributes)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, stamped]): [string, string] => [name, `${shown(stamped.value)}  (${when(stamped.at)})`]),
    ['known by', kinds(contact.aliases)],
  ]);

  const { orders } = facts;
  section('Orders', [
    ['orders', orders.count === 0 ? 'none' : String(orders.count)],
    ...(orders.count === 0 && orders.gross === 0 ? [] : [['spent', spent(orders, money)] as [string, string]]),
    ...(orders.first === undefined ? [] : [['first', when(orders.first)] as [string, string]]),
    ...(orders.last === undefined
      ? []
      : [['last', `${when(orders.last)} (${ago(now - orders.last)})`] as [string, string]]),
    ...Object.entries(facts.bought)
      .sort(([, a], [, b]) => b - a)
      .slice(0, 5)
      .map(([id, at], index): [string, string] => [
        index === 0 ? 'bought' : '',
        `${book.definitions.catalogue.products[id]?.name ?? id}  (${when(at)})`,
      ]),
    ...cartLines(facts).map(([id, line], index): [string, string] => [
      index === 0 ? 'in the cart' : '',
      `${line.quantity} × ${book.definitions.catalogue.products[id]?.name ?? id}`,
    ]),
  ]);

  section('Standing', [...standing(facts, when, money), ...predicted(contact, book, now)]);

  section(
    'Consents',
    [
      ...Object.entries(facts.consents).map(([name, consent]): [string, string] => {
        const [brand = '', topic = '', channel = ''] = name.split('|');
        const holds = consentAt(facts, brand, topic, channel, now) !== undefined;
        const how = [
          consent.basis,
          consent.source,
          consent.wording === undefined ? undefined : `wording ${consent.wording}`,
        ].filter((part) => part !== undefined);
        const state = holds
          ? `granted ${when(consent.at)}`
          : consent.granted
            ? `granted ${when(consent.at)}, no longer holds`
            : `withdrawn ${when(consent.at)}`;
        const until = consent.until === undefined ? '' : `, until ${when(consent.until)}`;
        return [`${topic} by ${channel}`, `${state}${until}${how.length === 0 ? '' : ` (${how.join(', ')})`}`];
      }),
      ...Object.entries(facts.pauses ?? {}).map(([brand, { until, at }]): [string, string] => [
        'pause',
        until > now
          ? `asked for ${when(at)}: nothing of ${brand} before ${when(until)}`
          : `of ${brand}, over since ${when(Math.max(at, until))}`,
      ]),
      ...Object.entries(facts.profiling ?? {}).map(([brand, { stopped, at }]): [string, string] => [
        'profiling',
        `${stopped ? 'stopped' : 'allowed'} for ${brand} ${when(at)}`,
      ]),
      ...Object.entries(facts.withdrawn).map(([brand, { at }]): [string, string] => [
        'everything',
        `of ${brand} withdrawn ${when(at)}`,
      ]),
    ],
    'None recorded: no marketing is sent.',
  );

  section(
    'Segments',
    Object.entries(journey.segments)
      .filter(([id, membership]) => membership.since !== undefined && tierOf(id) === undefined)
      .map(([id, { since, entries }]): [string, string] => {
        const until = segmentTurn(book, contact, id, now);
        const leaves = until === undefined ? '' : `, until ${when(until)} if nothing happens`;
        return [id, `since ${when(since!)}${entries > 1 ? `, entered ${entries} times` : ''}${leaves}`];
      }),
    'In none.',
  );

  section(
    'Under way',
    journey.runs
      .filter((run) => run.ended === undefined)
      .map((run): [string, string] => [run.campaign, position(run, book, when)]),
    'In no campaign.',
  );

  section(
    'Planned',
    (journey.booked ?? []).map(({ campaign, occurrence, at }): [string, string] => [
      campaign,
      `is asked ${when(at)}${occurrence.startsWith('inside|') ? ', as one of those inside' : `, for ${occurrence}`}`,
    ]),
  );

  section(
    'Topics that rest',
    Object.entries(journey.rests ?? {}).map(([topic, { since, campaign, why, until }]): [string, string] => [
      topic,
      `since ${when(since)} (${campaign}: ${why}), until the person ${sayPast(until)}`,
    ]),
  );

  section(
    'Messages',
    messages.slice(0, MOST_MESSAGES).map((message): [string, string] => {
      const at =
        message.state === 'ready'
          ? `planned for ${when(message.plannedAt)}`
          : when(message.sentAt ?? message.claimedAt ?? message.plannedAt);
      return [
        message.email,
        `${message.state === 'ghost' ? 'held out, nothing sent' : reportedState(message)}${message.reason === undefined ? '' : ` (${message.reason})`}, ${at}  ${message.id}${
          message.contact === contact.id ? '' : ` --contact ${message.contact}`
        }`,
      ];
    }),
    'None.',
  );
  if (messages.length > MOST_MESSAGES) lines.push(`  … and ${messages.length - MOST_MESSAGES} older ones`);

  section(
    'Last decisions',
    Object.entries(journey.decisions)
      .sort(([, a], [, b]) => b.at - a.at)
      .map(([campaign, decision]): [string, string] => [
        campaign,
        `${sayDecision(decision, book.version.get(`${campaign}@${decision.version}`)?.campaign, campaign)}  (${when(decision.at)})`,
      ]),
    'None yet.',
  );
  const open = (journey.windows ?? []).filter(({ until }) => until > now);
  section(
    'A success counts for',
    open.map(({ campaign, until }): [string, string] => [campaign, `until ${when(until)}`]),
  );
  if (journey.due !== undefined && Number.isFinite(journey.due))
    lines.push('', `Looked at again ${when(journey.due)} at the latest.`);
  return lines;
}

/** Cases, subscriptions and scores, the newest word first. */
function standing(
  { cases = {}, subscriptions = {}, scores = {} }: Contact['facts'],
  when: (at: number) => string,
  money: (minor: number) => string,
): [string, string][] {
  const newest = <T extends { at: number }>(entries: Record<string, T>): [string, T][] =>
    Object.entries(entries).sort(([, a], [, b]) => b.at - a.at);
  const open = newest(cases).filter(([, word]) => word.open);
  const active = newest(subscriptions).filter(([, word]) => word.active);
  const rows: [string, string][] = open
    .slice(0, MOST_STANDING)
    .map(([id, { at }]) => ['open case', `${shown(id)}, since ${when(at)}`]);
  if (open.length > MOST_STANDING) rows.push(['', `and ${open.length - MOST_STANDING} older ones`]);
  for (const [id, { at }] of active.slice(0, MOST_STANDING))
    rows.push(['subscription', `${shown(id)}, since ${when(at)}`]);
  if (active.length > MOST_STANDING) rows.push(['', `and ${active.length - MOST_STANDING} older ones`]);
  for (const [name, { value, at }] of Object.entries(scores).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const said = SCORES[name] === 'money' && typeof value === 'number' ? money(value) : shown(value);
    rows.push([name, `${said}  (${when(at)})`]);
  }
  return rows;
}

/** The loyalty tier, and what the models say, where the shop has given no score of that name. */
function predicted(contact: Contact, book: Book, now: number): [string, string][] {
  const { context, sight, attributes } = lookAt(book, contact, now);
  const names = [TIER, ...Object.keys(modelAttributes)];
  return names.flatMap((name): [string, string][] => {
    if (scoreOf(contact.facts, name) !== undefined) return [];
    const found = attributeOf(name)(sight);
    if (found === undefined) return [];
    const until = name === TIER ? tierTurn(book, contact, found, now) : undefined;
    const leaves = until === undefined ? '' : `, until ${sayInstant(until, sight.zone)} if nothing happens`;
    return [[name, `${sayFound({ has: { [name]: { exists: true } } }, { context, sight, attributes })}${leaves}`]];
  });
}

const tierTurn = (book: Book, contact: Contact, tier: Json, now: number): number | undefined =>
  segmentTurn(book, contact, tierSegment(String(tier)), now);

function spent({ gross, refunded }: Contact['facts']['orders'], money: (minor: number) => string): string {
  return refunded === 0
    ? money(gross)
    : `${money(gross - refunded)} (${money(gross)} less ${money(refunded)} refunded)`;
}

function position(run: Run, book: Book, when: (at: number) => string): string {
  const what =
    run.product === undefined ? '' : ` with ${book.definitions.catalogue.products[run.product]?.name ?? run.product}`;
  const standing = standingOf(run, book.version.get(`${run.campaign}@${run.version}`), when);
  const arm = run.heldOut === undefined ? '' : `; ${sayHeldOut(run.heldOut)}`;
  return `started ${when(run.startedAt)}${what}; ${sayStandingPlace(standing)}${standing.words}${arm}`;
}

function kinds(aliases: SubjectKey[]): string {
  const counts = new Map<string, number>();
  for (const alias of aliases) {
    const kind = alias.slice(0, alias.indexOf('#'));
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts]
    .map(([kind, many]) =>
      count(
        many,
        kind === 'user' ? 'user id' : kind === 'address' ? 'address' : `${kind} id`,
        kind === 'address' ? 'addresses' : undefined,
      ),
    )
    .join(', ');
}

const shown = (value: Json): string =>
  typeof value === 'string'
    ? value.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, ' ')
    : JSON.stringify(value);

function ago(ms: number): string {
  const days = Math.floor(ms / 86_400_000);
  return days < 1 ? 'less than a day ago' : `${count(days, 'day')} ago`;
}

/** Adds `kairos contact ID`. */
export function registerContact(program: Command): void {
  program
    .command('contact')
    .description('what is known of one person, and what happens next')
    .argument('[id]', 'the contact id')
    .option('--user <id>', 'find by the store’s user id')
    .option('--email <address>', 'find by e-mail address')
    .option(...STAGE_OPTION)
    .option('--json', 'print contact and messages as JSON')
    .action(
      async (id: string | undefined, options: { user?: string; email?: string; stage?: string; json?: boolean }) => {
        checkAsked({ id, user: options.user, email: options.email });
        const stage = await openStage({ stage: options.stage });
        const person = await findPerson(stage.table, { id, user: options.user, email: options.email });
        if (options.json) {
          console.log(JSON.stringify(person));
          return;
        }
        for (const line of describe(person, await readBook(stage), stage.now())) console.log(line);
      },
    );
}
