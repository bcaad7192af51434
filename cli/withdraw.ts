// kairos withdraw: a request that came by reply, put on the bus like a click on a link, and waited for.
import type { Command } from 'commander';
import { parseAddress } from '../domain/address.ts';
import type { Book } from '../domain/book.ts';
import type { Contact, Facts } from '../domain/contact.ts';
import { OWN_SOURCE } from '../domain/event.ts';
import { consentAt, pausedUntil, profilingStopped } from '../domain/facts.ts';
import { KairosError, suggest } from '../domain/fault.ts';
import { Duration } from '../domain/grammar.ts';
import { type JsonObject, shortHash } from '../domain/interaction.ts';
import { TRACKING } from '../domain/settings.ts';
import { durationMs } from '../domain/time.ts';
import type { BusEvent } from '../functions/aws/bus.ts';
import { sleep } from '../functions/aws/clock.ts';
import { record } from '../functions/aws/controls.ts';
import { key, type Table } from '../functions/aws/table.ts';
import { readSuppressions } from '../functions/aws/world.ts';
import { findPerson } from './contact.ts';
import { checkBrand, scrubbedText } from './ledger.ts';
import { openStage, readBook, STAGE_OPTION, type Stage } from './stage.ts';

const MOST_PAUSE = '365d';
const MOST_WHY = 200;
const LOOK_AGAIN = 250;
const PATIENCE = 20_000;

/** A request as it was typed. */
export interface Request {
  address: string;
  topic?: string | undefined;
  brand?: string | undefined;
  why?: string | undefined;
  /** A duration: no marketing for so long, consents stay. */
  pause?: string | undefined;
  stopProfiling?: boolean | undefined;
  /** Withdraw everything, beside a pause or a stop of profiling. */
  all?: boolean | undefined;
}

/** One thing that is asked for, as an event of ours, with how to see that it has taken hold. */
interface Wish {
  name: string;
  /** Tells it from other wishes of the same name. */
  key: string;
  properties: JsonObject;
  holds: (contact: Contact, now: number) => boolean;
  /** What is true once it holds. */
  done: string;
}

type Parts = Pick<Stage, 'table' | 'bus' | 'now' | 'who'>;

/** How long to wait for a request to take hold, in real time. */
export interface Patience {
  most?: number;
  wait?: (milliseconds: number) => Promise<void>;
}

const wrong = (code: string, path: string, message: string, remedy?: string): KairosError =>
  new KairosError({ code, path, message, ...(remedy === undefined ? {} : { remedy }) });

/**
 * Does what somebody asked for by reply, writes down who did it and when, and answers what has taken hold, in lines. An
 * address that is no contact's is kept as withdrawn by its hash. Throws KairosError: `withdraw.address`, `.brand`, `.topic`,
 * `.pause`, `.unknown` when nothing was done; `.bus`, `.pending` and `.overtaken` when it does not hold yet.
 */
export async function withdraw(request: Request, book: Book, stage: Parts, patience: Patience = {}): Promise<string[]> {
  const { address, hash } = readAddress(request.address);
  const brand = brandOf(book, request.brand);
  checkTopic(book, request.topic);
  const pause = readPause(request.pause);
  const why = readWhy(request.why);
  const { table, now } = stage;
  const by = await stage.who();
  let contact = await contactOf(table, address);
  if (contact === undefined) {
    const lines = await withdrawAddress(request, hash, brand, { by, why }, stage);
    // Who came with the address in this very moment was not covered by it.
    contact = await contactOf(table, address);
    if (contact === undefined) return lines;
  }
  const { id } = contact;
  // The same command twice within a minute is one request.
  const minute = Math.floor(now() / 60_000);
  const asked = wishesOf(request, brand, pause, now()).map((wish) => ({
    wish,
    id: `reply-${shortHash(id, brand, wish.name, wish.key, String(minute))}`,
  }));
  const what = asked.map(({ wish }) => `${wish.name} (${brand}${wish.key === '' ? '' : `, ${wish.key}`})`).join(', ');
  await record(table, { what: 'withdraw', to: id, by, at: now(), why: `${what}: ${why}` });
  const refused = await stage.bus.put(asked.map((each) => eventOf(each.wish, id, each.id, now()))).catch((error) => {
    throw wrong('withdraw.bus', '', `The bus cannot be reached (${(error as Error).name}): the request does not hold.`);
  });
  if (refused > 0) {
    throw wrong('withdraw.bus', '', 'The bus did not take the request: it does not hold.', 'Give the command again.');
  }
  await takenHold(asked, id, stage, patience);
  const old =
    contact.facts.addressHash === hash
      ? []
      : ['The person has another address by now, or none: it holds for them all.'];
  return [...asked.map(({ wish }) => wish.done), ...old, ...aside(request)];
}

