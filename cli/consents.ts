// kairos consents: the ledger of every word on consent, and what of it holds now for one person.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { parseAddress } from '../domain/address.ts';
import type { Book } from '../domain/book.ts';
import type { Contact, Facts } from '../domain/contact.ts';
import { zoneOf } from '../domain/eligibility.ts';
import { consentAt, pausedUntil, profilingStopped } from '../domain/facts.ts';
import { KairosError, suggest } from '../domain/fault.ts';
import { type Interaction, type Json, shortHash } from '../domain/interaction.ts';
import { inLocale } from '../domain/settings.ts';
import { type Key, key, pooled, readContact, readInteraction, type Table } from '../functions/aws/table.ts';
import { readSuppressions } from '../functions/aws/world.ts';
import { type Asked, findPerson } from './contact.ts';
import { openStage, readBook, STAGE_OPTION } from './stage.ts';
import { count } from './validate.ts';

/** What was said, in one word. */
const SAID: Record<string, string> = {
  'Consent Granted': 'granted',
  'Consent Withdrawn': 'withdrawn',
  'Consent Requested': 'requested',
  'Pause Requested': 'paused',
  'Pause Ended': 'pause ended',
  'Profiling Stopped': 'profiling stopped',
  'Profiling Allowed': 'profiling allowed',
};
/** How the names begin under which these words are recorded. */
const BEGINNINGS = ['Consent ', 'Pause ', 'Profiling '];
/** Everything of a brand, or of all brands. */
const ALL = '*';
const PAGE = 100;
const AT_ONCE = 16;

/** One line of the ledger. */
export interface Statement {
  contact: string;
  /** The address that the contact has at present; only where addresses were asked for. */
  address?: string;
  brand: string;
  topic: string;
  channel: string;
  statement: string;
  basis: string;
  wording: string;
  form: string;
  /** Where it was said, in the words of who recorded it: `checkout`, `confirmation link`, `reply`. */
  source: string;
  /** Epoch milliseconds. */
  at: number;
  until?: number;
  /** The source of the event, or the list that it was imported with. */
  by: string;
}

interface LedgerOptions {
  /** The brand of statements that name none. */
  defaultBrand: string;
  /** Only of this brand; what concerns all brands stays. */
  brand?: string | undefined;
  withAddresses?: boolean | undefined;
}

const COLUMNS = [
  'contact',
  'brand',
  'topic',
  'channel',
  'statement',
  'basis',
  'wording',
  'form',
  'source',
  'time',
  'until',
  'by',
] as const;

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

/** A statement as it was recorded. A grant that names no basis counts as single. */
function statementOf(contact: string, interaction: Interaction, defaultBrand: string): Statement | undefined {
  const { name, properties, at, source: by } = interaction;
  const statement = Object.hasOwn(SAID, name) ? SAID[name] : undefined;
  if (statement === undefined) return undefined;
  const consent = name.startsWith('Consent ');
  const all = !consent || (name === 'Consent Withdrawn' && (properties.all === true || properties.topic === undefined));
  const said: Statement = {
    contact,
    brand: textOf(properties.brand) || defaultBrand,
    topic: all ? ALL : textOf(properties.topic),
    channel: textOf(properties.channel) || 'email',
    statement,
    basis: textOf(properties.basis) || (name === 'Consent Granted' ? 'single' : ''),
    wording: textOf(properties.wording),
    form: textOf(properties.form),
    source: textOf(properties.source),
    at,
    by,
  };
  const until = typeof properties.until === 'string' ? Date.parse(properties.until) : Number(properties.until);
  if (properties.until !== undefined && Number.isFinite(until)) said.until = until;
  return said;
}

/** In the order of time; of one instant as it goes: asked, granted, and withdrawals last, because they win. */
function inTime(a: Statement, b: Statement): number {
  const weight = ({ statement }: Statement): number =>
    statement === 'requested' ? 0 : statement === 'granted' ? 1 : 2;
  return a.at - b.at || weight(a) - weight(b) || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
}

