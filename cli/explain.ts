// kairos explain: why a contact is in a segment or not, clause by clause, and when that turns by itself.
import type { Command } from 'commander';
import type { Book } from '../domain/book.ts';
import type { Contact } from '../domain/contact.ts';
import { zoneOf } from '../domain/eligibility.ts';
import {
  type ExplainedCampaign,
  type ExplainedSegment,
  explainCampaign,
  explainSegment,
  isCounted,
} from '../domain/explain.ts';
import { KairosError, suggest } from '../domain/fault.ts';
import { dateOfDay } from '../domain/insight/customer.ts';
import { sayInstant } from '../domain/say-found.ts';
import { checkAsked, findContact } from './find-contact.ts';
import { type Paper, page, paperOf } from './page.ts';
import { checkPublished, openStage, readBook, STAGE_OPTION } from './stage.ts';

/** What is explained of one contact at one instant. */
export interface Explained {
  contact: string;
  /** The id that was asked for, where it was merged into this contact. */
  askedFor?: string;
  at: number;
  zone: string;
  /** False: the contact has not been decided over with the present book, so that what is counted may be missing. */
  counted: boolean;
  /** The models that predictions were made with, where rules ask for some. */
  models?: { hash: string; ordinal: number; until: string };
  segments: ExplainedSegment[];
  campaigns: ExplainedCampaign[];
}

/**
 * Explains what is asked for: one segment, one campaign, or else all segments, those that hold first. Throws KairosError
 * `segment.unknown` and `campaign.unknown`.
 */
export function explain(
  book: Book,
  contact: Contact,
  now: number,
  asked: { segment?: string | undefined; campaign?: string | undefined } = {},
): Explained {
  const known = Object.keys(book.definitions.segments);
  if (asked.segment !== undefined && !known.includes(asked.segment)) {
    const remedy = known.length === 0 ? 'Nothing is published yet: npx kairos publish.' : suggest(asked.segment, known);
    throw new KairosError({
      code: 'segment.unknown',
      path: asked.segment,
      message: 'There is no segment of this name.',
      received: asked.segment,
      ...(remedy !== undefined && { remedy }),
    });
  }
  if (asked.campaign !== undefined) checkPublished(asked.campaign, book);
  const ids = asked.segment !== undefined ? [asked.segment] : asked.campaign !== undefined ? [] : known.sort();
  const segments = ids.map((id) => explainSegment(book, contact, id, now));
  return {
    contact: contact.id,
    at: now,
    zone: zoneOf(book, contact),
    counted: isCounted(book, contact),
    ...modelsOf(book),
    segments: [...segments.filter((one) => one.holds), ...segments.filter((one) => !one.holds)],
    campaigns: asked.campaign === undefined ? [] : [explainCampaign(book, contact, asked.campaign, now)],
  };
}

/** The models of a book, where some rule reads them. */
function modelsOf({ models, readsModels }: Book): Pick<Explained, 'models'> {
  if (readsModels.size === 0 || models === undefined) return {};
  return {
    models: { hash: models.hash, ordinal: models.ordinal ?? 1, until: dateOfDay(models.models.today) },
  };
}

/** What was explained, in lines: a tree with ✓ and ✗, what was found, and when it turns. */
export function drawExplained(explained: Explained, { width, colours }: Paper): string[] {
  const { tone, mark, put, dim, tree, lines } = page({ width, colours }, explained.zone);
  const when = (at: number): string => sayInstant(at, explained.zone);
  const { segments, campaigns } = explained;
  const inside = segments.filter((one) => one.holds).length;
  const many = segments.length > 1 ? ` In ${inside} of ${segments.length} segments.` : '';
  lines.push(tone('bold', `Contact ${explained.contact}`));
  if (explained.askedFor !== undefined) put(`${explained.askedFor} was merged into this contact.`, '');
  put(`${when(explained.at)} in ${explained.zone}.${many}`, '');
  if (!explained.counted)
    put(
      'Not yet decided over with what is published now: what is counted may be missing until its next event or its backfill.',
      '',
    );
  const { models } = explained;
  if (models !== undefined)
    put(`Predicted with models ${models.ordinal} (${models.hash.slice(0, 12)}), of orders up to ${models.until}.`, '');
  if (segments.length === 0 && campaigns.length === 0) lines.push('There are no segments.');
  for (const one of segments) {
    lines.push('', `${mark(one.holds)} ${tone('bold', one.id)}${one.title === undefined ? '' : `  ${one.title}`}`);
    put(membership(one, when), '  ', dim);
    tree(one.clause, 1, one.turns);
  }
  for (const one of campaigns) {
    lines.push('', `${tone('bold', one.id)}${one.title === undefined ? '' : `  ${one.title}`}`);
    lines.push(
      `  ${one.run === undefined ? 'No run under way.' : `A run is under way since ${when(one.run.startedAt)}.`}`,
    );
    if (one.to !== undefined) {
      lines.push('  to');
      tree(one.to, 2);
    }
    const rules = [
      ['for', one.for],
      ['stopIf', one.stopIf],
    ] as const;
    for (const [name, rule] of rules) {
      lines.push(`  ${name}`);
      if (rule === undefined) lines.push(`    ${name === 'for' ? 'everybody' : 'nothing stops it'}`);
      else if ('needsRun' in rule) put(`${rule.words}: asks about a run, and there is none`, '    ');
      else tree(rule, 2);
    }
  }
  return lines;
}

function membership({ holds, since, turns }: ExplainedSegment, when: (at: number) => string): string {
  const standing = holds
    ? since === undefined
      ? 'in, not yet recorded'
      : `in since ${when(since)}`
    : since === undefined
      ? 'not in'
      : `not in; recorded as in since ${when(since)} until it is next looked at`;
  if (turns === undefined) return `${standing}; time alone does not change that`;
  return `${standing}; ${holds ? 'leaves' : 'enters'} on ${when(turns)}, if nothing happens`;
}

/** Adds `kairos explain [CONTACT]`. */
export function registerExplain(program: Command): void {
  program
    .command('explain')
    .description('why a contact is in a segment or not, clause by clause, and when that turns by itself')
    .argument('[contact]', 'the contact id')
    .option('--user <id>', 'find by the store’s user id')
    .option('--email <address>', 'find by e-mail address')
    .option('--segment <id>', 'one segment; all of them when nothing is named')
    .option('--campaign <id>', 'whom a campaign is for, and what stops it')
    .option(...STAGE_OPTION)
    .option('--json', 'print the answers as JSON, instants in epoch milliseconds')
    .action(
      async (
        id: string | undefined,
        options: {
          user?: string;
          email?: string;
          segment?: string;
          campaign?: string;
          stage?: string;
          json?: boolean;
        },
      ) => {
        const asked = { id, user: options.user, email: options.email };
        checkAsked(asked);
        const stage = await openStage({ stage: options.stage });
        const [contact, book] = await Promise.all([findContact(stage.table, asked), readBook(stage)]);
        const explained: Explained = {
          ...explain(book, contact, stage.now(), options),
          ...(id !== undefined && id !== contact.id && { askedFor: id }),
        };
        if (options.json) {
          console.log(JSON.stringify(explained));
          return;
        }
        for (const line of drawExplained(explained, paperOf(process.stdout))) console.log(line);
      },
    );
}