/** What was not asked for, where one might think that it was. */
function aside({ topic, all, pause, stopProfiling }: Request): string[] {
  if (topic !== undefined || all === true || (pause === undefined && stopProfiling !== true)) return [];
  return ['No consent was withdrawn. Add --all, or --topic, if that was asked for too.'];
}

function readAddress(text: string): { address: string; hash: string } {
  // As a mail program shows it: Ann Example <ann@mail.example>.
  const parsed = parseAddress(/<([^<>]+)>\s*$/.exec(text)?.[1] ?? text);
  if ('refused' in parsed) throw wrong('withdraw.address', 'ADDRESS', `This is no address: ${parsed.refused}.`);
  return parsed;
}

function brandOf(book: Book, given: string | undefined): string {
  checkBrand(book, given);
  const brands = Object.keys(book.definitions.settings.brands);
  if (given !== undefined) return given;
  if (brands.length === 1) return brands[0]!;
  throw wrong(
    'withdraw.brand',
    '--brand',
    brands.length === 0
      ? 'Nothing is published yet, so no brand is known.'
      : `There are several brands: ${brands.join(', ')}.`,
    brands.length === 0 ? 'Publish first (kairos publish), or give --brand.' : 'Give --brand: whose mail was answered?',
  );
}

function checkTopic({ definitions }: Book, topic: string | undefined): void {
  const topics = [...new Set([...Object.keys(definitions.settings.topics), TRACKING])];
  if (topic === undefined || topics.includes(topic)) return;
  throw wrong('withdraw.topic', '--topic', `There is no topic "${topic}".`, suggest(topic, topics));
}

function readPause(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!Duration.safeParse(text).success || durationMs(text) > durationMs(MOST_PAUSE)) {
    throw wrong(
      'withdraw.pause',
      '--pause',
      `"${text}" is no time to pause for.`,
      `Write a duration such as 30d, at most ${MOST_PAUSE}. For good: withdraw.`,
    );
  }
  return durationMs(text);
}