/** Every word on consent that is recorded of one person, under whatever name it was said, in the order of time. */
export async function statementsOf(table: Table, contact: Contact, options: LedgerOptions): Promise<Statement[]> {
  const { defaultBrand, brand, withAddresses } = options;
  const subjects = contact.aliases.filter((alias) => !/^(order|product)#/.test(alias));
  const interactions: Interaction[] = [];
  await pooled(
    subjects.flatMap((subject) => BEGINNINGS.map((begins) => ({ subject, begins }))),
    4,
    async ({ subject, begins }) => {
      const items = await table.under(`SUBJECT#${subject}`, `INTERACTION#${begins}`);
      interactions.push(...items.map(readInteraction));
    },
  );
  const statements = interactions.flatMap((each) => statementOf(contact.id, each, defaultBrand) ?? []);
  const recorded = new Set(interactions.map(({ id }) => id));
  const hashes = subjects.flatMap((subject) => /^address#(.+)$/.exec(subject)?.[1] ?? []);
  statements.push(...(await standingAgainst(table, hashes, contact.id, recorded)));
  const address = contact.facts.address?.value;
  return statements
    .filter((each) => brand === undefined || each.brand === brand || each.brand === ALL)
    .sort(inTime)
    .map((each) => (withAddresses === true && address !== undefined ? { ...each, address } : scrubbed(each)));
}

/** What stands against addresses: withdrawals that were imported, and blocks. One that was said as an event too is left out. */
async function standingAgainst(
  table: Table,
  hashes: string[],
  contact: string,
  recorded: ReadonlySet<string>,
): Promise<Statement[]> {
  const found = await table.read(hashes.flatMap((hash): Key[] => [key.suppression(hash), key.withdrawal(hash)]));
  const plain = { contact, topic: ALL, channel: 'email', basis: '', wording: '', form: '' };
  return hashes.flatMap((hash): Statement[] => {
    const { suppression, withdrawal } = readSuppressions(found, hash);
    const said: Statement[] = [];
    if (
      withdrawal !== undefined &&
      !recorded.has(`withdrawn-${shortHash(hash, withdrawal.brand, String(withdrawal.at))}`)
    ) {
      const { brand, at } = withdrawal;
      const item = found.get(key.withdrawal(hash));
      const source = item?.byReply === at ? 'reply' : 'import';
      said.push({ ...plain, brand, statement: 'withdrawn', source, at, by: 'suppression list' });
    }
    if (suppression !== undefined) {
      const { reason, at } = suppression;
      said.push({ ...plain, brand: ALL, statement: 'suppressed', source: reason, at, by: 'suppression list' });
    }
    return said;
  });
}

/** A text without the addresses that it quotes. */
export const scrubbedText = (text: string): string => text.replace(/[^\s<>"',;:()]+@[^\s<>"',;:()]+/g, '[address]');

/** A form or a wording may quote an address: none leaves unless it was asked for. */
function scrubbed(statement: Statement): Statement {
  const { wording, form, source, by } = statement;
  return {
    ...statement,
    wording: scrubbedText(wording),
    form: scrubbedText(form),
    source: scrubbedText(source),
    by: scrubbedText(by),
  };
}

/** How far a walk is. */
export interface LedgerProgress {
  shard: number;
  shards: number;
  contacts: number;
  statements: number;
}

/**
 * All statements of all contacts, page by page of the roster, each contact's together and in the order of time. Holds one
 * page in memory. People who are merged while it runs may be missed or told twice.
 */
export async function* ledger(
  table: Table,
  options: LedgerOptions,
  onProgress: (progress: LedgerProgress) => void = () => {},
): AsyncGenerator<Statement[]> {
  let contacts = 0;
  let statements = 0;
  for (let shard = 0; shard < table.shards; shard++) {
    let cursor: Record<string, unknown> | undefined;
    do {
      const page = await table.roster(String(shard).padStart(2, '0'), PAGE, cursor);
      const ids = page.items.map((item) => item.pk.slice('CONTACT#'.length));
      const found = await table.read(ids.map(key.contact));
      const living = ids.flatMap((id) => {
        const item = found.get(key.contact(id));
        const contact = item === undefined ? undefined : readContact(item).value;
        return contact === undefined || contact.mergedInto !== undefined ? [] : [contact];
      });
      const said = new Map<string, Statement[]>();
      await pooled(living, AT_ONCE, async (contact) => {
        said.set(contact.id, await statementsOf(table, contact, options));
      });
      const lines = living.flatMap(({ id }) => said.get(id) ?? []);
      contacts += living.length;
      statements += lines.length;
      yield lines;
      onProgress({ shard: shard + 1, shards: table.shards, contacts, statements });
      cursor = page.next;
    } while (cursor !== undefined);
  }
}

/**
 * A cell of RFC 4180. What a spreadsheet would take for a formula is made a text with an apostrophe, also behind a
 * character that some of them split cells at.
 */
export function csvCell(text: string): string {
  const safe = text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, ' ')
    .replace(/(^|[;\t\r\n|])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])/g, "$1'")
    .replace(/^(?=[\t\r\n])/, "'");
  return /[",;\r\n\t|]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const iso = (at: number | undefined): string =>
  at === undefined || Math.abs(at) > 8.64e15 ? '' : new Date(at).toISOString();

/** A statement with its instants as ISO 8601 texts. */
function written({ at, until, address, ...rest }: Statement, withAddresses: boolean) {
  return {
    ...rest,
    ...(withAddresses ? { address: address ?? '' } : {}),
    time: iso(at),
    until: iso(until),
  };
}

/** The parts of a file: its beginning, a text for each page, its end. */
function formatted(format: 'csv' | 'json', withAddresses: boolean) {
  let first = true;
  if (format === 'json') {
    return {
      begin: '[',
      lines: (page: Statement[]): string =>
        page
          .map((each) => {
            const text = `${first ? '\n' : ',\n'}${JSON.stringify(written(each, withAddresses))}`;
            first = false;
            return text;
          })
          .join(''),
      end: '\n]\n',
    };
  }
  const columns = withAddresses ? ['contact', 'address', ...COLUMNS.slice(1)] : [...COLUMNS];
  return {
    begin: `${columns.join(',')}\r\n`,
    lines: (page: Statement[]): string =>
      page
        .map((each) => {
          const row = written(each, withAddresses) as Record<string, string>;
          return `${columns.map((column) => csvCell(row[column] ?? '')).join(',')}\r\n`;
        })
        .join(''),
    end: '',
  };
}

/** Where the ledger goes. `close` keeps it, `abandon` leaves nothing that looks whole. */
interface Sink {
  /** False when nobody reads any more. */
  write(text: string): Promise<boolean>;
  close(): Promise<void>;
  abandon(): Promise<void>;
}

/** Opens a file before anything is read: under another name until it is whole, for its owner's eyes only. */
async function openFile(file: string): Promise<Sink> {
  const there = await stat(file).catch(() => undefined);
  // A pipe or a device is written to as it stands.
  const special = there !== undefined && !there.isFile() && !there.isDirectory();
  const path = special ? file : `${file}.part`;
  try {
    if (there?.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    // Where the file is there already, it must be one that may be written.
    if (there?.isFile()) await (await open(file, 'r+')).close();
    await (await open(path, 'w', 0o600)).close();
  } catch (error) {
    const code = (error as { code?: string }).code ?? 'unknown';
    throw new KairosError(
      {
        code: 'consents.file',
        file,
        path: '',
        message:
          code === 'EISDIR'
            ? 'is a folder.'
            : code === 'ENOENT'
              ? 'lies in a folder that does not exist.'
              : `cannot be written (${code}).`,
        remedy: 'Name a file that you may write, or "-" for the terminal.',
      },
      { cause: error },
    );
  }
  const stream = createWriteStream(path, { flags: special ? 'w' : 'r+', encoding: 'utf8' });
  const broken = new Promise<never>((_, reject) => stream.once('error', reject));
  broken.catch(() => {});
  return {
    async write(text) {
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), broken]);
      return true;
    },
    async close() {
      stream.end();
      await Promise.race([finished(stream), broken]);
      if (!special) await rename(path, file);
    },
    async abandon() {
      stream.destroy();
      if (!special) await rm(path, { force: true });
    },
  };
}

/** The terminal, or a pipe whose reader may leave early. */
function standardOutput(): Sink {
  let left = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    left = true;
  });
  return {
    async write(text) {
      if (left || process.stdout.write(text)) return !left;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          process.stdout.off('drain', go).off('close', go).off('error', go);
          resolve();
        };
        process.stdout.on('drain', go).on('close', go).on('error', go);
      });
      return !left;
    },
    async close() {},
    async abandon() {},
  };
}

