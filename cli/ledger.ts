// The consent ledger: every word that was recorded on consent, of one person or of everybody.
import { parseAddress } from '../domain/address.ts';
import type { Book } from '../domain/book.ts';
import type { Contact } from '../domain/contact.ts';
import { KairosError, suggest } from '../domain/fault.ts';
import { type Interaction, type Json, shortHash } from '../domain/interaction.ts';
import { type Key, key, pooled, readContact, readInteraction, shardText, type Table } from '../functions/aws/table.ts';
import { readSuppressions } from '../functions/aws/world.ts';
import { findPerson } from './contact.ts';
import type { Asked } from './find-contact.ts';

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
export const ALL = '*';
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

/** Whose words are asked for, and how much of them. */
export interface LedgerOptions {
  /** The brand of statements that name none. */
  defaultBrand: string;
  /** Only of this brand; what concerns all brands stays. */
  brand?: string | undefined;
  withAddresses?: boolean | undefined;
}

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
      const page = await table.roster(shardText(shard), PAGE, cursor);
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

/** One person's statements. Of an address that is nobody's, what stands against it. Throws `contact.unknown`. */
export async function wordsOf(
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
