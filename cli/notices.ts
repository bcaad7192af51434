// kairos notices: what campaigns told others and the bus never took; and telling it again.
import type { Command } from 'commander';
import type { Notice } from '../domain/decision.ts';
import { record } from '../functions/aws/controls.ts';
import { failedNotices, tellAgain } from '../functions/aws/notices.ts';
import { type Item, shardText } from '../functions/aws/table.ts';
import { askForMany, openStage, STAGE_OPTION, type Stage, stamp } from './stage.ts';
import { count } from './validate.ts';

/** Notices that failed, of a campaign where one is named. */
export async function listNotices(
  { table }: Pick<Stage, 'table'>,
  campaign?: string,
): Promise<{ item: Item; notice: Notice }[]> {
  const shards = Array.from({ length: table.shards }, (_, shard) => shardText(shard));
  const found: { item: Item; notice: Notice }[] = [];
  for await (const page of failedNotices(table, shards)) {
    found.push(...page.filter(({ notice }) => campaign === undefined || notice.campaign === campaign));
  }
  return found.sort((a, b) => a.notice.at - b.notice.at);
}

/** Makes failed notices due again, under their own ids. Answers how many. Throws KairosError `many.ask`. */
export async function repeatNotices(
  stage: Stage,
  {
    campaign,
    yes,
    why = 'told again by hand',
  }: { campaign?: string | undefined; yes?: boolean | undefined; why?: string | undefined } = {},
): Promise<number> {
  const { table, now } = stage;
  const found = await listNotices(stage, campaign);
  if (found.length === 0) return 0;
  askForMany(found.length, `tell ${count(found.length, 'notice')} again`, yes);
  const by = await stage.who();
  await record(table, { what: 'tell again', by, at: now(), why, ...(campaign !== undefined && { to: campaign }) });
  let told = 0;
  for (const { item } of found) if (await tellAgain(table, item, now())) told++;
  return told;
}

const COLUMNS = ['notice', 'contact', 'campaign', 'event', 'since'];

/** Notices as lines of a table, without what they say of the person. */
export function tableOfNotices(notices: Notice[]): string[] {
  const rows = notices.map(({ id, contact, campaign, event, at }) => [id, contact, campaign, event, stamp(at)]);
  const widths = COLUMNS.map((title, index) => Math.max(title.length, ...rows.map((row) => row[index]!.length)));
  return [COLUMNS, ...rows].map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index]!))
      .join('  ')
      .trimEnd(),
  );
}

/** Adds `kairos notices`. */
export function registerNotices(program: Command): void {
  program
    .command('notices')
    .description('what campaigns told others (notify) and the bus has not taken for a day')
    .option('--campaign <campaign>', 'of this campaign alone')
    .option('--again', 'tell it again')
    .option('--why <text>', 'why, for whoever comes next')
    .option('--yes', 'also where it is over 100 notices')
    .option(...STAGE_OPTION)
    .option('--json', 'print the result as JSON')
    .action(
      async (options: {
        campaign?: string;
        again?: boolean;
        why?: string;
        yes?: boolean;
        stage?: string;
        json?: boolean;
      }) => {
        const stage = await openStage({ stage: options.stage });
        if (options.again === true) {
          const told = await repeatNotices(stage, options);
          stage.say(options.json ? JSON.stringify({ told }) : `${count(told, 'notice')} will be told within a minute.`);
          return;
        }
        const notices = (await listNotices(stage, options.campaign)).map(({ notice }) => notice);
        if (options.json) {
          stage.say(JSON.stringify(notices.map(({ properties: _, ...notice }) => notice)));
        } else if (notices.length === 0) stage.say('None has failed.');
        else for (const line of tableOfNotices(notices)) stage.say(line);
      },
    );
}