/** Writes the ledger of everybody, or of one person, and answers how much it holds. */
export async function exportConsents(
  table: Table,
  book: Book,
  to: { file: string; format?: 'csv' | 'json' | undefined },
  which: { brand?: string | undefined; withAddresses?: boolean | undefined; person?: Asked | undefined },
  onProgress: (progress: LedgerProgress) => void = () => {},
): Promise<{ contacts: number; statements: number }> {
  checkBrand(book, which.brand);
  const options: LedgerOptions = { defaultBrand: book.brand, ...which };
  const one = which.person === undefined ? undefined : await wordsOf(table, which.person, options);
  const format = to.format ?? (to.file.toLowerCase().endsWith('.json') ? 'json' : 'csv');
  const text = formatted(format, which.withAddresses === true);
  const told = { contacts: 0, statements: 0 };
  const out = to.file === '-' ? standardOutput() : await openFile(to.file);
  try {
    await out.write(text.begin);
    if (one !== undefined) {
      Object.assign(told, { contacts: one.contact === undefined ? 0 : 1, statements: one.statements.length });
      await out.write(text.lines(one.statements));
    } else {
      const pages = ledger(table, options, (progress) => {
        Object.assign(told, { contacts: progress.contacts, statements: progress.statements });
        onProgress(progress);
      });
      for await (const page of pages) {
        if (!(await out.write(text.lines(page)))) return told;
      }
    }
    await out.write(text.end);
    await out.close();
  } catch (error) {
    await out.abandon();
    throw error;
  }
  return told;
}

