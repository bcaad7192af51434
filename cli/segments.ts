// kairos segments: what each segment asks, and each loyalty tier, in words.
import type { Command } from 'commander';
import { sayRule } from '../domain/say-rule.ts';
import { inLocale } from '../domain/settings.ts';
import { buildFolder, TemplatesRefused } from './templates-folder.ts';
import { printRefusal, TEMPLATES } from './validate.ts';

interface Said {
  id: string;
  title?: string;
  words: string;
  /** A tier of the loyalty programme, and no segment. */
  tier?: true;
}

function lines(said: Said[]): string[] {
  const shown = said.map(({ id, title, words }) => `${id}${title === undefined ? '' : `: ${title}`}\n  ${words}`);
  const first = said.findIndex(({ tier }) => tier);
  if (first >= 0)
    shown.splice(first, 0, '', 'Loyalty tiers, the highest first: whoever meets several is in the first.');
  return shown;
}

/** Adds `kairos segments [folder]`. */
export function registerSegments(program: Command): void {
  program
    .command('segments')
    .description('what each segment asks, and each loyalty tier, in words')
    .argument('[folder]', 'the folder of templates', TEMPLATES)
    .option('--json', 'print ids, titles and words as JSON')
    .action(async (folder: string, options: { json?: boolean }) => {
      try {
        const { segments, loyalty, settings } = (await buildFolder(folder)).draft;
        const said: Said[] = Object.entries(segments).map(([id, { title, rule }]) => ({
          id,
          ...(title !== undefined && { title }),
          words: sayRule(rule),
        }));
        // Who meets the rules of several is in the highest: it is told first.
        for (const { id, title, rule } of [...(loyalty?.tiers ?? [])].reverse()) {
          const named = title === undefined ? {} : { title: inLocale(title, settings.locales[0] ?? 'en') };
          said.push({ id, ...named, words: sayRule(rule), tier: true });
        }
        if (options.json) console.log(JSON.stringify(said));
        else for (const line of lines(said)) console.log(line);
      } catch (error) {
        if (!(error instanceof TemplatesRefused)) throw error;
        printRefusal(error, (line) => console.error(line));
        process.exitCode = 1;
      }
    });
}
