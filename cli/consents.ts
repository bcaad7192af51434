// kairos consents: the ledger of every word on consent, and what of it holds now for one person.
import { type Command, Option } from 'commander';
import type { Book } from '../domain/book.ts';
import type { Contact, Facts } from '../domain/contact.ts';
import { zoneOf } from '../domain/eligibility.ts';
import { consentAt, pausedUntil, profilingStopped } from '../domain/facts.ts';
import { KairosError } from '../domain/fault.ts';
import { inLocale } from '../domain/settings.ts';
import type { Asked } from './find-contact.ts';
import { ALL, checkBrand, type LedgerProgress, type Statement, wordsOf } from './ledger.ts';
import { exportConsents, iso } from './ledger-file.ts';
import { openStage, readBook, STAGE_OPTION } from './stage.ts';
import { count } from './validate.ts';

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