/** One person's statements. Of an address that is nobody's, what stands against it. Throws `contact.unknown`. */
async function wordsOf(
  table: Table,
  person: Asked,
  options: LedgerOptions,
): Promise<{ contact?: Contact; statements: Statement[] }> {
  try {
    const { contact } = await findPerson(table, person);
    return { contact, statements: await statementsOf(table, contact, options) };
  } catch (error) {
    const parsed = person.email === undefined ? undefined : parseAddress(person.email);
    if (!(error instanceof KairosError) || parsed === undefined || 'refused' in parsed) throw error;
    const statements = await standingAgainst(table, [parsed.hash], '', new Set());
    if (statements.length === 0) throw error;
    return {
      statements: statements.map((each) => (options.withAddresses ? { ...each, address: parsed.address } : each)),
    };
  }
}

/** Throws KairosError `consents.brand` for a brand that the settings do not know. */
export function checkBrand({ definitions }: Pick<Book, 'definitions'>, brand: string | undefined): void {
  const brands = Object.keys(definitions.settings.brands);
  if (brand === undefined || definitions.ordinal === 0 || brands.includes(brand)) return;
  const remedy = suggest(brand, brands);
  throw new KairosError({
    code: 'consents.brand',
    path: '--brand',
    message: `There is no brand "${brand}".`,
    received: brand,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** Whether a consent holds at an instant, and if not, why not. `day` writes instants. */
export function standing(
  facts: Facts,
  [brand, topic, channel]: readonly [brand: string, topic: string, channel: string],
  now: number,
  day: (at: number) => string,
): { holds: boolean; why: string } {
  const held = consentAt(facts, brand, topic, channel, now);
  if (held !== undefined) {
    const until = held.until === undefined ? '' : `, until ${day(held.until)}`;
    return { holds: true, why: `since ${day(held.at)}${until} (${held.basis ?? 'single'})` };
  }
  const name = `${brand}|${topic}|${channel}`;
  const consent = Object.hasOwn(facts.consents, name) ? facts.consents[name] : undefined;
  const withdrawn = Object.hasOwn(facts.withdrawn, brand) ? facts.withdrawn[brand] : undefined;
  const why = (): string => {
    if (withdrawn !== undefined && withdrawn.at >= (consent?.at ?? 0))
      return `everything of ${brand} was withdrawn ${day(withdrawn.at)}`;
    if (consent === undefined) return 'none was ever recorded';
    if (!consent.granted) return `it was withdrawn ${day(consent.at)}`;
    if (consent.at > now) return `it begins ${day(consent.at)}`;
    return `it ended ${day(consent.until ?? consent.at)}`;
  };
  return { holds: false, why: why() };
}

/** A table in lines, each column as wide as its widest cell. */
function table(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => [...(row[column] ?? '')].length)));
  const pad = (cell: string, column: number): string => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length);
  return rows.map((row) => `  ${row.map(pad).join('  ')}`.trimEnd());
}

