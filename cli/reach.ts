// kairos reach: whom a campaign would reach as things are, what keeps it from others, and how long it takes to go out.
import type { Command } from 'commander';
import type { Book } from '../domain/book.ts';
import type { CompiledCampaign } from '../domain/compiled-campaign.ts';
import { KairosError } from '../domain/fault.ts';
import { askContact, type Reach, reachOf, unanswerable } from '../domain/reach.ts';
import { wholeNumber } from './messages.ts';
import { paperOf } from './page.ts';
import { candidateBook } from './publish.ts';
import { drawReach } from './reach-page.ts';
import { reachedOf, readRate } from './reach-rate.ts';
import { eachContact, rehearse, sampleContacts } from './sample.ts';
import { checkPublished, openStage, progressLine, readBook, STAGE_OPTION, type Stage } from './stage.ts';
import { buildFolder, TemplatesRefused } from './templates-folder.ts';
import { printRefusal } from './validate.ts';

/** Enough that a share is known to within three points. */
const SAMPLE = '1000';
/** Asks a sample of the contacts, or all of them. Throws KairosError `reach.run` where nobody can be asked. */
export async function askReach(
  stage: Pick<Stage, 'table' | 'bucket' | 'now'>,
  book: Book,
  campaign: CompiledCampaign,
  { all = false, sample }: { all?: boolean; sample: number },
): Promise<Reach> {
  const reason = unanswerable(campaign);
  if (reason !== undefined) {
    throw new KairosError({
      code: 'reach.run',
      path: campaign.id,
      message: `Whom this campaign would reach is not known before it begins: ${reason}.`,
      remedy: `Ask of one person who has a run: npx kairos why CONTACT --campaign ${campaign.id}`,
    });
  }
  const now = stage.now();
  const deps = { table: stage.table, bucket: stage.bucket, now };
  const ask = async (ids: string[]) =>
    (await rehearse(book, ids, deps)).map(({ after }) => askContact(book, campaign, after, now));
  if (!all) {
    const { ids, contacts, exact } = await sampleContacts(stage.table, sample);
    return reachOf(await ask(ids), { contacts, exact: exact && ids.length === contacts });
  }
  const answers: Awaited<ReturnType<typeof ask>> = [];
  const line = progressLine('Asking all contacts');
  try {
    for await (const ids of eachContact(stage.table)) {
      answers.push(...(await ask(ids)));
      line.at(answers.length);
    }
  } finally {
    line.end();
  }
  return reachOf(answers, { contacts: answers.length, exact: true });
}

/** Adds `kairos reach CAMPAIGN [folder]`. */
export function registerReach(program: Command): void {
  program
    .command('reach')
    .description('whom a campaign would reach as things are, and how long it takes to go out')
    .argument('<campaign>', 'the campaign')
    .argument('[folder]', 'a folder of templates that are not published yet; by default what is published')
    .option('--all', 'ask all contacts, not a sample of them')
    .option('--sample <number>', 'ask at most so many', SAMPLE)
    .option(...STAGE_OPTION)
    .option('--json', 'print the result as JSON, instants in epoch milliseconds')
    .action(
      async (
        id: string,
        folder: string | undefined,
        options: { all?: boolean; sample: string; stage?: string; json?: boolean },
      ) => {
        const sample = wholeNumber('--sample', options.sample);
        const stage = await openStage({ stage: options.stage });
        let book: Book;
        try {
          book = folder === undefined ? await readBook(stage) : await candidateBook(await buildFolder(folder), stage);
        } catch (error) {
          if (!(error instanceof TemplatesRefused)) throw error;
          printRefusal(error, (line) => stage.warn(line));
          process.exitCode = 1;
          return;
        }
        checkPublished(id, book);
        const campaign = book.campaign.get(id) as CompiledCampaign;
        const reach = await askReach(stage, book, campaign, { all: options.all === true, sample });
        const now = stage.now();
        const rate = await readRate(stage.target, stage.table, now);
        const reached = reachedOf(book, campaign, reach, { now, rate });
        if (options.json) stage.say(JSON.stringify(reached));
        else for (const line of drawReach(reached, campaign, paperOf(process.stdout))) stage.say(line);
      },
    );
}
