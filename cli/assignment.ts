// kairos assignment: what a contact drew, in every holdout, test, variant, split and share, and how to recompute it by hand.
import type { Command } from 'commander';
import { type Assignment, assignmentOf, type Drawn } from '../domain/assignment.ts';
import type { Book } from '../domain/book.ts';
import type { Contact, Run } from '../domain/contact.ts';
import { zoneOf } from '../domain/eligibility.ts';
import { sayInstant } from '../domain/say-found.ts';
import { checkAsked, findContact } from './find-contact.ts';
import { type Paper, page, paperOf } from './page.ts';
import { checkPublished, openStage, readBook, STAGE_OPTION } from './stage.ts';

/** What is told of one contact's draws. */
export interface Assigned extends Assignment {
  /** The id that was asked for, where it was merged into this contact. */
  askedFor?: string;
  zone: string;
  /** Runs under way, with what was drawn when they began. */
  runs: Pick<Run, 'campaign' | 'startedAt' | 'heldOut'>[];
}

/** The draws of a contact, of all campaigns or of one. Throws KairosError `campaign.unknown`. */
export function assign(book: Book, contact: Contact, now: number, only?: string): Assigned {
  if (only !== undefined) checkPublished(only, book);
  return {
    ...assignmentOf(book, contact.id, now, only),
    zone: zoneOf(book, contact),
    runs: contact.journey.runs
      .filter((run) => run.ended === undefined && (only === undefined || run.campaign === only))
      .map(({ campaign, startedAt, heldOut }) => ({ campaign, startedAt, ...(heldOut !== undefined && { heldOut }) })),
  };
}

/** By which draw a run is held out, in words. */
export const sayHeldOut = (heldOut: NonNullable<Run['heldOut']>): string =>
  heldOut === 'global' ? 'held out by the global holdout' : 'held out by its own draw';

/** The number as it is drawn: cut, not rounded, as 9.999 is below 10. */
export const sayDrawn = (number: number): string => (Math.floor(number * 100) / 100).toFixed(2);

/** The draws in lines. */
export function drawAssigned(assigned: Assigned, paper: Paper): string[] {
  const { lines, tone, dim, put } = page(paper, assigned.zone);
  const { contact, at, zone, hash, ordinal, global, campaigns, shares, runs } = assigned;
  const when = (instant: number): string => sayInstant(instant, zone);
  const row = ({ what, number, outcome, stretches }: Drawn, width: number): void => {
    const said = outcome === 'held out' ? tone('yellow', outcome) : outcome;
    const left = `  ${what.padEnd(width)}  ${sayDrawn(number).padStart(5)}  `;
    const short = left.length + outcome.length + stretches.length + 3 <= paper.width;
    lines.push(`${left}${said}${short ? dim(` · ${stretches}`) : ''}`);
    if (!short) put(stretches, ' '.repeat(left.length), dim);
  };
  lines.push(tone('bold', `Contact ${contact}`));
  put(`${when(at)} in ${zone}. Draws in book ${ordinal} (${hash.slice(0, 12)}): each is a number from 0 to 100.`, '');
  if (assigned.askedFor !== undefined) {
    put(
      `${assigned.askedFor} was merged into this contact: from then on ${contact} draws. Runs that ${assigned.askedFor} began keep the arm that was drawn then.`,
      '',
    );
  }
  const width = Math.max(
    0,
    ...[...(global === undefined ? [] : [global]), ...campaigns.flatMap(({ draws }) => draws), ...shares].map(
      ({ what }) => what.length,
    ),
  );
  if (global !== undefined) {
    lines.push(
      '',
      `${tone('bold', 'Of all marketing')}  from ${when(global.from)} to ${when(global.to)}, then drawn anew`,
    );
    row(global, width);
  }
  for (const { id, title, heldOut, without, draws } of campaigns) {
    lines.push('', `${tone('bold', id)}${title === undefined ? '' : `  ${title}`}`);
    for (const one of draws) row(one, width);
    if (draws.length === 0) lines.push(`  ${without ?? 'Nothing is drawn.'}`);
    else if (without !== undefined) lines.push(`  ${without}`);
    if (heldOut !== undefined) lines.push(`  Who enters now is ${sayHeldOut(heldOut)}: the steps are walked unsent.`);
    for (const run of runs.filter(({ campaign }) => campaign === id)) {
      const arm = run.heldOut === undefined ? 'is written to' : `is ${sayHeldOut(run.heldOut)}`;
      lines.push(`  The run under way since ${when(run.startedAt)} ${arm}, as drawn when it began.`);
    }
  }
  if (shares.length > 0) {
    lines.push('', tone('bold', 'Shares in rules'));
    for (const one of shares) row(one, width);
  }
  const example = campaigns.flatMap(({ draws }) => draws)[0] ?? shares[0] ?? global;
  if (example === undefined) {
    lines.push('', 'Nothing is drawn in this book.');
    return lines;
  }
  lines.push('');
  put(
    `Anybody can recompute them. A draw is the first eight digits of a SHA-256 of its kind, its name and the contact id, as a share of 2^32. “${example.what}”${campaigns[0]?.draws[0] === example ? ` of ${campaigns[0]?.id}` : ''}, in hundredths of a percent:`,
    '',
  );
  lines.push('', `  ${example.command}`, '');
  put('With --json, the line of each draw.', '', dim);
  return lines;
}

/** Adds `kairos assignment [CONTACT]`. */
export function registerAssignment(program: Command): void {
  program
    .command('assignment')
    .description('what a contact drew in every holdout, test, variant, split and share, and how to recompute it')
    .argument('[contact]', 'the contact id')
    .option('--user <id>', 'find by the store’s user id')
    .option('--email <address>', 'find by e-mail address')
    .option('--campaign <id>', 'of one campaign alone')
    .option(...STAGE_OPTION)
    .option('--json', 'print the draws as JSON, each with the line that recomputes it')
    .action(
      async (
        id: string | undefined,
        options: { user?: string; email?: string; campaign?: string; stage?: string; json?: boolean },
      ) => {
        const asked = { id, user: options.user, email: options.email };
        checkAsked(asked);
        const stage = await openStage({ stage: options.stage });
        const [contact, book] = await Promise.all([findContact(stage.table, asked), readBook(stage)]);
        const assigned: Assigned = {
          ...assign(book, contact, stage.now(), options.campaign),
          ...(id !== undefined && id !== contact.id && { askedFor: id }),
        };
        if (options.json) stage.say(JSON.stringify(assigned));
        else for (const line of drawAssigned(assigned, paperOf(process.stdout))) stage.say(line);
      },
    );
}