const visible = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, ' ');

/** What was said, and what holds now and why not, in lines; instants in the person's own zone. */
export function describeConsents(contact: Contact, statements: Statement[], book: Book, now: number): string[] {
  const zone = zoneOf(book, contact);
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, dateStyle: 'medium', timeStyle: 'short' });
  const day = (at: number): string => (Math.abs(at) > 8.64e15 ? 'the end of time' : format.format(at));
  const { facts } = contact;
  const { settings } = book.definitions;
  const lines = [`Contact ${contact.id}. Times are of ${zone}.`, '', 'What was said'];
  if (statements.length === 0) lines.push('  Nothing is recorded.');
  else {
    const many = new Set(statements.map(({ brand }) => brand)).size > 1;
    lines.push(
      ...table(
        statements.map(({ at, statement, brand, topic, channel, until, ...how }) => [
          day(at),
          statement,
          topic === ALL
            ? statement.startsWith('prof') || statement.startsWith('pause')
              ? ''
              : 'everything'
            : `${topic} by ${channel}`,
          ...(many ? [brand === ALL ? 'every brand' : brand] : []),
          [
            ...(until === undefined ? [] : [`until ${day(until)}`]),
            how.basis,
            how.source,
            how.form && `form ${how.form}`,
            how.wording && `wording ${how.wording}`,
            `by ${how.by}`,
          ]
            .filter((part) => part !== '')
            .map(visible)
            .join(', '),
        ]),
      ),
    );
  }
  lines.push('', `What holds now, ${day(now)}`);
  const names = new Set(
    Object.keys(settings.brands).flatMap((brand) =>
      Object.keys(settings.topics).map((topic) => `${brand}|${topic}|email`),
    ),
  );
  for (const name of Object.keys(facts.consents)) names.add(name);
  const several = new Set([...names].map((name) => name.split('|')[0])).size > 1;
  const rows = [...names].map((name) => {
    const [brand = '', topic = '', channel = ''] = name.split('|');
    const { holds, why } = standing(facts, [brand, topic, channel], now, day);
    const title = Object.hasOwn(settings.topics, topic) ? inLocale(settings.topics[topic]!.title, 'en') : topic;
    return [
      ...(several ? [brand] : []),
      `${topic} by ${channel}`,
      title === topic ? '' : visible(title),
      holds ? 'yes' : 'no ',
      why,
    ];
  });
  lines.push(...(rows.length === 0 ? ['  No topic is known.'] : table(rows)));
  const against: string[] = [];
  if (facts.suppressed !== undefined)
    against.push(
      `The address is suppressed (${facts.suppressed.reason}, ${day(facts.suppressed.at)}): nothing at all is sent.`,
    );
  if (facts.address === undefined) against.push('No address is known: nothing can be sent.');
  for (const brand of Object.keys(facts.pauses ?? {})) {
    const until = pausedUntil(facts, brand, now);
    if (until !== undefined) against.push(`The person paused ${brand} until ${day(until)}: no marketing until then.`);
  }
  for (const brand of Object.keys(facts.profiling ?? {})) {
    if (profilingStopped(facts, brand)) against.push(`The person stopped profiling by ${brand}.`);
  }
  if (against.length > 0) lines.push('', ...against.map(visible));
  return lines;
}

/** Nothing that has happened lies in the future, whatever this machine's clock says. */
function notBefore(now: number, statements: Statement[]): number {
  return Math.max(now, ...statements.map(({ at }) => at));
}

interface PersonOptions {
  contact?: string;
  email?: string;
  user?: string;
}