function readWhy(text: string | undefined): string {
  const why = scrubbedText((text ?? '').replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')).trim();
  return why === '' ? 'asked by reply' : why.slice(0, MOST_WHY);
}

async function contactOf(table: Table, address: string): Promise<Contact | undefined> {
  try {
    return (await findPerson(table, { email: address })).contact;
  } catch (error) {
    if (error instanceof KairosError && error.fault.code === 'contact.unknown') return undefined;
    throw error;
  }
}

function wishesOf(
  { topic, all, pause: said, stopProfiling }: Request,
  brand: string,
  pause: number | undefined,
  now: number,
): Wish[] {
  const wishes: Wish[] = [];
  const source = 'reply';
  if (topic !== undefined && all !== true) {
    wishes.push({
      name: 'Consent Withdrawn',
      key: topic,
      properties: { brand, topic, source },
      holds: ({ facts }, at) => consentAt(facts, brand, topic, 'email', at) === undefined,
      done: `Withdrawn: ${topic} of ${brand}. No e-mail of this topic is sent any more, not even one that was planned.`,
    });
  }
  if (all === true || (topic === undefined && pause === undefined && stopProfiling !== true)) {
    const ofBrand = (facts: Facts): string[][] =>
      Object.keys(facts.consents)
        .map((name) => name.split('|'))
        .filter(([of]) => of === brand);
    wishes.push({
      name: 'Consent Withdrawn',
      key: 'all',
      properties: { brand, all: true, source },
      holds: ({ facts }, at) =>
        ofBrand(facts).every(([, of = '', channel = '']) => consentAt(facts, brand, of, channel, at) === undefined),
      done: `Withdrawn: all marketing of ${brand}. None is sent any more, not even what was planned.`,
    });
  }
  if (pause !== undefined) {
    const until = new Date(now + pause).toISOString();
    wishes.push({
      name: 'Pause Requested',
      key: said ?? '',
      properties: { brand, until, source },
      holds: ({ facts }, at) => pausedUntil(facts, brand, at) !== undefined,
      done: `Paused: no marketing of ${brand} until ${until.slice(0, 10)}.`,
    });
  }
  if (stopProfiling === true) {
    wishes.push({
      name: 'Profiling Stopped',
      key: '',
      properties: { brand, source },
      holds: ({ facts }) => profilingStopped(facts, brand),
      done: `Profiling stopped: ${brand} no longer chooses for them by what they did.`,
    });
  }
  return wishes;
}

/** An event of ours, as a click on a link puts it. */
function eventOf({ name, properties }: Wish, contact: string, id: string, now: number): BusEvent {
  const timestamp = new Date(now).toISOString();
  const detail = { type: 'track', event: name, messageId: id, contactId: contact, timestamp, properties, hops: 1 };
  return { source: OWN_SOURCE, detailType: name, detail };
}

/** Waits until each event is recorded, and looks whether what it asked for holds. */
async function takenHold(
  asked: { wish: Wish; id: string }[],
  contact: string,
  { table, now }: Parts,
  { most = PATIENCE, wait = sleep }: Patience,
): Promise<void> {
  const keys = asked.map(({ wish, id }) => ({
    pk: `SUBJECT#contact#${contact}`,
    sk: `INTERACTION#${wish.name}#${id}`,
  }));
  for (let waited = 0; ; waited += LOOK_AGAIN) {
    const found = await table.read(keys);
    if (keys.every((each) => found.get(each) !== undefined)) break;
    if (waited >= most) {
      throw wrong(
        'withdraw.pending',
        '',
        'The request is on the bus, and had not taken hold when we stopped waiting.',
        'Look again with kairos consents show; if it never does, see the dead letters of the record queue.',
      );
    }
    await wait(LOOK_AGAIN);
  }
  const person = (await findPerson(table, { id: contact })).contact;
  if (asked.every(({ wish }) => wish.holds(person, now()))) return;
  throw wrong(
    'withdraw.overtaken',
    '',
    'The request is recorded, but a newer word of the person says otherwise.',
    'See kairos consents show; give the command again where the request is the newer one.',
  );
}

/**
 * Nobody is known by the address: all of the brand is kept as withdrawn under its hash, for the contact that may come. It
 * holds no topics, pauses or wishes about profiling.
 */
async function withdrawAddress(
  { topic, pause, stopProfiling, all }: Request,
  hash: string,
  brand: string,
  { by, why }: { by: string; why: string },
  { table, now }: Parts,
): Promise<string[]> {
  if (topic === undefined && all !== true && (pause !== undefined || stopProfiling === true)) {
    throw wrong(
      'withdraw.unknown',
      'ADDRESS',
      'No contact has this address: there is nobody to pause or to stop profiling of.',
      'Is it written as in the reply? People often write from another address than they read at.',
    );
  }
  const stored = readSuppressions(await table.read([key.withdrawal(hash)]), hash).withdrawal;
  if (stored !== undefined && stored.brand !== brand) {
    throw wrong(
      'withdraw.unknown',
      'ADDRESS',
      `No contact has this address, and everything of ${stored.brand} is withdrawn for it already; one brand is kept.`,
      'Block the address instead: kairos import suppressions, reason "complained".',
    );
  }
  const at = now();
  await table.update(key.withdrawal(hash), {
    UpdateExpression: 'SET brand = :brand, #at = :at, byReply = :at, shape = :one',
    ConditionExpression: 'attribute_not_exists(pk) OR #at < :at',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: { ':brand': brand, ':at': at, ':one': 1 },
  });
  await record(table, {
    what: 'withdraw',
    to: `address ${hash.slice(0, 12)}…`,
    by,
    at,
    why: `Consent Withdrawn: ${why}`,
  });
  return [
    'No contact has this address.',
    `Kept for whoever comes with it: all marketing of ${brand} is withdrawn${topic === undefined ? '' : `, not ${topic} alone`}, until they consent anew.`,
  ];
}

/** Adds `kairos withdraw ADDRESS`. */
export function registerWithdraw(program: Command): void {
  program
    .command('withdraw')
    .description('what somebody asked for by reply: withdraws all marketing of the brand, unless told otherwise')
    .argument('<address>', 'the address that the reply came from')
    .option('--topic <topic>', 'only this topic')
    .option('--brand <brand>', 'the brand whose mail was answered, where there are several')
    .option('--pause <duration>', 'no marketing for so long, such as 30d; consents stay')
    .option('--stop-profiling', 'no more choosing by what the person did; consents stay')
    .option('--all', 'withdraw everything beside a pause or a stop of profiling')
    .option('--why <text>', 'written down with it, such as "reply of 21 Nov"')
    .option(...STAGE_OPTION)
    .action(async (address: string, options: Omit<Request, 'address'> & { stage?: string }) => {
      const stage = await openStage({ stage: options.stage });
      for (const line of await withdraw({ address, ...options }, await readBook(stage), stage)) stage.say(line);
    });
}
