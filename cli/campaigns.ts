// kairos campaigns: what each campaign does, in words: what starts it, its steps as a tree, its limits.
import type { Command } from 'commander';
import type { Campaign } from '../domain/campaign-grammar.ts';
import { KairosError, suggest } from '../domain/fault.ts';
import { type SaidStep, sayLimits, saySteps, sayWhen } from '../domain/say-campaign.ts';
import { type Paper, page, paperOf } from './page.ts';
import { buildFolder, TemplatesRefused } from './templates-folder.ts';
import { printRefusal, TEMPLATES } from './validate.ts';

/** A campaign in words. */
export interface SaidCampaign {
  id: string;
  title?: string;
  owner?: string;
  kind: Campaign['kind'];
  aim: Campaign['aim'];
  topic?: string;
  starts: string;
  steps: SaidStep[];
  /** What it says of its audience and its limits, in words. */
  limits: Record<string, string>;
}

/** The campaigns of a draft in words, or the one. Throws KairosError `campaign.unknown`. */
export function sayCampaigns(campaigns: Record<string, Campaign>, only?: string): SaidCampaign[] {
  if (only !== undefined && !Object.hasOwn(campaigns, only)) {
    const remedy = suggest(only, Object.keys(campaigns));
    throw new KairosError({
      code: 'campaign.unknown',
      path: only,
      message: 'There is no campaign of this name.',
      received: only,
      ...(remedy !== undefined && { remedy }),
    });
  }
  return Object.entries(campaigns)
    .filter(([id]) => only === undefined || id === only)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, campaign]) => {
      const { title, owner, kind, aim, topic, when, steps } = campaign;
      return {
        id,
        ...(title !== undefined && { title }),
        ...(owner !== undefined && { owner }),
        kind,
        aim,
        ...(topic !== undefined && { topic }),
        starts: sayWhen(when),
        steps: saySteps(steps),
        limits: Object.fromEntries(sayLimits(campaign)),
      };
    });
}

/** Campaigns in lines. */
export function drawCampaigns(campaigns: SaidCampaign[], paper: Paper): string[] {
  const { lines, tone, dim, put } = page(paper, 'UTC');
  const tree = (steps: SaidStep[], indent: string): void => {
    for (const { path, words, branches } of steps) {
      const number = `${Number(path.slice(path.lastIndexOf('.') + 1)) + 1}. `;
      put(`${number}${words}`, indent, undefined, ' '.repeat(number.length));
      for (const branch of branches) {
        put(`${branch.words}:`, `${indent}   `, dim);
        tree(branch.steps, `${indent}     `);
      }
    }
  };
  for (const { id, title, owner, kind, aim, topic, starts, steps, limits } of campaigns) {
    if (lines.length > 0) lines.push('');
    lines.push(`${tone('bold', id)}${title === undefined ? '' : `  ${title}`}`);
    const about = [kind, `for ${aim}`, ...(topic === undefined ? [] : [`topic ${topic}`])];
    put(`${about.join(', ')}${owner === undefined ? '' : `; ${owner}`}`, '  ', dim);
    put(`Starts ${starts}.`, '  ', undefined, '  ');
    tree(steps, '  ');
    const width = Math.max(...Object.keys(limits).map((name) => name.length));
    for (const [name, words] of Object.entries(limits))
      put(`${name.padEnd(width)}  ${words}`, '  ', dim, ' '.repeat(width + 2));
  }
  return lines;
}

/** Adds `kairos campaigns [folder]`. */
export function registerCampaigns(program: Command): void {
  program
    .command('campaigns')
    .description('what each campaign does, in words: what starts it, its steps, its limits')
    .argument('[folder]', 'the folder of templates', TEMPLATES)
    .option('--campaign <id>', 'one campaign alone')
    .option('--json', 'print ids, titles and words as JSON')
    .action(async (folder: string, options: { campaign?: string; json?: boolean }) => {
      try {
        const { campaigns } = (await buildFolder(folder)).draft;
        const said = sayCampaigns(campaigns, options.campaign);
        if (options.json) console.log(JSON.stringify(said));
        else if (said.length === 0) console.log('There are no campaigns.');
        else for (const line of drawCampaigns(said, paperOf(process.stdout))) console.log(line);
      } catch (error) {
        if (!(error instanceof TemplatesRefused)) throw error;
        printRefusal(error, (line) => console.error(line));
        process.exitCode = 1;
      }
    });
}