function oneOf({ contact, email, user }: PersonOptions, id?: string): Asked | undefined {
  const given = [id, contact, email, user].filter((each) => each !== undefined);
  if (given.length > 1) {
    throw new KairosError({
      code: 'contact.which',
      path: '',
      message: 'More than one person is named.',
      remedy: 'Give a contact id, or --user, or --email.',
    });
  }
  return given.length === 0 ? undefined : { id: id ?? contact, email, user };
}

/** Adds `kairos consents export` and `kairos consents show`. */
export function registerConsents(program: Command): void {
  const group = program.command('consents').description('what people said about consent, and what of it holds');

  group
    .command('export')
    .description('the ledger: every consent ever granted, withdrawn or asked for, and what was imported')
    .argument('[file]', 'the file to write, .csv or .json; "-" is the terminal', '-')
    .option('--brand <brand>', 'only of this brand')
    .option('--contact <id>', 'only of this contact')
    .option('--email <address>', 'only of who has this address')
    .option('--user <id>', 'only of the store’s user id')
    .addOption(new Option('--format <format>', 'by default what the file is named').choices(['csv', 'json']))
    .option('--with-addresses', 'a column with the present address: personal data')
    .option(...STAGE_OPTION)
    .action(
      async (
        file: string,
        options: PersonOptions & { brand?: string; format?: 'csv' | 'json'; withAddresses?: boolean; stage?: string },
      ) => {
        const person = oneOf(options);
        const stage = await openStage({ stage: options.stage });
        const { brand, format, withAddresses } = options;
        const draw = progress();
        const told = await exportConsents(
          stage.table,
          await readBook(stage),
          { file, format },
          { brand, withAddresses, person },
          draw.at,
        );
        draw.end();
        const whom = person === undefined ? ` of ${count(told.contacts, 'contact')}` : '';
        stage.warn(`${count(told.statements, 'statement')}${whom}${file === '-' ? '' : `, written to ${file}`}.`);
      },
    );

  group
    .command('show')
    .description('what one person said, what of it holds now, and why the rest does not')
    .argument('[id]', 'the contact id')
    .option('--email <address>', 'find by e-mail address')
    .option('--user <id>', 'find by the store’s user id')
    .option('--brand <brand>', 'only what was said of this brand')
    .option(...STAGE_OPTION)
    .action(async (id: string | undefined, options: PersonOptions & { brand?: string; stage?: string }) => {
      const person = oneOf(options, id);
      if (person === undefined) {
        throw new KairosError({
          code: 'contact.which',
          path: '',
          message: 'Name one person.',
          remedy: 'Give a contact id, or --user, or --email.',
        });
      }
      const stage = await openStage({ stage: options.stage });
      const book = await readBook(stage);
      checkBrand(book, options.brand);
      const { contact, statements } = await wordsOf(stage.table, person, {
        defaultBrand: book.brand,
        brand: options.brand,
      });
      if (contact !== undefined) {
        const now = notBefore(stage.now(), statements);
        for (const line of describeConsents(contact, statements, book, now)) stage.say(line);
        return;
      }
      stage.say('No contact has this address. What stands against it:');
      for (const { at, statement, brand, source } of statements) {
        stage.say(`  ${iso(at).slice(0, 10)}  ${statement}${brand === ALL ? '' : ` from ${brand}`} (${source})`);
      }
    });
}

/** One line on a terminal; elsewhere one for every tenth of the shards. */
function progress(): { at: (progress: LedgerProgress) => void; end: () => void } {
  const { stderr } = process;
  let last = 0;
  const line = ({ shard, shards, contacts, statements }: LedgerProgress): string =>
    `Shard ${shard} of ${shards}: ${count(contacts, 'contact')}, ${count(statements, 'statement')}`;
  return {
    at(now) {
      if (stderr.isTTY) {
        stderr.write(`\r\u001b[2K${line(now)}`);
        return;
      }
      const tenth = Math.floor((now.shard / now.shards) * 10);
      if (tenth > last && now.contacts > 10_000) stderr.write(`${line(now)}\n`);
      last = Math.max(last, tenth);
    },
    end() {
      if (stderr.isTTY) stderr.write('\r\u001b[2K');
    },
  };
}
